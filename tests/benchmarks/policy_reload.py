"""A proxy with four workers under steady load while its policy is edited, and the kill switch.

    python -m tests.benchmarks.policy_reload [--requests 1000] [--edits 50] [--broken 10] [--workers 4]

Says how many requests failed, how many obeyed a policy that wasn't in force when they began, and how long a change
and ``prompt-router stop`` took to reach the wire in every worker.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.emulators.envelopes import Envelopes
from tests.emulators.policy_proxy import ALIASES, RELOAD_SECONDS, PolicyProxy, running_policy_proxy
from tests.emulators.upstream import Upstream
from tests.end_to_end.workbench import PROMPT

THREADS = 8
MODES = ("rewrite", "shadow", "off")
OUTCOMES = {"rewrite": "rewritten", "shadow": "shadow", "off": "passthrough"}
BROKEN = ("rules:\n  - key: [key-1]\n    mode: rewrite\n", "rules: [\n", "rules: &a [*a]\n", "stop: perhaps\n")


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """A policy file, and when it was about to be put in place. ``label``: of its rule; None if it is broken."""

    written_seconds: float
    label: str | None
    mode: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One request, by the clock of the client."""

    began_seconds: float
    ended_seconds: float
    status: int
    call_id: str | None
    is_routed: bool
    """False for what passed while everything was stopped: the callback had no part in it, and keeps no record."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What came of a run. ``late_seconds``: the longest time an edit's forerunner was still obeyed."""

    requests: int
    failed: int
    unrecorded: int
    disobedient: int
    late_seconds: float
    breakages: int
    events: int


def text_of(number: int, mode: str) -> str:
    return f'rules:\n  - name: edit-{number}\n    keys: ["key-*"]\n    mode: "{mode}"\n'


def messages(text: str) -> list[dict[str, Any]]:
    return [{"role": "system", "content": PROMPT}, {"role": "user", "content": text}]


def load(proxy: PolicyProxy, requests: int, stop: threading.Event, aliases: Sequence[str] = ALIASES) -> list[Asked]:
    """So many requests over these keys, by some threads; fewer if stopped."""

    def ask(number: int) -> Asked | None:
        if stop.is_set():
            return None
        began = time.time()
        response = proxy.post(aliases[number % len(aliases)], messages(f"Sum up orders-{number}.csv by month"))
        return Asked(
            began_seconds=began,
            ended_seconds=time.time(),
            status=response.status_code,
            call_id=response.headers.get("x-litellm-call-id"),
            is_routed="x-prompt-router-outcome" in response.headers,
        )

    with ThreadPoolExecutor(THREADS) as pool:
        return [asked for asked in pool.map(ask, range(requests)) if asked is not None]


