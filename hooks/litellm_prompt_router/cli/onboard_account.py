"""What `onboard` accounts by, and what it rewrites with where nothing can be accounted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from litellm_prompt_router.analysis.simulate import RecordedCall
from litellm_prompt_router.cli.model_accounts import Account, account_for
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.onboarding.replayed_costs import Tariff, WalkSettings
from litellm_prompt_router.request.types import UNKNOWN_TARGET


def account_of(calls: Sequence[RecordedCall], model: str | None, stated_prices: str | None) -> Account:
    """By the model asked for, else the one that most calls name."""
    named = model or _most_common(str(call.request.get("model")) for call in calls)
    return account_for(named, stated_prices, _most_common(call.endpoint for call in calls))


def options_of(
    calls: Sequence[RecordedCall], account: Account | None, model: str | None, stated_prices: str | None
) -> tuple[str, ...]:
    """What `simulate` has to be told to account as we do."""
    is_told = model is not None or len({str(call.request.get("model")) for call in calls}) > 1
    told = ("--model", account.model) if is_told and calls and account is not None else ()
    return (*told, *(("--prices", stated_prices) if stated_prices is not None else ()))


def tariff_of(account: Account, count_tokens: Callable[[str], int], floor: float) -> Tariff:
    return Tariff(
        model=account.model,
        prices=account.prices,
        target=account.target,
        rules=account.rules,
        blocks_of=account.blocks_of(count_tokens),
        count_tokens=count_tokens,
        coverage_floor=floor,
    )


def unpriced_settings(
    calls: Sequence[RecordedCall], model: str | None, count_tokens: Callable[[str], int], floor: float
) -> WalkSettings:
    """Of calls that can't be accounted: their model may be one that LiteLLM has no prices for."""
    models = [named for call in calls if isinstance(named := call.request.get("model"), str)]
    target = UNKNOWN_TARGET
    try:
        if model or models:
            target = account_for(model or _most_common(models), None, calls[0].endpoint).target
    except ConfigurationError:
        if model:
            raise
    return WalkSettings(target=target, count_tokens=count_tokens, coverage_floor=floor)


def _most_common(names: Iterable[str]) -> str:
    return Counter(names).most_common(1)[0][0]
