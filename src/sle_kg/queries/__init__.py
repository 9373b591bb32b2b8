"""The query library: one question a `.rq` file, run on the knowledge graph."""

from sle_kg.queries.library import Parameter, Query, Result, library, load, run, run_query
from sle_kg.queries.results import FORMATS, render

__all__ = ["FORMATS", "Parameter", "Query", "Result", "library", "load", "render", "run", "run_query"]
