"""Cases: a patient in a few lines, what is asked of him, and the verdict that the contract demands.

A case holds only the facts that its rows need; `example` starts from a patient who is eligible instead. Codes are
written with their system, `sct:55464009`, `icd:M32.9`, `atc:L04AG04`, `rx:8640`, `cvx:03`, `local:pga`, so that a case
says what a real record says. All cases of one trial that are asked the same way are screened together.
"""

from __future__ import annotations

import copy
import datetime as dt
import json
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sle_kg.namespaces import ATC, CVX, ICD10CM, LOCAL_CODES, LOINC, RXNORM, SNOMED, UCUM
from sle_kg.screening import Options, screen
from sle_kg.verdict import RowVerdict, Verdict

Resource = dict[str, Any]
Facts = Resource | Iterable["Facts"]

ON = dt.date(2026, 11, 21)
"""The screening date of every case."""
EXAMPLES = Path(__file__).parents[1] / "examples" / "patients"
SECTIONS = ("conditions", "medications", "procedures", "allergies", "immunizations", "statements", "adverseEvents")

BATCH = 40
"""Patients that one test screens together."""

SYSTEMS = {
    "sct": SNOMED,
    "icd": ICD10CM,
    "atc": ATC,
    "rx": RXNORM,
    "cvx": CVX,
    "loinc": LOINC,
    "local": LOCAL_CODES,
}
POSITIVE, NEGATIVE = "sct:10828004", "sct:260385009"
INTRAVENOUS, ORAL = "sct:47625008", "sct:26643006"
SEVERITIES = {"severe": "sct:24484000", "moderate": "sct:6736007", "mild": "sct:255604002"}

TESTS = {
    "creatinine": "loinc:2160-0",
    "creatinineSI": "loinc:14682-9",
    "clearance": "loinc:35591-7",
    "alt": "loinc:1742-6",
    "ast": "loinc:1920-8",
    "bilirubin": "loinc:1975-2",
    "spo2": "loinc:59408-5",
    "lvef": "loinc:10230-1",
    "lvef2d": "loinc:8806-2",
    "ana": "loinc:8061-4",
    "anaTiter": "loinc:5048-4",
    "dsDna": "loinc:5130-0",
    "dsDnaQual": "loinc:31348-6",
    "upcr": "loinc:2890-2",
    "egfr": "loinc:98979-8",
    "hbsAg": "loinc:5196-1",
    "antiHbc": "loinc:13952-7",
    "hbvDna": "loinc:42595-9",
    "hcvAb": "loinc:13955-0",
    "hivAb": "loinc:56888-1",
    "hiv1Ab": "loinc:7917-8",
    "cmvDna": "loinc:72493-0",
    "ebvDna": "loinc:43730-1",
    "treponemal": "loinc:22587-0",
    "rpr": "loinc:20507-0",
    "igra": "loinc:71773-6",
    "hcgSerum": "loinc:2118-8",
    "hcgUrine": "loinc:2106-3",
    "weight": "loinc:29463-7",
}
"""LOINC codes of the tests that cases use."""


def ago(days: int) -> str:
    """The date so many days before screening; negative: after it."""
    return (ON - dt.timedelta(days=days)).isoformat()


def concept(code: str, display: str | None = None) -> Resource:
    """A CodeableConcept from `system:code`; several codings are joined by a blank."""
    codings = []
    for one in code.split():
        system, _, value = one.partition(":")
        codings.append({"system": SYSTEMS[system], "code": value} | ({"display": display} if display else {}))
    return {"coding": codings}


def quantity(value: str | int, unit: str, comparator: str | None = None) -> Resource:
    """A Quantity in UCUM; a short decimal is written as it stands."""
    number = {"value": float(value) if "." in str(value) else int(value)}
    return number | {"unit": unit, "system": UCUM, "code": unit} | ({"comparator": comparator} if comparator else {})


def _resource(kind: str, owner: str = "subject", **elements: Any) -> Resource:
    return {"resourceType": kind, "_owner": owner} | {k: v for k, v in elements.items() if v is not None}


def person(birth: str | None = "1990-05-10", sex: str | None = "female") -> Resource:
    """The patient; a case without one is a woman of 36 years."""
    return _resource("Patient", birthDate=birth, gender=sex)


def observation(code: str, on: str | None, **elements: Any) -> Resource:
    """An Observation, final unless stated."""
    given = {"status": "final", "effectiveDateTime": on} | elements
    return _resource("Observation", code=concept(TESTS.get(code, code)), **given)


def lab(
    test: str,
    value: str | int,
    unit: str,
    on: str = ago(6),
    uln: str | int | None = None,
    comparator: str | None = None,
    **elements: Any,
) -> Resource:
    """A measured value, with the upper limit of normal in the same unit."""
    if uln is not None:
        elements["referenceRange"] = [{"high": quantity(uln, unit)}]
    return observation(test, on, valueQuantity=quantity(value, unit, comparator), **elements)


