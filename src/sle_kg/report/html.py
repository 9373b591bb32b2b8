"""Verdicts as one self-contained HTML file: printed on A4, read on a phone, understood in black and white.

The file asks the network for nothing: a content security policy admits its own style sheet alone, and no script.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from sle_kg import __version__
from sle_kg.report import summary
from sle_kg.report.text import (
    AID_SENTENCE,
    NOTHING_AGAINST_SENTENCE,
    OPEN_KINDS,
    OPEN_TITLES,
    STATUS_MARKS,
    caveats_of,
    earliest_sentence,
    harmless,
    quotation,
    reason_sentence,
    recruitment_sentence,
    verdict_phrase,
)
from sle_kg.verdict import Verdict

if TYPE_CHECKING:
    from jinja2 import Environment


def render_html(verdicts: Sequence[Verdict]) -> bytes:
    """The verdicts as an HTML 5 document in UTF-8, a section (a printed page) for each patient."""
    template = environment().get_template("screening.html")
    summaries = summary.summarise(verdicts)
    text = template.render(
        **page_values("style.css"),
        aid=AID_SENTENCE,
        nothing_against=NOTHING_AGAINST_SENTENCE,
        summaries=summaries,
        trials=list(dict.fromkeys(verdict.trial for verdict in verdicts)),
        kinds=OPEN_KINDS,
        kind_titles=OPEN_TITLES,
        marks=STATUS_MARKS,
    )
    return text.encode("utf-8", "replace")


def page_values(*styles: str) -> dict[str, str]:
    """What the head of every page shows: the style sheets in one, its hash for the content policy, our version."""
    style = "".join(environment().get_template(name).render() for name in styles)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return {"style": style, "style_hash": digest, "version": __version__}


@cache
def environment() -> Environment:
    """Jinja2 with autoescape for everything, and a stop at every name that a template misspells."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("sle_kg.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=lambda value: harmless(value) if type(value) is str else value,
    )
    environment.globals.update(
        caveats_of=caveats_of,
        earliest_sentence=earliest_sentence,
        expiries=summary.expiries,
        failures=summary.failures,
        open_groups=summary.open_groups,
        quotation=quotation,
        places_text=summary.places_text,
        reason_sentence=reason_sentence,
        recruitment_sentence=recruitment_sentence,
        reading_changes=summary.reading_changes,
        unread_groups=summary.unread_groups,
        verdict_phrase=verdict_phrase,
        depth=_depth,
    )
    return environment


def _depth(verdict: Verdict, row: str) -> int:
    """How many groups stand above a row."""
    parents = {criterion.id: criterion.parent for criterion in verdict.criteria}
    return len(summary.ancestors(row, parents))
