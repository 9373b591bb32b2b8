"""What the rules of reading make of a form: a line is read with marks in the places of what varies.

The marks go through the reader of FHIR as far as raw records. What the line measures or answers is marked too, so that
lines that differ in values alone are converted once; then each value takes the place of its mark, the rules are applied
(`patients/interpret.py`), and where the marks of id, patient and dates come out again makes the template.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from itertools import chain
from typing import Any, Literal

from sle_kg.codes import CodeMap
from sle_kg.ingest.fhir import LineProbe
from sle_kg.ingest.fill import DATED, Template, TemplateRow
from sle_kg.ingest.layout import Layout, Marks, Signature, is_utf8
from sle_kg.ingest.parts import joined
from sle_kg.patients.elements import exact_number
from sle_kg.patients.facts import COLUMNS, FactBuilder
from sle_kg.patients.interpret import Interpreter
from sle_kg.patients.raw import RawRecord, Scalar
from sle_kg.patients.words import PartAnswer, part_words
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
_MAY_BE_MARKED = {
    table: [
        (place, DATED[table].index(name) if name in DATED[table] else None)
        for place, (name, kind) in enumerate(columns.items())
        if kind in ("text", "date")
    ]
    for table, columns in COLUMNS.items()
}
"""Places of the columns of each table that may hold a mark, and their places among those of DATED."""
_WHY = list(COLUMNS["unread"]).index("why")

_SAID = re.compile(
    rb""""(?:(?:valueQuantity|doseQuantity|dose)"\s*:\s*\{\s*"value"\s*:"""
    rb"""\s*(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?=[\s,}])"""
    rb"""|valueBoolean"\s*:\s*(true|false)(?=[\s,}])"""
    rb"""|valueString"\s*:\s*"([^"\\\x00-\x1f]+)")"""
)
"""A value of an observation or a component, or a dose, that may be put in the place of another."""
_HOLD_VALUES = frozenset({"measuredValue", "statedValue", "textValue", "doseValue"})
"""Properties of raw records that hold such a value."""
_CODED = re.compile(
    rb"""("(?:code|vaccineCode|medicationCodeableConcept|severity|route|clinicalStatus|verificationStatus)"\s*:"""
    rb"""\s*\{\s*"coding"\s*:\s*\[\s*\{\s*"system"\s*:\s*"[^"\\\x00-\x1f]*"\s*,\s*"code"\s*:\s*")"""
    rb"""([^"\\\x00-\x1f]+)(?:("\s*,\s*"display"\s*:\s*")([^"\\\x00-\x1f]+)(?="))?"""
)
"""The first code of an element, and its display, that may be put in the place of others."""
_CARRIED = frozenset(
    """AllergyIntolerance Condition Immunization MedicationAdministration MedicationRequest MedicationStatement
    Procedure""".split()  # noqa: SIM905 (a table of names reads better in lines)
)
"""Types whose reader takes these codes and displays as they are, except of what is `contained`."""
_DATE = re.compile(
    rb""""(?:\w*DateTime|\w*Instant|start|end|authoredOn|dateAsserted|recordedDate)"\s*:\s*"(\d{4}[\dT:.Z+-]*)\""""
)
"""A date that no layout cuts out, partial or beside a partial one; the reader takes it as it is."""
_FULL = 10
"""Signs of a date with its day."""
_VALUE = re.compile(rf"(.*\|)?{re.escape(_SIGN)}-value-(\d+)")
"""A mark of a value, alone or behind the system of a code."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value goes in a raw record: its property, which value of it, and what stands before; and which value."""

    name: str
    index: int
    before: str
    value: int


@dataclass(slots=True)
class _Given:
    """What the rules make of one raw record: rows with their tables, evidence, answers of parts, what was passed over.

    A row is None where a mark came out changed, or in a place where none is looked for.
    """

    rows: list[tuple[str, TemplateRow | None]] = field(default_factory=list)
    lines: list[tuple[Any, ...]] = field(default_factory=list)
    answers: list[PartAnswer] = field(default_factory=list)
    skipped: Counter[str] | None = None


