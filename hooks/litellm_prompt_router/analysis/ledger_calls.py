"""Ledger lines -> the calls of one profile, with what links and accounts them. Lines of older versions lack that."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from litellm_prompt_router.profile.profile import Profile

CHARS_PER_TOKEN = 4.0
"""Of histories that nobody counted. Ours: English text by o200k_base."""
MAX_COUNT = 10**9
"""No request has more characters or tokens."""


RECORD_NAMES = (
    *("request_id", "profile", "status", "history_state", "wanted_modules", "wanted_late_modules", "profile_version"),
    *("profile_router", "profile_routing", "started_seconds", "key_alias", "key_hash", "conversation"),
    *("names_session", "model", "provider", "endpoint", "response_cached", "is_new_message"),
    *("previous_history_states", "recent_state", "previous_recent_state", "absent_modules", "original_tokens"),
    *("original_chars", "placed_state", "placed_at_chars", "varying_state", "varying_at_chars", "varying_chars"),
    *("history_tokens", "history_chars", "tools_state", "tools_tokens", "tools_chars", "output_tokens"),
)
"""All that is read of a record."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerCall:
    """One answered call. Module sets are indexes into the profile, without its core."""

    request_id: str
    started_seconds: float
    key: str
    """What stands for the key."""
    conversation: str | None
    """As its caller tells it: two that open with the same words have the same where no session is named."""
    names_session: bool
    model: str | None
    provider: str | None
    endpoint: str
    is_answered_from_cache: bool
    """By LiteLLM's own response cache, so that no provider saw it."""
    is_new_message: bool
    state: str
    previous_states: tuple[str, ...]
    recent_state: str | None
    previous_recent_state: str | None
    first: frozenset[int]
    """What routing selected from the first turn on, before the cost gate."""
    later: frozenset[int]
    absent: frozenset[int]
    """Modules that aren't in the prompt as the profile has them."""
    original_tokens: int | None
    original_chars: int
    placed_state: str | None
    placed_at_chars: int | None
    varying_state: str | None
    varying_at_chars: int | None
    varying_chars: int
    history_tokens: int
    tools_state: str | None
    tools_tokens: int
    output_tokens: int

    @property
    def deployed_model(self) -> str | None:
        """LiteLLM's name of the model that answered."""
        if self.model is None or self.provider is None or self.model.startswith(f"{self.provider}/"):
            return self.model
        return f"{self.provider}/{self.model}"

    @property
    def begins(self) -> bool:
        """True where the model hasn't answered yet in what the call sends."""
        return not self.previous_states


@dataclass(kw_only=True, slots=True)
class CallTally:
    """Records of the profile, and why some of them are no calls to go by."""

    records: int = 0
    without_history: int = 0
    """Written by an earlier version, or accounting had no part in them."""
    not_routed: int = 0
    """Held out, or passed for a reason that comes before routing."""
    failed: int = 0
    routed_otherwise: int = 0
    """By another version of the profile, another fit or other modules."""
    damaged: int = 0
    """With fields that no ledger has so: another type, a negative count."""


def calls_in(records: Iterable[Mapping[str, Any]], profile: Profile, tally: CallTally) -> list[LedgerCall]:
    """The answered calls that were routed by ``profile`` as it is now, by the time they began; no id twice."""
    found: dict[str, LedgerCall] = {}
    for record in records:
        if record.get("profile") != profile.name:
            continue
        tally.records += 1
        if record.get("status") != "success":
            tally.failed += 1
        elif not isinstance(record.get("history_state"), str):
            tally.without_history += 1
        elif record.get("wanted_modules") is None:
            tally.not_routed += 1
        elif not _is_routed_by(record, profile):
            tally.routed_otherwise += 1
        else:
            try:
                call = _call(record, profile)
            except (KeyError, TypeError, ValueError, OverflowError):
                tally.damaged += 1
                continue
            found[call.request_id] = call
    return sorted(found.values(), key=lambda call: (call.started_seconds, call.request_id))


def _is_routed_by(record: Mapping[str, Any], profile: Profile) -> bool:
    now = (profile.version, profile.router, profile.routing)
    return (record.get("profile_version"), record.get("profile_router"), record.get("profile_routing")) == now


def _call(record: Mapping[str, Any], profile: Profile) -> LedgerCall:
    """Raises KeyError, TypeError or ValueError for what no proxy wrote."""

    def modules(name: str) -> frozenset[int]:
        return frozenset([profile.order[module] for module in _texts(record, name) if module in profile.order])

    history_tokens = _count(record, "history_tokens")
    tools_tokens = _count(record, "tools_tokens")
    return LedgerCall(
        request_id=str(record["request_id"]),
        started_seconds=_seconds(record["started_seconds"]),
        key=_text(record, "key_alias") or _text(record, "key_hash") or "",
        conversation=_text(record, "conversation"),
        names_session=bool(record.get("names_session")),
        model=_text(record, "model"),
        provider=_text(record, "provider"),
        endpoint=str(record.get("endpoint")),
        is_answered_from_cache=bool(record.get("response_cached")),
        is_new_message=bool(record.get("is_new_message")),
        state=record["history_state"],
        previous_states=_texts(record, "previous_history_states"),
        recent_state=_text(record, "recent_state"),
        previous_recent_state=_text(record, "previous_recent_state"),
        first=modules("wanted_modules"),
        later=modules("wanted_late_modules"),
        absent=modules("absent_modules"),
        original_tokens=_count(record, "original_tokens"),
        original_chars=_count(record, "original_chars") or 0,
        placed_state=_text(record, "placed_state"),
        placed_at_chars=_count(record, "placed_at_chars"),
        varying_state=_text(record, "varying_state"),
        varying_at_chars=_count(record, "varying_at_chars"),
        varying_chars=_count(record, "varying_chars") or 0,
        history_tokens=_by_chars(record, "history_chars") if history_tokens is None else history_tokens,
        tools_state=_text(record, "tools_state"),
        tools_tokens=_by_chars(record, "tools_chars") if tools_tokens is None else tools_tokens,
        output_tokens=_count(record, "output_tokens") or 0,
    )


def _by_chars(record: Mapping[str, Any], name: str) -> int:
    return round((_count(record, name) or 0) / CHARS_PER_TOKEN)


def _count(record: Mapping[str, Any], name: str) -> int | None:
    value = record.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_COUNT:
        raise ValueError(f"{name} is no count")
    return value


def _text(record: Mapping[str, Any], name: str) -> str | None:
    value = record.get(name)
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value


def _texts(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = record.get(name) or ()
    if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"{name} is no list of texts")
    return tuple(values)


def _seconds(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError("no time")
    return float(value)
