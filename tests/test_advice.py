"""What is missing fits the record: it is not there yet, and once it is there it can settle the row."""

from __future__ import annotations

import datetime as dt
import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import additions
from cohorts import write_tables
from identity.test_identity import patient
from sle_kg.cohort.evidence import evidence
from sle_kg.cohort.run import run
from sle_kg.criteria import Feature, Leaf
from sle_kg.evaluate import UNBOUNDED, Bounds, compare
from sle_kg.features.asks import Ask
from sle_kg.followup.options import FollowUpOptions
from sle_kg.followup.scores import scores
from sle_kg.patients.facts import PatientData
from sle_kg.resources import path
from sle_kg.screening import Options, Session, open_leaves
from sle_kg.verdict import RowVerdict, Verdict
from sle_kg.verdicts import Dates

ON = dt.date(2026, 11, 21)
EXAMPLES = sorted((path("examples") / "patients").glob("*.json"))
Resource = dict[str, Any]
Change = Callable[[Resource], None]


def example(name: str) -> list[Resource]:
    """The resources of an example patient."""
    bundle = json.loads((path("examples") / "patients" / f"{name}.json").read_text(encoding="utf-8"))
    return [entry["resource"] for entry in bundle["entry"]]


def written(file: Path, resources: list[Resource]) -> Path:
    """A bundle of resources."""
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}
    file.write_text(json.dumps(bundle), encoding="utf-8")
    return file


def random_people(number: int, seed: int) -> list[Resource]:
    """Random patients: the examples with facts dropped, moved and added."""
    rng = random.Random(seed)
    bundles = [json.loads(file.read_text(encoding="utf-8")) for file in EXAMPLES]
    return [one for n in range(number) for one in patient(rng, n, bundles)]


def judged(session: Session) -> list[Verdict]:
    """The verdicts without the dates ahead."""
    asks = session.asks(session.data.patients)
    made = session.profiles(asks)
    found = session.statuses(made)
    attempts = session.attempts(asks, made, found)
    return [
        session.verdict(ask, profile, found[ask.id], Dates(), attempts[ask.id])
        for ask, profile in zip(asks, made, strict=True)
    ]


def setting(**values: Any) -> Change:
    """Other values of a resource."""
    return lambda resource: resource.update(values)


VAGUE, OPEN = setting(occurrenceDateTime="2026-10"), setting(effectiveDateTime="2026-09-01")
STOPPED = setting(status="stopped")


def of_group(code: str) -> Change:
    """A medicine that is known by its ATC code alone."""
    return setting(medicationCodeableConcept={"coding": [{"system": "http://www.whocc.no/atc", "code": code}]})


CHANGED: dict[str, tuple[str, str, dict[str, Change]]] = {
    "vague vaccine": ("NCT06106906", "b-38", {"r76": VAGUE}),
    "vaccine long ago": ("NCT06106906", "b-38", {"r76": setting(occurrenceDateTime="2026-10-01")}),
    "vaccine of late": ("NCT06106906", "b-38", {"r76": setting(occurrenceDateTime="2026-10-31")}),
    "vague vaccine in an open record": ("NCT06106906", "b-38", {"r76": VAGUE, "r28": OPEN}),
    "group of JAK inhibitors": ("NCT06106906", "b-38", {"r4": of_group("L04AF")}),
    "new JAK inhibitor": ("NCT06106906", "b-38", {"r4": of_group("L04AF99")}),
    "stopped": ("NCT06150651", "c-09", {"r5": STOPPED}),
    "stopped in May": (
        "NCT06150651",
        "c-09",
        {"r5": setting(effectivePeriod={"start": "2025-01-10", "end": "2026-05"})},
    ),
    "stopped today": (
        "NCT06150651",
        "c-09",
        {"r5": setting(status="stopped", effectivePeriod={"start": "2025-01-10", "end": "2026-11-21"})},
    ),
    "without dose": ("NCT06150651", "c-09", {"r5": lambda one: one["dosage"][0].pop("doseAndRate")}),
    "ordered": (
        "NCT06150651",
        "c-09",
        {"r5": setting(resourceType="MedicationRequest", intent="order", authoredOn="2025-01-10")},
    ),
}
"""Example patients of whom records are changed: the trial, the patient, and by id of the record what is done to it."""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, RowVerdict]]:
    """By the name of the change the rows of its trial."""
    folder = tmp_path_factory.mktemp("changed")
    files = []
    for number, (_, name, changes) in enumerate(CHANGED.values()):
        resources = json.loads(json.dumps(example(name)).replace(f'"Patient/{name}"', f'"Patient/{number}"'))
        for one in resources:
            if one["resourceType"] == "Patient":
                one["id"] = str(number)
            if change := changes.get(one.get("id", "")):
                change(one)
        files.append(written(folder / f"{number}.json", resources))
    trials = tuple(dict.fromkeys(trial for trial, _, _ in CHANGED.values()))
    verdicts = {
        (verdict.patient, verdict.trial): {row.id: row for row in verdict.criteria}
        for verdict in judged(Session(files, Options(trials=trials, on=ON, engine="sql")))
    }
    return {name: verdicts[str(number), trial] for number, (name, (trial, _, _)) in enumerate(CHANGED.items())}


