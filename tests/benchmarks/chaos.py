"""Everything around a proxy breaks in turn while clients ask: what they saw, and whether each billed call has a record.

    python -m tests.benchmarks.chaos [--requests 3000] [--at-once 16] [--seed 0]

Two workers; a ledger on a small disk of its own (as root), GlitchTip, LiteLLM's cache in Redis (where it is installed).
A call fails because of us where the provider, its fallback, the client and the killing of processes all leave it whole,
and it isn't answered with a 200. Ends with 1 where there is one, where a billed call has no record, or where one is
there twice. What a killed worker had answered in its last second may be lost, and is counted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from litellm_prompt_router.files import bundled_profiles, load_profile
from litellm_prompt_router.profile.tokens import token_counter
from tests.benchmarks.chaos_judge import Call, Judged, judged
from tests.benchmarks.chaos_stage import (
    BROKEN,
    GONE,
    GOOD,
    KINDS,
    LATE,
    LEFT,
    LIMITED,
    MODEL,
    REFUSED,
    STREAMED,
    Act,
    Stage,
    running_stage,
    tag,
)
from tests.benchmarks.growing_conversations import tasks_in, tools_of
from tests.emulators.envelopes import Behaviour
from tests.emulators.line_files import whole_lines
from tests.emulators.proxy import wait_until_live
from tests.emulators.small_disk import fill, free

SHARES = {GOOD: 0.5, STREAMED: 0.2, GONE: 0.06, LEFT: 0.06, LIMITED: 0.06, BROKEN: 0.06, LATE: 0.02, REFUSED: 0.04}
CALL_ID = "x-litellm-call-id"
OUTCOME, REASON = "x-prompt-router-outcome", "x-prompt-router-reason"
GONE_SECONDS = 0.15
ANSWER_SECONDS = 60.0
RETRIES = 240
RETRY_SECONDS = 0.5
BROKEN_SECONDS = 3.0
"""After a process was ended, in which a connection that breaks is not our doing."""
SETTLE_SECONDS = 30.0
WIDTH = 120


@dataclass(kw_only=True, slots=True)
class Run:
    """What happened so far."""

    calls: list[Call] = field(default_factory=list)
    acts: list[tuple[int, str]] = field(default_factory=list)
    killed_at: list[float] = field(default_factory=list)
    stopped: list[tuple[float, float]] = field(default_factory=list)
    due: int = 0


def breaking(stage: Stage, run: Run, *, worker: bool) -> None:
    """Ends a worker as the system would, or the proxy as every restart does, which then starts once more."""
    now = time.monotonic()
    stage.broken_at.append(now)
    if worker:
        run.killed_at.append(now)
        os.kill(stage.workers()[-1], signal.SIGKILL)
        return
    stage.is_down = True
    stage.proxy.process.terminate()
    stage.proxy.process.wait(ANSWER_SECONDS)
    stage.proxy.process = stage.proxy.start()
    wait_until_live(stage.proxy)
    stage.broken_at.append(time.monotonic())
    stage.is_down = False


def acts(run: Run) -> Mapping[float, tuple[str, Act]]:
    """By the share of the calls after which it is done."""

    def killed(stage: Stage) -> None:
        breaking(stage, run, worker=True)

    def told(stage: Stage) -> None:
        breaking(stage, run, worker=False)

    def redis_killed(stage: Stage) -> None:
        if stage.redis is not None:
            stage.redis.process.kill()

    def stopped(stage: Stage) -> None:
        stage.switch_policy("stop: true\n")
        run.stopped.append((time.monotonic(), inf))

    def taken_back(stage: Stage) -> None:
        stage.switch_policy("stop: false\n")
        run.stopped[-1] = (run.stopped[-1][0], time.monotonic())

    return {
        0.08: ("the profile's folder is replaced by a later version", Stage.replace_profile),
        0.16: ("the ledger's disk is full", lambda stage: fill(stage.disk) if stage.has_disk else None),
        0.28: ("the ledger's disk has room again", lambda stage: free(stage.disk)),
        0.34: ("GlitchTip hangs", lambda stage: stage.envelopes.behave(Behaviour.SLOW, seconds=30.0)),
        0.44: ("GlitchTip is gone", lambda stage: stage.envelopes.behave(Behaviour.REFUSES)),
        0.50: ("GlitchTip is back", lambda stage: stage.envelopes.behave(Behaviour.WELL)),
        0.54: ("Redis is killed", redis_killed),
        0.62: ("a worker is killed", killed),
        0.72: ("the policy's `stop` is set", stopped),
        0.78: ("and taken back", taken_back),
        0.84: ("the disk is full again", lambda stage: fill(stage.disk) if stage.has_disk else None),
        0.90: ("the proxy is told to end, disk full, and started again", told),
        0.95: ("the disk has room again", lambda stage: free(stage.disk)),
    }


class Clients:
    """So many at once, each with the next call."""

    def __init__(self, stage: Stage, run: Run, requests: int, at_once: int, seed: int, progress: Progress) -> None:
        workbench = bundled_profiles() / "workbench"
        profile = load_profile(workbench, token_counter())
        self._tools, self._text = tools_of(profile), profile.text
        self._tasks = [str(task["text"]) for task in tasks_in(workbench)]
        self._stage, self._run, self._at_once = stage, run, at_once
        chance = random.Random(seed)
        kinds = chance.choices(list(SHARES), list(SHARES.values()), k=requests)
        self._calls = [Call(number=number, kind=kind) for number, kind in enumerate(kinds)]
        self._acts = {int(share * requests): act for share, act in acts(run).items()}
        self._progress, self._task = progress, progress.add_task("requests", total=requests)

    async def ask_all(self) -> None:
        headers = {"authorization": f"Bearer {self._stage.proxy.master_key}"}
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        waiting = iter(self._calls)
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:

            async def client() -> None:
                for call in waiting:
                    if act := self._acts.get(call.number):
                        self._run.acts.append((call.number, act[0]))
                        await asyncio.to_thread(act[1], self._stage)
                    await self._ask(session, call)
                    self._run.calls.append(call)
                    self._progress.advance(self._task)

            async with asyncio.TaskGroup() as group:
                for _ in range(self._at_once):
                    group.create_task(client())

    async def _ask(self, session: aiohttp.ClientSession, call: Call) -> None:
        body = self._body(call)
        while True:
            try:
                await self._once(session, call, body)
            except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
                call.detail = f"{type(error).__name__}: {error}"[:200]
                call.at = time.monotonic()
                if call.kind == GONE or not self._was_broken(call.at) or call.retried == RETRIES:
                    return
                call.retried += 1
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    def _was_broken(self, moment: float) -> bool:
        """Whether a process was ended shortly before, or has not come back since."""
        return self._stage.is_down or any(0 <= moment - at < BROKEN_SECONDS for at in self._stage.broken_at)

    async def _once(self, session: aiohttp.ClientSession, call: Call, body: Mapping[str, Any]) -> None:
        url = f"{self._stage.proxy.url}/v1/chat/completions"
        seconds = GONE_SECONDS if call.kind == GONE else ANSWER_SECONDS
        async with session.post(url, json=body, timeout=aiohttp.ClientTimeout(total=seconds)) as answer:
            call.call_id = answer.headers.get(CALL_ID)
            call.has_outcome = any(name in answer.headers for name in (OUTCOME, REASON))
            if call.kind == LEFT:
                await answer.content.readany()
                answer.close()
            else:
                text = await answer.read()
                call.detail = "" if answer.status == 200 else text[:200].decode("utf-8", "replace")
            call.status, call.at = answer.status, time.monotonic()

    def _body(self, call: Call) -> dict[str, Any]:
        said = f"{self._tasks[call.number % len(self._tasks)]} {tag(call.number, call.kind)}"
        messages = [{"role": "system", "content": self._text}, {"role": "user", "content": said}]
        body = {"model": MODEL, "messages": messages, "tools": self._tools}
        return body | ({"stream": True} if call.kind in (STREAMED, LEFT) else {})


def records_of(stage: Stage) -> tuple[list[dict[str, Any]], int]:
    """The records of ledger and overflow file, and how many lines don't parse."""
    files = [*sorted(stage.disk.glob("*.jsonl")), *sorted(stage.folder.glob("overflow*.jsonl"))]
    found, torn = [], 0
    for line in (line for file in files for line in whole_lines(file)):
        try:
            found.append(json.loads(line))
        except ValueError:
            torn += 1
    return found, torn


