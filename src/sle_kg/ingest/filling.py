"""Rows of lines by their templates, in the order of the final tables, together with rows that were read one by one.

The lines of all parts are put in one file, where those of some patients are found together; these are sorted by patient
and record, and every table takes its rows from them: the rows of a line's template are taken as columns, thousands of
lines at a time, and rows that were read one by one stand where their record belongs. Templates beyond those that may be
held, and records that the sources hold twice, become such rows in DuckDB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sle_kg.ingest.fill import DATED, DAYS, template_schema, which_day
from sle_kg.ingest.parts import ORDINAL, PartStore, register, template_name
from sle_kg.patients.facts import COLUMNS, schema

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

HELD = 100_000
"""Templates that are held in memory, those of most lines: about 15 MB."""
BATCH = 1 << 13
"""Lines that are filled in at a time."""
SORTED = 1 << 16
"""Lines that are sorted at a time, about: all of some patients."""
_ORDER = [("place", "ascending"), ("record", "ascending")]


def quoted(name: str) -> str:
    """A column or table of ours, quoted, for some are words of SQL."""
    return f'"{name}"'


@dataclass(frozen=True, slots=True)
class Group:
    """The lines of some patients, in order, with the place of the first and of the last patient, and their names."""

    first: int
    last: int
    names: pa.Array
    lines: pa.Table


class Filling:
    """The lines of some parts, of known patients.

    The connection has the tables `source`, `twice` and `known` of the merge.
    """

    def __init__(self, db: duckdb.DuckDBPyConnection, store: PartStore, keys: Sequence[str]) -> None:
        self._db = db
        for table in COLUMNS:
            told = f"told-{table}"
            register(db, told, store.files(template_name(table), keys), template_schema(table))
            db.execute(f"CREATE VIEW {_rows_of(table)} AS SELECT DISTINCT * FROM {quoted(told)}")
        db.execute(
            f"""
            CREATE TABLE template AS
              SELECT template, (row_number() OVER (ORDER BY count(*) DESC, template) - 1)::INTEGER AS number
              FROM source WHERE template IS NOT NULL GROUP BY template;
            CREATE TABLE together AS
              SELECT patient, place, (sum(lines) OVER (ORDER BY place) // {SORTED})::INTEGER AS part
              FROM (SELECT patient, count(*) AS lines FROM source WHERE template IS NOT NULL GROUP BY patient)
              JOIN known USING (patient) WHERE NOT contradictory;
            CREATE VIEW line AS
              SELECT part, place, s.record, t.number, {", ".join(DAYS)},
                     w.record IS NOT NULL OR t.number >= {HELD} AS alone
              FROM source s JOIN template t USING (template) JOIN together USING (patient)
              LEFT JOIN twice w ON w.patient = s.patient AND w.record = s.record;
            """
        )
        [(templates, repeats)] = db.execute("SELECT (SELECT count(*) FROM template), count(*) FROM twice").fetchall()
        self._held = min(templates, HELD)
        self._alone = repeats > 0 or templates > HELD
        if self._alone:
            db.execute(f"CREATE TABLE alone AS SELECT place, record, number, {', '.join(DAYS)} FROM line WHERE alone")
        self._lines = _Apart(store.folder / "lines.arrow", db.sql("SELECT * EXCLUDE (alone) FROM line WHERE NOT alone"))

    def one_by_one(self, table: str) -> str | None:
        """The rows of those lines that are not taken as columns, with their ordinals; None where there are none."""
        if not self._alone:
            return None
        cells = ", ".join(f"{_cell(table, name)} AS {quoted(name)}" for name in COLUMNS[table])
        return f"""SELECT k.patient, l.record, {cells}, t.{ORDINAL}, k.place FROM alone l
                   JOIN known k USING (place) JOIN template USING (number) JOIN {_rows_of(table)} t USING (template)"""

    def table(self, table: str, rows: str) -> FilledTable:
        """A final table; `rows` is the query of its rows that were read one by one, in order, with their `place`."""
        self._db.execute(f"CREATE TABLE {_plain(table)} AS {rows}")
        told = self._of(
            f"""SELECT number, r.* EXCLUDE (template) FROM {_rows_of(table)} r JOIN template USING (template)
                WHERE number < {self._held} ORDER BY number, {ORDINAL}"""
        )
        return FilledTable(table, self._db.cursor(), self._held, told)

    def groups(self) -> Iterator[Group]:
        """The lines that are taken as columns."""
        import pyarrow as pa

        names = "SELECT patient FROM known WHERE place BETWEEN ? AND ? ORDER BY place"
        first = 0
        parts = self._db.execute("SELECT part, max(place) FROM together GROUP BY part ORDER BY part").fetchall()
        for part, last in parts:
            pa.default_memory_pool().release_unused()
            yield Group(first, last, self._of(names, first, last)["patient"].combine_chunks(), self._lines.of(part))
            first = last + 1

    def _of(self, query: str, *places: int) -> pa.Table:
        return self._db.sql(query, params=places).to_arrow_table()


class _Apart:
    """Lines in a file, from which those of each `part` are read alone: written once, in runs sorted by part."""

    def __init__(self, file: Path, lines: duckdb.DuckDBPyRelation) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        self._batches: dict[int, list[int]] = {}
        number = 0
        runs = lines.to_arrow_reader(SORTED)
        with pa.ipc.new_file(file, runs.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
            for run in runs:
                ordered = pa.Table.from_batches([run]).sort_by("part").combine_chunks()
                start = 0
                for found in pc.value_counts(ordered["part"]).to_pylist():
                    writer.write_table(ordered.slice(start, found["counts"]))
                    self._batches.setdefault(found["values"], []).append(number)
                    start += found["counts"]
                    number += 1
        self._reader = pa.ipc.open_file(pa.OSFile(str(file)))

    def of(self, part: int) -> pa.Table:
        """The lines of a part, in order."""
        import pyarrow as pa

        batches = [self._reader.get_batch(number) for number in self._batches.get(part, ())]
        return pa.Table.from_batches(batches, self._reader.schema).sort_by(_ORDER)


def _rows_of(table: str) -> str:
    """Name of the table with the rows of templates for a table."""
    return quoted(template_name(table))


def _plain(table: str) -> str:
    """Name of the table with rows that were read one by one."""
    return quoted(f"plain-{table}")


def _in_order(*sources: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Two streams in the order of place and record as one; no record is in both."""
    streams = [(batch for batch in source if batch.num_rows) for source in sources]
    held = [next(stream, None) for stream in streams]
    while (batches := [batch for batch in held if batch is not None]) == held:
        place, record = min((batch["place"][-1].as_py(), batch["record"][-1].as_py()) for batch in batches)
        counts = [_up_to(batch, place, record) for batch in batches]
        yield from _sorted([batch.slice(0, count) for batch, count in zip(batches, counts, strict=True) if count])
        for which, (batch, count) in enumerate(zip(batches, counts, strict=True)):
            held[which] = batch.slice(count) if count < batch.num_rows else next(streams[which], None)
    yield from batches
    for stream in streams:
        yield from stream


def _up_to(batch: pa.RecordBatch, place: int, record: str) -> int:
    """How many records of a batch are not after this one."""
    import pyarrow.compute as pc

    same = pc.and_(pc.equal(batch["place"], place), pc.less_equal(batch["record"], record))
    return int(pc.sum(pc.or_(pc.less(batch["place"], place), same)).as_py())


def _sorted(batches: Sequence[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
    """Batches, each in order, as one in order; a column that one does not have is null there."""
    import pyarrow as pa

    if len(batches) == 1:
        return batches
    both = pa.concat_tables([pa.Table.from_batches([batch]) for batch in batches], promote_options="default")
    found: list[pa.RecordBatch] = both.sort_by(_ORDER).to_batches()
    return found


def _cell(table: str, column: str) -> str:
    """The SQL of a cell of a line: a date of the line, or what the template says."""
    if column not in DATED[table]:
        return f"t.{quoted(column)}"
    days = " ".join(f"WHEN {number} THEN l.{day}" for number, day in enumerate(DAYS, 1))
    day = f"CASE t.{quoted(which_day(column))} {days} END"
    if COLUMNS[table][column] == "text":
        day = f"{day}::VARCHAR"
    return f"CASE WHEN t.{quoted(which_day(column))} IS NULL THEN t.{quoted(column)} ELSE {day} END"


class _Others:
    """Rows that were read one by one, with their `place`, in order: told of first, then taken."""

    def __init__(self, batches: Iterator[pa.RecordBatch], columns: pa.Schema) -> None:
        self._batches = (batch for batch in batches if batch.num_rows)
        self._next = next(self._batches, None)
        self._held = columns.empty_table()

    def up_to(self, place: int | None = None) -> Iterator[pa.RecordBatch]:
        """Place and record of the rows of patients up to a place; all that are left without one."""
        import pyarrow.compute as pc

        while (batch := self._next) is not None:
            count = batch.num_rows if place is None else pc.sum(pc.less_equal(batch["place"], place)).as_py()
            if count:
                yield self._held_back(batch.slice(0, count))
            if count < batch.num_rows:
                self._next = batch.slice(count)
                return
            self._next = next(self._batches, None)

    def _held_back(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Place and record of rows that are to be taken."""
        import pyarrow as pa

        rows = pa.Table.from_batches([batch.select(self._held.column_names)]).cast(self._held.schema)
        self._held = pa.concat_tables([self._held, rows])
        return batch.select(["place", "record"])

    def take(self, number: int) -> pa.Table:
        """The next of the rows that were told of."""
        taken = self._held.slice(0, number)
        self._held = self._held.slice(number)
        return taken


class FilledTable:
    """A final table, group by group of patients.

    The connection is its own; `rows` are those of the first `templates`, in order. `_starts` and `_counts` say where
    the rows of each are among `_cells`, by its number.
    """

    def __init__(self, table: str, db: duckdb.DuckDBPyConnection, templates: int, rows: pa.Table) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        self.schema = schema(table)
        self._plain = _plain(table)
        self._db = db
        found = pc.value_counts(rows["number"])
        own = pc.index_in(pa.arange(0, templates).cast(pa.int32()), found.field("values"))
        self._counts = found.field("counts").take(own).fill_null(0).cast(pa.int32())
        self._starts = pc.subtract(pc.cumulative_sum(self._counts), self._counts)
        self.has_lines = rows.num_rows > 0
        self._cells = {
            name: _encoded(rows[name].cast(self.schema.field(name).type).combine_chunks()) for name in COLUMNS[table]
        }
        self._which = {
            name: rows[which_day(name)].combine_chunks().fill_null(0).cast(pa.int8()) for name in DATED[table]
        }
        self._places = {name: sorted({*pc.unique(which).to_pylist()} - {0}) for name, which in self._which.items()}
        self._others = _Others(self._db.sql(f"FROM {self._plain}").to_arrow_reader(BATCH), self.schema)

    def of(self, group: Group) -> Iterator[pa.RecordBatch]:
        """The rows of the patients of a group, in order."""
        import pyarrow.compute as pc

        lines = group.lines.filter(pc.greater(self._counts.take(group.lines["number"]), 0))
        for batch in _in_order(lines.combine_chunks().to_batches(BATCH), self._others.up_to(group.last)):
            yield self._filled(batch, group)

    def rest(self) -> Iterator[pa.RecordBatch]:
        """The rows of all patients of whom there was no group."""
        for batch in self._others.up_to():
            yield from self._others.take(batch.num_rows).to_batches()
        self._db.execute(f"DROP TABLE {self._plain}")
        self._db.close()

    def _filled(self, lines: pa.RecordBatch, group: Group) -> pa.RecordBatch:
        """The rows of lines: of its template where a line has one, else the next of the others."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if "number" not in lines.schema.names:
            return self._others.take(lines.num_rows).combine_chunks().to_batches()[0]
        number = lines["number"]
        others = self._others.take(number.null_count)
        row, line = _rows(self._starts.take(number), self._counts.take(number).fill_null(1))
        patient = group.names.take(pc.subtract(lines["place"], group.first))
        columns = [_along(patient, line), _along(lines["record"], line)]
        for name, cells in self._cells.items():
            column = cells.take(row).dictionary_decode()
            which = self._which[name].take(row) if self._places.get(name) else None
            for place in self._places.get(name, ()):
                day = _along(_as(column.type, lines[DAYS[place - 1]]), line)
                column = pc.if_else(pc.equal(which, place), day, column)
            if others.num_rows:
                column = pc.replace_with_mask(column, row.is_null(), others[name].combine_chunks())
            columns.append(column)
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


def _rows(starts: pa.Array, counts: pa.Array) -> tuple[pa.Array, pa.Array | None]:
    """Of lines with their first row (or null) and their number of rows: all rows, and the line of each, None for one
    row each.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    total = pc.sum(counts).as_py()
    if total == len(counts):
        return starts, None
    before = pc.subtract(pc.cumulative_sum(counts), counts)
    ends = pa.concat_arrays([before, pa.array([total], pa.int32())])
    line = pc.list_parent_indices(pa.ListArray.from_arrays(ends, pa.nulls(total)))
    shift = pc.subtract(starts, before)
    return pc.add(pa.arange(0, total).cast(pa.int32()), shift.take(line)), line


def _encoded(column: pa.Array) -> pa.DictionaryArray:
    """A column by its different cells, with numbers of these that are as short as can be."""
    import pyarrow as pa

    encoded = column.dictionary_encode()
    shortest = next(kind for kind in (pa.int8(), pa.int16(), pa.int32()) if _holds(kind, len(encoded.dictionary)))
    return pa.DictionaryArray.from_arrays(encoded.indices.cast(shortest), encoded.dictionary)


def _holds(kind: pa.DataType, number: int) -> bool:
    """Whether whole numbers of a kind are enough to number so many cells."""
    return bool(number <= 1 << kind.bit_width - 1)


def _along(column: pa.Array, line: pa.Array | None) -> pa.Array:
    """What a column of lines says of each row."""
    return column if line is None else column.take(line)


def _as(kind: pa.DataType, days: pa.Array) -> pa.Array:
    """Dates as dates or as text, each different one written once."""
    if days.type == kind:
        return days
    different = days.dictionary_encode()
    return different.dictionary.cast(kind).take(different.indices)
