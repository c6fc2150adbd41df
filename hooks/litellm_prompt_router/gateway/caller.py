"""LiteLLM's objects -> who asks: the key's identity, the client's headers, and what it declares."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from typing import Any

from litellm_prompt_router.gateway.request_ids import new_id
from litellm_prompt_router.record.record import Caller
from litellm_prompt_router.request.wire.declared_tools import tool_count

MAX_NAME_CHARS = 256
MAX_TAGS = 100
OAUTH_PREFIX = "sk-ant-oat"
"""Of Anthropic's subscription tokens (litellm/llms/anthropic/common_utils.py, 1.100 and 1.106)."""
MASTER_KEY = "litellm_proxy_master_key"
"""What LiteLLM puts in place of the master key (LITELLM_PROXY_MASTER_KEY_ALIAS of its constants, 1.100 and 1.106)."""
_HASH = re.compile(r"[0-9a-f]{64}")


def caller_of(
    key: Any, data: Mapping[str, Any], call_type: str, bag: Mapping[str, Any], now_seconds: float | None = None
) -> Caller:
    """Whose request it is; ``key`` is LiteLLM's UserAPIKeyAuth."""
    return Caller(
        request_id=new_id(),
        call_id=text_of(data.get("litellm_call_id")),
        started_seconds=time.time() if now_seconds is None else now_seconds,
        endpoint=call_type,
        stream=bool(data.get("stream")),
        thread_id=text_of(data.get("litellm_session_id") or bag.get("session_id")),
        key_alias=alias_of(key),
        key_hash=_key_hash(getattr(key, "api_key", None)),
        team_id=text_of(getattr(key, "team_id", None)),
        model_group=text_of(data.get("model")),
        tool_count=tool_count(data),
        user_id=text_of(getattr(key, "user_id", None)),
        tags=_tags(key),
    )


def _tags(key: Any) -> tuple[str, ...]:
    """The tags that the proxy set for the key, its team and its project; none that a request brought.

    LiteLLM mixes both kinds in its bag (proxy/litellm_pre_call_utils.py, 1.106).
    """
    holders = [dict_of(key, name) for name in ("metadata", "team_metadata", "project_metadata")]
    listed = [holder["tags"] for holder in holders if holder and isinstance(holder.get("tags"), (list, tuple))]
    texts = [tag for tags in listed for tag in map(text_of, tags) if tag is not None]
    return tuple(dict.fromkeys(texts[:MAX_TAGS]))


def alias_of(key: Any) -> str | None:
    """The key's alias; of the master key, which has none, LiteLLM's own name for it."""
    alias = text_of(getattr(key, "key_alias", None))
    return MASTER_KEY if alias is None and getattr(key, "api_key", None) == MASTER_KEY else alias


def scope_of(key: Any) -> str:
    """What stands for a key in hashes and counts: its alias, which outlives a rotation, else its hash."""
    return text_of(getattr(key, "key_alias", None)) or _key_hash(getattr(key, "api_key", None)) or ""


def text_of(value: object) -> str | None:
    """A name as records have it: bounded text; None for anything else."""
    return value[:MAX_NAME_CHARS] if isinstance(value, str) and value else None


def dict_of(holder: Any, name: str) -> dict[str, Any] | None:
    """An attribute that is a dict; None for any other."""
    value = getattr(holder, name, None)
    return value if isinstance(value, dict) else None


def mapping_of(value: object) -> Mapping[str, Any]:
    """What LiteLLM hands over may be anything: an empty mapping in place of what is none."""
    return value if isinstance(value, Mapping) else {}


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


def header_of(data: Mapping[str, Any], name: str) -> str | None:
    """A header of the client's HTTP request, by its lower-case name."""
    received = data.get("proxy_server_request")
    headers = received.get("headers") if isinstance(received, dict) else None
    value = headers.get(name) if isinstance(headers, dict) else None
    return value if isinstance(value, str) else None
