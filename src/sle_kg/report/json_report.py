"""Verdicts as JSON: the keys of the public contract, in its order, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sle_kg.report.text import OPEN_KINDS
from sle_kg.verdict import RowVerdict, Verdict


def render_json(verdicts: Iterable[Verdict]) -> bytes:
    """A JSON array with one object for each patient and trial, in the order given, as UTF-8."""
    text = json.dumps([verdict_object(verdict) for verdict in verdicts], ensure_ascii=False, indent=1, allow_nan=False)
    # A lone surrogate of hostile input has no UTF-8; its backslash form is the JSON escape of the same character.
    return text.encode("utf-8", "backslashreplace") + b"\n"


def verdict_object(verdict: Verdict) -> dict[str, Any]:
    """One verdict as a JSON object."""
    return {
        "patient": verdict.patient,
        "trial": verdict.trial,
        "on": verdict.on,
        "verdict": verdict.verdict,
        "nothingAgainst": verdict.nothing_against,
        "openItems": {kind: verdict.open_items.get(kind, 0) for kind in OPEN_KINDS},
        "sourceComplete": verdict.source_complete,
        "recruitment": {
            "status": verdict.recruitment_status,
            "asOf": verdict.recruitment_as_of,
            "source": verdict.recruitment_source,
        },
        "caveats": list(verdict.caveats),
        "earliestEligible": verdict.earliest_eligible,
        "unread": [
            {"record": unread.record, "code": unread.code, "display": unread.display, "why": unread.why}
            for unread in verdict.unread
        ],
        "criteria": [_row(row) for row in verdict.criteria],
    }


def _row(row: RowVerdict) -> dict[str, Any]:
    return {
        "id": row.id,
        "parent": row.parent,
        "kind": row.kind,
        "text": row.text,
        "sentence": row.sentence,
        "status": row.status,
        "decisive": row.decisive,
        "reason": row.reason,
        "evidence": [
            {"record": evidence.record, "what": evidence.what, "value": evidence.value, "date": evidence.date}
            for evidence in row.evidence
        ],
        "missing": list(row.missing),
        "openKind": row.open_kind,
        "needsJudgement": row.needs_judgement,
        "flags": list(row.flags),
        "reading": row.reading,
        "otherReadings": [
            {"ambiguity": other.ambiguity, "key": other.key, "status": other.status} for other in row.other_readings
        ],
        "passesFrom": row.passes_from,
        "validUntil": row.valid_until,
    }
