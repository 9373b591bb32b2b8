-- Diagnoses, procedures, vaccines, allergies: one row for each patient in `diagnosed`, each question true, false or
-- null. A confirmed record of the value set says yes. No says a refuted diagnosis that nothing newer contradicts, or
-- a complete section without a record that is possible (only where the value set is closed).

-- diagnosis_code (concept, value_set, status, refutes): `in`, `undecided`; `outside` only where its refutation
-- refutes
CREATE OR REPLACE TEMP TABLE diagnosis AS
SELECT c.patient, m.value_set, c.status, m.status = 'in' AS member, m.refutes, c.severity,
       CASE WHEN c.abated_from > judged_on() THEN true ELSE c.ongoing END AS active,
       coalesce(c.onset_from, beginning()) AS hull_start,
       greatest(c.onset_from, least(c.onset_to, c.recorded_to, c.abated_to, CASE WHEN
           coalesce(c.onset_to, c.recorded_to, c.abated_to) IS NOT NULL OR c.ongoing THEN judged_on() END))
               AS core_start,
       CASE WHEN c.abated_from <= judged_on() THEN greatest(c.abated_from, c.onset_from)
            WHEN c.ongoing OR c.abated_from > judged_on() THEN judged_on()
            WHEN c.ongoing IS NULL AND c.recorded_from <= judged_on() THEN greatest(c.onset_from, c.recorded_from)
            ELSE c.onset_from END AS core_end,
       CASE WHEN c.abated_from <= judged_on() THEN least(c.abated_to, judged_on())
            WHEN NOT c.ongoing AND c.abated_from IS NULL THEN judged_on()
            ELSE judged_on() END AS hull_end,
       coalesce(c.recorded_from, c.onset_from) AS stated,
       coalesce(c.onset_from, c.recorded_from) AS day_from, coalesce(c.onset_to, c.recorded_to) AS day_to,
       c.recorded_from, c.recorded_to, c.onset_from
FROM source_condition c JOIN diagnosis_code m USING (concept)
WHERE coalesce(c.onset_from, c.recorded_from, beginning()) <= judged_on() AND (m.status <> 'outside'
    OR c.status = 'refuted');

-- ---- refutations: few, so they are kept apart ----

CREATE OR REPLACE TEMP TABLE refutation AS
SELECT patient, value_set, max(stated) AS last, bool_or(stated IS NULL) AS undated
FROM diagnosis WHERE status = 'refuted' AND refutes GROUP BY patient, value_set;

CREATE OR REPLACE TEMP TABLE refuted AS         -- no confirmed record as recent or undated, no later suspicion
SELECT r.patient, r.value_set
FROM refutation r LEFT JOIN (
    SELECT patient, value_set, bool_or(status = 'confirmed' AND member) AS confirmed,
           bool_or(status = 'confirmed' AND member AND stated IS NULL) AS confirmed_undated,
           max(stated) FILTER (WHERE status = 'confirmed' AND member) AS confirmed_last,
           max(stated) FILTER (WHERE status = 'uncertain') AS suspected_last
    FROM diagnosis SEMI JOIN refutation USING (patient, value_set)
        GROUP BY patient, value_set) k USING (patient, value_set)
WHERE NOT coalesce(k.confirmed, false) AND r.undated
   OR (NOT coalesce(k.confirmed, false) OR NOT k.confirmed_undated AND k.confirmed_last < r.last)
      AND r.last IS NOT NULL AND coalesce(k.suspected_last <= r.last, true);

-- ---- what each record says of each question ----

