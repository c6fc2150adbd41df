"""Evaluates routing on labelled messages: coverage and size by case, and against other routers and thresholds."""

from litellm_prompt_router.authoring.evaluate.compare import (
    Comparison,
    Point,
    RouterResult,
    compare,
    kept_at,
    plot_curve,
)
from litellm_prompt_router.authoring.evaluate.evaluate_cases import CaseResult, Evaluation, Summary, evaluate_cases

__all__ = [
    "CaseResult",
    "Comparison",
    "Evaluation",
    "Point",
    "RouterResult",
    "Summary",
    "compare",
    "evaluate_cases",
    "kept_at",
    "plot_curve",
]
