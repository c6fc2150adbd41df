"""Facts -> LiteLLM's own request metadata: spend logs, Cost Optimization page, cache credit.

LiteLLM reads its metadata bag in place, so it is changed in place. Three of the keys decide what LiteLLM's
pages credit to the gateway; a client can send them too, so what arrived under them is always dropped.

Twice something is left there: when the request leaves (``write_facts``), so that a failed one has its summary too, and
when the answer is known (``write_summary``), ahead of every logger and so of LiteLLM's own writer of spend logs. The
facts themselves stay here: under our own key there is a seal, by which our later hooks find them (``facts_in_flight``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from operator import itemgetter
from typing import Any, Literal, NamedTuple

from litellm_prompt_router.gateway.deployments.groups import models_of_list
from litellm_prompt_router.gateway.facts_in_flight import BodyThatLeft, FactsInFlight, LeftRequest, SideBySide
from litellm_prompt_router.record.ledger_schema import LEDGER_FIELDS
from litellm_prompt_router.record.record import Facts, Record
from litellm_prompt_router.record.request_facts import FACT_LINE_NAMES, told_modules
from litellm_prompt_router.request.types import Evidence
from litellm_prompt_router.request.wire.marking import Marking, MarkPlan

BAG_KEYS = ("litellm_metadata", "metadata")
"""Where LiteLLM keeps a request's own metadata, the first one present (litellm_pre_call_utils.py, 1.106)."""
OWN_KEY = "prompt_router"
SEAL = "seal"
COMPRESSION_KEY = "compression_savings"
INJECTED_KEY = "litellm_gateway_injected_cache"
EVERY_DEPLOYMENT = ""
"""LiteLLM's value for marks that every attempt's payload carries (anthropic_cache_control_hook.py, 1.106)."""

_LEFT = FactsInFlight()
"""Of this process, where a request ends that began here."""

CostPage = Literal["net", "raw", "off"]
MAX_NAMES = 100
MAX_TEXT_CHARS = 200
MODULES = "modules"


def bag_of(data: Mapping[str, Any]) -> dict[str, Any] | None:
    """LiteLLM's metadata bag of a request; None when it has none. Mutable: LiteLLM reads it in place."""
    return next((bag for key in BAG_KEYS if isinstance(bag := data.get(key), dict)), None)


def drop_reserved_keys(bag: dict[str, Any]) -> None:
    """Drops what only the gateway may say."""
    for key in (OWN_KEY, COMPRESSION_KEY, INJECTED_KEY):
        bag.pop(key, None)
    spend_logs = bag.get("spend_logs_metadata")
    if isinstance(spend_logs, dict) and OWN_KEY in spend_logs:
        bag["spend_logs_metadata"] = {key: value for key, value in spend_logs.items() if key != OWN_KEY}


def write_facts(
    bag: dict[str, Any], facts: Facts, marking: Marking | None = None, body: BodyThatLeft | None = None
) -> None:
    """Leaves the facts for our own later hooks, a summary for spend logs and LiteLLM's own savings fields.

    ``marking`` is for the deployment hook, where no one body does for all deployments; ``body`` is what its attempts
    are compared with.
    """
    models = models_of_list(facts.caller.model_group or "", facts.caller.endpoint)
    beside = SideBySide(facts.caller.request_id) if len(models) > 1 else None
    left = LeftRequest(facts, marking if facts.is_rewritten else None, beside=beside)
    bag[OWN_KEY] = {"request_id": facts.caller.request_id, SEAL: _LEFT.put(left, body)}
    spend_logs = bag.get("spend_logs_metadata")
    bag["spend_logs_metadata"] = {
        **(spend_logs if isinstance(spend_logs, dict) else {}),
        OWN_KEY: _summary(facts),
    }
    if facts.sends_added_marks:
        bag[INJECTED_KEY] = EVERY_DEPLOYMENT


def write_summary(
    bag: dict[str, Any], record: Record, input_usd_per_token: Callable[[], Decimal | None], page: CostPage
) -> None:
    """Puts the whole record's summary there, and makes the claim for the Cost Optimization page.

    The page multiplies a number of tokens by ``input_usd_per_token``, whatever caches did. ``net`` gives it the
    number that comes out at our net figure, to half a token, where that is positive, and none elsewhere; ``raw``
    the removed tokens. An answer from LiteLLM's own response cache claims nothing: nothing was sent at all. May be
    called again when more is known. The price is looked up where it is needed.
    """
    bag.pop(COMPRESSION_KEY, None)
    if record.response_cached:
        bag.pop(INJECTED_KEY, None)
    spend_logs = bag.get("spend_logs_metadata")
    spend_logs = spend_logs if isinstance(spend_logs, dict) else {}
    bag["spend_logs_metadata"] = {**spend_logs, OWN_KEY: _summary(record)}
    saved_tokens = 0 if record.response_cached else _claimed_tokens(record, input_usd_per_token, page)
    if saved_tokens > 0:
        before = record.facts.original_tokens or saved_tokens
        bag[COMPRESSION_KEY] = {
            "tokens_before": before,
            "tokens_after": max(0, before - saved_tokens),
            "tokens_saved": saved_tokens,
            "source": "compression_interception",
        }


