"""Long random comparisons (`make test-identity`): shapes and direct evaluator, FHIR and RDF, cell by cell.

Patients are the examples with facts dropped, moved, changed and added by a seeded generator: what one seed gives is
the same on every machine. `SLE_KG_IDENTITY` sets the number of patients (default 400).
"""

from __future__ import annotations

import copy
import datetime as dt
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from sle_kg.evaluate import row_truths
from sle_kg.patients.rdf import to_rdf
from sle_kg.resources import path
from sle_kg.screening import Options, Session

ON = dt.date(2026, 11, 21)
COUNT = int(os.environ.get("SLE_KG_IDENTITY", "400"))
BATCH = 25
ADDED_DRUGS = ["1092437", "121191", "1357536", "8640", "6902", "68149", "7145", "1256", "3002", "5521", "614391"]
ADDED_CONDITIONS = ["68815009", "363346000", "74732009", "131148009", "66590003", "11999007", "69896004", "77386006"]
STATUSES = ["active", "completed", "stopped", "not-taken", "unknown", "entered-in-error"]
VERIFICATIONS = ["confirmed", "refuted", "provisional", "entered-in-error"]

Resource = dict[str, Any]


def partial(rng: random.Random, day: dt.date) -> str:
    """A date as full or partial text."""
    return rng.choice([day.isoformat(), day.isoformat(), day.isoformat()[:7], day.isoformat()[:4]])


def some_day(rng: random.Random) -> dt.date:
    return ON - dt.timedelta(days=rng.choice([0, 1, 7, 13, 14, 15, 28, 29, 55, 56, 57, 97, 168, 400, 2000, -5]))


def moved(value: Any, rng: random.Random) -> Any:
    """The resource with some of its dates, numbers and answers changed."""
    if isinstance(value, dict):
        return {key: changed(key, item, rng) for key, item in value.items()}
    return [moved(item, rng) for item in value] if isinstance(value, list) else value


def changed(key: str, item: Any, rng: random.Random) -> Any:
    if key.endswith("DateTime") or key in ("start", "end", "dateTime"):
        return partial(rng, some_day(rng)) if rng.random() < 0.15 else item
    if key == "value" and isinstance(item, (int, float)) and not isinstance(item, bool) and rng.random() < 0.2:
        return item * rng.choice([0, 0.5, 0.9, 1.1, 2, 3, 3.1])
    if key == "valueBoolean" and rng.random() < 0.15:
        return not item
    return moved(item, rng)


def added(rng: random.Random, number: int) -> Resource:
    """One more medicine or diagnosis."""
    period = {"start": partial(rng, some_day(rng))}
    if rng.random() < 0.6:
        period["end"] = partial(rng, some_day(rng))
    if rng.random() < 0.6:
        return {
            "resourceType": rng.choice(["MedicationStatement", "MedicationStatement", "MedicationRequest"]),
            "id": f"added-{number}",
            "status": rng.choice(STATUSES),
            "intent": "order",
            "authoredOn": period["start"],
            "medicationCodeableConcept": coded("http://www.nlm.nih.gov/research/umls/rxnorm", rng.choice(ADDED_DRUGS)),
            "effectivePeriod": period,
            "dosage": [daily(rng.choice([5, 7.5, 40, 60, 100, 500, 1500]))],
        }
    return {
        "resourceType": "Condition",
        "id": f"added-{number}",
        "code": coded("http://snomed.info/sct", rng.choice(ADDED_CONDITIONS)),
        "onsetDateTime": period["start"],
        "verificationStatus": coded(
            "http://terminology.hl7.org/CodeSystem/condition-ver-status", rng.choice(VERIFICATIONS)
        ),
        "clinicalStatus": coded(
            "http://terminology.hl7.org/CodeSystem/condition-clinical", rng.choice(["active", "resolved", "remission"])
        ),
        "severity": coded("http://snomed.info/sct", rng.choice(["24484000", "6736007", "255604002"])),
    }


def coded(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]}


def daily(milligrams: float) -> Resource:
    quantity = {"value": milligrams, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}
    return {
        "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
        "doseAndRate": [{"doseQuantity": quantity}],
    }


def patient(rng: random.Random, number: int, bundles: list[Resource]) -> list[Resource]:
    """The resources of one random patient."""
    bundle = copy.deepcopy(rng.choice(bundles))
    name = f"p{number}"
    kept = [entry["resource"] for entry in bundle["entry"] if rng.random() > 0.12 or "birthDate" in entry["resource"]]
    resources = [moved(resource, rng) for resource in kept]
    resources += [added(rng, n) for n in range(rng.randrange(4))]
    for resource in resources:
        if resource["resourceType"] == "Patient":
            resource["id"] = name
            resource["gender"] = rng.choice(["female", "female", "male", "other"])
            resource["birthDate"] = partial(rng, dt.date(rng.randrange(1950, 2011), 11, rng.choice([20, 21, 22])))
        else:
            resource["id"] = f"{name}-{resource['id']}"
            key = (
                "patient"
                if resource["resourceType"] in ("Consent", "Immunization", "AllergyIntolerance")
                else "subject"
            )
            resource.pop("subject", None)
            resource[key] = {"reference": f"Patient/{name}"}
    return resources


@pytest.fixture(scope="module")
def bundles() -> list[Resource]:
    folder = path("examples") / "patients"
    return [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("[abc]-01.json"))]


@pytest.mark.parametrize("start", range(0, COUNT, BATCH))
def test_shapes_and_direct_evaluator_and_both_formats_agree(
    tmp_path: Path, bundles: list[Resource], start: int
) -> None:
    rng = random.Random(start)
    entries = [{"resource": resource} for n in range(start, start + BATCH) for resource in patient(rng, n, bundles)]
    file = tmp_path / "patients.json"
    file.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}), encoding="utf-8")
    session = Session([file], Options(on=ON))
    asks = session.asks(session.data.patients)
    profiles = session.profiles(asks)
    found = session.statuses(profiles)
    for ask, profile in zip(asks, profiles, strict=True):
        truths = row_truths(session.rules[ask.trial], profile.bounds, profile.attestations)
        for row, truth in truths.items():
            shown = found[ask.id][row]
            assert (shown.met, shown.not_applicable) == (truth.met, truth.not_applicable), (ask.patient, ask.trial, row)
    turtle = tmp_path / "patients.ttl"
    turtle.write_bytes(to_rdf(session.data))
    again = Session([turtle], Options(on=ON))
    order = {(ask.patient, ask.trial): profile for ask, profile in zip(asks, profiles, strict=True)}
    for ask, profile in zip(
        again.asks(again.data.patients), again.profiles(again.asks(again.data.patients)), strict=True
    ):
        assert profile.bounds == order[ask.patient, ask.trial].bounds, (ask.patient, ask.trial)
