"""Which doubtful details could settle an open feature: their possible answers are tried on copies of the patient.

A copy says what the fact tables would say if a detail were known; the features of all copies are computed together by
the queries that computed those of the patient, so that advice never rests on a second set of rules.
"""

from __future__ import annotations

import datetime as dt
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

from sle_kg.advice.doubts import Answer, Doubt, Edit, Place, doubts
from sle_kg.criteria import Feature
from sle_kg.evaluate import UNBOUNDED, Bound
from sle_kg.features.asks import Ask, FeatureOptions
from sle_kg.features.database import CODED
from sle_kg.features.sql import duration_parts

if TYPE_CHECKING:
    import pyarrow as pa

    from sle_kg.terminology import Terminology

ROWS = 300_000
"""Rows of copies of patients in memory at a time."""
MOST_DOUBTS = 60
"""Doubts about one feature that are tried; a record with more is asked for these first."""
COMBINED = 8
"""Doubts of several records that are combined in pairs; of more only those of one record are."""
CROSSED = 6
"""Doubts of which every combination of extreme answers is tried; of more all extremes alike."""
PAIR = 2
_NOT_COPIED = ("record", "attestation", "event", "adverse_event")
"""Fact tables that no feature reads through a copy."""
_WITHOUT_RESULTS = frozenset(
    {
        *("DiagnosisCondition", "DiagnosisCountCondition", "ProcedureCondition", "ImmunizationCondition"),
        *("ExposureCondition", "WashoutCondition", "DrugCountCondition", "TreatmentDurationCondition"),
        *("AllergyCondition", "ContraindicationCondition", "StatementCondition"),
    }
)
"""Kinds of feature that read no measurement: most rows of a patient need not be copied for them."""
_DOUBTFUL = ("patient", *CODED, "measurement", "statement")
"""Fact tables whose rows have details."""
_SETS = ("valueSet", "concurrentWith", "diagnosis")
"""Parameters of a feature that name value sets."""
_MORE = ("exposure", "condition")
"""Tables of which every record in the value sets of a feature concerns it."""
_SETTLED_ELSEWHERE = frozenset(
    {"AgeCondition", "SexCondition", "ConsentCondition", "FertilityCondition", "NoChildbearingPotentialCondition"}
)
"""Kinds of which no detail of a record is doubtful but the person's own, or which a new statement settles."""
SECTIONS = {
    "DiagnosisCondition": "conditions",
    "DiagnosisCountCondition": "conditions",
    "ProcedureCondition": "procedures",
    "ImmunizationCondition": "immunizations",
    "ExposureCondition": "medications",
    "DrugCountCondition": "medications",
    "WashoutCondition": "medications",
    "DailyDoseCondition": "medications",
    "HighestDoseCondition": "medications",
    "DoseDurationCondition": "medications",
    "TreatmentDurationCondition": "medications",
    "CumulativeDoseCondition": "medications",
    "TreatmentChangeCondition": "medications",
    "ContraindicationCondition": "statements",
    "AllergyCondition": "allergies",
    "BiopsyClassCondition": "procedures",
    "BiopsyCondition": "procedures",
    "BiopsyAgeCondition": "procedures",
    "DonatedVolumeCondition": "procedures",
}
"""The section of the record of which a kind of feature needs to know that it is complete."""


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

    Without details: which of the `records`, which contradict each other, holds. `given` is what must be known besides:
    that the section is complete.
    """

    doubts: tuple[Doubt, ...]
    bounds: tuple[Bound, ...]
    records: tuple[str, ...] = ()
    given: Answer = ()


@dataclass(frozen=True, slots=True)
class _Try:
    """Details to be answered together, with the answers that are tried."""

    doubts: tuple[Doubt, ...]
    answers: tuple[Answer, ...]
    records: tuple[str, ...] = ()
    given: Answer = ()

    def with_given(self, given: Answer) -> _Try:
        """The same try where something else is known besides."""
        return replace(self, answers=tuple((*answer, *given) for answer in self.answers), given=given)


@dataclass(frozen=True, slots=True)
class _Copy:
    """A copy of a patient with changes, with or without measurements."""

    patient: str
    edits: frozenset[Edit]
    results: bool


class _Patient:
    """The rows of a patient that have details, with their tables and places, and which are of which record."""

    def __init__(self, rows: list[tuple[str, int, dict[str, Any]]]) -> None:
        self.rows = rows
        self.of_record: dict[str, list[int]] = {}
        self.of_table: dict[str, list[int]] = {table: [] for table in _DOUBTFUL}
        for place, (table, _, row) in enumerate(rows):
            self.of_record.setdefault(row["record"], []).append(place)
            self.of_table[table].append(place)

    def may_contradict(self, records: Iterable[str]) -> bool:
        """Whether two of the records are of one kind; results and statements also of one day."""
        seen: dict[tuple[str, dt.date | None], str] = {}
        for record in records:
            for table, _, row in (self.rows[place] for place in self.of_record.get(record, ())):
                if seen.setdefault((table, row.get("date_from")), record) != record:
                    return True
        return False

    def concerns(self, place: int) -> bool:
        """Whether a row is the person, or a body weight."""
        return str(self.rows[place][2].get("test", "bodyWeight")) == "bodyWeight"


class Advisor:
    """The fact tables of patients, ready to try answers on them."""

    def __init__(self, tables: Mapping[str, pa.Table], terminology: Terminology) -> None:
        self._tables = {name: table for name, table in tables.items() if name not in _NOT_COPIED}
        self._none = {name: tables[name].slice(0, 0) for name in _NOT_COPIED}
        self._terminology = terminology
        self._rows: dict[str, dict[str, array[int]]] = {}
        self._read: dict[str, _Patient] = {}

    def settling(self, open_features: Sequence[OpenFeature], options: FeatureOptions) -> list[tuple[Attempt, ...]]:
        """For each open feature what could settle it: single details, else what must be known together.

        Nothing where the doubts of the records, if there are any, make no difference.
        """
        doubtful = [() if one.feature.kind in _SETTLED_ELSEWHERE else self._doubts(one) for one in open_features]
        found: list[tuple[Attempt, ...]] = [() for _ in open_features]
        self._stage(open_features, found, doubtful, [()] * len(found), (_one,), options)
        given = [
            None if done or not some else self._completed(one)
            for one, done, some in zip(open_features, found, doubtful, strict=True)
        ]
        enough = self._enough(open_features, given, options)
        doubtful = [() if settled else some for settled, some in zip(enough, doubtful, strict=True)]
        self._stage(open_features, found, doubtful, [()] * len(found), (_two, _all), options)
        self._stage(open_features, found, doubtful, given, (_one, _two, _all), options)
        self._shrink(open_features, found, options)
        sides = [
            () if done or settled else self._one_of(one)
            for done, settled, one in zip(found, enough, open_features, strict=True)
        ]
        self._try(open_features, found, sides, options)
        self._read.clear()
        return found

    def _try(
        self,
        open_features: Sequence[OpenFeature],
        found: list[tuple[Attempt, ...]],
        tries: Sequence[Sequence[_Try]],
        options: FeatureOptions,
    ) -> None:
        """Add to what is found for each feature those of its tries of which some answer settles it."""
        todo = [(place, some) for place, mine in enumerate(tries) for some in mine]
        asked = [(open_features[place], answer) for place, some in todo for answer in some.answers]
        bounds = self._bounds(asked, options)
        for place, some in todo:
            reached = tuple(dict.fromkeys(next(bounds) for _ in some.answers))
            if any(map(open_features[place].settles, reached)):
                found[place] += (Attempt(some.doubts, reached, some.records, some.given),)

    def _stage(
        self,
        open_features: Sequence[OpenFeature],
        found: list[tuple[Attempt, ...]],
        doubtful: Sequence[Sequence[Doubt]],
        given: Sequence[Answer | None],
        stages: Sequence[Callable[[Sequence[Doubt]], list[_Try]]],
        options: FeatureOptions,
    ) -> None:
        """Try the doubts of features for which nothing is found, fewer at a time first.

        `given` is added to each answer; a feature for which it is None is not tried.
        """
        for stage in stages:
            tries = [
                () if done or more is None else [each.with_given(more) for each in stage(some)]
                for done, some, more in zip(found, doubtful, given, strict=True)
            ]
            self._try(open_features, found, tries, options)

    def _enough(
        self, open_features: Sequence[OpenFeature], given: Sequence[Answer | None], options: FeatureOptions
    ) -> list[bool]:
        """Whether what is `given` settles each feature alone, so that its details do not matter."""
        alone: list[tuple[Attempt, ...]] = [() for _ in open_features]
        self._try(open_features, alone, [[_Try((), (more,))] if more else () for more in given], options)
        return [bool(attempts) for attempts in alone]

    def _completed(self, one: OpenFeature) -> Answer | None:
        """The section of a feature as complete, with everything in it understood; None where it has none."""
        section = SECTIONS.get(one.feature.kind)
        if section is None:
            return None
        stated = {"section": section, "date_from": one.ask.base, "date_to": one.ask.base}
        rows = self._numbers("unread").get(one.ask.patient, ())
        column = self._tables["unread"].column("section")
        gone = (Edit("unread", row, gone=True) for row in rows if column[row].as_py() == section)
        return (Edit("completeness", None, tuple(stated.items())), *gone)

    def _shrink(
        self, open_features: Sequence[OpenFeature], found: list[tuple[Attempt, ...]], options: FeatureOptions
    ) -> None:
        """Leave out of many details, one after the other, those that are not needed."""
        many = {place for place, attempts in enumerate(found) if attempts and len(attempts[0].doubts) > PAIR}
        while many:
            tries = [_without_one(some[0]) if place in many else () for place, some in enumerate(found)]
            fewer: list[tuple[Attempt, ...]] = [() for _ in found]
            self._try(open_features, fewer, tries, options)
            many = {place for place in many if fewer[place]}
            for place in many:
                found[place] = fewer[place][:1]

    # ---- which details are doubtful -----------------------------------------------------------------------------

    def _doubts(self, one: OpenFeature) -> list[Doubt]:
        """The doubts of every record that concerns a feature."""
        return _merged(doubt for place in self._places(one) for doubt in doubts(place))[:MOST_DOUBTS]

    def _places(self, one: OpenFeature) -> list[Place]:
        """The rows that concern a feature and are not dated after the last day seen.

        They are those of the records that it names, and the medicines and diagnoses of its value sets: a feature does
        not name each one on which its upper bound rests, nor those that refute a diagnosis.
        """
        feature, ask = one.feature, one.ask
        if not one.records:
            return []
        mine, sets = self._patient(ask.patient), _sets(feature)
        chosen = {place for record in one.records for place in mine.of_record.get(record, ())}
        for table in _MORE if sets else ():
            chosen |= {place for place in mine.of_table[table] if self._status(mine.rows[place][2]["concept"], sets)}
        chosen |= {place for table in _beside(feature) for place in mine.of_table[table] if mine.concerns(place)}
        days, needs = _days(one), _needs(feature)
        return [
            Place(
                table,
                number,
                row,
                ask.base,
                days,
                self._other(feature, table, row),
                needs,
            )
            for table, number, row in (mine.rows[place] for place in sorted(chosen))
            if (first := row[_FIRST_DAY.get(table, "date_from")]) is None or first <= ask.base
        ]

    def _patient(self, patient: str) -> _Patient:
        """The rows of a patient that have details: by table, date and text, whatever the order of the input."""
        if patient not in self._read:
            rows = [
                (table, number, row)
                for table in _DOUBTFUL
                if (numbers := self._numbers(table).get(patient))
                for number, row in zip(numbers, self._tables[table].take(list(numbers)).to_pylist(), strict=True)
            ]
            self._read[patient] = _Patient(sorted(rows, key=_in_order))
        return self._read[patient]

    def _numbers(self, table: str) -> dict[str, array[int]]:
        """The places of the rows of each patient in a table."""
        if table not in self._rows:
            rows: dict[str, array[int]] = {}
            for number, patient in enumerate(self._tables[table].column("patient").to_pylist()):
                rows.setdefault(patient, array("q")).append(number)
            self._rows[table] = rows
        return self._rows[table]

    def _status(self, concept: str, sets: Iterable[str]) -> str | None:
        """Whether a concept is `in`, or `undecided` for, some of the value sets."""
        found = {status for _, _, status in self._terminology.membership([concept], sets)}
        return "in" if "in" in found else "undecided" if found else None

    def _other(self, feature: Feature, table: str, row: Mapping[str, Any]) -> tuple[str, ...]:
        """What a code that does not tell may stand for: one of several drugs; a member of the value set, or not.

        A group of ATC within the set has no wash-out: it may be the member with the shortest, or with the longest.
        """
        if table not in CODED:
            return ()
        concept, sets = row["concept"], _sets(feature)
        status = self._status(concept, sets) if sets else None
        if status == "undecided":
            return ("other", *(member for name in sorted(sets) for member in self._terminology.members(name)[:1]))
        drugs = self._terminology.drugs_of(concept) if table == "exposure" else ()
        if feature.kind == "WashoutCondition" and status == "in" and not drugs and _is_group(concept):
            members = {member for name in sets for member in self._terminology.members(name)}
            known = [one for one in self._terminology.drug_attributes(members) if one.washout5 is not None]
            known.sort(key=lambda one: one.washout5 or 0)
            return tuple(one.concept for one in (*known[:1], *known[1:][-1:]))
        return drugs if len(drugs) > 1 else ()

    # ---- what answers lead to -----------------------------------------------------------------------------------

    def _one_of(self, one: OpenFeature) -> list[_Try]:
        """Records that contradict each other: each alone, without the others."""
        mine, records = self._patient(one.ask.patient), one.records
        if not mine.may_contradict(records):
            return []
        rows = {
            record: [Edit(*mine.rows[place][:2], gone=True) for place in mine.of_record.get(record, ())]
            for record in records
        }
        alone = tuple(tuple(edit for other in records if other != record for edit in rows[other]) for record in records)
        return [_Try((), alone, records)]

    def _bounds(self, tries: Sequence[tuple[OpenFeature, Answer]], options: FeatureOptions) -> Iterator[Bound]:
        """The bounds of each feature if the answer were so, in order."""
        copies: dict[_Copy, list[int]] = {}
        for number, (one, answer) in enumerate(tries):
            copy = _Copy(one.ask.patient, frozenset(answer), one.feature.kind not in _WITHOUT_RESULTS)
            copies.setdefault(copy, []).append(number)
        found: dict[int, Bound] = {}
        for some in self._chunks(list(copies)):
            asked = [[(number, tries[number][0]) for number in copies[copy]] for copy in some]
            found |= self._computed(self._copied(some), asked, options)
        return iter([found[number] for number in range(len(tries))])

    def _chunks(self, copies: Sequence[_Copy]) -> Iterator[list[_Copy]]:
        """The copies in parts that fit into memory together."""
        part: list[_Copy] = []
        rows = 0
        for copy in copies:
            part.append(copy)
            rows += sum(len(self._numbers(name).get(copy.patient, ())) for name in self._tables_of(copy))
            if rows >= ROWS:
                yield part
                part, rows = [], 0
        if part:
            yield part

    def _tables_of(self, copy: _Copy) -> list[str]:
        """The tables of which a copy has rows."""
        return [name for name in self._tables if copy.results or name != "measurement"]

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

    def _copied(self, copies: Sequence[_Copy]) -> dict[str, pa.Table]:
        """The fact tables of copies, numbered from 0, with the edits of each."""
        import pyarrow as pa

        tables = dict(self._none)
        for name, table in self._tables.items():
            numbers: list[int] = []
            owners: list[str] = []
            edited: list[dict[str, Any]] = []
            for place, copy in enumerate(copies):
                mine = [edit for edit in copy.edits if edit.table == name]
                touched = {edit.row for edit in mine}
                rows = self._numbers(name).get(copy.patient, ()) if name in self._tables_of(copy) else ()
                kept = [number for number in rows if number not in touched] if touched else rows
                numbers += kept
                owners += [str(place)] * len(kept)
                edited += self._edited(str(place), copy.patient, mine)
            made = table.take(pa.array(numbers, pa.int64()))
            made = made.set_column(0, "patient", pa.array(owners, pa.string()))
            tables[name] = pa.concat_tables([made, pa.Table.from_pylist(edited, schema=made.schema)])
        return tables

    def _edited(self, copy: str, patient: str, edits: Sequence[Edit]) -> list[dict[str, Any]]:
        """The rows of one table that a copy has anew or otherwise than the patient."""
        new = [dict(edit.cells) for edit in edits if edit.row is None]
        changed: dict[int, dict[str, Any]] = {}
        for edit in edits:
            if edit.row is not None and not edit.gone:
                changed.setdefault(edit.row, {}).update(edit.cells)
        mine = self._patient(patient).rows if changed else ()
        rows = {number: row for table, number, row in mine if table == edits[0].table}
        return [
            {**row, "patient": copy} for row in (*new, *(rows[number] | cells for number, cells in changed.items()))
        ]


_FIRST_DAY = {
    "patient": "birth_from",
    "exposure": "start_from",
    "condition": "onset_from",
    "procedure": "from_from",
    "allergy": "recorded_from",
}
"""The column with the first day of a fact, where it is not `date_from`."""


def _in_order(of: tuple[str, int, dict[str, Any]]) -> tuple[int, str, str, str]:
    """What rows of a patient are ordered by: table, first day, record, and all that is said."""
    table, _, row = of
    first = row[_FIRST_DAY.get(table, "date_from")]
    return _DOUBTFUL.index(table), str(first or ""), row["record"], str(list(row.values()))


def _needs(feature: Feature) -> frozenset[str]:
    """The details that count for a feature (`Place.needs`)."""
    kind = feature.kind
    counting = {
        "dates": kind != "ClassificationCondition",
        "dose": "Dose" in kind or kind in ("RenalWorseningCondition", "TreatmentChangeCondition"),
        "weight": feature.get("perKilogram") is True,
        "route": feature.get("route") is not None,
        "severity": feature.get("severity") is not None or feature.get("which") == "severe",
        "method": feature.get("method") is not None,
        "volume": kind == "DonatedVolumeCondition",
        "uln": "Positive" in kind or feature.get("quantity") == "timesUpperLimit",
        "lln": feature.get("quantity") == "timesLowerLimit",
    }
    return frozenset(name for name, counts in counting.items() if counts)


def _beside(feature: Feature) -> tuple[str, ...]:
    """Tables of which a feature needs rows that are of no value set: a body weight, the person of a pregnancy test."""
    if feature.kind == "PregnancyCondition" or feature.get("validFor") == "pregnancyTest":
        return ("patient",)
    return ("measurement",) if feature.get("perKilogram") is True else ()


def _is_group(concept: str) -> bool:
    """Whether a concept is an ATC code of a group of medicines, shorter than that of a substance."""
    return concept.startswith("atc:") and len(concept) < len("atc:L04AF01")


def _sets(feature: Feature) -> set[str]:
    """The value sets of a feature."""
    named = (feature.get(parameter, ()) for parameter in _SETS)
    return {name for value in named for name in (value if isinstance(value, tuple) else (str(value),))}


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


def _merged(uncertain: Iterable[Doubt]) -> list[Doubt]:
    """One doubt of each detail of a record, however many rows the record has: they are answered alike."""
    same: dict[tuple[str, str, int], list[Doubt]] = {}
    for doubt in uncertain:
        same.setdefault((doubt.record, doubt.asked, len(doubt.answers)), []).append(doubt)
    return [
        replace(
            some[0], answers=tuple(sum(answers, ()) for answers in zip(*(one.answers for one in some), strict=True))
        )
        for some in same.values()
    ]


def _one(uncertain: Sequence[Doubt]) -> list[_Try]:
    """Each detail alone."""
    return [_Try((doubt,), doubt.answers) for doubt in uncertain]


def _two(uncertain: Sequence[Doubt]) -> list[_Try]:
    """Two details at a time: of all records, or where that would be too many, of one record."""
    together = [uncertain] if len(uncertain) <= COMBINED else _by_record(uncertain)
    few = (mine for mine in together if len(mine) <= COMBINED)
    return [_Try(pair, _combined(pair)) for mine in few for pair in combinations(mine, PAIR)]


def _all(uncertain: Sequence[Doubt]) -> list[_Try]:
    """All details of each record, and of all records."""
    records = [tuple(mine) for mine in _by_record(uncertain)]
    chosen = [some for some in dict.fromkeys([*records, tuple(uncertain)]) if len(some) > PAIR]
    return [_Try(some, _combined(some)) for some in chosen]


def _without_one(attempt: Attempt) -> list[_Try]:
    """All details but one, each in turn."""
    fewer = [tuple(other for other in attempt.doubts if other is not doubt) for doubt in attempt.doubts]
    return [_Try(left, _combined(left)).with_given(attempt.given) for left in fewer if len(left) >= PAIR]


def _by_record(uncertain: Sequence[Doubt]) -> list[list[Doubt]]:
    """The doubts of each record."""
    found: dict[str, list[Doubt]] = {}
    for doubt in uncertain:
        found.setdefault(doubt.record, []).append(doubt)
    return list(found.values())


def _combined(some: Sequence[Doubt]) -> tuple[Answer, ...]:
    """Answers to some doubts at once: every combination of the extremes; of many doubts all first or all last ones."""
    ends = [(doubt.answers[0], doubt.answers[-1]) for doubt in some]
    chosen = product(*ends) if len(ends) <= CROSSED else zip(*ends, strict=True)
    return tuple(tuple(edit for answer in answers for edit in answer) for answers in chosen)
