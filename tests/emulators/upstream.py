"""A provider on loopback that remembers every request it got."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from tests.emulators import anthropic_wire, bedrock_wire, gemini_wire, openai_wire, responses_wire
from tests.emulators.caching import CALL_HEADER, EmulatedCache, Provider
from tests.emulators.loopback import Answer, Incoming, Loopback
from tests.emulators.provider_rules import takes_mid_system
from tests.emulators.refusals import refuse_conversation
from tests.emulators.replies import HttpError, Reply, Text, ToolCall, Usage
from tests.emulators.structure import (
    refuse_anthropic_structure,
    refuse_gemini_structure,
    refuse_mistral_structure,
    refuse_openai_structure,
    refuse_responses_structure,
    refuse_template_structure,
)

__all__ = ["HttpError", "RecordedRequest", "Reply", "Text", "ToolCall", "Upstream", "Usage"]

Shape = Callable[[Mapping[str, Any], Reply, Usage], Answer]
Decide = Callable[[Mapping[str, Any]], Reply | None]
"""A body -> the reply to it; None leaves it to the script. For clients whose calls nobody can count ahead."""

SHAPES: Mapping[str, Shape] = {
    "/v1/messages": anthropic_wire.answer,
    "/chat/completions": openai_wire.answer,
    "/responses": responses_wire.answer,
    gemini_wire.WHOLE: gemini_wire.answer,
    gemini_wire.STREAM: gemini_wire.stream,
    "/converse": bedrock_wire.converse,
    "/converse-stream": bedrock_wire.converse_stream,
    "/invoke": bedrock_wire.invoke,
    "/invoke-with-response-stream": bedrock_wire.invoke_stream,
}
"""By how a path ends, so that one upstream stands for hosts with a prefix of their own."""
STRUCTURES: Mapping[str, Callable[[Mapping[str, Any]], str | None]] = {
    "/mistral/": refuse_mistral_structure,
    "/local/": refuse_template_structure,
}
"""By what a path holds: chat bodies that are refused as another host refuses them."""
NO_SYSTEM_ROLE = ("/deepseek/", "/azure-claude/")
"""Hosts that take Anthropic's bodies, and no system message in them (github.com/deepseek-ai/awesome-deepseek-
integration issue 639; the page on system messages names Anthropic's own host alone)."""
PROVIDERS: Mapping[Shape, Provider] = {
    anthropic_wire.answer: "anthropic",
    openai_wire.answer: "openai",
    responses_wire.answer: "openai",
    gemini_wire.answer: "gemini",
    gemini_wire.stream: "gemini",
    bedrock_wire.converse: "converse",
    bedrock_wire.converse_stream: "converse",
    bedrock_wire.invoke: "invoke",
    bedrock_wire.invoke_stream: "invoke",
}
"""Whose caches are emulated."""
ANTHROPIC_BODIES = (bedrock_wire.invoke, bedrock_wire.invoke_stream)
"""Others that take Anthropic's bodies, and refuse the same marks and orders."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedRequest:
    """A request as it stood on the wire. ``json`` is None if the body is no JSON."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    json: Any


