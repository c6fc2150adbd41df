"""A prompt rewritten to modules chosen from outside: what an oracle would have sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.breakpoints import plan_breakpoints
from litellm_prompt_router.request.compose import compose, with_space_behind_seams
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.types import CHAT, Evidence, Rewritten, RoutingDecision, Target
from litellm_prompt_router.request.walk_steps import RecognisedRequest, WalkResult


class FixedSelection:
    """Rewrites chat bodies to given modules, whatever routing would say, with all the marks that pay."""

    def __init__(
        self,
        profiles: Sequence[Profile],
        count_tokens: Callable[[str], int],
        target: Target,
        *,
        coverage_floor: float,
    ) -> None:
        self._pipeline = Pipeline(profiles, count_tokens, coverage_floor=coverage_floor, adds_marks=True)
        self._count_tokens = count_tokens
        self._target = target

    def recognise(self, body: Mapping[str, Any]) -> RecognisedRequest | None:
        """The body with the profile that its prompt belongs to; None where there is none."""
        opened = self._pipeline.open(body, CHAT)
        recognised = opened if isinstance(opened, WalkResult) else self._pipeline.recognise(opened)
        return None if isinstance(recognised, WalkResult) else recognised

    def body(self, recognised: RecognisedRequest, selected: frozenset[int]) -> Mapping[str, Any]:
        """What is sent when the system prompt holds these modules, and later ones none."""
        opened = recognised.opened
        recognition = with_space_behind_seams(opened.request, recognised.recognition)
        modules = recognition.profile.modules
        composition = compose(opened.request, recognition, selected, self._count_tokens)
        rewritten = Rewritten(
            recognition=recognition,
            decision=RoutingDecision(
                selected=tuple(Evidence(modules[number].id, "always") for number in sorted(selected)),
                arrivals=(),
                message_kind="task",
                is_fallback=False,
                fallback_reason=None,
                query_chars=0,
            ),
            composition=composition,
            breakpoints=plan_breakpoints(opened.request, recognition, composition, self._target, adds_marks=True),
            placement="grow",
            target=self._target,
            cache_key=None,
        )
        return opened.shape.write(opened.data, opened.request, rewritten)
