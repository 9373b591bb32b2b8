"""What the search for first days takes for granted of features (`cohort/ahead.py`, `timeline.py`), on random histories.

Whoever writes a query of which that is no longer so sees it here.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from random import Random

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from features.histories import Facts, all_features, asks_of, built, history
from features.naive_facts import UNKNOWN, Bound
from sle_kg.cohort.ahead import FACTS_OF_CODES, LEAVING, OF_CODES
from sle_kg.criteria import Feature
from sle_kg.features.database import names_of
from sle_kg.features.presence import anchored
from sle_kg.terminology import terminology
from sle_kg.timeline import EXPIRING, HORIZON, RISING, RUNNING_OUT, UNCHANGING

PATIENTS = 60
DAYS = (0, 1, 13, 28, 57, 97, 183, 366, HORIZON)
OF_AGE = frozenset({"CreatinineClearanceCondition"})
"""Estimates that fall with age, results repeated or not; a first day is judged again by all features."""
STILL = (UNCHANGING | EXPIRING) - OF_AGE
LOWEST, HIGHEST = -1, 10**9
"""Below and above every bound: a side that is open."""
Course = tuple[Bound, ...]
"""The bounds of a feature on each of `DAYS`, results taken as repeated."""
Courses = dict[tuple[str, Feature], Course]


def drawn(seed: int) -> tuple[list[Facts], Courses]:
    """Random patients, and the courses of every feature of which anything is taken for granted."""
    random, count = Random(seed), len(DAYS)
    names = [f"p{number:03}" for number in range(PATIENTS)]
    patients = [history(random, name) for name in names]
    today = [asks_of(random, count * number, name)[0] for number, name in enumerate(names)]
    asks = [ask.moved(ask.id + place, day, repeat=True) for ask in today for place, day in enumerate(DAYS)]
    kinds = OF_CODES | LEAVING | RISING | RUNNING_OUT | UNCHANGING | EXPIRING
    features = [one for one in all_features() if one.kind in kinds]
    found = built(patients, asks, features)
    return patients, {
        (ask.patient, one): tuple(found.get((ask.id + place, one.slug), UNKNOWN) for place in range(count))
        for ask in today
        for one in features
    }


def concerned(patients: list[Facts], features: Set[Feature]) -> set[tuple[str, Feature]]:
    """Patients and features of which a fact has a code that the terminology relates to the `valueSet`."""
    codes = {
        facts["patient"][0]["patient"]: {row["concept"] for name in FACTS_OF_CODES for row in facts[name]}
        for facts in patients
    }
    every = sorted(set().union(*codes.values()))
    names = sorted({name for one in features for name in names_of(one, "valueSet")})
    known = terminology()
    related = {*(row[:2] for row in known.membership(every, names)), *known.refuting(every, names)}
    return {
        (patient, one)
        for patient, some in codes.items()
        for one in features
        if any((code, name) in related for code in some for name in names_of(one, "valueSet"))
    }


def constant(course: Course) -> bool:
    return len(set(course)) == 1


def upper_never_rises(course: Course) -> bool:
    highs = [HIGHEST if high is None else high for _, high in course]
    return highs == sorted(highs, reverse=True)


def lower_never_rises(course: Course) -> bool:
    lows = [LOWEST if low is None else low for low, _ in course]
    return lows == sorted(lows, reverse=True)


def never_rises(course: Course) -> bool:
    return lower_never_rises(course) and upper_never_rises(course)


def never_falls(course: Course) -> bool:
    return never_rises(course[::-1])


def broken(courses: Courses, kinds: Set[str], holds: Callable[[Course], bool]) -> list[tuple[str, str, Course]]:
    """The courses of some kinds of features that are not as they are taken to be."""
    return [
        (patient, one.slug, course)
        for (patient, one), course in courses.items()
        if one.kind in kinds and not holds(course)
    ]


@given(seed=st.integers(0, 2**32 - 1))
@example(seed=2**32 - 1)
@settings(max_examples=2, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_features_change_with_time_as_the_search_takes_for_granted(seed: int) -> None:
    patients, every = drawn(seed)
    unmoved = {key: course for key, course in every.items() if not anchored(key[1])}
    have = concerned(patients, {one for _, one in unmoved})
    without = {key: course for key, course in unmoved.items() if key not in have}
    assert broken(without, OF_CODES, constant) == []
    assert broken(unmoved, LEAVING, never_rises) == []
    assert broken(every, RISING, never_falls) == []
    assert broken(every, RUNNING_OUT, upper_never_rises) == []
    assert broken(every, STILL, constant) == []
    assert broken(every, OF_AGE, never_rises) == []


@pytest.fixture(scope="module")
def some() -> Courses:
    return drawn(11)[1]


@pytest.mark.parametrize("kind", sorted(LEAVING | RISING | RUNNING_OUT))
def test_random_histories_show_what_changes(some: Courses, kind: str) -> None:
    assert broken(some, {kind}, constant)


def test_what_is_not_taken_for_granted_is_seen_to_be_otherwise(some: Courses) -> None:
    lasting = {"TreatmentDurationCondition"}
    assert broken(some, lasting, never_rises) and broken(some, lasting, never_falls)
