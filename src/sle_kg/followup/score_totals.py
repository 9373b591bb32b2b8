"""Totals over time: SLEDAI with its items, PGA, BILAG-2004, damage, fatigue, suicidality."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from sle_kg.definitions import Band, bands
from sle_kg.evaluate import Bound
from sle_kg.followup.assessment import Assessment, Results, Scorer, feature, known, listed, value_leaf, window_of
from sle_kg.followup.explain import sentence
from sle_kg.followup.results import ScoreResult
from sle_kg.followup.session import FollowUp, tests_of
from sle_kg.ontology import Instrument, Item
from sle_kg.phrases import lower_first
from sle_kg.wording import between, ontology_label, shown

if TYPE_CHECKING:
    from sle_kg.features.assessment import ItemState


class TotalScore(Scorer):
    """A total with bounds, its band and its change from baseline, and where it has items, these.

    `part` takes only some of the items (`clinical`). `derive` lets results of tests stand for items not recorded.
    """

    def __init__(self, instrument: Instrument, total: str, part: str | None = None, derive: bool = False) -> None:
        self.instrument, self.derive = instrument, derive
        of = {"instrument": total} | ({"itemGroup": part} if part else {})
        self.total = feature("AssessedScoreCondition", **of)
        self.change = feature("AssessedScoreCondition", since="baseline", **of)
        self.features = [self.total, self.change]
        self.tests = list(tests_of(self.total))
        self.window = window_of(instrument)
        self.shown_items = [item for item in instrument.items if part != "clinical" or not item.serology_only]
        self.items_of = total if instrument.items else None

    def result(self, seen: Assessment) -> ScoreResult:
        """The total of one day."""
        lower, upper = bound = seen.bound(self.total)
        states = {state.item: state for state in seen.items}
        items = {_key(item): self._answer(states.get(_key(item)), bound) for item in self.shown_items}
        change = known(seen.bound(self.change))
        band = band_of(bands(self.instrument.key), bound)
        return ScoreResult(
            patient=seen.patient,
            date=seen.on,
            name=self.instrument.score_name or self.instrument.key,
            value=known(bound),
            lower=lower,
            upper=upper,
            items=items,
            reason=sentence(self._reason(seen, bound, items, band, change)),
            missing=tuple(self._missing(seen, bound, items)),
            band=band,
            change=change,
            proposed=self._proposed(states),
            contradictions=tuple(self._contradictions(seen, states)),
            evidence=seen.evidence(self.total),
        )

    def _answer(self, state: ItemState | None, bound: Bound) -> bool | None:
        """Whether an item is present: as recorded, as results propose, or absent where the total is 0."""
        answer = None if state is None else state.recorded
        if answer is None and self.derive and state is not None:
            answer = state.derived
        return False if answer is None and bound[1] == 0 else answer

    def _proposed(self, states: Mapping[str, ItemState]) -> dict[str, bool]:
        """What results propose of items that are not recorded."""
        found = {_key(item): states.get(_key(item)) for item in self.shown_items}
        return {
            key: state.derived
            for key, state in found.items()
            if state is not None and state.recorded is None and state.derived is not None
        }

    def _contradictions(self, seen: Assessment, states: Mapping[str, ItemState]) -> Iterator[str]:
        """Where a recorded item and a result disagree; the recorded item counts."""
        for item in self.shown_items:
            state = states.get(_key(item))
            if state is None or None in (state.recorded, state.derived) or state.recorded == state.derived:
                continue
            results = listed(
                f"{line.what} {line.value} ({line.date}, {line.record})"
                for line in map(seen.line, state.derived_records)
            )
            said = f"recorded as {_presence(state.recorded)} ({', '.join(state.records)})"
            yield sentence(f"{plain(item.label)} is {said}, and {results} would make it {_presence(state.derived)}")

    def _reason(
        self,
        seen: Assessment,
        bound: Bound,
        items: Mapping[str, bool | None],
        band: str | None,
        change: Decimal | None,
    ) -> str:
        label = self.instrument.label
        if bound == (None, None):
            return f"{label}: nothing that tells the score is recorded {seen.when()}"
        said = f"{label}: {between(bound, value_leaf(self.total))} {seen.when()}"
        present = [
            f"{lower_first(plain(item.label))} {item.weight}" for item in self.shown_items if items.get(_key(item))
        ]
        said += f" ({', '.join(present)})" if present else ""
        unknown = [key for key, there in items.items() if there is None]
        said += f", {len(unknown)} of {len(items)} items not known" if unknown and known(bound) is None else ""
        said += f", {band}" if band else ""
        if change is not None and "baseline" in seen.moments:
            said += f"; change since baseline (last value up to {seen.moments['baseline'].target}): {signed(change)}"
        return said

    def _missing(self, seen: Assessment, bound: Bound, items: Mapping[str, bool | None]) -> Iterator[str]:
        if known(bound) is not None:
            return
        unknown = [item for item in self.shown_items if items.get(_key(item)) is None]
        if bound == (None, None) or len(unknown) == len(self.shown_items):
            yield from seen.missing(self.total)
        elif unknown:
            for item in unknown:
                yield f"whether {lower_first(plain(item.label))} was present {seen.when()}"
        else:
            yield f"which holds {seen.when()}: the recorded total, or the items"


class BilagScore(TotalScore):
    """BILAG-2004: grades by system as recorded, their numeric total, and how many grades A and B are new."""

    def __init__(self, systems: Mapping[str, str], instrument: Instrument, total: str) -> None:
        super().__init__(instrument, total)
        self.systems = systems
        self.results = Results()
        self.new = {
            (grade, since): feature("NewGradesCondition", instrument=instrument.key, grade=grade, since=since)
            for grade in ("A", "B")
            for since in ("baseline", "previous")
        }
        self.features = [*self.features, *self.new.values()]

    def prepare(self, session: FollowUp) -> None:
        """Reads the recorded grades."""
        self.results = Results.of(session, self.systems.keys())

    def result(self, seen: Assessment) -> ScoreResult:
        """The total of one day, with the grades and what is new."""
        plain_result = super().result(seen)
        used = {line.record for line in plain_result.evidence}
        grades = {}
        for test, system in self.systems.items():
            letters = {one.text for one in self.results.of_records(seen.patient, test, used) if one.text}
            if letters:
                grades[system] = " or ".join(sorted(letters))
        ranked = {letter: [s for s, grade in grades.items() if grade == letter] for letter in ("A", "B")}
        said = [f"{letter}: {listed(names)}" for letter, names in ranked.items() if names]
        reason = plain_result.reason.removesuffix(".") + (f"; {', '.join(said)}" if said else "")
        missing = plain_result.missing
        if grades and plain_result.value is None:
            absent = [system for test, system in self.systems.items() if system not in grades]
            missing = (
                tuple(f"the BILAG-2004 grade of the {system} system {seen.when()}" for system in absent) or missing
            )
        return replace(
            plain_result,
            reason=sentence(reason + (self._news(seen) if grades else "")),
            grades=grades,
            missing=missing,
        )

    def _news(self, seen: Assessment) -> str:
        """How many grades A and B are new since baseline, or where there is none since the previous assessment."""
        since = "baseline" if "baseline" in seen.moments else "previous"
        words = "baseline" if since == "baseline" else "the previous assessment"
        counts = []
        for grade in ("A", "B"):
            bound = seen.bound(self.new[grade, since])
            if bound == (None, None):
                return f"; new grades since {words} are not known"
            counts.append(f"{between(bound, value_leaf(self.new[grade, since]))} new {grade}")
        return f"; since {words} {listed(counts)}"


class SuicidalityScore(TotalScore):
    """C-SSRS: the type of ideation from 0 to 5, and as its one item whether there was suicidal behaviour."""

    def __init__(self, instrument: Instrument, total: str, behaviour: str) -> None:
        super().__init__(instrument, total)
        self.behaviour = behaviour
        self.tests = [*self.tests, behaviour]
        self.results = Results()

    def prepare(self, session: FollowUp) -> None:
        """Reads what is recorded on behaviour."""
        self.results = Results.of(session, {self.behaviour})

    def result(self, seen: Assessment) -> ScoreResult:
        """Ideation and behaviour of one day."""
        first, last = seen.moments["visit"].first, seen.moments["visit"].last
        inside = [
            one
            for one in self.results.up_to(seen.patient, self.behaviour, last)
            if one.first is not None and one.first == one.last and one.first >= first
        ]
        latest = max((one.first for one in inside if one.first), default=None)
        answers = {one.present for one in inside if one.first == latest}
        answer = next(iter(answers)) if len(answers) == 1 else None
        found = super().result(seen)
        label = ontology_label(self.behaviour)
        words = {True: "present", False: "absent", None: "not known"}[answer]
        missing = found.missing if answer is not None else (*found.missing, f"{label} {seen.when()}")
        lines = (seen.line(one.record) for one in inside if one.first == latest)
        return replace(
            found,
            items={self.behaviour: answer},
            reason=sentence(f"{found.reason.removesuffix('.')}; {label}: {words}"),
            missing=missing,
            evidence=tuple(dict.fromkeys((*found.evidence, *lines))),
        )


def band_of(known_bands: tuple[Band, ...], bound: Bound) -> str | None:
    """The band in which the whole range lies: the first band whose upper end a value does not exceed."""
    lower, upper = bound
    if lower is None or upper is None:
        return None
    names = {_band(known_bands, lower), _band(known_bands, upper)}
    return names.pop() if len(names) == 1 else None


def _band(known_bands: tuple[Band, ...], value: Decimal) -> str | None:
    return next((band.label for band in known_bands if band.most is None or value <= band.most), None)


def signed(number: Decimal) -> str:
    """`+3`, `-6`, `0`."""
    return f"+{shown(number)}" if number > 0 else shown(number)


def plain(label: str) -> str:
    """The label of an item without its instrument: `Seizure (SLEDAI-2K)` gives `Seizure`."""
    return label.rpartition(" (")[0] or label


def _key(item: Item) -> str:
    return item.key.partition(":")[2]


def _presence(present: bool | None) -> str:
    return "present" if present else "absent"
