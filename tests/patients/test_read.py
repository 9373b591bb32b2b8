"""Files: what is accepted by content, what is refused in one sentence, and how several files become one set."""

import gzip
import json

import pytest

from patients.fhir_builder import (
    bundle,
    concept,
    condition,
    local,
    observation,
    quantity,
    read,
    rows,
    snomed,
    statement,
)
from sle_kg.errors import InputError
from sle_kg.namespaces import RXNORM
from sle_kg.patients.codemap import read_code_map
from sle_kg.patients.read import read_patients
from sle_kg.terminology import terminology

PATIENT = {"resourceType": "Patient", "id": "p", "birthDate": "1990-05-10", "gender": "female"}


def write(folder, name, content):
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b'{"resourceType": "Patient"', "line 1: not readable as JSON"),
        (b'{"resourceType": "Patient", "id": "p"}\n{"resourceType": "Obs', "line 2: not readable as JSON"),
        (
            b'{"a": 1,\n "b": [2,\n\n',
            "line 2: not readable as JSON (it ends too early, as if cut off): export or fetch",
        ),
        (b'{"a": 1,\n "b": }', "line 2: not readable as JSON (Expecting value): mend the line"),
        (b'{"resourceType": "List"}\n{"a": }\n', "line 2: not readable as JSON (Expecting value): mend the line"),
        (gzip.compress(b'{"resourceType": "Patient"}', mtime=0), "is compressed (gzip): unpack it"),
        (b"PK\x03\x04\x14\x00", "is compressed (ZIP): unpack it"),
        (b'{"resourceType": "Patient", "x": NaN}', "NaN is no number of JSON"),
        (b'{"resourceType": "Patient", "x": -Infinity}', "-Infinity is no number of JSON"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"resourceType": "Patient", "id": "\xff"}', "not UTF-8"),
        (
            b"hello world",
            "line 1: neither FHIR JSON nor readable as Turtle (hello is not a valid subject or graph name)",
        ),
        (b"\n# a letter\nDear colleague,", "line 3: neither FHIR JSON nor readable as Turtle ("),
        (b"hello world", "): mend it, or give FHIR R4 JSON, Turtle, N-Triples or JSON-LD"),
        (
            b'{"@context": {}, "@type": 5}',
            "neither FHIR JSON nor readable as JSON-LD (@type value must be a string): mend",
        ),
        (b'{"a": 1}', "no FHIR resource"),
        (b"[1, 2]", "no FHIR resource"),
        (b'{"resourceType": "Bundle", "entry": []}', "no patient found"),
        (b'{"resourceType": "Observation", "id": "o"}', "no patient found"),
        (b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e "x">]><rdf:RDF/>', "XML is not accepted"),
        (b'<Patient xmlns="http://hl7.org/fhir"><id value="p"/></Patient>', "XML is not accepted"),
        (b'{"@context": "https://example.org/context.jsonld", "@id": "x"}', "is not fetched"),
        (b'{"@context": {"@import": "https://example.org/c"}, "@id": "x"}', "is not fetched"),
        (b'{"@graph": [{"@context": ["https://example.org/c"], "@id": "x"}]}', "is not fetched"),
        (b"<https://a.example/x> <https://a.example/y> <https://a.example/z> .", "no patient found"),
        (b"@prefix sle: <https://w3id.org/sle-kg/ontology#> .\n[] a sle:Patient .", "give every record an IRI"),
    ],
)
def test_unusable_files_are_refused_in_one_sentence(tmp_path, content, sentence):
    file = write(tmp_path, "input.txt", content)
    with pytest.raises(InputError) as error:
        read_patients([file])
    message = str(error.value)
    assert sentence in message
    assert str(file) in message
    assert "\n" not in message
    assert "Traceback" not in message


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.json: cannot be opened"):
        read_patients([tmp_path / "nowhere.json"])


def test_a_folder_is_answered_with_what_reads_folders(tmp_path):
    with pytest.raises(
        InputError, match=r": this is a folder: give its files \(.*\*\.json\), or .*ingest-cohort"
    ) as error:
        read_patients([tmp_path])
    assert str(tmp_path / "*.json") in str(error.value)


CUT = json.dumps({"resourceType": "List", "a": [1.5e3, -2, True, None, {"b\\": "\u00e9 x", "c": []}], "d": "e"})


@pytest.mark.parametrize(("before", "line"), [("", 1), ("\n\n", 3), (f"{CUT}\n", 2)], ids=["one", "below", "second"])
def test_json_that_is_cut_off_anywhere_is_said_to_end_too_early(tmp_path, before, line):
    for end in range(1, len(CUT)):
        file = write(tmp_path, "cut.json", before + CUT[:end])
        with pytest.raises(InputError, match=rf"cut\.json, line {line}: not readable as JSON \(it ends too early"):
            read_patients([file])


def test_content_decides_not_the_name(tmp_path):
    lines = [PATIENT, condition(snomed("55464009")), statement(concept(RXNORM, "8640"))]
    file = write(tmp_path, "patient.ttl", "\n".join(map(json.dumps, lines)))
    data = read_patients([file])
    assert (data.patients, data.tables["condition"].num_rows, data.tables["exposure"].num_rows) == (["p"], 1, 1)


def test_a_byte_order_mark_is_no_fault(tmp_path):
    assert read_patients([write(tmp_path, "p.json", b"\xef\xbb\xbf" + json.dumps(PATIENT).encode())]).patients == ["p"]


