"""Sentences for coordinators: the value, the threshold, the dates; never advice."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from decimal import Decimal

import pytest

from sle_kg.criteria import Feature, Leaf, Operator, walk
from sle_kg.definitions import conditions_of, scales, states
from sle_kg.evaluate import UNBOUNDED
from sle_kg.features.asks import FeatureOptions, Moment
from sle_kg.open_kinds import leaf_open_kind, open_kind
from sle_kg.phrases import lower_first, period
from sle_kg.trials import screenable
from sle_kg.verdict import Evidence, OpenKind, Period, when
from sle_kg.wording import (
    Words,
    between,
    ontology_label,
    shown,
    unit_words,
)
from trees import leaf, number

ON = dt.date(2026, 11, 21)
WORDS = Words(ontology_label, lambda name: name == "cnsDisease", FeatureOptions().window, ON, {"consent": ON})
LEAVES = {
    node.iri: node
    for trial in screenable().values()
    for criterion in trial.criteria
    for condition in (criterion.condition, criterion.not_applicable)
    if condition is not None
    for node in walk(condition)
    if isinstance(node, Leaf)
}
"""Every leaf of the real trials."""


def find(trial: str, row: str) -> Leaf:
    """The first leaf of a row."""
    return next(one for iri, one in LEAVES.items() if f"{trial}/{row}/" in iri)


def evidence(value: str, date: str, what: str = "SLEDAI-2K") -> Evidence:
    """A record."""
    return Evidence("Observation/x", what, value, date)


@pytest.mark.parametrize("one", LEAVES.values(), ids=lambda one: one.feature.slug)
def test_every_leaf_of_the_trials_has_sentences_in_plain_words(one: Leaf) -> None:
    said = [
        WORDS.found([one], (Decimal(10**6), Decimal(10**6)), []),
        WORDS.found([one], (Decimal(0), Decimal(0)), []),
        WORDS.unknown(one, UNBOUNDED, []),
        WORDS.unknown(one, (Decimal(1), None), [evidence("1", "2020-01-01")]),
        *WORDS.missing(one, "attest:NCT0/I00"),
    ]
    for sentence in said:
        assert not re.search(r"None|=|_|\{|Condition", sentence), sentence
        assert not re.search(r"\bstop|should|must\b", sentence), sentence
        assert not re.search(r"\b[a-z]+[A-Z]\w+", re.sub("hCG|dsDNA|eGFR", "", sentence)), sentence
    assert said[0] != said[1]


@pytest.mark.parametrize(
    ("periods", "words"),
    [
        ([("2025-01-01", "2026-09-01")], "2025-01-01 to 2026-09-01"),
        ([("2025-01-01", "2025-01-01")], "2025-01-01"),
        ([("2025", None)], "from 2025"),
        ([(None, "2026-09")], "until 2026-09"),
        ([None], "2024-05-06"),
        ([None, ("2025-01-01", "2026-09-01")], "2024-05-06 to 2026-09-01"),
        ([None, ("2025-01-01", None)], "from 2024-05-06"),
        ([(None, "2024-01"), ("2025-01-01", "2026-09-01")], "2024-01 to 2026-09-01"),
        ([(None, "2024-01"), ("2025-01-01", None)], "from 2024-01"),
    ],
)
def test_of_a_medicine_the_whole_period_is_said(periods: list[Period | None], words: str) -> None:
    assert when(Evidence("Medication/x", "", "", "2024-05-06", period) for period in periods) == words


def test_a_known_leaf_names_value_date_and_threshold() -> None:
    score = find("NCT06892145", "I04")
    said = WORDS.found([score], (Decimal(9), Decimal(9)), [evidence("9", "2026-11-10")])
    assert said == "SLEDAI-2K total score: 9 (2026-11-10), which is at least 7"
    said = WORDS.found([score], (Decimal(6), Decimal(6)), [evidence("6", "2026-11-10")])
    assert said == "SLEDAI-2K total score: 6 (2026-11-10), which is less than 7"


def test_an_open_leaf_says_why() -> None:
    score = find("NCT06892145", "I04")
    assert WORDS.unknown(score, UNBOUNDED, [evidence("9", "2026-10-23")]) == (
        "SLEDAI-2K total score: the latest record (9, 2026-10-23) is older than 28 days"
    )
    assert "between 6 and 8" in WORDS.unknown(score, (Decimal(6), Decimal(8)), [evidence("6", "2026-11-10")])


@pytest.mark.parametrize(
    ("date", "old"), [("2026-10-24", False), ("2026-10-23", True), ("2026-10", False), ("2026-09", True)]
)
def test_the_last_day_of_a_window_still_serves(date: str, old: bool) -> None:
    said = WORDS.unknown(find("NCT06892145", "I04"), UNBOUNDED, [evidence("9", date)])
    assert ("older than 28 days" in said) is old


def test_an_open_set_asks_for_an_attestation_and_a_closed_one_for_completeness() -> None:
    cns, dialysis = find("NCT06106906", "E04"), find("NCT06106906", "E09b")
    assert "complete" not in " ".join(WORDS.missing(cns, "attest:NCT06106906/E04"))
    assert "attest:NCT06106906/E04" in " ".join(WORDS.missing(cns, "attest:NCT06106906/E04"))
    assert "procedures are complete up to 2026-11-21" in " ".join(WORDS.missing(dialysis, "attest:NCT06106906/E09b"))


def test_a_statement_of_completeness_that_is_there_is_not_asked_for() -> None:
    dialysis = find("NCT06106906", "E09b")
    stated = replace(WORDS, complete={"procedures": ON})
    assert "complete" not in " ".join(stated.missing(dialysis, "attest:x"))
    early = replace(WORDS, complete={"procedures": ON - dt.timedelta(days=1)})
    assert "procedures are complete up to 2026-11-21" in " ".join(early.missing(dialysis, "attest:x"))


def test_of_a_complete_section_with_a_code_that_is_not_understood_the_code_is_asked_for() -> None:
    stated = replace(WORDS, complete={"procedures": ON}, blocking={"procedures": ("Procedure/p1 (Bypass)",)})
    assert stated.missing(find("NCT06106906", "E09b"), "attest:x") == (
        "what Procedure/p1 (Bypass) is (map the code with --code-map), or an attestation (attest:x)",
    )


def test_of_an_event_known_to_the_month_the_day_is_asked_for() -> None:
    steroid = find("NCT06106906", "E24a")
    vague = {"leukapheresis": dt.date(2026, 11, 1)}, {"leukapheresis": dt.date(2026, 11, 30)}
    said = replace(WORDS, anchors=vague[0], until=vague[1])
    assert said.missing(steroid, "attest:x") == (
        "the day of leukapheresis, known only to be from 2026-11-01 to 2026-11-30",
    )
    assert "known only to be from 2026-11-01 to 2026-11-30" in said.unknown(steroid, UNBOUNDED, [])


def test_of_pulses_a_later_one_is_asked_for_and_a_run_is_told_with_its_gap() -> None:
    [pulses] = (one for one in LEAVES.values() if one.feature.get("sinceFirstDose"))
    assert WORDS.missing(pulses, "attest:x")[0].startswith(
        "a record of the first and of a later dose of cyclophosphamide in the 6 months before screening, "
    )
    assert WORDS.subject(find("NCT06150651", "I03.2d").feature) == (
        "Mycophenolate, duration of treatment without a gap of more than 30 days"
    )
    assert WORDS.subject(find("NCT06892145", "I03f").feature).endswith("duration of treatment")


def test_an_unknown_or_planned_event_is_what_is_asked_for() -> None:
    steroid = find("NCT06106906", "E24a")
    assert WORDS.missing(steroid, "attest:x") == ("the date of leukapheresis, planned or actual",)
    planned = Words(ontology_label, WORDS.is_open, WORDS.window, ON, {"leukapheresis": dt.date(2026, 12, 5)})
    assert "up to 2026-12-05" in " ".join(planned.missing(steroid, "attest:x"))
    assert "planned for 2026-12-05" in planned.unknown(steroid, UNBOUNDED, [])


@pytest.mark.parametrize(
    ("value", "text"), [("7.50", "7.5"), ("2.6666666", "2.667"), ("100", "100"), ("0.727272727272", "0.727")]
)
def test_numbers_are_short(value: str, text: str) -> None:
    assert shown(Decimal(value)) == text


def test_a_value_is_not_rounded_onto_its_threshold() -> None:
    assert shown(Decimal("3.0001"), leaf("a", "<=", 3)) == "3.0001"


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [("7", "7", "7"), ("6", "8", "between 6 and 8"), ("6", None, "at least 6"), (None, "8", "at most 8")],
)
def test_bounds_in_words(low: str | None, high: str | None, text: str) -> None:
    assert between((number(low), number(high)), leaf("a", ">=", 7)) == text


@pytest.mark.parametrize(
    ("unit", "text"),
    [("mg/d", " mg a day"), ("[ULN]", " times the upper limit of normal"), ("{score}", ""), (None, ""), ("kg", " kg")],
)
def test_units_in_words(unit: str | None, text: str) -> None:
    assert unit_words(unit) == text


@pytest.mark.parametrize(("duration", "text"), [("P6M", "6 months"), ("P1Y", "1 year"), ("P56D", "56 days")])
def test_periods_in_words(duration: str, text: str) -> None:
    assert period(duration) == text


@pytest.mark.parametrize(
    ("text", "inside"),
    [("Live vaccines", "live vaccines"), ("BTK inhibitor", "BTK inhibitor"), ("B-cell", "B-cell"), ("hCG", "hCG")],
)
def test_names_keep_their_capitals_inside_a_sentence(text: str, inside: str) -> None:
    assert lower_first(text) == inside


@pytest.mark.parametrize(
    ("kinds", "kind"),
    [
        (["judgement", "test", "data"], "data"),
        (["agreement", "test"], "test"),
        (["judgement", "agreement"], "agreement"),
        (["judgement"], "judgement"),
    ],
)
def test_history_comes_before_tests_agreements_and_judgement(kinds: list[OpenKind], kind: OpenKind) -> None:
    assert open_kind(kinds) == kind


def test_whose_move_a_leaf_is() -> None:
    assert leaf_open_kind(find("NCT06892145", "I04")) == "test"
    assert leaf_open_kind(find("NCT06892145", "I01")) == "agreement"
    assert leaf_open_kind(find("NCT06106906", "E21")) == "data"


# ---- a follow-up ----------------------------------------------------------------------------------------------------

VISIT, INFUSION = dt.date(2026, 4, 3), dt.date(2026, 1, 10)
DAY = dt.timedelta(days=1)
MOMENTS = {
    "visit": Moment(VISIT - 30 * DAY, VISIT, VISIT),
    "previous": Moment(dt.date.min, VISIT - DAY, VISIT - DAY),
    "baseline": Moment(dt.date.min, INFUSION, INFUSION),
}
AT_VISIT = Words(ontology_label, lambda _: False, FeatureOptions().window, VISIT, {"infusion": INFUSION}, {}, MOMENTS)
INSTRUMENTS = ("ctcaeV5", "astctCrs2019", "astctIcans2019", "selenaFlareIndex")
DEFINED = {
    node.feature.slug: node
    for condition in conditions_of([*states().values(), *(scale for name in INSTRUMENTS for scale in scales(name))])
    for node in walk(condition)
    if isinstance(node, Leaf)
}
"""Every leaf of the states and grades of the ontology."""


def assessed(kind: str, operator: Operator, bound: str, unit: str = "{score}", **parameters: str) -> Leaf:
    """A leaf of a follow-up; several tests are joined by blanks."""
    values = {
        name: tuple(value.split()) if name in ("test", "valueSet") else value for name, value in parameters.items()
    }
    named = Feature(f"{kind}Condition", tuple(sorted(values.items())))
    return Leaf(kind, named, operator, Decimal(bound), Decimal(bound), unit)


@pytest.mark.parametrize("one", DEFINED.values(), ids=lambda one: one.feature.slug)
def test_every_leaf_of_a_definition_has_sentences_in_plain_words(one: Leaf) -> None:
    said = [
        AT_VISIT.found([one], (Decimal(10**6), Decimal(10**6)), []),
        AT_VISIT.found([one], (Decimal(0), Decimal(0)), []),
        AT_VISIT.unknown(one, UNBOUNDED, []),
        AT_VISIT.unknown(one, (Decimal(1), None), [evidence("1", "2026-04-01")]),
        *AT_VISIT.missing(one, ""),
    ]
    for sentence in said:
        assert not re.search(r"None|=|_|\{|\(\)|attest|Condition|screening|at present", sentence), sentence
        assert not re.search(r"\b[a-z]+[A-Z]\w+", re.sub("hCG|dsDNA|eGFR", "", sentence)), sentence
    assert said[0] != said[1]


SCORE = assessed("AssessedScore", "<=", "4", instrument="sledai2kTotal")
CHANGE = assessed(
    "AssessedScore", "<=", "-4", instrument="selenaSledaiTotal", alsoAccepts="sledai2kTotal", since="baseline"
)
ORGANS = assessed("AssessedScore", "<=", "0", instrument="sledai2kTotal", itemGroup="majorOrgan")
RATIO = assessed("AssessedValue", ">", "3", "[ULN]", test="alt", quantity="timesUpperLimit")
FALL = assessed("AssessedValue", ">=", "1.5", "1", test="alt", quantity="timesBaseline")
NEGATIVE = assessed("AssessedPositive", ">=", "1", test="antiDsDna antiDsDnaQual")
NEW = assessed("NewItems", "<=", "0", "{count}", instrument="sledai2kTotal", since="previous")
GRADES = assessed("NewGrades", "<=", "1", "{count}", instrument="bilag2004", grade="B", since="baseline")
HIGHEST = assessed("HighestValue", ">=", "38", "Cel", test="bodyTemperature", anchor="infusion")
CHANGED = assessed("TreatmentChange", ">=", "1", valueSet="Glucocorticoid", since="previous")
DOSE = assessed("DailyDose", "<=", "7.5", "mg/d", valueSet="Glucocorticoid", equivalence="prednisone", perKilogram="")


@pytest.mark.parametrize(
    ("one", "value", "text"),
    [
        (SCORE, "4", "SLEDAI-2K total score: 4 (2026-04-03), which is at most 4"),
        (ORGANS, "4", "SLEDAI-2K total score, items of major organs only: 4 (2026-04-03), which is more than 0"),
        (
            CHANGE,
            "-5",
            "SELENA-SLEDAI total score or SLEDAI-2K total score, change since baseline: -5 (2026-04-03), "
            "which is at most -4",
        ),
        (
            RATIO,
            "3.5",
            "ALT: 3.5 times the upper limit of normal (2026-04-03), "
            "which is more than 3 times the upper limit of normal",
        ),
        (FALL, "2", "ALT: 2 times the baseline value (2026-04-03), which is at least 1.5 times the baseline value"),
        (NEW, "1", "Number of new items of the SLEDAI-2K since the previous assessment: 1 (2026-04-03), "
         "which is more than 0"),
        (GRADES, "0", "Number of systems newly at grade B of the BILAG-2004 since baseline: 0 (2026-04-03), "
         "which is at most 1"),
        (HIGHEST, "38.5", "Body temperature, highest since infusion: 38.5 Cel (2026-04-03), which is at least 38 Cel"),
        (DOSE, "5", "Systemic glucocorticoid, daily dose on 2026-04-03: 5 mg a day (2026-04-03), "
         "which is at most 7.5 mg a day"),
    ],
)  # fmt: skip
def test_a_known_leaf_of_a_follow_up(one: Leaf, value: str, text: str) -> None:
    what = "ALT" if one.feature.get("test") == ("alt",) else ""
    assert AT_VISIT.found([one], (Decimal(value), Decimal(value)), [evidence(value, "2026-04-03", what)]) == text


def test_what_is_present_or_absent_is_no_number() -> None:
    seen = assessed("AssessedValue", ">=", "1", "{presence}", test="hypotension", quantity="value")
    line = [evidence("yes", "2026-04-03", "Hypotension")]
    assert AT_VISIT.found([seen], (Decimal(1), None), line) == "Hypotension: present (2026-04-03)"
    assert AT_VISIT.found([seen], (Decimal(0), Decimal(0)), line) == "Hypotension: absent (2026-04-03)"


def test_answers_of_a_follow_up() -> None:
    no, yes = (Decimal(0), Decimal(0)), (Decimal(1), None)
    line = [evidence("negative", "2026-04-03", "Anti-dsDNA, presence")]
    assert AT_VISIT.found([NEGATIVE], no, line) == "Anti-dsDNA, presence: negative (2026-04-03)"
    assert AT_VISIT.found([CHANGED], no, []).endswith("since the previous assessment: none begun, no dose changed")
    assert "begun, or its dose changed" in AT_VISIT.found([CHANGED], yes, [])


def test_a_moment_that_is_not_there_is_what_is_asked_for() -> None:
    first = Words(ontology_label, lambda _: False, FeatureOptions().window, VISIT, {}, {}, {"visit": MOMENTS["visit"]})
    assert first.unknown(CHANGE, UNBOUNDED, []).endswith("change since baseline: baseline is not known")
    assert first.missing(FALL, "") == ("an infusion, or another day of baseline",)
    assert first.missing(NEW, "") == ("the previous assessment",)
    early = Words(
        ontology_label, lambda _: False, FeatureOptions().window, VISIT, {"infusion": VISIT + DAY}, {}, first.moments
    )
    assert early.unknown(CHANGE, UNBOUNDED, []).endswith("change since baseline: 2026-04-03 is before baseline")
    assert first.missing(HIGHEST, "") == ("the date of infusion, planned or actual",)


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (SCORE, "SLEDAI-2K total score from 2026-03-04 to 2026-04-03"),
        (RATIO, "Alanine aminotransferase with its upper limit of normal from 2026-03-04 to 2026-04-03"),
        (FALL, "Alanine aminotransferase from 2026-03-04 to 2026-04-03 and at baseline, 2026-01-10 or before"),
        (
            NEW,
            "every item of the SLEDAI-2K from 2026-03-04 to 2026-04-03 and at an assessment before 2026-04-03",
        ),
        (
            GRADES,
            "the grade of every system of the BILAG-2004 from 2026-03-04 to 2026-04-03 "
            "and at baseline, 2026-01-10 or before",
        ),
        (HIGHEST, "Body temperature, highest since infusion up to 2026-04-03"),
    ],
)
def test_what_would_settle_a_leaf_of_a_follow_up(one: Leaf, text: str) -> None:
    assert AT_VISIT.missing(one, "") == (text,)


def test_medicines_are_settled_by_a_complete_record_and_nothing_is_attested() -> None:
    assert AT_VISIT.missing(CHANGED, "")[0].endswith("or a statement that medications are complete up to 2026-04-03")


def test_results_of_a_follow_up_are_tests_and_changes_of_treatment_history() -> None:
    assert {leaf_open_kind(one) for one in (SCORE, RATIO, NEGATIVE, NEW, GRADES, HIGHEST)} == {"test"}
    assert leaf_open_kind(CHANGED) == "data"
