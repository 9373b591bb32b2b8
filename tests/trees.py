"""Small criteria trees for tests: trials made in memory, and hypothesis strategies for random ones."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from hypothesis import strategies as st

from sle_kg.criteria import (
    AllOf,
    AnyOf,
    AtLeast,
    Condition,
    Criterion,
    Feature,
    Judgement,
    Leaf,
    Not,
    Operator,
    Reading,
    RowRef,
    Trial,
)
from sle_kg.namespaces import TRIAL
from sle_kg.profile import Profile

NCT = "NCT00000001"
ON = dt.date(2026, 11, 21)


def feature(name: str, kind: str = "ScoreCondition") -> Feature:
    """A feature that is told from others by its name alone."""
    return Feature(kind, (("instrument", name),))


def leaf(name: str, operator: Operator = ">=", bound: int | str = 1, kind: str = "ScoreCondition") -> Leaf:
    """A comparison of the feature `name`."""
    word = {">=": "ge", ">": "gt", "<=": "le", "<": "lt"}[operator]
    iri = f"{TRIAL}{NCT}/leaf/{name}-{word}-{bound}"
    return Leaf(iri, feature(name, kind), operator, Decimal(bound), Decimal(bound))


def row(
    identifier: str,
    condition: Condition,
    kind: str = "inclusion",
    parent: str | None = None,
    not_applicable: Condition | None = None,
) -> Criterion:
    """A row whose text is its id."""
    return Criterion(
        id=identifier,
        trial=NCT,
        kind=kind,  # type: ignore[arg-type]
        parent=parent,
        text=identifier,
        sentence=identifier,
        computability="computable",
        condition=condition,
        not_applicable=not_applicable,
    )


def trial(*rows: Criterion, readings: tuple[Reading, ...] = ()) -> Trial:
    """A trial of these rows."""
    return Trial(NCT, "A trial", rows, readings, True, "RECRUITING", "2026-08-22", "a registry")


def ref(identifier: str) -> RowRef:
    """A reference to a row."""
    return RowRef(f"{TRIAL}{NCT}/{identifier}", identifier)


def number(value: int | str | None) -> Decimal | None:
    """A bound."""
    return None if value is None else Decimal(value)


def slug(name: str, kind: str = "ScoreCondition") -> str:
    """The slug of the feature `name`."""
    return feature(name, kind).slug


def profile(
    bounds: dict[str, tuple[Decimal | None, Decimal | None]],
    attestations: dict[str, frozenset[bool]] | None = None,
    ask: int = 0,
) -> Profile:
    """A profile for the trial of this module."""
    return Profile(ask, f"patient {ask}", NCT, ON, bounds, attestations or {})


NAMES = ("a", "b", "c", "d")
_VALUES = [None, *map(Decimal, ("0", "0.999999999999", "1", "1.000000000001", "2"))]


@st.composite
def bounds(draw: st.DrawFn) -> dict[str, tuple[Decimal | None, Decimal | None]]:
    """Bounds of every feature, values close to the thresholds of random leaves."""
    found = {}
    for name in NAMES:
        low, high = draw(st.sampled_from(_VALUES)), draw(st.sampled_from(_VALUES))
        if low is not None and high is not None and low > high:
            low, high = high, low
        found[slug(name)] = (low, high)
    return found


def conditions(rows: tuple[str, ...] = ()) -> st.SearchStrategy[Condition]:
    """Random trees over few leaves and over references to `rows`; node names are made unique by `named`."""
    leaves = st.builds(leaf, st.sampled_from(NAMES), st.sampled_from([">=", ">", "<=", "<"]), st.sampled_from([1, 2]))
    base: st.SearchStrategy[Condition] = st.one_of(
        leaves,
        st.just(Judgement(f"{TRIAL}{NCT}/judgement", "?")),
        *([st.sampled_from([ref(r) for r in rows])] * bool(rows)),
    )

    def groups(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
        several = st.lists(inner, min_size=1, max_size=3).map(tuple)
        return st.one_of(
            several.map(lambda operands: AllOf("", operands)),
            several.map(lambda operands: AnyOf("", operands)),
            several.flatmap(
                lambda operands: st.integers(1, len(operands)).map(lambda count: AtLeast("", count, operands))
            ),
            inner.map(lambda operand: Not("", operand)),
        )

    return st.recursive(base, groups, max_leaves=6)


def named(condition: Condition, iri: str) -> Condition:
    """The tree with an IRI of its own for every group, as a trial file has."""
    match condition:
        case Not(operand=operand):
            return Not(iri, named(operand, f"{iri}/1"))
        case AllOf(operands=operands):
            return AllOf(iri, tuple(named(o, f"{iri}/{n}") for n, o in enumerate(operands, 1)))
        case AnyOf(operands=operands):
            return AnyOf(iri, tuple(named(o, f"{iri}/{n}") for n, o in enumerate(operands, 1)))
        case AtLeast(count=count, operands=operands):
            return AtLeast(iri, count, tuple(named(o, f"{iri}/{n}") for n, o in enumerate(operands, 1)))
    return condition


@st.composite
def trials(draw: st.DrawFn) -> Trial:
    """A trial of three rows: two parts, one exempting somebody, and a group over them and more leaves."""
    kinds = [draw(st.sampled_from(["inclusion", "exclusion"])) for _ in range(3)]
    trees = [named(draw(conditions()), f"{TRIAL}{NCT}/P{n}/condition") for n in (1, 2)]
    exempt = named(draw(conditions()), f"{TRIAL}{NCT}/P1/exempt")
    top = named(draw(conditions(("P1", "P2"))), f"{TRIAL}{NCT}/G/condition")
    return trial(
        row("G", top, kinds[0]),
        row("P1", trees[0], kinds[1], "G", exempt),
        row("P2", trees[1], kinds[2], "G"),
    )


attestations = st.dictionaries(
    st.sampled_from(["G", "P1", "P2"]), st.sets(st.booleans(), min_size=1).map(frozenset), max_size=3
)
