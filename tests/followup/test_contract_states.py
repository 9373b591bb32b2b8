"""States, responses, grades and classifications: what the command line tells an outsider."""

import json

import pytest

from followup.contract import LOINC, SNOMED, Patient, coding, quantity, score, scores, write
from followup.test_contract_sledai import bilag
from test_cli import run

BASE, DAY = "2026-01-10", "2026-04-10"
PREDNISOLONE, METHYLPREDNISOLONE, HYDROXYCHLOROQUINE, AZATHIOPRINE = "8638", "6902", "5521", "1256"
COMPLETE = ("--complete", "medications", "--complete", "conditions")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("contract")


# ---- LLDAS -------------------------------------------------------------------------------------------------------


def visit(name, present="arthritis", pga=1, dose=7.5, before="arthritis"):
    """A patient with a visit and one before it, on prednisolone since long before."""
    one = Patient(name)
    if before is not None:
        one.items(BASE, before)
    one.items(DAY, present)
    if pga is not None:
        one.number("pga", DAY, pga)
    return one.takes(PREDNISOLONE, dose, "2025-06-01") if dose else one


LLDAS = [
    ("all items at their limits", {}, "met", "met"),
    ("no glucocorticoid", {"dose": 0}, "met", "met"),
    ("dose above 7.5", {"dose": 7.6}, "not-met", "not-met"),
    ("PGA above 1", {"pga": 1.01}, "not-met", "not-met"),
    ("total above 4", {"present": "arthritis leukopenia", "before": "arthritis leukopenia"}, "not-met", "not-met"),
    ("blood and skin", {"present": "thrombocytopenia leukopenia rash", "before": "thrombocytopenia leukopenia rash"},
     "met", "met"),
    ("serology only", {"present": "lowComplement increasedDNABinding",
                       "before": "lowComplement increasedDNABinding"}, "met", "met"),
    ("renal", {"present": "proteinuria", "before": "proteinuria"}, "not-met", "not-met"),
    ("serosal", {"present": "pleurisy", "before": "pleurisy"}, "not-met", "not-met"),
    ("fever", {"present": "fever", "before": "fever"}, "not-met", "not-met"),
    ("new feature", {"present": "rash", "before": "arthritis"}, "not-met", "not-met"),
    ("a feature lost", {"present": "", "before": "arthritis rash"}, "met", "met"),
    ("PGA missing", {"pga": None}, "unknown", "unknown"),
    ("no visit before", {"before": None}, "unknown", "unknown"),
]  # fmt: skip


@pytest.fixture(scope="module")
def lldas(folder):
    patients = [visit(name, **content) for name, content, _, _ in LLDAS]
    return {name: scores(folder, name, patients, *COMPLETE) for name in ("lldas", "lldas-NCT06653556")}


@pytest.mark.parametrize(("name", "official", "worded"), [(name, a, b) for name, _, a, b in LLDAS])
def test_low_disease_activity(lldas, name, official, worded):
    for state, result in (("lldas", official), ("lldas-NCT06653556", worded)):
        one = lldas[state][name, DAY]
        assert one["result"] == result
        assert one["value"] is None
        assert bool(one["missing"]) is (result == "unknown")


def test_official_state_has_five_items_and_the_worded_one_four(lldas):
    assert len(lldas["lldas"]["fever", DAY]["items"]) == 5
    assert len(lldas["lldas-NCT06653556"]["fever", DAY]["items"]) == 4


def test_maximum_doses_and_haemolysis_separate_the_two(folder):
    high = visit("high").takes(AZATHIOPRINE, 201, "2025-01-01")
    highest = visit("highest").takes(AZATHIOPRINE, 200, "2025-01-01")
    haemolysis = visit("haemolysis").add(
        "Condition", code=coding("413603009", SNOMED), onsetDateTime="2026-04-01",
        clinicalStatus=coding("active", "http://terminology.hl7.org/CodeSystem/condition-clinical"),
    )  # fmt: skip
    patients = [high, highest, haemolysis]
    official = scores(folder, "lldas", patients, *COMPLETE)
    worded = scores(folder, "lldas-NCT06653556", patients, *COMPLETE)
    assert [official[p.id, DAY]["result"] for p in patients[:2]] == ["not-met", "met"]
    assert [worded[p.id, DAY]["result"] for p in patients] == ["met", "met", "met"]
    assert official["haemolysis", DAY]["result"] != "met"


