"""How many of the provider's tokens each block has: of the request that was sent, and of its unsent alternative.

Of a sent request a usage measures the whole, the prefix up to the last mark, and the prefix that was read. Measured
prefixes are remembered by their hashes: the next call of the conversation measures what is new in it, and a prompt
that was ever sent unchanged is known exactly. Between the ends of two of them the blocks share the tokens by
``token_weights``.

In the unsent request, the messages that were sent as well have their measured sizes. Its prompt is estimated: the
measured tokens of a prompt sent in its place, and the weighted difference of the two texts. Of all prompts that were
sent in its place the one nearest to it is taken, so that the calls of a conversation are compared with the same one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable, Sequence
from itertools import accumulate, compress, pairwise
from math import sqrt
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from litellm_prompt_router.accounting.token_weights import KINDS, TokenWeights, is_near
from litellm_prompt_router.cache_model import Block, Rules
from litellm_prompt_router.cache_model.prefix_cache import prefix_hashes
from litellm_prompt_router.cache_model.prefix_places import last_written
from litellm_prompt_router.cache_model.prompt_blocks import FRAMING_TOKENS
from litellm_prompt_router.cache_model.usage import Usage
from litellm_prompt_router.process_memory.bounded import register_memory

EDGE_TOKENS = 0.5
"""By how much cutting a text at one place may change its count. Ours."""
UNITS = 1_000
"""Block sizes are in thousandths of a token, so that many small ones don't round away."""
MAX_PREFIXES = 32_768
MAX_PROMPTS = 4_096
NEAREST_SHARE = 0.25
"""A read prefix ends behind the block where our estimate is off by less than this share of both neighbouring blocks;
where it is off by more, nothing is concluded. Ours."""
FURTHEST = 2.0
"""A measurement further from its estimate than this factor isn't one of the blocks that we take it for."""

_OWN_WEIGHTS = (1.0, 1.0, 1.0, 0.0)
"""Where nothing was measured: our own count."""
CountingKey = tuple[Hashable, Hashable]
"""``(a model of one account, a profile)``: calls with the same key have their tokens counted alike."""
Prefix = tuple[int, int]
"""``(number of blocks, their tokens as the provider counts)``."""
Item = TypeVar("Item")
_KEY, _TOKENS, _SECTION, _IS_FRAMED = map(attrgetter, ("key", "tokens", "section", "is_framed"))
_INDEX = {kind: number for number, kind in enumerate(KINDS)}
_SYSTEM = _INDEX["system"]
_made = tuple.__new__
"""A block of its fields, in a quarter of the time that ``_replace`` takes: there are thousands in a long call."""


class _SizedCall(NamedTuple):
    """The sent blocks with each one's kind (an index of ``KINDS``) and the provider's tokens in it."""

    blocks: Sequence[Block]
    kinds: Sequence[int]
    sizes: Sequence[float]


class MeasuredPrompt(NamedTuple):
    """A prompt that was sent in place of another: its billed tokens, and what the other has beyond them.

    ``missing`` is in tokens by our own count, by kind, and in blocks.
    """

    billed_tokens: float
    missing: tuple[int, ...]


