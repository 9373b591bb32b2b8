"""Outcomes for a terminal: the cohort first, then adverse events, then each patient, 80 to 100 columns wide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from rich.console import RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from sle_kg.followup.results import CohortRow, EventRow, OutcomeResult, PatientOutcomes, TrialOutcomes
from sle_kg.report.outcomes_text import (
    AID_SENTENCE,
    DENOMINATORS_SENTENCE,
    NOT_INFUSED,
    RESULT_MARKS,
    caveats_of,
    event_day,
    gaps_of,
    grade_text,
    grouped,
    highest_grades,
    interval,
    number,
    percent,
    result_text,
    spread,
    unit_text,
    yes_no,
)
from sle_kg.report.table import Line, printed, section
from sle_kg.report.text import counted, plain

_LISTED_PATIENTS = 20

_Row = TypeVar("_Row", CohortRow, OutcomeResult)


@dataclass(frozen=True, slots=True)
class _Column:
    """A column: its name, its width (None for what is left), and on which side its text stands."""

    name: str
    width: int | None
    justify: Literal["left", "right"] = "right"


_TIME = _Column("Time point", 11, "left")
_INFUSED, _EVALUABLE = _Column("Infused", 7), _Column("Evaluable", 9)
_STATES = (
    _TIME,
    _INFUSED,
    _EVALUABLE,
    _Column("Reached", 7),
    _Column("% of evaluable (95 % CI)", 24),
    _Column("% of infused", 12),
)
_VALUES = (_TIME, _INFUSED, _EVALUABLE, _Column("Mean", 10), _Column("Median", 10), _Column("Range", 18))
_RESULTS = (_TIME, _Column("Assessed", 10, "left"), _Column("Result", 18, "left"), _Column("Why", None, "left"))


def render_table(result: TrialOutcomes, width: int, colour: bool) -> str:
    """The outcomes as text; `width` is brought to between 80 and 100 columns. Text of patients is never markup."""
    parts: list[RenderableType] = [
        Rule(Text(f"Outcomes of {result.trial}", style="bold"), characters="━"),
        Text(plain(result.label)),
        *_cohort(result),
        *_events("Adverse events, patients by highest grade", result.events),
        *_events("Laboratory results, patients by highest CTCAE grade", result.laboratory_grades),
    ]
    for patient in result.patients[:_LISTED_PATIENTS]:
        parts += _patient(patient)
    if (more := len(result.patients) - _LISTED_PATIENTS) > 0:
        parts += [Text(f"{counted(more, 'more patient')}: see the CSV, HTML and JSON reports."), Text("")]
    parts += section("To bear in mind", [Line(plain(text)) for text in (result.windows, *caveats_of(result))])
    return printed([*parts, Text(AID_SENTENCE, style="bold")], width, colour)


def _cohort(result: TrialOutcomes) -> list[RenderableType]:
    """States and values, both denominators in the header, and what is missing."""
    if not result.cohort:
        why = "no patient is known to have been infused" if result.patients else "no patient was given"
        return [Text(""), Text(f"No outcome of the cohort: {why}.")]
    states = grouped(row for row in result.cohort if row.reached is not None)
    values = grouped(row for row in result.cohort if row.reached is None)
    parts: list[RenderableType] = []
    if states:
        header = _header("Cohort: states and events", _STATES)
        parts += [*header, *(part for rows in states for part in _group(rows, _STATES, _state)), Text("")]
        parts.append(Text(DENOMINATORS_SENTENCE))
    if values:
        header = _header("Cohort: values of the evaluable patients", _VALUES)
        parts += [*header, *(part for rows in values for part in _group(rows, _VALUES, _value)), Text("")]
    gaps = [
        Line(
            Text.assemble((plain(gap.id), "bold"), f" {plain(gap.definition)}: {plain(gap.what)}; {plain(gap.places)}")
        )
        for gap in gaps_of(result)
    ]
    return [*parts, *section("Why patients are not evaluable, with their number at each time point", gaps)]


def _state(row: CohortRow) -> tuple[str, ...]:
    share = f"{percent(row.proportion_of_evaluable) or '–'} {interval(row)}".strip()
    counts = map(str, (row.infused, row.evaluable, row.reached))
    return (plain(row.time_point), *counts, share, percent(row.proportion_of_infused) or "–")


def _value(row: CohortRow) -> tuple[str, ...]:
    numbers = (number(row.mean) or "–", number(row.median) or "–", spread(row) or "–")
    return (plain(row.time_point), str(row.infused), str(row.evaluable), *numbers)


def _result(row: OutcomeResult) -> tuple[str, ...]:
    why = "\nMissing: ".join(map(plain, (row.reason, *row.missing)))
    return plain(row.time_point), str(row.date or "–"), f"{RESULT_MARKS[row.result]} {result_text(row)}", why


def _header(title: str, columns: Sequence[_Column]) -> list[RenderableType]:
    """The title, and the names of the columns above their groups."""
    table = _columns(columns)
    table.add_row(*(Text(column.name, style="bold") for column in columns))
    return [Text(""), Text(title, style="bold underline"), table]


def _group(
    rows: Sequence[_Row], columns: Sequence[_Column], cells: Callable[[_Row], tuple[str, ...]]
) -> list[RenderableType]:
    """One outcome by one definition, its time points below its name and unit."""
    unit = unit_text(rows[0].unit)
    name = Text.assemble((plain(rows[0].id), "bold"), f" {plain(rows[0].definition)}{f' ({unit})' if unit else ''}")
    table = _columns(columns)
    for row in rows:
        table.add_row(*map(Text, cells(row)))
    return [name, table]


def _columns(columns: Sequence[_Column]) -> Table:
    """A table without header whose columns are as wide in every group."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(width=column.width, justify=column.justify, overflow="fold")
    return table


def _events(title: str, rows: Sequence[EventRow]) -> list[RenderableType]:
    return section(
        title, [Line(f"{plain(row.term)}: {row.patients} ({highest_grades(row.highest_grade)})") for row in rows]
    )


def _patient(patient: PatientOutcomes) -> list[RenderableType]:
    """Every result of a patient, then adverse events, laboratory grades and what was not understood."""
    zero = f"infusion {patient.infusion}" if patient.infusion else NOT_INFUSED
    events = [
        Line(
            f"{plain(event.term)}: grade {grade_text(event.grade_low, event.grade_high)}, {event_day(event)}; "
            f"serious: {yes_no(event.serious)}, related: {yes_no(event.related)}, "
            f"dose-limiting: {yes_no(event.dose_limiting)}"
        )
        for event in patient.events
    ]
    grades = [Line(f"{plain(test)}: grade {grade_text(*bounds)}") for test, bounds in patient.laboratory_grades.items()]
    unread = [Line(plain(f"{item.why}: {item.display or item.code} [{item.record}]")) for item in patient.unread]
    return [
        Rule(Text(f"{plain(patient.patient)}, {zero}", style="bold")),
        *(part for rows in grouped(patient.results) for part in _group(rows, _RESULTS, _result)),
        Text(""),
        *section("Adverse events", events),
        *section("Highest CTCAE grades of laboratory results", grades),
        *section("Records not understood", unread),
    ]
