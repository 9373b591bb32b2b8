"""Assessments of scores as DuckDB tables: days with a total or items, what each item adds, what results propose.

Items count together only on one day (rule 7 of reading), so the rows of a measure with one and the same date make an
assessment. An item adds points between `at_least` and `at_most`: a descriptor that is present adds its weight, a graded
organ system the points of its grade, one that was not recorded anything up to its weight.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from sle_kg.errors import TrialFileError
from sle_kg.features.database import load_rows
from sle_kg.features.presence import BEGINNING, ENDING
from sle_kg.features.results import POSITIVE

if TYPE_CHECKING:
    from decimal import Decimal

    import duckdb

WHOLE = "whole"
"""The part of a total to which every item adds."""


@cache
def parts() -> dict[str, dict[str, dict[str, Decimal]]]:
    """Total → part → test of each item in it → most points it can add.

    The parts are the whole, each item for itself (named by its test), and the groups of the ontology.
    """
    from decimal import Decimal

    from sle_kg import ontology

    found: dict[str, dict[str, dict[str, Decimal]]] = {}

    def add(total: str, test: str, most: Decimal, groups: Iterable[str]) -> None:
        for part in (WHOLE, test, *groups):
            found.setdefault(total, {}).setdefault(part, {})[test] = most

    for instrument in ontology.instruments().values():
        if instrument.total is not None and instrument.items and all(item.groups for item in instrument.items):
            for item in instrument.items:
                add(instrument.total, item.key, Decimal(item.weight or 0), item.groups)
    for graded in ontology.graded_systems().values():
        for system, test in graded.systems.items():
            add(graded.total, test, max(graded.points.values()), (system,))
    return found


def total_of(instrument: str) -> str:
    """The key of the total of an instrument, which may be named by itself or by its total (`sledai2k`, `pga`)."""
    from sle_kg import ontology

    if instrument in (graded := ontology.graded_systems()):
        return graded[instrument].total
    known = ontology.instruments().get(instrument)
    return known.total if known is not None and known.total is not None else instrument


def part_of(instrument: str, group: str) -> str:
    """The part of a total that a group of items makes. Raises TrialFileError where the instrument has no such group."""
    found = parts().get(total_of(instrument), {})
    if group not in found:
        there = ", ".join(sorted(name for name in found if ":" not in name and name != WHOLE)) or "no groups"
        raise TrialFileError(f"{instrument} has no items of the group {group!r}; it has {there}.")
    return group


def load_references(connection: duckdb.DuckDBPyConnection) -> None:
    """Items, grades and thresholds of the ontology: tables `score_part`, `grade_points` and `item_threshold`."""
    from sle_kg import ontology
    from sle_kg.units import convert

    rows = [
        (total, part, test, most)
        for total, groups in parts().items()
        for part, items in groups.items()
        for test, most in items.items()
    ]
    load_rows(connection, "score_part", {"total": "text", "part": "text", "test": "text", "weight": "number"}, rows)
    grades = [
        (graded.total, grade, points)
        for graded in ontology.graded_systems().values()
        for grade, points in graded.points.items()
    ]
    load_rows(connection, "grade_points", {"total": "text", "grade": "text", "points": "number"}, grades)
    tests = ontology.laboratory_tests()
    thresholds = [
        (
            instrument.total,
            item.key,
            test,
            len(threshold.tests),
            threshold.comparator,
            None
            if threshold.value is None
            else convert(
                threshold.value, threshold.unit, tests[test].canonical_unit or "{score}", tests[test].molar_mass
            ),
            threshold.limit,
            threshold.window_days,
            threshold.increase,
        )
        for instrument in ontology.instruments().values()
        for item in instrument.items
        if instrument.total is not None and (threshold := item.threshold) is not None
        for test in threshold.tests
    ]
    columns = {
        "total": "text",
        "item": "text",
        "test": "text",
        "tests": "whole",
        "comparator": "text",
        "value": "number",
        "limit_of": "text",
        "window_days": "whole",
        "increase": "flag",
    }
    load_rows(connection, "item_threshold", columns, thresholds)


def load_assessments(connection: duckdb.DuckDBPyConnection, totals: Iterable[str], derive_items: bool) -> None:
    """Tables `assessment`, `assessed_total` and `assessed_item` of some totals; the references must be loaded.

    With `derive_items` an item that was not recorded on the day takes the proposed answer. A recorded item goes before
    a proposal, and so does a recorded total that all proposals of the day together would contradict.
    """
    load_rows(connection, "asked_total", {"total": "text"}, [(total,) for total in sorted(set(totals))])
    connection.execute(_RECORDED)
    if derive_items:
        connection.execute(_DERIVED)


_RECORDED = """
CREATE OR REPLACE TEMP TABLE assessment AS
SELECT row_number() OVER () AS id, * FROM (
    SELECT m.patient, t.total, m.date_from, m.date_to, records_of(m.record) AS records
    FROM fact_measurement m JOIN (
        SELECT total, total AS test FROM asked_total
        UNION ALL SELECT total, test FROM score_part JOIN asked_total USING (total) WHERE part = test) t USING (test)
    GROUP BY ALL);

