"""The table of outcomes names both denominators, shows bounds, and is steered by no patient's text."""

from dataclasses import replace
from decimal import Decimal

import pytest

from report import outcome_sample as sample
from sle_kg.report.outcomes import render_outcomes
from sle_kg.report.outcomes_text import AID_SENTENCE, bounds, number, percent, result_text
from sle_kg.report.scores import render_scores


def table(result, width=100) -> str:
    return render_outcomes(result, "table", width).decode()


def words(text: str) -> str:
    return " ".join(text.split())


def test_the_cohort_comes_first_with_both_denominators():
    text = table(sample.outcomes())
    assert text.index("Cohort: states") < text.index("Cohort: values") < text.index("Adverse events")
    assert text.index("Adverse events") < text.index("cart-01") < text.index("cart-02") < text.index("cart-03")
    assert "Infused  Evaluable  Reached  % of evaluable (95 % CI)  % of infused" in text
    assert "of the evaluable patients, with the exact 95 % confidence interval" in text
    assert "100 % (2.5 to 100)" in text


def test_windows_and_caveats_are_named():
    text = words(table(sample.outcomes()))
    assert "Time points are matched within half the distance" in text
    assert "The copy of the record states no visit windows." in text
    assert AID_SENTENCE in text


def test_what_is_not_known_is_shown_with_its_bounds_and_what_is_missing():
    text = table(sample.outcomes())
    assert "? not evaluable," in text and "at most -3.33" in text
    assert "cart-03, no day of infusion is known" in text
    assert "Missing: the date of the" in text


def test_what_is_missing_stands_once_with_its_time_points():
    row = sample.outcomes().cohort[1]
    later = replace(row, time_point="week 16", missing={"anti-dsDNA at baseline": 2})
    text = words(table(replace(sample.outcomes(), cohort=(row, later))))
    assert "O5 change of anti-dsDNA: anti-dsDNA at baseline; week 12 (1), week 16 (2)" in text


def test_a_large_cohort_names_how_many_patients_it_leaves_to_other_reports():
    many = replace(sample.outcomes(), patients=(sample.not_infused(),) * 23)
    assert table(many).count("cart-03, no day of infusion") == 20
    assert "3 more patients: see the CSV, HTML and JSON reports." in table(many)


def test_an_empty_cohort_says_so():
    assert "No outcome of the cohort: no patient was given." in table(sample.nobody())
    unknown = replace(sample.nobody(), patients=(sample.not_infused(),))
    assert "No outcome of the cohort: no patient is known to have been infused." in table(unknown)


@pytest.mark.parametrize("width", [80, 100])
def test_no_line_is_wider_than_asked_for(width):
    for result in (sample.outcomes(), sample.hostile()):
        assert max(map(len, table(result, width).splitlines())) <= width


def test_hostile_text_is_text():
    for text in (table(sample.hostile()), render_scores([sample.hostile_score()], "table").decode()):
        assert set("\x1b\x07\u202e\u202c") & set(text) == set()
        assert "[red]" in text


@pytest.mark.parametrize(
    ("value", "text"), [("0.666667", "0.67"), ("12.50", "12.5"), ("1E+2", "100"), ("-0.001", "0"), ("3", "3")]
)
def test_numbers_for_people(value, text):
    assert number(Decimal(value)) == text


def test_percentages_and_bounds():
    assert [percent(Decimal(p)) for p in ("1", "0.666667", "0")] == ["100 %", "66.7 %", "0 %"]
    one, two = Decimal(1), Decimal(2)
    assert [bounds(*pair) for pair in ((one, two), (one, one), (None, two), (one, None), (None, None))] == [
        "1 to 2",
        "1",
        "at most 2",
        "at least 1",
        "unknown",
    ]


def test_a_result_in_words():
    responder, unknown, _ = sample.outcomes().patients
    assert [result_text(result) for result in responder.results] == ["reached, 0", "12.5 [IU]/mL, change -187.5"]
    assert result_text(unknown.results[0]) == "not evaluable, 0 to 24"
