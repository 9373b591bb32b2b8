"""Features of results: measurements, scores, tests, classification, kidney biopsy.

The latest value wins (rule 8). Where dates are partial, every record that can be the latest counts, and several values
form a range (CONTRACT section 3). A result outside its window is named and leaves the feature open.
"""

from __future__ import annotations

from collections.abc import Callable

from sle_kg.criteria import Feature
from sle_kg.features.asks import FeatureOptions
from sle_kg.features.database import names_of
from sle_kg.features.presence import BEGINNING, REFUTED, condition_rows
from sle_kg.features.sql import before, text, texts

Window = Callable[[str], str]

ALL = "w AS (SELECT * FROM a)"


def latest(name: str, tests: str | None, days: int | None = None, *, usable: str = "true") -> str:
    """CTEs `<name>_seen` and `<name>`: the records that can be the latest, and whether all lie inside the window.

    `tests` and `days` fixed, or (None) as each feature names them. Results move with the day judged when they are taken
    as repeated (`shift`). `fresh` is true when every candidate is
    certainly no older than `days`; `stale` when none can be.
    """
    limit = BEGINNING if days is None else f"s.on_date - {days}"
    picked = f"m.test IN ({tests})"
    if tests is None:
        limit = f"coalesce(s.on_date - s.valid_days, {BEGINNING})"
        picked = "m.test IN (SELECT t.test FROM wanted_test t WHERE t.feature = w.feature)"
    return f"""{name}_seen AS (
        SELECT w.*, m.* EXCLUDE (patient, date_from, date_to),
               coalesce(m.date_from + w.shift, {BEGINNING}) AS day_lo,
               least(coalesce(m.date_to, w.base), w.base) + w.shift AS day_hi
        FROM w JOIN fact_measurement m ON m.patient = w.patient
        WHERE {picked} AND coalesce(m.date_from, {BEGINNING}) <= w.base AND ({usable})),
    {name} AS (
        SELECT s.*, day_lo >= {limit} AS fresh
        FROM {name}_seen s
        QUALIFY s.day_hi >= max(s.day_lo) OVER (PARTITION BY s.ask))"""


def bounds(name: str, low: str, high: str) -> str:
    """SELECT of the bounds of the latest records: the range of their values, open where one is not known or too old."""
    return f"""
    SELECT ask, CASE WHEN bool_and(fresh) THEN least_or_null({low}) END AS lower,
           CASE WHEN bool_and(fresh) THEN greatest_or_null({high}) END AS upper,
           records_of(record) AS records
    FROM {name} GROUP BY ask"""


def measurement(feature: Feature, options: FeatureOptions) -> str:
    """MeasurementCondition: the latest value in the canonical unit, or as multiple of its own upper limit of normal.

    Without an upper limit the multiple is not known (formulas.md, ULN comparisons). The 10⁻¹² by which `>120` lies
    above 120 survives the division: > 120 of 40 is more than three times. An ejection fraction counts where its code or
    method says echocardiography.
    """
    ratio = "TRY(inexact({}(exact({}) * CAST(1000000000000 AS HUGEINT), exact(uln))))"
    below, above = ratio.format("below", "{0}"), ratio.format("above", "{0}")
    low = f"""CASE WHEN NOT times_limit THEN low WHEN uln > 0 AND exact(low) % 10 = 1 THEN {above.format("low")}
        WHEN uln > 0 THEN {below.format("low")} END"""
    high = f"""CASE WHEN NOT times_limit THEN high WHEN uln > 0 AND exact(high) % 10 = 9 THEN {below.format("high")}
        WHEN uln > 0 THEN {above.format("high")} END"""
    usable = "w.method_needed IS NULL OR m.method = w.method_needed"
    return f"WITH {ALL}, {latest('v', None, usable=usable)} {bounds('v', low, high)}"


