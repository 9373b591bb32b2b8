"""The features of a follow-up over random histories: the naive calculator, completions, missing items."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from features.assessments import (
    INFUSION,
    NEW_A,
    NEW_B,
    NEW_ITEMS,
    TREATMENT,
    VISIT,
    Record,
    ask,
    built,
    days,
    score,
    value,
)
from features.histories import Facts, differences, knowledge, words
from features.naive_assessment import GRADE_POINTS, Assessments, items_of
from features.naive_facts import Bound
from features.real import feature
from sle_kg.criteria import Feature
from sle_kg.features import Ask
from sle_kg.features.asks import Moment

few = settings(max_examples=4, deadline=None, database=None, suppress_health_check=list(HealthCheck))
seeds = st.integers(0, 2**32 - 1)

FEATURES = [
    *(
        score(i, **m)
        for i in ("sledai2kTotal", "pga", "bilagTotal")
        for m in ({}, {"at": "baseline"}, {"since": "previous"})
    ),
    *(score(itemGroup=g) for g in ("clinical", "majorOrgan", "renal")),
    score("selenaSledaiTotal", alsoAccepts="sledai2kTotal", since="baseline"),
    score("selenaSledaiTotal", alsoAccepts="sledai2kTotal", itemGroup="clinical"),
    score("bilagTotal", itemGroup="renal", since="baseline"),
    *(
        value("alt", q, **m)
        for q in ("value", "timesUpperLimit", "timesLowerLimit", "timesBaseline")
        for m in ({}, {"since": "previous"})
    ),
    *(
        feature("AssessedValue", test=("egfrMdrd", "egfrCkdEpi2021"), quantity=q, **m)
        for q, m in (("value", {}), ("value", {"since": "baseline"}), ("timesBaseline", {}))
    ),
    feature("AssessedPositive", test=("antiDsDna", "antiDsDnaQual")),
    feature("AssessedPositive", test=("antiDsDna",), at="baseline"),
    NEW_ITEMS,
    feature("NewItems", instrument="selenaSledaiTotal", since="baseline"),
    NEW_A,
    NEW_B,
    feature("HighestValue", test=("alt",), anchor="infusion"),
    TREATMENT,
    feature("TreatmentChange", since="baseline", valueSet=("ConventionalImmunosuppressant", "Glucocorticoid")),
]
MEDICINES = words("azathioprine mycophenolateMofetil mycophenolicAcid atc:L04AA06 atc:L04AX prednisone atc:H02AB")
VISITS = [INFUSION - days(20), INFUSION, INFUSION + days(28), VISIT - days(28), VISIT - days(1), VISIT, VISIT + days(1)]


def vague(random: Random, day: dt.date) -> tuple[dt.date | None, dt.date | None]:
    """Mostly a day, sometimes a stretch around it, a year, or half open."""
    spread = random.choices([0, random.randint(1, 40), 365], [12, 2, 1])[0]
    first, last = day - days(random.randint(0, spread)), day + days(random.randint(0, spread))
    return (None if random.random() < 0.03 else first), (None if random.random() < 0.03 else last)


def history(random: Random, patient: str) -> Facts:
    """Scores, items, grades, results and medicines around the visits."""
    record = Record(patient)
    chosen = random.sample(VISITS, random.randint(1, len(VISITS)))
    for day in chosen:
        _scores_of(random, record, day)
        _results_of(random, record, day)
    for _ in range(random.randint(0, 4)):
        start, end = sorted(random.choice(VISITS) + days(random.randint(-3, 3)) for _ in range(2))
        first, last = vague(random, start), vague(random, end)
        first = first if first[1] is not None else (None, None)
        still = random.random() < 0.5
        record.add(
            "exposure",
            concept=random.choice(MEDICINES),
            taken=random.choices(["yes", "ordered"], [5, 1])[0],
            start_from=first[0],
            start_to=first[1],
            end_from=None if still else last[0],
            end_to=None if still else last[1],
            ongoing=random.choice([True, None]) if still else False,
            dose=random.choice([None, Decimal(50), Decimal(100), Decimal("33.3")]),
            dose_unit=random.choice(["mg", "mg", "mg", "mg/kg"]),
            times=Decimal(random.choice([1, 2])),
            period_days=Decimal(random.choice([1, 1, 7])),
            administration=False,
        )
    if random.random() < 0.6:
        record.complete()
    return record.facts


def _scores_of(random: Random, record: Record, day: dt.date) -> None:
    for total in ("sledai2kTotal", "selenaSledaiTotal", "bilagTotal"):
        for _ in range(random.choice([0, 0, 1, 1, 2])):
            number = random.choice([0, 0, 1, 4, 6, 12])
            more = {} if random.random() < 0.9 else {random.choice(["low", "high"]): None}
            record.dated(
                "measurement",
                vague(random, day),
                **{"test": total, "low": Decimal(number), "high": Decimal(number)} | more,
            )
        items = items_of(total)
        for item in random.sample(items, random.choice([0, 1, len(items) // 2, len(items), len(items)])):
            dates = (day, day) if random.random() < 0.97 else vague(random, day)
            if total == "bilagTotal":
                record.dated("measurement", dates, test=item.test, text=random.choice("ABCDEEE"))
            else:
                record.dated("measurement", dates, test=item.test, positive=random.random() < 0.15)
    if random.random() < 0.8:
        record.dated("measurement", vague(random, day), test="pga", low=Decimal(1), high=Decimal(random.choice([1, 2])))


def _results_of(random: Random, record: Record, day: dt.date) -> None:
    numbers = words("0 0.3 0.5 0.8 1.4 2.1 3 5 6 38 39 99 100 120")
    for test in words(
        "alt egfrMdrd egfrCkdEpi2021 antiDsDna antiDsDnaQual platelets leukocytes c3 c4 urineProtein24h urineRbcHpf "
        "urineWbcHpf bodyTemperature"
    ):
        if random.random() < 0.4:
            low: Decimal | None = Decimal(random.choice(numbers))
            high = low
            answer = test == "antiDsDnaQual" or (test == "antiDsDna" and random.random() < 0.2)
            if (kind := random.random()) < 0.08:
                high = None
            elif kind < 0.16:
                low = None
            record.dated(
                "measurement",
                vague(random, day - days(random.choice([0, 0, 3, 10, 11]))),
                test=test,
                low=None if test == "antiDsDnaQual" else low,
                high=None if test == "antiDsDnaQual" else high,
                uln=random.choice([None, Decimal("0.7"), Decimal(3)]),
                lln=random.choice([None, Decimal("0.8"), Decimal(2)]),
                positive=random.choice([True, False]) if answer else None,
            )


def batch(seed: int, number: int = 40) -> tuple[list[Facts], list[Ask]]:
    random = Random(seed)
    patients = [history(random, f"p{n:03}") for n in range(number)]
    asks = []
    for n in range(2 * number):
        visit = random.choice(VISITS[:-1])
        gone = [name for name in ("visit", "baseline", "previous") if random.random() < 0.05]
        asks.append(ask(n, f"p{n // 2:03}", visit, gone))
    return patients, asks


def naive(patients: Sequence[Facts], asks: Sequence[Ask], derive: bool) -> dict[tuple[int, str], Bound]:
    known = knowledge(patients, FEATURES)
    by_id = {facts["patient"][0]["patient"]: facts for facts in patients}
    found = {}
    for asked in asks:
        calculator = Assessments(by_id[asked.patient], asked, known)
        calculator.derive_items = derive
        found |= {(asked.id, wanted.slug): calculator.bounds(wanted) for wanted in FEATURES}
    return found


@pytest.mark.slow
@few
@given(seed=seeds, derive=st.booleans())
@example(seed=1, derive=True)
def test_the_builder_agrees_with_the_naive_calculator(seed: int, derive: bool) -> None:
    patients, asks = batch(seed)
    assert differences(built(patients, asks, FEATURES, derive), naive(patients, asks, derive)) == []


# ---- what is not recorded -------------------------------------------------------------------------------------------

COMPARED = [
    score(),
    score(since="baseline"),
    *(score(itemGroup=group) for group in ("clinical", "majorOrgan", "dermal")),
    score("bilagTotal"),
    score("bilagTotal", itemGroup="renal", since="previous"),
    NEW_ITEMS,
    NEW_A,
    NEW_B,
]


@dataclass
class Visit:
    """What truly was on a day (points of every item), and which items are recorded with that very day."""

    day: dt.date
    points: dict[str, int]
    recorded: set[str] = field(default_factory=set)


def truth(random: Random, total: str, day: dt.date) -> Visit:
    if total == "bilagTotal":
        return Visit(day, {item.test: random.choice([0, 0, 1, 8, 12]) for item in items_of(total)})
    return Visit(day, {item.test: item.points if random.random() < 0.15 else 0 for item in items_of(total)})


def write(record: Record, visit: Visit, test: str, dates: tuple[dt.date | None, dt.date | None]) -> None:
    """An item as it truly was."""
    points = visit.points[test]
    if test.startswith("bilag"):
        grade = next(letter for letter, worth in GRADE_POINTS.items() if worth == points)
        record.dated("measurement", dates, test=test, text=grade)
    else:
        record.dated("measurement", dates, test=test, positive=points > 0)


def partly_recorded(random: Random, patient: str) -> tuple[Record, dict[str, list[Visit]]]:
    """A patient of whose assessments some items and some totals are recorded, some dates vaguely."""
    record = Record(patient)
    visits: dict[str, list[Visit]] = {}
    for total in ("sledai2kTotal", "bilagTotal"):
        for day in random.sample(VISITS, random.randint(1, 5)):
            visit = truth(random, total, day)
            tests = random.sample(sorted(visit.points), random.choice([0, 3, len(visit.points) - 1]))
            for test in tests:
                dates = (day, day) if random.random() < 0.9 else vague(random, day)
                visit.recorded |= {test} if dates == (day, day) else set()
                write(record, visit, test, dates)
            if random.random() < 0.5 or not tests:
                points = Decimal(sum(visit.points.values()))
                record.dated("measurement", vague(random, day), test=total, low=points, high=points)
            visits.setdefault(total, []).append(visit)
    return record, visits


def true_visit(visits: Sequence[Visit], moment: Moment) -> Visit | None:
    inside = [visit for visit in visits if moment.first <= visit.day <= moment.last]
    return min(inside, key=lambda v: (abs(v.day - moment.target), v.day < moment.target), default=None)


def true_value(visits: dict[str, list[Visit]], asked: Ask, wanted: Feature) -> int | None:
    """The feature as it truly is; None where there was no assessment."""
    name = str(wanted.get("instrument"))
    total = {"sledai2k": "sledai2kTotal", "bilag2004": "bilagTotal"}.get(name, name)
    group = wanted.get("itemGroup")
    tests = {item.test for item in items_of(total) if group is None or group in item.groups}
    now = true_visit(visits[total], asked.moments["visit"])
    since = wanted.get("since")
    then = None if since is None else true_visit(visits[total], asked.moments[str(since)])
    if now is None or (since is not None and then is None):
        return None
    if wanted.kind == "AssessedScoreCondition":
        return sum(now.points[t] for t in tests) - (0 if then is None else sum(then.points[t] for t in tests))
    assert then is not None
    if wanted.kind == "NewItemsCondition":
        return sum(now.points[t] > 0 and then.points[t] == 0 for t in tests)
    points = GRADE_POINTS[str(wanted.get("grade"))]
    return sum(now.points[t] == points > then.points[t] for t in tests)


@few
@given(seed=seeds)
def test_bounds_contain_what_truly_was_whatever_is_not_recorded(seed: int) -> None:
    random = Random(seed)
    known = [partly_recorded(random, f"p{n:03}") for n in range(60)]
    asks = [ask(n, f"p{n:03}", random.choice(VISITS[2:-1])) for n in range(60)]
    wrong = []
    for (number, slug), (lower, upper) in built([record.facts for record, _ in known], asks, COMPARED).items():
        wanted = next(some for some in COMPARED if some.slug == slug)
        value = true_value(known[number][1], asks[number], wanted)
        if lower is not None and upper is not None and (value is None or not lower <= value <= upper):
            wrong.append((number, slug, lower, value, upper))
    assert wrong == []


@few
@given(seed=seeds)
def test_adding_a_missing_item_never_widens_the_bounds(seed: int) -> None:
    random = Random(seed)
    known = [partly_recorded(random, f"p{n:03}") for n in range(60)]
    asks = [ask(n, f"p{n:03}", random.choice(VISITS[2:-1])) for n in range(60)]
    before = built([record.facts for record, _ in known], asks, COMPARED)
    for record, visits in known:
        for visit in (visit for some in visits.values() for visit in some if visit.recorded):
            test = random.choice(sorted(visit.points.keys() - visit.recorded))
            write(record, visit, test, (visit.day, visit.day))
    after = built([record.facts for record, _ in known], asks, COMPARED)
    wider = [
        (key, (lower, upper), after[key])
        for key, (lower, upper) in before.items()
        if lower is not None
        and upper is not None
        and (None in after[key] or after[key][0] < lower or after[key][1] > upper)  # type: ignore[operator]
    ]
    assert wider == []
