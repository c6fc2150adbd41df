"""What a marked body has beyond the same body without marks, as instructions that hold no text.

For groups whose deployments take different marks: the body that LiteLLM shares among all attempts has none, and
the instructions travel beside it, as plain JSON types, until a deployment is chosen.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

from hooks.wire.chat import CACHE_KEY
from hooks.wire.marks import BREAKPOINT, CACHE_CONTROL, marked
from hooks.wire.points import INJECTION_POINTS

Instructions = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Marking:
    """How to mark a body for the deployment that is chosen, in plain JSON types and without any text."""

    plan_of: Mapping[str, int]
    """Deployment id -> index into ``plans``."""
    plans: tuple[Plan, ...]


class Plan(NamedTuple):
    """``added`` and ``total`` count marks, as in Breakpoints."""

    instructions: Instructions
    added: int
    total: int


def instructions_for(plain: Mapping[str, Any], wanted: Mapping[str, Any]) -> Instructions:
    """What makes ``wanted`` of ``plain``: two rewritings of one chat body that differ in marks and cuts alone."""
    messages = [
        [number, [[len(block["text"]), _mark_of(block)] for block in after["content"]]]
        for number, (before, after) in enumerate(zip(plain["messages"], wanted["messages"], strict=True))
        if before is not after and before["content"] != after["content"]
    ]
    parameters = {
        name: wanted[name]
        for name in (INJECTION_POINTS, CACHE_KEY)
        if name in wanted and wanted[name] != plain.get(name)
    }
    return {"messages": messages, "parameters": parameters}


def follow(instructions: Instructions, plain: Mapping[str, Any]) -> dict[str, Any] | None:
    """The fields of ``plain`` that change, in new objects; None where its texts are no longer those planned for."""
    messages = list(plain["messages"])
    for number, blocks in instructions["messages"]:
        message = messages[number]
        content = _cut(message["content"], blocks)
        if content is None:
            return None
        messages[number] = {**message, "content": content}
    return {"messages": messages, **instructions["parameters"]}


def _mark_of(block: Mapping[str, Any]) -> Any:
    return block.get(CACHE_CONTROL) or block.get(BREAKPOINT)


def _cut(content: str | Sequence[Mapping[str, Any]], blocks: Sequence[tuple[int, Any]]) -> list[dict[str, Any]] | None:
    """The content in blocks of these lengths and marks; each keeps the other fields of the block it begins in."""
    sources: Sequence[Mapping[str, Any]] = [{"type": "text", "text": content}] if isinstance(content, str) else content
    text = "".join(source["text"] for source in sources)
    starts = [0, *accumulate(len(source["text"]) for source in sources)]
    ends = [*accumulate(length for length, _ in blocks)]
    if ends[-1] != len(text):
        return None
    return [
        marked(sources[bisect_right(starts, end - length, hi=len(sources)) - 1], text[end - length : end], mark)
        for end, (length, mark) in zip(ends, blocks, strict=True)
    ]
