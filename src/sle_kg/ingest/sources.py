"""What the sources are: FHIR files and folders, OMOP databases, tables with a map; known by their content."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sle_kg.errors import InputError
from sle_kg.files import text_of_path

_TABLE_NAMES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
"""Endings of tables, which need a map."""
_FHIR_NAMES = (".json", ".ndjson", ".jsonl", ".json.gz", ".ndjson.gz", ".jsonl.gz")
"""Endings of the files that are read of a folder; a file given by itself may have any name."""


@dataclass(slots=True)
class Sources:
    """The files of an ingest by kind, in one order whatever the order of the arguments."""

    fhir: list[tuple[Path, str]] = field(default_factory=list)
    omop: list[str] = field(default_factory=list)
    tables: list[Path] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def size(self) -> int:
        """Bytes of the FHIR files."""
        return sum(file.stat().st_size for file, _ in self.fhir)


def find(arguments: Sequence[str], mapped: bool) -> Sources:
    """The sources that the arguments name; with a map, files are tables.

    Raises InputError for what is not there or cannot be opened, for a folder with nothing to read, and for tables
    without a map.
    """
    from sle_kg.ingest.omop_database import is_omop

    found = Sources()
    for argument in dict.fromkeys(arguments):
        path = Path(argument)
        if is_omop(argument):
            found.omop.append(argument)
        elif mapped:
            found.tables.append(path)
        elif path.is_dir():
            files = _below(path, found)
            if not files:
                raise InputError(
                    f"{argument}: no patient data in this folder: give FHIR files (.json, .ndjson, also .gz), the "
                    "tables of an OMOP database, or CSV files by name and with --map (see docs/ingest.md)"
                )
            found.fhir += files
        elif _is_table(path):
            raise InputError(
                f"{argument}: this is a table: say with --map FILE.yaml what its columns mean; docs/ingest.md, under "
                "CSV with a map, has a worked example"
            )
        else:
            found.fhir.append((path, text_of_path(argument)))
    for file, label in [*found.fhir, *((path, text_of_path(path)) for path in found.tables)]:
        _check(file, label)
    by_place = {file.resolve(): (file, label) for file, label in sorted(found.fhir, key=lambda one: one[1])}
    found.fhir = sorted(by_place.values(), key=lambda one: one[1])
    found.omop.sort()
    found.tables.sort()
    return found


def _below(folder: Path, found: Sources) -> list[tuple[Path, str]]:
    """The FHIR files below a folder, by name; what else lies there is counted."""
    files = []
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place) / name
            if name.lower().endswith(_FHIR_NAMES):
                files.append((path, text_of_path(path)))
            else:
                found.skipped["file with another ending in a folder"] += 1
    return files


def _is_table(file: Path) -> bool:
    """Whether a file that can be opened is a table by its name, and by its beginning no JSON."""
    if not file.name.lower().endswith(_TABLE_NAMES):
        return False
    try:
        with file.open("rb") as stream:
            begin = stream.read(1 << 10).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError:
        return False
    return not begin.startswith((b"{", b"["))


def _check(file: Path, label: str) -> None:
    """Raise InputError where a file cannot be opened, or is none."""
    try:
        if file.is_dir():
            raise InputError(f"{label}: this is a folder: with --map, give its CSV files by name")
        if not file.is_file():
            raise InputError(f"{label}: there is no such file" if not file.exists() else f"{label}: this is no file")
        with file.open("rb"):
            pass
    except OSError as error:
        raise InputError(f"{label}: cannot be opened ({error.strerror})") from error
