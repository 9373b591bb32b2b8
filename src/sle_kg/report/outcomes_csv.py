"""Outcomes as CSV: one line for each result, adverse event and cohort row, told apart by the column `line`."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from sle_kg.followup.results import AdverseEvent, CohortRow, EventRow, OutcomeResult, TrialOutcomes
from sle_kg.report import csv_report
from sle_kg.report.outcomes_text import AID_SENTENCE, caveats_of
from sle_kg.shapes import decimal_text
from sle_kg.verdict import Evidence

Value = str | bool | int | Decimal | dt.date | None

COLUMNS = (
    "line",
    "trial",
    "patient",
    "infusion",
    "id",
    "measure",
    "definition",
    "time_point",
    "date",
    "window_from",
    "window_to",
    "result",
    "value",
    "change",
    "lower",
    "upper",
    "unit",
    "reason",
    "evidence",
    "missing",
    "infused",
    "evaluable",
    "reached",
    "proportion_of_evaluable",
    "ci95_lower",
    "ci95_upper",
    "proportion_of_infused",
    "mean",
    "median",
    "least",
    "greatest",
    "term",
    "day",
    "grade_lower",
    "grade_upper",
    "serious",
    "related",
    "dose_limiting",
    "treatment_emergent",
    "grade",
    "patients",
    "caveats",
)


def render_csv(result: TrialOutcomes) -> bytes:
    """The outcomes as UTF-8 CSV (RFC 4180) with a header line; several texts of a cell are joined by "; "."""
    caveats = " ".join((result.windows, *caveats_of(result), AID_SENTENCE))
    common: dict[str, Value] = {"trial": result.trial, "caveats": caveats}
    return written(COLUMNS, (common | line for line in _lines(result)))


def written(columns: Sequence[str], lines: Iterable[Mapping[str, Value]]) -> bytes:
    """CSV with these columns; a line leaves empty what it does not name. Raises ValueError for another column."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    for line in lines:
        writer.writerow({name: cell(value) for name, value in line.items()})
    return text.getvalue().encode("utf-8")


def cell(value: Value) -> str:
    """A number as it is (a change may be negative); a text so that no spreadsheet takes it for a formula."""
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return csv_report.cell(value.isoformat() if isinstance(value, dt.date) else value)


def evidence_cell(evidence: Iterable[Evidence]) -> str:
    """The records on which a result rests."""
    return "; ".join(f"{e.what}: {e.value} ({e.when or 'undated'}, {e.record})" for e in evidence)


def _lines(result: TrialOutcomes) -> Iterator[dict[str, Value]]:
    """Patients first, then the cohort."""
    for patient in result.patients:
        who: dict[str, Value] = {"patient": patient.patient, "infusion": patient.infusion}
        for outcome in patient.results:
            yield who | _result(outcome)
        for event in patient.events:
            yield who | _event(event)
        for test, (low, high) in patient.laboratory_grades.items():
            yield who | {"line": "laboratory grade", "term": test, "grade_lower": low, "grade_upper": high}
    for row in result.cohort:
        yield _cohort_row(row)
    yield from _event_rows("cohort adverse event", result.events)
    yield from _event_rows("cohort laboratory grade", result.laboratory_grades)


def _result(result: OutcomeResult) -> dict[str, Value]:
    return {
        "line": "result",
        "id": result.id,
        "measure": result.measure,
        "definition": result.definition,
        "time_point": result.time_point,
        "date": result.date,
        "window_from": result.first,
        "window_to": result.last,
        "result": result.result,
        "value": result.value,
        "change": result.change,
        "lower": result.lower,
        "upper": result.upper,
        "unit": result.unit,
        "reason": result.reason,
        "evidence": evidence_cell(result.evidence),
        "missing": "; ".join(result.missing),
    }


def _event(event: AdverseEvent) -> dict[str, Value]:
    return {
        "line": "adverse event",
        "term": event.term,
        "date": event.date,
        "day": event.day,
        "grade_lower": event.grade_low,
        "grade_upper": event.grade_high,
        "serious": event.serious,
        "related": event.related,
        "dose_limiting": event.dose_limiting,
        "treatment_emergent": event.treatment_emergent,
        "evidence": event.record,
    }


def _cohort_row(row: CohortRow) -> dict[str, Value]:
    low, high = row.ci95 or (None, None)
    return {
        "line": "cohort",
        "id": row.id,
        "measure": row.measure,
        "definition": row.definition,
        "time_point": row.time_point,
        "unit": row.unit,
        "missing": "; ".join(f"{what} ({patients})" for what, patients in row.missing.items()),
        "infused": row.infused,
        "evaluable": row.evaluable,
        "reached": row.reached,
        "proportion_of_evaluable": row.proportion_of_evaluable,
        "ci95_lower": low,
        "ci95_upper": high,
        "proportion_of_infused": row.proportion_of_infused,
        "mean": row.mean,
        "median": row.median,
        "least": row.least,
        "greatest": row.greatest,
    }


def _event_rows(line: str, rows: Iterable[EventRow]) -> Iterator[dict[str, Value]]:
    """A line for each highest grade of a term; the patients of a term add up."""
    for row in rows:
        for grade, patients in row.highest_grade.items():
            yield {"line": line, "term": row.term, "grade": grade, "patients": patients}
