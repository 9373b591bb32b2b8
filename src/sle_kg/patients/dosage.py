"""Dosage lines of FHIR to raw exposures: one for each line, so that morning and evening doses add up."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from sle_kg.patients.dates import interval
from sle_kg.patients.elements import mapping, sequence
from sle_kg.patients.medicine import how_taken, in_days, timing
from sle_kg.patients.raw import RawRecord
from sle_kg.units import UnitError, convert, per_kilogram

_TIMING_CODES = {
    "QD": (1, 1, "d"),
    "AM": (1, 1, "d"),
    "PM": (1, 1, "d"),
    "BED": (1, 1, "d"),
    "BID": (2, 1, "d"),
    "TID": (3, 1, "d"),
    "QID": (4, 1, "d"),
    "QOD": (1, 2, "d"),
    "WK": (1, 1, "wk"),
    "Q4H": (6, 1, "d"),
    "Q6H": (4, 1, "d"),
    "Q8H": (3, 1, "d"),
}
"""Timing.code of HL7's GTSAbbreviation: administrations in a period."""
_TIMES_OF_DAY = frozenset({"AM", "PM", "BED"})
"""Those of them that name a time of the day."""
_WHOLE_WEEKS = frozenset(range(7, 366, 7))
"""Days."""
_DAY = len("2026-01-01")
_OF_DOSES = frozenset({"doseValue", "doseUnit", "frequency", "period", "periodUnit", "asNeeded", "ended"})
"""Properties that one line says, and nothing of what comes after it."""
LIMITS = ("boundsDuration", "boundsRange", "count", "countMax")
"""Elements of Timing.repeat by which a line is for a number of days or of doses."""
_LONGEST = {"mo": Decimal(31), "a": Decimal(366)}
"""The most days of a month and a year."""
_MEALS = frozenset({"AC", "C", "IC", "PC"})
"""Timing.repeat.when of HL7's TimingEvent that name meals, and so not one time of a day."""


def dosage_lines(base: RawRecord, lines: list[dict[str, Any]]) -> Iterator[RawRecord]:
    """The record once for each dosage line, with its dose, timing and route; once without dose where there is none.

    Lines that follow one another, or may, leave the dose unknown without dates of their own: which was taken when is
    not said. Of lines that nothing tells apart, at least the least is taken, and at most all together. A line for some
    days or doses (`boundsDuration`, `count`) of a medicine that still runs, or was taken for longer, tells the dose of
    its first day only; one that runs on after the dates of all its lines does so with an unknown dose.
    """
    if not lines:
        yield base
        return
    known = not _may_follow(base.kind, lines) or _is_dated(lines)
    found = []
    for number, line in enumerate(lines, 1):
        identifier = base.id if len(lines) == 1 else f"{base.id}/dosage/{number}"
        raw = RawRecord(base.kind, base.patient, identifier, dict(base.values))
        for coding in sequence(mapping(line.get("route")).get("coding")):
            raw.add("routeCoding", f"{mapping(coding).get('system') or ''}|{mapping(coding).get('code') or ''}")
        for name, element in (("started", "start"), ("ended", "end")):
            if bound := _bounds(line).get(element):
                raw.values[name] = (str(bound),)
        dosed = RawRecord(base.kind, base.patient, identifier, dict(raw.values))
        _add_dose(dosed, line)
        _add_timing(dosed, line)
        if known and _is_limited(line) and (_runs_on(raw) or _outlasts(dosed, line)):
            if start := raw.first("started"):
                found.append(
                    RawRecord(base.kind, base.patient, f"{identifier}/first", dosed.values | {"ended": (start,)})
                )
            found.append(raw)
        else:
            found.append(dosed if known else raw)
    if how_taken(base) == "yes" and not any(map(_bounds, lines)) and not _add_up(lines):
        _take_least(found)
    yield from found
    yield from _after_all(base, found, lines)


