"""The example cohort: the same seed gives the same bytes, everything reads, and every scenario is there."""

import datetime as dt
import hashlib
import json
from decimal import Decimal

import pytest
from dateutil.relativedelta import relativedelta

from sle_kg import synthetic
from sle_kg.errors import InputError
from sle_kg.patients.read import read_patients
from sle_kg.synthetic import cohort, write_cohort
from sle_kg.synthetic.dice import Dice
from sle_kg.synthetic.followup import scenarios
from sle_kg.synthetic.population import distributions, draw, item_weights
from sle_kg.synthetic.records import Medicine, Result

PATIENTS = 20


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_cohort(tmp_path_factory.mktemp("cohort"), PATIENTS, 1)


@pytest.fixture(scope="module")
def data(files):
    return read_patients([file for file in files if file.suffix == ".ndjson"])


def digest(folder, patients=3, seed=7, form="fhir"):
    """A digest of every file that a cohort consists of, names included."""
    whole = hashlib.sha256()
    for file in write_cohort(folder, patients, seed, form):
        whole.update(file.name.encode() + file.read_bytes())
    return whole.hexdigest()


def results(number, test, seed=1):
    """The results of one test of one synthetic patient."""
    (patient,) = cohort(range(number, number + 1), seed)
    return [record for record in patient.records if isinstance(record, Result) and record.test == test]


def numbered(key):
    """The number of the first patient with a scenario."""
    return 1 + [scenario["key"] for scenario in scenarios()].index(key)


@pytest.mark.parametrize("form", ["fhir", "parquet"])
def test_one_seed_gives_the_same_bytes(tmp_path, form):
    assert digest(tmp_path / "one", form=form) == digest(tmp_path / "two", form=form)


def test_chance_is_the_same_on_every_machine():
    found = [(patient.birth, patient.sex) for patient in cohort(range(1, 4), 1)]
    assert found == [("2001-02-06", "female"), ("2002-03-20", "female"), ("1967-03-29", "female")]


def test_another_seed_gives_other_patients(tmp_path):
    assert digest(tmp_path / "one", seed=1) != digest(tmp_path / "two", seed=2)


def test_a_patient_does_not_depend_on_how_many_are_made():
    assert list(cohort(range(1, 4), 5))[2] == next(cohort(range(3, 4), 5))


def test_a_large_cohort_comes_in_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic, "GROUP", 2)
    files = write_cohort(tmp_path / "c", 3, 1)
    patients = {file.name: len(file.read_bytes().splitlines()) for file in files if file.name.startswith("Patient")}
    assert patients == {"Patient.000.ndjson": 2, "Patient.001.ndjson": 1}


def test_every_scenario_is_in_a_small_cohort():
    found = {patient.scenario for patient in cohort(range(1, PATIENTS + 1), 1)}
    assert found == {scenario["key"] for scenario in scenarios()}


def test_everything_is_read(data):
    unread = data.tables["unread"].to_pylist()
    assert [(row["record"], row["code"], row["why"]) for row in unread] == []
    assert data.skipped == {}
    assert len(data.patients) == PATIENTS


def test_parquet_holds_what_the_reader_makes_of_the_fhir_files(tmp_path, data):
    import pyarrow.parquet as pq

    write_cohort(tmp_path / "tables", PATIENTS, 1, "parquet")
    for table, expected in data.tables.items():
        actual = pq.read_table(tmp_path / "tables" / f"{table}.parquet")
        assert sorted(map(str, actual.to_pylist())) == sorted(map(str, expected.to_pylist())), table


def test_numbers_are_written_as_they_are(tmp_path):
    files = {file.name: file for file in write_cohort(tmp_path / "c", 1, 1)}
    text = files["Observation.000.ndjson"].read_text()
    written = [
        json.loads(line, parse_float=Decimal, parse_int=Decimal)["valueQuantity"]["value"]
        for line in text.splitlines()
        if '"2889-4"' in line
    ]
    assert written == [result.value for result in results(1, "urineProtein24h")]


def test_the_folder_says_that_nobody_is_real(files):
    text = files[0].read_text()
    assert files[0].name == "README.txt"
    assert "no record here describes a real person" in text
    assert "--seed 1" in text


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(InputError, match="not empty"):
        write_cohort(tmp_path, 1, 1)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be used as a folder"):
        write_cohort(tmp_path / "file", 1, 1)


def test_every_distribution_names_a_source():
    tables = distributions()
    groups = [group for value in tables.values() for group in (value if isinstance(value, list) else [value])]
    cited = [group["source"] for group in groups if group is not tables["sources"]]
    assert set(cited) == set(tables["sources"])


