"""Outcomes of the two trials over time: what the command line tells an outsider, with numbers worked by hand."""

import json

import pytest

from followup.contract import (
    MEDDRA,
    TRIAL_MALAYSIA,
    TRIAL_WUHAN,
    Patient,
    coding,
    later,
    outcomes,
    table,
    write,
)
from test_cli import run

INFUSION = "2026-01-10"
RESULT_KEYS = {
    "id",
    "timePoint",
    "date",
    "value",
    "result",
    "change",
    "unit",
    "definition",
    "reason",
    "evidence",
    "missing",
}
COHORT_KEYS = {
    "id", "timePoint", "infused", "evaluable", "reached", "proportionOfEvaluable", "ci95", "proportionOfInfused",
    "mean", "median", "range",
}  # fmt: skip
WEEKS = [4, 8, 12, 16, 20, 24, 28]
MONTHS = [1, 3, 6, 9, 12, 15, 18, 21, 24]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("contract")


def week(number):
    """The day that lies so many weeks after the infusion."""
    return later(INFUSION, 7 * number)


def assessed(one, day, present="", pga=0.4, fatigue=None):
    """A visit with all items and the global assessment."""
    one.items(day, present).number("pga", day, pga)
    return one.number("facitFatigue", day, fatigue) if fatigue is not None else one


def infused(name, dose=5):
    """A patient infused on the one day, active at baseline, on prednisolone, with complete medicines."""
    one = assessed(Patient(name).infused(INFUSION), INFUSION, "arthritis rash", 2, 20)
    return one.takes("8638", dose, "2025-01-01").complete("medications", "2028-12-31")


def of(report, patient, outcome, point, definition=""):
    """The one result of a patient with this id, time point and words of definition."""
    [one] = [p for p in report["patients"] if p["patient"] == patient]
    found = [
        r for r in one["results"] if (r["id"], r["timePoint"]) == (outcome, point) and definition in r["definition"]
    ]
    assert found, f"no {outcome} at {point}"
    return found[0]


def cohort_of(report, outcome, point, definition=""):
    return next(
        row
        for row in report["cohort"]
        if (row["id"], row["timePoint"]) == (outcome, point) and definition in row["definition"]
    )


# ---- scheduled weeks ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def malaysia(folder):
    """Six patients whose visits lie on, near, between and outside the scheduled weeks."""
    on_time, near, two, missed, none, sick = (
        infused(name) for name in ("on time", "near", "two", "missed", "none", "sick")
    )
    for number in WEEKS:
        assessed(on_time, week(number), "lowComplement" if number > 8 else "", fatigue=30 + number)
        assessed(sick, week(number), "arthritis", 1, fatigue=20)
    assessed(near, later(week(4), -14), "arthritis", fatigue=22)
    assessed(near, later(week(12), 13), "", fatigue=24)
    assessed(two, later(week(4), -3), "arthritis", fatigue=25)
    assessed(two, later(week(4), 2), "", fatigue=40)
    assessed(two, later(week(8), -4), "rash", fatigue=26)
    assessed(two, later(week(8), 4), "", fatigue=41)
    assessed(missed, week(4), "", fatigue=35)
    assessed(missed, week(12), "", fatigue=36)
    return outcomes(folder, TRIAL_MALAYSIA, [on_time, near, two, missed, none, sick])


def test_top_level_keys(malaysia):
    assert {"trial", "patients", "cohort", "adverseEvents"} <= set(malaysia)
    assert malaysia["trial"] == TRIAL_MALAYSIA
    assert [one["patient"] for one in malaysia["patients"]] == ["on time", "near", "two", "missed", "none", "sick"]
    assert {one["infusion"] for one in malaysia["patients"]} == {INFUSION}


def test_every_result_and_row_has_the_keys_of_the_contract(malaysia):
    for one in malaysia["patients"]:
        for result in one["results"]:
            assert set(result) >= RESULT_KEYS
            assert result["result"] in {"reached", "not-reached", "not-evaluable", "value"}
            assert (result["value"] is not None) is (result["result"] == "value")
            assert result["reason"].endswith(".")
    for row in malaysia["cohort"]:
        assert set(row) >= COHORT_KEYS


def test_time_points_are_those_of_the_record(malaysia):
    points = {}
    for result in malaysia["patients"][0]["results"]:
        points.setdefault(result["id"], []).append(result["timePoint"])
    for outcome in ("O2", "O3", "O6"):
        assert list(dict.fromkeys(points[outcome])) == [f"week {number}" for number in WEEKS]
    for outcome in ("O4", "O5"):
        assert list(dict.fromkeys(points[outcome])) == [f"month {number}" for number in MONTHS]
    assert set(points["X2"]) == {"month 3"}
    assert set(points) == {f"O{number}" for number in range(1, 7)} | {f"X{number}" for number in range(1, 8)}


