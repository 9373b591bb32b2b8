"""Doubtful details of a recorded fact, each with answers that it may turn out to have.

A doubt is a cell of a fact table that is missing or vague: a date known to the month, a medicine without end or dose,
an order of which nobody says whether it was taken, a result without its upper limit of normal. The answers are the
extremes between which the truth lies, so that whoever tries them knows whether the detail can matter. Which doubts
concern a feature is not decided here (`trying`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

EARLIEST = dt.date(1900, 1, 1)
"""Stands for a date of which nothing is known from below."""
SMALL, LARGE = Decimal("0.001"), Decimal(100_000)
"""A number below, and one above, every threshold of a trial, in the units of the fact tables."""
LIGHT, HEAVY = Decimal(1), Decimal(1000)
"""Body weights in kg that make a dose per kg large, and small."""

SEX = "the recorded sex"
"""What is asked where a pregnancy test tells nothing because no sex is recorded."""

Cells = tuple[tuple[str, Any], ...]
"""Columns with new values."""
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of a fact table: new values in a row (by its place), a new row (no place), or no row at all."""

    table: str
    row: int | None
    cells: Cells = ()
    gone: bool = False


Answer = tuple[Edit, ...]
"""What the fact tables would say if a doubt were settled in one way."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A detail of a record that is not known: `asked` is a question with `{}` for the record.

    `latest` says of the date of a result that it may be the last day seen, so that no other result is surely later.
    """

    record: str
    asked: str
    answers: tuple[Answer, ...]
    latest: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A row of a fact table and what is asked of it.

    `base` is the last day whose facts are seen; `days` are days that matter to the feature (its anchor, its window).
    `other` are concepts that the record's code may stand for, where the code does not tell. `needs` are the details
    that count beside what happened and whether it did: `dates`, `dose`, `weight`, `route`, `severity`, `method` of a
    test, `volume` of a donation, and the limit of normal, `uln` or `lln`.
    """

    table: str
    number: int
    row: Row
    base: dt.date
    days: Sequence[dt.date] = ()
    other: Sequence[str] = ()
    needs: frozenset[str] = frozenset()

    def answers(self, *cells: Mapping[str, Any]) -> tuple[Answer, ...]:
        """One answer for each set of new values of this row."""
        return tuple((Edit(self.table, self.number, tuple(some.items())),) for some in cells)

    def days_between(self, first: dt.date | None, last: dt.date | None) -> list[dt.date]:
        """The earliest and the latest day that a vague date can mean, and the days between them that matter."""
        start = min(first or EARLIEST, self.base)
        end = max(start, min(last or self.base, self.base))
        return sorted({start, end, *(day for day in self.days if start <= day <= end)})

    def doubt(self, asked: str, answers: Sequence[Answer], latest: bool = False) -> Doubt:
        """A doubt about this record."""
        return Doubt(self.row["record"], asked, tuple(answers), latest)

    def dated(self, asked: str, start: str, end: str, last: dt.date | None = None) -> Iterator[Doubt]:
        """The doubt about a date in two columns, where they do not name one day."""
        first, until = self.row[start], self.row[end]
        if "dates" in self.needs and vague(first, until):
            days = self.days_between(first, until or last)
            yield self.doubt(asked, self.answers(*({start: day, end: day} for day in days)), days[-1] == self.base)

    def whether(self, asked: str, column: str, no: str, yes: str, open_: Sequence[str]) -> Iterator[Doubt]:
        """The doubt whether a fact holds at all."""
        if self.row[column] in open_:
            yield self.doubt(asked, self.answers({column: no}, {column: yes}))

    def which(self, asked: str) -> Iterator[Doubt]:
        """The doubt what a code stands for."""
        if self.other:
            yield self.doubt(asked, self.answers(*({"concept": concept} for concept in self.other)))


def vague(first: dt.date | None, last: dt.date | None) -> bool:
    """Whether an interval of dates is more than one day."""
    return first is None or first != last


def doubts(place: Place) -> list[Doubt]:
    """The doubts about one row of a fact table; none for tables whose rows have no details."""
    return list(_KINDS[place.table](place)) if place.table in _KINDS else []


def _person(place: Place) -> Iterator[Doubt]:
    if place.row["sex"] is None:
        yield place.doubt(SEX, place.answers({"sex": "male"}, {"sex": "female"}))


def _exposure(place: Place) -> Iterator[Doubt]:
    row = place.row
    yield from place.whether("whether {} was taken", "taken", "no", "yes", ("ordered", "uncertain"))
    yield from place.which("which medicine {} is")
    yield from place.dated("the first day of {}", "start_from", "start_to", row["end_to"])
    yield from _last_day(place)
    if "dose" in place.needs:
        yield from _amount(place)
    if "route" in place.needs and row["route"] is None:
        routes = ("oral", "intravenous", "other-systemic")
        yield place.doubt("the route of {}", place.answers(*({"route": route} for route in routes)))
    if "weight" in place.needs or ("dose" in place.needs and row["dose_unit"] == "mg/kg"):
        yield place.doubt("the body weight at the time of {}", _weights(place))


def _last_day(place: Place) -> Iterator[Doubt]:
    """The end of a medicine that is not known to go on; one after the last day seen says nothing (rule 5)."""
    row = place.row
    first, last = row["end_from"], row["end_to"]
    unseen = first is None or first > place.base
    if not (unseen and row["ongoing"]) and (unseen or vague(first, last)):
        days = place.days_between(row["start_from"] if unseen else first, None if unseen else last)
        ended = [{"end_from": day, "end_to": day, "ongoing": False} for day in days]
        open_end = unseen and row["ongoing"] is None
        on = [{"end_from": None, "end_to": None, "ongoing": True}] if open_end else []
        asked = "whether {} goes on or when it ended" if open_end else "the last day of {}"
        yield place.doubt(asked, place.answers(*ended, *on))


def _amount(place: Place) -> Iterator[Doubt]:
    """The quantity of one administration, and how often it is given."""
    row = place.row
    if row["dose"] is None:
        yield place.doubt(
            "the dose of {}", place.answers(*({"dose": dose, "dose_unit": "mg"} for dose in (SMALL, LARGE)))
        )
    if not row["administration"] and (row["times"] is None or row["period_days"] is None):
        often = ((Decimal(1), LARGE), (Decimal(1), Decimal(1)), (Decimal(1000), Decimal(1)))
        answers = place.answers(*({"times": times, "period_days": days} for times, days in often))
        yield place.doubt("how often {} is taken", answers)


def _weights(place: Place) -> list[Answer]:
    """A body weight on a day of treatment."""
    row = place.row
    day = min(row["start_to"] or row["end_to"] or place.base, place.base)
    common = {"record": f"{row['record']} weight", "test": "bodyWeight", "date_from": day, "date_to": day}
    return [
        (Edit("measurement", None, tuple((common | {"low": kilograms, "high": kilograms}).items())),)
        for kilograms in (LIGHT, HEAVY)
    ]


def _condition(place: Place) -> Iterator[Doubt]:
    row = place.row
    yield from place.whether("whether {} is confirmed", "status", "refuted", "confirmed", ("uncertain",))
    yield from place.which("which diagnosis {} is")
    yield from place.dated("when {} began", "onset_from", "onset_to", row["abated_to"] or row["recorded_to"])
    not_on = "dates" in place.needs and not (row["abated_from"] is None and row["ongoing"])
    if not_on and vague(row["abated_from"], row["abated_to"]):
        days = place.days_between(row["abated_from"] or row["onset_from"], row["abated_to"])
        ended = [{"abated_from": day, "abated_to": day, "ongoing": False} for day in days]
        still = [{"abated_from": None, "abated_to": None, "ongoing": True}] if row["ongoing"] is None else []
        asked = "whether {} is still present or when it ended" if still else "when {} ended"
        yield place.doubt(asked, place.answers(*ended, *still))
    said = "refuted" if row["status"] == "refuted" else "diagnosed"
    yield from place.dated(f"when {{}} was {said}", "recorded_from", "recorded_to")
    if "severity" in place.needs and row["severity"] is None:
        yield place.doubt("how severe {} is", place.answers({"severity": "mild"}, {"severity": "severe"}))


def _procedure(place: Place) -> Iterator[Doubt]:
    row = place.row
    yield from place.whether("whether {} was done", "done", "no", "yes", ("uncertain",))
    yield from place.which("which procedure {} is")
    one_day = (row["from_from"], row["from_to"]) == (row["end_from"], row["end_to"])
    if one_day and vague(row["from_from"], row["from_to"]):
        days = place.days_between(row["from_from"], row["from_to"])
        columns = ("from_from", "from_to", "end_from", "end_to")
        yield place.doubt("the day of {}", place.answers(*(dict.fromkeys(columns, day) for day in days)))
    elif not one_day:
        yield from place.dated("the first day of {}", "from_from", "from_to", row["end_to"])
        yield from place.dated("the last day of {}", "end_from", "end_to")
    if "volume" in place.needs and row["from_from"] is not None:
        common = {"record": f"{row['record']} volume", "statement": "bloodDonationVolume"}
        common |= {"date_from": row["from_from"], "date_to": row["from_to"]}
        given = [tuple((common | {"amount": amount}).items()) for amount in (SMALL, LARGE)]
        yield place.doubt("the volume of {}", [(Edit("statement", None, cells),) for cells in given])


def _immunization(place: Place) -> Iterator[Doubt]:
    yield from place.whether("whether {} was given", "given", "no", "yes", ("uncertain",))
    yield from place.which("which vaccine {} is")
    yield from place.dated("the day of {}", "date_from", "date_to")


def _allergy(place: Place) -> Iterator[Doubt]:
    row = place.row
    yield from place.whether("whether {} is confirmed", "status", "refuted", "confirmed", ("uncertain",))
    yield from place.which("which substance {} names")
    if row["kind"] is None:
        answers = place.answers({"kind": "intolerance"}, {"kind": "allergy"})
        yield place.doubt("whether {} is an allergy or an intolerance", answers)
    if "severity" in place.needs and row["criticality"] is None:
        yield place.doubt("how severe {} can be", place.answers({"criticality": "low"}, {"criticality": "high"}))


def _measurement(place: Place) -> Iterator[Doubt]:
    row = place.row
    low, high = row["low"], row["high"]
    yield from place.dated("the day of {}", "date_from", "date_to")
    weightless = row["test"] == "bodyWeight" and high is not None and high <= 0
    if weightless or all(row[name] is None for name in ("low", "high", "positive", "text")):
        read: list[dict[str, Any]] = [{"low": number, "high": number} for number in (SMALL, LARGE)]
        read += [{"positive": False}, {"positive": True}, {"text": "II"}, {"text": "III"}, {"text": "IV"}]
        yield place.doubt("a readable result of {}", place.answers(*read))
    elif (low is None) != (high is None):
        ends = (low, LARGE) if high is None else (SMALL, high)
        yield place.doubt("the exact value of {}", place.answers(*({"low": end, "high": end} for end in ends)))
    for limit, side in (("uln", "upper"), ("lln", "lower")):
        if limit in place.needs and row[limit] is None:
            answers = place.answers(*({limit: number} for number in (SMALL, LARGE)))
            yield place.doubt(f"the {side} limit of normal of {{}}", answers)
    if "method" in place.needs and row["method"] is None:
        yield place.doubt("whether {} is by echocardiography", place.answers({"method": "echocardiography"}))


def _statement(place: Place) -> Iterator[Doubt]:
    yield from place.dated("the day of {}", "date_from", "date_to")
    if "volume" in place.needs and place.row["amount"] is None:
        yield place.doubt("the volume of {}", place.answers({"amount": SMALL}, {"amount": LARGE}))


_KINDS: dict[str, Callable[[Place], Iterator[Doubt]]] = {
    "patient": _person,
    "exposure": _exposure,
    "condition": _condition,
    "procedure": _procedure,
    "immunization": _immunization,
    "allergy": _allergy,
    "measurement": _measurement,
    "statement": _statement,
}
