"""Which rules of the policy may decide on a request, and what each gives."""

from __future__ import annotations

from litellm_prompt_router.policy import Policy, PolicyLayer, PolicyRule, Subject, decide_policy
from litellm_prompt_router.policy.active import ActiveConfiguration
from litellm_prompt_router.record.record import Caller


def candidate_policies(
    configuration: ActiveConfiguration, caller: Caller, metadata: tuple[PolicyLayer, ...], header: str | None
) -> list[tuple[PolicyRule | None, Policy]]:
    """The rules that may decide, in order, with what each gives; None is no rule. The last one needs no profile."""
    subject = Subject(
        key_alias=caller.key_alias,
        key_hash=caller.key_hash,
        team_id=caller.team_id,
        user_id=caller.user_id,
        model_group=caller.model_group,
        tags=caller.tags,
    )
    below = (*metadata, configuration.policy.defaults)
    rules: list[PolicyRule | None] = [*configuration.policy.candidates(subject, caller.started_seconds)]
    if not rules or not is_for_profile(rules[-1], None):
        rules.append(None)
    layers = [below if rule is None else (rule.layer, *below) for rule in rules]
    return [
        (rule, decide_policy(configuration.default_policy, each, header))
        for rule, each in zip(rules, layers, strict=True)
    ]


def is_for_profile(rule: PolicyRule | None, profile: str | None) -> bool:
    """Whether the rule may decide on prompts of this profile; None: of none."""
    return rule is None or rule.profiles is None or profile in rule.profiles
