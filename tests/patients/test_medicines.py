from datetime import date
from decimal import Decimal

import pytest

from patients.fhir_builder import concept, dosage, order, quantity, read, reasons, resource, rows, snomed, statement
from sle_kg.namespaces import ATC, RXNORM
from sle_kg.patients.codemap import read_code_map
from sle_kg.patients.medicine import periods
from sle_kg.terminology import terminology

PREDNISONE = concept(RXNORM, "8640")
DAY = date(2026, 1, 1)
DOSED = (("2026-02-01", "2026-03-31"), ("2026-01-01", "2026-01-31"))


def exposures(folder, *resources):
    return rows(read(folder, *resources), "exposure")


def only(folder, *resources):
    found = exposures(folder, *resources)
    assert len(found) == 1
    return found[0]


def test_a_daily_dose(tmp_path):
    row = only(tmp_path, statement(PREDNISONE, dosage=[dosage(quantity(7.5, "mg"), frequency=2)]))
    assert (row["concept"], row["taken"], row["dose"], row["dose_unit"]) == ("prednisone", "yes", Decimal("7.5"), "mg")
    assert (row["times"], row["period_days"], row["administration"]) == (2, 1, False)
    assert (row["start_from"], row["start_to"], row["end_from"], row["end_to"]) == (DAY, DAY, None, None)
    assert row["ongoing"] is True


@pytest.mark.parametrize(
    ("dose", "expected", "unit"),
    [
        (quantity(1, "g"), 1000, "mg"),
        (quantity(500, "ug"), Decimal("0.5"), "mg"),
        (quantity(0.7, "mg/kg"), Decimal("0.7"), "mg/kg"),
        (quantity(1, "{tbl}"), None, None),
        (quantity(750, "mg/m2"), None, None),
        (quantity(-5, "mg"), None, None),
        (quantity(5), None, None),
    ],
)
def test_units_of_a_dose(tmp_path, dose, expected, unit):
    data = read(tmp_path, statement(PREDNISONE, dosage=[dosage(dose)]))
    row = rows(data, "exposure")[0]
    assert (row["dose"], row["dose_unit"]) == (expected, unit)
    assert bool(reasons(data)) == (expected is None)


@pytest.mark.parametrize(
    ("frequency", "period", "unit", "times", "days"),
    [(1, 8, "h", 3, 1), (2, 1, "d", 2, 1), (1, 2, "wk", 1, 14), (1, 4, "wk", 1, 28), (1, 48, "h", Decimal("0.5"), 1)],
)
def test_timing(tmp_path, frequency, period, unit, times, days):
    row = only(tmp_path, statement(PREDNISONE, dosage=[dosage(quantity(5, "mg"), frequency, period, unit)]))
    assert (row["times"], row["period_days"]) == (times, days)


@pytest.mark.parametrize(("frequency", "period"), [(-1, 1), (1, 0), (1, -2), (10**9, 1), (1, 10**30), (1, 1e-30)])
def test_impossible_timing_is_no_timing(tmp_path, frequency, period):
    row = only(tmp_path, statement(PREDNISONE, dosage=[dosage(quantity(5, "mg"), frequency, period)]))
    assert (row["times"], row["period_days"]) == (None, None)


def test_several_lines_of_a_dosage_are_rows_of_one_record(tmp_path):
    lines = [dosage(quantity(10, "mg")), dosage(quantity(5, "mg"))]
    found = exposures(tmp_path, statement(PREDNISONE, dosage=lines))
    assert [row["dose"] for row in found] == [10, 5]


def test_steps_without_dates_leave_the_dose_unknown(tmp_path):
    lines = [{"sequence": 1, **dosage(quantity(60, "mg"))}, {"sequence": 2, **dosage(quantity(10, "mg"))}]
    assert [row["dose"] for row in exposures(tmp_path, statement(PREDNISONE, dosage=lines))] == [None, None]


