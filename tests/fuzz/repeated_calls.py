"""The promises that take more than one call: the same again, and the conversation's next one."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.fuzz.fuzz_case import FuzzCase
from tests.fuzz.hook_stand import HookStand, Observed
from tests.fuzz.laws import HISTORIES, SYSTEM_FIELDS, form_of, plain_message, sent_of

_NEXT = ("Done.", "Quote the fee, write a letter, look up the tide and the weather, then commit it on a branch")


async def repeated_laws(stand: HookStand, case: FuzzCase, seen: Observed) -> list[str]:
    """What the case breaks when it is asked for again."""
    broken = []
    again = await stand.ran(case)
    if form_of(sent_of(again)) != form_of(sent_of(seen)):
        broken.append("the same request is rewritten the same")
    later = _continued(case)
    if later is None or not _appends(seen):
        return broken
    following = await stand.ran(later)
    if _appends(following):
        (before, now) = (_prefix(sent_of(each)) for each in (seen, following))
        if before[0] != now[0]:
            broken.append("a conversation keeps its system prompt")
        elif now[1][: len(before[1])] != before[1]:
            broken.append("what a conversation sent before is a prefix of what it sends next")
    return broken


def _appends(seen: Observed) -> bool:
    """Rewritten so that late modules come behind, and begun: a user has said something."""
    facts = seen.facts
    return (
        facts is not None and facts.outcome == "rewritten" and facts.placement == "append" and bool(facts.query_chars)
    )


def _continued(case: FuzzCase) -> FuzzCase | None:
    """The conversation's next call; None where its history is no list."""
    body = copy.deepcopy(case.edited_body())
    name = next((name for name in HISTORIES if isinstance(body.get(name), list)), None)
    if name is None:
        return None
    answer, ask = _NEXT
    if name == "contents":
        body[name] += [{"role": "model", "parts": [{"text": answer}]}, {"role": "user", "parts": [{"text": ask}]}]
    else:
        body[name] += [{"role": "assistant", "content": answer}, {"role": "user", "content": ask}]
    return replace(case, body=body, edits=())


def _prefix(body: dict[str, Any]) -> tuple[Any, Sequence[Any]]:
    """The system prompt, and each message: as a provider would compare them."""
    system = {name: _plain_system(body[name]) for name in sorted(SYSTEM_FIELDS & body.keys())}
    history: list[Any] = next((body[name] for name in HISTORIES if isinstance(body.get(name), list)), [])
    return form_of(system), [form_of(plain_message(message)) for message in history]


def _plain_system(value: Any) -> Any:
    content = plain_message({"content": value})
    return content.get("content") if isinstance(content, dict) else content
