"""A standalone cluster on this machine: Spark's master and worker, each a Java of its own, on the loopback alone."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyspark

from sle_kg.spark.session import java_home

HOME = Path(pyspark.__file__).parent
DEPLOY = "org.apache.spark.deploy"
PATIENCE = 120
"""Seconds until a daemon has to be there."""
SETTINGS = """spark.driver.memory 2g
spark.executor.memory 1g
spark.executor.extraJavaOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
spark.sql.shuffle.partitions 2
spark.sql.adaptive.enabled false
spark.sql.codegen.wholeStage false
"""
"""What the owner of a cluster writes into `spark-defaults.conf`; here: small tables cost least."""


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The address of the master, and what the environment of its users says; both daemons end with the context."""
    settings = folder / "conf"
    settings.mkdir()
    (settings / "spark-defaults.conf").write_text(SETTINGS, encoding="utf-8")
    here = {"JAVA_HOME": str(java_home(folder)), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_CONF_DIR": str(settings)}
    with ExitStack() as ending:
        log = _daemon("master.Master", [], folder, here, ending)
        (address,) = _said(log, r"Starting Spark master at (spark://\S+)")
        wanted = ["--cores", "2", "--memory", "1g", "--work-dir", str(folder / "work"), address]
        _said(_daemon("worker.Worker", wanted, folder, here, ending), r"Successfully registered with (master)")
        yield address, here


def _daemon(name: str, arguments: list[str], folder: Path, settings: dict[str, str], ending: ExitStack) -> Path:
    """Start a daemon on free ports; gives its log. `ending` stops it."""
    log = folder / f"{name}.log"
    options = {"SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false", "SPARK_NO_DAEMONIZE": "1"}
    command = [str(HOME / "bin" / "spark-class"), f"{DEPLOY}.{name}", "--host", "127.0.0.1", "--port", "0"]
    with log.open("wb") as written:
        process = subprocess.Popen(
            [*command, "--webui-port", "0", *arguments],
            env=os.environ | settings | options | {"SPARK_HOME": str(HOME)},
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    ending.callback(_stopped, process)
    return log


def _stopped(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _said(log: Path, pattern: str) -> list[str]:
    """What a daemon says in its log, awaited."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = re.search(pattern, log.read_text(encoding="utf-8", errors="replace"))
        if found:
            return list(found.groups())
        time.sleep(0.2)
    raise AssertionError(f"{log.name} does not say {pattern!r}: {log.read_text(encoding='utf-8')[-2000:]}")