def copy_to_log_payload(kwargs: Mapping[str, Any], bag: Mapping[str, Any]) -> None:
    """Puts the settled summary into LiteLLM's standard logging payload, made ahead of us and read by other loggers."""
    payload = kwargs.get("standard_logging_object")
    metadata = payload.get("metadata") if isinstance(payload, dict) else None
    if isinstance(metadata, dict):
        metadata["spend_logs_metadata"] = bag["spend_logs_metadata"]


def bag_with_facts(data: Mapping[str, Any]) -> dict[str, Any] | None:
    """The bag that ``write_facts`` left facts in; None when there is none.

    A client may send the same key, in the same bag or in metadata of its own, and LiteLLM calls hooks for requests
    that never came to ``drop_reserved_keys``: those that it refuses at once. Hence the seal. LiteLLM logs Gemini's
    calls with an empty bag ahead of theirs.
    """
    bags = [data.get(key) for key in BAG_KEYS]
    return next((bag for bag in bags if isinstance(bag, dict) and left_in(bag) is not None), None)


def left_in(bag: Mapping[str, Any]) -> LeftRequest | None:
    """What ``write_facts`` was given; None where it left nothing in this bag, or too long ago."""
    return _LEFT.get(_seal_in(bag))


def left_at(seal: str) -> LeftRequest | None:
    """The same by its seal."""
    return _LEFT.get(seal)


def left_of_request(data: Mapping[str, Any]) -> LeftRequest | None:
    """What ``write_facts`` was given, in a request's bag; None where it left nothing."""
    return next((left for key in BAG_KEYS if isinstance(bag := data.get(key), dict) and (left := left_in(bag))), None)


def facts_of_request(data: Mapping[str, Any]) -> Facts | None:
    """The facts that ``write_facts`` left in a request's bag; None when there are none."""
    for key in BAG_KEYS:
        bag = data.get(key)
        left = left_in(bag) if isinstance(bag, dict) else None
        if left is not None:
            return left.facts
    return None


def in_flight() -> int:
    """Requests whose records aren't out yet."""
    return len(_LEFT)


def put_out() -> int:
    """Requests of this process whose facts went before their end was told."""
    return _LEFT.put_out


def finish(data: Mapping[str, Any]) -> None:
    """Tells that a request's record is out."""
    for key in BAG_KEYS:
        bag = data.get(key)
        if isinstance(bag, dict):
            _LEFT.finish(_seal_in(bag))


def remove_facts(data: Mapping[str, Any]) -> None:
    """Removes what ``write_facts`` left, after a fault: nothing is marked in, claimed for or told of the request."""
    bag = bag_with_facts(data)
    if bag is not None:
        _LEFT.forget(_seal_in(bag))
        drop_reserved_keys(bag)


def _seal_in(bag: Mapping[str, Any]) -> object:
    stamped = bag.get(OWN_KEY)
    return stamped.get(SEAL) if isinstance(stamped, dict) else None


def deployment_in(bag: dict[str, Any]) -> str | None:
    """The deployment that answered, as LiteLLM's router left it."""
    info = bag.get("model_info")
    own_id = info.get("id") if isinstance(info, dict) else None
    return own_id if isinstance(own_id, str) else None


def seal_in(bag: Mapping[str, Any]) -> str | None:
    """The seal of the request whose facts are in the bag; None where there are none."""
    seal = _seal_in(bag)
    return seal if isinstance(seal, str) and _LEFT.get(seal) is not None else None


class FoundRequest(NamedTuple):
    """What ``write_facts`` left of the request that an attempt is of, and the bag where its seal is."""

    name: str
    bag: dict[str, Any]
    seal: str
    left: LeftRequest


def find(kwargs: Mapping[str, Any]) -> FoundRequest | None:
    """The request that these parameters are of; None where nothing is known of it."""
    for name in BAG_KEYS:
        bag = kwargs.get(name)
        if isinstance(bag, dict):
            seal = _seal_in(bag)
            left = _LEFT.get(seal)
            if left is not None and isinstance(seal, str):
                return FoundRequest(name, bag, seal, left)
    return None


def body_that_left(seal: str) -> BodyThatLeft | None:
    """What left of a request in flight; None where that isn't known any more."""
    return _LEFT.body(seal)


def update_attempt(seal: str, left: LeftRequest) -> None:
    """Says what this attempt carries. Attempts share the bag: the one that answers comes last."""
    _LEFT.replace(seal, left)


