"""OMOP tables from CSV files in a schema of a PostgreSQL server, with the types of OHDSI's own DDL."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

_TYPES = (
    (r"(domain|vocabulary|concept_class)_id|.*_source_value", "varchar"),
    (r".*_date", "date"),
    (r".*_datetime", "timestamp"),
    (r"(value_as_number|range_low|range_high|quantity|.*_value)", "numeric"),
    (r".*_id|(year|month|day)_of_birth|days_supply|refills|box_size|m.._levels_of_separation", "integer"),
)


def type_of(column: str) -> str:
    """The type of a column of the Common Data Model; those that are not read here may be texts."""
    return next((kind for pattern, kind in _TYPES if re.fullmatch(pattern, column)), "varchar")


def load_folder(connection: psycopg.Connection[Any], schema: str, folder: Path) -> None:
    """A new schema with a table for each CSV file of a folder, loaded by COPY."""
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    for file in sorted(folder.glob("*.csv")):
        with file.open(newline="") as stream:
            header = next(csv.reader(stream))
        table = sql.Identifier(schema, file.stem.lower())
        columns = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(type_of(name))) for name in header
        )
        connection.execute(sql.SQL("CREATE TABLE {} ({})").format(table, columns))
        loading = sql.SQL("COPY {} FROM STDIN (FORMAT csv, HEADER)").format(table)
        with connection.cursor() as cursor, cursor.copy(loading) as copy:
            copy.write(file.read_bytes())