def test_doses_are_converted_added_and_known_only_when_medicines_are_complete(folder):
    both = visit("both", dose=4).takes(METHYLPREDNISOLONE, 2.8, "2025-06-01")
    over = visit("over", dose=4).takes(METHYLPREDNISOLONE, 2.9, "2025-06-01")
    stopped = visit("stopped", dose=5)
    stopped.takes(PREDNISOLONE, 20, "2025-06-01", "2026-04-09")
    answers = scores(folder, "lldas-NCT06653556", [both, over, stopped], *COMPLETE)
    assert [answers[name, DAY]["result"] for name in ("both", "over", "stopped")] == ["met", "not-met", "met"]
    open_ = scores(folder, "lldas-NCT06653556", [both, over, stopped])
    assert [open_[name, DAY]["result"] for name in ("both", "over", "stopped")] == ["unknown", "not-met", "unknown"]
    assert open_["both", DAY]["missing"]


# ---- DORIS -------------------------------------------------------------------------------------------------------

DORIS = [
    ("at 5", {}, "met", "not-met"),
    ("below 5", {"dose": 4.9}, "met", "met"),
    ("above 5", {"dose": 5.1}, "not-met", "not-met"),
    ("PGA 0.49", {"pga": 0.49, "dose": 4}, "met", "met"),
    ("PGA 0.5", {"pga": 0.5, "dose": 4}, "not-met", "not-met"),
    ("serology", {"present": "lowComplement increasedDNABinding", "dose": 0}, "met", "met"),
    ("alopecia", {"present": "alopecia", "dose": 0}, "not-met", "not-met"),
    ("no PGA", {"pga": None, "dose": 0}, "unknown", "unknown"),
]


@pytest.fixture(scope="module")
def doris(folder):
    patients = [visit(name, **({"present": "", "pga": 0.4, "dose": 5} | content)) for name, content, *_ in DORIS]
    strict = ("--reading", "A2-10=doris-below-5")
    return [scores(folder, "doris2021", patients, *COMPLETE, *reading) for reading in ((), strict)]


@pytest.mark.parametrize(("name", "abstract", "table"), [(name, a, b) for name, _, a, b in DORIS])
def test_remission_in_both_readings(doris, name, abstract, table):
    assert [answers[name, DAY]["result"] for answers in doris] == [abstract, table]
    assert all(bool(answers[name, DAY]["missing"]) is (answers[name, DAY]["result"] == "unknown") for answers in doris)


def test_antimalarials_and_stable_immunosuppressants_are_allowed(folder):
    def one(name):
        return visit(name, present="", pga=0.2, dose=0)

    patients = [
        one("antimalarial").takes(HYDROXYCHLOROQUINE, 400, "2026-04-01"),
        one("stable").takes(AZATHIOPRINE, 100, "2025-01-01"),
        one("begun").takes(AZATHIOPRINE, 100, "2026-03-01"),
    ]
    answers = scores(folder, "doris2021", patients, *COMPLETE)
    assert [answers[p.id, DAY]["result"] for p in patients] == ["met", "met", "not-met"]


# ---- SRI-4, serology, flares -------------------------------------------------------------------------------------

