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

from litellm_prompt_router.operations.workers import attention, read_workers
from litellm_prompt_router.telemetry.rotation import rotated_files
from tests.emulators.proxy import RunningProxy, running_proxy
from tests.emulators.small_disk import fill, mounted
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


@pytest.mark.full
@pytest.mark.parametrize("overflows", [True, False])
def test_a_proxy_that_is_told_to_end_while_the_disk_is_full(tmp_path: Path, overflows: bool) -> None:
    """SIGTERM under load: each answer's record is in the ledger or its overflow file, once; else their number is told.

    In the log at ERROR, and in ``status`` when the proxy is gone.
    """
    disk, overflow = tmp_path / "disk", tmp_path / "overflow.jsonl"
    disk.mkdir()
    env = {
        "PROMPT_ROUTER_LEDGER__PATH": str(disk / "ledger.jsonl"),
        "PROMPT_ROUTER_STATUS_DIR": str(tmp_path / "status"),
    }
    if overflows:
        env["PROMPT_ROUTER_LEDGER__OVERFLOW_PATH"] = str(overflow)
    args = ("--num_workers", str(WORKERS), "--timeout_worker_healthcheck", "60")
    with mounted(disk, "8m") as is_mounted:
        if not is_mounted:
            pytest.skip("mounting a small disk wants root and CAP_SYS_ADMIN")
        with running_proxy(CONFIG, env=env, cwd=tmp_path, args=args, log_path=tmp_path / "proxy.log") as proxy:
            load = Load(proxy)
            load.last(LOAD_SECONDS / 3, LOGGED_SECONDS)
            fill(disk)
            load.last(LOAD_SECONDS / 3, LOGGED_SECONDS)
            told = time.monotonic()
            proxy.process.terminate()
            proxy.process.wait(STOP_SECONDS)
            load.end()
            log = proxy.log()
        files = [file for file in (disk / "ledger.jsonl", overflow) if file.exists()]
        calls = [json.loads(line)["call_id"] for file in files for line in file.read_text("utf-8").splitlines()]
    due = {call for call, at in load.answered.items() if at < told - LOGGED_SECONDS}
    assert len(due) > CLIENTS
    assert len(calls) == len(set(calls))
    if overflows:
        assert due <= set(calls)
        assert not list(tmp_path.glob("status/*"))
        return
    missing = due - set(calls)
    assert missing
    workers, problems = read_workers(tmp_path / "status", time.time())
    assert problems == ()
    assert sum(worker.status.lost_records.total for worker in workers) >= len(missing)
    assert all("records lost (at_end" in line for line in attention(workers, time.time()))
    assert "records were not written to the ledger (at_end" in log
