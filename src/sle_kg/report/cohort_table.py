"""A cohort for a terminal: verdicts by trial, then the funnel, the candidates and the work list of each trial."""

from __future__ import annotations

from rich.console import RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from sle_kg.cohort.summary import VERDICTS, CohortSummary, TrialSummary
from sle_kg.report.cohort import FUNNEL_SENTENCE, REACH_SENTENCE, WORK_SENTENCE, record_line, shown, suppressed_sentence
from sle_kg.report.cohort_whatif import WHAT_IF_SENTENCE, best
from sle_kg.report.table import printed
from sle_kg.report.text import (
    AID_SENTENCE,
    NOTHING_AGAINST_SENTENCE,
    STATUS_MARKS,
    caveats_of,
    plain,
    quotation,
    reason_sentence,
    recruitment_sentence,
    shorten,
    verdict_phrase,
)
from sle_kg.verdict import Verdict

LISTED = 20
"""Open rows and changes that the table shows of each trial; the JSON form has all."""
WHAT = 44
"""Characters of what a limit is about, in a what-if."""


def render_table(summary: CohortSummary, width: int, colour: bool) -> str:
    """The summary as text, 80 to 100 columns wide."""
    parts: list[RenderableType] = [Text(AID_SENTENCE), Text(""), _overview(summary), Text("")]
    if summary.suppressed_below:
        parts += [Text(suppressed_sentence(summary.suppressed_below)), Text("")]
    if len(summary.reach) > 1:
        parts += [_reach(summary), Text(REACH_SENTENCE), Text("")]
    if summary.overlap:
        parts += [_overlap(summary), Text("")]
    for trial in summary.trials:
        parts += _trial(summary, trial)
    for verdict in summary.evidence:
        parts += _evidence(verdict)
    return printed(parts, width, colour)


def _overview(summary: CohortSummary) -> Table:
    title = f"{shown(summary.patients)} patients on {summary.on.isoformat()}"
    table = _table(title, "Trial", *VERDICTS, "nothing against")
    for trial in summary.trials:
        counts = [shown(trial.verdicts[word]) for word in VERDICTS]
        table.add_row(trial.trial.id, *counts, shown(trial.nothing_against))
    return table


def _reach(summary: CohortSummary) -> Table:
    table = _table("All trials", "Trial", "reached", "alone")
    for one in summary.reach:
        table.add_row(one.trial, shown(one.reached), shown(one.alone))
    return table


def _overlap(summary: CohortSummary) -> Table:
    table = _table("Patients of several trials", "Trials", "not excluded", "eligible")
    for one in summary.overlap:
        table.add_row(" and ".join(one.trials), shown(one.candidates), shown(one.eligible))
    counts = [shown(summary.in_any[name]) for name in ("candidates", "eligible")]
    table.add_row("any of the trials", *counts)
    return table


def _trial(summary: CohortSummary, one: TrialSummary) -> list[RenderableType]:
    trial = one.trial
    parts: list[RenderableType] = [Rule(f"{trial.id}  {plain(trial.label)}", align="left", characters="─")]
    parts.append(Text(f"Recruitment: {recruitment_sentence(trial)}"))
    parts += [Text(sentence) for sentence in caveats_of(trial)]
    funnel = _table("Funnel", "Criterion", "left", "sure", "failing", "unknown", "costs alone", words=True)
    for step in one.funnel:
        counts = [shown(count) for count in (step.left, step.certain, step.failing, step.unknown, step.alone)]
        funnel.add_row(step.row, shorten(quotation(step.words), 60), *counts)
    parts += [Text(""), funnel, Text(FUNNEL_SENTENCE), Text("")]
    if one.candidates:
        table = _table(
            f"Candidates: {len(one.candidates)} of {shown(one.candidates_in_all)}, fewest unknown rows first",
            "Patient",
            "verdict",
            "unknown",
            "nothing against",
            "eligible from",
            "settled by",
        )
        for who in one.candidates:
            day = who.earliest.isoformat() if who.dated else "–"
            clear, rows = "" if who.against else "yes", " or ".join(who.settled_by)
            table.add_row(Text(shorten(who.patient, 40)), who.verdict, str(who.unknown), clear, day, rows)
        parts += [table, Text(NOTHING_AGAINST_SENTENCE), Text("")]
    if one.work:
        table = _table("Work list", "Row", "whose move", "settles", "open", words=True)
        for work in one.work[:LISTED]:
            words = shorten(quotation(work.words), 60)
            table.add_row(work.row, words, work.kind, shown(work.settles), shown(work.open))
        parts += [table, Text(WORK_SENTENCE), Text("")]
    return parts + _what_if(summary, one)


def _what_if(summary: CohortSummary, one: TrialSummary) -> list[RenderableType]:
    """The changes that gain most; nothing where it was not asked for."""
    if one.what_if is None:
        return []
    names = ("no longer excluded", "eligible", "undetermined")
    table = _table("What if: patients gained", "Row", *names, words=True)
    for line in best(one.what_if)[:LISTED]:
        gained = line.gained
        counts = (gained.no_longer_excluded, gained.newly_eligible, gained.newly_undetermined)
        table.add_row(line.row, line.words(WHAT), *(shown(count) for count in counts))
    return [table, Text(WHAT_IF_SENTENCE), Text("")]


def _evidence(verdict: Verdict) -> list[RenderableType]:
    """The rows of one patient for one trial, with reasons and records."""
    heading = f"{shorten(verdict.patient, 40)}  {verdict.trial}: {verdict_phrase(verdict)}"
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for name in ("row", "status", "why"):
        table.add_column(name, overflow="fold")
    for row in verdict.criteria:
        records = "".join(f"\n  {record_line(item)}" for item in row.evidence)
        table.add_row(row.id, STATUS_MARKS[row.status], Text(reason_sentence(row) + records))
    return [Rule(plain(heading), align="left", characters="─"), table, Text("")]


def _table(title: str, first: str, *numbers: str, words: bool = False) -> Table:
    """A table whose columns but the first (and the words beside it) hold numbers."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
    table.add_column(first, overflow="fold")
    if words:
        table.add_column("", overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", overflow="fold")
    return table
