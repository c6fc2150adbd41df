"""OpenAI Responses: ``instructions`` and the leading ``system``/``developer`` items of ``input`` are the prompt.

``instructions`` stays a string. Items keep their role, their form and their seams; ``additional_tools`` items
among them are no text and stay where they are. What the history is made of (messages, calls, their outputs,
reasoning) goes through as it came. A conversation of which only ``previous_response_id`` is sent can't be routed.

Nothing here is marked for a cache: OpenAI takes no ``cache_control``, and where LiteLLM answers through chat
completions the marks are put on the messages that it makes (request/wire/bridged_marks.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from litellm_prompt_router.request.types import Request, Rewritten, SystemBlock, Turn, UnreadableRequestError
from litellm_prompt_router.request.wire.declared_tools import tools_of_item
from litellm_prompt_router.request.wire.late_blocks import noted, noted_message, with_late
from litellm_prompt_router.request.wire.leading_items import holds_tools, is_system, leading_of
from litellm_prompt_router.request.wire.marks import (
    CACHE_CONTROL,
    CACHE_KEY,
    INJECTION_POINTS,
    mark_of,
    marked,
    marks_behind,
    marks_of_tools,
)
from litellm_prompt_router.request.wire.outline import BodyOutline, are_objects, kind_of_block, text_or_none
from litellm_prompt_router.request.wire.text_blocks import LateText, OutBlock, late_texts, out_blocks
from litellm_prompt_router.request.wire.tool_arguments import argument_text

INSTRUCTIONS = "instructions"
TOP = -1
"""Stands for ``instructions`` where SystemBlock has an item's number."""
UNSEEN_HISTORY = "the history is at the provider"
"""Why everything is sent: what the conversation has needed so far isn't in the request."""

_INPUT_TEXT = "input_text"
_TEXT_KINDS = frozenset({_INPUT_TEXT, "text"})
_ANSWER_KINDS = _TEXT_KINDS | {"output_text"}
_ATTACHMENT_KINDS = {
    "input_image": "image",
    "input_audio": "audio",
    "input_file": "file",
}
_ARGUMENT_KEYS = ("arguments", "input", "action", "operation", "queries", "code")
"""Where the items of functions, custom tools, shells, patches and hosted tools have what the model asked for."""
_SOURCES = "sources"
"""In the action of a web search: what it found."""
_HISTORY_KEYS = ("previous_response_id", "conversation")
"""Names of a history that the provider keeps (developers.openai.com, "Conversation state", checked 2026-11)."""


# Reading


def read(data: Mapping[str, Any]) -> Request:
    """The request in our types. Raises UnreadableRequestError with a passthrough reason."""
    return outline(data).request()


def outline(data: Mapping[str, Any]) -> BodyOutline:
    """The same, before its conversation was read."""
    instructions = data.get(INSTRUCTIONS)
    if instructions is not None and not isinstance(instructions, str):
        raise UnreadableRequestError("unsupported_system_content")
    items = items_of(data)
    leading = leading_of(items)
    system = [SystemBlock(message=TOP, block=None, text=instructions, mark=None)] if instructions else []
    for number in range(leading):
        if is_system(items[number]):
            system += _system_blocks(items[number], number)
    return BodyOutline(
        kind="responses",
        system=tuple(system),
        messages=items[leading:],
        turn_of=_turn,
        marks_before=marks_of_tools(data.get("tools")),
        marks_behind=tuple(marks_behind(data)),
        states_points=isinstance(data.get(INJECTION_POINTS), list),
        missing_history=UNSEEN_HISTORY if any(data.get(key) for key in _HISTORY_KEYS) else None,
    )


