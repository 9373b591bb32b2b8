"""Hostile input: numbers that never end, names that stand twice, ids and texts that try to get out of their place."""

import csv
import datetime
import json
import re
import signal
import subprocess
import sys
import time
import uuid
from decimal import Decimal
from itertools import product
from pathlib import Path

import pyoxigraph as ox
import pytest

from sle_kg.cli import app
from sle_kg.errors import InputError
from sle_kg.export import export
from sle_kg.files import write_whole
from sle_kg.patients.read import read_patients
from sle_kg.queries import run_query
from sle_kg.screening import Options, check_options
from sle_kg.units import UnitError, convert


def patient_file(folder, resource):
    """A bundle of one patient and one resource about them; `@number` in the resource is to be replaced."""
    patient = {"resourceType": "Patient", "id": "p", "birthDate": "1990-01-01", "gender": "female"}
    entries = [{"resource": patient}, {"resource": {"subject": {"reference": "Patient/p"}, **resource}}]
    file = folder / "bundle.json"
    file.write_text(json.dumps({"resourceType": "Bundle", "entry": entries}), encoding="utf-8")
    return file


def local(code):
    return {"coding": [{"system": "https://w3id.org/sle-kg/codes", "code": code}]}


ENDLESS = ["1e999999999", "-1e9999999", "1e-999999999", "1e99999999999999999999", "9" * 100_000]


@pytest.mark.parametrize("number", ENDLESS)
@pytest.mark.parametrize("place", ["value", "limit", "dose", "frequency", "period"])
def test_a_number_beyond_any_measurement_costs_no_time_and_is_not_used(tmp_path, number, place):
    slots = dict.fromkeys(["value", "limit", "dose", "frequency", "period"], 1) | {place: "@number"}
    if place in ("value", "limit"):
        resource = {
            "resourceType": "Observation",
            "id": "r",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "1742-6"}]},
            "effectiveDateTime": "2026-11-10",
            "valueQuantity": {"value": slots["value"], "code": "U/L"},
            "referenceRange": [{"high": {"value": slots["limit"], "code": "U/L"}}],
        }
    else:
        timing = {"frequency": slots["frequency"], "period": slots["period"], "periodUnit": "d"}
        resource = {
            "resourceType": "MedicationStatement",
            "id": "r",
            "status": "active",
            "medicationCodeableConcept": local("prednisone"),
            "effectiveDateTime": "2026-01-01",
            "dosage": [
                {
                    "timing": {"repeat": timing},
                    "doseAndRate": [{"doseQuantity": {"value": slots["dose"], "code": "mg"}}],
                }
            ],
        }
    file = patient_file(tmp_path, resource)
    file.write_text(file.read_text().replace('"@number"', number))
    start = time.process_time()
    data = read_patients([file])
    assert time.process_time() - start < 5
    table, column = {
        "value": ("measurement", "low"),
        "limit": ("measurement", "uln"),
        "dose": ("exposure", "dose"),
        "frequency": ("exposure", "times"),
        "period": ("exposure", "times"),
    }[place]
    assert data.tables[table].column(column).to_pylist() == [None]
    reasons = data.tables["unread"].column("why").to_pylist()
    if place in ("value", "dose"):
        assert [why.endswith("(no clinical value)' is no number") for why in reasons] == [True]


@pytest.mark.parametrize("number", ["1e999999999", "1e-999999999", "NaN", "INF"])
def test_the_same_in_rdf(tmp_path, number):
    file = tmp_path / "patient.ttl"
    file.write_text(
        "@prefix sle: <https://w3id.org/sle-kg/ontology#> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n"
        "<p> a sle:Patient . <p/Observation/r> a sle:Measurement ; sle:subject <p> ; sle:concept sle:alt ;\n"
        f'sle:effective "2026-11-10"^^xsd:date ; sle:measuredValue "{number}"^^xsd:double ; sle:ucumUnit "U/L" .'
    )
    data = read_patients([file])
    assert data.tables["measurement"].column("low").to_pylist() == [None]
    assert data.tables["unread"].num_rows == 1


