"""Long texts are counted by paragraph, and come to what they are as a whole."""

from __future__ import annotations

import pickle

import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.files import bundled_profiles, load_profile
from litellm_prompt_router.profile import tokens
from litellm_prompt_router.profile.tokens import token_counter

COUNT = token_counter()
ENCODING = tokens._encoding()
PIECES = st.sampled_from(
    [
        *("\n", "\n\n", "\r\n", "\r\n\r\n", " ", "  ", "\t", "/", "#", "##", "-", "*", "`", "```", "<b>", "[x]", "(y)"),
        *("1", "2024", "The", "don't", "’s", "'s", "é", "e\u0301", "\u0301", "世界", "\U0001f600", "\u00a0"),
        *("\u2028", "\x85", "A", "aB", ":", ".", "\ud83d", "\ude00"),
    ]
)


@given(text=st.lists(PIECES, max_size=60).map("".join))
def test_the_sum_of_paragraphs_is_the_whole(text: str) -> None:
    long = text + "\n\nword" * (tokens.LONG_CHARS // 6)
    long = long + "\n\n" + text
    assert len(long) >= tokens.LONG_CHARS
    assert COUNT(long) == len(ENCODING.encode_ordinary(long))


def test_only_what_changed_of_a_prompt_is_counted() -> None:
    text = load_profile(bundled_profiles() / "workbench", COUNT).text
    counted = []
    parts = tokens.paragraphs_of(text)
    assert "".join(parts) == text
    assert max(map(len, parts)) < len(text) / 10
    counted += [COUNT(text), COUNT(f"{text}\n\nToday is Monday.")]
    assert counted == [len(ENCODING.encode_ordinary(one)) for one in (text, f"{text}\n\nToday is Monday.")]


def test_others_in_the_process_can_still_extend_the_encoding() -> None:
    """As tiktoken's README says: of the shared encoding, whose ranks nobody holds in memory."""
    shared = tiktoken.get_encoding(tokens.ENCODING)
    assert shared is ENCODING
    assert "_mergeable_ranks" not in vars(shared)
    assert len(shared._mergeable_ranks) == 199_998
    assert pickle.loads(pickle.dumps(shared)).encode_ordinary("Hello there") == shared.encode_ordinary("Hello there")
