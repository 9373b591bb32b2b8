"""What says whether a record holds, as systems write it: statuses that are missing, of other forms, or doubtful."""

import json
from datetime import date

import pyarrow.parquet as pq
import pytest

from patients.fhir_builder import concept, loinc, observation, quantity, read, reasons, resource, rows
from sle_kg.ingest import Options, ingest_cohort
from sle_kg.patients.facts import COLUMNS
from sle_kg.patients.read import read_patients

SIGNED = date(2026, 11, 20)
UNCLEAR = "its status or its provisions do not tell whether the consent holds"


def consent(**elements):
    given = {
        "status": "active",
        "scope": concept("http://terminology.hl7.org/CodeSystem/consentscope", "research"),
        "dateTime": f"{SIGNED}",
        "identifier": [{"system": "https://clinicaltrials.gov", "value": "NCT06892145"}],
    }
    return resource("Consent", **(given | elements))


def permitted(**period):
    return {"type": "permit", "period": period}


def act(code):
    return concept("http://terminology.hl7.org/CodeSystem/v3-ActCode", code)


CONSENTS = [
    ({}, "active", SIGNED),
    ({"policyRule": act("OPTIN")}, "active", SIGNED),
    ({"policyRule": act("OPTOUT")}, "rejected", SIGNED),
    ({"status": None, "policyRule": act("OPTOUT")}, "rejected", SIGNED),
    ({"status": None}, "unclear", SIGNED),
    ({"provision": {"type": "permit", "provision": [{"type": "permit"}, {"type": "deny"}]}}, "unclear", SIGNED),
    ({"provision": [{"type": "deny"}]}, "unclear", SIGNED),
    ({"provision": permitted(start="2026-11-01")}, "active", SIGNED),
    ({"provision": permitted(start="2026")}, "active", SIGNED),
    ({"provision": permitted(start="2027-01-01", end="2030")}, "active", date(2027, 1, 1)),
    ({"provision": permitted(start="2027-01-01"), "dateTime": None}, "active", date(2027, 1, 1)),
    ({"provision": permitted(start="soon")}, "unclear", SIGNED),
    ({"provision": permitted(start="2026-13")}, "unclear", SIGNED),
    ({"provision": permitted(start="2027-01-01"), "status": "inactive"}, "inactive", SIGNED),
]


@pytest.mark.parametrize(("elements", "status", "since"), CONSENTS)
def test_a_consent_holds_where_all_of_it_says_so(tmp_path, elements, status, since):
    data = read(tmp_path, consent(**elements))
    assert [(row["status"], row["date_from"]) for row in rows(data, "consent")] == [(status, since)]
    assert reasons(data) == ([UNCLEAR] if status == "unclear" else [])


def test_a_consent_signed_on_a_day_that_cannot_be_read_is_reported(tmp_path):
    data = read(tmp_path, consent(provision=permitted(start="2027-01-01"), dateTime="soon"))
    assert (rows(data, "consent"), reasons(data)) == ([], ["'soon' is no date"])


def result(**elements):
    return observation(loinc("1742-6"), **({"valueQuantity": quantity(25, "U/L")} | elements))


@pytest.mark.parametrize(
    "given",
    [result(status=None), observation(loinc("24323-8"), status=None, component=[result()])],
)
def test_a_result_without_a_status_is_the_latest_and_says_nothing(tmp_path, given):
    data = read(tmp_path, given)
    [row] = rows(data, "measurement")
    assert (row["test"], row["low"], row["high"]) == ("alt", None, None)
    assert reasons(data) == ["the value '(no status)' is text"]


def test_tables_hold_the_same(tmp_path):
    """What is read by remembered forms says the same."""
    lines = [{"resourceType": "Patient", "id": "p"}]
    for day in ("2026-11-10", "2026-11-20", "2026"):
        lines += [consent(**elements) | {"dateTime": day} for elements, _, _ in CONSENTS]
        lines += [result(status=None, effectiveDateTime=day), result(effectiveDateTime=day)]
    file = tmp_path / "export.ndjson"
    file.write_text("".join(f"{json.dumps(line | {'id': f'r{number}'})}\n" for number, line in enumerate(lines)))
    file.write_text(file.read_text().replace('"id": "r0"', '"id": "p"'))
    expected = read_patients([file]).tables
    ingest_cohort([str(file)], tmp_path / "tables", Options())
    for name in COLUMNS:
        found = pq.read_table(tmp_path / "tables" / f"{name}.parquet").to_pylist()
        assert sorted(map(repr, found)) == sorted(map(repr, expected[name].to_pylist())), name