@pytest.mark.parametrize(
    ("patient", "number", "date", "result"),
    [
        ("on time", 4, week(4), "reached"),
        ("on time", 12, week(12), "reached"),
        ("on time", 28, week(28), "reached"),
        ("near", 4, later(week(4), -14), "not-reached"),
        ("near", 8, None, "not-evaluable"),
        ("near", 12, later(week(12), 13), "reached"),
        ("two", 4, later(week(4), 2), "reached"),
        ("two", 8, later(week(8), 4), "reached"),
        ("missed", 8, None, "not-evaluable"),
        ("missed", 12, week(12), "reached"),
        ("missed", 16, None, "not-evaluable"),
        ("none", 4, None, "not-evaluable"),
        ("sick", 4, week(4), "not-reached"),
    ],
)
def test_remission_at_scheduled_weeks(malaysia, patient, number, date, result):
    one = of(malaysia, patient, "O2", f"week {number}", "clinical SLEDAI-2K")
    assert (one["date"], one["result"]) == (date, result)
    assert bool(one["missing"]) is (result == "not-evaluable")
    assert bool(one["evidence"]) is (result != "not-evaluable")


def test_remission_and_doris_are_reported_together(malaysia):
    definitions = {r["definition"] for r in malaysia["patients"][0]["results"] if r["id"] == "O2"}
    assert len(definitions) == 2
    assert "clinical SLEDAI-2K = 0" in definitions
    assert any("DORIS" in one for one in definitions)


@pytest.mark.parametrize(("patient", "number", "value"), [("on time", 4, 34), ("two", 4, 40), ("missed", 12, 36)])
def test_fatigue_with_change_from_the_day_of_infusion(malaysia, patient, number, value):
    one = of(malaysia, patient, "O6", f"week {number}")
    assert (one["result"], one["value"], one["change"]) == ("value", value, value - 20)


def test_cohort_of_a_state_by_hand(malaysia):
    row = cohort_of(malaysia, "O2", "week 4", "clinical SLEDAI-2K")
    assert (row["infused"], row["evaluable"], row["reached"]) == (6, 5, 3)
    assert (row["proportionOfEvaluable"], row["proportionOfInfused"]) == (0.6, 0.5)
    assert row["ci95"] == pytest.approx([0.1466, 0.9473], abs=5e-5)
    assert (row["mean"], row["median"], row["range"]) == (None, None, None)


def test_cohort_of_a_score_by_hand(malaysia):
    row = cohort_of(malaysia, "O6", "week 4")
    assert (row["infused"], row["evaluable"], row["reached"]) == (6, 5, None)
    assert row["mean"] == pytest.approx((34 + 22 + 40 + 35 + 20) / 5, abs=1e-4)
    assert (row["median"], row["range"]) == (34, [20, 40])
    assert (row["proportionOfEvaluable"], row["ci95"]) == (None, None)


def test_nobody_evaluable_gives_no_proportion_of_nothing(folder):
    report = outcomes(folder, TRIAL_MALAYSIA, [infused("p")])
    row = cohort_of(report, "O2", "week 4", "clinical SLEDAI-2K")
    assert (row["infused"], row["evaluable"], row["reached"]) == (1, 0, 0)
    assert (row["proportionOfEvaluable"], row["ci95"], row["proportionOfInfused"]) == (None, None, 0)


@pytest.mark.parametrize("outcome", ["O3", "X4", "X7"])
def test_undefined_outcomes_are_said_to_be_undefined(malaysia, outcome):
    point = "week 4" if outcome == "O3" else "follow-up"
    one = of(malaysia, "on time", outcome, point)
    assert one["result"] == "not-evaluable"
    assert one["value"] is None
    assert one["reason"]


def test_clinical_response_shows_its_three_measures_apart(malaysia):
    definitions = {r["definition"] for r in malaysia["patients"][0]["results"] if r["id"] == "O3"}
    assert [any(word in one for one in definitions) for word in ("BILAG", "PGA", "SLICC/ACR")] == [True] * 3
    assert of(malaysia, "on time", "O3", "week 4", "PGA")["value"] == 0.4


