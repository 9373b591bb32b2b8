"""What a top-level row and its parts say of a patient, asked of very many patients.

A hospital has nearly as many patterns of a large group as patients who reach it. Each is looked into by judging rows
again and again with one of them changed; what a row is follows from its comparisons, from what is attested of it and
from the rows that it refers to, so every outcome is remembered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sle_kg.criteria import Criterion
from sle_kg.engines import RowStatus
from sle_kg.evaluate import UNBOUNDED, Attestations, Bounds, RowTruth, RuleSet, Truth, compare, counts_as, row_truth
from sle_kg.open_rows import OpenRows
from sle_kg.verdict import OpenKind
from sle_kg.verdicts import status_of

MOST_REMEMBERED = 50_000
"""Outcomes of rows remembered; memory must not grow with the cohort."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a pattern of one top-level row says.

    `clear`: no decisive row fails, and what is open is a test, an agreement or a judgement. `open`: the open rows
    without parts that decide, with whose move they are. `settling`: those of them of which either answer makes the
    top-level row known.
    """

    clear: bool
    open: tuple[tuple[str, OpenKind], ...]
    settling: tuple[str, ...]


class Family:
    """A top-level row with its parts, the `members`; `rules` are those of all rows on which they depend."""

    def __init__(self, rules: RuleSet, top: str, members: Sequence[str]) -> None:
        self.rules, self.top, self.members = rules, top, members
        self._parents = {row.parent for row in rules.trial.criteria}
        self._criteria = {row.id: row for row in rules.order}
        self._leaves = {row.id: rules.leaves([row.id]) for row in rules.order}
        self._parts = {row.id: tuple(dict.fromkeys(rules.parts(row.id))) for row in rules.order}
        family = [row for row in rules.order if row.id in set(members)]
        self._above = {row: self._depending(row, family) for row in members}
        self._later = {row: self._depending(row, rules.order) for row in members}
        self._outcomes: dict[object, RowTruth] = {}

    def look(self, bounds: Bounds, attested: Attestations) -> Found:
        """What is found of a patient."""
        if len(self._outcomes) > MOST_REMEMBERED:
            self._outcomes.clear()
        patient = _Patient(self, bounds, attested)
        found = {row: RowStatus(one.met, one.not_applicable) for row, one in patient.truths.items()}
        opened = OpenRows(self.rules, bounds, attested, found, patient.truths)
        members = ((self._criteria[row], found[row]) for row in self.members)
        statuses = {row.id: status_of(row, one.met, one.not_applicable) for row, one in members}
        against = [row for row in self.members if statuses[row] in ("fail", "unknown")]
        decisive = [row for row in against if row == self.top or patient.decides(row, self._above[row])]
        kinds = [(row, kind) for row in decisive if (kind := opened.kind(row)) is not None]
        clear = not any(statuses[row] == "fail" for row in decisive) and all(kind != "data" for _, kind in kinds)
        ends = tuple((row, kind) for row, kind in kinds if row not in self._parents)
        settling = tuple(row for row, _ in ends if patient.settles(row, self._later[row]))
        return Found(clear, ends, settling)

    def own(self, row: str, bounds: Bounds, attested: Attestations) -> object:
        """What a row itself rests on, whatever the rows are that it refers to."""
        truths = tuple(compare(leaf, bounds.get(leaf.feature.slug, UNBOUNDED)) for leaf in self._leaves[row])
        return row, truths, attested.get(row)

    def truth(
        self, row: str, own: object, bounds: Bounds, attested: Attestations, counted: Mapping[str, Truth]
    ) -> RowTruth:
        """The truth of a row where those it refers to count as `counted`."""
        key = own, tuple(counted[part] for part in self._parts[row])
        if key not in self._outcomes:
            self._outcomes[key] = row_truth(self.rules, row, bounds, attested, counted)
        return self._outcomes[key]

    def _depending(self, row: str, among: Iterable[Criterion]) -> list[Criterion]:
        """The rows that refer to a row, however far, parts first."""
        found: dict[str, Criterion] = {}
        for other in among:
            if any(part == row or part in found for part in self._parts[other.id]):
                found[other.id] = other
        return list(found.values())


class _Patient:
    """One patient: the truths of all rows, and what they would be if one row were different."""

    def __init__(self, family: Family, bounds: Bounds, attested: Attestations) -> None:
        self._family, self._bounds, self._attested = family, bounds, attested
        self._own: dict[str, object] = {}
        self.truths: dict[str, RowTruth] = {}
        self._counted: dict[str, Truth] = {}
        for criterion in family.rules.order:
            self._own[criterion.id] = family.own(criterion.id, bounds, attested)
            self.truths[criterion.id] = self._truth(criterion.id, self._counted)
            self._counted[criterion.id] = counts_as(criterion, self.truths[criterion.id])

    def decides(self, row: str, above: Iterable[Criterion]) -> bool:
        """Whether another status of a row alone could change that of the top-level row, through the rows `above`."""
        before = _standing(self.truths[self._family.top])
        others = (truth for truth in (True, False, None) if truth != self._counted[row])
        return any(_standing(self._top_if(row, other, above)) != before for other in others)

    def settles(self, row: str, later: Iterable[Criterion]) -> bool:
        """Whether the top-level row is known whichever way an open row is answered."""
        tops = [self._top_if(row, answer, later) for answer in (True, False)]
        return all(top.met is not None or top.not_applicable for top in tops)

    def _top_if(self, row: str, truth: Truth, depending: Iterable[Criterion]) -> RowTruth:
        """The truth of the top-level row if another one were different."""
        counted, top = {**self._counted, row: truth}, self.truths[self._family.top]
        if row == self._family.top:
            top = RowTruth(truth)
        for criterion in depending:
            changed = self._truth(criterion.id, counted)
            counted[criterion.id] = counts_as(criterion, changed)
            if criterion.id == self._family.top:
                top = changed
        return top

    def _truth(self, row: str, counted: Mapping[str, Truth]) -> RowTruth:
        return self._family.truth(row, self._own[row], self._bounds, self._attested, counted)


def _standing(truth: RowTruth) -> tuple[Truth, bool]:
    return (True, True) if truth.not_applicable else (truth.met, False)
