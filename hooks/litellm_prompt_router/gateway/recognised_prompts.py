"""Whether a request that is off may share a provider's cache with requests that are not.

Its calls cost nothing less through us, and still they keep the provider's cache warm for the full prompt: where a
rewritten call of another key begins as they do, what that would have cost otherwise depends on them. So they are
observed where they begin as a recognised prompt did in this process, and left alone elsewhere. Where replicas share
what they observe, the other key's calls may all come to another one: there it is enough to begin as a profile does.

A cache is shared by what requests begin with: their tools, then the system prompt's first words. Only that is looked
at, in the same short time for a prompt of any length. What two prompts have in common by chance costs an observed call
too much, and no figure is wrong by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import Any

from litellm_prompt_router.process_memory.bounded import register_memory

HEAD_CHARS = 256
MAX_PIECES = 3
"""Of the system prompt: some clients put a line of their own, which varies, into a block ahead of it."""
MAX_KNOWN = 4_096
NEVER = -inf
_SYSTEM_ROLES = ("system", "developer")


class RecognisedPrompts:
    """How recognised prompts begin, and those that passed unobserved. Hashes only. For one thread, LiteLLM's."""

    def __init__(self, max_known: int = MAX_KNOWN) -> None:
        self._max_known = max_known
        self._profiles: frozenset[int] = frozenset()
        self._recognised: dict[int, float] = {}
        """With the moment until which such as begin so may have passed unobserved."""
        self._unobserved: dict[int, float] = {}
        self._forgotten = NEVER
        """The latest moment of those that were unobserved and had to go."""
        register_memory(self, "beginnings of prompts", 2 * max_known, len)

    def __len__(self) -> int:
        return len(self._recognised) + len(self._unobserved)

    def expect(self, texts: Iterable[str]) -> None:
        """Tells the prompts of the profiles in force, instead of those told before. In any thread."""
        self._profiles = frozenset([hash(text[:HEAD_CHARS]) for text in texts])

    def add(self, data: Mapping[str, Any]) -> float:
        """Takes note of a recognised request. Until when one that begins alike may have passed unobserved."""
        latest = NEVER
        for number, begin in enumerate(begins_of(data)):
            known = self._recognised.get(begin)
            if known is None:  # whatever shares its cache begins as its first piece does
                known = NEVER if number else self._forgotten
            passed = max(known, self._unobserved.pop(begin, NEVER))
            _put_last(self._recognised, begin, passed, self._max_known)
            latest = max(latest, passed)
        return latest

    def is_to_be_observed(self, data: Mapping[str, Any], now_seconds: float, *, is_shared: bool = False) -> bool:
        """Whether this request, which is off, begins as a recognised one did; one that doesn't is taken note of.

        ``is_shared``: what is observed is shared with other processes.
        """
        begins = [*begins_of(data)]
        if any(begin in self._recognised or (is_shared and begin in self._profiles) for begin in begins):
            return True
        for begin in begins:
            gone = _put_last(self._unobserved, begin, now_seconds, self._max_known)
            self._forgotten = max(self._forgotten, gone)
        return False


def begins_of(data: Mapping[str, Any]) -> Iterator[int]:
    """A hash of each thing that a provider's cache may begin with: the tools, and the system prompt's first pieces."""
    for field in ("tools", "functions"):
        tools = data.get(field)
        if isinstance(tools, list) and tools:
            yield hash((len(tools), _tool_name(tools[0]), _tool_name(tools[-1])))
    for _, text in zip(range(MAX_PIECES), _first_texts(data), strict=False):
        yield hash(text[:HEAD_CHARS])


def _tool_name(tool: object) -> str | None:
    if not isinstance(tool, dict):
        return None
    for field in ("functionDeclarations", "function_declarations"):
        inner = tool.get(field)
        if isinstance(inner, list) and inner:
            return _tool_name(inner[0])
    function = tool.get("function")
    name = function.get("name") if isinstance(function, dict) else tool.get("name") or tool.get("type")
    return name if isinstance(name, str) else None


def _first_texts(data: Mapping[str, Any]) -> Iterator[str]:
    """The system prompt's texts in any endpoint's shape; of a body without one its first text."""
    is_told = False
    for field in ("system", "instructions", "systemInstruction", "system_instruction"):
        for text in _texts_in(data.get(field)):
            is_told = True
            yield text
    for field in ("messages", "input", "contents"):
        items = data.get(field)
        if isinstance(items, str) and not is_told:
            yield items
        for item in items if isinstance(items, list) else ():
            if not isinstance(item, dict) or (item.get("role") not in _SYSTEM_ROLES and is_told):
                break
            for text in _texts_in(item.get("content", item.get("parts"))):
                is_told = True
                yield text
            is_told = True


def _texts_in(content: object) -> Iterator[str]:
    if isinstance(content, str):
        if content:
            yield content
    elif isinstance(content, dict):
        yield from _texts_in(content.get("parts", content.get("text")))
    elif isinstance(content, list):
        for block in content:
            text = block.get("text") if isinstance(block, dict) else block
            if isinstance(text, str) and text:
                yield text


def _put_last(kept: dict[int, float], key: int, value: float, limit: int) -> float:
    """The latest moment of those that had to go."""
    kept.pop(key, None)
    gone = NEVER
    while len(kept) >= limit:
        gone = max(gone, kept.pop(next(iter(kept))))
    kept[key] = value
    return gone
