"""What holds for a model group, by LiteLLM's own router and model map."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import litellm
import pytest

from litellm_prompt_router.cache_model import anthropic_rules
from litellm_prompt_router.gateway.deployments.capabilities import target_of_model
from litellm_prompt_router.gateway.deployments.groups import Deployments
from litellm_prompt_router.request.types import UNKNOWN_TARGET, Target

needs_mid_system = pytest.mark.skipif(
    find_spec("litellm.litellm_core_utils.prompt_templates.mid_conversation_system") is None,
    reason="this LiteLLM hoists system messages out of Claude conversations",
)
CLAUDE = {"model": "anthropic/claude-sonnet-4-5", "api_key": "x"}
HAIKU = {"model": "anthropic/claude-haiku-4-5", "api_key": "x"}
GPT = {"model": "openai/gpt-4.1", "api_key": "x"}
GPT_56 = {"model": "openai/gpt-5.6", "api_key": "x"}
DEEPSEEK = {"model": "deepseek/deepseek-chat", "api_key": "x"}
QWEN = {"model": "dashscope/qwen3.7-max", "api_key": "x"}
GEMINI = {"model": "gemini/gemini-2.5-pro", "api_key": "x"}
LOCAL = {"model": "openai/qwen3", "api_key": "x", "api_base": "http://127.0.0.1:1/v1"}
AZURE = {"model": "azure/prod", "api_key": "x", "api_base": "https://x.openai.azure.com", "api_version": "2024-10-21"}
PROFILE_ARN = "bedrock/converse/arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
POINTS = [{"location": "message", "role": "system"}, {"location": "message", "index": -1}]
PROXY = "litellm.proxy.proxy_server"


@pytest.fixture(autouse=True)
def _no_base(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_BASE", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def look(
    monkeypatch: pytest.MonkeyPatch, *members: Any, named: object = None, is_auto_cached: bool = False, **settings: Any
) -> Target:
    """The target of group ``g`` in a real router; a member is its parameters, or those and its model_info."""
    models = [
        {"model_name": group, "litellm_params": params, "model_info": {"id": f"{group}-{number}", **info}}
        for group, given in {"g": members, **settings.pop("others", {})}.items()
        for number, (params, info) in enumerate((m, {}) if isinstance(m, dict) else m for m in given)
    ]
    # The proxy's module is looked up for its router alone; importing it takes seconds.
    monkeypatch.setitem(sys.modules, PROXY, SimpleNamespace(llm_router=litellm.Router(model_list=models, **settings)))
    return Deployments().target("g", None, named, is_auto_cached)


KINDS = [
    pytest.param([CLAUDE], (True, False, False), [], id="Claude"),
    pytest.param([CLAUDE, HAIKU], (True, False, False), [], id="two Claudes"),
    pytest.param([GPT], (False, False, True), [], id="GPT"),
    pytest.param([GPT_56], (False, True, True), [], id="GPT-5.6"),
    pytest.param([LOCAL], (False, False, False), [], id="a host of one's own"),
    pytest.param([CLAUDE, GPT], (False, False, False), ["g-0", "g-1"], id="Claude and GPT"),
    pytest.param([QWEN], (True, False, False), [], id="Qwen"),
    pytest.param([CLAUDE, QWEN], (False, False, False), ["g-0", "g-1"], id="Claude and Qwen, in other places"),
    pytest.param([CLAUDE, GEMINI], (False, False, False), ["g-0", "g-1"], id="Claude and Gemini"),
    pytest.param([GPT, GPT_56], (False, False, True), ["g-0", "g-1"], id="GPT, old and new"),
    pytest.param([GPT, LOCAL], (False, False, False), ["g-0", "g-1"], id="GPT and a host of one's own"),
    pytest.param(
        [CLAUDE, {**CLAUDE, "cache_control_injection_points": POINTS}],
        (True, False, False),
        ["g-0", "g-1"],
        id="one with points",
    ),
]


@pytest.mark.parametrize(("members", "kinds", "each"), KINDS)
def test_what_a_group_takes(
    monkeypatch: pytest.MonkeyPatch, members: list[Any], kinds: tuple[bool, ...], each: list[str]
) -> None:
    """What all of them take; and each of them by id, where they differ."""
    target = look(monkeypatch, *members)
    assert (target.takes_marks, target.takes_breakpoints, target.takes_cache_key) == kinds
    assert [own_id for own_id, _ in target.each] == each


OLD_CLAUDE = {"model": "vertex_ai/claude-3-5-sonnet@20240620", "vertex_project": "x", "vertex_location": "y"}
NEW_CLAUDE = {"model": "anthropic/claude-of-tomorrow", "api_key": "x"}
NAMELESS = {"model": PROFILE_ARN, "aws_region_name": "us-east-1"}
PRICED = ({"model": "anthropic/claude-of-ours", "api_key": "x"}, {"input_cost_per_token": 1e-6})


@pytest.mark.parametrize(
    ("members", "takes"),
    [
        pytest.param([GPT], True, id="GPT"),
        pytest.param([GEMINI], True, id="Gemini"),
        pytest.param([LOCAL], True, id="a host of one's own"),
        pytest.param([AZURE], True, id="an Azure name that says nothing"),
        pytest.param([OLD_CLAUDE], True, id="a Claude that can't think"),
        pytest.param([CLAUDE], False, id="a Claude that thinks"),
        pytest.param([NEW_CLAUDE], False, id="a Claude that the map lacks"),
        pytest.param([PRICED], False, id="one with a price of its own"),
        pytest.param([NAMELESS], False, id="a name on Bedrock that says nothing"),
        pytest.param(
            [(NAMELESS, {"base_model": "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"})], False, id="ARN"
        ),
        pytest.param([GPT, CLAUDE], False, id="a mixed group"),
        pytest.param([GPT, GEMINI], True, id="a mixed group without Claude"),
    ],
)
def test_whether_the_prompt_may_change(monkeypatch: pytest.MonkeyPatch, members: list[Any], takes: bool) -> None:
    """Not where a member may hold a conversation to what stands ahead of replayed thinking."""
    assert look(monkeypatch, *members).takes_changed_prompt is takes


def test_who_answers_by_fallback_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    others = {"h": [CLAUDE]}
    assert not look(monkeypatch, GPT, others=others, fallbacks=[{"g": ["h"]}]).takes_changed_prompt
    assert not look(monkeypatch, GPT, others=others, named=["h"]).takes_changed_prompt
    assert not Deployments().target(None, None, None).takes_changed_prompt


def test_the_longest_minimum_holds_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sonnet 4.5 caches from 1,024 tokens on, Haiku 4.5 from 4,096."""
    assert look(monkeypatch, CLAUDE, HAIKU).min_cache_tokens == 4_096


