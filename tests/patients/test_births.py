"""Facts dated before the patient was born: the date is not believed, and the fact no longer certain."""

import json
from datetime import date

import pytest

from cohorts import judged, screened
from patients.fhir_builder import (
    bundle,
    condition,
    local,
    loinc,
    observation,
    quantity,
    read,
    reasons,
    resource,
    rows,
    snomed,
    statement,
)
from sle_kg.ingest import Options as IngestOptions
from sle_kg.ingest import ingest_cohort
from sle_kg.namespaces import ATC
from sle_kg.patients.rdf import to_rdf
from sle_kg.patients.read import read_patients
from sle_kg.screening import Options

SLE = snomed("55464009")
PREDNISONE = {"coding": [{"system": ATC, "code": "H02AB07"}]}
WHY = "dated before the patient was born"
BEFORE = [
    condition(SLE, onsetDateTime="1990-05-09", recordedDate="2020-01-01"),
    statement(PREDNISONE, effectivePeriod={"start": "1980-03", "end": "2026-11-01"}, status="completed"),
    resource("Procedure", code=snomed("302497006"), status="completed", performedDateTime="1975"),
    resource("Immunization", vaccineCode=local("liveVaccine"), status="completed", occurrenceDateTime="1989-12-31"),
    resource("AllergyIntolerance", code=PREDNISONE, recordedDate="1980-01-01"),
    observation(local("acr1997"), on="1900-01-01", valueBoolean=True),
    observation(local("plansPregnancy"), on="1900-01-01", valueBoolean=False),
]
"""Records of a patient born on 1990-05-10."""


def test_a_date_before_birth_is_told_and_makes_the_fact_uncertain(tmp_path):
    data = read(tmp_path, *BEFORE)
    assert reasons(data) == [WHY] * len(BEFORE)
    said = {"condition": "status", "exposure": "taken", "procedure": "done", "immunization": "given"}
    assert {table: rows(data, table)[0][name] for table, name in said.items()} == dict.fromkeys(said, "uncertain")
    assert rows(data, "allergy")[0]["status"] == "uncertain"
    assert rows(data, "measurement")[0]["positive"] is None
    assert rows(data, "statement")[0]["value"] is None
    assert rows(data, "condition")[0]["onset_from"] is None
    assert rows(data, "condition")[0]["recorded_from"] == date(2020, 1, 1)


@pytest.mark.parametrize("onset", ["1990-05-10", "1990-05", "1990", "1991-01-01"])
def test_a_date_that_may_lie_after_birth_is_believed(tmp_path, onset):
    data = read(tmp_path, condition(SLE, onsetDateTime=onset))
    assert reasons(data) == [] and rows(data, "condition")[0]["status"] == "confirmed"


def test_rdf_says_the_same(tmp_path):
    data = read(tmp_path, *BEFORE)
    file = tmp_path / "patient.ttl"
    file.write_bytes(to_rdf(data))
    again = read_patients([file])
    for name, table in data.tables.items():
        assert sorted(map(repr, again.tables[name].to_pylist())) == sorted(map(repr, table.to_pylist())), name


def test_a_cohort_whose_reader_did_not_know_the_birth_gets_the_same_verdicts(tmp_path):
    """Lines of a bulk export are read without their patient: dates are compared when a cohort is judged."""
    file = tmp_path / "patient.json"
    file.write_text(json.dumps(bundle(*BEFORE)), encoding="utf-8")
    export = tmp_path / "export.ndjson"
    resources = [entry["resource"] for entry in bundle(*BEFORE)["entry"]]
    export.write_text("".join(json.dumps(one) + "\n" for one in resources), encoding="utf-8")
    ingest_cohort([str(export)], tmp_path / "tables", IngestOptions(workers=1))
    complete = ("conditions", "medications", "procedures", "immunizations")
    options = Options(on=date(2026, 11, 21), complete=complete, engine="sql")
    assert judged(tmp_path / "tables", options)[1] == screened(file, options)


def test_a_disease_since_before_birth_proves_no_duration(tmp_path):
    """NCT06106906 I04a asks for lupus since at least 6 months: a wrong year does not tell."""
    file = tmp_path / "patient.json"
    options = Options(on=date(2026, 11, 21), trials=("NCT06106906",))

    def status(onset):
        diagnosis = condition(SLE, onsetDateTime=onset, recordedDate=onset)
        file.write_text(json.dumps(bundle(diagnosis)), encoding="utf-8")
        return {row["trial"]: dict(row["status"]) for row in screened(file, options)}["NCT06106906"]

    right, wrong = status("2010-01-01"), status("1010-01-01")
    assert {row for row, word in right.items() if word == "pass" and wrong[row] == "unknown"}
    assert not {row for row, word in wrong.items() if word in ("pass", "fail") and right[row] == "unknown"}


def test_a_result_dated_before_birth_is_not_taken_for_an_old_one(tmp_path):
    data = read(tmp_path, observation(loinc("1742-6"), on="1026-11-10", valueQuantity=quantity(20, "U/L")))
    assert reasons(data) == [WHY]
    assert [row["low"] for row in rows(data, "measurement")] == [None]
