"""The queries of the features, which are DuckDB's SQL, in the SQL of Spark 4.

One text of each query is enough: `to_spark` parses it, expands the macros of `features.sql`, and rewrites what Spark
says differently. Every rule keeps the result to the last decimal:

- A *date* is a whole number of days since 1970 (`unix_date`): differences are numbers and sums are dates, as in DuckDB,
  and no day is out of range. Calendar months and the parts of a date go through Spark's dates.
- *HUGEINT* is DECIMAL(38, 0). A ratio is rounded towards zero by dividing what the divisor divides exactly, since
  Spark's own division keeps six decimals only; division by zero gives null.
- Spark runs with ANSI checks, so that an overflow is an error; inside TRY it gives null, by `try_add` and its like.
- *QUALIFY* is a column that is computed and then filtered by.
- `ask NOT IN (SELECT ask …)` says by `coalesce` that numbers of asks are never null: Spark would compare every ask with
  every other, to find those that cannot be told apart.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter

import sqlglot
from sqlglot import exp

from sle_kg.errors import TrialFileError
from sle_kg.features.sql import MACROS

Rule = Callable[[exp.Expr], exp.Expr]
"""What becomes of a node: itself, or another in its place."""
_EPOCH = dt.date(1970, 1, 1)
_KEPT = "qualified"
_FACTS = "fact_"
_ASK = "ask"
MOST_JOINS = 8
"""Tables that one query joins at most."""
_TRIED: dict[type[exp.Expr], str] = {
    exp.Add: "try_add",
    exp.Sub: "try_subtract",
    exp.Mul: "try_multiply",
    exp.Div: "try_divide",
}
_WHOLE = exp.DataType.build("DECIMAL(38, 0)")


@dataclass(frozen=True, slots=True)
class Step:
    """A SELECT in Spark's SQL, and the name of the view it makes; `shared` views are read more than once."""

    name: str
    select: str
    shared: bool


def to_spark(select: str) -> str:
    """A SELECT in DuckDB's SQL as Spark's. Raises TrialFileError for what Spark has no equal of."""
    return _text(_translated(select))


def steps(name: str, select: str) -> list[Step]:
    """A statement as a view for each of its common tables that is read more than once, and last the view `name`.

    Spark computes a common table expression anew wherever it is named; one that reads facts is better kept.
    """
    tree = _translated(select)
    ctes = {cte.alias: cte.this for cte in tree.find_all(exp.CTE)}
    reads = {one: _tables(body) for one, body in ctes.items()}
    everything = Counter(_tables(_without_ctes(tree)))
    for tables in reads.values():
        everything.update(tables)
    facts: dict[str, bool] = {}
    for one in _in_order(reads):
        facts[one] = any(facts.get(table, table.startswith(_FACTS)) for table in reads[one])
    kept = [one for one in _in_order(reads) if facts[one] and everything[one] > 1]
    views = {one: f"{name}_{one}" for one in kept}
    made = [Step(views[one], _text(_with(ctes[one], ctes, reads, views)), True) for one in kept]
    parts, last = _joined_in_parts(name, _with(tree, ctes, reads, views))
    return [*made, *parts, Step(name, _text(last), False)]


def _joined_in_parts(name: str, tree: exp.Expr) -> tuple[list[Step], exp.Expr]:
    """A SELECT from very many tables, all joined by `number`, as steps that join some each; Spark sorts all at once."""
    joins = tree.args.get("joins") or []
    if len(joins) <= MOST_JOINS:
        return [], tree
    made: list[Step] = []
    source = tree.args["from_"].this
    for start in range(0, len(joins), MOST_JOINS):
        some = joins[start : start + MOST_JOINS]
        others = [
            exp.Column(this=exp.Star(except_=[exp.to_identifier("number")]), table=one.this.alias_or_name)
            for one in some
        ]
        part = exp.Select().select(exp.column(exp.Star(), table=source.alias), *others).from_(source.copy())
        part.set("joins", [one.copy() for one in some])
        made.append(Step(f"{name}_part{len(made)}", _text(part), True))
        source = exp.alias_(exp.to_table(made[-1].name), source.alias, table=True)
    last = tree.copy()
    last.set("joins", None)
    last.args["from_"].set("this", source)
    return made, last


def _translated(select: str) -> exp.Expr:
    return _replaced(_expanded(sqlglot.parse_one(select, read="duckdb")), _rewritten)