def _after_all(base: RawRecord, found: list[RawRecord], lines: list[dict[str, Any]]) -> Iterator[RawRecord]:
    """What is said to be taken still, after the last day of all its lines: with unknown dose.

    Where that was said before this day, nobody knows whether it is.
    """
    ends = [str(_bounds(line).get("end") or "")[:_DAY] for line in lines]
    last, stated, asserted = max(ends), str(base.first("ended") or "")[:_DAY], str(base.first("asserted") or "")[:_DAY]
    if not all(ends) or not _is_active(base) or (stated and stated <= last):
        return
    raw = next(raw for raw in reversed(found) if str(raw.first("ended") or "")[:_DAY] == last)
    values = {name: held for name, held in raw.values.items() if name not in _OF_DOSES}
    values["started"] = raw.values["ended"]
    values |= {"ended": base.values["ended"]} if stated else {}
    if asserted and asserted[: len(last)] <= last:
        values["recordStatus"] = ("unknown",)
        del values["asserted"]
    yield RawRecord(base.kind, base.patient, f"{base.id}/dosage/after", values)


def _add_up(lines: list[dict[str, Any]]) -> bool:
    """Whether lines are taken beside each other: one number orders them, or each has its own times, days or route."""
    steps = {str(line.get("sequence") or "") for line in lines}
    own = zip(*map(_told_by, lines), strict=True)
    apart = (all(several) and len(frozenset().union(*several)) == sum(map(len, several)) for several in own)
    return len(lines) == 1 or (len(steps) == 1 and "" not in steps) or any(apart)


def _told_by(line: dict[str, Any]) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """What may tell a line from others: times of the day, days of the week, routes."""
    repeat = mapping(mapping(line.get("timing")).get("repeat"))
    times = [*sequence(repeat.get("timeOfDay")), *sequence(repeat.get("when")), *(_codes(line) & _TIMES_OF_DAY)]
    routes = [mapping(coding).get("code") for coding in sequence(mapping(line.get("route")).get("coding"))]
    every = (times, sequence(repeat.get("dayOfWeek")), routes)
    told = [frozenset(str(one) for one in some if one) for some in every]
    return told[0], told[1], told[2]


def _take_least(found: list[RawRecord]) -> None:
    """Leave the line of least dose certain, of those that have a dose; none has where this cannot be told."""
    dosed = [raw for raw in found if "doseValue" in raw.values and not raw.flag("asNeeded")]
    doses = [_of_day(raw) for raw in dosed]
    known = [dose for dose in doses if dose is not None]
    if len(dosed) < 2:
        return
    if len(known) < len(doses) or len({by_weight for _, by_weight in known}) > 1:
        for raw in dosed:
            del raw.values["doseValue"]
        return
    least = known.index(min(known))
    for raw in dosed[:least] + dosed[least + 1 :]:
        raw.values["recordStatus"] = ("unknown",)


def _of_day(raw: RawRecord) -> tuple[Decimal, bool] | None:
    """The mg of a day, and whether per kg; None where they are not known."""
    value, (times, days) = raw.number("doseValue"), timing(raw)
    unit, by_weight = per_kilogram((raw.text("doseUnit") or "").strip())
    if value is None or times is None or days is None:
        return None
    try:
        return convert(value, unit, "mg") * times / days, by_weight
    except UnitError:
        return None


def _may_follow(kind: str, lines: list[dict[str, Any]]) -> bool:
    """Whether lines are steps one after the other (FHIR R4, Dosage.sequence), or may be.

    What is ordered is at most all of it together, whatever follows what.
    """
    steps = [line.get("sequence") for line in lines]
    if len(set(map(str, steps)) - {"None"}) > 1:
        return True
    together = steps[0] is not None and len(set(map(str, steps))) == 1
    parted = any(map(_is_limited, lines)) or 0 < sum(map(bool, map(_bounds, lines))) < len(lines)
    return kind == "StatedExposure" and len(lines) > 1 and not together and parted


