-- Results, scores, serology, biopsies and classifications: one row for each patient in `tested`. The latest result
-- counts; where dates are partial, every one that can be the latest does, and they must agree.

-- The same exact arithmetic as the program's: whole numbers of 10^-12, ratios rounded down and up.
CREATE OR REPLACE MACRO whole(x) AS CAST(TRY_CAST(x AS DECIMAL(25, 12)) * CAST(1000000000000 AS DECIMAL(13, 0))
    AS HUGEINT);
CREATE OR REPLACE MACRO ratio_down(x, y) AS whole(x) * CAST(1000000000000 AS HUGEINT) // whole(y);
CREATE OR REPLACE MACRO ratio_up(x, y) AS (whole(x) * CAST(1000000000000 AS HUGEINT) + whole(y) - 1) // whole(y);
-- `>120` is stored as 120 + 10^-12, `<20` as 20 - 10^-12: such a limit is rounded towards itself
CREATE OR REPLACE MACRO times_limit_least(x, y) AS
    CASE WHEN y > 0 THEN CASE WHEN whole(x) % 10 = 1 THEN ratio_up(x, y) ELSE ratio_down(x, y) END END;
CREATE OR REPLACE MACRO times_limit_most(x, y) AS
    CASE WHEN y > 0 THEN CASE WHEN whole(x) % 10 = 9 THEN ratio_down(x, y) ELSE ratio_up(x, y) END END;

CREATE OR REPLACE MACRO is_positive(test, positive, low, high, uln) AS CASE
    WHEN positive IS NOT NULL AND uln IS NOT NULL AND positive AND high <= uln THEN NULL
    WHEN positive IS NOT NULL AND uln IS NOT NULL AND NOT positive AND low > uln THEN NULL
    WHEN positive IS NOT NULL THEN positive
    WHEN uln IS NOT NULL AND low > uln THEN true
    WHEN uln IS NOT NULL AND high <= uln THEN false
    WHEN test = 'anaTiter' AND uln IS NULL AND low >= 80 THEN true
    WHEN test = 'anaTiter' AND uln IS NULL AND high < 80 THEN false END;
CREATE OR REPLACE MACRO is_quantified(below, positive, low, high) AS CASE
    WHEN below THEN false WHEN low > 0 THEN true WHEN high <= 0 THEN false ELSE positive END;

-- 1 yes, -1 no, 0 not known
CREATE OR REPLACE MACRO mark(yes, no) AS CASE WHEN yes THEN 1 WHEN no THEN -1 ELSE 0 END;
-- all candidates say yes, all say no, else not known
CREATE OR REPLACE MACRO agreed(least_mark, most_mark) AS
    CASE WHEN least_mark = 1 THEN true WHEN most_mark = -1 THEN false END;

-- ---- single results: which question a test answers, and for how many days a result serves ----

CREATE OR REPLACE TEMP TABLE question AS
FROM (VALUES
    ('bodyWeight', 'weight', 90),                               -- NCT06106906 I03
    ('pga', 'pga', 28),                                         -- NCT06106906 I05b
    -- I07a, E31a
    ('hcgSerumQual', 'pregnancy', 14), ('hcgSerumQuant', 'pregnancy', 14), ('hcgUrineQual', 'pregnancy', 14),
    ('hcgSerumQual', 'blood pregnancy', 14), ('hcgSerumQuant', 'blood pregnancy', 14),  -- NCT06892145 I09a
    ('hbsAg', 'hbsAg', 90), ('hbvDna', 'hbvDna', 90),           -- E11a
    ('hcvAb', 'hcv', 90),                                       -- E11b
    ('hivAb', 'hiv', 90), ('hiv1Ab', 'hiv', 90),                -- E11c: an HIV-1 antibody only where positive
    ('cmvDna', 'cmvDna', 90), ('ebvDna', 'ebvDna', 90), ('syphilisTreponemal', 'syphilis', 90),     -- E11d-f
    ('igra', 'igra', 90),                                       -- E12
    ('ana', 'ana', 90), ('anaTiter', 'ana', 90),                -- NCT06892145 I05
    ('antiDsDna', 'dsDna', 90), ('antiDsDnaQual', 'dsDna', 90),
    ('lvef', 'lvef', 90), ('lvef2d', 'lvef', 90), ('lvefUs', 'lvef', 90),   -- I06a: by echocardiography
    ('serumCreatinine', 'creatinine', 28), ('creatinineClearanceCG', 'clearance', 28),   -- I06b
    ('alt', 'alt', 28), ('ast', 'ast', 28),                     -- I06c
    -- I06d
    ('totalBilirubin', 'bilirubin', 28), ('totalBilirubin', 'bilirubin with Gilbert', 28),
    ('spo2', 'saturation', 28), ('sao2', 'saturation', 28)      -- I06e
) q (test, question, days);

