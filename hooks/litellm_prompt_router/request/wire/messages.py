"""Anthropic Messages: ``system`` and a leading run of ``system`` messages are the system prompt.

``system`` comes as a string or as text blocks, and keeps its form unless a mark has to be set; so does each leading
message. Results of tools come in user messages: one with nothing else in it is no word of the user's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from litellm_prompt_router.profile.profile import Ttl
from litellm_prompt_router.request.late_places import own_messages
from litellm_prompt_router.request.types import (
    Mark,
    Request,
    Rewritten,
    SystemBlock,
    Target,
    Turn,
    UnreadableRequestError,
)
from litellm_prompt_router.request.wire.chat_marks import Places, marked_at
from litellm_prompt_router.request.wire.late_blocks import noted, noted_message, with_late
from litellm_prompt_router.request.wire.marks import (
    CACHE_CONTROL,
    INJECTION_POINTS,
    added_parameters,
    mark_of,
    marks_behind,
    marks_of_tools,
    moved_points,
    points_for,
    with_end_marks,
)
from litellm_prompt_router.request.wire.marks import marked as marked_block
from litellm_prompt_router.request.wire.outline import BodyOutline, are_objects, kind_of_block, text_or_none
from litellm_prompt_router.request.wire.text_blocks import LateText, OutBlock, late_texts, out_blocks, without_blank
from litellm_prompt_router.request.wire.tool_arguments import argument_text

SYSTEM = "system"
TOP = -1
"""Stands for the top-level ``system`` where SystemBlock has a message's number."""

_ATTACHMENT_KINDS = {"image": "image", "document": "file", "container_upload": "file"}
_RESULT = "tool_result"


# Reading


def read(data: Mapping[str, Any]) -> Request:
    """The request in our types. Raises UnreadableRequestError with a passthrough reason."""
    return outline(data).request()


def outline(data: Mapping[str, Any]) -> BodyOutline:
    """The same, before its conversation was read."""
    messages = data.get("messages")
    if not isinstance(messages, list) or not are_objects(messages):
        raise UnreadableRequestError
    leading = leading_of(messages)
    system = [*_system_blocks(data.get(SYSTEM) or "", TOP, None)]
    for number in range(leading):
        system += _system_blocks(messages[number].get("content"), number, mark_of(messages[number]))
    return BodyOutline(
        kind="messages",
        system=tuple(system),
        messages=messages[leading:],
        turn_of=_turn,
        marks_before=marks_of_tools(data.get("tools")),
        marks_behind=tuple(marks_behind(data)),
        states_points=isinstance(data.get(INJECTION_POINTS), list),
    )


def leading_of(messages: Sequence[Mapping[str, Any]]) -> int:
    """How many ``system`` messages stand ahead of the conversation."""
    return next((number for number, message in enumerate(messages) if message.get("role") != SYSTEM), len(messages))


def _system_blocks(content: Any, number: int, own_mark: Mark | None) -> Iterator[SystemBlock]:
    if isinstance(content, str):
        if content or number != TOP:
            yield SystemBlock(message=number, block=None, text=content, mark=own_mark)
        return
    if not isinstance(content, list):
        raise UnreadableRequestError
    for index, block in enumerate(content):
        text = block.get("text") if isinstance(block, dict) and block.get("type") == "text" else None
        if not isinstance(text, str):
            raise UnreadableRequestError("unsupported_system_content")
        mark = mark_of(block) or (own_mark if index == len(content) - 1 else None)
        yield SystemBlock(message=number, block=index, text=text, mark=mark)


def _turn(message: Mapping[str, Any]) -> Turn:
    role, content = str(message.get("role")), message.get("content")
    if not isinstance(content, list):
        return Turn(role, text_or_none(content) or "")
    texts: list[str] = []
    results: list[str] = []
    attachments: list[str] = []
    calls: list[str] = []
    arguments: list[str] = []
    has_results = False
    for block in content:
        kind = kind_of_block(block)
        if kind == "text":
            if isinstance(block.get("text"), str):
                texts.append(block["text"])
        elif kind.endswith("tool_result"):
            has_results = True
            results.extend(_texts_of_result(block.get("content")))
        elif kind.endswith("tool_use"):
            if isinstance(block.get("name"), str):
                calls.append(block["name"])
                arguments.append(argument_text(block.get("input")))
        elif role == "user":
            attachments.append(_ATTACHMENT_KINDS.get(kind, "other"))
    is_result = role == "user" and has_results and not texts and not attachments
    return Turn(
        role="tool" if is_result else role,
        text="\n".join(results if is_result else texts),
        attachments=tuple(attachments),
        tool_calls=tuple(calls),
        blocks=max(1, len(content) - len(calls)),
        parts=tuple(texts) if role == "user" and len(texts) > 1 else (),
        arguments=tuple(arguments),
    )