CREATE OR REPLACE TEMP TABLE told AS
SELECT d.*, d.status = 'confirmed' AND d.member
       AND NOT (r.patient IS NOT NULL AND (r.undated OR d.stated IS NULL OR r.last >= d.stated)) AS proven,
       d.status <> 'refuted' AS possible,
       coalesce(d.active AND coalesce(d.core_start <= judged_on(), true), false) AS now,
       coalesce(d.active, true) AND d.hull_end >= judged_on() AS maybe_now,
       coalesce(d.core_start <= judged_on() AND d.core_end >= judged_on() - 14, false) AS in_14_days,
       d.hull_start <= judged_on() AND d.hull_end >= judged_on() - 14 AS maybe_14_days,
       coalesce(d.core_start <= judged_on() AND d.core_end >= judged_on() - 28, false) AS in_28_days,
       d.hull_start <= judged_on() AND d.hull_end >= judged_on() - 28 AS maybe_28_days,
       coalesce(d.core_start <= judged_on() AND d.core_end >= judged_on() - 56, false) AS in_56_days,
       d.hull_start <= judged_on() AND d.hull_end >= judged_on() - 56 AS maybe_56_days,
       coalesce(d.core_start <= judged_on() AND d.core_end >= CAST(judged_on() - INTERVAL 1 YEAR AS DATE),
           false) AS in_1_year,
       d.hull_start <= judged_on() AND d.hull_end >= CAST(judged_on() - INTERVAL 1 YEAR AS DATE) AS maybe_1_year
FROM diagnosis d LEFT JOIN refutation r USING (patient, value_set);

