-- The status of every row of three trials, and the verdicts: one row for each patient in `judged`. Columns are named
-- by trial and row: a_ NCT06106906, b_ NCT06150651, c_ NCT06892145. Null is unknown; `AND NULL`, `OR NULL` stand for
-- what only a person can judge.

CREATE OR REPLACE TYPE row_status AS ENUM ('pass', 'fail', 'unknown', 'not-applicable');

CREATE OR REPLACE TEMP TABLE fact AS
WITH joined AS (
    SELECT * FROM person JOIN tested USING (patient) JOIN diagnosed USING (patient) JOIN treated USING (patient)),
clearance AS (      -- Cockcroft and Gault: (140 - age) x weight x 0.85 in women / (72 x creatinine), rounded outwards
    SELECT *,
        -- points of EULAR/ACR classify with ANA: from 13, or from 10 where a clinical item is known
        CASE WHEN ana_ever AND eular_clinical THEN eular_met_with_ana_and_clinical
             WHEN ana_ever THEN eular_met_with_ana ELSE eular_stated END AS eular_proven,
        CASE sex WHEN 'female' THEN 85 WHEN 'male' THEN 100 END AS percent,
        weight_low IS NOT NULL AND weight_low > 0 AND creatinine_high > 0 AS lower_known,
        weight_high IS NOT NULL AND weight_high > 0 AND creatinine_low > 0 AS upper_known
    FROM joined),
