"""Patients made from others by changing facts at random: what a yardstick and the program must judge alike.

Rows are dropped, moved to the edges of windows, made vague, contradicted, given to other patients. The same seed gives
the same tables.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa

from sle_kg.patients.dates import in_order
from sle_kg.patients.facts import COLUMNS, schema

Row = dict[str, Any]
EDGES = (0, 1, 2, 3, 7, 13, 14, 15, 27, 28, 29, 55, 56, 57, 90, 91, 168, 184, 185, 300, 301, 365, 366, 1826)
EDGES = (*EDGES, -1, -14, 45_000)
"""Days before screening at which windows of the trials begin or end, days beside them, and one before birth."""
DOSES = ("5", "7.5", "10", "45", "50", "75", "100", "500", "1500")
FACTORS = tuple(map(Decimal, ("0", "0.5", "0.7", "1", "2", "3", "10")))
WORDS: Mapping[str, tuple[str | None, ...]] = {
    "condition.status": ("confirmed", "confirmed", "refuted", "uncertain"),
    "severity": ("mild", "moderate", "severe", None),
    "taken": ("yes", "yes", "no", "ordered", "uncertain"),
    "route": ("oral", "intravenous", "other-systemic", "local", None),
    "dose_unit": ("mg", "mg", "mg/kg"),
    "done": ("yes", "no", "uncertain"),
    "given": ("yes", "no", "uncertain"),
    "allergy.status": ("confirmed", "refuted", "uncertain"),
    "kind": ("allergy", "intolerance", None),
    "criticality": ("high", "low", None),
    "sex": ("female", "male", None),
    "method": ("echocardiography", None),
    "limits_for": ("female", "male", None),
    "text": ("III", "IV", "V", "III+V", "II", None),
    "consent.trial": ("NCT06106906", "NCT06150651", "NCT06892145", None),
    "consent.status": ("active", "active", "inactive", "rejected"),
    "event.trial": ("NCT06106906", None),
    "event.event": ("leukapheresis", "lymphodepletion", "infusion", "consent", "enrollment", "death"),
}
"""What a column of words can hold, by its name or by table and name."""
SHARED = (
    "measurement",
    "condition",
    "exposure",
    "procedure",
    "statement",
    "allergy",
    "immunization",
    "event",
    "consent",
    "completeness",
)
"""Tables whose rows are given to other patients."""
INTERVALS = (("start", "end", "taken"), ("onset", "abated", "status"), ("from", "end", "done"))
"""Beginning, end, and what becomes uncertain where the end comes first: readers then believe neither date."""


@dataclass(frozen=True)
class _Dice:
    chance: random.Random
    on: dt.date
    concepts: Mapping[str, Sequence[str]]

    def day(self) -> dt.date:
        return self.on - dt.timedelta(days=self.chance.choice(EDGES))

    def interval(self) -> tuple[dt.date | None, dt.date | None]:
        """A day, a month, a year, or an interval open on one side or both."""
        day = self.day()
        return self.chance.choice(
            (
                (day, day),
                (day, day),
                (day, day),
                (day.replace(day=1), (day.replace(day=1) + dt.timedelta(days=31)).replace(day=1) - dt.timedelta(1)),
                (dt.date(day.year, 1, 1), dt.date(day.year, 12, 31)),
                (None, None),
                (None, day),
                (day, None),
            )
        )

    def change(self, table: str, row: Row) -> None:
        """Change one thing of a row in place."""
        starts = [name for name in row if name.endswith("_from")]
        word = [name for name in row if name in WORDS or f"{table}.{name}" in WORDS]
        flags = [name for name, kind in COLUMNS[table].items() if kind == "flag"]
        changes: list[Callable[[], None]] = [lambda: self._move(row, self.chance.choice(starts))] * 3 if starts else []
        if word:
            changes.append(lambda: self._say(table, row, self.chance.choice(word)))
        if flags:
            changes.append(lambda: row.update({self.chance.choice(flags): self.chance.choice((True, False, None))}))
        if table == "measurement":
            changes += [lambda: self._measure(row)] * 3
        if table == "exposure":
            changes += [lambda: self._dose(row)] * 2
        if "concept" in row:
            changes.append(lambda: row.update(concept=self.chance.choice(self.concepts[table])))
        if changes:
            self.chance.choice(changes)()

    def _move(self, row: Row, start: str) -> None:
        stem = start.removesuffix("_from")
        if stem == "birth":
            return
        row[start], row[f"{stem}_to"] = self.interval()
        for first, last, word in INTERVALS:
            ends = [(row.get(f"{end}_from"), row.get(f"{end}_to")) for end in (first, last)]
            if word in row and not in_order(*ends):
                row |= dict.fromkeys((f"{first}_from", f"{first}_to", f"{last}_from", f"{last}_to"))
                row[word] = "uncertain"

    def _say(self, table: str, row: Row, name: str) -> None:
        row[name] = self.chance.choice(WORDS.get(f"{table}.{name}", WORDS.get(name, (None,))))

    def _measure(self, row: Row) -> None:
        step = Decimal("0.000000000001")
        value = row["low"] if row["low"] is not None else row["high"]
        if value is None:
            row["positive"] = self.chance.choice((True, False, None))
            return
        limit = row["uln"]
        base = limit * self.chance.choice(FACTORS) if limit is not None and self.chance.random() < 0.5 else value
        base = base.quantize(Decimal("0.000001"))
        row["low"], row["high"] = self.chance.choice(
            ((base, base), (base, base), (None, base - step), (base + step, None), (base, None), (None, base))
        )
        if self.chance.random() < 0.2:
            row["uln"] = None

    def _dose(self, row: Row) -> None:
        row["dose"] = self.chance.choice(
            (None, *map(Decimal, ("5", "7.5", "10", "45", "50", "75", "100", "500", "1500")))
        )
        row["dose_unit"] = None if row["dose"] is None else self.chance.choice(("mg", "mg", "mg/kg"))
        row["times"] = self.chance.choice((None, Decimal(1), Decimal(1), Decimal(2)))
        row["period_days"] = self.chance.choice((None, Decimal(1), Decimal(1), Decimal(7), Decimal(28)))
        row["administration"] = self.chance.random() < 0.1


def perturbed(tables: Mapping[str, pa.Table], patients: int, seed: int, on: dt.date) -> dict[str, pa.Table]:
    """Tables of so many patients `x000001` …, each one of the given patients with facts changed."""
    chance = random.Random(seed)
    rows = {name: _by_patient(table) for name, table in tables.items()}
    ids = sorted(rows["patient"])
    everything = {name: [row for one in ids for row in rows[name].get(one, ())] for name in SHARED}
    concepts = {
        name: sorted({row["concept"] for one in ids for row in found.get(one, ()) if row.get("concept")})
        for name, found in rows.items()
    }
    dice = _Dice(chance, on, concepts)
    made: dict[str, list[Row]] = {name: [] for name in tables}
    for number in range(1, patients + 1):
        one, new = chance.choice(ids), f"x{number:06}"
        wild = chance.choice((0.02, 0.1, 0.3))
        for name in tables:
            mine = [dict(row) for row in rows[name].get(one, ()) if name == "patient" or chance.random() > wild / 2]
            if everything.get(name):
                more = chance.choice((0, 1, 8) if name == "measurement" else (0, 0, 1, 3))
                mine += [dict(chance.choice(everything[name])) for _ in range(more)]
            for row in mine:
                row["patient"] = new
                if chance.random() < wild:
                    dice.change(name, row)
            made[name] += mine
    return {name: pa.Table.from_pylist(found, schema(name)) for name, found in made.items()}


def _by_patient(table: pa.Table) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in table.to_pylist():
        found.setdefault(row["patient"], []).append(row)
    return found
