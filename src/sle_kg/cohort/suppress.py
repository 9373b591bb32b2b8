"""Small cells suppressed, for reports that leave the hospital: no count from 1 to N − 1, nor one that tells of it.

A count that follows from others by subtraction is suppressed with them: of three verdicts that add up to the patients a
second one, of a funnel every step that would show how few patients one row has cost. Candidates are single patients:
a report with suppressed cells lists none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sle_kg.cohort.summary import CohortSummary, Gained, Reach, Step, TrialSummary, WhatIfRow


def suppressed(summary: CohortSummary, below: int) -> CohortSummary:
    """The summary without small cells; itself where `below` is 1 or less."""
    if below <= 1:
        return summary

    def cell(count: int | None) -> int | None:
        return None if count is not None and 0 < count < below else count

    everybody = summary.patients or 0
    return replace(
        summary,
        patients=cell(summary.patients),
        trials=tuple(_trial(trial, everybody, below) for trial in summary.trials),
        in_any={name: _within(count, everybody, below) for name, count in summary.in_any.items()},
        reach=_reach(summary.reach, everybody, below),
        overlap=tuple(
            replace(one, candidates=cell(one.candidates), eligible=cell(one.eligible)) for one in summary.overlap
        ),
        suppressed_below=below,
    )


def _reach(steps: Sequence[Reach], everybody: int, below: int) -> tuple[Reach, ...]:
    """The trials one after the other, without a number that lies less than `below` above the last one shown."""
    last, made = 0, []
    for step in steps:
        reached = _within(step.reached, everybody, below)
        if reached is not None and 0 < reached - last < below:
            reached = None
        last = last if reached is None else reached
        alone = None if step.alone is not None and 0 < step.alone < below else step.alone
        made.append(replace(step, reached=reached, alone=alone))
    return tuple(made)


def _trial(summary: TrialSummary, everybody: int, below: int) -> TrialSummary:
    def cell(count: int | None) -> int | None:
        return None if count is not None and 0 < count < below else count

    verdicts = _parts(summary.verdicts, below)
    hidden = verdicts["eligible"] is None or verdicts["undetermined"] is None or verdicts["ineligible"] is None
    return replace(
        summary,
        verdicts=verdicts,
        nothing_against=cell(summary.nothing_against),
        funnel=_steps(summary.funnel, everybody, below),
        candidates=(),
        candidates_in_all=None if hidden else summary.candidates_in_all,
        work=tuple(replace(one, settles=cell(one.settles), open=cell(one.open)) for one in summary.work),
        what_if=None if summary.what_if is None else tuple(_what_if(row, below) for row in summary.what_if),
    )


_NOT_SHOWN = Gained(None, None, None)


def _what_if(row: WhatIfRow, below: int) -> WhatIfRow:
    """A row's gains: all three counts of a change go where one is small, or differs a little from the last one shown.

    Differences of the three are counts as well, and so are those between one step and the next, or the row dropped.
    """
    small = row.dropped is not None and _tells(Gained(0, 0, 0), row.dropped, below)
    dropped = None if small else row.dropped
    relaxed = []
    for one in row.relaxed:
        last, steps = Gained(0, 0, 0), []
        for threshold, gained in one.steps:
            hidden = _tells(last, gained, below) or (dropped is not None and _tells(gained, dropped, below))
            last = last if hidden else gained
            steps.append((threshold, _NOT_SHOWN if hidden else gained))
        relaxed.append(replace(one, steps=tuple(steps)))
    return replace(row, dropped=_NOT_SHOWN if small else dropped, relaxed=tuple(relaxed))


def _tells(before: Gained, after: Gained, below: int) -> bool:
    """Whether two gains, shown together, tell of a small number of patients."""
    return any(0 < abs(new - old) < below for old, new in zip(_counts(before), _counts(after), strict=True))


def _counts(one: Gained) -> tuple[int, ...]:
    """The counts of patients: excluded and now eligible, excluded and now undetermined, undetermined and now eligible.

    With them the sums that are shown.
    """
    freed, eligible, open_ = one.no_longer_excluded or 0, one.newly_eligible or 0, one.newly_undetermined or 0
    return freed - open_, open_, eligible - (freed - open_), freed, eligible


def _parts(parts: Mapping[str, int | None], below: int) -> dict[str, int | None]:
    """Counts that add up to a known whole: where one alone is small, the smallest other one goes with it."""
    small = {name for name, count in parts.items() if count is not None and 0 < count < below}
    others = sorted((count, name) for name, count in parts.items() if count and name not in small)
    if len(small) == 1 and others:
        small.add(others[0][1])
    return {name: None if name in small else count for name, count in parts.items()}


def _within(count: int | None, whole: int, below: int) -> int | None:
    """A count of a known whole: neither it nor the rest may be small."""
    return None if count is not None and (0 < count < below or 0 < whole - count < below) else count


def _steps(steps: Sequence[Step], everybody: int, below: int) -> tuple[Step, ...]:
    """The funnel without a step's number that lies less than `below` under the last one shown, unless it equals it."""
    shown, sure, made = everybody, everybody, []

    def next_shown(count: int | None, last: int) -> int | None:
        if count is None or 0 < count < below or 0 < last - count < below:
            return None
        return count

    for step in steps:
        left, certain = next_shown(step.left, shown), next_shown(step.certain, sure)
        shown, sure = shown if left is None else left, sure if certain is None else certain
        made.append(
            replace(
                step,
                left=left,
                certain=certain,
                failing=_within(step.failing, everybody, below),
                unknown=_within(step.unknown, everybody, below),
                alone=None if step.alone is not None and 0 < step.alone < below else step.alone,
            )
        )
    return tuple(made)
