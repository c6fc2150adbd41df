"""What a marked body has beyond the same body without marks, as instructions that hold no text.

For groups whose deployments take different marks: the body that LiteLLM shares among all attempts has none, and
the instructions travel beside it, as plain JSON types, until a deployment is chosen.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

from litellm_prompt_router.request.wire.marks import BREAKPOINT, CACHE_CONTROL, CACHE_KEY, INJECTION_POINTS, marked

Instructions = dict[str, Any]
NO_INSTRUCTIONS: Instructions = {"kind": "text", "cuts": [], "marks": [], "parameters": {}}
ANY_DEPLOYMENT = ""
"""Stands for every deployment id that isn't named."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Marking:
    """How to mark a body for the deployment that is chosen, in plain JSON types and without any text."""

    plan_of: Mapping[str, int]
    """Deployment id or ANY -> index into ``plans``."""
    plans: tuple[MarkPlan, ...]


class MarkPlan(NamedTuple):
    """``added`` and ``total`` count marks, as in Breakpoints.

    ``endpoint`` is the call type of the bodies it is for, where LiteLLM makes them of the client's.
    """

    instructions: Instructions
    added: int
    total: int
    endpoint: str | None = None


class Texts(NamedTuple):
    """Where a shape keeps what a rewriting may cut into blocks.

    ``fields`` of the body that are a text or its blocks; ``items``: the field whose list holds objects with a
    ``content``. ``kind`` is the type of a text block.
    """

    fields: tuple[str, ...] = ()
    items: str = "messages"
    kind: str = "text"


def instructions_for(plain: Mapping[str, Any], wanted: Mapping[str, Any], texts: Texts) -> Instructions:
    """What makes ``wanted`` of ``plain``: two rewritings of one body that differ in marks and cuts alone."""
    cuts: list[Any] = []
    marks: list[Any] = []
    for path, before, after in _pairs(plain, wanted, texts):
        if before is after or before == after:
            continue
        if all(isinstance(block.get("text"), str) for block in after):
            cuts.append([path, [[len(block["text"]), _mark_of(block)] for block in after]])
        else:
            changed = [number for number, block in enumerate(after) if block is not before[number]]
            marks.append([path, [[number, _mark_of(after[number])] for number in changed]])
    parameters = {
        name: wanted[name]
        for name in (INJECTION_POINTS, CACHE_KEY)
        if name in wanted and wanted[name] != plain.get(name)
    }
    return {"kind": texts.kind, "cuts": cuts, "marks": marks, "parameters": parameters}


def _pairs(
    plain: Mapping[str, Any], wanted: Mapping[str, Any], texts: Texts
) -> Iterator[tuple[list[str | int], Any, Any]]:
    for field in texts.fields:
        yield [field], plain.get(field), wanted.get(field)
    before, after = plain.get(texts.items), wanted.get(texts.items)
    if isinstance(before, list) and isinstance(after, list):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            if one is not other:
                yield [texts.items, number, "content"], one.get("content"), other.get("content")


def apply_instructions(instructions: Instructions, plain: Mapping[str, Any]) -> dict[str, Any] | None:
    """The fields of ``plain`` that change, in new objects; None where its texts are no longer those planned for."""
    changed: dict[str, Any] = {}
    try:
        for path, blocks in instructions["cuts"]:
            content = _cut(_at(path, changed, plain), blocks, instructions["kind"])
            if content is None:
                return None
            _put(content, path, changed, plain)
        for path, marks in instructions["marks"]:
            content = list(_at(path, changed, plain))
            for number, mark in marks:
                content[number] = {**content[number], CACHE_CONTROL: mark}
            _put(content, path, changed, plain)
    except (IndexError, KeyError, TypeError):
        return None
    return {**changed, **instructions["parameters"]}


def _at(path: Sequence[Any], changed: Mapping[str, Any], plain: Mapping[str, Any]) -> Any:
    field, *place = path
    holder = changed.get(field, plain.get(field))
    return holder[place[0]][place[1]] if place else holder


def _put(content: Any, path: Sequence[Any], changed: dict[str, Any], plain: Mapping[str, Any]) -> None:
    field, *place = path
    if not place:
        changed[field] = content
        return
    number, name = place
    if field not in changed:
        changed[field] = list(plain[field])
    changed[field][number] = {**changed[field][number], name: content}


def _mark_of(block: Mapping[str, Any]) -> Any:
    return block.get(CACHE_CONTROL) or block.get(BREAKPOINT)


def _cut(content: Any, blocks: Sequence[tuple[int, Any]], kind: str) -> list[dict[str, Any]] | None:
    """The content in blocks of these lengths and marks; each keeps the other fields of the block it begins in."""
    sources = [{"type": kind, "text": content}] if isinstance(content, str) else content
    if not isinstance(sources, list) or not all(isinstance(source.get("text"), str) for source in sources):
        return None
    text = "".join(source["text"] for source in sources)
    starts = [0, *accumulate(len(source["text"]) for source in sources)]
    ends = [*accumulate(length for length, _ in blocks)]
    if ends[-1] != len(text):
        return None
    return [
        marked(sources[bisect_right(starts, end - length, hi=len(sources)) - 1], text[end - length : end], mark)
        for end, (length, mark) in zip(ends, blocks, strict=True)
    ]
