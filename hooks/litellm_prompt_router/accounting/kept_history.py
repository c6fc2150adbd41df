"""What the ledger says of an answered request's messages, tools and varying values: hashes and sizes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from litellm_prompt_router.accounting.in_flight import InFlightRequest, Prompt
from litellm_prompt_router.accounting.known_beginnings import Histories, KnownBeginnings
from litellm_prompt_router.cache_model import Block
from litellm_prompt_router.cache_model.known_tools import EqualName, KnownTools
from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.record.history_state import (
    HistoryState,
    digest_of_text,
    history_after,
    history_before,
    history_state_of,
)
from litellm_prompt_router.record.prompt_state import state_of
from litellm_prompt_router.request.types import Request, UnreadableRequestError
from litellm_prompt_router.request.wire import SHAPES

STATE_BYTES = 1_500
"""Of a ``HistorySoFar``, with its hashes."""
MAX_TOOLS = 1_024


class KeptHistories:
    """Continues what was told of the beginnings of histories. Used by one thread."""

    def __init__(self, known: KnownBeginnings, histories: Histories, tools: KnownTools) -> None:
        self._known = known
        self._histories = histories
        self._tools = tools
        self._states: dict[tuple[EqualName, str], str] = {}
        register_memory(self, "hashes of declared tools", MAX_TOOLS, lambda it: len(it._states))

    def state_of(self, kept: InFlightRequest, scope: str, blocks: Sequence[Block] | None) -> HistoryState | None:
        """Of the request as it came; ``blocks`` are those that its provider reads of it, None where that isn't known.

        None where the request can't be read. ``scope`` stands for the key.
        """
        shape = SHAPES.get(kept.endpoint)
        if shape is None:
            return None
        try:
            request, told = self._read(shape.read, kept.endpoint, _without_tools(kept.original), scope)
        except UnreadableRequestError:
            return None
        more: dict[str, Any] = {}
        if kept.places is not None:
            more["placed_state"], more["varying_state"] = (
                state_of(places, request.system_text, scope) for places in kept.places
            )
        tools = kept.original.get("tools") or kept.original.get("functions")
        if tools:
            more["tools_state"] = self._tools_state(tools, scope)
        if blocks is not None:
            more |= {"history_tokens": _tokens(blocks, "messages"), "tools_tokens": _tokens(blocks, "tools")}
        return replace(told, **more) if more else told

    def _read(
        self, read: Callable[[Prompt], Request], endpoint: str, body: Prompt, scope: str
    ) -> tuple[Request, HistoryState]:
        """The request, which may lack the beginning of the history, and what is told of all messages."""
        history = self._histories.of(body, endpoint)
        key = ("told", scope, endpoint)
        start, before = 0, None
        if history is not None:
            try:
                start, before = self._known.find(key, history)
            except ValueError:  # a type that JSON doesn't have
                history = None
        request = read(body if history is None or before is None else history.without(body, start))
        if history is None or len(request.turns) != len(history.items) - start:
            whole = request if before is None else read(body)
            return whole, history_state_of(whole.turns, scope)
        end = history.ends[-1]
        until = history_after(before or history_before(scope), request.turns[: end - start], scope)
        if end > start or before is None:
            self._known.keep(key, history, end, until, STATE_BYTES)
        return request, history_after(until, request.turns[end - start :], scope).told()

    def _tools_state(self, tools: Any, scope: str) -> str:
        try:
            name = (self._tools.name_of(tools), scope)
        except ValueError:  # a type that JSON doesn't have
            return digest_of_text(json.dumps(tools, default=str), scope)
        state = self._states.get(name)
        if state is None:
            if len(self._states) >= MAX_TOOLS:
                self._states.pop(next(iter(self._states)))
            state = self._states[name] = digest_of_text(json.dumps(tools, default=str), scope)
        return state


def _without_tools(body: Prompt) -> Prompt:
    """What is told of a history doesn't depend on them, but for those that its own items declare."""
    return {name: value for name, value in body.items() if name != "tools"}


def _tokens(blocks: Sequence[Block], section: str) -> int:
    return sum([block.tokens for block in blocks if block.section == section])