def result(test: str, answer: str, on: str = ago(6), **elements: Any) -> Resource:
    """A qualitative result: POSITIVE or NEGATIVE."""
    return observation(test, on, valueCodeableConcept=concept(answer), **elements)


def score(instrument: str, value: int | str, on: str = ago(6), unit: str = "{score}") -> Resource:
    """A score total, or PGA in `mm`."""
    return observation(f"local:{instrument}", on, valueQuantity=quantity(value, unit))


def said(statement: str, value: bool = True, on: str = ago(1)) -> Resource:
    """A local statement, item or classification that is true or false."""
    return observation(f"local:{statement}", on, valueBoolean=value)


def attest(row: str, value: bool, on: str = ago(1)) -> Resource:
    """An attestation of `NCT…/row`."""
    return said(f"attest:{row}", value, on)


def items(instrument: str, true: str, false: str = "", on: str = ago(6)) -> list[Resource]:
    """Items of a score or classification, each an Observation; keys parted by blanks."""
    return [
        said(f"{instrument}:{key}", value, on) for keys, value in ((true, True), (false, False)) for key in keys.split()
    ]


def biopsy(on: str, classes: str | None = None, activity: int | None = None, chronicity: int | None = None) -> Facts:
    """What a kidney biopsy gave."""
    found = [observation("local:isnRpsClass", on, valueString=classes)] if classes else []
    found += [score("nihActivityIndex", activity, on)] if activity is not None else []
    return found + ([score("nihChronicityIndex", chronicity, on)] if chronicity is not None else [])


def diagnosis(
    code: str,
    onset: str | None = None,
    abated: str | None = None,
    severity: str | None = None,
    clinical: str | None = None,
    verification: str = "confirmed",
    recorded: str | None = None,
    display: str | None = None,
) -> Resource:
    """A Condition: active without an end, resolved with one, unless stated."""
    category = "http://terminology.hl7.org/CodeSystem/condition-"
    status = clinical or ("resolved" if abated else "active")
    return _resource(
        "Condition",
        code=concept(code, display),
        clinicalStatus={"coding": [{"system": category + "clinical", "code": status}]},
        verificationStatus={"coding": [{"system": category + "ver-status", "code": verification}]},
        onsetDateTime=onset,
        abatementDateTime=abated,
        recordedDate=recorded,
        severity=concept(SEVERITIES[severity]) if severity else None,
    )


def _dosage(dose: str | int | None, unit: str, times: int, days: int, route: str | None) -> list[Resource] | None:
    line: Resource = {"route": concept(route)} if route else {}
    if dose is not None:
        line["timing"] = {"repeat": {"frequency": times, "period": days, "periodUnit": "d"}}
        line["doseAndRate"] = [{"doseQuantity": quantity(dose, unit)}]
    return [line] if line else None


def drug(
    code: str,
    start: str | None,
    end: str | None = None,
    dose: str | int | None = None,
    unit: str = "mg",
    times: int = 1,
    days: int = 1,
    route: str | None = None,
    status: str | None = None,
    display: str | None = None,
) -> Resource:
    """A MedicationStatement: ongoing without an end, `dose` taken `times` in `days` days."""
    period = {k: v for k, v in (("start", start), ("end", end)) if v}
    return _resource(
        "MedicationStatement",
        medicationCodeableConcept=concept(code, display),
        status=status or ("completed" if end else "active"),
        effectivePeriod=period or None,
        dosage=_dosage(dose, unit, times, days, route),
    )


def order(
    code: str, on: str, dose: str | int | None = None, times: int = 1, intent: str = "order", status: str = "active"
) -> Resource:
    """A MedicationRequest."""
    return _resource(
        "MedicationRequest",
        medicationCodeableConcept=concept(code),
        status=status,
        intent=intent,
        authoredOn=on,
        dosageInstruction=_dosage(dose, "mg", times, 1, None),
    )


def given(code: str, on: str, dose: str | int | None = None, unit: str = "mg", route: str | None = None) -> Resource:
    """A MedicationAdministration on one day."""
    dosage: Resource = {"dose": quantity(dose, unit)} if dose is not None else {}
    return _resource(
        "MedicationAdministration",
        medicationCodeableConcept=concept(code),
        status="completed",
        effectiveDateTime=on,
        dosage=(dosage | ({"route": concept(route)} if route else {})) or None,
    )


def procedure(code: str, on: str | None, status: str = "completed") -> Resource:
    """A Procedure on a day."""
    return _resource("Procedure", code=concept(code), status=status, performedDateTime=on)


def vaccine(code: str, on: str, status: str = "completed") -> Resource:
    """An Immunization."""
    return _resource("Immunization", "patient", vaccineCode=concept(code), status=status, occurrenceDateTime=on)


