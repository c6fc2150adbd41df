"""What else the rules of a provider's cache could be: each of them changed by itself, with words for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, fields, replace
from typing import Any

from litellm_prompt_router.cache_model import Rules
from litellm_prompt_router.cache_model.prompt_blocks import Lifetime
from litellm_prompt_router.cache_model.rules import LIFETIME_SECONDS

SECONDS = (60, 120, 180, 240, 300, 600, 900, 1_200, 1_800, 3_600, 7_200, 21_600, 86_400)
TOKENS = (64, 256, 512, 1_024, 2_048, 4_096, 8_192)
STEPS = (1, 16, 64, 128, 256, 512, 1_024, 2_048)
POSITIONS = (1, 2, 5, 10, 15, 20, 30, 50, 1_000)
OTHERS: Mapping[str, tuple[tuple[Any, ...], str, str]] = {
    "min_tokens": (TOKENS, "minimum", "prompts are cached from {:,} tokens on"),
    "lookback_positions": (POSITIONS, "lookback", "an entry is found from {:,} positions behind"),
    "joins_tool_runs": ((True, False), "tool runs", "a run of tool calls is one position of the lookback: {}"),
    "interval_tokens": (STEPS, "step", "prefixes match in steps of {:,} tokens"),
    "reported_step_tokens": (STEPS, "reported step", "reads are reported in steps of {:,} tokens"),
    "retention_seconds": (SECONDS, "lifetime", "an entry that nobody reads lives for {:,} seconds"),
    "earlier_endings": ((0, 1, 2, 5, 10, 20, 50), "lookback", "the ends of {:,} earlier messages are looked up"),
}
"""By the field of the rules: other values, the rule's name, and what a value says."""
NAMED: Mapping[Lifetime, str] = {"5m": "5-minute", "30m": "30-minute", "1h": "1-hour"}


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleVariant:
    """Rules that differ in one thing from those that we go by. ``rule`` is its name, ``says`` what would hold."""

    rule: str
    says: str
    rules: Rules
    lifetimes: Mapping[Lifetime, float] = field(default_factory=lambda: LIFETIME_SECONDS)


def variants_of(rules: Rules, marks: Set[Lifetime]) -> Iterator[RuleVariant]:
    """Every other value of every rule; ``marks`` are those that the calls have."""
    for one in fields(rules):
        values, name, says = OTHERS.get(one.name, ((), "", ""))
        for value in values:
            if value != getattr(rules, one.name):
                changed: dict[str, Any] = {one.name: value}
                yield RuleVariant(rule=name, says=says.format(value), rules=replace(rules, **changed))
    for mark in sorted(marks):
        for seconds in SECONDS:
            if seconds != LIFETIME_SECONDS[mark]:
                yield RuleVariant(
                    rule="lifetime",
                    says=f"a {NAMED[mark]} entry that nobody reads lives for {seconds:,} seconds",
                    rules=rules,
                    lifetimes={**LIFETIME_SECONDS, mark: seconds},
                )
