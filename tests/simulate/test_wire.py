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
from dataclasses import astuple, dataclass
from types import SimpleNamespace
from typing import Any

import httpx
import litellm
import pytest

from hooks.cachemodel import BlockReader, anthropic_rules, openai_rules
from hooks.data import Target
from hooks.deployments import Deployments, target_of_model
from hooks.library import bundled_profiles, load_profiles
from hooks.provider_wire import ClaudeWire
from hooks.simulate import Call, Policy, Replay, rewrites_of, with_good_marks
from hooks.tokens import token_counter
from hooks.wire import read_usage
from tests.emulators.caching import CALL_HEADER, TIME_HEADER, Accounted, EmulatedCache
from tests.emulators.providers import FALLBACKS, GROUPS, RETRIES, KeyName, ProviderProxy, model_list
from tests.emulators.upstream import HttpError
from tests.simulate.recordings import recorded

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

    def calls(self) -> tuple[Call, ...]:
        return recorded([*GROUPS].index(self.group), self.conversations, self.group)

    def body(self, call: Call) -> Mapping[str, Any]:
        """What the client sends; the baseline's marks are its own, past the router."""
        return with_good_marks(call.request) if self.policy == "full-cached" else call.request


LANES = (
    Lane(group="claude", conversations=60),
    Lane(group="claude-mid", conversations=45),
    Lane(group="gpt", conversations=40),
    Lane(group="gpt-new", conversations=15),
    Lane(group="plain", conversations=20, policy="full-cached"),
)
SHAKY = Lane(group="shaky", conversations=50)
ERRORS = (500, 503, 529, 429)


def replay_of(group: str, policy: Policy, target: Target | None = None) -> Replay:
    """The simulator as the command sets it up, for one policy and, behind a fallback, another target."""
    model = GROUPS[group].model
    count, reader = token_counter(), BlockReader(token_counter())
    profiles = load_profiles(bundled_profiles(), count)
    rewrites = rewrites_of(profiles, count, target or target_of_model(model), coverage_floor=COVERAGE_FLOOR)
    chosen = {policy: rewrites[policy]}
    if not model.startswith("anthropic/"):
        return Replay(chosen, reader.openai, openai_rules(model))
    wire = ClaudeWire(model)
    return Replay(chosen, lambda body: reader.anthropic(wire.body(body)), anthropic_rules(model))


def sent(proxy: ProviderProxy, lane: Lane, calls: Sequence[Call]) -> list[Buckets]:
    """What LiteLLM tells the client of each call's usage. Every call is answered."""
    with proxy.client(lane.key) as client:
        return [_usage(_posted(client, lane, call)) for call in calls]


def _posted(client: httpx.Client, lane: Lane, call: Call) -> Any:
    headers = {TIME_HEADER: str(call.at_seconds), CALL_HEADER: f"{lane.group}:{call.line}"}
    response = client.post("/v1/chat/completions", json={**lane.body(call), "extra_headers": headers})
    assert response.status_code == httpx.codes.OK, response.text[:2_000]
    if not call.request.get("stream"):
        return response.json()
    events = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: {")]
    chunks = [json.loads(event) for event in events]
    assert not any("error" in chunk for chunk in chunks), chunks
    return next(chunk for chunk in reversed(chunks) if chunk.get("usage"))


def _usage(answer: Any) -> Buckets:
    usage = read_usage(answer["usage"])
    assert usage is not None
    return astuple(usage)[:4]


def billed(proxy: ProviderProxy, lane: Lane) -> list[Accounted]:
    """The provider's account of the lane's calls, in their order."""
    assert proxy.upstream.caching is not None
    of_lane = [entry for entry in proxy.upstream.caching.accounted if (entry.call or "").split(":")[0] == lane.group]
    assert [entry.call for entry in of_lane] == [f"{lane.group}:{call.line}" for call in lane.calls()]
    return of_lane


def buckets(entries: Sequence[Accounted]) -> list[Buckets]:
    return [astuple(entry.usage)[:4] for entry in entries]


def test_calls_are_billed_as_predicted(provider_proxy: ProviderProxy) -> None:
    """Tool loops, pauses past the lifetime, every style of client marks, streams: no call is refused or sent twice."""
    provider_proxy.upstream.caching = EmulatedCache()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = [pool.submit(sent, provider_proxy, lane, lane.calls()) for lane in LANES]
        reported = [job.result() for job in jobs]
    calls = [lane.calls() for lane in LANES]
    assert sum(len({call.conversation for call in of_lane}) for of_lane in calls) == 180
    assert len(provider_proxy.upstream.requests) == sum(map(len, calls))
    for lane, of_lane, told in zip(LANES, calls, reported, strict=True):
        replay = replay_of(lane.group, lane.policy)
        predicted = [astuple(replay.account(call)[lane.policy].usage)[:4] for call in of_lane]
        assert buckets(billed(provider_proxy, lane)) == predicted, lane.group
        assert told == predicted, lane.group
        assert sum(read for _, read, _, _ in predicted) > 1_000 * len(of_lane), lane.group
        if GROUPS[lane.group].model.startswith("anthropic/"):
            assert sum(hour for _, _, _, hour in predicted) > 0, lane.group


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
    assert len(provider_proxy.upstream.requests) == len(calls) + sum(map(len, failures))
    ended = ["openai" if len(statuses) > RETRIES else "anthropic" for statuses in failures]
    assert [entry.provider for entry in entries] == ended
    assert len({call.conversation for call in calls}) == 50
    assert all(Counter(map(len, failures))[attempts] > 5 for attempts in range(4))

    router = litellm.Router(model_list=model_list("http://127.0.0.1:9"), fallbacks=FALLBACKS)
    monkeypatch.setitem(sys.modules, "litellm.proxy.proxy_server", SimpleNamespace(llm_router=router))
    target = Deployments().target(SHAKY.group, None, None)
    replays = {name: replay_of(group, "auto", target) for name, group in (("anthropic", "shaky"), ("openai", "spare"))}
    predicted = [
        astuple(replays[provider].account(call)["auto"].usage)[:4] for call, provider in zip(calls, ended, strict=True)
    ]
    assert buckets(entries) == predicted
    assert told == predicted
    for provider in replays:
        assert sum(usage[1] for usage, name in zip(predicted, ended, strict=True) if name == provider) > 0, provider
