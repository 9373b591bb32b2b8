"""Wherever Spark reaches: folders by Hadoop's file systems, Delta tables by Delta's own classes or by their log."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from sle_kg.delta import state_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


class Store:
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

    def sizes(self, folder: str) -> dict[str, tuple[int, int]]:
        """The Parquet files in a folder: bytes, and milliseconds from 1970 to when each was written."""
        listed = [(one.getPath().getName(), one) for one in self._files.listStatus(self._path(folder))]
        return {name: (one.getLen(), one.getModificationTime()) for name, one in listed if name.endswith(".parquet")}

    def address(self, folder: str) -> str:
        """The folder by its whole address, as others than Hadoop know it: a path, if it is of this machine."""
        whole = self._files.makeQualified(self._path(folder)).toUri()
        return str(whole.getPath() if whole.getScheme() == "file" else whole.toString())

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


def knows_delta(path: str, session: SparkSession) -> bool:
    """Whether the cluster brings Delta's own classes; that no table is at the path is no matter."""
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException

    try:
        session.read.format("delta").load(path)
    except (PySparkException, Py4JJavaError) as error:
        return "DATA_SOURCE_NOT_FOUND" not in str(error)
    return True


def read_delta(path: str, session: SparkSession) -> DataFrame:
    """A Delta table; where Spark does not know Delta, the Parquet files that its log names.

    Raises what Spark raises, and what `delta.state_of` does.
    """
    from pyspark.sql.types import StructType

    if knows_delta(path, session):
        return session.read.format("delta").load(path)
    state = state_of(Store(session, path).address(path))
    columns = StructType.fromJson(json.loads(state.columns))
    if not state.paths:
        return session.createDataFrame([], columns)
    reader = session.read.schema(columns).option("basePath", path)
    return reader.parquet(*(f"{path}/{one}" for one in state.paths))
