"""What single FHIR resources say, as raw records: their elements, and the types that need nothing beside themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from sle_kg.codes import Coding
from sle_kg.patients.adverse_event import grade_in, relation_in
from sle_kg.patients.dates import OPEN, interval
from sle_kg.patients.elements import answers, concept, mapping, quantity_unit, scalar, sequence, text_of
from sle_kg.patients.noted import OF_THE_FAMILY
from sle_kg.patients.raw import RawRecord, Scalar
from sle_kg.patients.reference_range import limits_of_normal
from sle_kg.patients.said import UNCLEAR

_ASSERTED_DATE = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"
_RESEARCH = "research"
_REGISTRY = ("clinicaltrials.gov", "www.clinicaltrials.gov")
_GRADE_EXTENSION = re.compile(r"grade|ctcae", re.IGNORECASE)
_DOSE_LIMITING_EXTENSION = re.compile(r"dose-?limiting", re.IGNORECASE)
_VALUES = ("valueQuantity", "valueBoolean", "dataAbsentReason", "interpretation")
"""Elements by which an observation says something, the most frequent first; others begin with `value` too."""
_HL7 = re.compile(r"\bhl7\.org/|\b2\.16\.840\.1\.113883\.")
"""Code systems of HL7 by their addresses or numbers."""
_OF_HL7_ALONE = frozenset({"NR", "RR"})
"""Interpretations that say non-reactive and reactive in HL7's systems; elsewhere, `NR` may be `not reported`."""
_OWN_STATUSES = ("http://terminology.hl7.org/CodeSystem/", "http://hl7.org/fhir/")
"""How the code systems begin that FHIR asks for in statuses, in R4 and before."""
_OVER = ("inactive", "remission", "resolved")
_KNOWN_STATUSES = frozenset(
    """confirmed unconfirmed provisional differential refuted entered-in-error active recurrence relapse inactive
    remission resolved""".split()  # noqa: SIM905 (a table of names reads better in lines)
)
_UNKNOWN_STATUS = "unknown"
"""Status of a record that has the element and no code or word in it: the reason why it is absent."""
_NOT_DONE = ("notGiven", "wasNotGiven", "notDone", "notPerformed")
"""Flags by which FHIR before R4 says that a vaccine was not given, or a procedure not done."""
_CERTAINTY = "icd-10-gm-diagnosesicherheit"
"""The extension by which German systems say how certain a code of ICD-10 is: A excluded, V suspected, Z status post."""
_FAMILY_WORDS = re.compile(r"family[\s_-]history", re.IGNORECASE)
_OPT_OUT = frozenset({"OPTOUT", "OPTOUTE"})
"""Rules of a consent by which all is refused, the second one with exceptions (HL7 v3 ActCode)."""
_NOT_ASSESSED = "|not assessed"


# ── Types of resources ───────────────────────────────────────────────────────────────────────────────────


def _condition(resource: dict[str, Any], patient: str, record: str) -> Iterator[RawRecord]:
    raw = RawRecord("ConditionRecord", patient, record)
    add_concept(raw, resource.get("code"))
    certainty, clinical = _certainty(resource), status_of(resource.get("clinicalStatus"))
    raw.add("verificationStatus", _verification(resource, certainty))
    raw.add("clinicalStatus", None if certainty == "Z" and clinical not in _OVER else clinical)
    add_dates(raw, resource, "onset", "onset", "onsetEnd")
    add_dates(raw, resource, "abatement", "abatement", "abatementEnd")
    if any(resource.get(f"abatement{kind}") for kind in ("Age", "Range", "String", "Boolean")):
        raw.add("abated", True)
    asserted = [
        scalar(extension.get("valueDateTime"))
        for extension in sequence(resource.get("extension"))
        if isinstance(extension, dict) and extension.get("url") == _ASSERTED_DATE
    ]
    raw.add("recorded", next(iter(asserted), None) or scalar(resource.get("recordedDate")))
    for system, code, _ in concept(resource.get("severity"))[0]:
        raw.add("severityCoding", f"{system}|{code}")
    yield raw