def test_several_files_make_one_set_in_any_order(tmp_path):
    files = [
        write(tmp_path, "a.ndjson", json.dumps(statement(None, medicationReference={"reference": "Medication/m"}))),
        write(
            tmp_path, "b.ndjson", json.dumps({"resourceType": "Medication", "id": "m", "code": concept(RXNORM, "8640")})
        ),
        write(tmp_path, "c.ndjson", json.dumps(PATIENT)),
    ]
    for order in (files, files[::-1]):
        assert rows(read_patients(order), "exposure")[0]["concept"] == "prednisone"


@pytest.mark.parametrize(
    "reference",
    ["Patient/p", "Patient/p/_history/3", "https://server.example/fhir/Patient/p", "urn:uuid:1-2", "urn:uuid:p"],
)
def test_references_to_the_patient(tmp_path, reference):
    record = condition(snomed("55464009"), subject={"reference": reference})
    content = bundle(record)
    content["entry"][0]["fullUrl"] = "urn:uuid:1-2"
    data = read_patients([write(tmp_path, "p.json", json.dumps(content))])
    assert data.tables["condition"].num_rows == 1


def test_records_of_nobody_in_the_files_are_counted(tmp_path):
    data = read(tmp_path, condition(snomed("55464009"), subject={"reference": "Patient/somebody"}))
    assert data.skipped == {"Condition of no patient in the files": 1}


def test_a_resource_without_id_is_named_by_its_url_or_place(tmp_path):
    first, second = condition(snomed("55464009")), condition(snomed("55464009"))
    del first["id"], second["id"]
    content = bundle(first, second)
    content["entry"][1]["fullUrl"] = "urn:uuid:abc"
    data = read_patients([write(tmp_path, "p.json", json.dumps(content))])
    assert data.tables["condition"].column("record").to_pylist() == ["Condition/abc", "Condition/#3"]


def test_the_same_patient_twice_counts_once(tmp_path):
    files = [write(tmp_path, f"{n}.json", json.dumps(bundle(condition(snomed("55464009"), id="c")))) for n in (1, 2)]
    data = read_patients(files)
    assert (data.patients, data.tables["condition"].num_rows) == (["p"], 1)


def test_two_patients_of_one_id_that_contradict_each_other_are_refused(tmp_path):
    files = [write(tmp_path, f"{n}.json", json.dumps(PATIENT | {"birthDate": f"199{n}"})) for n in (1, 2)]
    with pytest.raises(InputError, match=r"2\.json.*'p' contradicts"):
        read_patients(files)


def test_patients_keep_the_order_of_the_input_and_equal_record_ids_their_owner(tmp_path):
    files = []
    for name in ("zoe", "anna"):
        record = observation(
            local("sledai2kTotal"), id="r1", valueInteger=len(name), subject={"reference": f"Patient/{name}"}
        )
        files.append(write(tmp_path, f"{name}.json", json.dumps(bundle(record, patient=PATIENT | {"id": name}))))
    data = read_patients(files)
    assert data.patients == ["zoe", "anna"]
    found = data.tables["measurement"].to_pylist()
    assert [(row["patient"], row["low"]) for row in found] == [("zoe", 3), ("anna", 4)]


def test_unknown_types_and_elements_are_passed_over(tmp_path):
    odd = [
        {"resourceType": "Spaceship", "id": "s"},
        {"resourceType": 7},
        {"resourceType": "Condition", "subject": "Patient/p", "code": []},
        {"resourceType": "Observation", "subject": {"reference": 3}, "component": "x", "code": {"coding": "y"}},
        condition({"coding": [None, 3, {"system": 1, "code": 2}]}),
    ]
    data = read(tmp_path, *odd)
    assert data.skipped["Spaceship"] == 1
    assert [row["concept"] for row in rows(data, "condition")] == ["unmapped", "unmapped"]


def test_an_odd_form_of_an_element_is_reported_not_a_crash(tmp_path):
    data = read(tmp_path, observation(local("sledai2kTotal"), valueQuantity={"value": {"odd": True}}))
    assert "no number" in rows(data, "unread")[0]["why"]
    big = read(tmp_path, observation(local("sledai2kTotal"), valueQuantity=quantity(10**400)))
    assert "no clinical value" in rows(big, "unread")[0]["why"]


def test_code_map(tmp_path):
    file = write(tmp_path, "map.csv", "system,code,key\nurn:lab,SLEDAI,sledai2kTotal\nurn:dx,1,other\n")
    code_map = read_code_map(file, terminology())
    assert code_map == {("urn:lab", "SLEDAI"): "sledai2kTotal", ("urn:dx", "1"): "other"}
    data = read(tmp_path, observation(concept("urn:lab", "SLEDAI"), valueInteger=9), code_map=code_map)
    assert rows(data, "measurement")[0]["test"] == "sledai2kTotal"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "line 1: a code map starts with the header"),
        ("code,key\n", "line 1: a code map starts with the header"),
        ("system,code,key\nurn:x,1\n", "line 2: 2 columns"),
        ("system,code,key\nurn:x,,other\n", "line 2: the column code is empty"),
        ("system,code,key\n\nurn:x,1,noKey\n", "line 3: 'noKey' is no key"),
        ("system,code,key\nurn:x,1,other\nurn:x,1,sle\n", "line 3: the code '1' already has the key 'other'"),
        (b"system,code,key\nurn:x,\xff,other\n", "cannot be read"),
    ],
)
def test_wrong_code_maps_name_the_line_and_the_cure(tmp_path, content, sentence):
    file = write(tmp_path, "map.csv", content)
    with pytest.raises(InputError, match=r"map\.csv") as error:
        read_code_map(file, terminology())
    assert sentence in str(error.value)


def test_half_a_surrogate_pair_is_replaced(tmp_path):
    file = tmp_path / "odd.json"
    file.write_text('{"resourceType": "Patient", "id": "a\\ud800b", "gender": "female"}', encoding="utf-8")
    assert read_patients([file]).patients == ["a\ufffdb"]
