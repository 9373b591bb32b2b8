"""The plan on a PostgreSQL server: what it says of profiles, and of any wide table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
import pyarrow as pa

from sle_kg.criteria import Trial
from sle_kg.engines import RowStatus
from sle_kg.engines.sql import wide_table
from sle_kg.evaluate import RuleSet
from sle_kg.profile import Profile
from sle_kg.sql_plan import compile_plan


def _type_of(kind: pa.DataType) -> str:
    """The type of PostgreSQL that holds an Arrow type exactly."""
    if pa.types.is_decimal(kind):
        return f"numeric({kind.precision}, {kind.scale})"
    return "bigint" if pa.types.is_integer(kind) else {"bool": "boolean"}[str(kind)]


def load(connection: psycopg.Connection[Any], name: str, table: pa.Table) -> None:
    """A temporary table in place of one of that name, loaded by COPY."""
    columns = ", ".join(f"{column.name} {_type_of(column.type)}" for column in table.schema)
    connection.execute(f"DROP TABLE IF EXISTS {name}")
    connection.execute(f"CREATE TEMPORARY TABLE {name} ({columns})")
    with connection.cursor() as cursor, cursor.copy(f"COPY {name} FROM STDIN") as copy:
        for batch in table.to_batches():
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                copy.write_row(row)


class PostgresEngine:
    """An engine as `SqlEngine`, with a table of its own for each question."""

    name = "postgres"
    chunk = 200
    by_rows = False

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def statuses(
        self,
        trial: Trial,
        readings: Mapping[str, str],
        profiles: Sequence[Profile],
        rows: Sequence[str] | None = None,
    ) -> dict[int, dict[str, RowStatus]]:
        """See `Engine`."""
        feature = {some.slug: number for number, some in enumerate(trial.features())}
        place = {row.id: number for number, row in enumerate(trial.criteria)}
        plan = compile_plan(
            [RuleSet.of(trial, readings)],
            "profile",
            ["ask"],
            lambda _, slug: (f"f{feature[slug]}_low", f"f{feature[slug]}_high"),
            lambda _, name: (f"a{place[name]}_true", f"a{place[name]}_false"),
        )
        columns = plan.trials[trial.id].rows
        names = [name for row in place for name in (columns[row].met, columns[row].exempt or "false")]
        load(self._connection, "profile", wide_table(trial, profiles))
        said = self._connection.execute(f"SELECT ask, {', '.join(names)} FROM ({plan.sql('postgres')}) judged")
        return {
            ask: {row: RowStatus(*pair) for row, *pair in zip(place, known[::2], known[1::2], strict=True)}
            for ask, *known in said
        }
