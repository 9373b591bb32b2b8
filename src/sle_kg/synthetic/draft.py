"""A patient in the making: the records so far, and how they are looked for, replaced and dated."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache

from sle_kg.criteria import Leaf
from sle_kg.features.sql import duration_parts
from sle_kg.ontology import concepts
from sle_kg.synthetic.records import Diagnosis, Medicine, Procedure, Record, Result, SyntheticPatient
from sle_kg.terminology import terminology


@dataclass(slots=True)
class Draft:
    """What is known of a patient before it is written; `on` is the day of screening, `records` grow and change.

    `weight` is in kg, `birth` None where it is not recorded, `sex` what FHIR says.
    """

    id: str
    on: dt.date
    sex: str
    birth: str
    diagnosed: dt.date
    weight: int
    group: str
    records: list[Record] = field(default_factory=list)

    def ago(self, days: int) -> str:
        """The date so many days before screening; negative: after it."""
        return (self.on - dt.timedelta(days=days)).isoformat()

    def without(self, unwanted: Callable[[Record], bool]) -> None:
        """Take records out."""
        self.records[:] = [record for record in self.records if not unwanted(record)]

    def without_results(self, tests: Iterable[str]) -> None:
        """Take every result of some tests out, scores with their items."""
        names = frozenset(tests)
        self.without(lambda record: isinstance(record, Result) and record.test in names)

    def without_concepts(self, keys: Iterable[str]) -> None:
        """Take every medicine, diagnosis and procedure of some concepts out."""
        names = frozenset(keys)
        self.without(lambda record: isinstance(record, Medicine | Diagnosis | Procedure) and record.concept in names)

    def finished(self) -> SyntheticPatient:
        """The patient."""
        return SyntheticPatient(self.id, self.sex, self.birth, self.group, tuple(self.records))


@cache
def members(value_set: str) -> tuple[str, ...]:
    """The keys of the concepts that a value set, drug class or concept of the criteria holds, sorted."""
    rows = terminology().membership(sorted(concepts()), [value_set])
    return tuple(sorted(concept for concept, _, status in rows if status == "in"))


def value_sets(leaf: Leaf) -> tuple[str, ...]:
    """The value sets that a comparison asks about."""
    found = leaf.feature.get("valueSet", ())
    return found if isinstance(found, tuple) else (str(found),)


def before(day: dt.date, duration: str) -> dt.date:
    """The date one duration before another: days exact, months and years calendar, clamped to the end of the month."""
    months, days = duration_parts(duration)
    index = day.year * 12 + day.month - 1 - months
    year, month = index // 12, index % 12 + 1
    last = calendar.monthrange(year, month)[1]
    return dt.date(year, month, min(day.day, last)) - dt.timedelta(days=days)


def birthday(day: dt.date, years: int) -> dt.date:
    """The birth date of who is so many years old on a day; a 29th of February becomes the 1st of March elsewhere."""
    year = day.year - years
    if (day.month, day.day) == (2, 29) and not calendar.isleap(year):
        return dt.date(year, 3, 1)
    return dt.date(year, day.month, day.day)
