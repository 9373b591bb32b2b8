"""Classification of lupus by the score command: the worked examples of the fact base, and where the sets disagree."""

from __future__ import annotations

import datetime as dt

import pytest

from caselib import Facts, diagnosis, items, observation, said, score
from followup.scoring import BEFORE, DAY, last, result, scored, scored_all
from sle_kg.followup.score_classification import proposals
from sle_kg.ontology import instruments

ON = dt.date.fromisoformat(DAY)
SETS = ("acr1997", "slicc2012", "eularAcr2019")


def every_item(name: str, present: str, on: str = DAY) -> Facts:
    """All items of a set, those named present and all others absent."""
    keys = [item.key.partition(":")[2] for item in instruments()[name].items]
    return items(name, present, " ".join(key for key in keys if key not in present.split()), on)


EXAMPLES = {
    "1": ("eularAcr2019", "ana acuteCutaneous jointInvolvement", 12, "met"),
    "2": ("eularAcr2019", "ana antiDsDNAorSm lowC3orC4 lowC3andC4", 10, "not-met"),
    "3": ("eularAcr2019", "biopsyIIIorIV", 10, "not-met"),
    "4": ("eularAcr2019", "ana biopsyIIIorIV", 10, "met"),
    "5": ("eularAcr2019", "ana leukopenia thrombocytopenia oralUlcers fever antiphospholipid", 10, "met"),
    "6": ("acr1997", "ana malarRash photosensitivity oralUlcers", 4, "met"),
    "7": ("slicc2012", "ana acuteCutaneous oralOrNasalUlcers", 3, "not-met"),
    "8": ("eularAcr2019", "ana acuteCutaneous oralUlcers", 6, "not-met"),
}
"""Findings → points and result (facts/classification.md, worked examples); 3: the ANA of 1:40 is no entry."""


@pytest.mark.parametrize("name", SETS)
def test_the_worked_examples(name: str) -> None:
    mine = {number: row for number, row in EXAMPLES.items() if row[0] == name}
    found = scored_all(name, {number: every_item(name, present) for number, (_, present, *_) in mine.items()})
    assert {one.patient: (one.value, one.result) for one in found} == {
        number: (points, outcome) for number, (_, _, points, outcome) in mine.items()
    }


@pytest.mark.parametrize("name", SETS)
def test_items_known_present_alone_bound_the_points_from_below(name: str) -> None:
    mine = {number: row for number, row in EXAMPLES.items() if row[0] == name}
    found = scored_all(name, {number: items(name, present, on=DAY) for number, (_, present, *_) in mine.items()})
    for one in found:
        _, _, points, outcome = mine[one.patient]
        assert (one.value, one.lower) == (None, points)
        assert one.upper is not None and one.upper > points
        assert one.result == ("met" if outcome == "met" else "unknown")
        assert bool(one.missing) == (outcome != "met")


def test_items_add_up_over_time_and_once_present_counts() -> None:
    course = [
        items("acr1997", "malarRash oralUlcers", on=BEFORE),
        items("acr1997", "ana", "malarRash", "2026-02-01"),
        items("acr1997", "arthritis", on=DAY),
    ]
    found = scored("acr1997", course)
    assert [(one.lower, one.result) for one in found] == [(2, "unknown"), (3, "unknown"), (4, "met")]
    assert found[1].items["malarRash"] is True


def test_the_nephritis_shortcut_of_slicc() -> None:
    biopsy = observation("local:isnRpsClass", BEFORE, valueString="IV")
    assert last("slicc2012", biopsy, items("slicc2012", "ana renal", on=DAY)).result == "met"
    assert last("slicc2012", biopsy, items("slicc2012", "renal", on=DAY)).result == "unknown"


# ---- recorded classifications ---------------------------------------------------------------------------------------


def test_a_recorded_classification_goes_before_the_items() -> None:
    nothing = every_item("acr1997", "ana")
    assert last("acr1997", nothing).result == "not-met"
    found = last("acr1997", nothing, said("acr1997", True, DAY))
    assert (found.result, found.value) == ("met", 1)
    assert found.reason.startswith(f"ACR 1997: met as recorded ({DAY}); 1 points")


