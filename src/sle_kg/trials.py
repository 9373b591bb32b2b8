"""Trial files: the only place where a criterion is stated. This module reads them into values.

`load_trials` gives the trials with eligibility criteria and those without; `criteria.py` says what a trial is. What the
vocabulary cannot express is an error that names the node, never skipped.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sle_kg import criteria as c
from sle_kg.conditions import ConditionReader
from sle_kg.errors import TrialFileError
from sle_kg.namespaces import RDF, RDFS, SLE, TRIAL
from sle_kg.resources import path

if TYPE_CHECKING:
    pass

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


class _Reader(ConditionReader):
    """Reads one trial's graph."""

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


_DCTERMS = "http://purl.org/dc/terms/"
