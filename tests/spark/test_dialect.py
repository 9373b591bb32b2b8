"""Single constructs of the queries on Spark and on DuckDB: the same values, to the last decimal."""

from __future__ import annotations

from typing import Any

import pytest

from sle_kg.features.database import empty_database
from sle_kg.features.sql import before
from sle_kg.spark.dialect import to_spark

BIG = "CAST('12345678901234567890123456789' AS HUGEINT)"
MONTHS = [("DATE '2026-03-31'", "P1M"), ("DATE '2024-02-29'", "P1Y"), ("DATE '0001-01-01'", "P2Y")]
RATIO = "exact(CAST(2 AS DECIMAL(38, 12))) * CAST(1000000000000 AS HUGEINT), exact(CAST(3 AS DECIMAL(38, 12)))"
EXPRESSIONS = [
    "below(CAST(-7 AS HUGEINT), 2)",
    "below(CAST(7 AS HUGEINT), 0)",
    f"below({BIG}, 7)",
    f"above({BIG}, 7)",
    f"above({BIG} * 7, 7)",
    "quick_below(CAST('9000000000000000000' AS HUGEINT), 7)",
    "quick_above(CAST('8999999999999999999' AS HUGEINT), 2)",
    f"inexact(below({RATIO}))",
    "exact(CAST(1234567.123456789012 AS DECIMAL(38, 12)))",
    "exact(CAST(12345.6789 AS DECIMAL(38, 12)))",
    "millionths(CAST(99999.9999995 AS DECIMAL(38, 12)))",
    "millionths(CAST(1234567.8901234 AS DECIMAL(38, 12)))",
    "inexact(CAST('99999999999999999999999999' AS HUGEINT))",
    f"TRY({BIG} * {BIG})",
    f"TRY(below({BIG} * {BIG}, 3))",
    "mg_per_kg(CAST(1260000001 AS HUGEINT))",
    "CAST(TRY_CAST(0.0000005 AS DECIMAL(18, 6)) * 1000000 AS HUGEINT)",
    "completed_years(DATE '2000-02-29', DATE '2026-02-28')",
    "completed_years(DATE '2000-02-29', DATE '2026-03-01')",
    "DATE '2026-03-01' - DATE '2024-02-29'",
    *(f"DATE '2026-03-01' - {before(text, span)}" for text, span in MONTHS),
    "DATE '9999-12-31' + 400 - DATE '9999-12-31'",
    "greatest(1, NULL, 3) + least(NULL, 2)",
    "list_contains(str_split('III+V', '+'), 'V')",
    "CASE WHEN CAST(NULL AS BOOLEAN) THEN 1 WHEN NOT CAST(NULL AS BOOLEAN) THEN 2 ELSE 3 END",
    "'it''s \\n \\ ${x} %s Ω'",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_has_the_same_value(session: Any, expression: str) -> None:
    select = f"SELECT {expression} AS value"
    assert session.sql(to_spark(select)).collect()[0][0] == empty_database().execute(select).fetchall()[0][0]


def test_qualify_is_a_filter(session: Any) -> None:
    rows = "(SELECT 1 AS a, 2 AS b UNION ALL SELECT 1, 3 UNION ALL SELECT 2, 1)"
    select = f"SELECT s.* FROM {rows} s QUALIFY s.b = max(s.b) OVER (PARTITION BY s.a)"
    assert sorted(map(tuple, session.sql(to_spark(select)).collect())) == [(1, 3), (2, 1)]


def test_an_overflow_outside_try_is_an_error(session: Any) -> None:
    with pytest.raises(Exception, match="NUMERIC_VALUE_OUT_OF_RANGE"):
        session.sql(to_spark(f"SELECT {BIG} * {BIG}")).collect()


@pytest.mark.parametrize("where", ["ask NOT IN (SELECT ask FROM {})", "b > 2 OR ask NOT IN (SELECT ask FROM {})"])
def test_asks_that_are_not_among_others_are_found_by_a_join_on_equal_values(session: Any, where: str) -> None:
    rows, others = "(VALUES (1, 2), (2, 3), (3, 1), (4, 4)) r(ask, b)", "(VALUES (1), (NULL), (4)) o(ask)"
    select = f"SELECT * FROM {rows} WHERE {where.format(others + ' WHERE ask IS NOT NULL')}"
    found = session.sql(to_spark(select))
    assert "NestedLoop" not in found._jdf.queryExecution().executedPlan().toString()
    assert sorted(map(tuple, found.collect())) == sorted(empty_database().execute(select).fetchall())
