"""Outcomes as RDF: results, cohort rows, assessments and events with their provenance, in Turtle.

Every node has an IRI under `outcome/<trial>`; there are no blank nodes, and the same outcomes give the same bytes.
`shapes/outcomes.ttl` says the form. PROV-O: https://www.w3.org/TR/prov-o/.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from decimal import Decimal

import pyoxigraph as ox

from sle_kg import __version__
from sle_kg.followup.results import (
    AdverseEvent,
    CohortRow,
    EventRow,
    OutcomeResult,
    PatientOutcomes,
    Point,
    TrialOutcomes,
)
from sle_kg.namespaces import BASE, DCTERMS, PREFIXES, PROV, RDFS, SLE, TRIAL, XSD
from sle_kg.report.outcomes_text import AID_SENTENCE, caveats_of
from sle_kg.report.rdf import SOFTWARE, Node, escaped, patient_iri, record_iri
from sle_kg.report.svg import label
from sle_kg.report.text import plain
from sle_kg.shapes import decimal_text
from sle_kg.turtle import write_turtle
from sle_kg.verdict import Evidence, Unread

OUTCOME = BASE + "outcome/"

_WORDS = {
    "reached": "resultReached",
    "not-reached": "resultNotReached",
    "not-evaluable": "resultNotEvaluable",
    "value": "resultValue",
    "met": "stateMet",
    "not-met": "stateNotMet",
    "unknown": "stateUnknown",
}


class _Writer:
    """Writes the outcomes of one trial; every node names the trial, and the evaluation that made it."""

    def __init__(self, result: TrialOutcomes) -> None:
        self.result = result
        self.root = OUTCOME + escaped(result.trial)
        self.trial = TRIAL + escaped(result.trial)
        self.activity = f"{self.root}/evaluation"
        self._definitions = {row.measure: row.definition for row in result.cohort}

    def triples(self) -> Iterator[ox.Triple]:
        """Everything, patients first."""
        yield from self._evaluation()
        for patient in self.result.patients:
            yield from self._patient(patient)
        for row in self.result.cohort:
            yield from self._cohort_row(row)
        yield from self._event_rows("event", self.result.events)
        yield from self._event_rows("laboratory", self.result.laboratory_grades)

    def words(self, measure: str) -> str:
        """The definition of a measure in words."""
        return self._definitions.get(measure) or measure

    def _evaluation(self) -> Iterator[ox.Triple]:
        """The activity, with the program version that carried it out and how time points were matched."""
        node, software = Node(self.activity), Node(SOFTWARE)
        yield from node.type(SLE + "OutcomeEvaluation", PROV + "Activity")
        yield from node.say(RDFS + "label", f"Outcomes of {self.result.trial}")
        yield node.link(SLE + "ofTrial", self.trial)
        yield node.link(PROV + "wasAssociatedWith", SOFTWARE)
        yield from node.say(SLE + "windowRule", self.result.windows)
        yield from node.say(SLE + "optionUsed", *self.result.options)
        yield from node.say(SLE + "caveat", *caveats_of(self.result))
        yield from software.type(PROV + "SoftwareAgent")
        yield from software.say(RDFS + "label", f"sle-kg {__version__}")
        yield from software.say(DCTERMS + "description", AID_SENTENCE)

    def _patient(self, patient: PatientOutcomes) -> Iterator[ox.Triple]:
        person = Node(patient_iri(patient.patient))
        yield from person.type(SLE + "Patient")
        yield from person.say(DCTERMS + "identifier", patient.patient)
        for outcome in patient.results:
            yield from self._result(patient.patient, outcome)
        for number, event in enumerate(patient.events, start=1):
            yield from self._event(patient.patient, number, event)
        for measure, assessments in patient.course.states.items():
            for day, word in assessments:
                yield from self._state(patient.patient, measure, day, word)
        for name, points in patient.course.scores.items():
            for point in points:
                yield from self._score(patient.patient, name, point)
        for number, unread in enumerate(patient.unread, start=1):
            yield from self._unread(patient.patient, number, unread)

    def _result(self, patient: str, result: OutcomeResult) -> Iterator[ox.Triple]:
        path = "/".join(map(escaped, (patient, result.id, result.measure, result.time_point)))
        node = self._node(f"patient/{path}")
        words = f"{plain(patient)}, {self.result.trial} {plain(result.id)}, {plain(result.time_point)}: {result.result}"
        yield from self._made(node, "OutcomeResult", words)
        yield node.link(SLE + "ofPatient", patient_iri(patient))
        yield from self._defined(node, result)
        yield node.link(SLE + "resultWord", SLE + _WORDS[result.result])
        yield from node.date(SLE + "assessmentDate", _day(result.date))
        yield from node.date(SLE + "windowFrom", _day(result.first))
        yield from node.date(SLE + "windowTo", _day(result.last))
        for name in ("value", "change", "lower", "upper"):
            yield from _number(node, _NUMBERS[name], getattr(result, name))
        yield from node.say(SLE + "resultReason", result.reason)
        yield from node.say(SLE + "missingFact", *result.missing)
        for number, evidence in enumerate(result.evidence, start=1):
            yield from _evidence(node, number, patient, evidence)

    def _defined(self, node: Node, row: OutcomeResult | CohortRow) -> Iterator[ox.Triple]:
        """The row of the record, the definition within it, the time point and the unit."""
        yield node.link(SLE + "ofOutcome", f"{self.trial}/{escaped(row.id)}")
        yield from node.say(SLE + "resultMeasure", row.measure)
        yield from node.say(SLE + "resultDefinition", row.definition)
        yield from node.say(SLE + "timePointName", row.time_point)
        yield from node.say(SLE + "resultUnit", row.unit)

    def _event(self, patient: str, number: int, event: AdverseEvent) -> Iterator[ox.Triple]:
        node = self._node(f"patient/{escaped(patient)}/event/{number}")
        yield from self._made(node, "AdverseEventAssessment", f"{plain(patient)}: {plain(event.term)}")
        yield node.link(SLE + "ofPatient", patient_iri(patient))
        yield from _derived(node, record_iri(patient, event.record))
        yield from node.say(SLE + "eventTerm", event.term)
        yield from node.date(SLE + "assessmentDate", _day(event.date))
        yield from node.say(SLE + "trialDay", event.day)
        yield from node.say(SLE + "lowestGrade", event.grade_low)
        yield from node.say(SLE + "highestGrade", event.grade_high)
        yield from node.say(SLE + "serious", event.serious)
        yield from node.say(SLE + "related", event.related)
        yield from node.say(SLE + "doseLimitingEvent", event.dose_limiting)
        yield from node.say(SLE + "treatmentEmergent", event.treatment_emergent)

    def _state(self, patient: str, measure: str, day: dt.date, word: str) -> Iterator[ox.Triple]:
        node, words = self._node(f"patient/{escaped(patient)}/state/{escaped(measure)}/{day}"), self.words(measure)
        yield from self._made(node, "StateAssessment", f"{plain(patient)}, {plain(words)}, {day}: {word}")
        yield node.link(SLE + "ofPatient", patient_iri(patient))
        yield from node.say(SLE + "resultMeasure", measure)
        yield from node.say(SLE + "resultDefinition", words)
        yield from node.date(SLE + "assessmentDate", day.isoformat())
        yield node.link(SLE + "stateWord", SLE + _WORDS[word])

    def _score(self, patient: str, name: str, point: Point) -> Iterator[ox.Triple]:
        node = self._node(f"patient/{escaped(patient)}/score/{escaped(name)}/{point.date}")
        yield from self._made(node, "ScoreAssessment", f"{plain(patient)}, {label(name)}, {point.date}")
        yield node.link(SLE + "ofPatient", patient_iri(patient))
        yield node.link(SLE + "assesses", SLE + escaped(name))
        yield from node.date(SLE + "assessmentDate", point.date.isoformat())
        yield from _number(node, "lowerBound", point.lower)
        yield from _number(node, "upperBound", point.upper)

    def _unread(self, patient: str, number: int, unread: Unread) -> Iterator[ox.Triple]:
        node = self._node(f"patient/{escaped(patient)}/unread/{number}")
        yield Node(self.activity).link(SLE + "leftUnread", node.iri)
        yield from node.type(SLE + "UnreadRecord")
        yield from _record(node, record_iri(patient, unread.record))
        yield from node.say(RDFS + "label", unread.display or None)
        yield from node.say(SLE + "unreadCode", unread.code or None)
        yield from node.say(SLE + "unreadReason", unread.why)

    def _cohort_row(self, row: CohortRow) -> Iterator[ox.Triple]:
        node = self._node("cohort/" + "/".join(map(escaped, (row.id, row.measure, row.time_point))))
        yield from self._made(node, "CohortResult", f"{self.result.trial} {plain(row.id)}, {plain(row.time_point)}")
        yield from self._defined(node, row)
        yield from node.say(SLE + "patientsInfused", row.infused)
        yield from node.say(SLE + "patientsEvaluable", row.evaluable)
        yield from node.say(SLE + "patientsReached", row.reached)
        low, high = row.ci95 or (None, None)
        numbers = {
            "proportionOfEvaluable": row.proportion_of_evaluable,
            "proportionOfInfused": row.proportion_of_infused,
            "confidenceLower": low,
            "confidenceUpper": high,
            "mean": row.mean,
            "median": row.median,
            "leastValue": row.least,
            "greatestValue": row.greatest,
        }
        for name, value in numbers.items():
            yield from _number(node, name, value)
        yield from node.say(SLE + "missingFact", *(f"{what} ({patients})" for what, patients in row.missing.items()))

    def _event_rows(self, kind: str, rows: Iterable[EventRow]) -> Iterator[ox.Triple]:
        """For each term and highest grade how many patients."""
        for row in rows:
            for grade, patients in row.highest_grade.items():
                node = self._node(f"cohort/{kind}/{escaped(row.term)}/{escaped(grade)}")
                words = f"{self.result.trial}, {plain(row.term)}, highest grade {plain(grade)}: {patients}"
                yield from self._made(node, "EventCount", words)
                yield from node.say(SLE + "eventTerm", row.term)
                yield from node.say(SLE + "countedKind", kind)
                yield from node.say(SLE + "gradeWord", grade)
                yield from node.say(SLE + "patientsCounted", patients)

    def _node(self, path: str) -> Node:
        return Node(f"{self.root}/{path}")

    def _made(self, node: Node, name: str, words: str) -> Iterator[ox.Triple]:
        """What everything that the evaluation made says."""
        yield from node.type(SLE + name, PROV + "Entity")
        yield from node.say(RDFS + "label", words)
        yield node.link(SLE + "ofTrial", self.trial)
        yield node.link(PROV + "wasGeneratedBy", self.activity)


_NUMBERS = {"value": "resultNumber", "change": "changeNumber", "lower": "lowerBound", "upper": "upperBound"}


def render_turtle(result: TrialOutcomes) -> bytes:
    """The outcomes as UTF-8 Turtle."""
    return write_turtle(_Writer(result).triples(), PREFIXES | {"outcome": OUTCOME})


def _evidence(result: Node, number: int, patient: str, evidence: Evidence) -> Iterator[ox.Triple]:
    """A record on which a result rests, with its value as recorded."""
    node, record = Node(f"{result.iri}/evidence/{number}"), record_iri(patient, evidence.record)
    yield from _derived(result, record)
    yield result.link(SLE + "outcomeEvidence", node.iri)
    yield from node.type(SLE + "Evidence", PROV + "Entity")
    yield from _record(node, record)
    yield from node.say(SLE + "evidenceWhat", evidence.what)
    yield from node.say(SLE + "evidenceValue", evidence.value)
    yield from node.say(SLE + "evidenceDate", evidence.date)


def _derived(node: Node, record: str) -> Iterator[ox.Triple]:
    yield node.link(PROV + "wasDerivedFrom", record)
    yield from Node(record).type(PROV + "Entity")


def _record(node: Node, record: str) -> Iterator[ox.Triple]:
    yield node.link(SLE + "evidenceRecord", record)
    yield from Node(record).type(PROV + "Entity")


def _number(node: Node, name: str, value: Decimal | None) -> Iterator[ox.Triple]:
    """An exact xsd:decimal; nothing where there is no number."""
    if value is not None:
        literal = ox.Literal(decimal_text(value), datatype=ox.NamedNode(XSD + "decimal"))
        yield ox.Triple(ox.NamedNode(node.iri), ox.NamedNode(SLE + name), literal)


def _day(day: dt.date | None) -> str | None:
    return None if day is None else day.isoformat()
