"""What the commands have in common: their options, how options are read, and how results are written."""

from __future__ import annotations

import datetime
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from sle_kg.errors import InputError

Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write to FILE, whole or not at all, instead of stdout."),
]


def nct_number(text: str) -> str:
    """An NCT number as the registry writes it, in capitals; any other text as it is."""
    return text.strip().upper() if re.fullmatch(r"\s*nct[0-9]{8}\s*", text, re.IGNORECASE) else text


Trials = Annotated[
    list[str] | None,
    typer.Option(
        "--trial",
        metavar="ID",
        parser=nct_number,
        help="NCT number of a trial; repeatable. Default: every trial with criteria.",
    ),
]
On = Annotated[str | None, typer.Option("--on", metavar="DATE", help="The screening date, YYYY-MM-DD. Default: today.")]
Events = Annotated[
    list[str] | None,
    typer.Option(
        "--event",
        metavar="NAME=DATE",
        help="Actual or planned date of consent, enrollment, leukapheresis, lymphodepletion or infusion; repeatable.",
    ),
]
Complete = Annotated[
    list[str] | None,
    typer.Option(
        "--complete",
        metavar="SECTION",
        help="The records are complete for conditions, medications, procedures, allergies, immunizations, "
        "statements or adverseEvents: what is not recorded did not happen; repeatable.",
    ),
]
Windows = Annotated[
    list[str] | None,
    typer.Option(
        "--window",
        metavar="KIND=DAYS",
        help="Greatest age of a result, echocardiography, serology, autoantibody, weight or pregnancyTest; repeatable.",
    ),
]
CodeMap = Annotated[
    Path | None,
    typer.Option("--code-map", metavar="FILE", help="CSV with columns system, code, key for codes of your own."),
]
Readings = Annotated[
    list[str] | None,
    typer.Option(
        "--reading",
        metavar="AMBIGUITY=KEY",
        help="Another reading of an ambiguous sentence, of those of: sle-kg query switchable-readings; repeatable.",
    ),
]
DeriveItems = Annotated[
    bool, typer.Option("--derive-items", help="Laboratory results stand for SLEDAI items that were not recorded.")
]
Thresholds = Annotated[
    list[str] | None,
    typer.Option(
        "--threshold", metavar="NAME=NUMBER", help="A threshold that the record leaves open (bCellAplasia=5)."
    ),
]
PatientFiles = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE", help="FHIR R4 JSON or NDJSON, or RDF: one or many patients. Of a folder: export/*.json"
    ),
]


def write(content: bytes, output: Path | None = None) -> None:
    """A result to its file, or to standard output as it is."""
    if output is not None:
        from sle_kg.files import write_whole

        return write_whole(output, content)
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def terminal(output: Path | None = None) -> tuple[int, bool]:
    """Columns to fill, and whether colour is welcome (https://no-color.org)."""
    if output is not None:
        return 100, False
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    return shutil.get_terminal_size((100, 24)).columns, colour


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on standard error for more than a few patients; None where nobody would see it."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    few = 3
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Screening", total=None, visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=total > few)


def passed_over(counts: Mapping[str, int]) -> None:
    """One line on standard error: what the files hold beside patients' facts that matter here."""
    if counts:
        from sle_kg.report.text import shorten

        most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        named = ", ".join(f"{number} {shorten(what, 80)}" for what, number in most[:5])
        more = f" and {sum(number for _, number in most[5:])} more" if len(most) > 5 else ""
        print(f"sle-kg: passed over {named}{more}", file=sys.stderr)


def screening_date(text: str | None) -> datetime.date:
    return datetime.date.today() if text is None else date_of(text, "--on")


def date_of(text: str, option: str) -> datetime.date:
    """A calendar date written YYYY-MM-DD, and nothing looser."""
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return datetime.date.fromisoformat(text)
    except ValueError:
        pass
    raise InputError(f"{option}: {text!r} is no date; write it as YYYY-MM-DD, for example 2026-11-21")


def numbers(texts: Sequence[str] | None, option: str) -> dict[str, Decimal]:
    """`NAME=NUMBER` options as a mapping of exact numbers."""
    found = {}
    for name, text in pairs(texts, option, "NAME=NUMBER").items():
        if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", text):
            raise InputError(f"{option}: {text!r} is no number; write it as 10 or 0.5")
        found[name] = Decimal(text)
    return found


def pairs(texts: Sequence[str] | None, option: str, form: str) -> dict[str, str]:
    """`NAME=VALUE` options as a mapping; a name given twice is a mistake."""
    found: dict[str, str] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InputError(f"{option}: {text!r} is not of the form {form}")
        if name in found:
            raise InputError(f"{option}: {name!r} is given twice; keep one")
        found[name] = value
    return found


def dates(texts: Sequence[str] | None, option: str) -> dict[str, datetime.date]:
    return {name: date_of(value, option) for name, value in pairs(texts, option, "NAME=DATE").items()}


def days(texts: Sequence[str] | None, option: str) -> dict[str, int]:
    """`KIND=DAYS` options: whole numbers of days from 0 on."""
    found = {}
    for name, value in pairs(texts, option, "KIND=DAYS").items():
        if not re.fullmatch(r"[0-9]{1,5}", value):
            raise InputError(f"{option}: {value!r} for {name} is no whole number of days")
        found[name] = int(value)
    return found
