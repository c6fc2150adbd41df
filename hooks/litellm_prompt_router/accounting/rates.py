"""What a deployment charges for each kind of token, by LiteLLM's rules, and what a call's usage comes to.

Own arithmetic in Decimal on LiteLLM's own price fields, to check LiteLLM's bill with and to price what wasn't sent.
The rules are those of LiteLLM 1.106, litellm_core_utils/llm_cost_calc/utils.py (``_get_token_base_cost``,
``generic_cost_per_token``) and tiered_pricing.py:

- ``tiered_pricing``: the tier of the whole prompt prices every token of the call.
- Otherwise the field of the service tier (``_priority``, ``_flex``...), the plain one where that is absent; past each
  ``_above_Nk_tokens`` threshold that the prompt exceeds, the field of the threshold. xAI's are inclusive.
- Cached tokens without a price cost what others do; an hour's writes without one cost what other writes do.
- Whether off-peak prices hold is told by the bill itself (``bill.billed_entry``).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation, Overflow
from functools import lru_cache
from typing import Any, TypeVar

from litellm_prompt_router.cache_model.usage import NO_KINDS, Kinds, Usage
from litellm_prompt_router.process_memory.bounded import register_memory

TIER_SUFFIXES: Mapping[str, str] = {
    "flex": "_flex",
    "balanced": "_balanced",
    "priority": "_priority",
    "fast": "_priority",
    "ultrafast": "_ultrafast",
}
"""``_SERVICE_TIER_TO_COST_KEY_SUFFIX``, same file. Any other tier is charged the plain prices there, too; batches are
priced when they are fetched, which is no call of ours."""
INCLUSIVE_PROVIDERS = frozenset({"xai"})
_INPUT, _OUTPUT = "input_cost_per_token", "output_cost_per_token"
_READ, _WRITE = "cache_read_input_token_cost", "cache_creation_input_token_cost"
_WRITE_1H = f"{_WRITE}_above_1hr"
_THRESHOLD = re.compile(rf"(?:{_INPUT}|{_OUTPUT}|{_READ}|{_WRITE})_above_(\d+)(k?)_tokens(_\w+)?")
MAX_ENTRIES = 256
"""Of LiteLLM's map, whose rates are remembered."""
_ARITHMETIC = Context(prec=60, traps=[InvalidOperation, Overflow])

MapEntry = Mapping[str, Any]
"""A deployment's entry in LiteLLM's model map, merged with its own configured prices."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """USD for a token of each kind. None: no price of its own, it costs what the bucket it is in costs."""

    uncached: Decimal
    read: Decimal
    write_5m: Decimal
    write_1h: Decimal
    output: Decimal
    cached_audio: Decimal | None = None
    audio_input: Decimal | None = None
    image_input: Decimal | None = None
    video_input: Decimal | None = None
    reasoning: Decimal | None = None
    audio_output: Decimal | None = None
    image_output: Decimal | None = None
    video_output: Decimal | None = None


def rates_of(
    info: MapEntry, input_tokens: int, *, service_tier: str | None = None, provider: str | None = None
) -> Rates | None:
    """The rates of a call with so many input tokens, cached ones included; None where there is no price."""
    tiered = _tier_of(info, input_tokens)
    if tiered is not None:
        return _rates_of_tier(info, tiered)
    return _RATES.of(info, input_tokens, service_tier, provider)


def _plain_rates(info: MapEntry, input_tokens: int, service_tier: str | None, provider: str | None) -> Rates | None:
    suffix = TIER_SUFFIXES.get((service_tier or "").lower(), "")
    uncached, output = _price(info, _INPUT, suffix), _price(info, _OUTPUT, suffix)
    if uncached is None and output is None:
        return None
    uncached, output = uncached or Decimal(0), output or Decimal(0)
    read, write = _price(info, _READ, suffix), _price(info, _WRITE, suffix)
    write_1h = _price(info, _WRITE_1H)
    for threshold in _thresholds_exceeded(info, input_tokens, suffix, is_inclusive=provider in INCLUSIVE_PROVIDERS):
        uncached = _price_or(_price(info, f"{_INPUT}_above_{threshold}_tokens", suffix), uncached)
        output = _price_or(_price(info, f"{_OUTPUT}_above_{threshold}_tokens", suffix), output)
        read = _price_or(_price(info, f"{_READ}_above_{threshold}_tokens", suffix), read)
        write = _price_or(_price(info, f"{_WRITE}_above_{threshold}_tokens", suffix), write)
        write_1h = _price_or(_price(info, f"{_WRITE_1H}_above_{threshold}_tokens", suffix), write_1h)
    write = _price_or(write, uncached)
    return Rates(
        uncached=uncached,
        read=_price_or(read, uncached),
        write_5m=write,
        write_1h=_price_or(write_1h, write),
        output=output,
        cached_audio=_price(info, "cache_read_input_audio_token_cost", suffix),
        audio_input=_price(info, "input_cost_per_audio_token", suffix),
        image_input=_price(info, "input_cost_per_image_token", suffix),
        video_input=_price(info, "input_cost_per_video_token", suffix),
        reasoning=_reasoning_price(info, suffix),
        audio_output=_price(info, "output_cost_per_audio_token"),
        image_output=_price(info, "output_cost_per_image_token"),
        video_output=_price(info, "output_cost_per_video_token"),
    )


class _KnownRates:
    """Rates of the entries that were priced by last, as long as an entry holds what it held."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[MapEntry, MapEntry, list[int], dict[Any, Rates | None]]] = {}
        register_memory(self, "rates", MAX_ENTRIES, lambda it: len(it._known))

    def of(self, info: MapEntry, input_tokens: int, service_tier: str | None, provider: str | None) -> Rates | None:
        known = self._known.get(id(info))
        if known is None or known[0] is not info or known[1] != info:
            if len(self._known) >= MAX_ENTRIES:
                self._known.clear()
            thresholds = sorted({tokens for _, _, tokens, _ in _threshold_fields(tuple(info))})
            known = self._known[id(info)] = info, dict(info), thresholds, {}
        _, _, thresholds, rates = known
        name = service_tier, provider, bisect_left(thresholds, input_tokens), bisect_right(thresholds, input_tokens)
        if name not in rates:
            rates[name] = _plain_rates(info, input_tokens, service_tier, provider)
        return rates[name]


