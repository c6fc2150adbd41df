"""The ledger of a proxy that is killed, or told to end, while it answers."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest

from litellm_prompt_router.telemetry.rotation import rotated_files
from tests.emulators.proxy import RunningProxy, running_proxy
from tests.end_to_end.test_boot import CONFIG
from tests.end_to_end.workbench import conversation

pytestmark = pytest.mark.proxy

WORKERS = 2
CLIENTS = 8
LOAD_SECONDS = 6.0
MOST_SECONDS = 60.0
SAFE_SECONDS = 1.0
LOGGED_SECONDS = 0.3
"""Until LiteLLM has told its callbacks of an answer, under this load."""
STOP_SECONDS = 30.0
CALL_ID = "x-litellm-call-id"


class Load:
    """Clients that ask as fast as they are answered, and when they were."""

    def __init__(self, proxy: RunningProxy) -> None:
        self.answered: dict[str, float] = {}
        self._proxy = proxy
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def last(self, seconds: float, settled_seconds: float) -> None:
        """Goes on for so long, and on a busy machine until more calls than clients were answered so long ago."""
        time.sleep(seconds)
        deadline = time.monotonic() + MOST_SECONDS
        while self._answered_before(time.monotonic() - settled_seconds) <= CLIENTS and time.monotonic() < deadline:
            time.sleep(0.1)

    def _answered_before(self, moment: float) -> int:
        return sum(at < moment for at in list(self.answered.values()))

    def end(self) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        authorization = {"authorization": f"Bearer {self._proxy.master_key}"}
        with httpx.Client(base_url=self._proxy.url, headers=authorization, trust_env=False, timeout=30) as client:
            while not self._is_over.is_set():
                try:
                    response = client.post("/v1/chat/completions", json={"model": "demo", "messages": conversation()})
                except httpx.TransportError:
                    return
                if response.status_code == httpx.codes.OK:
                    self.answered[response.headers[CALL_ID]] = time.monotonic()


def family(pid: int) -> list[int]:
    """The process and all that came of it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += family(int(child))
    return found


@pytest.mark.full
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="Linux only")
def test_a_killed_proxy_loses_at_most_the_last_second(tmp_path: Path) -> None:
    """Two workers under load, rotating: the record of every answer older than a second is there, once, and parses."""
    path = tmp_path / "ledger.jsonl"
    env = {"PROMPT_ROUTER_LEDGER__PATH": str(path), "PROMPT_ROUTER_LEDGER__MAX_MB": "1"}
    with running_proxy(CONFIG, env=env, cwd=tmp_path, args=("--num_workers", str(WORKERS))) as proxy:
        load = Load(proxy)
        load.last(LOAD_SECONDS, SAFE_SECONDS)
        processes = family(proxy.process.pid)
        killed = time.monotonic()
        for process in processes:
            os.kill(process, signal.SIGKILL)
        load.end()
    assert len(processes) > WORKERS
    raw = b"".join(file.read_bytes() for file in (*rotated_files(path), path))
    whole, _, _ = raw.rpartition(b"\n")
    calls = [json.loads(line)["call_id"] for line in whole.splitlines()]
    assert len(calls) == len(set(calls))
    due = {call for call, at in load.answered.items() if at < killed - SAFE_SECONDS}
    assert len(due) > CLIENTS
    assert due <= set(calls)


@pytest.mark.full
@pytest.mark.parametrize("workers", [1, 2])
def test_a_proxy_that_is_told_to_end_loses_nothing(tmp_path: Path, workers: int) -> None:
    """SIGTERM under load, as every restart sends it: each answer has its record, and no worker's status file stays.

    Answers of the last moment are LiteLLM's: it logs behind the answer, and may end before it has.
    """
    path = tmp_path / "ledger.jsonl"
    env = {"PROMPT_ROUTER_LEDGER__PATH": str(path)}
    args = ("--num_workers", str(workers), "--timeout_worker_healthcheck", "60")
    with running_proxy(CONFIG, env=env, cwd=tmp_path, args=args) as proxy:
        load = Load(proxy)
        load.last(LOAD_SECONDS / 3, LOGGED_SECONDS)
        assert list(tmp_path.glob("status/worker-*.json"))
        told = time.monotonic()
        proxy.process.terminate()
        proxy.process.wait(STOP_SECONDS)
        load.end()
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    due = {call for call, at in load.answered.items() if at < told - LOGGED_SECONDS}
    assert len(due) > CLIENTS
    assert due <= {record["call_id"] for record in records}
    assert not list(tmp_path.glob("status/*"))
