"""Hand-made follow-ups: a few facts after an infusion, as FHIR, through the whole program."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from caselib import Asked, Case, Facts, Resource, bundle, drug, event, flat, items, score
from sle_kg import ontology
from sle_kg.followup.options import FollowUpOptions
from sle_kg.followup.results import CohortRow, OutcomeResult, PatientOutcomes, TrialOutcomes
from sle_kg.followup.trial_outcomes import trial_outcomes

INFUSION = dt.date(2026, 1, 10)
UKM, LEGEND = "NCT06710717", "NCT06653556"
"""Infusion on day 0, weeks and months named; infusion on day 1, "at multiple visits"."""
KEYS = tuple(item.key.partition(":")[2] for item in ontology.instruments()["sledai2k"].items)


def day(number: int) -> dt.date:
    """The date so many days after the infusion."""
    return INFUSION + dt.timedelta(days=number)


def on(number: int) -> str:
    """The same as text."""
    return day(number).isoformat()


def infused(number: int = 0) -> Resource:
    """The infusion."""
    return event("infusion", on(number))


def sledai(number: int, present: str = "", unknown: str = "") -> list[Resource]:
    """All 24 items on a day: those named present, those named not recorded, the others absent."""
    absent = [key for key in KEYS if key not in present.split() + unknown.split()]
    return items("sledai2k", present, " ".join(absent), on=on(number))


def pga(number: int, value: str) -> Resource:
    """The physician global assessment on a day."""
    return score("pga", value, on(number))


def prednisone(dose: int | str, start: int, end: int | None = None) -> Resource:
    """Prednisone, mg a day, from one day to another, or still taken."""
    return drug("atc:H02AB07", on(start), None if end is None else on(end), dose=dose)


def outcomes(folder: Path, trial: str, patients: Mapping[str, Facts], **options: Any) -> TrialOutcomes:
    """The outcomes of some patients, by id."""
    cases = [Case(name, Asked(trial), flat(facts), {}) for name, facts in patients.items()]
    file = folder / "patients.json"
    file.write_text(bundle(cases), encoding="utf-8")
    return trial_outcomes([file], trial, FollowUpOptions(**options))


def one(folder: Path, trial: str, *facts: Facts, **options: Any) -> PatientOutcomes:
    """The outcomes of one patient."""
    return outcomes(folder, trial, {"x": facts}, **options).patients[0]


def result(patient: PatientOutcomes, measure: str, time_point: str = "follow-up", id: str = "") -> OutcomeResult:
    """The one result of a definition at a time point."""
    (found,) = [
        found
        for found in patient.results
        if found.measure == measure and found.time_point == time_point and id in ("", found.id)
    ]
    return found


def words(patient: PatientOutcomes, measure: str, id: str = "") -> dict[str, str]:
    """Time point → result of a definition."""
    return {r.time_point: r.result for r in patient.results if r.measure == measure and id in ("", r.id)}


def row(found: TrialOutcomes, measure: str, time_point: str, id: str = "") -> CohortRow:
    """The one cohort row of a definition at a time point."""
    (only,) = [r for r in found.cohort if (r.measure, r.time_point) == (measure, time_point) and id in ("", r.id)]
    return only
