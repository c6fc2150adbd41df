"""A small script of calls that shows how a provider caches: made-up text, in sizes around the minimum, with pauses.

What each call is for: the same prompt again, a conversation that goes on, a prompt below the minimum, a history longer
than the lookback, and waits that an unread entry survives or doesn't.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from litellm_prompt_router.cache_model import Block, MarkedPrefixes, Prices, Rules, longest_lifetime_seconds

OUTPUT_TOKENS = 16
"""Asked for at most, of each answer."""
SHORT_WAIT_SECONDS = 2.0
"""Between calls without a pause: entries can be read when the answer that wrote them has begun."""
ALIVE, GONE = 0.8, 1.2
"""Of a lifetime: how long after its last use an entry is looked for."""
PROMPT_TOKENS = 3_000
MAX_PROMPT_TOKENS = 12_000
OFF = 0.6
"""Sizes keep this much away from the minimum, as the provider counts tokens otherwise than we do."""
MARK = {"type": "ephemeral"}
WORDS = ("amber", "basin", "cedar", "delta", "ember", "fjord", "grove", "haven", "inlet", "joist", "knoll", "ledge")


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeCall:
    """One call. ``wait_seconds`` pass before it; ``body`` is a chat body without ``model``."""

    what: str
    wait_seconds: float
    body: dict[str, Any]


def probe_calls(
    rules: Rules, count_tokens: Callable[[str], int], *, takes_marks: bool, longest_pause_seconds: float, salt: bytes
) -> tuple[ProbeCall, ...]:
    """The script for a model with these rules. No wait is longer than ``longest_pause_seconds``."""
    script = _Script(salt, count_tokens, takes_marks=takes_marks)
    large = min(MAX_PROMPT_TOKENS, max(PROMPT_TOKENS, round(rules.min_tokens / OFF)))
    prompt = script.text(large)
    further = ["two", "OK", "three"]
    calls = [
        script.call("a prompt for the first time", prompt, ["one"]),
        script.call("the same with another question", prompt, ["two"]),
        script.call("its conversation goes on", prompt, further),
    ]
    small = round(OFF * rules.min_tokens)
    if small >= 2:
        short = script.text(small)
        calls += [script.call(f"a prompt of some {small:,} tokens", short, [word]) for word in ("one", "two")]
    if isinstance(rules, MarkedPrefixes):
        bare = script.text(large)
        many = [f"step {number}" for number in range(2 * (rules.lookback_positions // 2) + 10)]
        calls += [
            script.call("a conversation marked at its end alone", bare, ["one"], is_prompt_marked=False),
            script.call("the same, four messages later", bare, ["one", *many[:4]], is_prompt_marked=False),
            script.call("the same, beyond the lookback", bare, ["one", *many], is_prompt_marked=False),
        ]
    lifetime = longest_lifetime_seconds(rules, ("5m",) if takes_marks else ())
    for what, share in (("after most of a lifetime", ALIVE), ("after more than one", GONE)):
        wait = share * lifetime
        if 0 < wait <= longest_pause_seconds:
            calls.append(script.call(f"the first conversation {what}", prompt, further, wait_seconds=wait))
    return tuple(calls)


class _Script:
    def __init__(self, salt: bytes, count_tokens: Callable[[str], int], *, takes_marks: bool) -> None:
        self._salt = salt
        self._words = 0
        self._count = count_tokens
        self._takes_marks = takes_marks

    def text(self, tokens: int) -> str:
        """Made-up text of about so many tokens that nobody sent before."""
        words = [self._word() for _ in range(max(1, tokens // 4))]
        while self._count(" ".join(words)) < tokens:
            words += [self._word() for _ in range(max(1, tokens // 50))]
        return " ".join(words)

    def _word(self) -> str:
        self._words += 1
        number = int.from_bytes(blake2b(self._words.to_bytes(8, "big"), key=self._salt, digest_size=4).digest(), "big")
        return f"{WORDS[number % len(WORDS)]}{number % 997}"

    def call(
        self,
        what: str,
        prompt: str,
        says: Sequence[str],
        *,
        is_prompt_marked: bool = True,
        wait_seconds: float = SHORT_WAIT_SECONDS,
    ) -> ProbeCall:
        """``says``: the user's and the model's words by turns, the user's last."""
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": self._content(prompt, is_marked=is_prompt_marked)}
        ]
        for number, said in enumerate(says):
            is_last = number == len(says) - 1
            is_user = (len(says) - number) % 2 == 1
            text = f"Answer with OK. ({said})" if is_user else said
            role = "user" if is_user else "assistant"
            messages.append({"role": role, "content": self._content(text, is_marked=is_last)})
        return ProbeCall(what=what, wait_seconds=wait_seconds, body={"messages": messages, "max_tokens": OUTPUT_TOKENS})

    def _content(self, text: str, *, is_marked: bool) -> Any:
        if not self._takes_marks:
            return text
        return [{"type": "text", "text": text, **({"cache_control": MARK} if is_marked else {})}]


def most_usd(prompts: Sequence[Sequence[Block]], prices: Prices) -> Decimal:
    """What the calls cost at most: nothing read from the cache, all of it written, and half more tokens than ours."""
    tokens = sum(block.tokens for blocks in prompts for block in blocks)
    dearest = max(prices.input_usd_per_mtok, prices.cache_write_5m_usd_per_mtok)
    answers = len(prompts) * OUTPUT_TOKENS * prices.output_usd_per_mtok
    return (Decimal(tokens) * 3 / 2 * dearest + answers) / 1_000_000
