"""`cohort` against `screen`: the same verdicts for the same patients, and counts that follow from them."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from caselib import ON, Asked, Case, attest, complete, consent, diagnosis, drug, example, flat, person
from cohorts import GROUPS, Row, as_rows, cohort_of, judged, screened, write_tables
from sle_kg.cohort.run import VERDICT_COLUMNS, Wanted, run
from sle_kg.cohort.summary import CohortSummary
from sle_kg.cohort.tables import CohortTables
from sle_kg.errors import InputError
from sle_kg.patients.facts import COLUMNS
from sle_kg.screening import Options, Session
from sle_kg.trials import screenable
from sle_kg.verdict import Verdict

SAMPLE = [
    pytest.param(asked, cases[:: max(1, len(cases) // 12)], marks=pytest.mark.slow if number else ())
    for trial in sorted({asked.trial for asked in GROUPS})
    for number, (asked, cases) in enumerate(
        (asked, cases) for asked, cases in GROUPS.items() if asked.trial == trial and not asked.code_map
    )
]
"""Of every way of asking about a dozen patients, those after the first of each trial slow; `tests/identity` has all."""


@pytest.mark.parametrize(("asked", "cases"), SAMPLE, ids=lambda value: getattr(value, "trial", ""))
def test_a_cohort_gets_the_verdicts_of_screening(asked: Asked, cases: Sequence[Case], tmp_path: Path) -> None:
    folder = cohort_of(tmp_path, cases)
    options = replace(asked.options(tmp_path), engine="sql")
    assert judged(folder, options)[1] == screened(tmp_path / "patients.json", options)


PEOPLE = [
    Case(name, Asked("NCT06892145"), flat(facts), {})
    for name, facts in (
        [(f"eligible {n}", example("a-01")) for n in range(2)]
        + [("no consent", example("a-01", without="Consent")), ("nobody knows", [person(None, None)])]
        + [("child", example("a-01", person("2015-01-01"))), ("waiting", example("b-38")), ("b", example("b-01"))]
        + [("steroid", [person(), diagnosis("sct:55464009"), drug("rx:8640", "2026-01-01", dose=40), complete()])]
        + [("withdrawn", example("a-01", {**consent("NCT06892145"), "status": "inactive", "id": "w"}))]
        + [("attested", example("a-01", attest("NCT06892145/I06", True), without=r"supplementalOxygen"))]
        + [("bound", [person("1970-01-01", "male"), consent("NCT06106906"), complete("conditions")])]
    )
]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cohort_of(tmp_path_factory.mktemp("people"), PEOPLE)


@pytest.fixture(scope="module")
def whole(people: Path) -> tuple[CohortSummary, list[Row]]:
    """All trials at once."""
    return judged(people, Options(on=ON))


@pytest.fixture(scope="module")
def screening(people: Path) -> list[Verdict]:
    """What `screen` says of all trials."""
    session = Session([people.parent / "patients.json"], Options(on=ON, engine="sql"))
    return session.judge(session.data.patients, lambda done: None)


def test_several_trials_share_one_plan_and_keep_their_verdicts(
    whole: tuple[CohortSummary, list[Row]], screening: list[Verdict]
) -> None:
    assert whole[1] == as_rows(screening)


def test_the_table_has_the_columns_of_the_contract(whole: tuple[CohortSummary, list[Row]]) -> None:
    assert {tuple(row) for row in whole[1]} == {VERDICT_COLUMNS}
    assert Counter(row["trial"] for row in whole[1]) == dict.fromkeys(screenable(), len(PEOPLE))


def test_both_engines_give_the_same_table(people: Path) -> None:
    options = Options(on=ON, trials=("NCT06892145",))
    by_sql, by_shapes = (judged(people, replace(options, engine=name)) for name in ("sql", "shacl"))
    assert by_sql[1] == by_shapes[1]
    assert replace(by_shapes[0], engine="sql") == by_sql[0]


@pytest.mark.slow
def test_the_size_of_chunks_changes_nothing(whole: tuple[CohortSummary, list[Row]], people: Path) -> None:
    assert judged(people, Options(on=ON), chunk=2) == whole


@pytest.mark.slow
def test_a_table_may_be_a_folder_of_parts(whole: tuple[CohortSummary, list[Row]], people: Path, tmp_path: Path) -> None:
    parts = tmp_path / "tables"
    for file in people.iterdir():
        table, place = pq.read_table(file), parts / file.stem
        place.mkdir(parents=True)
        pq.write_table(table[: len(table) // 2], place / "part-0.parquet")
        pq.write_table(table[len(table) // 2 :], place / "part-1.parquet")
    assert judged(parts, Options(on=ON)) == whole


def test_tables_that_are_not_there_have_no_rows(people: Path, tmp_path: Path) -> None:
    folder = write_tables(tmp_path / "tables", {"patient": pq.read_table(people / "patient.parquet")})
    summary, rows = judged(folder, Options(on=ON))
    assert summary.patients == len(PEOPLE)
    assert "pass" in {status for row in rows for _, status in row["status"]}, "age and sex are known"


# ---- what it adds up to ---------------------------------------------------------------------------------------------


def test_the_funnel_follows_from_the_verdict_table(whole: tuple[CohortSummary, list[Row]]) -> None:
    summary, rows = whole
    for trial in summary.trials:
        mine = [dict(row["status"]) for row in rows if row["trial"] == trial.trial.id]
        tops = [row.id for row in trial.trial.criteria if row.parent is None]
        assert [step.row for step in trial.funnel] == tops
        for place, step in enumerate(trial.funnel):
            before = [[status[top] for top in tops[: place + 1]] for status in mine]
            fails = [status for status in mine if status[step.row] == "fail"]
            assert step.left == sum("fail" not in words for words in before)
            assert step.certain == sum(not {"fail", "unknown"} & set(words) for words in before)
            assert step.failing == len(fails)
            assert step.unknown == sum(status[step.row] == "unknown" for status in mine)
            assert step.alone == sum([status[top] for top in tops].count("fail") == 1 for status in fails)


def test_candidates_come_with_the_fewest_unknown_rows_first(whole: tuple[CohortSummary, list[Row]]) -> None:
    summary, rows = whole
    for trial in summary.trials:
        mine = [row for row in rows if row["trial"] == trial.trial.id and row["verdict"] != "ineligible"]
        mine.sort(
            key=lambda r: (
                r["unknown_count"],
                not r["nothing_against"],
                r["earliest_eligible"] or dt.date.max,
                r["patient"],
            )
        )
        assert [one.patient for one in trial.candidates] == [row["patient"] for row in mine]
        assert trial.candidates_in_all == len(mine)
        assert trial.nothing_against == sum(row["nothing_against"] for row in mine)


def test_candidates_have_the_open_rows_of_screening(
    whole: tuple[CohortSummary, list[Row]], screening: list[Verdict]
) -> None:
    expected = {}
    for verdict in screening:
        parents = {row.parent for row in verdict.criteria}
        unknown = [row.id for row in verdict.criteria if row.status == "unknown" and row.decisive]
        expected[verdict.trial, verdict.patient] = tuple(row for row in unknown if row not in parents)
    for trial in whole[0].trials:
        assert [one.open for one in trial.candidates] == [
            expected[trial.trial.id, one.patient] for one in trial.candidates
        ]
    attested = next(one for one in whole[0].trials[-1].candidates if "attested" in one.patient)
    assert (attested.verdict, attested.open, attested.settled_by) == ("eligible", ("I06e",), ())


def test_who_withdrew_consent_is_nobody_to_call_first(whole: tuple[CohortSummary, list[Row]]) -> None:
    withdrew, signs = (
        next(row for row in whole[1] if row["trial"] == "NCT06892145" and row["patient"] == name)
        for name in ("withdrawn", "no-consent")
    )
    assert [dict(row["status"])["I01"] for row in (withdrew, signs)] == ["unknown", "unknown"]
    assert [row["nothing_against"] for row in (withdrew, signs)] == [False, True]


def test_overlap_counts_patients_of_two_trials(whole: tuple[CohortSummary, list[Row]]) -> None:
    summary, rows = whole
    verdicts: dict[str, dict[str, str]] = {}
    for row in rows:
        verdicts.setdefault(row["patient"], {})[row["trial"]] = row["verdict"]
    for one in summary.overlap:
        both = [[words[trial] for trial in one.trials] for words in verdicts.values()]
        assert one.candidates == sum("ineligible" not in words for words in both)
        assert one.eligible == sum(set(words) == {"eligible"} for words in both)
    free = [[words[trial.trial.id] != "ineligible" for trial in summary.trials] for words in verdicts.values()]
    for place, step in enumerate(summary.reach):
        assert step.reached == sum(any(some[: place + 1]) for some in free)
        assert step.alone == sum(some[place] and some.count(True) == 1 for some in free)
    assert summary.in_any["eligible"] == sum("eligible" in words.values() for words in verdicts.values())


@pytest.mark.slow
def test_fewer_candidates_are_the_first_of_them(whole: tuple[CohortSummary, list[Row]], people: Path) -> None:
    few = run(people, Options(on=ON), wanted=Wanted(candidates=2), chunk=3)
    assert [trial.candidates for trial in few.trials] == [trial.candidates[:2] for trial in whole[0].trials]


def test_the_work_list_names_the_row_that_settles(tmp_path: Path) -> None:
    facts = {"no consent": example("a-01", without="Consent"), "with it": example("a-01")}
    cases = [Case(name, Asked("NCT06892145"), flat(some), {}) for name, some in facts.items()]
    (trial,) = run(cohort_of(tmp_path, cases), Options(on=ON, trials=("NCT06892145",))).trials
    assert [(work.row, work.kind, work.settles, work.open) for work in trial.work] == [("I01", "agreement", 1, 1)]


# ---- what cannot be used --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: (folder / "patient.parquet").unlink(), "patient.parquet"),
        (lambda folder: (folder / "exposure.parquet").write_bytes(b"no table"), "exposure.parquet"),
        (lambda folder: _without(folder / "condition.parquet", "concept"), "no column concept"),
        (lambda folder: _with_text(folder / "condition.parquet", "onset_from"), "condition"),
        (lambda folder: _cut(folder / "measurement.parquet"), "measurement"),
    ],
)
def test_tables_that_cannot_be_used_are_named(change: Any, words: str, people: Path, tmp_path: Path) -> None:
    folder = write_tables(tmp_path / "tables", {name: pq.read_table(people / f"{name}.parquet") for name in COLUMNS})
    change(folder)
    with pytest.raises(InputError, match=words) as refused:
        run(folder, Options(on=ON), tmp_path / "verdicts.parquet")
    assert "\n" not in str(refused.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tables"], "nothing is left half written"


def _without(file: Path, column: str) -> None:
    pq.write_table(pq.read_table(file).drop_columns([column]), file)


def _with_text(file: Path, column: str) -> None:
    table = pq.read_table(file)
    place = table.schema.get_field_index(column)
    pq.write_table(table.set_column(place, column, pa.array(["some day"] * len(table))), file)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-40])


def test_an_ingest_that_is_not_finished_is_refused(people: Path, tmp_path: Path) -> None:
    folder = write_tables(tmp_path / "tables", {"patient": pq.read_table(people / "patient.parquet")})
    (folder / "parts").mkdir()
    with pytest.raises(InputError, match="not finished"):
        run(folder, Options(on=ON))


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is no folder; .* sle-kg ingest-cohort$"):
        CohortTables.open(tmp_path / "nowhere")


def test_a_table_that_is_no_parquet_is_told_with_its_cure(tmp_path: Path) -> None:
    (tmp_path / "patient.parquet").write_text("id,birth date\n")
    cure = r"is no Parquet file \(Parquet [^']*\); make the tables again with sle-kg ingest-cohort$"
    with pytest.raises(InputError, match=cure):
        CohortTables.open(tmp_path)


def test_an_engine_that_judges_no_cohorts_is_refused(people: Path) -> None:
    with pytest.raises(InputError, match="sql, shacl"):
        run(people, Options(on=ON, engine="abacus"))


HOSTILE = ["'); DROP TABLE judged; --", '"', "a\nb", "../../etc", "%s", "π", "x'||(SELECT 1)||'"]


@pytest.mark.slow
def test_text_of_records_is_only_text(people: Path, tmp_path: Path) -> None:
    tables = {name: pq.read_table(people / f"{name}.parquet") for name in COLUMNS}
    names = dict(zip(sorted(tables["patient"]["patient"].to_pylist()), HOSTILE, strict=False))

    def renamed(table: pa.Table) -> pa.Table:
        for column in ("patient", "record"):
            values = [names.get(value, value) for value in table[column].to_pylist()]
            table = table.set_column(table.schema.get_field_index(column), column, pa.array(values, pa.string()))
        return table

    tables = {name: renamed(table) for name, table in tables.items()}
    concepts = tables["condition"]["concept"].to_pylist() + HOSTILE
    first = tables["condition"].slice(0, 1)
    more = [first.set_column(2, "concept", pa.array([text], pa.string())) for text in HOSTILE]
    tables["condition"] = pa.concat_tables([tables["condition"], *more])
    assert len(concepts) == len(tables["condition"])
    _, rows = judged(write_tables(tmp_path / "tables", tables), Options(on=ON), chunk=4)
    _, before = judged(people, Options(on=ON))
    touched = first["patient"].to_pylist()[0]
    expected = {(names.get(row["patient"], row["patient"]), row["trial"]): row["status"] for row in before}
    assert {(row["patient"], row["trial"]): row["status"] for row in rows if row["patient"] != touched} == {
        key: status for key, status in expected.items() if key[0] != touched
    }


@pytest.mark.slow
def test_a_code_map_settles_what_the_tables_call_unmapped(tmp_path: Path) -> None:
    facts = example("a-01", drug("sct:1234567", "2020-01-01", "2020-02-01"), complete("medications"))
    cases = [Case("own code", Asked("NCT06892145"), facts, {})]
    folder = cohort_of(tmp_path, cases)
    file = tmp_path / "map.csv"
    file.write_text("system,code,key\nhttp://snomed.info/sct,1234567,rituximab\n", encoding="utf-8")
    options = Options(on=ON, code_map=file, engine="sql")
    _, rows = judged(folder, options)
    assert rows == screened(tmp_path / "patients.json", options)
    assert rows != judged(folder, replace(options, code_map=None))[1]


def test_results_of_the_future_are_not_read(people: Path) -> None:
    tables = CohortTables.open(people)
    days = tables.read(tables.patients, ON - dt.timedelta(days=10), {})["measurement"]["date_from"].to_pylist()
    assert days
    assert all(day is None or day <= ON - dt.timedelta(days=10) for day in days)
