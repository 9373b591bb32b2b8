"""Features: numbers about patients, bounded from below and above, computed from the fact tables in DuckDB SQL.

The criteria trees declare which features are needed; `compute` bounds them for any number of asks (a patient, a trial,
a date) at once: for one patient or for a hospital the same SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from sle_kg.criteria import Feature
from sle_kg.features import doses, person, presence, results
from sle_kg.features.asks import Ask, EventDate, FeatureOptions, resolve_events
from sle_kg.features.database import load_asks, open_database

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from sle_kg.terminology import Terminology

__all__ = ["Ask", "EventDate", "FeatureBuilder", "FeatureOptions", "FeatureValue", "resolve_events"]


@dataclass(frozen=True, slots=True)
class FeatureValue:
    """Bounds of one feature for one ask, null where not known on that side, and the records they rest on."""

    ask: int
    slug: str
    lower: Decimal | None
    upper: Decimal | None
    records: tuple[str, ...]


def _plain(build: Callable[[Feature], str]) -> Callable[[Feature, FeatureOptions], str]:
    """A query that needs no options."""
    return lambda feature, _options: build(feature)


QUERIES: dict[str, Callable[[Feature, FeatureOptions], str]] = {
    "AgeCondition": person.age,
    "SexCondition": person.sex,
    "StatementCondition": person.statement,
    "ContraindicationCondition": person.contraindication,
    "FertilityCondition": person.fertility,
    "NoChildbearingPotentialCondition": person.no_childbearing_potential,
    "PregnancyCondition": person.pregnancy,
    "ConsentCondition": person.consent,
    "DonatedVolumeCondition": person.donated_volume,
    "MeasurementCondition": results.measurement,
    "CreatinineClearanceCondition": results.creatinine_clearance,
    "RoomAirCondition": results.room_air,
    "ScoreCondition": results.score,
    "HighestScoreCondition": results.highest_score,
    "PositiveTestCondition": results.positive_test,
    "QuantifiedCondition": results.quantified,
    "ClassificationCondition": results.classification,
    "DaysSinceDiagnosisCondition": results.days_since_diagnosis,
    "BiopsyClassCondition": results.biopsy_class,
    "BiopsyCondition": results.biopsy,
    "BiopsyIndexCondition": results.biopsy_index,
    "BiopsyAgeCondition": results.biopsy_age,
    "DiagnosisCondition": _plain(presence.diagnosis),
    "DiagnosisCountCondition": _plain(presence.diagnosis_count),
    "ProcedureCondition": _plain(presence.procedure),
    "ImmunizationCondition": _plain(presence.immunization),
    "ExposureCondition": _plain(presence.exposure),
    "WashoutCondition": _plain(presence.washout),
    "DrugCountCondition": _plain(presence.drug_count),
    "AllergyCondition": _plain(presence.allergy),
    "DailyDoseCondition": doses.daily_dose,
    "HighestDoseCondition": doses.highest_dose,
    "DoseDurationCondition": doses.dose_duration,
    "TreatmentDurationCondition": doses.treatment_duration,
    "CumulativeDoseCondition": doses.cumulative_dose,
    "RenalWorseningCondition": doses.renal_worsening,
}
"""The query of each kind of leaf: SELECT ask, lower, upper, records, over the asks in table `a`."""

_ALWAYS_NEEDED = ("sleDiagnosis", "pregnancyCondition", "bloodDonationAny")


class FeatureBuilder:
    """The fact tables of patients in a database, ready to bound features for asks.

    `tables` are those of `patients.PatientData`; `wanted` are all features that will be asked for.
    """

    def __init__(self, tables: Mapping[str, pa.Table], wanted: Sequence[Feature], terminology: Terminology) -> None:
        sets = {
            name
            for feature in wanted
            for parameter in ("valueSet", "concurrentWith")
            for name in presence.tuple_of(feature, parameter)
        }
        self._connection: duckdb.DuckDBPyConnection = open_database(
            tables, sorted(sets | set(_ALWAYS_NEEDED)), terminology
        )

    def compute(
        self, asks: Sequence[Ask], wanted: Mapping[str, Sequence[Feature]], options: FeatureOptions
    ) -> list[FeatureValue]:
        """Bounds of every feature that `wanted` names for the trial of each ask.

        A feature about which nothing is known for an ask has no row. Rows come in the order of features, then asks.
        """
        load_asks(self._connection, asks, options)
        trials_of: dict[Feature, list[str]] = {}
        for trial, features in sorted(wanted.items()):
            for feature in features:
                trials_of.setdefault(feature, []).append(trial)
        values = []
        for feature in sorted(trials_of, key=lambda feature: feature.slug):
            values += self._compute_one(feature, trials_of[feature], options)
        return values

    def _compute_one(self, feature: Feature, trials: Sequence[str], options: FeatureOptions) -> list[FeatureValue]:
        self._connection.execute("CREATE OR REPLACE TEMP TABLE asked AS SELECT unnest(?) AS trial", [list(trials)])
        self._connection.execute(
            "CREATE OR REPLACE TEMP VIEW a AS SELECT * FROM ask WHERE trial IN (SELECT trial FROM asked)"
        )
        query = QUERIES[feature.kind](feature, options)
        rows = self._connection.execute(
            f"""SELECT ask, CAST(lower AS DECIMAL(38, 12)), CAST(upper AS DECIMAL(38, 12)), records
            FROM ({query}) ORDER BY ask"""
        ).fetchall()
        return [
            FeatureValue(ask, feature.slug, _trimmed(lower), _trimmed(upper), tuple(records or ()))
            for ask, lower, upper, records in rows
        ]


def _trimmed(value: Decimal | None) -> Decimal | None:
    """The same number without trailing zeros after the point."""
    if value is None:
        return None
    whole = value.to_integral_value()
    return whole if whole == value else value.normalize()