def creatinine_clearance(feature: Feature, options: FeatureOptions) -> str:
    """CreatinineClearanceCondition: (140 − age) × weight / (72 × creatinine), × 0.85 in women, in mL/min.

    Source: Cockcroft and Gault, Nephron 1976;16:31–41 (formulas.md); actual weight; not rounded. A recorded clearance
    by the same formula widens the bounds, so that a disagreement across the limit stays open (rule 9).
    """
    result, weight = options.window("result"), options.window("weight")

    def formula(rounding: str, age: str, kilograms: str, creatinine: str) -> str:
        top = f"CAST(140 - {age} AS HUGEINT) * exact({kilograms}) * p.percent * 1000000000000"
        return f"TRY(inexact({rounding}({top}, CAST(7200 AS HUGEINT) * exact({creatinine}))))"

    lower = formula("below", "p.oldest", "k.lower", "c.upper")
    upper = formula("above", "p.youngest", "k.upper", "c.lower")
    return f"""
    WITH {ALL},
    {latest("creatinine", "'serumCreatinine'", result)},
    {latest("weight", "'bodyWeight'", weight)},
    {latest("clearance", "'creatinineClearanceCG'", result)},
    c AS ({bounds("creatinine", "low", "high")}),
    k AS ({bounds("weight", "low", "high")}),
    r AS ({bounds("clearance", "low", "high")}),
    p AS (
        SELECT w.ask, f.record, CASE f.sex WHEN 'female' THEN 85 WHEN 'male' THEN 100 END AS percent,
               completed_years(f.birth_to, w.on_date) AS youngest, completed_years(f.birth_from, w.on_date) AS oldest
        FROM w JOIN fact_patient f ON f.patient = w.patient),
    computed AS (
        SELECT p.ask,
               CASE WHEN c.upper > 0 AND k.lower > 0 THEN {lower} END AS lower,
               CASE WHEN c.lower > 0 AND k.upper > 0 THEN {upper} END AS upper,
               list_concat([p.record], list_concat(c.records, k.records)) AS records
        FROM p JOIN c USING (ask) JOIN k USING (ask))
    SELECT w.ask,
           CASE WHEN r.ask IS NULL THEN x.lower WHEN x.ask IS NULL OR x.lower IS NULL THEN r.lower
                ELSE least(x.lower, r.lower) END AS lower,
           CASE WHEN r.ask IS NULL THEN x.upper WHEN x.ask IS NULL OR x.upper IS NULL THEN r.upper
                ELSE greatest(x.upper, r.upper) END AS upper,
           list_concat(coalesce(x.records, []), coalesce(r.records, [])) AS records
    FROM w LEFT JOIN computed x USING (ask) LEFT JOIN r USING (ask)
    """


def room_air(feature: Feature, options: FeatureOptions) -> str:
    """RoomAirCondition: no supplemental oxygen stated on the day of the latest oxygen saturation (rule 7)."""
    return f"""
    WITH {ALL}, {latest("v", "'spo2', 'sao2'", options.window("result"))},
    o AS (
        SELECT v.ask, g.record, g.positive FROM v JOIN fact_measurement g
        ON g.patient = v.patient AND g.test = 'supplementalOxygen'
        AND g.date_from = g.date_to AND v.day_lo = v.day_hi
        AND g.date_from = v.day_lo - (SELECT shift FROM a WHERE a.ask = v.ask)
        UNION ALL
        SELECT v.ask, g.record, g.value FROM v JOIN fact_statement g
        ON g.patient = v.patient AND g.statement = 'supplementalOxygen'
        AND g.date_from = g.date_to AND v.day_lo = v.day_hi
        AND g.date_from = v.day_lo - (SELECT shift FROM a WHERE a.ask = v.ask))
    SELECT o.ask, CASE WHEN bool_and(NOT o.positive) THEN 1 END AS lower,
           CASE WHEN bool_and(o.positive) THEN 0 END AS upper, records_of(o.record) AS records
    FROM o WHERE o.positive IS NOT NULL GROUP BY o.ask
    """


# ---- qualitative tests ----------------------------------------------------------------------------------------------

