"""A comparison as table, JSON, CSV, Markdown or one self-contained HTML file."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from dataclasses import asdict
from typing import Any

from sle_kg.compare.model import Comparison, Row, Statement, TrialColumn
from sle_kg.errors import InputError

FORMATS = ("table", "json", "csv", "markdown", "html")

AID = (
    "A comparison of public registry texts, not of the protocols. Recruitment status changes: look the trial up in the "
    "registry before acting on it."
)
READINGS_NOTE = "Conditions stand under the default reading of ambiguous sentences; other readings are named after it."
SOURCES_NOTE = (
    "Quotations and offsets: the source texts in trials/sources. Registry data: ClinicalTrials.gov, through the "
    "Rheumatology CAR-T Trials Monitor (MIT), with the date of the snapshot. Source keys (W-…): the ontology's sources."
)

_ESCAPE = re.compile(r"\\([<>\[\]()*_~#+-])")


def render(comparison: Comparison, output_format: str = "table", width: int = 100) -> str:
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


def quoted(text: str) -> str:
    """A quotation on one line, the registry's Markdown escapes (`\\>`) as the characters that they stand for."""
    return _ESCAPE.sub(r"\1", " ".join(text.split()))


def provenance(statement: Statement) -> str:
    """The source, with the date where the source does not say it."""
    dated = statement.as_of is None or statement.as_of in statement.source
    return statement.source if dated else f"{statement.source}, {statement.as_of}"


def status(trial: TrialColumn) -> str:
    """The recruitment status with its date."""
    return f"{trial.status} as of {trial.as_of}"


def _document(comparison: Comparison) -> dict[str, Any]:
    """The comparison as JSON values; keys in camelCase, cells by NCT number."""
    trials = [
        {"id": t.id, "label": t.label, "status": t.status, "asOf": t.as_of, "absentFromCopy": list(t.absent)}
        for t in comparison.trials
    ]
    design = [
        {
            "feature": feature.name,
            "cells": {
                id: [{"value": s.value, "source": s.source, "asOf": s.as_of, "quotation": s.quotation} for s in cell]
                for id, cell in feature.cells.items()
            },
        }
        for feature in comparison.design
    ]
    criteria = [
        {
            "topic": topic.key,
            "label": topic.label,
            "cells": {id: [_row(row) for row in rows] for id, rows in topic.cells.items()},
        }
        for topic in comparison.topics
    ]
    return {"note": AID, "trials": trials, "design": design, "criteria": criteria}


def _row(row: Row) -> dict[str, Any]:
    readings = [{"reading": key, "condition": condition} for key, condition in row.readings]
    return {**asdict(row), "readings": readings}


