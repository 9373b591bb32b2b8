"""The naive calculator: diagnoses, procedures, vaccines and allergies."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from fractions import Fraction

from features.naive_facts import (
    BEGIN,
    UNKNOWN,
    Bound,
    Facts,
    Row,
    World,
    maybe,
    ordinal,
    surely,
    worlds,
)
from sle_kg.criteria import Feature


class Diagnoses(Facts):
    """What was diagnosed and done."""

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
