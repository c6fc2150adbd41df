"""Where late modules stand in a conversation, and in which form.

As a system message: directly behind the turn that first needed them. As a note: a text block of its own inside that
user message or tool result, or, where a host takes a user's message behind a tool's result, in a message of its own
there. Only what stands at or before a place decides on it, because whatever the client sends later must find it
unchanged. That is why Claude gets notes: it refuses a system message ahead of a user's, beside another one or behind
an assistant's, and which of them comes next isn't known when the late module is first sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from litellm_prompt_router.request.types import RESULT_ROLES, Composition, LateMessage, Target, Turn

NOTE_INTRODUCTION = (
    "\n\n[Note from the operator, not from the user: this part of the assistant's instructions applies from here on.]"
    "\n\n"
)
"""Ahead of each note. It begins with a paragraph's end because some hosts get a message's blocks joined."""
_TAKERS = RESULT_ROLES | {"user"}
"""Roles of turns that can take a note."""


def with_late_places(
    composition: Composition,
    turns: Sequence[Turn],
    target: Target,
    count_tokens: Callable[[str], int],
    *,
    results_are_users: bool = False,
    settle: Callable[[int], int] = lambda turn: turn,
) -> Composition:
    """The composition with its late modules where every candidate takes them.

    ``results_are_users``: on this endpoint results of tools are blocks of a user message. ``settle``: the turn behind
    which something for a turn may stand, where calls and their results are turns of their own.
    """
    if not composition.late:
        return composition
    late = [message._replace(turn=settle(message.turn)) for message in composition.late]
    if target.late_form == "message":
        return replace(composition, late=tuple(late))
    is_block = results_are_users or not target.takes_user_behind_result
    noted = tuple(_note(message, turns, is_block=is_block) for message in late)
    added_tokens = count_tokens(NOTE_INTRODUCTION) * len(noted)
    return replace(composition, late=noted, late_tokens=composition.late_tokens + added_tokens)


def own_messages(composition: Composition) -> list[int]:
    """The turns with a late message of its own behind them, once for each."""
    return [message.turn for message in composition.late if not message.is_inside]


def _note(message: LateMessage, turns: Sequence[Turn], *, is_block: bool) -> LateMessage:
    turn = _taker(turns, message.turn)
    if turn is None:
        return message._replace(introduction=NOTE_INTRODUCTION)
    is_inside = is_block or turns[turn].role == "user"
    return message._replace(turn=turn, introduction=NOTE_INTRODUCTION, is_inside=is_inside)


def _taker(turns: Sequence[Turn], turn: int) -> int | None:
    """The user's turn or result that takes a note for ``turn``: itself, or one between the answers around it.

    Behind an answer only what follows it can: what stands ahead was sent before.
    """
    at = turn
    while at >= 0 and turns[at].role not in (*_TAKERS, "assistant"):
        at -= 1
    if at >= 0 and turns[at].role in _TAKERS:
        return at
    at = turn + 1
    while at < len(turns) and turns[at].role not in (*_TAKERS, "assistant"):
        at += 1
    return at if at < len(turns) and turns[at].role in _TAKERS else None
