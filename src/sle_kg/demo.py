"""The main job on real input: the graph built, the example patients screened against every trial on one fixed date.

Beside it, the outcomes of the one example patient who was followed after an infusion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sle_kg.errors import InputError
from sle_kg.resources import path
from sle_kg.verdict import Verdict

SCREENING_DATE = date(2026, 11, 21)
"""Fixed, so that the demonstration says the same on every day."""
OUTCOME_TRIAL = "NCT06710717"
"""The trial whose outcomes are shown: its record names time points."""


@dataclass(frozen=True, slots=True)
class Demonstration:
    """What a demonstration gave: the verdicts, and where the graph and the reports are."""

    verdicts: tuple[Verdict, ...]
    graph_file: Path
    report_file: Path
    outcomes_file: Path


def example_files() -> list[Path]:
    """The example patients that come with the project, sorted by name."""
    return sorted((path("examples") / "patients").glob("*.json"))


def run(folder: Path, progress: Callable[[int, int], None] | None = None) -> Demonstration:
    """Build the graph, screen the example patients, follow one, and write graph and two HTML reports into `folder`.

    Raises InputError when the folder cannot be written.
    """
    from sle_kg.export import export
    from sle_kg.files import write_whole
    from sle_kg.followup.options import FollowUpOptions
    from sle_kg.followup.trial_outcomes import trial_outcomes
    from sle_kg.report import render
    from sle_kg.report.outcomes import render_outcomes
    from sle_kg.screening import Options, screen

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror}); choose another --folder") from error
    graph_file, report_file, outcomes_file = (folder / name for name in ("graph.ttl", "report.html", "outcomes.html"))
    write_whole(graph_file, export("graph", None, "turtle"))
    verdicts = screen(example_files(), Options(on=SCREENING_DATE), progress)
    write_whole(report_file, render(verdicts, "html"))
    followed = trial_outcomes([path("examples") / "followup.json"], OUTCOME_TRIAL, FollowUpOptions())
    write_whole(outcomes_file, render_outcomes(followed, "html"))
    return Demonstration(tuple(verdicts), graph_file, report_file, outcomes_file)
