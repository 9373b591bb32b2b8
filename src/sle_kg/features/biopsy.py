"""Kidney biopsies: class, NIH indices and age. A biopsy not recorded is absent only where procedures are complete."""

from __future__ import annotations

from sle_kg.criteria import Feature
from sle_kg.features.asks import FeatureOptions
from sle_kg.features.database import names_of
from sle_kg.features.presence import BEGINNING, window
from sle_kg.features.query import Query, ask_of, of_patient, on_or_before_base
from sle_kg.features.results import ALL, latest
from sle_kg.features.sql import before, text, texts

BIOPSY = "'isnRpsClass', 'nihActivityIndex', 'nihChronicityIndex'"


def _recorded(feature: Feature, ctes: str, found: str) -> Query:
    """A query of biopsies: a biopsy not recorded is absent where procedures are complete (rule 2).

    `found` has `certain`, `possible`, `proof` and `records`.
    """
    return Query(
        f"{window(feature)}, {ctes}",
        found,
        ("certain", "possible"),
        lower="CASE WHEN {certain} THEN 1 END",
        upper="CASE WHEN {closed} AND NOT coalesce({possible}, false) THEN 0 END",
        records="""CASE WHEN f.certain THEN f.proof WHEN f.ask IS NOT NULL THEN f.records
                        WHEN c.ask IS NOT NULL THEN [c.record] ELSE [] END""",
        flags=("certain", "possible"),
        section="procedures",
    )


def biopsy_class(feature: Feature, options: FeatureOptions) -> Query:
    """BiopsyClassCondition: any biopsy of one of the classes, alone or mixed (A0-10: pure V is none of III and IV)."""
    classes = " OR ".join(
        f"list_contains(str_split(text, '+'), {text(name)})" for name in names_of(feature, "biopsyClass")
    )
    members = texts(f"lupusNephritisClass{name}" for name in names_of(feature, "biopsyClass"))
    ctes = f"""{latest("v", "'isnRpsClass'", None)},
    r AS (
        SELECT ask, record, coalesce({classes}, false) AS certain, text IS NULL OR {classes} AS possible FROM v_seen
        UNION ALL
        SELECT {ask_of("d")}, d.record, d.status = 'confirmed', d.status <> 'refuted'
        FROM w JOIN fact_condition d ON {of_patient("d")}
             AND {on_or_before_base(f"coalesce(d.onset_from, d.recorded_from, {BEGINNING})")}
        WHERE d.concept IN ({members}))"""
    found = """
        SELECT ask, bool_or(certain) AS certain, bool_or(possible) AS possible, records_of(record) AS records,
               records_where(record, certain) AS proof
        FROM r GROUP BY ask"""
    return _recorded(feature, ctes, found)


def biopsy(feature: Feature, options: FeatureOptions) -> Query:
    """BiopsyCondition: lupus nephritis proven by a biopsy, of whatever class."""
    found = """
        SELECT ask, true AS certain, true AS possible, records_of(record) AS records, records_of(record) AS proof
        FROM v_seen GROUP BY ask"""
    return _recorded(feature, latest("v", BIOPSY, None), found)


def biopsy_index(feature: Feature, options: FeatureOptions) -> str:
    """BiopsyIndexCondition: the NIH index of the latest biopsy."""
    return f"""
    WITH {ALL}, {latest("v", BIOPSY, None, repeated=False)}
    SELECT ask, least_or_null(low) AS lower, greatest_or_null(high) AS upper, records_of(record) AS records
    FROM v WHERE test = {text(str(feature.get("index")))} GROUP BY ask
    """


def biopsy_age(feature: Feature, options: FeatureOptions) -> Query:
    """BiopsyAgeCondition: the latest biopsy lies in the look-back before the day judged (A0-11).

    Whichever record is the latest, it is not before the last of their first possible days.
    """
    start = before("any_value(on_date)", str(feature.get("lookback")))
    found = f"""
        SELECT ask, max(day_lo) >= {start} AS certain, coalesce(max(day_hi) >= {start}, false) AS possible,
               records_of(record) AS records, records_of(record) AS proof
        FROM v GROUP BY ask"""
    return _recorded(feature, latest("v", BIOPSY, None, repeated=False), found)
