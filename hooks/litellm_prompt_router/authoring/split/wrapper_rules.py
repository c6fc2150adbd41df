"""Proposes rules for ``ignore:`` from what surrounds the users' own words in captured messages.

First the ready-made set that fits, then elements that most messages have, then what the messages begin and end
with. Numbers count as alike. A rule that would leave most messages without a word isn't proposed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from litellm_prompt_router.authoring.split.draft import Draft, DraftDoubt
from litellm_prompt_router.profile.agents import AGENTS, EVERY_AGENT
from litellm_prompt_router.profile.ignore_rules import MAX_PATTERN_CHARS
from litellm_prompt_router.profile.patterns import compile_pattern
from litellm_prompt_router.profile.profile import Ignore
from litellm_prompt_router.request.route.own_words import own_words
from litellm_prompt_router.request.types import Turn

MIN_MESSAGES = 3
COMMON_SHARE = 0.6
AGENT_SHARE = 0.2
"""The share of the messages that a ready-made set has to change: not every message is wrapped."""
KEY_CHARS = 10
"""Messages begin, or end, alike when they share this many characters."""
MAX_LITERAL_CHARS = 400

_ELEMENT = re.compile(r"^\s*<([A-Za-z_][\w.:-]{0,99})>", re.MULTILINE)
_DIGITS = re.compile(r"\d+")


class WrapperRule(NamedTuple):
    """One entry of ``ignore:``, and the number of messages that it matched."""

    name: str
    value: str
    seen: int


def with_wrappers(draft: Draft, messages: Sequence[Turn]) -> Draft:
    """The draft with rules for what these user messages have around the users' own words, each with a doubt."""
    rules = propose_rules(messages)
    doubts = [
        DraftDoubt(
            module=None,
            text=f"ignore: `{rule.name}: {rule.value}` was in {rule.seen} of {len(messages)} user messages; what it "
            "takes out has no say in routing, so it must not be what users wrote",
        )
        for rule in rules
    ]
    return replace(draft, ignore=tuple((rule.name, rule.value) for rule in rules), doubts=(*draft.doubts, *doubts))


def ignore_of(draft: Draft) -> Ignore:
    """The draft's rules together with those for every agent."""
    ignore = EVERY_AGENT
    for name, value in draft.ignore:
        ignore = ignore.with_(_ignore(WrapperRule(name, value, 0)))
    return ignore


def propose_rules(messages: Sequence[Turn]) -> tuple[WrapperRule, ...]:
    """Rules in the order they are to stand in; from fewer than MIN_MESSAGES messages only a ready-made set."""
    ignore = EVERY_AGENT
    rules: list[WrapperRule] = []
    for step in (_agent, _elements, _beginnings, _endings) if len(messages) >= MIN_MESSAGES else (_agent,):
        found = tuple(step(messages, ignore))
        tried = ignore
        for rule in found:
            tried = tried.with_(_ignore(rule))
        if found and _leaves_words(messages, tried, ignore):
            rules += found
            ignore = tried
    return tuple(rules)


def _agent(messages: Sequence[Turn], ignore: Ignore) -> Iterable[WrapperRule]:
    """The ready-made set that changes the most messages; of several, the first by name."""
    touched = {
        name: sum(own_words(m, ignore.with_(replace(own, block="all"))) != own_words(m, ignore) for m in messages)
        for name, own in AGENTS.items()
    }
    name = max(sorted(touched), key=touched.__getitem__)
    if touched[name] and touched[name] >= AGENT_SHARE * len(messages):
        yield WrapperRule("agent", name, touched[name])


