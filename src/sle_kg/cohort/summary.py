"""What the verdicts of a cohort add up to: verdicts, funnel, candidates, work list, overlap of trials.

Chunks are counted one after the other; only counts and the best candidates are kept.
"""

from __future__ import annotations

import datetime as dt
import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

from sle_kg.cohort.judge import JUDGED, StatusColumns
from sle_kg.criteria import Trial
from sle_kg.features.sql import text
from sle_kg.features.wide import PERSON
from sle_kg.verdict import OpenKind, VerdictWord

if TYPE_CHECKING:
    import duckdb

AHEAD = "ahead"
"""The table of what statuses do not tell: `number`, `trial` (its place), `clear`, `earliest`."""
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
    """A patient whom no row excludes; in the order of the list: fewest unknown rows, nothing against, earliest, id."""

    unknown: int
    against: bool
    earliest: dt.date
    patient: str
    verdict: VerdictWord = field(compare=False)
    dated: bool = field(compare=False)


@dataclass(frozen=True, slots=True)
class Work:
    """An open row: `settles` patients whose verdict either answer makes known, `open` in so many undetermined ones."""

    row: str
    words: str
    kind: OpenKind
    settles: int | None
    open: int | None


@dataclass(frozen=True, slots=True)
class TrialSummary:
    """One trial: counts by verdict, of patients with nothing against them, funnel, candidates and work list."""

    trial: Trial
    verdicts: dict[str, int | None]
    nothing_against: int | None
    funnel: tuple[Step, ...]
    candidates: tuple[Candidate, ...]
    candidates_in_all: int | None
    work: tuple[Work, ...]


@dataclass(frozen=True, slots=True)
class Overlap:
    """Patients whom neither of two trials excludes, and those eligible for both."""

    trials: tuple[str, str]
    candidates: int | None
    eligible: int | None


@dataclass(frozen=True, slots=True)
class CohortSummary:
    """A whole cohort on one date. Counts that are None are suppressed: below `suppressed_below`, or telling of one.

    `in_any` counts patients whom at least one trial does not exclude (`candidates`) or takes (`eligible`).
    `dates_of` says for whom the earliest date was looked for.
    """

    on: dt.date
    engine: str
    patients: int | None
    trials: tuple[TrialSummary, ...]
    in_any: dict[str, int | None]
    overlap: tuple[Overlap, ...]
    dates_of: str
    suppressed_below: int = 0