def test_a_name_that_stands_twice_with_different_values_is_refused(tmp_path):
    file = tmp_path / "twice.json"
    file.write_text('{"resourceType": "Patient", "id": "p", "birthDate": "1990-01-01", "birthDate": "1950-01-01"}')
    with pytest.raises(InputError, match=r"twice\.json: 'birthDate' stands twice"):
        read_patients([file])


def test_a_name_that_stands_twice_with_one_value_is_read(tmp_path):
    file = tmp_path / "twice.json"
    file.write_text('{"resourceType": "Patient", "id": "p", "gender": "female", "gender": "female"}')
    assert read_patients([file]).patients == ["p"]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\u000b", "\u001c"])
def test_only_a_line_feed_ends_a_line_of_ndjson(tmp_path, separator):
    text = json.dumps(f"a{separator}b", ensure_ascii=False)
    if not text.isprintable() and separator < " ":
        text = json.dumps(f"a{separator}b")
    file = tmp_path / "export.ndjson"
    lines = [f'{{"resourceType": "Patient", "id": "{name}", "note": {text}}}' for name in "pq"]
    file.write_text("\r\n".join(lines), encoding="utf-8")
    assert read_patients([file]).patients == ["p", "q"]


def test_a_file_beyond_the_limit_is_not_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("sle_kg.patients.read.MAX_BYTES", 1 << 20)
    file = tmp_path / "large.json"
    file.write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(InputError, match="larger than 1 MB: split it"):
        read_patients([file])


def test_a_file_without_end_is_refused(monkeypatch):
    monkeypatch.setattr("sle_kg.patients.read.MAX_BYTES", 1 << 20)
    with pytest.raises(InputError, match="/dev/zero: the file is larger"):
        read_patients([Path("/dev/zero")])


@pytest.mark.parametrize("year", [1, 1899, 3000, 9999])
def test_dates_without_room_for_windows_are_refused(year):
    day = datetime.date(year, 1, 1)
    with pytest.raises(InputError, match=r"--on: .* give one from 1900 to 2999"):
        check_options(Options(on=day))
    with pytest.raises(InputError, match=r"--event infusion: .* give one from 1900 to 2999"):
        check_options(Options(on=datetime.date(2026, 11, 21), events={"infusion": day}))


def screened(file, form, capfd, *options):
    """What `sle-kg screen` (or `profile` for RDF formats other than its own) writes for a file."""
    command = "profile" if form in ("n-triples", "json-ld", "rdf-xml") else "screen"
    arguments = [command, str(file), "--on", "2026-11-21", "--trial", "NCT06892145", "--format", form, *options]
    assert app(arguments, standalone_mode=False) in (None, 0)
    return capfd.readouterr().out


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\x1b]0;title\x07\x1b[2J",
    "\u202eabc",
    "[red]bold[/red]",
    "=HYPERLINK(1)",
    "..",
    "a/../../b",
    "a\x00b",
    "x> <y> <z> .\n<a",
    "';DROP TABLE fact_patient;--",
]


FORMS = ["table", "csv", "html", "turtle", "json", "n-triples", "json-ld", "rdf-xml"]
SHOWN = ("table", "html", "turtle")
"""Forms that many patients are asked for at once; the slow tests ask for all."""
ALONE = {(FORMS[number % len(FORMS)], text) for number, text in enumerate(HOSTILE)}
"""Every text and every form is asked alone once; the slow tests ask all pairs alone."""


@pytest.mark.parametrize(
    "form", [pytest.param(form, marks=() if form in SHOWN else pytest.mark.slow) for form in FORMS]
)
def test_texts_of_many_patients_stay_in_their_place(tmp_path, capfd, form):
    stays_in_its_place(tmp_path, capfd, HOSTILE, form)


