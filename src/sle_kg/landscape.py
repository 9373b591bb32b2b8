"""The landscape: the registered CAR-T trials of the registry snapshot as trials of the graph, structured fields only.

Source, licence and date: registry/SOURCES.md. A field that a line leaves empty gives no triple; nothing is read out of
free text. A trial that is also modelled (it has a file in `trials/`) keeps its one IRI: what the snapshot says of it
becomes `sle:Fact` nodes with date and source beside the facts of its file, and it is not labelled twice.
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
    """How a column of the trials file becomes property values: datatype, and whether `|` separates several."""

    name: str
    property: str
    datatype: str = "string"
    several: bool = False


_COLUMNS = (
    _Column("BriefTitle", "briefTitle"),
    _Column("OverallStatus", "recruitmentStatus"),
    _Column("Phase", "phase", several=True),
    _Column("Conditions", "conditionName", several=True),
    _Column("Interventions", "interventionName", several=True),
    _Column("StartDate", "startDate", "date"),
    _Column("StartYear", "startYear", "year"),
    _Column("LastUpdatePostDate", "lastUpdatePostDate", "date"),
    _Column("EnrollmentCount", "enrollmentCount", "integer"),
    _Column("EnrollmentType", "enrollmentType"),
    _Column("Countries", "country", several=True),
    _Column("LeadSponsor", "leadSponsor"),
    _Column("LeadSponsorClass", "leadSponsorClass"),
    _Column("SponsorType", "sponsorType"),
    _Column("MinAge", "minimumAgeText"),
    _Column("MinAge", "minimumAge", "age"),
    _Column("MaxAge", "maximumAgeText"),
    _Column("MaxAge", "maximumAge", "age"),
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

_SITE_COLUMNS = (
    _Column("City", "city"),
    _Column("State", "state"),
    _Column("Zip", "postalCode"),
    _Column("Country", "country"),
    _Column("SiteStatus", "recruitmentStatus"),
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
        if trial in registered:
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
        if modelled and row[column.name] not in _PLACEHOLDERS:
            yield from _fact(trial, column, row, place)


def _fact(trial: ox.NamedNode, column: _Column, row: dict[str, str], place: str) -> Iterator[ox.Triple]:
    """What the snapshot says about one property of a modelled trial, with the snapshot's date and source."""
    fact = ox.NamedNode(f"{trial.value}/registry-fact/{column.property}")
    yield ox.Triple(fact, _RDF_TYPE, _sle("Fact"))
    yield ox.Triple(fact, _sle("ofTrial"), trial)
    yield ox.Triple(fact, _sle("property"), ox.Literal(column.property))
    for value in _values(row, column, place):
        yield ox.Triple(fact, _sle("value"), ox.Literal(value.value))
    yield ox.Triple(fact, _sle("exactText"), ox.Literal(row[column.name]))
    yield ox.Triple(fact, _sle("status"), ox.Literal("registry snapshot"))
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
            yield ox.Triple(site, ox.NamedNode(GEO + term), _literal(row[name], "decimal", place))
    yield from _provenance(site, date)


def _provenance(node: ox.NamedNode, date: str) -> Iterator[ox.Triple]:
    yield ox.Triple(node, _sle("asOf"), _literal(date, "date", _TRIALS_FILE))
    yield ox.Triple(node, ox.NamedNode(DCTERMS + "source"), ox.NamedNode(f"{SNAPSHOT_SOURCE}/{date}"))


def _values(row: dict[str, str], column: _Column, place: str) -> list[ox.Literal]:
    texts = row[column.name].split("|") if column.several else [row[column.name]]
    return [_literal(text, column.datatype, place) for text in texts if text not in _PLACEHOLDERS]


def _literal(text: str, datatype: str, place: str) -> ox.Literal:
    """A field as a literal; ages are completed years ("18 Years" is 18), start years lose the snapshot's `.0`."""
    if datatype == "string":
        return ox.Literal(text)
    if datatype == "age":
        match = _AGE.fullmatch(text)
        if match is None:
            raise InputError(f"registry/{place}: the age {text!r} is not a number of years; correct the snapshot")
        return _typed(match[1], "integer")
    if datatype == "year":
        return _typed(text.removesuffix(".0"), "integer")
    return _typed(text, datatype)


def _typed(text: str, datatype: str) -> ox.Literal:
    return ox.Literal(text, datatype=ox.NamedNode(XSD + datatype))


def _sle(name: str) -> ox.NamedNode:
    return ox.NamedNode(SLE + name)


_RDF_TYPE = ox.NamedNode(RDF + "type")
