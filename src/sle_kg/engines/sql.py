"""The SQL engine: the compiled plan on DuckDB, for all profiles of a trial at once, exact to the last decimal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sle_kg.criteria import Trial
from sle_kg.engines import RowStatus
from sle_kg.evaluate import NOT_ATTESTED, UNBOUNDED, RuleSet
from sle_kg.profile import Profile
from sle_kg.sql_plan import SCALE, Plan, compile_plan

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SOURCE = "profile"
"""The wide table that the plan reads; it lives in memory and in this engine alone."""


class SqlEngine:
    """DuckDB; keeps the plan of each trial and choice of readings."""

    name = "sql"
    chunk = 200
    by_rows = False

    def __init__(self) -> None:
        import duckdb

        self._connection: duckdb.DuckDBPyConnection = duckdb.connect(
            ":memory:", config={"enable_external_access": "false", "threads": "2"}
        )
        self._connection.execute("SET enable_progress_bar = false")  # it would go to standard output
        self._plans: dict[tuple[Trial, tuple[tuple[str, str], ...]], tuple[Plan, str]] = {}

    def statuses(
        self,
        trial: Trial,
        readings: Mapping[str, str],
        profiles: Sequence[Profile],
        rows: Sequence[str] | None = None,
    ) -> dict[int, dict[str, RowStatus]]:
        """See `Engine`. The bounds of the profiles are loaded as they are, DECIMAL(38, 12)."""
        key = (trial, tuple(sorted(readings.items())))
        if key not in self._plans:
            plan = plan_of(trial, readings)
            self._plans[key] = (plan, plan.sql())
        plan, query = self._plans[key]
        columns = plan.trials[trial.id].rows
        wanted = [row.id for row in trial.criteria if rows is None or row.id in rows]
        names = [name for row in wanted for name in (columns[row].met, columns[row].exempt or "false")]
        self._connection.register(SOURCE, wide_table(trial, profiles))
        found = self._connection.execute(f"SELECT ask, {', '.join(names)} FROM ({query})").fetchall()
        self._connection.unregister(SOURCE)
        return {
            ask: {row: RowStatus(met, exempt) for row, met, exempt in zip(wanted, said[::2], said[1::2], strict=True)}
            for ask, *said in found
        }


def plan_of(trial: Trial, readings: Mapping[str, str]) -> Plan:
    """The plan of one trial over `wide_table`."""
    rules = RuleSet.of(trial, readings)
    feature = {some.slug: number for number, some in enumerate(trial.features())}
    row = {criterion.id: number for number, criterion in enumerate(trial.criteria)}
    return compile_plan(
        [rules],
        SOURCE,
        ["ask"],
        lambda _, slug: (f"f{feature[slug]}_low", f"f{feature[slug]}_high"),
        lambda _, name: (f"a{row[name]}_true", f"a{row[name]}_false"),
    )


def wide_table(trial: Trial, profiles: Sequence[Profile]) -> pa.Table:
    """A row for each profile: `ask`, bounds `f<n>_low`, `f<n>_high` of features, `a<n>_true`, `a<n>_false` of rows."""
    import pyarrow as pa

    number = pa.decimal128(38, SCALE)
    columns = {"ask": pa.array([profile.ask for profile in profiles], pa.int64())}
    for place, feature in enumerate(trial.features()):
        bounds = [profile.bounds.get(feature.slug, UNBOUNDED) for profile in profiles]
        columns[f"f{place}_low"] = pa.array([low for low, _ in bounds], number)
        columns[f"f{place}_high"] = pa.array([high for _, high in bounds], number)
    for place, row in enumerate(trial.criteria):
        said = [profile.attestations.get(row.id, NOT_ATTESTED) for profile in profiles]
        columns[f"a{place}_true"] = pa.array([True in values for values in said], pa.bool_())
        columns[f"a{place}_false"] = pa.array([False in values for values in said], pa.bool_())
    return pa.table(columns)
