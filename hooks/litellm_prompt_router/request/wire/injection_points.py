"""LiteLLM's injection points in a rewritten conversation: each still at the message that it meant.

A point names a message by its index or all messages of a role; late modules' messages would shift the ones and
join the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from litellm_prompt_router.request.types import Mark, Rewritten
from litellm_prompt_router.request.wire.marks import mark_of, marks_of_message

CACHE_KEY = "prompt_cache_key"
INJECTION_POINTS = "cache_control_injection_points"
SYSTEM_ROLES = frozenset({"system", "developer"})


def marks_after(data: Mapping[str, Any], messages: Iterable[Mapping[str, Any]]) -> Iterator[Mark]:
    """What the client marks behind the system prompt: in these messages, at top level and by injection points."""
    for message in messages:
        yield from marks_of_message(message)
    top = mark_of(data)
    if top is not None:
        yield top
    yield from marks_of_points(data)


def marks_of_points(data: Mapping[str, Any]) -> Iterator[Mark]:
    """The marks that LiteLLM will place for the points that the client states."""
    points = data.get(INJECTION_POINTS)
    for point in points if isinstance(points, list) else ():
        if isinstance(point, dict):
            control = point.get("control")
            yield control if isinstance(control, dict) else {"type": "ephemeral"}


def points_for(data: Mapping[str, Any], rewritten: Rewritten) -> list[Any]:
    """The points that the request is to state, as they count the client's messages."""
    points = rewritten.breakpoints.points
    stated = data.get(INJECTION_POINTS) if points is None else [dict(point) for point in points]
    return stated if isinstance(stated, list) else []


def parameters(data: Mapping[str, Any], rewritten: Rewritten, points: list[Any]) -> dict[str, Any]:
    """What goes beside the texts: these points where they aren't stated already, OpenAI's cache key."""
    added: dict[str, Any] = {}
    if rewritten.breakpoints.points is not None or (points and points != data.get(INJECTION_POINTS)):
        added[INJECTION_POINTS] = points
    if rewritten.cache_key is not None and CACHE_KEY not in data:
        added[CACHE_KEY] = rewritten.cache_key
    return added


def resettled(
    points: Iterable[Any],
    before: Sequence[dict[str, Any]],
    leading: int,
    system: Sequence[dict[str, Any]],
    late_turns: Sequence[int],
    roles: frozenset[str] = SYSTEM_ROLES,
) -> list[Any]:
    """The points for a conversation whose ``leading`` messages became ``system``, with late messages behind turns.

    ``before`` holds the messages as they came; a point for all messages with one of these ``roles`` would take late
    ones for the prompt.
    """
    return [moved for point in points for moved in _moved(point, before, leading, system, late_turns, roles)]


def _moved(
    point: Any,
    before: Sequence[dict[str, Any]],
    leading: int,
    system: Sequence[dict[str, Any]],
    late_turns: Sequence[int],
    roles: frozenset[str],
) -> Iterator[Any]:
    role, index = (point.get("role"), point.get("index")) if isinstance(point, dict) else (None, None)
    if index is None and late_turns and role in roles:
        for number, message in enumerate(system):
            if message["role"] == role:
                yield {**point, "index": number}
        return
    position = index + len(before) if isinstance(index, int) and index < 0 else index
    if not isinstance(position, int) or not leading <= position < len(before):
        yield point
        return
    turn = position - leading
    place = len(system) + turn + sum(late < turn for late in late_turns)
    if turn in late_turns and position == len(before) - 1 and not any(marks_of_message(before[position])):
        place += late_turns.count(turn)  # it meant the end
    yield {**point, "index": place}