POSITIVE = """CASE
    WHEN positive IS NOT NULL AND uln IS NOT NULL AND positive AND high <= uln THEN NULL
    WHEN positive IS NOT NULL AND uln IS NOT NULL AND NOT positive AND low > uln THEN NULL
    WHEN positive IS NOT NULL THEN positive
    WHEN uln IS NOT NULL AND low > uln THEN true
    WHEN uln IS NOT NULL AND high <= uln THEN false
    WHEN test = 'anaTiter' AND uln IS NULL AND low >= 80 THEN true
    WHEN test = 'anaTiter' AND uln IS NULL AND high < 80 THEN false END"""
"""A quantitative antibody above its own upper limit is positive, otherwise negative (rule 9); an ANA titre without a
limit is positive from 1:80 (EULAR/ACR 2019 entry criterion)."""


def positive_test(feature: Feature, options: FeatureOptions) -> str:
    """PositiveTestCondition: the latest answer to one question, from any test that answers it.

    Tests that disagree on the latest day leave it open. `positiveOnlyTest`: a test whose negative does not answer
    (an HIV-1 antibody says nothing of HIV-2). Valid `ever`: one positive proves it, a negative does not disprove it.
    A pregnancy test says nothing of a patient whose sex is not recorded as male or female (CONTRACT section 4).
    """
    usable = """m.test NOT IN (SELECT t.test FROM wanted_test t WHERE t.feature = w.feature AND t.only_positive)
        OR coalesce(m.positive, false)"""
    return f"""
    WITH {ALL}, {latest("v", None, usable=usable)},
    answered AS (
        SELECT ask, bool_and(fresh) AND bool_and(coalesce({POSITIVE}, false)) AS positive,
               bool_and(fresh) AND bool_and(NOT coalesce({POSITIVE}, true)) AS negative, records_of(record) AS records
        FROM v GROUP BY ask),
    ever AS (SELECT ask, records_of(record) AS records FROM v_seen WHERE {POSITIVE} GROUP BY ask),
    telling AS (
        SELECT w.ask, NOT w.sex_needed OR p.sex IS NOT NULL AS tells FROM w JOIN fact_patient p USING (patient))
    SELECT n.ask, CASE WHEN t.tells AND (w.valid_days IS NULL AND e.ask IS NOT NULL OR n.positive) THEN 1 END AS lower,
           CASE WHEN t.tells AND w.valid_days IS NOT NULL AND n.negative THEN 0 END AS upper,
           CASE WHEN w.valid_days IS NULL THEN coalesce(e.records, n.records) ELSE n.records END AS records
    FROM answered n JOIN w USING (ask) JOIN telling t USING (ask) LEFT JOIN ever e USING (ask)
    """


QUANTIFIED = """CASE
    WHEN below_quantification THEN false
    WHEN low IS NOT NULL AND low > 0 THEN true
    WHEN high IS NOT NULL AND high <= 0 THEN false
    ELSE positive END"""
"""A viral load without `<` is quantified; `<` means below quantification (rule 9); 0 is not detected."""


def quantified(feature: Feature, options: FeatureOptions) -> str:
    """QuantifiedCondition: viral DNA at or above the limit of quantification in the latest test."""
    return f"""
    WITH {ALL}, {latest("v", None)}
    SELECT ask, CASE WHEN bool_and(fresh) AND bool_and(coalesce({QUANTIFIED}, false)) THEN 1 END AS lower,
           CASE WHEN bool_and(fresh) AND bool_and(NOT coalesce({QUANTIFIED}, true)) THEN 0 END AS upper,
           records_of(record) AS records
    FROM v GROUP BY ask
    """


# ---- scores ---------------------------------------------------------------------------------------------------------


