"""The screening population: plausible patients, every threshold met, untidy records; in FHIR, OMOP and Parquet."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sle_kg.criteria import Leaf, walk
from sle_kg.ingest.run import Options, ingest_cohort
from sle_kg.patients.facts import PatientData
from sle_kg.patients.read import read_patients
from sle_kg.synthetic import screening_cohort, write_cohort
from sle_kg.synthetic.bent import BENDS, comparisons
from sle_kg.synthetic.centre import draw, tables
from sle_kg.synthetic.dice import Dice
from sle_kg.synthetic.draft import before, birthday
from sle_kg.synthetic.fhir import ndjson, resources
from sle_kg.synthetic.records import Complete, Consent, Diagnosis, Medicine, Record, Result
from sle_kg.synthetic.untidy import UNTIDY
from sle_kg.trials import screenable

PATIENTS = 120
ON = tables()["on"]


@pytest.fixture(scope="module")
def made() -> list[Record]:
    """The records of many patients."""
    return [record for patient in screening_cohort(range(1, 401), 5) for record in patient.records]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_cohort(tmp_path_factory.mktemp("fhir"), PATIENTS, 5, population="screening")


@pytest.fixture(scope="module")
def data(files: list[Path]) -> PatientData:
    return read_patients([file for file in files if file.suffix == ".ndjson"])


def digest(folder: Path, form: str) -> str:
    """A digest of every file of a small population."""
    whole = hashlib.sha256()
    for file in write_cohort(folder, 4, 7, form, "screening"):  # type: ignore[arg-type]
        whole.update(file.name.encode() + file.read_bytes())
    return whole.hexdigest()


# ── The population ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("form", ["fhir", "omop", "parquet"])
def test_one_seed_gives_the_same_bytes(tmp_path: Path, form: str) -> None:
    assert digest(tmp_path / "one", form) == digest(tmp_path / "two", form)


def test_a_patient_does_not_depend_on_how_many_are_made() -> None:
    assert list(screening_cohort(range(1, 4), 5))[2] == next(screening_cohort(range(3, 4), 5))


def test_the_folder_says_on_which_day_to_screen(files: list[Path]) -> None:
    text = files[0].read_text(encoding="utf-8")
    assert f"--on {ON}" in text
    assert "no record here describes a real person" in text


def test_every_table_names_a_source_that_is_there() -> None:
    for name, rows in tables().items():
        for row in rows if isinstance(rows, list) else [rows]:
            if isinstance(row, dict) and name != "sources":
                assert row["source"] in tables()["sources"], name


def test_a_patient_has_some_fifty_facts(data: PatientData) -> None:
    rows = sum(table.num_rows for name, table in data.tables.items() if name != "record")
    assert 50 <= rows / PATIENTS <= 80


def test_shares_are_those_of_the_tables() -> None:
    drafts = [draw(number, Dice(5, number), ON) for number in range(1, 401)]
    weights = {group["key"]: group["weight"] for group in tables()["group"]}
    for group, found in Counter(draft.group for draft in drafts).items():
        assert abs(found * 100 / 400 - weights[group]) < 6, group
    women = sum(draft.sex == "female" for draft in drafts)
    assert 86 <= women * 100 / 400 <= 96


def test_who_is_worked_up_has_consent_and_complete_sections() -> None:
    drafts = [draw(number, Dice(5, number), ON) for number in range(1, 101)]
    for draft in drafts:
        consents = [record for record in draft.records if isinstance(record, Consent)]
        assert draft.group == "worked-up" or not consents
    worked_up = [draft for draft in drafts if draft.group == "worked-up"]
    sections = [sum(isinstance(record, Complete) for record in draft.records) for draft in worked_up]
    assert min(sections) >= 4


# ── At the thresholds ────────────────────────────────────────────────────────────────────────────────────


def test_every_comparison_of_the_trials_can_be_approached() -> None:
    nodes = [
        node
        for trial in screenable().values()
        for row in trial.criteria
        for condition in (row.condition, row.not_applicable)
        if condition is not None
        for node in walk(condition)
    ]
    leaves = {(leaf.feature, leaf.operator, leaf.met_bound) for leaf in nodes if isinstance(leaf, Leaf)}
    assert {(leaf.feature, leaf.operator, leaf.met_bound) for leaf in comparisons()} == leaves
    assert {leaf.feature.kind for leaf in comparisons()} == set(BENDS)


@pytest.mark.parametrize("leaf", comparisons(), ids=lambda leaf: f"{leaf.feature.slug} {leaf.operator}{leaf.met_bound}")
def test_a_bend_changes_a_patient_and_only_as_chance_says(leaf: Leaf) -> None:
    changed = set()
    for number in range(1, 9):
        first, second = (draw(number, Dice(3, number), ON) for _ in range(2))
        untouched = (first.sex, first.birth, tuple(first.records))
        for draft in (first, second):
            BENDS[leaf.feature.kind](draft, leaf, Dice(4, number))
        assert (first.sex, first.birth, first.records) == (second.sex, second.birth, second.records)
        changed.add((first.sex, first.birth, tuple(first.records)) != untouched)
    named = leaf.feature.kind != "DiagnosisCondition" or True in changed
    assert changed != {False} or not named


def test_results_lie_exactly_at_the_thresholds(made: list[Record]) -> None:
    weights = Counter(record.value for record in made if isinstance(record, Result) and record.test == "bodyWeight")
    assert {Decimal(39), Decimal(40), Decimal(41)} <= set(weights)
    alanine = [record for record in made if isinstance(record, Result) and record.test == "alt" and record.upper]
    assert any(isinstance(one.value, Decimal) and one.upper and one.value == 3 * one.upper for one in alanine)


def test_births_on_leap_days_and_birthdays_today() -> None:
    births = {patient.birth for patient in screening_cohort(range(1, 601), 5)}
    assert {f"{birthday(ON, years)}" for years in (18, 60, 61)} & births
    assert any(birth.endswith("-02-29") for birth in births)


@pytest.mark.parametrize(
    ("day", "duration", "expected"),
    [
        ("2026-08-31", "P6M", "2026-02-28"),
        ("2028-02-29", "P1Y", "2027-02-28"),
        ("2026-11-21", "P56D", "2026-09-26"),
        ("2027-01-15", "P2M", "2026-11-15"),
    ],
)
def test_durations_back_are_calendar_and_clamped(day: str, duration: str, expected: str) -> None:
    assert before(dt.date.fromisoformat(day), duration).isoformat() == expected


# ── Untidy ───────────────────────────────────────────────────────────────────────────────────────────────


def test_records_are_untidy_in_every_way(made: list[Record]) -> None:
    dates = [record.date for record in made if isinstance(record, Result)]
    assert {len(date) for date in dates} == {4, 7, 10}
    assert max(dates) > ON.isoformat()
    assert {record.comparator for record in made if isinstance(record, Result)} == {None, "<", ">", "<=", ">="}
    medicines = [record for record in made if isinstance(record, Medicine)]
    assert {"not-taken", "stopped", "unknown", "entered-in-error"} <= {medicine.status for medicine in medicines}
    assert any(medicine.ordered for medicine in medicines)
    diagnoses = [record for record in made if isinstance(record, Diagnosis)]
    assert {"refuted", "provisional", "entered-in-error"} <= {diagnosis.verification for diagnosis in diagnoses}
    assert any("elsewhere" in diagnosis.concept for diagnosis in diagnoses)
    units = {record.unit for record in made if isinstance(record, Result) and record.test == "serumCreatinine"}
    assert {"mg/dL", "umol/L"} <= units
    assert any(isinstance(record, Result) and record.unit == "[in_i]" for record in made)


def test_some_are_attested_both_ways(made: list[Record]) -> None:
    attested = [record for record in made if isinstance(record, Result) and record.test.startswith("attest:")]
    assert {record.value for record in attested} == {True, False}


@pytest.mark.parametrize("change", UNTIDY, ids=lambda change: change.__name__)
def test_each_way_of_being_untidy_can_be_read(change, tmp_path: Path) -> None:
    draft = draw(4, Dice(5, 4), ON)
    for chance in range(5):
        change(draft, Dice(6, chance))
    file = tmp_path / "patient.ndjson"
    file.write_bytes(ndjson(resources(draft.finished())))
    assert read_patients([file]).patients == [draft.id]


# ── OMOP ─────────────────────────────────────────────────────────────────────────────────────────────────

Rows = Counter[tuple[object, ...]]
FULL_DATES = ("start_from", "start_to", "end_from", "end_to")


def rows_of(table: pa.Table, columns: str) -> Rows:
    """The rows of a fact table with some of its columns, patients by their number."""
    cells = table.select(columns.split()).to_pylist()
    return Counter(
        tuple(int(str(v).rpartition("-")[2]) if c == "patient" else v for c, v in row.items()) for row in cells
    )


@pytest.fixture(scope="module")
def omop(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pa.Table]:
    """The fact tables of the same patients, read from OMOP."""
    folder = tmp_path_factory.mktemp("omop")
    write_cohort(folder / "database", PATIENTS, 5, "omop", "screening")
    ingest_cohort([str(folder / "database")], folder / "tables", Options(workers=1))
    return {file.stem: pq.read_table(file) for file in (folder / "tables").glob("*.parquet")}


@pytest.fixture(scope="module")
def fhir(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, pa.Table]:
    """The fact tables read from FHIR line by line; like OMOP rows, lines are read without the day of birth."""
    folder = tmp_path_factory.mktemp("fhir")
    ingest_cohort([str(file) for file in files if file.suffix == ".ndjson"], folder, Options(workers=1))
    return {file.stem: pq.read_table(file) for file in folder.glob("*.parquet")}


MEASURED = "patient test date_from date_to low high uln lln positive below_quantification text"


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("patient", "patient birth_from birth_to sex"),
        ("immunization", "patient concept given date_from date_to"),
        ("procedure", "patient concept done from_from from_to end_from end_to"),
        ("measurement", MEASURED),
    ],
)
def test_omop_says_the_same_and_nothing_else(
    fhir: dict[str, pa.Table], omop: dict[str, pa.Table], name: str, columns: str
) -> None:
    assert rows_of(omop[name], columns) <= rows_of(fhir[name], columns)


def test_omop_leaves_out_only_what_the_folder_says(fhir: dict[str, pa.Table], omop: dict[str, pa.Table]) -> None:
    missing = rows_of(fhir["measurement"], MEASURED) - rows_of(omop["measurement"], MEASURED)
    for _, _, first, last, low, _, _, _, positive, _, _ in missing:
        assert first != last or (low is None and positive is not None)
    assert rows_of(omop["patient"], "patient") == rows_of(fhir["patient"], "patient")


def test_confirmed_diagnoses_are_the_same_in_omop(fhir: dict[str, pa.Table], omop: dict[str, pa.Table]) -> None:
    columns = "patient concept status onset_from onset_to recorded_from recorded_to abated_from abated_to"

    def dated(table: pa.Table) -> Rows:
        found: Rows = Counter()
        for row, number in rows_of(table, columns).items():
            patient, concept, status, *dates = row
            onset, recorded, abated = zip(dates[::2], dates[1::2], strict=True)
            first = onset if onset[0] else recorded
            if status == "confirmed" and first[0] and first[0] == first[1] and abated[0] == abated[1]:
                found[patient, concept, first[0]] += number
        return found

    assert dated(omop["condition"]) == dated(fhir["condition"])


def test_medicines_with_two_full_dates_are_the_same_in_omop(
    fhir: dict[str, pa.Table], omop: dict[str, pa.Table]
) -> None:
    def dated(table: pa.Table) -> Rows:
        rows = rows_of(table, "patient concept taken start_from start_to end_from end_to route administration")
        whole = {row: n for row, n in rows.items() if row[3] and row[3] == row[4] and row[5] and row[5] == row[6]}
        return Counter({row: n for row, n in whole.items() if row[2] in ("yes", "ordered")})

    assert dated(omop["exposure"]) == dated(fhir["exposure"])


def test_daily_doses_of_finished_courses_are_the_same_in_omop(
    fhir: dict[str, pa.Table], omop: dict[str, pa.Table]
) -> None:
    def daily(table: pa.Table) -> Rows:
        rows = table.to_pylist()
        wanted = [row for row in rows if row["dose"] is not None and row["end_to"] and row["dose_unit"] == "mg"]
        return Counter(
            (
                int(row["patient"].rpartition("-")[2]),
                row["concept"],
                row["start_from"],
                row["end_to"],
                row["dose"] * (row["times"] or 1),
            )
            for row in wanted
            if row["period_days"] in (None, 1)
        )

    assert sum(daily(omop["exposure"]).values()) > PATIENTS
    assert daily(omop["exposure"]) <= daily(fhir["exposure"])


def test_the_database_has_the_tables_of_cdm(tmp_path: Path) -> None:
    files = write_cohort(tmp_path / "db", 2, 1, "omop")
    assert {file.name for file in files} >= {"PERSON.csv", "CONCEPT.csv", "MEASUREMENT.csv", "DRUG_EXPOSURE.csv"}
    assert "Tables of OMOP CDM 5.4" in files[0].read_text(encoding="utf-8")
    assert json.dumps(files[0].read_text(encoding="utf-8")).isascii()