def test_steps_with_dates_are_courses_of_their_own(tmp_path):
    lines = [{"sequence": n, **dosage(quantity(60 // n, "mg"))} for n in (1, 2)]
    for line, (start, end) in zip(lines, [("2026-01-01", "2026-01-14"), ("2026-01-15", "2026-02-01")], strict=True):
        line["timing"]["repeat"]["boundsPeriod"] = {"start": start, "end": end}
    found = exposures(tmp_path, statement(PREDNISONE, status="completed", dosage=lines))
    assert [(row["dose"], row["end_to"]) for row in found] == [(60, date(2026, 1, 14)), (30, date(2026, 2, 1))]


def timed(dose, sequence=None, **repeat):
    line = dosage(quantity(dose, "mg"))
    line["timing"]["repeat"] |= repeat
    return line if sequence is None else {"sequence": sequence, **line}


WEEK = {"boundsDuration": quantity(7, "d")}
MARCH = {"boundsPeriod": {"start": "2026-03-01", "end": "2026-03-31"}}
SINCE_APRIL = {"boundsPeriod": {"start": "2026-04-01"}}


@pytest.mark.parametrize(
    ("lines", "doses"),
    [
        ([timed(30, **WEEK), timed(20, **WEEK), timed(10, **WEEK)], [None, None, None]),
        ([timed(500, **WEEK), timed(1000)], [None, None]),
        ([timed(500, count=14), timed(1000)], [None, None]),
        ([timed(20, **MARCH), timed(10)], [None, None]),
        ([timed(20, **MARCH), timed(10, **SINCE_APRIL)], [20, 10]),
        ([timed(20, 1, boundsPeriod={"start": "2026-03-01"}), timed(10, 2, **SINCE_APRIL)], [None, None]),
        ([timed(20, 1), timed(10, 1)], [20, 10]),
        ([timed(20, **SINCE_APRIL), timed(10, **SINCE_APRIL)], [20, 10]),
    ],
)
def test_lines_that_may_follow_each_other_leave_the_dose_unknown(tmp_path, lines, doses):
    assert [row["dose"] for row in exposures(tmp_path, statement(PREDNISONE, dosage=lines))] == doses


def test_lines_of_an_order_are_at_most_all_together(tmp_path):
    lines = [timed(30, **WEEK), timed(20, **WEEK)]
    assert [row["dose"] for row in exposures(tmp_path, order(PREDNISONE, dosageInstruction=lines))] == [30, 20]


@pytest.mark.parametrize("limit", [WEEK, {"count": 1}])
def test_a_line_for_some_days_tells_the_dose_of_the_first(tmp_path, limit):
    found = exposures(tmp_path, statement(PREDNISONE, dosage=[timed(60, **limit)]))
    assert [(row["dose"], row["start_from"], row["end_to"], row["ongoing"]) for row in found] == [
        (60, DAY, DAY, True),
        (None, DAY, None, True),
    ]


@pytest.mark.parametrize("elements", [{"status": "completed"}, {"effectivePeriod": {"end": "2026-01-07"}}])
def test_a_line_for_some_days_of_a_medicine_that_ended_has_its_dose(tmp_path, elements):
    assert only(tmp_path, statement(PREDNISONE, dosage=[timed(60, **WEEK)], **elements))["dose"] == 60


def test_as_needed_has_no_dose(tmp_path):
    line = {**dosage(quantity(5, "mg")), "asNeededBoolean": True}
    assert only(tmp_path, statement(PREDNISONE, dosage=[line]))["dose"] is None


def test_timing_by_code_days_and_hours(tmp_path):
    def line(timing):
        return {"timing": timing, "doseAndRate": [{"doseQuantity": quantity(5, "mg")}]}

    timings = [
        {"code": concept("http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation", "BID")},
        {"repeat": {"dayOfWeek": ["mon", "thu"]}},
        {"repeat": {"timeOfDay": ["08:00:00", "20:00:00"]}},
        {"repeat": {"frequency": 1, "frequencyMax": 2, "period": 1, "periodUnit": "d"}},
    ]
    found = [only(tmp_path, statement(PREDNISONE, dosage=[line(timing)])) for timing in timings]
    assert [(row["times"], row["period_days"]) for row in found] == [(2, 1), (2, 7), (2, 1), (None, None)]


@pytest.mark.parametrize(
    ("repeat", "times", "days"),
    [
        ({"period": 1, "periodUnit": "d", "timeOfDay": ["08:00:00", "12:00:00", "20:00:00"]}, 3, 1),
        ({"period": 1, "periodUnit": "d", "when": ["MORN", "NOON", "EVE"]}, 3, 1),
        ({"period": 1, "periodUnit": "wk", "dayOfWeek": ["mon", "wed", "fri"]}, 3, 7),
        ({"period": 1, "periodUnit": "d", "dayOfWeek": ["mon", "wed"], "when": ["MORN", "EVE"]}, 4, 7),
        ({"dayOfWeek": ["mon", "wed"], "when": ["MORN", "EVE"]}, 4, 7),
        # the frequency says the same
        ({"frequency": 2, "period": 1, "periodUnit": "d", "when": ["MORN", "EVE"]}, 2, 1),
        ({"frequency": 1, "period": 1, "periodUnit": "d", "timeOfDay": ["08:00:00"]}, 1, 1),
        ({"frequency": 1, "period": 1, "periodUnit": "d", "dayOfWeek": ["mon", "wed", "fri"], "when": ["MORN"]}, 3, 7),
        ({"frequency": 1, "period": 1, "periodUnit": "wk", "dayOfWeek": ["mon"], "timeOfDay": ["08:00:00"]}, 1, 7),
        ({"frequency": 1, "period": 2, "periodUnit": "wk", "dayOfWeek": ["mon"]}, 1, 14),
        ({"frequency": 1, "period": 8, "periodUnit": "h", "timeOfDay": ["06:00:00", "14:00:00", "22:00:00"]}, 3, 1),
        ({"frequency": 3, "period": 1, "periodUnit": "d", "when": ["PC"]}, 3, 1),
        ({"frequency": 1, "period": 7, "periodUnit": "d", "dayOfWeek": ["mon"]}, 1, 7),
        # it says another thing, or none where it is needed
        ({"frequency": 1, "period": 1, "periodUnit": "d", "when": ["MORN", "NOON", "EVE"]}, None, None),
        ({"frequency": 1, "period": 1, "periodUnit": "wk", "dayOfWeek": ["mon", "wed", "fri"]}, None, None),
        ({"frequency": 1, "period": 8, "periodUnit": "h", "dayOfWeek": ["mon", "wed", "fri"]}, None, None),
        ({"frequency": 3, "timeOfDay": ["08:00:00"]}, None, None),
        ({"period": 1, "periodUnit": "wk", "timeOfDay": ["08:00:00", "20:00:00"]}, None, None),
        ({"period": 1, "periodUnit": "d", "when": ["PC"]}, None, None),
    ],
)
def test_named_days_and_times_are_counted(tmp_path, repeat, times, days):
    line = {"timing": {"repeat": repeat}, "doseAndRate": [{"doseQuantity": quantity(5, "mg")}]}
    row = only(tmp_path, statement(PREDNISONE, dosage=[line]))
    assert (row["times"], row["period_days"]) == (times, days)


@pytest.mark.parametrize(
    "doses",
    [
        [{"doseQuantity": quantity(5, "mg", comparator=">=")}],
        [{"doseQuantity": quantity(5, "mg")}, {"doseRange": {"low": quantity(5, "mg"), "high": quantity(20, "mg")}}],
    ],
)
def test_a_dose_that_may_be_another_is_not_known(tmp_path, doses):
    line = {**dosage(), "doseAndRate": doses}
    assert only(tmp_path, statement(PREDNISONE, dosage=[line]))["dose"] is None


@pytest.mark.parametrize(
    ("status", "period", "taken", "ongoing", "end"),
    [
        ("active", {"start": "2026-01-01"}, "yes", True, (None, None)),
        ("active", {"start": "2026-01-01", "end": "2026-03-01"}, "yes", True, (date(2026, 3, 1), date(2026, 3, 1))),
        ("active", {"start": "2026-01-01", "end": "2026-03"}, "yes", True, (date(2026, 3, 1), date(2026, 3, 31))),
        ("completed", {"start": "2026-01-01", "end": "2027"}, "yes", False, (date(2027, 1, 1), date(2027, 12, 31))),
        ("stopped", {"start": "2026-01-01", "end": "2026-03-01"}, "yes", False, (date(2026, 3, 1), date(2026, 3, 1))),
        ("unknown", {"start": "2026-01-01", "end": "2026-03-01"}, "uncertain", None, (date(2026, 3, 1),) * 2),
        ("completed", {"start": "2026-01-01"}, "yes", False, (DAY, None)),
        ("stopped", {"start": "2026-01-01"}, "yes", False, (DAY, None)),
        ("on-hold", {"start": "2026-01-01"}, "yes", False, (DAY, None)),
        ("unknown", {"start": "2026-01-01"}, "uncertain", None, (None, None)),
        ("not-taken", {"start": "2026-01-01"}, "no", None, (None, None)),
    ],
)
def test_statuses_of_a_statement(tmp_path, status, period, taken, ongoing, end):
    row = only(tmp_path, statement(PREDNISONE, status=status, effectivePeriod=period))
    assert (row["taken"], row["ongoing"], (row["end_from"], row["end_to"])) == (taken, ongoing, end)


@pytest.mark.parametrize("status", ["intended", "entered-in-error"])
def test_what_is_only_meant_or_recorded_by_mistake_is_no_fact(tmp_path, status):
    assert exposures(tmp_path, statement(PREDNISONE, status=status)) == []


@pytest.mark.parametrize(
    ("elements", "facts"),
    [
        ({}, 1),
        ({"status": "completed"}, 1),
        ({"status": "stopped"}, 1),
        ({"status": "draft"}, 0),
        ({"status": "cancelled"}, 0),
        ({"status": "on-hold"}, 0),
        ({"status": "entered-in-error"}, 0),
        ({"intent": "plan"}, 0),
        ({"intent": "proposal"}, 0),
        ({"doNotPerform": True}, 0),
    ],
)
def test_an_order_is_no_proof_of_intake(tmp_path, elements, facts):
    assert [row["taken"] for row in exposures(tmp_path, order(PREDNISONE, **elements))] == ["ordered"] * facts


def test_evidence_of_an_order_says_so(tmp_path):
    data = read(tmp_path, order(PREDNISONE, id="o", dosageInstruction=[dosage(quantity(200, "mg"), 2)]))
    lines = {row["record"]: row["value"] for row in data.tables["record"].to_pylist()}
    assert lines["MedicationRequest/o"] == "ordered, 200 mg twice a day"


def test_validity_of_an_order(tmp_path):
    validity = {"validityPeriod": {"start": "2026-02-01", "end": "2026-05-01"}}
    row = only(tmp_path, order(PREDNISONE, dispenseRequest=validity))
    assert (row["start_from"], row["end_to"], row["ongoing"]) == (date(2026, 2, 1), date(2026, 5, 1), True)


@pytest.mark.parametrize(
    ("status", "taken"), [("completed", "yes"), ("not-done", "no"), ("in-progress", "yes"), ("unknown", "uncertain")]
)
def test_administrations(tmp_path, status, taken):
    row = only(
        tmp_path,
        resource(
            "MedicationAdministration",
            status=status,
            medicationCodeableConcept=concept(RXNORM, "3002"),
            effectiveDateTime="2026-01-01T10:00:00+01:00",
            dosage={"dose": quantity(0.5, "g"), "route": snomed("47625008")},
        ),
    )
    assert (row["concept"], row["taken"], row["dose"], row["times"]) == ("cyclophosphamide", taken, 500, 1)
    assert (row["route"], row["start_from"], row["end_to"], row["administration"]) == ("intravenous", DAY, DAY, True)


@pytest.mark.parametrize(
    ("code", "route", "expected"),
    [
        (PREDNISONE, "26643006", "oral"),
        (PREDNISONE, "47625008", "intravenous"),
        (PREDNISONE, "6064005", "local"),
        (PREDNISONE, "34206005", "other-systemic"),
        (PREDNISONE, None, None),
        (concept(ATC, "D07AA02"), "26643006", "local"),
    ],
)
def test_routes(tmp_path, code, route, expected):
    line = dosage(quantity(5, "mg")) | ({"route": snomed(route)} if route else {})
    assert only(tmp_path, statement(code, dosage=[line]))["route"] == expected


def test_medicines_by_reference_and_ingredient(tmp_path):
    contained = {"resourceType": "Medication", "id": "m", "code": PREDNISONE}
    product = {
        "resourceType": "Medication",
        "id": "tablet",
        "code": concept("http://hl7.org/fhir/sid/ndc", "0000-1"),
        "ingredient": [{"itemCodeableConcept": PREDNISONE}],
    }
    by_contained = statement(None, medicationReference={"reference": "#m"}, contained=[contained])
    by_reference = statement(None, medicationReference={"reference": "Medication/tablet"})
    found = exposures(tmp_path, by_contained, by_reference, product)
    assert [row["concept"] for row in found] == ["prednisone", "prednisone"]


def test_an_unmapped_medicine_keeps_medications_open(tmp_path):
    data = read(
        tmp_path,
        statement(concept(RXNORM, "999999", "Mystery"), id="a"),
        statement({"text": "little pink pill"}, id="b"),
        statement(concept(RXNORM, "999998"), id="c", status="not-taken"),
    )
    found = {
        row["record"]: (row["code"], row["display"], row["why"], row["section"])
        for row in data.tables["unread"].to_pylist()
    }
    assert found == {
        "MedicationStatement/a": (f"{RXNORM}|999999", "Mystery", "unmapped code", "medications"),
        "MedicationStatement/b": ("", "little pink pill", "no code", "medications"),
        "MedicationStatement/c": (f"{RXNORM}|999998", "", "unmapped code", None),
    }


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"effectivePeriod": {"start": "2025-01", "end": "2026-09-01"}}, ("2025-01", "2026-09-01")),
        ({"effectivePeriod": {"start": "2025-01-01"}}, ("2025-01-01", None)),
        ({"effectivePeriod": {"end": "2026"}, "dateAsserted": "2026-09-05"}, (None, "2026")),
        ({"effectivePeriod": {}, "dateAsserted": "2026-09-05"}, None),
        ({"effectivePeriod": {"start": "2025-01-01"}, "status": "completed"}, None),
        ({"effectivePeriod": {"start": "2025-01-01"}, "status": "unknown"}, None),
    ],
)
def test_the_period_of_a_medicine(tmp_path, said, expected):
    found = periods(read(tmp_path, statement(PREDNISONE, id="m", **said)).tables["exposure"])
    assert found.get(("p", "MedicationStatement/m")) == expected


