"""Presence features (0 or 1) from dated records: diagnoses, procedures, vaccines, medicines taken, allergies.

Each kind gives rows (ask, record, certain, possible, refuted): `certain` records prove the fact; `possible` ones keep
it from being known absent; `refuted` names a record that by itself proves absence. Absence else needs a closed value
set and a section that is complete up to the day in question.
"""

from __future__ import annotations

from sle_kg.criteria import Feature
from sle_kg.features.query import Query, ask_of, of_patient, on_or_before_base, own
from sle_kg.features.sql import text

BEGINNING, ENDING = "DATE '0001-01-01'", "DATE '9999-12-31'"
SCREENING = "screening"
"""The anchor that is the day judged."""

INSIDE = "m.status <> 'outside'"


def members(concept: str, name: str | None = None, parameter: str = "valueSet", where: str = INSIDE) -> str:
    """JOIN to the membership of a concept in the value sets that the feature names, or in one fixed value set.

    A concept outside a set is joined to it only where `where` allows: its refutation can still refute the set.
    """
    if name is not None:
        return f"JOIN membership m ON m.concept = {concept} AND m.value_set = {text(name)} AND ({where})"
    return f"""JOIN wanted_set ws ON ws.feature = w.feature AND ws.parameter = {text(parameter)}
        JOIN membership m ON m.concept = {concept} AND m.value_set = ws.value_set AND ({where})"""


def anchored(feature: Feature) -> bool:
    """Whether the window of a feature ends at an event of the trial, not at screening."""
    return feature.get("anchor", SCREENING) != SCREENING


def window(feature: Feature) -> str:
    """CTE `w`: ask, patient, base, on_date, the window that is certain and the one that is possible, planned.

    A closed interval [anchor − look-back, anchor]; without look-back from the beginning of time. An anchor after the
    date judged is planned (rule 6): facts can still fall into its window, absence cannot be known.
    """
    first, last, join = "a.on_date", "a.on_date", ""
    if anchored(feature):
        first, last, join = "n.first", "n.last", "JOIN anchor n ON n.ask = a.of AND n.anchor = a.anchor"
    start = f"coalesce(CAST({{}} - to_months(a.months) - to_days(a.days) AS DATE), {BEGINNING})"
    return f"""w AS (
        SELECT a.*, {start.format(last)} AS start_certain, {start.format(first)} AS start_possible,
               {first} AS end_certain, {last} AS end_possible, {last} > a.on_date AS planned
        FROM a {join})"""


def presence(ctes: str, section: str, *, closed_sets: bool = False) -> Query:
    """The presence query over CTEs `w` and `r` (ask, record, certain, possible, refuted).

    `section`: what must be complete for absence; `closed_sets`: whether the value sets must be closed for it too.
    """
    found = """
        SELECT ask, bool_or(coalesce(certain, false)) AS certain, bool_or(coalesce(possible, false)) AS possible,
               max(refuted) IS NOT NULL AS refuted, max(refuted) AS refutation,
               records_where(record, certain) AS proof, records_where(record, possible) AS doubt
        FROM r GROUP BY ask"""
    return Query(
        ctes,
        found,
        ("certain", "possible", "refuted"),
        lower="CASE WHEN {certain} AND NOT {refuted} THEN 1 END",
        upper="CASE WHEN {refuted} THEN 0 WHEN {closed} AND NOT coalesce({possible}, false) THEN 0 END",
        records="""CASE WHEN f.refuted THEN [f.refutation] WHEN f.certain THEN f.proof WHEN f.possible THEN f.doubt
                        WHEN c.ask IS NOT NULL THEN [c.record] ELSE [] END""",
        flags=("certain", "possible", "refuted"),
        section=section,
        closed_sets=closed_sets,
    )


NOT_REFUTED = "CAST(NULL AS VARCHAR) AS refuted"


# ---- diagnoses ------------------------------------------------------------------------------------------------------


