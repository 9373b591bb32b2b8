"""Codes of terminologies: one spelling, and the prefix hierarchies of ICD-10 and ATC (rule 1 of reading)."""

from __future__ import annotations

from collections.abc import Mapping

from sle_kg.namespaces import ATC, CVX, ICD10, ICD10CM, LOINC, MEDDRA, RXNORM, SNOMED

Coding = tuple[str, str, str]
"""System URI, code, display text (each may be empty)."""
CodeMap = Mapping[tuple[str, str], str]
"""The user's own codes: (system, code) to a key of the ontology, to `other`, or to one of `ROUTES`."""
ROUTES = frozenset({"oral", "intravenous", "other-systemic", "local"})
"""Routes of medicines as the fact tables tell them apart."""

KINDS = {ATC: "atc", ICD10: "icd", ICD10CM: "icd", CVX: "cvx"}
"""Systems whose codes are decided as codes, whether or not a table holds them. CVX is a flat list."""
_OTHER_NAMES = {
    "urn:oid:2.16.840.1.113883.6.1": LOINC,
    "urn:oid:2.16.840.1.113883.6.96": SNOMED,
    "urn:oid:2.16.840.1.113883.6.88": RXNORM,
    "urn:oid:2.16.840.1.113883.6.90": ICD10CM,
    "urn:oid:2.16.840.1.113883.6.3": ICD10,
    "urn:oid:2.16.840.1.113883.6.73": ATC,
    "urn:oid:2.16.840.1.113883.12.292": CVX,
    "urn:oid:2.16.840.1.113883.6.163": MEDDRA,
    "http://terminology.hl7.org/CodeSystem/mdr": MEDDRA,
    "http://www.meddra.org": MEDDRA,
    "https://www.meddra.org": MEDDRA,
}
"""The same code systems by their HL7 object identifiers, as exports from CDA name them, and the addresses of MedDRA."""


def normalise_system(system: str) -> str:
    """The URI of a code system that may be named by its object identifier or another address."""
    return _OTHER_NAMES.get(system, system)


def normalise_code(system: str, code: str) -> str:
    """One spelling of a code: ICD-10 with its point (`M3214` → `M32.14`), ATC in capitals, CVX with two digits."""
    code = code.strip()
    match KINDS.get(system):
        case "icd":
            bare = code.upper().replace(".", "")
            return f"{bare[:3]}.{bare[3:]}" if len(bare) > 3 and "-" not in bare else code.upper()
        case "atc":
            return code.upper()
        case "cvx":
            return code.lstrip("0").zfill(2)
    return code


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