ALL_D, TWO_B = "DDDDDDDDD", "DBDBDDDDD"
SRI4 = [
    ("fall of 4", "arthritis rash", "rash", 1, 1.29, ALL_D, ALL_D, "met"),
    ("fall of 3", "arthritis rash fever", "arthritis", 1, 1, ALL_D, ALL_D, "not-met"),
    ("PGA worse by 0.3", "arthritis rash", "rash", 1, 1.3, ALL_D, ALL_D, "not-met"),
    ("new A", "arthritis rash", "rash", 1, 1, TWO_B, "DADBDDDDD", "not-met"),
    ("one new B", "arthritis rash", "rash", 1, 1, ALL_D, "BDDDDDDDD", "met"),
    ("two new B", "arthritis rash", "rash", 1, 1, ALL_D, "BBDDDDDDD", "not-met"),
    ("A becomes B", "arthritis rash", "rash", 1, 1, "AADDDDDDD", "BBDDDDDDD", "met"),
    ("two B stay", "arthritis rash", "rash", 1, 1, TWO_B, TWO_B, "met"),
    ("no BILAG", "arthritis rash", "rash", 1, 1, None, None, "unknown"),
    ("no BILAG and no fall", "arthritis", "arthritis", 1, 1, None, None, "not-met"),
]


@pytest.fixture(scope="module")
def sri4(folder):
    patients = []
    for name, before, after, pga, then, grades, later, _ in SRI4:
        one = Patient(name).infused(BASE).items(BASE, before).items(DAY, after)
        one.number("pga", BASE, pga).number("pga", DAY, then)
        if grades:
            bilag(bilag(one, BASE, grades), DAY, later)
        patients.append(one)
    return scores(folder, "sri4", patients)


@pytest.mark.parametrize(("name", "result"), [(row[0], row[-1]) for row in SRI4])
def test_responder_index(sri4, name, result):
    assert sri4[name, DAY]["result"] == result
    assert bool(sri4[name, DAY]["missing"]) is (result == "unknown")


def serology(name, dna, c3, c4):
    """Results of one day, with the limits of the laboratory."""
    one = Patient(name)
    if dna is not None:
        one.lab("5130-0", DAY, dna, "[IU]/mL", None, 30)
    if c3 is not None:
        one.lab("4485-9", DAY, c3, "mg/dL", 90, 180)
    return one.lab("4498-2", DAY, c4, "mg/dL", 10, 40) if c4 is not None else one


SEROLOGY = [
    ("at the limits", (30, 90, 10), "met"),
    ("upper limits", (0, 180, 40), "met"),
    ("anti-dsDNA", (30.1, 90, 10), "not-met"),
    ("C3 low", (30, 89.9, 10), "not-met"),
    ("C4 low", (30, 90, 9.9), "not-met"),
    ("no C4", (30, 90, None), "unknown"),
    ("no anti-dsDNA", (None, 90, 10), "unknown"),
    ("positive and no complement", (31, None, None), "not-met"),
]


@pytest.fixture(scope="module")
def remission(folder):
    return scores(folder, "serologicRemission", [serology(name, *values) for name, values, _ in SEROLOGY])


@pytest.mark.parametrize(("name", "result"), [(row[0], row[-1]) for row in SEROLOGY])
def test_serologic_remission(remission, name, result):
    assert remission[name, DAY]["result"] == result
    assert bool(remission[name, DAY]["missing"]) is (result == "unknown")


def test_serologic_remission_from_words_and_other_units(folder):
    def one(name, **value):
        return (
            Patient(name).observe("31348-6", DAY, LOINC, **value)
            .lab("4485-9", DAY, 0.9, "g/L", 0.9, 1.8).lab("4498-2", DAY, 0.1, "g/L", 0.1, 0.4)
        )  # fmt: skip

    interpretation = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
    patients = [
        one("negative", valueCodeableConcept=coding("260385009", SNOMED)),
        one("positive", interpretation=[coding("POS", interpretation)]),
        one("silent"),
    ]
    answers = scores(folder, "serologicRemission", patients)
    assert [answers[p.id, DAY]["result"] for p in patients] == ["met", "not-met", "unknown"]


@pytest.mark.parametrize(
    ("totals", "grades"),
    [((6, 8), 0), ((6, 9), 1), ((9, 12), 1), ((9, 13), 2), ((12, 14), 2), ((14, 14), 0), ((12, 9), 0), ((4, 20), 2)],
)
def test_flare(folder, totals, grades):
    one = Patient("p")
    for day, total in zip((BASE, DAY), totals, strict=True):
        one.number("selenaSledaiTotal", day, total)
    assert scores(folder, "selenaFlare", [one])["p", DAY]["value"] == grades