def _total(name: str, instrument: str, days: int | None) -> str:
    """CTE `<name>`: bounds of the latest total of an instrument, from recorded totals and from items of one date.

    Items of one date give a sum with a lower bound (items present) and an upper bound (items not known to be absent).
    A total that fits them stands; one that does not forms a range with them (rule 7). Where several dates can be the
    latest, their totals form a range.
    """
    tests = f"SELECT test FROM score_item WHERE total = {text(instrument)} UNION ALL SELECT {text(instrument)}"
    all_items = f"(SELECT sum(weight) FROM score_item WHERE total = {text(instrument)})"
    return f"""{latest(name + "_each", tests, days)},
    {name}_items AS (
        SELECT v.ask, v.day_lo, v.day_hi, i.key, any_value(i.weight) AS weight,
               bool_and(coalesce(v.positive, v.low > 0, false)) AS present,
               bool_and(NOT coalesce(v.positive, v.low > 0, true)) AS absent
        FROM {name}_each v JOIN score_item i ON i.test = v.test AND i.total = {text(instrument)}
        GROUP BY v.ask, v.day_lo, v.day_hi, i.key),
    {name}_sums AS (
        SELECT ask, day_lo, day_hi,
               CASE WHEN day_lo = day_hi THEN coalesce(sum(weight) FILTER (WHERE present), 0) ELSE 0 END AS least,
               CASE WHEN day_lo = day_hi THEN {all_items} - coalesce(sum(weight) FILTER (WHERE absent), 0)
                    ELSE {all_items} END AS most
        FROM {name}_items GROUP BY ask, day_lo, day_hi),
    {name}_totals AS (
        SELECT ask, day_lo, day_hi, true AS stated, least_or_null(low) AS low, greatest_or_null(high) AS high
        FROM {name}_each WHERE test = {text(instrument)} GROUP BY ask, day_lo, day_hi),
    {name}_days AS (
        SELECT ask, CASE WHEN t.stated IS NULL THEN s.least WHEN t.low IS NOT NULL THEN least(t.low, s.most) END AS low,
               CASE WHEN t.stated IS NULL THEN s.most WHEN t.high IS NOT NULL THEN greatest(t.high, s.least) END AS high
        FROM {name}_totals t FULL JOIN {name}_sums s USING (ask, day_lo, day_hi)),
    {name}_ranges AS (
        SELECT ask, least_or_null(low) AS lower, greatest_or_null(high) AS upper FROM {name}_days GROUP BY ask),
    {name} AS (
        SELECT v.ask, bool_and(v.fresh) AS fresh, CASE WHEN bool_and(v.fresh) THEN any_value(r.lower) END AS lower,
               CASE WHEN bool_and(v.fresh) THEN any_value(r.upper) END AS upper, records_of(v.record) AS records
        FROM {name}_each v JOIN {name}_ranges r USING (ask) GROUP BY v.ask)"""


def score(feature: Feature, options: FeatureOptions) -> str:
    """ScoreCondition: the latest total of one instrument.

    Another instrument serves only where the reading allows it, and only where this one has no result in its window.
    """
    days = options.window(str(feature.get("validFor")))
    instrument, other = str(feature.get("instrument")), feature.get("alsoAccepts")
    ctes = f"{ALL}, {_total('v', instrument, days)}"
    if other is None:
        return f"WITH {ctes} SELECT ask, lower, upper, records FROM v"
    return f"""
    WITH {ctes}, {_total("o", str(other), days)}
    SELECT ask, lower, upper, records FROM v WHERE fresh OR ask NOT IN (SELECT ask FROM o)
    UNION ALL
    SELECT ask, lower, upper, records FROM o WHERE ask NOT IN (SELECT ask FROM v WHERE fresh)
    """


def highest_score(feature: Feature, options: FeatureOptions) -> str:
    """HighestScoreCondition: the highest value in the look-back (rule 8), known from above where one is at screening.

    When the future is searched, the latest assessment is taken as repeated; earlier ones keep their dates.
    """
    lookback = str(feature.get("lookback"))
    return f"""
    WITH {ALL},
    s AS (
        SELECT w.ask, w.on_date, m.record, m.low, m.high,
               CASE WHEN m.date_from = max(m.date_from) OVER (PARTITION BY w.ask) THEN w.shift ELSE 0 END AS moved,
               coalesce(m.date_from, {BEGINNING}) AS day_from,
               least(coalesce(m.date_to, w.base), w.base) AS day_to
        FROM w JOIN fact_measurement m ON m.patient = w.patient AND m.test = {text(str(feature.get("instrument")))}
        WHERE coalesce(m.date_from, {BEGINNING}) <= w.base),
    v AS (
        SELECT *, day_from + moved >= {before("on_date", lookback)} AS inside,
               day_to + moved >= {before("on_date", lookback)} AS maybe,
               day_from + moved >= on_date - {options.window("result")} AS at_screening
        FROM s)
    SELECT ask, max(low) FILTER (WHERE inside) AS lower,
           CASE WHEN bool_or(at_screening AND high IS NOT NULL) AND NOT bool_or(maybe AND high IS NULL)
                THEN max(high) FILTER (WHERE maybe) END AS upper,
           records_where(record, maybe) AS records
    FROM v GROUP BY ask
    """


