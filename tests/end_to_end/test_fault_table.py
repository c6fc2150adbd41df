"""What goes wrong around the proxy harms no client, and is told where it should be. Faults of files: ``test_policy``.

One proxy for all rows: its ledger lies on a small disk of its own, its response cache is a Redis that nobody runs, and
its clock can be set.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from litellm_prompt_router.operations.workers import Worker, attention, read_workers
from tests.emulators.envelopes import Behaviour, Envelopes
from tests.emulators.line_files import whole_lines
from tests.emulators.proxy import free_port
from tests.emulators.small_disk import fill, free, mounted
from tests.emulators.two_keys import CONFIG, TwoKeyProxy, running_two_keys
from tests.emulators.upstream import Upstream
from tests.end_to_end.workbench import PROMPT, TASK, TOOLS, conversation, system_text

pytestmark = [pytest.mark.proxy, pytest.mark.full]

PROBES = tuple(Path(__file__).parents[1] / "emulators" / f"{name}_probe.py" for name in ("clock", "fault"))
KEY_FAULTS, PAUSE_SECONDS = 3, 3.0
WAIT_SECONDS = 30.0
DISK = "512k"


@dataclass(frozen=True, kw_only=True, slots=True)
class Faulty:
    """The proxy and what around it can be broken. ``disk`` None: no small disk may be mounted here."""

    proxy: TwoKeyProxy
    disk: Path | None
    ledger: Path
    status_dir: Path
    clock: Path
    fault: Path

    def ask(self, outcome: str = "rewritten") -> Any:
        """One request that has to come out right: a 2xx with the whole answer, the rest as it was.

        Rewritten, or as ``outcome`` has it with the whole prompt. Each another one: LiteLLM caches answers in memory
        while its Redis is down.
        """
        task = f"{TASK} {uuid.uuid4().hex}"
        messages: Any = conversation(task=task)
        tools: Any = TOOLS
        before = len(self.proxy.upstream.calls)
        with self.proxy.openai("alpha") as client:
            raw = client.chat.completions.with_raw_response.create(model="claude", messages=messages, tools=tools)
        assert raw.http_response.status_code == 200
        assert raw.parse().choices[0].message.content == "Hello from the upstream."
        assert raw.headers["x-prompt-router-outcome"] == outcome
        [sent] = self.proxy.upstream.calls[before:]
        if outcome == "rewritten":
            assert len(system_text(sent.json)) < len(PROMPT)
        else:
            assert system_text(sent.json) == PROMPT
        assert task in json.dumps(sent.json)
        return raw

    def worker(self) -> Worker:
        workers, problems = read_workers(self.status_dir, time.time())
        assert problems == ()
        [worker] = workers
        return worker

    def told(self, text: str) -> bool:
        """True when `prompt-router status` would say so."""
        return any(text in line for line in attention((self.worker(),), time.time()))


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    """The example with two keys, surrounded by what can break."""
    folder = tmp_path_factory.mktemp("faults")
    config = shutil.copytree(CONFIG.parent, folder / "two_keys") / CONFIG.name
    for probe in PROBES:
        shutil.copy(probe, config.parent)
    stated = yaml.safe_load(config.read_text())
    stated["litellm_settings"] |= {
        "callbacks": ["clock_probe.probe", "fault_probe.probe", "hooks.callback.handler"],
        "cache": True,
        "cache_params": {"type": "redis", "host": "127.0.0.1", "port": free_port(), "max_messages": None},
    }
    stated["callback_settings"]["prompt_router"] |= {
        "status_dir": str(folder / "status"),
        "breaker": {"key_faults": KEY_FAULTS, "pause_seconds": PAUSE_SECONDS},
    }
    config.write_text(yaml.safe_dump(stated, sort_keys=False))
    disk = folder / "disk"
    disk.mkdir()
    env = {
        "CLOCK_PROBE_PATH": str(folder / "clock"),
        "FAULT_PROBE_PATH": str(folder / "fault"),
        "PROMPT_ROUTER_LEDGER__PATH": str(disk / "logs" / "ledger.jsonl"),
    }
    with (
        mounted(disk, DISK) as is_mounted,
        Upstream() as upstream,
        Envelopes() as envelopes,
        running_two_keys(upstream, envelopes, folder, config_path=config, env=env) as running,
    ):
        yield Faulty(
            proxy=running,
            disk=disk if is_mounted else None,
            ledger=disk / "logs" / "ledger.jsonl",
            status_dir=folder / "status",
            clock=folder / "clock",
            fault=folder / "fault",
        )


def wait(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"not told: {what}"
        time.sleep(0.2)


def parsed(line: str) -> dict[str, Any] | None:
    """The record; None for a line that broke off when the disk was full."""
    with contextlib.suppress(json.JSONDecodeError):
        found: dict[str, Any] = json.loads(line)
        return found
    return None


def record_of(faulty: Faulty, response: Any) -> dict[str, Any]:
    """The one record of the request that was answered so."""
    call_id = response.headers["x-litellm-call-id"]
    found: list[dict[str, Any]] = []

    def is_there() -> bool:
        text = faulty.ledger.read_text() if faulty.ledger.exists() else ""
        records = [record for line in text.splitlines() if (record := parsed(line)) is not None]
        found[:] = [record for record in records if record["call_id"] == call_id]
        return bool(found)

    wait(is_there, "in the ledger")
    [record] = found
    return record


def has_event(faulty: Faulty, title: str) -> bool:
    return any(event.get("message") == title for event in faulty.proxy.envelopes.events)


def test_a_response_cache_that_is_down(faulty: Faulty) -> None:
    """Nobody listens where LiteLLM's Redis should be: requests go their way, and are accounted."""
    record = record_of(faulty, faulty.ask())
    assert (record["outcome"], record["response_cached"], record["status"]) == ("rewritten", False, "success")


