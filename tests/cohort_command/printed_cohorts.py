"""Small cohorts counted by hand, and what a reader of a report with suppressed counts can work out.

A patient is of a *kind*: for each trial the status of every row, and whether nothing is against him. The reader knows
how the counts of a report come about: he counts each kind, and asks which hidden count is a sum of shown ones whoever
the patients are. He also knows that a count of 0 counts nobody.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from itertools import combinations, pairwise, product
from typing import Any

import numpy as np

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
from sle_kg.report.cohort import render_json
from sle_kg.trials import screenable
from sle_kg.verdict import VerdictWord

ON = dt.date(2026, 11, 21)
TRIALS = tuple(screenable().values())[:3]
SHAPES = ((1, 4), (2, 3), (3, 1))
"""Trials, and rows of each; of two rows alone everything that is not shown would be the other row's."""
Standing = tuple[tuple[str, ...], bool]
"""A patient in one trial: status of each row, nothing against him.

The first row is missed by one to three steps, and its limit is relaxed by one and by two.
"""
Kind = tuple[Standing, ...]
Path = tuple[Any, ...]


@cache
def kinds(shape: tuple[int, int]) -> tuple[Kind, ...]:
    """Every kind of patient for so many trials of so many rows."""
    trials, rows = shape
    first, others = ("pass", "unknown", "misses 1", "misses 2", "misses 3"), ("pass", "unknown", "fail")
    standings = [(row, clear) for row in product(first, *[others] * (rows - 1)) for clear in (True, False)]
    possible = [
        one for one in standings if verdict(one[0]) == "undetermined" or one[1] == (verdict(one[0]) != "ineligible")
    ]
    return tuple(product(possible, repeat=trials))


def verdict(rows: Iterable[str]) -> VerdictWord:
    """Of the statuses of all rows."""
    found = set(rows)
    return "ineligible" if found - {"pass", "unknown"} else "undetermined" if "unknown" in found else "eligible"


def counted(people: Mapping[Kind, int], shape: tuple[int, int]) -> CohortSummary:
    """The summary of so many patients of each kind."""

    def who(test: Any) -> int:
        return sum(number for kind, number in people.items() if test(kind))

    places = range(shape[0])
    free = [lambda kind, place=place: verdict(kind[place][0]) != "ineligible" for place in places]
    takes = [lambda kind, place=place: verdict(kind[place][0]) == "eligible" for place in places]
    return CohortSummary(
        ON,
        "sql",
        who(lambda kind: True),
        tuple(_trial(who, place, shape[1]) for place in places),
        {
            "candidates": who(lambda kind: any(test(kind) for test in free)),
            "eligible": who(lambda kind: any(test(kind) for test in takes)),
        },
        tuple(
            Reach(
                TRIALS[place].id,
                who(lambda kind, place=place: any(test(kind) for test in free[: place + 1])),
                who(lambda kind, place=place: [test(kind) for test in free] == [one == place for one in places]),
            )
            for place in places
        ),
        tuple(
            Overlap(
                (TRIALS[a].id, TRIALS[b].id),
                who(lambda kind, a=a, b=b: free[a](kind) and free[b](kind)),
                who(lambda kind, a=a, b=b: takes[a](kind) and takes[b](kind)),
            )
            for a, b in combinations(places, 2)
        ),
    )


def _trial(who: Any, place: int, rows: int) -> TrialSummary:
    def count(test: Any) -> int:
        """Patients whose statuses are so."""
        return who(lambda kind: test(kind[place][0]))

    names = [row.id for row in TRIALS[place].criteria if row.parent is None][:rows]
    steps = tuple(
        Step(
            name,
            "inclusion",
            f"Sentence {name}",
            count(lambda row, n=n: verdict(row[: n + 1]) != "ineligible"),
            count(lambda row, n=n: verdict(row[: n + 1]) == "eligible"),
            count(lambda row, n=n: verdict([row[n]]) == "ineligible"),
            count(lambda row, n=n: row[n] == "unknown"),
            count(lambda row, n=n: [m for m in range(rows) if verdict([row[m]]) == "ineligible"] == [n]),
        )
        for n, name in enumerate(names)
    )
    work = [
        Work(
            name,
            "",
            "data",
            count(
                lambda row, n=n: (
                    verdict(row) == "undetermined"
                    and [row[m] == "unknown" for m in range(rows)].count(True) == 1
                    and row[n] == "unknown"
                )
            ),
            count(lambda row, n=n: verdict(row) == "undetermined" and row[n] == "unknown"),
        )
        for n, name in enumerate(names)
    ]
    dropped = [_gained(count, lambda row, n=n: (*row[:n], "pass", *row[n + 1 :])) for n in range(rows)]
    curve = Relaxed(
        "points",
        ">=",
        Decimal(3),
        None,
        tuple((Decimal(3 - step), _gained(count, lambda row, step=step: _relaxed(row, step))) for step in (1, 2)),
    )
    verdicts: dict[str, int | None] = {word: count(lambda row, word=word: verdict(row) == word) for word in VERDICTS}
    return TrialSummary(
        TRIALS[place],
        verdicts,
        who(lambda kind: kind[place][1]),
        steps,
        (Candidate(1, False, ON, "somebody", "undetermined", True, (), ()),),
        count(lambda row: verdict(row) != "ineligible"),
        tuple(one for one in work if one.open),
        tuple(WhatIfRow(name, "", dropped[n], () if n else (curve,)) for n, name in enumerate(names)),
    )


