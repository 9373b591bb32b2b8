"""Plain words for the values of records, as evidence shows them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from sle_kg.patients.raw import RawRecord

_TIMES = {1: "once", 2: "twice", 3: "three times", 4: "four times"}
_UNITS = {"s": "second", "min": "minute", "h": "hour", "d": "day", "wk": "week", "mo": "month", "a": "year"}


def plain(number: Decimal) -> str:
    """A number without exponent or trailing zeros: `7.50` → `7.5`."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


@lru_cache(maxsize=4096)
def unit_words(unit: str | None) -> str:
    """A unit without the annotations of UCUM, which measure nothing: none for `{score}`, `mg/g` for `mg/g{creat}`."""
    return re.sub(r"\{[^{}]*\}", "", unit or "").strip()


def quantity_words(raw: RawRecord, value: str, unit: str) -> str:
    """A dose with its unit as recorded: `200 mg`, `1 tablet` for `1 {tablet}`; empty where there is no value."""
    number, text = raw.number(value), (raw.text(unit) or "").strip("{}")
    return " ".join(filter(None, (plain(number), text))) if number is not None else ""


@dataclass(slots=True)
class PartWords:
    """The answers that the parts of one record give: `arthritis, low complement present; 22 items absent`.

    `what` is what the record is called that has nothing but parts, `date` its date as recorded.
    """

    what: str
    date: str | None
    present: list[str] = field(default_factory=list)
    absent: int = 0
    others: list[str] = field(default_factory=list)

    def add(self, label: str, positive: bool | None, shown: str) -> None:
        """Note the answer of one part: present, absent, or what else it says (`renal A`, `fever not readable`)."""
        name = label.rpartition(" (")[0] or label
        first, _, rest = name.partition(" ")
        name = rest if rest and self.what.startswith(first.rstrip(":")) else name
        name = name if name[1:2].isupper() else name[:1].lower() + name[1:]
        if positive:
            self.present.append(name)
        elif positive is False:
            self.absent += 1
        else:
            self.others.append(f"{name} {shown}")

    @property
    def value(self) -> str:
        """All answers in words."""
        present = f"{', '.join(self.present)} present" if self.present else ""
        absent = f"{self.absent} item{'' if self.absent == 1 else 's'} absent" if self.absent else ""
        return "; ".join(filter(None, (present, absent, ", ".join(self.others))))


class PartAnswer(NamedTuple):
    """What one part of a record says of one item; `what` is what the record is called if it has nothing but parts."""

    patient: str
    record: str
    what: str
    date: str | None
    label: str
    positive: bool | None
    shown: str


def part_words(answers: Iterable[PartAnswer]) -> dict[tuple[str, str], PartWords]:
    """The words of each record, by patient and record; what its first part calls it and dates it counts."""
    words: dict[tuple[str, str], PartWords] = {}
    for answer in answers:
        found = words.get(answer[:2])
        if found is None:
            found = words[answer[:2]] = PartWords(answer.what, answer.date)
        found.add(answer.label, answer.positive, answer.shown)
    return words


def exposure_words(taken: str, status: str | None, dose: str, raw: RawRecord) -> str:
    """What a record of a medicine says: `ordered, 200 mg twice a day`; that it was taken up to its end says the end."""
    if raw.first("ended") is not None and status in ("active", "in-progress"):
        status = None
    state = {"ordered": "ordered", "no": "not taken", "uncertain": "not certain whether taken"}.get(taken)
    timing = timing_words(raw)
    words = " ".join(filter(None, (dose, timing)))
    if raw.flag("asNeeded"):
        words = f"{words} as needed".strip()
    return ", ".join(filter(None, (state or status, words)))


def timing_words(raw: RawRecord) -> str:
    """How often: `twice a day`, `once every 2 weeks`."""
    frequency, period, unit = raw.number("frequency"), raw.number("period"), raw.text("periodUnit")
    if frequency is None or period is None or unit not in _UNITS:
        return ""
    times = _TIMES.get(int(frequency), "") if frequency == int(frequency) else ""
    times = times or f"{plain(frequency)} times"
    if period == 1:
        return f"{times} {'an' if unit == 'h' else 'a'} {_UNITS[unit]}"
    return f"{times} every {plain(period)} {_UNITS[unit]}s"


def day_text(date: str | None) -> str | None:
    """A date as recorded, without the time of day."""
    return date.partition("T")[0] if date else None


def truth(value: bool | None) -> str:
    """What a statement says."""
    return {True: "yes", False: "no", None: "not readable"}[value]