def condition_rows(value_set: str | None = None) -> str:
    """CTE `d`: the condition records of the value set seen at each ask, with core and hull of their interval.

    Core: from the latest possible first day to the earliest possible last one; hull: from the earliest to the latest.
    A condition had begun when it was recorded; one that is over without a date ended up to screening.
    CTE `d_last`: the last day on which each ask was told that it is so, that it is not (undated records count as the
    last), and that it may be.
    """
    return f"""d AS (
        SELECT {own("c")}, c.record, c.status, m.status AS member, m.refutes, c.severity,
               c.onset_from, c.recorded_from, c.recorded_to,
               CASE WHEN c.abated_from > w.base THEN true ELSE c.ongoing END AS active,
               coalesce(c.onset_from, {BEGINNING}) AS hull_start,
               greatest(c.onset_from, least(c.onset_to, c.recorded_to, c.abated_to, CASE WHEN
                   coalesce(c.onset_to, c.recorded_to, c.abated_to) IS NOT NULL OR c.ongoing THEN w.base END))
                   AS core_start,
               CASE WHEN c.abated_from <= w.base THEN greatest(c.abated_from, c.onset_from)
                    WHEN c.ongoing OR c.abated_from > w.base THEN w.on_date
                    WHEN c.ongoing IS NULL AND c.recorded_from <= w.base THEN greatest(c.onset_from, c.recorded_from)
                    ELSE c.onset_from END AS core_end,
               coalesce(c.onset_from, c.recorded_from) AS day_from, coalesce(c.onset_to, c.recorded_to) AS day_to,
               CASE WHEN c.abated_from <= w.base THEN least(c.abated_to, w.base)
                    WHEN NOT c.ongoing AND c.abated_from IS NULL THEN w.base
                    ELSE w.on_date END AS hull_end,
               coalesce(c.recorded_from, c.onset_from) AS stated
        FROM w JOIN fact_condition c ON {of_patient("c")}
        {members("c.concept", value_set, where=f"{INSIDE} OR c.status = 'refuted'")}
        WHERE {on_or_before_base(f"coalesce(c.onset_from, c.recorded_from, {BEGINNING})")}),
    d_last AS (
        SELECT ask, max(CASE WHEN status = 'refuted' AND refutes THEN coalesce(stated, {ENDING}) END) AS refuted,
               max(CASE WHEN status = 'confirmed' AND member = 'in' THEN coalesce(stated, {ENDING}) END) AS confirmed,
               max(CASE WHEN status = 'uncertain' THEN stated END) AS suspected
        FROM d GROUP BY ask)"""


REFUTING = f"""(d.status = 'refuted' AND d.refutes AND NOT coalesce(s.suspected > d.stated, false)
            AND NOT coalesce(s.confirmed >= coalesce(d.stated, {BEGINNING}), false))"""
"""Whether a record `d`, with its `d_last` as `s`, refutes the value set: its broadest diagnosis, no confirmed one that
is as recent or undated, and no later suspicion."""

CONTRADICTED = f"coalesce(s.refuted >= coalesce(d.stated, {BEGINNING}), false)"
"""A refutation at least as recent as this confirmed record: it no longer proves the diagnosis."""