@pytest.mark.parametrize(("status", "end"), [("completed", "2026-03-31"), ("active", None)])
def test_the_period_of_a_medicine_is_that_of_all_dosage_lines(tmp_path, status, end):
    first, second = ({"boundsPeriod": {"start": day, "end": end}} for day, end in DOSED)
    lines = [{"timing": {"repeat": first}}, {"timing": {"repeat": second}}]
    found = periods(read(tmp_path, statement(PREDNISONE, id="m", status=status, dosage=lines)).tables["exposure"])
    assert found == {("p", "MedicationStatement/m"): ("2026-01-01", end)}


@pytest.mark.parametrize(
    ("codings", "shown"),
    [
        (PREDNISONE, "prednisone"),
        (concept(RXNORM, "8640", "Deltasone"), "Deltasone"),
        (concept(ATC, "L04AX99"), ""),
        (concept(RXNORM, "999998"), ""),
    ],
)
def test_what_is_not_understood_has_the_words_of_its_record_else_of_the_ontology(tmp_path, codings, shown):
    data = read(tmp_path, statement(codings, effectivePeriod={"start": "2026-03-01", "end": "2026-01-01"}))
    found = {row["why"]: row["display"] for row in data.tables["unread"].to_pylist()}
    assert found["the medicine ends before it begins"].lower() == shown.lower()


