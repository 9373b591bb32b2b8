"""A table that Spark writes chunk by chunk: a folder of Parquet files or a Delta table, put in place as a whole."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from sle_kg.delta import LOG, DeltaFile, check_target, replace_files
from sle_kg.errors import InputError
from sle_kg.spark.files import Store, knows_delta
from sle_kg.spark.tables import DELTA, reason

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

SPARK_FILES = ("part-", "_", ".")
"""What the names of files in a folder of Spark's own begin with."""


def is_spark_place(place: str) -> bool:
    """Whether a name is one that Spark writes: an address (`s3a://…`), `delta:…`, or a folder, with `/` at its end."""
    return place.startswith(DELTA) or "://" in place or place.endswith("/")


@contextmanager
def spark_writer(place: str, option: str, session: SparkSession) -> Iterator[Callable[[pa.Table], None]]:
    """A writer of Arrow tables of one schema to a place that `is_spark_place`; without a table nothing is made.

    Chunks go to a folder of their own, one Parquet file each. At the end that folder takes the place of an earlier one
    (a rename), or becomes a Delta table in one transaction; after a failure the place is as it was. Raises InputError
    naming place and `option` where Spark cannot write there, or a folder holds what Spark did not write.
    """
    root = place.removeprefix(DELTA).rstrip("/")
    with _told(place, option):
        way = _way(place, root, option, session)
    begun = False

    def write(table: pa.Table) -> None:
        nonlocal begun
        begun = True
        with _told(place, option):
            session.createDataFrame(table).coalesce(1).write.format("parquet").mode("append").save(way.folder)

    try:
        yield write
        if begun:
            with _told(place, option):
                way.finish()
            begun = way.passing
    finally:
        if begun:
            way.clear()


@dataclass(frozen=True)
class _Folder:
    """A folder of Parquet files: made beside, then renamed."""

    store: Store
    root: str
    folder: str
    passing: ClassVar[bool] = True
    """Whether the folder of the chunks is no more needed at the end."""

    def finish(self) -> None:
        """Raises InputError where the folder cannot be put in place."""
        if not self.store.replaced(self.folder, self.root):
            raise InputError(f"{self.root}: cannot be written (the finished folder cannot be renamed); choose another")

    def clear(self) -> None:
        """Remove the folder of the chunks."""
        self.store.remove(self.folder)


@dataclass(frozen=True)
class _Delta(_Folder):
    """A Delta table by Delta's own classes: made beside, then written once more."""

    session: SparkSession

    def finish(self) -> None:
        """One transaction."""
        self.session.read.parquet(self.folder).write.format("delta").mode("overwrite").save(self.root)


@dataclass(frozen=True)
class _DeltaLog(_Delta):
    """A Delta table by its log: the chunks are in a folder of the table, unseen until the log names their files."""

    passing: ClassVar[bool] = False

    def finish(self) -> None:
        """One transaction."""
        inside = self.folder.rpartition("/")[2]
        files = [DeltaFile(f"{inside}/{name}", *known) for name, known in self.store.sizes(self.folder).items()]
        columns = self.session.read.parquet(self.folder).schema.json()
        replace_files(self.store.address(self.root), columns, files)

    def clear(self) -> None:
        """Remove the folder of the chunks, and that of the table where nothing else is in it."""
        self.store.remove(self.folder)
        if not self.store.names(self.root):
            self.store.remove(self.root)


def _way(place: str, root: str, option: str, session: SparkSession) -> _Folder:
    """How the place is written. Raises InputError for a folder that holds anything else: it would be lost."""
    store, unique = Store(session, root), uuid.uuid4().hex
    beside = f"{root}.{unique}.unfinished"
    if not place.startswith(DELTA):
        _check_own(store, root, place, option)
        return _Folder(store, root, beside)
    if knows_delta(root, session):
        return _Delta(store, root, beside, session)
    there = store.names(root)
    if there and LOG not in there:
        raise InputError(f"{place}: holds {min(there)} and no Delta table; choose a new folder for {option}")
    check_target(store.address(root))
    return _DeltaLog(store, root, f"{root}/{unique}", session)


def _check_own(store: Store, root: str, place: str, option: str) -> None:
    """Raises InputError for a folder that holds anything but what Spark wrote: it would be lost."""
    others = [name for name in store.names(root) or () if name == LOG or not name.startswith(SPARK_FILES)]
    if others:
        raise InputError(f"{place}: holds {min(others)}, which Spark did not write; choose a new folder for {option}")


@contextmanager
def _told(place: str, option: str) -> Iterator[None]:
    """What Spark, Hadoop or Java raise, in one sentence."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as error:
        raise InputError(f"{place}: Spark cannot write it ({reason(error)}); choose another {option}") from error
