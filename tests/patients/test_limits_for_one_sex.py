"""Limits of normal that a laboratory printed for one sex hold for patients of whom that sex is recorded."""

import json
from datetime import date

import pytest

from cohorts import judged, screened, write_tables
from patients.fhir_builder import bundle, concept, loinc, observation, quantity, read, rows, snomed
from sle_kg.patients.rdf import to_rdf
from sle_kg.patients.read import read_patients
from sle_kg.screening import Options

FEMALE, MALE = snomed("248152002"), snomed("248153007")
LIMIT = {"high": quantity(40)}
ON = date(2026, 11, 21)


def result(*ranges, code="1742-6", value=25):
    return observation(loinc(code), valueQuantity=quantity(value, "U/L"), referenceRange=list(ranges))


@pytest.mark.parametrize(
    ("ranges", "sex"),
    [
        ([LIMIT], None),
        ([LIMIT | {"appliesTo": [FEMALE]}], "female"),
        ([LIMIT | {"appliesTo": [MALE]}], "male"),
        ([LIMIT | {"appliesTo": [FEMALE, MALE]}], None),
        ([LIMIT | {"appliesTo": [FEMALE]}, LIMIT | {"appliesTo": [MALE]}], None),
        ([LIMIT | {"appliesTo": [MALE]}, LIMIT], None),
        ([LIMIT | {"appliesTo": [{"text": "Adult males"}]}], "male"),
        ([LIMIT | {"appliesTo": [concept("http://hl7.example/AdministrativeGender", "F")]}], "female"),
        ([LIMIT | {"text": "Women: up to 40"}], "female"),
        ([LIMIT | {"text": "men and women"}], None),
        ([LIMIT | {"text": "human serum"}], None),
    ],
)  # fmt: skip
def test_the_sex_that_limits_are_for(tmp_path, ranges, sex):
    data = read(tmp_path, result(*ranges))
    [row] = rows(data, "measurement")
    assert (row["uln"], row["limits_for"]) == (40, sex)
    [line] = [one["value"] for one in rows(data, "record") if "Alanine" in one["what"]]
    assert line == f"25 U/L (upper limit 40{ {'female': ', for women', 'male': ', for men', None: ''}[sex] })"
    file = tmp_path / "again.ttl"
    file.write_bytes(to_rdf(data))
    assert rows(read_patients([file]), "measurement") == [row]


@pytest.mark.parametrize(
    ("gender", "group", "status"),
    [
        ("female", FEMALE, "pass"),
        ("female", MALE, "unknown"),
        ("male", MALE, "pass"),
        ("male", FEMALE, "unknown"),
        (None, MALE, "unknown"),
        ("other", FEMALE, "unknown"),
        ("female", None, "pass"),
    ],
)
def test_a_limit_for_the_other_sex_decides_nothing(tmp_path, gender, group, status):
    """NCT06892145 I06c: ALT and AST at most 3 times the upper limit, for `screen` and a cohort alike."""
    limit = LIMIT | ({"appliesTo": [group]} if group else {})
    person = {"resourceType": "Patient", "id": "p", "birthDate": "1990-05-10", "gender": gender}
    file = tmp_path / "patient.json"
    file.write_text(json.dumps(bundle(result(limit), result(limit, code="1920-8"), patient=person)), encoding="utf-8")
    options = Options(on=ON, trials=("NCT06892145",))
    expected = screened(file, options)
    assert dict(expected[0]["status"])["I06c"] == status
    folder = write_tables(tmp_path / "tables", read_patients([file]).tables)
    assert judged(folder, options)[1] == expected
