"""The feature builder bounds what the naive calculator bounds: random histories, every feature of every trial."""

from random import Random

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from features.histories import ON, TRIAL, Facts, all_features, asks_of, built, differences, expected, history
from features.naive_facts import Row
from sle_kg.features import Ask
from sle_kg.features.asks import EventDate
from sle_kg.patients.facts import COLUMNS

PATIENTS = 50
"""In one batch: a query costs much the same for one patient as for many."""
seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=3, deadline=None, database=None, suppress_health_check=list(HealthCheck))

REST_ON_ABSENCE = frozenset(
    {
        "DailyDose",
        "HighestDose",
        "DoseDuration",
        "TreatmentDuration",
        "CumulativeDose",
        "DrugCount",
        "Exposure",
        "Washout",
        "Immunization",
        "DonatedVolume",
    }
)
"""Kinds whose upper bound says that something was not recorded, and whose lower bound only grows with the record."""


def batch(seed: int) -> tuple[list[Facts], list[Ask]]:
    random = Random(seed)
    patients = [history(random, f"p{number:03}") for number in range(PATIENTS)]
    asks = [ask for number in range(PATIENTS) for ask in asks_of(random, 2 * number, f"p{number:03}")]
    return patients, asks


@pytest.mark.slow
@few
@given(seed=seeds, sections=st.sets(st.sampled_from(["medications", "conditions", "procedures", "statements"])))
@example(seed=5, sections=set())
@example(seed=16, sections={"medications"})
def test_builder_agrees_with_the_naive_calculator(seed: int, sections: set[str]) -> None:
    patients, asks = batch(seed)
    complete = frozenset(sections)
    found = built(patients, asks, all_features(), complete)
    wrong = differences(found, expected(patients, asks, all_features(), complete))
    assert wrong == []


@few
@given(seed=seeds)
def test_without_completeness_more_medicines_raise_lower_bounds_and_nothing_bounds_from_above(seed: int) -> None:
    """CONTRACT section 3: adding a fact never turns a known status into another known one.

    A record that a medicine is not taken, or is over, adds none, and may contradict another.
    """
    patients, asks = batch(seed)
    more = Random(seed + 1)
    features = [feature for feature in all_features() if feature.kind.removesuffix("Condition") in REST_ON_ABSENCE]
    for facts in patients:
        facts["completeness"].clear()
    before = built(patients, asks, features)
    for facts in patients:
        other = history(more, facts["patient"][0]["patient"])
        for table in ("exposure", "immunization"):
            going_on = [row for row in other[table] if table != "exposure" or _goes_on(row)]
            facts[table] = [*facts[table], *({**row, "record": f"more/{row['record']}"} for row in going_on)]
    after = built(patients, asks, features)
    assert [key for key, (_, upper) in before.items() if upper is not None] == []
    shrunk = [
        (key, lower, after[key][0])
        for key, (lower, _) in before.items()
        if lower is not None and (after[key][0] is None or after[key][0] < lower)  # type: ignore[operator]
    ]
    assert shrunk == []


def _goes_on(row: Row) -> bool:
    """Whether a record of a medicine tells of no end, or of one administration."""
    return row["taken"] != "no" and (row["administration"] or (row["end_from"] is None and row["ongoing"] is not False))


@pytest.mark.slow
@few
@given(seed=seeds)
def test_facts_dated_after_the_screening_date_change_nothing(seed: int) -> None:
    patients, asks = batch(seed)
    asks = [ask for ask in asks if ask.on == ON]
    before = built(patients, asks, all_features())
    for facts in patients:
        for table in COLUMNS:
            first = {"exposure": "start_from", "condition": "onset_from", "procedure": "from_from"}.get(table)
            first = first or {"allergy": "recorded_from", "patient": "birth_from"}.get(table, "date_from")
            facts[table] = [
                row for row in facts[table] if table in ("patient", "record") or row[first] is None or row[first] <= ON
            ]
        for row in facts["exposure"]:
            if row["end_from"] is not None and row["end_from"] > ON:
                begun = row["start_to"] is not None or row["ongoing"] is False
                row.update(end_from=None, end_to=None, ongoing=row["ongoing"] if begun else None)
    assert built(patients, asks, all_features()) == before


def test_planned_events_keep_their_distance_and_past_ones_their_date() -> None:
    past, planned = (
        EventDate(ON.replace(month=10), ON.replace(month=10)),
        EventDate(ON.replace(day=30), ON.replace(day=30)),
    )
    stand_in = EventDate(ON, ON, stand_in=True)
    ask = Ask(0, "p", TRIAL, ON, ON, {"leukapheresis": past, "infusion": planned, "consent": stand_in})
    later = ask.moved(1, 10, repeat=True)
    assert (later.on - ON).days == 10 and later.base == ON and later.repeat
    assert later.events["leukapheresis"] == past
    assert (later.events["infusion"].first - planned.first).days == 10
    assert later.events["consent"].first == later.on
