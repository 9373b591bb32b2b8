"""Classification of lupus and the time since diagnosis, from recorded classifications, points, items and conditions."""

from __future__ import annotations

from sle_kg.criteria import Feature
from sle_kg.features.asks import FeatureOptions
from sle_kg.features.presence import BEGINNING, REFUTING, condition_rows, window
from sle_kg.features.query import ask_of, of_patient, on_or_before_base
from sle_kg.features.results import POSITIVE, latest
from sle_kg.features.sql import text

SEEN = on_or_before_base(f"coalesce(m.date_from, {BEGINNING})")
CLINICAL = "clinical"
ENTRY = "entry"


def needed(name: str) -> int:
    """The points that classify, of the ontology (classification.md, rules). KeyError for no classification set."""
    from sle_kg import ontology

    points = ontology.instruments()[name].needed
    if points is None:
        raise KeyError(name)
    return points


def certain_clinical_item(name: str) -> int:
    """The points from which a clinical item is certain: one more than all other domains can give (rule 10)."""
    from sle_kg import ontology

    highest: dict[str | None, int] = {}
    for item in ontology.classification_items(name):
        if item.kind not in (CLINICAL, ENTRY):
            highest[item.domain] = max(highest.get(item.domain, 0), item.weight or 0)
    return sum(highest.values()) + 1


def _items(name: str) -> str:
    """CTE `i`: for each item of a set whether it was ever present, never, or is not known (null).

    Of asks with an item or a biopsy (CTE `nephritis`): without them items prove nothing.

    A kidney biopsy of its class is the item itself, where the item is not recorded (classification.md: a biopsy of
    class III or IV alone classifies when ANA is positive).
    """
    return f"""seen AS (
        SELECT {ask_of("m")} AS ask, m.test, m.record, false AS biopsy, coalesce(m.positive, m.low > 0) AS present
        FROM w JOIN fact_measurement m ON {of_patient("m")} AND {SEEN}
        WHERE m.test IN (SELECT test FROM classification_item WHERE set = {text(name)})
        UNION ALL
        SELECT {ask_of("m")}, b.test, m.record, true, true
        FROM w JOIN fact_measurement m ON {of_patient("m")} AND {SEEN}
        JOIN classification_biopsy b ON m.test = 'isnRpsClass' AND list_contains(str_split(m.text, '+'), b.class)),
    item AS (SELECT DISTINCT key, domain, kind, weight FROM classification_item WHERE set = {text(name)}),
    found_item AS (
        SELECT s.ask, c.key, coalesce(bool_or(s.present) FILTER (WHERE NOT s.biopsy), bool_or(s.present)) AS present,
               records_of(s.record) AS records
        FROM seen s JOIN classification_item c ON c.test = s.test AND c.set = {text(name)} GROUP BY s.ask, c.key),
    i AS (
        SELECT w.ask, c.key, c.domain, c.kind, c.weight, s.present, s.records
        FROM (SELECT ask FROM seen UNION SELECT ask FROM nephritis) w CROSS JOIN item c
        LEFT JOIN found_item s ON s.ask = w.ask AND s.key = c.key)"""


_ANA_EVER = f"""ana AS (
        SELECT {ask_of("m")} AS ask, bool_or({POSITIVE}) AS positive, records_of(record) AS records
        FROM w JOIN fact_measurement m ON {of_patient("m")} AND m.test IN ('ana', 'anaTiter', 'eularAcr2019:ana')
        WHERE {SEEN} AND {POSITIVE} GROUP BY {ask_of("m")})"""

