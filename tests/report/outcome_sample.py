"""Hand-made outcomes that the report tests print: one of each thing that a report of a follow-up has to show."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal

from sle_kg.followup.results import (
    AdverseEvent,
    CohortRow,
    Course,
    EventRow,
    OutcomeResult,
    PatientOutcomes,
    Point,
    ScoreResult,
    TrialOutcomes,
)
from sle_kg.verdict import Evidence, Unread

INFUSION = dt.date(2026, 1, 10)
WEEK_4 = dt.date(2026, 2, 8)
WEEK_12 = dt.date(2026, 4, 3)
TOTAL = Evidence("Observation/s12", "SLEDAI-2K", "0", "2026-04-03")
UNREAD = Unread("Observation/o7", "http://loinc.org|1742-6", "ALT", "unit 'furlong' does not convert to U/L")
ATTACK = "[red]x[/red]\x1b[2J\x07 <script>alert(1)</script> \u202eevil\u202c\r\nnext \ud800"


def result(number: str, measure: str, word: str, **changes: object) -> OutcomeResult:
    """A result at week 12 with plausible defaults; `changes` are its other fields."""
    fields: dict[str, object] = {
        "id": number,
        "measure": measure,
        "time_point": "week 12",
        "definition": f"definition of {measure}",
        "result": word,
        "reason": f"Why {measure} is {word}.",
        "first": dt.date(2026, 3, 7),
        "last": dt.date(2026, 5, 1),
    }
    return OutcomeResult(**(fields | changes))  # type: ignore[arg-type]


def point(day: dt.date, lower: int | str | None, upper: int | str | None = "same") -> Point:
    """A point that is known exactly unless an upper bound is given."""
    low = None if lower is None else Decimal(lower)
    high = low if upper == "same" else None if upper is None else Decimal(upper)
    return Point(day, low, high)


def responder() -> PatientOutcomes:
    """Clinical remission at week 12, with a score that falls, a dose that is tapered and two adverse events."""
    results = (
        result(
            "O2",
            "clinicalSledai",
            "reached",
            definition="clinical SLEDAI-2K = 0",
            date=WEEK_12,
            value=Decimal(0),
            lower=Decimal(0),
            upper=Decimal(0),
            evidence=(TOTAL,),
        ),
        result(
            "O5",
            "antiDsDna",
            "value",
            definition="change of anti-dsDNA",
            date=WEEK_12,
            value=Decimal("12.50"),
            change=Decimal("-187.5"),
            unit="[IU]/mL",
            lower=Decimal("-187.5"),
            upper=Decimal("-187.5"),
            evidence=(Evidence("Observation/d12", "anti-dsDNA", "12.5 [IU]/mL", "2026-04-03"),),
        ),
    )
    events = (
        AdverseEvent(
            "cytokine release syndrome", "AdverseEvent/a1", dt.date(2026, 1, 13), 3, 2, 2, True, True, None, True
        ),
        AdverseEvent("headache", "AdverseEvent/a2", dt.date(2026, 1, 14), 4, 1, 3, None, None, False, True),
        AdverseEvent("rash", "AdverseEvent/a3", None, None, None, None, False, False, False, None),
    )
    days = (INFUSION, WEEK_4, WEEK_12)
    course = Course(
        scores={
            "sledai2kTotal": (point(days[0], 12), point(days[1], 4, 8), point(days[2], 0)),
            "pga": (point(days[0], "2.1"), point(days[1], "0.8", None), point(days[2], "0.3")),
        },
        steroid=(point(days[0], 20), point(dt.date(2026, 1, 24), 10), point(days[1], "7.5", 10), point(days[2], 0)),
        items={
            "sledai2k:arthritis": (point(days[0], 1), point(days[1], 1), point(days[2], 0)),
            "sledai2k:proteinuria": (point(days[0], 1), point(days[1], 0, 1), point(days[2], 0)),
            "sledai2k:increasedDNABinding": (point(days[0], 1), point(days[2], 0)),
        },
        states={
            "clinicalSledai": ((days[0], "not-met"), (days[1], "unknown"), (days[2], "met")),
            "lldas": ((days[0], "not-met"), (days[1], "met"), (days[2], "met")),
        },
    )
    return PatientOutcomes(
        "cart-01", INFUSION, results, events, {"Anemia": (1, 1), "Creatinine increased": (0, 2)}, course, (UNREAD,)
    )


def unknown_bounds() -> PatientOutcomes:
    """Infused, and seen with so many gaps that no result is known."""
    results = (
        result(
            "O2",
            "clinicalSledai",
            "not-evaluable",
            definition="clinical SLEDAI-2K = 0",
            date=WEEK_12,
            lower=Decimal(0),
            upper=Decimal(24),
            missing=("the SLEDAI-2K items seizure and psychosis on 2026-04-03",),
        ),
        result(
            "O5",
            "antiDsDna",
            "not-evaluable",
            definition="change of anti-dsDNA",
            unit="[IU]/mL",
            upper=Decimal("-3.333333"),
            missing=("anti-dsDNA from 2025-12-01 to 2026-01-10",),
        ),
    )
    course = Course(
        scores={"sledai2kTotal": (point(INFUSION, None, None), point(WEEK_12, 0, 24))},
        states={"clinicalSledai": ((WEEK_12, "unknown"),), "lldas": ((WEEK_12, "unknown"),)},
    )
    return PatientOutcomes("cart-02", INFUSION, results, course=course)


def not_infused() -> PatientOutcomes:
    """No infusion is recorded, so there is no time zero."""
    missing = ("the date of the infusion",)
    results = (
        result(
            "O2",
            "clinicalSledai",
            "not-evaluable",
            definition="clinical SLEDAI-2K = 0",
            first=None,
            last=None,
            missing=missing,
        ),
    )
    return PatientOutcomes("cart-03", None, results)


def outcomes() -> TrialOutcomes:
    """Three patients: evaluable, unknown, not infused."""
    return TrialOutcomes(
        trial="NCT06710717",
        label="CD19/BCMA CAR-T in SLE",
        windows="Time points are matched within half the distance to their neighbours.",
        patients=(responder(), unknown_bounds(), not_infused()),
        cohort=(
            CohortRow(
                "O2",
                "clinicalSledai",
                "week 12",
                "clinical SLEDAI-2K = 0",
                infused=2,
                evaluable=1,
                reached=1,
                proportion_of_evaluable=Decimal(1),
                proportion_of_infused=Decimal("0.5"),
                ci95=(Decimal("0.025"), Decimal(1)),
                missing={"the SLEDAI-2K items seizure and psychosis": 1},
            ),
            CohortRow(
                "O5",
                "antiDsDna",
                "week 12",
                "change of anti-dsDNA",
                infused=2,
                evaluable=1,
                mean=Decimal("-187.5"),
                median=Decimal("-187.5"),
                least=Decimal("-187.5"),
                greatest=Decimal("-187.5"),
                unit="[IU]/mL",
                missing={"anti-dsDNA at baseline": 1},
            ),
        ),
        events=(
            EventRow("cytokine release syndrome", 1, {"2": 1}),
            EventRow("headache", 1, {"unknown": 1}),
            EventRow("rash", 1, {"unknown": 1}),
        ),
        laboratory_grades=(EventRow("Anemia", 1, {"1": 1}),),
        caveats=("The copy of the record states no visit windows.",),
        options=("--derive-items",),
    )


def nobody() -> TrialOutcomes:
    """A cohort without patients."""
    return replace(outcomes(), patients=(), cohort=(), events=(), laboratory_grades=(), caveats=(), options=())


def hostile() -> TrialOutcomes:
    """A patient whose every text tries to steer the reader's program."""
    attacked = result(
        "O2",
        "clinicalSledai",
        "not-evaluable",
        reason=ATTACK,
        definition=ATTACK,
        time_point=ATTACK,
        unit=ATTACK,
        evidence=(Evidence(f"Observation/{ATTACK}", ATTACK, "=HYPERLINK(1)", ATTACK),),
        missing=(ATTACK,),
    )
    event = AdverseEvent(ATTACK, f"AdverseEvent/{ATTACK}", WEEK_4, 29, 1, 1, None, None, None, True)
    course = Course(
        scores={"sledai2kTotal": (point(INFUSION, 1),), ATTACK: (point(INFUSION, 1),)},
        steroid=(point(INFUSION, 1),),
        items={ATTACK: (point(INFUSION, 1),)},
        states={ATTACK: ((INFUSION, "met"),)},
    )
    patient = PatientOutcomes(
        ATTACK, INFUSION, (attacked,), (event,), {ATTACK: (1, 1)}, course, (Unread(ATTACK, ATTACK, ATTACK, ATTACK),)
    )
    row = CohortRow("O2", "clinicalSledai", ATTACK, ATTACK, infused=1, evaluable=0, unit=ATTACK, missing={ATTACK: 1})
    return TrialOutcomes(
        "NCT06710717", ATTACK, ATTACK, (patient,), (row,), (EventRow(ATTACK, 1, {"1": 1}),), caveats=(ATTACK,)
    )


