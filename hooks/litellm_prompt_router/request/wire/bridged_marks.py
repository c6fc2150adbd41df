"""Marks for the chat messages that LiteLLM makes of another endpoint's body where the provider has no such endpoint.

The body itself bears none of ours. LiteLLM turns it into a chat request of its own and shows us that one too,
before it is sent (litellm/responses/litellm_completion_transformation/handler.py and
litellm/google_genai/adapters/handler.py, 1.106): there the prompt is cut and marked, as in a chat request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from litellm_prompt_router.request.types import CHAT, Request, Rewritten
from litellm_prompt_router.request.wire import responses
from litellm_prompt_router.request.wire.marking import MarkPlan
from litellm_prompt_router.request.wire.marks import INJECTION_POINTS, SYSTEM_ROLES, points_for
from litellm_prompt_router.request.wire.text_blocks import OutBlock, out_blocks


def plan_for_responses(data: Mapping[str, Any], request: Request, rewritten: Rewritten) -> MarkPlan:
    """For a Responses body: ``instructions`` become the first message, each leading item one of its own."""
    items = responses.items_of(data)
    runs = responses.runs_of(request, rewritten)
    roles = ["system" if number == responses.TOP else items[number]["role"] for number in sorted(runs)]
    return _plan(data, rewritten, [runs[number] for number in sorted(runs)], roles)


def plan_for_gemini(data: Mapping[str, Any], request: Request, rewritten: Rewritten) -> MarkPlan:
    """For a Gemini body: the system instruction becomes the first message."""
    return _plan(data, rewritten, [list(out_blocks(request, rewritten))], ["system"])


def _plan(
    data: Mapping[str, Any], rewritten: Rewritten, messages: Sequence[Sequence[OutBlock]], roles: Sequence[str]
) -> MarkPlan:
    marks = rewritten.breakpoints
    cuts = [
        [["messages", number, "content"], [[len(block.text), block.mark and dict(block.mark)] for block in blocks]]
        for number, blocks in enumerate(messages)
        if len(blocks) > 1 or (blocks and blocks[0].mark is not None)
    ]
    points = points_for(data, rewritten)
    if rewritten.composition.late:
        points = [moved for point in points for moved in _at_prompt(point, roles)]
    points = [*points, *map(dict, marks.history)]
    parameters = {INJECTION_POINTS: points} if points or marks.points is not None else {}
    instructions = {"kind": "text", "cuts": cuts, "marks": [], "parameters": parameters}
    return MarkPlan(instructions, marks.added, marks.total, endpoint=CHAT)


def _at_prompt(point: Any, roles: Sequence[str]) -> Iterable[Any]:
    """A point for all messages of a system role, at those of the prompt alone: late ones would join them."""
    role = point.get("role") if isinstance(point, dict) else None
    if role not in SYSTEM_ROLES or point.get("index") is not None:
        return [point]
    return [{**point, "index": number} for number, own in enumerate(roles) if own == role]
