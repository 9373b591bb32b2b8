"""Fact tables: what is known of patients, one Arrow table for each kind of fact (docs/architecture.md)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from sle_kg.errors import InputError
from sle_kg.patients.raw import RawRecord

if TYPE_CHECKING:
    import pyarrow as pa

SECTIONS = (
    "conditions",
    "medications",
    "procedures",
    "allergies",
    "immunizations",
    "statements",
    "adverseEvents",
)
"""The sections that a completeness statement may name."""
EVENTS = ("consent", "enrollment", "leukapheresis", "lymphodepletion", "infusion")
"""The events that a planned date may name."""
DEATH = "death"
"""The event that a patient has died; no trial anchors anything on it, and nobody plans it."""

_DATES = {"date_from": "date", "date_to": "date"}
_RECORDED = {"recorded_from": "date", "recorded_to": "date"}

COLUMNS: dict[str, dict[str, str]] = {
    "patient": {"birth_from": "date", "birth_to": "date", "sex": "text"},
    "measurement": {
        "test": "text",
        **_DATES,
        "low": "number",
        "high": "number",
        "uln": "number",
        "lln": "number",
        "limits_for": "text",
        "positive": "flag",
        "below_quantification": "flag",
        "method": "text",
        "text": "text",
    },
    "condition": {
        "concept": "text",
        "status": "text",
        "onset_from": "date",
        "onset_to": "date",
        "abated_from": "date",
        "abated_to": "date",
        "ongoing": "flag",
        **_RECORDED,
        "severity": "text",
        "remission": "flag",
    },
    "exposure": {
        "concept": "text",
        "taken": "text",
        "start_from": "date",
        "start_to": "date",
        "end_from": "date",
        "end_to": "date",
        "ongoing": "flag",
        "route": "text",
        "dose": "number",
        "dose_unit": "text",
        "times": "number",
        "period_days": "number",
        "administration": "flag",
        **_RECORDED,
    },
    "procedure": {
        "concept": "text",
        "done": "text",
        "from_from": "date",
        "from_to": "date",
        "end_from": "date",
        "end_to": "date",
    },
    "immunization": {"concept": "text", "given": "text", **_DATES},
    "allergy": {
        "concept": "text",
        "status": "text",
        "kind": "text",
        "criticality": "text",
        **_RECORDED,
        "none_known": "flag",
    },
    "adverse_event": {
        "term": "text",
        "concept": "text",
        **_DATES,
        "grade_low": "number",
        "grade_high": "number",
        "serious": "flag",
        "related": "flag",
        "dose_limiting": "flag",
        "fatal": "flag",
    },
    "statement": {"statement": "text", "value": "flag", "amount": "number", **_DATES},
    "consent": {"trial": "text", "status": "text", **_DATES, "until_from": "date", "until_to": "date"},
    "attestation": {"trial": "text", "criterion": "text", "value": "flag", **_DATES},
    "event": {"event": "text", "trial": "text", **_DATES},
    "completeness": {"section": "text", **_DATES},
    "unread": {"code": "text", "display": "text", "why": "text", "section": "text", **_DATES},
    "record": {"what": "text", "value": "text", "date": "text"},
}
"""Columns of each table beside `patient` and `record`, with the kind of their values."""

ENDS = {
    "condition": ("onset_from", "abated_to"),
    "exposure": ("start_from", "end_to"),
    "measurement": ("low", "high"),
    "procedure": ("from_from", "end_to"),
}
"""First and last possible day of what lasts, least and greatest possible value of a result."""


@cache
def in_order(table: str) -> tuple[tuple[str, str], ...]:
    """Columns of a table that hold dates or numbers, in pairs of which the first is never above the second."""
    pairs = tuple((name, name.replace("_from", "_to")) for name in COLUMNS[table] if name.endswith("_from"))
    return (*pairs, *filter(None, [ENDS.get(table)]))


def order_query(prefix: str, tables: Iterable[str]) -> tuple[str, list[tuple[str, tuple[str, str]]]]:
    """SELECT of the place of the first of some pairs of columns that has a row out of order, null where none has; the
    pairs, with their tables. The tables are asked by their names with a `prefix`.
    """
    pairs = [(table, pair) for table in tables for pair in in_order(table)]
    wrong = " UNION ALL ".join(
        f"SELECT {place} AS pair FROM {prefix}{table} WHERE {first} > {last}"
        for place, (table, (first, last)) in enumerate(pairs)
    )
    return f"SELECT min(pair) FROM ({wrong})", pairs


def out_of_order(place: str, pair: tuple[str, str]) -> InputError:
    """What is said of a table that somebody made with rows that end before they begin; readers of records make none."""
    how, what = ("below", "values") if pair == ENDS["measurement"] else ("before", "dates")
    wrong = f"a row whose {pair[1]} is {how} its {pair[0]}"
    return InputError(f"{place}: has {wrong}; correct its {what} or, where nobody knows them, make them null")


@cache
def schema(table: str) -> pa.Schema:
    """The Arrow schema of one fact table. Raises KeyError for an unknown table."""
    import pyarrow as pa

    types = {"text": pa.string(), "date": pa.date32(), "flag": pa.bool_(), "number": pa.decimal128(38, 12)}
    columns = {"patient": "text", "record": "text", **COLUMNS[table]}
    return pa.schema([(name, types[kind]) for name, kind in columns.items()])


class FactBuilder:
    """Collects rows and gives the tables."""

    def __init__(self) -> None:
        self._rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in COLUMNS}

    def add(self, table: str, raw: RawRecord, **values: Any) -> None:
        """One row of a table, for the record `raw`; columns not named are null."""
        columns = COLUMNS[table]
        if not all(map(columns.__contains__, values)):
            raise KeyError(f"the table {table} has no column {min(values.keys() - columns.keys())}")
        self._rows[table].append((raw.patient, raw.record, *map(values.get, columns)))

    def tables(self) -> dict[str, pa.Table]:
        """All tables; the evidence lines of the parts of one record are joined into one."""
        import pyarrow as pa

        self._rows["record"] = _joined(self._rows["record"])
        tables = {}
        for table, rows in self._rows.items():
            columns = schema(table)
            values = zip(*rows, strict=True) if rows else ([] for _ in columns)
            arrays = [pa.array(list(v), field.type) for v, field in zip(values, columns, strict=True)]
            tables[table] = pa.Table.from_arrays(arrays, schema=columns)
        return tables


def _joined(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """One evidence line for each record, the values of its parts in order."""
    parts: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for row in rows:
        parts.setdefault(row[:2], []).append(row[2:])
    return [(*record, *one_line(lines)) for record, lines in parts.items()]


def one_line(lines: list[tuple[Any, ...]]) -> tuple[str, str, str | None]:
    """Evidence of the parts of a record: what the first is called, the different values of all, and the first date."""
    if len(lines) == 1:
        what, value, date = lines[0]
        return what, value or "", date or None
    values = dict.fromkeys(value for _, value, _ in lines if value)
    return lines[0][0], "; ".join(values), next((date for _, _, date in lines if date), None)


@dataclass(frozen=True, slots=True)
class PatientData:
    """What the files say of their patients.

    `tables` are the fact tables by name; `skipped` counts what was passed over, by what it is; `patients` are the ids
    in the order of the input; `records` are the raw facts, from which RDF is written.
    """

    tables: dict[str, pa.Table]
    skipped: dict[str, int]
    patients: list[str]
    records: tuple[RawRecord, ...] = field(default=(), repr=False)
