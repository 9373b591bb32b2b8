"""The score command on FHIR input: totals and their items, states, and what is open."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from pathlib import Path

import pytest

from caselib import NEGATIVE, complete, drug, items, lab, observation, said, score
from caselib import result as answer
from followup.scoring import (
    BEFORE,
    DAY,
    INFUSION,
    SLEDAI,
    bilag,
    last,
    result,
    scored,
    scored_all,
    sledai,
)
from sle_kg.errors import InputError
from sle_kg.followup.scores import names
from sle_kg.ontology import instruments

ON = dt.date.fromisoformat(DAY)
EXAMPLES = {
    "1": ("", 0, 0, True),
    "2": ("arthritis", 4, 4, True),
    "3": ("lowComplement increasedDNABinding", 4, 0, True),
    "4": ("proteinuria", 4, 4, False),
    "5": ("rash alopecia lowComplement", 6, 4, False),
    "6": ("pleurisy", 2, 2, False),
    "7": ("fever", 1, 1, False),
    "8": ("arthritis proteinuria hematuria lowComplement increasedDNABinding leukopenia", 17, 13, False),
    "9": ("rash mucosalUlcers thrombocytopenia increasedDNABinding", 7, 5, False),
    "10": ("arthritis rash increasedDNABinding", 8, 6, False),
    "11": ("thrombocytopenia leukopenia rash", 4, 4, True),
    "12": (" ".join(SLEDAI), 105, 101, False),
}
"""Descriptors present → SLEDAI-2K, clinical SLEDAI, item 1 of LLDAS as in NCT06653556 (facts/scores.md, section 12)."""


# ---- names and days -------------------------------------------------------------------------------------------------


def test_every_name_of_the_contract_is_there() -> None:
    promised = (
        "sledai2k selenaSledai clinicalSledai lldas lldas-NCT06653556 doris2021 sri4 serologicRemission acr1997 "
        "slicc2012 eularAcr2019 ctcae crs icans pga bilag sdi facitFatigue facitF cssrs selenaFlare"
    )
    assert sorted([*promised.split(), "sledaiRemission"], key=str.lower) == names()


def test_the_document_has_every_name() -> None:
    text = (Path(__file__).parents[2] / "docs" / "scores.md").read_text()
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    assert sorted((name for row in rows for name in re.findall("`([^`]+)`", row)), key=str.lower) == names()


def test_an_unknown_name_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(InputError, match="NAME: 'sledai' is no score; choose among acr1997, bilag"):
        scored("sledai", sledai())


@pytest.mark.parametrize("name", names())
def test_a_day_that_is_asked_for_has_a_result_even_where_nothing_is_recorded(name: str) -> None:
    found = scored(name, on=ON)
    assert {(one.patient, one.date, one.name) for one in found} == {("p", ON, name)}
    assert all(one.value is None and one.result in (None, "unknown") for one in found)
    assert all(one.missing and one.reason.endswith(".") for one in found)
    assert scored(name) == []


def test_results_come_by_patient_and_day() -> None:
    found = scored_all("pga", {"b": [score("pga", 1, DAY), score("pga", 2, BEFORE)], "a": score("pga", "0.3", DAY)})
    assert [(one.patient, one.date.isoformat(), one.value) for one in found] == [
        ("b", BEFORE, 2),
        ("b", DAY, 1),
        ("a", DAY, Decimal("0.3")),
    ]


def test_one_day_looks_back_as_far_as_the_instrument_says() -> None:
    facts = [sledai("arthritis", DAY)]
    for days, value in ((30, 4), (31, None)):
        assert last("sledai2k", facts, on=ON + dt.timedelta(days=days)).value == value
    assert last("selenaSledai", score("selenaSledaiTotal", 6, DAY), on=ON + dt.timedelta(days=11)).value is None


# ---- SLEDAI ---------------------------------------------------------------------------------------------------------


def test_the_worked_examples_of_sledai() -> None:
    patients = {name: sledai(present) for name, (present, *_) in EXAMPLES.items()}
    totals, clinical, states = (
        {one.patient: one for one in scored_all(name, patients)}
        for name in ("sledai2k", "clinicalSledai", "lldas-NCT06653556")
    )
    for name, (present, total, without_serology, low_activity) in EXAMPLES.items():
        assert (totals[name].value, totals[name].lower, totals[name].upper) == (total, total, total), name
        assert {key for key, there in totals[name].items.items() if there} == set(present.split()), name
        assert clinical[name].value == without_serology, name
        assert states[name].items["1"] is low_activity, name


def test_bands_of_sledai() -> None:
    bands = {0: "remission", 1: "low", 4: "low", 5: "moderate", 10: "moderate", 11: "high", 105: "high"}
    found = scored_all("sledai2k", {str(total): score("sledai2kTotal", total, DAY) for total in bands})
    assert {int(one.patient): one.band for one in found} == bands


def test_missing_items_make_a_range_and_are_named() -> None:
    found = last("sledai2k", items("sledai2k", "arthritis", "seizure rash", DAY))
    assert (found.value, found.lower, found.upper) == (None, 4, 105 - 8 - 2)
    assert (found.items["arthritis"], found.items["seizure"], found.items["fever"]) == (True, False, None)
    assert len(found.missing) == 21 and f"whether fever was present on {DAY}" in found.missing


def test_an_exact_total_stands_without_items_and_one_that_contradicts_them_forms_a_range() -> None:
    assert last("sledai2k", score("sledai2kTotal", 9, DAY)).value == 9
    assert set(last("sledai2k", score("sledai2kTotal", 0, DAY)).items.values()) == {False}
    found = last("sledai2k", score("sledai2kTotal", 9, DAY), sledai("arthritis"))
    assert (found.value, found.lower, found.upper) == (None, 4, 9)
    assert found.missing == (f"which holds on {DAY}: the recorded total, or the items",)


def test_the_two_versions_never_stand_in_for_each_other() -> None:
    assert scored("selenaSledai", sledai("arthritis")) == []
    assert scored("sledai2k", sledai("arthritis", instrument="selenaSledai")) == []
    assert last("selenaSledai", sledai("arthritis rash", instrument="selenaSledai")).value == 6


def test_change_is_measured_from_the_infusion_or_from_the_day_given() -> None:
    course = [sledai("arthritis rash", BEFORE), sledai("rash", "2026-02-07"), sledai("", DAY)]
    assert [one.change for one in scored("sledai2k", course, INFUSION)] == [None, -4, -6]
    day = dt.date(2026, 2, 7)
    assert [one.change for one in scored("sledai2k", course, INFUSION, baseline=day)] == [None, 0, -2]
    assert [one.change for one in scored("sledai2k", course)] == [None, None, None]
    assert "change since baseline (last value up to 2026-01-10): -6" in scored("sledai2k", course, INFUSION)[-1].reason


def test_an_infusion_that_names_its_trial_is_the_baseline_too() -> None:
    bound = observation("local:event:infusion/NCT06653556", None, valueDateTime="2026-01-10")
    assert last("sledai2k", sledai("rash", BEFORE), sledai(""), bound).change == -2
    other = observation("local:event:infusion/NCT06710717", None, valueDateTime="2026-02-10")
    assert last("sledai2k", sledai("rash", BEFORE), sledai(""), bound, other).change is None


# ---- items that results propose -------------------------------------------------------------------------------------

PROPOSING = [
    ("leukopenia", [result("leukocytes", "2.9")], True),
    ("leukopenia", [result("leukocytes", "3.0")], False),
    ("thrombocytopenia", [result("platelets", "99")], True),
    ("thrombocytopenia", [result("platelets", "100")], False),
    ("fever", [result("temperature", "38.1")], True),
    ("fever", [result("temperature", "38")], False),
    ("proteinuria", [result("protein", "0.51")], True),
    ("proteinuria", [result("protein", "0.5")], False),
    ("lowComplement", [result("c3", "89", low="90"), result("c4", "20", low="10")], True),
    ("lowComplement", [result("c3", "90", low="90"), result("c4", "10", low="10")], False),
    ("increasedDNABinding", [result("antiDsDna", "31", high="30")], True),
    ("increasedDNABinding", [result("antiDsDna", "30", high="30")], False),
]


def test_results_propose_items_and_count_only_where_the_user_asks() -> None:
    patients = {
        f"{item.lower()}-{str(present).lower()}": [
            [one for one in sledai("") if f":{item}" not in str(one["code"])],
            *results,
        ]
        for item, results, present in PROPOSING
    }
    shown, counted = (
        {one.patient: one for one in scored_all("sledai2k", patients, derive_items=derive)} for derive in (False, True)
    )
    for item, _, present in PROPOSING:
        name = f"{item.lower()}-{str(present).lower()}"
        assert dict(shown[name].proposed) == {item: present}, name
        assert shown[name].items[item] is None and shown[name].value is None, name
        assert counted[name].items[item] is present, name
        weight = next(one.weight for one in instruments()["sledai2k"].items if one.key.endswith(f":{item}"))
        assert counted[name].value == (weight if present else 0), name


def test_a_recorded_item_wins_over_a_result_and_the_contradiction_is_reported() -> None:
    found = last("sledai2k", sledai(""), result("temperature", "39"), derive_items=True)
    assert found.value == 0 and found.items["fever"] is False and found.proposed == {}
    (said_of_it,) = found.contradictions
    assert "Fever is recorded as absent" in said_of_it and "Body temperature 39 Cel" in said_of_it


def test_results_alone_are_no_assessment() -> None:
    assert scored("sledai2k", result("platelets", "50"), derive_items=True) == []


# ---- other totals ---------------------------------------------------------------------------------------------------


def test_pga_and_its_bands() -> None:
    values = {
        "0.4": ("{score}", "0.4", "none"),
        "0.5": ("{score}", "0.5", "mild"),
        "1": ("{score}", "1", "mild"),
        "1.1": ("{score}", "1.1", "moderate"),
        "2": ("{score}", "2", "moderate"),
        "2.1": ("{score}", "2.1", "severe"),
        "50": ("mm", "1.5", "moderate"),
        "100": ("mm", "3", "severe"),
    }
    found = scored_all(
        "pga", {value.replace(".", "-"): score("pga", value, DAY, unit) for value, (unit, *_) in values.items()}
    )
    assert {one.patient: (one.value, one.band) for one in found} == {
        value.replace(".", "-"): (Decimal(expected), band) for value, (_, expected, band) in values.items()
    }


def test_bilag_counts_grades_and_what_is_new() -> None:
    found = last("bilag", INFUSION, bilag("CCDDEEEEE", BEFORE), bilag("ABDCEEEEE"))
    assert (found.value, found.change) == (21, 19)
    assert found.grades["constitutional"] == "A" and found.grades["musculoskeletal"] == "C"
    assert "A: constitutional, B: mucocutaneous" in found.reason
    assert "since baseline 1 new A and 1 new B" in found.reason


def test_a_system_without_grade_widens_bilag_and_is_asked_for() -> None:
    found = last("bilag", bilag("BDDDDDDD-"))
    assert (found.value, found.lower, found.upper) == (None, 8, 20)
    assert found.missing == (f"the BILAG-2004 grade of the haematological system on {DAY}",)


@pytest.mark.parametrize(("name", "value"), [("sdi", 3), ("facitFatigue", 52), ("facitF", 160)])
def test_totals_as_recorded(name: str, value: int) -> None:
    found = scored(name, INFUSION, score(name, value - 1, BEFORE), score(name, value, DAY))
    assert [(one.value, one.change) for one in found] == [(value - 1, None), (value, 1)]


def test_the_two_fatigue_scales_are_kept_apart() -> None:
    assert scored("facitF", score("facitFatigue", 40, DAY)) == []
    assert last("facitFatigue", score("facitFatigue", 53, DAY)).value is None


def test_suicidality_is_ideation_and_behaviour() -> None:
    found = last("cssrs", score("cssrsIdeation", 2, DAY), said("cssrsBehaviour", False, DAY))
    assert (found.value, dict(found.items), found.missing) == (2, {"cssrsBehaviour": False}, ())
    found = last("cssrs", said("cssrsBehaviour", True, DAY))
    assert (found.value, dict(found.items)) == (None, {"cssrsBehaviour": True})
    assert any("ideation" in text for text in found.missing)


# ---- states ---------------------------------------------------------------------------------------------------------

QUIET = [sledai("", BEFORE), sledai("", DAY), score("pga", "0.3", DAY), complete()]
"""A patient in every state: no activity, nothing taken."""


def prednisone(dose: str | int, start: str = "2025-01-01", end: str | None = None) -> dict:
    return drug("rx:8640", start, end, dose=dose)


def test_a_quiet_patient_is_in_every_state_of_low_activity() -> None:
    for name, keys in (
        ("lldas", "12345"),
        ("lldas-NCT06653556", "1234"),
        ("doris2021", "1234"),
        ("sledaiRemission", "1"),
    ):
        found = last(name, QUIET)
        assert (found.result, dict(found.items)) == ("met", dict.fromkeys(keys, True)), name
        assert found.value is None and found.missing == () and found.evidence


@pytest.mark.parametrize(
    ("name", "fact", "item"),
    [
        ("lldas", score("pga", "1.1", DAY), "3"),
        ("doris2021", score("pga", "0.5", DAY), "2"),
        ("lldas", prednisone("7.6"), "4"),
        ("doris2021", prednisone("5.1"), "3"),
        ("lldas", drug("rx:5521", "2025-01-01", dose=500), "5"),
    ],
)
def test_one_item_that_fails_ends_a_state(name: str, fact: dict, item: str) -> None:
    facts = [*QUIET[:2]] + ([] if item in "23" and "pga" in str(fact) else [score("pga", "0.3", DAY)])
    found = last(name, facts, fact, complete())
    assert found.result == "not-met" and found.items[item] is False
    assert [value for key, value in found.items.items() if key != item] == [True] * (len(found.items) - 1)


@pytest.mark.parametrize(
    ("name", "fact"),
    [("lldas", score("pga", "1", DAY)), ("lldas", prednisone("7.5")), ("doris2021", prednisone("5"))],
)
def test_the_limit_itself_is_still_inside(name: str, fact: dict) -> None:
    pga = [] if "pga" in str(fact) else [score("pga", "0.3", DAY)]
    assert last(name, QUIET[:2], pga, fact, complete()).result == "met"


def test_the_strict_reading_of_doris_asks_for_less_than_five_milligrams() -> None:
    facts = [QUIET, prednisone("5")]
    assert last("doris2021", facts).result == "met"
    assert last("doris2021", facts, readings={"A2-10": "doris-below-5"}).result == "not-met"


def test_a_new_feature_against_the_previous_visit_ends_low_activity() -> None:
    facts = [sledai("", BEFORE), sledai("rash", DAY), score("pga", "0.3", DAY), complete()]
    found = last("lldas-NCT06653556", facts)
    assert (found.result, found.items["1"], found.items["2"]) == ("not-met", True, False)
    assert last("lldas-NCT06653556", sledai("rash", BEFORE), facts[1:]).result == "met"


def test_a_first_visit_has_no_previous_one() -> None:
    found = last("lldas-NCT06653556", QUIET[1:])
    assert (found.result, found.items["2"]) == ("unknown", None)
    assert any("assessment before" in text for text in found.missing)


def test_the_other_measures_of_a_state_serve_for_thirty_days() -> None:
    for days, outcome in ((30, "met"), (31, "unknown")):
        pga = score("pga", "0.3", (ON - dt.timedelta(days=days)).isoformat())
        assert last("doris2021", sledai(""), pga, complete()).result == outcome


def test_what_is_not_recorded_leaves_a_state_open_and_is_asked_for() -> None:
    found = last("doris2021", sledai(""), score("pga", "0.3", DAY))
    assert (found.result, found.items["3"]) == ("unknown", None)
    assert any("medications are complete" in text for text in found.missing)
    assert "attest" not in " ".join(found.missing)


@pytest.mark.parametrize("changed", ["2026-04-02", "2026-03-01"])
def test_a_dose_changed_since_the_previous_visit_is_not_stable(changed: str) -> None:
    before = (dt.date.fromisoformat(changed) - dt.timedelta(days=1)).isoformat()
    course = [drug("rx:1256", "2025-01-01", before, dose=50), drug("rx:1256", changed, dose=100)]
    assert last("doris2021", QUIET, course).items["4"] is False
    assert last("doris2021", QUIET, drug("rx:1256", "2025-01-01", dose=100)).items["4"] is True


def test_serologic_remission() -> None:
    normal = [result("c3", "90", low="90"), result("c4", "10", low="10")]
    negative = answer("dsDnaQual", NEGATIVE, DAY)
    assert last("serologicRemission", normal, negative).result == "met"
    assert last("serologicRemission", normal, result("antiDsDna", "31", high="30")).result == "not-met"
    assert last("serologicRemission", normal, result("antiDsDna", "30", high="30")).result == "met"
    assert last("serologicRemission", normal[:1], result("c4", "9.9", low="10"), negative).result == "not-met"
    open_one = last("serologicRemission", normal[:1], negative)
    assert open_one.result == "unknown" and any("C4" in text for text in open_one.missing)


SRI = [INFUSION, score("sledai2kTotal", 12, BEFORE), score("pga", "1.5", BEFORE), bilag("BCDEEEEEE", BEFORE)]


def test_sri4() -> None:
    course = {
        (8, "1.7", "CDDEEEEEE"): "met",
        (9, "1.7", "CDDEEEEEE"): "not-met",
        (8, "1.8", "CDDEEEEEE"): "not-met",
        (8, "1.5", "ADDEEEEEE"): "not-met",
        (8, "1.5", "BBDEEEEEE"): "met",
        (8, "1.5", "BBBEEEEEE"): "not-met",
        (8, "1.5", "-DDEEEEEE"): "unknown",
    }
    patients = {
        f"{total}-{pga}-{grades}": [SRI, score("sledai2kTotal", total, DAY), score("pga", pga, DAY), bilag(grades)]
        for total, pga, grades in course
    }
    found = {one.patient: one.result for one in scored_all("sri4", patients) if one.date == ON}
    slugs = [re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") for name in patients]
    assert found == dict(zip(slugs, course.values(), strict=True))


def test_sri4_needs_a_baseline() -> None:
    facts = [score("sledai2kTotal", 2, DAY), score("pga", 0, DAY), bilag("EEEEEEEEE")]
    assert last("sri4", SRI[1:], facts).result == "unknown"
    assert last("sri4", SRI[1:], facts, baseline=dt.date.fromisoformat(BEFORE)).result == "met"


def test_laboratory_values_of_cases_read_as_in_screening() -> None:
    assert last("ctcae", lab("alt", 40, "U/L", DAY, uln=40)).value == 0
