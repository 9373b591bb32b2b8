"""From truths to verdicts: statuses, reasons, evidence, what is missing and whose move it is (CONTRACT section 3).

This is the only place where an exclusion turns the sign: a row *passes* when it speaks for enrolment.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sle_kg.criteria import (
    ByReading,
    Condition,
    Criterion,
    Judgement,
    Leaf,
    RowRef,
    Trial,
    under_readings,
    walk,
)
from sle_kg.engines import RowStatus
from sle_kg.evaluate import (
    UNBOUNDED,
    Attestations,
    Bound,
    Bounds,
    RuleSet,
    Truth,
    deciding_leaves,
    decisive_rows,
    row_truths,
)
from sle_kg.open_kinds import leaf_open_kind
from sle_kg.open_rows import OpenRows
from sle_kg.refusals import reason
from sle_kg.verdict import (
    Evidence,
    OpenKind,
    OtherReading,
    RowVerdict,
    Status,
    Unread,
    Verdict,
    VerdictWord,
)
from sle_kg.wording import Words

KINDS: tuple[OpenKind, ...] = ("data", "test", "agreement", "judgement")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An attestation that cannot be read, and why; its date as recorded, and whether that is a date."""

    record: str
    date: str | None
    why: str
    dated: bool

    @property
    def words(self) -> str:
        """`Observation/a1 of 2026-11-20 (an attestation is true or false)`."""
        return f"{self.record}{f' of {self.date}' if self.date else ''}{f' ({self.why})' if self.why else ''}"


