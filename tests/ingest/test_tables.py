"""OMOP databases and CSV files with a map to fact tables."""

import csv
import datetime as dt
import shutil
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from sle_kg.errors import InputError, MissingToolError
from sle_kg.ingest import Options, ingest_cohort
from sle_kg.patients.facts import COLUMNS

EXAMPLES = Path(__file__).parents[2] / "examples"
OMOP, REDCAP = EXAMPLES / "omop", EXAMPLES / "redcap"


def read(folder, *sources, **options):
    return ingest_cohort([str(source) for source in sources], folder, Options(workers=1, **options))


def table(folder, name):
    return pq.read_table(folder / f"{name}.parquet").to_pylist()


def bytes_of(folder):
    return {name: (folder / f"{name}.parquet").read_bytes() for name in COLUMNS}


def omop(folder, **tables):
    """An OMOP database in CSV: the rows of each table as dictionaries."""
    folder.mkdir(exist_ok=True)
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(column for row in rows for column in row)))
            writer.writeheader()
            writer.writerows(rows)
    return folder


PERSON = {"person_id": 1, "gender_concept_id": 8532, "year_of_birth": 1990, "month_of_birth": 5, "day_of_birth": ""}


@pytest.fixture(scope="module")
def synthea(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthea") / "out"
    return folder, read(folder, OMOP)


def test_the_synthetic_persons_of_omop(synthea):
    folder, summary = synthea
    assert summary.patients == 28 and summary.rejects == {}
    with (OMOP / "PERSON.csv").open() as file:
        births = {row["person_id"]: dt.date.fromisoformat(row["birth_datetime"][:10]) for row in csv.DictReader(file)}
    assert {row["patient"]: row["birth_from"] for row in table(folder, "patient")} == births
    with (OMOP / "MEASUREMENT.csv").open() as file:
        weights = [row for row in csv.DictReader(file) if row["measurement_source_value"] == "29463-7"]
    found = [row for row in table(folder, "measurement") if row["test"] == "bodyWeight"]
    told = {(row["person_id"], row["measurement_date"], Decimal(row["value_as_number"])) for row in weights}
    assert told == {(row["patient"], row["date_from"].isoformat(), row["low"]) for row in found}
    with (OMOP / "CONDITION_OCCURRENCE.csv").open() as file:
        assert summary.rows["condition"] == len(list(csv.DictReader(file)))


def test_parquet_and_duckdb_give_what_csv_gives(synthea, tmp_path):
    parquet = tmp_path / "parquet"
    parquet.mkdir()
    with duckdb.connect(str(tmp_path / "hospital.duckdb")) as db:
        db.execute("CREATE SCHEMA cdm")
        for file in OMOP.glob("*.csv"):
            db.read_csv(str(file), all_varchar=file.stem == "CONCEPT").create(f"cdm.{file.stem.lower()}")
            db.table(f"cdm.{file.stem.lower()}").write_parquet(str(parquet / f"{file.stem.lower()}.parquet"))
    for source in (parquet, tmp_path / "hospital.duckdb"):
        read(tmp_path / f"{source.name}.out", source)
        assert bytes_of(tmp_path / f"{source.name}.out") == bytes_of(synthea[0])


def test_ids_of_any_type_and_tables_without_rows_are_read(tmp_path):
    """A table that DuckDB makes of a file without rows has texts where others have numbers."""
    with duckdb.connect(str(tmp_path / "hospital.duckdb")) as db:
        for file in OMOP.glob("*.csv"):
            empty = file.stem.lower() in ("concept_ancestor", "drug_strength")
            found = db.read_csv(str(file), all_varchar=empty)
            (found.filter("false") if empty else found).create(file.stem.lower())
    assert read(tmp_path / "out", tmp_path / "hospital.duckdb").patients == 28


def test_without_vocabulary_the_concepts_of_our_own_list_are_known(synthea, tmp_path):
    shutil.copytree(OMOP, tmp_path / "omop", ignore=shutil.ignore_patterns("CONCEPT*"))
    read(tmp_path / "out", tmp_path / "omop")
    assert table(tmp_path / "out", "measurement") == table(synthea[0], "measurement")


def test_a_vocabulary_that_comes_later_makes_it_another_source(tmp_path):
    """The same rows mean something else then: never "this was done before"."""
    from sle_kg.errors import InputError

    rows = {
        "person": [PERSON],
        "condition_occurrence": [
            {
                "condition_occurrence_id": 1,
                "person_id": 1,
                "condition_concept_id": 70,
                "condition_start_date": "2026-01-01",
            }
        ],
    }
    read(tmp_path / "out", omop(tmp_path / "db", **rows))
    assert read(tmp_path / "out", tmp_path / "db").before
    concept = {"concept_id": 70, "vocabulary_id": "ICD10CM", "concept_code": "M32.9", "concept_class_id": "code"}
    omop(tmp_path / "db", concept=[concept])
    with pytest.raises(InputError, match="holds the tables of other sources"):
        read(tmp_path / "out", tmp_path / "db")
    read(tmp_path / "new", tmp_path / "db")
    assert [table(tmp_path / name, "condition")[0]["concept"] for name in ("out", "new")] == ["unmapped", "icd:M32.9"]


def test_a_dose_is_known_only_where_it_is_certain(tmp_path):
    row = {
        "person_id": 1,
        "drug_concept_id": 7,
        "drug_exposure_start_date": "2026-01-01",
        "drug_exposure_end_date": "2026-01-30",
        "drug_type_concept_id": 32865,
        "route_concept_id": 4132161,
    }
    strength = {"ingredient_concept_id": 8, "amount_value": 5, "amount_unit_concept_id": 8576, "invalid_reason": ""}
    supplies = [(60, 30), (7, 3), (0, 30), (30, 0), (60, 30)]
    rows = [
        {"drug_exposure_id": n, **row, "quantity": quantity, "days_supply": days}
        for n, (quantity, days) in enumerate(supplies)
    ]
    rows[4]["drug_concept_id"] = 9
    concepts = [
        {"concept_id": 8, "vocabulary_id": "RxNorm", "concept_code": "8640", "concept_class_id": "Ingredient"},
        {"concept_id": 10, "vocabulary_id": "RxNorm", "concept_code": "5521", "concept_class_id": "Ingredient"},
    ]
    strengths = [{"drug_concept_id": 7, **strength}, {"drug_concept_id": 9, **strength}]
    strengths.append(strengths[1] | {"ingredient_concept_id": 10})
    source = omop(tmp_path / "db", person=[PERSON], drug_exposure=rows, drug_strength=strengths, concept=concepts)
    read(tmp_path / "out", source)
    found = table(tmp_path / "out", "exposure")
    assert [row["dose"] for row in found] == [Decimal(10), None, None, None, None]
    assert {row["concept"] for row in found[:4]} == {"prednisone"} and "hydroxychloroquine" in found[4]["concept"]
    assert [row["end_to"] is None for row in found] == [False, False, False, True, False]
    assert {row["route"] for row in found} == {"oral"}


@pytest.mark.parametrize(
    ("kind", "taken"), [(32838, "ordered"), (32869, "ordered"), (0, "ordered"), (32818, "yes"), (32865, "yes")]
)
def test_an_order_or_a_supply_is_no_proof_of_intake(kind, taken, tmp_path):
    row = {"drug_exposure_id": 1, "person_id": 1, "drug_concept_id": 0, "drug_exposure_start_date": "2026-01-01"}
    row |= {"verbatim_end_date": "2026-01-09", "drug_type_concept_id": kind, "drug_source_value": "X1"}
    read(tmp_path / "out", omop(tmp_path / "db", person=[PERSON], drug_exposure=[row]))
    assert [(one["taken"], one["ongoing"]) for one in table(tmp_path / "out", "exposure")] == [(taken, True)]


def test_what_was_given_on_one_day_is_over(tmp_path):
    row = {"drug_exposure_id": 1, "person_id": 1, "drug_concept_id": 0, "drug_exposure_start_date": "2026-01-01"}
    row |= {"drug_type_concept_id": 32818, "drug_source_value": "X1"}
    read(tmp_path / "out", omop(tmp_path / "db", person=[PERSON], drug_exposure=[row]))
    assert [one["ongoing"] for one in table(tmp_path / "out", "exposure")] == [False]


def test_results_with_operators_limits_and_answers(tmp_path):
    rows = [
        {"measurement_concept_id": 3006923, "operator_concept_id": 4171756, "value_as_number": 20, "range_high": 40},
        {"measurement_concept_id": 3006923, "value_as_concept_id": 9191},
        {"measurement_concept_id": "3006923.0", "value_as_number": 25.5},
        {"measurement_concept_id": 3006923, "operator_concept_id": 4172703, "value_as_number": 26},
        {"measurement_concept_id": 3006923, "operator_concept_id": 999, "value_as_number": 27},
    ]
    common = {"person_id": 1, "measurement_date": "2026-01-01 08:00:00", "unit_concept_id": 8645}
    rows = [{"measurement_id": n, **common, **row} for n, row in enumerate(rows)]
    read(tmp_path / "out", omop(tmp_path / "db", person=[PERSON], measurement=rows))
    below, answered, plain, equal, strange = table(tmp_path / "out", "measurement")
    assert (equal["low"], equal["high"]) == (Decimal(26), Decimal(26))
    assert (strange["low"], strange["high"]) == (None, None)
    assert [row["why"] for row in table(tmp_path / "out", "unread")] == ["'operator 999' is no comparator"]
    assert (below["low"], below["high"], below["uln"]) == (None, Decimal("19.999999999999"), Decimal(40))
    assert answered["positive"] is True and answered["low"] is None
    assert (plain["low"], plain["high"]) == (Decimal("25.5"), Decimal("25.5"))


@pytest.mark.parametrize(
    ("words", "low", "high"),
    [("<50", None, "49.999999999999"), (" ≥ 50", "50", None), ("50", "50", "50"), ("50-60", "50", "50")],
)
def test_a_comparator_that_only_the_words_of_the_source_hold_is_read(words, low, high, tmp_path):
    row = {"measurement_id": 1, "person_id": 1, "measurement_date": "2026-01-01", "measurement_concept_id": 3006923}
    row |= {"operator_concept_id": 0, "value_as_number": 50, "unit_concept_id": 8645, "value_source_value": words}
    read(tmp_path / "out", omop(tmp_path / "db", person=[PERSON], measurement=[row]))
    (found,) = table(tmp_path / "out", "measurement")
    assert (found["low"], found["high"]) == (low and Decimal(low), high and Decimal(high))


def test_deaths_are_events_and_histories_are_uncertain_diagnoses(tmp_path):
    concepts = [
        {"concept_id": 1, "vocabulary_id": "ICD10CM", "concept_code": "Z85.3", "concept_class_id": "code"},
        {"concept_id": 2, "vocabulary_id": "SNOMED", "concept_code": "266987004", "concept_class_id": "finding"},
        {"concept_id": 3, "vocabulary_id": "SNOMED", "concept_code": "373067005", "concept_class_id": "answer"},
    ]
    rows = [
        {"observation_concept_id": 0, "observation_source_concept_id": 1},
        {"observation_concept_id": 2, "value_as_concept_id": 3},
        {"observation_concept_id": 2},
    ]
    rows = [
        {"observation_id": n, "person_id": 1, "observation_date": "2026-03-01", **row} for n, row in enumerate(rows)
    ]
    death = [{"person_id": 1, "death_date": "2026-05-01"}]
    source = omop(tmp_path / "db", person=[PERSON], observation=rows, death=death, concept=concepts)
    summary = read(tmp_path / "out", source)
    assert summary.rejects == {}
    died = [(row["event"], row["date_from"], row["record"]) for row in table(tmp_path / "out", "event")]
    assert died == [("death", dt.date(2026, 5, 1), "Observation/death-1")]
    assert [row["why"] for row in table(tmp_path / "out", "unread")][-1] == "recorded as deceased on 2026-05-01"
    found = [(row["concept"], row["status"], row["recorded_to"]) for row in table(tmp_path / "out", "condition")]
    day = dt.date(2026, 3, 1)
    assert found == [("icd:Z85.3", "uncertain", day), ("historyOfMalignancy", "uncertain", day)]


def test_hostile_names_and_texts_stay_texts(tmp_path):
    evil = "'); DROP TABLE known; --"
    rows = [{"condition_occurrence_id": evil, "person_id": "1", "condition_concept_id": evil}]
    rows[0] |= {"condition_start_date": evil, "condition_source_value": '"; SELECT 1'}
    rows.append(rows[0] | {"person_id": evil})
    source = omop(tmp_path / "a[1]*'; DROP", person=[PERSON], condition_occurrence=rows)
    summary = read(tmp_path / "out '[x]*", source)
    assert summary.rejects == {"refers to a patient who is in none of the sources": 1}
    (found,) = table(tmp_path / "out '[x]*", "condition")
    assert found["record"] == f"Condition/condition_occurrence-{evil}"
    assert found["concept"] == "unmapped" and found["status"] == "uncertain"


def test_broken_rows_of_csv_are_rejected(tmp_path):
    source = omop(tmp_path / "db", person=[PERSON, PERSON | {"person_id": ""}])
    with (source / "person.csv").open("a") as file:
        file.write("2,8507,1980,1,1,7,7,7,7\n3,8507,1970,,\n")
    summary = read(tmp_path / "out", source)
    assert {row["patient"]: row["birth_to"] for row in table(tmp_path / "out", "patient")} == {
        "1": dt.date(1990, 5, 31),
        "3": dt.date(1970, 12, 31),
    }
    assert sum(summary.rejects.values()) == 2


def test_a_folder_without_the_columns_of_omop_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"the table person lacks the column year_of_birth"):
        read(tmp_path / "out", omop(tmp_path / "db", person=[{"person_id": 1, "gender_concept_id": 8507}]))


