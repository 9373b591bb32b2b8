"""Plain words for the values of records, as evidence shows them."""

from __future__ import annotations

from decimal import Decimal

from sle_kg.patients.raw import RawRecord

_TIMES = {1: "once", 2: "twice", 3: "three times", 4: "four times"}
_UNITS = {"s": "second", "min": "minute", "h": "hour", "d": "day", "wk": "week", "mo": "month", "a": "year"}


def plain(number: Decimal) -> str:
    """A number without exponent or trailing zeros: `7.50` → `7.5`."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def quantity_words(raw: RawRecord, value: str, unit: str) -> str:
    """A value with its unit as recorded: `200 mg`; empty where there is no value."""
    number = raw.number(value)
    return " ".join(filter(None, (plain(number), raw.text(unit)))) if number is not None else ""


def exposure_words(taken: str, status: str | None, dose: str, raw: RawRecord) -> str:
    """What a record of a medicine says: `ordered, 200 mg twice a day`."""
    state = {"ordered": "ordered", "no": "not taken", "uncertain": "not certain whether taken"}.get(taken)
    timing = timing_words(raw)
    words = " ".join(filter(None, (dose, timing)))
    if raw.flag("asNeeded"):
        words = f"{words} as needed".strip()
    return ", ".join(filter(None, (state or status, words)))


def timing_words(raw: RawRecord) -> str:
    """How often: `twice a day`, `once every 2 weeks`."""
    frequency, period, unit = raw.number("frequency"), raw.number("period"), raw.text("periodUnit")
    if frequency is None or period is None or unit not in _UNITS:
        return ""
    times = _TIMES.get(int(frequency), "") if frequency == int(frequency) else ""
    times = times or f"{plain(frequency)} times"
    if period == 1:
        return f"{times} {'an' if unit == 'h' else 'a'} {_UNITS[unit]}"
    return f"{times} every {plain(period)} {_UNITS[unit]}s"
