"""Codes to concepts, and concepts to value sets: rule 1 of reading (CONTRACT section 4), with the ontology as data.

A *concept text* names what a record is about: one or more of a key of the ontology (`prednisone`), `atc:<code>`,
`icd:<code>`, `cvx:<code>`, `other`, `unmapped`, joined by `|`. Codes of ICD-10, ATC and CVX stay codes, because they
can be decided for a closed value set even where no table holds them; codes of other systems are replaced by the key
that they stand for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Literal, TypeVar

import pyoxigraph as ox

from sle_kg import ontology
from sle_kg.codes import (
    KINDS,
    NOTHING_KNOWN,
    ROUTES,
    CodeMap,
    Coding,
    in_hierarchy,
    is_above,
    is_code,
    normalise_code,
    normalise_system,
)
from sle_kg.namespaces import ATC, LOCAL_CODES, LOINC, RDF, RDFS, SLE
from sle_kg.ontology import LaboratoryTest

Membership = Literal["in", "undecided"]
T = TypeVar("T")

UNMAPPED = "unmapped"
OTHER = "other"
LOCAL_PRODUCTS = "localProduct"
"""The value set of topical, inhaled and other local products: a member is in no other set of medicines (rule 12)."""
SYSTEMIC_ONLY = "systemicOnly"
"""The value set of medicines of which there are no such products."""

TOLD_BY_DIAGNOSES = {
    "treatment": ("carTCellProduct",),
    "use": (
        "anticoagulantAny",
        "bCellTargetedBroad",
        "bCellTargetedNarrow",
        "biologicOtherThanBCellBroad",
        "biologicOtherThanBCellNarrow",
        "commercialJAKInhibitor",
    ),
    "donation": ("bloodDonationAny",),
    "allergy": ("allergyDiagnosis",),
}
"""Value sets of what a diagnosis may tell of besides: a personal history of CAR-T cell therapy (Z92.850), long-term use
of a medicine (Z79.01), a donor of blood (Z52.0), an allergy (Z88.8)."""


@dataclass(frozen=True, slots=True)
class DrugAttributes:
    """What dose and wash-out rules need of one concept text; everything null where the drug is not known.

    `prednisone_*`: mg of prednisone equal to 1 mg, as a fraction of integers; `mmf_*`: likewise mycophenolate mofetil.
    `ambiguous_mmf`: the code does not tell mofetil from mycophenolic acid. `washout1` … `washout5`: whole days of so
    many half-lives (drugs.csv).
    """

    concept: str
    drug: str | None = None
    moiety: str | None = None
    prednisone_numerator: int | None = None
    prednisone_denominator: int | None = None
    mmf_numerator: int | None = None
    mmf_denominator: int | None = None
    ambiguous_mmf: bool = False
    washout1: int | None = None
    washout2: int | None = None
    washout3: int | None = None
    washout4: int | None = None
    washout5: int | None = None


@dataclass(frozen=True, slots=True)
class _ResolvedSet:
    """A value set with its members resolved to keys, and its codes by kind (`atc`, `icd`, `cvx`).

    `member_codes` are the codes that the tables give to the members; `above` those that stand above some member.
    """

    name: str
    keys: frozenset[str]
    undecided_keys: frozenset[str]
    prefixes: Mapping[str, frozenset[str]]
    excluded: Mapping[str, frozenset[str]]
    undecided_codes: Mapping[str, frozenset[str]]
    undecided_prefixes: Mapping[str, frozenset[str]]
    member_codes: Mapping[str, frozenset[str]]


class Terminology:
    """Concepts, codes and value sets of the ontology. Build it once: `terminology()`."""

    def __init__(self) -> None:
        self._concepts = ontology.concepts()
        self._sets = ontology.value_sets()
        self._drugs = ontology.drugs()
        self._tests = ontology.laboratory_tests()
        self._parents = _parents()
        self._atc_prefixes = _texts("atcPrefix")
        self._mofetil = _mofetil_equivalents()
        self._keys_of_class: dict[str, set[str]] = defaultdict(set)
        for key, concept in self._concepts.items():
            for name in concept.classes:
                for ancestor in _closure(name, self._parents):
                    self._keys_of_class[ancestor].add(key)
        self._read_codes()
        self._resolved: dict[str, _ResolvedSet] = {}
        self._decided: dict[tuple[str, str], Membership | None] = {}
        self._tests_of: dict[tuple[str, str], tuple[str, ...]] = {}
        self._told: dict[str, dict[str, Membership]] = {}

    def _read_codes(self) -> None:
        """Exact codes by their best rank (rule 1), and the hierarchical codes of each key."""
        best: dict[tuple[str, str], tuple[int, set[str]]] = {}
        self._codes_of: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self._codes_above: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self._keys_of_hierarchy: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._superseded: set[str] = set()
        for assignment in ontology.code_assignments():
            system, key = assignment.system, _key(assignment.concept)
            code = normalise_code(system, assignment.code)
            rank, keys = best.setdefault((system, code), (assignment.rank, set()))
            if assignment.rank < rank:
                best[system, code] = (assignment.rank, {key})
            elif assignment.rank == rank:
                keys.add(key)
            kind = KINDS.get(system)
            if kind is None or assignment.local_use:
                continue
            if assignment.broader:
                self._codes_above[key][kind].add(code)
                continue
            self._codes_of[key][kind].add(code)
            self._keys_of_hierarchy[kind, code].add(key)
            if assignment.superseded:
                self._superseded.add(code)
        self._keys_of_code = {code: tuple(sorted(keys)) for code, (_, keys) in best.items()}

    # ── Codes to concepts ────────────────────────────────────────────────────────────────────────────────

    def knows(self, key: str) -> bool:
        """Whether `key` is a key of the fact tables, so that it may be used as a local code."""
        return key in self._concepts

    def concept(self, codings: Iterable[Coding], code_map: CodeMap | None = None) -> str:
        """The concept text of a record with these codings; `unmapped` where none of them is understood.

        The user's code map wins over the tables. Where a code says a topical or other local product, the ingredient
        that stands beside it is left out, since it would make the product count as systemic; not so where an ATC code
        of a systemic product stands beside it, too.
        """
        found: set[str] = set()
        for system, code, _ in codings:
            found.update(self._concepts_of(system, code, code_map or {}))
        local = {text for text in found if text.startswith("atc:") and self.is_local_product(text)}
        if local and not self.is_local_or_systemic(found):
            return "|".join(sorted(local))
        if len(found) > 1:
            found.discard(OTHER)
        return "|".join(sorted(found)) or UNMAPPED

    def _concepts_of(self, system: str, code: str, code_map: CodeMap) -> tuple[str, ...]:
        """The concepts of one coding."""
        if (mapped := code_map.get((system, code.strip()))) is not None and mapped not in ROUTES:
            return (mapped,)
        system = normalise_system(system)
        code = normalise_code(system, code)
        if not code:
            return ()
        if system == LOCAL_CODES:
            return (code,) if self.knows(code) else ()
        if (system, code) in NOTHING_KNOWN:
            return (OTHER,)
        if kind := KINDS.get(system):
            return (f"{kind}:{code}",) if is_code(kind, code) else ()
        return self._keys_of_code.get((system, code), ())

    def told_by(self, concept: str) -> Mapping[str, Membership]:
        """What the concept of a diagnosis tells of besides (`TOLD_BY_DIAGNOSES`), for certain or perhaps."""
        if concept not in self._told:
            self._told[concept] = told = {}
            for what, value_sets in TOLD_BY_DIAGNOSES.items():
                if found := {status for _, _, status in self.membership([concept], value_sets)}:
                    told[what] = "in" if "in" in found else "undecided"
        return self._told[concept]

    def is_local_product(self, concept: str) -> bool:
        """Whether the concept is a topical, inhaled or other local product, never a systemic exposure (rule 12)."""
        texts = concept.split("|")
        return any(self._decide(text, LOCAL_PRODUCTS) == "in" for text in texts) and not self.is_local_or_systemic(
            texts
        )

    def is_local_or_systemic(self, texts: Iterable[str]) -> bool:
        """Whether ATC codes of local and of systemic products stand side by side, so that only the route tells."""
        return len({self._decide(text, LOCAL_PRODUCTS) == "in" for text in texts if text.startswith("atc:")}) > 1

    def is_systemic_only(self, concept: str) -> bool:
        """Whether the concept is a medicine without products for local use, systemic by whatever route (rule 12)."""
        return all(self._decide(text, SYSTEMIC_ONLY) == "in" for text in concept.split("|"))

    def label(self, concept: str) -> str:
        """What to call a concept text in a sentence: the label of its key or drugs, else its codes."""
        return self.known_label(concept) or ", ".join(text.partition(":")[2] or text for text in concept.split("|"))

    def known_label(self, concept: str) -> str | None:
        """The label of a concept text's key or drugs; None where the ontology has none for it."""
        for text in concept.split("|"):
            keys = self._drugs_of(text) or (text,)
            if all(key in self._concepts for key in keys):
                return " or ".join(self._concepts[key].label for key in keys)
        return None

    # ── Tests and answers ────────────────────────────────────────────────────────────────────────────────

    def tests(self, codings: Iterable[Coding], code_map: CodeMap | None = None) -> tuple[str, ...]:
        """The keys of the tests, scores or items that an observation's codings name (LOINC, local or mapped codes).

        Two keys for one test in different units become the first (`serumCreatinineSI` → `serumCreatinine`).
        """
        named: tuple[str, ...] = ()
        for system, code, _ in codings:
            found = self._tests_named(system, code, code_map or {})
            named = tuple(dict.fromkeys(named + found)) if named else found
        return named

    def _tests_named(self, system: str, code: str, code_map: CodeMap) -> tuple[str, ...]:
        """The tests that one coding names; of a code that the user does not map they are found once."""
        if code_map and (system, code.strip()) in code_map:
            return self._tests_among(self._concepts_of(system, code, code_map))
        known = self._tests_of.get((system, code))
        if known is None:
            named = normalise_system(system) in (LOINC, LOCAL_CODES)
            known = self._tests_among(self._concepts_of(system, code, {})) if named else ()
            self._tests_of[system, code] = known
        return known

    def _tests_among(self, keys: Iterable[str]) -> tuple[str, ...]:
        """The tests among some keys, each by its first key."""
        tests = (self._tests.get(key) for key in keys)
        return tuple(dict.fromkeys(test.same_as or test.key for test in tests if test is not None))

    def test(self, key: str) -> LaboratoryTest:
        """What reading a result of this test needs: unit, molar mass, kind, range. KeyError for what is no test."""
        return self._tests[key]

    def is_statement(self, key: str) -> bool:
        """Whether a local code is a statement of the patient or about her (`plansPregnancy`)."""
        return key in self._keys_of_class["StatementKind"]

    def is_classification(self, key: str) -> bool:
        """Whether a key is a set of classification criteria, which are met or not met as well as counted."""
        return key in self._keys_of_class["ClassificationCriteriaSet"]

    def answer(self, codings: Iterable[Coding]) -> bool | None:
        """Positive or negative, from a coded result (codes_extra.csv: labAssertedPositive, labAssertedNegative)."""
        keys = {key for system, code, _ in codings for key in self._concepts_of(system, code, {})}
        if not keys:
            return None
        positive, negative = "labAssertedPositive" in keys, "labAssertedNegative" in keys
        return positive if positive != negative else None

    def noted_kind(self, codings: Iterable[Coding], code_map: CodeMap) -> str | None:
        """`ConditionRecord` or `ProcedureRecord` where a coding is of such a key, or of ICD-10."""
        texts = {text for system, code, _ in codings for text in self._concepts_of(system, code, code_map)}
        if any(text.startswith("icd:") for text in texts) or texts & self._keys_of_class["ClinicalCondition"]:
            return "ConditionRecord"
        return "ProcedureRecord" if texts & self._keys_of_class["ClinicalProcedure"] else None

    # ── Value sets ───────────────────────────────────────────────────────────────────────────────────────

    def membership(self, concepts: Iterable[str], value_sets: Iterable[str]) -> list[tuple[str, str, Membership]]:
        """Which concept texts are in, or undecided for, which value sets; what is outside has no row.

        A value set is a key, an OWL class or a `sle:ValueSet`, by local name. Of several codings `in` wins over
        `undecided`, and that over outside; a diagnosis that the set excludes (M32.0 is not SLE) beside one that is in
        contradicts it. Raises KeyError for a value set that the ontology does not define.
        """
        names = sorted(set(value_sets))
        rows: list[tuple[str, str, Membership]] = []
        for concept in sorted(set(concepts)):
            for name in names:
                texts = concept.split("|")
                found = {self._decide(text, name) for text in texts}
                if "in" in found:
                    excluded = len(texts) > 1 and any(self._is_excluded(text, name) for text in texts)
                    rows.append((concept, name, "undecided" if excluded else "in"))
                elif "undecided" in found:
                    rows.append((concept, name, "undecided"))
        return rows

    def is_open(self, value_set: str) -> bool:
        """Whether the tables hold only examples of this set, so that nothing is known to be outside it."""
        return value_set in self._sets and self._sets[value_set].open

    def members(self, value_set: str) -> tuple[str, ...]:
        """The keys in a value set, sorted. Raises KeyError for a value set that the ontology does not define."""
        return tuple(sorted(self._resolve(value_set).keys))

    def broadest_member(self, value_set: str) -> str | None:
        """The key whose refutation refutes the whole set (rule 10): of a key, that key itself."""
        if value_set in self._sets:
            return self._sets[value_set].broadest_member
        return value_set if value_set in self._concepts else None

    def refuting(self, concepts: Iterable[str], value_sets: Iterable[str]) -> list[tuple[str, str]]:
        """Pairs (concept, value set) such that refuting the concept refutes the set: its broadest member (rule 10).

        Not so where a code of another member stands beside it: a record of a narrower diagnosis refutes only that.
        """
        pairs = []
        for name in sorted(set(value_sets)):
            broadest = self.broadest_member(name)
            listed = {f"icd:{code}" for code in self._codes_of.get(broadest or "", {}).get("icd", ())} | {broadest}
            for concept in sorted(set(concepts)):
                texts = set(concept.split("|"))
                others = texts - listed
                if others != texts and not any(
                    self._decide(text, name) or self._is_excluded(text, name) for text in others
                ):
                    pairs.append((concept, name))
        return pairs

    def _is_excluded(self, text: str, name: str) -> bool:
        """Whether one part of a concept text is a diagnosis, by ICD-10 code or by key, that the value set excludes."""
        excluded = self._resolve(name).excluded.get("icd", frozenset())
        kind, _, code = text.partition(":")
        codes = {code} if kind == "icd" else self._codes_of.get(text, {}).get("icd", set())
        return bool(codes) and all(_any_below(code, excluded) for code in codes)

    def _decide(self, text: str, name: str) -> Membership | None:
        """Membership of one part of a concept text."""
        if (text, name) not in self._decided:
            resolved = self._resolve(name)
            kind, _, code = text.partition(":")
            if kind in KINDS.values() and code:
                self._decided[text, name] = self._decide_code(kind, code, resolved)
            elif text in resolved.keys:
                self._decided[text, name] = "in"
            else:
                self._decided[text, name] = "undecided" if text in resolved.undecided_keys else None
        return self._decided[text, name]

    def _decide_code(self, kind: str, code: str, resolved: _ResolvedSet) -> Membership | None:
        """Membership of a code: by the drug that an old code means, else by prefix, else by the members' own codes.

        CVX has no hierarchy: 21 (varicella) says nothing of 210 (a COVID-19 vaccine).
        """
        prefixes, members = resolved.prefixes.get(kind, frozenset()), resolved.member_codes.get(kind, frozenset())
        if kind == "cvx":
            if code in prefixes | members:
                return "in"
            return "undecided" if code in resolved.undecided_codes.get(kind, ()) else None
        if kind == "atc" and resolved.name != LOCAL_PRODUCTS and self.is_local_product(f"atc:{code}"):
            return None
        if code in self._superseded:
            return "in" if self._keys_of_hierarchy[kind, code] <= resolved.keys else None
        if _any_below(code, resolved.excluded.get(kind, ())):
            return None
        if code in resolved.undecided_codes.get(kind, ()):
            return "undecided"
        if _any_below(code, prefixes):
            return "in"
        undecided = resolved.undecided_prefixes.get(kind, frozenset())
        if _any_below(code, undecided):
            return "undecided"
        nearest = self._nearest_keys(kind, code) if members else set()
        if inside := nearest & resolved.keys:
            return "in" if inside == nearest else "undecided"
        return "undecided" if any(is_above(code, prefix) for prefix in prefixes | undecided | members) else None

    def _nearest_keys(self, kind: str, code: str) -> set[str]:
        """The keys that the tables give to this code, or to the nearest code above it."""
        for end in range(len(code), 2, -1):
            if keys := self._keys_of_hierarchy.get((kind, code[:end].rstrip("."))):
                return keys
        return set()

    def _resolve(self, name: str) -> _ResolvedSet:
        """The value set, class or key with this local name, resolved. KeyError where the ontology has none."""
        if name not in self._resolved:
            if name not in self._sets and name not in self._concepts and name not in self._parents:
                raise KeyError(f"the ontology defines no value set {name!r}")
            stated = self._sets.get(name)
            parts = self._parts(name)
            keys = self._keys(parts)
            if stated and name != LOCAL_PRODUCTS:
                keys -= self._keys_of_class["TopicalOnly"]
            prefixes = _by_kind(prefix for part in parts for prefix in self._prefixes(part))
            undecided_codes = _by_kind(stated.undecided_codes if stated else ())
            undecided_prefixes = _by_kind(stated.undecided_prefixes if stated else ())
            own = ({*prefixes, *undecided_codes, *undecided_prefixes} - {"atc"}) if stated else set()
            broader = _union((self._codes_above[key] for key in keys if key in self._codes_above), without=own)
            self._resolved[name] = _ResolvedSet(
                name=name,
                keys=frozenset(keys),
                undecided_keys=frozenset(stated.undecided_members if stated else ()) - keys,
                prefixes=prefixes,
                excluded=_by_kind(stated.excluded_prefixes if stated else ()),
                undecided_codes=_union((undecided_codes, broader)),
                undecided_prefixes=undecided_prefixes,
                member_codes=_union(
                    (codes for key in keys for codes in (self._codes_of[key], self._codes_above[key])), without=own
                ),
            )
        return self._resolved[name]

    def _parts(self, name: str) -> set[str]:
        """The value set or class itself, the classes and sets among its members, and their subclasses."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            current = waiting.pop()
            if current not in found:
                found.add(current)
                waiting += self._sets[current].members if current in self._sets else ()
                waiting += [child for child, parents in self._parents.items() if current in parents]
        return found

    def _keys(self, parts: set[str]) -> set[str]:
        """The keys among the parts of a value set, and those of its classes."""
        keys = {_key(part) for part in parts if _key(part) in self._concepts}
        return keys.union(*(self._keys_of_class[part] for part in parts))

    def _prefixes(self, part: str) -> Iterator[str]:
        """The code prefixes that a value set or a drug class states."""
        yield from self._sets[part].code_prefixes if part in self._sets else ()
        yield from (f"{ATC}|{prefix}" for prefix in self._atc_prefixes.get(part, ()))

    # ── Medicines ────────────────────────────────────────────────────────────────────────────────────────

    def drug_attributes(self, concepts: Iterable[str]) -> list[DrugAttributes]:
        """What dose and wash-out rules need, a row for each concept text, sorted."""
        return [self._attributes(concept) for concept in sorted(set(concepts))]

    def _attributes(self, concept: str) -> DrugAttributes:
        """Ingredient keys decide over ATC codes, which may be shared by two drugs."""
        drugs = [self._drugs[key] for key in self.drugs_of(concept)]
        only = drugs[0] if len(drugs) == 1 else None
        prednisone = None
        if only is not None and only.mg_equal_to_5mg_prednisone is not None:
            prednisone = Fraction(5) / Fraction(only.mg_equal_to_5mg_prednisone)
        mofetil = self._mofetil.get(only.key) if only else None
        return DrugAttributes(
            concept=concept,
            drug=only.key if only else None,
            moiety=_common(drug.moiety for drug in drugs),
            prednisone_numerator=prednisone.numerator if prednisone else None,
            prednisone_denominator=prednisone.denominator if prednisone else None,
            mmf_numerator=mofetil.numerator if mofetil else None,
            mmf_denominator=mofetil.denominator if mofetil else None,
            ambiguous_mmf=len({self._mofetil.get(drug.key) for drug in drugs}) > 1,
            washout1=_common(drug.washout_days(1) for drug in drugs),
            washout2=_common(drug.washout_days(2) for drug in drugs),
            washout3=_common(drug.washout_days(3) for drug in drugs),
            washout4=_common(drug.washout_days(4) for drug in drugs),
            washout5=_common(drug.washout_days(5) for drug in drugs),
        )

    def drugs_of(self, concept: str) -> tuple[str, ...]:
        """The drugs that a concept text may stand for, sorted; one where its code tells."""
        texts = concept.split("|")
        named = {drug for text in texts if ":" not in text for drug in self._drugs_of(text)}
        return tuple(sorted(named or {drug for text in texts for drug in self._drugs_of(text)}))

    def _drugs_of(self, text: str) -> tuple[str, ...]:
        """The drugs that one part of a concept text stands for; several where an ATC code is shared."""
        if text.startswith("atc:"):
            code = text.removeprefix("atc:")
            keys = self._keys_of_hierarchy.get(("atc", code), ()) if not self.is_local_product(text) else ()
            return tuple(sorted(key for key in keys if key in self._drugs))
        return (text,) if text in self._drugs else ()


@cache
def terminology() -> Terminology:
    """The terminology of the installed ontology, read once."""
    return Terminology()


def _key(name: str) -> str:
    """The key of an individual from its local name: items have a colon where IRIs have a hyphen."""
    return name.replace("-", ":", 1)


def _texts(predicate: str) -> dict[str, list[str]]:
    """The literal values of a property of the ontology by the local name of their subject, sorted."""
    found: dict[str, list[str]] = defaultdict(list)
    for quad in ontology.ontology_store().quads_for_pattern(None, ox.NamedNode(SLE + predicate), None):
        if isinstance(quad.subject, ox.NamedNode) and isinstance(quad.object, ox.Literal):
            found[quad.subject.value.removeprefix(SLE)].append(quad.object.value)
    return {name: sorted(values) for name, values in found.items()}


def _parents() -> dict[str, set[str]]:
    """Every class of the ontology with the named classes directly above it."""
    store = ontology.ontology_store()
    owl_class = ox.NamedNode("http://www.w3.org/2002/07/owl#Class")
    classes = {quad.subject for quad in store.quads_for_pattern(None, ox.NamedNode(RDF + "type"), owl_class)}
    return {
        node.value.removeprefix(SLE): {
            quad.object.value.removeprefix(SLE)
            for quad in store.quads_for_pattern(node, ox.NamedNode(RDFS + "subClassOf"), None)
            if isinstance(quad.object, ox.NamedNode)
        }
        for node in classes
        if isinstance(node, ox.NamedNode)
    }


def _mofetil_equivalents() -> dict[str, Fraction]:
    """mg of mycophenolate mofetil equal to 1 mg of a drug (drugs.csv: 720 mg of the acid equal 1000 mg mofetil)."""
    denominators = _texts("mmfEquivalentFactorDenominator")
    return {
        name: Fraction(values[0]) / Fraction(denominators[name][0])
        for name, values in _texts("mmfEquivalentFactorNumerator").items()
    }


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


def _any_below(code: str, prefixes: Iterable[str]) -> bool:
    return any(in_hierarchy(code, prefix) for prefix in prefixes)


def _by_kind(texts: Iterable[str]) -> dict[str, frozenset[str]]:
    """Texts `<system URI>|<code or prefix>` by kind of system. ValueError for a system without hierarchy."""
    found: dict[str, set[str]] = defaultdict(set)
    for text in texts:
        system, _, code = text.partition("|")
        if system not in KINDS:
            raise ValueError(f"the ontology uses a prefix of the code system {system!r}, which has no hierarchy")
        found[KINDS[system]].add(normalise_code(system, code))
    return {kind: frozenset(codes) for kind, codes in found.items()}


def _union(parts: Iterable[Mapping[str, Iterable[str]]], without: Iterable[str] = ()) -> dict[str, frozenset[str]]:
    """Codes by kind, of all parts together; kinds in `without` left out.

    Where a set states its ICD-10 codes, these are complete: the table's Z94 for solid organs would else let every
    transplant in.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for part in parts:
        for kind, codes in part.items():
            if kind not in without:
                found[kind].update(codes)
    return {kind: frozenset(codes) for kind, codes in found.items()}


def _common(values: Iterable[T]) -> T | None:
    """The value that all have; None where there is none or they differ."""
    found = set(values)
    return found.pop() if len(found) == 1 else None
