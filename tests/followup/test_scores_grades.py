"""Graded scales by the score command: CTCAE v5.0 limits and ties, CRS and ICANS, flares."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caselib import Facts, drug, said, score
from followup.scoring import BEFORE, DAY, INFUSION, last, result, scored, scored_all, sledai
from sle_kg.definitions import scales
from sle_kg.followup.score_grades import grade_bounds

ON = dt.date.fromisoformat(DAY)

# ---- CTCAE v5.0 (facts/scores_grades.csv) ---------------------------------------------------------------------------

BY_LIMIT = {
    ("alt", "Alanine aminotransferase increased"): (
        {"high": "40"},
        "30",
        {"40": 0, "40.01": 1, "120": 1, "120.01": 2, "200": 2, "200.01": 3, "800": 3, "800.01": 4},
    ),
    ("ast", "Aspartate aminotransferase increased"): (
        {"high": "35"},
        "30",
        {"35": 0, "35.1": 1, "105": 1, "105.1": 2, "175": 2, "175.1": 3, "700": 3, "700.1": 4},
    ),
    ("bilirubin", "Blood bilirubin increased"): (
        {"high": "0.7"},
        "0.5",
        {"0.7": 0, "0.71": 1, "1.05": 1, "1.06": 2, "2.1": 2, "2.11": 3, "7": 3, "7.01": 4},
    ),
    ("creatinine", "Creatinine increased"): (
        {"high": "0.7"},
        "6",
        {"0.7": 0, "0.71": 1, "1.05": 1, "1.06": 2, "2.1": 2, "2.11": 3, "4.2": 3, "4.21": 4},
    ),
    ("platelets", "Platelet count decreased"): (
        {"low": "150"},
        None,
        {"150": 0, "149": 1, "75": 1, "74": 2, "50": 2, "49": 3, "25": 3, "24": 4},
    ),
    ("neutrophils", "Neutrophil count decreased"): (
        {"low": "1.8"},
        None,
        {"1.8": 0, "1.79": 1, "1.5": 1, "1.49": 2, "1": 2, "0.99": 3, "0.5": 3, "0.49": 4},
    ),
    ("leukocytes", "White blood cell decreased"): (
        {"low": "4"},
        None,
        {"4": 0, "3.99": 1, "3": 1, "2.99": 2, "2": 2, "1.99": 3, "1": 3, "0.99": 4},
    ),
    ("lymphocytes", "Lymphocyte count decreased"): (
        {"low": "1"},
        None,
        {"1": 0, "0.99": 1, "0.8": 1, "0.79": 2, "0.5": 2, "0.49": 3, "0.2": 3, "0.19": 4},
    ),
    ("hemoglobin", "Anemia"): ({"low": "12"}, None, {"12": 0, "11.9": 1, "10": 1, "9.9": 2, "8": 2}),
}
"""(test, kind) → limits of normal, value at baseline, value → grade: each limit of the table and the step beyond it.

