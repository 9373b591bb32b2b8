"""What the rules of reading make of a form: a line is read with marks in the places of what varies.

The marks go through the reader of FHIR as far as raw records. What the line measures or answers is marked too, so that
lines that differ in values alone are converted once; then each value takes the place of its mark, the rules are applied
(`patients/interpret.py`), and where the marks of id, patient and dates come out again makes the template.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Any, Literal, NamedTuple

from sle_kg.codes import CodeMap
from sle_kg.ingest.fhir import LineProbe
from sle_kg.ingest.fill import DATED, Template, TemplateRow
from sle_kg.ingest.layout import Layout, Left, Signature, is_utf8
from sle_kg.patients.elements import exact_number
from sle_kg.patients.facts import COLUMNS, FactBuilder, one_line
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

_SCALAR = rb"""((?<!")(?:true|false|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?=[\s,}])"""
_SCALAR += rb"""|(?<=")[^"\\\x00-\x1f]+(?="))"""
"""A number or flag, or a text behind its quote, whichever the name before it asks for."""
_RESULT = rb"""value(?:Boolean"\s*:\s*(?=[tf])|Quantity"\s*:\s*\{\s*"value"\s*:\s*(?=[-\d])|String"\s*:\s*")"""
"""What stands before the value of an observation or a component."""
_DOSE = rb"""dose(?:Quantity)?"\s*:\s*\{\s*"value"\s*:\s*(?=[-\d])"""
_CODE = rb"""(?:code|vaccineCode|medicationCodeableConcept|severity|route|clinicalStatus|verificationStatus)"\s*:"""
_CODE += rb"""\s*\{\s*"coding"\s*:\s*\[\s*\{\s*"system"\s*:\s*"[^"\\\x00-\x1f]*"\s*,\s*"code"\s*:\s*\""""
"""What stands before the first code of an element."""
_DISPLAY = rb"""((?:"\s*,\s*"display"\s*:\s*"(?=[^"\\\x00-\x1f]+"))?)((?<=")[^"\\\x00-\x1f]+|)"""
"""The display behind such a code, if there is one."""
_DATE = rb"""(?:\w*DateTime|\w*Instant|start|end|authoredOn|dateAsserted|recordedDate)"\s*:\s*"(?=\d{4}[\dT:.Z+-]*")"""
"""What stands before a date that no layout cuts out, partial or beside a partial one; the reader takes it as it is."""
_PARTIAL = re.compile(b'"' + _DATE + rb"""[^"]{,9}\"""")
_HOLD_VALUES = frozenset({"measuredValue", "statedValue", "textValue", "doseValue"})
"""Properties of raw records that hold such a value."""
_CARRIED = frozenset(
    """AllergyIntolerance Condition Immunization MedicationAdministration MedicationRequest MedicationStatement
    Procedure""".split()  # noqa: SIM905 (a table of names reads better in lines)
)
"""Types whose reader takes these codes and displays as they are, except of what is `contained`."""
_NOTHING = re.compile(rb"(?!)")
_MOST_GIVEN = 10_000
"""Raw records of which is remembered what the rules make of them."""
_VALUE = re.compile(rf"(.*\|)?{re.escape(_SIGN)}-value-(\d+)")
"""A mark of a value, alone or behind the system of a code."""

Parts = list[bytes]
"""What is left of a line, parted at its values: what stands before each, its name, nothing, and so on."""
Values = list[bytes]
"""The values of a line as they stand there; nothing for a display that is not there."""


class _Place(NamedTuple):
    """Where a value goes in a raw record: its property, which value of it, and what stands before; and which value."""

    name: str
    rank: int
    before: str
    value: int


@dataclass(slots=True, eq=False)
class _Given:
    """What the rules make of one raw record: rows with their tables, evidence, answers of parts, what was passed over.

    A row is None where a mark came out changed, or in a place where none is looked for.
    """

    rows: list[tuple[str, TemplateRow | None]] = field(default_factory=list)
    lines: list[tuple[Any, ...]] = field(default_factory=list)
    answers: list[PartAnswer] = field(default_factory=list)
    skipped: Counter[str] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Said:
    """Raw records with marks, the places of values in each, whether they count as a record, what was passed over.

    `several` are properties of more than one value, by number of the raw record; `scalars` are the values that are no
    texts; `given` is what the rules made of each raw record that is not alone, by its own values, which the function
    beside takes from those of the line.
    """

    raws: list[RawRecord]
    places: list[list[_Place]]
    several: set[tuple[int, str]]
    scalars: set[int]
    noted: bool
    skipped: Counter[str]
    given: list[tuple[dict[Any, _Given], Callable[[Values], Any]]]

    def raw(self, number: int, values: Values) -> RawRecord:
        """The raw record of this number with these values."""
        raw = self.raws[number]
        told = raw.values.copy()
        for name, rank, before, value in self.places[number]:
            text = values[value].decode()
            held = [*told[name]]
            held[rank] = _scalar(text) if value in self.scalars else f"{before}{text}"
            told[name] = tuple(held)
        return RawRecord(raw.kind, raw.patient, raw.id, told)

    def says_twice(self, values: Values) -> bool:
        """Whether a property has a value twice, which the reader would have noted once."""
        held = (self.raw(number, values).values[name] for number, name in self.several)
        return any(len(set(one)) < len(one) for one in held)


class Marked(NamedTuple):
    """A mark for every text that a layout cuts out, and which date of the line each of the days stands for.

    `said` is what lines with these marks say, by all that stands beside their values.
    """

    texts: list[bytes]
    days: dict[date | str, int]
    said: dict[bytes, _Said | None]


class Probe:
    """Reads lines with marks, and remembers the raw records of all that differ in more than values."""

    def __init__(self, reader: LineProbe, terminology: Terminology, code_map: CodeMap) -> None:
        self._reader = reader
        self._facts = _Facts()
        self._interpreter = Interpreter(terminology, code_map, self._facts)
        self._marked: dict[tuple[Any, ...], Marked] = {}
        self._remembered: list[dict[Any, _Given]] = []

    def forget(self) -> None:
        """Start anew, when too much is remembered."""
        self._marked.clear()
        self._remembered.clear()

    def template(
        self, layout: Layout, left: Left, signature: Signature, kind: str, only_known: bool
    ) -> Template | Literal[False] | None:
        """The template of lines of a form and a signature; None where such lines are to be read by themselves.

        With `only_known`, False for a form that differs in more than values from all that were read.
        """
        if not is_utf8(left):
            return None
        marked = self._marks(layout, signature)
        known = not only_known
        is_partial = not marked.days and _PARTIAL.search(left) is not None
        for pattern in _patterns(kind, b'"contained"' in left, is_partial):
            parts, values = _parted(pattern, left)
            rest = MARK.join(parts)
            if rest not in marked.said:
                if not known:
                    return False
                marked.said[rest] = self._read(layout, marked, kind, _Marks(parts, pattern.groups))
            known = True
            said = marked.said[rest]
            if said is not None and not (said.several and said.says_twice(values)):
                return self._interpret(said, values, kind, marked.days)
        return None

    def _marks(self, layout: Layout, signature: Signature) -> Marked:
        """The marks of a layout and a signature."""
        marked: Marked | None = layout.marks.get(signature)
        if marked is None:
            key = (layout.steps, layout.id, layout.patient, layout.days, signature)
            marked = layout.marks[signature] = self._marked.setdefault(key, _marks_of(layout, signature))
        return marked

    def _read(self, layout: Layout, marked: Marked, kind: str, marks: _Marks) -> _Said | None:
        """A line as raw records; None where it is no record by itself, or its values do not come out as they are."""
        raws, books, skipped = self._reader.raws(layout.join(marks.left, marked.texts))
        notes = books.pop("source", [])
        if any(books.values()) or [note[:2] for note in notes] not in ([], [(_PATIENT, f"{kind}/{_ID}")]):
            return None
        places = [
            [
                _Place(name, rank, match[1] or "", int(match[2]))
                for name, held in raw.values.items()
                for rank, text in enumerate(held)
                if isinstance(text, str) and (match := _VALUE.fullmatch(text))
            ]
            for raw in raws
        ]
        found = list(chain.from_iterable(places))
        if any(place.value in marks.alone and (place.before or place.name not in _HOLD_VALUES) for place in found):
            return None
        if not marks.needed <= {place.value for place in found}:
            return None
        several = {
            (number, place.name)
            for number, raw in enumerate(raws)
            for place in places[number]
            if len(raw.values[place.name]) > 1
        }
        given = [(dict[Any, _Given](), _taking(own)) for own in places] if len(raws) > 1 else []
        return _Said(raws, places, several, marks.scalars, bool(notes), skipped, given)

    def _interpret(self, said: _Said, values: Values, kind: str, days: Mapping[date | str, int]) -> Template | None:
        """The template of raw records with these values; None where a mark came out changed."""
        self._facts.begin(f"{kind}/{_ID}", days)
        every = self._given(said, values)
        lines = [line for given in every for line in given.lines]
        answers = [answer for given in every for answer in given.answers]
        lines += [(words.what, words.value, words.date) for words in part_words(answers).values()]
        if lines:
            every.append(_Given([("record", self._facts.row("record", list(one_line(lines))))]))
        rows: dict[str, list[TemplateRow]] = {}
        reported = set()
        skipped = said.skipped
        for given in every:
            skipped = skipped + given.skipped if given.skipped else skipped
            for table, row in given.rows:
                if row is None:
                    return None
                if table == "unread":
                    if row.cells[_WHY] in reported:
                        continue
                    reported.add(row.cells[_WHY])
                rows.setdefault(table, []).append(row)
        return Template(kind, said.noted, skipped, rows)

    def _given(self, said: _Said, values: Values) -> list[_Given]:
        """What the rules make of each raw record by itself, which is remembered where a line has several."""
        if len(said.raws) == 1:
            return [self._apply(said.raw(0, values))]
        every = [known.get(own(values)) for known, own in said.given]
        for number, given in enumerate(every):
            if given is None:
                known, own = said.given[number]
                every[number] = known[own(values)] = self._apply(said.raw(number, values))
                self._remembered.append(known)
                if len(self._remembered) >= _MOST_GIVEN:
                    self._forget_given()
        return [given for given in every if given is not None]

    def _forget_given(self) -> None:
        """Forget what the rules made of raw records."""
        for known in self._remembered:
            known.clear()
        self._remembered.clear()

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
            self.given.lines.append(tuple(cells))
        else:
            self.given.rows.append((table, self.row(table, cells)))

    def row(self, table: str, cells: list[Any]) -> TemplateRow | None:
        """A row with the dates of the line taken out; None where a mark is no whole cell, or no date belongs."""
        days: list[int | None] = [None] * len(DATED[table])
        for place, dated in _MAY_BE_MARKED[table]:
            cell = cells[place]
            if cell is None:
                continue
            if cell in self._days:
                if dated is None:
                    return None
                days[dated] = self._days[cell]
                cells[place] = None
            elif cell.__class__ is str and (_SIGN in cell or _YEAR in cell):
                return None
        told = (*cells, *days)
        return TemplateRow(told, f"{table}{told!r}".encode("utf-8", "surrogatepass"))


class _Marks:
    """Marks in the places of values: what is left of a line with them, and what each stands for, by its number.

    Those `alone` come out alone in a property for values, the others in any; all that are `needed` come out, but a
    display may be passed over for another. `scalars` are no texts.
    """

    def __init__(self, parts: Parts, groups: int) -> None:
        self.alone: set[int] = set()
        self.scalars: set[int] = set()
        size = groups + 1
        several = (len(parts) - 1) // size
        self.needed = set(range(several))
        marked = []
        for number in range(several):
            before, name, _, *shown = parts[number * size : number * size + size]
            is_text = name.endswith(b'"')
            if not is_text:
                self.scalars.add(number)
            if not is_text or name.startswith(b"valueString"):
                self.alone.add(number)
            quote = b"" if is_text else b'"'
            marked += [before, b'"', name, quote, _value_mark(number), quote]
            if shown and shown[0]:
                marked += [shown[0], _value_mark(several + number)]
        self.left = b"".join([*marked, parts[-1]])


def _taking(places: Sequence[_Place]) -> Callable[[Values], Any]:
    """What takes the values of these places from those of a line."""
    return itemgetter(*(place.value for place in places)) if places else lambda values: None


def _parted(pattern: re.Pattern[bytes], left: Left) -> tuple[Parts, Values]:
    """What is left of a line, parted at its values, and these: first those of names, then their displays."""
    parts = pattern.split(left)
    size = pattern.groups + 1
    values: list[bytes] = []
    for place in range(2, size, 2):
        values += parts[place::size]
        parts[place::size] = [b""] * (len(parts) // size)
    return parts, values


@cache
def _patterns(kind: str, has_contained: bool, has_partial: bool) -> list[re.Pattern[bytes]]:
    """What finds the values of lines of a type, first that which leaves least; with partial dates, dates are values."""
    carried = kind in _CARRIED
    values = [_DOSE if carried else _RESULT]
    texts = [_CODE] if carried and not has_contained else []
    if has_partial:
        texts.append(_DATE)
    sought = [[*values, *texts], values] if texts else [values]
    shown = _DISPLAY if _CODE in texts else b""
    return [*(re.compile(b'"(' + b"|".join(names) + b")" + _SCALAR + shown) for names in sought), _NOTHING]


def _scalar(text: str) -> Scalar:
    """A number or flag of JSON."""
    return text == "true" if text in ("true", "false") else exact_number(text)


@cache
def _value_mark(number: int) -> bytes:
    return f"{_SIGN}-value-{number}".encode()


def _marks_of(layout: Layout, signature: Signature) -> Marked:
    """The marks of a layout and a signature, which nothing is known of yet."""
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
    return Marked([text.encode() for text in texts], days, {})