def test_flare_is_not_told_from_another_instrument(folder):
    one = Patient("p").number("sledai2kTotal", BASE, 4).number("sledai2kTotal", DAY, 20)
    assert scores(folder, "selenaFlare", [one]) == {}


# ---- CTCAE -------------------------------------------------------------------------------------------------------

UPPER = {
    "alt": ("1742-6", "U/L", 40, [(40, 0), (40.1, 1), (120, 1), (120.1, 2), (200, 2), (200.1, 3), (800, 3), (801, 4)]),
    "ast": ("1920-8", "U/L", 40, [(40, 0), (40.1, 1), (120, 1), (120.1, 2), (200, 2), (200.1, 3), (800, 3), (801, 4)]),
    "bilirubin": ("1975-2", "mg/dL", 1.2,
        [(1.2, 0), (1.3, 1), (1.8, 1), (1.81, 2), (3.6, 2), (3.61, 3), (12, 3), (12.1, 4)]),
    "creatinine": ("2160-0", "mg/dL", 1, [(1, 0), (1.1, 1), (1.5, 1), (1.51, 2), (3, 2), (3.01, 3), (6, 3), (6.01, 4)]),
}  # fmt: skip
LOWER = {
    "platelets": ("777-3", "10*9/L", 150,
        [(150, 0), (149, 1), (75, 1), (74.9, 2), (50, 2), (49.9, 3), (25, 3), (24.9, 4)]),
    "neutrophils": ("751-8", "10*9/L", 2,
        [(2, 0), (1.9, 1), (1.5, 1), (1.49, 2), (1, 2), (0.99, 3), (0.5, 3), (0.49, 4)]),
    "leukocytes": ("6690-2", "10*9/L", 4, [(4, 0), (3.9, 1), (3, 1), (2.9, 2), (2, 2), (1.9, 3), (1, 3), (0.9, 4)]),
    "hemoglobin": ("718-7", "g/dL", 12, [(12, 0), (11.9, 1), (10, 1), (9.9, 2), (8, 2)]),
}  # fmt: skip


def toxicity(name):
    """A patient with each value on a day of its own after a normal baseline."""
    code, unit, limit, rows = (UPPER | LOWER)[name]
    limits = {"high": limit} if name in UPPER else {"low": limit}
    one = Patient(name).infused(BASE).lab(code, BASE, limit, unit, **limits)
    for number, (value, _) in enumerate(rows, start=11):
        one.lab(code, f"2026-02-{number}", value, unit, **limits)
    return one


@pytest.fixture(scope="module")
def ctcae(folder):
    return scores(folder, "ctcae", [toxicity(name) for name in UPPER | LOWER])


@pytest.mark.parametrize(
    ("name", "number", "grade"),
    [
        (name, number, grade)
        for name, (*_, rows) in (UPPER | LOWER).items()
        for number, (value, grade) in enumerate(rows, start=11)
        if not (name == "creatinine" and value in (1.51, 3))
    ],
)
def test_toxicity_grades_at_every_limit(ctcae, name, number, grade):
    one = ctcae[name, f"2026-02-{number}"]
    assert (one["value"], one["lower"], one["upper"]) == (grade, grade, grade)


def test_creatinine_grades_by_limit_or_baseline_whichever_is_higher(folder):
    one = Patient("p").infused(BASE).lab("2160-0", BASE, 0.5, "mg/dL", None, 1)
    one.lab("2160-0", "2026-02-01", 0.9, "mg/dL", None, 1).lab("2160-0", "2026-02-02", 1.6, "mg/dL", None, 1)
    answers = scores(folder, "ctcae", [one])
    assert answers["p", "2026-02-01"]["value"] == 2
    assert answers["p", "2026-02-02"]["value"] == 3


def test_abnormal_baseline_grades_liver_enzymes_by_the_baseline(folder):
    one = Patient("p").infused(BASE).lab("1742-6", BASE, 60, "U/L", None, 40)
    one.lab("1742-6", "2026-02-01", 89, "U/L", None, 40).lab("1742-6", "2026-02-02", 90, "U/L", None, 40)
    answers = scores(folder, "ctcae", [one])
    assert answers["p", "2026-02-01"]["value"] == 0
    assert answers["p", "2026-02-02"]["value"] == 1


