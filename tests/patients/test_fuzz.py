"""Hostile and broken records: whatever stands in a bundle, reading gives facts or one plain refusal."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patients.fhir_builder import bundle, local, observation, quantity, resource
from sle_kg.errors import InputError
from sle_kg.patients.rdf import to_rdf
from sle_kg.patients.read import read_patients
from sle_kg.resources import path

BUNDLES = [
    json.loads((path("examples") / "patients" / f"{name}.json").read_text(encoding="utf-8"))
    for name in ("a-01", "b-38")
]
FOLLOW_UP = bundle(
    resource(
        "AdverseEvent",
        id="ae1",
        actuality="actual",
        event={"text": "CRS"},
        date="2026-11-12",
        seriousness={"coding": [{"code": "Serious"}]},
        outcome={"coding": [{"code": "resolved"}]},
        suspectEntity=[{"instance": {"display": "product"}, "causality": [{"assessment": {"text": "Related"}}]}],
        extension=[{"url": "http://example.org/ctcae-grade", "valueCodeableConcept": {"coding": [{"code": "2"}]}}],
    ),
    observation(local("crsGrade"), valueInteger=2, focus=[{"reference": "AdverseEvent/ae1"}]),
    observation(local("hypoxia"), valueQuantity=quantity(2, "L/min")),
    observation(local("hypoxia"), valueString="Venturi mask"),
    observation(local("bilag:renal"), valueString="B"),
)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["", "0000", "2026-13-01", "9999-12-31", "NaN", "urn:uuid:", "#", "/", "|", "1e400", "\u0000"]),
    st.just([]),
    st.just({}),
    st.just([[]]),
    st.just([None]),
    st.just({"coding": [{"system": None, "code": "x"}]}),
    st.just({"value": "x", "code": "mg/dL", "comparator": "="}),
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every element of a JSON value as its container and key."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        item = waiting.pop()
        keys = list(item) if isinstance(item, dict) else range(len(item))
        found += [(item, key) for key in keys]
        waiting += [item[key] for key in keys if isinstance(item[key], (dict, list))]
    return found


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([*BUNDLES, FOLLOW_UP]), st.lists(st.tuples(st.integers(0, 10**6), ODD), min_size=1, max_size=5))
def test_odd_values_anywhere_in_a_bundle(tmp_path, whole, changes):
    broken = deepcopy(whole)
    for number, value in changes:
        found = places(broken)
        container, key = found[number % len(found)]
        container[key] = deepcopy(value)
    file = tmp_path / "broken.json"
    file.write_text(json.dumps(broken), encoding="utf-8")
    try:
        data = read_patients([file])
    except InputError as error:
        assert "\n" not in str(error)
        return
    copy = tmp_path / "copy.ttl"
    copy.write_bytes(to_rdf(data))
    again = read_patients([copy])
    for table in ("measurement", "adverse_event"):
        assert sorted(again.tables[table].to_pylist(), key=str) == sorted(data.tables[table].to_pylist(), key=str)


@pytest.mark.parametrize("cut", range(40, len(json.dumps(BUNDLES[0])), 797))
def test_a_truncated_file_is_refused(tmp_path, cut):
    file = tmp_path / "cut.json"
    file.write_text(json.dumps(BUNDLES[0])[:cut], encoding="utf-8")
    with pytest.raises(InputError, match=r"not readable as JSON"):
        read_patients([file])