def scores() -> list[ScoreResult]:
    """A known total, one with bounds, a state, and grades by system."""
    return [
        ScoreResult(
            "cart-01",
            WEEK_12,
            "sledai2k",
            value=Decimal(4),
            lower=Decimal(4),
            upper=Decimal(4),
            items={"arthritis": True, "rash": False},
            reason="Every item is recorded.",
            band="low",
            change=Decimal(-8),
            unit="{score}",
            proposed={"thrombocytopenia": True},
            contradictions=("leukopenia is recorded absent, leukocytes are 2.1 x 10*9/L",),
            evidence=(TOTAL,),
        ),
        ScoreResult(
            "cart-02",
            WEEK_12,
            "sledai2k",
            lower=Decimal(0),
            upper=Decimal(12),
            items={"arthritis": False, "seizure": None, "visual": None},
            reason="2 items are not recorded.",
            missing=("the items seizure and visual",),
        ),
        ScoreResult("cart-01", WEEK_12, "doris2021", result="met", reason="All items are met."),
        ScoreResult(
            "cart-01",
            WEEK_12,
            "bilag",
            value=Decimal("12"),
            lower=Decimal(12),
            upper=Decimal(12),
            grades={"renal": "A", "mucocutaneous": "D"},
            reason="Grades as recorded.",
        ),
    ]


def hostile_score() -> ScoreResult:
    """A score whose every text tries to steer the reader's program."""
    return ScoreResult(
        ATTACK,
        WEEK_12,
        ATTACK,
        items={ATTACK: None},
        reason=ATTACK,
        missing=(ATTACK,),
        facet=ATTACK,
        band=ATTACK,
        unit=ATTACK,
        grades={ATTACK: "=1+1"},
        proposed={ATTACK: True},
        contradictions=(ATTACK,),
        evidence=(Evidence(ATTACK, ATTACK, ATTACK, ATTACK),),
    )