def test_a_ledger_folder_that_is_gone(faulty: Faulty) -> None:
    """A file stands in its place: told as an event and in the status; nothing is lost once it is put right."""
    folder = faulty.ledger.parent
    faulty.ask()
    wait(faulty.ledger.exists, "the ledger")
    away = folder.with_name("away")
    folder.rename(away)
    folder.write_text("in the way")
    faulty.proxy.envelopes.clear()
    try:
        responses = [faulty.ask() for _ in range(3)]
        wait(lambda: has_event(faulty, "Ledger not written"), "by an event")
        wait(lambda: faulty.told("the ledger can't be written"), "in the status")
    finally:
        folder.unlink()
        away.rename(folder)
    after = faulty.ask()
    for response in (*responses, after):
        assert record_of(faulty, response)["outcome"] == "rewritten"
    wait(lambda: not faulty.told("the ledger can't be written"), "in order again")


def test_a_full_disk(faulty: Faulty) -> None:
    """Told in the status; records wait and are written whole when there is room."""
    if faulty.disk is None:
        pytest.skip("mounting a small disk wants root and CAP_SYS_ADMIN")
    faulty.ask()
    wait(faulty.ledger.exists, "the ledger")
    fill(faulty.disk)
    try:
        responses = [faulty.ask() for _ in range(4)]
        wait(lambda: faulty.told("ENOSPC"), "in the status")
    finally:
        free(faulty.disk)
    after = faulty.ask()
    for response in (*responses, after):
        assert record_of(faulty, response)["status"] == "success"
    lines = whole_lines(faulty.ledger)
    assert sum(parsed(line) is None for line in lines) <= 1, "the one that the disk had no room to end"


@pytest.mark.parametrize("seconds", [86_400.0, -86_400.0], ids=["a day on", "a day back"])
def test_a_clock_that_jumps(faulty: Faulty, seconds: float) -> None:
    """Requests are rewritten and recorded, and no breaker, window or lag takes it for elapsed time."""
    faulty.ask()
    try:
        faulty.clock.write_text(str(seconds))
        record = record_of(faulty, faulty.ask())
        assert abs(record["finished_seconds"] - time.time() - seconds) < 600
        written = faulty.worker().status.written_seconds
        wait(lambda: abs(faulty.worker().status.written_seconds - time.time() - seconds) < 600, f"still {written}")
        status = faulty.worker().status
        assert (status.breaker.is_open, status.breaker.open_keys, status.ledger.lost) == (False, 0, 0)
        assert status.ledger.lag_seconds < 60
    finally:
        faulty.clock.unlink(missing_ok=True)
    assert record_of(faulty, faulty.ask())["status"] == "success"


def test_faults_of_our_own_open_the_breaker_and_a_probe_closes_it(faulty: Faulty) -> None:
    """Every request leaves as it came, from the third on without being tried; one event says so; then all is well."""
    faulty.ask()
    faulty.proxy.envelopes.clear()
    faulty.fault.touch()
    try:
        reasons = [faulty.ask("passthrough").headers["x-prompt-router-reason"] for _ in range(KEY_FAULTS + 2)]
    finally:
        faulty.fault.unlink()
    opened = time.monotonic()
    assert reasons == ["error"] * KEY_FAULTS + ["breaker"] * 2
    wait(lambda: has_event(faulty, "Breaker opened"), "by an event")
    time.sleep(max(0.0, opened + PAUSE_SECONDS - time.monotonic()))
    for _ in range(3):
        assert record_of(faulty, faulty.ask())["outcome"] == "rewritten"
    events = [event for event in faulty.proxy.envelopes.events if event.get("message") == "Breaker opened"]
    assert len(events) == 1


# Last: what is lost on the way to GlitchTip stays counted, and so does what waits behind a slow answer.


@pytest.mark.parametrize(
    ("behaviour", "seconds"),
    [
        pytest.param(Behaviour.ANSWERS_500, 0.0, id="500"),
        pytest.param(Behaviour.GARBAGE, 0.0, id="garbage"),
        pytest.param(Behaviour.REFUSES, 0.0, id="down"),
        pytest.param(Behaviour.SLOW, 10.0, id="slow"),
        pytest.param(Behaviour.ANSWERS_429, 5.0, id="429"),
    ],
)
def test_a_glitchtip_that_misbehaves(faulty: Faulty, behaviour: Behaviour, seconds: float) -> None:
    """The client and the ledger don't notice; the status counts what was lost, or what still waits."""

    def lost() -> int:
        return sum(faulty.worker().status.glitchtip.lost.values())

    before = lost()
    faulty.proxy.envelopes.behave(behaviour, seconds=seconds)
    try:
        responses = [faulty.ask() for _ in range(3)]
        for response in responses:
            assert record_of(faulty, response)["outcome"] == "rewritten"
        if behaviour is Behaviour.SLOW:
            wait(lambda: faulty.worker().status.glitchtip.pending, "that events wait")
        else:
            wait(lambda: lost() > before, "what was lost")
            assert faulty.told("didn't reach GlitchTip")
    finally:
        faulty.proxy.envelopes.clear()
