"""Features of a whole cohort: a script of SQL statements that ends in one wide table of bounds.

The queries are those of `FeatureBuilder`. A feature that no event of a trial moves is computed once for all trials; one
that does (an anchor, the consent to this trial) once for each trial that asks for it. Evidence is not collected.

A script knows no connection. It reads the fact tables under the names `source_<table>`, and whoever runs it (DuckDB
here, Spark) makes a table of each `Reference` and then, one after the other, of each `Statement`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from sle_kg.criteria import Feature
from sle_kg.features import COUNTS, FLAGS, JOINED_BY_PATIENT, batches, query_of, value_sets_of
from sle_kg.features.asks import EVENTS, STAND_INS, FeatureOptions
from sle_kg.features.births import believed
from sle_kg.features.consent import standing
from sle_kg.features.database import (
    FEATURE_COLUMNS,
    Reference,
    feature_references,
    feature_rows,
    named_tests,
    names_of,
    score_references,
    terminology_references,
)
from sle_kg.features.doses import PREPARED
from sle_kg.features.presence import anchored
from sle_kg.features.query import ASKED, CLOSED, Query, by_patient, filled, for_everybody
from sle_kg.features.sql import text, texts
from sle_kg.patients.facts import COLUMNS, DEATH

if TYPE_CHECKING:
    from sle_kg.terminology import Terminology

WIDE = "wide"
"""The table of bounds: `number` of the patient, and two columns for each feature."""
PERSON = "person"
"""The patients: `number` (from 0, in the order of their ids), `patient`, `born` (first possible day), `sex`."""
NUMBERED = ("exposure",)
"""Fact tables whose rows are told apart by a number, in their order."""
UNUSED = ("record", "adverse_event")
"""Fact tables that no feature of a criterion reads."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One table of a script, made by a SELECT (DuckDB's SQL, with the macros of `features.sql`).

    `view`: it is cheaper computed where it is read than written; other engines may make a table of it.
    """

    name: str
    select: str
    view: bool = False

    @property
    def sql(self) -> str:
        """The statement for DuckDB."""
        return f"CREATE {'VIEW' if self.view else 'TABLE'} {self.name} AS {self.select}"


@dataclass(frozen=True, slots=True)
class WideColumns:
    """Where the bounds of a feature are for a trial: names of two columns."""

    place: Mapping[tuple[str, str], str]

    @property
    def count(self) -> int:
        """How many features there are, those shared by trials once."""
        return len(set(self.place.values()))

    def bounds(self, trial: str, slug: str) -> tuple[str, str]:
        """The columns of the lower and of the upper bound."""
        stem = self.place[trial, slug]
        return f"{stem}_low", f"{stem}_high"


def shared_by_trials(feature: Feature) -> bool:
    """Whether the feature is the same for every trial: it looks back from screening, not from a trial's event."""
    return feature.kind != "ConsentCondition" and not anchored(feature)


def wide_columns(wanted: Mapping[str, Sequence[Feature]]) -> WideColumns:
    """The columns of every feature that `wanted` names for a trial; shared features have the same for all."""
    slots = _slots(wanted)
    shared = {slot.feature: slot.stem for slot in slots if shared_by_trials(slot.feature)}
    own = {(slot.trial, slot.feature): slot.stem for slot in slots}
    return WideColumns(
        {
            (trial, feature.slug): shared[feature] if feature in shared else own[trial, feature]
            for trial, features in wanted.items()
            for feature in features
        }
    )


@dataclass(frozen=True, slots=True)
class _Slot:
    """A feature that is computed for a trial, or for all: two columns of `WIDE`."""

    number: int
    feature: Feature
    row: int
    trial: str
    place: int

    @property
    def stem(self) -> str:
        """The start of its columns' names."""
        return f"f{self.number}"


_Made = tuple[str, "Sequence[_Slot]", "str | Query"]
"""The table of what facts say, the features of the batch, their query."""


