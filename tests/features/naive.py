"""A naive calculator of features: loops over records and days in plain Python, written from the rules of reading.

It shares nothing with the SQL of the feature builder but the terminology's answers (which concept belongs to which
value set, what a milligram of a drug stands for). A record with vague dates is a set of *worlds*: its possible first
and last days. What holds in every world is certain, what holds in some world is possible.
"""

from __future__ import annotations

import calendar
import csv
import datetime as dt
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise
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


@dataclass
class Naive:
    """One patient's facts (rows by table) seen by one ask."""

    facts: Mapping[str, Sequence[Row]]
    ask: Ask
    known: Knowledge
    stated_complete: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.on, self.base = self.ask.on.toordinal(), self.ask.base.toordinal()
        self.shift = self.on - self.base if self.ask.repeat else 0

    def bounds(self, feature: Feature) -> Bound:
        """The bounds of a feature; both unknown where nothing is known."""
        calculate: Callable[[Feature], Bound] = getattr(self, "_" + snake_case(feature.kind.removesuffix("Condition")))
        return calculate(feature)

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

    # ---- the person and what was stated -----------------------------------------------------------------------------

    def _age(self, feature: Feature) -> Bound:
        anchor, person = self.anchor(feature), self.facts["patient"][0]
        if anchor is None:
            return UNKNOWN
        youngest = None if person["birth_to"] is None else Fraction(completed_years(person["birth_to"], anchor[0]))
        oldest = None if person["birth_from"] is None else Fraction(completed_years(person["birth_from"], anchor[1]))
        return youngest, oldest

    def _sex(self, feature: Feature) -> Bound:
        sex = self.facts["patient"][0]["sex"]
        if sex is None:
            return UNKNOWN
        return (Fraction(sex == feature.get("sex")),) * 2

    def latest_statements(self, keys: Callable[[str], bool]) -> dict[str, list[bool]]:
        """The values of the statements of each kind that can be the latest."""
        by_kind: dict[str, list[Row]] = defaultdict(list)
        for row in self.seen("statement", "date_from"):
            if keys(row["statement"]) and row["value"] is not None:
                by_kind[row["statement"]].append(row)
        return {
            kind: [
                row["value"]
                for row in rows
                if all(ordinal(row["date_to"], self.base) >= ordinal(other["date_from"], BEGIN) for other in rows)
            ]
            for kind, rows in by_kind.items()
        }

    def _statement(self, feature: Feature) -> Bound:
        key = str(feature.get("statement"))
        said = self.latest_statements(lambda kind: kind == key).get(key)
        if said is None:
            covered = key == "plansPregnancy" and self.complete("statements", self.on)
            return None, Fraction(0) if covered else None
        return agreed(said)

    def _contraindication(self, feature: Feature) -> Bound:
        sets = feature.get("valueSet")
        assert isinstance(sets, tuple)
        said = self.latest_statements(lambda kind: kind.startswith("contraindication:"))
        about = {kind.removeprefix("contraindication:"): values for kind, values in said.items()}
        ours = {key: v for key, v in about.items() if key in sets or self.status(key, feature) == "in"}
        holds = any(all(values) for values in ours.values())
        doubt = any(any(values) for values in ours.values())
        denied = any(not all(values) for key, values in ours.items() if key in sets)
        lower = Fraction(1) if holds else Fraction(0) if feature.get("asDocumented") else None
        known_none = feature.get("asDocumented") or denied or self.complete("statements", self.on)
        return lower, Fraction(0) if known_none and not doubt else None

    def _without_potential(self, by_age: bool) -> Bound:
        said = self.latest_statements(lambda kind: kind in ("childbearingPotential", "postmenopausal", "sterilised"))
        potential = any(said.get("childbearingPotential", []))
        excluded = not all(said.get("childbearingPotential", [True]))
        excluded = excluded or any(any(said.get(kind, [])) for kind in ("postmenopausal", "sterilised"))
        person = self.facts["patient"][0]
        if by_age and person["sex"] == "female" and person["birth_to"] is not None:
            by_age = completed_years(person["birth_to"], self.on) >= 55
        else:
            by_age = False
        lower = Fraction(1) if not potential and (excluded or by_age) else None
        return lower, Fraction(0) if potential and not excluded else None

    def _fertility(self, feature: Feature) -> Bound:
        return self._without_potential(True)

    def _no_childbearing_potential(self, feature: Feature) -> Bound:
        return self._without_potential(False)

    def _consent(self, feature: Feature) -> Bound:
        event = self.ask.events.get("consent")
        signed = event is not None and event.record is not None and event.last.toordinal() <= self.base
        undated = any(r["trial"] == self.ask.trial and r["date_from"] is None for r in self.facts.get("consent", ()))
        return Fraction(1) if signed or undated else None, None

    def _donated_volume(self, feature: Feature) -> Bound:
        start = duration_before(self.on, str(feature.get("lookback")))
        sure, most, unread = Fraction(0), Fraction(0), False
        measured = set()
        for row in self.seen("statement", "date_from"):
            last = min(ordinal(row["date_to"], self.on), self.on)
            if row["statement"] != "bloodDonationVolume" or last < start:
                continue
            unread = unread or row["amount"] is None
            most += number(row["amount"]) or 0
            if row["date_from"] is not None and row["date_from"].toordinal() >= start:
                sure += number(row["amount"]) or 0
            if row["amount"] is not None:
                measured.add(row["date_from"])
        for row in self.seen("procedure", "from_from"):
            if self.known.member.get((row["concept"], "bloodDonationAny")) and row["done"] != "no":
                in_window = ordinal(row["end_to"], self.on) >= start
                unread = unread or (in_window and (row["from_from"] is None or row["from_from"] not in measured))
        return sure, None if unread or not self.complete("procedures", self.on) else most

    # ---- results ----------------------------------------------------------------------------------------------------

    def days_of(self, row: Row) -> World:
        """First and last possible day of a result, moved along where results are taken as repeated."""
        first = BEGIN if row["date_from"] is None else row["date_from"].toordinal() + self.shift
        return first, min(ordinal(row["date_to"], self.base), self.base) + self.shift

    def latest(self, tests: Iterable[str], usable: Callable[[Row], bool] = lambda row: True) -> list[Row]:
        """The results that can be the latest (rule 8)."""
        wanted = set(tests)
        rows = [row for row in self.seen("measurement", "date_from") if row["test"] in wanted and usable(row)]
        return [row for row in rows if all(self.days_of(row)[1] >= self.days_of(other)[0] for other in rows)]

    def fresh(self, rows: Sequence[Row], valid_for: str) -> bool:
        return valid_for == "ever" or all(self.days_of(row)[0] >= self.on - SERVES[valid_for] for row in rows)

    def value_range(self, tests: Iterable[str], valid_for: str) -> Bound:
        rows = self.latest(tests)
        if not self.fresh(rows, valid_for):
            return UNKNOWN
        return lowest(number(row["low"]) for row in rows), highest(number(row["high"]) for row in rows)

    def _measurement(self, feature: Feature) -> Bound:
        tests, method = feature.get("test"), feature.get("method")
        assert isinstance(tests, tuple)
        rows = self.latest(tests, lambda row: method is None or row["method"] == method)
        if not self.fresh(rows, str(feature.get("validFor"))):
            return UNKNOWN
        if feature.get("quantity") == "value":
            return lowest(number(row["low"]) for row in rows), highest(number(row["high"]) for row in rows)

        def times(row: Row, side: str) -> Fraction | None:
            return Fraction(row[side]) / Fraction(row["uln"]) if row[side] is not None and row["uln"] else None

        return lowest(times(row, "low") for row in rows), highest(times(row, "high") for row in rows)

    def _creatinine_clearance(self, feature: Feature) -> Bound:
        person = self.facts["patient"][0]
        light, heavy = self.value_range(["bodyWeight"], "weight")
        little, much = self.value_range(["serumCreatinine"], "result")
        factor = {"female": Fraction(85, 100), "male": Fraction(1)}.get(person["sex"])
        lower = upper = None
        if factor and person["birth_from"] and light and much:
            lower = (140 - completed_years(person["birth_from"], self.on)) * light / (72 * much) * factor
        if factor and person["birth_to"] and heavy and little:
            upper = (140 - completed_years(person["birth_to"], self.on)) * heavy / (72 * little) * factor
        stated = self.value_range(["creatinineClearanceCG"], "result")
        lowers = [value for value in (lower, stated[0]) if value is not None]
        uppers = [value for value in (upper, stated[1]) if value is not None]
        return min(lowers, default=None), max(uppers, default=None)

    def _room_air(self, feature: Feature) -> Bound:
        days = [self.days_of(row) for row in self.latest(["spo2", "sao2"])]
        exact = {first for first, last in days if first == last}
        said = [
            row["positive"]
            for row in self.facts.get("measurement", ())
            if row["test"] == "supplementalOxygen"
            and row["positive"] is not None
            and row["date_from"] is not None
            and row["date_from"] == row["date_to"]
            and row["date_from"].toordinal() + self.shift in exact
        ]
        return agreed([not answer for answer in said])

    @staticmethod
    def answer(row: Row) -> bool | None:
        """Positive or negative (rule 9); None where it says neither, or both."""
        by_limit = None
        limit = row["uln"] if row["uln"] is not None else None
        if limit is not None and row["low"] is not None and row["low"] > limit:
            by_limit = True
        elif limit is not None and row["high"] is not None and row["high"] <= limit:
            by_limit = False
        elif limit is None and row["test"] == "anaTiter":
            if row["low"] is not None and row["low"] >= 80:
                by_limit = True
            elif row["high"] is not None and row["high"] < 80:
                by_limit = False
        if row["positive"] is None:
            return by_limit
        return None if limit is not None and by_limit not in (None, row["positive"]) else bool(row["positive"])

    def _positive_test(self, feature: Feature) -> Bound:
        tests, only = feature.get("test"), feature.get("positiveOnlyTest", ())
        assert isinstance(tests, tuple) and isinstance(only, tuple)
        usable: Callable[[Row], bool] = lambda row: row["test"] not in only or row["positive"] is True  # noqa: E731
        valid = str(feature.get("validFor"))
        if valid == "ever":
            seen = [r for r in self.seen("measurement", "date_from") if r["test"] in tests and usable(r)]
            return Fraction(1) if any(self.answer(row) for row in seen) else None, None
        if valid == "pregnancyTest" and self.facts["patient"][0]["sex"] is None:
            return UNKNOWN
        rows = self.latest((*tests, *only), usable)
        return agreed([self.answer(row) for row in rows]) if self.fresh(rows, valid) else UNKNOWN

    def _quantified(self, feature: Feature) -> Bound:
        tests = feature.get("test")
        assert isinstance(tests, tuple)
        rows = self.latest(tests)

        def quantified(row: Row) -> bool | None:
            if row["below_quantification"]:
                return False
            if row["low"] is not None and row["low"] > 0:
                return True
            if row["high"] is not None and row["high"] <= 0:
                return False
            answer: bool | None = row["positive"]
            return answer

        if not self.fresh(rows, str(feature.get("validFor"))):
            return UNKNOWN
        return agreed([quantified(row) for row in rows])

    # ---- scores -----------------------------------------------------------------------------------------------------

    def total(self, instrument: str, valid_for: str) -> Bound | None:
        """Bounds of the latest total; None where there is no result in its window."""
        items = score_items(instrument)
        rows = self.latest([instrument, *items])
        if not rows or not self.fresh(rows, valid_for):
            return None
        ranges = []
        for days in {self.days_of(row) for row in rows}:
            same = [row for row in rows if self.days_of(row) == days]
            totals = [row for row in same if row["test"] == instrument]
            low, high = self.sum_of_items([row for row in same if row not in totals], items, days[0] == days[1])
            if totals:
                least = lowest(number(row["low"]) for row in totals)
                most = highest(number(row["high"]) for row in totals)
                if len(same) > len(totals):
                    least = None if least is None else min(least, high)
                    most = None if most is None else max(most, low)
                ranges.append((least, most))
            else:
                ranges.append((low, high))
        return lowest(low for low, _ in ranges), highest(high for _, high in ranges)

    @staticmethod
    def sum_of_items(rows: Sequence[Row], items: Mapping[str, int], one_date: bool) -> tuple[Fraction, Fraction]:
        """Items known to be present, and items not known to be absent; they count together only on one date."""
        least = most = 0
        for key, weight in items.items():
            said = [
                row["positive"] if row["positive"] is not None else row["low"] for row in rows if row["test"] == key
            ]
            answers = [None if value is None else bool(value > 0) for value in said]
            present = one_date and bool(answers) and all(answer is True for answer in answers)
            absent = one_date and bool(answers) and all(answer is False for answer in answers)
            least += weight if present else 0
            most += 0 if absent else weight
        return Fraction(least), Fraction(most)

    def _score(self, feature: Feature) -> Bound:
        valid = str(feature.get("validFor"))
        found = self.total(str(feature.get("instrument")), valid)
        if found is None and feature.get("alsoAccepts"):
            found = self.total(str(feature.get("alsoAccepts")), valid)
        return found or UNKNOWN

    def _highest_score(self, feature: Feature) -> Bound:
        start = duration_before(self.on, str(feature.get("lookback")))
        rows = [r for r in self.seen("measurement", "date_from") if r["test"] == feature.get("instrument")]
        dated = [row["date_from"] for row in rows if row["date_from"] is not None]
        inside, possible, current = [], [], False
        for row in rows:
            moved = self.shift if row["date_from"] is not None and row["date_from"] == max(dated) else 0
            first = BEGIN if row["date_from"] is None else row["date_from"].toordinal() + moved
            last = min(ordinal(row["date_to"], self.base), self.base) + moved
            if first >= start:
                inside.append(number(row["low"]))
            if last >= start:
                possible.append(number(row["high"]))
            current = current or (first >= self.on - SERVES["result"] and row["high"] is not None)
        known = [value for value in inside if value is not None]
        return max(known, default=None), highest(possible) if current else None

    # ---- diagnoses and procedures -----------------------------------------------------------------------------------

    def diagnoses(self, feature: Feature) -> list[tuple[Row, str]]:
        """The condition records of the value set, with their membership; `outside` for one that only refutes it."""
        sets = feature.get("valueSet")
        assert isinstance(sets, tuple)
        found = []
        for row in self.seen("condition", "onset_from", "recorded_from"):
            status = self.status(row["concept"], feature)
            refutes = any((row["concept"], name) in self.known.refutes for name in sets)
            if status is None and row["status"] == "refuted" and refutes:
                status = "outside"
            if status is not None:
                found.append((row, status))
        return found

    def condition_worlds(self, row: Row) -> list[World]:
        """First and last days of a condition; it had begun when it was recorded."""
        earliest = ordinal(row["onset_from"], BEGIN)
        known = [ordinal(row[name], self.base) for name in ("onset_to", "recorded_to", "abated_to")]
        first = (earliest, max(earliest, min(*known, self.base)))
        abated, ongoing = row["abated_from"], row["ongoing"]
        if abated is not None and abated.toordinal() <= self.base:
            last = (max(abated.toordinal(), earliest), min(ordinal(row["abated_to"], self.base), self.base))
        elif ongoing or abated is not None:
            last = (self.on, self.on)
        elif ongoing is None:
            present = ordinal(row["recorded_from"], BEGIN)
            last = (max(earliest, present if present <= self.base else BEGIN), self.on)
        else:
            last = (earliest, self.base)
        return worlds(first, last)

    @staticmethod
    def stated(row: Row) -> dt.date | None:
        date: dt.date | None = row["recorded_from"] or row["onset_from"]
        return date

    def refuted(self, found: Sequence[tuple[Row, str]], feature: Feature) -> bool:
        """Whether the broadest diagnosis is refuted and nothing as recent (or undated) says otherwise (rule 10)."""
        sets = feature.get("valueSet")
        assert isinstance(sets, tuple)
        for row, _ in found:
            if row["status"] != "refuted" or not any((row["concept"], name) in self.known.refutes for name in sets):
                continue
            date, against = self.stated(row), False
            for other, status in found:
                when = self.stated(other)
                if other["status"] == "confirmed" and status == "in":
                    against = against or date is None or when is None or when >= date
                if other["status"] == "uncertain":
                    against = against or (date is not None and when is not None and when > date)
            if not against:
                return True
        return False

    def contradicted(self, row: Row, found: Sequence[tuple[Row, str]], feature: Feature) -> bool:
        """Whether a refutation is at least as recent as this record."""
        sets = feature.get("valueSet")
        assert isinstance(sets, tuple)
        mine = self.stated(row)
        return any(
            other["status"] == "refuted"
            and any((other["concept"], name) in self.known.refutes for name in sets)
            and (mine is None or (when := self.stated(other)) is None or when >= mine)
            for other, _ in found
        )

    def _diagnosis(self, feature: Feature) -> Bound:
        found, windows, when = self.diagnoses(feature), self.windows(feature), feature.get("when")
        sets, needed = feature.get("valueSet"), feature.get("severity")
        assert windows is not None and isinstance(sets, tuple)
        if self.refuted(found, feature):
            return None, Fraction(0)
        enough = {None: {"mild", "moderate", "severe", None}, "moderate": {"moderate", "severe"}, "severe": {"severe"}}
        records = []
        for row, status in found:
            some = self.condition_worlds(row)
            abated_later = row["abated_from"] is not None and row["abated_from"].toordinal() > self.base
            active = True if abated_later else row["ongoing"]
            if when == "ever":
                certain = possible = True
            elif when == "current":
                certain, possible = active is True, active is not False and any(w[1] >= self.on for w in some)
            else:
                certain = surely(some, windows)
                possible = maybe(some, windows)
            severe_enough = row["severity"] in enough[needed]  # type: ignore[index]
            proof = row["status"] == "confirmed" and status == "in" and not self.contradicted(row, found, feature)
            may_be = row["status"] != "refuted" and (severe_enough or row["severity"] is None)
            records.append((proof and severe_enough and certain, may_be and possible))
        return self.presence(feature, "conditions", records, not self.known.open_sets.intersection(sets))

    def _diagnosis_count(self, feature: Feature) -> Bound:
        found = self.diagnoses(feature)
        proven = [
            row
            for row, status in found
            if row["status"] == "confirmed" and status == "in" and not self.contradicted(row, found, feature)
        ]
        days = set()
        for row in proven:
            prefix = "onset" if row["onset_from"] is not None else "recorded"
            if row[f"{prefix}_from"] is not None and row[f"{prefix}_from"] == row[f"{prefix}_to"]:
                days.add(row[f"{prefix}_from"])
        possible = [row for row, _ in found if row["status"] != "refuted"]
        lower = max(len(days), 1 if proven else 0)
        return Fraction(lower), Fraction(len(possible)) if self.complete("conditions", self.on) else None

    def _procedure(self, feature: Feature) -> Bound:
        windows = self.windows(feature)
        if windows is None:
            return UNKNOWN
        found = self.diagnoses(feature)
        records = []
        for row in self.seen("procedure", "from_from"):
            status = self.status(row["concept"], feature)
            if status is None:
                continue
            earliest = ordinal(row["from_from"], BEGIN)
            first = (earliest, min(ordinal(row["from_to"], self.base), self.base))
            last = (max(earliest, ordinal(row["end_from"], BEGIN)), ordinal(row["end_to"], self.on))
            some = worlds(first, last)
            certain = surely(some, windows)
            possible = maybe(some, windows)
            records.append((row["done"] == "yes" and status == "in" and certain, row["done"] != "no" and possible))
        if self.refuted(found, feature) and not any(possible for _, possible in records):
            return None, Fraction(0)
        for row, status in found:
            some = self.condition_worlds(row)
            certain = feature.get("when") == "ever" or surely(some, windows)
            possible = maybe(some, windows)
            proof = row["status"] == "confirmed" and status == "in" and not self.contradicted(row, found, feature)
            records.append((proof and certain, row["status"] != "refuted" and possible))
        return self.presence(feature, "procedures", records)

    def _immunization(self, feature: Feature) -> Bound:
        windows = self.windows(feature)
        assert windows is not None
        records = []
        for row in self.seen("immunization", "date_from"):
            if (status := self.status(row["concept"], feature)) is None:
                continue
            days = (ordinal(row["date_from"], BEGIN), min(ordinal(row["date_to"], self.base), self.base))
            certain = all(start <= day <= end for day in days for start, end in windows)
            possible = maybe([days], windows)
            records.append((row["given"] == "yes" and status == "in" and certain, row["given"] != "no" and possible))
        return self.presence(feature, "immunizations", records)

    def _allergy(self, feature: Feature) -> Bound:
        which, records, none_known, other = feature.get("which"), [], False, False
        for row in self.seen("allergy", "recorded_from"):
            if row["none_known"]:
                none_known = none_known or row["status"] == "confirmed"
                continue
            other = other or row["status"] != "refuted"
            status: str | None = "in"
            if which == "substance":
                status = self.status(row["concept"], feature)
            elif which == "severe":
                status = {"high": "in", "low": None, None: "undecided"}[row["criticality"]]
            if status is not None:
                sure = row["status"] == "confirmed" and row["kind"] == "allergy" and status == "in"
                records.append((sure, row["status"] != "refuted" and row["kind"] != "intolerance"))
        if none_known and not other:
            return None, Fraction(0)
        return self.presence(feature, "allergies", records)

    # ---- medicines --------------------------------------------------------------------------------------------------

    def medicines(self, feature: Feature, parameter: str = "valueSet") -> list[Medicine]:
        found = []
        for row in self.facts.get("exposure", ()):
            status = self.status(row["concept"], feature, parameter)
            unseen = row["start_from"] is not None and row["start_from"].toordinal() > self.base
            if status is None or unseen or row["taken"] == "no" or row["route"] == "local":
                continue
            found.append(Medicine(row, row["taken"] == "yes" and status == "in", *self.medicine_worlds(row)))
        return found

    def medicine_worlds(self, row: Row) -> tuple[list[World], bool]:
        """First and last days taken, and whether it is known to have begun (rules 5 and 13)."""
        earliest = ordinal(row["start_from"], BEGIN)
        first = (earliest, min(ordinal(row["start_to"], self.base), self.base))
        end, ongoing = row["end_from"], row["ongoing"]
        unseen_end = end is not None and end.toordinal() > self.base
        if unseen_end or (end is None and ongoing):
            last = (self.on, self.on)
        elif end is None and ongoing is None:
            last = (earliest, self.on)
        else:
            last = (max(earliest, ordinal(end, BEGIN)), min(ordinal(row["end_to"], self.base), self.base))
        return worlds(first, last), not (unseen_end and row["start_to"] is None)

    def _exposure(self, feature: Feature) -> Bound:
        windows, when = self.windows(feature), feature.get("when")
        if windows is None:
            return UNKNOWN
        records = []
        for drug in self.medicines(feature):
            if when == "ever":
                certain, possible = drug.began, True
            elif when == "ongoing":
                certain = drug.began and all(begin <= self.on <= end for begin, end in drug.worlds)
                possible = any(end >= self.on for _, end in drug.worlds)
            else:
                certain = drug.began and surely(drug.worlds, windows)
                possible = maybe(drug.worlds, windows)
            records.append((drug.certain and certain, possible))
        return self.presence(feature, "medications", records)

    def _washout(self, feature: Feature) -> Bound:
        records = []
        for drug in self.medicines(feature):
            known = self.known.drugs[drug.row["concept"]]
            days = known.washout3 if feature.get("halfLives") == 3 else known.washout5
            since = [self.on - end for _, end in drug.worlds]
            certain = drug.began and days is not None and all(passed < days for passed in since)
            records.append((drug.certain and certain, days is None or any(passed < days for passed in since)))
        return self.presence(feature, "medications", records)

    def _drug_count(self, feature: Feature) -> Bound:
        taken, possible = set(), set()
        some = False
        for drug in self.medicines(feature):
            moiety = self.known.drugs[drug.row["concept"]].moiety
            possible.add(moiety or ("record", drug.row["record"]))
            if drug.certain and drug.began:
                some = True
                taken |= {moiety} - {None}
        lower = max(len(taken), 1 if some else 0)
        return Fraction(lower), Fraction(len(possible)) if self.complete("medications", self.on) else None

    # ---- doses ------------------------------------------------------------------------------------------------------

    def weights(self, drug: Medicine) -> list[tuple[int, Row]]:
        """The weights nearest to a medicine's interval, with their distance in days (rule 7)."""
        first, last = sure_days(drug.worlds)
        last = possible_days(drug.worlds)[1] if last == BEGIN else last
        if drug.row["start_to"] is None and drug.row["end_from"] is None and not drug.row["ongoing"]:
            first = self.on
        dated = [
            (max(0, first - row["date_to"].toordinal(), row["date_from"].toordinal() - last), row)
            for row in self.seen("measurement", "date_from")
            if row["test"] == "bodyWeight" and row["date_from"] is not None
        ]
        nearest = min((distance for distance, _ in dated), default=0)
        return [(distance, row) for distance, row in dated if distance == nearest <= 365]

    def kilograms(self, drug: Medicine, use: str) -> tuple[Fraction | None, Fraction | None]:
        """The weights that give the least and the greatest dose per kg: heavy, light."""
        found = self.weights(drug)
        if use == "now" and found:
            last_day = max(row["date_from"] for _, row in found)
            found = [(distance, row) for distance, row in found if row["date_from"] == last_day]
        light = lowest(number(row["low"]) for _, row in found)
        if use == "highest" and found and found[0][0] == 0:
            known = [Fraction(row["high"]) for _, row in found if row["high"] is not None]
            return min(known, default=None), light
        return highest(number(row["high"]) for _, row in found), light

    def rate(self, drug: Medicine, feature: Feature, use: str) -> Bound:
        """The dose a day of one medicine from below and above."""
        row, known = drug.row, self.known.drugs[drug.row["concept"]]
        times, period = row["times"], row["period_days"]
        if row["administration"] and row["start_from"] is not None and row["start_from"] == row["end_to"]:
            times, period = times if times is not None else 1, period if period is not None else 1
        if row["dose"] is None or times is None or not period:
            return UNKNOWN
        a_day = Fraction(row["dose"]) * Fraction(times) / Fraction(period)
        factors: tuple[Fraction | None, Fraction | None] = (Fraction(1), Fraction(1))
        if feature.get("equivalence") == "prednisone":
            top, bottom = known.prednisone_numerator, known.prednisone_denominator
            factors = (None, None) if top is None or bottom is None else (Fraction(top, bottom),) * 2
        elif feature.get("equivalence") == "mycophenolateMofetil":
            top, bottom = known.mmf_numerator, known.mmf_denominator
            factors = (None, None) if top is None or bottom is None else (Fraction(top, bottom),) * 2
            factors = (Fraction(1), Fraction(1000, 720)) if known.ambiguous_mmf else factors
        low, high = (None if factor is None else a_day * factor for factor in factors)
        heavy, light = self.kilograms(drug, use)
        per_kg, by_kg = bool(feature.get("perKilogram")), row["dose_unit"] == "mg/kg"
        if per_kg and not by_kg:
            return (low / heavy if low is not None and heavy else None), (
                high / light if high is not None and light else None
            )
        if by_kg and not per_kg:
            return (low * light if low is not None and light else None), (
                high * heavy if high is not None and heavy else None
            )
        return low, high

    def _daily_dose(self, feature: Feature) -> Bound:
        by_record: dict[str, Fraction] = defaultdict(Fraction)
        most: Fraction | None = Fraction(0)
        for drug in self.medicines(feature):
            low, high = self.rate(drug, feature, "now")
            if any(begin <= self.on <= end for begin, end in drug.worlds):
                most = None if most is None or high is None else most + high
            if drug.certain and drug.began and all(begin <= self.on <= end for begin, end in drug.worlds):
                by_record[drug.row["record"]] += low or 0
        together = sum if feature.get("equivalence") == "prednisone" else max
        lower = together(by_record.values()) if by_record else Fraction(0)  # type: ignore[operator]
        return Fraction(lower), most if self.complete("medications", self.on) else None

    def _highest_dose(self, feature: Feature) -> Bound:
        windows = self.windows(feature)
        if windows is None:
            return UNKNOWN
        sure, possible, alone, unknown = [], [], Fraction(0), False
        inner = (max(start for start, _ in windows), min(end for _, end in windows))
        outer = (min(start for start, _ in windows), max(end for _, end in windows))
        for drug in self.medicines(feature):
            low, high = self.rate(drug, feature, "highest")
            begin, end = sure_days(drug.worlds)
            if drug.certain and drug.began and low is not None:
                sure.append((max(begin, inner[0]), min(end, inner[1]), low))
                if feature.get("when") == "ever" or surely(drug.worlds, windows):
                    alone = max(alone, low)
            begin, end = possible_days(drug.worlds)
            if overlaps((begin, end), *outer):
                unknown = unknown or high is None
                possible.append((max(begin, outer[0]), min(end, outer[1]), high or Fraction(0)))
        lower = max([alone, *(rate for _, _, rate in self.steps(sure))])
        upper = max([Fraction(0), *(rate for _, _, rate in self.steps(possible))])
        return lower, upper if self.absent(feature, "medications") and not unknown else None

    @staticmethod
    def steps(parts: Sequence[tuple[int, int, Fraction]]) -> list[tuple[int, int, Fraction]]:
        """Stretches of days with the sum of what is taken on each of them."""
        kept = [(begin, end, rate) for begin, end, rate in parts if begin <= end]
        edges = sorted({day for begin, end, _ in kept for day in (begin, end + 1)})
        return [
            (first, following - 1, sum((r for begin, end, r in kept if begin <= first <= end), Fraction(0)))
            for first, following in pairwise(edges)
        ]

    def high_dose_runs(self, feature: Feature, certain: bool) -> list[World]:
        """Runs of days at the dose or more, and on the concurrent medicine where one is named."""
        needed = Fraction(feature.get("dailyDose"))  # type: ignore[arg-type]
        needed -= Fraction(1, 200_000_000) if feature.get("perKilogram") else 0
        parts = []
        for drug in self.medicines(feature):
            low, high = self.rate(drug, feature, "throughout")
            if not certain:
                parts.append((*possible_days(drug.worlds), needed if high is None else high))
            elif drug.certain and drug.began and low is not None:
                parts.append((*sure_days(drug.worlds), low))
        days = [(begin, end) for begin, end, rate in self.steps(parts) if rate >= needed]
        if feature.get("concurrentWith"):
            gap = int(str(feature.get("concurrentGap"))[1:-1])
            others = self.medicines(feature, "concurrentWith")
            spans = [sure_days(x.worlds) for x in others if x.certain and x.began]
            spans = spans if certain else [possible_days(x.worlds) for x in others]
            cover = runs_of(spans, gap)
            days = [(max(a, c), min(b, d)) for a, b in days for c, d in cover]
        return runs_of(days, 1)

    def _dose_duration(self, feature: Feature) -> Bound:
        windows = self.windows(feature)
        assert windows is not None

        def longest(certain: bool) -> Fraction:
            runs = [run for run in self.high_dose_runs(feature, certain) if overlaps(run, *windows[0])]
            return Fraction(max((end - begin + 1 for begin, end in runs), default=0))

        return longest(True), longest(False) if self.complete("medications", self.on) else None

    def _treatment_duration(self, feature: Feature) -> Bound:
        windows, gap_text = self.windows(feature), str(feature.get("gap"))
        assert windows is not None
        gap = 0 if gap_text == "PT0S" else int(gap_text[1:-1])
        more = 1 if feature.get("counting") == "inclusive" else 0

        def days(spans: Iterable[World]) -> Fraction:
            runs = runs_of(spans, gap)
            if feature.get("measure") == "runToScreening":
                runs = [run for run in runs if run[1] >= self.on - gap]
            elif feature.get("measure") == "longestRun":
                runs = [run for run in runs if overlaps(run, *windows[0])]
            lengths = [end - begin + more for begin, end in runs]
            return Fraction(sum(lengths) if feature.get("measure") == "total" else max(lengths, default=0))

        drugs = self.medicines(feature)
        sure = [sure_days(drug.worlds) for drug in drugs if drug.certain and drug.began]
        possible = [possible_days(drug.worlds) for drug in drugs]
        if feature.get("sinceFirstDose"):
            possible = [(begin, min(end + gap, self.on)) for begin, end in possible]
        return days(sure), days(possible) if self.complete("medications", self.on) else None

    def _cumulative_dose(self, feature: Feature) -> Bound:
        least, most = Fraction(0), Fraction(0)
        unknown = False
        for drug in self.medicines(feature):
            row = drug.row
            if row["route"] not in (None, feature.get("route")):
                continue
            once = row["administration"] or row["period_days"] is None
            (first, last), (begin, end) = sure_days(drug.worlds), possible_days(drug.worlds)
            found = [weight for _, weight in self.weights(drug)]
            light = lowest(number(weight["low"]) for weight in found)
            heavy = highest(number(weight["high"]) for weight in found)
            by_kg = row["dose_unit"] == "mg/kg"
            dose, times = number(row["dose"]), Fraction(1 if row["times"] is None else row["times"])
            if drug.certain and drug.began and row["route"] is not None and dose is not None and (light or not by_kg):
                number_of = 1 if once else max(last - first, 0) // Fraction(row["period_days"]) + 1
                least += dose * times * number_of * (light if by_kg and light else 1)
            unclear = dose is None or begin == BEGIN or (by_kg and not heavy)
            if unclear or (row["period_days"] is None and not row["administration"]):
                unknown = True
            elif dose is not None:
                number_of = 1 if once else (end - begin) // Fraction(row["period_days"]) + 1
                most += dose * times * number_of * (heavy if by_kg and heavy else 1)
        return least, most if self.complete("medications", self.on) and not unknown else None

    # ---- worsening of nephritis -------------------------------------------------------------------------------------

    def _renal_worsening(self, feature: Feature) -> Bound:
        """Proteinuria rose or eGFR fell since the start of the latest high-dose run of 14 days (A0-12)."""
        windows = self.windows(feature)
        assert windows is not None
        runs = [
            begin
            for begin, end in self.high_dose_runs(feature, True)
            if overlaps((begin, end), *windows[0]) and end - begin + 1 >= 14
        ]
        if not runs:
            return UNKNOWN
        proteinuria = self.changes(("upcr", "urineProtein24h"), max(runs), 1)
        filtration = self.changes(("egfrCkdEpi2021", "egfrCkdEpi", "egfrMdrd"), max(runs), -1)
        worse = True in proteinuria + filtration
        steady = all(changes and all(change is False for change in changes) for changes in (proteinuria, filtration))
        return Fraction(1) if worse else None, Fraction(0) if steady and not worse else None

    def changes(self, tests: Sequence[str], start: int, direction: int) -> list[bool | None]:
        """For each test with a value at the start and one now: worse, not worse, or not known."""
        found: list[bool | None] = []
        for test in tests:
            dated = [
                (row["date_from"].toordinal(), row["date_to"].toordinal(), row)
                for row in self.seen("measurement", "date_from")
                if row["test"] == test and row["date_from"] is not None
            ]
            before = [(day, row) for day, last, row in dated if last <= start and day >= start - SERVES["result"]]
            current = self.on - SERVES["result"] - self.shift
            since = [(day, row) for day, _, row in dated if day > start and day >= current]
            if not before or not since:
                continue
            first = [row for day, row in before if day == max(day for day, _ in before)]
            now = [row for day, row in since if day == max(day for day, _ in since)]
            less, more = (first, now) if direction > 0 else (now, first)
            top, bottom = highest(number(r["high"]) for r in less), lowest(number(r["low"]) for r in more)
            rest, limit = lowest(number(r["low"]) for r in less), highest(number(r["high"]) for r in more)
            if bottom is not None and top is not None and bottom > top:
                found.append(True)
            else:
                found.append(False if limit is not None and rest is not None and limit <= rest else None)
        return found

    # ---- pregnancy, biopsy, classification --------------------------------------------------------------------------

    def _pregnancy(self, feature: Feature) -> Bound:
        if self.facts["patient"][0]["sex"] is None:
            return UNKNOWN
        about = Feature("DiagnosisCondition", (("valueSet", ("pregnancyCondition",)),))
        rows = self.latest(["hcgSerumQual", "hcgSerumQuant", "hcgUrineQual"])
        answers = [self.answer(row) for row in rows]
        tested = agreed(answers) if self.fresh(rows, "pregnancyTest") else UNKNOWN
        recent = any(
            answer is not False and self.days_of(row)[1] >= self.on - 300
            for row, answer in zip(rows, answers, strict=True)
        )
        present = possible = False
        for row, status in self.diagnoses(about):
            abated_later = row["abated_from"] is not None and row["abated_from"].toordinal() > self.base
            active = True if abated_later else row["ongoing"]
            present = present or (row["status"] == "confirmed" and status == "in" and active is True)
            may_last = any(end >= self.on for _, end in self.condition_worlds(row))
            possible = possible or (row["status"] != "refuted" and active is not False and may_last)
        negative, positive = tested[1] == 0, tested[0] == 1
        lower = Fraction(1) if not negative and (positive or present) else None
        no_sign = self.complete("conditions", self.on) and not possible and not recent
        return lower, Fraction(0) if not positive and not present and (negative or no_sign) else None

    def biopsies(self) -> list[Row]:
        names = ("isnRpsClass", "nihActivityIndex", "nihChronicityIndex")
        return [row for row in self.seen("measurement", "date_from") if row["test"] in names]

    def _biopsy_class(self, feature: Feature) -> Bound:
        classes = feature.get("biopsyClass")
        assert isinstance(classes, tuple)
        certain = possible = False
        for row in self.biopsies():
            if row["test"] == "isnRpsClass":
                hit = row["text"] is not None and bool(set(row["text"].split("+")) & set(classes))
                certain, possible = certain or hit, possible or hit or row["text"] is None
        for row in self.seen("condition", "onset_from", "recorded_from"):
            if row["concept"] in [f"lupusNephritisClass{name}" for name in classes]:
                certain = certain or row["status"] == "confirmed"
                possible = possible or row["status"] != "refuted"
        absent = self.complete("procedures", self.on) and not possible
        return Fraction(1) if certain else None, Fraction(0) if absent else None

    def _biopsy(self, feature: Feature) -> Bound:
        if self.biopsies():
            return Fraction(1), None
        return None, Fraction(0) if self.complete("procedures", self.on) else None

    def latest_biopsy(self) -> list[tuple[Row, World]]:
        """A biopsy is no test that is repeated: it keeps its date."""
        rows = [
            (row, (ordinal(row["date_from"], BEGIN), min(ordinal(row["date_to"], self.base), self.base)))
            for row in self.biopsies()
        ]
        return [(row, days) for row, days in rows if all(days[1] >= other[0] for _, other in rows)]

    def _biopsy_index(self, feature: Feature) -> Bound:
        rows = [row for row, _ in self.latest_biopsy() if row["test"] == feature.get("index")]
        return lowest(number(row["low"]) for row in rows), highest(number(row["high"]) for row in rows)

    def _biopsy_age(self, feature: Feature) -> Bound:
        start = duration_before(self.on, str(feature.get("lookback")))
        days = [days for _, days in self.latest_biopsy()]
        lower = Fraction(1) if days and all(first >= start for first, _ in days) else None
        absent = self.complete("procedures", self.on) and all(last < start for _, last in days)
        return lower, Fraction(0) if absent else None

    def _classification(self, feature: Feature) -> Bound:
        name = str(feature.get("classificationSet"))
        about = Feature("DiagnosisCondition", (("valueSet", (str(feature.get("diagnosis")),)),))
        if self.refuted(self.diagnoses(about), about):
            return None, Fraction(0)
        rows = self.latest([name])
        answers = [self.stated_answer(name, row) for row in rows]
        if answers and all(answer is True for answer in answers):
            return Fraction(1), None
        if answers and all(answer is False for answer in answers):
            return None, Fraction(0)
        if not all(row["positive"] is None and row["low"] is not None for row in rows):
            return UNKNOWN
        met, unmet = self.by_items(name)
        return Fraction(1) if met else None, Fraction(0) if unmet else None

    def ana_ever(self) -> bool:
        tests = ("ana", "anaTiter", "eularAcr2019:ana")
        return any(r["test"] in tests and self.answer(r) is True for r in self.seen("measurement", "date_from"))

    def clinical_item_known(self) -> bool:
        clinical = {f"eularAcr2019:{i['key']}" for i in classification_rows("eularAcr2019") if i["kind"] == "clinical"}
        seen = self.seen("measurement", "date_from")
        return any(r["test"] in clinical and (r["positive"] or (r["low"] or 0) > 0) for r in seen)

    def stated_answer(self, name: str, row: Row) -> bool | None:
        """What a recorded classification or its points decide (rule 10)."""
        if row["positive"] is not None:
            return bool(row["positive"])
        low, high = row["low"], row["high"]
        if name == "acr1997":
            return True if low is not None and low >= 4 else False if high is not None and high < 4 else None
        if name == "eularAcr2019":
            certain = low is not None and (low >= 13 or (low >= 10 and self.clinical_item_known()))
            if certain and self.ana_ever():
                return True
            return False if high is not None and high < 10 else None
        return None

    def by_items(self, name: str) -> tuple[bool, bool]:
        """Whether the items prove the classification, and whether they exclude it (classification.md, rules)."""
        present: dict[str, bool | None] = {}
        table = classification_rows(name)
        seen = list(self.seen("measurement", "date_from"))
        for item in table:
            said = [
                row["positive"] if row["positive"] is not None else row["low"] > 0
                for row in seen
                if row["test"] == f"{name}:{item['key']}" and (row["positive"] is not None or row["low"] is not None)
            ]
            present[item["key"]] = True if any(said) else False if said else None
        if name == "eularAcr2019":
            return self.by_domains(table, present)
        yes = [item for item in table if present[item["key"]]]
        may = [item for item in table if present[item["key"]] is not False]
        if name == "acr1997":
            return len(yes) >= 4, len(may) < 4
        kinds = lambda some: {item["kind"] for item in some} >= {"clinical", "immunologic"}  # noqa: E731
        nephritis = any(row["test"] == "isnRpsClass" and row["text"] is not None for row in seen)
        antibody = self.ana_ever() or any(present[key] for key in ("ana", "antiDsDNA"))
        no_antibody = not self.ana_ever() and not any(present[key] is not False for key in ("ana", "antiDsDNA"))
        met = (len(yes) >= 4 and kinds(yes)) or (nephritis and antibody)
        no_nephritis = present["renal"] is False and not nephritis
        return met, (len(may) < 4 or not kinds(may)) and (no_antibody or no_nephritis)

    def by_domains(self, table: Sequence[Row], present: Mapping[str, bool | None]) -> tuple[bool, bool]:
        """EULAR/ACR 2019: entry criterion, highest item of each domain, ten points with a clinical item."""
        entry = True if self.ana_ever() else present["ana"]
        items = [item for item in table if item["kind"] != "entry"]

        def points(counts: Callable[[bool | None], bool]) -> tuple[int, bool]:
            chosen = [item for item in items if counts(present[item["key"]])]
            domains: dict[str, int] = defaultdict(int)
            for item in chosen:
                domains[item["domain"]] = max(domains[item["domain"]], int(item["weight"]))
            return sum(domains.values()), any(item["kind"] == "clinical" for item in chosen)

        least, clinical = points(lambda value: value is True)
        most, maybe_clinical = points(lambda value: value is not False)
        met = entry is True and least >= 10 and clinical
        return met, entry is False or most < 10 or not maybe_clinical

    def fourth_criterion(self) -> int | None:
        """The day by which four criteria of ACR 1997 were recorded."""
        first: dict[str, int] = {}
        for row in self.seen("measurement", "date_from"):
            if row["test"].startswith("acr1997:") and row["positive"] and row["date_from"] is not None:
                day = min(ordinal(row["date_to"], self.base), self.base)
                first[row["test"]] = min(day, first.get(row["test"], day))
        return sorted(first.values())[3] if len(first) >= 4 else None

    def _days_since_diagnosis(self, feature: Feature) -> Bound:
        name, anchor = str(feature.get("classificationSet")), self.anchor(feature)
        if anchor is None:
            return UNKNOWN
        needed = {"acr1997": 4, "slicc2012": 4, "eularAcr2019": 10}[name]
        about = Feature("DiagnosisCondition", (("valueSet", (str(feature.get("diagnosis")),)),))
        own = [
            row
            for row in self.seen("measurement", "date_from")
            if row["test"] == name
            and row["date_from"] is not None
            and (row["positive"] or (row["positive"] is None and row["low"] is not None and row["low"] >= needed))
        ]
        dated = [row for row, status in self.diagnoses(about) if row["status"] == "confirmed" and status == "in"]
        if own:
            earliest = min(row["date_from"] for row in own).toordinal()
            latest = min(min(row["date_to"] for row in own).toordinal(), self.base)
            return Fraction(anchor[0] - latest), Fraction(anchor[1] - earliest)
        dated = [row for row in dated if ordinal(row["recorded_from"], BEGIN) <= self.base]
        broad = [row for row in dated if (row["concept"], str(feature.get("diagnosis"))) in self.known.refutes]
        recorded = [row for row in dated if row["recorded_from"] is not None]
        begun = [row["recorded_from"].toordinal() for row in recorded]
        latest_day = min((min(row["recorded_to"].toordinal(), self.base) for row in recorded), default=None)
        if latest_day is None and name == "acr1997":
            latest_day = self.fourth_criterion()
        least = None if latest_day is None else Fraction(anchor[0] - latest_day)
        if any(row["recorded_from"] is not None for row in broad):
            return least, Fraction(anchor[1] - min(begun))
        onsets = [row["onset_from"].toordinal() for row in broad if row["onset_from"] is not None]
        return least, Fraction(anchor[1] - min(onsets + begun)) if onsets else None


@dataclass(frozen=True)
class Medicine:
    """A record of a medicine of the value set: is it proof, when was it taken, is it known to have begun."""

    row: Row
    certain: bool
    worlds: list[World]
    began: bool