@dataclass(frozen=True, slots=True)
class Subject:
    """Everything that is known of one patient for one trial on one date.

    `evidence` gives the evidence line of a record id; `records` the record ids behind a feature (by slug);
    `attested` the evidence of the attestations that count, by row, of which those that are `unreadable` may say either.
    `stand_ins` are the anchors for which the screening date stands in; `unbound_consents` the research consents that
    name no trial.
    """

    patient: str
    on: dt.date
    bounds: Bounds
    records: Mapping[str, tuple[str, ...]]
    attestations: Attestations
    attested: Mapping[str, tuple[Evidence, ...]]
    evidence: Callable[[str], Evidence]
    words: Words
    unread: tuple[Unread, ...] = ()
    stand_ins: frozenset[str] = frozenset()
    unbound_consents: tuple[Evidence, ...] = ()
    unreadable: Mapping[str, tuple[Unreadable, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dates:
    """The dates ahead of one patient and trial, by row; `earliest_eligible` of the trial."""

    passes_from: Mapping[str, dt.date] = field(default_factory=dict)
    valid_until: Mapping[str, dt.date] = field(default_factory=dict)
    earliest_eligible: dt.date | None = None


def status_of(criterion: Criterion, met: Truth, not_applicable: bool) -> Status:
    """A row's status: exclusion turns the sign here, and nowhere else."""
    if not_applicable:
        return "not-applicable"
    if met is None:
        return "unknown"
    return "pass" if met == (criterion.kind == "inclusion") else "fail"


def statuses(trial: Trial, truths: Mapping[str, RowStatus]) -> dict[str, Status]:
    """The status of every row of which the truth is given, in the record's order."""
    return {
        row.id: status_of(row, truths[row.id].met, truths[row.id].not_applicable)
        for row in trial.criteria
        if row.id in truths
    }


def overall(trial: Trial, found: Mapping[str, Status]) -> VerdictWord:
    """The verdict from the rows without a parent: a failure decides, then an unknown."""
    tops = {found[criterion.id] for criterion in trial.criteria if criterion.parent is None}
    return "ineligible" if "fail" in tops else "undetermined" if "unknown" in tops else "eligible"


def alternative_rules(trial: Trial, readings: Mapping[str, str]) -> list[tuple[str, str, RuleSet]]:
    """Each documented reading that is not the one in force, with the rules under it, one at a time."""
    in_force = {reading.ambiguity: reading.key for reading in trial.readings if reading.default} | dict(readings)
    return [
        (reading.ambiguity, reading.key, RuleSet.of(trial, {**readings, reading.ambiguity: reading.key}))
        for reading in sorted(trial.readings, key=lambda reading: (reading.ambiguity, reading.key))
        if in_force.get(reading.ambiguity) != reading.key
    ]


def build_verdict(
    subject: Subject,
    rules: RuleSet,
    found: Mapping[str, RowStatus],
    readings: Mapping[str, str],
    alternatives: Sequence[tuple[str, str, RuleSet]],
    dates: Dates,
) -> Verdict:
    """The verdict with every row explained. `found` is what the engine says; it decides."""
    trial = rules.trial
    explainer = _Explainer(subject, rules, found)
    raised = _flags(explainer, readings)
    explained = explainer.explain()
    status = statuses(trial, found)
    decisive = decisive_rows(rules, subject.bounds, subject.attestations)
    others = _other_readings(subject, alternatives, status)
    rows = tuple(
        RowVerdict(
            id=row.id,
            parent=row.parent,
            kind=row.kind,
            text=row.text,
            sentence=row.sentence,
            status=status[row.id],
            decisive=row.id in decisive,
            reason=_with_date(explained[row.id], dates.passes_from.get(row.id)),
            evidence=explained[row.id].evidence,
            missing=explained[row.id].missing,
            open_kind=explained[row.id].open_kind,
            needs_judgement=explained[row.id].needs_judgement,
            flags=raised[row.id],
            reading=_reading(row, trial, readings),
            other_readings=tuple(others.get(row.id, ())),
            passes_from=_iso(dates.passes_from.get(row.id)),
            valid_until=_iso(dates.valid_until.get(row.id)),
        )
        for row in trial.criteria
    )
    parents = {row.parent for row in rows}
    open_rows = [row for row in rows if row.decisive and row.status == "unknown"]
    counted = [row.open_kind for row in open_rows if row.id not in parents]
    return Verdict(
        patient=subject.patient,
        trial=trial.id,
        trial_label=trial.label,
        on=subject.on.isoformat(),
        verdict=overall(trial, status),
        nothing_against=not any(row.decisive and row.status == "fail" for row in rows)
        and all(row.open_kind != "data" for row in open_rows),
        open_items={kind: counted.count(kind) for kind in KINDS},
        source_complete=trial.source_complete,
        recruitment_status=trial.recruitment_status,
        recruitment_as_of=trial.recruitment_as_of,
        recruitment_source=trial.recruitment_source,
        caveats=trial.caveats,
        earliest_eligible=_iso(dates.earliest_eligible),
        unread=subject.unread,
        criteria=rows,
    )


@dataclass(frozen=True, slots=True)
class _Explanation:
    reason: str
    evidence: tuple[Evidence, ...] = ()
    missing: tuple[str, ...] = ()
    open_kind: OpenKind | None = None
    needs_judgement: bool = False
    washout: bool = False


class _Explainer:
    """Explains the rows of one subject, parts before the rows that refer to them."""

    def __init__(self, subject: Subject, rules: RuleSet, found: Mapping[str, RowStatus]) -> None:
        self.subject, self.rules, self.found = subject, rules, found
        self.open_rows = OpenRows(rules, subject.bounds, subject.attestations, found)
        self.truths, self.counted = self.open_rows.truths, self.open_rows.counted
        self.status = statuses(rules.trial, found)
        self.done: dict[str, _Explanation] = {}

    def explain(self) -> dict[str, _Explanation]:
        """The explanation of every row."""
        for criterion in self.rules.order:
            self.done[criterion.id] = self._row(criterion)
        return self.done

    def _row(self, criterion: Criterion) -> _Explanation:
        row = criterion.id
        if self.found[row].not_applicable:
            return self._known(self.rules.not_applicable[row], "Does not apply: ", "")
        attested = self.subject.attested.get(row, ())
        data = self.truths[row].data
        if self.found[row].met is None:
            return self._contradicted(criterion, data, attested) if attested else self._open(criterion)
        remark = self._remark(criterion)
        if data is None:
            return _Explanation(_sentence(self._said(row)), attested)
        return self._known(self.rules.conditions[row], "", remark, attested)

    def _known(
        self, condition: Condition, start: str, remark: str, attested: tuple[Evidence, ...] = ()
    ) -> _Explanation:
        """Why a condition is known: the leaves and rows that decide it."""
        deciding = list(dict.fromkeys(deciding_leaves(condition, self.subject.bounds, self.counted)))
        leaves = [node for node in deciding if isinstance(node, Leaf)]
        rows = [node.row for node in deciding if isinstance(node, RowRef)]
        same: dict[str, list[Leaf]] = {}
        for leaf in leaves:
            same.setdefault(leaf.feature.slug, []).append(leaf)
        said = [self.subject.words.found(some, self._bound(some[0]), self._evidence(some[0])) for some in same.values()]
        sentence = "; ".join([*dict.fromkeys(said), *self._parts(rows)]) or "it holds of everybody"
        evidence = [item for leaf in leaves for item in self._evidence(leaf)]
        evidence += [item for row in rows for item in self.done[row].evidence]
        washout = any(leaf.feature.kind == "WashoutCondition" for leaf in leaves)
        return _Explanation(_sentence(start + sentence + remark), _unique([*evidence, *attested]), washout=washout)

    def _open(self, criterion: Criterion) -> _Explanation:
        """Why a row is unknown, what would settle it, and whose move it is."""
        code = f"attest:{criterion.trial}/{criterion.id}"
        opened = self.open_rows.opened(criterion.id)
        leaves, rows, questions, kind = opened.leaves, opened.rows, opened.judgements, opened.kind
        said = [self.subject.words.unknown(leaf, self._bound(leaf), self._evidence(leaf)) for leaf in leaves]
        said += [f"to be judged: {node.question}" for node, ripe in questions if ripe or not leaves]
        known = self._known_beside(self.rules.conditions[criterion.id])
        said += [self.subject.words.found(some, self._bound(some[0]), self._evidence(some[0])) for some in known]
        missing = [text for leaf in leaves for text in self.subject.words.missing(leaf, code)]
        missing += [f"{_answerer(node)}: {node.question} ({code})" for node, ripe in questions if ripe or not leaves]
        missing += [text for row in rows for text in self.done[row].missing]
        evidence = [item for leaf in [*leaves, *(some[0] for some in known)] for item in self._evidence(leaf)]
        evidence += [item for row in rows for item in self.done[row].evidence]
        return _Explanation(
            _sentence("; ".join([*dict.fromkeys(said), *self._parts(rows)]) + self._remark(criterion)),
            _unique(evidence),
            tuple(dict.fromkeys(missing)),
            kind,
            kind == "judgement",
        )

    def _known_beside(self, condition: Condition) -> list[list[Leaf]]:
        """The results, by feature, that are known where the row is not: a bilirubin that waits for a diagnosis."""
        same: dict[str, list[Leaf]] = {}
        for node in walk(condition):
            if isinstance(node, Leaf) and self.open_rows.truth(node) is not None and leaf_open_kind(node) == "test":
                same.setdefault(node.feature.slug, []).append(node)
        return list(same.values())

    def _contradicted(self, criterion: Criterion, data: Truth, attested: tuple[Evidence, ...]) -> _Explanation:
        """Data and attestation disagree, or two attestations of one date, or nobody can read the newest: all named."""
        if unreadable := self.subject.unreadable.get(criterion.id):
            return self._unreadable(criterion, data, attested, unreadable)
        if data is None:
            reason = f"Attestations contradict each other: {self._said(criterion.id)}."
            return _Explanation(reason, attested, ("which of the two attestations holds",), "data")
        known = self._known(self.rules.conditions[criterion.id], "", "")
        found = known.reason.removesuffix(".")
        reason = f"Records and attestation contradict each other: {found}; but {self._said(criterion.id)}."
        missing = ("which holds, the records or the attestation",)
        return _Explanation(reason, _unique([*known.evidence, *attested]), missing, "data")

    def _unreadable(
        self, criterion: Criterion, data: Truth, attested: tuple[Evidence, ...], which: Sequence[Unreadable]
    ) -> _Explanation:
        """The newest attestation, or one of which nobody knows that it is older, cannot be read."""
        said = f"the newest attestation cannot be read: {', '.join(one.words for one in which)}"
        evidence, missing = attested, f"the attestation again, true or false (attest:{criterion.trial}/{criterion.id})"
        if data is not None:
            known = self._known(self.rules.conditions[criterion.id], "", "")
            said = f"{known.reason.removesuffix('.')}; but {said}, which may say otherwise"
            evidence = _unique([*known.evidence, *attested])
        if undated := [one.record for one in which if not one.dated]:
            missing = f"the day and the answer of the attestation {' and '.join(undated)}"
        return _Explanation(_sentence(said), evidence, (missing,), "data")

    def _said(self, row: str) -> str:
        """What was attested of a row, and when."""
        values = sorted(self.subject.attestations.get(row, ()), reverse=True)
        words = " and ".join("holds" if value else "does not hold" for value in values)
        dates = sorted({item.date for item in self.subject.attested.get(row, ()) if item.date})
        return f"attested{' on ' if dates else ''}{' and '.join(dates)}: the quoted sentence {words}"

    def _parts(self, rows: Sequence[str]) -> list[str]:
        """`I03a and I03b pass`, grouped by status."""
        verbs: dict[Status, tuple[str, str]] = {
            "pass": ("passes", "pass"),
            "fail": ("fails", "fail"),
            "unknown": ("is open", "are open"),
            "not-applicable": ("does not apply", "do not apply"),
        }
        said = []
        for status, (one, many) in verbs.items():
            names = [row for row in self.status if row in rows and self.status[row] == status]
            if names:
                listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
                said.append(f"{listed} {one if len(names) == 1 else many}")
        return said

    def _remark(self, criterion: Criterion) -> str:
        """What must be said beside the reason: a stand-in date, a consent that names no trial."""
        leaves = [node for node in walk(self.rules.conditions[criterion.id]) if isinstance(node, Leaf)]
        note = ""
        if any(leaf.feature.kind == "ConsentCondition" for leaf in leaves):
            for item in self.subject.unbound_consents:
                day, said = f" of {item.date}" if item.date else "", item.value.removeprefix("bound to no trial, ")
                said = f", {said}," if said != item.value else ""
                note += f"; the research consent {item.record}{day}{said} names no trial and settles nothing"
            against = self.subject.words.refusals
            if against and self.found[criterion.id].met is not None:
                note += f"; a consent is recorded as {reason(against)}"
        for anchor in sorted(self.subject.stand_ins):
            if any(leaf.feature.get("anchor") == anchor for leaf in leaves):
                name = self.subject.words.label(anchor).lower()
                note += f"; no date of {name} is recorded, so the screening date stands in"
        return note

    def _bound(self, leaf: Leaf) -> Bound:
        return self.subject.bounds.get(leaf.feature.slug, UNBOUNDED)

    def _evidence(self, leaf: Leaf) -> list[Evidence]:
        return [self.subject.evidence(record) for record in self.subject.records.get(leaf.feature.slug, ())]


def _flags(explainer: _Explainer, readings: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """By row, the warnings of the fact base whose condition is met under these readings."""
    return {
        row.id: tuple(
            flag.text
            for flag in row.flags
            if explainer.open_rows.truth(under_readings(flag.condition, readings)) is True
        )
        for row in explainer.rules.trial.criteria
    }


def _other_readings(
    subject: Subject, alternatives: Sequence[tuple[str, str, RuleSet]], status: Mapping[str, Status]
) -> dict[str, list[OtherReading]]:
    """By row, the readings under which its status would differ."""
    others: dict[str, list[OtherReading]] = {}
    for ambiguity, key, rules in alternatives:
        truths = row_truths(rules, subject.bounds, subject.attestations)
        for row in rules.trial.criteria:
            other = status_of(row, truths[row.id].met, truths[row.id].not_applicable)
            if other != status[row.id]:
                others.setdefault(row.id, []).append(OtherReading(ambiguity, key, other))
    return others


def _reading(criterion: Criterion, trial: Trial, readings: Mapping[str, str]) -> str:
    """The reading in force: `default`, or the keys chosen that are not the default of an ambiguity of this row."""
    defaults = {(reading.ambiguity, reading.key) for reading in trial.readings if reading.default}
    concerned = {node.ambiguity for node in walk(criterion.condition) if isinstance(node, ByReading)}
    chosen = [key for name, key in sorted(readings.items()) if name in concerned and (name, key) not in defaults]
    return ", ".join(chosen) or "default"


def _with_date(explanation: _Explanation, passes_from: dt.date | None) -> str:
    """The reason, and for a wash-out that runs its end; reports give the dates of other rows beside the reason."""
    if passes_from is None or not explanation.washout:
        return explanation.reason
    return f"{explanation.reason.removesuffix('.')}; the wash-out would end on {passes_from}."


def _answerer(question: Judgement) -> str:
    return {
        "judgement": "the investigator's statement",
        "agreement": "the patient's statement",
        "data": "a statement from the history",
    }[question.open_kind]


def _sentence(text: str) -> str:
    """One sentence: a capital at the start (not in `hCG`), one full stop or question mark at the end."""
    start = text[:1] if text[1:2].isupper() else text[:1].upper()
    return start + text[1:].rstrip(".") + ("" if text.endswith("?") else ".")


def _unique(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    return tuple(dict.fromkeys(evidence))


def _iso(day: dt.date | None) -> str | None:
    return None if day is None else day.isoformat()
