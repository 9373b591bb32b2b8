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
LARGEST = ("record", "measurement")
"""The tables of most rows: they are written first, that no thread has one of them left at the end."""
MEMORY, OF_A_PATIENT, OF_A_REPEAT, THREADS = 200_000_000, 120, 500, 4
"""Bytes that DuckDB may hold before it writes to the folder of the ingest.

In all, and more for each patient and for each record that the sources hold several times: what it compares these by
cannot be written. Each of its threads needs some of them, so there are few.
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
        spill = store.folder / "spill"
        spill.mkdir(exist_ok=True)
        self._db: duckdb.DuckDBPyConnection = duckdb.connect(
            config={"temp_directory": str(spill), "memory_limit": f"{MEMORY}B", "threads": self._threads}
        )
        self._db.execute("SET enable_progress_bar = false")  # it would go to standard output
        for book in BOOKS:
            self._register(f"_{book}", book_schema(book))
        [(persons,)] = self._rows("SELECT count(DISTINCT patient) FROM _person")
        self._allow(MEMORY + OF_A_PATIENT * persons)
        self._db.execute(
            """
            CREATE TABLE known AS
              SELECT patient, max(birth) birth, max(gender) gender,
                     count(DISTINCT birth) > 1 OR count(DISTINCT gender) > 1 contradictory,
                     (row_number() OVER (ORDER BY patient) - 1)::INTEGER place
              FROM _person GROUP BY patient;
            CREATE TABLE alias AS
              SELECT alias, min(patient) patient FROM _person
              WHERE alias IS NOT NULL AND alias NOT IN (SELECT patient FROM known) GROUP BY alias;
            CREATE TABLE event AS
              SELECT coalesce(a.patient, e.patient) patient, e.record, e.url, e.resource
              FROM _event e LEFT JOIN alias a ON a.alias = e.patient;
            CREATE TABLE about AS
              SELECT coalesce(a.patient, b.patient, e.patient) patient, b.record, b.resource, b.file, b.line
              FROM _about b LEFT JOIN alias a ON a.alias = b.patient
              LEFT JOIN (SELECT record, min(patient) patient FROM event GROUP BY record) e ON e.record = b.event;
            CREATE VIEW source AS
              SELECT coalesce(a.patient, s.patient) patient, s.* EXCLUDE (patient)
              FROM _source s LEFT JOIN alias a ON a.alias = s.patient
              UNION ALL BY NAME SELECT patient, record, file, line FROM about;
            CREATE TABLE doubtful AS SELECT hash FROM (SELECT hash(patient, record) AS hash FROM source)
              GROUP BY hash HAVING count(*) > 1;
            CREATE TABLE twice AS
              SELECT patient, record FROM source SEMI JOIN doubtful ON doubtful.hash = hash(patient, record)
              GROUP BY patient, record HAVING count(*) > 1;
            DROP TABLE doubtful;
            CREATE TABLE versions (patient VARCHAR, record VARCHAR);
            """
        )
        [(repeats,)] = self._rows("SELECT count(*) FROM twice")
        self._allow(MEMORY + OF_A_PATIENT * persons + OF_A_REPEAT * repeats)
        self._rejected = self._rejects()
        self._aliases = bool(self._rows("SELECT 1 FROM alias LIMIT 1"))
        self._repeats = repeats > 0
        self._filling = Filling(self._db, store, self._keys)

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
                WITH medication AS (SELECT reference, min(resource) resource FROM _medication GROUP BY reference),
                     medicine AS (
                       SELECT DISTINCT coalesce(a.patient, m.patient) patient, m.reference, m.short, m.resource
                       FROM _medicine m LEFT JOIN alias a ON a.alias = m.patient)
                SELECT m.patient, m.reference, m.resource, coalesce(whole.resource, short.resource)
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
            self._note_versions(name)
        return _Final(self._filling.table(name, self._final(name)), folder / f"{name}.parquet")

    def _write_rejects(self, folder: Path) -> int:
        """Write the rejects as Parquet and CSV; how many there are."""
        import pyarrow.parquet as pq

        written, columns = folder / "rejects.parquet", book_schema("reject")
        self._register("_reject", columns)
        number = _write(written, columns, self._db.sql(self._rejects()).to_arrow_reader(_BATCH))
        with pq.ParquetFile(written) as told, (folder / "rejects.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(BOOKS["reject"])
            for batch in told.iter_batches(_BATCH):
                writer.writerows(_rows_of(batch))
        register(self._db, "rejected", [written], columns)
        self._rejected = "FROM rejected"
        return number

    def reasons(self) -> dict[str, int]:
        """How many records were rejected for each reason."""
        return dict(self._rows(f"SELECT reason, count(*) FROM ({self._rejected}) GROUP BY reason ORDER BY ALL"))

    def _note_versions(self, table: str) -> None:
        """Note the records of which the sources hold two that say different things."""
        self._db.execute(
            f"""INSERT INTO versions SELECT DISTINCT patient, record
                FROM (SELECT DISTINCT * FROM ({self._kept(table)}) SEMI JOIN twice USING (patient, record))
                GROUP BY patient, record, {ORDINAL} HAVING count(*) > 1"""
        )

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
            every = f"""WITH kept AS ({every}), repeated AS (FROM kept SEMI JOIN twice USING (patient, record))
                        FROM kept ANTI JOIN twice USING (patient, record) UNION ALL BY NAME ({_once(table)})"""
        return f"""SELECT patient, record, {", ".join(facts)}, place FROM ({every})
                   ORDER BY {", ".join(["place", "record", ORDINAL, *facts])}"""

    def _rejects(self) -> str:
        """The rows of the table of rejects, in order."""
        return f"""
            SELECT DISTINCT file, line, record, reason FROM (
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

    def _allow(self, memory: int) -> None:
        """How many bytes DuckDB may hold from now on."""
        self._db.execute(f"SET memory_limit = '{memory}B'")

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._db.execute(sql).fetchall()

    def _stream(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, some thousands at a time; one query at a time."""
        for batch in self._db.sql(sql).to_arrow_reader(_BATCH):
            yield from _rows_of(batch)

    def close(self) -> None:
        """Give back the memory and the files of the work."""
        self._db.close()


def _facts(table: str) -> str:
    """Name of what all parts hold of a fact table."""
    return f"facts_{table}"


def _rows_of(batch: pa.RecordBatch) -> Iterator[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in batch.columns), strict=True)


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
    """A table in row groups of one size, so that the same rows give the same bytes."""

    def __init__(self, file: Path, columns: pa.Schema) -> None:
        import pyarrow.parquet as pq

        # A dictionary of records would only be in the way.
        repeated = [name for name in columns.names if name != "record"]
        self._writer = pq.ParquetWriter(
            file, columns, compression="zstd", use_dictionary=repeated, write_statistics=repeated
        )
        self._held = columns.empty_table()
        self._count = 0

    def write(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Add rows."""
        import pyarrow as pa

        for batch in batches:
            self._held = pa.concat_tables([self._held, pa.Table.from_batches([batch]).cast(self._held.schema)])
            while self._held.num_rows >= ROW_GROUP:
                self._write_group()

    def finish(self) -> int:
        """End the table; how many rows it has."""
        if self._held.num_rows:
            self._write_group()
        self._writer.close()
        return self._count

    def _write_group(self) -> None:
        group, self._held = self._held.slice(0, ROW_GROUP), self._held.slice(ROW_GROUP)
        group = group.combine_chunks()  # what it was made of need not be held while it is written
        self._writer.write_table(group, row_group_size=ROW_GROUP)
        self._count += group.num_rows


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
