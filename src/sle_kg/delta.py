"""Delta tables by their log, with `deltalake`: which Parquet files count, and which shall count from now on.

The log is read, never more: whoever reads the files needs no code of Delta's own. Tables whose files do not say all
(deletion vectors, column mapping) are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from sle_kg.errors import InputError, MissingToolError

if TYPE_CHECKING:
    import pyarrow.dataset as ds
    from deltalake import DeltaTable

LOG = "_delta_log"
"""The folder in a folder that makes it a Delta table."""
VECTORS = "deletionVectors"
UNDERSTOOD = frozenset({VECTORS, "timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"})
"""Features of a table that leave its Parquet files as they are; deletion vectors where there are none."""


@dataclass(frozen=True, slots=True)
class DeltaFile:
    """A new Parquet file of a table: its path in the folder of the table, bytes, milliseconds since 1970."""

    path: str
    size: int
    modified: int


@dataclass(frozen=True, slots=True)
class DeltaState:
    """The latest version of a table: its columns (the JSON of Delta, which is that of Spark) and its Parquet files.

    `paths` are relative to the folder of the table. Columns in `partitions` stand in folders `<column>=<value>`.
    """

    columns: str
    partitions: tuple[str, ...]
    paths: tuple[str, ...]


def state_of(place: str) -> DeltaState:
    """The latest version of the table at a folder or address, by the settings of the environment (`AWS_…`).

    Raises InputError where the log cannot be read or the files do not say all, MissingToolError without `deltalake`.
    """
    with _told(place):
        return _state(_table(place), place)


def dataset_of(place: str) -> ds.Dataset:
    """The latest version of the table in a folder of this machine as Arrow reads it. Raises what `state_of` does."""
    import pyarrow as pa
    import pyarrow.dataset as ds

    with _told(place):
        table = _table(place)
        state = _state(table, place)
        columns = pa.schema(table.schema().to_arrow())
        partitioned = pa.schema([columns.field(name) for name in state.partitions])
        found: ds.Dataset = ds.dataset(
            [f"{place}/{path}" for path in state.paths],
            columns,
            "parquet",
            partitioning=ds.partitioning(partitioned, flavor="hive"),
            partition_base_dir=place,
        )
        return found


def check_target(place: str) -> None:
    """Raises InputError where `replace_files` would fail, whatever the files are."""
    with _told(place):
        _target(place)


def replace_files(place: str, columns: str, files: Sequence[DeltaFile]) -> None:
    """Make these files, which are in the folder already, the whole of the table, in one transaction.

    A table that is not there is made. Raises InputError where the table has other columns, is partitioned, or its log
    cannot be written.
    """
    with _told(place):
        from deltalake import Schema
        from deltalake.transaction import AddAction, create_table_with_add_actions

        schema = Schema.from_json(columns)
        added = [AddAction(one.path, one.size, {}, one.modified, True, "{}") for one in files]
        table = _target(place)
        if table is None:
            create_table_with_add_actions(place, schema, added)
            return
        if table.schema() != schema:
            raise InputError(f"{place}: is a Delta table of other columns; choose another address")
        table.create_write_transaction([*added], "overwrite", schema)


def _target(place: str) -> DeltaTable | None:
    """The table that is to be replaced; None where there is none. Raises InputError for one in partitions."""
    from deltalake import DeltaTable

    if not DeltaTable.is_deltatable(place):
        return None
    table = _table(place)
    if table.metadata().partition_columns:
        raise InputError(f"{place}: is a Delta table in partitions, which is not replaced; choose another address")
    return table


def _table(place: str) -> DeltaTable:
    from deltalake import DeltaTable

    return DeltaTable(place)


def _state(table: DeltaTable, place: str) -> DeltaState:
    import pyarrow as pa

    configuration: Mapping[str, str | None] = table.metadata().configuration
    features = set(table.protocol().reader_features or ())
    if (configuration.get("delta.columnMapping.mode") or "none") != "none":
        features.add("columnMapping")
    if VECTORS in features and pa.table(table.deletion_vectors()).num_rows:
        raise InputError(f"{place}: is a Delta table with deletion vectors; run REORG TABLE … APPLY (PURGE) on it")
    if unknown := features - UNDERSTOOD:
        raise InputError(f"{place}: is a Delta table with {min(unknown)}, which is not read; write a plain copy of it")
    paths = [unquote(path) for path in pa.table(table.get_add_actions())["path"].to_pylist()]
    partitions = tuple(table.metadata().partition_columns)
    for path in paths:
        if not all(f"{name}=" in path for name in partitions) or "://" in path:
            raise InputError(f"{place}: its log names files in folders of another form; write a plain copy of it")
    return DeltaState(table.schema().to_json(), partitions, tuple(sorted(paths)))


@contextmanager
def _told(place: str) -> Iterator[None]:
    """What `deltalake` raises, in one sentence."""
    try:
        from deltalake.exceptions import DeltaError
    except ImportError:
        raise MissingToolError(f"{place}: is a Delta table; run pip install 'sle-kg[delta]' for it.") from None
    if "://" not in place and unquote(place) != place:
        raise InputError(f"{place}: deltalake reads %XX in the name of a folder as another sign; rename the folder")
    try:
        yield
    except (DeltaError, OSError, ValueError) as error:
        said = (str(error).strip().splitlines() or ["no reason given"])[0][:200]
        raise InputError(f"{place}: its Delta log cannot be used ({said}); check the address") from error
