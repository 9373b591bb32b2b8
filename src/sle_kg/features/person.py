"""Features of the person and of what was stated: age, sex, consent, agreements, contraindications, pregnancy."""

from __future__ import annotations

from sle_kg.criteria import Feature
from sle_kg.features.asks import FeatureOptions
from sle_kg.features.consent import standing
from sle_kg.features.presence import BEGINNING, condition_rows, members, window
from sle_kg.features.query import Query, ask_of, of_patient, on_or_before_base
from sle_kg.features.results import ALL, POSITIVE, latest
from sle_kg.features.sql import text
from sle_kg.patients.facts import DEATH

STATEMENTS_COMPLETE_COVERS = frozenset({"plansPregnancy"})
"""What a completeness statement for `statements` covers beside contraindications (rule 2)."""
CHILDBEARING_ENDS_AT = 55
"""Women of this age and over count as without childbearing potential in NCT06150651 (A0-14)."""
PREGNANCY_LASTS_DAYS = 300
"""A positive test this recent keeps absence of pregnancy from being known."""


def age(feature: Feature, options: FeatureOptions) -> str:
    """AgeCondition: completed years at the anchor (A0-01, A1-02); a partial birth date gives a range."""
    return f"""
    WITH {window(feature)}
    SELECT w.ask, completed_years(p.birth_to, w.end_certain) AS lower,
           completed_years(p.birth_from, w.end_possible) AS upper, [p.record] AS records
    FROM w JOIN fact_patient p USING (patient)
    """


def sex(feature: Feature, options: FeatureOptions) -> str:
    """SexCondition: the recorded sex; unknown unless male or female."""
    is_it = f"CASE WHEN p.sex = {text(str(feature.get('sex')))} THEN 1 ELSE 0 END"
    return f"""
    WITH {ALL} SELECT w.ask, {is_it} AS lower, {is_it} AS upper, [p.record] AS records
    FROM w JOIN fact_patient p USING (patient) WHERE p.sex IS NOT NULL"""


def _latest_statements(name: str, keys: str) -> str:
    """CTE `<name>`: the latest statements of each kind that `keys` (SQL on `t.statement`) picks.

    A null `value` could not be read: it may be either.
    """
    return f"""{name} AS (
        SELECT {ask_of("t")} AS ask, w.feature, t.record, t.statement, t.value
        FROM w JOIN fact_statement t ON {of_patient("t")}
        WHERE {keys} AND {on_or_before_base(f"coalesce(t.date_from, {BEGINNING})")}
        QUALIFY coalesce(t.date_to, w.base) >= max(coalesce(t.date_from, {BEGINNING})) OVER (
            PARTITION BY {ask_of("t")}, t.statement))"""


def statement(feature: Feature, options: FeatureOptions) -> Query:
    """StatementCondition: the latest statement wins and does not age (rule 3); two of one day that differ: open."""
    key = str(feature.get("statement"))
    covered = key in STATEMENTS_COMPLETE_COVERS
    absent = "WHEN NOT coalesce({there}, false) AND {closed} THEN 0" if covered else ""
    found = """
        SELECT ask, bool_and(coalesce(value, false)) AS holds, bool_or(coalesce(value, true)) AS may_hold,
               true AS there, records_of(record) AS records
        FROM t GROUP BY ask"""
    return Query(
        f"{window(feature)}, {_latest_statements('t', f't.statement = {text(key)}')}",
        found,
        ("holds", "may_hold", "there"),
        lower="CASE WHEN {holds} THEN 1 END",
        upper=f"CASE WHEN {{there}} AND NOT {{may_hold}} THEN 0 {absent} END",
        records=STATED if covered else "coalesce(f.records, [])",
        flags=("holds", "may_hold", "there"),
        section="statements" if covered else "",
    )


STATED = "coalesce(f.records, CASE WHEN c.ask IS NOT NULL THEN [c.record] ELSE [] END)"


