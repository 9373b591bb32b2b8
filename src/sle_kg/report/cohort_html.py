"""A cohort as one self-contained HTML file, with a flow diagram in the manner of CONSORT for each trial.

Schulz KF, Altman DG, Moher D. CONSORT 2010 statement. BMJ 2010;340:c332: boxes downwards for who is left, boxes to the
side for who is excluded and why.
"""

from __future__ import annotations

from dataclasses import dataclass

from sle_kg.cohort.summary import VERDICTS, CohortSummary, TrialSummary
from sle_kg.report import cohort as words
from sle_kg.report import cohort_whatif as what_if
from sle_kg.report.html import environment, page_values
from sle_kg.report.text import (
    AID_SENTENCE,
    NOTHING_AGAINST_SENTENCE,
    STATUS_MARKS,
    caveats_of,
    quotation,
    reason_sentence,
    recruitment_sentence,
    shorten,
    verdict_phrase,
)

LISTED = 100
"""Candidates that the page lists of each trial."""
WIDTH, LEFT, SIDE, HEIGHT, STEP = 720, 220, 400, 36, 56
"""Units of the drawing: its width, the widths of boxes in the middle and at the side, their height and distance."""


@dataclass(frozen=True, slots=True)
class Box:
    """A box of the diagram: who is left, or (`side`) who is excluded there."""

    y: int
    side: bool
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow diagram."""

    width: int
    height: int
    left: int
    side: int
    box: int
    boxes: tuple[Box, ...]
    description: str


def render_html(summary: CohortSummary) -> bytes:
    """The summary as an HTML 5 document in UTF-8, a section for each trial."""
    text = (
        environment()
        .get_template("cohort.html")
        .render(
            **page_values("style.css", "cohort.css"),
            summary=summary,
            words=words,
            aid=AID_SENTENCE,
            nothing_against=NOTHING_AGAINST_SENTENCE,
            verdicts=VERDICTS,
            caveats_of=caveats_of,
            recruitment=recruitment_sentence,
            flow=flow,
            what_if=what_if,
            path=what_if.path,
            marks=STATUS_MARKS,
            reason_sentence=reason_sentence,
            verdict_phrase=verdict_phrase,
            listed=LISTED,
            shown=lambda count: words.shown(count, summary.suppressed_below),
        )
    )
    return text.encode("utf-8", "replace")


def flow(summary: CohortSummary, one: TrialSummary) -> Flow:
    """The diagram of one trial: a box at the side for each criterion that excludes somebody, then the verdicts."""
    below = summary.suppressed_below
    boxes = [Box(10, False, ("Patients", words.shown(summary.patients, below)))]
    y, before = 10 + STEP, summary.patients
    for step in one.funnel:
        if step.left == before:
            continue
        lost = None if step.left is None or before is None else before - step.left
        excluded = f"excluded: {words.shown(lost, below)}" if lost is not None or step.left is None else "excluded"
        boxes.append(Box(y, True, (f"{step.row}: {shorten(quotation(step.words), 52)}", excluded)))
        y += STEP
        before = before if step.left is None else step.left
    verdicts = one.verdicts
    boxes.append(Box(y, False, ("Not excluded", words.shown(one.candidates_in_all, below))))
    for word in ("eligible", "undetermined"):
        y += STEP
        boxes.append(Box(y, False, (word.capitalize(), words.shown(verdicts[word], below))))
    description = (
        f"Of {words.shown(summary.patients, below)} patients "
        f"{words.shown(verdicts['ineligible'], below)} are excluded, "
        f"{words.shown(verdicts['eligible'], below)} are eligible, "
        f"and {words.shown(verdicts['undetermined'], below)} undetermined."
    )
    return Flow(WIDTH, y + STEP, LEFT, SIDE, HEIGHT, tuple(boxes), description)
