"""Diagnoses, procedures and medicines bent to the windows, wash-outs, doses and durations that the criteria state."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Literal

from sle_kg.criteria import Leaf
from sle_kg.features.sql import duration_parts
from sle_kg.namespaces import ATC, ICD10CM
from sle_kg.ontology import drugs
from sle_kg.synthetic.dice import Dice
from sle_kg.synthetic.draft import Draft, before, members, value_sets
from sle_kg.synthetic.records import Allergy, Diagnosis, Event, Medicine, Procedure, Result, Vaccine

_SEVERITIES: tuple[Literal["mild", "moderate", "severe"] | None, ...] = ("mild", "moderate", "severe", None)
_KINDS: tuple[Literal["allergy", "intolerance"] | None, ...] = ("allergy", "intolerance", None)
_LEVELS: tuple[Literal["high", "low"] | None, ...] = ("high", "low", None)
_VERIFICATIONS = ("confirmed", "confirmed", "confirmed", "refuted", "provisional", "differential")


def _member(leaf: Leaf, dice: Dice) -> str | None:
    """One of the concepts that a comparison asks about; None where its codes alone name them."""
    keys = [key for value_set in value_sets(leaf) for key in members(value_set)]
    return keys[dice.among(0, len(keys) - 1)] if keys else None


def anchored(draft: Draft, leaf: Leaf, dice: Dice) -> dt.date:
    """The day from which a comparison looks back; an event that nobody planned is planned for the next weeks."""
    anchor = leaf.feature.get("anchor")
    if anchor in (None, "screening", "consent", "enrollment"):
        return draft.on
    planned = [
        record.date for record in draft.records if isinstance(record, Event) and record.name.partition("/")[0] == anchor
    ]
    if not planned:
        planned = [draft.ago(-dice.among(-2, 20))]
        draft.records.append(Event(str(anchor), planned[0]))
    return dt.date.fromisoformat(planned[0])


def first_day(draft: Draft, leaf: Leaf, dice: Dice) -> dt.date:
    """The first day of the window of a comparison, the day before or after; one of the past, where it has none."""
    lookback = leaf.feature.get("lookback")
    if lookback is None:
        return draft.on - dt.timedelta(days=dice.among(0, 1500))
    return before(anchored(draft, leaf, dice), str(lookback)) + dt.timedelta(days=dice.among(-1, 1))


def diagnosis(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """A diagnosis that begins or ends at the edge of the window, of any severity, certain or refuted."""
    concept = _member(leaf, dice)
    if concept is None:
        return
    day = first_day(draft, leaf, dice)
    over = dice.happens(50)
    onset = day - dt.timedelta(days=dice.among(5, 300)) if over else day
    draft.without_concepts([concept])
    found = Diagnosis(
        concept,
        onset.isoformat() if dice.happens(85) else None,
        day.isoformat() if over else None,
        onset.isoformat() if dice.happens(50) else None,
        verification=_VERIFICATIONS[dice.among(0, len(_VERIFICATIONS) - 1)],
        clinical=("remission", None, None, "inactive")[dice.among(0, 3)],
        severity=_SEVERITIES[dice.among(0, 3)],
        system=ICD10CM if dice.happens(30) else None,
    )
    draft.records.append(found)
    if found.verification == "refuted" and dice.happens(50):
        draft.records.append(Diagnosis(concept, draft.ago(dice.among(0, 3)), recorded=draft.ago(0)))


def diagnosis_count(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """As many events as count, or one less; some on the same day."""
    concept = _member(leaf, dice)
    if concept is None:
        return
    draft.without_concepts([concept])
    day = dice.among(1, 900)
    for _ in range(int(leaf.met_bound) - dice.among(0, 1)):
        draft.records.append(Diagnosis(concept, draft.ago(day), draft.ago(day)))
        day += 30 * dice.among(0, 1)


def procedure(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """A procedure at the edge of the window, done or not."""
    concept, day = _member(leaf, dice), first_day(draft, leaf, dice)
    if concept is None:
        return
    draft.without_concepts([concept])
    start = (day - dt.timedelta(days=dice.among(1, 3))).isoformat() if dice.happens(20) else None
    done = dice.happens(85)
    if start:
        draft.records.append(Procedure(concept, start, day.isoformat(), done))
    else:
        draft.records.append(Procedure(concept, day.isoformat(), done=done))


def vaccine(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """A vaccine at the edge of the window: live, or another."""
    codes = (
        "liveVaccine",
        "http://hl7.org/fhir/sid/cvx|03|Measles, mumps and rubella",
        "http://hl7.org/fhir/sid/cvx|141|Influenza, seasonal",
    )
    day = first_day(draft, leaf, dice)
    draft.records.append(Vaccine(codes[dice.among(0, 2)], day.isoformat(), dice.happens(90)))


def allergy(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """An allergy or intolerance to one of the substances asked about."""
    substance = _member(leaf, dice) if value_sets(leaf) else "drugAllergy"
    kind, level = _KINDS[dice.among(0, 2)], _LEVELS[dice.among(0, 2)]
    draft.without(lambda record: isinstance(record, Allergy) and dice.happens(70))
    draft.records.append(Allergy(substance or "drugAllergy", draft.ago(dice.among(0, 1000)), kind, level))


def contraindication(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """A contraindication stated, denied, or both."""
    concept = _member(leaf, dice)
    if concept is not None:
        for said in (True, False) if dice.happens(15) else (dice.happens(70),):
            draft.records.append(Result(f"contraindication:{concept}", draft.ago(dice.among(0, 300)), said))


# ── Medicines ────────────────────────────────────────────────────────────────────────────────────────────


def _dose_of(concept: str, milligrams: Decimal) -> Decimal:
    """What of a glucocorticoid equals some milligrams of prednisone; of other medicines the milligrams themselves."""
    equal = drugs()[concept].mg_equal_to_5mg_prednisone if concept in drugs() else None
    return milligrams if equal is None else milligrams * equal / 5


def _taken(
    draft: Draft, concept: str, first: dt.date, last: dt.date | None, dice: Dice, dose: Decimal | None = None
) -> None:
    """A medicine from one day to another; now and then ordered only, not taken, or stopped on a day unknown."""
    status, ordered = None, False
    match dice.among(0, 19):
        case 0:
            ordered = True
        case 1:
            status = "not-taken"
        case 2:
            status, last = "stopped", None
        case 3:
            status = "unknown"
    system = ATC if dice.happens(30) else None
    end = None if last is None else last.isoformat()
    draft.records.append(Medicine(concept, first.isoformat(), end, dose, ordered=ordered, status=status, system=system))


def exposure(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """A medicine last taken on the first day of the window, or the day before or after; ongoing until today."""
    concept = _member(leaf, dice)
    if concept is None:
        return
    draft.without_concepts([concept])
    last = draft.on - dt.timedelta(days=dice.among(-1, 1)) if dice.happens(30) else first_day(draft, leaf, dice)
    _taken(draft, concept, last - dt.timedelta(days=dice.among(0, 90)), last, dice)


def drug_count(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """As many medicines of a class as count, or one less."""
    keys = [key for value_set in value_sets(leaf) for key in members(value_set)]
    draft.without_concepts(keys)
    for _ in range(max(int(leaf.met_bound) - dice.among(0, 1), 0)):
        last = draft.on - dt.timedelta(days=dice.among(0, 900))
        _taken(draft, keys[dice.among(0, len(keys) - 1)], last - dt.timedelta(days=100), last, dice)


def washout(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """A medicine whose wash-out ends today, yesterday or tomorrow; once, or over days."""
    concept = _member(leaf, dice)
    if concept is None:
        return
    drug = drugs()[concept]
    days = drug.washout_days_3 if leaf.feature.get("halfLives") == 3 else drug.washout_days_5
    last = draft.on - dt.timedelta(days=(days or 0) + dice.among(-1, 1))
    draft.without_concepts([concept])
    if dice.happens(35):
        draft.records.append(Medicine(concept, last.isoformat(), once=True))
    else:
        _taken(draft, concept, last - dt.timedelta(days=dice.among(0, 200)), last, dice)


def _threshold_dose(draft: Draft, leaf: Leaf, dice: Dice) -> Decimal:
    """A daily dose at the threshold or a hundredth beside it, in mg of the equivalent."""
    stated = leaf.feature.get("dailyDose")
    threshold = Decimal(stated) if isinstance(stated, Decimal) else leaf.met_bound
    weight = _weighed(draft) if leaf.feature.get("perKilogram") else 1
    return threshold * weight + Decimal(dice.among(-1, 1)) / 100


def _weighed(draft: Draft) -> int:
    """The body weight, which is recorded where it was not."""
    if not any(isinstance(record, Result) and record.test == "bodyWeight" for record in draft.records):
        draft.records.append(Result("bodyWeight", draft.ago(3), Decimal(draft.weight), "kg"))
    return draft.weight


def daily_dose(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """Today's dose at its threshold, in one medicine or in two; the last day of the course is about today."""
    concept = _member(leaf, dice) or "prednisone"
    dose = _threshold_dose(draft, leaf, dice)
    draft.without_concepts(key for value_set in value_sets(leaf) for key in members(value_set))
    last = None if dice.happens(75) else draft.on - dt.timedelta(days=dice.among(-1, 1))
    first = draft.on - dt.timedelta(days=dice.among(1, 100))
    halves = (dose / 2, dose / 2) if dice.happens(20) else (dose,)
    for part in halves:
        _taken(draft, concept, first, last, dice, _dose_of(concept, part))


