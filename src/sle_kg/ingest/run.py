"""An ingest from beginning to end: pieces, second pass, merge, and a folder that is whole or can be gone on with."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from sle_kg import __version__
from sle_kg.codes import CodeMap
from sle_kg.errors import InputError
from sle_kg.files import plain_path, replace_whole, text_of_path
from sle_kg.ingest.merge import SECOND, Merge
from sle_kg.ingest.parts import PartStore
from sle_kg.ingest.pieces import Piece, Segment, piece_size, pieces, segments_of
from sle_kg.ingest.sources import Sources, find
from sle_kg.ingest.table_map import read_table_map, table_segments
from sle_kg.ingest.work import Job, Readers
from sle_kg.patients.read import no_search_for_cycles
from sle_kg.terminology import terminology

PARTS = "parts"
"""Folder of the work in hand; it is gone when the ingest is done."""
DONE = "ingest.json"
"""What was done, written last: a folder with it is whole."""
_NO_PLACE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENOENT, errno.ENAMETOOLONG, errno.ELOOP)
"""Errors of a place where nobody, or not this user, can write."""

Progress = Callable[[int, int, str], None]
"""Told of bytes read, bytes in all and what is being done."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to read: the user's codes, the map of tables, and how many processes."""

    code_map: CodeMap = field(default_factory=dict)
    table_map: Path | None = None
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What an ingest did: rows of each table, rejects by reason, what was passed over, whether it was done before."""

    rows: dict[str, int]
    rejects: dict[str, int]
    skipped: dict[str, int]
    patients: int
    before: bool = False


def ingest_cohort(
    sources: Sequence[str], folder: Path, options: Options | None = None, progress: Progress | None = None
) -> Summary:
    """Write the patient tables of all sources into a folder, `<table>.parquet`, with rejects.parquet and rejects.csv.

    An ingest that was interrupted goes on where it was; the same sources give the same bytes. Raises InputError for
    sources that cannot be used, for a folder that holds something else, and where the disk does not take the tables.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # others keep far more of what was given back
    how, folder = options or Options(), plain_path(folder)
    found = find(sources, how.table_map is not None)
    try:
        with no_search_for_cycles(), _in_hand(folder):
            return _ingest(found, folder, how, progress or (lambda done, total, what: None))
    except OSError as error:
        why = error.strerror or str(error)
        raise InputError((_no_place if error.errno in _NO_PLACE else _no_room)(folder, why)) from error


def _ingest(found: Sources, folder: Path, how: Options, progress: Progress) -> Summary:
    """The ingest into a folder of one's own. Raises OSError where it cannot be written."""
    workers = how.workers or os.cpu_count() or 1
    store = PartStore(folder / PARTS)
    total = found.size
    read, room = _Read(total, progress), piece_size(total)
    segments, maps = _segments(found, how, read, room)
    context = _context(how, maps)
    job = Job(store.folder, context, dict(how.code_map), maps)
    if (folder / DONE).exists():
        return _done_before(folder, context, pieces(segments, room))
    try:
        with Readers(job, workers) as readers:
            first = readers.read(pieces(segments, room), _load_merge)
            progress(0, 0, "Merging")
            with closing(Merge(store, first, workers)) as merge:
                if not merge.patients():
                    raise InputError(_no_patient(found, merge.reasons()))
                second = readers.read(pieces(merge.waiting(), SECOND))
                final = store.folder / "final"
                final.mkdir(exist_ok=True)
                rows = merge.write(final, second)
                rejects, patients = merge.reasons(), merge.patients()
    except Exception as error:
        if (why := _found_no_room(folder, error)) is not None:
            raise InputError(why) from error
        raise
    rows.pop("rejects")
    skipped = Counter(found.skipped) + store.skipped([*first, *second])
    summary = Summary(rows, rejects, dict(sorted(skipped.items())), patients)
    _finish(folder, final, summary, _fingerprint(context, first))
    return summary


def _load_merge() -> None:
    """Load what the merge needs; no process may be forked after this."""
    import duckdb  # noqa: F401
    import pyarrow.compute
    import pyarrow.parquet  # noqa: F401


def _found_no_room(folder: Path, error: Exception) -> str | None:
    """What to say where DuckDB found too little room, on disk or in memory; None for any other error."""
    import duckdb

    if not isinstance(error, duckdb.IOException | duckdb.OutOfMemoryException):
        return None
    why = str(error).splitlines()[0]
    if isinstance(error, duckdb.IOException) or "offload" in why:  # it could not write what it holds
        return _no_room(folder, why)
    cure = "run the same command again with fewer --workers, for each needs some: what is done is kept"
    return f"{folder}: there is too little memory to merge the tables ({why}); {cure}"


