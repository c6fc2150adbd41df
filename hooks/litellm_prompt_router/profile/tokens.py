"""Token counts with tiktoken's o200k_base, offline: LiteLLM ships the encoding files.

Other providers' tokenizers differ (Claude's counts run higher), so these counts compare only with each other; the
provider's own usage is what gets billed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import tiktoken

from litellm_prompt_router.process_memory.bounded import register_memory

ENCODING = "o200k_base"
MEMO_ENTRIES = 4096


def token_counter() -> Callable[[str], int]:
    """A counter that remembers sizes by the text's hash; the texts themselves aren't kept."""
    encoding = _encoding()
    memo: dict[tuple[int, int], int] = {}

    def count(text: str) -> int:
        key = (hash(text), len(text))
        size = memo.get(key)
        if size is None:
            size = len(encoding.encode_ordinary(text))
            if len(memo) >= MEMO_ENTRIES:
                memo.pop(next(iter(memo)), None)
            memo[key] = size
        return size

    register_memory(count, "token counts", MEMO_ENTRIES, lambda _: len(memo))
    return count


def _encoding() -> tiktoken.Encoding:
    if not (os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("CUSTOM_TIKTOKEN_CACHE_DIR")):
        spec = find_spec("litellm")
        for folder in spec.submodule_search_locations or () if spec else ():
            bundled = Path(folder, "litellm_core_utils", "tokenizers")
            if bundled.is_dir():
                os.environ["TIKTOKEN_CACHE_DIR"] = str(bundled)
    encoding = tiktoken.get_encoding(ENCODING)
    # What counts is made of these ranks, in Rust. The dict stays only to pickle encodings that have no name, and is a
    # third of all memory that an encoding takes: 30 MB of o200k_base (tiktoken 0.14, core.py).
    encoding._mergeable_ranks = {}
    return encoding