def test_toxicity_without_limits_or_baseline_stays_open(folder):
    one = Patient("p").lab("777-3", BASE, 80, "10*9/L").lab("777-3", DAY, 74, "10*9/L")
    two = Patient("q").lab("1742-6", DAY, 100, "U/L", None, 40).lab("718-7", BASE, 7.9, "g/dL", 12)
    answers = scores(folder, "ctcae", [one, two])
    assert [answers["p", day]["value"] for day in (BASE, DAY)] == [None, 2]
    assert (answers["p", BASE]["lower"], answers["p", BASE]["upper"]) == (0, 1)
    assert (answers["q", DAY]["lower"], answers["q", DAY]["upper"]) == (0, 1)
    assert (answers["q", BASE]["lower"], answers["q", BASE]["upper"]) == (3, 4)
    assert all(answers[key]["missing"] for key in (("p", BASE), ("q", DAY), ("q", BASE)))


# ---- CRS and ICANS -----------------------------------------------------------------------------------------------


def fever(name, celsius=38.5, hypotension=None, vasopressor=None, hypoxia=None):
    """The signs of one day, as statements that are true or false."""
    one = Patient(name).lab("8310-5", DAY, celsius, "Cel")
    for code, value in (("hypotension", hypotension), ("vasopressor", vasopressor), ("hypoxia", hypoxia)):
        if value is not None:
            one.boolean(code, DAY, value)
    return one


CRS = [
    (fever("fever alone", 38, False, False, False), (1, 1)),
    (fever("hypotension without vasopressor", 38, True, False, False), (2, 2)),
    (fever("vasopressor", 39, True, True, False), (3, 4)),
    (fever("hypoxia", 39, False, False, True), (2, 4)),
    (fever("nothing but fever known"), (1, 4)),
    (Patient("recorded").observe("crsGrade", DAY, valueInteger=3), (3, 3)),
    (Patient("none").observe("crsGrade", DAY, valueInteger=0), (0, 0)),
]


@pytest.fixture(scope="module")
def crs(folder):
    return scores(folder, "crs", [patient for patient, _ in CRS])


@pytest.mark.parametrize(("name", "bounds"), [(patient.id, bounds) for patient, bounds in CRS])
def test_cytokine_release(crs, name, bounds):
    one = crs[name, DAY]
    assert (one["lower"], one["upper"]) == bounds
    assert one["value"] == (bounds[0] if bounds[0] == bounds[1] else None)
    assert bool(one["missing"]) is (one["value"] is None)


@pytest.mark.parametrize(("ice", "lower"), [(10, 0), (9, 1), (7, 1), (6, 2), (3, 2), (2, 3), (1, 3), (0, 3)])
def test_neurotoxicity_is_at_least_what_the_ice_score_says(folder, ice, lower):
    one = scores(folder, "icans", [Patient("p").observe("iceScore", DAY, valueInteger=ice)])["p", DAY]
    assert one["lower"] == lower
    assert one["missing"]


def test_recorded_neurotoxicity_stands(folder):
    one = scores(folder, "icans", [Patient("p").observe("icansGrade", DAY, valueInteger=2)])["p", DAY]
    assert (one["value"], one["missing"]) == (2, [])


# ---- classification ----------------------------------------------------------------------------------------------

SETS = {
    "eularAcr2019": "ana fever leukopenia thrombocytopenia autoimmuneHemolysis delirium psychosis seizure "
    "nonScarringAlopecia oralUlcers subacuteOrDiscoid acuteCutaneous effusion acutePericarditis jointInvolvement "
    "proteinuria biopsyIIorV biopsyIIIorIV antiphospholipid lowC3orC4 lowC3andC4 antiDsDNAorSm",
    "acr1997": "malarRash discoidRash photosensitivity oralUlcers arthritis serositis renalDisorder neurologicDisorder "
    "hematologicDisorder immunologicDisorder ana",
    "slicc2012": "acuteCutaneous chronicCutaneous oralOrNasalUlcers nonScarringAlopecia synovitis serositis renal "
    "neurologic hemolyticAnemia leukopeniaOrLymphopenia thrombocytopenia ana antiDsDNA antiSm antiphospholipid "
    "lowComplement directCoombs",
}


