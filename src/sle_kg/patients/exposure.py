"""Records of medicines to rows of exposure (CONTRACT section 4, rules 5, 12 and 13)."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from sle_kg.namespaces import ATC, CVX
from sle_kg.patients.dates import UNKNOWN, Interval, in_order
from sle_kg.patients.medicine import how_taken, is_ongoing, route, timing, why_no_fact
from sle_kg.patients.raw import FHIR_TYPE, RawRecord
from sle_kg.patients.recorder import Recorder
from sle_kg.patients.words import exposure_words, quantity_words
from sle_kg.terminology import UNMAPPED
from sle_kg.units import UnitError, convert, per_kilogram


class _Course(NamedTuple):
    """When a medicine was taken: its first and its last day, the day on which that was stated, whether it goes on.

    Not `sound` where the dates contradict each other or one of them is none.
    """

    start: Interval
    end: Interval
    stated: Interval
    ongoing: bool | None
    sound: bool


def read_exposure(recorder: Recorder, raw: RawRecord) -> None:
    """A row for a medicine that was taken, ordered, or said not to be taken."""
    taken = how_taken(raw)
    if taken is None:
        recorder.skipped[f"{FHIR_TYPE[raw.kind]} that is no fact ({why_no_fact(raw)})"] += 1
        return
    course = _course(recorder, raw, taken)
    if not course.sound and taken != "no":
        taken = "uncertain"
    start, end, stated = course.start, course.end, course.stated
    if taken != "no" and any(_is_vaccine(system, code) for system, code, _ in raw.codings("coding")):
        recorder.unread(raw, "a vaccine is recorded as a medicine", start, section="immunizations")
    concept = recorder.concept(raw, start, blocks=taken != "no")
    dose, unit = (None, None) if concept == UNMAPPED else _dose(recorder, raw)
    way, understood = _route(recorder, raw, concept)
    if not understood and taken == "yes" and concept != UNMAPPED:
        taken = "uncertain"
        recorder.unread(raw, "the route is not known: it may be local", UNKNOWN)
    times, period_days = timing(raw)
    administration = raw.kind == "AdministeredExposure"
    if raw.flag("asNeeded"):
        dose = None
    recorder.facts.add(
        "exposure",
        raw,
        concept=concept,
        taken=taken,
        start_from=start[0],
        start_to=start[1],
        end_from=end[0],
        end_to=end[1],
        ongoing=course.ongoing,
        route=way,
        dose=dose,
        dose_unit=unit if dose is not None else None,
        times=Decimal(1) if administration else times,
        period_days=None if administration else period_days,
        administration=administration,
        recorded_from=stated[0],
        recorded_to=stated[1],
    )
    words = exposure_words(taken, raw.text("recordStatus"), quantity_words(raw, "doseValue", "doseUnit"), raw)
    recorder.evidence(raw, recorder.label(raw, concept), words, "started", "asserted")


def _course(recorder: Recorder, raw: RawRecord, taken: str) -> _Course:
    """The dates of a medicine; what cannot be is reported, and not known."""
    start, start_sound = recorder.checked_dates(raw, "started")
    end, end_sound = recorder.checked_dates(raw, "ended")
    stated, stated_sound = recorder.checked_dates(raw, "asserted")
    if start == UNKNOWN and start_sound:
        start = (None, stated[1])
    sound = start_sound and end_sound and (stated_sound or start != UNKNOWN)
    if sound and taken != "no" and not in_order(start, stated):
        recorder.unread(raw, "the medicine begins after the day on which it was stated", UNKNOWN)
        start, end, sound = (stated[0], None), UNKNOWN, False
    if sound and not in_order(start, end):
        recorder.unread(raw, "the medicine ends before it begins", UNKNOWN)
        start, end, sound = UNKNOWN, UNKNOWN, False
    ongoing = is_ongoing(raw) if sound else None
    if ongoing is False and end == UNKNOWN:
        end = (start[0], None)
    return _Course(start, end, stated, ongoing, sound)


def _is_vaccine(system: str, code: str) -> bool:
    """Codes of vaccines (CVX) and ATC J07: what was given so is no immunization of the contract, and may be live."""
    return system == CVX or (system == ATC and code.startswith("J07"))


def _route(recorder: Recorder, raw: RawRecord, concept: str) -> tuple[str | None, bool]:
    """The route, and whether it is known to be systemic or local.

    A product for local use is local whatever the record says; what has no such product is systemic by any route. Where
    codes say both, the route has to tell.
    """
    if recorder.terminology.is_local_product(concept):
        return "local", True
    codings = raw.codings("routeCoding")
    way, understood = route(codings, recorder.code_map)
    if recorder.terminology.is_local_or_systemic(concept.split("|")):
        return way, understood and any(code for _, code, _ in codings)
    return way, understood or recorder.terminology.is_systemic_only(concept)


def _dose(recorder: Recorder, raw: RawRecord) -> tuple[Decimal | None, str | None]:
    """The quantity of one administration in mg or mg/kg; what does not convert is reported, and unknown."""
    value = raw.number("doseValue")
    if value is None:
        if raw.first("doseValue") is not None:
            recorder.unread(raw, f"the dose {raw.first('doseValue')!r} is no number", UNKNOWN)
        return None, None
    if value < 0:
        recorder.unread(raw, f"the dose {value} is negative", UNKNOWN)
        return None, None
    unit, by_weight = per_kilogram((raw.text("doseUnit") or "").strip())
    try:
        return convert(value, unit, "mg"), "mg/kg" if by_weight else "mg"
    except UnitError as error:
        recorder.unread(raw, f"the dose is not known: {error}", UNKNOWN)
        return None, None