@pytest.mark.parametrize(
    ("form", "text"),
    [pytest.param(*pair, marks=() if pair in ALONE else pytest.mark.slow) for pair in product(FORMS, HOSTILE)],
)
def test_texts_of_patients_stay_in_their_place(tmp_path, capfd, form, text):
    stays_in_its_place(tmp_path, capfd, [text], form)


def patient_of(text):
    """A patient whose id, codes and words are the text."""
    patient = {"resourceType": "Patient", "id": text, "birthDate": "1990-01-01", "gender": "female"}
    about = {"status": "final", "subject": {"reference": f"Patient/{text}"}, "effectiveDateTime": "2026-11-10"}
    local_code = {"system": "https://w3id.org/sle-kg/codes", "display": text}
    return [
        patient,
        {"resourceType": "Condition", "id": text, "code": {"text": text, "coding": [{"code": text}]}, **about},
        {"resourceType": "Observation", "id": "s", "valueInteger": 9, **about}
        | {"code": {"coding": [{**local_code, "code": "sledai2kTotal"}]}},
        {"resourceType": "Observation", "id": "t", "valueBoolean": True, **about}
        | {"code": {"coding": [{**local_code, "code": f"attest:NCT06892145/{text}"}]}},
        {"resourceType": "Observation", "id": "u", "valueBoolean": True, **about}
        | {"code": {"coding": [{**local_code, "code": f"contraindication:{text}"}]}},
    ]


def stays_in_its_place(tmp_path, capfd, texts, form):
    """What is written of the patients in this form holds their texts, and none has become anything but text."""
    entries = [{"resource": resource} for text in texts for resource in patient_of(text)]
    file = tmp_path / "hostile.json"
    file.write_text(json.dumps({"resourceType": "Bundle", "entry": entries}))
    written = screened(file, form, capfd)
    if form in ("table", "csv", "html"):
        assert not {character for character in written if character < " " and character not in "\r\n"}
        assert "\u202e" not in written
    match form:
        case "html":
            assert "<script" not in written and "<img" not in written
            assert re.search(r"script-src|unsafe", written) is None
        case "csv":
            cells = [cell for row in csv.reader(written.splitlines()) for cell in row]
            assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
        case "json":
            assert [verdict["patient"] for verdict in json.loads(written)] == texts
        case "turtle" | "n-triples" | "json-ld" | "rdf-xml":
            parsed = list(ox.parse(written, format=FORMATS[form], base_iri="http://example.org/"))
            subjects = {quad.subject.value for quad in parsed}
            assert not [iri for iri in subjects if not iri.startswith("https://w3id.org/sle-kg/")]


FORMATS = {
    "turtle": ox.RdfFormat.TURTLE,
    "n-triples": ox.RdfFormat.N_TRIPLES,
    "json-ld": ox.RdfFormat.JSON_LD,
    "rdf-xml": ox.RdfFormat.RDF_XML,
}


def test_an_attestation_of_a_row_that_is_not_there_is_reported(tmp_path, capfd):
    resource = {
        "resourceType": "Observation",
        "id": "r",
        "status": "final",
        "code": local("attest:NCT06892145/I99"),
        "effectiveDateTime": "2026-11-10",
        "valueBoolean": True,
    }
    [verdict] = json.loads(screened(patient_file(tmp_path, resource), "json", capfd))
    assert [(record["record"], record["why"]) for record in verdict["unread"]] == [
        ("Observation/r", "NCT06892145 has no such criterion")
    ]


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "9999"])
def test_the_ends_of_the_calendar_in_records(tmp_path, capfd, day):
    resource = {
        "resourceType": "Observation",
        "id": "r",
        "status": "final",
        "code": local("event:leukapheresis"),
        "valueDateTime": day,
    }
    assert json.loads(screened(patient_file(tmp_path, resource), "json", capfd))


