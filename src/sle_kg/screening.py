"""Screening: patients from files against trials on a date, with every verdict explained and the dates ahead.

Facts → features (bounds) → profiles → an engine's statuses → verdicts. Nothing that is dated after the screening date
is seen, planned events excepted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sle_kg import trials as registry
from sle_kg.advice import Advisor, Attempt, OpenFeature
from sle_kg.criteria import Feature, Leaf, Trial, walk
from sle_kg.engines import Engine, RowStatus, default_engine, get_engine
from sle_kg.errors import InputError
from sle_kg.evaluate import UNBOUNDED, Bound, Bounds, RuleSet, compare
from sle_kg.features.asks import EVENTS, WINDOWS, Ask, FeatureOptions, resolve_events
from sle_kg.patients.facts import DEATH, SECTIONS
from sle_kg.patients.medicine import periods
from sle_kg.profile import Profile
from sle_kg.refusals import Refusal, deaths, refusals
from sle_kg.timeline import Case, Probe, courses, may_pass_later
from sle_kg.verdict import Evidence, Status, Unread, Verdict
from sle_kg.verdicts import Dates, Subject, Unreadable, alternative_rules, build_verdict, overall, statuses
from sle_kg.wording import Words, ontology_label

if TYPE_CHECKING:
    import pyarrow as pa

    from sle_kg.features import FeatureBuilder
    from sle_kg.patients.facts import PatientData
    from sle_kg.terminology import Terminology

Progress = Callable[[int, int], None]
"""Called with the number of patients done and of all patients."""

GROUP = 200
"""Patients whose features are computed together."""
YEARS = (1900, 2999)
"""First and last year of a screening date or event: room for every window before, and two years after."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asks: trials (none: every trial with eligibility criteria), date, and what holds of every patient.

    `events`: actual or planned dates by event name; `complete`: sections complete up to the screening date; `windows`:
    days that a kind of result serves; `readings`: ambiguity → key; `engine`: its name, None for the default.
    """

    trials: tuple[str, ...] = ()
    on: dt.date = field(default_factory=dt.date.today)
    events: Mapping[str, dt.date] = field(default_factory=dict)
    complete: tuple[str, ...] = ()
    windows: Mapping[str, int] = field(default_factory=dict)
    code_map: Path | None = None
    readings: Mapping[str, str] = field(default_factory=dict)
    engine: str | None = None


def screen(
    files: Sequence[Path],
    options: Options,
    progress: Progress | None = None,
    passed_over: Callable[[Mapping[str, int]], None] = lambda counts: None,
) -> list[Verdict]:
    """The verdicts of all patients in the files, patients in the order of the input, trials in the order asked for.

    `passed_over` is told what was in the files and is of no concern: resource types and codes with their number.
    Raises InputError for options and files that cannot be used, MissingToolError for an engine that is not there.
    """
    session = Session(files, options)
    passed_over(session.data.skipped)
    everybody = session.data.patients
    verdicts: list[Verdict] = []
    for start in range(0, len(everybody), GROUP):
        done = partial(_report, progress, start, len(everybody))
        verdicts += session.judge(everybody[start : start + GROUP], done)
    return verdicts


def profiles(files: Sequence[Path], options: Options) -> list[Profile]:
    """What the shapes see of the patients; raises as `screen` does."""
    session = Session(files, options)
    return session.profiles(session.asks(session.data.patients))


def profile_document(files: Sequence[Path], options: Options, form: str) -> bytes:
    """The profiles as RDF in one of the formats of `export`, the same bytes each time."""
    from sle_kg.profile import serialize

    return serialize(profiles(files, options), form)


def chosen_trials(names: Sequence[str]) -> list[Trial]:
    """The trials to screen against, each once.

    Raises InputError for a name that is no modelled trial and for a trial whose record holds no eligibility criteria.
    """
    known = registry.load_trials()
    if not names:
        return [trial for trial in known.values() if trial.criteria]
    for name in names:
        if name not in known:
            listed = ", ".join(nct for nct, trial in known.items() if trial.criteria)
            raise InputError(f"--trial: {name!r} is no modelled trial; choose among {listed}")
        if not known[name].criteria:
            raise InputError(
                f"--trial: the record of {name}, in the copy used, holds no eligibility criteria, so nobody can be "
                "screened against it; check the registry or the protocol"
            )
    return [known[name] for name in dict.fromkeys(names)]


def check_options(options: Options) -> None:
    """Raises InputError for an event, section, window, reading or date that cannot be, saying which there are."""
    for option, names, allowed in (
        ("--event", options.events, EVENTS),
        ("--complete", options.complete, SECTIONS),
        ("--window", options.windows, tuple(WINDOWS)),
    ):
        for name in names:
            if name not in allowed:
                raise InputError(f"{option}: {name!r} is not known; choose among {', '.join(allowed)}")
    for name, day in {"--on": options.on, **{f"--event {name}": day for name, day in options.events.items()}}.items():
        if not YEARS[0] <= day.year <= YEARS[1]:
            raise InputError(f"{name}: {day} is no date of a trial; give one from {YEARS[0]} to {YEARS[1]}")
    for kind, days in options.windows.items():
        if days < 0:
            raise InputError(f"--window: {kind}={days} is negative; give a number of days, 0 or more")
    _check_readings(options.readings)


def _check_readings(readings: Mapping[str, str]) -> None:
    keys: dict[str, list[str]] = {}
    for trial in registry.load_trials().values():
        for reading in trial.readings:
            keys.setdefault(reading.ambiguity, []).append(reading.key)
    for ambiguity, key in readings.items():
        if ambiguity not in keys:
            raise InputError(
                f"--reading: {ambiguity!r} is no switchable ambiguity; there are {', '.join(sorted(keys))}"
            )
        if key not in keys[ambiguity]:
            there = ", ".join(sorted(keys[ambiguity]))
            raise InputError(f"--reading: {key!r} is no reading of {ambiguity}; its readings are {there}")


class Session:
    """The patients of one call, with everything that is read once."""

    def __init__(self, files: Sequence[Path] | PatientData, options: Options) -> None:
        """`files` hold the patients; or their facts, already read."""
        from sle_kg.features import FeatureBuilder
        from sle_kg.patients.codemap import read_code_map
        from sle_kg.patients.facts import PatientData
        from sle_kg.patients.read import read_patients
        from sle_kg.terminology import terminology

        check_options(options)
        self.options = options
        self.trials = chosen_trials(options.trials)
        engine = None if options.engine is None else get_engine(options.engine)
        self.terminology: Terminology = terminology()
        code_map = read_code_map(options.code_map, self.terminology) if options.code_map else None
        self.data = files if isinstance(files, PatientData) else read_patients(files, self.terminology, code_map)
        self.engine: Engine = engine or get_engine(default_engine(len(self.data.patients)))
        self.feature_options = FeatureOptions(frozenset(options.complete), options.windows)
        self.features = {trial.id: trial.features() for trial in self.trials}
        every = sorted({feature for some in self.features.values() for feature in some}, key=lambda f: f.slug)
        self.builder: FeatureBuilder = FeatureBuilder(self.data.tables, every, self.terminology)
        self.rules = {trial.id: RuleSet.of(trial, options.readings) for trial in self.trials}
        self.alternatives = {trial.id: alternative_rules(trial, options.readings) for trial in self.trials}
        self.facts = Facts(self.data.tables, options.on)
        self.advisor = Advisor(self.data.tables, self.terminology)

    def asks(self, patients: Sequence[str]) -> list[Ask]:
        """One ask for each patient and trial, on the screening date; patients first."""
        on = self.options.on
        events = {
            trial.id: resolve_events(self.data.tables, patients, trial.id, on, self.options.events)
            for trial in self.trials
        }
        pairs = [(patient, trial.id) for patient in patients for trial in self.trials]
        return [
            Ask(number, patient, trial, on, on, events[trial][patient]) for number, (patient, trial) in enumerate(pairs)
        ]

    def profiles(self, asks: Sequence[Ask], wanted: Mapping[str, Sequence[Feature]] | None = None) -> list[Profile]:
        """The profiles of the asks, in their order, with the features `wanted` of each trial (all that it declares)."""
        bounds: dict[int, dict[str, Bound]] = {ask.id: {} for ask in asks}
        records: dict[int, dict[str, tuple[str, ...]]] = {ask.id: {} for ask in asks}
        for value in self.builder.compute(asks, wanted or self.features, self.feature_options):
            bounds[value.ask][value.slug] = (value.lower, value.upper)
            records[value.ask][value.slug] = value.records
        return [
            Profile(
                ask.id,
                ask.patient,
                ask.trial,
                ask.on,
                bounds[ask.id],
                self.facts.attestations(ask.patient, ask.trial),
                records[ask.id],
            )
            for ask in asks
        ]

    def judge(self, patients: Sequence[str], done: Callable[[int], None]) -> list[Verdict]:
        """The verdicts of some patients; `done` is told how many of them the engine has judged."""
        asks = self.asks(patients)
        made = self.profiles(asks)
        found: dict[int, dict[str, RowStatus]] = {}
        step = self.engine.chunk * len(self.trials)
        for start in range(0, len(made), step):
            found |= self.statuses(made[start : start + step])
            done(min(start + step, len(made)) // len(self.trials))
        dates = self.dates(asks, made, found)
        attempts = self.attempts(asks, made, found)
        return [
            self.verdict(ask, profile, found[ask.id], dates[ask.id], attempts[ask.id])
            for ask, profile in zip(asks, made, strict=True)
        ]

    def attempts(
        self, asks: Sequence[Ask], made: Sequence[Profile], found: Mapping[int, Mapping[str, RowStatus]]
    ) -> dict[int, dict[str, tuple[Attempt, ...]]]:
        """By ask and feature the details of records that could settle what leaves rows unknown."""
        open_features = [
            OpenFeature(ask, leaves[0].feature, profile.records.get(slug, ()), partial(_settle, leaves))
            for ask, profile in zip(asks, made, strict=True)
            for slug, leaves in open_leaves(self.rules[ask.trial], profile.bounds, found[ask.id]).items()
        ]
        tried: dict[int, dict[str, tuple[Attempt, ...]]] = {ask.id: {} for ask in asks}
        settling = self.advisor.settling(open_features, self.feature_options)
        for one, some in zip(open_features, settling, strict=True):
            tried[one.ask.id][one.feature.slug] = some
        return tried

    def statuses(self, made: Sequence[Profile], rows: Sequence[str] | None = None) -> dict[int, dict[str, RowStatus]]:
        """What the engine says of the profiles, by ask."""
        found: dict[int, dict[str, RowStatus]] = {}
        for trial in self.trials:
            mine = [profile for profile in made if profile.trial == trial.id]
            if mine:
                found |= self.engine.statuses(trial, self.options.readings, mine, rows)
        return found

    def verdict(
        self,
        ask: Ask,
        profile: Profile,
        found: Mapping[str, RowStatus],
        dates: Dates,
        attempts: Mapping[str, Sequence[Attempt]],
    ) -> Verdict:
        """One verdict, explained."""
        subject = Subject(
            patient=ask.patient,
            on=ask.on,
            bounds=profile.bounds,
            records=profile.records,
            attestations=profile.attestations,
            attested=self.facts.attested(ask.patient, ask.trial),
            unreadable=self.facts.unreadable(ask.patient, ask.trial),
            evidence=partial(self.facts.evidence, ask.patient),
            words=self.words(ask, attempts),
            unread=self.facts.unread(ask.patient, ask.trial),
            stand_ins=frozenset(name for name, event in ask.events.items() if event.stand_in),
            unbound_consents=self.facts.unbound_consents(ask.patient),
        )
        rules = self.rules[ask.trial]
        return build_verdict(subject, rules, found, self.options.readings, self.alternatives[ask.trial], dates)

    def words(self, ask: Ask, attempts: Mapping[str, Sequence[Attempt]]) -> Words:
        """Sentences about one ask; `attempts` by feature are the details that could settle it."""
        return Words(
            ontology_label,
            self.terminology.is_open,
            self.feature_options.window,
            ask.on,
            {name: event.first for name, event in ask.events.items()},
            self.facts.blocking(ask.patient),
            complete=self.facts.complete(ask.patient, self.options.complete),
            until={name: event.last for name, event in ask.events.items()},
            attempts=attempts,
            line=partial(self.facts.evidence, ask.patient),
            refusals=self.facts.refusals(ask.patient, ask.trial),
        )

    def dates(
        self, asks: Sequence[Ask], made: Sequence[Profile], found: Mapping[int, Mapping[str, RowStatus]]
    ) -> dict[int, Dates]:
        """The dates ahead of every ask, those of passing confirmed by the engine."""
        cases = [Case(profile.ask, self.rules[profile.trial], profile.bounds, profile.attestations) for profile in made]
        status = {case.id: statuses(case.rules.trial, found[case.id]) for case in cases}
        failing = {case.id: [row for row, word in status[case.id].items() if word == "fail"] for case in cases}
        passing = {case.id: [row for row, word in status[case.id].items() if word == "pass"] for case in cases}
        waiting = {case.id: _waiting(case, status[case.id]) for case in cases}
        probe = partial(self.probe, {ask.id: ask for ask in asks})
        ahead = courses(cases, waiting, True, probe)
        keeping = courses(cases, passing, False, probe)
        dates: dict[int, Dates] = {}
        for ask, case in zip(asks, cases, strict=True):
            first = _days(failing[case.id], ahead[case.id].first_pass if case.id in ahead else None)
            last = _days(passing[case.id], keeping[case.id].last_pass if case.id in keeping else None)
            if overall(case.rules.trial, status[case.id]) == "eligible":
                eligible: int | None = 0
            else:
                eligible = ahead[case.id].first_eligible() if case.id in ahead else None
            dates[case.id] = Dates(
                {row: ask.on + dt.timedelta(days=days) for row, days in first.items()},
                {row: ask.on + dt.timedelta(days=days) for row, days in last.items()},
                None if eligible is None else ask.on + dt.timedelta(days=eligible),
            )
        return self.confirmed(asks, dates)

    def probe(self, asks: Mapping[int, Ask], probes: Sequence[Probe], features: Sequence[Feature]) -> list[Bounds]:
        """The bounds of features some days later (see `timeline.Prober`)."""
        later = [asks[probe.case].moved(number, probe.days, probe.repeat) for number, probe in enumerate(probes)]
        wanted = {ask.trial: features for ask in later}
        return [profile.bounds for profile in self.profiles(later, wanted)]

    def confirmed(self, asks: Sequence[Ask], dates: Mapping[int, Dates]) -> dict[int, Dates]:
        """The dates that the engine confirms: each row that is to pass from a day passes on that day.

        A date that it does not confirm is not given.
        """
        wanted: dict[tuple[str, ...] | None, list[tuple[Ask, dt.date]]] = {}
        for ask in asks:
            tops = [row.id for row in self.rules[ask.trial].trial.criteria if row.parent is None]
            rows_of: dict[dt.date, dict[str, None]] = {}
            for row, day in dates[ask.id].passes_from.items():
                rows_of.setdefault(day, {})[row] = None
            eligible = dates[ask.id].earliest_eligible
            if eligible is not None and eligible > ask.on:
                rows_of.setdefault(eligible, {}).update(dict.fromkeys(tops))
            for day, rows in rows_of.items():
                wanted.setdefault(tuple(rows) if self.engine.by_rows else None, []).append((ask, day))
        good: set[tuple[int, str, dt.date]] = set()
        for names, pairs in wanted.items():
            later = [ask.moved(number, (day - ask.on).days, True) for number, (ask, day) in enumerate(pairs)]
            found = self.statuses(self.profiles(later), names)
            for moved, (ask, day) in zip(later, pairs, strict=True):
                status = statuses(self.rules[ask.trial].trial, found[moved.id])
                good |= {(ask.id, row, day) for row, word in status.items() if word in ("pass", "not-applicable")}
        return {ask.id: self._kept(ask, dates[ask.id], good) for ask in asks}

    def _kept(self, ask: Ask, dates: Dates, good: AbstractSet[tuple[int, str, dt.date]]) -> Dates:
        """The dates of one ask without those that were not confirmed (ask, row, day)."""
        tops = [row.id for row in self.rules[ask.trial].trial.criteria if row.parent is None]
        eligible = dates.earliest_eligible
        if eligible is not None and eligible > ask.on and not all((ask.id, row, eligible) in good for row in tops):
            eligible = None
        passing = {row: day for row, day in dates.passes_from.items() if (ask.id, row, day) in good}
        return Dates(passing, dates.valid_until, eligible)


class Facts:
    """What verdicts need of the fact tables beside features: evidence lines, attestations, unread records."""

    def __init__(self, tables: Mapping[str, pa.Table], on: dt.date) -> None:
        self._on = on
        known = registry.load_trials().values()
        self._rows = {trial.id: frozenset(row.id for row in trial.criteria) for trial in known}
        self._records: dict[tuple[str, str], tuple[str, str, str | None]] = {}
        columns = tables["record"].to_pydict()
        for patient, record, what, value, date in zip(
            *(columns[name] for name in ("patient", "record", "what", "value", "date")), strict=True
        ):
            self._records[patient, record] = (what or "", value or "", date)
        self._periods = periods(tables["exposure"])
        self._attestations = self._by_patient(tables["attestation"])
        self._unread = self._by_patient(tables["unread"])
        self._consents = self._by_patient(tables["consent"])
        self._complete = self._by_patient(tables["completeness"])
        events = self._by_patient(tables["event"]).items()
        died = ((patient, [row for row in rows if row["event"] == DEATH]) for patient, rows in events)
        self._deaths = {patient: rows for patient, rows in died if rows}

    def _by_patient(self, table: pa.Table) -> dict[str, list[dict[str, Any]]]:
        """The rows that are not dated after the screening date, by patient: by date and text, as in any input."""
        found: dict[str, list[dict[str, Any]]] = {}
        for row in table.to_pylist():
            if row["date_from"] is None or row["date_from"] <= self._on:
                found.setdefault(row["patient"], []).append(row)
        for rows in found.values():
            rows.sort(key=lambda row: (str(row["date_from"] or ""), row["record"], str(list(row.values()))))
        return found

    def evidence(self, patient: str, record: str) -> Evidence:
        """The evidence line of a record; what is no record was said on the command line."""
        if (patient, record) in self._records:
            return Evidence(record, *self._records[patient, record], self._periods.get((patient, record)))
        return Evidence(record, "said on the command line", "", self._on.isoformat())

    def attested(self, patient: str, trial: str) -> dict[str, tuple[Evidence, ...]]:
        """The attestations that count, by row: the latest; several where their order is not known."""
        return {
            row: tuple(self.evidence(patient, fact["record"]) for fact in facts)
            for row, facts in self._counting(patient, trial).items()
        }

    def attestations(self, patient: str, trial: str) -> dict[str, frozenset[bool]]:
        """What is attested of each row of a trial; an attestation that cannot be read may say either."""
        return {
            row: frozenset(said for fact in facts for said in _sides(fact["value"]))
            for row, facts in self._counting(patient, trial).items()
        }

    def unreadable(self, patient: str, trial: str) -> dict[str, tuple[Unreadable, ...]]:
        """Of the attestations that count those that cannot be read, by row."""
        why = {row["record"]: row["why"] or "" for row in self._unread.get(patient, ())}
        found: dict[str, tuple[Unreadable, ...]] = {}
        for row, facts in self._counting(patient, trial).items():
            open_ = {fact["record"]: fact["date_to"] is not None for fact in facts if fact["value"] is None}
            said = (
                Unreadable(record, self.evidence(patient, record).date, why.get(record, ""), dated)
                for record, dated in sorted(open_.items())
            )
            if open_:
                found[row] = tuple(said)
        return found

    def unread(self, patient: str, trial: str) -> tuple[Unread, ...]:
        """The records of a patient that were not understood, attestations of rows that the trial has not among them."""
        pointless = (
            Unread(fact["record"], f"attest:{trial}/{fact['criterion']}", "", f"{trial} has no such criterion")
            for fact in self._attestations.get(patient, ())
            if fact["trial"] == trial and fact["criterion"] not in self._rows[trial]
        )
        unread = (
            Unread(row["record"], row["code"] or "", row["display"] or "", row["why"] or "")
            for row in self._unread.get(patient, ())
        )
        return (*unread, *pointless)

    def blocking(self, patient: str) -> dict[str, tuple[str, ...]]:
        """By section, the records not understood, which keep it from counting as complete."""
        found: dict[str, list[str]] = {}
        for row in self._unread.get(patient, ()):
            if row["section"]:
                name = f"{row['record']} ({row['display']})" if row["display"] else str(row["record"])
                found.setdefault(row["section"], []).append(name)
        return {section: tuple(names) for section, names in found.items()}

    def complete(self, patient: str, stated: Sequence[str]) -> dict[str, dt.date]:
        """By section the day up to which it is said to be complete, by the record or for everybody (`stated`)."""
        found = dict.fromkeys(stated, self._on)
        for row in self._complete.get(patient, ()):
            if row["date_from"] is not None:
                found[row["section"]] = max(row["date_from"], found.get(row["section"], dt.date.min))
        return found

    def unbound_consents(self, patient: str) -> tuple[Evidence, ...]:
        """Research consents that name no trial: they settle no row."""
        rows = [row for row in self._consents.get(patient, ()) if row["trial"] is None]
        return tuple(self.evidence(patient, row["record"]) for row in rows)

    def refusals(self, patient: str, trial: str) -> tuple[Refusal, ...]:
        """What stands against the consent of a patient to a trial: a death above all."""
        if died := self._deaths.get(patient):
            return deaths(died)
        return refusals((row for row in self._consents.get(patient, ()) if row["trial"] == trial), self._on)

    def _counting(self, patient: str, trial: str) -> dict[str, list[dict[str, Any]]]:
        by_row: dict[str, list[dict[str, Any]]] = {}
        if patient in self._deaths:  # nothing is settled of the deceased
            return by_row
        for fact in self._attestations.get(patient, ()):
            if fact["trial"] == trial and fact["criterion"] in self._rows[trial]:
                by_row.setdefault(fact["criterion"], []).append(fact)
        return {row: _latest(facts) for row, facts in by_row.items()}


def _sides(value: bool | None) -> tuple[bool, ...]:
    """What an attestation may say."""
    return (True, False) if value is None else (value,)


def _latest(facts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The facts that no other one is certainly later than."""
    latest = max((fact["date_from"] for fact in facts if fact["date_from"]), default=dt.date.min)
    return [fact for fact in facts if fact["date_to"] is None or fact["date_to"] >= latest]


