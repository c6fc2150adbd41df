"""One answered call after the other: its price by our own arithmetic, and what it would have cost as it came.

Three cases, and which one a record shows is told by its ``outcome``, ``mode`` and method:

- rewritten, or only marked: the counterfactual is the request as it came, by the model of the provider's cache. What
  the client, or LiteLLM's own settings, would have cached is part of it and no credit of ours.
- shadow: the bill is for the request as it came; the counterfactual is the rewritten one. The net figure is then what
  rewriting *would have* saved: the bill less the counterfactual.
- nothing changed, or LiteLLM's own cache answered: nothing was saved, exactly.

All traffic feeds the baseline, rewritten or not: it is the traffic that there would have been. The answer is taken to
be the same. The provider counts tokens its own way: what it counted is taken as it is, and what was never sent is
estimated by it (``sizes``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from litellm_prompt_router.accounting.bill import BillTerms, bill_terms, difference, priced
from litellm_prompt_router.accounting.block_sizes import UNITS, BlockSizes
from litellm_prompt_router.accounting.call_blocks import CallBlocks, Translator, has_answer
from litellm_prompt_router.accounting.counterfactual import (
    CounterfactualCaches,
    Estimate,
    ObservedCall,
    SharedEntries,
    scope_in,
)
from litellm_prompt_router.accounting.in_flight import InFlightRequest, PackedRequest, Prompt
from litellm_prompt_router.accounting.rates import Info, rates_of
from litellm_prompt_router.cache_model import DeployedModel, MarkedPrefixes, rules_of
from litellm_prompt_router.cache_model.usage import Kinds, Usage, read_kinds
from litellm_prompt_router.record.record import Record
from litellm_prompt_router.request.wire.marking import ANY_DEPLOYMENT, MarkPlan

METHOD = "cache model 1, this process's calls"
METHOD_SHARED = "cache model 1, all replicas' calls"
METHOD_UNCACHED = "no cache prices"
UNCHANGED = "nothing was changed"
FROM_CACHE = "answered from the response cache"
NO_PRICE = "unavailable: no price"
World = Literal["original", "rewritten"]


@dataclass(frozen=True, kw_only=True, slots=True)
class AnsweredAttempt:
    """What LiteLLM's success event says of the attempt that answered, as far as accounting needs it."""

    deployment_id: str | None
    provider: str | None
    model: str | None
    """As the provider knows it."""
    scope: int
    """Of the account at the provider: its key, host and region, hashed."""
    usage: object
    """As LiteLLM reported it."""
    breakdown: Mapping[str, Any] | None
    first_token_seconds: float


class AnsweringDeployment(NamedTuple):
    """The deployment that an attempt went to. ``info``: the entry of LiteLLM's map that it is priced by."""

    model: DeployedModel
    info: Info


class Accountant:
    """Completes records. Used by one thread; ``shared`` is asked for at every call, as LiteLLM connects late."""

    def __init__(
        self,
        count_tokens: Callable[[str], int],
        since_seconds: float,
        *,
        deployments: Callable[[AnsweredAttempt], AnsweringDeployment],
        translator: Translator,
        shared: Callable[[], SharedEntries | None] = lambda: None,
    ) -> None:
        self._bodies = CallBlocks(count_tokens, translator)
        self._caches = CounterfactualCaches(since_seconds)
        self._deployments = deployments
        self._sizes = BlockSizes()
        self._shared = shared

    def observe_anew(self, now_seconds: float) -> None:
        """Tells that calls before this moment may have gone unobserved."""
        self._caches.observe_anew(now_seconds)

    def complete(self, record: Record, answer: AnsweredAttempt, packed: PackedRequest | None) -> Record:
        """The record with its price, and with what the call would have cost otherwise."""
        model, info = self._deployments(answer)
        basis = bill_terms(answer.breakdown, answer.usage, info)
        record = _priced(record, answer, info, basis)
        if record.response_cached:
            return replace(record, estimated_net_saved_usd=Decimal(0), estimated_net_saved_method=FROM_CACHE)
        if record.usage is None:
            return replace(record, estimated_net_saved_reason="unavailable: no usage")
        if packed is None:
            return replace(record, estimated_net_saved_reason="unavailable: the request was no longer kept")
        kept = packed.opened()
        try:
            estimate, method = self._estimate(record, answer, kept, model, info, basis)
        except _UnavailableError as error:
            if kept.other is None:
                return _unchanged(record)
            return replace(record, estimated_net_saved_reason=f"unavailable: {error.reason}")
        if kept.other is None:
            return _unchanged(record)
        return _with(record, answer, kept, estimate, method, info, basis)

    def _estimate(
        self,
        record: Record,
        answer: AnsweredAttempt,
        kept: InFlightRequest,
        model: DeployedModel,
        info: Info,
        basis: BillTerms,
    ) -> tuple[Usage, str]:
        """The input buckets of what wasn't sent. Raises _UnavailableError with the reason why not."""
        usage = record.usage
        if usage is None or not self._bodies.can_read(kept.endpoint):
            raise _UnavailableError("this endpoint isn't modelled")
        rules = rules_of(model)
        is_cached_free = rules is None and _caches_for_nothing(info, basis, usage, model)
        if rules is None and not is_cached_free:
            raise _UnavailableError(f"no model of how {answer.provider or 'the provider'} caches")
        original = self._blocks(kept, kept.original, model)
        other = None if kept.other is None else self._blocks(kept, kept.other, model, _plan(kept, answer))
        sent, unsent = (other, original) if other is not None and kept.is_sent else (original, other)
        if not sum(block.tokens for block in sent) or not usage.input_tokens:
            raise _UnavailableError("no input to compare by")
        name = ((answer.scope, model.name), record.facts.profile)
        sent, unsent = self._sizes.sized(name, sent, unsent, rules, usage)
        if rules is None:
            tokens = sum(block.tokens for block in (sent if unsent is None else unsent))
            return _uncached(round(tokens / UNITS)), METHOD_UNCACHED
        original, other = (unsent, sent) if unsent is not None and kept.is_sent else (sent, unsent)

        def call(world: World, prompt: Prompt, blocks: Any) -> ObservedCall:
            key = None if isinstance(rules, MarkedPrefixes) else prompt.get("prompt_cache_key")
            return ObservedCall(
                scope=scope_in(answer.scope, world, model.name, key),
                rules=rules,
                blocks=blocks,
                started_seconds=record.facts.caller.started_seconds,
                first_token_seconds=answer.first_token_seconds,
                scale=1 / UNITS,
                continues=has_answer(prompt),
            )

        shared = self._shared()
        estimate: Estimate = self._caches.account(call("original", kept.original, original), shared)
        if other is not None and not kept.is_sent and kept.other is not None:
            estimate = self._caches.account(call("rewritten", kept.other, other), shared)
        if not estimate.is_known:
            raise _UnavailableError("what was cached before the start isn't known")
        return estimate.usage, METHOD if shared is None else METHOD_SHARED

    def _blocks(self, kept: InFlightRequest, prompt: Prompt, model: DeployedModel, plan: MarkPlan | None = None) -> Any:
        try:
            return self._bodies.blocks(kept.endpoint, prompt, model, plan)
        except ValueError as error:
            raise _UnavailableError(str(error)) from error