Rows = dict[str, dict[str, RowVerdict]]

# ---- the record is vague --------------------------------------------------------------------------------------------


def test_of_a_vaccine_known_to_the_month_the_day_is_asked_for(rows: Rows) -> None:
    assert rows["vague vaccine"]["E19a"].missing == (
        "the day of live or attenuated vaccine (Immunization/r76, completed, 2026-10), "
        "or an attestation (attest:NCT06106906/E19a)",
    )


@pytest.mark.parametrize(("name", "status"), [("vaccine long ago", "pass"), ("vaccine of late", "fail")])
def test_the_day_asked_for_settles_the_row(rows: Rows, name: str, status: str) -> None:
    assert (rows[name]["E19a"].status, rows[name]["E19a"].missing) == (status, ())


def test_in_a_record_that_is_not_complete_both_are_asked_for_the_day_first(rows: Rows) -> None:
    assert rows["vague vaccine in an open record"]["E19a"].missing == (
        "the day of live or attenuated vaccine (Immunization/r76, completed, 2026-10)",
        "a record of live vaccines in the 28 days before screening, a statement that immunizations are complete up to "
        "2026-11-21, or an attestation (attest:NCT06106906/E19a)",
    )


@pytest.mark.parametrize("row", ["I03.1b1", "I03.1d"])
def test_of_a_medicine_stopped_nobody_knows_when_the_last_day_is_asked_for(rows: Rows, row: str) -> None:
    assert rows["stopped"][row].missing == (
        "the last day of mycophenolate mofetil (MedicationStatement/r5, stopped, 750 mg twice a day, 2025-01-10), "
        f"or an attestation (attest:NCT06150651/{row})",
    )


@pytest.mark.parametrize(("name", "status"), [("stopped in May", "fail"), ("stopped today", "pass")])
def test_the_last_day_asked_for_settles_the_rows(rows: Rows, name: str, status: str) -> None:
    assert {rows[name][row].status for row in ("I03.1b1", "I03.1d")} == {status}


def test_of_a_medicine_without_dose_the_dose_is_asked_for(rows: Rows) -> None:
    [missing] = rows["without dose"]["I03.1b1"].missing
    assert missing.startswith("the dose of mycophenolate mofetil (MedicationStatement/r5, ")


def test_of_a_group_of_medicines_it_is_asked_which_one_was_taken(rows: Rows) -> None:
    [missing] = rows["group of JAK inhibitors"]["E20a"].missing
    assert missing.startswith("which medicine L04AF (MedicationStatement/r4, active, ")
    assert not any("which medicine" in missing for missing in rows["new JAK inhibitor"]["E20a"].missing)


def test_of_an_order_it_is_asked_whether_it_was_taken(rows: Rows) -> None:
    [missing] = rows["ordered"]["I03.1b1"].missing
    assert missing.startswith("whether mycophenolate mofetil (MedicationRequest/r5, ordered, ")


def test_of_a_medicine_without_dose_the_dose_is_asked_for_in_a_follow_up(tmp_path: Path) -> None:
    bundle = json.loads((path("examples") / "followup.json").read_text(encoding="utf-8"))
    resources = [entry["resource"] for entry in bundle["entry"]]
    for one in resources:
        if one["resourceType"] == "MedicationStatement":
            one["dosage"][0].pop("doseAndRate")
    file = written(tmp_path / "followup.json", resources)
    missing = {text for result in scores([file], "lldas", FollowUpOptions()) for text in result.missing}
    assert (
        "the dose of prednisone (MedicationStatement/prednisone-6, completed, once a day, 2026-05-24 to 2026-06-07)"
        in missing
    )
    assert not [text for text in missing if text.startswith("a record of")]


# ---- nothing that is there is asked for -----------------------------------------------------------------------------


def statements(verdicts: list[Verdict]) -> Iterator[tuple[str, str, dt.date]]:
    """Patient, section and day of every statement of completeness asked for."""
    for verdict in verdicts:
        for row in verdict.criteria:
            for text in row.missing:
                for section, day in re.findall(r"a statement that (\w+) are complete up to ([\d-]+)", text):
                    yield verdict.patient, section, dt.date.fromisoformat(day)


def test_nothing_is_asked_for_that_is_in_the_record(tmp_path: Path) -> None:
    session = Session([written(tmp_path / "p.json", random_people(3, 5))], Options(on=ON, engine="sql"))
    verdicts = judged(session)
    asked = set(statements(verdicts))
    stated = {
        (row["patient"], row["section"])
        for row in session.data.tables["completeness"].to_pylist()
        if row["date_from"] == ON
    }
    assert asked
    assert stated
    assert not {(who, section) for who, section, _ in asked} & stated
    details = [text for one in verdicts for row in one.criteria for text in row.missing if text.startswith("the last")]
    ended = {
        row["record"]
        for row in session.data.tables["exposure"].to_pylist()
        if row["end_from"] is not None and row["end_from"] == row["end_to"]
    }
    assert not [text for text in details for record in ended if f"({record}," in text]