def _verification(resource: dict[str, Any], certainty: str | None) -> str | None:
    """How certain a diagnosis is: by its status, where that does not deny it by its code, and who has it."""
    status = status_of(resource.get("verificationStatus"))
    if status in ("refuted", "entered-in-error"):
        return status
    if certainty in ("A", "V"):
        return "refuted" if certainty == "A" and status is None else "provisional"
    for category in sequence(resource.get("category")):
        codings, text = concept(category)
        words = (text, *(code for _, code, _ in codings))
        if OF_THE_FAMILY.intersection(coding[:2] for coding in codings) or any(map(_FAMILY_WORDS.fullmatch, words)):
            return "family-history"
    return status


def _certainty(resource: dict[str, Any]) -> str | None:
    """The certainty that a code of a diagnosis has in German systems."""
    for coding in sequence(mapping(resource.get("code")).get("coding")):
        for extension in map(mapping, sequence(mapping(coding).get("extension"))):
            if (text_of(extension.get("url")) or "").endswith(_CERTAINTY):
                return text_of(mapping(extension.get("valueCoding")).get("code"))
    return None


def _procedure(resource: dict[str, Any], patient: str, record: str) -> Iterator[RawRecord]:
    raw = RawRecord("ProcedureRecord", patient, record)
    add_concept(raw, resource.get("code"))
    raw.add("recordStatus", _done(resource))
    add_dates(raw, resource, "performed", "effective", "effectiveEnd")
    yield raw


def _immunization(resource: dict[str, Any], patient: str, record: str) -> Iterator[RawRecord]:
    raw = RawRecord("Immunization", patient, record)
    add_concept(raw, resource.get("vaccineCode"))
    raw.add("recordStatus", _done(resource))
    raw.add("effective", scalar(resource.get("occurrenceDateTime")))
    yield raw


def _allergy(resource: dict[str, Any], patient: str, record: str) -> Iterator[RawRecord]:
    raw = RawRecord("Allergy", patient, record)
    add_concept(raw, resource.get("code"))
    for reaction in sequence(resource.get("reaction")):
        add_concept(raw, mapping(reaction).get("substance"))
    raw.add("verificationStatus", status_of(resource.get("verificationStatus")))
    raw.add("clinicalStatus", status_of(resource.get("clinicalStatus")))
    raw.add("allergyType", scalar(resource.get("type")))
    raw.add("criticality", scalar(resource.get("criticality")))
    raw.add("recorded", scalar(resource.get("recordedDate")) or scalar(resource.get("onsetDateTime")))
    yield raw


def _adverse_event(resource: dict[str, Any], patient: str, record: str) -> Iterator[RawRecord]:
    """An adverse event; a suspected product without assessment is told, since it leaves the relation open."""
    raw = RawRecord("AdverseEvent", patient, record)
    add_concept(raw, resource.get("event"))
    raw.add("recordStatus", scalar(resource.get("status")))
    raw.add("actuality", scalar(resource.get("actuality")))
    raw.add("onset", scalar(resource.get("date")))
    raw.add("recorded", scalar(resource.get("detected")) or scalar(resource.get("recordedDate")))
    for name, element in (
        ("severityCoding", "severity"),
        ("seriousnessCoding", "seriousness"),
        ("outcomeCoding", "outcome"),
    ):
        for answer in answers(resource.get(element)):
            raw.add(name, answer)
    for suspect in sequence(resource.get("suspectEntity")):
        causes = [mapping(cause) for cause in sequence(mapping(suspect).get("causality"))]
        for cause in causes or [{}]:
            found = answers(cause.get("assessment"))
            if relatedness := text_of(cause.get("productRelatedness")):
                found.append(f"|{relatedness}")
            telling = (answer for answer in found if relation_in(answer.rpartition("|")[2]) is not None)
            raw.add("causalityCoding", next(telling, None) or next(iter(found), _NOT_ASSESSED))
    for extension in map(mapping, sequence(resource.get("extension"))):
        address = tail(text_of(extension.get("url")) or "")
        if _DOSE_LIMITING_EXTENSION.search(address):
            raw.add("doseLimiting", scalar(extension.get("valueBoolean")))
        elif _GRADE_EXTENSION.search(address):
            for name, value in extension.items():
                if name.startswith("value"):
                    raw.add("eventGrade", _grade(value))
    yield raw


