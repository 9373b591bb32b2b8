"""Cohorts for tests: the patients of cases as tables, and what `cohort` and `screen` say of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from caselib import Asked, Case, bundle
from cases import SUITES
from sle_kg.cohort.run import run
from sle_kg.cohort.summary import CohortSummary
from sle_kg.patients.read import read_patients
from sle_kg.screening import Options, Session
from sle_kg.verdict import Verdict

Row = dict[str, Any]


def write_tables(folder: Path, tables: dict[str, pa.Table]) -> Path:
    """The tables as a cohort."""
    folder.mkdir()
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    return folder


def cohort_of(folder: Path, cases: Iterable[Case]) -> Path:
    """The patients of some cases as a cohort."""
    file = folder / "patients.json"
    file.write_text(bundle(cases), encoding="utf-8")
    return write_tables(folder / "tables", read_patients([file]).tables)


def judged(folder: Path, options: Options, **how: Any) -> tuple[CohortSummary, list[Row]]:
    """The summary, and the rows of the verdict table."""
    file = folder.parent / "verdicts.parquet"
    summary = run(folder, options, file, **how)
    return summary, pq.read_table(file).to_pylist()


def as_row(verdict: Verdict) -> Row:
    """What the verdict table must say of a verdict of `screen`."""
    status = {row.id: row.status for row in verdict.criteria}
    earliest = verdict.earliest_eligible
    return {
        "patient": verdict.patient,
        "trial": verdict.trial,
        "verdict": verdict.verdict,
        "nothing_against": verdict.nothing_against,
        "source_complete": verdict.source_complete,
        "earliest_eligible": None if earliest is None else dt.date.fromisoformat(earliest),
        "unknown_count": list(status.values()).count("unknown"),
        "status": list(status.items()),
    }


def screened(file: Path, options: Options) -> list[Row]:
    """What `screen` says, in the order of the verdict table."""
    session = Session([file], options)
    return as_rows(session.judge(session.data.patients, lambda done: None))


def as_rows(verdicts: Sequence[Verdict]) -> list[Row]:
    """Verdicts in the order of the verdict table; those of each patient are in the order of the trials."""
    return sorted(map(as_row, verdicts), key=lambda row: str(row["patient"]))


GROUPS: dict[Asked, list[Case]] = {}
for suite in SUITES:
    for one in suite.cases:
        GROUPS.setdefault(one.asked, []).append(one)
"""The cases of all trials, by how they ask."""
