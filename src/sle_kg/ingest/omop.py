"""OMOP CDM 5.3 and 5.4 to FHIR resources, which go the way of all others.

A concept id becomes a code by the database's own CONCEPT table, else by `omop_concepts.toml`; what neither knows stays
a concept id, which a code map may settle.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from functools import cache
from importlib.resources import files
from typing import Any

from sle_kg.errors import InputError
from sle_kg.ingest.fhir import Resource
from sle_kg.ingest.omop_database import COLUMNS, REQUIRED, Database
from sle_kg.ingest.pieces import Segment
from sle_kg.ingest.rows import Row, Tell, row_segments
from sle_kg.namespaces import ATC, CVX, ICD10, ICD10CM, LOCAL_CODES, LOINC, RXNORM, SNOMED, UCUM
from sle_kg.patients.elements import exact_number
from sle_kg.patients.noted import DECEASED

OMOP_CONCEPT = "https://fhir-terminology.ohdsi.org"
"""Code system of concept ids that no vocabulary at hand explains (HL7 FHIR–OMOP guide)."""
_VOCABULARIES = {
    "LOINC": LOINC,
    "SNOMED": SNOMED,
    "RxNorm": RXNORM,
    "ATC": ATC,
    "ICD10CM": ICD10CM,
    "ICD10": ICD10,
    "CVX": CVX,
    "UCUM": UCUM,
    "sle-kg": LOCAL_CODES,
}
"""`vocabulary_id` of CONCEPT → code system."""


@dataclass(frozen=True, slots=True)
class Concepts:
    """What the concept ids of a database mean: codes, ingredients of drugs, and milligrams of a unit of a drug."""

    codes: dict[str, tuple[str, str]] = field(default_factory=dict)
    ingredients: dict[str, tuple[str, ...]] = field(default_factory=dict)
    milligrams: dict[str, Decimal] = field(default_factory=dict)

    def codings(self, *concepts: str | None) -> list[Resource]:
        """Codings of concept ids; 0 means none."""
        found = []
        for concept in concepts:
            if concept and concept != "0":
                system, code = self.codes.get(concept) or known_concepts().get(concept) or (OMOP_CONCEPT, concept)
                if system == UCUM:
                    code = code.replace("[U]", "U")
                found.append({"system": system, "code": code})
        return [coding for place, coding in enumerate(found) if coding not in found[:place]]

    def fingerprint(self) -> str:
        """Changes with whatever a concept id means."""
        told = json.dumps([self.codes, self.ingredients, self.milligrams], default=str, sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()


@cache
def _data() -> dict[str, Any]:
    text = (files("sle_kg") / "ingest" / "omop_concepts.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def known_concepts() -> dict[str, tuple[str, str]]:
    """Concept ids of `omop_concepts.toml` with their code system and code."""
    found = {}
    for concept, text in _data()["concepts"].items():
        system, _, code = text.rpartition("|")
        found[concept] = (system, code)
    return found


# ── Rows to resources ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class OmopRows:
    """Converts the rows of one table to FHIR resources."""

    table: str
    concepts: Concepts

    def __call__(self, row: Row, number: int, tell: Tell) -> Iterator[tuple[str, Resource]]:
        """The patient and the resource of a row. Raises ValueError where it has no person or id."""
        person = _identifier(row.get("person_id"))
        if person is None:
            raise ValueError(f"the {self.table} row has no person_id")
        if self.table == "death":
            yield person, _death(person, row)
            return
        if self.table == "person":
            yield person, _person(person, row)
            return
        identifier = _identifier(row.get(f"{self.table}_id"))
        if identifier is None:
            raise ValueError(f"the {self.table} row has no {self.table}_id")
        convert = {
            "condition_occurrence": self._condition,
            "drug_exposure": self._drug,
            "measurement": self._result,
            "observation": self._result,
            "procedure_occurrence": self._procedure,
        }[self.table]
        whole = identifier.replace("%", "%25").replace("/", "%2F")  # evidence names a record by its id up to a slash
        yield person, {"id": f"{self.table}-{whole}", **convert(row)}

    def _code(self, row: Row, name: str, *more: str) -> Resource:
        """The standard and the source concept of a row as a codeable concept, the source text as its words."""
        concepts = [_identifier(row.get(f"{name}_{column}")) for column in ("concept_id", "source_concept_id")]
        text = row.get(f"{name}_source_value")
        codings = self.concepts.codings(*concepts, *more)
        if not codings and text:
            codings = [{"code": text}]
        return {"coding": codings} | ({"text": text} if text else {})

    def _condition(self, row: Row) -> Resource:
        """A diagnosis. An end date is often that of the visit, so it does not say that the disease is over."""
        status = _data()["condition_status"].get(_identifier(row.get("condition_status_concept_id")), {})
        start = _date(row.get("condition_start_date"))
        return {
            "resourceType": "Condition",
            "code": self._code(row, "condition"),
            "onsetDateTime": start,
            "recordedDate": start,
            **{name: {"coding": [{"code": code}]} for name, code in status.items()},
        }

    def _drug(self, row: Row) -> Resource:
        """A vaccine by its CVX code; else a medicine ordered, dispensed, given or reported, by the type of the record.

        An order or a dispensed supply is no proof of intake; so is a record of an unknown type. No status is stated:
        what has an end ran until then.
        """
        drug = _identifier(row.get("drug_concept_id")) or ""
        code = self._code(row, "drug", *self.concepts.ingredients.get(drug, ()))
        start = _date(row.get("drug_exposure_start_date"))
        if any(coding.get("system") == CVX for coding in code["coding"]):
            return {
                "resourceType": "Immunization",
                "status": "completed",
                "vaccineCode": code,
                "occurrenceDateTime": start,
            }
        kind = _data()["drug_type"].get(_identifier(row.get("drug_type_concept_id")), "ordered")
        end = self._drug_end(row)
        route = {"coding": self.concepts.codings(_identifier(row.get("route_concept_id")))}
        dose = self._dose(row, drug, each=kind == "given")
        period = {"start": start} | ({"end": end} if end else {})
        resource: Resource = {"medicationCodeableConcept": code}
        match kind:
            case "given":
                dosage = {"route": route} | ({"dose": dose} if dose else {})
                period["end"] = end or start
                return resource | {
                    "resourceType": "MedicationAdministration",
                    "status": "in-progress" if period["end"] != start else "completed",
                    "effectivePeriod": period,
                    "dosage": dosage,
                }
            case "ordered":
                named = {"resourceType": "MedicationRequest", "intent": "order", "authoredOn": start}
                resource |= named | {"dispenseRequest": {"validityPeriod": period}, "dosageInstruction": []}
            case _:
                resource |= {"resourceType": "MedicationStatement", "effectivePeriod": period, "dosage": []}
        resource["status"] = "active" if end else "unknown"
        daily = {"timing": {"repeat": {"frequency": Decimal(1), "period": Decimal(1), "periodUnit": "d"}}}
        line = {"route": route} | ({"doseAndRate": [{"doseQuantity": dose}], **daily} if dose else {})
        resource["dosageInstruction" if kind == "ordered" else "dosage"] = [line]
        return resource

    def _drug_end(self, row: Row) -> str | None:
        """The last day: as the source says it, or reckoned from a supply of known days."""
        if verbatim := _date(row.get("verbatim_end_date")):
            return verbatim
        supply = _number(row.get("days_supply"))
        return _date(row.get("drug_exposure_end_date")) if supply is not None and supply > 0 else None

    def _dose(self, row: Row, drug: str, *, each: bool) -> Resource | None:
        """Milligrams of one administration (`each`), or a day: only of a drug with one strength, and where exact."""
        strength, quantity = self.concepts.milligrams.get(drug), _number(row.get("quantity"))
        days = Decimal(1) if each else _number(row.get("days_supply"))
        if strength is None or quantity is None or days is None or quantity <= 0 or days <= 0:
            return None
        with localcontext(prec=50):
            dose = (strength * quantity / days).quantize(Decimal("1e-12"))
            if dose * days != strength * quantity:
                return None
        return {"value": dose.normalize(), "system": UCUM, "code": "mg"}

    def _result(self, row: Row) -> Resource:
        """A measurement or an observation."""
        unit = next((c["code"] for c in self.concepts.codings(row.get("unit_concept_id")) if c["system"] == UCUM), None)
        unit = unit or row.get("unit_source_value")
        found: Resource = {
            "resourceType": "Observation",
            "status": "final",
            "code": self._code(row, self.table),
            "effectiveDateTime": _date(row.get(f"{self.table}_date")),
        }
        answer = self.concepts.codings(_identifier(row.get("value_as_concept_id")))
        words = row.get("value_as_string") or row.get("value_source_value")
        if number := row.get("value_as_number"):
            found["valueQuantity"] = _quantity(number, unit)
            operator = _identifier(row.get("operator_concept_id")) or "0"
            sign = _data()["operator"].get(operator, f"operator {operator}")  # one that is not known is no comparator
            if sign := sign or _sign(words or ""):
                found["valueQuantity"]["comparator"] = sign
        if answer:
            found["valueCodeableConcept"] = {"coding": answer}
        elif "valueQuantity" not in found and words:
            found["valueString"] = words
        limits = {side: _quantity(row[f"range_{side}"], unit) for side in ("low", "high") if f"range_{side}" in row}
        return found | ({"referenceRange": [limits]} if limits else {})

    def _procedure(self, row: Row) -> Resource:
        start = _date(row.get("procedure_date"))
        end = _date(row.get("procedure_end_date"))
        return {
            "resourceType": "Procedure",
            "status": "completed",
            "code": self._code(row, "procedure"),
            "performedPeriod": {"start": start, "end": end or start},
        }


def _death(person: str, row: Row) -> Resource:
    """A death, as an observation of its day."""
    code = {"coding": [{"system": LOCAL_CODES, "code": DECEASED}]}
    told = {"status": "final", "code": code, "valueBoolean": True, "effectiveDateTime": _date(row.get("death_date"))}
    identifier = person.replace("%", "%25").replace("/", "%2F")
    return {"resourceType": "Observation", "id": f"death-{identifier}", **told}


def _person(person: str, row: Row) -> Resource:
    """A person: the date of birth as far as it is known."""
    parts = [_identifier(row.get(f"{part}_of_birth")) for part in ("year", "month", "day")]
    known = parts[: next((place for place, part in enumerate(parts) if part is None), 3)]
    birth = "-".join(part.zfill(4 if place == 0 else 2) for place, part in enumerate(known) if part)
    gender = _data()["gender"].get(_identifier(row.get("gender_concept_id")))
    return {"resourceType": "Patient", "id": person, "birthDate": birth or None, "gender": gender}


def _quantity(text: str, unit: str | None) -> Resource:
    return {"value": exact_number(text)} | ({"code": unit, "unit": unit} if unit else {})


def _number(text: str | None) -> Decimal | None:
    value = exact_number(text) if text else None
    return value if isinstance(value, Decimal) else None


def _sign(words: str) -> str | None:
    """The comparator that a value begins with in the words of its source, beside a number without one: `<50`."""
    match = re.match(r"\s*([<>]=?|[≤≥])", words)
    return {"≤": "<=", "≥": ">="}.get(match[1], match[1]) if match else None


def _identifier(text: str | None) -> str | None:
    """An id as its digits, though a table of decimals wrote it as `8507.0`."""
    return re.sub(r"\.0+$", "", text.strip()) or None if text else None


def _date(text: str | None) -> str | None:
    """A date of FHIR from a date or a time stamp of SQL."""
    return text.strip().replace(" ", "T", 1).partition("T")[0] if text else None


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────


def concepts_of(database: Database) -> Concepts:
    """What the concept ids that the tables use mean, by the vocabulary tables of the database."""
    has = database.columns
    used = [
        f"SELECT CAST({column} AS VARCHAR) FROM {{{table}}}"
        for table, columns in COLUMNS.items()
        for column in columns
        if column.endswith("_concept_id") and column in has.get(table, ())
    ]
    drugs = "SELECT CAST(drug_concept_id AS VARCHAR) FROM {drug_exposure}"
    ingredients: dict[str, list[str]] = {}
    milligrams: dict[str, list[Decimal | None]] = {}
    if {"drug_exposure", "drug_strength"} <= has.keys():
        strengths = f"FROM {{drug_strength}} WHERE CAST(drug_concept_id AS VARCHAR) IN ({drugs})"
        used.append(f"SELECT CAST(ingredient_concept_id AS VARCHAR) {strengths}")
        for drug, ingredient, amount, unit in database.rows(
            f"""SELECT CAST(drug_concept_id AS VARCHAR), CAST(ingredient_concept_id AS VARCHAR),
                       CAST(amount_value AS VARCHAR), CAST(amount_unit_concept_id AS VARCHAR)
                {strengths} AND invalid_reason IS NULL ORDER BY 1, 2, 3"""
        ):
            ingredients.setdefault(drug, []).append(ingredient)
            sure = _number(amount) if _identifier(unit) == _data()["milligram"] else None
            milligrams.setdefault(drug, []).append(sure)
    if {"drug_exposure", "concept", "concept_ancestor"} <= has.keys():
        above = f"FROM {{concept_ancestor}} WHERE CAST(descendant_concept_id AS VARCHAR) IN ({drugs})"
        used.append(f"SELECT CAST(ancestor_concept_id AS VARCHAR) {above}")
        for drug, ingredient in database.rows(
            f"""SELECT CAST(descendant_concept_id AS VARCHAR), CAST(ancestor_concept_id AS VARCHAR) {above}
                AND CAST(ancestor_concept_id AS VARCHAR) IN
                    (SELECT CAST(concept_id AS VARCHAR) FROM {{concept}} WHERE concept_class_id = 'Ingredient')
                ORDER BY 1, 2"""
        ):
            ingredients.setdefault(drug, []).append(ingredient)
    codes: dict[str, tuple[str, str]] = {}
    if "concept" in has:
        for concept, vocabulary, code in database.rows(
            f"""SELECT CAST(concept_id AS VARCHAR), vocabulary_id, CAST(concept_code AS VARCHAR) FROM {{concept}}
                WHERE CAST(concept_id AS VARCHAR) IN ({" UNION ".join(used)}) ORDER BY 1"""
        ):
            if vocabulary in _VOCABULARIES:
                codes[concept] = (_VOCABULARIES[vocabulary], code)
    return Concepts(
        codes,
        {drug: tuple(dict.fromkeys(found)) for drug, found in ingredients.items()},
        {drug: found[0] for drug, found in milligrams.items() if len(found) == 1 and found[0] is not None},
    )


def omop_segments(database: Database) -> Iterator[Segment]:
    """The rows of all tables, in segments of about the size of a piece; then the database is closed.

    Raises InputError where a required column is missing.
    """
    with closing(database):
        if "person" not in database.columns:
            raise InputError(f"{database.name}: there is no table person, so this is no OMOP database")
        for table in filter(database.columns.__contains__, COLUMNS):
            yield from _segments_of(database, table)


def _segments_of(database: Database, table: str) -> Iterator[Segment]:
    """The rows of one table."""
    there = [column for column in COLUMNS[table] if column in database.columns[table]]
    missing = [column for column in COLUMNS[table][:REQUIRED] if column not in there]
    if missing:
        raise InputError(f"{database.name}: the table {table} lacks the column {missing[0]} of OMOP CDM 5")
    label = database.label(table)
    yield from row_segments(label, database.table(table, there))
