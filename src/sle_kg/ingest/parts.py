"""Part tables: the facts of one piece of the input, and what the merge must know of each record.

A part is a folder `<key>/` with one Parquet file for each table that has rows, and `piece.json`, what was passed over.
It is written under another name and renamed, so a part is there whole or not at all; the key is a hash of the piece.
"""

from __future__ import annotations

import glob
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sle_kg.ingest.fill import DAYS, Fill
from sle_kg.patients.facts import COLUMNS, FactBuilder, schema
from sle_kg.patients.raw import RawRecord

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

ORDINAL = "ordinal"
"""Column of part tables: the place of a row among the rows of its record, so that equal rows of one record stay."""

BOOKS: dict[str, dict[str, str]] = {
    "person": {"patient": "text", "birth": "text", "gender": "text", "alias": "text", "file": "text", "line": "count"},
    "source": {
        "patient": "text",
        "record": "text",
        "file": "text",
        "line": "count",
        "template": "key",
        **dict.fromkeys(DAYS, "day"),
    },
    "medication": {"reference": "text", "resource": "text"},
    "medicine": {"patient": "text", "reference": "text", "short": "text", "resource": "text"},
    "about": {
        "patient": "text",
        "event": "text",
        "record": "text",
        "resource": "text",
        "file": "text",
        "line": "count",
    },
    "event": {"patient": "text", "record": "text", "url": "text", "resource": "text"},
    "reject": {"file": "text", "line": "count", "record": "text", "reason": "text"},
}
"""Tables of a part beside facts. `source` names each record's place, and its
template and dates where its rows are to be filled by one; `person` holds what Patient resources say, and the
URL (`alias`) by which a bundle names the patient; the others hold resources that wait for what they refer to."""


_DIFFERENT = frozenset({"record", "line", "resource"})
"""Columns of which nearly every cell is different."""

Books = dict[str, list[tuple[Any, ...]]]
"""Rows by table."""


def book_schema(book: str) -> pa.Schema:
    """The Arrow schema of a table of BOOKS."""
    import pyarrow as pa

    types = {"text": pa.string(), "count": pa.int64(), "key": pa.decimal128(38, 0), "day": pa.date32()}
    return pa.schema([(name, types[kind]) for name, kind in BOOKS[book].items()])


def part_schema(table: str) -> pa.Schema:
    """The Arrow schema of a fact table in a part: the table's own columns and the ordinal."""
    import pyarrow as pa

    return schema(table).append(pa.field(ORDINAL, pa.int32()))


class PartBuilder(FactBuilder):
    """Collects the facts of a piece, record by record, and its bookkeeping."""

    def __init__(self) -> None:
        super().__init__()
        self._open: dict[str, list[tuple[Any, ...]]] = {}
        self._facts: dict[str, list[tuple[Any, ...]]] = {table: [] for table in COLUMNS}
        self._books: dict[str, list[tuple[Any, ...]]] = {book: [] for book in BOOKS}
        self.skipped: Counter[str] = Counter()
        self.fill = Fill()

    def add(self, table: str, raw: RawRecord, **values: Any) -> None:
        """One row of a fact table, kept open until the resource ends."""
        row = (raw.patient, raw.record, *map(values.get, COLUMNS[table]))
        self._open.setdefault(table, []).append(row)

    def close(self) -> list[tuple[str, tuple[Any, ...]]]:
        """The resource (or group of resources) ends: number its rows and join its lines of evidence; the rows."""
        closed = []
        for table, rows in self._open.items():
            if table == "record":
                rows = joined(rows)
            places: Counter[tuple[Any, ...]] = Counter()
            for row in rows:
                closed.append((table, (*row, places[row[:2]])))
                places[row[:2]] += 1
        self._open = {}
        self.put(closed)
        return closed

    def put(self, rows: list[tuple[str, tuple[Any, ...]]]) -> None:
        """Rows of a resource with their tables, numbered already."""
        for table, row in rows:
            self._facts[table].append(row)

    def note(self, book: str, *values: Any) -> None:
        """One row of a bookkeeping table; columns at its end that are not given are null."""
        self._books[book].append((*values, *[None] * (len(BOOKS[book]) - len(values))))

    def reject(self, file: str, line: int, record: str | None, reason: str) -> None:
        """A record left out, with the place where it stands and why."""
        self.note("reject", file, line, record, reason)

    def take(self) -> tuple[Books, Books, Counter[str]]:
        """Facts, books and what was passed over, by table; the builder is empty again."""
        taken = ({table: rows for table, rows in self._facts.items() if rows}, self._books, self.skipped)
        self._facts = {table: [] for table in COLUMNS}
        self._books = {book: [] for book in BOOKS}
        self.skipped = Counter()
        return taken

    def all_skipped(self) -> Counter[str]:
        """What was passed over, by what it is."""
        return self.skipped + self.fill.skipped()

    def tables(self) -> dict[str, pa.Table]:
        """The tables that have rows."""
        import pyarrow as pa

        told = {table: (rows, part_schema(table)) for table, rows in self._facts.items()}
        told |= {_book(book): (rows, book_schema(book)) for book, rows in self._books.items()}
        found = {name: _table(rows, columns) for name, (rows, columns) in told.items() if rows}
        if self.fill.any():
            said = self.fill.templates()
            found |= {template_name(table): rows for table, rows in said.items() if rows.num_rows}
            lines = pa.Table.from_arrays(self.fill.records(), schema=book_schema("source"))
            found["_source"] = pa.concat_tables([lines, found["_source"]] if "_source" in found else [lines])
        return found


