"""What the user asks of a follow-up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FollowUpOptions:
    """Options of the commands `outcomes` and `score`.

    `on`: the one day to look at (`score`), or the day up to which records are read (`outcomes`); None: every day
    recorded. `visits`: time points given by the user ("week 4"). `visit_window`: days before and after a time point,
    None for half the distance to its neighbours. `baseline`: the day of the baseline where there is no infusion.
    `events`, `complete`, `windows`, `code_map` and `readings` as for screening. `derive_items`: laboratory results
    stand for SLEDAI items that were not recorded. `thresholds`: values of adjustable thresholds by name.
    """

    on: dt.date | None = None
    visits: tuple[str, ...] = ()
    visit_window: int | None = None
    baseline: dt.date | None = None
    events: Mapping[str, dt.date] = field(default_factory=dict)
    complete: tuple[str, ...] = ()
    windows: Mapping[str, int] = field(default_factory=dict)
    code_map: Path | None = None
    readings: Mapping[str, str] = field(default_factory=dict)
    derive_items: bool = False
    thresholds: Mapping[str, Decimal] = field(default_factory=dict)

    def words(self) -> tuple[str, ...]:
        """What the user asked for beside the defaults, as on the command line, in the order of the fields."""
        single = {"on": self.on, "visit-window": self.visit_window, "baseline": self.baseline}
        pairs = {"event": self.events, "window": self.windows, "reading": self.readings, "threshold": self.thresholds}
        return (
            *(f"--{name} {value}" for name, value in single.items() if value is not None),
            *([f'--visits "{",".join(self.visits)}"'] if self.visits else []),
            *(f"--complete {section}" for section in self.complete),
            *(f"--{name} {key}={value}" for name, found in pairs.items() for key, value in found.items()),
            *([f"--code-map {self.code_map.name}"] if self.code_map else []),
            *(["--derive-items"] if self.derive_items else []),
        )
