"""The table says what a coordinator does next, and nothing that a patient's record says can steer the terminal."""

import dataclasses
from datetime import date
from decimal import Decimal

import pytest

from report import sample
from sle_kg.criteria import Feature, Leaf
from sle_kg.report.table import NARROWEST, WIDEST, render_table
from sle_kg.report.text import AID_SENTENCE
from sle_kg.verdict import Unread
from sle_kg.wording import Words


def section(text: str, title: str) -> str:
    """The lines below a heading, up to the next empty line."""
    return text.split(f"\n{title}", 1)[1].split("\n\n", 1)[0]


@pytest.fixture(scope="module")
def table() -> str:
    return render_table(sample.verdicts())


def test_patients_with_nothing_against_them_come_first(table):
    assert table.index("vignette-02 on 2026-11-21") < table.index("vignette-17 on 2026-11-21")


def test_what_fails_is_told_with_its_reason_and_date(table):
    against = section(table, "Against")
    assert "NCT06892145 I03 Refractory SLE" in against
    assert "One is recorded: azathioprine." in against
    assert "It would pass from 2026-11-23." in against


def test_open_items_are_ordered_by_whose_move_it_is(table):
    titles = ["Data to look up", "Tests to be done", "Agreements to obtain", "For the investigator to judge"]
    places = [table.index(title) for title in titles]
    assert places == sorted(places)


def test_what_would_settle_most_trials_comes_first():
    rows = (
        sample.row("E01", "unknown", missing=("one trial's fact",), open_kind="data"),
        sample.row("E21", "unknown", missing=("which biologics were given",), open_kind="data"),
    )
    first = sample.verdict("p", "NCT06106906", "undetermined", rows)
    second = sample.verdict("p", "NCT06892145", "undetermined", rows[1:])
    data = section(render_table([first, second]), "Data to look up")
    assert data.index("which biologics were given") < data.index("one trial's fact")
    assert "[NCT06106906 E21; NCT06892145 E21]" in data


def history(section: str, subject: str, row: str, is_open: bool = False) -> str:
    """What `wording` says of a history that a section of the record answers, or (`is_open`) that none does."""
    feature = Feature({"conditions": "DiagnosisCondition", "procedures": "ProcedureCondition"}[section], ())
    words = Words(
        label=str,
        is_open=lambda value_set: is_open,
        window=lambda kind: None,
        on=date(2026, 11, 21),
        anchors={},
    )
    feature = dataclasses.replace(feature, parameters=(("valueSet", subject), ("when", "ever")))
    leaf = Leaf("", feature, ">=", Decimal(1), Decimal(1))
    [said] = words.missing(leaf, f"attest:NCT06106906/{row}")
    return said


def test_one_statement_that_would_settle_many_rows_is_told_once_above_them():
    rows = (
        sample.row("E08", "unknown", missing=(history("procedures", "Plasmapheresis", "E08"),), open_kind="data"),
        sample.row("E15", "unknown", missing=(history("conditions", "Stroke", "E15"),), open_kind="data"),
        sample.row("E32", "unknown", missing=(history("conditions", "Malignancy", "E32"),), open_kind="data"),
        sample.row("E07", "unknown", missing=(history("conditions", "Vasculitis", "E07", True),), open_kind="data"),
    )
    table = render_table([sample.verdict("p", "NCT06106906", "undetermined", rows)])
    assert " ".join(section(table, "Data to look up").split()) == (
        "? Conditions: a record of each of these, or one statement that conditions are complete up to 2026-11-21 "
        "• stroke ever [NCT06106906 E15] • malignancy ever [NCT06106906 E32] "
        "? Procedures: a record of each of these, or one statement that procedures are complete up to 2026-11-21 "
        "• plasmapheresis ever [NCT06106906 E08] "
        "? A record of each of these, or an attestation (no complete list settles them) "
        "• vasculitis ever [NCT06106906 E07]"
    )


def test_details_that_records_leave_open_stand_together_each_once():
    vaccine = "the day of live vaccine (Immunization/r76, completed, 2026-10)"
    limit = "the upper limit of normal of bilirubin (Observation/r3, 0.6 mg/dL (serum), 2026-11-10)"
    rows = (
        sample.row("E19a", "unknown", missing=(f"{vaccine}, or an attestation (attest:x/E19a)",), open_kind="data"),
        sample.row("E20a", "unknown", missing=("another fact",), open_kind="data"),
        sample.row("E24a", "unknown", missing=(vaccine, limit), open_kind="data"),
    )
    table = render_table([sample.verdict("p", "NCT06106906", "undetermined", rows)])
    assert " ".join(section(table, "Data to look up").split()) == (
        f"? Details that the records leave open • {vaccine} [NCT06106906 E19a, E24a] • {limit} [NCT06106906 E24a] "
        "? another fact [NCT06106906 E20a]"
    )


