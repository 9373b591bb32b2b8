"""From FHIR resources to bounds: the path that a screening takes, down to the features."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

from caselib import ON, Asked, Case, Facts, bundle, flat
from features.naive_facts import UNKNOWN, Bound
from sle_kg.criteria import Feature, Parameter
from sle_kg.features import Ask, EventDate, FeatureBuilder, FeatureOptions
from sle_kg.patients.read import read_patients
from sle_kg.terminology import terminology

TRIAL = "NCT06106906"


def feature(kind: str, **parameters: Parameter) -> Feature:
    """A feature by kind and parameters."""
    return Feature(f"{kind}Condition", tuple(sorted(parameters.items())))


def bounds(
    patients: Mapping[str, Facts],
    wanted: Feature | Sequence[Feature],
    on: dt.date = ON,
    later: int = 0,
    repeat: bool = False,
    events: Mapping[str, EventDate] | None = None,
) -> dict[str, Bound] | dict[str, list[Bound]]:
    """The bounds of a feature for each patient, on a date or some days `later`; of several features, a list of them."""
    features = [wanted] if isinstance(wanted, Feature) else list(wanted)
    cases = {name: Case(name, Asked(TRIAL), flat(facts), {}) for name, facts in patients.items()}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "patients.json"
        file.write_text(bundle(cases.values()), encoding="utf-8")
        data = read_patients([file], terminology())
    builder = FeatureBuilder(data.tables, features, terminology())
    anchors = events or {"consent": EventDate(on, on, stand_in=True)}
    asks = [Ask(number, case.slug, TRIAL, on, on, anchors) for number, case in enumerate(cases.values())]
    asks = [ask.moved(ask.id, later, repeat) for ask in asks] if later else asks
    found = {
        (value.ask, value.slug): (_exact(value.lower), _exact(value.upper))
        for value in builder.compute(asks, {TRIAL: features}, FeatureOptions())
    }
    lists = {name: [found.get((n, f.slug), UNKNOWN) for f in features] for n, name in enumerate(cases)}
    return {name: some[0] for name, some in lists.items()} if isinstance(wanted, Feature) else lists


def _exact(value: object) -> Fraction | None:
    return None if value is None else Fraction(value)  # type: ignore[call-overload,no-any-return]