def findings(name, criteria_set, present, absent=None):
    """Items of a set as Observations; without `absent`, all others are absent."""
    one = Patient(name)
    others = SETS[criteria_set].split() if absent is None else absent.split()
    for key in dict.fromkeys([*present.split(), *others]):
        one.boolean(f"{criteria_set}:{key}", DAY, key in present.split())
    return one


EULAR = "eularAcr2019"
CLASSIFIED = [
    ("skin and joints", EULAR, "ana acuteCutaneous jointInvolvement", 12, "met"),
    ("no clinical item", EULAR, "ana antiDsDNAorSm lowC3andC4", 10, "not-met"),
    ("no entry", EULAR, "biopsyIIIorIV", 10, "not-met"),
    ("biopsy alone", EULAR, "ana biopsyIIIorIV", 10, "met"),
    ("highest of a domain", EULAR, "ana leukopenia thrombocytopenia oralUlcers fever antiphospholipid", 10, "met"),
    ("skin alone", EULAR, "ana acuteCutaneous oralUlcers", 6, "not-met"),
    ("complement counts once", EULAR, "ana lowC3orC4 lowC3andC4 acuteCutaneous", 10, "met"),
    ("everything", EULAR, SETS[EULAR], 51, "met"),
    ("four of eleven", "acr1997", "malarRash photosensitivity oralUlcers ana", 4, "met"),
    ("three of eleven", "acr1997", "malarRash photosensitivity ana", 3, "not-met"),
    ("all eleven", "acr1997", SETS["acr1997"], 11, "met"),
    ("three of seventeen", "slicc2012", "acuteCutaneous oralOrNasalUlcers ana", 3, "not-met"),
    ("four of seventeen", "slicc2012", "acuteCutaneous oralOrNasalUlcers ana antiSm", 4, "met"),
    ("four immunologic", "slicc2012", "ana antiDsDNA antiSm lowComplement", 4, "not-met"),
    ("four clinical", "slicc2012", "acuteCutaneous oralOrNasalUlcers synovitis serositis", 4, "not-met"),
    ("all seventeen", "slicc2012", SETS["slicc2012"], 17, "met"),
]


@pytest.fixture(scope="module")
def classified(folder):
    return {
        name: scores(folder, name, [findings(case, of, present) for case, of, present, *_ in CLASSIFIED if of == name])
        for name in SETS
    }


@pytest.mark.parametrize(("case", "of", "present", "points", "result"), CLASSIFIED, ids=[row[0] for row in CLASSIFIED])
def test_classification_by_items(classified, case, of, present, points, result):
    one = classified[of][case, DAY]
    assert (one["value"], one["lower"], one["upper"], one["result"]) == (points, points, points, result)
    assert one["items"] == {key: key in present.split() for key in SETS[of].split()}


RECORDED = [
    (Patient("yes").boolean(EULAR, DAY), "met"),
    (Patient("no").boolean(EULAR, DAY, False), "not-met"),
    (Patient("9 points").number(EULAR, DAY, 9), "not-met"),
    (Patient("14 points, no ANA").number(EULAR, DAY, 14), "unknown"),
    (Patient("13 points, ANA").number(EULAR, DAY, 13).boolean(f"{EULAR}:ana", DAY), "met"),
    (Patient("12 points, ANA").number(EULAR, DAY, 12).boolean(f"{EULAR}:ana", DAY), "unknown"),
    (findings("some items", EULAR, "ana acuteCutaneous", ""), "unknown"),
    (findings("enough items", EULAR, "ana acuteCutaneous jointInvolvement", ""), "met"),
    (Patient("titre 1:80").lab("5048-4", DAY, 80, "{titer}").boolean(f"{EULAR}:acuteCutaneous", DAY)
     .boolean(f"{EULAR}:jointInvolvement", DAY), "met"),
]  # fmt: skip


