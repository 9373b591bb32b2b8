"""Synthetic lupus patients with a follow-up after CAR-T cell infusion: the same for the same seed, no real person.

`population` says who the patients are, `followup` what happens to them, `fhir` and `parquet` how it is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from sle_kg import __version__
from sle_kg.errors import InputError
from sle_kg.files import write_whole
from sle_kg.synthetic.dice import Dice
from sle_kg.synthetic.fhir import Resource, ndjson, resources
from sle_kg.synthetic.followup import patient, scenarios
from sle_kg.synthetic.population import distributions, draw
from sle_kg.synthetic.records import SyntheticPatient

Form = Literal["fhir", "parquet"]

GROUP = 500
"""Patients in one file, and in memory at a time."""


def write_cohort(folder: Path, patients: int, seed: int, form: Form = "fhir") -> list[Path]:
    """Write so many patients into a new or empty folder, and give the files written, README.txt first.

    `fhir`: NDJSON as of a bulk export, `<type>.<group>.ndjson`; `parquet`: one file for each fact table. The same
    arguments give the same bytes. Raises InputError for a folder that is not empty or cannot be made.
    """
    _make_empty(folder)
    written = [_write(folder, "README.txt", _readme(patients, seed, form).encode())]
    groups = [range(first, min(first + GROUP, patients + 1)) for first in range(1, patients + 1, GROUP)]
    if form == "fhir":
        for place, numbers in enumerate(groups):
            written += [
                _write(folder, f"{kind}.{place:03}.ndjson", content)
                for kind, content in _by_type(cohort(numbers, seed)).items()
            ]
        return written
    from sle_kg.synthetic.parquet import TableWriter

    tables = TableWriter()
    for numbers in groups:
        tables.add(cohort(numbers, seed))
    return written + [_write(folder, name, content) for name, content in tables.files().items()]


def cohort(numbers: range, seed: int) -> Iterator[SyntheticPatient]:
    """The patients of these numbers (from 1); each depends on seed and number alone, scenarios come in turn."""
    courses = scenarios()
    for number in numbers:
        dice = Dice(seed, number)
        yield patient(draw(number, dice), courses[(number - 1) % len(courses)], dice)


def _by_type(patients: Iterator[SyntheticPatient]) -> dict[str, bytes]:
    """The NDJSON of each resource type, types in alphabetical order."""
    found: dict[str, list[Resource]] = defaultdict(list)
    for one in patients:
        for resource in resources(one):
            found[resource["resourceType"]].append(resource)
    return {kind: ndjson(found[kind]) for kind in sorted(found)}


def _make_empty(folder: Path) -> None:
    """Make the folder, or accept it empty. Raises InputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise InputError(f"{folder}: the folder is not empty; name a new one with --output")
    except OSError as error:
        raise InputError(f"{folder}: cannot be used as a folder ({error.strerror}); choose another --output") from error


def _write(folder: Path, name: str, content: bytes) -> Path:
    write_whole(folder / name, content)
    return folder / name


def _readme(patients: int, seed: int, form: Form) -> str:
    """What the folder holds, for whoever finds it."""
    shown = "\n".join(f"  {scenario['key']}: {scenario['shows']}" for scenario in scenarios())
    sources = "\n".join(f"  {key}: {text}" for key, text in distributions()["sources"].items())
    return f"""Synthetic patients: no record here describes a real person.

Made by sle-kg {__version__}: sle-kg example-cohort --patients {patients} --seed {seed} --format {form}
The same command gives the same files, byte by byte.

Patient 1 has the first scenario, patient 2 the second, and so on, beginning again after the last:
{shown}

Distributions of the population, and where they come from:
{sources}
"""
