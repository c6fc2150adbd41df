"""Asks any model that LiteLLM knows, and says what that cost. The one place where commands call a model."""

from __future__ import annotations

import os
from decimal import Decimal
from typing import NamedTuple

RETRIES = 2
TIMEOUT_SECONDS = 120.0
MAX_ANSWER_TOKENS = 1_500


class ModelReply(NamedTuple):
    """A model's text. ``cost_usd`` None: LiteLLM has no price for the model."""

    text: str
    cost_usd: Decimal | None


class ModelCallError(Exception):
    """The model couldn't be asked; the argument says why, without the request."""


def ask_model(model: str, instructions: str, text: str) -> ModelReply:
    """The model's reply. Keys and base URLs come from the environment, as LiteLLM reads them."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    litellm.suppress_debug_info = True
    messages = [{"role": "system", "content": instructions}, {"role": "user", "content": text}]
    try:
        response = litellm.completion(
            model=model,
            messages=messages,
            max_tokens=MAX_ANSWER_TOKENS,
            timeout=TIMEOUT_SECONDS,
            num_retries=RETRIES,
            drop_params=True,
        )
    except Exception as error:
        raise ModelCallError(f"{type(error).__name__}: {_first_line(error)}") from None
    try:
        cost = litellm.completion_cost(completion_response=response)
    except Exception:
        cost = None
    content = response.choices[0].message.content
    return ModelReply(text=content or "", cost_usd=None if cost is None else Decimal(str(cost)))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0][:200]