@pytest.mark.parametrize(
    ("members", "seconds"),
    [
        ([CLAUDE], 300),
        ([CLAUDE, GPT_56], 1_800),
        ([CLAUDE, DEEPSEEK], 86_400),
        ([CLAUDE, GEMINI], None),
        ([GEMINI, DEEPSEEK], 86_400),
    ],
    ids=["Claude", "Claude and GPT-5.6", "Claude and DeepSeek", "one that doesn't say", "one that doesn't say, hours"],
)
def test_entries_live_as_long_as_with_the_longest(
    monkeypatch: pytest.MonkeyPatch, members: list[Any], seconds: float | None
) -> None:
    assert look(monkeypatch, *members).cache_lifetime_seconds == seconds


@pytest.mark.parametrize(
    ("members", "form", "behind"),
    [
        ([GPT, GPT_56], "message", True),
        ([CLAUDE, GPT], "note", True),
        ([CLAUDE, GEMINI], "note", True),
        ([GPT, LOCAL], "note", False),
        ([CLAUDE, AZURE], "note", False),
        ([CLAUDE, {"model": "mistral/mistral-large-latest", "api_key": "x"}], "note", False),
    ],
    ids=[
        "both keep it",
        "one refuses it",
        "one hoists it",
        "one unknown",
        "an Azure name that says nothing",
        "Mistral",
    ],
)
def test_late_modules_come_as_everybody_takes_them(
    monkeypatch: pytest.MonkeyPatch, members: list[Any], form: str, behind: bool
) -> None:
    """As messages only where everybody leaves these where they are; behind a result where everybody takes that."""
    target = look(monkeypatch, *members)
    assert (target.late_form, target.takes_user_behind_result) == (form, behind)


