"""What the naive calculator sees of one patient: calendar, worlds of vague dates, windows, completeness."""

from __future__ import annotations

import calendar
import csv
import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from sle_kg.criteria import Feature
from sle_kg.features import Ask
from sle_kg.terminology import DrugAttributes

Row = dict[str, Any]
World = tuple[int, int]
"""First and last day of a record, as ordinals."""
Bound = tuple[Fraction | None, Fraction | None]
BEGIN = dt.date.min.toordinal()
UNKNOWN: Bound = (None, None)
FACTS = Path(__file__).parent.parent / "facts"
SERVES = {"result": 28, "echocardiography": 90, "serology": 90, "autoantibody": 90, "weight": 90, "pregnancyTest": 14}
"""CONTRACT section 4, rule 7."""


@dataclass(frozen=True)
class Knowledge:
    """What the terminology says of the concepts that occur."""

    member: Mapping[tuple[str, str], str]
    refutes: frozenset[tuple[str, str]]
    drugs: Mapping[str, DrugAttributes]
    open_sets: frozenset[str]


def snake_case(kind: str) -> str:
    """`DaysSinceDiagnosis` → `days_since_diagnosis`."""
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", kind).lower()


def months_before(day: int, months: int) -> int:
    """Calendar months back, the day clamped to the end of the month."""
    date = dt.date.fromordinal(day)
    year, month = divmod(date.year * 12 + date.month - 1 - months, 12)
    return dt.date(year, month + 1, min(date.day, calendar.monthrange(year, month + 1)[1])).toordinal()


def duration_before(day: int, duration: str) -> int:
    """A look-back: `P6M`, `P1Y` by the calendar, `P28D` exact."""
    number, unit = int(duration[1:-1]), duration[-1]
    return day - number if unit == "D" else months_before(day, number * (12 if unit == "Y" else 1))


def completed_years(birth: dt.date, day: int) -> int:
    """Birthdays reached: one on 29 February is reached on 1 March of other years."""
    years = -1
    for year in range(birth.year, dt.date.fromordinal(day).year + 1):
        leap_day = (birth.month, birth.day) == (2, 29) and not calendar.isleap(year)
        birthday = dt.date(year, 3, 1) if leap_day else birth.replace(year=year)
        years += birthday.toordinal() <= day
    return years


def ordinal(day: dt.date | None, otherwise: int) -> int:
    return otherwise if day is None else day.toordinal()


def worlds(first: World, last: World) -> list[World]:
    """The extreme pairs of first and last day: every comparison that can differ between worlds differs among them."""
    points = sorted({*first, *last})
    firsts = [point for point in points if first[0] <= point <= first[1]]
    lasts = [point for point in points if last[0] <= point <= last[1]]
    return [(begin, end) for begin in firsts for end in lasts if begin <= end]


def overlaps(world: World, start: int, end: int) -> bool:
    return world[0] <= end and world[1] >= start


def surely(some: Sequence[World], windows: Sequence[World]) -> bool:
    """Whether a record overlaps the window, whatever its dates and the anchor's are."""
    return all(overlaps(world, *window) for world in some for window in windows)


def maybe(some: Sequence[World], windows: Sequence[World]) -> bool:
    """Whether a record can overlap the window of some day on which the anchor can be."""
    start, end = min(start for start, _ in windows), max(end for _, end in windows)
    return any(overlaps(world, start, end) for world in some)


def sure_days(some: Sequence[World]) -> World:
    """From the latest first day to the earliest last one; empty where these cross."""
    return max(begin for begin, _ in some), min(end for _, end in some)


def possible_days(some: Sequence[World]) -> World:
    return min(begin for begin, _ in some), max(end for _, end in some)


def lowest(values: Iterable[Fraction | None]) -> Fraction | None:
    """The least, unknown where one is not known or there is none."""
    known = list(values)
    return None if not known or None in known else min(known)  # type: ignore[type-var]


def highest(values: Iterable[Fraction | None]) -> Fraction | None:
    known = list(values)
    return None if not known or None in known else max(known)  # type: ignore[type-var]


def number(value: Any) -> Fraction | None:
    return None if value is None else Fraction(value)


def agreed(answers: Sequence[bool | None]) -> Bound:
    """1 where all say yes, 0 where all say no."""
    if answers and all(answer is True for answer in answers):
        return Fraction(1), None
    if answers and all(answer is False for answer in answers):
        return None, Fraction(0)
    return UNKNOWN


def runs_of(intervals: Iterable[World], gap: int) -> list[World]:
    """Runs of marked days, those at most `gap` days apart (end to start) joined; the next day always joins."""
    kept = [(begin, end) for begin, end in intervals if begin <= end]
    if not kept:
        return []
    low, high = min(begin for begin, _ in kept), max(end for _, end in kept)
    days = bytearray(high - low + 1)
    for begin, end in kept:
        days[begin - low : end - low + 1] = b"\1" * (end - begin + 1)
    joined: list[World] = []
    for match in re.finditer(b"\1+", days):
        begin, end = match.start() + low, match.end() - 1 + low
        if joined and begin - joined[-1][1] <= max(gap, 1):
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
    return joined


@cache
def score_items(instrument: str) -> dict[str, int]:
    """Test key of each item → weight (scores_sledai2k.csv; both instruments have the same weights)."""
    prefix = {"sledai2kTotal": "sledai2k", "selenaSledaiTotal": "selenaSledai"}.get(instrument)
    if prefix is None:
        return {}
    with (FACTS / "scores_sledai2k.csv").open(encoding="utf-8") as file:
        return {f"{prefix}:{row['key']}": int(row["weight"]) for row in csv.DictReader(file)}


