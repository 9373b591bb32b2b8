-- Medicines: taken, washed out, how many, how long, at which dose. One row for each patient in `treated`. drug_code:
-- one row for each concept of a wanted value set; a column for each set, true where the concept is in it, false where
-- that is undecided, null where it is outside; and the attributes of the drug.

CREATE OR REPLACE MACRO lower_rate(numerator, denominator) AS numerator // denominator;
CREATE OR REPLACE MACRO upper_rate(numerator, denominator) AS (numerator + denominator - 1) // denominator;
CREATE OR REPLACE MACRO micro(x) AS CAST(CAST(TRY_CAST(x AS DECIMAL(18, 6)) AS DECIMAL(38, 6)) * 1000000 AS HUGEINT);
CREATE OR REPLACE MACRO pico(x) AS CAST(TRY_CAST(x AS DECIMAL(18, 12)) * 1000000000000 AS HUGEINT);
-- doses are whole numbers of 1/1 260 000 000 mg; a limit per kg is reached from 6 of them below it
CREATE OR REPLACE MACRO mg(x) AS CAST(CAST(x AS DECIMAL(8, 2)) * CAST(1260000000 AS DECIMAL(10, 0)) AS HUGEINT);

CREATE OR REPLACE TEMP TABLE taking AS
WITH record AS (
    SELECT *, rowid AS place,
           taken = 'no' AND coalesce(end_to >= judged_on(), true) AS denied,
           taken IN ('yes', 'uncertain') AND NOT coalesce(administration, false) AND coalesce(route, '') <> 'local'
               AND (end_from <= judged_on() OR NOT ongoing) AS stopped
    FROM source_exposure WHERE coalesce(start_from, beginning()) <= judged_on()),
-- a later word on the same drug: it is not taken, or the course is over, unless that is another course or an older word
doubted AS (
    SELECT DISTINCT x.place FROM record x JOIN record y USING (patient, concept)
    WHERE x.ongoing AND CASE
        WHEN y.denied THEN coalesce(y.start_from, y.start_to) > coalesce(x.start_from, beginning())
        WHEN NOT coalesce(y.stopped, false) OR x.record = y.record OR x.route <> y.route
             OR x.start_to < y.start_from
             OR x.start_from >= coalesce(y.end_to, y.recorded_to) AND coalesce(x.start_from > y.start_from, true)
            THEN false
        WHEN y.recorded_to IS NULL THEN coalesce(x.start_from <= y.start_to, true)
        WHEN x.recorded_from = y.recorded_from AND x.recorded_to = y.recorded_to AND y.recorded_from = y.recorded_to
            THEN coalesce(x.start_from <= y.start_to, true)
        ELSE coalesce(x.recorded_from <= y.recorded_to, true) END),
seen AS (
    SELECT s.*, CASE WHEN d.place IS NULL THEN s.ongoing END AS going,
           coalesce(s.end_from > judged_on(), true) AS open_end
    FROM record s LEFT JOIN doubted d USING (place))
SELECT x.patient, x.place, x.record, c.* EXCLUDE (concept), x.taken = 'yes' AS taken, x.route, x.dose,
    x.dose_unit,
       x.times, x.period_days, x.administration, x.start_from, x.start_to, x.end_from, x.end_to,
       coalesce(x.start_from, beginning()) AS start_lo,
       CASE WHEN x.start_to IS NOT NULL OR x.end_from IS NULL AND x.going THEN least(x.start_to, x.end_to,
           judged_on())
            WHEN x.end_from <= judged_on() THEN least(x.end_to, judged_on()) END AS start_hi,
       x.start_to IS NOT NULL OR coalesce(x.end_from <= judged_on(), true) AS began,
       CASE WHEN NOT x.open_end THEN greatest(x.end_from, x.start_from) WHEN x.going THEN judged_on()
            ELSE x.start_from END AS end_lo,
       CASE WHEN x.open_end AND coalesce(x.going, true) THEN judged_on() ELSE least(x.end_to, judged_on()) END AS end_hi
FROM seen x JOIN drug_code c USING (concept)
WHERE x.taken <> 'no' AND coalesce(x.route, '') <> 'local';

-- ---- taken ever, now, lately; washed out; how many drugs ----