CREATE OR REPLACE TEMP TABLE answered AS       -- each question: all candidates say yes, all say no, else not known
WITH seen AS (
    SELECT m.patient, q.question, m.test, coalesce(m.date_from, beginning()) AS day_lo,
           least(coalesce(m.date_to, judged_on()), judged_on()) AS day_hi, q.days, m.low, m.high, m.uln, m.positive,
           m.below_quantification
    FROM source_measurement m JOIN question q USING (test)
    WHERE coalesce(m.date_from, beginning()) <= judged_on()
      AND (q.question <> 'lvef' OR m.method = 'echocardiography') AND (m.test <> 'hiv1Ab' OR m.positive)),
latest AS (SELECT patient, question, max(day_lo) AS last FROM seen GROUP BY patient, question),
candidate AS (
    SELECT s.*, l.last >= judged_on() - s.days AS fresh
    FROM seen s JOIN latest l USING (patient, question) WHERE s.day_hi >= l.last),
marked AS (
    SELECT *,
        CASE WHEN NOT fresh THEN 0 ELSE CASE
            WHEN question = 'weight' THEN mark(low >= 40, high < 40)
            WHEN question = 'pga' THEN mark(low >= 1, high < 1)
            WHEN question = 'lvef' THEN mark(low >= 50, high < 50)
            WHEN question = 'saturation' THEN mark(low >= 92, high < 92)
            WHEN question IN ('creatinine', 'bilirubin') THEN mark(
                times_limit_most(high, uln) <= 2000000000000, times_limit_least(low, uln) > 2000000000000)
            WHEN question IN ('alt', 'ast', 'bilirubin with Gilbert') THEN mark(
                times_limit_most(high, uln) <= 3000000000000, times_limit_least(low, uln) > 3000000000000)
            WHEN question IN ('hbvDna', 'cmvDna', 'ebvDna') THEN mark(
                is_quantified(below_quantification, positive, low, high),
                NOT is_quantified(below_quantification, positive, low, high))
            ELSE mark(is_positive(test, positive, low, high, uln), NOT is_positive(test, positive, low, high, uln))
        END END AS mark
    FROM candidate)
SELECT patient, question, agreed(min(mark), max(mark)) AS answer,
       CASE WHEN bool_and(fresh AND low IS NOT NULL) THEN min(low) END AS low,
       CASE WHEN bool_and(fresh AND high IS NOT NULL) THEN max(high) END AS high,
       bool_or(question = 'pregnancy' AND coalesce(is_positive(test, positive, low, high, uln), true)
               AND day_hi >= judged_on() - 300) AS doubtful
FROM marked GROUP BY patient, question;

CREATE OR REPLACE TEMP TABLE saturation AS      -- I06e: no oxygen on the day of the latest saturation
WITH seen AS (
    SELECT patient, coalesce(date_from, beginning()) AS day_lo, least(coalesce(date_to, judged_on()), judged_on())
        AS day_hi
    FROM source_measurement WHERE test IN ('spo2', 'sao2') AND coalesce(date_from, beginning()) <= judged_on()),
oxygen AS (
    SELECT patient, date_from AS day, positive AS given FROM source_measurement
    WHERE test = 'supplementalOxygen' AND date_from = date_to
    UNION ALL
    SELECT patient, date_from, value FROM source_statement WHERE statement = 'supplementalOxygen'
        AND date_from = date_to),
latest AS (SELECT patient, max(day_lo) AS last FROM seen GROUP BY patient)
SELECT s.patient, CASE WHEN NOT bool_or(coalesce(o.given, true)) THEN true
    WHEN bool_and(coalesce(o.given, false)) THEN false END AS room_air
FROM seen s JOIN latest l USING (patient) JOIN oxygen o ON o.patient = s.patient AND o.day = s.day_lo
WHERE s.day_hi >= l.last AND s.day_lo = s.day_hi GROUP BY s.patient;

CREATE OR REPLACE TEMP TABLE single_result AS
WITH answers AS (
    PIVOT (SELECT patient, question, answer FROM answered) ON question IN (
        'weight', 'pga', 'pregnancy', 'blood pregnancy', 'hbsAg', 'hbvDna', 'hcv', 'hiv', 'cmvDna', 'ebvDna',
            'syphilis',
        'igra', 'ana', 'dsDna', 'lvef', 'creatinine', 'alt', 'ast', 'bilirubin', 'bilirubin with Gilbert', 'saturation')
    USING any_value(answer) GROUP BY patient)
SELECT a.patient, a.weight AS weight_40, a.pga AS pga_1, a.pregnancy AS pregnancy_test,
    p.doubtful AS pregnancy_doubtful,
       a."blood pregnancy" AS blood_pregnancy_test, a.hbsAg AS hbs_ag, a.hbvDna AS hbv_dna, a.hcv, a.hiv,
           a.cmvDna AS cmv_dna,
       a.ebvDna AS ebv_dna, a.syphilis, a.igra, a.ana AS ana_positive, a.dsDna AS ds_dna, a.lvef AS lvef_50,
       a.creatinine AS creatinine_2_uln, a.alt AS alt_3_uln, a.ast AS ast_3_uln, a.bilirubin AS bilirubin_2_uln,
       a."bilirubin with Gilbert" AS bilirubin_3_uln, a.saturation AS saturation_92, s.room_air,
       -- bounds for the creatinine clearance: nothing where a candidate is too old or open
       k.low AS weight_low, k.high AS weight_high, c.low AS creatinine_low, c.high AS creatinine_high,
       r.patient IS NOT NULL AS clearance_recorded, r.low AS clearance_low, r.high AS clearance_high