def _text(tree: exp.Expr) -> str:
    try:
        return tree.sql(dialect="spark", identify=True, unsupported_level=sqlglot.ErrorLevel.RAISE)
    except sqlglot.UnsupportedError as error:
        raise TrialFileError(f"Spark has no equal of a query of the features: {error}.") from error


def _without_ctes(tree: exp.Expr) -> exp.Expr:
    """The tree without any WITH."""
    bare = tree.copy()
    for each in list(bare.find_all(exp.With)):
        each.pop()
    return bare


def _tables(tree: exp.Expr) -> list[str]:
    """The tables that a SELECT names, not those that its common tables name."""
    return [table.name for table in _without_ctes(tree).find_all(exp.Table)]


def _in_order(reads: Mapping[str, Sequence[str]]) -> list[str]:
    """Common tables, each after those that it reads."""
    return list(
        TopologicalSorter({one: [t for t in tables if t in reads] for one, tables in reads.items()}).static_order()
    )


def _with(
    tree: exp.Expr, ctes: Mapping[str, exp.Expr], reads: Mapping[str, Sequence[str]], views: Mapping[str, str]
) -> exp.Expr:
    """A SELECT with the common tables that it needs, and the names of `views` where it reads those."""
    bare = _without_ctes(tree)
    assert isinstance(bare, exp.Query)
    needed: set[str] = set()
    todo = _tables(bare)
    while todo:
        table = todo.pop()
        if table in ctes and table not in views and table not in needed:
            needed.add(table)
            todo += reads[table]
    for one in _in_order(reads):
        if one in needed:
            bare = bare.with_(one, as_=_without_ctes(ctes[one]), copy=False)
    for named in bare.find_all(exp.Table):
        if named.name in views:
            named.set("alias", exp.TableAlias(this=exp.to_identifier(named.alias or named.name)))
            named.set("this", exp.to_identifier(views[named.name]))
    return bare


def _replaced(tree: exp.Expr, rule: Rule) -> exp.Expr:
    """The tree with each node as the rule has it, parts before the whole."""
    for node in reversed(list(tree.bfs())):
        made = rule(node)
        if made is not node:
            if node is tree:
                tree = made
            else:
                node.replace(made)
    return tree


# ---- macros ---------------------------------------------------------------------------------------------------------


_BODIES = {name: body for name, (_, body) in MACROS.items()} | {"quick_below": "below(numerator, denominator)"}
"""Bodies of macros. DuckDB divides short whole numbers faster; Spark would make floating point of them."""


@cache
def _body(name: str) -> exp.Expr:
    """The body of a macro, its own macros expanded and its `//` made exact."""
    return _replaced(_expanded(sqlglot.parse_one(_BODIES[name], read="duckdb")), _exact_ratio)


def _expanded(tree: exp.Expr) -> exp.Expr:
    """The tree with each call of a macro replaced by its body."""
    return _replaced(tree, _expanded_call)


def _expanded_call(node: exp.Expr) -> exp.Expr:
    name = node.name.lower() if isinstance(node, exp.Anonymous) else ""
    if name not in MACROS:
        return node
    given = dict(zip(MACROS[name][0], node.expressions, strict=True))

    def filled(part: exp.Expr) -> exp.Expr:
        """What is given for a parameter."""
        return exp.paren(given[part.name]) if isinstance(part, exp.Column) and part.name in given else part

    return exp.paren(_replaced(_body(name).copy(), filled), copy=False)


def _exact_ratio(node: exp.Expr) -> exp.Expr:
    """`n // d` of numbers with up to 38 digits: (n − n mod d) / d, which is a whole number; null where d is 0."""
    if not isinstance(node, exp.IntDiv):
        return node
    above, below = exp.paren(node.this), exp.Nullif(this=node.expression, expression=exp.Literal.number(0))
    divided = exp.Sub(this=above, expression=exp.Mod(this=above.copy(), expression=below))
    return exp.cast(exp.Div(this=exp.paren(divided), expression=below.copy(), typed=False, safe=False), _WHOLE)


# ---- what Spark says differently ------------------------------------------------------------------------------------


