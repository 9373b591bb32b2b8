"""Dosage lines of one medicine: which are taken beside each other, how long, and what comes after them."""

from datetime import date

import pytest

from patients.fhir_builder import concept, dosage, order, quantity, read, reasons, rows, snomed, statement
from sle_kg.namespaces import RXNORM
from sle_kg.patients.medicine import periods

PREDNISONE = concept(RXNORM, "8640")
JANUARY, MARCH, JUNE = date(2026, 1, 1), date(2026, 3, 31), date(2026, 6, 30)
TO_MARCH = {"boundsPeriod": {"start": "2026-01-01", "end": "2026-03-31"}}
TO_FEBRUARY = {"boundsPeriod": {"start": "2026-01-01", "end": "2026-02-28"}}
SINCE_APRIL = {"boundsPeriod": {"start": "2026-04-01"}}


def timed(dose, unit="mg", **repeat):
    line = dosage(quantity(dose, unit))
    line["timing"]["repeat"] |= repeat
    return line


def exposures(folder, *lines, **elements):
    return rows(read(folder, statement(PREDNISONE, dosage=list(lines), **elements)), "exposure")


# ---- for some days --------------------------------------------------------------------------------------------------

FIVE_DAYS = {"start": "2026-01-01", "end": "2026-01-05"}


@pytest.mark.parametrize(
    ("limit", "period", "is_longer"),
    [
        ({"boundsDuration": quantity(5, "d")}, FIVE_DAYS, False),
        ({"boundsDuration": quantity(4, "d")}, FIVE_DAYS, False),
        ({"boundsDuration": quantity(3, "d")}, FIVE_DAYS, True),
        ({"boundsDuration": quantity(2, "mo")}, {"start": "2025-07-01", "end": "2025-08-31"}, False),
        ({"boundsDuration": quantity(1, "a")}, {"start": "2024-01-01", "end": "2024-12-31"}, False),
        ({"boundsDuration": quantity(1, "wk")}, FIVE_DAYS, False),
        ({"boundsDuration": quantity(72, "h")}, FIVE_DAYS, True),
        ({"boundsDuration": quantity(5, "days or so")}, FIVE_DAYS, True),
        ({"boundsRange": {"low": quantity(1, "d"), "high": quantity(5, "d")}}, FIVE_DAYS, False),
        ({"boundsRange": {"low": quantity(5, "d")}}, FIVE_DAYS, True),
        ({"count": 5}, FIVE_DAYS, False),
        ({"count": 3}, FIVE_DAYS, True),
        ({"count": 3, "countMax": 5}, FIVE_DAYS, False),
        ({"count": 5, "frequency": 2}, FIVE_DAYS, True),
        ({"count": 1, "period": 1, "periodUnit": "wk"}, FIVE_DAYS, False),
        ({"count": 5, "boundsDuration": quantity(3, "d")}, FIVE_DAYS, True),
        ({"boundsDuration": quantity(5, "d")}, {"start": "2026-01", "end": "2026-01-05"}, False),
        ({"boundsDuration": quantity(5, "d")}, {"start": "2026-01-01", "end": "2026-01"}, True),
        ({"boundsDuration": quantity(5, "d")}, {"start": "2026-01-01"}, False),
    ],
)
def test_of_what_was_taken_for_longer_than_its_line_the_dose_of_the_first_day_is_known(
    tmp_path, limit, period, is_longer
):
    found = exposures(tmp_path, timed(1000, **limit), status="completed", effectivePeriod=period)
    assert [row["dose"] for row in found] == ([1000, None] if is_longer else [1000])
    assert [row["end_to"] for row in found[: is_longer + 0]] == [JANUARY] * is_longer


# ---- after all lines ------------------------------------------------------------------------------------------------


def test_an_active_medicine_goes_on_after_its_lines_with_an_unknown_dose(tmp_path):
    line = {**timed(20, **TO_MARCH), "route": snomed("26643006")}
    found = exposures(tmp_path, {**timed(40, **TO_FEBRUARY), "route": snomed("26643006")}, line)
    assert [(row["dose"], row["start_to"], row["end_to"], row["ongoing"], row["taken"]) for row in found] == [
        (40, JANUARY, date(2026, 2, 28), True, "yes"),
        (20, JANUARY, MARCH, True, "yes"),
        (None, MARCH, None, True, "yes"),
    ]
    assert {row["route"] for row in found} == {"oral"}


@pytest.mark.parametrize(
    ("elements", "taken", "end"),
    [
        ({"dateAsserted": "2026-05-01"}, "yes", None),
        ({"dateAsserted": "2026-03-01"}, "uncertain", None),
        ({"dateAsserted": "2026-03"}, "uncertain", None),
        ({"effectivePeriod": {"start": "2026-01-01", "end": "2026-06-30"}}, "yes", JUNE),
    ],
)
def test_what_goes_on_after_its_lines_does_so_as_far_as_it_is_said(tmp_path, elements, taken, end):
    _, after = exposures(tmp_path, timed(20, **TO_MARCH), **elements)
    assert (after["dose"], after["start_to"], after["taken"], after["end_to"]) == (None, MARCH, taken, end)
    assert reasons(read(tmp_path, statement(PREDNISONE, dosage=[timed(20, **TO_MARCH)], **elements))) == []