def test_remission_of_twelve_months_cannot_be_shown_by_the_schedule(malaysia):
    [one] = [r for r in malaysia["patients"][0]["results"] if r["id"] == "X3"]
    assert one["result"] == "not-evaluable"


# ---- readings ----------------------------------------------------------------------------------------------------


def test_readings_of_remission_and_of_the_fatigue_scale(folder):
    one = assessed(infused("p", dose=5), week(4), "", 0.4, 30).number("facitF", week(4), 100)
    default = outcomes(folder, TRIAL_MALAYSIA, [one])
    strict = outcomes(folder, TRIAL_MALAYSIA, [one], "--reading", "A2-10=doris-below-5", "--reading", "A2-06=facit-f")
    assert of(default, "p", "O2", "week 4", "DORIS")["result"] == "reached"
    assert of(strict, "p", "O2", "week 4", "DORIS")["result"] == "not-reached"
    assert of(strict, "p", "O2", "week 4", "clinical SLEDAI-2K")["result"] == "reached"
    assert of(default, "p", "O6", "week 4")["value"] == 30
    assert of(strict, "p", "O6", "week 4")["value"] == 100


def test_reading_of_the_low_disease_activity_state(folder):
    one = assessed(infused("p").complete("conditions", "2028-12-31"), week(4), "arthritis", 1)
    default = outcomes(folder, TRIAL_WUHAN, [one], "--visits", "week 4")
    official = outcomes(folder, TRIAL_WUHAN, [one], "--visits", "week 4", "--reading", "A4-05=official")
    assert of(default, "p", "O7", "week 4")["result"] == "reached"
    assert of(official, "p", "O7", "week 4")["result"] in {"reached", "not-reached", "not-evaluable"}
    assert of(default, "p", "O7", "week 4")["definition"] != of(official, "p", "O7", "week 4")["definition"]


# ---- laboratory outcomes -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def laboratory(folder):
    """B cells, antibodies, complement at months 1 and 3."""
    one = Patient("p").infused(INFUSION)
    for day, cells, dna, c3 in (
        (INFUSION, 200, 120, 60), ("2026-02-10", 9, 60, 80), ("2026-04-10", 10, 30, 90),
    ):  # fmt: skip
        one.lab("8116-6", day, cells, "/uL").lab("5130-0", day, dna, "[IU]/mL", None, 30)
        one.lab("4485-9", day, c3, "mg/dL", 90, 180).lab("4498-2", day, 20, "mg/dL", 10, 40)
    return outcomes(folder, TRIAL_MALAYSIA, [one])


def test_aplasia_below_ten_cells(laboratory):
    assert of(laboratory, "p", "O4", "month 1", "plasia")["result"] == "reached"
    assert of(laboratory, "p", "O4", "month 3", "plasia")["result"] == "not-reached"
    assert of(laboratory, "p", "O4", "month 6", "plasia")["result"] == "not-evaluable"
    assert of(laboratory, "p", "O4", "month 1", "CD19-positive B cells")["date"] == "2026-02-10"


def test_the_threshold_of_aplasia_is_a_parameter(folder):
    one = Patient("p").infused(INFUSION).lab("8116-6", "2026-02-10", 12, "/uL")
    assert of(outcomes(folder, TRIAL_MALAYSIA, [one]), "p", "O4", "month 1", "plasia")["result"] == "not-reached"
    helped = run("outcomes", "--help").stdout
    assert "threshold" in helped


def test_antibody_change_and_serologic_remission(laboratory):
    one = of(laboratory, "p", "O5", "month 1", "anti-dsDNA")
    assert (one["result"], one["value"], one["change"], one["unit"]) == ("value", 60, -60, "[IU]/mL")
    remission = of(laboratory, "p", "X2", "month 3")
    assert (remission["result"], remission["date"]) == ("reached", "2026-04-10")


def test_proteinuria_is_never_compared_across_its_two_tests(folder):
    nephritis = {"code": coding("68815009", "http://snomed.info/sct"), "onsetDateTime": "2020-01-01"}
    both, mixed = Patient("both").infused(INFUSION), Patient("mixed").infused(INFUSION)
    for one in (both, mixed):
        one.add("Condition", **nephritis)
    for day, value in ((INFUSION, 2), (week(12), 0.8)):
        both.lab("2889-4", day, value, "g/(24.h)").lab("2890-2", day, value * 1000, "mg/g{creat}")
    mixed.lab("2889-4", INFUSION, 2, "g/(24.h)").lab("2890-2", week(12), 800, "mg/g{creat}")
    report = outcomes(folder, TRIAL_WUHAN, [both, mixed], "--visits", "week 12")
    whole = of(report, "both", "O8", "week 12", "24 h")
    assert (whole["value"], whole["change"]) == (0.8, pytest.approx(-1.2))
    assert of(report, "mixed", "O8", "week 12", "24 h")["change"] is None
    assert of(report, "mixed", "O8", "week 12", "UPCR")["change"] is None


