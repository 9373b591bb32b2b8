"""Examples of states, grades, proposals, bands and levels, stated from the fact base: both sides of every number."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from caselib import Asked, Case, Resource, bundle, flat, observation, quantity
from features.assessments import CLINICAL, MAJOR, VISIT, days, value
from features.assessments import score as points_of
from features.real import feature
from sle_kg import criteria as c
from sle_kg import definitions, ontology
from sle_kg.evaluate import Bound, Truth, evaluate
from sle_kg.followup.score_classification import ClassificationScore, _Met, proposals
from sle_kg.followup.score_totals import band_of
from sle_kg.namespaces import SLE
from sle_kg.patients.read import read_patients
from sle_kg.terminology import terminology

FACTS = Path(__file__).parent / "facts"
Family = tuple[str, ...]
Bounds = dict[str, Bound]
UKM, LEGEND = "NCT06710717", "NCT06653556"

# ---- states ---------------------------------------------------------------------------------------------------------


def number(text: str) -> Bound:
    return Decimal(text), Decimal(text)


def dose(drug: str, equivalence: str = "none") -> c.Feature:
    return feature("DailyDose", valueSet=(drug,), equivalence=equivalence, perKilogram=False)


def at_baseline(of: c.Feature) -> c.Feature:
    return c.Feature(of.kind, tuple(sorted([*of.parameters, ("at", "baseline")])))


SLEDAI, PGA, STEROID = points_of(), points_of("pga"), dose("Glucocorticoid", "prednisone")
NEW_ITEMS = feature("NewItems", instrument="sledai2kTotal", since="previous")
NEW_A, NEW_B = (feature("NewGrades", instrument="bilag2004", grade=g, since="baseline") for g in "AB")
C3, C4 = value("c3", "timesLowerLimit"), value("c4", "timesLowerLimit")
FALL = points_of("selenaSledaiTotal", alsoAccepts="sledai2kTotal", since="baseline")
RISE = points_of("pga", since="baseline")
STRICT = {"A2-10": "doris-below-5"}
WORDED = [
    ("1", SLEDAI, "4", "5"),
    ("1", MAJOR, "0", "1"),
    ("2", NEW_ITEMS, "0", "1"),
    ("3", PGA, "1", "1.01"),
    ("4", STEROID, "7.5", "7.51"),
]
MOST_A_DAY = {
    "hydroxychloroquine": ("400", "400.1"),
    "methotrexate": ("4.285714285714", "4.29"),
    "azathioprine": ("200", "200.1"),
    "mycophenolateMofetil": ("3000", "3000.1"),
    "mycophenolicAcid": ("2160", "2160.1"),
    "leflunomide": ("20", "20.1"),
}
STATES: dict[str, list[tuple[str, c.Feature, str, str]]] = {
    "lldas-NCT06653556": WORDED,
    "lldas": [*WORDED, *(("5", dose(drug), *limits) for drug, limits in MOST_A_DAY.items())],
    "doris2021": [("1", CLINICAL, "0", "1"), ("2", PGA, "0.49", "0.5"), ("3", STEROID, "5", "5.01")],
    "sledaiRemission": [("1", CLINICAL, "0", "1")],
    "serologicRemission": [("1", C3, "1", "0.99"), ("1", C4, "1", "0.99")],
    "sri4": [("1", FALL, "-4", "-3"), ("2", NEW_A, "0", "1"), ("2", NEW_B, "1", "2"), ("3", RISE, "0.29", "0.3")],
}
"""State → item, what it reads, the last value with which it holds and the first with which it does not."""


def state_faults(name: str) -> Iterator[str]:
    """Everything at its limit holds; one value beyond it ends the state, by that item."""
    state = definitions.states()[name]
    for reading in (STRICT, {"A2-10": "doris-at-most-5"}):
        limits = list(STATES[name])
        if name == "doris2021" and reading is STRICT:
            limits[2] = ("3", STEROID, "4.99", "5")
        quiet: Bounds = {one.slug: number("0") for one in c.features_of(state.condition)}
        quiet |= {of.slug: number(holds) for _, of, holds, _ in limits}
        if truth_of(state.condition, quiet, reading) is not True:
            yield f"{name}: does not hold at its limits"
        for item, of, _, fails in limits:
            beyond = quiet | {of.slug: number(fails)}
            failing = {part.key for part in state.items if truth_of(part.condition, beyond, reading) is False}
            if failing != {item} or truth_of(state.condition, beyond, reading) is not False:
                yield f"{name}: {of.slug} {fails} ends it by {sorted(failing)}"
    yield from _stated_beside_the_tree(state)


def _stated_beside_the_tree(state: definitions.State) -> Iterator[str]:
    """The threshold that an item states beside its tree is that of its formal reading, and one of the tree."""
    reader = definitions._reader()
    tree = {(node.operator, node.met_bound) for node in c.walk(state.condition) if isinstance(node, c.Leaf)}
    for item in reader.subjects(SLE + "itemOf", SLE + state.key):
        if (limit := reader.optional(item, "thresholdValue")) is not None:
            comparator = reader.required(item, "thresholdComparator")
            words = re.findall(r"([<>]=?)(-?[\d.]+)", reader.required(item, "formalReading"))
            if (comparator, Decimal(limit)) not in tree & {(sign, Decimal(text)) for sign, text in words}:
                yield f"{item} says {comparator} {limit}"


def truth_of(condition: c.Condition, bounds: Mapping[str, Bound], readings: Mapping[str, str] = STRICT) -> Truth:
    return evaluate(c.under_readings(condition, readings), bounds, {})


# ---- grades ---------------------------------------------------------------------------------------------------------

Ladder = dict[str, int]
"""Value → grade."""
LABORATORY: dict[str, list[tuple[str, str, str | None, Ladder]]] = {
    "Platelet count decreased": [
        ("platelets", "150", None, {"150": 0, "149": 1, "75": 1, "74": 2, "50": 2, "49": 3, "25": 3, "24": 4}),
        ("platelets", "20", None, {"75": 0, "74": 2, "24": 4}),
    ],
    "Neutrophil count decreased": [
        ("neutrophils", "1.8", None, {"1.8": 0, "1.79": 1, "1.5": 1, "1.49": 2, "1": 2, "0.99": 3, "0.5": 3}),
        ("neutrophils", "0.4", None, {"1.5": 0, "1.49": 2, "0.49": 4}),
    ],
    "White blood cell decreased": [
        ("leukocytes", "4", None, {"4": 0, "3.99": 1, "3": 1, "2.99": 2, "2": 2, "1.99": 3, "1": 3, "0.99": 4}),
        ("leukocytes", "0.9", None, {"3": 0, "2.99": 2, "0.99": 4}),
    ],
    "Lymphocyte count decreased": [
        ("lymphocytes", "1", None, {"1": 0, "0.99": 1, "0.8": 1, "0.79": 2, "0.5": 2, "0.49": 3, "0.2": 3, "0.19": 4}),
        ("lymphocytes", "0.1", None, {"0.8": 0, "0.79": 2, "0.19": 4}),
    ],
    "Anemia": [
        ("hemoglobin", "12", None, {"12": 0, "11.9": 1, "10": 1, "9.9": 2, "8": 2, "7.9": 3}),
        ("hemoglobin", "7", None, {"10": 0, "9.9": 2, "7.9": 3}),
    ],
    "Creatinine increased": [
        ("serumCreatinine", "1", "6", {"1": 0, "1.01": 1, "1.5": 1, "1.51": 2, "3": 2, "3.01": 3, "6": 3, "6.01": 4}),
        ("serumCreatinine", "7", "2", {"3": 0, "3.01": 2, "6": 2, "6.01": 3, "7": 3}),
    ],
    "Blood bilirubin increased": [
        ("totalBilirubin", "1", "1", {"1": 0, "1.01": 1, "1.5": 1, "1.51": 2, "3": 2, "3.01": 3, "10": 3, "10.01": 4}),
        ("totalBilirubin", "1", "1.05", {"1.04": 0, "1.05": 0, "1.06": 1}),
        ("totalBilirubin", "1", "2", {"1.49": 0, "1.5": 0, "1.51": 2}),
    ],
}
LABORATORY |= {
    f"{name} aminotransferase increased": [
        (test, "1", "1", {"1": 0, "1.01": 1, "3": 1, "3.01": 2, "5": 2, "5.01": 3, "20": 3, "20.01": 4}),
        (test, "1", "1.05", {"1.57": 0, "1.575": 1}),
        (test, "1", "0.6", {"0.95": 0, "1": 0, "1.01": 1}),
        (test, "1", "2.5", {"2.95": 0, "3": 0, "3.01": 2}),
    ]
    for name, test in (("Alanine", "alt"), ("Aspartate", "ast"))
}
"""Kind → test, limit of normal, value at baseline, and the grades on both sides of every bound (CTCAE v5.0).

