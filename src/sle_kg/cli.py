"""The command line: reads options, calls the library, writes results to standard output and messages to standard error.

Exit codes: 0 the command did its work, 1 `check` found faults, 2 wrong usage or unusable input (one sentence, no
traceback). Everything heavy is imported inside the command that uses it, so that `--help` starts at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from sle_kg import __version__, cli_ingest
from sle_kg.cli_cohort import cohort
from sle_kg.cli_options import (
    CodeMap,
    Complete,
    DeriveItems,
    Events,
    On,
    Output,
    PatientFiles,
    Readings,
    Thresholds,
    Trials,
    Windows,
    date_of,
    dates,
    days,
    nct_number,
    numbers,
    pairs,
    passed_over,
    progress_bar,
    screening_date,
    terminal,
    write,
)
from sle_kg.errors import InputError, SleKgError

app = typer.Typer(
    name="sle-kg",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    help="CAR-T trials in lupus as a knowledge graph: screen patients, compare trials, query, export.",
    epilog="Example: sle-kg screen patient.json --trial NCT06892145 --on 2026-11-21",
)


def main() -> NoReturn:
    """Run the command line and exit: a user's mistake is one sentence on standard error and exit code 2."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller, as some schedulers do
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
        if hasattr(getattr(sys, name), "reconfigure"):
            getattr(sys, name).reconfigure(errors="replace")
    try:
        code = _run()
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (head, less) has gone: say nothing, and keep the interpreter from flushing into the void.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def _run() -> int:
    """The exit code of the command that the arguments name."""
    try:
        result = app(standalone_mode=False, prog_name="sle-kg")
        return result if isinstance(result, int) else 0
    except SleKgError as error:
        return _complain(str(error))
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "sle-kg"
        message = error.format_message().removesuffix(".").replace("Value error, ", "")
        return _complain(f"{message}; see {command} --help") if message else 2
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        raise
    except OSError as error:
        return _complain(f"{error.filename or 'standard output'}: {error.strerror}")


def _complain(sentence: str) -> int:
    """One sentence on standard error, harmless to a terminal; the exit code of wrong usage or unusable input."""
    from sle_kg.report.text import plain

    print(f"sle-kg: {plain(sentence)}", file=sys.stderr)
    return 2


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"sle-kg {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of every command."""


@app.command(epilog="Example: sle-kg demo --folder /tmp/demo")
def demo(
    folder: Annotated[
        Path, typer.Option("--folder", metavar="DIR", help="Where to write the graph and the HTML report.")
    ] = Path("sle-kg-demo"),
) -> None:
    """Build the graph, screen the example patients on 2026-11-21, and print the verdicts."""
    from sle_kg import demo as showcase
    from sle_kg.report import render
    from sle_kg.report.table import render_overview

    with progress_bar() as progress:
        result = showcase.run(folder, progress)
    width, colour = terminal()
    write(render(result.verdicts, "table", width, colour))
    print(f"\n{render_overview(result.verdicts, width, colour)}")
    print(f"The graph is in {result.graph_file}")
    print(f"The report to read or print is in {result.report_file}")
    print(f"The outcomes of a patient after the infusion are in {result.outcomes_file}")


@app.command(epilog="Example: sle-kg trials --all | grep -i recruiting")
def trials(
    everything: Annotated[
        bool, typer.Option("--all", help="Add the registered CAR-T trials that are not modelled.")
    ] = False,
) -> None:
    """List the modelled trials, one line each."""
    from sle_kg.report.trial_list import render_trials

    write(render_trials(everything))


@app.command(epilog="Example: sle-kg screen patient.json --trial NCT06892145 --on 2026-11-21 --complete medications")
def screen(
    files: PatientFiles,
    trial: Trials = None,
    on: On = None,
    event: Events = None,
    complete: Complete = None,
    window: Windows = None,
    code_map: CodeMap = None,
    reading: Readings = None,
    engine: Annotated[
        str | None,
        typer.Option("--engine", metavar="NAME", help="shacl (default up to 20 patients) or sql (for more)."),
    ] = None,
    form: Annotated[
        Literal["table", "json", "csv", "html", "turtle"], typer.Option("--format", "-f", help="How to write verdicts.")
    ] = "table",
    output: Output = None,
) -> None:
    """Give verdicts for patients, with the evidence, and what would settle what is open."""
    from sle_kg import screening
    from sle_kg.report import render

    options = screening.Options(
        trials=tuple(trial or ()),
        on=screening_date(on),
        events=dates(event, "--event"),
        complete=tuple(complete or ()),
        windows=days(window, "--window"),
        code_map=code_map,
        readings=pairs(reading, "--reading", "AMBIGUITY=KEY"),
        engine=engine,
    )
    with progress_bar() as progress:
        verdicts = screening.screen(files, options, progress, passed_over)
    write(render(verdicts, form, *terminal(output)), output)


