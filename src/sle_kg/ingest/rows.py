"""Rows of databases and tables to facts: each row becomes raw records, which go the way of all others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sle_kg.codes import CodeMap
from sle_kg.ingest.parts import PartBuilder
from sle_kg.ingest.pieces import Segment
from sle_kg.patients.interpret import Interpreter
from sle_kg.patients.raw import RawRecord
from sle_kg.terminology import Terminology

Row = dict[str, str]
"""The columns of a row that have a value, as text."""
Convert = Callable[[Row, int], Iterator[RawRecord]]
"""Raw records of a row and its number. Raises ValueError, saying why, where the row cannot be used."""


class RowReader:
    """Reads segments of rows into a part. `maps` gives the conversion of each source of rows."""

    def __init__(
        self, terminology: Terminology, code_map: CodeMap, part: PartBuilder, maps: Mapping[str, Convert]
    ) -> None:
        self._part = part
        self._maps = maps
        self._interpreter = Interpreter(terminology, code_map, part)

    def read(self, segment: Segment) -> None:
        """All rows of a segment: a line is one row as JSON."""
        for place, reason in segment.rejects:
            self._part.reject(segment.source, place, None, reason)
        if segment.form == "patients":
            for line in segment.content.splitlines():
                self._interpret(_patient(*json.loads(line)))
            return
        convert = self._maps[segment.source]
        for number, line in enumerate(segment.content.splitlines(), segment.first):
            try:
                raws = list(convert(json.loads(line), number))
            except ValueError as error:
                self._part.reject(segment.source, number, None, str(error))
                continue
            for raw in raws:
                if raw.kind == "Patient":
                    said = (raw.text("birthDate"), raw.text("gender"))
                    self._part.note("person", raw.patient, *said, None, segment.source, number)
            facts = [raw for raw in raws if raw.kind != "Patient"]
            for record in dict.fromkeys(raw.record for raw in facts):
                parts = [raw for raw in facts if raw.record == record]
                self._part.note("source", parts[0].patient, record, segment.source, number)
                self._interpret(*parts)
        self._part.skipped.update(self._interpreter.skipped)
        self._interpreter.skipped.clear()

    def _interpret(self, *raws: RawRecord) -> None:
        """The facts of one record."""
        self._interpreter.forget()
        for raw in raws:
            self._interpreter.add(raw)
        self._interpreter.finish()
        self._part.close()


def _patient(patient: str, birth: str | None, gender: str | None) -> RawRecord:
    """A patient with birth date and sex as recorded."""
    raw = RawRecord("Patient", patient, f"Patient/{patient}")
    raw.add("birthDate", birth)
    raw.add("gender", gender)
    return raw


def lines_of(rows: Iterator[Mapping[str, Any]]) -> Iterator[bytes]:
    """Rows as lines of JSON, without the columns that are empty."""
    for row in rows:
        yield json.dumps({name: value for name, value in row.items() if value not in (None, "")}).encode() + b"\n"
