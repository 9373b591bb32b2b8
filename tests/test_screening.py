"""Screening from files to verdicts: options, attestations, dates ahead, evidence, what is missing."""

from __future__ import annotations

import datetime as dt
import json
import re
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from sle_kg.engines import RowStatus
from sle_kg.engines.shacl import ShaclEngine
from sle_kg.errors import InputError, MissingToolError
from sle_kg.evaluate import row_truths
from sle_kg.namespaces import LOCAL_CODES, LOINC, UCUM
from sle_kg.resources import path
from sle_kg.screening import Options, Session, profile_document, screen
from sle_kg.timeline import Case, courses
from sle_kg.verdict import RowVerdict, Verdict

ON = dt.date(2026, 11, 21)
EXAMPLES = path("examples") / "patients"
EXPECTED = json.loads((path("examples") / "expected.json").read_text(encoding="utf-8"))
MC150, CD19, PIGGYBAC = "NCT06892145", "NCT06106906", "NCT06150651"


def observation(code: str, on: str | None = "2026-11-20", system: str = LOCAL_CODES, **value: Any) -> dict[str, Any]:
    """An observation of the patient `p`."""
    return {
        "resourceType": "Observation",
        "id": f"{code.replace(':', '-').replace('/', '-')}-{on}-{len(value)}",
        "status": "final",
        "subject": {"reference": "Patient/p"},
        "code": {"coding": [{"system": system, "code": code}]},
        **({"effectiveDateTime": on} if on else {}),
        **value,
    }


def score(value: float, on: str = "2026-11-15") -> dict[str, Any]:
    """A SLEDAI-2K total."""
    return observation("sledai2kTotal", on, valueQuantity={"value": value}) | {"id": f"score-{value}-{on}"}


def attested(trial: str, row: str, value: bool, on: str = "2026-11-20") -> dict[str, Any]:
    """An attestation of a row."""
    return observation(f"attest:{trial}/{row}", on, valueBoolean=value) | {"id": f"attest-{row}-{value}-{on}".lower()}


def weight(value: float, on: str = "2026-11-15") -> dict[str, Any]:
    """A body weight in kg."""
    quantity = {"value": value, "unit": "kg", "system": UCUM, "code": "kg"}
    return observation("29463-7", on, LOINC, valueQuantity=quantity)


JUDGED: dict[str, Verdict] = {}
"""What was asked, and the verdict."""


def judge(folder: Path, trial: str, *resources: dict[str, Any], **asked: Any) -> Verdict:
    """The verdict of one patient made of these resources; who is asked about again is not judged again."""
    question = repr((trial, resources, sorted(asked.items())))
    if question not in JUDGED:
        JUDGED[question] = judge_anew(folder, trial, *resources, **asked)
    return JUDGED[question]


def judge_anew(
    folder: Path,
    trial: str,
    *resources: dict[str, Any],
    birth: str = "1990-05-10",
    gender: str | None = "female",
    **options: Any,
) -> Verdict:
    """The verdict of one patient made of these resources."""
    person = {"resourceType": "Patient", "id": "p", "birthDate": birth} | ({"gender": gender} if gender else {})
    file = folder / "patient.json"
    entries = [{"resource": resource} for resource in (person, *resources)]
    file.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}), encoding="utf-8")
    return screen([file], Options(trials=(trial,), on=ON, **options))[0]


def row(verdict: Verdict, identifier: str) -> RowVerdict:
    """One row of a verdict."""
    return next(found for found in verdict.criteria if found.id == identifier)


@pytest.fixture(scope="module")
def examples() -> dict[str, Verdict]:
    """The verdicts of the example patients for the trial that each was written for."""
    found = {}
    for trial in (MC150, CD19, PIGGYBAC):
        names = [name for name, case in EXPECTED["cases"].items() if case["trial"] == trial]
        verdicts = screen([EXAMPLES / f"{name}.json" for name in names], Options(trials=(trial,), on=ON))
        found |= dict(zip(names, verdicts, strict=True))
    return found


