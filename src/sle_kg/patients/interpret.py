"""Raw records to fact tables: the rules of reading of CONTRACT section 4, one method for each kind of record.

A record that matters and cannot be read is reported as unread, and still gives a row without bounds, so that its
criterion is unknown rather than decided by an older record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from sle_kg import ontology
from sle_kg.codes import CodeMap
from sle_kg.namespaces import SNOMED
from sle_kg.patients import adverse_event as events
from sle_kg.patients.dates import UNKNOWN, Interval, in_order, interval
from sle_kg.patients.facts import EVENTS, SECTIONS, FactBuilder, PatientData
from sle_kg.patients.measurement import MeasurementReader, UnreadableError
from sle_kg.patients.medicine import how_taken, is_ongoing, route, timing, why_no_fact
from sle_kg.patients.raw import FHIR_TYPE, RawRecord
from sle_kg.patients.words import PartAnswer, day_text, exposure_words, part_words, quantity_words, truth
from sle_kg.terminology import UNMAPPED, Terminology
from sle_kg.units import UnitError, convert, per_kilogram

_NO_KNOWN_ALLERGY = "716186003"
_SEVERITIES = {"255604002": "mild", "6736007": "moderate", "24484000": "severe"}
"""SNOMED CT severities (CONTRACT section 4)."""
_SECTIONS = {
    "ConditionRecord": "conditions",
    "ProcedureRecord": "procedures",
    "Allergy": "allergies",
    "Immunization": "immunizations",
    "Statement": "statements",
}
_VERIFICATION = {"confirmed": "confirmed", "refuted": "refuted"}
_ACTIVE = frozenset({"active", "recurrence", "relapse"})
_OVER = frozenset({"inactive", "remission", "resolved"})
_NO_CONSENT = frozenset({"inactive", "rejected"})
_RESULT_STATUSES = frozenset({"final", "amended", "corrected"})


class Interpreter:
    """Applies the rules of reading to raw records, one after the other."""

    def __init__(self, terminology: Terminology, code_map: CodeMap, facts: FactBuilder | None = None) -> None:
        self._terminology = terminology
        self._code_map = code_map
        self._facts = facts or FactBuilder()
        self._measurements = MeasurementReader(terminology)
        self._reported: set[tuple[str, str, str]] = set()
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
        self.skipped: Counter[str] = Counter()

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
                self._exposure(raw)
            case "ProcedureRecord":
                self._procedure(raw)
            case "Immunization":
                self._immunization(raw)
            case "Allergy":
                self._allergy(raw)
            case "AdverseEvent":
                self._events.append(raw)
            case "Consent":
                self._consent(raw)
            case _:
                self._said(raw)

    def forget(self) -> None:
        """Go on to records that have nothing to do with those before: only the facts read and the counts stay."""
        self._reported.clear()
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
        born = self._dates(raw, "birthDate")
        gender = raw.text("gender")
        sex = gender if gender in ("male", "female") else None
        self._facts.add("patient", raw, birth_from=born[0], birth_to=born[1], sex=sex)
        self._evidence(raw, "Birth date and sex", ", ".join(filter(None, (raw.text("birthDate"), gender))), "birthDate")

    def _measurement(self, raw: RawRecord) -> None:
        """A row for each test that the codings name (rule 1); results that are not final do not count."""
        if raw.text("recordStatus") not in (*_RESULT_STATUSES, None):
            self.skipped[f"Observation with status {raw.text('recordStatus')}"] += 1
            return
        dates, sound = self._checked_dates(raw, "effective", "effectiveEnd")
        if sound and dates == UNKNOWN:
            self._unread(raw, "the result has no date", UNKNOWN)
        for key in self._terminology.tests(raw.codings("coding"), self._code_map):
            test = self._terminology.test(key)
            try:
                values = self._measurements.read(raw, test)
            except UnreadableError as error:
                self._unread(raw, str(error), dates)
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
                self._evidence(raw, test.label, str(shown), "effective")

    def _part(self, raw: RawRecord, test: ontology.LaboratoryTest, positive: bool | None, shown: str) -> None:
        """Note what one part of a record says of one item of an instrument; `finish` writes one line for all."""
        what = self._instruments.get(test.key.partition(":")[0], test.label)
        date = day_text(raw.text("effective"))
        self.answers.append(PartAnswer(raw.patient, raw.record, what, date, test.label, positive, shown))

    def _condition(self, raw: RawRecord) -> None:
        status = _VERIFICATION.get(raw.text("verificationStatus") or "confirmed", "uncertain")
        onset, onset_sound = self._checked_dates(raw, "onset", "onsetEnd")
        abated, abated_sound = self._checked_dates(raw, "abatement", "abatementEnd")
        recorded, recorded_sound = self._checked_dates(raw, "recorded")
        clinical = raw.text("clinicalStatus")
        over = abated != UNKNOWN or raw.flag("abated") is True
        ongoing = None
        if clinical in _ACTIVE and not over:
            ongoing = True
        elif clinical in _OVER or (over and clinical not in _ACTIVE):
            ongoing = False
        if onset_sound and abated_sound and not in_order(onset, abated):
            self._unread(raw, "the diagnosis ends before it begins", UNKNOWN)
            onset, abated, onset_sound = UNKNOWN, UNKNOWN, False
        if not in_order(onset, recorded):
            self._unread(raw, "the diagnosis begins after it was recorded", UNKNOWN)
            onset, recorded = UNKNOWN, (recorded[0], onset[1])
        if not (onset_sound and abated_sound and recorded_sound):
            status = "uncertain" if status == "confirmed" else status
        concept = self._concept(raw, onset if onset != UNKNOWN else recorded, blocks=status != "refuted")
        severity = {_SEVERITIES.get(code) for system, code, _ in raw.codings("severityCoding") if system == SNOMED}
        self._facts.add(
            "condition",
            raw,
            concept=concept,
            status=status,
            onset_from=onset[0],
            onset_to=onset[1],
            abated_from=abated[0],
            abated_to=abated[1],
            ongoing=ongoing,
            recorded_from=recorded[0],
            recorded_to=recorded[1],
            severity=next(iter(severity - {None}), None) if len(severity) == 1 else None,
            remission=clinical == "remission",
        )
        words = clinical or "recorded" if status == "confirmed" else raw.text("verificationStatus") or status
        self._evidence(raw, self._label(raw, concept), words, "onset", "recorded")

    # ── Medicines ────────────────────────────────────────────────────────────────────────────────────────

    def _exposure(self, raw: RawRecord) -> None:
        taken = how_taken(raw)
        if taken is None:
            self.skipped[f"{FHIR_TYPE[raw.kind]} that is no fact ({why_no_fact(raw)})"] += 1
            return
        start, start_sound = self._checked_dates(raw, "started")
        end, end_sound = self._checked_dates(raw, "ended")
        asserted = self._dates(raw, "asserted")
        if start == UNKNOWN and start_sound:
            start = (None, asserted[1])
        sound = start_sound and end_sound
        if sound and taken != "no" and not in_order(start, asserted):
            self._unread(raw, "the medicine begins after the day on which it was stated", UNKNOWN)
            start, end, sound = (asserted[0], None), UNKNOWN, False
        if sound and not in_order(start, end):
            self._unread(raw, "the medicine ends before it begins", UNKNOWN)
            start, end, sound = UNKNOWN, UNKNOWN, False
        ongoing: bool | None
        if end != UNKNOWN or not sound:
            ongoing = False if sound else None
        else:
            ongoing = is_ongoing(raw)
            if ongoing is False:
                end = (start[0], None)
        if not sound and taken != "no":
            taken = "uncertain"
        concept = self._concept(raw, start, blocks=taken != "no")
        dose, unit = (None, None) if concept == UNMAPPED else self._dose(raw)
        way, understood = self._route(raw, concept)
        if not understood and taken == "yes" and concept != UNMAPPED:
            taken = "uncertain"
            self._unread(raw, "the route is not known: it may be local", UNKNOWN)
        times, period_days = timing(raw)
        administration = raw.kind == "AdministeredExposure"
        if raw.flag("asNeeded"):
            dose = None
        self._facts.add(
            "exposure",
            raw,
            concept=concept,
            taken=taken,
            start_from=start[0],
            start_to=start[1],
            end_from=end[0],
            end_to=end[1],
            ongoing=ongoing,
            route=way,
            dose=dose,
            dose_unit=unit if dose is not None else None,
            times=Decimal(1) if administration else times,
            period_days=None if administration else period_days,
            administration=administration,
        )
        words = exposure_words(taken, raw.text("recordStatus"), quantity_words(raw, "doseValue", "doseUnit"), raw)
        self._evidence(raw, self._label(raw, concept), words, "started", "asserted")

    def _route(self, raw: RawRecord, concept: str) -> tuple[str | None, bool]:
        """The route, and whether it is understood; a product for local use is local whatever the record says."""
        if self._terminology.is_local_product(concept):
            return "local", True
        return route(raw.codings("routeCoding"))

    def _dose(self, raw: RawRecord) -> tuple[Decimal | None, str | None]:
        """The quantity of one administration in mg or mg/kg; what does not convert is reported, and unknown."""
        value = raw.number("doseValue")
        if value is None:
            if raw.first("doseValue") is not None:
                self._unread(raw, f"the dose {raw.first('doseValue')!r} is no number", UNKNOWN)
            return None, None
        if value < 0:
            self._unread(raw, f"the dose {value} is negative", UNKNOWN)
            return None, None
        unit, by_weight = per_kilogram((raw.text("doseUnit") or "").strip())
        try:
            return convert(value, unit, "mg"), "mg/kg" if by_weight else "mg"
        except UnitError as error:
            self._unread(raw, f"the dose is not known: {error}", UNKNOWN)
            return None, None

    # ── Procedures, vaccines, allergies ──────────────────────────────────────────────────────────────────

    def _procedure(self, raw: RawRecord) -> None:
        status = raw.text("recordStatus")
        if status == "preparation":
            self.skipped["Procedure in preparation"] += 1
            return
        done = {"completed": "yes", "in-progress": "yes", "not-done": "no"}.get(status or "", "uncertain")
        start, start_sound = self._checked_dates(raw, "effective")
        end, end_sound = self._checked_dates(raw, "effectiveEnd")
        if start_sound and end_sound and not in_order(start, end):
            self._unread(raw, "the procedure ends before it begins", UNKNOWN)
            start_sound = False
        if not (start_sound and end_sound):
            start = end = UNKNOWN
            done = "uncertain"
        if end == UNKNOWN and status != "in-progress":
            end = start
        concept = self._concept(raw, start, blocks=done != "no")
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
        self._evidence(raw, self._label(raw, concept), status or "recorded", "effective")

    def _immunization(self, raw: RawRecord) -> None:
        given = {"completed": "yes", "not-done": "no"}.get(raw.text("recordStatus") or "", "uncertain")
        dates, sound = self._checked_dates(raw, "effective")
        if not sound:
            given = "uncertain"
        concept = self._concept(raw, dates, blocks=given != "no")
        self._facts.add("immunization", raw, concept=concept, given=given, date_from=dates[0], date_to=dates[1])
        self._evidence(raw, self._label(raw, concept), raw.text("recordStatus") or "recorded", "effective")

    def _allergy(self, raw: RawRecord) -> None:
        status = _VERIFICATION.get(raw.text("verificationStatus") or "confirmed", "uncertain")
        if status == "confirmed" and raw.text("clinicalStatus") == "resolved":
            status = "uncertain"
        recorded, sound = self._checked_dates(raw, "recorded")
        if not sound and status == "confirmed":
            status = "uncertain"
        others = [coding for coding in raw.codings("coding") if coding[:2] != (SNOMED, _NO_KNOWN_ALLERGY)]
        none_known = len(others) < len(raw.codings("coding"))
        none_known = none_known and self._terminology.concept(others, self._code_map) in (UNMAPPED, "other")
        concept = "other" if none_known else self._concept(raw, recorded, blocks=status != "refuted")
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
        what = "No known allergy" if none_known else f"Allergy: {self._label(raw, concept)}"
        self._evidence(raw, what, raw.text("verificationStatus") or "recorded", "recorded")

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
            self._unread(raw, "the adverse event has no name", dates)
        concept = self._event_concept(raw)
        kinds = [kind for kind in self._kinds if kind.key in concept.split("|")]
        remarks = self._remarks.get((raw.patient, raw.id), [])
        (low, high), faults = events.grade(raw, remarks, kinds, self._grades)
        for why in faults:
            self._unread(raw, why, dates)
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
        self._evidence(raw, term or "Adverse event", words, "onset", "recorded")

    def _event_dates(self, raw: RawRecord) -> Interval:
        """The onset; of an event only detected or recorded on a day, any day until then."""
        dates, sound = self._checked_dates(raw, "onset")
        if sound and dates == UNKNOWN:
            recorded, sound = self._checked_dates(raw, "recorded")
            dates = (None, recorded[1])
        if sound and dates == UNKNOWN:
            self._unread(raw, "the adverse event has no date", UNKNOWN)
        return dates

    def _event_concept(self, raw: RawRecord) -> str:
        """The concept text of an event, with the kinds that its codes or its words name."""
        found = set(self._terminology.concept(raw.codings("coding"), self._code_map).split("|")) - {UNMAPPED}
        keys = [kind.key for kind in self._kinds]
        found |= {key for _, key, status in self._terminology.membership(found, keys) if status == "in"}
        found |= events.named_kinds(raw.text("display") or "", self._kinds)
        return "|".join(sorted(found)) or UNMAPPED

    # ── Statements, consent, plans, completeness ─────────────────────────────────────────────────────────

    def _consent(self, raw: RawRecord) -> None:
        """A consent to research; a refusal, or the end of its period, leaves open what was signed before."""
        status = raw.text("recordStatus")
        trials = [str(trial) for trial in raw.values.get("trialIdentifier", ())]
        dates, sound = self._checked_dates(raw, "effective")
        if status not in ("active", None):
            self.skipped["Consent that is not active"] += 1
            if status in _NO_CONSENT and trials:
                self._unread(raw, f"the consent is {status}", dates)
                self._end_of_consent(raw, trials, dates[0])
            return
        if not sound:
            return
        for trial in (*trials,) or (None,):
            self._facts.add("consent", raw, trial=trial, date_from=dates[0], date_to=dates[1])
        self._evidence(raw, "Research consent", ", ".join(trials) or "bound to no trial", "effective")
        if (end := self._dates(raw, "effectiveEnd")[1]) is not None:
            self._unread(raw, "the consent has ended", (end, end))
            self._end_of_consent(raw, trials, end)

    def _end_of_consent(self, raw: RawRecord, trials: list[str], day: date | None) -> None:
        """Rows that come after what was signed before: a consent since some day, of unknown date."""
        for trial in trials if day is not None else ():
            self._facts.add("consent", raw, trial=trial, date_from=day, date_to=None)

    def _said(self, raw: RawRecord) -> None:
        """Attestation, statement, planned event or completeness: an observation that is no measurement."""
        if raw.text("recordStatus") not in (*_RESULT_STATUSES, None):
            self.skipped[f"Observation with status {raw.text('recordStatus')}"] += 1
            return
        dates, sound = self._checked_dates(raw, "effective", "effectiveEnd")
        row = {"date_from": dates[0], "date_to": dates[1]}
        if raw.kind == "Attestation":
            self._attestation(raw, row, sound)
        elif raw.kind == "Statement":
            self._statement(raw, row, sound)
        elif raw.kind == "PlannedEvent":
            self._planned_event(raw)
        else:
            self._completeness(raw, row, sound)

    def _attestation(self, raw: RawRecord, row: dict[str, Any], sound: bool) -> None:
        """One that cannot be read may say either: a row for both, so that an older one does not decide."""
        trial, criterion, value = raw.text("trialIdentifier"), raw.text("criterionIdentifier"), raw.flag("statedValue")
        if not trial or not criterion:
            self._unread(
                raw, "an attestation names a trial and a criterion: attest:<NCT number>/<criterion id>", UNKNOWN
            )
        else:
            if value is None:
                self._unread(raw, "an attestation is true or false", UNKNOWN)
            for said in (value,) if sound and value is not None else (True, False):
                self._facts.add("attestation", raw, trial=trial, criterion=criterion, value=said, **row)
            self._evidence(raw, f"Statement about {trial} {criterion}", truth(value), "effective")

    def _statement(self, raw: RawRecord, row: dict[str, Any], sound: bool) -> None:
        key = raw.text("statementKey") or ""
        drug = key.removeprefix("contraindication:")
        if drug != key and not self._terminology.knows(drug):
            self._unread(raw, "unmapped code", UNKNOWN, section="statements", code=key)
            return
        value, amount = raw.flag("statedValue"), None
        if key == "bloodDonationVolume":
            amount = self._volume(raw)
        elif value is None:
            self._unread(raw, "the statement is neither true nor false", UNKNOWN, section=_statement_section(key))
        if not sound:
            value, amount = None, None
        self._facts.add("statement", raw, statement=key, value=value, amount=amount, **row)
        what = f"Contraindication to {self._terminology.label(drug)}" if drug != key else self._terminology.label(key)
        shown = f"{amount} mL" if amount is not None else truth(value)
        self._evidence(raw, what, shown, "effective")

    def _volume(self, raw: RawRecord) -> Decimal | None:
        """Millilitres of blood donated."""
        value = raw.number("measuredValue")
        try:
            if value is None or value < 0:
                raise UnitError("the volume is no number of millilitres")
            return convert(value, raw.text("ucumUnit"), "mL")
        except UnitError as error:
            self._unread(raw, str(error), UNKNOWN)
            return None

    def _planned_event(self, raw: RawRecord) -> None:
        event = raw.text("eventName") or ""
        dates, sound = self._checked_dates(raw, "plannedDate")
        if event not in EVENTS:
            self._unread(raw, f"{event!r} is no event: use {', '.join(EVENTS)}", UNKNOWN)
        elif sound and dates == UNKNOWN:
            self._unread(raw, "the planned event has no date", UNKNOWN)
        elif sound:
            trial = raw.text("trialIdentifier")
            self._facts.add("event", raw, event=event, trial=trial, date_from=dates[0], date_to=dates[1])
            self._evidence(raw, f"Date of {event}", raw.text("plannedDate") or "", "plannedDate")

    def _completeness(self, raw: RawRecord, row: dict[str, Any], sound: bool) -> None:
        section = raw.text("recordSection") or ""
        if section not in SECTIONS:
            self._unread(raw, f"{section!r} is no section: use {', '.join(SECTIONS)}", UNKNOWN)
        elif row["date_from"] is None and sound:
            self._unread(raw, "the statement of completeness has no date", UNKNOWN)
        elif sound:
            self._facts.add("completeness", raw, section=section, **row)
            self._evidence(raw, "Record complete", section, "effective")

    # ── Common ───────────────────────────────────────────────────────────────────────────────────────────

    def _concept(self, raw: RawRecord, dates: Interval, *, blocks: bool) -> str:
        """The concept of a record; an unmapped one is reported, and keeps its section open if it may be a fact."""
        concept = self._terminology.concept(raw.codings("coding"), self._code_map)
        if concept == UNMAPPED:
            section = _SECTIONS.get(raw.kind, "medications") if blocks else None
            why = "unmapped code" if raw.values.get("coding") else "no code"
            self._unread(raw, why, dates, section=section)
        return concept

    def _label(self, raw: RawRecord, concept: str) -> str:
        """What evidence calls a record: its concept, or its own words where that is only a code."""
        if concept in (UNMAPPED, "other"):
            return raw.text("display") or ", ".join(code for _, code, _ in raw.codings("coding")) or "no code"
        label, shown = self._terminology.label(concept), raw.text("display")
        return label if self._terminology.known_label(concept) or not shown else f"{shown} ({label})"

    def _display(self, raw: RawRecord) -> str:
        """What a record calls itself; without words of its own, what the ontology calls its code."""
        if shown := raw.text("display"):
            return shown
        return self._terminology.known_label(self._terminology.concept(raw.codings("coding"), self._code_map)) or ""

    def _unread(
        self, raw: RawRecord, why: str, dates: Interval, *, section: str | None = None, code: str | None = None
    ) -> None:
        """Report a record once for each reason."""
        if (raw.patient, raw.record, why) in self._reported:
            return
        self._reported.add((raw.patient, raw.record, why))
        codes = [str(coding) for coding in raw.values.get("coding", ())]
        self._facts.add(
            "unread",
            raw,
            code=code or next(iter(sorted(codes)), ""),
            display=self._display(raw),
            why=why,
            section=section,
            date_from=dates[0],
            date_to=dates[1],
        )

    def _evidence(self, raw: RawRecord, what: str, value: str, *dates: str) -> None:
        """The evidence line of a record; its date as recorded."""
        date = next((text for text in map(raw.text, dates) if text), None)
        self._facts.add("record", raw, what=what, value=value, date=day_text(date))

    def _dates(self, raw: RawRecord, start: str, end: str | None = None) -> Interval:
        return self._checked_dates(raw, start, end)[0]

    def _checked_dates(self, raw: RawRecord, start: str, end: str | None = None) -> tuple[Interval, bool]:
        """The days from the first of `start` to the last of `end`; False where a date is no date (reported)."""
        begun, ended = raw.first(start), raw.first(end) if end else None
        if begun is None and ended is None:
            return UNKNOWN, True
        try:
            first, last = interval(str(begun)) if begun is not None else (None, date.max)
            if ended is not None:
                last = interval(str(ended))[1]
        except ValueError as error:
            self._unread(raw, str(error), UNKNOWN)
            return UNKNOWN, False
        if first is not None and last < first:
            self._unread(raw, "the record ends before it begins", UNKNOWN)
            return UNKNOWN, False
        return (first, last), True


def _statement_section(key: str) -> str | None:
    """`statements` where completeness covers the statement (rule 2)."""
    return "statements" if key.startswith("contraindication:") or key == "plansPregnancy" else None


def interpret(
    records: Iterable[RawRecord], terminology: Terminology, code_map: CodeMap, skipped: Mapping[str, int]
) -> PatientData:
    """The fact tables of raw records (see the module)."""
    interpreter = Interpreter(terminology, code_map)
    for raw in records:
        interpreter.add(raw)
    return interpreter.data(skipped)
