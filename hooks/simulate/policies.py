"""What each policy sends in place of a recorded request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from hooks.breakpoints import EXPLICIT, LOOKBACK_BLOCKS, MAX_MARKS
from hooks.data import Passthrough, Request, Target
from hooks.errors import UnreadableRequestError
from hooks.pipeline import Pipeline
from hooks.profile import Placement, Profile
from hooks.wire import chat
from hooks.wire.marks import marked
from hooks.wire.points import INJECTION_POINTS, SYSTEM_ROLES

Policy = Literal["full", "full-cached", "latest", "grow", "append", "auto"]
POLICIES: tuple[Policy, ...] = ("full", "full-cached", "latest", "grow", "append", "auto")
"""``full``: as it came and nothing cached. ``full-cached``: as it came, marked as well as one can."""
PLACEMENTS: Mapping[Policy, Placement | None] = {"latest": "latest", "grow": "grow", "append": "append", "auto": None}
CALL_TYPE = "acompletion"


class Sent(NamedTuple):
    """A chat body. ``passed``: why a policy of ours left it as it came; None where it was rewritten."""

    body: Mapping[str, Any]
    passed: str | None = None


Rewrite = Callable[[Mapping[str, Any]], Sent]


def rewrites_of(
    profiles: Sequence[Profile],
    count_tokens: Callable[[str], int],
    target: Target,
    *,
    coverage_floor: float,
    only: str | None = None,
) -> dict[Policy, Rewrite]:
    """How each policy but ``full`` rewrites a request. ``only`` names the one profile that may be recognised.

    A named placement holds for every profile; under ``auto`` a profile's own goes first.
    """
    rewrites: dict[Policy, Rewrite] = {"full-cached": lambda body: Sent(well_cached(body, target))}
    for policy, placement in PLACEMENTS.items():
        chosen = profiles if placement is None else [replace(profile, placement=None) for profile in profiles]
        pipeline = Pipeline(chosen, count_tokens, coverage_floor=coverage_floor, placement=placement, gives_hints=True)
        rewrites[policy] = _rewrite(pipeline, target, only)
    return rewrites


def _rewrite(pipeline: Pipeline, target: Target, only: str | None) -> Rewrite:
    def rewrite(body: Mapping[str, Any]) -> Sent:
        walked = pipeline.walk(body, CALL_TYPE, lambda: target, only=only)
        outcome = walked.outcome
        return Sent(walked.body, outcome.reason if isinstance(outcome, Passthrough) else None)

    return rewrite


# Good caching of a request as it came


def well_cached(body: Mapping[str, Any], target: Target) -> Mapping[str, Any]:
    """The same request, marked as well as the target's kind of marks allows."""
    if target.takes_marks:
        return with_good_marks(body)
    return with_good_breakpoint(body) if target.takes_breakpoints else body


def with_good_breakpoint(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same request with an explicit breakpoint at its system prompt's end, unless the client sets some itself.

    The history's end has the provider's implicit one.
    """
    try:
        request = chat.read(body)
    except UnreadableRequestError:
        return body
    own = (*(block.mark for block in request.system), *request.marks_after)
    if any(mark is not None and "mode" in mark for mark in own) or not any(block.text for block in request.system):
        return body
    return {**body, "messages": _with_system_mark(body["messages"], EXPLICIT)}


def with_good_marks(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same request with marks at its history's moving end, its system prompt's end and its tools' end.

    In this order while the provider's budget lasts; a part that the client marks itself is left to the client.
    Where the last call's history end would be out of reach from this one's, that place is marked too.
    """
    try:
        request = chat.read(body)
    except UnreadableRequestError:
        return body
    room = MAX_MARKS - request.client_marks - len(body.get(INJECTION_POINTS) or ())
    if room <= 0:
        return body
    out = dict(body)
    behind = [*request.marks_after]
    if not behind and not body.get(INJECTION_POINTS):
        ends = _history_ends(request)[:room]
        out[INJECTION_POINTS] = [{"location": "message", "index": -place} for place in ends]
        room -= len(ends)
    own = [block.mark for block in request.system if block.mark is not None]
    if room and not own and any(block.text for block in request.system):
        out["messages"] = _with_system_mark(body["messages"], _mark(behind))
        room -= 1
    if room and body.get("tools") and not request.marks_before:
        tools = list(body["tools"])
        out["tools"] = [*tools[:-1], {**tools[-1], "cache_control": _mark([*own, *behind])}]
    return out


def _mark(behind: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A mark of ours: five minutes, unless a longer one stands behind it, which it mustn't precede."""
    is_hour = any(mark.get("ttl") == "1h" for mark in behind)
    return {"type": "ephemeral", "ttl": "1h"} if is_hour else {"type": "ephemeral"}


def _history_ends(request: Request) -> tuple[int, ...]:
    """Messages to mark, counted from the end."""
    if not request.turns:
        return ()
    answers = [number for number, turn in enumerate(request.turns) if turn.role == "assistant"]
    if not answers or answers[-1] == 0:
        return (1,)
    since = request.turns[answers[-1] :]
    blocks = sum(1 + len(turn.tool_calls) for turn in since)
    return (1,) if blocks < LOOKBACK_BLOCKS else (1, len(since) + 1)


def _with_system_mark(messages: list[dict[str, Any]], mark: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The messages with a mark on the last text of the leading system run."""
    leading = next((n for n, message in enumerate(messages) if message["role"] not in SYSTEM_ROLES), len(messages))
    for number in range(leading - 1, -1, -1):
        content = messages[number]["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
        last = next((n for n in range(len(blocks) - 1, -1, -1) if blocks[n]["text"]), None)
        if last is None:
            continue
        blocks[last] = marked(blocks[last], blocks[last]["text"], mark)
        return [*messages[:number], {**messages[number], "content": blocks}, *messages[number + 1 :]]
    return messages
