"""Gemini's generateContent: ``systemInstruction`` is the prompt, ``contents`` the conversation.

The instruction comes as a string, or as a content whose parts are texts; parts stay where they can. A conversation
has no system role: late modules are notes, behind results in a content of their own, because the results of parallel
calls must be as many parts as the calls (github.com/google-gemini/gemini-cli pull 16137; checked 2026-11). Gemini takes
no marks: they would make a cache resource. Field names come in both of the API's spellings
(ai.google.dev/api/generate-content, checked 2026-11).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from litellm_prompt_router.request.types import Request, Rewritten, SystemBlock, Turn, UnreadableRequestError
from litellm_prompt_router.request.wire.late_blocks import with_late
from litellm_prompt_router.request.wire.outline import BodyOutline, are_objects
from litellm_prompt_router.request.wire.text_blocks import LateText, OutBlock, late_texts, out_blocks
from litellm_prompt_router.request.wire.tool_arguments import argument_text

_SYSTEM_KEYS = ("systemInstruction", "system_instruction")
_CALL_KEYS = ("functionCall", "function_call")
_RESULT_KEYS = ("functionResponse", "function_response")
_DATA_KEYS = ("inlineData", "inline_data", "fileData", "file_data")
_MIME_KEYS = ("mimeType", "mime_type")
NOTE_VALUE = "operator_note"
"""The name of a note in a function's response, for hosts that get it as a tool's message and take no user's behind it:
a text beside it would come ahead of the result (litellm/google_genai/adapters/transformation.py, 1.106)."""
_ROLES = {"model": "assistant", "function": "tool"}


# Reading


def read(data: Mapping[str, Any]) -> Request:
    """The request in our types. Raises UnreadableRequestError with a passthrough reason."""
    return outline(data).request()


def outline(data: Mapping[str, Any]) -> BodyOutline:
    """The same, before its conversation was read."""
    instruction = _first(data, _SYSTEM_KEYS)
    return BodyOutline(
        kind="gemini",
        system=tuple(_system_blocks(instruction)) if instruction else (),
        messages=_contents(data.get("contents")),
        turn_of=_turn,
        bears_marks=False,
    )


def _first(holder: Mapping[str, Any], keys: Sequence[str]) -> Any:
    return next((holder[key] for key in keys if holder.get(key) is not None), None)


def _system_blocks(instruction: Any) -> Iterator[SystemBlock]:
    if isinstance(instruction, str):
        yield SystemBlock(message=0, block=None, text=instruction, mark=None)
        return
    for index, part in enumerate(_parts(instruction)):
        text = part.get("text")
        if not isinstance(text, str):
            raise UnreadableRequestError("unsupported_system_content")
        yield SystemBlock(message=0, block=index, text=text, mark=None)


def _parts(content: Any) -> list[dict[str, Any]]:
    parts = content.get("parts") if isinstance(content, dict) else None
    parts = [parts] if isinstance(parts, dict) else parts
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise UnreadableRequestError
    return parts


def _contents(contents: Any) -> list[dict[str, Any]]:
    """As a list: LiteLLM also takes one content, and a string for one user text."""
    if isinstance(contents, str):
        return [{"role": "user", "parts": [{"text": contents}]}]
    contents = [contents] if isinstance(contents, dict) else contents
    if not isinstance(contents, list) or not are_objects(contents):
        raise UnreadableRequestError
    return contents


def _turn(content: Mapping[str, Any]) -> Turn:
    """A content as routing sees it; one with results of tools and nothing else is no word of the user's."""
    role = _ROLES.get(str(content.get("role") or "user"), str(content.get("role") or "user"))
    parts = content.get("parts")
    texts: list[str] = []
    results: list[str] = []
    attachments: list[str] = []
    calls: list[str] = []
    arguments: list[str] = []
    has_results = False
    parts = [parts] if isinstance(parts, dict) else parts
    if parts is not None and not isinstance(parts, list):
        raise UnreadableRequestError
    for part in parts or ():
        if not isinstance(part, dict):
            raise UnreadableRequestError
        call, data = _first(part, _CALL_KEYS), _first(part, _DATA_KEYS)
        if isinstance(part.get("text"), str):
            if part.get("thought") is True:
                continue  # a summary of thinking, which is no part of the answer
            texts.append(part["text"])
        elif isinstance(call, dict):
            calls.append(str(call.get("name")))
            arguments.append(argument_text(call.get("args")))
        elif (result := _first(part, _RESULT_KEYS)) is not None:
            has_results = True
            response = result.get("response") if isinstance(result, dict) else None
            values = response.values() if isinstance(response, dict) else ()
            results.extend(value for value in values if isinstance(value, str))
        elif isinstance(data, dict) and role == "user":
            attachments.append(_attachment_kind(str(_first(data, _MIME_KEYS))))
    is_result = role == "user" and has_results and not texts and not attachments
    return Turn(
        role="tool" if is_result else role,
        text="\n".join(results if is_result else texts),
        attachments=tuple(attachments),
        tool_calls=tuple(calls),
        parts=tuple(texts) if role == "user" and len(texts) > 1 else (),
        arguments=tuple(arguments),
    )


