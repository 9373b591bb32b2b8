"""A comparison of outcomes as table, JSON, CSV, Markdown or one self-contained HTML file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sle_kg.compare.outcomes import MatrixRow, Measure, OutcomeComparison, Pair, listed
from sle_kg.compare.render import AID, FORMATS, escaped, markdown_head, markdown_trial, page, status
from sle_kg.errors import InputError

TITLES = {
    "matrix": "Which instrument is used when",
    "poolable": "Measured alike: could be pooled",
    "look_alikes": "Look alike and are not the same",
    "beyond": "Promised in the text, not shown by the schedule",
}
NO_POOL = "None: no two outcomes of these trials share instrument, definition and a time point."
NONE = "None."
NOTE = (
    "Definitions stand under the default reading of ambiguous sentences; a definition used under another reading names "
    "it. Two outcomes could be pooled where instrument, version, definition and a time point are the same; those that "
    "differ in nothing but their time points could be pooled where visits coincide."
)
_COLUMNS = (
    *("section", "subject", "timePoints", "trial", "row", "definition", "reading"),
    *("otherTrial", "otherRow", "otherDefinition", "otherReading", "value", "otherValue"),
)


def render_outcomes(comparison: OutcomeComparison, output_format: str = "table", width: int = 100) -> str:
    """The comparison in one of `FORMATS`; `width` is the table's width in columns. Raises InputError for another."""
    match output_format:
        case "table":
            return _table(comparison, width)
        case "json":
            return json.dumps(_document(comparison), ensure_ascii=False, indent=2) + "\n"
        case "csv":
            return _csv(comparison)
        case "markdown":
            return _markdown(comparison)
        case "html":
            return _html(comparison)
    raise InputError(f"--format {output_format}: choose one of {', '.join(FORMATS)}")


@dataclass(frozen=True, slots=True)
class Column:
    """Time points that have the same entries in every row of the matrix, and so stand in one column."""

    label: str
    first: str


def columns(comparison: OutcomeComparison) -> list[Column]:
    """The matrix's columns: time points with equal entries together, in the order of their first."""
    alike: dict[tuple[object, ...], list[str]] = {}
    for point in comparison.time_points:
        entries = tuple(tuple((row.cells.get(point) or {}).items()) for row in comparison.matrix)
        alike.setdefault(entries, []).append(point)
    return [Column(listed(points), points[0]) for points in alike.values()]


def entries(row: MatrixRow, point: str) -> list[str]:
    """What a cell of the matrix says: `NCT06710717 O2, O3` for each trial."""
    return [f"{trial} {', '.join(rows)}" for trial, rows in row.cells.get(point, {}).items()]


def _document(comparison: OutcomeComparison) -> dict[str, Any]:
    """The comparison as JSON values; keys in camelCase."""
    trials = [
        {"id": t.id, "label": t.label, "status": t.status, "asOf": t.as_of, "absentFromCopy": list(t.absent)}
        for t in comparison.trials
    ]
    return {
        "note": AID,
        "trials": trials,
        "timePoints": list(comparison.time_points),
        "matrix": [{"instrument": row.key, "label": row.label, "cells": row.cells} for row in comparison.matrix],
        "poolable": [_pair(pair) for pair in comparison.poolable],
        "lookAlikes": [_pair(pair) for pair in comparison.look_alikes],
        "beyondSchedule": [
            {**_measure(found.measure), "quotation": found.measure.quotation, "why": found.why}
            for found in comparison.beyond_schedule
        ],
    }


def _pair(pair: Pair) -> dict[str, Any]:
    differences = [{"aspect": d.aspect, "left": d.left, "right": d.right} for d in pair.differences]
    return {
        "left": _measure(pair.left),
        "right": _measure(pair.right),
        "timePoints": list(pair.time_points),
        "differences": differences,
    }


def _measure(measure: Measure) -> dict[str, Any]:
    return {
        "trial": measure.trial,
        "row": measure.row,
        "measure": measure.key,
        "definition": measure.words,
        "computes": measure.asks,
        "reading": measure.reading,
        "timePoints": list(measure.time_points),
    }


