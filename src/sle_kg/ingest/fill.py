"""Lines by templates: what a line says that is known already, of another patient, with another id, on other days.

A part keeps the two apart, so that what is said often stands there once: its lines, each with the key of its template,
and the rows of the templates. The merge puts them together.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from sle_kg.patients.facts import COLUMNS, schema

if TYPE_CHECKING:
    import pyarrow as pa

DAYS = ("day1", "day2", "day3", "day4")
"""Columns of the dates of a line."""
DATED = {table: [name for name, kind in columns.items() if kind == "date"] for table, columns in COLUMNS.items()} | {
    "record": ["value", "date"]
}
"""Columns of each table that may hold a date of the line."""
_NUMBER_BITS = 40
_NUMBER = (1 << _NUMBER_BITS) - 1
"""The bits of a line's place that are its number in the source; those above are the number of the source."""
KEY_BYTES = 15
"""A key is a hash of what a template says, of less than 38 digits."""


def which_day(column: str) -> str:
    """Column of a template that says which date of the line (1 for the first) stands in a column of the table."""
    return f"{column}_day"


class TemplateRow(NamedTuple):
    """A row of a table without patient and record: its cells, and for each column of DATED which date of the line.

    Dates count from 1, and their cells are None; `text` is the row with its table, for the key of its template.
    """

    cells: tuple[Any, ...]
    text: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """What lines of a form give: rows by table, whether they count as a record, and what of them was passed over."""

    kind: str
    noted: bool
    skipped: Counter[str]
    rows: dict[str, list[TemplateRow]] = field(default_factory=dict)

    def key(self) -> Decimal:
        """The same for all templates that have the same rows."""
        told = b"\n".join([row.text for rows in self.rows.values() for row in rows])
        return Decimal(int.from_bytes(hashlib.blake2b(told, digest_size=KEY_BYTES).digest()))


class Templates:
    """All templates that a process remembers, by number; their rows are held as columns."""

    def __init__(self) -> None:
        self.all: list[Template] = []
        self.keys: list[Decimal] = []
        self._rows: dict[str, _Rows] = {}

    def add(self, template: Template) -> int:
        """The number of a new template, whose rows are taken from it."""
        number, key = len(self.all), template.key()
        for table, rows in template.rows.items():
            self._of(table).add(number, key, rows)
        template.rows.clear()
        self.all.append(template)
        self.keys.append(key)
        return number

    def forget(self) -> None:
        """Start anew with numbers."""
        self.all.clear()
        self.keys.clear()
        self._rows.clear()

    def rows(self, table: str, numbers: pa.Array) -> pa.Table:
        """The rows of these templates in a table."""
        return self._of(table).of(numbers)

    def _of(self, table: str) -> _Rows:
        rows = self._rows.get(table)
        if rows is None:
            rows = self._rows[table] = _Rows(table)
        return rows


