"""What the simulator predicts is what emulated providers bill behind the real proxy, token for token.

``LANES`` run side by side: they share no cache, and the calls of each run in its own virtual time.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, replace
from decimal import Decimal
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, NamedTuple

import httpx
import litellm
import pytest

from litellm_prompt_router.analysis.simulate import Policy, RecordedCall, Replay, rewrites_of
from litellm_prompt_router.cache_model import BlockReader, anthropic_rules, cost_usd, openai_rules
from litellm_prompt_router.cache_model.usage import Usage, read_usage
from litellm_prompt_router.files import bundled_profiles, load_profiles
from litellm_prompt_router.gateway.deployments.capabilities import target_of_model
from litellm_prompt_router.gateway.deployments.groups import Deployments
from litellm_prompt_router.gateway.deployments.map_prices import prices_of_model
from litellm_prompt_router.gateway.deployments.translation import ClaudeWire
from litellm_prompt_router.profile.tokens import token_counter
from litellm_prompt_router.request.types import Target
from litellm_prompt_router.request.wire.chat_marks import well_cached
from tests.analysis.recordings import recorded
from tests.emulators.caching import CALL_HEADER, TIME_HEADER, Accounted, EmulatedCache
from tests.emulators.providers import FALLBACKS, GROUPS, RETRIES, KeyName, ProviderProxy, model_list
from tests.emulators.upstream import HttpError

# LiteLLM warns of its own types when a process first makes a router.
pytestmark = [pytest.mark.proxy, pytest.mark.filterwarnings("ignore:Items? .* on TypedDict class:UserWarning")]

COVERAGE_FLOOR = 0.6
AT_ONCE = 3
Buckets = tuple[int, ...]
"""Uncached, read, written for 5 minutes, written for an hour."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lane:
    """Conversations with one group, and what each of their calls has to be billed."""

    group: str
    conversations: int
    policy: Policy = "auto"

    @property
    def key(self) -> KeyName:
        return "off" if self.policy == "full-cached" else "auto"

    def calls(self) -> tuple[RecordedCall, ...]:
        return recorded(self.group, self.conversations, self.group)

    def body(self, call: RecordedCall) -> Mapping[str, Any]:
        """What the client sends; the baseline's marks are its own, past the router."""
        return well_cached(call.request, target_of(self.group)) if self.policy == "full-cached" else call.request


LANES = (
    Lane(group="claude", conversations=60),
    Lane(group="claude-mid", conversations=45),
    Lane(group="gpt", conversations=40),
    Lane(group="gpt-new", conversations=15),
    Lane(group="plain", conversations=20, policy="full-cached"),
)
SHAKY = Lane(group="shaky", conversations=50)
ENDS = {"anthropic": "shaky", "openai": "spare"}
"""The group behind each provider that a shaky call may end at."""
ERRORS = (500, 503, 529, 429)
FLOAT_USD = Decimal("1e-12")
"""LiteLLM adds prices up in floats."""


def target_of(group: str) -> Target:
    """What holds at the emulated host, which isn't OpenAI's own."""
    return replace(target_of_model(GROUPS[group].model), takes_breakpoints=False)


def replay_of(group: str, policy: Policy, target: Target | None = None) -> Replay:
    """The simulator as the command sets it up, for one policy and, behind a fallback, another target."""
    model = GROUPS[group].model
    count, reader = token_counter(), BlockReader(token_counter())
    profiles = load_profiles(bundled_profiles(), count)
    rewrites = rewrites_of(profiles, count, target or target_of(group), coverage_floor=COVERAGE_FLOOR)
    chosen = {policy: rewrites[policy]}
    if not model.startswith("anthropic/"):
        return Replay(chosen, reader.openai, openai_rules(model))
    wire = ClaudeWire(model)
    return Replay(chosen, lambda body: reader.anthropic(wire.body(body)), anthropic_rules(model))


class Told(NamedTuple):
    """What LiteLLM tells the client of one answered call. Streams begin before LiteLLM knows their cost."""

    usage: Usage
    cost_usd: Decimal | None


def sent(proxy: ProviderProxy, lane: Lane, calls: Sequence[RecordedCall]) -> list[Told]:
    """The calls, one after the other. Every one is answered."""
    with proxy.client(lane.key) as client:
        return [_told(client, lane, call) for call in calls]


