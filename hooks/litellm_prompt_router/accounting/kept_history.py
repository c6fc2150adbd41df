"""What the ledger says of an answered request's messages, tools and varying values: hashes and sizes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from litellm_prompt_router.accounting.in_flight import InFlightRequest
from litellm_prompt_router.cache_model import Block
from litellm_prompt_router.record.history_state import HistoryState, digest_of_text, history_state_of
from litellm_prompt_router.record.prompt_state import state_of
from litellm_prompt_router.request.types import UnreadableRequestError
from litellm_prompt_router.request.wire import SHAPES


def history_of(kept: InFlightRequest, scope: str, blocks: Sequence[Block] | None) -> HistoryState | None:
    """Of the request as it came; ``blocks`` are those that its provider reads of it, None where that isn't known.

    None where the request can't be read. ``scope`` stands for the key.
    """
    shape = SHAPES.get(kept.endpoint)
    if shape is None:
        return None
    try:
        request = shape.read(kept.original)
    except UnreadableRequestError:
        return None
    told = history_state_of(request.turns, scope)
    if kept.places is not None:
        placed, varying = (state_of(places, request.system_text, scope) for places in kept.places)
        told = replace(told, placed_state=placed, varying_state=varying)
    tools = kept.original.get("tools") or kept.original.get("functions")
    if tools:
        told = replace(told, tools_state=digest_of_text(json.dumps(tools, default=str), scope))
    if blocks is None:
        return told
    return replace(told, history_tokens=_tokens(blocks, "messages"), tools_tokens=_tokens(blocks, "tools"))


def _tokens(blocks: Sequence[Block], section: str) -> int:
    return sum([block.tokens for block in blocks if block.section == section])
