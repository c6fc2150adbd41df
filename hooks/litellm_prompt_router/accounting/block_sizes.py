"""The provider's tokens in each block of a call, and in the blocks of the request that wasn't sent in its place.

Measured, wherever a usage tells: all of the call, its prefix up to the last mark, and the prefix that was read. What
a prefix came to is remembered by its hash, so that the next call of the conversation measures what is new in it, and
a prompt that was ever sent as it came is known exactly. Inside a measured stretch blocks share by ``token_weights``.

The unsent request is its blocks that were sent, too, at their measured sizes, and its own prompt. That one is put
together from a measured prompt and the difference of the two texts: of all that were sent in its place, the one that
was nearest to it, so that the calls of a conversation are compared with one and the same.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable, Sequence
from itertools import accumulate, pairwise
from math import sqrt
from typing import Any, NamedTuple, TypeVar

from litellm_prompt_router.accounting.token_weights import KINDS, TokenWeights, is_near
from litellm_prompt_router.cache_model import Block, Rules
from litellm_prompt_router.cache_model.prefix_cache import last_written, prefix_hashes
from litellm_prompt_router.cache_model.prompt_blocks import FRAMING_TOKENS
from litellm_prompt_router.cache_model.usage import Usage

EDGE_TOKENS = 0.5
"""What a count may change by where a text is cut. Ours."""
UNITS = 1_000
"""Sized blocks are counted in thousandths, so that many small ones don't round away."""
MAX_PREFIXES = 32_768
MAX_PROMPTS = 4_096
NEAREST_SHARE = 0.25
"""Of the smaller neighbour: a read prefix ends where our estimate is nearer than this, or it isn't told where."""
FURTHEST = 2.0
"""A measured stretch further from its estimate than this factor is not what we take it for."""

Name = tuple[Hashable, Hashable]
"""What counts tokens alike, a model of one account, and the profile."""
Ended = tuple[int, int]
"""A prefix: its blocks, and its tokens by the provider."""
T = TypeVar("T")


class _Sized(NamedTuple):
    blocks: Sequence[Block]
    kinds: Sequence[int]
    sizes: Sequence[float]


class MeasuredPrompt(NamedTuple):
    """A prompt that was sent in place of another: what it came to, and what it lacked of that one, in our tokens."""

    measured_tokens: float
    lacking: tuple[int, ...]


