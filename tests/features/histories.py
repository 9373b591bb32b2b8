"""Random histories of patients as fact rows, and two ways from rows to bounds: builder and naive calculator."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import cache
from random import Random
from typing import Any

import pyarrow as pa

from features.naive import Naive
from features.naive_facts import UNKNOWN, Bound, Knowledge, Row
from sle_kg.criteria import Feature
from sle_kg.features import Ask, EventDate, FeatureBuilder, FeatureOptions
from sle_kg.patients.facts import COLUMNS, schema
from sle_kg.terminology import terminology
from sle_kg.trials import load_trials

ON = dt.date(2026, 11, 21)
TRIAL = "NCT06106906"
Facts = dict[str, list[Row]]


def words(text: str) -> list[str]:
    return text.split()


MEDICINES = words(
    "prednisone methylprednisolone hydrocortisone atc:H02AB06 atc:H02AB mycophenolateMofetil mycophenolicAcid "
    "atc:L04AA06 azathioprine cyclophosphamide tacrolimus atc:L04AD belimumab telitacicept anifrolumab atc:L04AG "
    "tofacitinib ibrutinib hydroxychloroquine ivig rituximab atc:B01AA03 atc:J01CA04 atc:C09AA02 other unmapped"
)
DIAGNOSES = words(
    "sle lupusNephritis icd:M32.14 icd:M32 icd:C50.9 icd:C44.1 malignancy icd:D03 icd:Z94 icd:Z94.0 icd:Z99.2 "
    "pregnancy icd:O80 suicidalBehavior icd:G40.9 icd:F32.2 icd:I50.9 icd:K74.6 icd:L40.0 "
    "lupusNephritisClassIII lupusNephritisClassV activeTuberculosis gilbert icd:F10.2 unmapped"
)
PROCEDURES = words("hemodialysis plasmapheresis majorSurgery transfusion bloodDonation other")
ALLERGENS = words("prednisone azathioprine mycophenolateMofetil other unmapped")
VACCINES = words("liveVaccine cvx:03 cvx:88 other")
LABORATORY = words(
    "alt ast totalBilirubin serumCreatinine creatinineClearanceCG spo2 sao2 lvef lvef2d hbsAg hbvDna cmvDna hcvAb "
    "hivAb hiv1Ab ana anaTiter antiDsDna antiDsDnaQual hcgSerumQual hcgSerumQuant hcgUrineQual syphilisRpr "
    "syphilisTreponemal pga cssrsIdeation isnRpsClass nihActivityIndex nihChronicityIndex acr1997 slicc2012 "
    "eularAcr2019"
)
SECTIONS = words("conditions medications procedures allergies immunizations statements")
NUMBERS = [Decimal(text) for text in words("0 0.5 0.7 1 1.4 2.1 3 4 7.5 9.9 10 12 13 35 40 80 92 120.5")]


def vague(random: Random, day: dt.date) -> tuple[dt.date | None, dt.date | None]:
    """A date as recorded: mostly exact, sometimes a month, a year, or none."""
    kind = random.choices(["day", "month", "year", "none"], [12, 3, 2, 1])[0]
    if kind == "day":
        return day, day
    if kind == "month":
        return day.replace(day=1), (day.replace(day=1) + dt.timedelta(days=32)).replace(day=1) - dt.timedelta(days=1)
    return (day.replace(month=1, day=1), day.replace(month=12, day=31)) if kind == "year" else (None, None)


def near(random: Random) -> dt.date:
    """A day around the limits of windows, sometimes long ago, seldom after screening."""
    limits = [0, 3, 7, 14, 15, 28, 29, 56, 57, 58, 90, 91, 97, 112, 168, 183, 184, 365, 700]
    return ON - dt.timedelta(days=random.choice(limits) + random.choice([-1, 0, 0, 1, random.randint(-5, 40)]))


def some(random: Random, most: int) -> range:
    return range(random.randint(0, most))


class Writer:
    """Collects the rows of one patient; every row has its own record."""

    def __init__(self, patient: str) -> None:
        self.patient, self.facts, self._count = patient, {table: [] for table in COLUMNS}, 0

    def add(self, table: str, record: str | None = None, **values: Any) -> str:
        self._count += 1
        record = record or f"{table}/{self._count:03}"
        unknown = values.keys() - COLUMNS[table].keys()
        assert not unknown, unknown
        self.facts[table].append({"patient": self.patient, "record": record, **dict.fromkeys(COLUMNS[table]), **values})
        return record

    def dated(self, table: str, dates: tuple[dt.date | None, dt.date | None], **values: Any) -> str:
        return self.add(table, date_from=dates[0], date_to=dates[1], **values)


def history(random: Random, patient: str) -> Facts:
    """A patient with a bit of everything."""
    writer = Writer(patient)
    born = vague(random, dt.date(random.randint(1954, 2009), random.randint(1, 12), random.randint(1, 28)))
    writer.add("patient", birth_from=born[0], birth_to=born[1], sex=random.choice(["female", "female", "male", None]))
    for _ in some(random, 9):
        _medicine(random, writer)
    for _ in some(random, 7):
        _diagnosis(random, writer)
    for _ in some(random, 16):
        _result(random, writer, random.choice(LABORATORY))
    for test in ("bodyWeight", "bodyWeight", "serumCreatinine", random.choice(LABORATORY), random.choice(LABORATORY)):
        if random.random() < 0.6:
            _result(random, writer, test, ON - dt.timedelta(days=random.randint(0, 30)))
    if random.random() < 0.4:
        _nephritis(random, writer)
    _scores(random, writer)
    for _ in some(random, 4):
        _procedure(random, writer)
    _rest(random, writer)
    _consents(Random(f"{patient} {born} consents"), writer)
    _impossible(Random(f"{patient} {born}"), writer.facts)
    return writer.facts


def _impossible(random: Random, facts: Facts) -> None:
    """Seldom a date before birth; limits of normal for one sex. Its own dice leave those of the history as they are."""
    for row in facts["measurement"]:
        row["limits_for"] = random.choice([*[None] * 9, "female", "male"])
    for table in ("measurement", "condition", "exposure", "procedure", "immunization", "allergy", "statement"):
        for row in facts[table]:
            if random.random() < 0.015:
                first = next(name for name in row if name.endswith("_from"))
                row[first] = row[first.replace("_from", "_to")] = dt.date(random.randint(1900, 1960), 5, 1)


def _consents(random: Random, writer: Writer) -> None:
    """Consents, withdrawn or ended ones among them. Its own dice, too."""
    for _ in some(random, 3):
        until = vague(random, near(random)) if random.random() < 0.3 else (None, None)
        given = {"trial": random.choice([TRIAL, TRIAL, None]), "until_from": until[0], "until_to": until[1]}
        status = random.choices(["active", "inactive", "rejected"], [4, 1, 1])[0]
        writer.dated("consent", vague(random, near(random)), status=status, **given)


def _medicine(random: Random, writer: Writer) -> None:
    start, end = sorted([near(random), near(random)])
    first, last = vague(random, start), vague(random, end)
    if first == (None, None) and random.random() < 0.5:
        first = (None, start)
    ongoing: bool | None = None if random.random() < 0.3 else True
    if last != (None, None):
        ongoing = random.choice([True, True, False, None])
    elif random.random() < 0.3:
        ongoing, last = False, (first[0], None)
    administration = random.random() < 0.2
    if administration:
        last, ongoing = first, False
    timed = not administration and random.random() < 0.85
    stated = vague(random, max(start, near(random))) if random.random() < 0.4 else (None, None)
    record = writer.add(
        "exposure",
        concept=random.choice(MEDICINES[:5] if random.random() < 0.4 else MEDICINES),
        taken=random.choices(["yes", "ordered", "uncertain", "no"], [8, 2, 1, 1])[0],
        start_from=first[0],
        start_to=first[1],
        end_from=last[0],
        end_to=last[1],
        ongoing=ongoing,
        route=random.choice([None, "oral", "intravenous", "intravenous", "local"]),
        dose=random.choice([None, *map(Decimal, words("0.7 1 7.5 12.5 40 60 100 500 1500 33.3"))]),
        dose_unit="mg/kg" if random.random() < 0.15 else "mg",
        times=Decimal(1) if administration else Decimal(random.choice([1, 2, 3])) if timed else None,
        period_days=Decimal(random.choice([1, 1, 1, 2, 7, 14])) if timed else None,
        administration=administration,
        recorded_from=stated[0],
        recorded_to=stated[1],
    )
    if random.random() < 0.15:
        copy = dict(writer.facts["exposure"][-1], dose=Decimal(random.choice(["2.5", "5"])), record=record)
        writer.facts["exposure"].append(copy)


def _diagnosis(random: Random, writer: Writer) -> None:
    start, end = sorted([near(random), near(random)])
    onset = vague(random, start)
    recorded = vague(random, end) if random.random() < 0.6 else (None, None)
    abated = vague(random, end) if random.random() < 0.4 else (None, None)
    ongoing = False if abated != (None, None) and random.random() < 0.9 else random.choice([True, True, None, False])
    if abated != (None, None) and ongoing:
        ongoing = None
    if recorded[0] is not None and onset[0] is not None and recorded[0] < onset[0]:
        recorded = onset
    writer.add(
        "condition",
        concept=random.choice(DIAGNOSES),
        status=random.choices(["confirmed", "refuted", "uncertain"], [6, 2, 1])[0],
        onset_from=onset[0],
        onset_to=onset[1],
        abated_from=abated[0],
        abated_to=abated[1],
        ongoing=ongoing,
        recorded_from=recorded[0],
        recorded_to=recorded[1],
        severity=random.choice([None, "mild", "moderate", "severe", "severe"]),
        remission=False,
    )


def _result(random: Random, writer: Writer, test: str, day: dt.date | None = None) -> None:
    dates = vague(random, day or near(random))
    low: Decimal | None = random.choice(NUMBERS)
    high, positive, text = low, None, None
    if test == "bodyWeight":
        low = high = random.choice([None, *map(Decimal, words("0 40 39.9 57 60 62.35 71.25"))])
        dates = (dates[0], dates[0])
    elif test == "serumCreatinine" and low is not None:
        low = high = low / 4 + Decimal("0.35")
    elif test == "isnRpsClass":
        low = high = None
        text = random.choice(["III", "IV", "V", "III+V", "II", None])
    elif test in ("acr1997", "slicc2012", "eularAcr2019") or "Ab" in test or "Qual" in test or "syphilis" in test:
        positive = random.choice([True, False, None])
        low = high = None if positive is not None else low
    comparator = random.random()
    if low is not None and comparator < 0.08:
        low = None
        high = None if high is None else high - Decimal("1e-12") if random.random() < 0.5 else high
    elif low is not None and comparator < 0.16:
        high, low = None, low + Decimal("1e-12") if random.random() < 0.5 else low
    writer.dated(
        "measurement",
        dates,
        test=test,
        low=low,
        high=high,
        uln=random.choice([None, Decimal("0.7"), Decimal(3), Decimal(40)]),
        positive=random.choice([True, False]) if random.random() < 0.2 and text is None else positive,
        below_quantification=test.endswith("Dna") and random.random() < 0.3,
        method=random.choice([None, "echocardiography"]) if test.startswith("lvef") else None,
        text=text,
    )


def _scores(random: Random, writer: Writer) -> None:
    """Totals and items on few days, so that they meet; items of classification sets; oxygen."""
    from features.naive_facts import classification_rows, score_items

    for instrument in ("sledai2kTotal", "selenaSledaiTotal"):
        days = [near(random)]
        for _ in some(random, 2):
            total = Decimal(random.randint(0, 12))
            writer.dated("measurement", vague(random, random.choice(days)), test=instrument, low=total, high=total)
        items = list(score_items(instrument))
        chosen = items if random.random() < 0.5 else random.sample(items, 3)
        if random.random() < 0.6:
            for item in chosen:
                writer.dated("measurement", (days[0],) * 2, test=item, positive=random.random() < 0.15)
    for name in ("acr1997", "slicc2012", "eularAcr2019"):
        rows = list(classification_rows(name))
        share = random.choice([0, 0, 0.3, 1])
        for row in rows:
            if random.random() < share:
                test, answer = f"{name}:{row['key']}", random.random() < 0.4
                writer.dated("measurement", vague(random, near(random)), test=test, positive=answer)
    for row in writer.facts["measurement"][:]:
        if row["test"] in ("spo2", "sao2") and random.random() < 0.7:
            dates = (row["date_from"], row["date_to"])
            writer.dated("measurement", dates, test="supplementalOxygen", positive=random.choice([True, False, None]))


def _nephritis(random: Random, writer: Writer) -> None:
    """A high dose with a second drug, and what the kidney does before and after."""
    start = ON - dt.timedelta(days=random.randint(20, 200))
    for concept, dose in (("prednisone", "60"), (random.choice(["mycophenolateMofetil", "cyclophosphamide"]), "500")):
        end = start + dt.timedelta(days=random.choice([12, 13, 14, 40]))
        writer.add(
            "exposure",
            concept=concept,
            taken="yes",
            start_from=start,
            start_to=start,
            end_from=end,
            end_to=end,
            ongoing=False,
            dose=Decimal(dose),
            dose_unit="mg",
            times=Decimal(1),
            period_days=Decimal(1),
            administration=False,
        )
    for test in ("upcr", "urineProtein24h", "egfrCkdEpi2021", "egfrMdrd"):
        if random.random() < 0.7:
            _result(random, writer, test, start - dt.timedelta(days=random.choice([0, 5, 28, 29])))
            _result(random, writer, test, ON - dt.timedelta(days=random.choice([0, 5, 28, 29])))


def _procedure(random: Random, writer: Writer) -> None:
    start, end = sorted([near(random), near(random)])
    first = vague(random, start)
    last = first if random.random() < 0.7 else vague(random, end)
    if first == (None, None):
        last = first
    writer.add(
        "procedure",
        concept=random.choice(PROCEDURES),
        done=random.choices(["yes", "no", "uncertain"], [6, 1, 1])[0],
        from_from=first[0],
        from_to=first[1],
        end_from=last[0],
        end_to=last[1],
    )


def _rest(random: Random, writer: Writer) -> None:
    for _ in some(random, 2):
        dates = vague(random, near(random))
        given = random.choices(["yes", "no", "uncertain"], [5, 1, 1])[0]
        writer.dated("immunization", dates, concept=random.choice(VACCINES), given=given)
    for _ in some(random, 3):
        dates = vague(random, near(random))
        writer.add(
            "allergy",
            concept=random.choice(ALLERGENS),
            status=random.choices(["confirmed", "refuted", "uncertain"], [6, 1, 1])[0],
            kind=random.choice(["allergy", "allergy", "intolerance", None]),
            criticality=random.choice(["high", "low", None]),
            recorded_from=dates[0],
            recorded_to=dates[1],
            none_known=random.random() < 0.3,
        )
    statements = words(
        "agreesContraception plansPregnancy childbearingPotential postmenopausal sterilised "
        "contraindication:azathioprine contraindication:mycophenolateMofetil contraindication:hydroxychloroquine"
    )
    for _ in some(random, 5):
        dates, key, share = vague(random, near(random)), random.choice(statements), random.random()
        writer.dated("statement", dates, statement=key, value=None if share > 0.95 else share < 0.6)
    if random.random() < 0.4:
        amount = random.choice([None, Decimal("250"), Decimal("400.5")])
        writer.dated("statement", vague(random, near(random)), statement="bloodDonationVolume", amount=amount)
    for section in SECTIONS:
        if random.random() < 0.4:
            day = ON - dt.timedelta(days=random.choice([0, 0, 0, 1, 20]))
            writer.dated("completeness", (day, day), section=section)
        if random.random() < 0.08:
            writer.dated(
                "unread", vague(random, near(random)), section=section, code="x|y", display="?", why="unmapped"
            )


def asks_of(random: Random, number: int, patient: str) -> list[Ask]:
    """The screening date and a later one, results repeated or not; anchors past, planned or unknown."""
    events = {"consent": EventDate(ON, ON, stand_in=True), "enrollment": EventDate(ON, ON, stand_in=True)}
    for name in ("consent", "leukapheresis", "lymphodepletion", "infusion"):
        if random.random() < 0.5:
            first, last = vague(random, ON + dt.timedelta(days=random.randint(-60, 40)))
            if first is not None and last is not None:
                events[name] = EventDate(first, last, record=f"event/{name}")
    ask = Ask(number, patient, TRIAL, ON, ON, events)
    days, repeat = random.choice([1, 14, 97, 200]), random.choice([True, False])
    return [ask, ask.moved(number + 1, days, repeat)]


@cache
def all_features() -> tuple[Feature, ...]:
    """Every feature that a trial asks for."""
    found = {feature for trial in load_trials().values() for feature in trial.features()}
    return tuple(sorted(found, key=lambda feature: feature.slug))


def tables(patients: Iterable[Mapping[str, Sequence[Row]]]) -> dict[str, pa.Table]:
    """The rows of patients as fact tables."""
    every = list(patients)
    return {
        name: pa.Table.from_pylist([row for facts in every for row in facts.get(name, ())], schema=schema(name))
        for name in COLUMNS
    }


def built(
    patients: Sequence[Mapping[str, Sequence[Row]]],
    asks: Sequence[Ask],
    features: Sequence[Feature],
    complete: frozenset[str] = frozenset(),
) -> dict[tuple[int, str], Bound]:
    """What the feature builder says."""
    builder = FeatureBuilder(tables(patients), features, terminology())
    values = builder.compute(asks, {ask.trial: features for ask in asks}, FeatureOptions(complete))
    return {
        (value.ask, value.slug): tuple(None if b is None else Fraction(b) for b in (value.lower, value.upper))  # type: ignore[misc]
        for value in values
    }


def knowledge(patients: Sequence[Mapping[str, Sequence[Row]]], features: Sequence[Feature]) -> Knowledge:
    """What the terminology says of every concept that occurs."""
    known = terminology()
    sets = {"sleDiagnosis", "pregnancyCondition", "bloodDonationAny"}
    for feature in features:
        for name in ("valueSet", "concurrentWith"):
            sets.update(feature.get(name, ()))  # type: ignore[arg-type]
    concepts = {row["concept"] for facts in patients for rows in facts.values() for row in rows if "concept" in row}
    for facts in patients:
        concepts |= {row["statement"].partition(":")[2] for row in facts.get("statement", ())} - {""}
    return Knowledge(
        {(concept, name): status for concept, name, status in known.membership(concepts, sets)},
        frozenset(known.refuting(concepts, sets)),
        {drug.concept: drug for drug in known.drug_attributes(concepts)},
        frozenset(name for name in sets if known.is_open(name)),
    )


def expected(
    patients: Sequence[Mapping[str, Sequence[Row]]],
    asks: Sequence[Ask],
    features: Sequence[Feature],
    complete: frozenset[str] = frozenset(),
) -> dict[tuple[int, str], Bound]:
    """What the naive calculator says."""
    known = knowledge(patients, features)
    by_id = {facts["patient"][0]["patient"]: facts for facts in patients}
    return {
        (ask.id, feature.slug): Naive(by_id[ask.patient], ask, known, complete).bounds(feature)
        for ask in asks
        for feature in features
    }


def differences(
    found: Mapping[tuple[int, str], Bound], wanted: Mapping[tuple[int, str], Bound]
) -> list[tuple[int, str, Bound, Bound]]:
    """Bounds that differ: ask, feature, found, wanted.

    The builder rounds outwards: sums of rounded rates may be off by 10⁻⁹, doses per kg by 10⁻⁸, or by that part of a
    value above 1.
    """

    def same(one: Fraction | None, other: Fraction | None, tolerance: Fraction) -> bool:
        return one is other if one is None or other is None else abs(one - other) <= tolerance * max(1, abs(other))

    wrong = []
    for (ask, slug), bound in wanted.items():
        got = found.get((ask, slug), UNKNOWN)
        tolerance = Fraction(1, 10**8 if "perKilogram=True" in slug else 10**9)
        if not all(same(one, other, tolerance) for one, other in zip(got, bound, strict=True)):
            wrong.append((ask, slug, got, bound))
    return wrong