def settled(stage: Stage, run: Run) -> Judged:
    """Once every answered call has its record, or after so long."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        records, torn = records_of(stage)
        found = judged(
            run.calls, records, torn, killed_at=run.killed_at, billed=stage.provider.answered, stopped=run.stopped
        )
        if not found.missing or time.monotonic() > deadline:
            return found
        time.sleep(1.0)


def tables(run: Run, found: Judged, stage: Stage) -> Sequence[Table]:
    kinds = Table("calls", "", "200", "400", "other", "no answer", "asked again", title="What clients saw")
    by_kind: dict[str, list[Call]] = defaultdict(list)
    for call in run.calls:
        by_kind[call.kind].append(call)
    for kind, name in KINDS.items():
        calls = by_kind[kind]
        statuses = Counter(call.status for call in calls)
        other = len(calls) - statuses[200] - statuses[400] - statuses[None]
        again = sum(call.retried > 0 for call in calls)
        row = (len(calls), name, statuses[200], statuses[400], other, statuses[None], again)
        kinds.add_row(*map(str, row))
    done = Table("before call", "what was done", title="What was done")
    for number, what in run.acts:
        done.add_row(f"{number:,}", what)
    outcome = Table("", "", title="What came of it", show_header=False)
    outcome.add_row("failed because of us", str(len(found.ours)))
    outcome.add_row("answers by the provider", f"{found.billed:,}")
    outcome.add_row("of these to clients that had gone, or asked again", f"{found.unheard:,}")
    outcome.add_row("records of answered calls", f"{found.recorded:,}")
    outcome.add_row("passed while `stop` was set, which leaves no record", str(found.stopped))
    outcome.add_row("answered calls without a record", str(len(found.missing)))
    outcome.add_row("of these in the last second of a killed worker", str(found.last_second))
    outcome.add_row("records there twice; lines that don't parse", f"{found.doubled}; {found.torn}")
    outcome.add_row(
        "events and transactions at GlitchTip", f"{len(stage.envelopes.events) + len(stage.envelopes.transactions):,}"
    )
    return kinds, done, outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=3_000)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder in which all files stay")
    arguments = parser.parse_args()
    console = Console(width=WIDTH)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        run = Run()
        with running_stage(folder) as stage:
            with Progress(console=console, transient=True) as progress:
                clients = Clients(stage, run, arguments.requests, arguments.at_once, arguments.seed, progress)
                asyncio.run(clients.ask_all())
            found = settled(stage, run)
            for table in tables(run, found, stage):
                console.print(table)
            if not (stage.has_disk and stage.redis):
                console.print(
                    "left out: "
                    + ", ".join(["the full disk"] * (not stage.has_disk) + ["Redis"] * (stage.redis is None))
                )
            for call in (*found.ours, *found.missing)[:80]:
                ahead = min((at - call.at for at in stage.broken_at if at >= call.at), default=None)
                when = "" if ahead is None else f", {ahead:.1f} s before a process was ended"
                console.print(
                    f"{call.number} {call.kind}: {call.status} {call.call_id}{when} {call.detail}", markup=False
                )
    sys.exit(not found.is_good)


if __name__ == "__main__":
    main()
