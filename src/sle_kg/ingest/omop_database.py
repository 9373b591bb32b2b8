"""OMOP databases: CSV or Parquet folders, DuckDB files, PostgreSQL; which of our tables they have, row by row.

The columns that are read are listed here; no other name, and no text of the database, becomes SQL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from sle_kg.errors import InputError, MissingToolError
from sle_kg.files import plain_path
from sle_kg.ingest.csv_file import CsvFile
from sle_kg.ingest.rows import Row

COLUMNS: dict[str, tuple[str, ...]] = {
    "person": tuple(
        "person_id gender_concept_id year_of_birth month_of_birth day_of_birth".split()  # noqa: SIM905
    ),
    "condition_occurrence": tuple(
        """condition_occurrence_id person_id condition_concept_id condition_start_date condition_status_concept_id
        condition_source_value condition_source_concept_id""".split()  # noqa: SIM905
    ),
    "drug_exposure": tuple(
        """drug_exposure_id person_id drug_concept_id drug_exposure_start_date drug_exposure_end_date verbatim_end_date
        drug_type_concept_id quantity days_supply route_concept_id drug_source_value
        drug_source_concept_id""".split()  # noqa: SIM905
    ),
    "measurement": tuple(
        """measurement_id person_id measurement_concept_id measurement_date operator_concept_id value_as_number
        value_as_concept_id unit_concept_id range_low range_high measurement_source_value measurement_source_concept_id
        unit_source_value value_source_value""".split()  # noqa: SIM905
    ),
    "observation": tuple(
        """observation_id person_id observation_concept_id observation_date value_as_number value_as_string
        value_as_concept_id unit_concept_id observation_source_value observation_source_concept_id
        unit_source_value value_source_value""".split()  # noqa: SIM905
    ),
    "procedure_occurrence": tuple(
        """procedure_occurrence_id person_id procedure_concept_id procedure_date procedure_end_date
        procedure_source_value procedure_source_concept_id""".split()  # noqa: SIM905
    ),
    "death": ("person_id", "death_date"),
}
"""The columns that are read of each table; what a database lacks is empty, but for the required ones."""
REQUIRED = 3
"""The first columns of each table must be there: id, person and concept; of deaths all."""
VOCABULARY = ("concept", "drug_strength", "concept_ancestor")


ADDRESS = ("postgresql://", "postgres://")
"""What addresses of PostgreSQL begin with."""


class Database(Protocol):
    """An OMOP database: which of our tables and columns it has, and the rows of a query over them."""

    name: str
    columns: dict[str, set[str]]

    def rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, streamed."""

    def label(self, table: str) -> str:
        """How rejects name a table of this database."""

    def table(self, table: str, columns: list[str]) -> Iterator[Row]:
        """The rows of a table of ours, streamed."""

    def close(self) -> None:
        """Let the database go."""


def is_omop(argument: str) -> bool:
    """Whether a source is an OMOP database: an address, a DuckDB file, or a folder with a table `person`.

    Raises InputError for an address of something else; the message holds no more of it than its kind.
    """
    if argument.startswith(ADDRESS):
        return True
    path = Path(argument)
    try:
        if (address := re.match(r"[A-Za-z][\w+.-]*://", argument)) and not path.exists():
            raise InputError(f"{address[0]}: there is no reading from such addresses; give postgresql://…")
        if path.is_dir():
            return "person" in _table_files(path)
        with path.open("rb") as file:
            return file.read(12)[8:] == b"DUCK"
    except OSError:
        return False


def open_database(argument: str) -> Database:
    """The database that an argument names. Raises InputError where it cannot be opened or is no OMOP database."""
    if argument.startswith(ADDRESS):
        return PostgresDatabase(argument)
    return DuckDatabase(argument)


def _table_files(folder: Path) -> dict[str, Path]:
    """The files of our tables in a folder, by table: `person.csv`, `PERSON.csv`, `person.parquet`, also `.csv.gz`."""
    found: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        match = re.fullmatch(r"([a-z_]+)\.(csv|csv\.gz|parquet)", file.name.lower())
        if match and match[1] in (*COLUMNS, *VOCABULARY):
            found.setdefault(match[1], file)
    return found