def test_codes_that_the_ontology_does_not_know_stand_behind_the_words_of_the_record(tmp_path):
    both = {"coding": [{"system": ATC, "code": "L04AX98"}, {"system": ATC, "code": "L04AX99"}], "text": "New medicine"}
    assert only(tmp_path, statement(both))["concept"] == "atc:L04AX98|atc:L04AX99"
    [_, line] = rows(read(tmp_path, statement(both)), "record")
    assert line["what"] == "New medicine (L04AX98, L04AX99)"


@pytest.mark.parametrize("period", [{"start": "2026-03-01", "end": "2026-01-01"}, {"start": "2026-02-30"}])
def test_impossible_periods_are_reported_and_leave_the_intake_uncertain(tmp_path, period):
    data = read(tmp_path, statement(PREDNISONE, effectivePeriod=period))
    row = rows(data, "exposure")[0]
    assert (row["taken"], row["start_from"], row["ongoing"]) == ("uncertain", None, None)
    assert len(reasons(data)) == 1


@pytest.mark.parametrize(
    ("route", "way", "taken"),
    [
        (snomed("26643006"), "oral", "yes"),
        (concept("urn:oid:2.16.840.1.113883.6.96", "26643006"), "oral", "yes"),
        (snomed("448598008"), "local", "yes"),
        (snomed("372449004"), None, "uncertain"),
        (concept("http://standardterms.edqm.eu", "20003000"), None, "uncertain"),
        ({"coding": [*snomed("26643006")["coding"], *concept("urn:routes", "PO")["coding"]]}, "oral", "yes"),
        ({"coding": [*snomed("26643006")["coding"], *snomed("47625008")["coding"]]}, None, "yes"),
        ({"coding": [*snomed("26643006")["coding"], *snomed("6064005")["coding"]]}, None, "uncertain"),
        ({"text": "by mouth"}, None, "yes"),
    ],
)
def test_a_route_that_is_not_understood_may_be_local(tmp_path, route, way, taken):
    data = read(tmp_path, statement(PREDNISONE, dosage=[{**dosage(quantity(5, "mg")), "route": route}]))
    row = rows(data, "exposure")[0]
    assert (row["route"], row["taken"]) == (way, taken)
    assert reasons(data) == (["the route is not known: it may be local"] if taken == "uncertain" else [])