FROM answers a LEFT JOIN saturation s USING (patient)
LEFT JOIN (FROM answered WHERE question = 'weight') k USING (patient)
LEFT JOIN (FROM answered WHERE question = 'creatinine') c USING (patient)
LEFT JOIN (FROM answered WHERE question = 'clearance') r USING (patient)
LEFT JOIN (FROM answered WHERE question = 'pregnancy') p USING (patient);

-- ---- scores: a recorded total and the items of one day; SELENA-SLEDAI (I05a), SLEDAI-2K (I03.1c2, I03g, I04) ----

CREATE OR REPLACE TEMP TABLE scored AS
WITH part AS (      -- score_item (test, total, weight)
    SELECT test, total, weight FROM score_item UNION ALL SELECT DISTINCT total, total, NULL FROM score_item),
seen AS (
    SELECT m.patient, p.total, m.test, p.weight, coalesce(m.date_from, beginning()) AS day_lo,
           least(coalesce(m.date_to, judged_on()), judged_on()) AS day_hi, m.low, m.high, m.positive
    FROM source_measurement m JOIN part p USING (test) WHERE coalesce(m.date_from, beginning()) <= judged_on()),
candidate AS (FROM seen QUALIFY day_hi >= max(day_lo) OVER (PARTITION BY patient, total)),
item AS (           -- an item, or the total itself (weight null), on one day
    SELECT patient, total, day_lo, day_hi, weight,
           bool_and(coalesce(positive, low > 0, false)) AS present, bool_and(NOT coalesce(positive, low > 0,
               true)) AS absent,
           CASE WHEN bool_and(low IS NOT NULL) THEN min(low) END AS low,
           CASE WHEN bool_and(high IS NOT NULL) THEN max(high) END AS high
    FROM candidate GROUP BY patient, total, test, weight, day_lo, day_hi),
assessed AS (
    SELECT patient, total, day_lo,
           bool_or(weight IS NULL) AS stated, any_value(low) FILTER (WHERE weight IS NULL) AS low,
           any_value(high) FILTER (WHERE weight IS NULL) AS high,
           CASE WHEN bool_or(weight IS NOT NULL) THEN
               coalesce(sum(weight) FILTER (WHERE present AND day_lo = day_hi), 0) END AS least_points,
           CASE WHEN bool_or(weight IS NOT NULL) THEN
               105 - coalesce(sum(weight) FILTER (WHERE absent AND day_lo = day_hi), 0) END AS most_points
    FROM item GROUP BY patient, total, day_lo, day_hi),
ranged AS (
    SELECT patient, total, day_lo,
           CASE WHEN NOT stated THEN least_points WHEN low IS NOT NULL THEN least(low, most_points) END AS low,
           CASE WHEN NOT stated THEN most_points WHEN high IS NOT NULL THEN greatest(high, least_points) END AS high
    FROM assessed),
bounded AS (
    SELECT patient, total,
           CASE WHEN bool_and(low IS NOT NULL) AND max(day_lo) >= judged_on() - 28 THEN min(low) END AS low,
           CASE WHEN bool_and(high IS NOT NULL) AND max(day_lo) >= judged_on() - 28 THEN max(high) END AS high
    FROM ranged GROUP BY patient, total)
SELECT patient,
       bool_or(CASE WHEN low >= 6 THEN true WHEN high < 6 THEN false END)
           FILTER (WHERE total = 'selenaSledaiTotal') AS selena_6,
       bool_or(CASE WHEN low >= 7 THEN true WHEN high < 7 THEN false END)
           FILTER (WHERE total = 'sledai2kTotal') AS sledai_7,
       bool_or(CASE WHEN low >= 8 THEN true WHEN high < 8 THEN false END)
           FILTER (WHERE total = 'sledai2kTotal') AS sledai_8
FROM bounded GROUP BY patient;

-- ---- suicidal ideation within 6 months: E03a ----

CREATE OR REPLACE TEMP TABLE ideation AS
WITH seen AS (
    SELECT patient, low, high, coalesce(date_from, beginning()) AS day_from,
           least(coalesce(date_to, judged_on()), judged_on()) AS day_to,
               CAST(judged_on() - INTERVAL 6 MONTH AS DATE) AS since
    FROM source_measurement WHERE test = 'cssrsIdeation' AND coalesce(date_from, beginning()) <= judged_on())
