"""Request and response dicts <-> our types, one module for each endpoint shape. Loose dicts end here.

A shape is added by writing its ``read`` and ``write`` and naming the call types that use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from hooks.data import Request, Rewritten
from hooks.wire import chat
from hooks.wire.body import MASK, answer_of, client_body, conversation_of, snapshot, tool_names
from hooks.wire.usage import Usage, read_usage

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
    "read_usage",
    "snapshot",
    "tool_names",
]

BAG_KEYS = ("litellm_metadata", "metadata")
"""Where LiteLLM keeps a request's own metadata, first one present wins (LITELLM call types differ)."""


class Shape(Protocol):
    """How one endpoint carries its system prompt."""

    def read(self, data: Mapping[str, Any]) -> Request:
        """The request in our types. Raises UnreadableRequestError with a passthrough reason."""

    def write(self, data: Mapping[str, Any], request: Request, rewritten: Rewritten) -> dict[str, Any]:
        """A new body with the rewritten system prompt. Shares what it doesn't change; changes nothing shared."""


SHAPES: Mapping[str, Shape] = {"acompletion": chat}
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
