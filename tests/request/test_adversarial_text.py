"""Messages made to be costly: what is read of them is bounded, and so are the steps taken for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.files import bundled_profiles, load_profile
from litellm_prompt_router.request.route import Router
from litellm_prompt_router.request.route.embeddings import EMBEDDED_CHARS, MessageEmbedding, embedded_part
from litellm_prompt_router.request.route.triggers import HEAD_CHARS, TAIL_CHARS, TriggerIndex, capped, words_of
from litellm_prompt_router.request.types import Turn

WORKBENCH = load_profile(bundled_profiles() / "workbench", len)
MEGABYTE = 1_000_000
STEPS_PER_CHAR = 3
"""Calls of Python functions; what runs in C over the text read isn't counted."""

MESSAGES = {
    "one letter": "x" * MEGABYTE,
    "100,000 words": " ".join(f"w{number}" for number in range(100_000)),
    "digits": "1 " * (MEGABYTE // 2),
    "Han": "数据" * (MEGABYTE // 2),
    "Thai": "ข้อมูล" * (MEGABYTE // 6),
    "Arabic": "مرحبا " * (MEGABYTE // 6),
    "Hindi": "नमस्ते " * (MEGABYTE // 7),
    "emoji": "😀" * MEGABYTE,
    "marks": "w\u0301" * (MEGABYTE // 2),
    "control": "\x00\x1b\u202e" * (MEGABYTE // 3),
    "surrogates": "\ud800 " * (MEGABYTE // 2),
    "every character": "".join(map(chr, range(0x20000))),
    "a trigger's first word": "every " * (MEGABYTE // 6),
    "a phrase but for its end": "every single " * (MEGABYTE // 13),
    "a trivial question": "who is " * (MEGABYTE // 7),
}


def steps(action: Callable[[], Any]) -> int:
    """Calls of Python functions that an action makes."""
    counted = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal counted
        counted += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        action()
    finally:
        sys.setprofile(before)
    return counted


@pytest.mark.parametrize("text", MESSAGES.values(), ids=MESSAGES)
def test_a_large_message_takes_steps_for_what_is_read_of_it(text: str) -> None:
    """A decision, whatever the text; ten times as much of it takes no more steps."""
    router = Router(WORKBENCH)
    assert "core/identity" in router.decide((Turn("user", text),)).modules
    most = STEPS_PER_CHAR * (HEAD_CHARS + TAIL_CHARS)
    assert steps(lambda: Router(WORKBENCH).decide((Turn("user", text),))) < most + steps(lambda: Router(WORKBENCH))


def test_triggers_take_no_more_steps_for_a_longer_message() -> None:
    index = TriggerIndex((n, f"pull pull pull {'x' * n}y") for n in range(1, 60))
    found = [steps(lambda words=["pull"] * size: index.match(" ".join(words), words, ())) for size in (20, 2_000)]  # type: ignore[misc]
    assert found[0] == found[1]


VOCABULARY = ["a", "ab", "abc", "abcd", "b", "bc"]
TRIGGERS = st.lists(
    st.lists(st.sampled_from([*VOCABULARY, "abc*", "abcd*"]), min_size=1, max_size=3).map(" ".join),
    min_size=1,
    max_size=8,
)


@given(triggers=TRIGGERS, words=st.lists(st.sampled_from([*VOCABULARY, "abcde"]), max_size=12))
def test_each_owner_gets_the_trigger_that_stands_first(triggers: list[str], words: list[str]) -> None:
    """Against the plain reading: at every word, every trigger, word by word."""
    expected: dict[int, str] = {}
    owned = [(number % 3, trigger) for number, trigger in enumerate(triggers)]
    for at in range(len(words)):
        for owner, trigger in owned:
            parts = trigger.split()
            here = words[at : at + len(parts)]
            stands = len(here) == len(parts) and all(map(_fits, here, parts))
            if stands and owner not in expected:
                expected[owner] = trigger
    found = TriggerIndex(owned).match(" ".join(words), words, ())
    assert found.keys() == expected.keys()
    for owner, trigger in found.items():
        assert _first(words, trigger) == _first(words, expected[owner])


def _fits(word: str, part: str) -> bool:
    return word.startswith(part[:-1]) if part.endswith("*") else word == part


def _first(words: list[str], trigger: str) -> int:
    parts = trigger.split()
    starts = range(len(words) - len(parts) + 1)
    return next(at for at in starts if all(map(_fits, words[at : at + len(parts)], parts)))


@given(st.text() | st.sampled_from(list(MESSAGES.values())))
def test_what_an_embedding_model_gets_is_short_and_encodes(text: str) -> None:
    part = embedded_part(text)
    assert len(part) <= EMBEDDED_CHARS
    part.encode()
    assert len(words_of(capped(text))) <= HEAD_CHARS + TAIL_CHARS + 1


@given(st.lists(st.floats() | st.integers(-(10**400), 10**400) | st.none() | st.text(max_size=2), max_size=8))
def test_any_answer_is_a_vector_of_length_one_or_none(values: list[Any]) -> None:
    meaning = MessageEmbedding.of(values)
    if meaning is not None:
        assert abs(float((meaning.vector.astype(float) ** 2).sum()) - 1) < 0.01
        again = MessageEmbedding.unpacked(meaning.packed())
        assert again is not None
        assert again.digest == meaning.digest


@pytest.mark.parametrize(
    "raw", [b"", b"x", b"\x00\x00" * 8, b"\xff\x7f" * 4], ids=["empty", "odd", "zero", "no number"]
)
def test_what_isnt_a_packed_vector(raw: bytes) -> None:
    assert MessageEmbedding.unpacked(raw) is None
