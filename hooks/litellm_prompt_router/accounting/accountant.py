"""The price of each answered call by our own arithmetic, and what the version that wasn't sent would have cost.

Three cases, told apart by a record's ``outcome``, ``mode`` and method:

- rewritten, or only marked: the counterfactual is the request as it came, by the model of the provider's cache. What
  the client, or LiteLLM's own settings, would have cached is part of it and no credit of ours.
- shadow: the bill is for the request as it came; the counterfactual is the rewritten one. The net figure is then what
  rewriting *would have* saved: the bill less the counterfactual.
- nothing changed, or LiteLLM's own cache answered: nothing was saved, exactly.

Every call feeds the counterfactual caches, rewritten or not, because it would have come anyway. The answer is taken to
be the same. The provider's own count of tokens is taken for what was sent, and what was never sent is
estimated from it (``block_sizes``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from operator import attrgetter
from typing import Any, Literal, NamedTuple

from litellm_prompt_router.accounting.bill import BillTerms, bill_terms, billed_entry, explain_difference, priced
from litellm_prompt_router.accounting.block_sizes import UNITS, BlockSizes
from litellm_prompt_router.accounting.call_blocks import CallBlocks, Translator, has_answer
from litellm_prompt_router.accounting.counterfactual import (
    CounterfactualCaches,
    Estimate,
    ObservedCall,
    SharedEntries,
    scope_in,
)
from litellm_prompt_router.accounting.foreign_usage import MORE_THAN_THE_BODY, foreign_usage, is_of_more_than
from litellm_prompt_router.accounting.in_flight import InFlightRequest, PackedRequest, Prompt
from litellm_prompt_router.accounting.kept_history import KeptHistories
from litellm_prompt_router.accounting.known_beginnings import Histories, KnownBeginnings
from litellm_prompt_router.accounting.rates import MapEntry, rates_of
from litellm_prompt_router.accounting.saving import NO_PRICE, saving
from litellm_prompt_router.cache_model import Block, DeployedModel, HostCache, cache_of
from litellm_prompt_router.cache_model.usage import Kinds, Usage, read_kinds
from litellm_prompt_router.record.record import ASSUMED, MODELLED, Record
from litellm_prompt_router.request.wire.marking import ANY_DEPLOYMENT, MarkPlan

METHOD_UNCACHED = "no cache prices"
UNCHANGED = "nothing was changed"
FROM_CACHE = "answered from the response cache"
OWN_COUNT = "the stream ended without usage, so that LiteLLM counted it"
OWN_COUNT_SHARE = 0.03
"""By how much two counts of the same texts may differ where they frame messages otherwise; other tokenizers differ by
more. Ours."""
NOT_MODELLED = "this endpoint isn't modelled"
_MARK, _TOKENS = attrgetter("mark"), attrgetter("tokens")
PromptVersion = Literal["original", "rewritten"]


@dataclass(frozen=True, kw_only=True, slots=True)
class AnsweredAttempt:
    """What accounting needs of LiteLLM's success event: the attempt that answered."""

    deployment_id: str | None
    provider: str | None
    model: str | None
    """The name that went to the provider."""
    scope: int
    """A hash of the account at the provider: its key, host and region."""
    usage: object
    """As LiteLLM reported it."""
    breakdown: Mapping[str, Any] | None
    """LiteLLM's ``cost_breakdown``."""
    first_token_seconds: float
    """From the start of the attempt."""
    usage_reason: str | None = None
    """Why the usage isn't one of the kept request's body, where that is known when it is answered."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """What LiteLLM made of the body's parameters."""
    may_be_guess: bool = False
    """True of a stream whose usage says no more than LiteLLM's own count of one that ended without usage."""
    items: tuple[str, ...] | None = None
    """The kinds of what a Responses answer consists of; None for other answers."""


class AnsweringDeployment(NamedTuple):
    """The deployment that an attempt went to. ``info``: the entry of LiteLLM's map that it is priced by."""

    model: DeployedModel
    info: MapEntry