CREATE OR REPLACE TEMP TABLE took AS
SELECT patient,
    bool_or(taken AND ivig AND start_hi <= judged_on() AND end_lo >= judged_on() - 14) AS ivig,
    bool_or(ivig IS NOT NULL AND end_hi >= judged_on() - 14) AS ivig_maybe,
    bool_or(taken AND suppressant AND start_hi <= judged_on() AND end_lo >= judged_on()) AS suppressant,
    bool_or(suppressant IS NOT NULL AND end_hi >= judged_on()) AS suppressant_maybe,
    bool_or(taken AND anti_infective AND start_hi <= judged_on() AND end_lo >= judged_on()) AS anti_infective,
    bool_or(anti_infective IS NOT NULL AND end_hi >= judged_on()) AS anti_infective_maybe,
    bool_or(taken AND anticoagulant AND start_hi <= judged_on() AND end_lo >= judged_on()) AS anticoagulant,
    bool_or(anticoagulant IS NOT NULL AND end_hi >= judged_on()) AS anticoagulant_maybe,
    bool_or(taken AND antimalarial AND start_hi <= judged_on() AND end_lo >= judged_on()) AS antimalarial,
    bool_or(antimalarial IS NOT NULL AND end_hi >= judged_on()) AS antimalarial_maybe,
    bool_or(taken AND mycophenolate AND start_hi <= judged_on() AND end_lo >= judged_on()) AS mycophenolate,
    bool_or(mycophenolate IS NOT NULL AND end_hi >= judged_on()) AS mycophenolate_maybe,
    bool_or(taken AND azathioprine AND start_hi <= judged_on() AND end_lo >= judged_on()) AS azathioprine,
    bool_or(azathioprine IS NOT NULL AND end_hi >= judged_on()) AS azathioprine_maybe,
    bool_or(taken AND hydroxychloroquine AND began) AS hydroxychloroquine,
    bool_or(hydroxychloroquine IS NOT NULL) AS hydroxychloroquine_maybe,
    bool_or(taken AND b_cell AND began) AS b_cell, bool_or(b_cell IS NOT NULL) AS b_cell_maybe,
    bool_or(taken AND car_t AND began) AS car_t, bool_or(car_t IS NOT NULL) AS car_t_maybe,
    bool_or(taken AND jak AND began AND judged_on() - end_lo < washout3) AS jak,
    bool_or(jak IS NOT NULL AND coalesce(judged_on() - end_hi < washout3, true)) AS jak_maybe,
    bool_or(taken AND btk AND began AND judged_on() - end_lo < washout3) AS btk,
    bool_or(btk IS NOT NULL AND coalesce(judged_on() - end_hi < washout3, true)) AS btk_maybe,
    bool_or(taken AND biologic AND began AND judged_on() - end_lo < washout5) AS biologic,
    bool_or(biologic IS NOT NULL AND coalesce(judged_on() - end_hi < washout5, true)) AS biologic_maybe,
    bool_or(taken AND lupus_biologic AND began) AS lupus_biologic, bool_or(lupus_biologic IS NOT NULL)
        AS lupus_biologic_maybe,
    -- one record that lasts long enough by itself
    bool_or(taken AND standard AND end_lo >= judged_on() - 7 AND end_lo - start_hi >= 56) AS standard_long,
    bool_or(taken AND named AND end_lo - start_hi >= 92) AS named_long,
    -- two different conventional immunosuppressants
    min(moiety) FILTER (WHERE taken AND conventional AND began) < max(moiety)
        FILTER (WHERE taken AND conventional AND began)
        AS two_conventional,
    min(coalesce(moiety, record)) FILTER (WHERE conventional IS NOT NULL)
        < max(coalesce(moiety, record)) FILTER (WHERE conventional IS NOT NULL) AS two_conventional_maybe
FROM taking GROUP BY patient;

-- E25: a study drug within 28 days before leukapheresis
CREATE OR REPLACE TEMP TABLE study_drug AS
SELECT patient, bool_or(taken AND investigational AND start_hi <= leukapheresis_from
    AND end_lo >= leukapheresis_to - 28) AS study_drug,
       bool_or(start_lo <= leukapheresis_to AND end_hi >= leukapheresis_from - 28) AS study_drug_maybe
FROM taking JOIN happened USING (patient) WHERE investigational IS NOT NULL AND leukapheresis_from IS NOT NULL
GROUP BY patient;

-- ---- how long: courses joined over gaps ----

-- standard I06, anticoagulant E28b, mycophenolate I03.2d: the longest course, from its first to its last day; tb E12,
-- named I03f: the days of all courses; mycophenolate and cyclophosphamide in 6 months (I03.3f): both ends count, a pulse
-- lasts one gap beyond its last known dose. Where one record lasts long enough, nothing is joined; what is possible
-- matters only where medications are complete.
CREATE OR REPLACE TYPE course AS ENUM
    ('standard', 'anticoagulant', 'tb', 'mycophenolate', 'named', 'mycophenolate run', 'cyclophosphamide run');

CREATE OR REPLACE TEMP TABLE lasted AS
WITH course AS (
    SELECT t.patient, 'standard'::course AS name, 7 AS gap, taken AND standard AS sure, start_lo, start_hi, end_lo,
        end_hi
    FROM taking t JOIN took k USING (patient) WHERE standard IS NOT NULL AND k.standard_long IS DISTINCT FROM true
    UNION ALL
    SELECT t.patient, 'named', 1, taken AND named, start_lo, start_hi, end_lo, end_hi
    FROM taking t JOIN took k USING (patient) WHERE named IS NOT NULL AND k.named_long IS DISTINCT FROM true
    UNION ALL
    SELECT patient, 'anticoagulant', 7, taken AND anticoagulant, start_lo, start_hi, end_lo, end_hi
    FROM taking WHERE anticoagulant IS NOT NULL
    UNION ALL
    SELECT patient, 'tb', 1, taken AND tb, start_lo, start_hi, end_lo, end_hi FROM taking WHERE tb IS NOT NULL
    UNION ALL
    SELECT patient, 'mycophenolate', 30, taken AND mycophenolate, start_lo, start_hi, end_lo, end_hi
    FROM taking WHERE mycophenolate IS NOT NULL
    UNION ALL
    SELECT patient, 'mycophenolate run', 7, taken AND mycophenolate, start_lo, start_hi, end_lo, end_hi
    FROM taking WHERE mycophenolate IS NOT NULL
    UNION ALL
    SELECT patient, 'cyclophosphamide run', 35, taken AND cyclophosphamide, start_lo, start_hi, end_lo,
           least(end_hi + 35, judged_on())
    FROM taking WHERE cyclophosphamide IS NOT NULL),
interval AS (
    SELECT patient, name, gap, true AS sure, start_hi AS first, end_lo AS last
        FROM course WHERE sure AND start_hi <= end_lo
    UNION ALL
    SELECT c.patient, name, gap, false, start_lo, end_hi
    FROM course c JOIN person p USING (patient) WHERE p.medications_complete AND start_lo <= end_hi),