def test_the_population_knows_the_items_of_the_instrument():
    assert set(distributions()["activity"]["items"]) == set(item_weights())


def test_frequencies_are_those_of_the_tables():
    people = [draw(number, Dice(1, number)) for number in range(1, 1001)]
    women = sum(person.sex == "female" for person in people)
    leukopenia = sum("leukopenia" in person.items for person in people)
    assert abs(women / 10 - distributions()["sex"]["female"]) < 4
    assert abs(leukopenia / 10 - distributions()["activity"]["items"]["leukopenia"]) < 4


def test_ages_are_those_of_adults():
    people = [draw(number, Dice(1, number)) for number in range(1, 501)]
    ages = [relativedelta(person.index, person.birth).years for person in people]
    assert (min(ages), max(ages)) == (18, 64)
    assert all(person.birth < person.diagnosed < person.index for person in people)


def test_a_follow_up_has_twenty_visits():
    assert len(results(numbered("sustained-remission"), "sledai2kTotal")) == 1 + 20


def test_before_infusion_the_disease_is_active():
    assert min(results(number, "sledai2kTotal")[0].value for number in range(1, 10)) >= 8


# ── What the scenarios promise ───────────────────────────────────────────────────────────────────────────


def test_sustained_remission_lasts_longer_than_a_year():
    late = results(numbered("sustained-remission"), "sledai2kTotal")[5:]
    first, last = (dt.date.fromisoformat(result.date) for result in (late[0], late[-1]))
    assert {result.value for result in late} == {0}
    assert (last - first).days > 366


def test_low_activity_is_lost():
    totals = [result.value for result in results(numbered("low-activity-lost"), "sledai2kTotal")]
    assert max(totals[4:7]) <= 4 < min(totals[8:])


def test_global_assessment_can_be_missing_altogether():
    assert results(numbered("pga-never-recorded"), "pga") == []


def test_missed_visits_leave_gaps():
    assert len(results(numbered("missed-visits"), "pga")) == len(results(1, "pga")) - 9


def test_a_day_of_infusion_has_results(data):
    patient = f"synthetic-{numbered('values-on-the-day-of-infusion'):05}"
    (infusion,) = [
        row["date_from"]
        for row in data.tables["event"].to_pylist()
        if (row["patient"], row["event"]) == (patient, "infusion")
    ]
    days = [
        r["date_from"] for r in data.tables["measurement"].to_pylist() if (r["patient"], r["test"]) == (patient, "pga")
    ]
    assert infusion in days


def test_a_dose_changes_the_day_before_a_visit():
    number = numbered("dose-change-the-day-before")
    (patient,) = cohort(range(number, number + 1), 1)
    visits = [result.date for result in results(number, "pga")]
    starts = [
        record.start for record in patient.records if isinstance(record, Medicine) and record.concept == "prednisone"
    ]
    following = [(dt.date.fromisoformat(start) + dt.timedelta(days=1)).isoformat() for start in starts]
    assert len(set(following) & set(visits)) == 2


def test_someone_is_never_infused(data):
    infused = {row["patient"] for row in data.tables["event"].to_pylist() if row["event"] == "infusion"}
    assert set(data.patients) - infused == {f"synthetic-{numbered('no-infusion'):05}"}


def test_some_dates_are_partial(data):
    births = [row for row in data.tables["patient"].to_pylist() if row["birth_from"] != row["birth_to"]]
    months = {row["patient"] for row in data.tables["measurement"].to_pylist() if row["date_from"] != row["date_to"]}
    assert {row["patient"] for row in births} == months == {f"synthetic-{numbered('partial-dates'):05}"}


def test_medicines_are_not_always_complete(data):
    complete = {row["patient"] for row in data.tables["completeness"].to_pylist() if row["section"] == "medications"}
    assert set(data.patients) - complete == {f"synthetic-{numbered('medicines-not-complete'):05}"}


def test_a_total_can_contradict_its_items():
    def given(result):
        return sum(item_weights()[key.partition(":")[2]] for key, present in result.parts if present)

    different = [
        result for result in results(numbered("contradictory-total"), "sledai2kTotal") if result.value != given(result)
    ]
    assert len(different) == 1


def test_totals_can_stand_alone_and_items_without_total():
    assert all(result.parts == () for result in results(numbered("totals-only"), "sledai2kTotal"))
    assert all(
        result.value is None and len(result.parts) == 21
        for result in results(numbered("items-never-recorded"), "sledai2kTotal")
    )


def test_one_patient_has_the_other_instruments():
    number = numbered("selena-items")
    assert results(number, "sledai2kTotal") == results(number, "facitFatigue") == []
    assert {result.unit for result in results(number, "pga")} == {"mm"}
    assert results(number, "selenaSledaiTotal") != []