def test_postgres_without_its_driver_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(MissingToolError, match=r"sle-kg\[postgres\]"):
        read(tmp_path / "out", "postgresql://reader@localhost/cdm")


# ── CSV with a map ───────────────────────────────────────────────────────────────────────────────────────


def test_the_worked_example_of_redcap(tmp_path):
    out = tmp_path / "out"
    summary = read(out, REDCAP / "lupus_registry.csv", table_map=REDCAP / "lupus_registry.yaml")
    patients = {row["patient"]: (row["birth_from"], row["birth_to"], row["sex"]) for row in table(out, "patient")}
    assert patients == {
        "R-001": (dt.date(1991, 3, 14), dt.date(1991, 3, 14), "female"),
        "R-002": (dt.date(1988, 1, 1), dt.date(1988, 12, 31), "male"),
        "R-003": (dt.date(2001, 7, 22), dt.date(2001, 7, 22), "female"),
    }
    scores = {
        (row["patient"], row["date_from"].isoformat()): row["low"]
        for row in table(out, "measurement")
        if row["test"] == "sledai2kTotal"
    }
    assert scores == {
        ("R-001", "2026-11-20"): 9,
        ("R-001", "2027-02-12"): 4,
        ("R-002", "2026-11-18"): 6,
        ("R-003", "2026-11-19"): None,
    }
    assert ("R-003", "110 is above the greatest possible value, 105") in {
        (row["patient"], row["why"]) for row in table(out, "unread")
    }
    assert {(row["patient"], row["status"]) for row in table(out, "condition") if "sle" in row["concept"]} == {
        ("R-001", "confirmed"),
        ("R-002", "confirmed"),
        ("R-003", "refuted"),
    }
    doses = {row["patient"]: row["dose"] for row in table(out, "exposure") if row["route"] == "oral"}
    assert doses == {"R-001": Decimal("7.5"), "R-002": None, "R-003": 5}
    told = " ".join(summary.rejects)
    assert "column dsdna: the cell is no answer of the map" in told