CREATE OR REPLACE TEMP TABLE summed AS
SELECT patient,
    bool_or(proven) FILTER (WHERE value_set = 'sleDiagnosis') AS sle,
    bool_or(possible) FILTER (WHERE value_set = 'sleDiagnosis') AS sle_maybe,
    bool_or(proven AND in_56_days AND severity = 'severe') FILTER (WHERE value_set = 'lupusNephritisAny') AS nephritis,
    bool_or(possible AND maybe_56_days AND coalesce(severity = 'severe', true))
        FILTER (WHERE value_set = 'lupusNephritisAny') AS nephritis_maybe,
    bool_or(proven AND in_1_year) FILTER (WHERE value_set = 'suicidalBehaviorAny') AS suicidal,
    bool_or(possible AND maybe_1_year) FILTER (WHERE value_set = 'suicidalBehaviorAny') AS suicidal_maybe,
    min(day_from) FILTER (WHERE value_set = 'suicidalBehaviorAny' AND proven AND day_from = day_to)
        < max(day_from)
            FILTER (WHERE value_set = 'suicidalBehaviorAny' AND proven AND day_from = day_to) AS suicidal_twice,
    count(*) FILTER (WHERE value_set = 'suicidalBehaviorAny' AND possible) AS suicidal_count,
    bool_or(proven AND in_56_days) FILTER (WHERE value_set = 'cnsDisease') AS cns,
    bool_or(proven) FILTER (WHERE value_set = 'inflammatoryArthropathyNotSle') AS arthropathy,
    bool_or(proven) FILTER (WHERE value_set = 'inflammatorySkinDiseaseNotSle') AS inflammatory_skin,
    bool_or(proven) FILTER (WHERE value_set = 'skinDiseaseNotSle') AS skin,
    bool_or(proven AND severity = 'severe') FILTER (WHERE value_set = 'vasculitisAny') AS severe_vasculitis,
    bool_or(proven) FILTER (WHERE value_set = 'vasculitisAny') AS vasculitis,
    bool_or(proven AND now) FILTER (WHERE value_set = 'otherAutoimmuneDisease') AS autoimmune,
    bool_or(proven AND now) FILTER (WHERE value_set = 'activeTuberculosis') AS tuberculosis,
    bool_or(possible AND maybe_now) FILTER (WHERE value_set = 'activeTuberculosis') AS tuberculosis_maybe,
    bool_or(proven AND now) FILTER (WHERE value_set = 'latentTuberculosisAny') AS latent_tb,
    bool_or(possible AND maybe_now) FILTER (WHERE value_set = 'latentTuberculosisAny') AS latent_tb_maybe,
    bool_or(proven AND now AND severity = 'severe') FILTER (WHERE value_set = 'heartDiseaseAny') AS severe_heart,
    bool_or(proven AND now) FILTER (WHERE value_set = 'heartDiseaseAny') AS heart,
    bool_or(proven AND now AND severity = 'severe')
        FILTER (WHERE value_set = 'hepatobiliaryDiseaseAny') AS severe_liver,
    bool_or(proven AND now) FILTER (WHERE value_set = 'hepatobiliaryDiseaseAny') AS liver,
    bool_or(proven AND now) FILTER (WHERE value_set = 'infectionAny') AS infection,
    bool_or(proven AND in_28_days AND severity IN ('moderate', 'severe'))
        FILTER (WHERE value_set = 'bleedingAny') AS bleeding,
    bool_or(possible AND maybe_28_days AND coalesce(severity IN ('moderate', 'severe'), true))
        FILTER (WHERE value_set = 'bleedingAny') AS bleeding_maybe,
    bool_or(proven AND now AND severity = 'severe') FILTER (WHERE value_set = 'mentalDisorderAny') AS severe_mental,
    bool_or(proven AND now) FILTER (WHERE value_set = 'mentalDisorderAny') AS mental,
    bool_or(proven) FILTER (WHERE value_set = 'alcoholDependenceAny') AS alcohol,
    bool_or(possible) FILTER (WHERE value_set = 'alcoholDependenceAny') AS alcohol_maybe,
    bool_or(proven AND now) FILTER (WHERE value_set = 'alcoholDependenceAny') AS alcohol_now,
    bool_or(possible AND maybe_now) FILTER (WHERE value_set = 'alcoholDependenceAny') AS alcohol_now_maybe,
    bool_or(proven) FILTER (WHERE value_set = 'drugAbuseEver') AS drug_abuse,
    bool_or(possible) FILTER (WHERE value_set = 'drugAbuseEver') AS drug_abuse_maybe,
    bool_or(proven AND now) FILTER (WHERE value_set = 'lactationCondition') AS lactation,
    bool_or(possible AND maybe_now) FILTER (WHERE value_set = 'lactationCondition') AS lactation_maybe,
    bool_or(proven) FILTER (WHERE value_set = 'malignancyEver') AS malignancy,
    bool_or(possible) FILTER (WHERE value_set = 'malignancyEver') AS malignancy_maybe,
    bool_or(proven) FILTER (WHERE value_set = 'inSituNeoplasm') AS in_situ,
    bool_or(possible) FILTER (WHERE value_set = 'inSituNeoplasm') AS in_situ_maybe,
    bool_or(proven) FILTER (WHERE value_set = 'gilbertSyndrome') AS gilbert,
    bool_or(possible) FILTER (WHERE value_set = 'gilbertSyndrome') AS gilbert_maybe,
    -- E31a: pregnancy counts while it is recorded as active
    bool_or(status = 'confirmed' AND member AND active) FILTER (WHERE value_set = 'pregnancyCondition') AS pregnant,
    bool_or(possible AND maybe_now) FILTER (WHERE value_set = 'pregnancyCondition') AS pregnant_maybe,
    -- diagnoses that tell of a procedure (Z94.0, Z99.2)
    bool_or(proven AND in_14_days) FILTER (WHERE value_set = 'hemodialysisAny') AS dialysis_14,
    bool_or(possible AND maybe_14_days) FILTER (WHERE value_set = 'hemodialysisAny') AS dialysis_14_maybe,
    bool_or(proven AND in_56_days) FILTER (WHERE value_set = 'hemodialysisAny') AS dialysis_56,
    bool_or(possible AND maybe_56_days) FILTER (WHERE value_set = 'hemodialysisAny') AS dialysis_56_maybe,
    bool_or(proven) FILTER (WHERE value_set = 'solidOrganTransplantation') AS organ,
    bool_or(possible AND hull_start <= judged_on())
        FILTER (WHERE value_set = 'solidOrganTransplantation') AS organ_maybe,
    bool_or(proven) FILTER (WHERE value_set = 'stemCellTransplantation') AS stem_cell,
    bool_or(possible AND hull_start <= judged_on())
        FILTER (WHERE value_set = 'stemCellTransplantation') AS stem_cell_maybe,
    bool_or(proven AND in_14_days) FILTER (WHERE value_set = 'plasmapheresisAny') AS plasmapheresis,
    bool_or(possible AND maybe_14_days) FILTER (WHERE value_set = 'plasmapheresisAny') AS plasmapheresis_maybe,
    bool_or(proven AND in_56_days) FILTER (WHERE value_set = 'transfusionAny') AS transfusion,
    bool_or(possible AND maybe_56_days) FILTER (WHERE value_set = 'transfusionAny') AS transfusion_maybe,
    -- I04b: since when lupus is known
    bool_or(refutes AND recorded_from IS NOT NULL) FILTER (WHERE lupus) AS sle_recorded,
    min(recorded_from) FILTER (WHERE lupus) AS sle_recorded_first,
    min(least(recorded_to, judged_on())) FILTER (WHERE lupus AND recorded_to IS NOT NULL) AS sle_recorded_last,
    bool_or(refutes AND onset_from IS NOT NULL) FILTER (WHERE lupus) AS sle_onset,
    min(onset_from) FILTER (WHERE lupus AND refutes) AS sle_onset_first
