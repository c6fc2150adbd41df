"""What a routing model would be asked about recorded calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from litellm_prompt_router.files.traffic import RecordedCall
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.route import RoutingQuestion
from litellm_prompt_router.request.walk_steps import OpenedRequest, RecognisedRequest


def questions_about_calls(
    calls: Iterable[RecordedCall],
    profiles: Sequence[Profile],
    count_tokens: Callable[[str], int],
    *,
    coverage_floor: float,
    only: str | None = None,
) -> dict[RoutingQuestion, frozenset[str]]:
    """Every question once, since answers are remembered, in the order in which they come up.

    Each with the modules whose tools the agent called for its message, as far as the calls show it.
    """
    pipeline = Pipeline(profiles, count_tokens, coverage_floor=coverage_floor)
    owners = {each.name: {tool: m.id for m in each.modules for tool in m.tools} for each in profiles}
    found: dict[RoutingQuestion, set[str]] = {}
    for call in calls:
        opened = pipeline.open(call.request, call.endpoint)
        recognised = pipeline.recognise(opened, only=only) if isinstance(opened, OpenedRequest) else None
        if not isinstance(recognised, RecognisedRequest):
            continue
        wanted = pipeline.questions_wanted(recognised)
        by_turn = {} if wanted is None else wanted.by_turn
        owner_of, turns = owners[recognised.recognition.profile.name], recognised.opened.request.turns
        ends = [*list(by_turn)[1:], len(turns)]
        for (at, question), end in zip(by_turn.items(), ends, strict=False):
            called = [tool for turn in turns[at:end] for tool in turn.tool_calls]
            found.setdefault(question, set()).update(owner_of[tool] for tool in called if tool in owner_of)
    return {question: frozenset(used) for question, used in found.items()}
