"""How the hook grows with profiles, prompt, messages and modules, and how long it holds a worker's event loop.

    LITELLM_LOCAL_MODEL_COST_MAP=True python -m tests.benchmarks.scaling [--quick] [--only profiles messages]

Every row is a process of its own that ends after ``--seconds`` at the latest. Times are of the processor, so that other
work on the machine counts for nothing: the hook on the event loop at the median, the longest that the loop was held at
once, and what all threads used. ``json.loads`` is of the same body in the same process.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import gc
import itertools
import json
import multiprocessing
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from litellm.caching.caching import DualCache
from litellm.proxy._types import UserAPIKeyAuth
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from litellm_prompt_router.files import load_profile
from litellm_prompt_router.gateway.plugin import PromptRouter
from litellm_prompt_router.policy.active import active_configuration
from litellm_prompt_router.policy.settings import load_settings
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.pipeline import Pipeline
from tests.benchmarks.hot_path import MESSAGES, synthetic_profile
from tests.benchmarks.load import quantile
from tests.benchmarks.request_order import ENDPOINT, GROUP, use_router
from tests.benchmarks.side_by_side import end_cleanly_when_told

CALLS = 15
WARM_UP = 3
"""Calls of short conversations: what a process does once is not of its calls."""
MEASURED_SECONDS = 8.0
WIDTH = 120
OTHER_CHARS, OTHER_MODULES = 20_000, 5
MIXED = 20
"""Profiles whose lines are mixed."""

Prompt = Literal["known", "unknown", "mixed lines"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What is sent to a hook that knows so much."""

    profiles: int = 1
    chars: int = 65_000
    modules: int = 20
    messages: int = 2
    prompt: Prompt = "known"
    goes_on: bool = False
    """Each call continues the conversation before it, in place of a first sight of another one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Of one case, in milliseconds."""

    parsing_ms: float
    hook_ms: float
    held_ms: float
    all_threads_ms: float
    calls: int


def cases(*, is_quick: bool) -> dict[str, list[Case]]:
    """By what grows."""
    prompts: tuple[Prompt, ...] = ("known", "unknown", "mixed lines")
    profiles = (1, 10, 100) if is_quick else (1, 10, 100, 300, 1_000)
    chars = (10_000, 65_000, 250_000) if is_quick else (10_000, 65_000, 250_000, 1_000_000)
    messages = (2, 100, 2_000) if is_quick else (2, 20, 200, 2_000, 20_000)
    modules = (10, 100) if is_quick else (10, 60, 200, 500)
    return {
        "profiles": [Case(profiles=count, prompt=prompt) for prompt in prompts for count in profiles],
        "characters": [Case(chars=count, modules=60) for count in chars],
        "messages": [Case(messages=count, goes_on=goes_on) for goes_on in (False, True) for count in messages],
        "modules": [Case(modules=count, chars=250_000) for count in modules],
    }


def profiles_of(case: Case) -> list[Profile]:
    """The first is the one that is sent; the others are smaller, so that they can be made in a bearable time."""
    others = (_profile(number, OTHER_CHARS, OTHER_MODULES) for number in range(1, case.profiles))
    return [_profile(0, case.chars, case.modules), *others]


@functools.cache
def _profile(number: int, chars: int, modules: int) -> Profile:
    with tempfile.TemporaryDirectory() as folder:
        made = synthetic_profile(Path(folder), chars=chars, modules=modules, name=f"p{number}", seed=number)
        return load_profile(made, len)


