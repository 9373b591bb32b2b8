-- What is known of the person: birth, sex, consent and other events, statements, completeness of the record. One row
-- for each patient in `person`. Variables of the run: judged_on, consented_on (null unless given), complete.

CREATE OR REPLACE MACRO judged_on() AS getvariable('judged_on');
CREATE OR REPLACE MACRO beginning() AS DATE '0001-01-01';
CREATE OR REPLACE MACRO years(birth, day) AS
    year(day) - year(birth) - CASE WHEN (month(day), day(day)) < (month(birth), day(birth)) THEN 1 ELSE 0 END;

-- ---- sections of the record: complete until which day; never where something in them could not be read ----

CREATE OR REPLACE TEMP TABLE section AS
WITH blocked AS (
    SELECT DISTINCT patient, section FROM source_unread
    WHERE section IS NOT NULL AND (date_from IS NULL OR date_from <= judged_on())),
said AS (
    SELECT patient, section, date_from AS until FROM source_completeness WHERE date_from <= judged_on()
    UNION ALL
    SELECT patient, unnest(getvariable('complete')), judged_on() FROM source_patient)
SELECT patient,
       max(until) FILTER (WHERE section = 'conditions') AS conditions,
       max(until) FILTER (WHERE section = 'medications') AS medications,
       max(until) FILTER (WHERE section = 'procedures') AS procedures,
       max(until) FILTER (WHERE section = 'allergies') AS allergies,
       max(until) FILTER (WHERE section = 'immunizations') AS immunizations,
       max(until) FILTER (WHERE section = 'statements') AS statements
FROM said ANTI JOIN blocked USING (patient, section) GROUP BY patient;

-- ---- who died: no consent, and attestations settle nothing ----

CREATE OR REPLACE TEMP TABLE deceased AS
SELECT DISTINCT patient FROM source_event WHERE event = 'death' AND coalesce(date_from, beginning()) <= judged_on();

-- ---- events: one bound to the trial before an unbound one, the latest day first; a signed consent counts most ----

-- a consent holds that is signed on a later day than every withdrawal, refusal, and consent of which the period is over
CREATE OR REPLACE TEMP TABLE given_consent AS
WITH seen AS (
    SELECT *, coalesce(status <> 'active', false) OR coalesce(until_from < judged_on(), false) AS over
    FROM source_consent WHERE date_from IS NULL OR date_from <= judged_on())
SELECT *, NOT over AND NOT EXISTS (
    FROM seen o WHERE o.patient = s.patient AND o.trial = s.trial AND o.over
                AND NOT coalesce(o.date_to < s.date_from, false)) AS holds
FROM seen s;

CREATE OR REPLACE TEMP TABLE happened AS
WITH recorded AS (
    SELECT e.patient, t.trial, e.event, e.date_from, e.date_to, e.rowid AS place, CASE WHEN e.trial IS NULL
        THEN 1 ELSE 2 END AS rank
    FROM source_event e JOIN (VALUES ('NCT06106906'), ('NCT06150651'), ('NCT06892145')) t (trial)
    ON e.trial IS NULL OR e.trial = t.trial
    WHERE e.event = 'consent' OR e.event IN ('leukapheresis', 'lymphodepletion', 'infusion') AND t.trial = 'NCT06106906'
    UNION ALL
    SELECT patient, trial, 'consent', CASE WHEN holds THEN date_from END, CASE WHEN holds THEN date_to END, rowid, 3
    FROM given_consent),
latest AS (
    FROM recorded
    QUALIFY row_number() OVER (PARTITION BY patient, trial, event
                               ORDER BY rank DESC, coalesce(date_from, beginning()) DESC, date_to IS NOT NULL, date_to,
                                        place) = 1)
SELECT patient,
       any_value(date_from) FILTER (WHERE event = 'consent' AND trial = 'NCT06106906') AS consent1_from,
       any_value(date_to) FILTER (WHERE event = 'consent' AND trial = 'NCT06106906') AS consent1_to,
       any_value(date_from) FILTER (WHERE event = 'consent' AND trial = 'NCT06150651') AS consent2_from,
       any_value(date_to) FILTER (WHERE event = 'consent' AND trial = 'NCT06150651') AS consent2_to,
       any_value(date_from) FILTER (WHERE event = 'consent' AND trial = 'NCT06892145') AS consent3_from,
       any_value(date_to) FILTER (WHERE event = 'consent' AND trial = 'NCT06892145') AS consent3_to,
       any_value(date_from) FILTER (WHERE event = 'leukapheresis') AS leukapheresis_from,
       any_value(date_to) FILTER (WHERE event = 'leukapheresis') AS leukapheresis_to,
       any_value(date_from) FILTER (WHERE event = 'lymphodepletion') AS lymphodepletion_from,
       any_value(date_to) FILTER (WHERE event = 'lymphodepletion') AS lymphodepletion_to,
       any_value(date_from) FILTER (WHERE event = 'infusion') AS infusion_from,
       any_value(date_to) FILTER (WHERE event = 'infusion') AS infusion_to
