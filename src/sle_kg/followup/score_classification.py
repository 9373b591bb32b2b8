"""Classification of lupus over time: the recorded classification, points with bounds, and the items that count."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from sle_kg.conditions import ConditionReader
from sle_kg.criteria import Condition, Leaf, features_of
from sle_kg.definitions import definition_store
from sle_kg.evaluate import Bound, deciding_leaves, evaluate
from sle_kg.features.asks import Moment
from sle_kg.followup.assessment import Assessment, Result, Results, Scorer, feature, in_order, known, listed
from sle_kg.followup.explain import Explanation, sentence
from sle_kg.followup.results import ScoreResult
from sle_kg.followup.score_totals import plain
from sle_kg.followup.session import FollowUp, Question, tests_of
from sle_kg.namespaces import SLE
from sle_kg.ontology import Instrument, Item, instruments
from sle_kg.phrases import lower_first
from sle_kg.wording import shown

DIAGNOSIS = "sleDiagnosis"
ENTRY = "entry"
"""Kind of the item that is a condition of entry and gives no points."""
BIOPSY = "isnRpsClass"
"""The result that a condition on the class of a kidney biopsy reads."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A condition on results of one day that proposes an item, when it is met on so many days."""

    condition: Condition
    occasions: int


@dataclass(frozen=True, slots=True)
class _Met:
    """A day on which a proposal (by its number) is met, and by which records."""

    proposal: int
    day: dt.date
    records: tuple[str, ...]


@cache
def proposals(criteria_set: str) -> dict[str, tuple[Proposal, ...]]:
    """The results that propose an item, by item, of a classification set.

    Raises TrialFileError where the ontology says something that the vocabulary cannot express.
    """
    reader = ConditionReader(definition_store(), "ontology/scores.ttl")
    found = {}
    for item in instruments()[criteria_set].items:
        nodes = reader.values(SLE + item.key.replace(":", "-"), "proposedBy")
        found[item.key.partition(":")[2]] = tuple(
            Proposal(reader.condition(node, ()), int(reader.optional(node, "occasions") or 1)) for node in nodes
        )
    return found


def _tests(proposal: Proposal) -> set[str]:
    """The tests whose results may propose the item."""
    return {test for one in features_of(proposal.condition) for test in tests_of(one) or (BIOPSY,)}


