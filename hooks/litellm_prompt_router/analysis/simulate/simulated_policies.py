"""What each policy sends in place of a recorded request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from litellm_prompt_router.profile.profile import Economics, Placement, Profile
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.route import AnswerLookup, no_answers
from litellm_prompt_router.request.types import CHAT, Passthrough, Target
from litellm_prompt_router.request.wire.chat_marks import well_cached

Policy = Literal["full", "full-cached", "latest", "grow", "append", "auto"]
POLICIES: tuple[Policy, ...] = ("full", "full-cached", "latest", "grow", "append", "auto")
"""``full``: as it came and nothing cached. ``full-cached``: as it came, marked as well as one can."""
PLACEMENTS: Mapping[Policy, Placement | None] = {"latest": "latest", "grow": "grow", "append": "append", "auto": None}


class Sent(NamedTuple):
    """A chat body. ``passed``: why a policy of ours left it as it came; None where it was rewritten.

    ``profile``: the one whose prompt it has; None where that wasn't asked or there is none.
    """

    body: Mapping[str, Any]
    passed: str | None = None
    profile: str | None = None


Rewrite = Callable[[Mapping[str, Any]], Sent]


def rewrites_of(
    profiles: Sequence[Profile],
    count_tokens: Callable[[str], int],
    target: Target,
    *,
    coverage_floor: float,
    only: str | None = None,
    answers: AnswerLookup = no_answers,
) -> dict[Policy, Rewrite]:
    """How each policy but ``full`` rewrites a request. ``only`` names the one profile that may be recognised.

    A named placement holds for every profile and every conversation; under ``auto`` a profile's own goes first and
    the cost gate decides. ``answers``: what a routing model says, where there is one.
    """
    rewrites: dict[Policy, Rewrite] = {"full-cached": lambda body: Sent(well_cached(body, target))}
    for policy, placement in PLACEMENTS.items():
        chosen = profiles if placement is None else [replace(profile, placement=None) for profile in profiles]
        pipeline = Pipeline(
            chosen,
            count_tokens,
            coverage_floor=coverage_floor,
            placement=placement,
            adds_marks=True,
            gates_cost=policy == "auto",
        )
        rewrites[policy] = _rewrite(pipeline, target, only, answers)
    return rewrites


def tuned_rewrite(
    profiles: Sequence[Profile],
    count_tokens: Callable[[str], int],
    target: Target,
    *,
    coverage_floor: float,
    only: str,
    economics: Economics,
    answers: AnswerLookup = no_answers,
) -> Rewrite:
    """How ``auto`` rewrites a request if ``only`` is tuned like this."""
    tuned = [replace(profile, economics=economics) for profile in profiles if profile.name == only]
    pipeline = Pipeline(tuned, count_tokens, coverage_floor=coverage_floor, adds_marks=True, gates_cost=True)
    return _rewrite(pipeline, target, only, answers)


def _rewrite(pipeline: Pipeline, target: Target, only: str | None, answers: AnswerLookup) -> Rewrite:
    def rewrite(body: Mapping[str, Any]) -> Sent:
        walked = pipeline.walk(body, CHAT, lambda: target, only=only, answers=answers)
        outcome = walked.outcome
        profile = None if outcome.recognition is None else outcome.recognition.profile.name
        return Sent(walked.body, outcome.reason if isinstance(outcome, Passthrough) else None, profile)

    return rewrite
