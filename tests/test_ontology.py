"""The ontology says what the fact base says, in OWL 2 DL, with a label, a definition and a source for every term."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pyoxigraph as ox
import pytest

from sle_kg import ontology
from sle_kg.definitions import definition_store
from sle_kg.errors import InputError
from sle_kg.namespaces import CODE, DCTERMS, OWL, RDF, RDFS, SKOS, SLE, VANN
from sle_kg.ontology import module_files, ontology_store, parse_module
from sle_kg.resources import path

FACTS = Path(__file__).parent / "facts"
ROOT = Path(__file__).parents[1]
ONTOLOGY = SLE.removesuffix("#")
A = ox.NamedNode(RDF + "type")
KINDS = {OWL + "Class", OWL + "ObjectProperty", OWL + "DatatypeProperty", OWL + "AnnotationProperty"}
SYSTEMS = {
    "loinc": "http://loinc.org",
    "snomed": "http://snomed.info/sct",
    "icd10cm": "http://hl7.org/fhir/sid/icd-10-cm",
    "atc": "http://www.whocc.no/atc",
    "rxnorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "cvx": "http://hl7.org/fhir/sid/cvx",
    "ncit": "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl",
    "mondo": "http://purl.obolibrary.org/obo/mondo.owl",
    "chebi": "http://purl.obolibrary.org/obo/chebi.owl",
    "ucum": "http://unitsofmeasure.org",
    "meddra": "http://terminology.hl7.org/CodeSystem/MDRAE",
}
INSTRUMENTS = {
    "PGA": "pga",
    "BILAG-2004": "bilag2004",
    "ASTCT CRS 2019": "astctCrs2019",
    "ASTCT ICANS 2019": "astctIcans2019",
    "ICE": "iceScore",
    "CTCAE v5.0": "ctcaeV5",
    "C-SSRS": "cssrs",
    "ISN/RPS lupus nephritis": "isnRps",
    "NIH indices": "nihIndices",
    "FACIT-Fatigue": "facitFatigue",
    "FACIT-F": "facitF",
    "SLICC/ACR DI": "sliccDamageIndex",
    "SLEDAI-2K": "sledai2k",
    "EULAR/ACR 2019": "eularAcr2019",
    "ACR 1997": "acr1997",
    "SLICC 2012": "slicc2012",
}


def rows(name: str) -> list[dict[str, str]]:
    with (FACTS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def by_key(name: str) -> list[object]:
    return [pytest.param(row, id=row["key"]) for row in rows(name)]


def values(subject: str, predicate: str) -> list[str]:
    """The values of a term of the ontology, sorted; IRIs of the ontology by local name."""
    quads = ontology_store().quads_for_pattern(ox.NamedNode(SLE + subject), ox.NamedNode(predicate), None)
    return sorted(q.object.value.removeprefix(SLE) for q in quads if not isinstance(q.object, ox.BlankNode))


def value(subject: str, predicate: str) -> str | None:
    found = values(subject, predicate)
    assert len(found) <= 1, f"{subject} has several values of {predicate}"
    return found[0] if found else None


def terms() -> dict[str, set[str]]:
    """Every sle: term that a module defines, with its types."""
    found: dict[str, set[str]] = defaultdict(set)
    for quad in ontology_store().quads_for_pattern(None, A, None):
        if isinstance(quad.subject, ox.NamedNode) and quad.subject.value.startswith(SLE):
            kind = quad.object.value if isinstance(quad.object, ox.NamedNode) else "expression"
            found[quad.subject.value.removeprefix(SLE)].add(kind)
    return found


def codes(key: str, system: str) -> list[ontology.CodeAssignment]:
    return [c for c in ontology.code_assignments() if c.concept == key and c.system == SYSTEMS[system]]


def assert_codes(key: str, system: str, expected: list[str], status: str) -> None:
    """The codes of a cell, in their order, each with the status of the row."""
    found = {code.code: code for code in codes(key, system) if not code.superseded}
    for rank, code in enumerate(expected, 1):
        assert code in found, f"{key} lacks {system} {code}"
        assert found[code].rank == rank
        assert status.startswith(found[code].verification), f"{key} {code}: {found[code].verification}"
        rest = status.removeprefix(found[code].verification).lstrip(" ;")
        assert not rest or found[code].source == rest


def split(cell: str) -> list[str]:
    return [part for part in cell.split(";") if part]


# ── Form ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("file", module_files(), ids=lambda file: file.stem)
def test_every_module_has_a_full_header(file: Path) -> None:
    triples = list(parse_module(file))
    headers = [t.subject for t in triples if t.predicate == A and t.object == ox.NamedNode(OWL + "Ontology")]
    relative = file.relative_to(path("ontology")).with_suffix("").as_posix()
    iri = ONTOLOGY if relative == "sle" else f"{ONTOLOGY}/{relative}"
    assert [header.value for header in headers] == [iri]
    stated = {t.predicate.value: t.object.value for t in triples if t.subject == headers[0]}
    assert stated[OWL + "versionIRI"] == f"{iri}/0.1.0"
    assert stated[DCTERMS + "license"] == "https://creativecommons.org/licenses/by/4.0/"
    assert stated[VANN + "preferredNamespacePrefix"] == "sle"
    assert stated[VANN + "preferredNamespaceUri"] == SLE
    for predicate in (DCTERMS + "title", DCTERMS + "description", DCTERMS + "creator"):
        assert stated[predicate]


def test_root_imports_every_module_and_the_catalog_finds_them() -> None:
    root = {t.object.value for t in parse_module(path("ontology") / "sle.ttl") if t.predicate.value == OWL + "imports"}
    modules = {f"{ONTOLOGY}/{file.stem}" for file in path("ontology").glob("*.ttl") if file.stem != "sle"}
    assert root == modules
    catalog = ElementTree.parse(path("ontology") / "catalog-v001.xml").getroot()
    entries = {entry.attrib["name"]: entry.attrib["uri"] for entry in catalog}
    for file in module_files():
        relative = file.relative_to(path("ontology")).as_posix()
        iri = ONTOLOGY if relative == "sle.ttl" else f"{ONTOLOGY}/{relative.removesuffix('.ttl')}"
        assert entries.pop(iri) == relative
    assert not entries


def condition_nodes() -> set[str]:
    """The nodes of condition trees: parts of the state or grade that they belong to, which has label and source."""
    below: dict[str, set[str]] = defaultdict(set)
    for quad in ontology_store().quads_for_pattern(None, ox.NamedNode(RDFS + "subClassOf"), None):
        if isinstance(quad.object, ox.NamedNode):
            below[quad.object.value].add(quad.subject.value)
    kinds, found = {SLE + "ConditionNode", SLE + "ReadingOption"}, set[str]()
    while kinds:
        found |= kinds
        kinds = {kind for parent in kinds for kind in below[parent]} - found
    return {term for term, types in terms().items() if types <= found}


def test_every_term_has_one_label_definition_and_module_and_a_source() -> None:
    faults = []
    for term in set(terms()) - condition_nodes():
        for predicate in (RDFS + "label", SKOS + "definition", RDFS + "isDefinedBy"):
            if len(values(term, predicate)) != 1:
                faults.append(f"{term}: {len(values(term, predicate))} of {predicate}")
        if not values(term, DCTERMS + "source"):
            faults.append(f"{term}: no source")
    assert faults == []


def test_definitions_are_one_sentence() -> None:
    definitions = {term: value(term, SKOS + "definition") or "" for term in set(terms()) - condition_nodes()}
    faults = {t: d for t, d in definitions.items() if not d.endswith(".") or re.search(r"[a-z)]\. [A-Z]", d)}
    assert faults == {}


def test_no_term_is_used_in_two_ways() -> None:
    """OWL 2 DL without punning: an IRI is a class, one kind of property, or an individual."""
    faults = []
    for term, types in terms().items():
        ways = types & KINDS
        if len(ways) + bool(types - KINDS) != 1:
            faults.append(f"{term}: {sorted(types)}")
    assert faults == []


def test_every_property_used_is_declared_of_its_kind() -> None:
    store = ontology_store()
    kind = {q.subject.value: q.object.value for q in store.quads_for_pattern(None, A, None) if q.object.value in KINDS}
    built_in = (RDF, RDFS, OWL)
    for quad in store:
        predicate = quad.predicate.value
        if predicate.startswith(built_in):
            continue
        declared = kind.get(predicate)
        assert declared, f"{predicate} is not declared"
        if declared == OWL + "ObjectProperty":
            assert not isinstance(quad.object, ox.Literal), quad
        if declared == OWL + "DatatypeProperty":
            assert isinstance(quad.object, ox.Literal), quad


def test_no_value_of_an_object_property_is_a_class() -> None:
    """Readings of an ambiguity, which a definition may name, are described in trial files."""
    store, described = ontology_store(), definition_store()
    for q in store.quads_for_pattern(None, A, ox.NamedNode(OWL + "ObjectProperty")):
        for use in store.quads_for_pattern(None, q.subject, None):
            types = {t.object.value for t in described.quads_for_pattern(use.object, A, None)}
            assert types and not types & KINDS, use


def test_blank_nodes_are_class_expressions_and_axioms_over_lists_only() -> None:
    store = ontology_store()
    kinds = {OWL + name for name in ("Class", "Restriction", "AllDisjointClasses", "AllDifferent")}
    allowed = (RDF + "first", RDF + "rest", OWL)
    for quad in store:
        if isinstance(quad.subject, ox.BlankNode):
            assert quad.predicate == A or quad.predicate.value.startswith(allowed), quad
            if quad.predicate == A:
                assert quad.object.value in kinds, quad


def test_numbers_are_decimals_or_integers() -> None:
    floats = ("float", "double")
    for quad in ontology_store():
        if isinstance(quad.object, ox.Literal):
            assert not quad.object.datatype.value.endswith(floats), quad


def test_every_term_that_the_project_uses_is_defined() -> None:
    """Trial files, shapes, queries and the Python that writes RDF name only terms of the ontology."""
    known = set(terms())
    faults = []
    for folder, pattern in (("trials", "*.ttl"), ("shapes", "*.ttl"), ("src", "*.rq")):
        for file in (ROOT / folder).rglob(pattern):
            text = "\n".join(line for line in _outside_literals(file.read_text(encoding="utf-8")))
            used = set(re.findall(r"(?<![\w/:])sle:([A-Za-z][\w-]*)", text))
            faults += [f"{file.relative_to(ROOT)}: sle:{name}" for name in sorted(used - known)]
    assert faults == []


def _outside_literals(text: str) -> list[str]:
    """The lines of a Turtle or SPARQL file without comments and quoted texts."""
    text = re.sub(r'"""(?:.|\n)*?"""', '""', text)
    return [re.sub(r'"(?:[^"\\]|\\.)*"', '""', line) for line in text.splitlines() if not line.startswith("#")]


def test_the_terms_of_the_registry_snapshot_are_defined() -> None:
    from sle_kg.landscape import landscape

    known = set(terms())
    used = set()
    for triple in landscape(frozenset()):
        for term in (triple.predicate, triple.object):
            if isinstance(term, ox.NamedNode) and term.value.startswith(SLE):
                used.add(term.value.removeprefix(SLE))
    assert used
    assert sorted(used - known) == []


def test_alignments_map_terms_that_exist() -> None:
    known = set(terms())
    for file in (path("ontology") / "alignments").glob("*.ttl"):
        subjects = {t.subject.value for t in parse_module(file)}
        used = {iri.removeprefix(SLE) for iri in subjects if iri.startswith(SLE)}
        assert used, f"{file.name} maps nothing"
        assert used <= known, f"{file.name}: {sorted(used - known)}"


def test_code_iris_say_what_they_hold() -> None:
    short = {uri: name for name, uri in SYSTEMS.items()}
    found = 0
    for quad in ontology_store().quads_for_pattern(None, A, ox.NamedNode(SLE + "CodeAssignment")):
        held = {q.predicate.value: q.object.value for q in ontology_store().quads_for_pattern(quad.subject, None, None)}
        concept = held[SLE + "ofConcept"].removeprefix(SLE)
        assert concept in terms()
        system, code = short[held[SLE + "codeSystem"]], held[SLE + "codeValue"]
        assert unquote(quad.subject.value) == f"{CODE}{concept}/{system}/{code}"
        assert held[SLE + "verification"].startswith(("VERIFIED", "RECALLED"))
        assert held[DCTERMS + "source"]
        found += 1
    assert found == len(ontology.code_assignments())


def test_value_sets_name_known_members_and_well_formed_codes() -> None:
    known = set(terms())
    for name, value_set in ontology.value_sets().items():
        members = {*value_set.members, *value_set.undecided_members}
        assert members <= known, f"{name}: {sorted(members - known)}"
        if value_set.broadest_member is not None:
            assert value_set.broadest_member in (members or known), name
        assert members or value_set.code_prefixes, f"{name} is empty"
        for text in (
            *value_set.code_prefixes,
            *value_set.excluded_prefixes,
            *value_set.undecided_codes,
            *value_set.undecided_prefixes,
        ):
            system, _, code = text.partition("|")
            assert system in {SYSTEMS["icd10cm"], SYSTEMS["atc"], SYSTEMS["cvx"]}, f"{name}: {text}"
            assert re.fullmatch(r"[A-Z0-9.]+|[A-Z]\w\w-[A-Z]\w\w", code), f"{name}: {text}"


# ── Fidelity to the fact base ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("row", by_key("drugs"))
def test_drugs(row: dict[str, str]) -> None:
    key = row["key"]
    assert value(key, RDFS + "label") == row["label"]
    assert value(key, SKOS + "notation") == key
    old = [code["old_code"] for code in rows("atc_old_codes") if code["drug_key"] == key]
    for column, system in (("atc_codes", "atc"), ("rxnorm_cui", "rxnorm"), ("ncit", "ncit"), ("chebi", "chebi")):
        status = row["rxnorm_status" if system == "rxnorm" else f"{system}_status"]
        expected = split(row[column])
        assert_codes(key, system, expected, status)
        assert {code.code for code in codes(key, system) if not code.superseded} == set(expected)
    assert {code.code for code in codes(key, "atc") if code.superseded} == set(old)
    numbers = {
        "half_life": "halfLife",
        "half_life_low": "halfLifeLow",
        "half_life_high": "halfLifeHigh",
        "washout_half_life": "washoutHalfLife",
        "washout_3_days": "washoutDays3",
        "washout_5_days": "washoutDays5",
        "mg_equal_to_5mg_prednisone": "mgEqualTo5mgPrednisone",
    }
    for column, name in numbers.items():
        found = value(key, SLE + name)
        assert (found is None) == (row[column] == ""), name
        if found is not None:
            assert Decimal(found) == Decimal(row[column]), name
    texts = {
        "half_life_unit": "halfLifeUnit",
        "half_life_basis": "halfLifeBasis",
        "half_life_status": "halfLifeVerification",
        "half_life_source": "halfLifeSource",
        "washout_rule": "washoutRule",
        "equivalence_status": "equivalenceVerification",
    }
    for column, name in texts.items():
        if row["half_life"] or column in ("washout_rule", "equivalence_status"):
            assert (value(key, SLE + name) or "") == row[column], name


@pytest.mark.parametrize("row", by_key("drugs"))
def test_drugs_stand_in_the_classes_of_the_fact_base(row: dict[str, str]) -> None:
    """By convention or by the reasoner: the class column of the table is a subset of the types."""
    narrow = {"BCellTargetedTherapy": "BCellTargetedNarrow"}
    expected = {narrow.get(name, name) for name in split(row["classes"])}
    assert expected <= set(values(row["key"], RDF + "type"))


@pytest.mark.parametrize("row", rows("drug_classes"), ids=lambda row: row["class"])
def test_drug_classes(row: dict[str, str]) -> None:
    name = row["class"].partition(" ")[0]
    if name == "BCellTargetedTherapy":
        name = "BCellTargetedBroad" if "broad" in row["class"] else "BCellTargetedNarrow"
    assert OWL + "Class" in terms()[name]
    prefixes = set(values(name, SLE + "atcPrefix"))
    selection = re.sub(r"\(.*?\)", "", row["atc_selection"].replace("narrow", "L01FA L04AG08 L04AG10 L04AG12 L04AG14"))
    listed = set(re.findall(r"\b[A-Z]\d{2}[A-Z]{1,2}(?:\d{2})?\b", selection))
    if name not in ("CARTCellProduct", "LymphodepletionAgent"):
        assert bool(listed) == (name != "BiologicAgent")
        assert listed <= prefixes


@pytest.mark.parametrize("row", rows("atc_old_codes"), ids=lambda row: row["old_code"])
def test_old_atc_codes(row: dict[str, str]) -> None:
    found = [code for code in codes(row["drug_key"], "atc") if code.code == row["old_code"]]
    assert [(code.superseded, code.verification) for code in found] == [(True, row["status"])]


@pytest.mark.parametrize("row", by_key("conditions"))
def test_conditions(row: dict[str, str]) -> None:
    key = row["key"]
    assert value(key, RDFS + "label") == row["label"]
    assert value(key, SKOS + "notation") == key
    for column, system, status in (
        ("mondo", "mondo", "mondo_status"),
        ("ncit", "ncit", "ncit_status"),
        ("snomed_ct", "snomed", "snomed_status"),
    ):
        assert_codes(key, system, split(row[column]), row[status])
    for rank, code in enumerate(split(row["icd10cm"]), 1):
        if "-" in code:
            prefix = f"{SYSTEMS['icd10cm']}|{code}"
            assert any(prefix in s.code_prefixes and key in s.members for s in ontology.value_sets().values())
        else:
            found = [c for c in codes(key, "icd10cm") if c.code == code]
            assert [(c.rank, c.verification) for c in found] == [(rank, row["icd10cm_status"])]


@pytest.mark.parametrize("row", by_key("labs_and_findings"))
def test_laboratory_tests(row: dict[str, str]) -> None:
    key = row["key"]
    assert value(key, RDFS + "label") == row["label"]
    assert (value(key, SLE + "canonicalUnit") or "") == row["ucum_unit"]
    if row["loinc"]:
        assert_codes(key, "loinc", [row["loinc"]], row["loinc_status"])
    if row["ucum_unit"]:
        assert_codes(key, "ucum", [row["ucum_unit"]], row["ucum_status"])
    if row["ncit_cdisc"]:
        assert_codes(key, "ncit", [row["ncit_cdisc"]], row["ncit_status"])
    alternatives = set(re.findall(r"\b\d{4,5}-\d\b", row["alternative_codes_or_units"]))
    assert alternatives <= {code.code for code in codes(key, "loinc") if code.rank > 1}
    assert (value(key, SLE + "qualitativeTest") == "true") == (row["alternative_codes_or_units"] == "coded result")


def test_alternatives_in_notes() -> None:
    assert "24110-9" in {code.code for code in codes("syphilisTreponemal", "loinc")}


def test_substance_twins_share_test_and_molar_mass() -> None:
    for twin, key, mass in (
        ("serumCreatinineSI", "serumCreatinine", "113.12"),
        ("totalBilirubinSI", "totalBilirubin", "584.66"),
    ):
        assert value(twin, SLE + "sameTestAs") == key
        assert value(twin, SLE + "molarMass") == value(key, SLE + "molarMass") == mass


@pytest.mark.parametrize("row", by_key("codes_extra"))
def test_extra_codes(row: dict[str, str]) -> None:
    key = row["key"]
    assert key in terms()
    prefixes = {p for s in ontology.value_sets().values() for p in s.code_prefixes if key in (s.name, *s.members)}
    prefixes |= {f"{SYSTEMS['atc']}|{p}" for kind in values(key, RDF + "type") for p in values(kind, SLE + "atcPrefix")}
    system = {"CVX": "cvx", "ATC": "atc", "ICD-10": "icd10cm", "SNOMED CT": "snomed"}.get(row["system"])
    if system in ("cvx", "atc", "icd10cm"):
        assert {f"{SYSTEMS[system]}|{code}" for code in split(row["codes"])} <= prefixes
    elif system == "snomed" and row["codes"][0].isdigit():
        assert_codes(key, "snomed", split(row["codes"]), row["status"])


@pytest.mark.parametrize("row", by_key("scores_sledai2k"))
def test_sledai_descriptors(row: dict[str, str]) -> None:
    for instrument in ("sledai2k", "selenaSledai"):
        item = f"{instrument}-{row['key']}"
        assert value(item, SKOS + "notation") == f"{instrument}:{row['key']}"
        assert value(item, SLE + "itemOf") == instrument
        assert value(item, SLE + "weight") == row["weight"]
        assert value(item, SLE + "itemKind") == row["kind"]
        assert value(item, SLE + "serologyOnly") == str(row["counts_as_serology_only"] == "yes").lower()
        assert value(item, SLE + "lldasOrganGroup") == row["lldas_organ_group"]
        assert value(item, SLE + "lldasMajorOrgan") == str(row["lldas_major_organ"] == "yes").lower()
        system = value(item, SLE + "organSystem") or ""
        assert row["organ_system"].partition(" ")[0] in (value(system, RDFS + "label") or "").lower()
    assert value(f"sledai2k-{row['key']}", SLE + "verification") == row["weight_status"]
    assert values(f"sledai2k-{row['key']}", DCTERMS + "source") == sorted(split(row["weight_source"]))
    assert value(f"selenaSledai-{row['key']}", SLE + "differenceFromSledai2k") == row["selena_sledai_difference"]
    assert value(f"selenaSledai-{row['key']}", SLE + "verification") == row["selena_status"]


def test_sledai_versions_are_two_instruments_of_one_class_that_add_up() -> None:
    for key in ("sledai2k", "selenaSledai"):
        instrument = ontology.instruments()[key]
        assert "SLEDAI" in values(key, RDF + "type")
        assert sum(item.weight or 0 for item in instrument.items) == instrument.maximum == 105
    assert values("sledai2k", OWL + "differentFrom") == ["selenaSledai"]
    clinical = sum(i.weight or 0 for i in ontology.instruments()["sledai2k"].items if not i.serology_only)
    assert clinical == ontology.instruments()["clinicalSledai"].maximum == 101


def test_sledai_thresholds_that_a_laboratory_decides() -> None:
    assert value("sledai2k-proteinuria", SLE + "thresholdValue") == "0.5"
    assert value("sledai2k-leukopenia", SLE + "thresholdValue") == "3"
    assert values("sledai2k-lowComplement", SLE + "thresholdTest") == ["c3", "c4"]
    assert value("sledai2k-proteinuria", SLE + "thresholdIncrease") is None
    assert value("selenaSledai-proteinuria", SLE + "thresholdIncrease") == "true"


@pytest.mark.parametrize("row", rows("classification"), ids=lambda row: f"{row['criteria_set']}-{row['criterion_key']}")
def test_classification_criteria(row: dict[str, str]) -> None:
    criteria_set = INSTRUMENTS[row["criteria_set"]]
    item = f"{criteria_set}-{row['criterion_key']}"
    assert value(item, SKOS + "notation") == f"{criteria_set}:{row['criterion_key']}"
    assert value(item, SLE + "itemOf") == criteria_set
    assert value(item, SLE + "weight") == (None if row["weight"] == "entry" else row["weight"])
    assert value(item, SLE + "itemType") == row["type"]
    assert value(item, SLE + "itemDomain") == (None if row["domain"] == "-" else row["domain"])
    assert value(item, SLE + "verification") == row["status"]
    assert values(item, DCTERMS + "source") == sorted(split(row["source"]))


def test_classification_sets_reach_their_maximum() -> None:
    for key in ("acr1997", "slicc2012"):
        assert sum(item.weight or 0 for item in ontology.classification_items(key)) == int(
            value(key, SLE + "maximumScore").partition(".")[0]
        )
    highest: dict[str, int] = defaultdict(int)
    for item in ontology.classification_items("eularAcr2019"):
        highest[item.domain or ""] = max(highest[item.domain or ""], item.weight or 0)
    assert sum(highest.values()) == ontology.instruments()["eularAcr2019"].maximum == 51


@pytest.mark.parametrize("row", rows("scores_states"), ids=lambda row: f"{row['state']}-{row['version']}-{row['item']}")
def test_state_items(row: dict[str, str]) -> None:
    state = {"DORIS 2021": "doris2021", "SRI-4": "sri4", "Serologic remission": "serologicRemission"}.get(row["state"])
    if row["state"] == "LLDAS":
        state = "lldas" if row["version"].startswith("official") else "lldasNct06653556"
    item = f"{state}-{row['item']}"
    if item == "doris2021-3":
        item += "-atMostFive" if row["version"] == "abstract" else "-belowFive"
    assert value(item, SLE + "itemOf") == state
    assert value(item, SLE + "itemNumber") == row["item"]
    assert value(item, SLE + "formalReading") == row["formal_reading"]
    assert (value(item, SLE + "verification") or "").split()[0] == row["status"].split()[0]


@pytest.mark.parametrize("index", range(len(rows("scores_grades"))))
def test_grades(index: int) -> None:
    row = rows("scores_grades")[index]
    instrument = INSTRUMENTS[row["instrument"]]
    store = ontology_store()
    of = "systemOf" if row["facet"] == "system" else "gradeOf"
    candidates = [
        q.subject.value.removeprefix(SLE)
        for q in store.quads_for_pattern(None, ox.NamedNode(SLE + of), ox.NamedNode(SLE + instrument))
    ]
    if of == "gradeOf":
        candidates = [
            c
            for c in candidates
            if value(c, SLE + "gradeFacet") == row["facet"]
            and (value(c, SLE + "gradeCode") or "") == row["code"]
            and row["label"] in (value(c, RDFS + "label") or "")
        ]
    else:
        candidates = [c for c in candidates if c == f"bilag-{row['label']}"]
    assert len(candidates) == 1
    assert value(candidates[0], SLE + "verification") == row["status"]
    assert values(candidates[0], DCTERMS + "source") == sorted(split(row["source"]))


@pytest.mark.parametrize("row", rows("sources"), ids=lambda row: row["source_id"])
def test_sources(row: dict[str, str]) -> None:
    assert value(f"source-{row['source_id']}", DCTERMS + "identifier") == row["source_id"]
    assert value(f"source-{row['source_id']}", DCTERMS + "bibliographicCitation")


def test_every_source_that_is_cited_is_described() -> None:
    described = {row["source_id"] for row in rows("sources")}
    store = ontology_store()
    cited = {q.object.value for q in store.quads_for_pattern(None, ox.NamedNode(DCTERMS + "source"), None)}
    found = {identifier for text in cited for identifier in re.findall(r"\b[SW]-[A-Za-z0-9]+", text)}
    assert found <= described
    assert len(found) > 20


def test_a_module_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    file = tmp_path / "broken.ttl"
    file.write_text("sle:alt a sle:LaboratoryTest .", encoding="utf-8")
    with pytest.raises(InputError, match=r"broken\.ttl is not readable as Turtle"):
        list(parse_module(file))


def test_an_unknown_classification_set_is_an_error() -> None:
    with pytest.raises(KeyError):
        ontology.classification_items("eular")


def test_every_topical_code_belongs_to_local_products() -> None:
    prefixes = [p.partition("|")[2] for p in ontology.value_sets()["localProduct"].code_prefixes]
    local = [code for code in ontology.code_assignments() if code.local_use]
    assert {code.code for code in local} == {"A07EA03", "D11AH09", "D11AH11"}
    assert all(code.code.startswith(tuple(prefixes)) for code in local)


def test_drugs_that_share_a_moiety() -> None:
    drugs = ontology.drugs()
    assert drugs["leflunomide"].moiety == drugs["teriflunomide"].moiety
    assert drugs["mycophenolateMofetil"].moiety == drugs["mycophenolicAcid"].moiety
    assert drugs["prednisone"].moiety == "prednisone"


def test_anifrolumab_has_a_wash_out_without_a_half_life() -> None:
    anifrolumab = ontology.drugs()["anifrolumab"]
    assert (anifrolumab.half_life, anifrolumab.washout_days_3, anifrolumab.washout_days_5) == (None, None, 112)
