"""Doses that records tell twice: weights of one day, and what is stated of a day on which it was administered."""

from fractions import Fraction

from caselib import drug, given, lab
from features.test_boundaries import ago, feature, one


def test_the_highest_dose_per_kg_was_reached_on_the_lightest_day_whose_weights_are_a_range() -> None:
    wanted = feature("HighestDose", equivalence="none", perKilogram=True, valueSet=("azathioprine",), when="ever")
    dose = drug("atc:L04AX01", ago(300), dose=90)

    def weighed(*weights: tuple[int, str]) -> Fraction | None:
        return one([dose, *(lab("weight", kg, "kg", on=on) for kg, on in weights)], wanted)[0]

    assert weighed((45, ago(20)), (60, ago(10))) == 2
    assert weighed((45, ago(20)), (60, ago(20))) == Fraction(3, 2)
    assert weighed((45, ago(20)), (60, ago(20)), (50, ago(10))) == Fraction(9, 5)
    assert weighed((45, ago(20)), (60, ago(20)[:7])) == Fraction(3, 2)


def test_what_is_stated_of_a_day_on_which_as_much_was_administered_counts_once() -> None:
    wanted = feature("CumulativeDose", route="intravenous", valueSet=("cyclophosphamide",))
    infused = [given("atc:L01AA01", ago(days), dose=500, route="sct:47625008") for days in (100, 86)]
    stated = [drug("atc:L01AA01", ago(100), ago(100), dose=mg, route="sct:47625008") for mg in (500, 750)]
    assert one([*infused, *stated], wanted) == (1750, None)
    assert one(stated, wanted) == (1250, None)
