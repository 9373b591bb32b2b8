"""Real exports: read without a crash, everything accounted for; golden fact tables of two examples."""

import json
import os
import time
from pathlib import Path

import pytest

from sle_kg.patients.raw import PROPERTIES
from sle_kg.patients.rdf import to_rdf
from sle_kg.patients.read import read_patients
from sle_kg.resources import path

DATA = Path(__file__).parents[1] / "data" / "fhir"
GOLDEN = Path(__file__).parent / "golden"
HL7 = sorted(DATA.glob("hl7/*.json"))
SYNTHEA = sorted(DATA.glob("synthea/*.json"))


def test_the_examples_of_hl7_are_read_together():
    data = read_patients(HL7)
    assert len(data.patients) == 22
    assert {name for raw in data.records for name in raw.values} <= PROPERTIES
    assert data.tables["exposure"].num_rows > 20
    assert {row["why"] for row in data.tables["unread"].to_pylist()} <= {
        "unmapped code",
        "no code",
        "the result has no date",
        "the diagnosis begins after it was recorded",
        "recorded as deceased",
        "recorded as deceased on 2015-02-14",
    }


@pytest.mark.parametrize("file", SYNTHEA, ids=lambda file: file.stem[:12])
def test_synthea_bundles(file, tmp_path):
    """Every coded record of the six sections is in a table; what no table maps is reported."""
    data = read_patients([file])
    kinds = [entry["resource"]["resourceType"] for entry in json.loads(file.read_text())["entry"]]
    for table, kind in (("condition", "Condition"), ("procedure", "Procedure"), ("immunization", "Immunization")):
        assert data.tables[table].num_rows == kinds.count(kind)
    unmapped = [
        r
        for t in ("condition", "procedure", "exposure")
        for r in data.tables[t].to_pylist()
        if r["concept"] == "unmapped"
    ]
    assert {r["record"] for r in unmapped} == {r["record"] for r in data.tables["unread"].to_pylist()}
    assert data.skipped["Claim"] == kinds.count("Claim")
    copy = tmp_path / "copy.ttl"
    copy.write_bytes(to_rdf(data))
    again = read_patients([copy])
    assert {name: table.num_rows for name, table in again.tables.items()} == {
        name: table.num_rows for name, table in data.tables.items()
    }


@pytest.mark.parametrize("name", ["a-01", "b-16"])
def test_golden_fact_tables(name):
    """The whole reading of an example, value by value; `UPDATE_GOLDEN=1` writes it anew."""
    data = read_patients([path("examples") / "patients" / f"{name}.json"])
    tables = {
        table: [{column: str(value) for column, value in row.items() if value is not None} for row in rows.to_pylist()]
        for table, rows in data.tables.items()
    }
    file = GOLDEN / f"{name}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(json.dumps(tables, indent=1) + "\n", encoding="utf-8")
    assert tables == json.loads(file.read_text(encoding="utf-8"))


def test_a_bundle_of_twenty_megabytes_is_read_in_seconds(tmp_path):
    bundle = json.loads(SYNTHEA[0].read_text(encoding="utf-8"))
    size = len(json.dumps(bundle))
    bundle["entry"] *= 20_000_000 // size + 1
    file = tmp_path / "large.json"
    file.write_text(json.dumps(bundle), encoding="utf-8")
    assert file.stat().st_size > 20_000_000
    start = time.perf_counter()
    data = read_patients([file])
    assert time.perf_counter() - start < 20
    assert data.tables["condition"].num_rows == read_patients([SYNTHEA[0]]).tables["condition"].num_rows
