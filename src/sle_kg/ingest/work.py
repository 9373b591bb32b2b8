"""Pieces to parts by several processes, each with its own terminology; what is done already is not done again."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sle_kg.codes import CodeMap
from sle_kg.errors import InputError
from sle_kg.ingest.parts import PartBuilder, PartStore
from sle_kg.ingest.pieces import Piece
from sle_kg.terminology import terminology

if TYPE_CHECKING:
    from sle_kg.ingest.forms import Forms


@dataclass(frozen=True, slots=True)
class Job:
    """What every process needs: the folder of parts, the user's codes, and the maps of tables by source."""

    folder: Path
    code_map: CodeMap = field(default_factory=dict)
    maps: dict[str, Any] = field(default_factory=dict)


def read_piece(job: Job, piece: Piece, key: str) -> None:
    """Read a piece by the rules of reading and write its part. Raises OSError where it cannot be written."""
    from sle_kg.ingest.fhir import PieceReader
    from sle_kg.ingest.rows import RowReader

    part = PartBuilder()
    resources = PieceReader(terminology(), job.code_map, part, _forms_of(job).fill)
    rows = RowReader(terminology(), job.code_map, part, job.maps)
    for segment in piece.segments:
        (rows if segment.form in ("rows", "patients") else resources).read(segment)
    PartStore(job.folder).write(key, part, {"bytes": piece.size})


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


def read_pieces(pieces: Iterable[Piece], job: Job, context: bytes, workers: int) -> list[str]:
    """The keys of all pieces, each read once.

    At most `workers` + 1 pieces are held at a time. Raises InputError where a process ends unexpectedly, and OSError
    where a part cannot be written.
    """
    store = PartStore(job.folder)
    keys: dict[str, None] = {}
    if workers == 1:
        for piece in pieces:
            if not store.has(key := piece.key(context)):
                read_piece(job, piece, key)
            keys[key] = None
        return list(keys)
    method = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=method, initializer=_begin, initargs=(job,)) as pool:
        running: set[Future[None]] = set()
        try:
            for piece in pieces:
                key = piece.key(context)
                if store.has(key) or key in keys:
                    keys[key] = None
                    continue
                keys[key] = None
                running.add(pool.submit(_read_piece, piece, key))
                if len(running) > workers:
                    _collect(running)
            while running:
                _collect(running)
        except BrokenProcessPool as error:
            raise InputError(
                "a process of the ingest ended unexpectedly, perhaps for want of memory: run the command again "
                "with fewer --workers; what is done is kept"
            ) from error
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return list(keys)


def _collect(running: set[Future[None]]) -> None:
    """Wait for a piece to be finished. Raises what the process raised."""
    finished, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in finished:
        running.discard(future)
        future.result()


_job: Job


def _begin(job: Job) -> None:
    """Make a process ready, and let it end when its parent has gone, however that ended."""
    global _job
    _job = job
    terminology()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _read_piece(piece: Piece, key: str) -> None:
    read_piece(_job, piece, key)
