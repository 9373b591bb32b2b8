"""Outcomes as one self-contained HTML file with plots: printed on A4, heard by a screen reader, clear without colour.

As with the screening report, a content security policy admits the file's own style sheet alone, and no script.
"""

from __future__ import annotations

from sle_kg.followup.results import TrialOutcomes
from sle_kg.report import outcomes_text
from sle_kg.report.html import environment, page_values
from sle_kg.report.svg_heatmap import heat_map
from sle_kg.report.svg_swimmer import swimmer_plot
from sle_kg.report.svg_trajectory import trajectory


def render_html(result: TrialOutcomes) -> bytes:
    """The outcomes as an HTML 5 document in UTF-8: the cohort, then a section (a printed page) for each patient."""
    text = (
        environment()
        .get_template("outcomes.html")
        .render(
            **page_values("style.css", "outcomes.css"),
            result=result,
            words=outcomes_text,
            caveats=outcomes_text.caveats_of(result),
            states=outcomes_text.grouped(row for row in result.cohort if row.reached is not None),
            values=outcomes_text.grouped(row for row in result.cohort if row.reached is None),
            swimmer=swimmer_plot(result),
            trajectory=trajectory,
            heat_map=heat_map,
        )
    )
    return text.encode("utf-8", "replace")