# ---- NCT06653556: own visits, day 1 ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wuhan(folder):
    good, new, mm = infused("good", 7.5), infused("new", 7.5), infused("mm", 7.6)
    for number in (4, 8, 12):
        assessed(good, week(number), "rash", 1)
        assessed(new, week(number), "" if number == 4 else "rash", 1)
        mm.items(week(number), "rash").number("pga", week(number), 34, "mm")
    return outcomes(folder, TRIAL_WUHAN, [good, new, mm], "--visits", "week 4,week 8,week 12")


@pytest.mark.parametrize(
    ("patient", "point", "row", "result"),
    [
        ("good", "week 4", "O7", "reached"),
        ("good", "week 12", "O7", "reached"),
        ("new", "week 4", "O7", "reached"),
        ("new", "week 8", "O7", "not-reached"),
        ("new", "week 8", "O7.2", "not-reached"),
        ("new", "week 12", "O7", "reached"),
        ("mm", "week 4", "O7", "not-reached"),
        ("mm", "week 4", "O7.1", "reached"),
        ("mm", "week 4", "O7.3", "not-reached"),
        ("mm", "week 4", "O7.4", "not-reached"),
    ],
)
def test_low_disease_activity_and_its_parts(wuhan, patient, point, row, result):
    assert of(wuhan, patient, row, point)["result"] == result


def test_changes_from_baseline(wuhan):
    one = of(wuhan, "good", "O5", "week 12")
    assert (one["value"], one["change"], one["date"]) == (2, -4, week(12))
    pga = of(wuhan, "mm", "O6", "week 4")
    assert (pga["value"], pga["change"]) == (1.02, pytest.approx(-0.98))
    row = cohort_of(wuhan, "O5", "week 4")
    assert (row["evaluable"], row["median"], row["range"]) == (3, -4, [-6, -4])
    assert row["mean"] == pytest.approx((-4 - 6 - 4) / 3, abs=1e-4)


def test_exact_interval_of_two_in_three(wuhan):
    row = cohort_of(wuhan, "O7", "week 4")
    assert (row["infused"], row["evaluable"], row["reached"]) == (3, 3, 2)
    assert row["ci95"] == pytest.approx([0.0943, 0.9916], abs=5e-5)


def test_rp2d_is_no_result_of_a_patient(wuhan):
    assert {r["result"] for r in wuhan["patients"][0]["results"] if r["id"] == "O4"} == {"not-evaluable"}


def test_day_one_is_the_infusion_in_one_trial_and_day_zero_in_the_other(folder):
    one = infused("p")
    assessed(one, later(INFUSION, 28), "", 0.2)
    there = outcomes(folder, TRIAL_WUHAN, [one], "--visits", "day 29", "--visit-window", "0")
    assert of(there, "p", "O5", "day 29")["date"] == later(INFUSION, 28)
    other = outcomes(folder, TRIAL_WUHAN, [one], "--visits", "day 28", "--visit-window", "0")
    assert of(other, "p", "O5", "day 28")["date"] is None


def test_own_visits_where_the_record_names_no_time_point(folder):
    one = infused("p")
    for number in (3, 9):
        assessed(one, week(number), "", 0.2)
    report = outcomes(folder, TRIAL_WUHAN, [one])
    found = [(r["date"], r["value"]) for r in report["patients"][0]["results"] if r["id"] == "O5"]
    assert found == [(week(3), 0), (week(9), 0)]


def test_the_value_of_the_infusion_day_is_baseline_and_no_visit(folder):
    one = Patient("p").infused(INFUSION).items("2026-01-01", "arthritis rash seizure").items(INFUSION, "arthritis")
    one.items(week(4), "")
    report = outcomes(folder, TRIAL_WUHAN, [one], "--visits", "week 4")
    assert of(report, "p", "O5", "week 4")["change"] == -4
    early = Patient("q").infused(INFUSION).items(INFUSION, "arthritis")
    assert of(outcomes(folder, TRIAL_WUHAN, [early], "--visits", "week 4"), "q", "O5", "week 4")["result"] == (
        "not-evaluable"
    )


