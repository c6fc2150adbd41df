"""The emulated provider's prompt cache: a virtual clock, and accounting by the model that the product predicts with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from litellm_prompt_router.cache_model import (
    BlockReader,
    PrefixCache,
    Rules,
    anthropic_rules,
    openai_rules,
)
from litellm_prompt_router.profile.tokens import token_counter
from tests.emulators.refusals import refuse_anthropic, refuse_openai, takes_mid_system
from tests.emulators.replies import HttpError, Usage

TIME_HEADER = "x-virtual-time"
"""Seconds at which the request that carries it starts. LiteLLM passes it on when the request body names it under
``extra_headers``, or when ``general_settings.forward_client_headers_to_llm_api`` is true."""

CALL_HEADER = "x-virtual-call"
"""A name for the call that a request is an attempt of; passed on as ``TIME_HEADER`` is."""

Provider = Literal["anthropic", "openai"]


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
    """Caches of both providers, one for each model, API key and ``prompt_cache_key``: these share nothing.

    An API key stands for a workspace of its own ("Cache storage and sharing", the CLAUDE page of
    cache_model/rules.py). The time of each runs on its own: requests of two API keys may come in any order.

    A request starts at its ``x-virtual-time``, or at ``clock`` when it has none. What it writes can be read
    ``first_token_seconds`` later. ``takes_mid_system`` says which Claude models take ``system`` messages inside
    ``messages``.
    """

    def __init__(
        self,
        *,
        clock: VirtualClock | None = None,
        count_tokens: Callable[[str], int] | None = None,
        anthropic: Callable[[str], Rules] = anthropic_rules,
        openai: Callable[[str], Rules] = openai_rules,
        takes_mid_system: Callable[[str], bool] = takes_mid_system,
        first_token_seconds: float = 0.0,
    ) -> None:
        self.clock = clock or VirtualClock()
        self.takes_mid_system = takes_mid_system
        self.first_token_seconds = first_token_seconds
        self._reader = BlockReader(count_tokens or token_counter())
        self._rules: Mapping[Provider, Callable[[str], Rules]] = {"anthropic": anthropic, "openai": openai}
        self._caches: dict[tuple[Provider, str, str], PrefixCache] = {}
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
            self._caches.clear()
            self._accounted.clear()

    def refuse(self, provider: Provider, body: Mapping[str, Any]) -> HttpError | None:
        """The provider's 400 for this body, or None."""
        if provider == "anthropic":
            accepts = self.takes_mid_system(str(body.get("model")))
            message = refuse_anthropic(body, takes_mid_system=accepts)
        else:
            message = refuse_openai(body)
        return None if message is None else HttpError(status=400, message=message)

    def account(self, provider: Provider, body: Mapping[str, Any], headers: Mapping[str, str]) -> Usage:
        """The input buckets of a request that the provider answers. Header names are lower case."""
        model = str(body.get("model"))
        scope = headers.get("x-api-key") or headers.get("authorization") or ""
        if provider == "openai":
            # OPENAI in cache_model/rules.py: the key "separates cache reuse between groups of requests".
            scope = f"{scope}\n{body.get('prompt_cache_key')}"
        with self._lock:
            at_seconds = float(headers.get(TIME_HEADER, self.clock.now_seconds))
            reader = self._reader
            blocks = reader.anthropic(body) if provider == "anthropic" else reader.openai(body)
            cache = self._caches.get((provider, model, scope))
            if cache is None:
                cache = self._caches[provider, model, scope] = PrefixCache(self._rules[provider](model))
            counted = cache.account(blocks, at_seconds, first_token_seconds=self.first_token_seconds)
            usage = Usage(
                uncached_input_tokens=counted.uncached_input_tokens,
                cache_read_tokens=counted.cache_read_tokens,
                cache_write_5m_tokens=counted.cache_write_5m_tokens,
                cache_write_1h_tokens=counted.cache_write_1h_tokens,
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
