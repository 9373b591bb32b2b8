"""OMOP from a real PostgreSQL server: the tables of the CSV folder, byte for byte; faults in one sentence."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow.parquet as pq
import pytest
from psycopg import sql

from postgres.omop import load_folder
from postgres.server import Server
from sle_kg.errors import InputError
from sle_kg.ingest import Options, ingest_cohort

OMOP = Path(__file__).parents[2] / "examples" / "omop"
SECRET = "s3cr:t/p@ss?w%rd"
HOSTILE = "x'; DROP SCHEMA cdm CASCADE; --\""


@pytest.fixture(scope="module")
def admin(server: Server) -> Iterator[psycopg.Connection[Any]]:
    """The owner of the schema `cdm`, which the role `reader` may read."""
    with psycopg.connect(server.address(), autocommit=True) as made:
        load_folder(made, "cdm", OMOP)
        made.execute(sql.SQL("CREATE ROLE reader LOGIN PASSWORD {}").format(SECRET))
        made.execute("GRANT USAGE ON SCHEMA cdm TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA cdm TO reader")
        yield made


def path(*schemas: str) -> dict[str, str]:
    """The search path as part of an address."""
    return {"options": "-csearch_path=" + ",".join(schemas)}


def read(folder: Path, *sources: object) -> Any:
    return ingest_cohort([str(source) for source in sources], folder, Options(workers=1))


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.glob("*.parquet")}


def command(address: str, folder: Path) -> tuple[int, str]:
    """The exit code of `ingest-cohort` and all that it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "sle_kg", "ingest-cohort", address, "-o", str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_server_the_folder_and_duckdb_give_the_same_bytes(
    server: Server, admin: psycopg.Connection[Any], tmp_path: Path
) -> None:
    with duckdb.connect(str(tmp_path / "hospital.duckdb")) as db:
        for file in OMOP.glob("*.csv"):
            db.read_csv(str(file), all_varchar=file.stem == "CONCEPT").create(file.stem.lower())
    code, told = command(server.address("reader", SECRET, **path("cdm")), tmp_path / "server")
    assert code == 0 and "17,079 Observation" in told and SECRET not in told
    read(tmp_path / "folder", OMOP)
    read(tmp_path / "duckdb", tmp_path / "hospital.duckdb")
    assert bytes_of(tmp_path / "server") == bytes_of(tmp_path / "folder") == bytes_of(tmp_path / "duckdb")
    assert pq.read_metadata(tmp_path / "server" / "measurement.parquet").num_rows == 1060


def test_the_search_path_decides_table_by_table(server: Server, admin: psycopg.Connection[Any], tmp_path: Path) -> None:
    admin.execute(
        """CREATE SCHEMA few; CREATE TABLE few.person AS SELECT * FROM cdm.person ORDER BY person_id LIMIT 3;
           CREATE TABLE few.measurement AS
           SELECT measurement_id, person_id, measurement_concept_id, measurement_date FROM cdm.measurement LIMIT 0"""
    )
    summary = read(tmp_path / "few", server.address(**path("few", "cdm")))
    assert (summary.patients, summary.rows["measurement"]) == (3, 0) and summary.rows["condition"] > 0
    assert read(tmp_path / "all", server.address(**path("cdm", "few"))).patients == 28
    (file, *_) = {row["file"] for row in pq.read_table(tmp_path / "few" / "rejects.parquet").to_pylist()}
    assert file.startswith(f"postgresql://{server.socket}/postgres: cdm.")


def test_the_text_of_a_database_and_its_names_stay_text(
    server: Server, admin: psycopg.Connection[Any], tmp_path: Path
) -> None:
    schema = sql.Identifier(HOSTILE)
    admin.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
    admin.execute(
        sql.SQL(
            """CREATE TABLE {0}.person (person_id varchar, gender_concept_id int, year_of_birth int);
               CREATE TABLE {0}.condition_occurrence (condition_occurrence_id varchar, person_id varchar,
                 condition_concept_id int, condition_start_date date, condition_source_value varchar);
               INSERT INTO {0}.person VALUES ({1}, 8532, 1990);
               INSERT INTO {0}.condition_occurrence VALUES ({1}, {1}, 0, 'infinity', {1})"""
        ).format(schema, HOSTILE)
    )
    admin.execute(sql.SQL("ALTER ROLE tester SET search_path = {}").format(schema))
    try:
        read(tmp_path / "out", server.address())
    finally:
        admin.execute("ALTER ROLE tester RESET search_path")
    (found,) = pq.read_table(tmp_path / "out" / "condition.parquet").to_pylist()
    assert (found["patient"], found["record"]) == (HOSTILE, f"Condition/condition_occurrence-{HOSTILE}")
    assert admin.execute("SELECT count(*) FROM cdm.person").fetchone() == (28,)


