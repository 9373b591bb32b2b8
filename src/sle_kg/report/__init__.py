"""Verdicts as people and programs read them: table, JSON, CSV, HTML and RDF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from sle_kg.verdict import Verdict

Format = Literal["table", "json", "csv", "html", "turtle"]
FORMATS: tuple[Format, ...] = get_args(Format)


def render(verdicts: Sequence[Verdict], form: Format, width: int = 100, colour: bool = False) -> bytes:
    """The verdicts in one of FORMATS as UTF-8; `width` (columns) and `colour` concern the table alone."""
    match form:
        case "table":
            from sle_kg.report.table import render_table

            return render_table(verdicts, width, colour).encode("utf-8", "replace")
        case "json":
            from sle_kg.report.json_report import render_json

            return render_json(verdicts)
        case "csv":
            from sle_kg.report.csv_report import render_csv

            return render_csv(verdicts)
        case "html":
            from sle_kg.report.html import render_html

            return render_html(verdicts)
        case "turtle":
            from sle_kg.report.rdf import render_turtle

            return render_turtle(verdicts)
