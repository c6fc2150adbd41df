"""Calls that can't be replayed: how many there are of each agent, and what their input is made of."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import dropwhile
from typing import Any

from litellm_prompt_router.analysis.simulate.cost_report import Parts
from litellm_prompt_router.files.traffic import RecordedCall
from litellm_prompt_router.onboarding.conversation_needs import Conversation, request_of
from litellm_prompt_router.onboarding.findings import UnreplayedCalls
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.recognise import Catalogue
from litellm_prompt_router.request.types import GEMINI, GEMINI_STREAM, RESPONSES
from litellm_prompt_router.request.wire.leading_items import leading_of
from litellm_prompt_router.request.wire.responses import items_of

PATHS: Mapping[str, str] = {
    RESPONSES: "/v1/responses",
    GEMINI: "Gemini's generateContent",
    GEMINI_STREAM: "Gemini's streamGenerateContent",
}
"""What people call the endpoints."""
_NO_TEXT = frozenset(
    {
        "type",
        "role",
        "id",
        "call_id",
        "status",
        "encrypted_content",
        "thoughtSignature",
        "thought_signature",
        "data",
        "image_url",
        "file_data",
        "file_id",
        "fileUri",
        "file_uri",
        "mimeType",
        "mime_type",
        "cache_control",
    }
)
"""Names beside the texts of a history: what is no text, or isn't read by the model as such."""
_CONVERSATION = ("input", "contents", "messages")
_DECLARED = ("tools", "functions")
_TOOLS_ITEM = "additional_tools"


def unreplayed_by_profile(
    calls: Sequence[RecordedCall],
    profiles: Sequence[Profile],
    count_tokens: Callable[[str], int],
    floor: float,
    unpriced: str | None = None,
) -> dict[str, UnreplayedCalls]:
    """By the profile that knows the call's prompt. ``floor``: the share of it that the profile must cover.

    ``unpriced``: the model without prices, which is why nothing was replayed.
    """
    catalogue = Catalogue(profiles)
    sizes = _Sizes(count_tokens)
    names: dict[str, str | None] = {}
    endpoints: defaultdict[str, Counter[str]] = defaultdict(Counter)
    conversations: defaultdict[str, set[Conversation]] = defaultdict(set)
    tokens: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for call in calls:
        request = request_of(call)
        if request is None or not request.system:
            continue
        text = request.system_text
        if text not in names:
            found = catalogue.recognise(text)
            names[text] = found.profile.name if found is not None and found.coverage >= floor else None
        name = names[text]
        if name is None:
            continue
        endpoints[name][PATHS.get(call.endpoint, call.endpoint)] += 1
        conversations[name].add((call.key, call.conversation))
        tokens[name]["system"] += sizes.of(text)
        tokens[name]["tools"] += sum(map(sizes.of, _declared(call)))
        tokens[name]["history"] += sum(map(sizes.of, _history(call)))
    return {
        name: UnreplayedCalls(
            calls=sum(counted.values()),
            conversations=len(conversations[name]),
            endpoints=tuple(counted.most_common()),
            parts=Parts(
                system_tokens=tokens[name]["system"],
                tools_tokens=tokens[name]["tools"],
                history_tokens=tokens[name]["history"],
            ),
            unpriced=unpriced,
        )
        for name, counted in endpoints.items()
    }


class _Sizes:
    """Tokens of texts, each counted once: a history comes again with every call."""

    def __init__(self, count_tokens: Callable[[str], int]) -> None:
        self._count_tokens = count_tokens
        self._known: dict[tuple[int, int], int] = {}

    def of(self, text: str) -> int:
        name = (hash(text), len(text))
        if name not in self._known:
            self._known[name] = self._count_tokens(text)
        return self._known[name]


def _declared(call: RecordedCall) -> Iterator[str]:
    """Each declared tool as JSON, those that come as an item of the input too."""
    for field in _DECLARED:
        yield from _as_json(call.request.get(field))
    for item in _items(call):
        if item.get("type") == _TOOLS_ITEM:
            yield from _as_json(item.get("tools"))


def _as_json(tools: Any) -> Iterator[str]:
    for tool in tools if isinstance(tools, list) else ():
        yield json.dumps(tool, ensure_ascii=False, separators=(",", ":"))


def _history(call: RecordedCall) -> Iterator[str]:
    """The texts of everything behind the prompt."""
    if call.endpoint == RESPONSES:
        items = _items(call)
        yield from _texts([item for item in items[leading_of(items) :] if item.get("type") != _TOOLS_ITEM])
        return
    for field in _CONVERSATION:
        value = call.request.get(field)
        yield from _texts(list(dropwhile(_is_system, value)) if isinstance(value, list) else value)


def _is_system(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") in ("system", "developer")


def _items(call: RecordedCall) -> list[dict[str, Any]]:
    return items_of(call.request) if call.endpoint == RESPONSES else []


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name not in _NO_TEXT:
                yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif value is not None:
        yield str(value)
