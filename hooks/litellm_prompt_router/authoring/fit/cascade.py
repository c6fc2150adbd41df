"""When a routing model is asked, and which of its lists select: found on messages that it was asked about.

Words and meaning give each module of a message a value. From ``high`` on they select it by themselves; where every
other value is below ``low``, nobody is asked. In between the model's answer decides. Bands and lists are tried side by
side, each on all messages, in conversations: what was selected stays. The one that keeps the least, questions included,
is taken among those that miss no more than the promise allows.

Values have to come from a table and a gate that hadn't seen the message. Trying many bands on the same messages is
paid for: a guarantee is for all of them at once (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import inf

import numpy as np

from litellm_prompt_router.authoring.fit.calibrate import misses_expected, misses_guaranteed
from litellm_prompt_router.authoring.fit.held_out import PROMPTS_PER_MISS
from litellm_prompt_router.authoring.second_call import Brought, served
from litellm_prompt_router.profile.fitted import AskingBand, Flags, Floats, ModelLists, Promise

ASKING_SHARE = 0.02
"""What a question weighs beside the share of the prompt that is kept: its price at a small model, and the wait."""
HIGH_QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.9)
LOW_QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99)
LISTS: tuple[ModelLists, ...] = ("needed", "both")
ALWAYS = AskingBand(low=-inf, high=inf)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CascadeMessage:
    """One labelled message as the router saw it. Flags and values are by module."""

    needed: Flags
    firm: Flags
    """What is selected whatever words and models say: the core, triggers, tool calls, and what those require."""
    is_counted: bool
    """True where the promise covers it: a first need, or any message."""
    values: Floats | None
    """What speaks for each module, out of fold; minus infinity where nothing does. None: it wasn't scored."""
    is_asked: bool
    """True where the routing model would be asked without a band: a task."""
    needed_list: Flags | None
    """What the model named as needed, and what that requires. None: it gave no answer."""
    both_lists: Flags | None
    earlier: tuple[int, ...] = ()
    """Earlier messages of its conversation, by their place among all."""
    brought: Brought = ()
    """What the agent's first answer brings (authoring/second_call.py)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TriedBand:
    """What one band and choice of lists would have done."""

    band: AskingBand
    lists: ModelLists
    counted: int
    misses: int
    """Of the counted messages, in the first call of their task."""
    unserved: int
    """Of the counted messages, by the second call, too, where the agent calls first what helps least."""
    unserved_at_best: int
    """The same, where it calls first what helps most."""
    asked: int
    """Of the counted messages."""
    kept: float
    """Mean share of the tokens, over all messages."""
    asked_share: float
    """Of all messages."""

    @property
    def coverage(self) -> float:
        return 1 - self.misses / self.counted if self.counted else 1.0

    @property
    def served(self) -> tuple[float, float]:
        """The share of the counted messages that is served, for certain and at best."""
        counted = max(1, self.counted)
        return 1 - self.unserved / counted, 1 - self.unserved_at_best / counted

    @property
    def weight(self) -> float:
        return self.kept + ASKING_SHARE * self.asked_share


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundBand:
    """The choice, the strongest promise that holds for it, and how it would be to ask about everything."""

    chosen: TriedBand
    promise: Promise
    always: tuple[TriedBand, ...]
    """Both choices of lists without a band."""


def find_band(
    messages: Sequence[CascadeMessage],
    tokens: Sequence[int],
    threshold: float,
    *,
    target: float,
    confidence: float,
    at_most: Promise = "guaranteed",
    lists: ModelLists | None = None,
) -> FoundBand:
    """The band and the lists for the strongest promise that so many messages allow, ``at_most`` that one.

    ``threshold``: the calibrated one, for messages without an answer. ``lists``: where they are chosen already. Without
    any promise everything is asked about and both lists select, as without a fit. Where needs are to be served, a miss
    weighs what the call that repairs it does.
    """
    sizes = np.asarray(tokens, dtype=float)
    sizes = sizes / (sizes.sum() or 1.0)
    choices = LISTS if lists is None else (lists,)
    always = tuple(_tried(messages, sizes, threshold, ALWAYS, which) for which in choices)
    tried = [*always]
    for band in _bands(messages, threshold):
        tried += [_tried(messages, sizes, threshold, band, which) for which in choices]
    counted = always[0].counted
    allowed: list[tuple[Promise, int]] = [
        ("guaranteed", misses_guaranteed(counted, target, 1 - (1 - confidence) / len(tried))),
        ("expected", misses_expected(counted, target)),
    ]
    if at_most == "served":
        most = misses_expected(counted, target)
        possible = [each for each in tried if each.unserved <= most]
        if possible:
            chosen = min(possible, key=lambda each: (_weight_of_repair(each, len(messages)), each.asked))
            return FoundBand(chosen=chosen, promise="served", always=always)
        return FoundBand(chosen=always[-1], promise="none", always=always)
    for promise, most in allowed[(at_most != "guaranteed") + (at_most == "none") :]:
        possible = [each for each in tried if each.misses <= most]
        if possible:
            chosen = min(possible, key=lambda each: (each.weight, each.asked, each.misses))
            return FoundBand(chosen=chosen, promise=promise, always=always)
    return FoundBand(chosen=always[-1], promise="none", always=always)


def _weight_of_repair(tried: TriedBand, messages: int) -> float:
    return tried.weight + PROMPTS_PER_MISS * tried.misses / messages


def _bands(messages: Sequence[CascadeMessage], threshold: float) -> Iterator[AskingBand]:
    """Bands around the threshold, at values that messages have."""
    seen = [message.values[np.isfinite(message.values)] for message in messages if message.values is not None]
    values = np.concatenate([*seen, np.empty(0)])
    above, below = values[values >= threshold], values[values < threshold]
    highs = [*np.quantile(above, HIGH_QUANTILES).tolist(), inf] if len(above) else [inf]
    lows = [*np.quantile(below, LOW_QUANTILES).tolist(), threshold] if len(below) else [-inf]
    for low, high in product(dict.fromkeys([-inf, *lows]), dict.fromkeys(highs)):
        if low <= high and (low, high) != (-inf, inf):
            yield AskingBand(low=round(low, 4), high=round(high, 4))


def _tried(
    messages: Sequence[CascadeMessage], sizes: Floats, threshold: float, band: AskingBand, lists: ModelLists
) -> TriedBand:
    own, asked = zip(*(_selected(message, threshold, band, lists) for message in messages), strict=True)
    kept, misses, met = 0.0, 0, []
    for message, selected in zip(messages, own, strict=True):
        there = selected.copy()
        for number in message.earlier:
            there |= own[number]
        kept += float(sizes @ there)
        misses += message.is_counted and bool((message.needed & ~there).any())
        met += [served(message.needed, there, message.brought)] if message.is_counted else []
    return TriedBand(
        band=band,
        lists=lists,
        counted=sum(message.is_counted for message in messages),
        misses=misses,
        unserved=sum(not each.for_certain for each in met),
        unserved_at_best=sum(not each.at_best for each in met),
        asked=sum(is_asked and m.is_counted for m, is_asked in zip(messages, asked, strict=True)),
        kept=kept / len(messages),
        asked_share=sum(asked) / len(messages),
    )


def _selected(message: CascadeMessage, threshold: float, band: AskingBand, lists: ModelLists) -> tuple[Flags, bool]:
    """What the message selects by itself, and whether the model was asked about it."""
    scored = message.values
    if not message.is_asked or (scored is not None and band.is_sure(scored)):
        selected = message.firm if scored is None else message.firm | (scored >= threshold)
        return selected, False
    answer = message.needed_list if lists == "needed" else message.both_lists
    if answer is None:
        return message.firm if scored is None else message.firm | (scored >= threshold), True
    surely = message.firm if scored is None else message.firm | (scored >= band.high)
    return surely | answer, True
