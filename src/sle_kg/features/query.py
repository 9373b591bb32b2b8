"""A query that bounds a feature in two steps: what facts say, for those who have any, and what follows for everybody.

The split lets a cohort touch only rows with facts: whoever has none gets his bounds from `lower` and `upper` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from string import Formatter

CLOSED, ASKED = "closed", "asked"


@dataclass(frozen=True, slots=True)
class Query:
    """The bounds of one kind of feature over the asks in table `a`.

    `ctes`: common table expressions, of which `w` has the asks with their windows. `found`: SELECT of `ask`, the
    columns `values`, and evidence; an ask without facts may have no row. `lower`, `upper`: SQL over {values},
    parameters of the feature by the names of their columns, {asked} (the ask has its anchor) and {closed} (`section` is
    complete up to the end of the window, and a value set that must be closed is). `records`: SQL of the evidence, over
    `f` (found), `c` (the statement of completeness) and `w`. `flags` are those values that are true or not, so that
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
        return f"""
        WITH {self.ctes}, found AS ({self.found})
        SELECT w.ask, {filled(self.lower, name, said)} AS lower, {filled(self.upper, name, said)} AS upper,
               {self.records} AS records
        FROM w LEFT JOIN found f ON f.ask = w.ask {closed}"""

    def facts(self) -> str:
        """SELECT ask and the values, for asks with facts."""
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
