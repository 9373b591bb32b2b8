"""Prints the table of cohorts in benchmarks/README.md, every figure from one run: `python -m benchmarks.cohort`.

`--patients N` sets the size of the cohort, and of the largest FHIR export (1,000,000, 21 GB of disk); `--exported N`
the patients of the other exports (2,000 and four times as many; of those with long records half as many), `--trials
N…` the numbers of synthetic trials, `--spark N…` the patients of Spark's cohorts. `--data` keeps the populations in a
folder for the next run. Names of parts print these parts alone: `resident`, `parquet`, `ingest`, `patients`,
`trials`, `spark`.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from benchmarks.cohort_data import bulk_export, fact_rows, in_whole_copies, population
from benchmarks.cohort_jobs import AT_ONCE, CHUNK
from benchmarks.measure import COMMAND, Cost, Line, job, whole

MODULE = "benchmarks.cohort_jobs"
ON = "2026-11-21"
PYSHACL_PATIENTS = 50
"""Patients that pySHACL judges."""
TRIAL_PATIENTS = 1_000
"""Patients that the synthetic trials judge: how a plan grows shows on few, for 300 trials have 12,000 rows."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured, and where the populations are."""

    data: Path
    patients: int
    exported: int
    trials: Sequence[int]
    spark: Sequence[int]
    measured: dict[str, Cost] = field(default_factory=dict)

    def timed(self, *name: str) -> Cost:
        """A job, once in this run of the table."""
        key = " ".join(name)
        if key not in self.measured:
            self.measured[key] = job(*name, runs=1, module=MODULE)
        return self.measured[key]


Part = Callable[[Sizes], Iterator[Line | str]]


def resident(sizes: Sizes) -> Iterator[Line | str]:
    """The compiled script beside SQL written by hand, and beside pySHACL."""
    folder, count = str(population(sizes.data, sizes.patients)), f"{sizes.patients:,}"
    hand = sizes.timed("yardstick", folder)
    yield Line(f"hand-written SQL, resident tables, three trials: {count} patients", hand)
    ours = sizes.timed("program", folder)
    what = f"`cohort`'s script, resident tables, three trials: {count} patients"
    yield Line(what, ours, "hand-written", ours.seconds / hand.seconds, 1.3)
    slow = sizes.timed("bare", str(PYSHACL_PATIENTS))
    yield Line(f"bare `pyshacl`, the same shapes, ready profiles: {PYSHACL_PATIENTS} patients", slow)
    few = min(sizes.patients, AT_ONCE * CHUNK)
    ready = sizes.timed("ready", str(population(sizes.data, few)))
    each = slow.seconds / PYSHACL_PATIENTS
    yield Line(
        f"patients a second: the plan, bounds of features ready: {few:,} patients",
        ready,
        "pyshacl's",
        each * few / ready.seconds,
        10_000,
        least=True,
    )
    ratio = each * sizes.patients / ours.seconds
    yield Line("patients a second: `cohort`'s script, features included", ours, "pyshacl's", ratio)


def parquet(sizes: Sizes) -> Iterator[Line | str]:
    """The command on Parquet files beside reading them."""
    folder, count = str(population(sizes.data, sizes.patients)), f"{sizes.patients:,}"
    scan = sizes.timed("scan", folder)
    yield Line(f"scan of the same columns, one group-by a table, Parquet: {count} patients", scan)
    grouped = sizes.timed("grouped", folder)
    yield Line(f"scan with the group-bys of all features, hand-written, Parquet: {count} patients", grouped)
    verdicts = str(sizes.data / "verdicts.parquet")
    command = (
        COMMAND,
        "cohort",
        folder,
        "--on",
        ON,
        "--verdicts",
        verdicts,
        "--output",
        str(sizes.data / "summary.txt"),
    )
    ours = whole(*command, runs=1)
    yield Line(f"`cohort`, Parquet to verdicts: {count} patients", ours, "scan", ours.seconds / scan.seconds, 1.5)
    yield Line("the same beside all group-bys", ours, "scan with all group-bys", ours.seconds / grouped.seconds, 1.5)
    yield Line("its peak memory", ours, "2 GiB", ours.memory / 2048, 1)


