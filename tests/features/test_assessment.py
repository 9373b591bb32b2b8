"""Features of a follow-up: moments, scores and parts of them, new items and grades, results, treatment, proposals."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import pytest

from features.assessments import (
    CLINICAL,
    INFUSION,
    MAJOR,
    NEW_A,
    NEW_B,
    NEW_ITEMS,
    TREATMENT,
    TRIAL,
    UNKNOWN,
    VISIT,
    Record,
    ask,
    builder,
    built,
    days,
    one,
    score,
    value,
)
from features.naive_assessment import BILAG_SYSTEMS, items_of
from features.naive_facts import Bound
from features.real import feature
from sle_kg.errors import TrialFileError
from sle_kg.features import FeatureOptions, ItemState

# ---- worked examples ------------------------------------------------------------------------------------------------

WORKED = [
    ("", 0, 0, 0),
    ("arthritis", 4, 4, 0),
    ("lowComplement increasedDNABinding", 4, 0, 0),
    ("proteinuria", 4, 4, 4),
    ("rash alopecia lowComplement", 6, 4, 0),
    ("pleurisy", 2, 2, 2),
    ("fever", 1, 1, 1),
    ("arthritis proteinuria hematuria lowComplement increasedDNABinding leukopenia", 17, 13, 8),
    ("rash mucosalUlcers thrombocytopenia increasedDNABinding", 7, 5, 0),
    ("arthritis rash increasedDNABinding", 8, 6, 0),
    ("thrombocytopenia leukopenia rash", 4, 4, 0),
    ("*", 105, 101, 85),
]
"""Worked SLEDAI-2K examples of the fact base (scores.md, section 12): present, total, clinical, major organs."""


@pytest.mark.parametrize(("present", "total", "clinical", "major"), WORKED)
def test_worked_examples_of_sledai(present: str, total: int, clinical: int, major: int) -> None:
    every = [item.test.partition(":")[2] for item in items_of("sledai2kTotal")]
    facts = Record().items(every if present == "*" else present.split())
    found = built([facts.facts], [ask()], [score(), CLINICAL, MAJOR])
    assert list(found.values()) == [(total, total), (clinical, clinical), (major, major)]


# ---- moments --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("distance", "counts"), [(-14, True), (-15, False), (13, True), (14, False)])
def test_a_window_has_both_its_ends(distance: int, counts: bool) -> None:
    facts = Record()
    facts.result("pga", 1, VISIT + days(distance))
    assert one(facts, score("pga")) == ((1, 1) if counts else UNKNOWN)


def test_of_two_visits_in_a_window_the_nearer_counts_and_of_two_as_near_the_later() -> None:
    facts = Record()
    facts.result("pga", 1, VISIT - days(3))
    facts.result("pga", 2, VISIT + days(4))
    assert one(facts, score("pga")) == (1, 1)
    facts.result("pga", 3, VISIT + days(3))
    assert one(facts, score("pga")) == (3, 3)


def test_several_values_of_the_nearest_day_form_a_range() -> None:
    facts = Record()
    facts.result("pga", "0.5", VISIT)
    facts.result("pga", "1.5", VISIT)
    facts.result("pga", 3, VISIT + days(1))
    assert one(facts, score("pga")) == (Fraction(1, 2), Fraction(3, 2))


def test_a_value_on_the_day_of_infusion_is_baseline_and_one_after_it_is_not() -> None:
    facts = Record()
    facts.result("pga", 2, INFUSION)
    facts.result("pga", 3, INFUSION + days(1))
    facts.result("pga", 1, VISIT)
    assert one(facts, score("pga", at="baseline")) == (2, 2)
    assert one(facts, score("pga", since="baseline")) == (-1, -1)


def test_a_month_that_may_lie_nearer_widens_and_one_that_may_lie_outside_leaves_it_open() -> None:
    facts = Record()
    facts.result("pga", 1, (dt.date(2026, 4, 1), dt.date(2026, 4, 30)))
    assert one(facts, score("pga")) == UNKNOWN
    facts.result("pga", 2, VISIT + days(2))
    assert one(facts, score("pga")) == (1, 2)
    facts.result("pga", 3, VISIT)
    assert one(facts, score("pga")) == (1, 3)


def test_a_vague_date_inside_the_moment_counts_alone() -> None:
    facts = Record()
    facts.result("pga", 1, (dt.date(2025, 12, 1), dt.date(2025, 12, 31)))
    assert one(facts, score("pga", at="baseline")) == (1, 1)


def test_a_moment_that_is_not_there_leaves_the_feature_unknown() -> None:
    facts = Record()
    facts.result("pga", 1, VISIT)
    assert one(facts, score("pga", since="baseline"), without=["baseline"]) == UNKNOWN
    assert one(facts, score("pga"), without=["visit"]) == UNKNOWN


# ---- scores ---------------------------------------------------------------------------------------------------------


def test_missing_items_bound_the_total_from_both_sides() -> None:
    facts = Record().items(["arthritis"], absent=["seizure", "psychosis"])
    assert one(facts, score()) == (4, 105 - 16)


def test_a_total_alone_bounds_its_parts() -> None:
    facts = Record()
    facts.result("sledai2kTotal", 6, VISIT)
    assert [one(facts, f) for f in (score(), CLINICAL, MAJOR)] == [(6, 6), (2, 6), (0, 6)]
    none = Record()
    none.result("sledai2kTotal", 0, VISIT)
    assert [one(none, f) for f in (score(), CLINICAL, MAJOR)] == [(0, 0)] * 3


def test_items_and_a_total_that_fits_narrow_a_part_together() -> None:
    facts = Record().items(["lowComplement"], absent=["increasedDNABinding"])
    facts.result("sledai2kTotal", 6, VISIT)
    assert one(facts, CLINICAL) == (4, 4)


def test_a_total_that_contradicts_the_items_forms_a_range_with_them() -> None:
    facts = Record().items(["arthritis", "rash"])
    facts.result("sledai2kTotal", 4, VISIT)
    assert one(facts, score()) == (4, 6)
    assert one(facts, CLINICAL) == (0, 6)
    high = Record().items([])
    high.result("sledai2kTotal", 30, VISIT)
    assert [one(high, f) for f in (score(), CLINICAL, score(itemGroup="renal"))] == [(0, 30), (0, 30), (0, 16)]


def test_items_of_two_days_do_not_add_up() -> None:
    facts = Record().items(["rash"], absent=[]).items(["arthritis"], VISIT + days(1))
    assert one(facts, score()) == (2, 105)


def test_an_item_answered_both_ways_on_one_day_is_open() -> None:
    facts = Record().items(["arthritis"]).items([], absent=["arthritis"])
    assert one(facts, score()) == (0, 4)


def test_a_total_above_a_number_is_open_above() -> None:
    facts = Record()
    facts.result("sledai2kTotal", 7, VISIT, high=None)
    assert one(facts, score()) == (7, 105)
    facts.result("facitFatigue", 40, VISIT, high=None)
    assert one(facts, score("facitFatigue")) == (40, None)


def test_organ_groups_and_systems_are_parts_of_the_total() -> None:
    facts = Record().items(["proteinuria", "seizure", "rash"])
    groups = {"renal": 4, "CNS": 8, "centralNervousSystem": 8, "dermal": 2, "serosal": 0}
    assert {g: one(facts, score(itemGroup=g)) for g in groups} == {g: (p, p) for g, p in groups.items()}


def test_a_group_that_no_item_has_is_an_error_that_names_it() -> None:
    with pytest.raises(TrialFileError, match="'kidney'"):
        one(Record(), score(itemGroup="kidney"))
    with pytest.raises(TrialFileError, match="pga has no items of the group 'clinical'"):
        one(Record(), score("pga", itemGroup="clinical"))


def test_the_other_instrument_serves_at_all_moments_where_the_visit_has_none_of_the_first() -> None:
    wanted = score("selenaSledaiTotal", alsoAccepts="sledai2kTotal", since="baseline")
    facts = Record()
    facts.result("sledai2kTotal", 10, INFUSION)
    facts.result("selenaSledaiTotal", 8, INFUSION)
    facts.result("sledai2kTotal", 3, VISIT)
    assert one(facts, wanted) == (-7, -7)
    facts.result("selenaSledaiTotal", 6, VISIT)
    assert one(facts, wanted) == (-2, -2)


def test_instruments_never_stand_in_for_each_other_unasked() -> None:
    facts = Record()
    facts.result("selenaSledaiTotal", 8, VISIT)
    assert one(facts, score()) == UNKNOWN


def test_the_change_of_bounds_is_from_least_to_most() -> None:
    facts = Record().items(["arthritis"], INFUSION, absent=["seizure"])
    facts.result("sledai2kTotal", 2, VISIT)
    assert one(facts, score(since="baseline")) == (2 - 97, 2 - 4)


def test_bilag_grades_add_points_and_a_missing_system_any() -> None:
    letters = dict(zip(BILAG_SYSTEMS, "ABCDEEEEE", strict=True))
    assert one(Record().grades(letters, VISIT), score("bilagTotal")) == (21, 21)
    del letters["constitutional"]
    assert one(Record().grades(letters, VISIT), score("bilagTotal")) == (9, 21)


def test_two_grades_of_one_system_on_one_day_are_a_range() -> None:
    letters = dict.fromkeys(BILAG_SYSTEMS, "E")
    facts = Record().grades(letters, VISIT).grades({"renal": "B"}, VISIT)
    assert one(facts, score("bilagTotal")) == (0, 8)


# ---- new items, new grades ------------------------------------------------------------------------------------------


def test_new_items_are_absent_before_and_present_now() -> None:
    facts = Record().items(["rash"], INFUSION).items(["rash", "arthritis", "fever"])
    assert one(facts, NEW_ITEMS) == (2, 2)


def test_items_missing_at_either_moment_may_be_new() -> None:
    facts = Record().items([], INFUSION, absent=["arthritis", "rash"]).items(["arthritis"], absent=["rash"])
    assert one(facts, NEW_ITEMS) == (1, 23)


def test_a_total_of_nought_says_that_every_item_is_absent() -> None:
    facts = Record().items(["rash", "arthritis"])
    facts.result("sledai2kTotal", 0, INFUSION)
    assert one(facts, NEW_ITEMS) == (2, 2)
    better = Record().items(["rash", "arthritis"], INFUSION)
    better.result("sledai2kTotal", 0, VISIT)
    assert one(better, NEW_ITEMS) == (0, 0)


def test_a_total_that_rose_proves_a_new_item() -> None:
    facts = Record()
    facts.result("sledai2kTotal", 4, INFUSION)
    facts.result("sledai2kTotal", 5, VISIT)
    assert one(facts, NEW_ITEMS)[0] == 1
    facts.result("sledai2kTotal", 5, INFUSION)
    assert one(facts, NEW_ITEMS)[0] == 0


def test_without_an_assessment_before_new_items_are_unknown() -> None:
    assert one(Record().items([]), NEW_ITEMS) == UNKNOWN


@pytest.mark.parametrize(
    ("before", "now", "new_a", "new_b"),
    [("B", "A", 1, 0), ("A", "A", 0, 0), ("A", "B", 0, 0), ("C", "B", 0, 1), ("E", "B", 0, 1), ("B", "B", 0, 0)],
)
def test_new_grades_by_the_grade_before(before: str, now: str, new_a: int, new_b: int) -> None:
    rest = dict.fromkeys(BILAG_SYSTEMS, "D")
    facts = Record().grades(rest | {"renal": before}, INFUSION).grades(rest | {"renal": now}, VISIT)
    assert (one(facts, NEW_A), one(facts, NEW_B)) == ((new_a, new_a), (new_b, new_b))


def test_a_system_that_was_not_graded_may_have_a_new_grade() -> None:
    rest = dict.fromkeys(BILAG_SYSTEMS[1:], "D")
    facts = Record().grades(rest | {"renal": "C"}, INFUSION).grades(rest | {"renal": "B"}, VISIT)
    assert (one(facts, NEW_A), one(facts, NEW_B)) == ((0, 1), (1, 2))


def test_new_grades_need_an_instrument_that_has_the_grade() -> None:
    with pytest.raises(TrialFileError, match="no grade F"):
        one(Record(), feature("NewGrades", instrument="bilag2004", grade="F", since="baseline"))
    with pytest.raises(TrialFileError, match="pga has no items"):
        one(Record(), feature("NewItems", instrument="pga", since="baseline"))


# ---- results --------------------------------------------------------------------------------------------------------


def test_multiples_of_limits_and_of_the_baseline_are_exact() -> None:
    facts = Record()
    facts.result("alt", "1.4", INFUSION)
    facts.result("alt", "2.1", VISIT, uln=Decimal("0.7"), lln=Decimal("0.3"))
    found = [one(facts, value("alt", q)) for q in ("timesUpperLimit", "timesLowerLimit", "timesBaseline")]
    assert found == [(3, 3), (7, 7), (Fraction(3, 2), Fraction(3, 2))]


def test_a_multiple_without_its_limit_is_unknown() -> None:
    facts = Record()
    facts.result("alt", 50, VISIT, uln=Decimal(0))
    assert one(facts, value("alt", "timesUpperLimit")) == one(facts, value("alt", "timesLowerLimit")) == UNKNOWN
    assert one(facts, value("alt", "timesBaseline")) == UNKNOWN


def test_a_strict_comparator_survives_the_division() -> None:
    tiny = Decimal("1e-12")
    facts = Record()
    facts.result("alt", 120 + tiny, VISIT, high=None, uln=Decimal(40))
    lower, upper = one(facts, value("alt", "timesUpperLimit"))
    assert lower is not None and 3 < lower < 3 + Fraction(1, 10**11) and upper is None
    facts.result("alt", 40, INFUSION)
    assert one(facts, value("alt", "timesBaseline"))[0] > 3  # type: ignore[operator]


def test_several_tests_are_a_range_and_never_compared_across() -> None:
    both = ("egfrCkdEpi2021", "egfrMdrd")
    facts = Record()
    facts.result("egfrCkdEpi2021", 60, VISIT)
    facts.result("egfrMdrd", 70, VISIT)
    facts.result("egfrMdrd", 90, INFUSION)
    now, change = (
        feature("AssessedValue", test=both, quantity="value", **more) for more in ({}, {"since": "baseline"})
    )
    assert (one(facts, now), one(facts, change)) == ((60, 70), UNKNOWN)
    other = Record()
    other.result("egfrMdrd", 70, VISIT)
    other.result("egfrMdrd", 90, INFUSION)
    assert one(other, change) == (-20, -20)
    across = Record()
    across.result("egfrMdrd", 70, VISIT)
    across.result("egfrCkdEpi2021", 90, INFUSION)
    assert one(across, change) == UNKNOWN
    assert one(across, feature("AssessedValue", test=both, quantity="timesBaseline")) == UNKNOWN


@pytest.mark.parametrize(
    ("low", "positive", "uln", "expected"),
    [
        (None, True, None, (1, 1)),
        (None, False, None, (0, 0)),
        (31, None, 30, (1, 1)),
        (30, None, 30, (0, 0)),
        (31, None, None, UNKNOWN),
        (31, False, 30, UNKNOWN),
    ],
)
def test_positive_by_answer_or_by_the_upper_limit(
    low: int | None, positive: bool | None, uln: int | None, expected: Bound
) -> None:
    facts = Record()
    limit = None if uln is None else Decimal(uln)
    facts.result("antiDsDna", low, VISIT, positive=positive, uln=limit)
    assert one(facts, feature("AssessedPositive", test=("antiDsDna",))) == expected


def test_tests_that_disagree_on_the_nearest_day_leave_the_answer_open() -> None:
    wanted = feature("AssessedPositive", test=("antiDsDna", "antiDsDnaQual"))
    facts = Record()
    facts.result("antiDsDnaQual", None, VISIT, positive=True)
    facts.result("antiDsDna", 10, VISIT + days(1), uln=Decimal(30))
    assert one(facts, wanted) == (1, 1)
    facts.result("antiDsDna", 10, VISIT, uln=Decimal(30))
    assert one(facts, wanted) == UNKNOWN


def test_the_highest_value_is_from_the_day_of_the_event_to_the_visit() -> None:
    wanted = feature("HighestValue", test=("bodyTemperature",), anchor="infusion")
    facts = Record()
    facts.result("bodyTemperature", 40, INFUSION - days(1))
    facts.result("bodyTemperature", 41, VISIT + days(1))
    assert one(facts, wanted) == UNKNOWN
    facts.result("bodyTemperature", "38.5", INFUSION)
    facts.result("bodyTemperature", "37.1", VISIT)
    assert one(facts, wanted) == (Fraction("38.5"), Fraction("38.5"))
    facts.result("bodyTemperature", 39, (INFUSION - days(3), INFUSION + days(3)))
    assert one(facts, wanted) == (Fraction("38.5"), 39)


# ---- treatment ------------------------------------------------------------------------------------------------------

LONG_AGO = INFUSION - days(100)


def test_a_medicine_that_spans_both_days_is_no_change_where_medications_are_complete() -> None:
    facts = Record().medicine("azathioprine", LONG_AGO, dose=None)
    assert one(facts, TREATMENT) == UNKNOWN
    assert one(facts.complete(), TREATMENT) == (None, 0)


@pytest.mark.parametrize(("start", "changed"), [(VISIT, True), (VISIT - days(1), False)])
def test_a_medicine_begun_after_the_moment_is_a_change(start: dt.date, changed: bool) -> None:
    facts = Record().medicine("azathioprine", start).complete()
    assert one(facts, TREATMENT) == ((1, None) if changed else (None, 0))


@pytest.mark.parametrize(("dose", "expected"), [(150, (1, None)), (100, (None, 0)), (None, UNKNOWN)])
def test_a_new_record_of_a_medicine_is_a_change_where_the_dose_differs(dose: int | None, expected: Bound) -> None:
    new = None if dose is None else Decimal(dose)
    facts = Record().medicine("azathioprine", LONG_AGO, VISIT - days(1))
    facts.medicine("azathioprine", VISIT, dose=new).complete()
    assert one(facts, TREATMENT) == expected


def test_a_medicine_that_was_stopped_is_no_change_and_one_outside_the_set_neither() -> None:
    facts = Record().medicine("azathioprine", LONG_AGO, VISIT - days(1)).medicine("prednisone", VISIT).complete()
    assert one(facts, TREATMENT) == (None, 0)


def test_an_order_is_no_proof_of_a_change_and_keeps_it_open() -> None:
    assert one(Record().medicine("azathioprine", VISIT, taken="ordered").complete(), TREATMENT) == UNKNOWN


def test_a_class_that_may_be_the_new_medicine_keeps_the_change_open() -> None:
    facts = Record().medicine("atc:L04AX", LONG_AGO).medicine("azathioprine", VISIT).complete()
    assert one(facts, TREATMENT) == UNKNOWN


def test_without_a_moment_to_compare_with_only_no_medicine_is_no_change() -> None:
    assert one(Record().complete(), TREATMENT, without=["previous"]) == (None, 0)
    assert one(Record(), TREATMENT, without=["previous"]) == UNKNOWN
    facts = Record().medicine("azathioprine", LONG_AGO).complete()
    assert one(facts, TREATMENT, without=["previous"]) == UNKNOWN


# ---- items from results ---------------------------------------------------------------------------------------------


def proposed(facts: Record, item: str, total: str = "sledai2k") -> bool | None:
    states = builder([facts.facts], []).items([ask()], total, FeatureOptions())
    return next(state.derived for state in states if state.item == item)


@pytest.mark.parametrize(
    ("test", "value", "item", "answer"),
    [
        ("platelets", "99.9", "thrombocytopenia", True),
        ("platelets", 100, "thrombocytopenia", False),
        ("leukocytes", "2.99", "leukopenia", True),
        ("leukocytes", 3, "leukopenia", False),
        ("urineProtein24h", "0.51", "proteinuria", True),
        ("urineProtein24h", "0.5", "proteinuria", False),
        ("urineRbcHpf", 6, "hematuria", True),
        ("urineRbcHpf", 5, "hematuria", False),
        ("urineWbcHpf", 6, "pyuria", True),
        ("urineWbcHpf", 5, "pyuria", False),
        ("bodyTemperature", "38.1", "fever", True),
        ("bodyTemperature", 38, "fever", False),
        ("antiDsDna", 31, "increasedDNABinding", True),
        ("antiDsDna", 30, "increasedDNABinding", False),
    ],
)
def test_results_propose_items_at_their_thresholds(test: str, value: str | int, item: str, answer: bool) -> None:
    facts = Record()
    facts.result(test, value, VISIT, uln=Decimal(30))
    facts.result(test, 0, INFUSION, uln=Decimal(30))
    assert [proposed(facts, item, total) for total in ("sledai2k", "selenaSledai")] == [answer, answer]


def test_complement_is_low_by_either_test_and_normal_by_both() -> None:
    facts = Record()
    facts.result("c3", 1, VISIT, lln=Decimal("0.9"))
    assert proposed(facts, "lowComplement") is None
    facts.result("c4", "0.1", VISIT, lln=Decimal("0.1"))
    assert proposed(facts, "lowComplement") is False
    facts.result("c4", "0.09", VISIT - days(30), lln=Decimal("0.1"))
    assert proposed(facts, "lowComplement") is True


@pytest.mark.parametrize(("total", "window"), [("sledai2k", 30), ("selenaSledai", 10)])
def test_results_propose_within_the_window_of_the_instrument(total: str, window: int) -> None:
    inside, outside, later = Record(), Record(), Record()
    inside.result("platelets", 50, VISIT - days(window))
    outside.result("platelets", 50, VISIT - days(window + 1))
    later.result("platelets", 50, VISIT + days(1))
    assert [proposed(facts, "thrombocytopenia", total) for facts in (inside, outside, later)] == [True, None, None]


@pytest.mark.parametrize(
    ("before", "now", "answer"),
    [("0.2", "0.71", True), ("0.2", "0.7", False), ("2", "2", False), (None, "2", None), (None, "0.5", False)],
)
def test_selena_proteinuria_must_have_risen(before: str | None, now: str, answer: bool | None) -> None:
    facts = Record()
    facts.result("urineProtein24h", now, VISIT)
    if before is not None:
        facts.result("urineProtein24h", before, INFUSION)
    assert proposed(facts, "proteinuria", "selenaSledai") is answer


def test_a_vague_date_that_may_lie_in_the_window_keeps_an_absent_item_open() -> None:
    facts = Record()
    facts.result("platelets", 200, VISIT)
    facts.result("platelets", 50, (VISIT - days(60), VISIT - days(20)))
    assert proposed(facts, "thrombocytopenia") is None


def test_proposals_fill_only_items_that_were_not_recorded() -> None:
    facts = Record().items(["arthritis"], absent=["thrombocytopenia", "seizure"])
    facts.result("platelets", 50, VISIT)
    facts.result("leukocytes", 2, VISIT)
    assert one(facts, score()) == (4, 105 - 9)
    assert one(facts, score(), derive=True) == (5, 105 - 9)


def test_results_alone_make_no_assessment() -> None:
    facts = Record()
    facts.result("platelets", 50, VISIT)
    assert one(facts, score(), derive=True) == UNKNOWN


def test_a_recorded_total_goes_before_proposals_that_contradict_it() -> None:
    facts = Record()
    facts.result("sledai2kTotal", 0, VISIT)
    facts.result("platelets", 50, VISIT)
    assert one(facts, score(), derive=True) == (0, 0)


def test_item_states_tell_the_recorded_from_the_proposed() -> None:
    facts = Record().items(["arthritis"], absent=["thrombocytopenia"])
    platelets = facts.result("platelets", 50, VISIT - days(2))
    states = builder([facts.facts], []).items([ask(7)], "sledai2kTotal", FeatureOptions())
    found = {state.item: state for state in states}
    assert [state.item for state in states] == sorted(found) and len(found) == 24
    recorded = {record["test"]: record["record"] for record in facts.facts["measurement"]}
    item = recorded["sledai2k:thrombocytopenia"]
    assert found["thrombocytopenia"] == ItemState(7, "thrombocytopenia", False, True, (item,), (platelets,))
    assert found["arthritis"] == ItemState(7, "arthritis", True, None, (recorded["sledai2k:arthritis"],), ())
    assert found["rash"] == ItemState(7, "rash", None, None, (), ())


def test_records_that_decided_are_named_in_order() -> None:
    facts = Record()
    late, early = facts.result("pga", 1, VISIT), facts.result("pga", 2, INFUSION)
    facts.result("pga", 3, VISIT + days(5))
    wanted = score("pga", since="baseline")
    values = builder([facts.facts], [wanted]).compute([ask()], {TRIAL: [wanted]}, FeatureOptions())
    assert [value.records for value in values] == [tuple(sorted([late, early]))]
