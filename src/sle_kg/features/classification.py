"""Classification of lupus and the time since diagnosis, from recorded classifications, points, items and conditions."""

from __future__ import annotations

from collections.abc import Mapping

from sle_kg.criteria import Feature
from sle_kg.features.asks import FeatureOptions
from sle_kg.features.presence import BEGINNING, REFUTING, condition_rows, window
from sle_kg.features.query import Query, ask_of, of_patient, on_or_before_base, test_of
from sle_kg.features.results import ALL, POSITIVE, answer, latest, latest_all
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


_RULES = {
    "acr1997": "items >= {needed}",
    "slicc2012": """items >= {needed} AND clinical > 0 AND immunologic > 0
            OR (n.ask IS NOT NULL OR NOT certain AND renal) AND (antibody OR ana.ask IS NOT NULL)""",
    "eularAcr2019": "(entry OR ana.ask IS NOT NULL) AND points >= {needed} AND clinical > 0",
}
"""What classifies, over the items of a patient that are certain, or all that are possible: ACR 1997 four of eleven;
SLICC 2012 four with a clinical and an immunologic one, or nephritis (`certain` where a biopsy proves it, possible
unless the renal item is absent) with ANA or anti-dsDNA; EULAR/ACR 2019 ten points of the highest item of each domain,
ANA ever at 1:80 and a clinical item (classification.md, rules)."""

_FROM_ITEMS = f"""biopsied AS (
        SELECT {ask_of("m")} AS ask, w.instrument AS set, m.record, str_split(m.text, '+') AS classes
        FROM w JOIN fact_measurement m ON {of_patient("m")} AND m.test = 'isnRpsClass' AND m.text IS NOT NULL
        WHERE {SEEN}),
    seen AS (
        SELECT {ask_of("m")} AS ask, i.set, i.key, m.record, false AS biopsy, coalesce(m.positive, m.low > 0) AS present
        FROM w JOIN classification_item i ON i.set = w.instrument
        JOIN fact_measurement m ON {of_patient("m")} AND m.test = {test_of("i")}
        WHERE {SEEN}
        UNION ALL
        SELECT s.ask, s.set, i.key, s.record, true, true
        FROM biopsied s JOIN classification_item i ON i.set = s.set
        JOIN classification_biopsy b ON b.test = i.test AND list_contains(s.classes, b.class)),
    told AS (
        SELECT ask, set, key, coalesce(bool_or(CASE WHEN NOT biopsy THEN present END), bool_or(present)) AS present
        FROM seen GROUP BY ask, set, key),
    item AS (SELECT DISTINCT set, key, domain, kind, weight FROM classification_item),
    held AS (
        SELECT ask, set, true AS certain, key, present FROM told
        UNION ALL SELECT DISTINCT ask, set, true, NULL, false FROM biopsied
        UNION ALL
        SELECT a.ask, a.set, false, i.key, coalesce(t.present, true)
        FROM (SELECT DISTINCT ask, set FROM told WHERE NOT present) a JOIN item i ON i.set = a.set
        LEFT JOIN told t ON t.ask = a.ask AND t.key = i.key),
    scored AS (
        SELECT ask, set, certain, sum(items) AS items, sum(points) AS points, sum(clinical) AS clinical,
               sum(immunologic) AS immunologic, bool_or(entry) AS entry, bool_or(antibody) AS antibody,
               bool_or(renal) AS renal
        FROM (
            SELECT ask, h.set, certain, count(i.key) AS items, coalesce(max(weight), 0) AS points,
                   count(CASE WHEN kind = 'clinical' THEN 1 END) AS clinical,
                   count(CASE WHEN kind = 'immunologic' THEN 1 END) AS immunologic,
                   coalesce(bool_or(kind = 'entry'), false) AS entry,
                   coalesce(bool_or(i.key IN ('ana', 'antiDsDNA')), false) AS antibody,
                   coalesce(bool_or(i.key = 'renal'), false) AS renal
            FROM held h LEFT JOIN item i ON i.set = h.set AND i.key = h.key AND h.present
            GROUP BY ask, h.set, certain, domain) each_domain
        GROUP BY ask, set, certain)"""
"""CTE `scored`: the items of a set that are `certain` for an ask and, where one is absent, those that are possible.

An item is present if it ever was, absent if it never was. A kidney biopsy of its class is the item itself, where the
item is not recorded (classification.md: a biopsy of class III or IV alone classifies when ANA is positive).
"""

_ANA_EVER = f"""ana AS (
        SELECT {ask_of("m")} AS ask, records_of(record) AS records
        FROM w JOIN fact_measurement m ON {of_patient("m")} AND m.test IN ('ana', 'anaTiter', 'eularAcr2019:ana')
        WHERE {SEEN} AND {POSITIVE} GROUP BY {ask_of("m")})"""