def _is_dated(lines: list[dict[str, Any]]) -> bool:
    """Whether the dates of lines tell which is taken when: one of them may go on, one may have begun at any time."""
    bounds = [_bounds(line) for line in lines]
    return all(bounds) and all(sum(not bound.get(end) for bound in bounds) < 2 for end in ("start", "end"))


def _is_limited(line: dict[str, Any]) -> bool:
    """Whether a line is for a number of days or of doses."""
    repeat = mapping(mapping(line.get("timing")).get("repeat"))
    return any(repeat.get(name) is not None for name in LIMITS)


def _outlasts(dosed: RawRecord, line: dict[str, Any]) -> bool:
    """Whether a medicine that is over may have been taken for more days than its line is for.

    Its last day may be the one on which the last of these days is past.
    """
    started, ended = dosed.text("started"), dosed.text("ended")
    if dosed.kind != "StatedExposure" or started is None or ended is None:
        return False
    try:
        days = (interval(ended)[1] - interval(started)[0]).days + 1
    except ValueError:
        return False
    longest = _longest(dosed, mapping(mapping(line.get("timing")).get("repeat")))
    return longest is None or longest + 1 < days


def _longest(dosed: RawRecord, repeat: dict[str, Any]) -> Decimal | None:
    """The days that a line is for at most; None where it does not tell."""
    told = []
    for length in (repeat.get("boundsDuration"), mapping(repeat.get("boundsRange")).get("high")):
        value, unit = mapping(length).get("value"), mapping(length).get("code") or mapping(length).get("unit")
        if isinstance(value, Decimal) and value > 0 and isinstance(unit, str):
            told.append((Decimal(1), value * _LONGEST[unit]) if unit in _LONGEST else in_days(Decimal(1), value, unit))
    count = repeat.get("countMax") or repeat.get("count")
    if isinstance(count, Decimal):
        times, days = timing(dosed)
        told.append((times, days and days * count))
    return min((days / times for times, days in told if times and days), default=None)


def _runs_on(raw: RawRecord) -> bool:
    """Whether a medicine was taken and still is, as far as the record says."""
    return raw.first("ended") is None and _is_active(raw)


def _is_active(raw: RawRecord) -> bool:
    return raw.kind == "StatedExposure" and raw.text("recordStatus") == "active"


def _add_dose(raw: RawRecord, line: dict[str, Any]) -> None:
    """The quantity of one administration, where the line gives exactly one, no range and no comparator (`>= 5 mg`)."""
    rates = [mapping(item) for item in sequence(line.get("doseAndRate"))]
    quantities = [mapping(some) for some in (*(rate.get("doseQuantity") for rate in rates), line.get("dose")) if some]
    amounts = {(str(q.get("value")), str(q.get("code") or q.get("unit"))) for q in quantities}
    vague = any(rate.get("doseRange") for rate in rates) or any(q.get("comparator") for q in quantities)
    if len(amounts) == 1 and not vague:
        value, unit = quantities[0].get("value"), quantities[0].get("code") or quantities[0].get("unit")
        raw.add("doseValue", value if isinstance(value, (Decimal, str, bool)) else None)
        raw.add("doseUnit", unit if isinstance(unit, str) else None)
    if line.get("asNeededBoolean") is True or line.get("asNeededCodeableConcept"):
        raw.add("asNeeded", True)


def _add_timing(raw: RawRecord, line: dict[str, Any]) -> None:
    """Administrations in a period; nothing where the line gives a range of them, or contradicts itself."""
    repeat = mapping(mapping(line.get("timing")).get("repeat"))
    coded = _coded(_codes(line))
    if any(repeat.get(name) is not None for name in ("frequencyMax", "periodMax")):
        return
    if repeat.get("period") is not None and repeat.get("periodUnit"):
        stated = _stated(repeat)
    elif repeat.get("dayOfWeek") or repeat.get("timeOfDay") or (repeat.get("when") and _times(repeat) is not None):
        stated = _named(repeat)
    else:
        stated = coded
    sure = None if _days(repeat) else _coded(_codes(line) - _TIMES_OF_DAY)
    if stated and (sure is None or _is_as_often(stated, sure)):
        raw.add("frequency", stated[0])
        raw.add("period", stated[1])
        raw.add("periodUnit", stated[2])


