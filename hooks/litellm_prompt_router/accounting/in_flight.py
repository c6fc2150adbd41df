"""What clients sent, from the request to its answer: in this process alone, and never for long.

Only the fields that the provider caches by are kept. LiteLLM changes lists and dicts on the way to the provider, so
these are copied. The texts of system prompts, which never change, are kept as they are; everything else is written by
``marshal``, some ten times faster than Python code copies it, and what two bodies share is in it once. Declared tools
are written apart: they are the same in call after call.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from sys import getsizeof
from typing import Any

from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.record.prompt_state import PromptPlaces
from litellm_prompt_router.request.wire.marking import Marking

PROMPT_FIELDS = frozenset(
    {"messages", "tools", "tool_choice", "functions", "response_format", "reasoning_effort", "verbosity", "thinking"}
    | {"parallel_tool_calls", "cache_control", "cache_control_injection_points", "prompt_cache_key", "output_config"}
    | {"prompt_cache_options", "enable_prompt_caching", "system", "speed", "max_tokens", "max_completion_tokens"}
    | {"instructions", "input", "text", "reasoning", "previous_response_id", "conversation"}
    | {"web_search_options", "search_parameters", "mcp_servers", "plugins", "enable_search"}
    | {"systemInstruction", "system_instruction", "contents", "toolConfig", "cached_content", "cachedContent"}
)
"""All that decides what a provider's cache is asked for, in the words of any endpoint."""
_TOOLS = "tools"
_PROMPTS = frozenset({"system", "instructions"})
_HISTORIES = frozenset({"messages", "input"})
_CONTAINER_BYTES = 300
"""Of a list or dict with a few fields."""
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
    unobserved_until: float
    """Until then requests may have passed unseen that share its cache."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PackedRequest:
    """One request. ``prompts``: the system prompts of both bodies; ``tools``: their lists of declared tools;
    ``written``: all else of both, serialised.
    """

    endpoint: str
    prompts: tuple[Prompt, Prompt | None]
    tools: tuple[bytes | None, bytes | None]
    """None: what there is of them is among the rest."""
    written: bytes | tuple[Prompt, Prompt | None]
    size_bytes: int
    """What all of it takes, texts included, though others may hold these, too."""
    is_sent: bool
    marking: Marking | None
    kept_seconds: float
    places: PromptPlaces | None
    unobserved_until: float

    def unpacked(self, load_tools: Callable[[bytes], Any] = marshal.loads) -> InFlightRequest:
        """The request itself. Takes as long as packing did, so it isn't done while the client waits."""
        original, rewritten = (
            marshal.loads(self.written)  # noqa: S302 - what ``_packed`` made in this process
            if isinstance(self.written, bytes)
            else self.written
        )
        one, other = self.tools
        tools = None if one is None else load_tools(one)
        if one is not None:
            original = {**original, _TOOLS: tools}
        if other is not None and rewritten is not None:
            rewritten = {**rewritten, _TOOLS: tools if other is one else load_tools(other)}
        return InFlightRequest(
            endpoint=self.endpoint,
            original=_joined(self.prompts[0], original),
            rewritten=None if self.prompts[1] is None or rewritten is None else _joined(self.prompts[1], rewritten),
            is_sent=self.is_sent,
            marking=self.marking,
            kept_seconds=self.kept_seconds,
            places=self.places,
            unobserved_until=self.unobserved_until,
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
        self._dropped = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size_bytes(self) -> int:
        """Of all of them; never more than ``MAX_BYTES``, unless one alone is larger."""
        return self._bytes

    @property
    def dropped(self) -> int:
        """Requests that a bound put out, since the start."""
        return self._dropped

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
        unobserved_until: float = -inf,
        written_tools: bytes | None = None,
    ) -> None:
        """Keeps a request until ``take``. ``rewritten`` may be ``original`` itself.

        ``written_tools``: the original's list of tools as ``marshal`` wrote it, where somebody had it do that.
        """
        prompt, rest = _parted(original)
        other, other_rest = (None, None) if rewritten is original else _parted(rewritten)
        sizes = [0]
        tools: tuple[bytes | None, bytes | None] = (None, None)
        written: bytes | tuple[Prompt, Prompt | None]
        try:
            tools = _tools_apart(rest, other_rest, written_tools)
            written = marshal.dumps([_without_tools(rest, tools[0]), _without_tools(other_rest, tools[1])])
        except ValueError:  # a type that JSON doesn't have
            copies: dict[int, Any] = {}
            tools = (None, None)
            written = _copied(rest, sizes, copies), None if other_rest is None else _copied(other_rest, sizes, copies)
        else:
            sizes += [len(written), len(tools[0] or b""), 0 if tools[1] is tools[0] else len(tools[1] or b"")]
        prompts = _copied(prompt, sizes), None if other is None else _copied(other, sizes)
        packed = PackedRequest(
            endpoint=endpoint,
            prompts=prompts,
            tools=tools,
            written=written,
            size_bytes=sum(sizes),
            is_sent=is_sent,
            marking=marking,
            kept_seconds=now_seconds,
            places=places,
            unobserved_until=unobserved_until,
        )
        while self._kept:
            oldest = next(iter(self._kept))
            is_old = self._kept[oldest].kept_seconds < now_seconds - MAX_AGE_SECONDS
            if not is_old and len(self._kept) < MAX_REQUESTS and self._bytes + packed.size_bytes <= MAX_BYTES:
                break
            self.take(oldest)
            self._dropped += 1
        self._kept[request_id] = packed
        self._bytes += packed.size_bytes

    def share(self, request_id: str, other_id: str) -> None:
        """Keeps the same request under another id too: for a call that goes out beside it."""
        packed = self._kept.get(request_id)
        if packed is not None:
            self._kept[other_id] = packed
            self._bytes += packed.size_bytes

    def change(
        self,
        request_id: str,
        *,
        original: Mapping[str, Any] | None = None,
        rewritten: Mapping[str, Any] | None = None,
        marking: Marking | None = None,
    ) -> None:
        """Says what an attempt carried in place of what left. Without ``rewritten`` nothing of it was changed."""
        packed = self.take(request_id)
        if packed is None:
            return
        if original is None:
            original = packed.unpacked().original
        self.put(
            request_id,
            packed.endpoint,
            original,
            original if rewritten is None else rewritten,
            packed.kept_seconds,
            is_sent=packed.is_sent,
            marking=marking,
            places=packed.places if rewritten is not None else None,
            unobserved_until=packed.unobserved_until,
        )

    def take(self, request_id: str) -> PackedRequest | None:
        """The request, which is then no longer kept."""
        packed = self._kept.pop(request_id, None)
        self._bytes -= 0 if packed is None else packed.size_bytes
        return packed