def _segments(found: Sources, how: Options, read: _Read, room: int) -> tuple[Iterator[Segment], dict[str, Any]]:
    """The segments of all sources, one after the other, of about `room` bytes, and how rows are converted."""
    from sle_kg.ingest.omop import OmopRows, concepts_of, omop_segments
    from sle_kg.ingest.omop_database import COLUMNS, open_database

    parts: list[Iterator[Segment]] = [segments_of(file, label, read, room) for file, label in found.fhir]
    maps: dict[str, Any] = {}
    for argument in found.omop:
        database = open_database(argument)
        concepts = concepts_of(database)
        maps |= {database.label(table): OmopRows(table, concepts) for table in COLUMNS}
        parts.append(omop_segments(database))
    if how.table_map is not None:
        mapping = read_table_map(how.table_map, terminology())
        for file in found.tables:
            maps[text_of_path(file)] = mapping
            parts.append(table_segments(file, mapping, found.skipped))
    return chain.from_iterable(parts), maps


class _Read:
    """Counts bytes read and tells the progress."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._done = 0
        self._total = total
        self._progress = progress

    def __call__(self, size: int) -> None:
        self._done += size
        self._progress(self._done, self._total, "Reading")


def _context(how: Options, maps: dict[str, Any]) -> bytes:
    """What the facts depend on beside the sources: program version, codes, map, and vocabularies of OMOP databases."""
    from sle_kg.ingest.omop import OmopRows

    codes = sorted((*key, value) for key, value in how.code_map.items())
    text = how.table_map.read_text(encoding="utf-8") if how.table_map else None
    concepts = {rows.concepts.fingerprint() for rows in maps.values() if isinstance(rows, OmopRows)}
    return json.dumps([__version__, codes, text, *sorted(concepts)]).encode()


def _fingerprint(context: bytes, keys: Sequence[str]) -> str:
    return hashlib.sha256(context + "".join(sorted(keys)).encode()).hexdigest()


def _done_before(folder: Path, context: bytes, found: Iterator[Piece]) -> Summary:
    """What a finished ingest of the same sources did. Raises InputError where the folder holds other patients."""
    told = json.loads((folder / DONE).read_text(encoding="utf-8"))
    keys = {piece.key(context) for piece in found}
    if told["fingerprint"] != _fingerprint(context, list(keys)):
        raise InputError(f"{folder}: the folder holds the tables of other sources; name a new one with --output")
    shutil.rmtree(folder / PARTS, ignore_errors=True)
    return Summary(told["rows"], told["rejects"], told["skipped"], told["patients"], before=True)


def _finish(folder: Path, final: Path, summary: Summary, fingerprint: str) -> None:
    """Put the tables in their place, then say that it is done, then clear away the work."""
    for file in sorted(final.iterdir()):
        replace_whole(file, folder / file.name)
    told = {
        "program": f"sle-kg {__version__}",
        "patients": summary.patients,
        "rows": summary.rows,
        "rejects": summary.rejects,
        "skipped": summary.skipped,
        "fingerprint": fingerprint,
    }
    temporary = folder / PARTS / DONE
    temporary.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    replace_whole(temporary, folder / DONE)
    shutil.rmtree(folder / PARTS, ignore_errors=True)


@contextmanager
def _in_hand(folder: Path) -> Iterator[None]:
    """The folder, made where it is missing, for this ingest alone. Raises InputError where it is not ours to fill."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is no folder; name a new one with --output")
    ours = (PARTS, DONE)
    if folder.exists() and any(folder.iterdir()) and not any((folder / name).exists() for name in ours):
        raise InputError(f"{folder}: the folder is not empty; name a new one with --output")
    (folder / PARTS).mkdir(parents=True, exist_ok=True)
    with (folder / PARTS / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"{folder}: another ingest is at work in this folder; wait for its end") from error
        yield


def _no_patient(found: Sources, reasons: dict[str, int]) -> str:
    """That there is no patient, and the most frequent reason why."""
    from sle_kg.ingest.omop_database import shown

    names = ", ".join(
        [label for _, label in found.fhir]
        + [shown(one) for one in found.omop]
        + [text_of_path(path) for path in found.tables]
    )
    why = max(reasons, key=lambda reason: reasons[reason], default=None)
    return f"{names[:300]}: no patient found" + (f"; {sum(reasons.values())} records rejected: {why}" if why else "")


def _no_place(folder: Path, why: str) -> str:
    return f"{folder}: the folder cannot be written ({why}); name with --output one in which you may write"


def _no_room(folder: Path, why: str) -> str:
    cure = "make room and run the same command again: what is done is kept"
    return f"{folder}: the tables cannot be written ({why}); {cure}"
