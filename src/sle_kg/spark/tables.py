"""Patient tables as Spark reads them: Parquet or Delta, on this machine or wherever the cluster reaches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from sle_kg.delta import LOG
from sle_kg.errors import InputError
from sle_kg.patients.facts import COLUMNS, order_query, out_of_order, schema
from sle_kg.spark.files import Store, read_delta

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

DELTA = "delta:"
"""What the address of a folder of Delta tables starts with."""
CHUNK = 20_000
"""Patients whose results come to the driver together."""
UNSEEN = ("record", "adverse_event")
"""Tables that screening a cohort does not look at."""


@dataclass(frozen=True)
class SparkTables:
    """The fact tables of a folder (`<table>.parquet` or `<table>/`), and the ids of its patients, in order."""

    place: str
    tables: Mapping[str, DataFrame]
    patients: tuple[str, ...]

    @classmethod
    def open(cls, place: str, session: SparkSession) -> SparkTables:
        """The tables of an address, which Spark takes as it is: a folder, `hdfs://…`, `s3a://…`, `delta:…`.

        Raises InputError naming the address and what is wrong with it.
        """
        tables = {name: _table(place, name, session) for name in COLUMNS if name not in UNSEEN}
        ids = tables["patient"].select("patient").where("patient IS NOT NULL").distinct().toArrow()["patient"]
        return cls(place, tables, tuple(sorted(ids.to_pylist())))

    def chunks(self, most: int | None = None) -> list[tuple[str, ...]]:
        """The patients, in the order of their ids, in parts that the driver holds."""
        size = most or CHUNK
        return [self.patients[start : start + size] for start in range(0, len(self.patients), size)]

    def of(self, patients: Sequence[str], session: SparkSession) -> SparkTables:
        """The tables of these patients alone, who are in the order of their ids."""
        import pyarrow as pa

        ids = session.createDataFrame(pa.table({"patient": pa.array(patients, pa.string())}))
        mine = {name: table.join(ids, "patient", "left_semi") for name, table in self.tables.items()}
        return SparkTables(self.place, mine, tuple(patients))

    def fingerprints(self) -> pa.Table:
        """`patient` and `facts`, which differs where any fact of the patient does, whatever the order of his rows.

        The hash passes over nulls, so beside each column stands whether it is null.
        """
        from pyspark.sql import DataFrame
        from pyspark.sql import functions as fn

        parts = []
        for name, table in self.tables.items():
            cells = ", ".join(f"`{column}`, `{column}` IS NULL" for column in table.columns)
            hashes = f"sum(CAST(xxhash64({cells}) AS DECIMAL(20, 0)))"
            said = fn.expr(f"concat_ws(' ', '{name}', count(*), {hashes})").alias("said")
            parts.append(table.where("patient IS NOT NULL").groupBy("patient").agg(said))
        facts = fn.expr("md5(concat_ws(',', sort_array(collect_list(said))))").alias("facts")
        return reduce(DataFrame.unionAll, parts).groupBy("patient").agg(facts).toArrow()


def _table(place: str, name: str, session: SparkSession) -> DataFrame:
    """One table; no rows where there is none of that name, dates as days since 1970."""
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException
    from pyspark.sql import functions as fn

    root = place.removeprefix(DELTA).rstrip("/")
    for path in [f"{root}/{name}"] if place.startswith(DELTA) else [f"{root}/{name}.parquet", f"{root}/{name}"]:
        try:
            found = _loaded(path, place.startswith(DELTA), session)
        except (PySparkException, Py4JJavaError) as error:
            raise InputError(f"{path}: Spark cannot read it ({reason(error)}); check address and cluster") from error
        if found is None:
            continue
        missing = [column for column in schema(name).names if column not in found.columns]
        if missing:
            raise InputError(f"{path}: has no column {missing[0]}; make patient tables with sle-kg ingest-cohort")
        return found.select(
            *(
                fn.col(f.name).cast(_spark_type(f.type)).alias(f.name)
                if not is_date(f.type)
                else fn.unix_date(fn.col(f.name).cast("date")).alias(f.name)
                for f in schema(name)
            )
        )
    if name == "patient":
        kind = "Delta table patient" if place.startswith(DELTA) else f"{name}.parquet"
        raise InputError(f"{place}: holds no {kind}; make patient tables with sle-kg ingest-cohort")
    return in_days(schema(name).empty_table(), session)


def _loaded(path: str, delta: bool, session: SparkSession) -> DataFrame | None:
    """What is at a path; None where nothing is. A folder with Delta's log is a Delta table, whatever it is called."""
    from pyspark.errors import PySparkException

    if Store(session, path).names(f"{path}/{LOG}") is not None:
        return read_delta(path, session)
    if delta:
        return None
    try:
        return session.read.format("parquet").load(path)
    except PySparkException as error:
        if error.getCondition() == "PATH_NOT_FOUND":
            return None
        raise


