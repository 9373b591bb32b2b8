"""The compiler from criteria to SQL: three-valued columns over bounds of features, one plan for any number of trials.

SQL's NULL logic is Kleene's: NULL is unknown. The plan is a chain of common table expressions over one wide table (a
row for each patient, a pair of columns for each feature). Each level adds columns: first every comparison, once for all
rows and trials that share it, then rows and the groups that are used more than once, parts before the rows that refer
to them. `evaluate.py` says what each column must hold.

Every name and number comes from trial files and is put in as identifier or literal of the expression tree (sqlglot);
nothing from a patient's record does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from sqlglot import exp

from sle_kg.criteria import (
    AllOf,
    Always,
    AnyOf,
    AtLeast,
    Condition,
    Criterion,
    Judgement,
    Leaf,
    Not,
    RowRef,
    walk,
)
from sle_kg.errors import TrialFileError
from sle_kg.evaluate import RuleSet

SCALE = 12
"""Decimals of every bound: DECIMAL(38, 12), as in the fact tables."""
DIALECTS = ("duckdb", "spark", "postgres", "bigquery", "snowflake")
"""The dialects that the plan is rendered in."""

Pair = tuple[str, str]
Columns = Callable[[str, str], Pair]
"""Trial and feature slug (or row id) → names of two columns of the wide table."""

_COMPARISONS: dict[str, type[exp.Binary]] = {">=": exp.GTE, ">": exp.GT, "<=": exp.LTE, "<": exp.LT}
_OPPOSITE = {">=": "<", ">": "<=", "<=": ">", "<": ">="}


@dataclass(frozen=True, slots=True)
class RowColumns:
    """The columns of one row: truth by data alone, with attestation, whether it asks nothing of the patient, status.

    `exempt` is None for a row that asks of everybody.
    """

    data: str
    met: str
    exempt: str | None
    status: str


@dataclass(frozen=True, slots=True)
class TrialColumns:
    """The columns of one trial: of its rows, of its comparisons (by leaf), the verdict and the number of unknown rows.

    `leaves` are keyed by what is compared: (feature slug, operator, met bound, unmet bound).
    """

    rows: dict[str, RowColumns]
    leaves: dict[LeafKey, str]
    verdict: str
    unknown: str


LeafKey = tuple[str, str, Decimal, Decimal]


def leaf_key(leaf: Leaf) -> LeafKey:
    """What tells the comparison of a leaf from others."""
    return leaf.feature.slug, leaf.operator, leaf.met_bound, leaf.unmet_bound


@dataclass(frozen=True, slots=True)
class Plan:
    """A query and what its columns are; `key` columns of the source come first."""

    query: exp.Select
    trials: dict[str, TrialColumns]

    def sql(self, dialect: str = "duckdb") -> str:
        """The query as text."""
        if dialect == "bigquery":  # its NUMERIC has 9 decimals
            return self.query.transform(_big_numeric).sql(dialect=dialect)
        if dialect == "postgres":
            return _level_by_level(self.query).sql(dialect=dialect)
        return self.query.sql(dialect=dialect)


def compile_plan(
    rule_sets: Sequence[RuleSet],
    source: str,
    key: Sequence[str],
    bounds: Columns,
    said: Columns,
    *,
    truths: bool = True,
    prefix: str = "",
) -> Plan:
    """The plan that judges every row of the table `source` by the rules of some trials.

    `key` are columns handed on; `bounds` names the lower and upper bound of a feature, `said` the columns (never null)
    that tell whether a row is attested true and attested false. Without `truths` the query gives statuses, comparisons
    and verdicts, but not the truths of rows (`data`, `met`, `exempt`). `prefix` begins the names of all columns made,
    so that several plans can stand side by side.
    """
    return _Compiler(source, tuple(key), bounds, said, truths, prefix).compile(rule_sets)


def comparison(columns: Pair, leaf: Leaf) -> str:
    """SQL: the three-valued comparison of a leaf with the bounds that two columns hold."""
    return _comparison(columns, leaf.operator, leaf.met_bound, leaf.unmet_bound).sql("duckdb")


Node = tuple[object, ...]
"""A condition without its IRIs: operator and operands, so that equal conditions are one node."""


@dataclass(slots=True)
class _Compiler:
    source: str
    key: tuple[str, ...]
    bounds: Columns
    said: Columns
    truths: bool
    prefix: str
    levels: list[dict[str, exp.Expr]] = field(default_factory=list)
    place: dict[Node, tuple[str, int]] = field(default_factory=dict)
    uses: dict[Node, int] = field(default_factory=dict)

    def compile(self, rule_sets: Sequence[RuleSet]) -> Plan:
        """The plan of all trials: every comparison and every row first, then statuses, then verdicts."""
        for rules in rule_sets:
            for condition in _conditions(rules):
                self._count(self._node(condition, rules.trial.id))
        rows = [self._rows(f"{self.prefix}t{number}", rules) for number, rules in enumerate(rule_sets)]
        last = len(self.levels)
        for rules, columns in zip(rule_sets, rows, strict=True):
            for criterion in rules.order:
                self._add(columns[criterion.id].status, _status(criterion, columns[criterion.id]), last + 1)
        made = {}
        for number, (rules, columns) in enumerate(zip(rule_sets, rows, strict=True)):
            every = [columns[criterion.id].status for criterion in rules.trial.criteria]
            tops = [columns[criterion.id].status for criterion in rules.trial.criteria if criterion.parent is None]
            verdict, _ = self._add(f"{self.prefix}t{number}_verdict", _verdict(tops), last + 2)
            unknown, _ = self._add(
                f"{self.prefix}t{number}_unknown", _number([_is(name, "unknown") for name in every]), last + 2
            )
            made[rules.trial.id] = TrialColumns(columns, self._leaves(rules), verdict, unknown)
        return Plan(self._chain(self._outputs(made)), made)

    def _outputs(self, made: dict[str, TrialColumns]) -> list[str]:
        """The key, and every column that somebody may ask for, each once."""
        names = list(self.key)
        for columns in made.values():
            names += columns.leaves.values()
            for row in columns.rows.values():
                truths = (row.data, row.met, row.exempt) if self.truths else ()
                names += [name for name in (*truths, row.status) if name is not None]
            names += [columns.verdict, columns.unknown]
        return list(dict.fromkeys(names))

    def _chain(self, outputs: list[str]) -> exp.Select:
        """`WITH level1 AS (SELECT *, … FROM source), level2 AS (SELECT *, … FROM level1) … SELECT outputs`."""
        query = exp.Select()
        before = self.source
        for number, columns in enumerate(self.levels, 1):
            made = [exp.alias_(value, name, copy=False) for name, value in columns.items()]
            select = exp.Select().select(exp.Star(), *made, copy=False).from_(before, copy=False)
            query = query.with_(f"level{number}", as_=select, copy=False)
            before = f"level{number}"
        return query.select(*map(exp.column, outputs), copy=False).from_(before, copy=False)

    def _add(self, name: str, value: exp.Expr, level: int) -> tuple[str, int]:
        """A column of a level (from 1); returns its place."""
        while len(self.levels) < level:
            self.levels.append({})
        self.levels[level - 1][name] = value
        return name, level

    def _rows(self, prefix: str, rules: RuleSet) -> dict[str, RowColumns]:
        """The columns of every row of a trial, parts before the rows that refer to them."""
        return {
            criterion.id: self._row(rules, criterion, f"{prefix}_r{place}")
            for place, criterion in enumerate(rules.order)
        }

    def _leaves(self, rules: RuleSet) -> dict[LeafKey, str]:
        """The columns of the comparisons of a trial, in a fixed order."""
        found = {
            leaf_key(node): self.place[self._node(node, rules.trial.id)][0]
            for condition in _conditions(rules)
            for node in walk(condition)
            if isinstance(node, Leaf)
        }
        return dict(sorted(found.items()))

    def _row(self, rules: RuleSet, criterion: Criterion, name: str) -> RowColumns:
        """The columns of a row; what it counts as where another row refers to it has a column where it differs."""
        value, level = self._value(self._node(rules.conditions[criterion.id], criterion.trial))
        data, level = self._add(f"{name}_data", value, level + 1)
        exempt = None
        if criterion.id in rules.not_applicable:
            value, other = self._value(self._node(rules.not_applicable[criterion.id], criterion.trial))
            holds = exp.Case().when(value, exp.true(), copy=False).else_(exp.false(), copy=False)
            exempt, other = self._add(f"{name}_exempt", holds, other + 1)
            level = max(level, other)
        true, false = self.said(criterion.trial, criterion.id)
        met, above = self._add(f"{name}_met", _settled(data, true, false), level + 1)
        counted = met
        if exempt is not None:
            speaks = exp.true() if criterion.kind == "inclusion" else exp.false()
            exempted = exp.Case().when(exp.column(exempt), speaks, copy=False)
            counted, _ = self._add(f"{name}_counts", exempted.else_(_settled(data, true, false), copy=False), above)
        self.place["row", criterion.trial, criterion.id] = (counted, above)
        return RowColumns(data, met, exempt, f"{name}_status")

    def _count(self, node: Node) -> None:
        """Count how often each group is used; parts of a group that is there already are not counted again."""
        self.uses[node] = self.uses.get(node, 0) + 1
        if self.uses[node] == 1:
            for part in _parts(node):
                self._count(part)

    def _value(self, node: Node) -> tuple[exp.Expr, int]:
        """The expression of a node and the level whose columns it needs; leaves and shared groups get a column."""
        if node in self.place:
            name, level = self.place[node]
            return exp.column(name), level
        parts = [self._value(part) for part in _parts(node)]
        if node[0] == "at least":
            parts = [self._named(part, *value) for part, value in zip(_parts(node), parts, strict=True)]
        level = max((level for _, level in parts), default=0)
        value = self._expression(node, [part for part, _ in parts])
        if node[0] == "leaf" or (self.uses[node] > 1 and parts):
            return self._named(node, value, level)
        return value, level

    def _named(self, node: Node, value: exp.Expr, level: int) -> tuple[exp.Expr, int]:
        """The node as a column of its own, unless it is one already or a constant."""
        if isinstance(value, exp.Column) or node[0] in ("true", "unknown"):
            return value, level
        self.place[node] = self._add(f"{self.prefix}c{len(self.place)}", value, level + 1)
        name, level = self.place[node]
        return exp.column(name), level

    def _expression(self, node: Node, parts: list[exp.Expr]) -> exp.Expr:
        match node:
            case ("leaf", str(low), str(high), str(operator), Decimal() as met, Decimal() as unmet):
                return _comparison((low, high), operator, met, unmet)
            case ("unknown",):
                return exp.cast(exp.null(), exp.DataType.Type.BOOLEAN)
            case ("not", _):
                return exp.not_(parts[0], copy=False)
            case ("all", _):
                return exp.and_(*parts, copy=False) if parts else exp.true()
            case ("any", _):
                return exp.or_(*parts, copy=False) if parts else exp.false()
            case ("at least", int(count), _):
                return _at_least(count, parts)
        return exp.true()

    def _node(self, condition: Condition, trial: str) -> Node:
        """The condition as a node. Raises TypeError for a `ByReading`: choose readings first (`RuleSet.of`)."""
        match condition:
            case Leaf(feature=feature, operator=operator, met_bound=met, unmet_bound=unmet):
                return ("leaf", *self.bounds(trial, feature.slug), operator, met, unmet)
            case RowRef(row=row):
                return ("row", trial, row)
            case Judgement():
                return ("unknown",)
            case Always():
                return ("true",)
            case Not(operand=operand):
                return ("not", (self._node(operand, trial),))
            case AllOf(operands=operands):
                return ("all", tuple(self._node(operand, trial) for operand in operands))
            case AnyOf(operands=operands):
                return ("any", tuple(self._node(operand, trial) for operand in operands))
            case AtLeast(count=count, operands=operands):
                return ("at least", count, tuple(self._node(operand, trial) for operand in operands))
        raise TypeError(f"{condition.iri}: no reading chosen")


def _conditions(rules: RuleSet) -> list[Condition]:
    return [*rules.conditions.values(), *rules.not_applicable.values()]


def _parts(node: Node) -> tuple[Node, ...]:
    """The operands of a group."""
    if node[0] not in ("not", "all", "any", "at least"):
        return ()
    operands = node[-1]
    assert isinstance(operands, tuple)
    return operands


def _comparison(bounds: Pair, operator: str, met: Decimal, unmet: Decimal) -> exp.Expr:
    """`>=`: true where the lower bound reaches `met`, false where the upper one is below `unmet`, else NULL."""
    low, high = bounds if operator in (">=", ">") else (bounds[1], bounds[0])
    holds = _COMPARISONS[operator](this=exp.column(low), expression=_exact(met))
    fails = _COMPARISONS[_OPPOSITE[operator]](this=exp.column(high), expression=_exact(unmet))
    return exp.Case().when(holds, exp.true(), copy=False).when(fails, exp.false(), copy=False)


def _exact(number: Decimal) -> exp.Expr:
    """A threshold: a whole number as it is, else DECIMAL(38, 12). Raises TrialFileError for one with more decimals."""
    if number == number.to_integral_value():
        return exp.Literal.number(int(number))
    text = format(number, "f")
    if len(text.partition(".")[2].rstrip("0")) > SCALE:
        raise TrialFileError(f"The threshold {text} has more than {SCALE} decimals.")
    return exp.cast(exp.Literal.string(text), exp.DataType.build(f"DECIMAL(38, {SCALE})"))


def _at_least(count: int, parts: Sequence[exp.Expr]) -> exp.Expr:
    """True where `count` parts are true, false where so many are false that `count` cannot be reached, else NULL."""
    holding = _number([part.copy() for part in parts])
    failing = _number([exp.not_(part.copy(), copy=False) for part in parts])
    enough = exp.GTE(this=exp.paren(holding, copy=False), expression=exp.Literal.number(count))
    never = exp.GT(this=exp.paren(failing, copy=False), expression=exp.Literal.number(len(parts) - count))
    return exp.Case().when(enough, exp.true(), copy=False).when(never, exp.false(), copy=False)


def _number(conditions: Sequence[exp.Expr]) -> exp.Expr:
    """How many of the conditions are true."""
    total: exp.Expr = exp.Literal.number(0)
    for condition in conditions:
        one = exp.Case().when(condition, exp.Literal.number(1), copy=False).else_(exp.Literal.number(0), copy=False)
        total = exp.Add(this=total, expression=one)
    return total


def _settled(data: str, true: str, false: str) -> exp.Expr:
    """Data and attestation together, as `evaluate.settle`: a contradiction is NULL.

    Most rows are attested neither way; they are dealt with first.
    """

    def both(left: exp.Expr, right: exp.Expr) -> exp.Expr:
        return exp.and_(left, right, copy=False)

    def known(name: str) -> exp.Expr:
        return exp.Is(this=exp.column(name), expression=exp.null())

    yes, no = exp.column(true), exp.column(false)
    return (
        exp.Case()
        .when(exp.not_(exp.paren(exp.or_(yes.copy(), no.copy()))), exp.column(data), copy=False)
        .when(both(exp.column(data), no.copy()), exp.null(), copy=False)
        .when(both(exp.not_(exp.column(data), copy=False), yes.copy()), exp.null(), copy=False)
        .when(exp.not_(known(data), copy=False), exp.column(data), copy=False)
        .when(both(yes.copy(), exp.not_(no.copy(), copy=False)), exp.true(), copy=False)
        .when(both(no, exp.not_(yes, copy=False)), exp.false(), copy=False)
    )


def _status(criterion: Criterion, columns: RowColumns) -> exp.Expr:
    """The word for a row; exclusion turns the sign, as in `verdicts.status_of`."""
    words = ("pass", "fail") if criterion.kind == "inclusion" else ("fail", "pass")
    case = exp.Case()
    if columns.exempt is not None:
        case = case.when(exp.column(columns.exempt), exp.Literal.string("not-applicable"), copy=False)
    case = case.when(exp.column(columns.met), exp.Literal.string(words[0]), copy=False)
    case = case.when(exp.not_(exp.column(columns.met), copy=False), exp.Literal.string(words[1]), copy=False)
    return case.else_(exp.Literal.string("unknown"), copy=False)


def _verdict(tops: Sequence[str]) -> exp.Expr:
    """The verdict from the statuses of the rows without a parent: a failure decides, then an unknown."""

    def some(word: str) -> exp.Expr:
        return exp.or_(*(_is(name, word) for name in tops), copy=False)

    return (
        exp.Case()
        .when(some("fail"), exp.Literal.string("ineligible"), copy=False)
        .when(some("unknown"), exp.Literal.string("undetermined"), copy=False)
        .else_(exp.Literal.string("eligible"), copy=False)
    )


def _is(name: str, word: str) -> exp.Expr:
    return exp.EQ(this=exp.column(name), expression=exp.Literal.string(word))


def _level_by_level(query: exp.Select) -> exp.Select:
    """The query with OFFSET 0 in each level: PostgreSQL computes it once, and does not merge it into the next.

    Merged, a column is computed as often as others name it, some twenty times slower for three trials.
    """
    made = query.copy()
    for level in made.ctes:
        level.this.offset(0, copy=False)
    return made


def _big_numeric(node: exp.Expr) -> exp.Expr:
    """DECIMAL(38, 12) as BIGNUMERIC, which holds it."""
    if isinstance(node, exp.DataType) and node.this == exp.DataType.Type.DECIMAL:
        return exp.DataType.build("BIGNUMERIC", dialect="bigquery")
    return node
