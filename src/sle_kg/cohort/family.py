"""What a top-level row and its parts say of very many patients: whose move what is open is, and what would settle it.

The same questions as `open_rows.py` and `evaluate.decisive_rows` ask of one patient, asked of columns of truths.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sle_kg.cohort.kleene import (
    FALSE,
    TRUE,
    UNKNOWN,
    Flags,
    Patients,
    RowTruths,
    Truths,
    all_truths,
    evaluate,
    row_truths,
)
from sle_kg.criteria import AllOf, Condition, Criterion, Judgement, Leaf, RowRef, children
from sle_kg.evaluate import RuleSet, Truth
from sle_kg.open_kinds import against, leaf_open_kind, open_kind
from sle_kg.open_rows import INVESTIGATOR
from sle_kg.timeline import changes
from sle_kg.verdict import OpenKind
from sle_kg.verdicts import KINDS

Kinds = npt.NDArray[np.int8]
"""Whose move a row is, for each patient: the place among `KINDS`, or `CLOSED` where it is known."""
CLOSED = len(KINDS)
_PLACE: dict[OpenKind, int] = {kind: place for place, kind in enumerate(KINDS)}


@dataclass(frozen=True, slots=True)
class Found:
    """What a top-level row says of some patients.

    `clear`: no decisive row fails, and what is open is a test, an agreement or a judgement. `open`: rows without parts,
    with whose move they are where they are open and decide. `settling`: for whom either answer to such a row makes the
    top-level row known.
    """

    clear: Flags
    open: tuple[tuple[str, Kinds, Flags], ...]


class Family:
    """A top-level row with its parts, the `members`; `rules` are those of all rows on which they depend."""

    def __init__(self, rules: RuleSet, top: str, members: Sequence[str]) -> None:
        self.rules, self.top, self.members = rules, top, members
        self._parents = {row.parent for row in rules.trial.criteria}
        self._criteria = {row.id: row for row in rules.order}
        family = [row for row in rules.order if row.id in set(members)]
        self._above = {row: self._depending(row, family) for row in members}
        self._later = {row: self._depending(row, rules.order) for row in members}

    def look(self, patients: Patients) -> Found:
        """What is found of some patients."""
        case = _Case(self.rules, patients)
        clear, open_rows = patients.flags(True), []
        for row in self.members:
            fails, kinds = case.truths[row].fails(self._criteria[row]), case.kinds(row)
            if row != self.top and (fails | (kinds != CLOSED)).any():
                decisive = self._decides(case, row)
                fails, kinds = fails & decisive, np.where(decisive, kinds, np.int8(CLOSED))
            clear &= ~fails & (kinds != _PLACE["data"])
            if row not in self._parents and (kinds != CLOSED).any():
                open_rows.append((row, kinds, self._settles(case, row)))
        return Found(clear, tuple(open_rows))

    def may_pass_later(self, patients: Patients) -> Flags:
        """For whom time could make the top-level row pass that fails or is unknown, as `timeline.may_pass_later`."""
        moving: dict[str, Flags] = {}
        for leaf in self.rules.leaves(self.rules.reached([self.top])):
            if changes(leaf, None, True):
                moves = patients.compared(leaf) != FALSE if not changes(leaf, False, True) else patients.flags(True)
                moving[leaf.feature.slug] = moves | moving.get(leaf.feature.slug, moves)
        if not moving:
            return patients.flags(False)

        def still(leaf: Leaf) -> Truths:
            truths = patients.compared(leaf)
            if (moves := moving.get(leaf.feature.slug)) is not None:
                truths = np.where(moves, np.int8(UNKNOWN), truths)
            return truths

        then = all_truths(self.rules, replace(patients, compared=still))[self.top]
        fails = FALSE if self._criteria[self.top].kind == "inclusion" else TRUE
        found: Flags = np.logical_or.reduce(list(moving.values())) & (then.met != fails)
        return found

    def _decides(self, case: _Case, row: str) -> Flags:
        """For whom another status of a row alone could change that of the top-level row, through the rows above it."""
        now = case.truths[self.top]
        found = case.patients.flags(False)
        for other in (True, False, None):
            top = self._top_if(case, row, other, self._above[row])
            found |= (top.exempt != now.exempt) | ~now.exempt & (top.met != now.met)
        return found

    def _settles(self, case: _Case, row: str) -> Flags:
        """For whom the top-level row is known whichever way a row is answered."""
        if row == self.top:
            return case.patients.flags(True)
        yes, no = (self._top_if(case, row, answer, self._later[row]).known for answer in (True, False))
        return yes & no

    def _top_if(self, case: _Case, row: str, truth: Truth, depending: Iterable[Criterion]) -> RowTruths:
        """The truth of the top-level row if another one were different."""
        counted, top = {**case.counted, row: case.patients.all(truth)}, case.truths[self.top]
        for criterion in depending:
            changed = row_truths(self.rules, criterion, case.patients, counted)
            counted[criterion.id] = changed.counted
            if criterion.id == self.top:
                top = changed
        return top

    def _depending(self, row: str, among: Iterable[Criterion]) -> list[Criterion]:
        """The rows that refer to a row, however far, parts first."""
        found: dict[str, Criterion] = {}
        for other in among:
            if any(part == row or part in found for part in self.rules.parts(other.id)):
                found[other.id] = other
        return list(found.values())


class _Case:
    """Some patients: the truths of all rows, and whose move those are that are open."""

    def __init__(self, rules: RuleSet, patients: Patients) -> None:
        self.rules, self.patients = rules, patients
        self.truths: Mapping[str, RowTruths] = all_truths(rules, patients)
        self.counted: dict[str, Truths] = {row: truths.counted for row, truths in self.truths.items()}
        self._criteria = {row.id: row for row in rules.order}
        self._kinds: dict[str, Kinds] = {}

    def kinds(self, row: str) -> Kinds:
        """Whose move a row is. A contradiction is to be looked up."""
        if row not in self._kinds:
            kinds = self._opened(self._criteria[row])
            if row in self.patients.attested:
                yes, no = self.patients.attested[row]
                kinds[yes | no] = _PLACE["data"]
            kinds[self.truths[row].known] = CLOSED
            self._kinds[row] = kinds
        return self._kinds[row]

    def _opened(self, criterion: Criterion) -> Kinds:
        """Whose move a row is where it is unknown and not attested."""
        everybody = self.patients.flags(True)
        found = np.full(self.patients.count, _PLACE[open_kind(())], np.int8)
        judged = self.patients.flags(criterion.type.startswith(INVESTIGATOR))
        for node, unknown, ripe in self._nodes(self.rules.conditions[criterion.id], everybody, everybody):
            match node:
                case Leaf():
                    kind: Kinds | int = self._kind_of(node)
                case RowRef(row=row):
                    kind = self.kinds(row)
                case Judgement(open_kind=asked):
                    kind = _PLACE[asked]
                    judged |= ripe & (asked == "judgement")
            np.minimum(found, kind, out=found, where=unknown)
        exempt = self.rules.not_applicable.get(criterion.id)
        for node, unknown, _ in self._nodes(exempt, everybody, everybody) if exempt is not None else ():
            if isinstance(node, Leaf) and node.feature.kind == "SexCondition":
                np.minimum(found, _PLACE[leaf_open_kind(node)], out=found, where=unknown)
        found[judged] = _PLACE["judgement"]
        return found

    def _kind_of(self, leaf: Leaf) -> Kinds | int:
        """Whose move an open leaf is."""
        if (spoken := against(leaf)) is None:
            return _PLACE[leaf_open_kind(leaf)]
        here, else_ = (np.int8(_PLACE[leaf_open_kind(leaf, so)]) for so in (True, False))
        return np.where(self.patients.compared(spoken) == TRUE, here, else_)

    def _nodes(
        self, condition: Condition, among: Flags, ripe: Flags
    ) -> Iterator[tuple[Leaf | Judgement | RowRef, Flags, Flags]]:
        """The leaves, judgements and rows that leave a condition unknown; for whom, and for whom each is ripe."""
        unknown = among & (evaluate(condition, self.patients, self.counted) == UNKNOWN)
        if not unknown.any():
            return
        if isinstance(condition, Leaf | Judgement | RowRef):
            yield condition, unknown, unknown & ripe
            return
        below = children(condition)
        if isinstance(condition, AllOf):
            several = [evaluate(child, self.patients, self.counted) == UNKNOWN for child in below]
            ripe = ripe & (np.sum(several, axis=0) <= 1)
        for child in below:
            yield from self._nodes(child, unknown, ripe)
