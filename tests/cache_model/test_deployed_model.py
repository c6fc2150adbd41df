"""Whose model it is, by provider, name and base model; and the rules that its host caches by."""

from __future__ import annotations

import pytest

from litellm_prompt_router.cache_model import (
    AutomaticPrefixes,
    BreakpointPrefixes,
    MarkedPrefixes,
    Rules,
    deployed_model,
    openai_rules,
    rules_of,
)
from litellm_prompt_router.cache_model.host_caches import HOSTS, UNKNOWN_HOST

ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
UNKNOWN = UNKNOWN_HOST.rules
HAIKU = MarkedPrefixes(min_tokens=4_096, joins_tool_runs=False)


@pytest.mark.parametrize(
    ("provider", "name", "base", "rules"),
    [
        ("anthropic", "claude-sonnet-4-5", None, MarkedPrefixes()),
        ("vertex_ai", "claude-sonnet-4-5", None, MarkedPrefixes(joins_tool_runs=False)),
        ("anthropic", "our-alias", None, MarkedPrefixes()),
        ("anthropic", "claude-sonnet-4-6", None, MarkedPrefixes(min_tokens=2_048)),
        ("anthropic", "claude-opus-4-7", None, MarkedPrefixes(min_tokens=2_048)),
        ("bedrock", "us.anthropic.claude-opus-4-7", None, HAIKU),
        ("bedrock", ARN, None, UNKNOWN),
        ("bedrock", ARN, "anthropic.claude-haiku-4-5-20251001-v1:0", HAIKU),
        ("bedrock", f"converse/{ARN}", "claude-haiku-4-5", HAIKU),
        ("openai", "claude-sonnet-4-5", None, UNKNOWN),
        ("openai", "gpt-4.1", None, AutomaticPrefixes()),
        ("openai", "gpt-oss-120b", None, UNKNOWN),
        ("groq", "openai/gpt-oss-120b", None, HOSTS["groq"].rules),
        ("azure", "prod", None, UNKNOWN),
        ("azure", "prod-o3-mini", None, AutomaticPrefixes()),
        ("azure", "prod", "azure/gpt-5.5", openai_rules("gpt-5.5")),
        ("azure", "prod-gpt-4o", "gpt-5.6", BreakpointPrefixes()),
    ],
)
def test_rules_by_provider_name_and_base_model(provider: str, name: str, base: str | None, rules: Rules) -> None:
    """The base model decides where one is stated; the host decides whose rules hold."""
    assert rules_of(deployed_model(name, provider, base_model=base)) == rules
