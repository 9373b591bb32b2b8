"""Populations for benchmarks: some thousand synthetic patients, written again and again under new ids.

The copies make a population of any size quickly. They have the same facts, from which no engine here can profit:
nothing is shared between patients but codes. Parquet files, though, compress better than those of real patients.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import COMMAND, run
from sle_kg.patients.facts import COLUMNS, schema

MOST_DRAWN = 4_000
"""Patients that are drawn for tables; more are copies of them."""
MOST_EXPORTED = 32_000
"""Patients that are drawn for an export; more are copies of them, in whole copies."""
SEED = "20261121"
GROUP_ROWS = 120_000
"""Rows of a row group."""
UNREAD = ("record", "adverse_event")
"""Tables that a cohort does not read; the population has none."""


def population(folder: Path, patients: int) -> Path:
    """Patient tables of so many patients in `folder/<patients>`, made unless they are there."""
    target = folder / str(patients)
    if (target / "made").exists():
        return target
    drawn = folder / f"drawn{min(patients, MOST_DRAWN)}"
    if not drawn.exists():
        run(COMMAND, *_arguments(min(patients, MOST_DRAWN)), "--format", "parquet", "--output", str(drawn))
    target.mkdir(exist_ok=True)
    for name in COLUMNS:
        if name not in UNREAD:
            _copy(pq.read_table(drawn / f"{name}.parquet"), target / f"{name}.parquet", name, patients)
    (target / "made").touch()
    return target


def fact_rows(folder: Path) -> int:
    """Rows of all tables of a population."""
    return sum(pq.read_metadata(file).num_rows for file in folder.glob("*.parquet"))


def bulk_export(folder: Path, patients: int, kind: str = "screening") -> Path:
    """A bulk export in FHIR NDJSON of so many patients of a kind of population, made unless it is there.

    More than MOST_EXPORTED have to be some times as many (`in_whole_copies`).
    """
    if patients > MOST_EXPORTED:
        return _copied_export(bulk_export(folder, MOST_EXPORTED, kind), folder, patients // MOST_EXPORTED, kind)
    target = folder / f"fhir-{kind}{patients}"
    if not target.exists():
        run(COMMAND, *_arguments(patients, kind), "--format", "fhir", "--output", str(target))
    return target


def in_whole_copies(patients: int) -> int:
    """As many patients, or as many more as make whole copies of an export."""
    return patients if patients <= MOST_EXPORTED else -(-patients // MOST_EXPORTED) * MOST_EXPORTED


def _copied_export(drawn: Path, folder: Path, copies: int, kind: str) -> Path:
    """The files of an export, once for every copy, in which all ids of patients and records are its own."""
    target = folder / f"fhir-{kind}{copies}x{MOST_EXPORTED}"
    if (target / "made").exists():
        return target
    target.mkdir(exist_ok=True)
    for file in sorted(drawn.glob("*.ndjson")):
        text = file.read_bytes()
        for copy in range(copies):
            own = b"synthetic-%03d-" % copy
            (target / f"{copy:03}.{file.name}").write_bytes(text.replace(b"synthetic-", own))
    (target / "made").touch()
    return target


def _arguments(patients: int, kind: str = "screening") -> tuple[str, ...]:
    return ("example-cohort", "--population", kind, "--patients", str(patients), "--seed", SEED)


def _copy(table: pa.Table, file: Path, name: str, patients: int) -> None:
    """Write the table once for every copy of the drawn patients, ids in order, in row groups of one size."""
    with pq.ParquetWriter(file, schema(name), compression="zstd") as writer:
        waiting: list[pa.Table] = []
        for piece in _copies(table, patients):
            waiting.append(piece)
            if sum(one.num_rows for one in waiting) >= GROUP_ROWS:
                writer.write_table(pa.concat_tables(waiting), row_group_size=GROUP_ROWS)
                waiting = []
        if waiting:
            writer.write_table(pa.concat_tables(waiting), row_group_size=GROUP_ROWS)


def _copies(table: pa.Table, patients: int) -> Iterator[pa.Table]:
    """The table under new ids: nine digits, those of the copy first."""
    numbers = [int(one.rpartition("-")[2]) for one in table["patient"].to_pylist()]
    for start in range(0, patients, MOST_DRAWN):
        ids = [start + number for number in numbers]
        keep = sum(number <= patients for number in ids)
        column = pa.array([f"{number:09}" for number in ids], pa.string())
        yield table.set_column(0, "patient", column).slice(0, keep)