PREFIXES = "@prefix sle: <https://w3id.org/sle-kg/ontology#> .\n<p> a sle:Patient .\n"


def test_triples_quoted_without_end_are_refused(tmp_path):
    """Nested 20,000 times they ended the process: the parser drops them one inside the other."""
    file = tmp_path / "nested.ttl"
    file.write_text(PREFIXES + "<a> <b> " + "<<( <a> <b> " * 20_000 + "<c>" + " )>>" * 20_000 + " .")
    with pytest.raises(InputError, match=r"nested\.ttl: too many quoted triples"):
        read_patients([file])


def test_quoted_triples_below_the_limit_are_passed_over(tmp_path):
    file = tmp_path / "nested.ttl"
    file.write_text(PREFIXES + "<a> <b> " + "<<( <a> <b> " * 500 + "<c>" + " )>>" * 500 + " .")
    assert read_patients([file]).patients == ["p"]


def test_a_chain_of_parts_costs_no_time(tmp_path):
    parts = (f"<o{n}> a sle:Measurement ; sle:partOfRecord <o{n - 1}> .\n" for n in range(1, 20_000))
    file = tmp_path / "chain.ttl"
    file.write_text(PREFIXES + "<o0> a sle:Measurement ; sle:subject <p> .\n" + "".join(parts))
    start = time.process_time()
    assert read_patients([file]).skipped["Measurement of no patient in the files"] > 19_000
    assert time.process_time() - start < 10


def test_parts_of_each_other_belong_to_nobody(tmp_path):
    file = tmp_path / "circle.ttl"
    file.write_text(
        PREFIXES + "<a> a sle:Measurement ; sle:partOfRecord <b> .\n<b> a sle:Measurement ; sle:partOfRecord <a> ."
    )
    assert read_patients([file]).skipped == {"Measurement of no patient in the files": 2}


def test_ctrl_c_ends_a_query_that_would_not(tmp_path):
    file = tmp_path / "cross.rq"
    file.write_text("SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }")
    with subprocess.Popen([sys.executable, "-m", "sle_kg", "query", str(file)], stderr=subprocess.PIPE) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(4)
        process.send_signal(signal.SIGINT)
        process.wait(10)
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_nothing_is_left_where_writing_is_interrupted(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "result", b"text")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&- <&-"])
def test_a_stream_that_the_caller_closed_is_no_fault(closed):
    command = f"{sys.executable} -m sle_kg trials {closed}"
    assert subprocess.run(["bash", "-c", command], check=False).returncode == 0


def test_json_ld_asks_for_no_address_of_the_machine(monkeypatch):
    """pyld's uuid1 made the C library open a network socket, which no audit hook of Python sees."""

    def uuid1():
        raise AssertionError("uuid1 was called")

    monkeypatch.setattr(uuid, "uuid1", uuid1)
    assert export("trial", "NCT06892145", "json-ld").startswith(b"{")


@pytest.mark.parametrize(
    "unit", ["(" * 500 + "m" + ")" * 500, "m" * 5000, "U" + ".U" * 2000, "10^999999999", "m99999999"]
)
def test_a_unit_that_nests_or_grows_without_end_is_no_unit(unit):
    start = time.process_time()
    with pytest.raises(UnitError):
        convert(Decimal(1), unit, "U/L")
    assert time.process_time() - start < 10


@pytest.mark.slow
def test_many_parts_and_attestations_of_one_record_cost_no_time(tmp_path, capfd):
    part = {"code": {"coding": [{"system": "http://loinc.org", "code": "1742-6"}]}}
    parts = [{**part, "valueQuantity": {"value": value, "code": "U/L"}} for value in range(20_000)]
    common = {"resourceType": "Observation", "status": "final", "effectiveDateTime": "2026-11-10"}
    file = patient_file(tmp_path, {**common, "id": "r", "code": local("panel"), "component": parts})
    bundle = json.loads(file.read_text())
    said = {**common, "subject": {"reference": "Patient/p"}, "code": local("attest:NCT06892145/I04")}
    bundle["entry"] += [{"resource": {**said, "id": f"a{n}", "valueBoolean": True}} for n in range(20_000)]
    file.write_text(json.dumps(bundle))
    start = time.process_time()
    assert screened(file, "csv", capfd)
    assert time.process_time() - start < 30


