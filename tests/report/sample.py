"""Hand-made verdicts that the report tests print: one of each thing that a report has to show."""

from __future__ import annotations

from sle_kg.verdict import Evidence, OtherReading, RowVerdict, Unread, Verdict

SLEDAI = Evidence("Observation/obs-3", "SLEDAI-2K", "9", "2026-11-10")
TAKEN = ("2026-08-01", "2026-11-18")
TOFACITINIB = Evidence("MedicationStatement/m2", "Tofacitinib", "completed, 5 mg twice a day", TAKEN[0], TAKEN)

UNREAD = (
    Unread("Condition/c9", "http://snomed.info/sct|254837009", "Malignant neoplasm of breast", "unmapped code"),
    Unread("Observation/o7", "http://loinc.org|1742-6", "ALT", "unit 'furlong' does not convert to U/L"),
)


def row(number: str, status: str, **changes: object) -> RowVerdict:
    """A row with plausible defaults; `changes` are its other fields."""
    fields: dict[str, object] = {
        "id": number,
        "parent": None,
        "kind": "exclusion" if number.startswith("E") else "inclusion",
        "text": f"Words of {number}",
        "sentence": f"The whole bullet with the words of {number}.",
        "status": status,
        "decisive": True,
        "reason": f"Why {number} is {status}.",
    }
    return RowVerdict(**(fields | changes))  # type: ignore[arg-type]


def verdict(patient: str, trial: str, word: str, criteria: tuple[RowVerdict, ...], **changes: object) -> Verdict:
    """A verdict with plausible defaults; `changes` are its other fields."""
    fields: dict[str, object] = {
        "patient": patient,
        "trial": trial,
        "trial_label": f"CD19 CAR-T in SLE, {trial}",
        "on": "2026-11-21",
        "verdict": word,
        "nothing_against": word == "eligible",
        "open_items": {"data": 0, "test": 0, "agreement": 0, "judgement": 0},
        "source_complete": True,
        "recruitment_status": "RECRUITING",
        "recruitment_as_of": "2026-08-22",
        "recruitment_source": "registry snapshot",
        "caveats": (),
        "earliest_eligible": None,
        "unread": (),
        "criteria": criteria,
    }
    return Verdict(**(fields | changes))  # type: ignore[arg-type]


def undetermined() -> Verdict:
    """Open in every way, with warnings, readings, expiry and records not understood."""
    criteria = (
        row("I02", "pass", text="Age range from 18 to 70 years old", valid_until="2059-01-02"),
        row("I05", "unknown", text="Active SLE needs to meet the following criteria at screening:", missing=("I05a",)),
        row(
            "I05a",
            "unknown",
            parent="I05",
            text="SELENA-SLEDAI score ≥ 6 points",
            reason="No SELENA-SLEDAI total is recorded; SLEDAI-2K does not stand in for it.",
            missing=("a SELENA-SLEDAI total from 2026-10-24 to 2026-11-21",),
            open_kind="test",
            other_readings=(OtherReading("A1-05", "any-sledai", "pass"),),
        ),
        row("I05b", "pass", parent="I05", text="PGA ≥ 1 points", valid_until="2026-12-08", evidence=(SLEDAI,)),
        row("I07b", "unknown", missing=("agreement to contraception",), open_kind="agreement"),
        row(
            "E05",
            "unknown",
            text="Existence of other lupus crisis within 8 weeks prior to screening",
            missing=("the investigator's statement: Is there another lupus crisis? (attest:NCT06106906/E05)",),
            open_kind="judgement",
            needs_judgement=True,
        ),
        row("E21", "unknown", missing=("which biologics were given",), open_kind="data", flags=("belimumab counts",)),
    )
    return verdict(
        "vignette-17",
        "NCT06106906",
        "undetermined",
        criteria,
        open_items={"data": 1, "test": 1, "agreement": 1, "judgement": 1},
        unread=UNREAD,
        notes=("Consent/c1 is a research consent that names no trial; it settles no row.",),
    )


def ineligible() -> Verdict:
    """Ruled out by a part of a group and by a wash-out that time would end; one more row is open."""
    criteria = (
        row("I03", "fail", text="Refractory SLE"),
        row("I03d", "fail", parent="I03", text="two immunosuppressants", reason="One is recorded: azathioprine."),
        row("I03e", "pass", parent="I03"),
        row("I04", "pass", text="SLEDAI-2K score ≥7 points", evidence=(SLEDAI,), valid_until="2026-12-08"),
        row("I08a", "unknown", missing=("which biologics were given",), open_kind="data"),
        row(
            "E20a",
            "fail",
            reason="Tofacitinib is still within its wash-out.",
            passes_from="2026-11-23",
            evidence=(TOFACITINIB,),
        ),
    )
    return verdict(
        "vignette-17",
        "NCT06892145",
        "ineligible",
        criteria,
        open_items={"data": 1, "test": 0, "agreement": 0, "judgement": 0},
        source_complete=False,
        unread=UNREAD,
        caveats=(
            "The copy used shows no exclusion criteria; the trial may have them: check the registry or the protocol.",
        ),
    )


def eligible() -> Verdict:
    """Eligible in a trial whose copy shows no exclusion criteria."""
    criteria = (
        row("I02", "pass", evidence=(SLEDAI,), valid_until="2026-12-08"),
        row("I05", "not-applicable", reason="The participant has no childbearing potential."),
    )
    return verdict(
        "vignette-02",
        "NCT06150651",
        "eligible",
        criteria,
        source_complete=False,
        earliest_eligible="2026-11-21",
        caveats=(
            "The copy used shows no exclusion criteria; the trial may have them: check the registry or the protocol.",
        ),
    )


def hostile() -> Verdict:
    """A patient whose every text tries to steer the reader's program."""
    attack = "[red]x[/red]\x1b[2J\x07 <script>alert(1)</script> \u202eevil\u202c\r\nnext \ud800"
    criteria = (
        row(
            "I02",
            "fail",
            reason=attack,
            evidence=(Evidence(f"Observation/{attack}", attack, "=HYPERLINK(1)", attack),),
        ),
    )
    return verdict(attack, "NCT06106906", "ineligible", criteria, unread=(Unread(attack, attack, attack, attack),))


def verdicts() -> list[Verdict]:
    """The first patient is ruled out or open, the second eligible: reports turn them round."""
    return [undetermined(), ineligible(), eligible()]