MAP = "patient: id\nrecords:\n  - observation: pga\n    value: pga\n    date: day\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("patient: [", r"map.yaml, line 1: not readable as YAML"),
        ("- 1", "a map starts with patient"),
        ("records: []", "patient: write the name of a column"),
        ("patient: id\nrecord: []", r"the map: 'record' is not known here: use patient"),
        ("patient: id\nrecords:\n  - value: x", "record 1: name exactly one of observation"),
        ("patient: id\nrecords:\n  - observation: sledai", "record 1: an observation needs value"),
        (MAP.replace("observation: pga", "observation: pgaa"), "record 1: 'pgaa' is no key of ours"),
        (MAP.replace("date: day", "answers: {1: perhaps}"), "record 1: answers maps cells to positive"),
        (MAP.replace("date: day", "date: weekday"), r"table.csv, line 1: there is no column 'weekday'"),
    ],
)
def test_a_wrong_map_is_told_with_its_cure(text, message, tmp_path):
    (tmp_path / "map.yaml").write_text(text)
    (tmp_path / "table.csv").write_text("id,pga,day\na,1,2026-01-01\n")
    with pytest.raises(InputError, match=message):
        read(tmp_path / "out", tmp_path / "table.csv", table_map=tmp_path / "map.yaml")


HEADER = "id,pga,day\na,1,2026-01-01\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            HEADER.replace(",", ";").encode(),
            r"table.csv, line 1: .* separated by ';': write delimiter: ';' into the map",
        ),
        (HEADER.replace(",", "\t").encode(), r"line 1: .* separated by \"\\t\": write delimiter: \"\\t\" into the map"),
        (b'"id";"pga";"day"\n', "separated by ';'"),
        (HEADER.encode("utf-16"), r"table.csv: the file is not UTF-8 but perhaps UTF-16: save it as CSV in UTF-8"),
        (HEADER.encode("utf-16-be"), "perhaps UTF-16"),
        (HEADER.replace("pga", "pgä").encode("latin-1"), "line 1: the line is not UTF-8: save the file as UTF-8"),
        (b"x" * 200_000, "line 1: not readable as CSV"),
    ],
)
def test_a_table_in_another_form_is_told_with_its_cure(content, message, tmp_path):
    (tmp_path / "map.yaml").write_text(MAP)
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(tmp_path / "out", tmp_path / "table.csv", table_map=tmp_path / "map.yaml")


