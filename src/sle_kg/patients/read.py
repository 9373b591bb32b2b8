"""Patients from files: FHIR R4 JSON or RDF, known by their content, several files making one set of patients."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sle_kg.codes import CodeMap
from sle_kg.errors import InputError
from sle_kg.patients.facts import PatientData
from sle_kg.patients.fhir import FhirReader
from sle_kg.patients.interpret import interpret
from sle_kg.patients.json_text import parse_json
from sle_kg.patients.raw import RawRecord
from sle_kg.terminology import Terminology
from sle_kg.terminology import terminology as installed_terminology

MAX_BYTES = 1 << 30
"""Larger files are refused: bulk exports come as several files."""
_PACKED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "ZIP"}
"""How compressed files begin."""


def read_patients(
    files: Sequence[Path], terminology: Terminology | None = None, code_map: CodeMap | None = None
) -> PatientData:
    """The fact tables of all patients in the files.

    `code_map` gives the user's own codes (`codemap.read_code_map`). Raises InputError, one sentence naming the file,
    for what cannot be read as JSON or RDF and for files without a patient.
    """
    with no_search_for_cycles():
        return _read(files, terminology or installed_terminology(), code_map or {})


@contextmanager
def no_search_for_cycles() -> Iterator[None]:
    """Hold Python's search for unreachable cycles: records have none, and looking takes a third of the time."""
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()


def _read(files: Sequence[Path], terms: Terminology, codes: CodeMap) -> PatientData:
    """The fact tables of the files. Raises InputError (see `read_patients`)."""
    from sle_kg.patients.rdf import RdfReader

    fhir, rdf = FhirReader(terms, codes), RdfReader()
    for file in files:
        text = _text(file)
        if text.lstrip()[:1] in ("{", "["):
            for value in parse_json(text, str(file)):
                if _is_json_ld(value):
                    rdf.add_json_ld(value, text, str(file))
                    break
                fhir.add(value, str(file))
        else:
            rdf.add_text(text, str(file))
    records = _one_record_each([*fhir.records(), *rdf.records()], files)
    if not any(raw.kind == "Patient" for raw in records):
        names = ", ".join(map(str, files)) or "no file"
        raise InputError(
            f"{names}: no patient found: give the file, too, that says who the patient is (in FHIR a resource of the "
            "type Patient, in RDF a node of the class sle:Patient)"
        )
    return interpret(records, terms, codes, fhir.skipped + rdf.skipped)


def _one_record_each(records: list[RawRecord], files: Sequence[Path]) -> list[RawRecord]:
    """Of a patient in FHIR and RDF alike, one record; raises InputError where the two contradict each other."""
    patients: dict[str, RawRecord] = {}
    for raw in [raw for raw in records if raw.kind == "Patient"]:
        known = patients.setdefault(raw.patient, raw)
        if known.contradicts(raw):
            raise InputError(
                f"{', '.join(map(str, files))}: the patient {raw.patient!r} has two birth dates or sexes: "
                "give the two patients different ids"
            )
        known.values = raw.values | known.values
    return [*patients.values(), *(raw for raw in records if raw.kind != "Patient")]


def _text(file: Path) -> str:
    """The text of a file. Raises InputError for what cannot be opened, is too large, empty, compressed or not UTF-8."""
    try:
        content = _content(file)
        if packed := [kind for begin, kind in _PACKED.items() if content.startswith(begin)]:
            raise InputError(f"{file}: the file is compressed ({packed[0]}): unpack it and give what is in it")
        text = content.decode("utf-8-sig")
    except IsADirectoryError as error:
        raise InputError(
            f"{file}: this is a folder: give its files ({file / '*.json'}), or read it with sle-kg ingest-cohort and "
            "screen it with sle-kg cohort"
        ) from error
    except OSError as error:
        raise InputError(f"{file}: cannot be opened ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: byte {error.start + 1} is not UTF-8: save the file as UTF-8") from error
    if not text.strip():
        raise InputError(f"{file}: the file is empty")
    return text


def _content(file: Path) -> bytes:
    """The bytes of a file, a pipe or a device, piece by piece up to the limit; raises InputError beyond it."""
    pieces, size = [], 0
    with file.open("rb") as stream:
        while piece := stream.read(1 << 20):
            pieces.append(piece)
            size += len(piece)
            if size > MAX_BYTES:
                raise InputError(f"{file}: the file is larger than {MAX_BYTES >> 20} MB: split it")
    return b"".join(pieces)


def _is_json_ld(value: Any) -> bool:
    """Whether a JSON value is JSON-LD rather than FHIR."""
    if isinstance(value, list):
        return any(isinstance(item, dict) and ("@id" in item or "@type" in item) for item in value)
    return isinstance(value, dict) and any(name in value for name in ("@context", "@graph", "@id", "@type"))