def test_results_of_one_span_of_days_stand_together():
    span = "from 2026-10-24 to 2026-11-21"
    rows = (
        sample.row("I04", "unknown", missing=(f"SLEDAI-2K total {span}",), open_kind="test"),
        sample.row("I05", "unknown", missing=("an agreement on tests",), open_kind="test"),
        sample.row("I06", "unknown", missing=(f"creatinine, or a clearance, {span}",), open_kind="test"),
    )
    table = render_table([sample.verdict("p", "NCT06106906", "undetermined", rows)])
    assert " ".join(section(table, "Tests to be done").split()) == (
        f"? Results dated {span} • SLEDAI-2K total [NCT06106906 I04] • creatinine, or a clearance [NCT06106906 I06] "
        "? an agreement on tests [NCT06106906 I05]"
    )


def test_a_quotation_is_read_without_the_escapes_of_the_registry():
    rows = (sample.row("I03", "fail", text="activity index \\> 6"),)
    assert "I03 activity index > 6" in render_table([sample.verdict("p", "NCT06106906", "ineligible", rows)])


def test_a_question_to_the_investigator_is_asked_in_words():
    asked = "the investigator's statement: Is there another lupus crisis? (attest:NCT06106906/E05)"
    rows = (sample.row("E05", "unknown", missing=(asked,), open_kind="judgement"),)
    table = render_table([sample.verdict("p", "NCT06106906", "undetermined", rows)])
    assert "? Is there another lupus crisis? [NCT06106906 E05]" in section(table, "For the investigator to judge")


def test_open_rows_of_a_trial_that_is_ruled_out_are_only_named(table):
    assert "NCT06892145: 1 row (I08a)" in section(table, "Also open in trials")
    assert "NCT06892145 I08a" not in section(table, "Data to look up")


def test_it_closes_with_recruitment_dates_expiry_unread_and_readings(table):
    table = table[table.index("vignette-17 on") :]
    assert "NCT06106906: RECRUITING as of 2026-08-22" in section(table, "Recruitment, dates")
    assert "after 2026-12-08: SLEDAI-2K [NCT06106906 I05b]" in section(table, "What will expire")
    assert "unmapped code: Malignant neoplasm of breast" in section(table, "Records not understood")
    assert "--reading A1-05=any-sledai: NCT06106906 I05a pass (now unknown)" in section(table, "Other readings")


def test_eligible_says_what_it_means_where_the_copy_shows_no_exclusion_criteria(table):
    first = " ".join(table[: table.index("vignette-17 on")].split())
    assert '"eligible" means "meets the listed inclusion criteria"' in first


def test_it_says_that_it_is_a_pre_screening_aid(table):
    assert AID_SENTENCE in " ".join(table.split())


@pytest.mark.parametrize("width", [20, NARROWEST, WIDEST, 300])
def test_no_line_is_wider_than_the_terminal(width):
    text = render_table([*sample.verdicts(), sample.hostile()], width)
    assert max(map(len, text.splitlines())) <= min(max(width, NARROWEST), WIDEST)


def test_hostile_text_is_shown_and_never_obeyed():
    text = render_table([sample.hostile()])
    assert "[red]x[/red]" in text
    assert [character for character in text if not character.isprintable() and character != "\n"] == []


def test_colour_only_where_it_is_asked_for():
    assert "\x1b" not in render_table(sample.verdicts())
    assert "\x1b" in render_table(sample.verdicts(), colour=True)


def test_a_date_that_the_reason_names_is_not_told_again():
    rows = (sample.row("E20a", "fail", reason="The wash-out ends on 2026-11-23.", passes_from="2026-11-23"),)
    table = render_table([sample.verdict("p", "NCT06106906", "ineligible", rows)])
    assert section(table, "Against").count("2026-11-23") == 1


def test_a_record_without_words_or_code_is_listed_by_its_reason_alone():
    unread = (Unread("Patient/p", "", "", "'soon' is no date"), Unread("Observation/o", "x|1", "Y", "unmapped code"))
    verdict = dataclasses.replace(sample.verdicts()[0], unread=unread)
    listed = section(render_table([verdict]), "Records not understood")
    assert "'soon' is no date [Patient/p]" in listed and "unmapped code: Y (x|1) [Observation/o]" in listed
