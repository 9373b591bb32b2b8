"""Outcomes of trials side by side: what is measured when, what could be pooled, what only looks alike.

Everything is computed from the definitions in the graph: two outcomes are measured alike when they report the same
number of the same instrument, or ask for the same clauses, and share a time point.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import pyoxigraph as ox

from sle_kg import criteria as c
from sle_kg.compare.clauses import (
    MEASURED,
    Clause,
    Difference,
    clause_differences,
    clauses,
    concepts,
    instrument_differences,
    label,
)
from sle_kg.compare.model import TrialColumn, chosen, column
from sle_kg.compare.reader import Reader
from sle_kg.graph import build_store
from sle_kg.namespaces import SLE, TRIAL
from sle_kg.outcomes import Outcome, OutcomeDefinition, Schedule, outcomes_in

SCREENING = "screening"
_EVENTS = {"treatmentEmergent": "treatment-emergent adverse events", "doseLimiting": "dose-limiting toxicities"}
_UNDEFINED = "undefined"


@dataclass(frozen=True, slots=True)
class Measure:
    """One way in which a trial measures something.

    `row` is the outcome's id, or the ids of the eligibility rows that ask for a score at screening. `use` is the kind
    of the row (`measure`, `component`, `expected`, `screening`). `words` says how it is defined, `asks` what exactly is
    computed, `measured` are the instruments and tests, `about` everything that the matrix lists it under. `reading` is
    the reading under which alone it is used, `default` whether that is the default one.
    """

    trial: str
    row: str
    use: str
    key: str
    kind: str
    words: str
    asks: str
    measured: tuple[str, ...]
    about: tuple[str, ...]
    time_points: tuple[str, ...]
    schedule: Schedule
    reports: str = "value"
    reading: str | None = None
    default: bool = True
    infusion_day: str | None = None
    clauses: tuple[Clause, ...] = ()
    events: str | None = None
    scales: tuple[str, ...] = ()
    minimum: str | None = None
    why: str | None = None
    quotation: str = ""

    @property
    def name(self) -> str:
        """`NCT06710717 O2 (clinical SLEDAI-2K = 0)`."""
        return f"{self.trial} {self.row} ({self.words})"


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """An instrument, test, state or treatment with the outcome rows that use it, by time point and trial."""

    key: str
    label: str
    cells: dict[str, dict[str, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two measures that are the same or look alike. `time_points` are those that both have."""

    left: Measure
    right: Measure
    differences: tuple[Difference, ...]
    time_points: tuple[str, ...]
    poolable: bool


@dataclass(frozen=True, slots=True)
class Unshown:
    """An outcome that the record promises and its schedule cannot show, and why."""

    measure: Measure
    why: str


@dataclass(frozen=True, slots=True)
class OutcomeComparison:
    """The outcomes of trials side by side; time points of the matrix in order."""

    trials: tuple[TrialColumn, ...]
    time_points: tuple[str, ...]
    matrix: tuple[MatrixRow, ...]
    poolable: tuple[Pair, ...]
    look_alikes: tuple[Pair, ...]
    beyond_schedule: tuple[Unshown, ...]


def compare_outcomes(ids: Sequence[str] | None = None) -> OutcomeComparison:
    """Compare the outcomes of these trials (NCT numbers), or of all modelled trials.

    Raises InputError for a number that is not in the graph.
    """
    return compare_outcomes_in(build_store(), ids)


def compare_outcomes_in(store: ox.Store, ids: Sequence[str] | None = None) -> OutcomeComparison:
    """`compare_outcomes` on a graph that is already built."""
    reader, nodes = Reader(store), chosen(store, ids)
    columns: list[TrialColumn] = []
    measures: list[Measure] = []
    for id, node in nodes.items():
        outcomes = outcomes_in(store, id)
        parents = {outcome.id: outcome for outcome in outcomes}
        measures += _screening(reader, id, node)
        for outcome in outcomes:
            measures += _measures(reader, outcome, parents.get(outcome.parent or "", outcome).schedule)
        columns.append(column(reader, id, node))
    pairs = tuple(_pairs(reader, measures))
    return OutcomeComparison(
        trials=tuple(columns),
        time_points=tuple(_in_order({point for measure in measures for point in measure.time_points})),
        matrix=tuple(_matrix(reader, measures)),
        poolable=tuple(pair for pair in pairs if pair.poolable),
        look_alikes=tuple(pair for pair in pairs if not pair.poolable),
        beyond_schedule=tuple(_beyond_schedule(measures)),
    )


# ---- what is measured ------------------------------------------------------------------------------------------------


