"""What a call saved against the one that wasn't sent, at the price that LiteLLM billed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from litellm_prompt_router.accounting.bill import BillTerms, priced
from litellm_prompt_router.accounting.rates import MapEntry
from litellm_prompt_router.cache_model.usage import Kinds, Usage

NO_PRICE = "unavailable: no price"
NOT_OUR_BILL = "unavailable: the bill is below the tokens' price"


def saving(
    *,
    usage: Usage,
    billed_usd: Decimal | None,
    priced_usd: Decimal | None,
    provider: str | None,
    is_sent: bool,
    estimate: Usage,
    method: str,
    info: MapEntry,
    terms: BillTerms,
    kinds: Kinds,
) -> dict[str, Any]:
    """A record's fields: the counterfactual's price and what was saved against it.

    ``usage`` and ``billed_usd`` are of what was sent, ``priced_usd`` is our own price of it, ``estimate`` is of what
    wasn't. ``is_sent``: that is the original.
    """
    counterfactual = replace(estimate, output_tokens=usage.output_tokens)
    kinds = _kinds_within(kinds, counterfactual)
    cost = priced(counterfactual, info, terms, provider, kinds)
    if cost is None or billed_usd is None or priced_usd is None:
        return {"counterfactual": counterfactual, "estimated_net_saved_reason": NO_PRICE}
    # What LiteLLM billed beyond our own arithmetic, it would have billed for the other request, too.
    cost = (cost + billed_usd - priced_usd).normalize()
    if cost < 0:
        return {"counterfactual": counterfactual, "estimated_net_saved_reason": NOT_OUR_BILL}
    saved = cost - billed_usd
    return {
        "counterfactual": counterfactual,
        "counterfactual_usd": cost,
        "estimated_net_saved_usd": saved if is_sent else -saved,
        "estimated_net_saved_method": method,
    }


def _kinds_within(kinds: Kinds, usage: Usage) -> Kinds:
    """The same audio and images, where uncached input has room for them; cached media isn't modelled."""
    media = kinds.audio_input_tokens + kinds.image_input_tokens + kinds.video_input_tokens
    if media <= usage.uncached_input_tokens and kinds.cached_audio_tokens <= usage.cache_read_tokens:
        return kinds
    return replace(kinds, audio_input_tokens=0, image_input_tokens=0, video_input_tokens=0, cached_audio_tokens=0)
