"""The compiler from criteria to SQL: three-valued columns over bounds of features, one plan for any number of trials.

SQL's NULL logic is Kleene's: NULL is unknown. The plan is a chain of common table expressions over one wide table (a
row for each patient, a pair of columns for each feature). Each level has new columns, and of those before it the ones
that are still read: first every comparison, once for all rows and trials that share it, then rows and the groups that
are used more than once, parts before the rows that refer to them. `evaluate.py` says what each column must hold.

The plan is written in DuckDB's SQL, of which it uses what every dialect has; sqlglot says it in others. Columns have
numbers for names, and thresholds are the decimals of trial files: no other text becomes part of a query.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import sqlglot
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
from sle_kg.features.sql import text

SCALE = 12
"""Decimals of every bound: DECIMAL(38, 12), as in the fact tables."""
DIALECTS = ("duckdb", "spark", "postgres", "bigquery", "snowflake")
"""The dialects that the plan is rendered in."""

Pair = tuple[str, str]
Columns = Callable[[str, str], Pair]
"""Trial and feature slug (or row id) → two columns of the wide table."""

_COLUMN = re.compile("[a-z][a-z0-9_]*")
"""The name of a column in SQL whose other words are in capitals."""
_OPPOSITE = {">=": "<", ">": "<=", "<=": ">", "<": ">="}


@dataclass(frozen=True, slots=True)
class RowColumns:
    """The columns of one row: its truth, whether it asks nothing of the patient, its status.

    `exempt` is None for a row that asks of everybody.
    """

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
    """A query, in DuckDB's SQL, and what its columns are; `key` columns of the source come first."""

    text: str
    trials: dict[str, TrialColumns]

    def sql(self, dialect: str = "duckdb") -> str:
        """The query in a dialect."""
        if dialect == "duckdb":
            return self.text
        query = sqlglot.parse_one(self.text, read="duckdb")
        if dialect == "bigquery":  # its NUMERIC has 9 decimals
            query = query.transform(_big_numeric)
        if dialect == "postgres":
            _level_by_level(query)
        return query.sql(dialect=dialect)


def compile_plan(
    rule_sets: Sequence[RuleSet],
    source: str,
    key: Sequence[str],
    bounds: Columns,
    said: Columns,
    *,
    truths: bool = True,
    prefix: str = "",
    word: Callable[[str], str] = text,
) -> Plan:
    """The plan that judges every row of the table `source` by the rules of some trials.

    `key` are columns handed on; `bounds` names the lower and upper bound of a feature; `said` is SQL that tells whether
    a row is attested true and attested false (not, where it is null). Without `truths` the query gives statuses,
    comparisons and verdicts, but not the truths of rows (`met`, `exempt`). `prefix` begins the names of all columns
    made, so that several plans can stand side by side; `word` is SQL of a status or verdict.
    """
    return _Compiler(source, tuple(key), bounds, said, truths, prefix, word).compile(rule_sets)


def comparison(columns: Pair, leaf: Leaf) -> str:
    """SQL: the three-valued comparison of a leaf with the bounds that two columns hold.

    `>=` is true where the lower bound reaches `met_bound`, false where the upper one is below `unmet_bound`, else NULL.
    """
    return _comparison(columns, leaf.operator, leaf.met_bound, leaf.unmet_bound)


Node = tuple[object, ...]
"""A condition without its IRIs: operator and operands, so that equal conditions are one node."""


@dataclass(frozen=True, slots=True)
class _Value:
    """SQL of one value, the columns that it reads, and the level that has them; level 0 is the source."""

    sql: str
    reads: frozenset[str] = frozenset()
    level: int = 0

    @classmethod
    def of(cls, template: str, *parts: _Value) -> _Value:
        """The template with the parts in its braces."""
        reads = frozenset().union(*(part.reads for part in parts))
        return cls(
            template.format(*(part.sql for part in parts)), reads, max((part.level for part in parts), default=0)
        )

    @property
    def is_plain(self) -> bool:
        """Whether it is a column or a constant."""
        return self.sql in self.reads or not self.reads


