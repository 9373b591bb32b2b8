"""Features of a whole cohort: a script of SQL statements that ends in one wide table of bounds.

The queries are those of `FeatureBuilder`. A feature that no event of a trial moves is computed once for all trials; one
that does (an anchor, the consent to this trial) once for each trial that asks for it. Evidence is not collected.

A script knows no connection. It reads the fact tables under the names `source_<table>`, and whoever runs it (DuckDB
here, Spark) makes a table of each `Reference` and then, one after the other, of each `Statement`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sle_kg.criteria import Feature
from sle_kg.features import QUERIES, batches, value_sets_of
from sle_kg.features.asks import EVENTS, STAND_INS, FeatureOptions
from sle_kg.features.database import (
    COMPLETE,
    FEATURE_COLUMNS,
    Reference,
    feature_references,
    score_references,
    terminology_references,
)
from sle_kg.features.sql import text, texts
from sle_kg.patients.facts import COLUMNS

if TYPE_CHECKING:
    from sle_kg.terminology import Terminology

WIDE = "wide"
"""The table of bounds: `number` of the patient, and two columns for each feature."""
PERSON = "person"
"""The patients: `number` (from 0, in the order of their ids), `patient`."""
UNUSED = ("record", "adverse_event")
"""Fact tables that no feature of a criterion reads."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One table of a script, made by a SELECT (DuckDB's SQL, with the macros of `features.sql`)."""

    name: str
    select: str


@dataclass(frozen=True, slots=True)
class WideColumns:
    """Where the bounds of a feature are for a trial: names of two columns."""

    place: Mapping[tuple[str, str], str]

    def bounds(self, trial: str, slug: str) -> tuple[str, str]:
        """The columns of the lower and of the upper bound."""
        stem = self.place[trial, slug]
        return f"{stem}_low", f"{stem}_high"


def shared_by_trials(feature: Feature) -> bool:
    """Whether the feature is the same for every trial: it looks back from screening, not from a trial's event."""
    return feature.kind != "ConsentCondition" and feature.get("anchor", "screening") == "screening"


def wide_columns(wanted: Mapping[str, Sequence[Feature]]) -> WideColumns:
    """The columns of every feature that `wanted` names for a trial; shared features have the same for all."""
    trials = {trial: number for number, trial in enumerate(wanted)}
    place = {}
    for number, feature in enumerate(_all(wanted)):
        for trial in (name for name, features in wanted.items() if feature in features):
            stem = f"f{number}" if shared_by_trials(feature) else f"f{number}_{trials[trial]}"
            place[trial, feature.slug] = stem
    return WideColumns(place)


