"""Processes timed: what a line of a table of benchmarks is made of."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

PYTHON = sys.executable
COMMAND = str(Path(sys.executable).with_name("sle-kg"))


@dataclass(frozen=True)
class Cost:
    """Seconds and processor seconds of all cores (medians of the runs), peak memory in MiB (the highest)."""

    seconds: float
    memory: float
    processor: float = 0


@dataclass(frozen=True)
class Line:
    """One line of the table; `ratio` is to the line that `against` describes, `limit` what it should stay under.

    Where `least`, the ratio should reach the limit instead.
    """

    what: str
    cost: Cost
    against: str = ""
    ratio: float | None = None
    limit: float | None = None
    least: bool = False

    def __str__(self) -> str:
        ratio = "" if self.ratio is None else f"{self.ratio:,.2f}× {self.against}"
        return f"| {self.what} | {self.cost.seconds:.3f} | {self.cost.memory:.0f} | {ratio} | {self.verdict()} |"

    def verdict(self) -> str:
        """Whether the limit is kept."""
        if self.limit is None:
            return ""
        ratio = self.ratio or 0
        met = ratio >= self.limit if self.least else ratio <= self.limit
        return f"{'≥' if self.least else '≤'} {self.limit:,}×: {'met' if met else 'missed'}"


def run(*command: str) -> tuple[Cost, str]:
    """The cost of one process from start to exit, and its output. Exits where it fails."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as complaints:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=complaints)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        if os.waitstatus_to_exitcode(status) != 0:
            complaints.seek(0)
            raise SystemExit(f"{' '.join(command)} failed:\n{complaints.read().decode()[-2000:]}")
        output.seek(0)
        cost = Cost(seconds, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime)
        return cost, output.read().decode()


def whole(*command: str, runs: int = 3) -> Cost:
    """The cost of a whole process, from start to exit."""
    return _middle([run(*command)[0] for _ in range(runs)])


def job(*name: str, runs: int = 3, module: str = "benchmarks.jobs") -> Cost:
    """The cost of the timed part of a job, which prints seconds (of processors too); memory is that of its process."""
    return _middle([_timed(*run(PYTHON, "-m", module, *name)) for _ in range(runs)])


def _timed(cost: Cost, output: str) -> Cost:
    seconds, _, processor = output.strip().rpartition("\n")[2].partition(" ")
    return Cost(float(seconds), cost.memory, float(processor or 0))


def _middle(costs: list[Cost]) -> Cost:
    return Cost(
        median(cost.seconds for cost in costs),
        max(cost.memory for cost in costs),
        median(cost.processor for cost in costs),
    )