@dataclass(slots=True)
class _Compiler:
    source: str
    key: tuple[str, ...]
    bounds: Columns
    said: Columns
    truths: bool
    prefix: str
    word: Callable[[str], str]
    levels: list[dict[str, _Value]] = field(default_factory=list)
    place: dict[Node, _Value] = field(default_factory=dict)
    uses: dict[Node, int] = field(default_factory=dict)

    def compile(self, rule_sets: Sequence[RuleSet]) -> Plan:
        """The plan of all trials: every comparison and every row first, statuses and verdicts last."""
        for rules in rule_sets:
            for condition in _conditions(rules):
                self._count(self._node(condition, rules.trial.id))
        outputs = {name: _Value(name, frozenset([name])) for name in self.key}
        made = {}
        for number, rules in enumerate(rule_sets):
            made[rules.trial.id] = self._trial(rules, f"{self.prefix}t{number}", outputs)
        return Plan(self._chain(outputs), made)

    def _trial(self, rules: RuleSet, stem: str, outputs: dict[str, _Value]) -> TrialColumns:
        """The columns of a trial, added to the outputs."""
        trial, rows, truths = rules.trial, {}, {}
        for place, criterion in enumerate(rules.order):
            rows[criterion.id], truths[criterion.id] = self._row(rules, criterion, f"{stem}_r{place}")
        leaves = self._leaves(rules)
        outputs.update((leaf.sql, leaf) for leaf in leaves.values())
        for criterion in trial.criteria:
            met, exempt = truths[criterion.id]
            if self.truths:
                outputs.update((one.sql, one) for one in (met, exempt) if one is not None)
            outputs[rows[criterion.id].status] = self._status(criterion, met, exempt)
        every = [self.place["row", trial.id, row.id] for row in trial.criteria]
        passed = [
            _Value.of("{}" if row.kind == "inclusion" else "NOT {}", counted)
            for row, counted in zip(trial.criteria, every, strict=True)
            if row.parent is None
        ]
        columns = TrialColumns(
            rows, {key: leaf.sql for key, leaf in leaves.items()}, f"{stem}_verdict", f"{stem}_unknown"
        )
        outputs[columns.verdict] = self._verdict(self._column(f"{stem}_passed", _joined(" AND ", passed, "TRUE")))
        outputs[columns.unknown] = _number([_Value.of("{} IS NULL", counted) for counted in every])
        return columns

    def _chain(self, outputs: Mapping[str, _Value]) -> str:
        """`WITH level1 AS (SELECT …, … FROM source), level2 AS (SELECT …, … FROM level1) … SELECT outputs`.

        A level has the columns that later ones read, and no more.
        """
        needed = set().union(*(value.reads for value in outputs.values()))
        lists = [", ".join(_named(name, value) for name, value in outputs.items())]
        for columns in reversed(self.levels):
            made = {name: value for name, value in columns.items() if name in needed}
            carried = sorted(needed - made.keys())
            lists.append(", ".join([*(_named(name, value) for name, value in made.items()), *carried]))
            needed = set(carried).union(*(value.reads for value in made.values()))
        names = [self.source, *(f"level{number}" for number in range(1, len(lists)))]
        selects = [f"SELECT {one} FROM {name}" for one, name in zip(reversed(lists), names, strict=True)]
        levels = ", ".join(f"{name} AS ({select})" for name, select in zip(names[1:], selects[:-1], strict=True))
        return f"WITH {levels} {selects[-1]}" if levels else selects[-1]

    def _column(self, name: str, value: _Value) -> _Value:
        """The value as a column of the first level that can have it."""
        while len(self.levels) <= value.level:
            self.levels.append({})
        self.levels[value.level][name] = value
        return _Value(name, frozenset([name]), value.level + 1)

    def _leaves(self, rules: RuleSet) -> dict[LeafKey, _Value]:
        """The columns of the comparisons of a trial, in a fixed order."""
        found = {
            leaf_key(node): self.place[self._node(node, rules.trial.id)]
            for condition in _conditions(rules)
            for node in walk(condition)
            if isinstance(node, Leaf)
        }
        return dict(sorted(found.items()))

    def _row(self, rules: RuleSet, criterion: Criterion, name: str) -> tuple[RowColumns, tuple[_Value, _Value | None]]:
        """The columns of a row: whether it is met, and whether it asks nothing."""
        key = (criterion.trial, criterion.id)
        data = self._value(self._node(rules.conditions[criterion.id], criterion.trial))
        if not data.is_plain:
            data = self._column(f"{name}_data", data)
        yes, no = (_Value(sql, frozenset(_COLUMN.findall(sql))) for sql in self.said(*key))
        met = counted = self._column(f"{name}_met", _Value.of(_SETTLED, data, yes, no))
        exempt = None
        if criterion.id in rules.not_applicable:
            holds = self._value(self._node(rules.not_applicable[criterion.id], criterion.trial))
            exempt = self._column(f"{name}_exempt", _Value.of("CASE WHEN {} THEN TRUE ELSE FALSE END", holds))
            speaks = "TRUE" if criterion.kind == "inclusion" else "FALSE"
            counted = _Value.of(f"CASE WHEN {{}} THEN {speaks} ELSE {{}} END", exempt, met)
            counted = self._column(f"{name}_counts", counted)
        self.place["row", *key] = counted
        return RowColumns(met.sql, None if exempt is None else exempt.sql, f"{name}_status"), (met, exempt)

    def _count(self, node: Node) -> None:
        """Count how often each group is used; parts of a group that is there already are not counted again."""
        self.uses[node] = self.uses.get(node, 0) + 1
        if self.uses[node] == 1:
            for part in _parts(node):
                self._count(part)

    def _value(self, node: Node) -> _Value:
        """The value of a node; leaves and shared groups get a column."""
        if node in self.place:
            return self.place[node]
        parts = [self._value(part) for part in _parts(node)]
        if node[0] == "at least":
            parts = [self._shared(part, value) for part, value in zip(_parts(node), parts, strict=True)]
        value = self._expression(node, parts)
        return self._shared(node, value) if node[0] == "leaf" or self.uses[node] > 1 else value

    def _shared(self, node: Node, value: _Value) -> _Value:
        """The node as a column of its own, unless it is one already or a constant."""
        if value.is_plain:
            return value
        self.place[node] = self._column(f"{self.prefix}c{len(self.place)}", value)
        return self.place[node]

    def _expression(self, node: Node, parts: list[_Value]) -> _Value:
        match node:
            case ("leaf", str(low), str(high), str(operator), Decimal() as met, Decimal() as unmet):
                return _Value(_comparison((low, high), operator, met, unmet), frozenset([low, high]))
            case ("unknown",):
                return _Value("CAST(NULL AS BOOLEAN)")
            case ("not", _):
                return _Value.of("NOT {}", *parts)
            case ("all", _):
                return _joined(" AND ", parts, "TRUE")
            case ("any", _):
                return _joined(" OR ", parts, "FALSE")
            case ("at least", int(count), _):
                return _at_least(count, parts)
        return _Value("TRUE")

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

    def _status(self, criterion: Criterion, met: _Value, exempt: _Value | None) -> _Value:
        """The word for a row; exclusion turns the sign, as in `verdicts.status_of`."""
        holds, fails = map(self.word, ("pass", "fail") if criterion.kind == "inclusion" else ("fail", "pass"))
        known = f"WHEN {{0}} THEN {holds} WHEN NOT {{0}} THEN {fails} ELSE {self.word('unknown')} END"
        if exempt is None:
            return _Value.of(f"CASE {known}", met)
        return _Value.of(f"CASE WHEN {{1}} THEN {self.word('not-applicable')} {known}", met, exempt)

    def _verdict(self, passed: _Value) -> _Value:
        """The verdict: whether all rows without a parent pass; Kleene's AND lets a failure decide, then an unknown."""
        yes, no, unknown = map(self.word, ("eligible", "ineligible", "undetermined"))
        return _Value.of(f"CASE WHEN {{0}} THEN {yes} WHEN NOT {{0}} THEN {no} ELSE {unknown} END", passed)


