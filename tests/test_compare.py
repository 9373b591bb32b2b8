"""Trials side by side: what stands beside what, where it is from, and that it is safe to show."""

from __future__ import annotations

import csv
import io
import json
import re

import pyoxigraph as ox
import pytest

from sle_kg.compare import FORMATS, Comparison, Row, Statement, Topic, TrialColumn, compare, compare_in, render
from sle_kg.errors import InputError
from sle_kg.graph import build_store
from sle_kg.namespaces import SLE, TRIAL, XSD

N = ox.NamedNode
FIVE = ["NCT06106906", "NCT06150651", "NCT06653556", "NCT06710717", "NCT06892145"]


@pytest.fixture(scope="module")
def store() -> ox.Store:
    return build_store()


@pytest.fixture(scope="module")
def five(store: ox.Store) -> Comparison:
    return compare_in(store)


def row(comparison: Comparison, trial: str, id: str) -> Row:
    rows = [row for topic in comparison.topics for row in topic.cells.get(trial, ()) if row.id == id]
    assert len(rows) == 1
    return rows[0]


def statements(comparison: Comparison, feature: str, trial: str) -> list[Statement]:
    (found,) = (found for found in comparison.design if found.name == feature)
    return list(found.cells.get(trial, ()))


def test_all_modelled_trials_stand_beside_each_other_by_default(five: Comparison) -> None:
    assert [trial.id for trial in five.trials] == FIVE
    assert {trial.as_of for trial in five.trials} == {"2026-08-22"}


def test_the_trials_asked_for_stand_in_the_order_asked_once(store: ox.Store) -> None:
    asked = ["NCT06892145", "NCT06150651", "NCT06892145"]
    assert [trial.id for trial in compare_in(store, asked).trials] == ["NCT06892145", "NCT06150651"]


@pytest.mark.parametrize("id", ["NCT1", "", "a b", "NCT06892145/I04", "../x"])
def test_a_number_that_is_no_trial_is_named(store: ox.Store, id: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(id)}: no trial of the graph; modelled are NCT06106906"):
        compare_in(store, [id])


def test_every_row_of_the_records_has_its_place(five: Comparison, store: ox.Store) -> None:
    placed = [f"{id}/{row.id}" for topic in five.topics for id, rows in topic.cells.items() for row in rows]
    rows = {str(quad.subject.value) for quad in store.quads_for_pattern(None, N(SLE + "criterionId"), None)}
    assert sorted(TRIAL + name for name in placed) == sorted(rows)


@pytest.mark.parametrize(
    ("trial", "id", "condition"),
    [
        ("NCT06892145", "I04", "SLEDAI-2K total score ≥ 7"),
        ("NCT06106906", "I03", "Body weight ≥ 40 kg"),
        ("NCT06106906", "I02", "age at consent ≥ 18 years and age at consent ≤ 70 years"),
        ("NCT06150651", "I03.3a", "NIH activity index > 6"),
        ("NCT06150651", "I03.1b2", "daily dose of Azathioprine ≥ 1.5 mg/kg/d"),
        ("NCT06106906", "E20a", "Commercially available JAK inhibitors within 3 half-lives before screening"),
        ("NCT06106906", "E26a", "Major surgery within 28 days before lymphodepletion"),
        ("NCT06892145", "I06", "I06a and I06b and I06c and I06d and I06e"),
        ("NCT06106906", "E11b", "Hepatitis C antibody positive"),
        ("NCT06710717", "O2", "Weeks 4, 8, 12, 16, 20, 24,28 after CAR-T cells infusion"),
    ],
)
def test_a_condition_in_words(five: Comparison, trial: str, id: str, condition: str) -> None:
    assert row(five, trial, id).condition == condition


def test_thresholds_come_from_the_graph() -> None:
    store = build_store()
    (quad,) = store.quads_for_pattern(N(TRIAL + "NCT06892145/I04/condition"), N(SLE + "minInclusive"), None)
    store.remove(quad)
    store.add(ox.Quad(quad.subject, quad.predicate, ox.Literal("9.50", datatype=N(XSD + "decimal"))))
    assert row(compare_in(store), "NCT06892145", "I04").condition == "SLEDAI-2K total score ≥ 9.5"


