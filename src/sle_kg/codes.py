"""Codes of terminologies: one spelling, and the prefix hierarchies of ICD-10 and ATC (rule 1 of reading)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from sle_kg.namespaces import ATC, CVX, ICD10, ICD10CM, LOCAL_CODES, LOINC, MEDDRA, RXNORM, SNOMED, UCUM

Coding = tuple[str, str, str]
"""System URI, code, display text (each may be empty)."""
CodeMap = Mapping[tuple[str, str], str]
"""The user's own codes: (system, code) to a key of the ontology, to `other`, or to one of `ROUTES`."""
ROUTES = frozenset({"oral", "intravenous", "other-systemic", "local"})
"""Routes of medicines as the fact tables tell them apart."""

KINDS = {ATC: "atc", ICD10: "icd", ICD10CM: "icd", CVX: "cvx"}
"""Systems whose codes are decided as codes, whether or not a table holds them. CVX is a flat list."""
ABSENT_UNKNOWN = "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips"
"""Codes of the International Patient Summary for sections in which nothing is known to be, or nothing is known."""
NO_KNOWN_ALLERGY = frozenset({(SNOMED, "716186003"), (ABSENT_UNKNOWN, "no-known-allergies")})
NOTHING_KNOWN = frozenset(
    {(ABSENT_UNKNOWN, f"no-known-{what}") for what in ("medications", "problems", "procedures", "immunizations")}
)
"""Codes of records that there is nothing of their kind: of no member of any set."""
_ICD = r"[A-Z][0-9][0-9A-Z](?:\.?[0-9A-Z]{1,4})?"
_GRAMMAR = {
    "atc": re.compile(r"[A-Z](?:[0-9]{2}(?:[A-Z](?:[A-Z](?:[0-9]{2})?)?)?)?"),
    "icd": re.compile(rf"{_ICD}(?:-{_ICD})?"),
    "cvx": re.compile(r"[0-9]{1,3}"),
}
"""What a code of these systems looks like: five levels of ATC, a code of ICD-10 or a block of them, a number of CVX."""
_OTHER_NAMES = {
    "2.16.840.1.113883.6.1": LOINC,
    "2.16.840.1.113883.6.96": SNOMED,
    "2.16.840.1.113883.6.88": RXNORM,
    "2.16.840.1.113883.6.90": ICD10CM,
    "2.16.840.1.113883.6.3": ICD10,
    "2.16.840.1.113883.6.3.2": ICD10,
    "2.16.840.1.113883.6.73": ATC,
    "2.16.840.1.113883.6.8": UCUM,
    "2.16.840.1.113883.12.292": CVX,
    "2.16.840.1.113883.6.163": MEDDRA,
    "fhir.de/codesystem/bfarm/icd-10-gm": ICD10,
    "fhir.de/codesystem/dimdi/icd-10-gm": ICD10,
    "hl7.org/fhir/sid/icd-10-gm": ICD10,
    "hl7.org/fhir/sid/icd-10-de": ICD10,
    "hl7.org/fhir/sid/icd-10-nl": ICD10,
    "fhir.de/codesystem/bfarm/atc": ATC,
    "fhir.de/codesystem/dimdi/atc": ATC,
    "terminology.hl7.org/codesystem/mdr": MEDDRA,
    "meddra.org": MEDDRA,
}
"""The same code systems by their HL7 object identifiers, as exports from CDA name them, and by other addresses."""
_EDITION_OF_SNOMED = "snomed.info/sct/"
_NOTATION = "-.+*†!X"
"""What stands behind a code of ICD-10 that says no more: subdivided (`C50.-`, `C50.X`), dagger, asterisk, optional."""
_LETTERED = re.compile(r"[A-Z][0-9][0-9A-Z]\.(?:[0-9A-Z]{0,2}[A-Z]|[0-9]{2}(?:[AGVZ][BLR]|[BLR][AGVZ]))")
"""A code of ICD-10 of three to five places with a letter behind them, as Germany writes certainty and side: `C50.9A`.

`A` is excluded, `V` suspected. Codes of ICD-10-CM under the address of ICD-10 have such a letter in the seventh place.
"""


def _address(system: str) -> str:
    """What two spellings of the address of one code system have in common."""
    address = system.lower().partition("|")[0].strip().rstrip("/")
    for before in ("https://", "http://", "www.", "urn:oid:"):
        address = address.removeprefix(before)
    return address


_NAMES = {
    _address(name): name
    for name in (LOINC, SNOMED, ICD10, ICD10CM, ATC, RXNORM, CVX, MEDDRA, LOCAL_CODES, UCUM, ABSENT_UNKNOWN)
}
_NAMES |= _OTHER_NAMES


@lru_cache(maxsize=4096)
def normalise_system(system: str) -> str:
    """The URI of a code system that may be named by its object identifier or another address.

    `https`, `www.`, capitals, a slash at the end and a version (`|2.74`, an edition of SNOMED CT) make no other system.
    """
    address = _address(system)
    return SNOMED if address.startswith(_EDITION_OF_SNOMED) else _NAMES.get(address, system)


def normalise_code(system: str, code: str) -> str:
    """One spelling of a code: ICD-10 with its point (`M3214` → `M32.14`), ATC in capitals, CVX with two digits.

    A letter that is no part of a code of ICD-10 stands apart (`C50.9A` → `C50.9 A`), so that it is none (`is_code`).
    """
    code = code.strip()
    match KINDS.get(system):
        case "icd":
            code = code[:3].upper() + code[3:].upper().rstrip(_NOTATION)
            code = f"{code[:3]}.{code[3:]}" if len(code) > 3 and code.isalnum() else code
            return f"{code[:-1]} {code[-1]}" if system == ICD10 and _LETTERED.fullmatch(code) else code
        case "atc":
            return code.upper()
        case "cvx":
            return code.lstrip("0").zfill(2)
    return code


def is_code(kind: str, code: str) -> bool:
    """Whether a code of one of `KINDS` is one at all: what is none (`Z12.31, C50.919`) is not outside of every set."""
    return _GRAMMAR[kind].fullmatch(code) is not None


def in_hierarchy(code: str, prefix: str) -> bool:
    """Whether a code is the prefix itself or below it; a prefix `C00-C97` is a range of first three characters.

    A code may itself be a block (`A15-A19`): it is below where both its ends are.
    """
    if "-" in code:
        first, last = code.split("-", 1)
        return in_hierarchy(first, prefix) and in_hierarchy(last, prefix)
    if "-" in prefix:
        first, last = prefix.split("-", 1)
        return len(code) >= 3 and first <= code[:3] <= last
    return code.replace(".", "").startswith(prefix.replace(".", ""))


def is_above(code: str, prefix: str) -> bool:
    """Whether a code stands strictly above a prefix, so that it may or may not mean something below the prefix."""
    if in_hierarchy(code, prefix) or not code:
        return False
    if "-" in code:
        first, last = code.split("-", 1)
        low, high = prefix.split("-", 1) if "-" in prefix else (prefix[:3], prefix[:3])
        return first[:3] <= high and low <= last[:3]
    if "-" in prefix:
        first, last = prefix.split("-", 1)
        return len(code) < 3 and first[: len(code)] <= code <= last[: len(code)]
    return prefix.replace(".", "").startswith(code.replace(".", ""))
