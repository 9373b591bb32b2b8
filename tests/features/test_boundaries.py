"""The days, doses and limits on which a feature turns, from FHIR records to bounds."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import pytest

from caselib import (
    NEGATIVE,
    ON,
    ORAL,
    POSITIVE,
    Facts,
    ago,
    biopsy,
    complete,
    diagnosis,
    drug,
    given,
    lab,
    observation,
    order,
    person,
    procedure,
    result,
    said,
    score,
    vaccine,
)
from features.naive_facts import Bound
from features.real import bounds, feature
from sle_kg.conditions import months_as_days
from sle_kg.criteria import Feature, Leaf
from sle_kg.evaluate import compare
from sle_kg.features import EventDate

UNKNOWN = (None, None)
YES, NO = (1, None), (None, 0)
CREATININE = feature("Measurement", quantity="value", test=("serumCreatinine",), validFor="result")
PREDNISONE = feature("DailyDose", equivalence="prednisone", perKilogram=False, valueSet=("Glucocorticoid",))
HIGH_DOSE = feature(
    "DoseDuration",
    dailyDose=Decimal(100),
    equivalence="prednisone",
    lookback="P56D",
    perKilogram=False,
    valueSet=("Glucocorticoid",),
)
PREDNISONE_CODE, HCQ, IVIG, TOFACITINIB = "atc:H02AB07", "atc:P01BA02", "atc:J06BA02", "atc:L04AF01"


def times_limit(test: str) -> Feature:
    return feature("Measurement", quantity="timesUpperLimit", test=(test,), validFor="result")


def within(kind: str, value_set: str, lookback: str) -> Feature:
    when = {} if kind == "Immunization" else {"when": "within"}
    return feature(kind, anchor="screening", lookback=lookback, valueSet=(value_set,), **when)


def one(facts: Facts, wanted: Feature, on: dt.date = ON, **options: object) -> Bound:
    return bounds({"patient": facts}, wanted, on, **options)["patient"]  # type: ignore[arg-type,return-value]


# ---- age of results -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "make", "days"),
    [
        (CREATININE, lambda day: lab("creatinine", 1, "mg/dL", on=day), 28),
        (feature("Score", instrument="pga", validFor="result"), lambda day: score("pga", 1, day), 28),
        (
            feature("Measurement", quantity="value", test=("bodyWeight",), validFor="weight"),
            lambda day: lab("weight", 1, "kg", on=day),
            90,
        ),
        (
            feature("PositiveTest", test=("hbsAg",), validFor="serology"),
            lambda day: result("hbsAg", POSITIVE, day),
            90,
        ),
        (
            feature("PositiveTest", test=("antiDsDnaQual",), validFor="autoantibody"),
            lambda day: result("dsDnaQual", POSITIVE, day),
            90,
        ),
        (
            feature("PositiveTest", test=("hcgSerumQual",), validFor="pregnancyTest"),
            lambda day: result("hcgSerum", POSITIVE, day),
            14,
        ),
    ],
)
def test_a_result_serves_to_its_last_day(wanted: Feature, make, days: int) -> None:  # type: ignore[no-untyped-def]
    found = bounds({"last": [make(ago(days))], "older": [make(ago(days + 1))]}, wanted)
    assert found["last"][0] == 1
    assert found["older"] == UNKNOWN


def test_a_negative_pregnancy_test_of_14_days_shows_no_pregnancy_and_one_of_15_nothing() -> None:
    wanted = feature("Pregnancy", validFor="pregnancyTest")
    patients = {str(days): [result("hcgUrine", NEGATIVE, ago(days))] for days in (14, 15)}
    assert bounds(patients, wanted) == {"14": NO, "15": UNKNOWN}


def test_the_latest_value_wins_and_values_of_one_day_form_a_range() -> None:
    old, new = lab("creatinine", 1, "mg/dL", on=ago(3)), lab("creatinine", 2, "mg/dL", on=ago(2))
    again = lab("creatinine", 3, "mg/dL", on=ago(2))
    month = lab("creatinine", 4, "mg/dL", on="2026-11")
    found = bounds({"two": [old, new], "same day": [old, new, again], "month": [old, new, month]}, CREATININE)
    assert found == {"two": (2, 2), "same day": (2, 3), "month": (2, 4)}


def test_a_result_of_the_month_of_screening_is_dated_up_to_screening() -> None:
    in_month = [lab("creatinine", 1, "mg/dL", on="2026-11")]
    assert one(in_month, CREATININE) == (1, 1)
    assert one(in_month, CREATININE, dt.date(2026, 12, 1)) == UNKNOWN


# ---- exact ties with the upper limit of normal ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "limit", "times"),
    [("2.1", "0.7", 3), ("1.4", "0.7", 2), ("0.3", "0.1", 3), (105, 35, 3), ("3.9", "1.3", 3), ("6.6", "2.2", 3)],
)
def test_a_multiple_of_the_upper_limit_is_exact(value: str | int, limit: str | int, times: int) -> None:
    assert one([lab("alt", value, "U/L", uln=limit)], times_limit("alt")) == (times, times)


def test_just_above_and_below_the_multiple() -> None:
    above, below = (one([lab("alt", value, "U/L", uln="0.7")], times_limit("alt")) for value in ("2.1001", "2.0999"))
    assert above[0] > 3 > below[1]


def test_no_upper_limit_and_open_comparators() -> None:
    patients = {
        "none": [lab("alt", 20, "U/L")],
        "over": [lab("alt", 120, "U/L", uln=40, comparator=">")],
        "under": [lab("alt", 120, "U/L", uln=40, comparator="<")],
    }
    found = bounds(patients, times_limit("alt"))
    assert found["none"] == UNKNOWN
    assert found["over"][0] > 3 and found["over"][1] is None
    assert found["under"][1] < 3


# ---- birthdays ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("born", "on", "age"),
    [
        ("2008-11-21", "2026-11-21", (18, 18)),
        ("2008-11-22", "2026-11-21", (17, 17)),
        ("2008-02-29", "2026-02-28", (17, 17)),
        ("2008-02-29", "2026-03-01", (18, 18)),
        ("2008-02-29", "2028-02-29", (20, 20)),
        ("2008-11", "2026-11-21", (17, 18)),
        ("2008", "2026-12-31", (18, 18)),
        ("1965-11-22", "2026-11-21", (60, 60)),
    ],
)
def test_completed_years(born: str, on: str, age: Bound) -> None:
    assert one([person(born)], feature("Age", anchor="screening"), dt.date.fromisoformat(on)) == age


def test_age_is_that_at_consent() -> None:
    events = {"consent": EventDate(dt.date(2026, 11, 20), dt.date(2026, 11, 20), record="Consent/c")}
    assert one([person("2008-11-21")], feature("Age", anchor="consent"), events=events) == (17, 17)


# ---- look-back windows ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "make", "days", "section"),
    [
        (within("Exposure", "ivig", "P14D"), lambda day: given(IVIG, day), 14, "medications"),
        (
            within("Procedure", "plasmapheresisAny", "P14D"),
            lambda day: procedure("local:plasmapheresis", day),
            14,
            "procedures",
        ),
        (
            within("Procedure", "transfusionAny", "P56D"),
            lambda day: procedure("local:transfusion", day),
            56,
            "procedures",
        ),
        (
            within("Immunization", "liveVaccineAny", "P28D"),
            lambda day: vaccine("local:liveVaccine", day),
            28,
            "immunizations",
        ),
        (
            within("Diagnosis", "suicidalBehaviorAny", "P56D"),
            lambda day: diagnosis("local:suicidalBehavior", ago(700), day),
            56,
            "conditions",
        ),
    ],
)
def test_a_window_is_closed(wanted: Feature, make, days: int, section: str) -> None:  # type: ignore[no-untyped-def]
    patients = {
        "last day": [make(ago(days)), complete(section)],
        "day before": [make(ago(days + 1)), complete(section)],
        "not complete": [make(ago(days + 1))],
        "complete too early": [make(ago(days + 1)), complete(section, on=ago(1))],
        "after screening": [make(ago(-1)), complete(section)],
    }
    if section == "conditions":
        del patients["after screening"]
    found = bounds(patients, wanted)
    assert found.pop("last day") == YES
    assert found.pop("day before") == NO
    assert found.pop("not complete") == UNKNOWN == found.pop("complete too early")
    assert set(found.values()) <= {NO}


@pytest.mark.parametrize(
    ("on", "lookback", "first"),
    [
        ("2026-08-31", "P6M", "2026-02-28"),
        ("2025-08-31", "P6M", "2025-02-28"),
        ("2028-08-30", "P6M", "2028-02-29"),
        ("2028-02-29", "P1Y", "2027-02-28"),
        ("2026-11-21", "P6M", "2026-05-21"),
    ],
)
def test_months_and_years_are_calendar_and_clamped(on: str, lookback: str, first: str) -> None:
    day, wanted = dt.date.fromisoformat(first), within("Exposure", "ivig", lookback)
    patients = {
        "first": [given(IVIG, first), complete("medications", on=on)],
        "before": [given(IVIG, str(day - dt.timedelta(days=1))), complete("medications", on=on)],
    }
    assert bounds(patients, wanted, dt.date.fromisoformat(on)) == {"first": YES, "before": NO}


def test_a_partial_date_that_straddles_the_window_leaves_it_open() -> None:
    """The window of 14 days begins on 7 November."""
    wanted = within("Exposure", "ivig", "P14D")
    patients = {
        "october": [drug(IVIG, "2026-10", "2026-10"), complete("medications")],
        "november": [drug(IVIG, "2026-11", "2026-11"), complete("medications")],
        "year": [drug(IVIG, "2026", "2026"), complete("medications")],
        "from october into the window": [drug(IVIG, "2026-10", ago(7)), complete("medications")],
        "completed, no end": [drug(IVIG, "2026-10-01", status="completed"), complete("medications")],
        "completed, begun in the window": [drug(IVIG, ago(7), status="completed"), complete("medications")],
    }
    assert list(bounds(patients, wanted).values()) == [NO, UNKNOWN, UNKNOWN, YES, UNKNOWN, YES]


def test_a_biopsy_is_no_older_than_six_months() -> None:
    wanted = feature("BiopsyAge", lookback="P6M")
    patients = {
        "last day": biopsy("2026-05-21", "IV"),
        "older": [biopsy("2026-05-20", "IV"), complete("procedures")],
        "older, not complete": biopsy("2026-05-20", "IV"),
    }
    assert bounds(patients, wanted) == {"last day": YES, "older": NO, "older, not complete": UNKNOWN}
    assert one(biopsy("2026-05-21", "IV"), wanted, later=1, repeat=True) == UNKNOWN


def test_24_weeks_since_the_diagnosis() -> None:
    wanted = feature("DaysSinceDiagnosis", anchor="consent", classificationSet="acr1997", diagnosis="sleDiagnosis")
    sle = "icd:M32.9"
    patients = {
        "own record": [said("acr1997", on=ago(168)), diagnosis(sle, recorded=ago(10))],
        "recorded": [diagnosis(sle, onset=ago(900), recorded=ago(167))],
        "onset alone": [diagnosis(sle, onset=ago(168))],
        "june": [diagnosis(sle, recorded="2026-06")],
    }
    found = bounds(patients, wanted)
    assert found["own record"] == (168, 168)
    assert found["recorded"] == (167, 167)
    assert found["onset alone"] == (None, 168)
    assert found["june"] == (144, 173)


# ---- durations of treatment -----------------------------------------------------------------------------------------

TOTAL = {"counting": "difference", "gap": "PT0S", "measure": "total"}


@pytest.mark.parametrize(("days", "met"), [(88, False), (89, None), (91, None), (92, True)])
def test_three_months_without_an_anchor_are_89_to_92_days(days: int, met: bool | None) -> None:
    wanted = feature("TreatmentDuration", valueSet=("hydroxychloroquine",), **TOTAL)
    lower, upper = one([drug(HCQ, ago(400), ago(400 - days)), complete("medications")], wanted)
    assert (lower, upper) == (days, days)
    fewest, most = months_as_days("P3M")
    leaf = Leaf("leaf", wanted, ">=", Decimal(most), Decimal(fewest), "d")
    assert compare(leaf, (Decimal(int(lower)), Decimal(int(upper)))) is met


@pytest.mark.parametrize(
    ("parameters", "gap", "joined"),
    [
        ({"gap": "P7D", "measure": "longestRun", "counting": "difference"}, 7, True),
        ({"gap": "P7D", "measure": "longestRun", "counting": "difference"}, 8, False),
        ({"gap": "P30D", "measure": "longestRun", "counting": "difference"}, 30, True),
        ({"gap": "P30D", "measure": "longestRun", "counting": "difference"}, 31, False),
        ({"gap": "PT0S", "measure": "longestRun", "counting": "difference"}, 1, True),
        ({"gap": "PT0S", "measure": "longestRun", "counting": "difference"}, 2, False),
    ],
)
def test_gaps_between_courses(parameters: dict[str, str], gap: int, joined: bool) -> None:
    wanted = feature("TreatmentDuration", valueSet=("hydroxychloroquine",), **parameters)
    courses = [drug(HCQ, ago(200), ago(100)), drug(HCQ, ago(100 - gap), ago(50 - gap))]
    lower, _ = one(courses, wanted)
    assert lower == (150 + gap if joined else 100)


@pytest.mark.parametrize(("ended", "days"), [(7, 100), (8, 0)])
def test_a_run_reaches_screening_when_it_ended_at_most_the_gap_before(ended: int, days: int) -> None:
    wanted = feature(
        "TreatmentDuration",
        counting="difference",
        gap="P7D",
        measure="runToScreening",
        valueSet=("standardLupusTreatment",),
    )
    assert one([drug(HCQ, ago(100 + ended), ago(ended)), complete("medications")], wanted) == (days, days)


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [(13, 0, 14), (12, 0, 13), (69, 56, 14), (68, 56, 13), (70, 57, 0), (90, 50, 41)],
)
def test_high_dose_days_count_first_and_last_and_in_full(start: int, end: int, days: int) -> None:
    """E02c: 14 days at 100 mg, in a course that overlaps the 56 days before screening."""
    facts = [drug(PREDNISONE_CODE, ago(start), ago(end), dose=100, route=ORAL), complete("medications")]
    assert one(facts, HIGH_DOSE) == (days, days)


def test_a_dose_just_below_the_limit_does_not_count_and_two_drugs_add_up() -> None:
    below = [drug(PREDNISONE_CODE, ago(20), ago(1), dose="99.9"), complete("medications")]
    both = [
        drug(PREDNISONE_CODE, ago(30), ago(10), dose=60),
        drug("atc:H02AB04", ago(20), ago(1), dose=32),
        complete("medications"),
    ]
    assert bounds({"below": below, "both": both}, HIGH_DOSE) == {"below": (0, 0), "both": (11, 11)}


def test_a_medicine_of_unknown_dose_may_be_at_the_dose_on_its_own_days() -> None:
    """Also before the window, where it lengthens a course that reaches into it."""
    before = [drug(PREDNISONE_CODE, ago(70), ago(57)), drug(PREDNISONE_CODE, ago(56), ago(50), dose=100)]
    short = [drug(PREDNISONE_CODE, ago(20), ago(18)), complete("medications")]
    found = bounds({"before": [*before, complete("medications")], "short": short}, HIGH_DOSE)
    assert found == {"before": (7, 21), "short": (0, 3)}


# ---- doses ----------------------------------------------------------------------------------------------------------


def test_an_order_only_widens() -> None:
    taken, ordered = drug(PREDNISONE_CODE, ago(30), dose=5), order(PREDNISONE_CODE, ago(30), dose=20)
    patients = {
        "order": [ordered, complete("medications")],
        "both": [taken, ordered, complete("medications")],
        "both, not complete": [taken, ordered],
    }
    assert bounds(patients, PREDNISONE) == {"order": (0, 20), "both": (5, 25), "both, not complete": (5, None)}
    ever = feature("Exposure", valueSet=("Glucocorticoid",), when="ever")
    assert one(patients["order"], ever) == UNKNOWN


def test_local_products_and_future_medicines_do_not_count() -> None:
    future = drug(PREDNISONE_CODE, ago(-1), dose=20)
    topical = drug("atc:D07AA03", ago(30), dose=20)
    assert one([future, topical, complete("medications")], PREDNISONE) == (0, 0)


def test_a_year_of_a_dose_proves_that_it_was_taken() -> None:
    wanted = feature(
        "HighestDose", equivalence="prednisone", perKilogram=False, valueSet=("Glucocorticoid",), when="ever"
    )
    vague = [drug(PREDNISONE_CODE, "2019", "2019", dose=60)]
    undated = [drug(PREDNISONE_CODE, None, status="completed", dose=60)]
    assert bounds({"year": vague, "undated": undated}, wanted) == {"year": (60, None), "undated": (60, None)}


def test_the_weight_inside_the_interval_and_the_latest_of_them_is_that_of_the_present_dose() -> None:
    wanted = feature("DailyDose", equivalence="none", perKilogram=True, valueSet=("azathioprine",))
    dose = drug("atc:L04AX01", ago(30), dose=90)
    before, early, late = (lab("weight", kg, "kg", on=ago(day)) for kg, day in ((45, 31), (60, 20), (75, 10)))
    patients = {"inside": [dose, before, early], "latest": [dose, before, early, late], "before": [dose, before]}
    found = {name: low for name, (low, _) in bounds(patients, wanted).items()}
    assert found == {"inside": Fraction(3, 2), "latest": Fraction(6, 5), "before": 2}
    old = lab("weight", 60, "kg", on=ago(30 + 366))
    assert one([dose, old], wanted) == (0, None)
    assert one([dose, lab("weight", 60, "kg", on=ago(30 + 365))], wanted) == (Fraction(3, 2), None)


def test_cumulative_dose_counts_pulses_by_the_calendar_of_the_course() -> None:
    wanted = feature("CumulativeDose", route="intravenous", valueSet=("cyclophosphamide",))
    intravenous = "sct:47625008"
    every_two_weeks = drug("atc:L01AA01", ago(200), ago(130), dose=500, days=14, route=intravenous)
    single = [given("atc:L01AA01", ago(100 - 14 * n), dose=500, route=intravenous) for n in range(3)]
    month = given("atc:L01AA01", "2026-05", dose=750, route=intravenous)
    patients = {"course": [every_two_weeks], "single": single, "month": [month]}
    assert {name: low for name, (low, _) in bounds(patients, wanted).items()} == {
        "course": 3000,
        "single": 1500,
        "month": 750,
    }


# ---- completeness, unmapped records ---------------------------------------------------------------------------------


def test_an_unmapped_record_keeps_its_section_open() -> None:
    ever = feature("Exposure", valueSet=("BTKInhibitor",), when="ever")
    unmapped = drug("sct:999999999", ago(10), display="something")
    patients = {
        "closed": complete("medications"),
        "unmapped": [unmapped, complete("medications")],
        "unmapped after screening": [drug("sct:999999999", ago(-3)), complete("medications")],
        "other section": [procedure("sct:999999999", ago(10)), complete("medications")],
    }
    assert list(bounds(patients, ever).values()) == [NO, UNKNOWN, NO, NO]


def test_completeness_is_renewed_on_later_days_and_results_are_repeated_at_their_age() -> None:
    ever = feature("Exposure", valueSet=("BTKInhibitor",), when="ever")
    assert one(complete("medications"), ever, later=300) == NO
    assert one(complete("medications", on=ago(1)), ever, later=300) == UNKNOWN
    facts = [lab("creatinine", 1, "mg/dL", on=ago(28))]
    assert one(facts, CREATININE, later=1) == UNKNOWN
    assert one(facts, CREATININE, later=300, repeat=True) == (1, 1)
    assert one([lab("creatinine", 1, "mg/dL", on=ago(29))], CREATININE, later=300, repeat=True) == UNKNOWN


def test_a_planned_anchor_can_be_violated_but_not_met() -> None:
    """Rule 6: recorded facts can make a look-back row fail, absence cannot make it pass."""
    wanted = feature(
        "Exposure", anchor="leukapheresis", lookback="P28D", valueSet=("investigationalLupusProduct",), when="within"
    )
    planned = {"leukapheresis": EventDate(ON + dt.timedelta(days=7), ON + dt.timedelta(days=7))}
    past = {"leukapheresis": EventDate(ON, ON)}
    nothing = complete("medications")
    assert one(nothing, wanted, events=planned) == UNKNOWN
    assert one(nothing, wanted, events=past) == NO
    assert one(nothing, wanted, events={}) == UNKNOWN
    surgery = feature(
        "Procedure", anchor="leukapheresis", lookback="P28D", valueSet=("majorSurgeryAny",), when="within"
    )
    patients = {str(days): [procedure("local:majorSurgery", ago(days)), complete("procedures")] for days in (21, 22)}
    assert bounds(patients, surgery, events=planned) == {"21": YES, "22": UNKNOWN}


# ---- diagnoses ------------------------------------------------------------------------------------------------------


def test_a_refutation_decides_until_a_later_record_says_otherwise() -> None:
    wanted = feature("Diagnosis", valueSet=("sleDiagnosis",), when="ever")
    refuted = diagnosis("icd:M32", verification="refuted", recorded=ago(50))
    patients = {
        "refuted": [refuted],
        "older": [refuted, diagnosis("icd:M32.9", recorded=ago(51))],
        "same day": [refuted, diagnosis("icd:M32.9", recorded=ago(50))],
        "later": [refuted, diagnosis("icd:M32.9", recorded=ago(49))],
        "later suspicion": [refuted, diagnosis("icd:M32.9", verification="provisional", recorded=ago(49))],
        "narrower": [diagnosis("icd:M32.14", verification="refuted", recorded=ago(50))],
    }
    assert list(bounds(patients, wanted).values()) == [NO, NO, UNKNOWN, YES, UNKNOWN, UNKNOWN]


def test_a_refuted_dependence_on_dialysis_does_not_undo_a_recorded_dialysis() -> None:
    wanted = within("Procedure", "hemodialysisAny", "P14D")
    refuted = diagnosis("icd:Z99.2", verification="refuted", recorded=ago(5))
    patients = {
        "refuted": [refuted],
        "done": [refuted, procedure("local:hemodialysis", ago(10))],
        "done before": [refuted, procedure("local:hemodialysis", ago(15))],
        "undated": [refuted, procedure("local:hemodialysis", None)],
    }
    assert list(bounds(patients, wanted).values()) == [NO, YES, NO, UNKNOWN]


def test_a_condition_had_begun_when_it_was_recorded() -> None:
    """The window of 56 days begins on 26 September."""
    wanted = within("Diagnosis", "suicidalBehaviorAny", "P56D")
    patients = {
        "year, recorded before": [diagnosis("local:suicidalBehavior", "2026", ago(20), recorded=ago(100))],
        "year, over before": [diagnosis("local:suicidalBehavior", "2026", ago(57)), complete("conditions")],
        "vague end": [diagnosis("local:suicidalBehavior", "2026-01-01", "2026-09"), complete("conditions")],
        "recorded, no dates": [diagnosis("local:suicidalBehavior", recorded=ago(200))],
        "resolved, no end": [diagnosis("local:suicidalBehavior", ago(100), clinical="resolved")],
    }
    assert list(bounds(patients, wanted).values()) == [YES, NO, UNKNOWN, YES, UNKNOWN]


def test_episodes_with_vague_dates_may_be_one() -> None:
    wanted = feature("DiagnosisCount", valueSet=("suicidalBehaviorAny",))
    first, second, vague = (diagnosis("local:suicidalBehavior", day) for day in ("2020-05-01", "2021-05-01", "2020"))
    found = bounds({"one": [first], "two": [first, second], "vague": [first, vague, complete("conditions")]}, wanted)
    assert found == {"one": (1, None), "two": (2, None), "vague": (1, 2)}


# ---- scores, room air -----------------------------------------------------------------------------------------------


def test_score_items_count_together_only_on_one_date() -> None:
    wanted = feature("Score", instrument="sledai2kTotal", validFor="result")
    split = [said("sledai2k:arthritis", on=ago(3)), said("sledai2k:rash", on=ago(2))]
    agrees = [score("sledai2kTotal", 8, ago(2)), said("sledai2k:rash", on=ago(2))]
    less = [score("sledai2kTotal", 1, ago(2)), said("sledai2k:rash", on=ago(2))]
    found = bounds({"split": split, "agrees": agrees, "less": less}, wanted)
    assert found == {"split": (2, 105), "agrees": (8, 8), "less": (1, 2)}


def test_another_instrument_serves_only_where_the_reading_allows_it() -> None:
    strict = feature("Score", instrument="selenaSledaiTotal", validFor="result")
    wide = feature("Score", alsoAccepts="sledai2kTotal", instrument="selenaSledaiTotal", validFor="result")
    other = [score("sledai2kTotal", 9)]
    both = [score("sledai2kTotal", 9), score("selenaSledaiTotal", 5, ago(20))]
    stale = [score("sledai2kTotal", 9), score("selenaSledaiTotal", 5, ago(29))]
    found = bounds({"other": other, "both": both, "stale": stale}, [strict, wide])
    assert found == {"other": [UNKNOWN, (9, 9)], "both": [(5, 5), (5, 5)], "stale": [UNKNOWN, (9, 9)]}


def test_room_air_is_stated_on_the_day_of_the_saturation() -> None:
    wanted = feature("RoomAir")
    saturation = lab("spo2", 95, "%", on=ago(5))
    patients = {
        "same day": [saturation, said("supplementalOxygen", False, ago(5))],
        "on oxygen": [saturation, said("supplementalOxygen", True, ago(5))],
        "next day": [saturation, said("supplementalOxygen", False, ago(4))],
    }
    assert list(bounds(patients, wanted).values()) == [YES, NO, UNKNOWN]
    assert one(patients["same day"], wanted, later=40, repeat=True) == YES


def test_the_highest_ideation_of_six_months_needs_an_assessment_at_screening() -> None:
    wanted = feature("HighestScore", instrument="cssrsIdeation", lookback="P6M")
    patients = {
        "now": [score("cssrsIdeation", 0, ago(3))],
        "earlier": [score("cssrsIdeation", 2, "2026-05-21"), score("cssrsIdeation", 0, ago(3))],
        "too early": [score("cssrsIdeation", 2, "2026-05-20"), score("cssrsIdeation", 0, ago(3))],
        "none at screening": [score("cssrsIdeation", 0, ago(29))],
    }
    assert list(bounds(patients, wanted).values()) == [(0, 0), (2, 2), (0, 0), (0, None)]


def test_a_viral_load_without_comparator_is_quantified() -> None:
    wanted = feature("Quantified", test=("cmvDna",), validFor="serology")
    patients = {
        "number": [lab("cmvDna", 20, "[IU]/mL")],
        "below": [lab("cmvDna", 20, "[IU]/mL", comparator="<")],
        "none": [observation("cmvDna", ago(6), dataAbsentReason={"text": "not done"})],
    }
    assert list(bounds(patients, wanted).values()) == [YES, NO, UNKNOWN]


# ---- absurd values --------------------------------------------------------------------------------------------------


def test_absurd_numbers_are_unknown_never_a_crash_and_leave_others_alone() -> None:
    every = [
        CREATININE,
        PREDNISONE,
        HIGH_DOSE,
        times_limit("alt"),
        feature("CreatinineClearance", validFor="result"),
        feature("CumulativeDose", route="intravenous", valueSet=("cyclophosphamide",)),
        feature("DailyDose", equivalence="none", perKilogram=True, valueSet=("azathioprine",)),
    ]
    huge, tiny = "10000000000000", "0.000000000001"
    sick = [
        person("1976-01-15", "male"),
        lab("creatinine", tiny, "mg/dL"),
        lab("weight", huge, "kg"),
        lab("alt", huge, "U/L", uln=tiny),
        drug(PREDNISONE_CODE, ago(30), dose=huge, times=9),
        drug("atc:L01AA01", ago(30), dose=huge, days=1, route="sct:47625008"),
        drug("atc:L04AX01", ago(30), dose=huge),
    ]
    sound = [person("1976-01-15", "male"), lab("weight", 60, "kg"), lab("creatinine", "1.25", "mg/dL")]
    found = bounds({"sick": sick, "sound": sound}, every)
    assert found["sound"][4] == (60, 60)
    assert found["sick"][3] == UNKNOWN