class Upstream:
    """Anthropic Messages, OpenAI Chat and Responses, Gemini generateContent and Bedrock at ``url``, under any prefix.

    A request takes the next scripted reply, or ``default`` when none is left. Requests that the provider
    would refuse, and unknown paths, are recorded and leave the script alone. ``usage`` holds for every reply
    that brings none of its own; with ``caching`` only its output does, and the input is accounted as the provider
    would, which then refuses all that the provider refuses. Messages in an order that the provider refuses, and
    thinking from another conversation, are refused in any case.
    """

    def __init__(self, *, caching: EmulatedCache | None = None) -> None:
        self.caching = caching
        self._caching = caching
        self.default: Reply = Text(text="Hello from the upstream.")
        self.usage = Usage()
        self.decide: Decide | None = None
        self._lock = threading.Lock()
        self._requests: list[RecordedRequest] = []
        self._script: deque[Reply] = deque()
        self._failures: dict[str, deque[HttpError]] = {}
        self._server = Loopback(self._respond)

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def requests(self) -> list[RecordedRequest]:
        """Requests so far, in order of arrival; a copy."""
        with self._lock:
            return list(self._requests)

    @property
    def calls(self) -> list[RecordedRequest]:
        """Those that ask for a reply: LiteLLM also looks up models by itself (llms/openai_like/model_info.py)."""
        return [request for request in self.requests if request.method == "POST"]

    @property
    def last(self) -> RecordedRequest:
        """The latest request. Raises AssertionError if there is none."""
        requests = self.requests
        assert requests, "the upstream got no request"
        return requests[-1]

    def script(self, *replies: Reply | str) -> None:
        """Queue replies for the coming requests; a string is a text reply."""
        with self._lock:
            self._script.extend(Text(text=reply) if isinstance(reply, str) else reply for reply in replies)

    def fail(self, call: str, *errors: HttpError) -> None:
        """Answer the coming attempts of the call that ``CALL_HEADER`` names with these errors, one each.

        A failed attempt is recorded, takes no reply from the script, and is neither accounted nor cached.
        """
        with self._lock:
            self._failures.setdefault(call, deque()).extend(errors)

    def clear(self) -> None:
        """Forget the requests, the script and what is cached, and restore the default reply, usage and caching."""
        with self._lock:
            self._requests.clear()
            self._script.clear()
            self._failures.clear()
            self.default = Text(text="Hello from the upstream.")
            self.usage = Usage()
            self.caching = self._caching
        if self.caching is not None:
            self.caching.clear()

    def __enter__(self) -> Self:
        self._server.listen()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.close()

    def _respond(self, incoming: Incoming) -> Answer:
        body = _parse(incoming.body)
        recorded = RecordedRequest(
            method=incoming.method,
            path=incoming.path,
            headers=incoming.headers,
            body=incoming.body,
            json=body,
        )
        with self._lock:
            self._requests.append(recorded)
        shape = next((shape for end, shape in SHAPES.items() if incoming.route.endswith(end)), None)
        if shape is None or incoming.method != "POST":
            return openai_wire.answer({}, HttpError(status=404, message="no such route"), self.usage)
        if not isinstance(body, dict):
            return shape({}, HttpError(status=400, message="the body is not a JSON object"), self.usage)
        provider = PROVIDERS.get(shape)
        failure = self._refuse(shape, body, incoming.route) or self._failure(incoming.headers.get(CALL_HEADER))
        if failure is not None:
            return shape(body, failure, self.usage)
        reply = self.decide(body) if self.decide is not None else None
        if reply is None:
            with self._lock:
                reply = self._script.popleft() if self._script else self.default
        if isinstance(reply, HttpError):
            return shape(body, reply, self.usage)
        usage = self.usage
        if self.caching is not None and provider is not None:
            counted = self.caching.account(provider, body, incoming.headers, incoming.route)
            usage = replace(counted, output_tokens=usage.output_tokens)
        return shape(body, reply, reply.usage or usage)

    def _refuse(self, shape: Shape, body: Mapping[str, Any], route: str) -> HttpError | None:
        provider = PROVIDERS.get(shape)
        if provider == "anthropic" or shape in ANTHROPIC_BODIES:
            is_own = provider == "anthropic" and not any(host in route for host in NO_SYSTEM_ROLE)
            takes_system = is_own and takes_mid_system(str(body.get("model")))
            if self.caching is not None and is_own:
                takes_system = self.caching.takes_mid_system(str(body.get("model")))
            refused = anthropic_wire.refuse(body)
            message = refuse_anthropic_structure(body) or refuse_conversation(body, takes_mid_system=takes_system)
        elif provider == "openai":
            own = [rules for host, rules in STRUCTURES.items() if host in route]
            rules = own[0] if own else refuse_openai_structure
            rules = refuse_responses_structure if shape is responses_wire.answer else rules
            refused, message = None, rules(body)
        elif shape in (gemini_wire.answer, gemini_wire.stream):
            refused, message = None, refuse_gemini_structure(body)
        else:
            return None
        if self.caching is not None and provider is not None:
            refused = self.caching.refuse(provider, body)
        return refused or (None if message is None else HttpError(status=400, message=message))

    def _failure(self, call: str | None) -> HttpError | None:
        with self._lock:
            planned = self._failures.get(call or "")
            return planned.popleft() if planned else None


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
