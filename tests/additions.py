"""What somebody who reads `missing` may add to the record: rows of fact tables, in each way that it may turn out.

Made from the features of the criteria, not from the advice: whoever adds knows the medicine, not the program.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import product
from typing import Any

import pyarrow as pa

from sle_kg.criteria import Feature
from sle_kg.features.database import names_of
from sle_kg.followup.session import tests_of
from sle_kg.terminology import terminology

Rows = tuple[tuple[str, Mapping[str, Any]], ...]
"""New rows with the table of each."""
DAY = dt.timedelta(days=1)
LOW, HIGH = Decimal("0.01"), Decimal(50_000)
TESTS = frozenset(
    {
        *("MeasurementCondition", "CreatinineClearanceCondition", "RoomAirCondition", "ScoreCondition"),
        *("HighestScoreCondition", "PositiveTestCondition", "QuantifiedCondition", "PregnancyCondition"),
        *("ClassificationCondition", "BiopsyClassCondition", "BiopsyCondition", "BiopsyIndexCondition"),
        *("BiopsyAgeCondition", "DaysSinceDiagnosisCondition"),
    }
)


def complete(section: str, on: dt.date) -> Rows:
    """A statement that a section is complete up to a day."""
    return (("completeness", {"section": section, "date_from": on, "date_to": on}),)


def answers(feature: Feature, on: dt.date) -> list[Rows]:
    """New records of what a feature asks for, each list one possible answer; `on` is the day that it looks from."""
    if feature.kind in TESTS:
        return [tuple(("measurement", row) for row in rows) for rows in _results(feature, on)]
    if feature.kind == "StatementCondition":
        return [(("statement", _on(on, statement=feature.get("statement"), value=value)),) for value in (True, False)]
    if feature.kind in ("FertilityCondition", "NoChildbearingPotentialCondition"):
        return [(("statement", _on(on, statement="childbearingPotential", value=value)),) for value in (True, False)]
    if feature.kind == "ContraindicationCondition":
        [name] = names_of(feature, "valueSet")[:1]
        key = f"contraindication:{next(iter(terminology().members(name)))}"
        return [(("statement", _on(on, statement=key, value=value)),) for value in (True, False)]
    if feature.kind == "RenalWorseningCondition":
        return [tuple(rows) for rows in _worsening(feature, on)]
    return [tuple(rows) for rows in _facts(feature, on)]


def _on(on: dt.date, **cells: Any) -> dict[str, Any]:
    return {"date_from": on, "date_to": on, **cells}


def _results(feature: Feature, on: dt.date) -> Iterator[list[dict[str, Any]]]:
    """Results of today, and of long ago."""
    long_ago = on - 4000 * DAY
    match feature.kind:
        case "RoomAirCondition":
            for positive in (True, False):
                yield [
                    _on(on, test="spo2", low=Decimal(97), high=Decimal(97)),
                    _on(on, test="supplementalOxygen", positive=positive),
                ]
        case "CreatinineClearanceCondition":
            for value in (LOW, HIGH):
                yield [_on(on, test="creatinineClearanceCG", low=value, high=value)]
        case "PregnancyCondition":
            for positive in (True, False):
                yield [_on(on, test="hcgSerumQual", positive=positive)]
        case "BiopsyClassCondition" | "BiopsyCondition" | "BiopsyAgeCondition":
            for name, day in product(("II", "III", "IV", "V", "VI"), (on, long_ago)):
                yield [_on(day, test="isnRpsClass", text=name)]
        case "BiopsyIndexCondition":
            for value in (Decimal(0), Decimal(24)):
                yield [_on(on, test=str(feature.get("index")), low=value, high=value)]
        case "DaysSinceDiagnosisCondition":
            for day in (on, long_ago):
                yield [_on(day, test=str(feature.get("classificationSet")), positive=True)]
        case _:
            for test, value, positive in product(tests_of(feature), (LOW, HIGH), (True, False)):
                if ":" not in test:
                    yield [
                        _on(
                            on,
                            test=test,
                            low=value,
                            high=value,
                            uln=Decimal(1),
                            positive=positive if "Positive" in feature.kind or "Classif" in feature.kind else None,
                            method="echocardiography",
                        )
                    ]


def _facts(feature: Feature, on: dt.date) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """A diagnosis, procedure, vaccine, allergy, donation or medicine of the value set, of yesterday."""
    day = on - DAY
    names = [_member(name) for name in names_of(feature, "valueSet")]
    concept = names[0] if names else "other"
    match feature.kind:
        case "DiagnosisCondition" | "DiagnosisCountCondition":
            for severity in ("severe", "mild"):
                cells = {"concept": concept, "status": "confirmed", "ongoing": True, "severity": severity}
                days = [day - n * DAY for n in range(3)]
                yield [("condition", {**cells, "onset_from": begun, "onset_to": begun}) for begun in days]
        case "ProcedureCondition":
            dates = dict.fromkeys(("from_from", "from_to", "end_from", "end_to"), day)
            yield [("procedure", {"concept": concept, "done": "yes", **dates})]
        case "ImmunizationCondition":
            yield [("immunization", _on(day, concept=concept, given="yes"))]
        case "AllergyCondition":
            for level in ("low", "high"):
                cells = {"concept": concept, "status": "confirmed", "kind": "allergy", "criticality": level}
                yield [("allergy", {**cells, "recorded_from": day, "recorded_to": day, "none_known": False})]
        case "DonatedVolumeCondition":
            dates = dict.fromkeys(("from_from", "from_to", "end_from", "end_to"), day)
            for amount in (LOW, HIGH):
                yield [
                    ("procedure", {"concept": "bloodDonation", "done": "yes", **dates}),
                    ("statement", _on(day, statement="bloodDonationVolume", amount=amount)),
                ]
        case _:
            yield from _medicines(feature, names, on)


def _worsening(feature: Feature, on: dt.date) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """High-dose treatment, results of every four weeks of ten years, and today twice the protein, or as much."""
    treatment = next(_medicines(feature, [_member(names_of(feature, "valueSet")[0])], on, on - 60 * DAY))
    for protein in (Decimal(1), Decimal(2)):
        days = [on - 28 * number * DAY for number in range(130)]
        values = [("upcr", day, Decimal(1) if day < on else protein) for day in days]
        values += [("egfrCkdEpi2021", day, Decimal(60)) for day in days]
        results = [_on(day, test=test, low=value, high=value) for test, day, value in values]
        yield [*treatment, *(("measurement", row) for row in results)]


def _member(name: str) -> str:
    """A concept in a value set."""
    keys = (*terminology().members(name), "icd:D05")
    return next(key for key in keys if terminology().membership([key], [name]))


def _medicines(
    feature: Feature, names: Sequence[str], on: dt.date, begun: dt.date | None = None
) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """A medicine of the value set, strongly or weakly dosed, with a body weight: taken for long and still, or, where a
    record says that it was not taken any more, again.
    """
    together = [_member(name) for name in names_of(feature, "concurrentWith")[:1]]
    every = [*dict.fromkeys(key for name in names_of(feature, "valueSet") for key in terminology().members(name))]
    taken = every if feature.kind == "DrugCountCondition" else list(names[:1])
    for start, dose, route in product((begun or on - 1000 * DAY, on), (HIGH, LOW), ("oral", "intravenous")):
        cells = {"taken": "yes", "start_from": start, "start_to": start, "ongoing": True, "route": route}
        cells |= {"dose": dose, "dose_unit": "mg", "times": Decimal(1), "period_days": Decimal(1)}
        cells |= {"administration": False}
        weights = [
            ("measurement", _on(day, test="bodyWeight", low=Decimal(60), high=Decimal(60))) for day in (start, on)
        ]
        yield [*weights, *(("exposure", {**cells, "concept": name}) for name in (*taken, *together))]


def added(tables: Mapping[str, pa.Table], copies: Mapping[str, tuple[str, Rows]]) -> dict[str, pa.Table]:
    """The fact tables of copies of patients: by the name of each copy, whose it is and what is added to it."""
    found = {}
    for name, table in tables.items():
        rows: dict[str, list[dict[str, Any]]] = {}
        for row in table.to_pylist():
            rows.setdefault(row["patient"], []).append(row)
        made = []
        for copy, (patient, new) in copies.items():
            more = [{"record": f"New/{number}", **cells} for number, (other, cells) in enumerate(new) if other == name]
            made += [{**row, "patient": copy} for row in (*rows.get(patient, ()), *more)]
        found[name] = pa.Table.from_pylist(made, schema=table.schema)
    return found
