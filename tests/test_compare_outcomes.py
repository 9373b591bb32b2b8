"""Outcomes side by side: what is measured when, what could be pooled, what only looks alike, what cannot be shown."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from dataclasses import replace
from functools import cache

import pyoxigraph as ox
import pytest

from sle_kg.cli import main
from sle_kg.compare import FORMATS, OutcomeComparison, compare_outcomes, compare_outcomes_in, render_outcomes
from sle_kg.compare.outcomes import Measure, Pair
from sle_kg.errors import InputError
from sle_kg.graph import as_rdflib, graph_quads
from sle_kg.namespaces import SLE, TRIAL, XSD
from sle_kg.outcomes import load_outcomes
from sle_kg.queries import load, run

N = ox.NamedNode
MALAYSIA, WUHAN = "NCT06710717", "NCT06653556"


@pytest.fixture(scope="module")
def five() -> OutcomeComparison:
    return compare_outcomes()


@cache
def quads() -> list[ox.Quad]:
    """The whole graph, read once."""
    return graph_quads()


@pytest.fixture
def copy() -> ox.Store:
    """A graph that the test may change."""
    store = ox.Store()
    store.bulk_extend(quads())
    return store


def integer(store: ox.Store, subject: str, name: str, *numbers: int) -> None:
    """Give a property of a trial's node these whole numbers, beside those that it has."""
    for number in numbers:
        store.add(ox.Quad(N(TRIAL + subject), N(SLE + name), ox.Literal(number)))


def put(store: ox.Store, subject: str, name: str, value: ox.Literal | ox.NamedNode) -> None:
    """Put a value in the place of the one that must be there."""
    (quad,) = store.quads_for_pattern(N(subject), N(SLE + name), None)
    store.remove(quad)
    store.add(ox.Quad(quad.subject, quad.predicate, value))


def name(measure: Measure) -> str:
    return f"{measure.trial} {measure.row} {measure.key}"


def pair(pairs: tuple[Pair, ...], left: str, right: str) -> Pair:
    (found,) = (pair for pair in pairs if {name(pair.left), name(pair.right)} == {left, right})
    return found


def differences(found: Pair) -> dict[str, tuple[str, str]]:
    return {difference.aspect: (difference.left, difference.right) for difference in found.differences}


# ---- the matrix ------------------------------------------------------------------------------------------------------


def cells(comparison: OutcomeComparison, instrument: str) -> dict[str, dict[str, tuple[str, ...]]]:
    (found,) = (row.cells for row in comparison.matrix if row.key == instrument)
    return found


def test_an_instrument_stands_at_the_time_points_of_each_trial(five: OutcomeComparison) -> None:
    found = cells(five, "sledai2kTotal")
    assert found["week 4"] == {MALAYSIA: ("O2",)}
    assert found["own visits, at least to week 104"][WUHAN] == ("O5", "O7", "O7 (A4-05=official)", "O7.1", "O7.2")
    assert found["screening"] == {"NCT06150651": ("I03.1c2",), "NCT06892145": ("I03g, I04",)}
    assert cells(five, "antiDsDna")["month 3"] == {MALAYSIA: ("O5", "X2")}


def test_every_outcome_row_has_its_place_in_the_matrix(five: OutcomeComparison) -> None:
    placed = {
        (trial, row.split(" ")[0])
        for line in five.matrix
        for trials in line.cells.values()
        for trial, rows in trials.items()
        for row in rows
        if trial in load_outcomes()
    }
    assert placed == {(trial, row.id) for trial, rows in load_outcomes().items() for row in rows}


def test_versions_and_scales_are_rows_of_their_own(five: OutcomeComparison) -> None:
    assert list(cells(five, "selenaSledaiTotal")) == ["screening"]
    assert cells(five, "facitF")["week 4"] == {MALAYSIA: ("O6 (A2-06=facit-f)",)}
    assert cells(five, "facitFatigue")["week 4"] == {MALAYSIA: ("O6",)}


def test_time_points_are_in_the_order_of_time(five: OutcomeComparison) -> None:
    assert five.time_points[:7] == ("screening", "week 4", "month 1", "week 8", "week 12", "month 3", "week 16")


