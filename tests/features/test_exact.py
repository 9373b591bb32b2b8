"""The macros of exact arithmetic agree with Python's whole numbers, on both sides of what 64 bits hold."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING

import pytest

from sle_kg.features.database import empty_database
from sle_kg.features.sql import BIG, UNITS_PER_MG

if TYPE_CHECKING:
    import duckdb

EXACT = Context(prec=80, rounding=ROUND_HALF_UP)
TINY = Decimal("1e-12")
DRAWN = random.Random(1)


def drawn(digits: int) -> int:
    """A whole number of up to so many digits, short ones as often as long ones."""
    return DRAWN.randrange(10 ** DRAWN.randint(1, digits))


@pytest.fixture(scope="module")
def database() -> duckdb.DuckDBPyConnection:
    """A database with the macros."""
    return empty_database()


def answers(database: duckdb.DuckDBPyConnection, sql: str, columns: str, rows: Sequence[tuple[object, ...]]) -> list:
    """What an expression over `columns` gives for each row."""
    marks = ", ".join("?" for _ in rows[0])
    database.execute(f"CREATE OR REPLACE TABLE given(place INTEGER, {columns})")
    database.executemany(f"INSERT INTO given VALUES (?, {marks})", [(place, *row) for place, row in enumerate(rows)])
    return [answer for (answer,) in database.execute(f"SELECT {sql} FROM given ORDER BY place").fetchall()]


@pytest.mark.parametrize(("macro", "places", "limit"), [("exact", 12, 13), ("millionths", 6, 12)])
def test_a_decimal_becomes_a_whole_number(
    database: duckdb.DuckDBPyConnection, macro: str, places: int, limit: int
) -> None:
    edges = [
        "0",
        "0.0000005",
        "0.000000499999",
        "-1.5",
        "99999.9999995",
        "99999.999999499999",
        "100000",
        "999999999999",
    ]
    values = [Decimal(edge) for edge in edges] + [drawn(24) * TINY * 10 ** DRAWN.randint(0, 6) for _ in range(500)]
    values = [value for value in values if abs(value) < Decimal(10) ** limit - 1]
    step = Decimal(1).scaleb(-places)
    expected = [int(value.quantize(step, context=EXACT).scaleb(places, EXACT)) for value in values]
    assert answers(database, f"{macro}(x)", "x DECIMAL(38, 12)", [(value,) for value in values]) == expected


def test_a_decimal_too_large_is_unknown(database: duckdb.DuckDBPyConnection) -> None:
    too_large = [(Decimal(10) ** 13,), (Decimal(10) ** 25,)]
    assert answers(database, "exact(x)", "x DECIMAL(38, 12)", too_large) == [None, None]
    assert answers(database, "millionths(x)", "x DECIMAL(38, 12)", too_large) == [None, None]


@pytest.mark.parametrize("quick", ["", "quick_"])
@pytest.mark.parametrize(
    ("macro", "ratio"), [("below", lambda top, bottom: top // bottom), ("above", lambda top, bottom: -(-top // bottom))]
)
def test_a_ratio_is_rounded_exactly(
    database: duckdb.DuckDBPyConnection, macro: str, ratio: Callable[[int, int], int], quick: str
) -> None:
    pairs = [(drawn(30), drawn(20) + 1) for _ in range(500)] + [(BIG, 1), (BIG + 1, 1), (BIG, 7), (0, 5), (5, BIG + 1)]
    assert answers(database, f"{quick}{macro}(n, d)", "n HUGEINT, d HUGEINT", pairs) == [ratio(*pair) for pair in pairs]
    assert (
        answers(database, f"{quick}{macro}(n, d)", "n HUGEINT, d HUGEINT", [(5, 0), (BIG + 1, 0), (None, 3)])
        == [None] * 3
    )


def test_units_become_mg(database: duckdb.DuckDBPyConnection) -> None:
    units = [drawn(22) for _ in range(500)] + [UNITS_PER_MG, UNITS_PER_MG - 1, UNITS_PER_MG * 2 // 3]
    rows = [(one,) for one in units]
    exact = [one * 10**12 for one in units]
    assert answers(database, "mg_below(u)", "u HUGEINT", rows) == [one // UNITS_PER_MG * TINY for one in exact]
    assert answers(database, "mg_above(u)", "u HUGEINT", rows) == [-(-one // UNITS_PER_MG) * TINY for one in exact]
    rounded = [(one * 10**8 + UNITS_PER_MG // 2) // UNITS_PER_MG * Decimal("1e-8") for one in units]
    assert answers(database, "mg_per_kg(u)", "u HUGEINT", rows) == rounded


def test_a_number_too_large_is_unknown_inside_try(database: duckdb.DuckDBPyConnection) -> None:
    rows = [(10**30, 3), (10, 3)]
    assert answers(database, "TRY(below(n * n, d))", "n HUGEINT, d HUGEINT", rows) == [None, 33]
    assert answers(database, "TRY(above(n * n, d))", "n HUGEINT, d HUGEINT", rows) == [None, 34]