def diagnosis(feature: Feature) -> Query:
    """DiagnosisCondition: recorded ever, now, or in a window; at least as severe as asked (rules 1 and 10).

    A record without severity neither proves nor excludes a severity.
    """
    enough = """CASE d.severity_needed WHEN 'moderate' THEN d.severity IN ('moderate', 'severe')
        WHEN 'severe' THEN d.severity = 'severe' ELSE true END"""
    certainly = """CASE d.when_is WHEN 'ever' THEN true
        WHEN 'current' THEN d.active AND coalesce(d.core_start <= d.on_date, true)
        ELSE d.core_start <= d.end_certain AND d.core_end >= d.start_certain END"""
    possibly = """CASE d.when_is WHEN 'ever' THEN true
        WHEN 'current' THEN coalesce(d.active, true) AND d.hull_end >= d.on_date
        ELSE d.hull_start <= d.end_possible AND d.hull_end >= d.start_possible END"""
    rows = f"""r AS (
        SELECT d.ask, d.record,
               d.status = 'confirmed' AND d.member = 'in' AND coalesce({enough}, false) AND coalesce({certainly}, false)
               AND NOT {CONTRADICTED} AS certain,
               d.status <> 'refuted' AND coalesce({enough}, true) AND coalesce({possibly}, true) AS possible,
               CASE WHEN {REFUTING} THEN d.record END AS refuted
        FROM d JOIN d_last s ON s.ask = d.ask)"""
    return presence(f"{window(feature)}, {condition_rows()}, {rows}", "conditions", closed_sets=True)


COUNT_RECORDS = """CASE WHEN f.possible > 0 THEN f.records WHEN c.ask IS NOT NULL THEN [c.record] ELSE [] END"""


def diagnosis_count(feature: Feature) -> Query:
    """DiagnosisCountCondition: distinct episodes, told apart by their onset (or recorded) date.

    Episodes on different exact days are different ones; one whose date is partial or missing may be any of them.
    """
    proven = f"(d.status = 'confirmed' AND d.member = 'in' AND NOT {CONTRADICTED})"
    found = f"""
        SELECT d.ask,
               greatest(
                   count(DISTINCT CASE WHEN d.day_from = d.day_to THEN d.day_from END) FILTER (WHERE d.proven),
                   CASE WHEN bool_or(d.proven) THEN 1 ELSE 0 END) AS certain,
               count(*) FILTER (WHERE d.status <> 'refuted') AS possible,
               records_where(d.record, d.status <> 'refuted') AS records
        FROM (SELECT d.*, {proven} AS proven FROM d JOIN d_last s ON s.ask = d.ask) d GROUP BY d.ask"""
    return Query(
        f"{window(feature)}, {condition_rows()}",
        found,
        ("certain", "possible"),
        lower="CASE WHEN {asked} THEN coalesce({certain}, 0) END",
        upper="CASE WHEN {closed} THEN coalesce({possible}, 0) END",
        records=COUNT_RECORDS,
        section="conditions",
    )


# ---- procedures and vaccines ----------------------------------------------------------------------------------------


def procedure(feature: Feature) -> Query:
    """ProcedureCondition: done ever or in a window, by a procedure or by a diagnosis code that says so (Z94.0).

    A refuted diagnosis (no dependence on dialysis) does not undo a procedure that is recorded.
    """
    done_then = (
        "least(p.from_to, p.end_to, w.base) <= w.end_certain AND greatest(p.end_from, p.from_from) >= w.start_certain"
    )
    present_then = "d.core_start <= d.end_certain AND d.core_end >= d.start_certain"
    rows = f"""p AS (
        SELECT {ask_of("p")} AS ask, p.record,
               p.done = 'yes' AND m.status = 'in' AND coalesce({done_then}, w.when_is = 'ever') AS certain,
               p.done <> 'no' AND coalesce(p.from_from, {BEGINNING}) <= w.end_possible
               AND coalesce(p.end_to, w.on_date) >= w.start_possible AS possible, {NOT_REFUTED}
        FROM w JOIN fact_procedure p ON {of_patient("p")}
             AND {on_or_before_base(f"coalesce(p.from_from, {BEGINNING})")}
        {members("p.concept")}),
    r AS (
        SELECT ask, record, certain, possible, refuted FROM p UNION ALL
        SELECT d.ask, d.record,
               d.status = 'confirmed' AND d.member = 'in' AND (d.when_is = 'ever' OR coalesce({present_then}, false))
               AND NOT {CONTRADICTED},
               d.status <> 'refuted' AND d.hull_start <= d.end_possible AND d.hull_end >= d.start_possible,
               CASE WHEN {REFUTING} AND NOT EXISTS (SELECT 1 FROM p WHERE p.ask = d.ask AND p.possible)
                    THEN d.record END
        FROM d JOIN d_last s ON s.ask = d.ask)"""
    return presence(f"{window(feature)}, {condition_rows()}, {rows}", "procedures")