@dataclass(frozen=True, slots=True)
class _Said:
    """Raw records with marks, the places of values in each, whether they count as a record, what was passed over.

    `several` are properties of more than one value, by number of the raw record; `given` is what the rules made of
    those parts that hold nothing but an answer, by their number and the answer.
    """

    raws: list[RawRecord]
    places: list[list[_Place]]
    several: set[tuple[int, str]]
    noted: bool
    skipped: Counter[str]
    given: dict[tuple[Any, ...], _Given] = field(default_factory=dict)

    def raw(self, number: int, values: Sequence[Scalar]) -> RawRecord:
        """The raw record of this number with these values."""
        raw = self.raws[number]
        told = raw.values.copy()
        for place in self.places[number]:
            held = [*told[place.name]]
            held[place.index] = f"{place.before}{values[place.value]}" if place.before else values[place.value]
            told[place.name] = tuple(held)
        return RawRecord(raw.kind, raw.patient, raw.id, told)

    def says_twice(self, values: Sequence[Scalar]) -> bool:
        """Whether a property has a value twice, which the reader would have noted once."""
        held = (self.raw(number, values).values[name] for number, name in self.several)
        return any(len(set(one)) < len(one) for one in held)


class Probe:
    """Reads lines with marks, and remembers the raw records of all that differ in more than values."""

    def __init__(self, reader: LineProbe, terminology: Terminology, code_map: CodeMap) -> None:
        self._reader = reader
        self._facts = _Facts()
        self._interpreter = Interpreter(terminology, code_map, self._facts)
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
        known = not only_known
        for values in _markings(line, kind, not days):
            if values.marked not in self._said:
                if not known:
                    return False
                self._said[values.marked] = self._read(values.marked, kind, values)
            known = True
            said = self._said[values.marked]
            if said is not None and not said.says_twice(values.found):
                return self._interpret(said, values.found, kind, days)
        said = self._read(line, kind, _Values(line))
        return None if said is None else self._interpret(said, (), kind, days)

    def _read(self, line: bytes, kind: str, values: _Values) -> _Said | None:
        """A line as raw records; None where it is no record by itself, or its values do not come out as they are."""
        raws, books, skipped = self._reader.raws(line)
        notes = books.pop("source", [])
        if any(books.values()) or [note[:2] for note in notes] not in ([], [(_PATIENT, f"{kind}/{_ID}")]):
            return None
        places = [
            [
                _Place(name, index, match[1] or "", int(match[2]))
                for name, held in raw.values.items()
                for index, text in enumerate(held)
                if isinstance(text, str) and (match := _VALUE.fullmatch(text))
            ]
            for raw in raws
        ]
        found = list(chain.from_iterable(places))
        for place in found:
            if values.kinds[place.value] == "value" and (place.before or place.name not in _HOLD_VALUES):
                return None
        needed = {number for number, kind in enumerate(values.kinds) if kind != "display"}
        if not needed <= {place.value for place in found}:
            return None
        several = {
            (number, place.name)
            for number, raw in enumerate(raws)
            for place in places[number]
            if len(raw.values[place.name]) > 1
        }
        return _Said(raws, places, several, bool(notes), skipped)

    def _interpret(
        self, said: _Said, values: Sequence[Scalar], kind: str, days: Mapping[date | str, int]
    ) -> Template | None:
        """The template of raw records with these values; None where a mark came out changed."""
        self._facts.begin(f"{kind}/{_ID}", days)
        every = [self._given(said, number, values) for number in range(len(said.raws))]
        lines = [line for given in every for line in given.lines]
        for words in part_words(answer for given in every for answer in given.answers).values():
            lines.append((None, None, words.what, words.value, words.date))
        evidence = [self._facts.row("record", cells) for _, _, *cells in joined(lines)]
        every.append(_Given([("record", row) for row in evidence]))
        rows: dict[str, list[TemplateRow]] = {}
        reported = set()
        skipped = said.skipped
        for given in every:
            skipped = skipped + given.skipped if given.skipped else skipped
            for table, row in given.rows:
                if row is None:
                    return None
                why = row.cells[_WHY] if table == "unread" else None
                if why is None or why not in reported:
                    rows.setdefault(table, []).append(row)
                    reported.add(why)
        return Template(kind, said.noted, skipped, rows)

    def _given(self, said: _Said, number: int, values: Sequence[Scalar]) -> _Given:
        """What the rules make of a raw record by itself."""
        told = [values[place.value] for place in said.places[number]]
        if len(said.raws) == 1 or not all(isinstance(value, bool) for value in told):
            return self._apply(said.raw(number, values))
        key = (number, *told)
        known = said.given.get(key)
        if known is None:
            known = said.given[key] = self._apply(said.raw(number, values))
        return known

    def _apply(self, raw: RawRecord) -> _Given:
        """Apply the rules to a raw record."""
        self._facts.given = given = _Given()
        self._interpreter.add(raw)
        given.answers += self._interpreter.answers
        if self._interpreter.skipped:
            given.skipped = self._interpreter.skipped.copy()
            self._interpreter.skipped.clear()
        self._interpreter.forget()
        return given