_FROM_ITEMS = {
    "acr1997": """
        SELECT ask, count(*) FILTER (WHERE present) >= {needed} AS met,
               count(*) FILTER (WHERE coalesce(present, true)) < {needed} AS unmet, flatten(list(records)) AS records
        FROM i GROUP BY ask""",
    "slicc2012": """
        SELECT ask,
               (count(*) FILTER (WHERE present) >= {needed}
                AND count(*) FILTER (WHERE present AND kind = 'clinical') >= 1
                AND count(*) FILTER (WHERE present AND kind = 'immunologic') >= 1)
               OR (any_value(ask) IN (SELECT ask FROM nephritis)
                   AND (bool_or(present AND key IN ('ana', 'antiDsDNA')) OR any_value(ask) IN (SELECT ask FROM ana)))
                   AS met,
               (count(*) FILTER (WHERE coalesce(present, true)) < {needed}
                OR count(*) FILTER (WHERE coalesce(present, true) AND kind = 'clinical') = 0
                OR count(*) FILTER (WHERE coalesce(present, true) AND kind = 'immunologic') = 0)
               AND (bool_or(key = 'renal' AND NOT present) AND any_value(ask) NOT IN (SELECT ask FROM nephritis)
                    OR NOT bool_or(coalesce(present, true) AND key IN ('ana', 'antiDsDNA'))
                    AND any_value(ask) NOT IN (SELECT ask FROM ana)) AS unmet,
               flatten(list(records)) AS records
        FROM i GROUP BY ask""",
    "eularAcr2019": """
        SELECT e.ask,
               coalesce(any_value(e.entry), false) AND sum(e.least) >= {needed} AND bool_or(e.clinical_least) AS met,
               coalesce(NOT any_value(e.entry), false) OR sum(e.most) < {needed}
                   OR NOT bool_or(e.clinical_most) AS unmet,
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
    least = needed(name)
    points = {
        "acr1997": (f"low >= {least}", f"high < {least}"),
        "slicc2012": ("false", "false"),
        "eularAcr2019": (
            f"(low >= {certain_clinical_item(name)} OR low >= {least} AND k.known) AND ana.positive",
            f"high < {least}",
        ),
    }[name]
    return f"""
    WITH {window(feature)},
    {condition_rows(str(feature.get("diagnosis")))},
    {latest("v", text(name), None)},
    nephritis AS (
        SELECT DISTINCT {ask_of("m")} AS ask FROM w JOIN fact_measurement m ON {of_patient("m")}
        AND m.test = 'isnRpsClass' AND m.text IS NOT NULL AND {SEEN}),
    {_items(name)}, {_ANA_EVER},
    clinical AS (SELECT ask, bool_or(present AND kind = 'clinical') AS known FROM i GROUP BY ask),
    stated AS (
        SELECT v.ask, bool_and(coalesce(v.positive, {points[0]}, false)) AS met,
               bool_and(coalesce(NOT v.positive, {points[1]}, false)) AS unmet,
               bool_and(v.positive IS NULL AND v.low IS NOT NULL) AS only_points,
               list_concat(records_of(v.record), coalesce(any_value(ana.records), [])) AS records
        FROM v LEFT JOIN ana USING (ask) LEFT JOIN clinical k USING (ask) GROUP BY v.ask),
    counted AS ({_FROM_ITEMS[name].format(needed=least)}),
    refuted AS (SELECT d.ask, max(d.record) AS record FROM d WHERE {REFUTING} GROUP BY d.ask),
    k AS (SELECT ask FROM stated UNION SELECT ask FROM counted UNION SELECT ask FROM refuted)
    SELECT k.ask,
           CASE WHEN f.record IS NOT NULL THEN NULL WHEN s.met OR (coalesce(s.only_points, true) AND NOT
                coalesce(s.unmet, false) AND c.met) THEN 1 END AS lower,
           CASE WHEN f.record IS NOT NULL THEN 0 WHEN s.unmet THEN 0
                WHEN coalesce(s.only_points, true) AND NOT coalesce(s.met, false) AND c.unmet THEN 0 END AS upper,
           CASE WHEN f.record IS NOT NULL THEN [f.record] WHEN s.met OR s.unmet THEN s.records
                ELSE list_concat(coalesce(s.records, []), coalesce(c.records, [])) END AS records
    FROM k LEFT JOIN stated s USING (ask) LEFT JOIN counted c USING (ask) LEFT JOIN refuted f USING (ask)
    """


def days_since_diagnosis(feature: Feature, options: FeatureOptions) -> str:
    """DaysSinceDiagnosisCondition: from the record of the classification, else of the diagnosis, to the anchor.

    An onset alone is only the earliest day of the diagnosis (rule 10). A narrower diagnosis (nephritis) shows by its
    record that lupus was diagnosed by then; when nephritis began says nothing of that. Where neither is dated, the
    fourth criterion of ACR 1997 that was recorded shows that the classification was met by then.
    """
    name = str(feature.get("classificationSet"))
    counts_criteria = str(name == "acr1997").lower()
    least = needed(name)
    return f"""
    WITH {window(feature)},
    {condition_rows(str(feature.get("diagnosis")))},
    c AS (
        SELECT w.ask, min(m.date_from) AS first, min(least(m.date_to, w.base)) AS last,
               arg_min(m.record, m.date_from) AS record
        FROM w JOIN fact_measurement m ON m.patient = w.patient AND m.test = {text(name)} AND m.date_from <= w.base
        WHERE m.positive OR (m.positive IS NULL AND m.low >= {least}) GROUP BY w.ask),
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
        SELECT ask, list_sort(list(day))[{least}] AS last, records_of(record) AS records
        FROM criteria GROUP BY ask HAVING count(*) >= {least})
    SELECT w.ask, w.end_certain - coalesce(c.last, x.last, k.last) AS lower,
           w.end_possible - coalesce(c.first, x.first, x.onset) AS upper,
           CASE WHEN c.record IS NOT NULL THEN [c.record]
                WHEN x.record IS NULL AND k.last IS NOT NULL THEN k.records
                WHEN coalesce(x.record, x.onset_record) IS NOT NULL THEN [coalesce(x.record, x.onset_record)]
                ELSE [] END AS records
    FROM w LEFT JOIN c USING (ask) LEFT JOIN x USING (ask) LEFT JOIN k USING (ask)
    """
