"""What every rule of reading needs: the concept and the dates of a record, and the tables that it writes into."""

from __future__ import annotations

from collections import Counter
from datetime import date

from sle_kg.codes import CodeMap
from sle_kg.patients.dates import OPEN, UNKNOWN, Interval, interval
from sle_kg.patients.facts import FactBuilder
from sle_kg.patients.raw import RawRecord
from sle_kg.patients.words import day_text
from sle_kg.terminology import UNMAPPED, Terminology

RESULT_STATUSES = frozenset({"final", "amended", "corrected"})
"""Statuses of observations that count (CONTRACT section 4)."""
_SECTIONS = {
    "ConditionRecord": "conditions",
    "ProcedureRecord": "procedures",
    "Allergy": "allergies",
    "Immunization": "immunizations",
    "Statement": "statements",
}
_UNDATED = frozenset({"Patient", "Death", "Consent", "Attestation", "PlannedEvent", "CompletenessStatement"})
"""Kinds of records whose date is not compared with the birth of the patient."""


class Recorder:
    """Writes the facts of records, the line of evidence of each, and what of them cannot be read."""

    def __init__(self, terminology: Terminology, code_map: CodeMap, facts: FactBuilder) -> None:
        self.terminology = terminology
        self.code_map = code_map
        self.facts = facts
        self.skipped: Counter[str] = Counter()
        self._reported: set[tuple[str, str, str]] = set()
        self._born: dict[str, date] = {}

    def note_birth(self, patient: str, born: date | None) -> None:
        """From which day on the records of a patient can be dated, where that is known."""
        if born is not None:
            self._born[patient] = born

    def forget(self) -> None:
        """Go on to records that have nothing to do with those before."""
        self._reported.clear()

    def concept(self, raw: RawRecord, dates: Interval, *, blocks: bool) -> str:
        """The concept of a record; an unmapped one is reported, and keeps its section open if it may be a fact."""
        concept = self.terminology.concept(raw.codings("coding"), self.code_map)
        if concept == UNMAPPED:
            section = _SECTIONS.get(raw.kind, "medications") if blocks else None
            why = "unmapped code" if raw.values.get("coding") else "no code"
            self.unread(raw, why, dates, section=section)
        return concept

    def label(self, raw: RawRecord, concept: str) -> str:
        """What evidence calls a record: its concept, or its own words where that is only a code."""
        if concept in (UNMAPPED, "other"):
            return raw.text("display") or ", ".join(code for _, code, _ in raw.codings("coding")) or "no code"
        label, shown = self.terminology.label(concept), raw.text("display")
        return label if self.terminology.known_label(concept) or not shown else f"{shown} ({label})"

    def display(self, raw: RawRecord) -> str:
        """What a record calls itself; without words of its own, what the ontology calls its code."""
        if shown := raw.text("display"):
            return shown
        return self.terminology.known_label(self.terminology.concept(raw.codings("coding"), self.code_map)) or ""

    def unread(
        self, raw: RawRecord, why: str, dates: Interval, *, section: str | None = None, code: str | None = None
    ) -> None:
        """Report a record once for each reason."""
        if (raw.patient, raw.record, why) in self._reported:
            return
        self._reported.add((raw.patient, raw.record, why))
        codes = [str(coding) for coding in raw.values.get("coding", ())]
        self.facts.add(
            "unread",
            raw,
            code=code or next(iter(sorted(codes)), ""),
            display=self.display(raw),
            why=why,
            section=section,
            date_from=dates[0],
            date_to=dates[1],
        )

    def evidence(self, raw: RawRecord, what: str, value: str, *dates: str) -> None:
        """The evidence line of a record; its date as recorded."""
        date = next((text for text in map(raw.text, dates) if text), None)
        self.facts.add("record", raw, what=what, value=value, date=day_text(date))

    def dates(self, raw: RawRecord, start: str, end: str | None = None) -> Interval:
        return self.checked_dates(raw, start, end)[0]

    def checked_dates(self, raw: RawRecord, start: str, end: str | None = None) -> tuple[Interval, bool]:
        """The days from the first of `start` to the last of `end`; False where one cannot be (reported).

        Those of a period without an end are the days of its start: whoever minds asks whether it is `OPEN`.
        """
        begun, ended = (raw.first(name) if name and raw.first(name) != OPEN else None for name in (start, end))
        if begun is None and ended is None:
            return UNKNOWN, True
        try:
            first, last = interval(str(begun)) if begun is not None else (None, date.max)
            if ended is not None:
                last = interval(str(ended))[1]
        except ValueError as error:
            self.unread(raw, str(error), UNKNOWN)
            return UNKNOWN, False
        if first is not None and last < first:
            self.unread(raw, "the record ends before it begins", UNKNOWN)
            return UNKNOWN, False
        born = self._born.get(raw.patient)
        if born is not None and last < born and raw.kind not in _UNDATED:
            self.unread(raw, "dated before the patient was born", UNKNOWN)
            return UNKNOWN, False
        return (first, last), True