# ---- classification -------------------------------------------------------------------------------------------------

NEEDED = {"acr1997": 4, "slicc2012": 4, "eularAcr2019": 10}
"""Points that classify (classification.md, rules)."""
CERTAIN_CLINICAL_ITEM = 13
"""EULAR/ACR points from which a clinical item is certain: the immunologic domains give at most 12 (rule 10)."""


def _items(name: str) -> str:
    """CTE `i`: for each item of a set whether it was ever present, never, or is not known (null)."""
    return f"""i AS (
        SELECT w.ask, c.key, c.domain, c.kind, c.weight,
               CASE WHEN bool_or(coalesce(m.positive, m.low > 0)) THEN true
                    WHEN bool_or(NOT coalesce(m.positive, m.low > 0)) THEN false END AS present,
               records_where(m.record, m.record IS NOT NULL) AS records
        FROM w CROSS JOIN classification_item c
        LEFT JOIN fact_measurement m ON m.patient = w.patient AND m.test = c.test
             AND coalesce(m.date_from, {BEGINNING}) <= w.base
        WHERE c.set = {text(name)} GROUP BY w.ask, c.key, c.domain, c.kind, c.weight)"""


_ANA_EVER = f"""ana AS (
        SELECT w.ask, bool_or({POSITIVE}) AS positive, records_of(record) AS records
        FROM w JOIN fact_measurement m ON m.patient = w.patient AND m.test IN ('ana', 'anaTiter', 'eularAcr2019:ana')
        WHERE coalesce(m.date_from, {BEGINNING}) <= w.base AND {POSITIVE} GROUP BY w.ask)"""

_FROM_ITEMS = {
    "acr1997": """
        SELECT ask, count(*) FILTER (WHERE present) >= 4 AS met,
               count(*) FILTER (WHERE coalesce(present, true)) < 4 AS unmet, flatten(list(records)) AS records
        FROM i GROUP BY ask""",
    "slicc2012": """
        SELECT ask,
               (count(*) FILTER (WHERE present) >= 4
                AND count(*) FILTER (WHERE present AND kind = 'clinical') >= 1
                AND count(*) FILTER (WHERE present AND kind = 'immunologic') >= 1)
               OR (any_value(ask) IN (SELECT ask FROM nephritis)
                   AND (bool_or(present AND key IN ('ana', 'antiDsDNA')) OR any_value(ask) IN (SELECT ask FROM ana)))
                   AS met,
               (count(*) FILTER (WHERE coalesce(present, true)) < 4
                OR count(*) FILTER (WHERE coalesce(present, true) AND kind = 'clinical') = 0
                OR count(*) FILTER (WHERE coalesce(present, true) AND kind = 'immunologic') = 0)
               AND (bool_or(key = 'renal' AND NOT present) AND any_value(ask) NOT IN (SELECT ask FROM nephritis)
                    OR NOT bool_or(coalesce(present, true) AND key IN ('ana', 'antiDsDNA'))
                    AND any_value(ask) NOT IN (SELECT ask FROM ana)) AS unmet,
               flatten(list(records)) AS records
        FROM i GROUP BY ask""",
    "eularAcr2019": """
        SELECT e.ask,
               coalesce(any_value(e.entry), false) AND sum(e.least) >= 10 AND bool_or(e.clinical_least) AS met,
               coalesce(NOT any_value(e.entry), false) OR sum(e.most) < 10 OR NOT bool_or(e.clinical_most) AS unmet,
               flatten(list(e.records)) AS records
        FROM (
            SELECT i.ask, i.domain,
                   coalesce(max(i.weight) FILTER (WHERE i.present), 0) AS least,
                   coalesce(max(i.weight) FILTER (WHERE coalesce(i.present, true)), 0) AS most,
                   coalesce(bool_or(i.present AND i.kind = 'clinical'), false) AS clinical_least,
                   coalesce(bool_or(coalesce(i.present, true) AND i.kind = 'clinical'), false) AS clinical_most,
                   any_value(coalesce(ana.positive, n.present)) AS entry,
                   flatten(list(i.records)) AS records
            FROM i LEFT JOIN ana USING (ask)
            LEFT JOIN (SELECT ask, present FROM i WHERE kind = 'entry') n USING (ask)
            WHERE i.kind <> 'entry' GROUP BY i.ask, i.domain) e
        GROUP BY e.ask""",
}
"""What the items of a set prove: ACR 1997 four of eleven; SLICC 2012 four with a clinical and an immunologic one, or
biopsy-proven nephritis with ANA or anti-dsDNA (excluded where the renal item is absent and no biopsy is known);
EULAR/ACR 2019 ten points of the highest item of each domain, ANA ever at 1:80 and a clinical item (classification.md,
rules)."""