SELECT patient,
       CASE WHEN max(low) FILTER (WHERE day_from >= since) >= 1 THEN true
            WHEN bool_or(day_from >= judged_on() - 28 AND high IS NOT NULL)
                 AND NOT bool_or(day_to >= since AND high IS NULL) AND max(high) FILTER (WHERE day_to >= since) < 1
            THEN false END AS ideation
FROM seen GROUP BY patient;

-- ---- kidney biopsies: NCT06150651 I03.2a, I03.3, I03.3a-c ----

CREATE OR REPLACE TEMP TABLE biopsied AS
WITH seen AS (
    SELECT patient, test, low, high, text, coalesce(date_from, beginning()) AS day_lo,
           least(coalesce(date_to, judged_on()), judged_on()) AS day_hi
    FROM source_measurement
    WHERE test IN ('isnRpsClass', 'nihActivityIndex', 'nihChronicityIndex')
      AND coalesce(date_from, beginning()) <= judged_on()),
flagged AS (
    SELECT *, day_hi >= max(day_lo) OVER (PARTITION BY patient) AS latest,
           list_has_any(str_split(text, '+'), ['III', 'IV']) AS proliferative
    FROM seen)
SELECT patient, true AS any_biopsy,
       bool_or(proliferative) FILTER (WHERE test = 'isnRpsClass') AS proliferative,
       bool_or(text IS NULL OR proliferative) FILTER (WHERE test = 'isnRpsClass') AS proliferative_maybe,
       agreed(min(mark(low > 6, high <= 6)) FILTER (WHERE latest AND test = 'nihActivityIndex'),
              max(mark(low > 6, high <= 6)) FILTER (WHERE latest AND test = 'nihActivityIndex')) AS activity_above_6,
       agreed(min(mark(high < 6, low >= 6)) FILTER (WHERE latest AND test = 'nihChronicityIndex'),
              max(mark(high < 6, low >= 6))
                  FILTER (WHERE latest AND test = 'nihChronicityIndex')) AS chronicity_below_6,
       max(day_lo) >= CAST(judged_on() - INTERVAL 6 MONTH AS DATE) AS recent,
       max(day_hi) FILTER (WHERE latest) < CAST(judged_on() - INTERVAL 6 MONTH AS DATE) AS old
FROM flagged GROUP BY patient;

-- ---- classification: ACR 1997 (I04a, I02a), SLICC 2012 (I02b), EULAR/ACR 2019 (I02c, I03a) ----

CREATE OR REPLACE TEMP TABLE ana_ever AS
SELECT DISTINCT patient FROM source_measurement
WHERE test IN ('ana', 'anaTiter', 'eularAcr2019:ana') AND coalesce(date_from, beginning()) <= judged_on()
  AND is_positive(test, positive, low, high, uln);

CREATE OR REPLACE TEMP TABLE classified AS      -- recorded classifications and points, the latest of each set
WITH candidate AS (
    SELECT patient, test, positive, low, high FROM source_measurement
    WHERE test IN ('acr1997', 'slicc2012', 'eularAcr2019') AND coalesce(date_from, beginning()) <= judged_on()
    QUALIFY least(coalesce(date_to, judged_on()), judged_on())
            >= max(coalesce(date_from, beginning())) OVER (PARTITION BY patient, test))
SELECT patient,
       bool_and(coalesce(positive, low >= 4, false)) FILTER (WHERE test = 'acr1997') AS acr_met,
       bool_and(coalesce(NOT positive, high < 4, false)) FILTER (WHERE test = 'acr1997') AS acr_unmet,
       bool_and(positive IS NULL AND low IS NOT NULL) FILTER (WHERE test = 'acr1997') AS acr_points,
       bool_and(coalesce(positive, false)) FILTER (WHERE test = 'slicc2012') AS slicc_met,
       bool_and(coalesce(NOT positive, false)) FILTER (WHERE test = 'slicc2012') AS slicc_unmet,
       bool_and(positive IS NULL AND low IS NOT NULL) FILTER (WHERE test = 'slicc2012') AS slicc_points,
       bool_and(coalesce(positive, false)) FILTER (WHERE test = 'eularAcr2019') AS eular_met,
       bool_and(coalesce(positive, low >= 13, false)) FILTER (WHERE test = 'eularAcr2019') AS eular_met_with_ana,
       bool_and(coalesce(positive, low >= 10, false))
           FILTER (WHERE test = 'eularAcr2019') AS eular_met_with_ana_and_clinical,
       bool_and(coalesce(NOT positive, high < 10, false)) FILTER (WHERE test = 'eularAcr2019') AS eular_unmet,
       bool_and(positive IS NULL AND low IS NOT NULL) FILTER (WHERE test = 'eularAcr2019') AS eular_points
FROM candidate GROUP BY patient;