# ---- what could be pooled --------------------------------------------------------------------------------------------


def test_as_the_records_stand_nothing_could_be_pooled(five: OutcomeComparison) -> None:
    assert five.poolable == ()


def test_a_shared_time_point_makes_equal_measures_poolable_there(copy: ox.Store) -> None:
    integer(copy, f"{WUHAN}/O9", "atMonth", 3, 4)
    comparison = compare_outcomes_in(copy)
    assert {(pair.left.key, pair.right.key, pair.time_points) for pair in comparison.poolable} == {
        (key, key, ("month 3",)) for key in ("antiDsDna", "antiSm", "antiDsDnaNegative", "antiSmNegative")
    }
    found = pair(comparison.poolable, f"{WUHAN} O9 antiDsDna", f"{MALAYSIA} O5 antiDsDna")
    assert differences(found) == {
        "time points": ("month 3, 4", "month 1, 3, 6, 9, 12, 15, 18, 21, 24"),
        "number of the day of infusion": ("1", "0"),
    }


def test_a_value_and_a_change_are_not_pooled(copy: ox.Store) -> None:
    integer(copy, f"{WUHAN}/O9", "atMonth", 3)
    put(copy, f"{TRIAL}{WUHAN}/O9/definition/4", "reports", ox.Literal("value"))
    comparison = compare_outcomes_in(copy)
    assert {pair.left.key for pair in comparison.poolable} == {"antiSm", "antiDsDnaNegative", "antiSmNegative"}
    found = pair(comparison.look_alikes, f"{WUHAN} O9 antiDsDna", f"{MALAYSIA} O5 antiDsDna")
    assert differences(found)["what is reported"] == ("value", "change")


def test_another_threshold_is_not_pooled(copy: ox.Store) -> None:
    integer(copy, f"{WUHAN}/O7", "atWeek", 12)
    put(copy, f"{TRIAL}{MALAYSIA}/O2/definition/2", "condition", N(f"{SLE}lldas"))
    assert compare_outcomes_in(copy).poolable == ()


def test_remission_asked_alike_at_the_same_weeks_could_be_pooled(copy: ox.Store) -> None:
    integer(copy, f"{WUHAN}/O7", "atWeek", 12)
    put(copy, f"{TRIAL}{WUHAN}/O7/definition/1", "condition", N(f"{SLE}doris2021"))
    (found,) = compare_outcomes_in(copy).poolable
    assert (name(found.left), name(found.right), found.time_points) == (
        f"{WUHAN} O7 lldas",
        f"{MALAYSIA} O2 doris2021",
        ("week 12",),
    )


# ---- what only looks alike -------------------------------------------------------------------------------------------


def test_the_two_lldas_differ_in_treatment_haemolysis_and_gut(five: OutcomeComparison) -> None:
    found = differences(pair_of_readings(five, f"{WUHAN} O7 lldas"))
    assert found["Haemolytic anaemia"][0] == ""
    assert found["Gastrointestinal lupus"] == ("", "not Gastrointestinal lupus (current)")
    assert found["Mycophenolate mofetil"] == ("", "daily dose of Mycophenolate mofetil ≤ 3000 mg/d")
    assert "Physician global assessment 0-3" not in found


def pair_of_readings(comparison: OutcomeComparison, measure: str) -> Pair:
    (found,) = (pair for pair in comparison.look_alikes if name(pair.left) == name(pair.right) == measure)
    return found


def test_a_changed_threshold_is_a_difference_more(copy: ox.Store) -> None:
    leaf = f"{SLE}lldas-3-condition"
    put(copy, leaf, "maxInclusive", ox.Literal("0.9", datatype=N(XSD + "decimal")))
    found = differences(pair_of_readings(compare_outcomes_in(copy), f"{WUHAN} O7 lldas"))
    assert found["Physician global assessment 0-3"] == ("≤ 1", "≤ 0.9")


