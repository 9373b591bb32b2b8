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

    def statuses(
        self, trial: Trial, readings: Readings, profiles: Sequence[Profile], rows: Sequence[str] | None = None
    ) -> dict[int, dict[str, RowStatus]]:
        """For each profile, by its `ask`, the status of each row (of `rows` only, where given).

        `readings` maps ambiguities to the keys chosen; the defaults hold elsewhere.
        """
        ...


def get_engine(name: str) -> Engine:
    """The engine of this name. Raises MissingToolError where this installation has none of that name."""
    if name == "shacl":
        from sle_kg.engines.shacl import ShaclEngine

        return ShaclEngine()
    raise MissingToolError(f"There is no engine {name!r} in this installation; use --engine shacl.")