CREATE OR REPLACE TEMP TABLE item AS             -- every item: ever present, never, or not known
SELECT patient,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'acr1997:ana') AS acr_ana,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'acr1997:arthritis') AS acr_arthritis,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'acr1997:discoidRash') AS acr_discoid_rash,
       bool_or(coalesce(positive, low > 0))
           FILTER (WHERE test = 'acr1997:hematologicDisorder') AS acr_hematologic_disorder,
       bool_or(coalesce(positive, low > 0))
           FILTER (WHERE test = 'acr1997:immunologicDisorder') AS acr_immunologic_disorder,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'acr1997:malarRash') AS acr_malar_rash,
       bool_or(coalesce(positive, low > 0))
           FILTER (WHERE test = 'acr1997:neurologicDisorder') AS acr_neurologic_disorder,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'acr1997:oralUlcers') AS acr_oral_ulcers,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'acr1997:photosensitivity') AS acr_photosensitivity,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'acr1997:renalDisorder') AS acr_renal_disorder,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'acr1997:serositis') AS acr_serositis,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'slicc2012:acuteCutaneous') AS slicc_acute_cutaneous,
       bool_or(coalesce(positive, low > 0))
           FILTER (WHERE test = 'slicc2012:chronicCutaneous') AS slicc_chronic_cutaneous,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'slicc2012:hemolyticAnemia') AS slicc_hemolytic_anemia,
       bool_or(coalesce(positive, low > 0))
           FILTER (WHERE test = 'slicc2012:leukopeniaOrLymphopenia') AS slicc_leukopenia_or_lymphopenia,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'slicc2012:neurologic') AS slicc_neurologic,
       bool_or(coalesce(positive, low > 0))
           FILTER (WHERE test = 'slicc2012:nonScarringAlopecia') AS slicc_non_scarring_alopecia,
       bool_or(coalesce(positive, low > 0))
           FILTER (WHERE test = 'slicc2012:oralOrNasalUlcers') AS slicc_oral_or_nasal_ulcers,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'slicc2012:renal') AS slicc_renal,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'slicc2012:serositis') AS slicc_serositis,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'slicc2012:synovitis') AS slicc_synovitis,
       bool_or(coalesce(positive, low > 0))
           FILTER (WHERE test = 'slicc2012:thrombocytopenia') AS slicc_thrombocytopenia,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'slicc2012:ana') AS slicc_ana,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'slicc2012:antiDsDNA') AS slicc_anti_ds_dna,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'slicc2012:antiSm') AS slicc_anti_sm,
       bool_or(coalesce(positive, low > 0))
           FILTER (WHERE test = 'slicc2012:antiphospholipid') AS slicc_antiphospholipid,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'slicc2012:directCoombs') AS slicc_direct_coombs,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'slicc2012:lowComplement') AS slicc_low_complement,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'eularAcr2019:ana') AS eular_ana,
       bool_or(coalesce(positive, low > 0))
           FILTER (WHERE test = 'eularAcr2019:acuteCutaneous') AS eular_acute_cutaneous,
       bool_or(coalesce(positive, low > 0))
           FILTER (WHERE test = 'eularAcr2019:subacuteOrDiscoid') AS eular_subacute_or_discoid,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'eularAcr2019:oralUlcers') AS eular_oral_ulcers,
       bool_or(coalesce(positive, low > 0))
           FILTER (WHERE test = 'eularAcr2019:nonScarringAlopecia') AS eular_non_scarring_alopecia,
       bool_or(coalesce(positive, low > 0))
           FILTER (WHERE test = 'eularAcr2019:acutePericarditis') AS eular_acute_pericarditis,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'eularAcr2019:effusion') AS eular_effusion,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'eularAcr2019:seizure') AS eular_seizure,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'eularAcr2019:psychosis') AS eular_psychosis,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'eularAcr2019:delirium') AS eular_delirium,
       bool_or(coalesce(positive, low > 0))
           FILTER (WHERE test = 'eularAcr2019:autoimmuneHemolysis') AS eular_autoimmune_hemolysis,
       bool_or(coalesce(positive, low > 0))
           FILTER (WHERE test = 'eularAcr2019:thrombocytopenia') AS eular_thrombocytopenia,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'eularAcr2019:leukopenia') AS eular_leukopenia,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'eularAcr2019:biopsyIIIorIV') AS eular_biopsy_3_4,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'eularAcr2019:biopsyIIorV') AS eular_biopsy_2_5,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'eularAcr2019:proteinuria') AS eular_proteinuria,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'eularAcr2019:fever') AS eular_fever,
       bool_or(coalesce(positive, low > 0))
           FILTER (WHERE test = 'eularAcr2019:jointInvolvement') AS eular_joint_involvement,
       bool_or(coalesce(positive, low > 0))
           FILTER (WHERE test = 'eularAcr2019:antiDsDNAorSm') AS eular_anti_ds_dna_or_sm,
       bool_or(coalesce(positive, low > 0))
           FILTER (WHERE test = 'eularAcr2019:antiphospholipid') AS eular_antiphospholipid,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'eularAcr2019:lowC3andC4') AS eular_low_c3_and_c4,
       bool_or(coalesce(positive, low > 0)) FILTER (WHERE test = 'eularAcr2019:lowC3orC4') AS eular_low_c3_or_c4,
       min(least(date_to, judged_on()))
           FILTER (WHERE test = 'acr1997:ana' AND positive AND date_from <= judged_on()) AS day_ana,
       min(least(date_to, judged_on()))
           FILTER (WHERE test = 'acr1997:arthritis' AND positive AND date_from <= judged_on()) AS day_arthritis,
       min(least(date_to, judged_on()))
           FILTER (WHERE test = 'acr1997:discoidRash' AND positive AND date_from <= judged_on()) AS day_discoid_rash,
       min(least(date_to, judged_on())) FILTER (WHERE test = 'acr1997:hematologicDisorder' AND positive
           AND date_from <= judged_on()) AS day_hematologic_disorder,
       min(least(date_to, judged_on())) FILTER (WHERE test = 'acr1997:immunologicDisorder' AND positive
           AND date_from <= judged_on()) AS day_immunologic_disorder,
       min(least(date_to, judged_on()))
           FILTER (WHERE test = 'acr1997:malarRash' AND positive AND date_from <= judged_on()) AS day_malar_rash,
       min(least(date_to, judged_on()))
           FILTER (WHERE test = 'acr1997:neurologicDisorder' AND positive AND date_from <= judged_on())
           AS day_neurologic_disorder,
       min(least(date_to, judged_on()))
           FILTER (WHERE test = 'acr1997:oralUlcers' AND positive AND date_from <= judged_on()) AS day_oral_ulcers,
       min(least(date_to, judged_on()))
           FILTER (WHERE test = 'acr1997:photosensitivity' AND positive AND date_from <= judged_on())
           AS day_photosensitivity,
       min(least(date_to, judged_on()))
           FILTER (WHERE test = 'acr1997:renalDisorder' AND positive AND date_from <= judged_on())
           AS day_renal_disorder,
       min(least(date_to, judged_on()))
           FILTER (WHERE test = 'acr1997:serositis' AND positive AND date_from <= judged_on()) AS day_serositis