@dataclass(frozen=True, slots=True)
class WideScript:
    """The computation of `PERSON` and `WIDE` for every patient of the source tables.

    `wanted`: the features of each trial; `on`: the date judged; `events` are stated for every patient.
    """

    wanted: Mapping[str, Sequence[Feature]]
    on: dt.date
    events: Mapping[str, dt.date]
    options: FeatureOptions

    def references(self, concepts: Sequence[str], terminology: Terminology) -> list[Reference]:
        """The reference tables; `concepts` are those that occur (`database.concepts_query("source_")`)."""
        features = _all(self.wanted)
        trials = list(self.wanted)
        asking = _asking(self.wanted)
        stated = [(name, day, f"--event {name}={day}") for name, day in sorted(self.events.items())]
        return [
            *terminology_references(concepts, value_sets_of(features), terminology),
            *score_references(),
            *feature_references(asking, self.options),
            Reference("asked_trial", {"place": "whole", "trial": "text"}, list(enumerate(trials))),
            Reference(
                "asking",
                {"feature": "whole", "trial": "text"},
                [(number, trial) for number, feature in enumerate(features) for trial in asking[feature]],
            ),
            Reference("stated_event", {"event": "text", "day": "date", "record": "text"}, stated),
            Reference("stated_complete", {"section": "text"}, [(name,) for name in sorted(self.options.complete)]),
        ]

    def statements(self) -> list[Statement]:
        """The statements, in the order in which they are run."""
        features = _all(self.wanted)
        made = [
            Statement(f"bounds{number}", self._bounds(features, batch))
            for number, batch in enumerate(batches(features))
        ]
        joins = " ".join(f"LEFT JOIN {one.name} USING (number)" for one in made)
        return [
            Statement(PERSON, _PERSON),
            *(Statement(f"fact_{name}", _fact(name)) for name in COLUMNS if name not in UNUSED),
            *self._asks(),
            *made,
            Statement(WIDE, f"SELECT * FROM (SELECT number FROM {PERSON}) p {joins}"),
        ]

    def _bounds(self, features: Sequence[Feature], batch: Sequence[int]) -> str:
        """SELECT: for each patient the bounds of a batch of features; a null where nothing is known."""
        count, trials = len(features), list(self.wanted)
        several = len(trials)
        asking = _asking(self.wanted)
        columns = []
        for number in batch:
            shared = shared_by_trials(features[number])
            for trial in asking[features[number]]:
                place = trials.index(trial)
                stem = f"f{number}" if shared else f"f{number}_{place}"
                mine = f"feature = {number}" if shared else f"feature = {number} AND place = {place}"
                columns += [
                    f"CAST(max({side}) FILTER (WHERE {mine}) AS DECIMAL(38, 12)) AS {stem}_{word}"
                    for side, word in (("lower", "low"), ("upper", "high"))
                ]
        parameters = ", ".join(f"f.{name}" for name in FEATURE_COLUMNS if name != "trials")
        query = QUERIES[features[batch[0]].kind](features[batch[0]], self.options)
        return f"""
        WITH a AS (
            SELECT CAST(k.ask AS BIGINT) * {count} + f.feature AS ask, k.ask AS of, k.patient, k.trial, k.on_date,
                   k.base, k.shift, {parameters}
            FROM ask k JOIN asking g ON g.trial = k.trial JOIN wanted f ON f.feature = g.feature
            WHERE f.feature IN ({", ".join(map(str, batch))}))
        SELECT number, {", ".join(columns)} FROM (
            SELECT ask // {count * several} AS number, CAST(ask % {count} AS SMALLINT) AS feature,
                   CAST(ask // {count} % {several} AS SMALLINT) AS place, lower, upper
            FROM ({query}) q WHERE lower IS NOT NULL OR upper IS NOT NULL) known
        GROUP BY number"""

    def _asks(self) -> list[Statement]:
        """An ask for each patient and trial, and its anchors, as `asks.resolve_events` and `load_asks` give."""
        several, today = len(self.wanted), f"DATE {text(self.on.isoformat())}"
        ask = f"""
        SELECT p.number * {several} + t.place AS ask, p.number AS patient, t.trial, {today} AS on_date, {today} AS base,
               {today} AS complete_until, 0 AS shift
        FROM {PERSON} p CROSS JOIN asked_trial t"""
        anchor = f"""
        WITH recorded AS (
            SELECT e.patient, t.place, e.event, e.date_from, e.date_to, e.record, e.row_id,
                   CASE WHEN e.trial IS NULL THEN 1 ELSE 2 END AS rank
            FROM fact_event e JOIN asked_trial t ON e.trial IS NULL OR e.trial = t.trial
            WHERE e.event IN ({texts(EVENTS)})
            UNION ALL
            SELECT c.patient, t.place, 'consent', c.date_from, c.date_to, c.record, c.row_id, 3
            FROM fact_consent c JOIN asked_trial t ON t.trial = c.trial
            WHERE c.date_from IS NULL OR c.date_from <= {today}),
        counting AS (
            SELECT * FROM recorded WHERE event NOT IN (SELECT event FROM stated_event)
            QUALIFY row_number() OVER (PARTITION BY patient, place, event
                ORDER BY rank DESC, coalesce(date_from, DATE '0001-01-01') DESC, row_id) = 1),
        known AS (
            SELECT c.patient * {several} + c.place AS ask, c.event AS anchor, c.date_from AS first, c.date_to AS last,
                   c.record
            FROM counting c WHERE c.date_from IS NOT NULL AND c.date_to IS NOT NULL
            UNION ALL SELECT k.ask, s.event, s.day, s.day, s.record FROM ask k CROSS JOIN stated_event s)
        SELECT ask, 'screening' AS anchor, on_date AS first, on_date AS last, CAST(NULL AS VARCHAR) AS record FROM ask
        UNION ALL SELECT ask, anchor, first, last, record FROM known
        UNION ALL
        SELECT k.ask, s.anchor, k.on_date, k.on_date, NULL
        FROM ask k CROSS JOIN (SELECT unnest([{texts(STAND_INS)}]) AS anchor) s
        WHERE NOT EXISTS (SELECT 1 FROM known w WHERE w.ask = k.ask AND w.anchor = s.anchor)"""
        return [Statement("ask", ask), Statement("anchor", anchor), Statement("complete", COMPLETE)]


_PERSON = """
    SELECT CAST(row_number() OVER (ORDER BY patient) - 1 AS BIGINT) AS number, patient
    FROM (SELECT DISTINCT patient FROM source_patient WHERE patient IS NOT NULL) every"""


def _fact(name: str) -> str:
    """SELECT: a fact table with the numbers of patients for their ids."""
    columns = ", ".join(f"s.{column}" for column in ("record", *COLUMNS[name]))
    return f"""
    SELECT p.number AS patient, {columns}, s.row_id
    FROM (SELECT *, row_number() OVER () AS row_id FROM source_{name}) s JOIN {PERSON} p ON p.patient = s.patient"""


def _asking(wanted: Mapping[str, Sequence[Feature]]) -> dict[Feature, list[str]]:
    """For each feature the trials for which it is computed: one of those that share it, else each."""
    return {
        feature: [trial for trial, some in wanted.items() if feature in some][
            : 1 if shared_by_trials(feature) else None
        ]
        for feature in _all(wanted)
    }


def _all(wanted: Mapping[str, Iterable[Feature]]) -> list[Feature]:
    """Every feature once, by slug."""
    return sorted({feature for some in wanted.values() for feature in some}, key=lambda feature: feature.slug)
