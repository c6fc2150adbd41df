"""What clients sent, from the request to its answer: by reference, in this process alone, and never for long.

Of a request only what the provider caches by is kept. Texts are the request's own strings; lists and dicts are
copied, because LiteLLM changes them on the way to the provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hooks.wire.marking import Marking

PROMPT_FIELDS = frozenset(
    {"messages", "tools", "tool_choice", "functions", "response_format", "reasoning_effort", "verbosity", "thinking"}
    | {"parallel_tool_calls", "cache_control", "cache_control_injection_points", "prompt_cache_key", "output_config"}
    | {"prompt_cache_options", "enable_prompt_caching", "system", "speed", "max_tokens", "max_completion_tokens"}
    | {"instructions", "input", "systemInstruction", "contents", "toolConfig"}
)
"""All that decides what a provider's cache is asked for, in the words of any endpoint."""
COPIED_LEVELS = 5
"""Of lists and dicts: ``messages``, a message, its content, a block, its mark. Schemas of tools lie deeper."""
MAX_REQUESTS = 4_096
MAX_AGE_SECONDS = 3_600.0

Prompt = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """One request. ``other`` is what the walk made of it, None where that is nothing else.

    ``is_sent``: ``other`` went to the provider, not ``original`` (which did in shadow mode).
    """

    endpoint: str
    original: Prompt
    other: Prompt | None
    is_sent: bool
    marking: Marking | None
    kept_seconds: float


class KeptRequests:
    """The requests in flight, by our request id. Bounded in number and age; what is too old goes first."""

    def __init__(self) -> None:
        self.lost = 0
        self._kept: dict[str, Kept] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def put(
        self,
        request_id: str,
        endpoint: str,
        original: Mapping[str, Any],
        other: Mapping[str, Any],
        now_seconds: float,
        *,
        is_sent: bool,
        marking: Marking | None = None,
    ) -> None:
        """Keeps a request until ``take``. ``other`` may be ``original`` itself."""
        while self._kept:
            oldest = next(iter(self._kept))
            is_old = self._kept[oldest].kept_seconds < now_seconds - MAX_AGE_SECONDS
            if not is_old and len(self._kept) < MAX_REQUESTS:
                break
            del self._kept[oldest]
            self.lost += 1
        copies: dict[int, Any] = {}
        self._kept[request_id] = Kept(
            endpoint=endpoint,
            original=prompt_of(original, copies),
            other=None if other is original else prompt_of(other, copies),
            is_sent=is_sent,
            marking=marking,
            kept_seconds=now_seconds,
        )

    def take(self, request_id: str) -> Kept | None:
        """The request, which is then no longer kept."""
        return self._kept.pop(request_id, None)


def prompt_of(body: Mapping[str, Any], copies: dict[int, Any] | None = None) -> dict[str, Any]:
    """The fields that caches go by, in containers of their own.

    ``copies`` by the id of what was copied, so that bodies which share messages share their copies.
    """
    known = {} if copies is None else copies
    return {name: _copied_field(body[name], known) for name in PROMPT_FIELDS & body.keys()}


def _copied_field(value: Any, copies: dict[int, Any]) -> Any:
    if not isinstance(value, list):
        return _copied(value, COPIED_LEVELS)
    return [copies.get(id(item)) or copies.setdefault(id(item), _copied(item, COPIED_LEVELS - 1)) for item in value]


def _copied(value: Any, levels: int) -> Any:
    """In the request's time: one copy of a container, then only what in it is a container too."""
    if not levels:
        return value
    if isinstance(value, dict):
        copy: Any = value.copy()
        for name, item in value.items():
            if type(item) is not str and isinstance(item, (dict, list)):
                copy[name] = _copied(item, levels - 1)
        return copy
    if isinstance(value, list):
        return [item if type(item) is str else _copied(item, levels - 1) for item in value]
    return value
