"""What the callback adds to a request, beside ``json.loads`` of the same bodies in the same run.

    LITELLM_LOCAL_MODEL_COST_MAP=True python -m tests.benchmarks.hot_path [--rounds N] [--calls N]

The first table takes hook and accounting in the order of real requests: conversations that grow, one call after the
other, with other work in between. The second takes each step by itself, again and again: every body has its own listing
in the slot and its own message, so that nothing is answered from a memory of the very same request. Times are
microseconds, of the processor in the first table and by the clock in the second; compare the columns of one run, not
runs with each other.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml
from litellm.caching.caching import DualCache
from litellm.proxy._types import UserAPIKeyAuth
from rich.console import Console
from rich.table import Table

from litellm_prompt_router.files import bundled_profiles, load_profile
from litellm_prompt_router.gateway.plugin import PromptRouter
from litellm_prompt_router.policy.active import active_configuration
from litellm_prompt_router.policy.settings import load_settings
from litellm_prompt_router.profile.tokens import token_counter
from litellm_prompt_router.request.compose import compose
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.recognise import Catalogue
from litellm_prompt_router.request.route import Router
from litellm_prompt_router.request.types import Target
from litellm_prompt_router.request.wire import SHAPES
from tests.benchmarks.request_order import measure_in_order

BODIES = 40
HISTORY_TURNS = 50
WIDTH = 120
MODES = ("off", "shadow", "rewrite")
MESSAGES = (
    "Clean up orders.csv and plot the revenue by month",
    "Please fix the failing test in the checkout module and commit it",
    "Schreib mir bitte eine kurze Mail an das Team",
    "look up the current price of copper and put it into prices.xlsx",
    "Why does the nightly job run twice?",
    "yes, go ahead",
    "hello there",
)
TARGET = Target(takes_marks=True, min_cache_tokens=1024, input_usd_per_token=None)


def synthetic_profile(folder: Path, *, chars: int, modules: int, name: str = "synthetic", seed: int = 7) -> Path:
    """A seeded profile of that many characters, one slot, every fifth module in the core."""
    words = [f"{a}{b}" for a in ("ra", "to", "mi", "ke", "su", "lo", "ve") for b in ("n", "sta", "ring", "del", "po")]
    chance = random.Random(seed)
    folder = folder / name
    folder.mkdir()
    listed: list[dict[str, Any]] = []
    for number in range(modules):
        lines = [f"## Part {number}: {' '.join(chance.choices(words, k=5))}"]
        while sum(map(len, lines)) + len(lines) < chars // modules:
            lines.append("- " + " ".join(chance.choices(words, k=chance.randint(6, 18))))
        text = "\n".join(lines) + "\n\n"
        if number == 1:
            text += "{{listing}}\n\n"
        file = f"m{number:02d}.txt"
        (folder / file).write_text(text, encoding="utf-8")
        triggers = [f"{chance.choice(words)}{number}", f"prefix{number}*", "plot" if number == 7 else f"t{number}x"]
        listed.append(
            {"id": f"tools/m{number:02d}", "file": file, "title": file, "always": number % 5 == 0, "triggers": triggers}
        )
    slot = {"name": "listing", "pattern": r"<workspace_listing[^>]*>[^<]*</workspace_listing>", "volatile": True}
    slot["sample"] = '<workspace_listing root="/w">\na\n</workspace_listing>'
    document = {"profile": name, "version": "1", "slots": [slot], "modules": listed}
    (folder / "profile.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return folder


def bodies_of(text: str, sample: str) -> list[dict[str, Any]]:
    bodies = []
    for number in range(BODIES):
        rows = "\n".join(f"in/file-{number}-{row}.csv  {row * 7} KB" for row in range(12))
        listing = f'<workspace_listing root="/workspace">\n{rows}\n</workspace_listing>'
        messages = [
            {"role": "system", "content": text.replace(sample, listing)},
            {"role": "user", "content": f"{MESSAGES[number % len(MESSAGES)]}"},
        ]
        bodies.append({"model": "claude", "messages": messages})
    return bodies


def with_history(body: dict[str, Any], turns: int) -> dict[str, Any]:
    """The same request at the end of a conversation of that many user messages and answers."""
    history = []
    for number in range(turns):
        history.append({"role": "user", "content": f"{MESSAGES[number % len(MESSAGES)]}, number {number}"})
        history.append({"role": "assistant", "content": "Done, see above. " * 20})
    return {**body, "messages": [body["messages"][0], *history, *body["messages"][1:]]}


def quantiles(action: Callable[[int], object], rounds: int) -> tuple[float, float]:
    """p50 and p99 of one call, in microseconds."""
    times = []
    for number in range(rounds):
        began = time.perf_counter_ns()
        action(number % BODIES)
        times.append(time.perf_counter_ns() - began)
    times.sort()
    return times[rounds // 2] / 1e3, times[int(rounds * 0.99)] / 1e3


def measure(folder: Path, rounds: int, table: Table) -> None:
    count = token_counter()
    profile = load_profile(folder, count)
    listing = next(p.sample for m in profile.modules for p in m.parts if not isinstance(p, str) and p.name != "date")
    bodies = bodies_of(profile.text, listing)
    wire = [json.dumps(body) for body in bodies]
    requests = [SHAPES["acompletion"].read(body) for body in bodies]
    catalogue, router = Catalogue([profile]), Router(profile)
    recognised = [catalogue.recognise(request.system_text) for request in requests]
    found = [item for item in recognised if item is not None]
    assert len(found) == BODIES
    chosen = [frozenset(profile.order[m] for m in router.decide(r.turns).modules) for r in requests]
    pipeline = Pipeline([profile], count, coverage_floor=0.6)
    settings = load_settings({"ledger": {"path": None}}, {})
    hook = PromptRouter(active_configuration(settings, pipeline))
    hook._handler._deployments.target = lambda *_: TARGET  # type: ignore[method-assign]  # no proxy: no router to ask
    key, cache = UserAPIKeyAuth(api_key="0" * 64, key_alias="bench"), DualCache()

    kept = hook._completer._kept
    long = [with_history(body, HISTORY_TURNS) for body in bodies]
    long_wire = [json.dumps(body) for body in long]

    def whole(number: int, sent: Sequence[dict[str, Any]] = bodies) -> None:
        data = {**sent[number], "metadata": {}, "litellm_call_id": "x"}
        coroutine = hook.async_pre_call_hook(key, cache, data, "acompletion")
        rewritten = None
        try:
            coroutine.send(None)
        except StopIteration as done:  # the hook never waits, so the first step is the last
            rewritten = done.value
        assert rewritten is not None
        for request_id in list(kept._kept):  # answered, or every body would stay in memory
            kept.take(request_id)

    rows: Sequence[tuple[str, Callable[[int], object]]] = (
        ("json.loads of the body", lambda n: json.loads(wire[n])),
        ("recognise", lambda n: catalogue.recognise(requests[n].system_text)),
        ("route", lambda n: router.decide(requests[n].turns)),
        ("compose", lambda n: compose(requests[n], found[n], chosen[n], count)),
        ("whole hook", whole),
        (f"json.loads, {2 * HISTORY_TURNS} more messages", lambda n: json.loads(long_wire[n])),
        ("whole hook on those", lambda n: whole(n, long)),
    )
    base = 0.0
    for name, action in rows:
        quantiles(action, BODIES)
        p50, p99 = quantiles(action, rounds)
        base = p50 if name.startswith("json.loads") else base
        table.add_row(
            f"{profile.name} ({len(profile.text):,} chars)", name, f"{p50:.0f}", f"{p99:.0f}", f"{p50 / base:.2f}"
        )
    table.add_section()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4000, help="of each step by itself; 0 leaves them out")
    parser.add_argument("--calls", type=int, default=320, help="in the order of requests, of each length and mode")
    parser.add_argument("--messages", type=int, nargs="+", default=[2, 10, 100], help="of a call, on average")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    arguments = parser.parse_args()
    rounds = arguments.rounds
    if arguments.calls:
        columns = ("calls", "step", "p50 us", "p50 / json.loads", "p99 us", "p99 / json.loads at p50")
        in_order = Table(*columns, title="In request order, processor time", title_justify="left")
        measure_in_order(in_order, messages=arguments.messages, calls=arguments.calls, modes=arguments.modes)
        Console(width=WIDTH).print(in_order)
    if not rounds:
        return
    table = Table("prompt", "step", "p50 us", "p99 us", "p50 / json.loads")
    gc.collect()
    gc.freeze()
    with tempfile.TemporaryDirectory() as folder:
        measure(bundled_profiles() / "workbench", rounds, table)
        measure(synthetic_profile(Path(folder), chars=120_000, modules=60), rounds, table)
    Console().print(table)


if __name__ == "__main__":
    asyncio.set_event_loop(asyncio.new_event_loop())
    main()