def items_of(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """``input`` as items; a string is one user message."""
    given = data.get("input")
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if given is None:
        return []
    if not isinstance(given, list) or not are_objects(given):
        raise UnreadableRequestError
    return given


def _system_blocks(item: Mapping[str, Any], number: int) -> Iterator[SystemBlock]:
    content = item.get("content")
    if isinstance(content, str):
        yield SystemBlock(message=number, block=None, text=content, mark=mark_of(item))
        return
    if not isinstance(content, list) or not content:
        raise UnreadableRequestError
    for index, block in enumerate(content):
        text = block.get("text") if isinstance(block, dict) and block.get("type") in _TEXT_KINDS else None
        if not isinstance(text, str):
            raise UnreadableRequestError("unsupported_system_content")
        yield SystemBlock(message=number, block=index, text=text, mark=mark_of(block))


def _turn(item: Mapping[str, Any]) -> Turn:
    """An item as routing sees it. What is neither message, call nor output has its type for a role."""
    kind = item.get("type", "message")
    if kind == "message":
        return _message_turn(item)
    if not isinstance(kind, str):
        return Turn("other", "")
    if kind.endswith("_output"):
        return Turn("tool", "\n".join(_texts_of_output(item.get("output"))))
    if kind.endswith("_call"):
        name = item.get("name")
        return Turn(
            "assistant",
            "",
            tool_calls=(name if isinstance(name, str) else kind.removesuffix("_call"),),
            arguments=(_arguments(item),),
        )
    return Turn(kind, "", declared=tools_of_item(item)) if holds_tools(item) else Turn(kind, "")


def _arguments(item: Mapping[str, Any]) -> str:
    """What the model wrote for the call; of hosted tools the item holds the results as well."""
    given = next((item[key] for key in _ARGUMENT_KEYS if item.get(key) is not None), None)
    if isinstance(given, dict):
        given = {key: value for key, value in given.items() if key != _SOURCES}
    return argument_text(given)


def _message_turn(item: Mapping[str, Any]) -> Turn:
    role, content = str(item.get("role")), item.get("content")
    if not isinstance(content, list):
        return Turn(role, text_or_none(content) or "")
    texts: list[str] = []
    attachments: list[str] = []
    for part in content:
        kind = kind_of_block(part)
        if kind in _ANSWER_KINDS:
            if isinstance(part.get("text"), str):
                texts.append(part["text"])
        elif role == "user":
            attachments.append(_ATTACHMENT_KINDS.get(kind, "other"))
    parts = tuple(texts) if role == "user" and len(texts) > 1 else ()
    return Turn(role=role, text="\n".join(texts), attachments=tuple(attachments), parts=parts)


def _texts_of_output(output: object) -> Iterator[str]:
    if isinstance(output, str):
        yield output
    for part in output if isinstance(output, list) else ():
        text = part.get("text") if isinstance(part, dict) else None
        if isinstance(text, str):
            yield text


# Writing


def write(data: Mapping[str, Any], request: Request, rewritten: Rewritten) -> dict[str, Any]:
    """A new body with the rewritten prompt in ``instructions`` and the leading items; everything else is shared."""
    body = dict(data)
    runs = runs_of(request, rewritten)
    if data.get(INSTRUCTIONS):
        body[INSTRUCTIONS] = "".join(block.text for block in runs.get(TOP, ())) or None
    items = items_of(data)
    leading = leading_of(items)
    head = [
        _item(item, request, runs[number]) if number in runs else item
        for number, item in enumerate(items[:leading])
        if number in runs or not is_system(item)
    ]
    late = list(late_texts(request, rewritten))
    if isinstance(data.get("input"), list) or late:
        body["input"] = [*head, *with_late(items[leading:], late, _late_item(items[:leading]), _noted)]
    if rewritten.cache_key is not None and CACHE_KEY not in data:
        body[CACHE_KEY] = rewritten.cache_key
    return body


def runs_of(request: Request, rewritten: Rewritten) -> dict[int, list[OutBlock]]:
    """The output's blocks by the item that they stand in, in their own order: none goes back to an earlier item."""
    runs: dict[int, list[OutBlock]] = {}
    at = last = -1
    for block in out_blocks(request, rewritten):
        message = request.system[block.source].message
        if runs and message < at:
            block = block._replace(source=last)
        else:
            at, last = message, block.source
        runs.setdefault(at, []).append(block)
    return runs


def _item(item: Mapping[str, Any], request: Request, run: Sequence[OutBlock]) -> dict[str, Any]:
    """The item with these texts: a string stays one, a block is cut nowhere and keeps the mark at its end."""
    content = item["content"]
    if isinstance(content, str):
        return {**item, "content": "".join(block.text for block in run)}
    joined: list[OutBlock] = []
    for block in run:
        if joined and joined[-1].source == block.source:
            joined[-1] = OutBlock(block.source, joined[-1].text + block.text, block.mark)
        else:
            joined.append(block)
    blocks = []
    for block in joined:
        index = request.system[block.source].block
        assert index is not None
        own = block.mark if mark_of(content[index]) is not None else None
        blocks.append(marked(content[index], block.text, own))
    return {**{key: value for key, value in item.items() if key != CACHE_CONTROL}, "content": blocks}


def _late_item(leading: Sequence[Mapping[str, Any]]) -> Callable[[LateText], dict[str, Any]]:
    """A late message has the role that the client's own leading items have."""
    own = next((item for item in leading if is_system(item)), {"role": "system"})
    form = {key: own[key] for key in ("type", "role") if key in own}

    def item(late: LateText) -> dict[str, Any]:
        if late.is_note:
            return {"role": "user", "content": [{"type": _INPUT_TEXT, "text": late.text}]}
        return {**form, "content": late.text}

    return item


def _noted(item: dict[str, Any], note: str) -> dict[str, Any]:
    if item.get("type", "message") == "message":
        return noted_message(item, note, _INPUT_TEXT)
    return {**item, "output": noted(item.get("output"), note, _INPUT_TEXT)}


def settled_at(data: Mapping[str, Any], turn: int) -> int:
    """The item behind which something for item ``turn`` may stand: no call there still waits for its output.

    Parallel calls come one after the other, and then their outputs. Both count from behind the leading items.
    """
    items = items_of(data)
    items = items[leading_of(items) :]
    answered = {item.get("call_id"): n for n, item in enumerate(items) if str(item.get("type")).endswith("_output")}
    place = turn
    at = 0
    while at <= place:
        item = items[at]
        if str(item.get("type")).endswith("_call"):
            output = answered.get(item.get("call_id"), -1)
            if output > place:
                place = output
        at += 1
    return place
