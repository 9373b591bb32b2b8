"""Features of a whole cohort: the bounds of every patient in one wide table, without leaving the database.

The queries are those of `FeatureBuilder`, on the same tables. A feature that no event of a trial moves is computed once
for all trials; one that does (an anchor, the consent to this trial) once for each trial that asks for it. Evidence is
not collected.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sle_kg.criteria import Feature
from sle_kg.features import QUERIES, batches, value_sets_of
from sle_kg.features.asks import EVENTS, STAND_INS, FeatureOptions
from sle_kg.features.database import load_complete, load_features, load_rows, open_database
from sle_kg.features.sql import text, texts

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from sle_kg.terminology import Terminology

WIDE = "wide"
"""The table of bounds: `number` of the patient, and two columns for each feature."""
PERSON = "person"
"""The patients: `number` (from 0, in the order of their ids), `patient`."""


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


def wide_database(
    tables: Mapping[str, pa.Table],
    wanted: Mapping[str, Sequence[Feature]],
    on: dt.date,
    events: Mapping[str, dt.date],
    options: FeatureOptions,
    terminology: Terminology,
) -> duckdb.DuckDBPyConnection:
    """An in-memory database with the fact tables of some patients, `PERSON` and `WIDE` on the day `on`.

    `events` are stated for every patient. Nothing is read from or written to disk or network.
    """
    features = _all(wanted)
    connection = open_database(tables, value_sets_of(features), terminology)
    _load_asks(connection, list(wanted), on, events, options)
    asking = {
        feature: [trial for trial, some in wanted.items() if feature in some][
            : 1 if shared_by_trials(feature) else None
        ]
        for feature in features
    }
    load_features(connection, asking, options)
    made = [
        _bounds(connection, f"bounds{number}", features, batch, asking, list(wanted), options)
        for number, batch in enumerate(batches(features))
    ]
    joins = " ".join(f"LEFT JOIN {name} USING (number)" for name in made)
    connection.execute(f"CREATE TABLE {WIDE} AS SELECT * FROM (SELECT number FROM {PERSON}) {joins}")
    for name in made:
        connection.execute(f"DROP TABLE {name}")
    return connection


def _all(wanted: Mapping[str, Iterable[Feature]]) -> list[Feature]:
    """Every feature once, by slug."""
    return sorted({feature for some in wanted.values() for feature in some}, key=lambda feature: feature.slug)


def _bounds(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    features: Sequence[Feature],
    batch: Sequence[int],
    asking: Mapping[Feature, Sequence[str]],
    trials: Sequence[str],
    options: FeatureOptions,
) -> str:
    """The table `name`: for each patient the bounds of a batch of features; a null where nothing is known."""
    count, several = len(features), len(trials)
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE a AS
        SELECT CAST(k.ask AS BIGINT) * {count} + f.feature AS ask, k.ask AS of, k.patient, k.trial, k.on_date,
               k.base, k.shift, f.* EXCLUDE (trials)
        FROM ask k JOIN wanted f ON list_contains(f.trials, k.trial)
        WHERE f.feature IN ({", ".join(map(str, batch))})"""
    )
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
    query = QUERIES[features[batch[0]].kind](features[batch[0]], options)
    connection.execute(
        f"""CREATE TABLE {name} AS SELECT number, {", ".join(columns)} FROM (
            SELECT ask // {count * several} AS number, CAST(ask % {count} AS SMALLINT) AS feature,
                   CAST(ask // {count} % {several} AS SMALLINT) AS place, lower, upper
            FROM ({query}) WHERE lower IS NOT NULL OR upper IS NOT NULL)
        GROUP BY number"""
    )
    return name


def _load_asks(
    connection: duckdb.DuckDBPyConnection,
    trials: Sequence[str],
    on: dt.date,
    events: Mapping[str, dt.date],
    options: FeatureOptions,
) -> None:
    """An ask for each patient and trial, and its anchors, as `asks.resolve_events` and `database.load_asks` give."""
    several, today = len(trials), f"DATE {text(on.isoformat())}"
    load_rows(connection, "asked_trial", {"place": "whole", "trial": "text"}, list(enumerate(trials)))
    stated = [(name, day, f"--event {name}={day}") for name, day in sorted(events.items())]
    load_rows(connection, "stated_event", {"event": "text", "day": "date", "record": "text"}, stated)
    load_rows(connection, "stated_complete", {"section": "text"}, [(section,) for section in sorted(options.complete)])
    connection.execute(
        f"""
        CREATE TABLE {PERSON} AS
        SELECT CAST(row_number() OVER (ORDER BY patient) - 1 AS BIGINT) AS number, patient
        FROM (SELECT DISTINCT patient FROM fact_patient);
        CREATE TABLE ask AS
        SELECT p.number * {several} + t.place AS ask, p.patient, t.trial, {today} AS on_date, {today} AS base,
               {today} AS complete_until, 0 AS shift
        FROM {PERSON} p CROSS JOIN asked_trial t;
        CREATE TABLE anchor AS
        WITH recorded AS (
            SELECT e.patient, t.place, e.event, e.date_from, e.date_to, e.record, e.row_id,
                   CASE WHEN e.trial IS NULL THEN 1 ELSE 2 END AS rank
            FROM fact_event e JOIN asked_trial t ON e.trial IS NULL OR e.trial = t.trial
            WHERE e.event IN ({texts(EVENTS)})
            UNION ALL
            SELECT c.patient, t.place, 'consent', c.date_from, c.date_to, c.record, c.row_id, 3
            FROM fact_consent c JOIN asked_trial t USING (trial) WHERE c.date_from IS NULL OR c.date_from <= {today}),
        counting AS (
            FROM recorded WHERE event NOT IN (SELECT event FROM stated_event)
            QUALIFY row_number() OVER (PARTITION BY patient, place, event
                ORDER BY rank DESC, coalesce(date_from, DATE '0001-01-01') DESC, row_id) = 1),
        known AS (
            SELECT p.number * {several} + c.place AS ask, c.event AS anchor, c.date_from AS first, c.date_to AS last,
                   c.record
            FROM counting c JOIN {PERSON} p USING (patient) WHERE c.date_from IS NOT NULL AND c.date_to IS NOT NULL
            UNION ALL SELECT k.ask, s.event, s.day, s.day, s.record FROM ask k CROSS JOIN stated_event s)
        SELECT ask, 'screening' AS anchor, on_date AS first, on_date AS last, CAST(NULL AS VARCHAR) AS record FROM ask
        UNION ALL FROM known
        UNION ALL
        SELECT k.ask, s.anchor, k.on_date, k.on_date, NULL
        FROM ask k CROSS JOIN (SELECT unnest([{texts(STAND_INS)}]) AS anchor) s
        WHERE NOT EXISTS (SELECT 1 FROM known w WHERE w.ask = k.ask AND w.anchor = s.anchor)
        """
    )
    load_complete(connection)
