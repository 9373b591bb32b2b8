"""The query library: golden answers, parameters as typed terms, and no query that reaches outside the graph.

A golden result is what `sle-kg query NAME --format csv` prints (`--format turtle` for a graph). When a change of the
trial files or the ontology changes an answer rightly, write it again with that command.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path

import pyoxigraph as ox
import pytest
import rdflib

from sle_kg.errors import InputError
from sle_kg.graph import as_rdflib, build_store, graph_quads
from sle_kg.namespaces import GEO, SLE, TRIAL, XSD
from sle_kg.queries import Query, Result, library, load, render, run, run_query
from sle_kg.resources import path

GOLDEN = Path(__file__).parent / "golden" / "queries"
QUERIES = {query.name: query for query in library()}
N = ox.NamedNode

ASKED = {
    "trials-at-a-glance",
    "score-thresholds",
    "age-and-weight-limits",
    "classification-sets",
    "refractory-definitions",
    "required-prior-therapies",
    "wash-outs",
    "required-and-excluded-drugs",
    "organ-function-limits",
    "infections-excluded",
    "reproductive-rules",
    "anchor-events",
    "rows-by-computability",
    "computability-share",
    "ambiguities-and-defects",
    "switchable-readings",
    "shared-instruments",
    "remission-definitions",
    "outcome-definitions",
    "outcome-matrix",
    "poolable-outcomes",
    "look-alike-outcomes",
    "outcomes-beyond-schedule",
    "trials-for-age-and-score",
    "landscape-by-target",
    "landscape-by-phase",
    "landscape-by-country",
    "landscape-by-sponsor-type",
    "landscape-by-year",
    "sites-near",
    "uncovered-source-text",
    "criteria-of-a-trial",
}


@pytest.fixture(scope="module")
def store() -> ox.Store:
    return build_store()


@pytest.fixture(scope="module")
def graph(store: ox.Store) -> rdflib.Graph:
    return as_rdflib(store)


@cache
def quads() -> list[ox.Quad]:
    """The whole graph, read once."""
    return graph_quads()


@pytest.fixture
def copy() -> ox.Store:
    """A graph that the test may change."""
    store = ox.Store()
    store.bulk_extend(quads())
    return store


def query_of(text: str) -> Query:
    return Query("mine", "", "", (), text)


def column(result: Result, name: str) -> list[str]:
    index = result.columns.index(name)
    return [str(row[index]) for row in result.rows]


def test_the_library_answers_what_was_asked() -> None:
    assert set(QUERIES) == ASKED
    assert {file.stem for file in GOLDEN.iterdir()} == ASKED


@pytest.mark.parametrize("name", sorted(ASKED))
def test_the_answer_is_the_golden_one(name: str, graph: rdflib.Graph) -> None:
    result = run(QUERIES[name], graph)
    form = "turtle" if result.graph is not None else "csv"
    golden = GOLDEN / f"{name}.{'ttl' if form == 'turtle' else 'csv'}"
    assert render(result, form).encode() == golden.read_bytes()


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_a_query_says_what_it_answers_and_which_terms_it_uses(query: Query, store: ox.Store) -> None:
    assert query.summary and query.description
    for word in sorted(set(re.findall(r"\bsle:([\w-]+)", query.text))):
        assert any(store.quads_for_pattern(N(SLE + word), None, None)), f"sle:{word} is no term of the ontology"


@pytest.mark.parametrize(
    ("name", "subject", "predicate", "old", "new"),
    [
        ("score-thresholds", "NCT06892145/I04/condition", "minInclusive", "7", "8"),
        ("age-and-weight-limits", "NCT06106906/I03/condition", "minInclusive", "40", "45"),
        ("organ-function-limits", "NCT06892145/I06d/condition/1", "maxInclusive", "2", "1.5"),
        ("required-prior-therapies", "NCT06150651/I03.1b2/condition", "minInclusive", "1.5", "2"),
    ],
)
def test_a_changed_threshold_changes_the_answer(
    copy: ox.Store, name: str, subject: str, predicate: str, old: str, new: str
) -> None:
    change(copy, TRIAL + subject, SLE + predicate, old, new)
    result = run(QUERIES[name], as_rdflib(copy))
    assert render(result, "csv").encode() != (GOLDEN / f"{name}.csv").read_bytes()


def change(store: ox.Store, subject: str, predicate: str, old: str, new: str) -> None:
    """Put another decimal in the place of one that must be there."""
    (quad,) = store.quads_for_pattern(N(subject), N(predicate), None)
    assert isinstance(quad.object, ox.Literal) and Decimal(quad.object.value) == Decimal(old)
    store.remove(quad)
    store.add(ox.Quad(quad.subject, quad.predicate, ox.Literal(new, datatype=N(XSD + "decimal"))))


def test_a_drug_without_half_life_has_no_days(copy: ox.Store) -> None:
    (quad,) = copy.quads_for_pattern(N(SLE + "belimumab"), N(SLE + "washoutDays5"), None)
    copy.remove(quad)
    rows = {(row[2].toPython(), row[4]) for row in run(QUERIES["wash-outs"], as_rdflib(copy)).rows if row[2]}
    assert ("belimumab", None) in rows


@pytest.mark.parametrize("place", ["NCT06892145/I05", "NCT06106906/E32", "NCT06653556/passage/2", "NCT06710717/O6"])
def test_what_is_not_covered_is_found(copy: ox.Store, place: str) -> None:
    name = "uncovered-source-text"
    assert run(QUERIES[name], as_rdflib(copy)).rows == ()
    for quad in list(copy.quads_for_pattern(N(TRIAL + place), None, None)):
        copy.remove(quad)
    assert column(run(QUERIES[name], as_rdflib(copy)), "trial")[:1] == [place.split("/")[0]]


def test_one_character_too_few_is_found(copy: ox.Store) -> None:
    row = N(TRIAL + "NCT06892145/I09d")
    for name in ("sentenceEnd", "quotationEnd"):
        (quad,) = copy.quads_for_pattern(row, N(SLE + name), None)
        copy.remove(quad)
        copy.add(ox.Quad(row, quad.predicate, ox.Literal(3182 - 2)))
    for other in ("I09a", "I09b", "I09c"):
        node = N(f"{TRIAL}NCT06892145/{other}")
        (quad,) = copy.quads_for_pattern(node, N(SLE + "sentenceEnd"), None)
        copy.remove(quad)
        copy.add(ox.Quad(node, quad.predicate, ox.Literal(3000)))
    result = run(QUERIES["uncovered-source-text"], as_rdflib(copy))
    assert [(str(row[0]), int(str(row[1])), str(row[2])) for row in result.rows] == [("NCT06892145", 3180, "n.")]


@pytest.mark.parametrize(
    ("age", "instrument", "score", "in_", "out"),
    [
        ("18", "sle:sledai2kTotal", "7", {"NCT06150651", "NCT06892145", "NCT06106906"}, {"NCT00000000"}),
        ("17", "sle:sledai2kTotal", "7", set(), {"NCT06150651", "NCT06892145", "NCT06106906"}),
        ("60", "sle:sledai2kTotal", "6.9", {"NCT06150651", "NCT06106906"}, {"NCT06892145"}),
        ("61", "sle:sledai2kTotal", "7", {"NCT06892145", "NCT06106906"}, {"NCT06150651"}),
        ("71", "sle:sledai2kTotal", "7", {"NCT06892145"}, {"NCT06106906", "NCT06653556", "NCT06710717"}),
        ("40", "sle:selenaSledaiTotal", "5", {"NCT06892145"}, {"NCT06106906"}),
        ("40", "sle:pga", "0.5", {"NCT06892145"}, {"NCT06106906"}),
    ],
)
def test_age_and_score_decide_who_could_enter(
    graph: rdflib.Graph, age: str, instrument: str, score: str, in_: set[str], out: set[str]
) -> None:
    values = {"age": age, "instrument": instrument, "score": score}
    found = set(column(run(QUERIES["trials-for-age-and-score"], graph, values), "trial"))
    assert in_ <= found
    assert out.isdisjoint(found)


def sites(store: ox.Store) -> Iterator[tuple[str, float, float]]:
    """Every recruiting site with coordinates."""
    for quad in store.quads_for_pattern(None, N(SLE + "recruitmentStatus"), N(SLE + "recruiting")):
        place = [
            float(found.object.value)
            for name in ("lat", "long")
            for found in store.quads_for_pattern(quad.subject, N(GEO + name), None)
        ]
        if len(place) == 2:
            yield str(quad.subject), place[0], place[1]


@pytest.mark.parametrize(
    ("latitude", "longitude", "kilometres"),
    [
        (30.59, 114.31, 300),
        (51.5, -0.12, 700),
        (-33.87, 151.21, 5000),
        (64.1, -179.9, 6000),
        (89.9, 0.0, 8000),
        (-40.0, -60.0, 19000),
    ],
)
def test_sites_near_are_those_within_the_great_circle_distance(
    store: ox.Store, graph: rdflib.Graph, latitude: float, longitude: float, kilometres: int
) -> None:
    def distance(lat: float, long: float) -> float:
        a, b = math.radians(latitude), math.radians(lat)
        half = (
            math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(math.radians(long - longitude) / 2) ** 2
        )
        return 2 * 6371 * math.asin(min(1.0, math.sqrt(half)))

    values = {"latitude": str(latitude), "longitude": str(longitude), "kilometres": str(kilometres), "disease": "any"}
    result = run(QUERIES["sites-near"], graph, values)
    near = [site for site, lat, long in sites(store) if distance(lat, long) <= kilometres]
    assert len(result.rows) == len(near) > 0


def test_shares_of_a_trial_add_up(graph: rdflib.Graph) -> None:
    result = run(QUERIES["computability-share"], graph)
    totals: dict[str, Decimal] = {}
    for trial, percent in zip(column(result, "trial"), column(result, "percent"), strict=True):
        totals[trial] = totals.get(trial, Decimal(0)) + Decimal(percent)
    assert len(totals) == 5
    assert all(abs(total - 100) <= Decimal("0.2") for total in totals.values())


def test_a_disease_narrows_the_landscape(graph: rdflib.Graph) -> None:
    everything = sum(map(int, column(run(QUERIES["landscape-by-target"], graph), "trials")))
    lupus = sum(map(int, column(run(QUERIES["landscape-by-target"], graph, {"disease": "SLE"}), "trials")))
    with (path("registry") / "cart_autoimmune_trials.csv").open(encoding="utf-8", newline="") as stream:
        entities = [row["DiseaseEntities"].split("|") for row in csv.DictReader(stream)]
    assert (everything, lupus) == (315, sum("SLE" in names for names in entities))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"age": "forty"}, "parameter age is 'forty', not of type integer"),
        ({"age": "4.5"}, "not of type integer"),
        ({"score": "NaN"}, "not of type decimal"),
        ({"score": "1e999999999"}, "not of type decimal"),
        ({"instrument": "http://a> b"}, "not of type iri"),
        ({"height": "180"}, "no parameter 'height'; it declares age, instrument, score, disease"),
    ],
)
def test_a_wrong_parameter_is_named(graph: rdflib.Graph, values: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(QUERIES["trials-for-age-and-score"], graph, values)


@pytest.mark.parametrize("value", ['SLE" } ?s ?p ?o . { "', "SLE\\", 'a\\" b', "\\u0022", "{ } ?x", "line\nend"])
def test_a_parameter_is_a_term_whatever_it_holds(graph: rdflib.Graph, value: str) -> None:
    result = run(QUERIES["landscape-by-target"], graph, {"disease": value})
    assert result.rows == ()


REFUSED = {
    "SELECT * { SERVICE <http://localhost/sparql> { ?s ?p ?o } }": "SERVICE asks another machine",
    "SELECT * { service SILENT ?where { ?s ?p ?o } }": "SERVICE asks another machine",
    "SELECT * { ?s ?p ?o FILTER EXISTS { SERVICE <http://x/> { ?s ?p ?o } } }": "SERVICE asks another machine",
    "SELECT * { { SELECT ?s { OPTIONAL { SERVICE <http://x/> { ?s ?p ?o } } } } }": "SERVICE asks another machine",
    "SELECT * FROM <http://example.org/g> { ?s ?p ?o }": "FROM names graphs",
    "CONSTRUCT { ?s ?p ?o } FROM NAMED <file:///etc/passwd> WHERE { ?s ?p ?o }": "FROM names graphs",
    "INSERT DATA { <http://a> <http://b> <http://c> }": "an update",
    "DELETE WHERE { ?s ?p ?o }": "an update",
    "LOAD <http://example.org/data>": "an update",
    "DROP ALL": "an update",
    "SELECT ?s WHERE { ?s ?p }": "not a SPARQL query",
    "": "not a SPARQL query",
    "SELECT * { " + "{" * 3000 + "}" * 3000 + " }": "not a SPARQL query|nested too deeply",
    'SELECT ("\\u005Cu0022" AS ?x) {}': "escape",
    "# comment\rSELECT * { SERVICE <http://x/> { ?s ?p ?o } }": "SERVICE asks another machine",
    'SELECT * { ?s ?p "\\u005C" . SERVICE <http://x/> { ?s ?p ?o } #" }\n }': "SERVICE|not a SPARQL query",
}


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_a_query_that_writes_or_reaches_outside_is_refused(graph: rdflib.Graph, text: str) -> None:
    size = len(graph)
    with pytest.raises(InputError, match=REFUSED[text]) as caught:
        run(query_of(text), graph)
    assert str(caught.value).startswith("mine: ")
    assert len(graph) == size


def test_the_word_service_in_a_literal_or_comment_is_no_service(graph: rdflib.Graph) -> None:
    result = run(query_of('SELECT ("SERVICE <http://x/> { }" AS ?text) { } # SERVICE LOAD'), graph)
    assert column(result, "text") == ["SERVICE <http://x/> { }"]


def test_a_user_file_with_parameters_runs(tmp_path: Path) -> None:
    file = tmp_path / "mine.rq"
    file.write_text(
        "#+ summary: Older\n#+ param: age integer — years\nPREFIX sle: <https://w3id.org/sle-kg/ontology#>\n"
        "SELECT (COUNT(*) AS ?n) {\n  VALUES ?age { 18 }\n  ?t sle:minimumAgeYears ?min FILTER(?min > ?age) }",
        encoding="utf-8",
    )
    assert load(file).parameters[0].default == "18"
    more = int(column(run_query(file, {"age": "10"}), "n")[0])
    assert more > int(column(run_query(str(file)), "n")[0]) > 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "not UTF-8 text at byte 0"),
        ("#+ param: age number — years\nSELECT * {}".encode(), "should read 'name type — meaning'"),
        ("#+ param: age integer — years\nSELECT * {}".encode(), "needs its default as one line"),
    ],
)
def test_a_user_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "mine.rq"
    file.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        run_query(file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("name", ["no-such-query", "../library", "", ".", "a\0b"])
def test_a_name_that_is_nothing_is_said_with_the_names_that_are(name: str) -> None:
    with pytest.raises(InputError, match=r"neither a readable file nor a query of the library .*wash-outs"):
        load(name)


def test_literals_are_shown_as_written() -> None:
    graph = as_rdflib(ox.Store())
    text = 'SELECT ("P12W"^^<http://www.w3.org/2001/XMLSchema#duration> AS ?d) ("007"^^<http://x/own> AS ?n) { }'
    assert render(run(query_of(text), graph), "csv") == "d,n\r\nP12W,007\r\n"


def test_result_formats(graph: rdflib.Graph) -> None:
    text = 'SELECT ?a ?b { VALUES (?a ?b) { (<http://x/1> "tab\\there"@en) (UNDEF 1.50) } }'
    result = run(query_of(text), graph)
    assert render(result, "tsv") == (
        '?a\t?b\n<http://x/1>\t"tab\\there"@en\n\t"1.5"^^<http://www.w3.org/2001/XMLSchema#decimal>\n'
    )
    first, second = json.loads(render(result, "json"))["results"]["bindings"]
    assert first == {
        "a": {"type": "uri", "value": "http://x/1"},
        "b": {"type": "literal", "value": "tab\there", "xml:lang": "en"},
    }
    assert second["b"] == {"type": "literal", "value": "1.5", "datatype": XSD + "decimal"}
    assert "2 rows" in render(result, "table", 80)
    with pytest.raises(InputError, match="a table, not a graph"):
        render(result, "turtle")


def test_an_answer_of_yes_or_no(graph: rdflib.Graph) -> None:
    assert render(run(query_of("ASK { ?s ?p ?o }"), graph), "json") == '{"head": {}, "boolean": true}\n'
    assert render(run(query_of("ASK { ?s <http://no/> ?o }"), graph)) == "no\n"


def test_a_graph_has_no_table(graph: rdflib.Graph) -> None:
    result = run(QUERIES["criteria-of-a-trial"], graph, {"trial": "NCT06150651"})
    assert b"I03.1b2" in render(result, "turtle").encode()
    with pytest.raises(InputError, match="no csv form"):
        render(result, "csv")


def test_a_table_shows_prefixed_names_and_no_control_characters(graph: rdflib.Graph) -> None:
    text = 'SELECT (<https://w3id.org/sle-kg/ontology#alt> AS ?t) ("\\u001B[31m[bold]red" AS ?x) { }'
    shown = render(run(query_of(text), graph), "table", 80)
    assert "sle:alt" in shown and "[bold]red" in shown and "\x1b" not in shown


def test_the_graph_that_queries_see_is_the_whole_graph(graph: rdflib.Graph) -> None:
    assert len(graph) == len(set(graph_quads()))
