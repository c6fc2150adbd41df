"""What a client said and what it was answered, without what LiteLLM adds to either: for captured traffic."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

MASK = "[masked]"
"""What stands for a secret in captured traffic."""
LITELLM_KEYS = frozenset({"proxy_server_request", "secret_fields"})
SHARED_KEY = "metadata"
"""LiteLLM merges the client's with its own beyond telling apart, except where it has a bag of its own
(litellm_pre_call_utils.py, 1.106)."""
OWN_BAG = "litellm_metadata"
LITELLM_PREFIX = "litellm_"


def client_body(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The client's request body as LiteLLM parsed it, without LiteLLM's keys. Shares its values."""
    received = data.get("proxy_server_request")
    body = received.get("body") if isinstance(received, dict) else None
    taken = LITELLM_KEYS if isinstance(data.get(OWN_BAG), dict) else LITELLM_KEYS | {SHARED_KEY}
    given = body if isinstance(body, dict) else data
    return {name: value for name, value in given.items() if _is_clients(name) and name not in taken}


def _is_clients(name: object) -> bool:
    return isinstance(name, str) and not name.startswith(LITELLM_PREFIX)


def snapshot(body: Mapping[str, Any]) -> bytes:
    """The body as JSON at this moment: whatever LiteLLM does to its lists and dicts later doesn't show."""
    try:
        return orjson.dumps(body)
    except TypeError:  # a lone surrogate, which orjson refuses
        return json.dumps(body, default=str).encode()


def answer_of(response: Any) -> dict[str, Any] | None:
    """``message`` and ``usage`` of a response object, in Chat's form and plain JSON types; None when it has neither."""
    answer: dict[str, Any] = {}
    choices = getattr(response, "choices", None)
    message = getattr(choices[0], "message", None) if isinstance(choices, list) and choices else None
    for name, part in (("message", message), ("usage", getattr(response, "usage", None))):
        dump = getattr(part, "model_dump", None)
        if dump is not None:
            answer[name] = dump(mode="json", exclude_none=True)
    answer.get("message", {}).pop("provider_specific_fields", None)
    output = getattr(response, "output", None)
    if isinstance(output, list):
        answer["message"] = _message_of([_plain(item) for item in output])
    return answer or None


def _plain(item: Any) -> dict[str, Any]:
    dump = getattr(item, "model_dump", None)
    plain = dump(mode="json", exclude_none=True) if dump is not None else item
    return plain if isinstance(plain, dict) else {}


def _message_of(items: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The Responses API's output items as one Chat message."""
    texts: list[str] = []
    calls: list[dict[str, Any]] = []
    for item in items:
        if item.get("type") == "message":
            texts += [part["text"] for part in item.get("content") or () if isinstance(part.get("text"), str)]
        elif item.get("type") == "function_call":
            function = {"name": item.get("name"), "arguments": item.get("arguments")}
            calls.append({"id": item.get("call_id"), "type": "function", "function": function})
    content = {"content": "".join(texts)} if texts else {}
    return {"role": "assistant", **content, **({"tool_calls": calls} if calls else {})}