FROM (SELECT *, value_set = 'sleDiagnosis' AND status = 'confirmed' AND member
                AND coalesce(recorded_from, beginning()) <= judged_on() AS lupus FROM told)
GROUP BY patient;

CREATE OR REPLACE TEMP TABLE refuted_set AS
SELECT patient,
    bool_or(value_set = 'sleDiagnosis') AS no_sle, bool_or(value_set = 'lupusNephritisAny') AS no_nephritis,
    bool_or(value_set = 'suicidalBehaviorAny') AS no_suicidal, bool_or(value_set = 'cnsDisease') AS no_cns,
    bool_or(value_set = 'inflammatoryArthropathyNotSle') AS no_arthropathy,
    bool_or(value_set = 'inflammatorySkinDiseaseNotSle') AS no_inflammatory_skin,
    bool_or(value_set = 'skinDiseaseNotSle') AS no_skin, bool_or(value_set = 'vasculitisAny') AS no_vasculitis,
    bool_or(value_set = 'otherAutoimmuneDisease') AS no_autoimmune,
    bool_or(value_set = 'activeTuberculosis') AS no_tuberculosis, bool_or(value_set = 'latentTuberculosisAny')
        AS no_latent_tb,
    bool_or(value_set = 'heartDiseaseAny') AS no_heart, bool_or(value_set = 'hepatobiliaryDiseaseAny') AS no_liver,
    bool_or(value_set = 'infectionAny') AS no_infection, bool_or(value_set = 'bleedingAny') AS no_bleeding,
    bool_or(value_set = 'mentalDisorderAny') AS no_mental, bool_or(value_set = 'alcoholDependenceAny') AS no_alcohol,
    bool_or(value_set = 'drugAbuseEver') AS no_drug_abuse, bool_or(value_set = 'lactationCondition') AS no_lactation,
    bool_or(value_set = 'malignancyEver') AS no_malignancy, bool_or(value_set = 'inSituNeoplasm') AS no_in_situ,
    bool_or(value_set = 'gilbertSyndrome') AS no_gilbert,
    bool_or(value_set = 'hemodialysisAny') AS no_dialysis, bool_or(value_set = 'solidOrganTransplantation') AS no_organ,
    bool_or(value_set = 'stemCellTransplantation') AS no_stem_cell,
    bool_or(value_set = 'plasmapheresisAny') AS no_plasmapheresis, bool_or(value_set = 'transfusionAny')
        AS no_transfusion,
    bool_or(value_set = 'majorSurgeryAny') AS no_surgery
FROM refuted GROUP BY patient;

-- E26a: major surgery within 28 days before lymphodepletion, by diagnosis
CREATE OR REPLACE TEMP TABLE surgery_diagnosis AS
SELECT d.patient, bool_or(proven AND coalesce(core_start <= lymphodepletion_from
    AND core_end >= lymphodepletion_to - 28, false)) AS surgery,
       bool_or(possible AND hull_start <= lymphodepletion_to AND hull_end >= lymphodepletion_from - 28) AS surgery_maybe
FROM told d JOIN happened h USING (patient) WHERE d.value_set = 'majorSurgeryAny' AND h.lymphodepletion_from IS NOT NULL
GROUP BY d.patient;

-- proliferative nephritis as a diagnosis: NCT06150651 I03.2a
CREATE OR REPLACE TEMP TABLE nephritis_class AS
SELECT patient, bool_or(status = 'confirmed') AS class_3_4, bool_or(status <> 'refuted') AS class_3_4_maybe
FROM source_condition
WHERE concept IN ('lupusNephritisClassIII', 'lupusNephritisClassIV')
  AND coalesce(onset_from, recorded_from, beginning()) <= judged_on()
