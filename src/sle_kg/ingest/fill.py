"""Rows by templates, column by column: what a line says that is known already, for another patient, id and days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any

from sle_kg.patients.facts import COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class TemplateRow:
    """A row of a table without patient and record: its cells and its ordinal.

    `days` says of a cell that is a date of the line which of them it is; the cell itself is None.
    """

    cells: tuple[Any, ...]
    ordinal: int
    days: Mapping[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """What lines of a form give: rows by table, whether they count as a record, and what of them was passed over."""

    kind: str
    noted: bool
    skipped: Counter[str]
    rows: dict[str, list[TemplateRow]] = field(default_factory=dict)


class Templates:
    """All templates that a process remembers, by number, as columns."""

    def __init__(self) -> None:
        self.all: list[Template] = []
        self._tables: dict[str, _Rows] = {}

    def add(self, template: Template) -> int:
        """The number of a new template."""
        self.all.append(template)
        return len(self.all) - 1

    def forget(self) -> None:
        """Start anew with numbers."""
        self.all.clear()
        self._tables.clear()

    def rows(self, table: str) -> _Rows:
        """The rows of all templates in a table."""
        known = self._tables.get(table) or _Rows(table)
        self._tables[table] = known = known.extended(self.all)
        return known


class _Rows:
    """Rows of templates in one table, as columns: where those of each template are, cells, places of dates, ordinals.

    A place of a date is its number among the dates of a line; null where the cell is the same for all lines.
    """

    def __init__(self, table: str) -> None:
        import pyarrow as pa

        from sle_kg.ingest.parts import part_schema

        self.table = table
        self.ends = [0]
        self.kinds = part_schema(table).types[2:]
        self.cells = [pa.array([], kind) for kind in self.kinds]
        self.days = [pa.array([], pa.int32()) for _ in COLUMNS[table]]

    def extended(self, templates: Sequence[Template]) -> _Rows:
        """With the rows of templates that are new."""
        import pyarrow as pa

        new = [template.rows.get(self.table, []) for template in templates[len(self.ends) - 1 :]]
        self.ends.extend(accumulate(map(len, new), initial=self.ends.pop()))
        if rows := [row for group in new for row in group]:
            told = zip(*((*row.cells, row.ordinal) for row in rows), strict=True)
            self.cells = [
                pa.concat_arrays([held, pa.array(cells, kind)])
                for held, cells, kind in zip(self.cells, told, self.kinds, strict=True)
            ]
            self.days = [
                pa.concat_arrays([held, pa.array([row.days.get(place) for row in rows], pa.int32())])
                for place, held in enumerate(self.days)
            ]
        return self


class Fill:
    """Lines with their templates, for the tables of a part.

    `lines` are the number of the template, the number in the source, the place of the patient, the id, and the dates in
    days since 1970; `patients` are places of patients by the references that name them.
    """

    def __init__(self) -> None:
        self.lines: list[tuple[int, int, int, bytes, tuple[int, ...]]] = []
        self.patients: dict[bytes, int] = {}
        self._templates = Templates()
        self._names: list[str] = []
        self._sources: list[tuple[str, int]] = []

    def begin(self, source: str, templates: Templates) -> None:
        """The lines that follow are of this source, and by these templates."""
        self._templates = templates
        self._sources.append((source, len(self.lines)))

    def note_patient(self, reference: bytes, name: str) -> int:
        """The place of a patient whom this reference names."""
        self.patients[reference] = place = len(self._names)
        self._names.append(name)
        return place

    def skipped(self) -> Counter[str]:
        """What was passed over in all lines."""
        total: Counter[str] = Counter()
        for template, lines in Counter(line[0] for line in self.lines).items():
            for what, number in self._templates.all[template].skipped.items():
                total[what] += number * lines
        return total

    def tables(self) -> dict[str, list[pa.Array]]:
        """The columns of each fact table that has rows, with patient, record and ordinal; `_source`, of the records."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if not self.lines:
            return {}
        every, numbers, patients, identifiers, days = zip(*self.lines, strict=True)
        template = pa.array(every, pa.int32())
        kinds = pa.array([f"{one.kind}/" for one in self._templates.all], pa.string()).take(template)
        lines = _Lines(
            template=template,
            patient=pa.array(self._names, pa.string()).take(pa.array(patients, pa.int32())),
            record=pc.binary_join_element_wise(kinds, pa.array(identifiers, pa.binary()).cast(pa.string()), ""),
            first_day=pa.array(accumulate(map(len, days[:-1]), initial=0), pa.int32(), size=len(days)),
            days=pa.array(list(chain.from_iterable(days)), pa.int32()).cast(pa.date32()),
        )
        found = {table: lines.filled(self._templates.rows(table)) for table in COLUMNS}
        return {table: columns for table, columns in found.items() if columns} | {
            "_source": self._records(lines, numbers)
        }

    def _records(self, lines: _Lines, numbers: Sequence[int]) -> list[pa.Array]:
        """Patient, record, source and number of the lines that count as records."""
        import pyarrow as pa

        ends = [start for _, start in self._sources[1:]] + [len(self.lines)]
        sources = [pa.repeat(name, end - start) for (name, start), end in zip(self._sources, ends, strict=True)]
        noted = pa.array([template.noted for template in self._templates.all]).take(lines.template)
        columns = [lines.patient, lines.record, pa.concat_arrays(sources), pa.array(numbers, pa.int64())]
        return [column.filter(noted) for column in columns]


@dataclass(frozen=True, slots=True)
class _Lines:
    """Columns of lines: number of the template, place of the first of its dates among `days`, the dates of all."""

    template: pa.Array
    patient: pa.Array
    record: pa.Array
    first_day: pa.Array
    days: pa.Array

    def filled(self, rows: _Rows) -> list[pa.Array] | None:
        """The columns of a table: the rows of each line's template, line after line; None where there are none."""
        import pyarrow as pa
        import pyarrow.compute as pc

        places = pa.array(range(rows.ends[-1]), pa.int32())
        every = pa.ListArray.from_arrays(pa.array(rows.ends, pa.int32()), places).take(self.template)
        row, line = pc.list_flatten(every), pc.list_parent_indices(every)
        if not len(row):
            return None
        first_day = self.first_day.take(line)
        columns = [self.patient.take(line), self.record.take(line)]
        for cells, days in zip(rows.cells, [*rows.days, None], strict=True):
            column = cells.take(row)
            if days is not None and days.null_count < len(days):
                told = self.days.take(pc.add(first_day, days.take(row))).cast(cells.type)
                column = pc.coalesce(told, column)
            columns.append(column)
        return columns
