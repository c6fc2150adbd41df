"""What a routing model would be asked about recorded calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from litellm_prompt_router.files.traffic import RecordedCall
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.pipeline import OpenedRequest, Pipeline, RecognisedRequest
from litellm_prompt_router.request.route import RoutingQuestion
from litellm_prompt_router.request.types import CHAT


def questions_about_calls(
    calls: Iterable[RecordedCall],
    profiles: Sequence[Profile],
    count_tokens: Callable[[str], int],
    *,
    coverage_floor: float,
    only: str | None = None,
) -> tuple[RoutingQuestion, ...]:
    """Every question once, since answers are remembered: in the order in which they come up."""
    pipeline = Pipeline(profiles, count_tokens, coverage_floor=coverage_floor)
    found: dict[RoutingQuestion, None] = {}
    for call in calls:
        opened = pipeline.open(call.request, CHAT)
        recognised = pipeline.recognise(opened, only=only) if isinstance(opened, OpenedRequest) else None
        if isinstance(recognised, RecognisedRequest):
            wanted = pipeline.questions_wanted(recognised)
            found.update(dict.fromkeys(() if wanted is None else wanted.questions))
    return tuple(found)
