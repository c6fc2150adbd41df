"""What of a body's blocks and messages counts: texts, marks, and the key of a content."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any, Literal

IMAGE_TOKENS = 1_000
"""For an image or a file that can't be read as text. Ours: the real figure depends on its size."""
LONG_CHARS = 256
LONG_TEXT = 4_096
_CONTROLS = bytes(set(range(32)) - {ord("\n")})
"""All that JSON escapes in its own way, but for ends of lines, quotes and backslashes."""
_DEVELOPER = frozenset({"system", "developer"})
Kept = Literal["5m", "30m", "1h"]
_as_written = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_in_order = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


def as_blocks(content: Any) -> list[Mapping[str, Any]]:
    """The content's blocks; a string is read as one text block."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return content if isinstance(content, list) else []


def long_texts_hashed(value: Any) -> Any:
    """The same with hashes for long texts, which Python remembers of each."""
    if isinstance(value, str):
        return value if len(value) < LONG_CHARS else (hash(value), len(value))
    if isinstance(value, dict):
        return {name: long_texts_hashed(item) for name, item in value.items()}
    return [long_texts_hashed(item) for item in value] if isinstance(value, list) else value


def lifetime_of(mark: object) -> Kept | None:
    if not isinstance(mark, Mapping):
        return None
    return "1h" if mark.get("ttl") == "1h" else "5m"


def without_marks(raw: Any) -> Any:
    """A block as the model sees it. Tool inputs and schemas are left alone: there a mark's name is any other key."""
    if not isinstance(raw, Mapping):
        return raw
    bare = {k: v for k, v in raw.items() if k not in ("cache_control", "prompt_cache_breakpoint")}
    if isinstance(bare.get("content"), list):
        bare["content"] = [without_marks(block) for block in bare["content"]]
    return bare


def key_of(parts: list[Any]) -> int:
    """The first 8 bytes of a hash of the parts as JSON."""
    return int.from_bytes(blake2b(json_bytes(parts), digest_size=8).digest())


def json_bytes(parts: list[Any]) -> bytes:
    """The parts as compact JSON. Long texts of the last one are written in half the time that ``json`` takes."""
    last = parts[-1]
    if not isinstance(last, dict) or not any(isinstance(one, str) and len(one) > LONG_TEXT for one in last.values()):
        return _bytes(parts)
    if not all(isinstance(name, str) for name in last):
        return _bytes(parts)
    ahead = _bytes(parts[:-1])[1:-1]
    fields = b",".join([_bytes(name) + b":" + _bytes(value) for name, value in last.items()])
    return b"[" + ahead + (b",{" if ahead else b"{") + fields + b"}]"


def _bytes(value: Any) -> bytes:
    if isinstance(value, str) and len(value) > LONG_TEXT:
        raw = value.encode("utf-8", "surrogatepass")
        if len(raw.translate(None, _CONTROLS)) == len(raw):
            return b'"' + raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'
    return _as_written(value).encode("utf-8", "surrogatepass")


def canonical(value: Any) -> str:
    return _in_order(value)


def tool_text(tool: Mapping[str, Any]) -> str:
    schema = tool.get("input_schema") or tool.get("parameters")
    return "\n".join((str(tool.get("name")), tool.get("description") or "", canonical(schema)))


def content_text(block: Mapping[str, Any]) -> str | int:
    """The block's text, or its tokens where there is no text to count."""
    match block.get("type"):
        case "text":
            return str(block.get("text") or "")
        case "thinking":
            return str(block.get("thinking") or "")
        case "tool_use" | "server_tool_use":
            return f"{block.get('name')}\n{canonical(block.get('input'))}"
        case "tool_result":
            texts = [content_text(inner) for inner in as_blocks(block.get("content"))]
            readable = "\n".join(text for text in texts if isinstance(text, str))
            return readable if all(isinstance(text, str) for text in texts) else IMAGE_TOKENS
        case "document":
            source = block.get("source") or {}
            return str(source.get("data") or "") if source.get("type") == "text" else IMAGE_TOKENS
        case "image":
            return IMAGE_TOKENS
        case _:
            return canonical(without_marks(block))


def openai_parts(message: Mapping[str, Any]) -> Iterator[tuple[str, Any, Kept | None]]:
    """``(text, the part where it has no text, mark)`` for each part of a message's content.

    Texts without a mark between them are one: to hosts that take no parts LiteLLM sends them joined, and to the others
    it is the reading that finds more in the cache.
    """
    content = message.get("content")
    if isinstance(content, str):
        yield content, None, None
    texts: list[str] = []
    for part in content if isinstance(content, list) else ():
        mark: Kept | None = "30m" if part.get("prompt_cache_breakpoint") else None
        if isinstance(part.get("text"), str):
            texts.append(part["text"])
            if mark is None:
                continue
        if texts:
            is_text = isinstance(part.get("text"), str)
            yield "".join(texts), None, mark if is_text else None
            texts = []
            if is_text:
                continue
        yield "", without_marks(part), mark
    if texts:
        yield "".join(texts), None, None


def leading_count(messages: Any) -> int:
    """The number of messages in the initial run of developer (or system) messages."""
    for number, message in enumerate(messages):
        if message.get("role") not in _DEVELOPER:
            return number
    return len(messages)


def message_endings(messages: Any, leading: int) -> frozenset[int]:
    """Messages at whose end an implicit breakpoint may stand.

    User messages, the last of a run of tool messages, the last of the initial developer messages
    (developers.openai.com/api/docs/guides/prompt-caching, checked 2026-11).
    """
    roles = [message.get("role") for message in messages]
    return frozenset(
        number
        for number, role in enumerate(roles)
        if role == "user" or (role == "tool" and roles[number + 1 : number + 2] != ["tool"]) or number == leading - 1
    )