@pytest.mark.parametrize("name", sorted(EXPECTED["cases"]))
def test_example_patients_get_the_verdicts_expected(name: str, examples: dict[str, Verdict]) -> None:
    case, verdict = EXPECTED["cases"][name], examples[name]
    rows = {found.id: found for found in verdict.criteria}
    assert {identifier: rows[identifier].status for identifier in case["statuses"]} == case["statuses"]
    assert verdict.verdict == case["verdict"]
    for identifier, day in case.get("passesFrom", {}).items():
        assert rows[identifier].passes_from == day
    if "earliestEligible" in case:
        assert verdict.earliest_eligible == case["earliestEligible"]


def test_every_row_of_an_example_is_explained(examples: dict[str, Verdict]) -> None:
    for verdict in examples.values():
        for found in verdict.criteria:
            where = f"{verdict.patient} {found.id}"
            assert found.reason.endswith((".", "?")), where
            if found.status == "unknown":
                assert (found.missing or found.needs_judgement) and found.open_kind, where
            else:
                assert not found.missing and found.open_kind is None, where
                assert found.evidence or "everybody" in found.reason, where
            assert (found.passes_from is None) or found.status == "fail", where
            assert (found.valid_until is None) or found.status == "pass", where


def test_an_eligible_patient_is_eligible_from_the_screening_date(examples: dict[str, Verdict]) -> None:
    assert (examples["a-01"].verdict, examples["a-01"].earliest_eligible) == ("eligible", ON.isoformat())


def test_a_passing_result_is_valid_until_its_age_ends(examples: dict[str, Verdict]) -> None:
    found = row(examples["a-01"], "I04")
    assert found.evidence[0].date == "2026-11-15"
    assert found.valid_until == "2026-12-13"


def test_a_reading_that_would_change_a_row_is_listed_and_can_be_chosen(
    examples: dict[str, Verdict], tmp_path: Path
) -> None:
    found = row(examples["a-01"], "I03d")
    assert [(other.ambiguity, other.key, other.status) for other in found.other_readings] == [
        ("A3-04", "literal", "fail")
    ]
    options = Options(trials=(MC150,), on=ON, readings={"A3-04": "literal"})
    chosen = row(screen([EXAMPLES / "a-01.json"], options)[0], "I03d")
    assert (chosen.status, chosen.reading) == ("fail", "literal")
    assert [(other.key, other.status) for other in chosen.other_readings] == [("at-least-two", "pass")]


def test_missing_names_the_days_on_which_a_result_would_serve(tmp_path: Path) -> None:
    found = row(judge(tmp_path, MC150), "I04")
    assert (found.status, found.open_kind, found.needs_judgement) == ("unknown", "test", False)
    assert "2026-10-24" in found.missing[0] and "2026-11-21" in found.missing[0] and "SLEDAI" in found.missing[0]


def test_a_window_of_the_user_counts(tmp_path: Path) -> None:
    old = score(9, "2026-10-01")
    assert row(judge(tmp_path, MC150, old), "I04").status == "unknown"
    assert "older than 28 days" in row(judge(tmp_path, MC150, old), "I04").reason
    assert row(judge(tmp_path, MC150, old, windows={"result": 51}), "I04").status == "pass"


def test_facts_after_the_screening_date_are_not_seen(tmp_path: Path) -> None:
    later = [score(9, "2026-11-22"), attested(MC150, "I07", True, "2026-11-22")]
    verdict = judge(tmp_path, MC150, *later)
    assert row(verdict, "I04").status == row(verdict, "I07").status == "unknown"
    assert not any("2026-11-22" in (item.date or "") for found in verdict.criteria for item in found.evidence)


@pytest.mark.parametrize(("value", "status"), [(True, "pass"), (False, "fail")])
def test_an_attestation_settles_what_data_leave_open(tmp_path: Path, value: bool, status: str) -> None:
    found = row(judge(tmp_path, MC150, attested(MC150, "I08a", value)), "I08a")
    assert (found.status, [item.record for item in found.evidence]) == (
        status, [f"Observation/attest-i08a-{str(value).lower()}-2026-11-20"],
    )  # fmt: skip


def test_an_attestation_that_data_contradict_opens_the_row_and_both_are_named(tmp_path: Path) -> None:
    found = row(judge(tmp_path, MC150, score(9), attested(MC150, "I04", False)), "I04")
    assert found.status == "unknown" and found.missing
    assert "contradict" in found.reason and "9" in found.reason and "does not hold" in found.reason
    assert {item.record for item in found.evidence} == {
        "Observation/score-9-2026-11-15", "Observation/attest-i04-false-2026-11-20",
    }  # fmt: skip