class Accountant:
    """Completes records. Used by one thread.

    ``deployments`` and ``translator`` ask LiteLLM; ``shared`` is called for each record, as LiteLLM connects late.
    ``give_way`` is called between steps of some tenths of a millisecond, for a kept request alone.
    """

    def __init__(
        self,
        count_tokens: Callable[[str], int],
        since_seconds: float,
        *,
        deployments: Callable[[AnsweredAttempt], AnsweringDeployment],
        translator: Translator,
        shared: Callable[[], SharedEntries | None] = lambda: None,
        give_way: Callable[[], None] = lambda: None,
    ) -> None:
        self._known = KnownBeginnings()
        self._histories = Histories()
        self._tools = translator.tools
        self._call_blocks = CallBlocks(count_tokens, translator, self._known, self._histories)
        self._kept_histories = KeptHistories(self._known, self._histories, self._tools)
        self._caches = CounterfactualCaches(since_seconds)
        self._deployments = deployments
        self._sizes = BlockSizes()
        self._shared = shared
        self._give_way = give_way

    @property
    def known(self) -> KnownBeginnings:
        """What is remembered of the beginnings of histories."""
        return self._known

    def observe_anew(self, now_seconds: float) -> None:
        """Tells that calls before this moment may have gone unobserved."""
        self._caches.observe_anew(now_seconds)

    def complete(self, record: Record, answer: AnsweredAttempt, packed: PackedRequest | None) -> Record:
        """The record with its price, and with what the call would have cost otherwise.

        Without ``packed`` that is a price alone: this may run in another thread than the others'.
        """
        if packed is None:
            return self._completed(record, answer, None)
        try:
            return self._completed(record, answer, packed)
        finally:
            self._histories.clear()
            self._call_blocks.clear()

    def _completed(self, record: Record, answer: AnsweredAttempt, packed: PackedRequest | None) -> Record:
        model, info = self._deployments(answer)
        terms = bill_terms(answer.breakdown, answer.usage, info)
        kinds = read_kinds(answer.usage, record.usage)
        if record.usage is not None:
            info = billed_entry(record.billed_usd, record.usage, info, terms, answer.provider, kinds)
        record = _priced(record, answer, info, terms, kinds)
        if record.response_cached:
            return replace(record, estimated_net_saved_usd=Decimal(0), estimated_net_saved_method=FROM_CACHE)
        if record.usage is None:
            if packed is not None:
                kept = packed.unpacked(self._tools.load)
                self._observe(record, answer, kept, self._original(kept, model), model)
            return replace(record, estimated_net_saved_reason="unavailable: no usage")
        if packed is None and record.facts.is_off:
            return _unchanged(record)
        if packed is None:
            return replace(record, estimated_net_saved_reason="unavailable: the request was no longer kept")
        kept = packed.unpacked(self._tools.load)
        reason = answer.usage_reason or foreign_usage(answer.usage, (kept.original, answer.parameters), answer.items)
        answer = replace(answer, usage_reason=reason)
        original = self._original(kept, model)
        blocks = None if isinstance(original, NoEstimateError) else original
        if answer.may_be_guess and self._is_own_count(record.usage, kept, original, answer, model):
            record, answer = replace(record, usage_reason=OWN_COUNT), replace(answer, usage_reason=OWN_COUNT)
        self._give_way()
        history = self._kept_histories.state_of(kept, record.facts.key_scope, blocks)
        self._give_way()
        try:
            estimate, method = self._estimate(record, answer, kept, original, model, info, terms)
        except NoEstimateError as error:
            if kept.rewritten is None:
                return _unchanged(record, history=history)
            return replace(record, history=history, estimated_net_saved_reason=f"unavailable: {error.reason}")
        if kept.rewritten is None:
            return _unchanged(record, history=history)
        assert record.usage is not None
        saved = saving(
            usage=record.usage,
            billed_usd=record.billed_usd,
            priced_usd=record.priced_usd,
            provider=answer.provider,
            is_sent=kept.is_sent,
            estimate=estimate,
            method=method,
            info=info,
            terms=terms,
            kinds=kinds,
        )
        return replace(record, history=history, **saved)

    def _estimate(
        self,
        record: Record,
        answer: AnsweredAttempt,
        kept: InFlightRequest,
        original: Sequence[Block] | NoEstimateError,
        model: DeployedModel,
        info: MapEntry,
        terms: BillTerms,
    ) -> tuple[Usage, str]:
        """``(input buckets of the request that wasn't sent, method)``; in shadow that is the rewritten one.

        Raises NoEstimateError with the reason where there is no estimate.
        """
        usage = record.usage
        if usage is None or not self._call_blocks.can_read(kept.endpoint):
            raise NoEstimateError(NOT_MODELLED)
        if isinstance(original, NoEstimateError):
            raise original
        if answer.usage_reason is not None:
            self._observe(record, answer, kept, original, model)
            raise NoEstimateError(answer.usage_reason)
        rewritten = (
            None if kept.rewritten is None else self._blocks(kept, kept.rewritten, model, _mark_plan(kept, answer))
        )
        self._give_way()
        sent, unsent = (rewritten, original) if rewritten is not None and kept.is_sent else (original, rewritten)
        counted = sum(map(_TOKENS, sent))
        if not counted or not usage.input_tokens:
            raise NoEstimateError("no input to compare by")
        if is_of_more_than(counted, usage.input_tokens):
            self._observe(record, answer, kept, original, model)
            raise NoEstimateError(MORE_THAN_THE_BODY)
        cache = cache_of(model, is_marked=_is_marked(sent))
        is_cache_irrelevant = cache.basis == "assumed" and _caching_saves_nothing(info, terms, usage, model)
        key = ((answer.scope, model.name), record.facts.profile)
        sizes, unsent_sizes = self._sizes.sizes_of(
            key, sent, unsent, None if is_cache_irrelevant else cache.rules, usage
        )
        self._give_way()
        if is_cache_irrelevant:
            tokens = sum(sizes if unsent_sizes is None else unsent_sizes)
            return _uncached_usage(round(tokens / UNITS)), METHOD_UNCACHED
        is_original_sent = unsent is None or not kept.is_sent
        original_sizes, rewritten_sizes = (sizes, unsent_sizes) if is_original_sent else (unsent_sizes, sizes)

        shared = self._shared()
        call = partial(self._observed_call, record, answer, kept, model)
        estimate: Estimate = self._caches.account(call("original", kept.original, original, original_sizes), shared)
        if rewritten is not None and not kept.is_sent and kept.rewritten is not None:
            estimate = self._caches.account(call("rewritten", kept.rewritten, rewritten, rewritten_sizes), shared)
        if not estimate.is_known:
            raise NoEstimateError("what was cached before the start isn't known")
        estimated = original if rewritten is None or kept.is_sent else rewritten
        its_cache = cache_of(model, is_marked=_is_marked(estimated))
        return estimate.usage, method_of(its_cache, is_shared=shared is not None)

    def _is_own_count(
        self,
        usage: Usage,
        kept: InFlightRequest,
        original: Sequence[Block] | NoEstimateError,
        answer: AnsweredAttempt,
        model: DeployedModel,
    ) -> bool:
        """True where the input is what a count of the texts gives, with the tools or without, as LiteLLM counts."""
        if not self._call_blocks.can_read(kept.endpoint):
            return False
        try:
            sent = original
            if kept.is_sent and kept.rewritten is not None:
                sent = self._blocks(kept, kept.rewritten, model, _mark_plan(kept, answer))
        except NoEstimateError:
            return False
        if isinstance(sent, NoEstimateError):
            return False
        whole, tools = sum(map(_TOKENS, sent)), sum(block.tokens for block in sent if block.section == "tools")
        return any(abs(usage.input_tokens - ours) <= OWN_COUNT_SHARE * ours for ours in (whole, whole - tools))

    def _observe(
        self,
        record: Record,
        answer: AnsweredAttempt,
        kept: InFlightRequest,
        original: Sequence[Block] | NoEstimateError,
        model: DeployedModel,
    ) -> None:
        """Puts a call into the modelled caches of whose usage nothing can be taken: providers cached it all the same.

        What its blocks are taken to weigh is what others' were measured at; nothing is measured by it.
        """
        if isinstance(original, NoEstimateError):
            return
        key, shared = ((answer.scope, model.name), record.facts.profile), self._shared()
        call = partial(self._observed_call, record, answer, kept, model)
        self._caches.account(call("original", kept.original, original, self._sizes.unmeasured(key, original)), shared)
        if kept.rewritten is not None and not kept.is_sent:
            blocks = self._blocks(kept, kept.rewritten, model, _mark_plan(kept, answer))
            self._caches.account(call("rewritten", kept.rewritten, blocks, self._sizes.unmeasured(key, blocks)), shared)

    def _observed_call(
        self,
        record: Record,
        answer: AnsweredAttempt,
        kept: InFlightRequest,
        model: DeployedModel,
        version: PromptVersion,
        prompt: Prompt,
        blocks: Any,
        sizes: Any,
    ) -> ObservedCall:
        its_cache = cache_of(model, is_marked=_is_marked(blocks))
        cache_key = prompt.get("prompt_cache_key") if model.is_openai else None
        return ObservedCall(
            scope=scope_in(answer.scope, version, model.name, cache_key, its_cache.host),
            rules=its_cache.rules if version == "original" else its_cache.unsent_rules,
            blocks=blocks,
            sizes=sizes,
            started_seconds=record.facts.caller.started_seconds,
            first_token_seconds=answer.first_token_seconds,
            scale=1 / UNITS,
            continues=has_answer(prompt),
            unobserved_until=kept.unobserved_until,
        )

    def _original(self, kept: InFlightRequest, model: DeployedModel) -> Sequence[Block] | NoEstimateError:
        """The blocks of the request as it came, or why there are none."""
        if not self._call_blocks.can_read(kept.endpoint):
            return NoEstimateError(NOT_MODELLED)
        try:
            return self._blocks(kept, kept.original, model)
        except NoEstimateError as error:
            return error

    def _blocks(
        self, kept: InFlightRequest, prompt: Prompt, model: DeployedModel, plan: MarkPlan | None = None
    ) -> Sequence[Block]:
        try:
            return self._call_blocks.blocks(kept.endpoint, prompt, model, plan)
        except ValueError as error:
            raise NoEstimateError(str(error)) from error


