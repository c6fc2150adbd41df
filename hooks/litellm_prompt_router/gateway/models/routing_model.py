"""Any chat model that LiteLLM reaches, or a model group of the proxy this runs in, asked what a message needs.

The adapter to LiteLLM's completion calls. LiteLLM's spend logs have each call with its price under the key, user and
team whose request asked; our own hooks see no request in it, because its metadata holds no facts of ours, and the
proxy's pre-call hooks don't run for calls that are made inside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import litellm

from litellm_prompt_router.gateway import proxy_server
from litellm_prompt_router.gateway.deployments.capabilities import target_of_deployment, target_of_model
from litellm_prompt_router.gateway.events import USD_DIGITS
from litellm_prompt_router.record.routing_bill import QUESTION_KEY
from litellm_prompt_router.request.route import RoutingQuestion
from litellm_prompt_router.request.route.routing_question import MAX_ANSWER_TOKENS, answer_schema
from litellm_prompt_router.request.types import CHAT

REASONING_TOKENS = 1_200
"""Room for what a model thinks that can't be told not to."""
SCHEMA_NAME = "sections"
IDENTITY = (
    *("user_api_key", "user_api_key_hash", "user_api_key_alias", "user_api_key_user_id", "user_api_key_user_email"),
    *("user_api_key_team_id", "user_api_key_team_alias", "user_api_key_org_id", "user_api_key_org_alias"),
    *("user_api_key_project_id", "user_api_key_project_alias", "user_api_key_end_user_id"),
)
"""What LiteLLM books a call's price by (proxy/hooks/proxy_track_cost_callback.py, 1.106)."""
LOGGING_PARAMS = ("no-log", "turn_off_message_logging", "litellm_disabled_callbacks")
LOGGING_HEADERS = (
    "litellm-enable-message-redaction",
    "x-litellm-enable-message-redaction",
    "x-litellm-disable-callbacks",
)
"""By which LiteLLM keeps a request's text from its loggers (litellm_core_utils/redact_messages.py, and
should_run_callback of litellm_logging.py, 1.106)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelReply:
    """What came back, whatever it says. ``usd``: None where LiteLLM knows no price."""

    text: str
    is_refusal: bool
    input_tokens: int
    output_tokens: int
    usd: Decimal | None


async def ask_routing_model(
    model: str, question: RoutingQuestion, ids: Sequence[str], seconds: float, own: Mapping[str, Any]
) -> ModelReply:
    """The model's reply, in one call without retries and fallbacks. Raises whatever LiteLLM raises.

    ``own``: parameters of who asks, as ``of_caller`` gives them.
    """
    router = proxy_server.llm_router()
    members = router.get_model_list(model_name=model) if router is not None else None
    call = router.acompletion if members else litellm.acompletion
    abilities = _Abilities(model, members or (), router)
    more: dict[str, Any] = {"disable_fallbacks": True} if members else {}
    answer: Any = await call(
        model=model,
        messages=[
            {"role": "system", "content": _marked(question.sections) if abilities.takes_marks else question.sections},
            {"role": "user", "content": question.conversation},
        ],
        timeout=seconds,
        num_retries=0,
        max_retries=0,
        drop_params=True,
        **own,
        **_params(abilities, ids),
        **more,
    )
    return _reply(answer, has_price=abilities.has_price)


def params_of_model(model: str, ids: Sequence[str]) -> dict[str, Any]:
    """How a model by LiteLLM's name for it is asked for sections with these ids, as requests would have it asked."""
    return _params(_Abilities(model, (), None), ids)


def of_caller(data: Mapping[str, Any], bag: Mapping[str, Any], request_id: str, profile: str) -> dict[str, Any]:
    """A question's parameters, of the request with this body and bag: whose it is, and what of it isn't logged.

    A question quotes the user. What keeps the request's own text from a logger keeps the question's from it.
    """
    who = {name: bag[name] for name in IDENTITY if bag.get(name) is not None}
    metadata = {**who, "spend_logs_metadata": {QUESTION_KEY: {"request_id": request_id, "profile": profile}}}
    received = data.get("proxy_server_request")
    headers = _only(received.get("headers") if isinstance(received, Mapping) else None, LOGGING_HEADERS)
    return {
        "metadata": {**metadata, "headers": headers} if headers else metadata,
        **({"proxy_server_request": {"headers": headers}} if headers else {}),
        **_only(data, LOGGING_PARAMS),
    }


def _only(values: object, names: Sequence[str]) -> dict[str, Any]:
    return {name: values[name] for name in names if values.get(name)} if isinstance(values, Mapping) else {}


