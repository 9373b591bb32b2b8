"""Parts of sentences that know nothing of medicine: letters, periods of time."""

from __future__ import annotations

import re

_PERIODS = {"Y": "year", "M": "month", "W": "week", "D": "day"}


def lower_first(text: str) -> str:
    """The text as it stands inside a sentence: a small first letter, except in acronyms and hyphenated names."""
    return text[:1].lower() + text[1:] if re.match(r"[A-Z][a-z]+\b(?!-)", text) else text


def span(first: str | None, last: str | None) -> str:
    """From one day to another, of which one may not be known: `2025-01-01 to 2026-09-01`, `from 2025-01-01`."""
    if first == last:
        return first or ""
    return f"{first} to {last}" if first and last else f"from {first}" if first else f"until {last}"


def period(duration: str) -> str:
    """An ISO duration in words: `P6M` gives `6 months`."""
    parts = re.findall(r"(\d+)([YMWD])", duration)
    return " ".join(f"{number} {_PERIODS[unit]}{'' if number == '1' else 's'}" for number, unit in parts)
