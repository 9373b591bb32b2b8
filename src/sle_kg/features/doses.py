"""Doses and durations of treatment, from the medicines' intervals.

Lower bounds use what is certain (core of the interval, doses known), upper bounds what is possible (hull, orders too),
and exist only where medications are complete. Rates are whole numbers of units (`sql.UNITS_PER_MG`), rounded down in
lower and up in upper bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sle_kg.criteria import Feature
from sle_kg.features.asks import FeatureOptions
from sle_kg.features.database import names_of
from sle_kg.features.presence import BEGINNING, MAY_BE_OVER, exposure_rows, window
from sle_kg.features.query import Query, asks
from sle_kg.features.sql import UNITS_PER_MG, before, text

WEIGHT_WITHIN_DAYS = 365
"""A dose per kg uses the weight nearest to its interval, within a year (rule 7)."""

PREDNISONE = ("g.prednisone_numerator", "g.prednisone_denominator") * 2
MOFETIL = (
    "CASE WHEN e.to_mofetil THEN CASE WHEN g.ambiguous_mmf THEN 1 ELSE g.mmf_numerator END ELSE 1 END",
    "CASE WHEN e.to_mofetil THEN CASE WHEN g.ambiguous_mmf THEN 1 ELSE g.mmf_denominator END ELSE 1 END",
    "CASE WHEN e.to_mofetil THEN CASE WHEN g.ambiguous_mmf THEN 1000 ELSE g.mmf_numerator END ELSE 1 END",
    "CASE WHEN e.to_mofetil THEN CASE WHEN g.ambiguous_mmf THEN 720 ELSE g.mmf_denominator END ELSE 1 END",
)
"""Numerator and denominator of an equivalent, for the lower and for the upper bound. A code that does not tell mofetil
from mycophenolic acid has the two ends (rule 12)."""


def in_prednisone(feature: Feature) -> bool:
    """Whether doses are told as those of prednisone."""
    return feature.get("equivalence") == "prednisone"


def _weights(always: bool) -> str:
    """CTE `k`: for each medicine the range of the weights nearest to its interval, and the latest of them.

    `lightest` is the weight of the lightest day, from above: several weights of one day are a range, and weights of
    which one has no exact day are of one day. Of all medicines (`always`), or of those that are dosed per kg.
    """
    dosed = "" if always else "WHERE e.dose_unit = 'mg/kg'"
    same_day = "PARTITION BY ask, row_id, day"
    return f"""weighed AS (
        SELECT e.ask, e.row_id, b.low, b.high, b.date_from AS day, b.date_to > b.date_from AS vague, b.record AS weight,
               greatest(0, coalesce(e.start_hi, least(e.end_hi, e.base)) - b.date_to,
                        b.date_from - coalesce(e.end_lo, e.end_hi)) AS distance
        FROM e JOIN body_weight b ON b.patient = e.patient AND b.date_from <= e.base {dosed}),
    k AS (
        SELECT ask, row_id,
               least_or_null(low) AS light, greatest_or_null(high) AS heavy,
               CASE WHEN bool_or(vague) THEN greatest_or_null(high) ELSE min(of_day) END AS lightest,
               least_where(low, day = last_day) AS light_last,
               greatest_where(high, day = last_day) AS heavy_last,
               min(distance) AS distance, records_of(weight) AS weights
        FROM (
            SELECT *, max(day) OVER (PARTITION BY ask, row_id) AS last_day,
                   CASE WHEN count(high) OVER ({same_day}) = count(*) OVER ({same_day})
                        THEN max(high) OVER ({same_day}) END AS of_day
            FROM (
                SELECT * FROM weighed WHERE distance <= {WEIGHT_WITHIN_DAYS}
                QUALIFY distance = min(distance) OVER (PARTITION BY ask, row_id)) nearest) by_day
        GROUP BY ask, row_id)"""


def _per_day(feature: Feature) -> tuple[str, str]:
    """SQL: the daily dose from below and above, per kg or in all, over the weights `light` and `heavy` of `k`."""

    def rate(rounding: str, side: str, kilograms: str, other: str) -> str:
        if feature.get("perKilogram"):
            return f"""CASE WHEN dose_unit = 'mg/kg' THEN {side}
                WHEN k.{kilograms} > 0 THEN {rounding}({side} * 1000000, k.{kilograms}_whole) END"""
        return f"""CASE WHEN dose_unit = 'mg' THEN {side}
            WHEN k.{other} > 0 THEN {rounding}({side} * k.{other}_whole, 1000000) END"""

    return rate("quick_below", "low", "heavy", "light"), rate("quick_above", "high", "light", "heavy")


_SINGLE = "coalesce(e.administration AND e.start_from = e.end_to, false)"
"""Whether a medicine was given once: a dose that states no period was that of its day."""


def _daily(equivalent: Sequence[str]) -> str:
    """SQL over a medicine `e` and its drug `g`: the daily dose in units from below (`low`) and above (`high`).

    `e.single` tells whether it was given once (`_SINGLE`).
    """
    low_top, low_bottom, high_top, high_bottom = equivalent
    times = "CASE WHEN e.single THEN coalesce(e.times, 1) ELSE e.times END"
    period = "CASE WHEN e.single THEN coalesce(e.period_days, 1) ELSE e.period_days END"
    units = f"millionths(e.dose) * CAST(TRY_CAST({times} AS DECIMAL(18, 12)) * 1000000000000 AS HUGEINT)"
    unit = UNITS_PER_MG // 1_000_000
    days = f"CAST(TRY_CAST({period} AS DECIMAL(18, 12)) * 1000000000000 AS HUGEINT)"
    below = f"below({units} * {unit} * ({low_top}), {days} * ({low_bottom}))"
    above = f"above({units} * {unit} * ({high_top}), {days} * ({high_bottom}))"
    return f"""CASE WHEN {period} > 0 THEN TRY({below}) END AS low,
               CASE WHEN {period} > 0 THEN TRY({above}) END AS high"""


def _regimens(medicines: str, equivalent: Sequence[str], also: str = "") -> str:
    """CTE `regimen`: the daily dose (`_daily`) of each drug, dose and timing, of many medicines that have it."""
    return f"""regimen AS (
        SELECT e.*, {_daily(equivalent)}
        FROM (SELECT DISTINCT concept, dose, single, times, period_days{also} FROM {medicines}) e
        LEFT JOIN drug g ON g.concept = e.concept)"""


_OF_REGIMEN = """r.concept = e.concept AND r.single = e.single AND r.dose IS NOT DISTINCT FROM e.dose
    AND r.times IS NOT DISTINCT FROM e.times AND r.period_days IS NOT DISTINCT FROM e.period_days"""

PREPARED = {
    "body_weight": """SELECT patient, record, date_from, date_to, low, high FROM fact_measurement
        WHERE test = 'bodyWeight' AND date_from IS NOT NULL AND date_to IS NOT NULL
              AND coalesce(high > 0, low IS NOT NULL)""",
    "prednisone_dose": f"""WITH given AS (
            SELECT e.row_id, e.concept, e.dose, {_SINGLE} AS single, e.times, e.period_days
            FROM fact_exposure e JOIN drug g ON g.concept = e.concept
            WHERE g.prednisone_numerator IS NOT NULL AND e.dose IS NOT NULL),
        {_regimens("given", PREDNISONE)}
        SELECT e.row_id, r.low, r.high FROM given e JOIN regimen r ON {_OF_REGIMEN}""",
    "may_be_over": MAY_BE_OVER,
}
"""SELECTs of tables made once from the facts, of which many features ask: dated weights, the equivalent (`low`, `high`)
of each glucocorticoid record, and medicines that may be over. A weight that could not be read, or is none, says nothing
of its day: the dose per kg is that of the other weights, as it is where none was recorded that day."""


def rates(feature: Feature, *, use: Literal["now", "highest", "throughout"], where: str = "true") -> str:
    """CTEs down to `q`: each medicine with its daily dose from below (`low`) and above (`high`), null where not known.

    Of several weights inside one interval, the dose `now` takes the latest; the `highest` dose per kg was reached on
    the lightest day; a dose kept up `throughout` is bounded by the lightest and the heaviest. `where`: SQL over
    the interval of a medicine, whether it is asked for.
    """
    heavy, light = {
        "now": ("heavy_last", "light_last"),
        "highest": ("reached", "light"),
        "throughout": ("heavy", "light"),
    }[use]
    dosed = "f AS (SELECT e.*, p.low, p.high FROM e LEFT JOIN prednisone_dose p ON p.row_id = e.row_id)"
    if not in_prednisone(feature):
        dosed = f"""g AS (SELECT e.*, {_SINGLE} AS single FROM e), {_regimens("g", MOFETIL, ", to_mofetil")},
        f AS (SELECT e.*, r.low, r.high FROM g e LEFT JOIN regimen r ON {_OF_REGIMEN}
              AND r.to_mofetil = e.to_mofetil)"""
    low, high = _per_day(feature)
    weighed = str(bool(feature.get("perKilogram"))).lower()
    return f"""{exposure_rows(name="every")}, e AS (SELECT * FROM every WHERE {where}),
    {_weights(bool(feature.get("perKilogram")))}, {dosed},
    q AS (
        SELECT f.* EXCLUDE (low, high), {low} AS low, {high} AS high,
               CASE WHEN {weighed} OR dose_unit = 'mg/kg' THEN coalesce(k.weights, []) ELSE [] END AS weights
        FROM f LEFT JOIN (
            SELECT ask, row_id, weights, {light} AS light, millionths({light}) AS light_whole, {heavy} AS heavy,
                   millionths({heavy}) AS heavy_whole
            FROM (SELECT *, CASE WHEN distance = 0 THEN lightest ELSE heavy END AS reached FROM k) every_k) k
        ON k.ask = f.ask AND k.row_id = f.row_id)"""


_IN_WINDOW = "start_lo <= end_possible AND end_hi >= start_possible"
"""Whether a medicine may have been taken in the window."""

COMPLETE = """LEFT JOIN complete c ON c.ask = w.of AND c.section = 'medications' AND c.until >= w.end_possible
    AND NOT w.planned"""


def _amount(ctes: str, found: str, proof: str = "") -> Query:
    """A query whose `found` has `low`, `high` (null: not known) and `records`; without medicines both bounds are 0.

    `proof`: the common table that has the records instead.
    """
    return Query(
        ctes,
        f"SELECT *, true AS there FROM ({found}) amounts",
        ("low", "high", "there"),
        lower="CASE WHEN {asked} THEN coalesce({low}, 0) END",
        upper="CASE WHEN {closed} THEN CASE WHEN {there} THEN {high} ELSE 0 END END",
        records="list_sort(coalesce(f.records, CASE WHEN c.ask IS NOT NULL THEN [c.record] ELSE [] END))",
        flags=("there",),
        section="medications",
        proof=proof,
    )


def _to_mg(feature: Feature) -> str:
    """The macro that turns the units of a lower bound into mg, or into mg per kg."""
    return "mg_per_kg" if feature.get("perKilogram") else "mg_below"


def daily_dose(feature: Feature, options: FeatureOptions) -> Query:
    """DailyDoseCondition: the dose ongoing on the day judged.

    Concurrent glucocorticoids add up (rule 12). Two records of another medicine may be one prescription recorded twice
    or two parts of a dose: their range is kept (A0-05 asks for no summing).
    """
    combine = "sum" if in_prednisone(feature) else "max"
    today = "start_lo <= on_date AND end_hi >= on_date"
    ctes = f"""{window(feature)}, {rates(feature, use="now", where=today)},
    each_record AS (
        SELECT ask, record,
               sum(low) FILTER (WHERE certain AND start_hi <= on_date AND end_lo >= on_date) AS low,
               CASE WHEN NOT bool_or(high IS NULL) THEN sum(high) END AS high,
               flatten(list(weights)) AS weights
        FROM q GROUP BY ask, record)"""
    found = f"""
        SELECT ask, {_to_mg(feature)}(coalesce({combine}(low), 0)) AS low,
               mg_above(CASE WHEN NOT bool_or(high IS NULL) THEN sum(high) END) AS high,
               list_distinct(list_concat(list(record), flatten(list(weights)))) AS records
        FROM each_record GROUP BY ask"""
    return _amount(ctes, found)


def _levels(rows: str) -> str:
    """CTE `level`: from each `day` on the total rates, from rows (ask, and what is sure, and what is possible).

    A row has `sure_first`, `sure_last`, `low` and `first`, `last`, `high`; a rate that is null or lasts no day counts
    for nothing. A total is null until the first rate. Where both begin or end on one day, that is one step.
    """
    by_day = "OVER (PARTITION BY ask ORDER BY day)"
    return f"""dosed_row AS (
        SELECT ask, sure_first, sure_last + 1 AS sure_end, CASE WHEN sure_first <= sure_last THEN low END AS low,
               first, last + 1 AS past, CASE WHEN first <= last THEN high END AS high
        FROM ({rows}) dosed_rows),
    step AS (
        SELECT ask, first AS day, CASE WHEN sure_first = first THEN low END AS low, high FROM dosed_row
        WHERE high IS NOT NULL
        UNION ALL
        SELECT ask, past, CASE WHEN sure_end = past THEN -low END, -high FROM dosed_row WHERE high IS NOT NULL
        UNION ALL
        SELECT ask, sure_first, low, NULL FROM dosed_row
        WHERE low IS NOT NULL AND (high IS NULL OR sure_first <> first)
        UNION ALL
        SELECT ask, sure_end, -low, NULL FROM dosed_row WHERE low IS NOT NULL AND (high IS NULL OR sure_end <> past)),
    level AS (
        SELECT ask, day, lead(day) {by_day} AS next, sum(low) {by_day} AS low, sum(high) {by_day} AS high
        FROM step)"""


def _runs(name: str, rows: str, gap: str) -> str:
    """CTE `<name>`: runs of days, from rows (ask, side, first, last); neighbours at most `gap` (SQL) days apart join.

    A gap is the start of the next interval minus the end of the one before; the next day (1) always joins.
    """
    course = "PARTITION BY ask, side ORDER BY first, last"
    return f"""{name}_marked AS (
        SELECT *, CASE WHEN first <= max(last) OVER ({course} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
                   + greatest({gap}, 1) THEN 0 ELSE 1 END AS begins
        FROM ({rows}) {name}_rows WHERE first <= last),
    {name}_numbered AS (SELECT *, sum(begins) OVER ({course}) AS number FROM {name}_marked),
    {name} AS (
        SELECT ask, side, min(first) AS first, max(last) AS last FROM {name}_numbered GROUP BY ask, side, number)"""


def highest_dose(feature: Feature, options: FeatureOptions) -> Query:
    """HighestDoseCondition: the highest daily dose on any day, ever or in the window of an anchor.

    A medicine surely taken in the window was taken on some day, even where its dates are too vague for one sure day.
    """
    inside = "(when_is = 'ever' AND began) OR (start_hi <= end_certain AND end_lo >= start_certain)"
    rows = """SELECT ask, greatest(start_hi, start_certain) AS sure_first, least(end_lo, end_certain) AS sure_last,
        CASE WHEN certain AND start_hi <= end_lo THEN low END AS low,
        greatest(start_lo, start_possible) AS first, least(end_hi, end_possible) AS last, high FROM q"""
    ctes = f"""{window(feature)}, {rates(feature, use="highest", where=_IN_WINDOW)}, {_levels(rows)},
    daily AS (
        SELECT ask, max(low) AS low, arg_max(day, low) AS day, max(high) AS high FROM level GROUP BY ask),
    each_alone AS (
        SELECT ask, low, high, record, weights, certain AND ({inside}) AS sure FROM q),
    alone AS (
        SELECT ask, max(low) FILTER (WHERE sure) AS rate, arg_max(record, low) FILTER (WHERE sure) AS record,
               arg_max(weights, low) FILTER (WHERE sure) AS weights,
               bool_or(high IS NULL) AS unknown, records_of(record) AS overlapping
        FROM each_alone GROUP BY ask),
    of_day AS (
        SELECT q.ask, list_distinct(list_concat(list(q.record), flatten(list(q.weights)))) AS records
        FROM q JOIN daily b USING (ask) WHERE q.certain AND b.day BETWEEN q.start_hi AND q.end_lo GROUP BY q.ask),
    proof AS (
        SELECT s.ask, CASE WHEN s.rate > coalesce(l.low, 0) THEN list_distinct(list_append(s.weights, s.record))
                           ELSE coalesce(p.records, s.overlapping) END AS records
        FROM alone s LEFT JOIN daily l USING (ask) LEFT JOIN of_day p USING (ask))"""
    found = f"""
        SELECT s.ask, {_to_mg(feature)}(greatest(coalesce(l.low, 0), coalesce(s.rate, 0))) AS low,
               CASE WHEN NOT s.unknown THEN mg_above(coalesce(l.high, 0)) END AS high
        FROM alone s LEFT JOIN daily l USING (ask)"""
    return _amount(ctes, found, "proof")


def _high_dose_runs(feature: Feature, *, sure: bool) -> str:
    """CTEs `t`, asks with medicines that may have been taken in the window, and `run`: by `side`, days at the dose.

    The dose or more, with the concurrent medicine where asked. A medicine whose dose is not known may be at that dose.
    Who does not reach it with all medicines of the window together (only what is `sure`, or what is possible) has no
    run that overlaps the window, and is left out.
    """
    certain, possible = "CASE WHEN certain THEN low END", "coalesce(high, dose_units)"
    of_ask = ", ".join(
        f"any_value({column}) AS {column}"
        for column in ("patient", "on_date", "base", "start_possible", "end_possible", "shift", "dose_units")
    )
    rows = f"""SELECT ask, start_hi AS sure_first, end_lo AS sure_last, {certain} AS low,
        start_lo AS first, end_hi AS last, {possible} AS high FROM q SEMI JOIN able USING (ask)"""
    at_dose = f"""at_dose AS (
        SELECT ask, {SURE} AS side, day AS first, CAST(next - 1 AS DATE) AS last FROM level JOIN able USING (ask)
        WHERE low >= dose_units AND next > day
        UNION ALL
        SELECT ask, {POSSIBLE}, day, CAST(next - 1 AS DATE) FROM level JOIN able USING (ask)
        WHERE high >= dose_units AND next > day)"""
    together = "SELECT * FROM at_dose"
    if names_of(feature, "concurrentWith"):
        taken = f"""SELECT * FROM (
            SELECT ask, {SURE} AS side, start_hi AS first, end_lo AS last, concurrent_gap FROM x WHERE certain
            UNION ALL SELECT ask, {POSSIBLE}, start_lo, end_hi, concurrent_gap FROM x) sides
            SEMI JOIN at_dose USING (ask, side)"""
        at_dose += f""", {exposure_rows("concurrentWith", "x")}, {_runs("beside", taken, "concurrent_gap")}"""
        together = """SELECT d.ask, d.side, greatest(d.first, b.first) AS first, least(d.last, b.last) AS last
            FROM at_dose d JOIN beside b ON b.ask = d.ask AND b.side = d.side"""
    return f"""t AS (
        SELECT ask, {of_ask}, sum({certain if sure else possible}) >= any_value(dose_units) AS able
        FROM q WHERE {_IN_WINDOW} GROUP BY ask),
    able AS (SELECT ask, dose_units FROM t WHERE able),
    {_levels(rows)}, {at_dose}, {_runs("every_run", together, "1")},
    run AS (
        SELECT r.ask, r.side, r.first, r.last - r.first + 1 AS days FROM every_run r JOIN t USING (ask)
        WHERE r.first <= t.end_possible AND r.last >= t.start_possible)"""


def dose_duration(feature: Feature, options: FeatureOptions) -> Query:
    """DoseDurationCondition: the longest run of days at a dose or more, of runs that overlap the look-back (E02c).

    Its first and its last day count, and it counts in full (rule 5).
    """
    ctes = f"""{window(feature)}, {rates(feature, use="throughout")}, {_high_dose_runs(feature, sure=False)},
    longest AS (
        SELECT ask, max(days) FILTER (WHERE side = {SURE}) AS low, max(days) FILTER (WHERE side = {POSSIBLE}) AS high
        FROM run GROUP BY ask),
    o AS (
        SELECT ask, list_distinct(list_concat(list(record), flatten(list(weights)))) AS records
        FROM q WHERE {_IN_WINDOW} GROUP BY ask)"""
    found = """
        SELECT t.ask, CAST(coalesce(l.low, 0) AS INTEGER) AS low, CAST(coalesce(l.high, 0) AS INTEGER) AS high
        FROM t LEFT JOIN longest l USING (ask)"""
    return _amount(ctes, found, "o")


def treatment_duration(feature: Feature, options: FeatureOptions) -> Query:
    """TreatmentDurationCondition: days of treatment, in total, of the longest run, or of a run to screening.

    Durations are end minus start, or count both ends (`inclusive`). `sinceFirstDose`: a course of pulses may last
    one gap beyond its last known dose (A0-13).

    A span of days is taken to reach one gap further, to the last day on which another continues its run; then spans of
    a run add up like spans that overlap, and each run is one gap too long.
    """
    exact = "certain AND NOT since_first AND start_hi = start_lo AND end_lo = end_hi"
    last = "CASE WHEN since_first THEN least(end_hi + gap, on_date) ELSE end_hi END"
    course = "PARTITION BY ask, side ORDER BY first, reach"
    until = "s.reach - greatest(w.gap, 1)"
    extra = "(greatest(w.gap, 1) + CASE WHEN w.inclusive THEN -1 ELSE 0 END)"
    longest = "measure = 'longestRun'"
    ctes = f"""{window(feature)}, {exposure_rows()},
    taken AS MATERIALIZED (
        SELECT ask, record, certain, start_hi, end_lo, start_lo AS first, {last} AS last,
               greatest(gap, 1) AS joins, {longest} AS longest, coalesce({exact}, false) AS exact
        FROM e),
    vague AS (SELECT DISTINCT ask FROM taken WHERE NOT exact),
    spans AS (
        SELECT t.ask, CASE WHEN v.ask IS NULL THEN {SURE_AND_POSSIBLE} ELSE {POSSIBLE} END AS side, t.longest, t.first,
               CASE WHEN t.first <= t.last THEN t.last + t.joins END AS reach
        FROM taken t LEFT JOIN vague v ON v.ask = t.ask
        UNION ALL
        SELECT t.ask, {SURE}, t.longest, t.start_hi, t.end_lo + t.joins
        FROM taken t JOIN vague v ON v.ask = t.ask WHERE t.certain AND t.start_hi <= t.end_lo),
    in_order AS (
        SELECT *, max(reach) OVER ({course} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached FROM spans),
    marked AS MATERIALIZED (
        SELECT ask, side, longest, first, greatest(reach, reached) AS reach,
               CASE WHEN reach IS NOT NULL THEN greatest(reach, reached) - greatest(reached, first) END AS days,
               reach IS NOT NULL AND NOT coalesce(first <= reached, false) AS begins
        FROM in_order),
    added AS (
        SELECT ask, side, sum(days) AS days, count(*) FILTER (WHERE begins) AS runs, max(reach) AS reach,
               max(first) FILTER (WHERE begins) AS first
        FROM marked WHERE NOT longest GROUP BY ask, side),
    in_run AS (
        SELECT ask, side, reach, max(CASE WHEN begins THEN first END) OVER ({course}) AS first
        FROM marked WHERE longest),
    length AS MATERIALIZED (
        SELECT s.ask, s.side, CAST(CASE WHEN w.measure = 'total' THEN s.days - s.runs * {extra}
            WHEN {until} >= w.on_date - w.gap THEN s.reach - s.first - {extra} END AS INTEGER) AS days
        FROM added s JOIN w ON {asks("s")}
        UNION ALL
        SELECT s.ask, s.side, CAST(max(CASE WHEN s.first <= w.end_possible AND {until} >= w.start_possible
            THEN s.reach - s.first - {extra} END) AS INTEGER)
        FROM in_run s JOIN w ON {asks("s")} GROUP BY s.ask, s.side),
    o AS (SELECT ask, records_of(record) AS records FROM taken GROUP BY ask)"""
    found = f"""
        SELECT h.ask, coalesce(CASE h.side WHEN {SURE_AND_POSSIBLE} THEN h.days ELSE l.days END, 0) AS low,
               coalesce(h.days, 0) AS high
        FROM length h LEFT JOIN length l ON l.ask = h.ask AND l.side = {SURE} WHERE h.side <> {SURE}"""
    return _amount(ctes, found, "o")


SURE_AND_POSSIBLE, SURE, POSSIBLE = 0, 1, 2
"""What a span of days bounds: where all dates are exact, one reckoning gives both bounds."""


def cumulative_dose(feature: Feature, options: FeatureOptions) -> Query:
    """CumulativeDoseCondition: mg in a lifetime by one route (A0-09).

    A course counts a dose at its start and one for every period that has passed; a record without timing is one dose.
    A record whose route is not named can be of any route. What is stated of a day on which as much was administered may
    be told twice: the lower bound counts it once.
    """
    route = text(str(feature.get("route")))

    def amount(weight: str, first: str, last: str) -> str:
        """Dose × administrations at a time × times in the interval (× kg), a whole number of 10⁻¹⁸ mg."""
        times, days = "millionths(coalesce(e.times, 1))", "millionths(e.period_days)"
        kilograms = f"CASE WHEN e.dose_unit = 'mg/kg' THEN millionths({weight}) ELSE 1000000 END"
        passed = f"below(CAST(greatest({last} - {first}, 0) AS HUGEINT) * 1000000, {days})"
        once = "e.administration OR e.period_days IS NULL OR e.period_days <= 0"
        return f"TRY(millionths(e.dose) * {times} * {kilograms} * CASE WHEN {once} THEN 1 ELSE {passed} + 1 END)"

    ctes = f"""{window(feature)}, {exposure_rows()}, {_weights(always=False)},
    amounts AS (
        SELECT e.ask, e.record, e.administration, coalesce(e.certain AND e.began AND e.route = {route}, false) AS sure,
               CASE WHEN e.start_from = e.start_to AND e.start_to = e.end_from AND e.end_from = e.end_to
                    THEN e.start_from END AS day,
               {amount("k.light", "coalesce(e.start_hi, e.end_lo)", "coalesce(e.end_lo, e.start_hi)")} AS low,
               CASE WHEN e.start_lo > {BEGINNING} AND (e.administration OR e.period_days IS NOT NULL)
                    THEN {amount("k.heavy", "e.start_lo", "e.end_hi")} END AS high
        FROM e LEFT JOIN k ON k.ask = e.ask AND k.row_id = e.row_id
        WHERE e.route IS NULL OR e.route = {route}),
    told AS (
        SELECT *, day IS NOT NULL AND NOT administration
               AND bool_or(administration AND sure) OVER (PARTITION BY ask, day, low) AS again
        FROM amounts)"""
    found = """
        SELECT ask, inexact(below(coalesce(sum(low) FILTER (WHERE sure AND NOT again), 0), 1000000)) AS low,
               inexact(above(CASE WHEN NOT bool_or(high IS NULL) THEN sum(high) END, 1000000)) AS high,
               records_of(record) AS records
        FROM told GROUP BY ask"""
    return _amount(ctes, found)


RENAL_RESULTS = {
    "proteinuria": ("'upcr', 'urineProtein24h'", "now_low > start_high", "now_high <= start_low"),
    "filtration": ("'egfrCkdEpi2021', 'egfrCkdEpi', 'egfrMdrd'", "now_high < start_low", "now_low >= start_high"),
}
"""What worsens: tests, SQL for worse, SQL for not worse; compared only within one test and formula (A0-12)."""


def renal_worsening(feature: Feature, options: FeatureOptions) -> str:
    """RenalWorseningCondition: proteinuria rose or eGFR fell since the start of the high-dose treatment (A0-12).

    The start value is the last one on or before the first day of the run, no older than a result may be; the present
    value the latest one since then, no older likewise. Any numeric change counts; its size is flagged for review.
    """
    days = options.window("result")

    def compared(name: str, tests: str, worse: str, steady: str) -> str:
        return f"""{name}_values AS (
            SELECT b.ask, b.first, b.on_date, m.test, m.record, m.low, m.high, m.date_from AS day, m.date_to AS day_to,
                   b.shift
            FROM b JOIN fact_measurement m ON m.patient = b.patient
            WHERE m.test IN ({tests}) AND m.date_from <= b.base),
        {name}_start AS (
            SELECT ask, test, least_or_null(low) AS start_low, greatest_or_null(high) AS start_high,
                   records_of(record) AS records
            FROM (SELECT * FROM {name}_values WHERE day_to <= first AND day >= first - {days}
                  QUALIFY day = max(day) OVER (PARTITION BY ask, test)) GROUP BY ask, test),
        {name}_now AS (
            SELECT ask, test, least_or_null(low) AS now_low, greatest_or_null(high) AS now_high,
                   records_of(record) AS records
            FROM (SELECT * FROM {name}_values WHERE day > first AND day + shift >= on_date - {days}
                  QUALIFY day = max(day) OVER (PARTITION BY ask, test)) GROUP BY ask, test),
        {name} AS (
            SELECT ask, bool_or(coalesce({worse}, false)) AS worse, bool_and(coalesce({steady}, false)) AS steady,
                   flatten(list(list_concat(s.records, n.records))) AS records
            FROM {name}_start s JOIN {name}_now n USING (ask, test) GROUP BY ask)"""

    parts = ", ".join(compared(name, *rule) for name, rule in RENAL_RESULTS.items())
    return f"""
    WITH {window(feature)}, {rates(feature, use="throughout")}, {_high_dose_runs(feature, sure=True)},
    b AS (
        SELECT t.ask, t.patient, t.on_date, t.base, t.shift, r.first
        FROM (SELECT ask, max(first) AS first FROM run WHERE side = {SURE} AND days >= 14 GROUP BY ask) r
        JOIN t USING (ask)),
    {parts}
    SELECT ask, CASE WHEN p.worse OR f.worse THEN 1 END AS lower,
           CASE WHEN p.steady AND f.steady AND NOT p.worse AND NOT f.worse THEN 0 END AS upper,
           list_sort(list_distinct(list_concat(coalesce(p.records, []), coalesce(f.records, [])))) AS records
    FROM proteinuria p FULL JOIN filtration f USING (ask)
    """


__all__ = [
    "before",
    "cumulative_dose",
    "daily_dose",
    "dose_duration",
    "highest_dose",
    "renal_worsening",
    "treatment_duration",
]
