"""What clients and providers put where something else belongs, by name, so that a case can be written as JSON."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any


def _deep(depth: int, *, in_dicts: bool = False) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = {"content": value} if in_dicts else [value]
    return value


ODD_VALUES: Mapping[str, Callable[[], Any]] = {
    "null": lambda: None,
    "true": lambda: True,
    "false": lambda: False,
    "zero": lambda: 0,
    "five": lambda: 5,
    "minus one": lambda: -1,
    "a fraction": lambda: 0.5,
    "a huge integer": lambda: 10**400,
    "2**63": lambda: 2**63,
    "not a number": lambda: float("nan"),
    "infinity": lambda: float("inf"),
    "minus infinity": lambda: float("-inf"),
    "an empty string": lambda: "",
    "a blank": lambda: " ",
    "a word": lambda: "tide",
    "a number as text": lambda: "17",
    "a lone surrogate": lambda: "tide \ud83d table",
    "a surrogate pair in halves": lambda: "\udc00\ud800",
    "NUL": lambda: "a\0b",
    "combining marks": lambda: "e" + "\u0301" * 3_000,
    "right to left": lambda: "\u202etide\u202c \u2066x\u2069",
    "line ends": lambda: "a\r\n\u2028\x85\x0b\x1cb",
    "spaces": lambda: " \t" * 5_000,
    "a long word": lambda: "a" * 50_000,
    "brackets": lambda: "<" * 3_000 + "[{(" * 1_000,
    "fences": lambda: "```\n" * 1_000,
    "an empty list": list,
    "an empty object": dict,
    "a list of null": lambda: [None],
    "a list of strings": lambda: ["tide", ""],
    "a list of numbers": lambda: [1, 2.5],
    "a list of lists": lambda: [[], [[]]],
    "a list with an empty object": lambda: [{}],
    "an object in place of a list": lambda: {"0": {"role": "user", "content": "tide"}},
    "a text block": lambda: {"type": "text", "text": "tide"},
    "text blocks": lambda: [{"type": "text", "text": "tide"}, {"type": "text"}],
    "a block of an odd type": lambda: [{"type": ["text"], "text": "tide"}],
    "a block with an odd text": lambda: [{"type": "text", "text": {"a": 1}}],
    "a block without a type": lambda: [{"text": "tide"}],
    "an image": lambda: [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}],
    "an unknown block": lambda: [{"type": "hologram", "data": 1}],
    "a mark": lambda: {"type": "ephemeral"},
    "an odd mark": lambda: {"type": 5, "ttl": ["1h"]},
    "keys that are numbers": lambda: {1: "a", 2.5: "b", None: "c"},
    "a key with a surrogate": lambda: {"\ud800": 1},
    "an empty key": lambda: {"": {"": ""}},
    "a list 90 deep": lambda: _deep(90),
    "a list 300 deep": lambda: _deep(300),
    "a list 3,000 deep": lambda: _deep(3_000),
    "objects 900 deep": lambda: _deep(900, in_dicts=True),
    "objects 3,000 deep": lambda: _deep(3_000, in_dicts=True),
    "a tuple": lambda: ("tide", 1),
    "bytes": lambda: b"tide",
    "a set": lambda: {"tide"},
    "an object of Python's": lambda: SimpleNamespace(role="user", content="tide"),
    "many objects": lambda: [{"a": number} for number in range(2_000)],
}
ANSWER_VALUES = tuple(
    name for name in ODD_VALUES if "deep" not in name and name not in ("many objects", "a long word", "spaces")
)
"""What answers are made odd with."""


def odd_value(name: str) -> Any:
    """A new one each time: nothing of it is shared."""
    return ODD_VALUES[name]()


def places(value: Any, rng: random.Random) -> list[Any]:
    """The keys of one place in a JSON value, drawn level by level; the upper levels are drawn oftener."""
    path: list[Any] = []
    while isinstance(value, (dict, list)) and value and (not path or rng.random() < 0.75):
        key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
        path.append(key)
        value = value[key]
    return path


def edited(value: Any, path: list[Any], kind: str, argument: Any) -> Any:
    """The value with one edit, in place. An edit whose place isn't there any more leaves it as it is."""
    holder: Any = value
    for key in path[:-1]:
        holder = _inner(holder, key)
    if not path or _inner(holder, path[-1]) is _MISSING:
        if kind == "add" and isinstance(holder, dict) and path:
            holder[path[-1]] = odd_value(argument)
        return value
    key = path[-1]
    if kind in ("put", "add"):
        holder[key] = odd_value(argument)
    elif kind == "drop":
        del holder[key]
    elif kind == "twice" and isinstance(holder, list):
        holder.insert(key, holder[key])
    elif kind == "swap" and isinstance(holder, list):
        other = argument % len(holder)
        holder[key], holder[other] = holder[other], holder[key]
    elif kind == "rename" and isinstance(holder, dict):
        holder[argument] = holder.pop(key)
    elif kind == "wrap":
        holder[key] = [holder[key]]
    return value


_MISSING = object()


def _inner(holder: Any, key: Any) -> Any:
    if isinstance(holder, dict):
        return holder.get(key, _MISSING)
    if isinstance(holder, list) and isinstance(key, int) and key < len(holder):
        return holder[key]
    return _MISSING


ADDED_FIELDS = (
    *("cache_control", "prompt_cache_breakpoint", "cache_control_injection_points", "prompt_cache_key", "metadata"),
    *(
        "tools",
        "functions",
        "tool_choice",
        "mcp_servers",
        "system",
        "instructions",
        "previous_response_id",
        "fallbacks",
    ),
    *("extra_body", "config", "web_search_options", "litellm_session_id", "stream", "content", "name", "type", "text"),
    *("tool_calls", "function_call", "role", "model", "thinking", "conversation", "enable_prompt_caching"),
    *("proxy_server_request", "provider_specific_header", "parts", "functionCall", "arguments"),
)


def drawn_edit(value: Any, rng: random.Random, names: tuple[str, ...]) -> list[Any]:
    """One edit as ``edited`` takes it: ``[path, kind, argument]``."""
    path = places(value, rng)
    kind = rng.choice(["put", "put", "put", "put", "drop", "twice", "swap", "rename", "wrap", "add", "add"])
    if kind == "add":
        return [[*path[:-1], rng.choice(ADDED_FIELDS)], kind, rng.choice(names)]
    if kind == "rename":
        return [path, kind, rng.choice(ADDED_FIELDS)]
    return [path, kind, rng.randrange(20) if kind == "swap" else rng.choice(names)]
