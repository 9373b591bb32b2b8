"""A query that bounds a feature in two steps: what facts say, for those who have any, and what follows for everybody.

The split lets a cohort touch only rows with facts: whoever has none gets his bounds from `lower` and `upper` alone.

Where asks meet facts, a query is written with `ask_of`, `own` and `of_patient`, because there are two tables of asks:
of each patient and feature (`by_patient`), or of each feature alone, asked of everybody (`for_everybody`). The second
needs no join by patient.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from string import Formatter

CLOSED, ASKED = "closed", "asked"

_MARK = re.compile(r"⟨(\w+) (\w+)⟩")


def ask_of(fact: str) -> str:
    """SQL: the ask of a row of `w` and of a fact, by the alias of the fact table."""
    return f"⟨ask {fact}⟩"


def own(fact: str) -> str:
    """SQL: the columns of a row of `w` with `ask` and `patient`, by the alias of the fact table joined."""
    return f"⟨own {fact}⟩"


def of_patient(fact: str) -> str:
    """SQL: whether a fact is of the patient of a row of `w`, by the alias of the fact table."""
    return f"⟨patient {fact}⟩"


def seen(row: str) -> str:
    """SQL: the columns of a row of `w` that tell which facts are seen and how their dates move, by its alias."""
    return f"⟨seen {row}⟩"


def asks(row: str) -> str:
    """SQL: whether a row of `w` asks what a row with the column `ask` answers, by the alias of that row's table."""
    return f"⟨asks {row}⟩"


def test_of(row: str) -> str:
    """SQL: the test that a row of a reference table names, by its alias, to compare with the test of a measurement."""
    return f"⟨test {row}⟩"


def on_or_before_base(day: str) -> str:
    """SQL: a day is not after the last one whose facts are seen."""
    return f"{day} <= ⟨base w⟩"


def by_patient(sql: str) -> str:
    """The query over asks (`a`) of each patient: their columns `ask` and `patient` are there."""
    meant = {
        "ask": "w.ask",
        "asks": "w.ask = {0}.ask",
        "own": "w.*",
        "patient": "{0}.patient = w.patient",
        "seen": "{0}.patient, {0}.base, {0}.shift",
        "base": "w.base",
        "test": "{0}.test",
    }
    return _MARK.sub(lambda mark: meant[mark[1]].format(mark[2]), sql)


def for_everybody(sql: str, slots: int, base: str, tests: str) -> str:
    """The query over asks (`a`) with a number `slot` below `slots`, each asked of everybody on one day (SQL `base`).

    `ask` is then the number of the patient times `slots`, plus the slot; `tests` is the SQL type of tests.
    """
    ask = f"CAST({{0}}.patient AS BIGINT) * {slots} + w.slot"
    meant = {
        "ask": ask,
        "asks": f"w.slot = {{0}}.ask % {slots}",
        "own": f"w.*, {ask} AS ask, {{0}}.patient",
        "patient": "true",
        "seen": "{0}.base, {0}.shift",
        "base": base,
        "test": f"CAST({{0}}.test AS {tests})",
    }
    return _MARK.sub(lambda mark: meant[mark[1]].format(mark[2]), sql)


@dataclass(frozen=True, slots=True)
class Query:
    """The bounds of one kind of feature over the asks in table `a`.

    `ctes`: common table expressions, of which `w` has the asks with their windows. `found`: SELECT of `ask`, the
    columns `values`, and evidence; an ask without facts may have no row. `lower`, `upper`: SQL over {values},
    parameters of the feature by the names of their columns, {asked} (the ask has its anchor) and {closed} (`section` is
    complete up to the end of the window, and a value set that must be closed is). `records`: SQL of the evidence, over
    `f` (found), `c` (the statement of completeness) and `w`; where evidence is costly, `proof` names a common table
    (`ask`, `records`) that gives it to `f`. `flags` are those values that are true or not, so that
    no row, null and false are the same.
    """

    ctes: str
    found: str
    values: tuple[str, ...]
    lower: str
    upper: str
    records: str
    flags: tuple[str, ...] = ()
    section: str = ""
    closed_sets: bool = False
    proof: str = ""

    def by_ask(self) -> str:
        """SELECT ask, lower, upper, records for every ask."""
        closed = (
            f"""LEFT JOIN complete c ON c.ask = w.of AND c.section = '{self.section}' AND c.until >= w.end_possible
            AND NOT w.planned{f" AND {CLOSED_SETS}" if self.closed_sets else ""}"""
            if self.section
            else ""
        )

        def name(word: str) -> str:
            return f"f.{word}" if word in self.values else f"w.{word}"

        said = {CLOSED: "c.ask IS NOT NULL", ASKED: "true"}
        found = f"SELECT b.*, o.records FROM ({self.found}) b LEFT JOIN {self.proof} o ON o.ask = b.ask"
        return by_patient(f"""
        WITH {self.ctes}, found AS ({found if self.proof else self.found})
        SELECT w.ask, {filled(self.lower, name, said)} AS lower, {filled(self.upper, name, said)} AS upper,
               {self.records} AS records
        FROM w LEFT JOIN found f ON f.ask = w.ask {closed}""")

    def facts(self) -> str:
        """SELECT ask and the values, for asks with facts; the table of asks is not chosen yet."""
        return f"WITH {self.ctes} SELECT ask, {', '.join(self.values)} FROM ({self.found}) found"


CLOSED_SETS = """NOT EXISTS (
    SELECT 1 FROM wanted_set ws JOIN value_set v ON v.value_set = ws.value_set
    WHERE v.open AND ws.feature = w.feature)"""
"""SQL over `w`: no value set of the feature is open."""


def filled(template: str, name: Callable[[str], str], said: Mapping[str, str]) -> str:
    """The template with `said` or the name of a column for each word in braces."""
    return template.format_map({word: said[word] if word in said else name(word) for word in words(template)})


def words(template: str) -> Iterable[str]:
    """The words in braces."""
    return [word for _, word, _, _ in Formatter().parse(template) if word is not None]
