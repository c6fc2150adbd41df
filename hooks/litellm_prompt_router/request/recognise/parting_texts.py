"""Which of many texts another text begins or ends with, told by the few characters where they part.

Of 1,000 versions of one prompt that takes a look at some hundred characters at most, and at ten where each differs in
another way. What is between those characters isn't compared: a text that is named may still be another one.
"""

from __future__ import annotations

from collections.abc import Sequence


class _Fork:
    """Texts with their first ``depth`` characters in common: those that end there, and the others by what follows."""

    __slots__ = ("children", "depth", "ended", "example")

    def __init__(self, depth: int, example: int) -> None:
        self.depth = depth
        self.example = example
        self.ended: list[int] = []
        self.children: dict[str, _Fork] = {}


class PartingTexts:
    """Texts by number, from their beginnings or from their ends."""

    def __init__(self, texts: Sequence[tuple[int, str]], *, from_end: bool) -> None:
        self._from_end = from_end
        self._root = _Fork(0, -1)
        known = dict(texts)
        for number, text in texts:
            self._add(number, text, known)

    def found_in(self, text: str, start: int, end: int) -> list[int]:
        """The numbers of those that ``[start, end)`` may begin, or end, with: all that it does, and maybe others."""
        found: list[int] = []
        fork: _Fork | None = self._root
        size, last, from_end = end - start, end - 1, self._from_end
        while fork is not None and fork.depth <= size:
            found += fork.ended
            if fork.depth == size:
                break
            fork = fork.children.get(text[last - fork.depth] if from_end else text[start + fork.depth])
        return found

    def _add(self, number: int, text: str, known: dict[int, str]) -> None:
        nearest = self._last_fork(text, len(text))
        if len(text) > nearest.depth:
            nearest = nearest.children.get(self._at(text, nearest.depth), nearest)
        common = self._common(text, known[nearest.example]) if nearest.example >= 0 else 0
        fork = self._last_fork(text, common)
        if fork.depth < common:
            behind = fork.children[self._at(text, fork.depth)]
            between = _Fork(common, behind.example)
            between.children[self._at(known[behind.example], common)] = behind
            fork.children[self._at(text, fork.depth)] = between
            fork = between
        if len(text) > common:
            leaf = _Fork(len(text), number)
            fork.children[self._at(text, common)] = leaf
            fork = leaf
        fork.ended.append(number)

    def _last_fork(self, text: str, depth: int) -> _Fork:
        """The last one, no deeper than that, that the text leads to."""
        fork = self._root
        while fork.depth < depth:
            child = fork.children.get(self._at(text, fork.depth))
            if child is None or child.depth > depth:
                break
            fork = child
        return fork

    def _at(self, text: str, depth: int) -> str:
        return text[-1 - depth] if self._from_end else text[depth]

    def _common(self, one: str, other: str) -> int:
        """How many characters both begin, or end, with."""
        low, high = 0, min(len(one), len(other))
        while low < high:
            middle = (low + high + 1) // 2
            if self._part(one, low, middle) == self._part(other, low, middle):
                low = middle
            else:
                high = middle - 1
        return low

    def _part(self, text: str, start: int, end: int) -> str:
        return text[len(text) - end : len(text) - start] if self._from_end else text[start:end]