def _elements(messages: Sequence[Turn], ignore: Ignore) -> Iterable[WrapperRule]:
    """Elements that most messages have; the words are inside where that varies and what is around it doesn't."""
    texts = _texts(messages, ignore)
    seen = Counter(name for text in texts for name in set(_ELEMENT.findall(text)) if f"</{name}>" in text)
    for name, count in sorted(seen.items()):
        if count < max(MIN_MESSAGES, COMMON_SHARE * len(texts)):
            continue
        having = [text for text in texts if f"</{name}>" in text]
        around = _shapes(having, Ignore(tags=(name,)))
        inside = _shapes(having, Ignore(inside=(name,)))
        is_message = 2 * len(around) <= len(having) < 2 * len(inside)
        yield WrapperRule("inside" if is_message else "tag", name, count)


def _beginnings(messages: Sequence[Turn], ignore: Ignore) -> Iterable[WrapperRule]:
    """What most messages begin with, up to a colon or a line's end."""
    found = _most_common([_shape(text.lstrip()) for text in _texts(messages, ignore)])
    if found is not None:
        literal, count = found
        end = max(literal.rfind(mark) for mark in (":", "\n", ">")) + 1
        if end > 1 and len(literal[:end].strip()) >= KEY_CHARS // 2:
            yield from _literal_rule(r"(?s)\A\s*{}", literal[:end].strip(), count)


def _endings(messages: Sequence[Turn], ignore: Ignore) -> Iterable[WrapperRule]:
    """What most messages end with, from a line's beginning on."""
    found = _most_common([_shape(text.rstrip())[::-1] for text in _texts(messages, ignore)])
    if found is not None:
        literal, count = found[0][::-1], found[1]
        start = literal.find("\n") + 1
        if start and len(literal[start:].strip()) >= KEY_CHARS:
            yield from _literal_rule(r"(?s)(?:\A|\n){}.*\z", literal[start:].strip()[:MAX_LITERAL_CHARS], count)


def _most_common(shapes: Sequence[str]) -> tuple[str, int] | None:
    """The longest beginning that most of the different shapes share, and how many do."""
    different = [shape for shape in dict.fromkeys(shapes) if len(shape) >= KEY_CHARS]
    if len(different) < MIN_MESSAGES:
        return None
    [(key, count)] = Counter(shape[:KEY_CHARS] for shape in different).most_common(1)
    if count < max(MIN_MESSAGES, COMMON_SHARE * len(different)):
        return None
    alike = [shape for shape in different if shape.startswith(key)]
    return _common_beginning(min(alike), max(alike))[:MAX_LITERAL_CHARS], count


def _common_beginning(one: str, other: str) -> str:
    end = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[:end]


def _literal_rule(form: str, literal: str, count: int) -> Iterable[WrapperRule]:
    pattern = form.format(re.escape(literal).replace("\\\n", "\n").replace("0", r"\d+").replace(r"\ ", " "))
    if len(pattern) <= MAX_PATTERN_CHARS and re.search(r"\w", literal):
        yield WrapperRule("drop", pattern, count)


def _shape(text: str) -> str:
    """The text with every number as 0."""
    return _DIGITS.sub("0", text)


def _shapes(texts: Sequence[str], ignore: Ignore) -> set[str]:
    """The different shapes of what the rules leave of these texts."""
    return {_shape(own_words(Turn("user", text), ignore).text or "") for text in texts}


def _texts(messages: Sequence[Turn], ignore: Ignore) -> list[str]:
    return [text for message in messages if (text := own_words(message, ignore).text)]


def _leaves_words(messages: Sequence[Turn], tried: Ignore, ignore: Ignore) -> bool:
    """True when at least half of the messages that had words before still have some under the rules that are tried.

    A block that a ready-made set skips is the agent's, so a message of such blocks alone counts as having no words.
    """
    before = [m for m in messages if own_words(m, ignore.with_(Ignore(skip=tried.skip))).text]
    return bool(before) and 2 * sum(bool(own_words(message, tried).text) for message in before) >= len(before)


def _ignore(rule: WrapperRule) -> Ignore:
    if rule.name == "agent":
        return AGENTS[rule.value]
    if rule.name == "drop":
        return Ignore(drop=(compile_pattern(rule.value),))
    return Ignore(tags=(rule.value,)) if rule.name == "tag" else Ignore(inside=(rule.value,))