def _measures(reader: Reader, outcome: Outcome, schedule: Schedule) -> Iterator[Measure]:
    """The definitions of an outcome row, trees under the default readings; a component has its outcome's schedule."""
    row = ox.NamedNode(f"{TRIAL}{outcome.trial}/{outcome.id}")
    for definition in outcome.definitions:
        node = ox.NamedNode(definition.iri)
        condition = None if definition.condition is None else c.under_readings(definition.condition, {})
        features = [node.feature for node in c.walk(condition) if isinstance(node, c.Leaf)] if condition else []
        features += [feature for feature in (definition.value, definition.change) if feature is not None]
        reading = reader.node(node, "underReading")
        scales = tuple(reader.shown(scale) for scale in reader.values(row, "measuredBy")) if definition.events else ()
        yield Measure(
            trial=outcome.trial,
            row=outcome.id,
            use=outcome.kind,
            key=definition.key,
            kind=definition.kind,
            words=definition.words,
            asks=_asks(reader, definition, condition),
            measured=_distinct(name for feature in features for name in concepts(feature, MEASURED)),
            about=_about(reader, node, row, definition, features),
            time_points=_time_points(schedule, definition.kind),
            schedule=schedule,
            reports=definition.reports,
            reading="=".join(definition.reading) if definition.reading else None,
            default=reading is None or reader.text(reading, "isDefault") == "true",
            infusion_day=reader.text(row, "infusionDay"),
            clauses=clauses(reader, condition),
            events=definition.events,
            scales=scales,
            minimum=definition.minimum,
            why=definition.why,
            quotation=outcome.text,
        )


def _about(
    reader: Reader, node: ox.NamedNode, row: ox.NamedNode, definition: OutcomeDefinition, features: Iterable[c.Feature]
) -> tuple[str, ...]:
    """What the matrix lists a definition under: states, instruments and tests, else treatments; or events."""
    if definition.kind == "undefined":
        return (_UNDEFINED,)
    if definition.events:
        return (definition.events, *(scale.value.removeprefix(SLE) for scale in reader.nodes(row, "measuredBy")))
    measured = [name for feature in features for name in concepts(feature, MEASURED)]
    return _distinct(
        [*_states(reader, node), *(measured or (name for feature in features for name in concepts(feature)))]
    )


def _states(reader: Reader, node: ox.NamedNode) -> Iterator[str]:
    """The named states in a definition's tree."""
    for name in ("condition", "operand", "option"):
        for below in reader.nodes(node, name):
            if "ResponseState" in reader.kinds(below):
                yield below.value.removeprefix(SLE)
            else:
                yield from _states(reader, below)


def _asks(reader: Reader, definition: OutcomeDefinition, condition: c.Condition | None) -> str:
    """What exactly is computed, from the tree."""
    wanted = " and ".join(clause.words for clause in clauses(reader, condition))
    match definition.kind:
        case "state":
            return f"whether {wanted}"
        case "duration":
            months = f"at least {definition.minimum[1:-1]} months of " if definition.minimum else "days of "
            return f"{months}{wanted}"
        case "value":
            feature = definition.value or definition.change
            names = " or ".join(label(reader, name) for name in concepts(feature)) if feature else ""
            return f"change of {names} since baseline" if definition.reports == "change" else f"value of {names}"
        case "events":
            return f"number of {_EVENTS[definition.events or '']}"
    return definition.why or ""


def _screening(reader: Reader, id: str, trial: ox.NamedNode) -> Iterator[Measure]:
    """The scores that a trial's eligibility rows ask for, one measure for each instrument."""
    rows = [row for row in reader.subjects("ofTrial", trial) if reader.node(row, "condition") is not None]
    found: dict[str, list[str]] = {}
    for row in sorted(rows, key=lambda row: int(reader.text(row, "position") or 0)):
        condition, name = reader.node(row, "condition"), reader.text(row, "criterionId")
        for leaf in reader.leaves(condition) if condition and name else []:
            for node in reader.nodes(leaf, "instrument"):
                found.setdefault(node.value.removeprefix(SLE), []).append(name or "")
    for instrument, names in found.items():
        yield Measure(
            trial=id,
            row=", ".join(dict.fromkeys(names)),
            use=SCREENING,
            key=instrument,
            kind="value",
            words=label(reader, instrument),
            asks=f"value of {label(reader, instrument)} at screening",
            measured=(instrument,),
            about=(instrument,),
            time_points=(SCREENING,),
            schedule=Schedule(),
        )


# ---- when it is measured ---------------------------------------------------------------------------------------------


def _time_points(schedule: Schedule, kind: str) -> tuple[str, ...]:
    """The time points of a schedule in words; without any, the patient's own visits or the time frame."""
    named = [*(f"week {week}" for week in schedule.weeks), *(f"month {month}" for month in schedule.months)]
    if named:
        return tuple(named)
    if schedule.within_days is not None:
        return (f"within {schedule.within_days} days",)
    if schedule.to_month is not None:
        return (f"day {schedule.from_day or 0} to month {schedule.to_month}",)
    frame = "follow-up" if kind == "events" else "own visits"
    return (f"{frame}, at least to week {schedule.minimum_weeks}" if schedule.minimum_weeks else frame,)


