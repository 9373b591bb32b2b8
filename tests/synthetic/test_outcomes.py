"""The outcomes of the example cohort: every state is reached, not reached, lost, and never evaluable by someone."""

from collections import defaultdict

import pytest

from sle_kg.followup.options import FollowUpOptions
from sle_kg.followup.trial_outcomes import trial_outcomes
from sle_kg.synthetic import write_cohort
from sle_kg.synthetic.followup import scenarios

pytestmark = pytest.mark.slow

PATIENTS = 40
VISITS = {"doris2021": ("NCT06710717", "X1"), "lldas": ("NCT06653556", "O7")}
"""States judged at every visit of a patient, by the outcome row that asks for them."""
STATES = VISITS | {
    "clinicalSledai": ("NCT06710717", "O2"),
    "bCellAplasia": ("NCT06710717", "O4"),
    "serologicRemission": ("NCT06710717", "X2"),
    "sustainedDoris2021": ("NCT06710717", "X3"),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """(trial, row, measure) → patient → the results over time, of patients who were infused."""
    files = write_cohort(tmp_path_factory.mktemp("cohort"), PATIENTS, 1)
    given = [file for file in files if file.suffix == ".ndjson"]
    found = defaultdict(lambda: defaultdict(list))
    for trial in sorted({trial for trial, _ in STATES.values()}):
        for patient in trial_outcomes(given, trial, FollowUpOptions()).patients:
            for result in patient.results if patient.infusion else ():
                found[trial, result.id, result.measure][patient.patient].append(result.result)
    return found


def of_scenario(results, key):
    """The results over time of the first patient with a scenario."""
    number = 1 + [scenario["key"] for scenario in scenarios()].index(key)
    return results[f"synthetic-{number:05}"]


@pytest.mark.parametrize("state", STATES)
def test_every_state_is_reached_not_reached_and_not_evaluable(outcomes, state):
    words = {word for patient in outcomes[*STATES[state], state].values() for word in patient}
    assert words == {"reached", "not-reached", "not-evaluable"}


@pytest.mark.parametrize("state", VISITS)
def test_every_state_is_lost_by_someone(outcomes, state):
    lost = of_scenario(outcomes[*STATES[state], state], "low-activity-lost" if state == "lldas" else "late-flare")
    first = lost.index("reached")
    assert set(lost[:first]) == {"not-reached"}
    assert "not-reached" in lost[first:]


@pytest.mark.parametrize("state", VISITS)
def test_every_state_is_never_evaluable_without_global_assessment(outcomes, state):
    assert set(of_scenario(outcomes[*STATES[state], state], "pga-never-recorded")) == {"not-evaluable"}


def test_low_activity_is_no_remission(outcomes):
    assert "reached" not in of_scenario(outcomes[*STATES["doris2021"], "doris2021"], "low-activity-lost")


def test_remission_can_last_a_year(outcomes):
    sustained = outcomes[*STATES["sustainedDoris2021"], "sustainedDoris2021"]
    assert of_scenario(sustained, "sustained-remission") == ["reached"]
    assert of_scenario(sustained, "late-flare") == ["not-reached"]
    assert of_scenario(sustained, "medicines-not-complete") == ["not-evaluable"]


def test_remission_needs_no_serology_and_serologic_remission_does(outcomes):
    doris = of_scenario(outcomes[*STATES["doris2021"], "doris2021"], "serology-never-measured")
    assert doris[-1] == "reached"
    serologic = of_scenario(outcomes[*STATES["serologicRemission"], "serologicRemission"], "serology-never-measured")
    assert serologic == ["not-evaluable"]


def test_missed_visits_are_not_evaluable(outcomes):
    weeks = of_scenario(outcomes[*STATES["clinicalSledai"], "clinicalSledai"], "missed-visits")
    assert [place for place, word in enumerate(weeks) if word == "not-evaluable"] == [1, 3, 5]


def test_visits_outside_the_windows_do_not_count(outcomes):
    weeks = of_scenario(outcomes[*STATES["clinicalSledai"], "clinicalSledai"], "visits-outside-windows")
    assert [place for place, word in enumerate(weeks) if word == "not-evaluable"] == [0, 6]


def test_a_dose_raised_the_day_before_a_visit_ends_remission_there(outcomes):
    weeks = of_scenario(outcomes[*STATES["clinicalSledai"], "doris2021"], "dose-change-the-day-before")
    clinical = of_scenario(outcomes[*STATES["clinicalSledai"], "clinicalSledai"], "dose-change-the-day-before")
    assert clinical[2] == clinical[5] == "reached"
    assert weeks[2] == weeks[5] == "not-reached"
    assert weeks[3] == weeks[6] == "reached"


def test_a_contradictory_total_leaves_its_visit_open(outcomes):
    weeks = of_scenario(outcomes[*STATES["clinicalSledai"], "clinicalSledai"], "contradictory-total")
    assert weeks[2:] == ["not-evaluable", *["reached"] * 4]


def test_selena_items_are_no_sledai_2k(outcomes):
    weeks = of_scenario(outcomes[*STATES["clinicalSledai"], "clinicalSledai"], "selena-items")
    assert set(weeks) == {"not-evaluable"}


def test_a_severe_cytokine_release_syndrome_limits_the_dose(tmp_path):
    given = [file for file in write_cohort(tmp_path / "c", 20, 1) if file.suffix == ".ndjson"]
    found = trial_outcomes(given, "NCT06653556", FollowUpOptions()).patients
    limited = [
        patient.patient
        for patient in found
        for result in patient.results
        if (result.measure, result.result) == ("doseLimitingToxicity", "reached")
    ]
    number = 1 + [scenario["key"] for scenario in scenarios()].index("no-response")
    assert limited == [f"synthetic-{number:05}"]
