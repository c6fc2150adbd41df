"""The user's own words in a user message, without what the agent put around them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from litellm_prompt_router.profile.agents import HISTORY_REMOVED, HISTORY_REMOVED_INITIALS
from litellm_prompt_router.profile.profile import Ignore, PatternMatch, ValuePattern
from litellm_prompt_router.request.types import Turn

MAX_CHARS = 400_000
"""Of a longer block, the first half of this and the last are read."""
MAX_PATTERN_CHARS = 32_000
"""The same for patterns, which take longer than elements."""
MAX_BEGINNING_CHARS = 2_000
"""What is at a block's beginning is looked for in this much of it."""
MAX_CUTS = 200
"""Pieces that one rule cuts out of a block; more are left in."""
SPACE_CHARS = 40
INSTRUCTING = frozenset({"system", "developer"})
_SURROGATE = re.compile("[\ud800-\udfff]")
AFTER_NAME = frozenset(" \t\r\n>")


class OwnWords(NamedTuple):
    """What one user message says. ``text`` None: nothing in it is the user's own."""

    text: str | None
    stands_for_history: bool = False
    """True when earlier turns were taken out and this is in their place."""


def own_words(turn: Turn, ignore: Ignore) -> OwnWords:
    """The user's words in ``turn``, unchanged where nothing is to be ignored. Time is linear in its length."""
    blocks = turn.parts or (turn.text,)
    words: list[str] = []
    touched = False
    for number, block in enumerate(blocks):
        rest, is_kept, is_cut = _without_wrappers(block, ignore)
        beginning = rest[:MAX_BEGINNING_CHARS]
        if _begins(beginning, ignore.summaries):
            return OwnWords(None, stands_for_history=True)
        if not is_kept and number == 0 and _begins(beginning, ignore.results):
            return OwnWords(_kept_elsewhere(blocks[1:], ignore))
        is_agents = not is_kept and _begins(beginning, ignore.skip)
        touched = touched or is_cut or is_kept or is_agents
        if rest.strip() and not is_agents:
            words.append(rest)
    if ignore.block != "all" and len(words) > 1:
        words = [words[0 if ignore.block == "first" else -1]]
        touched = True
    if not touched:
        return OwnWords(turn.text)
    return OwnWords("\n".join(words).strip() if words else None)


def stands_for_history(turn: Turn, ignore: Ignore) -> bool:
    """True when a message that is no user's tells of earlier turns that were taken out.

    A model may well sum up the conversation because its user asked for that.
    """
    if turn.role in INSTRUCTING:
        return _begins(_encodable(turn.text[:MAX_BEGINNING_CHARS]), ignore.summaries)
    if turn.role != "assistant":
        return False
    first = turn.text[:1]
    if first.isspace():
        first = turn.text[:SPACE_CHARS].lstrip()[:1]
    if first.lower() not in HISTORY_REMOVED_INITIALS or not first:
        return False  # asked of every turn in every call, so nearly all of them mustn't take a pattern
    return _begins(_encodable(turn.text[:MAX_BEGINNING_CHARS]), HISTORY_REMOVED)


def _kept_elsewhere(blocks: Iterable[str], ignore: Ignore) -> str | None:
    """In a tool's result only that is the user's which says so itself."""
    words = [rest for rest, is_kept, _ in (_without_wrappers(block, ignore) for block in blocks) if is_kept]
    return "\n".join(words).strip() or None


def _without_wrappers(block: str, ignore: Ignore) -> tuple[str, bool, bool]:
    """The block's rest, whether that is what a rule kept, and whether anything was cut out."""
    text = _encodable(_ends_of(block, MAX_CHARS))
    is_cut = False
    if "<" in text:
        for name in ignore.tags:
            text, cuts = _cut(text, _elements(text, name))
            is_cut = is_cut or cuts
    if ignore.keep or ignore.drop:
        text = _ends_of(text, MAX_PATTERN_CHARS)
    kept = _kept(text, ignore)
    text = text if kept is None else kept
    for pattern in ignore.drop:
        text, cuts = _cut(text, _matches(text, pattern))
        is_cut = is_cut or cuts
    return text, kept is not None, is_cut


def _kept(text: str, ignore: Ignore) -> str | None:
    """What the user said inside a form of the agent's; None where there is none."""
    if "<" in text:
        for name in ignore.inside:
            found = [text[text.index(">", start) + 1 : end - len(name) - 3] for start, end in _elements(text, name)]
            if found:
                return "\n".join(found)
    for pattern in ignore.keep:
        match = pattern.search(text)
        if match is not None and match.start(1) >= 0:
            return text[match.start(1) : match.end(1)]
    return None


def _elements(text: str, name: str) -> list[tuple[int, int]]:
    """Where ``<name>`` to ``</name>`` stands; an element that isn't closed is none."""
    opening, closing = f"<{name}", f"</{name}>"
    found: list[tuple[int, int]] = []
    at = 0
    while len(found) < MAX_CUTS:
        start = text.find(opening, at)
        if start < 0:
            break
        behind = start + len(opening)
        if text[behind : behind + 1] not in AFTER_NAME:
            at = behind
            continue
        end = text.find(closing, behind)
        if end < 0:
            break
        at = end + len(closing)
        if text.find(">", behind, end) >= 0:
            found.append((start, at))
    return found


def _matches(text: str, pattern: ValuePattern) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    match: PatternMatch
    for match in pattern.finditer(text):
        found.append((match.start(), match.end()))
        if len(found) == MAX_CUTS:
            break
    return found


def _cut(text: str, places: Sequence[tuple[int, int]]) -> tuple[str, bool]:
    if not places:
        return text, False
    pieces: list[str] = []
    at = 0
    for start, end in places:
        pieces.append(text[at:start])
        at = end
    pieces.append(text[at:])
    return "".join(pieces), True


def _begins(text: str, patterns: Sequence[ValuePattern]) -> bool:
    return any(pattern.match(text) is not None for pattern in patterns)


def _encodable(text: str) -> str:
    """The text without lone surrogates, which RE2 refuses."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _ends_of(text: str, most_chars: int) -> str:
    """The text, or its first and last half of ``most_chars``."""
    return text if len(text) <= most_chars else f"{text[: most_chars // 2]}\n{text[-most_chars // 2 :]}"
