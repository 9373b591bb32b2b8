"""A query's result as table, JSON, CSV, TSV or Turtle."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pyoxigraph as ox

from sle_kg.errors import InputError
from sle_kg.namespaces import PREFIXES
from sle_kg.queries.library import Result
from sle_kg.turtle import write_turtle

if TYPE_CHECKING:
    import rdflib
    from rdflib.term import Identifier

FORMATS = ("table", "json", "csv", "tsv", "turtle")


def render(result: Result, output_format: str = "table", width: int | None = None) -> str:
    """The result in one of `FORMATS`.

    `json`, `csv` and `tsv` are the W3C's SPARQL 1.1 result formats; a graph is Turtle in every format but these, and
    `table` shortens the project's IRIs to prefixed names. `width` is the table's width in columns (None: the
    terminal's). Raises InputError when the result has no such form.
    """
    if output_format not in FORMATS:
        raise InputError(f"no format {output_format!r}; choose one of {', '.join(FORMATS)}")
    if result.graph is not None:
        if output_format not in ("table", "turtle"):
            raise InputError(f"the query gives a graph, which has no {output_format} form; choose --format turtle")
        return _turtle(result.graph)
    if result.answer is not None and output_format != "json":
        return "yes\n" if result.answer else "no\n"
    match output_format:
        case "json":
            return _json(result)
        case "csv":
            return _csv(result)
        case "tsv":
            return _tsv(result)
        case "turtle":
            raise InputError("the query gives a table, not a graph; choose table, json, csv or tsv, or write CONSTRUCT")
    return _table(result, width)


def short(term: Identifier | None) -> str:
    """A term for people: a literal's text, an IRI's prefixed name where a prefix of ours fits, nothing for no value."""
    if term is None:
        return ""
    text = str(term)
    if _kind(term) == "uri":
        for prefix, iri in PREFIXES.items():
            if text.startswith(iri) and text != iri:
                return f"{prefix}:{text.removeprefix(iri)}"
    return text


def _kind(term: Identifier) -> str:
    from rdflib import BNode, URIRef

    if isinstance(term, URIRef):
        return "uri"
    return "bnode" if isinstance(term, BNode) else "literal"


def _table(result: Result, width: int | None) -> str:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in result.columns:
        table.add_column(Text(column), overflow="fold")
    for row in result.rows:
        table.add_row(*(Text(_printable(short(term))) for term in row))
    stream = io.StringIO()
    Console(file=stream, width=width, highlight=False).print(table)
    rows = len(result.rows)
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    return "\n".join(lines) + f"\n\n{rows} {'row' if rows == 1 else 'rows'}\n"


def _printable(text: str) -> str:
    """The text without control characters, which a terminal would obey."""
    return "".join(character if character.isprintable() else " " for character in text)


def _csv(result: Result) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(result.columns)
    writer.writerows(["" if term is None else str(term) for term in row] for row in result.rows)
    return stream.getvalue()


def _tsv(result: Result) -> str:
    lines = ["\t".join(f"?{column}" for column in result.columns)]
    lines += ["\t".join("" if term is None else _n_triples(term) for term in row) for row in result.rows]
    return "\n".join(lines) + "\n"


def _n_triples(term: Identifier) -> str:
    if _kind(term) != "literal":
        return term.n3()
    language, datatype = getattr(term, "language", None), getattr(term, "datatype", None)
    literal = ox.Literal(str(term), language=language, datatype=ox.NamedNode(str(datatype)) if datatype else None)
    return str(literal).replace("\t", "\\t")


def _json(result: Result) -> str:
    if result.answer is not None:
        return json.dumps({"head": {}, "boolean": result.answer}) + "\n"
    bindings = [
        {column: _json_term(term) for column, term in zip(result.columns, row, strict=True) if term is not None}
        for row in result.rows
    ]
    document = {"head": {"vars": list(result.columns)}, "results": {"bindings": bindings}}
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _json_term(term: Identifier) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": _kind(term), "value": str(term)}
    if language := getattr(term, "language", None):
        entry["xml:lang"] = language
    elif datatype := getattr(term, "datatype", None):
        entry["datatype"] = str(datatype)
    return entry


def _turtle(graph: rdflib.Graph) -> str:
    statements = ox.parse(graph.serialize(format="nt", encoding="utf-8"), format=ox.RdfFormat.N_TRIPLES)
    return write_turtle((quad.triple for quad in statements), PREFIXES).decode()
