"""Verdicts for a terminal: what a trial coordinator does next about each patient, 80 to 100 columns wide."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from sle_kg.report.summary import (
    OpenGroup,
    OpenItem,
    PatientSummary,
    expiries,
    failures,
    flagged,
    is_live,
    open_groups,
    open_rows,
    places_text,
    reading_changes,
    summarise,
    unread_groups,
)
from sle_kg.report.text import (
    AID_SENTENCE,
    NOTHING_AGAINST_SENTENCE,
    OPEN_KINDS,
    OPEN_TITLES,
    STATUS_MARKS,
    caveats_of,
    counted,
    earliest_sentence,
    plain,
    quotation,
    reason_sentence,
    recruitment_sentence,
    shorten,
    verdict_phrase,
)
from sle_kg.verdict import RowVerdict, Verdict

NARROWEST, WIDEST = 80, 100

_STYLES = {"eligible": "green", "ineligible": "red", "undetermined": "yellow"}
_OPEN_HEADINGS = {**OPEN_TITLES, "judgement": f"{OPEN_TITLES['judgement']} (answers: attest:<trial>/<row>)"}
_QUOTATION = 160
_SHOWN_EXPIRY_DAYS = 366
_LISTED_GROUPS = 12
_LISTED_RECORDS = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One item of a section: a mark, a text, and perhaps a sentence below it."""

    text: Text | str
    mark: str = "•"
    detail: str = ""
    depth: int = 0


def render_table(verdicts: Iterable[Verdict], width: int = WIDEST, colour: bool = False) -> str:
    """The verdicts as text: an overview of several patients, then a section for each, nothing-against first.

    `width` is brought to between 80 and 100 columns. Text of patients and files is shown as it is, never as markup.
    """
    summaries = summarise(verdicts)
    parts: list[RenderableType] = []
    if len(summaries) > 1:
        parts += [_overview(summaries), Text("")]
    for summary in summaries:
        parts += _patient(summary)
    if any(summary.nothing_against for summary in summaries):
        parts.append(Text(NOTHING_AGAINST_SENTENCE))
    return printed([*parts, Text(AID_SENTENCE, style="bold")], width, colour)


def render_overview(verdicts: Iterable[Verdict], width: int = WIDEST, colour: bool = False) -> str:
    """One line a patient, for the end of a long output; width and colour as in `render_table`."""
    return printed([_overview(summarise(verdicts))], width, colour)


def printed(parts: Sequence[RenderableType], width: int, colour: bool) -> str:
    """The parts one below the other as text."""
    console = Console(
        file=io.StringIO(),
        width=min(max(width, NARROWEST), WIDEST),
        force_terminal=colour,
        color_system="standard" if colour else None,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
        _environ={},
    )
    with console.capture() as capture:
        console.print(*parts, sep="\n")
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def _overview(summaries: Sequence[PatientSummary]) -> RenderableType:
    """One line a patient: the verdict for every trial."""
    trials = list(dict.fromkeys(verdict.trial for summary in summaries for verdict in summary.verdicts))
    table = simple_table("Patient", *trials, title="All patients, those with nothing against them first")
    for summary in summaries:
        by_trial = {verdict.trial: verdict for verdict in summary.verdicts}
        cells = [_overview_cell(by_trial[trial]) if trial in by_trial else Text("") for trial in trials]
        table.add_row(Text(shorten(summary.patient, 40)), *cells)
    return table


def _overview_cell(verdict: Verdict) -> Text:
    text = Text(verdict.verdict, style=_STYLES[verdict.verdict])
    if verdict.verdict == "undetermined":
        text.append(f", {sum(verdict.open_items.values())} open")
    if verdict.nothing_against:
        text.append("\nnothing against", style="bold")
    elif verdict.earliest_eligible and verdict.verdict != "eligible":
        text.append(f"\nfrom {verdict.earliest_eligible}")
    return text


def _patient(summary: PatientSummary) -> list[RenderableType]:
    """Everything about one patient, in the order in which a coordinator reads it."""
    parts: list[RenderableType] = [
        Rule(Text(f"{plain(summary.patient)} on {summary.on}", style="bold"), characters="━"),
        _trials(summary),
    ]
    parts += section("Against", [line for verdict in summary.verdicts for line in _against(verdict)])
    groups = open_groups(summary.live)
    for kind in OPEN_KINDS:
        lines = [line for group in groups if group.kind == kind for line in _open_group(group)]
        parts += section(_OPEN_HEADINGS[kind], lines)
    parts += section("Also open in trials that something else rules out", _ruled_out(summary))
    parts += section("Warnings", _warnings(summary))
    parts += section("Recruitment, dates", _recruitment(summary))
    parts += section("What will expire within a year", _expiring(summary))
    parts += section("Records not understood", _unread(summary))
    parts += section("Other readings of the record under which something would change", _readings(summary))
    parts += section("To bear in mind", _caveats(summary))
    return parts


def _trials(summary: PatientSummary) -> RenderableType:
    """The trials one above another: verdict, open items by whose move, earliest date."""
    table = simple_table("Trial", "Verdict", "Data", "Tests", "Agree", "Judge", "Earliest")
    for column in table.columns[2:6]:
        column.justify = "right"
    for verdict in summary.verdicts:
        phrase = Text(verdict_phrase(verdict), style=_STYLES[verdict.verdict])
        if verdict.nothing_against:
            phrase.append("\nnothing against", style="bold")
        table.add_row(
            Text(f"{verdict.trial} ({plain(verdict.recruitment_status)})\n{shorten(verdict.trial_label, 36)}"),
            phrase,
            *(Text(str(verdict.open_items.get(kind, 0))) for kind in OPEN_KINDS),
            Text(verdict.earliest_eligible or "–"),
        )
    return Padding(table, (0, 0, 0, 1))