def _waiting(case: Case, status: Mapping[str, Status]) -> list[str]:
    """The rows whose course decides when a failing row, or the whole patient, would pass; none where time is no help.

    Where every top-level row that does not pass may pass later, all rows are watched: others may fail by then.
    """
    tops = [row.id for row in case.rules.trial.criteria if row.parent is None]
    against = [row for row in tops if status[row] in ("fail", "unknown")]
    if against and all(may_pass_later(case, row) for row in against):
        return list(status)
    return [row for row, word in status.items() if word == "fail" and may_pass_later(case, row)]


def open_leaves(rules: RuleSet, bounds: Bounds, found: Mapping[str, RowStatus]) -> dict[str, list[Leaf]]:
    """The comparisons of unknown rows that are not known, by feature."""
    leaves: dict[str, list[Leaf]] = {}
    for row, condition in rules.conditions.items():
        if found[row].met is None and not found[row].not_applicable:
            for node in walk(condition):
                if isinstance(node, Leaf) and compare(node, bounds.get(node.feature.slug, UNBOUNDED)) is None:
                    leaves.setdefault(node.feature.slug, []).append(node)
    return leaves


def _settle(leaves: Sequence[Leaf], bound: Bound) -> bool:
    """Whether a bound makes one of the leaves over its feature known."""
    return any(compare(leaf, bound) is not None for leaf in leaves)


def _days(rows: Sequence[str], find: Callable[[str], int | None] | None) -> dict[str, int]:
    """The day of each row for which there is one."""
    if find is None:
        return {}
    return {row: day for row in rows if (day := find(row)) is not None}


def _report(progress: Progress | None, start: int, total: int, done: int) -> None:
    if progress is not None:
        progress(start + done, total)
