"""Small cells: none is shown, and none follows from those that are."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sle_kg.cohort.summary import (
    VERDICTS,
    Candidate,
    CohortSummary,
    Gained,
    Overlap,
    Reach,
    Relaxed,
    Step,
    TrialSummary,
    WhatIfRow,
    Work,
)
from sle_kg.cohort.suppress import suppressed
from sle_kg.trials import screenable

ON = dt.date(2026, 11, 21)
TRIAL = next(iter(screenable().values()))


@st.composite
def what_if_rows(draw: st.DrawFn) -> WhatIfRow:
    """A row whose threshold gains ever more, and which gains most where it is dropped."""
    steps, freed, opened, decided = [], 0, 0, 0
    for number in range(5):
        freed, opened, decided = (old + draw(st.integers(0, 4)) for old in (freed, opened, decided))
        steps.append((Decimal(number), Gained(freed + opened, freed + decided, opened)))
    *relaxed, (_, dropped) = steps
    return WhatIfRow("I0", "", dropped, (Relaxed("points", ">=", Decimal(7), None, tuple(relaxed)),))


@st.composite
def summaries(draw: st.DrawFn) -> CohortSummary:
    """A cohort of up to 60 patients, with a funnel that only falls."""
    lost = draw(st.lists(st.integers(0, 8), min_size=1, max_size=7))
    left = draw(st.integers(0, 30))
    eligible = draw(st.integers(0, left))
    patients = left + sum(lost)
    steps, now = [], patients
    for number, one in enumerate(lost):
        now -= one
        sure = draw(st.integers(0, now))
        steps.append(Step(f"I{number}", "inclusion", "", now, sure, one, patients - now, min(one, 3)))
    verdicts = {"eligible": eligible, "undetermined": left - eligible, "ineligible": patients - left}
    candidates = (Candidate(1, False, ON, "somebody", "eligible", True, (), ()),) if left else ()
    work = (Work("I0", "", "data", draw(st.integers(0, 9)), draw(st.integers(0, 9))),)
    what_if = draw(st.lists(what_if_rows(), max_size=3))
    trial = TrialSummary(TRIAL, dict(verdicts), eligible, tuple(steps), candidates, left, work, tuple(what_if))
    gains = draw(st.lists(st.integers(0, 4), min_size=1, max_size=3))
    counts = [min(left, sum(gains[: place + 1])) for place in range(len(gains))]
    reach = tuple(Reach(TRIAL.id, count, draw(st.integers(0, count))) for count in counts)
    both = Overlap((TRIAL.id, TRIAL.id), left, eligible)
    return CohortSummary(ON, "sql", patients, (trial,), {"candidates": left, "eligible": eligible}, reach, (both,))


def is_small(count: int | None, below: int) -> bool:
    return count is not None and 0 < count < below


@given(summaries(), st.integers(2, 6))
def test_no_small_count_is_shown_and_no_patient(summary: CohortSummary, below: int) -> None:
    made = suppressed(summary, below)
    (trial,) = made.trials
    counts = [made.patients, *made.in_any.values(), *trial.verdicts.values(), trial.nothing_against]
    counts += [trial.candidates_in_all]
    counts += [n for s in trial.funnel for n in (s.left, s.certain, s.failing, s.unknown, s.alone)]
    counts += [n for work in trial.work for n in (work.settles, work.open)]
    counts += [n for one in made.reach for n in (one.reached, one.alone)]
    counts += [n for one in made.overlap for n in (one.candidates, one.eligible)]
    assert not any(is_small(count, below) for count in counts)
    assert trial.candidates == ()
    assert made.suppressed_below == below


@given(summaries(), st.integers(2, 6))
def test_no_step_of_the_funnel_tells_how_few_it_cost(summary: CohortSummary, below: int) -> None:
    trial = suppressed(summary, below).trials[0]
    shown = [summary.patients, *(step.left for step in trial.funnel if step.left is not None)]
    assert not any(is_small(before - after, below) for before, after in pairwise(shown))  # type: ignore[operator]


@given(summaries(), st.integers(2, 6))
def test_no_trial_tells_how_few_it_reaches_more(summary: CohortSummary, below: int) -> None:
    made = suppressed(summary, below)
    counts = [0, *(one.reached for one in made.reach), made.patients]
    assert not any(is_small(after - before, below) for before, after in pairwise(n for n in counts if n is not None))


@given(summaries(), st.integers(2, 6))
def test_a_suppressed_verdict_does_not_follow_from_the_others(summary: CohortSummary, below: int) -> None:
    verdicts = suppressed(summary, below).trials[0].verdicts
    hidden = [word for word, count in verdicts.items() if count is None]
    known = [word for word, count in summary.trials[0].verdicts.items() if count]
    assert len(hidden) != 1 or known == hidden, "where all patients are of one verdict, there is nothing to hide it by"


@given(what_if_rows(), st.integers(2, 6))
def test_no_gain_tells_of_few_patients(row: WhatIfRow, below: int) -> None:
    """Neither by itself nor by its difference to the gain of the step before, or of the whole row."""
    trial = TrialSummary(TRIAL, dict.fromkeys(VERDICTS, 0), 0, (), (), 0, (), (row,))
    summary = CohortSummary(ON, "sql", 99, (trial,), {}, (), ())
    (made,) = suppressed(summary, below).trials[0].what_if or ()
    shown = [gained for _, gained in made.relaxed[0].steps if gained.newly_eligible is not None]
    pairs = [*pairwise([Gained(0, 0, 0), *shown]), (Gained(0, 0, 0), made.dropped)]
    pairs += [(one, made.dropped) for one in shown]
    for before, after in pairs:
        if after.newly_eligible is not None:
            parts = zip(parts_of(before), parts_of(after), strict=True)
            assert not any(is_small(abs(new - old), below) for old, new in parts)


def parts_of(gained: Gained) -> tuple[int, int, int]:
    """Patients excluded and now eligible, excluded and now undetermined, undetermined and now eligible."""
    freed, eligible, opened = gained.no_longer_excluded or 0, gained.newly_eligible or 0, gained.newly_undetermined or 0
    return freed - opened, opened, eligible - freed + opened


@given(summaries(), st.sampled_from([0, 1]))
def test_nothing_is_suppressed_unless_asked_for(summary: CohortSummary, below: int) -> None:
    assert suppressed(summary, below) is summary
