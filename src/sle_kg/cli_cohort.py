"""The command `cohort`: reads options, has the cohort judged, writes what it adds up to."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from sle_kg import cli_options as given
from sle_kg.errors import InputError


def cohort(
    folder: Annotated[
        str,
        typer.Argument(
            metavar="DIR",
            help="Patient tables in Parquet, as ingest-cohort and example-cohort write. For Spark also an address "
            "(hdfs://, s3a:// …), or delta: and the address of Delta tables.",
        ),
    ],
    on: given.On = None,
    trial: given.Trials = None,
    event: given.Events = None,
    complete: given.Complete = None,
    window: given.Windows = None,
    code_map: given.CodeMap = None,
    reading: given.Readings = None,
    engine: Annotated[
        str,
        typer.Option("--engine", metavar="NAME", help="sql; spark; or shacl: the shapes themselves, slowly."),
    ] = "sql",
    master: Annotated[
        str | None,
        typer.Option("--master", metavar="URL", help="Where Spark runs: local[2] (default), spark://…, yarn …"),
    ] = None,
    verdicts: Annotated[
        str | None,
        typer.Option(
            "--verdicts",
            metavar="FILE",
            help="Write the verdict of every patient and trial as Parquet. For Spark also a folder (with / at its "
            "end), an address, or delta: and the address of a Delta table, which Spark writes.",
        ),
    ] = None,
    candidates: Annotated[
        int | None,
        typer.Option(
            "--candidates",
            metavar="N",
            min=0,
            help="Candidates listed of each trial, at most: 20 in a table, else 100, unless N is given.",
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            metavar="FILE",
            help="Judge only patients whose facts changed since this file was written; write it anew.",
        ),
    ] = None,
    what_if: Annotated[
        bool,
        typer.Option(
            "--what-if", help="Count who would be gained by dropping a row or relaxing a limit, window or wash-out."
        ),
    ] = False,
    evidence: Annotated[
        list[str] | None,
        typer.Option(
            "--evidence", metavar="PATIENT", help="Explain every row of this patient, with records (repeatable)."
        ),
    ] = None,
    evidence_of: Annotated[
        list[str] | None,
        typer.Option(
            "--evidence-of",
            metavar="TRIAL/ROW",
            help="Explain this row, of the patients of --evidence or of the candidates listed (repeatable).",
        ),
    ] = None,
    suppress_below: Annotated[
        int,
        typer.Option(
            "--suppress-below",
            metavar="N",
            min=0,
            help="Hide counts from 1 to N − 1 and those that tell of them; list no patients.",
        ),
    ] = 0,
    sql: Annotated[
        Literal["duckdb", "spark", "postgres", "bigquery", "snowflake"] | None,
        typer.Option("--sql", help="Print the query over the table of bounds in this dialect, and judge nobody."),
    ] = None,
    form: Annotated[
        Literal["table", "json", "html"], typer.Option("--format", "-f", help="How to write the summary.")
    ] = "table",
    output: given.Output = None,
) -> None:
    """Screen a whole cohort: who is left after each criterion, the candidates, and what would settle most patients."""
    from sle_kg.cohort.evidence import evidence as explained
    from sle_kg.cohort.evidence import rows_asked
    from sle_kg.cohort.run import Wanted, plan_of, run
    from sle_kg.cohort.suppress import suppressed
    from sle_kg.report.cohort import render_cohort
    from sle_kg.screening import Options

    options = Options(
        trials=tuple(trial or ()),
        on=given.screening_date(on),
        events=given.dates(event, "--event"),
        complete=tuple(complete or ()),
        windows=given.days(window, "--window"),
        code_map=code_map,
        readings=given.pairs(reading, "--reading", "AMBIGUITY=KEY"),
        engine=engine,
    )
    if sql is not None:
        given.write(f"{plan_of(options).sql(sql)}\n".encode(), output)
        return
    if suppress_below and (evidence or evidence_of):
        raise InputError("--evidence: single patients are explained only where nothing is suppressed; run it twice")
    _check_places(folder, {"--verdicts": verdicts, "--state": state, "--output": output})
    rows = rows_asked(evidence_of or (), options)
    counts: list[int] = []
    if candidates is None:
        candidates = 20 if form == "table" else 100
    wanted = Wanted(candidates, what_if, state, master)
    with given.progress_bar() as report:
        summary = run(folder, options, verdicts, wanted, report, lambda *told: counts.extend(told))
    if state is not None:
        typer.echo(_judged(counts[0], counts[1], state), err=True)
    if evidence or rows:
        summary = replace(summary, evidence=explained(Path(folder), options, evidence or (), rows, summary))
    given.write(render_cohort(suppressed(summary, suppress_below), form, *given.terminal(output)), output)


def _check_places(folder: str, places: Mapping[str, Path | str | None]) -> None:
    """Raises InputError where a result would take the place of another one, or of a table of the folder."""
    from sle_kg.ingest.run import DONE
    from sle_kg.patients.facts import COLUMNS

    tables = (*COLUMNS, "rejects")
    taken = {DONE, "rejects.csv", *tables, *(f"{table}.parquet" for table in tables)}
    found: dict[Path, str] = {}
    for option, named in places.items():
        if named is None:
            continue
        place = Path(named).resolve()
        if place in found:
            raise InputError(f"{option} {named}: {found[place]} is written there, too; name another file")
        found[place] = option
        with suppress(ValueError):
            if taken.intersection(place.relative_to(Path(folder).resolve()).parts[:1]):
                raise InputError(f"{option} {named}: the tables that are judged are there; name another file")


def _judged(number: int, patients: int, state: Path) -> str:
    """How many patients were judged, and why not fewer."""
    if number == patients:
        return (
            f"judged all {patients} patients: {state} is new, or was of other facts, date, options, trials or versions"
        )
    return f"judged {number} of {patients} patients: the facts of the others are those of {state}"