def _slots(wanted: Mapping[str, Sequence[Feature]]) -> list[_Slot]:
    """Every feature once for all trials or, where a trial's event moves it, for each; those of a batch together."""
    asking: dict[Feature, list[tuple[int, str]]] = {}
    for place, (trial, features) in enumerate(wanted.items()):
        for feature in features:
            asking.setdefault(feature, []).append((place, trial))
    ordered = sorted(asking, key=lambda feature: feature.slug)
    several = [
        (ordered[row], row, trial, place)
        for batch in batches(ordered)
        for row in batch
        for place, trial in asking[ordered[row]][: 1 if shared_by_trials(ordered[row]) else None]
    ]
    return [_Slot(number, *one) for number, one in enumerate(several)]


class WideScript:
    """The computation of `PERSON` and `WIDE` for every patient of the source tables.

    `wanted`: the features of each trial; `on`: the date judged; `events` are stated for every patient.
    """

    def __init__(
        self,
        wanted: Mapping[str, Sequence[Feature]],
        on: dt.date,
        events: Mapping[str, dt.date],
        options: FeatureOptions,
        terminology: Terminology,
    ) -> None:
        self._trials, self._events, self._options, self._terminology = list(wanted), events, options, terminology
        self._today = f"DATE {text(on.isoformat())}"
        self._slots = _slots(wanted)
        self._features = sorted({slot.feature for slot in self._slots}, key=lambda feature: feature.slug)
        self._parameters = feature_rows(self._features, options)
        of_feature: dict[int, list[_Slot]] = {}
        for slot in self._slots:
            of_feature.setdefault(slot.row, []).append(slot)
        together = [[slot for row in batch for slot in of_feature[row]] for batch in batches(self._features)]
        self._batches = [batch[start : start + SLOTS] for batch in together for start in range(0, len(batch), SLOTS)]
        self._queries = [query_of(batch[0].feature, options) for batch in self._batches]

    def references(self, concepts: Sequence[str]) -> list[Reference]:
        """The reference tables; `concepts` are those that occur (`database.concepts_query("source_")`)."""
        asked = dict.fromkeys(self._features, ())
        stated = [(name, day, f"--event {name}={day}") for name, day in sorted(self._events.items())]
        asking = [(slot.number, slot.row, slot.trial, slot.place) for slot in self._slots]
        return [
            *terminology_references(concepts, value_sets_of(self._features), self._terminology),
            *score_references(),
            *feature_references(asked, self._options),
            Reference("asked_trial", {"place": "whole", "trial": "text"}, list(enumerate(self._trials))),
            Reference("asking", {"slot": "whole", "feature": "whole", "trial": "text", "place": "whole"}, asking),
            Reference("stated_event", {"event": "text", "day": "date", "record": "text"}, stated),
            Reference("stated_complete", {"section": "text"}, [(name,) for name in sorted(self._options.complete)]),
        ]

    def statements(self) -> list[Statement]:
        """The statements, in the order in which they are run."""
        found = [
            Statement(name, self._found(batch, query))
            for name, batch, query in zip(self.found, self._batches, self._queries, strict=True)
        ]
        return [
            Statement(PERSON, _PERSON),
            *(Statement(f"fact_{name}", self._fact(name)) for name in COLUMNS if name not in UNUSED),
            *(Statement(name, select) for name, select in PREPARED.items()),
            Statement("anchor", self._anchor()),
            Statement("anchored", self._anchored()),
            Statement("completed", self._completed()),
            *found,
            *self._wide(),
        ]

    @property
    def found(self) -> list[str]:
        """The tables of what facts say, one for each batch."""
        return [f"found{number}" for number in range(len(self._batches))]

    @property
    def passed(self) -> list[str]:
        """The tables of which nothing is read once `WIDE` is there."""
        *parts, wide = self._wide()
        return self.found if wide.view else [*self.found, *(part.name for part in parts)]

    def _found(self, batch: Sequence[_Slot], query: str | Query) -> str:
        """SELECT: for each patient with facts what they say for a batch of features; null where they say nothing."""
        values = query.values if isinstance(query, Query) else BOUNDS
        facts = (
            query.facts()
            if isinstance(query, Query)
            else f"SELECT ask, lower, upper FROM ({query}) q WHERE lower IS NOT NULL OR upper IS NOT NULL"
        )
        flags = query.flags if isinstance(query, Query) else ()
        group = "" if len(batch) == 1 else "GROUP BY number"
        if not group:
            columns = [f"{value} AS {batch[0].stem}_{value}" for value in values]
        else:
            columns = [
                f"max(CASE WHEN slot = {slot.number} THEN {value} END) AS {slot.stem}_{value}"
                for slot in batch
                for value in values
                if value not in flags
            ]
            columns += [
                f"bit_or(CASE WHEN {value} AND slot >= {first} AND slot < {first + BITS} "
                f"THEN CAST(1 AS BIGINT) << (slot - {first}) ELSE 0 END) AS f{first}_{value}_bits"
                for first in range(batch[0].number, batch[-1].number + 1, BITS)
                for value in flags
            ]
        asks, facts = self._asked(batch, facts)
        return f"""
        WITH a AS ({asks})
        SELECT number, {", ".join(columns)}
        FROM (SELECT CAST(ask // {len(self._slots)} AS INTEGER) AS number,
                     CAST(ask % {len(self._slots)} AS INTEGER) AS slot, {", ".join(values)}
              FROM ({facts}) known) several
        {group}"""

    def _asked(self, batch: Sequence[_Slot], facts: str) -> tuple[str, str]:
        """SELECT of the asks of a batch, and what facts say over them: asked of everybody at once where possible."""
        columns = ["g.trial", f"{self._today} AS on_date", f"{self._today} AS base", "0 AS shift"]
        columns += [f"f.{name}" for name in FEATURE_COLUMNS if name != "trials"]
        joined = f"""asking g JOIN wanted f ON f.feature = g.feature
            WHERE g.slot IN ({", ".join(str(slot.number) for slot in batch)})"""
        feature, count = batch[0].feature, len(self._slots)
        if shared_by_trials(feature) and feature.kind not in JOINED_BY_PATIENT:
            made = f"SELECT g.slot, {', '.join(columns)} FROM {joined}"
            return made, for_everybody(facts, count, self._today, f"ENUM({self._tests})")
        key = f"""CAST(p.number AS BIGINT) * {count} + g.slot AS ask,
                CAST(p.number AS BIGINT) * {len(self._trials)} + g.place AS of, p.number AS patient"""
        return f"SELECT {key}, {', '.join(columns)} FROM {PERSON} p CROSS JOIN {joined}", by_patient(facts)

    def _wide(self) -> list[Statement]:
        """`WIDE`: what follows for every patient from what was found; in parts of few tables and few features."""
        several: list[list[_Made]] = [[]]
        for one in zip(self.found, self._batches, self._queries, strict=True):
            if len(several[-1]) == TABLES or sum(len(batch) for _, batch, _ in several[-1]) >= SLOTS:
                several.append([])
            several[-1].append(one)
        if len(several) == 1:
            return [Statement(WIDE, self._wide_part(several[0]))]
        parts = [Statement(f"{WIDE}{number}", self._wide_part(made)) for number, made in enumerate(several)]
        joins = " ".join(f"JOIN {part.name} USING (number)" for part in parts[1:])
        return [*parts, Statement(WIDE, f"SELECT * FROM {parts[0].name} {joins}", view=len(parts) <= JOINED_LATER)]

    def _wide_part(self, made: Sequence[_Made]) -> str:
        """SELECT of the bounds of some batches, with the number of every patient."""
        columns = [
            f"CAST({side} AS {_type(slot.feature)}) AS {slot.stem}_{word}"
            for _, batch, query in made
            for slot in batch
            for side, word in zip(self._sides(slot, batch, query), ("low", "high"), strict=True)
        ]
        tables = ["anchored", "completed", *(name for name, _, _ in made)]
        joins = " ".join(f"LEFT JOIN {name} ON {name}.number = p.number" for name in tables)
        return f"SELECT p.number, {', '.join(columns)} FROM {PERSON} p {joins}"

    def _sides(self, slot: _Slot, batch: Sequence[_Slot], query: str | Query) -> tuple[str, str]:
        """SQL over the columns of `WIDE`'s sources: the lower and the upper bound."""
        if not isinstance(query, Query):
            return f"{slot.stem}_lower", f"{slot.stem}_upper"
        own, last = anchored(slot.feature), self._today
        if own:
            anchor = str(slot.feature.get("anchor"))
            last = f"{anchor}_{slot.place}_last"
            last = f"coalesce({last}, {self._today})" if anchor in STAND_INS else last
        until = f"until_{query.section} >= {last}"
        planned = f" AND NOT {last} > {self._today}" if own else ""
        is_open = query.closed_sets and any(map(self._terminology.is_open, names_of(slot.feature, "valueSet")))
        said = {ASKED: f"{last} IS NOT NULL" if own else "true", CLOSED: "false" if is_open else until + planned}
        bit = (slot.number - batch[0].number) % BITS
        first = slot.number - bit

        def name(word: str) -> str:
            if word in query.flags and len(batch) > 1:
                return f"(f{first}_{word}_bits & {1 << bit}) <> 0"
            return f"{slot.stem}_{word}" if word in query.values else _literal(self._parameters[slot.row][word])

        return filled(query.lower, name, said), filled(query.upper, name, said)

    @cached_property
    def _tests(self) -> str:
        """The tests that a query may ask for, as the inside of an SQL list: what queries and reference tables name."""
        queries = [f"{one.ctes} {one.found}" if isinstance(one, Query) else one for one in self._queries]
        literals = {literal for sql in [*queries, *PREPARED.values()] for literal in re.findall(r"'([^']*)'", sql)}
        return texts(literals | named_tests(self._features))

    def _fact(self, name: str) -> str:
        """SELECT: a fact table with the numbers of patients for their ids; of measurements what queries may ask for.

        What the patient's birth or sex contradicts is not believed (`births`).
        Evidence is not collected, and a test that is a value of few is compared faster than a text.
        """
        columns = {column: f"s.{column}" for column in ("record", *COLUMNS[name])}
        source, where = f"source_{name}", ""
        if name == "measurement":
            columns |= {"record": "CAST(NULL AS VARCHAR)", "test": f"CAST(s.test AS ENUM({self._tests}))"}
            del columns["lln"]
            where = f"WHERE s.test IN ({self._tests})"
        columns = believed(name, columns, "p")
        if name == "attestation":  # of the deceased they settle nothing
            where = f"""WHERE s.patient NOT IN (
                SELECT e.patient FROM source_event e WHERE e.patient IS NOT NULL AND e.event = {text(DEATH)}
                AND (e.date_from IS NULL OR e.date_from <= {self._today}))"""
        if name in NUMBERED:
            columns["row_id"], source = "s.row_id", f"(SELECT *, row_number() OVER () AS row_id FROM {source})"
        said = ", ".join(f"{column} AS {as_name}" for as_name, column in columns.items())
        return f"""
        SELECT p.number AS patient, {said} FROM {source} s JOIN {PERSON} p ON p.patient = s.patient {where}"""

    def _anchor(self) -> str:
        """SELECT: the anchors of each patient for each trial, as `asks.resolve_events` and `load_asks` give them."""
        several = len(self._trials)
        consents = """
            SELECT f.patient, t.place, f.status, f.date_from, f.date_to, f.until_from, f.record
            FROM fact_consent f JOIN asked_trial t ON t.trial = f.trial"""
        return f"""
        WITH k AS (
            SELECT CAST(p.number AS BIGINT) * {several} + t.place AS ask FROM {PERSON} p CROSS JOIN asked_trial t),
        recorded AS (
            SELECT e.patient, t.place, e.event, e.date_from, e.date_to, e.record,
                   CASE WHEN e.trial IS NULL THEN 1 ELSE 2 END AS rank
            FROM fact_event e JOIN asked_trial t ON e.trial IS NULL OR e.trial = t.trial
            WHERE e.event IN ({texts(EVENTS)})
            UNION ALL
            SELECT patient, place, 'consent', CASE WHEN holds THEN date_from END, CASE WHEN holds THEN date_to END,
                   record, 3
            FROM ({standing(consents, "c.patient, c.place", self._today)}) consenting),
        counting AS (
            SELECT * FROM recorded WHERE event NOT IN (SELECT event FROM stated_event)
            QUALIFY row_number() OVER (PARTITION BY patient, place, event
                ORDER BY rank DESC, coalesce(date_from, DATE '0001-01-01') DESC, date_to IS NOT NULL, date_to,
                         record) = 1),
        known AS (
            SELECT CAST(c.patient AS BIGINT) * {several} + c.place AS ask, c.event AS anchor, c.date_from AS first,
                   c.date_to AS last, c.record
            FROM counting c WHERE c.date_from IS NOT NULL AND c.date_to IS NOT NULL
            UNION ALL SELECT k.ask, s.event, s.day, s.day, s.record FROM k CROSS JOIN stated_event s)
        SELECT ask, anchor, first, last, record FROM known
        UNION ALL
        SELECT k.ask, s.anchor, {self._today}, {self._today}, NULL
        FROM k CROSS JOIN (SELECT unnest([{texts(STAND_INS)}]) AS anchor) s
        WHERE NOT EXISTS (SELECT 1 FROM known w WHERE w.ask = k.ask AND w.anchor = s.anchor)"""

    def _anchored(self) -> str:
        """SELECT: the last possible day of each anchor that a feature asks for, a column for each trial.

        Null where a stand-in, or an event, is on the day judged: `_sides` fills it in.
        """
        several = len(self._trials)
        asked = sorted(
            {(str(slot.feature.get("anchor")), slot.place) for slot in self._slots if anchored(slot.feature)}
        )
        columns = [
            f"max(CASE WHEN anchor = {text(anchor)} AND place = {place} THEN last END) AS {anchor}_{place}_last"
            for anchor, place in asked
        ]
        return f"""
        SELECT CAST(ask // {several} AS INTEGER) AS number{"".join(f", {column}" for column in columns)}
        FROM (SELECT ask, ask % {several} AS place, anchor, last FROM anchor
              WHERE last <> {self._today} OR anchor NOT IN ({texts(STAND_INS)})) several
        GROUP BY ask // {several}"""

    def _completed(self) -> str:
        """SELECT: the day up to which each section is complete, a column for each (`database.COMPLETE` of one day)."""
        sections = sorted({query.section for query in self._queries if isinstance(query, Query) and query.section})
        columns = [f"max(CASE WHEN section = {text(name)} THEN until END) AS until_{name}" for name in sections]
        return f"""
        WITH stated AS (
            SELECT patient, section, date_from AS until FROM fact_completeness WHERE date_from <= {self._today}
            UNION ALL SELECT p.number, s.section, {self._today} FROM {PERSON} p CROSS JOIN stated_complete s)
        SELECT patient AS number{"".join(f", {column}" for column in columns)}
        FROM stated s WHERE NOT EXISTS (
            SELECT 1 FROM fact_unread u WHERE u.patient = s.patient AND u.section = s.section
            AND (u.date_from IS NULL OR u.date_from <= {self._today}))
        GROUP BY patient"""


BOUNDS = ("lower", "upper")
SLOTS = 40
"""Features that one query computes at most: each has an aggregate of its own, which sees the rows of all."""
TABLES = 14
"""Tables that one query joins at most: each join of a database takes memory for the columns of all before it."""
JOINED_LATER = 6
"""Parts of `WIDE` at most that are joined wherever it is read: few joins cost less than to write all columns again."""
BITS = 60
"""Flags of different features that a column holds, one bit each."""

_PERSON = """
    SELECT CAST(row_number() OVER (ORDER BY patient) - 1 AS INTEGER) AS number, patient, born, sex
    FROM (SELECT patient, min(birth_from) AS born, max(sex) AS sex FROM source_patient
          WHERE patient IS NOT NULL GROUP BY patient) every"""


def _type(feature: Feature) -> str:
    """The narrowest type of column that holds every bound of the feature exactly."""
    if feature.kind in FLAGS:
        return "TINYINT"
    return "INTEGER" if feature.kind in COUNTS else "DECIMAL(38, 12)"


def _literal(value: object) -> str:
    """A parameter that is a truth value, as SQL."""
    return str(bool(value)).lower()
