"""Token counts with tiktoken's o200k_base, offline: LiteLLM ships the encoding files.

Other providers' tokenizers differ (Claude's counts run higher), so these counts compare only with each other; the
provider's own usage is what gets billed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import tiktoken
from tiktoken_ext.openai_public import o200k_base  # type: ignore[import-untyped]

from litellm_prompt_router.process_memory.bounded import register_memory

ENCODING = "o200k_base"
MEMO_ENTRIES = 4096
MEMO_PARAGRAPHS = 16_384
LONG_CHARS = 2_000
PARAGRAPH_END = re.compile(r"\n\n(?=[A-Za-z0-9#*`<\[(-])")
"""No token reaches across: in ``o200k_base`` whatever a line's end is part of ends with it, unless white space, a
slash or a combining mark follows."""


def token_counter() -> Callable[[str], int]:
    """A counter that remembers sizes by the text's hash; the texts themselves aren't kept.

    Long texts are counted by paragraph, since most of a prompt was in another one already.
    """
    encoding = _encoding()
    texts: dict[tuple[int, int], int] = {}
    paragraphs: dict[tuple[int, int], int] = {}

    def encoded(text: str) -> int:
        return len(encoding.encode_ordinary(text))

    def counted(text: str) -> int:
        if len(text) < LONG_CHARS:
            return encoded(text)
        total = 0
        for paragraph in paragraphs_of(text):
            key = (hash(paragraph), len(paragraph))
            size = paragraphs.get(key)
            if size is None:
                size = encoded(paragraph)
                _keep(paragraphs, key, size, MEMO_PARAGRAPHS)
            total += size
        return total

    def count(text: str) -> int:
        key = (hash(text), len(text))
        size = texts.get(key)
        if size is None:
            size = counted(text)
            _keep(texts, key, size, MEMO_ENTRIES)
        return size

    register_memory(count, "token counts", MEMO_ENTRIES, lambda _: len(texts))
    register_memory(count, "paragraphs' token counts", MEMO_PARAGRAPHS, lambda _: len(paragraphs))
    return count


def paragraphs_of(text: str) -> list[str]:
    """The text in pieces that have the tokens of the whole."""
    ends = [found.end() for found in PARAGRAPH_END.finditer(text)]
    return [text[start:end] for start, end in pairwise([0, *ends, len(text)])]


def _keep(memo: dict[tuple[int, int], int], key: tuple[int, int], size: int, most: int) -> None:
    if len(memo) >= most:
        memo.pop(next(iter(memo)), None)
    memo[key] = size


def _encoding() -> tiktoken.Encoding:
    if not (os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("CUSTOM_TIKTOKEN_CACHE_DIR")):
        spec = find_spec("litellm")
        for folder in spec.submodule_search_locations or () if spec else ():
            bundled = Path(folder, "litellm_core_utils", "tokenizers")
            if bundled.is_dir():
                os.environ["TIKTOKEN_CACHE_DIR"] = str(bundled)
    encoding = tiktoken.get_encoding(ENCODING)
    if type(encoding) is tiktoken.Encoding:
        del encoding._mergeable_ranks
        encoding.__class__ = _WithoutRanks
    return encoding


class _WithoutRanks(tiktoken.Encoding):
    """The encoding, which all of the process share, without a third of all memory that it takes: 30 MB.

    What counts is made of the ranks, in Rust; their dict stays only for those who make encodings of it (tiktoken 0.14,
    core.py). They get it, read again.
    """

    @property
    def _mergeable_ranks(self) -> dict[bytes, int]:  # type: ignore[override]
        ranks: dict[bytes, int] = o200k_base()["mergeable_ranks"]
        return ranks