_Timing = tuple[Decimal, Decimal, str]
"""Administrations, in so many units, of this unit of time."""


def _stated(repeat: dict[str, Any]) -> _Timing | None:
    """The timing of a period: its frequency, or as many as the days and times that are named in it.

    None where the frequency contradicts these, or where it is missing and the period is no day or week of theirs.
    """
    frequency, period, unit = repeat.get("frequency"), repeat.get("period"), repeat.get("periodUnit")
    days, times = _days(repeat), _times(repeat)
    if not isinstance(period, Decimal) or not isinstance(unit, str):
        return None
    each_day = (period == 1 and unit == "d") or (period == 24 and unit == "h")
    weekly = unit == "wk" or (unit == "d" and period in _WHOLE_WEEKS)
    if days and not (each_day or weekly or unit in ("mo", "a")):
        return None
    named = (times or 0) if each_day or not days else days * (times or 1)
    if frequency is None:
        certain = times is not None and (named <= 1 or each_day or (days > 0 and weekly))
        frequency = Decimal(max(named, 1)) if certain else None
    if not isinstance(frequency, Decimal):
        return None
    in_all, needed = (frequency * 24, named * min(period, Decimal(24))) if unit == "h" else (frequency, named)
    if named and (in_all < needed or (each_day and frequency != named)):
        return None
    return (frequency * days, Decimal(1), "wk") if days and each_day else (frequency, period, unit)


def _named(repeat: dict[str, Any]) -> _Timing | None:
    """The timing of named days of the week and times of the day, which are those of every week and every day."""
    days, times = _days(repeat), _times(repeat)
    named = Decimal(max(days, 1) * (times or 1))
    if times is None or repeat.get("frequency") not in (None, named):
        return None
    return named, Decimal(1), "wk" if days else "d"


def _codes(line: dict[str, Any]) -> frozenset[str]:
    """The codes of a timing, or words like them, in capital letters."""
    code = mapping(mapping(line.get("timing")).get("code"))
    said = [code.get("text"), *(mapping(coding).get("code") for coding in sequence(code.get("coding")))]
    return frozenset(one.strip().upper() for one in said if isinstance(one, str))


def _coded(codes: frozenset[str]) -> _Timing | None:
    """The timing that codes name; None where they name none, or several."""
    known = {_TIMING_CODES[code] for code in codes if code in _TIMING_CODES}
    if len(known) != 1:
        return None
    frequency, period, unit = known.pop()
    return Decimal(frequency), Decimal(period), unit


def _is_as_often(stated: _Timing, coded: _Timing) -> bool:
    """Whether two timings are the same number of administrations in the long run, as far as this can be told."""
    (times, days), (others, other_days) = in_days(*stated), in_days(*coded)
    if times is None or days is None or others is None or other_days is None:
        return True
    return times * other_days == others * days


def _days(repeat: dict[str, Any]) -> int:
    """How many days of the week are named."""
    return len({str(day) for day in sequence(repeat.get("dayOfWeek"))})


def _times(repeat: dict[str, Any]) -> int | None:
    """How many times of a day are named, by the clock or by events; None where an event is every meal."""
    times = {str(time) for name in ("timeOfDay", "when") for time in sequence(repeat.get(name))}
    return None if times & _MEALS else len(times)


def _bounds(line: dict[str, Any]) -> dict[str, Any]:
    return mapping(mapping(mapping(line.get("timing")).get("repeat")).get("boundsPeriod"))