def test_recorded_points_stand_where_the_items_allow_them() -> None:
    found = last("acr1997", score("acr1997", 5, DAY))
    assert (found.value, found.result) == (5, "met")
    found = last("acr1997", score("acr1997", 5, DAY), every_item("acr1997", "ana malarRash"))
    assert (found.value, found.lower, found.upper) == (None, 2, 5)


def test_points_of_eular_alone_need_a_positive_ana() -> None:
    assert last("eularAcr2019", score("eularAcr2019", 13, DAY)).result == "unknown"
    assert last("eularAcr2019", score("eularAcr2019", 13, DAY), result("ana", "80")).result == "met"
    assert last("eularAcr2019", score("eularAcr2019", 9, DAY)).result == "not-met"


def test_a_refuted_diagnosis_decides() -> None:
    refuted = diagnosis("sct:55464009", verification="refuted", recorded=BEFORE)
    found = last("acr1997", every_item("acr1997", "ana malarRash photosensitivity oralUlcers"), refuted)
    assert found.result == "not-met" and "refuted" in found.reason


def test_later_findings_are_not_seen() -> None:
    facts = [items("acr1997", "malarRash oralUlcers ana", on=BEFORE), items("acr1997", "arthritis", on=DAY)]
    assert last("acr1997", facts, on=ON - dt.timedelta(days=1)).lower == 3


# ---- what results propose -------------------------------------------------------------------------------------------


def proposed(name: str, *facts: Facts, on: dt.date = ON) -> set[str]:
    """The items that results propose."""
    return set(scored(name, facts, on=on)[0].proposed)


def test_the_sets_disagree_on_fever_and_leukopenia() -> None:
    feverish = result("temperature", "38.3")
    assert "fever" not in proposed("eularAcr2019", feverish)
    assert "fever" in proposed("eularAcr2019", result("temperature", "38.4"))
    assert last("sledai2k", said("sledai2k:rash", True, DAY), feverish).proposed["fever"] is True
    low = result("leukocytes", "3.9")
    assert "leukopenia" in proposed("eularAcr2019", low)
    assert "leukopeniaOrLymphopenia" in proposed("slicc2012", low)
    assert last("sledai2k", said("sledai2k:rash", True, DAY), low).proposed["leukopenia"] is False


LIMITS = [
    ("eularAcr2019", "leukopenia", result("leukocytes", "3.99"), result("leukocytes", "4")),
    ("eularAcr2019", "thrombocytopenia", result("platelets", "99"), result("platelets", "100")),
    ("eularAcr2019", "proteinuria", result("protein", "0.51"), result("protein", "0.5")),
    ("eularAcr2019", "lowC3orC4", result("c3", "89", low="90"), result("c3", "90", low="90")),
    ("eularAcr2019", "ana", result("ana", "80"), result("ana", "40")),
    ("eularAcr2019", "antiDsDNAorSm", result("antiDsDna", "31", high="30"), result("antiDsDna", "30", high="30")),
    ("slicc2012", "renal", result("protein", "0.5"), result("protein", "0.49")),
    ("slicc2012", "leukopeniaOrLymphopenia", result("lymphocytes", "0.99"), result("lymphocytes", "1")),
    ("slicc2012", "thrombocytopenia", result("platelets", "99"), result("platelets", "100")),
    ("slicc2012", "lowComplement", result("c4", "9", low="10"), result("c4", "10", low="10")),
    ("slicc2012", "antiDsDNA", result("antiDsDna", "61", high="30"), result("antiDsDna", "60", high="30")),
    ("eularAcr2019", "proteinuria", result("upcr", "501"), result("upcr", "500")),
    ("eularAcr2019", "lowC3orC4", result("c4", "9", low="10"), result("c4", "10", low="10")),
    ("eularAcr2019", "antiDsDNAorSm", result("antiSm", "31", high="30"), result("antiSm", "30", high="30")),
    ("slicc2012", "renal", result("upcr", "500"), result("upcr", "499")),
    ("slicc2012", "leukopeniaOrLymphopenia", result("leukocytes", "3.99"), result("leukocytes", "4")),
    ("slicc2012", "lowComplement", result("c3", "89", low="90"), result("c3", "90", low="90")),
    ("slicc2012", "antiSm", result("antiSm", "31", high="30"), result("antiSm", "30", high="30")),
    ("slicc2012", "ana", result("ana", "80"), result("ana", "40")),
    ("acr1997", "immunologicDisorder", result("antiDsDna", "31", high="30"), result("antiDsDna", "30", high="30")),
    ("acr1997", "immunologicDisorder", result("antiSm", "31", high="30"), result("antiSm", "30", high="30")),
    ("acr1997", "hematologicDisorder", result("platelets", "99"), result("platelets", "100")),
    ("acr1997", "ana", result("ana", "80"), result("ana", "40")),
]


