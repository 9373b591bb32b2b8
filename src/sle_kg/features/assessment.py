"""Features of a follow-up: scores, results and treatment at the moments of an assessment.

Of the results of one measure dated inside a moment the nearest to its target counts, of two as near the later; several
on that day form a range. A partial date that may lie nearer widens the bounds; where no result surely lies inside the
moment nothing is known. Facts are not cut at the day judged: the moments say which ones serve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sle_kg.criteria import Feature
from sle_kg.errors import TrialFileError
from sle_kg.features.asks import FeatureOptions
from sle_kg.features.assessed import WHOLE, part_of, parts, proposals, total_of
from sle_kg.features.database import names_of
from sle_kg.features.doses import COMPLETE, rates
from sle_kg.features.presence import BEGINNING, ENDING, window
from sle_kg.features.results import POSITIVE
from sle_kg.features.sql import text, texts

if TYPE_CHECKING:
    import duckdb

ALL = "w AS (SELECT * FROM a)"
SCORED = frozenset({"AssessedScoreCondition", "NewItemsCondition", "NewGradesCondition"})
"""Kinds that read the tables of assessments."""


def totals_of(features: Sequence[Feature]) -> set[str]:
    """The totals that features of scores need."""
    named = [f.get(name) for f in features if f.kind in SCORED for name in ("instrument", "alsoAccepts")]
    return {total_of(str(name)) for name in named if name is not None}


# ---- the nearest result ---------------------------------------------------------------------------------------------


def nearest(name: str, moment: str, source: str, on: str = "true") -> str:
    """CTE `<name>`: rows of `source` (patient, date_from, date_to, …) that can be the nearest in a moment of CTE `w`.

    `on`: SQL over `s` and `w`. `sure` tells whether any result surely lies inside the moment.
    """
    return f"""{name}_inside AS (
        SELECT w.ask, s.* EXCLUDE (patient), d.target,
               greatest(coalesce(s.date_from, {BEGINNING}), d.first) AS day_lo,
               least(coalesce(s.date_to, {ENDING}), d.last) AS day_hi,
               coalesce(s.date_from, {BEGINNING}) >= d.first AND coalesce(s.date_to, {ENDING}) <= d.last AS inside
        FROM w JOIN moment d ON d.ask = w.of AND d.moment = {text(moment)}
        JOIN {source} s ON s.patient = w.patient AND {on}
        WHERE coalesce(s.date_from, {BEGINNING}) <= d.last AND coalesce(s.date_to, {ENDING}) >= d.first),
    {name}_distances AS (
        SELECT *, CASE WHEN target BETWEEN day_lo AND day_hi THEN 0
                       ELSE least({_distance("day_lo")}, {_distance("day_hi")}) END AS least_distance,
               greatest({_distance("day_lo")}, {_distance("day_hi")}) AS most_distance
        FROM {name}_inside),
    {name} AS (
        SELECT * EXCLUDE (target, day_lo, day_hi, inside, least_distance, most_distance),
               bool_or(inside) OVER (PARTITION BY ask) AS sure
        FROM {name}_distances
        QUALIFY coalesce(least_distance <= min(most_distance) FILTER (WHERE inside) OVER (PARTITION BY ask), true))"""


def _distance(day: str) -> str:
    """SQL: how far a day is from the target, in half days so that of two as near the later one is nearer."""
    return f"(2 * abs({day} - target) - CASE WHEN {day} > target THEN 1 ELSE 0 END)"


def _difference(name: str, then: str | None) -> str:
    """SELECT of the bounds of CTE `name`, or of what they rose since those of CTE `then`."""
    if then is None:
        return f"SELECT ask, lower, upper, records FROM {name}"
    return f"""
    SELECT ask, n.lower - t.upper AS lower, n.upper - t.lower AS upper,
           list_sort(list_distinct(list_concat(coalesce(n.records, []), coalesce(t.records, [])))) AS records
    FROM {name} n FULL JOIN {then} t USING (ask)"""


def _moments(feature: Feature) -> list[tuple[str, str]]:
    """CTE name and moment of the result, and of the one with which it is compared."""
    since = feature.get("since")
    found = [("n", str(feature.get("at", "visit")))]
    return found if since is None else [*found, ("t", str(since))]


# ---- scores ---------------------------------------------------------------------------------------------------------


def _points(name: str, total: str, chosen: str) -> str:
    """CTE `<name>` (id, part, points, lower, upper): what parts of a total come to, of `points` at most.

    `chosen`: SQL over rows `p` of score_part. Items give what is surely there and what may be; a total that fits them
    narrows a part by what the other items may add and surely add. A total that contradicts the items forms a range with
    them (rule 7), and so do several totals of one day.
    """
    if total not in parts():
        return f"""{name} AS (
        SELECT s.id, '{WHOLE}' AS part, NULL AS points, least_or_null(t.low) AS lower, greatest_or_null(t.high) AS upper
        FROM assessment s JOIN assessed_total t USING (id) WHERE s.total = {text(total)} GROUP BY s.id)"""
    return f"""{name}_part AS (FROM score_part p WHERE p.total = {text(total)} AND ({chosen})),
    {name}_size AS (
        SELECT part, sum(weight) AS points,
               (SELECT sum(weight) FROM score_part WHERE total = {text(total)} AND part = '{WHOLE}') AS whole
        FROM {name}_part GROUP BY part),
    {name}_day AS (SELECT id FROM assessment WHERE total = {text(total)}),
    {name}_all AS (
        SELECT id, sum(at_least) AS at_least, sum(weight - at_most) AS lost
        FROM {name}_day JOIN assessed_item USING (id) GROUP BY id),
    {name}_some AS (
        SELECT i.id, p.part, sum(i.at_least) AS at_least, sum(i.weight - i.at_most) AS lost
        FROM {name}_day JOIN assessed_item i USING (id) JOIN {name}_part p USING (test) GROUP BY i.id, p.part),
    {name}_items AS (
        SELECT d.id, z.part, z.points, z.whole, coalesce(p.at_least, 0) AS at_least,
               z.points - coalesce(p.lost, 0) AS at_most,
               coalesce(a.at_least, 0) - coalesce(p.at_least, 0) AS others_least,
               z.whole - z.points - coalesce(a.lost, 0) + coalesce(p.lost, 0) AS others_most
        FROM {name}_day d CROSS JOIN {name}_size z LEFT JOIN {name}_all a ON a.id = d.id
        LEFT JOIN {name}_some p ON p.id = d.id AND p.part = z.part),
    {name}_fitted AS (
        SELECT i.*, t.low, t.high, coalesce(t.low <= at_most + others_most, true)
                                   AND coalesce(t.high >= at_least + others_least, true) AS fits
        FROM {name}_items i LEFT JOIN assessed_total t USING (id)),
    {name} AS (
        SELECT id, part, any_value(points) AS points,
               min(CASE WHEN fits THEN greatest(at_least, low - others_most)
                   ELSE least(at_least, greatest(0, coalesce(low, 0) - (whole - points))) END) AS lower,
               max(CASE WHEN fits THEN least(at_most, high - others_least)
                   ELSE greatest(at_most, least(points, coalesce(high, whole))) END) AS upper
        FROM {name}_fitted GROUP BY id, part)"""


def _assessed(name: str, points: str) -> str:
    """CTE `<name>_bounds` (ask, lower, upper, records): points of the assessments that CTE `name` found nearest."""
    return f"""{name}_bounds AS (
        SELECT v.ask, CASE WHEN bool_and(v.sure) THEN least_or_null(p.lower) END AS lower,
               CASE WHEN bool_and(v.sure) THEN greatest_or_null(p.upper) END AS upper,
               list_sort(list_distinct(flatten(list(v.records)))) AS records
        FROM {name} v LEFT JOIN {points} p USING (id) GROUP BY v.ask)"""


def assessed_score(feature: Feature, options: FeatureOptions) -> str:
    """AssessedScoreCondition: points of a total or of one part of it, at a moment, or their change since another.

    Another instrument serves only where the condition allows it, and only where this one has no result in the visit;
    then it serves at every moment, for instruments never mix.
    """
    group = feature.get("itemGroup")
    instruments = [str(feature.get(name)) for name in ("instrument", "alsoAccepts") if feature.get(name)]
    totals = [total_of(name) for name in instruments]
    chosen = [WHOLE if group is None else part_of(name, str(group)) for name in instruments]
    points = ", ".join(
        _points(f"points{n}", total, f"p.part = {text(part)}")
        for n, (total, part) in enumerate(zip(totals, chosen, strict=True))
    )
    measured = f"w AS (SELECT *, {text(totals[0])} AS total FROM a)"
    if len(totals) > 1:
        measured = f"""has_first AS (
            SELECT DISTINCT a.ask FROM a JOIN moment d ON d.ask = a.of AND d.moment = 'visit'
            JOIN assessment s ON s.patient = a.patient AND s.total = {text(totals[0])}
            WHERE coalesce(s.date_from, {BEGINNING}) <= d.last AND coalesce(s.date_to, {ENDING}) >= d.first),
        w AS (
            SELECT a.*, CASE WHEN h.ask IS NULL THEN {text(totals[1])} ELSE {text(totals[0])} END AS total
            FROM a LEFT JOIN has_first h USING (ask))"""
    both = " UNION ALL ".join(f"SELECT * FROM points{n}" for n in range(len(totals)))
    looked = ", ".join(
        f"{nearest(name, moment, 'assessment', 's.total = w.total')}, {_assessed(name, 'points')}"
        for name, moment in _moments(feature)
    )
    then = "t_bounds" if feature.get("since") else None
    return f"WITH {points}, points AS ({both}), {measured}, {looked} {_difference('n_bounds', then)}"


def _compared_items(feature: Feature, chosen: str) -> str:
    """CTEs `now` and `before` (ask, part, points, sure, lower, upper): parts of a total at both moments."""
    total = total_of(str(feature.get("instrument")))
    if total not in parts():
        raise TrialFileError(
            f"{feature.get('instrument')} has no items that could be new; name an instrument that has."
        )
    measured = f"w AS (SELECT *, {text(total)} AS total FROM a)"
    looked = ", ".join(
        f"""{nearest(f"{name}_day", moment, "assessment", "s.total = w.total")},
        {name} AS (
            SELECT v.ask, p.part, any_value(p.points) AS points, bool_and(v.sure) AS sure, min(p.lower) AS lower,
                   max(p.upper) AS upper
            FROM {name}_day v JOIN points p USING (id) GROUP BY v.ask, p.part)"""
        for name, moment in (("now", "visit"), ("before", str(feature.get("since"))))
    )
    used = "UNION ALL ".join(f"SELECT ask, unnest(records) AS record FROM {name}_day " for name in ("now", "before"))
    return f"""WITH {_points("points", total, chosen)}, {measured}, {looked},
        used AS (SELECT ask, records_of(record) AS records FROM ({used}) GROUP BY ask)"""


def _counted(certainly: str, possibly: str, least: str = "count(*) FILTER (WHERE certainly)") -> str:
    """SELECT of how many parts changed, from SQL over CTEs `now` (n) and `before` (b)."""
    return f""",
    changed AS (
        SELECT n.ask, n.sure AND b.sure AS sure, n.part, n.lower, b.upper AS upper_before,
               {certainly} AS certainly, {possibly} AS possibly
        FROM now n JOIN before b USING (ask, part)),
    counted AS (
        SELECT ask, CASE WHEN bool_and(sure) THEN {least} END AS lower,
               CASE WHEN bool_and(sure) THEN count(*) FILTER (WHERE possibly) END AS upper
        FROM changed GROUP BY ask)
    SELECT u.ask, c.lower, c.upper, u.records FROM used u LEFT JOIN counted c USING (ask)"""


def new_items(feature: Feature, options: FeatureOptions) -> str:
    """NewItemsCondition: items absent at the other moment and present at the visit.

    What a recorded total says of an item counts: with a total of 0 every item is absent. A total that surely rose
    proves a new item, even where no item is recorded.
    """
    item = f"n.part <> '{WHOLE}'"
    rose = f"bool_or(part = '{WHOLE}' AND lower > upper_before)"
    return _compared_items(feature, f"p.part = p.test OR p.part = '{WHOLE}'") + _counted(
        f"{item} AND n.lower > 0 AND b.upper < b.points",
        f"{item} AND n.upper >= n.points AND b.lower <= 0",
        f"greatest(count(*) FILTER (WHERE certainly), CASE WHEN {rose} THEN 1 ELSE 0 END)",
    )


def new_grades(feature: Feature, options: FeatureOptions) -> str:
    """NewGradesCondition: systems at a grade at the visit, and at a lower one at the other moment (B: C, D or E)."""
    from sle_kg import ontology

    instrument, grade = str(feature.get("instrument")), str(feature.get("grade"))
    graded = ontology.graded_systems().get(instrument)
    if graded is None or grade not in graded.points:
        raise TrialFileError(f"{instrument} has no grade {grade}; new grades are of an instrument that has it.")
    points = graded.points[grade]
    beneath = max((other for other in graded.points.values() if other < points), default=-1)
    beyond = min((other for other in graded.points.values() if other > points), default=points + 1)
    return _compared_items(feature, "p.part = p.test") + _counted(
        f"n.lower > {beneath} AND n.upper < {beyond} AND b.upper < {points}",
        f"n.lower <= {points} AND n.upper >= {points} AND b.lower < {points}",
    )


# ---- results --------------------------------------------------------------------------------------------------------


def _ratio(above: str, beneath: str, below: bool, strict: str) -> str:
    """SQL: an exact ratio rounded to 10⁻¹² outwards, and away from a limit that a strict comparator does not reach.

    The 10⁻¹² by which `>120` lies above 120 survives the division: > 120 of 40 is more than three times.
    """
    ratio = f"TRY(inexact({{}}(exact({above}) * CAST(1000000000000 AS HUGEINT), exact({beneath}))))"
    down, up = ratio.format("below"), ratio.format("above")
    inward, outward = (up, down) if below else (down, up)
    return f"CASE WHEN {beneath} > 0 THEN CASE WHEN {strict} THEN {inward} ELSE {outward} END END"


_ABOVE, _BELOW = "exact({}) % 10 = 1", "exact({}) % 10 = 9"
"""SQL: whether a number is a strict lower or a strict upper bound."""
_QUANTITIES = {
    "value": ("low", "high"),
    "timesBaseline": ("low", "high"),
    "timesUpperLimit": (
        _ratio("low", "uln", True, _ABOVE.format("low")),
        _ratio("high", "uln", False, _BELOW.format("high")),
    ),
    "timesLowerLimit": (
        _ratio("low", "lln", True, _ABOVE.format("low")),
        _ratio("high", "lln", False, _BELOW.format("high")),
    ),
}
"""What is compared: SQL over the columns of a result, from below and from above."""


def _results(feature: Feature) -> str:
    """The results of the tests that a feature names."""
    return f"(SELECT * FROM fact_measurement WHERE test IN ({texts(names_of(feature, 'test'))}))"


def assessed_value(feature: Feature, options: FeatureOptions) -> str:
    """AssessedValueCondition: a result, its multiple of its own limit or of the baseline, or its change.

    Of several tests the nearest day over all counts, as a range. A comparison of two moments is within one test: where
    the results used are of different tests, nothing is known of it.
    """
    quantity = str(feature.get("quantity"))
    if quantity not in _QUANTITIES:
        raise TrialFileError(f"A value of a follow-up is one of {', '.join(sorted(_QUANTITIES))}, not {quantity}.")
    low, high = _QUANTITIES[quantity]
    looked = _moments(feature)
    moments = [*looked, ("base", "baseline")] if quantity == "timesBaseline" else looked
    ctes = [ALL, f"results AS {_results(feature)}"]
    for name, moment in moments:
        ctes.append(nearest(name, moment, "results"))
        ctes.append(f"""{name}_values AS (
            SELECT ask, CASE WHEN bool_and(sure) THEN least_or_null({low}) END AS lower,
                   CASE WHEN bool_and(sure) THEN greatest_or_null({high}) END AS upper,
                   records_of(record) AS records, list_sort(list_distinct(list(test))) AS tests
            FROM {name} GROUP BY ask)""")
    bounds = [_within_one_test(f"{name}_values", quantity == "timesBaseline") for name, _ in looked]
    ctes += [f"{name}_bounds AS ({sql})" for (name, _), sql in zip(looked, bounds, strict=True)]
    if len(looked) == 1:
        return f"WITH {', '.join(ctes)} {_difference('n_bounds', None)}"
    ctes.append("""one_test AS (
        SELECT n.ask FROM n_bounds n JOIN t_bounds t USING (ask) WHERE n.tests = t.tests AND len(n.tests) = 1)""")
    ctes.append(f"difference AS ({_difference('n_bounds', 't_bounds')})")
    return f"""WITH {", ".join(ctes)}
    SELECT d.ask, CASE WHEN o.ask IS NOT NULL THEN d.lower END AS lower,
           CASE WHEN o.ask IS NOT NULL THEN d.upper END AS upper, d.records
    FROM difference d LEFT JOIN one_test o USING (ask)"""


def _within_one_test(values: str, times_baseline: bool) -> str:
    """SELECT of bounds, records and tests of the values of a CTE, or of their multiples of those at baseline."""
    if not times_baseline:
        return f"SELECT * FROM {values}"
    lower = _ratio("v.lower", "b.upper", True, f"{_ABOVE.format('v.lower')} OR {_BELOW.format('b.upper')}")
    upper = _ratio("v.upper", "b.lower", False, f"{_BELOW.format('v.upper')} OR {_ABOVE.format('b.lower')}")
    same = "v.tests = b.tests AND len(v.tests) = 1"
    return f"""
        SELECT ask, CASE WHEN {same} THEN {lower} END AS lower, CASE WHEN {same} THEN {upper} END AS upper,
               list_sort(list_distinct(list_concat(coalesce(v.records, []), coalesce(b.records, [])))) AS records,
               list_sort(list_distinct(list_concat(coalesce(v.tests, []), coalesce(b.tests, [])))) AS tests
        FROM {values} v FULL JOIN base_values b USING (ask)"""


def assessed_positive(feature: Feature, options: FeatureOptions) -> str:
    """AssessedPositiveCondition: whether a test is positive (rule 9); tests that disagree on the day leave it open."""
    (name, moment), *_ = _moments(feature)
    return f"""
    WITH {ALL}, {nearest(name, moment, _results(feature))}
    SELECT ask, CASE WHEN bool_and(sure AND coalesce({POSITIVE}, false)) THEN 1
                     WHEN bool_and(sure AND coalesce(NOT {POSITIVE}, false)) THEN 0 END AS lower,
           lower AS upper, records_of(record) AS records
    FROM {name} GROUP BY ask"""


def highest_value(feature: Feature, options: FeatureOptions) -> str:
    """HighestValueCondition: the highest result from an event to the day judged, of those recorded."""
    return f"""
    WITH {ALL},
    v AS (
        SELECT w.ask, m.record, m.low, m.high,
               coalesce(m.date_from >= n.last AND m.date_to <= w.on_date, false) AS inside
        FROM w JOIN anchor n ON n.ask = w.of AND n.anchor = w.anchor
        JOIN {_results(feature)} m ON m.patient = w.patient
        AND coalesce(m.date_from, {BEGINNING}) <= w.on_date AND coalesce(m.date_to, {ENDING}) >= n.first)
    SELECT ask, max(low) FILTER (WHERE inside) AS lower,
           CASE WHEN bool_or(inside) THEN greatest_or_null(high) END AS upper, records_of(record) AS records
    FROM v GROUP BY ask"""


# ---- treatment ------------------------------------------------------------------------------------------------------


def treatment_change(feature: Feature, options: FeatureOptions) -> str:
    """TreatmentChangeCondition: a medicine taken on the day judged was begun, or its dose changed, since a moment.

    Records are of one medicine where they name the same active moiety; a code that names no single one may be any. A
    medicine that no record can place at the moment was begun since. Doses compare within one drug and unit. A medicine
    is unchanged where the same records surely span both days, or where both days have one and the same dose.
    """
    return f"""
    WITH {window(feature)}, {rates(feature, use="now")},
    m AS (
        SELECT f.ask, f.record, g.moiety, g.drug, f.dose_unit, f.low, f.high,
               f.start_lo <= f.on_date AND f.end_hi >= f.on_date AS now_maybe,
               f.certain AND coalesce(f.start_hi <= f.on_date AND f.end_lo >= f.on_date, false) AS now_sure,
               f.start_lo <= d.target AND f.end_hi >= d.target AS then_maybe,
               f.certain AND coalesce(f.start_hi <= d.target AND f.end_lo >= d.target, false) AS then_sure,
               coalesce(d.target <= f.on_date, false) AS dated
        FROM f JOIN w USING (ask) LEFT JOIN drug g ON g.concept = f.concept
        LEFT JOIN moment d ON d.ask = w.of AND d.moment = {text(str(feature.get("since")))}
        WHERE f.start_lo <= f.on_date AND f.end_hi >= f.on_date
        OR coalesce(f.start_lo <= d.target AND f.end_hi >= d.target, true)),
    unclear AS (SELECT ask, bool_or(then_maybe) AS then_maybe FROM m WHERE moiety IS NULL GROUP BY ask),
    medicine AS (
        SELECT ask, moiety, bool_or(now_maybe) AS now_maybe, bool_or(now_sure) AS now_sure,
               coalesce(bool_or(then_maybe), true) AS then_maybe, bool_or(coalesce(then_sure, false)) AS then_sure,
               bool_and(dated) AS dated,
               coalesce(bool_and(now_sure AND then_sure) FILTER (WHERE now_maybe OR then_maybe), false) AS spanned,
               count(DISTINCT (drug, dose_unit)) = 1 AND bool_and(drug IS NOT NULL AND dose_unit IS NOT NULL)
               AS one_drug,
               max(low) FILTER (WHERE now_sure) AS now_low, max(low) FILTER (WHERE then_sure) AS then_low,
               CASE WHEN NOT bool_or(now_maybe AND high IS NULL) THEN sum(high) FILTER (WHERE now_maybe) END
               AS now_high,
               CASE WHEN NOT bool_or(then_maybe AND high IS NULL) THEN sum(high) FILTER (WHERE then_maybe) END
               AS then_high,
               records_where(record, now_maybe) AS now_records,
               records_where(record, now_maybe OR then_maybe) AS records
        FROM m GROUP BY ask, moiety),
    judged AS (
        SELECT p.*,
               dated AND now_sure AND (
                   NOT p.then_maybe AND NOT coalesce(u.then_maybe, false) AND (
                       moiety IS NOT NULL OR NOT bool_or(p.then_maybe) OVER (PARTITION BY ask))
                   OR moiety IS NOT NULL AND then_sure AND one_drug
                   AND coalesce(now_low > then_high OR now_high < then_low, false)) AS changed,
               dated AND (spanned OR moiety IS NOT NULL AND now_sure AND then_sure AND one_drug
                   AND coalesce(now_low = then_low AND now_high = then_high AND now_high - now_low <= 1, false))
               AS same
        FROM medicine p LEFT JOIN unclear u USING (ask)),
    s AS (
        SELECT ask, bool_or(changed) AS changed, bool_and(same) FILTER (WHERE now_maybe) AS same,
               flatten(list(records) FILTER (WHERE changed)) AS proof,
               flatten(list(records) FILTER (WHERE now_maybe)) AS records
        FROM judged GROUP BY ask)
    SELECT w.ask, CASE WHEN s.changed THEN 1 END AS lower,
           CASE WHEN c.ask IS NOT NULL AND coalesce(s.same, true) THEN 0 END AS upper,
           list_sort(list_distinct(CASE WHEN s.changed THEN s.proof WHEN s.same IS NOT NULL THEN s.records
                WHEN c.ask IS NOT NULL THEN [c.record] ELSE [] END)) AS records
    FROM w LEFT JOIN s USING (ask) {COMPLETE}"""


# ---- items for the score command ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ItemState:
    """An item of an instrument at the visit of one ask: what is recorded and what laboratory results propose.

    `item` is its key without prefix; None is not known. The records are those of either.
    """

    ask: int
    item: str
    recorded: bool | None
    derived: bool | None
    records: tuple[str, ...]
    derived_records: tuple[str, ...]


def item_states(connection: duckdb.DuckDBPyConnection, total: str) -> list[ItemState]:
    """Every item of a total at the visit of every ask loaded, by ask, then in the order of the keys.

    Results propose for the day of the assessment; where there is none, for the day at which the visit aims.
    """
    query = f"""
    WITH w AS (SELECT *, ask AS of, {text(total)} AS total FROM ask),
    {nearest("v", "visit", "assessment", "s.total = w.total")},
    seen AS (
        SELECT ask, count(*) = 1 AND bool_and(sure AND coalesce(date_from = date_to, false)) AS dated,
               any_value(id) AS id, any_value(date_from) AS day
        FROM v GROUP BY ask),
    looked AS (
        SELECT w.ask, w.patient, w.total, CASE WHEN s.dated THEN s.id END AS id,
               CASE WHEN s.ask IS NULL THEN d.target WHEN s.dated THEN s.day END AS day
        FROM w JOIN moment d ON d.ask = w.ask AND d.moment = 'visit' LEFT JOIN seen s ON s.ask = w.ask),
    days AS (SELECT DISTINCT patient, total, day FROM looked WHERE day IS NOT NULL),
    {proposals("days")},
    said AS (
        SELECT patient, date_from AS day, test, records_of(record) AS records
        FROM fact_measurement WHERE date_from = date_to GROUP BY ALL)
    SELECT l.ask, p.test, CASE WHEN i.at_least > 0 THEN true WHEN i.at_most <= 0 THEN false END, o.proposed,
           CASE WHEN l.id IS NULL THEN [] ELSE coalesce(r.records, []) END, coalesce(o.records, [])
    FROM looked l JOIN score_part p ON p.total = l.total AND p.part = p.test
    LEFT JOIN assessed_item i ON i.id = l.id AND i.test = p.test
    LEFT JOIN said r ON r.patient = l.patient AND r.day = l.day AND r.test = p.test
    LEFT JOIN proposed o ON o.patient = l.patient AND o.total = l.total AND o.day = l.day AND o.item = p.test
    ORDER BY l.ask, p.test"""
    return [
        ItemState(ask, test.rpartition(":")[2], recorded, derived, tuple(records), tuple(results))
        for ask, test, recorded, derived, records, results in connection.execute(query).fetchall()
    ]