FROM source_measurement
WHERE (test LIKE 'acr1997:%' OR test LIKE 'slicc2012:%' OR test LIKE 'eularAcr2019:%')
  AND coalesce(date_from, beginning()) <= judged_on()
GROUP BY patient;

CREATE OR REPLACE MACRO maybe(x) AS x IS DISTINCT FROM false;
CREATE OR REPLACE MACRO one(x) AS CASE WHEN x THEN 1 ELSE 0 END;

CREATE OR REPLACE TEMP TABLE counted AS          -- what the items prove
WITH i AS (
    SELECT p.patient, i.* EXCLUDE (patient, eular_biopsy_3_4, eular_biopsy_2_5, eular_ana),
           -- a biopsy of the class is the item itself, where the item was not recorded
           coalesce(i.eular_biopsy_3_4, CASE WHEN b.class3 THEN true END) AS eular_biopsy_3_4,
           coalesce(i.eular_biopsy_2_5, CASE WHEN b.class2 THEN true END) AS eular_biopsy_2_5,
           coalesce(b.known, false) AS nephritis, a.patient IS NOT NULL AS ana_ever, a.patient IS NOT NULL
               OR i.eular_ana AS entry
    FROM source_patient p LEFT JOIN item i USING (patient) LEFT JOIN ana_ever a USING (patient)
    LEFT JOIN (
        SELECT patient, bool_or(list_has_any(str_split(text, '+'), ['III', 'IV'])) AS class3,
               bool_or(list_has_any(str_split(text, '+'), ['II', 'V'])) AS class2, bool_or(text IS NOT NULL) AS known
        FROM source_measurement WHERE test = 'isnRpsClass' AND coalesce(date_from, beginning()) <= judged_on()
        GROUP BY patient) b USING (patient))