def contraindication(feature: Feature, options: FeatureOptions) -> Query:
    """ContraindicationCondition: documented for the drug, or for one member of the class (rule 11, A0-03).

    `asDocumented`: what is not documented does not hold (an exception that nobody claims).
    """
    key = "replace(statement, 'contraindication:', '')"
    ctes = f"""{window(feature)}, {_latest_statements("t", "t.statement LIKE 'contraindication:%'")},
    named AS (
        SELECT ws.feature, m.concept AS key, bool_or(m.concept = m.value_set) AS single
        FROM wanted_set ws JOIN membership m ON m.value_set = ws.value_set
        WHERE m.status = 'in' GROUP BY ws.feature, m.concept
        UNION SELECT feature, value_set, true FROM wanted_set),
    n AS (SELECT feature, key, bool_or(single) AS single FROM named GROUP BY feature, key)"""
    found = f"""
        SELECT t.ask, bool_or(coalesce(t.value, true)) AS may_hold, bool_or(t.value AND NOT t.doubtful) AS holds,
               bool_or(NOT t.value AND n.single) AS denied, records_of(t.record) AS records
        FROM (SELECT *, {key} AS key,
                     bool_or(NOT coalesce(value, false)) OVER (PARTITION BY ask, statement) AS doubtful FROM t) t
        JOIN n ON n.feature = t.feature AND n.key = t.key
        GROUP BY t.ask"""
    return Query(
        ctes,
        found,
        ("may_hold", "holds", "denied"),
        lower="CASE WHEN {holds} THEN 1 WHEN {documented} THEN 0 END",
        upper="CASE WHEN NOT coalesce({may_hold}, false) AND ({documented} OR {denied} OR {closed}) THEN 0 END",
        records=STATED,
        flags=("may_hold", "holds", "denied"),
        section="statements",
    )


def _without_potential(by_age: bool) -> str:
    """A documented absence of childbearing potential, unless a statement says that there is potential."""
    years = f"p.sex = 'female' AND completed_years(p.birth_to, w.on_date) >= {CHILDBEARING_ENDS_AT}"
    old_enough = years if by_age else "false"
    return f"""
    WITH {ALL},
    {_latest_statements("t", "t.statement IN ('childbearingPotential', 'postmenopausal', 'sterilised')")},
    s AS (
        SELECT ask, bool_or(value IS NULL) AS unread,
               bool_or(statement = 'childbearingPotential' AND coalesce(value, true)) AS potential,
               bool_or(CASE WHEN statement = 'childbearingPotential' THEN NOT value ELSE value END) AS excluded,
               records_of(record) AS records
        FROM t GROUP BY ask)
    SELECT w.ask,
           CASE WHEN NOT coalesce(s.potential, false) AND (coalesce(s.excluded, false) OR {old_enough})
                THEN 1 END AS lower,
           CASE WHEN s.potential AND NOT s.unread AND NOT s.excluded THEN 0 END AS upper,
           coalesce(s.records, [p.record]) AS records
    FROM w JOIN fact_patient p USING (patient) LEFT JOIN s USING (ask)
    """


def fertility(feature: Feature, options: FeatureOptions) -> str:
    """FertilityCondition: 1 where childbearing or child-fathering potential is excluded (A0-14)."""
    return _without_potential(by_age=True)


def no_childbearing_potential(feature: Feature, options: FeatureOptions) -> str:
    """NoChildbearingPotentialCondition: 1 where its absence is documented (A3-14)."""
    return _without_potential(by_age=False)


def pregnancy(feature: Feature, options: FeatureOptions) -> Query:
    """PregnancyCondition: by test or diagnosis (rule 9).

    A positive test means pregnant; a negative one in its window, or complete conditions without pregnancy, means not;
    a test and a diagnosis that disagree leave it open, and so does a sex not recorded as male or female (CONTRACT
    section 4).
    """
    tests = "'hcgSerumQual', 'hcgSerumQuant', 'hcgUrineQual'"
    ctes = f"""{window(feature)}, {latest("v", tests, options.window("pregnancyTest"))},
    {condition_rows("pregnancyCondition")},
    test AS (
        SELECT ask, bool_and(fresh) AND bool_and(coalesce({POSITIVE}, false)) AS positive,
               bool_and(fresh) AND bool_and(NOT coalesce({POSITIVE}, true)) AS negative,
               bool_or(coalesce({POSITIVE}, true) AND day_hi >= on_date - {PREGNANCY_LASTS_DAYS}) AS doubtful,
               records_of(record) AS records
        FROM v GROUP BY ask),
    seen AS (
        SELECT ask, bool_or(status = 'confirmed' AND member = 'in' AND active) AS present,
               bool_or(status <> 'refuted' AND coalesce(active, true) AND hull_end >= base) AS possible,
               records_of(record) AS records
        FROM d GROUP BY ask),
    known AS (
        SELECT w.ask, p.sex IS NOT NULL AS tells, coalesce(t.positive, false) OR coalesce(s.present, false) AS shown,
               coalesce(t.negative, false) AS denied,
               coalesce(s.possible, false) OR coalesce(t.doubtful, false) AS possible,
               CASE WHEN t.ask IS NOT NULL OR s.ask IS NOT NULL
                    THEN list_concat(coalesce(t.records, []), coalesce(s.records, [])) END AS records
        FROM w JOIN fact_patient p ON p.patient = w.patient LEFT JOIN test t ON t.ask = w.ask
        LEFT JOIN seen s ON s.ask = w.ask)"""
    found = """
        SELECT ask, tells AND shown AND NOT denied AS holds, tells AND denied AND NOT shown AS excluded,
               tells AND NOT shown AND NOT possible AS unsuspected, records
        FROM known"""
    return Query(
        ctes,
        found,
        ("holds", "excluded", "unsuspected"),
        lower="CASE WHEN {holds} THEN 1 END",
        upper="CASE WHEN {excluded} OR {unsuspected} AND {closed} THEN 0 END",
        records=STATED,
        flags=("holds", "excluded", "unsuspected"),
        section="conditions",
    )