def immunization(feature: Feature) -> Query:
    """ImmunizationCondition: given in the look-back."""
    rows = f"""r AS (
        SELECT {ask_of("i")} AS ask, i.record,
               i.given = 'yes' AND m.status = 'in' AND i.date_from >= w.start_certain
               AND least(i.date_to, w.base) <= w.end_certain AS certain,
               i.given <> 'no' AND least(coalesce(i.date_to, w.base), w.base) >= w.start_possible
               AND coalesce(i.date_from, {BEGINNING}) <= w.end_possible AS possible, {NOT_REFUTED}
        FROM w JOIN fact_immunization i ON {of_patient("i")}
             AND {on_or_before_base(f"coalesce(i.date_from, {BEGINNING})")}
        {members("i.concept")})"""
    return presence(f"{window(feature)}, {rows}", "immunizations")


# ---- medicines taken ------------------------------------------------------------------------------------------------


def exposure_rows(parameter: str = "valueSet", name: str = "e") -> str:
    """A CTE of the medicines of a value set seen at each ask: first day `start_lo`…`start_hi`, last `end_lo`…`end_hi`.

    What is seen began up to `base`. An end after `base` is not seen: a medicine that is ongoing was last taken on the
    day judged; what was completed or stopped ended up to screening, on a day that is not known. An order is possible,
    never certain; a product for local use does not count (rules 5, 12, 13). Where another record tells that the drug
    may be over (`MAY_BE_OVER`), nobody knows whether it is still taken.
    """
    unseen = "coalesce(end_from > base, true)"
    going_on = f"(coalesce(ongoing, false) AND {unseen})"
    return f"""{name}_member AS (
        SELECT ws.feature, m.concept, min(m.status) AS member
        FROM wanted_set ws JOIN membership m ON m.value_set = ws.value_set
        WHERE ws.parameter = {text(parameter)} AND m.status <> 'outside' AND ws.feature IN (SELECT feature FROM a)
        GROUP BY ws.feature, m.concept),
    {name}_doubted AS (
        SELECT DISTINCT o.row_id, b.base
        FROM (SELECT DISTINCT base FROM a) b JOIN may_be_over o ON o.first <= b.base AND o.last >= b.base),
    {name}_raw AS (
        SELECT {ask_of("x")} AS ask, x.patient, {", ".join(f"w.{column}" for column in OF_ASK)},
               x.record, x.concept, x.taken, x.row_id,
               CASE WHEN n.row_id IS NULL THEN x.ongoing END AS ongoing,
               x.route, x.dose, x.dose_unit, x.times, x.period_days, x.administration, m.member,
               x.start_from, x.start_to, x.end_from, x.end_to
        FROM w JOIN fact_exposure x ON {of_patient("x")}
             AND {on_or_before_base(f"coalesce(x.start_from, {BEGINNING})")}
        JOIN {name}_member m ON m.feature = w.feature AND m.concept = x.concept
        LEFT JOIN {name}_doubted n ON n.row_id = x.row_id AND n.base = w.base
        WHERE x.taken <> 'no' AND coalesce(x.route, '') <> 'local'),
    {name} AS (
        SELECT *, taken = 'yes' AND member = 'in' AS certain,
               coalesce(start_from, {BEGINNING}) AS start_lo,
               CASE WHEN start_to IS NOT NULL OR (end_from IS NULL AND ongoing) THEN least(start_to, end_to, base)
                    WHEN end_from <= base THEN least(end_to, base) END AS start_hi,
               start_to IS NOT NULL OR coalesce(end_from <= base, true) AS began,
               CASE WHEN {going_on} THEN on_date WHEN {unseen} THEN start_from
                    ELSE greatest(end_from, start_from) END AS end_lo,
               CASE WHEN coalesce(ongoing, true) AND {unseen} THEN on_date ELSE least(end_to, base) END AS end_hi
        FROM {name}_raw)"""


