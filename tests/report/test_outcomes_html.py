"""The HTML report of outcomes is one file with plots that asks for nothing and says in words what the plots show."""

import datetime as dt
import re
from decimal import Decimal

import pytest

from report import outcome_sample as sample
from report.test_html import Reader
from sle_kg.report.outcomes_html import render_html
from sle_kg.report.outcomes_text import AID_SENTENCE
from sle_kg.report.svg import Scale
from sle_kg.report.svg_heatmap import heat_map
from sle_kg.report.svg_swimmer import StateKey, letter, swimmer_plot
from sle_kg.report.svg_trajectory import trajectory

NUMBERS = {"x", "y", "cx", "cy", "r", "width", "height", "viewbox", "font-size", "stroke-width"}


def read(result) -> Reader:
    reader = Reader()
    reader.feed(render_html(result).decode())
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def page() -> Reader:
    return read(sample.outcomes())


def test_it_holds_every_result_with_its_reason(page):
    text = " ".join(page.text.split())
    for patient in sample.outcomes().patients:
        assert patient.patient in text
        for result in patient.results:
            assert result.definition in text and result.reason in text
            assert all(missing in text for missing in result.missing)
    assert AID_SENTENCE in text
    assert "Infused" in text and "Evaluable" in text and "% of infused" in text


@pytest.mark.parametrize("result", [sample.outcomes(), sample.hostile(), sample.nobody()], ids=["all", "bad", "none"])
def test_it_is_self_contained(result):
    page = read(result)
    assert {tag for tag, _ in page.tags} & {"script", "link", "img", "image", "use", "iframe", "foreignobject"} == set()
    assert [a["href"] for a in page.of("a") if not a["href"].startswith("#")] == []
    html = render_html(result).decode()
    assert "url(" not in html
    assert [attributes for _, attributes in page.tags if any(name.startswith("on") for name in attributes)] == []
    assert [attributes for _, attributes in page.tags if "style" in attributes] == []


def test_every_plot_has_a_title_and_says_in_words_what_it_shows(page):
    plots = [svg for svg in page.of("svg") if svg["class"] == "plot"]
    ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(plots) == 4
    assert len(ids) == len(set(ids))
    for plot in plots:
        assert plot["role"] == "img"
        assert set(plot["aria-labelledby"].split()) <= set(ids)
    assert "SLEDAI-2K total score: day 0: 12; day 29: 4 to 8; day 83: 0." in page.text
    assert "Day 83: present none; 21 unknown." in page.text
    assert "LLDAS (official) met on day 29, 83" in page.text


def test_coordinates_are_whole_numbers(page):
    values = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in NUMBERS and value is not None
    ]
    assert len(values) > 100
    assert [value for value in values if not re.fullmatch(r"-?\d+( -?\d+)*", value)] == []


def test_colour_tells_nothing(page):
    shades = {attributes[name] for _, attributes in page.tags for name in ("fill", "stroke") if attributes.get(name)}
    assert {shade for shade in shades if not re.fullmatch(r"none|#(.)\1{2}|#(..)\2{2}", shade)} == set()


def test_hostile_text_is_text():
    page = read(sample.hostile())
    assert page.of("script") == []
    assert "<script>alert(1)</script>" in page.text
    assert set("\x1b\x07\u202e\u202c") & set(page.text) == set()


def test_a_patient_without_infusion_or_course_has_no_plot():
    patient = sample.not_infused()
    assert (trajectory(patient), heat_map(patient)) == (None, None)
    assert "no day of infusion is known" in render_html(sample.outcomes()).decode()


def test_an_empty_cohort_says_so():
    assert swimmer_plot(sample.nobody()) is None
    assert "No patient was given." in read(sample.nobody()).text


def test_an_unknown_score_is_a_whisker_and_never_a_dot():
    totals, pga, dose = trajectory(sample.responder()).panels
    assert [mark.y is None for mark in totals.marks] == [False, True, False]
    assert totals.segments == ()
    assert totals.marks[1].low > totals.marks[1].high
    assert (pga.marks[1].open_high, pga.marks[1].high) == (True, pga.top)
    assert [step.y is None for step in dose.steps] == [False, False, True, False]
    nothing, between = trajectory(sample.unknown_bounds()).panels[0].marks
    assert (nothing.y, nothing.low, between.y) == (None, None, None)


def test_a_dose_holds_until_the_next():
    steps = trajectory(sample.responder()).panels[2].steps
    assert [step.end for step in steps[:-1]] == [step.x for step in steps[1:]]


def test_a_stretch_joins_assessments_that_find_the_state_met():
    plot = swimmer_plot(sample.outcomes())
    clinical, lldas = plot.swimmers[0].lanes
    assert clinical.stretches == ()
    assert plot.states[0] == StateKey("A", "circle", "clinical SLEDAI-2K = 0")
    [(start, end)] = lldas.stretches
    assert plot.left < start < end == plot.swimmers[0].end
    assert [event.text for event in plot.swimmers[0].events] == ["a2", "b1-3"]
    assert plot.swimmers[0].events[0].y > plot.swimmers[0].events[1].y
    assert len(plot.notes) == 2


def test_every_item_of_the_instrument_has_a_cell_for_each_visit():
    plot = heat_map(sample.responder())
    assert (len(plot.rows), len(plot.columns), len(plot.cells)) == (24, 3, 72)
    of_arthritis = [cell.word for cell in plot.cells if (cell.y, "Arthritis") in plot.rows]
    of_proteinuria = [cell.word for cell in plot.cells if (cell.y, "Proteinuria") in plot.rows]
    assert of_arthritis == ["present", "present", "absent"]
    assert of_proteinuria == ["present", "unknown", "absent"]


def test_a_scale_is_exact_and_its_ticks_are_round():
    scale = Scale(Decimal(0), Decimal(3), 100, 10)
    assert [scale.at(Decimal(value)) for value in ("0", "0.3", "3", "9")] == [100, 91, 10, 10]
    assert [tick.text for tick in Scale(Decimal(-30), Decimal(173), 0, 700).ticks(10)] == [
        str(day) for day in range(0, 174, 50)
    ]


def test_adverse_events_have_short_names():
    assert [letter(number) for number in (0, 25, 26, 27, 701, 702)] == ["a", "z", "aa", "ab", "zz", "aaa"]


def test_one_day_is_enough_for_a_plot():
    patient = sample.PatientOutcomes(
        "x", None, (), course=sample.Course(scores={"pga": (sample.point(dt.date(2026, 1, 1), 0),)})
    )
    plot = trajectory(patient)
    assert plot.infusion is None
    assert plot.axis == "days since the first assessment (2026-01-01)"
