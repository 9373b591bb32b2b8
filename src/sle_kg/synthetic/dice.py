"""Chance from whole numbers alone, so that one seed gives one cohort on every machine and every Python."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal


class Dice:
    """The chance of one patient: it depends on seed and number alone, not on how many patients are made."""

    def __init__(self, seed: int, number: int) -> None:
        self._random = random.Random(f"{seed}:{number}")

    def among(self, least: int, most: int) -> int:
        """A whole number from `least` to `most`, both included."""
        return least + self._random.randrange(most - least + 1)

    def happens(self, percent: int) -> bool:
        """Whether something with this percentage happens."""
        return self._random.randrange(100) < percent

    def weighted(self, weights: Sequence[int]) -> int:
        """The place of one of several weights, each as likely as its weight is large."""
        left = self._random.randrange(sum(weights))
        for place, weight in enumerate(weights):
            if left < weight:
                return place
            left -= weight
        raise ValueError("weights must be whole numbers from 0, and not all 0")

    def number(self, bounds: Sequence[Decimal | int], places: int = 0) -> Decimal:
        """A number from the first to the second bound with so many decimal places."""
        least, most = (int(Decimal(bound).scaleb(places)) for bound in bounds)
        return Decimal(self.among(least, most)).scaleb(-places)
