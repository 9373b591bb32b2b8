"""SQL fragments that the feature queries share: literals, windows, exact arithmetic.

Names and parameters come from trial files only, never from patient records.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import get_args

from sle_kg.errors import TrialFileError
from sle_kg.verdict import Status, VerdictWord

UNITS_PER_MG = 1_260_000_000
"""Doses are whole numbers of 1/1 260 000 000 mg: equivalents (20/3, 25/18) and periods (1/7) add without loss."""

PER_KG_TOLERANCE = UNITS_PER_MG // 200_000_000
"""Units by which a sum of rates per kg may lie below a limit that it reaches: half of 10⁻⁸ mg/kg."""

BIG = 9 * 10**18
"""What 64 bits hold: to divide such numbers takes a twentieth of what it takes to divide longer ones."""

WORDS = (*get_args(Status), *get_args(VerdictWord))
"""Statuses of rows and verdicts on patients."""

MACROS: dict[str, tuple[tuple[str, ...], str]] = {
    "inexact": (("x",), "TRY_CAST(x AS DECIMAL(25, 0)) * CAST(0.000000000001 AS DECIMAL(12, 12))"),
    "millionths": (
        ("x",),
        "coalesce("
        "CAST(CAST(TRY_CAST(x AS DECIMAL(17, 12)) AS DECIMAL(18, 6)) * CAST(1000000 AS DECIMAL(7, 0)) AS HUGEINT), "
        "CAST(CAST(TRY_CAST(x AS DECIMAL(18, 6)) AS DECIMAL(38, 6)) * 1000000 AS HUGEINT))",
    ),
    "exact": (
        ("x",),
        "CASE WHEN x = CAST(TRY_CAST(x AS DECIMAL(17, 12)) AS DECIMAL(18, 6)) THEN millionths(x) * 1000000"
        " ELSE CAST(TRY_CAST(x AS DECIMAL(25, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS HUGEINT) END",
    ),
    "below": (("numerator", "denominator"), "numerator // denominator"),
    "above": (("numerator", "denominator"), "(numerator + denominator - 1) // denominator"),
    "quick_below": (
        ("numerator", "denominator"),
        f"CASE WHEN numerator BETWEEN 0 AND {BIG} AND denominator BETWEEN 1 AND {BIG}"
        " THEN CAST(numerator AS BIGINT) // CAST(denominator AS BIGINT) ELSE below(numerator, denominator) END",
    ),
    "quick_above": (("numerator", "denominator"), "quick_below(numerator + denominator - 1, denominator)"),
    "mg_below": (("units",), "inexact(quick_below(units * CAST(50000 AS HUGEINT), 63))"),
    "mg_above": (("units",), "inexact(quick_above(units * CAST(50000 AS HUGEINT), 63))"),
    "mg_per_kg": (("units",), "inexact(quick_below(units * CAST(10 AS HUGEINT) + 63, 126) * 10000)"),
    "completed_years": (
        ("birth", "day"),
        "year(day) - year(birth) - CASE WHEN (month(day), day(day)) < (month(birth), day(birth)) THEN 1 ELSE 0 END",
    ),
    "least_or_null": (("x",), "CASE WHEN bool_or(x IS NULL) THEN NULL ELSE min(x) END"),
    "greatest_or_null": (("x",), "CASE WHEN bool_or(x IS NULL) THEN NULL ELSE max(x) END"),
    "least_where": (
        ("x", "c"),
        "CASE WHEN bool_or(c AND x IS NULL) THEN NULL ELSE min(CASE WHEN c THEN x END) END",
    ),
    "greatest_where": (
        ("x", "c"),
        "CASE WHEN bool_or(c AND x IS NULL) THEN NULL ELSE max(CASE WHEN c THEN x END) END",
    ),
    "word": (("x",), f"CAST(x AS ENUM({', '.join(map(repr, WORDS))}))"),
    "records_where": (("x", "c"), "list_sort(list_distinct(list(x) FILTER (WHERE c)))"),
    "records_of": (("x",), "list_sort(list_distinct(list(x)))"),
}
"""Macros of the queries: parameters and body.

`exact` scales a decimal to a whole number of 10⁻¹², `millionths` to one of 10⁻⁶ (by numbers of 64 bits where these
hold it: to scale longer ones down takes fifty times as long); `below` and `above` are floor and ceiling of an exact
ratio, so that a ratio which is exactly k stays exactly k (no doubles anywhere); `quick_below` and `quick_above` are the
same by numbers of 64 bits where these hold it, but have no place inside TRY, since the database computes a numerator
that is named several times before the TRY, where its overflow is an error. `mg_below` and `mg_above` are those of
units, 50 000 / 63 of 10⁻¹² mg each. A sum of rates per kg, each of them rounded, is rounded to 10⁻⁸ mg/kg
(`mg_per_kg`): 40/60 and 20/60 are 1. A number too large for these types is no real value, and unknown."""

_DURATION = re.compile(r"^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T0S)?$")


def text(value: str) -> str:
    """A text as SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def texts(values: Iterable[str]) -> str:
    """Texts as the inside of an SQL IN (…)."""
    return ", ".join(text(value) for value in sorted(values)) or "NULL"


def days_of(duration: str) -> int:
    """Days of a duration in days: `P7D` gives 7. Raises TrialFileError for months and years."""
    years, months, days = _parts(duration)
    if years or months:
        raise TrialFileError(f"The duration {duration} must be in days here.")
    return days


def duration_parts(duration: str) -> tuple[int, int]:
    """Calendar months and exact days of a duration: `P1Y` gives (12, 0), `P56D` (0, 56)."""
    years, months, days = _parts(duration)
    return 12 * years + months, days


def before(day: str, duration: str) -> str:
    """SQL for the date one duration before another: weeks and days exact, months and years calendar, clamped."""
    years, months, days = _parts(duration)
    return f"CAST(({day}) - INTERVAL {12 * years + months} MONTH - INTERVAL {days} DAY AS DATE)"


def _parts(duration: str) -> tuple[int, int, int]:
    match = _DURATION.match(duration)
    if match is None or duration in ("P", ""):
        raise TrialFileError(f"The duration {duration} is not in years, months and days.")
    years, months, days = (int(part or 0) for part in match.groups())
    return years, months, days
