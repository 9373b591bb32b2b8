"""Records and reasons of single patients of a cohort, as `screen` gives them: read in a second pass, for them alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sle_kg.cohort.summary import CohortSummary
from sle_kg.cohort.tables import CohortTables
from sle_kg.errors import InputError
from sle_kg.patients.facts import PatientData
from sle_kg.screening import Options, Session, chosen_trials
from sle_kg.verdict import Verdict

Rows = Mapping[str, Sequence[str]]
"""By trial the rows asked for."""


def rows_asked(names: Iterable[str], options: Options) -> Rows:
    """`TRIAL/ROW` names by trial. Raises InputError for one that is no row of a trial screened."""
    trials = {trial.id: [row.id for row in trial.criteria] for trial in chosen_trials(options.trials)}
    found: dict[str, list[str]] = {}
    for name in names:
        trial, _, row = name.partition("/")
        if row not in trials.get(trial, ()):
            raise InputError(
                f"--evidence-of: {name!r} is no row of a trial screened; write TRIAL/ROW, the trial among "
                f"{', '.join(trials)}"
            )
        found.setdefault(trial, []).append(row)
    return found


def evidence(
    folder: Path, options: Options, patients: Sequence[str], rows: Rows, summary: CohortSummary
) -> tuple[Verdict, ...]:
    """The verdicts of some patients with every row explained; of `rows` only, where there are any.

    Where rows are asked for and no patient, the candidates that the summary lists for their trials are explained.
    Raises InputError for tables without evidence lines, and for a patient who is not in them, by his place among those
    given: his id is not said.
    """
    from sle_kg.patients.codemap import read_code_map
    from sle_kg.terminology import terminology

    tables = CohortTables.open(folder)
    if "record" not in tables.tables:
        raise InputError(
            f"--evidence: {folder} holds no record.parquet with the lines of evidence; make patient tables with sle-kg "
            "ingest-cohort"
        )
    there = set(tables.patients)
    for number, patient in enumerate(patients, 1):
        if patient not in there:
            raise InputError(f"--evidence: the patient given as number {number} is in none of the tables of {folder}")
    listed = {one.trial.id: {who.patient for who in one.candidates} for one in summary.trials}
    wanted = {trial: set(patients) or listed[trial] for trial in (rows or listed)}
    chosen = sorted(set().union(*wanted.values()))
    if not chosen:
        return ()
    code_map = read_code_map(options.code_map, terminology(), routes=False) if options.code_map else {}
    facts = PatientData(tables.read_only(chosen, options.on, code_map, evidence=True), {}, chosen)
    session = Session(facts, replace(options, trials=tuple(wanted), code_map=None, engine="sql"))
    return tuple(
        replace(verdict, criteria=tuple(row for row in verdict.criteria if row.id in rows[verdict.trial]))
        if rows
        else verdict
        for verdict in session.judge(chosen, lambda done: None)
        if verdict.patient in wanted[verdict.trial]
    )