SELECT patient, ana_ever,
       one(acr_ana) + one(acr_arthritis) + one(acr_discoid_rash) + one(acr_hematologic_disorder)
           + one(acr_immunologic_disorder) + one(acr_malar_rash) + one(acr_neurologic_disorder)
           + one(acr_oral_ulcers) + one(acr_photosensitivity) + one(acr_renal_disorder) + one(acr_serositis)
           >= 4 AS acr_met,
       one(maybe(acr_ana)) + one(maybe(acr_arthritis)) + one(maybe(acr_discoid_rash))
           + one(maybe(acr_hematologic_disorder)) + one(maybe(acr_immunologic_disorder))
           + one(maybe(acr_malar_rash)) + one(maybe(acr_neurologic_disorder)) + one(maybe(acr_oral_ulcers))
           + one(maybe(acr_photosensitivity)) + one(maybe(acr_renal_disorder)) + one(maybe(acr_serositis))
           < 4 AS acr_unmet,
       list_sort(list_filter([
           day_ana, day_arthritis, day_discoid_rash, day_hematologic_disorder, day_immunologic_disorder,
           day_malar_rash, day_neurologic_disorder, day_oral_ulcers, day_photosensitivity,
           day_renal_disorder, day_serositis
       ], lambda day: day IS NOT NULL))[4] AS acr_fourth_day,
       (
           one(slicc_acute_cutaneous) + one(slicc_chronic_cutaneous) + one(slicc_hemolytic_anemia)
           + one(slicc_leukopenia_or_lymphopenia) + one(slicc_neurologic) + one(slicc_non_scarring_alopecia)
           + one(slicc_oral_or_nasal_ulcers) + one(slicc_renal) + one(slicc_serositis) + one(slicc_synovitis)
           + one(slicc_thrombocytopenia) + one(slicc_ana) + one(slicc_anti_ds_dna) + one(slicc_anti_sm)
           + one(slicc_antiphospholipid) + one(slicc_direct_coombs) + one(slicc_low_complement) >= 4
           AND (slicc_acute_cutaneous OR slicc_chronic_cutaneous OR slicc_hemolytic_anemia
           OR slicc_leukopenia_or_lymphopenia OR slicc_neurologic OR slicc_non_scarring_alopecia
           OR slicc_oral_or_nasal_ulcers OR slicc_renal OR slicc_serositis OR slicc_synovitis
           OR slicc_thrombocytopenia)
           AND (slicc_ana OR slicc_anti_ds_dna OR slicc_anti_sm OR slicc_antiphospholipid OR slicc_direct_coombs
           OR slicc_low_complement)
       ) OR nephritis AND (slicc_ana OR slicc_anti_ds_dna OR ana_ever) AS slicc_met,
       (
           one(maybe(slicc_acute_cutaneous)) + one(maybe(slicc_chronic_cutaneous))
           + one(maybe(slicc_hemolytic_anemia)) + one(maybe(slicc_leukopenia_or_lymphopenia))
           + one(maybe(slicc_neurologic)) + one(maybe(slicc_non_scarring_alopecia))
           + one(maybe(slicc_oral_or_nasal_ulcers)) + one(maybe(slicc_renal)) + one(maybe(slicc_serositis))
           + one(maybe(slicc_synovitis)) + one(maybe(slicc_thrombocytopenia)) + one(maybe(slicc_ana))
           + one(maybe(slicc_anti_ds_dna)) + one(maybe(slicc_anti_sm)) + one(maybe(slicc_antiphospholipid))
           + one(maybe(slicc_direct_coombs)) + one(maybe(slicc_low_complement)) < 4
           OR NOT (maybe(slicc_acute_cutaneous) OR maybe(slicc_chronic_cutaneous) OR maybe(slicc_hemolytic_anemia)
           OR maybe(slicc_leukopenia_or_lymphopenia) OR maybe(slicc_neurologic)
           OR maybe(slicc_non_scarring_alopecia) OR maybe(slicc_oral_or_nasal_ulcers) OR maybe(slicc_renal)
           OR maybe(slicc_serositis) OR maybe(slicc_synovitis) OR maybe(slicc_thrombocytopenia))
           OR NOT (maybe(slicc_ana) OR maybe(slicc_anti_ds_dna) OR maybe(slicc_anti_sm) OR maybe(slicc_antiphospholipid)
           OR maybe(slicc_direct_coombs) OR maybe(slicc_low_complement))
       ) AND (
           NOT maybe(slicc_renal) AND NOT nephritis
           OR NOT maybe(slicc_ana) AND NOT maybe(slicc_anti_ds_dna) AND NOT ana_ever) AS slicc_unmet,
       entry AND (
           CASE WHEN eular_acute_cutaneous THEN 6 WHEN eular_subacute_or_discoid THEN 4 WHEN eular_oral_ulcers
               THEN 2 WHEN eular_non_scarring_alopecia THEN 2 ELSE 0 END
           + CASE WHEN eular_acute_pericarditis THEN 6 WHEN eular_effusion THEN 5 ELSE 0 END
           + CASE WHEN eular_seizure THEN 5 WHEN eular_psychosis THEN 3 WHEN eular_delirium THEN 2 ELSE 0 END
           + CASE WHEN eular_autoimmune_hemolysis THEN 4 WHEN eular_thrombocytopenia
               THEN 4 WHEN eular_leukopenia THEN 3 ELSE 0 END
           + CASE WHEN eular_biopsy_3_4 THEN 10 WHEN eular_biopsy_2_5 THEN 8 WHEN eular_proteinuria THEN 4 ELSE 0 END
           + CASE WHEN eular_fever THEN 2 ELSE 0 END
           + CASE WHEN eular_joint_involvement THEN 6 ELSE 0 END
           + CASE WHEN eular_anti_ds_dna_or_sm THEN 6 ELSE 0 END
           + CASE WHEN eular_antiphospholipid THEN 2 ELSE 0 END
           + CASE WHEN eular_low_c3_and_c4 THEN 4 WHEN eular_low_c3_or_c4 THEN 3 ELSE 0 END
       ) >= 10 AND (eular_acute_cutaneous OR eular_subacute_or_discoid OR eular_oral_ulcers
           OR eular_non_scarring_alopecia
           OR eular_acute_pericarditis OR eular_effusion OR eular_seizure OR eular_psychosis OR eular_delirium
           OR eular_autoimmune_hemolysis OR eular_thrombocytopenia OR eular_leukopenia OR eular_biopsy_3_4
           OR eular_biopsy_2_5 OR eular_proteinuria OR eular_fever OR eular_joint_involvement) AS eular_met,
       NOT entry OR (
           CASE WHEN maybe(eular_acute_cutaneous) THEN 6 WHEN maybe(eular_subacute_or_discoid)
               THEN 4 WHEN maybe(eular_oral_ulcers) THEN 2 WHEN maybe(eular_non_scarring_alopecia) THEN 2 ELSE 0 END
           + CASE WHEN maybe(eular_acute_pericarditis) THEN 6 WHEN maybe(eular_effusion) THEN 5 ELSE 0 END
           + CASE WHEN maybe(eular_seizure) THEN 5 WHEN maybe(eular_psychosis) THEN 3 WHEN maybe(eular_delirium)
               THEN 2 ELSE 0 END
           + CASE WHEN maybe(eular_autoimmune_hemolysis) THEN 4 WHEN maybe(eular_thrombocytopenia)
               THEN 4 WHEN maybe(eular_leukopenia) THEN 3 ELSE 0 END
           + CASE WHEN maybe(eular_biopsy_3_4) THEN 10 WHEN maybe(eular_biopsy_2_5)
               THEN 8 WHEN maybe(eular_proteinuria) THEN 4 ELSE 0 END
           + CASE WHEN maybe(eular_fever) THEN 2 ELSE 0 END
           + CASE WHEN maybe(eular_joint_involvement) THEN 6 ELSE 0 END
           + CASE WHEN maybe(eular_anti_ds_dna_or_sm) THEN 6 ELSE 0 END
           + CASE WHEN maybe(eular_antiphospholipid) THEN 2 ELSE 0 END
           + CASE WHEN maybe(eular_low_c3_and_c4) THEN 4 WHEN maybe(eular_low_c3_or_c4) THEN 3 ELSE 0 END
       ) < 10 OR NOT (maybe(eular_acute_cutaneous) OR maybe(eular_subacute_or_discoid) OR maybe(eular_oral_ulcers)
           OR maybe(eular_non_scarring_alopecia) OR maybe(eular_acute_pericarditis) OR maybe(eular_effusion)
           OR maybe(eular_seizure) OR maybe(eular_psychosis) OR maybe(eular_delirium)
           OR maybe(eular_autoimmune_hemolysis) OR maybe(eular_thrombocytopenia) OR maybe(eular_leukopenia)
           OR maybe(eular_biopsy_3_4) OR maybe(eular_biopsy_2_5) OR maybe(eular_proteinuria) OR maybe(eular_fever)
           OR maybe(eular_joint_involvement)) AS eular_unmet,
       (eular_acute_cutaneous OR eular_subacute_or_discoid OR eular_oral_ulcers OR eular_non_scarring_alopecia
           OR eular_acute_pericarditis OR eular_effusion OR eular_seizure OR eular_psychosis OR eular_delirium
           OR eular_autoimmune_hemolysis OR eular_thrombocytopenia OR eular_leukopenia OR eular_biopsy_3_4
           OR eular_biopsy_2_5 OR eular_proteinuria OR eular_fever OR eular_joint_involvement) AS eular_clinical