class ClassificationScore(Scorer):
    """A classification set: met or not, points, items. Items are cumulative: once present counts."""

    window = 0

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.proposals = proposals(instrument.key)
        self.proposed_on: dict[tuple[str, str], list[_Met]] = {}
        self.classified = feature("ClassificationCondition", classificationSet=instrument.key, diagnosis=DIAGNOSIS)
        self.features = [self.classified]
        self.items = {item.key.partition(":")[2]: item for item in instrument.items}
        self.shown = {key for key, item in self.items.items() if item.kind == ENTRY or item.biopsy_classes}
        """Items that a result is, so that no attribution is needed: ANA as the condition of entry, kidney biopsies."""
        found = {test for key in self.shown for one in self.proposals[key] for test in _tests(one)}
        self.tests = [instrument.key, *(item.key for item in instrument.items), *sorted(found)]
        self.results = Results()

    def prepare(self, session: FollowUp) -> None:
        """Reads what is recorded of the set and its items, and what results of any day propose."""
        self.results = Results.of(session, set(self.tests))
        proposed = [one for some in self.proposals.values() for one in some]
        features = sorted({one for some in proposed for one in features_of(some.condition)}, key=lambda one: one.slug)
        tests = {test for one in proposed for test in _tests(one)}
        questions = [
            Question(patient, day, {"visit": Moment(day, day, day)}, features)
            for patient in session.patients
            for day in session.days(patient, tests)
        ]
        for question, findings in zip(questions, session.look(questions), strict=True):
            for key, some in self.proposals.items():
                for number, one in enumerate(some):
                    if evaluate(one.condition, findings.bounds, {}) is True:
                        leaves = deciding_leaves(one.condition, findings.bounds, {})
                        records = tuple(
                            record
                            for leaf in leaves
                            if isinstance(leaf, Leaf)
                            for record in findings.records.get(leaf.feature.slug, ())
                        )
                        met = _Met(number, question.on, records)
                        self.proposed_on.setdefault((question.patient, key), []).append(met)

    def result(self, seen: Assessment) -> ScoreResult:
        """The classification as known on one day."""
        found = {key: self.results.up_to(seen.patient, item.key, seen.on) for key, item in self.items.items()}
        by_results = {key: records for key in found if (records := self._proposing(seen.patient, key, seen.on))}
        items = {key: ever(rows) for key, rows in found.items()}
        shown = [key for key in by_results if key in self.shown and items[key] is None]
        items |= dict.fromkeys(shown, True)
        lower, upper = bound = self._points(seen, items)
        explained = seen.explain(Leaf("", self.classified, ">=", Decimal(1), Decimal(1)))
        used = [seen.line(row.record) for key, rows in found.items() for row in rows if row.present is items[key]]
        used += [seen.line(record) for key in shown for record in by_results[key]]
        open_items = [key for key in by_results if items[key] is None]
        missing = list(explained.missing)
        if explained.truth is None:
            missing += [f"whether {self._label(key)} counts: results propose it" for key in open_items]
        return ScoreResult(
            patient=seen.patient,
            date=seen.on,
            name=self.instrument.score_name or self.instrument.key,
            value=known(bound),
            result={True: "met", False: "not-met", None: "unknown"}[explained.truth],  # type: ignore[arg-type]
            lower=lower,
            upper=upper,
            items=items,
            reason=sentence(f"{self._why(explained)}; {self._counted(items, bound)}"),
            missing=tuple(missing),
            proposed=dict.fromkeys((key for key in by_results if key in shown or items[key] is None), True),
            contradictions=tuple(
                self._contradiction(seen, key, found[key], by_results[key]) for key in by_results if items[key] is False
            ),
            evidence=in_order((*explained.evidence, *used)),
        )

    def _why(self, explained: Explanation) -> str:
        """What the classification rests on: a refuted diagnosis, a recorded classification, or items."""
        label = self.instrument.label
        if explained.truth is None:
            return f"{label}: whether it is met is open"
        by = {line.record.partition("/")[0] for line in explained.evidence}
        recorded = [line for line in explained.evidence if line.what == label]
        met = "met" if explained.truth else "not met"
        if by == {"Condition"}:
            return f"{label}: {met}, the diagnosis of lupus is refuted ({explained.evidence[0].date})"
        if recorded:
            return f"{label}: {met} as recorded ({max(line.date or '' for line in recorded)})"
        return f"{label}: {met} by its items"

    def _proposing(self, patient: str, key: str, on: dt.date) -> tuple[str, ...]:
        """The records of results up to a day that propose an item, on as many days as it needs; none otherwise."""
        found = [met for met in self.proposed_on.get((patient, key), ()) if met.day <= on]
        for number, proposal in enumerate(self.proposals.get(key, ())):
            met = [one for one in found if one.proposal == number]
            if len({one.day for one in met}) >= proposal.occasions:
                return tuple(dict.fromkeys(record for one in met for record in one.records))
        return ()

    def _contradiction(self, seen: Assessment, key: str, recorded: Sequence[Result], records: Sequence[str]) -> str:
        lines = listed(f"{line.what} {line.value} ({line.date}, {line.record})" for line in map(seen.line, records))
        said = ", ".join(row.record for row in recorded)
        return sentence(f"{self._label(key)} is recorded as absent ({said}), and {lines} would make it present")

    def _label(self, key: str) -> str:
        return lower_first(plain(self.items[key].label))

    def _points(self, seen: Assessment, items: Mapping[str, bool | None]) -> Bound:
        """Points by the items; recorded points that fit them stand, those that do not form a range with them."""
        least = points(self.items, (key for key, present in items.items() if present))
        most = points(self.items, (key for key, present in items.items() if present is not False))
        stated = _latest(self.results.up_to(seen.patient, self.instrument.key, seen.on))
        if stated is None:
            return least, most
        return min(stated[0], most), max(stated[1], least)

    def _counted(self, items: Mapping[str, bool | None], bound: Bound) -> str:
        counting = [self.items[key] for key in counted(self.items, (key for key, present in items.items() if present))]
        lower, upper = bound
        assert lower is not None and upper is not None, "items bound the points"
        least, most = shown(lower), shown(upper)
        total = f"{least} points" if lower == upper else f"between {least} and {most} points"
        named = ", ".join(f"{self._label(item.key.partition(':')[2])} {item.weight}" for item in counting)
        return f"{total}{f' ({named})' if named else ''}"


def counted(items: Mapping[str, Item], present: Iterable[str]) -> list[str]:
    """The items that give points: of the items of one domain the highest, where the set weighs them; else every one.

    Source: EULAR/ACR 2019, only the highest weight of each domain; ACR 1997 and SLICC 2012 count criteria.
    """
    scoring = [key for key in present if items[key].kind != ENTRY]
    if not any(item.kind == ENTRY for item in items.values()):
        return scoring
    best: dict[str | None, str] = {}
    for key in scoring:
        domain = items[key].domain
        if domain not in best or (items[best[domain]].weight or 0) < (items[key].weight or 0):
            best[domain] = key
    return [key for key in scoring if key in best.values()]


def points(items: Mapping[str, Item], present: Iterable[str]) -> Decimal:
    """The points of the items that are present."""
    return Decimal(sum(items[key].weight or 0 for key in counted(items, present)))


def ever(results: Iterable[Result]) -> bool | None:
    """Whether an item was ever present: one yes proves it; it is known absent where it was only ever denied."""
    answers = [result.present for result in results]
    return True if True in answers else False if False in answers else None


def _latest(results: Iterable[Result]) -> tuple[Decimal, Decimal] | None:
    """The range of the latest recorded points; None where none are recorded."""
    rows = [(one.first, one.low, one.high) for one in results if one.low is not None and one.high is not None]
    dated = [first for first, _, _ in rows if first is not None]
    last = [(low, high) for first, low, high in rows if first is None or first == max(dated)]
    if not last:
        return None
    return min(low for low, _ in last if low is not None), max(high for _, high in last if high is not None)
