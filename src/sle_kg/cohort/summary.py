"""What the verdicts of a cohort add up to: verdicts, funnel, candidates, work list, what-if, overlap of trials.

Chunks are counted one after the other; only counts and the best candidates are kept.
"""

from __future__ import annotations

import datetime as dt
import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import accumulate, combinations
from typing import TYPE_CHECKING

from sle_kg.cohort.ahead import FIRST_DAY
from sle_kg.cohort.changes import Change, Limit, Serving, TrialLimit
from sle_kg.cohort.judge import JUDGED, StatusColumns
from sle_kg.cohort.top_rows import CLEAR, OPEN, WAITING
from sle_kg.cohort.whatif import GAIN
from sle_kg.criteria import Operator, Trial
from sle_kg.features.sql import text
from sle_kg.features.wide import PERSON
from sle_kg.verdict import OpenKind, Verdict, VerdictWord

if TYPE_CHECKING:
    import duckdb

    from sle_kg.wording import Words

AHEAD = "ahead"
"""The table of what statuses do not tell: `number`, `trial` (its place), `clear`, `earliest`."""
TOLD = {
    CLEAR: "number BIGINT, trial INTEGER",
    OPEN: "number BIGINT, trial INTEGER, row INTEGER, kind VARCHAR, top_open BOOLEAN, settles BOOLEAN",
    WAITING: "number BIGINT, trial INTEGER",
    FIRST_DAY: "number BIGINT, trial INTEGER, day DATE",
    GAIN: "number BIGINT, trial INTEGER, change INTEGER, step INTEGER, verdict VARCHAR",
}
"""The tables of what statuses do not tell, and their columns."""
MOST_PAIRED = 30
"""Trials up to which the overlap of every two is counted."""
VERDICTS: tuple[VerdictWord, ...] = ("eligible", "undetermined", "ineligible")


@dataclass(frozen=True, slots=True)
class Step:
    """One top-level row of a funnel.

    `left`: patients who fail neither this row nor one before it; `certain`: those of them who are known to pass all.
    `failing`, `unknown`: whatever the other rows say. `alone`: patients who fail this row and no other.
    """

    row: str
    kind: str
    words: str
    left: int | None
    certain: int | None
    failing: int | None
    unknown: int | None
    alone: int | None


@dataclass(frozen=True, slots=True, order=True)
class Candidate:
    """A patient whom no row excludes; in the order of the list: fewest unknown rows, nothing against, earliest, id.

    `open`: the open rows without parts that decide; `settled_by`: those of them of which either answer makes his
    verdict known.
    """

    unknown: int
    against: bool
    earliest: dt.date
    patient: str
    verdict: VerdictWord = field(compare=False)
    dated: bool = field(compare=False)
    open: tuple[str, ...] = field(compare=False)
    settled_by: tuple[str, ...] = field(compare=False)


@dataclass(frozen=True, slots=True)
class Work:
    """An open row: `settles` patients whose verdict either answer makes known, `open` in so many undetermined ones.

    Where the top-level row above it is attested, it keeps nobody undetermined and is not counted.
    """

    row: str
    words: str
    kind: OpenKind
    settles: int | None
    open: int | None


@dataclass(frozen=True, slots=True)
class Gained:
    """Patients gained by a change: no longer excluded; of all patients those newly eligible, newly undetermined."""

    no_longer_excluded: int | None
    newly_eligible: int | None
    newly_undetermined: int | None


@dataclass(frozen=True, slots=True)
class Relaxed:
    """A limit of a row, and what is gained where it is relaxed to each of `steps`, the mildest first.

    `threshold` and `steps` are in `unit` (`mo` months, `{halfLife}`); `operator` is about thresholds alone.
    """

    what: str
    operator: Operator | None
    threshold: Decimal
    unit: str | None
    steps: tuple[tuple[Decimal, Gained], ...]
    limit: Limit | TrialLimit = "threshold"


@dataclass(frozen=True, slots=True)
class WhatIfRow:
    """What is gained where a row is dropped, and where its limits are relaxed.

    The limits of the whole trial come last, with neither `row` nor `dropped`.
    """

    row: str
    words: str
    dropped: Gained | None
    relaxed: tuple[Relaxed, ...]


@dataclass(frozen=True, slots=True)
class TrialSummary:
    """One trial: counts by verdict, of patients with nothing against them, funnel, candidates, work list.

    `what_if` only where it was asked for.
    """

    trial: Trial
    verdicts: dict[str, int | None]
    nothing_against: int | None
    funnel: tuple[Step, ...]
    candidates: tuple[Candidate, ...]
    candidates_in_all: int | None
    work: tuple[Work, ...]
    what_if: tuple[WhatIfRow, ...] | None = None