_SETTLED = """CASE WHEN {1} THEN CASE WHEN {2} OR NOT {0} THEN NULL ELSE TRUE END \
WHEN {2} THEN CASE WHEN {0} THEN NULL ELSE FALSE END ELSE {0} END"""
"""Data ({0}) and attestation, true ({1}) or false ({2}), together, as `evaluate.settle`: a contradiction is NULL."""


def _named(name: str, value: _Value) -> str:
    return name if value.sql == name else f"{value.sql} AS {name}"


def _joined(operator: str, parts: Sequence[_Value], empty: str) -> _Value:
    """The parts with AND or OR between them."""
    if len(parts) < 2:
        return parts[0] if parts else _Value(empty)
    return _Value.of(f"({operator.join(['{}'] * len(parts))})", *parts)


def _at_least(count: int, parts: Sequence[_Value]) -> _Value:
    """True where `count` parts are true, false where so many are false that `count` cannot be reached, else NULL."""
    holding, failing = _number(parts), _number([_Value.of("NOT {}", part) for part in parts])
    never = len(parts) - count
    return _Value.of(f"CASE WHEN {{}} >= {count} THEN TRUE WHEN {{}} > {never} THEN FALSE END", holding, failing)


def _number(conditions: Sequence[_Value]) -> _Value:
    """How many of the conditions are true."""
    return _joined(" + ", [_Value.of("CASE WHEN {} THEN 1 ELSE 0 END", one) for one in conditions], "0")


