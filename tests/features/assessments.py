"""Follow-ups of patients in a few lines, and what the feature builder says of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from features.histories import Facts, Writer, tables
from features.naive_assessment import items_of
from features.naive_facts import Bound
from features.real import feature
from sle_kg.criteria import Feature
from sle_kg.features import Ask, EventDate, FeatureBuilder, FeatureOptions
from sle_kg.features.asks import Moment
from sle_kg.terminology import terminology

TRIAL = "NCT06710717"
INFUSION = dt.date(2026, 1, 10)
VISIT = dt.date(2026, 4, 4)
UNKNOWN = (None, None)


def days(number: int) -> dt.timedelta:
    return dt.timedelta(days=number)


def moments(visit: dt.date = VISIT, before: int = 14, after: int = 13) -> dict[str, Moment]:
    """Those of an assessment on a day: a window around it, up to the infusion, up to the day before."""
    return {
        "visit": Moment(visit - days(before), visit + days(after), visit),
        "baseline": Moment(dt.date.min, INFUSION, INFUSION),
        "previous": Moment(dt.date.min, visit - days(1), visit - days(1)),
    }


def ask(number: int = 0, patient: str = "p", visit: dt.date = VISIT, without: Sequence[str] = ()) -> Ask:
    """An assessment on a day, with all its moments but some."""
    where = {name: moment for name, moment in moments(visit).items() if name not in without}
    events = {"infusion": EventDate(INFUSION, INFUSION)}
    return Ask(number, patient, TRIAL, visit, visit, events, moments=where, complete_until=dt.date.max)


def builder(patients: Iterable[Facts], wanted: Sequence[Feature]) -> FeatureBuilder:
    return FeatureBuilder(tables(patients), wanted, terminology())


def built(
    patients: Sequence[Facts], asks: Sequence[Ask], wanted: Sequence[Feature], derive: bool = False
) -> dict[tuple[int, str], Bound]:
    values = builder(patients, wanted).compute(asks, {TRIAL: wanted}, FeatureOptions(derive_items=derive))
    return {(v.ask, v.slug): (_exact(v.lower), _exact(v.upper)) for v in values}


def _exact(value: Decimal | None) -> Fraction | None:
    return None if value is None else Fraction(value)


class Record(Writer):
    """The facts of one patient, written in a line each."""

    def __init__(self, patient: str = "p") -> None:
        super().__init__(patient)
        self.add("patient", sex="female")

    def result(self, test: str, value: str | int | None, on: dt.date | tuple[dt.date, dt.date], **more: Any) -> str:
        dates = on if isinstance(on, tuple) else (on, on)
        number = None if value is None else Decimal(value)
        return self.dated("measurement", dates, **{"test": test, "low": number, "high": number, **more})

    def items(self, present: Iterable[str], on: dt.date = VISIT, absent: Iterable[str] | None = None) -> Record:
        """Items of SLEDAI-2K; `absent` are all the others unless named."""
        present = set(present)
        every = {item.test.partition(":")[2] for item in items_of("sledai2kTotal")}
        for key in sorted(present | (every if absent is None else set(absent))):
            self.dated("measurement", (on, on), test=f"sledai2k:{key}", positive=key in present)
        return self

    def grades(self, letters: Mapping[str, str], on: dt.date) -> Record:
        for system, letter in letters.items():
            self.dated("measurement", (on, on), test=f"bilag:{system}", text=letter)
        return self

    def medicine(self, concept: str, start: dt.date, end: dt.date | None = None, **more: Any) -> Record:
        given = {"dose": Decimal(100), "dose_unit": "mg", "times": Decimal(1), "period_days": Decimal(1)} | more
        self.add(
            "exposure",
            concept=concept,
            **{"taken": "yes", "administration": False} | given,
            start_from=start,
            start_to=start,
            end_from=end,
            end_to=end,
            ongoing=end is None,
        )
        return self

    def complete(self) -> Record:
        self.dated("completeness", (VISIT + days(300),) * 2, section="medications")
        return self


def one(facts: Record, wanted: Feature, derive: bool = False, without: Sequence[str] = ()) -> Bound:
    return built([facts.facts], [ask(without=without)], [wanted], derive).get((0, wanted.slug), UNKNOWN)


def score(instrument: str = "sledai2kTotal", **more: str) -> Feature:
    return feature("AssessedScore", instrument=instrument, **more)


def value(test: str, quantity: str = "value", **more: str) -> Feature:
    return feature("AssessedValue", test=(test,), quantity=quantity, **more)


CLINICAL, MAJOR = score(itemGroup="clinical"), score(itemGroup="majorOrgan")
NEW_ITEMS = feature("NewItems", instrument="sledai2k", since="previous")
NEW_A, NEW_B = (feature("NewGrades", instrument="bilag2004", grade=g, since="baseline") for g in "AB")
TREATMENT = feature("TreatmentChange", since="previous", valueSet=("ConventionalImmunosuppressant",))
