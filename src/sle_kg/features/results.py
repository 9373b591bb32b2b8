"""Features of results: measurements, qualitative tests, scores.

The latest value wins (rule 8). Where dates are partial, every record that can be the latest counts, and several values
form a range (CONTRACT section 3). A result outside its window is named and leaves the feature open.
"""

from __future__ import annotations

from collections.abc import Callable

from sle_kg.criteria import Feature
from sle_kg.features.asks import FeatureOptions
from sle_kg.features.database import score_items
from sle_kg.features.presence import BEGINNING
from sle_kg.features.query import Query, ask_of, of_patient, on_or_before_base, own, seen, test_of
from sle_kg.features.sql import before, text

Window = Callable[[str], str]

ALL = "w AS (SELECT * FROM a)"


def _possible_days(shift: str) -> tuple[str, str]:
    """SQL: the first and the last possible day of a result `m`, moved by `shift` days, as seen at a row of `w`."""
    return f"coalesce(m.date_from + {shift}, {BEGINNING})", f"least(coalesce(m.date_to, w.base), w.base) + {shift}"


def latest(
    name: str,
    tests: str | None,
    days: int | None = None,
    *,
    usable: str = "true",
    repeated: bool = True,
) -> str:
    """CTEs `<name>_seen` and `<name>`: the records seen, and those that can be the latest.

    `tests` and `days` fixed, or (None) as each feature names them, in rows `t` of wanted_test. Results move with the
    day judged when they are taken as repeated (`shift`), unless they are never `repeated`. `recent`: a record is
    certainly no older than `days`; `fresh`: the latest one is, whichever it is, for it is not before the last of their
    first possible days.
    """
    day_lo, day_hi = _possible_days("w.shift" if repeated else "0")
    if tests is None:
        limit, picked = f"coalesce(w.on_date - w.valid_days, {BEGINNING})", f"{test_of('t')} = m.test"
        wanted = "JOIN wanted_test t ON t.feature = w.feature"
    else:
        limit, picked = BEGINNING if days is None else f"w.on_date - {days}", f"m.test IN ({tests})"
        wanted = ""
    return f"""{name}_seen AS (
        SELECT {own("m")}, m.test, m.record, m.low, m.high, m.uln, m.positive, m.below_quantification, m.text,
               {day_lo} AS day_lo, {day_hi} AS day_hi, {day_lo} >= {limit} AS recent
        FROM w {wanted} JOIN fact_measurement m ON {of_patient("m")} AND {picked}
        WHERE {on_or_before_base(f"coalesce(m.date_from, {BEGINNING})")} AND ({usable})),
    {name}_last AS (SELECT ask, max(day_lo) AS last, bool_or(recent) AS fresh FROM {name}_seen GROUP BY ask),
    {name} AS (
        SELECT s.*, l.fresh FROM {name}_seen s JOIN {name}_last l ON l.ask = s.ask AND s.day_hi >= l.last)"""


def latest_all(holds: str) -> str:
    """SQL aggregate over `<name>_seen`: whether the latest record is recent, and `holds` of it, whichever it is.

    So it is where every record of which it does not hold is older than the latest certainly is.
    """
    other = f"max(CASE WHEN NOT coalesce({holds}, false) THEN day_hi END)"
    return f"(bool_or(recent) AND coalesce({other} < max(day_lo), true))"


def bounds(name: str, low: str, high: str) -> str:
    """SELECT of the bounds of the latest records: the range of their values, open where one is not known or too old."""
    return f"""
    SELECT ask, CASE WHEN bool_and(fresh) THEN least_or_null(lowest) END AS lower,
           CASE WHEN bool_and(fresh) THEN greatest_or_null(highest) END AS upper,
           records_of(record) AS records
    FROM (SELECT ask, fresh, record, {low} AS lowest, {high} AS highest FROM {name}) candidates GROUP BY ask"""