def _comparison(bounds: Pair, operator: str, met: Decimal, unmet: Decimal) -> str:
    low, high = bounds if operator in (">=", ">") else (bounds[1], bounds[0])
    holds, fails = f"{low} {operator} {_exact(met)}", f"{high} {_OPPOSITE[operator]} {_exact(unmet)}"
    return f"CASE WHEN {holds} THEN TRUE WHEN {fails} THEN FALSE END"


def _exact(number: Decimal) -> str:
    """A threshold: a whole number as it is, else DECIMAL(38, 12). Raises TrialFileError for one with more decimals."""
    if number == number.to_integral_value():
        return str(int(number))
    digits = format(number, "f")
    if len(digits.partition(".")[2].rstrip("0")) > SCALE:
        raise TrialFileError(f"The threshold {digits} has more than {SCALE} decimals.")
    return f"CAST('{digits}' AS DECIMAL(38, {SCALE}))"


def _conditions(rules: RuleSet) -> list[Condition]:
    return [*rules.conditions.values(), *rules.not_applicable.values()]


def _parts(node: Node) -> tuple[Node, ...]:
    """The operands of a group."""
    if node[0] not in ("not", "all", "any", "at least"):
        return ()
    operands = node[-1]
    assert isinstance(operands, tuple)
    return operands


def _level_by_level(query: exp.Expr) -> None:
    """Add OFFSET 0 to each level: PostgreSQL computes it once, and does not merge it into the next.

    Merged, a column is computed as often as others name it, some twenty times slower for three trials.
    """
    for level in query.find_all(exp.CTE):
        level.this.offset(0, copy=False)


def _big_numeric(node: exp.Expr) -> exp.Expr:
    """DECIMAL(38, 12) as BIGNUMERIC, which holds it."""
    if isinstance(node, exp.DataType) and node.this == exp.DataType.Type.DECIMAL:
        return exp.DataType.build("BIGNUMERIC", dialect="bigquery")
    return node
