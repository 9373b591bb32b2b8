"""The compiler from criteria to SQL: three-valued columns over bounds of features, one plan for any number of trials.

SQL's NULL logic is Kleene's: NULL is unknown. The plan is a chain of common table expressions over one wide table (a
row for each patient, a pair of columns for each feature). Each level has new columns, and of those before it the ones
that are still read: first every comparison, once for all rows and trials that share it, then rows and the groups that
are used more than once, parts before the rows that refer to them. `evaluate.py` says what each column must hold.

Every name and number comes from trial files and is put in as identifier or literal of the expression tree (sqlglot);
nothing from a patient's record does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
"""Trial and feature slug → two columns of the wide table."""
Said = Callable[[str, str], tuple[str | exp.Expr, str | exp.Expr]]
"""Trial and row id → two truths: expressions over columns of the wide table, or SQL of them."""

_COMPARISONS: dict[str, type[exp.Binary]] = {">=": exp.GTE, ">": exp.GT, "<=": exp.LTE, "<": exp.LT}
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
    """A query and what its columns are; `key` columns of the source come first."""

    query: exp.Select
    trials: dict[str, TrialColumns]

    def sql(self, dialect: str = "duckdb") -> str:
        """The query as text."""
        if dialect == "bigquery":  # its NUMERIC has 9 decimals
            return self.query.transform(_big_numeric).sql(dialect=dialect)
        if dialect == "postgres":
            return _level_by_level(self.query).sql(dialect=dialect)
        return self.query.sql(dialect=dialect, copy=False)


def compile_plan(
    rule_sets: Sequence[RuleSet],
    source: str,
    key: Sequence[str],
    bounds: Columns,
    said: Said,
    *,
    truths: bool = True,
    rows: bool = True,
    prefix: str = "",
    word: Callable[[str], exp.Expr] = exp.Literal.string,
) -> Plan:
    """The plan that judges every row of the table `source` by the rules of some trials.

    `key` are columns handed on; `bounds` names the lower and upper bound of a feature; `said` tells whether a
    row is attested true and attested false (not, where it is null). Without `truths` the query gives statuses,
    comparisons and verdicts, but not the truths of rows (`met`, `exempt`); without `rows` it gives verdicts alone.
    `prefix` begins the names of all columns made, so that several plans can stand side by side; `word` makes the
    expression of a status or verdict.
    """
    return _Compiler(source, tuple(key), bounds, said, truths, rows, prefix, word).compile(rule_sets)


def comparison(columns: Pair, leaf: Leaf) -> str:
    """SQL: the three-valued comparison of a leaf with the bounds that two columns hold.

    `>=` is true where the lower bound reaches `met_bound`, false where the upper one is below `unmet_bound`, else NULL.
    """
    return _comparison(columns, leaf.operator, leaf.met_bound, leaf.unmet_bound).sql("duckdb")


Node = tuple[object, ...]
"""A condition without its IRIs: operator and operands, so that equal conditions are one node."""


@dataclass(frozen=True, slots=True)
class _Value:
    """The expression of one value, the columns that it reads, and the level that has them; level 0 is the source."""

    sql: exp.Expr
    reads: frozenset[str] = frozenset()
    level: int = 0

    @classmethod
    def column(cls, name: str, level: int = 0) -> _Value:
        """A column that a level has."""
        return cls(exp.column(name), frozenset([name]), level)

    @classmethod
    def of(cls, sql: exp.Expr, *parts: _Value) -> _Value:
        """An expression that is made of parts."""
        reads = frozenset().union(*(part.reads for part in parts))
        return cls(sql, reads, max((part.level for part in parts), default=0))

    @property
    def is_plain(self) -> bool:
        """Whether it is a column or a constant."""
        return isinstance(self.sql, exp.Column) or not self.reads

    @property
    def name(self) -> str:
        """The name of the column that it is."""
        return self.sql.name


@dataclass(slots=True)
class _Compiler:
    source: str
    key: tuple[str, ...]
    bounds: Columns
    said: Said
    truths: bool
    rows: bool
    prefix: str
    word: Callable[[str], exp.Expr]
    levels: list[dict[str, _Value]] = field(default_factory=list)
    place: dict[Node, _Value] = field(default_factory=dict)
    uses: dict[Node, int] = field(default_factory=dict)

    def compile(self, rule_sets: Sequence[RuleSet]) -> Plan:
        """The plan of all trials: every comparison and every row first, statuses and verdicts last."""
        for rules in rule_sets:
            for condition in _conditions(rules):
                self._count(self._node(condition, rules.trial.id))
        outputs = {name: _Value.column(name) for name in self.key}
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
        if self.rows:
            outputs.update((leaf.name, leaf) for leaf in leaves.values())
        for criterion in trial.criteria if self.rows else ():
            met, exempt = truths[criterion.id]
            if self.truths:
                outputs.update((one.name, one) for one in (met, exempt) if one is not None)
            outputs[rows[criterion.id].status] = self._status(criterion, met, exempt)
        every = [self.place["row", trial.id, row.id] for row in trial.criteria]
        passed = [
            counted if row.kind == "inclusion" else _negation(counted)
            for row, counted in zip(trial.criteria, every, strict=True)
            if row.parent is None
        ]
        columns = TrialColumns(
            rows, {key: leaf.name for key, leaf in leaves.items()}, f"{stem}_verdict", f"{stem}_unknown"
        )
        outputs[columns.verdict] = self._verdict(self._column(f"{stem}_passed", _all_of(passed)))
        if self.rows:
            outputs[columns.unknown] = _number([_null(counted) for counted in every])
        return columns

    def _chain(self, outputs: Mapping[str, _Value]) -> exp.Select:
        """`WITH level1 AS (SELECT …, … FROM source), level2 AS (SELECT …, … FROM level1) … SELECT outputs`.

        A level has the columns that later ones read, and no more.
        """
        needed = frozenset().union(*(value.reads for value in outputs.values()))
        selects = [exp.Select().select(*(_named(name, value) for name, value in outputs.items()), copy=False)]
        for columns in reversed(self.levels):
            made = {name: value for name, value in columns.items() if name in needed}
            carried = sorted(needed - made.keys())
            listed = [*(_named(name, value) for name, value in made.items()), *map(exp.column, carried)]
            selects.append(exp.Select().select(*listed, copy=False))
            needed = frozenset(carried).union(*(value.reads for value in made.values()))
        *levels, query = reversed(selects)
        before = self.source
        for number, level in enumerate(levels, 1):
            query.with_(f"level{number}", as_=level.from_(before, copy=False), copy=False)
            before = f"level{number}"
        return query.from_(before, copy=False)

    def _column(self, name: str, value: _Value) -> _Value:
        """The value as a column of the first level that can have it."""
        while len(self.levels) <= value.level:
            self.levels.append({})
        self.levels[value.level][name] = value
        return _Value.column(name, value.level + 1)

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
        met = counted = self._column(f"{name}_met", _settled(data, *map(_given, self.said(*key))))
        exempt = None
        if criterion.id in rules.not_applicable:
            holds = self._value(self._node(rules.not_applicable[criterion.id], criterion.trial))
            exempt = self._column(f"{name}_exempt", _Value.of(_case((holds, _TRUE), other=_FALSE), holds))
            speaks = _TRUE if criterion.kind == "inclusion" else _FALSE
            counted = _Value.of(_case((exempt, speaks), other=met.sql), exempt, met)
            counted = self._column(f"{name}_counts", counted)
        self.place["row", *key] = counted
        return RowColumns(met.name, None if exempt is None else exempt.name, f"{name}_status"), (met, exempt)

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
                return _Value(exp.cast(exp.null(), exp.DataType.Type.BOOLEAN))
            case ("not", _):
                return _negation(parts[0])
            case ("all", _):
                return _all_of(parts)
            case ("any", _):
                return _Value.of(exp.or_(*(part.sql for part in parts)), *parts) if parts else _Value(_FALSE)
            case ("at least", int(count), _):
                return _at_least(count, parts)
        return _Value(_TRUE)

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
        words = ("pass", "fail") if criterion.kind == "inclusion" else ("fail", "pass")
        if exempt is None:
            return self._words(met, *words, "unknown")
        return self._words(met, *words, "unknown", (exempt, self.word("not-applicable")))

    def _verdict(self, passed: _Value) -> _Value:
        """The verdict: whether all rows without a parent pass; Kleene's AND lets a failure decide, then an unknown."""
        return self._words(passed, "eligible", "ineligible", "undetermined")

    def _words(self, truth: _Value, yes: str, no: str, unknown: str, *before: tuple[_Value, exp.Expr]) -> _Value:
        """The word for a truth, null asked first: that is cheapest."""
        cases = [*before, (_null(truth), self.word(unknown)), (truth, self.word(yes))]
        return _Value.of(_case(*cases, other=self.word(no)), truth, *(when for when, _ in before))


