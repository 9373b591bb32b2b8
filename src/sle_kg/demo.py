"""The main job on real input: the graph built, the example patients screened against every trial on one fixed date."""

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


@dataclass(frozen=True, slots=True)
class Demonstration:
    """What a demonstration gave: the verdicts, and where the graph and the report are."""

    verdicts: tuple[Verdict, ...]
    graph_file: Path
    report_file: Path


def example_files() -> list[Path]:
    """The example patients that come with the project, sorted by name."""
    return sorted((path("examples") / "patients").glob("*.json"))


def run(folder: Path, progress: Callable[[int, int], None] | None = None) -> Demonstration:
    """Build the graph, screen the example patients, and write `graph.ttl` and `report.html` into `folder`.

    Raises InputError when the folder cannot be written.
    """
    from sle_kg.export import export
    from sle_kg.files import write_whole
    from sle_kg.report import render
    from sle_kg.screening import Options, screen

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror}); choose another --folder") from error
    graph_file, report_file = folder / "graph.ttl", folder / "report.html"
    write_whole(graph_file, export("graph", None, "turtle"))
    verdicts = screen(example_files(), Options(on=SCREENING_DATE), progress)
    write_whole(report_file, render(verdicts, "html"))
    return Demonstration(tuple(verdicts), graph_file, report_file)
