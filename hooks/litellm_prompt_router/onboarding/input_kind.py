"""What a file holds, by what is in it and not by its name: captured traffic, or one prompt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

from litellm_prompt_router.documents.errors import ConfigurationError

InputKind = Literal["traffic", "prompt"]
LOOKED_AT = 50
"""Lines that may be torn or something else before one is a call."""
REQUEST_FIELDS = frozenset({"messages", "input", "contents", "system"})
"""A request's body has one of them."""
BINARY_BYTES = frozenset(range(32)) - frozenset(b"\t\n\v\f\r\x1b")


def text_of(raw: bytes, where: str) -> str:
    """The file's text. Raises ConfigurationError for one that is empty, binary or not UTF-8."""
    if not raw.strip():
        raise ConfigurationError([f"{where}: empty; give captured traffic (JSON Lines) or a prompt as text"])
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigurationError([f"{where}: UTF-16, not UTF-8; convert it"])
    if BINARY_BYTES & frozenset(raw[:4096]):
        raise ConfigurationError([f"{where}: binary; give captured traffic (JSON Lines) or a prompt as text"])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError([f"{where}: not UTF-8 at byte {error.start}; convert it"]) from None


def kind_of(text: str, where: str) -> InputKind:
    """Traffic where one of the first lines is a call. Raises ConfigurationError for JSON that isn't JSON Lines."""
    whole = _one_document(text)
    if isinstance(whole, list) and whole and all(isinstance(each, dict) for each in whole):
        raise ConfigurationError([f"{where}: a JSON array; traffic is one call a line: `jq -c '.[]'` makes it that"])
    if isinstance(whole, dict) and "request" in whole:
        raise ConfigurationError(
            [f"{where}: one JSON document over several lines; traffic is one call a line: `jq -c .` makes it that"]
        )
    seen = list(_documents(text))
    if any(isinstance(document, dict) and isinstance(document.get("request"), dict) for document in seen):
        return "traffic"
    if seen and all(isinstance(document, dict) and REQUEST_FIELDS & document.keys() for document in seen):
        call = """{ts: 0, key: "agent", conversation: "1", request: .}"""
        raise ConfigurationError(
            [
                f"{where}: a request body, not captured traffic; `jq -c '{call}'` makes a call of it, or give its"
                " system prompt as text (`split PROMPT.txt --request` takes the body for its tools)"
            ]
        )
    if seen and all(isinstance(document, dict) for document in seen):
        fields = "`ts`, `key`, `conversation` and `request`"
        raise ConfigurationError(
            [f"{where}: JSON, but no line of it is a call; a call has {fields}, as `capture` writes it"]
        )
    return "prompt"


def _one_document(text: str) -> Any:
    """What a file is that is one JSON array, or one JSON object over several lines; None for any other."""
    bare = text.strip()
    if not bare.startswith("[") and not (bare.startswith("{") and "\n" in bare):
        return None
    try:
        return json.loads(bare)
    except (json.JSONDecodeError, RecursionError):
        return None


def _documents(text: str) -> Iterator[Any]:
    """What each of the first lines is as JSON; None where it isn't any. A file that is one document counts as one."""
    if text.lstrip().startswith("{") and "\n" in text.strip():
        try:
            yield json.loads(text)
            return
        except (json.JSONDecodeError, RecursionError):
            pass
    lines = (line for line in text.split("\n") if line.strip())
    for _, line in zip(range(LOOKED_AT), lines, strict=False):
        try:
            yield json.loads(line) if line.lstrip().startswith("{") else None
        except (json.JSONDecodeError, RecursionError):
            yield None
