"""Synthetic patients as an OMOP CDM 5.4 database in CSV, as far as OMOP can say what is recorded of them.

Concept ids are ours, from 2,000,000,001 (the range that OMOP leaves to sites), and CONCEPT.csv gives their codes;
gender, operators and the types of records have the ids of the standard vocabularies.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

from sle_kg.namespaces import ATC, CVX, ICD10CM, LOCAL_CODES, LOINC, RXNORM, SNOMED, UCUM
from sle_kg.synthetic.fhir import code_of
from sle_kg.synthetic.records import Diagnosis, Medicine, Procedure, Record, Result, SyntheticPatient, Vaccine, Value

LEFT_OUT = (
    "refuted, uncertain and erroneous diagnoses, their severity, remission and end",
    "medicines not taken, and of medicines that are still taken their dose and that they are",
    "doses that are not a whole course of daily milligrams",
    "partial dates of records",
    "procedures and vaccines not given, allergies, consents, events of a trial, statements, attestations",
    "what is complete",
    "the method of an echocardiography",
)
"""What OMOP cannot carry, or this project does not read from it."""

_VOCABULARIES = {
    LOINC: "LOINC",
    SNOMED: "SNOMED",
    RXNORM: "RxNorm",
    ATC: "ATC",
    ICD10CM: "ICD10CM",
    CVX: "CVX",
    UCUM: "UCUM",
    LOCAL_CODES: "sle-kg",
}
_TABLES: Mapping[str, str] = {
    "PERSON": """person_id gender_concept_id year_of_birth month_of_birth day_of_birth birth_datetime race_concept_id
        ethnicity_concept_id location_id provider_id care_site_id person_source_value gender_source_value
        gender_source_concept_id race_source_value race_source_concept_id ethnicity_source_value
        ethnicity_source_concept_id""",
    "CONDITION_OCCURRENCE": """condition_occurrence_id person_id condition_concept_id condition_start_date
        condition_start_datetime condition_end_date condition_end_datetime condition_type_concept_id
        condition_status_concept_id stop_reason provider_id visit_occurrence_id visit_detail_id condition_source_value
        condition_source_concept_id condition_status_source_value""",
    "DRUG_EXPOSURE": """drug_exposure_id person_id drug_concept_id drug_exposure_start_date
        drug_exposure_start_datetime drug_exposure_end_date drug_exposure_end_datetime verbatim_end_date
        drug_type_concept_id stop_reason refills quantity days_supply sig route_concept_id lot_number provider_id
        visit_occurrence_id visit_detail_id drug_source_value drug_source_concept_id route_source_value
        dose_unit_source_value""",
    "MEASUREMENT": """measurement_id person_id measurement_concept_id measurement_date measurement_datetime
        measurement_time measurement_type_concept_id operator_concept_id value_as_number value_as_concept_id
        unit_concept_id range_low range_high provider_id visit_occurrence_id visit_detail_id measurement_source_value
        measurement_source_concept_id unit_source_value unit_source_concept_id value_source_value measurement_event_id
        meas_event_field_concept_id""",
    "OBSERVATION": """observation_id person_id observation_concept_id observation_date observation_datetime
        observation_type_concept_id value_as_number value_as_string value_as_concept_id qualifier_concept_id
        unit_concept_id provider_id visit_occurrence_id visit_detail_id observation_source_value
        observation_source_concept_id unit_source_value qualifier_source_value value_source_value observation_event_id
        obs_event_field_concept_id""",
    "PROCEDURE_OCCURRENCE": """procedure_occurrence_id person_id procedure_concept_id procedure_date procedure_datetime
        procedure_end_date procedure_end_datetime procedure_type_concept_id modifier_concept_id quantity provider_id
        visit_occurrence_id visit_detail_id procedure_source_value procedure_source_concept_id modifier_source_value""",
    "CONCEPT": """concept_id concept_name domain_id vocabulary_id concept_class_id standard_concept concept_code
        valid_start_date valid_end_date invalid_reason""",
    "DRUG_STRENGTH": """drug_concept_id ingredient_concept_id amount_value amount_unit_concept_id numerator_value
        numerator_unit_concept_id denominator_value denominator_unit_concept_id box_size valid_start_date
        valid_end_date invalid_reason""",
}
"""The columns of CDM 5.4."""
_OWN_IDS = 2_000_000_001
_GENDERS = {"male": 8507, "female": 8532}
_OPERATORS = {None: 4172703, "<": 4171756, "<=": 4171754, ">=": 4171755, ">": 4172704}
_ANSWERS = {"positive": 9191, "negative": 9189}
_GIVEN, _STATED, _ORDERED, _RECORD = 32818, 32865, 32838, 32817
"""Types of records: administered, told by the patient, prescribed; any in an electronic record."""
_MILLIGRAM = 8576
_ROUTES = {None: 0, "oral": 4132161, "intravenous": 4171047}
_FOREVER = {"valid_start_date": "1970-01-01", "valid_end_date": "2099-12-31"}


class OmopWriter:
    """Writes patients, group by group, into one CSV file for each table.

    Inside a `with` block, whose end takes away what was not finished; `finish` puts the files in their place.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, TextIO] = {}
        self._writers: dict[str, csv.DictWriter[str]] = {}
        self._rows = dict.fromkeys(_TABLES, 0)
        self._concepts: dict[tuple[str, str], int] = {}
        self._drugs: set[int] = set()
        for table, columns in _TABLES.items():
            file = (folder / f".{table}.csv").open("w", encoding="utf-8", newline="")
            self._files[table] = file
            self._writers[table] = csv.DictWriter(file, columns.split(), restval="", lineterminator="\n")
            self._writers[table].writeheader()

    def __enter__(self) -> OmopWriter:
        return self

    def __exit__(self, *_: object) -> None:
        for table, file in self._files.items():
            file.close()
            (self._folder / f".{table}.csv").unlink(missing_ok=True)

    def add(self, patients: Iterable[SyntheticPatient]) -> None:
        """Append some patients with what OMOP can say of them."""
        for patient in patients:
            person = int(patient.id.rpartition("-")[2])
            parts = dict(
                zip(("year_of_birth", "month_of_birth", "day_of_birth"), patient.birth.split("-"), strict=False)
            )
            self._row(
                "PERSON",
                person_id=person,
                gender_concept_id=_GENDERS.get(patient.sex, 0),
                race_concept_id=0,
                ethnicity_concept_id=0,
                person_source_value=patient.id,
                **{name: int(part) for name, part in parts.items()},
            )
            for record in patient.records:
                if all(len(date) == 10 for date in _dates(record)):
                    self._record(person, record)

    def finish(self) -> list[Path]:
        """Close the files, and give them in the order of their names."""
        written = []
        for table, file in sorted(self._files.items()):
            file.close()
            target = self._folder / f"{table}.csv"
            (self._folder / f".{table}.csv").replace(target)
            written.append(target)
        return written

    # ── Records ──────────────────────────────────────────────────────────────────────────────────────────

    def _record(self, person: int, record: Record) -> None:
        match record:
            case Diagnosis(verification="confirmed") if record.onset or record.recorded:
                self._condition(person, record)
            case Medicine() if record.status in (None, "completed", "active"):
                self._drug(person, record)
            case Procedure(done=True):
                self._entry(
                    "PROCEDURE_OCCURRENCE",
                    "procedure",
                    person,
                    record.date,
                    record.concept,
                    procedure_end_date=record.end or record.date,
                )
            case Vaccine(given=True):
                concept = self._concept(record.concept, "Drug", CVX)
                self._exposure(person, concept, record.date, record.date, _GIVEN)
            case Result(event=None) if ":" not in record.test or record.test.partition(":")[0] not in _SAID:
                self._result(person, record)

    def _condition(self, person: int, diagnosis: Diagnosis) -> None:
        date = diagnosis.onset or diagnosis.recorded or ""
        self._entry(
            "CONDITION_OCCURRENCE",
            "condition",
            person,
            date,
            diagnosis.concept,
            diagnosis.system,
            condition_end_date=diagnosis.abated or "",
            condition_status_concept_id=0,
        )

    def _drug(self, person: int, medicine: Medicine) -> None:
        """A medicine; a course of daily doses with an end has its milligrams as quantity of one-milligram units."""
        concept = self._concept(medicine.concept, "Drug", medicine.system)
        route = _ROUTES[medicine.route]
        if medicine.once:
            kind = _GIVEN
            amount = {} if medicine.dose is None else {"quantity": medicine.dose, "days_supply": 1}
            end = medicine.start
        else:
            kind = _ORDERED if medicine.ordered else _STATED
            end = medicine.end or ""
            amount = _course(medicine)
        if medicine.unit != "mg":
            amount.pop("quantity", None)
        if "quantity" in amount:
            self._strength(concept)
        self._exposure(person, concept, medicine.start, end, kind, route_concept_id=route, **amount)

    def _exposure(self, person: int, concept: int, start: str, end: str, kind: int, **more: Any) -> None:
        self._rows["DRUG_EXPOSURE"] += 1
        self._row(
            "DRUG_EXPOSURE",
            drug_exposure_id=self._rows["DRUG_EXPOSURE"],
            person_id=person,
            drug_concept_id=concept,
            drug_exposure_start_date=start,
            drug_exposure_end_date=end or start,
            verbatim_end_date=end,
            drug_type_concept_id=kind,
            drug_source_concept_id=0,
            **more,
        )

    def _strength(self, drug: int) -> None:
        """One milligram of itself in each unit of a medicine, so that a quantity is in milligrams."""
        if drug not in self._drugs:
            self._drugs.add(drug)
            self._row(
                "DRUG_STRENGTH",
                drug_concept_id=drug,
                ingredient_concept_id=drug,
                amount_value=1,
                amount_unit_concept_id=_MILLIGRAM,
                **_FOREVER,
            )

    def _result(self, person: int, result: Result) -> None:
        """A number or an answer as a measurement, a text as an observation; items one by one."""
        for key, value in result.parts:
            if isinstance(value, bool):
                self._measured(person, result.date, key, answer="positive" if value else "negative")
        match result.value:
            case bool():
                pass
            case Decimal():
                self._measured(person, result.date, result.test, result.value, result.unit, _limits(result))
            case str():
                self._entry(
                    "OBSERVATION",
                    "observation",
                    person,
                    result.date,
                    result.test,
                    value_as_string=result.value,
                    value_as_concept_id=0,
                )
            case None if result.answer is not None:
                self._measured(person, result.date, result.test, answer=result.answer)

    def _measured(
        self,
        person: int,
        date: str,
        test: str,
        value: Value | None = None,
        unit: str | None = None,
        more: Mapping[str, Any] | None = None,
        answer: str | None = None,
    ) -> None:
        columns: dict[str, Any] = dict(more or {})
        if value is not None:
            columns["value_as_number"] = f"{value:f}"
        if unit is not None:
            columns |= {"unit_concept_id": self._code(UCUM, unit, "Unit"), "unit_source_value": unit}
        columns["value_as_concept_id"] = 0 if answer is None else _ANSWERS[answer]
        self._entry("MEASUREMENT", "measurement", person, date, test, **columns)

    # ── Rows and concepts ────────────────────────────────────────────────────────────────────────────────

    def _entry(
        self, table: str, name: str, person: int, date: str, concept: str, system: str | None = None, **more: Any
    ) -> None:
        """A row of one of the tables that are alike."""
        self._rows[table] += 1
        start = f"{name}_start_date" if name == "condition" else f"{name}_date"
        kind = {"condition": "Condition", "procedure": "Procedure"}.get(name, "Measurement")
        fixed = {
            f"{table.lower()}_id": self._rows[table],
            "person_id": person,
            f"{name}_concept_id": self._concept(concept, kind, system),
            start: date,
            f"{name}_type_concept_id": _RECORD,
            f"{name}_source_concept_id": 0,
        }
        self._row(table, **fixed, **more)

    def _row(self, table: str, **columns: Any) -> None:
        self._writers[table].writerow(columns)

    def _concept(self, key: str, domain: str, wanted: str | None = None) -> int:
        """The concept id of a key, or of a code of its own, written in the code system wanted where it has one."""
        system, code = code_of(key, wanted)
        return self._code(system, code, domain)

    def _code(self, system: str, code: str, domain: str) -> int:
        """The concept id of a code, which CONCEPT.csv explains."""
        if (system, code) not in self._concepts:
            self._concepts[system, code] = _OWN_IDS + len(self._concepts)
            self._row(
                "CONCEPT",
                concept_id=self._concepts[system, code],
                concept_name=code,
                domain_id=domain,
                vocabulary_id=_VOCABULARIES.get(system, "elsewhere"),
                concept_class_id="Ingredient" if system == RXNORM else domain,
                standard_concept="S",
                concept_code=code,
                **_FOREVER,
            )
        return self._concepts[system, code]


_SAID = ("attest", "contraindication", "event")
"""Local codes of statements, which are no results."""


def _dates(record: Record) -> list[str]:
    """Every date that OMOP would have to carry."""
    match record:
        case Diagnosis():
            dates = (record.onset or record.recorded, record.abated)
        case Medicine():
            dates = (record.start, record.end)
        case Procedure():
            dates = (record.date, record.end)
        case Vaccine() | Result():
            dates = (record.date, None)
        case _:
            return []
    return [date for date in dates if date is not None]


def _limits(result: Result) -> dict[str, Any]:
    limits = {"range_low": result.lower, "range_high": result.upper}
    found: dict[str, Any] = {name: f"{limit:f}" for name, limit in limits.items() if limit is not None}
    return found | {"operator_concept_id": _OPERATORS[result.comparator]}


def _course(medicine: Medicine) -> dict[str, Any]:
    """Quantity in milligrams and days of supply of a course of daily doses that is over."""
    if medicine.end is None or medicine.dose is None or medicine.days != 1:
        return {}
    days = (dt.date.fromisoformat(medicine.end) - dt.date.fromisoformat(medicine.start)).days + 1
    return {"quantity": f"{medicine.dose * medicine.times * days:f}", "days_supply": days} if days > 0 else {}
