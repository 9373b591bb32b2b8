"""Outcomes for a terminal: the cohort first, then adverse events, then each patient, 80 to 100 columns wide."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.padding import Padding
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
    grade_text,
    highest_grades,
    interval,
    number,
    percent,
    result_text,
    spread,
    unit_text,
    yes_no,
)
from sle_kg.report.table import Line, printed, section, simple_table
from sle_kg.report.text import plain

_NUMBERS = {"justify": "right"}


def render_table(result: TrialOutcomes, width: int, colour: bool) -> str:
    """The outcomes as text; `width` is brought to between 80 and 100 columns. Text of patients is never markup."""
    parts: list[RenderableType] = [
        Rule(Text(f"Outcomes of {result.trial}", style="bold"), characters="━"),
        Text(plain(result.label)),
        *_cohort(result),
        *_events("Adverse events, patients by highest grade", result.events),
        *_events("Laboratory results, patients by highest CTCAE grade", result.laboratory_grades),
    ]
    for patient in result.patients:
        parts += _patient(patient)
    parts += section("To bear in mind", [Line(plain(text)) for text in (result.windows, *caveats_of(result))])
    return printed([*parts, Text(AID_SENTENCE, style="bold")], width, colour)


def _cohort(result: TrialOutcomes) -> list[RenderableType]:
    """States and values in a table each, both denominators in the header."""
    if not result.cohort:
        return [Text(""), Text("No outcome of the cohort: no patient was given.")]
    states = [row for row in result.cohort if row.reached is not None]
    values = [row for row in result.cohort if row.reached is None]
    parts: list[RenderableType] = []
    if states:
        parts += [_states(states), Text(DENOMINATORS_SENTENCE)]
    if values:
        parts.append(_values(values))
    return [*parts, *section("Why patients are not evaluable", _missing(result.cohort))]


def _states(rows: Sequence[CohortRow]) -> RenderableType:
    header = ("Outcome", "Time point", "Infused", "Evaluable", "Reached", "% of evaluable\n(95 % CI)", "% of infused")
    table = simple_table(*header, title="Cohort: states and events")
    _right(table, 2)
    for before, row in zip((None, *rows), rows, strict=False):
        share = "\n".join(filter(None, (percent(row.proportion_of_evaluable) or "–", interval(row))))
        counts = (row.infused, row.evaluable, row.reached)
        shares = (share, percent(row.proportion_of_infused) or "–")
        table.add_row(_named(row, before), plain(row.time_point), *map(str, counts), *shares)
    return table


def _values(rows: Sequence[CohortRow]) -> RenderableType:
    header = ("Outcome", "Time point", "Infused", "Evaluable", "Mean", "Median", "Range", "Unit")
    table = simple_table(*header, title="Cohort: values")
    _right(table, 2, 6)
    for before, row in zip((None, *rows), rows, strict=False):
        numbers = (number(row.mean) or "–", number(row.median) or "–", spread(row) or "–")
        counts = (str(row.infused), str(row.evaluable))
        table.add_row(_named(row, before), plain(row.time_point), *counts, *numbers, Text(unit_text(row.unit)))
    return table


def _right(table: Table, first: int, last: int | None = None) -> None:
    """Numbers stand right."""
    for column in table.columns[first:last]:
        column.justify = "right"


def _outcome(row: CohortRow | OutcomeResult) -> Text:
    return Text.assemble((plain(row.id), "bold"), f" {plain(row.definition)}")


def _named(row: CohortRow | OutcomeResult, before: CohortRow | OutcomeResult | None) -> Text:
    """The outcome, on the first of its time points."""
    same = before is not None and (before.id, before.measure) == (row.id, row.measure)
    return Text("") if same else _outcome(row)


def _missing(rows: Sequence[CohortRow]) -> list[Line]:
    return [
        Line(Text.assemble((plain(row.id), "bold"), f" {plain(row.time_point)}: {plain(what)} ({patients})"))
        for row in rows
        for what, patients in row.missing.items()
    ]


def _events(title: str, rows: Sequence[EventRow]) -> list[RenderableType]:
    return section(
        title, [Line(f"{plain(row.term)}: {row.patients} ({highest_grades(row.highest_grade)})") for row in rows]
    )


def _patient(patient: PatientOutcomes) -> list[RenderableType]:
    """Every result of a patient, then adverse events, laboratory grades and what was not understood."""
    zero = f"infusion {patient.infusion}" if patient.infusion else NOT_INFUSED
    table = simple_table("Outcome", "Time point", "Assessed", "Result", "Why, and what is missing")
    for before, result in zip((None, *patient.results), patient.results, strict=False):
        why = "\nMissing: ".join(map(plain, (result.reason, *result.missing)))
        mark = f"{RESULT_MARKS[result.result]} {result_text(result)}"
        assessed = str(result.date or "–")
        table.add_row(_named(result, before), Text(plain(result.time_point)), assessed, Text(mark), Text(why))
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
        Padding(table, (0, 0, 0, 1)),
        *section("Adverse events", events),
        *section("Highest CTCAE grades of laboratory results", grades),
        *section("Records not understood", unread),
    ]