GROUP BY patient;

-- ---- procedures ----

-- procedure_code (concept, value_set, status)
CREATE OR REPLACE TEMP TABLE operated AS
WITH record AS (
    SELECT p.patient, m.value_set, p.done = 'yes' AND m.status = 'in' AS sure, p.done <> 'no' AS possible,
           least(p.from_to, p.end_to, judged_on()) AS started, greatest(p.end_from, p.from_from) AS ended,
           coalesce(p.from_from, beginning()) AS maybe_from, coalesce(p.end_to, judged_on()) AS maybe_to,
           h.lymphodepletion_from, h.lymphodepletion_to
    FROM source_procedure p JOIN procedure_code m USING (concept) LEFT JOIN happened h USING (patient)
    WHERE coalesce(p.from_from, beginning()) <= judged_on())
SELECT patient,
    bool_or(sure AND started <= judged_on() AND ended >= judged_on() - 14)
        FILTER (WHERE value_set = 'hemodialysisAny') AS p_dialysis_14,
    bool_or(possible AND maybe_to >= judged_on() - 14)
        FILTER (WHERE value_set = 'hemodialysisAny') AS p_dialysis_14_maybe,
    bool_or(sure AND started <= judged_on() AND ended >= judged_on() - 56)
        FILTER (WHERE value_set = 'hemodialysisAny') AS p_dialysis_56,
    bool_or(possible AND maybe_to >= judged_on() - 56)
        FILTER (WHERE value_set = 'hemodialysisAny') AS p_dialysis_56_maybe,
    bool_or(sure AND coalesce(started <= judged_on() AND ended >= beginning(), true))
        FILTER (WHERE value_set = 'solidOrganTransplantation') AS p_organ,
    bool_or(possible) FILTER (WHERE value_set = 'solidOrganTransplantation') AS p_organ_maybe,
    bool_or(sure AND coalesce(started <= judged_on() AND ended >= beginning(), true))
        FILTER (WHERE value_set = 'stemCellTransplantation') AS p_stem_cell,
    bool_or(possible) FILTER (WHERE value_set = 'stemCellTransplantation') AS p_stem_cell_maybe,
    bool_or(sure AND started <= judged_on() AND ended >= judged_on() - 14)
        FILTER (WHERE value_set = 'plasmapheresisAny') AS p_plasmapheresis,
    bool_or(possible AND maybe_to >= judged_on() - 14)
        FILTER (WHERE value_set = 'plasmapheresisAny') AS p_plasmapheresis_maybe,
    bool_or(sure AND started <= judged_on() AND ended >= judged_on() - 56)
        FILTER (WHERE value_set = 'transfusionAny') AS p_transfusion,
    bool_or(possible AND maybe_to >= judged_on() - 56)
        FILTER (WHERE value_set = 'transfusionAny') AS p_transfusion_maybe,
    bool_or(sure AND started <= lymphodepletion_from AND ended >= lymphodepletion_to - 28)
        FILTER (WHERE value_set = 'majorSurgeryAny') AS p_surgery,
    bool_or(possible AND maybe_from <= lymphodepletion_to AND maybe_to >= lymphodepletion_from - 28)
        FILTER (WHERE value_set = 'majorSurgeryAny') AS p_surgery_maybe
FROM record GROUP BY patient;

-- E27a: a donation whose volume was not stated for its day
CREATE OR REPLACE TEMP TABLE unmeasured_donation AS
SELECT DISTINCT p.patient
FROM source_procedure p JOIN donation_code USING (concept)
WHERE p.done <> 'no' AND coalesce(p.from_from, beginning()) <= judged_on()
    AND coalesce(p.end_to, judged_on()) >= judged_on() - 28
  AND NOT EXISTS (
      FROM source_statement s WHERE s.patient = p.patient AND s.statement = 'bloodDonationVolume'
          AND s.date_from = p.from_from
      AND s.amount IS NOT NULL AND coalesce(s.date_to, judged_on()) >= judged_on() - 28);

-- ---- vaccines: E19a ----

