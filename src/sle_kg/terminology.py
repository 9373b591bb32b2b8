"""Codes to concepts, and concepts to value sets: rule 1 of reading (CONTRACT section 4), with the ontology as data.

A *concept text* names what a record is about: one or more of a key of the ontology (`prednisone`), `atc:<code>`,
`icd:<code>`, `cvx:<code>`, `other`, `unmapped`, joined by `|`. Codes of systems with a hierarchy (ICD-10, ATC) and of
CVX stay codes, because they can be decided for a closed value set even where no table holds them; codes of other
systems are replaced by the key that they stand for.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Literal

from sle_kg.namespaces import ATC, CVX, ICD10, ICD10CM, LOCAL_CODES, LOINC, RDF, RDFS, RXNORM, SKOS, SLE, SNOMED
from sle_kg.resources import path

Coding = tuple[str, str, str]
"""System URI, code, display text (each may be empty)."""
CodeMap = Mapping[tuple[str, str], str]
"""The user's own codes: (system, code) to a key of the ontology, or to `other`."""
Membership = Literal["in", "undecided"]

UNMAPPED = "unmapped"
OTHER = "other"
ECHOCARDIOGRAPHY = frozenset({"lvef2d", "lvefUs"})
"""Tests whose LOINC code itself says echocardiography (labs_and_findings.csv, rows lvef2d and lvefUs)."""

_HIERARCHIES = {ATC: "atc", ICD10: "icd", ICD10CM: "icd", CVX: "cvx"}
_OIDS = {
    "urn:oid:2.16.840.1.113883.6.1": LOINC,
    "urn:oid:2.16.840.1.113883.6.96": SNOMED,
    "urn:oid:2.16.840.1.113883.6.88": RXNORM,
    "urn:oid:2.16.840.1.113883.6.90": ICD10CM,
    "urn:oid:2.16.840.1.113883.6.3": ICD10,
    "urn:oid:2.16.840.1.113883.6.73": ATC,
    "urn:oid:2.16.840.1.113883.12.292": CVX,
}
"""The same code systems by their HL7 object identifiers, as exports from CDA name them."""


@dataclass(frozen=True, slots=True)
class LaboratoryTest:
    """What reading a result needs: unit (UCUM, null for coded results), molar mass (g/mol), kind, range of a score.

    `answerable`: true or false is an answer; of all scores only of classification criteria sets ("met") and of those
    that count 0 or 1.
    """

    key: str
    label: str
    unit: str | None
    molar_mass: Decimal | None
    viral_load: bool
    qualitative: bool
    answerable: bool
    minimum: Decimal | None
    maximum: Decimal | None


@dataclass(frozen=True, slots=True)
class DrugAttributes:
    """What dose and wash-out rules need of one concept text; everything null where the drug is not known.

    `prednisone_*`: mg of prednisone equal to 1 mg, as a fraction of integers; `mmf_*`: likewise mycophenolate mofetil.
    `ambiguous_mmf`: the code does not tell mofetil from mycophenolic acid. `washout3`, `washout5`: whole days of three
    and five half-lives (drugs.csv).
    """

    concept: str
    drug: str | None = None
    moiety: str | None = None
    prednisone_numerator: int | None = None
    prednisone_denominator: int | None = None
    mmf_numerator: int | None = None
    mmf_denominator: int | None = None
    ambiguous_mmf: bool = False
    washout3: int | None = None
    washout5: int | None = None


@dataclass(frozen=True, slots=True)
class _ValueSet:
    """A value set with its members resolved to keys, and its codes by hierarchy (`atc`, `icd`, `cvx`)."""

    keys: frozenset[str]
    undecided_keys: frozenset[str]
    prefixes: Mapping[str, tuple[str, ...]]
    excluded: Mapping[str, tuple[str, ...]]
    undecided_codes: Mapping[str, frozenset[str]]
    undecided_prefixes: Mapping[str, tuple[str, ...]]
    member_codes: Mapping[str, frozenset[str]]