def test_facit_scales_differ_in_range(five: OutcomeComparison) -> None:
    found = pair(five.look_alikes, f"{MALAYSIA} O6 facitFatigue", f"{MALAYSIA} O6 facitF")
    assert differences(found)["range"] == ("0 to 52", "0 to 160")


def test_protein_and_ratio_differ_in_unit(five: OutcomeComparison) -> None:
    found = pair(five.look_alikes, f"{WUHAN} O8 urineProtein24h", f"{WUHAN} O8 upcr")
    assert differences(found)["unit"] == ("g/(24.h)", "mg/g{creat}")


def test_selena_and_sledai_2k_differ_in_window_and_items(five: OutcomeComparison) -> None:
    found = differences(
        pair(five.look_alikes, "NCT06106906 I05a selenaSledaiTotal", "NCT06892145 I03g, I04 sledai2kTotal")
    )
    assert found["days that an assessment looks back"] == ("10", "30")
    assert all("roteinuria" in side for side in found["items defined otherwise"])


def test_a_change_of_sledai_2k_is_no_clinical_sledai_of_zero(five: OutcomeComparison) -> None:
    found = differences(pair(five.look_alikes, f"{WUHAN} O5 sledai2k", f"{MALAYSIA} O2 clinicalSledai"))
    assert found == {
        "what is computed": (
            "change of SLEDAI-2K total score since baseline",
            "whether SLEDAI-2K total score, clinical items ≤ 0",
        ),
        "time points": ("own visits, at least to week 104", "week 4, 8, 12, 16, 20, 24, 28"),
        "number of the day of infusion": ("1", "0"),
    }


def test_low_disease_activity_and_remission_differ_threshold_by_threshold(five: OutcomeComparison) -> None:
    found = differences(pair(five.look_alikes, f"{WUHAN} O7 lldas", f"{MALAYSIA} O2 doris2021"))
    assert found["Physician global assessment 0-3"] == ("≤ 1", "< 0.5")
    assert found["Systemic glucocorticoid"] == (
        "daily dose of Systemic glucocorticoid (as prednisone) ≤ 7.5 mg/d",
        "daily dose of Systemic glucocorticoid (as prednisone) ≤ 5 mg/d",
    )


def test_the_same_measure_at_other_times_says_only_that(five: OutcomeComparison) -> None:
    found = pair(five.look_alikes, f"{WUHAN} O6 pga", f"{MALAYSIA} O3 pga")
    assert set(differences(found)) == {"time points", "number of the day of infusion"}
    assert found.time_points == ()


def test_adverse_events_differ_in_scale_and_time(five: OutcomeComparison) -> None:
    found = differences(pair(five.look_alikes, f"{WUHAN} O1 adverseEvents", f"{MALAYSIA} O1 adverseEvents"))
    assert found["grading scale"] == ("", "ASTCT CRS 2019, ASTCT ICANS 2019, CTCAE v5.0")
    assert found["time points"] == ("follow-up, at least to week 104", "day 0 to month 24")


# ---- what the schedule cannot show -----------------------------------------------------------------------------------


def unshown(comparison: OutcomeComparison) -> dict[str, str]:
    return {found.measure.row: found.why for found in comparison.beyond_schedule}


def test_what_is_promised_beyond_the_schedule_is_named_with_the_reason(five: OutcomeComparison) -> None:
    found = unshown(five)
    assert list(found) == ["X2", "X3", "X4", "X5", "X7"]
    assert found["X3"] == "It must last 12 months, and O2 is measured to week 28 at the latest."
    assert found["X2"] == (
        "No outcome measure of the record assesses Complement C3 ≥ 1 × LLN and Complement C4 ≥ 1 × LLN."
    )
    assert found["X5"] == "No outcome measure of the record assesses not Systemic immunosuppressants (ongoing)."


@pytest.mark.parametrize(("week", "named"), [(52, True), (53, False)])
def test_a_schedule_of_more_than_a_year_shows_twelve_months(copy: ox.Store, week: int, named: bool) -> None:
    integer(copy, f"{MALAYSIA}/O2", "atWeek", week)
    assert ("X3" in unshown(compare_outcomes_in(copy))) is named


