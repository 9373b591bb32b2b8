"""Why a condition of a follow-up holds or not, or is open: one sentence, its records, and what would settle it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sle_kg.criteria import Condition, Judgement, Leaf, children, walk
from sle_kg.evaluate import UNBOUNDED, Bound, Truth, deciding_leaves, evaluate
from sle_kg.verdict import Evidence

if TYPE_CHECKING:
    from sle_kg.followup.session import Findings
    from sle_kg.wording import Words

Records = Callable[[str], Evidence]
"""The evidence line of a record."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The truth of a condition with what decided it; `missing` says what would settle an open one."""

    truth: Truth
    reason: str
    evidence: tuple[Evidence, ...] = ()
    missing: tuple[str, ...] = ()


def explain(condition: Condition, findings: Findings, words: Words, evidence: Records) -> Explanation:
    """The truth of a condition under chosen readings (`criteria.under_readings`), explained.

    The reason names the leaves that decide a known condition, with value, date and threshold; of an open one the leaves
    that leave it open. The evidence of an open condition is all that is recorded on it.
    """
    truth = evaluate(condition, findings.bounds, {})
    if truth is None:
        return _open(condition, findings, words, evidence)
    deciding = [node for node in deciding_leaves(condition, findings.bounds, {}) if isinstance(node, Leaf)]
    said = _found(deciding, findings, words, evidence)
    return Explanation(
        truth, sentence("; ".join(said) or "it holds of everybody"), _records(deciding, findings, evidence)
    )


def sentence(text: str) -> str:
    """One sentence: a capital at the start (not in `hCG`), one full stop at the end."""
    start = text[:1] if text[1:2].isupper() else text[:1].upper()
    return start + text[1:].rstrip(".") + "."


def _open(condition: Condition, findings: Findings, words: Words, evidence: Records) -> Explanation:
    nodes = list(dict.fromkeys(_open_nodes(condition, findings)))
    leaves = [node for node in nodes if isinstance(node, Leaf)]
    questions = [node.question for node in nodes if isinstance(node, Judgement)]
    said = [words.unknown(leaf, _bound(leaf, findings), _records([leaf], findings, evidence)) for leaf in leaves]
    said += [f"to be judged: {question}" for question in questions]
    missing = [text for leaf in leaves for text in words.missing(leaf, "")]
    missing += [f"a judgement: {question}" for question in questions]
    every = [node for node in walk(condition) if isinstance(node, Leaf)]
    return Explanation(
        None,
        sentence("; ".join(dict.fromkeys(said))),
        _records(every, findings, evidence),
        tuple(dict.fromkeys(missing)),
    )


def _open_nodes(condition: Condition, findings: Findings) -> Iterator[Condition]:
    """The leaves and judgements that leave a condition unknown."""
    if evaluate(condition, findings.bounds, {}) is not None:
        return
    if isinstance(condition, Leaf | Judgement):
        yield condition
    for child in children(condition):
        yield from _open_nodes(child, findings)


def _found(leaves: list[Leaf], findings: Findings, words: Words, evidence: Records) -> list[str]:
    """What is known of the leaves, those over one feature together."""
    same: dict[str, list[Leaf]] = {}
    for leaf in dict.fromkeys(leaves):
        same.setdefault(leaf.feature.slug, []).append(leaf)
    said = [
        words.found(some, _bound(some[0], findings), _records(some[:1], findings, evidence)) for some in same.values()
    ]
    return list(dict.fromkeys(said))


def _bound(leaf: Leaf, findings: Findings) -> Bound:
    return findings.bounds.get(leaf.feature.slug, UNBOUNDED)


def _records(leaves: list[Leaf], findings: Findings, evidence: Records) -> tuple[Evidence, ...]:
    """The records that the leaves rest on, each once."""
    records = (record for leaf in leaves for record in findings.records.get(leaf.feature.slug, ()))
    return tuple(evidence(record) for record in dict.fromkeys(records))
