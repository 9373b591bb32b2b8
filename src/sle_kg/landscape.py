"""The landscape: the registered CAR-T trials of the registry snapshot as trials of the graph, structured fields only.

Source, licence and date: registry/SOURCES.md. A field that a line leaves empty gives no triple; nothing is read out of
free text. A trial that is also modelled (it has a file in `trials/`) keeps its one IRI: what the snapshot says of it
becomes `sle:Fact` nodes with date and source beside the facts of its file; label and sites are those of its file.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyoxigraph as ox

from sle_kg.errors import InputError
from sle_kg.namespaces import DCTERMS, GEO, RDF, RDFS, SLE, TRIAL, XSD
from sle_kg.resources import path

SNAPSHOT_SOURCE = "https://github.com/ptjeong/Rheumatology-CAR-T-Trials-Monitor-/tree/main/snapshots"
ATTRIBUTION = "ClinicalTrials.gov, through the Rheumatology CAR-T Trials Monitor (MIT), snapshot {date}"

_TRIALS_FILE = "cart_autoimmune_trials.csv"
_SITES_FILE = "cart_autoimmune_sites.csv"
_AGE = re.compile(r"(\d+) Years?")
_PLACEHOLDERS = frozenset({"", "Unknown", "Please Select"})
"""What an untouched form field says: no value."""


@dataclass(frozen=True, slots=True)
class _Column:
    """How a column becomes property values.

    `datatype` is an XSD name, or `individual`, `age`, `year` (see `_term`); `several`: `|` separates values.
    `fact`: for a modelled trial, dated in a fact node here (the other columns are dated in its own file).
    """

    name: str
    property: str
    datatype: str = "string"
    several: bool = False
    fact: bool = True


_COLUMNS = (
    _Column("BriefTitle", "briefTitle"),
    _Column("OverallStatus", "recruitmentStatus", "individual", fact=False),
    _Column("Phase", "phase", "individual", several=True, fact=False),
    _Column("Conditions", "conditionName", several=True),
    _Column("Interventions", "interventionName", several=True),
    _Column("StartDate", "startDate", "date", fact=False),
    _Column("StartYear", "startYear", "year", fact=False),
    _Column("LastUpdatePostDate", "lastUpdatePosted", "date"),
    _Column("EnrollmentCount", "enrollmentCount", "integer", fact=False),
    _Column("EnrollmentType", "enrollmentType", fact=False),
    _Column("Countries", "country", several=True, fact=False),
    _Column("LeadSponsor", "sponsor", fact=False),
    _Column("LeadSponsorClass", "sponsorClass", fact=False),
    _Column("SponsorType", "sponsorType"),
    _Column("MinAge", "minimumAgeText", fact=False),
    _Column("MinAge", "minimumAgeYears", "age", fact=False),
    _Column("MaxAge", "maximumAgeText", fact=False),
    _Column("MaxAge", "maximumAgeYears", "age", fact=False),
    _Column("StdAges", "standardAge", several=True),
    _Column("DiseaseEntities", "diseaseEntity", several=True),
    _Column("TrialDesign", "diseaseScope"),
    _Column("TargetCategory", "targetCategory"),
    _Column("TargetSource", "targetCategorySource"),
    _Column("ProductType", "productType"),
    _Column("ProductTypeSource", "productTypeSource"),
    _Column("ProductName", "productName"),
    _Column("ClassificationConfidence", "classificationConfidence"),
)

_INDIVIDUALS = {
    "EARLY_PHASE1": "earlyPhase1",
    "PHASE1": "phase1",
    "PHASE2": "phase2",
    "PHASE3": "phase3",
    "NA": "phaseNotApplicable",
    "RECRUITING": "recruiting",
    "NOT_YET_RECRUITING": "notYetRecruiting",
    "ACTIVE_NOT_RECRUITING": "activeNotRecruiting",
    "ENROLLING_BY_INVITATION": "enrollingByInvitation",
    "COMPLETED": "completed",
    "SUSPENDED": "suspended",
    "TERMINATED": "terminated",
    "WITHDRAWN": "withdrawn",
    "UNKNOWN": "unknownStatus",
}
"""The registry's codes of phase and status, as individuals of ontology/trial.ttl."""

_SITE_COLUMNS = (
    _Column("City", "city"),
    _Column("State", "region"),
    _Column("Zip", "postalCode"),
    _Column("Country", "country"),
    _Column("SiteStatus", "recruitmentStatus", "individual"),
)


def landscape(modelled: frozenset[str]) -> Iterator[ox.Triple]:
    """The triples of all registered trials and their sites; `modelled` are the NCT numbers that have a trial file.

    Raises InputError when a line of the snapshot cannot be read.
    """
    registered = set()
    for line, row in _rows(_TRIALS_FILE):
        registered.add(row["NCTId"])
        yield from _trial(row, f"{_TRIALS_FILE}, line {line}", row["NCTId"] in modelled)
    date = snapshot_date()
    counts: dict[str, int] = {}
    for line, row in _rows(_SITES_FILE):
        trial = row["NCTId"]
        if trial in registered - modelled:
            counts[trial] = counts.get(trial, 0) + 1
            yield from _site(row, f"{_SITES_FILE}, line {line}", counts[trial], date)


