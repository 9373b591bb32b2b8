"""Adverse events: treatment-emergent, dose-limiting, and the grades of CRS and ICANS."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from caselib import Facts, adverse_event, complete, lab, observation, said
from followup.histories import LEGEND, UKM, infused, on, one, outcomes, result, row
from sle_kg.followup.results import EventRow

COMPLETE = complete("adverseEvents", on=on(1000))


@pytest.mark.parametrize(("number", "expected"), [(-1, False), (0, True), (1, True)])
def test_an_event_is_treatment_emergent_from_the_infusion_on(tmp_path: Path, number: int, expected: bool) -> None:
    (event,) = one(tmp_path, UKM, infused(), adverse_event("Rash", on(number), 2)).events
    assert (event.treatment_emergent, event.day, event.grade_low, event.grade_high) == (expected, number, 2, 2)


def test_days_are_numbered_as_the_trial_numbers_them(tmp_path: Path) -> None:
    facts = [infused(), *(adverse_event(f"Event {n}", on(n)) for n in (-1, 0, 5))]
    assert [event.day for event in one(tmp_path, LEGEND, *facts).events] == [-1, 1, 6]


def test_an_onset_known_to_the_month_of_the_infusion_is_open(tmp_path: Path) -> None:
    facts = infused(), adverse_event("Rash", "2026-01", 2), COMPLETE
    patient = one(tmp_path, UKM, *facts)
    assert (patient.events[0].treatment_emergent, patient.events[0].date) == (None, None)
    found = result(patient, "adverseEvents")
    assert (found.result, found.value, found.lower, found.upper) == ("not-evaluable", None, 0, 1)
    assert outcomes(tmp_path, UKM, {"x": facts}).events == ()
    assert "after the infusion: 1." in outcomes(tmp_path, UKM, {"x": facts}).caveats[0]


@pytest.mark.parametrize(("number", "count"), [(-1, 0), (0, 1), (730, 1), (731, 0)])
def test_events_count_inside_the_window_of_the_outcome(tmp_path: Path, number: int, count: int) -> None:
    """From day 0 to 24 months: 2028-01-10."""
    patient = one(tmp_path, UKM, infused(), adverse_event("Rash", on(number), 2), COMPLETE)
    assert result(patient, "adverseEvents").value == count


def test_recorded_events_are_a_number_and_have_no_upper_bound_unless_complete(tmp_path: Path) -> None:
    patient = one(tmp_path, UKM, infused(), adverse_event("Rash", on(3), 2), adverse_event("Fever", on(4), 1))
    found = result(patient, "adverseEvents")
    assert (found.result, found.value, found.lower, found.upper) == ("value", Decimal(2), Decimal(2), None)
    assert found.definition.startswith("recorded adverse events")
    assert "nothing says that they are complete, so there may be more" in found.reason
    assert found.missing == ("a statement that adverse events are complete up to 2028-01-10",)
    early = infused(), adverse_event("Rash", on(3), 2), complete("adverseEvents", on=on(100))
    assert result(one(tmp_path, UKM, *early), "adverseEvents").upper is None


def test_results_on_events_name_their_records(tmp_path: Path) -> None:
    facts = infused(), adverse_event("Rash", on(3), 2, dose_limiting=True), adverse_event("Fever", on(90), 1)
    patient = one(tmp_path, LEGEND, *facts)
    assert [line.what for line in result(patient, "adverseEvents").evidence] == ["Rash", "Fever"]
    assert [line.what for line in result(patient, "doseLimitingToxicity").evidence] == ["Rash"]


def test_no_record_of_events_is_not_none(tmp_path: Path) -> None:
    unsaid, said = (infused(),), (infused(), COMPLETE)
    found = outcomes(
        tmp_path, UKM, {"unsaid": unsaid, "before": [*unsaid, adverse_event("Rash", on(-1))], "none": said}
    )
    results = [result(patient, "adverseEvents") for patient in found.patients]
    assert [one.result for one in results] == ["not-evaluable", "not-evaluable", "value"]
    assert [one.value for one in results] == [None, None, Decimal(0)]
    assert [(one.lower, one.upper) for one in results[:2]] == [(Decimal(0), None)] * 2
    counted = row(found, "adverseEvents", "follow-up")
    assert (counted.infused, counted.evaluable, counted.mean) == (3, 1, Decimal(0))
    assert counted.missing == {"no adverse event recorded, nor that there was none": 2}


def test_an_event_that_may_have_begun_before_leaves_the_number_open(tmp_path: Path) -> None:
    facts = infused(), adverse_event("Rash", on(3)), adverse_event("Fever", "2026-01")
    found = result(one(tmp_path, UKM, *facts), "adverseEvents")
    assert (found.result, found.value, found.lower, found.upper) == ("not-evaluable", None, Decimal(1), None)


@pytest.mark.parametrize(
    ("event", "said_complete", "expected"),
    [
        (adverse_event("Rash", on(30), 3, related=True, dose_limiting=True), False, "reached"),
        (adverse_event("Rash", on(31), 3, related=True, dose_limiting=True), True, "not-reached"),
        (adverse_event("Rash", on(-1), 3, related=True, dose_limiting=True), True, "not-reached"),
        (adverse_event("Rash", on(3), 3, dose_limiting=True), False, "reached"),
        (adverse_event("Rash", on(3), 3, related=False, dose_limiting=True), True, "not-reached"),
        (adverse_event("Rash", on(3), 3, related=True), True, "not-evaluable"),
        (adverse_event("Rash", on(3), 2, related=True), True, "not-reached"),
        (adverse_event("Rash", on(3), related=True), True, "not-evaluable"),
        (adverse_event("Rash", on(3), 3, dose_limiting=False), True, "not-reached"),
        (adverse_event("Rash", on(3), 3, dose_limiting=False), False, "not-evaluable"),
        (adverse_event("Rash", "2026-02", 3, related=True, dose_limiting=True), True, "not-evaluable"),
    ],
)
def test_dose_limiting_toxicity(tmp_path: Path, event: Facts, said_complete: bool, expected: str) -> None:
    patient = one(tmp_path, LEGEND, infused(), event, COMPLETE if said_complete else [])
    assert result(patient, "doseLimitingToxicity").result == expected


def test_events_to_be_judged_are_named(tmp_path: Path) -> None:
    patient = one(tmp_path, LEGEND, infused(), adverse_event("Liver failure", on(3), 4), COMPLETE)
    assert "Liver failure (AdverseEvent/" in result(patient, "doseLimitingToxicity").reason


def test_completeness_of_the_thirty_days_settles_it(tmp_path: Path) -> None:
    for number, expected in ((29, "not-evaluable"), (30, "not-reached")):
        patient = one(tmp_path, LEGEND, infused(), complete("adverseEvents", on=on(number)))
        assert result(patient, "doseLimitingToxicity").result == expected
    assert result(one(tmp_path, LEGEND, infused(), complete=("adverseEvents",)), "doseLimitingToxicity").result == (
        "not-reached"
    )


def _fever(number: int, celsius: str = "39", level: int = 0, hypotension: bool = False) -> list[Facts]:
    """What CRS is graded by, on a day."""
    return [
        lab("loinc:8310-5", celsius, "Cel", on(number)),
        said("hypotension", hypotension, on(number)),
        observation("local:hypoxia", on(number), valueInteger=level),
        observation("local:vasopressor", on(number), valueInteger=0),
    ]


def test_crs_takes_the_highest_grade_of_its_days(tmp_path: Path) -> None:
    days = [*_fever(3), *_fever(4, level=1), *_fever(5), *_fever(6, "36.8"), *_fever(90, level=2)]
    facts = infused(), adverse_event("Cytokine release syndrome", on(3)), *days
    (event,) = one(tmp_path, UKM, *facts, complete("medications", on=on(1000))).events
    assert (event.grade_low, event.grade_high) == (2, 2)
    (event,) = one(tmp_path, UKM, *facts).events  # on day 6 an antipyretic may have hidden the fever
    assert (event.grade_low, event.grade_high) == (2, 3)


def test_a_recorded_grade_is_not_replaced(tmp_path: Path) -> None:
    facts = adverse_event("Cytokine release syndrome", on(3), 1), *_fever(3, level=2)
    assert one(tmp_path, UKM, infused(), *facts).events[0].grade_high == 1


def test_crs_without_findings_has_no_grade(tmp_path: Path) -> None:
    found = outcomes(tmp_path, UKM, {"x": [infused(), adverse_event("Cytokine release syndrome", on(3))]})
    assert found.events == (EventRow("Cytokine release syndrome", 1, {"unknown": 1}),)


def test_nobody_has_emergent_events_without_an_infusion(tmp_path: Path) -> None:
    found = outcomes(tmp_path, UKM, {"x": [adverse_event("Rash", on(3), 2)]})
    assert found.patients[0].events[0].treatment_emergent is None
    assert found.events == ()
