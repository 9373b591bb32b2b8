"""The examples bite: whatever number of a definition is changed by a step, the result of some example changes.

The examples below state, for both sides of every number, what a patient's findings amount to; they are written from
the fact base (facts/scores.md, classification.md, the tables of grades and states, the records' schedules), and no
number in them is read from the ontology. Every mutant is one statement of the graph changed, read by the program's
own readers and evaluated by its own engine: trees over bounds, weights and windows in the database.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from definition_examples import (
    Family,
    band_faults,
    grade_faults,
    level_faults,
    proposal_faults,
    range_faults,
    state_faults,
)
from definition_tables import (
    PREFIX,
    SETS,
    WINDOW,
    Classified,
    Lookback,
    Thresholds,
    Totals,
    dose_limiting_faults,
    duration_faults,
    outcome_faults,
    schedule_faults,
    window_faults,
)
from mutants import Statement, applied, changes, statements
from sle_kg import criteria as c
from sle_kg import definitions
from sle_kg.errors import SleKgError
from sle_kg.followup.score_classification import proposals
from sle_kg.namespaces import SLE
from sle_kg.outcomes import load_outcomes

pytestmark = pytest.mark.slow

OTHER_NUMBERS = frozenset(
    {
        *("position", "itemNumber", "codeRank"),
        *(f"{part}{end}" for part in ("quotation", "sentence", "passage", "literal") for end in ("Start", "End")),
        *(f"{part}{end}" for part in ("timeFrameText", "definitionText", "outcomeTitle") for end in ("Start", "End")),
        *("sourceLength", "enrollmentCount", "plannedEnrollment", "minimumAgeYears", "maximumAgeYears"),
        *(f"http://www.w3.org/2003/01/geo/wgs84_pos#{part}" for part in ("lat", "long")),
    }
)
"""Numbers of the same files that no result is computed from: order, places in the source text, the trial's design."""


# ---- which examples bear on which number ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Bench:
    """The examples of every family of numbers."""

    folder: Path

    def faults(self, family: Family) -> list[str]:
        """Where an example does not come out as stated; a definition that cannot be read is a fault too."""
        kind, *rest = family
        try:
            return list(self._judge(kind)(*rest))
        except SleKgError as error:
            return [str(error)]

    def _judge(self, kind: str) -> Callable[..., Iterator[str]]:
        judges: dict[str, Callable[..., Iterator[str]]] = {
            "state": state_faults,
            "grade": grade_faults,
            "proposal": proposal_faults,
            "band": band_faults,
            "range": range_faults,
            "level": lambda: level_faults(self.folder),
            "total": lambda instrument: totals(instrument).faults(),
            "threshold": lambda instrument: thresholds(instrument).faults(),
            "classification": lambda name: classified(name).faults(),
            "window": lambda instrument: self._windows(instrument),
            "schedule": schedule_faults,
            "outcome": outcome_faults,
            "duration": duration_faults,
            "doseLimiting": dose_limiting_faults,
            "lookback": lambda: lookback().faults(),
        }
        return judges[kind]

    def _windows(self, instrument: str) -> Iterator[str]:
        yield from window_faults(instrument, self.folder)
        if instrument in WINDOW:
            yield from thresholds(instrument).faults()


@cache
def totals(instrument: str) -> Totals:
    return Totals(instrument)


@cache
def thresholds(instrument: str) -> Thresholds:
    return Thresholds(instrument)


@cache
def classified(criteria_set: str) -> Classified:
    return Classified(criteria_set)


@cache
def lookback() -> Lookback:
    return Lookback()


SCHEDULED = {"atWeek", "atMonth", "infusionDay", "fromDay", "toMonth", "withinDays", "minimumWeeks"}
BY_PROPERTY = {
    **dict.fromkeys(SCHEDULED, "schedule"),
    **dict.fromkeys(("minDuration", "minimumMonths"), "duration"),
    **dict.fromkeys(("minimumScore", "maximumScore"), "range"),
    **dict.fromkeys(("levelNumber", "greatestFlow"), "level"),
    **dict.fromkeys(("bandLeast", "bandMost"), "band"),
    "windowDays": "window",
    "numericValue": "total",
    "lookback": "lookback",
    "severeFromGrade": "doseLimiting",
    "minimumSum": "classification",
}