Limits of normal beyond the absolute bounds, and abnormal baselines, show every clause alone.
"""

Findings = Mapping[c.Feature, str | tuple[str, str]]
TEMPERATURE = value("bodyTemperature")
HIGHEST = feature("HighestValue", test=("bodyTemperature",), anchor="infusion")
MEDICINE = feature(
    "Exposure", valueSet=("antipyreticOrAnticytokine",), when="within", lookback="P14D", anchor="screening"
)
CHANGED_STEROID = feature("TreatmentChange", since="baseline", valueSet=("Glucocorticoid",))
HYPOTENSION, VASOPRESSOR, HYPOXIA = value("hypotension"), value("vasopressor"), value("hypoxia")
EITHER = feature("AssessedValue", test=("hypotension", "vasopressor"), quantity="value")
ICE = points_of("iceScore")
DOMAINS = tuple(value(f"icans:{domain}") for domain in ("consciousness", "seizure", "motor", "oedema"))
TOTAL, RISEN = points_of("selenaSledaiTotal"), points_of("selenaSledaiTotal", since="previous")
STABLE: Findings = {HYPOTENSION: "0", VASOPRESSOR: "0", EITHER: "0", HYPOXIA: "0"}
FEVER: Findings = {TEMPERATURE: "38", HIGHEST: "38"}
HIDDEN: Findings = {**STABLE, TEMPERATURE: "36.8", MEDICINE: "1"}


def circulation(hypotension: str, vasopressors: str) -> Findings:
    return {HYPOTENSION: hypotension, VASOPRESSOR: vasopressors, EITHER: (hypotension, vasopressors)}


GRADED: dict[tuple[str, str], list[tuple[Findings, int, int]]] = {
    ("astctCrs2019", "grade"): [
        ({**STABLE, TEMPERATURE: "37.9", HIGHEST: "37.9"}, 0, 0),
        ({**STABLE, **FEVER}, 1, 1),
        ({**STABLE, TEMPERATURE: "38"}, 1, 1),
        ({**HIDDEN, HIGHEST: "38"}, 1, 1),
        ({**HIDDEN, HIGHEST: "37.9"}, 0, 0),
        ({**HIDDEN, HIGHEST: "38", MEDICINE: "0", CHANGED_STEROID: "1"}, 1, 1),
        ({**HIDDEN, HIGHEST: "38", MEDICINE: "0", CHANGED_STEROID: "0"}, 0, 0),
        *(({**STABLE, **FEVER, HYPOXIA: f"{level}"}, level + 1, level + 1) for level in (1, 2, 3)),
        ({**STABLE, **FEVER, **circulation("0", "1")}, 1, 3),
        ({**STABLE, **FEVER, **circulation("1", "0"), EITHER: ("0", "1")}, 2, 2),
        *(({**STABLE, **FEVER, **circulation("1", f"{some}")}, some + 2, some + 2) for some in (1, 2)),
        ({**FEVER, HYPOXIA: "0", VASOPRESSOR: "1", EITHER: "1"}, 3, 3),
    ],
    ("astctIcans2019", "grade"): [
        *(
            ({ICE: f"{ice}", **dict.fromkeys(DOMAINS, "0")}, grade, grade)
            for ice, grade in {10: 0, 9: 1, 7: 1, 6: 2, 3: 2, 2: 3, 0: 3}.items()
        ),
        *(
            ({ICE: "10", **dict.fromkeys(DOMAINS, "0"), domain: f"{grade}"}, grade, grade)
            for domain in DOMAINS
            for grade in (1, 2, 3, 4)
        ),
    ],
    ("selenaFlareIndex", "flare"): [
        ({RISEN: "2", TOTAL: "12"}, 0, 0),
        ({RISEN: "0", TOTAL: "13"}, 0, 0),
        ({RISEN: "1", TOTAL: "13"}, 2, 2),
        ({RISEN: "3", TOTAL: "12"}, 1, 1),
        ({RISEN: "3", TOTAL: "13"}, 2, 2),
    ],
}
"""Scale → findings with least and greatest grade."""


def laboratory(test: str, found: str, limit: str, baseline: str | None) -> Bounds:
    """What is known of a result; `limit` is the upper and the lower limit of normal alike."""
    result, normal = Decimal(found), Decimal(limit)
    numbers = {value(test): result}
    numbers |= {value(test, f"times{side}Limit"): result / normal for side in ("Upper", "Lower")}
    if baseline is not None:
        numbers[value(test, "timesBaseline")] = result / Decimal(baseline)
        numbers[at_baseline(value(test, "timesUpperLimit"))] = Decimal(baseline) / normal
    return {of.slug: (one, one) for of, one in numbers.items()}


def grade_faults(instrument: str, facet: str) -> Iterator[str]:
    """At least every grade up to the least, not known up to the greatest, none above it."""
    (scale,) = (scale for scale in definitions.scales(instrument) if scale.facet == facet)
    examples: list[tuple[str, Bounds, int, int]] = []
    for findings, least, most in GRADED.get((instrument, facet), ()):
        bounds = {of.slug: number(n) if isinstance(n, str) else _range(n) for of, n in findings.items()}
        examples.append((str(sorted(bounds.items())), bounds, least, most))
    for test, limit, baseline, ladder in LABORATORY[facet] if instrument == "ctcaeV5" else ():
        for found, grade in ladder.items():
            examples.append((f"{test} {found}", laboratory(test, found, limit, baseline), grade, grade))
    numbers = [grade.number for grade in scale.grades]
    if numbers != list(range(1, len(numbers) + 1)) or [int(grade.code) for grade in scale.grades] != numbers:
        yield f"{facet}: grades {numbers}"
    for name, bounds, least, most in examples:
        for grade in (grade for grade in scale.grades if grade.at_least is not None):
            assert grade.at_least is not None
            expected: Truth = True if grade.number <= least else None if grade.number <= most else False
            if truth_of(grade.at_least, bounds) is not expected:
                yield f"{facet} {name}: grade {grade.number} is not {expected}"


def _range(pair: tuple[str, str]) -> Bound:
    numbers = sorted(map(Decimal, pair))
    return numbers[0], numbers[-1]


# ---- what results propose of classification items --------------------------------------------------------------------

PROTEIN, UPCR = value("urineProtein24h"), value("upcr")
LEUKOCYTES, LYMPHOCYTES, PLATELETS = value("leukocytes"), value("lymphocytes"), value("platelets")
PROPOSED: list[tuple[str, str, c.Feature, str, str, int]] = [
    ("acr1997", "hematologicDisorder", LEUKOCYTES, "3.99", "4", 2),
    ("acr1997", "hematologicDisorder", LYMPHOCYTES, "1.49", "1.5", 2),
    ("acr1997", "hematologicDisorder", PLATELETS, "99", "100", 1),
    ("acr1997", "renalDisorder", PROTEIN, "0.51", "0.5", 2),
    ("slicc2012", "antiDsDNA", value("antiDsDna", "timesUpperLimit"), "2.01", "2", 1),
    ("slicc2012", "leukopeniaOrLymphopenia", LEUKOCYTES, "3.99", "4", 1),
    ("slicc2012", "leukopeniaOrLymphopenia", LYMPHOCYTES, "0.99", "1", 1),
    ("slicc2012", "lowComplement", C3, "0.99", "1", 1),
    ("slicc2012", "lowComplement", C4, "0.99", "1", 1),
    ("slicc2012", "renal", PROTEIN, "0.5", "0.49", 1),
    ("slicc2012", "renal", UPCR, "500", "499", 1),
    ("slicc2012", "thrombocytopenia", PLATELETS, "99", "100", 1),
    ("eularAcr2019", "fever", TEMPERATURE, "38.31", "38.3", 1),
    ("eularAcr2019", "leukopenia", LEUKOCYTES, "3.99", "4", 1),
    ("eularAcr2019", "lowC3andC4", C3, "0.99", "1", 1),
    ("eularAcr2019", "lowC3andC4", C4, "0.99", "1", 1),
    ("eularAcr2019", "lowC3orC4", C3, "0.99", "1", 1),
    ("eularAcr2019", "lowC3orC4", C4, "0.99", "1", 1),
    ("eularAcr2019", "proteinuria", PROTEIN, "0.51", "0.5", 1),
    ("eularAcr2019", "proteinuria", UPCR, "501", "500", 1),
    ("eularAcr2019", "thrombocytopenia", PLATELETS, "99", "100", 1),
]
"""Set, item, what it reads, the value that proposes the item, the next that does not, and on how many days."""
LOW_COMPLEMENT: Bounds = {C3.slug: number("0.99"), C4.slug: number("0.99")}


def proposal_faults(criteria_set: str) -> Iterator[str]:
    """An item is proposed on the day that makes the occasions full, and never by the value beyond the limit."""
    scorer = ClassificationScore(ontology.instruments()[criteria_set])
    for name, item, of, proposes, beyond, occasions in PROPOSED:
        if name != criteria_set:
            continue
        both = LOW_COMPLEMENT if item == "lowC3andC4" else {}
        for found, needed in ((proposes, occasions), (beyond, None)):
            bounds = {**both, of.slug: number(found)}
            met = [n for n, one in enumerate(proposals(name)[item]) if truth_of(one.condition, bounds)]
            full = [days_ for days_ in (1, 2, 3) if _is_proposed(scorer, item, met, days_)]
            if full != [days_ for days_ in (1, 2, 3) if needed is not None and days_ >= needed]:
                yield f"{name} {item}: {of.slug} {found} on {full} days"


def _is_proposed(scorer: ClassificationScore, item: str, met: Sequence[int], occasions: int) -> bool:
    """Whether results that met some proposals on so many days propose the item."""
    there = [_Met(proposal, VISIT - days(n), (f"r{n}",)) for proposal in met for n in range(occasions)]
    scorer.proposed_on = {("p", item): there}
    return bool(scorer._proposing("p", item, VISIT))


# ---- bands, ranges, levels -------------------------------------------------------------------------------------------

BANDS: dict[str, dict[str, str]] = {
    "sledai2k": {
        **{"0": "remission", "1": "low", "4": "low", "5": "moderate", "10": "moderate", "11": "high", "105": "high"}
    },
    "pga": {
        **{"0": "none", "0.499999999999": "none", "0.5": "mild", "1": "mild", "1.000000000001": "moderate"},
        **{"2": "moderate", "2.000000000001": "severe", "3": "severe"},
    },
}
"""Instrument → value → band (facts/scores_grades.csv)."""
ENDS = {"sledai2k": (0, None), "pga": (0, 3)}
"""Instrument → where its lowest band begins and its highest ends."""


def band_faults(instrument: str) -> Iterator[str]:
    bands = definitions.bands(instrument)
    if (bands[0].least, bands[-1].most) != ENDS[instrument]:
        yield f"{instrument}: bands from {bands[0].least} to {bands[-1].most}"
    for text, expected in BANDS[instrument].items():
        total = Decimal(text)
        begun = [band for band in bands if band.least is None or band.least <= total]
        inside = [band.label for band in begun if band.most is None or total <= band.most]
        if band_of(bands, (total, total)) != expected or inside != [expected]:
            yield f"{instrument} {text}: {inside}"


RANGES = {
    **{"sledai2k": (0, 105), "selenaSledai": (0, 105), "clinicalSledai": (0, 101), "bilag2004": (0, 108)},
    **{"bilagTotal": (0, 108), "sliccDamageIndex": (0, 47), "sdi": (0, 47), "cssrs": (0, 5)},
    **{"ctcaeV5": (1, 5), "ctcaeGrade": (1, 5), "astctCrs2019": (0, 5), "crsGrade": (0, 5), "astctIcans2019": (0, 5)},
    **{"icansGrade": (0, 5), "facitFatigue": (0, 52), "facitF": (0, 160), "iceScore": (0, 10), "acr1997": (0, 11)},
    **{"slicc2012": (0, 17), "eularAcr2019": (0, 51), "hypoxia": (0, 3)},
    **dict.fromkeys(("cssrsBehaviour", "vasopressor"), (0, None)),
    **{f"icans-{domain}": (0, 4) for domain in ("consciousness", "seizure", "motor", "oedema")},
}
"""Instrument or observable → least and greatest score (facts/scores.md)."""


def range_faults(name: str) -> Iterator[str]:
    """What is read of a score: neither less than the least nor more than the greatest."""
    tests, instruments = ontology.laboratory_tests(), ontology.instruments()
    known = [one for one in (tests.get(name.replace("icans-", "icans:")), instruments.get(name)) if one is not None]
    reader = definitions._reader()
    stated = tuple(reader.optional(SLE + name, limit) for limit in ("minimumScore", "maximumScore"))
    found = {(one.minimum, one.maximum) for one in known if one.minimum is not None or one.maximum is not None}
    found.add(tuple(None if text is None else Decimal(text) for text in stated))  # type: ignore[arg-type]
    if found != {RANGES[name]}:
        yield f"{name}: {found}"


FLOWS = {"0": 0, "0.1": 1, "6": 1, "6.1": 2}
"""Oxygen in L/min → level of hypoxia (ASTCT 2019: low flow up to 6 L/min)."""
LEVELS = {"room air": 0, "low-flow nasal cannula": 1, "high-flow nasal cannula": 2, "CPAP": 3}


def level_faults(folder: Path) -> Iterator[str]:
    """The levels that flows of oxygen and words are read as."""
    readings: dict[str, tuple[Resource, int]] = {
        f"flow-{flow.replace('.', '-')}": (_oxygen(valueQuantity=quantity(flow, "L/min")), level)
        for flow, level in FLOWS.items()
    }
    readings |= {f"words-{level}": (_oxygen(valueString=words), level) for words, level in LEVELS.items()}
    file = folder / "levels.json"
    file.write_text(
        bundle([Case(name, Asked(""), flat([one]), {}) for name, (one, _) in readings.items()]), encoding="utf-8"
    )
    rows = read_patients([file], terminology()).tables["measurement"].to_pylist()
    found = {row["patient"]: (row["low"], row["high"]) for row in rows}
    for name, (_, level) in readings.items():
        if found.get(name) != (level, level):
            yield f"{name}: {found.get(name)}"


def _oxygen(**elements: object) -> Resource:
    return observation("local:hypoxia", VISIT.isoformat(), **elements)
