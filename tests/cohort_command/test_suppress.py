"""Small cells: none is shown, and none follows from those that are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohort_command.printed_cohorts import SHAPES, Kind, cells, counted, kinds, small_counts_told
from sle_kg.cohort.summary import CohortSummary
from sle_kg.cohort.suppress import suppressed
from sle_kg.report.cohort import render_cohort, suppressed_sentence
from sle_kg.report.cohort_html import flow

Cohort = tuple[tuple[int, int], dict[Kind, int]]


@st.composite
def cohorts(draw: st.DrawFn) -> Cohort:
    """Up to 100 patients of a few kinds, screened for one to three trials."""
    shape = draw(st.sampled_from(SHAPES))
    return shape, draw(st.dictionaries(st.sampled_from(kinds(shape)), st.integers(1, 12), min_size=1, max_size=9))


@settings(max_examples=20, deadline=None)
@given(cohorts(), st.integers(2, 9))
def test_no_small_count_is_shown_nor_follows_from_those_that_are(cohort: Cohort, below: int) -> None:
    shape, people = cohort
    assert small_counts_told(people, shape, below) == []


@settings(max_examples=30, deadline=None)
@given(cohorts(), st.integers(2, 9))
def test_what_is_shown_is_true_and_no_patient_is(cohort: Cohort, below: int) -> None:
    shape, people = cohort
    summary = counted(people, shape)
    made, true = suppressed(summary, below), cells(summary)
    assert all(count is None or count == true[path] for path, count in cells(made).items())
    assert all(trial.candidates == () for trial in made.trials)
    assert made.suppressed_below == below


@pytest.mark.parametrize("below", [0, 1])
def test_nothing_is_suppressed_unless_asked_for(below: int) -> None:
    summary = counted({kinds((1, 4))[0]: 3}, (1, 4))
    assert suppressed(summary, below) is summary


def test_nothing_more_is_hidden_where_no_count_is_small() -> None:
    """A hundred patients of each kind: everything is 0 or at least 100."""
    summary = counted(dict.fromkeys(kinds((1, 4)), 100), (1, 4))
    made = cells(suppressed(summary, 10))
    assert all(made[path] == count for path, count in cells(summary).items() if count is not None)


def funnel_of(*left: int | None, failing: tuple[int | None, ...]) -> CohortSummary:
    """A funnel of four rows with these patients left, of 300; 105 are not excluded."""
    summary = counted({kinds((1, 4))[0]: 300}, (1, 4))
    (trial,) = summary.trials
    steps = tuple(
        replace(step, left=count, failing=fails) for step, count, fails in zip(trial.funnel, left, failing, strict=True)
    )
    return replace(summary, trials=(replace(trial, funnel=steps, candidates_in_all=105),), suppressed_below=10)


def boxes(summary: CohortSummary) -> list[tuple[str, ...]]:
    (trial,) = summary.trials
    return [box.lines for box in flow(summary, trial).boxes][1:-3]


def test_the_diagram_charges_no_row_with_whom_others_excluded() -> None:
    names = [step.row for step in funnel_of(1, 1, 1, 1, failing=(1, 1, 1, 1)).trials[0].funnel]
    hidden = funnel_of(279, None, 268, None, failing=(21, None, None, None))
    assert [(lines[0].split(":")[0], lines[1]) for lines in boxes(hidden)] == [
        (names[0], "excluded: 21"),
        (f"{names[1]} to {names[2]}", "excluded: 11"),
        (names[3], "excluded: not shown"),
    ]


def test_a_row_that_nobody_fails_has_no_box_in_the_diagram() -> None:
    names = [step.row for step in funnel_of(1, 1, 1, 1, failing=(1, 1, 1, 1)).trials[0].funnel]
    assert [lines[0].split(":")[0] for lines in boxes(funnel_of(300, None, None, 105, failing=(0, 0, 195, 0)))] == [
        names[2]
    ]
    assert boxes(funnel_of(300, None, None, None, failing=(0, 0, 0, 0))) == []


def test_small_and_other_hidden_counts_look_the_same_in_every_form() -> None:
    kind, other, third = kinds((1, 4))[0], kinds((1, 4))[1], kinds((1, 4))[-1]
    summary = suppressed(counted({kind: 3, other: 50, third: 60}, (1, 4)), 10)
    assert summary.trials[0].verdicts == {"eligible": None, "undetermined": None, "ineligible": 60}
    text, page = (render_cohort(summary, form).decode() for form in ("table", "html"))
    (line,) = [line for line in text.splitlines() if line.startswith("NCT") and "60" in line]
    assert line.split()[1:4] == ["–", "–", "60"]
    assert "(<10)" not in text and "(&lt;10)" not in page
    assert suppressed_sentence(10) in " ".join(text.split())
    assert "below 10, or would give such a one away" in page
    assert "not shown" in "".join(texts_of(page))
    assert json.loads(render_cohort(summary, "json"))["trials"][0]["verdicts"]["undetermined"] is None


def texts_of(page: str) -> Iterator[str]:
    """The texts of the first drawing of a page."""
    drawing = ElementTree.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])
    for text in drawing.iter("{http://www.w3.org/2000/svg}text"):
        yield text.text or ""


def test_the_order_of_the_work_list_tells_nothing_that_is_hidden() -> None:
    """Rows of which nothing is shown stand in the record's order."""
    open_in = [kind for kind in kinds((1, 4)) if kind[0][0].count("unknown") == 1 and "pass" in kind[0][0]]
    last, first = (next(kind for kind in open_in if kind[0][0][row] == "unknown") for row in (3, 0))
    summary = counted({last: 4, first: 2, kinds((1, 4))[0]: 90}, (1, 4))
    (trial,) = summary.trials
    summary = replace(summary, trials=(replace(trial, work=trial.work[::-1]),))
    shown = suppressed(summary, 10).trials[0].work
    assert {one.settles for one in shown} == {None}
    assert [one.row for one in shown] == [one.row for one in trial.work]