def is_date(kind: pa.DataType) -> bool:
    """Whether a column of the fact tables holds dates."""
    import pyarrow as pa

    return bool(pa.types.is_date(kind))


def _spark_type(kind: pa.DataType) -> str:
    """The SQL name of a type of the fact tables."""
    import pyarrow as pa

    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision}, {kind.scale})"
    return {"string": "string", "bool": "boolean", "int32": "int"}[str(kind)]


def in_days(table: pa.Table, session: SparkSession) -> DataFrame:
    """An Arrow table as Spark's, dates as days since 1970."""
    import pyarrow as pa

    for place, one in enumerate(table.schema):
        if is_date(one.type):
            table = table.set_column(place, one.name, table.column(place).cast(pa.int32()))
    return session.createDataFrame(table)


def check_order(names: Iterable[str], prefix: str, place: str, session: SparkSession) -> None:
    """Raises InputError where a row of the tables, which are views of this prefix, ends before it begins."""
    query, pairs = order_query(prefix, names)
    [(number,)] = session.sql(query).collect()
    if number is not None:
        name, pair = pairs[number]
        raise out_of_order(f"{place}: its table {name}", pair)


def with_code_map(
    tables: Mapping[str, DataFrame], code_map: Mapping[tuple[str, str], str], session: SparkSession
) -> dict[str, DataFrame]:
    """The tables with the user's keys for records whose code was unmapped, which are then no longer unread."""
    import pyarrow as pa

    from sle_kg.features.database import CODED
    from sle_kg.terminology import UNMAPPED

    if not code_map:
        return dict(tables)
    from pyspark.sql import functions as fn

    pairs = [(text, key) for (system, code), key in sorted(code_map.items()) for text in _code_texts(system, code)]
    given = pa.table({"code": [code for code, _ in pairs], "key": [key for _, key in pairs]})
    unread = tables["unread"]
    settled = unread.where("why = 'unmapped code'").join(fn.broadcast(session.createDataFrame(given)), "code")
    keys = settled.groupBy("patient", "record").agg(fn.max("key").alias("key"))
    made = dict(tables)
    made["unread"] = (
        unread.join(keys, ["patient", "record"], "left")
        .where("key IS NULL OR why <> 'unmapped code'")
        .select(*unread.columns)
    )
    for name in CODED:
        table = tables[name]
        mapped = fn.expr(f"CASE WHEN concept = '{UNMAPPED}' AND key IS NOT NULL THEN key ELSE concept END")
        joined = table.join(keys, ["patient", "record"], "left").withColumn("concept", mapped)
        made[name] = joined.select(*table.columns)
    return made


def _code_texts(system: str, code: str) -> list[str]:
    """How a code may stand in the table of what is unread: the last `|` ends the system, which may be missing."""
    if "|" in code:
        return []
    return [f"{system}|{code}"] if system else [f"|{code}", code]


def reason(error: Exception) -> str:
    """The name of what went wrong; what Spark says of it may quote values of records."""
    from pyspark.errors import PySparkException

    named = error.getCondition() if isinstance(error, PySparkException) else None
    java = getattr(error, "java_exception", None)
    return named or (type(error).__name__ if java is None else str(java.getClass().getSimpleName()))
