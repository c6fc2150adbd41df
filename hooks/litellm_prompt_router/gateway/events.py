"""LiteLLM's logging events -> what became of a request. The only reader of what LiteLLM logs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from litellm_prompt_router.accounting.accountant import AnsweredAttempt
from litellm_prompt_router.accounting.counterfactual import scope_in
from litellm_prompt_router.cache_model.usage import read_usage
from litellm_prompt_router.gateway.caller import text_of
from litellm_prompt_router.record.record import Facts, Record

USD_DIGITS = 12
"""The cheapest token costs about 1e-9 USD; what stands three digits below that is noise."""


def success_record(facts: Facts, kwargs: Mapping[str, Any], response: Any) -> Record:
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
        model=text_of(kwargs.get("model")),
        provider=text_of(kwargs.get("custom_llm_provider")),
        usage=usage,
        usage_reason=None if usage else "the provider reported no usage",
        billed_usd=billed,
        billed_reason=None if billed is not None else _WHY_UNBILLED[usage is None],
        response_cached=cached,
    )


_WHY_UNBILLED = ("LiteLLM knows no price for this model", "the provider reported no usage")


def answered_response(kwargs: Mapping[str, Any], result: Any) -> Any:
    """What LiteLLM's success event will bring: of a stream the whole answer (litellm_logging.py, 1.106)."""
    whole = kwargs.get("async_complete_streaming_response") if kwargs.get("stream") is True else None
    return result if whole is None else whole


def answered_attempt(kwargs: Mapping[str, Any], response: Any) -> AnsweredAttempt:
    """The attempt that answered, from the same event."""
    params = kwargs.get("litellm_params") or {}
    payload = kwargs.get("standard_logging_object") or {}
    breakdown = payload.get("cost_breakdown") if isinstance(payload, Mapping) else None
    stated = [
        str(params.get(name) or (kwargs.get("optional_params") or {}).get(name) or "") for name in _ACCOUNT_PARAMS
    ]
    account = [
        _host(value) if name == "api_base" else value for name, value in zip(_ACCOUNT_PARAMS, stated, strict=True)
    ]
    provider = text_of(kwargs.get("custom_llm_provider"))
    return AnsweredAttempt(
        deployment_id=text_of((params.get("model_info") or {}).get("id")),
        provider=provider,
        model=text_of(kwargs.get("model")),
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


def _host(address: str) -> str:
    """The host alone: for Bedrock and others LiteLLM states another path where the answer was streamed (1.106)."""
    return urlsplit(address).netloc or address


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


def abandoned_record(facts: Facts, error: BaseException | None) -> Record:
    """The record of a request that went its way without us after it had asked a routing model; ``error`` ended it."""
    return Record(
        facts=facts,
        finished_seconds=time.time(),
        status="success" if error is None else "failure",
        error_type=None if error is None else type(error).__name__,
        model=None,
        provider=None,
        usage=None,
        usage_reason=facts.reason,
        billed_usd=None,
        billed_reason=facts.reason,
        response_cached=False,
    )


def failure_record(facts: Facts, error: Exception) -> Record:
    """The record of a request that failed for the client."""
    model, provider = text_of(getattr(error, "model", None)), text_of(getattr(error, "llm_provider", None))
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