def measurement(feature: Feature, options: FeatureOptions) -> str:
    """MeasurementCondition: the latest value in the canonical unit, or as multiple of its own upper limit of normal.

    Without an upper limit the multiple is not known (formulas.md, ULN comparisons). The 10⁻¹² by which `>120` lies
    above 120 survives the division: > 120 of 40 is more than three times. An ejection fraction counts where its code or
    method says echocardiography.
    """
    usable = "w.method_needed IS NULL OR m.method = w.method_needed"
    scale = "CAST(1000000000000 AS HUGEINT)"

    def multiple(whole: str, part: str, strict: int, up: bool) -> str:
        """SQL: a quotient, one more where the other end of its last digit is meant and it is not exact."""
        digit = f"coalesce(TRY_CAST({part} AS BIGINT) % 10, {part} % 10)"  # of 64 bits in a twentieth of the time
        more = f"{digit} {'=' if not up else '<>'} {strict} AND {part} > 0 AND {whole} * unit <> {part} * {scale}"
        return f"inexact({whole} + CASE WHEN {more} THEN 1 ELSE 0 END)"

    return f"""
    WITH {ALL}, {latest("v", None, usable=usable)},
    scaled AS MATERIALIZED (
        SELECT ask, fresh, record, times_limit, low, high,
               CASE WHEN times_limit AND uln > 0 THEN exact(uln) END AS unit,
               CASE WHEN times_limit AND uln > 0 THEN exact(low) END AS least,
               CASE WHEN times_limit AND uln > 0 AND high IS DISTINCT FROM low THEN exact(high) END AS most
        FROM v),
    divided AS MATERIALIZED (
        SELECT *, TRY(least * {scale} // unit) AS least_times, TRY(most * {scale} // unit) AS most_times FROM scaled),
    bounded AS MATERIALIZED (
        SELECT ask, fresh, record,
               CASE WHEN times_limit THEN {multiple("least_times", "least", 1, up=False)} ELSE low END AS low,
               CASE WHEN NOT times_limit THEN high WHEN high = low THEN {multiple("least_times", "least", 9, up=True)}
                    ELSE {multiple("most_times", "most", 9, up=True)} END AS high
        FROM divided)
    {bounds("bounded", "low", "high")}"""


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
        SELECT {ask_of("f")} AS ask, f.record, CASE f.sex WHEN 'female' THEN 85 WHEN 'male' THEN 100 END AS percent,
               completed_years(f.birth_to, w.on_date) AS youngest, completed_years(f.birth_from, w.on_date) AS oldest
        FROM w JOIN fact_patient f ON {of_patient("f")}),
    computed AS (
        SELECT p.ask,
               CASE WHEN c.upper > 0 AND k.lower > 0 THEN {lower} END AS lower,
               CASE WHEN c.lower > 0 AND k.upper > 0 THEN {upper} END AS upper,
               list_concat([p.record], list_concat(c.records, k.records)) AS records
        FROM p JOIN c USING (ask) JOIN k USING (ask))
    SELECT coalesce(x.ask, r.ask) AS ask,
           CASE WHEN r.ask IS NULL THEN x.lower WHEN x.ask IS NULL OR x.lower IS NULL THEN r.lower
                ELSE least(x.lower, r.lower) END AS lower,
           CASE WHEN r.ask IS NULL THEN x.upper WHEN x.ask IS NULL OR x.upper IS NULL THEN r.upper
                ELSE greatest(x.upper, r.upper) END AS upper,
           list_concat(coalesce(x.records, []), coalesce(r.records, [])) AS records
    FROM computed x FULL JOIN r ON r.ask = x.ask
    """


def room_air(feature: Feature, options: FeatureOptions) -> str:
    """RoomAirCondition: no supplemental oxygen stated on the day of the latest oxygen saturation (rule 7).

    What was stated and could not be read ("2 L nasal cannula") leaves it open.
    """
    return f"""
    WITH {ALL}, {latest("v", "'spo2', 'sao2'", options.window("result"))},
    o AS (
        SELECT v.ask, g.record, g.positive FROM v JOIN fact_measurement g
        ON g.patient = v.patient AND g.test = 'supplementalOxygen'
        AND g.date_from = g.date_to AND v.day_lo = v.day_hi
        AND g.date_from = v.day_lo - v.shift
        UNION ALL
        SELECT v.ask, g.record, g.value FROM v JOIN fact_statement g
        ON g.patient = v.patient AND g.statement = 'supplementalOxygen'
        AND g.date_from = g.date_to AND v.day_lo = v.day_hi
        AND g.date_from = v.day_lo - v.shift)
    SELECT o.ask, CASE WHEN NOT bool_or(coalesce(o.positive, true)) THEN 1 END AS lower,
           CASE WHEN bool_and(coalesce(o.positive, false)) THEN 0 END AS upper, records_of(o.record) AS records
    FROM o GROUP BY o.ask
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