def _relaxed(row: tuple[str, ...], step: int) -> tuple[str, ...]:
    """The statuses where the limit of the first row is relaxed by so many steps."""
    return ("pass", *row[1:]) if row[0] in ("misses 1", f"misses {step}") else row


def _gained(count: Any, change: Any) -> Gained:
    def moved(before: str, after: str) -> int:
        return count(lambda row: verdict(row) == before and verdict(change(row)) == after)

    entered, opened = moved("ineligible", "eligible"), moved("ineligible", "undetermined")
    return Gained(entered + opened, entered + moved("undetermined", "eligible"), opened)


def cells(summary: CohortSummary) -> dict[Path, int | None]:
    """Every count that the JSON form prints, by its place."""
    found = dict(_cells(json.loads(render_json(summary)), ()))
    return {path: count for path, count in found.items() if path[0] != "suppressedBelow"}


def _cells(value: Any, path: Path) -> Iterator[tuple[Path, int | None]]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _cells(one, (*path, key))
    elif isinstance(value, list):
        for one in value:
            if isinstance(one, dict) and "patient" not in one:
                name = one.get("threshold") or one.get("id") or one.get("trial") or str(one.get("trials"))
                yield from _cells(one, (*path, name))
    elif value is None or (isinstance(value, int) and not isinstance(value, bool)):
        yield path, value


@cache
def _meaning(shape: tuple[int, int]) -> tuple[dict[Path, int], ...]:
    """What a patient of each kind adds to each count."""
    return tuple({p: n for p, n in cells(counted({kind: 1}, shape)).items() if n} for kind in kinds(shape))


def small_counts_told(people: Mapping[Kind, int], shape: tuple[int, int], below: int) -> list[str]:
    """The counts from 1 to `below` − 1 that the suppressed report shows or from whose counts they follow exactly.

    Printed ones, the patients whom they leave, and those who leave a funnel between one row and the next.
    The reader solves by least squares: what he finds without any rest is so, whoever the patients are.
    """
    summary = counted(people, shape)
    true, printed = cells(summary), cells(suppressed(summary, below))
    names = [path for path, count in true.items() if count is not None]
    shown = [n for n, path in enumerate(names) if printed[path] is not None]
    nobody = {names[n] for n in shown if printed[names[n]] == 0}
    meaning = [one for one in _meaning(shape) if nobody.isdisjoint(one)]
    matrix = np.array([[one.get(path, 0) for path in names] for one in meaning])
    asked = dict(_asked(names))
    targets = np.array(list(asked.values())).T
    values = np.array([true[path] for path in names]) @ targets
    wanted, given = matrix @ targets, matrix[:, shown]
    solved = np.linalg.lstsq(given.T @ given, given.T @ wanted, rcond=1e-10)[0]
    told = (wanted * wanted).sum(axis=0) - ((given.T @ wanted) * solved).sum(axis=0) < 1e-6
    return [
        name for name, is_told, value in zip(asked, told, values, strict=True) if is_told and 0 < abs(value) < below
    ]


def _asked(names: list[Path]) -> Iterator[tuple[str, list[int]]]:
    """What the reader would like to know, as factors of the printed counts."""
    place = {path: n for n, path in enumerate(names)}

    def factors(plus: Path, *minus: Path) -> list[int]:
        found = [0] * len(names)
        found[place[plus]] += 1
        for path in minus:
            found[place[path]] -= 1
        return found

    for path in names:
        yield f"{path}", factors(path)
        yield f"not {path}", factors(("patients",), path)
    for field in ("left", "certain"):
        of_trial = Counter(path[1] for path in names if path[-1] == field)
        for trial in of_trial:
            steps = [("patients",), *(path for path in names if path[1:2] == (trial,) and path[-1] == field)]
            for before, after in pairwise(steps):
                yield f"lost at {after}", factors(before, after)
