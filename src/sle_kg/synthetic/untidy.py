"""Records as hospitals keep them: incomplete, contradictory, in other words, refuted, not understood."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import TypeVar

from sle_kg.namespaces import LOCAL_CODES
from sle_kg.synthetic.dice import Dice
from sle_kg.synthetic.draft import Draft
from sle_kg.synthetic.records import Complete, Diagnosis, Medicine, Procedure, Record, Result
from sle_kg.trials import screenable

Kind = TypeVar("Kind", bound=Record)
_ELSEWHERE = f"{LOCAL_CODES}/elsewhere"
"""A code system that no table of ours knows."""


def untidy(draft: Draft, dice: Dice) -> None:
    """Make one record of the patient, or the patient himself, untidy in one way."""
    UNTIDY[dice.among(0, len(UNTIDY) - 1)](draft, dice)


def _one(draft: Draft, kind: type[Kind], dice: Dice) -> tuple[int, Kind] | None:
    """One of the records of a kind with its place; None where there is none."""
    found = [(place, record) for place, record in enumerate(draft.records) if isinstance(record, kind)]
    return found[dice.among(0, len(found) - 1)] if found else None


def _shortened(date: str, dice: Dice) -> str:
    """A date without its day, or without month and day."""
    return date[: (7, 4)[dice.among(0, 1)]]


def partial_result(draft: Draft, dice: Dice) -> None:
    """A result dated to the month or the year."""
    if found := _one(draft, Result, dice):
        place, result = found
        draft.records[place] = replace(result, date=_shortened(result.date, dice))


def partial_diagnosis(draft: Draft, dice: Dice) -> None:
    """A diagnosis whose onset and end are dated to the month or the year."""
    if found := _one(draft, Diagnosis, dice):
        place, diagnosis = found
        onset, abated = (date and _shortened(date, dice) for date in (diagnosis.onset, diagnosis.abated))
        draft.records[place] = replace(diagnosis, onset=onset, abated=abated)


def partial_medicine(draft: Draft, dice: Dice) -> None:
    """A medicine whose first or last day is dated to the month or the year."""
    if found := _one(draft, Medicine, dice):
        place, medicine = found
        start, end = _shortened(medicine.start, dice), medicine.end and _shortened(medicine.end, dice)
        draft.records[place] = replace(medicine, start=start, end=end)


def partial_procedure(draft: Draft, dice: Dice) -> None:
    """A procedure dated to the month or the year."""
    if found := _one(draft, Procedure, dice):
        place, procedure = found
        draft.records[place] = replace(procedure, date=_shortened(procedure.date, dice), end=None)


def partial_birth(draft: Draft, dice: Dice) -> None:
    """A birth date without its day or month."""
    draft.birth = _shortened(draft.birth, dice)


def missing(draft: Draft, dice: Dice) -> None:
    """Some records that nobody made."""
    for _ in range(dice.among(1, 6)):
        if draft.records:
            del draft.records[dice.among(0, len(draft.records) - 1)]


def contradiction(draft: Draft, dice: Dice) -> None:
    """A second result of the same day that says something else."""
    if found := _one(draft, Result, dice):
        _, result = found
        value, answer = result.value, result.answer
        if answer is not None:
            answer = "negative" if answer == "positive" else "positive"
        elif isinstance(value, bool):
            value = not value
        elif isinstance(value, Decimal):
            value = value + (1 if dice.happens(70) or value < 1 else -1)
        parts = tuple((key, not item if isinstance(item, bool) else item) for key, item in result.parts[:2])
        draft.records.append(replace(result, value=value, answer=answer, parts=parts))


def comparator(draft: Draft, dice: Dice) -> None:
    """A number that is told as less or more than."""
    if found := _one(draft, Result, dice):
        place, result = found
        if isinstance(result.value, Decimal) and not isinstance(result.value, bool):
            draft.records[place] = replace(result, comparator=("<", ">", "<=", ">=")[dice.among(0, 3)])


def without_limits(draft: Draft, dice: Dice) -> None:
    """A result without its reference range."""
    if found := _one(draft, Result, dice):
        place, result = found
        draft.records[place] = replace(result, lower=None, upper=None)


def unreadable_unit(draft: Draft, dice: Dice) -> None:
    """A result in a unit that does not convert, or without a unit."""
    if found := _one(draft, Result, dice):
        place, result = found
        if result.unit not in (None, "{score}"):
            draft.records[place] = replace(result, unit=("[in_i]", None)[dice.among(0, 1)])


def refuted(draft: Draft, dice: Dice) -> None:
    """A diagnosis refuted, uncertain or entered in error; now and then confirmed later."""
    if found := _one(draft, Diagnosis, dice):
        place, diagnosis = found
        words = ("refuted", "refuted", "unconfirmed", "provisional", "entered-in-error")
        draft.records[place] = replace(diagnosis, verification=words[dice.among(0, len(words) - 1)])
        if dice.happens(40):
            day = draft.ago(dice.among(0, 30))
            draft.records.append(replace(diagnosis, onset=day, recorded=day, abated=None, verification="confirmed"))


def taken_or_not(draft: Draft, dice: Dice) -> None:
    """A medicine not taken, stopped on a day that nobody knows, ordered only, or of which nobody knows."""
    if found := _one(draft, Medicine, dice):
        place, medicine = found
        if medicine.once:
            draft.records[place] = replace(medicine, status="not-done")
            return
        match dice.among(0, 4):
            case 0:
                changed = replace(medicine, status="not-taken")
            case 1:
                changed = replace(medicine, status="stopped", end=None)
            case 2:
                changed = replace(medicine, ordered=True)
            case 3:
                changed = replace(medicine, status="unknown")
            case _:
                changed = replace(medicine, status="entered-in-error")
        draft.records[place] = changed


def without_dose(draft: Draft, dice: Dice) -> None:
    """A medicine whose dose nobody wrote down, or wrote in another unit."""
    if found := _one(draft, Medicine, dice):
        place, medicine = found
        if medicine.dose is not None and dice.happens(50):
            draft.records[place] = replace(medicine, dose=medicine.dose.scaleb(-3), unit="g")
        else:
            draft.records[place] = replace(medicine, dose=None)


def unmapped(draft: Draft, dice: Dice) -> None:
    """A diagnosis, medicine or procedure by a hospital's own code."""
    code = f"{_ELSEWHERE}|{dice.among(100, 999)}|Local entry"
    date = draft.ago(dice.among(0, 900))
    records: tuple[Record, ...] = (Diagnosis(code, date), Medicine(code, date), Procedure(code, date))
    draft.records.append(records[dice.among(0, 2)])


