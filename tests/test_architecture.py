"""The promises of docs/architecture.md that hold of the source text itself."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "sle_kg"
MODULES = sorted(PACKAGE.rglob("*.py"))

LAYERS = [
    {"namespaces", "errors", "resources", "verdict", "phrases"},
    {"files", "turtle", "criteria", "units", "codes", "delta"},
    {"ontology"},
    {"reason", "terminology"},
    {"conditions"},
    {"trials"},
    {"definitions"},
    {"outcomes"},
    {"patients", "trial_sources"},
    {"features", "ingest"},
    {"evaluate", "shapes", "profile"},
    {"sql_plan", "advice"},
    {"spark"},
    {"engines", "timeline", "open_kinds", "refusals", "wording", "open_rows", "verdicts"},
    {"screening"},
    {"cohort"},
    {"followup"},
    {"synthetic"},
    {"landscape"},
    {"graph"},
    {"queries", "compare", "contexts", "export"},
    {"report"},
    {"demo", "check"},
    {"cli", "cli_ingest", "cli_cohort", "cli_options"},
]
"""Top-level modules from the bottom up: a module imports from its own layer and from those before it."""

RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
GRAPH_READERS = {"queries", "compare", "export", "graph", "landscape"}
PATIENT_SIDE = {
    "patients",
    "features",
    "engines",
    "screening",
    "timeline",
    "evaluate",
    "profile",
    "sql_plan",
    "cohort",
    "ingest",
    "followup",
    "synthetic",
}


def name_of(module: Path) -> str:
    """The top-level module that a file belongs to: `patients` of `sle_kg/patients/fhir.py`."""
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(module: Path) -> Iterator[str]:
    """The full name of everything that a file imports, wherever the import stands in it."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "sle_kg":
            yield from (f"sle_kg.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def own_imports(module: Path) -> set[str]:
    """The top-level modules of the project that a file imports, its own package apart."""
    found = {name.split(".")[1] for name in imports_of(module) if name.startswith("sle_kg.")}
    return {name for name in found if name in RANK} - {name_of(module)}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_every_module_has_a_layer():
    placed = {*RANK, "__init__", "__main__"}
    assert {name_of(module) for module in MODULES} <= placed


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_imports_run_one_way(module):
    name = name_of(module)
    if name in RANK:
        assert {other for other in own_imports(module) if RANK[other] > RANK[name]} == set()


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_what_reads_graphs_knows_no_patients(module):
    if name_of(module) in GRAPH_READERS:
        assert own_imports(module) & PATIENT_SIDE == set()


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_imports_are_absolute(module):
    assert [name for name in imports_of(module) if name.startswith(".")] == []


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_no_module_can_open_a_connection(module):
    network = {"socket", "urllib.request", "http.client", "requests", "httpx", "ssl"}
    assert set(imports_of(module)) & network == set()


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_no_number_is_a_float(module):
    nodes = list(ast.walk(ast.parse(module.read_text())))
    literals = [node.lineno for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, float)]
    calls = [
        node.lineno
        for node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
    ]
    assert (literals, calls) == ([], [])


TESTS = [file for file in sorted((ROOT / "tests").rglob("*.py")) if file.parent.name != "cases"]
"""Cases are lists of patients, one line each: data, of whatever length."""


@pytest.mark.parametrize("module", [*MODULES, *TESTS], ids=relative)
def test_a_file_is_short_enough_to_find_ones_way(module):
    assert len(module.read_text().splitlines()) <= 600


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_every_module_says_what_it_is_for(module):
    assert ast.get_docstring(ast.parse(module.read_text()))


UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b|pytest\.(mark\.)?(skip|xfail)")
MACHINE_PATHS = re.compile(r"(?<![\w.])/(work|root|home|opt)/|\.\./shared\b")
TEXT = {".py", ".md", ".ttl", ".rq", ".toml", ".cff", ".sh", ".html", ".j2"}
FOLDERS = ("src", "tests", "docs", "ontology", "shapes", "trials", "benchmarks", "examples", "registry")


def text_files() -> list[Path]:
    """The text files that the project itself wrote."""
    inside = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*")) if path.suffix in TEXT]
    return [*inside, *(path for path in sorted(ROOT.iterdir()) if path.suffix in TEXT), ROOT / "Makefile"]


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    """`file:line` of every match in the project's text files, this file apart."""
    return [
        f"{relative(path)}:{number}"
        for path in text_files()
        if path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]


def test_nothing_is_left_unfinished():
    assert lines_with(UNFINISHED) == []


def test_no_file_names_a_place_on_one_machine():
    assert lines_with(MACHINE_PATHS) == []


def test_help_starts_without_the_heavy_libraries():
    heavy = ["rdflib", "pyshacl", "duckdb", "pyarrow", "owlready2", "pint", "pyoxigraph", "pyld", "jinja2", "sqlglot"]
    code = f"import sys, sle_kg.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