def _attachment_kind(mime: str) -> str:
    kind = mime.partition("/")[0]
    return kind if kind in ("image", "audio") else "file"


# Writing


def write(data: Mapping[str, Any], request: Request, rewritten: Rewritten) -> dict[str, Any]:
    """A new body with the rewritten prompt in the system instruction, and notes; everything else is shared."""
    late = list(late_texts(request, rewritten))
    if late:
        contents = _contents(data["contents"])
        data = {**data, "contents": with_late(contents, late, _late_content, _noted)}
    key = next(key for key in _SYSTEM_KEYS if data.get(key) is not None)
    instruction = data[key]
    blocks = list(out_blocks(request, rewritten))
    if not blocks:  # nothing of the prompt is sent: an instruction without parts would be refused
        return {name: value for name, value in data.items() if name != key}
    if isinstance(instruction, str):
        return {**data, key: "".join(block.text for block in blocks)}
    sources = _parts(instruction)
    texts = [(0, "".join(block.text for block in blocks))] if rewritten.target.reads_first_part else _by_part(blocks)
    parts = [{**sources[request.system[source].block or 0], "text": text} for source, text in texts]
    return {**data, key: {**instruction, "parts": parts[0] if isinstance(instruction["parts"], dict) else parts}}


def _late_content(late: LateText) -> dict[str, Any]:
    return {"role": "user", "parts": [{"text": late.text}]}


def _noted(content: dict[str, Any], note: str) -> dict[str, Any]:
    """A user's content with a note behind its parts; results alone get it as a value beside the last one's."""
    parts = content.get("parts")
    parts = [parts] if isinstance(parts, dict) else list(parts or ())
    last = parts[-1] if parts and isinstance(parts[-1], dict) else {}
    key = next((key for key in _RESULT_KEYS if isinstance(last.get(key), dict)), None)
    response = last[key].get("response") if key is not None else None
    if key is None or not isinstance(response, dict) or any("text" in part for part in parts if isinstance(part, dict)):
        return {**content, "parts": [*parts, {"text": note}]}
    result = {**last[key], "response": {**response, NOTE_VALUE: note.strip()}}
    return {**content, "parts": [*parts[:-1], {**last, key: result}]}


def _by_part(blocks: Sequence[OutBlock]) -> list[tuple[int, str]]:
    """``(index into Request.system, text)`` of each part that leaves."""
    texts: list[tuple[int, str]] = []
    for block in blocks:
        if texts and texts[-1][0] == block.source:
            texts[-1] = (block.source, texts[-1][1] + block.text)
        else:
            texts.append((block.source, block.text))
    return texts
