"""Who gets it: the policy file, key and team metadata, settings, the request header; and who is drawn for it."""

from litellm_prompt_router.policy.arms import Arm, draw
from litellm_prompt_router.policy.decide import (
    HEADER,
    METADATA_KEY,
    Base,
    Policy,
    Stated,
    decide_policy,
    sources_of,
    stated_in_metadata,
)
from litellm_prompt_router.policy.policy_file import (
    EMPTY_FILE,
    BrokenPolicyError,
    FilePolicy,
    PolicyRule,
    Subject,
    parse_policy,
)

__all__ = [
    "EMPTY_FILE",
    "HEADER",
    "METADATA_KEY",
    "Arm",
    "Base",
    "BrokenPolicyError",
    "FilePolicy",
    "Policy",
    "PolicyRule",
    "Stated",
    "Subject",
    "decide_policy",
    "draw",
    "parse_policy",
    "sources_of",
    "stated_in_metadata",
]
