"""Patients bent to the thresholds and windows of the trials, as their criteria trees state them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from sle_kg.criteria import Leaf, walk
from sle_kg.synthetic import bent_history as history
from sle_kg.synthetic import bent_results as results
from sle_kg.synthetic.dice import Dice
from sle_kg.synthetic.draft import Draft
from sle_kg.trials import screenable

Bend = Callable[[Draft, Leaf, Dice], None]

BENDS: Mapping[str, Bend] = {
    "AgeCondition": results.age,
    "MeasurementCondition": results.measurement,
    "CreatinineClearanceCondition": results.clearance,
    "RoomAirCondition": results.room_air,
    "ScoreCondition": results.score,
    "HighestScoreCondition": results.highest_score,
    "PositiveTestCondition": results.positive,
    "QuantifiedCondition": results.quantified,
    "ClassificationCondition": results.classification,
    "DaysSinceDiagnosisCondition": results.classification,
    "DiagnosisCondition": history.diagnosis,
    "DiagnosisCountCondition": history.diagnosis_count,
    "ProcedureCondition": history.procedure,
    "ImmunizationCondition": history.vaccine,
    "ExposureCondition": history.exposure,
    "DrugCountCondition": history.drug_count,
    "WashoutCondition": history.washout,
    "DailyDoseCondition": history.daily_dose,
    "HighestDoseCondition": history.highest_dose,
    "DoseDurationCondition": history.dose_duration,
    "TreatmentDurationCondition": history.treatment_duration,
    "CumulativeDoseCondition": history.cumulative_dose,
    "ContraindicationCondition": history.contraindication,
    "StatementCondition": results.statement,
    "FertilityCondition": results.fertility,
    "NoChildbearingPotentialCondition": results.fertility,
    "PregnancyCondition": results.fertility,
    "ConsentCondition": results.consent,
    "AllergyCondition": history.allergy,
    "BiopsyClassCondition": results.biopsy,
    "BiopsyCondition": results.biopsy,
    "BiopsyIndexCondition": results.biopsy,
    "BiopsyAgeCondition": results.biopsy,
    "RenalWorseningCondition": history.renal_worsening,
    "DonatedVolumeCondition": results.donated,
    "SexCondition": results.sex,
}
"""Leaf class of the criteria → what brings a patient to its threshold or window."""


@cache
def comparisons() -> tuple[Leaf, ...]:
    """Every comparison of the screened trials under any reading: each feature with each threshold once."""
    found: dict[tuple[object, ...], Leaf] = {}
    for _, trial in sorted(screenable().items()):
        for row in trial.criteria:
            for condition in (row.condition, row.not_applicable):
                for node in walk(condition) if condition is not None else ():
                    if isinstance(node, Leaf):
                        found.setdefault((node.feature, node.operator, node.met_bound), node)
    return tuple(found.values())


def bend(draft: Draft, dice: Dice) -> None:
    """Bring the patient to one threshold or window of one comparison."""
    leaves = comparisons()
    leaf = leaves[dice.among(0, len(leaves) - 1)]
    BENDS[leaf.feature.kind](draft, leaf, dice)
