"""What the statuses of a patient do not tell: whether anything speaks against him, what would settle him, and whether
time alone could help.

All of it depends on which comparisons of a top-level row and its parts are true, false or unknown, and on what is
attested of them: on their pattern. A cohort has few patterns, so each is looked into once, by the same Python that
explains the verdicts of `screen`, on the first patient who shows it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sle_kg.cohort.judge import JUDGED, SAID, SqlJudge
from sle_kg.criteria import RowRef, Trial, walk
from sle_kg.engines import RowStatus
from sle_kg.evaluate import Bound, RowTruth, RuleSet, families, row_truths
from sle_kg.features.asks import EVENTS
from sle_kg.features.wide import WIDE
from sle_kg.sql_plan import leaf_key
from sle_kg.timeline import Case, changing_leaves, leaves_of, may_pass_later
from sle_kg.verdict import Evidence, OpenKind, Status
from sle_kg.verdicts import Dates, Subject, build_verdict
from sle_kg.wording import Words

if TYPE_CHECKING:
    import duckdb

Attested = dict[str, frozenset[bool]]


@dataclass(frozen=True, slots=True)
class Found:
    """What a pattern of one top-level row says.

    `clear`: no decisive row fails, and what is open is a test, an agreement or a judgement. `open`: the open rows
    without parts that decide, with whose move they are. `settling`: those of them of which either answer makes the
    top-level row known.
    """

    clear: bool
    open: tuple[tuple[str, OpenKind], ...]
    settling: tuple[str, ...]


class Patterns:
    """The patterns of one trial, each looked into once for the whole cohort."""

    def __init__(self, trial: Trial, judge: SqlJudge) -> None:
        self.trial, self.judge = trial, judge
        self.rules: RuleSet = judge.rules[trial.id]
        self.tops = [row.id for row in trial.criteria if row.parent is None]
        top_of = families(trial)
        self._members = {top: [row for row in top_of if top_of[row] == top] for top in self.tops}
        self._reached = {top: _reached(self.rules, rows) for top, rows in self._members.items()}
        self.still = {top for top in self.tops if not changing_leaves(Case(0, self.rules, {}, {}), [top], True)}
        """Top-level rows that time alone never changes, whatever is known."""
        self._found: dict[tuple[str, str], Found] = {}
        self._later: dict[tuple[str, str], bool] = {}

    # ── What the database gives ──────────────────────────────────────────────────────────────────────────

    def rows(self, connection: duckdb.DuckDBPyConnection, where: str) -> Iterator[tuple[int, list[Status], list[str]]]:
        """Number, statuses and patterns of the top-level rows, of the patients that an SQL condition picks."""
        status = self.judge.status_columns(self.trial.id).rows
        said = self._attested_rows(connection)
        columns = [status[top] for top in self.tops] + [self._pattern(top, said) for top in self.tops]
        table = f"{JUDGED} LEFT JOIN {SAID} USING (number)"
        result = connection.execute(f"SELECT number, {', '.join(columns)} FROM {table} WHERE {where} ORDER BY number")
        while some := result.fetchmany(5000):
            for number, *values in some:
                yield number, values[: len(self.tops)], values[len(self.tops) :]

    def _attested_rows(self, connection: duckdb.DuckDBPyConnection) -> set[str]:
        """The rows of which anybody attests anything."""
        known = {place: row for (trial, row), place in self.judge.place.items() if trial == self.trial.id}
        if not known:
            return set()
        some = ", ".join(f"bool_or({place}_true OR {place}_false)" for place in known)
        said = connection.execute(f"SELECT {some} FROM {SAID}").fetchall()[0]
        return {row for row, yes in zip(known.values(), said, strict=True) if yes}

    def _pattern(self, top: str, said: set[str]) -> str:
        """SQL: the pattern of a top-level row as text: a digit for each comparison, then what is attested."""
        leaves = self.judge.plan.trials[self.trial.id].leaves
        keys = dict.fromkeys(leaf_key(leaf) for leaf in leaves_of(self.rules, self._members[top]))
        parts = [
            f"CASE WHEN {leaves[key]} THEN '1' WHEN NOT {leaves[key]} THEN '0' ELSE '-' END" for key in sorted(keys)
        ]
        for row in sorted(self._reached[top] & said):
            true, false = self.judge.said_columns(self.trial.id, row)
            stem = self.judge.place[self.trial.id, row]
            parts.append(f"CASE WHEN {true} THEN '+{stem}' ELSE '' END")
            parts.append(f"CASE WHEN {false} THEN '/{stem}' ELSE '' END")
        return f"concat({', '.join(parts)})" if parts else "''"

    def bounds_of(
        self, connection: duckdb.DuckDBPyConnection, numbers: Sequence[int]
    ) -> dict[int, tuple[dict[str, Bound], Attested]]:
        """The bounds of some patients, and what is attested of them."""
        slugs = [feature.slug for feature in self.judge.wanted[self.trial.id]]
        columns = [name for slug in slugs for name in self.judge.columns.bounds(self.trial.id, slug)]
        known = _rows(connection, WIDE, columns, numbers)
        rows = [row.id for row in self.trial.criteria]
        columns = [name for row in rows for name in self.judge.said_columns(self.trial.id, row)]
        said = _rows(connection, SAID, columns, numbers)
        found = {}
        for number in numbers:
            values, answers = known[number], said.get(number, (False,) * len(columns))
            bounds = {slug: (values[2 * place], values[2 * place + 1]) for place, slug in enumerate(slugs)}
            attested = {
                row: frozenset(yes for yes, holds in ((True, answers[2 * n]), (False, answers[2 * n + 1])) if holds)
                for n, row in enumerate(rows)
            }
            found[number] = (bounds, {row: some for row, some in attested.items() if some})
        return found

    def bounds(self, connection: duckdb.DuckDBPyConnection, number: int) -> tuple[dict[str, Bound], Attested]:
        """The bounds of one patient, and what is attested of him."""
        return self.bounds_of(connection, [number])[number]

    # ── What Python says of a pattern ────────────────────────────────────────────────────────────────────

    def found(self, connection: duckdb.DuckDBPyConnection, number: int, patterns: Sequence[str]) -> list[Found]:
        """What the patterns of the top-level rows of one patient say."""
        keys = list(zip(self.tops, patterns, strict=True))
        if any(key not in self._found for key in keys):
            self._look_into(keys, *self.bounds(connection, number))
        return [self._found[key] for key in keys]

    def later(
        self, connection: duckdb.DuckDBPyConnection, number: int, status: Sequence[Status], patterns: Sequence[str]
    ) -> bool:
        """Whether every top-level row that fails or is unknown may pass later (as `screening` asks before it looks)."""
        known: tuple[dict[str, Bound], Attested] | None = None
        for top, word, pattern in zip(self.tops, status, patterns, strict=True):
            if word not in ("fail", "unknown"):
                continue
            if (top, pattern) not in self._later:
                known = known or self.bounds(connection, number)
                self._later[top, pattern] = may_pass_later(Case(0, self.rules, *known), top)
            if not self._later[top, pattern]:
                return False
        return True

    def _look_into(
        self, keys: Sequence[tuple[str, str]], bounds: Mapping[str, Bound], attested: Mapping[str, frozenset[bool]]
    ) -> None:
        options, terminology = self.judge.options, self.judge.terminology
        truths = row_truths(self.rules, bounds, attested)
        nothing = Evidence("", "", "", None)
        subject = Subject(
            patient="",
            on=options.on,
            bounds=bounds,
            records={},
            attestations=attested,
            attested=dict.fromkeys(attested, (nothing,)),
            evidence=lambda record: nothing,
            words=Words(str, terminology.is_open, lambda kind: 0, options.on, dict.fromkeys(EVENTS, options.on)),
        )
        found = {row: RowStatus(truth.met, truth.not_applicable) for row, truth in truths.items()}
        verdict = build_verdict(subject, self.rules, found, options.readings, (), Dates())
        rows = {row.id: row for row in verdict.criteria}
        parents = {row.parent for row in verdict.criteria}
        for top, pattern in keys:
            decisive = [rows[row] for row in self._members[top] if rows[row].decisive]
            open_rows = [row for row in decisive if row.status == "unknown"]
            clear = not any(row.status == "fail" for row in decisive) and all(r.open_kind != "data" for r in open_rows)
            ends = tuple((r.id, r.open_kind) for r in open_rows if r.id not in parents and r.open_kind is not None)
            settling = tuple(row for row, _ in ends if self._settles(row, top, bounds, attested))
            self._found[top, pattern] = Found(clear, ends, settling)

    def _settles(
        self, row: str, top: str, bounds: Mapping[str, Bound], attested: Mapping[str, frozenset[bool]]
    ) -> bool:
        """Whether the top-level row is known whichever way an open row is answered."""
        for answer in (True, False):
            truth = row_truths(self.rules, bounds, attested, {row: RowTruth(answer)})[top]
            if truth.met is None and not truth.not_applicable:
                return False
        return True


@dataclass(slots=True)
class WorkList:
    """Of each row without parts: how many patients it settles, and in how many it is open; whose move, by patients."""

    settles: Counter[str]
    open: Counter[str]
    kinds: dict[str, Counter[OpenKind]]

    @classmethod
    def empty(cls) -> WorkList:
        """Nothing counted yet."""
        return cls(Counter(), Counter(), {})

    def add(self, status: Sequence[str], found: Sequence[Found]) -> None:
        """Count one undetermined patient: a row settles him where its top-level row is the only open one."""
        unknown = [one for word, one in zip(status, found, strict=True) if word == "unknown"]
        for one in unknown:
            for row, kind in one.open:
                self.open[row] += 1
                self.kinds.setdefault(row, Counter())[kind] += 1
        if len(unknown) == 1:
            self.settles.update(unknown[0].settling)


def _reached(rules: RuleSet, rows: Sequence[str]) -> set[str]:
    """The rows and every row that they refer to, however far."""
    seen: set[str] = set()
    todo = list(rows)
    while todo:
        row = todo.pop()
        if row in seen:
            continue
        seen.add(row)
        for condition in (rules.conditions[row], rules.not_applicable.get(row)):
            if condition is not None:
                todo += [node.row for node in walk(condition) if isinstance(node, RowRef)]
    return seen


def _rows(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str], numbers: Sequence[int]
) -> dict[int, tuple[Any, ...]]:
    """The columns of some patients, by their number."""
    query = f"SELECT number, {', '.join(columns)} FROM {table} WHERE number IN (SELECT unnest(?))"
    return {number: tuple(values) for number, *values in connection.cursor().execute(query, [list(numbers)]).fetchall()}