def test_dose_changed_the_day_before_a_visit(folder):
    lower, raised = (assessed(Patient(name).infused(INFUSION), INFUSION, "rash", 2) for name in ("lower", "raised"))
    for one, first, then in ((lower, 20, 5), (raised, 5, 20)):
        one.takes("8638", first, "2025-01-01", later(week(4), -1)).takes("8638", then, week(4))
        assessed(one, week(4), "rash", 1).complete("medications", "2028-12-31")
    report = outcomes(folder, TRIAL_WUHAN, [lower, raised], "--visits", "week 4")
    assert of(report, "lower", "O7.4", "week 4")["result"] == "reached"
    assert of(report, "raised", "O7.4", "week 4")["result"] == "not-reached"


def test_repeated_time_points_are_one(folder):
    report = outcomes(folder, TRIAL_WUHAN, [infused("p")], "--visits", "week 4, week 4")
    assert len([r for r in report["patients"][0]["results"] if r["id"] == "O5"]) == 1


# ---- adverse events ----------------------------------------------------------------------------------------------

CAUSALITY = "http://terminology.hl7.org/CodeSystem/adverse-event-causality-assess"


def event(one, name, text, day, grade=None, code=None, related=None, observed=False):
    """An adverse event; the grade as an extension, or as an Observation that refers to it."""
    content = {"id": name, "actuality": "actual", "date": day, "event": {"text": text}}
    if code:
        content["event"]["coding"] = [{"system": MEDDRA, "code": code}]
    if grade and not observed:
        content["extension"] = [
            {"url": "https://example.org/fhir/StructureDefinition/ctcae-grade", "valueInteger": grade}
        ]
    if related:
        content["suspectEntity"] = [
            {"instance": {"reference": "Medication/cells"}, "causality": [{"assessment": coding(related, CAUSALITY)}]}
        ]
    one.add("AdverseEvent", **content)
    return (
        one.observe("ctcaeGrade", day, valueInteger=grade, focus=[{"reference": f"AdverseEvent/{name}"}])
        if (observed)
        else one
    )


@pytest.fixture(scope="module")
def safety(folder):
    one, two, three = (Patient(name).infused(INFUSION) for name in ("one", "two", "three"))
    event(one, "a", "Cytokine release syndrome", "2026-01-12", 1, "10052015")
    event(one, "b", "Cytokine release syndrome", "2026-01-14", 2, "10052015", observed=True)
    event(one, "c", "Neutropenia", "2026-01-09", 4)
    event(one, "d", "Anaemia", INFUSION, 3)
    event(two, "e", "cytokine release syndrome", "2026-01-13", 1)
    event(two, "f", "Headache", "2026-02-20")
    three.complete("adverseEvents", "2028-12-31")
    return {trial: outcomes(folder, trial, [one, two, three]) for trial in (TRIAL_MALAYSIA, TRIAL_WUHAN)}


@pytest.mark.parametrize("trial", [TRIAL_MALAYSIA, TRIAL_WUHAN])
def test_adverse_events_by_term_and_highest_grade(safety, trial):
    events = {row["term"].lower(): row for row in safety[trial]["adverseEvents"]}
    assert set(events) == {"cytokine release syndrome", "anaemia", "headache"}
    assert events["cytokine release syndrome"]["patients"] == 2
    assert events["cytokine release syndrome"]["highestGrade"] == {"1": 1, "2": 1}
    assert events["anaemia"]["highestGrade"] == {"3": 1}
    assert events["headache"]["patients"] == 1


def test_no_event_recorded_is_only_none_where_the_record_is_complete(folder, safety):
    assert of(safety[TRIAL_MALAYSIA], "three", "O1", "follow-up")["value"] == 0
    open_ = of(outcomes(folder, TRIAL_MALAYSIA, [Patient("p").infused(INFUSION)]), "p", "O1", "follow-up")
    assert (open_["result"], bool(open_["missing"])) == ("not-evaluable", True)


@pytest.mark.parametrize(
    ("day", "grade", "related", "result"),
    [
        (later(INFUSION, 31), 4, "Certain", "not-reached"),
        (later(INFUSION, 30), 3, "Certain", "not-evaluable"),
        (later(INFUSION, 5), 2, "Certain", "not-reached"),
        (later(INFUSION, 5), 4, "Unlikely", "not-reached"),
    ],
)
def test_dose_limiting_toxicity_needs_severity_relation_and_thirty_days(folder, day, grade, related, result):
    one = event(Patient("p").infused(INFUSION).complete("adverseEvents", "2028-12-31"), "a", "Sepsis", day, grade,
                related=related)  # fmt: skip
    answer = of(outcomes(folder, TRIAL_WUHAN, [one]), "p", "O2", "follow-up")
    assert answer["result"] == result
    assert bool(answer["missing"]) is (result == "not-evaluable")


