"""A recorded death: told, never eligible, none to call, whatever else is recorded; after screening it is not seen."""

import json
from dataclasses import replace
from datetime import date

import pytest

from caselib import EXAMPLES
from cohorts import judged, screened, write_tables
from patients.fhir_builder import bundle, local, observation, read, reasons, rows
from sle_kg.ingest import Options as IngestOptions
from sle_kg.ingest import ingest_cohort
from sle_kg.patients.rdf import to_rdf
from sle_kg.patients.read import read_patients
from sle_kg.screening import Options, Session

ON = date(2026, 11, 21)
OPTIONS = Options(on=ON, trials=("NCT06892145",))


def absent(reason):
    """An element whose value is missing for a reason."""
    return {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": reason}]}


NOT_TOLD = absent("unknown")
PERSON = {"resourceType": "Patient", "id": "p", "birthDate": "1990-05-10", "gender": "female"}


def eligible(folder, **said):
    """The example patient who is eligible, with more said of the patient; her file, and the resources."""
    made = json.loads((EXAMPLES / "a-01.json").read_text(encoding="utf-8"))
    for entry in made["entry"]:
        if entry["resource"]["resourceType"] == "Patient":
            entry["resource"] |= said
    file = folder / "patient.json"
    file.write_text(json.dumps(made), encoding="utf-8")
    return file, [entry["resource"] for entry in made["entry"]]


def verdict_of(file, options=OPTIONS):
    session = Session([file], options)
    return session.judge(session.data.patients, lambda done: None)[0]


@pytest.mark.parametrize(
    ("said", "day", "words"),
    [
        ({"deceasedDateTime": "2026-03-04"}, (date(2026, 3, 4), date(2026, 3, 4)), " on 2026-03-04"),
        ({"deceasedDateTime": "2026-03"}, (date(2026, 3, 1), date(2026, 3, 31)), " on 2026-03"),
        ({"deceasedBoolean": True}, (None, None), ""),
        ({"deceasedBoolean": "yes"}, (None, None), ""),
        ({"_deceasedDateTime": absent("masked")}, (None, None), ""),
    ],
)
def test_a_death_is_an_event_and_is_told(tmp_path, said, day, words):
    file = tmp_path / "patient.json"
    file.write_text(json.dumps(bundle(patient=PERSON | said)), encoding="utf-8")
    data = read_patients([file])
    assert [(row["event"], row["date_from"], row["date_to"]) for row in rows(data, "event")] == [("death", *day)]
    assert reasons(data) == [f"recorded as deceased{words}"]
    again = tmp_path / "patient.ttl"
    again.write_bytes(to_rdf(data))
    assert {name: rows(read_patients([again]), name) for name in data.tables} == {
        name: rows(data, name) for name in data.tables
    }


@pytest.mark.parametrize(
    "said",
    [
        {"_deceasedBoolean": NOT_TOLD},
        {"_deceasedDateTime": NOT_TOLD},
        {"_deceasedDateTime": absent("asked-unknown")},
        {"_deceasedBoolean": absent("masked"), "_deceasedDateTime": absent("not-applicable")},
    ],
)
def test_a_death_that_is_not_told_may_have_been(tmp_path, said):
    file, _ = eligible(tmp_path, **said)
    assert reasons(read_patients([file])) == ["not told whether the patient has died"]
    assert verdict_of(file).verdict == "undetermined"


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"deceasedBoolean": False},
        {"deceasedBoolean": False, "_deceasedDateTime": {}},
        {"deceasedBoolean": False, "_deceasedDateTime": absent("not-applicable")},
        {"deceasedBoolean": False, "_deceasedDateTime": NOT_TOLD},
        {"_deceasedDateTime": absent("not-applicable")},
        {"_deceasedBoolean": absent("not-applicable")},
    ],
)
def test_who_is_not_said_to_have_died_has_no_such_event(tmp_path, said):
    file = tmp_path / "patient.json"
    file.write_text(json.dumps(bundle(patient=PERSON | said)), encoding="utf-8")
    assert rows(read_patients([file]), "event") == []


def test_a_death_of_no_readable_day_may_have_been_on_any(tmp_path):
    file, _ = eligible(tmp_path, deceasedDateTime="last summer")
    assert verdict_of(file).verdict == "undetermined"


@pytest.mark.parametrize(
    ("said", "events"),
    [
        ({"deceasedBoolean": True}, {"consent": date(2026, 11, 1)}),
        ({"deceasedDateTime": "2026-11-21"}, {}),
        pytest.param({"deceasedBoolean": True}, {}, marks=pytest.mark.slow),
        pytest.param({"deceasedDateTime": "2026-11-21"}, {"consent": date(2026, 11, 1)}, marks=pytest.mark.slow),
    ],
)
def test_the_deceased_are_never_eligible_nor_to_be_called(tmp_path, said, events):
    file, resources = eligible(tmp_path)
    assert verdict_of(file).verdict == "eligible"
    consents = observation(local("attest:NCT06892145/I01"), on="2026-11-20", valueBoolean=True)
    consents["subject"] = {"reference": f"Patient/{next(r['id'] for r in resources if r['resourceType'] == 'Patient')}"}
    file, resources = eligible(tmp_path, **said)
    file.write_text(json.dumps(bundle(*resources[1:], consents, patient=resources[0])), encoding="utf-8")
    found = verdict_of(file, replace(OPTIONS, events=events))
    row = next(row for row in found.criteria if row.id == "I01")
    assert (found.verdict, found.nothing_against, found.earliest_eligible) == ("undetermined", False, None)
    assert (row.status, row.open_kind) == ("unknown", "data")
    assert "recorded as deceased" in row.reason and "alive" in row.missing[0]
    assert any(one.why.startswith("recorded as deceased") for one in found.unread)


def test_a_death_after_screening_is_not_seen(tmp_path):
    file, _ = eligible(tmp_path, deceasedDateTime="2026-11-22")
    found = verdict_of(file)
    assert found.verdict == "eligible" and not any("deceased" in one.why for one in found.unread)


@pytest.mark.parametrize(
    "said",
    [
        {"deceasedDateTime": "2026-03-04"},
        *(pytest.param(one, marks=pytest.mark.slow) for one in ({}, {"deceasedBoolean": True})),
    ],
)
def test_both_engines_and_a_cohort_of_ingested_lines_say_the_same(tmp_path, said):
    file, resources = eligible(tmp_path, **said)
    export = tmp_path / "export.ndjson"
    export.write_text("".join(json.dumps(one) + "\n" for one in resources), encoding="utf-8")
    ingest_cohort([str(export)], tmp_path / "tables", IngestOptions(workers=1))
    expected = screened(file, replace(OPTIONS, engine="shacl"))
    assert expected == screened(file, replace(OPTIONS, engine="sql"))
    assert judged(tmp_path / "tables", OPTIONS)[1] == expected
    assert judged(write_tables(tmp_path / "read", read_patients([file]).tables), OPTIONS)[1] == expected


def test_an_observation_may_tell_of_a_death(tmp_path):
    data = read(tmp_path, observation(local("deceased"), on="2026-03-04", valueBoolean=True))
    assert [row["event"] for row in rows(data, "event")] == ["death"]
    assert rows(read(tmp_path, observation(local("deceased"), valueBoolean=False)), "event") == []
