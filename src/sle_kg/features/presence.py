"""Presence features (0 or 1) from dated records: diagnoses, procedures, vaccines, medicines taken, allergies.

Each kind gives rows (ask, record, certain, possible): `certain` records prove the fact; `possible` ones keep it from
being known absent. Absence needs a closed value set and a section that is complete up to the day in question.
"""

from __future__ import annotations

from sle_kg.criteria import Feature
from sle_kg.features.sql import before, text, texts

BEGINNING = "DATE '0001-01-01'"


def tuple_of(feature: Feature, name: str) -> tuple[str, ...]:
    """A parameter with several values; empty where it is not set."""
    value = feature.get(name, ())
    assert isinstance(value, tuple)
    return value


def value_sets(feature: Feature) -> str:
    """The value sets of a feature, for SQL IN (…)."""
    return texts(tuple_of(feature, "valueSet"))


def window(feature: Feature) -> str:
    """CTE `w`: ask, patient, base, on_date, the window that is certain and the one that is possible, planned.

    A closed interval [anchor − look-back, anchor]; without look-back from the beginning of time. An anchor after the
    date judged is planned (rule 6): facts can still fall into its window, absence cannot be known.
    """
    anchor = str(feature.get("anchor", "screening"))
    lookback = feature.get("lookback")
    start_certain = before("n.last", str(lookback)) if lookback else BEGINNING
    start_possible = before("n.first", str(lookback)) if lookback else BEGINNING
    return f"""w AS (
        SELECT a.*, {start_certain} AS start_certain, {start_possible} AS start_possible,
               n.first AS end_certain, n.last AS end_possible, n.last > a.on_date AS planned
        FROM a JOIN anchor n ON n.ask = a.ask AND n.anchor = {text(anchor)})"""


def presence(ctes: str, section: str, *, absence: str = "true", also: str = "false") -> str:
    """The presence query over CTEs `w` and `r`.

    `section`: what must be complete for absence; `absence`: SQL over `w` that must hold too (closed set); `also`: SQL
    over `w` that by itself proves absence (a refuted diagnosis).
    """
    return f"""
    WITH {ctes},
    summed AS (
        SELECT w.ask, bool_or(coalesce(r.certain, false)) AS certain, bool_or(coalesce(r.possible, false)) AS possible,
               records_where(r.record, r.certain) AS proof,
               records_where(r.record, r.possible) AS doubt
        FROM w LEFT JOIN r USING (ask) GROUP BY w.ask),
    closed AS (
        SELECT w.ask, c.record FROM w JOIN complete c USING (ask)
        WHERE c.section = {text(section)} AND c.until >= w.end_possible AND NOT w.planned AND {absence}),
    refuted AS (SELECT w.ask, {also} AS record FROM w)
    SELECT s.ask,
           CASE WHEN f.record IS NULL AND s.certain THEN 1 END AS lower,
           CASE WHEN f.record IS NOT NULL THEN 0 WHEN c.ask IS NOT NULL AND NOT s.possible THEN 0 END AS upper,
           CASE WHEN f.record IS NOT NULL THEN [f.record]
                WHEN s.certain THEN s.proof
                WHEN s.possible THEN s.doubt
                WHEN c.ask IS NOT NULL THEN [c.record] ELSE [] END AS records
    FROM summed s LEFT JOIN closed c USING (ask) LEFT JOIN refuted f USING (ask)
    """


NO_REFUTATION = "CAST(NULL AS VARCHAR)"


# ---- diagnoses ------------------------------------------------------------------------------------------------------


def condition_rows(feature: Feature) -> str:
    """CTE `d`: the condition records of the value set seen at each ask, with core and hull of their interval.

    Core: days on which the condition is known to have been present; hull: days on which it can have been. A condition
    without onset was present when it was recorded; one that is over without a date ended up to screening.
    """
    return f"""d AS (
        SELECT w.*, c.record, c.status, m.status AS member, m.refutes, c.severity,
               CASE WHEN c.abated_from > w.base THEN true ELSE c.ongoing END AS active,
               coalesce(c.onset_from, {BEGINNING}) AS hull_start,
               coalesce(c.onset_to, c.recorded_to, CASE WHEN c.ongoing THEN w.base END) AS core_start,
               CASE WHEN c.abated_from <= w.base THEN c.abated_from
                    WHEN c.ongoing OR c.abated_from > w.base THEN w.on_date
                    WHEN c.ongoing IS NULL THEN greatest(c.onset_to, c.recorded_to)
                    ELSE c.onset_to END AS core_end,
               CASE WHEN c.abated_from <= w.base THEN least(c.abated_to, w.base)
                    WHEN NOT c.ongoing AND c.abated_from IS NULL THEN w.base
                    ELSE w.on_date END AS hull_end,
               coalesce(c.recorded_from, c.onset_from) AS stated
        FROM w JOIN fact_condition c ON c.patient = w.patient
        JOIN membership m ON m.concept = c.concept AND m.value_set IN ({value_sets(feature)})
        WHERE coalesce(c.onset_from, c.recorded_from, {BEGINNING}) <= w.base)"""


