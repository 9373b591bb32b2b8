"""How long a state lasted."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sle_kg.evaluate import Truth
from sle_kg.followup.durations import Assessments, Run, lasted, longest
from sle_kg.followup.moments import add_months

INFUSION = dt.date(2026, 1, 10)


def months(pattern: str) -> Assessments:
    """Assessments every three months from month 3: `+` met, `-` not met, `?` not known."""
    words: dict[str, Truth] = {"+": True, "-": False, "?": None}
    return [(add_months(INFUSION, 3 * number), words[sign]) for number, sign in enumerate(pattern, 1)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("+++++", True),
        ("-+++++", True),
        ("+++++-", True),
        ("++++-", False),
        ("-----", False),
        ("++-++-", False),
        ("++++", None),  # nine months only, and still going on
        ("++-++", None),  # had been lost; going on again
        ("++?++", None),
        ("?++++", None),
        ("++++?", None),
        ("++?+-", False),
        ("??-??-", False),
        ("---", None),  # followed for nine months only
        ("", None),
    ],
)
def test_twelve_months_of_a_state(pattern: str, expected: Truth) -> None:
    assert lasted(months(pattern), "P12M", INFUSION) is expected


def test_months_are_calendar_months() -> None:
    leap = [(dt.date(2028, 2, 29), True), (dt.date(2029, 2, 27), True)]
    assert lasted(leap, "P12M", INFUSION) is None
    assert lasted([leap[0], (dt.date(2029, 2, 28), True)], "P12M", INFUSION) is True


def test_the_longest_run_is_from_the_first_to_the_last_assessment() -> None:
    found = months("+-++?+-")
    assert longest(found, (True,)) == Run(found[2][0], found[3][0])
    assert longest(found, (True, None)) == Run(found[2][0], found[5][0])
    assert longest(months("-?-"), (True,)) is None


def test_of_two_runs_as_long_the_first_counts() -> None:
    found = [(INFUSION + dt.timedelta(days=day), day not in (20, 50)) for day in (10, 20, 30, 40, 50, 60, 70)]
    assert longest(found, (True,)) == Run(found[2][0], found[3][0])


@given(st.text("+-?", max_size=9))
def test_what_is_not_known_can_only_settle(pattern: str) -> None:
    """Whatever the unknown assessments turn out to be, a known answer stays."""
    known = lasted(months(pattern), "P12M", INFUSION)
    for sign in "+-":
        settled = lasted(months(pattern.replace("?", sign)), "P12M", INFUSION)
        assert known is None or settled is known
    certain, possible = (longest(months(pattern), allowed) for allowed in ((True,), (True, None)))
    for sign in "+-":
        run = longest(months(pattern.replace("?", sign)), (True,))
        assert (certain.days if certain else 0) <= (run.days if run else 0) <= (possible.days if possible else 0)
