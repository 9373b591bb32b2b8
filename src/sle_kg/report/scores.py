"""Scores, states and classifications of patients over time as table, JSON and CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, get_args

from rich.text import Text

from sle_kg.followup.results import ScoreResult
from sle_kg.report.outcomes_csv import Value, evidence_cell, written
from sle_kg.report.outcomes_json import evidence_json, exact_json
from sle_kg.report.outcomes_text import AID_SENTENCE, STATE_WORDS, bounds, number, signed, unit_text
from sle_kg.report.table import printed, simple_table
from sle_kg.report.text import plain

ScoreFormat = Literal["table", "json", "csv"]
SCORE_FORMATS: tuple[ScoreFormat, ...] = get_args(ScoreFormat)

_COLUMNS = (
    "patient",
    "date",
    "name",
    "value",
    "result",
    "lower",
    "upper",
    "items",
    "reason",
    "missing",
    "facet",
    "band",
    "change",
    "unit",
    "grades",
    "proposed",
    "contradictions",
    "evidence",
)


def render_scores(results: Sequence[ScoreResult], form: ScoreFormat, width: int = 100, colour: bool = False) -> bytes:
    """The results as UTF-8, in the order given; `width` (columns) and `colour` concern the table alone."""
    match form:
        case "table":
            return _table(results, width, colour).encode("utf-8", "replace")
        case "json":
            return exact_json([_object(result) for result in results])
        case "csv":
            return written(_COLUMNS, map(_line, results))


def _object(result: ScoreResult) -> dict[str, Any]:
    """The keys of the public contract in its order, then ours."""
    return {
        "patient": result.patient,
        "date": result.date.isoformat(),
        "name": result.name,
        "value": result.value,
        "result": result.result,
        "lower": result.lower,
        "upper": result.upper,
        "items": dict(result.items),
        "reason": result.reason,
        "missing": result.missing,
        "facet": result.facet,
        "band": result.band,
        "change": result.change,
        "unit": result.unit,
        "grades": dict(result.grades),
        "proposed": dict(result.proposed),
        "contradictions": result.contradictions,
        "evidence": evidence_json(result.evidence),
    }


def _line(result: ScoreResult) -> dict[str, Value]:
    """The values of one line, by column."""
    return {
        "patient": result.patient,
        "date": result.date,
        "name": result.name,
        "value": result.value,
        "result": result.result,
        "lower": result.lower,
        "upper": result.upper,
        "items": _joined(result.items),
        "reason": result.reason,
        "missing": "; ".join(result.missing),
        "facet": result.facet,
        "band": result.band,
        "change": result.change,
        "unit": result.unit,
        "grades": _joined(result.grades),
        "proposed": _joined(result.proposed),
        "contradictions": "; ".join(result.contradictions),
        "evidence": evidence_cell(result.evidence),
    }


def _joined(members: Mapping[str, bool | str | None]) -> str:
    """`key=true; other=unknown`."""
    return "; ".join(f"{key}={_word(value)}" for key, value in members.items())


def _word(value: bool | str | None) -> str:
    if isinstance(value, str):
        return value
    return "unknown" if value is None else "true" if value else "false"


def _table(results: Sequence[ScoreResult], width: int, colour: bool) -> str:
    """One line a result, below the name of the instrument."""
    table = simple_table("Patient", "Date", "Name", "Result", "Why, and what is missing")
    for result in results:
        name = " ".join(filter(None, (result.name, result.facet)))
        why = "\n".join(_why(result))
        table.add_row(Text(plain(result.patient)), str(result.date), Text(plain(name)), Text(_found(result)), Text(why))
    shown = table if results else Text("No result: no patient has a record of this instrument.")
    return printed([shown, Text(AID_SENTENCE, style="bold")], width, colour)


def _found(result: ScoreResult) -> str:
    """A state in words, grades, or a number with its band and change, bounds where it is not known."""
    parts = [STATE_WORDS[result.result]] if result.result else []
    if result.value is not None or result.lower is not None or result.upper is not None:
        shown = number(result.value) if result.value is not None else bounds(result.lower, result.upper)
        parts.append(f"{shown} {unit_text(result.unit)}".strip())
    if result.band:
        parts.append(plain(result.band))
    if result.change is not None:
        parts.append(f"change {signed(result.change)}")
    parts += [f"{plain(key)} {plain(grade)}" for key, grade in result.grades.items()]
    return ", ".join(parts) or "unknown"


def _why(result: ScoreResult) -> Iterable[str]:
    """The reason (it names the items), what is missing, proposed and contradictory."""
    yield plain(result.reason)
    yield from (f"Missing: {plain(what)}" for what in result.missing)
    if proposed := [plain(key) for key, value in result.proposed.items() if value]:
        yield f"Proposed from results: {', '.join(proposed)}"
    yield from (f"Contradiction: {plain(text)}" for text in result.contradictions)