@cache
def places() -> dict[str, set[Family]]:
    """Node of a definition → the families of examples in whose trees it stands."""
    found: dict[str, set[Family]] = {}

    def add(condition: c.Condition, family: Family) -> None:
        for node in c.walk(condition):
            found.setdefault(node.iri, set()).add(family)

    reader = definitions._reader()
    for state in definitions.states().values():
        add(state.condition, ("state", state.name))
        for item in reader.subjects(SLE + "itemOf", SLE + state.key):
            found.setdefault(item, set()).add(("state", state.name))
    for instrument in definitions.graded_instruments():
        for grade in reader.subjects(SLE + "gradeOf", SLE + instrument):
            if (facet := reader.optional(grade, "gradeFacet")) is not None:
                found.setdefault(grade, set()).add(("grade", instrument, facet))
        for scale in definitions.scales(instrument):
            for grade_ in scale.grades:
                if grade_.at_least is not None:
                    add(grade_.at_least, ("grade", instrument, scale.facet))
    for name in SETS.values():
        for some in proposals(name).values():
            for proposal in some:
                add(proposal.condition, ("proposal", name))
    for trial, rows in load_outcomes().items():
        for definition in (d for row in rows for d in row.definitions if d.condition is not None):
            assert definition.condition is not None
            for node in c.walk(definition.condition):
                if node.iri.startswith("https://w3id.org/sle-kg/trial/"):
                    found.setdefault(node.iri, set()).add(("outcome", trial))
    return found


def families(one: Statement) -> set[Family]:
    """The examples that must tell a change of this statement; none for what is no number of a definition."""
    reader, iri = definitions._reader(), one.quad.subject.value
    instrument = next(iter(reader.values(iri, "itemOf") + reader.values(iri, "gradeOf")), "").removeprefix(SLE)
    if one.name in OTHER_NUMBERS:
        return set()
    if one.name == "weight":
        return {("total" if instrument in PREFIX else "classification", instrument)}
    if one.name.startswith("threshold") and instrument in PREFIX:
        return {("threshold", instrument)}
    kind = BY_PROPERTY.get(one.name)
    if kind in ("level", "lookback"):
        return {(kind,)}
    if kind in ("schedule", "duration", "doseLimiting"):
        return {(kind, one.subject.partition("/")[0])}
    if kind in ("band", "total"):
        return {(kind, instrument)}
    if kind is not None:
        return {(kind, one.subject)}
    return places().get(iri, set())


NUMBERS = statements()
EQUIVALENT = {
    **dict.fromkeys(
        (
            "ctcaeV5-bloodBilirubinIncreased-1-condition-1-2-1 maxInclusive 1: maxInclusive 0.9",
            "ctcaeV5-bloodBilirubinIncreased-1-condition-1-2-1 maxInclusive 1: maxExclusive 1",
        ),
        "bilirubin above its limit is above any baseline within the limit too",
    ),
    "lldas-5-condition-3 maxInclusive 4.285714285715: maxExclusive 4.285714285715": (
        "30 mg a week are 30/7 mg a day, less than the last place of the bound"
    ),
    **{
        f"{instrument}-increasedDNABinding thresholdComparator >: thresholdComparator >=": (
            "an antibody is positive above its limit by the rules of reading, whatever asks for it"
        )
        for instrument in PREFIX
    },
}
"""Changes that no patient can tell, and why."""


def test_the_examples_come_out_as_stated(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    asked = sorted({family for one in NUMBERS for family in families(one)})
    assert [fault for family in asked for fault in bench.faults(family)] == []


def test_no_number_of_a_definition_is_left_out() -> None:
    left_out = [f"{one.subject} {one.name}" for one in NUMBERS if one.name not in OTHER_NUMBERS and not families(one)]
    assert left_out == []
    assert all(list(changes(one)) for one in NUMBERS)
    assert len([one for one in NUMBERS if one.name not in OTHER_NUMBERS]) > 450


def test_no_number_of_a_definition_can_change_unseen(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    survivors = []
    for one in NUMBERS:
        for changed in changes(one) if families(one) else ():
            with applied(changed):
                if not any(bench.faults(family) for family in sorted(families(one))):
                    survivors.append(str(changed))
    assert set(survivors) == set(EQUIVALENT), json.dumps(survivors, indent=1)
    assert bench.faults(("state", "lldas")) == []
    assert statements() == NUMBERS
