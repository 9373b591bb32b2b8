"""Parts to final tables, by DuckDB, out of memory where need be: each record once, in one order, whatever came first.

A record stands once however often the sources hold it; two different records of one id both count, as in `screen`, and
are listed. Records of nobody, and of patients who contradict themselves, are left out and listed.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sle_kg.ingest.filling import Filling, quoted
from sle_kg.ingest.parts import BOOKS, ORDINAL, PartStore, book_schema, part_schema, register
from sle_kg.ingest.pieces import Segment
from sle_kg.patients.facts import COLUMNS

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from sle_kg.ingest.filling import FilledTable, Group

ROW_GROUP = 1 << 16
"""Rows of a row group of the final tables."""
FEW = ROW_GROUP // 4
"""Rows of a table that are few for the patients of a group."""
LARGEST = ("record", "measurement")
"""The tables of most rows: they are written first, that no thread has one of them left at the end."""
MEMORY, THREADS = 150_000_000, 4
"""Bytes that DuckDB may hold before it writes to the folder of the ingest; each of its threads needs some of them."""
SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "allocator_flush_threshold": "1MB",
    "allocator_bulk_deallocation_flush_threshold": "1MB",
}
"""What DuckDB does not need any more it gives back, whatever little it is."""
PERSONS, RECORDS, ROWS = 1 << 18, 1 << 23, 1 << 17
"""How many patients, records and rows of facts are compared with each other at a time.