def test_an_outcome_promised_when_nobody_measures_it_is_named(copy: ox.Store) -> None:
    integer(copy, f"{MALAYSIA}/X1", "atWeek", 5)
    assert unshown(compare_outcomes_in(copy))["X1"] == (
        "It is promised at week 5; O2 is measured at week 4, 8, 12, 16, 20, 24, 28."
    )


# ---- the same from the query library ---------------------------------------------------------------------------------


def answers(store: ox.Store, query: str, *columns: str) -> set[tuple[str, ...]]:
    result = run(load(query), as_rdflib(store))
    places = [result.columns.index(column) for column in columns]
    return {tuple(str(row[place]) for place in places) for row in result.rows}


def test_the_query_on_poolable_outcomes_finds_the_same_pairs(copy: ox.Store) -> None:
    integer(copy, f"{WUHAN}/O9", "atMonth", 3, 6)
    integer(copy, f"{WUHAN}/O6", "atWeek", 12)
    found = answers(copy, "poolable-outcomes", "trial", "row", "measure", "otherTrial", "otherRow", "timePoint")
    assert found == {
        (pair.left.trial, pair.left.row, pair.left.key, pair.right.trial, pair.right.row, point)
        for pair in compare_outcomes_in(copy).poolable
        for point in pair.time_points
    }
    assert len(found) == 9


def test_the_query_on_look_alikes_finds_every_pair_of_outcome_measures(five: OutcomeComparison, copy: ox.Store) -> None:
    columns = ("trial", "row", "measure", "otherTrial", "otherRow", "otherMeasure")
    expected = {
        (pair.left.trial, pair.left.row, pair.left.key, pair.right.trial, pair.right.row, pair.right.key)
        for pair in five.look_alikes
        if pair.left.trial != pair.right.trial and {pair.left.use, pair.right.use} == {"measure"} and pair.left.measured
    }
    assert expected <= answers(copy, "look-alike-outcomes", *columns)


def test_the_query_on_the_schedule_names_the_same_outcomes(five: OutcomeComparison, copy: ox.Store) -> None:
    assert answers(copy, "outcomes-beyond-schedule", "trial", "row") == {
        (found.measure.trial, found.measure.row) for found in five.beyond_schedule
    }
    integer(copy, f"{MALAYSIA}/O2", "atWeek", 53)
    assert (MALAYSIA, "X3") not in answers(copy, "outcomes-beyond-schedule", "trial", "row")


def test_the_query_on_the_matrix_has_the_same_cells(five: OutcomeComparison, copy: ox.Store) -> None:
    found = answers(copy, "outcome-matrix", "instrument", "timePoint", "trial", "rows")
    for key in ("sledai2kTotal", "pga", "doris2021", "antiDsDna", "c3"):
        expected = {
            (key, point, trial, ", ".join(dict.fromkeys(row.split(" (")[0] for row in rows)))
            for point, trials in cells(five, key).items()
            for trial, rows in trials.items()
        }
        assert {row for row in found if row[0] == key} == expected


# ---- which trials ----------------------------------------------------------------------------------------------------


def test_one_trial_is_compared_with_itself_alone() -> None:
    comparison = compare_outcomes([MALAYSIA])
    assert [trial.id for trial in comparison.trials] == [MALAYSIA]
    assert {pair.left.row for pair in comparison.look_alikes} == {"O6", "X6"}


def test_a_registered_trial_has_no_outcomes_to_compare() -> None:
    comparison = compare_outcomes(["NCT04146051"])
    assert (comparison.matrix, comparison.look_alikes, comparison.beyond_schedule) == ((), (), ())
    assert comparison.trials[0].absent == ("Not modelled: only the registry's structured fields are compared.",)


def test_a_number_that_is_no_trial_is_named() -> None:
    with pytest.raises(InputError, match=r"^NCT1: no trial of the graph"):
        compare_outcomes(["NCT1"])


