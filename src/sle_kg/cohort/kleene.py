"""Kleene's three-valued logic for many patients at once: what `evaluate.py` says of one, in numpy columns.

A truth is a small number a patient, so that "and" is the least and "or" the greatest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sle_kg.criteria import AllOf, Always, AnyOf, AtLeast, Condition, Criterion, Judgement, Leaf, Not, RowRef
from sle_kg.evaluate import RuleSet, Truth

Truths = npt.NDArray[np.int8]
"""A truth for each patient: `FALSE`, `UNKNOWN` or `TRUE`."""
Flags = npt.NDArray[np.bool_]
"""Yes or no for each patient."""
FALSE, UNKNOWN, TRUE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Patients:
    """What is known of so many patients: of each comparison its truth; of each row whether it is attested true, false.

    `attested` has only rows of which anything is attested of anybody.
    """

    count: int
    compared: Callable[[Leaf], Truths]
    attested: Mapping[str, tuple[Flags, Flags]]

    def all(self, truth: Truth) -> Truths:
        """The same truth for everybody."""
        return np.full(self.count, UNKNOWN if truth is None else TRUE if truth else FALSE, np.int8)

    def flags(self, flag: bool) -> Flags:
        """The same flag for everybody."""
        return np.full(self.count, flag, np.bool_)


@dataclass(frozen=True, slots=True)
class RowTruths:
    """What is known of one row: whether it is met, whether it is known to ask nothing, and what it counts as."""

    met: Truths
    exempt: Flags
    counted: Truths

    @property
    def known(self) -> Flags:
        """Of whom the row is known."""
        known: Flags = (self.met != UNKNOWN) | self.exempt
        return known

    def fails(self, criterion: Criterion) -> Flags:
        """Whom the row keeps out."""
        fails: Flags = ~self.exempt & (self.met == (FALSE if criterion.kind == "inclusion" else TRUE))
        return fails


def evaluate(condition: Condition, patients: Patients, rows: Mapping[str, Truths]) -> Truths:
    """The truth of a condition; `rows` gives what each row that it refers to counts as.

    Raises TypeError for a `ByReading`: choose readings first (`RuleSet.of`).
    """
    match condition:
        case Leaf():
            return patients.compared(condition)
        case RowRef(row=row):
            return rows[row]
        case Judgement():
            return patients.all(None)
        case Always():
            return patients.all(True)
        case Not(operand=operand):
            return np.subtract(TRUE, evaluate(operand, patients, rows), dtype=np.int8)
        case AllOf(operands=operands) | AnyOf(operands=operands) | AtLeast(operands=operands):
            truths = [evaluate(operand, patients, rows) for operand in operands]
            if isinstance(condition, AtLeast):
                return _at_least(condition.count, truths, patients)
            if not truths:
                return patients.all(isinstance(condition, AllOf))
            together: Truths = (np.minimum if isinstance(condition, AllOf) else np.maximum).reduce(truths)
            return together
    raise TypeError(f"{condition.iri}: no reading chosen")


def row_truths(rules: RuleSet, row: Criterion, patients: Patients, counted: Mapping[str, Truths]) -> RowTruths:
    """What is known of one row; `counted` gives what each row that it refers to counts as."""
    met = evaluate(rules.conditions[row.id], patients, counted)
    if row.id in patients.attested:
        yes, no = patients.attested[row.id]
        contrary = (met == TRUE) & no | (met == FALSE) & yes
        met = np.where(met == UNKNOWN, UNKNOWN + yes.view(np.int8) - no.view(np.int8), met)
        met[contrary] = UNKNOWN
    if row.id not in rules.not_applicable:
        return RowTruths(met, patients.flags(False), met)
    exempt = evaluate(rules.not_applicable[row.id], patients, counted) == TRUE
    speaking = TRUE if row.kind == "inclusion" else FALSE
    return RowTruths(met, exempt, np.where(exempt, np.int8(speaking), met))


def all_truths(rules: RuleSet, patients: Patients) -> dict[str, RowTruths]:
    """What is known of every row."""
    found: dict[str, RowTruths] = {}
    counted: dict[str, Truths] = {}
    for row in rules.order:
        found[row.id] = row_truths(rules, row, patients, counted)
        counted[row.id] = found[row.id].counted
    return found


def _at_least(count: int, truths: list[Truths], patients: Patients) -> Truths:
    """Whether at least so many hold."""
    hold, may = (
        sum((truth >= least for truth in truths), np.zeros(patients.count, np.int16)) for least in (TRUE, UNKNOWN)
    )
    return np.where(hold >= count, TRUE, np.where(may < count, FALSE, UNKNOWN)).astype(np.int8)