What is compared cannot be written to the folder of the ingest, so it has to be so little that it has room.
"""
_BATCH = 1 << 14
SECOND = 1 << 18
"""Bytes of a piece of the second pass, about: what it reads takes longer than lines that are known."""

NOBODY = "refers to a patient who is in none of the sources"
CONTRADICTORY = "the patient contradicts another record of the same id (birth date or sex)"
OF_CONTRADICTORY = "of a patient whose records contradict each other (birth date or sex)"
TWO_VERSIONS = "kept: differs from another record of the same id, and both are used"


class Merge:
    """The second pass over the parts of some pieces, and the final tables."""

    def __init__(self, store: PartStore, keys: Iterable[str], threads: int) -> None:
        import duckdb

        self._store = store
        self._keys = sorted(keys)
        self._threads = min(threads, THREADS)
        self._rejected = False
        spill = store.folder / "spill"
        spill.mkdir(exist_ok=True)
        config = {"temp_directory": str(spill), "memory_limit": f"{MEMORY}B", "threads": self._threads, **SETTINGS}
        self._db: duckdb.DuckDBPyConnection = duckdb.connect(config=config)
        self._db.execute("SET enable_progress_bar = false")  # it would go to standard output
        for book in BOOKS:
            self._register(f"_{book}", book_schema(book))
        self._find_patients()
        self._find_asked()
        self._db.execute(
            """
            CREATE TABLE alias AS
              SELECT alias, min(patient) patient
              FROM (SELECT patient, unnest(string_split(alias, chr(10))) alias FROM _person WHERE alias IS NOT NULL)
              WHERE alias NOT IN (SELECT patient FROM known)
                AND (NOT starts_with(alias, 'Patient?') OR alias IN (FROM asked))
              GROUP BY alias HAVING min(patient) = max(patient);
            CREATE TABLE event AS
              SELECT coalesce(a.patient, e.patient) patient, e.record, e.url, e.resource
              FROM _event e LEFT JOIN alias a ON a.alias = e.patient;
            CREATE TABLE about AS
              SELECT coalesce(a.patient, b.patient, e.patient) patient, b.record, b.resource, b.file, b.line
              FROM _about b LEFT JOIN alias a ON a.alias = b.patient
              LEFT JOIN (
                SELECT record, min(patient) patient FROM event GROUP BY record HAVING min(patient) = max(patient)
              ) e ON e.record = b.event;
            CREATE VIEW source AS
              SELECT coalesce(a.patient, s.patient) patient, s.* EXCLUDE (patient)
              FROM _source s LEFT JOIN alias a ON a.alias = s.patient
              UNION ALL BY NAME SELECT patient, record, file, line FROM about;
            CREATE TABLE versions (patient VARCHAR, record VARCHAR);
            """
        )
        self._find_repeats()
        self._repeats = self._count("twice") > 0
        self._aliases = self._count("alias") > 0
        self._filling = Filling(self._db, store, self._keys)

    def _find_patients(self) -> None:
        """Make the table `known` of all patients: whether they contradict themselves, and their places in order."""
        self._db.execute("CREATE TABLE found (patient VARCHAR, birth VARCHAR, gender VARCHAR, contradictory BOOLEAN)")
        self._in_turn(
            self._count("_person") // PERSONS + 1,
            """INSERT INTO found
               SELECT patient, max(birth), max(gender),
                      coalesce(min(birth) < max(birth), FALSE) OR coalesce(min(gender) < max(gender), FALSE)
               FROM _person WHERE hash(patient) % ?::UBIGINT = ?::UBIGINT GROUP BY patient""",
        )
        self._db.execute(
            """CREATE TABLE known AS
                 SELECT *, (row_number() OVER () - 1)::INTEGER place FROM (FROM found ORDER BY patient);
               DROP TABLE found"""
        )

    def _find_asked(self) -> None:
        """Make the table `asked` of the identifiers by which records name their patients: mostly there are none."""
        named = (f"SELECT patient FROM _{book}" for book in ("source", "medicine", "about", "event"))
        self._db.execute(
            f"""CREATE TABLE asked AS
                  SELECT DISTINCT patient FROM ({" UNION ALL ".join(named)}) WHERE starts_with(patient, 'Patient?')"""
        )

    def _find_repeats(self) -> None:
        """Make the table `twice` of the records that the sources hold several times, by their hashes first."""
        self._db.execute(
            """CREATE TABLE hashes AS SELECT hash(patient, record) AS hash FROM source;
               CREATE TABLE doubtful (hash UBIGINT);
               CREATE TABLE twice (patient VARCHAR, record VARCHAR)"""
        )
        self._in_turn(
            self._count("hashes") // RECORDS + 1,
            """INSERT INTO doubtful
               SELECT hash FROM hashes WHERE hash % ?::UBIGINT = ?::UBIGINT GROUP BY hash HAVING count(*) > 1""",
        )
        self._in_turn(
            self._count("doubtful") // RECORDS + 1,
            """INSERT INTO twice
               SELECT patient, record FROM source
               WHERE hash(patient, record) IN (SELECT hash FROM doubtful WHERE hash % ?::UBIGINT = ?::UBIGINT)
               GROUP BY patient, record HAVING count(*) > 1""",
        )
        self._db.execute("DROP TABLE hashes; DROP TABLE doubtful")

    def patients(self) -> int:
        """How many patients there are who do not contradict themselves."""
        return int(self._rows("SELECT count(*) FROM known WHERE NOT contradictory")[0][0])

    # ── Second pass ──────────────────────────────────────────────────────────────────────────────────────

    def waiting(self) -> Iterator[Segment]:
        """What the second pass reads: patients, and resources with what they refer to, in one order."""
        yield from _segments(
            "patients",
            self._stream("SELECT patient, birth, gender FROM known WHERE NOT contradictory ORDER BY patient"),
        )
        yield from _segments(
            "medicines",
            self._stream(
                """
                WITH medication AS (
                       SELECT reference, CASE WHEN min(resource) = max(resource) THEN min(resource) END resource
                       FROM _medication GROUP BY reference),
                     medicine AS (
                       SELECT DISTINCT coalesce(a.patient, m.patient) patient, m.reference, m.short, m.resource
                       FROM _medicine m LEFT JOIN alias a ON a.alias = m.patient)
                SELECT m.patient, m.reference, m.resource,
                       CASE WHEN whole.reference IS NOT NULL THEN whole.resource ELSE short.resource END
                FROM medicine m
                LEFT JOIN medication whole ON whole.reference = m.reference
                LEFT JOIN medication short ON short.reference = m.short
                ORDER BY ALL
                """
            ),
        )
        yield from _segments("events", self._of_one_patient())

    def _of_one_patient(self) -> Iterator[tuple[Any, ...]]:
        """Adverse events, and observations that may be about one, of each patient together."""
        held: list[tuple[str, str]] = []
        last = None
        for patient, url, resource in self._stream(
            """
            SELECT DISTINCT patient, url, resource FROM (
              SELECT patient, url, resource FROM event
              UNION ALL SELECT patient, '', resource FROM about WHERE patient IS NOT NULL)
            ORDER BY ALL
            """
        ):
            if held and patient != last:
                yield last, held
                held = []
            last = patient
            held.append((url, resource))
        if held:
            yield last, held

    # ── Final tables ─────────────────────────────────────────────────────────────────────────────────────

    def write(self, folder: Path, second: Iterable[str]) -> dict[str, int]:
        """Write every fact table, with the parts of the second pass, and rejects; rows by table."""
        self._keys = sorted({*self._keys, *second})
        with ThreadPoolExecutor(self._threads) as pool:
            tables: dict[str, _Final] = {}
            finished: dict[str, Future[int]] = {}
            for name in dict.fromkeys((*LARGEST, *COLUMNS)):
                table = self._table(folder, name)
                if table.has_lines:
                    tables[name] = table
                else:
                    finished[name] = pool.submit(table.finish)
                    wait([*finished.values()][: -self._threads])
            written: list[Future[None]] = []
            for group in self._filling.groups():
                for one in written:
                    one.result()
                written = [pool.submit(table.write, group) for table in tables.values()]
            for one in written:
                one.result()
            finished |= {name: pool.submit(table.finish) for name, table in tables.items()}
            counts = {name: finished[name].result() for name in COLUMNS}
        counts["rejects"] = self._write_rejects(folder)
        return counts

    def _table(self, folder: Path, name: str) -> _Final:
        """A final table, with its rows that were read one by one."""
        register(self._db, _facts(name), self._store.files(name, self._keys), part_schema(name))
        if self._repeats:
            self._take_together(name)
        filled = self._filling.table(name, self._final(name))
        self._db.execute(f"DROP TABLE IF EXISTS {_ONCE}")
        return _Final(filled, folder / f"{name}.parquet")

    def _write_rejects(self, folder: Path) -> int:
        """Write the rejects as Parquet and CSV; how many there are."""
        import pyarrow.parquet as pq

        written, columns = folder / "rejects.parquet", book_schema("reject")
        self._register("_reject", columns)
        number = _write(written, columns, _different(self._db.sql(self._rejects()).to_arrow_reader(_BATCH)))
        with pq.ParquetFile(written) as told, (folder / "rejects.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(BOOKS["reject"])
            for batch in told.iter_batches(_BATCH):
                writer.writerows(_rows_of(batch))
        register(self._db, "rejected", [written], columns)
        self._rejected = True
        return number

    def reasons(self) -> dict[str, int]:
        """How many records were rejected for each reason."""
        if not self._rejected:
            self._write_rejects(self._store.folder)
        return dict(self._rows("SELECT reason, count(*) FROM rejected GROUP BY reason ORDER BY ALL"))

    def _take_together(self, table: str) -> None:
        """Of records that stand several times, make the table of what all say, once; note those that differ."""
        self._db.execute(
            f"""CREATE TABLE every AS FROM ({self._kept(table)}) SEMI JOIN twice USING (patient, record) ORDER BY place;
                CREATE TABLE {_ONCE} AS FROM every LIMIT 0"""
        )
        ends = self._rows(
            f"""SELECT max(place) FROM (SELECT place, row_number() OVER () // {ROWS} AS share FROM every)
                GROUP BY share ORDER BY ALL"""
        )
        first = 0
        for (last,) in ends:
            self._db.execute(
                f"""CREATE TABLE repeated AS FROM every WHERE place BETWEEN {first} AND {last};
                    INSERT INTO versions SELECT DISTINCT patient, record FROM (SELECT DISTINCT * FROM repeated)
                      GROUP BY patient, record, {ORDINAL} HAVING count(*) > 1;
                    INSERT INTO {_ONCE} BY NAME {_once(table)};
                    DROP TABLE repeated"""
            )
            first = last + 1
        self._db.execute("DROP TABLE every")

    def _kept(self, table: str) -> str:
        """The rows of all parts that belong to a known patient, under the patient's id, with ordinal and place."""
        columns = ", ".join(f"t.{quoted(name)}" for name in ("record", *COLUMNS[table], ORDINAL))
        patient, join = "t.patient", ""
        if self._aliases:
            patient, join = "coalesce(a.patient, t.patient)", "LEFT JOIN alias a ON a.alias = t.patient"
        rows = f"SELECT {patient} AS patient, {columns} FROM {_facts(table)} t {join}"
        kept = f"SELECT r.*, k.place FROM ({rows}) r JOIN known k USING (patient) WHERE NOT k.contradictory"
        filled = self._filling.one_by_one(table)
        return f"{kept} UNION ALL {filled}" if filled else kept

    def _final(self, table: str) -> str:
        """The rows of a final table that were read one by one: each record once, in order, with the patient's place."""
        facts = [quoted(name) for name in COLUMNS[table]]
        every = self._kept(table)
        if self._repeats:
            every = f"FROM ({every}) ANTI JOIN twice USING (patient, record) UNION ALL BY NAME FROM {_ONCE}"
        return f"""SELECT patient, record, {", ".join(facts)}, place FROM ({every})
                   ORDER BY {", ".join(["place", "record", ORDINAL, *facts])}"""

    def _rejects(self) -> str:
        """The rows of the table of rejects, in order; some may stand there several times."""
        return f"""
            SELECT file, line, record, reason FROM (
              SELECT file, line, record, reason FROM _reject
              UNION ALL
              SELECT s.file, s.line, s.record,
                     CASE WHEN k.patient IS NULL THEN '{NOBODY}' ELSE '{OF_CONTRADICTORY}' END
              FROM source s LEFT JOIN known k ON k.patient = s.patient
              WHERE k.patient IS NULL OR k.contradictory
              UNION ALL
              SELECT file, line, 'Patient/' || patient, '{CONTRADICTORY}'
              FROM _person JOIN known USING (patient) WHERE contradictory
              UNION ALL
              SELECT s.file, s.line, s.record, '{TWO_VERSIONS}'
              FROM source s
              SEMI JOIN versions USING (patient, record)
              SEMI JOIN (FROM known WHERE NOT contradictory) USING (patient)
            ) ORDER BY file, line, record, reason"""

    # ── Tables ───────────────────────────────────────────────────────────────────────────────────────────

    def _register(self, table: str, columns: pa.Schema) -> None:
        """A table of the parts under its own name; no name or text of the sources becomes SQL."""
        register(self._db, table, self._store.files(table, self._keys), columns)

    def _in_turn(self, turns: int, sql: str) -> None:
        """Run a statement for each of some shares of what it compares: how many there are, and which it is."""
        for turn in range(turns):
            self._db.execute(sql, [turns, turn])

    def _count(self, table: str) -> int:
        """How many rows a table has."""
        return int(self._rows(f"SELECT count(*) FROM {table}")[0][0])

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._db.execute(sql).fetchall()

    def _stream(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, some thousands at a time; one query at a time."""
        for batch in self._db.sql(sql).to_arrow_reader(_BATCH):
            yield from _rows_of(batch)

    def close(self) -> None:
        """Give back the memory and the files of the work."""
        self._db.close()


_ONCE = "once"
"""Name of the table of what records say that stand several times."""


def _facts(table: str) -> str:
    """Name of what all parts hold of a fact table."""
    return f"facts_{table}"


def _rows_of(batch: pa.RecordBatch) -> Iterator[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _different(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Rows in order, each once."""
    import pyarrow as pa

    last: tuple[Any, ...] | None = None
    for batch in batches:
        rows = list(_rows_of(batch))
        yield batch.filter(
            pa.array([row != before for row, before in zip(rows, [last, *rows], strict=False)], pa.bool_())
        )
        last = rows[-1] if rows else last


def _once(table: str) -> str:
    """The rows of records that stand several times: what all say, once, in the order of the columns."""
    match table:
        case "record":
            return f"""SELECT patient, record, min(what) what, string_agg(DISTINCT value, '; ' ORDER BY value) "value",
                         min("date") "date", 0 AS {ORDINAL}, min(place) place
                       FROM repeated GROUP BY patient, record"""
        case "unread":
            order = ", ".join(quoted(name) for name in (*COLUMNS[table], ORDINAL))
            return f"""SELECT * FROM repeated
                       QUALIFY row_number() OVER (PARTITION BY patient, record, why ORDER BY {order}) = 1"""
    return "SELECT DISTINCT * FROM repeated"


def _segments(form: Any, rows: Iterable[tuple[Any, ...]]) -> Iterator[Segment]:
    """Rows as lines of JSON, in segments of about the size of a piece."""
    lines: list[bytes] = []
    held, first, number = 0, 1, 0
    for number, row in enumerate(rows, 1):
        line = json.dumps(row).encode() + b"\n"
        lines.append(line)
        held += len(line)
        if held >= SECOND:
            yield Segment(form, "", first, b"".join(lines))
            lines, held, first = [], 0, number + 1
    if lines:
        yield Segment(form, "", first, b"".join(lines))


class _Table:
    """A table in row groups of one size, so that the same rows give the same bytes.

    Until there are enough for a row group, rows of which there come few at a time are held compressed.
    """

    def __init__(self, file: Path, columns: pa.Schema) -> None:
        import pyarrow.parquet as pq

        # A dictionary of records would only be in the way.
        repeated = [name for name in columns.names if name != "record"]
        self._writer = pq.ParquetWriter(
            file, columns, compression="zstd", use_dictionary=repeated, write_statistics=repeated
        )
        self._schema = columns
        self._packed: list[pa.Buffer] = []
        self._held: list[pa.RecordBatch] = []
        self._rows = self._count = 0

    def write(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Add rows."""
        before = self._rows + self._count
        for batch in batches:
            start = 0
            while start < batch.num_rows:
                some = batch.slice(start, ROW_GROUP - self._rows)
                self._held.append(some)
                self._rows += some.num_rows
                start += some.num_rows
                if self._rows == ROW_GROUP:
                    self._write_group()
        if self._held and self._rows + self._count - before <= FEW:
            self._packed.append(_packed(self._group()))
            self._held = []

    def finish(self) -> int:
        """End the table; how many rows it has."""
        if self._rows:
            self._write_group()
        self._writer.close()
        return self._count

    def _group(self) -> pa.Table:
        """The rows that are held as they are, each column in one piece; what one was made of goes at once."""
        import pyarrow as pa

        held = [batch.columns for batch in self._held]
        self._held = []
        columns = []
        while held[0]:
            columns.append(pa.concat_arrays([batch.pop() for batch in held]))
        return pa.Table.from_arrays(columns[::-1], schema=self._schema)

    def _write_group(self) -> None:
        self._held[:0] = [batch for packed in self._packed for batch in _unpacked(packed)]
        self._packed = []
        group = self._group()
        self._writer.write_table(group, row_group_size=ROW_GROUP)
        self._count += group.num_rows
        self._rows = 0


def _packed(rows: pa.Table) -> pa.Buffer:
    """Rows in little room."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as stream:
        stream.write_table(rows)
    return sink.getvalue()


def _unpacked(rows: pa.Buffer) -> list[pa.RecordBatch]:
    """The rows that were put in little room."""
    import pyarrow as pa

    found: list[pa.RecordBatch] = pa.ipc.open_stream(rows).read_all().to_batches()
    return found


def _write(file: Path, columns: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Write a table; how many rows it has."""
    table = _Table(file, columns)
    table.write(batches)
    return table.finish()


class _Final:
    """A final table on its way to its file."""

    def __init__(self, rows: FilledTable, file: Path) -> None:
        self._rows = rows
        self._table = _Table(file, rows.schema)
        self.has_lines = rows.has_lines

    def write(self, group: Group) -> None:
        """Write the rows of the patients of a group."""
        self._table.write(self._rows.of(group))

    def finish(self) -> int:
        """Write the rows of the other patients; how many rows there are."""
        self._table.write(self._rows.rest())
        return self._table.finish()
