"""Which rules of the policy may decide on a request, and what each gives.

The same for all requests of one key to one model group while nothing changes, so it is remembered.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from litellm_prompt_router.policy import (
    METADATA_KEY,
    Policy,
    PolicyLayer,
    PolicyRule,
    Subject,
    decide_policy,
    metadata_layers,
)
from litellm_prompt_router.policy.active import ActiveConfiguration
from litellm_prompt_router.policy.decide import OFF_WORDS
from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.record.record import Caller

MAX_KNOWN = 4_096
"""Model groups are named by clients, so there may be any number of combinations."""
MAX_METADATA_CHARS = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class CandidatePolicies:
    """What may hold for a request, before its profile is known."""

    problems: tuple[str, ...]
    """Of the key's and team's metadata; the request is to pass then."""
    candidates: tuple[tuple[PolicyRule | None, Policy], ...]
    """The rules that may decide, in order, with what each gives; None is no rule. The last one needs no profile."""
    only: str | None
    """Where it depends on the profile: the one profile that may be recognised, whichever rule it is."""
    holds_until_seconds: float
    """When the first of the policy's rules expires."""

    @property
    def without_profile(self) -> Policy:
        """What holds where no profile was recognised, and wherever it doesn't depend on that."""
        return self.candidates[-1][1]

    @property
    def is_off(self) -> bool:
        """True where the request is none of ours, whatever it holds."""
        return all(policy.mode == "off" for _, policy in self.candidates)

    def policy_for(self, profile: str | None) -> Policy:
        """What holds for prompts of this profile; None: of none."""
        return next(policy for rule, policy in self.candidates if is_for_profile(rule, profile))


class KnownCandidates:
    """Candidates of the configuration in force, remembered by who asks for what. For one thread, LiteLLM's."""

    def __init__(self) -> None:
        self._configuration: ActiveConfiguration | None = None
        self._known: dict[tuple[object, ...], CandidatePolicies] = {}
        register_memory(self, "policies decided", MAX_KNOWN, lambda it: len(it._known))

    def of(
        self,
        configuration: ActiveConfiguration,
        caller: Caller,
        key_metadata: Mapping[str, Any] | None,
        team_metadata: Mapping[str, Any] | None,
        header: str | None,
    ) -> CandidatePolicies:
        """As ``candidate_policies`` says."""
        if configuration is not self._configuration:
            self._configuration = configuration
            self._known = {}
        stated = repr([place.get(METADATA_KEY) if place else None for place in (key_metadata, team_metadata)])
        lowered = _lowering(header)
        subject = (caller.key_alias, caller.key_hash, caller.team_id, caller.user_id, caller.model_group, caller.tags)
        key = (*subject, stated, lowered)
        found = self._known.get(key)
        if found is None or found.holds_until_seconds <= caller.started_seconds:
            found = candidate_policies(configuration, caller, key_metadata, team_metadata, lowered)
            if len(stated) <= MAX_METADATA_CHARS:
                if len(self._known) >= MAX_KNOWN:
                    self._known.clear()
                self._known[key] = found
        return found


def candidate_policies(
    configuration: ActiveConfiguration,
    caller: Caller,
    key_metadata: Mapping[str, Any] | None,
    team_metadata: Mapping[str, Any] | None,
    header: str | None,
) -> CandidatePolicies:
    """The rules that may decide on this caller's requests, and what each gives."""
    metadata, problems = metadata_layers(
        configuration.default_mode, configuration.profile_names, key_metadata, team_metadata
    )
    subject = Subject(
        key_alias=caller.key_alias,
        key_hash=caller.key_hash,
        team_id=caller.team_id,
        user_id=caller.user_id,
        model_group=caller.model_group,
        tags=caller.tags,
    )
    below: tuple[PolicyLayer, ...] = (*metadata, configuration.policy.defaults)
    rules: list[PolicyRule | None] = [*configuration.policy.candidates(subject, caller.started_seconds)]
    if not rules or not is_for_profile(rules[-1], None):
        rules.append(None)
    layers = [below if rule is None else (rule.layer, *below) for rule in rules]
    only = decide_policy(configuration.default_policy, below).profile if len(rules) > 1 else None
    ends = [rule.entry.until.timestamp() for rule in configuration.policy.rules if rule.entry.until is not None]
    return CandidatePolicies(
        problems=problems,
        candidates=tuple(
            (rule, decide_policy(configuration.default_policy, each, header))
            for rule, each in zip(rules, layers, strict=True)
        ),
        only=only if only in configuration.profile_names else None,
        holds_until_seconds=min((end for end in ends if end > caller.started_seconds), default=math.inf),
    )


def is_for_profile(rule: PolicyRule | None, profile: str | None) -> bool:
    """Whether the rule may decide on prompts of this profile; None: of none."""
    return rule is None or rule.profiles is None or profile in rule.profiles


def _lowering(header: str | None) -> str | None:
    """The header's word where it lowers anything; clients may write whatever they like there."""
    word = (header or "").strip().lower()
    return "off" if word in OFF_WORDS else word if word == "shadow" else None