REFUTED = """(
        SELECT max(d.record) FROM d WHERE d.ask = w.ask AND d.status = 'refuted' AND d.refutes
        AND NOT EXISTS (
            SELECT 1 FROM d k WHERE k.ask = d.ask AND k.status = 'confirmed' AND k.member = 'in'
            AND (k.stated IS NULL OR d.stated IS NULL OR k.stated >= d.stated)))"""
"""The record that refutes the value set: its broadest diagnosis, and no confirmed one that is as recent or undated."""

CONTRADICTED = """EXISTS (
        SELECT 1 FROM d k WHERE k.ask = d.ask AND k.status = 'refuted' AND k.refutes
        AND (k.stated IS NULL OR d.stated IS NULL OR k.stated >= d.stated))"""
"""A refutation at least as recent as this confirmed record: it no longer proves the diagnosis."""


def diagnosis(feature: Feature) -> str:
    """DiagnosisCondition: recorded ever, now, or in a window; at least as severe as asked (rules 1 and 10).

    A record without severity neither proves nor excludes a severity.
    """
    when, severity = feature.get("when"), feature.get("severity")
    severe_enough = {None: "true", "moderate": "d.severity IN ('moderate', 'severe')"}.get(
        severity if severity is None else str(severity), "d.severity = 'severe'"
    )
    maybe_severe = "true" if severity is None else f"(d.severity IS NULL OR {severe_enough})"
    inside = {
        "ever": ("true", "true"),
        "current": (
            "d.active AND coalesce(d.core_start <= d.on_date, true)",
            "coalesce(d.active, true) AND d.hull_end >= d.on_date",
        ),
        "within": (
            "d.core_start <= d.end_certain AND d.core_end >= d.start_certain AND d.core_start <= d.core_end",
            "d.hull_start <= d.end_possible AND d.hull_end >= d.start_possible",
        ),
    }
    certainly, possibly = inside[str(when)]
    rows = f"""r AS (
        SELECT d.ask, d.record,
               d.status = 'confirmed' AND d.member = 'in' AND {severe_enough} AND coalesce({certainly}, false)
               AND NOT {CONTRADICTED} AS certain,
               d.status <> 'refuted' AND {maybe_severe} AND coalesce({possibly}, true) AS possible
        FROM d)"""
    closed = f"NOT EXISTS (SELECT 1 FROM value_set v WHERE v.open AND v.value_set IN ({value_sets(feature)}))"
    ctes = f"{window(feature)}, {condition_rows(feature)}, {rows}"
    return presence(ctes, "conditions", absence=closed, also=REFUTED)


def diagnosis_count(feature: Feature) -> str:
    """DiagnosisCountCondition: distinct episodes, told apart by their onset (or recorded) date."""
    return f"""
    WITH {window(feature)}, {condition_rows(feature)},
    counted AS (
        SELECT w.ask,
               count(DISTINCT d.core_start) FILTER (WHERE d.status = 'confirmed' AND d.member = 'in') AS certain,
               count(*) FILTER (WHERE d.status <> 'refuted') AS possible,
               records_where(d.record, d.status <> 'refuted') AS records
        FROM w LEFT JOIN d USING (ask) GROUP BY w.ask)
    SELECT w.ask, n.certain AS lower, CASE WHEN c.ask IS NOT NULL THEN n.possible END AS upper,
           CASE WHEN n.possible > 0 THEN n.records WHEN c.ask IS NOT NULL THEN [c.record] ELSE [] END AS records
    FROM w JOIN counted n USING (ask)
    LEFT JOIN complete c ON c.ask = w.ask AND c.section = 'conditions' AND c.until >= w.on_date
    """


# ---- procedures and vaccines ----------------------------------------------------------------------------------------