marked AS (
    SELECT *, CASE WHEN first <= max(last) OVER earlier + gap THEN 0 ELSE 1 END AS begins FROM interval
    WINDOW earlier AS (PARTITION BY patient, name, sure ORDER BY first, last ROWS BETWEEN UNBOUNDED PRECEDING
        AND 1 PRECEDING)),
numbered AS (
    SELECT *, sum(begins) OVER (PARTITION BY patient, name, sure ORDER BY first, last) AS number FROM marked),
run AS (
    SELECT patient, name, sure, gap, min(first) AS first, max(last) AS last FROM numbered
        GROUP BY patient, name, sure, gap, number)
SELECT patient,
    max(last - first) FILTER (WHERE name = 'standard' AND sure AND last >= judged_on() - 7) AS standard_least,
    max(last - first) FILTER (WHERE name = 'standard' AND NOT sure AND last >= judged_on() - 7) AS standard_most,
    max(last - first) FILTER (WHERE name = 'anticoagulant' AND sure AND last >= judged_on() - 7) AS anticoagulant_least,
    max(last - first)
        FILTER (WHERE name = 'anticoagulant' AND NOT sure AND last >= judged_on() - 7) AS anticoagulant_most,
    sum(last - first) FILTER (WHERE name = 'tb' AND sure) AS tb_least,
    sum(last - first) FILTER (WHERE name = 'tb' AND NOT sure) AS tb_most,
    max(last - first) FILTER (WHERE name = 'mycophenolate' AND sure) AS mycophenolate_least,
    max(last - first) FILTER (WHERE name = 'mycophenolate' AND NOT sure) AS mycophenolate_most,
    sum(last - first) FILTER (WHERE name = 'named' AND sure) AS named_least,
    sum(last - first) FILTER (WHERE name = 'named' AND NOT sure) AS named_most,
    max(last - first + 1)
        FILTER (WHERE name = 'mycophenolate run' AND sure AND last >= half_year) AS mycophenolate_run_least,
    max(last - first + 1)
        FILTER (WHERE name = 'mycophenolate run' AND NOT sure AND last >= half_year) AS mycophenolate_run_most,
    max(last - first + 1)
        FILTER (WHERE name = 'cyclophosphamide run' AND sure AND last >= half_year) AS cyclophosphamide_run_least,
    max(last - first + 1)
        FILTER (WHERE name = 'cyclophosphamide run' AND NOT sure AND last >= half_year) AS cyclophosphamide_run_most
FROM (SELECT *, CAST(judged_on() - INTERVAL 6 MONTH AS DATE) AS half_year FROM run) GROUP BY patient;

-- ---- doses: what each record gives a day, from below and above ----

-- the weights nearest to the interval of a record, within a year; one that could not be read, or is none, is no weight
CREATE OR REPLACE TEMP TABLE weighed AS
WITH needed AS (
    SELECT patient, place, start_hi, end_lo, end_hi FROM taking
    WHERE glucocorticoid IS NOT NULL OR azathioprine IS NOT NULL
          OR (mycophenolate IS NOT NULL OR cyclophosphamide IS NOT NULL) AND dose_unit IS DISTINCT FROM 'mg'),
near AS (
    SELECT e.place, b.low, b.high, b.date_from AS day, b.date_to > b.date_from AS vague,
           greatest(0, coalesce(e.start_hi, e.end_hi) - b.date_to, b.date_from - coalesce(e.end_lo,
               e.end_hi)) AS distance
    FROM needed e JOIN source_measurement b ON b.patient = e.patient
    WHERE b.test = 'bodyWeight' AND b.date_from <= judged_on() AND b.date_to IS NOT NULL
      AND coalesce(b.high > 0, b.low IS NOT NULL)
    QUALIFY distance <= 365 AND distance = min(distance) OVER (PARTITION BY e.place)),
dated AS (
    SELECT *, day = max(day) OVER (PARTITION BY place) AS latest,
           CASE WHEN bool_and(high IS NOT NULL) OVER (PARTITION BY place, day)
               THEN max(high) OVER (PARTITION BY place, day) END AS of_day          -- weights of one day are a range
    FROM near)
SELECT place,
       CASE WHEN bool_and(low IS NOT NULL) THEN min(low) END AS light, CASE WHEN bool_and(high IS NOT NULL)
           THEN max(high) END AS heavy,
       CASE WHEN min(distance) = 0 AND NOT bool_or(vague) THEN min(of_day)
            WHEN bool_and(high IS NOT NULL) THEN max(high) END AS reached,
       CASE WHEN bool_and(low IS NOT NULL) FILTER (WHERE latest) THEN min(low) FILTER (WHERE latest) END AS light_last,
       CASE WHEN bool_and(high IS NOT NULL) FILTER (WHERE latest) THEN max(high) FILTER (WHERE latest) END AS heavy_last
FROM dated GROUP BY place;

CREATE OR REPLACE TEMP TABLE dosed AS
WITH timed AS (
    SELECT patient, place, record, taken, began, start_lo, start_hi, end_lo, end_hi, dose, dose_unit,
           glucocorticoid, mycophenolate, azathioprine,
           prednisone_numerator, prednisone_denominator, mmf_numerator, mmf_denominator, ambiguous_mmf,
           CASE WHEN administration AND start_from = end_to THEN coalesce(times, 1) ELSE times END AS times,
           CASE WHEN administration AND start_from = end_to THEN coalesce(period_days, 1) ELSE period_days END AS period
    FROM taking WHERE glucocorticoid IS NOT NULL OR mycophenolate IS NOT NULL OR azathioprine IS NOT NULL),
