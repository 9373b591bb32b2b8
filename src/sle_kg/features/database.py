"""The fact tables of patients and the asks, as DuckDB tables that the feature queries read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from sle_kg.criteria import Feature
from sle_kg.features.asks import Ask, FeatureOptions
from sle_kg.features.births import DATED, believed
from sle_kg.features.sql import MACROS, PER_KG_TOLERANCE, UNITS_PER_MG, days_of, duration_parts
from sle_kg.patients.facts import COLUMNS

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from sle_kg.terminology import Terminology

CODED = ("condition", "exposure", "procedure", "immunization", "allergy")
"""Fact tables whose rows have a `concept`."""
CLASSIFICATION_SETS = ("acr1997", "slicc2012", "eularAcr2019")


COSTLY_STEPS = frozenset(
    {
        "projection_placement",  # its time is quadratic in columns
        "cte_filter_pusher",  # asks every row whether any reader of a common table wants it: all rows are wanted
        *("partial_aggregate_pushdown", "common_subplan"),  # find nothing in these queries
        "compressed_materialization",  # to make keys narrow takes longer than to read them
    }
)
"""Steps of DuckDB's optimizer that take longer than they save: results are the same without."""
FEW_PATIENTS = 200
"""Patients up to which a second thread costs DuckDB more than it saves."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A table of what the program knows: its columns with their kinds (see `load_rows`), and its rows."""

    name: str
    columns: Mapping[str, str]
    rows: Sequence[Any]


def open_database(
    tables: Mapping[str, pa.Table], value_sets: Sequence[str], terminology: Terminology
) -> duckdb.DuckDBPyConnection:
    """An in-memory database with every fact table, the membership of every concept that occurs, and reference data.

    Nothing is read from or written to disk or network.
    """
    connection = empty_database(threads=1 if tables["patient"].num_rows <= FEW_PATIENTS else 2)
    connection.register("arrow_person", tables["patient"])
    for name, table in tables.items():
        connection.register(f"arrow_{name}", table)
        connection.execute(f"CREATE TABLE fact_{name} AS {_fact(name)}")
        connection.unregister(f"arrow_{name}")
    connection.unregister("arrow_person")
    concepts = [row[0] for row in connection.execute(concepts_query("fact_")).fetchall()]
    load_references(connection, [*terminology_references(concepts, value_sets, terminology), *score_references()])
    return connection


def _fact(name: str) -> str:
    """SELECT: the rows of an Arrow table, numbered in their order, as far as birth and sex let them be believed."""
    rows = f"SELECT *, row_number() OVER () AS row_id FROM arrow_{name}"
    if name not in DATED:
        return rows
    columns = {column: f"s.{column}" for column in COLUMNS[name]}
    changed = (f"{sql} AS {column}" for column, sql in believed(name, columns, "p").items())
    return f"""SELECT s.patient, s.record, {", ".join(changed)}, s.row_id
        FROM ({rows}) s LEFT JOIN (
            SELECT patient, min(birth_from) AS born, max(sex) AS sex FROM arrow_person GROUP BY patient) p
            ON p.patient = s.patient
        ORDER BY s.row_id"""


def empty_database(
    threads: int = 2, files: Sequence[str] = (), without: Sequence[str] = ()
) -> duckdb.DuckDBPyConnection:
    """An in-memory database that knows the macros and reaches neither network nor disk, but for these `files`.

    `without`: further steps of the optimizer that it leaves out.
    """
    import duckdb

    connection = duckdb.connect(":memory:", config={"threads": str(threads)})
    connection.execute("SET enable_progress_bar = false")  # it would go to standard output
    if files:
        connection.execute("SET allowed_paths = ?", [list(files)])
    connection.execute("SET enable_external_access = false")
    connection.execute("SET error_on_division_by_zero = false")  # by a weight that rounds to 0 kg: not known
    connection.execute(f"SET disabled_optimizers = '{','.join((*_costly_steps(), *without))}'")
    connection.execute("SET checkpoint_threshold = '1TB'")  # there is no file to bring up to date
    for name, (parameters, body) in MACROS.items():
        connection.execute(f"CREATE MACRO {name}({', '.join(parameters)}) AS {body}")
    return connection


