"""Whether a body has its endpoint's shape, as far as anybody reads it here. Asked only once something has failed on it.

What we don't know (fields, kinds of blocks) is no fault in a body; a value of another type than the endpoint documents
is one, and so is what no provider takes: text that isn't Unicode, numbers that JSON doesn't have, nesting without end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from litellm_prompt_router.request.types import CHAT, GEMINI, GEMINI_STREAM, MESSAGES, RESPONSES

MAX_DEPTH = 100
"""Of a body's lists and objects. Tools' schemas, which nest deepest, were 14 deep in eight agents (2026-11)."""
MAX_VALUES = 500_000
"""That are looked at; a body of more is taken for one that nobody can read."""
MAX_INTEGER = 2**64
_NOT_THE_CLIENTS = frozenset({"proxy_server_request", "metadata", "secret_fields"})
"""Where LiteLLM has objects of its own, beside the fields that begin with its name."""
_JSON_TYPES = (str, int, float, bool, dict, list)
_Is = Callable[[Any], bool]


def has_shape(data: Mapping[str, Any], call_type: str) -> bool:
    """False where the fault that a body met may lie in the body. Raises nothing, and takes bounded time."""
    if not all(is_json(value) for name, value in data.items() if _is_of_body(name, value)):
        return False
    parameters = ("tools", _tools), ("functions", _tools), ("cache_control", _object)
    texts = (
        ("model", _text),
        ("prompt_cache_key", _text),
        ("extra_body", _object),
        ("cache_control_injection_points", _objects),
    )
    return _fields(data, *parameters, *texts) and _SHAPES.get(call_type, _fields)(data)


def _is_of_body(name: object, value: object) -> bool:
    if not isinstance(name, str) or name in _NOT_THE_CLIENTS or name.startswith("litellm_"):
        return False
    return isinstance(value, _JSON_TYPES)


def is_json(value: Any) -> bool:
    """True for what a JSON text in UTF-8 may hold, not too deeply nested. The stack doesn't grow with the nesting."""
    todo: list[tuple[Any, int]] = [(value, 1)]
    left = MAX_VALUES
    while todo:
        value, depth = todo.pop()
        kind = type(value)
        if kind is dict or kind is list:
            left -= len(value)
            if depth > MAX_DEPTH or left < 0:
                return False
            if kind is dict:
                if not all(isinstance(name, str) and _is_unicode(name) for name in value):
                    return False
                value = value.values()
            todo += [(inner, depth + 1) for inner in value]
        elif kind is str:
            if not _is_unicode(value):
                return False
        elif kind is int:
            if abs(value) > MAX_INTEGER:
                return False
        elif kind is float:
            if not math.isfinite(value):
                return False
        elif value is not None and kind is not bool:
            return False
    return True


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _fields(holder: Mapping[str, Any], *expected: tuple[str, _Is]) -> bool:
    """True where each of these fields is as expected, or null, or missing."""
    return all(holder.get(name) is None or is_expected(holder[name]) for name, is_expected in expected)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _object(value: Any) -> bool:
    return isinstance(value, dict)


def _objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _tools(value: Any) -> bool:
    """Tools in any endpoint's form, those in a server's or a namespace's list too, which ``is_json`` keeps from endless
    nesting.
    """
    named = ("name", _text), ("description", _text)
    inner = [(name, _tools) for name in ("tools", "functionDeclarations", "function_declarations")]
    return _objects(value) and all(
        _fields(tool, *named, ("function", _object), ("cache_control", _object), *inner)
        and _fields(tool.get("function") or {}, *named)
        for tool in value
    )


def _blocks(value: Any) -> bool:
    """A text, or blocks that each say what they are, and whose texts are texts; those in a result likewise."""
    if isinstance(value, str):
        return True
    return _objects(value) and all(
        isinstance(block.get("type"), str)
        and _fields(block, ("text", _text), ("cache_control", _object), ("name", _text))
        and (not str(block["type"]).endswith("tool_result") or _fields(block, ("content", _blocks)))
        for block in value
    )


def _function(value: Any) -> bool:
    return isinstance(value, dict) and _fields(value, ("name", _text), ("arguments", _text))


def _calls(value: Any) -> bool:
    return _objects(value) and all(_fields(call, ("function", _function)) for call in value)


def _messages(value: Any) -> bool:
    return _objects(value) and all(
        isinstance(message.get("role"), str)
        and _fields(
            message,
            ("content", _blocks),
            ("tool_calls", _calls),
            ("function_call", _function),
            ("cache_control", _object),
        )
        for message in value
    )


def _items(value: Any) -> bool:
    if isinstance(value, str):
        return True
    return _objects(value) and all(
        _fields(item, ("type", _text), ("role", _text), ("content", _blocks), ("name", _text), ("call_id", _text))
        and _fields(item, ("tools", _tools), ("cache_control", _object))
        and (not str(item.get("type")).endswith("_output") or _fields(item, ("output", _output)))
        for item in value
    )


def _output(value: Any) -> bool:
    """A function's output is a text or blocks; hosted tools have objects there."""
    return isinstance(value, dict) or _blocks(value)


def _contents(value: Any) -> bool:
    if isinstance(value, str):
        return True
    contents = [value] if isinstance(value, dict) else value
    return _objects(contents) and all(_fields(each, ("role", _text), ("parts", _parts)) for each in contents)


def _parts(value: Any) -> bool:
    parts = [value] if isinstance(value, dict) else value
    return _objects(parts) and all(_part(part) for part in parts)


def _part(part: Mapping[str, Any]) -> bool:
    calls = ("functionCall", _function_of_gemini), ("function_call", _function_of_gemini)
    results = ("functionResponse", _object), ("function_response", _object)
    return _fields(part, ("text", _text), *calls, *results, ("inlineData", _object), ("fileData", _object))


def _function_of_gemini(value: Any) -> bool:
    return isinstance(value, dict) and _fields(value, ("name", _text), ("args", _object))


def _instruction(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, dict) and _fields(value, ("parts", _parts)))


def _chat(data: Mapping[str, Any]) -> bool:
    return _messages(data.get("messages"))


def _anthropic(data: Mapping[str, Any]) -> bool:
    return _messages(data.get("messages")) and _fields(data, ("system", _blocks))


def _responses(data: Mapping[str, Any]) -> bool:
    return _fields(data, ("input", _items), ("instructions", _text))


def _gemini(data: Mapping[str, Any]) -> bool:
    instructions = ("systemInstruction", _instruction), ("system_instruction", _instruction)
    return _contents(data.get("contents")) and _fields(data, *instructions)


_SHAPES: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    CHAT: _chat,
    MESSAGES: _anthropic,
    RESPONSES: _responses,
    GEMINI: _gemini,
    GEMINI_STREAM: _gemini,
}