def _rewritten(node: exp.Expr) -> exp.Expr:
    """One node, its parts rewritten already, as Spark knows it."""
    match node:
        case exp.Try():
            return _replaced(node.this, _tried)
        case exp.Cast():
            return _cast(node)
        case exp.Sub() if (months := _months(node.expression)) is not None:
            return _months_before(node.this, months)
        case exp.Bracket():  # null where there are fewer
            return exp.Anonymous(this="get", expressions=[node.this, node.expressions[0]])
        case exp.ToDays():
            return exp.paren(node.this)
        case exp.Interval() if node.text("unit").upper() == "DAY":
            return exp.Literal.number(node.name)
        case exp.Year() | exp.Month() | exp.Day():
            return exp.Anonymous(this=node.key, expressions=[_date(node.this)])
        case exp.Window() if isinstance(node.this, exp.RowNumber) and not node.args.get("order"):
            return exp.Anonymous(this="monotonically_increasing_id", expressions=[])
        case exp.Select() if node.args.get("qualify"):
            return _qualified(node)
        case exp.Not() if isinstance(node.this, exp.In) and _asks(node.this) is not None:
            return _never_null(node)
    return node


def _cast(node: exp.Cast) -> exp.Expr:
    """Dates are whole numbers, HUGEINT is DECIMAL(38, 0), words are text."""
    if node.to.this == exp.DataType.Type.DATE:
        if isinstance(node.this, exp.Literal):
            return exp.Literal.number((dt.date.fromisoformat(node.this.name) - _EPOCH).days)
        node.set("to", exp.DataType.build("INT"))
    elif node.to.this == exp.DataType.Type.ENUM:
        node.set("to", exp.DataType.build("STRING"))
    elif node.to.this == exp.DataType.Type.INT128:
        node.set("to", _WHOLE.copy())
    return node


def _tried(node: exp.Expr) -> exp.Expr:
    """Arithmetic that gives null where it overflows."""
    if type(node) in _TRIED:
        return exp.Anonymous(this=_TRIED[type(node)], expressions=[node.this, node.expression])
    if type(node) is exp.Cast:
        return exp.TryCast(this=node.this, to=node.to)
    return node


def _months(node: exp.Expr) -> exp.Expr | None:
    """How many calendar months an interval has; None for what is none."""
    if isinstance(node, exp.Anonymous) and node.name.lower() == "to_months":
        months: exp.Expr = node.expressions[0]
        return months
    if isinstance(node, exp.Interval) and node.text("unit").upper() == "MONTH":
        return exp.Literal.number(node.name)
    return None


def _months_before(day: exp.Expr, months: exp.Expr) -> exp.Expr:
    """The day so many months before, clamped to the end of its month."""
    earlier = exp.Anonymous(this="add_months", expressions=[_date(day), exp.Neg(this=exp.paren(months))])
    return exp.Anonymous(this="unix_date", expressions=[earlier])


def _date(day: exp.Expr) -> exp.Expr:
    """A number of days as a date of Spark's."""
    return exp.Anonymous(this="date_from_unix_date", expressions=[day])


def _asks(node: exp.In) -> exp.Select | None:
    """The query that selects asks alone, where `node` looks into one."""
    query = node.args.get("query")
    select = query.unnest() if isinstance(query, exp.Subquery) else query
    return select if isinstance(select, exp.Select) and select.named_selects == [_ASK] else None


def _never_null(node: exp.Not) -> exp.Not:
    """NOT IN with both sides told to be no null."""
    inside = node.copy()
    select = _asks(inside.this)
    assert select is not None
    select.set("expressions", [exp.alias_(_told(one.unalias()), _ASK) for one in select.expressions])
    inside.this.set("this", _told(inside.this.this))
    return inside


def _told(ask: exp.Expr) -> exp.Expr:
    return exp.Coalesce(this=ask.copy(), expressions=[exp.Literal.number(-1)])


def _qualified(select: exp.Select) -> exp.Select:
    """SELECT … QUALIFY c as SELECT * EXCEPT (q) FROM (SELECT …, c AS q) WHERE q."""
    inner = select.copy()
    condition, ctes = inner.args["qualify"].this, inner.args.get("with_")
    inner.set("qualify", None)
    inner.set("with_", None)
    inner = inner.select(exp.alias_(condition, _KEPT), copy=False)
    star = exp.Star(except_=[exp.to_identifier(_KEPT)])
    outer = exp.Select().select(star).from_(inner.subquery("every")).where(exp.column(_KEPT))
    outer.set("with_", ctes)
    return outer