_ANOTHER_COURSE = """coalesce(
            a.route <> o.route OR a.start_to < o.start_from
            OR coalesce(a.start_from >= coalesce(o.end_to, o.recorded_to)
                        AND (o.start_from IS NULL OR a.start_from > o.start_from), false)
            OR CASE WHEN o.recorded_to IS NULL THEN a.start_from > o.start_to
                    WHEN a.recorded_from = o.recorded_to AND a.recorded_to = o.recorded_from
                    THEN a.start_from > o.start_to
                    ELSE a.recorded_from > o.recorded_to END, false)"""
MAY_BE_OVER = f"""
    WITH over_or_not_taken AS (
        SELECT *, taken = 'no' AS denied,
               CASE WHEN taken = 'no' THEN coalesce(start_from, {BEGINNING}) ELSE greatest(
                   {BEGINNING}, start_from, CASE WHEN coalesce(ongoing, true) THEN end_from END) END AS first,
               CASE WHEN taken = 'no' THEN coalesce(end_to, {ENDING}) ELSE {ENDING} END AS last
        FROM fact_exposure
        WHERE taken = 'no' OR (taken IN ('yes', 'uncertain') AND (end_from IS NOT NULL OR NOT ongoing)
                               AND NOT coalesce(administration, false) AND coalesce(route, '') <> 'local'))
    SELECT a.row_id, o.first, o.last
    FROM fact_exposure a JOIN over_or_not_taken o ON o.patient = a.patient AND o.concept = a.concept
    WHERE a.ongoing AND a.taken <> 'no' AND coalesce(o.first < a.end_from, true) AND CASE
        WHEN o.denied THEN coalesce(coalesce(o.start_from, o.start_to) > coalesce(a.start_from, {BEGINNING}), false)
        ELSE o.record <> a.record AND NOT {_ANOTHER_COURSE} END"""
"""SELECT of a table that is made once from the facts: medicines said to be ongoing (`row_id`), and from which day to
which (`first`, `last`) whoever sees the facts of that day sees another record of the same drug after which they may be
over. Either it is said not to be taken, from a day after the medicine began. Or it is said to be over, unless that is
another course or an older word: the medicine has another route, began before the other (which is then a course beside
it: more of the drug for a while) or when the other was over, or was stated later; or it began later in one list of
medicines, or where the other says not when it was stated.
"""


OF_ASK = (
    *("feature", "on_date", "base", "start_certain", "start_possible", "end_certain", "end_possible"),
    *("when_is", "half_lives", "gap", "measure", "inclusive", "since_first", "shift", "to_mofetil"),
    *("dose_units", "concurrent_gap"),
)
"""Columns of `w` that go with each medicine."""


def exposure(feature: Feature) -> Query:
    """ExposureCondition: taken ever (before screening), ongoing, or in a window."""
    certainly = """CASE e.when_is WHEN 'ever' THEN e.began
        WHEN 'ongoing' THEN e.start_hi <= e.on_date AND e.end_lo >= e.on_date
        ELSE e.start_hi <= e.end_certain AND e.end_lo >= e.start_certain END"""
    possibly = """CASE e.when_is WHEN 'ever' THEN true WHEN 'ongoing' THEN e.end_hi >= e.on_date
        ELSE e.start_lo <= e.end_possible AND e.end_hi >= e.start_possible END"""
    rows = f"""r AS (
        SELECT e.ask, e.record, e.certain AND coalesce({certainly}, false) AS certain, {possibly} AS possible,
               {NOT_REFUTED}
        FROM e)"""
    return presence(f"{window(feature)}, {exposure_rows()}, {rows}", "medications")