FROM latest WHERE date_from IS NOT NULL AND date_to IS NOT NULL GROUP BY patient;

CREATE OR REPLACE TEMP TABLE undated_consent AS
SELECT patient, bool_or(trial = 'NCT06106906') AS consent1, bool_or(trial = 'NCT06150651') AS consent2,
       bool_or(trial = 'NCT06892145') AS consent3
FROM given_consent WHERE holds AND date_from IS NULL GROUP BY patient;

-- ---- statements: the latest of each kind; several that differ, or one that was not read, leave it open ----

CREATE OR REPLACE TEMP TABLE latest_statement AS
SELECT patient, statement, bool_or(coalesce(value, true)) AS some_true, bool_or(NOT coalesce(value, false)) AS some_false,
       coalesce(bool_or(value), false) AS said_true, coalesce(bool_or(NOT value), false) AS said_false
FROM (
    FROM source_statement
    WHERE coalesce(date_from, beginning()) <= judged_on()
      AND (statement IN ('agreesContraception', 'plansPregnancy', 'childbearingPotential', 'postmenopausal',
          'sterilised')
           OR statement LIKE 'contraindication:%')
    QUALIFY coalesce(date_to, judged_on()) >= max(coalesce(date_from, beginning())) OVER (PARTITION BY patient,
        statement))
GROUP BY patient, statement;

CREATE OR REPLACE TEMP TABLE stated AS
SELECT patient,
       bool_or(some_true) FILTER (WHERE statement = 'agreesContraception') AS agrees_some_true,
       bool_or(some_false) FILTER (WHERE statement = 'agreesContraception') AS agrees_some_false,
       bool_or(some_true) FILTER (WHERE statement = 'plansPregnancy') AS plans_some_true,
       bool_or(some_false) FILTER (WHERE statement = 'plansPregnancy') AS plans_some_false,
       bool_or(some_true) FILTER (WHERE statement = 'childbearingPotential') AS potential,
       bool_or(CASE statement WHEN 'childbearingPotential' THEN said_false ELSE said_true END)
           FILTER (WHERE statement IN ('childbearingPotential', 'postmenopausal', 'sterilised')) AS no_potential
FROM latest_statement GROUP BY patient;

-- contraindication_code (statement, value_set, single): `single` where a denial denies the whole set
CREATE OR REPLACE TEMP TABLE contraindicated AS
SELECT patient,
       bool_or(some_true AND NOT some_false) FILTER (WHERE value_set = 'Antimalarial') AS antimalarial,
       bool_or(some_true) FILTER (WHERE value_set = 'Antimalarial') AS antimalarial_maybe,
       bool_or(some_false AND single) FILTER (WHERE value_set = 'Antimalarial') AS antimalarial_denied,
       bool_or(some_true AND NOT some_false) FILTER (WHERE value_set = 'Mycophenolate') AS mycophenolate,
       bool_or(some_true) FILTER (WHERE value_set = 'Mycophenolate') AS mycophenolate_maybe,
       bool_or(some_false AND single) FILTER (WHERE value_set = 'Mycophenolate') AS mycophenolate_denied,
       bool_or(some_true AND NOT some_false) FILTER (WHERE value_set = 'azathioprine') AS azathioprine,
       bool_or(some_true) FILTER (WHERE value_set = 'azathioprine') AS azathioprine_maybe,
       bool_or(some_false AND single) FILTER (WHERE value_set = 'azathioprine') AS azathioprine_denied,
       bool_or(some_true AND NOT some_false) FILTER (WHERE value_set = 'cyclophosphamide') AS cyclophosphamide,
       bool_or(some_true) FILTER (WHERE value_set = 'cyclophosphamide') AS cyclophosphamide_maybe,
       bool_or(some_false AND single) FILTER (WHERE value_set = 'cyclophosphamide') AS cyclophosphamide_denied
FROM latest_statement JOIN contraindication_code USING (statement) GROUP BY patient;

-- ---- blood donated within 28 days: E27a ----

CREATE OR REPLACE TEMP TABLE donated AS
SELECT patient, sum(amount) FILTER (WHERE date_from >= judged_on() - 28) AS sure, sum(amount) AS total,
       bool_or(amount IS NULL) AS unread
FROM source_statement
WHERE statement = 'bloodDonationVolume' AND coalesce(date_from, beginning()) <= judged_on()
  AND coalesce(date_to, judged_on()) >= judged_on() - 28
GROUP BY patient;

-- ---- the person ----