def _csv(comparison: Comparison) -> str:
    """One line for each statement and row: section, subject, trial, row, kind, value, readings, quotation, source."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        ["section", "subject", "trial", "row", "kind", "value", "otherReadings", "quotation", "source", "asOf"]
    )
    for feature in comparison.design:
        for id, cell in feature.cells.items():
            for s in cell:
                writer.writerow(["design", feature.name, id, "", "", s.value, "", s.quotation, s.source, s.as_of])
    for topic in comparison.topics:
        for id, rows in topic.cells.items():
            for row in rows:
                readings = "; ".join(f"{key}: {condition}" for key, condition in row.readings)
                values = [row.id, row.kind, row.condition, readings, row.quotation, "trials/sources", ""]
                writer.writerow(["criteria", topic.label, id, *values])
    return stream.getvalue()


def _markdown(comparison: Comparison) -> str:
    lines = ["# Trials side by side", "", AID, READINGS_NOTE, ""]
    for trial in comparison.trials:
        lines.append(markdown_trial(trial))
    ids = [trial.id for trial in comparison.trials]
    lines += ["", "## Design", "", *markdown_head("feature", ids)]
    for feature in comparison.design:
        cells = ["<br>".join(escaped(s.value) for s in feature.cells.get(id, ())) for id in ids]
        lines.append(f"| {escaped(feature.name)} | {' | '.join(cells)} |")
    lines += ["", "## Criteria and outcomes", "", *markdown_head("about", ids)]
    for topic in comparison.topics:
        cells = ["<br>".join(_markdown_row(row) for row in topic.cells.get(id, ())) for id in ids]
        lines.append(f"| {escaped(topic.label)} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", SOURCES_NOTE]) + "\n"


def markdown_trial(trial: TrialColumn) -> str:
    """A trial with its title, status and what the copy of its record does not show, as a line of a list."""
    absent = escaped(" ".join(trial.absent))
    return f"- **{trial.id}** {escaped(trial.label)} ({escaped(status(trial))}). {absent}".rstrip()


def markdown_head(first: str, ids: list[str]) -> list[str]:
    """The head of a Markdown table."""
    return [f"| {first} | {' | '.join(ids)} |", "|---" * (len(ids) + 1) + "|"]


def _markdown_row(row: Row) -> str:
    readings = "".join(f" [{escaped(key)}: {escaped(condition)}]" for key, condition in row.readings)
    return f"**{row.id}** ({row.kind}) {escaped(row.condition)}{readings} “{escaped(row.quotation)}”"


def escaped(text: str) -> str:
    """Text that cannot break a Markdown table or turn into markup."""
    return re.sub(r"([\\|*_<>`\[\]])", r"\\\1", quoted(text))


def _table(comparison: Comparison, width: int) -> str:
    """The design as one matrix, then a box for each topic, with only the trials that say something about it."""
    from rich.console import Console
    from rich.text import Text

    stream = io.StringIO()
    console = Console(file=stream, width=max(width, 60), highlight=False)
    for trial in comparison.trials:
        console.print(Text(f"{trial.id}  {trial.label} ({status(trial)})"), soft_wrap=False)
        for sentence in trial.absent:
            console.print(Text(f"             {sentence}"))
    console.print()
    console.print(_design_grid(comparison))
    for topic in comparison.topics:
        rows = {id: [_lines(row) for row in cell] for id, cell in topic.cells.items()}
        console.print(_grid(topic.label, comparison.trials, rows))
    for note in (READINGS_NOTE, AID, SOURCES_NOTE):
        console.print(Text(note))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def _lines(row: Row) -> str:
    other = "".join(f"\n  {key}: {condition}" for key, condition in row.readings)
    return f"{row.id} ({row.kind}) {row.condition}{other}\n  “{quoted(row.quotation)}”"


def _design_grid(comparison: Comparison) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, expand=True, pad_edge=False, show_lines=True)
    table.add_column("design", min_width=15, overflow="fold")
    for trial in comparison.trials:
        table.add_column(trial.id, ratio=3, overflow="fold")
    for feature in comparison.design:
        cells = (feature.cells.get(trial.id, ()) for trial in comparison.trials)
        table.add_row(feature.name, *(Text("\n".join(s.value for s in cell)) for cell in cells))
    return table


def _grid(title: str, trials: tuple[TrialColumn, ...], cells: dict[str, list[str]]) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, expand=True, pad_edge=False
    )
    shown = [trial.id for trial in trials if trial.id in cells]
    for id in shown:
        table.add_column(id, ratio=1, overflow="fold")
    table.add_row(*(Text("\n".join(cells[id])) for id in shown))
    return table


def _html(comparison: Comparison) -> str:
    return page(
        "compare.html",
        "compare.js",
        comparison=comparison,
        kinds=sorted({row.kind for topic in comparison.topics for rows in topic.cells.values() for row in rows}),
        notes=(AID, READINGS_NOTE, SOURCES_NOTE),
    )


def page(template: str, script: str | None = None, **values: object) -> str:
    """One file without anything from elsewhere: its policy admits its own style and script by their hashes alone."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("sle_kg.compare"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(quoted=quoted, provenance=provenance, status=status)
    parts = {"style": environment.get_template("compare.css").render()}
    if script is not None:
        parts["script"] = environment.get_template(script).render()
    parts |= {f"{name}_hash": _hash(text) for name, text in parts.items()}
    return environment.get_template(template).render(**parts, **values)


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