def _told(client: httpx.Client, lane: Lane, call: RecordedCall) -> Told:
    headers = {TIME_HEADER: str(call.at_seconds), CALL_HEADER: f"{lane.group}:{call.line}"}
    response = client.post("/v1/chat/completions", json={**lane.body(call), "extra_headers": headers})
    assert response.status_code == httpx.codes.OK, response.text[:2_000]
    if not call.request.get("stream"):
        return Told(_usage(response.json()), Decimal(response.headers["x-litellm-response-cost"]))
    events = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: {")]
    chunks = [json.loads(event) for event in events]
    assert not any("error" in chunk for chunk in chunks), chunks
    return Told(_usage(next(chunk for chunk in reversed(chunks) if chunk.get("usage"))), None)


def _usage(answer: Any) -> Usage:
    usage = read_usage(answer["usage"])
    assert usage is not None
    return usage


def assert_told(told: Sequence[Told], predicted: Sequence[Buckets], groups: Sequence[str]) -> None:
    """LiteLLM tells the client what was predicted, and asks the provider's price for it."""
    assert [astuple(answer.usage)[:4] for answer in told] == predicted
    prices = {group: prices_of_model(GROUPS[group].model) for group in set(groups)}
    for answer, group in zip(told, groups, strict=True):
        price = prices[group]
        assert price is not None
        if answer.cost_usd is not None:
            assert abs(answer.cost_usd - cost_usd(answer.usage, price)) < FLOAT_USD, group


def billed(proxy: ProviderProxy, lane: Lane) -> list[Accounted]:
    """The provider's account of the lane's calls, in their order."""
    assert proxy.upstream.caching is not None
    of_lane = [entry for entry in proxy.upstream.caching.accounted if (entry.call or "").split(":")[0] == lane.group]
    assert [entry.call for entry in of_lane] == [f"{lane.group}:{call.line}" for call in lane.calls()]
    return of_lane


def buckets(entries: Sequence[Accounted]) -> list[Buckets]:
    return [astuple(entry.usage)[:4] for entry in entries]


def test_the_conversations_have_what_they_are_for() -> None:
    """Tool loops, steps longer than the lookback, pauses past both lifetimes, every client, streams."""
    by_conversation: dict[tuple[str, str], list[RecordedCall]] = {}
    for lane in (*LANES, SHAKY):
        for call in lane.calls():
            by_conversation.setdefault((lane.group, call.conversation), []).append(call)
    assert len(by_conversation) == 230
    pauses = [
        now.at_seconds - before.at_seconds for calls in by_conversation.values() for before, now in pairwise(calls)
    ]
    for shortest, longest in ((299, 300), (300, 3_600), (3_600, 4_000)):
        assert sum(shortest < pause < longest for pause in pauses) > 10
    first = [calls[0].request for calls in by_conversation.values()]
    marked = Counter(json.dumps(body).count('"cache_control"') for body in first)
    assert all(marked[marks] > 15 for marks in (0, 1, 3, 4)), marked
    assert sum('"1h"' in json.dumps(body) for body in first) > 40
    assert sum(bool(body.get("stream")) for body in first) > 50
    last = [calls[-1].request["messages"] for calls in by_conversation.values()]
    steps = [len(message.get("tool_calls") or ()) for messages in last for message in messages]
    assert sum(calls > 0 for calls in steps) > 400
    assert sum(calls > 20 for calls in steps) > 50


@pytest.mark.full
def test_calls_are_billed_as_predicted(provider_proxy: ProviderProxy) -> None:
    """Tool loops, pauses past the lifetime, every style of client marks, streams: no call is refused or sent twice."""
    provider_proxy.upstream.caching = EmulatedCache()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = [pool.submit(sent, provider_proxy, lane, lane.calls()) for lane in LANES]
        reported = [job.result() for job in jobs]
    calls = [lane.calls() for lane in LANES]
    assert sum(len({call.conversation for call in of_lane}) for of_lane in calls) == 180
    assert len(provider_proxy.upstream.calls) == sum(map(len, calls))
    for lane, of_lane, told in zip(LANES, calls, reported, strict=True):
        replay = replay_of(lane.group, lane.policy)
        predicted = [astuple(replay.account(call)[lane.policy].usage)[:4] for call in of_lane]
        assert buckets(billed(provider_proxy, lane)) == predicted, lane.group
        assert_told(told, predicted, [lane.group] * len(of_lane))
        assert sum(read for _, read, _, _ in predicted) > 1_000 * len(of_lane), lane.group
        if GROUPS[lane.group].model.startswith("anthropic/"):
            assert sum(hour for _, _, _, hour in predicted) > 0, lane.group


@pytest.mark.full
def test_retries_and_fallbacks_are_billed_where_they_end(
    provider_proxy: ProviderProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failing attempts cost nothing; the last one is billed by the provider that answered, in the group's form."""
    provider_proxy.upstream.caching = EmulatedCache()
    rng = random.Random(5)
    calls = SHAKY.calls()
    failures = [rng.choices(ERRORS, k=rng.choices((0, 1, 2, 3), (60, 20, 14, 6))[0]) for _ in calls]
    for call, statuses in zip(calls, failures, strict=True):
        provider_proxy.upstream.fail(f"{SHAKY.group}:{call.line}", *(HttpError(status=status) for status in statuses))
    told = sent(provider_proxy, SHAKY, calls)
    entries = billed(provider_proxy, SHAKY)
    assert len(provider_proxy.upstream.calls) == len(calls) + sum(map(len, failures))
    ended = ["openai" if len(statuses) > RETRIES else "anthropic" for statuses in failures]
    assert [entry.provider for entry in entries] == ended
    assert len({call.conversation for call in calls}) == 50
    assert all(Counter(map(len, failures))[attempts] > 5 for attempts in range(4))

    router = litellm.Router(model_list=model_list("http://127.0.0.1:9"), fallbacks=FALLBACKS)
    monkeypatch.setitem(sys.modules, "litellm.proxy.proxy_server", SimpleNamespace(llm_router=router))
    common = Deployments().target(SHAKY.group, None, None)
    # Each attempt gets its own marks; where modules go and what is worth it is decided for all of them.
    decided = {
        name: getattr(common, name)
        for name in ("late_form", "takes_user_behind_result", "cache_read_share", "cache_write_share")
    }
    own = {"anthropic" if one.takes_marks else "openai": replace(one, **decided) for _, one in common.each}
    replays = {name: replay_of(group, "auto", own[name]) for name, group in ENDS.items()}
    predicted = [
        astuple(replays[provider].account(call)["auto"].usage)[:4] for call, provider in zip(calls, ended, strict=True)
    ]
    assert buckets(entries) == predicted
    assert_told(told, predicted, [ENDS[provider] for provider in ended])
    for provider in replays:
        assert sum(usage[1] for usage, name in zip(predicted, ended, strict=True) if name == provider) > 0, provider
