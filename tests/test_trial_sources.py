"""Trial files say what their sources say, and everything that the clinical fact base asks for."""

import csv
from functools import cache
from pathlib import Path

import pytest
import rdflib

from sle_kg import trial_sources
from sle_kg.conditions import LEAVES, PARAMETERS
from sle_kg.errors import TrialFileError
from sle_kg.resources import path
from sle_kg.trials import load_trials, read_trial, trial_files

FACTS = Path(__file__).parent / "facts"
SEEDS = {"000": "NCT06150651", "001": "NCT06106906", "002": "NCT06710717", "003": "NCT06892145", "004": "NCT06653556"}


def fact_rows(name: str) -> list[dict[str, str]]:
    with (FACTS / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_no_fault_in_any_trial_file() -> None:
    assert list(trial_sources.check()) == []


def test_every_row_of_the_inventory_is_there_word_for_word() -> None:
    quotations = {
        (file.stem, values["criterionId"][0]): values["quotation"][0]
        for file in trial_files()
        for values in trial_sources._values(file).values()
        if "criterionId" in values
    }
    expected = {
        (SEEDS[row["seed"]], row["id"].split("-", 1)[1]): row["exact_text"]
        for row in fact_rows("criteria_inventory.csv")
    }
    assert quotations == expected


def test_parents_and_computability_follow_the_inventory() -> None:
    words = {"yes": "computable", "partly": "partly", "needs judgement": "judgement"}
    for row in fact_rows("criteria_inventory.csv"):
        if row["kind"] not in ("inclusion", "exclusion"):
            continue
        criterion = load_trials()[SEEDS[row["seed"]]].criterion(row["id"].split("-", 1)[1])
        assert (criterion.parent or "", criterion.kind) == (row["parent"], row["kind"])
        assert criterion.computability == words[row["computable"]]
        assert criterion.formal_reading == row["formal_reading"]


def test_every_switchable_reading_is_there_with_its_default() -> None:
    found = {(r.ambiguity, r.key): (r.default, r.meaning) for trial in load_trials().values() for r in trial.readings}
    expected = {
        (row["ambiguity"], row["key"]): (row["default"] == "yes", row["meaning"]) for row in fact_rows("readings.csv")
    }
    assert found == expected


def test_every_ambiguity_of_the_five_documents_is_there() -> None:
    found = {
        values["ambiguityId"][0]
        for file in trial_files()
        for values in trial_sources._values(file).values()
        if "ambiguityId" in values
    }
    assert found == {row["id"] for row in fact_rows("seed_ambiguities.csv") if row["seed"] in SEEDS}


def test_every_design_fact_is_there() -> None:
    found = {
        (file.stem, values["property"][0], values["value"][0])
        for file in trial_files()
        for values in trial_sources._values(file).values()
        if "property" in values
    }
    for row in fact_rows("trial_facts.csv"):
        assert (SEEDS[row["seed"]], row["property"], row["value"] or row["exact_text"]) in found


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            'sle:quotation "Body weight ≥ 40kg"',
            'sle:quotation "Body weight ≥ 45kg"',
            "is not what the source text says",
        ),
        ('sle:text "Eligibility"', 'sle:text "Eligibilit"', "is not what the source text says"),
        ("sle:passageKind sle:Heading ;\n    sle:passageStart", "sle:passageStarts", "is in no row or passage"),
    ],
)
def test_a_false_quotation_and_a_gap_are_found(tmp_path: Path, old: str, new: str, fault: str) -> None:
    original = path("trials") / "NCT06106906.ttl"
    text = original.read_text(encoding="utf-8")
    assert old in text
    changed = tmp_path / original.name
    changed.write_text(text.replace(old, new, 1), encoding="utf-8")
    source = trial_sources.read_source(path("trials") / "sources" / "NCT06106906.txt")
    assert any(fault in found for found in trial_sources.faults(changed, source))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("a sle:AgeCondition", "a sle:AgeTest", "sle:AgeTest, which is no condition of the vocabulary"),
        ('    sle:unit "a" .', '    rdfs:label "years" .', "has a threshold without unit; add sle:unit"),
        ("sle:operand c:I05a, c:I05b", "sle:operand c:I05, c:I05b", "refers back to itself; break the cycle"),
        ("    sle:anchor sle:consent ;\n    sle:minInclusive 18.0", "    sle:minInclusive 18.0", "lacks anchor"),
        ("    sle:minInclusive 18.0", '    sle:gap "P7D"^^xsd:duration ;\n    sle:minInclusive 18.0', "has gap, which"),
        ("sle:minInclusive 18.0", "sle:minInclusive 18.0 ;\n    sle:maxInclusive 70.0", "compares twice"),
        ('sle:criterionId "I05a"', 'sle:criterionId "I05a", "I05c"', "has 2 values of criterionId"),
    ],
)
def test_what_the_vocabulary_cannot_express_is_an_error_that_names_it(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = (path("trials") / "NCT06106906.ttl").read_text(encoding="utf-8")
    assert old in text
    changed = tmp_path / "NCT06106906.ttl"
    changed.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(TrialFileError, match=message):
        read_trial(changed)


def test_shapes_and_reader_know_the_same_leaf_conditions() -> None:
    shapes = (path("shapes") / "trial.ttl").read_text(encoding="utf-8")
    for kind, (required, optional) in LEAVES.items():
        assert f"sh:targetClass sle:{kind} " in shapes
        for name in required | optional:
            assert name in PARAMETERS
            assert f"shape:{kind}-{name} a sh:PropertyShape" in shapes


@cache
def labels() -> rdflib.Graph:
    """What the ontology calls its terms."""
    known = rdflib.Graph()
    for file in sorted(path("ontology").glob("*.ttl")):
        for subject, label in rdflib.Graph().parse(file).subject_objects(rdflib.RDFS.label):
            known.add((subject, rdflib.RDFS.label, label))
    return known


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('    sle:quotation "Body weight ≥ 40kg" ;\n', "", "A row needs its exact quotation"),
        (
            "sle:valueSet sle:plasmapheresisAny",
            "sle:valueSet sle:plasmaferesis",
            "The ontology does not know this drug",
        ),
        (
            '    sle:minInclusive 40.0 ;\n    sle:unit "kg" .',
            "    sle:minInclusive 40.0 .",
            "A threshold needs its unit",
        ),
        ("sle:operand c:I05a, c:I05b", "sle:operand c:I05, c:I05b", "leads back to the row; break the cycle"),
    ],
)
def test_trial_shapes_say_what_is_wrong(old: str, new: str, message: str) -> None:
    from sle_kg.check import shape_faults

    text = (path("trials") / "NCT06106906.ttl").read_text(encoding="utf-8")
    assert old in text
    data = rdflib.Graph().parse(data=text.replace(old, new, 1), format="turtle")
    shapes = rdflib.Graph().parse(path("shapes") / "trial.ttl")
    assert any(message in fault for fault in shape_faults(data, shapes, labels()))