class _UnavailableError(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _priced(record: Record, answer: AnsweredAttempt, info: Info, basis: BillTerms) -> Record:
    """The record with our own price, and with no bill of 0 where there is no price to bill by."""
    record = replace(record, deployment_id=answer.deployment_id, service_tier=basis.service_tier)
    if record.response_cached:
        return replace(record, priced_usd=Decimal(0), priced_reason=None)
    if record.usage is None:
        return replace(record, priced_reason=record.usage_reason)
    ours = priced(record.usage, info, basis, answer.provider, read_kinds(answer.usage))
    if ours is None:
        if not record.billed_usd:
            record = replace(record, billed_usd=None, billed_reason=NO_PRICE)
        return replace(record, priced_reason=NO_PRICE)
    why = None if record.billed_usd is None else difference(record.billed_usd, ours, basis, info)
    return replace(record, priced_usd=ours, priced_reason=why)


def _with(
    record: Record,
    answer: AnsweredAttempt,
    kept: InFlightRequest,
    estimate: Usage,
    method: str,
    info: Info,
    basis: BillTerms,
) -> Record:
    assert record.usage is not None
    counterfactual = replace(estimate, output_tokens=record.usage.output_tokens)
    record = replace(record, counterfactual=counterfactual)
    kinds = _fitting(read_kinds(answer.usage), counterfactual)
    cost = priced(counterfactual, info, basis, answer.provider, kinds)
    if cost is None or record.billed_usd is None or record.priced_usd is None:
        return replace(record, estimated_net_saved_reason=NO_PRICE)
    # What LiteLLM billed beyond our own arithmetic, it would have billed for the other request, too.
    cost = (cost + record.billed_usd - record.priced_usd).normalize()
    saved = cost - record.billed_usd
    return replace(
        record,
        counterfactual_usd=cost,
        estimated_net_saved_usd=saved if kept.is_sent else -saved,
        estimated_net_saved_method=method,
    )


def _fitting(kinds: Kinds, usage: Usage) -> Kinds:
    """The same audio and images, if what isn't cached has room for them; where they are cached isn't modelled."""
    media = kinds.audio_input_tokens + kinds.image_input_tokens + kinds.video_input_tokens
    if media <= usage.uncached_input_tokens and kinds.cached_audio_tokens <= usage.cache_read_tokens:
        return kinds
    return replace(kinds, audio_input_tokens=0, image_input_tokens=0, video_input_tokens=0, cached_audio_tokens=0)


def _unchanged(record: Record) -> Record:
    """What would have happened without us is what happened, whatever it cost."""
    return replace(
        record,
        counterfactual=record.usage,
        counterfactual_usd=record.billed_usd,
        estimated_net_saved_usd=Decimal(0),
        estimated_net_saved_method=UNCHANGED,
    )


def _plan(kept: InFlightRequest, answer: AnsweredAttempt) -> MarkPlan | None:
    """How the request was marked for the deployment that answered."""
    marking = kept.marking
    number = (
        marking.plan_of.get(str(answer.deployment_id), marking.plan_of.get(ANY_DEPLOYMENT))
        if marking is not None
        else None
    )
    return None if marking is None or number is None else marking.plans[number]


def _caches_for_nothing(info: Info, basis: BillTerms, usage: Usage, model: DeployedModel) -> bool:
    """True where cached tokens cost what others do, so that it doesn't matter what is cached."""
    rates = rates_of(info, usage.input_tokens, service_tier=basis.service_tier, provider=model.provider)
    return rates is not None and rates.read == rates.write_5m == rates.uncached


def _uncached(tokens: int) -> Usage:
    return Usage(
        uncached_input_tokens=tokens,
        cache_read_tokens=0,
        cache_write_5m_tokens=0,
        cache_write_1h_tokens=0,
        output_tokens=0,
    )