def _in_order(points: Iterable[str]) -> list[str]:
    """Screening, then named time points by day, then the others by name."""

    def order(point: str) -> tuple[int, int, str]:
        unit, _, number = point.partition(" ")
        if point == SCREENING:
            return 0, 0, point
        if unit in ("week", "month") and number.isdecimal():
            return 1, 7 * int(number) if unit == "week" else _days(int(number)), point
        return 2, 0, point

    return sorted(points, key=order)


def _days(months: int) -> int:
    """Days of a number of calendar months, on average: 12 months are 365 days."""
    return months * 365 // 12


def _last_day(schedule: Schedule) -> int | None:
    """The last day after the infusion that a schedule is sure to reach; None where it names none."""
    days = [7 * week for week in schedule.weeks] + [_days(month) for month in schedule.months]
    days += [7 * schedule.minimum_weeks] if schedule.minimum_weeks else []
    days += [_days(schedule.to_month)] if schedule.to_month else []
    return max(days, default=None)


# ---- the matrix ------------------------------------------------------------------------------------------------------


def _matrix(reader: Reader, measures: Iterable[Measure]) -> list[MatrixRow]:
    """The subjects that most trials share first, then as they come."""
    cells: dict[str, dict[str, dict[str, list[str]]]] = {}
    for measure in measures:
        shown = measure.row if measure.default else f"{measure.row} ({measure.reading})"
        for name in measure.about:
            for point in measure.time_points:
                rows = cells.setdefault(name, {}).setdefault(point, {}).setdefault(measure.trial, [])
                if shown not in rows:
                    rows.append(shown)
    found = [
        MatrixRow(
            name,
            _subject(reader, name),
            {point: {id: tuple(rows) for id, rows in points[point].items()} for point in _in_order(points)},
        )
        for name, points in cells.items()
    ]
    return sorted(found, key=lambda row: -len({id for trials in row.cells.values() for id in trials}))


def _subject(reader: Reader, name: str) -> str:
    return "(left undefined)" if name == _UNDEFINED else _EVENTS.get(name) or label(reader, name)


# ---- pairs -----------------------------------------------------------------------------------------------------------


def _pairs(reader: Reader, measures: Sequence[Measure]) -> Iterator[Pair]:
    """Measures of two trials that are the same or look alike, and definitions of one row that look alike."""
    found = [
        (left, right)
        for left, right in combinations(measures, 2)
        if (
            left.row == right.row and _one_of_two(reader, left, right)
            if left.trial == right.trial
            else _alike(reader, left, right) and not {_restated(left, measures), _restated(right, measures)} & {True}
        )
    ]
    direct = {_places(left, right) for left, right in found if left.kind == right.kind}
    for left, right in found:
        if left.kind == right.kind or _places(left, right) not in direct:
            yield _pair(reader, left, right)


def _places(left: Measure, right: Measure) -> tuple[object, ...]:
    """The two rows with what they measure: a value is compared with a state only where nothing nearer is there."""
    return left.trial, left.row, left.measured, right.trial, right.row, right.measured


def _restated(measure: Measure, measures: Iterable[Measure]) -> bool:
    """Whether an expected outcome says again what an outcome measure of the trial says."""
    said = (measure.trial, measure.kind, measure.measured, measure.clauses, measure.minimum, measure.reports)
    return measure.use == "expected" and any(
        said == (other.trial, other.kind, other.measured, other.clauses, other.minimum, other.reports)
        for other in measures
        if other.use == "measure"
    )


def _one_of_two(reader: Reader, left: Measure, right: Measure) -> bool:
    """Two definitions of one row: readings of one ambiguity, or measures easily taken for each other."""
    if left.reading and right.reading:
        return left.reading.split("=")[0] == right.reading.split("=")[0] and left.reading != right.reading
    return left.measured != right.measured and left.kind == right.kind and _same_or_similar(reader, left, right)


def _alike(reader: Reader, left: Measure, right: Measure) -> bool:
    """Measures of two trials: the same instruments and tests, or such as resemble each other; events of one kind.

    Components stand for themselves and are compared within their outcome. A score at screening is compared with others
    only where it is another version of theirs.
    """
    if "component" in (left.use, right.use) or not (left.default and right.default):
        return False
    if left.events or right.events:
        return left.events == right.events
    if SCREENING in (left.use, right.use):
        return (
            left.measured != right.measured
            and "value" == left.kind == right.kind
            and _same_or_similar(reader, left, right)
        )
    return bool(left.measured) and _same_or_similar(reader, left, right)