@app.command(epilog="Example: sle-kg outcomes followup.json --trial NCT06710717 --format html --output outcomes.html")
def outcomes(
    files: PatientFiles,
    trial: Annotated[
        str,
        typer.Option("--trial", metavar="ID", parser=nct_number, help="NCT number of a trial that states outcomes."),
    ],
    on: Annotated[
        str | None, typer.Option("--on", metavar="DATE", help="Records up to this day. Default: every record.")
    ] = None,
    visits: Annotated[
        str | None,
        typer.Option("--visits", metavar="LIST", help='Time points, for example "week 4,week 12,month 6".'),
    ] = None,
    visit_window: Annotated[
        int | None,
        typer.Option(
            "--visit-window",
            metavar="DAYS",
            min=0,
            help="Days before and after a time point. Default: half the distance to its neighbours.",
        ),
    ] = None,
    event: Events = None,
    complete: Complete = None,
    code_map: CodeMap = None,
    reading: Readings = None,
    derive_items: DeriveItems = False,
    threshold: Thresholds = None,
    form: Annotated[
        Literal["table", "json", "csv", "html", "turtle"], typer.Option("--format", "-f", help="How to write results.")
    ] = "table",
    output: Output = None,
) -> None:
    """Compute a trial's outcomes from patients' records over time, for each patient and for the cohort."""
    from sle_kg.followup.options import FollowUpOptions
    from sle_kg.followup.trial_outcomes import trial_outcomes
    from sle_kg.report.outcomes import render_outcomes

    options = FollowUpOptions(
        on=None if on is None else date_of(on, "--on"),
        visits=tuple(part.strip() for part in (visits or "").split(",") if part.strip()),
        visit_window=visit_window,
        events=dates(event, "--event"),
        complete=tuple(complete or ()),
        code_map=code_map,
        readings=pairs(reading, "--reading", "AMBIGUITY=KEY"),
        derive_items=derive_items,
        thresholds=numbers(threshold, "--threshold"),
    )
    with progress_bar() as progress:
        result = trial_outcomes(files, trial, options, progress, passed_over)
    write(render_outcomes(result, form, *terminal(output)), output)


@app.command(epilog="Example: sle-kg score doris2021 followup.json --complete medications")
def score(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="sledai2k, doris2021, lldas …; a name that is none has all of them listed."
        ),
    ],
    files: PatientFiles,
    on: Annotated[
        str | None, typer.Option("--on", metavar="DATE", help="One day. Default: every day recorded.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option("--baseline", metavar="DATE", help="Day of the baseline. Default: the infusion.")
    ] = None,
    event: Events = None,
    complete: Complete = None,
    code_map: CodeMap = None,
    reading: Readings = None,
    derive_items: DeriveItems = False,
    form: Annotated[Literal["table", "json", "csv"], typer.Option("--format", "-f", help="How to write it.")] = "table",
    output: Output = None,
) -> None:
    """Compute one instrument, state or classification for patients over time."""
    from sle_kg.followup.options import FollowUpOptions
    from sle_kg.followup.scores import scores
    from sle_kg.report.scores import render_scores

    options = FollowUpOptions(
        on=None if on is None else date_of(on, "--on"),
        baseline=None if baseline is None else date_of(baseline, "--baseline"),
        events=dates(event, "--event"),
        complete=tuple(complete or ()),
        code_map=code_map,
        readings=pairs(reading, "--reading", "AMBIGUITY=KEY"),
        derive_items=derive_items,
    )
    with progress_bar() as progress:
        results = scores(files, name, options, progress, passed_over)
    write(render_scores(results, form, *terminal(output)), output)


@app.command("example-cohort", epilog="Example: sle-kg example-cohort --patients 20 --seed 7 -o cohort")
def example_cohort(
    folder: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="A new or empty folder.")],
    patients: Annotated[int, typer.Option("--patients", metavar="N", min=1, help="How many patients.")] = 20,
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="The same seed gives the same patients.")] = 1,
    form: Annotated[
        Literal["fhir", "omop", "parquet"],
        typer.Option(
            "--format", "-f", help="fhir: files of a bulk export (NDJSON); omop: CSV files; parquet: the fact tables."
        ),
    ] = "fhir",
    population: Annotated[
        Literal["infused", "screening"],
        typer.Option(
            "--population", help="infused: followed after CAR-T cells; screening: patients of a lupus centre before."
        ),
    ] = "infused",
) -> None:
    """Write synthetic lupus patients, infused or to be screened, to try the commands on; no real person."""
    from sle_kg.synthetic import write_cohort

    for file in write_cohort(folder, patients, seed, form, population):
        print(file)


app.command(epilog="Example: sle-kg cohort tables --on 2026-11-21 --verdicts verdicts.parquet --format json")(cohort)


