"""What a profile without a calibrated fit sends whatever is asked: everything but what is known not to be needed.

That is a module whose tools the request doesn't declare, though it declares tools of other modules, and a module that
a person marked optional. Triggers, tool calls and requirements only add to it. So nothing here may depend on triggers:
one more of them never takes a module away.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from litellm_prompt_router.profile.profile import Profile

NOT_CALIBRATED = "not calibrated"
"""Why everything is sent: nothing measured says what a message needs."""
MIN_SCRIPT_SHARE = 0.02
"""Of a prompt's letters; a script with fewer of them is quoted there, not written in."""
MAX_TOOL_SETS = 256
"""Sets of declared tools remembered for each profile; an agent has a few."""
MIN_FOREIGN_LETTERS = 2
"""A single letter may be a unit or a name in a formula."""
LATIN = "LATIN"
_ASCII_LETTER = re.compile("[A-Za-z]")


class UncalibratedBase:
    """One profile's base, prepared."""

    def __init__(self, profile: Profile) -> None:
        self._modules = tuple(n for n, module in enumerate(profile.modules) if not module.optional)
        self._owned = frozenset(tool for module in profile.modules for tool in module.tools)
        # In the core for want of evidence: a routing model may choose it, but a missing tool is no evidence.
        self._tools = {n: m.tools for n, m in enumerate(profile.modules) if m.tools and not m.until_labelled}
        self._absent: dict[frozenset[str], frozenset[int]] = {}

    @property
    def reads_tools(self) -> bool:
        """True where the tools that a request declares may leave a module out."""
        return bool(self._tools)

    def absent(self, declared: frozenset[str] | None) -> frozenset[int]:
        """The modules whose tools a request with these tools can't call; none where its tools aren't known.

        Names are compared exactly to tell that the request's tools are this agent's, and loosely to tell that a tool
        is missing: a gateway may put its own prefix ahead of a name.
        """
        if declared is None or self._owned.isdisjoint(declared):
            return frozenset()
        known = self._absent.get(declared)
        if known is None:
            if len(self._absent) >= MAX_TOOL_SETS:
                self._absent.pop(next(iter(self._absent)), None)
            known = self._absent[declared] = self._without_tools(declared)
        return known

    def declared_later(self, absent: frozenset[int], declared: frozenset[str] | None) -> dict[int, str]:
        """Absent modules of the base that these names bring in, each by a tool of its own; all where none are known."""
        there = None if declared is None else _folded(declared)
        found: dict[int, str] = {}
        for module in sorted(absent.intersection(self._modules)):
            tool = next((tool for tool in self._tools[module] if _is_there(tool, there)), None)
            if tool is not None:
                found[module] = tool
        return found

    def modules(self, absent: frozenset[int]) -> tuple[int, ...]:
        """The base without these modules, in profile order."""
        return tuple([module for module in self._modules if module not in absent]) if absent else self._modules

    def _without_tools(self, declared: frozenset[str]) -> frozenset[int]:
        there = _folded(declared)
        return frozenset(
            [module for module, tools in self._tools.items() if not any(_is_there(tool, there) for tool in tools)]
        )


def _folded(names: frozenset[str]) -> tuple[str, ...]:
    return tuple([name.casefold() for name in names])


def _is_there(tool: str, there: tuple[str, ...] | None) -> bool:
    return there is None or any(name.endswith(tool.casefold()) for name in there)


def scripts_of_prompt(profile: Profile) -> frozenset[str]:
    """The scripts that the prompt is written in, by what its modules say: never by their triggers."""
    counts = sum(
        [_letters(part) for module in profile.modules for part in module.parts if isinstance(part, str)], Counter[str]()
    )
    total = counts.total()
    return frozenset([script for script, count in counts.items() if count >= MIN_SCRIPT_SHARE * total])


def is_foreign(folded_text: str, scripts: frozenset[str]) -> bool:
    """True for a message with a word in none of these scripts: nobody wrote down what such words ask for."""
    if folded_text.isascii() and LATIN in scripts:
        return False
    return sum([n for script, n in _letters(folded_text).items() if script not in scripts]) >= MIN_FOREIGN_LETTERS


def _letters(text: str) -> Counter[str]:
    """How many letters there are of each script, as Unicode names it: LATIN, CYRILLIC, CJK and so on."""
    counts = Counter({LATIN: len(_ASCII_LETTER.findall(text))})
    for character in () if text.isascii() else text:
        if character > "\x7f" and character.isalpha():
            counts[unicodedata.name(character, "UNNAMED").partition(" ")[0]] += 1
    return counts
