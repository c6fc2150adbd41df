"""Four workers and another proxy, in turn: whoever answers, the same conversation is sent the same way."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from litellm_prompt_router.operations.workers import attention, read_workers
from tests.emulators.envelopes import Envelopes
from tests.emulators.policy_proxy import running_policy_proxy
from tests.emulators.two_keys import TwoKeyProxy
from tests.emulators.upstream import Upstream
from tests.end_to_end.workbench import TOOLS, conversation

pytestmark = pytest.mark.proxy

WORKERS = 4
ROUNDS = 8
WAIT_SECONDS = 30.0


@pytest.mark.full
def test_the_rewrite_is_the_same_whoever_answers(
    two_key_proxy: TwoKeyProxy, upstream: Upstream, envelopes: Envelopes, tmp_path: Any
) -> None:
    """Byte for byte in the body, round robin over two proxies; and `status` sees every worker, all of one mind."""
    talk = conversation()
    two_key_proxy.clear()
    with running_policy_proxy(upstream, envelopes, tmp_path, workers=WORKERS, policy="stop: false\n") as proxy:
        for _ in range(ROUNDS):
            assert proxy.post("key-0", talk, tools=TOOLS).headers["x-prompt-router-outcome"] == "rewritten"
            with two_key_proxy.openai("alpha") as client:
                given: Any = {"messages": talk, "tools": TOOLS}
                client.chat.completions.create(model="claude", **given)
        deadline = time.monotonic() + WAIT_SECONDS
        answered = 0
        while answered < ROUNDS and time.monotonic() < deadline:
            workers, problems = read_workers(tmp_path / "status", time.time())
            answered = sum(worker.status.counters.requests for worker in workers)
            time.sleep(0.5)
        assert (len(workers), answered, problems, attention(workers, time.time())) == (WORKERS, ROUNDS, (), ())
        assert len({worker.status.policy.digest for worker in workers}) == 1
    bodies = {json.dumps(request.json) for each in (upstream, two_key_proxy.upstream) for request in each.calls}
    assert len(upstream.calls) == len(two_key_proxy.upstream.calls) == ROUNDS
    assert len(bodies) == 1
