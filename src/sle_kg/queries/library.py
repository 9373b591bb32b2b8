"""Finding, checking and running SPARQL queries, the library's own and the user's.

A query file may begin with header lines:

    #+ summary: one line
    #+ description: as many words as it needs
    #+ param: age integer — completed years

A parameter's default stands in the query itself as `VALUES ?age { 35 }`, so that every file also runs as it is on any
SPARQL endpoint. Another value is checked against the type, made an RDF term, and takes that block's place; the query
is parsed after that, and refused if it is an update, asks another service, or names graphs to be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import pyoxigraph as ox

from sle_kg.errors import InputError
from sle_kg.namespaces import PREFIXES, XSD

if TYPE_CHECKING:
    import rdflib
    from rdflib.term import Identifier

_FOLDER = Path(__file__).parent
_HEADER = re.compile(r"#\+ (summary|description|param): *(.*)")
_PARAMETER = re.compile(r"(\w+) +(\w+) +— +(.+)")

_MOST_DIGITS = 18
"""What Oxigraph keeps of a decimal, before and after the point."""

ParameterType = Literal["integer", "decimal", "string", "date", "iri"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that the user may give: its name, type, default as written in the query, and meaning."""

    name: str
    type: ParameterType
    default: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Query:
    """A query file: `name` is the file's stem (library) or the path as the user gave it."""

    name: str
    summary: str
    description: str
    parameters: tuple[Parameter, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """The answer: rows of RDF terms under their columns (SELECT), yes or no (ASK), or a graph (CONSTRUCT, DESCRIBE)."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Identifier | None, ...], ...] = ()
    answer: bool | None = None
    graph: rdflib.Graph | None = None


def library() -> list[Query]:
    """Every query of the library, sorted by name."""
    return [load(file.stem) for file in sorted(_FOLDER.glob("*.rq"))]


def load(name_or_path: str | Path) -> Query:
    """The library's query of that name, else the file at that path.

    Raises InputError when there is neither, when the file is not UTF-8, or when its header is wrong.
    """
    named = _FOLDER / f"{str(name_or_path).removesuffix('.rq')}.rq"
    of_library = named.parent == _FOLDER and named.is_file()
    file = named if of_library else Path(name_or_path)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not UTF-8 text at byte {error.start}; save the query as UTF-8") from error
    except (OSError, ValueError) as error:
        names = ", ".join(sorted(found.stem for found in _FOLDER.glob("*.rq")))
        raise InputError(f"{name_or_path}: neither a readable file nor a query of the library ({names})") from error
    return _read(file.stem if of_library else str(name_or_path), text)


def run_query(name_or_path: str | Path, parameters: Mapping[str, str] | None = None) -> Result:
    """Run a query, of the library or a file, on the whole graph. Raises InputError (see `load`, `run`)."""
    query = load(name_or_path)
    text = _ready(query, parameters or {})
    from sle_kg.graph import build_graph

    return _evaluate(query.name, text, build_graph())


def run(query: Query, graph: rdflib.Graph, parameters: Mapping[str, str] | None = None) -> Result:
    """Run a query on a graph (one that `graph.as_rdflib` gives).

    `parameters` are texts, as a user types them. Raises InputError for a parameter that the query does not declare, a
    value that is not of its type, a query that cannot be parsed, and one that would reach outside the graph.
    """
    return _evaluate(query.name, _ready(query, parameters or {}), graph)


def _read(name: str, text: str) -> Query:
    entries: dict[str, list[str]] = {"summary": [], "description": [], "param": []}
    for line in text.splitlines():
        header = _HEADER.fullmatch(line.rstrip())
        if header:
            entries[header[1]].append(header[2])
    parameters = tuple(_parameter(name, line, text) for line in entries["param"])
    return Query(name, " ".join(entries["summary"]), " ".join(entries["description"]), parameters, text)


def _parameter(name: str, line: str, text: str) -> Parameter:
    match = _PARAMETER.fullmatch(line)
    if match is None or match[2] not in get_args(ParameterType):
        types = ", ".join(get_args(ParameterType))
        raise InputError(f"{name}: '#+ param: {line}' should read 'name type — meaning', with a type of {types}")
    blocks = _values_block(match[1]).findall(text)
    if len(blocks) != 1:
        raise InputError(f"{name}: parameter {match[1]} needs its default as one line 'VALUES ?{match[1]} {{ value }}'")
    kind: Any = match[2]
    return Parameter(match[1], kind, blocks[0].strip(), match[3])


def _values_block(parameter: str) -> re.Pattern[str]:
    """The line of the query that holds the default; a quotation may hold anything but its own end."""
    return re.compile(rf'^\s*VALUES \?{parameter} \{{((?:[^{{}}"\n]|"(?:[^"\\\n]|\\.)*")*)\}}', re.MULTILINE)


def _ready(query: Query, values: Mapping[str, str]) -> str:
    """The text to run: parameters in place, parsed, and found harmless."""
    text = _without_escapes(query.name, query.text)
    declared = {parameter.name: parameter for parameter in query.parameters}
    for name, value in values.items():
        if name not in declared:
            known = ", ".join(declared) or "none"
            raise InputError(f"{query.name}: no parameter {name!r}; it declares {known}")
        block = f"\n  VALUES ?{name} {{ {_escaped(_term(query.name, declared[name], value))} }}"
        text = _values_block(name).sub(block.replace("\\", r"\\"), text)
    _refuse_harm(query.name, text)
    return text


def _term(query: str, parameter: Parameter, value: str) -> ox.Literal | ox.NamedNode:
    """What the user typed, as an RDF term of the parameter's type."""
    try:
        match parameter.type:
            case "integer":
                return ox.Literal(int(value))
            case "decimal":
                return ox.Literal(_decimal(value), datatype=ox.NamedNode(XSD + "decimal"))
            case "date":
                return ox.Literal(date.fromisoformat(value).isoformat(), datatype=ox.NamedNode(XSD + "date"))
            case "iri":
                prefix, _, local = value.partition(":")
                return ox.NamedNode(PREFIXES[prefix] + local if prefix in PREFIXES else value)
    except (ValueError, InvalidOperation) as error:
        raise InputError(f"{query}: parameter {parameter.name} is {value!r}, not of type {parameter.type}") from error
    return ox.Literal(value)


def _escaped(term: ox.Literal | ox.NamedNode) -> str:
    r"""The term in SPARQL; a backslash before u stays one, although parsers resolve \u before they read strings."""
    return re.sub(r"\\([uU])", lambda found: rf"\\U{ord(found[1]):08X}", str(term))


def _decimal(value: str) -> str:
    """The number without an exponent. Raises ValueError for what is no number or has more digits than a store keeps."""
    number = Decimal(value)
    if not number.is_finite() or abs(number.adjusted()) > _MOST_DIGITS:
        raise ValueError(value)
    return f"{number:f}"


def _without_escapes(name: str, text: str) -> str:
    r"""The text with one kind of line end and with \u escapes resolved, so that no two parsers read it differently."""
    from rdflib.plugins.sparql.parser import expandUnicodeEscapes

    try:
        text = expandUnicodeEscapes(re.sub(r"\r\n?", "\n", text))
    except (ValueError, OverflowError) as error:
        raise InputError(f"{name}: a \\u escape is no character; write the character itself") from error
    if re.search(r"\\[uU]", text):
        raise InputError(f"{name}: a \\u escape makes another; write the characters themselves")
    return text


def _refuse_harm(name: str, text: str) -> None:
    """Raise InputError unless the text is a query that stays inside the graph."""
    from pyparsing import ParseException
    from rdflib.plugins.sparql.parser import parseQuery

    try:
        tree = parseQuery(text)
    except ParseException as error:
        if _is_update(text):
            sentence = f"{name}: an update; the graph is only read: write SELECT, ASK or CONSTRUCT"
        else:
            sentence = f"{name}: not a SPARQL query: {error.msg} at line {error.lineno}, column {error.column}"
        raise InputError(sentence) from error
    except RecursionError as error:
        raise InputError(f"{name}: nested too deeply to be read; make the query flatter") from error
    for part in _parts(tree):
        if part == "ServiceGraphPattern":
            raise InputError(f"{name}: SERVICE asks another machine; sle-kg stays offline, take the clause out")
        if part == "DatasetClause":
            raise InputError(f"{name}: FROM names graphs to read; the graph is the only one, take the clause out")


def _is_update(text: str) -> bool:
    """Whether the text asks for a change (an empty text, which is an update that changes nothing, does not)."""
    from pyparsing import ParseException
    from rdflib.plugins.sparql.parser import parseUpdate

    try:
        return len(list(_parts(parseUpdate(text)))) > 1
    except (ParseException, RecursionError):
        return False


def _parts(tree: object) -> Iterator[str]:
    """The names of all parts of a parse tree of rdflib: named parts are dictionaries, their lists are iterables."""
    from rdflib.plugins.sparql.parserutils import CompValue

    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, CompValue):
            yield str(node.name)
            waiting.extend(node.values())
        elif not isinstance(node, str) and hasattr(node, "__iter__"):
            waiting.extend(node)


@contextmanager
def _literals_as_written() -> Iterator[None]:
    """Keep rdflib from rewriting literals (`P12W` to `P84D`) while a result is read."""
    import rdflib

    before = rdflib.NORMALIZE_LITERALS
    rdflib.NORMALIZE_LITERALS = False
    try:
        yield
    finally:
        rdflib.NORMALIZE_LITERALS = before


def _evaluate(name: str, text: str, graph: rdflib.Graph) -> Result:
    with _literals_as_written():
        try:
            answer = graph.query(text)
            if answer.type == "ASK":
                return Result(answer=bool(answer.askAnswer))
            if answer.type == "SELECT":
                columns = tuple(str(variable) for variable in answer.vars or ())
                rows: Any = (tuple(row.get(variable) for variable in answer.vars or ()) for row in answer.bindings)
                return Result(columns, tuple(rows))
        except (SyntaxError, ValueError, OSError, RuntimeError) as error:
            raise InputError(f"{name}: the query cannot be run: {error}") from error
    return Result(graph=answer.graph)
