"""What the rewriting saved, as far as it can be said before the bill is known."""

from __future__ import annotations

from decimal import Decimal

from litellm_prompt_router.request.types import Composition, Target

NO_PRICE = "no price for the model, or its deployments differ"


def list_price_saved(composition: Composition, target: Target) -> tuple[Decimal | None, str | None]:
    """``(usd, reason)``: removed system tokens at the plain input price, signed; None with the reason.

    Ignores caching on both sides, so it overstates what a warm cache leaves to be saved.
    """
    if target.input_usd_per_token is None:
        return None, NO_PRICE
    removed_tokens = composition.original_tokens - composition.tokens
    return removed_tokens * target.input_usd_per_token, None
