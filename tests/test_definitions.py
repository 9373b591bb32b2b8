"""States, grades and bands are read as the fact base words them: every threshold of its tables is in a tree."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from sle_kg import criteria as c
from sle_kg import definitions, ontology
from sle_kg.conditions import LEAVES
from sle_kg.evaluate import Bound, evaluate
from sle_kg.terminology import terminology

FACTS = Path(__file__).parent / "facts"
STATES = {
    ("LLDAS", "official (Franklyn 2016)"): "lldas",
    ("LLDAS", "seed 4 (NCT06653556)"): "lldas-NCT06653556",
    ("DORIS 2021", "Table 2 final recommendation"): "doris2021",
    ("DORIS 2021", "abstract"): "doris2021",
    ("DORIS 2021", "statement 2"): "doris2021",
    ("SRI-4", "trial definition"): "sri4",
    ("Serologic remission", "seed 2"): "serologicRemission",
}
WITHOUT_CONDITION = {("DORIS 2021", "5"), ("SRI-4", "4")}
"""What asks nothing that a record could show: the words on duration, the medication rules of each trial."""


def rows(name: str) -> list[dict[str, str]]:
    with (FACTS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# ── States ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_state_of_the_contract_is_read() -> None:
    expected = {"doris2021", "lldas", "lldas-NCT06653556", "serologicRemission", "sledaiRemission", "sri4"}
    assert set(definitions.states()) == expected
    for state in definitions.states().values():
        assert isinstance(state.condition, c.AllOf)
        assert state.condition.operands == tuple(item.condition for item in state.items)


DOSES = {
    "HCQ": "hydroxychloroquine",
    "MTX": "methotrexate",
    "AZA": "azathioprine",
    "MMF": "mycophenolateMofetil",
    "MPA": "mycophenolicAcid",
    "LEF": "leflunomide",
}
SUM = "AssessedScoreCondition sledai2kTotal"
WORDED: list[tuple[str, str]] = [
    (r"sledai2k<=(\d+)", SUM + " <= {0}"),
    (r"sum\((?:major-organ items|items in \{.*\})\)=0", SUM + " majorOrgan <= 0"),
    (r"not haemolyticAnaemia", "not DiagnosisCondition hemolyticAnemiaAny current"),
    (r"not giActivity", "not DiagnosisCondition gastrointestinalLupusAny current"),
    (r"prev\(d\)=0 and cur\(d\)>0", "NewItemsCondition sledai2kTotal previous <= 0"),
    (r"pga(<=?)([\d.]+)", "AssessedScoreCondition pga {0} {1}"),
    (r"predEq(<=?)([\d.]+) mg/d", "DailyDoseCondition Glucocorticoid prednisone {0} {1}"),
    (r"no investigational drug", "not ExposureCondition investigationalDrugAny ongoing"),
    (r"sledai2k - lowComplement\*2 - increasedDNABinding\*2 = 0", SUM + " clinical <= 0"),
    (
        r"no dose change of immunosuppressive/biologic since previous",
        "not TreatmentChangeCondition BiologicAgent+ConventionalImmunosuppressant+JAKInhibitor previous",
    ),
    (r"sledai\(base\)-sledai\(t\)>=(\d)", "AssessedScoreCondition selenaSledaiTotal sledai2kTotal baseline <= -{0}"),
    (r"newA=(\d)", "NewGradesCondition bilag2004 A baseline <= {0}"),
    (r"newB<=(\d)", "NewGradesCondition bilag2004 B baseline <= {0}"),
    (r"pga\(t\)-pga\(base\)<([\d.]+)", "AssessedScoreCondition pga baseline < {0}"),
    (r"antiDsDNA=negative", "not AssessedPositiveCondition antiDsDna+antiDsDnaQual"),
    (r"C([34]) within range", "AssessedValueCondition c{0} timesLowerLimit >= 1"),
]
"""What the formal readings of the fact base say, and the leaf that says it."""
ORDER = ("instrument", "test", "valueSet", "equivalence", "quantity", "grade")
ORDER += ("alsoAccepts", "itemGroup", "when", "since")


def worded(text: str) -> set[str]:
    """The leaves that a formal reading asks for."""
    found = {leaf.format(*match.groups()) for word, leaf in WORDED for match in re.finditer(word, text)}
    for name, amount, weekly in re.findall(r"([A-Z]{3}) (\d+) mg(?:/d)?( \[weekly\])?", text):
        bound = (Decimal(amount) / 7).quantize(Decimal("1e-12"), "ROUND_UP") if weekly else Decimal(amount)
        found.add(f"DailyDoseCondition {DOSES[name]} none <= {bound.normalize():f}")
    return found


def leaves(condition: c.Condition, sign: str = "") -> Iterator[str]:
    """Every leaf in the words of WORDED. Presence has no comparison."""
    match condition:
        case c.Not(operand=operand):
            yield from leaves(operand, "not ")
        case c.Leaf(feature=feature):
            values = [feature.get(name) for name in ORDER]
            words = ["+".join(v) if isinstance(v, tuple) else str(v) for v in values if v is not None]
            if condition.unit is not None:
                words += [condition.operator, f"{condition.met_bound.normalize():f}"]
            yield sign + " ".join([feature.kind, *words])
        case _:
            for child in c.children(condition):
                yield from leaves(child, sign)


@pytest.mark.parametrize("row", rows("scores_states"), ids=lambda row: f"{row['state']}-{row['version']}-{row['item']}")
def test_an_item_of_a_state_asks_what_its_formal_reading_says(row: dict[str, str]) -> None:
    state = definitions.states()[STATES[row["state"], row["version"]]]
    items = {item.key: item for item in state.items}
    if (row["state"], row["item"]) in WITHOUT_CONDITION:
        assert row["item"] not in items
        return
    reading = "doris-below-5" if "<5" in row["formal_reading"] and row["state"] == "DORIS 2021" else "doris-at-most-5"
    condition = c.under_readings(items[row["item"]].condition, {"A2-10": reading})
    assert set(leaves(condition)) == worded(row["formal_reading"]) != set()
    assert not any(isinstance(node, c.AnyOf | c.AtLeast | c.Judgement) for node in c.walk(condition))


def test_the_default_of_doris_is_at_most_five_milligrams() -> None:
    item = definitions.states()["doris2021"].items[2]
    assert isinstance(item.condition, c.ByReading)
    assert (item.condition.ambiguity, item.condition.default) == ("A2-10", "doris-at-most-5")


def test_sledai_remission_is_item_one_of_doris() -> None:
    doris, remission = (definitions.states()[name] for name in ("doris2021", "sledaiRemission"))
    assert list(leaves(remission.condition)) == list(leaves(doris.items[0].condition))


def test_the_four_items_of_the_trial_are_part_of_the_official_lldas() -> None:
    official, worded_by_trial = (definitions.states()[name] for name in ("lldas", "lldas-NCT06653556"))
    assert set(leaves(worded_by_trial.condition)) < set(leaves(official.condition))


def test_major_organs_are_the_systems_that_the_trial_names() -> None:
    text = next(
        row["formal_reading"] for row in rows("scores_states") if row["state"] == "LLDAS" and "{" in row[FORMAL]
    )
    named = set(re.findall(r"\w+", text.partition("{")[2].partition("}")[0]))
    systems = {"centralNervousSystem" if name == "CNS" else name for name in named}
    items = ontology.instruments()["sledai2k"].items
    assert {item.key for item in items if "majorOrgan" in item.groups} == {
        item.key for item in items if item.groups & systems
    }


FORMAL = "formal_reading"


# ── Laboratory grades of CTCAE ───────────────────────────────────────────────────────────────────────────────────

TESTS = {
    "Alanine aminotransferase increased": "alt",
    "Aspartate aminotransferase increased": "ast",
    "Blood bilirubin increased": "totalBilirubin",
    "Creatinine increased": "serumCreatinine",
    "Platelet count decreased": "platelets",
    "Neutrophil count decreased": "neutrophils",
    "White blood cell decreased": "leukocytes",
    "Lymphocyte count decreased": "lymphocytes",
    "Anemia": "hemoglobin",
}
CLAUSE = re.compile(r"(?:Hgb )?(?P<sign>[<>]?)(?P<bound>ULN|LLN|[\d.]+)(?:-[\d.]+)?(?P<times>x(?:ULN|baseline))?")


@dataclass(frozen=True)
class Clause:
    """One clause of a grade: the value beyond a bound, from a normal or an abnormal baseline or from any."""

    sign: str
    bound: Decimal
    of: str
    baseline_normal: bool | None

    def holds(self, value: Decimal, limit: Decimal, baseline: Decimal) -> bool:
        if self.baseline_normal is not None and self.baseline_normal != (baseline <= limit):
            return False
        bound = self.bound * {"limit": limit, "baseline": baseline, "value": Decimal(1)}[self.of]
        return {">": value > bound, "<": value < bound, "": value >= bound}[self.sign]


def clauses(criterion: str) -> list[Clause]:
    """What a row of the table says; words without a number say nothing that a laboratory measures."""
    found = []
    for part in criterion.split("; "):
        if (match := CLAUSE.match(part)) is None:
            continue
        of = "limit" if match["bound"] in ("ULN", "LLN") or match["times"] == "xULN" else "value"
        if match["times"] == "xbaseline":
            of = "baseline"
        bound = Decimal(1) if match["bound"] in ("ULN", "LLN") else Decimal(match["bound"])
        split = "(baseline normal)" in criterion
        found.append(Clause(match["sign"], bound, of, of == "limit" if split else None))
    return found


GRADES = {
    facet: [clauses(row["criterion"]) for row in rows("scores_grades") if row["facet"] == facet] for facet in TESTS
}


def scale(instrument: str, facet: str) -> definitions.Scale:
    return next(found for found in definitions.scales(instrument) if found.facet == facet)


def laboratory(test: str, value: Decimal, limit: Decimal, baseline: Decimal | None) -> dict[str, Bound]:
    """Bounds of every feature of a result; `limit` is the upper and the lower limit of normal alike."""
    found = {
        ("value", None): value,
        ("timesUpperLimit", None): value / limit,
        ("timesLowerLimit", None): value / limit,
        ("timesBaseline", None): None if baseline is None else value / baseline,
        ("timesUpperLimit", "baseline"): None if baseline is None else baseline / limit,
    }
    bounds: dict[str, Bound] = {}
    for (quantity, at), number in found.items():
        parameters = [("quantity", quantity), ("test", (test,)), *([("at", at)] if at else [])]
        bounds[c.Feature("AssessedValueCondition", tuple(sorted(parameters))).slug] = (number, number)
    return bounds


def reached(found: definitions.Scale, bounds: dict[str, Bound]) -> tuple[int, int]:
    """Highest grade known to be reached, and highest grade that has a condition and may be."""
    truths = {g.number: evaluate(g.at_least, bounds, {}) for g in found.grades if g.at_least is not None}
    return max([0, *(n for n, t in truths.items() if t)]), max([0, *(n for n, t in truths.items() if t is not False)])


def test_a_scale_for_every_laboratory_grade() -> None:
    found = {scale.facet: scale for scale in definitions.scales("ctcaeV5")}
    assert set(found) == set(TESTS)
    for facet, by_grade in GRADES.items():
        assert [grade.number for grade in found[facet].grades] == [1, 2, 3, 4]
        assert [grade.at_least is not None for grade in found[facet].grades] == [bool(parts) for parts in by_grade]


@pytest.mark.parametrize("facet", TESTS)
def test_a_laboratory_grade_is_that_of_the_table(facet: str) -> None:
    """On both sides of every bound, and on it; limits of normal above and below the absolute bounds."""
    falls = any(clause.sign == "<" for parts in GRADES[facet] for clause in parts)
    bounds = sorted({clause.bound for parts in GRADES[facet] for clause in parts if clause.of == "value"})
    step = Decimal("0.001")
    limits = [bounds[-1] * 2, bounds[-1] / 2] if falls else [Decimal(1), Decimal(40)]
    ratios = {clause.bound for parts in GRADES[facet] for clause in parts if clause.of != "value"}
    seen = set()
    for limit in limits:
        for baseline in (limit / 2, limit, limit * Decimal("1.25"), limit * 2):
            edges = {ratio * base for ratio in ratios for base in (limit, baseline)} | set(bounds)
            for value in {edge + move for edge in edges for move in (-step, Decimal(0), step)}:
                expected = max(
                    [
                        0,
                        *(
                            n
                            for n, parts in enumerate(GRADES[facet], 1)
                            if any(p.holds(value, limit, baseline) for p in parts)
                        ),
                    ]
                )
                found = reached(scale("ctcaeV5", facet), laboratory(TESTS[facet], value, limit, baseline))
                assert found == (expected, expected), (value, limit, baseline)
                seen.add(expected)
    assert seen == set(range(len([parts for parts in GRADES[facet] if parts]) + 1))


@pytest.mark.parametrize(
    ("facet", "value", "expected"),
    [
        ("Alanine aminotransferase increased", "1", (0, 0)),
        ("Alanine aminotransferase increased", "2", (0, 1)),
        ("Alanine aminotransferase increased", "3.1", (2, 2)),
        ("Blood bilirubin increased", "1.2", (0, 1)),
        ("Creatinine increased", "1.2", (1, 3)),
        ("Creatinine increased", "3.1", (3, 3)),
        ("Anemia", "7.9", (3, 3)),
    ],
)
def test_a_baseline_that_nobody_knows_leaves_its_clause_open(facet: str, value: str, expected: tuple[int, int]) -> None:
    limit = Decimal(12 if facet == "Anemia" else 1)
    assert reached(scale("ctcaeV5", facet), laboratory(TESTS[facet], Decimal(value), limit, None)) == expected


# ── CRS, ICANS, flares ───────────────────────────────────────────────────────────────────────────────────────────


def findings(**values: int | str | None) -> dict[str, Bound]:
    """Bounds of the features of CRS, ICANS and flares by short names; None is unknown."""

    def assessed(*tests: str) -> c.Feature:
        return c.Feature("AssessedValueCondition", (("quantity", "value"), ("test", tests)))

    def sledai(**more: str) -> c.Feature:
        return c.Feature("AssessedScoreCondition", tuple(sorted({"instrument": "selenaSledaiTotal", **more}.items())))

    names = {
        "temperature": assessed("bodyTemperature"),
        "highest": c.Feature("HighestValueCondition", (("anchor", "infusion"), ("test", ("bodyTemperature",)))),
        "medicine": c.Feature(
            "ExposureCondition",
            (
                ("anchor", "screening"),
                ("lookback", "P14D"),
                ("valueSet", ("antipyreticOrAnticytokine",)),
                ("when", "within"),
            ),
        ),
        "steroid": c.Feature("TreatmentChangeCondition", (("since", "baseline"), ("valueSet", ("Glucocorticoid",)))),
        "hypotension": assessed("hypotension"),
        "vasopressor": assessed("vasopressor"),
        "either": assessed("hypotension", "vasopressor"),
        "hypoxia": assessed("hypoxia"),
        "ice": c.Feature("AssessedScoreCondition", (("instrument", "iceScore"),)),
        **{name: assessed(f"icans:{name}") for name in DOMAINS},
        "total": sledai(),
        "rise": sledai(since="previous"),
    }
    numbers = {name: None if value is None else Decimal(value) for name, value in values.items()}
    return {names[name].slug: (number, number) for name, number in numbers.items()}


DOMAINS = ("consciousness", "seizure", "motor", "oedema")


def test_the_names_of_these_tests_are_all_the_features_that_the_trees_use() -> None:
    scales = [s for name in ("astctCrs2019", "astctIcans2019", "selenaFlareIndex") for s in definitions.scales(name)]
    used = {feature.slug for tree in definitions.conditions_of(scales) for feature in c.features_of(tree)}
    every = ["temperature", "highest", "medicine", "steroid", "hypotension", "vasopressor", "either", "hypoxia"]
    assert used == set(findings(**dict.fromkeys([*every, "ice", "total", "rise", *DOMAINS])))


@pytest.mark.parametrize("fever", ["38", "37.9"])
def test_crs_is_the_worse_of_hypotension_and_hypoxia_with_fever(fever: str) -> None:
    crs = scale("astctCrs2019", "grade")
    for hypotension, vasopressors, hypoxia in itertools.product((0, 1), (0, 1, 2, 3), (0, 1, 2, 3)):
        if vasopressors and not hypotension:
            continue
        circulation = 1 if not hypotension else 2 + min(vasopressors, 2)
        expected = max(circulation, 1 + hypoxia) if fever == "38" else 0
        known = {"hypotension": hypotension, "vasopressor": vasopressors, "hypoxia": hypoxia}
        either = dict.fromkeys(
            findings(either=0), (Decimal(min(hypotension, vasopressors)), Decimal(max(hypotension, vasopressors)))
        )
        bounds = findings(temperature=fever, highest=fever, **known) | either
        assert reached(crs, bounds) == (expected, expected), known


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"temperature": 39}, (1, 4)),
        ({"temperature": 39, "hypotension": 0, "either": 0, "hypoxia": 0}, (1, 1)),
        ({"temperature": 39, "vasopressor": 1, "either": 1, "hypoxia": 0}, (3, 3)),
        ({"temperature": 37, "highest": 39, "hypotension": 1, "vasopressor": 0, "hypoxia": 0}, (0, 2)),
        ({"temperature": 37, "highest": 39, "medicine": 1, "hypotension": 1, "vasopressor": 0, "hypoxia": 0}, (2, 2)),
        ({"temperature": 37, "highest": 39, "steroid": 1, "hypotension": 1, "vasopressor": 0, "hypoxia": 0}, (2, 2)),
        ({"temperature": 37, "highest": 39, "medicine": 0, "steroid": 0, "hypotension": 1}, (0, 0)),
        ({"temperature": 37, "highest": 37, "hypotension": 1}, (0, 0)),
        ({"hypotension": 1, "vasopressor": 2}, (0, 4)),
    ],
)
def test_crs_of_what_is_known_and_what_is_not(known: dict[str, int], expected: tuple[int, int]) -> None:
    assert reached(scale("astctCrs2019", "grade"), findings(**known)) == expected


def ice_grades() -> dict[int, int]:
    """ICE score → grade of the table, for a patient who is awake."""
    found = {}
    for row in rows("scores_grades"):
        if row["instrument"] == "ASTCT ICANS 2019" and (match := re.match(r"ICE (\d)-(\d)", row["criterion"])):
            found |= dict.fromkeys(range(int(match[1]), int(match[2]) + 1), int(row["code"]))
    return found


def test_icans_is_the_worst_of_its_domains() -> None:
    icans = scale("astctIcans2019", "grade")
    awake = dict.fromkeys(DOMAINS, 0)
    assert set(ice_grades()) == set(range(10))
    for ice, grade in {**ice_grades(), 10: 0}.items():
        assert reached(icans, findings(ice=ice, **awake)) == (grade, grade)
        for domain, worst in itertools.product(DOMAINS, range(5)):
            expected = max(grade, worst)
            assert reached(icans, findings(ice=ice, **{**awake, domain: worst})) == (expected, expected)


def test_an_ice_score_of_zero_alone_does_not_tell_grade_three_from_four() -> None:
    assert reached(scale("astctIcans2019", "grade"), findings(ice=0)) == (3, 4)
    assert reached(scale("astctIcans2019", "grade"), findings(ice=0, **dict.fromkeys(DOMAINS, 0))) == (3, 3)


@pytest.mark.parametrize(
    ("rise", "total", "grade"),
    [(2, 12, 0), (1, 13, 2), (0, 13, 0), (3, 3, 1), (3, 12, 1), (3, 13, 2), (10, 40, 2), (0, 40, 0)],
)
def test_a_flare_is_a_rise_of_three_or_any_rise_to_more_than_twelve(rise: int, total: int, grade: int) -> None:
    found = reached(scale("selenaFlareIndex", "flare"), findings(rise=rise, total=total))
    assert found == (grade, grade)


# ── Bands, points, observables, thresholds of items ──────────────────────────────────────────────────────────────


def bands_of(instrument: str, value: Decimal) -> list[str]:
    return [
        band.label
        for band in definitions.bands(instrument)
        if (band.least is None or value >= band.least) and (band.most is None or value <= band.most)
    ]


def test_bands_of_sledai_are_those_of_the_table_and_leave_no_gap() -> None:
    expected = {}
    for row in (row for row in rows("scores_grades") if row["facet"] == "activity band"):
        first, _, last = row["code"].lstrip(">").partition("-")
        least = int(first) + row["code"].startswith(">")
        most = 105 if row["code"].startswith(">") else int(last or first)
        expected |= dict.fromkeys(range(least, most + 1), row["label"])
    assert {total: bands_of("sledai2k", Decimal(total)) for total in range(106)} == {
        total: [label] for total, label in expected.items()
    }


def test_bands_of_pga_end_where_the_table_says() -> None:
    criteria = {row["label"]: row["criterion"] for row in rows("scores_grades") if row["facet"] == "PISCOS band"}
    assert criteria["mild"] == ">=0.5 to 1" and criteria["moderate"] == ">1 and <=2" and criteria["severe"] == ">2 to 3"
    step = Decimal("1e-12")
    around = {
        "0.5": ["none", "mild", "mild"],
        "1": ["mild", "mild", "moderate"],
        "2": ["moderate", "moderate", "severe"],
    }
    for edge, labels in around.items():
        moves = [bands_of("pga", Decimal(edge) + move) for move in (-step, Decimal(0), step)]
        assert moves == [[label] for label in labels]
    assert (bands_of("pga", Decimal(0)), bands_of("pga", Decimal(3))) == (["none"], ["severe"])


def test_points_of_bilag_grades_and_their_greatest_sum() -> None:
    coded = {r["code"]: Decimal(r["label"]) for r in rows("scores_grades") if r["facet"] == "numeric coding"}
    systems = [row for row in rows("scores_grades") if row["facet"] == "system"]
    graded = ontology.graded_systems()["bilag2004"]
    assert (dict(graded.points), len(graded.systems)) == (coded, len(systems))
    assert ontology.laboratory_tests()["bilagTotal"].maximum == max(coded.values()) * len(systems)


@pytest.mark.parametrize(
    ("key", "least", "most"),
    [
        ("facitFatigue", 0, 52),
        ("facitF", 0, 160),
        ("sdi", 0, 47),
        ("cssrsIdeation", 0, 5),
        ("iceScore", 0, 10),
        ("pga", 0, 3),
        *((f"icans:{domain}", 0, 4) for domain in DOMAINS),
    ],
)
def test_ranges_of_the_observables_of_a_follow_up(key: str, least: int, most: int) -> None:
    found = ontology.laboratory_tests()[key]
    assert (found.minimum, found.maximum) == (least, most)


PROPOSED = {
    r">(\d+) RBC": ("urineRbcHpf", ">"),
    r">(\d+) WBC": ("urineWbcHpf", ">"),
    r">([\d.]+) g per 24 h": ("urineProtein24h", ">"),
    r">(\d+) Cel": ("bodyTemperature", ">"),
    r"[Pp]latelets <(\d+)": ("platelets", "<"),
    r"[Ww]hite cells <(\d+)": ("leukocytes", "<"),
}


@pytest.mark.parametrize("instrument", ["sledai2k", "selenaSledai"])
def test_results_propose_an_item_at_the_threshold_of_its_definition(instrument: str) -> None:
    items = {item.key.partition(":")[2]: item.threshold for item in ontology.instruments()[instrument].items}
    expected: dict[str, tuple[object, ...]] = {
        "lowComplement": (("c3", "c4"), "<", None, "lower"),
        "increasedDNABinding": (("antiDsDna",), ">", None, "upper"),
    }
    for row in rows("scores_sledai2k"):
        for words, (test, comparator) in PROPOSED.items():
            if match := re.search(words, row["definition_short_sledai2k"]):
                expected[row["key"]] = ((test,), comparator, Decimal(match[1]), None)
    found = {key: t for key, t in items.items() if t is not None}
    assert {key: (t.tests, t.comparator, t.value, t.limit) for key, t in found.items()} == expected
    assert len(expected) == 8
    assert {key for key, t in found.items() if t.increase} == ({"proteinuria"} if instrument != "sledai2k" else set())
    assert {t.window_days for t in found.values()} == {30 if instrument == "sledai2k" else 10}


@pytest.mark.parametrize(
    ("value_set", "concept", "expected"),
    [
        ("hemolyticAnemiaAny", "icd:D59.11", "in"),
        ("hemolyticAnemiaAny", "icd:D59.9", "in"),
        ("hemolyticAnemiaAny", "icd:D59", "undecided"),
        ("hemolyticAnemiaAny", "icd:D59.0", "outside"),
        ("hemolyticAnemiaAny", "icd:D57.1", "outside"),
        ("hemolyticAnemiaAny", "autoimmuneHemolyticAnemia", "in"),
        ("gastrointestinalLupusAny", "gastrointestinalLupus", "in"),
        ("gastrointestinalLupusAny", "icd:M32.19", "undecided"),
        ("gastrointestinalLupusAny", "icd:M32.14", "outside"),
        ("gastrointestinalLupusAny", "sle", "outside"),
        ("investigationalDrugAny", "investigationalDrug", "in"),
        ("investigationalDrugAny", "lcarAio", "in"),
        ("investigationalDrugAny", "belimumab", "outside"),
        ("antipyreticOrAnticytokine", "tocilizumab", "in"),
        ("antipyreticOrAnticytokine", "atc:L04AC03", "in"),
        ("antipyreticOrAnticytokine", "atc:N02BE01", "in"),
        ("antipyreticOrAnticytokine", "atc:M01AE01", "in"),
        ("antipyreticOrAnticytokine", "atc:L04AC", "undecided"),
        ("antipyreticOrAnticytokine", "atc:B01AC06", "outside"),
        ("antipyreticOrAnticytokine", "dexamethasone", "outside"),
    ],
)
def test_what_the_value_sets_of_definitions_hold(value_set: str, concept: str, expected: str) -> None:
    found = [status for _, _, status in terminology().membership([concept], [value_set])]
    assert (found or ["outside"]) == [expected]


# ── Form ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def every_tree() -> list[c.Condition]:
    scales = [
        s for i in ("ctcaeV5", "astctCrs2019", "astctIcans2019", "selenaFlareIndex") for s in definitions.scales(i)
    ]
    return definitions.conditions_of([*definitions.states().values(), *scales])


def test_every_concept_that_a_definition_names_is_known() -> None:
    tests = {**ontology.laboratory_tests(), **{i.key: i for i in ontology.instruments().values()}}
    classes = {name for drug in ontology.drugs().values() for name in drug.classes}
    sets = set(ontology.value_sets()) | set(ontology.drugs()) | classes
    for tree in every_tree():
        for feature in c.features_of(tree):
            assert feature.kind in LEAVES
            for name in ("test", "instrument", "alsoAccepts"):
                named = feature.get(name) or ()
                assert set(named if isinstance(named, tuple) else (named,)) <= set(tests), feature.slug
            named_sets = feature.get("valueSet") or ()
            assert isinstance(named_sets, tuple)
            assert set(named_sets) <= sets, feature.slug


def test_a_value_is_compared_in_the_unit_of_its_test() -> None:
    units = {test.key: test.canonical_unit for test in ontology.laboratory_tests().values()}
    for tree in every_tree():
        for node in c.walk(tree):
            if isinstance(node, c.Leaf) and node.feature.get("quantity") == "value":
                for test in node.feature.get("test") or ():  # type: ignore[union-attr]
                    assert node.unit == units.get(test) or str(node.unit).startswith("{"), node.iri


def test_thresholds_that_an_item_states_are_those_of_its_tree() -> None:
    """The facts beside the tree (`sle:thresholdValue`) cannot drift from it."""
    reader = definitions._reader()
    compared = 0
    for iri in reader.subjects(
        "http://www.w3.org/1999/02/22-rdf-syntax-ns#type", "https://w3id.org/sle-kg/ontology#StateItem"
    ):
        stated, condition = reader.optional(iri, "thresholdValue"), reader.optional(iri, "condition")
        if stated is None or condition is None:
            continue
        nodes = [n for n in c.walk(reader.condition(condition, ())) if isinstance(n, c.Leaf)]
        sign = reader.required(iri, "thresholdComparator")
        assert (sign, Decimal(stated)) in {(n.operator, n.met_bound) for n in nodes}
        compared += 1
    assert compared == 8