def _against(verdict: Verdict) -> list[Line]:
    """A line for each failing row, its failing parts below it."""
    lines = []
    for failure in failures(verdict):
        detail = "" if failure.parts else reason_sentence(failure.row)
        lines.append(Line(_quoted(failure.row, verdict.trial), STATUS_MARKS["fail"], detail))
        lines += [Line(_quoted(part), STATUS_MARKS["fail"], reason_sentence(part), depth=1) for part in failure.parts]
    return lines


def _quoted(row: RowVerdict, trial: str = "") -> Text:
    """The row's id in bold and its words, after the trial where that is not clear."""
    return Text.assemble(
        f"{trial} " if trial else "", (plain(row.id), "bold"), f" {shorten(quotation(row.text), _QUOTATION)}"
    )


def _open_group(group: OpenGroup) -> list[Line]:
    """A line for each item; those that have an answer in common stand below it."""
    mark = STATUS_MARKS["unknown"]
    if group.heading is None:
        return [Line(_open_item(item), mark) for item in group.items]
    return [Line(plain(group.heading), mark), *(Line(_open_item(item), depth=1) for item in group.items)]


def _open_item(item: OpenItem) -> Text:
    return Text.assemble(f"{plain(item.text)} ", (f"[{places_text(item.places)}]", "dim"))


def _ruled_out(summary: PatientSummary) -> list[Line]:
    """One line a trial that a failing row rules out: the rows that are open besides."""
    lines = []
    for verdict in summary.verdicts:
        rows = open_rows(verdict)
        if rows and not is_live(verdict):
            ids = ", ".join(plain(row.id) for row in rows)
            lines.append(Line(f"{verdict.trial}: {counted(len(rows), 'row')} ({ids})"))
    return lines


def _warnings(summary: PatientSummary) -> list[Line]:
    lines = [
        f"{verdict.trial} {plain(row.id)}: {plain(flag)}"
        for verdict in summary.verdicts
        for row, flag in flagged(verdict)
    ]
    notes = [plain(note) for verdict in summary.verdicts for note in verdict.notes]
    return [Line(text) for text in dict.fromkeys(lines + notes)]


def _recruitment(summary: PatientSummary) -> list[Line]:
    return [
        Line("; ".join(filter(None, (f"{verdict.trial}: {recruitment_sentence(verdict)}", earliest_sentence(verdict)))))
        for verdict in summary.verdicts
    ]


def _expiring(summary: PatientSummary) -> list[Line]:
    """What expires within a year; an age limit years ahead is no coordinator's matter."""
    horizon = (date.fromisoformat(summary.on) + timedelta(days=_SHOWN_EXPIRY_DAYS)).isoformat()
    return [
        Line(f"after {expiry.last_date}: {plain('; '.join(expiry.what))} [{places_text(expiry.places)}]")
        for expiry in expiries(summary.live)
        if expiry.last_date <= horizon
    ]


def _unread(summary: PatientSummary) -> list[Line]:
    groups = unread_groups(summary.verdicts)
    lines = []
    for group in groups[:_LISTED_GROUPS]:
        records = ", ".join(plain(record) for record in group.records[:_LISTED_RECORDS])
        more = len(group.records) - _LISTED_RECORDS
        rest = f" and {more} more" if more > 0 else ""
        lines.append(Line(f"{group.what} [{records}{rest}]"))
    if len(groups) > _LISTED_GROUPS:
        others = counted(len(groups) - _LISTED_GROUPS, "other code")
        lines.append(Line(f"and {others}, listed in the HTML and JSON reports"))
    return lines


def _readings(summary: PatientSummary) -> list[Line]:
    """A line for each reading: the rows that it would change."""
    lines = []
    for change in reading_changes(summary.verdicts):
        rows = (f"{row.place.trial} {plain(row.place.row)} {row.then} (now {row.now})" for row in change.rows)
        lines.append(Line(f"--reading {change.ambiguity}={change.key}: {', '.join(rows)}"))
    return lines


def _caveats(summary: PatientSummary) -> list[Line]:
    """Each caveat once, with the trials that it concerns."""
    trials: dict[str, list[str]] = {}
    for verdict in summary.verdicts:
        for caveat in caveats_of(verdict):
            trials.setdefault(plain(caveat), []).append(verdict.trial)
    return [Line(f"{', '.join(concerned)}: {caveat}") for caveat, concerned in trials.items()]


def section(title: str, lines: Sequence[Line]) -> list[RenderableType]:
    """A titled list with hanging indents; nothing where there is nothing to say."""
    if not lines:
        return []
    return [Text(title, style="bold underline"), *(_hanging(line) for line in lines), Text("")]


def _hanging(line: Line) -> RenderableType:
    """The line behind its mark, its detail on lines of their own, all indented alike."""
    grid = Table.grid(padding=0)
    grid.add_column(width=2)
    grid.add_column(overflow="fold")
    grid.add_row(line.mark, line.text)
    if line.detail:
        grid.add_row("", line.detail)
    return Padding(grid, (0, 0, 0, 2 + 2 * line.depth))


def simple_table(*columns: str, title: str | None = None) -> Table:
    """A table with a line below its header, whose cells fold."""
    table = Table(*columns, box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, title_style="bold")
    for column in table.columns:
        column.overflow = "fold"
    return table