def positive_test(feature: Feature, options: FeatureOptions) -> Query:
    """PositiveTestCondition: the latest answer to one question, from any test that answers it.

    Tests that disagree on the latest day leave it open. `positiveOnlyTest`: a test whose negative does not answer
    (an HIV-1 antibody says nothing of HIV-2). Valid `ever`: one positive proves it, a negative does not disprove it.
    A pregnancy test says nothing of a patient whose sex is not recorded as male or female (CONTRACT section 4).
    """
    usable = "NOT t.only_positive OR coalesce(m.positive, false)"
    ctes = f"""{ALL}, {latest("v", None, usable=usable)},
    answered AS (
        SELECT s.*, CASE WHEN n.patient IS NULL THEN {POSITIVE} END AS answer
        FROM v_seen s LEFT JOIN (SELECT patient FROM fact_patient WHERE sex IS NULL) n
        ON s.sex_needed AND n.patient = s.patient),
    ever AS (SELECT ask, records_of(record) AS records FROM answered WHERE valid_days IS NULL AND answer GROUP BY ask),
    proof AS (
        SELECT v.ask, coalesce(any_value(e.records), records_of(v.record)) AS records
        FROM v LEFT JOIN ever e ON e.ask = v.ask GROUP BY v.ask)"""
    found = f"""
        SELECT ask, bool_or(valid_days IS NULL AND answer) OR {latest_all("answer")} AS holds,
               {latest_all("valid_days IS NOT NULL AND NOT answer")} AS excluded
        FROM answered GROUP BY ask"""
    return answer(ctes, found)


def answer(ctes: str, found: str) -> Query:
    """A query whose `found` has `holds` and `excluded`, and `ctes` a `proof`; without results nothing is known."""
    return Query(
        ctes,
        found,
        ("holds", "excluded"),
        lower="CASE WHEN {holds} THEN 1 END",
        upper="CASE WHEN {excluded} THEN 0 END",
        records="coalesce(f.records, [])",
        flags=("holds", "excluded"),
        proof="proof",
    )


QUANTIFIED = """CASE
    WHEN below_quantification THEN false
    WHEN low IS NOT NULL AND low > 0 THEN true
    WHEN high IS NOT NULL AND high <= 0 THEN false
    ELSE positive END"""
"""A viral load without `<` is quantified; `<` means below quantification (rule 9); 0 is not detected."""


def quantified(feature: Feature, options: FeatureOptions) -> Query:
    """QuantifiedCondition: viral DNA at or above the limit of quantification in the latest test."""
    proof = "proof AS (SELECT ask, records_of(record) AS records FROM v GROUP BY ask)"
    found = f"""
        SELECT ask, {latest_all(QUANTIFIED)} AS holds, {latest_all(f"NOT {QUANTIFIED}")} AS excluded
        FROM v_seen GROUP BY ask"""
    return answer(f"{ALL}, {latest('v', None)}, {proof}", found)


# ---- scores ---------------------------------------------------------------------------------------------------------


def _points(bits: str) -> str:
    """SQL: the points of the items whose bits are set, null where `bits` is."""
    masks: dict[int, int] = {}
    for item in score_items().values():
        masks[item.weight] = masks.get(item.weight, 0) | item.bit
    return " + ".join(f"CAST({weight} AS INTEGER) * bit_count({bits} & {mask})" for weight, mask in masks.items())


def _all_points(bits: str) -> str:
    """SQL: the points of all items of the score to which the items belong whose bits are set."""
    sums: dict[str, tuple[int, int]] = {}
    for item in score_items().values():
        mask, points = sums.get(item.total, (0, 0))
        sums[item.total] = mask | item.bit, points + item.weight
    return f"CASE {' '.join(f'WHEN ({bits} & {mask}) <> 0 THEN {points}' for mask, points in sums.values())} END"