@cache
def _costly_steps() -> list[str]:
    """Those of `COSTLY_STEPS` that this version of DuckDB has."""
    import duckdb

    with duckdb.connect(":memory:", config={"threads": "1"}) as connection:
        known = {name for (name,) in connection.execute("SELECT name FROM duckdb_optimizers()").fetchall()}
    return sorted(COSTLY_STEPS & known)


def load_references(connection: duckdb.DuckDBPyConnection, references: Iterable[Reference]) -> None:
    """The reference tables."""
    for reference in references:
        load_rows(connection, reference.name, reference.columns, reference.rows)


def load_rows(
    connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str], rows: Sequence[Any]
) -> None:
    """A table from rows of values, by Arrow (fast for many rows)."""
    connection.register("arrow_rows", arrow_rows(columns, rows))
    connection.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM arrow_rows")
    connection.unregister("arrow_rows")


def arrow_rows(columns: Mapping[str, str], rows: Sequence[Any]) -> pa.Table:
    """Rows of values as an Arrow table; kinds are `text`, `texts`, `date`, `flag`, `whole`, `long`, `number`."""
    import pyarrow as pa

    types = {
        "text": pa.string(),
        "date": pa.date32(),
        "flag": pa.bool_(),
        "whole": pa.int32(),
        "long": pa.int64(),
        "texts": pa.list_(pa.string()),
        "number": pa.decimal128(38, 12),
    }
    values = list(zip(*rows, strict=True)) if rows else [() for _ in columns]
    arrays = [pa.array(list(value), types[kind]) for value, kind in zip(values, columns.values(), strict=True)]
    return pa.Table.from_arrays(arrays, names=list(columns))


def concepts_query(prefix: str) -> str:
    """SELECT of every concept that occurs in the fact tables whose names start with `prefix`, in order."""
    union = " UNION ".join(f"SELECT concept FROM {prefix}{table}" for table in CODED)
    stated = f"""SELECT replace(statement, 'contraindication:', '') AS concept FROM {prefix}statement
        WHERE statement LIKE 'contraindication:%'"""
    return f"SELECT concept FROM ({union} UNION {stated}) every WHERE concept <> '' ORDER BY concept"


def terminology_references(
    concepts: Sequence[str], value_sets: Sequence[str], terminology: Terminology
) -> list[Reference]:
    """Membership of concepts in value sets, attributes of drugs, and which value sets are open."""
    membership = [tuple(row) for row in terminology.membership(concepts, value_sets)]
    refuting = set(terminology.refuting(concepts, value_sets))
    members = Reference(
        "membership",
        {"concept": "text", "value_set": "text", "status": "text", "refutes": "flag"},
        [(*row, row[:2] in refuting) for row in membership]
        + [(*pair, "outside", True) for pair in sorted(refuting - {row[:2] for row in membership})],
    )
    columns = {
        "concept": "text",
        "drug": "text",
        "moiety": "text",
        "prednisone_numerator": "whole",
        "prednisone_denominator": "whole",
        "mmf_numerator": "whole",
        "mmf_denominator": "whole",
        "ambiguous_mmf": "flag",
        **{f"washout{number}": "whole" for number in range(1, 6)},
    }
    attributes = terminology.drug_attributes(concepts)
    drugs = Reference("drug", columns, [tuple(getattr(drug, column) for column in columns) for drug in attributes])
    openness = [(value_set, terminology.is_open(value_set)) for value_set in value_sets]
    return [members, drugs, Reference("value_set", {"value_set": "text", "open": "flag"}, openness)]


@dataclass(frozen=True, slots=True)
class ScoreItem:
    """An item of a score that is the sum of its items: the key of the total, a bit of its own, and its points."""

    total: str
    bit: int
    weight: int


def score_items() -> dict[str, ScoreItem]:
    """The items whose sums are totals, by test."""
    from sle_kg import ontology

    items = [
        (total, item)
        for prefix, total in (("sledai2k", "sledai2kTotal"), ("selenaSledai", "selenaSledaiTotal"))
        for item in ontology.instruments()[prefix].items
    ]
    return {item.key: ScoreItem(total, 1 << place, item.weight or 0) for place, (total, item) in enumerate(items)}


