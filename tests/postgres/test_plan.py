"""The plan on a real PostgreSQL server says of every row what it says on DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caselib import Case, batches, bundle
from cases import SUITES
from cohorts import GROUPS, cohort_of
from postgres.engine import PostgresEngine, load
from postgres.server import Server
from random_profiles import choices_of_readings, first_difference, of_engine, of_evaluator, random_people
from sle_kg.cohort.judge import SAID, SqlJudge
from sle_kg.cohort.tables import CohortTables
from sle_kg.criteria import Trial
from sle_kg.engines.sql import SqlEngine
from sle_kg.evaluate import RuleSet
from sle_kg.features.wide import WIDE
from sle_kg.screening import Session
from sle_kg.sql_plan import compile_plan
from sle_kg.terminology import terminology
from sle_kg.trials import screenable
from trees import attestations, bounds, leaf, profile, row, slug, trial, trials

DUCKDB = SqlEngine()
BATCHES = [batch for suite in SUITES for batch in batches(suite.cases)]


@pytest.fixture(scope="module")
def connection(server: Server) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(server.address(), autocommit=True) as made:
        yield made


@pytest.fixture(scope="module")
def postgres(connection: psycopg.Connection[Any]) -> PostgresEngine:
    return PostgresEngine(connection)


@pytest.mark.parametrize("batch", BATCHES, ids=lambda batch: f"{batch[0].asked.trial}: {batch[0].name} and so on")
def test_every_case_has_the_same_statuses(batch: tuple[Case, ...], postgres: PostgresEngine, tmp_path: Path) -> None:
    file = tmp_path / "patients.json"
    file.write_text(bundle(batch), encoding="utf-8")
    session = Session([file], batch[0].asked.options(tmp_path))
    people = session.profiles(session.asks(session.data.patients))
    (made,), readings = session.trials, session.options.readings
    assert len(people) == len(batch)
    assert first_difference(of_engine(postgres, made, readings), of_engine(DUCKDB, made, readings), people) is None


@pytest.mark.parametrize("nct", sorted(screenable()))
def test_random_profiles_have_the_same_statuses_under_every_reading(nct: str, postgres: PostgresEngine) -> None:
    made = screenable()[nct]
    people = random_people(made, 200, seed=3)
    for readings in choices_of_readings(made):
        differs = first_difference(of_engine(postgres, made, readings), of_engine(DUCKDB, made, readings), people)
        assert differs is None, readings


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trials(), st.lists(st.tuples(bounds(), attestations), min_size=1, max_size=8))
def test_random_trees_agree_with_the_evaluator(postgres, made, known_and_said) -> None:  # type: ignore[no-untyped-def]
    people = [profile(some, said, ask) for ask, (some, said) in enumerate(known_and_said)]
    assert first_difference(of_engine(postgres, made, {}), of_evaluator(made, {}), people) is None


def test_comparisons_are_exact_to_the_last_of_38_digits(postgres: PostgresEngine) -> None:
    one = trial(row("R", leaf("a", ">=", "12345678901234567890123456.000000000001")))
    for last, expected in [("1", True), ("0", False)]:
        value = Decimal(f"12345678901234567890123456.00000000000{last}")
        assert postgres.statuses(one, {}, [profile({slug("a"): (value, value)})])[0]["R"].met is expected


# ---- all trials at once, as a cohort has them -----------------------------------------------------------------------


def test_the_plan_of_all_trials_judges_a_cohort_alike(connection: psycopg.Connection[Any], tmp_path: Path) -> None:
    asked, cases = max(GROUPS.items(), key=lambda group: len(group[1]))
    options = replace(asked.options(tmp_path), trials=())
    tables = CohortTables.open(cohort_of(tmp_path, cases))
    judge = SqlJudge(list(screenable().values()), options, terminology())
    with judge.judge(tables.read(tables.patients, options.on, {})) as duck:
        said = ", ".join(
            f"coalesce({sql}, false) AS {name}"
            for key in judge.place
            for sql, name in zip(judge.said(*key), judge.said_columns(*key), strict=True)
        )
        wide = duck.sql(f"SELECT w.*, {said} FROM {WIDE} w LEFT JOIN {SAID} USING (number)").to_arrow_table()
        expected = duck.execute("SELECT * FROM judged ORDER BY number").fetchall()
    load(connection, "asked", wide)
    found = connection.execute(f"SELECT * FROM ({judge.plan.sql('postgres')}) judged ORDER BY number").fetchall()
    assert len(found) == len(cases) and found == expected


def many(number: int) -> list[Trial]:
    """The largest trial, again and again, under other names."""
    largest = max(screenable().values(), key=lambda one: len(one.criteria))
    return [
        replace(largest, id=nct, criteria=tuple(replace(criterion, trial=nct) for criterion in largest.criteria))
        for nct in (f"NCT{place:08d}" for place in range(number))
    ]


def plan_of(made: list[Trial]) -> tuple[str, list[str]]:
    """The query of several trials that share their features, and the columns that it needs, with their types."""
    slugs = [feature.slug for feature in made[0].features()]
    rows = [criterion.id for criterion in made[0].criteria]
    place = {one.id: number for number, one in enumerate(made)}
    numbers = [f"f{n}_{side} numeric(38, 12)" for n in range(len(slugs)) for side in ("low", "high")]
    flags = [f"a{t}_{n}_{side} boolean" for t in place.values() for n in range(len(rows)) for side in ("true", "false")]
    plan = compile_plan(
        [RuleSet.of(one) for one in made],
        "asked",
        ["number"],
        lambda _, name: (f"f{slugs.index(name)}_low", f"f{slugs.index(name)}_high"),
        lambda nct, name: (f"a{place[nct]}_{rows.index(name)}_true", f"a{place[nct]}_{rows.index(name)}_false"),
    )
    return plan.sql("postgres"), ["number bigint", *numbers, *flags]


def judged_by(connection: psycopg.Connection[Any], made: list[Trial]) -> int:
    """How many columns the query of these trials gives, over an empty table."""
    query, columns = plan_of(made)
    connection.execute("DROP TABLE IF EXISTS asked")
    connection.execute(f"CREATE TEMPORARY TABLE asked ({', '.join(columns)})")
    return len(connection.execute(query).description or ())


def test_what_does_not_fit_into_1600_columns_is_judged_in_groups_of_trials(connection: psycopg.Connection[Any]) -> None:
    everybody = many(9)
    with pytest.raises(psycopg.errors.TooManyColumns, match="1600"):
        judged_by(connection, everybody)
    assert all(judged_by(connection, everybody[start : start + 3]) > 500 for start in (0, 3, 6))