def attested(draft: Draft, dice: Dice) -> None:
    """The investigator's word on a row of a trial: yes, no, or both on one day."""
    trials = [screenable()[nct] for nct in sorted(screenable())]
    trial = trials[dice.among(0, len(trials) - 1)]
    rows = trial.criteria
    row, said = rows[dice.among(0, len(rows) - 1)], dice.happens(50)
    for value in (said, not said) if dice.happens(30) else (said,):
        draft.records.append(Result(f"attest:{trial.id}/{row.id}", draft.ago(dice.among(0, 1)), value))


def tomorrow(draft: Draft, dice: Dice) -> None:
    """A record dated after the day of screening, which is not seen."""
    if found := _one(draft, Result, dice):
        place, result = found
        draft.records[place] = replace(result, date=(draft.on + dt.timedelta(days=dice.among(1, 40))).isoformat())


def another_completeness(draft: Draft, dice: Dice) -> None:
    """A section that was complete some days ago, and may not be today."""
    if found := _one(draft, Complete, dice):
        place, complete = found
        draft.records[place] = replace(complete, date=draft.ago(dice.among(1, 60)))


UNTIDY: tuple[Callable[[Draft, Dice], None], ...] = (
    partial_result,
    partial_diagnosis,
    partial_medicine,
    partial_procedure,
    partial_birth,
    missing,
    contradiction,
    comparator,
    without_limits,
    unreadable_unit,
    refuted,
    taken_or_not,
    without_dose,
    unmapped,
    attested,
    tomorrow,
    another_completeness,
)
"""Ways of being untidy, all equally likely."""
