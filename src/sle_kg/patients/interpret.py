"""Raw records to fact tables: the rules of reading of CONTRACT section 4, one method for each kind of record.

A record that matters and cannot be read is reported as unread, and still gives a row without bounds, so that its
criterion is unknown rather than decided by an older record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from sle_kg import ontology
from sle_kg.codes import ABSENT_UNKNOWN, NO_KNOWN_ALLERGY, CodeMap, Coding
from sle_kg.namespaces import SNOMED
from sle_kg.patients import adverse_event as events
from sle_kg.patients.dates import OPEN, UNKNOWN, Interval, in_order
from sle_kg.patients.exposure import read_exposure
from sle_kg.patients.facts import FactBuilder, PatientData
from sle_kg.patients.measurement import MeasurementReader, UnreadableError
from sle_kg.patients.raw import FHIR_TYPE, RawRecord
from sle_kg.patients.recorder import RESULT_STATUSES, Recorder
from sle_kg.patients.said import read_consent, read_death, read_statement
from sle_kg.patients.words import PartAnswer, day_text, part_words
from sle_kg.terminology import UNMAPPED, Terminology

_NO_ALLERGY = frozenset({(SNOMED, "409137002"), (SNOMED, "428607008"), (SNOMED, "429625007")})
"""No known allergy to drugs, of the environment, to food: no allergy, and not that there is none. RECALLED high."""
_SEVERITIES = {"255604002": "mild", "6736007": "moderate", "24484000": "severe"}
"""SNOMED CT severities (CONTRACT section 4)."""
_VERIFICATION = {"confirmed": "confirmed", "refuted": "refuted"}
_ACTIVE = frozenset({"active", "recurrence", "relapse"})
_OVER = frozenset({"inactive", "remission", "resolved"})


class Interpreter:
    """Applies the rules of reading to raw records, one after the other."""

    def __init__(self, terminology: Terminology, code_map: CodeMap, facts: FactBuilder | None = None) -> None:
        self._facts = facts or FactBuilder()
        self._terminology = terminology
        self._code_map = code_map
        self._recorder = Recorder(terminology, code_map, self._facts)
        self._measurements = MeasurementReader(terminology)
        self._records: list[RawRecord] = []
        self._patients: list[str] = []
        self._events: list[RawRecord] = []
        self.answers: list[PartAnswer] = []
        self._instruments = {one.score_name: one.label for one in ontology.instruments().values() if one.score_name}
        self._kinds = tuple(ontology.event_kinds().values())
        self._remarked = {events.DOSE_LIMITING, events.COMMON_GRADE, *(kind.graded_by for kind in self._kinds)}
        self._remarks: dict[tuple[str, str], list[events.Remark]] = {}
        common = terminology.test(events.COMMON_GRADE)
        self._grades = events.GradeScale(common.minimum or Decimal(0), common.maximum or Decimal(0))
        self.skipped = self._recorder.skipped

    def add(self, raw: RawRecord) -> None:
        """Read one record into the tables; a record entered in error does not exist."""
        if "entered-in-error" in (raw.text("recordStatus"), raw.text("verificationStatus")):
            self.skipped[f"{FHIR_TYPE[raw.kind]} entered in error"] += 1
            return
        self._records.append(raw)
        match raw.kind:
            case "Patient":
                self._patient(raw)
            case "Measurement":
                self._measurement(raw)
            case "ConditionRecord":
                self._condition(raw)
            case "StatedExposure" | "OrderedExposure" | "AdministeredExposure":
                read_exposure(self._recorder, raw)
            case "ProcedureRecord":
                self._procedure(raw)
            case "Immunization":
                self._immunization(raw)
            case "Allergy":
                self._allergy(raw)
            case "AdverseEvent":
                self._events.append(raw)
            case "Consent":
                read_consent(self._recorder, raw)
            case "Death":
                read_death(self._recorder, raw)
            case _:
                read_statement(self._recorder, raw)

    def note_birth(self, raw: RawRecord) -> None:
        """Note when a patient was born, before his records are read: none of them can be dated earlier."""
        self._recorder.note_birth(raw.patient, self._recorder.dates(raw, "birthDate")[0])

    def forget(self) -> None:
        """Go on to records that have nothing to do with those before: only the facts read and the counts stay."""
        self._recorder.forget()
        self._records.clear()
        self._patients.clear()
        self._events.clear()
        self._remarks.clear()
        self.answers.clear()

    def finish(self) -> None:
        """Read what waited for other records: the adverse events, and the words of measurements in parts."""
        for raw in self._events:
            self._adverse_event(raw)
        for (patient, record), words in part_words(self.answers).items():
            line = RawRecord("Measurement", patient, record)
            self._facts.add("record", line, what=words.what, value=words.value, date=words.date)

    def data(self, skipped: Mapping[str, int]) -> PatientData:
        """The fact tables of everything added; `skipped` is what the reader passed over before."""
        self.finish()
        total = Counter(skipped) + self.skipped
        return PatientData(self._facts.tables(), dict(sorted(total.items())), self._patients, tuple(self._records))

    # ── Patients, results, diagnoses ─────────────────────────────────────────────────────────────────────

    def _patient(self, raw: RawRecord) -> None:
        self._patients.append(raw.patient)
        born = self._recorder.dates(raw, "birthDate")
        gender = raw.text("gender")
        sex = gender if gender in ("male", "female") else None
        self._facts.add("patient", raw, birth_from=born[0], birth_to=born[1], sex=sex)
        self._recorder.evidence(
            raw, "Birth date and sex", ", ".join(filter(None, (raw.text("birthDate"), gender))), "birthDate"
        )

    def _measurement(self, raw: RawRecord) -> None:
        """A row for each test that the codings name (rule 1); results that are not final do not count."""
        if raw.text("recordStatus") not in (*RESULT_STATUSES, None):
            self.skipped[f"Observation with status {raw.text('recordStatus')}"] += 1
            return
        dates, sound = self._recorder.checked_dates(raw, "effective", "effectiveEnd")
        if sound and dates == UNKNOWN:
            self._recorder.unread(raw, "the result has no date", UNKNOWN)
        for key in self._terminology.tests(raw.codings("coding"), self._code_map):
            test = self._terminology.test(key)
            try:
                values = self._measurements.read(raw, test)
            except UnreadableError as error:
                self._recorder.unread(raw, str(error), dates)
                values = {}
            if values is None:
                continue
            shown = values.pop("shown", "") if values else "not readable"
            if not sound:
                values = {}
            self._remark(raw, key, dates, values)
            row = {"method": self._measurements.method(raw, key), **values}
            self._facts.add("measurement", raw, test=key, date_from=dates[0], date_to=dates[1], **row)
            if ":" in key and raw.id != raw.record:
                self._part(raw, test, values.get("positive"), str(shown))
            else:
                self._recorder.evidence(raw, test.label, str(shown), "effective")

    def _part(self, raw: RawRecord, test: ontology.LaboratoryTest, positive: bool | None, shown: str) -> None:
        """Note what one part of a record says of one item of an instrument; `finish` writes one line for all."""
        what = self._instruments.get(test.key.partition(":")[0], test.label)
        date = day_text(raw.text("effective"))
        self.answers.append(PartAnswer(raw.patient, raw.record, what, date, test.label, positive, shown))

    def _condition(self, raw: RawRecord) -> None:
        status = _VERIFICATION.get(raw.text("verificationStatus") or "confirmed", "uncertain")
        onset, onset_sound = self._day_within(raw, "onset", "onsetEnd")
        abated, abated_sound = self._day_within(raw, "abatement", "abatementEnd")
        recorded, recorded_sound = self._recorder.checked_dates(raw, "recorded")
        clinical = raw.text("clinicalStatus")
        over = abated != UNKNOWN or raw.flag("abated") is True
        ongoing = None
        if clinical in _ACTIVE and not over:
            ongoing = True
        elif clinical in _OVER or (over and clinical not in _ACTIVE):
            ongoing = False
        if onset_sound and abated_sound and not in_order(onset, abated):
            self._recorder.unread(raw, "the diagnosis ends before it begins", UNKNOWN)
            onset, abated, onset_sound = UNKNOWN, UNKNOWN, False
        if not in_order(onset, recorded):
            self._recorder.unread(raw, "the diagnosis begins after it was recorded", UNKNOWN)
            onset, recorded = UNKNOWN, (recorded[0], onset[1])
        if not (onset_sound and abated_sound and recorded_sound):
            status = "uncertain" if status == "confirmed" else status
        concept = self._recorder.concept(raw, onset if onset != UNKNOWN else recorded, blocks=status != "refuted")
        severity = {_SEVERITIES.get(code) for system, code, _ in raw.codings("severityCoding") if system == SNOMED}
        row: dict[str, Any] = {
            "concept": concept,
            "status": status,
            "onset_from": onset[0],
            "onset_to": onset[1],
            "abated_from": abated[0],
            "abated_to": abated[1],
            "ongoing": ongoing,
            "recorded_from": recorded[0],
            "recorded_to": recorded[1],
            "severity": next(iter(severity - {None}), None) if len(severity) == 1 else None,
            "remission": clinical == "remission",
        }
        self._facts.add("condition", raw, **row)
        if status != "refuted":
            self._told(raw, row, onset if onset != UNKNOWN else recorded)
        words = clinical or "recorded" if status == "confirmed" else raw.text("verificationStatus") or status
        self._recorder.evidence(raw, self._recorder.label(raw, concept), words, "onset", "recorded")

    def _day_within(self, raw: RawRecord, start: str, end: str) -> tuple[Interval, bool]:
        """The days on one of which a diagnosis began or ended: all from the start of a period without an end."""
        days, sound = self._recorder.checked_dates(raw, start, end)
        return (days[0], None) if raw.first(end) == OPEN else days, sound

    def _told(self, raw: RawRecord, row: Mapping[str, Any], since: Interval) -> None:
        """What a diagnosis tells of besides, by its row: a treatment given on some day until then, use of a medicine
        since then, blood given, an allergy, which is severe where the diagnosis is.
        """
        first, last = since
        for what, status in self._terminology.told_by(row["concept"]).items():
            certain = row["status"] == "confirmed" and status == "in"
            told: dict[str, Any] = {"concept": row["concept"]}
            if what == "treatment":
                told |= {"start_to": last, "end_to": last, "ongoing": False, "administration": False}
                self._facts.add("exposure", raw, taken="yes" if certain else "uncertain", **told)
            elif what == "use":
                told |= {"start_from": first, "start_to": last, "administration": False}
                told |= {"end_from": row["abated_from"], "end_to": row["abated_to"]}
                self._facts.add("exposure", raw, taken="uncertain", **told)
            elif what == "donation":
                told |= {"from_from": first, "from_to": last, "end_from": first, "end_to": last}
                self._facts.add("procedure", raw, done="uncertain", **told)
            else:
                told |= {"status": "confirmed" if certain and row["ongoing"] is not False else "uncertain"}
                told |= {"kind": "allergy", "criticality": "high" if row["severity"] == "severe" else None}
                self._facts.add("allergy", raw, recorded_from=first, recorded_to=last, none_known=False, **told)

    # ── Procedures, vaccines, allergies ──────────────────────────────────────────────────────────────────

    def _procedure(self, raw: RawRecord) -> None:
        """A procedure on a day, or in a period: one without an end ended on an unknown day since its start."""
        status = raw.text("recordStatus")
        if status == "preparation":
            self.skipped["Procedure in preparation"] += 1
            return
        done = {"completed": "yes", "in-progress": "yes", "not-done": "no"}.get(status or "", "uncertain")
        start, start_sound = self._recorder.checked_dates(raw, "effective")
        end, end_sound = self._recorder.checked_dates(raw, "effectiveEnd")
        if start_sound and end_sound and not in_order(start, end):
            self._recorder.unread(raw, "the procedure ends before it begins", UNKNOWN)
            start_sound = False
        if not (start_sound and end_sound):
            start = end = UNKNOWN
            done = "uncertain"
        if end == UNKNOWN and status != "in-progress":
            end = (start[0], None) if raw.first("effectiveEnd") == OPEN else start
        concept = self._recorder.concept(raw, start, blocks=done != "no")
        self._facts.add(
            "procedure",
            raw,
            concept=concept,
            done=done,
            from_from=start[0],
            from_to=start[1],
            end_from=end[0],
            end_to=end[1],
        )
        self._recorder.evidence(raw, self._recorder.label(raw, concept), status or "recorded", "effective")

    def _immunization(self, raw: RawRecord) -> None:
        given = {"completed": "yes", "not-done": "no"}.get(raw.text("recordStatus") or "", "uncertain")
        dates, sound = self._recorder.checked_dates(raw, "effective")
        if not sound:
            given = "uncertain"
        concept = self._recorder.concept(raw, dates, blocks=given != "no")
        self._facts.add("immunization", raw, concept=concept, given=given, date_from=dates[0], date_to=dates[1])
        self._recorder.evidence(
            raw, self._recorder.label(raw, concept), raw.text("recordStatus") or "recorded", "effective"
        )

    def _allergy(self, raw: RawRecord) -> None:
        status = _VERIFICATION.get(raw.text("verificationStatus") or "confirmed", "uncertain")
        if status == "confirmed" and raw.text("clinicalStatus") == "resolved":
            status = "uncertain"
        recorded, sound = self._recorder.checked_dates(raw, "recorded")
        if not sound and status == "confirmed":
            status = "uncertain"
        others = [coding for coding in raw.codings("coding") if coding[:2] not in NO_KNOWN_ALLERGY]
        none_known = len(others) < len(raw.codings("coding"))
        none_known = none_known and self._terminology.concept(others, self._code_map) in (
            UNMAPPED,
            "other",
        )
        concept = "other" if none_known else self._recorder.concept(raw, recorded, blocks=status != "refuted")
        if concept == UNMAPPED and others and all(map(_is_no_allergy, others)) and status == "confirmed":
            status = "uncertain"
        kind = raw.text("allergyType")
        criticality = raw.text("criticality")
        self._facts.add(
            "allergy",
            raw,
            concept=concept,
            status=status,
            kind=kind if kind in ("allergy", "intolerance") else None,
            criticality=criticality if criticality in ("high", "low") else None,
            recorded_from=recorded[0],
            recorded_to=recorded[1],
            none_known=none_known,
        )
        what = "No known allergy" if none_known else f"Allergy: {self._recorder.label(raw, concept)}"
        self._recorder.evidence(raw, what, raw.text("verificationStatus") or "recorded", "recorded")

    # ── Adverse events ───────────────────────────────────────────────────────────────────────────────────

    def _remark(self, raw: RawRecord, test: str, dates: Interval, values: Mapping[str, Any]) -> None:
        """Note what an observation says of the adverse events that it refers to."""
        about = raw.values.get("aboutEvent")
        if not about or test not in self._remarked:
            return
        remark = events.Remark(test, dates, *(values.get(name) for name in ("low", "high", "positive")))
        for event in about:
            self._remarks.setdefault((raw.patient, str(event)), []).append(remark)

    def _adverse_event(self, raw: RawRecord) -> None:
        """A row for an event that happened, read when all observations about it are known."""
        if raw.text("actuality") in ("potential", "entered-in-error"):
            self.skipped[f"AdverseEvent that is {raw.text('actuality')}"] += 1
            return
        dates = self._event_dates(raw)
        term = raw.text("display") or next((code for _, code, _ in raw.codings("coding")), None)
        if term is None:
            self._recorder.unread(raw, "the adverse event has no name", dates)
        concept = self._event_concept(raw)
        kinds = [kind for kind in self._kinds if kind.key in concept.split("|")]
        remarks = self._remarks.get((raw.patient, raw.id), [])
        (low, high), faults = events.grade(raw, remarks, kinds, self._grades)
        for why in faults:
            self._recorder.unread(raw, why, dates)
        serious, related = events.is_serious(raw), events.is_related(raw)
        self._facts.add(
            "adverse_event",
            raw,
            term=term or "Adverse event",
            concept=concept,
            date_from=dates[0],
            date_to=dates[1],
            grade_low=low,
            grade_high=high,
            serious=serious,
            related=related,
            dose_limiting=events.is_dose_limiting(raw, remarks),
            fatal=events.is_fatal(raw),
        )
        words = events.event_words(low, high, serious, related)
        self._recorder.evidence(raw, term or "Adverse event", words, "onset", "recorded")

    def _event_dates(self, raw: RawRecord) -> Interval:
        """The onset; of an event only detected or recorded on a day, any day until then."""
        dates, sound = self._recorder.checked_dates(raw, "onset")
        if sound and dates == UNKNOWN:
            recorded, sound = self._recorder.checked_dates(raw, "recorded")
            dates = (None, recorded[1])
        if sound and dates == UNKNOWN:
            self._recorder.unread(raw, "the adverse event has no date", UNKNOWN)
        return dates

    def _event_concept(self, raw: RawRecord) -> str:
        """The concept text of an event, with the kinds that its codes or its words name."""
        found = set(self._terminology.concept(raw.codings("coding"), self._code_map).split("|")) - {UNMAPPED}
        keys = [kind.key for kind in self._kinds]
        found |= {key for _, key, status in self._terminology.membership(found, keys) if status == "in"}
        found |= events.named_kinds(raw.text("display") or "", self._kinds)
        return "|".join(sorted(found)) or UNMAPPED


def _is_no_allergy(coding: Coding) -> bool:
    """Whether a code says that nothing, or nothing of one kind, is known of allergies."""
    return coding[0] == ABSENT_UNKNOWN or coding[:2] in _NO_ALLERGY


def interpret(
    records: Iterable[RawRecord], terminology: Terminology, code_map: CodeMap, skipped: Mapping[str, int]
) -> PatientData:
    """The fact tables of raw records (see the module)."""
    interpreter = Interpreter(terminology, code_map)
    for raw in records:
        if raw.kind == "Patient":
            interpreter.note_birth(raw)
        interpreter.add(raw)
    return interpreter.data(skipped)
