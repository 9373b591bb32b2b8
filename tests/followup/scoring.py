"""Patients in a few lines for the score command, and what it says of them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from caselib import Asked, Case, Facts, Resource, bundle, event, flat, items, observation, quantity
from sle_kg.followup.options import FollowUpOptions
from sle_kg.followup.results import ScoreResult
from sle_kg.followup.scores import scores
from sle_kg.ontology import instruments

BEFORE, INFUSED, DAY = "2026-01-05", "2026-01-10", "2026-04-03"
INFUSION = event("infusion", INFUSED)
SLEDAI = [item.key.partition(":")[2] for item in instruments()["sledai2k"].items]
SYSTEMS = (
    "constitutional",
    "mucocutaneous",
    "neuropsychiatric",
    "musculoskeletal",
    "cardiorespiratory",
    "gastrointestinal",
    "ophthalmic",
    "renal",
    "haematological",
)
LABS = {
    "alt": ("loinc:1742-6", "U/L"),
    "ast": ("loinc:1920-8", "U/L"),
    "bilirubin": ("loinc:1975-2", "mg/dL"),
    "creatinine": ("loinc:2160-0", "mg/dL"),
    "platelets": ("loinc:777-3", "10*9/L"),
    "neutrophils": ("loinc:751-8", "10*9/L"),
    "leukocytes": ("loinc:6690-2", "10*9/L"),
    "lymphocytes": ("loinc:731-0", "10*9/L"),
    "hemoglobin": ("loinc:718-7", "g/dL"),
    "temperature": ("loinc:8310-5", "Cel"),
    "c3": ("loinc:4485-9", "mg/dL"),
    "c4": ("loinc:4498-2", "mg/dL"),
    "antiDsDna": ("loinc:5130-0", "[IU]/mL"),
    "protein": ("loinc:2889-4", "g/(24.h)"),
    "upcr": ("loinc:2890-2", "mg/g{creat}"),
    "antiSm": ("loinc:11090-8", "[arb'U]/mL"),
    "ana": ("loinc:5048-4", "{titer}"),
}
"""LOINC code and unit of the results that scores are computed from."""


def result(test: str, value: str, on: str = DAY, low: str | None = None, high: str | None = None) -> Resource:
    """A laboratory result or vital sign, with limits of normal."""
    code, unit = LABS[test]
    limits = {name: quantity(limit, unit) for name, limit in (("low", low), ("high", high)) if limit is not None}
    elements = {"referenceRange": [limits]} if limits else {}
    return observation(code, on, valueQuantity=quantity(value, unit), **elements)


def sledai(present: str = "", on: str = DAY, instrument: str = "sledai2k") -> list[Resource]:
    """All 24 descriptors, those named present."""
    absent = [key for key in SLEDAI if key not in present.split()]
    return items(instrument, present, " ".join(absent), on)


def bilag(grades: str, on: str = DAY) -> list[Resource]:
    """Grades of the nine systems in the order of the index, `-` for none."""
    pairs = zip(SYSTEMS, grades, strict=True)
    return [observation(f"local:bilag:{system}", on, valueString=grade) for system, grade in pairs if grade != "-"]


def scored_all(name: str, patients: Mapping[str, Facts], **options: Any) -> list[ScoreResult]:
    """The results of one score for several patients, by the command's own path from FHIR.

    Names are small letters, digits and hyphens: they are the patients' ids.
    """
    cases = [Case(patient, Asked(""), flat(facts), {}) for patient, facts in patients.items()]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "patients.json"
        file.write_text(bundle(cases), encoding="utf-8")
        return scores([file], name, FollowUpOptions(**options))


def scored(name: str, *facts: Facts, **options: Any) -> list[ScoreResult]:
    """The results of one score for one patient."""
    return scored_all(name, {"p": flat(facts)}, **options)


def last(name: str, *facts: Facts, **options: Any) -> ScoreResult:
    """The last result of one patient."""
    return scored(name, *facts, **options)[-1]
