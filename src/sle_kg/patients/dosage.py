"""Dosage lines of FHIR to raw exposures: one for each line, so that morning and evening doses add up."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from sle_kg.patients.elements import mapping, sequence
from sle_kg.patients.raw import RawRecord

_TIMING_CODES = {
    "QD": (1, "d"),
    "AM": (1, "d"),
    "PM": (1, "d"),
    "BED": (1, "d"),
    "BID": (2, "d"),
    "TID": (3, "d"),
    "QID": (4, "d"),
    "WK": (1, "wk"),
    "Q4H": (6, "d"),
    "Q6H": (4, "d"),
    "Q8H": (3, "d"),
}
"""Timing.code of HL7's GTSAbbreviation: administrations in a period."""


def dosage_lines(base: RawRecord, lines: list[dict[str, Any]]) -> Iterator[RawRecord]:
    """The record once for each dosage line, with its dose, timing and route; once without dose where there is none.

    Lines numbered as steps one after the other, without dates of their own, leave the dose unknown: which step was
    taken when is not said (FHIR R4, Dosage.sequence).
    """
    if not lines:
        yield base
        return
    steps = {str(line.get("sequence")) for line in lines if line.get("sequence") is not None}
    dated = all(_bounds(line) for line in lines)
    for number, line in enumerate(lines, 1):
        identifier = base.id if len(lines) == 1 else f"{base.id}/dosage/{number}"
        raw = RawRecord(base.kind, base.patient, identifier, dict(base.values))
        for coding in sequence(mapping(line.get("route")).get("coding")):
            raw.add("routeCoding", f"{mapping(coding).get('system') or ''}|{mapping(coding).get('code') or ''}")
        for name, element in (("started", "start"), ("ended", "end")):
            if bound := _bounds(line).get(element):
                raw.values[name] = (str(bound),)
        if len(steps) < 2 or dated:
            _add_dose(raw, line)
            _add_timing(raw, line)
        yield raw


def _add_dose(raw: RawRecord, line: dict[str, Any]) -> None:
    """The quantity of one administration, where the line gives exactly one."""
    stated = [mapping(item).get("doseQuantity") for item in sequence(line.get("doseAndRate"))]
    quantities = [mapping(quantity) for quantity in (*stated, line.get("dose")) if quantity]
    amounts = {(str(q.get("value")), str(q.get("code") or q.get("unit"))) for q in quantities}
    if len(amounts) == 1:
        value, unit = quantities[0].get("value"), quantities[0].get("code") or quantities[0].get("unit")
        raw.add("doseValue", value if isinstance(value, (Decimal, str, bool)) else None)
        raw.add("doseUnit", unit if isinstance(unit, str) else None)
    if line.get("asNeededBoolean") is True or line.get("asNeededCodeableConcept"):
        raw.add("asNeeded", True)


def _add_timing(raw: RawRecord, line: dict[str, Any]) -> None:
    """Administrations in a period; nothing where the line gives a range of them."""
    timing = mapping(line.get("timing"))
    repeat = mapping(timing.get("repeat"))
    if any(repeat.get(name) is not None for name in ("frequencyMax", "periodMax")):
        return
    frequency, period, unit = repeat.get("frequency"), repeat.get("period"), repeat.get("periodUnit")
    days, times = sequence(repeat.get("dayOfWeek")), sequence(repeat.get("timeOfDay"))
    if period is not None and unit:
        frequency = Decimal(1) if frequency is None else frequency
        if days and unit == "d" and period == 1 and isinstance(frequency, Decimal):
            frequency, unit = frequency * len(days), "wk"
    elif days:
        frequency, period, unit = Decimal(len(days) * max(len(times), 1)), Decimal(1), "wk"
    elif times:
        frequency, period, unit = Decimal(len(times)), Decimal(1), "d"
    else:
        codes = [mapping(coding).get("code") for coding in sequence(mapping(timing.get("code")).get("coding"))]
        known = next((_TIMING_CODES[code] for code in codes if code in _TIMING_CODES), None)
        if known is None:
            return
        frequency, period, unit = Decimal(known[0]), Decimal(1), known[1]
    if isinstance(frequency, Decimal) and isinstance(period, Decimal) and isinstance(unit, str):
        raw.add("frequency", frequency)
        raw.add("period", period)
        raw.add("periodUnit", unit)


def _bounds(line: dict[str, Any]) -> dict[str, Any]:
    return mapping(mapping(mapping(line.get("timing")).get("repeat")).get("boundsPeriod"))
