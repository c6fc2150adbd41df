"""Many words and phrases as one pattern, searched quickly: most are tried only where a word begins."""

from __future__ import annotations

import re
from collections.abc import Iterator

_EDGE = r"\b"


class WordPattern:
    """Finds any of many alternatives in a text, whatever their case.

    Alternatives whose first character isn't ASCII are tried only in texts that have such characters.
    """

    def __init__(self, *patterns: str) -> None:
        found = [each for pattern in patterns for each in _alternatives(pattern)]
        at_edges = [each.removeprefix(_EDGE) for each in found if each.startswith(_EDGE)]
        others = [each for each in found if not each.startswith(_EDGE)]
        plain = [f"{_EDGE}(?:{'|'.join(at_edges)})"] if at_edges else []
        plain += [each for each in others if each.isascii() or each[0].isascii()]
        self._plain = re.compile("|".join(plain), re.IGNORECASE) if plain else None
        rest = [each for each in others if not each[0].isascii()]
        self._rest = re.compile("|".join(rest), re.IGNORECASE) if rest else None

    def search(self, text: str) -> re.Match[str] | None:
        """A match, not always the first; None without one."""
        found = self._plain.search(text) if self._plain is not None else None
        if found is None and self._rest is not None and not text.isascii():
            found = self._rest.search(text)
        return found

    def count(self, text: str) -> int:
        """How often the words stand in the text."""
        patterns = [each for each in (self._plain, self._rest) if each is not None]
        return sum(1 for pattern in patterns for _ in pattern.finditer(text))


def _alternatives(pattern: str) -> Iterator[str]:
    """The parts between the bars that stand outside brackets."""
    depth, in_class, start, at = 0, False, 0, 0
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":
            at += 1
        elif in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif character == "|" and depth == 0:
            yield pattern[start:at]
            start = at + 1
        at += 1
    yield pattern[start:]
