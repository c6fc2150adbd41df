"""Breakpoints on messages: where clients put them, how ours are put, and LiteLLM's injection points.

A point names a message by its index or all messages of a role: in a rewritten conversation, where late modules are
messages of their own, each is moved to the message that it meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from litellm_prompt_router.request.types import Mark, Rewritten

CACHE_CONTROL = "cache_control"
BREAKPOINT = "prompt_cache_breakpoint"
MARK_KEYS = frozenset({CACHE_CONTROL, BREAKPOINT})
_FUNCTION = itemgetter("function")


def mark_of(holder: object) -> Mark | None:
    """The breakpoint on a message, block, call or tool, of either kind."""
    if not isinstance(holder, dict):
        return None
    mark = holder.get(CACHE_CONTROL)
    if isinstance(mark, dict):
        return mark
    explicit = holder.get(BREAKPOINT)
    return explicit if isinstance(explicit, dict) and "mode" in explicit else None


def marks_of_message(message: Mapping[str, Any]) -> Iterator[Mark]:
    """Breakpoints on a message, its blocks, those inside tool results, and its tool calls."""
    holders: list[object] = [message] if CACHE_CONTROL in message else []
    for name in ("content", "tool_calls"):
        parts = message.get(name)
        for part in parts if isinstance(parts, list) else ():
            holders.append(part)
            nested = part.get("content") if isinstance(part, dict) else None
            if isinstance(nested, list):
                holders += nested
    return (mark for holder in holders if (mark := mark_of(holder)) is not None)


def marks_of_tools(tools: object, *, in_functions: bool = False) -> tuple[Mark, ...]:
    """Breakpoints on declared tools, or on the functions in them. Of dozens in each call hardly ever one bears any."""
    marks: list[Mark] = []
    if not isinstance(tools, list) or not _may_bear_marks(tools, in_functions=in_functions):
        return ()
    for tool in tools:
        if not isinstance(tool, dict):
            continue
        mark = mark_of(tool) if CACHE_CONTROL in tool or BREAKPOINT in tool else None
        if in_functions and not mark:
            function = tool.get("function")
            is_bearer = isinstance(function, dict) and (CACHE_CONTROL in function or BREAKPOINT in function)
            mark = mark_of(function) if is_bearer else None
        if mark is not None:
            marks.append(mark)
    return tuple(marks)


def _may_bear_marks(tools: list[Any], *, in_functions: bool) -> bool:
    """False where none has a field of that name; without a step of Python's for each tool of every request."""
    try:
        if not all(map(MARK_KEYS.isdisjoint, tools)):
            return True
        return in_functions and not all(map(MARK_KEYS.isdisjoint, map(_FUNCTION, tools)))
    except (KeyError, TypeError):  # not as most are
        return True


def marked(block: Mapping[str, Any], text: str, mark: Mark | None) -> dict[str, Any]:
    """The block with this text, and this mark in place of its own."""
    out = {key: value for key, value in block.items() if key not in MARK_KEYS}
    out["text"] = text
    if mark is not None:
        out[BREAKPOINT if "mode" in mark else CACHE_CONTROL] = dict(mark)
    return out


def end_marked(content: Any, mark: Mark) -> Any:
    """The content in blocks with a mark on the last one that may bear one; the same where none may."""
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    for number in range(len(blocks) - 1, -1, -1) if isinstance(blocks, list) else ():
        block = blocks[number]
        if isinstance(block, dict) and _may_be_marked(block):
            return [*blocks[:number], {**block, CACHE_CONTROL: dict(mark)}, *blocks[number + 1 :]]
    return content


def with_end_marks(messages: Sequence[Mapping[str, Any]], points: Iterable[Mark]) -> list[Any]:
    """The messages with these points placed, as LiteLLM would, but without putting the others' strings into blocks."""
    out = list(messages)
    for point in points:
        message = out[point["index"]]
        control = point.get("control") or {"type": "ephemeral"}
        out[point["index"]] = {**message, "content": end_marked(message.get("content"), control)}
    return out


def _may_be_marked(block: Mapping[str, Any]) -> bool:
    """No thinking, and no empty text (platform.claude.com, "Prompt caching", checked 2026-11)."""
    kind = block.get("type")
    return kind not in ("thinking", "redacted_thinking") and (kind != "text" or bool(block.get("text")))


CACHE_KEY = "prompt_cache_key"
INJECTION_POINTS = "cache_control_injection_points"
SYSTEM_ROLES = frozenset({"system", "developer"})


def marks_behind(data: Mapping[str, Any]) -> Iterator[Mark]:
    """What the client marks behind the system prompt in no message: at top level and by injection points."""
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


def added_parameters(data: Mapping[str, Any], rewritten: Rewritten, points: list[Any]) -> dict[str, Any]:
    """What goes beside the texts: these points where they aren't stated already, OpenAI's cache key."""
    added: dict[str, Any] = {}
    if rewritten.breakpoints.points is not None or (points and points != data.get(INJECTION_POINTS)):
        added[INJECTION_POINTS] = points
    if rewritten.cache_key is not None and CACHE_KEY not in data:
        added[CACHE_KEY] = rewritten.cache_key
    return added


def moved_points(
    points: Iterable[Any],
    before: Sequence[dict[str, Any]],
    leading: int,
    system: Sequence[dict[str, Any]],
    late_turns: Sequence[int],
    roles: frozenset[str] = SYSTEM_ROLES,
) -> list[Any]:
    """The points for a conversation whose ``leading`` messages became ``system``, with late messages behind turns.

    ``before`` holds the messages as they came; a point for all messages with one of these ``roles`` would take late
    ones for the prompt, and one for all users' would take notes for theirs.
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
    if index is None and late_turns and role == "user":
        for number, message in enumerate(before[leading:]):
            if message.get("role") == role:
                yield {**point, "index": len(system) + number + sum(late < number for late in late_turns)}
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