ABSURD = ["1e19", "2000000", "1e-12", "1e-30", "0", "123456789012345678.123456789012"]
QUICK = (("1e19", "mg"), ("0", "mg/kg"), ("1e-30", "g"))
PAIRS = tuple(product(ABSURD, ("mg", "mg/kg", "g")))


@pytest.mark.parametrize("pairs", [QUICK, *(pytest.param((pair,), marks=pytest.mark.slow) for pair in PAIRS)], ids=str)
def test_doses_and_weights_that_nobody_has_end_no_computation(tmp_path, capfd, pairs):
    """Products beyond DuckDB's decimals and divisions by a weight that rounds to nothing ended the process."""
    ids = [f"p{place}" for place in range(len(pairs))]
    bundles = [absurd_patient(name, *pair) for name, pair in zip(ids, pairs, strict=True)]
    file = tmp_path / "doses.ndjson"
    file.write_text("\n".join(line for lines in bundles for line in lines))
    arguments = ["screen", str(file), "--on", "2026-11-21", "--format", "json", "--complete", "medications"]
    assert app(arguments, standalone_mode=False) in (None, 0)
    assert {verdict["patient"] for verdict in json.loads(capfd.readouterr().out)} == set(ids)


def absurd_patient(name, number, unit):
    """The resources, as lines, of a patient who weighs this number of kg and takes as much of four medicines."""
    common = {"status": "active", "effectivePeriod": {"start": "2025-01-01"}}
    weight = {"status": "final", "effectiveDateTime": "2026-11-10", "valueQuantity": {"value": "@number", "code": "kg"}}
    entries = [{"resourceType": "Patient", "id": name, "birthDate": "1990-01-01", "gender": "female"}]
    entries.append({"resourceType": "Observation", "id": f"{name}-w", "code": {"coding": [BODY_WEIGHT]}, **weight})
    for drug in ("prednisone", "mycophenolateMofetil", "cyclophosphamide", "hydroxychloroquine"):
        for period_unit, period in (("d", "1"), ("s", "0.01"), ("a", "10000")):
            timing = {"frequency": 10_000, "period": f"@{period}", "periodUnit": period_unit}
            dosage = {
                "timing": {"repeat": timing},
                "doseAndRate": [{"doseQuantity": {"value": "@number", "code": unit}}],
            }
            statement = {"medicationCodeableConcept": local(drug), "dosage": [dosage], **common}
            entries.append({"resourceType": "MedicationStatement", "id": f"{name}-{drug}-{period_unit}", **statement})
    about = {"subject": {"reference": f"Patient/{name}"}}
    texts = (json.dumps({**about, **entry}).replace('"@number"', number) for entry in entries)
    return [re.sub(r'"@([^"]*)"', r"\1", text) for text in texts]


BODY_WEIGHT = {"system": "http://loinc.org", "code": "29463-7"}


@pytest.mark.parametrize("value", [r"a\u0041b", r"\U00000022", r"a\u0022 } SERVICE <http://x> {", r"\\u0041", "\\"])
def test_a_parameter_may_hold_what_looks_like_an_escape(tmp_path, value):
    """The escape was resolved inside the finished query, which then was no SPARQL."""
    file = tmp_path / "named.rq"
    file.write_text('#+ param: t string — a text\nSELECT ?t {\n  VALUES ?t { "a" }\n}')
    assert [[str(term) for term in row] for row in run_query(file, {"t": value}).rows] == [[value]]
