"""How well routing does on labelled messages: what each case's request keeps, and what it should have kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files.labelled_messages import Case, Conversations, Numbered
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.route import AnswerLookup, Lookup, no_answers, no_embeddings
from litellm_prompt_router.request.types import CHAT, Evidence, Passthrough, Target

TARGET = Target(takes_marks=True, min_cache_tokens=0, input_usd_per_token=None)
"""Neither sizes nor selections depend on who answers."""
ALL = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseResult:
    """What became of one case. Sizes are of the system prompt. ``line`` is that of the file, from 1."""

    line: int
    category: str
    text: str
    original_chars: int
    prompt_chars: int
    original_tokens: int
    prompt_tokens: int
    is_fallback: bool
    selected: tuple[Evidence, ...]
    missing: tuple[str, ...]
    """Needed modules that were not selected."""

    @property
    def chars_reduction(self) -> float:
        return 1 - self.prompt_chars / self.original_chars

    @property
    def tokens_reduction(self) -> float:
        return 1 - self.prompt_tokens / self.original_tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """Some cases together: reductions are means over cases; ``coverage`` is the share without a missing module."""

    category: str
    cases: int
    mean_chars_reduction: float
    mean_tokens_reduction: float
    coverage: float
    fallbacks: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """All cases of one profile, by category in the order of first appearance."""

    profile: str
    profile_version: str
    results: tuple[CaseResult, ...]
    categories: tuple[Summary, ...]
    total: Summary

    @property
    def misses(self) -> tuple[CaseResult, ...]:
        return tuple(result for result in self.results if result.missing)


def evaluate_cases(
    pipeline: Pipeline,
    profile: Profile,
    cases: Sequence[Numbered],
    lookup: Lookup = no_embeddings,
    answers: AnswerLookup = no_answers,
) -> Evaluation:
    """Walks each case as a request with the profile's own prompt. ``cases`` must not be empty."""
    conversations = Conversations(case for _, case in cases)
    results = tuple(_walk(pipeline, profile, line, case, conversations, lookup, answers) for line, case in cases)
    categories = dict.fromkeys(result.category for result in results)
    return Evaluation(
        profile=profile.name,
        profile_version=profile.version,
        results=results,
        categories=tuple(_summary(name, [r for r in results if r.category == name]) for name in categories),
        total=_summary(ALL, results),
    )


def _walk(
    pipeline: Pipeline,
    profile: Profile,
    line: int,
    case: Case,
    conversations: Conversations,
    lookup: Lookup,
    answers: AnswerLookup,
) -> CaseResult:
    request = conversations.request_of(case, profile.text)
    walked = pipeline.walk(request, CHAT, lambda: TARGET, only=profile.name, lookup=lookup, answers=answers)
    outcome = walked.outcome
    if isinstance(outcome, Passthrough):
        problem = f"{profile.name}: its own prompt passes through ({outcome.reason}); see `prompt-router check`"
        raise ConfigurationError([problem])
    decision, composition = outcome.decision, outcome.composition
    return CaseResult(
        line=line,
        category=case.category,
        text=case.text,
        original_chars=len(profile.text),
        prompt_chars=composition.chars,
        original_tokens=composition.original_tokens,
        prompt_tokens=composition.tokens,
        is_fallback=decision.is_fallback,
        selected=decision.selected,
        missing=tuple(module for module in case.needs if module not in decision.modules),
    )


def _summary(category: str, results: Sequence[CaseResult]) -> Summary:
    return Summary(
        category=category,
        cases=len(results),
        mean_chars_reduction=fmean(result.chars_reduction for result in results),
        mean_tokens_reduction=fmean(result.tokens_reduction for result in results),
        coverage=fmean(not result.missing for result in results),
        fallbacks=sum(result.is_fallback for result in results),
    )
