"""What the cost gate does with a conversation of a profile that nobody tuned.

It takes the worst case: the full prompt is always warm, and nobody shares what is sent in its place. Then three things
decide: what is left out against what is written for it; what is likely to be needed later after all, and is then
written behind its message; and how many calls there are to save on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from litellm_prompt_router.request.expected_use import USUAL, ExpectedUse
from litellm_prompt_router.request.types import Target

MESSAGES = 2.0
ALONE_MESSAGES = 1.0
MIN_DROPPED_SHARE = 1 / 3
LARGE_PROMPT_TOKENS = 60_000
SAFETY = 3.0
"""A set must have paid by the calls of so many messages (``ALONE_MESSAGES`` where its cache key keeps even the core to
itself), and leave out this share of the prompt. A module goes along
from the start where what writing it later costs, times the chance of that, is more than so many messages' calls save by
its absence. Where nobody knows that chance, the selection's share stands for it, ``SAFETY`` times over, against one
message's calls and only in prompts so large that no history outweighs them.

Chosen on made-up traffic of other seeds than those that the figures in docs/money.md are told of
(tests/benchmarks/never_dearer.py). Longer horizons save more in the mean, and come out dearer in conversations of forty
messages and where loops are shorter than expected.
"""
TALK_CALLS = 1.5
"""Where a ledger shows fewer calls a message, conversations are talk, whatever tools their requests declare."""
LOW_READ_SHARE = 0.05
"""Where cached tokens cost no more of the input price than this, the full prompt costs next to nothing."""
LONG_CACHE_SECONDS = 7_200.0
"""Where entries live so long, the full prompt stays warm over night and each module set has to become so first."""
NO_TOOLS_MESSAGES = 2.0
"""Without tools each message is one call; where what comes late costs more than so many of them save, talk is dearer
rewritten: made conversations of 40 messages by up to a third, at Anthropic's prices. Where a cached token costs half of
the input price it isn't."""
ASSUMED_READ_SHARE = 0.1
ASSUMED_WRITE_SHARE = 1.25
ASSUMED_WRITE_1H_SHARE = 2.0
"""What stands for prices that aren't known or go by tiers: Anthropic's, where writing is dearest
(platform.claude.com/docs/en/build-with-claude/prompt-caching, checked 2026-11)."""

UntunedRule = Literal[
    "never_cached", "no_tools", "low_read_price", "long_cache", "pays", "likely", "may_need_all", "widened", "no_way"
]
"""The rule that decided.

- The selection is sent: the full prompt is too short to be cached (``never_cached``), or it ``pays``; also with modules
  that are ``likely`` to be needed later.
- The request stays as it came: it declares ``no_tools``, reading the cache costs next to nothing (``low_read_price``),
  caches live for hours (``long_cache``), or nothing shorter would pay (``no_way``).
- Every module is sent: the selection wouldn't pay (``widened``), or nobody knows what is needed later and it
  ``may_need_all``.
"""


class Untuned(NamedTuple):
    """What is sent beside the core, and by which rule. None: the request stays as it came."""

    rule: UntunedRule
    sent: frozenset[int] | None


class Weighing(NamedTuple):
    """What a set of modules saves against the full prompt, and what it costs beyond it, in tokens at the input price.

    ``cold_tokens``: tokens that no other conversation has cached, so that they are written. None: the set is too short
    to be cached; then ``saved`` is what reading the full prompt costs at each call, and ``extra`` what the set costs.
    """

    saved: float
    extra: float
    cold_tokens: int | None

    @property
    def pays(self) -> bool:
        return self.saved >= self.extra


def untuned_choice(
    target: Target,
    selected: frozenset[int],
    tokens: Sequence[int],
    core_tokens: int,
    *,
    is_hour: bool = False,
    is_fitted: bool = True,
    expected: ExpectedUse = USUAL,
) -> Untuned:
    """What is sent of such a conversation. Parameters as ``modules_to_send`` of the cost gate has them."""
    optional_tokens = sum(tokens)
    if core_tokens + optional_tokens < target.min_cache_tokens:
        return Untuned("never_cached", selected)
    left_alone = _left_alone(target, expected, is_hour=is_hour)
    if left_alone is not None:
        return Untuned(left_alone, None)
    every = frozenset([module for module, size in enumerate(tokens) if size]) | selected
    # Without a fit nearly every conversation selects the same, and those that select everything go as they came: one
    # of which every module is wanted shares their prefix.
    everything = every if is_fitted else None
    likely = likely_later(target, tokens, expected, is_hour=is_hour) - selected if is_fitted else frozenset()
    wanted_tokens = size_of(selected | likely, tokens)
    is_much = drops_enough(target, optional_tokens - wanted_tokens, core_tokens + optional_tokens)
    calls = counted_calls(target, expected)
    if is_much and pays(target, core_tokens, wanted_tokens, optional_tokens, is_hour, calls):
        if likely:
            return Untuned("likely", selected | likely)
        if may_need_all(target, wanted_tokens, core_tokens, optional_tokens, expected, is_hour=is_hour):
            return Untuned("may_need_all", everything)
        return Untuned("pays", selected)
    smallest = smallest_module(tokens) if is_fitted else 0
    if smallest and pays(target, core_tokens, smallest, optional_tokens, is_hour, calls):
        return Untuned("widened", every)
    return Untuned("no_way", None)


