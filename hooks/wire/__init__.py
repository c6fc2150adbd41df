"""Request and response dicts <-> our types, one module for each endpoint shape. Loose dicts end here.

A shape is added by writing its three functions and naming the call types that use it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hooks.data import Request, Rewritten, Target
from hooks.profile import Ttl
from hooks.wire import chat, chat_marks
from hooks.wire.body import MASK, answer_of, client_body, conversation_of, snapshot, tool_names
from hooks.wire.usage import Usage, read_kinds, read_usage

__all__ = [
    "BAG_KEYS",
    "MASK",
    "SHAPES",
    "Shape",
    "Usage",
    "answer_of",
    "bag_of",
    "client_body",
    "conversation_of",
    "header_of",
    "read_kinds",
    "read_usage",
    "snapshot",
    "tool_names",
]

BAG_KEYS = ("litellm_metadata", "metadata")
"""Where LiteLLM keeps a request's own metadata, first one present wins (LITELLM call types differ)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """How one endpoint carries its system prompt.

    ``read``: the request in our types; raises UnreadableRequestError with a passthrough reason.
    ``write``: a new body with the rewritten system prompt; shares what it doesn't change, changes nothing shared.
    ``marked``: the body as it came with as many cache marks as help, and their number.
    """

    read: Callable[[Mapping[str, Any]], Request]
    write: Callable[[Mapping[str, Any], Request, Rewritten], dict[str, Any]]
    marked: Callable[[Mapping[str, Any], Request, Target, Ttl], tuple[Mapping[str, Any], int]]


SHAPES: Mapping[str, Shape] = {
    "acompletion": Shape(read=chat.read, write=chat.write, marked=chat_marks.marked),
}
"""By the ``call_type`` that LiteLLM's proxy passes to its pre-call hook."""


def bag_of(data: Mapping[str, Any]) -> dict[str, Any] | None:
    """LiteLLM's metadata bag of a request; None when it has none. Mutable: LiteLLM reads it in place."""
    for key in BAG_KEYS:
        bag = data.get(key)
        if isinstance(bag, dict):
            return bag
    return None


def header_of(data: Mapping[str, Any], name: str) -> str | None:
    """A header of the client's HTTP request, by its lower-case name."""
    received = data.get("proxy_server_request")
    headers = received.get("headers") if isinstance(received, dict) else None
    value = headers.get(name) if isinstance(headers, dict) else None
    return value if isinstance(value, str) else None
