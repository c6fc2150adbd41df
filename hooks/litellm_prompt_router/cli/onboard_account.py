"""What `onboard` accounts by, and what it rewrites with where nothing can be accounted."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from litellm_prompt_router.analysis.simulate import RecordedCall
from litellm_prompt_router.cli.model_accounts import Account, account_for
from litellm_prompt_router.cli.proxy_config import read_document
from litellm_prompt_router.documents.bundled import default_config
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.plurals import many
from litellm_prompt_router.onboarding.replayed_costs import Tariff, WalkSettings
from litellm_prompt_router.request.types import UNKNOWN_TARGET


def account_of(calls: Sequence[RecordedCall], model: str | None, stated_prices: str | None) -> Account:
    """By the model asked for, else the one that most calls name, or what they say of who answered."""
    named = model or most_named(calls)
    answers = () if model else (call.response or {} for call in calls)
    known = priced_name(named, [str(answer["model"]) for answer in answers if answer.get("model")])
    return account_for(known, stated_prices, _most_common(call.endpoint for call in calls))


def account_or_unpriced(
    calls: Sequence[RecordedCall], model: str | None, stated_prices: str | None
) -> tuple[Account | None, str | None]:
    """What calls are accounted by, or the model that nobody has prices for. Raises for one that was asked for."""
    if not calls:
        return None, None
    try:
        return account_of(calls, model, stated_prices), None
    except ConfigurationError:
        if model is not None or stated_prices is not None:
            raise
    return None, most_named(calls)


def too_short(tokens: int, where: str, account: Account) -> str | None:
    """The verdict on a prompt that the provider wouldn't cache: nothing to win, nothing to do. None for a longer."""
    least = account.target.min_cache_tokens
    if tokens >= least:
        return None
    sentence = (
        f"Not worth it: the prompt in {where} has {many(tokens, 'token')}, less than {account.model} caches"
        f" ({least:,}), so that hardly anything could be saved. Nothing was drafted."
    )
    if Path(where).suffix.startswith(".json"):
        sentence += " No line of the file is JSON, so it was taken for a prompt."
    return sentence


def most_named(calls: Sequence[RecordedCall]) -> str:
    """The model that most of the calls name, as their client does."""
    return _most_common(str(call.request.get("model")) for call in calls)


def priced_name(name: str, answered: Sequence[str] = ()) -> str:
    """LiteLLM's name of the model: this one, what the proxy's configuration deploys by it, or what answered.

    ``name`` itself where LiteLLM has prices for none of them.
    """
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    from litellm_prompt_router.gateway.deployments.map_prices import prices_of_model

    candidates = (name, *_deployed_as(name), *(each for each, _ in Counter(answered).most_common()))
    return next((each for each in candidates if prices_of_model(each) is not None), name)


def _deployed_as(group: str) -> Iterator[str]:
    """The models of the group in the proxy's configuration that commands find; none where it can't be read."""
    try:
        entries = read_document(default_config()).get("model_list")
    except ConfigurationError:
        return
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict) or entry.get("model_name") != group:
            continue
        for section, field in (("model_info", "base_model"), ("litellm_params", "model")):
            values = entry.get(section)
            if isinstance(values, dict) and isinstance(values.get(field), str):
                yield values[field]


def options_of(
    calls: Sequence[RecordedCall], account: Account | None, model: str | None, stated_prices: str | None
) -> tuple[str, ...]:
    """What `simulate` has to be told to account as we do."""
    named = {str(call.request.get("model")) for call in calls}
    is_told = model is not None or (account is not None and named != {account.model})
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