def edited_under_load(
    proxy: PolicyProxy, *, requests: int, edits: int, broken: int, pause: float, aliases: Sequence[str] = ALIASES
) -> Finding:
    """The load, with the policy edited from its start; it goes on until both are done."""
    proxy.envelopes.clear()
    done: list[Asked] = []
    stop = threading.Event()
    thread = threading.Thread(target=lambda: done.extend(load(proxy, requests, stop, aliases)))
    made = [Edit(written_seconds=0.0, label="rule 1 (edit-0)", mode="rewrite")]
    every = edits // broken if broken else edits + 1
    thread.start()
    for number in range(1, edits + 1):
        time.sleep(pause)
        written = time.time()
        if number % every == 0:
            proxy.replace(proxy.policy_path, BROKEN[number // every % len(BROKEN)] + f"# {number}\n")
            made.append(Edit(written_seconds=written, label=None, mode=None))
            time.sleep(pause)  # a breakage that nobody sees is none
        else:
            mode = MODES[number % len(MODES)]
            proxy.replace(proxy.policy_path, text_of(number, mode))
            made.append(Edit(written_seconds=written, label=f"rule 1 (edit-{number})", mode=mode))
    thread.join()
    wait_for_records(proxy, done)
    return judged(proxy, done, [edit for edit in made if edit.label], sum(not edit.label for edit in made))


def wait_for_records(proxy: PolicyProxy, asked: Sequence[Asked]) -> None:
    """Until each request that was answered, and not while all was stopped, has its record; some seconds at most."""
    wanted = {each.call_id for each in asked if each.status == 200 and each.is_routed}
    deadline = time.monotonic() + 15
    while not wanted <= proxy.records().keys() and time.monotonic() < deadline:
        time.sleep(0.2)


def judged(proxy: PolicyProxy, asked: Sequence[Asked], edits: Sequence[Edit], breakages: int) -> Finding:
    """Every request against the edits that could have been in force from its start to its end."""
    records = proxy.records()
    numbers = {edit.label: number for number, edit in enumerate(edits)}
    unrecorded = disobedient = 0
    late = 0.0
    for each in asked:
        record = records.get(each.call_id or "")
        if record is None:
            unrecorded += 1
            continue
        number = numbers.get(record["policy"])
        if number is None or record["outcome"] != OUTCOMES[str(edits[number].mode)]:
            disobedient += 1
            continue
        follower = edits[number + 1].written_seconds if number + 1 < len(edits) else float("inf")
        late = max(late, each.began_seconds - follower)
        if edits[number].written_seconds > each.ended_seconds:
            disobedient += 1
    told = {e["event_id"] for e in proxy.envelopes.events if e.get("message") == "Configuration not reloaded"}
    return Finding(
        requests=len(asked),
        failed=sum(each.status != 200 for each in asked),
        unrecorded=unrecorded,
        disobedient=disobedient,
        late_seconds=late,
        breakages=breakages,
        events=len(told),
    )


def stopped_under_load(proxy: PolicyProxy) -> tuple[float, float]:
    """Seconds from the start of `prompt-router stop`, and from the switch in the file, to the last rewritten request
    that began after; both under load."""
    stop = threading.Event()
    done: list[Asked] = []
    thread = threading.Thread(target=lambda: done.extend(load(proxy, 100_000, stop)))
    thread.start()
    time.sleep(2)
    command = [str(Path(sys.executable).with_name("prompt-router")), "stop", "--policy", str(proxy.policy_path)]
    began = time.time()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    switched = time.time()
    time.sleep(4)
    stop.set()
    thread.join()
    wait_for_records(proxy, done)
    records = proxy.records()
    rewritten = [a.began_seconds for a in done if a.is_routed]
    assert {a.call_id for a in done if a.is_routed} == {a.call_id for a in done} & records.keys()
    assert not all(a.is_routed for a in done)
    assert all(a.status == 200 for a in done)
    return max(rewritten) - began, max(0.0, max(rewritten) - switched)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, default in (("requests", 1_000), ("edits", 50), ("broken", 10), ("workers", 4)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--pause", type=float, default=0.8, help="seconds between edits")
    options = parser.parse_args()
    console = Console()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream, envelopes = stack.enter_context(Upstream()), stack.enter_context(Envelopes())
        running = running_policy_proxy(
            upstream, envelopes, folder, workers=options.workers, policy=text_of(0, "rewrite")
        )
        with running as proxy:
            proxy.until_all(lambda _: True, lambda: proxy.post(ALIASES[0], messages("Hello")))
            found = edited_under_load(
                proxy, requests=options.requests, edits=options.edits, broken=options.broken, pause=options.pause
            )
            console.print_json(json.dumps({name: getattr(found, name) for name in Finding.__dataclass_fields__}))
            proxy.replace(proxy.policy_path, text_of(0, "rewrite"))
            time.sleep(RELOAD_SECONDS)
            from_command, from_file = stopped_under_load(proxy)
            console.print(f"stop: {from_command:.2f} s from the command's start, {from_file:.2f} s from its end")


if __name__ == "__main__":
    main()
