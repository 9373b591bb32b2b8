"""CSV files with a map, as of REDCap exports: a YAML file says what columns mean, and rows become FHIR resources.

docs/ingest.md describes the map. Nothing is dropped for its form: a cell that is no date or number goes on as it is
written, so that its record is listed as unread and leaves its criterion open; the cell is told beside the rejects. So
is a cell of `when` that the map does not name: the record of its row is uncertain then.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sle_kg.errors import InputError
from sle_kg.files import text_of_path
from sle_kg.ingest.csv_file import CsvFile
from sle_kg.ingest.fhir import Resource
from sle_kg.ingest.pieces import Segment
from sle_kg.ingest.rows import Row, Tell, row_segments
from sle_kg.namespaces import ATC, CVX, ICD10, ICD10CM, LOCAL_CODES, LOINC, RXNORM, SNOMED, UCUM
from sle_kg.patients.elements import exact_number
from sle_kg.terminology import Terminology

_SYSTEMS = {
    "loinc": LOINC,
    "snomed": SNOMED,
    "icd10cm": ICD10CM,
    "icd10": ICD10,
    "atc": ATC,
    "rxnorm": RXNORM,
    "cvx": CVX,
}
_ANSWERS: dict[str, Any] = {
    "positive": {"valueCodeableConcept": {"coding": [{"system": SNOMED, "code": "10828004"}]}},
    "negative": {"valueCodeableConcept": {"coding": [{"system": SNOMED, "code": "260385009"}]}},
    "yes": {"valueBoolean": True},
    "no": {"valueBoolean": False},
}
_ROUTES = {"oral": "26643006", "intravenous": "47625008", "subcutaneous": "34206005", "intramuscular": "78421000"}
_TOP = ("patient", "birth_date", "sex", "date_format", "delimiter", "missing", "ignore", "absent", "records")
_RECORDS: dict[str, tuple[str, ...]] = {
    "observation": ("value", "date", "unit", "unit_column", "low", "high", "answers", "comparator"),
    "condition": ("onset", "end", "recorded", "refuted"),
    "medication": ("start", "end", "dose", "unit", "times_a_day", "route", "ongoing"),
    "procedure": ("date",),
    "immunization": ("date",),
    "allergy": ("recorded", "kind"),
    "complete": ("date",),
}
"""Kinds of records and the properties of each, beside `when`."""
_COLUMNS = frozenset(
    "value date unit_column low high comparator onset end recorded start dose times_a_day".split()  # noqa: SIM905
)
"""Properties whose value is the name of a column."""
_NO = frozenset({"0", "no", "false", "unchecked"})
"""Cells that say no wherever a map does not list them: of fields with yes and no, and of boxes to tick."""


@dataclass(frozen=True, slots=True)
class Record:
    """One kind of record that a row may hold."""

    name: str
    kind: str
    coding: Mapping[str, str]
    when: Mapping[str, tuple[str, ...]]
    told: Mapping[str, Any]

    def columns(self) -> Iterator[str]:
        """The columns that it reads."""
        yield from self.when
        yield from (str(value) for name, value in self.told.items() if name in _COLUMNS)
        for name in ("refuted", "ongoing"):
            yield from self.told.get(name, {})

    def conditions(self) -> Iterator[Mapping[str, Iterable[str]]]:
        """Columns with the cells that it names."""
        yield from (self.when, self.told.get("refuted", {}), self.told.get("ongoing", {}))
        if "answers" in self.told:
            yield {self.told["value"]: self.told["answers"]}


@dataclass(frozen=True, slots=True)
class TableMap:
    """What the columns of a table mean. Called with a row, it gives the records of the row.

    `known` are the cells of a column that the map names anywhere.
    """

    patient: str
    records: tuple[Record, ...]
    birth_date: str | None = None
    sex_column: str | None = None
    sexes: Mapping[str, str] = field(default_factory=dict)
    date_formats: tuple[str, ...] = ("%Y-%m-%d",)
    delimiter: str = ","
    missing: frozenset[str] = frozenset()
    ignored: frozenset[str] = frozenset()
    known: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def columns(self) -> list[str]:
        """The columns that must be there, in the order of the map."""
        named = [self.patient, self.birth_date, self.sex_column, *(c for r in self.records for c in r.columns())]
        return list(dict.fromkeys(column for column in named if column))

    def __call__(self, row: Row, number: int, tell: Tell) -> Iterator[tuple[str, Resource]]:
        """Patient and resource of each record of a row. Raises ValueError for a row without a patient."""
        cells = {name: value.strip() for name, value in row.items()}
        cells = {name: value for name, value in cells.items() if value and _whole(value) not in self.missing}
        patient = cells.get(self.patient)
        if patient is None:
            raise ValueError(f"column {self.patient}: the row names no patient")
        gender = self.sexes.get(_whole(cells.get(self.sex_column or "", "")))
        if self.sex_column in cells and gender is None:
            tell(f"column {self.sex_column}: the cell is no sex of the map: add it to sex")
        birth = self._date(cells, self.birth_date, tell)
        yield patient, {"resourceType": "Patient", "id": patient, "birthDate": birth, "gender": gender}
        for record in self.records:
            is_there = self._holds(record.when, cells, tell)
            resource = None if is_there is False else self._resource(record, cells, tell, sure=is_there is True)
            if resource is not None:
                yield patient, {"id": f"{record.name}-{number}", **resource}

    def _holds(self, condition: Mapping[str, tuple[str, ...]], cells: Row, tell: Tell) -> bool | None:
        """Whether every column has one of its cells; None, which is told, where that hangs on a cell not known."""
        found = {column: self._is_one_of(column, values, cells) for column, values in condition.items()}
        if False in found.values():
            return False
        for column, known in found.items():
            if known is None:
                tell(f"column {column}: the map does not name the cell: add it to when, refuted, absent or missing")
        return None if None in found.values() else True

    def _is_one_of(self, column: str, values: tuple[str, ...], cells: Row) -> bool | None:
        """Whether a column has one of these cells; None for a cell that the map does not name, and that is no `no`."""
        cell = _whole(cells.get(column, ""))
        if not cell or column in self.ignored or cell in self.known.get(column, ()) or cell.casefold() in _NO:
            return cell in values
        return None

    def _resource(self, record: Record, cells: Row, tell: Tell, *, sure: bool) -> Resource | None:
        """The resource of a record, uncertain where it is not `sure`; None where the row holds no value for it."""
        told = record.told
        code = {"coding": [dict(record.coding)]}
        dates = {
            name: self._date(cells, told.get(name), tell) for name in ("date", "onset", "end", "recorded", "start")
        }
        match record.kind:
            case "observation":
                value = self._value(record, cells, tell)
                value = value if sure or not value else {"valueString": "?"}
                base = {"resourceType": "Observation", "status": "final", "effectiveDateTime": dates["date"]}
                return base | {"code": code} | value if value else None
            case "condition":
                refuted = self._holds(told["refuted"], cells, tell) if "refuted" in told else False
                status = "unconfirmed" if not sure or refuted is None else "refuted" if refuted else "confirmed"
                return {
                    "resourceType": "Condition",
                    "code": code,
                    "verificationStatus": {"coding": [{"code": status}]},
                    "onsetDateTime": dates["onset"],
                    "abatementDateTime": dates["end"],
                    "recordedDate": dates["recorded"],
                }
            case "medication":
                return self._medicine(record, cells, code, dates) | ({} if sure else {"status": "unknown"})
            case "procedure":
                return {
                    "resourceType": "Procedure",
                    "status": "completed" if sure else "unknown",
                    "code": code,
                    "performedDateTime": dates["date"],
                }
            case "immunization":
                return {
                    "resourceType": "Immunization",
                    "status": "completed" if sure else "unknown",
                    "vaccineCode": code,
                    "occurrenceDateTime": dates["date"],
                }
            case "allergy":
                return {
                    "resourceType": "AllergyIntolerance",
                    "code": code,
                    "type": told.get("kind"),
                    "verificationStatus": {"coding": [{"code": "confirmed" if sure else "unconfirmed"}]},
                    "recordedDate": dates["recorded"],
                }
        statement = {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": LOCAL_CODES, "code": "recordComplete"}]},
            "effectiveDateTime": dates["date"],
            "valueCodeableConcept": code,
        }
        return statement if sure else None

    def _medicine(self, record: Record, cells: Row, code: Resource, dates: Mapping[str, str | None]) -> Resource:
        """A medicine that was taken: until its end; without one, still where the map says so."""
        told = record.told
        status = "active" if dates["end"] or _holds(told.get("ongoing", {}), cells) else "unknown"
        line: Resource = {}
        if dose := cells.get(told.get("dose", "")):
            line["doseAndRate"] = [{"doseQuantity": _quantity(dose, told.get("unit", "mg"))}]
        if times := cells.get(told.get("times_a_day", "")):
            line["timing"] = {
                "repeat": {"frequency": exact_number(times), "period": Decimal(1), "periodUnit": "d"},
            }
        if route := _ROUTES.get(told.get("route", "")):
            line["route"] = {"coding": [{"system": SNOMED, "code": route}]}
        return {
            "resourceType": "MedicationStatement",
            "status": status,
            "medicationCodeableConcept": code,
            "effectivePeriod": {"start": dates["start"], "end": dates["end"]},
            "dosage": [line] if line else [],
        }

    def _value(self, record: Record, cells: Row, tell: Tell) -> Resource | None:
        """The value of an observation: an answer of the map, a number with its unit, or text as it is."""
        told = record.told
        column = told["value"]
        cell = cells.get(column)
        if cell is None:
            return None
        if answers := told.get("answers"):
            if _whole(cell) in answers:
                return dict(_ANSWERS[answers[_whole(cell)]])
            tell(f"column {column}: the cell is no answer of the map: add it to answers")
            return {"valueString": cell}
        number = re.fullmatch(r"(<=|>=|<|>)?\s*(\S+)", cell)
        value = exact_number(number[2]) if number else cell
        if not number or not isinstance(value, Decimal):
            return {"valueString": cell}
        unit = cells.get(told.get("unit_column", "")) or told.get("unit")
        quantity = _quantity(number[2], unit)
        if sign := number[1] or cells.get(told.get("comparator", "")):
            quantity["comparator"] = sign
        limits = {side: _quantity(cells[told[side]], unit) for side in ("low", "high") if told.get(side) in cells}
        return {"valueQuantity": quantity} | ({"referenceRange": [limits]} if limits else {})

    def _date(self, cells: Row, column: str | None, tell: Tell) -> str | None:
        """The date of a cell in the form of FHIR; a form without day, or without month, gives a partial date."""
        cell = cells.get(column or "")
        if cell is None or re.fullmatch(r"\d{4}(-\d\d)?", cell):
            return cell
        for form in self.date_formats:
            try:
                date = datetime.strptime(cell, form).date().isoformat()
            except ValueError:
                continue
            return date if "%d" in form else date[:7] if re.search("%[mbB]", form) else date[:4]
        forms = " or ".join(self.date_formats)
        tell(f"column {column}: the cell is no date of the form {forms}: mend it or date_format")
        return cell


def _holds(condition: Mapping[str, tuple[str, ...]], cells: Row) -> bool:
    """Whether a condition is given and every column has one of its values."""
    return bool(condition) and all(_whole(cells.get(column, "")) in values for column, values in condition.items())


def _quantity(text: str, unit: str | None) -> Resource:
    return {"value": exact_number(text)} | ({"system": UCUM, "code": unit, "unit": unit} if unit else {})


# ── The map ──────────────────────────────────────────────────────────────────────────────────────────────


def read_table_map(file: Path, terms: Terminology) -> TableMap:
    """The map of a YAML file. Raises InputError, naming the place in the file and the cure."""
    import yaml

    try:
        told = yaml.safe_load(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{file}: the map cannot be read ({error.strerror or error}): give a YAML file") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: byte {error.start + 1} of the map is not UTF-8: save it as UTF-8") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"{file}{place}: not readable as YAML ({getattr(error, 'problem', error)})") from error
    if not isinstance(told, dict):
        raise InputError(f"{file}: a map starts with patient: and the name of a column; see docs/ingest.md")
    try:
        return _table_map(told, terms)
    except ValueError as error:
        raise InputError(f"{file}: {error}") from error


def _table_map(told: Mapping[Any, Any], terms: Terminology) -> TableMap:
    """A map from its YAML value. Raises ValueError, saying where and how to mend it."""
    _only("the map", told, _TOP)
    sex = told.get("sex", {})
    if not isinstance(sex, dict) or (sex and "column" not in sex):
        raise ValueError("sex: write column, male and female, for example {column: sex, male: 1, female: 2}")
    _only("sex", sex, ("column", "male", "female"))
    records, absent = told.get("records"), _condition("absent", told.get("absent", {}))
    if not isinstance(records, list):
        raise ValueError("records: write a list of records, each with observation, condition, medication or another")
    delimiter = told.get("delimiter", ",")
    if not isinstance(delimiter, str) or len(delimiter) != 1:
        raise ValueError("delimiter: write one character, for example ';'")
    read = tuple(_record(number, record, terms) for number, record in enumerate(records, 1))
    return TableMap(
        patient=_text("patient", told.get("patient")),
        records=read,
        birth_date=_text("birth_date", told["birth_date"]) if "birth_date" in told else None,
        sex_column=_text("sex: column", sex["column"]) if sex else None,
        sexes={value: name for name in ("male", "female") for value in _values(f"sex: {name}", sex.get(name, []))},
        date_formats=tuple(_values("date_format", told.get("date_format", "%Y-%m-%d"))),
        delimiter=delimiter,
        missing=frozenset(_values("missing", told.get("missing", []))),
        ignored=frozenset(_values("ignore", told.get("ignore", []))),
        known=_known((absent, *(condition for record in read for condition in record.conditions()))),
    )


def _known(conditions: Iterable[Mapping[str, Iterable[str]]]) -> dict[str, frozenset[str]]:
    """The cells that conditions name, by column."""
    found: dict[str, frozenset[str]] = {}
    for column, cells in (item for condition in conditions for item in condition.items()):
        found[column] = found.get(column, frozenset()).union(cells)
    return found


def _record(number: int, told: Any, terms: Terminology) -> Record:
    """One record of the map. Raises ValueError."""
    place = f"record {number}"
    kinds = [kind for kind in _RECORDS if isinstance(told, dict) and kind in told]
    if len(kinds) != 1:
        raise ValueError(f"{place}: name exactly one of {', '.join(_RECORDS)}")
    kind = kinds[0]
    _only(place, told, (kind, "when", *_RECORDS[kind]))
    if kind == "observation" and "value" not in told:
        raise ValueError(f"{place}: an observation needs value, the column that holds it")
    properties = {name: value for name, value in told.items() if name not in (kind, "when")}
    for name in properties:
        if name in ("refuted", "ongoing"):
            properties[name] = _condition(f"{place}: {name}", properties[name])
        elif name == "answers":
            properties[name] = _answers(place, properties[name])
        else:
            properties[name] = _text(f"{place}: {name}", properties[name])
    if properties.get("route", "oral") not in _ROUTES:
        raise ValueError(f"{place}: route is one of {', '.join(_ROUTES)}")
    name = re.sub(r"[^A-Za-z0-9]+", "-", _text(f"{place}: {kind}", told[kind])) + f"-{number}"
    coding = _coding(place, str(told[kind]), kind, terms)
    return Record(name, kind, coding, _condition(f"{place}: when", told.get("when", {})), properties)


def _coding(place: str, text: str, kind: str, terms: Terminology) -> dict[str, str]:
    """A code as `loinc:1742-6`, or a key of the ontology. Raises ValueError for what is neither."""
    system, _, code = text.partition(":")
    if system in _SYSTEMS and code:
        return {"system": _SYSTEMS[system], "code": code}
    coding = (LOCAL_CODES, text, "")
    known = kind == "complete" or terms.knows(text) or terms.is_statement(text) or terms.tests([coding])
    if not known:
        raise ValueError(
            f"{place}: {text!r} is no key of ours: write a code as system:code with one of {', '.join(_SYSTEMS)}"
        )
    return {"system": LOCAL_CODES, "code": text}


def _answers(place: str, told: Any) -> dict[str, str]:
    if not isinstance(told, dict) or not all(str(answer) in _ANSWERS for answer in map(_yes_no, told.values())):
        raise ValueError(f"{place}: answers maps cells to {', '.join(_ANSWERS)}, for example {{1: positive}}")
    return {_plain(cell): str(_yes_no(answer)) for cell, answer in told.items()}


def _yes_no(value: Any) -> Any:
    """`yes` and `no` are truth values in YAML."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


