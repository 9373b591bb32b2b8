"""Small cells suppressed, for reports that leave the hospital: no count from 1 to N − 1, nor one that tells of it.

Counts of all tables are one system (`relations`), and so much of it is hidden that no small one follows (`disclosure`).
Candidates are single patients: a report with suppressed cells lists none. The order of a list is by what it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from sle_kg.cohort.disclosure import Key, hidden
from sle_kg.cohort.relations import BOTH, GAINED, PATIENTS, REACH, STEP, WORK, changes, relations
from sle_kg.cohort.summary import CohortSummary, Gained, Overlap, Reach, Step, TrialSummary, WhatIfRow, Work

Cell = Callable[[Key, int | None], int | None]
"""A count as the report shows it, by its name: None where it is hidden."""
Counted = TypeVar("Counted", Step, Work, Gained, Reach, Overlap)


def suppressed(summary: CohortSummary, below: int) -> CohortSummary:
    """The summary without small cells, and those that would give them away; itself where `below` is 1 or less."""
    if below <= 1:
        return summary
    gone = hidden(relations(summary, below), below)

    def cell(key: Key, count: int | None) -> int | None:
        return None if key in gone else count

    return replace(
        summary,
        patients=cell(PATIENTS, summary.patients),
        trials=tuple(_trial(cell, place, trial) for place, trial in enumerate(summary.trials)),
        in_any={name: cell(("any", name), count) for name, count in summary.in_any.items()},
        reach=tuple(_shown(cell, one, REACH, place) for place, one in enumerate(summary.reach)),
        overlap=tuple(_shown(cell, one, BOTH, place) for place, one in enumerate(summary.overlap)),
        suppressed_below=below,
    )


def _shown(cell: Cell, one: Counted, names: Mapping[str, str], *place: int) -> Counted:
    """An entry of a list with its counts as they are shown; `names` are its fields and what the relations call them."""
    counts: dict[str, Any] = {name: cell((key, *place), getattr(one, name)) for name, key in names.items()}
    return replace(one, **counts)


def _trial(cell: Cell, place: int, summary: TrialSummary) -> TrialSummary:
    work = [_shown(cell, one, WORK, place, number) for number, one in enumerate(summary.work)]
    order = {row.id: number for number, row in enumerate(summary.trial.criteria)}
    rows = summary.what_if
    return replace(
        summary,
        verdicts={word: cell((word, place), count) for word, count in summary.verdicts.items()},
        nothing_against=cell(("clear", place), summary.nothing_against),
        funnel=tuple(_shown(cell, step, STEP, place, number) for number, step in enumerate(summary.funnel)),
        candidates=(),
        candidates_in_all=cell(("candidates", place), summary.candidates_in_all),
        work=tuple(sorted(work, key=lambda one: (-(one.settles or 0), -(one.open or 0), order[one.row]))),
        what_if=None
        if rows is None
        else tuple(_what_if(cell, (place, number), row) for number, row in enumerate(rows)),
    )


def _what_if(cell: Cell, place: tuple[int, int], row: WhatIfRow) -> WhatIfRow:
    shown = {change: _shown(cell, gained, GAINED, *place, *change) for change, gained in changes(row)}
    relaxed = tuple(
        replace(one, steps=tuple((amount, shown[limit, step]) for step, (amount, _) in enumerate(one.steps)))
        for limit, one in enumerate(row.relaxed)
    )
    return replace(row, dropped=shown.get((-1, 0)), relaxed=relaxed)
