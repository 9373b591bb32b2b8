"""What holds of every follow-up, through the whole program: random patients, and the same ones with records taken
away, added, told in another order or told later."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from caselib import Asked, Case, Resource, adverse_event, complete, diagnosis, drug, flat, lab, score
from followup.histories import KEYS, LEGEND, UKM, infused, on, pga, prednisone, sledai
from followup.scoring import SYSTEMS, bilag, result
from sle_kg.followup.options import FollowUpOptions
from sle_kg.followup.results import OutcomeResult, TrialOutcomes
from sle_kg.followup.trial_outcomes import trial_outcomes
from sle_kg.outcomes import load_outcomes

pytestmark = pytest.mark.slow

few = settings(
    max_examples=2,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
randoms = st.integers(0, 2**32 - 1).map(Random)
trials = pytest.mark.parametrize("trial", [UKM, LEGEND])

Patient = list[Resource]
Place = tuple[str, str, str, str]
"""Patient, outcome, definition and time point of a result."""
DAYS = (-20, -1, 0, 1, 13, 14, 28, 29, 41, 42, 56, 84, 90, 91, 98, 182, 197, 365, 457, 730)
"""Days of visits after the infusion: on time points, and on both sides of the ends of windows."""
PATIENTS = 8


# ---- random follow-ups ----------------------------------------------------------------------------------------------


def follow_up(random: Random) -> Patient:
    """Visits with every item of SLEDAI-2K, with other scores and results, a dose, adverse events."""
    facts: list[Any] = [infused()] if random.random() < 0.9 else []
    for day in sorted(random.sample(DAYS, random.randint(2, 8))):
        active = random.sample(KEYS, random.choice([0, 0, 1, 2, 5]))
        facts.append(sledai(day, " ".join(active)))
        facts.append([one for one in _scores(random, day) if random.random() < 0.7])
        facts.append([one for one in _results(random, day) if random.random() < 0.6])
    begun = random.choice([-100, -3, 27, 90])
    changed = random.choice([28, 91, 183])
    if begun < changed and random.random() < 0.8:
        facts.append([prednisone(random.choice([5, 10, 20]), begun, changed - 1), prednisone(5, changed)])
    facts.append([_event(random) for _ in range(random.randint(0, 4))])
    sections = random.sample(("medications", "conditions", "adverseEvents"), random.randint(0, 3))
    facts.append(complete(*sections, on=on(1000)) if sections else [])
    return flat(facts)


def _scores(random: Random, day: int) -> Iterator[Resource]:
    yield pga(day, random.choice(["0", "0.4", "0.5", "1", "2.3"]))
    yield score("facitFatigue", random.randint(0, 52), on(day))
    yield score("sdi", random.randint(0, 2), on(day))
    yield from bilag("".join(random.choices("ABCDE", k=len(SYSTEMS))), on(day))


def _results(random: Random, day: int) -> Iterator[Resource]:
    yield result("c3", random.choice(["60", "100"]), on(day), low="90")
    yield result("c4", random.choice(["8", "20"]), on(day), low="10")
    yield result("antiDsDna", random.choice(["5", "80"]), on(day), high="30")
    yield result("upcr", random.choice(["200", "1500"]), on(day))
    yield result("alt", random.choice(["30", "60", "130", "900"]), on(day), high="40")
    yield lab("loinc:8116-6", random.choice([0, 5, 10, 200]), "/uL", on(day))


def _event(random: Random) -> Resource:
    return adverse_event(
        random.choice(["Headache", "Nausea", "Cytokine release syndrome"]),
        random.choice([on(-2), on(0), on(3), on(29), on(31), on(400), on(3)[:7]]),
        random.choice([None, 1, 2, 3, 4]),
        related=random.choice([True, False, None]),
        dose_limiting=random.choice([True, False, None, None]),
    )


def quiet() -> Patient:
    """A patient in every state of low activity at every visit."""
    visits = [[sledai(day), pga(day, "0")] for day in DAYS if day >= 0]
    return flat([infused(), visits, prednisone(5, -100), complete(on=on(1000))])


def cohort(random: Random, number: int = PATIENTS) -> dict[str, Patient]:
    """Random patients, and the quiet one."""
    return {"quiet": quiet()} | {f"p{n:02}": follow_up(random) for n in range(number)}


def resources(patients: Mapping[str, Patient]) -> list[Resource]:
    """The records of all patients, each with its id and its patient."""
    return [one for name, facts in patients.items() for one in Case(name, Asked(""), facts, {}).resources()]


def told(trial: str, *files: Sequence[Resource], **options: Any) -> TrialOutcomes:
    """The outcomes of the records in some files."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, records in enumerate(files):
            entries = [{"resource": record} for record in records]
            paths.append(Path(folder) / f"{number}.json")
            paths[-1].write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
        return trial_outcomes(paths, trial, FollowUpOptions(**options))


