"""Trials side by side: design features and criteria aligned by what they are about; outcomes by what they measure."""

from sle_kg.compare.model import Comparison, DesignFeature, Row, Statement, Topic, TrialColumn, compare, compare_in
from sle_kg.compare.outcomes import OutcomeComparison, compare_outcomes, compare_outcomes_in
from sle_kg.compare.render import FORMATS, render
from sle_kg.compare.render_outcomes import render_outcomes

__all__ = [
    "FORMATS",
    "Comparison",
    "DesignFeature",
    "OutcomeComparison",
    "Row",
    "Statement",
    "Topic",
    "TrialColumn",
    "compare",
    "compare_in",
    "compare_outcomes",
    "compare_outcomes_in",
    "render",
    "render_outcomes",
]