def _is_marked(blocks: Any) -> bool:
    return any(map(_MARK, blocks))


def method_of(cache: HostCache, *, is_shared: bool) -> str:
    """What a record says of its estimate: *modelled* by rules that the provider publishes, or *assumed*."""
    label = MODELLED if cache.basis == "documented" else ASSUMED
    observed = "all replicas'" if is_shared else "this process's"
    return f"{label}: cache model 2, {observed} calls"


class NoEstimateError(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _priced(record: Record, answer: AnsweredAttempt, info: MapEntry, terms: BillTerms, kinds: Kinds) -> Record:
    """The record with our own price, and with no bill of 0 where there is no price to bill by."""
    found: dict[str, Any] = {"deployment_id": answer.deployment_id, "service_tier": terms.service_tier}
    if record.response_cached:
        return replace(record, **found, priced_usd=Decimal(0), priced_reason=None)
    if record.usage is None:
        return replace(record, **found, priced_reason=record.usage_reason)
    ours = priced(record.usage, info, terms, answer.provider, kinds)
    if ours is None:
        if not record.billed_usd:
            found |= {"billed_usd": None, "billed_reason": NO_PRICE}
        return replace(record, **found, priced_reason=NO_PRICE)
    why = None if record.billed_usd is None else explain_difference(record.billed_usd, ours, terms, info)
    return replace(record, **found, priced_usd=ours, priced_reason=why)


def _unchanged(record: Record, **found: Any) -> Record:
    """A request that we didn't change would have cost what it did, whatever that was. ``found``: other fields."""
    return replace(
        record,
        **found,
        counterfactual=record.usage,
        counterfactual_usd=record.billed_usd,
        estimated_net_saved_usd=Decimal(0),
        estimated_net_saved_method=UNCHANGED,
    )


def _mark_plan(kept: InFlightRequest, answer: AnsweredAttempt) -> MarkPlan | None:
    """How the request was marked for the deployment that answered; None where it wasn't."""
    marking = kept.marking
    number = (
        marking.plan_of.get(str(answer.deployment_id), marking.plan_of.get(ANY_DEPLOYMENT))
        if marking is not None
        else None
    )
    return None if marking is None or number is None else marking.plans[number]


def _caching_saves_nothing(info: MapEntry, terms: BillTerms, usage: Usage, model: DeployedModel) -> bool:
    """True where cached and written tokens cost what others do."""
    rates = rates_of(info, usage.input_tokens, service_tier=terms.service_tier, provider=model.provider)
    return rates is not None and rates.read == rates.write_5m == rates.uncached


def _uncached_usage(tokens: int) -> Usage:
    return Usage(
        uncached_input_tokens=tokens,
        cache_read_tokens=0,
        cache_write_5m_tokens=0,
        cache_write_1h_tokens=0,
        output_tokens=0,
    )