def test_the_default_reading_stands_first_and_the_other_beside_it(five: Comparison) -> None:
    found = row(five, "NCT06892145", "I03d")
    assert found.condition == "number of drugs: Conventional immunosuppressant ≥ 2"
    assert found.readings == (("A3-04=literal", "number of drugs: Conventional immunosuppressant < 2"),)


def test_rows_about_one_thing_stand_in_one_topic(five: Comparison) -> None:
    (age,) = (topic for topic in five.topics if topic.key == "topic-age")
    assert {id: [row.id for row in rows] for id, rows in age.cells.items()} == {
        "NCT06106906": ["I02"],
        "NCT06150651": ["I01"],
        "NCT06892145": ["I02"],
    }


def test_a_design_value_names_its_source_date_and_quotation(five: Comparison) -> None:
    planned, actual = statements(five, "enrolment", "NCT06150651")
    assert (planned.value, actual.value, actual.as_of) == ("planned: 6", "3 (ACTUAL)", "2026-08-22")
    (vector,) = statements(five, "vector", "NCT06150651")
    assert (vector.source, vector.quotation) == ("sources/NCT06150651.txt", "PiggyBac transposon-mediated")
    assert all(s.source for feature in five.design for cell in feature.cells.values() for s in cell)


def test_a_registered_trial_is_compared_by_its_fields_alone() -> None:
    comparison = compare(["NCT04146051", "NCT06892145"])
    assert [s.value for s in statements(comparison, "enrolment", "NCT04146051")] == ["30"]
    assert "NCT04146051" not in {id for topic in comparison.topics for id in topic.cells}
    assert comparison.trials[0].absent == ("Not modelled: only the registry's structured fields are compared.",)


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_shows_thresholds_with_quotations(five: Comparison, form: str) -> None:
    text = render(five, form, 200)
    for words in ("SLEDAI-2K total score ≥ 7", "SLEDAI-2K score ≥7 points", "NCT06653556", "2026-08-22"):
        assert words in re.sub(r"\\(.)", r"\1", text)
    assert render(five, form, 200) == text


def test_json_and_csv_hold_every_row(five: Comparison) -> None:
    document = json.loads(render(five, "json"))
    ids = [(id, row["id"]) for topic in document["criteria"] for id, rows in topic["cells"].items() for row in rows]
    lines = list(csv.DictReader(io.StringIO(render(five, "csv"))))
    assert [(line["trial"], line["row"]) for line in lines if line["section"] == "criteria"] == ids
    assert len(ids) == 161


def test_a_table_keeps_to_its_width(five: Comparison) -> None:
    assert max(len(line) for line in render(five, "table", 100).splitlines()) <= 100


def test_an_unknown_format_is_said(five: Comparison) -> None:
    with pytest.raises(InputError, match="choose one of table, json"):
        render(five, "pdf")


HOSTILE = '<script>alert("x")</script> | **b** [x](javascript:y)'


def hostile() -> Comparison:
    trial = TrialColumn("NCT00000000", HOSTILE, HOSTILE, "2026-01-01", (HOSTILE,))
    found = Row("I01", "inclusion", None, HOSTILE, HOSTILE, ((HOSTILE, HOSTILE),))
    return Comparison((trial,), (), (Topic("t", HOSTILE, {"NCT00000000": (found,)}),))


def test_text_cannot_become_markup() -> None:
    assert "<script>alert" not in render(hostile(), "html")
    row = next(line for line in render(hostile(), "markdown").splitlines() if "**I01**" in line)
    assert len(re.findall(r"(?<!\\)\|", row)) == 3
    assert re.findall(r"(?<!\\)[<\[]", row) == ["["]


def test_html_asks_for_nothing_from_elsewhere(five: Comparison) -> None:
    text = render(five, "html")
    assert re.findall(r"<(?:img|link|iframe|object|embed)\b|\bsrc=|\bhref=|@import|url\(", text) == []
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None and policy[1].startswith("default-src 'none'; style-src 'sha256-")
    assert len(re.findall(r"<script>", text)) == 1