def _of_set(words: Mapping[str, str]) -> str:
    """SQL over `set`: what is said of each classification set; null where nothing is."""
    return f"CASE set {' '.join(f'WHEN {text(name)} THEN {said}' for name, said in words.items())} END"


def classification(feature: Feature, options: FeatureOptions) -> Query:
    """ClassificationCondition: a recorded classification first, else what the items prove; refuted SLE decides.

    Points decide as rule 10 says: ACR 1997 at 4; EULAR/ACR with ANA known positive from 13, or from 10 where a clinical
    item is known; below 10 never; SLICC points alone decide nothing.
    """
    acr, eular = needed("acr1997"), needed("eularAcr2019")
    clinical = f"low >= {certain_clinical_item('eularAcr2019')} OR low >= {eular} AND c.known"
    enough = _of_set({"acr1997": f"low >= {acr}", "eularAcr2019": f"({clinical}) AND a.ask IS NOT NULL"})
    too_few = _of_set({"acr1997": f"high < {acr}", "eularAcr2019": f"high < {eular}"})
    rule = _of_set({name: f"({said.format(needed=needed(name))})" for name, said in _RULES.items()})
    ctes = f"""{ALL}, {condition_rows(str(feature.get("diagnosis")))}, {latest("v", None)},
    {_FROM_ITEMS}, {_ANA_EVER},
    counted AS (
        SELECT t.ask, bool_or(certain AND {rule}) AS met, bool_or(NOT certain AND NOT {rule}) AS unmet,
               bool_or(certain AND clinical > 0) AS known
        FROM scored t LEFT JOIN ana ON ana.ask = t.ask
        LEFT JOIN (SELECT DISTINCT ask FROM biopsied) n ON n.ask = t.ask GROUP BY t.ask),
    stated AS (
        SELECT v.ask, {latest_all("met")} AS met, {latest_all("unmet")} AS unmet,
               {latest_all("positive IS NULL AND low IS NOT NULL")} AS only_points
        FROM (
            SELECT v.*, coalesce(positive, {enough}) AS met, coalesce(NOT positive, {too_few}) AS unmet
            FROM (SELECT *, instrument AS set FROM v_seen) v
            LEFT JOIN ana a ON a.ask = v.ask LEFT JOIN counted c ON c.ask = v.ask) v
        GROUP BY v.ask),
    refuted AS (
        SELECT d.ask, max(d.record) AS record FROM d JOIN d_last s ON s.ask = d.ask WHERE {REFUTING} GROUP BY d.ask),
    judged AS (
        SELECT ask, f.record, s.met OR s.unmet AS decided,
               f.record IS NULL AND (s.met OR coalesce(s.only_points, true) AND NOT coalesce(s.unmet, false) AND c.met)
                   AS holds,
               f.record IS NOT NULL OR s.unmet
                   OR coalesce(s.only_points, true) AND NOT coalesce(s.met, false) AND c.unmet AS excluded
        FROM stated s FULL JOIN counted c USING (ask) FULL JOIN refuted f USING (ask)),
    stating AS (
        SELECT v.ask, list_concat(records_of(v.record), coalesce(any_value(a.records), [])) AS records
        FROM v LEFT JOIN ana a ON a.ask = v.ask GROUP BY v.ask),
    telling AS (SELECT ask, records_of(record) AS records FROM seen GROUP BY ask),
    proof AS (
        SELECT ask, CASE WHEN j.record IS NOT NULL THEN [j.record] WHEN j.decided THEN s.records
               ELSE list_concat(coalesce(s.records, []), coalesce(t.records, [])) END AS records
        FROM judged j LEFT JOIN stating s USING (ask) LEFT JOIN telling t USING (ask))"""
    return answer(ctes, "SELECT ask, holds, excluded FROM judged")


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
        SELECT ask, CASE WHEN bool_or(refutes AND recorded_from IS NOT NULL) THEN min(recorded_from) END AS first,
               min(CASE WHEN recorded_to IS NOT NULL THEN least(recorded_to, base) END) AS last,
               arg_min(record, recorded_from) AS record,
               CASE WHEN bool_or(refutes AND onset_from IS NOT NULL)
                    THEN least(min(CASE WHEN refutes THEN onset_from END), min(recorded_from)) END AS onset,
               arg_min(record, CASE WHEN refutes THEN onset_from END) AS onset_record
        FROM d
        WHERE status = 'confirmed' AND member = 'in' AND coalesce(recorded_from, {BEGINNING}) <= base
        GROUP BY ask),
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