FROM i;

-- ---- diagnosed by a recorded classification (I04b) ----

CREATE OR REPLACE TEMP TABLE acr_recorded AS
SELECT patient, min(date_from) AS first, min(least(date_to, judged_on())) AS last
FROM source_measurement
WHERE test = 'acr1997' AND date_from <= judged_on() AND (positive OR positive IS NULL AND low >= 4)
GROUP BY patient;

-- ---- all of it, by patient ----

CREATE OR REPLACE TEMP TABLE tested AS
SELECT *
FROM counted
LEFT JOIN single_result USING (patient) LEFT JOIN scored USING (patient) LEFT JOIN ideation USING (patient)
LEFT JOIN (SELECT * RENAME (recent AS biopsy_recent, old AS biopsy_old) FROM biopsied) USING (patient)
LEFT JOIN (SELECT patient, acr_met AS acr_stated, acr_unmet AS acr_denied, acr_points, slicc_met AS slicc_stated,
                  slicc_unmet AS slicc_denied, slicc_points, eular_met AS eular_stated,
                  eular_met_with_ana, eular_met_with_ana_and_clinical, eular_unmet AS eular_denied, eular_points
           FROM classified) USING (patient)
LEFT JOIN (SELECT patient, first AS acr_first, last AS acr_last FROM acr_recorded) USING (patient);
