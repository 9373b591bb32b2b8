"""Examples of totals, thresholds, classifications, windows, schedules and outcomes, stated from the fact base."""

from __future__ import annotations

import csv
import datetime as dt
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from caselib import Asked, Case, Resource, bundle, flat, score
from definition_examples import (
    FACTS,
    LEGEND,
    MEDICINE,
    UKM,
    number,
    truth_of,
)
from features.assessments import INFUSION, VISIT, Record, ask, builder, days, value
from features.assessments import score as points_of
from features.real import feature
from sle_kg import criteria as c
from sle_kg import definitions, ontology
from sle_kg.evaluate import Bound, Truth
from sle_kg.features import FeatureBuilder, FeatureOptions
from sle_kg.features.database import load_references, score_references
from sle_kg.followup.durations import lasted
from sle_kg.followup.events import Event, onset_window
from sle_kg.followup.measures import numbering
from sle_kg.followup.moments import day_number, named_visits, time_points
from sle_kg.followup.options import FollowUpOptions
from sle_kg.followup.score_classification import points
from sle_kg.followup.scores import scores
from sle_kg.outcomes import load_outcomes

# ---- weights, thresholds and windows in the database ----------------------------------------------------------------


def table(name: str) -> list[dict[str, str]]:
    with (FACTS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


WEIGHTS = {row["key"]: int(row["weight"]) for row in table("scores_sledai2k")}
PREFIX = {"sledai2k": "sledai2kTotal", "selenaSledai": "selenaSledaiTotal"}
BILAG = {"A": 12, "B": 8, "C": 1, "D": 0, "E": 0}
SYSTEMS = 9


class Totals:
    """A patient for each item with that item alone, and for each grade of BILAG with that grade in every system."""

    def __init__(self, instrument: str) -> None:
        self.instrument = instrument
        self.total = PREFIX.get(instrument, "bilagTotal")
        graded = [test for test in ontology.laboratory_tests() if test.startswith("bilag:")]
        keys = tuple(BILAG) if instrument == "bilag2004" else tuple(WEIGHTS)
        self.records = [Record(key) for key in keys]
        for record in self.records:
            if instrument == "bilag2004":
                record.grades({test.partition(":")[2]: record.patient for test in graded}, VISIT)
            else:
                for key in WEIGHTS:
                    test = f"{instrument}:{key}"
                    record.dated("measurement", (VISIT, VISIT), test=test, positive=key == record.patient)
        self.asks = [ask(n, record.patient) for n, record in enumerate(self.records)]
        self.wanted = [points_of(self.total)]
        if instrument != "bilag2004":
            self.wanted.append(feature("Score", instrument=self.total, validFor="result"))
        self.builder = builder([record.facts for record in self.records], self.wanted)

    def faults(self) -> Iterator[str]:
        found = computed(self.builder, self.asks, self.wanted)
        for (number_, slug), bound in sorted(found.items()):
            key = self.records[number_].patient
            expected = Decimal(SYSTEMS * BILAG[key] if self.instrument == "bilag2004" else WEIGHTS[key])
            if bound != (expected, expected):
                yield f"{self.instrument} {key} {slug}: {bound}"
        if len(found) != len(self.records) * len(self.wanted):
            yield f"{self.instrument}: {len(found)} results"


def computed(some: FeatureBuilder, asks: Sequence, wanted: Sequence[c.Feature]) -> dict[tuple[int, str], Bound]:  # type: ignore[type-arg]
    """The bounds by the numbers that the ontology has now."""
    refresh(some)
    values = some.compute(asks, {asks[0].trial: wanted}, FeatureOptions())
    return {(found.ask, found.slug): (found.lower, found.upper) for found in values}


def presence(bound: Bound | None) -> Truth:
    """What bounds of a feature of 0 and 1 say."""
    lower, upper = bound or (None, None)
    return True if lower == 1 else False if upper == 0 else None


def refresh(some: FeatureBuilder) -> None:
    """Makes the builder read weights, grades and thresholds of the ontology again."""
    load_references(some._connection, score_references())
    some._assessed = None


THRESHOLDS: list[tuple[str, str, str, str]] = [
    ("hematuria", "urineRbcHpf", "5.1", "5"),
    ("pyuria", "urineWbcHpf", "5.1", "5"),
    ("proteinuria", "urineProtein24h", "0.51", "0.5"),
    ("fever", "bodyTemperature", "38.01", "38"),
    ("thrombocytopenia", "platelets", "99", "100"),
    ("leukopenia", "leukocytes", "2.99", "3"),
    ("lowComplement", "c3", "89", "90"),
    ("lowComplement", "c4", "89", "90"),
    ("increasedDNABinding", "antiDsDna", "181", "180"),
]
"""Item, test, the value that proposes it, the next that does not; limits of normal 90 and 180."""
WINDOW = {"sledai2k": 30, "selenaSledai": 10}


class Thresholds:
    """For each threshold a patient on each side of it, and one on each end of the window."""

    def __init__(self, instrument: str) -> None:
        self.instrument, self.total = instrument, PREFIX[instrument]
        self.expected: list[tuple[str, bool]] = []
        self.records: list[Record] = []
        for item, test, proposes, beyond in THRESHOLDS:
            self._add(item, test, proposes, VISIT, True)
            self._add(item, test, beyond, VISIT, False)
            self._add(item, test, proposes, VISIT - days(WINDOW[instrument]), True)
            self._add(item, test, proposes, VISIT - days(WINDOW[instrument] + 1), False)
        self.asks = [ask(n, record.patient) for n, record in enumerate(self.records)]
        self.builder = builder([record.facts for record in self.records], [points_of(self.total)])

    def _add(self, item: str, test: str, found: str, on: dt.date, proposed: bool) -> None:
        record = Record(f"p{len(self.records):03}")
        for result, day in (("0", INFUSION - days(200)), (found, on)):
            record.result(test, result, day, lln=Decimal(90), uln=Decimal(180))
        self.records.append(record)
        self.expected.append((item, proposed))

    def faults(self) -> Iterator[str]:
        refresh(self.builder)
        states = self.builder.items(self.asks, self.total, FeatureOptions())
        found = {(state.ask, state.item): state.derived for state in states}
        for number_, (item, proposed) in enumerate(self.expected):
            if (found.get((number_, item)) is True) is not proposed:
                yield f"{self.instrument} {item}, example {number_}"


# ---- classification --------------------------------------------------------------------------------------------------

SETS = {"ACR 1997": "acr1997", "SLICC 2012": "slicc2012", "EULAR/ACR 2019": "eularAcr2019"}
CLASSIFIED = {
    "acr1997": {"ana malarRash oralUlcers": False, "ana malarRash oralUlcers arthritis": True},
    "slicc2012": {"ana antiSm acuteCutaneous": False, "ana antiSm antiDsDNA acuteCutaneous": True},
    "eularAcr2019": {
        "ana leukopenia jointInvolvement": False,
        "ana proteinuria jointInvolvement": True,
        "ana oralUlcers antiphospholipid fever lowC3orC4": False,
        "ana oralUlcers antiphospholipid fever lowC3andC4": True,
    },
}
"""Set → items present → classified: one point short, and just enough."""


def item_weights(criteria_set: str) -> dict[str, int]:
    """Item → points of the fact base; an item of entry gives none."""
    rows = [row for row in table("classification") if SETS[row["criteria_set"]] == criteria_set]
    return {row["criterion_key"]: int(row["weight"]) if row["weight"].isdecimal() else 0 for row in rows}


class Classified:
    """Patients with all items of a set recorded: those of the examples, and each item with ANA alone."""

    def __init__(self, criteria_set: str) -> None:
        self.set, self.weights = criteria_set, item_weights(criteria_set)
        self.records: list[Record] = []
        self.expected = list(CLASSIFIED[criteria_set].values())
        for number_, present in enumerate(CLASSIFIED[criteria_set]):
            record = Record(f"p{number_:03}")
            for key in self.weights:
                test = f"{criteria_set}:{key}"
                record.dated("measurement", (VISIT, VISIT), test=test, positive=key in present.split())
            self.records.append(record)
        self.asks = [ask(n, record.patient) for n, record in enumerate(self.records)]
        self.wanted = [feature("Classification", classificationSet=criteria_set, diagnosis="sleDiagnosis")]
        self.builder = builder([record.facts for record in self.records], self.wanted)

    def faults(self) -> Iterator[str]:
        items = {item.key.partition(":")[2]: item for item in ontology.instruments()[self.set].items}
        for key, weight in self.weights.items():
            if points(items, [key]) != weight:
                yield f"{self.set} {key}: {points(items, [key])} points"
        found = computed(self.builder, self.asks, self.wanted)
        for number_, met in enumerate(self.expected):
            if presence(found.get((number_, self.wanted[0].slug))) is not met:
                yield f"{self.set}, example {number_}"


# ---- windows of the other instruments -------------------------------------------------------------------------------

LAST_DAY: dict[str, tuple[str, Resource, int]] = {
    "sledai2k": ("sledai2k", score("sledai2kTotal", 4, VISIT.isoformat()), 30),
    "selenaSledai": ("selenaSledai", score("selenaSledaiTotal", 4, VISIT.isoformat()), 10),
    "pga": ("pga", score("pga", 1, VISIT.isoformat()), 30),
    "bilag2004": ("bilag", score("bilagTotal", 8, VISIT.isoformat()), 28),
    "facitFatigue": ("facitFatigue", score("facitFatigue", 30, VISIT.isoformat()), 7),
    "facitF": ("facitF", score("facitF", 90, VISIT.isoformat()), 7),
    "astctCrs2019": ("crs", score("crsGrade", 2, VISIT.isoformat()), 0),
    "astctIcans2019": ("icans", score("icansGrade", 2, VISIT.isoformat()), 0),
}
"""Instrument → name of the score, a result, and the days for which it serves (facts/scores.md; FACIT: 7-day recall)."""


def window_faults(instrument: str, folder: Path) -> Iterator[str]:
    """A result serves on the last day of its window and not on the day after it."""
    name, record, window = LAST_DAY[instrument]
    file = folder / f"{instrument}.json"
    file.write_text(bundle([Case("p", Asked(""), flat([record]), {})]), encoding="utf-8")
    for later in (window, window + 1):
        (found,) = scores([file], name, FollowUpOptions(on=VISIT + days(later)))
        if (found.value is not None and bool(found.evidence)) is not (later == window):
            yield f"{name}: {later} days later {found.value}"


# ---- outcomes --------------------------------------------------------------------------------------------------------

WEEKS = {f"week {n}": INFUSION + dt.timedelta(weeks=n) for n in (4, 8, 12, 16, 20, 24, 28)}
MONTHS = {
    f"month {n}": dt.date.fromisoformat(day)
    for n, day in {
        **{1: "2026-02-10", 3: "2026-04-10", 6: "2026-07-10", 9: "2026-10-10", 12: "2027-01-10"},
        **{15: "2027-04-10", 18: "2027-07-10", 21: "2027-10-10", 24: "2028-01-10"},
    }.items()
}
VISITS = {
    **{(UKM, row): WEEKS for row in ("O2", "O3", "O6")},
    **{(UKM, row): MONTHS for row in ("O4", "O5")},
    (UKM, "X2"): {"month 3": MONTHS["month 3"]},
}
"""Row → time points after an infusion on 10 January 2026; the other rows name none."""
ONSETS = {
    (UKM, "O1"): (INFUSION, dt.date(2028, 1, 10)),
    (LEGEND, "O1"): (INFUSION, dt.date(2028, 1, 8)),
    (LEGEND, "O2"): (INFUSION, dt.date(2026, 2, 9)),
}
"""Row → first and last day on which an adverse event of the outcome begins."""
INFUSION_DAY = {UKM: 0, LEGEND: 1}


def schedule_faults(trial: str) -> Iterator[str]:
    """The days of time points and of onsets; every number of a schedule stands in the words of the record."""
    rows = load_outcomes()[trial]
    day_of_infusion = numbering(rows)
    if day_number(INFUSION, INFUSION, day_of_infusion) != INFUSION_DAY[trial]:
        yield f"{trial}: the infusion is on day {day_of_infusion}"
    for row in rows:
        schedule = row.schedule
        timed = time_points(named_visits(schedule), INFUSION, day_of_infusion)
        if {point.name: point.target for point in timed} != VISITS.get((trial, row.id), {}):
            yield f"{trial} {row.id}: {timed}"
        onset = ONSETS.get((trial, row.id))
        if onset is not None and onset_window(schedule, INFUSION, day_of_infusion) != onset:
            yield f"{trial} {row.id}: onset in {onset_window(schedule, INFUSION, day_of_infusion)}"
        named = {schedule.from_day, schedule.to_month, schedule.within_days, schedule.minimum_weeks} - {None}
        if not named <= set(map(int, re.findall(r"\d+", row.time_frame))):
            yield f"{trial} {row.id}: {named} is not in {row.time_frame!r}"
        stated = _infusion_day(trial, row.id)
        if stated not in (None, INFUSION_DAY[trial]):
            yield f"{trial} {row.id}: the infusion is on day {stated}"


def _infusion_day(trial: str, row: str) -> int | None:
    found = definitions._reader().optional(f"https://w3id.org/sle-kg/trial/{trial}/{row}", "infusionDay")
    return None if found is None else int(found)


B_CELLS = value("bCellsCd19")


def outcome_faults(trial: str) -> Iterator[str]:
    """B-cell aplasia is fewer than 10 cells per microlitre, unless the user says otherwise."""
    found = {d.key: d.condition for row in load_outcomes()[trial] for d in row.definitions if d.condition is not None}
    for count, aplasia in (("9.9", True), ("10", False)):
        if truth_of(found["bCellAplasia"], {B_CELLS.slug: number(count)}) is not aplasia:
            yield f"bCellAplasia at {count}"


def duration_faults(trial: str) -> Iterator[str]:
    """Remission is sustained from one day to the same day a year later, and not a day less."""
    (row,) = (row for row in load_outcomes()[trial] if row.id == "X3")
    minimum = row.definitions[0].minimum
    assert minimum is not None
    start = INFUSION + days(10)
    for end, held in ((dt.date(2027, 1, 20), True), (dt.date(2027, 1, 19), False)):
        seen: list[tuple[dt.date, Truth]] = [(start, True), (end, True), (end + days(400), False)]
        if lasted(seen, minimum, INFUSION) is not held:
            yield f"X3 until {end}"
    months = definitions._reader().optional(f"https://w3id.org/sle-kg/trial/{trial}/X3", "minimumMonths")
    if f"P{months}M" != minimum:
        yield f"X3: {months} months and {minimum}"


def dose_limiting_faults(trial: str) -> Iterator[str]:
    """An event of grade 2 cannot limit the dose, one of grade 3 may."""
    (row,) = (row for row in load_outcomes()[trial] if row.id == "O2")
    for grade, expected in ((2, False), (3, None)):
        event = Event("x", "", "AdverseEvent/1", INFUSION, INFUSION, grade, grade, None, True, None)
        if event.limits_dose(row.definitions[0].severe_from) is not expected:
            yield f"O2: grade {grade}"


class Lookback:
    """Patients whose last dose of tocilizumab was so many days before; only the last days hide a fever."""

    def __init__(self) -> None:
        self.records = []
        for before in (14, 15):
            day = VISIT - days(before)
            self.records.append(Record(f"p{before}").medicine("tocilizumab", day, day).complete())
        self.asks = [ask(n, record.patient) for n, record in enumerate(self.records)]
        wanted = [c.Feature(MEDICINE.kind, _lookback(n)) for n in (13, 14, 15)]
        self.builder = builder([record.facts for record in self.records], wanted)

    def faults(self) -> Iterator[str]:
        scales = definitions.scales("astctCrs2019")
        every = {one for tree in definitions.conditions_of(scales) for one in c.features_of(tree)}
        (used,) = (one for one in every if one.kind == MEDICINE.kind)
        found = computed(self.builder, self.asks, [used])
        for number_, taken in ((0, True), (1, False)):
            if presence(found.get((number_, used.slug))) is not taken:
                yield f"{used.slug}: {self.records[number_].patient} {found.get((number_, used.slug))}"


def _lookback(number_: int) -> tuple[tuple[str, c.Parameter], ...]:
    return tuple(sorted({**dict(MEDICINE.parameters), "lookback": f"P{number_}D"}.items()))
