"""`check` finds what is wrong: each fault that it looks for is made once, and named."""

import json

import pytest
import rdflib

from sle_kg import check
from sle_kg.resources import path
from sle_kg.shapes import generated_files

SHAPES = """
@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix : <https://example.org/> .
:form a sh:NodeShape ; sh:targetClass :Row ; sh:property :quotation .
:quotation a sh:PropertyShape ; sh:path :quotation ; sh:minCount 1 ; sh:message "A row needs its quotation." .
"""


@pytest.fixture
def compiled(tmp_path):
    """A folder with the shapes as the compiler gives them."""
    (tmp_path / "eligibility").mkdir()
    for name, content in generated_files().items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_compiled_shapes_are_sound(compiled):
    assert list(check.generated_faults(compiled)) == []


def test_a_shape_file_that_was_edited_is_a_fault(compiled):
    file = compiled / "eligibility" / "NCT06892145.ttl"
    file.write_bytes(file.read_bytes().replace(b"7", b"8", 1))
    [fault] = check.generated_faults(compiled)
    assert fault.file == "shapes/eligibility/NCT06892145.ttl"
    assert "run python -m sle_kg.shapes" in fault.message


def test_a_shape_file_that_is_missing_or_left_over_is_a_fault(compiled):
    (compiled / "eligibility" / "NCT06892145.ttl").rename(compiled / "eligibility" / "NCT00000000.ttl")
    left_over, missing = check.generated_faults(compiled)
    assert (left_over.file, missing.file) == (
        "shapes/eligibility/NCT00000000.ttl",
        "shapes/eligibility/NCT06892145.ttl",
    )
    assert "remove it" in left_over.message
    assert "missing" in missing.message


def test_a_file_that_is_not_turtle_is_a_fault(tmp_path):
    (tmp_path / "good.ttl").write_text("<a:a> <a:b> <a:c> .")
    (tmp_path / "bad.ttl").write_text("<a:a> <a:b> .")
    assert [fault.file for fault in check.turtle_faults([tmp_path])] == [f"{tmp_path.name}/bad.ttl"]


def test_a_violation_is_told_once_with_its_node():
    data = rdflib.Graph().parse(data="@prefix : <https://example.org/> . :a a :Row . :b a :Row ; :quotation 'q' .")
    background = rdflib.Graph().parse(data="@prefix : <https://example.org/> . :other a :Row .")
    shapes = rdflib.Graph().parse(data=SHAPES)
    assert check.shape_faults(data, shapes, background) == ["https://example.org/a: A row needs its quotation."]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not a JSON object"),
        ("[]", "not a JSON object"),
        (json.dumps({"@context": {"sle": "https://example.org/"}}), "prefix 'sle' is 'https://example.org/'"),
    ],
)
def test_a_context_that_is_wrong_is_a_fault(tmp_path, content, words):
    (tmp_path / "v1.jsonld").write_text(content)
    [fault] = check.context_faults(tmp_path)
    assert words in fault.message


def test_a_definition_without_its_form_is_a_fault(tmp_path):
    sound = (path("ontology") / "scores.ttl").read_text(encoding="utf-8")
    assert list(check.definition_faults(path("ontology") / "scores.ttl")) == []
    broken = tmp_path / "scores.ttl"
    broken.write_text(
        sound
        + "sle:broken-condition a sle:NewItemsCondition ; sle:instrument sle:sledai2kTotal ; sle:since 'never' .\n",
        encoding="utf-8",
    )
    [fault] = check.definition_faults(broken)
    assert fault.file == "ontology/scores.ttl"
    assert "sle:since" in fault.message
