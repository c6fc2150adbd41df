"""Who gets rewritten prompts: settings, policy file, key and team metadata, request header; reload and breaker."""

from litellm_prompt_router.policy.decide import (
    HEADER,
    METADATA_KEY,
    Arm,
    DefaultPolicy,
    Policy,
    PolicyLayer,
    at_most_shadow,
    decide_policy,
    draw,
    metadata_layers,
    sources_of,
)
from litellm_prompt_router.policy.policy_file import (
    EMPTY_POLICY,
    BrokenPolicyError,
    FilePolicy,
    PolicyRule,
    Subject,
    parse_policy,
)

__all__ = [
    "EMPTY_POLICY",
    "HEADER",
    "METADATA_KEY",
    "Arm",
    "BrokenPolicyError",
    "DefaultPolicy",
    "FilePolicy",
    "Policy",
    "PolicyLayer",
    "PolicyRule",
    "Subject",
    "at_most_shadow",
    "decide_policy",
    "draw",
    "metadata_layers",
    "parse_policy",
    "sources_of",
]