def _parted(body: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields of the system prompt, and the others. A history's system messages are among the former."""
    prompt: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name in PROMPT_FIELDS & body.keys():
        value = body[name]
        if name in _PROMPTS:
            prompt[name] = value
        elif name in _HISTORIES and isinstance(value, list):
            lead = 0
            while (
                lead < len(value)
                and isinstance(value[lead], dict)
                and value[lead].get("role") in ("system", "developer")
            ):
                lead += 1
            prompt[name], rest[name] = value[:lead], value[lead:]
        else:
            rest[name] = value
    return prompt, rest


def _tools_apart(rest: Prompt, other: Prompt | None, written: bytes | None) -> tuple[bytes | None, bytes | None]:
    """The lists of tools, written once where the bodies share one; ``written``: the first of them, if it was already.

    Raises ValueError for a type that JSON doesn't have.
    """
    tools, others = rest.get(_TOOLS), None if other is None else other.get(_TOOLS)
    one = written
    if one is None and tools and isinstance(tools, list):
        one = marshal.dumps(tools)
    if others is tools:
        return one, one
    return one, marshal.dumps(others) if others and isinstance(others, list) else None


def _without_tools(rest: dict[str, Any] | None, tools: bytes | None) -> dict[str, Any] | None:
    return rest if tools is None or rest is None else {k: v for k, v in rest.items() if k != _TOOLS}


def _joined(prompt: Prompt, rest: Prompt) -> Prompt:
    return {**rest, **{name: [*value, *rest[name]] if name in rest else value for name, value in prompt.items()}}


def _copied(value: Any, sizes: list[int], copies: dict[int, Any] | None = None) -> Any:
    """A copy with the same texts, and of what has an id in ``copies`` the same copy. Adds to ``sizes``, in bytes."""
    if isinstance(value, str):
        sizes.append(getsizeof(value))
        return value
    if not isinstance(value, (dict, list)):
        return value
    if copies is not None and id(value) in copies:
        return copies[id(value)]
    sizes.append(_CONTAINER_BYTES)
    if isinstance(value, dict):
        copy: Any = value.copy()
        for name, item in value.items():
            if isinstance(item, str):
                sizes.append(getsizeof(item))
            else:
                copy[name] = _copied(item, sizes, copies)
    else:
        copy = [_copied(item, sizes, copies) for item in value]
    if copies is not None:
        copies[id(value)] = copy
    return copy
