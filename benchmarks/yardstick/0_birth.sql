-- What is dated before the patient was born is not believed: the date is not known, the fact uncertain. Nor is a limit
-- of normal for another sex. Both are rare, so rows are corrected where they are.

UPDATE source_measurement f SET uln = NULL
FROM source_patient p WHERE p.patient = f.patient AND f.limits_for IS NOT NULL AND f.limits_for IS DISTINCT FROM p.sex;

UPDATE source_measurement f
SET date_from = NULL, date_to = NULL, low = NULL, high = NULL, uln = NULL, positive = NULL,
    below_quantification = NULL, text = NULL
FROM source_patient p WHERE p.patient = f.patient AND f.date_to < p.birth_from;

UPDATE source_condition f
SET status = CASE status WHEN 'confirmed' THEN 'uncertain' ELSE status END, ongoing = NULL,
    onset_from = CASE WHEN coalesce(onset_to, onset_from) < p.birth_from THEN NULL ELSE onset_from END,
    onset_to = CASE WHEN onset_to < p.birth_from THEN NULL ELSE onset_to END,
    abated_from = CASE WHEN coalesce(abated_to, abated_from) < p.birth_from THEN NULL ELSE abated_from END,
    abated_to = CASE WHEN abated_to < p.birth_from THEN NULL ELSE abated_to END,
    recorded_from = CASE WHEN coalesce(recorded_to, recorded_from) < p.birth_from THEN NULL ELSE recorded_from END,
    recorded_to = CASE WHEN recorded_to < p.birth_from THEN NULL ELSE recorded_to END
FROM source_patient p
WHERE p.patient = f.patient
  AND (f.onset_to < p.birth_from OR f.abated_to < p.birth_from OR f.recorded_to < p.birth_from);

UPDATE source_exposure f
SET taken = CASE taken WHEN 'no' THEN 'no' ELSE 'uncertain' END, ongoing = NULL,
    start_from = CASE WHEN coalesce(start_to, start_from) < p.birth_from THEN NULL ELSE start_from END,
    start_to = CASE WHEN start_to < p.birth_from THEN NULL ELSE start_to END,
    end_from = CASE WHEN coalesce(end_to, end_from) < p.birth_from THEN NULL ELSE end_from END,
    end_to = CASE WHEN end_to < p.birth_from THEN NULL ELSE end_to END
FROM source_patient p
WHERE p.patient = f.patient AND (f.start_to < p.birth_from OR f.end_to < p.birth_from);

UPDATE source_exposure f SET recorded_from = NULL, recorded_to = NULL
FROM source_patient p WHERE p.patient = f.patient AND f.recorded_to < p.birth_from;

UPDATE source_procedure f SET done = 'uncertain', from_from = NULL, from_to = NULL, end_from = NULL, end_to = NULL
FROM source_patient p
WHERE p.patient = f.patient AND (f.from_to < p.birth_from OR f.end_to < p.birth_from);

UPDATE source_immunization f SET given = 'uncertain', date_from = NULL, date_to = NULL
FROM source_patient p WHERE p.patient = f.patient AND f.date_to < p.birth_from;

UPDATE source_allergy f
SET status = CASE status WHEN 'confirmed' THEN 'uncertain' ELSE status END, recorded_from = NULL, recorded_to = NULL
FROM source_patient p WHERE p.patient = f.patient AND f.recorded_to < p.birth_from;

UPDATE source_statement f SET value = NULL, amount = NULL, date_from = NULL, date_to = NULL
FROM source_patient p WHERE p.patient = f.patient AND f.date_to < p.birth_from;
