"""Synthetic patients before every engine; where two of them differ, the smallest patient that shows it."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sle_kg.cohort.judge import JUDGED, SqlJudge
from sle_kg.engines import Engine, RowStatus, get_engine
from sle_kg.evaluate import row_truths
from sle_kg.features.wide import PERSON, WIDE
from sle_kg.patients.facts import PatientData
from sle_kg.patients.read import read_patients
from sle_kg.profile import Profile
from sle_kg.screening import Options, Session
from sle_kg.synthetic import screening_cohort
from sle_kg.synthetic.fhir import ndjson, resources
from sle_kg.terminology import terminology

DATES = (dt.date(2026, 11, 21), dt.date(2028, 2, 29), dt.date(2026, 8, 31), dt.date(2027, 3, 30))
"""Days of screening: an ordinary one, a leap day, and two whose months before end earlier."""
Said = Mapping[tuple[str, str], Mapping[str, Any]]
"""What somebody says, by patient and trial: of each row its status, or of each feature its bounds."""
NOT_REMOVED = ("patient", "record")
"""Tables whose rows are no facts of their own: the person, and the words for the other rows."""


def write_patients(file: Path, numbers: range, seed: int, on: dt.date) -> Path:
    """The synthetic patients of these numbers, to be screened on a day, as FHIR."""
    made = screening_cohort(numbers, seed, on)
    file.write_bytes(ndjson(resource for patient in made for resource in resources(patient)))
    return file


def patients(numbers: range, seed: int, on: dt.date) -> PatientData:
    """The facts of the synthetic patients of these numbers."""
    with tempfile.TemporaryDirectory() as folder:
        data = read_patients([write_patients(Path(folder) / "patients.ndjson", numbers, seed, on)])
    return replace(data, records=())


class Screening:
    """Some patients on a day: what each way of judging says of them, everything made once and only where asked for."""

    def __init__(self, data: PatientData, options: Options) -> None:
        self.data, self.options = data, options

    @cached_property
    def session(self) -> Session:
        return Session(self.data, self.options)

    @cached_property
    def profiles(self) -> list[Profile]:
        """The profiles as `screen` makes them."""
        return self.session.profiles(self.session.asks(self.data.patients))

    @cached_property
    def judge(self) -> SqlJudge:
        return SqlJudge(self.session.trials, self.options, terminology())

    @cached_property
    def cohort(self) -> Any:
        """The database of `cohort`, judged."""
        return self.judge.judge({name: table for name, table in self.data.tables.items() if name != "record"})

    def by_engine(self, engine: Engine) -> Said:
        """What an engine says of every row."""
        found: dict[tuple[str, str], Mapping[str, RowStatus]] = {}
        for trial in self.session.trials:
            mine = [profile for profile in self.profiles if profile.trial == trial.id]
            said = engine.statuses(trial, self.options.readings, mine)
            found |= {(profile.patient, trial.id): said[profile.ask] for profile in mine}
        return found


Way = Callable[[Screening], Said]
"""A way of judging."""


def by_sql(screening: Screening) -> Said:
    """The plan, over the profiles of `screen`."""
    return screening.by_engine(get_engine("sql"))


def by_shapes(screening: Screening) -> Said:
    """The shapes, by pySHACL."""
    return screening.by_engine(get_engine("shacl"))


def by_evaluator(screening: Screening) -> Said:
    """The direct evaluator."""
    rules = screening.session.rules
    return {
        (someone.patient, someone.trial): {
            row: RowStatus(truth.met, truth.not_applicable)
            for row, truth in row_truths(rules[someone.trial], someone.bounds, someone.attestations).items()
        }
        for someone in screening.profiles
    }


def bounds_of_screen(screening: Screening) -> Said:
    """The bounds of every feature, as `screen` computes them."""
    return {
        (someone.patient, someone.trial): {
            feature.slug: someone.bounds.get(feature.slug, (None, None))
            for feature in screening.session.features[someone.trial]
        }
        for someone in screening.profiles
    }


def bounds_of_cohort(screening: Screening) -> Said:
    """The bounds of every feature, as `cohort` computes them."""
    features = screening.session.features
    columns = screening.judge.columns
    rows = _rows(screening, WIDE)
    return {
        (patient, trial): {
            feature.slug: tuple(row[name] for name in columns.bounds(trial, feature.slug)) for feature in wanted
        }
        for patient, row in rows.items()
        for trial, wanted in features.items()
    }


def words_of_screen(screening: Screening) -> Said:
    """The status of every row in words, by the plan over the profiles of `screen`."""
    from sle_kg.verdicts import statuses

    rules = screening.session.rules
    return {
        (patient, trial): statuses(rules[trial].trial, found)  # type: ignore[arg-type]
        for (patient, trial), found in by_sql(screening).items()
    }


def words_of_cohort(screening: Screening) -> Said:
    """The status of every row in words, as `cohort` judges."""
    rows = _rows(screening, JUDGED)
    return {
        (patient, trial.id): {
            name: row[column] for name, column in screening.judge.status_columns(trial.id).rows.items()
        }
        for patient, row in rows.items()
        for trial in screening.session.trials
    }


def _rows(screening: Screening, table: str) -> dict[str, dict[str, Any]]:
    """The rows of a table of the cohort, by patient."""
    query = f"SELECT p.patient, t.* EXCLUDE (number) FROM {table} t JOIN {PERSON} p ON p.number = t.number"
    result = screening.cohort.execute(query)
    names = [column[0] for column in result.description]
    return {row[0]: dict(zip(names, row, strict=True)) for row in result.fetchall()}


# ── The smallest patient ─────────────────────────────────────────────────────────────────────────────────


def first_difference(screening: Screening, one: Way, other: Way) -> str | None:
    """Nothing where both say the same; else the smallest patient on whom they differ, as rows of fact tables."""
    left, right = one(screening), other(screening)
    different = next((place for place in left if dict(left[place]) != dict(right[place])), None)
    if different is None:
        assert left.keys() == right.keys()
        return None
    patient, trial = different
    options = replace(screening.options, trials=(trial,))

    def differs(data: PatientData) -> bool:
        less = Screening(data, options)
        return one(less) != other(less)

    smallest = smallest_patient(only(screening.data, patient), differs)
    less = Screening(smallest, options)
    said, meant = one(less)[different], other(less)[different]
    rows = [f"  {row}: {said[row]} and {meant[row]}" for row in said if said[row] != meant[row]]
    return "\n".join([f"{trial} on {options.on}, {one.__name__} and {other.__name__}", *rows, *facts(smallest)])


def only(data: PatientData, patient: str) -> PatientData:
    """One of the patients."""
    tables = {name: table.filter(pc.equal(table["patient"], patient)) for name, table in data.tables.items()}
    return replace(data, tables=tables, patients=[patient])


def smallest_patient(data: PatientData, differs: Callable[[PatientData], bool]) -> PatientData:
    """The patient with facts of which none can go without the difference: many are tried at a time, then each alone."""
    kept = [
        (name, row) for name, table in data.tables.items() if name not in NOT_REMOVED for row in range(table.num_rows)
    ]
    size = len(kept)
    while size:
        before = len(kept)
        for start in range(len(kept) - size, -size, -size):
            less = kept[: max(start, 0)] + kept[start + size :]
            if len(less) < len(kept) and differs(_with(data, less)):
                kept = less
        if size > 1 or len(kept) == before:
            size //= 2
    return _with(data, kept)


def _with(data: PatientData, kept: Sequence[tuple[str, int]]) -> PatientData:
    """The patient with these rows alone."""
    tables: dict[str, pa.Table] = {}
    for name, table in data.tables.items():
        rows = [row for table_name, row in kept if table_name == name]
        tables[name] = table if name in NOT_REMOVED else table.take(pa.array(rows, pa.int64()))
    return replace(data, tables=tables)


def facts(data: PatientData) -> Iterator[str]:
    """The rows of the fact tables, one a line, without what is not known."""
    for name, table in data.tables.items():
        for row in table.to_pylist() if name != "record" else ():
            cells = ", ".join(f"{column}={value}" for column, value in row.items() if value is not None)
            yield f"  {name}({cells})"