_RATES = _KnownRates()


def cost_usd(usage: Usage, rates: Rates, kinds: Kinds = NO_KINDS) -> Decimal:
    """What ``usage`` comes to at ``rates``."""
    return _total(
        *_parts(
            usage.uncached_input_tokens,
            rates.uncached,
            (kinds.audio_input_tokens, rates.audio_input),
            (kinds.image_input_tokens, rates.image_input),
            (kinds.video_input_tokens, rates.video_input),
        ),
        *_parts(usage.cache_read_tokens, rates.read, (kinds.cached_audio_tokens, rates.cached_audio)),
        (usage.cache_write_5m_tokens, rates.write_5m),
        (usage.cache_write_1h_tokens, rates.write_1h),
        *_parts(
            usage.output_tokens,
            rates.output,
            (kinds.reasoning_tokens, rates.reasoning),
            (kinds.audio_output_tokens, rates.audio_output),
            (kinds.image_output_tokens, rates.image_output),
            (kinds.video_output_tokens, rates.video_output),
        ),
    )


Part = tuple[int, Decimal]
Fallback = TypeVar("Fallback", bound=Decimal | None)


def _parts(tokens: int, rate: Decimal, *kinds: tuple[int, Decimal | None]) -> list[Part]:
    """``(tokens, rate)`` of each kind in a bucket that has a price of its own, and of the bucket's rest."""
    own = [(count, price) for count, price in kinds if count and price is not None]
    return [(tokens - sum(count for count, _ in own), rate), *own]


def _total(*parts: Part) -> Decimal:
    total = Decimal(0)
    for tokens, rate in parts:
        if tokens:
            total = _ARITHMETIC.fma(tokens, rate, total)
    return total


# LiteLLM's fields


def _price(info: MapEntry, name: str, suffix: str = "") -> Decimal | None:
    """A field of this service tier; without one, the plain field. Prices from YAML may be text."""
    for key in (f"{name}{suffix}", name) if suffix else (name,):
        value = info.get(key)
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            try:
                price = Decimal(str(value))
            except InvalidOperation:
                return None
            return price if price.is_finite() else None
    return None


def _price_or(price: Decimal | None, other: Fallback) -> Decimal | Fallback:
    return other if price is None else price


def _reasoning_price(info: MapEntry, suffix: str) -> Decimal | None:
    """A tier that prices output but not reasoning charges its output price for it."""
    own = _price(info, f"output_cost_per_reasoning_token{suffix}")
    if own is not None or (suffix and info.get(f"{_OUTPUT}{suffix}") is not None):
        return own
    return _price(info, "output_cost_per_reasoning_token")


def _thresholds_exceeded(info: MapEntry, input_tokens: int, suffix: str, *, is_inclusive: bool) -> list[str]:
    """The thresholds that the prompt exceeds, lowest first, as they stand in the fields' names."""
    found: dict[str, int] = {}
    for key, name, tokens, own_suffix in _threshold_fields(tuple(info)):
        if info[key] is not None and own_suffix in ("", suffix):
            found[name] = tokens
    return [
        name
        for name, tokens in sorted(found.items(), key=lambda item: item[1])
        if input_tokens > tokens or (is_inclusive and input_tokens == tokens)
    ]


@lru_cache(maxsize=1_024)
def _threshold_fields(names: tuple[str, ...]) -> tuple[tuple[str, str, int, str], ...]:
    """``(field, threshold as it stands there, in tokens, tier)`` of an entry's fields that have one."""
    matches = [(name, _THRESHOLD.fullmatch(name)) for name in names]
    return tuple(
        (name, found[1] + found[2], int(found[1]) * (1_000 if found[2] else 1), found[3] or "")
        for name, found in matches
        if found is not None
    )


def _tier_of(info: MapEntry, input_tokens: int) -> MapEntry | None:
    """The tier that the whole prompt falls into; past the last one, the last."""
    table = info.get("tiered_pricing")
    tiers = [
        tier
        for tier in (table if isinstance(table, list) else ())
        if isinstance(tier, Mapping) and len(tier.get("range") or ()) == 2
    ]
    if not tiers or input_tokens <= 0:
        return None
    tiers.sort(key=lambda tier: tier["range"][0])
    found: MapEntry = next((tier for tier in tiers if tier["range"][0] < input_tokens <= tier["range"][1]), tiers[-1])
    return found if _INPUT in found else None


def _rates_of_tier(info: MapEntry, tier: MapEntry) -> Rates:
    uncached = _price(tier, _INPUT) or Decimal(0)
    write = _price_or(_price(tier, _WRITE), uncached)
    output = _price(tier, _OUTPUT) if _OUTPUT in tier else _price(info, _OUTPUT)
    return Rates(
        uncached=uncached,
        read=_price_or(_price(tier, _READ), uncached),
        write_5m=write,
        write_1h=_price(tier, _WRITE_1H) or write,
        output=output or Decimal(0),
        reasoning=_price(tier, "output_cost_per_reasoning_token"),
    )
