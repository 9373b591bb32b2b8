"""Engines that say of a profile which rows are known to hold: one protocol, and no silent fallback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sle_kg.criteria import Trial
from sle_kg.errors import MissingToolError
from sle_kg.evaluate import Truth
from sle_kg.profile import Profile

Readings = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RowStatus:
    """What an engine says of one row: its sentence is known to hold (True), known not to (False), unknown (None)."""

    met: Truth
    not_applicable: bool


class Engine(Protocol):
    """An interpreter of the criteria."""

    name: str
    chunk: int
    """Patients that it judges together between two reports of progress."""
    by_rows: bool
    """Whether judging fewer rows costs less, so that asks should be grouped by the rows wanted."""

    def statuses(
        self, trial: Trial, readings: Readings, profiles: Sequence[Profile], rows: Sequence[str] | None = None
    ) -> dict[int, dict[str, RowStatus]]:
        """For each profile, by its `ask`, the status of each row (of `rows` only, where given).

        `readings` maps ambiguities to the keys chosen; the defaults hold elsewhere.
        """
        ...


SHACL_UP_TO = 20
"""Patients up to which the shapes themselves decide by default; more are left to the plan compiled to SQL."""


def default_engine(patients: int) -> str:
    """The engine for so many patients where the user names none."""
    return "sql" if patients > SHACL_UP_TO else "shacl"


def get_engine(name: str) -> Engine:
    """The engine of this name. Raises MissingToolError for a name of none, and for Spark where it is not installed."""
    if name == "shacl":
        from sle_kg.engines.shacl import ShaclEngine

        return ShaclEngine()
    if name == "sql":
        from sle_kg.engines.sql import SqlEngine

        return SqlEngine()
    if name == "spark":
        from sle_kg.engines.spark import SparkEngine

        return SparkEngine()
    raise MissingToolError(f"--engine: {name!r} is not known; choose among shacl, sql, spark")