def washout(feature: Feature) -> Query:
    """WashoutCondition: 1 while day judged − last day taken < the drug's wash-out days (rule 13; drugs.csv).

    A medicine without known wash-out days leaves the question open for ever (rule 1); of one whose days are known for
    five half-lives alone, until those have passed.
    """
    days = f"CASE e.half_lives {' '.join(f'WHEN {n} THEN g.washout{n}' for n in range(1, 6))} END"
    most = f"coalesce({days}, CASE WHEN e.half_lives < 5 THEN g.washout5 END)"
    rows = f"""r AS (
        SELECT e.ask, e.record,
               e.certain AND e.began AND coalesce(e.on_date - e.end_lo < {days}, false) AS certain,
               coalesce(e.on_date - e.end_hi < {most}, true) AS possible, {NOT_REFUTED}
        FROM e LEFT JOIN drug g ON g.concept = e.concept)"""
    return presence(f"{window(feature)}, {exposure_rows()}, {rows}", "medications")


def drug_count(feature: Feature) -> Query:
    """DrugCountCondition: distinct active moieties ever taken (mofetil and mycophenolic acid are one; rule 14).

    A code of several drugs may be one that is counted already, or another.
    """
    found = """
        SELECT e.ask,
               greatest(count(DISTINCT g.moiety) FILTER (WHERE e.certain AND e.began),
                        CASE WHEN bool_or(e.certain AND e.began) THEN 1 ELSE 0 END) AS certain,
               count(DISTINCT coalesce(g.moiety, e.record)) AS possible,
               records_of(e.record) AS records
        FROM e LEFT JOIN drug g ON g.concept = e.concept GROUP BY e.ask"""
    return Query(
        f"{window(feature)}, {exposure_rows()}",
        found,
        ("certain", "possible"),
        lower="CASE WHEN {asked} THEN coalesce({certain}, 0) END",
        upper="CASE WHEN {closed} THEN coalesce({possible}, 0) END",
        records=COUNT_RECORDS,
        section="medications",
    )


# ---- allergies ------------------------------------------------------------------------------------------------------


def allergy(feature: Feature) -> Query:
    """AllergyCondition: hypersensitivity to a substance, a severe one, or any (A1-09: an intolerance is none).

    "No known allergy" says that there is none, unless another record names one.
    """
    which = feature.get("which")
    if which == "substance":
        join = members("y.concept")
        certainly, possibly = "m.status = 'in'", "true"
    elif which == "severe":
        join, certainly, possibly = "", "y.criticality = 'high'", "coalesce(y.criticality, 'high') = 'high'"
    else:
        join, certainly, possibly = "", "true", "true"
    seen = on_or_before_base(f"coalesce(y.recorded_from, {BEGINNING})")
    rows = f"""r AS (
        SELECT {ask_of("y")} AS ask, y.record,
               coalesce(y.status = 'confirmed' AND y.kind = 'allergy' AND {certainly}, false) AS certain,
               y.status <> 'refuted' AND coalesce(y.kind, 'allergy') = 'allergy' AND {possibly} AS possible,
               {NOT_REFUTED}
        FROM w JOIN fact_allergy y ON {of_patient("y")} AND {seen} {join}
        WHERE NOT coalesce(y.none_known, false)
        UNION ALL
        SELECT {ask_of("y")}, min(y.record), false, false, min(y.record)
        FROM w JOIN fact_allergy y ON {of_patient("y")} AND {seen}
        WHERE y.none_known AND y.status = 'confirmed' AND NOT EXISTS (
            SELECT 1 FROM fact_allergy o WHERE o.patient = y.patient AND NOT coalesce(o.none_known, false)
            AND o.status <> 'refuted' AND {on_or_before_base(f"coalesce(o.recorded_from, {BEGINNING})")})
        GROUP BY {ask_of("y")})"""
    return presence(f"{window(feature)}, {rows}", "allergies")
