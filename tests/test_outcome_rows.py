"""Outcome rows of the trial files: every row of the fact base is there, with its schedule and its definitions."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pyoxigraph as ox
import pytest
import rdflib

from sle_kg import criteria as c
from sle_kg.check import shape_faults
from sle_kg.definitions import states
from sle_kg.errors import TrialFileError
from sle_kg.graph import build_store
from sle_kg.namespaces import RDF, SLE, TRIAL, XSD
from sle_kg.outcomes import Outcome, OutcomeDefinition, load_outcomes, outcomes_in
from sle_kg.resources import path

FACTS = Path(__file__).parent / "facts"
SEEDS = {"002": "NCT06710717", "004": "NCT06653556"}
N = ox.NamedNode


def outcome(trial: str, id: str) -> Outcome:
    (found,) = (row for row in load_outcomes()[trial] if row.id == id)
    return found


def definition(trial: str, id: str, key: str) -> OutcomeDefinition:
    found = [definition for definition in outcome(trial, id).definitions if definition.key == key]
    assert found
    return found[0]


def test_every_outcome_row_of_the_inventory_is_there_in_its_order() -> None:
    with (FACTS / "criteria_inventory.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] not in ("inclusion", "exclusion")]
    expected = [(SEEDS[row["seed"]], row["id"].split("-", 1)[1], row["exact_text"], row["parent"]) for row in rows]
    found = [
        (trial, row.id, row.text, row.parent or "") for trial, outcomes in load_outcomes().items() for row in outcomes
    ]
    assert sorted(found) == sorted(expected)
    for trial, outcomes in load_outcomes().items():
        assert [row.id for row in outcomes] == [id for nct, id, *_ in expected if nct == trial]


MEASURES = {
    "NCT06710717": {
        "O1": ["adverseEvents events"],
        "O2": ["clinicalSledai state", "doris2021 state"],
        "O3": ["undefined undefined", "bilag change", "pga change", "sdi change"],
        "O4": ["bCellAplasia state", "bCellsCd19 value"],
        "O5": [
            *("antiDsDna change", "anaTiter change", "antiSm change"),
            *("antiDsDnaNegative state", "anaNegative state", "antiSmNegative state"),
        ],
        "O6": ["facitFatigue value", "facitF value"],
        "X1": ["doris2021 state"],
        "X2": ["serologicRemission state"],
        "X3": ["sustainedDoris2021 duration"],
        "X4": ["undefined undefined"],
        "X5": ["drugFreeRemission duration"],
        "X6": ["facitFatigue change", "facitF change"],
        "X7": ["undefined undefined"],
    },
    "NCT06653556": {
        "O1": ["adverseEvents events"],
        "O2": ["doseLimitingToxicity events"],
        "O3": ["carTCellsBlood value"],
        "O4": ["undefined undefined"],
        "O5": ["sledai2k change"],
        "O6": ["pga change"],
        "O7": ["lldas state", "lldas state"],
        "O7.1": ["lldas1 state"],
        "O7.2": ["lldas2 state"],
        "O7.3": ["lldas3 state"],
        "O7.4": ["lldas4 state"],
        "O8": ["urineProtein24h change", "upcr change"],
        "O9": [
            *("igG change", "igA change", "igM change", "antiDsDna change", "antiSm change"),
            *("antiDsDnaNegative state", "antiSmNegative state", "newAntiDrugAntibody state"),
        ],
    },
}
"""How each row is measured, by the defaults of the fact base: key with what is reported, or with the kind."""


def test_every_row_is_measured_as_the_fact_base_says() -> None:
    found = {
        trial: {
            row.id: [f"{d.key} {d.reports if d.kind == 'value' else d.kind}" for d in row.definitions] for row in rows
        }
        for trial, rows in load_outcomes().items()
    }
    assert found == MEASURES


def test_every_definition_has_words_and_what_is_undefined_says_why() -> None:
    definitions = [d for rows in load_outcomes().values() for row in rows for d in row.definitions]
    assert all(d.words for d in definitions)
    assert all(bool(d.why) == (d.kind == "undefined") for d in definitions)


def test_time_points_are_those_of_the_record() -> None:
    assert outcome("NCT06710717", "O2").schedule.weeks == (4, 8, 12, 16, 20, 24, 28)
    assert outcome("NCT06710717", "O4").schedule.months == (1, 3, 6, 9, 12, 15, 18, 21, 24)
    assert outcome("NCT06710717", "X2").schedule.months == (3,)
    assert (outcome("NCT06710717", "O1").schedule.from_day, outcome("NCT06710717", "O1").schedule.to_month) == (0, 24)
    assert outcome("NCT06653556", "O2").schedule.within_days == 30
    assert not outcome("NCT06653556", "O5").schedule.named
    assert outcome("NCT06653556", "O5").schedule.minimum_weeks == 104


def test_the_day_of_infusion_has_the_number_of_its_record() -> None:
    assert outcome("NCT06710717", "O2").schedule.infusion_day == 0
    assert outcome("NCT06653556", "O5").schedule.infusion_day == 1


def test_b_cell_aplasia_is_below_ten_cells_unless_the_user_says_otherwise() -> None:
    leaf = definition("NCT06710717", "O4", "bCellAplasia").condition
    assert isinstance(leaf, c.Leaf)
    assert (leaf.operator, leaf.met_bound, leaf.unit, leaf.adjustable) == ("<", Decimal(10), "/uL", "bCellAplasia")


def test_sustained_remission_lasts_twelve_months_and_drug_free_remission_has_no_minimum() -> None:
    assert definition("NCT06710717", "X3", "sustainedDoris2021").minimum == "P12M"
    (row,) = build_store().quads_for_pattern(N(f"{TRIAL}NCT06710717/X3"), N(SLE + "minimumMonths"), None)
    assert row.object == ox.Literal(12)
    assert definition("NCT06710717", "X5", "drugFreeRemission").minimum is None
    assert definition("NCT06710717", "X5", "drugFreeRemission").unit == "d"


def test_states_of_the_ontology_stand_for_themselves() -> None:
    assert definition("NCT06710717", "O2", "doris2021").condition == states()["doris2021"].condition
    assert definition("NCT06710717", "X3", "sustainedDoris2021").condition == states()["doris2021"].condition
    assert definition("NCT06710717", "X2", "serologicRemission").condition == states()["serologicRemission"].condition


def test_drug_free_remission_is_doris_without_systemic_immunosuppressant() -> None:
    condition = definition("NCT06710717", "X5", "drugFreeRemission").condition
    assert isinstance(condition, c.AllOf)
    negations = [node for node in condition.operands if isinstance(node, c.Not)]
    assert [node for node in condition.operands if node not in negations] == [states()["doris2021"].condition]
    (leaf,) = (node.operand for node in negations)
    assert isinstance(leaf, c.Leaf) and leaf.feature.get("valueSet") == ("systemicImmunosuppressant",)


def test_lldas_is_as_worded_unless_the_official_reading_is_chosen() -> None:
    worded, official = outcome("NCT06653556", "O7").definitions
    assert (worded.reading, worded.condition) == (("A4-05", "as-worded"), states()["lldas-NCT06653556"].condition)
    assert (official.reading, official.condition) == (("A4-05", "official"), states()["lldas"].condition)


def test_components_are_the_items_of_the_lldas_as_worded() -> None:
    parts = [outcome("NCT06653556", f"O7.{n}").definitions[0].condition for n in range(1, 5)]
    whole = states()["lldas-NCT06653556"].condition
    assert isinstance(whole, c.AllOf) and list(whole.operands) == parts


def test_facit_follows_the_reading_of_its_scale() -> None:
    for id in ("O6", "X6"):
        assert [(d.key, d.reading) for d in outcome("NCT06710717", id).definitions] == [
            ("facitFatigue", ("A2-06", "facit-fatigue")),
            ("facitF", ("A2-06", "facit-f")),
        ]


def test_a_change_is_the_same_measure_since_baseline() -> None:
    for rows in load_outcomes().values():
        for found in (d for row in rows for d in row.definitions if d.change is not None):
            assert found.value is not None and found.change is not None
            assert dict(found.change.parameters) == {**dict(found.value.parameters), "since": "baseline"}
            assert found.unit


def test_protein_in_24_hours_and_the_ratio_are_never_one_measure() -> None:
    tests = [d.value.get("test") for d in outcome("NCT06653556", "O8").definitions if d.value is not None]
    assert tests == [("urineProtein24h",), ("upcr",)]


def test_trials_without_outcomes_have_none() -> None:
    assert set(load_outcomes()) == set(SEEDS.values())
    assert outcomes_in(build_store(), "NCT06892145") == ()


# ---- what the vocabulary cannot express ------------------------------------------------------------------------------


def changed(subject: str, name: str, value: ox.NamedNode | ox.Literal | None, prefix: str = SLE) -> ox.Store:
    """The graph with another value, or none, for a property that must be there."""
    store = build_store()
    quads = list(store.quads_for_pattern(N(TRIAL + subject), N(prefix + name), None))
    assert quads
    for quad in quads:
        store.remove(quad)
    if value is not None:
        store.add(ox.Quad(N(TRIAL + subject), N(prefix + name), value))
    return store


@pytest.mark.parametrize(
    ("subject", "name", "value", "message"),
    [
        ("NCT06710717/X4", "definedBy", None, "NCT06710717/X4 lacks sle:definedBy; say how it is measured"),
        ("NCT06710717/O3/definition/3", "measureKey", None, "NCT06710717/O3/definition/3 lacks measureKey; add it"),
        (
            "NCT06710717/O3/definition/3",
            "valueOf",
            N(f"{SLE}doris2021"),
            "is reported as a value and is no leaf condition",
        ),
        (
            "NCT06710717/X3/definition/1",
            "minDuration",
            ox.Literal("P2W", datatype=N(XSD + "duration")),
            "give the minimum in months, as P12M",
        ),
    ],
)
def test_a_row_that_says_too_little_is_an_error_that_names_it(
    subject: str, name: str, value: ox.NamedNode | ox.Literal | None, message: str
) -> None:
    with pytest.raises(TrialFileError, match=message):
        outcomes_in(changed(subject, name, value), "NCT06710717")


def test_a_definition_of_no_known_kind_is_named() -> None:
    store = changed("NCT06710717/O1/definition/1", "type", N(f"{SLE}AlwaysOutcome"), RDF)
    with pytest.raises(TrialFileError, match="O1/definition/1 is no outcome definition; give it one of the types"):
        outcomes_in(store, "NCT06710717")


@pytest.mark.parametrize(
    ("written", "expected"), [("P1Y", "P12M"), ("P12M", "P12M"), ("P1Y6M", "P18M"), ("P24M", "P24M")]
)
def test_a_minimum_is_in_months_however_it_is_written(written: str, expected: str) -> None:
    value = ox.Literal(written, datatype=N(XSD + "duration"))
    rows = outcomes_in(changed("NCT06710717/X3/definition/1", "minDuration", value), "NCT06710717")
    (found,) = (row for row in rows if row.id == "X3")
    assert found.definitions[0].minimum == expected


@pytest.fixture(scope="module")
def ontology() -> rdflib.Graph:
    graph = rdflib.Graph()
    for file in sorted(path("ontology").rglob("*.ttl")):
        graph.parse(file)
    return graph


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sle:EventOutcome", "sle:StateOutcome", "A state or duration outcome has one sle:condition"),
        ("a sle:EventOutcome", "a sle:Outcome", "An outcome needs sle:definedBy: a state, value"),
        ('    sle:reports "change"', '    sle:reports "both"', "sle:reports is value or change"),
        ('    sle:measureKey "pga" ;\n', "", "needs one sle:measureKey of letters and digits"),
        ("    sle:definedBy c:X4\\/definition\\/1 ;\n", "", "An outcome needs sle:definedBy"),
        ('    sle:since "baseline" ;\n', "", "A value outcome may have one sle:changeOf"),
        ("    sle:undefinedBecause", "    sle:flagText", "needs the reason, sle:undefinedBecause"),
        (
            '    sle:instrument sle:pga ;\n    sle:unit "{score}"',
            '    sle:instrument sle:pga ;\n    sle:maxInclusive 1.0 ;\n    sle:unit "{score}"',
            "A value outcome has one sle:valueOf: a leaf condition with its unit and without comparison",
        ),
        ('"P12M"^^xsd:duration', '"12 months"', "may have one sle:minDuration, an xsd:duration"),
        (
            "sle:underReading reading:A2-06\\/facit-f ",
            "sle:underReading reading:A2-06\\/facit ",
            "may stand under one sle:Reading",
        ),
    ],
)
def test_trial_shapes_say_what_is_wrong_with_a_definition(
    ontology: rdflib.Graph, old: str, new: str, message: str
) -> None:
    text = (path("trials") / "NCT06710717.ttl").read_text(encoding="utf-8")
    assert old in text
    data = rdflib.Graph().parse(data=text.replace(old, new, 1), format="turtle")
    shapes = rdflib.Graph().parse(path("shapes") / "trial.ttl")
    assert any(message in fault for fault in shape_faults(data, shapes, ontology))