exact AS (
    SELECT *, micro(dose) * pico(times) * 1260 AS top, pico(period) AS bottom FROM timed),
rate AS (
    SELECT * EXCLUDE (top, bottom, times, period),
           CASE WHEN period > 0 THEN TRY(lower_rate(top * prednisone_numerator,
               bottom * prednisone_denominator)) END AS prednisone_low,
           CASE WHEN period > 0 THEN TRY(upper_rate(top * prednisone_numerator,
               bottom * prednisone_denominator)) END AS prednisone_high,
           CASE WHEN period > 0 THEN TRY(lower_rate(top * CASE WHEN ambiguous_mmf THEN 1 ELSE mmf_numerator END,
                                                    bottom * CASE WHEN ambiguous_mmf THEN 1
                                                        ELSE mmf_denominator END)) END AS mofetil_low,
           CASE WHEN period > 0 THEN TRY(upper_rate(top * CASE WHEN ambiguous_mmf THEN 1000 ELSE mmf_numerator END,
                                                    bottom * CASE WHEN ambiguous_mmf THEN 720
                                                        ELSE mmf_denominator END)) END AS mofetil_high,
           CASE WHEN period > 0 THEN TRY(lower_rate(top, bottom)) END AS plain_low,
           CASE WHEN period > 0 THEN TRY(upper_rate(top, bottom)) END AS plain_high
    FROM exact)
SELECT r.*, k.light, k.heavy, k.reached, k.light_last, k.heavy_last FROM rate r LEFT JOIN weighed k USING (place);

CREATE OR REPLACE MACRO a_day_low(low, unit, kilograms) AS
    CASE WHEN unit = 'mg' THEN low WHEN kilograms > 0 THEN lower_rate(low * micro(kilograms), 1000000) END;
CREATE OR REPLACE MACRO a_day_high(high, unit, kilograms) AS
    CASE WHEN unit = 'mg' THEN high WHEN kilograms > 0 THEN upper_rate(high * micro(kilograms), 1000000) END;
CREATE OR REPLACE MACRO per_kg_low(low, unit, kilograms) AS
    CASE WHEN unit = 'mg/kg' THEN low WHEN kilograms > 0 THEN lower_rate(low * 1000000, micro(kilograms)) END;
CREATE OR REPLACE MACRO per_kg_high(high, unit, kilograms) AS
    CASE WHEN unit = 'mg/kg' THEN high WHEN kilograms > 0 THEN upper_rate(high * 1000000, micro(kilograms)) END;

-- the dose of today: glucocorticoids add up (I03.1c1); records of mycophenolate (I03.1b1) or azathioprine (I03.1b2)
-- may be one prescription or parts of one dose
CREATE OR REPLACE TEMP TABLE dose_now AS
WITH each_record AS (
    SELECT patient, record,
           bool_or(glucocorticoid IS NOT NULL) AS glucocorticoid, bool_or(mycophenolate IS NOT NULL) AS mycophenolate,
           bool_or(azathioprine IS NOT NULL) AS azathioprine,
           sum(a_day_low(prednisone_low, dose_unit, light_last))
               FILTER (WHERE taken AND glucocorticoid AND start_hi <= judged_on()
               AND end_lo >= judged_on()) AS prednisone_low,
           CASE WHEN NOT bool_or(a_day_high(prednisone_high, dose_unit, heavy_last) IS NULL)
               FILTER (WHERE glucocorticoid IS NOT NULL)
                THEN sum(a_day_high(prednisone_high, dose_unit, heavy_last))
                    FILTER (WHERE glucocorticoid IS NOT NULL) END AS prednisone_high,
           sum(a_day_low(mofetil_low, dose_unit, light_last))
               FILTER (WHERE taken AND mycophenolate AND start_hi <= judged_on()
               AND end_lo >= judged_on()) AS mofetil_low,
           CASE WHEN NOT bool_or(a_day_high(mofetil_high, dose_unit, heavy_last) IS NULL)
               FILTER (WHERE mycophenolate IS NOT NULL)
                THEN sum(a_day_high(mofetil_high, dose_unit, heavy_last))
                    FILTER (WHERE mycophenolate IS NOT NULL) END AS mofetil_high,
           sum(per_kg_low(plain_low, dose_unit, heavy_last))
               FILTER (WHERE taken AND azathioprine AND start_hi <= judged_on()
               AND end_lo >= judged_on()) AS azathioprine_low,
           CASE WHEN NOT bool_or(per_kg_high(plain_high, dose_unit, light_last) IS NULL)
               FILTER (WHERE azathioprine IS NOT NULL)
                THEN sum(per_kg_high(plain_high, dose_unit, light_last))
                    FILTER (WHERE azathioprine IS NOT NULL) END AS azathioprine_high
    FROM dosed WHERE end_hi >= judged_on() GROUP BY patient, record)
SELECT patient,
       sum(prednisone_low) AS prednisone_low, bool_or(glucocorticoid AND prednisone_high IS NULL) AS prednisone_open,
           sum(prednisone_high) AS prednisone_high,
       max(mofetil_low) AS mofetil_low, bool_or(mycophenolate AND mofetil_high IS NULL) AS mofetil_open,
           sum(mofetil_high) AS mofetil_high,
       max(azathioprine_low) AS azathioprine_low, bool_or(azathioprine AND azathioprine_high IS NULL)
           AS azathioprine_open, sum(azathioprine_high) AS azathioprine_high
