"""The plan on Spark: the same status of every row as on DuckDB, for every case and for random profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from caselib import batches, bundle
from cases import SUITES
from random_profiles import first_difference, of_engine, random_people
from sle_kg.engines import get_engine
from sle_kg.profile import Profile
from sle_kg.screening import Session
from sle_kg.trials import screenable


@pytest.fixture(scope="module")
def profiles(
    tmp_path_factory: pytest.TempPathFactory,
) -> Mapping[tuple[str, tuple[tuple[str, str], ...]], list[Profile]]:
    """The profiles of every case, by trial and readings, numbered anew."""
    made: dict[tuple[str, tuple[tuple[str, str], ...]], list[Profile]] = {}
    for batch in (batch for suite in SUITES for batch in batches(suite.cases)):
        folder = tmp_path_factory.mktemp("cases")
        file = folder / "patients.json"
        file.write_text(bundle(batch), encoding="utf-8")
        asked = Session([file], batch[0].asked.options(folder))
        key = (asked.trials[0].id, tuple(sorted(asked.options.readings.items())))
        made.setdefault(key, []).extend(asked.profiles(asked.asks(asked.data.patients)))
    return {key: [_numbered(one, place) for place, one in enumerate(some)] for key, some in made.items()}


def _numbered(profile: Profile, ask: int) -> Profile:
    return Profile(ask, profile.patient, profile.trial, profile.on, profile.bounds, profile.attestations)


def test_every_case_has_the_same_statuses_as_on_duckdb(
    session: Any, profiles: Mapping[tuple[str, tuple[tuple[str, str], ...]], Sequence[Profile]]
) -> None:
    spark, sql = get_engine("spark"), get_engine("sql")
    assert sum(map(len, profiles.values())) > 300
    for (nct, readings), people in profiles.items():
        trial = screenable()[nct]
        chosen = dict(readings)
        assert spark.statuses(trial, chosen, people) == sql.statuses(trial, chosen, people), (nct, readings)


@pytest.mark.parametrize("nct", sorted(screenable()))
def test_random_profiles_have_the_same_statuses_as_on_duckdb(session: Any, nct: str) -> None:
    trial = screenable()[nct]
    people = random_people(trial, 2000, seed=17)
    spark, sql = get_engine("spark"), get_engine("sql")
    assert first_difference(of_engine(spark, trial, {}), of_engine(sql, trial, {}), people) is None


def test_only_the_rows_wanted_are_given(session: Any, tmp_path: Path) -> None:
    trial = screenable()["NCT06892145"]
    people = random_people(trial, 3, seed=1)
    wanted = [trial.criteria[0].id]
    assert get_engine("spark").statuses(trial, {}, people, wanted) == get_engine("sql").statuses(
        trial, {}, people, wanted
    )
