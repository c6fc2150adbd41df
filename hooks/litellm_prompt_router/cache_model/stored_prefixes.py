"""What DeepSeek's cache on disk reads and stores (``rules.StoredPrefixes``), in numbers of blocks.

Which prefixes were sent is remembered beside which are stored: the second request that begins like another stores what
the two share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from litellm_prompt_router.cache_model.prompt_blocks import Block

_WORD = (1 << 64) - 1
_SENT = 0xD6E8FEB86659FD93


def sent_digest(digest: int) -> int:
    """The hash under which it is remembered that a prefix was sent."""
    return (digest * _SENT + 1) & _WORD


def longest_stored(blocks: Sequence[Block], ends: Sequence[int], is_stored: Callable[[int], bool]) -> tuple[int, int]:
    """``(the longest stored prefix, the prefix that its answer was given to)``; the second is 0 without an answer.

    ``ends`` are the prefixes long enough to be stored, longest first. The end of an answer is stored with the request
    that it answers, whose own end stands right ahead of it.
    """
    for end in ends:
        if is_stored(end):
            return end, 0
        if blocks[end - 1].is_answer and not (end < len(blocks) and blocks[end].is_answer):
            asked = end
            while asked and blocks[asked - 1].is_answer:
                asked -= 1
            if asked and is_stored(asked):
                return end, asked
    return 0, 0
