"""What the rules of reading make of a form: a line is read with marks in the places of what varies.

The marks go through the reader of FHIR as far as raw records. What the line measures or answers is marked too, so that
lines that differ in values alone are converted once; then each value takes the place of its mark, the rules are applied
(`patients/interpret.py`), and where the marks of id, patient and dates come out again makes the template.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Literal

from sle_kg.codes import CodeMap
from sle_kg.ingest.fhir import LineProbe
from sle_kg.ingest.fill import DATED, Template, TemplateRow
from sle_kg.ingest.layout import Layout, Marks, Signature, is_utf8
from sle_kg.ingest.parts import PartBuilder
from sle_kg.patients.elements import exact_number
from sle_kg.patients.facts import COLUMNS
from sle_kg.patients.interpret import Interpreter
from sle_kg.patients.raw import RawRecord, Scalar
from sle_kg.terminology import Terminology

_SIGN = "sle-kg-0c7e"
MARK = _SIGN.encode()
"""Begins every mark but those of dates; a line that has it is read by itself."""
_ID, _PATIENT, _UNREAD = f"{_SIGN}-id", f"{_SIGN}-patient", f"{_SIGN}-unread"
_FIRST_DAY = date(1801, 2, 3)
"""This day and those after it stand for the dates of a line."""
_YEAR = "1801-"
YEAR = _YEAR.encode()
"""A line that has it is read by itself."""
_MAY_BE_MARKED = (str, date)
"""Types of cells that may hold a mark."""

_SAID = re.compile(
    rb""""(?:(?:valueQuantity|doseQuantity|dose)"\s*:\s*\{\s*"value"\s*:"""
    rb"""\s*(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?=[\s,}])"""
    rb"""|valueBoolean"\s*:\s*(true|false)(?=[\s,}])"""
    rb"""|valueString"\s*:\s*"([^"\\\x00-\x1f]+)")"""
)
"""A value of an observation or a component, or a dose, that may be put in the place of another."""
_HOLD_VALUES = frozenset({"measuredValue", "statedValue", "textValue", "doseValue"})
"""Properties of raw records that hold such a value."""


@dataclass(frozen=True, slots=True)
class _Said:
    """Raw records with marks, where the values go, whether they count as a record, and what the reader passed over.

    `places` gives, for each value, the number of its raw record and the property that holds it.
    """

    raws: list[RawRecord]
    places: list[tuple[int, str]]
    noted: bool
    skipped: Counter[str]


class Probe:
    """Reads lines with marks, and remembers the raw records of all that differ in more than values."""

    def __init__(self, reader: LineProbe, terminology: Terminology, code_map: CodeMap) -> None:
        self._reader = reader
        self._part = PartBuilder()
        self._interpreter = Interpreter(terminology, code_map, self._part)
        self._said: dict[bytes, _Said | None] = {}

    def forget(self) -> None:
        """Start anew, when too much is remembered."""
        self._said.clear()

    def template(
        self, line: bytes, kind: str, days: Mapping[date | str, int], only_known: bool
    ) -> Template | Literal[False] | None:
        """The template of a line with marks; None where such lines are to be read by themselves.

        `days` says of the marks of dates which date of the line they stand for. With `only_known`, False for a line
        that differs in more than values from all that were read.
        """
        values = _Values()
        marked = _SAID.sub(values, line)
        if marked not in self._said:
            if only_known:
                return False
            self._said[marked] = self._read(marked, kind, len(values.found))
        said = self._said[marked]
        if said is None and marked != line:
            values.found.clear()
            said = self._read(line, kind, 0)
        return None if said is None else self._interpret(said, values.found, kind, days)

    def _read(self, line: bytes, kind: str, values: int) -> _Said | None:
        """A line as raw records; None where it is no record by itself, or its values do not come out as they are."""
        raws, books, skipped = self._reader.raws(line)
        notes = books.pop("source", [])
        if any(books.values()) or [note[:2] for note in notes] not in ([], [(_PATIENT, f"{kind}/{_ID}")]):
            return None
        names = {
            text: (number, name)
            for number, raw in enumerate(raws)
            for name, held in raw.values.items()
            for text in held
            if name in _HOLD_VALUES
        }
        places = [names.get(_value_mark(number)) for number in range(values)]
        found = [place for place in places if place is not None]
        return _Said(raws, found, bool(notes), skipped) if len(found) == values else None

    def _interpret(
        self, said: _Said, values: Sequence[Scalar], kind: str, days: Mapping[date | str, int]
    ) -> Template | None:
        """The template of raw records with these values; None where a mark came out changed."""
        raws = list(said.raws)
        for (number, name), value in zip(said.places, values, strict=True):
            raw = said.raws[number]
            raws[number] = RawRecord(raw.kind, raw.patient, raw.id, raw.values | {name: (value,)})
        self._interpreter.forget()
        for raw in raws:
            self._interpreter.add(raw)
        self._interpreter.finish()
        self._part.close()
        facts, _, skipped = self._part.take()
        skipped += said.skipped + self._interpreter.skipped
        self._interpreter.skipped.clear()
        template = Template(kind, said.noted, skipped)
        for table, rows in facts.items():
            template.rows[table] = filled = []
            for patient, record, *cells, ordinal in rows:
                row = _row(table, cells, ordinal, days)
                if (patient, record) != (_PATIENT, f"{kind}/{_ID}") or row is None:
                    return None
                filled.append(row)
        return template


class _Values:
    """Puts marks in the places of values, and keeps the values."""

    def __init__(self) -> None:
        self.found: list[Scalar] = []

    def __call__(self, match: re.Match[bytes]) -> bytes:
        number, flag, text = match.groups()
        mark = f'"{_value_mark(len(self.found))}"'.encode()
        if text is not None:
            if not is_utf8(text):
                return match[0]
            self.found.append(text.decode())
            return match[0][: match.start(3) - match.start() - 1] + mark
        self.found.append(exact_number(number.decode()) if number is not None else flag == b"true")
        return match[0][: match.start(match.lastindex or 0) - match.start()] + mark


@cache
def _value_mark(number: int) -> str:
    return f"{_SIGN}-value-{number}"


def marks(layout: Layout, signature: Signature) -> Marks:
    """A mark for every text that a layout cuts out; which date of the line each of the days stands for."""
    texts = [_UNREAD] * len(layout.steps)
    texts[layout.id], texts[layout.patient] = _ID, f"Patient/{_PATIENT}"
    number = len(layout.days)
    days: dict[date | str, int] = {}
    for which, place in enumerate(layout.days, 1):
        timed, rank = signature[which - 1], signature[number + which - 1] if number > 1 else 0
        day = _FIRST_DAY + timedelta(days=rank)
        texts[place] = f"{day}T00:00:{which:02}Z" if timed else f"{day}"
        days.setdefault(day, which)
        days.setdefault(f"{day}", which)
    return [text.encode() for text in texts], days


def _row(table: str, cells: Sequence[object], ordinal: int, days: Mapping[date | str, int]) -> TemplateRow | None:
    """A row of a template; None where a mark stands in it that is no whole cell, or where no date is looked for."""
    places: dict[str, int] = {}
    kept = list(cells)
    for place, (name, cell) in enumerate(zip(COLUMNS[table], cells, strict=True)):
        if cell is not None and cell.__class__ in _MAY_BE_MARKED:
            if cell in days:
                if name not in DATED[table]:
                    return None
                places[name] = days[cell]
                kept[place] = None
            elif isinstance(cell, str) and (_SIGN in cell or _YEAR in cell):
                return None
    return TemplateRow(tuple(kept), ordinal, places)