# ---- whatever is asked for can settle the row -----------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """An open comparison with what is asked for, and copies of the patient to whom it was added, each in one way."""

    ask: Ask
    leaf: Leaf
    missing: tuple[str, ...]
    detailed: bool
    copies: dict[str, list[str]]


def asked_of(session: Session) -> tuple[list[Asked], dict[str, tuple[str, additions.Rows]]]:
    """Every open comparison of the patients, and the copies."""
    asks = session.asks(session.data.patients)
    made = session.profiles(asks)
    found = session.statuses(made)
    attempts = session.attempts(asks, made, found)
    copies: dict[str, tuple[str, additions.Rows]] = {}
    asked = []
    for ask, profile in zip(asks, made, strict=True):
        words = session.words(ask, attempts[ask.id])
        for leaves in open_leaves(session.rules[ask.trial], profile.bounds, found[ask.id]).values():
            for leaf in leaves:
                if leaf.feature.kind in ("AgeCondition", "SexCondition", "ConsentCondition"):
                    continue
                missing = words.missing(leaf, "attest:x")
                names: dict[str, list[str]] = {}
                for what, rows in added_for(leaf.feature, missing, ask):
                    copies[str(len(copies))] = (ask.patient, rows)
                    names.setdefault(what, []).append(str(len(copies) - 1))
                detailed = any(re.search(r"\([A-Z]\w+/|recorded sex", text) for text in missing)
                asked.append(Asked(ask, leaf, missing, detailed, names))
    return asked, copies


NO_RECORD = re.compile(
    r".*\([A-Z]\w+/|the recorded sex|the date of \w+, planned|the day of [\w ]+, known only|a statement for the time"
    r"|.*--code-map"
)
"""What is asked for is no new record: a detail of one, the date of an event, what a code means."""


def added_for(feature: Feature, missing: tuple[str, ...], ask: Ask) -> Iterator[tuple[str, additions.Rows]]:
    """What is added for each thing asked for, in each way."""
    anchor = ask.events.get(str(feature.get("anchor")))
    day = anchor.first if anchor else ask.on
    for text in missing:
        if section := re.search(r"a statement that (\w+) are complete", text):
            yield "complete", additions.complete(section[1], ask.on)
        if not NO_RECORD.match(text):
            yield from (("record", rows) for rows in additions.answers(feature, day))


def settled(one: Asked, bounds: dict[tuple[str, str], Bounds], what: str) -> bool:
    """Whether one of the copies makes the comparison known."""
    return any(
        compare(one.leaf, bounds[name, one.ask.trial].get(one.leaf.feature.slug, UNBOUNDED)) is not None
        for name in one.copies[what]
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 31])
def test_what_is_asked_for_can_settle_the_row(tmp_path: Path, seed: int) -> None:
    people = random_people(15, seed)
    for one in people:
        if one["resourceType"] == "Patient":
            one["gender"] = "female"
    options = Options(on=ON, engine="sql")
    session = Session([written(tmp_path / "p.json", people)], options)
    asked, copies = asked_of(session)
    more = Session(PatientData(additions.added(session.data.tables, copies), {}, list(copies)), options)
    by_patient = {(ask.patient, ask.trial): ask for ask in session.asks(session.data.patients)}
    pairs = {(name, one.ask.trial) for one in asked for names in one.copies.values() for name in names}
    asks = [
        replace(by_patient[copies[name][0], trial], id=number, patient=name)
        for number, (name, trial) in enumerate(sorted(pairs))
    ]
    bounds = {(profile.patient, profile.trial): profile.bounds for profile in more.profiles(asks)}
    useless = [
        (one.ask.patient, one.ask.trial, one.leaf.iri, what, one.missing)
        for one in asked
        for what in one.copies
        if not settled(one, bounds, what) and not (what == "complete" and one.detailed)
    ]
    assert not useless
    assert all(one.copies or NO_RECORD.match(one.missing[0]) for one in asked)


# ---- everybody says the same ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_cohort_asks_for_what_screen_asks_for(tmp_path: Path) -> None:
    session = Session([written(tmp_path / "p.json", random_people(8, 9))], Options(on=ON, engine="sql"))
    expected = {(one.patient, one.trial): one for one in session.judge(session.data.patients, lambda done: None)}
    folder = write_tables(tmp_path / "tables", session.data.tables)
    options = Options(on=ON)
    found = evidence(folder, options, session.data.patients, {}, run(folder, options))
    assert {(one.patient, one.trial): one for one in found} == expected


@pytest.mark.slow
def test_the_shapes_ask_for_what_sql_asks_for(tmp_path: Path) -> None:
    file = written(tmp_path / "p.json", random_people(4, 13))
    assert judged(Session([file], Options(on=ON, engine="shacl"))) == judged(
        Session([file], Options(on=ON, engine="sql"))
    )
