"""Pieces to parts by several processes, each with its own terminology; what is done already is not done again."""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sle_kg.codes import CodeMap
from sle_kg.errors import InputError
from sle_kg.ingest.parts import PartBuilder, PartStore
from sle_kg.ingest.pieces import Piece
from sle_kg.terminology import terminology

if TYPE_CHECKING:
    from sle_kg.ingest.forms import Forms


@dataclass(frozen=True, slots=True)
class Job:
    """What every process needs: the folder of parts, the user's codes, and the maps of tables by source.

    `context` is what the parts depend on beside their pieces: program version, codes and map.
    """

    folder: Path
    context: bytes = b""
    code_map: CodeMap = field(default_factory=dict)
    maps: dict[str, Any] = field(default_factory=dict)


def read_piece(job: Job, piece: Piece, key: str) -> None:
    """Read a piece by the rules of reading and write its part. Raises OSError where it cannot be written."""
    from sle_kg.ingest.fhir import PieceReader
    from sle_kg.ingest.rows import RowReader

    part = PartBuilder()
    resources = PieceReader(terminology(), job.code_map, part, _forms_of(job).fill)
    rows = RowReader(terminology(), job.code_map, part, job.maps)
    resources.read_lines([segment for segment in piece.segments if segment.form == "lines"])
    for segment in piece.segments:
        if segment.form != "lines":
            (rows if segment.form in ("rows", "patients") else resources).read(segment)
    PartStore(job.folder).write(key, part, {"bytes": piece.size})


def read_once(job: Job, piece: Piece) -> str:
    """The key of a piece; it is read unless its part is there. Raises what `read_piece` raises."""
    loaded = piece.loaded()
    key = loaded.key(job.context)
    if not PartStore(job.folder).has(key):
        read_piece(job, loaded, key)
    return key


@cache
def _forms(job_codes: tuple[tuple[tuple[str, str], str], ...]) -> Forms:
    """The forms that this process remembers, for one code map."""
    from sle_kg.ingest.fhir import LineProbe, named_patient
    from sle_kg.ingest.forms import Forms
    from sle_kg.ingest.probe import Probe

    terms, codes = terminology(), dict(job_codes)
    return Forms(Probe(LineProbe(terms, codes), terms, codes), named_patient)


def _forms_of(job: Job) -> Forms:
    return _forms(tuple(sorted(job.code_map.items())))


class Readers:
    """Processes that read pieces; they begin when there is more than one piece to read, and end with the context.

    In the first reading, as long as this process has one thread, they are copies of it, with all that it has loaded.
    """

    def __init__(self, job: Job, workers: int) -> None:
        self._job = job
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._may_fork = not job.maps

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def read(self, pieces: Iterable[Piece], meanwhile: Callable[[], None] = lambda: None) -> list[str]:
        """The keys of all pieces, each read once, in any order; `meanwhile` is called when all processes have work.

        At most `workers` + 1 pieces are held at a time. Raises InputError where a process ends unexpectedly or a file
        cannot be read any more, and OSError where a part cannot be written.
        """
        try:
            return self._read(iter(pieces), meanwhile)
        finally:
            self._may_fork = False

    def _read(self, waiting: Iterator[Piece], meanwhile: Callable[[], None]) -> list[str]:
        begin = list(islice(waiting, 2))
        if self._workers == 1 or len(begin) < 2:
            return list(dict.fromkeys(read_once(self._job, piece) for piece in chain(begin, waiting)))
        keys: dict[str, None] = {}
        running: set[Future[str]] = set()
        try:
            for number, piece in enumerate(chain(begin, waiting)):
                running.add(self._processes().submit(_read_once, piece))
                if number == self._workers:
                    meanwhile()
                if len(running) > self._workers:
                    keys |= dict.fromkeys(_collected(running))
            while running:
                keys |= dict.fromkeys(_collected(running))
        except BrokenProcessPool as error:
            raise InputError(
                "a process of the ingest ended unexpectedly, perhaps for want of memory: run the command again "
                "with fewer --workers; what is done is kept"
            ) from error
        return list(keys)

    def _processes(self) -> ProcessPoolExecutor:
        if self._pool is None:
            if fork := self._may_fork:
                _load()
                fork = _has_one_thread()
            method = multiprocessing.get_context("fork" if fork else "spawn")
            self._pool = ProcessPoolExecutor(
                self._workers, mp_context=method, initializer=_begin, initargs=(self._job,)
            )
        return self._pool


def _collected(running: set[Future[str]]) -> list[str]:
    """The keys of the next pieces that are finished. Raises what the process raised."""
    finished, _ = wait(running, return_when=FIRST_COMPLETED)
    running -= finished
    return [future.result() for future in finished]


_job: Job


def _begin(job: Job) -> None:
    """Make a process ready, and let it end when its parent has gone, however that ended.

    Reading makes no cycles to speak of, and looking for them goes through all that is remembered, after every piece.
    """
    global _job
    _job = job
    gc.disable()
    _load()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _load() -> None:
    """Load what reading needs."""
    import sle_kg.ingest.fhir
    import sle_kg.ingest.forms
    import sle_kg.ingest.probe
    import sle_kg.ingest.rows  # noqa: F401

    terminology()


def _has_one_thread() -> bool:
    """Whether no other thread, of Python or of a library, may hold a lock; False where that is not known."""
    try:
        return len(list(Path("/proc/self/task").iterdir())) == 1
    except OSError:
        return False


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _read_once(piece: Piece) -> str:
    return read_once(_job, piece)