FROM each_record GROUP BY patient;

-- ---- doses that add up on some day ----
-- E02c: 100 mg a day; E24a, E24b: more than 10 mg before leukapheresis, before infusion; I03c: 1 mg/kg ever; I03.3d,
-- e: 0.7 mg/kg with mycophenolate or cyclophosphamide. A patient whose records together do not reach the dose never
-- took it; only for the others are days looked at.

CREATE OR REPLACE TEMP TABLE steroid AS
SELECT d.patient, d.taken AND d.glucocorticoid AS sure, d.began, d.start_lo, d.start_hi, d.end_lo, d.end_hi,
       a_day_low(prednisone_low, dose_unit, light) AS low, a_day_high(prednisone_high, dose_unit, heavy) AS high,
       a_day_high(prednisone_high, dose_unit, reached) AS high_reached,
       per_kg_low(prednisone_low, dose_unit, reached) AS kg_low_reached, per_kg_high(prednisone_high, dose_unit,
           light) AS kg_high,
       per_kg_low(prednisone_low, dose_unit, heavy) AS kg_low
FROM dosed d WHERE d.glucocorticoid IS NOT NULL;

CREATE OR REPLACE TEMP TABLE steroid_sum AS
SELECT patient, p.medications_complete AS complete, h.leukapheresis_from, h.leukapheresis_to, h.infusion_from,
    h.infusion_to,
       coalesce(sum(low) FILTER (WHERE sure), 0) AS low,
       coalesce(sum(coalesce(high, mg(100))), 0) AS high,
       coalesce(sum(coalesce(high_reached, mg(100))), 0) AS high_reached,
       coalesce(sum(kg_low_reached) FILTER (WHERE sure), 0) AS kg_low_reached,
       coalesce(sum(kg_low) FILTER (WHERE sure), 0) AS kg_low,
       coalesce(sum(coalesce(kg_high, mg(100))), 0) AS kg_high,
       bool_or(kg_high IS NULL) AS kg_open
FROM steroid JOIN person p USING (patient) LEFT JOIN happened h USING (patient) GROUP BY ALL;

-- stretches of days: what is asked, from which day to which, the dose added, whether another drug covers them
CREATE OR REPLACE TEMP TABLE stretch AS
WITH companion AS (
    SELECT patient, true AS sure, start_hi AS first, end_lo AS last FROM taking
    WHERE taken AND (mycophenolate OR cyclophosphamide) AND start_hi <= end_lo
    UNION ALL
    SELECT patient, false, start_lo, end_hi FROM taking
    WHERE (mycophenolate IS NOT NULL OR cyclophosphamide IS NOT NULL) AND start_lo <= end_hi),
companion_marked AS (
    SELECT *, CASE WHEN first <= max(last) OVER (PARTITION BY patient, sure ORDER BY first, last
                       ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) + 35 THEN 0 ELSE 1 END AS begins
    FROM companion SEMI JOIN (SELECT patient FROM steroid_sum WHERE kg_high >= mg(0.7) - 6
        OR kg_low >= mg(0.7) - 6) USING (patient)),
companion_run AS (
    SELECT patient, sure, min(first) AS first, max(last) AS last FROM (
        SELECT *, sum(begins) OVER (PARTITION BY patient, sure ORDER BY first, last) AS number FROM companion_marked)
    GROUP BY patient, sure, number)
SELECT patient, 'E02c' AS asked, true AS sure, start_hi AS first, end_lo AS last, s.low AS rate, 0 AS cover
FROM steroid s JOIN steroid_sum t USING (patient)
WHERE t.low >= mg(100) AND sure AND s.low IS NOT NULL AND start_hi <= end_lo
UNION ALL
SELECT patient, 'E02c', false, start_lo, end_hi, coalesce(s.high, mg(100)), 0
FROM steroid s JOIN steroid_sum t USING (patient) WHERE t.complete AND t.high >= mg(100) AND start_lo <= end_hi
UNION ALL
SELECT patient, 'I03.3', true, start_hi, end_lo, s.kg_low, 0
FROM steroid s JOIN steroid_sum t USING (patient)
WHERE t.kg_low >= mg(0.7) - 6 AND sure AND s.kg_low IS NOT NULL AND start_hi <= end_lo
UNION ALL
SELECT patient, 'I03.3', false, start_lo, end_hi, coalesce(s.kg_high, mg(0.7) - 6), 0
FROM steroid s JOIN steroid_sum t USING (patient) WHERE t.complete AND t.kg_high >= mg(0.7) - 6 AND start_lo <= end_hi
UNION ALL
SELECT patient, 'I03.3', sure, first, last, 0, 1 FROM companion_run
UNION ALL
SELECT patient, 'I03c', true, start_hi, least(end_lo, judged_on()), s.kg_low_reached, 0
FROM steroid s JOIN steroid_sum t USING (patient)
WHERE t.kg_low_reached >= mg(1) - 6 AND sure AND s.kg_low_reached IS NOT NULL AND start_hi <= least(end_lo, judged_on())
UNION ALL
SELECT patient, 'I03c', false, start_lo, least(end_hi, judged_on()), s.kg_high, 0
FROM steroid s JOIN steroid_sum t USING (patient)
WHERE t.complete AND NOT t.kg_open AND t.kg_high >= mg(1) AND start_lo <= least(end_hi, judged_on())
UNION ALL
SELECT patient, 'E24a', true, greatest(start_hi, leukapheresis_to - 7), least(end_lo, leukapheresis_from), s.low, 0
FROM steroid s JOIN steroid_sum t USING (patient)
WHERE t.low > mg(10) AND sure AND s.low IS NOT NULL AND start_hi <= end_lo
  AND greatest(start_hi, leukapheresis_to - 7) <= least(end_lo, leukapheresis_from) AND leukapheresis_from IS NOT NULL
