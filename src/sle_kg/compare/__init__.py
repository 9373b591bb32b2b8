"""Trials side by side: design features, and criteria aligned by what they are about."""

from sle_kg.compare.model import Comparison, DesignFeature, Row, Statement, Topic, TrialColumn, compare, compare_in
from sle_kg.compare.render import FORMATS, render

__all__ = [
    "FORMATS",
    "Comparison",
    "DesignFeature",
    "Row",
    "Statement",
    "Topic",
    "TrialColumn",
    "compare",
    "compare_in",
    "render",
]
