"""SLEDAI, global assessment, BILAG, damage, fatigue, suicidality: what the command line tells an outsider."""

import pytest

from followup.contract import SLEDAI, Patient, bundle, ndjson, quantity, score, scores
from sle_kg.patients.rdf import to_rdf
from sle_kg.patients.read import read_patients
from test_cli import run

DAY = "2026-01-10"
KEYS = {"patient", "date", "name", "value", "result", "lower", "upper", "items", "reason", "missing"}
SEROLOGY = {"lowComplement", "increasedDNABinding"}

WORKED = [
    ("none", "", 0, 0),
    ("arthritis", "arthritis", 4, 4),
    ("serology", "lowComplement increasedDNABinding", 4, 0),
    ("proteinuria", "proteinuria", 4, 4),
    ("skin", "rash alopecia lowComplement", 6, 4),
    ("pleurisy", "pleurisy", 2, 2),
    ("fever", "fever", 1, 1),
    ("many", "arthritis proteinuria hematuria lowComplement increasedDNABinding leukopenia", 17, 13),
    ("seven", "rash mucosalUlcers thrombocytopenia increasedDNABinding", 7, 5),
    ("eight", "arthritis rash increasedDNABinding", 8, 6),
    ("blood", "thrombocytopenia leukopenia rash", 4, 4),
    ("all", " ".join(SLEDAI), 105, 101),
]
"""Descriptors present, SLEDAI-2K and clinical SLEDAI: the worked examples of the published instrument."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("contract")


@pytest.fixture(scope="module")
def worked(folder):
    """SLEDAI-2K and clinical SLEDAI of the worked examples."""
    patients = [Patient(name).items(DAY, present) for name, present, _, _ in WORKED]
    return scores(folder, "sledai2k", patients), scores(folder, "clinicalSledai", patients)


@pytest.mark.parametrize(("name", "present", "total", "clinical"), WORKED, ids=[name for name, *_ in WORKED])
def test_worked_examples_by_components(worked, name, present, total, clinical):
    full, part = (answers[name, DAY] for answers in worked)
    assert (full["value"], full["lower"], full["upper"]) == (total, total, total)
    assert (part["value"], part["lower"], part["upper"]) == (clinical, clinical, clinical)
    assert full["items"] == {key: key in present.split() for key in SLEDAI}
    assert set(part["items"]) == set(SLEDAI) - SEROLOGY
    assert full["missing"] == []
    assert full["result"] is None


def test_objects_have_the_keys_of_the_contract(worked):
    for answer in worked[0].values():
        assert set(answer) >= KEYS
        assert answer["name"] == "sledai2k"
        assert answer["reason"].endswith(".")


@pytest.fixture(scope="module")
def single(folder):
    """Every descriptor alone, as an Observation of its own, in both instruments."""
    two = [Patient(key).separate(DAY, key).separate(DAY, key, instrument="selenaSledai") for key in SLEDAI]
    return scores(folder, "sledai2k", two), scores(folder, "selenaSledai", two)


@pytest.mark.parametrize("key", SLEDAI)
def test_one_separate_item_gives_its_weight_as_lower_bound(single, key):
    for answers in single:
        one = answers[key, DAY]
        assert (one["value"], one["lower"], one["upper"]) == (None, SLEDAI[key], 105)
        assert one["items"] == {other: True if other == key else None for other in SLEDAI}
        assert len(one["missing"]) == 23


def test_separate_absent_items_lower_the_upper_bound(folder):
    one = Patient("p").separate(DAY, "rash arthritis", "seizure proteinuria fever")
    answer = scores(folder, "sledai2k", [one])["p", DAY]
    assert (answer["value"], answer["lower"], answer["upper"]) == (None, 6, 105 - 8 - 4 - 1)
    assert answer["items"]["seizure"] is False


@pytest.fixture(scope="module")
def totals(folder):
    """Totals in the forms that a record may give them."""
    one = Patient("integer").observe("sledai2kTotal", DAY, valueInteger=7)
    two = Patient("quantity").number("sledai2kTotal", DAY, 7)
    bare = Patient("bare").number("sledai2kTotal", DAY, 7, None)
    comparator = Patient("comparator").observe(
        "sledai2kTotal", DAY, valueQuantity=quantity(4, "{score}") | {"comparator": "<="}
    )
    wrong = Patient("wrong").observe("sledai2kTotal", DAY, valueInteger=3)
    wrong.resources[-1]["status"] = "entered-in-error"
    return scores(
        folder,
        "sledai2k",
        [
            one, two, bare, comparator, wrong,
            Patient("over").number("sledai2kTotal", DAY, 106),
            Patient("negative").number("sledai2kTotal", DAY, -1),
            Patient("agree").items(DAY, "arthritis").number("sledai2kTotal", DAY, 4),
            Patient("disagree").items(DAY, "arthritis").number("sledai2kTotal", DAY, 6),
            Patient("fits").items(DAY, "arthritis", absent="").number("sledai2kTotal", DAY, 6),
            Patient("twice").number("sledai2kTotal", DAY, 4).number("sledai2kTotal", DAY, 9),
            Patient("selena").number("selenaSledaiTotal", DAY, 9).items(DAY, "rash", instrument="selenaSledai"),
            Patient("days").separate(DAY, "arthritis").separate("2026-01-12", "rash"),
            Patient("preliminary").observe("sledai2kTotal", DAY, valueInteger=5, status="preliminary"),
        ],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "bounds"),
    [
        ("integer", (7, 7, 7)),
        ("quantity", (7, 7, 7)),
        ("bare", (7, 7, 7)),
        ("comparator", (None, 0, 4)),
        ("over", (None, 0, 105)),
        ("negative", (None, 0, 105)),
        ("agree", (4, 4, 4)),
        ("disagree", (None, 4, 6)),
        ("fits", (6, 6, 6)),
        ("twice", (None, 4, 9)),
    ],
)
def test_totals(totals, name, bounds):
    one = totals[name, DAY]
    assert (one["value"], one["lower"], one["upper"]) == bounds
    assert bool(one["missing"]) is (one["value"] is None)


def test_other_instruments_and_withdrawn_records_give_nothing(totals):
    assert {patient for patient, _ in totals} & {"selena", "wrong", "preliminary"} == set()


def test_items_of_two_days_are_not_added(totals):
    assert totals["days", DAY]["lower"] == 4
    assert totals["days", "2026-01-12"]["lower"] == 2


def test_on_gives_the_one_day_as_the_whole_list_does(folder):
    one = Patient("p").items(DAY, "arthritis").items("2026-02-10", "rash").number("pga", "2026-02-10", 0.5)
    whole = scores(folder, "sledai2k", [one])
    part = scores(folder, "sledai2k", [one], "--on", "2026-02-10")
    assert set(part) == {("p", "2026-02-10")}
    assert part["p", "2026-02-10"]["value"] == whole["p", "2026-02-10"]["value"] == 2


def test_days_ascend_and_patients_stay_apart(folder):
    one = Patient("p").items("2026-03-10", "rash").items(DAY, "arthritis")
    two = Patient("q").items(DAY, "seizure")
    assert [
        (row["patient"], row["date"], row["value"]) for row in score("sledai2k", write_lines(folder, one, two))
    ] == [
        ("p", DAY, 4),
        ("p", "2026-03-10", 2),
        ("q", DAY, 8),
    ]


def write_lines(folder, *patients):
    """Patients as NDJSON."""
    file = folder / "lines.ndjson"
    file.write_text(ndjson(*patients), encoding="utf-8")
    return file


def test_bundle_ndjson_and_rdf_give_the_same(folder):
    one = Patient("p").items(DAY, "arthritis rash").number("pga", DAY, 1)
    (folder / "bundle.json").write_text(bundle(one), encoding="utf-8")
    (folder / "patient.ttl").write_bytes(to_rdf(read_patients([folder / "bundle.json"])))
    answers = []
    for file in (folder / "bundle.json", write_lines(folder, one), folder / "patient.ttl"):
        [row] = score("sledai2k", file)
        answers.append((row["patient"], row["date"], row["value"], row["items"]))
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][2] == 6


@pytest.fixture(scope="module")
def derived(folder):
    """Laboratory results at the thresholds of the descriptors, with and without `--derive-items`."""
    open_ = ["thrombocytopenia", "leukopenia", "lowComplement", "increasedDNABinding", "proteinuria", "fever", "pyuria"]
    rest = " ".join(key for key in SLEDAI if key not in open_)

    def with_results(name, platelets, cells, c3, dna, protein, celsius, wbc, day="2026-01-09"):
        one = Patient(name).items(DAY, "", absent=rest)
        one.lab("777-3", day, platelets, "10*9/L", 150, 400).lab("6690-2", day, cells, "10*9/L", 4, 10)
        one.lab("4485-9", day, c3, "mg/dL", 90, 180).lab("4498-2", day, 20, "mg/dL", 10, 40)
        one.lab("5130-0", day, dna, "[IU]/mL", None, 30).lab("2889-4", day, protein, "g/(24.h)")
        return one.lab("8310-5", day, celsius, "Cel").lab("5821-4", day, wbc, "/[HPF]")

    patients = [
        with_results("at", 100, 3, 90, 30, 0.5, 38, 5),
        with_results("beyond", 99, 2.9, 89, 31, 0.51, 38.1, 6),
        with_results("day30", 99, 2.9, 89, 31, 0.51, 38.1, 6, day="2025-12-11"),
        with_results("day31", 99, 2.9, 89, 31, 0.51, 38.1, 6, day="2025-12-10"),
        Patient("contradicts").items(DAY, "arthritis").lab("777-3", "2026-01-09", 60, "10*9/L", 150, 400),
    ]
    return scores(folder, "sledai2k", patients), scores(folder, "sledai2k", patients, "--derive-items")


DERIVED = ["thrombocytopenia", "leukopenia", "lowComplement", "increasedDNABinding", "proteinuria", "fever", "pyuria"]


def test_results_alone_are_proposed_and_not_counted(derived):
    one = derived[0]["beyond", DAY]
    assert (one["lower"], one["upper"]) == (0, 1 + 1 + 2 + 2 + 4 + 1 + 4)
    assert all(one["items"][key] is None for key in DERIVED)


@pytest.mark.parametrize(
    ("name", "total"),
    [("at", 0), ("beyond", 15), ("day30", 15), ("day31", None)],
    ids=["at", "beyond", "day 30", "day 31"],
)
def test_derived_items_stand_for_results_within_thirty_days(derived, name, total):
    one = derived[1][name, DAY]
    assert one["value"] == total
    if total is not None:
        assert {key: one["items"][key] for key in DERIVED} == dict.fromkeys(DERIVED, total > 0)


def test_a_recorded_item_that_contradicts_a_result_stands_and_is_named(derived):
    for answers in derived:
        one = answers["contradicts", DAY]
        assert (one["value"], one["items"]["thrombocytopenia"]) == (4, False)
        assert "60" in str(one["contradictions"])


def test_selena_looks_back_ten_days_and_asks_for_an_increase_of_proteinuria(folder):
    rest = " ".join(key for key in SLEDAI if key not in ("thrombocytopenia", "proteinuria"))

    def one(name, day):
        return Patient(name).items(DAY, "", absent=rest, instrument="selenaSledai").lab("777-3", day, 99, "10*9/L")

    patients = [one("ten", "2025-12-31"), one("eleven", "2025-12-30")]
    patients.append(one("protein", "2025-12-31").lab("2889-4", "2026-01-09", 2, "g/(24.h)"))
    answers = scores(folder, "selenaSledai", patients, "--derive-items")
    assert answers["ten", DAY]["items"]["thrombocytopenia"] is True
    assert answers["eleven", DAY]["items"]["thrombocytopenia"] is None
    assert answers["protein", DAY]["items"]["proteinuria"] is not True


@pytest.fixture(scope="module")
def pga(folder):
    one = Patient("p").number("pga", "2026-01-01", 34, "mm").number("pga", "2026-01-02", 100, "mm")
    one.number("pga", "2026-01-03", 101, "mm").number("pga", "2026-01-04", 1.5).number("pga", "2026-01-05", 3.1)
    one.observe("pga", "2026-01-06", valueInteger=1).number("pga", "2026-01-07", 0, "mm").number("pga", "2026-01-08", 3)
    one.number("pga", "2026-01-09", 20, "mm").number("pga", "2026-01-10", -0.1)
    return scores(folder, "pga", [one])


@pytest.mark.parametrize(("day", "value"), list(enumerate([1.02, 3, None, 1.5, None, 1, 0, 3, 0.6, None], start=1)))
def test_global_assessment(pga, day, value):
    one = pga["p", f"2026-01-{day:02}"]
    assert one["value"] == value
    assert bool(one["missing"]) is (value is None)


SYSTEMS = [
    "constitutional", "mucocutaneous", "neuropsychiatric", "musculoskeletal", "cardiorespiratory", "gastrointestinal",
    "ophthalmic", "renal", "haematological",
]  # fmt: skip


def bilag(patient, day, grades):
    """Grades of the nine systems, `.` for one not graded."""
    for system, grade in zip(SYSTEMS, grades, strict=True):
        if grade != ".":
            patient.observe(f"bilag:{system}", day, valueString=grade)
    return patient


@pytest.mark.parametrize(
    ("grades", "bounds"),
    [
        ("ABCDEDEDE", (21, 21, 21)),
        ("AAAAAAAAA", (108, 108, 108)),
        ("DDDDEEEEE", (0, 0, 0)),
        ("CCCCCCCCC", (9, 9, 9)),
        ("A.......C", (None, 13, 13 + 7 * 12)),
    ],
)
def test_bilag_total(folder, grades, bounds):
    one = scores(folder, "bilag", [bilag(Patient("p"), DAY, grades)])["p", DAY]
    assert (one["value"], one["lower"], one["upper"]) == bounds
    assert bool(one["missing"]) is (bounds[0] is None)


@pytest.fixture(scope="module")
def reported(folder):
    one = Patient("p").number("sdi", DAY, 3).number("facitFatigue", DAY, 52).number("facitF", DAY, 160)
    one.number("sdi", "2026-02-10", 48).number("facitFatigue", "2026-02-10", 53).number("facitF", "2026-02-10", 161)
    one.number("cssrsIdeation", DAY, 4).boolean("cssrsBehaviour", DAY)
    one.number("cssrsIdeation", "2026-02-10", 0).boolean("cssrsBehaviour", "2026-02-10", False)
    one.number("cssrsIdeation", "2026-03-10", 6).number("facitFatigue", "2026-03-10", 0)
    return {name: scores(folder, name, [one]) for name in ("sdi", "facitFatigue", "facitF", "cssrs")}


@pytest.mark.parametrize(
    ("name", "day", "value"),
    [
        ("sdi", DAY, 3),
        ("sdi", "2026-02-10", None),
        ("facitFatigue", DAY, 52),
        ("facitFatigue", "2026-02-10", None),
        ("facitFatigue", "2026-03-10", 0),
        ("facitF", DAY, 160),
        ("facitF", "2026-02-10", None),
        ("cssrs", DAY, 4),
        ("cssrs", "2026-02-10", 0),
        ("cssrs", "2026-03-10", None),
    ],
)
def test_reported_scores(reported, name, day, value):
    one = reported[name]["p", day]
    assert (one["value"], one["name"]) == (value, name)
    assert bool(one["missing"]) is (value is None)


def test_the_two_fatigue_scales_never_stand_in_for_each_other(reported):
    assert reported["facitF"]["p", DAY]["value"] == 160
    assert ("p", "2026-03-10") not in reported["facitF"]


def test_suicidal_behaviour_is_told_beside_ideation(reported):
    assert True in reported["cssrs"]["p", DAY]["items"].values()
    assert True not in reported["cssrs"]["p", "2026-02-10"]["items"].values()


NAMES = [
    "sledai2k", "selenaSledai", "clinicalSledai", "lldas", "lldas-NCT06653556", "doris2021", "sri4",
    "serologicRemission", "acr1997", "slicc2012", "eularAcr2019", "ctcae", "crs", "icans", "pga", "bilag", "sdi",
    "facitFatigue", "facitF", "cssrs", "selenaFlare",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_name_answers_about_a_day_without_records(folder, name):
    answers = score(name, write_lines(folder, Patient("p")), "--on", DAY)
    for row in answers:
        assert set(row) >= KEYS
        assert (row["patient"], row["date"], row["name"], row["value"]) == ("p", DAY, name, None)
        assert row["result"] in (None, "unknown")
        assert row["missing"]
    assert answers or name == "ctcae"


def test_unknown_name_is_refused_with_the_names_there_are(folder):
    done = run("score", "sledai", write_lines(folder, Patient("p")))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert all(name in done.stderr for name in NAMES)


def test_a_reading_that_is_none_is_refused(folder):
    for ambiguity in ("A2-10=nope", "A9-99=x", "A2-10"):
        done = run("score", "doris2021", write_lines(folder, Patient("p")), "--reading", ambiguity)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
