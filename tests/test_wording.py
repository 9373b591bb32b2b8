"""Sentences for coordinators: the value, the threshold, the dates; never advice."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal

import pytest

from sle_kg.criteria import Leaf, walk
from sle_kg.evaluate import UNBOUNDED
from sle_kg.features.asks import FeatureOptions
from sle_kg.trials import screenable
from sle_kg.verdict import Evidence, OpenKind
from sle_kg.wording import (
    Words,
    between,
    leaf_open_kind,
    lower_first,
    ontology_label,
    open_kind,
    period,
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
        WORDS.missing(one, "attest:NCT0/I00"),
    ]
    for sentence in said:
        assert not re.search(r"None|=|_|\{|Condition", sentence), sentence
        assert not re.search(r"\bstop|should|must\b", sentence), sentence
        assert not re.search(r"\b[a-z]+[A-Z]\w+", re.sub("hCG|dsDNA|eGFR", "", sentence)), sentence
    assert said[0] != said[1]


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
    assert "complete" not in WORDS.missing(cns, "attest:NCT06106906/E04")
    assert "attest:NCT06106906/E04" in WORDS.missing(cns, "attest:NCT06106906/E04")
    assert "procedures are complete up to 2026-11-21" in WORDS.missing(dialysis, "attest:NCT06106906/E09b")


def test_an_unknown_or_planned_event_is_what_is_asked_for() -> None:
    steroid = find("NCT06106906", "E24a")
    assert WORDS.missing(steroid, "attest:x") == "the date of leukapheresis, planned or actual"
    planned = Words(ontology_label, WORDS.is_open, WORDS.window, ON, {"leukapheresis": dt.date(2026, 12, 5)})
    assert "up to 2026-12-05" in planned.missing(steroid, "attest:x")
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
