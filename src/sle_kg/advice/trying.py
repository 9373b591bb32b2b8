"""Which doubtful details could settle an open feature: their possible answers are tried on copies of the patient.

A copy says what the fact tables would say if a detail were known; the features of all copies are computed together by
the queries that computed those of the patient, so that advice never rests on a second set of rules.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

from sle_kg.advice.doubts import Answer, Doubt, Edit, Place, doubts
from sle_kg.criteria import Feature
from sle_kg.evaluate import UNBOUNDED, Bound
from sle_kg.features.asks import Ask, FeatureOptions
from sle_kg.features.database import CODED, names_of
from sle_kg.features.sql import duration_parts

if TYPE_CHECKING:
    import pyarrow as pa

    from sle_kg.terminology import Terminology

COPIES = 2000
"""Copies of patients in memory at a time."""
COMBINED = 4
"""Doubts of one record of which every combination of extreme answers is tried."""
_NOT_COPIED = ("record", "attestation", "event", "adverse_event")
"""Fact tables that no feature reads through a copy."""
_DOUBTFUL = (*CODED, "measurement", "statement")
"""Fact tables whose rows have details."""
_READ: dict[str, tuple[str, ...]] = {
    "DiagnosisCondition": ("condition",),
    "DiagnosisCountCondition": ("condition",),
    "ClassificationCondition": ("condition",),
    "DaysSinceDiagnosisCondition": ("condition",),
    "ProcedureCondition": ("procedure", "condition"),
    "DonatedVolumeCondition": ("procedure",),
    "ImmunizationCondition": ("immunization",),
    "ExposureCondition": ("exposure",),
    "WashoutCondition": ("exposure",),
    "DrugCountCondition": ("exposure",),
    "TreatmentDurationCondition": ("exposure",),
    "DailyDoseCondition": ("exposure",),
    "HighestDoseCondition": ("exposure",),
    "DoseDurationCondition": ("exposure",),
    "CumulativeDoseCondition": ("exposure",),
    "RenalWorseningCondition": ("exposure",),
    "TreatmentChangeCondition": ("exposure",),
    "AllergyCondition": ("allergy",),
}
"""Tables of which every record in the value set concerns a kind of feature, whether the feature names it or not."""
_SETTLED_ELSEWHERE = frozenset(
    {"AgeCondition", "SexCondition", "ConsentCondition", "FertilityCondition", "NoChildbearingPotentialCondition"}
)
"""Kinds of which no detail of a record is doubtful but the person's own, or which a new statement settles."""
_BLOOD_DONATION = "bloodDonationAny"
_LIMITS = {"timesUpperLimit": "uln", "timesLowerLimit": "lln"}


@dataclass(frozen=True, slots=True)
class OpenFeature:
    """A feature of one ask whose bounds leave something open; `settles` says of other bounds whether they do not."""

    ask: Ask
    feature: Feature
    records: tuple[str, ...]
    settles: Callable[[Bound], bool]


@dataclass(frozen=True, slots=True)
class Attempt:
    """Details that, once known, can settle a feature, all of them together; `bounds` are what answers lead to.

    Without details: which of the `records`, which contradict each other, holds.
    """

    doubts: tuple[Doubt, ...]
    bounds: tuple[Bound, ...]
    records: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Try:
    """Details to be answered together, with the answers that are tried."""

    doubts: tuple[Doubt, ...]
    answers: tuple[Answer, ...]
    records: tuple[str, ...] = ()


