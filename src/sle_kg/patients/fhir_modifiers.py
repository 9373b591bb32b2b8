"""FHIR records that may not be read as they stand, since something in them changes what they mean."""

from __future__ import annotations

from typing import Any

from sle_kg.patients.elements import mapping, sequence, text_of
from sle_kg.patients.raw import FHIR_TYPE, RawRecord
from sle_kg.patients.said import UNCLEAR

_SAYING = frozenset(
    """measuredValue statedValue textValue valueCoding comparator interpretation dataAbsentReason plannedDate
    recordSection""".split()  # noqa: SIM905
)
"""Properties by which raw records of observations say something."""
MODIFIERS = ("modifierExtension", "implicitRules")
"""Elements that change what others mean; none is understood."""
_APART = frozenset(
    "component contained encounter identifier meta patient performer subject text".split()  # noqa: SIM905
)
"""Elements in which a modifier changes nothing that is read of the resource, or changes only a part by itself."""
_NESTS = frozenset({dict, list})


def modifier(resource: dict[str, Any]) -> str | None:
    """What changes the meaning of a resource, or of an element that is read of it, if there is anything."""
    if (why := own_modifier(resource)) is not None:
        return why
    waiting = [value for name, value in resource.items() if value.__class__ in _NESTS and name not in _APART]
    for value in waiting:
        if value.__class__ is list:
            waiting += value
        elif value.__class__ is dict:
            if "modifierExtension" in value and (why := own_modifier(value)) is not None:
                return why
            for item in value.values():
                if item.__class__ in _NESTS:
                    waiting.append(item)
    return None


def own_modifier(part: dict[str, Any]) -> str | None:
    """The extension, or the rules, that change what a part of a resource means: none is understood."""
    if "modifierExtension" not in part and "implicitRules" not in part:
        return None
    for extension in sequence(part.get("modifierExtension")):
        return f"modifierExtension {text_of(mapping(extension).get('url')) or ''}".strip()
    return f"implicitRules {part['implicitRules']}" if part.get("implicitRules") else None


def withhold(raw: RawRecord, why: str) -> None:
    """Take from a raw record what it says, so that it is reported and leaves its criterion or its section open."""
    if FHIR_TYPE[raw.kind] == "Observation":
        for name in _SAYING & raw.values.keys():
            del raw.values[name]
        raw.add("textValue", f"({why})")
    elif raw.kind == "Consent":
        if raw.text("recordStatus") == "active":
            raw.values["recordStatus"] = (UNCLEAR,)
    elif raw.kind != "AdverseEvent":
        raw.values.pop("coding", None)
        raw.values["display"] = (f"{raw.text('display') or ''} ({why})".strip(),)
