"""The items of a disease activity index over the visits of one patient: present, absent or unknown."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sle_kg.followup.results import PatientOutcomes, Point
from sle_kg.report.outcomes_text import since
from sle_kg.report.svg import WIDTH, day_zero, items_of, label

_LEFT, _TOP, _ROW, _COLUMN, _FOOT = 200, 24, 16, 26, 28

CellWord = Literal["present", "absent", "unknown"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One item on one day."""

    x: int
    y: int
    word: CellWord


@dataclass(frozen=True, slots=True)
class HeatMap:
    """The plot: `rows` (y, item) and `columns` (x, day) with a cell for each pair."""

    width: int
    height: int
    axis: str
    rows: tuple[tuple[int, str], ...]
    columns: tuple[tuple[int, str], ...]
    cells: tuple[Cell, ...]
    description: str
    left: int = _LEFT
    top: int = _TOP
    row: int = _ROW
    column: int = _COLUMN


def heat_map(patient: PatientOutcomes) -> HeatMap | None:
    """Every item of the instrument over every day on which one was assessed; None where none was."""
    zero, items = day_zero(patient), patient.course.items
    days = sorted({point.date for points in items.values() for point in points})
    if zero is None or not days:
        return None
    keys = _keys(list(items))
    found = {key: {point.date: _word(point) for point in items.get(key, ())} for key in keys}
    rows = tuple((_TOP + number * _ROW, label(key)) for number, key in enumerate(keys))
    columns = tuple((_LEFT + number * _COLUMN, str(since(day, zero))) for number, day in enumerate(days))
    cells = tuple(
        Cell(x, y, found[key].get(day, "unknown"))
        for key, (y, _) in zip(keys, rows, strict=True)
        for day, (x, _) in zip(days, columns, strict=True)
    )
    infused = "infusion" if patient.infusion is not None else "first assessment"
    return HeatMap(
        width=max(WIDTH, _LEFT + len(days) * _COLUMN + 20),
        height=_TOP + len(keys) * _ROW + _FOOT,
        axis=f"days since the {infused} ({zero})",
        rows=rows,
        columns=columns,
        cells=cells,
        description=" ".join(_told(day, zero, keys, found) for day in days),
    )


def _keys(given: Sequence[str]) -> list[str]:
    """The items given and, where the instrument is known, those of it that no record names; heaviest first."""
    prefixed = any(":" in key for key in given)
    every = [item.key if prefixed else item.key.partition(":")[2] for key in given[:1] for item in items_of(key)]
    return [*every, *(key for key in given if key not in every)]


def _word(point: Point) -> CellWord:
    if point.lower is None or point.lower != point.upper:
        return "unknown"
    return "present" if point.lower > 0 else "absent"


def _told(day: dt.date, zero: dt.date, keys: Sequence[str], found: dict[str, dict[dt.date, CellWord]]) -> str:
    """What the plot shows of a day, for those who do not see it."""
    words = {key: found[key].get(day, "unknown") for key in keys}
    present = [label(key) for key, word in words.items() if word == "present"]
    unknown = sum(word == "unknown" for word in words.values())
    return f"Day {since(day, zero)}: present {', '.join(present) or 'none'}; {unknown} unknown."