def test_the_latest_attestation_wins_and_two_of_one_day_contradict(tmp_path: Path) -> None:
    earlier, later = attested(MC150, "I08a", True, "2026-11-01"), attested(MC150, "I08a", False, "2026-11-02")
    assert row(judge(tmp_path, MC150, earlier, later), "I08a").status == "fail"
    same = attested(MC150, "I08a", True, "2026-11-02")
    found = row(judge(tmp_path, MC150, same, later), "I08a")
    assert (found.status, len(found.evidence)) == ("unknown", 2)


def test_an_attested_part_decides_its_group(tmp_path: Path) -> None:
    parts = [attested(MC150, f"I06{letter}", True) for letter in "abcde"]
    assert row(judge(tmp_path, MC150, *parts), "I06").status == "pass"
    assert row(judge(tmp_path, MC150, *parts[:4], attested(MC150, "I06e", False)), "I06").status == "fail"


def test_a_part_that_cannot_change_its_group_is_not_decisive_and_not_counted(tmp_path: Path) -> None:
    verdict = judge(tmp_path, MC150, attested(MC150, "I06a", False))
    assert not row(verdict, "I06b").decisive and row(verdict, "I06a").decisive and row(verdict, "I06").decisive
    settled = judge(tmp_path, MC150, attested(MC150, "I06", True))
    assert not row(settled, "I06a").decisive or row(settled, "I06").status == "pass"


def test_open_items_count_decisive_unknown_rows_without_parts(tmp_path: Path) -> None:
    verdict = judge(tmp_path, MC150)
    parents = {found.parent for found in verdict.criteria}
    counted = [
        found.open_kind
        for found in verdict.criteria
        if found.decisive and found.status == "unknown" and found.id not in parents
    ]
    assert verdict.open_items == {kind: counted.count(kind) for kind in ("data", "test", "agreement", "judgement")}  # type: ignore[arg-type]
    assert counted.count("data") > 0 and not verdict.nothing_against


def test_nothing_is_against_a_patient_who_only_waits_for_a_test(examples: dict[str, Verdict]) -> None:
    assert examples["a-08"].nothing_against and examples["a-08"].open_items["test"] > 0
    assert not examples["a-15"].nothing_against


def test_a_woman_is_not_asked_what_only_men_are_asked(tmp_path: Path) -> None:
    assert row(judge(tmp_path, MC150), "I09c").status == "not-applicable"
    man = judge(tmp_path, MC150, gender="male")
    assert (row(man, "I09c").status, row(man, "I09a").status) == ("unknown", "not-applicable")
    nobody = judge(tmp_path, MC150, gender=None)
    assert row(nobody, "I09c").status == row(nobody, "I09a").status == "unknown"


def test_an_upper_age_limit_dates_the_end(tmp_path: Path) -> None:
    assert row(judge(tmp_path, CD19, birth="1990-05-10"), "I02").valid_until == "2061-05-09"


def test_who_is_too_young_passes_from_the_birthday(tmp_path: Path) -> None:
    found = row(judge(tmp_path, MC150, birth="2009-03-01"), "I02")
    assert (found.status, found.passes_from) == ("fail", "2027-03-01")


def test_a_past_consent_fixes_the_age_asked_for(tmp_path: Path) -> None:
    found = row(judge(tmp_path, MC150, birth="2009-03-01", events={"consent": dt.date(2026, 11, 1)}), "I02")
    assert (found.status, found.passes_from) == ("fail", None)


def test_the_screening_date_stands_in_for_consent_and_the_reason_says_so(tmp_path: Path) -> None:
    verdict = judge(tmp_path, MC150)
    assert "stands in" in row(verdict, "I02").reason
    assert row(verdict, "I01").status == "unknown"
    stated = judge(tmp_path, MC150, events={"consent": ON})
    assert "stands in" not in row(stated, "I02").reason
    assert row(stated, "I01").status == "pass"


def test_an_unbound_consent_is_named_and_settles_nothing(tmp_path: Path) -> None:
    consent = {
        "resourceType": "Consent",
        "id": "c",
        "status": "active",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "research"}]},
        "patient": {"reference": "Patient/p"},
        "dateTime": "2026-11-01",
    }
    found = row(judge(tmp_path, MC150, consent), "I01")
    assert found.status == "unknown" and "Consent/c" in found.reason


