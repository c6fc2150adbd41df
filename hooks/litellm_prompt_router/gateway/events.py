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
from litellm_prompt_router.gateway.caller import mapping_of, text_of
from litellm_prompt_router.record.record import Facts, Record

USD_DIGITS = 12
"""The cheapest token costs about 1e-9 USD; what stands three digits below that is noise."""
MAX_USD = 1e9
"""Of one call. What is beyond, negative or not a number is no bill."""


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
        usage_reason=_client_left(kwargs) if usage else "the provider reported no usage",
        billed_usd=billed,
        billed_reason=None if billed is not None else _WHY_UNBILLED[usage is None],
        response_cached=cached,
    )


_WHY_UNBILLED = ("LiteLLM knows no price for this model", "the provider reported no usage")


def answered_response(kwargs: Mapping[str, Any], result: Any) -> Any:
    """What LiteLLM's success event will bring: of a stream the whole answer (litellm_logging.py, 1.106)."""
    whole = kwargs.get("async_complete_streaming_response") if kwargs.get("stream") is True else None
    return result if whole is None else whole


def answered_attempt(kwargs: Mapping[str, Any], response: Any, usage_reason: str | None = None) -> AnsweredAttempt:
    """The attempt that answered, from the same event. ``usage_reason``: why its usage isn't one of the kept request."""
    params, optional = mapping_of(kwargs.get("litellm_params")), mapping_of(kwargs.get("optional_params"))
    breakdown = mapping_of(kwargs.get("standard_logging_object")).get("cost_breakdown")
    stated = [str(params.get(name) or optional.get(name) or "") for name in _ACCOUNT_PARAMS]
    account = [
        _host(value) if name == "api_base" else value for name, value in zip(_ACCOUNT_PARAMS, stated, strict=True)
    ]
    provider, usage = text_of(kwargs.get("custom_llm_provider")), getattr(response, "usage", None)
    items = _items(response)
    return AnsweredAttempt(
        deployment_id=text_of(mapping_of(params.get("model_info")).get("id")),
        provider=provider,
        model=text_of(kwargs.get("model")),
        scope=scope_in(provider, *account),
        usage=usage,
        breakdown=breakdown if isinstance(breakdown, Mapping) else None,
        first_token_seconds=_first_token_seconds(kwargs),
        usage_reason=usage_reason or _client_left(kwargs),
        may_be_guess=kwargs.get("stream") is True and _tells_no_more_than_totals(usage, is_responses=items is not None),
        parameters=optional,
        items=items,
    )


CLIENT_LEFT = "the client left before the stream's end, so that LiteLLM counted what came"


def _client_left(kwargs: Mapping[str, Any]) -> str | None:
    """Why the usage is a guess of LiteLLM's, where it says that the client left (``common_request_processing``)."""
    metadata = mapping_of(mapping_of(kwargs.get("litellm_params")).get("metadata"))
    return CLIENT_LEFT if metadata.get("client_disconnected") is True else None


def _tells_no_more_than_totals(usage: object, *, is_responses: bool) -> bool:
    """True where no part of the input is told apart, as in what LiteLLM counts itself of a stream without usage.

    Of a Responses stream what it counts has no details at all (``_estimate_usage_from_text``, 1.106); OpenAI's has.
    """
    details = usage.get("prompt_tokens_details") if isinstance(usage, Mapping) else None
    details = details or getattr(usage, "prompt_tokens_details", None)
    if is_responses:
        return details is None
    told = [getattr(details, name, None) for name in ("audio_tokens", "text_tokens", "cached_tokens")]
    return details is None or told in ([None, None, 0], [None, None, None])


def _items(response: Any) -> tuple[str, ...] | None:
    """The kinds of what a Responses answer consists of; None for other answers."""
    output = getattr(getattr(response, "response", response), "output", None)
    if not isinstance(output, list):
        return None
    kinds = [item.get("type") if isinstance(item, dict) else getattr(item, "type", None) for item in output]
    return tuple(kind for kind in kinds if isinstance(kind, str))


_ACCOUNT_PARAMS = (
    *("api_key", "api_base", "organization", "aws_region_name", "aws_access_key_id", "vertex_project"),
    *("vertex_location", "region_name"),
)
"""What tells accounts at a provider apart, each with caches of its own."""


def _host(address: str) -> str:
    """The host alone: for Bedrock and others LiteLLM states another path where the answer was streamed (1.106)."""
    try:
        return urlsplit(address).netloc or address
    except ValueError:  # no address at all
        return address


def _first_token_seconds(kwargs: Mapping[str, Any]) -> float:
    """From the start of the call to its response: the first chunk of a stream, the end of any other."""
    began, first = kwargs.get("api_call_start_time") or kwargs.get("start_time"), kwargs.get("completion_start_time")
    if not isinstance(began, datetime) or not isinstance(first, datetime):
        return 0.0
    return max(0.0, first.timestamp() - began.timestamp())


def _usd(cost: object) -> Decimal | None:
    """LiteLLM's cost, a float, without the digits that only binary rounding put there; None where it is no amount."""
    if not isinstance(cost, (int, float)) or isinstance(cost, bool) or not 0 <= cost <= MAX_USD:
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