CREATE OR REPLACE TEMP TABLE person AS
WITH anchored AS (
    SELECT p.patient, p.sex, p.birth_from, p.birth_to,
           coalesce(getvariable('consented_on'), h.consent1_from, judged_on()) AS consent1_first,
           coalesce(getvariable('consented_on'), h.consent1_to, judged_on()) AS consent1_last,
           coalesce(getvariable('consented_on'), h.consent2_from, judged_on()) AS consent2_first,
           coalesce(getvariable('consented_on'), h.consent2_to, judged_on()) AS consent2_last,
           coalesce(getvariable('consented_on'), h.consent3_from, judged_on()) AS consent3_first,
           coalesce(getvariable('consented_on'), h.consent3_to, judged_on()) AS consent3_last,
           CASE WHEN d.patient IS NULL
                     AND (coalesce(getvariable('consented_on'), h.consent1_to) <= judged_on() OR u.consent1) THEN true END
               AS consented1,
           CASE WHEN d.patient IS NULL
                     AND (coalesce(getvariable('consented_on'), h.consent2_to) <= judged_on() OR u.consent2) THEN true END
               AS consented2,
           CASE WHEN d.patient IS NULL
                     AND (coalesce(getvariable('consented_on'), h.consent3_to) <= judged_on() OR u.consent3) THEN true END
               AS consented3,
           h.leukapheresis_from, h.leukapheresis_to, h.lymphodepletion_from, h.lymphodepletion_to,
           h.infusion_from, h.infusion_to
    FROM source_patient p LEFT JOIN happened h USING (patient) LEFT JOIN undated_consent u USING (patient)
    LEFT JOIN deceased d ON d.patient = p.patient)
SELECT a.*,
       years(a.birth_to, a.consent1_first) AS age1_least, years(a.birth_from, a.consent1_last) AS age1_most,
       years(a.birth_to, a.consent2_first) AS age2_least, years(a.birth_from, a.consent2_last) AS age2_most,
       years(a.birth_to, a.consent3_first) AS age3_least, years(a.birth_from, a.consent3_last) AS age3_most,
       years(a.birth_to, judged_on()) AS age_least, years(a.birth_from, judged_on()) AS age_most,
       CASE WHEN t.agrees_some_true AND NOT t.agrees_some_false THEN true WHEN NOT t.agrees_some_true THEN false END
           AS agrees_contraception,
       CASE WHEN t.plans_some_true AND NOT t.plans_some_false THEN true
            WHEN NOT t.plans_some_true OR t.plans_some_true IS NULL AND c.statements >= judged_on() THEN false END
           AS plans_pregnancy,
       coalesce(NOT coalesce(t.potential, false) AND t.no_potential, false) AS no_potential,
       coalesce(NOT coalesce(t.potential, false)
           AND (coalesce(t.no_potential, false) OR a.sex = 'female' AND years(a.birth_to, judged_on()) >= 55), false)
           AS infertile,
       CASE WHEN x.antimalarial THEN true
            WHEN NOT coalesce(x.antimalarial_maybe, false)
                 AND (x.antimalarial_denied OR c.statements >= judged_on()) THEN false END AS no_antimalarial,
       CASE WHEN x.mycophenolate THEN true
            WHEN NOT coalesce(x.mycophenolate_maybe, false)
                 AND (x.mycophenolate_denied OR c.statements >= judged_on()) THEN false END AS no_mycophenolate,
       CASE WHEN x.azathioprine THEN true
            WHEN NOT coalesce(x.azathioprine_maybe, false)
                 AND (x.azathioprine_denied OR c.statements >= judged_on()) THEN false END AS no_azathioprine,
       CASE WHEN x.cyclophosphamide THEN true
            WHEN NOT coalesce(x.cyclophosphamide_maybe, false)
                 AND (x.cyclophosphamide_denied OR c.statements >= judged_on()) THEN false END AS no_cyclophosphamide,
       CASE WHEN x.mycophenolate THEN true WHEN NOT coalesce(x.mycophenolate_maybe, false) THEN false END
           AS mycophenolate_excepted,
       CASE WHEN x.cyclophosphamide THEN true WHEN NOT coalesce(x.cyclophosphamide_maybe, false) THEN false END
           AS cyclophosphamide_excepted,
       coalesce(b.sure, 0) AS blood_least, coalesce(b.total, 0) AS blood_most, coalesce(b.unread,
           false) AS blood_unread,
       c.conditions AS conditions_until, coalesce(c.conditions >= judged_on(), false) AS conditions_complete,
       c.medications AS medications_until, coalesce(c.medications >= judged_on(), false) AS medications_complete,
       c.procedures AS procedures_until, coalesce(c.procedures >= judged_on(), false) AS procedures_complete,
       coalesce(c.allergies >= judged_on(), false) AS allergies_complete,
       coalesce(c.immunizations >= judged_on(), false) AS immunizations_complete
FROM anchored a LEFT JOIN section c USING (patient) LEFT JOIN stated t USING (patient)
LEFT JOIN contraindicated x USING (patient) LEFT JOIN donated b USING (patient);
