"""A script in many small parts, as hundreds of trials need it, gives what one of few large parts gives."""

from __future__ import annotations

from typing import Any

import pytest

from random_patients import DATES, patients
from sle_kg.cohort import judge as judging
from sle_kg.cohort.judge import JUDGED, SqlJudge
from sle_kg.features import wide
from sle_kg.patients.facts import PatientData
from sle_kg.screening import Options
from sle_kg.terminology import terminology
from sle_kg.trials import screenable


def cells(data: PatientData, options: Options) -> tuple[int, list[Any]]:
    """How many statements the script has, and statuses and bounds of every patient."""
    trials = list(screenable().values())[:2]
    judge = SqlJudge(trials, options, terminology())
    connection = judge.judge(dict(data.tables))
    status = [name for trial in trials for name in judge.status_columns(trial.id).rows.values()]
    bounds = [name for t in trials for f in t.features() for name in judge.columns.bounds(t.id, f.slug)]
    found = []
    for table, columns in ((JUDGED, status), (wide.WIDE, bounds)):
        places = [row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall()]
        rows = connection.execute(f"SELECT * FROM {table} ORDER BY number").fetchall()
        found.append([[row[places.index(name)] for name in columns] for row in rows])
    return len(judge.statements), found


def test_small_parts_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    options = Options(on=DATES[0], complete=("medications",), events={"infusion": DATES[1]})
    data = patients(range(1, 13), 11, DATES[0])
    few, whole = cells(data, options)
    for module, name, most in ((wide, "SLOTS", 3), (wide, "TABLES", 9), (judging, "TOGETHER", 1)):
        monkeypatch.setattr(module, name, most)
    many, parts = cells(data, options)
    assert many > few
    names = [
        statement.name for statement in SqlJudge(list(screenable().values())[:2], options, terminology()).statements
    ]
    assert {"wide0", "wide1", "judged0", "judged1"} <= set(names)
    assert [len(found) for found in whole] == [12, 12]
    assert parts == whole
