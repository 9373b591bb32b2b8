"""Pieces of the input: runs of whole lines of about 32 MB, or small files together, never a whole export.

Only this module reads the files. It cuts at line ends, passes over a line longer than the limit without holding it, and
names what a damaged gzip file lost; nothing here understands the lines. Of a plain file it tells other processes where
to read, not what.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Literal, cast

from sle_kg.errors import InputError

PIECE = 32 << 20
"""Bytes of input in a piece, about."""
MANY, LEAST = 4, 32
"""A small input is cut into MANY pieces, that all processes have work, none smaller than a LEAST of PIECE.

More would be worse: pieces in the order of files differ in their types, so that two processes learn few forms twice.
"""
LIMIT = 64 << 20
"""Bytes of one line, or of one JSON document of several lines; longer ones are rejected unread."""
LINES = 1 << 17
"""Lines of a piece, about: each may be a record or a reject, however short it is."""
_BLOCK = 1 << 16
"""Bytes in which line ends are counted at a time."""
_LOOK = 20
"""Lines at which a file is known as NDJSON or as one document."""

Form = Literal["lines", "document", "rows", "patients", "medicines", "events"]
"""What a segment holds: NDJSON, one JSON document, rows of a database or table, or what waited for the second pass."""


@dataclass(frozen=True, slots=True)
class Place:
    """A run of bytes of a file."""

    file: Path
    start: int
    size: int

    def read(self) -> bytes:
        """The bytes. Raises InputError where they are not there any more."""
        try:
            with self.file.open("rb") as stream:
                stream.seek(self.start)
                content = stream.read(self.size)
        except OSError as error:
            raise InputError(f"{self.file}: cannot be read ({error.strerror or error})") from error
        if len(content) != self.size:
            raise InputError(f"{self.file}: the file became shorter while it was read: run the command again")
        return content


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of bytes of one source, or their place, with the number of its first line and what could not be read.

    `lines` is how many lines, or rows, there are, about.
    """

    form: Form
    source: str
    first: int
    content: bytes | Place
    rejects: tuple[tuple[int, str], ...] = ()
    lines: int = 1

    @property
    def size(self) -> int:
        """Bytes of content."""
        return self.content.size if isinstance(self.content, Place) else len(self.content)

    def read(self) -> bytes:
        """The content. Raises InputError where it cannot be read any more."""
        return self.content.read() if isinstance(self.content, Place) else self.content


@dataclass(frozen=True, slots=True)
class Piece:
    """Segments that one process works on at a time."""

    segments: tuple[Segment, ...]

    def loaded(self) -> Piece:
        """The piece with its content. Raises InputError where it cannot be read any more."""
        return Piece(tuple(replace(segment, content=segment.read()) for segment in self.segments))

    def key(self, context: bytes) -> str:
        """A name that changes with the content, its place, and the `context` (program version, code map)."""
        digest = hashlib.sha256(context)
        for segment in self.segments:
            head = [segment.form, segment.source, segment.first, segment.rejects, segment.size]
            digest.update(json.dumps(head).encode("utf-8", "surrogatepass"))
            digest.update(segment.read())
        return digest.hexdigest()[:40]

    @property
    def size(self) -> int:
        """Bytes of content."""
        return sum(segment.size for segment in self.segments)


def pieces(segments: Iterable[Segment], size: int | None = None) -> Iterator[Piece]:
    """Segments in groups of about `size` bytes (default PIECE), and of LINES at most, in their order."""
    group: list[Segment] = []
    room = size or PIECE
    held = lines = 0
    for segment in segments:
        if group and (held + segment.size > room or lines + segment.lines > LINES):
            yield Piece(tuple(group))
            group, held, lines = [], 0, 0
        group.append(segment)
        held += segment.size
        lines += segment.lines
    if group:
        yield Piece(tuple(group))