_TRUE, _FALSE = exp.true(), exp.false()


def _case(*cases: tuple[_Value, exp.Expr], other: exp.Expr | None = None) -> exp.Case:
    """CASE WHEN a value THEN an expression … ELSE another END."""
    made = exp.Case()
    for when, then in cases:
        made.when(when.sql.copy(), then.copy(), copy=False)
    return made if other is None else made.else_(other.copy(), copy=False)


def _named(name: str, value: _Value) -> exp.Expr:
    return value.sql.copy() if value.sql.name == name else exp.alias_(value.sql, name, copy=False)


def _given(said: str | exp.Expr) -> _Value:
    """An expression over the columns of the source."""
    made: exp.Expr = exp.maybe_parse(said, dialect="duckdb")
    return _Value(made, frozenset(column.name for column in made.find_all(exp.Column)))


def _null(value: _Value) -> _Value:
    return _Value.of(exp.Is(this=value.sql.copy(), expression=exp.null()), value)


def _negation(value: _Value) -> _Value:
    return _Value.of(exp.not_(value.sql), value)


def _all_of(parts: Sequence[_Value]) -> _Value:
    return _Value.of(exp.and_(*(part.sql for part in parts)), *parts) if parts else _Value(_TRUE)


def _settled(data: _Value, yes: _Value, no: _Value) -> _Value:
    """Data and attestation, true (`yes`) or false (`no`), together, as `evaluate.settle`: a contradiction is NULL."""
    contradicted = _Value(exp.or_(no.sql, exp.not_(data.sql)))
    if_true = _case((contradicted, exp.null()), other=_TRUE)
    if_false = _case((data, exp.null()), other=_FALSE)
    return _Value.of(_case((yes, if_true), (no, if_false), other=data.sql), data, yes, no)