class _Rows:
    """The rows of all templates in one table, as columns; `numbers` are those of their templates."""

    def __init__(self, table: str) -> None:
        import pyarrow as pa

        self._new: list[tuple[Any, ...]] = []
        self._rows = template_schema(table).empty_table()
        self._numbers = pa.chunked_array([], pa.int32())

    def add(self, number: int, key: Decimal, rows: Sequence[TemplateRow]) -> None:
        """Take in the rows of a new template."""
        self._new += [(number, key, *row.cells, ordinal) for ordinal, row in enumerate(rows)]

    def of(self, numbers: pa.Array) -> pa.Table:
        """The rows of these templates."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self._new:
            new, *columns = zip(*self._new, strict=True)
            types = self._rows.schema.types
            arrays = [pa.array(list(cells), kind) for cells, kind in zip(columns, types, strict=True)]
            more = pa.Table.from_arrays(arrays, schema=self._rows.schema)
            self._rows = pa.concat_tables([self._rows, more])
            self._numbers = pa.chunked_array([*self._numbers.chunks, pa.array(new, pa.int32())])
            self._new = []
        return self._rows.filter(pc.is_in(self._numbers, numbers))


@dataclass(frozen=True, slots=True)
class Columns:
    """Lines with templates: number of the template, place (see `Fill`), place of the patient, id, and dates.

    The dates are in days since 1970, in the order of DAYS; null, or no column, where a line has fewer.
    """

    templates: pa.Array
    places: pa.Array
    patients: pa.Array
    identifiers: pa.Array
    days: list[pa.Array]

    def filter(self, mask: pa.Array) -> Columns:
        """The lines that a mask names."""
        return Columns(
            self.templates.filter(mask),
            self.places.filter(mask),
            self.patients.filter(mask),
            self.identifiers.filter(mask),
            [day.filter(mask) for day in self.days],
        )


class Fill:
    """Lines with their templates, for the tables of a part.

    The place of a line is its source and its number there, in one number. `lines` are those that were filled in one by
    one: the number of the template, the place, the place of the patient, the id, and the dates in days since 1970;
    `patients` are places of patients by the references that name them.
    """

    def __init__(self) -> None:
        self.lines: list[tuple[int, int, int, bytes, tuple[int, ...]]] = []
        self.patients: dict[bytes, int] = {}
        self._templates = Templates()
        self._names: list[str] = []
        self._sources: list[str] = []
        self._columns: list[Columns] = []

    def begin(self, templates: Templates) -> None:
        """The lines that follow are by these templates."""
        self._templates = templates

    def begin_of(self, source: str) -> int:
        """What is added to the numbers of the lines of a source to make their places."""
        self._sources.append(source)
        return len(self._sources) - 1 << _NUMBER_BITS

    def found(self, place: int) -> tuple[str, int]:
        """The source and the number of a line."""
        return self._sources[place >> _NUMBER_BITS], place & _NUMBER

    def add(self, columns: Columns) -> None:
        """Many lines."""
        self._columns.append(columns)

    def any(self) -> bool:
        """Whether there are lines."""
        return bool(self.lines or self._columns)

    def note_patient(self, reference: bytes, name: str) -> int:
        """The place of a patient whom this reference names."""
        self.patients[reference] = place = len(self._names)
        self._names.append(name)
        return place

    def skipped(self) -> Counter[str]:
        """What was passed over in all lines."""
        import pyarrow as pa

        total: Counter[str] = Counter()
        for found in pa.chunked_array(self._each("templates"), pa.int32()).value_counts().to_pylist():
            for what, number in self._templates.all[found["values"]].skipped.items():
                total[what] += number * found["counts"]
        return total

    def records(self) -> list[pa.Array]:
        """The lines that count as records: patient, record, source, number, key of the template, days."""
        import pyarrow as pa
        import pyarrow.compute as pc

        template, place, patient, identifier = (
            pa.concat_arrays(self._each(name)) for name in ("templates", "places", "patients", "identifiers")
        )
        source = pc.shift_right(place, pa.scalar(_NUMBER_BITS, pa.int64()))
        used = template.dictionary_encode()
        different = used.dictionary.to_pylist()
        told = [self._templates.all[one] for one in different]
        keys = pa.array([self._templates.keys[one] for one in different], pa.decimal128(38, 0))
        kinds = pa.array([f"{one.kind}/" for one in told], pa.string()).take(used.indices)
        columns = [
            pa.array(self._names, pa.string()).take(patient),
            pc.binary_join_element_wise(kinds, identifier.cast(pa.string()), ""),
            pa.array(self._sources, pa.string()).take(source),
            pc.bit_wise_and(place, pa.scalar(_NUMBER, pa.int64())),
            keys.take(used.indices),
            *(pa.concat_arrays(list(days)).cast(pa.date32()) for days in self._days()),
        ]
        noted = pa.array([one.noted for one in told], pa.bool_()).take(used.indices)
        return [column.filter(noted) for column in columns]

    def templates(self) -> dict[str, pa.Table]:
        """The rows of each table in all templates that lines have."""
        import pyarrow as pa

        numbers = pa.chunked_array(self._each("templates"), pa.int32()).unique()
        return {table: self._templates.rows(table, numbers) for table in COLUMNS}

    def _collect(self) -> None:
        """Make columns of the lines that were filled in one by one."""
        import pyarrow as pa

        if self.lines:
            templates, places, patients, identifiers, days = zip(*self.lines, strict=True)
            told = [
                pa.array([one[which] if which < len(one) else None for one in days], pa.int32())
                for which in range(max(map(len, days)))
            ]
            self.add(
                Columns(
                    pa.array(templates, pa.int32()),
                    pa.array(places, pa.int64()),
                    pa.array(patients, pa.int32()),
                    pa.array(identifiers, pa.large_binary()),
                    told,
                )
            )
            self.lines = []

    def _each(self, column: str) -> list[pa.Array]:
        """A column of all lines."""
        self._collect()
        return [getattr(one, column) for one in self._columns]

    def _days(self) -> Iterator[list[pa.Array]]:
        """The columns of dates of all lines."""
        import pyarrow as pa

        for place in range(len(DAYS)):
            yield [
                one.days[place] if place < len(one.days) else pa.nulls(len(one.places), pa.int32())
                for one in self._columns
            ]


def template_schema(table: str) -> pa.Schema:
    """The Arrow schema of a table's rows in templates: key, the table's own columns, which dates, ordinal."""
    import pyarrow as pa

    own = list(schema(table))[2:]
    days = [pa.field(which_day(name), pa.int32()) for name in DATED[table]]
    return pa.schema([pa.field("template", pa.decimal128(38, 0)), *own, *days, pa.field("ordinal", pa.int32())])
