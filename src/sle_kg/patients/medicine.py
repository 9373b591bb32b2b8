"""What a record of a medicine says, whoever wrote it: taken or not, still running, how often, by which route."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from sle_kg.codes import ROUTES, CodeMap, Coding
from sle_kg.namespaces import SNOMED
from sle_kg.patients.dates import words
from sle_kg.patients.raw import RawRecord
from sle_kg.units import PLACES
from sle_kg.verdict import Period

if TYPE_CHECKING:
    import pyarrow as pa

_ROUTES = {
    "26643006": "oral",
    "47625008": "intravenous",
    "34206005": "other-systemic",
    "78421000": "other-systemic",
    "37839007": "other-systemic",
    "45890007": "other-systemic",
    "6064005": "local",
    "46713006": "local",
    "54485002": "local",
    "10547007": "local",
    "12130007": "local",
    "16857009": "local",
    "447694001": "local",
    "448598008": "local",
    "418401004": "local",
}
"""SNOMED CT routes: oral and intravenous by CONTRACT section 4; RECALLED high: subcutaneous, intramuscular, sublingual
and transdermal are systemic; topical, nasal, ophthalmic, otic, intra-articular, vaginal, respiratory, cutaneous and
intravitreal are local."""
_NO_ORDER = frozenset({"draft", "cancelled", "on-hold", "entered-in-error"})
_NO_INTENT = frozenset({"plan", "proposal", "option"})
_PERIODS = {"d": Decimal(1), "wk": Decimal(7), "mo": Decimal("30.4375"), "a": Decimal("365.25")}
"""Days of a unit of time (UCUM; formulas.md for months and years)."""
_IN_A_DAY = {"s": 86400, "min": 1440, "h": 24}
_LARGEST_TIMING = 10_000
"""No dosage is given more often in a period, or has a period of more units."""
_SMALLEST_PERIOD = Decimal("0.01")


def how_taken(raw: RawRecord) -> str | None:
    """Whether the record says that the medicine was taken; None for plans, drafts and prohibitions."""
    status = raw.text("recordStatus") or "unknown"
    if raw.kind == "OrderedExposure":
        no_order = status in _NO_ORDER or raw.text("intent") in _NO_INTENT or raw.flag("doNotPerform")
        return None if no_order else "ordered"
    if raw.kind == "AdministeredExposure":
        known = {"completed": "yes", "in-progress": "yes", "stopped": "yes", "not-done": "no"}
        return known.get(status, "uncertain")
    if status == "intended":
        return None
    known = {"active": "yes", "completed": "yes", "stopped": "yes", "on-hold": "yes", "not-taken": "no"}
    return known.get(status, "uncertain")


def why_no_fact(raw: RawRecord) -> str:
    """The status or intent that makes a record of a medicine no fact."""
    if raw.text("recordStatus") in (*_NO_ORDER, "intended"):
        return str(raw.text("recordStatus"))
    return str(raw.text("intent")) if raw.text("intent") in _NO_INTENT else "not to be performed"


def is_ongoing(raw: RawRecord) -> bool | None:
    """Whether a medicine still runs, until its end where one is stated: only `active` says so (rule 5).

    What was completed, stopped or put on hold is over, though its end may be that of a plan, on a day to come.
    """
    status = raw.text("recordStatus")
    if status in ("active", "in-progress"):
        return True
    return False if status in ("completed", "stopped", "on-hold") else None


def periods(exposures: pa.Table) -> dict[tuple[str, str], Period]:
    """By patient and record, the period of a medicine whose end is recorded or which still runs.

    It is that of all dosage lines together that were surely taken, if any; of what runs since an unknown day there is
    none.
    """
    names = ("patient", "record", "taken", "start_from", "start_to", "end_from", "end_to", "ongoing")
    lines: dict[tuple[str, str], dict[bool, list[tuple[str | None, str | None, bool]]]] = {}
    for patient, record, taken, *start, end_from, end_to, ongoing in zip(
        *(exposures[name].to_pylist() for name in names), strict=True
    ):
        line = words((start[0], start[1])), words((end_from, end_to)), ongoing is True
        lines.setdefault((patient, record), {}).setdefault(taken == "yes", []).append(line)
    found = ((key, _period(some.get(True) or some[False])) for key, some in lines.items())
    return {key: period for key, period in found if period is not None}


def _period(lines: Sequence[tuple[str | None, str | None, bool]]) -> Period | None:
    """The period of lines with start, end, and whether they still run; None where one has an end that is not known."""
    starts = [start for start, _, _ in lines if start]
    ends = [end for _, end, _ in lines if end]
    if not all(end or running for _, end, running in lines):
        return None
    first = min(starts) if len(starts) == len(lines) else None
    last = max(ends) if len(ends) == len(lines) else None
    return (first, last) if first or last else None


def timing(raw: RawRecord) -> tuple[Decimal | None, Decimal | None]:
    """Administrations in a period of days; hours are brought to a day, so that every 8 hours is exactly 3 a day."""
    frequency, period, unit = raw.number("frequency"), raw.number("period"), raw.text("periodUnit")
    return (None, None) if frequency is None or period is None or unit is None else in_days(frequency, period, unit)


def in_days(frequency: Decimal, period: Decimal, unit: str) -> tuple[Decimal | None, Decimal | None]:
    """So many administrations in a period of this unit, in a period of days; None where that cannot be."""
    if not (0 <= frequency <= _LARGEST_TIMING and _SMALLEST_PERIOD <= period <= _LARGEST_TIMING):
        return None, None
    if unit in _IN_A_DAY:
        times = (frequency * _IN_A_DAY[unit] / period).quantize(PLACES)
        return (times, Decimal(1)) if times <= _LARGEST_TIMING else (None, None)
    if unit in _PERIODS:
        return frequency.quantize(PLACES), (period * _PERIODS[unit]).quantize(PLACES)
    return None, None


def route(codings: list[Coding], code_map: CodeMap) -> tuple[str | None, bool]:
    """The route of a medicine by its SNOMED CT codes and the user's own, None where they say nothing or differ; whether
    they are understood: what states no route is systemic, but a code that is not known may be of a local one (rule 12).
    """
    said = (
        code_map.get((system, code)) or (_ROUTES.get(code) if system == SNOMED else None) for system, code, _ in codings
    )
    found = {way for way in said if way in ROUTES}
    understood = len({way == "local" for way in found}) == 1 or not any(code for _, code, _ in codings)
    return found.pop() if len(found) == 1 else None, understood
