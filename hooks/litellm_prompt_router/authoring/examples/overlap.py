"""Messages that say nearly the same: the share of normalised tokens that two of them have in common."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from litellm_prompt_router.authoring.examples.harvest import Message

NEAR = 0.6
"""From this share of common tokens on, one of two messages adds nothing."""

_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Scripts without spaces between words, whose tokens are pairs of characters."""


def tokens(text: str) -> frozenset[str]:
    """The text's words without regard to case, width and figures."""
    folded = _NUMBER.sub("0", unicodedata.normalize("NFKC", text).casefold())
    found: set[str] = set()
    for word in _WORD.findall(folded):
        if _UNSPACED.search(word) and len(word) > 1:
            found.update(word[at : at + 2] for at in range(len(word) - 1))
        else:
            found.add(word)
    return frozenset(found)


class SeenMessages:
    """Messages seen so far, to compare others with."""

    def __init__(self) -> None:
        self._seen: list[tuple[frozenset[str], str]] = []

    def add(self, message: Message, module: str) -> None:
        self._seen.append((_tokens_of(message), module))

    def owners(self, message: Message) -> Sequence[str]:
        """The modules that a nearly equal message was written for."""
        mine = _tokens_of(message)
        return [module for other, module in self._seen if _share(mine, other) >= NEAR]


def _tokens_of(message: Message) -> frozenset[str]:
    """Those of a follow-up include its conversation's: "yes" means something else in each."""
    return tokens("\n".join((*message.history, message.text)))


def _share(one: frozenset[str], other: frozenset[str]) -> float:
    together = len(one | other)
    return len(one & other) / together if together else 1.0
