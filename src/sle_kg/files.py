"""Names of files, and writing a result so that it is there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from sle_kg.errors import InputError


def write_whole(path: Path | str, content: bytes) -> None:
    """Write `content` to `path`: a new file beside it first, then one rename, so that no reader sees half of it.

    A file that is there keeps its permissions; a device or pipe such as /dev/stdout is written straight.
    Raises InputError when the place cannot be written; nothing is left behind then.
    """
    target = Path(path)
    temporary: Path | None = None
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(content)
            return
        target = target.resolve()
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        replace_whole(temporary, target, mode)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another --output") from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()


def replace_whole(file: Path, target: Path, mode: int | None = None) -> None:
    """Give a finished file its name, when all of it is on the disk; a power cut later leaves it whole. Raises OSError.

    A file system that knows no such promise for names (some of networks) is taken as it is.
    """
    _wait_for(file)
    if mode is not None:
        file.chmod(mode)
    file.replace(target)
    with suppress(OSError):
        _wait_for(target.parent)


def _wait_for(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def text_of_path(path: Path | str) -> str:
    """The path as text that any file can hold: a byte that is not UTF-8 as `\\xe9`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def plain_path(path: Path) -> Path:
    """The path from the root on, which no library takes for an address (`s3:x`) or somebody's home (`~`).

    Raises InputError for a name that is not UTF-8, which Parquet's libraries do not take.
    """
    found = path.absolute()
    if not str(found).isascii() and text_of_path(found) != str(found):
        raise InputError(f"{text_of_path(path)}: the name is not UTF-8: name another place, or rename this one")
    return found


def _umask() -> int:
    """The process's permission mask; reading it means setting it, so it is put back at once."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
