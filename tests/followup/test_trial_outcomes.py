"""Outcomes of hand-made patients through the whole program: visits missing, outside windows, two in one window."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from caselib import Facts, complete, drug, event, lab, observation, score
from followup.histories import (
    LEGEND,
    UKM,
    day,
    infused,
    on,
    one,
    outcomes,
    pga,
    prednisone,
    result,
    row,
    sledai,
    words,
)
from sle_kg.errors import InputError

EVERYTHING = complete(on=on(1000))


def test_a_state_at_a_named_time_point(tmp_path: Path) -> None:
    patient = one(tmp_path, UKM, infused(), sledai(84))
    found = result(patient, "clinicalSledai", "week 12")
    assert (found.result, found.date, found.first, found.last) == ("reached", day(84), day(70), day(97))
    assert found.definition == "clinical SLEDAI-2K = 0"
    assert "Observation" in found.evidence[0].record


def test_serology_alone_leaves_clinical_remission(tmp_path: Path) -> None:
    patient = one(tmp_path, UKM, infused(), sledai(84, "lowComplement increasedDnaBinding"), sledai(56, "rash"))
    assert words(patient, "clinicalSledai")["week 12"] == "reached"
    assert words(patient, "clinicalSledai")["week 8"] == "not-reached"


def test_a_missing_visit_is_not_evaluable_and_says_so(tmp_path: Path) -> None:
    found = result(one(tmp_path, UKM, infused(), sledai(28), sledai(84)), "clinicalSledai", "week 8")
    assert (found.result, found.date) == ("not-evaluable", None)
    assert found.reason == f"No SLEDAI-2K total score is recorded from {day(42)} to {day(69)}."
    assert found.missing == (f"SLEDAI-2K total score from {day(42)} to {day(69)}",)


def test_time_points_after_the_last_record_were_not_followed(tmp_path: Path) -> None:
    found = result(one(tmp_path, UKM, infused(), sledai(28)), "clinicalSledai", "week 12")
    assert found.reason.startswith(f"Follow-up ends on {day(28)}")


@pytest.mark.parametrize(("facts", "end"), [([], 0), ([prednisone(5, 10)], 10), ([prednisone(5, 10, 40)], 40)])
def test_the_follow_up_ends_on_the_last_day_of_any_record(tmp_path: Path, facts: list[Facts], end: int) -> None:
    patient = one(tmp_path, UKM, infused(), pga(-3, "1"), *facts, complete(on=on(500)))
    found = result(patient, "clinicalSledai", "week 12")
    assert found.reason.startswith(f"Follow-up ends on {day(end)}")


def test_a_visit_outside_every_window_serves_no_time_point(tmp_path: Path) -> None:
    patient = one(tmp_path, UKM, infused(), sledai(13), sledai(211))
    assert set(words(patient, "clinicalSledai").values()) == {"not-evaluable"}
    assert words(patient, "clinicalSledai", "O2")["week 4"] == "not-evaluable"


def test_of_two_visits_in_a_window_the_nearest_counts_and_the_later_of_two_as_near(tmp_path: Path) -> None:
    patient = one(tmp_path, UKM, infused(), sledai(20, "rash"), sledai(30), sledai(50, "rash"), sledai(62))
    assert result(patient, "clinicalSledai", "week 4").date == day(30)
    assert result(patient, "clinicalSledai", "week 8").date == day(62)
    assert set(list(words(patient, "clinicalSledai").values())[:2]) == {"reached"}


def test_the_user_narrows_windows(tmp_path: Path) -> None:
    patient = one(tmp_path, UKM, infused(), sledai(31), sledai(60), visit_window=3)
    assert result(patient, "clinicalSledai", "week 4").result == "reached"
    assert result(patient, "clinicalSledai", "week 8").result == "not-evaluable"


def test_results_of_other_days_in_the_window_serve_the_assessment(tmp_path: Path) -> None:
    facts: Facts = [infused(), sledai(84), pga(90, "0.4"), prednisone(5, -100), EVERYTHING]
    patient = one(tmp_path, UKM, facts)
    assert result(patient, "doris2021", "week 12").result == "reached"
    assert result(patient, "doris2021", "week 12").date == day(84)
    late = one(tmp_path, UKM, facts, on=day(88))
    assert result(late, "doris2021", "week 12").result == "not-evaluable"


def test_values_on_the_day_of_the_infusion_are_baseline(tmp_path: Path) -> None:
    patient = one(
        tmp_path, LEGEND, infused(), sledai(-20, "seizure"), sledai(0, "arthritis rash"), sledai(1, "arthritis")
    )
    found = result(patient, "sledai2k", "visit 1")
    assert (found.date, found.value, found.change) == (day(1), Decimal(4), Decimal(-2))
    assert words(patient, "sledai2k") == {"visit 1": "value"}


def test_without_baseline_a_change_is_not_evaluable_and_the_value_is_told(tmp_path: Path) -> None:
    found = result(one(tmp_path, LEGEND, infused(), sledai(28, "rash")), "sledai2k", "visit 1")
    assert (found.result, found.value, found.change) == ("not-evaluable", Decimal(2), None)
    assert "baseline" in found.missing[0]


def test_items_not_recorded_leave_bounds(tmp_path: Path) -> None:
    facts = infused(), sledai(0), sledai(28, "rash", unknown="fever visualDisturbance")
    found = result(one(tmp_path, LEGEND, *facts), "sledai2k", "visit 1")
    assert (found.result, found.value, found.change) == ("not-evaluable", None, None)
    assert (found.lower, found.upper) == (Decimal(2), Decimal(11))
    assert found.missing


@pytest.mark.parametrize(("changed", "expected"), [(27, "reached"), (28, "reached"), (29, "not-reached")])
def test_the_dose_is_that_of_the_day_of_the_assessment(tmp_path: Path, changed: int, expected: str) -> None:
    """A taper the day before a visit, on the day, and the day after it."""
    taper = prednisone(10, -100, changed - 1), prednisone(5, changed)
    patient = one(tmp_path, LEGEND, infused(), sledai(0), sledai(28), pga(28, "0.5"), *taper, EVERYTHING)
    assert result(patient, "lldas4", "visit 1").result == expected
    assert result(patient, "lldas", "visit 1").result == expected


def test_visits_have_one_number_whatever_was_scored(tmp_path: Path) -> None:
    patient = one(tmp_path, LEGEND, infused(), sledai(0), sledai(20), pga(30, "1"), sledai(40), pga(40, "1"))
    assert words(patient, "pga") == {"visit 2": "not-evaluable", "visit 3": "not-evaluable"}
    assert words(patient, "sledai2k") == {"visit 1": "value", "visit 3": "value"}
    assert list(words(patient, "lldas")) == ["visit 1", "visit 2", "visit 3"]
    assert result(patient, "lldas3", "visit 1").result == "not-evaluable"


def test_measures_of_neighbouring_days_are_one_visit(tmp_path: Path) -> None:
    facts: Facts = [infused(), sledai(-1), pga(27, "1"), sledai(28), pga(29, "3"), sledai(33), prednisone(5, -50)]
    patient = one(tmp_path, LEGEND, facts, EVERYTHING)
    assert words(patient, "sledai2k") == {"visit 1": "value", "visit 3": "value"}
    assert words(patient, "pga").keys() == {"visit 1", "visit 2"}
    assert words(patient, "lldas", "O7") == {
        "visit 1": "reached",
        "visit 2": "not-reached",
        "visit 3": "not-evaluable",
    }
    assert result(patient, "lldas", "visit 1").date == day(28)
    apart = one(tmp_path, LEGEND, facts, EVERYTHING, visit_window=0)
    assert words(apart, "lldas", "O7")["visit 2"] == "not-evaluable"


def test_a_change_of_treatment_is_told_against_the_previous_assessment(tmp_path: Path) -> None:
    """A dose that rose between two visits rose at the second one, and not again at the third."""
    facts: list[Facts] = [infused(), *_remission(28, 56, 84), drug("atc:L04AX01", on(-200), on(40), dose=50)]
    patient = one(tmp_path, UKM, *facts, drug("atc:L04AX01", on(41), dose=100), EVERYTHING)
    found = words(patient, "doris2021", "O2")
    assert [found[f"week {week}"] for week in (4, 8, 12)] == ["reached", "not-reached", "reached"]


def test_laboratory_outcomes_are_measured_on_their_own_days(tmp_path: Path) -> None:
    values = [lab("loinc:2465-3", value, "mg/dL", on(number)) for number, value in ((-5, 1200), (10, 900), (90, 400))]
    patient = one(tmp_path, LEGEND, infused(), *values)
    assert [(r.time_point, r.change) for r in patient.results if r.measure == "igG"] == [
        ("day 11", Decimal(-300)),
        ("day 91", Decimal(-800)),
    ]


def test_laboratory_results_around_a_visit_belong_to_it(tmp_path: Path) -> None:
    values = [lab("loinc:2465-3", 900, "mg/dL", on(number)) for number in (-5, 10, 27, 31, 32)]
    patient = one(tmp_path, LEGEND, infused(), sledai(28), *values)
    found = [(r.time_point, r.date) for r in patient.results if r.measure == "igG"]
    assert found == [("day 11", day(10)), ("visit 1", day(27)), ("day 33", day(32))]


def test_an_outcome_that_is_a_change_says_so(tmp_path: Path) -> None:
    patient = one(tmp_path, LEGEND, infused(), sledai(0, "rash"), sledai(28), lab("loinc:2465-3", 9, "g/L", on(28)))
    assert result(patient, "igG", "visit 1").definition == "immunoglobulin G, change since baseline"
    assert result(patient, "sledai2k", "visit 1").definition == "SLEDAI-2K, change since baseline"
    assert result(patient, "lldas", "visit 1").definition == "LLDAS as the record words it (four items)"


def test_the_user_names_time_points_where_the_record_names_none(tmp_path: Path) -> None:
    patient = one(tmp_path, LEGEND, infused(), sledai(0, "rash"), sledai(30), visits=("week 4", "day 85"))
    assert words(patient, "sledai2k") == {"week 4": "value", "day 85": "not-evaluable"}
    assert result(patient, "sledai2k", "week 4").date == day(30)
    assert result(patient, "sledai2k", "day 85").first == day(56)  # half way from day 28 to day 84


def test_a_dose_is_judged_where_the_outcome_is_assessed(tmp_path: Path) -> None:
    facts: Facts = [infused(), sledai(30), prednisone(10, -100, 28), prednisone(5, 29), EVERYTHING]
    patient = one(tmp_path, LEGEND, facts, visits=("week 4", "week 12"))
    assert result(patient, "lldas4", "week 4").date == day(30)
    assert words(patient, "lldas4") == {"week 4": "reached", "week 12": "not-evaluable"}


def test_new_features_are_told_against_the_previous_visit(tmp_path: Path) -> None:
    visits = sledai(-1, "arthritis"), sledai(28, "arthritis"), sledai(56, "rash"), sledai(84, "rash")
    patient = one(tmp_path, LEGEND, infused(), *visits)
    assert words(patient, "lldas2") == {"visit 1": "reached", "visit 2": "not-reached", "visit 3": "reached"}


def test_official_lldas_implies_the_four_items_of_the_record(tmp_path: Path) -> None:
    facts: list[Facts] = [infused(), sledai(0), EVERYTHING, prednisone("7.5", -50)]
    for number, present in ((20, ""), (40, "rash"), (60, "arthritis"), (80, "seizure"), (100, "fever")):
        facts += [sledai(number, present), pga(number, "1"), *complete(on=on(number))]
    four = words(one(tmp_path, LEGEND, *facts), "lldas", "O7")
    official = words(one(tmp_path, LEGEND, *facts, readings={"A4-05": "official"}), "lldas", "O7")
    assert list(four) == list(official)
    assert "reached" in four.values() and "not-reached" in four.values()
    assert all(four[point] == "reached" for point, word in official.items() if word == "reached")


def test_the_strict_reading_of_doris(tmp_path: Path) -> None:
    facts: Facts = [infused(), sledai(84), pga(84, "0.4"), prednisone(5, -100), EVERYTHING]
    assert result(one(tmp_path, UKM, facts), "doris2021", "week 12").result == "reached"
    strict = one(tmp_path, UKM, facts, readings={"A2-10": "doris-below-5"})
    assert result(strict, "doris2021", "week 12").result == "not-reached"


def test_a_threshold_that_the_user_sets(tmp_path: Path) -> None:
    facts: Facts = [infused(), lab("loinc:8116-6", 15, "/uL", on(91))]
    assert result(one(tmp_path, UKM, facts), "bCellAplasia", "month 3").result == "not-reached"
    wide = result(one(tmp_path, UKM, facts, thresholds={"bCellAplasia": Decimal(20)}), "bCellAplasia", "month 3")
    assert wide.result == "reached"
    assert "bCellAplasia = 20" in wide.definition


def test_an_unknown_threshold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'aplasia' is no adjustable threshold; choose among bCellAplasia"):
        one(tmp_path, UKM, infused(), thresholds={"aplasia": Decimal(1)})


def test_protein_and_ratio_are_never_compared(tmp_path: Path) -> None:
    facts = lab("loinc:2889-4", 2, "g/(24.h)", on(-3)), lab("upcr", 500, "mg/g{creat}", on(50))
    patient = one(tmp_path, LEGEND, infused(), *facts)
    assert result(patient, "upcr", "day 51").change is None
    assert words(patient, "urineProtein24h") == {"follow-up": "not-evaluable"}


def test_undefined_outcomes_stay_undefined_with_their_measures_beside(tmp_path: Path) -> None:
    patient = one(tmp_path, UKM, infused(), pga(0, "2"), pga(28, "1"))
    assert result(patient, "undefined", "week 4", "O3").result == "not-evaluable"
    assert result(patient, "pga", "week 4", "O3").change == -1


def test_nothing_is_evaluable_without_an_infusion(tmp_path: Path) -> None:
    found = outcomes(tmp_path, UKM, {"x": [sledai(28)], "y": [infused(), sledai(28)]})
    assert found.patients[0].infusion is None
    assert {r.result for r in found.patients[0].results} == {"not-evaluable"}
    assert result(found.patients[0], "clinicalSledai", "week 4").reason == "No infusion is recorded."
    assert (row(found, "clinicalSledai", "week 4").infused, row(found, "clinicalSledai", "week 4").evaluable) == (1, 1)


def test_an_infusion_dated_to_the_month_is_no_time_zero(tmp_path: Path) -> None:
    partial = observation("local:event:infusion", None, valueDateTime="2026-01")
    found = result(one(tmp_path, UKM, partial, sledai(28)), "clinicalSledai", "week 4")
    assert found.reason == "The infusion is dated only from 2026-01-01 to 2026-01-31."


def test_the_command_line_tells_the_infusion(tmp_path: Path) -> None:
    patient = one(tmp_path, UKM, infused(300), sledai(28), events={"infusion": day(0)})
    assert (patient.infusion, result(patient, "clinicalSledai", "week 4").result) == (day(0), "reached")


def test_an_infusion_bound_to_the_trial_goes_first(tmp_path: Path) -> None:
    bound = observation(f"local:event:infusion/{UKM}", None, valueDateTime=on(0))
    other = observation(f"local:event:infusion/{LEGEND}", None, valueDateTime=on(50))
    assert one(tmp_path, UKM, infused(100), bound, other).infusion == day(0)


@pytest.mark.parametrize(("trial", "words_"), [("NCT06150651", "states no outcomes"), ("NCT1", "no modelled trial")])
def test_a_trial_without_outcomes_is_refused(tmp_path: Path, trial: str, words_: str) -> None:
    with pytest.raises(InputError, match=words_):
        one(tmp_path, trial, infused())


def _remission(*numbers: int, lost: tuple[int, ...] = ()) -> list[Facts]:
    """DORIS remission at visits, but for the clinical items of some."""
    return [[sledai(n, "rash" if n in lost else ""), pga(n, "0.3"), *complete(on=on(n))] for n in numbers]


def test_remission_sustained_for_twelve_months(tmp_path: Path) -> None:
    visits = 60, 150, 240, 330, 425
    kept = one(tmp_path, UKM, infused(), *_remission(*visits), EVERYTHING)
    assert result(kept, "sustainedDoris2021").result == "reached"
    short = one(tmp_path, UKM, infused(), *_remission(*visits[:-1]), EVERYTHING)
    assert result(short, "sustainedDoris2021").result == "not-evaluable"
    assert "330 days of follow-up" in result(short, "sustainedDoris2021").reason
    lost = one(tmp_path, UKM, infused(), *_remission(*visits, 500, lost=(240, 500)), EVERYTHING)
    assert result(lost, "sustainedDoris2021").result == "not-reached"


def test_days_of_drug_free_remission(tmp_path: Path) -> None:
    visits = _remission(60, 150, 240, 330, lost=(330,))
    free = result(one(tmp_path, UKM, infused(), *visits, EVERYTHING), "drugFreeRemission")
    assert (free.result, free.value, free.unit) == ("value", Decimal(180), "d")
    steroid = one(tmp_path, UKM, infused(), *visits, prednisone(3, -20, 100), EVERYTHING)
    assert result(steroid, "drugFreeRemission").value == 90
    unsaid = [[sledai(n, "rash" if n == 330 else ""), pga(n, "0.3")] for n in (60, 150, 240, 330)]
    unknown = result(one(tmp_path, UKM, infused(), *unsaid), "drugFreeRemission")
    assert (unknown.value, unknown.lower, unknown.upper) == (None, Decimal(0), Decimal(180))
    assert unknown.result == "not-evaluable"


def test_courses_hold_what_the_plots_draw(tmp_path: Path) -> None:
    facts = sledai(-1, "rash"), sledai(28), pga(28, "0.4"), prednisone(10, -50, 13), prednisone(5, 14)
    course = one(tmp_path, UKM, infused(), *facts, EVERYTHING).course
    assert [(p.date, p.lower, p.upper) for p in course.scores["sledai2kTotal"]] == [(day(-1), 2, 2), (day(28), 0, 0)]
    assert [(p.date, p.lower) for p in course.steroid] == [(day(-1), 10), (day(14), 5), (day(28), 5)]
    assert [p.lower for p in course.items["sledai2k:rash"]] == [1, 0]
    assert course.states["doris2021"] == ((day(28), "met"),)


def test_laboratory_grades_are_the_highest_after_the_infusion(tmp_path: Path) -> None:
    values = [(-3, 20), (0, 900), (5, 150), (9, 500), (30, 30)]
    tests = [lab("alt", value, "U/L", on(number), uln=40) for number, value in values[:1] + values[2:]]
    found = outcomes(tmp_path, UKM, {"x": [infused(), *tests]})
    assert found.patients[0].laboratory_grades["Alanine aminotransferase increased"] == (3, 3)
    assert [(r.term, r.highest_grade) for r in found.laboratory_grades] == [
        ("Alanine aminotransferase increased", {"3": 1})
    ]


def test_a_cohort_counts_reached_evaluable_and_infused(tmp_path: Path) -> None:
    found = outcomes(
        tmp_path,
        UKM,
        {
            "reached": [infused(), sledai(28)],
            "not reached": [infused(), sledai(28, "rash")],
            "no visit": [infused(), sledai(84)],
            "open": [infused(), sledai(28, unknown="rash")],
            "not infused": [sledai(28)],
        },
    )
    counted = row(found, "clinicalSledai", "week 4")
    assert (counted.infused, counted.evaluable, counted.reached) == (4, 2, 1)
    assert (counted.proportion_of_evaluable, counted.proportion_of_infused) == (Decimal("0.5"), Decimal("0.25"))
    assert sum(counted.missing.values()) == 2
    assert set(counted.missing) == {"no SLEDAI-2K total score in the window", "SLEDAI-2K total score"}


def test_a_visit_that_only_some_patients_have(tmp_path: Path) -> None:
    patients = {
        "a": [infused(), sledai(0), sledai(20), sledai(40)],
        "b": [infused(), sledai(0), sledai(30)],
        "c": [infused()],
    }
    found = outcomes(tmp_path, LEGEND, patients)
    assert (row(found, "sledai2k", "visit 1").evaluable, row(found, "sledai2k", "visit 2").evaluable) == (2, 1)
    assert row(found, "sledai2k", "visit 2").missing == {"no assessment": 2}
    assert [r.time_point for r in found.cohort if r.measure == "sledai2k"] == ["visit 1", "visit 2"]


def test_the_output_names_the_windows(tmp_path: Path) -> None:
    assert "half the distance to its neighbours" in outcomes(tmp_path, UKM, {"x": [infused()]}).windows
    assert "within 5 days" in outcomes(tmp_path, UKM, {"x": [infused()]}, visit_window=5).windows


def test_the_order_of_the_records_does_not_matter(tmp_path: Path) -> None:
    facts = [infused(), sledai(0), sledai(28), pga(28, "0.4"), drug("atc:L04AX03", on(2))]
    forth, back = one(tmp_path, UKM, *facts), one(tmp_path, UKM, *reversed(facts))
    assert [(r.measure, r.time_point, r.result, r.value, r.reason) for r in forth.results] == [
        (r.measure, r.time_point, r.result, r.value, r.reason) for r in back.results
    ]


def test_scores_keep_their_scales_apart(tmp_path: Path) -> None:
    patient = one(tmp_path, UKM, infused(), score("facitF", 120, on(28)))
    assert result(patient, "facitFatigue", "week 4").result == "not-evaluable"
    whole = one(tmp_path, UKM, infused(), score("facitF", 120, on(28)), readings={"A2-06": "facit-f"})
    assert result(whole, "facitF", "week 4").value == 120


def test_an_infusion_without_an_exact_day_counts_among_the_infused(tmp_path: Path) -> None:
    found = outcomes(
        tmp_path, UKM, {"a": [event("infusion", "2026-01")], "b": [event("infusion", "2027-01")]}, on=day(60)
    )
    assert [patient.undated_infusion for patient in found.patients] == [True, False]
    row = next(row for row in found.cohort if (row.id, row.time_point) == ("O2", "week 4"))
    assert (row.infused, row.evaluable, row.missing) == (1, 0, {"the date of the infusion": 1})