@pytest.mark.parametrize(
    ("route", "way", "taken"),
    [
        (snomed("26643006"), "oral", "yes"),
        ({"coding": [*snomed("26643006")["coding"], *snomed("47625008")["coding"]]}, None, "yes"),
        (snomed("6064005"), "local", "yes"),
        (concept("urn:routes", "X"), None, "uncertain"),
        ({"text": "by mouth"}, None, "uncertain"),
        ({}, None, "uncertain"),
    ],
)
def test_of_codes_of_local_and_systemic_products_the_route_decides(tmp_path, route, way, taken):
    code = {
        "coding": [concept(*named)["coding"][0] for named in ((RXNORM, "8640"), (ATC, "A07EA03"), (ATC, "H02AB07"))]
    }
    data = read(tmp_path, statement(code, dosage=[{**dosage(quantity(5, "mg")), "route": route}]))
    row = rows(data, "exposure")[0]
    assert (row["concept"], row["route"], row["taken"]) == ("atc:A07EA03|atc:H02AB07|prednisone", way, taken)
    assert reasons(data) == (["the route is not known: it may be local"] if taken == "uncertain" else [])


@pytest.mark.parametrize(
    ("code", "taken"),
    [
        (concept(RXNORM, "3002"), "yes"),  # cyclophosphamide
        (concept(ATC, "L04AG04"), "yes"),  # belimumab
        (concept(ATC, "L01FA01"), "yes"),  # rituximab
        (concept(ATC, "L04AD02"), "uncertain"),  # tacrolimus: there are ointments
        (concept(ATC, "L04AX03"), "uncertain"),  # methotrexate: the tables do not tell
        (concept(ATC, "L01FG01"), "uncertain"),  # bevacizumab: injected into the eye
    ],
)
def test_what_has_no_local_product_is_systemic_by_any_route(tmp_path, code, taken):
    row = only(tmp_path, statement(code, dosage=[{**dosage(quantity(5, "mg")), "route": concept("urn:routes", "X")}]))
    assert (row["route"], row["taken"]) == (None, taken)