class BlockSizes:
    """Sizes blocks from what earlier calls measured; bounded, the longest unused go first. Used by one thread."""

    def __init__(self) -> None:
        self._weights = TokenWeights()
        self._prefixes: OrderedDict[int, int] = OrderedDict()
        self._prompts: OrderedDict[int, MeasuredPrompt] = OrderedDict()
        register_memory(self, "measured prefixes", MAX_PREFIXES, lambda it: len(it._prefixes))
        register_memory(self, "measured prompts", MAX_PROMPTS, lambda it: len(it._prompts))

    def sized(
        self, key: CountingKey, sent: Sequence[Block], unsent: Sequence[Block] | None, rules: Rules | None, usage: Usage
    ) -> tuple[Sequence[Block], Sequence[Block] | None]:
        """Both lists with the provider's tokens in thousandths; those of ``sent`` add up to the usage's input."""
        sizes, others = self.sizes_of(key, sent, unsent, rules, usage)
        return _with_sizes(sent, sizes), None if unsent is None or others is None else _with_sizes(unsent, others)

    def sizes_of(
        self, key: CountingKey, sent: Sequence[Block], unsent: Sequence[Block] | None, rules: Rules | None, usage: Usage
    ) -> tuple[Sequence[int], Sequence[int] | None]:
        """The sizes of ``sized``, block by block: a list of numbers is made in a tenth of the time."""
        keys, other_keys = _keys(sent), frozenset() if unsent is None else _keys(unsent)
        only_sent = frozenset() if unsent is None else keys - other_keys
        kinds = _kinds(sent, only_sent)
        prefixes = self._measured_prefixes(key, sent, kinds, rules, usage)
        weights = self._weights.of(key) or _common_weights(sent, usage)
        call = _SizedCall(sent, kinds, _fitted(prefixes, _estimated(sent, kinds, weights)))
        if unsent is None:
            return _in_units(call.sizes), None
        is_exact = sum(map(_TOKENS, sent)) == usage.input_tokens
        others = self._unsent_sizes(
            key, call, unsent, only_sent, _kinds(unsent, other_keys - keys), weights, is_exact=is_exact
        )
        return _in_units(call.sizes), _in_units(others)

    def unmeasured(self, key: CountingKey, blocks: Sequence[Block]) -> Sequence[int]:
        """The sizes of a call's blocks where its usage tells nothing: as others' text was measured, in thousandths."""
        weights = self._weights.of(key) or _OWN_WEIGHTS
        return _in_units(_estimated(blocks, _kinds(blocks, frozenset()), weights))

    def _measured_prefixes(
        self, key: CountingKey, blocks: Sequence[Block], kinds: Sequence[int], rules: Rules | None, usage: Usage
    ) -> list[Prefix]:
        """The prefixes whose size is known, in order of length, the whole call last. Remembers them."""
        hashes = prefix_hashes(blocks, key[0])
        whole = (len(blocks), usage.input_tokens)
        known = self._remembered(hashes)
        estimated = _estimated(blocks, kinds, self._weights.of(key) or _common_weights(blocks, usage))
        reported = _reported_prefixes(blocks, estimated, known, rules, usage)
        prefixes = [(0, 0), *sorted(dict([*known, *reported, whole]).items())]
        if not _is_plausible(prefixes, estimated):
            prefixes = [(0, 0), whole]
            for digest in hashes:
                self._prefixes.pop(digest, None)
        for (start, before), (end, tokens) in pairwise(prefixes):
            if hashes[end] not in self._prefixes:
                self._weights.observe(key, _amounts(blocks[start:end], kinds[start:end]), tokens - before)
            self._prefixes[hashes[end]] = tokens
            self._prefixes.move_to_end(hashes[end])
        _shrink(self._prefixes, MAX_PREFIXES)
        if self._weights.of(key) is None:
            self._weights.observe(key, _amounts(blocks, kinds), usage.input_tokens)
        return prefixes

    def _remembered(self, hashes: Sequence[int]) -> list[Prefix]:
        return [(end, self._prefixes[digest]) for end, digest in enumerate(hashes) if end and digest in self._prefixes]

    def _unsent_sizes(
        self,
        key: CountingKey,
        call: _SizedCall,
        unsent: Sequence[Block],
        only_sent: frozenset[int],
        kinds: Sequence[int],
        weights: Sequence[float],
        *,
        is_exact: bool,
    ) -> Sequence[float]:
        """The provider's tokens in each unsent block, whose ``kinds`` these are. ``is_exact``: it counts as we do."""
        measured_sizes = _measured_sizes(call, unsent)
        is_prompt = [size is None for size in measured_sizes]
        stands_in = [block.section != "messages" or block.key in only_sent for block in call.blocks]
        ours, theirs = _picked(unsent, is_prompt), _picked(call.blocks, stands_in)
        missing = _difference(
            _amounts(ours, _picked(kinds, is_prompt)),
            _amounts(theirs, _picked(call.kinds, stands_in)),
            0.0 if is_exact else EDGE_TOKENS * sqrt(len(ours) + len(theirs)),
        )
        measured = MeasuredPrompt(billed_tokens=sum(_picked(call.sizes, stands_in)), missing=missing)
        nearest = self._nearest(prefix_hashes(ours, key)[-1], measured)
        total = nearest.billed_tokens + sum(w * n for w, n in zip(weights, nearest.missing, strict=True))
        estimated = _estimated(unsent, kinds, weights)
        share = total / (sum(_picked(estimated, is_prompt)) or 1.0)
        sizes = [size * share if same is None else same for size, same in zip(estimated, measured_sizes, strict=True)]
        known = [(0, 0), *self._remembered(prefix_hashes(unsent, key[0]))]
        return _fitted(known, sizes) if _is_plausible(known, sizes) else sizes

    def _nearest(self, signature: int, measured: MeasuredPrompt) -> MeasuredPrompt:
        """The prompt sent in place of this original that differs least from it; of two equals, this call's own."""
        known = self._prompts.get(signature)
        if known is None or _distance(measured) <= _distance(known):
            known = self._prompts[signature] = measured
        self._prompts.move_to_end(signature)
        _shrink(self._prompts, MAX_PROMPTS)
        return known


