"""LiteLLM's objects -> the plain facts of who asked and what became of it. The only reader of what LiteLLM logs."""

from __future__ import annotations

import hashlib
import re
import time
import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hooks.record import Caller, Facts, Record
from hooks.wire import read_usage
from hooks.wire.tools import tool_names

MAX_NAME_CHARS = 256
USD_DIGITS = 12
"""The cheapest token costs about 1e-9 USD; what stands three digits below that is noise."""
_HASH = re.compile(r"[0-9a-f]{64}")


def caller_of(key: Any, data: Mapping[str, Any], call_type: str, bag: Mapping[str, Any]) -> Caller:
    """Whose request it is; ``key`` is LiteLLM's UserAPIKeyAuth."""
    tools = data.get("tools")
    return Caller(
        request_id=uuid.uuid4().hex,
        call_id=_text(data.get("litellm_call_id")),
        started_seconds=time.time(),
        endpoint=call_type,
        stream=bool(data.get("stream")),
        thread_id=_text(data.get("litellm_session_id") or bag.get("session_id")),
        key_alias=_text(getattr(key, "key_alias", None)),
        key_hash=_key_hash(getattr(key, "api_key", None)),
        team_id=_text(getattr(key, "team_id", None)),
        model_group=_text(data.get("model")),
        tool_count=max(len(tools) if isinstance(tools, list) else 0, len(tool_names(data))),
    )


def _text(value: object) -> str | None:
    return value[:MAX_NAME_CHARS] if isinstance(value, str) and value else None


def dict_of(holder: Any, name: str) -> dict[str, Any] | None:
    """An attribute that is a dict; None for any other."""
    value = getattr(holder, name, None)
    return value if isinstance(value, dict) else None


def _key_hash(key: object) -> str | None:
    """LiteLLM's hash of the key, as in its spend logs; whatever isn't hashed yet is hashed here."""
    if not isinstance(key, str) or not key:
        return None
    return key if _HASH.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()


def has_client_oauth(bag: Mapping[str, Any]) -> bool:
    """True where the client pays with a subscription: its own OAuth token goes to the provider (LiteLLM 1.106 says)."""
    return bag.get("used_client_oauth_token") is True


def success_of(facts: Facts, kwargs: Mapping[str, Any], response: Any) -> Record:
    """The record of an answered request, from LiteLLM's success event."""
    cached = bool(kwargs.get("cache_hit"))
    usage = read_usage(getattr(response, "usage", None))
    if usage is not None and not usage.input_tokens:
        usage = None  # what LiteLLM logs of a stream without usage; no prompt is of no tokens
    billed = _usd(kwargs.get("response_cost")) if usage is not None or cached else None
    return Record(
        facts=facts,
        finished_seconds=time.time(),
        status="success",
        error_type=None,
        model=_text(kwargs.get("model")),
        provider=_text(kwargs.get("custom_llm_provider")),
        usage=usage,
        usage_reason=None if usage else "the provider reported no usage",
        billed_usd=billed,
        billed_reason=None if billed is not None else _WHY_UNBILLED[usage is None],
        response_cached=cached,
    )


_WHY_UNBILLED = ("LiteLLM knows no price for this model", "the provider reported no usage")


def _usd(cost: object) -> Decimal | None:
    """LiteLLM's cost, a float, without the digits that only binary rounding put there."""
    if not isinstance(cost, (int, float)) or isinstance(cost, bool):
        return None
    return round(Decimal(cost), USD_DIGITS).normalize()


def failure_of(facts: Facts, error: Exception) -> Record:
    """The record of a request that failed for the client."""
    return Record(
        facts=facts,
        finished_seconds=time.time(),
        status="failure",
        error_type=type(error).__name__,
        model=_text(getattr(error, "model", None)),
        provider=_text(getattr(error, "llm_provider", None)),
        usage=None,
        usage_reason="the request failed",
        billed_usd=None,
        billed_reason="the request failed",
        response_cached=False,
    )