def procedure(feature: Feature) -> str:
    """ProcedureCondition: done ever or in a window, by a procedure or by a diagnosis code that says so (Z94.0)."""
    ever = feature.get("when") == "ever"
    done_then = "p.from_to <= w.end_certain AND coalesce(p.end_from, p.from_to) >= w.start_certain"
    present_then = "d.core_start <= d.end_certain AND d.core_end >= d.start_certain"
    rows = f"""r AS (
        SELECT w.ask, p.record,
               p.done = 'yes' AND m.status = 'in' AND coalesce({done_then}, {str(ever).lower()}) AS certain,
               p.done <> 'no' AND coalesce(p.from_from, {BEGINNING}) <= w.end_possible
               AND coalesce(p.end_to, p.from_to, w.on_date) >= w.start_possible AS possible
        FROM w JOIN fact_procedure p ON p.patient = w.patient AND coalesce(p.from_from, {BEGINNING}) <= w.base
        JOIN membership m ON m.concept = p.concept AND m.value_set IN ({value_sets(feature)})
        UNION ALL
        SELECT d.ask, d.record,
               d.status = 'confirmed' AND d.member = 'in' AND coalesce({"true" if ever else present_then}, false)
               AND NOT {CONTRADICTED},
               d.status <> 'refuted' AND d.hull_start <= d.end_possible AND d.hull_end >= d.start_possible
        FROM d)"""
    ctes = f"{window(feature)}, {condition_rows(feature)}, {rows}"
    return presence(ctes, "procedures", also=REFUTED)


def immunization(feature: Feature) -> str:
    """ImmunizationCondition: given in the look-back."""
    rows = f"""r AS (
        SELECT w.ask, i.record,
               i.given = 'yes' AND m.status = 'in' AND i.date_from >= w.start_certain AND i.date_to <= w.end_certain
                   AS certain,
               i.given <> 'no' AND coalesce(i.date_to, w.on_date) >= w.start_possible
               AND coalesce(i.date_from, {BEGINNING}) <= w.end_possible AS possible
        FROM w JOIN fact_immunization i ON i.patient = w.patient AND coalesce(i.date_from, {BEGINNING}) <= w.base
        JOIN membership m ON m.concept = i.concept AND m.value_set IN ({value_sets(feature)}))"""
    return presence(f"{window(feature)}, {rows}", "immunizations", also=NO_REFUTATION)


# ---- medicines taken ------------------------------------------------------------------------------------------------


def exposure_rows(feature: Feature, parameter: str = "valueSet", name: str = "e", asks: str = "w") -> str:
    """A CTE of the medicines of a value set seen at each ask: core [start_hi, end_lo] and hull [start_lo, end_hi].

    An ongoing medicine was last taken on the day judged; `completed` without an end ended up to screening; an order is
    possible, never certain; a product for local use does not count (rules 5, 12, 13).
    """
    sets = texts(tuple_of(feature, parameter))
    return f"""{name}_raw AS (
        SELECT {asks}.ask, {asks}.patient, {asks}.on_date, {asks}.base, x.record, x.concept, x.taken, x.ongoing,
               x.route, x.dose, x.dose_unit, x.times, x.period_days, x.administration,
               min(m.status) AS member,
               x.start_from, x.start_to, x.end_from, x.end_to
        FROM {asks} JOIN fact_exposure x ON x.patient = {asks}.patient
             AND coalesce(x.start_from, x.end_from, {BEGINNING}) <= {asks}.base
        JOIN membership m ON m.concept = x.concept AND m.value_set IN ({sets})
        WHERE x.taken <> 'no' AND coalesce(x.route, '') <> 'local'
        GROUP BY ALL),
    {name} AS (
        SELECT *, taken = 'yes' AND member = 'in' AS certain,
               coalesce(start_from, {BEGINNING}) AS start_lo,
               CASE WHEN end_from > base OR (end_from IS NULL AND ongoing) THEN least(coalesce(end_from, on_date), on_date)
                    ELSE coalesce(end_from, start_to) END AS end_lo,
               CASE WHEN end_from > base OR (end_from IS NULL AND (ongoing OR ongoing IS NULL))
                    THEN least(coalesce(end_to, on_date), on_date)
                    ELSE least(coalesce(end_to, base), base) END AS end_hi,
               coalesce(start_to, CASE WHEN end_from > base OR (end_from IS NULL AND ongoing) THEN base ELSE end_from END)
                   AS start_hi
        FROM {name}_raw)"""