CREATE OR REPLACE TEMP TABLE vaccinated AS
SELECT i.patient,
       bool_or(i.given = 'yes' AND m.status = 'in' AND i.date_from >= judged_on() - 28) AS vaccine,
       bool_or(i.given <> 'no' AND coalesce(i.date_to, judged_on()) >= judged_on() - 28) AS vaccine_maybe
FROM source_immunization i JOIN vaccine_code m USING (concept)
WHERE coalesce(i.date_from, beginning()) <= judged_on() GROUP BY i.patient;

-- ---- allergies: E01, E14a ----

-- allergy_code (concept, status): immunosuppressants and prednisone
CREATE OR REPLACE TEMP TABLE allergic AS
WITH record AS (
    SELECT y.patient, coalesce(y.none_known, false) AS none_known, y.status, y.criticality, m.status AS member,
           coalesce(y.status = 'confirmed' AND y.kind = 'allergy' AND NOT coalesce(y.none_known, false), false) AS sure,
           y.status <> 'refuted' AND coalesce(y.kind, 'allergy') = 'allergy'
               AND NOT coalesce(y.none_known, false) AS possible
    FROM source_allergy y LEFT JOIN allergy_code m USING (concept)
    WHERE coalesce(y.recorded_from, beginning()) <= judged_on())
SELECT patient,
       bool_or(none_known AND status = 'confirmed') AND NOT bool_or(NOT none_known
           AND status <> 'refuted') AS no_allergy,
       bool_or(sure AND member = 'in') AS drug_allergy, bool_or(possible AND member IS NOT NULL) AS drug_allergy_maybe,
       bool_or(sure AND criticality = 'high') AS severe_allergy,
       bool_or(possible AND coalesce(criticality, 'high') = 'high') AS severe_allergy_maybe,
       bool_or(sure) AS any_allergy, bool_or(possible) AS any_allergy_maybe
FROM record GROUP BY patient;

-- ---- all of it, by patient: true, false or null ----

CREATE OR REPLACE MACRO presence(refuted, sure, possible, complete) AS
    CASE WHEN refuted THEN false WHEN sure THEN true WHEN complete AND NOT coalesce(possible, false) THEN false END;

