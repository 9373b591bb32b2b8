"""The SHACL compiler and the engine: they say what the direct evaluator says, with SHACL Core alone."""

from __future__ import annotations

from decimal import Decimal

import pyoxigraph as ox
import pytest
from hypothesis import given, settings

from sle_kg.criteria import AllOf, Always, AtLeast, ByReading, Leaf, Trial
from sle_kg.engines import get_engine
from sle_kg.engines.shacl import MAX_DEPTH, shapes_graph
from sle_kg.errors import MissingToolError, TrialFileError
from sle_kg.evaluate import RuleSet, row_truths
from sle_kg.namespaces import RDF, SH, SHAPE
from sle_kg.profile import Profile, data_graph
from sle_kg.resources import path
from sle_kg.shapes import bound_property, compile_trial, decimal_text, row_shape, serialize
from sle_kg.trials import screenable
from trees import NCT, attestations, bounds, leaf, profile, ref, row, slug, trial, trials

CORE = {
    "and", "or", "not", "path", "minCount", "hasValue", "targetClass", "name", "message", "severity",
    "minInclusive", "minExclusive", "maxInclusive", "maxExclusive",
}  # fmt: skip
"""The SHACL vocabulary that compiled shapes may use."""
ENGINE = get_engine("shacl")


def direct(made: Trial, someone: Profile) -> dict[str, tuple[bool | None, bool]]:
    """What the direct evaluator says of every row."""
    found = row_truths(RuleSet.of(made), someone.bounds, someone.attestations)
    return {name: (truth.met, truth.not_applicable) for name, truth in found.items()}


def by_shacl(made: Trial, someone: Profile) -> dict[str, tuple[bool | None, bool]]:
    """What pySHACL says of every row."""
    found = get_engine("shacl").statuses(made, {}, [someone])[someone.ask]
    return {name: (status.met, status.not_applicable) for name, status in found.items()}


@settings(max_examples=60, deadline=None)
@given(trials(), bounds(), attestations)
def test_shapes_say_what_the_direct_evaluator_says(made, known, attested) -> None:  # type: ignore[no-untyped-def]
    someone = profile(known, attested)
    assert by_shacl(made, someone) == direct(made, someone)


@settings(max_examples=15, deadline=None)
@given(trials(), bounds(), attestations)
def test_a_whole_validation_reports_what_the_engine_says(made, known, attested) -> None:  # type: ignore[no-untyped-def]
    import pyshacl
    import rdflib

    someone = profile(known, attested)
    shapes = rdflib.Graph().parse(data=serialize(made), format="turtle")
    _, report, _ = pyshacl.validate(data_graph([someone]), shacl_graph=shapes, max_validation_depth=MAX_DEPTH)
    violated = {str(shape) for shape in report.objects(None, rdflib.URIRef(SH + "sourceShape"))}  # type: ignore[union-attr]
    said = {
        name: (
            True if row_shape(NCT, name, "met") not in violated else
            False if row_shape(NCT, name, "unmet") not in violated else None,
            name == "P1" and row_shape(NCT, name, "na") not in violated,
        )
        for name in ("G", "P1", "P2")
    }  # fmt: skip
    assert said == direct(made, someone)


def test_several_profiles_of_one_batch_are_told_apart() -> None:
    made = trial(row("A", leaf("a", ">=", 7)))
    people = [profile({slug("a"): (Decimal(value), Decimal(value))}, ask=value) for value in (6, 7, 8)]
    found = ENGINE.statuses(made, {}, people)
    assert {ask: rows["A"].met for ask, rows in found.items()} == {6: False, 7: True, 8: True}


def test_an_exact_tie_at_a_decimal_threshold_is_decided() -> None:
    made = trial(row("A", leaf("a", "<=", "2.1")))
    assert by_shacl(made, profile({slug("a"): (Decimal("2.1"), Decimal("2.1"))})) == {"A": (True, False)}
    assert by_shacl(made, profile({slug("a"): (Decimal("2.100000000001"), None)})) == {"A": (False, False)}


def test_an_empty_profile_leaves_every_row_of_the_real_trials_open_except_constant_ones() -> None:
    for nct, made in screenable().items():
        nobody = Profile(0, "nobody", nct, profile({}).on, {}, {})
        known = {name for name, (met, _) in by_shacl(made, nobody).items() if met is not None}
        assert known == {criterion.id for criterion in made.criteria if isinstance(criterion.condition, Always)}


