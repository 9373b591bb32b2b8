"""Records that cannot be read, or that contradict each other or themselves: what they leave open."""

from __future__ import annotations

import pytest

from caselib import ago, concept, lab, observation, said
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