# ---- options, other forms, errors --------------------------------------------------------------------------------


def test_infusion_from_the_command_line(folder):
    one = Patient("p").items("2026-01-01", "arthritis").items("2026-02-07", "")
    report = outcomes(folder, TRIAL_WUHAN, [one], "--event", f"infusion={INFUSION}", "--visits", "week 4")
    assert report["patients"][0]["infusion"] == INFUSION
    assert of(report, "p", "O5", "week 4")["change"] == -4


def test_infusion_bound_to_another_trial_does_not_serve(folder):
    one = Patient("p").observe(f"event:infusion/{TRIAL_WUHAN}", INFUSION, valueDateTime=INFUSION)
    one.items(INFUSION, "arthritis").items(week(4), "")
    assert outcomes(folder, TRIAL_WUHAN, [one])["patients"][0]["infusion"] == INFUSION
    assert outcomes(folder, TRIAL_MALAYSIA, [one])["patients"][0]["infusion"] is None


def test_without_infusion_nothing_is_evaluable_and_that_is_said(folder):
    one = Patient("p").items(INFUSION, "arthritis").items(week(4), "")
    report = outcomes(folder, TRIAL_MALAYSIA, [one, infused("q")])
    [mine] = [p for p in report["patients"] if p["patient"] == "p"]
    assert mine["infusion"] is None
    assert {r["result"] for r in mine["results"]} == {"not-evaluable"}
    assert of(report, "p", "O2", "week 4")["missing"]
    assert cohort_of(report, "O2", "week 4")["infused"] == 1


def test_csv_has_a_row_for_each_result(folder):
    file = write(folder, assessed(infused("p"), week(4), "", 0.2, 30))
    done = run("outcomes", file, "--trial", TRIAL_MALAYSIA, "--format", "csv")
    rows = table(done.stdout)
    assert {row["patient"] for row in rows} >= {"p"}
    assert any(row["id"] == "O2" and row["time_point"] == "week 4" for row in rows)


@pytest.mark.parametrize("form", ["html", "turtle", "table"])
def test_other_forms_name_patient_and_outcome(folder, form):
    done = run("outcomes", write(folder, infused("somebody")), "--trial", TRIAL_WUHAN, "--format", form)
    assert done.returncode == 0
    assert "somebody" in done.stdout or form == "table"
    assert "LLDAS" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--trial", "NCT06892145"],
        ["--trial", "NCT06150651"],
        ["--trial", "NCT00000000"],
        ["--trial", TRIAL_WUHAN, "--visits", "sometime"],
        ["--trial", TRIAL_WUHAN, "--visits", "week -4"],
        ["--trial", TRIAL_WUHAN, "--visits", "week 4;week 8"],
        ["--trial", TRIAL_WUHAN, "--reading", "A4-05=nope"],
        ["--trial", TRIAL_WUHAN, "--event", "infusion=yesterday"],
        ["--trial", TRIAL_WUHAN, "--format", "xml"],
        [],
    ],
)
def test_wrong_use_is_refused_in_one_sentence(folder, arguments):
    done = run("outcomes", write(folder, infused("p")), *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "Traceback" not in done.stderr


def test_comparison_of_outcomes_names_what_looks_alike_and_is_not(folder):
    done = run("compare", "--on", "outcomes", "--format", "json")
    assert done.returncode == 0
    text = json.dumps(json.loads(done.stdout))
    for word in ("LLDAS", "FACIT", "SLEDAI", "number of the day of infusion", TRIAL_MALAYSIA, TRIAL_WUHAN):
        assert word in text, word
    assert run("compare", "NCT06892145", "--on", "nothing").returncode == 2


def test_example_cohort_is_the_same_for_the_same_seed(folder):
    texts = []
    for number in (1, 2):
        target = folder / f"cohort{number}"
        assert run("example-cohort", "--patients", "3", "--seed", "5", "-o", target).returncode == 0
        texts.append({file.name: file.read_bytes() for file in sorted(target.iterdir())})
    assert texts[0] == texts[1]
    done = run("outcomes", *sorted((folder / "cohort1").glob("*.ndjson")), "--trial", TRIAL_WUHAN, "--format", "json")
    assert len(json.loads(done.stdout)["patients"]) == 3
