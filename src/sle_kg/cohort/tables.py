"""Patient tables in a folder of Parquet files, read in chunks of patients so that memory stays bounded."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sle_kg.cohort.sources import AGAIN, ParquetRows, Source, files_of, unreadable
from sle_kg.delta import LOG, dataset_of
from sle_kg.errors import InputError
from sle_kg.files import plain_path
from sle_kg.patients.facts import COLUMNS, schema
from sle_kg.terminology import UNMAPPED

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds

NEEDED = ("patient",)
"""Tables without which there is no cohort; any other that is missing has no rows."""
UNSEEN = ("record", "adverse_event")
"""Tables that screening a cohort does not look at: evidence lines, adverse events."""
CODED = ("condition", "exposure", "procedure", "immunization", "allergy")
"""Tables whose rows have a concept."""
MOST_FEATURES = 6_800_000
MOST_ROWS = 3_000_000
"""Features of patients (46,000 patients, three trials), and rows of all tables, that a chunk holds (on average)."""

FEWEST_PATIENTS = 1_000
"""Patients whom it does not pay to judge in two chunks at once."""

CodeMap = Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class CohortTables:
    """The fact tables of a folder: `<table>.parquet`, or `<table>/*.parquet`."""

    folder: Path
    tables: Mapping[str, ds.Dataset]
    patients: tuple[str, ...]

    @classmethod
    def open(cls, folder: Path) -> CohortTables:
        """The tables of a folder, checked against the columns of `patients.facts`.

        Raises InputError naming the folder or file and what is wrong with it.
        """
        folder = plain_path(folder)
        if not folder.is_dir():
            raise InputError(f"{folder}: is no folder; give one of patient tables, made with sle-kg ingest-cohort")
        tables = {name: found for name in COLUMNS if (found := _dataset(folder, name)) is not None}
        for name in NEEDED:
            if name not in tables:
                raise InputError(f"{folder}: holds no {name}.parquet; make patient tables with sle-kg ingest-cohort")
        named = [one for one in _column(tables["patient"], folder) if one is not None]
        ids = set(named)
        if len(named) > len(ids):
            twice = f"{len(named) - len(ids)} more rows than patients"
            raise InputError(f"{folder / 'patient'}: has {twice}; keep one row for each, or make it with ingest-cohort")
        if not ids:
            raise InputError(f"{folder}: holds no patient; make patient tables with sle-kg ingest-cohort")
        return cls(folder, tables, tuple(sorted(ids)))

    def chunks(self, features: int, most: int | None = None) -> list[tuple[str, ...]]:
        """The patients, in the order of their ids, in even parts that fit into memory with so many features of each."""
        count = len(self.patients)
        rows = sum(table.count_rows() for name, table in self.tables.items() if name not in UNSEEN)
        fit = max(1, min(MOST_FEATURES // max(1, features), MOST_ROWS // (rows // max(1, count) + 1)))
        parts = max(2, -(-count // fit))
        size = most or min(fit, max(FEWEST_PATIENTS, -(-count // parts)))
        return [self.patients[start : start + size] for start in range(0, count, size)]

    def read(self, patients: tuple[str, ...], on: dt.date, code_map: CodeMap) -> dict[str, pa.Table]:
        """The tables of some neighbouring patients; results dated after `on` are not seen and left out.

        `code_map` settles records whose code the tables call unmapped.
        """
        return self._read(_neighbours(patients), on, code_map, UNSEEN)

    def sources(self, patients: tuple[str, ...], on: dt.date, code_map: CodeMap) -> dict[str, Source]:
        """What `read` gives; of tables that DuckDB can read by itself, where they are.

        Raises InputError for tables that cannot be read.
        """
        own = {} if code_map else self._own
        rows = {
            name: ParquetRows(name, f"{self.folder / name}", files, patients[0], patients[-1], on)
            for name, files in own.items()
        }
        return {**self._read(_neighbours(patients), on, code_map, (*UNSEEN, *rows)), **rows}

    @cached_property
    def _own(self) -> dict[str, tuple[str, ...]]:
        """The files of the tables that DuckDB can read by itself."""
        found = {name: files_of(name, table) for name, table in self.tables.items() if name not in UNSEEN}
        return {name: files for name, files in found.items() if files}

    def read_only(
        self, patients: Sequence[str], on: dt.date, code_map: CodeMap, evidence: bool = False
    ) -> dict[str, pa.Table]:
        """The tables of some patients wherever they stand, with their evidence lines where those are asked for."""
        import pyarrow.compute as pc

        return self._read(pc.field("patient").isin(list(patients)), on, code_map, () if evidence else UNSEEN)

    def _read(self, mine: ds.Expression, on: dt.date, code_map: CodeMap, unseen: Sequence[str]) -> dict[str, pa.Table]:
        import pyarrow.compute as pc

        made = {}
        for name in COLUMNS:
            if name not in self.tables or name in unseen:
                made[name] = schema(name).empty_table()
                continue
            wanted = mine
            if name == "measurement":
                wanted = mine & (pc.field("date_from").is_null() | (pc.field("date_from") <= pc.scalar(on)))
            made[name] = self._table(name, wanted)
        return _mapped(made, code_map) if code_map else made

    def _table(self, name: str, wanted: ds.Expression) -> pa.Table:
        import pyarrow as pa

        try:
            return self.tables[name].to_table(columns=schema(name).names, filter=wanted).cast(schema(name))
        except (pa.ArrowException, OSError) as error:
            raise unreadable(f"{self.folder / name}", error) from error


def _neighbours(patients: Sequence[str]) -> ds.Expression:
    """The rows of neighbouring patients."""
    import pyarrow.compute as pc

    return (pc.field("patient") >= patients[0]) & (pc.field("patient") <= patients[-1])


def _files(folder: Path, name: str) -> tuple[Path, list[Path]]:
    """Where a table is, and its files: `<table>.parquet`, or the parts in a folder of that name; none if it is missing.

    Raises InputError for what may be a table and has no files: a table is left out on purpose alone.
    """
    file, parts = folder / f"{name}.parquet", folder / name
    if not (file.exists() or file.is_symlink()):
        if not parts.is_dir():
            return file, []
        file = parts
    elif parts.is_dir():
        raise InputError(f"{folder}: holds both {name}.parquet and a folder {name}; keep one")
    found = sorted(file.glob("**/*.parquet" if (file / LOG).is_dir() else "*.parquet")) if file.is_dir() else [file]
    if not found or not all(one.is_file() for one in found):
        raise InputError(f"{file}: holds no Parquet files; write it again, or take it away to leave the table out")
    return file, found


def _dataset(folder: Path, name: str) -> ds.Dataset | None:
    """One table; None where the folder has none of that name. Raises InputError where it lacks a column."""
    import pyarrow as pa
    import pyarrow.dataset as ds

    place, files = _files(folder, name)
    if not files:
        return None
    try:
        delta = (place / LOG).is_dir()
        found = dataset_of(str(place)) if delta else ds.dataset([str(file) for file in files], format="parquet")
        schemas = [found.schema, *([] if delta else (part.physical_schema for part in found.get_fragments()))]
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{place}: is no Parquet file ({_reason(error)}); {AGAIN}") from error
    missing = [column for column in schema(name).names if any(column not in one.names for one in schemas)]
    if missing:
        raise InputError(f"{place}: has no column {missing[0]}; make patient tables with sle-kg ingest-cohort")
    return found


def _reason(error: Exception) -> str:
    """What Arrow says of a file that is no Parquet, without the path, which it repeats."""
    said = (str(error).strip().splitlines() or ["no reason given"])[0]
    return re.sub(r"^.* input source '.*': ", "", said)[:200]


def _column(table: ds.Dataset, folder: Path) -> list[str | None]:
    """The ids of all patients."""
    import pyarrow as pa

    try:
        ids: list[str | None] = table.to_table(columns=["patient"])["patient"].to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise unreadable(f"{folder / 'patient'}", error) from error
    return ids


def _mapped(tables: dict[str, pa.Table], code_map: CodeMap) -> dict[str, pa.Table]:
    """The tables with the user's keys for records whose code was unmapped, which are then no longer unread."""
    unread = tables["unread"].to_pylist()
    keys: dict[tuple[str, str], str] = {}
    for row in unread:
        system, _, code = (row["code"] or "").rpartition("|")
        if (system, code) in code_map and row["why"] == "unmapped code":
            keys[row["patient"], row["record"]] = code_map[system, code]
    if not keys:
        return tables
    made = {name: _with_keys(table, keys) if name in CODED else table for name, table in tables.items()}
    kept = [not ((row["patient"], row["record"]) in keys and row["why"] == "unmapped code") for row in unread]
    return made | {"unread": tables["unread"].filter(kept)}


def _with_keys(table: pa.Table, keys: Mapping[tuple[str, str], str]) -> pa.Table:
    """The table with the concept of the records that have a key."""
    import pyarrow as pa

    columns = (table[name].to_pylist() for name in ("patient", "record", "concept"))
    concepts = [
        keys.get((patient, record), concept) if concept == UNMAPPED else concept
        for patient, record, concept in zip(*columns, strict=True)
    ]
    return table.set_column(table.schema.get_field_index("concept"), "concept", pa.array(concepts, pa.string()))
