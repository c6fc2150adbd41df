"""Whose caching rules hold where, and what they are worth."""

from __future__ import annotations

from dataclasses import fields

import litellm
import pytest

from litellm_prompt_router.accounting.shared_entries import SINCE_SECONDS
from litellm_prompt_router.cache_model import (
    AutomaticPrefixes,
    HostCache,
    MarkedPrefixes,
    cache_of,
    deployed_model,
    longest_lifetime_seconds,
)
from litellm_prompt_router.cache_model.host_caches import DEEPSEEK, HOSTS, QWEN_EXPLICIT_CACHE, UNKNOWN_HOST
from litellm_prompt_router.gateway.deployments.capabilities import target_of_model
from litellm_prompt_router.gateway.deployments.describe import describe
from tests.cache_model.calls import Call, filler, replay

ALL = tuple({id(cache): cache for cache in (*HOSTS.values(), QWEN_EXPLICIT_CACHE, UNKNOWN_HOST)}.values())


def named(name: str) -> HostCache:
    provider, _, model = name.partition("/")
    return cache_of(deployed_model(model, provider))


@pytest.mark.parametrize(
    ("name", "host", "basis", "lifetime"),
    [
        ("anthropic/claude-sonnet-4-5", "Claude", "documented", 300),
        ("bedrock/us.anthropic.claude-opus-4-8", "Claude on Bedrock", "documented", 300),
        ("vertex_ai/claude-opus-4-8", "Claude on other hosts", "documented", 300),
        ("openai/gpt-4.1", "OpenAI", "documented", 300),
        ("openai/gpt-5.5", "OpenAI", "documented", 1_800),
        ("openai/gpt-5.6", "OpenAI, GPT-5.6 and later", "documented", 1_800),
        ("azure/gpt-4.1", "Azure OpenAI", "documented", 300),
        ("deepseek/deepseek-chat", "DeepSeek", "documented", 86_400),
        ("groq/openai/gpt-oss-120b", "Groq", "documented", 7_200),
        ("moonshot/kimi-k3", "Moonshot", "documented", 300),
        ("gemini/gemini-2.5-pro", "Gemini API, implicit", "assumed", None),
        ("vertex_ai/gemini-3.5-flash", "Vertex AI, Gemini implicit", "assumed", None),
        ("vertex_ai/deepseek-ai/deepseek-v3.2-maas", "any other host", "assumed", None),
        ("bedrock/amazon.nova-pro-v1:0", "Bedrock, other models", "assumed", None),
        ("xai/grok-4", "xAI", "assumed", None),
        ("openrouter/deepseek/deepseek-chat", "OpenRouter, but for marked Claude", "assumed", None),
        ("hosted_vllm/anything", "any other host", "assumed", None),
    ],
)
def test_who_caches_how(name: str, host: str, basis: str, lifetime: float | None) -> None:
    """A model's maker doesn't decide: DeepSeek's disk is DeepSeek's own."""
    found = named(name)
    assert (found.host, found.basis, found.lifetime_seconds) == (host, basis, lifetime)


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("gemini/gemini-2.5-flash", 2_048),
        ("gemini/gemini-3.8-flash", 4_096),
        ("gemini/gemini-4-argon", 4_096),
        ("vertex_ai/gemini-2.5-pro", 2_048),
    ],
)
def test_geminis_minimum_goes_by_the_model(name: str, least: int) -> None:
    assert named(name).rules.min_tokens == least


@pytest.mark.parametrize("cache", ALL, ids=[cache.host for cache in ALL])
def test_each_says_where_it_is_from(cache: HostCache) -> None:
    assert all(getattr(cache, field.name) for field in fields(cache) if field.type == "str")
    assert (cache.lifetime_seconds is None) is (cache.basis == "assumed")
    assert cache is UNKNOWN_HOST or "(2026-" in cache.source


@pytest.mark.parametrize("cache", ALL, ids=[cache.host for cache in ALL])
def test_the_stand_in_for_a_full_prompt_never_reads_less(cache: HostCache) -> None:
    """What keeps a rewritten prompt's saving small: its full prompt is read at least as often and as far."""
    for gap in (1, 200, 1_000, 5_000):
        calls = [Call(at * gap, filler(60 + at), (0, 0, 0, 0)) for at in range(3)]
        full, unsent = (replay(rules, calls) for rules in (cache.rules, cache.unsent_rules))
        assert all(ours[1] <= theirs[1] for theirs, ours in zip(full, unsent, strict=True))


def test_assumed_hosts_have_two_automata_and_documented_ones_one() -> None:
    """The full prompt's is the finer and longer one."""
    full, unsent = UNKNOWN_HOST.rules, UNKNOWN_HOST.unsent_rules
    assert isinstance(full, AutomaticPrefixes)
    assert isinstance(unsent, AutomaticPrefixes)
    assert full.retention_seconds > unsent.retention_seconds
    assert full.interval_tokens < unsent.interval_tokens
    assert DEEPSEEK.rules == DEEPSEEK.unsent_rules


def test_shared_entries_outlive_every_entry() -> None:
    """What any replica observed is remembered for as long as it can matter."""
    rules = [rules for cache in ALL for rules in (cache.rules, cache.unsent_rules)]
    assert max(longest_lifetime_seconds(each, ["1h"]) for each in [*rules, MarkedPrefixes()]) <= SINCE_SECONDS


def test_every_chat_model_with_a_cache_price_has_rules() -> None:
    """In the map that ships with LiteLLM. Whose GitHub's are LiteLLM would log in to tell."""
    priced = {
        name: entry
        for name, entry in litellm.model_cost.items()
        if entry.get("mode") == "chat" and entry.get("cache_read_input_token_cost") is not None
    }
    assert len(priced) > 1_200
    by_basis = {"documented": 0, "assumed": 0}
    for name, entry in priced.items():
        provider = "github_copilot" if entry.get("litellm_provider") == "github_copilot" else None
        by_basis[cache_of(describe(name, provider=provider)).basis] += 1
    assert sum(by_basis.values()) == len(priced)
    assert by_basis["documented"] > 450  # Claude, OpenAI, DeepSeek, Groq and Moonshot at their own and others' hosts


@pytest.mark.parametrize(
    ("name", "lifetime", "least"),
    [
        ("deepseek/deepseek-chat", 86_400, 64),
        ("gemini/gemini-2.5-pro", None, 2_048),
        ("anthropic/claude-sonnet-4-6", 300, 2_048),
        ("groq/openai/gpt-oss-120b", 7_200, 128),
        ("mistral/mistral-large-latest", None, 1_024),
    ],
)
def test_targets_say_how_long_entries_live(name: str, lifetime: float | None, least: int) -> None:
    target = target_of_model(name)
    assert (target.cache_lifetime_seconds, target.min_cache_tokens) == (lifetime, least)