def _texts_of_result(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else ():
        text = part.get("text") if isinstance(part, dict) else None
        if isinstance(text, str):
            yield text


# Writing


def write(data: Mapping[str, Any], request: Request, rewritten: Rewritten) -> dict[str, Any]:
    """A new body with the rewritten prompt in ``system`` and the leading messages; everything else is shared."""
    messages = data["messages"]
    leading = leading_of(messages)
    blocks: dict[int, list[OutBlock]] = {}
    for block in without_blank(out_blocks(request, rewritten)):
        blocks.setdefault(request.system[block.source].message, []).append(block)
    body = dict(data)
    if TOP in blocks:
        body[SYSTEM] = _content(data[SYSTEM], request, blocks[TOP])
    elif any(block.message == TOP for block in request.system):
        del body[SYSTEM]
    system = [_message(messages[number], request, blocks[number]) for number in range(leading) if number in blocks]
    late = late_texts(request, rewritten)
    with_note = partial(_noted, in_result=not rewritten.target.takes_user_behind_result)
    rest = with_late(messages[leading:], late, _late_message, with_note)
    body["messages"] = with_end_marks([*system, *rest], rewritten.breakpoints.history)
    points = points_for(data, rewritten)
    late_turns = own_messages(rewritten.composition)
    if late_turns or len(system) != leading:
        # A point for all system messages means the top-level field here (anthropic_cache_control_hook.py, 1.106).
        points = moved_points(points, messages, leading, system, late_turns, roles=frozenset())
    added = added_parameters(data, rewritten, points)
    if not points and not rewritten.target.injection_points:
        added.pop(INJECTION_POINTS, None)  # there are none to take the place of
    return {**body, **added}


def _content(content: Any, request: Request, run: Sequence[OutBlock]) -> str | list[dict[str, Any]]:
    if isinstance(content, str) and len(run) == 1 and run[0].mark is None:
        return run[0].text
    return [_block(content, request, block) for block in run]


def _block(content: Any, request: Request, out: OutBlock) -> dict[str, Any]:
    index = request.system[out.source].block
    return marked_block({"type": "text"} if index is None else content[index], out.text, out.mark)


def _message(message: Mapping[str, Any], request: Request, run: Sequence[OutBlock]) -> dict[str, Any]:
    rest = {key: value for key, value in message.items() if key != CACHE_CONTROL}
    return {**rest, "content": _content(message["content"], request, run)}


def _late_message(late: LateText) -> dict[str, Any]:
    role = "user" if late.is_note else SYSTEM
    return {"role": role, "content": [{"type": "text", "text": late.text}] if late.is_note else late.text}


def _noted(message: dict[str, Any], note: str, *, in_result: bool = False) -> dict[str, Any]:
    """A user message with a note behind its blocks, or inside its last result where nothing may stand behind one."""
    content = message.get("content")
    if in_result and isinstance(content, list):
        kinds = [str(block.get("type")) if isinstance(block, dict) else "" for block in content]
        last = max((number for number, kind in enumerate(kinds) if kind == _RESULT), default=None)
        if last is not None and "text" not in kinds:
            result = {**content[last], "content": noted(content[last].get("content"), note)}
            return {**message, "content": [*content[:last], result, *content[last + 1 :]]}
    return noted_message(message, note)


# Marks on what isn't rewritten


def _at_history_ends(body: Mapping[str, Any], ends: Sequence[int]) -> Mapping[str, Any]:
    return {**body, "messages": with_end_marks(body["messages"], [{"index": -place} for place in ends])}


def _at_system_end(body: Mapping[str, Any], mark: Mark) -> Mapping[str, Any]:
    messages = body["messages"]
    for number in range(leading_of(messages) - 1, -1, -1):
        content = _with_last_mark(messages[number]["content"], mark)
        if content is not None:
            changed = [*messages[:number], {**messages[number], "content": content}, *messages[number + 1 :]]
            return {**body, "messages": changed}
    content = _with_last_mark(body.get(SYSTEM), mark)
    return {**body} if content is None else {**body, SYSTEM: content}


def _with_last_mark(content: Any, mark: Mark) -> list[dict[str, Any]] | None:
    """The content in blocks, the last one with a text marked; None where there is none."""
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content or ())
    last = next((number for number in range(len(blocks) - 1, -1, -1) if blocks[number]["text"].strip()), None)
    if last is None:
        return None
    blocks[last] = marked_block(blocks[last], blocks[last]["text"], mark)
    return blocks


_PLACES = Places(at_system_end=_at_system_end, at_history_ends=_at_history_ends)


def marked(body: Mapping[str, Any], request: Request, target: Target, ttl: Ttl) -> tuple[Mapping[str, Any], int]:
    """The body as it came with breakpoints of the target's kind, and how many were added."""
    return marked_at(_PLACES, body, request, target, ttl)