SPOILT = {
    "no_person_table": ("CREATE TABLE {0}.measurement (measurement_id int)", "there is no table person"),
    "an_empty_person_table": ("CREATE TABLE {0}.person AS FROM_CDM LIMIT 0", "no patient found"),
    "a_person_table_without_year": (
        "CREATE TABLE {0}.person (person_id int, gender_concept_id int)",
        "the table person lacks the column year_of_birth",
    ),
    "a_table_that_must_not_be_read": (
        "CREATE TABLE {0}.person AS FROM_CDM; REVOKE ALL ON {0}.person FROM reader",
        "permission denied for table person",
    ),
    "a_view_that_writes": (
        """CREATE TABLE {0}.log (day date);
           CREATE FUNCTION {0}.note() RETURNS int SECURITY DEFINER LANGUAGE sql
             AS 'INSERT INTO {0}.log VALUES (current_date) RETURNING 1';
           CREATE VIEW {0}.person AS SELECT * FROM (FROM_CDM) p WHERE {0}.note() = 1""",
        "cannot execute INSERT in a read-only transaction",
    ),
    "a_connection_that_breaks_off": (
        """CREATE FUNCTION {0}.stop() RETURNS boolean SECURITY DEFINER LANGUAGE sql
             AS 'SELECT pg_terminate_backend(pg_backend_pid())';
           CREATE TABLE {0}.person AS FROM_CDM;
           CREATE VIEW {0}.condition_occurrence AS SELECT * FROM cdm.condition_occurrence WHERE {0}.stop()""",
        "terminating connection",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_database_of_no_use_is_told_in_one_sentence(
    name: str, server: Server, admin: psycopg.Connection[Any], tmp_path: Path
) -> None:
    text, message = SPOILT[name]
    schema = sql.Identifier(name)
    text = text.replace("FROM_CDM", "SELECT * FROM cdm.person")
    admin.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
    admin.execute(sql.SQL(text).format(schema))
    admin.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO reader").format(schema))
    if "REVOKE" not in text:
        admin.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO reader").format(schema))
    told = refusal(server.address("reader", SECRET, **path(name)), tmp_path)
    assert message in told and str(server.socket) in told


def refusal(address: str, folder: Path) -> str:
    """What `ingest-cohort` says where it cannot read an address: one line, nothing of the password, no table."""
    code, told = command(address, folder / "out")
    assert code == 2 and told.count("\n") == 1 and "Traceback" not in told, told
    assert not any(part in told for part in ("s3cr", "p@ss", "p%40ss", "w%rd", "w%25rd")), told
    assert not list((folder / "out").glob("*.parquet")) and not (folder / "out" / "ingest.json").exists()
    return told


def test_an_address_without_an_answer_is_told_in_one_sentence(
    server: Server, admin: psycopg.Connection[Any], tmp_path: Path
) -> None:
    absent = {"host": str(tmp_path)}
    for address, message in [
        (server.address("reader", SECRET + "!"), "password authentication failed"),
        (server.address("reader", SECRET, "nowhere"), 'database "nowhere" does not exist'),
        (server.address("reader", SECRET, **absent), "No such file or directory"),
        (f"postgresql://reader:{SECRET}@/postgres?host={server.socket}", "the address of the database is not readable"),
        (f"postgresql://reader:s3cr%zz@/postgres?host={server.socket}", "the address of the database is not readable"),
        (f"postgresql://reader@/postgres?host={server.socket}&passwort=s3cr", "the address of the database is not"),
        (f"postgresql+psycopg://reader:{SECRET}@host/db", "give postgresql://"),
        (f"POSTGRESQL://reader:{SECRET}@host/db", "give postgresql://"),
    ]:
        assert message in refusal(address, tmp_path), address


def test_a_database_that_is_not_utf8_is_told(server: Server, admin: psycopg.Connection[Any], tmp_path: Path) -> None:
    admin.execute("CREATE DATABASE old ENCODING 'SQL_ASCII' TEMPLATE template0")
    with psycopg.connect(server.address(database="old"), autocommit=True, client_encoding="UTF8") as old:
        old.execute("CREATE TABLE person (person_id varchar, gender_concept_id int, year_of_birth int)")
        old.execute("INSERT INTO person VALUES (convert_from('\\xff', 'SQL_ASCII'), 8532, 1990)")
    with pytest.raises(InputError, match=r"old: cannot be read as an OMOP database .*UTF8"):
        read(tmp_path / "out", server.address(database="old"))
