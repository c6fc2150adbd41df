"""Token counts with tiktoken's o200k_base, offline: LiteLLM ships the encoding files.

Other providers' tokenizers differ (Claude's counts run higher), so these counts compare only with each other; the
provider's own usage is what gets billed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import tiktoken
from tiktoken_ext.openai_public import o200k_base  # type: ignore[import-untyped]

from litellm_prompt_router.process_memory.bounded import register_memory

ENCODING = "o200k_base"
MEMO_ENTRIES = 4096
MEMO_PARAGRAPHS = 16_384
LONG_CHARS = 2_000
PARAGRAPHS = re.compile(r"(?<=\n\n)(?=[A-Za-z0-9#*`<\[(-])")
"""Between these no token lies: in ``o200k_base`` whatever a line's end is part of ends with it, unless white space, a
slash or a combining mark follows."""


def token_counter() -> Callable[[str], int]:
    """A counter that remembers sizes by the text's hash; the texts themselves aren't kept.

    Long texts are counted by paragraph, since most of a prompt was in another one already.
    """
    encoding = _encoding()
    texts: dict[tuple[int, int], int] = {}
    paragraphs: dict[tuple[int, int], int] = {}

    def remembered(memo: dict[tuple[int, int], int], most: int, text: str, size_of: Callable[[str], int]) -> int:
        key = (hash(text), len(text))
        size = memo.get(key)
        if size is None:
            size = size_of(text)
            if len(memo) >= most:
                memo.pop(next(iter(memo)), None)
            memo[key] = size
        return size

    def encoded(text: str) -> int:
        return len(encoding.encode_ordinary(text))

    def counted(text: str) -> int:
        if len(text) < LONG_CHARS:
            return encoded(text)
        return sum([remembered(paragraphs, MEMO_PARAGRAPHS, one, encoded) for one in PARAGRAPHS.split(text)])

    def count(text: str) -> int:
        return remembered(texts, MEMO_ENTRIES, text, counted)

    register_memory(count, "token counts", MEMO_ENTRIES, lambda _: len(texts))
    register_memory(count, "paragraphs' token counts", MEMO_PARAGRAPHS, lambda _: len(paragraphs))
    return count


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
