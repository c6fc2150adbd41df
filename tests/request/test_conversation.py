"""Which calls make one conversation: those of well-known agents, as they were seen to differ from call to call."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.request.wire import UNNAMED, Sender, chat, conversation_of, sender_of
from litellm_prompt_router.request.wire.conversation import HEAD_WORDS, fingerprint
from tests.request.test_own_words import REMINDER

AGENT = "You are a coding agent that works in a terminal.\n"
WORDS = "Fix the login form."
SESSION = "0d5c2d0e-8a1c-4b35-9a55-1f5e9d1f2a10"


def conversation(system: str, *users: Any, sender: Sender = UNNAMED, key: str = "alpha") -> str:
    """The id of a chat call with these user messages, an answer behind each but the last."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}]
    for number, content in enumerate(users):
        messages += [{"role": "assistant", "content": "Done."}] if number else []
        messages.append({"role": "user", "content": content})
    return conversation_of(key, chat.read({"messages": messages}), sender)


def blocks(*texts: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text} for text in texts]


SAME_PROMPT = {
    "a billing line": ("billing: cc_version=2.1.197.a3f; cch=00000;\n", "billing: cc_version=2.1.197.bcd; cch=9f2;\n"),
    "a date": ("Today is Monday, 30 June 2026.\n", "Today is Tuesday, 1 July 2026.\n"),
    "an ISO date and time": ("Now: 2026-11-22T10:00:00Z\n", "Now: 2026-11-22T10:00:07Z\n"),
    "a folder": ("Working directory: /srv/shop/a\n", "Working directory: /home/x\n"),
    "a Windows folder": ("Working directory: C:\\shop\\a\n", "Working directory: D:\\x\n"),
    "a session's id": (f"Session {SESSION}\n", "Session 1d5c2d0e-8a1c-4b35-9a55-1f5e9d1f2a11\n"),
    "a branch": ("Git branch: main\n", "Git branch: feature-login\n"),
    "a digit in a script without spaces": ("今天是2026年11月22日。\n", "今天是2026年11月23日。\n"),
}


@pytest.mark.parametrize(("one", "other"), SAME_PROMPT.values(), ids=SAME_PROMPT.keys())
def test_what_varies_in_a_prompt_doesnt_part_a_conversation(one: str, other: str) -> None:
    """At its beginning; and what comes behind the beginning has no say at all."""
    tail = "word " * HEAD_WORDS
    assert conversation(one + AGENT, WORDS) == conversation(other + AGENT, WORDS)
    assert conversation(AGENT + tail + one, WORDS) == conversation(AGENT + tail + other, WORDS)


GROWING: dict[str, tuple[tuple[Any, ...], tuple[Any, ...]]] = {
    "more turns": ((WORDS,), (WORDS, "And now?", "Go on")),
    "a reminder that comes and goes": ((blocks(WORDS, REMINDER),), (WORDS, "Go on")),
    "a reminder that changes": ((blocks(REMINDER, WORDS),), (blocks(REMINDER + REMINDER, WORDS), "Go on")),
    "a message ahead of the first words": ((REMINDER, WORDS), (REMINDER, WORDS, "Go on")),
    "marks": (
        (WORDS,),
        ([{"type": "text", "text": WORDS, "cache_control": {"type": "ephemeral"}}], "Go on"),
    ),
    "blocks for a string": ((WORDS,), (blocks(WORDS), "Go on")),
    "the file block moves": (
        ("I have *added these files to the chat*\n\nmain.py\n1", WORDS),
        (WORDS, "I have *added these files to the chat*\n\nmain.py\n2", "Go on"),
    ),
}


@pytest.mark.parametrize(("one", "other"), GROWING.values(), ids=GROWING.keys())
def test_later_calls_belong_to_the_conversation(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    """Without a session, by the first words that are the user's own."""
    assert conversation(AGENT, *one) == conversation(AGENT, *other)


def test_other_words_keys_and_prompts_are_other_conversations() -> None:
    """Each by itself."""
    ids = {
        conversation(AGENT, WORDS),
        conversation(AGENT, "Draw a chart."),
        conversation(AGENT, WORDS, key="beta"),
        conversation("Give this conversation a title of three words.", WORDS),
        conversation(AGENT, WORDS, sender=Sender(SESSION)),
        conversation(AGENT, WORDS, sender=Sender("another")),
        conversation(AGENT, WORDS, sender=Sender(SESSION, "sub-1")),
        conversation("You look for files on behalf of another agent.", WORDS, sender=Sender(SESSION)),
        conversation(AGENT, WORDS, sender=Sender(None, "sub-1")),
    }
    assert len(ids) == 9
    assert all(id.startswith("c-") and len(id) == 26 for id in ids)


def test_a_session_outlives_its_history() -> None:
    """After compaction the first words are others."""
    sender = Sender(SESSION)
    assert conversation(AGENT, WORDS, sender=sender) == conversation(AGENT, "A summary.", "Go on", sender=sender)


SENDERS: dict[str, tuple[dict[str, Any], str, Sender]] = {
    "nothing": ({}, "acompletion", UNNAMED),
    "no request": ({"proxy_server_request": None}, "acompletion", UNNAMED),
    "litellm's": ({"litellm_session_id": "s"}, "acompletion", Sender("s")),
    "litellm's bag": ({"metadata": {"session_id": "s"}}, "acompletion", Sender("s")),
    "the client's own metadata is no bag": (
        {"litellm_metadata": {}, "metadata": {"session_id": "s"}},
        "anthropic_messages",
        UNNAMED,
    ),
    "a subagent": (
        {"proxy_server_request": {"headers": {"x-claude-code-session-id": "s", "x-claude-code-agent-id": "a"}}},
        "anthropic_messages",
        Sender("s", "a"),
    ),
    "a child ahead of litellm's parent": (
        {"proxy_server_request": {"headers": {"x-session-id": "child"}}, "litellm_session_id": "parent"},
        "acompletion",
        Sender("child"),
    ),
    "a cache key that is a session's": ({"prompt_cache_key": SESSION}, "aresponses", Sender(SESSION)),
    "a cache key that is an application's": ({"prompt_cache_key": "my-app"}, "aresponses", UNNAMED),
    "a cache key of a chat": ({"prompt_cache_key": SESSION}, "acompletion", UNNAMED),
    "of another type": ({"litellm_session_id": 7, "metadata": {"session_id": ["s"]}}, "acompletion", UNNAMED),
    "long": ({"litellm_session_id": "s" * 10_000}, "acompletion", Sender("s" * 512)),
}


@pytest.mark.parametrize(("data", "call_type", "expected"), SENDERS.values(), ids=SENDERS.keys())
def test_senders(data: dict[str, Any], call_type: str, expected: Sender) -> None:
    """Session and agent, from wherever a client names them."""
    assert sender_of(data, call_type) == expected


@given(st.text(max_size=3_000))
def test_any_text_has_a_fingerprint(text: str) -> None:
    """The same one each time, and one that can be hashed."""
    assert fingerprint(text) == fingerprint(text)
    assert conversation(text, WORDS) == conversation(text, WORDS, "Go on")