def consent(feature: Feature, options: FeatureOptions) -> str:
    """ConsentCondition: consent to this trial signed up to the day judged; never known to be refused (rule 3).

    The lower bound is 0, not null, where the newest record of a consent stands against it (`consent.standing`), and
    where the patient is recorded as deceased, whatever else is recorded: nobody enters a trial after death.
    """
    consents = """
        SELECT w.ask, w.base, f.record, f.status, f.date_from, f.date_to, f.until_from
        FROM w JOIN fact_consent f ON f.patient = w.patient AND f.trial = w.trial"""
    return f"""
    WITH {ALL},
    c AS ({standing(consents, "c.ask", "c.base")}),
    barred AS (SELECT ask FROM c GROUP BY ask HAVING bool_or(barred) AND NOT bool_or(holds)),
    s AS (
        SELECT w.ask, 1 AS lower, n.record FROM w JOIN anchor n ON n.ask = w.of AND n.anchor = 'consent'
        WHERE n.record IS NOT NULL AND n.last <= w.base
        UNION ALL SELECT ask, 1, record FROM c WHERE holds AND date_from IS NULL
        UNION ALL SELECT c.ask, 0, c.record FROM c JOIN barred b ON b.ask = c.ask),
    dead AS (
        SELECT w.ask, e.record FROM w JOIN fact_event e ON e.patient = w.patient
        WHERE e.event = {text(DEATH)} AND coalesce(e.date_from, {BEGINNING}) <= w.base),
    best AS (
        SELECT s.*, max(lower) OVER (PARTITION BY ask) AS most FROM s WHERE ask NOT IN (SELECT ask FROM dead)
        UNION ALL SELECT ask, 0, record, 0 FROM dead)
    SELECT ask, max(lower) AS lower, NULL AS upper, records_of(record) AS records
    FROM best WHERE lower = most GROUP BY ask
    """


def donated_volume(feature: Feature, options: FeatureOptions) -> Query:
    """DonatedVolumeCondition: millilitres of blood donated in the look-back (E27a).

    A donation without a volume of the same day leaves the upper bound open.
    """
    ctes = f"""{window(feature)},
    volumes AS (
        SELECT w.ask, t.record, t.amount, t.date_from,
               t.date_from >= w.start_certain AND least(t.date_to, w.base) <= w.end_certain AS sure
        FROM w JOIN fact_statement t ON t.patient = w.patient AND t.statement = 'bloodDonationVolume'
        WHERE coalesce(t.date_from, {BEGINNING}) <= w.base AND coalesce(t.date_to, w.on_date) >= w.start_possible),
    donations AS (
        SELECT w.ask, p.record,
               EXISTS (
                   SELECT 1 FROM volumes v
                   WHERE v.ask = w.ask AND v.date_from = p.from_from AND v.amount IS NOT NULL) AS measured
        FROM w JOIN fact_procedure p ON p.patient = w.patient AND coalesce(p.from_from, {BEGINNING}) <= w.base
        {members("p.concept", "bloodDonationAny")}
        WHERE p.done <> 'no' AND coalesce(p.end_to, w.on_date) >= w.start_possible),
    s AS (
        SELECT ask, sum(amount) FILTER (WHERE sure) AS sure, sum(amount) AS total, bool_or(amount IS NULL) AS unread,
               records_of(record) AS records FROM volumes GROUP BY ask),
    n AS (SELECT ask, bool_and(measured) AS measured, records_of(record) AS records FROM donations GROUP BY ask)"""
    found = """
        SELECT ask, coalesce(s.sure, 0) AS low, true AS there,
               CASE WHEN coalesce(n.measured, true) AND NOT coalesce(s.unread, false)
                    THEN coalesce(s.total, 0) END AS high,
               list_concat(coalesce(n.records, []), coalesce(s.records, [])) AS records
        FROM s FULL JOIN n USING (ask)"""
    return Query(
        ctes,
        found,
        ("low", "high", "there"),
        lower="CASE WHEN {asked} THEN coalesce({low}, 0) END",
        upper="CASE WHEN {closed} THEN CASE WHEN {there} THEN {high} ELSE 0 END END",
        records=STATED,
        section="procedures",
    )
