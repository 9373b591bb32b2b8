"""The naive calculator: medicines and doses."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from features.naive_facts import (
    BEGIN,
    UNKNOWN,
    Bound,
    Facts,
    Row,
    World,
    highest,
    lowest,
    maybe,
    number,
    ordinal,
    overlaps,
    possible_days,
    runs_of,
    sure_days,
    surely,
    worlds,
)
from sle_kg.criteria import Feature


@dataclass(frozen=True)
class Medicine:
    """A record of a medicine of the value set: is it proof, when was it taken, is it known to have begun."""

    row: Row
    certain: bool
    worlds: list[World]
    began: bool


LEAST = Fraction(1, 1_000_000)
"""Kilograms: doses per kg are computed with weights in milligrams."""


def is_weight(row: Row) -> bool:
    """Whether a body weight tells a weight: it could be read, and is not 0 kg."""
    return row["low"] is not None if row["high"] is None else row["high"] > 0


class Medicines(Facts):
    """What was taken, how much and how long."""

    # ---- medicines --------------------------------------------------------------------------------------------------

    def medicines(self, feature: Feature, parameter: str = "valueSet") -> list[Medicine]:
        found = []
        for row in self.facts.get("exposure", ()):
            status = self.status(row["concept"], feature, parameter)
            unseen = row["start_from"] is not None and row["start_from"].toordinal() > self.base
            if status is None or unseen or row["taken"] == "no" or row["route"] == "local":
                continue
            row = {**row, "ongoing": None} if row["ongoing"] and self.may_be_over(row) else row
            found.append(Medicine(row, row["taken"] == "yes" and status == "in", *self.medicine_worlds(row)))
        return found

    def may_be_over(self, row: Row) -> bool:
        """Whether another record of the drug tells that it is not taken any more, or was stopped."""
        same = [other for other in self.seen("exposure", "start_from") if other["concept"] == row["concept"]]
        return any(self.denies(other, row) or self.stops(other, row) for other in same)

    def denies(self, other: Row, row: Row) -> bool:
        """Whether the drug is said not to be taken up to now, from a later day on."""
        begun = ordinal(other["start_from"] or other["start_to"], BEGIN)
        until_now = ordinal(other["end_to"], self.base) >= self.base
        return other["taken"] == "no" and until_now and begun > ordinal(row["start_from"], BEGIN)

    def stops(self, other: Row, row: Row) -> bool:
        """Whether a course is over that may be the same, and was not told before."""
        if other["taken"] not in ("yes", "uncertain") or other["administration"] or other["record"] == row["record"]:
            return False
        ended = other["end_from"] is not None and other["end_from"].toordinal() <= self.base
        if other["route"] == "local" or not (ended or other["ongoing"] is False):
            return False
        never, start = dt.date.max, row["start_from"] or dt.date.min
        if row["route"] and other["route"] and row["route"] != other["route"]:
            return False
        if (row["start_to"] or never) < (other["start_from"] or dt.date.min):
            return False
        later = other["start_from"] is None or start > other["start_from"]
        if later and start >= (other["end_to"] or other["recorded_to"] or never):
            return False
        if other["recorded_to"] is None:
            return start <= (other["start_to"] or never)
        told = [row["recorded_from"], row["recorded_to"], other["recorded_from"], other["recorded_to"]]
        if len(set(told)) == 1:
            return start <= (other["start_to"] or never)
        return (row["recorded_from"] or dt.date.min) <= other["recorded_to"]

    def medicine_worlds(self, row: Row) -> tuple[list[World], bool]:
        """First and last days taken, and whether it is known to have begun (rules 5 and 13)."""
        earliest = ordinal(row["start_from"], BEGIN)
        first = (earliest, min(ordinal(row["start_to"], self.base), self.base))
        end, ongoing = row["end_from"], row["ongoing"]
        unseen_end = end is not None and end.toordinal() > self.base
        if ongoing and (unseen_end or end is None):
            last = (self.on, self.on)
        elif unseen_end or (end is None and ongoing is not False):
            last = (earliest, self.base if ongoing is False else self.on)
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
        """The readable weights nearest to a medicine's interval, with their distance in days (rule 7)."""
        first, last = sure_days(drug.worlds)
        last = possible_days(drug.worlds)[1] if last == BEGIN else last
        dated = [
            (max(0, first - row["date_to"].toordinal(), row["date_from"].toordinal() - last), row)
            for row in self.seen("measurement", "date_from")
            if row["test"] == "bodyWeight" and row["date_from"] is not None and is_weight(row)
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
            exact = all(row["date_from"] == row["date_to"] for _, row in found)
            of_day: dict[object, list[Fraction | None]] = defaultdict(list)
            for _, row in found:
                of_day[row["date_from"] if exact else None].append(number(row["high"]))
            return lowest(most for most in map(highest, of_day.values()) if most is not None), light
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
                high / light if high is not None and light and light >= LEAST else None
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
        of_day: dict[tuple[object, Fraction], list[bool]] = defaultdict(list)
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
                amount = dose * times * number_of * (light if by_kg and light else 1)
                dates = {row[name] for name in ("start_from", "start_to", "end_from", "end_to")}
                if len(dates) == 1 and None not in dates:
                    of_day[dates.pop(), amount].append(row["administration"])
                else:
                    least += amount
            unclear = dose is None or begin == BEGIN or (by_kg and not heavy)
            if unclear or (row["period_days"] is None and not row["administration"]):
                unknown = True
            elif dose is not None:
                number_of = 1 if once else (end - begin) // Fraction(row["period_days"]) + 1
                most += dose * times * number_of * (heavy if by_kg and heavy else 1)
        least += sum(amount * (sum(given) or len(given)) for (_, amount), given in of_day.items())
        return least, most if self.complete("medications", self.on) and not unknown else None
