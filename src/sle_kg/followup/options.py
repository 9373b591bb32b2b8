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
