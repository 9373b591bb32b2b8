"""Limits of normal: of the reference ranges of a result, those that may be the patient's.

A record is read apart from its patient, so a range for one sex is kept with that sex, and holds only for patients of
whom it is recorded (`features.births`); a limit for some age or another group is not known to fit.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from sle_kg.patients.elements import answers, concept, mapping, quantity_unit, sequence, text_of

_ADULTS = re.compile(
    r"248152002|248153007|133936004|f|m|(?:adult )?(?:fe)?males?|(?:wo)?m[ae]n|adults?|normal|general", re.IGNORECASE
)
"""Groups that a reference range may be for and still be the patient's: the sexes, adults (SNOMED CT, HL7, words)."""
_NO_PATIENT = re.compile(
    r"77386006|(?<!non)(?<!non[- ])(?<!not )(?:pregnan|gravid)|gestation|trimester|\b(?:weeks?|months?|boys?|girls?)\b"
    r"|newborn|neonat|infan|child(?!bear)|p(?:a?e)diatr|adolescen",
    re.IGNORECASE,
)
"""Groups that reference ranges are for and no patient of a trial is in: the pregnant (SNOMED CT 77386006), children."""
_SEXES = {
    "female": re.compile(r"248152002|f|.*\b(?:female|wom[ae]n)s?\b.*", re.IGNORECASE | re.DOTALL),
    "male": re.compile(r"248153007|m|.*\b(?:male|m[ae]n)s?\b.*", re.IGNORECASE | re.DOTALL),
}
"""Groups and words by which a reference range is for one sex (SNOMED CT, HL7, words)."""
_OF_AGE = re.compile(r"^(?!.*adult).*\b(?:years?|yrs?|aged?)\b", re.IGNORECASE | re.DOTALL)
"""A text by which a reference range is for some age, and not for adults."""

_NOT_OF_NORMAL = re.compile(
    r"(?!.*(?<!therapeutic )\b(?:normal|reference)\b).*"
    r"(?:panic|critical|kritisch|alert|alarm|toxi|therap|treatment|\btarget\b|\bgoals?\b|\bdesired\b|decision|cut-?off)",
    re.IGNORECASE | re.DOTALL,
)
"""Words by which a reference range without a type is another one than that of normal."""
_UNTREATED = re.compile(
    r"\b(?:not|no|non|without|off|before|prior to)\b[\s-](?:\w+ ){0,3}(?:therap|treatment)\w*", re.IGNORECASE
)
"""Words for who has no treatment, `not on anticoagulant therapy`: normal is for them."""


def limits_of_normal(part: dict[str, Any]) -> dict[str, Decimal | str | None]:
    """The limits of normal of an observation or component with their units, as properties of a raw record.

    Only those that every range of normal has alike, one of the ranges being for any adult, or any of one sex;
    `referenceSex` is that sex.
    """
    ranges = [item for item in sequence(part.get("referenceRange")) if isinstance(item, dict) and _is_of_normal(item)]
    ranges = [item for item in ranges if not any(map(_NO_PATIENT.search, _groups(item)))]
    found: dict[str, Decimal | str | None] = {}
    if not any(_is_for_adults(item) for item in ranges):
        return found
    for side, name in (("low", "referenceLow"), ("high", "referenceHigh")):
        quantities = [mapping(item.get(side)) for item in ranges]
        limits = [(quantity.get("value"), quantity_unit(quantity)) for quantity in quantities]
        if isinstance(limits[0][0], Decimal) and len(set(map(str, limits))) == 1:
            found |= {name: limits[0][0], f"{name}Unit": limits[0][1]}
    if found and (sex := _only_sex(ranges)) is not None:
        found["referenceSex"] = sex
    return found


def _only_sex(ranges: list[dict[str, Any]]) -> str | None:
    """The sex that some ranges are for, where none of them is for the other one or for both."""
    found = {sex for item in ranges for sex in (_sexes(item) or _SEXES)}
    return found.pop() if len(found) == 1 else None


def _sexes(item: dict[str, Any]) -> set[str]:
    """The sexes that a reference range names."""
    return {sex for sex, pattern in _SEXES.items() if any(map(pattern.fullmatch, _groups(item)))}


def _groups(item: dict[str, Any]) -> list[str]:
    """Words and codes that say for whom a reference range is."""
    groups = [answer.rpartition("|")[2] for group in sequence(item.get("appliesTo")) for answer in answers(group)]
    return [*groups, text_of(item.get("text")) or ""]


def _is_for_adults(item: dict[str, Any]) -> bool:
    """Whether a reference range is for any adult, or any of one sex: a laboratory may print that of the patient."""
    groups = (answers(group) for group in sequence(item.get("appliesTo")))
    known = all(any(_ADULTS.fullmatch(answer.rpartition("|")[2]) for answer in group) for group in groups)
    return known and not item.get("age") and not _OF_AGE.match(text_of(item.get("text")) or "")


def _is_of_normal(item: dict[str, Any]) -> bool:
    """Whether a reference range is that of normal: said so, or without a type and words for another one."""
    codings, text = concept(item.get("type"))
    if codings or text:
        return any(code == "normal" for _, code, _ in codings)
    return _NOT_OF_NORMAL.match(_UNTREATED.sub(" ", text_of(item.get("text")) or "")) is None