computed AS (
    SELECT *,
        CASE WHEN lower_known THEN TRY(CAST(140 - age_most AS HUGEINT) * whole(weight_low) * percent * 1000000000000
            // (CAST(7200 AS HUGEINT) * whole(creatinine_high))) END AS clearance_least,
        CASE WHEN upper_known THEN TRY((CAST(140 - age_least AS HUGEINT) * whole(weight_high) * percent * 1000000000000
            + CAST(7200 AS HUGEINT) * whole(creatinine_low) - 1) // (CAST(7200 AS HUGEINT) * whole(creatinine_low))) END
            AS clearance_most
    FROM clearance)
SELECT * EXCLUDE (pregnant, pregnant_maybe),
    -- a recorded clearance widens the bounds of the computed one
    CASE WHEN CASE WHEN NOT coalesce(clearance_recorded, false) THEN clearance_least >= 60000000000000
                   WHEN clearance_least IS NULL THEN clearance_low >= 60
                   ELSE clearance_least >= 60000000000000 AND coalesce(clearance_low >= 60, true) END THEN true
         WHEN CASE WHEN NOT coalesce(clearance_recorded, false) THEN clearance_most < 60000000000000
                   WHEN clearance_most IS NULL THEN clearance_high < 60
                   ELSE clearance_most < 60000000000000 AND coalesce(clearance_high < 60, true) END THEN false
    END AS clearance_60,
    -- a pregnancy test says nothing where the sex is not recorded as male or female
    CASE WHEN sex IS NOT NULL THEN pregnancy_test END AS pregnancy_known,
    CASE WHEN sex IS NOT NULL THEN blood_pregnancy_test END AS blood_pregnancy_known,
    CASE WHEN sex IS NULL THEN NULL
         WHEN coalesce(NOT pregnancy_test, false) THEN CASE WHEN NOT coalesce(pregnant, false) THEN false END
         WHEN pregnancy_test OR pregnant THEN true
         WHEN conditions_complete AND NOT coalesce(pregnant_maybe, false) AND NOT coalesce(pregnancy_doubtful,
             false) THEN false
    END AS pregnant,
    CASE WHEN sle_refuted THEN false
         WHEN acr_stated OR coalesce(acr_points, true) AND NOT coalesce(acr_denied, false) AND acr_met THEN true
         WHEN acr_denied OR coalesce(acr_points, true) AND NOT coalesce(acr_stated, false) AND acr_unmet THEN false
    END AS acr_classified,
    CASE WHEN sle_refuted THEN false
         WHEN slicc_stated OR coalesce(slicc_points, true) AND NOT coalesce(slicc_denied, false) AND slicc_met THEN true
         WHEN slicc_denied OR coalesce(slicc_points, true) AND NOT coalesce(slicc_stated, false) AND slicc_unmet
             THEN false
    END AS slicc_classified,
    CASE WHEN sle_refuted THEN false
         WHEN eular_proven OR coalesce(eular_points, true) AND NOT coalesce(eular_denied, false) AND eular_met THEN true
         WHEN eular_denied OR coalesce(eular_points, true) AND NOT coalesce(eular_proven, false) AND eular_unmet
             THEN false
    END AS eular_classified,
    CASE WHEN any_biopsy THEN true WHEN procedures_complete THEN false END AS biopsied,
    CASE WHEN proliferative OR class_3_4 THEN true
         WHEN procedures_complete AND NOT coalesce(proliferative_maybe, false) AND NOT class_3_4_maybe THEN false
    END AS proliferative_nephritis
FROM computed;

-- what was attested of each row: 1 true, 0 false, 2 both, or what cannot be read
CREATE OR REPLACE TEMP TABLE said AS
WITH latest AS (
    SELECT patient, trial, criterion, value FROM source_attestation ANTI JOIN deceased USING (patient)
    WHERE date_from IS NULL OR date_from <= judged_on()
    QUALIFY date_to IS NULL
            OR date_to >= coalesce(max(date_from) OVER (PARTITION BY patient, trial, criterion), beginning()))
SELECT patient,
       CASE trial WHEN 'NCT06106906' THEN 'said_a_' WHEN 'NCT06150651' THEN 'said_b_' WHEN 'NCT06892145'
           THEN 'said_c_' END
           || replace(criterion, '.', '_') AS line,
       CAST(CASE WHEN bool_and(coalesce(value, false)) THEN 1 WHEN bool_or(coalesce(value, true)) THEN 2 ELSE 0
           END AS TINYINT) AS said
FROM latest GROUP BY patient, trial, criterion;

CREATE OR REPLACE TEMP TABLE attested AS
PIVOT said ON line IN (
    'said_a_I01a', 'said_a_I01b', 'said_a_I02', 'said_a_I02b', 'said_a_I03', 'said_a_I04a', 'said_a_I04b',
    'said_a_I05', 'said_a_I05a', 'said_a_I05b', 'said_a_I06', 'said_a_I07a', 'said_a_I07b', 'said_a_E01',
    'said_a_E02', 'said_a_E02a', 'said_a_E02b', 'said_a_E02c', 'said_a_E03a', 'said_a_E03b', 'said_a_E03c',
    'said_a_E04', 'said_a_E05', 'said_a_E06a', 'said_a_E06b', 'said_a_E07', 'said_a_E08a', 'said_a_E08b',
    'said_a_E09a', 'said_a_E09b', 'said_a_E09c', 'said_a_E10', 'said_a_E11a', 'said_a_E11b', 'said_a_E11c',
    'said_a_E11d', 'said_a_E11e', 'said_a_E11f', 'said_a_E12', 'said_a_E13a', 'said_a_E13b', 'said_a_E13c',
    'said_a_E13d', 'said_a_E13e', 'said_a_E13f', 'said_a_E14a', 'said_a_E14b', 'said_a_E15', 'said_a_E16',
    'said_a_E17', 'said_a_E18', 'said_a_E19a', 'said_a_E19b', 'said_a_E20a', 'said_a_E20b', 'said_a_E21',
    'said_a_E22', 'said_a_E23', 'said_a_E24a', 'said_a_E24b', 'said_a_E25', 'said_a_E26a', 'said_a_E26b',
    'said_a_E26c', 'said_a_E27a', 'said_a_E27b', 'said_a_E27c', 'said_a_E27d', 'said_a_E28a', 'said_a_E28b',
    'said_a_E29', 'said_a_E30a', 'said_a_E30b', 'said_a_E31a', 'said_a_E31b', 'said_a_E31c', 'said_a_E31d',
    'said_a_E32', 'said_a_E33a', 'said_a_E33b', 'said_b_I01', 'said_b_I02', 'said_b_I02a', 'said_b_I02b',
    'said_b_I02c', 'said_b_I03', 'said_b_I03_1', 'said_b_I03_1a', 'said_b_I03_1b1', 'said_b_I03_1b2',
    'said_b_I03_1c1', 'said_b_I03_1c2', 'said_b_I03_1d', 'said_b_I03_2', 'said_b_I03_2a', 'said_b_I03_2b',
    'said_b_I03_2c', 'said_b_I03_2d', 'said_b_I03_2e', 'said_b_I03_3', 'said_b_I03_3a', 'said_b_I03_3b',
    'said_b_I03_3c', 'said_b_I03_3d', 'said_b_I03_3e', 'said_b_I03_3f', 'said_b_I04', 'said_b_I05', 'said_c_I01',
    'said_c_I02', 'said_c_I02b', 'said_c_I03', 'said_c_I03a', 'said_c_I03b', 'said_c_I03c', 'said_c_I03d',
    'said_c_I03e', 'said_c_I03f', 'said_c_I03g', 'said_c_I03h', 'said_c_I04', 'said_c_I05', 'said_c_I06',
    'said_c_I06a', 'said_c_I06b', 'said_c_I06c', 'said_c_I06d', 'said_c_I06e', 'said_c_I07', 'said_c_I08a',
    'said_c_I08b', 'said_c_I09a', 'said_c_I09b', 'said_c_I09c', 'said_c_I09d'
) USING any_value(said) GROUP BY patient;

CREATE OR REPLACE MACRO settle(data, said) AS
    CASE WHEN said IS NULL THEN data WHEN said = 2 THEN NULL WHEN data IS NULL OR data = (said = 1) THEN said = 1 END;
CREATE OR REPLACE MACRO included(met) AS
    CASE WHEN met THEN 'pass' WHEN NOT met THEN 'fail' ELSE 'unknown' END::row_status;
CREATE OR REPLACE MACRO excluded(met) AS
    CASE WHEN met THEN 'fail' WHEN NOT met THEN 'pass' ELSE 'unknown' END::row_status;

-- ---- rows that rest on facts alone ----

CREATE OR REPLACE TEMP TABLE judged AS
WITH fact_row AS (
    SELECT f.*,
        said_a_E02, said_a_I05, said_b_I02, said_b_I03, said_b_I03_1, said_b_I03_1d, said_b_I03_2, said_b_I03_2b,
        said_b_I03_3, said_c_I03, said_c_I06,
        -- NCT06106906
        settle(consented1, said_a_I01a) AS a_I01a,
        settle(CAST(NULL AS BOOLEAN), said_a_I01b) AS a_I01b,
        settle(CASE WHEN age1_least >= 18 AND age1_most <= 70 THEN true WHEN age1_most < 18 OR age1_least > 70
            THEN false END, said_a_I02) AS a_I02,
        settle(true, said_a_I02b) AS a_I02b,
        settle(weight_40, said_a_I03) AS a_I03,
        settle(acr_classified, said_a_I04a) AS a_I04a,
        settle(CASE WHEN consent1_first - coalesce(acr_last, sle_recorded_last, acr_fourth_day) >= 168
            THEN true WHEN consent1_last - coalesce(acr_first, sle_recorded_first, sle_onset_first) < 168
            THEN false END, said_a_I04b) AS a_I04b,
        settle(selena_6, said_a_I05a) AS a_I05a,
        settle(pga_1, said_a_I05b) AS a_I05b,
        settle(standard_56_days, said_a_I06) AS a_I06,
        settle(NOT pregnancy_known, said_a_I07a) AS a_I07a,
        settle(agrees_contraception, said_a_I07b) AS a_I07b,
        settle(drug_allergy, said_a_E01) AS a_E01,
        settle(CAST(NULL AS BOOLEAN), said_a_E02a) AS a_E02a,
        settle(dialysis_56_days, said_a_E02b) AS a_E02b,
        settle(prednisone_100_14_days, said_a_E02c) AS a_E02c,
        settle(ideation, said_a_E03a) AS a_E03a,
        settle(suicidal_1_year, said_a_E03b) AS a_E03b,
        settle(suicidal_twice, said_a_E03c) AS a_E03c,
        settle(cns_56_days, said_a_E04) AS a_E04,
        settle(CAST(NULL AS BOOLEAN), said_a_E05) AS a_E05,
        settle(arthropathy, said_a_E06a) AS a_E06a,
        settle(inflammatory_skin OR skin AND NULL, said_a_E06b) AS a_E06b,
        settle(severe_vasculitis OR vasculitis AND NULL, said_a_E07) AS a_E07,
        settle(organ_transplant, said_a_E08a) AS a_E08a,
        settle(stem_cell_transplant, said_a_E08b) AS a_E08b,
        settle(plasmapheresis_14_days, said_a_E09a) AS a_E09a,
        settle(dialysis_14_days, said_a_E09b) AS a_E09b,
        settle(ivig_14_days, said_a_E09c) AS a_E09c,
        settle(autoimmune AND suppressant_now OR autoimmune AND NULL, said_a_E10) AS a_E10,
        settle(hbs_ag OR hbv_dna, said_a_E11a) AS a_E11a,
        settle(hcv, said_a_E11b) AS a_E11b,
        settle(hiv, said_a_E11c) AS a_E11c,
        settle(cmv_dna, said_a_E11d) AS a_E11d,
        settle(ebv_dna, said_a_E11e) AS a_E11e,
        settle(syphilis, said_a_E11f) AS a_E11f,
        settle(tuberculosis AND NULL OR (latent_tb OR igra) AND NOT tb_28_days AND NULL, said_a_E12) AS a_E12,
        settle(CAST(NULL AS BOOLEAN), said_a_E13a) AS a_E13a,
        settle(CAST(NULL AS BOOLEAN), said_a_E13b) AS a_E13b,
        settle(CAST(NULL AS BOOLEAN), said_a_E13c) AS a_E13c,
        settle(CAST(NULL AS BOOLEAN), said_a_E13d) AS a_E13d,
        settle(CAST(NULL AS BOOLEAN), said_a_E13e) AS a_E13e,
        settle(CAST(NULL AS BOOLEAN), said_a_E13f) AS a_E13f,
        settle(severe_allergy OR any_allergy AND NULL, said_a_E14a) AS a_E14a,
        settle(CAST(NULL AS BOOLEAN), said_a_E14b) AS a_E14b,
        settle(severe_heart OR heart AND NULL, said_a_E15) AS a_E15,
        settle(severe_liver OR liver AND NULL, said_a_E16) AS a_E16,
        settle(CAST(NULL AS BOOLEAN), said_a_E17) AS a_E17,
        settle(infection AND anti_infective_now OR (infection OR anti_infective_now) AND NULL, said_a_E18) AS a_E18,
        settle(live_vaccine_28_days, said_a_E19a) AS a_E19a,
        settle(CAST(NULL AS BOOLEAN), said_a_E19b) AS a_E19b,
        settle(jak_washing_out, said_a_E20a) AS a_E20a,
        settle(btk_washing_out, said_a_E20b) AS a_E20b,
        settle(b_cell_ever, said_a_E21) AS a_E21,
        settle(biologic_washing_out, said_a_E22) AS a_E22,
        settle(car_t_ever, said_a_E23) AS a_E23,
        settle(prednisone_10_before_leukapheresis, said_a_E24a) AS a_E24a,
        settle(prednisone_10_before_infusion, said_a_E24b) AS a_E24b,
        settle(study_drug_28_days OR NULL, said_a_E25) AS a_E25,
        settle(surgery_28_days, said_a_E26a) AS a_E26a,
        settle(CAST(NULL AS BOOLEAN), said_a_E26b) AS a_E26b,
        settle(CAST(NULL AS BOOLEAN), said_a_E26c) AS a_E26c,
        settle(donated_400, said_a_E27a) AS a_E27a,
        settle(CAST(NULL AS BOOLEAN), said_a_E27b) AS a_E27b,
        settle(transfusion_56_days, said_a_E27c) AS a_E27c,
        settle(CAST(NULL AS BOOLEAN), said_a_E27d) AS a_E27d,
        settle(bleeding_28_days, said_a_E28a) AS a_E28a,
        settle(anticoagulant_now AND (anticoagulant_3_months OR NULL), said_a_E28b) AS a_E28b,
        settle(severe_mental OR mental AND NULL, said_a_E29) AS a_E29,
        settle(alcohol AND (alcohol_now OR NULL), said_a_E30a) AS a_E30a,
        settle(drug_abuse, said_a_E30b) AS a_E30b,
        settle(pregnant, said_a_E31a) AS a_E31a,
        settle(lactation, said_a_E31b) AS a_E31b,
        settle(plans_pregnancy, said_a_E31c) AS a_E31c,
        settle(plans_pregnancy, said_a_E31d) AS a_E31d,
        settle(malignancy OR in_situ AND NULL, said_a_E32) AS a_E32,
        settle(CAST(NULL AS BOOLEAN), said_a_E33a) AS a_E33a,
        settle(CAST(NULL AS BOOLEAN), said_a_E33b) AS a_E33b,
        -- NCT06150651
        settle(CASE WHEN age2_least >= 18 AND age2_most <= 60 THEN true WHEN age2_most < 18 OR age2_least > 60
            THEN false END, said_b_I01) AS b_I01,
        settle(acr_classified, said_b_I02a) AS b_I02a,
        settle(slicc_classified, said_b_I02b) AS b_I02b,
        settle(eular_classified, said_b_I02c) AS b_I02c,
        settle(antimalarial_now OR no_antimalarial, said_b_I03_1a) AS b_I03_1a,
        settle(mofetil_1500, said_b_I03_1b1) AS b_I03_1b1,
        settle(azathioprine_1_5, said_b_I03_1b2) AS b_I03_1b2,
        settle(prednisone_7_5, said_b_I03_1c1) AS b_I03_1c1,
        settle(sledai_8, said_b_I03_1c2) AS b_I03_1c2,
        settle(proliferative_nephritis, said_b_I03_2a) AS b_I03_2a,
        settle(cyclophosphamide_1500, said_b_I03_2c) AS b_I03_2c,
        settle(mycophenolate_3_months, said_b_I03_2d) AS b_I03_2d,
        settle(cyclophosphamide_excepted OR mycophenolate_excepted, said_b_I03_2e) AS b_I03_2e,
        settle(activity_above_6, said_b_I03_3a) AS b_I03_3a,
        settle(chronicity_below_6, said_b_I03_3b) AS b_I03_3b,
        settle(CASE WHEN biopsy_recent THEN true WHEN procedures_complete AND coalesce(biopsy_old, true)
            THEN false END, said_b_I03_3c) AS b_I03_3c,
        settle(renal_worsening, said_b_I03_3d) AS b_I03_3d,
        settle(prednisone_0_7_14_days, said_b_I03_3e) AS b_I03_3e,
        settle(mycophenolate_14_days OR cyclophosphamide_14_days, said_b_I03_3f) AS b_I03_3f,
        settle(consented2, said_b_I04) AS b_I04,
        settle(agrees_contraception, said_b_I05) AS b_I05,
        -- NCT06892145
        settle(consented3, said_c_I01) AS c_I01,
        settle(CASE WHEN age3_least >= 18 THEN true WHEN age3_most < 18 THEN false END, said_c_I02) AS c_I02,
        settle(true, said_c_I02b) AS c_I02b,
        settle(eular_classified, said_c_I03a) AS c_I03a,
        settle(hydroxychloroquine_ever, said_c_I03b) AS c_I03b,
        settle(prednisone_1_per_kg, said_c_I03c) AS c_I03c,
        settle(two_conventional, said_c_I03d) AS c_I03d,
        settle(lupus_biologic_ever, said_c_I03e) AS c_I03e,
        settle(named_3_months, said_c_I03f) AS c_I03f,
        settle(sledai_7, said_c_I03g) AS c_I03g,
        settle(CAST(NULL AS BOOLEAN), said_c_I03h) AS c_I03h,
        settle(sledai_7, said_c_I04) AS c_I04,
        settle(ana_positive OR ds_dna, said_c_I05) AS c_I05,
        settle(lvef_50, said_c_I06a) AS c_I06a,
        settle(creatinine_2_uln OR clearance_60, said_c_I06b) AS c_I06b,
        settle(alt_3_uln AND ast_3_uln, said_c_I06c) AS c_I06c,
        settle(bilirubin_2_uln OR gilbert AND bilirubin_3_uln, said_c_I06d) AS c_I06d,
        settle(saturation_92 AND room_air, said_c_I06e) AS c_I06e,
        settle(NOT (severe_mental OR mental AND NULL), said_c_I07) AS c_I07,
        settle(CAST(NULL AS BOOLEAN), said_c_I08a) AS c_I08a,
        settle(CAST(NULL AS BOOLEAN), said_c_I08b) AS c_I08b,
        settle(NOT blood_pregnancy_known, said_c_I09a) AS c_I09a,
        settle(agrees_contraception, said_c_I09b) AS c_I09b,
        settle(agrees_contraception, said_c_I09c) AS c_I09c,
        settle(CAST(NULL AS BOOLEAN), said_c_I09d) AS c_I09d
    FROM fact f LEFT JOIN attested USING (patient)),
-- rows made of rows
group_row1 AS (
    SELECT *,
        settle((b_I03_1c1 OR b_I03_1c2) AND (antimalarial_now OR no_antimalarial)
        AND (mycophenolate_now OR azathioprine_now OR no_mycophenolate AND no_azathioprine), said_b_I03_1d) AS b_I03_1d,
        settle((no_cyclophosphamide OR b_I03_2c) AND (no_mycophenolate OR b_I03_2d), said_b_I03_2b) AS b_I03_2b,
        settle(biopsied AND b_I03_3a AND b_I03_3b AND b_I03_3c AND b_I03_3d AND b_I03_3e
            AND b_I03_3f, said_b_I03_3) AS b_I03_3,
        settle(sle AND (b_I02a OR b_I02b OR b_I02c), said_b_I02) AS b_I02,
        settle(a_I05a AND a_I05b, said_a_I05) AS a_I05,
        settle(severe_nephritis_56_days AND (a_E02a OR a_E02b OR a_E02c), said_a_E02) AS a_E02,
        settle((c_I03b AND c_I03c AND c_I03d AND c_I03e AND c_I03f AND c_I03g OR c_I03h)
            AND c_I03a, said_c_I03) AS c_I03,
        settle(c_I06a AND c_I06b AND c_I06c AND c_I06d AND c_I06e, said_c_I06) AS c_I06
    FROM fact_row),
group_row2 AS (
    SELECT *,
        settle((no_antimalarial OR b_I03_1a) AND (no_mycophenolate AND no_azathioprine OR b_I03_1b1 OR b_I03_1b2)
        AND (b_I03_1c1 OR b_I03_1c2) AND b_I03_1d, said_b_I03_1) AS b_I03_1,
        settle((no_cyclophosphamide OR b_I03_2c) AND (no_mycophenolate OR b_I03_2d) AND b_I03_2a
            AND b_I03_2b, said_b_I03_2) AS b_I03_2
    FROM group_row1),
group_row3 AS (
    SELECT *,
        settle(b_I03_1 OR b_I03_2 OR b_I03_3, said_b_I03) AS b_I03
    FROM group_row2),
told AS (
    SELECT patient,
        included(a_I01a) AS a_I01a,
        included(a_I01b) AS a_I01b,
        included(a_I02) AS a_I02,
        included(a_I02b) AS a_I02b,
        included(a_I03) AS a_I03,
        included(a_I04a) AS a_I04a,
        included(a_I04b) AS a_I04b,
        included(a_I05) AS a_I05,
        included(a_I05a) AS a_I05a,
        included(a_I05b) AS a_I05b,
        included(a_I06) AS a_I06,
        CASE WHEN sex = 'male' THEN 'not-applicable'::row_status ELSE included(a_I07a) END AS a_I07a,
        included(a_I07b) AS a_I07b,
        excluded(a_E01) AS a_E01,
        excluded(a_E02) AS a_E02,
        excluded(a_E02a) AS a_E02a,
        excluded(a_E02b) AS a_E02b,
        excluded(a_E02c) AS a_E02c,
        excluded(a_E03a) AS a_E03a,
        excluded(a_E03b) AS a_E03b,
        excluded(a_E03c) AS a_E03c,
        excluded(a_E04) AS a_E04,
        excluded(a_E05) AS a_E05,
        excluded(a_E06a) AS a_E06a,
        excluded(a_E06b) AS a_E06b,
        excluded(a_E07) AS a_E07,
        excluded(a_E08a) AS a_E08a,
        excluded(a_E08b) AS a_E08b,
        excluded(a_E09a) AS a_E09a,
        excluded(a_E09b) AS a_E09b,
        excluded(a_E09c) AS a_E09c,
        excluded(a_E10) AS a_E10,
        excluded(a_E11a) AS a_E11a,
        excluded(a_E11b) AS a_E11b,
        excluded(a_E11c) AS a_E11c,
        excluded(a_E11d) AS a_E11d,
        excluded(a_E11e) AS a_E11e,
        excluded(a_E11f) AS a_E11f,
        excluded(a_E12) AS a_E12,
        excluded(a_E13a) AS a_E13a,
        excluded(a_E13b) AS a_E13b,
        excluded(a_E13c) AS a_E13c,
        excluded(a_E13d) AS a_E13d,
        excluded(a_E13e) AS a_E13e,
        excluded(a_E13f) AS a_E13f,
        excluded(a_E14a) AS a_E14a,
        excluded(a_E14b) AS a_E14b,
        excluded(a_E15) AS a_E15,
        excluded(a_E16) AS a_E16,
        excluded(a_E17) AS a_E17,
        excluded(a_E18) AS a_E18,
        excluded(a_E19a) AS a_E19a,
        excluded(a_E19b) AS a_E19b,
        excluded(a_E20a) AS a_E20a,
        excluded(a_E20b) AS a_E20b,
        excluded(a_E21) AS a_E21,
        excluded(a_E22) AS a_E22,
        excluded(a_E23) AS a_E23,
        excluded(a_E24a) AS a_E24a,
        excluded(a_E24b) AS a_E24b,
        excluded(a_E25) AS a_E25,
        excluded(a_E26a) AS a_E26a,
        excluded(a_E26b) AS a_E26b,
        excluded(a_E26c) AS a_E26c,
        excluded(a_E27a) AS a_E27a,
        excluded(a_E27b) AS a_E27b,
        excluded(a_E27c) AS a_E27c,
        excluded(a_E27d) AS a_E27d,
        excluded(a_E28a) AS a_E28a,
        excluded(a_E28b) AS a_E28b,
        excluded(a_E29) AS a_E29,
        excluded(a_E30a) AS a_E30a,
        excluded(a_E30b) AS a_E30b,
        CASE WHEN sex = 'male' THEN 'not-applicable'::row_status ELSE excluded(a_E31a) END AS a_E31a,
        CASE WHEN sex = 'male' THEN 'not-applicable'::row_status ELSE excluded(a_E31b) END AS a_E31b,
        CASE WHEN sex = 'male' THEN 'not-applicable'::row_status ELSE excluded(a_E31c) END AS a_E31c,
        CASE WHEN sex = 'female' THEN 'not-applicable'::row_status ELSE excluded(a_E31d) END AS a_E31d,
        excluded(a_E32) AS a_E32,
        excluded(a_E33a) AS a_E33a,
        excluded(a_E33b) AS a_E33b,
        included(b_I01) AS b_I01,
        included(b_I02) AS b_I02,
        included(b_I02a) AS b_I02a,
        included(b_I02b) AS b_I02b,
        included(b_I02c) AS b_I02c,
        included(b_I03) AS b_I03,
        included(b_I03_1) AS b_I03_1,
        included(b_I03_1a) AS b_I03_1a,
        included(b_I03_1b1) AS b_I03_1b1,
        included(b_I03_1b2) AS b_I03_1b2,
        included(b_I03_1c1) AS b_I03_1c1,
        included(b_I03_1c2) AS b_I03_1c2,
        included(b_I03_1d) AS b_I03_1d,
        included(b_I03_2) AS b_I03_2,
        included(b_I03_2a) AS b_I03_2a,
        included(b_I03_2b) AS b_I03_2b,
        included(b_I03_2c) AS b_I03_2c,
        included(b_I03_2d) AS b_I03_2d,
        CASE WHEN NOT (cyclophosphamide_excepted OR mycophenolate_excepted) THEN 'not-applicable'::row_status
            ELSE included(b_I03_2e) END AS b_I03_2e,
        included(b_I03_3) AS b_I03_3,
        included(b_I03_3a) AS b_I03_3a,
        included(b_I03_3b) AS b_I03_3b,
        included(b_I03_3c) AS b_I03_3c,
        included(b_I03_3d) AS b_I03_3d,
        included(b_I03_3e) AS b_I03_3e,
        included(b_I03_3f) AS b_I03_3f,
        included(b_I04) AS b_I04,
        CASE WHEN infertile THEN 'not-applicable'::row_status ELSE included(b_I05) END AS b_I05,
        included(c_I01) AS c_I01,
        included(c_I02) AS c_I02,
        included(c_I02b) AS c_I02b,
        included(c_I03) AS c_I03,
        included(c_I03a) AS c_I03a,
        included(c_I03b) AS c_I03b,
        included(c_I03c) AS c_I03c,
        included(c_I03d) AS c_I03d,
        included(c_I03e) AS c_I03e,
        included(c_I03f) AS c_I03f,
        included(c_I03g) AS c_I03g,
        included(c_I03h) AS c_I03h,
        included(c_I04) AS c_I04,
        included(c_I05) AS c_I05,
        included(c_I06) AS c_I06,
        included(c_I06a) AS c_I06a,
        included(c_I06b) AS c_I06b,
        included(c_I06c) AS c_I06c,
        included(c_I06d) AS c_I06d,
        included(c_I06e) AS c_I06e,
        included(c_I07) AS c_I07,
        included(c_I08a) AS c_I08a,
        included(c_I08b) AS c_I08b,
        CASE WHEN sex = 'male' OR no_potential THEN 'not-applicable'::row_status ELSE included(c_I09a) END AS c_I09a,
        included(c_I09b) AS c_I09b,
        CASE WHEN sex = 'female' THEN 'not-applicable'::row_status ELSE included(c_I09c) END AS c_I09c,
        included(c_I09d) AS c_I09d
    FROM group_row3)
SELECT *,
    CASE WHEN 'fail' IN (
             a_I01a, a_I01b, a_I02, a_I02b, a_I03, a_I04a, a_I04b, a_I05, a_I06, a_I07a, a_I07b, a_E01, a_E02, a_E03a,
             a_E03b, a_E03c, a_E04, a_E05, a_E06a, a_E06b, a_E07, a_E08a, a_E08b, a_E09a, a_E09b, a_E09c, a_E10, a_E11a,
             a_E11b, a_E11c, a_E11d, a_E11e, a_E11f, a_E12, a_E13a, a_E13b, a_E13c, a_E13d, a_E13e, a_E13f, a_E14a,
                 a_E14b,
             a_E15, a_E16, a_E17, a_E18, a_E19a, a_E19b, a_E20a, a_E20b, a_E21, a_E22, a_E23, a_E24a, a_E24b, a_E25,
                 a_E26a,
             a_E26b, a_E26c, a_E27a, a_E27b, a_E27c, a_E27d, a_E28a, a_E28b, a_E29, a_E30a, a_E30b, a_E31a, a_E31b,
                 a_E31c,
             a_E31d, a_E32, a_E33a, a_E33b) THEN 'ineligible'
         WHEN 'unknown' IN (
             a_I01a, a_I01b, a_I02, a_I02b, a_I03, a_I04a, a_I04b, a_I05, a_I06, a_I07a, a_I07b, a_E01, a_E02, a_E03a,
             a_E03b, a_E03c, a_E04, a_E05, a_E06a, a_E06b, a_E07, a_E08a, a_E08b, a_E09a, a_E09b, a_E09c, a_E10, a_E11a,
             a_E11b, a_E11c, a_E11d, a_E11e, a_E11f, a_E12, a_E13a, a_E13b, a_E13c, a_E13d, a_E13e, a_E13f, a_E14a,
                 a_E14b,
             a_E15, a_E16, a_E17, a_E18, a_E19a, a_E19b, a_E20a, a_E20b, a_E21, a_E22, a_E23, a_E24a, a_E24b, a_E25,
                 a_E26a,
             a_E26b, a_E26c, a_E27a, a_E27b, a_E27c, a_E27d, a_E28a, a_E28b, a_E29, a_E30a, a_E30b, a_E31a, a_E31b,
                 a_E31c,
             a_E31d, a_E32, a_E33a, a_E33b) THEN 'undetermined' ELSE 'eligible' END AS a_verdict,
    CAST(
        (a_I01a = 'unknown')::TINYINT + (a_I01b = 'unknown')::TINYINT + (a_I02 = 'unknown')::TINYINT +
        (a_I02b = 'unknown')::TINYINT + (a_I03 = 'unknown')::TINYINT + (a_I04a = 'unknown')::TINYINT +
        (a_I04b = 'unknown')::TINYINT + (a_I05 = 'unknown')::TINYINT + (a_I05a = 'unknown')::TINYINT +
        (a_I05b = 'unknown')::TINYINT + (a_I06 = 'unknown')::TINYINT + (a_I07a = 'unknown')::TINYINT +
        (a_I07b = 'unknown')::TINYINT + (a_E01 = 'unknown')::TINYINT + (a_E02 = 'unknown')::TINYINT +
        (a_E02a = 'unknown')::TINYINT + (a_E02b = 'unknown')::TINYINT + (a_E02c = 'unknown')::TINYINT +
        (a_E03a = 'unknown')::TINYINT + (a_E03b = 'unknown')::TINYINT + (a_E03c = 'unknown')::TINYINT +
        (a_E04 = 'unknown')::TINYINT + (a_E05 = 'unknown')::TINYINT + (a_E06a = 'unknown')::TINYINT +
        (a_E06b = 'unknown')::TINYINT + (a_E07 = 'unknown')::TINYINT + (a_E08a = 'unknown')::TINYINT +
        (a_E08b = 'unknown')::TINYINT + (a_E09a = 'unknown')::TINYINT + (a_E09b = 'unknown')::TINYINT +
        (a_E09c = 'unknown')::TINYINT + (a_E10 = 'unknown')::TINYINT + (a_E11a = 'unknown')::TINYINT +
        (a_E11b = 'unknown')::TINYINT + (a_E11c = 'unknown')::TINYINT + (a_E11d = 'unknown')::TINYINT +
        (a_E11e = 'unknown')::TINYINT + (a_E11f = 'unknown')::TINYINT + (a_E12 = 'unknown')::TINYINT +
        (a_E13a = 'unknown')::TINYINT + (a_E13b = 'unknown')::TINYINT + (a_E13c = 'unknown')::TINYINT +
        (a_E13d = 'unknown')::TINYINT + (a_E13e = 'unknown')::TINYINT + (a_E13f = 'unknown')::TINYINT +
        (a_E14a = 'unknown')::TINYINT + (a_E14b = 'unknown')::TINYINT + (a_E15 = 'unknown')::TINYINT +
        (a_E16 = 'unknown')::TINYINT + (a_E17 = 'unknown')::TINYINT + (a_E18 = 'unknown')::TINYINT +
        (a_E19a = 'unknown')::TINYINT + (a_E19b = 'unknown')::TINYINT + (a_E20a = 'unknown')::TINYINT +
        (a_E20b = 'unknown')::TINYINT + (a_E21 = 'unknown')::TINYINT + (a_E22 = 'unknown')::TINYINT +
        (a_E23 = 'unknown')::TINYINT + (a_E24a = 'unknown')::TINYINT + (a_E24b = 'unknown')::TINYINT +
        (a_E25 = 'unknown')::TINYINT + (a_E26a = 'unknown')::TINYINT + (a_E26b = 'unknown')::TINYINT +
        (a_E26c = 'unknown')::TINYINT + (a_E27a = 'unknown')::TINYINT + (a_E27b = 'unknown')::TINYINT +
        (a_E27c = 'unknown')::TINYINT + (a_E27d = 'unknown')::TINYINT + (a_E28a = 'unknown')::TINYINT +
        (a_E28b = 'unknown')::TINYINT + (a_E29 = 'unknown')::TINYINT + (a_E30a = 'unknown')::TINYINT +
        (a_E30b = 'unknown')::TINYINT + (a_E31a = 'unknown')::TINYINT + (a_E31b = 'unknown')::TINYINT +
        (a_E31c = 'unknown')::TINYINT + (a_E31d = 'unknown')::TINYINT + (a_E32 = 'unknown')::TINYINT +
        (a_E33a = 'unknown')::TINYINT + (a_E33b = 'unknown')::TINYINT AS INTEGER) AS a_unknown,
    CASE WHEN 'fail' IN (
             b_I01, b_I02, b_I03, b_I04, b_I05) THEN 'ineligible'
         WHEN 'unknown' IN (
             b_I01, b_I02, b_I03, b_I04, b_I05) THEN 'undetermined' ELSE 'eligible' END AS b_verdict,
    CAST(
        (b_I01 = 'unknown')::TINYINT + (b_I02 = 'unknown')::TINYINT + (b_I02a = 'unknown')::TINYINT +
        (b_I02b = 'unknown')::TINYINT + (b_I02c = 'unknown')::TINYINT + (b_I03 = 'unknown')::TINYINT +
        (b_I03_1 = 'unknown')::TINYINT + (b_I03_1a = 'unknown')::TINYINT + (b_I03_1b1 = 'unknown')::TINYINT +
        (b_I03_1b2 = 'unknown')::TINYINT + (b_I03_1c1 = 'unknown')::TINYINT + (b_I03_1c2 = 'unknown')::TINYINT +
        (b_I03_1d = 'unknown')::TINYINT + (b_I03_2 = 'unknown')::TINYINT + (b_I03_2a = 'unknown')::TINYINT +
        (b_I03_2b = 'unknown')::TINYINT + (b_I03_2c = 'unknown')::TINYINT + (b_I03_2d = 'unknown')::TINYINT +
        (b_I03_2e = 'unknown')::TINYINT + (b_I03_3 = 'unknown')::TINYINT + (b_I03_3a = 'unknown')::TINYINT +
        (b_I03_3b = 'unknown')::TINYINT + (b_I03_3c = 'unknown')::TINYINT + (b_I03_3d = 'unknown')::TINYINT +
        (b_I03_3e = 'unknown')::TINYINT + (b_I03_3f = 'unknown')::TINYINT + (b_I04 = 'unknown')::TINYINT +
        (b_I05 = 'unknown')::TINYINT AS INTEGER) AS b_unknown,
    CASE WHEN 'fail' IN (
             c_I01, c_I02, c_I02b, c_I03, c_I04, c_I05, c_I06, c_I07, c_I08a, c_I08b, c_I09a, c_I09b, c_I09c,
                 c_I09d) THEN 'ineligible'
         WHEN 'unknown' IN (
             c_I01, c_I02, c_I02b, c_I03, c_I04, c_I05, c_I06, c_I07, c_I08a, c_I08b, c_I09a, c_I09b, c_I09c,
                 c_I09d) THEN 'undetermined' ELSE 'eligible' END AS c_verdict,
    CAST(
        (c_I01 = 'unknown')::TINYINT + (c_I02 = 'unknown')::TINYINT + (c_I02b = 'unknown')::TINYINT +
        (c_I03 = 'unknown')::TINYINT + (c_I03a = 'unknown')::TINYINT + (c_I03b = 'unknown')::TINYINT +
        (c_I03c = 'unknown')::TINYINT + (c_I03d = 'unknown')::TINYINT + (c_I03e = 'unknown')::TINYINT +
        (c_I03f = 'unknown')::TINYINT + (c_I03g = 'unknown')::TINYINT + (c_I03h = 'unknown')::TINYINT +
        (c_I04 = 'unknown')::TINYINT + (c_I05 = 'unknown')::TINYINT + (c_I06 = 'unknown')::TINYINT +
        (c_I06a = 'unknown')::TINYINT + (c_I06b = 'unknown')::TINYINT + (c_I06c = 'unknown')::TINYINT +
        (c_I06d = 'unknown')::TINYINT + (c_I06e = 'unknown')::TINYINT + (c_I07 = 'unknown')::TINYINT +
        (c_I08a = 'unknown')::TINYINT + (c_I08b = 'unknown')::TINYINT + (c_I09a = 'unknown')::TINYINT +
        (c_I09b = 'unknown')::TINYINT + (c_I09c = 'unknown')::TINYINT + (c_I09d = 'unknown')::TINYINT AS INTEGER)
            AS c_unknown
FROM told;