@pytest.mark.parametrize("way", ["oral", "intravenous", "other-systemic", "local"])
def test_the_user_tells_the_routes_of_his_own_codes(tmp_path, way):
    lines = [{**dosage(quantity(5, "mg")), "route": concept("urn:routes", "X")}]
    file = tmp_path / "codes.csv"
    file.write_text(f"system,code,key\nurn:routes,X,{way}\n", encoding="utf-8")
    codes = read_code_map(file, terminology())
    data = read(tmp_path, statement(PREDNISONE, dosage=lines), code_map=codes)
    assert [(row["route"], row["taken"]) for row in rows(data, "exposure")] == [(way, "yes")]
    assert reasons(data) == []
    assert read_code_map(file, terminology(), routes=False) == {}


def test_a_drug_whose_code_the_user_calls_a_route_stays_unmapped(tmp_path):
    codes = {("urn:drugs", "X"): "oral"}
    data = read(tmp_path, statement(concept("urn:drugs", "X")), code_map=codes)
    assert [row["concept"] for row in rows(data, "exposure")] == ["unmapped"]


def test_an_order_by_a_route_that_is_not_understood_stays_one(tmp_path):
    line = {**dosage(quantity(5, "mg")), "route": snomed("372449004")}
    assert only(tmp_path, order(PREDNISONE, dosageInstruction=[line]))["taken"] == "ordered"


@pytest.mark.parametrize("code", [concept(ATC, "J07BD52"), concept("http://hl7.org/fhir/sid/cvx", "03")])
def test_a_vaccine_recorded_as_a_medicine_leaves_the_vaccines_open(tmp_path, code):
    data = read(tmp_path, statement(code))
    assert {"immunizations"} <= {row["section"] for row in rows(data, "unread")}
    refused = read(tmp_path, {**statement(code), "status": "not-taken"})
    assert {row["section"] for row in rows(refused, "unread")} <= {None}
