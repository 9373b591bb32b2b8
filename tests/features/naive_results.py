"""The naive calculator: the person, statements, results and scores."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction

from features.naive_facts import (
    BEGIN,
    SERVES,
    UNKNOWN,
    Bound,
    Facts,
    Row,
    World,
    agreed,
    completed_years,
    duration_before,
    highest,
    lowest,
    number,
    ordinal,
    score_items,
)
from sle_kg.criteria import Feature


class Results(Facts):
    """What was stated, measured and scored."""

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

    def latest_statements(self, keys: Callable[[str], bool]) -> dict[str, list[bool | None]]:
        """The values of the statements of each kind that can be the latest, None for what could not be read."""
        by_kind: dict[str, list[Row]] = defaultdict(list)
        for row in self.seen("statement", "date_from"):
            if keys(row["statement"]):
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
        doubt = any(value is not False for values in ours.values() for value in values)
        denied = any(False in values for key, values in ours.items() if key in sets)
        lower = Fraction(1) if holds else Fraction(0) if feature.get("asDocumented") else None
        known_none = feature.get("asDocumented") or denied or self.complete("statements", self.on)
        return lower, Fraction(0) if known_none and not doubt else None

    def _without_potential(self, by_age: bool) -> Bound:
        said = self.latest_statements(lambda kind: kind in ("childbearingPotential", "postmenopausal", "sterilised"))
        potential = any(value is not False for value in said.get("childbearingPotential", []))
        excluded = False in said.get("childbearingPotential", [])
        unread = any(None in values for values in said.values())
        excluded = excluded or any(any(said.get(kind, [])) for kind in ("postmenopausal", "sterilised"))
        person = self.facts["patient"][0]
        if by_age and person["sex"] == "female" and person["birth_to"] is not None:
            by_age = completed_years(person["birth_to"], self.on) >= 55
        else:
            by_age = False
        lower = Fraction(1) if not potential and (excluded or by_age) else None
        return lower, Fraction(0) if potential and not excluded and not unread else None

    def _fertility(self, feature: Feature) -> Bound:
        return self._without_potential(True)

    def _no_childbearing_potential(self, feature: Feature) -> Bound:
        return self._without_potential(False)

    def _consent(self, feature: Feature) -> Bound:
        if any(row["event"] == "death" for row in self.seen("event", "date_from")):
            return Fraction(0), None
        event = self.ask.events.get("consent")
        signed = event is not None and event.record is not None and event.last.toordinal() <= self.base
        mine = [row for row in self.seen("consent", "date_from") if row["trial"] == self.ask.trial]
        over = [row for row in mine if row["status"] != "active" or ordinal(row["until_from"], self.base) < self.base]
        ended = max((ordinal(row["date_to"], dt.date.max.toordinal()) for row in over), default=0)
        good = [row for row in mine if row not in over and (not over or ordinal(row["date_from"], 0) > ended)]
        if signed or any(row["date_from"] is None for row in good):
            return Fraction(1), None
        return Fraction(0) if over and not good else None, None

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
        """Whether the latest of the results is in time in every world: one on each first possible day is there."""
        return valid_for == "ever" or any(self.days_of(row)[0] >= self.on - SERVES[valid_for] for row in rows)

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
        if factor and person["birth_to"] and heavy and heavy > 0 and little:
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
            and row["date_from"] is not None
            and row["date_from"] == row["date_to"]
            and row["date_from"].toordinal() + self.shift in exact
        ]
        return agreed([None if answer is None else not answer for answer in said])

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
