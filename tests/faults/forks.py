"""Runs one ingest again and again in children of one process, each stopped in its own way; a program for the tests.

Arguments: the sources, the folder, and a JSON list with how to stop each run: `{"operation": 7}` kills it at its 7th
change of the folder, `{"after": 0.2}` after so many seconds, `{"size": 1000}` lets no file grow larger, `{}` not at
all. Prints a JSON list: of each run the exit code (negative: the signal), what it said, and its changes of the folder.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

from sle_kg.errors import InputError
from sle_kg.ingest import Options, ingest_cohort, pieces
from sle_kg.terminology import terminology

CHANGES = frozenset({"os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree"})
"""Audit events of a change of the folder, beside files opened for writing."""


def main(sources: list[str], folder: str, stops: list[dict[str, float]]) -> list[tuple[int, str, int]]:
    """Every run, one after the other."""
    pieces.PIECE = 100_000
    terminology()
    return [_forked(sources, folder, stop) for stop in stops]


def _forked(sources: list[str], folder: str, stop: dict[str, float]) -> tuple[int, str, int]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        told: dict[str, Any] = {"code": 0, "said": ""}
        changes = _watched(folder, int(stop.get("operation", 0)))
        if "after" in stop:
            signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            signal.setitimer(signal.ITIMER_REAL, stop["after"])
        if "size" in stop:
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(stop["size"]), resource.RLIM_INFINITY))
        try:
            ingest_cohort(sources, Path(folder), Options(workers=1))
        except InputError as error:
            told = {"code": 2, "said": str(error)}
        except BaseException as error:
            told = {"code": 1, "said": repr(error)}
        os.write(writing, json.dumps(told | {"changes": len(changes)}).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        said = stream.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return -os.WTERMSIG(status), "", 0
    told = json.loads(said)
    return told["code"], told["said"], told["changes"]


def _watched(folder: str, last: int) -> list[str]:
    """The changes of the folder from here on; at the `last` of them this process is killed before it happens."""
    seen: list[str] = []

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        if (event in CHANGES or writes) and str(arguments[0]).startswith(folder):
            seen.append(event)
            if len(seen) == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    return seen


if __name__ == "__main__":
    json.dump(main(json.loads(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])), sys.stdout)