def _condition(place: str, told: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(told, dict):
        raise ValueError(f"{place}: write columns with their values, for example {{lupus: 1}}")
    return {_text(place, column): tuple(_values(place, value)) for column, value in told.items()}


def _values(place: str, told: Any) -> list[str]:
    """One value or a list of them, as texts of cells."""
    values = told if isinstance(told, list) else [told]
    if any(isinstance(value, (dict, list)) or value is None for value in values):
        raise ValueError(f"{place}: write a value or a list of values")
    return [_plain(value) for value in values]


def _plain(value: Any) -> str:
    return _whole(str(_yes_no(value)))


def _whole(cell: str) -> str:
    """A cell to be compared: `1.0`, as programs write whole numbers beside empty cells, is `1`."""
    return re.sub(r"^(-?\d+)\.0+$", r"\1", cell)


def _text(place: str, value: Any) -> str:
    if not isinstance(value, (str, int)) or isinstance(value, bool) or not str(value):
        raise ValueError(f"{place}: write the name of a column, a code or a text")
    return str(value)


def _only(place: str, told: Mapping[Any, Any], allowed: tuple[str, ...]) -> None:
    for name in told:
        if name not in allowed:
            raise ValueError(f"{place}: {name!r} is not known here: use {', '.join(allowed)}")


# ── The table ────────────────────────────────────────────────────────────────────────────────────────────


def table_segments(file: Path, mapping: TableMap, skipped: Counter[str]) -> Iterator[Segment]:
    """The rows of a CSV file, and what of it cannot be read; columns that the map does not name are counted.

    Raises InputError for a file that cannot be read, and where a column of the map is missing.
    """
    table = CsvFile(file, mapping.delimiter)
    wanted = mapping.columns()
    if missing := [column for column in wanted if column not in table.header]:
        why = table.lacking(missing[0])
        why = why or f"there is no column {missing[0]!r}, which the map names: mend the map or the table"
        raise InputError(f"{file}, line 1: {why}")
    for name in table.header:
        if name not in mapping.ignored.union(wanted):
            skipped[f"column {name!r} of a table, which the map does not name"] += 1
    yield from row_segments(text_of_path(file), table.rows(wanted), 2)
