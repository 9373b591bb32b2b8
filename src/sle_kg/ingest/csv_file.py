"""CSV files row by row, also gzipped: the line of every row, and every line that cannot be read with the reason."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Literal, TextIO

from sle_kg.errors import InputError
from sle_kg.ingest.pieces import DAMAGE, LIMIT, damage
from sle_kg.ingest.rows import LINE, REJECT, Row

_SEPARATORS = {",": "','", ";": "';'", "\t": '"\\t"', "|": "'|'"}
"""What may stand between cells, as YAML writes it."""
_UTF16 = ("\udcff\udcfe", "\udcfe\udcff")
"""How UTF-16 begins, with its bytes marked as those that are not UTF-8."""


class CsvFile:
    """A CSV file with a header in its first line. Raises InputError, naming the file, where it cannot be read."""

    def __init__(self, file: Path, delimiter: str | None = None) -> None:
        self.file = file
        self._rejects: list[tuple[int, str]] = []
        try:
            with self._open() as stream:
                first = stream.readline(LIMIT).rstrip("\r\n")
        except (OSError, *DAMAGE) as error:
            raise InputError(f"{file}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
        if "\0" in first or first.startswith(_UTF16):
            raise InputError(f"{file}: the file is not UTF-8 but perhaps UTF-16: save it as CSV in UTF-8")
        self._first = first
        self.delimiter = delimiter or ("\t" if "\t" in first else ",")
        self.quoting: Literal[0, 3] = (
            csv.QUOTE_NONE if delimiter is None and self.delimiter == "\t" else csv.QUOTE_MINIMAL
        )
        try:
            self.header = [name.strip() for name in next(self._reader([first]), [])]
        except csv.Error as error:
            raise InputError(f"{file}, line 1: not readable as CSV ({error}): begin with the column names") from error
        if twice := [name for name, number in Counter(self.header).items() if number > 1]:
            raise InputError(f"{file}, line 1: the column {twice[0]!r} stands twice: keep one")

    def lacking(self, column: str) -> str:
        """Why the header seems to lack a column, and the cure where that is not the column alone; else nothing."""
        if _is_damaged(self._first):
            return "the line is not UTF-8: save the file as UTF-8"
        for separator, written in _SEPARATORS.items():
            names = (name.strip(' "') for name in self._first.split(separator))
            if separator != self.delimiter and column in names:
                return f"the columns are separated by {written}: write delimiter: {written} into the map"
        return ""

    def rows(self, wanted: Collection[str]) -> Iterator[Row]:
        """The wanted columns of every row, with the line (LINE); what cannot be read as a row with the reason."""
        try:
            with self._open() as stream:
                reader = self._reader(self._lines(stream))
                next(reader, None)
                while (cells := self._next(reader)) is not None:
                    yield from self._told()
                    if len(cells) == len(self.header):
                        row = {name: cell for name, cell in zip(self.header, cells, strict=True) if name in wanted}
                        yield row | {LINE: str(reader.line_num)}
                yield from self._told()
        except OSError as error:
            raise InputError(f"{self.file}: cannot be read ({error.strerror or error})") from error

    def _told(self) -> Iterator[Row]:
        """What could not be read since the last call."""
        yield from ({LINE: str(line), REJECT: reason} for line, reason in self._rejects)
        self._rejects.clear()

    def _open(self) -> TextIO:
        """The text of the file; bytes that are not UTF-8 are marked, to be rejected with their line."""
        stream = self.file.open("rb")
        packed = stream.read(2) == b"\x1f\x8b"
        stream.seek(0)
        raw: Any = gzip.GzipFile(fileobj=stream) if packed else stream
        return io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="")

    def _reader(self, lines: Any) -> Any:
        return csv.reader(lines, delimiter=self.delimiter, quoting=self.quoting)

    def _next(self, reader: Any) -> list[str] | None:
        """The cells of the next row, none of a row that is rejected or blank; None at the end."""
        try:
            cells: list[str] = next(reader)
        except StopIteration:
            return None
        except csv.Error as error:
            self._rejects.append((reader.line_num, f"not readable as CSV ({error})"))
            return []
        if not any(cells):
            return []
        if any(map(_is_damaged, cells)):
            self._rejects.append((reader.line_num, "the line is not UTF-8: save the file as UTF-8"))
            return []
        if len(cells) != len(self.header):
            self._rejects.append((reader.line_num, f"{len(cells)} cells instead of {len(self.header)}: mend the line"))
        return cells

    def _lines(self, stream: TextIO) -> Iterator[str]:
        """The lines of the file; one over the limit is passed over without holding it."""
        number = 0
        try:
            while line := stream.readline(LIMIT + 1):
                number += 1
                if len(line) <= LIMIT:
                    yield line
                    continue
                self._rejects.append((number, f"the line is longer than {LIMIT >> 20} MB"))
                while line and not line.endswith("\n"):
                    line = stream.readline(1 << 20)
                yield "\n"
        except DAMAGE as error:
            self._rejects.append((number + 1, damage(error)))


def _is_damaged(text: str) -> bool:
    """Whether a text holds marks of bytes that are not UTF-8."""
    return not text.isascii() and any("\udc80" <= sign <= "\udcff" for sign in text)