def system_text(case: Case, profiles: Sequence[Profile], chance: random.Random) -> str:
    if case.prompt == "known":
        samples = (part.sample for module in profiles[0].modules for part in module.parts if not isinstance(part, str))
        rows = "\n".join(f"in/file-{chance.randrange(10**6)}.csv" for _ in range(12))
        return profiles[0].text.replace(next(samples), f'<workspace_listing root="/w">\n{rows}\n</workspace_listing>')
    if case.prompt == "unknown":
        words = [word for profile in profiles[:MIXED] for word in profile.text.split()[:200]]
        lines = (" ".join(chance.choices(words, k=12)) for _ in range(case.chars // 40))
    else:
        known = [line for profile in profiles[:MIXED] for line in profile.text.splitlines()]
        lines = (chance.choice(known) for _ in range(case.chars // 40))
    return "\n".join(lines)[: case.chars]


def bodies(case: Case, profiles: Sequence[Profile]) -> Iterator[dict[str, Any]]:
    """Calls of other conversations each, or of one that grows."""
    number = 0
    body: dict[str, Any] = {}
    while True:
        chance = random.Random(f"{case.messages} {number}")
        if not body or not case.goes_on:
            text = system_text(case, profiles, chance)
            messages = [{"role": "system", "content": text}, _asked(chance)]
            for _ in range((case.messages - 2) // 2):
                messages += [_answered(chance), _asked(chance)]
            body = {"model": GROUP, "messages": messages}
        else:
            body = {**body, "messages": [*body["messages"], _answered(chance), _asked(chance)]}
        yield body
        number += 1


def _asked(chance: random.Random) -> dict[str, Any]:
    """Words that nobody has said before."""
    return {"role": "user", "content": f"{chance.choice(MESSAGES)}, number {chance.randrange(10**9)}"}


def _answered(chance: random.Random) -> dict[str, Any]:
    return {"role": "assistant", "content": f"Number {chance.randrange(10**9)} is done. " * 5}


class LoopWatch:
    """The longest stretch, in processor time, in which an event loop got to nothing else."""

    def __init__(self) -> None:
        self.longest_seconds = 0.0
        self._last = time.thread_time()

    async def run(self) -> None:
        while True:
            now = time.thread_time()
            self.longest_seconds = max(self.longest_seconds, now - self._last)
            self._last = now
            await asyncio.sleep(0)


async def _measure(hook: PromptRouter, sent: Iterator[dict[str, Any]], skipped: int) -> Found:
    parsing, hooks, held, everywhere = [], [], [], []
    key, cache = UserAPIKeyAuth(api_key="0" * 64, key_alias="bench"), DualCache()
    began = time.monotonic()
    for number in range(CALLS + skipped):
        wire = json.dumps(next(sent))
        started = time.thread_time()
        body = json.loads(wire)
        parsing.append(time.thread_time() - started)
        data = {**body, "metadata": {}, "litellm_call_id": f"call-{number}"}
        watch = LoopWatch()
        watching = asyncio.create_task(watch.run())
        await asyncio.sleep(0)
        loop, threads = time.thread_time(), time.process_time()
        await hook.async_pre_call_hook(key, cache, data, ENDPOINT)
        hooks.append(time.thread_time() - loop)
        everywhere.append(time.process_time() - threads)
        await asyncio.sleep(0)
        watching.cancel()
        held.append(watch.longest_seconds)
        if time.monotonic() - began > MEASURED_SECONDS and number > skipped:
            break
    kept = slice(skipped, None)

    def p50(seconds: list[float]) -> float:
        return 1e3 * quantile(sorted(seconds[kept]), 0.5)

    return Found(
        parsing_ms=p50(parsing),
        hook_ms=p50(hooks),
        held_ms=1e3 * max(held[kept]),
        all_threads_ms=p50(everywhere),
        calls=len(hooks[kept]),
    )


def measure(case: Case) -> Found:
    """One case, in this process."""
    use_router()
    profiles = profiles_of(case)
    pipeline = Pipeline(profiles, len, coverage_floor=0.6)
    hook = PromptRouter(active_configuration(load_settings({"ledger": {"path": None}}, {}), pipeline), len)
    begins = itertools.islice(bodies(replace(case, messages=2, goes_on=False), profiles), WARM_UP)
    sent = bodies(case, profiles)
    first = [next(sent)] if case.goes_on else []
    gc.collect()
    gc.freeze()  # what a collection takes to look at this benchmark's own heap is not the hook's
    try:
        return asyncio.run(_measure(hook, itertools.chain(begins, first, sent), WARM_UP + len(first)))
    finally:
        hook.close()


def _measure_into(case: Case, answer: Connection) -> None:
    answer.send(measure(case))


def measured_apart(case: Case, seconds: float) -> Found | None:
    """The case in a process of its own; None where it isn't done in time."""
    profiles_of(case)  # made here once, for this process and the next ones
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_measure_into, args=(case, there), daemon=True)
    process.start()
    there.close()
    try:
        found: Found | None = here.recv() if here.poll(seconds) else None
    except EOFError:
        found = None
    if process.is_alive():
        process.join(1.0)
        process.kill()
    process.join()
    return found


def row_of(case: Case, found: Found | None, seconds: float) -> tuple[str, ...]:
    what = (f"{case.profiles:,}", f"{case.chars:,}", f"{case.modules:,}", f"{case.messages:,}")
    sight = "next call" if case.goes_on else "first sight"
    if found is None:
        return (*what, case.prompt, sight, f"not within {seconds:.0f} s", "", "", "")
    hook, held, threads = (f"{each:.2f}" for each in (found.hook_ms, found.held_ms, found.all_threads_ms))
    return (*what, case.prompt, sight, hook, f"{found.hook_ms / found.parsing_ms:.1f}", held, threads)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller steps alone")
    parser.add_argument("--only", nargs="+", choices=list(cases(is_quick=True)), help="what grows")
    parser.add_argument("--seconds", type=float, default=60.0, help="for one row at most")
    arguments = parser.parse_args()
    end_cleanly_when_told()
    use_router()  # imported once, ahead of the processes
    console = Console(width=WIDTH)
    columns = ("profiles", "chars", "modules", "messages", "prompt", "call", "hook ms", "/ json", "held ms", "CPU ms")
    with Progress(console=console, transient=True) as progress:
        for name, grown in cases(is_quick=arguments.quick).items():
            if arguments.only and name not in arguments.only:
                continue
            table = Table(*columns, title=f"More {name}", title_justify="left")
            for case in progress.track(grown, description=name):
                table.add_row(*row_of(case, measured_apart(case, arguments.seconds), arguments.seconds))
            console.print(table)


if __name__ == "__main__":
    main()