def allergy(
    code: str, kind: str | None = "allergy", criticality: str | None = None, recorded: str = ago(100)
) -> Resource:
    """An AllergyIntolerance."""
    return _resource(
        "AllergyIntolerance",
        "patient",
        code=concept(code),
        type=kind,
        criticality=criticality,
        recordedDate=recorded,
        clinicalStatus={
            "coding": [
                {"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}
            ]
        },
    )


def adverse_event(
    term: str,
    on: str | None,
    grade: int | str | None = None,
    serious: bool | None = None,
    related: bool | None = None,
    dose_limiting: bool | None = None,
    outcome: str | None = None,
    **elements: Any,
) -> Resource:
    """An AdverseEvent that happened, named in words; its grade as an extension, as HL7's research guide has it."""
    system = "http://terminology.hl7.org/CodeSystem/adverse-event-"
    seriousness = {True: "Serious", False: "Non-serious", None: None}[serious]
    causality = {True: "Possible", False: "Unlikely", None: None}[related]
    extensions = [
        {"url": "http://hl7.org/fhir/uv/ae-research-backport-ig/StructureDefinition/ae-grade", "valueInteger": grade}
        if grade is not None
        else None,
        {"url": "https://w3id.org/sle-kg/dose-limiting", "valueBoolean": dose_limiting}
        if dose_limiting is not None
        else None,
    ]
    given = {
        "extension": [extension for extension in extensions if extension] or None,
        "actuality": "actual",
        "event": {"text": term},
        "date": on,
        "seriousness": {"coding": [{"system": f"{system}seriousness", "code": seriousness}]} if seriousness else None,
        "outcome": {"coding": [{"system": f"{system}outcome", "code": outcome}]} if outcome else None,
        "suspectEntity": [
            {
                "instance": {"display": "CAR-T cells"},
                "causality": [{"assessment": {"coding": [{"system": f"{system}causality-assess", "code": causality}]}}],
            }
        ]
        if causality
        else None,
    }
    return _resource("AdverseEvent", **(given | elements))


def consent(trial: str | None, on: str | None = ago(1)) -> Resource:
    """A signed research Consent; None: to no trial in particular."""
    system = "http://terminology.hl7.org/CodeSystem/consentscope"
    return _resource(
        "Consent",
        "patient",
        status="active",
        scope={"coding": [{"system": system, "code": "research"}]},
        identifier=[{"system": "https://clinicaltrials.gov", "value": trial}] if trial else None,
        dateTime=on,
    )


def event(name: str, on: str) -> Resource:
    """A planned or past event of a trial."""
    return observation(f"local:event:{name}", None, valueDateTime=on)


def complete(*sections: str, on: str = ago(0)) -> list[Resource]:
    """Sections whose record is complete up to a date; none named: all."""
    return [
        observation("local:recordComplete", on, valueCodeableConcept=concept(f"local:{section}"))
        for section in sections or SECTIONS
    ]


def example(name: str, *changes: Facts, without: str | None = None) -> list[Resource]:
    """The facts of an example patient with more of them; those whose JSON matches `without` are left out."""
    bundle = json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    kept = []
    for entry in bundle["entry"]:
        resource = entry["resource"]
        if without and re.search(without, json.dumps(resource)):
            continue
        resource["_owner"] = next((key for key in ("subject", "patient") if key in resource), "")
        kept.append(resource)
    changed = flat(changes)
    if any(resource["resourceType"] == "Patient" for resource in changed):
        kept = [resource for resource in kept if resource["resourceType"] != "Patient"]
    return kept + changed


def flat(facts: Facts) -> list[Resource]:
    """The resources of nested lists."""
    if isinstance(facts, dict):
        return [facts]
    return [resource for some in facts for resource in flat(some)]


@dataclass(frozen=True)
class Asked:
    """How a patient is asked about, beside the date: what the command line says."""

    trial: str
    events: tuple[tuple[str, str], ...] = ()
    complete: tuple[str, ...] = ()
    windows: tuple[tuple[str, int], ...] = ()
    readings: tuple[tuple[str, str], ...] = ()
    code_map: str = ""

    def options(self, folder: Path) -> Options:
        """The options of `screen`; a code map is written to `folder`."""
        file = folder / "codes.csv" if self.code_map else None
        if file:
            file.write_text("system,code,key\n" + self.code_map, encoding="utf-8")
        return Options(
            trials=(self.trial,),
            on=ON,
            events={name: dt.date.fromisoformat(date) for name, date in self.events},
            complete=self.complete,
            windows=dict(self.windows),
            readings=dict(self.readings),
            code_map=file,
        )


@dataclass(frozen=True, eq=False)
class Case:
    """One patient and what must come out.

    `statuses`: row → status. `rows`: row → fields of its verdict that are compared (`passes_from`, `valid_until`,
    `open_kind`, …), or that a text must contain (`reason`, `missing`, `flags`, `evidence`; an empty text: nothing is
    there). `others`: row → readings `A3-10/key` → status under them. `whole`: fields of the whole verdict, and texts
    that `unread` must contain.
    """

    name: str
    asked: Asked
    facts: list[Resource]
    statuses: Mapping[str, str]
    rows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    others: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    whole: Mapping[str, Any] = field(default_factory=dict)

    @property
    def slug(self) -> str:
        """The patient's id."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    def resources(self) -> list[Resource]:
        """The FHIR resources, ids and references set; the first fact is `Patient/<slug>`, the others `<slug>-1` …"""
        made = copy.deepcopy(self.facts)
        if not any(resource["resourceType"] == "Patient" for resource in made):
            made.insert(0, person())
        made.sort(key=lambda resource: resource["resourceType"] != "Patient")
        for number, resource in enumerate(made):
            owner = resource.pop("_owner")
            resource["id"] = f"{self.slug}-{number}" if number else self.slug
            if number:
                resource[owner] = {"reference": f"Patient/{self.slug}"}
        return made


class Suite:
    """The cases of one trial, collected as a module states them."""

    def __init__(self, trial: str) -> None:
        self.trial = trial
        self.cases: list[Case] = []

    def case(
        self,
        name: str,
        expected: str,
        *facts: Facts,
        rows: Mapping[str, Mapping[str, Any]] | None = None,
        others: Mapping[str, Mapping[str, str]] | None = None,
        whole: Mapping[str, Any] | None = None,
        **asked: Any,
    ) -> None:
        """A case; `expected` is `I04 pass, I06c fail`, or rows with one status: `I04 I03g pass`."""
        statuses: dict[str, str] = {}
        for part in filter(None, (piece.strip() for piece in expected.split(","))):
            *names, status = part.split()
            assert status in ("pass", "fail", "unknown", "not-applicable"), f"{name}: {status} is no status"
            statuses |= dict.fromkeys(names, status)
        for option in ("events", "windows", "readings"):
            if option in asked:
                asked[option] = tuple(sorted(asked[option].items()))
        self.cases.append(
            Case(name, Asked(self.trial, **asked), flat(facts), statuses, rows or {}, others or {}, whole or {})
        )


def bundle(cases: Iterable[Case]) -> str:
    """All patients of the cases in one FHIR Bundle."""
    resources = [resource for case in cases for resource in case.resources()]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in resources]})


def screened(cases: tuple[Case, ...]) -> dict[str, Verdict]:
    """The verdicts of cases that are asked the same way, by patient."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "patients.json"
        file.write_text(bundle(cases), encoding="utf-8")
        return {verdict.patient: verdict for verdict in screen([file], cases[0].asked.options(Path(folder)))}


def batches(cases: Iterable[Case], size: int = BATCH) -> list[tuple[Case, ...]]:
    """The cases in groups that are asked the same way, none larger than the size."""
    groups: dict[Asked, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.asked, []).append(case)
    return [tuple(group[start : start + size]) for group in groups.values() for start in range(0, len(group), size)]


TEXTS = ("reason", "missing", "flags", "evidence")
"""Fields of a row that are compared by what they must contain."""


def faults(case: Case, verdict: Verdict) -> list[str]:
    """Where the verdict is not what the case demands, a line each."""
    rows = {row.id: row for row in verdict.criteria}
    found = [
        f"{row}: {rows[row].status} instead of {status} ({rows[row].reason})"
        for row, status in case.statuses.items()
        if rows[row].status != status
    ]
    for row, fields in case.rows.items():
        found += [line for name, value in fields.items() if (line := _field_fault(rows[row], name, value))]
    for row, readings in case.others.items():
        listed = {f"{other.ambiguity}/{other.key}": other.status for other in rows[row].other_readings}
        found += [f"{row}: other readings {listed} instead of {dict(readings)}"] if listed != readings else []
    for name, value in case.whole.items():
        if name == "unread":
            texts = [f"{record.record} {record.code} {record.display} {record.why}" for record in verdict.unread]
            found += [f"unread {texts} lacks {text!r}" for text in value if not any(text in line for line in texts)]
        elif getattr(verdict, name) != value:
            found.append(f"{name}: {getattr(verdict, name)} instead of {value}")
    return found


def _field_fault(row: RowVerdict, name: str, value: Any) -> str | None:
    there = getattr(row, name)
    if name in TEXTS:
        text = there if isinstance(there, str) else " | ".join(map(str, there))
        if value == "":
            return f"{row.id}: {name} {text!r} instead of none" if text else None
        return None if value in text else f"{row.id}: {name} {text!r} lacks {value!r}"
    return None if there == value else f"{row.id}: {name} is {there} instead of {value}"
