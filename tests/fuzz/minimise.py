"""A case that breaks a law -> the smallest that still breaks it: fewer edits, fewer messages, shorter texts."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

from tests.fuzz.fuzz_case import FuzzCase

MAX_TRIES = 300


async def minimised(case: FuzzCase, still_breaks: Callable[[FuzzCase], Awaitable[bool]]) -> FuzzCase:
    """The first of the smaller cases that still breaks it, made smaller in turn. At most ``MAX_TRIES`` are tried."""
    tries = 0
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for smaller in _smaller(case):
            tries += 1
            if tries > MAX_TRIES:
                return case
            if await still_breaks(smaller):
                case, is_smaller = smaller, True
                break
    return case


def _smaller(case: FuzzCase) -> Iterator[FuzzCase]:
    for number in range(len(case.edits)):
        yield replace(case, edits=(*case.edits[:number], *case.edits[number + 1 :]))
    for number in range(len(case.answer_edits)):
        yield replace(case, answer_edits=(*case.answer_edits[:number], *case.answer_edits[number + 1 :]))
    for name in ("messages", "input", "contents", "tools"):
        held = case.body.get(name)
        if isinstance(held, list):
            for number in range(len(held) - 1, -1, -1):
                yield replace(case, body={**case.body, name: [*held[:number], *held[number + 1 :]]})
    for name in case.body:
        yield replace(case, body={key: value for key, value in case.body.items() if key != name})
    for name in case.answer:
        if name not in ("form", "usage", "event"):
            yield replace(case, answer={key: value for key, value in case.answer.items() if key != name})
    event = case.answer.get("event")
    event = event if isinstance(event, dict) else {}
    for name in event:
        yield replace(case, answer={**copy.deepcopy(case.answer), "event": _without(event, name)})


def _without(holder: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in holder.items() if key != name}