CREATE OR REPLACE TEMP TABLE assessed_total AS
SELECT s.id, m.low, m.high
FROM assessment s JOIN fact_measurement m
ON m.patient = s.patient AND m.test = s.total
AND m.date_from IS NOT DISTINCT FROM s.date_from AND m.date_to IS NOT DISTINCT FROM s.date_to;

CREATE OR REPLACE TEMP TABLE assessed_item AS
SELECT s.id, p.test, p.weight,
       CASE WHEN s.date_from = s.date_to THEN min(CASE WHEN g.points IS NOT NULL THEN g.points
           WHEN m.text IS NULL AND coalesce(m.positive, m.low > 0) THEN p.weight ELSE 0 END) ELSE 0 END AS at_least,
       CASE WHEN s.date_from = s.date_to THEN max(CASE WHEN g.points IS NOT NULL THEN g.points
           WHEN m.text IS NULL AND NOT coalesce(m.positive, m.high > 0) THEN 0 ELSE p.weight END) ELSE p.weight END
           AS at_most
FROM assessment s JOIN score_part p ON p.total = s.total AND p.part = p.test
JOIN fact_measurement m ON m.patient = s.patient AND m.test = p.test
AND m.date_from IS NOT DISTINCT FROM s.date_from AND m.date_to IS NOT DISTINCT FROM s.date_to
LEFT JOIN grade_points g ON g.total = s.total AND g.grade = m.text
GROUP BY s.id, p.test, p.weight, s.date_from, s.date_to
"""
"""Items recorded with a vague date may lie on different days: they say that there was an assessment, and no more."""


def _crosses(low: str, high: str, limit: str) -> str:
    """SQL: whether a value between `low` and `high` crosses a limit by comparator `t.comparator`; null if not known."""
    return f"""CASE t.comparator
        WHEN '>' THEN CASE WHEN {low} > {limit} THEN true WHEN {high} <= {limit} THEN false END
        WHEN '>=' THEN CASE WHEN {low} >= {limit} THEN true WHEN {high} < {limit} THEN false END
        WHEN '<' THEN CASE WHEN {high} < {limit} THEN true WHEN {low} >= {limit} THEN false END
        WHEN '<=' THEN CASE WHEN {high} <= {limit} THEN true WHEN {low} > {limit} THEN false END END"""


def proposals(days: str) -> str:
    """CTE `proposed` (patient, total, day, item, proposed, records): what results say of items on the days of a CTE.

    `days` has patient, total and day. An item is proposed present if a result within its window, that day included,
    crosses the threshold; absent if every test has a result there and none can cross it. A rise is against the latest
    result before, and not known where there is none (scores.md, section 2).
    """
    beyond = f"CASE WHEN t.limit_of = 'upper' THEN m.above ELSE {_crosses('m.low', 'm.high', 'm.lln')} END"
    risen = _crosses("m.low - b.high", "m.high - b.low", "t.value")
    return f"""results AS (
        SELECT *, {POSITIVE} AS above FROM fact_measurement WHERE test IN (SELECT test FROM item_threshold)),
    earlier AS (
        SELECT r.row_id, p.low, p.high, coalesce(p.date_from, {BEGINNING}) AS day_lo,
               coalesce(p.date_to, {ENDING}) AS day_hi, coalesce(p.date_to < r.date_from, false) AS sure
        FROM results r JOIN results p
        ON p.patient = r.patient AND p.test = r.test AND coalesce(p.date_from, {BEGINNING}) < r.date_from
        WHERE r.date_from = r.date_to AND r.test IN (SELECT test FROM item_threshold WHERE increase)),
    before AS (
        SELECT row_id, CASE WHEN bool_or(sure) THEN least_or_null(low) END AS low,
               CASE WHEN bool_or(sure) THEN greatest_or_null(high) END AS high
        FROM (FROM earlier QUALIFY coalesce(
            day_hi >= max(day_lo) FILTER (WHERE sure) OVER (PARTITION BY row_id), true))
        GROUP BY row_id),
    compared AS (
        SELECT d.patient, d.total, d.day, t.item, t.test, t.tests, t.increase, m.record,
               coalesce(m.date_from >= d.day - t.window_days AND m.date_to <= d.day, false) AS inside,
               CASE WHEN t.limit_of IS NULL THEN {_crosses("m.low", "m.high", "t.value")} ELSE {beyond} END AS over,
               {risen} AS risen
        FROM {days} d JOIN item_threshold t USING (total)
        JOIN results m ON m.patient = d.patient AND m.test = t.test
        LEFT JOIN before b ON b.row_id = m.row_id
        WHERE coalesce(m.date_from, {BEGINNING}) <= d.day AND coalesce(m.date_to, {ENDING}) >= d.day - t.window_days),
    crossing AS (
        SELECT *, CASE WHEN NOT increase OR NOT over THEN over WHEN NOT risen THEN false
                  WHEN over AND risen THEN true END AS crosses
        FROM compared),
    proposed AS (
        SELECT patient, total, day, item,
               CASE WHEN bool_or(coalesce(inside AND crosses, false)) THEN true
                    WHEN count(DISTINCT test) FILTER (WHERE inside) = any_value(tests)
                         AND bool_and(coalesce(NOT crosses, false)) THEN false END AS proposed,
               CASE WHEN bool_or(coalesce(inside AND crosses, false)) THEN records_where(record, inside AND crosses)
                    ELSE records_of(record) END AS records
        FROM crossing GROUP BY patient, total, day, item)"""


_DERIVED = f"""
CREATE OR REPLACE TEMP TABLE derived_item AS
WITH days AS (SELECT id, patient, total, date_from AS day FROM assessment WHERE date_from = date_to),
{proposals("days")},
added AS (
    SELECT d.id, p.item AS test, i.weight, CASE WHEN p.proposed THEN i.weight ELSE 0 END AS at_least,
           CASE WHEN p.proposed THEN i.weight ELSE 0 END AS at_most, p.records
    FROM proposed p JOIN days d USING (patient, total, day)
    JOIN score_part i ON i.total = p.total AND i.part = p.item
    WHERE p.proposed IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM assessed_item r WHERE r.id = d.id AND r.test = p.item)),
sums AS (
    SELECT s.id, sum(i.at_least) AS at_least, sum(i.weight - i.at_most) AS lost, any_value(s.total) AS total
    FROM (SELECT id, weight, at_least, at_most FROM assessed_item
          UNION ALL SELECT id, weight, at_least, at_most FROM added) i
    JOIN assessment s USING (id) GROUP BY s.id),
contradicted AS (
    SELECT t.id FROM assessed_total t JOIN sums s USING (id)
    JOIN (SELECT total, sum(weight) AS points FROM score_part WHERE part = '{WHOLE}' GROUP BY total) w USING (total)
    WHERE t.low > w.points - s.lost OR t.high < s.at_least)
SELECT * FROM added WHERE id NOT IN (SELECT id FROM contradicted);

INSERT INTO assessed_item SELECT id, test, weight, at_least, at_most FROM derived_item;

CREATE OR REPLACE TEMP TABLE assessment AS
SELECT s.* REPLACE (list_sort(list_distinct(list_concat(s.records, coalesce(d.records, [])))) AS records)
FROM assessment s LEFT JOIN (SELECT id, flatten(list(records)) AS records FROM derived_item GROUP BY id) d USING (id)
"""
