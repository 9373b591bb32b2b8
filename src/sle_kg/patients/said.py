"""Consent, attestations, statements, planned events and completeness to rows (CONTRACT section 4, rules 2, 3 and 6)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from sle_kg.patients.dates import UNKNOWN
from sle_kg.patients.facts import DEATH, EVENTS, SECTIONS
from sle_kg.patients.noted import POSSIBLE
from sle_kg.patients.raw import RawRecord
from sle_kg.patients.recorder import RESULT_STATUSES, Recorder
from sle_kg.patients.words import day_text, truth
from sle_kg.units import UnitError, convert

AGAINST = ("inactive", "rejected")
"""Statuses of a consent that is withdrawn, replaced or refused."""
UNCLEAR = "unclear"
"""Status of a consent that may hold or not: it is told, and stands against one as if it did not."""


def read_consent(recorder: Recorder, raw: RawRecord) -> None:
    """A consent to research, its withdrawal or its refusal; one that is only planned does not exist.

    One that ends on a day which cannot be read may have ended before every other day.
    """
    status = raw.text("recordStatus") or "active"
    if status not in ("active", UNCLEAR, *AGAINST):
        recorder.skipped["Consent that is not active"] += 1
        return
    dates, sound = recorder.checked_dates(raw, "effective")
    if not sound and status == "active":
        return
    if status == UNCLEAR:
        recorder.unread(raw, "does not tell whether the consent holds", dates)
    until, known = recorder.checked_dates(raw, "effectiveEnd")
    trials = [str(trial) for trial in raw.values.get("trialIdentifier", ())]
    row = {"status": status, "date_from": dates[0], "date_to": dates[1]}
    row |= {"until_from": until[0] if known else date.min, "until_to": until[1]}
    for trial in (*trials,) or (None,):
        recorder.facts.add("consent", raw, trial=trial, **row)
    bound = ", ".join(trials) or "bound to no trial"
    end = raw.text("effectiveEnd") if status == "active" else None
    words = {"inactive": ", withdrawn or replaced", "rejected": ", refused", UNCLEAR: ", not told whether it holds"}
    said = words.get(status, f", until {end}" if end else "")
    recorder.evidence(raw, "Research consent", f"{bound}{said}", "effective")


def read_death(recorder: Recorder, raw: RawRecord) -> None:
    """A death, of an unknown day where none can be read: it is told, and leaves consent open (docs/patient-data.md)."""
    dates, sound = recorder.checked_dates(raw, "effective")
    recorder.facts.add("event", raw, event=DEATH, trial=None, date_from=dates[0], date_to=dates[1])
    day = f" on {day_text(raw.text('effective'))}" if sound and dates != UNKNOWN else ""
    is_possible = raw.text("recordStatus") == POSSIBLE
    recorder.unread(
        raw, "not told whether the patient has died" if is_possible else f"recorded as deceased{day}", dates
    )
    if raw.record != f"Patient/{raw.patient}":
        recorder.evidence(raw, "Death", "recorded", "effective")


def read_statement(recorder: Recorder, raw: RawRecord) -> None:
    """Attestation, statement, planned event or completeness: an observation that is no measurement."""
    if raw.text("recordStatus") not in (*RESULT_STATUSES, None):
        recorder.skipped[f"Observation with status {raw.text('recordStatus')}"] += 1
        return
    dates, sound = recorder.checked_dates(raw, "effective", "effectiveEnd")
    row = {"date_from": dates[0], "date_to": dates[1]}
    if raw.kind == "Attestation":
        _attestation(recorder, raw, row, sound)
    elif raw.kind == "Statement":
        _statement(recorder, raw, row, sound)
    elif raw.kind == "PlannedEvent":
        _planned_event(recorder, raw)
    else:
        _completeness(recorder, raw, row, sound)


def _attestation(recorder: Recorder, raw: RawRecord, row: dict[str, Any], sound: bool) -> None:
    """One that cannot be read may say either: a row without a value, so that an older one does not decide."""
    trial, criterion, value = raw.text("trialIdentifier"), raw.text("criterionIdentifier"), raw.flag("statedValue")
    if not trial or not criterion:
        recorder.unread(
            raw, "an attestation names a trial and a criterion: attest:<NCT number>/<criterion id>", UNKNOWN
        )
    else:
        if value is None:
            recorder.unread(raw, "an attestation is true or false", UNKNOWN)
        said = value if sound else None
        recorder.facts.add("attestation", raw, trial=trial, criterion=criterion, value=said, **row)
        recorder.evidence(raw, f"Statement about {trial} {criterion}", truth(value), "effective")


def _statement(recorder: Recorder, raw: RawRecord, row: dict[str, Any], sound: bool) -> None:
    key = raw.text("statementKey") or ""
    drug = key.removeprefix("contraindication:")
    if drug != key and not recorder.terminology.knows(drug):
        recorder.unread(raw, "unmapped code", UNKNOWN, section="statements", code=key)
        return
    value, amount = raw.flag("statedValue"), None
    if key == "bloodDonationVolume":
        amount = _volume(recorder, raw)
    elif value is None:
        recorder.unread(raw, "the statement is neither true nor false", UNKNOWN, section=_statement_section(key))
    if not sound:
        value, amount = None, None
    recorder.facts.add("statement", raw, statement=key, value=value, amount=amount, **row)
    what = f"Contraindication to {recorder.terminology.label(drug)}" if drug != key else recorder.terminology.label(key)
    shown = f"{amount} mL" if amount is not None else truth(value)
    recorder.evidence(raw, what, shown, "effective")


def _volume(recorder: Recorder, raw: RawRecord) -> Decimal | None:
    """Millilitres of blood donated."""
    value = raw.number("measuredValue")
    try:
        if value is None or value < 0:
            raise UnitError("the volume is no number of millilitres")
        return convert(value, raw.text("ucumUnit"), "mL")
    except UnitError as error:
        recorder.unread(raw, str(error), UNKNOWN)
        return None


def _planned_event(recorder: Recorder, raw: RawRecord) -> None:
    event = raw.text("eventName") or ""
    dates, sound = recorder.checked_dates(raw, "plannedDate")
    if event not in EVENTS:
        recorder.unread(raw, f"{event!r} is no event: use {', '.join(EVENTS)}", UNKNOWN)
    elif sound and dates == UNKNOWN:
        recorder.unread(raw, "the planned event has no date", UNKNOWN)
    elif sound:
        trial = raw.text("trialIdentifier")
        recorder.facts.add("event", raw, event=event, trial=trial, date_from=dates[0], date_to=dates[1])
        recorder.evidence(raw, f"Date of {event}", raw.text("plannedDate") or "", "plannedDate")


def _completeness(recorder: Recorder, raw: RawRecord, row: dict[str, Any], sound: bool) -> None:
    section = raw.text("recordSection") or ""
    if section not in SECTIONS:
        recorder.unread(raw, f"{section!r} is no section: use {', '.join(SECTIONS)}", UNKNOWN)
    elif row["date_from"] is None and sound:
        recorder.unread(raw, "the statement of completeness has no date", UNKNOWN)
    elif sound:
        recorder.facts.add("completeness", raw, section=section, **row)
        recorder.evidence(raw, "Record complete", section, "effective")


def _statement_section(key: str) -> str | None:
    """`statements` where completeness covers the statement (rule 2)."""
    return "statements" if key.startswith("contraindication:") or key == "plansPregnancy" else None
