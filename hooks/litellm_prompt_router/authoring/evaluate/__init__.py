"""How well routing does on labelled messages: what each one keeps, what it should have kept, and what else would do."""

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
