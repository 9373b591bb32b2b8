"""Parquet files written table by table: beside the file first, renamed when all is there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sle_kg.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

Write = Callable[["pa.Table"], None]


@contextmanager
def parquet_writer(
    file: Path | None, option: str, metadata: Mapping[bytes, bytes] | None = None
) -> Iterator[Write | None]:
    """A writer of tables into one file; None where `file` is None. Nothing is left half written.

    `option` names the file in the message of the InputError that is raised where it cannot be written. `metadata` are
    found again with the schema; without them the types are those of Parquet, words in dictionaries plain text.
    """
    if file is None:
        yield None
        return
    import pyarrow.parquet as pq

    if file.exists() and not file.is_file():  # a rename would put a file in the place of a pipe or device
        raise InputError(f"{file}: cannot be written (this is no file); choose another {option}")
    writer: pq.ParquetWriter | None = None
    temporary: Path | None = None
    try:
        descriptor, name = tempfile.mkstemp(dir=file.resolve().parent, prefix=f".{file.name}.")
        os.close(descriptor)
        temporary = Path(name)

        def write(table: pa.Table) -> None:
            nonlocal writer
            table = table.replace_schema_metadata(metadata)
            writer = writer or pq.ParquetWriter(name, table.schema, compression="zstd", **_how(table.schema))
            writer.write_table(table)

        yield write
        if writer is not None:
            writer.close()
            temporary.chmod(0o644)
            temporary.replace(file.resolve())
    except OSError as error:
        raise InputError(f"{file}: cannot be written ({error.strerror}); choose another {option}") from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()


def _how(schema: pa.Schema) -> dict[str, Any]:
    """How tables of a schema are written: the least and the greatest value of columns only where they tell anything."""
    import pyarrow as pa

    flat = [field.name for field in schema if not pa.types.is_nested(field.type)]
    return {"store_schema": schema.metadata is not None, "write_statistics": flat}


def plain(table: pa.Table) -> pa.Table:
    """The table with the words of its maps written out, not as numbers into dictionaries."""
    import pyarrow as pa

    words = pa.map_(pa.string(), pa.string())
    fields = [field.with_type(words) if pa.types.is_map(field.type) else field for field in table.schema]
    return table.cast(pa.schema(fields))
