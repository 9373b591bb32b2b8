"""What a trial would gain by dropping a criterion or relaxing a threshold: JSON, the best gains, curves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from sle_kg.cohort.summary import Gained, Relaxed, WhatIfRow
from sle_kg.report.text import shorten
from sle_kg.shapes import decimal_text
from sle_kg.wording import unit_words

WHAT_IF_SENTENCE = (
    '"no longer excluded" are ineligible patients whom the change lets in, as eligible or undetermined; "eligible" and '
    '"undetermined" count patients of whom the changed trial says so and the trial as it is does not. A dropped part '
    "of a group asks nothing of anybody. Thresholds move by a point, a year, one more, or a tenth, ejection fractions "
    "by five points; times by a day (up to two weeks), a week (up to 90 days), four weeks beyond, a month where they "
    "are in months; wash-outs by a half-life. Results serve half as long again, then twice as long."
)
TIMES = {"d": "day", "mo": "month", "a": "year", "{halfLife}": "half-life"}
"""Units that are words, in the singular."""
PARAMETERS = {
    "threshold": "threshold",
    "lookback": "lookBack",
    "halfLives": "washOut",
    "gap": "gap",
    "concurrentGap": "concurrentGap",
    "dailyDose": "dailyDose",
    "validFor": "validFor",
}
"""What is relaxed, in JSON."""
AMOUNTS = {
    "lookback": "within",
    "halfLives": "wash-out of",
    "gap": "gaps up to",
    "concurrentGap": "gaps up to",
    "dailyDose": "≥",
    "validFor": "not older than",
}
"""What comes before a limit that is no threshold."""
SIGNS = {">=": "≥", ">": ">", "<=": "≤", "<": "<"}
CURVES = 6
"""Thresholds of a trial that are drawn."""
PANEL, ACROSS, LEFT, TOP, HEIGHT, BELOW = 360, 2, 44, 34, 70, 26
"""Units of the drawing: width of a panel, panels in a line, margins and height of a curve."""


@dataclass(frozen=True, slots=True)
class Line:
    """One change, of what, and what it gains; a row that is dropped is about nothing in particular."""

    row: str
    change: str
    gained: Gained
    what: str = ""

    def words(self, most: int) -> str:
        """Subject, cut to so many characters, and change."""
        return f"{shorten(self.what, most)}: {self.change}" if self.what else self.change


@dataclass(frozen=True, slots=True)
class Panel:
    """One curve: its title, its points, the path through them, and the highest count, at the height `top`."""

    x: int
    y: int
    title: str
    points: tuple[tuple[int, int, str], ...]
    most: int


@dataclass(frozen=True, slots=True)
class Curves:
    """The curves of a trial."""

    width: int
    height: int
    left: int
    right: int
    panel_height: int
    panels: tuple[Panel, ...]
    description: str


def as_json(rows: Iterable[WhatIfRow]) -> list[dict[str, Any]]:
    """The rows as JSON values; a suppressed count is null."""
    return [
        {
            "id": row.row or None,
            "text": row.words or None,
            "dropped": None if row.dropped is None else _gained(row.dropped),
            "relaxed": [
                {
                    "what": one.what,
                    "parameter": PARAMETERS[one.limit],
                    "operator": one.operator,
                    "threshold": decimal_text(one.threshold),
                    "unit": one.unit,
                    "steps": [
                        {"threshold": decimal_text(threshold), **_gained(gained)} for threshold, gained in one.steps
                    ],
                }
                for one in row.relaxed
            ],
        }
        for row in rows
    ]


def best(rows: Iterable[WhatIfRow]) -> list[Line]:
    """The changes that gain anything, the greatest gain first; suppressed ones are not among them.

    Of steps of a limit that gain the same there is the mildest.
    """
    lines = [line for row in rows for line in _lines(row) if total(line.gained)]
    return sorted(lines, key=lambda line: -total(line.gained))


def total(gained: Gained) -> int:
    """Patients whose verdict the change betters; 0 where it is suppressed."""
    return (gained.newly_eligible or 0) + (gained.newly_undetermined or 0)


def curves(rows: Sequence[WhatIfRow]) -> Curves | None:
    """The thresholds whose relaxation gains most, patients gained against the threshold; None where none does."""
    found = [(row.row, one) for row in rows for one in row.relaxed if _most(one)]
    found.sort(key=lambda pair: -_most(pair[1]))
    if not found:
        return None
    panels = tuple(_panel(place, row, one) for place, (row, one) in enumerate(found[:CURVES]))
    lines = -(-len(panels) // ACROSS)
    named = "; ".join(f"{panel.title}: up to {panel.most} patients" for panel in panels)
    height = lines * (TOP + HEIGHT + BELOW)
    return Curves(PANEL * ACROSS, height, LEFT, PANEL - LEFT, HEIGHT, panels, f"Patients gained. {named}.")


def _panel(place: int, row: str, one: Relaxed) -> Panel:
    x, y = PANEL * (place % ACROSS), (place // ACROSS) * (TOP + HEIGHT + BELOW) + TOP
    most, steps = _most(one), [(one.threshold, 0), *((threshold, total(gained)) for threshold, gained in one.steps)]
    wide = PANEL - LEFT - 24
    points = tuple(
        (
            x + LEFT + wide * number // (len(steps) - 1),
            y + HEIGHT - HEIGHT * gained // most,
            decimal_text(threshold),
        )
        for number, (threshold, gained) in enumerate(steps)
        if number == 0 or one.steps[number - 1][1].newly_eligible is not None
    )
    return Panel(x, y, f"{row or one.what}: {_limit(one, one.threshold)}", points, most)


def path(panel: Panel) -> str:
    """The steps of a curve as an SVG path: level up to the next threshold, then up."""
    moves = [f"M{panel.points[0][0]} {panel.points[0][1]}"]
    moves += [f"H{after[0]}V{after[1]}" for _, after in pairwise(panel.points)]
    return "".join(moves)


def _lines(row: WhatIfRow) -> Iterator[Line]:
    if row.dropped is not None:
        yield Line(row.row, "dropped", row.dropped)
    for one in row.relaxed:
        milder = None
        for threshold, gained in one.steps:
            if gained == milder:
                continue
            milder = gained
            was, made = _limit(one, one.threshold), _limit(one, threshold)
            yield Line(row.row, f"{was} made {made}", gained, one.what)


def _most(one: Relaxed) -> int:
    return max((total(gained) for _, gained in one.steps), default=0)


def _limit(one: Relaxed, number: Decimal) -> str:
    """A limit as a condition: `≥ 7`, `within 28 days`, `wash-out of 3 half-lives`."""
    if one.unit in TIMES:
        amount = f"{decimal_text(number)} {TIMES[one.unit]}{'' if number == 1 else 's'}".replace("lifes", "lives")
    else:
        amount = f"{decimal_text(number)}{unit_words(one.unit)}"
    sign = AMOUNTS[one.limit] if one.operator is None else SIGNS[one.operator]
    return f"{sign} {amount}"


def _gained(one: Gained) -> dict[str, int | None]:
    return {
        "noLongerExcluded": one.no_longer_excluded,
        "newlyEligible": one.newly_eligible,
        "newlyUndetermined": one.newly_undetermined,
    }
