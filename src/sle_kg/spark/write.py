"""A table that Spark writes chunk by chunk: a folder of Parquet files or a Delta table, put in place as a whole."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sle_kg.errors import InputError
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

    Chunks go to a folder beside the place, one Parquet file each. At the end that folder takes the place of an earlier
    one (a rename), or is written as one transaction of Delta; after a failure the place is as it was. Raises InputError
    naming place and `option` where Spark cannot write there, or a folder holds what Spark did not write.
    """
    root = place.removeprefix(DELTA).rstrip("/")
    beside = f"{root}.{uuid.uuid4().hex}.unfinished"
    begun = False
    with _told(place, option):
        store = _Store(session, root)
        if place.startswith(DELTA):
            _check_delta(session, root)
        else:
            _check_own(store, root, place, option)

    def write(table: pa.Table) -> None:
        nonlocal begun
        begun = True
        with _told(place, option):
            session.createDataFrame(table).coalesce(1).write.format("parquet").mode("append").save(beside)

    try:
        yield write
        with _told(place, option):
            if begun and place.startswith(DELTA):
                session.read.parquet(beside).write.format("delta").mode("overwrite").save(root)
            elif begun and not store.replaced(beside, root):
                raise InputError(f"{place}: cannot be written (the finished folder cannot be renamed); see {option}")
    finally:
        if begun:
            store.remove(beside)


class _Store:
    """The file system of an address, as Hadoop sees it."""

    def __init__(self, session: SparkSession, root: str) -> None:
        gateway: Any = session
        self._path = gateway._jvm.org.apache.hadoop.fs.Path
        self._files = self._path(root).getFileSystem(gateway._jsparkSession.sessionState().newHadoopConf())

    def names(self, folder: str) -> list[str] | None:
        """The names in a folder; None where it is not there. A file is a folder that holds itself."""
        if not self._files.exists(self._path(folder)):
            return None
        return [one.getPath().getName() for one in self._files.listStatus(self._path(folder))]

    def replaced(self, made: str, place: str) -> bool:
        """Put a folder in the place of an earlier one; whether that could be done. If not, the earlier is there."""
        if self.names(place) is None:
            return self._renamed(made, place)
        earlier = f"{place}.{uuid.uuid4().hex}.earlier"
        if not self._renamed(place, earlier):
            return False
        done = self._renamed(made, place)
        if done:
            self.remove(earlier)
        else:
            self._renamed(earlier, place)
        return done

    def _renamed(self, old: str, new: str) -> bool:
        return bool(self._files.rename(self._path(old), self._path(new)))

    def remove(self, folder: str) -> None:
        """Remove a folder, if it is there."""
        self._files.delete(self._path(folder), True)


def _check_own(store: _Store, root: str, place: str, option: str) -> None:
    """Raises InputError for a folder that holds anything but what Spark wrote: it would be lost."""
    others = [name for name in store.names(root) or () if not name.startswith(SPARK_FILES)]
    if others:
        raise InputError(f"{place}: holds {min(others)}, which Spark did not write; choose a new folder for {option}")


def _check_delta(session: SparkSession, root: str) -> None:
    """Raises what Spark raises where it knows no Delta; that no table is there yet is no matter."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        session.read.format("delta").load(root)
    except (PySparkException, Py4JError) as error:
        if isinstance(error, PySparkException) and error.getCondition() == "DATA_SOURCE_NOT_FOUND":
            raise


@contextmanager
def _told(place: str, option: str) -> Iterator[None]:
    """What Spark, Hadoop or Java raise, in one sentence."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as error:
        raise InputError(f"{place}: Spark cannot write it ({reason(error)}); choose another {option}") from error
