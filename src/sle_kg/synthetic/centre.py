"""Patients as a lupus centre has them before any CAR-T cells: drawn from the distributions of screening.toml."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, Literal

from sle_kg.criteria import Criterion, Judgement, Leaf, Trial, walk
from sle_kg.features.asks import STAND_INS, WINDOWS
from sle_kg.namespaces import ATC, ICD10CM
from sle_kg.synthetic.dice import Dice
from sle_kg.synthetic.draft import Draft, birthday, members, value_sets
from sle_kg.synthetic.population import distributions, from_groups, in_order, item_weights, points, read_table
from sle_kg.synthetic.records import (
    Allergy,
    Complete,
    Consent,
    Diagnosis,
    Event,
    Medicine,
    Procedure,
    Result,
    Vaccine,
    Value,
)
from sle_kg.terminology import terminology
from sle_kg.trials import screenable

SECTIONS = ("conditions", "medications", "procedures", "allergies", "immunizations", "statements")
"""Sections of which a record may say that it is complete."""
_TESTS = ("test", "positiveOnlyTest", "instrument", "alsoAccepts")
"""Parameters of criteria that name what is measured."""
_POINTS = "{score}"
_RENAL = ("urinaryCasts", "hematuria", "proteinuria", "pyuria")
_SEVERITIES: tuple[Literal["mild", "moderate", "severe"] | None, ...] = ("mild", "moderate", "severe", None)


@cache
def tables() -> Mapping[str, Any]:
    """The tables of screening.toml; fractions are exact decimals."""
    return read_table("screening.toml")


def draw(number: int, dice: Dice, on: dt.date) -> Draft:
    """The patient of this number, as plausible as the tables: nothing is bent to a threshold yet."""
    groups = tables()["group"]
    group = groups[dice.weighted([group["weight"] for group in groups])]
    sex = "female" if dice.happens(distributions()["sex"]["female"]) else "male"
    age = from_groups(tables()["age"], dice)
    years = min(from_groups(tables()["duration"], dice), max(age - 8, 0))
    birth = birthday(on, age) - dt.timedelta(days=dice.among(0, 364))
    draft = Draft(
        id=f"synthetic-{number:05d}",
        on=on,
        sex=sex,
        birth=birth.isoformat(),
        diagnosed=on - dt.timedelta(days=365 * years + dice.among(3, 360)),
        weight=dice.among(*tables()["weight"][sex]) if age > 15 else dice.among(34, 62),
        group=group["key"],
    )
    _Centre(draft, group, age, dice).record()
    return draft


class _Centre:
    """The records of one patient; the methods write them by kind."""

    def __init__(self, draft: Draft, group: Mapping[str, Any], age: int, dice: Dice) -> None:
        self._draft = draft
        self._group = group
        self._age = age
        self._dice = dice
        self._visit = dice.among(0, 13)
        self._items = self._active_items()
        trials = [screenable()[nct] for nct in sorted(screenable())]
        self._trial = trials[dice.among(0, len(trials) - 1)] if group["workedUp"] else None
        self._asked = frozenset() if self._trial is None else asked(self._trial, _TESTS)
        self._sets = frozenset() if self._trial is None else asked(self._trial, ("classificationSet",))

    def record(self) -> None:
        """Write everything."""
        add = self._draft.records.extend
        add(self._lupus())
        add(self._history())
        add(self._medicines())
        add(self._glucocorticoids())
        add(self._scores())
        add(self._tests())
        add(self._answers())
        add(self._fertility())
        add(self._biopsy())
        add(self._statements())
        if self._trial is not None:
            suit(self._draft, self._trial, self._dice)
            add(self._worked_up(self._trial))
        for section in SECTIONS:
            if self._dice.happens(self._group["complete"]):
                known = 0 if self._dice.happens(self._group["upToDate"]) else self._visit
                add([Complete(section, self._draft.ago(known))])

    # ── The disease ──────────────────────────────────────────────────────────────────────────────────────

    def _active_items(self) -> tuple[str, ...]:
        """Items of SLEDAI, drawn one by one; the commonest are added up to the least total of the group."""
        chances: Mapping[str, int] = distributions()["activity"]["items"]
        share: int = self._group["activity"]
        found = [item for item, percent in chances.items() if self._dice.happens(percent * share // 100)]
        for item in sorted(chances, key=lambda item: -chances[item]):
            if points(found) < self._group["least"] and item not in found:
                found.append(item)
        return in_order(found)

    def _lupus(self) -> Iterator[Diagnosis | Result]:
        """The diagnosis, its nephritis, and the classifications."""
        date = self._draft.diagnosed.isoformat()
        yield self._diagnosis("sle", date)
        if self._nephritis():
            yield self._diagnosis("lupusNephritis", self._between(self._draft.diagnosed))
        for row in tables()["classification"]:
            if not self._dice.happens(95 if row["set"] in self._sets else row["percent"]):
                continue
            points_known = self._dice.happens(40)
            value: Value = Decimal(self._dice.among(*row["points"])) if points_known else True
            yield Result(row["set"], date, value, _POINTS if points_known else None)

    def _nephritis(self) -> bool:
        return any(item in self._items for item in _RENAL)

    def _diagnosis(self, concept: str, began: str, **more: Any) -> Diagnosis:
        """A diagnosis as it is written down: by a hierarchy's code or not, with an onset or recorded only."""
        written = tables()["written"]
        system = ICD10CM if self._dice.happens(written["icd"]) else None
        if self._dice.happens(written["recordedOnly"]):
            return Diagnosis(concept, None, recorded=began, system=system, **more)
        return Diagnosis(concept, began, recorded=began, system=system, **more)

    def _between(self, first: dt.date) -> str:
        """A day from then to the visit."""
        return self._draft.ago(self._dice.among(self._visit, max(self._visit, (self._draft.on - first).days)))

    def _history(self) -> Iterator[Diagnosis | Procedure | Vaccine | Allergy]:
        """Other diagnoses, procedures, vaccines, allergies."""
        dice, draft = self._dice, self._draft
        for row in tables()["condition"]:
            began, over = dice.among(*row["began"]), dice.happens(row["over"])
            severity = _SEVERITIES[dice.weighted(row.get("severity", [0, 0, 0, 1]))]
            if dice.happens(row["percent"]) and (row["concept"] != "pregnancy" or draft.sex == "female"):
                abated = draft.ago(dice.among(0, began)) if over else None
                yield self._diagnosis(row["concept"], draft.ago(began), abated=abated, severity=severity)
        for row in tables()["procedure"]:
            if dice.happens(row["percent"]):
                yield Procedure(row["concept"], draft.ago(dice.among(*row["days"])))
        for row in tables()["vaccine"]:
            if dice.happens(row["percent"]):
                yield Vaccine(row["concept"], draft.ago(dice.among(*row["days"])))
        for row in tables()["allergy"]:
            if dice.happens(row["percent"]):
                kind = None if row["concept"] == "noKnownAllergy" else _drawn(("allergy", "intolerance"), dice)
                level = _drawn(("high", "low", None), dice) if kind else None
                yield Allergy(row["concept"], draft.ago(dice.among(10, 2000)), kind, level)
                if kind is None:
                    break

    # ── Medicines ────────────────────────────────────────────────────────────────────────────────────────

    def _medicines(self) -> Iterator[Medicine]:
        """Medicines taken over days, then cyclophosphamide by infusion."""
        dice, draft, written = self._dice, self._draft, tables()["written"]
        for row in tables()["medicine"]:
            ongoing, ended, length = dice.happens(row["ongoing"]), dice.among(*row["ended"]), dice.among(*row["length"])
            doses = [Decimal(dose) for dose in row["dose"]]
            dose = doses[dice.among(0, len(doses) - 1)] if doses else None
            if dice.happens(self._percent(row)):
                last = 0 if ongoing else ended
                yield Medicine(
                    row["concept"],
                    draft.ago(last + length),
                    None if ongoing else draft.ago(last),
                    dose,
                    row["times"],
                    row["days"],
                    ordered=dice.happens(written["ordered"]),
                    system=ATC if dice.happens(written["atc"]) else None,
                )
        row = tables()["cyclophosphamide"]
        if dice.happens(row["percent"] * self._group["treated"] // 100):
            dose, ended = Decimal(_drawn(row["dose"], dice)), dice.among(*row["ended"])
            for infusion in range(dice.among(*row["infusions"])):
                date = draft.ago(ended + 14 * infusion)
                yield Medicine("cyclophosphamide", date, dose=dose, once=True, route="intravenous")

    def _percent(self, row: Mapping[str, Any]) -> int:
        """How many of the group have a medicine."""
        percent: int = row["percent"]
        return percent if row["line"] == 1 else percent * int(self._group["treated"]) // 100

    def _glucocorticoids(self) -> Iterator[Medicine]:
        """A first course by body weight, its taper, today's dose, now and then a pulse."""
        row, dice, draft = tables()["steroid"], self._dice, self._draft
        since = (draft.on - draft.diagnosed).days
        began, first, taper = (
            dice.among(since // 2, since),
            dice.among(*row["firstDays"]),
            dice.among(*row["taperDays"]),
        )
        if dice.happens(row["first"]) and began > first + 10:
            dose = Decimal(draft.weight * _drawn(row["tenths"], dice)) / 10
            yield Medicine("prednisone", draft.ago(began), draft.ago(began - first), dose, route="oral")
            left = began - first - 1
            last = max(left - taper, 1)
            yield Medicine("prednisone", draft.ago(left), draft.ago(last), Decimal(_drawn(row["taper"], dice)))
            began = last - 1
        today = Decimal(row["today"][dice.weighted(row["weights"])])
        if today:
            drug = _drawn(("prednisone", "prednisone", "prednisolone", "methylprednisolone"), dice)
            dose = today * 4 / 5 if drug == "methylprednisolone" else today
            yield Medicine(drug, draft.ago(min(began, dice.among(20, 400))), None, dose)
        if dice.happens(row["methylprednisolone"]):
            start = dice.among(3, 1500)
            for day in range(3):
                dose = Decimal(_drawn(row["pulse"], dice))
                yield Medicine("methylprednisolone", draft.ago(start - day), dose=dose, once=True, route="intravenous")

    # ── What was measured ────────────────────────────────────────────────────────────────────────────────

    def _done(self, percent: int, test: str = "") -> bool:
        """Whether a test was done; those that the trial asks for nearly always."""
        recorded: int = self._group["recorded"]
        return self._dice.happens(recorded if test in self._asked else percent * recorded // 100)

    def _when(self, window: str) -> str:
        """The day of a result: that of the visit, or too long ago to serve."""
        if self._dice.happens(self._group["fresh"]):
            return self._draft.ago(self._visit)
        return self._draft.ago(self._dice.among(WINDOWS[window] + 1, WINDOWS[window] + 300))

    def _scores(self) -> Iterator[Result]:
        """SLEDAI-2K, by total, items or both, now and half a year ago; the other scores."""
        dice = self._dice
        earlier = self._visit + dice.among(120, 220)
        for day, items in ((earlier, self._items[1:]), (self._visit, self._items)):
            if not self._done(92, "sledai2kTotal"):
                continue
            date = self._draft.ago(day) if day == earlier else self._when("result")
            total, itemised = Decimal(points(items)), day != earlier and dice.happens(55)
            parts = [(f"sledai2k:{key}", key in items) for key in item_weights()] if itemised else []
            known = not itemised or dice.happens(80)
            yield Result(
                "sledai2kTotal", date, total if known else None, _POINTS if known else None, parts=tuple(parts)
            )
        for row in tables()["score"]:
            if self._done(row["percent"], row["test"]):
                yield Result(row["test"], self._when("result"), self._score(row), _POINTS)

    def _score(self, row: Mapping[str, Any]) -> Decimal:
        """The value of a score, higher where SLEDAI is."""
        total = points(self._items)
        if "beside" in row:
            return Decimal(max(total + self._dice.among(*row["beside"]), 0))
        bounds = row["active"] if "active" in row and total >= 8 else row["range"]
        return self._dice.number(bounds, row.get("places", 0))

    def _tests(self) -> Iterator[Result]:
        """Results with their reference ranges; body weight; whether oxygen was given."""
        dice = self._dice
        for row in tables()["test"]:
            if not self._done(row["percent"], row["test"]):
                continue
            date = self._when(row["window"])
            if row["test"] == "bodyWeight":
                yield Result("bodyWeight", date, Decimal(self._draft.weight), "kg")
                continue
            yield usual_result(row, date, dice)
            if row["test"] == "spo2" and self._done(80, "spo2"):
                yield Result("supplementalOxygen", date, dice.happens(2))
        for row in tables()["load"]:
            if self._done(row["percent"], row["test"]):
                found, limit = dice.happens(row["positive"]), Decimal(row["limit"])
                value, sign = (limit * dice.among(3, 90), None) if found else (limit, "<")
                yield Result(row["test"], self._when("serology"), value, row["unit"], comparator=sign)

    def _answers(self) -> Iterator[Result]:
        """Tests that are positive or negative, and the titre of antinuclear antibodies."""
        for row in tables()["answer"]:
            if self._done(row["percent"], row["test"]):
                answer: Literal["positive", "negative"]
                answer = "positive" if self._dice.happens(row["positive"]) else "negative"
                yield Result(row["test"], self._when(row["window"]), answer=answer)
        if self._done(60):
            titres = distributions()["antibodies"]["titres"]
            yield Result("anaTiter", self._when("autoantibody"), f"1:{_drawn(titres, self._dice)}")

    def _fertility(self) -> Iterator[Result]:
        """Of women: pregnancy tests before 52 years of age, and what is said of childbearing potential."""
        dice, date = self._dice, self._draft.ago(self._visit)
        if self._draft.sex != "female":
            return
        if self._age < 52 and self._done(82, "hcgSerumQual"):
            test = _drawn(("hcgSerumQual", "hcgSerumQual", "hcgSerumQual", "hcgSerumQuant", "hcgUrineQual"), dice)
            positive, day = dice.happens(1), self._when("pregnancyTest")
            if test == "hcgSerumQuant":
                value = Decimal(dice.among(40, 900) if positive else dice.among(0, 4))
                yield Result(test, day, value, "m[IU]/mL", upper=Decimal(5))
            else:
                yield Result(test, day, answer="positive" if positive else "negative")
        if self._done(45):
            yield Result("childbearingPotential", date, self._age < 50)
        if self._age >= 50 and self._done(70):
            yield Result("postmenopausal", date, dice.happens(92))
        if self._done(8):
            yield Result("sterilised", date, dice.happens(50))

    def _biopsy(self) -> Iterator[Result]:
        """The kidney biopsy of a patient with nephritis."""
        row, dice = tables()["biopsy"], self._dice
        if not self._nephritis() or not dice.happens(row["percent"]):
            return
        date = self._draft.ago(dice.among(*row["days"]))
        yield Result("isnRpsClass", date, row["classes"][dice.weighted(row["weights"])])
        for index, bounds in (("nihActivityIndex", row["activity"]), ("nihChronicityIndex", row["chronicity"])):
            if dice.happens(row["indices"]):
                yield Result(index, date, dice.number(bounds), _POINTS)

    # ── What was said ────────────────────────────────────────────────────────────────────────────────────

    def _statements(self) -> Iterator[Result]:
        """Agreements, plans, contraindications."""
        asked = "workedUp" if self._group["workedUp"] else "others"
        for row in tables()["statement"]:
            if self._dice.happens(row[asked]):
                yield Result(row["statement"], self._draft.ago(self._visit), self._dice.happens(row["true"]))

    def _worked_up(self, trial: Trial) -> Iterator[Consent | Event | Result]:
        """Consent, planned dates, and the investigator's word on every row that no record settles."""
        dice, draft = self._dice, self._draft
        if dice.happens(94):
            yield Consent(trial.id, draft.ago(dice.among(0, 10)))
        ahead = dice.among(7, 21)
        if dice.happens(70):
            for name, days in (("leukapheresis", 0), ("lymphodepletion", 28), ("infusion", 33)):
                yield Event(f"{name}/{trial.id}", draft.ago(-ahead - days))
        attested = [row for row in trial.criteria if is_for_the_investigator(row, trial)]
        for row in attested if dice.happens(80) else ():
            speaks_for = not dice.happens(1)
            yield Result(f"attest:{trial.id}/{row.id}", draft.ago(0), (row.kind == "inclusion") == speaks_for)


@cache
def asked(trial: Trial, names: tuple[str, ...]) -> frozenset[str]:
    """What the rows of a trial ask for by some parameters."""
    found: set[str] = set()
    for feature in trial.features():
        for name in names:
            value = feature.get(name, ())
            found |= set(value) if isinstance(value, tuple) else {str(value)}
    return frozenset(found)


def usual_result(row: Mapping[str, Any], date: str, dice: Dice) -> Result:
    """A value of a test, usual or odd, in the usual unit or in the other one with its own limits."""
    odd = dice.happens(row.get("odd", 0))
    places: int = row.get("places", 0)
    value = dice.number(row["oddRange"] if odd else row["range"], places)
    lower, upper = (None if row.get(name) is None else Decimal(row[name]) for name in ("lower", "upper"))
    if "substance" in row and dice.happens(tables()["written"]["substanceUnits"]):
        unit, limit = row["substance"]
        scaled = (value / Decimal(row["upper"]) * limit).quantize(Decimal(1))
        return Result(row["test"], date, scaled, unit, upper=Decimal(limit))
    return Result(row["test"], date, value, row["unit"], lower, upper, echocardiography=row["test"] == "lvef")


def is_for_the_investigator(row: Criterion, trial: Trial) -> bool:
    """Whether a row without parts needs a word: a question, an open value set, or a look-back from a planned date."""
    if any(other.parent == row.id for other in trial.criteria):
        return False
    return any(
        isinstance(node, Judgement) or (isinstance(node, Leaf) and _needs_word(node)) for node in walk(row.condition)
    )


def _needs_word(leaf: Leaf) -> bool:
    planned = leaf.feature.get("anchor") not in (None, "screening", *STAND_INS)
    return planned or any(terminology().is_open(value_set) for value_set in value_sets(leaf))


def suit(draft: Draft, trial: Trial, dice: Dice) -> None:
    """Take out what is known to exclude from the trial, for most patients: who sends patients has read the criteria."""
    kinds = ("ExposureCondition", "WashoutCondition", "DiagnosisCondition", "ProcedureCondition")
    for row in trial.criteria:
        nodes = [node for node in walk(row.condition) if isinstance(node, Leaf)]
        if row.kind == "exclusion" and dice.happens(92):
            for leaf in nodes:
                for value_set in value_sets(leaf) if leaf.feature.kind in kinds else ():
                    if not _is_the_disease(value_set):
                        draft.without_concepts(members(value_set))


@cache
def _is_the_disease(value_set: str) -> bool:
    """Whether a value set holds lupus itself, or what it is commonly treated with."""
    usual = ("prednisone", "hydroxychloroquine", "mycophenolateMofetil", "sle", "lupusNephritis")
    return any(key in members(value_set) for key in usual)


def _drawn(values: Sequence[Any], dice: Dice) -> Any:
    """One of several values, all equally likely."""
    return values[dice.among(0, len(values) - 1)]