def test_the_weight_at_the_threshold_and_one_step_below(tmp_path: Path) -> None:
    assert row(judge(tmp_path, CD19, weight(40)), "I03").status == "pass"
    assert row(judge(tmp_path, CD19, weight(39.9)), "I03").status == "fail"


def test_verdicts_keep_the_order_of_patients_and_trials() -> None:
    files = [EXAMPLES / "c-01.json", EXAMPLES / "a-01.json"]
    seen: list[tuple[int, int]] = []
    verdicts = screen(files, Options(trials=(MC150, PIGGYBAC), on=ON), lambda done, total: seen.append((done, total)))
    expected = [("c-01", MC150), ("c-01", PIGGYBAC), ("a-01", MC150), ("a-01", PIGGYBAC)]
    assert [(verdict.patient, verdict.trial) for verdict in verdicts] == expected
    assert seen == [(2, 2)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(trials=("NCT00000000",)), "'NCT00000000' is no modelled trial; choose among NCT06106906"),
        (Options(trials=("NCT06710717",)), "NCT06710717, in the copy used, holds no eligibility criteria"),
        (Options(events={"birth": ON}), "--event: 'birth' is not known; choose among consent"),
        (Options(complete=("labs",)), "--complete: 'labs' is not known; choose among conditions"),
        (Options(windows={"sledai": 3}), "--window: 'sledai' is not known; choose among result"),
        (Options(windows={"result": -1}), "result=-1 is negative"),
        (Options(readings={"A9-99": "x"}), "--reading: 'A9-99' is no switchable ambiguity; there are A0-03"),
        (Options(readings={"A3-04": "x"}), "its readings are at-least-two, literal"),
    ],
)
def test_options_that_do_not_exist_are_refused_with_what_there_is(options: Options, message: str) -> None:
    with pytest.raises(InputError) as refused:
        screen([EXAMPLES / "a-01.json"], options)
    assert message in str(refused.value)


def test_a_missing_engine_is_an_error() -> None:
    with pytest.raises(MissingToolError):
        screen([EXAMPLES / "a-01.json"], Options(engine="abacus"))


def test_a_date_that_the_engine_does_not_confirm_is_not_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []
    judge_all = ShaclEngine.statuses

    def doubting(self, trial, readings, profiles, rows=None):  # type: ignore[no-untyped-def]
        asked.extend((profile.on.isoformat(), name) for profile in profiles for name in rows or ())
        found = judge_all(self, trial, readings, profiles, rows)
        unknown = {name: RowStatus(None, False) for name in rows or ()}
        return {ask: said | unknown for ask, said in found.items()}

    monkeypatch.setattr(ShaclEngine, "statuses", doubting)
    assert row(judge_anew(tmp_path, MC150, birth="2009-03-01"), "I02").passes_from is None
    assert asked == [("2027-03-01", "I02")]


@pytest.mark.parametrize(
    ("repeat", "patients"),
    [
        (True, ("a-26", "b-38")),
        (False, ("b-16", "c-01")),
        pytest.param(True, ("b-16", "c-01"), marks=pytest.mark.slow),
        pytest.param(False, ("a-26", "b-38"), marks=pytest.mark.slow),
    ],
)
def test_the_days_ahead_are_what_a_full_computation_of_each_day_says(repeat: bool, patients: tuple[str, str]) -> None:
    names = [EXAMPLES / f"{name}.json" for name in patients]
    session = Session(names, Options(on=ON))
    asks = session.asks(session.data.patients)
    made = session.profiles(asks)
    cases = [Case(p.ask, session.rules[p.trial], p.bounds, p.attestations) for p in made]
    rows = {case.id: [found.id for found in case.rules.trial.criteria] for case in cases}
    found = courses(cases, rows, repeat, partial(session.probe, {ask.id: ask for ask in asks}))
    days = (1, 8, 9, 15, 16, 23, 28, 29, 40, 91, 180, 400, 731)
    later = [ask.moved(n, day, repeat) for n, (ask, day) in enumerate(product(asks, days))]
    for (ask, day), full in zip(product(asks, days), session.profiles(later), strict=True):
        course = found[ask.id]
        start = max(turn for turn in course.days if turn <= day)
        searched = course.truths[course.days.index(start)]
        expected = row_truths(session.rules[ask.trial], full.bounds, full.attestations)
        for name, truth in expected.items():
            assert searched[name].met is truth.met, (ask.patient, ask.trial, name, day)


