"""OpenAI chat completions: the leading run of ``system``/``developer`` messages is the system prompt.

Contents come as a string or as blocks. Kept pieces stay in messages of their own role and in blocks of their
own, so that seams the client put there survive; a string stays a string unless a breakpoint has to be set,
because only block-level marks reach every provider (LiteLLM drops message-level marks on block content).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from litellm_prompt_router.request.late_places import own_messages
from litellm_prompt_router.request.types import (
    NOTHING_DECLARED,
    Request,
    Rewritten,
    SystemBlock,
    Turn,
    UnreadableRequestError,
)
from litellm_prompt_router.request.wire.late_blocks import noted_message, with_late
from litellm_prompt_router.request.wire.marks import (
    CACHE_CONTROL,
    INJECTION_POINTS,
    SYSTEM_ROLES,
    added_parameters,
    mark_of,
    marked,
    marks_behind,
    marks_of_tools,
    moved_points,
    points_for,
    with_end_marks,
)
from litellm_prompt_router.request.wire.outline import BodyOutline, are_objects
from litellm_prompt_router.request.wire.text_blocks import LateText, OutBlock, late_texts, out_blocks
from litellm_prompt_router.request.wire.tool_arguments import MAX_ARGUMENT_CHARS, argument_text

_ATTACHMENT_KINDS = {
    "image_url": "image",
    "input_image": "image",
    "image": "image",
    "input_audio": "audio",
    "file": "file",
    "input_file": "file",
    "document": "file",
}
_THINKING = frozenset({"thinking", "redacted_thinking", "reasoning"})
"""No part of what a model says."""


# Reading


def read(data: Mapping[str, Any]) -> Request:
    """The request in our types. Raises UnreadableRequestError with a passthrough reason."""
    return outline(data).request()


def outline(data: Mapping[str, Any]) -> BodyOutline:
    """The same, before its conversation was read."""
    messages = data.get("messages")
    if not isinstance(messages, list) or not are_objects(messages):
        raise UnreadableRequestError
    leading = _leading(messages)
    system = tuple(block for number in range(leading) for block in _system_blocks(messages[number], number))
    return BodyOutline(
        kind="chat",
        system=system,
        messages=messages[leading:],
        turn_of=_turn,
        marks_before=marks_of_tools(data.get("tools"), in_functions=True),
        marks_behind=tuple(marks_behind(data)),
        states_points=isinstance(data.get(INJECTION_POINTS), list),
    )


def _leading(messages: list[dict[str, Any]]) -> int:
    for number, message in enumerate(messages):
        role = message.get("role")
        if not isinstance(role, str) or role not in SYSTEM_ROLES:
            return number
    return len(messages)


def _system_blocks(message: Mapping[str, Any], number: int) -> Iterator[SystemBlock]:
    content = message.get("content")
    own_mark = mark_of(message)
    if isinstance(content, str):
        yield SystemBlock(message=number, block=None, text=content, mark=own_mark)
        return
    if not isinstance(content, list) or not content:
        raise UnreadableRequestError
    for index, block in enumerate(content):
        text = block.get("text") if isinstance(block, dict) and block.get("type") == "text" else None
        if not isinstance(text, str):
            raise UnreadableRequestError("unsupported_system_content")
        mark = mark_of(block) or (own_mark if index == len(content) - 1 else None)
        yield SystemBlock(message=number, block=index, text=text, mark=mark)


def _turn(message: Mapping[str, Any]) -> Turn:
    content = message.get("content")
    if isinstance(content, str) and "tool_calls" not in message and "function_call" not in message:
        return Turn(str(message.get("role")), content)
    texts: list[str] = []
    attachments: list[str] = []
    if isinstance(content, str):
        texts.append(content)
    elif isinstance(content, list):
        for part in content:
            if isinstance(part, str):
                texts.append(part)
            elif isinstance(part, dict) and part.get("type") not in _THINKING:
                text = part.get("text")
                if isinstance(text, str):
                    texts.append(text)
                elif part.get("type") not in ("text", None):
                    attachments.append(_ATTACHMENT_KINDS.get(str(part["type"]), "other"))
    elif content is not None:
        raise UnreadableRequestError
    role = str(message.get("role"))
    calls, arguments = _calls(message)
    parts = tuple(texts) if role == "user" and len(texts) > 1 else ()
    return Turn(  # by position, which takes half the time: there is one for each message of each call
        role,
        texts[0] if len(texts) == 1 else "\n".join(texts),
        tuple(attachments),
        tuple(calls),
        1,
        parts,
        NOTHING_DECLARED,
        tuple(arguments),
    )


def _calls(message: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The names of the functions that the message calls, and the arguments of each."""
    names: list[str] = []
    arguments: list[str] = []
    calls, old_style = message.get("tool_calls"), message.get("function_call")
    functions = [call.get("function") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    for function in functions if old_style is None else (*functions, old_style):
        if isinstance(function, dict) and isinstance(name := function.get("name"), str):
            names.append(name)
            given = function.get("arguments")
            arguments.append(given[:MAX_ARGUMENT_CHARS] if isinstance(given, str) else argument_text(given))
    return names, arguments


# Writing


def write(data: Mapping[str, Any], request: Request, rewritten: Rewritten) -> dict[str, Any]:
    """A new body whose leading system messages hold the rewritten prompt; everything else is shared."""
    messages = data["messages"]
    leading = _leading(messages)
    out: list[dict[str, Any]] = []
    run: list[OutBlock] = []
    for block in out_blocks(request, rewritten):
        if run and request.system[run[-1].source].message != request.system[block.source].message:
            out.append(_message(messages, request, run))
            run = []
        run.append(block)
    if run:
        out.append(_message(messages, request, run))
    rest = messages[leading:]
    if rewritten.composition.late:
        role = messages[request.system[0].message]["role"]
        rest = with_late(rest, late_texts(request, rewritten), _late_message(role, rewritten), noted_message)
    parameters = _parameters(data, rewritten, leading, out)
    messages = [*out, *rest]
    if rewritten.target.marks_blocks:
        messages = with_end_marks(messages, rewritten.breakpoints.history)
    return {**data, "messages": messages, **parameters}


def _late_message(role: str, rewritten: Rewritten) -> Callable[[LateText], dict[str, Any]]:
    """``role`` is that of the client's own system messages."""

    def message(late: LateText) -> dict[str, Any]:
        # Blocks where marks are kept on them; a plain string is what every other host takes.
        content = [{"type": "text", "text": late.text}] if rewritten.target.is_marking else late.text
        return {"role": "user" if late.is_note else role, "content": content}

    return message


def _parameters(
    data: Mapping[str, Any], rewritten: Rewritten, leading: int, system: list[dict[str, Any]]
) -> dict[str, Any]:
    """What goes beside the messages; ``system`` is what the ``leading`` ones became."""
    points = points_for(data, rewritten)
    late_turns = own_messages(rewritten.composition)
    if late_turns or len(system) != leading:
        points = moved_points(points, data["messages"], leading, system, late_turns)
    if not rewritten.target.marks_blocks:
        # LiteLLM places these, so that the messages themselves go through as they came.
        points = [*points, *map(dict, rewritten.breakpoints.history)]
    return added_parameters(data, rewritten, points)


def _message(messages: list[dict[str, Any]], request: Request, run: list[OutBlock]) -> dict[str, Any]:
    source = messages[request.system[run[0].source].message]
    message = {key: value for key, value in source.items() if key != CACHE_CONTROL}
    if isinstance(source["content"], str) and len(run) == 1 and run[0].mark is None:
        message["content"] = run[0].text
        return message
    message["content"] = [_block(source, request, block) for block in run]
    return message


def _block(source: Mapping[str, Any], request: Request, out: OutBlock) -> dict[str, Any]:
    index = request.system[out.source].block
    origin = {"type": "text"} if index is None else source["content"][index]
    return marked(origin, out.text, out.mark)
