"""Prices as users state them: a JSON object of USD per million tokens."""

from __future__ import annotations

import json
from dataclasses import fields
from decimal import Decimal, InvalidOperation

from litellm_prompt_router.cache_model import Prices
from litellm_prompt_router.documents.errors import ConfigurationError

OPTIONAL = "output_usd_per_mtok"
"""Output is the same under every policy and left out."""
KNOWN = tuple(field.name for field in fields(Prices))


def parse_prices(text: str, where: str) -> Prices:
    """The prices, to the last digit stated. Raises ConfigurationError with every problem."""
    try:
        document = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    except (json.JSONDecodeError, InvalidOperation, RecursionError) as error:
        raise ConfigurationError([f"{where}: not valid JSON: {error}"]) from None
    if not isinstance(document, dict):
        raise ConfigurationError([f"{where}: must be a JSON object"])
    problems = [f"{where}: {name}: missing; add it" for name in KNOWN if name not in (OPTIONAL, *document)]
    unknown = [name for name in document if name not in KNOWN]
    problems += [f"{where}: {name}: unknown field; known fields: {', '.join(KNOWN)}" for name in unknown]
    for name, price in document.items():
        if name in KNOWN and not (isinstance(price, Decimal) and price.is_finite() and price >= 0):
            problems.append(f"{where}: {name}: must be a number of 0 or more")
    if problems:
        raise ConfigurationError(problems)
    return Prices(**{OPTIONAL: Decimal(0), **document})
