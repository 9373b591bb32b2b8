"""Rows of databases and tables to facts: each row becomes FHIR resources, which go the way of all others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from sle_kg.codes import CodeMap
from sle_kg.ingest.fhir import PieceReader, Resource
from sle_kg.ingest.parts import PartBuilder
from sle_kg.ingest.pieces import LINES, PIECE, Segment
from sle_kg.patients.interpret import Interpreter
from sle_kg.patients.raw import RawRecord
from sle_kg.terminology import Terminology

Row = dict[str, str]
"""The columns of a row that have a value, as text."""
Tell = Callable[[str], None]
"""Is told of a cell that cannot be read; its record is kept, and interpreted as unread."""
Convert = Callable[[Row, int, Tell], Iterable[tuple[str, Resource]]]
"""Patient and resource for each record of a row with its number. Raises ValueError, saying why the row is of no use."""
LINE = ""
"""Key of a row for the line that it stands in, where that is not its number."""
REJECT = " "
"""Key of a row that cannot be read, for the reason: no column is named so, for names are stripped of blanks."""


class RowReader:
    """Reads segments of rows into a part. `maps` gives the conversion of each source of rows."""

    def __init__(
        self, terminology: Terminology, code_map: CodeMap, part: PartBuilder, maps: Mapping[str, Convert]
    ) -> None:
        self._part = part
        self._maps = maps
        self._resources = PieceReader(terminology, code_map, part)
        self._interpreter = Interpreter(terminology, code_map, part)

    def read(self, segment: Segment) -> None:
        """All rows of a segment: a line is one row as JSON."""
        for place, reason in segment.rejects:
            self._part.reject(segment.source, place, None, reason)
        if segment.form == "patients":
            self._patients(segment.read())
            return
        for number, line in enumerate(segment.read().splitlines(), segment.first):
            row = json.loads(line)
            place = int(row.pop(LINE, number))
            if (reason := row.get(REJECT)) is not None:
                self._part.reject(segment.source, place, None, reason)
                continue
            try:
                tell = partial(self._cell, segment.source, place)
                resources = list(self._maps[segment.source](row, place, tell))
            except ValueError as error:
                self._part.reject(segment.source, place, None, str(error))
                continue
            for patient, resource in resources:
                self._record(patient, resource, segment.source, place)
        self._resources.count()

    def _record(self, patient: str, resource: Resource, source: str, number: int) -> None:
        """One record of a row; a patient is noted, for the merge to compare."""
        if resource["resourceType"] == "Patient":
            self._part.note("person", patient, resource["birthDate"], resource["gender"], None, source, number)
        elif self._resources.read_alone(resource, patient, {}):
            self._part.note("source", patient, f"{resource['resourceType']}/{resource['id']}", source, number)

    def _cell(self, source: str, line: int, reason: str) -> None:
        """A cell that cannot be read."""
        self._part.reject(source, line, None, f"kept as unread: {reason}")

    def _patients(self, content: bytes) -> None:
        """The facts of patients: birth date and sex as recorded."""
        self._interpreter.forget()
        for line in content.splitlines():
            patient, birth, gender = json.loads(line)
            raw = RawRecord("Patient", patient, f"Patient/{patient}")
            raw.add("birthDate", birth)
            raw.add("gender", gender)
            self._interpreter.add(raw)
        self._interpreter.finish()
        self._part.close()


def row_segments(source: str, rows: Iterable[Mapping[str, Any]], first: int = 1) -> Iterator[Segment]:
    """Rows as lines of JSON without their empty columns, in segments of at most about a quarter of a piece."""
    lines: list[bytes] = []
    size, begin, number = 0, first, first - 1
    for number, row in enumerate(rows, first):
        told = {name: value for name, value in row.items() if value not in (None, "")}
        lines.append(json.dumps(told).encode() + b"\n")
        size += len(lines[-1])
        if size >= PIECE // 4 or len(lines) >= LINES // 4:
            yield Segment("rows", source, begin, b"".join(lines), lines=len(lines))
            lines, size, begin = [], 0, number + 1
    if lines:
        yield Segment("rows", source, begin, b"".join(lines), lines=len(lines))
