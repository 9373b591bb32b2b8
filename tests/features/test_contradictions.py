"""Records that cannot be read, or that contradict each other or themselves: what they leave open."""

from __future__ import annotations

import pytest

from caselib import ago, complete, concept, diagnosis, drug, lab, observation, said
from features.naive_facts import UNKNOWN
from features.real import bounds, feature

YES, NO = (1, None), (None, 0)

AGREES = feature("Statement", statement="agreesContraception")
ANTIMALARIAL = feature("Contraindication", valueSet=("Antimalarial",), asDocumented=False)
WITHOUT_POTENTIAL = feature("NoChildbearingPotential")


@pytest.mark.parametrize(
    ("wanted", "code", "value"),
    [
        (AGREES, "agreesContraception", True),
        (ANTIMALARIAL, "contraindication:hydroxychloroquine", True),
        (WITHOUT_POTENTIAL, "childbearingPotential", False),
    ],
)
def test_a_statement_that_cannot_be_read_is_the_latest(wanted, code, value):  # type: ignore[no-untyped-def]
    older = said(code, value, ago(30))
    coded = observation(f"local:{code}", ago(10), valueCodeableConcept=concept("sct:373067005"))
    patients = {
        "stated": [older],
        "then unreadable": [older, coded],
        "on a day that is none": [older, observation(f"local:{code}", "2026-11-31", valueBoolean=not value)],
        "then stated again": [coded, said(code, value, ago(1))],
        "unreadable alone": [coded],
    }
    assert list(bounds(patients, wanted).values()) == [YES, UNKNOWN, UNKNOWN, YES, UNKNOWN]


def test_oxygen_that_cannot_be_read_leaves_room_air_open() -> None:
    saturation = lab("spo2", 95, "%", on=ago(5))
    no_oxygen = said("supplementalOxygen", False, ago(5))
    nasal = observation("local:supplementalOxygen", ago(5), valueString="2 L nasal cannula")
    patients = {"none": [saturation, no_oxygen], "both": [saturation, no_oxygen, nasal], "nasal": [saturation, nasal]}
    assert list(bounds(patients, feature("RoomAir")).values()) == [YES, UNKNOWN, UNKNOWN]


def test_a_diagnosis_that_begins_after_it_was_recorded_is_seen() -> None:
    ever = feature("Diagnosis", valueSet=("malignancyEver",), when="ever")
    seen = diagnosis("icd:C50.9", onset="2062-05-01", recorded=ago(300))
    unseen = diagnosis("icd:C50.9", onset="2062-05-01", recorded="2062-04-01")
    found = bounds({"seen": [seen, complete()], "unseen": [unseen, complete()]}, ever)
    assert found == {"seen": YES, "unseen": NO}


def test_a_medicine_that_begins_after_it_was_stated_may_be_taken() -> None:
    ongoing = feature("Exposure", valueSet=("Antimalarial",), when="ongoing")
    patients = {
        name: [{**drug("rx:5521", start), "dateAsserted": asserted}, complete()]
        for name, start, asserted in (
            ("contradictory", "2062-01-01", ago(20)),
            ("of the future", "2062-01-01", "2062-01-01"),
            ("as stated", ago(30), ago(20)),
        )
    }
    assert bounds(patients, ongoing) == {"contradictory": UNKNOWN, "of the future": NO, "as stated": YES}


def test_a_medicine_that_is_said_not_to_be_taken_any_more_may_be_over() -> None:
    ongoing = feature("Exposure", valueSet=("Antimalarial",), when="ongoing")
    taken = drug("rx:5521", "2018-03-05")
    patients = {
        name: [taken, drug(code, start, end, status="not-taken")]
        for name, code, start, end in (
            ("since June", "rx:5521", "2026-06-01", None),
            ("since an unknown day", "rx:5521", None, None),
            ("before it was taken", "rx:5521", "2017", None),
            ("for a while", "rx:5521", "2019-01-01", "2019-02-01"),
            ("from tomorrow", "rx:5521", ago(-1), None),
            ("another drug", "rx:1256", "2026-06-01", None),
        )
    }
    assert list(bounds(patients, ongoing).values()) == [UNKNOWN, YES, YES, YES, YES, YES]