class _Facts(FactBuilder):
    """Takes the rows of records with marks."""

    def begin(self, record: str, days: Mapping[date | str, int]) -> None:
        """What follows is of the record of this name, whose dates have these marks."""
        self._record = record
        self._days = days
        self.given = _Given()

    def add(self, table: str, raw: RawRecord, **values: Any) -> None:
        """One row of a table."""
        cells = list(map(values.get, COLUMNS[table]))
        if raw.patient != _PATIENT or raw.record != self._record:
            self.given.rows.append((table, None))
        elif table == "record":
            self.given.lines.append((None, None, *cells))
        else:
            self.given.rows.append((table, self.row(table, cells)))

    def row(self, table: str, cells: list[Any]) -> TemplateRow | None:
        """A row with the dates of the line taken out; None where a mark is no whole cell, or no date belongs."""
        days: list[int | None] = [None] * len(DATED[table])
        for place, dated in _MAY_BE_MARKED[table]:
            cell = cells[place]
            if cell in self._days:
                if dated is None:
                    return None
                days[dated] = self._days[cell]
                cells[place] = None
            elif cell.__class__ is str and (_SIGN in cell or _YEAR in cell):
                return None
        told = (*cells, *days)
        return TemplateRow(told, repr(told))


class _Values:
    """A line with marks in the places of values: what they were, and each a `value`, a `text` or a `display`.

    A `value` comes out alone in a property for values, a `text` in any; a `display` may be passed over for another.
    """

    def __init__(self, line: bytes) -> None:
        self.marked = line
        self.found: list[Scalar] = []
        self.kinds: list[str] = []

    def mark_values(self) -> None:
        """Put marks in the places of numbers, flags and texts."""
        self.marked = _SAID.sub(self._value, self.marked)

    def mark_codes(self) -> None:
        """Put marks in the places of codes and displays."""
        self.marked = _CODED.sub(self._code, self.marked)

    def mark_dates(self) -> None:
        """Put marks in the places of dates."""
        self.marked = _DATE.sub(self._date, self.marked)

    def _date(self, match: re.Match[bytes]) -> bytes:
        return match[0][: -len(match[1]) - 1] + self._mark("text", match[1].decode()) + b'"'

    def _value(self, match: re.Match[bytes]) -> bytes:
        number, flag, text = match.groups()
        if text is not None:
            if not is_utf8(text):
                return match[0]
            return match[0][: -len(text) - 1] + self._mark("value", text.decode()) + b'"'
        if flag is not None:
            return match[0][: -len(flag)] + b'"' + self._mark("value", flag == b"true") + b'"'
        return match[0][: -len(number)] + b'"' + self._mark("value", exact_number(number.decode())) + b'"'

    def _code(self, match: re.Match[bytes]) -> bytes:
        before, code, between, shown = match.groups()
        if not is_utf8(match[0]):
            return match[0]
        marked = before + self._mark("text", code.decode())
        return marked if shown is None else marked + between + self._mark("display", shown.decode())

    def _mark(self, kind: str, value: Scalar) -> bytes:
        """The mark of the next value."""
        self.found.append(value)
        self.kinds.append(kind)
        return _value_mark(len(self.found) - 1)


def _markings(line: bytes, kind: str, is_dated: bool) -> Iterator[_Values]:
    """A line with marks, first with those that leave least of what it says; `is_dated` where its dates were not cut."""
    values = _Values(line)
    values.mark_values()
    if kind in _CARRIED and b'"contained"' not in line:
        values.mark_codes()
    if is_dated and any(len(told) < _FULL for told in _DATE.findall(line)):
        values.mark_dates()
    yield values
    if "text" in values.kinds:
        values = _Values(line)
        values.mark_values()
        yield values


@cache
def _value_mark(number: int) -> bytes:
    return f"{_SIGN}-value-{number}".encode()


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