def highest_dose(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """A dose at its threshold whose last day is the first of the window, or the day before or after."""
    concept = _member(leaf, dice) or "prednisone"
    last = first_day(draft, leaf, dice)
    dose = _dose_of(concept, _threshold_dose(draft, leaf, dice))
    if dice.happens(60):
        draft.without_concepts(key for value_set in value_sets(leaf) for key in members(value_set))
    _taken(draft, concept, last - dt.timedelta(days=dice.among(0, 20)), last, dice, dose)


def dose_duration(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """A dose at its threshold for just as many days as count, or one more or less; overlapping the window's edge."""
    concept = _member(leaf, dice) or "prednisone"
    days = int(leaf.met_bound) if leaf.met_bound > 1 else 14
    length = max(days + dice.among(-2, 1), 0)
    dose = _dose_of(concept, _threshold_dose(draft, leaf, dice))
    last = draft.on - dt.timedelta(days=dice.among(0, 40)) if dice.happens(50) else first_day(draft, leaf, dice)
    first = last - dt.timedelta(days=length)
    _taken(draft, concept, first, last, dice, dose)
    if leaf.feature.get("concurrentWith") and dice.happens(80):
        gap = duration_parts(str(leaf.feature.get("concurrentGap")))[1]
        beside = min(first + dt.timedelta(days=dice.among(-1, 1) * gap), last)
        _taken(draft, "mycophenolateMofetil", beside, last, dice, Decimal(1000))


def renal_worsening(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """Proteinuria that doubles, or filtration that falls, under the treatment asked for."""
    dose_duration(draft, leaf, dice)
    draft.without_results(["upcr", "egfrCkdEpi2021"])
    least = Decimal(dice.among(400, 900))
    for days, times in ((150, Decimal(1)), (dice.among(2, 20), Decimal(2))):
        value = least * times + dice.among(-1, 1)
        draft.records.append(Result("upcr", draft.ago(days), value, "mg/g{creat}", upper=Decimal(150)))
        filtration = Decimal(100) / times + dice.among(-1, 1)
        draft.records.append(Result("egfrCkdEpi2021", draft.ago(days), filtration, "mL/min/{1.73_m2}"))


def treatment_duration(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """Days of treatment at their threshold, without interruption or with one at the edge of what still joins."""
    concept = _member(leaf, dice)
    if concept is None:
        return
    draft.without_concepts(key for value_set in value_sets(leaf) for key in members(value_set))
    days = int((leaf.met_bound, leaf.unmet_bound)[dice.among(0, 1)]) + dice.among(-1, 1)
    last = draft.on - dt.timedelta(days=dice.among(0, 1) * dice.among(1, 200))
    end = None if last == draft.on and dice.happens(70) else last
    dose = Decimal(100) if dice.happens(40) else None
    first = last - dt.timedelta(days=days)
    if dice.happens(65):
        _taken(draft, concept, first, end, dice, dose)
        return
    gap = duration_parts(str(leaf.feature.get("gap")))[1] + dice.among(0, 2)
    middle = first + dt.timedelta(days=days // 2)
    _taken(draft, concept, first - dt.timedelta(days=gap), middle - dt.timedelta(days=gap), dice, dose)
    _taken(draft, concept, middle, end, dice, dose)


def cumulative_dose(draft: Draft, leaf: Leaf, dice: Dice) -> None:
    """Infusions that add up to the threshold, or one milligram beside it."""
    concept = _member(leaf, dice)
    if concept is None:
        return
    draft.without_concepts([concept])
    route: Literal["oral", "intravenous"] = "intravenous" if dice.happens(85) else "oral"
    each = leaf.met_bound / 3
    for place in range(3):
        dose = each + (dice.among(-1, 1) if place == 2 else 0)
        date = draft.ago(400 - 14 * place * dice.among(0, 1))
        draft.records.append(Medicine(concept, date, dose=dose, once=True, route=route))
