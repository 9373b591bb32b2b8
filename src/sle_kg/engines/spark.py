"""The Spark engine: the compiled plan in Spark's dialect, for all profiles of a trial at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sle_kg.criteria import Trial
from sle_kg.engines import RowStatus
from sle_kg.engines.sql import SOURCE, plan_of, wide_table
from sle_kg.profile import Profile

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class SparkEngine:
    """Spark, on this machine unless a master is named."""

    name = "spark"
    chunk = 20_000
    by_rows = False

    def __init__(self, master: str | None = None) -> None:
        from sle_kg.spark.session import start

        self._session: SparkSession = start(master)

    def statuses(
        self,
        trial: Trial,
        readings: Mapping[str, str],
        profiles: Sequence[Profile],
        rows: Sequence[str] | None = None,
    ) -> dict[int, dict[str, RowStatus]]:
        """See `Engine`."""
        plan = plan_of(trial, readings)
        columns = plan.trials[trial.id].rows
        wanted = [row.id for row in trial.criteria if rows is None or row.id in rows]
        names = [name for row in wanted for name in (columns[row].met, columns[row].exempt or "false")]
        self._session.createDataFrame(wide_table(trial, profiles)).createOrReplaceTempView(SOURCE)
        table = self._session.sql(f"SELECT ask, {', '.join(names)} FROM ({plan.sql('spark')})").toArrow()
        self._session.catalog.dropTempView(SOURCE)
        asks, *said = (column.to_pylist() for column in table.columns)
        return {
            ask: {
                row: RowStatus(said[2 * number][place], said[2 * number + 1][place])
                for number, row in enumerate(wanted)
            }
            for place, ask in enumerate(asks)
        }
