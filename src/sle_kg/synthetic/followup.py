"""What happens to a patient after infusion: visits, activity, results, medicines and adverse events of a scenario."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from sle_kg.synthetic.dice import Dice
from sle_kg.synthetic.population import Person, in_order, item_weights, points, read_table
from sle_kg.synthetic.records import (
    AdverseEvent,
    Complete,
    Diagnosis,
    Event,
    Medicine,
    Record,
    Result,
    SyntheticPatient,
    Value,
)

SECTIONS = ("conditions", "medications", "adverseEvents")
"""Sections of which a record says that it is complete."""
_STEROID_BEGAN = -180
_LEUKAPHERESIS = -10
_POINTS = "{score}"


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit: its day in the plan, the day it took place, and what is active then."""

    planned: int
    day: int
    level: str
    items: tuple[str, ...]


@cache
def tables() -> Mapping[str, Any]:
    """The tables of followup.toml; fractions are exact decimals."""
    return read_table("followup.toml")


def scenarios() -> list[Mapping[str, Any]]:
    """The scenarios in their order, each with its `key` and what it `shows`."""
    return list(tables()["scenario"])


def patient(person: Person, scenario: Mapping[str, Any], dice: Dice) -> SyntheticPatient:
    """The whole record of one patient in one scenario."""
    birth = person.birth.isoformat()
    return SyntheticPatient(
        id=f"synthetic-{person.number:05d}",
        sex=person.sex,
        birth=birth[:4] if scenario.get("partial") else birth,
        scenario=scenario["key"],
        records=tuple(_FollowUp(person, scenario, dice).records()),
    )


