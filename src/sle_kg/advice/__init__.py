"""What would settle an open comparison: doubtful details of recorded facts, found by trying possible answers."""

from sle_kg.advice.doubts import Doubt
from sle_kg.advice.trying import SECTIONS, Advisor, Attempt, OpenFeature

__all__ = ["SECTIONS", "Advisor", "Attempt", "Doubt", "OpenFeature"]
