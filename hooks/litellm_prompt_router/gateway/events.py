"""LiteLLM's objects -> the plain facts of who asked and what became of it. The only reader of what LiteLLM logs."""

from __future__ import annotations

import hashlib
import re
import time
import uuid
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from litellm_prompt_router.accounting.accountant import AnsweredAttempt
from litellm_prompt_router.accounting.counterfactual import scope_in
from litellm_prompt_router.cache_model.usage import read_usage
from litellm_prompt_router.record.record import Caller, Facts, Record
from litellm_prompt_router.request.wire.declared_tools import tool_names

MAX_NAME_CHARS = 256
OAUTH_PREFIX = "sk-ant-oat"
"""Of Anthropic's subscription tokens (litellm/llms/anthropic/common_utils.py, 1.100 and 1.106)."""
MAX_TAGS = 100
USD_DIGITS = 12
"""The cheapest token costs about 1e-9 USD; what stands three digits below that is noise."""
_HASH = re.compile(r"[0-9a-f]{64}")


def caller_of(
    key: Any, data: Mapping[str, Any], call_type: str, bag: Mapping[str, Any], now_seconds: float | None = None
) -> Caller:
    """Whose request it is; ``key`` is LiteLLM's UserAPIKeyAuth."""
    tools = data.get("tools")
    return Caller(
        request_id=uuid.uuid4().hex,
        call_id=_text(data.get("litellm_call_id")),
        started_seconds=time.time() if now_seconds is None else now_seconds,
        endpoint=call_type,
        stream=bool(data.get("stream")),
        thread_id=_text(data.get("litellm_session_id") or bag.get("session_id")),
        key_alias=_text(getattr(key, "key_alias", None)),
        key_hash=_key_hash(getattr(key, "api_key", None)),
        team_id=_text(getattr(key, "team_id", None)),
        model_group=_text(data.get("model")),
        tool_count=max(len(tools) if isinstance(tools, list) else 0, len(tool_names(data))),
        user_id=_text(getattr(key, "user_id", None)),
        tags=_tags(key),
    )


def _tags(key: Any) -> tuple[str, ...]:
    """The tags that the proxy set for the key, its team and its project; none that a request brought.

    LiteLLM mixes both kinds in its bag (proxy/litellm_pre_call_utils.py, 1.106).
    """
    holders = [dict_of(key, name) for name in ("metadata", "team_metadata", "project_metadata")]
    listed = [holder["tags"] for holder in holders if holder and isinstance(holder.get("tags"), (list, tuple))]
    texts = [tag for tags in listed for tag in map(_text, tags) if tag is not None]
    return tuple(dict.fromkeys(texts[:MAX_TAGS]))


def scope_of(key: Any) -> str:
    """What stands for a key in hashes and counts: its alias, which outlives a rotation, else its hash."""
    return _text(getattr(key, "key_alias", None)) or _key_hash(getattr(key, "api_key", None)) or ""


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


def has_client_oauth(data: Mapping[str, Any], bag: Mapping[str, Any]) -> bool:
    """True where the client pays with a subscription: its own OAuth token goes to the provider.

    LiteLLM 1.106 says so; before, the token is among the headers that it hands on.
    """
    if bag.get("used_client_oauth_token") is True:
        return True
    handed_on = data.get("provider_specific_header")
    for each in handed_on if isinstance(handed_on, list) else [handed_on]:
        headers = each.get("extra_headers") if isinstance(each, Mapping) else None
        token = headers.get("authorization") if isinstance(headers, Mapping) else None
        if isinstance(token, str) and token.removeprefix("Bearer ").startswith(OAUTH_PREFIX):
            return True
    return False


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


def response_in(kwargs: Mapping[str, Any], result: Any) -> Any:
    """What LiteLLM's success event will bring: of a stream the whole answer (litellm_logging.py, 1.106)."""
    whole = kwargs.get("async_complete_streaming_response") if kwargs.get("stream") is True else None
    return result if whole is None else whole


def answer_of_event(kwargs: Mapping[str, Any], response: Any) -> AnsweredAttempt:
    """The attempt that answered, from the same event."""
    params = kwargs.get("litellm_params") or {}
    payload = kwargs.get("standard_logging_object") or {}
    breakdown = payload.get("cost_breakdown") if isinstance(payload, Mapping) else None
    account = [
        str(params.get(name) or (kwargs.get("optional_params") or {}).get(name) or "") for name in _ACCOUNT_PARAMS
    ]
    provider = _text(kwargs.get("custom_llm_provider"))
    return AnsweredAttempt(
        deployment_id=_text((params.get("model_info") or {}).get("id")),
        provider=provider,
        model=_text(kwargs.get("model")),
        scope=scope_in(provider, *account),
        usage=getattr(response, "usage", None),
        breakdown=breakdown if isinstance(breakdown, Mapping) else None,
        first_token_seconds=_first_token_seconds(kwargs),
    )


_ACCOUNT_PARAMS = (
    *("api_key", "api_base", "organization", "aws_region_name", "aws_access_key_id", "vertex_project"),
    *("vertex_location", "region_name"),
)
"""What tells accounts at a provider apart, each with caches of its own."""


def _first_token_seconds(kwargs: Mapping[str, Any]) -> float:
    """From the start of the call to its response: the first chunk of a stream, the end of any other."""
    began, first = kwargs.get("api_call_start_time") or kwargs.get("start_time"), kwargs.get("completion_start_time")
    if not isinstance(began, datetime) or not isinstance(first, datetime):
        return 0.0
    return max(0.0, first.timestamp() - began.timestamp())


def _usd(cost: object) -> Decimal | None:
    """LiteLLM's cost, a float, without the digits that only binary rounding put there."""
    if not isinstance(cost, (int, float)) or isinstance(cost, bool):
        return None
    return round(Decimal(cost), USD_DIGITS).normalize()


def failure_of(facts: Facts, error: Exception) -> Record:
    """The record of a request that failed for the client."""
    model, provider = _text(getattr(error, "model", None)), _text(getattr(error, "llm_provider", None))
    return Record(
        facts=facts,
        finished_seconds=time.time(),
        status="failure",
        error_type=type(error).__name__,
        model=model and model.removeprefix(f"{provider}/"),  # as success events name it
        provider=provider,
        usage=None,
        usage_reason="the request failed",
        billed_usd=None,
        billed_reason="the request failed",
        response_cached=False,
    )