def normalise_code(system: str, code: str) -> str:
    """One spelling of a code: ICD-10 with its point (`M3214` → `M32.14`), ATC in capitals, CVX with two digits."""
    code = code.strip()
    kind = _HIERARCHIES.get(system)
    if kind == "icd":
        bare = code.upper().replace(".", "")
        return f"{bare[:3]}.{bare[3:]}" if len(bare) > 3 and "-" not in bare else code.upper()
    if kind == "atc":
        return code.upper()
    if kind == "cvx":
        return code.zfill(2)
    return code


def in_hierarchy(code: str, prefix: str) -> bool:
    """Whether a code is the prefix itself or below it; a prefix `C00-C97` is a range of first three characters.

    A code may itself be a block (`A15-A19`): it is below where both its ends are.
    """
    if "-" in code:
        first, last = code.split("-", 1)
        return in_hierarchy(first, prefix) and in_hierarchy(last, prefix)
    if "-" in prefix:
        first, last = prefix.split("-", 1)
        return len(code) >= 3 and first <= code[:3] <= last
    return code.replace(".", "").startswith(prefix.replace(".", ""))


def is_above(code: str, prefix: str) -> bool:
    """Whether a code stands strictly above a prefix, so that it may or may not mean something below the prefix."""
    if in_hierarchy(code, prefix) or not code:
        return False
    if "-" in code:
        first, last = code.split("-", 1)
        low, high = prefix.split("-", 1) if "-" in prefix else (prefix[:3], prefix[:3])
        return first[:3] <= high and low <= last[:3]
    if "-" in prefix:
        first, last = prefix.split("-", 1)
        return len(code) < 3 and first[: len(code)] <= code <= last[: len(code)]
    return prefix.replace(".", "").startswith(code.replace(".", ""))


