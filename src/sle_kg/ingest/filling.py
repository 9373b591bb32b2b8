"""Rows of lines by their templates, in the order of the final tables, together with rows that were read one by one.

The lines of all parts are sorted once, by patient and record. Then each table goes through them: the rows of a line's
template are taken as columns, thousands of lines at a time, and rows that were read one by one stand where their record
belongs. Templates beyond those that may be held, and records that the sources hold twice, become such rows in DuckDB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from sle_kg.ingest.fill import DATED, DAYS, template_schema, which_day
from sle_kg.ingest.parts import ORDINAL, PartStore, register, template_name
from sle_kg.patients.facts import COLUMNS, schema

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

HELD = 300_000
"""Templates that are held in memory, those of most lines: about 150 MB."""
BATCH = 1 << 15
"""Lines that are filled in at a time."""
SORTED = 1 << 18
"""Lines that are sorted at a time, about: all of some patients."""
_PATIENTS_TOGETHER = """
    SELECT min(place), max(place)
    FROM (SELECT place, sum(count(*)) OVER (ORDER BY place) // ? AS part FROM unordered GROUP BY place)
    GROUP BY part ORDER BY part"""
"""The first and the last of the patients whose lines are sorted together."""


def quoted(name: str) -> str:
    """A column or table of ours, quoted, for some are words of SQL."""
    return f'"{name}"'


class Filling:
    """The lines of some parts, of known patients, in order.

    The connection has the tables `source`, `twice` and `known` of the merge.
    """

    def __init__(self, db: duckdb.DuckDBPyConnection, store: PartStore, keys: Sequence[str]) -> None:
        self._db = db
        for table in COLUMNS:
            register(db, "told", store.files(template_name(table), keys), template_schema(table))
            db.execute(f"CREATE TABLE {_rows_of(table)} AS SELECT DISTINCT * FROM told")
        says = " UNION ALL ".join(
            f"SELECT DISTINCT template, {1 << place} AS bit FROM {_rows_of(table)}"
            for place, table in enumerate(COLUMNS)
        )
        db.execute(
            f"""
            CREATE TABLE template AS
              SELECT s.template, f.tables,
                     (row_number() OVER (ORDER BY s.lines DESC, s.template) - 1)::INTEGER AS number
              FROM (SELECT template, count(*) AS lines FROM source WHERE template IS NOT NULL GROUP BY template) s
              LEFT JOIN (SELECT template, bit_or(bit) AS tables FROM ({says}) GROUP BY template) f USING (template);
            CREATE TABLE unordered AS
              SELECT k.place, s.record, t.number, {", ".join(DAYS)}, t.tables,
                     w.record IS NOT NULL OR t.number >= {HELD} AS alone
              FROM source s JOIN template t USING (template)
              JOIN (FROM known WHERE NOT contradictory) k ON k.patient = s.patient
              LEFT JOIN twice w ON w.patient = s.patient AND w.record = s.record;
            CREATE TABLE line AS FROM unordered LIMIT 0;
            """
        )
        for places in db.execute(_PATIENTS_TOGETHER, [SORTED]).fetchall():
            db.execute("INSERT INTO line FROM unordered WHERE place BETWEEN ? AND ? ORDER BY place, record", places)
        db.execute("DROP TABLE unordered")
        [(self._alone,)] = db.execute("SELECT coalesce(bool_or(alone), false) FROM line").fetchall()

    def one_by_one(self, table: str) -> str | None:
        """The rows of those lines that are not taken as columns, with their ordinals; None where there are none."""
        if not self._alone:
            return None
        cells = ", ".join(f"{_cell(table, name)} AS {quoted(name)}" for name in COLUMNS[table])
        return f"""SELECT k.patient, l.record, {cells}, t.{ORDINAL} FROM line l
                   JOIN known k USING (place) JOIN template USING (number) JOIN {_rows_of(table)} t USING (template)
                   WHERE l.alone"""

    def batches(self, table: str, rows: str) -> Iterator[pa.RecordBatch]:
        """The rows of a final table in order; `rows` is the query of those that were read one by one, in order.

        What needs this connection is done at once, the rest as batches are asked for, perhaps in another thread.
        """
        self._db.execute(f"CREATE TABLE {_plain(table)} AS {rows}")
        return _batches(table, self._db.cursor(), self._db.cursor())


def _batches(table: str, db: duckdb.DuckDBPyConnection, other: duckdb.DuckDBPyConnection) -> Iterator[pa.RecordBatch]:
    """The rows of a final table in order, by connections of their own."""
    with db, other:
        plain = other.sql(f"FROM {_plain(table)}").to_arrow_reader(BATCH)
        held = db.sql(
            f"""SELECT number, r.* EXCLUDE (template)
                FROM {_rows_of(table)} r JOIN template USING (template)
                WHERE number < {HELD} ORDER BY number, {ORDINAL}"""
        ).to_arrow_table()
        if held.num_rows:
            names = db.sql("SELECT patient FROM known ORDER BY place").to_arrow_table()["patient"].combine_chunks()
            templates, rest = _Templates(table, held, names), _Rest(plain, schema(table))
            with db.cursor() as third:
                others = third.sql(_others(table)).to_arrow_reader(BATCH)
                for batch in _in_order(db.sql(_lines(table)).to_arrow_reader(BATCH), others):
                    yield from templates.filled(batch, rest)
        else:
            yield from plain
        db.execute(f"DROP TABLE {_plain(table)}")


def _rows_of(table: str) -> str:
    """Name of the table with the rows of templates for a table."""
    return quoted(template_name(table))


def _plain(table: str) -> str:
    """Name of the table with rows that were read one by one."""
    return quoted(f"plain-{table}")


def _lines(table: str) -> str:
    """The query of the lines with rows in a table; they are in order as they are."""
    bit = 1 << list(COLUMNS).index(table)
    return f"""SELECT place, record, number, {", ".join(DAYS)}, 0 AS rows FROM line
               WHERE NOT alone AND tables & {bit} <> 0"""


def _others(table: str) -> str:
    """The query of records with rows that were read one by one, in order, with the columns of `_lines`."""
    nothing = ", ".join(f"NULL::DATE AS {day}" for day in DAYS)
    return f"""SELECT place, record, NULL::INTEGER AS number, {nothing}, count(*)::INTEGER AS rows
               FROM {_plain(table)} JOIN known USING (patient) GROUP BY place, record ORDER BY place, record"""


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
    """Batches, each in order, as one in order."""
    import pyarrow as pa

    if len(batches) == 1:
        return batches
    both = pa.Table.from_batches(batches).sort_by([("place", "ascending"), ("record", "ascending")])
    found: list[pa.RecordBatch] = both.combine_chunks().to_batches()
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


class _Rest:
    """Rows that were read one by one, taken in order."""

    def __init__(self, batches: Iterator[pa.RecordBatch], columns: pa.Schema) -> None:
        self._batches = batches
        self._held = columns.empty_table()

    def take(self, number: int) -> pa.Table:
        """The next rows."""
        import pyarrow as pa

        while self._held.num_rows < number:
            more = pa.Table.from_batches([next(self._batches)]).cast(self._held.schema)
            self._held = pa.concat_tables([self._held, more])
        taken = self._held.slice(0, number)
        self._held = self._held.slice(number)
        return taken


class _Templates:
    """The rows of templates for a table as columns, those of a template together.

    `starts` and `counts` say where those of each template are, by its number; `names` are the patients by place.
    """

    def __init__(self, table: str, rows: pa.Table, names: pa.Array) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        counts = [0] * (1 + pc.max(rows["number"]).as_py())
        for found in pc.value_counts(rows["number"]).to_pylist():
            counts[found["values"]] = found["counts"]
        self.schema = schema(table)
        self.names = names
        self.number = rows.num_rows
        self.counts = pa.array(counts, pa.int32())
        self.starts = pc.subtract(pc.cumulative_sum(self.counts), self.counts)
        self.cells = {name: rows[name].combine_chunks().cast(self.schema.field(name).type) for name in COLUMNS[table]}
        self.which = {name: rows[which_day(name)].combine_chunks().fill_null(0) for name in DATED[table]}

    def filled(self, lines: pa.RecordBatch, rest: _Rest) -> Iterator[pa.RecordBatch]:
        """The rows of a batch of lines: of its template where a line has one, else its number of the other rows."""
        import pyarrow as pa
        import pyarrow.compute as pc

        number, rows = lines["number"], lines["rows"]
        others = rest.take(pc.sum(rows).as_py() or 0)
        counts = pc.coalesce(self.counts.take(number), rows)
        total = pc.sum(counts).as_py()
        if not total:
            return
        before = pc.subtract(pc.cumulative_sum(counts), counts)
        start = pc.add(pc.subtract(pc.cumulative_sum(rows), rows), pa.scalar(self.number, pa.int32()))
        shift = pc.subtract(pc.coalesce(self.starts.take(number), start), before)
        ends = pa.concat_arrays([before, pa.array([total], pa.int32())])
        line = pc.list_parent_indices(pa.ListArray.from_arrays(ends, pa.nulls(total)))
        row = pc.add(pa.arange(0, total).cast(pa.int32()), shift.take(line))
        columns = [self.names.take(lines["place"]).take(line), lines["record"].take(line)]
        for name, cells in self.cells.items():
            every = pa.concat_arrays([cells, *others[name].chunks]) if others.num_rows else cells
            column = every.take(row)
            if name in self.which:
                column = self._with_days(name, column, lines, line, row)
            columns.append(column)
        yield pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _with_days(self, name: str, column: pa.Array, lines: pa.RecordBatch, line: pa.Array, row: pa.Array) -> pa.Array:
        """A column with the dates of the lines in the places that are theirs."""
        import pyarrow as pa
        import pyarrow.compute as pc

        others = pa.repeat(pa.scalar(0, pa.int32()), max(0, (pc.max(row).as_py() or 0) + 1 - self.number))
        which = pa.concat_arrays([self.which[name], others]).take(row)
        for place, day in enumerate(DAYS, 1):
            if pc.any(pc.equal(self.which[name], place)).as_py():
                told = lines[day].take(line).cast(column.type)
                column = pc.if_else(pc.equal(which, place), told, column)
        return column
