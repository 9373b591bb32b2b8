"""How states relate, whatever is known of their features."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from sle_kg.criteria import features_of, under_readings
from sle_kg.definitions import states
from sle_kg.evaluate import Bound, evaluate

OFFICIAL = states()["lldas"].condition
AS_WORDED = states()["lldas-NCT06653556"].condition
STRICT, LENIENT = (
    under_readings(states()["doris2021"].condition, {"A2-10": key}) for key in ("doris-below-5", "doris-at-most-5")
)
NUMBERS = st.sampled_from([Decimal(number) for number in ("0", "0.5", "1", "4", "5", "7.5", "8", "200", "4000")])
BOUNDS = st.one_of(
    st.just((None, None)),
    NUMBERS.map(lambda number: (number, number)),
    st.tuples(NUMBERS, NUMBERS).map(lambda pair: (min(pair), max(pair))),
    NUMBERS.map(lambda number: (None, number)),
    NUMBERS.map(lambda number: (number, None)),
)


def bounds_of(*conditions: object) -> st.SearchStrategy[dict[str, Bound]]:
    """What may be known of every feature of some conditions; often nought, so that states are met now and then."""
    slugs = sorted({feature.slug for condition in conditions for feature in features_of(condition)})  # type: ignore[arg-type]
    return st.fixed_dictionaries({slug: st.one_of(st.just((Decimal(0), Decimal(0))), BOUNDS) for slug in slugs})


@given(bounds_of(OFFICIAL, AS_WORDED))
def test_official_lldas_implies_the_four_items_as_worded(bounds: dict[str, Bound]) -> None:
    if evaluate(OFFICIAL, bounds, {}) is True:
        assert evaluate(AS_WORDED, bounds, {}) is True
    if evaluate(AS_WORDED, bounds, {}) is False:
        assert evaluate(OFFICIAL, bounds, {}) is False


def test_the_four_items_do_not_imply_official_lldas() -> None:
    nothing = {feature.slug: (Decimal(0), Decimal(0)) for feature in features_of(AS_WORDED)}
    assert evaluate(AS_WORDED, nothing, {}) is True
    assert evaluate(OFFICIAL, nothing, {}) is None


@given(bounds_of(STRICT, LENIENT))
def test_strict_doris_implies_doris(bounds: dict[str, Bound]) -> None:
    if evaluate(STRICT, bounds, {}) is True:
        assert evaluate(LENIENT, bounds, {}) is True
    if evaluate(LENIENT, bounds, {}) is False:
        assert evaluate(STRICT, bounds, {}) is False