@pytest.mark.parametrize("delimiter", ["';'", '"\\t"'])
def test_the_separator_that_the_message_names_reads_the_table(delimiter, tmp_path):
    (tmp_path / "map.yaml").write_text(f"{MAP}delimiter: {delimiter}\n")
    (tmp_path / "table.csv").write_text(HEADER.replace(",", ";" if ";" in delimiter else "\t"))
    assert read(tmp_path / "out", tmp_path / "table.csv", table_map=tmp_path / "map.yaml").patients == 1


def test_a_map_or_table_that_is_no_file_of_text_is_told_with_its_cure(tmp_path):
    (tmp_path / "table.csv").write_text(HEADER)
    (tmp_path / "map.yaml").write_bytes(MAP.encode("utf-16"))
    for table, given, message in (
        ("table.csv", "map.yaml", r"map.yaml: byte 1 of the map is not UTF-8: save it as UTF-8"),
        ("table.csv", ".", r"the map cannot be read \(Is a directory\): give a YAML file"),
        (".", "map.yaml", r"this is a folder: with --map, give its CSV files by name"),
    ):
        with pytest.raises(InputError, match=message):
            read(tmp_path / "out", tmp_path / table, table_map=tmp_path / given)


UNSURE = """patient: id
missing: [99]
absent: {drug: 2}
ignore: [event]
records:
  - condition: malignancy
    when: {cancer: [1, 0], event: first}
    refuted: {cancer: 0}
  - medication: rituximab
    when: {drug: 1}
    end: day
  - procedure: transfusion
    when: {drug: 1}
  - immunization: liveVaccine
    when: {drug: 1}
  - allergy: azathioprine
    when: {drug: 1}
  - observation: pga
    value: pga
    when: {drug: 1}
  - complete: conditions
    when: {drug: 1}
    date: day
"""


