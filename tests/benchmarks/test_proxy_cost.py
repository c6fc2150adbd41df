"""The arithmetic of what a proxy costs: ratios, the order of rounds, conversations that grow, and what /proc says."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from itertools import pairwise

import aiohttp
import pytest

from litellm_prompt_router.files import bundled_profiles, load_profile
from tests.benchmarks.growing_conversations import lanes, tasks_in
from tests.benchmarks.load import next_batch, quantile, send
from tests.benchmarks.plain_provider import PlainProvider, answer_to, running_plain_provider
from tests.benchmarks.process_use import cpu_seconds, cpu_seconds_in, family, memory_mb, parent_in, settled_cpu_seconds
from tests.benchmarks.proxy_cost import Measured, order_of, ratio
from tests.benchmarks.side_by_side import BARE, NOOP, OFF, REWRITE, ROOT, VARIANTS, config_of


def measured(cpu_ms: float) -> Measured:
    return Measured(cpu_ms=cpu_ms, p50_ms=1.0, p99_ms=2.0, requests_a_second=100.0)


def test_ratios_are_of_one_round() -> None:
    """A round in which everything took twice as long counts like any other."""
    rounds = [{"a": measured(12), "b": measured(10)}, {"a": measured(26), "b": measured(20)}]
    rounds.append({"a": measured(11), "b": measured(10)})
    found = ratio(rounds, "a", "cpu_ms", "b")
    assert (found.median, found.least, found.greatest) == (1.2, 1.1, 1.3)
    assert str(found) == "1.20 (1.10-1.30)"
    assert ratio(rounds, "b", "requests_a_second", "b").median == 1.0


def test_each_proxy_is_measured_at_every_place() -> None:
    orders = [order_of(VARIANTS, number) for number in range(len(VARIANTS))]
    assert all(sorted(order) == sorted(VARIANTS) for order in orders)
    assert {order[0] for order in orders} == set(VARIANTS)
    assert len({tuple(order) for order in orders}) == len(orders)


def test_conversations_grow_and_have_the_asked_length_on_average() -> None:
    """Each call goes on from the one before, with its answer; a lane that has grown out begins anew."""
    folder = bundled_profiles() / "workbench"
    running = lanes(load_profile(folder, len), tasks_in(folder), "m", 16, 10)
    calls = [[next(lane)["messages"] for _ in range(40)] for lane in running]
    for own in calls:
        for earlier, later in pairwise(own):
            assert len(later) == 2 or (later[: len(earlier)] == earlier and len(later) in range(len(earlier) + 2, 30))
    lengths = [len(messages) for own in calls for messages in own]
    assert 8 <= sum(lengths) / len(lengths) <= 12
    assert len({len(own[0]) for own in calls}) > 4
    assert len({own[0][0]["content"] for own in calls}) == 16


def test_batches_keep_the_order_of_each_lane() -> None:
    lanes_of_numbers = [iter([{"n": 10 * lane + number} for number in range(9)]) for lane in range(3)]
    assert next_batch(lanes_of_numbers, 4) == [[b'{"n": 0}', b'{"n": 1}'], [b'{"n": 10}'], [b'{"n": 20}']]
    assert next_batch(lanes_of_numbers, 1)[0] == [b'{"n": 2}']


def test_quantiles() -> None:
    assert (quantile(range(100), 0.5), quantile(range(100), 0.99), quantile([7.0], 0.99)) == (50, 99, 7.0)


def test_what_proc_says() -> None:
    """The name may hold anything; children that have ended count with their parent."""
    stat = f"7 (a) b (c) S 3 {' '.join(['0'] * 9)} 100 20 3 1 {' '.join(['0'] * 30)}"
    assert cpu_seconds_in(stat) == 124 / os.sysconf("SC_CLK_TCK")
    assert parent_in(stat) == 3
    before = cpu_seconds(os.getpid())
    began = time.process_time()
    while time.process_time() - began < 0.1:
        pass
    assert cpu_seconds(os.getpid()) > before
    assert os.getpid() in family(os.getppid())
    assert memory_mb(os.getpid()) > 1


def test_settled_means_that_nothing_is_being_worked_off() -> None:
    seen = iter([1.0, 2.0, 2.5, 2.5001, 9.0])
    assert settled_cpu_seconds(0, read=lambda _: next(seen), sleep=lambda _: None) == 2.5001


def test_variants_differ_in_the_callback_alone() -> None:
    provider = PlainProvider(port=1)
    configs = {name: config_of(name, bundled_profiles(), provider) for name in VARIANTS}
    assert len({str(config["model_list"]) for config in configs.values()}) == 1
    assert configs[NOOP]["litellm_settings"]["callbacks"] == ["noop_callback.handler"]
    sections = {name: configs[name]["callback_settings"]["prompt_router"] for name in (OFF, REWRITE, BARE)}
    assert [sections[name]["mode"] for name in sections] == ["off", "rewrite", "rewrite"]
    assert sections[BARE]["ledger"]["path"] is None is sections[BARE]["glitchtip"]["dsn"]
    assert sections[OFF]["glitchtip"] == sections[REWRITE]["glitchtip"]


def test_calls_arrive_at_the_provider_and_are_answered() -> None:
    """Over real connections, several at once; usage adds up to the body's length."""
    batch = [[b'{"n": 1}', b'{"n": 2}'], [b'{"n": 3}']]
    with running_plain_provider() as provider:
        load = send(provider.url, "key", batch, 2)
        assert len(load.seconds) == 3
        assert load.p50_ms <= load.p99_ms

        async def envelope() -> str:
            url = f"{provider.url}/api/1/envelope/"
            async with aiohttp.ClientSession() as session, session.post(url, data=b"x" * 100_000) as answer:
                return await answer.text()

        assert asyncio.run(envelope()) == '{"id":"plain"}'
    assert b'"cache_read_input_tokens": 9170' in answer_to("/v1/messages", 40_000)


def test_a_failed_call_is_no_figure() -> None:
    with running_plain_provider() as provider, pytest.raises(ExceptionGroup):
        send(f"{provider.url}1", "key", [[b"{}"]], 1)


def test_whoever_is_told_to_end_ends_what_it_started() -> None:
    """SIGTERM leaves the ``with`` blocks, in which proxies and the provider end."""
    program = """
import time
from tests.benchmarks.plain_provider import running_plain_provider
from tests.benchmarks.side_by_side import end_cleanly_when_told
end_cleanly_when_told()
with running_plain_provider() as provider:
    print(provider.port, flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        process.terminate()
        assert process.wait(30) == 128 + signal.SIGTERM
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", port))
