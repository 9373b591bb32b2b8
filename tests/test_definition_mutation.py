"""The examples bite: whatever number of a definition is changed by a step, the result of some example changes.

The examples below state, for both sides of every number, what a patient's findings amount to; they are written from
the fact base (facts/scores.md, classification.md, the tables of grades and states, the records' schedules), and no
number in them is read from the ontology. Every mutant is one statement of the graph changed, read by the program's
own readers and evaluated by its own engine: trees over bounds, weights and windows in the database.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

from caselib import Asked, Case, Resource, bundle, flat, observation, quantity, score
from features.assessments import CLINICAL, INFUSION, MAJOR, VISIT, Record, ask, builder, days, value
from features.assessments import score as points_of
from features.real import feature
from mutants import Statement, applied, changes, statements
from sle_kg import criteria as c
from sle_kg import definitions, ontology
from sle_kg.errors import SleKgError
from sle_kg.evaluate import Bound, Truth, evaluate
from sle_kg.features import FeatureBuilder, FeatureOptions
from sle_kg.features.database import _load_scores
from sle_kg.followup.durations import lasted
from sle_kg.followup.events import Event, onset_window
from sle_kg.followup.measures import numbering
from sle_kg.followup.moments import day_number, named_visits, time_points
from sle_kg.followup.options import FollowUpOptions
from sle_kg.followup.score_classification import ClassificationScore, _Met, points, proposals
from sle_kg.followup.score_totals import band_of
from sle_kg.followup.scores import scores
from sle_kg.namespaces import SLE
from sle_kg.outcomes import load_outcomes
from sle_kg.patients.read import read_patients
from sle_kg.terminology import terminology

FACTS = Path(__file__).parent / "facts"
Family = tuple[str, ...]
Bounds = dict[str, Bound]
UKM, LEGEND = "NCT06710717", "NCT06653556"

OTHER_NUMBERS = frozenset(
    {
        *("position", "itemNumber", "codeRank"),
        *(f"{part}{end}" for part in ("quotation", "sentence", "passage", "literal") for end in ("Start", "End")),
        *(f"{part}{end}" for part in ("timeFrameText", "definitionText", "outcomeTitle") for end in ("Start", "End")),
        *("sourceLength", "enrollmentCount", "plannedEnrollment", "minimumAgeYears", "maximumAgeYears"),
        *(f"http://www.w3.org/2003/01/geo/wgs84_pos#{part}" for part in ("lat", "long")),
    }
)
"""Numbers of the same files that no result is computed from: order, places in the source text, the trial's design."""


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
        if _truth(state.condition, quiet, reading) is not True:
            yield f"{name}: does not hold at its limits"
        for item, of, _, fails in limits:
            beyond = quiet | {of.slug: number(fails)}
            failing = {part.key for part in state.items if _truth(part.condition, beyond, reading) is False}
            if failing != {item} or _truth(state.condition, beyond, reading) is not False:
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


def _truth(condition: c.Condition, bounds: Mapping[str, Bound], readings: Mapping[str, str] = STRICT) -> Truth:
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
        ({RISEN: "2", TOTAL: "13"}, 0, 0),
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
            if _truth(grade.at_least, bounds) is not expected:
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
            met = [n for n, one in enumerate(proposals(name)[item]) if _truth(one.condition, bounds)]
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


# ---- weights, thresholds and windows in the database ----------------------------------------------------------------