def test_a_cell_that_the_map_does_not_name_leaves_its_record_uncertain(tmp_path):
    cells = {"there": "1,1.0", "unsure": "9,Yes", "no": "0,0", "none": "0.0,2", "label": ",No", "empty": "99,99.0"}
    lines = [f"{name},first,{both},2026-01-01,1" for name, both in cells.items()]
    lines += ["later,second,9,,,", "later,second,9,,,"]
    (tmp_path / "map.yaml").write_text(UNSURE)
    (tmp_path / "table.csv").write_text("\n".join(["id,event,cancer,drug,day,pga", *lines]))
    read(tmp_path / "out", tmp_path / "table.csv", table_map=tmp_path / "map.yaml")

    def found(name, column):
        return {row["patient"]: row[column] for row in table(tmp_path / "out", name)}

    refuted = dict.fromkeys(("no", "none"), "refuted")
    assert found("condition", "status") == {"there": "confirmed", "unsure": "uncertain", **refuted}
    assert found("exposure", "taken") == {"there": "yes", "unsure": "uncertain"}
    assert found("exposure", "ongoing") == {"there": True, "unsure": None}
    assert found("procedure", "done") == {"there": "yes", "unsure": "uncertain"}
    assert found("immunization", "given") == {"there": "yes", "unsure": "uncertain"}
    assert found("allergy", "status") == {"there": "confirmed", "unsure": "uncertain"}
    assert found("measurement", "low") == {"there": 1, "unsure": None}
    assert found("completeness", "section") == {"there": "conditions"}
    rejects = list(csv.reader((tmp_path / "out" / "rejects.csv").open()))[1:]
    assert {(line, reason.split()[4]) for _, line, _, reason in rejects} == {("3", "cancer:"), ("3", "drug:")}