UNION ALL
SELECT patient, 'E24a', false, greatest(start_lo, leukapheresis_from - 7), least(end_hi, leukapheresis_to),
    s.high_reached, 0
FROM steroid s JOIN steroid_sum t USING (patient)
WHERE s.high_reached IS NOT NULL AND greatest(start_lo, leukapheresis_from - 7) <= least(end_hi, leukapheresis_to)
  AND leukapheresis_from IS NOT NULL
UNION ALL
SELECT patient, 'E24b', true, greatest(start_hi, infusion_to - 3), least(end_lo, infusion_from), s.low, 0
FROM steroid s JOIN steroid_sum t USING (patient)
WHERE t.low > mg(10) AND sure AND s.low IS NOT NULL AND start_hi <= end_lo
  AND greatest(start_hi, infusion_to - 3) <= least(end_lo, infusion_from) AND infusion_from IS NOT NULL
UNION ALL
SELECT patient, 'E24b', false, greatest(start_lo, infusion_from - 3), least(end_hi, infusion_to), s.high_reached, 0
FROM steroid s JOIN steroid_sum t USING (patient)
WHERE s.high_reached IS NOT NULL AND greatest(start_lo, infusion_from - 3) <= least(end_hi, infusion_to)
  AND infusion_from IS NOT NULL;

CREATE OR REPLACE TEMP TABLE segment AS
WITH step AS (
    SELECT patient, asked, sure, day, sum(rate) AS rate, sum(cover) AS cover FROM (
        SELECT patient, asked, sure, first AS day, rate, cover FROM stretch
        UNION ALL SELECT patient, asked, sure, CAST(last + 1 AS DATE), -rate, -cover FROM stretch)
    GROUP BY ALL)
SELECT patient, asked, sure, day AS first, CAST(lead(day) OVER days - 1 AS DATE) AS last,
       sum(rate) OVER days AS rate, sum(cover) OVER days AS cover
FROM step WINDOW days AS (PARTITION BY patient, asked, sure ORDER BY day);

CREATE OR REPLACE TEMP TABLE dose_run AS
WITH high AS (
    SELECT patient, asked, sure, first, last FROM segment
    WHERE last IS NOT NULL AND (asked = 'E02c' AND rate >= mg(100) OR asked = 'I03.3' AND rate >= mg(0.7) - 6
        AND cover > 0)),
marked AS (
    SELECT *, CASE WHEN first <= lag(last) OVER (PARTITION BY patient, asked, sure ORDER BY first) + 1 THEN 0
        ELSE 1 END AS begins FROM high)
SELECT patient, asked, sure, min(first) AS first, max(last) AS last
FROM (SELECT *, sum(begins) OVER (PARTITION BY patient, asked, sure ORDER BY first) AS number FROM marked)
GROUP BY patient, asked, sure, number;

CREATE OR REPLACE TEMP TABLE dose_reached AS
SELECT patient,
       max(last - first + 1) FILTER (WHERE asked = 'E02c' AND sure AND last >= judged_on() - 56) AS days_100_least,
       max(last - first + 1) FILTER (WHERE asked = 'E02c' AND NOT sure AND last >= judged_on() - 56) AS days_100_most,
       max(last - first + 1) FILTER (WHERE asked = 'I03.3' AND sure AND last >= half_year) AS days_per_kg_least,
       max(last - first + 1) FILTER (WHERE asked = 'I03.3' AND NOT sure AND last >= half_year) AS days_per_kg_most,
       max(first) FILTER (WHERE asked = 'I03.3' AND sure AND last >= half_year AND last - first + 1 >= 14)
           AS per_kg_since
FROM (SELECT *, CAST(judged_on() - INTERVAL 6 MONTH AS DATE) AS half_year FROM dose_run) GROUP BY patient;

CREATE OR REPLACE TEMP TABLE highest AS         -- the highest dose of a day, and of a record whose days are vague
WITH day AS (
    SELECT patient, max(rate) FILTER (WHERE asked = 'I03c' AND sure) AS ever_low, max(rate)
        FILTER (WHERE asked = 'I03c' AND NOT sure) AS ever_high,
           max(rate) FILTER (WHERE asked = 'E24a' AND sure) AS apheresis_low, max(rate)
               FILTER (WHERE asked = 'E24a' AND NOT sure) AS apheresis_high,
           max(rate) FILTER (WHERE asked = 'E24b' AND sure) AS infusion_low, max(rate)
               FILTER (WHERE asked = 'E24b' AND NOT sure) AS infusion_high
    FROM segment GROUP BY patient),
alone AS (
    SELECT patient,
           max(s.kg_low_reached)
               FILTER (WHERE sure AND (began OR start_hi <= judged_on() AND end_lo >= beginning())) AS ever_low,
           max(s.low) FILTER (WHERE sure AND start_hi <= leukapheresis_from AND end_lo >= leukapheresis_to - 7)
               AS apheresis_low,
           max(s.low) FILTER (WHERE sure AND start_hi <= infusion_from AND end_lo >= infusion_to - 3) AS infusion_low,
           bool_or(s.high_reached IS NULL AND start_lo <= leukapheresis_to AND end_hi >= leukapheresis_from - 7)
               AS apheresis_open,
           bool_or(s.high_reached IS NULL AND start_lo <= infusion_to AND end_hi >= infusion_from - 3) AS infusion_open
    FROM steroid s JOIN steroid_sum t USING (patient) GROUP BY patient)