def results(found: TrialOutcomes) -> dict[Place, OutcomeResult]:
    """Every result by its place."""
    return {
        (patient.patient, one.id, one.measure, one.time_point): one
        for patient in found.patients
        for one in patient.results
    }


def known(one: OutcomeResult) -> tuple[object, ...]:
    """What a result says, without words, records and days."""
    return one.result, one.value, one.change, one.lower, one.upper


TIMED = {
    trial: {(row.id, d.key) for row in rows for d in row.definitions if d.kind in ("state", "value")}
    for trial, rows in load_outcomes().items()
}
"""Outcome and definition of what is assessed at time points."""


# ---- records not there ----------------------------------------------------------------------------------------------


def thinned(random: Random, patients: Mapping[str, Patient], share: float) -> dict[str, Patient]:
    """The same patients with some items of SLEDAI-2K not recorded; of every visit the first stays."""

    def kept(fact: Resource) -> bool:
        said = json.dumps(fact)
        return "sledai2k:" not in said or f"sledai2k:{KEYS[0]}" in said or random.random() > share

    return {name: [fact for fact in facts if kept(fact)] for name, facts in patients.items()}


def faults(fewer: TrialOutcomes, more: TrialOutcomes) -> list[tuple[object, ...]]:
    """Where fewer records say something that more records deny: a state lost, bounds that do not hold."""
    full = results(more)
    wrong = []
    for place, thin in results(fewer).items():
        rich = full[place]
        flipped = {thin.result, rich.result} == {"reached", "not-reached"}
        lost = thin.result in ("reached", "not-reached") and rich.result != thin.result
        below = thin.lower is not None and (rich.lower is None or rich.lower < thin.lower)
        above = thin.upper is not None and (rich.upper is None or rich.upper > thin.upper)
        other = None not in (thin.value, rich.value) and thin.value != rich.value
        if flipped or lost or below or above or other:
            wrong.append((place, known(thin), known(rich)))
    return wrong


@trials
@few
@given(random=randoms)
def test_items_not_recorded_only_widen_what_is_known(trial: str, random: Random) -> None:
    """Bounds hold what any completion gives, a missing item that comes to light never widens them."""
    whole = cohort(random)
    half = thinned(random, whole, 0.3)
    few_ = thinned(random, half, 0.6)
    found = [told(trial, resources(patients)) for patients in (few_, half, whole)]
    assert faults(found[0], found[1]) == []
    assert faults(found[1], found[2]) == []
    assert faults(found[0], found[2]) == []


UNRELATED: Patient = flat(
    [
        diagnosis("icd:S93.4"),
        diagnosis("sct:195967001"),
        drug("atc:A02BC01", on(-30), on(60)),
        drug("atc:V99ZZ99", on(10), display="something new"),
        lab("loinc:2823-3", 4, "mmol/L", on(28)),
        lab("loinc:8302-2", 165, "cm", on(84)),
        adverse_event("Sprained ankle", on(2000), 1),
    ]
)
"""Records about nothing that an outcome asks, some that nobody can read."""


@trials
@few
@given(random=randoms)
def test_a_record_about_something_else_never_turns_a_result(trial: str, random: Random) -> None:
    """It may leave open what was known (a medicine that nobody can read), and no more."""
    before = cohort(random)
    after = {name: [*facts, random.choice(UNRELATED)] for name, facts in before.items()}
    told_before, told_after = results(told(trial, resources(before))), results(told(trial, resources(after)))
    for place, one in told_before.items():
        other = told_after[place]
        assert {one.result, other.result} != {"reached", "not-reached"}, place
        if (place[1], place[2]) in TIMED[trial]:
            assert one.value is None or one.value == other.value, place


# ---- records told otherwise -----------------------------------------------------------------------------------------


@trials
@few
@given(random=randoms)
def test_the_order_of_records_and_files_says_nothing(trial: str, random: Random) -> None:
    records = resources(cohort(random, 4))
    patients = [one for one in records if one["resourceType"] == "Patient"]
    others = [one for one in records if one["resourceType"] != "Patient"]
    before = told(trial, records)
    shuffled = random.sample(others, len(others))
    cut = random.randint(1, len(shuffled) - 1)
    after = told(trial, [*shuffled[:cut], *patients], shuffled[cut:])
    assert _sorted(after) == _sorted(before)


def _sorted(found: TrialOutcomes) -> TrialOutcomes:
    return replace(found, patients=tuple(sorted(found.patients, key=lambda patient: patient.patient)))