def classification(feature: Feature, options: FeatureOptions) -> str:
    """ClassificationCondition: a recorded classification first, else what the items prove; refuted SLE decides.

    Points decide as rule 10 says: ACR 1997 at 4; EULAR/ACR with ANA known positive from 13, or from 10 where a clinical
    item is known; below 10 never; SLICC points alone decide nothing.
    """
    name = str(feature.get("classificationSet"))
    points = {
        "acr1997": ("low >= 4", "high < 4"),
        "slicc2012": ("false", "false"),
        "eularAcr2019": (
            f"(low >= {CERTAIN_CLINICAL_ITEM} OR low >= {NEEDED[name]} AND k.known) AND ana.positive",
            f"high < {NEEDED[name]}",
        ),
    }[name]
    return f"""
    WITH w AS (SELECT a.*, {BEGINNING} AS start_certain, {BEGINNING} AS start_possible, a.on_date AS end_certain,
                      a.on_date AS end_possible, false AS planned FROM a),
    {condition_rows(str(feature.get("diagnosis")))},
    {latest("v", text(name), None)},
    {_items(name)}, {_ANA_EVER},
    nephritis AS (
        SELECT DISTINCT w.ask FROM w JOIN fact_measurement m ON m.patient = w.patient AND m.test = 'isnRpsClass'
        AND m.text IS NOT NULL AND coalesce(m.date_from, {BEGINNING}) <= w.base),
    clinical AS (SELECT ask, bool_or(present AND kind = 'clinical') AS known FROM i GROUP BY ask),
    stated AS (
        SELECT v.ask, bool_and(coalesce(v.positive, {points[0]}, false)) AS met,
               bool_and(coalesce(NOT v.positive, {points[1]}, false)) AS unmet,
               bool_and(v.positive IS NULL AND v.low IS NOT NULL) AS only_points,
               list_concat(records_of(v.record), coalesce(any_value(ana.records), [])) AS records
        FROM v LEFT JOIN ana USING (ask) LEFT JOIN clinical k USING (ask) GROUP BY v.ask),
    counted AS ({_FROM_ITEMS[name]}),
    refuted AS (SELECT w.ask, {REFUTED} AS record FROM w)
    SELECT w.ask,
           CASE WHEN f.record IS NOT NULL THEN NULL WHEN s.met OR (coalesce(s.only_points, true) AND NOT
                coalesce(s.unmet, false) AND c.met) THEN 1 END AS lower,
           CASE WHEN f.record IS NOT NULL THEN 0 WHEN s.unmet THEN 0
                WHEN coalesce(s.only_points, true) AND NOT coalesce(s.met, false) AND c.unmet THEN 0 END AS upper,
           CASE WHEN f.record IS NOT NULL THEN [f.record] WHEN s.met OR s.unmet THEN s.records
                ELSE list_concat(coalesce(s.records, []), coalesce(c.records, [])) END AS records
    FROM w LEFT JOIN stated s USING (ask) LEFT JOIN counted c USING (ask) LEFT JOIN refuted f USING (ask)
    """


