"""FHIR patients written from the public contract alone, and the command line that reads them.

Nothing here uses the package but its command: what these builders write is what an outside program would write.
"""

import csv
import io
import itertools
import json
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from test_cli import Done, run

LOCAL = "https://w3id.org/sle-kg/codes"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
UCUM = "http://unitsofmeasure.org"
MEDDRA = "http://terminology.hl7.org/CodeSystem/MDRAE"
TRIAL_MALAYSIA, TRIAL_WUHAN = "NCT06710717", "NCT06653556"

SLEDAI = {
    "seizure": 8, "psychosis": 8, "organicBrainSyndrome": 8, "visualDisturbance": 8, "cranialNerveDisorder": 8,
    "lupusHeadache": 8, "cerebrovascularAccident": 8, "vasculitis": 8, "arthritis": 4, "myositis": 4,
    "urinaryCasts": 4, "hematuria": 4, "proteinuria": 4, "pyuria": 4, "rash": 2, "alopecia": 2, "mucosalUlcers": 2,
    "pleurisy": 2, "pericarditis": 2, "lowComplement": 2, "increasedDNABinding": 2, "fever": 1,
    "thrombocytopenia": 1, "leukopenia": 1,
}  # fmt: skip
"""The 24 descriptors and their weights, copied from the published instrument."""

_ids = itertools.count(1)


def coding(code: str, system: str = LOCAL, display: str = "") -> dict[str, Any]:
    """A CodeableConcept of one code."""
    one = {"system": system, "code": code}
    return {"coding": [one | ({"display": display} if display else {})]}


def quantity(value: float | str, unit: str | None) -> dict[str, Any]:
    """A Quantity with a UCUM unit; a number as it is written."""
    plain: dict[str, Any] = {"value": json.loads(str(value))}
    return plain | ({"unit": unit, "system": UCUM, "code": unit} if unit else {})


@dataclass
class Patient:
    """One patient and the records that name it."""

    id: str
    resources: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.resources.insert(
            0, {"resourceType": "Patient", "id": self.id, "gender": "female", "birthDate": "1990-01-01"}
        )

    def add(self, kind: str, **content: Any) -> "Patient":
        """Add a resource of `kind` about the patient."""
        record = {"resourceType": kind, "id": content.pop("id", f"r{next(_ids)}")}
        record["subject"] = {"reference": f"Patient/{self.id}"}
        self.resources.append(record | content)
        return self

    def observe(self, code: str, day: str, system: str = LOCAL, **value: Any) -> "Patient":
        """Add a final Observation with any `value[x]`."""
        content = {"status": "final", "code": coding(code, system), "effectiveDateTime": day} | value
        return self.add("Observation", **content)

    def number(self, code: str, day: str, value: float | str, unit: str | None = "{score}") -> "Patient":
        """Add a score or count by local code."""
        return self.observe(code, day, valueQuantity=quantity(value, unit))

    def boolean(self, code: str, day: str, value: bool = True) -> "Patient":
        """Add a statement by local code."""
        return self.observe(code, day, valueBoolean=value)

    def lab(
        self, loinc: str, day: str, value: float | str, unit: str, low: float | None = None, high: float | None = None
    ) -> "Patient":
        """Add a laboratory result with its normal range."""
        content: dict[str, Any] = {"valueQuantity": quantity(value, unit)}
        limits = {k: quantity(v, unit) for k, v in (("low", low), ("high", high)) if v is not None}
        if limits:
            kind = coding("normal", "http://terminology.hl7.org/CodeSystem/referencerange-meaning")
            content["referenceRange"] = [limits | {"type": kind}]
        return self.observe(loinc, day, LOINC, **content)

    def items(self, day: str, present: str = "", absent: str | None = None, instrument: str = "sledai2k") -> "Patient":
        """Add descriptors as components of one Observation; without `absent`, all others are absent."""
        yes = present.split()
        no = [key for key in SLEDAI if key not in yes] if absent is None else absent.split()
        parts = [
            {"code": coding(f"{instrument}:{key}"), "valueBoolean": key in yes}
            for key in [k for k in SLEDAI if k in yes or k in no]
        ]
        total = "sledai2kTotal" if instrument == "sledai2k" else "selenaSledaiTotal"
        return self.observe(total, day, component=parts)

    def separate(self, day: str, present: str = "", absent: str = "", instrument: str = "sledai2k") -> "Patient":
        """Add items as Observations of their own."""
        for key, value in [(k, True) for k in present.split()] + [(k, False) for k in absent.split()]:
            self.boolean(f"{instrument}:{key}", day, value)
        return self

    def takes(
        self, rxnorm: str, milligrams: float | None, start: str, end: str | None = None, route: str = "26643006"
    ) -> "Patient":
        """Add a daily medicine; open end = ongoing; no amount = no dosage."""
        period = {"start": start} | ({"end": end} if end else {})
        content: dict[str, Any] = {
            "status": "completed" if end else "active",
            "medicationCodeableConcept": coding(rxnorm, RXNORM),
            "effectivePeriod": period,
        }
        if milligrams is not None:
            content["dosage"] = [
                {
                    "route": coding(route, SNOMED),
                    "doseAndRate": [{"doseQuantity": quantity(milligrams, "mg")}],
                    "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
                }
            ]
        return self.add("MedicationStatement", **content)

    def complete(self, section: str, day: str) -> "Patient":
        """Add the statement that the record is complete for a section."""
        return self.observe("recordComplete", day, valueCodeableConcept=coding(section))

    def infused(self, day: str) -> "Patient":
        """Add the event of the infusion."""
        return self.observe("event:infusion", day, valueDateTime=day)


def bundle(*patients: Patient) -> str:
    """Several patients as one Bundle."""
    entries = [{"resource": r} for p in patients for r in p.resources]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})


def ndjson(*patients: Patient) -> str:
    """Several patients as lines of a bulk export."""
    return "".join(json.dumps(r) + "\n" for p in patients for r in p.resources)


def write(folder: Path, *patients: Patient) -> Path:
    """Write patients to a Bundle in a folder."""
    file = folder / f"patients{next(_ids)}.json"
    file.write_text(bundle(*patients), encoding="utf-8")
    return file


def _json(done: Done) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def score(name: str, file: Path, *options: str) -> list[dict[str, Any]]:
    """What `sle-kg score` prints as JSON."""
    return _json(run("score", name, file, "--format", "json", *options))


def scores(folder: Path, name: str, patients: list[Patient], *options: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The answers of `score`, by patient and date."""
    rows = score(name, write(folder, *patients), *options)
    answers = {(row["patient"], row["date"]): row for row in rows}
    assert len(answers) == len(rows), "one object for each patient and day"
    return answers


def outcomes(folder: Path, trial: str, patients: list[Patient], *options: str) -> dict[str, Any]:
    """What `sle-kg outcomes` prints as JSON."""
    return _json(run("outcomes", write(folder, *patients), "--trial", trial, "--format", "json", *options))


def later(day: str, days: int) -> str:
    """A date some days later."""
    return (date.fromisoformat(day) + timedelta(days)).isoformat()


def table(text: str) -> list[dict[str, str]]:
    """The rows of a CSV."""
    return list(csv.DictReader(io.StringIO(text)))
