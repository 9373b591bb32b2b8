"""A naive calculator of the features of a follow-up: loops over records in plain Python, written from the rules.

Points of items are those of the fact tables (scores_sledai2k.csv) and of the published coding of BILAG-2004 grades.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any

from features.naive_facts import BEGIN, FACTS, UNKNOWN, Bound, Row, highest, lowest, number, ordinal, snake_case
from features.naive_medicines import Medicine, Medicines
from sle_kg.criteria import Feature

END = dt.date.max.toordinal()
GRADE_POINTS = {"A": 12, "B": 8, "C": 1, "D": 0, "E": 0}
BILAG_SYSTEMS = (
    "constitutional",
    "mucocutaneous",
    "neuropsychiatric",
    "musculoskeletal",
    "cardiorespiratory",
    "gastrointestinal",
    "ophthalmic",
    "renal",
    "haematological",
)
THRESHOLDS: dict[str, tuple[str, ...]] = {
    "hematuria": ("urineRbcHpf", ">", "5"),
    "pyuria": ("urineWbcHpf", ">", "5"),
    "proteinuria": ("urineProtein24h", ">", "0.5"),
    "fever": ("bodyTemperature", ">", "38"),
    "thrombocytopenia": ("platelets", "<", "100"),
    "leukopenia": ("leukocytes", "<", "3"),
    "lowComplement": ("c3 c4", "<", "lln"),
    "increasedDNABinding": ("antiDsDna", ">", "uln"),
}
"""Tests, comparator and limit of the items that results propose (scores.md, section 1)."""
WINDOW = {"sledai2k": 30, "selenaSledai": 10}
"""Days before the assessment in which a result proposes an item (scores.md, section 1)."""
Interval = tuple[int, int]


@dataclass(frozen=True)
class Item:
    """An item of an instrument: the points that it adds when present, and the groups that it belongs to."""

    test: str
    points: int
    groups: frozenset[str]


@cache
def items_of(total: str) -> tuple[Item, ...]:
    """The items of a total; empty where it has none."""
    if total == "bilagTotal":
        return tuple(Item(f"bilag:{system}", 12, frozenset({system})) for system in BILAG_SYSTEMS)
    prefix = {"sledai2kTotal": "sledai2k", "selenaSledaiTotal": "selenaSledai"}.get(total)
    if prefix is None:
        return ()
    found = []
    with (FACTS / "scores_sledai2k.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            groups = {row["lldas_organ_group"], row["organ_system"]}
            groups |= {"clinical"} if row["counts_as_serology_only"] == "no" else set()
            groups |= {"majorOrgan"} if row["lldas_major_organ"] == "yes" else set()
            found.append(Item(f"{prefix}:{row['key']}", int(row["weight"]), frozenset(groups)))
    return tuple(found)


@dataclass(frozen=True)
class Day:
    """An assessment: the bounds of each item, and the totals recorded."""

    items: Mapping[str, tuple[int, int]]
    totals: tuple[tuple[Fraction | None, Fraction | None], ...]

    def points(self, total: str, tests: set[str]) -> tuple[Fraction, Fraction]:
        """The least and the most that some items can add, by items and totals."""
        size = {item.test: item.points for item in items_of(total)}
        bound = {test: self.items.get(test, (0, most)) for test, most in size.items()}
        least, most = (sum(bound[test][side] for test in tests) for side in (0, 1))
        rest_least, rest_most = (sum(b[side] for test, b in bound.items() if test not in tests) for side in (0, 1))
        if not self.totals:
            return Fraction(least), Fraction(most)
        found = [self._with(t, least, most, rest_least, rest_most, tests, size) for t in self.totals]
        return min(low for low, _ in found), max(high for _, high in found)

    @staticmethod
    def _with(
        stated: tuple[Fraction | None, Fraction | None],
        least: int,
        most: int,
        rest_least: int,
        rest_most: int,
        tests: set[str],
        size: Mapping[str, int],
    ) -> tuple[Fraction, Fraction]:
        whole, part = sum(size.values()), sum(size[test] for test in tests)
        low = Fraction(0) if stated[0] is None else stated[0]
        high = Fraction(whole) if stated[1] is None else stated[1]
        if low <= most + rest_most and high >= least + rest_least:
            return max(Fraction(least), low - rest_most), min(Fraction(most), high - rest_least)
        by_total = max(Fraction(0), low - (whole - part)), min(Fraction(part), high)
        return min(Fraction(least), by_total[0]), max(Fraction(most), by_total[1])


class Assessments(Medicines):
    """One patient's facts seen by one ask of a follow-up."""

    derive_items = False

    def bounds(self, feature: Feature) -> Bound:
        """The bounds of a feature; both unknown where nothing is known."""
        calculate = getattr(self, "_" + snake_case(feature.kind.removesuffix("Condition")))
        return calculate(feature)  # type: ignore[no-any-return]

    # ---- the nearest result -----------------------------------------------------------------------------------------

    def nearest(self, moment: str, dated: Iterable[tuple[Interval, Any]]) -> list[Any] | None:
        """What can be the nearest to the target; None where nothing surely lies inside the moment."""
        where = self.ask.moments.get(moment)
        if where is None:
            return None
        first, last, target = (day.toordinal() for day in (where.first, where.last, where.target))

        def rank(day: int) -> tuple[int, bool]:
            return abs(day - target), day < target

        close, sure = [], []
        for (start, end), what in dated:
            if start > last or end < first:
                continue
            days = {max(start, first), min(end, last)}
            days |= {target} if max(start, first) <= target <= min(end, last) else set()
            close.append((min(map(rank, days)), what))
            if first <= start and end <= last:
                sure.append(max(map(rank, days)))
        return [what for best, what in close if best <= min(sure)] if sure else None

    def rows(self, tests: Iterable[str]) -> list[tuple[Interval, Row]]:
        """The measurements of some tests with their interval of days."""
        wanted = set(tests)
        return [
            ((ordinal(row["date_from"], BEGIN), ordinal(row["date_to"], END)), row)
            for row in self.facts.get("measurement", ())
            if row["test"] in wanted
        ]

    # ---- scores -----------------------------------------------------------------------------------------------------

    def days(self, total: str) -> list[tuple[Interval, Day]]:
        """The assessments of an instrument: rows of one date belong together."""
        size = {item.test: item.points for item in items_of(total)}
        grouped: dict[Interval, list[Row]] = defaultdict(list)
        for interval, row in self.rows({total, *size}):
            grouped[interval].append(row)
        return [(interval, self.day(total, interval, rows)) for interval, rows in grouped.items()]

    def day(self, total: str, interval: Interval, rows: Sequence[Row]) -> Day:
        size = {item.test: item.points for item in items_of(total)}
        said: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for row in rows:
            if row["test"] != total:
                said[row["test"]].append(self.said(row, size[row["test"]]))
        totals = tuple((number(row["low"]), number(row["high"])) for row in rows if row["test"] == total)
        if interval[0] != interval[1]:
            return Day({}, totals)
        items = {test: (min(a for a, _ in some), max(b for _, b in some)) for test, some in said.items()}
        recorded = Day(items, totals)
        if not self.derive_items or total.removesuffix("Total") not in WINDOW:
            return recorded
        prefix = total.removesuffix("Total")
        for key in THRESHOLDS:
            test = f"{prefix}:{key}"
            if test not in items and (proposed := self.proposed(prefix, key, interval[0])) is not None:
                items = {**items, test: (size[test],) * 2 if proposed else (0, 0)}
        with_proposals = Day(items, totals)
        return with_proposals if self.fit(total, with_proposals) else recorded

    @staticmethod
    def fit(total: str, day: Day) -> bool:
        """Whether every total recorded can be the sum of the items."""
        low, high = replace(day, totals=()).points(total, {item.test for item in items_of(total)})
        return all((a is None or a <= high) and (b is None or b >= low) for a, b in day.totals)

    @staticmethod
    def said(row: Row, most: int) -> tuple[int, int]:
        if row["text"] is not None:
            return (GRADE_POINTS[row["text"]],) * 2
        if row["positive"] is None:
            return 0, most
        return (most, most) if row["positive"] else (0, 0)

    def assessed(self, total: str, moment: str, tests: set[str] | None) -> Bound | None:
        """Points of some items (None: of the whole) at a moment; None where nothing was assessed."""
        days = self.nearest(moment, self.days(total))
        if days is None:
            return None
        if not items_of(total):
            totals = [stated for day in days for stated in day.totals]
            return lowest(low for low, _ in totals), highest(high for _, high in totals)
        wanted = {item.test for item in items_of(total)} if tests is None else tests
        bounds = [day.points(total, wanted) for day in days]
        return min(low for low, _ in bounds), max(high for _, high in bounds)

    def _assessed_score(self, feature: Feature) -> Bound:
        total, other, group = (feature.get(name) for name in ("instrument", "alsoAccepts", "itemGroup"))
        if other is not None:
            where = self.ask.moments.get("visit")
            there = where is not None and any(
                start <= where.last.toordinal() and end >= where.first.toordinal()
                for (start, end), _ in self.days(str(total))
            )
            total = total if there else other
        tests = None
        if group is not None:
            tests = {item.test for item in items_of(str(total)) if group in item.groups}
        return self.change(feature, lambda moment: self.assessed(str(total), moment, tests))

    def change(self, feature: Feature, at: Any) -> Bound:
        now = at(str(feature.get("at", "visit")))
        if feature.get("since") is None:
            return UNKNOWN if now is None else now
        then = at(str(feature.get("since")))
        if now is None or then is None:
            return UNKNOWN
        low = None if now[0] is None or then[1] is None else now[0] - then[1]
        high = None if now[1] is None or then[0] is None else now[1] - then[0]
        return low, high

    def _new_items(self, feature: Feature) -> Bound:
        total = str(feature.get("instrument")).removesuffix("Total") + "Total"
        pairs = [
            (item, *(self.assessed(total, m, {item.test}) for m in self.both(feature))) for item in items_of(total)
        ]
        whole = [self.assessed(total, moment, None) for moment in self.both(feature)]
        if whole[0] is None or whole[1] is None:
            return UNKNOWN
        sure = sum(now[0] > 0 and then[1] < item.points for item, now, then in pairs)
        maybe = sum(now[1] == item.points and then[0] == 0 for item, now, then in pairs)
        rose = whole[0][0] > whole[1][1]  # type: ignore[operator]
        return Fraction(max(sure, int(rose))), Fraction(maybe)

    @staticmethod
    def both(feature: Feature) -> tuple[str, str]:
        return "visit", str(feature.get("since"))

    def _new_grades(self, feature: Feature) -> Bound:
        """Which grades each system can have, at both moments."""
        grade = str(feature.get("grade"))
        sure = maybe = 0
        for item in items_of("bilagTotal"):
            now, then = (self.assessed("bilagTotal", moment, {item.test}) for moment in self.both(feature))
            if now is None or then is None:
                return UNKNOWN
            can_now, could_then = (
                {g for g, points in GRADE_POINTS.items() if low <= points <= high}  # type: ignore[operator]
                for low, high in (now, then)
            )
            lower = set("BCDE") if grade == "A" else set("CDE")
            sure += can_now == {grade} and could_then <= lower
            maybe += grade in can_now and bool(could_then & lower)
        return Fraction(sure), Fraction(maybe)

    # ---- results ----------------------------------------------------------------------------------------------------

    def value(self, feature: Feature, moment: str) -> tuple[Bound, set[str]] | None:
        """A result as value or multiple of its limit, and the tests that it comes from."""
        tests = feature.get("test")
        assert isinstance(tests, tuple)
        rows = self.nearest(moment, self.rows(tests))
        if rows is None:
            return None
        limit = {"timesUpperLimit": "uln", "timesLowerLimit": "lln"}.get(str(feature.get("quantity")))

        def multiple(row: Row, side: str) -> Fraction | None:
            value = number(row[side])
            if limit is None or value is None:
                return value
            return None if not row[limit] else value / Fraction(row[limit])

        bound = lowest(multiple(row, "low") for row in rows), highest(multiple(row, "high") for row in rows)
        return bound, {row["test"] for row in rows}

    def _assessed_value(self, feature: Feature) -> Bound:
        looked = [self.value(feature, str(feature.get("at", "visit")))]
        if feature.get("since") is not None:
            looked.append(self.value(feature, str(feature.get("since"))))
        if any(found is None for found in looked):
            return UNKNOWN
        bounds, tests = [], set()
        for bound, some in looked:  # type: ignore[misc]
            if feature.get("quantity") == "timesBaseline":
                bound, some = self.times_baseline(feature, bound, some)
            bounds.append(bound)
            tests |= some
        if feature.get("since") is not None and len(tests) > 1:
            return UNKNOWN
        values = iter(bounds)
        return self.change(feature, lambda _moment: next(values))

    def times_baseline(self, feature: Feature, bound: Bound, tests: set[str]) -> tuple[Bound, set[str]]:
        baseline = self.value(feature, "baseline")
        if baseline is None or len(tests | baseline[1]) > 1:
            return UNKNOWN, tests
        (low, high), (least, most) = bound, baseline[0]
        lower = None if low is None or not most or most < 0 else low / most
        upper = None if high is None or not least or least < 0 else high / least
        return (lower, upper), tests

    @staticmethod
    def positive(row: Row) -> bool | None:
        """Rule 9: above its own upper limit; an answer that contradicts the limit is none."""
        low, high, limit = number(row["low"]), number(row["high"]), number(row["uln"])
        by_limit = None
        if limit is not None:
            by_limit = True if low is not None and low > limit else None
            by_limit = False if high is not None and high <= limit else by_limit
        if row["positive"] is None:
            return by_limit
        return None if by_limit is (not row["positive"]) else bool(row["positive"])

    def _assessed_positive(self, feature: Feature) -> Bound:
        rows = self.nearest(str(feature.get("at", "visit")), self.rows(feature.get("test")))  # type: ignore[arg-type]
        answers = {self.positive(row) for row in rows or ()}
        return (Fraction(answers.pop()),) * 2 if len(answers) == 1 and None not in answers else UNKNOWN  # type: ignore[arg-type]

    def _highest_value(self, feature: Feature) -> Bound:
        anchor = self.anchor(feature)
        if anchor is None:
            return UNKNOWN
        rows = [
            (anchor[1] <= start and end <= self.on, row)
            for (start, end), row in self.rows(feature.get("test"))  # type: ignore[arg-type]
            if start <= self.on and end >= anchor[0]
        ]
        known = [Fraction(row["low"]) for sure, row in rows if sure and row["low"] is not None]
        upper = highest(number(row["high"]) for _, row in rows) if any(sure for sure, _ in rows) else None
        return max(known, default=None), upper

    # ---- proposals --------------------------------------------------------------------------------------------------

    def proposed(self, prefix: str, key: str, day: int) -> bool | None:
        """What results say of an item on one day."""
        tests, comparator, limit = THRESHOLDS[key]
        sure: dict[str, list[bool | None]] = {test: [] for test in tests.split()}
        doubtful: list[bool | None] = []
        for (start, end), row in self.rows(sure):
            if start <= day and end >= day - WINDOW[prefix]:
                crosses = self.crosses(row, comparator, limit)
                if prefix == "selenaSledai" and key == "proteinuria":
                    crosses = self.rises(row, crosses)
                if day - WINDOW[prefix] <= start and end <= day:
                    sure[row["test"]].append(crosses)
                else:
                    doubtful.append(crosses)
        every = [answer for answers in sure.values() for answer in answers]
        if True in every:
            return True
        none = all(sure.values()) and all(answer is False for answer in every + doubtful)
        return False if none else None

    def crosses(self, row: Row, comparator: str, limit: str) -> bool | None:
        if limit == "uln":
            return self.positive(row)
        bound = number(row["lln"]) if limit == "lln" else Fraction(limit)
        low, high = number(row["low"]), number(row["high"])
        if bound is None:
            return None
        if comparator == ">":
            return True if low is not None and low > bound else False if high is not None and high <= bound else None
        return True if high is not None and high < bound else False if low is not None and low >= bound else None

    def rises(self, row: Row, over: bool | None) -> bool | None:
        """A proteinuria that also rose by more than 0.5 g/24 h against the result before."""
        if over is False:
            return False
        before = None
        if row["date_from"] is not None and row["date_from"] == row["date_to"]:
            day = row["date_from"].toordinal()
            others = [(i, other) for i, other in self.rows([row["test"]]) if other is not row and i[0] < day]
            latest = max((start for (start, end), _ in others if end < day), default=None)
            if latest is not None:
                before = [other for (_, end), other in others if end >= latest]
        if before is None:
            return None
        most, least = highest(number(r["high"]) for r in before), lowest(number(r["low"]) for r in before)
        low, high = number(row["low"]), number(row["high"])
        if high is not None and least is not None and high - least <= Fraction(1, 2):
            return False
        risen = low is not None and most is not None and low - most > Fraction(1, 2)
        return True if risen and over else None

    # ---- treatment --------------------------------------------------------------------------------------------------

    def complete(self, section: str, until: int) -> bool:
        """Statements of completeness count up to the day that the ask names."""
        read_until = (self.ask.complete_until or self.ask.base).toordinal()
        dates = [r["date_from"].toordinal() for r in self.facts.get("completeness", ()) if r["section"] == section]
        return any(until <= day <= read_until for day in dates)

    def _treatment_change(self, feature: Feature) -> Bound:
        where = self.ask.moments.get(str(feature.get("since")))
        then = None if where is None or where.target.toordinal() > self.on else where.target.toordinal()
        drugs = self.medicines(feature)
        complete = self.complete("medications", self.on)
        now = [drug for drug in drugs if self.may_take(drug, self.on)]
        if then is None:
            return None, Fraction(0) if complete and not now else None
        before = [drug for drug in drugs if self.may_take(drug, then)]
        moiety = {id(drug): self.known.drugs[drug.row["concept"]].moiety for drug in drugs}
        changed, same = False, True
        for name in {moiety[id(drug)] for drug in now}:
            ours_now, ours_then = ([d for d in some if moiety[id(d)] == name] for some in (now, before))
            sure_now = [drug for drug in ours_now if self.takes(drug, self.on)]
            sure_then = [drug for drug in ours_then if self.takes(drug, then)]
            spans = all(self.takes(drug, self.on) and self.takes(drug, then) for drug in ours_now + ours_then)
            doses = self.doses(ours_now, sure_now), self.doses(ours_then, sure_then)
            comparable = (
                name is not None
                and len({self.drug_and_unit(d) for d in ours_now + ours_then}) == 1
                and None not in self.drug_and_unit((ours_now + ours_then)[0])
            )
            other = [d for d in before if moiety[id(d)] is None or name is None]
            begun = bool(sure_now) and not ours_then and not other
            differs = comparable and sure_now and sure_then and self.apart(*doses)
            changed = changed or begun or bool(differs)
            equal = comparable and sure_now and sure_then and None not in doses[0] and doses[0] == doses[1]
            constant = equal and doses[0][0] == doses[0][1]
            same = same and bool(spans or constant)
        return Fraction(1) if changed else None, Fraction(0) if complete and same else None

    @staticmethod
    def may_take(drug: Medicine, day: int) -> bool:
        return any(begin <= day <= end for begin, end in drug.worlds)

    @staticmethod
    def takes(drug: Medicine, day: int) -> bool:
        return drug.certain and drug.began and all(begin <= day <= end for begin, end in drug.worlds)

    def drug_and_unit(self, drug: Medicine) -> tuple[str | None, str | None]:
        return self.known.drugs[drug.row["concept"]].drug, drug.row["dose_unit"]

    @staticmethod
    def per_day(drug: Medicine) -> Fraction | None:
        row = drug.row
        if row["administration"] and row["start_from"] == row["end_to"] and row["start_from"] is not None:
            row = {**row, "times": row["times"] or 1, "period_days": row["period_days"] or 1}
        if None in (row["dose"], row["times"], row["period_days"]):
            return None
        return Fraction(row["dose"]) * Fraction(row["times"]) / Fraction(row["period_days"])

    def doses(self, possible: Sequence[Medicine], sure: Sequence[Medicine]) -> Bound:
        """The greatest sure dose, and the sum of all possible ones."""
        known = [dose for drug in sure if (dose := self.per_day(drug)) is not None]
        every = [self.per_day(drug) for drug in possible]
        total = None if not every or None in every else sum(every, Fraction(0))  # type: ignore[arg-type]
        return max(known, default=None), total

    @staticmethod
    def apart(one: Bound, other: Bound) -> bool:
        def above(a: Bound, b: Bound) -> bool:
            return a[0] is not None and b[1] is not None and a[0] > b[1]

        return above(one, other) or above(other, one)
