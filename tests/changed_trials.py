"""Trials as if their file said something else: what `cohort` says by the file as it is and as it was changed."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyoxigraph as ox

from sle_kg.cohort.changes import Change
from sle_kg.cohort.judge import JUDGED, SqlJudge
from sle_kg.cohort.summary import Gained, TrialSummary
from sle_kg.cohort.tables import CohortTables
from sle_kg.conditions import COMPARISONS
from sle_kg.criteria import Leaf, Trial, walk
from sle_kg.evaluate import RuleSet
from sle_kg.namespaces import SLE, XSD
from sle_kg.screening import Options
from sle_kg.sql_plan import leaf_key
from sle_kg.terminology import terminology
from sle_kg.trials import read_trial, trial_files

_PROPERTIES = {operator: name for name, operator in COMPARISONS.items()}


def changed_trial(rules: RuleSet, change: Change, step: Leaf, folder: Path) -> Trial:
    """The trial read from a copy of its file in which one limit of a row says what the step says."""
    assert change.leaf is not None
    name, literal = _written(change, step)
    nodes = {
        node.iri
        for node in walk(rules.conditions[change.row])
        if isinstance(node, Leaf) and leaf_key(node) == leaf_key(change.leaf)
    }
    (file,) = (file for file in trial_files() if file.stem == rules.trial.id)
    store = ox.Store()
    store.load(path=str(file), format=ox.RdfFormat.TURTLE)
    for node in nodes:
        (quad,) = store.quads_for_pattern(ox.NamedNode(node), ox.NamedNode(SLE + name), None)
        store.remove(quad)
        store.add(ox.Quad(quad.subject, quad.predicate, literal))
    copy = folder / file.name
    store.dump(str(copy), format=ox.RdfFormat.TURTLE, from_graph=ox.DefaultGraph())
    return read_trial(copy)


def _written(change: Change, step: Leaf) -> tuple[str, ox.Literal]:
    """The property of the limit in a trial file, and its new value."""
    number, unit = change.amount(step)
    duration = ox.Literal(f"P{number}{'M' if unit == 'mo' else 'D'}", datatype=ox.NamedNode(XSD + "duration"))
    if change.limit in ("lookback", "gap", "concurrentGap"):
        return change.limit, duration
    if change.limit == "halfLives":
        return "halfLives", ox.Literal(str(number), datatype=ox.NamedNode(XSD + "integer"))
    if unit == "mo":
        return "minDuration", duration
    name = "dailyDose" if change.limit == "dailyDose" else _PROPERTIES[step.operator]
    return name, ox.Literal(str(number), datatype=ox.NamedNode(XSD + "decimal"))


def interrupt(folder: Path, on: dt.date) -> None:
    """Rewrite the treatments of every second patient of a cohort: a gap of 5 to 54 days, an end up to 14 days ago."""
    file, day = folder / "exposure.parquet", f"DATE '{on}'"
    end, begins = "CAST(last - n % 15 AS DATE)", "CAST(middle + 5 + n AS DATE)"
    with duckdb.connect() as connection:
        connection.execute(
            f"""CREATE TABLE every AS FROM '{file}';
            CREATE TABLE cut AS
            SELECT *, CAST(row_number() OVER (ORDER BY patient, record) % 50 AS INTEGER) AS n,
                   coalesce(end_to, {day}) AS last, CAST(last - 20 - n AS DATE) AS middle
            FROM every WHERE last > start_to + 70
            QUALIFY dense_rank() OVER (ORDER BY patient) % 2 = 0;
            CREATE TABLE made AS
            SELECT * EXCLUDE (n, last, middle)
                   REPLACE (middle AS end_from, middle AS end_to, false AS ongoing) FROM cut
            UNION ALL
            SELECT * EXCLUDE (n, last, middle)
                   REPLACE ({begins} AS start_from, {begins} AS start_to, {end} AS end_from, {end} AS end_to,
                            false AS ongoing) FROM cut WHERE {begins} <= {end}
            UNION ALL SELECT * FROM every WHERE record NOT IN (SELECT record FROM cut);
            COPY (FROM made ORDER BY patient, record) TO '{file}' (FORMAT PARQUET)"""
        )


def treat(folder: Path, on: dt.date) -> None:
    """Add high doses to every third patient of a cohort, and others to the next.

    The first take prednisone of 0.4 to 0.8 mg/kg beside mycophenolate with a gap of 30 to 70 days (NCT06150651 I03.3e);
    the others, with severe nephritis, 90 to 160 mg (NCT06106906 E02c).
    """
    taken = [
        (0, "prednisone", "90", "40", "0.4 + 0.1 * (n // 3 % 5)", "mg/kg"),
        (0, "mycophenolateMofetil", "200", "80 + 5 * (n // 3 % 9)", "100", "mg"),
        (0, "mycophenolateMofetil", "50", "30", "100", "mg"),
        (1, "prednisone", "60", "40", "90 + 10 * (n // 3 % 8)", "mg"),
    ]
    with duckdb.connect() as connection:
        connection.execute(
            f"""CREATE TABLE person AS
            SELECT patient, CAST(row_number() OVER (ORDER BY patient) - 1 AS INTEGER) AS n
            FROM '{folder / "patient.parquet"}'"""
        )
        for name in ("exposure", "condition"):
            connection.execute(f"CREATE TABLE {name} AS FROM '{folder / f'{name}.parquet'}'")
        for number, (third, concept, first, last, dose, unit) in enumerate(taken):
            start, end = (f"CAST(DATE '{on}' - CAST({days} AS INTEGER) AS DATE)" for days in (first, last))
            connection.execute(
                f"""INSERT INTO exposure BY NAME
                SELECT patient, 'MedicationStatement/treated-{number}-' || n AS record, '{concept}' AS concept,
                       'yes' AS taken, {start} AS start_from, start_from AS start_to, {end} AS end_from,
                       end_from AS end_to, false AS ongoing, 'oral' AS route, {dose} AS dose, '{unit}' AS dose_unit,
                       1 AS times, 1 AS period_days, false AS administration
                FROM person WHERE n % 3 = {third}"""
            )
        connection.execute(
            f"""INSERT INTO condition BY NAME
            SELECT patient, 'Condition/treated-' || n AS record, 'lupusNephritis' AS concept, 'confirmed' AS status,
                   DATE '{on}' - 30 AS onset_from, onset_from AS onset_to, true AS ongoing,
                   onset_from AS recorded_from, onset_from AS recorded_to, 'severe' AS severity
            FROM person WHERE n % 3 = 1"""
        )
        for name in ("exposure", "condition"):
            connection.execute(
                f"COPY (FROM {name} ORDER BY patient, record) TO '{folder / f'{name}.parquet'}' (FORMAT PARQUET)"
            )


def grow_old(folder: Path) -> None:
    """Make the results of a cohort older, those of one patient by so many days: none, a week, … eight weeks."""
    file = folder / "measurement.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            f"""CREATE TABLE made AS
            SELECT * EXCLUDE days
                   REPLACE (CAST(date_from - days AS DATE) AS date_from, CAST(date_to - days AS DATE) AS date_to)
            FROM (SELECT *, CAST(7 * (dense_rank() OVER (ORDER BY patient) % 9) AS INTEGER) AS days FROM '{file}');
            COPY (FROM made ORDER BY patient, record) TO '{file}' (FORMAT PARQUET)"""
        )


def read_tables(folder: Path, options: Options) -> dict[str, pa.Table]:
    """The tables of all patients of a cohort, as they are judged."""
    tables = CohortTables.open(folder)
    return dict(tables.read(tables.patients, options.on, {}))


def verdicts(trial: Trial, tables: Mapping[str, pa.Table], options: Options) -> list[str]:
    """The verdict of every patient, in the order of their ids, by the plan of the trial."""
    judge = SqlJudge([trial], options, terminology())
    query = f"SELECT {judge.status_columns(trial.id).verdict} FROM {JUDGED} ORDER BY number"
    return [word for (word,) in judge.judge(dict(tables)).execute(query).fetchall()]


def gained(before: Sequence[str], after: Sequence[str]) -> Gained:
    """The gains that follow from verdicts before and after a change."""
    moves = Counter(zip(before, after, strict=True))
    entered, opened = moves["ineligible", "eligible"], moves["ineligible", "undetermined"]
    return Gained(entered + opened, entered + moves["undetermined", "eligible"], opened)


def told(trial: TrialSummary, changes: Sequence[Change], change: Change) -> list[Gained]:
    """What a summary says of the steps of a change, or of the row dropped; `changes` are all of the trial."""
    (row,) = (row for row in trial.what_if or () if row.row == change.row)
    if change.leaf is None:
        return [row.dropped]
    place = [one for one in changes if one.row == change.row and one.leaf is not None].index(change)
    steps = row.relaxed[place].steps
    assert [number for number, _ in steps] == [change.amount(step)[0] for step in change.steps]
    return [found for _, found in steps]


def about_time(changes: Sequence[Change]) -> Iterator[Change]:
    """The changes of windows, wash-outs, durations, gaps and doses kept up."""
    for change in changes:
        if change.leaf is not None and (change.limit != "threshold" or change.amount(change.leaf)[1] in ("d", "mo")):
            yield change
