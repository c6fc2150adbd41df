"""How well routing does on labelled messages: what each one keeps, what it should have kept, and what else would do."""

from hooks.evaluate.compare import Comparison, Point, Standing, compare, kept_at
from hooks.evaluate.walk import CaseResult, Evaluation, Summary, evaluate_cases

__all__ = [
    "CaseResult",
    "Comparison",
    "Evaluation",
    "Point",
    "Standing",
    "Summary",
    "compare",
    "evaluate_cases",
    "kept_at",
]
