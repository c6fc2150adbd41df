"""What the simulator predicts is what an emulated provider bills behind the real proxy, token for token."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple
from typing import Any

import pytest

from hooks.cachemodel import BlockReader, anthropic_rules, openai_rules
from hooks.deployments import target_of_model
from hooks.library import bundled_profiles, load_profiles
from hooks.provider_wire import ClaudeWire
from hooks.simulate import Call, Policy, Replay, rewrites_of
from hooks.tokens import token_counter
from hooks.wire.chat_marks import well_cached
from tests.emulators.caching import TIME_HEADER, EmulatedCache
from tests.emulators.envelopes import Envelopes
from tests.emulators.two_keys import KeyName, TwoKeyProxy, running_two_keys
from tests.emulators.upstream import Upstream
from tests.simulate.recordings import recorded

pytestmark = pytest.mark.proxy

MODELS = {"claude": "anthropic/claude-sonnet-4-5", "gpt": "openai/gpt-4.1"}
COVERAGE_FLOOR = 0.6


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoKeyProxy]:
    env = {"PROMPT_ROUTER_PLACEMENT": "auto", "PROMPT_ROUTER_CACHE_HINTS": "true"}
    with Upstream(caching=EmulatedCache()) as upstream, Envelopes() as envelopes:
        folder = tmp_path_factory.mktemp("simulate")
        with running_two_keys(upstream, envelopes, folder, env=env) as running:
            yield running


def replayed(model: str) -> Replay:
    """The simulator as the command sets it up."""
    count = token_counter()
    target = target_of_model(model)
    rewrites = rewrites_of(load_profiles(bundled_profiles(), count), count, target, coverage_floor=COVERAGE_FLOOR)
    reader = BlockReader(count)
    if not target.takes_marks:
        return Replay(rewrites, reader.openai, openai_rules(model))
    wire = ClaudeWire(model)
    return Replay(rewrites, lambda body: reader.anthropic(wire.body(body)), anthropic_rules(model))


def billed(proxy: TwoKeyProxy, key: KeyName, calls: list[tuple[float, Any]]) -> list[tuple[int, ...]]:
    """Input buckets of each call as the emulated provider accounts them."""
    proxy.clear()
    with proxy.openai(key) as client:
        for at_seconds, body in calls:
            client.chat.completions.create(
                model=body["model"],
                messages=body["messages"],
                tools=body["tools"],
                extra_body={
                    "extra_headers": {TIME_HEADER: str(at_seconds)},
                    **{name: value for name, value in body.items() if name not in ("model", "messages", "tools")},
                },
            )
    assert proxy.upstream.caching is not None
    accounted = proxy.upstream.caching.accounted
    assert len(accounted) == len(proxy.upstream.requests) == len(calls), "a call was refused or sent twice"
    return [astuple(entry.usage)[:4] for entry in accounted]


def predicted(model: str, policy: Policy, calls: tuple[Call, ...]) -> list[tuple[int, ...]]:
    replay = replayed(MODELS[model])
    return [astuple(replay.account(call)[policy].usage)[:4] for call in calls]


@pytest.mark.parametrize(("model", "conversations"), [("claude", 30), ("gpt", 20)])
def test_rewritten_calls_are_billed_as_predicted(proxy: TwoKeyProxy, model: str, conversations: int) -> None:
    """The router on, placement ``auto``: tool loops, pauses past the lifetime, client marks."""
    calls = recorded(1, conversations, model)
    assert len({call.conversation for call in calls}) == conversations
    expected = predicted(model, "auto", calls)
    assert billed(proxy, "alpha", [(call.at_seconds, call.request) for call in calls]) == expected
    assert sum(read for _, read, _, _ in expected) > 0


def test_full_cached_calls_are_billed_as_predicted(proxy: TwoKeyProxy) -> None:
    """The baseline's bodies, sent past the router: its marks are accepted and count as the simulator says."""
    calls = recorded(2, 20, "claude")
    bodies = [(call.at_seconds, well_cached(call.request, target_of_model(MODELS["claude"]))) for call in calls]
    assert billed(proxy, "beta", bodies) == predicted("claude", "full-cached", calls)
