"""Kidney biopsies: class, NIH indices and age. A biopsy not recorded is absent only where procedures are complete."""

from __future__ import annotations

from sle_kg.criteria import Feature
from sle_kg.features.asks import FeatureOptions
from sle_kg.features.database import names_of
from sle_kg.features.presence import BEGINNING
from sle_kg.features.results import ALL, latest
from sle_kg.features.sql import before, text, texts

BIOPSY = "'isnRpsClass', 'nihActivityIndex', 'nihChronicityIndex'"


def _no_biopsy(records: str) -> str:
    """SQL parts: procedures complete, so that a biopsy not recorded is absent (rule 2)."""
    return f"""LEFT JOIN complete c ON c.ask = w.of AND c.section = 'procedures' AND c.until >= w.on_date
    {records}"""


def biopsy_class(feature: Feature, options: FeatureOptions) -> str:
    """BiopsyClassCondition: any biopsy of one of the classes, alone or mixed (A0-10: pure V is none of III and IV)."""
    classes = " OR ".join(
        f"list_contains(str_split(text, '+'), {text(name)})" for name in names_of(feature, "biopsyClass")
    )
    members = texts(f"lupusNephritisClass{name}" for name in names_of(feature, "biopsyClass"))
    return f"""
    WITH {ALL}, {latest("v", "'isnRpsClass'", None)},
    r AS (
        SELECT ask, record, coalesce({classes}, false) AS certain, text IS NULL OR {classes} AS possible FROM v_seen
        UNION ALL
        SELECT w.ask, d.record, d.status = 'confirmed', d.status <> 'refuted'
        FROM w JOIN fact_condition d ON d.patient = w.patient
             AND coalesce(d.onset_from, d.recorded_from, {BEGINNING}) <= w.base
        WHERE d.concept IN ({members})),
    s AS (
        SELECT ask, bool_or(certain) AS certain, bool_or(possible) AS possible, records_of(record) AS records,
               records_where(record, certain) AS proof FROM r GROUP BY ask)
    SELECT w.ask, CASE WHEN s.certain THEN 1 END AS lower,
           CASE WHEN c.ask IS NOT NULL AND NOT coalesce(s.possible, false) THEN 0 END AS upper,
           CASE WHEN s.certain THEN s.proof WHEN s.ask IS NOT NULL THEN s.records
                WHEN c.ask IS NOT NULL THEN [c.record] ELSE [] END AS records
    FROM w LEFT JOIN s USING (ask) {_no_biopsy("")}
    """


def biopsy(feature: Feature, options: FeatureOptions) -> str:
    """BiopsyCondition: lupus nephritis proven by a biopsy, of whatever class."""
    return f"""
    WITH {ALL}, {latest("v", BIOPSY, None)},
    s AS (SELECT ask, records_of(record) AS records FROM v_seen GROUP BY ask)
    SELECT w.ask, CASE WHEN s.ask IS NOT NULL THEN 1 END AS lower,
           CASE WHEN s.ask IS NULL AND c.ask IS NOT NULL THEN 0 END AS upper,
           coalesce(s.records, CASE WHEN c.ask IS NOT NULL THEN [c.record] ELSE [] END) AS records
    FROM w LEFT JOIN s USING (ask) {_no_biopsy("")}
    """


def _latest_biopsy() -> str:
    return f"""{
        latest("v", BIOPSY, None)
        .replace("m.date_from + w.shift", "m.date_from")
        .replace("w.base) + w.shift", "w.base)")
    }"""


def biopsy_index(feature: Feature, options: FeatureOptions) -> str:
    """BiopsyIndexCondition: the NIH index of the latest biopsy."""
    return f"""
    WITH {ALL}, {_latest_biopsy()}
    SELECT ask, least_or_null(low) AS lower, greatest_or_null(high) AS upper, records_of(record) AS records
    FROM v WHERE test = {text(str(feature.get("index")))} GROUP BY ask
    """


def biopsy_age(feature: Feature, options: FeatureOptions) -> str:
    """BiopsyAgeCondition: the latest biopsy lies in the look-back before the day judged (A0-11)."""
    start = before("w.on_date", str(feature.get("lookback")))
    return f"""
    WITH {ALL}, {_latest_biopsy()},
    s AS (SELECT ask, min(day_lo) AS first, max(day_hi) AS last, records_of(record) AS records FROM v GROUP BY ask)
    SELECT w.ask, CASE WHEN s.first >= {start} THEN 1 END AS lower,
           CASE WHEN c.ask IS NOT NULL AND coalesce(s.last < {start}, true) THEN 0 END AS upper,
           coalesce(s.records, CASE WHEN c.ask IS NOT NULL THEN [c.record] ELSE [] END) AS records
    FROM w LEFT JOIN s USING (ask) {_no_biopsy("")}
    """