def table(name: str) -> list[dict[str, str]]:
    with (FACTS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


WEIGHTS = {row["key"]: int(row["weight"]) for row in table("scores_sledai2k")}
PREFIX = {"sledai2k": "sledai2kTotal", "selenaSledai": "selenaSledaiTotal"}
BILAG = {"A": 12, "B": 8, "C": 1, "D": 0, "E": 0}
SYSTEMS = 9


class Totals:
    """A patient for each item with that item alone, and for each grade of BILAG with that grade in every system."""

    def __init__(self, instrument: str) -> None:
        self.instrument = instrument
        self.total = PREFIX.get(instrument, "bilagTotal")
        graded = [test for test in ontology.laboratory_tests() if test.startswith("bilag:")]
        keys = tuple(BILAG) if instrument == "bilag2004" else tuple(WEIGHTS)
        self.records = [Record(key) for key in keys]
        for record in self.records:
            if instrument == "bilag2004":
                record.grades({test.partition(":")[2]: record.patient for test in graded}, VISIT)
            else:
                for key in WEIGHTS:
                    test = f"{instrument}:{key}"
                    record.dated("measurement", (VISIT, VISIT), test=test, positive=key == record.patient)
        self.asks = [ask(n, record.patient) for n, record in enumerate(self.records)]
        self.wanted = [points_of(self.total)]
        if instrument != "bilag2004":
            self.wanted.append(feature("Score", instrument=self.total, validFor="result"))
        self.builder = builder([record.facts for record in self.records], self.wanted)

    def faults(self) -> Iterator[str]:
        found = computed(self.builder, self.asks, self.wanted)
        for (number_, slug), bound in sorted(found.items()):
            key = self.records[number_].patient
            expected = Decimal(SYSTEMS * BILAG[key] if self.instrument == "bilag2004" else WEIGHTS[key])
            if bound != (expected, expected):
                yield f"{self.instrument} {key} {slug}: {bound}"
        if len(found) != len(self.records) * len(self.wanted):
            yield f"{self.instrument}: {len(found)} results"


def computed(some: FeatureBuilder, asks: Sequence, wanted: Sequence[c.Feature]) -> dict[tuple[int, str], Bound]:  # type: ignore[type-arg]
    """The bounds by the numbers that the ontology has now."""
    refresh(some)
    values = some.compute(asks, {asks[0].trial: wanted}, FeatureOptions())
    return {(found.ask, found.slug): (found.lower, found.upper) for found in values}


def presence(bound: Bound | None) -> Truth:
    """What bounds of a feature of 0 and 1 say."""
    lower, upper = bound or (None, None)
    return True if lower == 1 else False if upper == 0 else None


def refresh(some: FeatureBuilder) -> None:
    """Makes the builder read weights, grades and thresholds of the ontology again."""
    _load_scores(some._connection)
    some._assessed = None


THRESHOLDS: list[tuple[str, str, str, str]] = [
    ("hematuria", "urineRbcHpf", "5.1", "5"),
    ("pyuria", "urineWbcHpf", "5.1", "5"),
    ("proteinuria", "urineProtein24h", "0.51", "0.5"),
    ("fever", "bodyTemperature", "38.01", "38"),
    ("thrombocytopenia", "platelets", "99", "100"),
    ("leukopenia", "leukocytes", "2.99", "3"),
    ("lowComplement", "c3", "89", "90"),
    ("lowComplement", "c4", "89", "90"),
    ("increasedDNABinding", "antiDsDna", "181", "180"),
]
"""Item, test, the value that proposes it, the next that does not; limits of normal 90 and 180."""
WINDOW = {"sledai2k": 30, "selenaSledai": 10}


class Thresholds:
    """For each threshold a patient on each side of it, and one on each end of the window."""

    def __init__(self, instrument: str) -> None:
        self.instrument, self.total = instrument, PREFIX[instrument]
        self.expected: list[tuple[str, bool]] = []
        self.records: list[Record] = []
        for item, test, proposes, beyond in THRESHOLDS:
            self._add(item, test, proposes, VISIT, True)
            self._add(item, test, beyond, VISIT, False)
            self._add(item, test, proposes, VISIT - days(WINDOW[instrument]), True)
            self._add(item, test, proposes, VISIT - days(WINDOW[instrument] + 1), False)
        self.asks = [ask(n, record.patient) for n, record in enumerate(self.records)]
        self.builder = builder([record.facts for record in self.records], [points_of(self.total)])

    def _add(self, item: str, test: str, found: str, on: dt.date, proposed: bool) -> None:
        record = Record(f"p{len(self.records):03}")
        for result, day in (("0", INFUSION - days(200)), (found, on)):
            record.result(test, result, day, lln=Decimal(90), uln=Decimal(180))
        self.records.append(record)
        self.expected.append((item, proposed))

    def faults(self) -> Iterator[str]:
        refresh(self.builder)
        states = self.builder.items(self.asks, self.total, FeatureOptions())
        found = {(state.ask, state.item): state.derived for state in states}
        for number_, (item, proposed) in enumerate(self.expected):
            if (found.get((number_, item)) is True) is not proposed:
                yield f"{self.instrument} {item}, example {number_}"


# ---- classification --------------------------------------------------------------------------------------------------

SETS = {"ACR 1997": "acr1997", "SLICC 2012": "slicc2012", "EULAR/ACR 2019": "eularAcr2019"}
CLASSIFIED = {
    "acr1997": {"ana malarRash oralUlcers": False, "ana malarRash oralUlcers arthritis": True},
    "slicc2012": {"ana antiSm acuteCutaneous": False, "ana antiSm antiDsDNA acuteCutaneous": True},
    "eularAcr2019": {
        "ana leukopenia jointInvolvement": False,
        "ana proteinuria jointInvolvement": True,
        "ana oralUlcers antiphospholipid fever lowC3orC4": False,
        "ana oralUlcers antiphospholipid fever lowC3andC4": True,
    },
}
"""Set → items present → classified: one point short, and just enough."""


def item_weights(criteria_set: str) -> dict[str, int]:
    """Item → points of the fact base; an item of entry gives none."""
    rows = [row for row in table("classification") if SETS[row["criteria_set"]] == criteria_set]
    return {row["criterion_key"]: int(row["weight"]) if row["weight"].isdecimal() else 0 for row in rows}


class Classified:
    """Patients with all items of a set recorded: those of the examples, and each item with ANA alone."""

    def __init__(self, criteria_set: str) -> None:
        self.set, self.weights = criteria_set, item_weights(criteria_set)
        self.records: list[Record] = []
        self.expected = list(CLASSIFIED[criteria_set].values())
        for number_, present in enumerate(CLASSIFIED[criteria_set]):
            record = Record(f"p{number_:03}")
            for key in self.weights:
                test = f"{criteria_set}:{key}"
                record.dated("measurement", (VISIT, VISIT), test=test, positive=key in present.split())
            self.records.append(record)
        self.asks = [ask(n, record.patient) for n, record in enumerate(self.records)]
        self.wanted = [feature("Classification", classificationSet=criteria_set, diagnosis="sleDiagnosis")]
        self.builder = builder([record.facts for record in self.records], self.wanted)

    def faults(self) -> Iterator[str]:
        items = {item.key.partition(":")[2]: item for item in ontology.instruments()[self.set].items}
        for key, weight in self.weights.items():
            if points(items, [key]) != weight:
                yield f"{self.set} {key}: {points(items, [key])} points"
        found = computed(self.builder, self.asks, self.wanted)
        for number_, met in enumerate(self.expected):
            if presence(found.get((number_, self.wanted[0].slug))) is not met:
                yield f"{self.set}, example {number_}"


# ---- windows of the other instruments -------------------------------------------------------------------------------

LAST_DAY: dict[str, tuple[str, Resource, int]] = {
    "sledai2k": ("sledai2k", score("sledai2kTotal", 4, VISIT.isoformat()), 30),
    "selenaSledai": ("selenaSledai", score("selenaSledaiTotal", 4, VISIT.isoformat()), 10),
    "pga": ("pga", score("pga", 1, VISIT.isoformat()), 30),
    "bilag2004": ("bilag", score("bilagTotal", 8, VISIT.isoformat()), 28),
    "facitFatigue": ("facitFatigue", score("facitFatigue", 30, VISIT.isoformat()), 7),
    "facitF": ("facitF", score("facitF", 90, VISIT.isoformat()), 7),
    "astctCrs2019": ("crs", score("crsGrade", 2, VISIT.isoformat()), 0),
    "astctIcans2019": ("icans", score("icansGrade", 2, VISIT.isoformat()), 0),
}
"""Instrument → name of the score, a result, and the days for which it serves (facts/scores.md; FACIT: 7-day recall)."""


def window_faults(instrument: str, folder: Path) -> Iterator[str]:
    """A result serves on the last day of its window and not on the day after it."""
    name, record, window = LAST_DAY[instrument]
    file = folder / f"{instrument}.json"
    file.write_text(bundle([Case("p", Asked(""), flat([record]), {})]), encoding="utf-8")
    for later in (window, window + 1):
        (found,) = scores([file], name, FollowUpOptions(on=VISIT + days(later)))
        if (found.value is not None and bool(found.evidence)) is not (later == window):
            yield f"{name}: {later} days later {found.value}"


# ---- outcomes --------------------------------------------------------------------------------------------------------

WEEKS = {f"week {n}": INFUSION + dt.timedelta(weeks=n) for n in (4, 8, 12, 16, 20, 24, 28)}
MONTHS = {
    f"month {n}": dt.date.fromisoformat(day)
    for n, day in {
        **{1: "2026-02-10", 3: "2026-04-10", 6: "2026-07-10", 9: "2026-10-10", 12: "2027-01-10"},
        **{15: "2027-04-10", 18: "2027-07-10", 21: "2027-10-10", 24: "2028-01-10"},
    }.items()
}
VISITS = {
    **{(UKM, row): WEEKS for row in ("O2", "O3", "O6")},
    **{(UKM, row): MONTHS for row in ("O4", "O5")},
    (UKM, "X2"): {"month 3": MONTHS["month 3"]},
}
"""Row → time points after an infusion on 10 January 2026; the other rows name none."""
ONSETS = {
    (UKM, "O1"): (INFUSION, dt.date(2028, 1, 10)),
    (LEGEND, "O1"): (INFUSION, dt.date(2028, 1, 8)),
    (LEGEND, "O2"): (INFUSION, dt.date(2026, 2, 9)),
}
"""Row → first and last day on which an adverse event of the outcome begins."""
INFUSION_DAY = {UKM: 0, LEGEND: 1}


def schedule_faults(trial: str) -> Iterator[str]:
    """The days of time points and of onsets; every number of a schedule stands in the words of the record."""
    rows = load_outcomes()[trial]
    day_of_infusion = numbering(rows)
    if day_number(INFUSION, INFUSION, day_of_infusion) != INFUSION_DAY[trial]:
        yield f"{trial}: the infusion is on day {day_of_infusion}"
    for row in rows:
        schedule = row.schedule
        timed = time_points(named_visits(schedule), INFUSION, day_of_infusion)
        if {point.name: point.target for point in timed} != VISITS.get((trial, row.id), {}):
            yield f"{trial} {row.id}: {timed}"
        onset = ONSETS.get((trial, row.id))
        if onset is not None and onset_window(schedule, INFUSION, day_of_infusion) != onset:
            yield f"{trial} {row.id}: onset in {onset_window(schedule, INFUSION, day_of_infusion)}"
        named = {schedule.from_day, schedule.to_month, schedule.within_days, schedule.minimum_weeks} - {None}
        if not named <= set(map(int, re.findall(r"\d+", row.time_frame))):
            yield f"{trial} {row.id}: {named} is not in {row.time_frame!r}"
        stated = _infusion_day(trial, row.id)
        if stated not in (None, INFUSION_DAY[trial]):
            yield f"{trial} {row.id}: the infusion is on day {stated}"


def _infusion_day(trial: str, row: str) -> int | None:
    found = definitions._reader().optional(f"https://w3id.org/sle-kg/trial/{trial}/{row}", "infusionDay")
    return None if found is None else int(found)


B_CELLS = value("bCellsCd19")


def outcome_faults(trial: str) -> Iterator[str]:
    """B-cell aplasia is fewer than 10 cells per microlitre, unless the user says otherwise."""
    found = {d.key: d.condition for row in load_outcomes()[trial] for d in row.definitions if d.condition is not None}
    for count, aplasia in (("9.9", True), ("10", False)):
        if _truth(found["bCellAplasia"], {B_CELLS.slug: number(count)}) is not aplasia:
            yield f"bCellAplasia at {count}"


def duration_faults(trial: str) -> Iterator[str]:
    """Remission is sustained from one day to the same day a year later, and not a day less."""
    (row,) = (row for row in load_outcomes()[trial] if row.id == "X3")
    minimum = row.definitions[0].minimum
    assert minimum is not None
    start = INFUSION + days(10)
    for end, held in ((dt.date(2027, 1, 20), True), (dt.date(2027, 1, 19), False)):
        seen: list[tuple[dt.date, Truth]] = [(start, True), (end, True), (end + days(400), False)]
        if lasted(seen, minimum, INFUSION) is not held:
            yield f"X3 until {end}"
    months = definitions._reader().optional(f"https://w3id.org/sle-kg/trial/{trial}/X3", "minimumMonths")
    if f"P{months}M" != minimum:
        yield f"X3: {months} months and {minimum}"


def dose_limiting_faults(trial: str) -> Iterator[str]:
    """An event of grade 2 cannot limit the dose, one of grade 3 may."""
    (row,) = (row for row in load_outcomes()[trial] if row.id == "O2")
    for grade, expected in ((2, False), (3, None)):
        event = Event("x", "", "AdverseEvent/1", INFUSION, INFUSION, grade, grade, None, True, None)
        if event.limits_dose(row.definitions[0].severe_from) is not expected:
            yield f"O2: grade {grade}"


class Lookback:
    """Patients whose last dose of tocilizumab was so many days before; only the last days hide a fever."""

    def __init__(self) -> None:
        self.records = []
        for before in (14, 15):
            day = VISIT - days(before)
            self.records.append(Record(f"p{before}").medicine("tocilizumab", day, day).complete())
        self.asks = [ask(n, record.patient) for n, record in enumerate(self.records)]
        wanted = [c.Feature(MEDICINE.kind, _lookback(n)) for n in (13, 14, 15)]
        self.builder = builder([record.facts for record in self.records], wanted)

    def faults(self) -> Iterator[str]:
        scales = definitions.scales("astctCrs2019")
        every = {one for tree in definitions.conditions_of(scales) for one in c.features_of(tree)}
        (used,) = (one for one in every if one.kind == MEDICINE.kind)
        found = computed(self.builder, self.asks, [used])
        for number_, taken in ((0, True), (1, False)):
            if presence(found.get((number_, used.slug))) is not taken:
                yield f"{used.slug}: {self.records[number_].patient} {found.get((number_, used.slug))}"


def _lookback(number_: int) -> tuple[tuple[str, c.Parameter], ...]:
    return tuple(sorted({**dict(MEDICINE.parameters), "lookback": f"P{number_}D"}.items()))


# ---- which examples bear on which number ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Bench:
    """The examples of every family of numbers."""

    folder: Path

    def faults(self, family: Family) -> list[str]:
        """Where an example does not come out as stated; a definition that cannot be read is a fault too."""
        kind, *rest = family
        try:
            return list(self._judge(kind)(*rest))
        except SleKgError as error:
            return [str(error)]

    def _judge(self, kind: str) -> Callable[..., Iterator[str]]:
        judges: dict[str, Callable[..., Iterator[str]]] = {
            "state": state_faults,
            "grade": grade_faults,
            "proposal": proposal_faults,
            "band": band_faults,
            "range": range_faults,
            "level": lambda: level_faults(self.folder),
            "total": lambda instrument: totals(instrument).faults(),
            "threshold": lambda instrument: thresholds(instrument).faults(),
            "classification": lambda name: classified(name).faults(),
            "window": lambda instrument: self._windows(instrument),
            "schedule": schedule_faults,
            "outcome": outcome_faults,
            "duration": duration_faults,
            "doseLimiting": dose_limiting_faults,
            "lookback": lambda: lookback().faults(),
        }
        return judges[kind]

    def _windows(self, instrument: str) -> Iterator[str]:
        yield from window_faults(instrument, self.folder)
        if instrument in WINDOW:
            yield from thresholds(instrument).faults()


@cache
def totals(instrument: str) -> Totals:
    return Totals(instrument)


@cache
def thresholds(instrument: str) -> Thresholds:
    return Thresholds(instrument)


@cache
def classified(criteria_set: str) -> Classified:
    return Classified(criteria_set)


@cache
def lookback() -> Lookback:
    return Lookback()


SCHEDULED = {"atWeek", "atMonth", "infusionDay", "fromDay", "toMonth", "withinDays", "minimumWeeks"}
BY_PROPERTY = {
    **dict.fromkeys(SCHEDULED, "schedule"),
    **dict.fromkeys(("minDuration", "minimumMonths"), "duration"),
    **dict.fromkeys(("minimumScore", "maximumScore"), "range"),
    **dict.fromkeys(("levelNumber", "greatestFlow"), "level"),
    **dict.fromkeys(("bandLeast", "bandMost"), "band"),
    "windowDays": "window",
    "numericValue": "total",
    "lookback": "lookback",
    "severeFromGrade": "doseLimiting",
    "minimumSum": "classification",
}


@cache
def places() -> dict[str, set[Family]]:
    """Node of a definition → the families of examples in whose trees it stands."""
    found: dict[str, set[Family]] = {}

    def add(condition: c.Condition, family: Family) -> None:
        for node in c.walk(condition):
            found.setdefault(node.iri, set()).add(family)

    reader = definitions._reader()
    for state in definitions.states().values():
        add(state.condition, ("state", state.name))
        for item in reader.subjects(SLE + "itemOf", SLE + state.key):
            found.setdefault(item, set()).add(("state", state.name))
    for instrument in definitions.graded_instruments():
        for grade in reader.subjects(SLE + "gradeOf", SLE + instrument):
            if (facet := reader.optional(grade, "gradeFacet")) is not None:
                found.setdefault(grade, set()).add(("grade", instrument, facet))
        for scale in definitions.scales(instrument):
            for grade_ in scale.grades:
                if grade_.at_least is not None:
                    add(grade_.at_least, ("grade", instrument, scale.facet))
    for name in SETS.values():
        for some in proposals(name).values():
            for proposal in some:
                add(proposal.condition, ("proposal", name))
    for trial, rows in load_outcomes().items():
        for definition in (d for row in rows for d in row.definitions if d.condition is not None):
            assert definition.condition is not None
            for node in c.walk(definition.condition):
                if node.iri.startswith("https://w3id.org/sle-kg/trial/"):
                    found.setdefault(node.iri, set()).add(("outcome", trial))
    return found


def families(one: Statement) -> set[Family]:
    """The examples that must tell a change of this statement; none for what is no number of a definition."""
    reader, iri = definitions._reader(), one.quad.subject.value
    instrument = next(iter(reader.values(iri, "itemOf") + reader.values(iri, "gradeOf")), "").removeprefix(SLE)
    if one.name in OTHER_NUMBERS:
        return set()
    if one.name == "weight":
        return {("total" if instrument in PREFIX else "classification", instrument)}
    if one.name.startswith("threshold") and instrument in PREFIX:
        return {("threshold", instrument)}
    kind = BY_PROPERTY.get(one.name)
    if kind in ("level", "lookback"):
        return {(kind,)}
    if kind in ("schedule", "duration", "doseLimiting"):
        return {(kind, one.subject.partition("/")[0])}
    if kind in ("band", "total"):
        return {(kind, instrument)}
    if kind is not None:
        return {(kind, one.subject)}
    return places().get(iri, set())


NUMBERS = statements()
EQUIVALENT = {
    **dict.fromkeys(
        (
            "ctcaeV5-bloodBilirubinIncreased-1-condition-1-2-1 maxInclusive 1: maxInclusive 0.9",
            "ctcaeV5-bloodBilirubinIncreased-1-condition-1-2-1 maxInclusive 1: maxExclusive 1",
        ),
        "bilirubin above its limit is above any baseline within the limit too",
    ),
    "lldas-5-condition-3 maxInclusive 4.285714285715: maxExclusive 4.285714285715": (
        "30 mg a week are 30/7 mg a day, less than the last place of the bound"
    ),
    **{
        f"{instrument}-increasedDNABinding thresholdComparator >: thresholdComparator >=": (
            "an antibody is positive above its limit by the rules of reading, whatever asks for it"
        )
        for instrument in PREFIX
    },
}
"""Changes that no patient can tell, and why."""


def test_the_examples_come_out_as_stated(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    asked = sorted({family for one in NUMBERS for family in families(one)})
    assert [fault for family in asked for fault in bench.faults(family)] == []


def test_no_number_of_a_definition_is_left_out() -> None:
    left_out = [f"{one.subject} {one.name}" for one in NUMBERS if one.name not in OTHER_NUMBERS and not families(one)]
    assert left_out == []
    assert all(list(changes(one)) for one in NUMBERS)
    assert len([one for one in NUMBERS if one.name not in OTHER_NUMBERS]) > 450


def test_no_number_of_a_definition_can_change_unseen(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    survivors = []
    for one in NUMBERS:
        for changed in changes(one) if families(one) else ():
            with applied(changed):
                if not any(bench.faults(family) for family in sorted(families(one))):
                    survivors.append(str(changed))
    assert set(survivors) == set(EQUIVALENT), json.dumps(survivors, indent=1)
    assert bench.faults(("state", "lldas")) == []
    assert statements() == NUMBERS
