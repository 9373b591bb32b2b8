"""The command `ingest-cohort`: reads options, calls `ingest`, prints what became of the records."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

_SHOWN = 20
"""Reasons, and kinds of what was passed over, that are printed."""
_LENGTH = 200
"""Signs that are printed of each; names of columns and elements in them come from the sources."""


def ingest_cohort(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="FHIR files (JSON, NDJSON, also gzipped) or folders of them; an OMOP database: a folder of CSV or "
            "Parquet tables, a DuckDB file or a postgresql:// address; with --map, CSV files.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="A new folder for the tables, or an unfinished one.")
    ],
    code_map: Annotated[
        Path | None,
        typer.Option("--code-map", metavar="FILE", help="CSV with columns system, code, key for codes of your own."),
    ] = None,
    table_map: Annotated[
        Path | None,
        typer.Option("--map", metavar="FILE.yaml", help="What the columns of CSV files mean, as of REDCap exports."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", min=1, max=256, help="Processes. Default: one a core.")
    ] = None,
) -> None:
    """Write the patient tables of a hospital, which `cohort` screens, from FHIR bulk exports, OMOP or CSV.

    An ingest that was interrupted goes on when the same command is given again. Records that cannot be used are listed
    in rejects.csv, each with its place and the reason.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # others keep more than is in use
    from sle_kg.ingest import Options
    from sle_kg.ingest import ingest_cohort as ingest
    from sle_kg.patients.codemap import read_code_map
    from sle_kg.terminology import terminology

    codes = read_code_map(code_map, terminology()) if code_map is not None else {}
    with _progress() as progress:
        summary = ingest(sources, output, Options(codes, table_map, workers), progress)
    if summary.before:
        print(f"sle-kg: {output} holds the tables of these sources already", file=sys.stderr)
    for table, rows in sorted(summary.rows.items()):
        print(f"{table:16}{rows:>14,}")
    print(f"{'rejects':16}{sum(summary.rejects.values()):>14,}")
    _most(summary.rejects)
    if summary.skipped:
        print("passed over")
        _most(summary.skipped)


def _most(counts: Mapping[str, int]) -> None:
    """The most frequent of some counts, and how many more there are."""
    from sle_kg.report.text import shorten

    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    for what, number in ordered[:_SHOWN]:
        print(f"  {number:,} {shorten(what, _LENGTH)}")
    if len(ordered) > _SHOWN:
        print(f"  {sum(number for _, number in ordered[_SHOWN:]):,} of {len(ordered) - _SHOWN} more kinds")


@contextmanager
def _progress() -> Iterator[Callable[[int, int, str], None] | None]:
    """A progress bar on standard error; None where nobody would see it."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Reading", total=None)
        yield lambda done, total, what: bar.update(task, completed=done, total=total or None, description=what)