class DuckDatabase:
    """Tables in CSV or Parquet files, or in a DuckDB file, read by DuckDB."""

    def __init__(self, argument: str) -> None:
        import duckdb

        self.name = argument
        self.columns: dict[str, set[str]] = {}
        self._names: dict[str, str] = {}
        self._files: dict[str, Path] = {}
        self._csv: dict[str, CsvFile] = {}
        path = plain_path(Path(argument))
        try:
            if path.is_dir():
                self._files = _table_files(path)
                self._db = duckdb.connect()
                for table, file in self._files.items():
                    self._view(table, file)
            else:
                self._db = duckdb.connect(str(path), read_only=True)
                self._find()
            self._db.execute("SET enable_progress_bar = false")  # it would go to standard output
        except duckdb.Error as error:
            raise InputError(f"{argument}: cannot be read as an OMOP database ({_line(error)})") from error

    def _view(self, table: str, file: Path) -> None:
        """A view of a file under the name of our table."""
        name = re.sub(r"([*?\[])", r"[\1]", str(file))
        if file.suffix.lower() == ".parquet":
            relation = self._db.read_parquet(name)
        else:
            self._csv[table] = CsvFile(file)
            tabs = self._csv[table].delimiter == "\t"
            relation = self._db.read_csv(
                name,
                header=True,
                columns=dict.fromkeys(self._csv[table].header, "VARCHAR"),
                auto_detect=False,
                sep=self._csv[table].delimiter,
                quotechar="" if tabs else '"',
                escapechar="" if tabs else '"',
                strict_mode=False,
                ignore_errors=True,
            )
        relation.create_view(table)
        self._names[table] = table
        self.columns[table] = {column.lower() for column in relation.columns}

    def _find(self) -> None:
        """Our tables in the schema of the DuckDB file that has a person table."""
        found = self._db.execute(
            """SELECT table_schema, lower(table_name), table_name, list(lower(column_name))
               FROM information_schema.columns WHERE table_schema IN (
                 SELECT min(table_schema) FROM information_schema.tables WHERE lower(table_name) = 'person')
               GROUP BY ALL ORDER BY ALL"""
        ).fetchall()
        for schema, table, name, columns in found:
            if table in (*COLUMNS, *VOCABULARY):
                self._names[table] = ".".join('"' + part.replace('"', '""') + '"' for part in (schema, name))
                self.columns[table] = set(columns)

    def rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        import duckdb

        try:
            relation = self._db.execute(_with_names(sql, self._names))
            while batch := relation.fetchmany(10_000):
                yield from batch
        except duckdb.Error as error:
            raise InputError(f"{self.name}: cannot be read as an OMOP database ({_line(error)})") from error

    def label(self, table: str) -> str:
        return str(Path(self.name) / self._files[table].name) if table in self._files else f"{self.name}: {table}"

    def table(self, table: str, columns: list[str]) -> Iterator[Row]:
        """The rows of a table: of a CSV file with their lines, and with what cannot be read."""
        if table not in self._csv:
            return _selected(self, table, columns)
        header = {name.lower(): name for name in self._csv[table].header}
        names = {header[column]: column for column in columns}
        rows = self._csv[table].rows(names)
        return ({names.get(name, name): value for name, value in row.items()} for row in rows)

    def close(self) -> None:
        self._db.close()


class PostgresDatabase:
    """An OMOP database in PostgreSQL, read through psycopg: one snapshot of it, in a transaction that cannot write.

    The search path of the address names the schema. The name never holds the password.
    """

    def __init__(self, address: str) -> None:
        try:
            import psycopg
        except ImportError as error:
            raise MissingToolError(
                "reading PostgreSQL needs psycopg: install it with pip install 'sle-kg[postgres]'"
            ) from error
        self.name = shown(address)
        self.columns: dict[str, set[str]] = {}
        self._schemas: dict[str, str] = {}
        with self._told("the database does not answer"):
            self._db = psycopg.connect(address, client_encoding="UTF8")
        with self._told("cannot be read as an OMOP database"):
            self._db.read_only = True
            self._db.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            self._find()

    def _find(self) -> None:
        """Our tables as the search path resolves their names."""
        for schema, table, columns in self._db.execute(
            """SELECT n.nspname, c.relname, array_agg(a.attname::text)
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
               WHERE pg_table_is_visible(c.oid) AND c.relkind IN ('r', 'v', 'm', 'f', 'p') AND c.relname = ANY(%s)
                     AND a.attnum > 0 AND NOT a.attisdropped
               GROUP BY 1, 2""",
            [[*COLUMNS, *VOCABULARY]],
        ):
            self._schemas[table] = schema
            self.columns[table] = set(columns)

    def rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        with self._told("cannot be read as an OMOP database"), self._db.cursor(name="sle_kg") as cursor:
            cursor.itersize = 10_000
            cursor.execute(_with_names(sql, {table: f'"{table}"' for table in self.columns}))
            yield from cursor

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Raise InputError for what the driver raises: the database, `what`, and the driver's first line."""
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            raise InputError(f"{self.name}: {what} ({_line(error)})") from error

    def label(self, table: str) -> str:
        return f"{self.name}: {self._schemas[table]}.{table}" if table in self._schemas else f"{self.name}: {table}"

    def table(self, table: str, columns: list[str]) -> Iterator[Row]:
        return _selected(self, table, columns)

    def close(self) -> None:
        self._db.close()


def shown(argument: str) -> str:
    """How messages name a source: of an address only host, port and database.

    Raises InputError, without the address, where a part of it may have been taken for another.
    """
    if not argument.startswith(ADDRESS):
        return argument
    import psycopg.conninfo

    try:
        parts = psycopg.conninfo.conninfo_to_dict(argument)
    except psycopg.Error:
        parts = {"host": "@"}
    host, port, name = (str(parts.get(part, "")) for part in ("host", "port", "dbname"))
    if "@" in host + name or not re.fullmatch(r"[0-9,]*", port):
        raise InputError(
            "the address of the database is not readable: write postgresql://user:password@host:port/database, with "
            "special characters of user and password as %40 (@), %3A (:), %2F (/), %3F (?) and %25 (%)"
        )
    return f"postgresql://{host}{':' if port else ''}{port}/{name}"


def _selected(database: Database, table: str, columns: list[str]) -> Iterator[Row]:
    """The rows of a table by SQL, every value as text."""
    selected = ", ".join(f"CAST({column} AS VARCHAR)" for column in columns)
    rows = database.rows(f"SELECT {selected} FROM {{{table}}} ORDER BY 1, 2")
    return (dict(zip(columns, row, strict=True)) for row in rows)


def _with_names(sql: str, names: dict[str, str]) -> str:
    """A query of ours with `{table}` replaced by the table's name in the database."""
    return sql.format(**names)


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
