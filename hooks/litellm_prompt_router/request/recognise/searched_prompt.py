"""A prompt that profiles are looked for in: what is found out about its text is found out once for all of them."""

from __future__ import annotations

from functools import cached_property

from litellm_prompt_router.request.recognise.quotations import Delimiters
from litellm_prompt_router.request.recognise.searched_text import RawText, SqueezedText


class SearchedPrompt:
    """One text while its profile is looked for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.raw = RawText(text)
        self.delimiters = Delimiters(text)

    @cached_property
    def squeezed(self) -> SqueezedText:
        return SqueezedText(self.text)