class Counts:
    """The counts of all chunks so far."""

    def __init__(self, trials: Sequence[Trial], columns: Sequence[StatusColumns], most: int) -> None:
        self.trials, self.columns, self.most = trials, columns, most
        self.patients = 0
        self._verdicts: list[Counter[str]] = [Counter() for _ in trials]
        self._clear = [0] * len(trials)
        self._steps = [[0] * 5 * len(_tops(trial)) for trial in trials]
        self._both: Counter[tuple[int, int, str]] = Counter()
        self._any: Counter[str] = Counter()
        self._best: list[list[Candidate]] = [[] for _ in trials]

    def add(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Count a chunk: tables `PERSON`, `JUDGED` and `AHEAD`."""
        self.patients += int(_one(connection, f"SELECT count(*) FROM {JUDGED}")[0])
        for place, (trial, columns) in enumerate(zip(self.trials, self.columns, strict=True)):
            rows = connection.execute(f"SELECT {columns.verdict}, count(*) FROM {JUDGED} GROUP BY 1").fetchall()
            self._verdicts[place].update(dict(rows))
            self._clear[place] += int(
                _one(connection, f"SELECT count(*) FROM {AHEAD} WHERE trial = {place} AND clear")[0]
            )
            steps = _one(connection, _steps_query([columns.rows[row] for row in _tops(trial)]))
            self._steps[place] = [old + new for old, new in zip(self._steps[place], steps, strict=True)]
            self._add_candidates(connection, place)
        self._add_pairs(connection)

    def _add_candidates(self, connection: duckdb.DuckDBPyConnection, place: int) -> None:
        columns = self.columns[place]
        rows = connection.execute(
            f"""SELECT {columns.unknown}, NOT a.clear, coalesce(a.earliest, DATE '9999-12-31') AS day, p.patient,
                   {columns.verdict}, a.earliest IS NOT NULL
            FROM {JUDGED} j JOIN {PERSON} p USING (number) JOIN {AHEAD} a ON a.number = j.number AND a.trial = {place}
            WHERE {columns.verdict} <> 'ineligible' ORDER BY 1, 2, 3, 4 LIMIT {self.most}"""
        ).fetchall()
        self._best[place] = heapq.nsmallest(self.most, [*self._best[place], *(Candidate(*row) for row in rows)])

    def _add_pairs(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Patients of two trials, and of any."""
        words = {
            "candidates": [f"{columns.verdict} <> 'ineligible'" for columns in self.columns],
            "eligible": [f"{columns.verdict} = 'eligible'" for columns in self.columns],
        }
        asked: list[tuple[tuple[int, int, str] | str, str]] = []
        for name, tests in words.items():
            asked.append((name, " OR ".join(tests)))
            asked += [((a, b, name), f"{tests[a]} AND {tests[b]}") for a, b in combinations(range(len(tests)), 2)]
        counts = _one(
            connection, f"SELECT {', '.join(f'count(*) FILTER (WHERE {test})' for _, test in asked)} FROM {JUDGED}"
        )
        for (key, _), count in zip(asked, counts, strict=True):
            if isinstance(key, str):
                self._any[key] += count
            else:
                self._both[key] += count

    def summary(self, work: Sequence[Sequence[Work]], on: dt.date, engine: str, dates_of: str) -> CohortSummary:
        """Everything counted."""
        return CohortSummary(
            on=on,
            engine=engine,
            patients=self.patients,
            trials=tuple(self._trial(place, tuple(work[place])) for place in range(len(self.trials))),
            in_any={"candidates": self._any["candidates"], "eligible": self._any["eligible"]},
            overlap=tuple(
                Overlap(
                    (self.trials[a].id, self.trials[b].id),
                    self._both[a, b, "candidates"],
                    self._both[a, b, "eligible"],
                )
                for a, b in combinations(range(len(self.trials)), 2)
            ),
            dates_of=dates_of,
        )

    def _trial(self, place: int, work: tuple[Work, ...]) -> TrialSummary:
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
            work=work,
        )


def verdict_query(trial: Trial, columns: StatusColumns, place: int) -> str:
    """SQL: the rows of the verdict table (CONTRACT section 6) of one trial."""
    rows = [row.id for row in trial.criteria]
    names, values = ", ".join(map(text, rows)), ", ".join(columns.rows[row] for row in rows)
    return f"""SELECT p.patient, {text(trial.id)} AS trial, {columns.verdict} AS verdict, a.clear AS nothing_against,
        {str(trial.source_complete).lower()} AS source_complete, a.earliest AS earliest_eligible,
        CAST({columns.unknown} AS INTEGER) AS unknown_count, MAP([{names}], [{values}]) AS status, j.number,
        {place} AS place
    FROM {JUDGED} j JOIN {PERSON} p USING (number) JOIN {AHEAD} a ON a.number = j.number AND a.trial = {place}"""


def _steps_query(tops: Sequence[str]) -> str:
    """SQL: of each top-level row the five numbers of `Step`: first to fail, first not to pass, fail, unknown, alone."""
    fails = [f"{column} = 'fail'" for column in tops]
    opens = [f"{column} IN ('fail', 'unknown')" for column in tops]
    first_fail = " ".join(f"WHEN {test} THEN {number}" for number, test in enumerate(fails))
    first_open = " ".join(f"WHEN {test} THEN {number}" for number, test in enumerate(opens))
    failed = " + ".join(f"CAST({test} AS INTEGER)" for test in fails)
    counts = []
    for number, column in enumerate(tops):
        for test in (
            f"first_fail = {number}",
            f"first_open = {number}",
            f"{column} = 'fail'",
            f"{column} = 'unknown'",
            f"{column} = 'fail' AND failed = 1",
        ):
            counts.append(f"count(*) FILTER (WHERE {test})")
    return f"""SELECT {", ".join(counts)} FROM (
        SELECT *, CASE {first_fail} END AS first_fail, CASE {first_open} END AS first_open, {failed} AS failed
        FROM {JUDGED})"""


def _tops(trial: Trial) -> list[str]:
    return [row.id for row in trial.criteria if row.parent is None]


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[int, ...]:
    return tuple(connection.execute(query).fetchall()[0])
