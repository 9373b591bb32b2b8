"""Verdicts as RDF: EARL assertions with PROV evidence, in Turtle, the same bytes for the same verdicts.

Every node has an IRI under `verdict/<patient>/<trial>/<date>`; there are no blank nodes. `shapes/verdict.ttl` says the
form. EARL 1.0: https://www.w3.org/TR/EARL10-Schema/; PROV-O: https://www.w3.org/TR/prov-o/.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

import pyoxigraph as ox

from sle_kg import __version__
from sle_kg.namespaces import BASE, DCTERMS, EARL, PATIENT, PREFIXES, PROV, RDF, RDFS, READING, SLE, TRIAL, VERDICT, XSD
from sle_kg.report.text import AID_SENTENCE, OPEN_KINDS, caveats_of, plain
from sle_kg.turtle import write_turtle
from sle_kg.verdict import Evidence, OtherReading, RowVerdict, Status, Unread, Verdict

SOFTWARE = f"{BASE}software/{__version__}"

_OUTCOMES: dict[str, str] = {
    "pass": EARL + "passed",
    "eligible": EARL + "passed",
    "fail": EARL + "failed",
    "ineligible": EARL + "failed",
    "unknown": EARL + "cantTell",
    "undetermined": EARL + "cantTell",
    "not-applicable": EARL + "inapplicable",
}


@dataclass(frozen=True, slots=True)
class Node:
    """A subject that writes its own triples; what is None is not said."""

    iri: str

    def type(self, *classes: str) -> Iterator[ox.Triple]:
        """The classes of the node."""
        for name in classes:
            yield self.link(RDF + "type", name)

    def link(self, predicate: str, target: str) -> ox.Triple:
        """A statement about another node."""
        return ox.Triple(ox.NamedNode(self.iri), ox.NamedNode(predicate), ox.NamedNode(target))

    def say(self, predicate: str, *values: str | bool | int | None) -> Iterator[ox.Triple]:
        """Statements with a literal each."""
        for value in values:
            if value is not None:
                yield ox.Triple(ox.NamedNode(self.iri), ox.NamedNode(predicate), _literal(value))

    def date(self, predicate: str, value: str | None) -> Iterator[ox.Triple]:
        """A statement with a date."""
        if value is not None:
            literal = ox.Literal(value, datatype=ox.NamedNode(XSD + "date"))
            yield ox.Triple(ox.NamedNode(self.iri), ox.NamedNode(predicate), literal)


def render_turtle(verdicts: Iterable[Verdict]) -> bytes:
    """The verdicts as UTF-8 Turtle."""
    triples = list(_software())
    for verdict in verdicts:
        triples += _verdict(verdict)
    return write_turtle(triples, PREFIXES)


def _software() -> Iterator[ox.Triple]:
    """Who asserts: this version of the program, with what it is and is not."""
    node = Node(SOFTWARE)
    yield from node.type(SLE + "ScreeningSoftware", EARL + "Software")
    yield from node.say(RDFS + "label", f"sle-kg {__version__}")
    yield from node.say(DCTERMS + "description", AID_SENTENCE)


def _verdict(verdict: Verdict) -> Iterator[ox.Triple]:
    subject = patient_iri(verdict.patient)
    node = Node(verdict_iri(verdict))
    yield from node.type(SLE + "Verdict", EARL + "Assertion")
    yield from node.say(RDFS + "label", f"{plain(verdict.patient)}, {verdict.trial}: {verdict.verdict}")
    yield from _assertion(node, subject, TRIAL + verdict.trial)
    yield from node.date(SLE + "onDate", verdict.on)
    yield from node.say(SLE + "verdictWord", verdict.verdict)
    yield from node.say(SLE + "nothingAgainst", verdict.nothing_against)
    yield from node.say(SLE + "sourceComplete", verdict.source_complete)
    for kind in OPEN_KINDS:
        yield from node.say(f"{SLE}openItems{kind.capitalize()}", verdict.open_items.get(kind, 0))
    yield from node.say(SLE + "recruitmentStatus", verdict.recruitment_status)
    yield from node.date(SLE + "recruitmentAsOf", verdict.recruitment_as_of)
    yield from node.say(SLE + "recruitmentSource", verdict.recruitment_source)
    yield from node.say(SLE + "caveat", *caveats_of(verdict))
    yield from node.say(RDFS + "comment", *verdict.notes)
    yield from node.date(SLE + "earliestEligible", verdict.earliest_eligible)
    yield from _result(node, verdict.verdict, None)
    yield from Node(subject).type(SLE + "Patient", EARL + "TestSubject")
    yield from Node(subject).say(DCTERMS + "identifier", verdict.patient)
    for number, unread in enumerate(verdict.unread, start=1):
        yield node.link(SLE + "hasUnreadRecord", f"{node.iri}/unread/{number}")
        yield from _unread(Node(f"{node.iri}/unread/{number}"), verdict.patient, unread)
    for row in verdict.criteria:
        yield node.link(SLE + "hasRowVerdict", f"{node.iri}/{escaped(row.id)}")
        yield from _row(Node(f"{node.iri}/{escaped(row.id)}"), verdict, row)


def _row(node: Node, verdict: Verdict, row: RowVerdict) -> Iterator[ox.Triple]:
    yield from node.type(SLE + "RowVerdict", EARL + "Assertion")
    yield from node.say(RDFS + "label", f"{plain(verdict.patient)}, {verdict.trial} {row.id}: {row.status}")
    yield from _assertion(node, patient_iri(verdict.patient), f"{TRIAL}{verdict.trial}/{escaped(row.id)}")
    yield from node.say(SLE + "statusWord", row.status)
    yield from node.say(SLE + "decisive", row.decisive)
    yield from node.say(SLE + "needsJudgement", row.needs_judgement)
    yield from node.say(SLE + "missingFact", *row.missing)
    yield from node.say(SLE + "openKind", row.open_kind)
    yield from node.say(SLE + "flagText", *row.flags)
    yield from node.say(SLE + "readingUsed", row.reading)
    yield from node.date(SLE + "passesFrom", row.passes_from)
    yield from node.date(SLE + "validUntil", row.valid_until)
    yield from _result(node, row.status, row.reason)
    for other in row.other_readings:
        yield from _other_reading(node, other)
    for number, evidence in enumerate(row.evidence, start=1):
        yield from _evidence(node, number, verdict.patient, evidence)


def _assertion(node: Node, subject: str, test: str) -> Iterator[ox.Triple]:
    """What every EARL assertion says: who, about whom, which test, how."""
    yield node.link(EARL + "assertedBy", SOFTWARE)
    yield node.link(EARL + "subject", subject)
    yield node.link(EARL + "test", test)
    yield node.link(EARL + "mode", EARL + "automatic")


def _result(node: Node, word: str, reason: str | None) -> Iterator[ox.Triple]:
    result = Node(f"{node.iri}/result")
    yield node.link(EARL + "result", result.iri)
    yield from result.type(SLE + "VerdictResult", EARL + "TestResult")
    yield result.link(EARL + "outcome", _OUTCOMES[word])
    yield from result.say(EARL + "info", reason)


def _other_reading(row: Node, other: OtherReading) -> Iterator[ox.Triple]:
    path = f"{escaped(other.ambiguity)}/{escaped(other.key)}"
    node = Node(f"{row.iri}/reading/{path}")
    yield row.link(SLE + "hasOtherReading", node.iri)
    yield from node.type(SLE + "OtherReading")
    yield node.link(SLE + "underReading", READING + path)
    yield node.link(SLE + "otherOutcome", outcome_iri(other.status))


def _evidence(row: Node, number: int, patient: str, evidence: Evidence) -> Iterator[ox.Triple]:
    """A record on which the status rests: the result is derived from it."""
    node, record = Node(f"{row.iri}/evidence/{number}"), record_iri(patient, evidence.record)
    yield row.link(SLE + "hasEvidence", node.iri)
    yield Node(f"{row.iri}/result").link(PROV + "wasDerivedFrom", record)
    yield from node.type(SLE + "Evidence", PROV + "Entity")
    yield node.link(SLE + "evidenceRecord", record)
    yield from node.say(SLE + "evidenceWhat", evidence.what)
    yield from node.say(SLE + "evidenceValue", evidence.value)
    yield from node.say(SLE + "evidenceDate", evidence.date)
    yield from Node(record).type(PROV + "Entity")


def _unread(node: Node, patient: str, unread: Unread) -> Iterator[ox.Triple]:
    yield from node.type(SLE + "UnreadRecord")
    yield node.link(SLE + "evidenceRecord", record_iri(patient, unread.record))
    yield from node.say(RDFS + "label", unread.display or None)
    yield from node.say(SLE + "unreadCode", unread.code or None)
    yield from node.say(SLE + "unreadReason", unread.why)
    yield from Node(record_iri(patient, unread.record)).type(PROV + "Entity")


def outcome_iri(status: Status) -> str:
    """The EARL outcome of a status."""
    return _OUTCOMES[status]


def patient_iri(patient: str) -> str:
    """The IRI of a patient; every character that an IRI does not take is percent-encoded."""
    return PATIENT + escaped(patient)


def record_iri(patient: str, record: str) -> str:
    """The IRI of a patient's record `Observation/obs-3`."""
    return "/".join((patient_iri(patient), *(escaped(part) for part in record.split("/"))))


def verdict_iri(verdict: Verdict) -> str:
    """The IRI of the verdict of a patient, a trial and a date."""
    return f"{VERDICT}{escaped(verdict.patient)}/{verdict.trial}/{verdict.on}"


def escaped(text: str) -> str:
    """The text as one segment of an IRI."""
    return quote(text, safe="", errors="replace")


def _literal(value: str | bool | int) -> ox.Literal:
    """A boolean, integer or string; lone surrogates, which RDF cannot hold, become U+FFFD."""
    if isinstance(value, str):
        return ox.Literal("".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in value))
    return ox.Literal(value)