@pytest.mark.parametrize(
    ("lines", "elements"),
    [
        ([timed(20, **TO_MARCH)], {"status": "completed"}),
        ([timed(20, **TO_MARCH)], {"effectivePeriod": {"start": "2026-01-01", "end": "2026-03-31"}}),
        ([timed(20, **TO_MARCH), timed(10, **SINCE_APRIL)], {}),
        ([timed(20)], {}),
    ],
)
def test_nothing_comes_after_lines_of_what_is_over_or_one_that_goes_on(tmp_path, lines, elements):
    assert len(exposures(tmp_path, *lines, **elements)) == len(lines)


# ---- beside each other ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "taken"),
    [
        ([timed(40), timed(10), timed(20)], ["uncertain", "yes", "uncertain"]),
        ([timed(1, "g"), timed(500)], ["uncertain", "yes"]),
        ([timed(10), timed(15, period=2)], ["uncertain", "yes"]),
        ([timed(10, when=["MORN"]), timed(5)], ["uncertain", "yes"]),
        ([timed(10, when=["MORN"]), timed(5, when=["MORN"])], ["uncertain", "yes"]),
        ([timed(10, when=["MORN"]), timed(5, when=["EVE"])], ["yes", "yes"]),
        ([timed(10, timeOfDay=["08:00:00"]), timed(5, timeOfDay=["20:00:00"])], ["yes", "yes"]),
        ([timed(10, dayOfWeek=["mon", "wed"]), timed(5, dayOfWeek=["tue"])], ["yes", "yes"]),
        ([{"sequence": 1, **timed(10)}, {"sequence": 1, **timed(5)}], ["yes", "yes"]),
        ([{"route": snomed("26643006"), **timed(10)}, {"route": snomed("47625008"), **timed(5)}], ["yes", "yes"]),
        ([timed(10), {**timed(5), "asNeededBoolean": True}], ["yes", "yes"]),
    ],
)
def test_of_lines_that_nothing_tells_apart_the_least_is_taken(tmp_path, lines, taken):
    found = exposures(tmp_path, *lines)
    assert [row["taken"] for row in found] == taken
    assert all(row["dose"] or line.get("asNeededBoolean") for row, line in zip(found, lines, strict=True))


@pytest.mark.parametrize("other", [{"doseAndRate": [{"doseQuantity": quantity(5, "mg")}]}, timed(1, "mg/kg")])
def test_of_lines_that_cannot_be_compared_no_dose_is_known(tmp_path, other):
    found = exposures(tmp_path, timed(10), other)
    assert [(row["dose"], row["taken"]) for row in found] == [(None, "yes")] * 2


@pytest.mark.parametrize("status", ["unknown", "not-taken"])
def test_lines_of_what_is_not_surely_taken_stay_as_they_are(tmp_path, status):
    assert len({row["taken"] for row in exposures(tmp_path, timed(10), timed(5), status=status)}) == 1


def test_lines_of_an_order_stay_ordered(tmp_path):
    found = rows(read(tmp_path, order(PREDNISONE, dosageInstruction=[timed(10), timed(5)])), "exposure")
    assert [(row["dose"], row["taken"]) for row in found] == [(10, "ordered"), (5, "ordered")]


def test_the_period_of_a_medicine_is_that_of_its_sure_lines(tmp_path):
    data = read(tmp_path, statement(PREDNISONE, id="m", dosage=[timed(10), timed(5)]))
    assert periods(data.tables["exposure"]) == {("p", "MedicationStatement/m"): ("2026-01-01", None)}


# ---- how often ------------------------------------------------------------------------------------------------------


def times_of(folder, timing):
    [row] = exposures(folder, {"timing": timing, "doseAndRate": [{"doseQuantity": quantity(5, "mg")}]})
    return row["times"], row["period_days"]


def gts(code):
    return concept("http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation", code)


DAILY = {"frequency": 1, "period": 1, "periodUnit": "d"}


@pytest.mark.parametrize(
    ("timing", "times"),
    [
        ({"code": gts("QOD")}, (1, 2)),
        ({"code": gts("bid")}, (2, 1)),
        ({"code": {"text": "BID"}}, (2, 1)),
        ({"code": {"text": "BID", "coding": gts("QD")["coding"]}}, (None, None)),
        ({"code": gts("QOD"), "repeat": DAILY}, (None, None)),
        ({"code": gts("WK"), "repeat": DAILY}, (None, None)),
        ({"code": gts("QD"), "repeat": DAILY}, (1, 1)),
        ({"code": gts("Q8H"), "repeat": {"frequency": 1, "period": 8, "periodUnit": "h"}}, (3, 1)),
        ({"code": gts("AM"), "repeat": {"frequency": 1, "period": 2, "periodUnit": "d"}}, (1, 2)),
        ({"code": gts("QD"), "repeat": {"dayOfWeek": ["mon", "thu"]}}, (2, 7)),
        ({"code": gts("TID"), "repeat": {"when": ["PC"]}}, (3, 1)),
        ({"repeat": {"when": ["MORN", "EVE"]}}, (2, 1)),
        ({"repeat": {"when": ["PC"]}}, (None, None)),
    ],
)
def test_a_code_says_how_often_unless_the_line_says_another_thing(tmp_path, timing, times):
    assert times_of(tmp_path, timing) == times


def test_lines_with_codes_of_different_times_of_the_day_add_up(tmp_path):
    lines = [{**dosage(quantity(dose, "mg")), "timing": {"code": gts(code)}} for dose, code in ((10, "AM"), (5, "PM"))]
    assert [row["taken"] for row in exposures(tmp_path, *lines)] == ["yes", "yes"]