@few
@given(random=randoms)
def test_a_visit_after_all_windows_changes_no_time_point(random: Random) -> None:
    """The last window of the record ends before day 800; only what lasts to the end of follow-up may see day 1000."""
    before = cohort(random)
    late = [sledai(1000, "seizure arthritis"), pga(1000, "3"), [*_results(random, 1000), *_scores(random, 1000)]]
    after = {name: [*facts, *flat(late)] for name, facts in before.items()}
    told_before, told_after = results(told(UKM, resources(before))), results(told(UKM, resources(after)))
    named = {
        place
        for place, one in told_before.items()
        if (place[1], place[2]) in TIMED[UKM] and one.first is not None and place[3].startswith(("week", "month"))
    }
    assert named
    assert {place: known(told_before[place]) for place in named} == {place: known(told_after[place]) for place in named}


@trials
@few
@given(random=randoms, last=st.sampled_from([20, 60, 91, 200]))
def test_nothing_after_the_day_looked_at_is_used(trial: str, random: Random, last: int) -> None:
    """Looking at a day gives what was known on that day: records dated later are as good as not there."""
    whole = cohort(random, 5)
    past = {name: [fact for fact in facts if not _later(fact, on(last))] for name, facts in whole.items()}
    day = dt.date.fromisoformat(on(last))
    then, now = told(trial, resources(past), on=day), told(trial, resources(whole), on=day)
    assert {place: known(one) for place, one in results(now).items()} == {
        place: known(one) for place, one in results(then).items()
    }
    for one in results(now).values():
        assert all(line.date is None or line.date[:10] <= day.isoformat() for line in one.evidence), one


def _later(fact: Resource, day: str) -> bool:
    """Whether a record is dated after a day: by its own date, or by its begin."""
    if "recordComplete" in json.dumps(fact):
        return False
    dates = [fact.get("effectiveDateTime"), fact.get("date"), fact.get("effectivePeriod", {}).get("start")]
    return any(date is not None and date > day for date in dates)


@trials
@few
@given(random=randoms)
def test_the_records_of_a_result_lie_in_its_window_or_before_the_assessment(trial: str, random: Random) -> None:
    found = results(told(trial, resources(cohort(random))))
    used = 0
    for place, one in found.items():
        if (place[1], place[2]) not in TIMED[trial] or one.date is None:
            continue
        assert one.first is not None and one.last is not None and one.first <= one.date <= one.last, place
        for line in one.evidence:
            if line.record.startswith("Observation") and line.what != "Record complete" and line.date is not None:
                used += 1
                assert line.date[:10] <= one.last.isoformat() or "complete" in line.what.lower(), (place, line)
    assert used


# ---- how results relate ---------------------------------------------------------------------------------------------


@few
@given(random=randoms)
def test_official_lldas_implies_the_four_items_at_every_visit(random: Random) -> None:
    records = resources(cohort(random))
    both = [results(told(LEGEND, records, readings={"A4-05": key})) for key in ("as-worded", "official")]
    worded, official = ({place: one for place, one in found.items() if place[1] == "O7"} for found in both)
    assert official.keys() == worded.keys()
    met = [place for place, one in official.items() if one.result == "reached"]
    assert any(place[0] == "quiet" for place in met)
    assert all(worded[place].result == "reached" for place in met)
    failed = [place for place, one in worded.items() if one.result == "not-reached"]
    assert all(official[place].result == "not-reached" for place in failed)


@trials
@few
@given(random=randoms)
def test_the_numbers_of_a_cohort_add_up(trial: str, random: Random) -> None:
    found = told(trial, resources(cohort(random, 12)))
    infused_ = [patient for patient in found.patients if patient.infusion is not None]
    by_place = results(found)
    assert found.cohort
    for row in found.cohort:
        mine = [by_place.get((p.patient, row.id, row.measure, row.time_point)) for p in infused_]
        assert row.infused == len(infused_) == row.evaluable + sum(row.missing.values()), row
        if row.reached is not None:
            assert row.reached == sum(one is not None and one.result == "reached" for one in mine), row
            told_ = sum(one is not None and one.result in ("reached", "not-reached") for one in mine)
            assert row.reached <= row.evaluable == told_, row
            if row.evaluable:
                assert row.ci95 is not None and row.proportion_of_evaluable is not None
                assert 0 <= row.ci95[0] <= row.proportion_of_evaluable <= row.ci95[1] <= 1, row
        elif row.mean is not None:
            assert row.least is not None and row.greatest is not None and row.median is not None
            assert row.least <= row.median <= row.greatest, row
            assert row.least - Decimal("1e-6") <= row.mean <= row.greatest + Decimal("1e-6"), row
    for event in (*found.events, *found.laboratory_grades):
        assert 0 < event.patients == sum(event.highest_grade.values()) <= len(infused_), event