def part_attempt(bag: Mapping[str, Any], left: LeftRequest, body: BodyThatLeft) -> tuple[dict[str, Any], str]:
    """A bag of its own, with a seal of its own, for a call that goes out beside others of its request."""
    seal = _LEFT.put(left, body)
    return {**bag, OWN_KEY: {"request_id": left.facts.caller.request_id, SEAL: seal}}, seal


def say_injected(bag: dict[str, Any], deployment_id: str | None) -> None:
    """Tells LiteLLM whose payload has marks of ours; None: that of no attempt so far has."""
    bag.pop(INJECTED_KEY, None)
    if deployment_id is not None:
        bag[INJECTED_KEY] = deployment_id


def forget(seal: str) -> None:
    """Forgets a call that went out beside others and failed."""
    _LEFT.forget(seal)


def finish_attempt(seal: str) -> None:
    """Tells that the record of a call is out that went out beside others."""
    _LEFT.finish(seal)


def marking_in(bag: Mapping[str, Any], endpoint: object) -> Marking | None:
    """The marking that ``write_facts`` left for bodies of this endpoint; None when there is none."""
    left = left_in(bag)
    if left is None or left.marking is None:
        return None
    own, plans = left.facts.caller.endpoint, left.marking.plans
    plan_of = {
        key: number for key, number in left.marking.plan_of.items() if (plans[number].endpoint or own) == endpoint
    }
    return Marking(plan_of=plan_of, plans=plans) if plan_of else None


def update_marks(bag: dict[str, Any], deployment_id: str, plan: MarkPlan) -> None:
    """Says of this attempt what its deployment gets. Attempts share the bag: the one that answers comes last."""
    left, seal = left_in(bag), _seal_in(bag)
    if left is not None and isinstance(seal, str):
        facts = replace(left.facts, breakpoints_added=plan.added, breakpoints_total=plan.total)
        _LEFT.replace(seal, left._replace(facts=facts))
    if plan.added:
        # By deployment, so that an attempt without marks is credited with none.
        bag[INJECTED_KEY] = deployment_id


def _claimed_tokens(record: Record, input_usd_per_token: Callable[[], Decimal | None], page: CostPage) -> int:
    if page == "raw":
        return record.facts.removed_tokens
    net = record.net_saved_usd
    if page == "off" or net is None or net <= 0:  # no claim; looking a price up takes LiteLLM its time
        return 0
    price = input_usd_per_token()
    return round(net / price) if price else 0


def _summary(told: Facts | Record) -> dict[str, Any]:
    """What spend logs get of a ledger line, or of the beginning of one: plain JSON of bounded size."""
    facts, fields = (told.facts, _SUMMARY_OF_RECORD) if isinstance(told, Record) else (told, _SUMMARY_OF_FACTS)
    summary = dict(zip(fields.names, fields.of(told.line_with(None)), strict=True))
    for name in fields.variable:
        value = summary[name]
        if value is not None and (type(value) is not str or len(value) > MAX_TEXT_CHARS):
            summary[name] = _bounded(value)
    summary[MODULES] = [{**each} for each in _bounded_modules(facts.modules)]  # LiteLLM may do with it what it likes
    return summary


class _SummaryFields(NamedTuple):
    """In the order of a ledger line. ``variable``: of these, what may be long; ``of`` picks them from a line."""

    names: tuple[str, ...]
    variable: tuple[str, ...]
    of: Callable[[dict[str, Any]], tuple[Any, ...]]


def _summary_fields(known: Collection[str]) -> _SummaryFields:
    told = [each for each in LEDGER_FIELDS if each.in_summary and each.name in known]
    names = tuple(each.name for each in told)
    variable = tuple(each.name for each in told if each.type in ("text", "texts", "money"))
    return _SummaryFields(names, variable, itemgetter(*names))


_SUMMARY_OF_RECORD = _summary_fields([each.name for each in LEDGER_FIELDS])
_SUMMARY_OF_FACTS = _summary_fields(FACT_LINE_NAMES)
"""Everything in a summary has the ledger's name and form. Key hash and user stand in LiteLLM's own columns."""


@lru_cache(maxsize=256)
def _bounded_modules(modules: tuple[Evidence, ...]) -> list[dict[str, Any]]:
    """Calls of a conversation mostly have the same."""
    bounded: list[dict[str, Any]] = _bounded(told_modules(modules))
    return bounded


_OF_BOUNDED_SIZE = frozenset({bool, int, float})


def _bounded(value: Any) -> Any:
    """Plain JSON of bounded size."""
    kind = type(value)
    if kind is str:
        return value if len(value) <= MAX_TEXT_CHARS else value[:MAX_TEXT_CHARS]
    if kind is dict:
        return {
            name: item if item is None or type(item) in _OF_BOUNDED_SIZE else _bounded(item)
            for name, item in value.items()
        }
    return [_bounded(item) for item in value[:MAX_NAMES]] if kind is list or kind is tuple else value
