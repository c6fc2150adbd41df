"""Request and response dicts <-> our types, one module for each endpoint shape. Loose dicts end here.

A shape is added by writing its three functions and naming the call types that use it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from litellm_prompt_router.profile.profile import Ttl
from litellm_prompt_router.request.types import (
    CHAT,
    GEMINI,
    GEMINI_STREAM,
    MESSAGES,
    RESPONSES,
    Request,
    Rewritten,
    Target,
)
from litellm_prompt_router.request.wire import bridged_marks, chat, chat_marks, gemini, messages, responses
from litellm_prompt_router.request.wire.captured_body import MASK, answer_of, client_body, snapshot
from litellm_prompt_router.request.wire.conversation import UNNAMED, Sender, conversation_of, sender_of
from litellm_prompt_router.request.wire.declared_tools import known_tools, tool_names, tools_chars
from litellm_prompt_router.request.wire.marking import MarkPlan, Texts
from litellm_prompt_router.request.wire.outline import BodyOutline

__all__ = [
    "MASK",
    "SHAPES",
    "UNNAMED",
    "EndpointShape",
    "Sender",
    "answer_of",
    "client_body",
    "conversation_of",
    "known_tools",
    "sender_of",
    "snapshot",
    "tool_names",
    "tools_chars",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointShape:
    """How one endpoint carries its system prompt.

    ``outline``: what the body is made of; raises UnreadableRequestError with a passthrough reason.
    ``write``: a new body with the rewritten system prompt; shares what it doesn't change, changes nothing shared.
    ``marked``: the body as it came with as many cache marks as help, and their number.
    ``texts``: where two rewritings of one body may differ in cuts and marks.
    ``settle``: the turn behind which something for a turn may stand: no call there waits for its result.
    ``results_are_users``: results of tools are blocks of a user message.
    ``bridged``: how to mark the chat body that LiteLLM makes of a rewritten one for Claude; None where its own
    endpoint takes marks.
    """

    outline: Callable[[Mapping[str, Any]], BodyOutline]
    write: Callable[[Mapping[str, Any], Request, Rewritten], dict[str, Any]]
    marked: Callable[[Mapping[str, Any], Request, Target, Ttl], tuple[Mapping[str, Any], int]]
    texts: Texts
    bridged: Callable[[Mapping[str, Any], Request, Rewritten], MarkPlan] | None = None
    settle: Callable[[Mapping[str, Any], int], int] = lambda data, turn: turn
    results_are_users: bool = False

    def read(self, data: Mapping[str, Any]) -> Request:
        """The request in our types; raises UnreadableRequestError with a passthrough reason."""
        return self.outline(data).request()


def _unmarked(data: Mapping[str, Any], *_: object) -> tuple[Mapping[str, Any], int]:
    return data, 0


_GEMINI = EndpointShape(
    outline=gemini.outline,
    write=gemini.write,
    marked=_unmarked,
    texts=Texts(items="contents"),
    bridged=bridged_marks.plan_for_gemini,
)

SHAPES: Mapping[str, EndpointShape] = {
    CHAT: EndpointShape(outline=chat.outline, write=chat.write, marked=chat_marks.marked, texts=Texts()),
    RESPONSES: EndpointShape(
        outline=responses.outline,
        write=responses.write,
        marked=_unmarked,
        texts=Texts(fields=("instructions",), items="input", kind="input_text"),
        bridged=bridged_marks.plan_for_responses,
        settle=responses.settled_at,
    ),
    GEMINI: _GEMINI,
    GEMINI_STREAM: _GEMINI,
    MESSAGES: EndpointShape(
        outline=messages.outline,
        write=messages.write,
        marked=messages.marked,
        texts=Texts(fields=("system",)),
        results_are_users=True,
    ),
}
"""By the ``call_type`` that LiteLLM's proxy passes to its pre-call hook."""