def test_profiles_are_written_for_every_trial_asked_for() -> None:
    text = profile_document([EXAMPLES / "a-01.json"], Options(trials=(MC150,), on=ON), "turtle").decode()
    assert f"profile\\/{MC150}\\/2026-11-21" in text
    assert "prov:wasDerivedFrom patient:a-01\\/Observation\\/" in text


def medicine(code: str, start: str, end: str | None = None) -> dict[str, Any]:
    """A medicine taken since a date, up to another one or still."""
    return {
        "resourceType": "MedicationStatement",
        "id": f"medicine-{code.lower()}",
        "status": "completed" if end else "active",
        "subject": {"reference": "Patient/p"},
        "medicationCodeableConcept": {"coding": [{"system": LOCAL_CODES, "code": code}]},
        "effectivePeriod": {"start": start} | ({"end": end} if end else {}),
    }


def test_a_washout_ends_on_the_day_on_which_its_row_passes(tmp_path: Path) -> None:
    taken = medicine("belimumab", "2025-01-01", "2026-09-01")
    found = row(judge(tmp_path, CD19, taken, complete=("medications",)), "E22")
    assert (found.status, found.passes_from) == ("fail", "2026-12-07")
    assert "the wash-out would end on 2026-12-07" in found.reason
    assert "2025-01-01 to 2026-09-01" in found.reason
    assert found.evidence[0].date == "2025-01-01"


def test_a_washout_that_an_ongoing_medicine_blocks_has_no_date(tmp_path: Path) -> None:
    found = row(judge(tmp_path, CD19, medicine("belimumab", "2025-01-01"), complete=("medications",)), "E22")
    assert (found.status, found.passes_from) == ("fail", None)
    assert "from 2025-01-01" in found.reason
    assert "stop" not in found.reason


def test_a_duration_that_still_runs_has_a_date(tmp_path: Path) -> None:
    found = row(judge(tmp_path, CD19, medicine("hydroxychloroquine", "2026-11-01"), complete=("medications",)), "I06")
    assert (found.status, found.passes_from) == ("fail", "2026-12-27")


def test_a_question_for_the_investigator_alone_is_marked(tmp_path: Path) -> None:
    severe_or_not = {
        "resourceType": "Condition",
        "id": "c1",
        "subject": {"reference": "Patient/p"},
        "code": {"coding": [{"system": LOCAL_CODES, "code": "vasculitis"}]},
        "onsetDateTime": "2020",
    }
    found = row(judge(tmp_path, CD19, severe_or_not), "E07")
    assert (found.status, found.open_kind, found.needs_judgement) == ("unknown", "judgement", True)
    unasked = row(judge(tmp_path, CD19), "E07")
    assert (unasked.status, unasked.open_kind, unasked.needs_judgement) == ("unknown", "data", False)


@pytest.mark.parametrize("file", sorted((Path(__file__).parent / "data" / "fhir" / "synthea").glob("*.json"))[:2])
def test_whatever_passes_or_fails_on_a_real_export_names_a_record_of_it(file: Path) -> None:
    bundle = json.loads(file.read_text(encoding="utf-8"))
    records = {f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in bundle["entry"]}
    known = [
        found for verdict in screen([file], Options(on=ON)) for found in verdict.criteria if found.status != "unknown"
    ]
    assert known
    for found in known:
        named = {item.record for item in found.evidence}
        assert named <= records
        assert named or found.status == "not-applicable" or "everybody" in found.reason, found.reason


def test_an_open_row_names_the_result_that_is_known_beside_what_is_missing() -> None:
    [verdict] = screen([path("examples") / "patients" / "a-26.json"], Options(trials=("NCT06892145",), on=ON))
    row = next(row for row in verdict.criteria if row.id == "I06d")
    assert "2.5 times the upper limit of normal" in row.reason
    assert [item.record for item in row.evidence] == ["Observation/r29"]