def score_references() -> list[Reference]:
    """Weights of classification items, from the ontology."""
    from sle_kg import ontology

    items = [
        (name, item.key, item.key.rpartition(":")[2], item.domain, item.kind, item.weight or 0)
        for name in CLASSIFICATION_SETS
        for item in ontology.classification_items(name)
    ]
    columns = {"set": "text", "test": "text", "key": "text", "domain": "text", "kind": "text", "weight": "whole"}
    classes = [
        (item.key, name)
        for criteria_set in CLASSIFICATION_SETS
        for item in ontology.classification_items(criteria_set)
        for name in sorted(item.biopsy_classes)
    ]
    return [
        Reference("classification_item", columns, items),
        Reference("classification_biopsy", {"test": "text", "class": "text"}, classes),
    ]


FEATURE_COLUMNS = {
    "feature": "whole",
    "trials": "texts",
    "anchor": "text",
    "months": "whole",
    "days": "whole",
    "when_is": "text",
    "severity_needed": "text",
    "half_lives": "whole",
    "gap": "whole",
    "measure": "text",
    "inclusive": "flag",
    "since_first": "flag",
    "documented": "flag",
    "valid_days": "whole",
    "sex_needed": "flag",
    "times_limit": "flag",
    "method_needed": "text",
    "instrument": "text",
    "to_mofetil": "flag",
    "dose_units": "long",
    "concurrent_gap": "whole",
}
"""Parameters that queries read as columns, so that one query bounds every feature of a kind."""


def feature_rows(features: Iterable[Feature], options: FeatureOptions) -> list[dict[str, Any]]:
    """The parameters of features by column (`FEATURE_COLUMNS`), numbered in their order."""
    rows = []
    for number, feature in enumerate(features):
        lookback = feature.get("lookback")
        months, days = duration_parts(str(lookback)) if lookback else (None, None)
        gap, valid = feature.get("gap"), feature.get("validFor")
        rows.append(
            {
                "feature": number,
                "anchor": feature.get("anchor", "screening"),
                "months": months,
                "days": days,
                "when_is": feature.get("when"),
                "severity_needed": feature.get("severity"),
                "half_lives": feature.get("halfLives"),
                "gap": days_of(str(gap)) if gap else None,
                "measure": feature.get("measure"),
                "inclusive": feature.get("counting") == "inclusive",
                "since_first": bool(feature.get("sinceFirstDose")),
                "documented": bool(feature.get("asDocumented")),
                "valid_days": options.of(feature).window(str(valid)) if valid else None,
                "sex_needed": valid == "pregnancyTest",
                "times_limit": feature.get("quantity") == "timesUpperLimit",
                "method_needed": feature.get("method"),
                "instrument": feature.get("instrument") or feature.get("classificationSet"),
                "to_mofetil": feature.get("equivalence") == "mycophenolateMofetil",
                "dose_units": _dose_units(feature),
                "concurrent_gap": days_of(str(feature.get("concurrentGap", "P1D"))),
            }
        )
    return rows


def _dose_units(feature: Feature) -> int | None:
    """The daily dose that a day must reach, in units; of a dose per kg what a rounded sum of rates must reach."""
    dose = feature.get("dailyDose")
    if not isinstance(dose, Decimal):
        return None
    return int(dose * UNITS_PER_MG) - (PER_KG_TOLERANCE if feature.get("perKilogram") else 0)


def feature_references(wanted: Mapping[Feature, Sequence[str]], options: FeatureOptions) -> list[Reference]:
    """The features as rows, with their value sets and tests; `wanted` gives the trials that need each."""
    rows, sets, tests = [], [], []
    for values, (feature, trials) in zip(feature_rows(wanted, options), wanted.items(), strict=True):
        number = values["feature"]
        rows.append(tuple((values | {"trials": list(trials)})[column] for column in FEATURE_COLUMNS))
        for parameter in ("valueSet", "concurrentWith"):
            sets += [(number, parameter, name) for name in names_of(feature, parameter)]
        tests += [(number, *row) for row in _tests_of(feature)]
    return [
        Reference("wanted", FEATURE_COLUMNS, rows),
        Reference("wanted_set", {"feature": "whole", "parameter": "text", "value_set": "text"}, sets),
        Reference("wanted_test", TEST_COLUMNS, tests),
    ]