class BlockSizes:
    """Bounded; those unused for longest go first. Used by one thread."""

    def __init__(self) -> None:
        self._weights = TokenWeights()
        self._prefixes: OrderedDict[int, int] = OrderedDict()
        self._sights: OrderedDict[int, MeasuredPrompt] = OrderedDict()

    def sized(
        self, name: Name, sent: Sequence[Block], unsent: Sequence[Block] | None, rules: Rules | None, usage: Usage
    ) -> tuple[Sequence[Block], Sequence[Block] | None]:
        """Both with the provider's tokens in thousandths; those of ``sent`` come to the usage's input."""
        foreign = frozenset() if unsent is None else _keys(sent) - _keys(unsent)
        kinds = _kinds(sent, foreign)
        ends = self._measured(name, sent, kinds, rules, usage)
        weights = self._weights.of(name) or _common(sent, usage)
        call = _Sized(sent, kinds, _within(ends, _weighed(sent, kinds, weights)))
        if unsent is None:
            return _with(sent, call.sizes), None
        is_exact = sum(block.tokens for block in sent) == usage.input_tokens
        others = self._of_unsent(name, call, unsent, foreign, weights, is_exact=is_exact)
        return _with(sent, call.sizes), _with(unsent, others)

    def _measured(
        self, name: Name, blocks: Sequence[Block], kinds: Sequence[int], rules: Rules | None, usage: Usage
    ) -> list[Ended]:
        """All prefixes whose size is known, the whole call the last of them. They are remembered."""
        hashes = prefix_hashes(blocks, name[0])
        whole = (len(blocks), usage.input_tokens)
        known = self._recalled(hashes)
        weighed = _weighed(blocks, kinds, self._weights.of(name) or _common(blocks, usage))
        ends = [(0, 0), *sorted(dict([*known, *_told(blocks, weighed, known, rules, usage), whole]).items())]
        if not _is_likely(ends, weighed):
            ends = [(0, 0), whole]
            for digest in hashes:
                self._prefixes.pop(digest, None)
        for (start, before), (end, tokens) in pairwise(ends):
            if hashes[end] not in self._prefixes:
                self._weights.observe(name, _amounts(blocks[start:end], kinds[start:end]), tokens - before)
            self._prefixes[hashes[end]] = tokens
            self._prefixes.move_to_end(hashes[end])
        _shrink(self._prefixes, MAX_PREFIXES)
        if self._weights.of(name) is None:
            self._weights.observe(name, _amounts(blocks, kinds), usage.input_tokens)
        return ends

    def _recalled(self, hashes: Sequence[int]) -> list[Ended]:
        return [(end, self._prefixes[digest]) for end, digest in enumerate(hashes) if end and digest in self._prefixes]

    def _of_unsent(
        self,
        name: Name,
        call: _Sized,
        unsent: Sequence[Block],
        foreign: frozenset[int],
        weights: Sequence[float],
        *,
        is_exact: bool,
    ) -> Sequence[float]:
        shared = _shared(call, unsent)
        is_prompt = [size is None for size in shared]
        kinds = _kinds(unsent, _keys(unsent) - _keys(call.blocks))
        stands_in = [block.section != "messages" or block.key in foreign for block in call.blocks]
        ours, theirs = _picked(unsent, is_prompt), _picked(call.blocks, stands_in)
        lacking = _lacking(
            _amounts(ours, _picked(kinds, is_prompt)),
            _amounts(theirs, _picked(call.kinds, stands_in)),
            0.0 if is_exact else EDGE_TOKENS * sqrt(len(ours) + len(theirs)),
        )
        sight = MeasuredPrompt(measured_tokens=sum(_picked(call.sizes, stands_in)), lacking=lacking)
        nearest = self._nearest(prefix_hashes(ours, name)[-1], sight)
        total = nearest.measured_tokens + sum(w * n for w, n in zip(weights, nearest.lacking, strict=True))
        weighed = _weighed(unsent, kinds, weights)
        share = total / (sum(_picked(weighed, is_prompt)) or 1.0)
        sizes = [size * share if same is None else same for size, same in zip(weighed, shared, strict=True)]
        known = [(0, 0), *self._recalled(prefix_hashes(unsent, name[0]))]
        return _within(known, sizes) if _is_likely(known, sizes) else sizes

    def _nearest(self, signature: int, sight: MeasuredPrompt) -> MeasuredPrompt:
        """Of two that are equally near this call's own: it was measured with this call's messages."""
        known = self._sights.get(signature)
        if known is None or _distance(sight) <= _distance(known):
            known = self._sights[signature] = sight
        self._sights.move_to_end(signature)
        _shrink(self._sights, MAX_PROMPTS)
        return known


def _common(blocks: Sequence[Block], usage: Usage) -> tuple[float, float, float, float]:
    """The weights of a call of which nothing else is known."""
    share = usage.input_tokens / sum(block.tokens for block in blocks)
    return share, share, share, 0.0


def _shared(call: _Sized, unsent: Sequence[Block]) -> list[float | None]:
    """What each block came to as part of a message that was sent; None for those that weren't, and for prompts."""
    measured: dict[int, deque[float]] = {}
    for block, size in zip(call.blocks, call.sizes, strict=True):
        if block.section == "messages":
            measured.setdefault(block.key, deque()).append(size)
    left = [measured.get(block.key) if block.section == "messages" else None for block in unsent]
    return [sizes.popleft() if sizes else None for sizes in left]


