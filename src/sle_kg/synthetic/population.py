"""Who the patients are before infusion: drawn from the distributions of population.toml."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from sle_kg.ontology import instruments
from sle_kg.synthetic.dice import Dice


@dataclass(frozen=True, slots=True)
class PastMedicine:
    """A medicine by its key, with milligrams of one administration, and the days from and to which it was taken.

    Days count from the infusion; `last` None: it is still taken.
    """

    concept: str
    dose: Decimal
    times: int
    days: int
    first: int
    last: int | None


@dataclass(frozen=True, slots=True)
class Person:
    """One patient before infusion: the index date is the day of infusion, or of its plan.

    `items` are the items of SLEDAI that are present, in the order of the instrument; `steroid` is mg prednisone a day.
    """

    number: int
    sex: str
    birth: dt.date
    index: dt.date
    diagnosed: dt.date
    weight: int
    items: tuple[str, ...]
    anti_sm: bool
    ana_titre: int
    medicines: tuple[PastMedicine, ...]
    steroid: Decimal
    crs: int
    icans: int


@cache
def distributions() -> Mapping[str, Any]:
    """The tables of population.toml; fractions are exact decimals."""
    return read_table("population.toml")


def read_table(name: str) -> Mapping[str, Any]:
    """A TOML file beside this module."""
    text = files("sle_kg.synthetic").joinpath(name).read_text("utf-8")
    return tomllib.loads(text, parse_float=Decimal)


@cache
def item_weights() -> Mapping[str, int]:
    """The items of SLEDAI by their own key (`rash`), in the order of the ontology, with their weights."""
    return {item.key.partition(":")[2]: item.weight or 0 for item in instruments()["sledai2k"].items}


def points(items: Sequence[str]) -> int:
    """The total that some items give."""
    return sum(item_weights()[item] for item in items)


def in_order(items: Sequence[str]) -> tuple[str, ...]:
    """The items, each once, in the order of the instrument."""
    return tuple(item for item in item_weights() if item in items)


def draw(number: int, dice: Dice) -> Person:
    """The patient of this number."""
    tables = distributions()
    index = tables["infusion"]["earliest"] + dt.timedelta(days=dice.among(0, tables["infusion"]["days"]))
    sex = "female" if dice.happens(tables["sex"]["female"]) else "male"
    age = from_groups(tables["age"], dice)
    years = min(from_groups(tables["duration"], dice), age - 10)
    antibodies = tables["antibodies"]
    return Person(
        number=number,
        sex=sex,
        birth=_years_before(index, age, dice),
        index=index,
        diagnosed=_years_before(index, years, dice),
        weight=dice.among(*tables["weight"][sex]),
        items=_active_items(tables["activity"], dice),
        anti_sm=dice.happens(antibodies["antiSm"]),
        ana_titre=antibodies["titres"][dice.among(0, len(antibodies["titres"]) - 1)],
        medicines=tuple(_medicines(tables["medicine"], dice)),
        steroid=Decimal(tables["steroid"][dice.weighted([row["weight"] for row in tables["steroid"]])]["dose"]),
        crs=dice.weighted(tables["crs"]["weights"]),
        icans=dice.weighted(tables["icans"]["weights"]),
    )


def _years_before(day: dt.date, years: int, dice: Dice) -> dt.date:
    """A day so many whole years before another, and less than a year more; never a 29th of February by clamping."""
    anniversary = dt.date(day.year - years, day.month, min(day.day, 28))
    return anniversary - dt.timedelta(days=dice.among(0, 360))


def from_groups(groups: Sequence[Mapping[str, Any]], dice: Dice) -> int:
    """A whole number from one of several weighted groups."""
    group = groups[dice.weighted([group["weight"] for group in groups])]
    return dice.among(group["from"], group["to"])


def _active_items(activity: Mapping[str, Any], dice: Dice) -> tuple[str, ...]:
    """Items drawn one by one; the commonest are added until the total is that of active disease."""
    chances: Mapping[str, int] = activity["items"]
    found = [item for item, percent in chances.items() if dice.happens(percent)]
    for item in sorted(chances, key=lambda item: -chances[item]):
        if points(found) < activity["least"] and item not in found:
            found.append(item)
    return in_order(found)


def _medicines(rows: Sequence[Mapping[str, Any]], dice: Dice) -> list[PastMedicine]:
    """Medicines before infusion; one that does not go `without` another is left out beside it."""
    found: list[PastMedicine] = []
    for row in rows:
        taken, stop = dice.happens(row["percent"]), dice.among(14, 21)
        ended, length = dice.among(*row.get("ended", (0, 0))), dice.among(90, 400)
        if not taken or any(medicine.concept == row.get("without") for medicine in found):
            continue
        last = {"never": None, "apheresis": -stop, "before": -ended}[row["stops"]]
        first = (last or 0) - length
        found.append(PastMedicine(row["concept"], Decimal(row["dose"]), row["times"], row["days"], first, last))
    return found