def _grade(value: Any) -> str | Decimal | bool | None:
    """A grade as recorded: of a coded one, the code or text that reads like a grade, else the first of them."""
    if not isinstance(value, dict):
        return scalar(value)
    if "value" in value:
        return scalar(value["value"])
    codings, text = concept(value)
    texts = [*(code for _, code, _ in codings), *(display for _, _, display in codings), text]
    return next(filter(grade_in, texts), None) or next(filter(None, texts), None)


def _consent(resource: dict[str, Any], patient: str, record: str) -> Iterator[RawRecord]:
    """A research consent, since the day of signing, or a later one on which its period begins, up to the end of that.

    One whose period begins on a day that cannot be read is unclear.
    """
    if _RESEARCH not in [code for _, code, _ in concept(resource.get("scope"))[0]]:
        return
    status, period = _consent_status(resource), mapping(mapping(resource.get("provision")).get("period"))
    since, start = scalar(resource.get("dateTime")), scalar(period.get("start"))
    if status == "active" and start is not None:
        signed, begun = _days(since), _days(start)
        if begun is None:
            status = UNCLEAR
        elif since is None or (signed is not None and begun[0] > signed[1]):
            since = start
    raw = RawRecord("Consent", patient, record)
    raw.add("recordStatus", status)
    raw.add("effective", since)
    raw.add("effectiveEnd", scalar(period.get("end")))
    for identifier in sequence(resource.get("identifier")):
        system = (text_of(mapping(identifier).get("system")) or "").partition("://")[2].rstrip("/").lower()
        if system in _REGISTRY:
            raw.add("trialIdentifier", text_of(mapping(identifier).get("value")))
    yield raw


def _consent_status(resource: dict[str, Any]) -> Scalar | None:
    """The status of a consent; one that denies, or whose rule is to opt out, is rejected.

    It is unclear without a status, and where something within its provisions is denied.
    """
    status, provision = resource.get("status"), resource.get("provision")
    if status not in ("active", None):
        return scalar(status)
    rules = {code for rule in sequence(resource.get("policyRule")) for _, code, _ in concept(rule)[0]}
    if rules & _OPT_OUT or mapping(provision).get("type") == "deny":
        return "rejected"
    return UNCLEAR if status is None or _denies(provision) else "active"


def _denies(provision: Any) -> bool:
    """Whether a provision, or one within it, denies."""
    waiting = sequence(provision)
    while waiting:
        one = mapping(waiting.pop())
        if one.get("type") == "deny":
            return True
        waiting = [*waiting, *sequence(one.get("provision"))]
    return False


def _days(value: Scalar | None) -> tuple[date, date] | None:
    """The days of a date; None where it cannot be read."""
    try:
        return interval(str(value))
    except ValueError:
        return None


CONVERT: dict[str, Callable[[dict[str, Any], str, str], Iterator[RawRecord]]] = {
    "Condition": _condition,
    "Procedure": _procedure,
    "Immunization": _immunization,
    "AllergyIntolerance": _allergy,
    "Consent": _consent,
    "AdverseEvent": _adverse_event,
}
"""How resources become raw records that need nothing beside themselves and their patient."""


# ── Elements ─────────────────────────────────────────────────────────────────────────────────────────────


def add_concept(raw: RawRecord, value: Any) -> None:
    add_codings(raw, *concept(value))


def add_codings(raw: RawRecord, codings: list[Coding], display: str) -> None:
    for system, code, _ in codings:
        raw.add("coding", f"{system}|{code}")
    if "display" not in raw.values:
        raw.add("display", display)


def first_code(value: Any) -> str | None:
    """The first code, else the text; FHIR before R4 has some codes as plain texts."""
    codings, text = concept(value)
    return codings[0][1] if codings else text or text_of(value)


