"""A prompt that profiles are looked for in: what is found out about its text is found out once for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import numpy as np

from litellm_prompt_router.request.recognise.line_index import LineHashes, line_hashes
from litellm_prompt_router.request.recognise.placing import ShapeIndex
from litellm_prompt_router.request.recognise.quotations import Delimiters
from litellm_prompt_router.request.recognise.searched_text import RawText, SqueezedText


class ShapedProfile(Protocol):
    """A profile's modules in both spaces."""

    @property
    def raw(self) -> ShapeIndex: ...
    @property
    def squeezed(self) -> ShapeIndex: ...


class SearchedPrompt:
    """One text while its profile is looked for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._expected: Sequence[ShapedProfile] = ()
        self.visible: dict[str, int | None] = {}
        """By a module's squeezed text, which several profiles may have: the most that it can take of this one."""

    def expect(self, profiles: Sequence[ShapedProfile]) -> None:
        """These will be placed: what is looked for in the text is then looked for once for all of them."""
        self._expected = profiles

    @cached_property
    def raw(self) -> RawText:
        return RawText(self.text, lambda: [each.raw.probes for each in self._expected])

    @cached_property
    def squeezed(self) -> SqueezedText:
        return SqueezedText(self.text, lambda: [each.squeezed.probes for each in self._expected])

    @property
    def is_squeezed(self) -> bool:
        """True when ``squeezed`` was made: asking it takes little."""
        return "squeezed" in vars(self)

    @cached_property
    def delimiters(self) -> Delimiters:
        return Delimiters(self.text)

    @cached_property
    def lines(self) -> LineHashes:
        return line_hashes(self.text.splitlines())

    @cached_property
    def distinct_lines(self) -> LineHashes:
        return np.unique(self.lines)