CREATE OR REPLACE TEMP TABLE diagnosed AS
SELECT p.patient,
    presence(no_sle, sle, sle_maybe, conditions_complete) AS sle,
    coalesce(no_sle, false) AS sle_refuted,
    presence(no_nephritis, nephritis, nephritis_maybe, conditions_complete) AS severe_nephritis_56_days,
    presence(no_suicidal, suicidal, suicidal_maybe, conditions_complete) AS suicidal_1_year,
    CASE WHEN suicidal_twice THEN true WHEN conditions_complete AND coalesce(suicidal_count, 0) < 2
        THEN false END AS suicidal_twice,
    -- open value sets: what is not recorded can still be there
    presence(no_cns, cns, true, false) AS cns_56_days,
    presence(no_arthropathy, arthropathy, true, false) AS arthropathy,
    presence(no_inflammatory_skin, inflammatory_skin, true, false) AS inflammatory_skin,
    presence(no_skin, skin, true, false) AS skin,
    presence(no_vasculitis, severe_vasculitis, true, false) AS severe_vasculitis,
    presence(no_vasculitis, vasculitis, true, false) AS vasculitis,
    presence(no_autoimmune, autoimmune, true, false) AS autoimmune,
    presence(no_heart, severe_heart, true, false) AS severe_heart,
    presence(no_heart, heart, true, false) AS heart,
    presence(no_liver, severe_liver, true, false) AS severe_liver,
    presence(no_liver, liver, true, false) AS liver,
    presence(no_infection, infection, true, false) AS infection,
    presence(no_mental, severe_mental, true, false) AS severe_mental,
    presence(no_mental, mental, true, false) AS mental,
    presence(no_tuberculosis, tuberculosis, tuberculosis_maybe, conditions_complete) AS tuberculosis,
    presence(no_latent_tb, latent_tb, latent_tb_maybe, conditions_complete) AS latent_tb,
    presence(no_bleeding, bleeding, bleeding_maybe, conditions_complete) AS bleeding_28_days,
    presence(no_alcohol, alcohol, alcohol_maybe, conditions_complete) AS alcohol,
    presence(no_alcohol, alcohol_now, alcohol_now_maybe, conditions_complete) AS alcohol_now,
    presence(no_drug_abuse, drug_abuse, drug_abuse_maybe, conditions_complete) AS drug_abuse,
    presence(no_lactation, lactation, lactation_maybe, conditions_complete) AS lactation,
    presence(no_malignancy, malignancy, malignancy_maybe, conditions_complete) AS malignancy,
    presence(no_in_situ, in_situ, in_situ_maybe, conditions_complete) AS in_situ,
    presence(no_gilbert, gilbert, gilbert_maybe, conditions_complete) AS gilbert,
    pregnant, pregnant_maybe,
    -- a refuted diagnosis does not undo a procedure that is recorded
    presence(no_dialysis AND NOT coalesce(p_dialysis_14_maybe, false), dialysis_14 OR p_dialysis_14,
             coalesce(dialysis_14_maybe, false) OR p_dialysis_14_maybe, procedures_complete) AS dialysis_14_days,
    presence(no_dialysis AND NOT coalesce(p_dialysis_56_maybe, false), dialysis_56 OR p_dialysis_56,
             coalesce(dialysis_56_maybe, false) OR p_dialysis_56_maybe, procedures_complete) AS dialysis_56_days,
    presence(no_organ AND NOT coalesce(p_organ_maybe, false), organ OR p_organ,
             coalesce(organ_maybe, false) OR p_organ_maybe, procedures_complete) AS organ_transplant,
    presence(no_stem_cell AND NOT coalesce(p_stem_cell_maybe, false), stem_cell OR p_stem_cell,
             coalesce(stem_cell_maybe, false) OR p_stem_cell_maybe, procedures_complete) AS stem_cell_transplant,
    presence(no_plasmapheresis AND NOT coalesce(p_plasmapheresis_maybe, false), plasmapheresis OR p_plasmapheresis,
             coalesce(plasmapheresis_maybe, false) OR p_plasmapheresis_maybe, procedures_complete)
                 AS plasmapheresis_14_days,
    presence(no_transfusion AND NOT coalesce(p_transfusion_maybe, false), transfusion OR p_transfusion,
             coalesce(transfusion_maybe, false) OR p_transfusion_maybe, procedures_complete) AS transfusion_56_days,
    CASE WHEN lymphodepletion_from IS NOT NULL THEN
        presence(no_surgery AND NOT coalesce(p_surgery_maybe, false), surgery OR p_surgery,
                 coalesce(surgery_maybe, false) OR p_surgery_maybe,
                 procedures_until >= lymphodepletion_to AND lymphodepletion_to <= judged_on()) END AS surgery_28_days,
    CASE WHEN blood_least >= 400 THEN true
         WHEN procedures_complete AND d.patient IS NULL AND NOT blood_unread AND blood_most < 400
             THEN false END AS donated_400,
    presence(false, vaccine, vaccine_maybe, immunizations_complete) AS live_vaccine_28_days,
    presence(no_allergy, drug_allergy, drug_allergy_maybe, allergies_complete) AS drug_allergy,
    presence(no_allergy, severe_allergy, severe_allergy_maybe, allergies_complete) AS severe_allergy,
    presence(no_allergy, any_allergy, any_allergy_maybe, allergies_complete) AS any_allergy,
    sle_recorded_last,
    CASE WHEN sle_recorded THEN sle_recorded_first END AS sle_recorded_first,
    CASE WHEN sle_onset THEN least(sle_onset_first, sle_recorded_first) END AS sle_onset_first,
    coalesce(class_3_4, false) AS class_3_4, coalesce(class_3_4_maybe, false) AS class_3_4_maybe
FROM person p LEFT JOIN summed USING (patient) LEFT JOIN refuted_set USING (patient)
    LEFT JOIN surgery_diagnosis USING (patient)
LEFT JOIN nephritis_class USING (patient) LEFT JOIN operated USING (patient)
LEFT JOIN unmeasured_donation d USING (patient) LEFT JOIN vaccinated USING (patient) LEFT JOIN allergic USING (patient);
