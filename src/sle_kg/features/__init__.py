"""Features: numbers about patients, bounded from below and above, computed from the fact tables in DuckDB SQL.

The criteria trees declare which features are needed; `compute` bounds them for any number of asks (a patient, a trial,
a date) at once: for one patient or for a hospital the same SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from sle_kg.criteria import Feature
from sle_kg.features import assessed, assessment, biopsy, classification, doses, person, presence, results
from sle_kg.features.asks import Ask, EventDate, FeatureOptions, resolve_events
from sle_kg.features.assessment import ItemState
from sle_kg.features.database import feature_references, load_asks, load_references, names_of, open_database
from sle_kg.features.presence import anchored
from sle_kg.features.query import Query, by_patient

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from sle_kg.terminology import Terminology

__all__ = ["Ask", "EventDate", "FeatureBuilder", "FeatureOptions", "FeatureValue", "ItemState", "resolve_events"]


@dataclass(frozen=True, slots=True)
class FeatureValue:
    """Bounds of one feature for one ask, null where not known on that side, and the records they rest on."""

    ask: int
    slug: str
    lower: Decimal | None
    upper: Decimal | None
    records: tuple[str, ...]


def _plain(build: Callable[[Feature], Query]) -> Callable[[Feature, FeatureOptions], Query]:
    """A query that needs no options."""
    return lambda feature, _options: build(feature)


QUERIES: dict[str, Callable[[Feature, FeatureOptions], str | Query]] = {
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
    "ClassificationCondition": classification.classification,
    "DaysSinceDiagnosisCondition": classification.days_since_diagnosis,
    "BiopsyClassCondition": biopsy.biopsy_class,
    "BiopsyCondition": biopsy.biopsy,
    "BiopsyIndexCondition": biopsy.biopsy_index,
    "BiopsyAgeCondition": biopsy.biopsy_age,
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
    "AssessedScoreCondition": assessment.assessed_score,
    "AssessedValueCondition": assessment.assessed_value,
    "AssessedPositiveCondition": assessment.assessed_positive,
    "NewItemsCondition": assessment.new_items,
    "NewGradesCondition": assessment.new_grades,
    "HighestValueCondition": assessment.highest_value,
    "TreatmentChangeCondition": assessment.treatment_change,
}
"""The query of each kind of leaf: a `Query`, or SELECT ask, lower, upper, records, over the asks in table `a`."""


def query_of(feature: Feature, options: FeatureOptions) -> str | Query:
    """The query of a feature, and of those that share it (`batches`)."""
    return QUERIES[feature.kind](feature, options.of(feature))


ONE_QUERY_FOR_ALL = frozenset(
    {
        "DiagnosisCondition",
        "DiagnosisCountCondition",
        "ProcedureCondition",
        "ImmunizationCondition",
        "ExposureCondition",
        "WashoutCondition",
        "DrugCountCondition",
        "TreatmentDurationCondition",
        "PositiveTestCondition",
        "MeasurementCondition",
        "QuantifiedCondition",
        "ScoreCondition",
        "ContraindicationCondition",
    }
)
"""Kinds whose query reads every parameter from columns, so that it bounds all features of the kind at once."""
ONE_QUERY_BUT_FOR = {
    "AllergyCondition": {"valueSet"},
    "CumulativeDoseCondition": {"valueSet"},
    "DailyDoseCondition": {"valueSet", "equivalence"},
    "HighestDoseCondition": {"anchor", "valueSet", "when", "lookback"},
    "DoseDurationCondition": {"valueSet", "lookback", "dailyDose", "concurrentGap"},
    "RenalWorseningCondition": {"valueSet", "lookback", "dailyDose", "concurrentGap"},
    "DonatedVolumeCondition": {"lookback"},
    "ClassificationCondition": {"classificationSet"},
}
"""Kinds whose query reads some parameters from columns: it bounds features that differ in nothing else at once."""

JOINED_BY_PATIENT = frozenset(
    {
        *("AgeCondition", "SexCondition", "FertilityCondition", "NoChildbearingPotentialCondition"),
        *("PregnancyCondition", "ConsentCondition", "DonatedVolumeCondition", "DaysSinceDiagnosisCondition"),
    }
)
"""Kinds whose query reads the patients of asks, not only those of facts: it needs asks of each patient."""

FLAGS = frozenset(
    {
        *("SexCondition", "StatementCondition", "ContraindicationCondition", "FertilityCondition"),
        *("NoChildbearingPotentialCondition", "PregnancyCondition", "ConsentCondition", "RoomAirCondition"),
        *("PositiveTestCondition", "QuantifiedCondition", "ClassificationCondition", "BiopsyClassCondition"),
        *("BiopsyCondition", "BiopsyAgeCondition", "DiagnosisCondition", "ProcedureCondition"),
        *("ImmunizationCondition", "ExposureCondition", "WashoutCondition", "AllergyCondition"),
        "RenalWorseningCondition",
    }
)
"""Kinds whose features are 0 or 1."""
COUNTS = frozenset(
    {
        *("AgeCondition", "DaysSinceDiagnosisCondition", "DiagnosisCountCondition", "DrugCountCondition"),
        *("DoseDurationCondition", "TreatmentDurationCondition"),
    }
)
"""Kinds whose features are whole numbers: years, days, records."""

_ALWAYS_NEEDED = ("sleDiagnosis", "pregnancyCondition", "bloodDonationAny")


class FeatureBuilder:
    """The fact tables of patients in a database, ready to bound features for asks.

    `tables` are those of `patients.PatientData`; `wanted` are all features that will be asked for.
    """

    def __init__(self, tables: Mapping[str, pa.Table], wanted: Sequence[Feature], terminology: Terminology) -> None:
        self._connection: duckdb.DuckDBPyConnection = open_database(tables, value_sets_of(wanted), terminology)
        for name, select in doses.PREPARED.items():
            self._connection.execute(f"CREATE TABLE {name} AS {select}")
        self._totals = assessment.totals_of(wanted)
        self._assessed: tuple[frozenset[str], bool] | None = None

    def compute(
        self, asks: Sequence[Ask], wanted: Mapping[str, Sequence[Feature]], options: FeatureOptions
    ) -> list[FeatureValue]:
        """Bounds of every feature that `wanted` names for the trial of each ask.

        A feature about which nothing is known for an ask has no row. Rows come in the order of features, then asks.
        """
        trials_of: dict[Feature, list[str]] = {}
        for trial, features in sorted(wanted.items()):
            for feature in features:
                trials_of.setdefault(feature, []).append(trial)
        ordered = dict(sorted(trials_of.items(), key=lambda item: item[0].slug))
        load_asks(self._connection, asks, options)
        load_references(self._connection, feature_references(ordered, options))
        if self._totals:
            self._load_assessments(self._totals, options.derive_items)
        numbered = list(ordered)
        values: list[FeatureValue] = []
        for batch in batches(numbered):
            values += self._bounds(numbered, batch, options)
        return sorted(values, key=lambda value: (value.slug, value.ask))

    def items(self, asks: Sequence[Ask], total: str, options: FeatureOptions) -> list[ItemState]:
        """Every item of an instrument at the visit of each ask: what is recorded, and what results propose."""
        load_asks(self._connection, asks, options)
        self._load_assessments(self._totals | {assessed.total_of(total)}, derive_items=False)
        return assessment.item_states(self._connection, assessed.total_of(total))

    def _load_assessments(self, totals: Set[str], derive_items: bool) -> None:
        """The tables of assessments, unless they are there."""
        wanted = (frozenset(totals), derive_items)
        if self._assessed != wanted:
            assessed.load_references(self._connection)
            assessed.load_assessments(self._connection, totals, derive_items)
            self._assessed = wanted

    def _bounds(self, numbered: list[Feature], batch: list[int], options: FeatureOptions) -> list[FeatureValue]:
        """One query for one batch of features; `ask` of the query is the pair of ask and feature."""
        count = len(numbered)
        self._connection.execute(
            f"""CREATE OR REPLACE TEMP TABLE a AS
            SELECT CAST(k.ask AS BIGINT) * {count} + f.feature AS ask, k.ask AS of, k.patient, k.trial, k.on_date,
                   k.base, k.shift, f.* EXCLUDE (trials)
            FROM ask k JOIN wanted f ON list_contains(f.trials, k.trial)
            WHERE f.feature IN ({", ".join(map(str, batch))})"""
        )
        query = query_of(numbered[batch[0]], options)
        query = query.by_ask() if isinstance(query, Query) else by_patient(query)
        rows = self._connection.execute(
            f"SELECT ask, CAST(lower AS DECIMAL(38, 12)), CAST(upper AS DECIMAL(38, 12)), records FROM ({query})"
        ).fetchall()
        return [
            FeatureValue(
                pair // count, numbered[pair % count].slug, _trimmed(lower), _trimmed(upper), tuple(records or ())
            )
            for pair, lower, upper, records in rows
        ]


def value_sets_of(features: Iterable[Feature]) -> list[str]:
    """The value sets whose members the queries of these features ask for."""
    sets = {name for f in features for p in ("valueSet", "concurrentWith") for name in names_of(f, p)}
    return sorted(sets | set(_ALWAYS_NEEDED))


def batches(features: Sequence[Feature]) -> list[list[int]]:
    """Numbers of the features, those that share a query together."""
    together: dict[object, list[int]] = {}
    for number, feature in enumerate(features):
        key: object = feature.slug
        if feature.kind in ONE_QUERY_FOR_ALL:
            key = (feature.kind, anchored(feature))
        elif (read := ONE_QUERY_BUT_FOR.get(feature.kind)) is not None:
            other = (pair for pair in feature.parameters if pair[0] not in read)
            key = (feature.kind, anchored(feature), doses.in_prednisone(feature), *other)
        together.setdefault(key, []).append(number)
    return list(together.values())


def _trimmed(value: Decimal | None) -> Decimal | None:
    """The same number without trailing zeros after the point."""
    if value is None:
        return None
    whole = value.to_integral_value()
    return whole if whole == value else value.normalize()
