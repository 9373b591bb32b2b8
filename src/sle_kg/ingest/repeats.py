"""Observations that say the same of other patients on other days: read once, then only patient, id and day change.

The rules of reading look at an observation's day only as its day, and not at all at its id. So the rows of an
observation with a full date serve for every other that differs in nothing but what is put aside here.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Any

from sle_kg.patients.facts import COLUMNS

_ASIDE = frozenset(
    "id subject patient effectiveDateTime encounter meta issued performer text identifier".split()  # noqa: SIM905
)
"""Elements of an observation that name it, its day and those concerned, or that no rule reads."""
_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII)
_MOST = 20_000
"""Observations that are remembered: about 40 MB."""
_TABLES = ("measurement", "unread", "record")
_PLACES = {
    table: [place for place, name in enumerate(("patient", "record", *COLUMNS[table])) if name.startswith("date")]
    for table in _TABLES
}
"""Columns of dates in a row of each table."""

Rows = list[tuple[str, tuple[Any, ...]]]
"""Rows with their table."""


@dataclass(frozen=True, slots=True)
class Known:
    """The rows of an observation, with the places of their patient, record and day to fill; what was passed over."""

    found: bool
    rows: tuple[tuple[str, tuple[Any, ...], tuple[int, ...]], ...]
    skipped: Counter[str]

    def filled(self, patient: str, record: str, day: date) -> Rows:
        """The rows for another patient, record and day."""
        filled: Rows = []
        for table, rest, places in self.rows:
            row = [patient, record, *rest]
            for place in places:
                row[place] = day.isoformat() if table == "record" else day
            filled.append((table, tuple(row)))
        return filled


class Repeats:
    """Remembers what observations gave."""

    def __init__(self) -> None:
        self._known: dict[str, Known | None] = {}

    def key(self, resource: dict[str, Any]) -> tuple[str, date] | None:
        """What an observation says beside its day, and the day; None where it has no full date alone."""
        told = resource.get("effectiveDateTime")
        if not isinstance(told, str) or "effectivePeriod" in resource or "/" in str(resource.get("id")):
            return None
        match = _DAY.fullmatch(told)
        try:
            day = date.fromisoformat(match[1]) if match else None
        except ValueError:
            return None
        if day is None:
            return None
        return repr([item for item in resource.items() if item[0] not in _ASIDE]), day

    def get(self, key: str) -> Known | None:
        """The rows of an observation that says the same, where they are remembered."""
        return self._known.get(key)

    def note(self, key: str, day: date, found: bool, rows: Rows, skipped: Counter[str]) -> None:
        """Remember what an observation gave, if its rows hold nothing of its day but the day."""
        if len(self._known) >= _MOST:
            self._known.clear()
        kept = []
        for table, row in rows:
            if table not in _TABLES:
                return
            whole = day.isoformat() if table == "record" else day
            places = tuple(place for place in _PLACES[table] if row[place] is not None)
            if any(row[place] != whole for place in places):
                return
            kept.append((table, row[2:], places))
        self._known[key] = Known(found, tuple(kept), skipped)