def taken(number: int, first: str, last: str) -> dict[str, Any]:
    """A course of prednisone, 40 mg a day."""
    given = {"doseQuantity": {"value": 40, "unit": "mg", "system": UCUM, "code": "mg"}}
    daily = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}
    return {
        "resourceType": "MedicationStatement",
        "id": f"m{number}",
        "status": "completed",
        "subject": {"reference": "Patient/p"},
        "medicationCodeableConcept": {"coding": [{"system": "http://www.whocc.no/atc", "code": "H02AB07"}]},
        "effectivePeriod": {"start": first, "end": last},
        "dosage": [{"doseAndRate": [given], "timing": daily}],
    }


def test_the_order_of_records_changes_nothing(tmp_path: Path) -> None:
    courses = [taken(number, f"20{20 + number}-01-01", f"20{20 + number}-03-01") for number in (1, 2, 3)]
    unread = [taken(number, "2020", "2020") | {"medicationCodeableConcept": {"text": "?"}} for number in (4, 5)]
    said = [attested(MC150, "I08a", value, "2026-11-02") for value in (True, False)]
    facts = [*courses, *unread, *said]
    verdict = judge(tmp_path, MC150, *facts)
    missing = row(verdict, "I03c").missing
    assert [re.search(r"MedicationStatement/(m\d)", text)[1] for text in missing[:3]] == ["m1", "m2", "m3"]
    assert judge(tmp_path, MC150, *reversed(facts)) == verdict
    assert judge(tmp_path, MC150, *facts[2:], *facts[:2]) == verdict


def withdrawn(on: str | None, **elements: Any) -> dict[str, Any]:
    """A consent to NCT06892145 that was withdrawn."""
    scope = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "research"}]}
    bound = {"identifier": [{"system": "https://clinicaltrials.gov", "value": MC150}]}
    dated = {"dateTime": on} if on else {}
    common = {"resourceType": "Consent", "id": "w", "status": "inactive", "patient": {"reference": "Patient/p"}}
    return {**common, "scope": scope, **bound, **dated, **elements}


@pytest.mark.parametrize(
    ("record", "reason", "missing"),
    [
        (
            withdrawn("2026-11-20"),
            "Consent to this trial: withdrawn or replaced on 2026-11-20 (Consent/w).",
            [
                "consent was withdrawn or replaced on 2026-11-20 (Consent/w): a new consent to this trial, signed "
                "after 2026-11-20, or {}"
            ],
        ),
        (
            withdrawn(None, status="rejected"),
            "Consent to this trial: refused on a day that is not known (Consent/w).",
            [
                "the day on which consent was refused (Consent/w)",
                "consent was refused on a day that is not known (Consent/w): {}",
            ],
        ),
        (
            withdrawn("2026-01-10", status="active", provision={"period": {"end": "2026-11"}}),
            "Consent to this trial: ended on a day from 2026-11-01 to 2026-11-30 (Consent/w).",
            [
                "the day on which consent ended (Consent/w)",
                "consent ended on a day from 2026-11-01 to 2026-11-30 (Consent/w): a new consent to this trial, signed "
                "after 2026-01-10, or {}",
            ],
        ),
    ],
)
def test_a_consent_that_was_withdrawn_is_said_so(
    tmp_path: Path, record: dict[str, Any], reason: str, missing: list[str]
) -> None:
    verdict = judge(tmp_path, MC150, record)
    found = row(verdict, "I01")
    assert (found.status, found.open_kind, found.reason) == ("unknown", "data", reason)
    assert list(found.missing) == [
        text.format(f"an attestation (attest:{MC150}/I01) that consent holds") for text in missing
    ]
    assert [item.record for item in found.evidence] == ["Consent/w"]
    assert [unread for unread in verdict.unread if unread.record == "Consent/w"] == []
    stated = row(judge(tmp_path, MC150, record, events={"consent": ON}), "I01")
    assert stated.status == "pass" and "a consent is recorded as" in stated.reason


def test_a_consent_of_no_status_is_said_to_be_unclear(tmp_path: Path) -> None:
    found = row(judge(tmp_path, MC150, withdrawn("2026-11-20", status=None)), "I01")
    assert (found.status, found.reason) == (
        "unknown",
        "Consent to this trial: left unclear on 2026-11-20 (Consent/w).",
    )