# ---- formats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_says_what_looks_alike_and_what_is_not_shown(five: OutcomeComparison, form: str) -> None:
    text = render_outcomes(five, form, 400)
    plain = re.sub(r"\\(.)", r"\1", text)
    for words in ("0 to 160", "It must last 12 months", "SELENA-SLEDAI total score", WUHAN, "month 3"):
        assert words in plain
    assert render_outcomes(five, form, 400) == text


@pytest.mark.parametrize("form", FORMATS)
def test_a_comparison_without_anything_is_printed_too(form: str) -> None:
    empty = replace(compare_outcomes(["NCT04146051"]), trials=())
    assert render_outcomes(empty, form)


def test_json_holds_matrix_pairs_and_reasons(five: OutcomeComparison) -> None:
    document = json.loads(render_outcomes(five, "json"))
    assert list(document) == ["note", "trials", "timePoints", "matrix", "poolable", "lookAlikes", "beyondSchedule"]
    assert len(document["lookAlikes"]) == len(five.look_alikes)
    assert document["matrix"][0]["cells"]["week 4"] == {MALAYSIA: ["O2"]}
    assert document["beyondSchedule"][1]["quotation"] == "Sustained DORIS remission for at least 12 months"


def test_csv_has_a_line_for_every_entry(five: OutcomeComparison) -> None:
    lines = list(csv.DictReader(io.StringIO(render_outcomes(five, "csv"))))
    sections = [line["section"] for line in lines]
    entries = sum(len(trials) for row in five.matrix for trials in row.cells.values())
    assert sections.count("matrix") == entries
    assert sections.count("look-alike") == sum(len(pair.differences) for pair in five.look_alikes)
    assert sections.count("beyond-schedule") == len(five.beyond_schedule)


def test_a_poolable_pair_is_printed_in_every_format(copy: ox.Store) -> None:
    integer(copy, f"{WUHAN}/O9", "atMonth", 3)
    comparison = compare_outcomes_in(copy)
    assert "None: no two outcomes" not in render_outcomes(comparison, "markdown")
    assert "both at month 3" in render_outcomes(comparison, "table")
    assert json.loads(render_outcomes(comparison, "json"))["poolable"][0]["timePoints"] == ["month 3"]
    lines = list(csv.DictReader(io.StringIO(render_outcomes(comparison, "csv"))))
    assert {line["timePoints"] for line in lines if line["section"] == "poolable"} == {"month 3"}


def test_a_table_keeps_to_its_width(five: OutcomeComparison) -> None:
    assert max(len(line) for line in render_outcomes(five, "table", 100).splitlines()) <= 100


def test_html_asks_for_nothing_from_elsewhere_and_text_stays_text(five: OutcomeComparison) -> None:
    hostile = '<script>alert("x")</script>'
    first = five.look_alikes[0]
    changed = replace(five, look_alikes=(replace(first, left=replace(first.left, words=hostile)),))
    text = render_outcomes(changed, "html")
    assert "<script" not in text and "&lt;script&gt;" in text
    assert re.findall(r"<(?:img|link|iframe|object|embed)\b|\bsrc=|\bhref=|@import|url\(", text) == []


def test_html_can_be_heard(five: OutcomeComparison) -> None:
    text = render_outcomes(five, "html")
    assert text.count("<main>") == text.count("</main>") == 1
    tables = re.findall(r"<table[^>]*>.*?</table>", text, re.DOTALL)
    assert [table for table in tables if '<th scope="row"' not in table] == []
    for table in tables:
        named = re.match(r'<table aria-labelledby="([a-z-]+)">', table)
        assert "<caption>" in table if named is None else f'<h2 id="{named[1]}">' in text


def test_the_command_line_compares_on_outcomes(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], five: OutcomeComparison
) -> None:
    monkeypatch.setattr(sys, "argv", ["sle-kg", "compare", "--on", "outcomes", "--format", "csv"])
    with pytest.raises(SystemExit) as done:
        main()
    assert (done.value.code, capsysbinary.readouterr().out.decode()) == (0, render_outcomes(five, "csv"))


def test_an_unknown_format_is_said(five: OutcomeComparison) -> None:
    with pytest.raises(InputError, match="choose one of table, json"):
        render_outcomes(five, "pdf")