def weigh_against_full(
    target: Target, core_tokens: int, routed_tokens: int, optional_tokens: int, *, is_hour: bool, calls: float
) -> Weighing:
    """What sending this much saves and costs at worst: the full prompt always cached, of what is sent only the core.

    So it holds however dense the traffic is.
    """
    read, write = shares_of(target, is_hour=is_hour)
    full_tokens, sent_tokens = core_tokens + optional_tokens, core_tokens + routed_tokens
    if sent_tokens < target.min_cache_tokens:
        return Weighing(read * full_tokens, sent_tokens, None)
    # A cache key for each routed set keeps the core apart, too; where writes cost extra that weighs.
    is_core_shared = core_tokens >= target.min_cache_tokens and not (target.takes_cache_key and write > 1)
    cold_tokens = routed_tokens if is_core_shared else sent_tokens
    return Weighing(calls * read * (full_tokens - sent_tokens), (write - read) * cold_tokens, cold_tokens)


def pays(
    target: Target, core_tokens: int, routed_tokens: int, optional_tokens: int, is_hour: bool, calls: float
) -> bool:
    """Whether so much beside the core is cheaper than the full prompt by so many calls."""
    return weigh_against_full(target, core_tokens, routed_tokens, optional_tokens, is_hour=is_hour, calls=calls).pays


def counted_calls(target: Target, expected: ExpectedUse) -> float:
    """The calls by which a set must have paid: those of fewer messages where it shares nothing with other sets."""
    messages = ALONE_MESSAGES if writes_alone(target) else MESSAGES
    return messages * expected.calls_per_message


def writes_alone(target: Target) -> bool:
    """Whether each set, under a cache key of its own, pays for writing the core, too."""
    return target.takes_cache_key and shares_of(target, is_hour=False)[1] > 1


def drops_enough(target: Target, dropped_tokens: int, full_tokens: int) -> bool:
    """Whether so much is left out that the rule considers it: a minimum share, unless caching saves nothing."""
    return dropped_tokens >= MIN_DROPPED_SHARE * full_tokens or shares_of(target, is_hour=False)[0] >= 1


def likely_later(target: Target, tokens: Sequence[int], expected: ExpectedUse, *, is_hour: bool) -> frozenset[int]:
    """The modules that are so likely to be needed later that they cost less from the first message on."""
    if expected.later_chances is None:
        return frozenset()
    highest = highest_chance_left_out(target, expected, is_hour=is_hour)
    return frozenset([n for n, chance in enumerate(expected.later_chances) if tokens[n] and chance > highest])


def highest_chance_left_out(target: Target, expected: ExpectedUse, *, is_hour: bool) -> float:
    """Up to which chance of being needed later a module is left out; infinite where writing costs nothing extra."""
    read, write = shares_of(target, is_hour=is_hour)
    return counted_calls(target, expected) * read / (write - read) if write > read else float("inf")


def may_need_all(
    target: Target,
    routed_tokens: int,
    core_tokens: int,
    optional_tokens: int,
    expected: ExpectedUse,
    *,
    is_hour: bool,
) -> bool:
    """Whether so large a selection, in so large a prompt, makes it likely that later messages need much of the rest.

    Only where nobody knows it.
    """
    if expected.later_chances is not None or core_tokens + optional_tokens <= LARGE_PROMPT_TOKENS:
        return False
    read, write = shares_of(target, is_hour=is_hour)
    return SAFETY * routed_tokens * (write - read) > expected.calls_per_message * read * optional_tokens


def has_known_prices(target: Target) -> bool:
    return target.cache_read_share is not None


def shares_of(target: Target, *, is_hour: bool) -> tuple[float, float]:
    """What a cached and a written token cost, as shares of the input price; cautious ones where they aren't known."""
    read = target.cache_read_share
    if read is None:
        return ASSUMED_READ_SHARE, ASSUMED_WRITE_1H_SHARE if is_hour else ASSUMED_WRITE_SHARE
    if is_hour:
        write, assumed = target.cache_write_1h_share, ASSUMED_WRITE_1H_SHARE
    else:
        write, assumed = target.cache_write_share, ASSUMED_WRITE_SHARE
    return read, assumed if write is None else write


def smallest_module(tokens: Sequence[int]) -> int:
    """Tokens of the smallest module beside the core; 0 where there is none."""
    return min([size for size in tokens if size], default=0)


def size_of(modules: frozenset[int], tokens: Sequence[int]) -> int:
    return sum([tokens[module] for module in modules])


def _left_alone(target: Target, expected: ExpectedUse, *, is_hour: bool) -> UntunedRule | None:
    """Why no conversation of this kind would be rewritten, whatever it selects; None where some might."""
    read, write = shares_of(target, is_hour=is_hour)
    if read >= 1:
        return None
    if read <= LOW_READ_SHARE:
        return "low_read_price"
    if target.cache_lifetime_seconds is not None and target.cache_lifetime_seconds >= LONG_CACHE_SECONDS:
        return "long_cache"
    is_talk = not expected.declares_tools or expected.calls_per_message < TALK_CALLS
    return "no_tools" if is_talk and write - read > NO_TOOLS_MESSAGES * read else None
