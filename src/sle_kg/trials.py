"""Trial files: the only place where a criterion is stated. This module reads them into values.

`load_trials` gives the trials with eligibility criteria and those without; `criteria.py` says what a trial is. What the
vocabulary cannot express is an error that names the node, never skipped.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sle_kg import criteria as c
from sle_kg.errors import TrialFileError
from sle_kg.namespaces import RDF, RDFS, SLE, TRIAL, XSD
from sle_kg.resources import path

if TYPE_CHECKING:
    import pyoxigraph as ox

PARAMETERS: dict[str, Literal["text", "texts", "concept", "concepts", "number", "integer", "boolean"]] = {
    "anchor": "concept",
    "test": "concepts",
    "positiveOnlyTest": "concepts",
    "valueSet": "concepts",
    "concurrentWith": "concepts",
    "instrument": "concept",
    "alsoAccepts": "concept",
    "classificationSet": "concept",
    "diagnosis": "concept",
    "index": "concept",
    "biopsyClass": "texts",
    "quantity": "text",
    "validFor": "text",
    "method": "text",
    "lookback": "text",
    "when": "text",
    "severity": "text",
    "equivalence": "text",
    "route": "text",
    "gap": "text",
    "concurrentGap": "text",
    "measure": "text",
    "counting": "text",
    "statement": "text",
    "which": "text",
    "sex": "text",
    "perKilogram": "boolean",
    "sinceFirstDose": "boolean",
    "asDocumented": "boolean",
    "dailyDose": "number",
    "halfLives": "integer",
}
"""Every parameter property of leaf conditions, and how its values are read."""

LEAVES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    kind: (frozenset(required.split()), frozenset(optional.split()))
    for kind, required, optional in [
        ("AgeCondition", "anchor", ""),
        ("MeasurementCondition", "test quantity validFor", "method"),
        ("CreatinineClearanceCondition", "validFor", ""),
        ("RoomAirCondition", "", ""),
        ("ScoreCondition", "instrument validFor", "alsoAccepts"),
        ("HighestScoreCondition", "instrument lookback", ""),
        ("PositiveTestCondition", "test validFor", "positiveOnlyTest"),
        ("QuantifiedCondition", "test validFor", ""),
        ("ClassificationCondition", "classificationSet diagnosis", ""),
        ("DaysSinceDiagnosisCondition", "classificationSet diagnosis anchor", ""),
        ("DiagnosisCondition", "valueSet when", "lookback anchor severity"),
        ("DiagnosisCountCondition", "valueSet", ""),
        ("ProcedureCondition", "valueSet when", "lookback anchor"),
        ("ImmunizationCondition", "valueSet lookback anchor", ""),
        ("ExposureCondition", "valueSet when", "lookback anchor"),
        ("DrugCountCondition", "valueSet", ""),
        ("WashoutCondition", "valueSet halfLives", ""),
        ("DailyDoseCondition", "valueSet equivalence perKilogram", ""),
        ("HighestDoseCondition", "valueSet equivalence perKilogram when", "lookback anchor"),
        (
            "DoseDurationCondition",
            "valueSet equivalence perKilogram dailyDose lookback",
            "concurrentWith concurrentGap",
        ),
        ("TreatmentDurationCondition", "valueSet gap measure counting", "lookback sinceFirstDose"),
        ("CumulativeDoseCondition", "valueSet route", ""),
        ("ContraindicationCondition", "valueSet", "asDocumented"),
        ("StatementCondition", "statement", ""),
        ("FertilityCondition", "", ""),
        ("NoChildbearingPotentialCondition", "", ""),
        ("PregnancyCondition", "validFor", ""),
        ("ConsentCondition", "", ""),
        ("AllergyCondition", "which", "valueSet"),
        ("BiopsyClassCondition", "biopsyClass", ""),
        ("BiopsyCondition", "", ""),
        ("BiopsyIndexCondition", "index", ""),
        ("BiopsyAgeCondition", "lookback", ""),
        (
            "RenalWorseningCondition",
            "valueSet equivalence perKilogram dailyDose lookback",
            "concurrentWith concurrentGap",
        ),
        ("DonatedVolumeCondition", "lookback", ""),
        ("SexCondition", "sex", ""),
    ]
}
"""Leaf class → (required parameters, optional parameters)."""

COMPARISONS: dict[str, c.Operator] = {
    "minInclusive": ">=",
    "minExclusive": ">",
    "maxInclusive": "<=",
    "maxExclusive": "<",
}

MONTHS_WITHOUT_ANCHOR = {1: (28, 31), 2: (59, 62), 3: (89, 92), 6: (181, 184), 12: (365, 366)}
"""Fewest and most days of n consecutive calendar months (CONTRACT section 4, rule 5)."""

Computability = Literal["computable", "partly", "judgement"]
COMPUTABILITY: dict[str, Computability] = {
    "Computable": "computable",
    "PartlyComputable": "partly",
    "NeedsJudgement": "judgement",
}
NO_ELIGIBILITY = "The copy used holds no eligibility criteria; check the registry or the protocol."
SUBJECT_TO_INCLUSION_ONLY = (
    "The copy used shows no exclusion criteria; the trial may have them: check the registry or the protocol."
)


def trial_files() -> list[Path]:
    """Every trial file, sorted by name."""
    return sorted(path("trials").glob("NCT*.ttl"))


@functools.cache
def load_trials() -> dict[str, c.Trial]:
    """Every modelled trial by registry id, those without eligibility criteria too (their `criteria` are empty).

    Raises TrialFileError when a file says something the vocabulary cannot express.
    """
    return {trial.id: trial for trial in map(read_trial, trial_files())}


def screenable() -> dict[str, c.Trial]:
    """The trials whose copy of the record shows eligibility criteria."""
    return {nct: trial for nct, trial in load_trials().items() if trial.criteria}


def read_trial(file: Path) -> c.Trial:
    """One trial file as a value. Raises TrialFileError naming the file and the node."""
    import pyoxigraph as ox

    store = ox.Store()
    try:
        store.load(path=str(file), format=ox.RdfFormat.TURTLE)
    except SyntaxError as error:
        raise TrialFileError(f"{file.name} is not valid Turtle: {error}") from None
    return _Reader(store, file.name).trial()


@dataclass
class _Reader:
    """Reads one trial's graph; every accessor names the node it fails on."""

    store: ox.Store
    file: str

    # ---- graph access -------------------------------------------------------------------------------------------

    def values(self, subject: str, name: str, prefix: str = SLE) -> list[str]:
        """The values of a property, IRIs and literals as text, sorted."""
        import pyoxigraph as ox

        found = self.store.quads_for_pattern(ox.NamedNode(subject), ox.NamedNode(prefix + name), None)
        return sorted(quad.object.value for quad in found)  # type: ignore[union-attr]

    def optional(self, subject: str, name: str, prefix: str = SLE) -> str | None:
        """The one value of a property, None where there is none."""
        found = self.values(subject, name, prefix)
        if len(found) > 1:
            raise self.error(subject, f"has {len(found)} values of {name}; one is allowed")
        return found[0] if found else None

    def required(self, subject: str, name: str, prefix: str = SLE) -> str:
        """The one value of a property that must be there."""
        found = self.optional(subject, name, prefix)
        if found is None:
            raise self.error(subject, f"lacks {name}; add it")
        return found

    def subjects(self, name: str, value: str) -> list[str]:
        """The subjects that have this IRI as value of the property."""
        import pyoxigraph as ox

        quads = self.store.quads_for_pattern(None, ox.NamedNode(name), ox.NamedNode(value))
        return sorted(quad.subject.value for quad in quads)  # type: ignore[union-attr]

    def types(self, subject: str) -> list[str]:
        """Local names of the sle: classes of a node."""
        return [iri.removeprefix(SLE) for iri in self.values(subject, "type", RDF) if iri.startswith(SLE)]

    def error(self, subject: str, problem: str) -> TrialFileError:
        return TrialFileError(f"{self.file}: {subject.removeprefix(TRIAL)} {problem}.")

    # ---- trial, rows, readings ----------------------------------------------------------------------------------

    def trial(self) -> c.Trial:
        trials = self.subjects(RDF + "type", SLE + "Trial")
        if len(trials) != 1:
            raise TrialFileError(f"{self.file} describes {len(trials)} trials; it must describe one.")
        iri = trials[0]
        nct = self.required(iri, "registryId")
        shows_exclusion = self.required(iri, "showsExclusionCriteria") == "true"
        rows = [
            (int(self.required(row, "position")), row)
            for kind in ("InclusionCriterion", "ExclusionCriterion")
            for row in self.subjects(RDF + "type", SLE + kind)
        ]
        criteria = tuple(self.criterion(row, nct) for _, row in sorted(rows))
        self.check_references(criteria)
        return c.Trial(
            id=nct,
            label=self.required(iri, "label", RDFS),
            criteria=criteria,
            readings=tuple(self.readings()),
            source_complete=shows_exclusion,
            recruitment_status=self.registered(nct, "overallStatus"),
            recruitment_as_of=self.required(iri, "recruitmentAsOf"),
            recruitment_source=self.required(f"{TRIAL}{nct}/registered/overallStatus", "source", _DCTERMS),
            caveats=(SUBJECT_TO_INCLUSION_ONLY,) if criteria and not shows_exclusion else (),
        )

    def registered(self, nct: str, name: str) -> str:
        return self.required(f"{TRIAL}{nct}/registered/{name}", "value")

    def criterion(self, iri: str, nct: str) -> c.Criterion:
        parent = self.optional(iri, "partOf")
        computability = self.required(iri, "computability").removeprefix(SLE)
        not_applicable = self.optional(iri, "notApplicableWhen")
        if computability not in COMPUTABILITY:
            raise self.error(iri, f"has the unknown computability {computability}")
        return c.Criterion(
            id=self.required(iri, "criterionId"),
            trial=nct,
            kind="inclusion" if "InclusionCriterion" in self.types(iri) else "exclusion",
            parent=self.required(parent, "criterionId") if parent else None,
            text=self.required(iri, "quotation"),
            sentence=self.required(iri, "sentence"),
            computability=COMPUTABILITY[computability],
            condition=self.condition(self.required(iri, "condition"), ()),
            not_applicable=self.condition(not_applicable, ()) if not_applicable else None,
            flags=tuple(self.flag(flag) for flag in self.values(iri, "flag")),
            anchor=(self.optional(iri, "anchor") or "").removeprefix(SLE) or None,
            topic=(self.optional(iri, "topic") or "").removeprefix(SLE + "topic-") or None,
            ambiguities=tuple(value.rsplit("/", 1)[1] for value in self.values(iri, "hasAmbiguity")),
            formal_reading=self.optional(iri, "formalReading") or "",
            type=self.optional(iri, "criterionType") or "",
        )

    def flag(self, iri: str) -> c.Flag:
        return c.Flag(self.required(iri, "flagText"), self.condition(self.required(iri, "condition"), ()))

    def readings(self) -> Iterator[c.Reading]:
        for iri in self.subjects(RDF + "type", SLE + "Reading"):
            yield c.Reading(
                ambiguity=self.required(iri, "ofAmbiguity").rsplit("/", 1)[1],
                key=self.required(iri, "readingKey"),
                default=self.required(iri, "isDefault") == "true",
                rows=tuple(value.rsplit("/", 1)[1] for value in self.values(iri, "appliesTo")),
                meaning=self.required(iri, "meaning"),
            )

    def check_references(self, criteria: tuple[c.Criterion, ...]) -> None:
        """Every row referred to exists, and no row refers to itself through others."""
        rows = {criterion.id: criterion for criterion in criteria}
        references: dict[str, set[str]] = {}
        for criterion in criteria:
            found = {node.row for node in c.walk(criterion.condition) if isinstance(node, c.RowRef)}
            for row in sorted(found - rows.keys()):
                raise TrialFileError(f"{self.file}: {criterion.id} refers to the row {row}, which is not there.")
            references[criterion.id] = found
        for row in rows:
            reached: set[str] = set()
            todo = set(references[row])
            while todo:
                reached |= todo
                todo = set().union(*(references[r] for r in todo)) - reached
            if row in reached:
                raise TrialFileError(f"{self.file}: the condition of {row} refers back to itself; break the cycle.")

    # ---- conditions ---------------------------------------------------------------------------------------------

    def condition(self, iri: str, above: tuple[str, ...]) -> c.Condition:
        """The tree under a node. `above` are the nodes on the way down, to find a cycle."""
        if iri in above:
            raise self.error(iri, "contains itself; break the cycle")
        types = self.types(iri)
        if not types:
            raise self.error(iri, "is used as a condition and not described; describe it")
        if {"InclusionCriterion", "ExclusionCriterion"} & set(types):
            return c.RowRef(iri, self.required(iri, "criterionId"))
        if len(types) != 1:
            raise self.error(iri, f"has the types {', '.join(types)}; a condition has one")
        kind, below = types[0], (*above, iri)
        match kind:
            case "Always":
                return c.Always(iri)
            case "JudgementCondition":
                return self.judgement(iri)
            case "ByReading":
                return self.by_reading(iri, below)
            case "Not":
                return c.Not(iri, self.condition(self.required(iri, "operand"), below))
            case "AllOf" | "AnyOf" | "AtLeast":
                return self.group(iri, kind, below)
        return self.leaf(iri, kind)

    def judgement(self, iri: str) -> c.Judgement:
        move = self.optional(iri, "openKind") or "judgement"
        if move not in ("judgement", "agreement", "data"):
            raise self.error(iri, f"has the unknown openKind {move}")
        return c.Judgement(iri, self.required(iri, "question"), move)  # type: ignore[arg-type]

    def group(self, iri: str, kind: str, above: tuple[str, ...]) -> c.Condition:
        operands = tuple(self.condition(node, above) for node in sorted(self.values(iri, "operand"), key=_natural))
        if not operands:
            raise self.error(iri, "lacks operand; add it")
        if kind == "AtLeast":
            return c.AtLeast(iri, int(self.required(iri, "count")), operands)
        return c.AllOf(iri, operands) if kind == "AllOf" else c.AnyOf(iri, operands)

    def by_reading(self, iri: str, above: tuple[str, ...]) -> c.ByReading:
        options, default = [], None
        for option in self.values(iri, "option"):
            reading = self.required(option, "reading")
            key = self.required(reading, "readingKey")
            options.append((key, self.condition(self.required(option, "condition"), above)))
            if self.required(reading, "isDefault") == "true":
                default = key
        if default is None:
            raise self.error(iri, "has no default reading; mark one")
        return c.ByReading(iri, self.required(iri, "ambiguity").rsplit("/", 1)[1], default, tuple(options))

    def leaf(self, iri: str, kind: str) -> c.Leaf:
        if kind not in LEAVES:
            raise self.error(iri, f"has the type sle:{kind}, which is no condition of the vocabulary")
        required, optional = LEAVES[kind]
        names = {name for name in PARAMETERS if self.values(iri, name)}
        if missing := sorted(required - names):
            raise self.error(iri, f"lacks {', '.join(missing)}; a {kind} needs it")
        if surplus := sorted(names - required - optional):
            raise self.error(iri, f"has {', '.join(surplus)}, which a {kind} does not know")
        parameters = tuple((name, self.parameter(iri, name)) for name in sorted(names))
        operator, met, unmet = self.comparison(iri)
        return c.Leaf(iri, c.Feature(kind, parameters), operator, met, unmet, self.optional(iri, "unit"))

    def parameter(self, iri: str, name: str) -> c.Parameter:
        values = [value.removeprefix(SLE) for value in self.values(iri, name)]
        how = PARAMETERS[name]
        if how in ("texts", "concepts"):
            return tuple(values)
        if len(values) > 1:
            raise self.error(iri, f"has {len(values)} values of {name}; one is allowed")
        match how:
            case "number":
                return Decimal(values[0])
            case "integer":
                return int(values[0])
            case "boolean":
                return values[0] == "true"
        return values[0]

    def comparison(self, iri: str) -> tuple[c.Operator, Decimal, Decimal]:
        """Operator, bound to be met, bound to be unmet; presence (>= 1) where none is stated."""
        stated = [name for name in (*COMPARISONS, "minDuration") if self.values(iri, name)]
        if len(stated) > 1:
            raise self.error(iri, f"compares twice ({', '.join(stated)}); one comparison is allowed")
        if not stated:
            return ">=", Decimal(1), Decimal(1)
        text = self.required(iri, stated[0])
        if self.optional(iri, "unit") is None:
            raise self.error(iri, "has a threshold without unit; add sle:unit")
        if stated[0] == "minDuration":
            fewest, most = months_as_days(text)
            return ">=", Decimal(most), Decimal(fewest)
        bound = Decimal(text)
        return COMPARISONS[stated[0]], bound, bound


_DCTERMS = "http://purl.org/dc/terms/"
_DECIMAL = XSD + "decimal"


def months_as_days(duration: str) -> tuple[int, int]:
    """Fewest and most days of a duration in months that has no anchor: `P3M` gives (89, 92).

    Raises TrialFileError for anything but whole months that the table knows.
    """
    number = duration.removeprefix("P").removesuffix("M")
    if not number.isdecimal() or int(number) not in MONTHS_WITHOUT_ANCHOR:
        raise TrialFileError(f"The duration {duration} without an anchor is not one of P1M, P2M, P3M, P6M, P12M.")
    return MONTHS_WITHOUT_ANCHOR[int(number)]


def _natural(iri: str) -> list[tuple[int, str]]:
    """Sort key that puts …/10 after …/9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in iri.split("/")]