def ingest(sizes: Sizes) -> Iterator[Line | str]:
    """FHIR NDJSON to tables beside its parser, and memory as the input grows.

    Patients to be screened have many different records each; those followed after infusion have many of the same.
    """
    if find_spec("orjson") is None:
        yield "| FHIR NDJSON to tables: needs `pip install sle-kg[bench]` |  |  |  |  |"
        return
    few = max(1, sizes.exported // 2)
    memory: dict[str, float] = {}
    for kind, patients in (
        ("infused", few),
        ("infused", 4 * few),
        ("screening", sizes.exported),
        ("screening", 4 * sizes.exported),
        ("screening", in_whole_copies(sizes.patients)),
    ):
        folder = bulk_export(sizes.data, patients, kind)
        size = sum(file.stat().st_size for file in folder.glob("*.ndjson")) // 2**20
        what = f"{size} MiB of FHIR NDJSON ({patients:,} patients, {kind})"
        parse = sizes.timed("parse", str(folder))
        yield Line(f"orjson alone, {what}, one thread", parse)
        with tempfile.TemporaryDirectory(dir=sizes.data) as tables:
            ours = whole(COMMAND, "ingest-cohort", str(folder), "-o", f"{tables}/tables", runs=1)
        yield Line(f"`ingest-cohort`, {size} MiB", ours, "orjson", ours.seconds / parse.seconds, 3)
        half = ours.processor / parse.processor / 2
        yield Line("half of its processor time, all processes", ours, "that of orjson", half)
        if kind in memory:
            yield Line("its peak memory, one process", ours, "that of the input before", ours.memory / memory[kind])
        memory[kind] = ours.memory


def patients(sizes: Sizes) -> Iterator[Line | str]:
    """Growth with the patients: the script over resident tables."""
    steps = [sizes.patients // 100, sizes.patients // 10, sizes.patients]
    costs = [sizes.timed("program", str(population(sizes.data, step))) for step in steps]
    for step, cost in zip(steps, costs, strict=True):
        each = cost.seconds / step * 1e6
        yield Line(
            f"script, {step:,} patients: {each:.0f} µs each, {cost.processor / step * 1e6:.0f} µs of processor", cost
        )
    yield _exponent("patients", steps, costs)


def trials(sizes: Sizes) -> Iterator[Line | str]:
    """Growth with the trials: synthetic ones on few patients, compilation included."""
    folder = str(population(sizes.data, TRIAL_PATIENTS))
    costs = [sizes.timed("invented", folder, str(number)) for number in sizes.trials]
    for number, cost in zip(sizes.trials, costs, strict=True):
        each = cost.seconds / number * 1e3
        yield Line(
            f"{number} synthetic trials, {TRIAL_PATIENTS:,} patients, with compilation: {each:.0f} ms a trial", cost
        )
    if len(costs) > 1:
        yield _exponent("trials", sizes.trials, costs)


def spark(sizes: Sizes) -> Iterator[Line | str]:
    """Spark on this machine beside DuckDB, both from Parquet files to statuses; start-up apart."""
    if find_spec("pyspark") is None:
        yield "| Spark: needs `pip install sle-kg[spark]` |  |  |  |  |"
        return
    yield Line("Spark: start of Java and of a session", sizes.timed("spark_start"))
    for count in sizes.spark:
        folder = population(sizes.data, count)
        rows = f"{count:,} patients, {fact_rows(folder) / 1e6:.1f} million rows"
        duck = sizes.timed("duckdb_files", str(folder))
        yield Line(f"script on DuckDB, from Parquet: {rows}", duck)
        ours = sizes.timed("spark", str(folder))
        what = f"script on Spark, local[2], from Parquet (MiB: without Java): {rows}"
        yield Line(what, ours, "DuckDB", ours.seconds / duck.seconds)


def _exponent(of: str, sizes: Sequence[int], costs: Sequence[Cost]) -> str:
    """The slope of log time over log size, by least squares."""
    xs, ys = [math.log(size) for size in sizes], [math.log(cost.seconds) for cost in costs]
    x_mean, y_mean = sum(xs) / len(xs), sum(ys) / len(ys)
    slope = sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True)) / sum((x - x_mean) ** 2 for x in xs)
    return f"| growth with the number of {of}: time ∝ n^{slope:.2f} |  |  |  |  |"


PARTS: dict[str, Part] = {part.__name__: part for part in (resident, parquet, ingest, patients, trials, spark)}


def main() -> None:
    """Print the parts named on the command line, or all, line by line as they are measured."""
    parser = argparse.ArgumentParser(description="The table of cohorts.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--patients", type=int, default=1_000_000)
    parser.add_argument("--exported", type=int, default=2_000)
    parser.add_argument("--trials", type=int, nargs="+", default=[3, 30, 300])
    parser.add_argument(
        "--spark", type=int, nargs="+", default=[18_000, 180_000], help="a million and ten million rows"
    )
    parser.add_argument("--data", type=Path, help="keep the populations here")
    given = parser.parse_args()
    print("| what | seconds | MiB | ratio | limit |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.data or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        sizes = Sizes(folder, given.patients, given.exported, given.trials, given.spark)
        for name in given.parts or PARTS:
            for line in PARTS[name](sizes):
                print(line, flush=True)


if __name__ == "__main__":
    main()
