"""The finished facts of one request, as every sink receives them.

``Facts`` are known when the request leaves; they travel in LiteLLM's own metadata bag as plain JSON, so that
nothing is kept per request on our side. ``Record`` adds what the response brought.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import Any, Literal

from litellm_prompt_router.cache_model.usage import Usage
from litellm_prompt_router.request.types import Evidence, Mode

OutcomeName = Literal["rewritten", "shadow", "passthrough"]
Arm = Literal["treatment", "holdout"]


SIDE_CALLS = frozenset({"unrecognised", "no_system_prompt"})
"""Reasons of requests whose system prompt is no profile's: other agents', and side calls of known ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Whose request it is, as the proxy knows it."""

    request_id: str
    """Ours and unique; LiteLLM's call id can be set by clients."""
    call_id: str | None
    started_seconds: float
    """Unix seconds."""
    endpoint: str
    stream: bool
    thread_id: str | None
    key_alias: str | None
    key_hash: str | None
    team_id: str | None
    model_group: str | None
    tool_count: int
    user_id: str | None = None
    tags: tuple[str, ...] = ()
    conversation: str | None = None
    """The same for all calls of a conversation, ``c-`` and a hash; None where the body wasn't read.

    Side calls (titles, probes, summaries by a helper) have one too, and are no conversation: ``Facts.is_conversation``.
    """


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What is known before the provider answers. Sizes are of system text; None means unknown or not applicable.

    ``original_*`` is the prompt as it came, ``prompt_*`` as it left (in shadow mode: as it would have left).
    """

    caller: Caller
    mode: Mode
    outcome: OutcomeName
    reason: str | None
    """Why a passthrough passed through."""
    profile: str | None = None
    profile_version: str | None = None
    profile_digest: str | None = None
    coverage: float | None = None
    known_lines: float | None = None
    """Of a drifted prompt: the share of the profile's lines that are still in it."""
    placement: str | None = None
    message_kind: str | None = None
    query_chars: int | None = None
    modules: tuple[Evidence, ...] = ()
    module_total: int | None = None
    is_fallback: bool = False
    fallback_reason: str | None = None
    original_chars: int | None = None
    prompt_chars: int | None = None
    residue_chars: int | None = None
    original_tokens: int | None = None
    prompt_tokens: int | None = None
    breakpoints_added: int = 0
    breakpoints_client: int = 0
    """As they came; ``breakpoints_total`` is what left."""
    breakpoints_total: int = 0
    list_price_saved_usd: str | None = None
    """Removed tokens at the plain input price, decimal text. Ignores caching, so it is no bill and no net figure."""
    list_price_saved_reason: str | None = None
    decision_us: int | None = None
    is_drift: bool = False
    absent_modules: tuple[str, ...] = ()
    """Of a drifted prompt: the profile's modules that are not in it as they were."""
    arm: Arm | None = None
    """Of the control group's experiment; None where none runs."""
    policy: str | None = None
    """What decided the mode: ``settings``, ``key metadata``, a rule of the policy file, the breaker and so on."""
    profile_changed_from: str | None = None
    """The profile's version and digest at this conversation's call before, where it is another now."""
    tools_chars: int | None = None
    """The tool schemas as JSON: what routing system text can't save."""
    history_chars: int | None = None
    """The text of the messages behind the system prompt, without the arguments of tool calls and attachments."""

    @property
    def is_conversation(self) -> bool:
        """True for a call of a recognised agent's own conversation.

        What tells a side call is its system prompt, which is no profile's, or that it has none.
        """
        return self.profile is not None and self.reason not in SIDE_CALLS

    @property
    def late_modules(self) -> tuple[str, ...]:
        return tuple(evidence.module for evidence in self.modules if evidence.late)

    def to_bag(self) -> dict[str, Any]:
        """Plain JSON types, for LiteLLM's metadata bag."""
        bag: dict[str, Any] = {name: getattr(self, name) for name in _FACT_FIELDS}
        bag["caller"] = {name: getattr(self.caller, name) for name in _CALLER_FIELDS}
        bag["modules"] = [list(evidence) for evidence in self.modules]
        return bag

    @classmethod
    def from_bag(cls, bag: Mapping[str, Any]) -> Facts:
        """The facts that ``to_bag`` wrote. Raises TypeError or KeyError on anything else."""
        modules = tuple(Evidence(*evidence) for evidence in bag["modules"])
        absent = tuple(bag["absent_modules"])
        caller = Caller(**{**bag["caller"], "tags": tuple(bag["caller"]["tags"])})
        return cls(**{**bag, "caller": caller, "modules": modules, "absent_modules": absent})


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One finished request. Unknown is None with the reason beside it, never 0."""

    facts: Facts
    finished_seconds: float
    """Unix seconds."""
    status: Literal["success", "failure"]
    error_type: str | None
    model: str | None
    """The deployment's model, as the provider knows it."""
    provider: str | None
    usage: Usage | None
    usage_reason: str | None
    billed_usd: Decimal | None
    billed_reason: str | None
    response_cached: bool
    """True when LiteLLM answered from its own response cache."""
    deployment_id: str | None = None
    service_tier: str | None = None
    priced_usd: Decimal | None = None
    """The usage at the deployment's prices by our own arithmetic, to check ``billed_usd`` with."""
    priced_reason: str | None = None
    counterfactual: Usage | None = None
    """What the same call would have used with the original prompt, by the model of the provider's cache."""
    counterfactual_usd: Decimal | None = None
    estimated_net_saved_usd: Decimal | None = None
    """``counterfactual_usd`` less the bill, signed; None with the reason."""
    estimated_net_saved_reason: str | None = None
    estimated_net_saved_method: str | None = None

    def to_json(self) -> str:
        """One ledger line, without the newline, in ASCII."""
        return json.dumps(self.to_dict(), allow_nan=False)

    def to_dict(self) -> dict[str, Any]:
        """The record flat, in plain JSON types. Money is exact decimal text."""
        facts = {**asdict(self.facts.caller), **asdict(self.facts)}
        del facts["caller"]
        facts["modules"] = [
            {"id": module, "evidence": kind, "detail": detail, "late": late}
            for module, kind, detail, late in self.facts.modules
        ]
        facts["late_modules"] = list(self.facts.late_modules)
        facts["module_count"] = len(self.facts.modules) or None
        if self.response_cached:
            facts["list_price_saved_usd"] = None
            facts["list_price_saved_reason"] = "answered from the response cache"
        usage = asdict(self.usage) if self.usage else dict.fromkeys(_USAGE_FIELDS)
        counterfactual = asdict(self.counterfactual) if self.counterfactual else dict.fromkeys(_USAGE_FIELDS)
        rest = {
            "finished_seconds": self.finished_seconds,
            "status": self.status,
            "error_type": self.error_type,
            "model": self.model,
            "provider": self.provider,
            **usage,
            "usage_reason": self.usage_reason,
            "billed_usd": _decimal_text(self.billed_usd),
            "billed_reason": self.billed_reason,
            "response_cached": self.response_cached,
            "deployment_id": self.deployment_id,
            "service_tier": self.service_tier,
            "priced_usd": _decimal_text(self.priced_usd),
            "priced_reason": self.priced_reason,
            **{f"counterfactual_{name}": tokens for name, tokens in counterfactual.items()},
            "counterfactual_usd": _decimal_text(self.counterfactual_usd),
            "estimated_net_saved_usd": _decimal_text(self.estimated_net_saved_usd),
            "estimated_net_saved_reason": self.estimated_net_saved_reason,
            "estimated_net_saved_method": self.estimated_net_saved_method,
        }
        return {**facts, **rest}


def _decimal_text(usd: Decimal | None) -> str | None:
    return None if usd is None else format(usd, "f")


_CALLER_FIELDS = tuple(field.name for field in fields(Caller))
_FACT_FIELDS = tuple(field.name for field in fields(Facts))
_USAGE_FIELDS = tuple(field.name for field in fields(Usage))