def _told(
    blocks: Sequence[Block],
    weighed: Sequence[float],
    known: Sequence[Ended],
    rules: Rules | None,
    usage: Usage,
) -> list[Ended]:
    """Where the read prefix ends, and what was written behind it."""
    end = 0 if rules is None else last_written(rules, blocks)
    if not end:
        return []
    read = usage.cache_read_tokens
    cached = read + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    told = [(end, cached)] if cached else []
    if read and read not in {tokens for _, tokens in [*known, *told]}:
        ends = list(accumulate(weighed))
        nearest = min(range(len(ends)), key=lambda number: abs(ends[number] - read))
        neighbours = weighed[nearest : nearest + 2]
        if abs(ends[nearest] - read) < NEAREST_SHARE * min(neighbours):
            told.append((nearest + 1, read))
    return told


def _is_likely(ends: Sequence[Ended], weighed: Sequence[float]) -> bool:
    until = list(accumulate(weighed, initial=0.0))
    stretches = [(until[end] - until[start], tokens - before) for (start, before), (end, tokens) in pairwise(ends)]
    return all(theirs >= 0 and is_near(theirs, ours, FURTHEST) for ours, theirs in stretches)


def _within(ends: Sequence[Ended], weighed: Sequence[float]) -> list[float]:
    """The sizes, those inside a measured stretch brought to what it came to."""
    sizes = list(weighed)
    for (start, before), (end, tokens) in pairwise(ends):
        total = sum(weighed[start:end])
        share = (tokens - before) / (total or end - start)
        sizes[start:end] = [(size if total else 1.0) * share for size in weighed[start:end]]
    return sizes


def _keys(blocks: Iterable[Block]) -> frozenset[int]:
    return frozenset([block.key for block in blocks])


def _kinds(blocks: Sequence[Block], foreign: frozenset[int]) -> list[int]:
    """Of each block, as a number in ``KINDS``. What the other request lacks is system text, wherever it stands."""
    return [
        KINDS.index("system" if block.key in foreign and block.section == "messages" else block.section)
        for block in blocks
    ]


def _amounts(blocks: Sequence[Block], kinds: Sequence[int]) -> list[int]:
    sums = [0] * len(KINDS)
    for block, kind in zip(blocks, kinds, strict=True):
        sums[kind] += block.tokens
    return [*sums, sum(block.is_framed for block in blocks)]


def _weighed(blocks: Sequence[Block], kinds: Sequence[int], weights: Sequence[float]) -> list[float]:
    return [
        max(0.0, block.tokens * weights[kind] + block.is_framed * weights[-1])
        for block, kind in zip(blocks, kinds, strict=True)
    ]


def _with(blocks: Sequence[Block], sizes: Sequence[float]) -> list[Block]:
    return [block._replace(tokens=round(UNITS * size)) for block, size in zip(blocks, sizes, strict=True)]


def _picked(items: Sequence[T], wanted: Sequence[bool]) -> list[T]:
    return [item for item, is_wanted in zip(items, wanted, strict=True) if is_wanted]


def _lacking(ours: Sequence[int], theirs: Sequence[int], noise_tokens: float) -> tuple[int, ...]:
    """By kind, and the number of blocks. The same text cut elsewhere differs by chance, and lacks nothing."""
    tools, system, messages, blocks = (one - other for one, other in zip(ours, theirs, strict=True))
    text = tools + system + messages - FRAMING_TOKENS * blocks
    if abs(text) <= noise_tokens:
        return (0, FRAMING_TOKENS * blocks, 0, blocks)
    return (tools, system, messages, blocks)


def _distance(sight: MeasuredPrompt) -> int:
    return sum(map(abs, sight.lacking))


def _shrink(memory: OrderedDict[int, Any], most: int) -> None:
    while len(memory) > most:
        memory.popitem(last=False)