def _params(abilities: _Abilities, ids: Sequence[str]) -> dict[str, Any]:
    """The parameters that keep an answer short and in form."""
    room = MAX_ANSWER_TOKENS + (REASONING_TOKENS if abilities.may_think else 0)
    params: dict[str, Any] = {"temperature": 0.0, "max_tokens": room}
    if abilities.takes_schema:
        schema = {"name": SCHEMA_NAME, "schema": answer_schema(ids), "strict": True}
        params["response_format"] = {"type": "json_schema", "json_schema": schema}
    if abilities.effort is not None:
        params["reasoning_effort"] = abilities.effort
    return params


class _Abilities:
    """What every deployment that may answer takes."""

    def __init__(self, model: str, members: Iterable[Mapping[str, Any]], router: Any) -> None:
        deployments = list(members)
        names = [_placed(each.get("litellm_params") or {}) for each in deployments] or [_placed({"model": model})]
        targets = [target_of_deployment(each, router, False, CHAT) for each in deployments] or [target_of_model(model)]
        self.takes_marks = all(target.takes_marks for target in targets)
        self.has_price = all(target.input_usd_per_token is not None for target in targets)
        self.takes_schema = all(litellm.supports_response_schema(*name) for name in names)
        efforts = {_effort(*name) for name in names}
        self.effort = efforts.pop() if len(efforts) == 1 else None
        self.may_think = self.effort is None and any(
            litellm.supports_reasoning(*name) and not _thinks_when_asked(*name) for name in names
        )


def _placed(params: Mapping[str, Any]) -> tuple[str, str | None]:
    """``(model, provider)`` as LiteLLM's map knows it."""
    name = str(params.get("model"))
    try:
        placed: tuple[Any, ...] = litellm.get_llm_provider(
            model=name, api_base=params.get("api_base"), custom_llm_provider=params.get("custom_llm_provider")
        )
    except Exception:  # LiteLLM raises several types for names that it can't place
        return name, None
    return placed[0], placed[1]


def _thinks_when_asked(name: str, provider: str | None) -> bool:
    """True of Claude, which answers at once unless a request says otherwise."""
    return "claude" in name or provider == "anthropic"


def _effort(name: str, provider: str | None) -> str | None:
    """The ``reasoning_effort`` that keeps a model from thinking; None where it needs none or has none."""
    if not litellm.supports_reasoning(name, provider) or _thinks_when_asked(name, provider):
        return None
    try:
        entry: Mapping[str, Any] = litellm.get_model_info(name, provider)
    except Exception:  # LiteLLM raises a bare Exception for models that its map lacks
        entry = {}
    if entry.get("supports_none_reasoning_effort") or "none" in (entry.get("reasoning_effort_levels") or ()):
        return "none"
    if entry.get("supports_minimal_reasoning_effort"):
        return "minimal"
    return "disable" if provider in ("gemini", "vertex_ai") else None  # its budget of thoughts becomes 0


def _marked(sections: str) -> list[dict[str, Any]]:
    """With a cache mark: the sections are the same in all questions of a profile."""
    return [{"type": "text", "text": sections, "cache_control": {"type": "ephemeral"}}]


def _reply(answer: Any, *, has_price: bool) -> ModelReply:
    message = answer.choices[0].message
    text = message.content if isinstance(message.content, str) else ""
    usage = getattr(answer, "usage", None)
    return ModelReply(
        text=text,
        is_refusal=_is_refusal(message) or answer.choices[0].finish_reason in ("content_filter", "refusal"),
        input_tokens=_tokens(usage, "prompt_tokens"),
        output_tokens=_tokens(usage, "completion_tokens"),
        usd=_usd(answer, has_price=has_price),
    )


def _is_refusal(message: Any) -> bool:
    """True for OpenAI's own field, where LiteLLM keeps it (1.106)."""
    own = getattr(message, "provider_specific_fields", None)
    return bool(getattr(message, "refusal", None) or (isinstance(own, Mapping) and own.get("refusal")))


def _tokens(usage: Any, name: str) -> int:
    value = getattr(usage, name, None)
    return value if isinstance(value, int) else 0


def _usd(answer: Any, *, has_price: bool) -> Decimal | None:
    """LiteLLM's price, with a deployment's own prices where it has some. It says 0 where it knows none."""
    hidden = getattr(answer, "_hidden_params", None)
    hidden = hidden if isinstance(hidden, Mapping) else {}
    if hidden.get("cache_hit"):
        return Decimal(0)
    cost = hidden.get("response_cost")
    if cost is None:
        try:
            cost = litellm.completion_cost(completion_response=answer)
        except Exception:  # LiteLLM raises a bare Exception for models that it has no price for
            return None
    if not isinstance(cost, (int, float)) or isinstance(cost, bool) or (cost == 0 and not has_price):
        return None
    return round(Decimal(cost), USD_DIGITS).normalize()
