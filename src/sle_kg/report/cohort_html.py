"""A cohort as one self-contained HTML file, with a flow diagram in the manner of CONSORT for each trial.

Schulz KF, Altman DG, Moher D. CONSORT 2010 statement. BMJ 2010;340:c332: boxes downwards for who is left, boxes to the
side for who is excluded and why.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sle_kg.cohort.summary import VERDICTS, CohortSummary, Step, TrialSummary
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
"""Changes that the page lists of each trial, those that gain most."""
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
            shown=words.shown,
        )
    )
    return text.encode("utf-8", "replace")


def flow(summary: CohortSummary, one: TrialSummary) -> Flow:
    """The diagram of one trial: a box at the side for the criteria that exclude somebody, then the verdicts."""
    boxes = [Box(10, False, ("Patients", _count(summary.patients)))]
    boxes += [Box(0, True, lines) for lines in _excluded(summary, one)]
    boxes.append(Box(0, False, ("Not excluded", _count(one.candidates_in_all))))
    boxes += [Box(0, False, (word.capitalize(), _count(one.verdicts[word]))) for word in ("eligible", "undetermined")]
    placed = tuple(replace(box, y=10 + STEP * place) for place, box in enumerate(boxes))
    counts = {word: _count(one.verdicts[word]) for word in VERDICTS}
    description = f"Patients: {_count(summary.patients)}. " + ", ".join(f"{word}: {counts[word]}" for word in counts)
    return Flow(WIDTH, 10 + STEP * len(boxes), LEFT, SIDE, HEIGHT, placed, f"{description}.")


def _excluded(summary: CohortSummary, one: TrialSummary) -> Iterator[tuple[str, str]]:
    """The criteria that exclude somebody, and how many; in one box those between which it is not shown who is left."""
    before: int | None = summary.patients
    passed: list[Step] = []
    for step in one.funnel:
        passed.append(step)
        if step.left is not None:
            yield from _box(passed, None if before is None else before - step.left)
            before, passed = step.left, []
    yield from _box(passed, None)


def _box(steps: Sequence[Step], lost: int | None) -> Iterator[tuple[str, str]]:
    """The lines of one box; none where nobody is excluded."""
    rows = [step for step in steps if step.failing != 0]
    if rows and lost != 0:
        name = f"{rows[0].row}: {shorten(quotation(rows[0].words), 52)}"
        yield name if len(rows) == 1 else f"{rows[0].row} to {rows[-1].row}", f"excluded: {_count(lost)}"


def _count(count: int | None) -> str:
    """A count, or that it is suppressed, in words: a drawing has no legend."""
    return "not shown" if count is None else f"{count}"
