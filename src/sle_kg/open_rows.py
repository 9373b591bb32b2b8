"""Why rows are open: what of their conditions is unknown, and whose move it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sle_kg.criteria import AllOf, Condition, Criterion, Judgement, Leaf, RowRef, children
from sle_kg.engines import RowStatus
from sle_kg.evaluate import Attestations, Bounds, RowTruth, RuleSet, Truth, counts_as, evaluate, row_truths
from sle_kg.open_kinds import against, leaf_open_kind, open_kind
from sle_kg.verdict import OpenKind

INVESTIGATOR = "investigator judgement"
"""Type of the rows that are the investigator's to settle, even where a diagnosis can decide them (severe illness)."""


@dataclass(frozen=True, slots=True)
class OpenRow:
    """What leaves a row unknown: comparisons, rows, and judgements, each of which is ripe or not; and whose move it is.

    A judgement is ripe when nothing else beside it is open that would have to hold as well: then it alone is asked.
    """

    leaves: Sequence[Leaf]
    rows: Sequence[str]
    judgements: Sequence[tuple[Judgement, bool]]
    kind: OpenKind


class OpenRows:
    """The open rows of one patient; `found` is what the engine says, which decides which rows are.

    `truths` are those of all rows by the direct evaluator, where they are known already.
    """

    def __init__(
        self,
        rules: RuleSet,
        bounds: Bounds,
        attestations: Attestations,
        found: Mapping[str, RowStatus],
        truths: Mapping[str, RowTruth] | None = None,
    ) -> None:
        self.rules, self.bounds, self.attestations, self.found = rules, bounds, attestations, found
        self.truths: Mapping[str, RowTruth] = truths or row_truths(rules, bounds, attestations)
        self.counted = {row.id: counts_as(row, self.truths[row.id]) for row in rules.order}
        self._criteria = {row.id: row for row in rules.order}
        self._opened: dict[str, OpenRow] = {}

    def kind(self, row: str) -> OpenKind | None:
        """Whose move a row is; None where it is known. A contradiction is to be looked up."""
        if self.found[row].not_applicable or self.found[row].met is not None:
            return None
        return "data" if self.attestations.get(row) else self.opened(row).kind

    def opened(self, row: str) -> OpenRow:
        """What leaves a row unknown that is not attested."""
        if row not in self._opened:
            self._opened[row] = self._open(self._criteria[row])
        return self._opened[row]

    def truth(self, condition: Condition) -> Truth:
        """The truth of a condition of this patient."""
        return evaluate(condition, self.bounds, self.counted)

    def _open(self, criterion: Criterion) -> OpenRow:
        nodes = list(self._nodes(self.rules.conditions[criterion.id], ripe=True))
        leaves = [node for node, _ in nodes if isinstance(node, Leaf)] + self._sex_asked_for(criterion)
        rows = list(dict.fromkeys(node.row for node, _ in nodes if isinstance(node, RowRef)))
        judgements = [(node, ripe) for node, ripe in nodes if isinstance(node, Judgement)]
        kinds = [leaf_open_kind(leaf, self._against(leaf)) for leaf in leaves]
        kinds += [node.open_kind for node, _ in judgements]
        kinds += [kind for row in rows if (kind := self.kind(row)) is not None]
        judged = criterion.type.startswith(INVESTIGATOR) or any(
            ripe and node.open_kind == "judgement" for node, ripe in judgements
        )
        return OpenRow(leaves, rows, judgements, "judgement" if judged else open_kind(kinds))

    def _against(self, leaf: Leaf) -> bool:
        """Whether records speak against an open leaf."""
        return (spoken := against(leaf)) is not None and self.truth(spoken) is True

    def _sex_asked_for(self, criterion: Criterion) -> list[Leaf]:
        """The sex that exempts from the row, where none is recorded: without it no pregnancy rule is known."""
        exempt = self.rules.not_applicable.get(criterion.id)
        nodes = [] if exempt is None else [node for node, _ in self._nodes(exempt, ripe=True)]
        return [node for node in nodes if isinstance(node, Leaf) and node.feature.kind == "SexCondition"]

    def _nodes(self, condition: Condition, ripe: bool) -> Iterator[tuple[Leaf | Judgement | RowRef, bool]]:
        """The leaves, judgements and rows that leave a condition unknown, and whether each is ripe."""
        if self.truth(condition) is not None:
            return
        if isinstance(condition, Leaf | Judgement | RowRef):
            yield condition, ripe
            return
        unknown = [child for child in children(condition) if self.truth(child) is None]
        for child in unknown:
            yield from self._nodes(child, ripe and not (isinstance(condition, AllOf) and len(unknown) > 1))
