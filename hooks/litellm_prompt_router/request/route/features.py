"""The units that scores are learned for: words, and the pieces of words that nobody wrote an example with.

Scripts written without spaces are cut into single characters and pairs of neighbours. The order of tokens is
that of the message; the same text gives the same tokens wherever and whenever it is read.
"""

from __future__ import annotations

from itertools import pairwise

from litellm_prompt_router.request.route.triggers import is_unspaced, unspaced_runs, words_of

MAX_TOKEN_CHARS = 24
"""Of a longer word the first characters are read."""
PIECE_CHARS = (3, 4, 5)
SHORT_PIECE_CHARS = (2, 3)
"""Scripts other than ASCII say more in a character."""
NUMBER = "0"
"""Stands for every run of digits."""


def tokens_of(folded_text: str, words: list[str] | None = None) -> list[str]:
    """Words, and for scripts without spaces single characters and pairs of them. ``words``: when they are known."""
    words = words_of(folded_text) if words is None else words
    if folded_text.isascii() or not is_unspaced(folded_text):
        return words
    runs = unspaced_runs(folded_text)
    pairs = ["".join(pair) for run in runs for pair in pairwise(run)]
    return [*words, *(character for run in runs for character in run), *pairs]


def form_of(token: str) -> str:
    """The token as the table knows it: numbers are all alike."""
    return NUMBER if token.isdigit() else token[:MAX_TOKEN_CHARS]


def pieces_of(form: str) -> list[str]:
    """The word's runs of a few characters, its edges marked; none for a single character or a number."""
    if len(form) < 2 or form == NUMBER:
        return []
    edged = f"<{form}>"
    sizes = PIECE_CHARS if form.isascii() else SHORT_PIECE_CHARS
    return [edged[at : at + size] for size in sizes for at in range(len(edged) - size + 1)]