class Advisor:
    """The fact tables of patients, ready to try answers on them."""

    def __init__(self, tables: Mapping[str, pa.Table], terminology: Terminology) -> None:
        self._tables = {name: table for name, table in tables.items() if name not in _NOT_COPIED}
        self._none = {name: tables[name].slice(0, 0) for name in _NOT_COPIED}
        self._terminology = terminology
        self._rows: dict[str, dict[str, list[int]]] | None = None

    def settling(self, open_features: Sequence[OpenFeature], options: FeatureOptions) -> list[tuple[Attempt, ...]]:
        """For each open feature what could settle it: single details, else what must be known together.

        Nothing where the doubts of the records, if there are any, make no difference.
        """
        found: list[tuple[Attempt, ...]] = [() for _ in open_features]
        doubtful = {
            place: (self._doubts(one), one.records)
            for place, one in enumerate(open_features)
            if one.feature.kind not in _SETTLED_ELSEWHERE
        }
        for stage in (_single, _of_one_record, _together, self._one_of):
            todo = [
                (place, some)
                for place, (uncertain, records) in doubtful.items()
                if not found[place]
                for some in stage(open_features[place].ask.patient, uncertain, records)
            ]
            bounds = self._bounds(
                [(open_features[place], answer) for place, some in todo for answer in some.answers], options
            )
            for place, some in todo:
                reached = tuple(dict.fromkeys(next(bounds) for _ in some.answers))
                if any(map(open_features[place].settles, reached)):
                    found[place] += (Attempt(some.doubts, reached, some.records),)
        return found

    # ---- which details are doubtful -----------------------------------------------------------------------------

    def _doubts(self, one: OpenFeature) -> list[Doubt]:
        """The doubts of every record that concerns a feature."""
        return [doubt for place in self._places(one) for doubt in doubts(place)]

    def _places(self, one: OpenFeature) -> list[Place]:
        """The rows that concern a feature: the records that it names, and all of its value sets."""
        feature, ask = one.feature, one.ask
        sets = {name for parameter in ("valueSet", "concurrentWith") for name in names_of(feature, parameter)}
        sets |= {str(name) for name in (feature.get("diagnosis"),) if name}
        sets |= {_BLOOD_DONATION} if feature.kind == "DonatedVolumeCondition" else set()
        places = []
        for table in _DOUBTFUL:
            for number, row in self._seen(table, ask):
                status = self._status(row["concept"], sets) if table in CODED else None
                concerned = table in _READ.get(feature.kind, ()) and (status is not None or not sets)
                if not concerned and row["record"] not in one.records:
                    continue
                places.append(
                    Place(
                        table,
                        number,
                        row,
                        ask.base,
                        _days(one),
                        self._other(table, row, sets, status),
                        _LIMITS.get(str(feature.get("quantity"))) or ("uln" if "Positive" in feature.kind else None),
                        feature.get("method") is not None,
                        feature.get("perKilogram") is True,
                        feature.kind == "DonatedVolumeCondition",
                    )
                )
        return places

    def _seen(self, table: str, ask: Ask) -> list[tuple[int, dict[str, Any]]]:
        """The rows of a patient, by their place in the table, that are not dated after the last day seen."""
        numbers = self._numbers(table).get(ask.patient, [])
        rows = self._tables[table].take(numbers).to_pylist() if numbers else []
        first = _FIRST_DAY.get(table, "date_from")
        return [
            (number, row)
            for number, row in zip(numbers, rows, strict=True)
            if row[first] is None or row[first] <= ask.base
        ]

    def _numbers(self, table: str) -> dict[str, list[int]]:
        """The places of the rows of each patient in a table."""
        if self._rows is None:
            self._rows = {}
        if table not in self._rows:
            rows: dict[str, list[int]] = {}
            for number, patient in enumerate(self._tables[table].column("patient").to_pylist()):
                rows.setdefault(patient, []).append(number)
            self._rows[table] = rows
        return self._rows[table]

    def _status(self, concept: str, sets: Iterable[str]) -> str | None:
        """Whether a concept is `in`, or `undecided` for, some of the value sets."""
        found = {status for _, _, status in self._terminology.membership([concept], sets)}
        return "in" if "in" in found else "undecided" if found else None

    def _other(self, table: str, row: Mapping[str, Any], sets: Iterable[str], status: str | None) -> tuple[str, ...]:
        """What a code that does not tell may stand for: one of several drugs; a member of the value set, or not."""
        if table not in CODED:
            return ()
        if status == "undecided":
            return ("other", *(member for name in sorted(sets) for member in self._terminology.members(name)[:1]))
        drugs = self._terminology.drugs_of(row["concept"]) if table == "exposure" else ()
        return drugs if len(drugs) > 1 else ()

    # ---- what answers lead to -----------------------------------------------------------------------------------

    def _one_of(self, patient: str, uncertain: Sequence[Doubt], records: tuple[str, ...]) -> list[_Try]:
        """Records that contradict each other: each alone, without the others."""
        if len(records) < 2:
            return []
        rows = {
            record: [
                Edit(table, number, gone=True)
                for table in self._tables
                for number in self._numbers(table).get(patient, ())
                if table in _DOUBTFUL and self._tables[table].column("record")[number].as_py() == record
            ]
            for record in records
        }
        alone = tuple(tuple(edit for other in records if other != record for edit in rows[other]) for record in records)
        return [_Try((), alone, records)]

    def _bounds(self, tries: Sequence[tuple[OpenFeature, Answer]], options: FeatureOptions) -> Iterator[Bound]:
        """The bounds of each feature if the answer were so, in order."""
        copies: dict[tuple[str, frozenset[Edit]], list[int]] = {}
        for number, (one, answer) in enumerate(tries):
            copies.setdefault((one.ask.patient, frozenset(answer)), []).append(number)
        found: dict[int, Bound] = {}
        keys = list(copies)
        for start in range(0, len(keys), COPIES):
            some = keys[start : start + COPIES]
            asked = [[(number, tries[number][0]) for number in copies[key]] for key in some]
            found |= self._computed(self._copied(some), asked, options)
        return iter([found[number] for number in range(len(tries))])

    def _computed(
        self,
        tables: Mapping[str, pa.Table],
        asked: Sequence[Sequence[tuple[int, OpenFeature]]],
        options: FeatureOptions,
    ) -> dict[int, Bound]:
        """The bounds of the features asked of each copy, by their number."""
        from sle_kg.features import FeatureBuilder

        asks: list[Ask] = []
        wanted: dict[str, list[Feature]] = {}
        names: dict[frozenset[Feature], str] = {}
        numbers: dict[tuple[int, str], list[int]] = {}
        for copy, questions in enumerate(asked):
            by_ask: dict[int, list[tuple[int, OpenFeature]]] = {}
            for number, one in questions:
                by_ask.setdefault(one.ask.id, []).append((number, one))
            for mine in by_ask.values():
                features = frozenset(one.feature for _, one in mine)
                name = names.setdefault(features, str(len(names)))
                wanted[name] = sorted(features, key=lambda feature: feature.slug)
                for number, one in mine:
                    numbers.setdefault((len(asks), one.feature.slug), []).append(number)
                asks.append(replace(mine[0][1].ask, id=len(asks), patient=str(copy), trial=name))
        every = sorted({feature for some in wanted.values() for feature in some}, key=lambda feature: feature.slug)
        builder = FeatureBuilder(tables, every, self._terminology)
        found = {number: UNBOUNDED for questions in asked for number, _ in questions}
        for value in builder.compute(asks, wanted, options):
            for number in numbers.get((value.ask, value.slug), ()):
                found[number] = (value.lower, value.upper)
        return found

    def _copied(self, copies: Sequence[tuple[str, frozenset[Edit]]]) -> dict[str, pa.Table]:
        """The fact tables of copies, numbered from 0, with the edits of each."""
        import pyarrow as pa

        tables = dict(self._none)
        for name, table in self._tables.items():
            numbers: list[int] = []
            owners: list[str] = []
            changed: dict[int, dict[str, Any]] = {}
            added: list[dict[str, Any]] = []
            for copy, (patient, edits) in enumerate(copies):
                mine = [edit for edit in edits if edit.table == name]
                gone = {edit.row for edit in mine if edit.gone}
                place = {}
                for number in self._numbers(name).get(patient, ()):
                    if number not in gone:
                        place[number] = len(numbers)
                        numbers.append(number)
                        owners.append(str(copy))
                for edit in mine:
                    if edit.row is None:
                        added.append({"patient": str(copy), **dict(edit.cells)})
                    elif edit.row in place:
                        changed.setdefault(place[edit.row], {}).update(edit.cells)
            made = table.take(pa.array(numbers, pa.int64()))
            made = made.set_column(0, "patient", pa.array(owners, pa.string()))
            tables[name] = pa.concat_tables([_edited(made, changed), pa.Table.from_pylist(added, schema=made.schema)])
        return tables