class Terminology:
    """Concepts, codes and value sets of the ontology. Build it once: `terminology()`."""

    def __init__(self, folder: Path) -> None:
        """Read the modules of `folder`; raises FileNotFoundError where it holds none."""
        graph = _read(folder)
        self._labels: dict[str, str] = {}
        self._concepts: dict[str, dict[str, list[str]]] = {}
        self._graph = graph
        for subject, properties in graph.items():
            if not subject.startswith(SLE):
                continue
            name = subject.removeprefix(SLE)
            self._concepts[name] = properties
            self._labels[name] = _first(properties, RDFS + "label") or name
        self._notation = {
            name: notation
            for name, properties in self._concepts.items()
            if (notation := _first(properties, SKOS + "notation")) is not None
        }
        self._keys = frozenset(self._notation.values())
        self._read_codes()
        self._read_types()
        self._value_sets: dict[str, _ValueSet] = {}
        self._decided: dict[tuple[str, str], Membership | None] = {}
        self._tests: dict[str, LaboratoryTest] = {}

    # ── Reading the ontology ─────────────────────────────────────────────────────────────────────────────

    def _read_codes(self) -> None:
        """Codes by system: the keys with the best rank (rule 1), all keys of a hierarchical code, and local codes."""
        best: dict[tuple[str, str], tuple[int, set[str]]] = {}
        self._codes_of: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self._superseded: set[str] = set()
        for properties in self._graph.values():
            if SLE + "CodeAssignment" not in properties.get(RDF + "type", ()):
                continue
            key = properties[SLE + "ofConcept"][0].removeprefix(SLE)
            key = self._notation.get(key, key)
            system = properties[SLE + "codeSystem"][0]
            code = normalise_code(system, properties[SLE + "codeValue"][0])
            rank = int(_first(properties, SLE + "codeRank") or "1")
            known = best.get((system, code))
            if known is None or rank < known[0]:
                best[system, code] = (rank, {key})
            elif rank == known[0]:
                known[1].add(key)
            if kind := _HIERARCHIES.get(system):
                if _first(properties, SLE + "localUse") == "true":
                    continue
                self._codes_of[key][kind].add(code)
                if _first(properties, SLE + "supersededCode") == "true":
                    self._superseded.add(code)
        self._keys_of_code = {code: tuple(sorted(keys)) for code, (_, keys) in best.items()}
        self._keys_of_hierarchy: dict[tuple[str, str], frozenset[str]] = {}
        shared: dict[tuple[str, str], set[str]] = defaultdict(set)
        for key, kinds in self._codes_of.items():
            for kind, codes in kinds.items():
                for code in codes:
                    shared[kind, code].add(key)
        self._keys_of_hierarchy = {code: frozenset(keys) for code, keys in shared.items()}

    def _read_types(self) -> None:
        """The members of every class, by rdf:type (asserted or inferred) and the closure of rdfs:subClassOf."""
        parents = {
            name: {p.removeprefix(SLE) for p in properties.get(RDFS + "subClassOf", ()) if p.startswith(SLE)}
            for name, properties in self._concepts.items()
        }
        self._subclasses: dict[str, set[str]] = defaultdict(set)
        for name in parents:
            for ancestor in _closure(name, parents):
                self._subclasses[ancestor].add(name)
        self._members_of_class: dict[str, set[str]] = defaultdict(set)
        for name, key in self._notation.items():
            properties = self._concepts[name]
            for kind in properties.get(RDF + "type", ()):
                for ancestor in _closure(kind.removeprefix(SLE), parents):
                    self._members_of_class[ancestor].add(key)

    # ── Codes to concepts ────────────────────────────────────────────────────────────────────────────────

    def knows(self, key: str) -> bool:
        """Whether `key` is a key of the fact tables, so that it may be used as a local code."""
        return key in self._keys

    def concept(self, codings: Iterable[Coding], code_map: CodeMap | None = None) -> str:
        """The concept text of a record with these codings; `unmapped` where none of them is understood.

        The user's code map wins over the tables. Where a code says a topical or other local product, the ingredient
        that stands beside it is left out, since it would make the product count as systemic.
        """
        found: set[str] = set()
        for system, code, _ in codings:
            found.update(self._concepts_of(system, code, code_map or {}))
        local = {text for text in found if text.startswith("atc:") and self.is_local_product(text)}
        if local:
            return "|".join(sorted(local))
        if len(found) > 1:
            found.discard(OTHER)
        return "|".join(sorted(found)) or UNMAPPED

    def _concepts_of(self, system: str, code: str, code_map: CodeMap) -> tuple[str, ...]:
        """The concepts of one coding."""
        if (mapped := code_map.get((system, code.strip()))) is not None:
            return (mapped,)
        system = _OIDS.get(system, system)
        code = normalise_code(system, code)
        if not code:
            return ()
        if system == LOCAL_CODES:
            return (code,) if self.knows(code) else ()
        if kind := _HIERARCHIES.get(system):
            return (f"{kind}:{code}",)
        return self._keys_of_code.get((system, code), ())

    def is_local_product(self, concept: str) -> bool:
        """Whether the concept is a topical, inhaled or other local product, never a systemic exposure (rule 12)."""
        return "localProduct" in self._concepts and any(
            self._decide(text, "localProduct") == "in" for text in concept.split("|")
        )

    def label(self, concept: str) -> str:
        """What to call a concept text in a sentence: the label of its key, else its codes."""
        for text in concept.split("|"):
            names = [key.replace(":", "-") for key in (self._drugs_of(text) or (text,))]
            if all(name in self._labels for name in names):
                return " or ".join(self._labels[name] for name in names)
        return ", ".join(text.partition(":")[2] or text for text in concept.split("|"))

    # ── Tests and answers ────────────────────────────────────────────────────────────────────────────────

    def tests(self, codings: Iterable[Coding], code_map: CodeMap | None = None) -> tuple[str, ...]:
        """The keys of the tests, scores or items that an observation's codings name (LOINC, local or mapped codes)."""
        found: list[str] = []
        for system, code, _ in codings:
            if (mapped := (code_map or {}).get((system, code.strip()))) is not None:
                keys: tuple[str, ...] = () if mapped == OTHER else (mapped,)
            elif _OIDS.get(system, system) in (LOINC, LOCAL_CODES):
                keys = self._concepts_of(system, code, {})
            else:
                keys = ()
            tests = (self._same_test(key) for key in keys if self._is_test(key))
            found.extend(key for key in tests if key not in found)
        return tuple(found)

    def is_statement(self, key: str) -> bool:
        """Whether a local code is a statement of the patient or about her (`plansPregnancy`)."""
        return key in self._members_of_class.get("StatementKind", ())

    def _is_test(self, key: str) -> bool:
        """Whether a key is something observed: a test, a score, or an item of one (`sledai2k:seizure`)."""
        return key in self._members_of_class.get("Observable", ()) or ":" in key

    def _same_test(self, key: str) -> str:
        """The first key of two that name one test in different units (`serumCreatinineSI` → `serumCreatinine`)."""
        same = _first(self._concepts.get(key, {}), SLE + "sameTestAs")
        return same.removeprefix(SLE) if same else key

    def test(self, key: str) -> LaboratoryTest:
        """The test with this key, in its canonical unit."""
        if key not in self._tests:
            properties = self._concepts.get(key.replace(":", "-"), {})
            mass = _first(properties, SLE + "molarMass")
            low, high = _first(properties, SLE + "minimumScore"), _first(properties, SLE + "maximumScore")
            self._tests[key] = LaboratoryTest(
                key=key,
                label=self.label(key),
                unit=_first(properties, SLE + "canonicalUnit"),
                molar_mass=Decimal(mass) if mass else None,
                viral_load=_first(properties, SLE + "viralLoadTest") == "true",
                qualitative=_first(properties, SLE + "qualitativeTest") == "true",
                answerable=low is None or high == "1.0" or key in self._members_of_class["ClassificationCriteriaSet"],
                minimum=Decimal(low) if low else None,
                maximum=Decimal(high) if high else None,
            )
        return self._tests[key]

    def answer(self, codings: Iterable[Coding]) -> bool | None:
        """Positive or negative, from a coded result (codes_extra.csv: labAssertedPositive, labAssertedNegative)."""
        keys = {key for system, code, _ in codings for key in self._concepts_of(system, code, {})}
        positive, negative = "labAssertedPositive" in keys, "labAssertedNegative" in keys
        return positive if positive != negative else None

    # ── Value sets ───────────────────────────────────────────────────────────────────────────────────────

    def membership(self, concepts: Iterable[str], value_sets: Iterable[str]) -> list[tuple[str, str, Membership]]:
        """Which concept texts are in, or undecided for, which value sets; what is outside has no row.

        A value set is a key, an OWL class or a `sle:ValueSet`, by local name. Of several codings `in` wins over
        `undecided`, and that over outside. Raises KeyError for a value set that the ontology does not define.
        """
        names = sorted(set(value_sets))
        rows: list[tuple[str, str, Membership]] = []
        for concept in sorted(set(concepts)):
            for name in names:
                found = {self._decide(text, name) for text in concept.split("|")}
                if "in" in found:
                    rows.append((concept, name, "in"))
                elif "undecided" in found:
                    rows.append((concept, name, "undecided"))
        return rows

    def is_open(self, value_set: str) -> bool:
        """Whether the tables hold only examples of this set, so that nothing is known to be outside it."""
        return _first(self._concepts[value_set], SLE + "openSet") == "true"

    def broadest_member(self, value_set: str) -> str | None:
        """The key whose refutation refutes the whole set (rule 10): of a key, that key itself."""
        member = _first(self._concepts[value_set], SLE + "broadestMember")
        if member is not None:
            return member.removeprefix(SLE)
        return self._notation.get(value_set)

    def refuting(self, concepts: Iterable[str], value_sets: Iterable[str]) -> list[tuple[str, str]]:
        """Pairs (concept, value set) such that refuting the concept refutes the set: its broadest member (rule 10)."""
        pairs = []
        for name in sorted(set(value_sets)):
            broadest = self.broadest_member(name)
            listed = {f"icd:{code}" for code in self._codes_of.get(broadest or "", {}).get("icd", ())} | {broadest}
            pairs += [(text, name) for text in sorted(set(concepts)) if listed & set(text.split("|"))]
        return pairs

    def _decide(self, text: str, name: str) -> Membership | None:
        """Membership of one part of a concept text."""
        if (text, name) not in self._decided:
            value_set = self._value_set(name)
            kind, _, code = text.partition(":")
            if kind in ("atc", "icd", "cvx") and code:
                self._decided[text, name] = self._decide_code(kind, code, value_set, name)
            elif text in value_set.keys:
                self._decided[text, name] = None if self._is_local_in_systemic(text, name) else "in"
            else:
                self._decided[text, name] = "undecided" if text in value_set.undecided_keys else None
        return self._decided[text, name]

    def _decide_code(self, kind: str, code: str, value_set: _ValueSet, name: str) -> Membership | None:
        """Membership of a code: by the drug that an old code means, else by prefix, else by the members' own codes.

        CVX has no hierarchy: 21 (varicella) says nothing of 210 (a COVID-19 vaccine).
        """
        if name != "localProduct" and kind == "atc" and self._is_local(code):
            return None
        keys = self._keys_of_hierarchy.get((kind, code), frozenset())
        if code in self._superseded:
            return "in" if keys <= value_set.keys else None
        if kind == "cvx":
            codes = {*value_set.prefixes.get(kind, ()), *value_set.member_codes.get(kind, ())}
            return "in" if code in codes else None
        if any(in_hierarchy(code, prefix) for prefix in value_set.excluded.get(kind, ())):
            return None
        if code in value_set.undecided_codes.get(kind, ()):
            return "undecided"
        if any(in_hierarchy(code, prefix) for prefix in value_set.prefixes.get(kind, ())):
            return "in"
        undecided = value_set.undecided_prefixes.get(kind, ())
        if any(in_hierarchy(code, prefix) for prefix in undecided):
            return "undecided"
        nearest = self._nearest_keys(kind, code) if kind in value_set.member_codes else frozenset()
        if inside := nearest & value_set.keys:
            return "in" if inside == nearest else "undecided"
        below = (*value_set.prefixes.get(kind, ()), *undecided, *value_set.member_codes.get(kind, ()))
        return "undecided" if any(is_above(code, prefix) for prefix in below) else None

    def _is_local(self, code: str) -> bool:
        """Whether an ATC code is one of a local product."""
        return "localProduct" in self._concepts and self._decide(f"atc:{code}", "localProduct") == "in"

    def _is_local_in_systemic(self, key: str, name: str) -> bool:
        """Whether a drug exists only as a local product, and so belongs to no value set of systemic medicines."""
        is_set = SLE + "ValueSet" in self._concepts[name].get(RDF + "type", ())
        return is_set and name != "localProduct" and key in self._members_of_class.get("TopicalOnly", ())

    def _nearest_keys(self, kind: str, code: str) -> frozenset[str]:
        """The keys that the tables give to this code, or to the nearest code above it."""
        for end in range(len(code), 2, -1):
            if keys := self._keys_of_hierarchy.get((kind, code[:end].rstrip("."))):
                return keys
        return frozenset()

    def _value_set(self, name: str) -> _ValueSet:
        """The value set, class or key with this local name, resolved."""
        if name not in self._value_sets:
            if name not in self._concepts:
                raise KeyError(f"the ontology defines no value set {name!r}")
            properties = self._concepts[name]
            keys, undecided = self._members(name)
            prefixes = _by_kind(properties.get(SLE + "codePrefix", ()))
            for member in self._expand(name):
                for prefix in self._concepts[member].get(SLE + "atcPrefix", ()):
                    prefixes["atc"].add(prefix)
                if member != name:
                    for kind, values in _by_kind(self._concepts[member].get(SLE + "codePrefix", ())).items():
                        prefixes[kind] |= values
            self._value_sets[name] = _ValueSet(
                keys=frozenset(keys),
                undecided_keys=frozenset(undecided),
                prefixes={kind: tuple(sorted(values)) for kind, values in prefixes.items()},
                excluded=_tuples(properties.get(SLE + "excludedPrefix", ())),
                undecided_codes={
                    kind: frozenset(values)
                    for kind, values in _by_kind(properties.get(SLE + "undecidedCode", ())).items()
                },
                undecided_prefixes=_tuples(properties.get(SLE + "undecidedPrefix", ())),
                member_codes=self._member_codes(keys, properties),
            )
        return self._value_sets[name]

    def _member_codes(self, keys: set[str], properties: Mapping[str, list[str]]) -> dict[str, frozenset[str]]:
        """The codes that the tables give to the members, by hierarchy.

        Where a set states its ICD-10 codes, these are complete: the table's Z94 for solid organs would else let
        every transplant in.
        """
        stated = {
            kind
            for name in ("codePrefix", "undecidedCode", "undecidedPrefix")
            for kind in _by_kind(properties.get(SLE + name, ()))
        } - {"atc"}
        codes: dict[str, set[str]] = defaultdict(set)
        for key in keys:
            for kind, values in self._codes_of.get(key, {}).items():
                if kind not in stated:
                    codes[kind] |= values
        return {kind: frozenset(values) for kind, values in codes.items()}

    def _expand(self, name: str) -> set[str]:
        """The value set or class itself, the classes and sets among its members, and their subclasses."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            current = waiting.pop()
            if current in found or current not in self._concepts:
                continue
            found.add(current)
            waiting.extend(m.removeprefix(SLE) for m in self._concepts[current].get(SLE + "member", ()))
            waiting.extend(self._subclasses.get(current, ()))
        return found

    def _members(self, name: str) -> tuple[set[str], set[str]]:
        """Keys inside the set, and keys that may or may not be."""
        keys: set[str] = set()
        undecided: set[str] = set()
        for member in self._expand(name):
            if member in self._notation:
                keys.add(self._notation[member])
            keys |= self._members_of_class.get(member, set())
            undecided |= {m.removeprefix(SLE) for m in self._concepts[member].get(SLE + "undecidedMember", ())}
        excluded = {m.removeprefix(SLE) for m in self._concepts[name].get(SLE + "excludedMember", ())}
        return keys - excluded, undecided - keys - excluded

    # ── Medicines ────────────────────────────────────────────────────────────────────────────────────────

    def drug_attributes(self, concepts: Iterable[str]) -> list[DrugAttributes]:
        """What dose and wash-out rules need, a row for each concept text, sorted."""
        return [self._attributes(concept) for concept in sorted(set(concepts))]

    def _drugs_of(self, text: str) -> tuple[str, ...]:
        """The drug keys that one part of a concept text stands for; several where an ATC code is shared."""
        if text.startswith("atc:"):
            code = text.removeprefix("atc:")
            return () if self._is_local(code) else tuple(sorted(self._keys_of_hierarchy.get(("atc", code), ())))
        return (text,) if text in self._members_of_class.get("Drug", ()) else ()

    def _attributes(self, concept: str) -> DrugAttributes:
        """Ingredient keys decide over ATC codes, which may be shared by two drugs."""
        texts = concept.split("|")
        named = sorted({drug for text in texts if ":" not in text for drug in self._drugs_of(text)})
        coded = sorted({drug for text in texts for drug in self._drugs_of(text)})
        drugs = named or coded
        moieties = {self._value(drug, "activeMoiety") for drug in drugs}
        moiety = moieties.pop() if len(moieties) == 1 else None
        ambiguous = len({self._ratio(drug) for drug in drugs}) > 1
        drug = drugs[0] if len(drugs) == 1 else None
        prednisone = self._prednisone(drug)
        mmf = self._ratio(drug) if drug else None
        washout3, washout5 = self._washout(drugs, "washoutDays3"), self._washout(drugs, "washoutDays5")
        return DrugAttributes(
            concept=concept,
            drug=drug,
            moiety=moiety,
            prednisone_numerator=prednisone.numerator if prednisone else None,
            prednisone_denominator=prednisone.denominator if prednisone else None,
            mmf_numerator=mmf.numerator if mmf else None,
            mmf_denominator=mmf.denominator if mmf else None,
            ambiguous_mmf=ambiguous,
            washout3=washout3,
            washout5=washout5,
        )

    def _prednisone(self, drug: str | None) -> Fraction | None:
        """mg of prednisone equal to 1 mg: 5 divided by the dose that equals 5 mg prednisone (formulas.md)."""
        equal = _first(self._concepts.get(drug or "", {}), SLE + "mgEqualTo5mgPrednisone")
        return Fraction(5) / Fraction(equal) if equal else None

    def _ratio(self, drug: str) -> Fraction | None:
        """mg of mycophenolate mofetil equal to 1 mg (drugs.csv: 720 mg of the acid equal 1000 mg mofetil)."""
        properties = self._concepts.get(drug, {})
        numerator = _first(properties, SLE + "mmfEquivalentFactorNumerator")
        denominator = _first(properties, SLE + "mmfEquivalentFactorDenominator")
        return Fraction(numerator) / Fraction(denominator) if numerator and denominator else None

    def _washout(self, drugs: list[str], name: str) -> int | None:
        """The wash-out of the drugs that the code may mean; null where one has none or they differ."""
        days = {_first(self._concepts.get(drug, {}), SLE + name) for drug in drugs}
        only = days.pop() if len(days) == 1 else None
        return int(only) if only is not None else None

    def _value(self, key: str, name: str) -> str | None:
        value = _first(self._concepts.get(key, {}), SLE + name)
        return value.removeprefix(SLE) if value else None


@cache
def terminology() -> Terminology:
    """The terminology of the installed ontology, read once."""
    return Terminology(path("ontology"))


def _read(folder: Path) -> dict[str, dict[str, list[str]]]:
    """Subject → predicate → values of every module of a folder, alignments left out; blank nodes are passed over."""
    import pyoxigraph as ox

    graph: dict[str, dict[str, list[str]]] = {}
    modules = sorted(folder.glob("*.ttl"))
    if not modules:
        raise FileNotFoundError(f"the folder {folder} holds no ontology: install sle-kg again")
    for module in modules:
        for quad in ox.parse(module.read_bytes(), format=ox.RdfFormat.TURTLE):
            if isinstance(quad.subject, ox.NamedNode) and not isinstance(quad.object, ox.BlankNode):
                properties = graph.setdefault(quad.subject.value, {})
                properties.setdefault(quad.predicate.value, []).append(quad.object.value)
    return graph


def _first(properties: Mapping[str, list[str]], predicate: str) -> str | None:
    values = properties.get(predicate)
    return values[0] if values else None


def _closure(name: str, parents: Mapping[str, set[str]]) -> set[str]:
    """A class and all classes above it."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            waiting.extend(parents.get(current, ()))
    return found


def _by_kind(codes: Iterable[str]) -> dict[str, set[str]]:
    """`<system URI>|<code>` texts by hierarchy."""
    found: dict[str, set[str]] = defaultdict(set)
    for text in codes:
        system, _, code = text.partition("|")
        kind = _HIERARCHIES.get(system)
        if kind is None:
            raise ValueError(f"the ontology uses a prefix of the code system {system!r}, which has no hierarchy")
        found[kind].add(code if re.search("-", code) else normalise_code(system, code))
    return found


def _tuples(codes: Iterable[str]) -> dict[str, tuple[str, ...]]:
    return {kind: tuple(sorted(values)) for kind, values in _by_kind(codes).items()}
