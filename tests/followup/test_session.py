"""One call of a follow-up: which tests a feature reads, thresholds, options."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest

from caselib import Asked, Case, bundle, complete, flat, lab
from followup.histories import UKM, day, infused, on, pga, sledai
from sle_kg.criteria import AllOf, Feature, Leaf
from sle_kg.errors import InputError
from sle_kg.features.asks import Moment
from sle_kg.followup.options import FollowUpOptions
from sle_kg.followup.session import FollowUp, Question, check_thresholds, is_score, with_thresholds
from sle_kg.followup.session import tests_of as read_by

PGA = Feature("AssessedScoreCondition", (("instrument", "pga"),))
TOTAL = Feature("AssessedScoreCondition", (("instrument", "sledai2kTotal"),))
FREE = Leaf("a", PGA, "<=", Decimal(1), Decimal(1), adjustable="pga")
FIXED = Leaf("b", TOTAL, "<=", Decimal(4), Decimal(4))


def session(folder: Path, *facts: object, **options: object) -> FollowUp:
    file = folder / "x.json"
    file.write_text(bundle([Case("x", Asked(UKM), flat(facts), {})]), encoding="utf-8")  # type: ignore[arg-type]
    return FollowUp([file], FollowUpOptions(**options), [PGA, TOTAL])  # type: ignore[arg-type]


def test_a_total_is_read_with_its_items() -> None:
    tests = read_by(TOTAL)
    assert len(tests) == 25
    assert {"sledai2kTotal", "sledai2k:rash"} <= set(tests)
    assert read_by(PGA) == ("pga",)


def test_bilag_is_read_by_its_systems() -> None:
    total = read_by(Feature("AssessedScoreCondition", (("instrument", "bilagTotal"),)))
    grades = read_by(
        Feature("NewGradesCondition", (("grade", "A"), ("instrument", "bilag2004"), ("since", "baseline")))
    )
    assert "bilag:renal" in total
    assert {test for test in total if ":" in test} == {test for test in grades if ":" in test}
    assert len({test for test in grades if ":" in test}) == 9


@pytest.mark.parametrize("test", ["pga", "sledai2kTotal", "sledai2k:fever", "bilag:renal", "sdi", "facitFatigue"])
def test_instruments_and_their_parts_are_scores(test: str) -> None:
    assert is_score(test)


@pytest.mark.parametrize("test", ["c3", "bCellsCd19", "igG", "newAntiDrugAntibody", "urineProtein24h"])
def test_laboratory_results_are_no_scores(test: str) -> None:
    assert not is_score(test)


def test_only_adjustable_thresholds_change() -> None:
    found = with_thresholds(AllOf("c", (FREE, FIXED)), {"pga": Decimal("0.5")})
    assert isinstance(found, AllOf)
    changed, same = found.operands
    assert isinstance(changed, Leaf)
    assert (changed.met_bound, changed.unmet_bound) == (Decimal("0.5"), Decimal("0.5"))
    assert same == FIXED


def test_a_threshold_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="choose among pga"):
        check_thresholds([FREE, FIXED], {"sledai": Decimal(1)})
    with pytest.raises(InputError, match="there is none to set"):
        check_thresholds([FIXED], {"sledai": Decimal(1)})


def test_days_are_exact_days_up_to_the_last_looked_at(tmp_path: Path) -> None:
    facts = pga(5, "1"), pga(5, "2"), pga(2, "1"), pga(40, "1"), lab("alt", 20, "U/L", "2026-02")
    found = session(tmp_path, *facts, on=day(30))
    assert found.days("x", ["pga"]) == [day(2), day(5)]
    assert found.days("x", ["alt"]) == []
    assert found.days("nobody", ["pga"]) == []


def test_the_infusion_lies_not_after_the_last_day_looked_at(tmp_path: Path) -> None:
    found = session(tmp_path, infused(10), on=day(5))
    assert found.infusion("x", None) is None
    assert "planned" in found.why_no_infusion("x", None)


def test_questions_are_answered_in_their_order(tmp_path: Path) -> None:
    found = session(tmp_path, pga(5, "1"), pga(9, "2"), sledai(9, "rash"))
    questions = [
        Question("x", day(9), {"visit": Moment(day(9), day(9), day(9))}, (PGA, TOTAL)),
        Question("x", day(5), {"visit": Moment(day(5), day(5), day(5))}, (PGA,)),
        Question("x", day(1), {"visit": Moment(day(1), day(1), day(1))}, (PGA,)),
    ]
    nine, five, one = found.look(questions)
    assert nine.bounds == {PGA.slug: (Decimal(2), Decimal(2)), TOTAL.slug: (Decimal(2), Decimal(2))}
    assert five.bounds == {PGA.slug: (Decimal(1), Decimal(1))}
    assert one.bounds == {}
    assert found.look([]) == []


def test_completeness_ends_where_a_record_is_not_understood(tmp_path: Path) -> None:
    assert session(tmp_path, complete("adverseEvents", on=on(9))).complete_until("x", "adverseEvents") == day(9)
    assert session(tmp_path).complete_until("x", "adverseEvents") is None
    said = session(tmp_path, complete=("adverseEvents",), on=day(20))
    assert said.complete_until("x", "adverseEvents") == day(20)


@pytest.mark.parametrize(
    "options",
    [
        {"events": {"transfusion": dt.date(2026, 1, 1)}},
        {"complete": ("everything",)},
        {"readings": {"A2-10": "none"}},
        {"baseline": dt.date(1, 1, 1)},
        {"on": dt.date(9999, 1, 1)},
    ],
)
def test_options_that_cannot_be_are_refused(tmp_path: Path, options: dict[str, object]) -> None:
    with pytest.raises(InputError):
        session(tmp_path, **options)