@app.command(epilog="Example: sle-kg compare NCT06150651 NCT06892145 --format html --output comparison.html")
def compare(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID", parser=nct_number, help="NCT numbers. Default: every modelled trial."),
    ] = None,
    subject: Annotated[
        Literal["criteria", "outcomes"],
        typer.Option("--on", help="Criteria and design, or outcomes: what is measured when, what could be pooled."),
    ] = "criteria",
    form: Annotated[
        Literal["table", "json", "csv", "html", "markdown"], typer.Option("--format", "-f", help="How to write it.")
    ] = "table",
    output: Output = None,
) -> None:
    """Set trials side by side, criterion by criterion and design feature by design feature, or outcome by outcome."""
    from sle_kg import compare as comparison

    width = terminal(output)[0]
    if subject == "outcomes":
        text = comparison.render_outcomes(comparison.compare_outcomes(ids or None), form, width)
    else:
        text = comparison.render(comparison.compare(ids or None), form, width)
    write(text.encode(), output)


app.command("ingest-cohort", epilog="Example: sle-kg ingest-cohort export/ -o tables")(cli_ingest.ingest_cohort)


@app.command(epilog="Example: sle-kg query age-and-weight-limits --format csv")
def query(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME|FILE", help="A query of the library, or a SPARQL file.")
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="List the queries of the library.")] = False,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", metavar="NAME=VALUE", help="A value for a parameter of the query; repeatable."),
    ] = None,
    form: Annotated[
        Literal["table", "json", "csv", "tsv", "turtle"], typer.Option("--format", "-f", help="How to write rows.")
    ] = "table",
    output: Output = None,
) -> None:
    """Ask the graph: a named query of the library, or a SPARQL file of your own."""
    from sle_kg import queries

    if listing:
        return write(_query_list(), output)
    if name is None:
        raise InputError("query: no NAME or FILE was given; see sle-kg query --list")
    with _at_once():
        result = queries.run_query(name, pairs(param, "--param", "NAME=VALUE"))
    write(queries.render(result, form, terminal(output)[0]).encode(), output)


@app.command(epilog="Example: sle-kg export --what trial --trial NCT06892145 --format json-ld --output trial.jsonld")
def export(
    what: Annotated[
        Literal["graph", "ontology", "shapes", "trial"], typer.Option("--what", help="What to export.")
    ] = "graph",
    trial: Annotated[
        str | None,
        typer.Option("--trial", metavar="ID", parser=nct_number, help="NCT number, for --what trial or shapes."),
    ] = None,
    form: Annotated[
        Literal["turtle", "json-ld", "n-triples", "n-quads", "trig", "rdf-xml"],
        typer.Option("--format", "-f", help="RDF format."),
    ] = "turtle",
    output: Output = None,
) -> None:
    """Write the graph, the ontology, the shapes or one trial as RDF: the same input gives the same bytes."""
    from sle_kg import export as exporter

    write(exporter.export(what, trial, form), output)


@app.command(epilog="Example: sle-kg profile patient.json --trial NCT06892145 --on 2026-11-21")
def profile(
    files: PatientFiles,
    trial: Trials = None,
    on: On = None,
    event: Events = None,
    form: Annotated[
        Literal["turtle", "json-ld", "n-triples", "n-quads", "trig", "rdf-xml"],
        typer.Option("--format", "-f", help="RDF format."),
    ] = "turtle",
    output: Output = None,
) -> None:
    """Show what the shapes see of patients on a date: the derived facts, with the records behind them."""
    from sle_kg import screening

    options = screening.Options(trials=tuple(trial or ()), on=screening_date(on), events=dates(event, "--event"))
    write(screening.profile_document(files, options, form), output)


@app.command(epilog="Example: sle-kg check && echo sound")
def check() -> None:
    """Validate ontology, trial files, shapes and queries; exit 1 with the list when there are faults."""
    from sle_kg.check import run_checks

    faults = run_checks(lambda step: print(f"checking {step} …", file=sys.stderr, flush=True))
    for fault in faults:
        print(f"{fault.file}: {fault.message}")
    if faults:
        print(f"{len(faults)} faults" if len(faults) > 1 else "1 fault", file=sys.stderr)
        raise typer.Exit(1)
    print("no faults")


def _query_list() -> bytes:
    """Every query of the library with its question and parameters."""
    from sle_kg import queries

    lines = []
    for entry in queries.library():
        lines.append(f"{entry.name}: {entry.summary}")
        lines += [f"    --param {p.name}={p.default}  {p.meaning} ({p.type})" for p in entry.parameters]
    return ("\n".join(lines) + "\n").encode()


@contextmanager
def _at_once() -> Iterator[None]:
    """Ctrl-C ends the process at once: Python would notice it only after the store has answered, which may be never."""
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
