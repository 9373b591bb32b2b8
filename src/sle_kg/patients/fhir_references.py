"""Whom and what FHIR resources refer to: by URL, by identifier, or to what they contain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from sle_kg.patients.elements import mapping, sequence, text_of

_LOOKED_UP = ("Medication", "Patient")
"""Types of contained resources that others refer to, and that say nothing by themselves."""
_CONDITIONAL = re.compile(r"(?:.*/)?Patient\?(?:identifier=([^&]+))?.*", re.DOTALL)
BY_IDENTIFIER = "Patient?identifier="
"""Begins the URL of a patient who is named by an identifier: its system, `|` and its value follow."""


def url_of(reference: Any) -> str | None:
    """The URL of a reference, whatever the version; None where it has none."""
    url = text_of(mapping(reference).get("reference"))
    return url.split("/_history/", 1)[0] if url else None


def subject_of(resource: dict[str, Any]) -> str | None:
    """The URL of whom a record is about; of one named by an identifier, always in the same form; None where none is.

    The identifier may stand in the reference, in its URL (conditional), or in a contained Patient.
    """
    named = mapping(resource.get("subject") or resource.get("patient"))
    url = url_of(named)
    if url is None:
        return _by_identifier(named.get("identifier")) if named.get("type") in (None, "Patient") else None
    if url.startswith("#"):
        inside = contained(resource, url)
        return next(urls_by_identifier(inside), None) if inside.get("resourceType") == "Patient" else url
    if "?" in url and (match := _CONDITIONAL.fullmatch(url)) is not None:
        system, _, value = unquote(match[1] or "").partition("|")
        return _by_identifier({"system": system, "value": value})
    return url


def names_somebody(subject: str | None) -> bool:
    """Whether the subject of a record is a URL that means one resource, known or not; an identifier is none."""
    return subject is not None and not subject.startswith(BY_IDENTIFIER)


def urls_by_identifier(patient: dict[str, Any]) -> Iterator[str]:
    """The URLs by which the identifiers of a Patient name it."""
    return filter(None, map(_by_identifier, sequence(patient.get("identifier"))))


def _by_identifier(identifier: Any) -> str | None:
    """The URL that an identifier with its system makes."""
    system, value = (text_of(mapping(identifier).get(name)) for name in ("system", "value"))
    return f"{BY_IDENTIFIER}{system}|{value}" if system and value else None


def looked_up(resource: dict[str, Any]) -> list[dict[str, Any]]:
    """What a resource contains that others refer to."""
    every = map(mapping, sequence(resource.get("contained")))
    return [inside for inside in every if inside.get("resourceType") in _LOOKED_UP]


def contained(resource: dict[str, Any], url: str) -> dict[str, Any]:
    """The contained resource that `#id` means; an empty one where there is none."""
    every = map(mapping, sequence(resource.get("contained")))
    return next((inside for inside in every if inside.get("id") == url[1:]), {})