_FIRST_DAY = {"exposure": "start_from", "condition": "onset_from", "procedure": "from_from", "allergy": "recorded_from"}
"""The column with the first day of a fact, where it is not `date_from`."""


def _edited(table: pa.Table, changed: Mapping[int, Mapping[str, Any]]) -> pa.Table:
    """The table with new values in some cells."""
    import pyarrow as pa

    for name in sorted({name for cells in changed.values() for name in cells}):
        values = table.column(name).to_pylist()
        for number, cells in changed.items():
            if name in cells:
                values[number] = cells[name]
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(place), pa.array(values, table.schema.field(place).type))
    return table


def _days(one: OpenFeature) -> tuple[dt.date, ...]:
    """Days that matter to a feature: its anchor, a day in the middle of its window, its moments."""
    ask, feature = one.ask, one.feature
    event = ask.events.get(str(feature.get("anchor")))
    days = {event.first, event.last} if event else {ask.on}
    if lookback := feature.get("lookback"):
        months, more = duration_parts(str(lookback))
        days |= {
            max(dt.date.min + dt.timedelta((months * 30 + more) // 2), day) - dt.timedelta((months * 30 + more) // 2)
            for day in days
        }
    days |= {moment.target for moment in ask.moments.values()}
    return tuple(sorted(days))


def _single(patient: str, uncertain: Sequence[Doubt], records: tuple[str, ...]) -> list[_Try]:
    """Each detail alone."""
    return [_Try((doubt,), doubt.answers) for doubt in uncertain]


def _of_one_record(patient: str, uncertain: Sequence[Doubt], records: tuple[str, ...]) -> list[_Try]:
    """The details of each record together, every combination of extremes."""
    by_record: dict[str, list[Doubt]] = {}
    for doubt in uncertain:
        by_record.setdefault(doubt.record, []).append(doubt)
    return [_Try(tuple(some), _combined(some)) for some in by_record.values() if len(some) > 1]


def _combined(some: Sequence[Doubt]) -> tuple[Answer, ...]:
    """Answers to several doubts at once: every combination of the first and last ones, or for many all alike."""
    ends = [(doubt.answers[0], doubt.answers[-1]) for doubt in some]
    chosen = product(*ends) if len(ends) <= COMBINED else zip(*ends, strict=True)
    return tuple(tuple(edit for answer in answers for edit in answer) for answers in chosen)


def _together(patient: str, uncertain: Sequence[Doubt], records: tuple[str, ...]) -> list[_Try]:
    """All details of all records together."""
    if len({doubt.record for doubt in uncertain}) < 2:
        return []
    return [_Try(tuple(uncertain), _combined(uncertain))]