def test_a_chosen_reading_changes_the_compiled_shapes() -> None:
    made = trial(
        row("A", ByReading("r", "A3-04", "two", (("two", leaf("a", ">=", 2)), ("literal", leaf("a", "<", 2)))))
    )
    one = profile({slug("a"): (Decimal(1), Decimal(1))})
    assert ENGINE.statuses(made, {}, [one])[0]["A"].met is False
    assert ENGINE.statuses(made, {"A3-04": "literal"}, [one])[0]["A"].met is True


def test_only_the_rows_asked_for_are_judged() -> None:
    made = trial(row("A", leaf("a")), row("B", leaf("b")))
    assert set(ENGINE.statuses(made, {}, [profile({})], ["B"])[0]) == {"B"}


def test_an_engine_that_is_not_there_is_an_error() -> None:
    with pytest.raises(MissingToolError, match="'abacus' is not known"):
        get_engine("abacus")


@pytest.mark.parametrize("nct", sorted(screenable()))
def test_committed_shapes_are_what_the_compiler_gives(nct: str) -> None:
    committed = (path("shapes") / "eligibility" / f"{nct}.ttl").read_bytes()
    assert committed == serialize(screenable()[nct]), "run: python -m sle_kg.shapes"


@pytest.mark.parametrize("nct", sorted(screenable()))
def test_shapes_are_core_named_and_without_blank_nodes(nct: str) -> None:
    triples = compile_trial(screenable()[nct])
    used = {t.predicate.value.removeprefix(SH) for t in triples if t.predicate.value.startswith(SH)}
    assert used <= CORE
    assert not any(isinstance(term, ox.BlankNode) for t in triples for term in (t.subject, t.object))
    shapes = {t.subject for t in triples if t.predicate.value == RDF + "type" and t.object.value.startswith(SH)}
    for word in ("message", "severity"):
        assert shapes == {t.subject for t in triples if t.predicate.value == SH + word}


@pytest.mark.parametrize("nct", sorted(screenable()))
def test_every_row_has_targeted_shapes_that_constrain_by_shapes_only(nct: str) -> None:
    made = screenable()[nct]
    triples = compile_trial(made)
    targeted = {t.subject.value for t in triples if t.predicate.value == SH + "targetClass"}
    outcomes = {row_shape(nct, criterion.id, outcome) for criterion in made.criteria for outcome in ("met", "unmet")}
    exempt = {row_shape(nct, criterion.id, "na") for criterion in made.criteria if criterion.not_applicable}
    assert targeted == outcomes | exempt
    constraints = {t.predicate.value for t in triples if t.subject.value in targeted}
    assert {name for name in constraints if name.startswith(SH)} <= {
        SH + name for name in ("and", "or", "not", "message", "severity", "targetClass")
    }


def test_at_least_is_written_out_as_choices_and_refused_where_there_are_too_many() -> None:
    several = tuple(leaf(f"l{n}") for n in range(20))
    with pytest.raises(TrialFileError, match="asks for 10 of 20"):
        compile_trial(trial(row("A", AtLeast("https://x/g", 10, several))))


def test_months_without_anchor_have_one_threshold_to_be_met_and_another_to_be_unmet() -> None:
    months = Leaf("https://w3id.org/sle-kg/trial/x", leaf("a").feature, ">=", Decimal(92), Decimal(89))
    made = trial(row("A", months))
    said = [by_shacl(made, profile({slug("a"): (Decimal(d), Decimal(d))}))["A"][0] for d in (92, 91, 89, 88)]
    assert said == [True, None, None, False]


def test_property_iris_are_valid_whatever_the_slug_holds() -> None:
    iri = bound_property('Score_a=1+2_odd=<x> "y" %ü', "Lower")
    assert ox.NamedNode(iri).value == iri
    assert not set('<>" ') & set(iri)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("7.50", "7.5"),
        ("1E+3", "1000"),
        ("0.000", "0"),
        ("-0.0", "0"),
        ("12345678901234567890123456.000000000001",) * 2,
    ],
)
def test_decimals_are_written_exactly(value: str, text: str) -> None:
    assert decimal_text(Decimal(value)) == text


def test_the_engine_graph_leaves_nothing_out_that_a_result_needs() -> None:
    made = trial(row("G", AllOf(f"{SHAPE}g", (ref("P"), leaf("a")))), row("P", leaf("b"), parent="G"))
    assert 0 < len(shapes_graph(made, ())) < len(compile_trial(made))