def exposure(feature: Feature) -> str:
    """ExposureCondition: taken ever (before screening), ongoing, or in a window."""
    inside = {
        "ever": ("coalesce(e.start_hi <= e.base, true)", "true"),
        "ongoing": (
            "e.start_hi <= e.on_date AND e.end_lo >= e.on_date",
            "e.end_hi >= e.on_date",
        ),
        "within": (
            "e.start_hi <= w.end_certain AND e.end_lo >= w.start_certain AND e.start_hi <= e.end_lo",
            "e.start_lo <= w.end_possible AND e.end_hi >= w.start_possible",
        ),
    }
    certainly, possibly = inside[str(feature.get("when"))]
    rows = f"""r AS (
        SELECT e.ask, e.record, e.certain AND coalesce({certainly}, false) AS certain, {possibly} AS possible
        FROM e JOIN w USING (ask))"""
    ctes = f"{window(feature)}, {exposure_rows(feature)}, {rows}"
    return presence(ctes, "medications", also=NO_REFUTATION)


def washout(feature: Feature) -> str:
    """WashoutCondition: 1 while day judged − last day taken < the drug's wash-out days (rule 13; drugs.csv).

    A medicine without known wash-out days leaves the question open for ever, unless it is ongoing.
    """
    days = f"g.washout{feature.get('halfLives')}"
    rows = f"""r AS (
        SELECT e.ask, e.record,
               e.certain AND coalesce(e.start_hi <= e.base, true) AND coalesce(e.on_date - e.end_lo
               < coalesce({days}, 1), false) AS certain,
               coalesce(e.on_date - e.end_hi < {days}, true) AS possible
        FROM e LEFT JOIN drug g ON g.concept = e.concept)"""
    ctes = f"{window(feature)}, {exposure_rows(feature)}, {rows}"
    return presence(ctes, "medications", also=NO_REFUTATION)


def drug_count(feature: Feature) -> str:
    """DrugCountCondition: distinct active moieties ever taken (mofetil and mycophenolic acid are one; rule 14)."""
    return f"""
    WITH {window(feature)}, {exposure_rows(feature)},
    counted AS (
        SELECT w.ask,
               count(DISTINCT coalesce(g.moiety, e.concept)) FILTER (
                   WHERE e.certain AND coalesce(e.start_hi <= e.base, true)) AS certain,
               count(DISTINCT coalesce(g.moiety, e.concept)) AS possible,
               records_of(e.record) AS records
        FROM w LEFT JOIN e USING (ask) LEFT JOIN drug g ON g.concept = e.concept GROUP BY w.ask)
    SELECT w.ask, n.certain AS lower, CASE WHEN c.ask IS NOT NULL THEN n.possible END AS upper,
           CASE WHEN n.possible > 0 THEN n.records WHEN c.ask IS NOT NULL THEN [c.record] ELSE [] END AS records
    FROM w JOIN counted n USING (ask)
    LEFT JOIN complete c ON c.ask = w.ask AND c.section = 'medications' AND c.until >= w.on_date
    """


# ---- allergies ------------------------------------------------------------------------------------------------------


def allergy(feature: Feature) -> str:
    """AllergyCondition: hypersensitivity to a substance, a severe one, or any (A1-09: an intolerance is none).

    "No known allergy" says that there is none, unless another record names one.
    """
    which = feature.get("which")
    if which == "substance":
        join = f"JOIN membership m ON m.concept = y.concept AND m.value_set IN ({value_sets(feature)})"
        certainly, possibly = "m.status = 'in'", "true"
    elif which == "severe":
        join, certainly, possibly = "", "y.criticality = 'high'", "coalesce(y.criticality, 'high') = 'high'"
    else:
        join, certainly, possibly = "", "true", "true"
    seen = f"coalesce(y.recorded_from, {BEGINNING}) <= w.base"
    rows = f"""r AS (
        SELECT w.ask, y.record,
               coalesce(y.status = 'confirmed' AND y.kind = 'allergy' AND {certainly}, false) AS certain,
               y.status <> 'refuted' AND coalesce(y.kind, 'allergy') = 'allergy' AND {possibly} AS possible
        FROM w JOIN fact_allergy y ON y.patient = w.patient AND {seen} {join}
        WHERE NOT coalesce(y.none_known, false)),
    none_known AS (
        SELECT w.ask, min(y.record) AS record FROM w JOIN fact_allergy y ON y.patient = w.patient AND {seen}
        WHERE y.none_known AND y.status = 'confirmed' GROUP BY w.ask)"""
    also = """(SELECT k.record FROM none_known k WHERE k.ask = w.ask AND NOT EXISTS (
        SELECT 1 FROM fact_allergy o WHERE o.patient = w.patient AND NOT coalesce(o.none_known, false)
        AND o.status <> 'refuted'))"""
    return presence(f"{window(feature)}, {rows}", "allergies", also=also)