def test_the_base_model_tells_what_a_name_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Azure deployments and inference profiles are called anything."""
    azure = look(monkeypatch, (AZURE, {"base_model": "azure/gpt-4.1"}))
    assert (azure.late_form, azure.takes_cache_key) == ("message", True)
    arn = {"model": PROFILE_ARN, "aws_region_name": "us-east-1"}
    assert not look(monkeypatch, arn).takes_marks
    known = look(monkeypatch, (arn, {"base_model": "anthropic.claude-haiku-4-5-20251001-v1:0"}))
    assert (known.takes_marks, known.takes_user_behind_result, known.min_cache_tokens) == (True, True, 4_096)
    for target in (azure, known, look(monkeypatch, {**AZURE, "base_model": "azure/gpt-4.1"})):
        assert target.input_usd_per_token
        assert target.cache_read_share


@pytest.mark.parametrize(
    ("model", "is_openai"),
    [
        ("openai/gpt-4.1", True),
        ("openai/o3-mini", True),
        ("openai/chatgpt-4o-latest", True),
        ("azure/prod-gpt-4o", True),
        ("azure/prod-o3-mini", True),
        ("azure/prod", False),
        ("openai/gpt-oss-120b", False),
        ("openai/gpt-neox-20b", False),
        ("openai/AIDC-AI/Marco-o1", False),
        ("openai/qwen3-32b", False),
        ("groq/openai/gpt-oss-120b", False),
    ],
)
def test_openais_own_models_by_name(model: str, is_openai: bool) -> None:
    """Open weights go by similar names, on hosts whose templates may refuse a late system message."""
    target = target_of_model(model)
    assert (target.takes_cache_key, target.late_form == "message") == (is_openai, is_openai)


@pytest.mark.parametrize(
    ("base", "info", "takes"),
    [
        (None, {}, True),
        ("https://api.openai.com/v1", {}, True),
        ("https://eu.api.openai.com/v1", {}, True),
        ("https://gateway.example/v1", {}, False),
        ("https://api.openai.com.example/v1", {}, False),
        ("https://gateway.example/v1", {"supports_prompt_cache_breakpoint": True}, True),
    ],
)
def test_explicit_breakpoints_by_host(
    monkeypatch: pytest.MonkeyPatch, base: str | None, info: dict[str, Any], takes: bool
) -> None:
    """OpenAI's own host, or one whose deployment says that it takes them."""
    params = GPT_56 if base is None else {**GPT_56, "api_base": base}
    assert look(monkeypatch, (params, info)).takes_breakpoints is takes


def test_explicit_breakpoints_by_the_environments_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """LiteLLM sends there when a deployment names no base."""
    monkeypatch.setenv("OPENAI_BASE_URL", "https://gateway.example/v1")
    assert not look(monkeypatch, GPT_56).takes_breakpoints


def test_fallbacks_are_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """The router's, and those that the request names; a group that nobody knows makes all unknown."""
    others = {"h": (GPT,)}
    own = look(monkeypatch, CLAUDE, others=others, fallbacks=[{"g": ["h"]}])
    named = look(monkeypatch, CLAUDE, others=others, named=["h"])
    assert [own_id for own_id, _ in own.each] == [own_id for own_id, _ in named.each] == ["g-0", "h-0"]
    assert look(monkeypatch, CLAUDE, others=others).takes_marks
    for stated in ([{"model": "h", "messages": []}], [{"g": ["h"]}], [{"*": ["h"]}, "h"]):
        ruled = look(monkeypatch, CLAUDE, others=others, named=stated)
        assert [own_id for own_id, _ in ruled.each] == ["g-0", "h-0"]
    assert look(monkeypatch, CLAUDE, others=others, named=[{"others": ["h"]}]).takes_marks
    unusable: tuple[Any, ...] = (["nobody"], [{"model": "nobody"}], "h", [7])
    for named_so in unusable:
        unknown = look(monkeypatch, CLAUDE, others=others, named=named_so)
        assert (unknown.takes_marks, unknown.each, unknown.late_form) == (False, (), "note")
        bound = look(monkeypatch, {"model": "anthropic/claude-fable-5-1", "api_key": "x"}, named=named_so)
        assert (bound.takes_marks, unknown.holds_to_prefix, bound.holds_to_prefix) == (False, False, True)


