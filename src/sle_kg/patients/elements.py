"""Elements of FHIR JSON, read without trust: what is not of the expected form is empty, or kept to be reported."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Any

from sle_kg.codes import Coding, normalise_system
from sle_kg.namespaces import UCUM

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d+))?")
_MOST_DIGITS = 60
"""Longer numbers, and exponents beyond it, are no clinical value; to compute with 1e999999999 would never end."""


@lru_cache(maxsize=65536)
def exact_number(text: str) -> Decimal | str:
    """A number as written, exact; what is none, or is no clinical value, stays text and is reported later."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        return text
    if len(text) <= _MOST_DIGITS and abs(int(match[1] or 0)) <= _MOST_DIGITS:
        return Decimal(text)
    return f"{text[:20]}… (no clinical value)"


def mapping(value: Any) -> dict[str, Any]:
    """A JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    """A JSON array; one value alone as an array of one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def text_of(value: Any) -> str | None:
    """A text that is not empty."""
    return value if isinstance(value, str) and value else None


def scalar(value: Any) -> str | Decimal | bool | None:
    """A primitive value as it is; what should be primitive and is not becomes its JSON type's name."""
    if value is None or isinstance(value, (str, Decimal, bool)):
        return value
    return f"({type(value).__name__})"


def concept(value: Any) -> tuple[list[Coding], str]:
    """Codings and display text of a CodeableConcept or a Coding."""
    codeable = mapping(value[0] if isinstance(value, list) and value else value)
    if not codeable:
        return [], ""
    items = [item if isinstance(item, dict) else {} for item in sequence(codeable.get("coding"))]
    if not items and "code" in codeable:
        items = [codeable]
    codings: list[Coding] = []
    shown = text_of(codeable.get("text"))
    for item in items:
        code, display = item.get("code"), text_of(item.get("display"))
        if isinstance(code, str) and code:
            codings.append((normalise_system(text_of(item.get("system")) or ""), code, display or ""))
        shown = shown or display
    return codings, shown or text_of(codeable.get("display")) or ""


def answers(value: Any) -> list[str]:
    """What a coded element says: its codes as `system|code`, then its text as `|text`."""
    codings, text = concept(value)
    return [f"{system}|{code}" for system, code, _ in codings] + ([f"|{text}"] if text else [])


def quantity_unit(quantity: dict[str, Any]) -> str | None:
    """The UCUM unit of a quantity: its code where the system is UCUM or not said, else its unit text."""
    system = quantity.get("system")
    if (system is None or normalise_system(str(system)) == UCUM) and (code := text_of(quantity.get("code"))):
        return code
    return text_of(quantity.get("unit"))