def _csv(comparison: OutcomeComparison) -> str:
    """One line for each entry of the matrix, poolable pair, difference of a look-alike, and outcome not shown."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, _COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for row in comparison.matrix:
        for point, trials in row.cells.items():
            for trial, rows in trials.items():
                place = {"section": "matrix", "subject": row.label, "timePoints": point}
                writer.writerow({**place, "trial": trial, "row": ", ".join(rows)})
    for section, pairs in (("poolable", comparison.poolable), ("look-alike", comparison.look_alikes)):
        for pair in pairs:
            for line in _pair_lines(pair):
                writer.writerow({"section": section, "timePoints": listed(pair.time_points), **line})
    for found in comparison.beyond_schedule:
        shown = {"section": "beyond-schedule", "subject": found.measure.asks, "value": found.why}
        writer.writerow({**shown, "timePoints": listed(found.measure.time_points), **_sides(found.measure)})
    return stream.getvalue()


def _pair_lines(pair: Pair) -> Iterator[dict[str, str]]:
    """A line for each difference; one without where there is none."""
    sides = {**_sides(pair.left), **_sides(pair.right, "other")}
    if not pair.differences:
        yield sides
    for difference in pair.differences:
        yield {**sides, "subject": difference.aspect, "value": difference.left, "otherValue": difference.right}


def _sides(measure: Measure, prefix: str = "") -> dict[str, str]:
    values = {
        "trial": measure.trial,
        "row": measure.row,
        "definition": measure.words,
        "reading": measure.reading or "",
    }
    return {f"{prefix}{name.capitalize()}" if prefix else name: value for name, value in values.items()}


def _markdown(comparison: OutcomeComparison) -> str:
    lines = ["# Outcomes side by side", "", AID, NOTE, "", *map(markdown_trial, comparison.trials)]
    shown = columns(comparison)
    lines += ["", f"## {TITLES['matrix']}", "", *markdown_head("instrument", [column.label for column in shown])]
    for row in comparison.matrix:
        cells = ["<br>".join(escaped(entry) for entry in entries(row, column.first)) for column in shown]
        lines.append(f"| {escaped(row.label)} | {' | '.join(cells)} |")
    lines += ["", f"## {TITLES['poolable']}", "", *(_markdown_pairs(comparison.poolable) or [NO_POOL])]
    lines += ["", f"## {TITLES['look_alikes']}", "", *(_markdown_pairs(comparison.look_alikes) or [NONE])]
    unshown = [f"- **{escaped(found.measure.name)}**: {escaped(found.why)}" for found in comparison.beyond_schedule]
    return "\n".join([*lines, "", f"## {TITLES['beyond']}", "", *(unshown or [NONE])]) + "\n"


def _markdown_pairs(pairs: tuple[Pair, ...]) -> list[str]:
    lines = []
    for pair in pairs:
        both = f" – both at {escaped(listed(pair.time_points))}" if pair.time_points else ""
        lines.append(f"- **{escaped(pair.left.name)}** and **{escaped(pair.right.name)}**{both}")
        lines += [f"  - {escaped(str(difference))}" for difference in pair.differences]
    return lines


def _table(comparison: OutcomeComparison, width: int) -> str:
    """The matrix with a column for each trial and the time points in its cells; the pairs; what is not shown."""
    from rich.console import Console
    from rich.text import Text

    stream = io.StringIO()
    console = Console(file=stream, width=max(width, 60), highlight=False)
    for trial in comparison.trials:
        console.print(Text(f"{trial.id}  {trial.label} ({status(trial)})"), soft_wrap=False)
        for sentence in trial.absent:
            console.print(Text(f"             {sentence}"))
    console.print()
    console.print(_matrix_grid(comparison, width))
    for title, pairs, none in (
        (TITLES["poolable"], comparison.poolable, NO_POOL),
        (TITLES["look_alikes"], comparison.look_alikes, NONE),
    ):
        console.print(Text(title, style="bold"))
        for pair in pairs:
            console.print(Text(f"\n{pair.left.name}\n{pair.right.name}"))
            if pair.time_points:
                console.print(_indented(f"both at {listed(pair.time_points)}"))
            for difference in pair.differences:
                console.print(_indented(str(difference)))
        console.print(Text("" if pairs else f"\n{none}\n"))
    console.print(Text(TITLES["beyond"], style="bold"))
    for found in comparison.beyond_schedule:
        console.print(Text(f"\n{found.measure.name}"))
        console.print(_indented(found.why))
    if not comparison.beyond_schedule:
        console.print(Text(f"\n{NONE}"))
    for note in ("", NOTE, AID):
        console.print(Text(note))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def _indented(text: str) -> Any:
    from rich.padding import Padding
    from rich.text import Text

    return Padding(Text(text), (0, 0, 0, 2))


def _matrix_grid(comparison: OutcomeComparison, width: int) -> Any:
    """Instruments by trials; a cell says which rows use the instrument at which time points."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, expand=True, pad_edge=False, show_lines=True)
    table.add_column("instrument", width=max(16, width // 5), overflow="fold")
    shown = [
        trial.id
        for trial in comparison.trials
        if any(trial.id in trials for row in comparison.matrix for trials in row.cells.values())
    ]
    for id in shown:
        table.add_column(id, ratio=3, overflow="fold")
    for row in comparison.matrix:
        table.add_row(Text(row.label), *(Text("\n".join(_uses(row, id))) for id in shown))
    return table


def _uses(row: MatrixRow, trial: str) -> Iterator[str]:
    """`O2, O3: week 4, 8, 12` for each set of rows that use the instrument at the same time points."""
    points: dict[tuple[str, ...], list[str]] = {}
    for point, trials in row.cells.items():
        if trial in trials:
            points.setdefault(trials[trial], []).append(point)
    for rows, at in points.items():
        yield f"{', '.join(rows)}: {listed(at)}"


def _html(comparison: OutcomeComparison) -> str:
    return page(
        "outcomes.html",
        comparison=comparison,
        columns=columns(comparison),
        entries=entries,
        listed=listed,
        titles=TITLES,
        no_pool=NO_POOL,
        no_entry=NONE,
        notes=(AID, NOTE),
    )
