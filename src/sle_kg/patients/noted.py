"""Diagnoses and procedures noted as observations, as histories in OMOP are: uncertain, unless negated. And deaths.

The code or the coded value of an observation may be one of ours (`history of malignant neoplasm`: present). It is no
diagnosis in the sense of the contract, and passing it over would let a complete record say that there is none.
"""

from __future__ import annotations

from typing import Any

from sle_kg.codes import CodeMap, Coding
from sle_kg.namespaces import LOINC, SNOMED
from sle_kg.patients.elements import concept, mapping, scalar, sequence, text_of
from sle_kg.patients.raw import RawRecord
from sle_kg.terminology import Terminology

_NO = frozenset(
    {
        (SNOMED, "373067005"),
        (SNOMED, "410516002"),
        (LOINC, "LA32-8"),
        (LOINC, "LA6577-6"),
        ("http://terminology.hl7.org/CodeSystem/v2-0136", "N"),
    }
)
"""Answers beside those of codes_extra.csv: no, known absent, no, negative, no. RECALLED high."""
_NO_WORDS = frozenset({"no", "none", "negative", "absent", "not detected", "never", "denied", "denies", "false", "0"})
_NO_INTERPRETATION = frozenset({"NEG", "ND"})
OF_THE_FAMILY = frozenset(
    {(LOINC, "8670-2"), (LOINC, "10157-6"), (SNOMED, "57177007"), (SNOMED, "281666001"), (SNOMED, "416471007")}
)
"""Observations whose value, and categories of diagnoses whose code, is a disease of relatives. RECALLED high."""
DECEASED = "deceased"
"""Local code of an observation that says that the patient has died, on its date: a row of OMOP's table death."""
POSSIBLE = "possible"
"""Status of a death that is not told for certain."""
_DATA_ABSENT_REASON = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_NOT_KNOWN = frozenset({"unknown", "asked-unknown", "temp-unknown", "not-asked", "asked-declined"})
"""Reasons for a value that is missing because nobody knows it, whether or not there is one."""
_COUNTS = frozenset({"final", "amended", "corrected", None})


def noted(
    resource: dict[str, Any], whole: RawRecord, codings: list[Coding], terms: Terminology, code_map: CodeMap
) -> list[RawRecord] | None:
    """The diagnosis or procedure that an observation notes; None where it notes none, or negates it.

    `whole` has the observation's status and dates, `codings` are those of its code.
    """
    if whole.text("recordStatus") not in _COUNTS or "dataAbsentReason" in resource or _is_negative(resource):
        return None
    shown, kind = concept(resource.get("code"))[1], terms.noted_kind(codings, code_map)
    if kind is not None:
        return None if _is_no(resource, terms) else [_raw(kind, whole, codings, shown)]
    if "valueCodeableConcept" not in resource or OF_THE_FAMILY.intersection(named[:2] for named in codings):
        return None
    codings, shown = concept(resource["valueCodeableConcept"])
    kind = terms.noted_kind(codings, code_map)
    return None if kind is None else [_raw(kind, whole, codings, shown)]


def _raw(kind: str, whole: RawRecord, codings: list[Coding], shown: str) -> RawRecord:
    """An uncertain diagnosis recorded on the day, or an uncertain procedure of the day."""
    raw = RawRecord(kind, whole.patient, whole.id)
    for system, code, _ in codings:
        raw.add("coding", f"{system}|{code}")
    raw.add("display", shown)
    if kind == "ConditionRecord":
        raw.add("verificationStatus", "unconfirmed")
        raw.add("recorded", whole.first("effective") or whole.first("effectiveEnd"))
    else:
        raw.add("recordStatus", "unknown")
        raw.values |= {name: whole.values[name] for name in ("effective", "effectiveEnd") if name in whole.values}
    return raw


def _is_negative(resource: dict[str, Any]) -> bool:
    """Whether the interpretation says negative or not detected."""
    given = [coding for item in sequence(resource.get("interpretation")) for coding in concept(item)[0]]
    return any(code in _NO_INTERPRETATION for _, code, _ in given)


def _is_no(resource: dict[str, Any], terms: Terminology) -> bool:
    """Whether the value of an observation says no, in whatever form."""
    if resource.get("valueBoolean") is False or resource.get("valueInteger") == 0:
        return True
    codings, words = concept(resource.get("valueCodeableConcept"))
    if terms.answer(codings) is False or _NO.intersection(coding[:2] for coding in codings):
        return True
    words = words or text_of(resource.get("valueString")) or ""
    return mapping(resource.get("valueQuantity")).get("value") == 0 or words.strip().casefold() in _NO_WORDS


def death_of(resource: dict[str, Any], patient: str) -> RawRecord | None:
    """The death that a Patient resource tells of: `deceasedDateTime`, or a `deceasedBoolean` that is not false.

    A date withheld (`_deceasedDateTime`) is a death of an unknown day; an answer withheld (`_deceasedBoolean`), or a
    date of which it is not known whether there is one, a possible death. What is not applicable tells of none.
    """
    day, told = scalar(resource.get("deceasedDateTime")), resource.get("deceasedBoolean")
    beside = [resource.get(f"_deceased{kind}") for kind in ("DateTime", "Boolean")]
    undated, untold = (told is None and bool(one) and _why_absent(one) != "not-applicable" for one in beside)
    is_open = undated and _why_absent(beside[0]) in _NOT_KNOWN
    is_dead = day is not None or told not in (None, False) or (undated and not is_open)
    if not (is_dead or is_open or untold):
        return None
    raw = RawRecord("Death", patient, f"Patient/{patient}")
    raw.add("recordStatus", None if is_dead else POSSIBLE)
    raw.add("effective", day)
    return raw


def _why_absent(element: Any) -> str | None:
    """The reason that stands for a value (extension data-absent-reason)."""
    extensions = map(mapping, sequence(mapping(element).get("extension")))
    reasons = (text_of(one.get("valueCode")) for one in extensions if one.get("url") == _DATA_ABSENT_REASON)
    return next(reasons, None)
