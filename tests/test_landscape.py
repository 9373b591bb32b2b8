"""The registered trials: every structured field of the snapshot, nothing else, with date and source."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pyoxigraph as ox
import pytest

from sle_kg import landscape as module
from sle_kg.errors import InputError
from sle_kg.graph import parse_file
from sle_kg.landscape import landscape
from sle_kg.namespaces import DCTERMS, RDF, RDFS, SLE, TRIAL, XSD
from sle_kg.resources import path
from sle_kg.trials import trial_files

N = ox.NamedNode


def rows(name: str) -> list[dict[str, str]]:
    with (path("registry") / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


TRIALS = rows("cart_autoimmune_trials.csv")
SITES = rows("cart_autoimmune_sites.csv")


@pytest.fixture(scope="module")
def triples() -> set[ox.Triple]:
    return set(landscape(frozenset()))


def values(triples: set[ox.Triple], name: str) -> Counter[str]:
    return Counter(t.object.value.removeprefix(SLE) for t in triples if t.predicate == N(SLE + name))


def test_every_line_is_a_trial_marked_as_registered_and_not_modelled(triples: set[ox.Triple]) -> None:
    registered = {t.subject.value for t in triples if t.object == N(SLE + "RegisteredTrial")}
    assert registered == {TRIAL + row["NCTId"] for row in TRIALS}
    assert len(registered) == 315
    assert values(triples, "modelled") == {"false": 315}


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("TargetCategory", "targetCategory"),
        ("SponsorType", "sponsorType"),
        ("LeadSponsorClass", "sponsorClass"),
        ("ProductType", "productType"),
        ("LeadSponsor", "sponsor"),
        ("EnrollmentCount", "enrollmentCount"),
        ("StartDate", "startDate"),
        ("MinAge", "minimumAgeText"),
    ],
)
def test_a_column_of_one_value_is_counted_alike(triples: set[ox.Triple], column: str, name: str) -> None:
    assert values(triples, name) == Counter(row[column] for row in TRIALS if row[column])


@pytest.mark.parametrize(
    ("column", "name"),
    [("StdAges", "standardAge"), ("DiseaseEntities", "diseaseEntity"), ("Interventions", "interventionName")],
)
def test_a_column_of_several_values_is_split(triples: set[ox.Triple], column: str, name: str) -> None:
    pairs = {(row["NCTId"], value) for row in TRIALS for value in row[column].split("|") if value}
    found = {(t.subject.value.removeprefix(TRIAL), t.object.value) for t in triples if t.predicate == N(SLE + name)}
    assert found == pairs


def test_ages_are_whole_years_beside_the_text(triples: set[ox.Triple]) -> None:
    ages = {t.subject.value: t.object for t in triples if t.predicate == N(SLE + "minimumAgeYears")}
    assert {age.datatype.value for age in ages.values()} == {XSD + "integer"}
    for row in TRIALS:
        expected = row["MinAge"].split()[0] if row["MinAge"] else None
        found = ages.get(TRIAL + row["NCTId"])
        assert (found and found.value) == expected


def test_an_age_in_another_unit_is_refused() -> None:
    with pytest.raises(InputError, match="line 3: the age '6 Months' is not a number of years"):
        module._term("6 Months", "age", "line 3")


def test_phases_and_statuses_are_individuals_and_unknown_ones_are_refused(triples: set[ox.Triple]) -> None:
    assert values(triples, "phase")["earlyPhase1"] == sum(row["Phase"] == "EARLY_PHASE1" for row in TRIALS)
    assert values(triples, "phase")["phase2"] == sum("PHASE2" in row["Phase"].split("|") for row in TRIALS)
    with pytest.raises(InputError, match="'PHASE5' is no phase or status that is known"):
        module._term("PHASE5", "individual", "line 3")


def test_sites_are_those_of_the_trials_with_coordinates_and_status(triples: set[ox.Triple]) -> None:
    ids = {row["NCTId"] for row in TRIALS}
    expected = [row for row in SITES if row["NCTId"] in ids]
    sites = {t.object for t in triples if t.predicate == N(SLE + "site")}
    assert len(sites) == len(expected)
    assert len([t for t in triples if t.predicate.value.endswith("wgs84_pos#lat")]) == sum(
        bool(row["Latitude"]) for row in expected
    )
    recruiting = [t for t in triples if t.subject in sites and t.object == N(SLE + "recruiting")]
    assert len(recruiting) == sum(row["SiteStatus"] == "RECRUITING" for row in expected)


def test_trials_and_sites_carry_date_and_source(triples: set[ox.Triple]) -> None:
    nodes = {t.subject for t in triples if t.predicate == N(RDF + "type")}
    dated = {t.subject for t in triples if t.predicate == N(SLE + "asOf") and t.object.value == "2026-08-22"}
    sourced = {t.subject for t in triples if t.predicate == N(DCTERMS + "source")}
    assert nodes == dated == sourced


def test_free_text_stays_out(triples: set[ox.Triple]) -> None:
    texts = {t.object.value for t in triples}
    summaries = {row["BriefSummary"] for row in TRIALS} - {row["BriefTitle"] for row in TRIALS}
    assert texts.isdisjoint(summaries)


def test_a_modelled_trial_keeps_its_label_and_sites_and_gets_dated_facts() -> None:
    found = [t for t in landscape(frozenset({"NCT06892145"})) if t.subject.value.startswith(TRIAL + "NCT06892145")]
    trial = N(TRIAL + "NCT06892145")
    assert {t.predicate.value for t in found if t.subject == trial}.isdisjoint(
        {RDFS + "label", SLE + "site", SLE + "asOf", SLE + "modelled"}
    )
    facts = {t.subject for t in found if t.object == N(SLE + "Fact")}
    assert {t.subject for t in found if t.predicate == N(SLE + "asOf")} == facts
    assert (
        ox.Triple(N(TRIAL + "NCT06892145/registry-fact/targetCategory"), N(SLE + "value"), ox.Literal("CD19")) in found
    )


@pytest.mark.parametrize("file", trial_files(), ids=lambda file: file.stem)
def test_a_trial_file_and_the_snapshot_agree_on_what_both_say(file: Path, triples: set[ox.Triple]) -> None:
    trial = N(TRIAL + file.stem)
    shared = {"phase", "recruitmentStatus", "enrollmentCount", "enrollmentType", "startDate", "sponsor", "productType"}
    shared |= {"minimumAgeYears", "maximumAgeYears", "lastUpdatePosted"}
    for name in shared:
        own = {q.object for q in parse_file(file) if q.subject == trial and q.predicate == N(SLE + name)}
        registered = {t.object for t in triples if t.subject == trial and t.predicate == N(SLE + name)}
        assert own == registered, name
