"""A request as it came, marked for the provider's cache as well as one can.

What the cost gate leaves alone gets these marks where nobody placed any, and they are what every other way of
sending the prompt is compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litellm_prompt_router.cache_model.rules import CLAUDE_MAX_MARKS
from litellm_prompt_router.profile.profile import Ttl
from litellm_prompt_router.request.breakpoints import EPHEMERAL, EXPLICIT, history_ends
from litellm_prompt_router.request.types import Mark, Request, Target, UnreadableRequestError
from litellm_prompt_router.request.wire.chat import read
from litellm_prompt_router.request.wire.marks import INJECTION_POINTS, SYSTEM_ROLES, with_end_marks
from litellm_prompt_router.request.wire.marks import marked as marked_block


def well_cached(body: Mapping[str, Any], target: Target) -> Mapping[str, Any]:
    """``marked`` of a body that nobody has read yet; one that can't be read stays as it is."""
    try:
        request = read(body)
    except UnreadableRequestError:
        return body
    return marked(body, request, target)[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """How a shape bears marks of ours.

    ``at_system_end`` marks the last text of the system prompt; ``at_history_ends`` the messages at these places,
    counted from the end. Both give a new body.
    """

    at_system_end: Callable[[Mapping[str, Any], Mark], Mapping[str, Any]]
    at_history_ends: Callable[[Mapping[str, Any], Sequence[int]], Mapping[str, Any]]
    marks_tools: bool = True


def marked(body: Mapping[str, Any], request: Request, target: Target, ttl: Ttl = "5m") -> tuple[Mapping[str, Any], int]:
    """``marked_at`` of a chat body."""
    return marked_at(BLOCK_PLACES if target.marks_blocks else CHAT_PLACES, body, request, target, ttl)


def marked_at(
    places: Places, body: Mapping[str, Any], request: Request, target: Target, ttl: Ttl
) -> tuple[Mapping[str, Any], int]:
    """The same request with breakpoints of the target's kind, and how many were added."""
    if target.takes_marks:
        return _with_marks(places, body, request, ttl, places_points=target.places_points)
    return _with_breakpoint(places, body, request) if target.takes_breakpoints else (body, 0)


def _with_breakpoint(places: Places, body: Mapping[str, Any], request: Request) -> tuple[Mapping[str, Any], int]:
    """An explicit breakpoint at the system prompt's end, unless the client sets some itself.

    The history's end has the provider's implicit one.
    """
    own = (*(block.mark for block in request.system), *request.marks_after)
    if any(mark is not None and "mode" in mark for mark in own) or not any(block.text for block in request.system):
        return body, 0
    return places.at_system_end(body, EXPLICIT), 1


def _with_marks(
    places: Places, body: Mapping[str, Any], request: Request, ttl: Ttl, *, places_points: bool
) -> tuple[Mapping[str, Any], int]:
    """Marks at the history's moving end, the system prompt's end and the tools' end.

    In this order while the provider's budget lasts; a part that the client marks itself is left to the client.
    A mark on the system prompt covers the tools ahead of it. Where the last call's history end would be out of
    reach from this one's, that place is marked too.
    """
    points = body.get(INJECTION_POINTS)
    room = before = CLAUDE_MAX_MARKS - request.client_marks
    if room <= 0:
        return body, 0
    out: Mapping[str, Any] = dict(body)
    behind = [*request.marks_after]
    if places_points and not behind and not points:
        ends = history_ends(request.turns)[:room]
        out = places.at_history_ends(out, ends)
        room -= len(ends)
    own = [block.mark for block in request.system if block.mark is not None]
    if room and not own and any(block.text for block in request.system):
        out = places.at_system_end(out, _mark(request.marks_before, behind, ttl))
        room -= 1
    if room and places.marks_tools and body.get("tools") and not request.marks_before and not own:
        tools = list(body["tools"])
        out = {**out, "tools": [*tools[:-1], {**tools[-1], "cache_control": dict(_mark((), behind, ttl))}]}
        room -= 1
    return out, before - room


def _mark(ahead: Sequence[Mark], behind: Sequence[Mark], ttl: Ttl) -> Mark:
    """A mark of ours: as long as the profile says, no longer than one ahead of it, no shorter than one behind it."""
    may_last = ttl == "1h" and all(mark.get("ttl") == "1h" for mark in ahead)
    is_hour = may_last or any(mark.get("ttl") == "1h" for mark in behind)
    return {**EPHEMERAL, "ttl": "1h"} if is_hour else EPHEMERAL


def _with_points(body: Mapping[str, Any], ends: Sequence[int]) -> Mapping[str, Any]:
    """LiteLLM places these, so that the messages themselves go through as they came."""
    return {**body, INJECTION_POINTS: [{"location": "message", "index": -place} for place in ends]}


def _with_system_mark(body: Mapping[str, Any], mark: Mark) -> Mapping[str, Any]:
    messages = body["messages"]
    leading = next((n for n, message in enumerate(messages) if message["role"] not in SYSTEM_ROLES), len(messages))
    for number in range(leading - 1, -1, -1):
        content = messages[number]["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
        last = next((n for n in range(len(blocks) - 1, -1, -1) if blocks[n]["text"]), None)
        if last is None:
            continue
        blocks[last] = marked_block(blocks[last], blocks[last]["text"], mark)
        changed = [*messages[:number], {**messages[number], "content": blocks}, *messages[number + 1 :]]
        return {**body, "messages": changed}
    return body


def _with_block_marks(body: Mapping[str, Any], ends: Sequence[int]) -> Mapping[str, Any]:
    """LiteLLM would mark a message of one string beside that, where Qwen doesn't look."""
    return {**body, "messages": with_end_marks(body["messages"], [{"index": -place} for place in ends])}


CHAT_PLACES = Places(at_system_end=_with_system_mark, at_history_ends=_with_points)
BLOCK_PLACES = Places(at_system_end=_with_system_mark, at_history_ends=_with_block_marks, marks_tools=False)
