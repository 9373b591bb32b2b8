"""Which counts of a report must be hidden so that no small one follows from those that are shown.

Counts are tied by sums: whole = part + part. A reader has the shown ones, knows that none is negative, and subtracts:
first sum by sum, with the limits that this sets to what is hidden, then by solving all sums together. Whatever tells
him that a small count is below the limit is broken by hiding one more number, until nothing does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

Key = tuple[str | int, ...]
"""The name of a count."""
Row = dict[Key, Fraction]
"""A sum over counts that is zero: the factor of each."""

_UNBOUNDED = 1 << 62
"""More patients than there are: the upper limit of a count of which nothing is known."""
_TIGHTENED = 12
"""How often a limit of one count is made tighter: circles of sums may creep towards theirs for ever."""


@dataclass(slots=True)
class Known:
    """What a reader knows of one count: its limits, and the shown counts that tell him each."""

    low: int
    high: int
    why_low: frozenset[Key] = frozenset()
    why_high: frozenset[Key] = frozenset()
    tightened: int = 0


@dataclass(slots=True)
class Counts:
    """Counts by name, those of them that are printed, sums that hold between them, and what is hidden together.

    `headlines` are the counts that a reader looks for first.
    """

    values: dict[Key, int] = field(default_factory=dict)
    printed: set[Key] = field(default_factory=set)
    headlines: set[Key] = field(default_factory=set)
    sums: list[tuple[tuple[Key, ...], tuple[Key, ...]]] = field(default_factory=list)
    together: dict[Key, tuple[Key, ...]] = field(default_factory=dict)

    def print(self, key: Key, count: int | None, headline: bool = False) -> Key:
        """Register a count that the report prints; a headline is hidden for others' sake only where nothing else is."""
        self.values[key] = count or 0
        self.printed.add(key)
        if headline:
            self.headlines.add(key)
        return key

    def rest(self, wholes: Sequence[Key], *parts: Key, name: Key = ()) -> Key:
        """The count that is left of the wholes beside the parts, which nobody prints; its name."""
        key = name or ("rest", len(self.values))
        self.values[key] = sum(self.values[one] for one in wholes) - sum(self.values[one] for one in parts)
        self.equal(wholes, (*parts, key))
        return key

    def equal(self, left: Sequence[Key], right: Sequence[Key]) -> None:
        """Two sums of counts are the same number."""
        self.sums.append((tuple(left), tuple(right)))


def hidden(counts: Counts, below: int) -> set[Key]:
    """The printed counts to be hidden: those from 1 to `below` − 1, and others that tell of these or of rests.

    The same for the same counts. Of several numbers that tell, the smallest is hidden; a 0 after them, headlines last.
    """

    def worth(key: Key) -> tuple[bool, bool, int, Key]:
        value = counts.values[key]
        return key in counts.headlines, value == 0, value, key

    small = {key for key, value in counts.values.items() if 0 < value < below}
    gone = set(counts.values) - counts.printed
    _hide(counts, gone, *small)
    while told := _told(counts, small, gone, below):
        broken: set[Key] = set()
        for why in told:
            if broken.isdisjoint(why):
                broken |= _hide(counts, gone, min(why, key=worth))
    return gone & counts.printed


def _hide(counts: Counts, gone: set[Key], *keys: Key) -> set[Key]:
    """Hide counts, with those that they are hidden together with; all of them."""
    made = {other for key in keys for other in counts.together.get(key, (key,))}
    gone |= made
    return made


def _told(counts: Counts, small: set[Key], gone: set[Key], below: int) -> list[frozenset[Key]]:
    """Of every small count that the shown ones tell, these; of what follows only from all sums together, last."""
    known = _limits(counts, gone)
    found = [known[key].why_high for key in counts.values if key in small and known[key].high < below]
    if not found:
        found = [why for key, why in _solved(counts, known) if key in small]
    return [why for why in found if why]


def _limits(counts: Counts, gone: set[Key]) -> dict[Key, Known]:
    """The limits that each sum sets to its counts, by those that the others set."""
    known = {}
    uses: dict[Key, list[int]] = {}
    for key, value in counts.values.items():
        shown = frozenset((key,))
        known[key] = Known(0, _UNBOUNDED) if key in gone else Known(value, value, shown, shown)
    for place, sides in enumerate(counts.sums):
        for key in (*sides[0], *sides[1]):
            uses.setdefault(key, []).append(place)
    waiting = dict.fromkeys(range(len(counts.sums)))
    while waiting:
        place = next(iter(waiting))
        del waiting[place]
        left, right = counts.sums[place]
        moved = {*_tighten(known, left, right), *_tighten(known, right, left)}
        waiting.update(dict.fromkeys(sorted(other for key in moved for other in uses[key] if other != place)))
    return known


def _tighten(known: dict[Key, Known], own: Sequence[Key], other: Sequence[Key]) -> Iterator[Key]:
    """Tighten the limits of the counts on one side of a sum; those that moved."""
    for key in own:
        mine = known[key]
        if mine.low == mine.high or mine.tightened == _TIGHTENED:
            continue
        beside = [known[one] for one in own if one != key]
        across = [known[one] for one in other]
        high = sum(one.high for one in across) - sum(one.low for one in beside)
        low = sum(one.low for one in across) - sum(one.high for one in beside)
        moved = False
        if high < mine.high and all(one.high < _UNBOUNDED for one in across):
            mine.high, moved = high, True
            mine.why_high = frozenset().union(*(one.why_high for one in across), *(one.why_low for one in beside))
        if low > mine.low and all(one.high < _UNBOUNDED for one in beside):
            mine.low, moved = low, True
            mine.why_low = frozenset().union(*(one.why_low for one in across), *(one.why_high for one in beside))
        if moved:
            mine.tightened += 1
            yield key


def _solved(counts: Counts, known: dict[Key, Known]) -> Iterator[tuple[Key, frozenset[Key]]]:
    """Counts that all sums together tell exactly, and the shown counts from which they follow.

    Gauss's elimination in exact fractions, of the counts whose limits leave a choice; those of fewest sums first.
    """
    open_ = {key for key, one in known.items() if one.low < one.high}
    uses = Counter(key for sides in counts.sums for key in {*sides[0], *sides[1]})
    solved: dict[Key, Row] = {}
    place: dict[Key, int] = {}
    for left, right in counts.sums:
        row: Row = {}
        _add(row, dict.fromkeys(left, Fraction(1)), Fraction(1))
        _add(row, dict.fromkeys(right, Fraction(1)), Fraction(-1))
        while found := [key for key in row if key in solved]:
            first = min(found, key=place.__getitem__)
            _add(row, solved[first], -row[first])
        free = [key for key in row if key in open_]
        if free:
            pivot = min(free, key=uses.__getitem__)
            place[pivot] = len(solved)
            solved[pivot] = {key: value / row[pivot] for key, value in row.items()}
    for pivot, row in reversed(solved.items()):
        for key in [one for one in row if one in solved and one != pivot]:
            _add(row, solved[key], -row[key])
        others = row.keys() - {pivot}
        if open_.isdisjoint(others):
            yield pivot, frozenset().union(*(known[key].why_low | known[key].why_high for key in others))


def _add(row: Row, other: Row, times: Fraction) -> None:
    """Add a multiple of another sum to one."""
    for key, value in other.items():
        factor = row.get(key, Fraction(0)) + times * value
        if factor:
            row[key] = factor
        else:
            row.pop(key, None)