def piece_size(total: int) -> int:
    """Bytes of a piece of an input of so many bytes."""
    return min(PIECE, max(total // MANY, PIECE // LEAST))


def segments_of(
    file: Path, label: str, read: Callable[[int], None] = lambda size: None, size: int | None = None
) -> Iterator[Segment]:
    """The segments of one JSON or NDJSON file, plain or gzipped, known by its content, of about `size` bytes.

    `read` is told how many bytes of the file were read since the last call. Raises InputError where the file cannot be
    opened or read.
    """
    try:
        with file.open("rb") as raw:
            document = _is_document(raw)
            raw.seek(0)
            place = 0
            if document:
                found = _document(raw, label)
            else:
                room = size or PIECE
                found = _packed_lines(raw, label, room) if _is_packed(raw) else _plain_lines(raw, label, file, room)
            for segment in found:
                yield segment
                read(raw.tell() - place)
                place = raw.tell()
            read(raw.tell() - place)
    except OSError as error:
        raise InputError(f"{label}: cannot be read ({error.strerror or error})") from error


def _is_packed(raw: BinaryIO) -> bool:
    """Whether a file is gzipped; it is at its beginning again."""
    packed = raw.read(2) == b"\x1f\x8b"
    raw.seek(0)
    return packed


def _stream(raw: BinaryIO) -> BinaryIO:
    """The bytes of a file, unpacked where it is gzipped."""
    return cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if _is_packed(raw) else raw


DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error)
"""What a truncated or damaged gzip file raises."""


def _is_document(raw: BinaryIO) -> bool:
    """Whether a file is one document written over several lines.

    So it is where the first line is no JSON by itself, and none of those after it an object.
    """
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
                value = json.loads(line.removeprefix(b"\xef\xbb\xbf"))
            except (ValueError, RecursionError):
                continue
            if seen == 1 or isinstance(value, dict):
                return False
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


def _plain_lines(raw: BinaryIO, label: str, file: Path, room: int) -> Iterator[Segment]:
    """Runs of whole lines of about `room` bytes or LINES lines, as places; the lines themselves around one too long."""
    start, first, lines = 0, 1, 0
    while block := raw.read(min(_BLOCK, room)):
        if not block.endswith(b"\n"):
            block += raw.readline(LIMIT + 1)
        size = raw.tell() - len(block) - start
        has_long = len(block) > LIMIT and any(len(line) > LIMIT for line in block.split(b"\n"))
        if size and (has_long or size + len(block) > room or lines >= LINES):
            yield Segment("lines", label, first, Place(file, start, size), lines=lines)
            start, first, lines = start + size, first + lines, 0
        lines += _line_ends(block)
        if has_long:
            yield _without_long_lines(block, label, first)
            if not block.endswith(b"\n") and _skip_line(raw, block):
                lines += 1
            start, first, lines = raw.tell(), first + lines, 0
    if size := raw.tell() - start:
        yield Segment("lines", label, first, Place(file, start, size), lines=lines)


def _line_ends(block: bytes) -> int:
    """How many lines end in a block: what `block.count` says, in an eighth of the time where lines are long."""
    return len(BytesIO(block).readlines()) - (not block.endswith(b"\n"))


def _without_long_lines(block: bytes, label: str, first: int) -> Segment:
    """Lines of which those over the limit are blank, and rejected."""
    lines = block.split(b"\n")
    long = [place for place, line in enumerate(lines) if len(line) > LIMIT]
    for place in long:
        lines[place] = b""
    rejects = tuple((first + place, f"the line is longer than {LIMIT >> 20} MB") for place in long)
    return Segment("lines", label, first, b"\n".join(lines), rejects, len(lines))


def _packed_lines(raw: BinaryIO, label: str, room: int) -> Iterator[Segment]:
    """Runs of whole lines of about `room` bytes or LINES lines of a gzip file, as far as it is not damaged."""
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
        if size >= room or len(held) >= LINES:
            yield Segment("lines", label, first, b"".join(held), tuple(rejects), len(held))
            held, rejects, size, first = [], [], 0, number + 1
    if held or rejects:
        yield Segment("lines", label, first, b"".join(held), tuple(rejects), len(held))


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
