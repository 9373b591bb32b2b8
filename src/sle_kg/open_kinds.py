"""Whose move an open row is: history to look up, a test, an agreement, or the investigator's judgement (CONTRACT 3)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sle_kg.criteria import Leaf
from sle_kg.verdict import OpenKind

TESTS = frozenset(
    {
        "MeasurementCondition",
        "CreatinineClearanceCondition",
        "RoomAirCondition",
        "ScoreCondition",
        "HighestScoreCondition",
        "PositiveTestCondition",
        "QuantifiedCondition",
        "PregnancyCondition",
        "AssessedScoreCondition",
        "AssessedValueCondition",
        "AssessedPositiveCondition",
        "NewItemsCondition",
        "NewGradesCondition",
        "HighestValueCondition",
    }
)
"""Kinds of feature that results of tests settle."""
_AGREEMENTS = frozenset({"StatementCondition", "ConsentCondition"})


def open_kind(kinds: Sequence[OpenKind]) -> OpenKind:
    """Whose move a row is: history to look up first, then tests, agreements; judgement only where nothing else is."""
    return next((kind for kind in ("data", "test", "agreement") if kind in kinds), "judgement")


def leaf_open_kind(leaf: Leaf, spoken_against: bool = False) -> OpenKind:
    """Whose move an open leaf is; `spoken_against`: records speak `against` it, which is history to look up."""
    kind = leaf.feature.kind
    return "data" if spoken_against else "test" if kind in TESTS else "agreement" if kind in _AGREEMENTS else "data"


def against(leaf: Leaf) -> Leaf | None:
    """The comparison that holds where records speak against an open leaf: a consent that was withdrawn or refused.

    The feature's lower bound is then 0. None for leaves of which no records speak so.
    """
    if leaf.feature.kind != "ConsentCondition":
        return None
    return Leaf(f"{leaf.iri}/against", leaf.feature, ">=", Decimal(0), Decimal(0))