def test_results_propose_items_at_the_limit_of_the_set() -> None:
    for name in SETS:
        mine = [row for row in LIMITS if row[0] == name]
        patients = {f"{number}-{side}": row[2 + side] for number, row in enumerate(mine) for side in (0, 1)}
        found = {one.patient: set(one.proposed) for one in scored_all(name, patients, on=ON)}
        for number, (_, item, *_) in enumerate(mine):
            assert item in found[f"{number}-0"], (name, item)
            assert item not in found[f"{number}-1"], (name, item)


def test_occasions_are_different_days() -> None:
    twice = [result("lymphocytes", "1.4", BEFORE), result("lymphocytes", "1.4", DAY)]
    assert "hematologicDisorder" in proposed("acr1997", twice)
    assert "hematologicDisorder" not in proposed("acr1997", twice[:1], result("lymphocytes", "1.3", BEFORE))
    assert "hematologicDisorder" not in proposed("acr1997", twice[:1], result("lymphocytes", "1.5", DAY))
    assert "leukopeniaOrLymphopenia" not in proposed("slicc2012", twice)
    for value, there in (("3.9", True), ("4", False)):
        leukocytes = [result("leukocytes", value, BEFORE), result("leukocytes", value, DAY)]
        assert ("hematologicDisorder" in proposed("acr1997", leukocytes)) is there
    for value, there in (("0.51", True), ("0.5", False)):
        protein = [result("protein", value, BEFORE), result("protein", value, DAY)]
        assert ("renalDisorder" in proposed("acr1997", protein)) is there
    assert "renalDisorder" not in proposed("acr1997", result("protein", "0.51"))


def test_both_complement_fractions_of_one_day() -> None:
    both = [result("c3", "89", low="90"), result("c4", "9", low="10")]
    assert {"lowC3orC4", "lowC3andC4"} <= proposed("eularAcr2019", both)
    for fraction in (result("c3", "90", low="90"), result("c4", "10", low="10")):
        one = [other for other in both if other["code"] != fraction["code"]]
        assert "lowC3andC4" not in proposed("eularAcr2019", one, fraction)


@pytest.mark.parametrize(
    ("classes", "expected"),
    [("IV", {"biopsyIIIorIV"}), ("V", {"biopsyIIorV"}), ("III+V", {"biopsyIIIorIV", "biopsyIIorV"}), ("I", set())],
)
def test_biopsy_classes(classes: str, expected: set[str]) -> None:
    assert proposed("eularAcr2019", observation("local:isnRpsClass", DAY, valueString=classes)) == expected


def test_what_is_proposed_is_shown_and_not_counted() -> None:
    found = last("eularAcr2019", items("eularAcr2019", "ana oralUlcers", on=DAY), result("leukocytes", "3.5"))
    assert found.items["leukopenia"] is None and found.lower == 2
    assert "whether leukopenia counts: results propose it" in found.missing


def test_an_item_denied_against_a_result_is_reported() -> None:
    found = last("eularAcr2019", items("eularAcr2019", "ana", "leukopenia", DAY), result("leukocytes", "3.5"))
    (contradiction,) = found.contradictions
    assert "eukopenia is recorded as absent" in contradiction and "3.5 10*9/L" in contradiction
    assert found.items["leukopenia"] is False


def test_every_proposal_belongs_to_an_item_of_its_set() -> None:
    for name in SETS:
        found = proposals(name)
        assert set(found) == {item.key.partition(":")[2] for item in instruments()[name].items}
        assert any(found.values())