@cache
def classification_rows(name: str) -> tuple[Row, ...]:
    """The items of a classification set: key, domain, kind, weight (classification.csv)."""
    title = {"acr1997": "ACR 1997", "slicc2012": "SLICC 2012", "eularAcr2019": "EULAR/ACR 2019"}[name]
    with (FACTS / "classification.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["criteria_set"] == title]
    return tuple({**row, "key": row["criterion_key"], "kind": row["type"]} for row in rows)


DOUBTED: Mapping[str, Mapping[str, Any]] = {
    "measurement": dict.fromkeys(("low", "high", "uln", "positive", "below_quantification", "text")),
    "condition": {"status": {"confirmed": "uncertain"}, "ongoing": None},
    "exposure": {"taken": {"yes": "uncertain", "ordered": "uncertain"}, "ongoing": None},
    "procedure": {"done": {"yes": "uncertain", "no": "uncertain"}},
    "immunization": {"given": {"yes": "uncertain", "no": "uncertain"}},
    "allergy": {"status": {"confirmed": "uncertain"}},
    "statement": {"value": None, "amount": None},
}
"""What is left of a row with a date before birth: another word for some words, else nothing."""


def believable(facts: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
    """The facts of a patient, those dated before birth without that date and uncertain; no limits for another sex."""
    sexes = {row["sex"] for row in facts.get("patient", ())}
    facts = {**facts, "measurement": [_limited(row, sexes) for row in facts.get("measurement", ())]}
    births = [row["birth_from"] for row in facts.get("patient", ()) if row["birth_from"] is not None]
    return {
        table: [_doubted(table, row, min(births)) if births and table in DOUBTED else row for row in rows]
        for table, rows in facts.items()
    }


def _limited(row: Row, sexes: set[str | None]) -> Row:
    return {**row, "uln": None, "lln": None} if row.get("limits_for") not in (None, *sexes) else row


def _doubted(table: str, row: Row, born: dt.date) -> Row:
    stems = [name.removesuffix("_to") for name in row if name.endswith("_to")]
    wrong = [stem for stem in stems if row[f"{stem}_to"] is not None and row[f"{stem}_to"] < born]
    doubtful = any((table, stem) != ("exposure", "recorded") for stem in wrong)
    made = dict(row)
    for stem in stems if wrong else []:
        latest = row[f"{stem}_to"] or row[f"{stem}_from"]
        if table == "procedure" or (latest is not None and latest < born):
            made |= {f"{stem}_from": None, f"{stem}_to": None}
    for name, other in DOUBTED[table].items() if doubtful else ():
        made[name] = None if other is None else other.get(row[name], row[name])
    return made


@dataclass
class Facts:
    """One patient's facts (rows by table) seen by one ask."""

    facts: Mapping[str, Sequence[Row]]
    ask: Ask
    known: Knowledge
    stated_complete: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.facts = believable(self.facts)
        self.on, self.base = self.ask.on.toordinal(), self.ask.base.toordinal()
        self.shift = self.on - self.base if self.ask.repeat else 0

    # ---- what is seen, windows, completeness ------------------------------------------------------------------------

    def seen(self, table: str, *columns: str) -> Iterator[Row]:
        """Rows whose first known date of `columns` is not after the day up to which facts are seen."""
        for row in self.facts.get(table, ()):
            date = next((row[column] for column in columns if row[column] is not None), None)
            if date is None or date.toordinal() <= self.base:
                yield row

    def anchor(self, feature: Feature) -> World | None:
        name = str(feature.get("anchor", "screening"))
        if name == "screening":
            return self.on, self.on
        event = self.ask.events.get(name)
        return (event.first.toordinal(), event.last.toordinal()) if event else None

    def windows(self, feature: Feature) -> list[World] | None:
        """The window in each world of the anchor; None where the anchor is not known."""
        anchor = self.anchor(feature)
        if anchor is None:
            return None
        lookback = feature.get("lookback")
        return [(duration_before(day, str(lookback)) if lookback else BEGIN, day) for day in anchor]

    def complete(self, section: str, until: int) -> bool:
        """Whether what is not recorded did not happen up to a day (rule 2)."""
        dates = [
            row["date_from"].toordinal() for row in self.facts.get("completeness", ()) if row["section"] == section
        ]
        dates = [day for day in dates if day <= self.base] + ([self.base] if section in self.stated_complete else [])
        for row in self.facts.get("unread", ()):
            if row["section"] == section and ordinal(row["date_from"], BEGIN) <= self.base:
                return False
        return bool(dates) and (self.on if max(dates) >= self.base else max(dates)) >= until

    def absent(self, feature: Feature, section: str) -> bool:
        """Whether absence can be known: complete up to the anchor, which is not in the future."""
        anchor = self.anchor(feature)
        return anchor is not None and anchor[1] <= self.on and self.complete(section, anchor[1])

    def status(self, concept: str, feature: Feature, parameter: str = "valueSet") -> str | None:
        """`in` wins over `undecided` over outside, over all value sets named."""
        sets = feature.get(parameter, ())
        assert isinstance(sets, tuple)
        found = {self.known.member.get((concept, name)) for name in sets}
        return "in" if "in" in found else "undecided" if "undecided" in found else None

    def presence(
        self, feature: Feature, section: str, records: Iterable[tuple[bool, bool]], closed: bool = True
    ) -> Bound:
        """Bounds of a 0/1 feature from (certain, possible) of each record."""
        if self.anchor(feature) is None:
            return UNKNOWN
        every = list(records)
        lower = Fraction(1) if any(certain for certain, _ in every) else None
        none = closed and self.absent(feature, section) and not any(possible for _, possible in every)
        return lower, Fraction(0) if none else None