def days_since_diagnosis(feature: Feature, options: FeatureOptions) -> str:
    """DaysSinceDiagnosisCondition: from the record of the classification, else of the diagnosis, to the anchor.

    An onset alone is only the earliest day of the diagnosis (rule 10). A narrower diagnosis (nephritis) shows by its
    record that lupus was diagnosed by then; when nephritis began says nothing of that. Where neither is dated, the
    fourth criterion of ACR 1997 that was recorded shows that the classification was met by then.
    """
    name = str(feature.get("classificationSet"))
    counts_criteria = str(name == "acr1997").lower()
    return f"""
    WITH w AS (
        SELECT a.*, {BEGINNING} AS start_certain, {BEGINNING} AS start_possible, n.first AS end_certain,
               n.last AS end_possible, false AS planned
        FROM a JOIN anchor n ON n.ask = a.of AND n.anchor = a.anchor),
    {condition_rows(str(feature.get("diagnosis")))},
    c AS (
        SELECT w.ask, min(m.date_from) AS first, min(least(m.date_to, w.base)) AS last,
               arg_min(m.record, m.date_from) AS record
        FROM w JOIN fact_measurement m ON m.patient = w.patient AND m.test = {text(name)} AND m.date_from <= w.base
        WHERE m.positive OR (m.positive IS NULL AND m.low >= {NEEDED[name]}) GROUP BY w.ask),
    x AS (
        SELECT d.ask,
               CASE WHEN bool_or(d.refutes AND f.recorded_from IS NOT NULL) THEN min(f.recorded_from) END AS first,
               min(least(f.recorded_to, d.base)) FILTER (WHERE f.recorded_to IS NOT NULL) AS last,
               arg_min(d.record, f.recorded_from) AS record,
               CASE WHEN bool_or(d.refutes AND f.onset_from IS NOT NULL)
                    THEN least(min(f.onset_from) FILTER (WHERE d.refutes), min(f.recorded_from)) END AS onset,
               arg_min(d.record, f.onset_from) FILTER (WHERE d.refutes) AS onset_record
        FROM d JOIN fact_condition f ON f.patient = d.patient AND f.record = d.record
        WHERE d.status = 'confirmed' AND d.member = 'in' AND coalesce(f.recorded_from, {BEGINNING}) <= d.base
        GROUP BY d.ask),
    criteria AS (
        SELECT w.ask, min(least(m.date_to, w.base)) AS day, arg_min(m.record, m.date_to) AS record
        FROM w JOIN classification_item i ON i.set = {text(name)} AND {counts_criteria}
        JOIN fact_measurement m ON m.patient = w.patient AND m.test = i.test AND m.positive AND m.date_from <= w.base
        GROUP BY w.ask, i.key),
    k AS (
        SELECT ask, list_sort(list(day))[{NEEDED[name]}] AS last, records_of(record) AS records
        FROM criteria GROUP BY ask HAVING count(*) >= {NEEDED[name]})
    SELECT w.ask, w.end_certain - coalesce(c.last, x.last, k.last) AS lower,
           w.end_possible - coalesce(c.first, x.first, x.onset) AS upper,
           CASE WHEN c.record IS NOT NULL THEN [c.record]
                WHEN x.record IS NULL AND k.last IS NOT NULL THEN k.records
                WHEN coalesce(x.record, x.onset_record) IS NOT NULL THEN [coalesce(x.record, x.onset_record)]
                ELSE [] END AS records
    FROM w LEFT JOIN c USING (ask) LEFT JOIN x USING (ask) LEFT JOIN k USING (ask)
    """


# ---- kidney biopsy --------------------------------------------------------------------------------------------------

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
