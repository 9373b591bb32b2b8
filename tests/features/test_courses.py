"""Courses of a medicine: the status beside an end, and what a later word on the same drug leaves of an earlier one."""

from __future__ import annotations

import pytest

from caselib import Resource, ago, complete, drug
from features.naive_facts import UNKNOWN
from features.real import bounds, feature

YES, NO = (1, None), (None, 0)
HCQ, TOFACITINIB, PREDNISONE = "rx:5521", "atc:L04AF01", "atc:H02AB07"
ONGOING = feature("Exposure", valueSet=("Antimalarial",), when="ongoing")
WASHOUT = feature("Washout", halfLives=3, valueSet=("commercialJAKInhibitor",))
LASTED = feature(
    "TreatmentDuration", counting="elapsed", gap="P7D", measure="runToScreening", valueSet=("Antimalarial",)
)
DOSE = feature("DailyDose", equivalence="prednisone", perKilogram=False, valueSet=("Glucocorticoid",))
STATUSES = ("active", "completed", "stopped", "on-hold", "unknown")


def ending_later(code: str, status: str) -> list[Resource]:
    """A medicine of 100 days whose end lies ahead."""
    return [drug(code, ago(100), ago(-40), dose=10, status=status), complete("medications")]


def test_only_what_is_active_goes_on_up_to_an_end_after_screening() -> None:
    found = bounds({status: ending_later(HCQ, status) for status in STATUSES}, [ONGOING, LASTED])
    over = [UNKNOWN, (0, 100)]
    assert found == {"active": [YES, (100, 100)], **dict.fromkeys(STATUSES[1:], over)}
    doses = bounds({status: ending_later(PREDNISONE, status) for status in STATUSES}, DOSE)
    assert doses == {"active": (10, 10), **dict.fromkeys(STATUSES[1:], (0, 10))}


def test_a_medicine_that_was_stopped_before_an_end_to_come_is_washed_out_after_the_latest_day() -> None:
    patients = {status: ending_later(TOFACITINIB, status) for status in STATUSES}
    first = {"active": YES, **dict.fromkeys(STATUSES[1:], UNKNOWN)}
    later = {"active": YES, **dict.fromkeys(STATUSES[1:4], NO), "unknown": UNKNOWN}
    assert bounds(patients, WASHOUT) == first
    assert bounds(patients, WASHOUT, later=200) == later


def test_an_end_on_the_screening_date_is_seen() -> None:
    ended = {"today": [drug(TOFACITINIB, ago(30), ago(0)), complete("medications")]}
    assert bounds(ended, WASHOUT) == {"today": YES}
    assert bounds(ended, WASHOUT, later=1) == {"today": NO}


def said(start: str | None, end: str | None = None, status: str = "active", on: str | None = None, **more) -> Resource:  # type: ignore[no-untyped-def]
    """A statement on hydroxychloroquine, made on a day."""
    return {**drug(more.pop("code", HCQ), start, end, status=status, **more), **({"dateAsserted": on} if on else {})}


STOPS = {
    "of the same course": said("2024-01-01", status="stopped"),
    "completed, of the same course": said("2024-01-01", status="completed"),
    "on hold": said("2024-01-01", status="on-hold"),
    "without a date": said(None, status="stopped"),
    "stated later": said(None, status="stopped", on="2026-03-01"),
    "of an earlier course, stated later": said("2023-01-01", status="stopped", on="2026-03-01"),
    "of one day": said("2024-01-01", "2024-01-01", status="stopped"),
    "with its end": said("2024-01-01", "2026-03-01", status="stopped"),
    "active, with its end": said("2024-01-01", "2026-03-01"),
    "with an end to come": said("2024-01-01", ago(-20), status="stopped"),
}


@pytest.mark.parametrize("name", STOPS)
def test_a_medicine_of_which_a_later_record_tells_the_end_may_be_over(name: str) -> None:
    older = said("2024-01-01")
    patients = {"alone": [older], "stopped": [older, STOPS[name]]}
    assert bounds(patients, ONGOING) == {"alone": YES, "stopped": UNKNOWN}
    assert bounds({"stopped": [said("2024-01-01", on="2025-12-01"), STOPS[name]]}, ONGOING) == {"stopped": UNKNOWN}


COURSES = {
    "with more of the drug for a while": [said("2024-01-01"), said("2025-01-01", "2025-02-01", status="completed")],
    "with more of the drug, stated later": [
        said("2024-01-01", on="2024-01-01"),
        said("2025-01-01", "2025-02-01", status="completed", on="2025-02-01"),
    ],
    "begun after the other ended": [said("2026-01-01"), said("2024-01-01", "2024-06-01", status="completed")],
    "begun when the other ended": [said("2024-06-01"), said("2024-01-01", "2024-06-01", status="completed")],
    "begun after another that is over": [said("2026-01-01"), said("2024-01-01", status="completed")],
    "begun when the other was said to be over": [said("2026-03-01"), said(None, status="stopped", on="2026-03-01")],
    "stated after the stop": [
        said("2024-01-01", on="2026-05-01"),
        said("2024-01-01", status="stopped", on="2026-03-01"),
    ],
    "beside another in one list": [
        said("2024-01-01", on="2026-05-01"),
        said("2025-01-01", status="completed", on="2026-05-01"),
    ],
    "by another route": [
        said("2024-01-01", route="sct:26643006"),
        said("2025-01-01", status="completed", route="sct:47625008"),
    ],
    "another drug": [said("2024-01-01"), said("2025-01-01", status="completed", code="rx:1256")],
    "stopped later than today": [said("2024-01-01"), said(ago(-1), status="stopped")],
}


@pytest.mark.parametrize("name", COURSES)
def test_a_course_of_its_own_or_a_newer_word_goes_on(name: str) -> None:
    assert bounds({name: COURSES[name]}, ONGOING) == {name: YES}


def test_two_words_of_one_day_on_one_course_contradict_each_other() -> None:
    day = "2026-05-01"
    both = [said("2024-01-01", on=day), said("2024-01-01", status="stopped", on=day)]
    assert bounds({"both": both}, ONGOING) == {"both": UNKNOWN}
