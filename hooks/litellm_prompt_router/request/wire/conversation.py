"""Which calls belong to one conversation, told by each call alone, so that every replica tells it alike.

Where the agent names its session, the conversation is the session, the agent in it and the prompt that it sends:
subagents and titles share the session of their parent, and are no part of its conversation. Elsewhere it is the
prompt and the user's first words. Of the prompt only its beginning counts, and of that nothing that varies. A call
whose history is at the provider, and that names no session, is a conversation of its own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from litellm_prompt_router.profile.agents import ALL_AGENTS
from litellm_prompt_router.request.route.own_words import own_words
from litellm_prompt_router.request.types import RESPONSES, Request, Turn

SESSION_HEADERS = ("x-claude-code-session-id", "x-session-id", "session-id", "session_id")
"""Claude Code, OpenCode, Codex and pi, as they were seen (2026-11). They go ahead of LiteLLM's own session id, for
which it takes the parent's where OpenCode sends one."""
AGENT_HEADERS = ("x-claude-code-agent-id", "x-openai-subagent", "thread-id")
"""What tells a session's agents apart: Claude Code's subagents, Codex's (2026-11)."""
READ_CHARS = 1_000
HEAD_WORDS = 50
"""In 17 agents nothing that masking misses varied within these (2026-11)."""
MAX_WORDS_CHARS = 2_000
MAX_NAME_CHARS = 512
MAX_REMEMBERED = 8_192
"""Beginnings of prompts, and of messages, that were read before: as hashes, no text."""
ID_CHARS = 24

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_MARKS_OF_PLACES = re.compile(r"[\d/\\]")
_DIGITS = re.compile(r"\d+")
_DAYS = "monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun"
_MONTHS = (
    "january february march april may june july august september october november december "
    "jan feb mar apr jun jul aug sep sept oct nov dec"
)
_CALENDAR = frozenset(f"{_DAYS} {_MONTHS}".split())
_GIT = ("branch:", "commit:", "status:")
_PUNCTUATION = ".,;:()[]\"'"


class Sender(NamedTuple):
    """What a call says of where it comes from; None: nothing."""

    session: str | None = None
    agent: str | None = None


UNNAMED = Sender()

_PROMPTS: dict[int, str | None] = {}
_WORDS: dict[int, str | None] = {}


def sender_of(data: Mapping[str, Any], call_type: str) -> Sender:
    """The session and agent that the client names in headers, in LiteLLM's way, or as its cache key."""
    received = data.get("proxy_server_request")
    headers = received.get("headers") if isinstance(received, dict) else None
    headers = headers if isinstance(headers, dict) else {}
    session = _first(headers, SESSION_HEADERS) or _named(data.get("litellm_session_id")) or _bag_session(data)
    if session is None and call_type == RESPONSES:
        cache_key = _named(data.get("prompt_cache_key"))
        # An application may name all its calls alike; a UUID is a session's (Codex, Copilot, pi).
        session = cache_key if cache_key is not None and _UUID.search(cache_key) else None
    return Sender(session, _first(headers, AGENT_HEADERS))


def conversation_of(key: str, request: Request, sender: Sender = UNNAMED) -> str:
    """An id that all calls of a conversation share; ``key`` is whose calls they are.

    A side call, such as a title, gets an id of its own; it is no conversation, since no profile recognises it.
    Two conversations of one key that name no session and open with the same words are taken for one.
    """
    if sender.session is not None:
        named: tuple[str, ...] = ("session", sender.session, sender.agent or "")
    else:
        named = ("words", sender.agent or "", _first_words(request))
    prompt = _remembered(_PROMPTS, request.system_text[:READ_CHARS], fingerprint)
    return f"c-{_digest(chr(0).join((key, prompt or '', *named)))[:ID_CHARS]}"


def fingerprint(system_text: str) -> str:
    """The prompt's beginning without what varies from call to call: paths, dates, numbers, ids, the state of git."""
    masked: list[str] = []
    before = ""
    for word in system_text[:READ_CHARS].split()[:HEAD_WORDS]:
        masked.append("#" if before.endswith(_GIT) else _masked(word))
        before = word.lower()
    return " ".join(masked)


def _masked(word: str) -> str:
    if not word.isascii():
        return _DIGITS.sub("", word)  # a script without spaces has whole sentences in a word
    if _MARKS_OF_PLACES.search(word) or word.strip(_PUNCTUATION).lower() in _CALENDAR:
        return "#"
    return word


def _first_words(request: Request) -> str:
    """What stands for the user's own words in the first message that has any."""
    first = None
    for turn in request.turns:
        if turn.role == "user":
            begun = _beginning(turn)
            first = first or begun
            words = _remembered(_WORDS, begun, _words)
            if words is not None:
                return words
    return "" if first is None else _digest(first.text)


def _words(turn: Turn) -> str | None:
    text = own_words(turn, ALL_AGENTS).text
    return text if text is not None and text.strip() else None


_Read = TypeVar("_Read", str, Turn)


def _remembered(memo: dict[int, str | None], read: _Read, reading: Callable[[_Read], str | None]) -> str | None:
    """The digest of ``reading(read)``, None for none. Every call of a conversation sends the same beginnings again."""
    key = hash(read)
    if key not in memo:
        if len(memo) >= MAX_REMEMBERED:
            memo.pop(next(iter(memo)), None)
        found = reading(read)
        memo[key] = None if found is None else _digest(found)
    return memo[key]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def _beginning(turn: Turn) -> Turn:
    return Turn("user", turn.text[:MAX_WORDS_CHARS], parts=tuple([part[:MAX_WORDS_CHARS] for part in turn.parts]))


def _first(headers: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    for name in names:
        if name in headers and (value := _named(headers[name])):
            return value
    return None


def _named(value: object) -> str | None:
    return value[:MAX_NAME_CHARS] if isinstance(value, str) and value else None


def _bag_session(data: Mapping[str, Any]) -> str | None:
    for name in ("litellm_metadata", "metadata"):
        bag = data.get(name)
        if isinstance(bag, dict):
            return _named(bag.get("session_id"))
    return None
