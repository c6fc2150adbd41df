"""Ledger lines of conversations whose truth is known, as the proxy writes them: hashes of messages and sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.record.history_state import history_state_of
from litellm_prompt_router.request.types import Turn


def user(text: str) -> Turn:
    return Turn("user", text)


def answer(text: str) -> Turn:
    return Turn("assistant", text)


def call(tool: str, arguments: str) -> Turn:
    return Turn("assistant", "", tool_calls=(tool,), arguments=(arguments,))


def result(text: str) -> Turn:
    return Turn("tool", text)


def line_of(
    turns: Sequence[Turn],
    profile: Profile,
    *,
    at: float,
    number: int,
    key: str = "alpha",
    conversation: str | None = "c-1",
    names_session: bool = False,
    wanted: Sequence[str] = (),
    late: Sequence[str] = (),
    **more: Any,
) -> Mapping[str, Any]:
    """One answered call's record; ``more`` are fields of it."""
    told = {**asdict(history_state_of(turns, key)), "history_tokens": sum(len(turn.text) for turn in turns) or 1}
    last = max((n for n, turn in enumerate(turns) if turn.role == "user"), default=-1)
    return {
        "request_id": f"r{number}",
        "started_seconds": at,
        "finished_seconds": at + 1,
        "status": "success",
        "endpoint": "acompletion",
        "mode": "shadow",
        "outcome": "shadow",
        "key_alias": key,
        "conversation": conversation,
        "names_session": names_session,
        "model": "claude-sonnet-4-5",
        "provider": "anthropic",
        "profile": profile.name,
        "profile_version": profile.version,
        "profile_router": profile.router,
        "profile_routing": profile.routing,
        "response_cached": False,
        "is_new_message": last >= 0 and not any(turn.role == "assistant" for turn in turns[last + 1 :]),
        "wanted_modules": list(wanted),
        "wanted_late_modules": list(late),
        "absent_modules": [],
        "original_tokens": sum(module.tokens for module in profile.modules),
        "original_chars": len(profile.text),
        "tools_tokens": 0,
        "output_tokens": 5,
        **told,
        **more,
    }
