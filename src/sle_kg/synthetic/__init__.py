"""Synthetic lupus patients: the same for the same seed, no real person.

Two populations: `infused`, with a follow-up after CAR-T cells (`population` says who they are, `followup` what happens
to them), and `screening`, as a lupus centre has them before any CAR-T cells (`centre`), part of them
bent to the thresholds of the trials (`bent`) and made untidy (`untidy`). `fhir`, `omop`
and `parquet` say how they are written.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping
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

Form = Literal["fhir", "omop", "parquet"]
Population = Literal["infused", "screening"]

GROUP = 500
"""Patients in one file, and in memory at a time."""


def write_cohort(
    folder: Path, patients: int, seed: int, form: Form = "fhir", population: Population = "infused"
) -> list[Path]:
    """Write so many patients into a new or empty folder, and give the files written, README.txt first.

    `fhir`: NDJSON as of a bulk export, `<type>.<group>.ndjson`; `omop`: CSV of the tables of CDM 5.4, as far as they
    can carry the records; `parquet`: one file for each fact table. The same arguments give the same bytes.
    Raises InputError for a folder that is not empty or cannot be made.
    """
    _make_empty(folder)
    made = cohort if population == "infused" else screening_cohort
    written = [_write(folder, "README.txt", _readme(patients, seed, form, population).encode())]
    groups = [range(first, min(first + GROUP, patients + 1)) for first in range(1, patients + 1, GROUP)]
    if form == "fhir":
        for place, numbers in enumerate(groups):
            written += [
                _write(folder, f"{kind}.{place:03}.ndjson", content)
                for kind, content in _by_type(made(numbers, seed)).items()
            ]
        return written
    if form == "omop":
        from sle_kg.synthetic.omop import OmopWriter

        with OmopWriter(folder) as database:
            for numbers in groups:
                database.add(made(numbers, seed))
            return written + database.finish()
    from sle_kg.synthetic.parquet import TableWriter

    tables = TableWriter()
    for numbers in groups:
        tables.add(made(numbers, seed))
    return written + [_write(folder, name, content) for name, content in tables.files().items()]


def cohort(numbers: range, seed: int) -> Iterator[SyntheticPatient]:
    """The infused patients of these numbers (from 1); each depends on seed and number alone, scenarios come in turn."""
    courses = scenarios()
    for number in numbers:
        dice = Dice(seed, number)
        yield patient(draw(number, dice), courses[(number - 1) % len(courses)], dice)


def screening_cohort(numbers: range, seed: int, on: dt.date | None = None) -> Iterator[SyntheticPatient]:
    """The patients of a lupus centre of these numbers (from 1), to be screened on a day (that of screening.toml)."""
    from sle_kg.synthetic import centre
    from sle_kg.synthetic.bent import bend
    from sle_kg.synthetic.untidy import untidy

    bent = centre.tables()["bent"]
    for number in numbers:
        dice = Dice(seed, number)
        draft = centre.draw(number, dice, on or centre.tables()["on"])
        for share, many, change in (("boundary", "boundaries", bend), ("untidy", "untidies", untidy)):
            if dice.happens(bent[share]):
                for _ in range(dice.among(*bent[many])):
                    change(draft, dice)
        yield draft.finished()


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


def _readme(patients: int, seed: int, form: Form, population: Population) -> str:
    """What the folder holds, for whoever finds it."""
    chosen = "" if population == "infused" else f" --population {population}"
    return f"""Synthetic patients: no record here describes a real person.

Made by sle-kg {__version__}: sle-kg example-cohort --patients {patients} --seed {seed} --format {form}{chosen}
The same command gives the same files, byte by byte.
{_omop() if form == "omop" else ""}
{_infused() if population == "infused" else _screening()}
"""


def _omop() -> str:
    from sle_kg.synthetic.omop import LEFT_OUT

    return f"""
Tables of OMOP CDM 5.4. They do not hold, because OMOP cannot or because nothing reads it from there:
{"".join(f"  {what}" + chr(10) for what in LEFT_OUT)}"""


def _infused() -> str:
    shown = "\n".join(f"  {scenario['key']}: {scenario['shows']}" for scenario in scenarios())
    return f"""Patient 1 has the first scenario, patient 2 the second, and so on, beginning again after the last:
{shown}

{_sources(distributions()["sources"])}"""


def _screening() -> str:
    from sle_kg.synthetic.centre import tables

    groups = "\n".join(f"  {group['key']} ({group['weight']}): {group['shows']}" for group in tables()["group"])
    on = tables()["on"]
    return f"""These patients have had no CAR-T cells. Their records lead up to {on}: screen them on that day,
  sle-kg cohort TABLES --on {on}

Groups, with their weights:
{groups}

{_sources(tables()["sources"])}"""


def _sources(sources: Mapping[str, str]) -> str:
    texts = "\n".join(f"  {key}: {text}" for key, text in sources.items())
    return f"""Distributions of the population, and where they come from:
{texts}"""