A limit of 0.7 makes 2.1 an exact tie at three times the limit, which doubles would lose.
"""


def slug(value: str) -> str:
    return value.replace(".", "-")


@pytest.mark.parametrize(("test", "facet"), BY_LIMIT)
def test_each_limit_of_a_grade_and_the_step_beyond_it(test: str, facet: str) -> None:
    limits, baseline, grades = BY_LIMIT[test, facet]
    before: Facts = [INFUSION, result(test, baseline, BEFORE, **limits)] if baseline else []
    found = scored_all("ctcae", {slug(value): [before, result(test, value, DAY, **limits)] for value in grades})
    mine = [one for one in found if one.date == ON]
    assert {one.facet for one in mine} == {facet}
    assert {one.patient: one.value for one in mine} == {slug(value): grade for value, grade in grades.items()}


def test_every_kind_of_the_table_is_tested() -> None:
    assert {facet for _, facet in BY_LIMIT} == {scale.facet for scale in scales("ctcaeV5")}


def test_anemia_that_may_be_life_threatening_is_for_the_investigator() -> None:
    found = last("ctcae", result("hemoglobin", "7.9", low="12"))
    assert (found.value, found.lower, found.upper) == (None, 3, 4)
    assert found.missing == ("the investigator's judgement whether it is grade 4",)


BASELINES = {
    ("alt", "60", "89.9"): 0,
    ("alt", "60", "90"): 1,
    ("alt", "60", "120"): 1,
    ("alt", "60", "121"): 2,
    ("bilirubin", "0.9", "0.9"): 0,
    ("bilirubin", "0.9", "0.91"): 1,
    ("creatinine", "0.5", "0.75"): 1,
    ("creatinine", "0.5", "0.76"): 2,
    ("creatinine", "0.4", "1.2"): 2,
    ("creatinine", "0.4", "1.21"): 3,
}
"""(test, value at baseline, value) → grade: an abnormal baseline, and rises over it; upper limits 40 and 0.7."""


def test_grades_over_the_baseline() -> None:
    limit = {"alt": "40", "bilirubin": "0.7", "creatinine": "0.7"}
    patients = {
        f"{test}-{slug(first)}-{slug(value)}": [
            INFUSION,
            result(test, first, BEFORE, high=limit[test]),
            result(test, value, DAY, high=limit[test]),
        ]
        for test, first, value in BASELINES
    }
    found = {one.patient: one.value for one in scored_all("ctcae", patients) if one.date == ON}
    assert found == {f"{test}-{slug(first)}-{slug(value)}": grade for (test, first, value), grade in BASELINES.items()}


@pytest.mark.parametrize(("value", "lower", "upper"), [("40", 0, 0), ("41", 0, 1), ("120", 0, 1), ("121", 2, 2)])
def test_an_unknown_baseline_leaves_only_its_own_clause_open(value: str, lower: int, upper: int) -> None:
    found = last("ctcae", result("alt", value, high="40"))
    assert (found.lower, found.upper) == (lower, upper)
    assert bool(found.missing) == (lower != upper)


def test_a_result_without_limits_is_graded_where_numbers_alone_decide() -> None:
    assert last("ctcae", result("platelets", "60")).value == 2
    assert last("ctcae", result("platelets", "160")).value is None


def test_kinds_have_results_of_their_own_on_each_day() -> None:
    found = scored("ctcae", result("hemoglobin", "13", low="12"), result("platelets", "40", low="150"))
    assert [(one.facet, one.value) for one in found] == [("Anemia", 0), ("Platelet count decreased", 3)]


# ---- CRS and ICANS (ASTCT 2019) -------------------------------------------------------------------------------------

FEVER = result("temperature", "38")
NOTHING = [said("hypotension", False, DAY), said("hypoxia", False, DAY), score("vasopressor", 0, DAY)]
CRS: dict[str, tuple[Facts, int, int]] = {
    "no-fever": ([result("temperature", "37.9"), NOTHING, INFUSION], 0, 0),
    "fever": ([FEVER, NOTHING], 1, 1),
    "fever-alone": (FEVER, 1, 4),
    "hypotension": (
        [FEVER, said("hypotension", True, DAY), score("vasopressor", 0, DAY), said("hypoxia", False, DAY)],
        2,
        2,
    ),
    "low-flow": ([FEVER, NOTHING[0], NOTHING[2], score("hypoxia", 1, DAY)], 2, 2),
    "one-vasopressor": (
        [FEVER, said("hypotension", True, DAY), score("vasopressor", 1, DAY), said("hypoxia", False, DAY)],
        3,
        3,
    ),
    "high-flow": ([FEVER, NOTHING[0], NOTHING[2], score("hypoxia", 2, DAY)], 3, 3),
    "two-vasopressors": (
        [FEVER, said("hypotension", True, DAY), score("vasopressor", 2, DAY), said("hypoxia", False, DAY)],
        4,
        4,
    ),
    "positive-pressure": ([FEVER, NOTHING[0], NOTHING[2], score("hypoxia", 3, DAY)], 4, 4),
}
"""Findings of one day → bounds of the grade."""


def test_crs_is_the_more_severe_of_hypotension_and_hypoxia() -> None:
    found = {one.patient: one for one in scored_all("crs", {name: facts for name, (facts, *_) in CRS.items()})}
    assert {name: (one.lower, one.upper) for name, one in found.items()} == {
        name: (lower, upper) for name, (_, lower, upper) in CRS.items()
    }
    assert all((one.value is None) == bool(one.missing) for one in found.values())


def test_no_fever_is_needed_after_an_anticytokine_medicine() -> None:
    day = "2026-01-15"
    cold = [
        INFUSION,
        result("temperature", "39", "2026-01-12"),
        result("temperature", "36.8", day),
        said("hypotension", True, day),
        score("vasopressor", 1, day),
        said("hypoxia", False, day),
    ]
    treated = drug("atc:L04AC07", "2026-01-12", "2026-01-16")
    assert [one.value for one in scored("crs", cold, treated) if one.date.isoformat() == day] == [3]


def test_a_recorded_grade_goes_first_and_a_disagreement_is_named() -> None:
    assert last("crs", score("crsGrade", 2, DAY)).value == 2
    both = last("crs", score("crsGrade", 2, DAY), score("crsGrade", 3, DAY))
    assert (both.value, both.lower, both.upper) == (None, 2, 3) and both.missing
    assert last("crs", FEVER, score("crsGrade", 3, DAY)).value == 3
    assert last("crs", score("crsGrade", 5, DAY), CRS["two-vasopressors"][0]).value == 5
    found = last("crs", CRS["low-flow"][0], score("crsGrade", 3, DAY))
    assert (found.value, found.lower, found.upper) == (None, 2, 3)
    assert found.contradictions == ("Grade 3 is recorded, and the findings of the day make grade 2.",)


ALERT = [score(f"icans:{domain}", 0, DAY) for domain in ("consciousness", "seizure", "motor", "oedema")]
ICE = {10: (0, 0), 9: (1, 1), 7: (1, 1), 6: (2, 2), 3: (2, 2), 2: (3, 3), 0: (3, 3)}


def test_icans_by_the_ice_score_of_an_awake_patient() -> None:
    found = scored_all("icans", {str(ice): [score("iceScore", ice, DAY), ALERT] for ice in ICE})
    assert {int(one.patient): (one.lower, one.upper) for one in found} == ICE


@pytest.mark.parametrize(("domain", "grade"), [("consciousness", 4), ("seizure", 3), ("motor", 4), ("oedema", 3)])
def test_icans_is_the_worst_domain(domain: str, grade: int) -> None:
    others = [one for one in ALERT if domain not in str(one["code"])]
    found = last("icans", score("iceScore", 8, DAY), others, score(f"icans:{domain}", grade, DAY))
    assert found.value == grade


def test_the_ice_score_alone_bounds_icans_from_below() -> None:
    found = last("icans", score("iceScore", 5, DAY))
    assert (found.lower, found.upper) == (2, 4) and found.missing


def test_yesterdays_findings_grade_no_today() -> None:
    found = last("crs", FEVER, NOTHING, on=ON + dt.timedelta(days=1))
    assert found.value is None and found.evidence == ()
    assert last("icans", score("iceScore", 5, DAY), ALERT, on=ON + dt.timedelta(days=1)).evidence == ()


# ---- flares ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "now", "grade"),
    [
        ("rash", "rash alopecia", 0),
        ("rash", "rash alopecia fever", 1),
        ("", "arthritis myositis hematuria", 1),
        ("", "arthritis myositis hematuria fever", 2),
        ("arthritis myositis hematuria fever", "arthritis myositis hematuria fever", 0),
    ],
)
def test_flares_by_rise_and_total(before: str, now: str, grade: int) -> None:
    course = [sledai(before, BEFORE, "selenaSledai"), sledai(now, DAY, "selenaSledai")]
    assert last("selenaFlare", course).value == grade


def test_a_first_assessment_tells_no_rise() -> None:
    found = scored("selenaFlare", sledai("rash", BEFORE, "selenaSledai"))[0]
    assert (found.lower, found.upper) == (0, 1) and found.missing


# ---- bounds of grades -----------------------------------------------------------------------------------------------


@given(st.integers(1, 6).flatmap(lambda n: st.tuples(st.integers(0, n), st.integers(0, n), st.just(n))))
def test_bounds_hold_every_grade_that_the_truths_allow(case: tuple[int, int, int]) -> None:
    first, second, top = case
    lower, upper = min(first, second), max(first, second)
    truths = {n: True if n <= lower else None if n <= upper else False for n in range(1, top + 1)}
    assert grade_bounds(truths, set(truths)) == (lower, upper)


def test_a_grade_for_the_investigator_is_open_only_above_a_grade_that_is_reached() -> None:
    assert grade_bounds({1: True, 2: True, 3: None}, {1, 2}) == (2, 3)
    assert grade_bounds({1: True, 2: None, 3: None}, {1, 2}) == (1, 2)
    assert grade_bounds({1: True, 2: False, 3: None}, {1, 2}) == (1, 1)


def test_grades_are_whole_numbers() -> None:
    assert last("icans", score("icansGrade", 1, DAY)).value == Decimal(1)