class _FollowUp:
    """One patient's follow-up; the methods give records by kind."""

    def __init__(self, person: Person, scenario: Mapping[str, Any], dice: Dice) -> None:
        self._person = person
        self._scenario = scenario
        self._dice = dice
        self._infused: bool = scenario.get("infused", True)
        self._baseline = in_order([*person.items, *scenario.get("baseline", ())])
        self._visits = self._plan()
        self._last = max(visit.day for visit in self._visits) + tables()["visits"]["closing"]
        self._damage = dice.among(0, 3)

    def records(self) -> Iterator[Record]:
        """Every record, by kind and then by date."""
        yield Diagnosis("sle", self._person.diagnosed.isoformat())
        yield Result("eularAcr2019", self._person.diagnosed.isoformat(), True)
        if any(item in self._baseline for item in tables()["bilag"]["renal"]):
            yield Diagnosis("lupusNephritis", self._person.diagnosed.isoformat())
        if self._infused:
            for name, day in (("leukapheresis", _LEUKAPHERESIS), ("lymphodepletion", -5), ("infusion", 0)):
                yield Event(name, self._date(day))
        yield from self._medicines()
        for visit in self._visits:
            yield from self._assessment(visit)
            yield from self._laboratory(visit)
            yield from self._now_and_then(visit)
        if self._infused:
            yield from self._cells()
            yield from self._first_weeks()
        yield from self._events()
        for section in SECTIONS:
            if section not in self._scenario.get("incomplete", ()):
                yield Complete(section, self._date(self._last))

    # ── Visits and activity ──────────────────────────────────────────────────────────────────────────────

    def _plan(self) -> list[Visit]:
        """The visits that took place, in order of time."""
        plan, scenario = tables()["visits"], self._scenario
        moved = dict(scenario.get("moved", ()))
        activity = self._activity()
        planned = [plan["screening"], *(plan["days"] if self._infused else ())]
        visits = []
        for nominal in planned:
            shift = 0 if scenario.get("exact") else self._dice.among(-plan["shift"], plan["shift"])
            day = moved.get(nominal, nominal + shift)
            if nominal in scenario.get("missed", ()) or day > scenario.get("until", day):
                continue
            level, items = next((level, items) for first, level, items in reversed(activity) if first <= day)
            visits.append(Visit(nominal, day, level, items))
        for day, level in scenario.get("extra", ()):
            items = next(items for _, name, items in activity if name == level)
            visits.append(Visit(day, day, level, items))
        return sorted(visits, key=lambda visit: visit.day)

    def _activity(self) -> list[tuple[int, str, tuple[str, ...]]]:
        """Day from which it holds, level and items present, phase by phase."""
        found: list[tuple[int, str, tuple[str, ...]]] = []
        items = self._baseline
        for day, level in self._scenario["course"]:
            items = self._changed(items, tables()["levels"][level]) if found else items
            found.append((day, level, items))
        return found

    def _changed(self, before: Sequence[str], level: Mapping[str, Any]) -> tuple[str, ...]:
        """The items that stay present at a level, with those that it adds."""
        serologic = ("lowComplement", "increasedDNABinding")
        kept = [
            item
            for item in before
            if self._dice.happens(level["serology" if item in serologic else "clinical"])
            and item in level.get("only", before)
        ]
        found = list(level.get("add", ()))
        for item in kept:
            if item not in found and points([*found, item]) <= level.get("most", 105):
                found.append(item)
        return in_order(found)

    # ── What a visit gives ───────────────────────────────────────────────────────────────────────────────

    def _assessment(self, visit: Visit) -> Iterator[Record]:
        """Activity indices, global assessment and fatigue of a visit."""
        date, left_out = self._when(visit), self._scenario.get("leftOut", ())
        level = tables()["levels"][visit.level]
        yield self._sledai(visit, date, left_out)
        hundredths, fatigue = self._dice.among(*level["pga"]), self._dice.among(*level["facitFatigue"])
        if "pga" not in left_out:
            if self._has("mm"):
                yield Result("pga", date, Decimal(hundredths // 3), "mm")
            else:
                yield Result("pga", date, Decimal(hundredths).scaleb(-2), _POINTS)
        if self._has("facitF"):
            yield Result("facitF", date, Decimal(fatigue + self._dice.among(50, 95)), _POINTS)
        else:
            yield Result("facitFatigue", date, Decimal(fatigue), _POINTS)
        yield Result("bilag2004", date, parts=tuple(self._bilag(visit, level["bilag"])))

    def _sledai(self, visit: Visit, date: str, left_out: Sequence[str]) -> Result:
        """The index with total and items; a total that its items do not give where the scenario says so."""
        instrument = "selenaSledai" if self._has("selenaSledai") else "sledai2k"
        total = points(visit.items)
        if visit.planned in self._scenario.get("contradictory", ()):
            total += 6
        parts: list[tuple[str, Value]] = []
        if "items" not in left_out:
            parts = [(f"{instrument}:{key}", key in visit.items) for key in item_weights() if key not in left_out]
        value = None if "total" in left_out else Decimal(total)
        return Result(f"{instrument}Total", date, value, _POINTS, parts=tuple(parts))

    def _bilag(self, visit: Visit, grade: str) -> Iterator[tuple[str, Value]]:
        """A grade for each system: the level's where an item is present, D where one was, E where none ever was."""
        for system, items in tables()["bilag"].items():
            ever = "D" if any(item in self._baseline for item in items) else "E"
            yield f"bilag:{system}", grade if any(item in visit.items for item in items) else ever

    def _laboratory(self, visit: Visit) -> Iterator[Record]:
        """Laboratory results, in the range that belongs to the items present, or to the time after lymphodepletion."""
        early = tables()["early"]["counts"] if 0 < visit.day <= tables()["early"]["until"] else {}
        for row in tables()["result"]:
            bounds = row["with"] if row.get("item") in visit.items else row["without"]
            result = self._result(row, self._when(visit), early.get(row["test"], bounds))
            if result.test in self._scenario.get("leftOut", ()):
                continue
            if row["test"] == "urineProtein24h" and self._has("upcr") and isinstance(result.value, Decimal):
                milligrams = result.value * 1000
                yield Result("upcr", result.date, milligrams.quantize(Decimal(1)), "mg/g{creat}", upper=Decimal(150))
            else:
                yield result

    def _result(self, row: Mapping[str, Any], date: str, bounds: Sequence[Decimal | int]) -> Result:
        lower, upper = (None if row.get(name) is None else Decimal(row[name]) for name in ("lower", "upper"))
        value = self._dice.number(bounds, row.get("places", 0))
        return Result(row["test"], date, value, row["unit"], lower, upper)

    def _now_and_then(self, visit: Visit) -> Iterator[Record]:
        """What is looked for at some visits only: autoantibodies, damage, suicidality, anti-drug antibodies."""
        date, plan = self._when(visit), tables()["sometimes"]
        if visit.planned == tables()["visits"]["screening"]:
            yield Result("bodyWeight", date, Decimal(self._person.weight), "kg")
        if visit.planned in plan["antibodies"]:
            bounds = (40, 180) if self._person.anti_sm else (1, 18)
            yield Result("antiSm", date, self._dice.number(bounds), "[arb'U]/mL", upper=Decimal(20))
            yield Result("anaTiter", date, f"1:{self._person.ana_titre}")
        if visit.planned in plan["sdi"]:
            yield Result("sdi", date, Decimal(self._damage), _POINTS)
        if visit.planned in plan["cssrs"]:
            yield Result("cssrsIdeation", date, Decimal(0), _POINTS)
            yield Result("cssrsBehaviour", date, Decimal(0), _POINTS)
        if visit.planned in plan["antiDrugAntibody"]:
            yield Result("newAntiDrugAntibody", date, self._dice.happens(plan["antiDrugAntibodyPercent"]))

    # ── Around the infusion ──────────────────────────────────────────────────────────────────────────────

    def _cells(self) -> Iterator[Record]:
        """B cells and CAR-T cells at the visits and shortly after infusion."""
        plan = tables()["cells"]
        days = {day: self._date(day) for day in plan["days"]} | {v.day: self._when(v) for v in self._visits}
        for day, date in sorted(days.items()):
            for test in ("bCellsCd19", "carTCellsBlood"):
                bounds = next((bounds for first, *bounds in reversed(plan[test]) if first <= day), None)
                if bounds:
                    yield Result(test, date, self._dice.number(bounds), "/uL")

    def _first_weeks(self) -> Iterator[Record]:
        """Temperature, circulation, oxygen and ICE score day by day, blood counts; what a visit gives, not twice."""
        plan = tables()["early"]
        crs, icans = self._crs(), self._icans()
        visited = {visit.day for visit in self._visits}
        for day in plan["days"]:
            date, ill = self._date(day), day in plan["feverDays"]
            fever = ill and crs > 0
            bounds = plan["fever" if fever else "temperature"]
            if day not in visited:
                yield Result("bodyTemperature", date, self._dice.number(bounds, 1), "Cel")
            yield Result("hypotension", date, ill and crs > 1)
            flow = plan["oxygen"][crs] if ill else 0
            yield Result("hypoxia", date, Decimal(flow), "L/min") if flow else Result("hypoxia", date, False)
            yield Result("vasopressor", date, ill and crs > 2)
            confused = icans if day in plan["confusedDays"] else 0
            domains: list[tuple[str, Value]] = [(f"icans:{domain}", Decimal(0)) for domain in plan["icansDomains"]]
            if confused:
                domains[0] = (domains[0][0], Decimal(confused))
            yield Result("iceScore", date, Decimal(plan["iceScores"][confused]), _POINTS, parts=tuple(domains))
        rows = {row["test"]: row for row in tables()["result"]}
        for day in plan["countDays"]:
            for test, bounds in plan["counts"].items() if day not in visited else ():
                yield self._result(rows[test], self._date(day), bounds)

    def _medicines(self) -> Iterator[Record]:
        """Medicines before infusion, conditioning, cells, the taper of prednisone, and tocilizumab for severe CRS."""
        for past in self._person.medicines:
            last = past.last if self._infused or past.last is None or past.last < -30 else None
            end = None if last is None else self._date(last)
            yield Medicine(past.concept, self._date(past.first), end, past.dose, past.times, past.days)
        steps = [(_STEROID_BEGAN, self._person.steroid), *self._scenario["steroid"]]
        for (day, dose), (following, _) in zip(steps, [*steps[1:], (None, 0)], strict=True):
            if dose:
                end = None if following is None else self._date(following - 1)
                yield Medicine("prednisone", self._date(day), end, Decimal(dose))
        if not self._infused:
            return
        for row in tables()["conditioning"]:
            for day in row["days"]:
                yield Medicine(row["concept"], self._date(day), dose=Decimal(row["dose"]), once=True)
        yield Medicine(tables()["cells"]["product"], self._date(0), once=True)
        if self._crs() > 1:
            yield Medicine("tocilizumab", self._date(4), dose=Decimal(8 * self._person.weight), once=True)

    def _events(self) -> Iterator[Record]:
        """Adverse events with their grades: of CRS and ICANS an observation, of others within the event itself."""
        place = 0
        if self._infused:
            for term, test, grade, day in (
                ("Cytokine release syndrome", "crsGrade", self._crs(), 3),
                ("Immune effector cell-associated neurotoxicity syndrome", "icansGrade", self._icans(), 5),
            ):
                if grade:
                    place += 1
                    severe = grade > 2
                    yield AdverseEvent(place, term, self._date(day), severe, True, dose_limiting=severe)
                    yield Result(test, self._date(day), Decimal(grade), _POINTS, event=place)
        for row in tables()["event"]:
            happens, day = self._dice.happens(row["percent"]), self._dice.among(row["from"], row["to"])
            grade = self._dice.among(1, row["grade"])
            if happens and day <= self._last and self._infused:
                place += 1
                related = (None, True, False)[self._dice.among(0, 2)] if day >= 0 else False
                date = self._date(day)
                if place % 2:
                    yield AdverseEvent(place, row["term"], date, grade > 3, related, grade, dose_limiting=False)
                else:
                    yield AdverseEvent(place, row["term"], date, grade > 3, related, dose_limiting=False)
                    yield Result("ctcaeGrade", date, Decimal(grade), _POINTS, event=place)

    # ── Small things ─────────────────────────────────────────────────────────────────────────────────────

    def _crs(self) -> int:
        grade: int = self._scenario.get("crs", self._person.crs)
        return grade

    def _icans(self) -> int:
        grade: int = self._scenario.get("icans", self._person.icans)
        return grade

    def _has(self, variant: str) -> bool:
        """Whether the scenario records something in this way instead of the usual one."""
        return variant in self._scenario.get("instead", ())

    def _date(self, day: int) -> str:
        return (self._person.index + dt.timedelta(days=day)).isoformat()

    def _when(self, visit: Visit) -> str:
        """The date of a visit as recorded: year and month alone where the scenario says so."""
        date = self._date(visit.day)
        return date[:7] if visit.planned in self._scenario.get("partial", ()) else date