def status_of(value: Any) -> str | None:
    """The status that a coded element says: in a code system of HL7, else in any; in words where it has no code."""
    codings, _ = concept(value)
    own_first = sorted(codings, key=lambda coding: not coding[0].startswith(_OWN_STATUSES))
    known = next((code for _, code, _ in own_first if code in _KNOWN_STATUSES), None)
    if known is not None or value is None:
        return known
    first = first_code(value) or _UNKNOWN_STATUS
    return first if codings else first.strip().casefold()


def _done(resource: dict[str, Any]) -> Scalar | None:
    """The status of a procedure or vaccine; `not-done` by flags of FHIR before R4, too."""
    status = scalar(resource.get("status"))
    is_denied = any(resource.get(name) is True for name in _NOT_DONE)
    return "not-done" if is_denied and status != "entered-in-error" else status


def add_dates(raw: RawRecord, resource: dict[str, Any], element: str, start: str, end: str) -> None:
    """`<element>DateTime`, `<element>Instant` or `<element>Period`; a text in their place is kept, to be reported.

    A period without an end is told from a day; medicines have no such sign, for theirs is open unless an end is stated.
    """
    period = mapping(resource.get(f"{element}Period"))
    moment = resource.get(f"{element}DateTime") or resource.get(f"{element}Instant")
    is_open = moment is None and period.get("start") is not None
    raw.add(start, scalar(moment) or scalar(period.get("start")))
    raw.add(end, scalar(period.get("end")) or (OPEN if is_open and end != "ended" else None))


def has_value(part: dict[str, Any]) -> bool:
    return not part.keys().isdisjoint(_VALUES) or any(name.startswith("value") for name in part)


def add_value(raw: RawRecord, part: dict[str, Any]) -> None:
    """The value[x] of an observation or component; forms that no criterion uses are kept as text, to be reported."""
    for name, value in part.items():
        if name == "valueQuantity":
            quantity = mapping(value)
            raw.add("measuredValue", scalar(quantity.get("value")))
            raw.add("comparator", scalar(quantity.get("comparator")))
            raw.add("ucumUnit", quantity_unit(quantity))
        elif name == "valueInteger":
            raw.add("measuredValue", scalar(value))
        elif name == "valueBoolean":
            raw.add("statedValue", scalar(value))
        elif name == "valueCodeableConcept":
            codings, text = concept(value)
            for system, code, _ in codings:
                raw.add("valueCoding", f"{system}|{code}")
            raw.add("textValue", text)
        elif name == "valueRatio":
            sides = (mapping(mapping(value).get(side)) for side in ("numerator", "denominator"))
            raw.add("textValue", ":".join(f"{side.get('comparator') or ''}{side.get('value')}" for side in sides))
        elif name == "dataAbsentReason":
            raw.add("dataAbsentReason", first_code(value) or "unknown")
        elif name.startswith("value") and not name.startswith("valueSet"):
            raw.add("textValue", scalar(value))


def add_result(raw: RawRecord, part: dict[str, Any], resource: dict[str, Any]) -> None:
    """Value, interpretation, method and limits of normal of an observation or of one of its components.

    Without the status of the observation, which FHIR asks for, nobody knows whether it counts: its value is withheld.
    """
    if resource.get("status") is None:
        raw.add("textValue", "(no status)")
        return
    add_value(raw, part)
    for interpretation in sequence(part.get("interpretation")):
        for system, code, _ in concept(interpretation)[0]:
            raw.add("interpretation", code if _HL7.search(system) or code not in _OF_HL7_ALONE else None)
    if method := part.get("method") or resource.get("method"):
        codings, text = concept(method)
        for system, code, _ in codings:
            raw.add("methodCoding", f"{system}|{code}")
        if text and not codings:
            raw.add("methodCoding", f"|{text}")
    if "referenceRange" in part:
        for name, limit in limits_of_normal(part).items():
            raw.add(name, limit)


def tail(url: str) -> str:
    return url.replace(":", "/").rsplit("/", 1)[-1]
