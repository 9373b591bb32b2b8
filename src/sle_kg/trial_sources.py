"""Faithfulness: every quotation of a trial file stands in its source text, every character of which is accounted for.

A character belongs to the sentence, title or quotation of a row, or to a passage declared heading, narrative, design
text, boilerplate or defect. White space and the marks of lists are layout and belong to nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sle_kg.errors import TrialFileError
from sle_kg.namespaces import SLE
from sle_kg.resources import path
from sle_kg.trials import read_trial, trial_files

if TYPE_CHECKING:
    import pyoxigraph as ox

SPANS = {
    "quotation": ("quotationStart", "quotationEnd"),
    "sentence": ("sentenceStart", "sentenceEnd"),
    "text": ("passageStart", "passageEnd"),
    "literalText": ("literalStart", "literalEnd"),
    "outcomeTitle": ("outcomeTitleStart", "outcomeTitleEnd"),
    "definitionText": ("definitionTextStart", "definitionTextEnd"),
    "timeFrameText": ("timeFrameTextStart", "timeFrameTextEnd"),
}
"""Texts that claim to stand in the source, with the properties of their first and after-last character."""
LAYOUT = re.compile(r"[\s•‣⁃]|^[-–]\s|(?<=\n)(?:[-–]\s|\d\s)|(?<=[‣⁃] )\d\s", re.MULTILINE)
"""White space, bullets, and the dash or number that opens a line or follows a bullet."""


@dataclass(frozen=True, slots=True)
class Span:
    """Characters of a source text that a node claims, `end` exclusive."""

    node: str
    name: str
    text: str
    start: int
    end: int


def check() -> Iterator[tuple[str, str]]:
    """(file, fault) for every trial file: unreadable conditions, false quotations, characters that nothing covers."""
    for file in trial_files():
        label = f"trials/{file.name}"
        try:
            trial = read_trial(file)
        except TrialFileError as error:
            yield label, str(error)
            continue
        source = path("trials") / "sources" / f"{trial.id}.txt"
        if not source.is_file():
            yield label, f"its source text trials/sources/{source.name} is missing"
            continue
        text = read_source(source)
        yield from ((label, fault) for fault in faults(file, text))


def read_source(file: Path) -> str:
    """A source text, its line ends untouched, so that offsets hold."""
    return file.read_bytes().decode("utf-8")


def faults(file: Path, text: str) -> list[str]:
    """What is false or missing in one trial file, against its source text."""
    found = [
        f"{span.node}: its {span.name} is not what the source text says at {span.start}–{span.end}"
        for span in spans(file)
        if text[span.start : span.end] != span.text
    ]
    found += [
        f"the source text at {start}–{end} is in no row or passage: {text[start:end]!r}"
        for start, end in uncovered(file, text)
    ]
    return found


def spans(file: Path) -> list[Span]:
    """Every text of the file with its place in the source."""
    graph = _values(file)
    return [
        Span(node.rsplit("/trial/", 1)[-1], name, values[name][0], int(values[start][0]), int(values[end][0]))
        for node, values in sorted(graph.items())
        for name, (start, end) in SPANS.items()
        if name in values and start in values and end in values
    ]


def uncovered(file: Path, text: str) -> list[tuple[int, int]]:
    """Stretches of the source text, layout aside, that no row and no passage covers."""
    covered = bytearray(len(text))
    for span in spans(file):
        if span.name != "literalText":
            covered[span.start : span.end] = b"\1" * (span.end - span.start)
    for match in LAYOUT.finditer(text):
        covered[match.start() : match.end()] = b"\1" * (match.end() - match.start())
    return [match.span() for match in re.finditer(rb"\0+", bytes(covered))]


def _values(file: Path) -> dict[str, dict[str, list[str]]]:
    """The sle: properties of every node of a file."""
    import pyoxigraph as ox

    values: dict[str, dict[str, list[str]]] = {}
    for quad in ox.parse(path=str(file), format=ox.RdfFormat.TURTLE):
        name = quad.predicate.value
        if name.startswith(SLE):
            values.setdefault(_text(quad.subject), {}).setdefault(name.removeprefix(SLE), []).append(_text(quad.object))
    return values


def _text(term: ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple) -> str:
    """IRI or lexical form of a term."""
    return str(getattr(term, "value", term))