@pytest.fixture(scope="module")
def recorded(folder):
    return scores(folder, EULAR, [patient for patient, _ in RECORDED])


@pytest.mark.parametrize(("name", "result"), [(patient.id, result) for patient, result in RECORDED])
def test_recorded_classification_and_points(recorded, name, result):
    one = recorded[name, DAY]
    assert one["result"] == result
    assert bool(one["missing"]) is (result == "unknown")


@pytest.mark.parametrize(
    ("titre", "isn", "result"), [(80, "III", "met"), (80, "IV", "met"), (160, "III+V", "met"), (80, "V", "unknown")]
)
def test_a_biopsy_of_class_three_or_four_with_ana_classifies(folder, titre, isn, result):
    one = Patient("p").lab("5048-4", DAY, titre, "{titer}").observe("isnRpsClass", DAY, valueString=isn)
    assert scores(folder, EULAR, [one])["p", DAY]["result"] == result
    assert scores(folder, EULAR, [one], "--on", DAY)["p", DAY]["result"] == result


def test_screening_takes_the_biopsy_for_the_classification(folder):
    patients = [Patient(titre).lab("5048-4", DAY, titre, "{titer}") for titre in ("80", "40")]
    for one in patients:
        one.observe("isnRpsClass", DAY, valueString="IV")
    done = run("screen", write(folder, *patients), "--trial", "NCT06150651", "--on", DAY, "--format", "json")
    assert done.returncode == 0
    rows = {one["patient"]: {row["id"]: row["status"] for row in one["criteria"]} for one in json.loads(done.stdout)}
    assert (rows["80"]["I02c"], rows["40"]["I02c"]) == ("pass", "unknown")


def test_biopsy_proven_nephritis_with_an_antibody_satisfies_slicc(folder):
    patients = [
        findings("ana", "slicc2012", "ana").observe("isnRpsClass", DAY, valueString="IV"),
        findings("dna", "slicc2012", "antiDsDNA").observe("isnRpsClass", DAY, valueString="V"),
        findings("neither", "slicc2012", "").observe("isnRpsClass", DAY, valueString="IV"),
    ]
    answers = scores(folder, "slicc2012", patients)
    assert [answers[p.id, DAY]["result"] for p in patients] == ["met", "met", "not-met"]


def test_findings_are_cumulative(folder):
    one = Patient("p").boolean(f"{EULAR}:ana", "2020-01-01").boolean(f"{EULAR}:acuteCutaneous", "2021-01-01")
    one.boolean(f"{EULAR}:jointInvolvement", "2022-01-01")
    rows = score(EULAR, write(folder, one))
    assert [row["result"] for row in rows] == ["unknown", "unknown", "met"]
    assert rows[-1]["lower"] == 12


def test_pga_comparator_cannot_meet_a_state_that_it_leaves_open(folder):
    one = Patient("p").items(DAY, "")
    one.observe("pga", DAY, valueQuantity=quantity(1, "{score}") | {"comparator": "<"})
    answer = scores(folder, "doris2021", [one], *COMPLETE)["p", DAY]
    assert (answer["result"], bool(answer["missing"])) == ("unknown", True)


OTHERS = ("clinicalSledai", "lldas-NCT06653556", "doris2021", "sri4", "pga")


@pytest.mark.parametrize(
    "name", ["sledai2k", "lldas", EULAR, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)]
)
def test_one_day_is_judged_as_in_the_list_of_all_days(folder, name):
    """A statement that medicines are complete up to a later day speaks of the earlier day too."""
    one = visit("p", "arthritis", 1, 5).infused(BASE).number("pga", BASE, 2).boolean(f"{EULAR}:ana", DAY)
    one.lab("777-3", DAY, 60, "10*9/L", 150).complete("medications", "2026-06-01").items("2026-06-01", "rash")
    whole = scores(folder, name, [one])
    for patient, day in whole:
        assert scores(folder, name, [one], "--on", day) == {(patient, day): whole[patient, day]}
