"""Pieces of the input: runs of whole lines of about 32 MB, or several small files together, never a whole export.

Only this module reads the files. It cuts at line ends, passes over a line longer than the limit without holding it, and
names what a damaged gzip file lost; nothing here understands the lines.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, cast

from sle_kg.errors import InputError

PIECE = 32 << 20
"""Bytes of input in a piece, about."""
LIMIT = 64 << 20
"""Bytes of one line, or of one JSON document of several lines; longer ones are rejected unread."""
_LOOK = 20
"""Lines at which a file is known as NDJSON or as one document."""

Form = Literal["lines", "document", "rows", "patients", "medicines", "events"]
"""What a segment holds: NDJSON, one JSON document, rows of a database or table, or what waited for the second pass."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of bytes of one source, with the number of its first line and what could not be read in it."""

    form: Form
    source: str
    first: int
    content: bytes
    rejects: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """Segments that one process works on at a time."""

    segments: tuple[Segment, ...]

    def key(self, context: bytes) -> str:
        """A name that changes with the content, its place, and the `context` (program version, code map)."""
        digest = hashlib.blake2b(context, digest_size=20)
        for segment in self.segments:
            head = json.dumps([segment.form, segment.source, segment.first, segment.rejects, len(segment.content)])
            digest.update(head.encode("utf-8", "surrogatepass"))
            digest.update(segment.content)
        return digest.hexdigest()

    @property
    def size(self) -> int:
        """Bytes of content."""
        return sum(len(segment.content) for segment in self.segments)


def pieces(segments: Iterable[Segment], size: int | None = None) -> Iterator[Piece]:
    """Segments in groups of about `size` bytes (default PIECE), in their order."""
    group: list[Segment] = []
    room = size or PIECE
    held = 0
    for segment in segments:
        if group and held + len(segment.content) > room:
            yield Piece(tuple(group))
            group, held = [], 0
        group.append(segment)
        held += len(segment.content)
    if group:
        yield Piece(tuple(group))


def segments_of(file: Path, label: str, read: Callable[[int], None] = lambda size: None) -> Iterator[Segment]:
    """The segments of one JSON or NDJSON file, plain or gzipped, known by its content.

    `read` is told how many bytes of the file were read since the last call. Raises InputError where the file cannot be
    opened or read.
    """
    try:
        with file.open("rb") as raw:
            document = _is_document(raw)
            raw.seek(0)
            place = 0
            for segment in _document(raw, label) if document else _lines(raw, label):
                yield segment
                read(raw.tell() - place)
                place = raw.tell()
            read(raw.tell() - place)
    except OSError as error:
        raise InputError(f"{label}: cannot be read ({error.strerror or error})") from error


def _stream(raw: BinaryIO) -> BinaryIO:
    """The bytes of a file, unpacked where it is gzipped."""
    packed = raw.read(2) == b"\x1f\x8b"
    raw.seek(0)
    return cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw


DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error)
"""What a truncated or damaged gzip file raises."""


def _is_document(raw: BinaryIO) -> bool:
    """Whether none of the first lines is a JSON object by itself, as in a document written over several lines."""
    stream = _stream(raw)
    seen = 0
    try:
        while seen < _LOOK and (line := stream.readline(LIMIT + 1)):
            if len(line) > LIMIT:
                return False
            if not line.strip():
                continue
            seen += 1
            try:
                if isinstance(json.loads(line.removeprefix(b"\xef\xbb\xbf")), dict):
                    return False
            except (ValueError, RecursionError):
                pass
    except DAMAGE:
        return False
    return seen > 1


def _document(raw: BinaryIO, label: str) -> Iterator[Segment]:
    """A whole file as one segment; a reject where it is too large or damaged."""
    try:
        content = _stream(raw).read(LIMIT + 1)
    except DAMAGE as error:
        yield Segment("document", label, 1, b"", ((1, damage(error)),))
        return
    if len(content) > LIMIT:
        why = f"the document is larger than {LIMIT >> 20} MB: export it as NDJSON, one resource a line"
        yield Segment("document", label, 1, b"", ((1, why),))
    else:
        yield Segment("document", label, 1, content)


def _lines(raw: BinaryIO, label: str) -> Iterator[Segment]:
    """Runs of whole lines of about PIECE bytes."""
    stream = _stream(raw)
    held: list[bytes] = []
    rejects: list[tuple[int, str]] = []
    size, number, first = 0, 0, 1
    damaged = False
    while not damaged:
        try:
            line = stream.readline(LIMIT + 1)
        except DAMAGE as error:
            rejects.append((number + 1, damage(error)))
            line, damaged = b"", True
        number += 1
        if len(line) > LIMIT:
            rejects.append((number, f"the line is longer than {LIMIT >> 20} MB"))
            damaged = not _skip_line(stream, line)
            line = b"\n"
        if not line:
            break
        held.append(line)
        size += len(line)
        if size >= PIECE:
            yield Segment("lines", label, first, b"".join(held), tuple(rejects))
            held, rejects, size, first = [], [], 0, number + 1
    if held or rejects:
        yield Segment("lines", label, first, b"".join(held), tuple(rejects))


def _skip_line(stream: BinaryIO, line: bytes) -> bool:
    """Read to the end of a line without keeping it; False where the file is damaged there."""
    try:
        while line and not line.endswith(b"\n"):
            line = stream.readline(1 << 20)
    except DAMAGE:
        return False
    return True


def damage(error: Exception) -> str:
    """What is wrong with a gzip file."""
    if isinstance(error, EOFError):
        return "the gzip file ends too early; what follows is lost: fetch the file again"
    return "the gzip file is damaged: lines just before may be wrong, what follows is lost: fetch the file again"
