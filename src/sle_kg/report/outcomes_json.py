"""Outcomes as JSON: the keys of the public contract in its order, then ours; numbers exactly as they were computed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

from sle_kg.followup.results import AdverseEvent, CohortRow, EventRow, OutcomeResult, PatientOutcomes, TrialOutcomes
from sle_kg.shapes import decimal_text
from sle_kg.verdict import Evidence, Unread


def render_json(result: TrialOutcomes) -> bytes:
    """One JSON object for the trial as UTF-8: patients in the order of the input, cohort rows in that of the record."""
    document = {
        "trial": result.trial,
        "patients": [_patient(patient) for patient in result.patients],
        "cohort": [_cohort_row(row) for row in result.cohort],
        "adverseEvents": _event_rows(result.events),
        "laboratoryGrades": _event_rows(result.laboratory_grades),
        "windows": result.windows,
        "caveats": result.caveats,
    }
    return exact_json(document)


def exact_json(value: Any) -> bytes:
    """JSON in UTF-8, one indent a level; a Decimal becomes the number that it is, never a binary fraction.

    Takes mappings, sequences, texts, integers, Decimals, booleans and None.
    """
    # A lone surrogate of hostile input has no UTF-8; its backslash form is the JSON escape of the same character.
    return _json(value, "\n").encode("utf-8", "backslashreplace") + b"\n"


def _json(value: Any, newline: str) -> str:
    """The value as JSON text; `newline` is the line end with the indent of the level above."""
    inner = newline + " "
    match value:
        case str():
            return encode_basestring(value)
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Decimal():
            return decimal_text(value)
        case Mapping():
            members = [f"{encode_basestring(str(key))}: {_json(member, inner)}" for key, member in value.items()]
            return "{" + inner + ("," + inner).join(members) + newline + "}" if members else "{}"
        case list() | tuple():
            members = [_json(member, inner) for member in value]
            return "[" + inner + ("," + inner).join(members) + newline + "]" if members else "[]"
    raise TypeError(f"no JSON for {type(value).__name__}")


def evidence_json(evidence: Iterable[Evidence]) -> list[dict[str, Any]]:
    """The records on which a result rests."""
    return [{"record": e.record, "what": e.what, "value": e.value, "date": e.date} for e in evidence]


def _patient(patient: PatientOutcomes) -> dict[str, Any]:
    return {
        "patient": patient.patient,
        "infusion": _day(patient.infusion),
        "results": [_result(result) for result in patient.results],
        "events": [_event(event) for event in patient.events],
        "laboratoryGrades": dict(patient.laboratory_grades),
        "unread": [_unread(unread) for unread in patient.unread],
    }


def _result(result: OutcomeResult) -> dict[str, Any]:
    return {
        "id": result.id,
        "timePoint": result.time_point,
        "date": _day(result.date),
        "value": result.value,
        "result": result.result,
        "change": result.change,
        "unit": result.unit,
        "definition": result.definition,
        "reason": result.reason,
        "evidence": evidence_json(result.evidence),
        "missing": result.missing,
        "measure": result.measure,
        "window": {"from": _day(result.first), "to": _day(result.last)},
        "lower": result.lower,
        "upper": result.upper,
    }


def _event(event: AdverseEvent) -> dict[str, Any]:
    return {
        "term": event.term,
        "record": event.record,
        "date": _day(event.date),
        "day": event.day,
        "gradeLower": event.grade_low,
        "gradeUpper": event.grade_high,
        "serious": event.serious,
        "related": event.related,
        "doseLimiting": event.dose_limiting,
        "treatmentEmergent": event.treatment_emergent,
    }


def _unread(unread: Unread) -> dict[str, Any]:
    return {"record": unread.record, "code": unread.code, "display": unread.display, "why": unread.why}


def _cohort_row(row: CohortRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "timePoint": row.time_point,
        "infused": row.infused,
        "evaluable": row.evaluable,
        "reached": row.reached,
        "proportionOfEvaluable": row.proportion_of_evaluable,
        "ci95": row.ci95,
        "proportionOfInfused": row.proportion_of_infused,
        "mean": row.mean,
        "median": row.median,
        "range": None if row.least is None else [row.least, row.greatest],
        "measure": row.measure,
        "definition": row.definition,
        "unit": row.unit,
        "missing": dict(row.missing),
    }


def _event_rows(rows: Iterable[EventRow]) -> list[dict[str, Any]]:
    return [{"term": row.term, "patients": row.patients, "highestGrade": dict(row.highest_grade)} for row in rows]


def _day(day: dt.date | None) -> str | None:
    return None if day is None else day.isoformat()