def snapshot_date() -> str:
    """The date of the snapshot (ISO), as every line of it says."""
    return next(_rows(_TRIALS_FILE))[1]["SnapshotDate"]


def _rows(name: str) -> Iterator[tuple[int, dict[str, str]]]:
    file: Path = path("registry") / name
    with file.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        for row in reader:
            yield reader.line_num, row


def _trial(row: dict[str, str], place: str, modelled: bool) -> Iterator[ox.Triple]:
    number = row["NCTId"]
    trial = ox.NamedNode(TRIAL + number)
    yield ox.Triple(trial, _RDF_TYPE, _sle("Trial"))
    yield ox.Triple(trial, _RDF_TYPE, _sle("RegisteredTrial"))
    yield ox.Triple(trial, _sle("registryId"), ox.Literal(number))
    if not modelled:
        yield ox.Triple(trial, _sle("modelled"), ox.Literal(False))
        yield ox.Triple(trial, ox.NamedNode(RDFS + "label"), ox.Literal(row["BriefTitle"]))
        yield from _provenance(trial, row["SnapshotDate"])
    for column in _COLUMNS:
        for value in _values(row, column, place):
            yield ox.Triple(trial, _sle(column.property), value)
        if modelled and column.fact and row[column.name] not in _PLACEHOLDERS:
            yield from _fact(trial, column, row, place)


def _fact(trial: ox.NamedNode, column: _Column, row: dict[str, str], place: str) -> Iterator[ox.Triple]:
    """What the snapshot says about one property of a modelled trial, with the snapshot's date and source."""
    fact = ox.NamedNode(f"{trial.value}/registry-fact/{column.property}")
    yield ox.Triple(fact, _RDF_TYPE, _sle("Fact"))
    yield ox.Triple(fact, _sle("aboutTrial"), trial)
    yield ox.Triple(fact, _sle("property"), ox.Literal(column.property))
    for value in _values(row, column, place):
        yield ox.Triple(fact, _sle("value"), ox.Literal(value.value))
    yield ox.Triple(fact, _sle("verification"), ox.Literal("VERIFIED"))
    yield from _provenance(fact, row["SnapshotDate"])


def _site(row: dict[str, str], place: str, number: int, date: str) -> Iterator[ox.Triple]:
    trial = ox.NamedNode(TRIAL + row["NCTId"])
    site = ox.NamedNode(f"{trial.value}/registry-site/{number}")
    yield ox.Triple(trial, _sle("site"), site)
    yield ox.Triple(site, _RDF_TYPE, _sle("Site"))
    yield ox.Triple(site, ox.NamedNode(RDFS + "label"), ox.Literal(row["Facility"]))
    for column in _SITE_COLUMNS:
        for value in _values(row, column, place):
            yield ox.Triple(site, _sle(column.property), value)
    for name, term in (("Latitude", "lat"), ("Longitude", "long")):
        if row[name]:
            yield ox.Triple(site, ox.NamedNode(GEO + term), _typed(row[name], "decimal"))
    yield from _provenance(site, date)


def _provenance(node: ox.NamedNode, date: str) -> Iterator[ox.Triple]:
    yield ox.Triple(node, _sle("asOf"), _typed(date, "date"))
    yield ox.Triple(node, ox.NamedNode(DCTERMS + "source"), ox.NamedNode(f"{SNAPSHOT_SOURCE}/{date}"))


def _values(row: dict[str, str], column: _Column, place: str) -> list[ox.Literal | ox.NamedNode]:
    texts = row[column.name].split("|") if column.several else [row[column.name]]
    return [_term(text, column.datatype, place) for text in texts if text not in _PLACEHOLDERS]


def _term(text: str, datatype: str, place: str) -> ox.Literal | ox.NamedNode:
    """A field as a term; ages are completed years ("18 Years" is 18), start years lose the snapshot's `.0`."""
    match datatype:
        case "string":
            return ox.Literal(text)
        case "individual":
            if text not in _INDIVIDUALS:
                raise InputError(
                    f"registry/{place}: {text!r} is no phase or status that is known; add it to landscape.py"
                )
            return _sle(_INDIVIDUALS[text])
        case "age":
            age = _AGE.fullmatch(text)
            if age is None:
                raise InputError(f"registry/{place}: the age {text!r} is not a number of years; correct the snapshot")
            return _typed(age[1], "integer")
        case "year":
            return _typed(text.removesuffix(".0"), "integer")
    return _typed(text, datatype)


def _typed(text: str, datatype: str) -> ox.Literal:
    return ox.Literal(text, datatype=ox.NamedNode(XSD + datatype))


def _sle(name: str) -> ox.NamedNode:
    return ox.NamedNode(SLE + name)


_RDF_TYPE = ox.NamedNode(RDF + "type")