def score(feature: Feature, options: FeatureOptions) -> Query:
    """ScoreCondition: the latest total of one instrument, from recorded totals and from items of one date.

    Items of one date give a sum with a lower bound (items present) and an upper bound (items not known to be absent).
    A total that fits them stands; one that does not forms a range with them (rule 7). Where several dates can be the
    latest, their totals form a range. Another instrument serves only where the reading allows it, and only where this
    one has no result in its window. A day is summed once for all features that ask for its total.
    """
    day_lo, day_hi = _possible_days("w.shift")
    ctes = f"""{ALL},
    asked AS (
        SELECT feature, other, dense_rank() OVER (ORDER BY test) AS total
        FROM wanted_test WHERE bit IS NULL AND feature IN (SELECT feature FROM w)),
    summed AS (
        SELECT DISTINCT o.total, t.test, t.bit
        FROM asked o JOIN wanted_test t ON t.feature = o.feature AND t.other = o.other),
    dated AS (
        SELECT m.patient, w.base, w.shift, t.total, {day_lo} AS day_lo, {day_hi} AS day_hi,
               m.record, m.low, m.high, m.positive, t.bit
        FROM (SELECT DISTINCT {seen("w")} FROM w) w CROSS JOIN summed t
        JOIN fact_measurement m ON {of_patient("m")} AND {test_of("t")} = m.test
        WHERE {on_or_before_base(f"coalesce(m.date_from, {BEGINNING})")}),
    days AS (
        SELECT patient, base, shift, total, day_lo, day_hi, bool_or(bit IS NULL) AS stated,
               least_where(low, bit IS NULL) AS low, greatest_where(high, bit IS NULL) AS high, bit_or(bit) AS seen,
               bit_or(CASE WHEN NOT coalesce(present, false) THEN bit END) AS not_present,
               bit_or(CASE WHEN coalesce(present, true) THEN bit END) AS not_absent
        FROM (SELECT *, CASE WHEN day_lo = day_hi THEN coalesce(positive, low > 0) END AS present FROM dated) known
        GROUP BY patient, base, shift, total, day_lo, day_hi),
    sums AS (
        SELECT *, {_points("(seen - coalesce(not_present, 0))")} AS least,
               {_all_points("seen")} - ({_points("(seen - coalesce(not_absent, 0))")}) AS most
        FROM days),
    newest AS (
        SELECT patient, base, shift, total, max(day_lo) AS last FROM days GROUP BY patient, base, shift, total),
    totals AS (
        SELECT patient, base, shift, total, any_value(n.last) AS last,
               least_or_null(CASE WHEN NOT stated THEN least WHEN low IS NOT NULL THEN least(low, most) END) AS lower,
               greatest_or_null(CASE WHEN NOT stated THEN most WHEN high IS NOT NULL THEN greatest(high, least) END)
                   AS upper
        FROM sums s JOIN newest n USING (patient, base, shift, total)
        WHERE s.day_hi >= n.last GROUP BY patient, base, shift, total),
    ranges AS (
        SELECT {ask_of("s")} AS ask, t.other, s.*, s.last >= coalesce(w.on_date - w.valid_days, {BEGINNING}) AS fresh
        FROM w JOIN asked t ON t.feature = w.feature
        JOIN totals s ON {of_patient("s")} AND s.base = w.base AND s.shift = w.shift AND s.total = t.total),
    chosen AS (
        SELECT * FROM ranges WHERE NOT other AND (fresh OR ask NOT IN (SELECT ask FROM ranges WHERE other))
        UNION ALL
        SELECT * FROM ranges WHERE other AND ask NOT IN (SELECT ask FROM ranges WHERE fresh AND NOT other)),
    proof AS (
        SELECT c.ask, records_of(s.record) AS records
        FROM chosen c JOIN dated s USING (patient, base, shift, total) WHERE s.day_hi >= c.last GROUP BY c.ask)"""
    found = "SELECT ask, CASE WHEN fresh THEN lower END AS lower, CASE WHEN fresh THEN upper END AS upper FROM chosen"
    return Query(
        ctes,
        found,
        ("lower", "upper"),
        lower="{lower}",
        upper="{upper}",
        records="coalesce(f.records, [])",
        proof="proof",
    )


def highest_score(feature: Feature, options: FeatureOptions) -> str:
    """HighestScoreCondition: the highest value in the look-back (rule 8), known from above where one is at screening.

    When the future is searched, the latest assessment is taken as repeated; earlier ones keep their dates.
    """
    lookback = str(feature.get("lookback"))
    return f"""
    WITH {ALL},
    s AS (
        SELECT {ask_of("m")} AS ask, w.on_date, m.record, m.low, m.high,
               CASE WHEN m.date_from = max(m.date_from) OVER (PARTITION BY {ask_of("m")}) THEN w.shift
                    ELSE 0 END AS moved,
               coalesce(m.date_from, {BEGINNING}) AS day_from,
               least(coalesce(m.date_to, w.base), w.base) AS day_to
        FROM w JOIN fact_measurement m ON {of_patient("m")} AND m.test = {text(str(feature.get("instrument")))}
        WHERE {on_or_before_base(f"coalesce(m.date_from, {BEGINNING})")}),
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