SELECT patient,
       greatest(coalesce(d.ever_low, 0), coalesce(a.ever_low, 0)) AS ever_low, d.ever_high,
       greatest(coalesce(d.apheresis_low, 0), coalesce(a.apheresis_low, 0)) AS apheresis_low, d.apheresis_high,
           a.apheresis_open,
       greatest(coalesce(d.infusion_low, 0), coalesce(a.infusion_low, 0)) AS infusion_low, d.infusion_high,
           a.infusion_open
FROM alone a LEFT JOIN day d USING (patient);

-- I03.2c: intravenous cyclophosphamide in a lifetime, in 10^-18 mg
CREATE OR REPLACE TEMP TABLE cumulated AS
WITH given AS (
    SELECT e.patient, coalesce(e.taken AND e.cyclophosphamide AND e.began AND e.route = 'intravenous', false) AS sure,
           e.administration, CASE WHEN e.start_from = e.start_to AND e.start_to = e.end_from AND e.end_from = e.end_to
               THEN e.start_from END AS day,
           TRY(micro(e.dose) * micro(coalesce(e.times, 1)) * CASE WHEN e.dose_unit = 'mg/kg' THEN micro(k.light)
               ELSE 1000000 END
               * CASE WHEN e.administration OR e.period_days IS NULL OR e.period_days <= 0 THEN 1
                      ELSE lower_rate(CAST(greatest(coalesce(e.end_lo, e.start_hi) - coalesce(e.start_hi, e.end_lo),
                          0) AS HUGEINT) * 1000000, micro(e.period_days)) + 1 END) AS low,
           CASE WHEN e.start_lo > beginning() AND (e.administration OR e.period_days IS NOT NULL) THEN
               TRY(micro(e.dose) * micro(coalesce(e.times, 1)) * CASE WHEN e.dose_unit = 'mg/kg'
                   THEN micro(k.heavy) ELSE 1000000 END
               * CASE WHEN e.administration OR e.period_days IS NULL OR e.period_days <= 0 THEN 1
                      ELSE lower_rate(CAST(greatest(e.end_hi - e.start_lo, 0) AS HUGEINT) * 1000000,
                          micro(e.period_days)) + 1 END) END AS high
    FROM taking e LEFT JOIN weighed k USING (place)
    WHERE e.cyclophosphamide IS NOT NULL AND (e.route IS NULL OR e.route = 'intravenous')),
told AS (           -- what is stated of a day on which as much was administered may be the same
    SELECT *, day IS NOT NULL AND NOT administration
           AND bool_or(administration AND sure) OVER (PARTITION BY patient, day, low) AS again
    FROM given)
SELECT patient, coalesce(sum(low) FILTER (WHERE sure AND NOT again), 0) // 1000000 >= 1500000000000000 AS enough,
       CASE WHEN NOT bool_or(high IS NULL) THEN (sum(high) + 999999) // 1000000 < 1500000000000000 END AS too_little
FROM told GROUP BY patient;

-- I03.3d: proteinuria up or filtration down since the high dose began
CREATE OR REPLACE TEMP TABLE worsened AS
WITH value AS (
    SELECT b.patient, b.per_kg_since AS since, m.test, m.test IN ('upcr', 'urineProtein24h') AS proteinuria, m.low,
        m.high,
           m.date_from AS day, m.date_to AS day_to
    FROM dose_reached b JOIN source_measurement m USING (patient)
    WHERE b.per_kg_since IS NOT NULL AND m.date_from <= judged_on()
      AND m.test IN ('upcr', 'urineProtein24h', 'egfrCkdEpi2021', 'egfrCkdEpi', 'egfrMdrd')),
before AS (
    SELECT patient, test, proteinuria, CASE WHEN bool_and(low IS NOT NULL) THEN min(low) END AS low,
           CASE WHEN bool_and(high IS NOT NULL) THEN max(high) END AS high
    FROM (FROM value WHERE day_to <= since AND day >= since - 28
        QUALIFY day = max(day) OVER (PARTITION BY patient, test)) GROUP BY ALL),
now AS (
    SELECT patient, test, CASE WHEN bool_and(low IS NOT NULL) THEN min(low) END AS low,
           CASE WHEN bool_and(high IS NOT NULL) THEN max(high) END AS high
    FROM (FROM value WHERE day > since AND day >= judged_on() - 28
        QUALIFY day = max(day) OVER (PARTITION BY patient, test)) GROUP BY ALL),
compared AS (
    SELECT patient, b.proteinuria,
           bool_or(coalesce(CASE WHEN b.proteinuria THEN n.low > b.high ELSE n.high < b.low END, false)) AS worse,
           bool_and(coalesce(CASE WHEN b.proteinuria THEN n.high <= b.low ELSE n.low >= b.high END, false)) AS steady
    FROM before b JOIN now n USING (patient, test) GROUP BY patient, b.proteinuria)
SELECT patient, bool_or(worse) AS worse, count(*) = 2 AND bool_and(steady) AS steady FROM compared GROUP BY patient;

-- ---- all of it, by patient: true, false or null ----

CREATE OR REPLACE MACRO reaches(least_value, most_value, bound, complete) AS
    CASE WHEN coalesce(least_value, 0) >= bound THEN true WHEN complete AND coalesce(most_value, 0) < bound
        THEN false END;

