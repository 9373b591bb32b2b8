"""Texts that try to get out of their place, and the same small hospital in every form under any names.

`people(names)` has a patient for each name, and the name in every text that a record may hold. Under plain names the
tables say what they must say under hostile ones: each plain name replaced by its hostile one.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

HOSTILE = (
    "o'Brien",
    'say "hello"',
    "'); DROP TABLE known; --",
    "x'||(SELECT 1)||'",
    "two\nlines",
    "carriage\rreturn",
    "tab\tstop",
    "glob *?[]{}",
    "$HOME ${PATH} $(id) `id`",
    "back\\slash\\n",
    "-rf",
    "--output=x",
    "%s %d {0} {name} {person}",
    "NULL",
    "None",
    "nan",
    "true",
    "01",
    "a|b,c;d",
    "a#b?c=d&e",
    "<b>&amp;",
    "\x1b[31mred\x07",
    "π𝕏e\u0301\u202e\u2028x",
    "\ufeffmark",
    "x" * 10_000,
)
"""Every text holds in JSON and in CSV."""
IN_JSON_ALONE = ("nul\0nul", " blank before", "blank after ")
"""CSV cannot hold the first; the readers of tables strip blanks."""

Resource = dict[str, Any]
Table = list[tuple[Any, ...]]


def plain(number: int) -> str:
    """The plain name of a patient: no part of any other text."""
    return f"Name{number:03}Of"


def resources(name: str, born: str = "1990-01-01") -> list[Resource]:
    """A patient in FHIR with the name in every text."""
    coding = {"system": name, "code": name, "display": name, "version": name}
    concept = {"coding": [coding], "text": name}
    known = {"coding": [{"system": "http://loinc.org", "code": "1742-6", "display": name}], "text": name}
    about = {"subject": {"reference": f"Patient/{name}", "display": name}, "note": [{"text": name}]}
    of = {"patient": about["subject"]}
    dated = about | {"status": "final", "effectiveDateTime": "2026-11-10"}
    lupus = {"coding": [{"system": "http://snomed.info/sct", "code": "55464009", "display": name}]}
    drug = {"coding": [{"system": "http://www.whocc.no/atc", "code": "H02AB07", "display": name}]}
    return [
        {"resourceType": "Patient", "id": name, "birthDate": born, "gender": "female", "name": [name]},
        {"resourceType": "Condition", "id": name, "code": lupus, "recordedDate": "2020-01-01", **about},
        {"resourceType": "Condition", "id": f"c-{name}", "code": concept, "abatementDateTime": name, **about},
        {"resourceType": "Condition", "id": f"d-{name}", "code": {"text": name}, "clinicalStatus": concept, **about},
        {
            "resourceType": "Observation",
            "id": name,
            "code": known,
            "valueQuantity": {"value": 7, "unit": name, "code": name, "system": name},
            **dated,
        },
        {"resourceType": "Observation", "id": f"s-{name}", "code": known, "valueString": name, **dated},
        {"resourceType": "Observation", "id": f"v-{name}", "code": known, "valueCodeableConcept": concept, **dated},
        {
            "resourceType": "MedicationStatement",
            "id": name,
            "status": name,
            "medicationCodeableConcept": drug,
            "dosage": [{"text": name, "route": concept}],
            "effectivePeriod": {"start": "2026-01-01", "end": name},
            **about,
        },
        {
            "resourceType": "MedicationRequest",
            "id": name,
            "intent": "order",
            "status": "active",
            "medicationReference": {"reference": f"Medication/{name}"},
            "authoredOn": "2026-01-01",
            **about,
        },
        {"resourceType": "Medication", "id": name, "code": drug},
        {"resourceType": "Procedure", "id": name, "status": "completed", "code": concept, **about},
        {"resourceType": "Immunization", "id": name, "status": "completed", "vaccineCode": concept, **of},
        {"resourceType": "AllergyIntolerance", "id": name, "code": concept, **of},
        {"resourceType": "AdverseEvent", "id": name, "event": concept, "subject": about["subject"]},
    ]  # fmt: skip


def fhir(folder: Path, names: Iterable[str]) -> Path:
    """A bulk export in one file; every other patient is a child."""
    file = folder / "export.ndjson"
    births = cycle(("1990-01-01", "2015-01-01"))
    lines = [json.dumps(resource) for name in names for resource in resources(name, next(births))]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def omop(folder: Path, names: Sequence[str]) -> Path:
    """An OMOP database in CSV: ids are texts, as nothing forbids in a file."""
    place = folder / "omop"
    place.mkdir()
    day = "2026-11-10"
    tables: dict[str, list[Mapping[str, object]]] = {
        "person": [{"person_id": name, "gender_concept_id": 8532, "year_of_birth": 1990} for name in names],
        "condition_occurrence": [
            {
                "condition_occurrence_id": name,
                "person_id": name,
                "condition_concept_id": concept,
                "condition_start_date": day,
                "condition_source_value": name,
                "condition_source_concept_id": name,
            }
            for name in names
            for concept in (name,)
        ],
        "measurement": [
            {
                "measurement_id": name,
                "person_id": name,
                "measurement_concept_id": 3006923,
                "measurement_date": day,
                "value_as_number": 7,
                "unit_source_value": name,
                "measurement_source_value": name,
                "value_source_value": name,
            }
            for name in names
        ],
        "drug_exposure": [
            {
                "drug_exposure_id": name,
                "person_id": name,
                "drug_concept_id": name,
                "drug_exposure_start_date": day,
                "drug_source_value": name,
                "route_concept_id": name,
            }
            for name in names
        ],
        "concept": [
            {"concept_id": name, "vocabulary_id": "SNOMED", "concept_class_id": name, "concept_code": name}
            for name in names
        ],
    }
    for table, rows in tables.items():
        write_csv(place / f"{table}.csv", rows)
    return place


MAP = """patient: id
birth_date: born
records:
  - observation: pga
    value: pga
    unit_column: unit
    date: day
  - condition: sle
    recorded: day
"""


def table(folder: Path, names: Iterable[str]) -> tuple[Path, Path]:
    """A CSV file and its map."""
    rows = [{"id": name, "born": "1990-01-01", "pga": f"~{name}", "unit": name, "day": "2026-11-10"} for name in names]
    write_csv(folder / "table.csv", rows)
    (folder / "map.yaml").write_text(MAP, encoding="utf-8")
    return folder / "table.csv", folder / "map.yaml"


def write_csv(file: Path, rows: Sequence[Mapping[str, object]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def tables_of(
    folder: Path, names: Mapping[str, str] | None = None, without: Iterable[str] = (), omop: bool = False
) -> dict[str, Table]:
    """The rows of all tables of a folder in an order of their own, the texts with `names` put in their place.

    `omop`: names of records have "%" and "/" as %25 and %2F, for evidence names a record by its id up to a slash.
    """
    named = list((names or {}).items())

    def said(column: str, value: Any) -> Any:
        if isinstance(value, str):
            escaped = omop and column == "record" and not value.startswith("Patient/")
            for old, new in named:
                value = value.replace(old, new.replace("%", "%25").replace("/", "%2F") if escaped else new)
        return value

    found = {}
    for file in folder.glob("*.parquet"):
        table = pq.read_table(file)
        kept = [column for column in table.column_names if column not in without]
        rows = table.select(kept).to_pylist()
        found[file.stem] = sorted((tuple(said(*cell) for cell in row.items()) for row in rows), key=repr)
    return found
