"""Outcomes over follow-up as people and programs read them: table, JSON, CSV, HTML with plots, and RDF."""

from __future__ import annotations

from sle_kg.followup.results import TrialOutcomes
from sle_kg.report import Format


def render_outcomes(result: TrialOutcomes, form: Format, width: int = 100, colour: bool = False) -> bytes:
    """The outcomes of one trial as UTF-8; `width` (columns) and `colour` concern the table alone."""
    match form:
        case "table":
            from sle_kg.report.outcomes_table import render_table

            return render_table(result, width, colour).encode("utf-8", "replace")
        case "json":
            from sle_kg.report.outcomes_json import render_json

            return render_json(result)
        case "csv":
            from sle_kg.report.outcomes_csv import render_csv

            return render_csv(result)
        case "html":
            from sle_kg.report.outcomes_html import render_html

            return render_html(result)
        case "turtle":
            from sle_kg.report.outcomes_rdf import render_turtle

            return render_turtle(result)