@pytest.mark.parametrize("ttl", [None, "5m", "1h"])
def test_automatic_caching_as_litellm_would_inject_it(monkeypatch: pytest.MonkeyPatch, ttl: str | None) -> None:
    """The points are LiteLLM's own, for the proxy's setting as for the key's."""
    from litellm.integrations.anthropic_cache_control_hook import AnthropicCacheControlHook

    monkeypatch.setattr(litellm, "anthropic_prompt_caching_ttl", ttl, raising=False)
    wanted = AnthropicCacheControlHook.get_default_injection_points(
        messages=[{"role": "user", "content": "hi"}],
        system=None,
        model="claude-sonnet-4-5",
        custom_llm_provider="anthropic",
        enable_prompt_caching=True,
    )
    assert list(look(monkeypatch, CLAUDE, is_auto_cached=True).auto_points) == wanted
    assert look(monkeypatch, CLAUDE).auto_points == ()
    assert look(monkeypatch, GPT, is_auto_cached=True).auto_points == ()
    monkeypatch.setattr(litellm, "enable_anthropic_prompt_caching", True)
    assert list(look(monkeypatch, CLAUDE).auto_points) == wanted


def test_an_unknown_group_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, PROXY, SimpleNamespace(llm_router=None))
    assert Deployments().target("g", None, None) == Deployments().target(None, None, None)


MINIMA = (
    "claude-sonnet-4-5",
    "claude-sonnet-5-5",
    "claude-opus-4-5",
    "claude-opus-4-7",
    "claude-opus-4-8",
    "claude-opus-5",
    "claude-haiku-4-5",
    "claude-haiku-5-5",
    "claude-fable-5-1",
)


@pytest.mark.parametrize("model", MINIMA)
def test_minimum_lengths_are_the_documented_ones(model: str) -> None:
    """LiteLLM's map, which decides where marks go, and the documented rules, which decide what they cost, agree."""
    assert target_of_model(f"anthropic/{model}").min_cache_tokens == anthropic_rules(model).min_tokens


@pytest.mark.parametrize(
    ("model", "holds"),
    [
        ("anthropic/claude-fable-5-1", True),
        ("openrouter/anthropic/claude-fable-5.1", True),
        ("anthropic/claude-opus-5-5", True),
        ("anthropic/claude-nobody-knows-it", True),
        ("anthropic/claude-opus-5", False),
        ("bedrock/converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0", False),
        ("gemini/gemini-2.5-pro", False),
    ],
)
def test_who_holds_thinking_to_what_stands_ahead(monkeypatch: pytest.MonkeyPatch, model: str, holds: bool) -> None:
    """One such member is enough."""
    assert target_of_model(model).holds_to_prefix is holds
    assert look(monkeypatch, GPT, {"model": model, "api_key": "x"}).holds_to_prefix is holds


ROUTERS = {
    "complexity": {
        "model": "auto_router/complexity_router",
        "complexity_router_config": {"tiers": {"SIMPLE": "g1", "COMPLEX": ["g2", "g1"]}, "default_model": "g3"},
    },
    "adaptive": {
        "model": "auto_router/adaptive_router",
        "adaptive_router_config": {"available_models": ["g1", "g2", "g3"]},
    },
}


@pytest.mark.parametrize("params", ROUTERS.values(), ids=ROUTERS)
def test_what_a_router_of_litellms_may_choose_are_candidates(
    monkeypatch: pytest.MonkeyPatch, params: dict[str, Any]
) -> None:
    """Every tier's group and the default, with their fallbacks; one that isn't in the list makes all unknown."""
    others = {"g1": (CLAUDE,), "g2": (CLAUDE,), "g3": (HAIKU,), "h": (GPT,)}
    target = look(monkeypatch, params, others=others)
    assert (target.takes_marks, target.each, target.min_cache_tokens) == (True, (), 4_096)
    mixed = look(monkeypatch, params, others=others, fallbacks=[{"g3": ["h"]}])
    assert sorted(own_id for own_id, _ in mixed.each) == ["g1-0", "g2-0", "g3-0", "h-0"]
    assert look(monkeypatch, params, others={"g1": (CLAUDE,), "g2": (CLAUDE,)}) == UNKNOWN_TARGET


def test_the_maps_free_writes_are_not_free() -> None:
    """DeepSeek bills what it writes to its cache as any other token, though the map says 0."""
    target = target_of_model("deepseek/deepseek-chat")
    assert target.cache_write_share == 1.0
    assert target.cache_read_share == pytest.approx(0.1)
    assert target_of_model("anthropic/claude-sonnet-4-5").cache_write_share == pytest.approx(1.25)
    assert target_of_model("anthropic/claude-sonnet-4-5").cache_write_1h_share == pytest.approx(2.0)
