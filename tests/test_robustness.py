"""What cannot be read, asked or answered is said in one sentence; what can be read partly is read, and the rest named.

Through the command line. No test reaches the network (tests/guard): a reader that fetched anything would fail here.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from caselib import Resource, Suite, ago, bundle, diagnosis, drug, lab, person, result, score
from test_cli import refused, run

ON = "2026-11-21"
DATA = Path(__file__).parent / "data" / "fhir"
PATIENT = {"resourceType": "Patient", "id": "p", "birthDate": "1990-05-10", "gender": "female"}
DEEP = '{"resourceType":"Bundle","entry":' + "[" * 100_000 + "]" * 100_000 + "}"
LAUGHS = """<?xml version="1.0"?>
<!DOCTYPE rdf [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY secret SYSTEM "file:///etc/passwd">]>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="x">&b;&secret;
</rdf:Description></rdf:RDF>"""

UNREADABLE = {
    "empty": b"",
    "white space": b" \n\t ",
    "truncated JSON": json.dumps(PATIENT).encode()[:-10],
    "truncated NDJSON": json.dumps(PATIENT).encode() + b'\n{"resourceType": "Obser',
    "truncated Turtle": b"@prefix p: <https://w3id.org/sle-kg/patient/> .\np:x a p:",
    "nested too deep": DEEP.encode(),
    "not a number": b'{"resourceType": "Patient", "id": "p", "multipleBirthInteger": NaN}',
    "infinity": b'{"resourceType": "Patient", "id": "p", "multipleBirthInteger": -Infinity}',
    "not UTF-8": b'{"resourceType": "Patient", "id": "p", "birthDate": "\xff\xfe"}',
    "binary": bytes(range(256)) * 20,
    "a number": b"42",
    "a list": b"[]",
    "a text": b'"Patient"',
    "no resource": b'{"name": "somebody"}',
    "no patient": json.dumps({"resourceType": "Bundle", "type": "collection", "entry": []}).encode(),
    "an observation of nobody": b'{"resourceType": "Observation", "id": "o", "status": "final"}',
    "a page": b"<!doctype html><html><body>403 Forbidden</body></html>",
    "XML with entities": LAUGHS.encode(),
    "a remote context": json.dumps(
        {"@context": "https://example.org/context.jsonld", "@id": "x", "@type": "Patient"}
    ).encode(),
    "a context by path": json.dumps({"@context": "/etc/passwd", "@id": "x", "@type": "Patient"}).encode(),
    "RDF without a patient": b"<https://example.org/a> <https://example.org/b> <https://example.org/c> .",
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("command", ["screen", "profile"])
def test_a_file_that_is_no_patient_is_refused_in_one_sentence(command: str, content: bytes, tmp_path: Path) -> None:
    file, output = tmp_path / "patient", tmp_path / "output"
    file.write_bytes(content)
    sentence = refused(command, file, "--on", ON, "--output", output)
    assert str(file) in sentence
    assert not output.exists()


def test_the_place_of_a_fault_is_named(tmp_path: Path) -> None:
    file = tmp_path / "patients.ndjson"
    file.write_text(json.dumps(PATIENT) + '\n{"resourceType": "Obser\n', encoding="utf-8")
    assert "line 2" in refused("screen", file, "--on", ON)


@pytest.mark.parametrize("place", [".", "missing.json", "missing/patient.json"])
def test_a_folder_or_a_missing_file_is_named(place: str, tmp_path: Path) -> None:
    assert str(tmp_path / place) in refused("screen", tmp_path / place, "--on", ON)


def test_one_bad_file_of_two_stops_all(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(PATIENT), encoding="utf-8")
    bad.write_text("{", encoding="utf-8")
    assert "bad.json" in refused("screen", good, bad, "--on", ON)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--trial", "NCT00000000"], "NCT00000000"),
        (["--trial", "NCT06710717"], "holds no eligibility criteria"),
        (["--trial", "NCT06653556"], "holds no eligibility criteria"),
        (["--reading", "A9-99=x"], "A9-99"),
        (["--reading", "A3-04=no-such"], "at-least-two"),
        (["--complete", "laboratory"], "conditions"),
        (["--event", "birthday=2026-01-01"], "leukapheresis"),
        (["--event", "infusion=2026-13-01"], "2026-13-01"),
        (["--window", "mood=3"], "pregnancyTest"),
        (["--engine", "magic"], "shacl"),
        (["--on", "yesterday"], "yesterday"),
        (["--code-map", "no-such-map.csv"], "no-such-map.csv"),
    ],
)
def test_an_option_that_means_nothing_is_refused_with_what_there_is(
    options: list[str], words: str, tmp_path: Path
) -> None:
    file, output = tmp_path / "p.json", tmp_path / "output"
    file.write_text(json.dumps(PATIENT), encoding="utf-8")
    arguments = options if "--on" in options else ["--on", ON, *options]
    assert words in refused("screen", file, *arguments, "--output", output)
    assert not output.exists()


QUERIES = {
    "a service": "SELECT * { SERVICE <https://example.org/sparql> { ?s ?p ?o } }",
    "a silent service": "SELECT * { { SELECT * { SERVICE SILENT <https://example.org/sparql> { ?s ?p ?o } } } }",
    "a graph to load": "LOAD <https://example.org/data.ttl>",
    "a dataset from elsewhere": "SELECT * FROM <https://example.org/data.ttl> { ?s ?p ?o }",
    "an insertion": "INSERT DATA { <https://example.org/a> <https://example.org/b> 1 }",
    "a deletion": "DELETE WHERE { ?s ?p ?o }",
    "an emptied graph": "CLEAR ALL",
    "a dropped graph": "DROP SILENT DEFAULT",
    "half a query": "SELECT * WHERE { ?s ?p",
    "no query": "What is a trial?",
    "nothing": "",
}


@pytest.mark.parametrize("text", QUERIES.values(), ids=QUERIES)
def test_a_query_that_writes_reaches_outside_or_says_nothing_is_refused(text: str, tmp_path: Path) -> None:
    file, output = tmp_path / "question.rq", tmp_path / "output"
    file.write_text(text, encoding="utf-8")
    assert "question.rq" in refused("query", file, "--output", output)
    assert not output.exists()


def _screened(tmp_path: Path, *facts: Resource) -> dict[str, object]:
    suite = Suite("NCT06892145")
    suite.case("p", "", *facts)
    file = tmp_path / "patient.json"
    file.write_text(bundle(suite.cases), encoding="utf-8")
    done = run("screen", file, "--on", ON, "--trial", "NCT06892145", "--format", "json")
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)[0]
    return found


UNUSABLE = {
    "a unit that does not convert": (lab("alt", 30, "mm", uln=40), "I06c"),
    "no unit": ({**lab("lvef2d", 60, "%"), "valueQuantity": {"value": 60}}, None),
    "a score over its maximum": (score("sledai2kTotal", 106), "I04"),
    "a negative score": (score("sledai2kTotal", -1), "I04"),
    "a date that is no date": (score("sledai2kTotal", 9, on="2026-02-30"), "I04"),
    "a date in words": (score("sledai2kTotal", 9, on="last week"), "I04"),
    "a value that is no number": (
        {**score("sledai2kTotal", 9), "valueQuantity": {"value": "nine", "code": "{score}"}},
        "I04",
    ),
    "an answer that is neither": (result("ana", "sct:385432009"), "I05"),
}


@pytest.mark.parametrize(("fact", "row"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_value_that_cannot_be_used_is_reported_and_its_row_open(
    fact: Resource, row: str | None, tmp_path: Path
) -> None:
    verdict = _screened(tmp_path, fact)
    assert "Observation/p-1" in {unread["record"] for unread in verdict["unread"]}  # type: ignore[attr-defined,index]
    statuses = {entry["id"]: entry["status"] for entry in verdict["criteria"]}  # type: ignore[attr-defined,index]
    assert row is None or statuses[row] == "unknown"


def test_a_bundle_of_twenty_megabytes_is_screened(tmp_path: Path) -> None:
    """One patient with a hospital's worth of results, and much that nobody asked for."""
    notes = [_note("x" * 10_000) for _ in range(1200)]
    results = [lab("ast", 30, "U/L", uln=40)]
    results += [lab("alt", 20 + day % 20, "U/L", uln=40, on=ago(day % 3000)) for day in range(20_000)]
    suite = Suite("NCT06892145")
    suite.case("big", "", person(), diagnosis("icd:M32.9", onset="2018"), drug("rx:5521", "2018"), results, notes)
    file = tmp_path / "big.json"
    file.write_text(bundle(suite.cases), encoding="utf-8")
    assert file.stat().st_size > 20_000_000
    done = run("screen", file, "--on", ON, "--trial", "NCT06892145", "--format", "json")
    assert done.returncode == 0, done.stderr
    rows = {row["id"]: row for row in json.loads(done.stdout)[0]["criteria"]}
    assert (rows["I03b"]["status"], rows["I06c"]["status"]) == ("pass", "pass")


