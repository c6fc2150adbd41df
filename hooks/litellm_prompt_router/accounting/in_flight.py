"""What clients sent, from the request to its answer: in this process alone, and never for long.

Only the fields that the provider caches by are kept, as a copy, because LiteLLM changes lists and dicts on the way to
the provider. ``marshal`` copies some ten times faster than Python code does, and what two bodies share is in it once.
Bodies with other types than JSON's are copied container by container.
"""

from __future__ import annotations

import marshal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.record.prompt_state import PromptPlaces
from litellm_prompt_router.request.wire.marking import Marking

PROMPT_FIELDS = frozenset(
    {"messages", "tools", "tool_choice", "functions", "response_format", "reasoning_effort", "verbosity", "thinking"}
    | {"parallel_tool_calls", "cache_control", "cache_control_injection_points", "prompt_cache_key", "output_config"}
    | {"prompt_cache_options", "enable_prompt_caching", "system", "speed", "max_tokens", "max_completion_tokens"}
    | {"instructions", "input", "text", "reasoning", "previous_response_id", "conversation"}
    | {"systemInstruction", "system_instruction", "contents", "toolConfig", "cached_content", "cachedContent"}
)
"""All that decides what a provider's cache is asked for, in the words of any endpoint."""
COPIED_LEVELS = 5
"""Of lists and dicts: ``messages``, a message, its content, a block, its mark. Schemas of tools lie deeper."""
MAX_REQUESTS = 4_096
MAX_BYTES = 512 * 1_024 * 1_024
"""Some thousands of requests with long prompts."""
MAX_AGE_SECONDS = 3_600.0

Prompt = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class InFlightRequest:
    """One request. ``rewritten`` is the rewritten prompt, None where the walk changed nothing.

    ``is_sent``: ``rewritten`` went to the provider; in shadow mode ``original`` did.
    """

    endpoint: str
    original: Prompt
    rewritten: Prompt | None
    is_sent: bool
    marking: Marking | None
    kept_seconds: float
    places: PromptPlaces | None
    """Of what varies in the original prompt; None where no profile recognised it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PackedRequest:
    """One request, its prompts serialised."""

    endpoint: str
    prompts: bytes | tuple[Prompt, Prompt | None]
    is_sent: bool
    marking: Marking | None
    kept_seconds: float
    places: PromptPlaces | None

    @property
    def size_bytes(self) -> int:
        return len(self.prompts) if isinstance(self.prompts, bytes) else 0

    def unpacked(self) -> InFlightRequest:
        """The request itself. Takes as long as packing did, so it isn't done while the client waits."""
        original, rewritten = (
            marshal.loads(self.prompts)  # noqa: S302 - what ``_packed`` made in this process
            if isinstance(self.prompts, bytes)
            else self.prompts
        )
        return InFlightRequest(
            endpoint=self.endpoint,
            original=original,
            rewritten=rewritten,
            is_sent=self.is_sent,
            marking=self.marking,
            kept_seconds=self.kept_seconds,
            places=self.places,
        )


class InFlightRequests:
    """The requests in flight, by our request id. Bounded in number, size and age; the oldest go first."""

    def __init__(self) -> None:
        self._kept: dict[str, PackedRequest] = {}
        self._bytes = 0
        register_memory(
            self,
            "requests in flight",
            MAX_REQUESTS,
            lambda it: len(it._kept),
            size_bytes=lambda it: it._bytes,
            max_bytes=MAX_BYTES,
        )

    def __len__(self) -> int:
        return len(self._kept)

    def put(
        self,
        request_id: str,
        endpoint: str,
        original: Mapping[str, Any],
        rewritten: Mapping[str, Any],
        now_seconds: float,
        *,
        is_sent: bool,
        marking: Marking | None = None,
        places: PromptPlaces | None = None,
    ) -> None:
        """Keeps a request until ``take``. ``rewritten`` may be ``original`` itself."""
        packed = PackedRequest(
            endpoint=endpoint,
            prompts=_packed(original, rewritten),
            is_sent=is_sent,
            marking=marking,
            kept_seconds=now_seconds,
            places=places,
        )
        while self._kept:
            oldest = next(iter(self._kept))
            is_old = self._kept[oldest].kept_seconds < now_seconds - MAX_AGE_SECONDS
            if not is_old and len(self._kept) < MAX_REQUESTS and self._bytes + packed.size_bytes <= MAX_BYTES:
                break
            self.take(oldest)
        self._kept[request_id] = packed
        self._bytes += packed.size_bytes

    def take(self, request_id: str) -> PackedRequest | None:
        """The request, which is then no longer kept."""
        packed = self._kept.pop(request_id, None)
        self._bytes -= 0 if packed is None else packed.size_bytes
        return packed


def _packed(original: Mapping[str, Any], rewritten: Mapping[str, Any]) -> bytes | tuple[Prompt, Prompt | None]:
    """Both prompts serialised, or copied where that fails; ``rewritten`` as None where it is ``original`` itself."""
    fields = {name: original[name] for name in PROMPT_FIELDS & original.keys()}
    rewritten_fields = (
        None if rewritten is original else {name: rewritten[name] for name in PROMPT_FIELDS & rewritten.keys()}
    )
    try:
        return marshal.dumps((fields, rewritten_fields))
    except ValueError:  # a type that JSON doesn't have
        copies: dict[int, Any] = {}
        return _copied_prompt(original, copies), None if rewritten_fields is None else _copied_prompt(rewritten, copies)


def _copied_prompt(body: Mapping[str, Any], copies: dict[int, Any]) -> dict[str, Any]:
    """The fields that caches go by, copied. ``copies`` are by the id of what was copied: bodies that share messages
    share their copies.
    """
    return {name: _copied_field(body[name], copies) for name in PROMPT_FIELDS & body.keys()}


def _copied_field(value: Any, copies: dict[int, Any]) -> Any:
    if not isinstance(value, list):
        return _copied(value, COPIED_LEVELS)
    return [copies.get(id(item)) or copies.setdefault(id(item), _copied(item, COPIED_LEVELS - 1)) for item in value]


def _copied(value: Any, levels: int) -> Any:
    """A copy, ``levels`` of containers deep. Fast, as the client waits: ``dict.copy``, then nested containers alone."""
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
