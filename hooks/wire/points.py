"""LiteLLM's injection points in a rewritten conversation: each still at the message that it meant.

A point names a message by its index or all messages of a role; late modules' messages would shift the ones and
join the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hooks.wire.marks import marks_of_message

INJECTION_POINTS = "cache_control_injection_points"
SYSTEM_ROLES = frozenset({"system", "developer"})


def resettled(
    points: Iterable[Any],
    before: Sequence[dict[str, Any]],
    leading: int,
    system: Sequence[dict[str, Any]],
    late_turns: Sequence[int],
) -> list[Any]:
    """The points for a conversation whose ``leading`` messages became ``system``, with late messages behind turns.

    ``before`` holds the messages as they came.
    """
    return [moved for point in points for moved in _moved(point, before, leading, system, late_turns)]


def _moved(
    point: Any,
    before: Sequence[dict[str, Any]],
    leading: int,
    system: Sequence[dict[str, Any]],
    late_turns: Sequence[int],
) -> Iterator[Any]:
    role, index = (point.get("role"), point.get("index")) if isinstance(point, dict) else (None, None)
    if index is None and late_turns and role in SYSTEM_ROLES:
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
        place += 1  # it meant the end
    yield {**point, "index": place}