CREATE OR REPLACE TEMP TABLE treated AS
SELECT p.patient,
    presence(false, ivig, ivig_maybe, medications_complete) AS ivig_14_days,
    presence(false, suppressant, suppressant_maybe, medications_complete) AS suppressant_now,
    presence(false, anti_infective, anti_infective_maybe, medications_complete) AS anti_infective_now,
    presence(false, anticoagulant, anticoagulant_maybe, medications_complete) AS anticoagulant_now,
    presence(false, antimalarial, antimalarial_maybe, medications_complete) AS antimalarial_now,
    presence(false, mycophenolate, mycophenolate_maybe, medications_complete) AS mycophenolate_now,
    presence(false, azathioprine, azathioprine_maybe, medications_complete) AS azathioprine_now,
    presence(false, hydroxychloroquine, hydroxychloroquine_maybe, medications_complete) AS hydroxychloroquine_ever,
    presence(false, b_cell, b_cell_maybe, medications_complete) AS b_cell_ever,
    presence(false, car_t, car_t_maybe, medications_complete) AS car_t_ever,
    presence(false, jak, jak_maybe, medications_complete) AS jak_washing_out,
    presence(false, btk, btk_maybe, medications_complete) AS btk_washing_out,
    presence(false, biologic, biologic_maybe, medications_complete) AS biologic_washing_out,
    presence(false, lupus_biologic, lupus_biologic_maybe, medications_complete) AS lupus_biologic_ever,
    presence(false, two_conventional, two_conventional_maybe, medications_complete) AS two_conventional,
    CASE WHEN p.leukapheresis_from IS NOT NULL THEN
        presence(false, study_drug, study_drug_maybe, medications_until >= p.leukapheresis_to
            AND p.leukapheresis_to <= judged_on()) END
        AS study_drug_28_days,
    standard_long IS TRUE OR reaches(standard_least, standard_most, 56, medications_complete) AS standard_56_days,
    CASE WHEN anticoagulant_least >= 92 THEN true
         WHEN medications_complete AND coalesce(anticoagulant_most, 0) < 89 THEN false END AS anticoagulant_3_months,
    reaches(tb_least, tb_most, 28, medications_complete) AS tb_28_days,
    CASE WHEN mycophenolate_least >= 92 THEN true
         WHEN medications_complete AND coalesce(mycophenolate_most, 0) < 89 THEN false END AS mycophenolate_3_months,
    CASE WHEN named_long OR named_least >= 92 THEN true
         WHEN medications_complete AND coalesce(named_most, 0) < 89 THEN false END AS named_3_months,
    reaches(mycophenolate_run_least, mycophenolate_run_most, 14, medications_complete) AS mycophenolate_14_days,
    reaches(cyclophosphamide_run_least, cyclophosphamide_run_most, 14, medications_complete)
        AS cyclophosphamide_14_days,
    CASE WHEN prednisone_low >= mg(7.5) THEN true
         WHEN medications_complete AND NOT coalesce(prednisone_open, false)
             AND coalesce(prednisone_high, 0) < mg(7.5) THEN false END AS prednisone_7_5,
    CASE WHEN mofetil_low >= mg(1500) THEN true
         WHEN medications_complete AND NOT coalesce(mofetil_open, false)
             AND coalesce(mofetil_high, 0) < mg(1500) THEN false END AS mofetil_1500,
    CASE WHEN azathioprine_low >= mg(1.5) - 6 THEN true
         WHEN medications_complete AND NOT coalesce(azathioprine_open, false)
             AND coalesce(azathioprine_high, 0) < mg(1.5) THEN false END AS azathioprine_1_5,
    reaches(days_100_least, days_100_most, 14, medications_complete) AS prednisone_100_14_days,
    reaches(days_per_kg_least, days_per_kg_most, 14, medications_complete) AS prednisone_0_7_14_days,
    CASE WHEN ever_low >= mg(1) - 6 THEN true
         WHEN medications_complete AND NOT coalesce(kg_open, false) AND coalesce(ever_high, 0) < mg(1)
             THEN false END AS prednisone_1_per_kg,
    CASE WHEN p.leukapheresis_from IS NULL THEN NULL WHEN apheresis_low > mg(10) THEN true
         WHEN medications_until >= p.leukapheresis_to AND p.leukapheresis_to <= judged_on()
             AND NOT coalesce(apheresis_open, false)
              AND coalesce(apheresis_high, 0) <= mg(10) THEN false END AS prednisone_10_before_leukapheresis,
    CASE WHEN p.infusion_from IS NULL THEN NULL WHEN infusion_low > mg(10) THEN true
         WHEN medications_until >= p.infusion_to AND p.infusion_to <= judged_on() AND NOT coalesce(infusion_open, false)
              AND coalesce(infusion_high, 0) <= mg(10) THEN false END AS prednisone_10_before_infusion,
    CASE WHEN enough THEN true WHEN medications_complete AND (c.patient IS NULL OR too_little)
        THEN false END AS cyclophosphamide_1500,
    CASE WHEN worse THEN true WHEN steady THEN false END AS renal_worsening
FROM person p LEFT JOIN took USING (patient) LEFT JOIN study_drug USING (patient) LEFT JOIN lasted USING (patient)
LEFT JOIN dose_now USING (patient) LEFT JOIN dose_reached USING (patient) LEFT JOIN highest USING (patient)
LEFT JOIN (SELECT patient, kg_open FROM steroid_sum) USING (patient)
LEFT JOIN cumulated c USING (patient) LEFT JOIN worsened USING (patient);