TEST_COLUMNS = {"feature": "whole", "test": "text", "only_positive": "flag", "other": "flag", "bit": "long"}
"""The tests that a feature names; of an instrument, and of the `other` that it accepts, the total and, with the bit of
each, the items that add to it."""


def _tests_of(feature: Feature) -> Iterator[tuple[str, bool, bool, int | None]]:
    """The rows of `TEST_COLUMNS` for one feature, without its number."""
    for parameter in ("test", "positiveOnlyTest"):
        for name in names_of(feature, parameter):
            yield name, parameter == "positiveOnlyTest", False, None
    for parameter in ("instrument", "classificationSet", "alsoAccepts"):
        if (total := feature.get(parameter)) is not None:
            other = parameter == "alsoAccepts"
            yield str(total), False, other, None
            yield from ((test, False, other, item.bit) for test, item in score_items().items() if item.total == total)


def named_tests(features: Iterable[Feature]) -> set[str]:
    """Every test in the reference tables of features and of classification sets."""
    from sle_kg import ontology

    items = {item.key for name in CLASSIFICATION_SETS for item in ontology.classification_items(name)}
    return items.union(test for feature in features for test, *_ in _tests_of(feature))


def names_of(feature: Feature, parameter: str) -> tuple[str, ...]:
    """A parameter with several values; empty where it is not set."""
    value = feature.get(parameter, ())
    assert isinstance(value, tuple)
    return value


def load_asks(connection: duckdb.DuckDBPyConnection, asks: Sequence[Ask], options: FeatureOptions) -> None:
    """The asks, their anchors, and which sections are complete up to which day for each.

    Completeness is renewed when the future is searched: a section complete on the screening date stays so.
    """
    load_rows(
        connection,
        "ask",
        {
            "ask": "whole",
            "patient": "text",
            "trial": "text",
            "on_date": "date",
            "base": "date",
            "complete_until": "date",
            "shift": "whole",
        },
        [
            (a.id, a.patient, a.trial, a.on, a.base, a.complete_until or a.base, (a.on - a.base).days * a.repeat)
            for a in asks
        ],
    )
    load_rows(
        connection,
        "moment",
        {"ask": "whole", "moment": "text", "first": "date", "last": "date", "target": "date"},
        [(a.id, name, m.first, m.last, m.target) for a in asks for name, m in a.moments.items()],
    )
    anchors = [(a.id, "screening", a.on, a.on, None) for a in asks] + [
        (a.id, name, event.first, event.last, event.record) for a in asks for name, event in a.events.items()
    ]
    load_rows(
        connection,
        "anchor",
        {"ask": "whole", "anchor": "text", "first": "date", "last": "date", "record": "text"},
        anchors,
    )
    load_rows(connection, "stated_complete", {"section": "text"}, [(section,) for section in sorted(options.complete)])
    connection.execute(f"CREATE OR REPLACE TABLE complete AS {COMPLETE}")


COMPLETE = """
    WITH stated AS (
        SELECT a.ask, c.section, c.date_from AS until, c.record
        FROM ask a JOIN fact_completeness c ON c.patient = a.patient AND c.date_from <= a.complete_until
        UNION ALL
        SELECT a.ask, s.section, a.base, '--complete ' || s.section FROM ask a CROSS JOIN stated_complete s
    )
    SELECT s.ask, s.section, CASE WHEN max(s.until) >= any_value(a.base) THEN any_value(a.on_date)
           ELSE max(s.until) END AS until, arg_max(s.record, (s.until, s.record)) AS record
    FROM stated s JOIN ask a USING (ask)
    WHERE NOT EXISTS (
        SELECT 1 FROM fact_unread u
        WHERE u.patient = a.patient AND u.section = s.section AND (u.date_from IS NULL OR u.date_from <= a.base))
    GROUP BY s.ask, s.section
    """
"""SELECT: which sections are complete up to which day for each ask, by statement of the record or of the user."""