def test_broken_lines_of_a_table_are_rejected_and_unknown_columns_listed(tmp_path):
    (tmp_path / "map.yaml").write_text(MAP)
    lines = [b"id,pga,day,note", b'a,1,2026-01-01,"two\nlines"', b"b,1", b",2,2026-01-01,", b"c\xff,1,2026-01-01,"]
    (tmp_path / "table.csv").write_bytes(b"\n".join(lines) + b"\n")
    summary = read(tmp_path / "out", tmp_path / "table.csv", table_map=tmp_path / "map.yaml")
    assert summary.skipped["column 'note' of a table, which the map does not name"] == 1
    rejects = list(csv.reader((tmp_path / "out" / "rejects.csv").open()))[1:]
    assert [(line, reason.partition(":")[0]) for _, line, _, reason in rejects] == [
        ("4", "2 cells instead of 4"),
        ("5", "column id"),
        ("6", "the line is not UTF-8"),
    ]
    assert summary.patients == 1


def test_ids_with_a_slash_name_records_of_their_own(tmp_path):
    rows = [
        {"condition_occurrence_id": name, "person_id": 1, "condition_concept_id": 257628, "condition_start_date": day}
        for name, day in [("x/1", "2020-01-01"), ("x/2", "2021-01-01"), ("x%2F1", "2022-01-01")]
    ]
    read(tmp_path / "out", omop(tmp_path / "db", person=[PERSON], condition_occurrence=rows))
    names = ["x%252F1", "x%2F1", "x%2F2"]
    assert [row["record"] for row in table(tmp_path / "out", "condition")] == [
        f"Condition/condition_occurrence-{name}" for name in names
    ]