def _same_or_similar(reader: Reader, left: Measure, right: Measure) -> bool:
    return {_version(reader, name) for name in left.measured} == {_version(reader, name) for name in right.measured}


def _version(reader: Reader, name: str) -> str:
    """One name for an instrument, its total, and all that resemble it."""
    node = ox.NamedNode(SLE + name)
    total = reader.node(node, "hasTotal") or node
    return min([total.value, *(other.value for other in reader.nodes(total, "resembles"))])


def _pair(reader: Reader, left: Measure, right: Measure) -> Pair:
    """The two with their differences. Poolable: none but other time points beside shared ones, and day numbers."""
    differences = list(_differences(reader, left, right))
    shared = tuple(point for point in left.time_points if point in right.time_points)
    poolable = not differences and bool(shared)
    if left.time_points != right.time_points:
        differences.append(Difference("time points", listed(left.time_points), listed(right.time_points)))
    if left.infusion_day and right.infusion_day and left.infusion_day != right.infusion_day:
        differences.append(Difference("number of the day of infusion", left.infusion_day, right.infusion_day))
    return Pair(left, right, tuple(differences), shared, poolable)


def _differences(reader: Reader, left: Measure, right: Measure) -> Iterator[Difference]:
    """Everything but the schedule."""
    if left.clauses and right.clauses:
        if (left.kind, left.minimum) != (right.kind, right.minimum):
            yield Difference("what is computed", _held(left), _held(right))
        yield from clause_differences(reader, left.clauses, right.clauses)
    elif left.kind != right.kind:
        yield Difference("what is computed", left.asks, right.asks)
    elif left.measured != right.measured:
        for one, other in product(left.measured, right.measured):
            if one != other and _version(reader, one) == _version(reader, other):
                yield from instrument_differences(reader, one, other)
    elif left.reports != right.reports:
        yield Difference("what is reported", left.reports, right.reports)
    elif left.scales != right.scales:
        yield Difference("grading scale", listed(left.scales), listed(right.scales))


def _held(measure: Measure) -> str:
    """For how long the clauses of a state or duration must hold."""
    if measure.kind == "state":
        return "whether it holds at a time point"
    if measure.minimum is None:
        return "for how long it holds"
    return f"whether it holds at every assessment for at least {measure.minimum[1:-1]} months"


def listed(words: Iterable[str]) -> str:
    """Time points or scales in one line, `week` or `month` said once: `week 4, 8, 12`."""
    shown: list[str] = []
    unit = ""
    for word in words:
        first, _, rest = word.partition(" ")
        shown.append(rest if first == unit and rest.isdecimal() else word)
        unit = first if rest.isdecimal() else ""
    return ", ".join(shown)


# ---- what the schedule cannot show -----------------------------------------------------------------------------------


def _beyond_schedule(measures: Sequence[Measure]) -> Iterator[Unshown]:
    """Outcomes that the text promises and that the outcome measures of the trial, as scheduled, cannot show."""
    for measure in measures:
        planned = [
            other
            for other in measures
            if other.trial == measure.trial and other.use in ("measure", "component") and other.default
        ]
        if measure.default and (measure.use == "expected" or measure.minimum) and (why := _why(measure, planned)):
            yield Unshown(measure, why)


def _why(measure: Measure, planned: Sequence[Measure]) -> str | None:
    """Why the planned measures cannot show an outcome; None where they can."""
    if measure.kind == "undefined":
        return measure.why
    wanted = {clause.identity for clause in measure.clauses}
    serving = [
        other
        for other in planned
        if (measure.kind == "value" and other.kind == "value" and other.measured == measure.measured)
        or (wanted and wanted <= {clause.identity for clause in other.clauses})
    ]
    if not serving:
        known = {clause.identity for other in planned for clause in other.clauses}
        lacking = [clause.words for clause in measure.clauses if clause.identity not in known]
        return f"No outcome measure of the record assesses {' and '.join(lacking) or 'all of this together'}."
    rows = ", ".join(dict.fromkeys(other.row for other in serving))
    last = max((day for other in serving if (day := _last_day(other.schedule)) is not None), default=None)
    if measure.minimum and last is not None and last < _days(int(measure.minimum[1:-1])):
        ends = _in_order({point for other in serving for point in other.time_points})[-1]
        return f"It must last {measure.minimum[1:-1]} months, and {rows} is measured to {ends} at the latest."
    points = {point for other in serving for point in other.time_points}
    if measure.schedule.named and not points & set(measure.time_points):
        return f"It is promised at {listed(measure.time_points)}; {rows} is measured at {listed(_in_order(points))}."
    return None


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
