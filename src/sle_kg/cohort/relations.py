"""How the counts of a cohort's report follow from one another: patients in parts, funnels, overlaps, gains of changes.

Every printed count has a name here; `suppress` asks by it whether the count is hidden.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, permutations

from sle_kg.cohort.disclosure import Counts, Key
from sle_kg.cohort.summary import VERDICTS, CohortSummary, Gained, Overlap, TrialSummary, WhatIfRow

PATIENTS: Key = ("patients",)
STEP = {name: name for name in ("left", "certain", "failing", "unknown", "alone")}
WORK = {name: name for name in ("settles", "open")}
GAINED = {name: name for name in ("no_longer_excluded", "newly_eligible", "newly_undetermined")}
REACH = {"reached": "reached", "alone": "reached alone"}
BOTH = {"candidates": "not excluded by both", "eligible": "eligible for both"}
"""The counts of a step of the funnel, an open row, a change, a trial among all, two trials: field, name."""


def relations(summary: CohortSummary, below: int) -> Counts:
    """The counts of a report and the sums between them; `below` is the limit that makes a difference of gains small."""
    counts = Counts()
    counts.print(PATIENTS, summary.patients, headline=True)
    for place, trial in enumerate(summary.trials):
        _verdicts(counts, place, trial)
        first_open = _funnel(counts, place, trial)
        _work(counts, place, trial)
        _what_if(counts, place, trial, first_open, below)
    _together(counts, summary)
    return counts


def changes(row: WhatIfRow) -> Iterator[tuple[tuple[int, int], Gained]]:
    """The changes of a row, each with its place: of which limit (−1: dropped), which step."""
    if row.dropped is not None:
        yield (-1, 0), row.dropped
    for limit, one in enumerate(row.relaxed):
        yield from (((limit, step), gained) for step, (_, gained) in enumerate(one.steps))


def _entry(counts: Counts, one: object, names: Mapping[str, str], *place: int) -> tuple[Key, ...]:
    """Register the counts of an entry of a list; their names."""
    return tuple(counts.print((key, *place), getattr(one, name)) for name, key in names.items())


def _verdicts(counts: Counts, trial: int, summary: TrialSummary) -> None:
    eligible, undetermined, ineligible = (
        counts.print((word, trial), summary.verdicts[word], headline=True) for word in VERDICTS
    )
    candidates = counts.print(("candidates", trial), summary.candidates_in_all, headline=True)
    clear = counts.print(("clear", trial), summary.nothing_against)
    counts.equal([PATIENTS], [candidates, ineligible])
    counts.equal([candidates], [eligible, undetermined])
    counts.rest([candidates], clear)
    counts.rest([clear], eligible)


def _funnel(counts: Counts, trial: int, summary: TrialSummary) -> list[Key]:
    """Rows one after the other: whoever fails first at one leaves there; the counts of whom each is the first open."""
    last_left, last_certain, ineligible = PATIENTS, PATIENTS, ("ineligible", trial)
    alones, first_open = [], []
    for place, step in enumerate(summary.funnel):
        left, certain, failing, unknown, alone = _entry(counts, step, STEP, trial, place)
        lost, opened = counts.rest([last_left], left), counts.rest([last_certain], certain)
        counts.rest([left], certain)
        passing = counts.rest([PATIENTS], failing, unknown)
        counts.rest([passing], certain)
        counts.rest([passing, unknown], left)
        counts.rest([failing], lost)
        counts.rest([lost], alone)
        counts.rest([ineligible], failing)
        counts.rest([failing, unknown], opened)
        if place == 0:
            counts.equal([failing], [lost])
            counts.equal([failing, unknown], [opened])
        last_left, last_certain = left, certain
        alones.append(alone)
        first_open.append(opened)
    if summary.funnel:
        counts.headlines |= {last_left, last_certain}
        counts.equal([last_left], [("candidates", trial)])
        counts.equal([last_certain], [("eligible", trial)])
        counts.equal([lost], [alone])
        counts.rest([ineligible], *alones)
        fails = [place for place, step in enumerate(summary.funnel) if step.failing]
        _of_few(counts, ineligible, [(("alone", trial, n), ("failing", trial, n)) for n in fails])
    return first_open


def _work(counts: Counts, trial: int, summary: TrialSummary) -> None:
    """Rows that are open in undetermined patients; one of the funnel is unknown in these."""
    tops = {step.row: place for place, step in enumerate(summary.funnel)}
    for place, work in enumerate(summary.work):
        settles, open_ = _entry(counts, work, WORK, trial, place)
        counts.rest([open_], settles)
        counts.rest([("undetermined", trial)], open_)
        if work.row in tops:
            beside = counts.rest([("unknown", trial, tops[work.row])], open_, name=("excluded", trial, place))
            _within(counts, ("ineligible", trial), beside)
    _of_few(
        counts, ("undetermined", trial), [(("settles", trial, n), ("open", trial, n)) for n in range(len(summary.work))]
    )


def _what_if(counts: Counts, trial: int, summary: TrialSummary, first_open: Sequence[Key], below: int) -> None:
    """Gains of each change: parts of the patients excluded or undetermined.

    A row that is dropped gives back what it costs alone, and the last one all who were known to pass those before it;
    where no other row fails, or but one is open, those excluded in whom it is open.
    """
    tops = {step.row: place for place, step in enumerate(summary.funnel)}
    settled = {work.row: place for place, work in enumerate(summary.work)}
    one_fails, one_open = (
        sum(bool(getattr(step, name)) for step in summary.funnel) == 1 for name in ("failing", "unknown")
    )
    for place, row in enumerate(summary.what_if or ()):
        curves: dict[int, list[tuple[Key, ...]]] = {}
        for change, gained in changes(row):
            printed = _entry(counts, gained, GAINED, trial, place, *change)
            counts.together |= dict.fromkeys(printed, printed)
            freed, eligible, opened = printed
            entered = counts.rest([freed], opened)
            decided = counts.rest([eligible], entered)
            counts.rest([("ineligible", trial)], freed)
            counts.rest([("undetermined", trial)], decided)
            curves.setdefault(change[0], []).append((*printed, entered, decided))
            if change[0] == -1 and row.row in tops:
                _same(counts, freed, ("alone", trial, tops[row.row]))
                if tops[row.row] == len(tops) - 1:
                    _same(counts, eligible, first_open[-1])
                else:
                    _within(counts, first_open[tops[row.row]], eligible)
                if (one_fails or one_open) and gained.no_longer_excluded:
                    for work in filter(tops.__contains__, settled):
                        _same(counts, opened, ("excluded", trial, settled[work]))
            if change[0] == -1 and row.row in settled:
                _same(counts, decided, ("settles", trial, settled[row.row]))
        dropped = curves.pop(-1, [])
        for curve in curves.values():
            for one, other in combinations([*curve, *dropped], 2):
                _differences(counts, one, other, below)


def _same(counts: Counts, one: Key, other: Key) -> None:
    """Note that two counts are the same patients, where they are as many."""
    if counts.values[one] == counts.values[other]:
        counts.equal([one], [other])


def _within(counts: Counts, whole: Key, part: Key) -> None:
    """Note that one count is part of another, where it is not greater."""
    if counts.values[part] <= counts.values[whole]:
        counts.rest([whole], part)


def _of_few(counts: Counts, whole: Key, rows: Sequence[tuple[Key, Key]]) -> None:
    """Where one or two rows (patients of it alone, all its patients) make up a whole: one alone, and the other."""
    sums = [[part] for row in rows for part in row] if len(rows) == 1 else []
    sums += [[alone, every] for (alone, _), (_, every) in permutations(rows)] if len(rows) == 2 else []
    for parts in sums:
        if sum(counts.values[part] for part in parts) == counts.values[whole]:
            counts.equal([whole], parts)


def _differences(counts: Counts, one: tuple[Key, ...], other: tuple[Key, ...], below: int) -> None:
    """Register how few patients one change gains more than another."""
    for pair in zip(one, other, strict=True):
        less, more = sorted(pair, key=lambda key: counts.values[key])
        if 0 < counts.values[more] - counts.values[less] < below:
            counts.rest([more], less)


def _together(counts: Counts, summary: CohortSummary) -> None:
    """All trials: whom any reaches, one after the other, alone, and every two of them."""
    any_candidates, any_eligible = (
        counts.print(("any", name), summary.in_any.get(name), headline=True) for name in BOTH
    )
    counts.rest([PATIENTS], any_candidates)
    counts.rest([any_candidates], any_eligible)
    reach: list[Key] = []
    for place, one in enumerate(summary.reach):
        reached, alone = _entry(counts, one, REACH, place)
        own = ("candidates", place)
        first = counts.rest([reached], *reach[-1:])
        counts.rest([own], first)
        counts.rest([first], alone)
        counts.rest([any_candidates], own)
        counts.rest([any_eligible], ("eligible", place))
        if place == 0:
            counts.headlines.add(reached)
            counts.equal([reached], [own])
        if place == len(summary.reach) - 1:
            counts.headlines.add(reached)
            counts.equal([reached], [any_candidates])
            counts.equal([first], [alone])
        reach.append(reached)
    for place, both in enumerate(summary.overlap):
        _pair(counts, summary, place, both)
    if len(summary.trials) == 1:
        counts.equal([any_eligible], [("eligible", 0)])
    if len(summary.trials) == 3 == len(summary.overlap):
        for name, key in BOTH.items():
            pairs: list[Key] = [(key, place) for place in range(3)]
            of_all = counts.rest([("any", name), *pairs], *((name, place) for place in range(3)))
            for pair in pairs:
                counts.rest([pair], of_all)


def _pair(counts: Counts, summary: CohortSummary, place: int, both: Overlap) -> None:
    """Two trials: of either, of the first only, of the second only; with up to three trials the rest is known."""
    trials = [one.trial.id for one in summary.trials]
    a, b = sorted(trials.index(name) for name in both.trials)
    candidates, eligible = _entry(counts, both, BOTH, place)
    counts.rest([candidates], eligible)
    for name, shared in (("candidates", candidates), ("eligible", eligible)):
        only = counts.rest([(name, a)], shared)
        counts.rest([(name, b)], shared)
        either = counts.rest([only, (name, b)])
        rest = counts.rest([("any", name)], either)
        if len(trials) == 2:
            counts.equal([either], [("any", name)])
        if name == "candidates" and (a, b) == (0, 1):
            counts.equal([either], [("reached", 1)])
        if name == "candidates" and len(trials) == 2:
            counts.equal([only], [("reached alone", a)])
        if name == "candidates" and len(trials) == 3:
            counts.equal([rest], [("reached alone", 3 - a - b)])