@dataclass(frozen=True, slots=True)
class Overlap:
    """Patients whom neither of two trials excludes, and those eligible for both."""

    trials: tuple[str, str]
    candidates: int | None
    eligible: int | None


@dataclass(frozen=True, slots=True)
class Reach:
    """One trial among all: patients whom it or a trial before it does not exclude; those whom it alone does not."""

    trial: str
    reached: int | None
    alone: int | None


@dataclass(frozen=True, slots=True)
class CohortSummary:
    """A whole cohort on one date. Counts that are None are suppressed: below `suppressed_below`, or telling of one.

    `in_any` counts patients whom at least one trial does not exclude (`candidates`) or takes (`eligible`). `evidence`
    are the verdicts of the patients asked for, explained.
    """

    on: dt.date
    engine: str
    patients: int | None
    trials: tuple[TrialSummary, ...]
    in_any: dict[str, int | None]
    reach: tuple[Reach, ...]
    overlap: tuple[Overlap, ...]
    suppressed_below: int = 0
    evidence: tuple[Verdict, ...] = ()


class Counts:
    """The counts of all chunks so far; `changes` are those of each trial, if any, that `GAIN` knows by place."""

    def __init__(
        self,
        trials: Sequence[Trial],
        columns: Sequence[StatusColumns],
        changes: Sequence[Sequence[Change | Serving]],
        most: int,
    ) -> None:
        self.trials, self.columns, self.changes, self.most = trials, columns, changes, most
        self.patients = 0
        self._verdicts: list[Counter[str]] = [Counter() for _ in trials]
        self._clear: Counter[int] = Counter()
        self._steps = [[0] * 5 * len(_tops(trial)) for trial in trials]
        self._open: Counter[tuple[int, int, OpenKind]] = Counter()
        self._settles: Counter[tuple[int, int]] = Counter()
        self._gains: Counter[tuple[int, int, int, str, str]] = Counter()
        self._both: Counter[tuple[int, int, str]] = Counter()
        self._any: Counter[str] = Counter()
        self._reach = [[0, 0] for _ in trials]
        self._best: list[list[Candidate]] = [[] for _ in trials]

    def add(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Count a chunk: tables `PERSON`, `JUDGED`, `AHEAD`, `OPEN` and `GAIN`."""
        self.patients += int(_one(connection, f"SELECT count(*) FROM {JUDGED}")[0])
        for place, (trial, columns) in enumerate(zip(self.trials, self.columns, strict=True)):
            rows = connection.execute(f"SELECT {columns.verdict}, count(*) FROM {JUDGED} GROUP BY 1").fetchall()
            self._verdicts[place].update(dict(rows))
            steps = _steps(connection, [columns.rows[row] for row in _tops(trial)])
            self._steps[place] = [old + new for old, new in zip(self._steps[place], steps, strict=True)]
            self._add_candidates(connection, place)
            self._add_gains(connection, place)
        clear = f"SELECT trial, count(*) FROM {AHEAD} WHERE clear GROUP BY 1"
        self._clear.update(dict(connection.execute(clear).fetchall()))
        asked = f"""SELECT trial, row, kind, count(*), count(*) FILTER (WHERE settles)
            FROM {OPEN} WHERE top_open GROUP BY ALL"""
        for trial_place, row, kind, open_in, settled in connection.execute(asked).fetchall():
            self._open[trial_place, row, kind] += open_in
            self._settles[trial_place, row] += settled
        self._add_pairs(connection)

    def _add_candidates(self, connection: duckdb.DuckDBPyConnection, place: int) -> None:
        columns, rows = self.columns[place], [row.id for row in self.trials[place].criteria]
        best = connection.execute(
            f"""WITH best AS (
                SELECT j.number, {columns.unknown} AS unknown, NOT a.clear AS against,
                       coalesce(a.earliest, DATE '9999-12-31') AS day, p.patient, {columns.verdict} AS verdict,
                       a.earliest IS NOT NULL AS dated
                FROM {JUDGED} j JOIN {PERSON} p USING (number)
                JOIN {AHEAD} a ON a.number = j.number AND a.trial = {place}
                WHERE {columns.verdict} <> 'ineligible' ORDER BY 2, 3, 4, 5 LIMIT {self.most})
            SELECT b.* EXCLUDE (number), coalesce(list(o.row ORDER BY o.row) FILTER (o.row IS NOT NULL), []),
                   coalesce(list(o.row ORDER BY o.row) FILTER (o.settles), [])
            FROM best b LEFT JOIN {OPEN} o ON o.number = b.number AND o.trial = {place} GROUP BY ALL"""
        ).fetchall()
        found = [Candidate(*values[:6], *(tuple(rows[n] for n in places) for places in values[6:])) for values in best]
        self._best[place] = heapq.nsmallest(self.most, [*self._best[place], *found])

    def _add_gains(self, connection: duckdb.DuckDBPyConnection, place: int) -> None:
        verdict = self.columns[place].verdict
        rows = connection.execute(
            f"""SELECT change, step, j.{verdict}, g.verdict, count(*)
            FROM {GAIN} g JOIN {JUDGED} j USING (number) WHERE g.trial = {place} GROUP BY ALL"""
        ).fetchall()
        for change, step, before, after, count in rows:
            self._gains[place, change, step, before, after] += count

    def _add_pairs(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Patients of two trials, of any, and of one after the other."""
        words = {
            "candidates": [f"{columns.verdict} <> 'ineligible'" for columns in self.columns],
            "eligible": [f"{columns.verdict} = 'eligible'" for columns in self.columns],
        }
        asked: list[tuple[tuple[int, int, str] | str, str]] = []
        for name, tests in words.items():
            asked.append((name, " OR ".join(tests)))
            asked += [((a, b, name), f"{tests[a]} AND {tests[b]}") for a, b in self._pairs()]
        counts = _one(connection, f"SELECT {', '.join(f'count_if({test})' for _, test in asked)} FROM {JUDGED}")
        for (key, _), count in zip(asked, counts, strict=True):
            if isinstance(key, str):
                self._any[key] += count
            else:
                self._both[key] += count
        free = words["candidates"]
        first = " ".join(f"WHEN {test} THEN {place}" for place, test in enumerate(free))
        several = " + ".join(f"CAST({test} AS INTEGER)" for test in free)
        reached = f"SELECT CASE {first} END AS first, {several} = 1 AS alone, count(*) FROM {JUDGED} GROUP BY ALL"
        for place, alone, count in connection.execute(reached).fetchall():
            if place is not None:
                self._reach[place][0] += count
                self._reach[place][1] += count if alone else 0

    def _reached(self) -> tuple[Reach, ...]:
        """Whom one trial after the other reaches."""
        reached = accumulate(first for first, _ in self._reach)
        return tuple(
            Reach(trial.id, count, alone)
            for trial, count, (_, alone) in zip(self.trials, reached, self._reach, strict=True)
        )

    def _pairs(self) -> list[tuple[int, int]]:
        """The pairs of trials whose overlap is counted: none where there are too many trials for a matrix."""
        return list(combinations(range(len(self.trials)), 2)) if len(self.trials) <= MOST_PAIRED else []

    def summary(self, on: dt.date, engine: str, words: Words) -> CohortSummary:
        """Everything counted; `words` name what thresholds are about."""
        return CohortSummary(
            on=on,
            engine=engine,
            patients=self.patients,
            trials=tuple(self._trial(place, words) for place in range(len(self.trials))),
            in_any={"candidates": self._any["candidates"], "eligible": self._any["eligible"]},
            reach=self._reached(),
            overlap=tuple(
                Overlap(
                    (self.trials[a].id, self.trials[b].id),
                    self._both[a, b, "candidates"],
                    self._both[a, b, "eligible"],
                )
                for a, b in self._pairs()
            ),
        )

    def _trial(self, place: int, words: Words) -> TrialSummary:
        trial, counted = self.trials[place], self._steps[place]
        steps, left, certain = [], self.patients, self.patients
        for number, row in enumerate(_tops(trial)):
            fails_first, open_first, failing, unknown, alone = counted[5 * number : 5 * number + 5]
            left, certain = left - fails_first, certain - open_first
            criterion = trial.criterion(row)
            steps.append(Step(row, criterion.kind, criterion.text, left, certain, failing, unknown, alone))
        verdicts: dict[str, int | None] = {word: self._verdicts[place][word] for word in VERDICTS}
        return TrialSummary(
            trial=trial,
            verdicts=verdicts,
            nothing_against=self._clear[place],
            funnel=tuple(steps),
            candidates=tuple(sorted(self._best[place])),
            candidates_in_all=self._verdicts[place]["eligible"] + self._verdicts[place]["undetermined"],
            work=tuple(self._work(place)),
            what_if=tuple(self._what_if(place, words)) if self.changes[place] else None,
        )

    def _work(self, place: int) -> list[Work]:
        """The open rows of a trial, those first that settle most patients."""
        kinds: dict[int, Counter[OpenKind]] = {}
        for (trial, row, kind), count in self._open.items():
            if trial == place:
                kinds.setdefault(row, Counter())[kind] += count
        found = []
        for row, counted in kinds.items():
            criterion = self.trials[place].criteria[row]
            commonest = min(counted.items(), key=lambda item: (-item[1], item[0]))[0]
            settles = self._settles[place, row]
            found.append(Work(criterion.id, criterion.text, commonest, settles, counted.total()))
        return sorted(found, key=lambda one: (-(one.settles or 0), -(one.open or 0), one.row))

    def _what_if(self, place: int, words: Words) -> list[WhatIfRow]:
        """What each change of a trial gains, rows in the record's order."""
        found: list[WhatIfRow] = []
        for number, change in enumerate(self.changes[place]):
            if not change.amounts:
                text_of = self.trials[place].criterion(change.row).text
                found.append(WhatIfRow(change.row, text_of, self._gained(place, number, 0), ()))
                continue
            if found[-1].row != change.row:
                found.append(WhatIfRow(change.row, "", None, ()))
            (threshold, unit), *moved = change.amounts
            steps = tuple((amount, self._gained(place, number, n)) for n, (amount, _) in enumerate(moved, 1))
            curve = Relaxed(change.about(words), change.operator, threshold, unit, steps, change.limit)
            found[-1] = replace(found[-1], relaxed=(*found[-1].relaxed, curve))
        return found

    def _gained(self, place: int, change: int, step: int) -> Gained:
        def count(before: VerdictWord, after: VerdictWord) -> int:
            return self._gains[place, change, step, before, after]

        entered, opened = count("ineligible", "eligible"), count("ineligible", "undetermined")
        return Gained(entered + opened, entered + count("undetermined", "eligible"), opened)


def verdict_query(trial: Trial, columns: StatusColumns, place: int, ids: str) -> str:
    """SQL: the rows of the verdict table of one trial, with `number` and `place`; ids of `rows` beside their status.

    `ids` is the SQL type of row ids; like statuses they are numbers into a short list of words.
    """
    rows = [row.id for row in trial.criteria]
    names, values = ", ".join(map(text, rows)), ", ".join(f"word({columns.rows[row]})" for row in rows)
    return f"""SELECT p.patient, {text(trial.id)} AS trial, CAST({columns.verdict} AS VARCHAR) AS verdict,
        a.clear AS nothing_against, {str(trial.source_complete).lower()} AS source_complete,
        a.earliest AS earliest_eligible, CAST({columns.unknown} AS INTEGER) AS unknown_count,
        CAST([{names}] AS {ids}[]) AS rows, [{values}] AS status, j.number, {place} AS place
    FROM {JUDGED} j JOIN {PERSON} p USING (number) JOIN {AHEAD} a ON a.number = j.number AND a.trial = {place}"""


def _steps(connection: duckdb.DuckDBPyConnection, tops: Sequence[str]) -> list[int]:
    """Of each top-level row five numbers of patients: first to fail, first not to pass, fail, unknown, fail alone."""
    fails = " ".join(f"WHEN {column} = 'fail' THEN {number}" for number, column in enumerate(tops))
    opens = " ".join(f"WHEN {column} IN ('fail', 'unknown') THEN {number}" for number, column in enumerate(tops))
    failed = " + ".join(f"CAST({column} = 'fail' AS INTEGER)" for column in tops)
    first = connection.execute(
        f"""SELECT CASE {fails} END, CASE {opens} END, {failed} = 1, count(*) FROM {JUDGED} GROUP BY ALL"""
    ).fetchall()
    counts = [f"count_if({column} = '{word}')" for column in tops for word in ("fail", "unknown")]
    every = _one(connection, f"SELECT {', '.join(counts)} FROM {JUDGED}")
    found = [0] * 5 * len(tops)
    for number in range(len(tops)):
        found[5 * number + 2 : 5 * number + 4] = every[2 * number : 2 * number + 2]
    for fails_at, opens_at, alone, count in first:
        if fails_at is not None:
            found[5 * fails_at] += count
            found[5 * fails_at + 4] += count if alone else 0
        if opens_at is not None:
            found[5 * opens_at + 1] += count
    return found


def _tops(trial: Trial) -> list[str]:
    return [row.id for row in trial.criteria if row.parent is None]


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[int, ...]:
    return tuple(connection.execute(query).fetchall()[0])
