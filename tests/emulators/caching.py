"""The emulated providers' prompt caches on a virtual clock, by rules of their own (``provider_rules``)."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from litellm_prompt_router.profile.tokens import token_counter
from tests.emulators.prefix_store import Store, store_of
from tests.emulators.prompt_pieces import (
    Piece,
    anthropic_pieces,
    chat_pieces,
    converse_pieces,
    gemini_pieces,
)
from tests.emulators.provider_rules import (
    CacheRules,
    chat_host_rules,
    claude_rules,
    gemini_rules,
    takes_mid_system,
)
from tests.emulators.refusals import refuse_anthropic, refuse_marks, refuse_openai
from tests.emulators.replies import HttpError, Usage

TIME_HEADER = "x-virtual-time"
"""Seconds at which the request that carries it starts. LiteLLM passes it on when the request body names it under
``extra_headers``, or when ``general_settings.forward_client_headers_to_llm_api`` is true."""

CALL_HEADER = "x-virtual-call"
"""A name for the call that a request is an attempt of; passed on as ``TIME_HEADER`` is."""

Provider = Literal["anthropic", "invoke", "converse", "openai", "gemini"]
"""Whose bodies they are: ``invoke`` and ``converse`` are Bedrock's two, ``openai`` is everybody who takes OpenAI's."""

HOSTS = ("azure", "deepseek", "xai", "mistral", "moonshot", "dashscope", "zai", "openrouter")
"""Hosts of OpenAI's bodies, by a part of the path."""
MODEL_IN_ROUTE = re.compile(r"/models?/([^/:]+)")


class VirtualClock:
    """Seconds that pass only when told to."""

    def __init__(self, now_seconds: float = 0.0) -> None:
        self.now_seconds = now_seconds

    def advance(self, seconds: float) -> None:
        """Let time pass. Raises ValueError for a step back."""
        if seconds < 0:
            raise ValueError(f"time runs forward, got {seconds}")
        self.now_seconds += seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Accounted:
    """One request that the provider took, and its input buckets. ``body`` is what it said, ``scope`` who said it.

    ``call`` is the name in ``CALL_HEADER``.
    """

    provider: Provider
    model: str
    scope: str
    call: str | None
    at_seconds: float
    body: Mapping[str, Any]
    usage: Usage


class EmulatedCache:
    """All providers' caches, one for each host, model, API key and OpenAI's ``prompt_cache_key``, which share nothing.

    An API key stands for a workspace of its own ("Cache storage and sharing", the CLAUDE page of ``provider_rules``).
    The time of each runs on its own: requests of two API keys may come in any order.

    A request starts at its ``x-virtual-time``, or at ``clock`` when it has none. What it writes can be read
    ``first_token_seconds`` later. ``takes_mid_system`` says which Claude models take ``system`` messages inside
    ``messages``; ``known_as`` which model really answers under a name; ``rules`` what a provider does otherwise than
    its documentation says.
    """

    def __init__(
        self,
        *,
        clock: VirtualClock | None = None,
        count_tokens: Callable[[str], int] | None = None,
        known_as: Callable[[str], str] = lambda model: model,
        rules: Callable[[CacheRules], CacheRules] = lambda documented: documented,
        takes_mid_system: Callable[[str], bool] = takes_mid_system,
        first_token_seconds: float = 0.0,
    ) -> None:
        self.clock = clock or VirtualClock()
        self.takes_mid_system = takes_mid_system
        self.first_token_seconds = first_token_seconds
        self._known_as = known_as
        self._altered = rules
        self._count = _remembering(count_tokens or token_counter())
        self._stores: dict[tuple[str, str, str, CacheRules], Store] = {}
        self._accounted: list[Accounted] = []
        self._lock = threading.Lock()

    @property
    def accounted(self) -> list[Accounted]:
        """The requests taken so far, in order of arrival; a copy."""
        with self._lock:
            return list(self._accounted)

    def clear(self) -> None:
        """Forget every entry and every request. The clock stays."""
        with self._lock:
            self._stores.clear()
            self._accounted.clear()

    def refuse(self, provider: Provider, body: Mapping[str, Any]) -> HttpError | None:
        """The provider's 400 for this body, or None."""
        message = None
        if provider == "anthropic":
            accepts = self.takes_mid_system(str(body.get("model")))
            message = refuse_anthropic(body, takes_mid_system=accepts)
        elif provider == "invoke":
            message = refuse_marks(body)
        elif provider == "openai":
            message = refuse_openai(body)
        return None if message is None else HttpError(status=400, message=message)

    def account(
        self, provider: Provider, body: Mapping[str, Any], headers: Mapping[str, str], route: str = ""
    ) -> Usage:
        """The input buckets of a request that the provider answers. Header names are lower case."""
        in_route = MODEL_IN_ROUTE.search(route)
        model = str(body.get("model") or (in_route[1] if in_route else ""))
        host = next((name for name in HOSTS if f"/{name}/" in route), provider)
        scope = _scope(headers)
        if provider == "openai":
            # The OPENAI page of provider_rules: the key "separates cache reuse between groups of requests".
            scope = f"{scope}\n{body.get('prompt_cache_key')}"
        with self._lock:
            at_seconds = float(headers.get(TIME_HEADER, self.clock.now_seconds))
            pieces = _pieces(provider, host, body, self._count)
            rules = self._altered(_rules(provider, host, self._known_as(model), pieces))
            store = self._stores.setdefault((host, model, scope, rules), store_of(rules, self._count))
            billed = store.bill(pieces, at_seconds, at_seconds + self.first_token_seconds)
            usage = Usage(
                uncached_input_tokens=sum(piece.tokens for piece in pieces) - sum(billed),
                cache_read_tokens=billed.read,
                cache_write_5m_tokens=billed.written,
                cache_write_1h_tokens=billed.written_for_an_hour,
                output_tokens=0,
            )
            self._accounted.append(
                Accounted(
                    provider=provider,
                    model=model,
                    scope=scope,
                    call=headers.get(CALL_HEADER),
                    at_seconds=at_seconds,
                    body=body,
                    usage=usage,
                )
            )
        return usage


def _rules(provider: Provider, host: str, model: str, pieces: list[Piece]) -> CacheRules:
    match provider:
        case "anthropic":
            return claude_rules(model)
        case "invoke" | "converse":
            return claude_rules(model, is_own_api=False)
        case "gemini":
            return gemini_rules(model)
        case "openai":
            return chat_host_rules(host, model, is_marked=any(piece.mark for piece in pieces))


def _pieces(provider: Provider, host: str, body: Mapping[str, Any], count: Callable[[str], int]) -> list[Piece]:
    match provider:
        case "anthropic" | "invoke":
            return anthropic_pieces(body, count)
        case "converse":
            return converse_pieces(body, count)
        case "gemini":
            return gemini_pieces(body, count)
        case "openai":
            return chat_pieces(body, count, is_markable=host == "dashscope")


def _scope(headers: Mapping[str, str]) -> str:
    """The API key. AWS signs each request anew: there it is the credential."""
    signed = re.search(r"Credential=([^/]+)/", headers.get("authorization", ""))
    names = ("x-api-key", "api-key", "x-goog-api-key", "authorization")
    return signed[1] if signed else next((headers[name] for name in names if headers.get(name)), "")


def _remembering(count: Callable[[str], int]) -> Callable[[str], int]:
    counted: dict[str, int] = {}

    def remembered(text: str) -> int:
        if text not in counted:
            counted[text] = count(text)
        return counted[text]

    return remembered