def _common_weights(blocks: Sequence[Block], usage: Usage) -> tuple[float, float, float, float]:
    """One weight for all kinds of text: what is known from a single call."""
    share = usage.input_tokens / (sum(map(_TOKENS, blocks)) or 1)
    return share, share, share, 0.0


def _measured_sizes(call: _SizedCall, unsent: Sequence[Block]) -> list[float | None]:
    """The measured size of each unsent block that was sent in a message too; None for others and for prompts."""
    measured: dict[int, float | deque[float]] = {}
    for key, section, size in zip(map(_KEY, call.blocks), map(_SECTION, call.blocks), call.sizes, strict=True):
        if section == "messages":
            before = measured.get(key)
            if before is None:
                measured[key] = size
            elif isinstance(before, float):
                measured[key] = deque((before, size))
            else:
                before.append(size)
    found: list[float | None] = []
    for key, section in zip(map(_KEY, unsent), map(_SECTION, unsent), strict=True):
        size_or_more = measured.get(key) if section == "messages" else None
        if size_or_more is None or isinstance(size_or_more, float):
            found.append(size_or_more)
            if size_or_more is not None:
                del measured[key]
        else:
            found.append(size_or_more.popleft())
            if not size_or_more:
                del measured[key]
    return found


def _reported_prefixes(
    blocks: Sequence[Block],
    estimated: Sequence[float],
    known: Sequence[Prefix],
    rules: Rules | None,
    usage: Usage,
) -> list[Prefix]:
    """The prefixes that the usage tells the sizes of: what was read, and what was read and written together."""
    end = 0 if rules is None else last_written(rules, blocks)
    if not end:
        return []
    read = usage.cache_read_tokens
    cached = read + usage.cache_write_tokens
    reported = [(end, cached)] if cached else []
    if read and read not in {tokens for _, tokens in [*known, *reported]}:
        until = list(accumulate(estimated))
        nearest = _nearest_place(until, read)
        neighbours = estimated[nearest : nearest + 2]
        if abs(until[nearest] - read) < NEAREST_SHARE * min(neighbours):
            reported.append((nearest + 1, read))
    return reported


