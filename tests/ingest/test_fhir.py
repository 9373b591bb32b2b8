"""FHIR exports to tables: the same facts as `screen` sees, however the records are cut, packed and ordered."""

import gzip
import json
import random
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import cases
from caselib import EXAMPLES, batches, bundle
from sle_kg.ingest import Options, ingest_cohort, pieces
from sle_kg.patients.facts import COLUMNS, schema
from sle_kg.patients.read import read_patients
from sle_kg.synthetic import write_cohort

DATA = Path(__file__).parents[1] / "data" / "fhir"


def rows_of(tables):
    """Every table as sorted text, for comparison."""
    return {name: sorted(map(repr, tables[name].to_pylist())) for name in COLUMNS}


def ingested(folder):
    return rows_of({name: pq.read_table(folder / f"{name}.parquet") for name in COLUMNS})


def bytes_of(folder):
    """The content of every final file that does not tell what was read."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "ingest.json"}


def read(folder, *files, workers=1):
    return ingest_cohort([str(file) for file in files], folder, Options(workers=workers))


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    """A bulk export of synthetic patients."""
    folder = tmp_path_factory.mktemp("export")
    write_cohort(folder, 8, 3)
    return folder


@pytest.fixture(scope="module")
def facts(export):
    return rows_of(read_patients(sorted(export.glob("*.ndjson"))).tables)


def test_a_bulk_export_gives_the_facts_that_screen_reads(export, facts, tmp_path):
    summary = read(tmp_path / "out", export)
    assert ingested(tmp_path / "out") == facts
    assert summary.patients == 8 and summary.rejects == {}
    assert {name: len(rows) for name, rows in facts.items()} == summary.rows


def test_tables_have_the_schema_of_fact_tables(export, tmp_path):
    read(tmp_path / "out", export)
    found = {name: pq.read_schema(tmp_path / "out" / f"{name}.parquet") for name in COLUMNS}
    assert found == {name: schema(name) for name in COLUMNS}


@pytest.mark.parametrize("suite", cases.SUITES, ids=lambda suite: suite.trial)
def test_every_case_gives_the_facts_that_screen_reads(suite, tmp_path):
    bundles = tmp_path / "bundles"
    bundles.mkdir()
    for number, batch in enumerate(batches(suite.cases)):
        (bundles / f"{number:04}.json").write_text(bundle(batch))
    expected = rows_of(read_patients(sorted(bundles.iterdir())).tables)
    read(tmp_path / "out", bundles)
    assert ingested(tmp_path / "out") == expected


@pytest.mark.parametrize("folder", [EXAMPLES, DATA / "synthea"], ids=lambda folder: folder.name)
def test_real_and_example_files_give_the_facts_that_screen_reads(folder, tmp_path):
    files = sorted(folder.glob("*.json"))
    read(tmp_path / "out", *files)
    assert ingested(tmp_path / "out") == rows_of(read_patients(files).tables)


def shuffled(export, folder, seed):
    """The lines of an export dealt out to other files, some of them gzipped, some records twice."""
    dice = random.Random(seed)
    lines = [line for file in sorted(export.glob("*.ndjson")) for line in file.read_bytes().splitlines()]
    lines += dice.sample(lines, 40)
    dice.shuffle(lines)
    folder.mkdir()
    for number in range(3):
        content = b"\n".join(lines[number::3]) + b"\n"
        name = dice.choice("abcdefgh") + str(number)
        if number:
            (folder / f"{name}.ndjson.gz").write_bytes(gzip.compress(content))
        else:
            (folder / f"{name}.ndjson").write_bytes(content.replace(b"\n", b"\r\n\n"))
    return folder


def test_patients_split_over_files_and_records_twice_give_the_same_bytes(export, tmp_path, monkeypatch):
    read(tmp_path / "plain", export)
    monkeypatch.setattr(pieces, "PIECE", 200_000)
    for seed in (1, 2):
        source = shuffled(export, tmp_path / f"shuffled{seed}", seed)
        read(tmp_path / f"out{seed}", source)
        assert bytes_of(tmp_path / f"out{seed}") == bytes_of(tmp_path / "plain")


def test_more_processes_and_another_order_give_the_same_bytes(export, tmp_path):
    files = sorted(export.glob("*.ndjson"))
    read(tmp_path / "one", *files)
    read(tmp_path / "two", *reversed(files), workers=2)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")


def test_medications_events_and_patients_of_other_files_are_found(tmp_path):
    patient = {"resourceType": "Patient", "id": "a", "birthDate": "1990", "gender": "female"}
    atc = {"coding": [{"system": "http://www.whocc.no/atc", "code": "P01BA02"}]}
    medication = {"resourceType": "Medication", "id": "m", "code": atc}
    taken = {
        "resourceType": "MedicationStatement",
        "id": "s",
        "status": "active",
        "subject": {"reference": "https://hospital.example/fhir/Patient/a"},
        "medicationReference": {"reference": "https://hospital.example/fhir/Medication/m"},
        "effectivePeriod": {"start": "2020-01-01"},
    }
    event = {
        "resourceType": "AdverseEvent",
        "id": "e",
        "actuality": "actual",
        "subject": {"reference": "Patient/a"},
        "event": {"text": "Fever"},
        "date": "2021-01-01",
    }
    local = "https://w3id.org/sle-kg/codes"
    grade = {
        "resourceType": "Observation",
        "id": "g",
        "status": "final",
        "code": {"coding": [{"system": local, "code": "ctcaeGrade"}]},
        "subject": {"reference": "AdverseEvent/e"},
        "effectiveDateTime": "2021-01-02",
        "valueInteger": 3,
    }
    files = []
    for number, resource in enumerate([taken, grade, event, medication, patient]):
        files.append(tmp_path / f"{number}.json")
        files[-1].write_text(json.dumps(resource))
    read(tmp_path / "out", *files)
    expected = rows_of(read_patients(files).tables)
    assert "P01BA02" in expected["exposure"][0] or "hydroxychloroquine" in expected["exposure"][0]
    assert "Decimal('3.000000000000')" in expected["adverse_event"][0]
    assert ingested(tmp_path / "out") == expected


def test_an_interrupted_ingest_goes_on(export, tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "PIECE", 200_000)
    read(tmp_path / "whole", export)
    from sle_kg.ingest import parts

    written = parts.PartStore.write
    calls = []

    def failing(self, *args):
        calls.append(args)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        written(self, *args)

    monkeypatch.setattr(parts.PartStore, "write", failing)
    from sle_kg.errors import InputError

    with pytest.raises(InputError, match=r"No space left on device.*run the same command again"):
        read(tmp_path / "broken", export)
    assert [file.name for file in (tmp_path / "broken").iterdir()] == ["parts"]
    monkeypatch.setattr(parts.PartStore, "write", written)
    read(tmp_path / "broken", export)
    assert bytes_of(tmp_path / "broken") == bytes_of(tmp_path / "whole")


def test_a_finished_folder_is_told_and_another_one_is_refused(export, tmp_path):
    from sle_kg.errors import InputError

    first = read(tmp_path / "out", export)
    again = read(tmp_path / "out", export)
    assert again.before and again.rows == first.rows
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(export / "Patient.000.ndjson", other)
    with pytest.raises(InputError, match="holds the tables of other sources"):
        read(tmp_path / "out", other)
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "letter.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        read(tmp_path / "strange", export)


def test_observations_that_say_the_same_are_read_once_and_keep_their_own_patient_and_day(tmp_path, monkeypatch):
    """Repeats with other days, times, patients, numbers and faults, against `screen` and against no memory at all."""
    from sle_kg.ingest.repeats import Repeats

    def observation(number, of, day, value, unit="mg/dL", **elements):
        code = {"coding": [{"system": "http://loinc.org", "code": "2160-0"}]}
        found = {"resourceType": "Observation", "id": f"o{number}", "status": "final", "code": code}
        found |= {"subject": {"reference": f"Patient/{of}"}, "effectiveDateTime": day, "meta": {"versionId": of}}
        return found | {"valueQuantity": {"value": value, "code": unit}} | elements

    days = ["2026-01-01", "2026-02-03T10:00:00+01:00", "2026-02", "2026-02-30", "2026-01-01T25:00:00", "2025-12-31"]
    faults = [
        {},
        {"status": "preliminary"},
        {"status": "entered-in-error"},
        {"valueQuantity": {"value": 1, "unit": "x"}},
    ]
    faults += [
        {"code": {"coding": [{"system": "http://loinc.org", "code": "1-8"}]}},
        {"effectivePeriod": {"end": "2027"}},
    ]
    resources = [{"resourceType": "Patient", "id": name, "birthDate": "1990"} for name in "ab"]
    resources += [
        observation(f"{of}-{day}-{value}-{fault}", of, days[day], value, **faults[fault])
        for of in "ab"
        for day in range(len(days))
        for value in (1, 2)
        for fault in range(len(faults))
    ]
    source = tmp_path / "all.ndjson"
    source.write_text("\n".join(map(json.dumps, resources)))
    summary = read(tmp_path / "out", source)
    assert ingested(tmp_path / "out") == rows_of(read_patients([source]).tables)
    monkeypatch.setattr(Repeats, "get", lambda self, key: None)
    without = read(tmp_path / "without", source)
    assert bytes_of(tmp_path / "without") == bytes_of(tmp_path / "out") and without == summary