def _note(text: str) -> Resource:
    return {"resourceType": "DocumentReference", "_owner": "subject", "status": "current", "description": text}


@pytest.mark.parametrize("kind", ["hl7", "synthea"])
def test_real_exports_give_verdicts_that_rest_on_their_records(kind: str) -> None:
    """Whatever passes or fails names a record of the file; rows that everybody passes rest on nothing."""
    files = sorted((DATA / kind).glob("*.json"))
    done = run("screen", *files, "--on", ON, "--format", "json", "--trial", "NCT06106906")
    assert done.returncode == 0, done.stderr
    verdicts = json.loads(done.stdout)
    groups = {(verdict["trial"], row["parent"]) for verdict in verdicts for row in verdict["criteria"]}
    records = {
        f"{resource['resourceType']}/{resource['id']}"
        for file in files
        for resource in _resources(json.loads(file.read_text(encoding="utf-8")))
    }
    assert len(verdicts) >= 2
    for verdict in verdicts:
        for row in verdict["criteria"]:
            if row["status"] in ("pass", "fail") and row["id"] != "I02b":
                named = {evidence["record"] for evidence in row["evidence"]}
                assert named or (verdict["trial"], row["id"]) in groups, (verdict["patient"], row["id"])
                assert named <= records, (verdict["patient"], row["id"], named - records)


def _resources(document: Resource) -> list[Resource]:
    if document.get("resourceType") == "Bundle":
        return [entry["resource"] for entry in document["entry"] if "resource" in entry]
    return [document]