def _at_least(count: int, parts: Sequence[_Value]) -> _Value:
    """True where `count` parts are true, false where so many are false that `count` cannot be reached, else NULL."""
    holding, failing = _number(parts), _number([_negation(part) for part in parts])
    enough = _Value(exp.GTE(this=exp.paren(holding.sql), expression=exp.Literal.number(count)))
    never = _Value(exp.GT(this=exp.paren(failing.sql), expression=exp.Literal.number(len(parts) - count)))
    return _Value.of(_case((enough, _TRUE), (never, _FALSE)), *parts)


def _number(conditions: Sequence[_Value]) -> _Value:
    """How many of the conditions are true."""
    total: exp.Expr = exp.Literal.number(0)
    for one in conditions:
        counted = _case((one, exp.Literal.number(1)), other=exp.Literal.number(0))
        total = exp.Add(this=total, expression=counted)
    return _Value.of(total, *conditions)


def _comparison(bounds: Pair, operator: str, met: Decimal, unmet: Decimal) -> exp.Expr:
    low, high = bounds if operator in (">=", ">") else (bounds[1], bounds[0])
    holds = _COMPARISONS[operator](this=exp.column(low), expression=_exact(met))
    fails = _COMPARISONS[_OPPOSITE[operator]](this=exp.column(high), expression=_exact(unmet))
    return _case((_Value(holds), _TRUE), (_Value(fails), _FALSE))


def _exact(number: Decimal) -> exp.Expr:
    """A threshold: a whole number as it is, else DECIMAL(38, 12). Raises TrialFileError for one with more decimals."""
    if number == number.to_integral_value():
        return exp.Literal.number(int(number))
    digits = format(number, "f")
    if len(digits.partition(".")[2].rstrip("0")) > SCALE:
        raise TrialFileError(f"The threshold {digits} has more than {SCALE} decimals.")
    return exp.cast(exp.Literal.string(digits), exp.DataType.build(f"DECIMAL(38, {SCALE})"))


def _conditions(rules: RuleSet) -> list[Condition]:
    return [*rules.conditions.values(), *rules.not_applicable.values()]


def _parts(node: Node) -> tuple[Node, ...]:
    """The operands of a group."""
    if node[0] not in ("not", "all", "any", "at least"):
        return ()
    operands = node[-1]
    assert isinstance(operands, tuple)
    return operands


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