def template_name(table: str) -> str:
    """The name under which a part holds the rows of templates for a table."""
    return f"template-{table}"


def _book(name: str) -> str:
    return f"_{name}"


def _table(rows: list[tuple[Any, ...]], columns: pa.Schema) -> pa.Table:
    import pyarrow as pa

    arrays = [
        pa.array(list(values), field.type) for values, field in zip(zip(*rows, strict=True), columns, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=columns)


def joined(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """One line of evidence for each record: what its first part is called, the different values, the first date."""
    lines: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for row in rows:
        lines.setdefault(row[:2], []).append(row[2:])
    return [
        (
            *record,
            parts[0][0],
            "; ".join(dict.fromkeys(value for _, value, _ in parts if value)),
            next((date for _, _, date in parts if date), None),
        )
        for record, parts in lines.items()
    ]


class PartStore:
    """The folder of parts of one ingest: its list of finished parts is the manifest by which an ingest resumes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, key: str) -> bool:
        """Whether the part of this key is there, which means whole."""
        return (self.folder / key / "piece.json").exists()

    def write(self, key: str, builder: PartBuilder, about: dict[str, Any]) -> None:
        """Write the part of a piece whole or not at all; one that is there already stays. Raises OSError."""
        import pyarrow.parquet as pq

        temporary = Path(tempfile.mkdtemp(dir=self.folder, prefix=".part-"))
        try:
            for name, table in builder.tables().items():
                repeated = [column for column in table.column_names if column not in _DIFFERENT]
                file = temporary / f"{name}.parquet"
                pq.write_table(table, file, compression="lz4", use_dictionary=repeated, write_statistics=False)
            told = {**about, "skipped": dict(sorted(builder.all_skipped().items()))}
            (temporary / "piece.json").write_text(json.dumps(told), encoding="utf-8")
            os.rename(temporary, self.folder / key)  # noqa: PTH104 (fails on a folder that is there, as it should)
        except OSError:
            if not self.has(key):
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def files(self, table: str, keys: Sequence[str]) -> list[Path]:
        """The files of one table (`measurement`, `_person`) in these parts."""
        return [file for key in keys if (file := self.folder / key / f"{table}.parquet").exists()]

    def skipped(self, keys: list[str]) -> Counter[str]:
        """What the pieces of these keys passed over."""
        total: Counter[str] = Counter()
        for key in keys:
            total.update(json.loads((self.folder / key / "piece.json").read_text(encoding="utf-8"))["skipped"])
        return total


def register(db: duckdb.DuckDBPyConnection, name: str, files: Sequence[Path], columns: pa.Schema) -> None:
    """Name the rows of some Parquet files, for SQL; a folder's name is taken as it is, whatever signs it has."""
    db.unregister(name)
    if files:
        told = db.read_parquet([glob.escape(str(file)) for file in files], hive_partitioning=False)
        told.create_view(name)
    else:
        db.register(name, columns.empty_table())
