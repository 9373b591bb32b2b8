"""Verdicts as CSV: one line for each patient, trial and row, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from sle_kg.report.text import AID_SENTENCE, caveats_of, plain
from sle_kg.verdict import RowVerdict, Verdict

COLUMNS = (
    "patient",
    "trial",
    "on",
    "verdict",
    "nothing_against",
    "source_complete",
    "earliest_eligible",
    "recruitment_status",
    "recruitment_as_of",
    "id",
    "parent",
    "kind",
    "text",
    "status",
    "decisive",
    "reason",
    "evidence",
    "missing",
    "open_kind",
    "needs_judgement",
    "flags",
    "reading",
    "other_readings",
    "passes_from",
    "valid_until",
    "unread_records",
    "caveats",
)

_FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def render_csv(verdicts: Iterable[Verdict]) -> bytes:
    """The verdicts as UTF-8 CSV (RFC 4180) with a header line; several values of a cell are joined by "; "."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for verdict in verdicts:
        for row in verdict.criteria:
            writer.writerow([cell(value) for value in _line(verdict, row)])
    return text.getvalue().encode("utf-8")


def cell(value: str | bool | int | None) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP: CSV injection); booleans as true and false."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = plain(str(value))
    return "'" + text if text.startswith(_FORMULA_STARTS) else text


def _line(verdict: Verdict, row: RowVerdict) -> tuple[str | bool | int | None, ...]:
    """The values of one line, in the order of COLUMNS."""
    return (
        verdict.patient,
        verdict.trial,
        verdict.on,
        verdict.verdict,
        verdict.nothing_against,
        verdict.source_complete,
        verdict.earliest_eligible,
        verdict.recruitment_status,
        verdict.recruitment_as_of,
        row.id,
        row.parent,
        row.kind,
        row.text,
        row.status,
        row.decisive,
        row.reason,
        "; ".join(f"{e.what}: {e.value} ({e.when or 'undated'}, {e.record})" for e in row.evidence),
        "; ".join(row.missing),
        row.open_kind,
        row.needs_judgement,
        "; ".join(row.flags),
        row.reading,
        "; ".join(f"{other.ambiguity}={other.key}: {other.status}" for other in row.other_readings),
        row.passes_from,
        row.valid_until,
        len(verdict.unread),
        " ".join((*caveats_of(verdict), AID_SENTENCE)),
    )