def _nearest_place(ascending: Sequence[float], value: float) -> int:
    """Where the nearest number stands; of equally near ones the first."""
    behind = bisect_left(ascending, value)
    if behind == len(ascending) or (behind and value - ascending[behind - 1] <= ascending[behind] - value):
        return bisect_left(ascending, ascending[behind - 1])
    return behind


def _is_plausible(prefixes: Sequence[Prefix], estimated: Sequence[float]) -> bool:
    """False where what was measured between two prefixes is far from what the blocks there are estimated at."""
    until = list(accumulate(estimated, initial=0.0))
    stretches = [(until[end] - until[start], tokens - before) for (start, before), (end, tokens) in pairwise(prefixes)]
    return all(theirs >= 0 and is_near(theirs, ours, FURTHEST) for ours, theirs in stretches)


def _fitted(prefixes: Sequence[Prefix], estimated: Sequence[float]) -> list[float]:
    """The estimated sizes, scaled so that each prefix adds up to its measured tokens."""
    sizes = list(estimated)
    for (start, before), (end, tokens) in pairwise(prefixes):
        total = sum(estimated[start:end])
        share = (tokens - before) / (total or end - start)
        sizes[start:end] = [(size if total else 1.0) * share for size in estimated[start:end]]
    return sizes


def _keys(blocks: Iterable[Block]) -> frozenset[int]:
    return frozenset(map(_KEY, blocks))


def _kinds(blocks: Sequence[Block], only_sent: frozenset[int]) -> list[int]:
    """The kind of each block, an index of ``KINDS``. What only one request has is system text, wherever it stands."""
    if not only_sent:
        return [_INDEX[section] for section in map(_SECTION, blocks)]
    return [
        _SYSTEM if section == "messages" and key in only_sent else _INDEX[section]
        for key, section in zip(map(_KEY, blocks), map(_SECTION, blocks), strict=True)
    ]


def _amounts(blocks: Sequence[Block], kinds: Sequence[int]) -> list[int]:
    """Our tokens of each kind, and the number of framed blocks: what ``TokenWeights`` goes by."""
    sums = [0] * len(KINDS)
    for tokens, kind in zip(map(_TOKENS, blocks), kinds, strict=True):
        sums[kind] += tokens
    return [*sums, sum(map(_IS_FRAMED, blocks))]


def _estimated(blocks: Sequence[Block], kinds: Sequence[int], weights: Sequence[float]) -> list[float]:
    framing = weights[-1]
    sizes = [
        tokens * weights[kind] + is_framed * framing
        for tokens, kind, is_framed in zip(map(_TOKENS, blocks), kinds, map(_IS_FRAMED, blocks), strict=True)
    ]
    return [size if size > 0.0 else 0.0 for size in sizes]


def _in_units(sizes: Iterable[float]) -> list[int]:
    return [round(size * UNITS) for size in sizes]


def _with_sizes(blocks: Sequence[Block], sizes: Sequence[int]) -> list[Block]:
    return [_made(Block, (block[0], size, *block[2:])) for block, size in zip(blocks, sizes, strict=True)]


def _picked(items: Sequence[Item], wanted: Sequence[bool]) -> list[Item]:
    return list(compress(items, wanted))


def _difference(ours: Sequence[int], theirs: Sequence[int], noise_tokens: float) -> tuple[int, ...]:
    """``ours`` less ``theirs``, both as ``_amounts``. The same text cut at other places differs by ``noise_tokens``."""
    tools, system, messages, blocks = (one - other for one, other in zip(ours, theirs, strict=True))
    text = tools + system + messages - FRAMING_TOKENS * blocks
    if abs(text) <= noise_tokens:
        return (0, FRAMING_TOKENS * blocks, 0, blocks)
    return (tools, system, messages, blocks)


def _distance(measured: MeasuredPrompt) -> int:
    return sum(map(abs, measured.missing))


def _shrink(memory: OrderedDict[int, Any], most: int) -> None:
    while len(memory) > most:
        memory.popitem(last=False)
