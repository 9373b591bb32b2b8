"""Results, scores and statements bent to the thresholds and windows that the criteria state."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sle_kg.criteria import Leaf
from sle_kg.features.asks import WINDOWS
from sle_kg.ontology import laboratory_tests
from sle_kg.synthetic.centre import tables
from sle_kg.synthetic.dice import Dice
from sle_kg.synthetic.draft import Draft, before, birthday
from sle_kg.synthetic.population import item_weights, points
from sle_kg.synthetic.records import Answer, Consent, Result
from sle_kg.trials import screenable

_POINTS = "{score}"


def edge(draft: Draft, days: int, dice: Dice) -> str:
    """A date on the last day of a window, the day after or the day before; or well inside it."""
    return draft.ago(max(days + dice.among(-1, 1), 0) if dice.happens(60) else dice.among(0, min(days, 6)))


def window(draft: Draft, leaf: Leaf, dice: Dice) -> str:
    """A date at the edge of the window for which a result serves."""
    return edge(draft, WINDOWS.get(str(leaf.feature.get("validFor")), 400), dice)


def tests(leaf: Leaf) -> tuple[str, ...]:
    """The tests that a comparison asks for."""
    found = leaf.feature.get("test", ())
    return found if isinstance(found, tuple) else (str(found),)


def _any(values: tuple[str, ...], dice: Dice) -> str:
    return values[dice.among(0, len(values) - 1)]


def _row(leaf: Leaf) -> Mapping[str, Any]:
    """The table of the tests that a comparison asks for, empty where the population has none."""
    return next((row for row in tables()["test"] if row["test"] in tests(leaf)), {})


# ── Measurements ─────────────────────────────────────────────────────────────────────────────────────────


def measurement(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """A value exactly at the threshold, or one last digit beside it; in either unit; now and then with a comparator."""
    test, row = _any(tests(leaf), dice), _row(leaf)
    unit, upper, places = row.get("unit"), row.get("upper"), row.get("places", 0)
    if "substance" in row and dice.happens(50):
        (unit, upper), places = row["substance"], 0
    limit = None if upper is None else Decimal(upper)
    threshold = leaf.met_bound * (limit or 1) if leaf.feature.get("quantity") == "timesUpperLimit" else leaf.met_bound
    value = threshold + Decimal(dice.among(-1, 1)).scaleb(-max(places, -int(threshold.normalize().as_tuple().exponent)))
    sign = ("<", ">", "<=", ">=")[dice.among(0, 3)] if dice.happens(12) else None
    if test == "bodyWeight":
        draft.weight = int(value)
    draft.without_results(tests(leaf))
    date = window(draft, leaf, dice)
    result = Result(test, date, value, unit, upper=limit, comparator=sign, echocardiography=dice.happens(70))
    draft.records.append(result)
    if dice.happens(15):
        draft.records.append(Result(test, date, threshold + 1, unit, upper=limit, echocardiography=dice.happens(70)))
    if test in ("spo2", "sao2"):
        draft.without_results(["supplementalOxygen"])
        draft.records.append(Result("supplementalOxygen", date, dice.happens(10)))


def clearance(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """Age, weight of 72 kg and creatinine that give the threshold exactly (Cockcroft-Gault), or one step beside it.

    72 kg leave clearance = (140 − age) ÷ creatinine, of women times 0.85; ages are chosen so that no fraction stays.
    """
    thirds = dice.among(24, 40)
    age = 140 - 3 * thirds
    share = Decimal("0.85") if draft.sex == "female" else Decimal(1)
    creatinine = (share * 3 * thirds / leaf.met_bound).normalize() + Decimal(dice.among(-1, 1)) / 1000
    draft.birth = (birthday(draft.on, age) - dt.timedelta(days=dice.among(0, 1) * 100)).isoformat()
    draft.weight = 72
    date = window(draft, leaf, dice)
    draft.without_results(["serumCreatinine", "serumCreatinineSI", "bodyWeight", "creatinineClearanceCG"])
    draft.records += [
        Result("serumCreatinine", date, creatinine, "mg/dL", upper=Decimal("1.1")),
        Result("bodyWeight", edge(draft, WINDOWS["weight"], dice), Decimal(72), "kg"),
    ]
    if dice.happens(40):
        recorded = leaf.met_bound + dice.among(-1, 1)
        draft.records.append(Result("creatinineClearanceCG", date, recorded, "mL/min"))


def room_air(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """Oxygen given or not, on the day of the saturation or on another."""
    draft.without_results(["supplementalOxygen", "spo2"])
    day = dice.among(0, 29)
    draft.records += [
        Result("spo2", draft.ago(day), Decimal(dice.among(91, 93)), "%"),
        Result("supplementalOxygen", draft.ago(day + dice.among(0, 1)), dice.happens(30)),
    ]


def positive(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """An answer on the last day of its window; an antibody exactly at its limit; tests that disagree."""
    chosen = _any((*tests(leaf), *_texts(leaf, "positiveOnlyTest")), dice)
    date = window(draft, leaf, dice)
    draft.without_results(tests(leaf))
    facts = laboratory_tests()[chosen]
    if chosen == "anaTiter":
        draft.records.append(Result(chosen, date, f"1:{(40, 80, 160)[dice.among(0, 2)]}"))
    elif not facts.qualitative and facts.canonical_unit:
        limit = Decimal(30) if facts.antibody else Decimal(5)
        value = limit + Decimal(dice.among(-1, 1)) / 10
        draft.records.append(Result(chosen, date, value, facts.canonical_unit, upper=limit))
    else:
        draft.records.append(Result(chosen, date, answer=_answer(dice.happens(50))))
    if dice.happens(20):
        other = _any(tests(leaf), dice)
        if laboratory_tests()[other].qualitative:
            draft.records.append(Result(other, date, answer=_answer(dice.happens(50))))


def _answer(positive_found: bool) -> Answer:
    return "positive" if positive_found else "negative"


def _texts(leaf: Leaf, name: str) -> tuple[str, ...]:
    found = leaf.feature.get(name, ())
    return found if isinstance(found, tuple) else (str(found),)


def quantified(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """A viral load below, at or above its limit of quantification, with a comparator or without."""
    test = tests(leaf)[0]
    sign = ("<", None, ">")[dice.among(0, 2)]
    draft.without_results([test])
    value = Decimal(20 + dice.among(-1, 1))
    draft.records.append(Result(test, window(draft, leaf, dice), value, "[IU]/mL", comparator=sign))


# ── Scores ───────────────────────────────────────────────────────────────────────────────────────────────


def score(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """A score at its threshold or a point beside it; PGA in millimetres; items that give another total."""
    instrument = str(leaf.feature.get("instrument"))
    asked = (instrument, str(leaf.feature.get("alsoAccepts", instrument)))
    chosen, date = _any(asked, dice), window(draft, leaf, dice)
    draft.without_results(asked)
    if chosen == "pga":
        if dice.happens(35):
            draft.records.append(Result(chosen, date, Decimal(dice.among(32, 35)), "mm"))
            return
        draft.records.append(Result(chosen, date, leaf.met_bound + Decimal(dice.among(-1, 1)) / 100, _POINTS))
        return
    total = leaf.met_bound + dice.among(-1, 1)
    name = chosen.removesuffix("Total")
    items = _items_worth(int(total) + (dice.among(-1, 1) if dice.happens(15) else 0))
    unsaid = item_weights() if dice.happens(75) else list(item_weights())[:-2]
    parts = tuple((f"{name}:{key}", key in items) for key in unsaid) if dice.happens(50) else ()
    known = total if not parts or dice.happens(70) else None
    draft.records.append(Result(chosen, date, known, _POINTS, parts=parts))


def _items_worth(total: int) -> list[str]:
    """Items that give a total, where some do; the commonest of each weight first."""
    found: list[str] = []
    for key, weight in sorted(item_weights().items(), key=lambda item: (-item[1], item[0])):
        if weight <= 4 and points(found) + weight <= total:
            found.append(key)
    return found


def highest_score(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """The score that counts, or one less, on the first day of the window; a lower one since."""
    instrument = str(leaf.feature.get("instrument"))
    first = before(draft.on, str(leaf.feature.get("lookback")))
    draft.without_results([instrument])
    date = (first + dt.timedelta(days=dice.among(-1, 1))).isoformat()
    draft.records.append(Result(instrument, date, leaf.met_bound - dice.among(0, 1), _POINTS))
    if dice.happens(60):
        draft.records.append(Result(instrument, draft.ago(dice.among(0, 5)), Decimal(0), _POINTS))


def biopsy(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """A biopsy at the edge of its window, its indices at their thresholds."""
    first = before(draft.on, str(leaf.feature.get("lookback", "P6M")))
    date = (first + dt.timedelta(days=dice.among(-1, 1))).isoformat()
    draft.without_results(["isnRpsClass", "nihActivityIndex", "nihChronicityIndex"])
    classes = ("III", "IV", "III+V", "II", "V", "IV-S (A)")
    draft.records.append(Result("isnRpsClass", date, _any(classes, dice)))
    index = str(leaf.feature.get("index", "nihActivityIndex"))
    for name in ("nihActivityIndex", "nihChronicityIndex"):
        value = leaf.met_bound + dice.among(-1, 1) if name == index else Decimal(6 + dice.among(-1, 1))
        if dice.happens(90):
            draft.records.append(Result(name, date, value, _POINTS))


# ── Person and statements ────────────────────────────────────────────────────────────────────────────────


def age(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """A birthday on the day that counts, the day before or after; now and then born on a 29th of February."""
    years = int(leaf.met_bound) + (dice.among(0, 1) if leaf.operator == "<=" else 0)
    if dice.happens(25):
        leap = (draft.on.year - years) // 4 * 4
        draft.birth = dt.date(leap, 2, 29).isoformat()
        signed = dt.date(leap + years, (2, 3)[place := dice.among(0, 1)], (28, 1)[place])
        if signed <= draft.on:
            draft.without(lambda record: isinstance(record, Consent))
            draft.records += [Consent(trial, signed.isoformat()) for trial in sorted(screenable())]
        return
    consents = [record.date for record in draft.records if isinstance(record, Consent)]
    day = dt.date.fromisoformat(consents[0]) if consents else draft.on
    draft.birth = (birthday(day, years) + dt.timedelta(days=dice.among(-1, 1))).isoformat()


def classification(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """A classification by points around those that decide, on the day that is just long enough ago."""
    name = str(leaf.feature.get("classificationSet"))
    days = int(leaf.met_bound) if leaf.feature.kind == "DaysSinceDiagnosisCondition" else dice.among(0, 900)
    date = draft.ago(max(days + dice.among(-1, 1), 0))
    draft.without_results([name])
    if dice.happens(30):
        draft.records.append(Result(name, date, dice.happens(80)))
        return
    least = {"acr1997": 4, "slicc2012": 4, "eularAcr2019": 10}[name]
    value = least + dice.among(-1, 1) + (3 * dice.among(0, 1) if name == "eularAcr2019" else 0)
    draft.records.append(Result(name, date, Decimal(value), _POINTS))


def statement(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """A statement of the day itself: true, false, or both."""
    name = str(leaf.feature.get("statement"))
    draft.without_results([name])
    said = dice.happens(60)
    draft.records.append(Result(name, draft.ago(0), said))
    if dice.happens(15):
        draft.records.append(Result(name, draft.ago(dice.among(0, 1)), not said))


def fertility(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """Statements of childbearing potential, and of what ends it."""
    names = ("childbearingPotential", "postmenopausal", "sterilised")
    draft.without_results(names)
    for name in names:
        if dice.happens(50):
            draft.records.append(Result(name, draft.ago(dice.among(0, 40)), dice.happens(50)))


def sex(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """A man, a woman, or neither said."""
    draft.sex = ("male", "female", "other", "unknown")[dice.among(0, 3)]


def consent(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """A consent of the day itself, of tomorrow, or to no trial in particular."""
    trial = _any((*sorted(screenable()), ""), dice)
    draft.records.append(Consent(trial or None, draft.ago(dice.among(-1, 1))))


def donated(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """Blood given: the volume at its threshold, the day at the edge of its window."""
    first = before(draft.on, str(leaf.feature.get("lookback")))
    date = (first + dt.timedelta(days=dice.among(-1, 1))).isoformat()
    draft.records.append(Result("bloodDonationVolume", date, leaf.met_bound + dice.among(-1, 1), "mL"))
