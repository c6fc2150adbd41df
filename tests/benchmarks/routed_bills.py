"""``python -m tests.benchmarks.routed_bills PROMPT_FOLDER``: what routing saves net, on conversations no fit has seen.

The conversations of a real agent's prompt that have a recorded answer of a routing model for every message
(real_agent.py says in which files) become traffic: tool loops with the tools of the sections that each message needs,
arrivals, pauses and sizes from a seed. All calls go through LiteLLM's dispatch, router and HTTP client to an emulated
provider on a virtual clock, once with the full prompt cached and once with each router. A section that a router missed
comes late, as its tool is called anyway. The routing model's own bill is in its net figure.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from litellm_prompt_router.analysis.simulate import write_economics
from litellm_prompt_router.analysis.simulate.ledger_tuning import LedgerTuning, tune_from_ledger
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files import load_profile
from litellm_prompt_router.files.traffic import RecordedCall
from litellm_prompt_router.profile.tokens import token_counter
from tests.benchmarks.agent_routing import LOCAL_MODEL, ROUTING_MODEL, AgentBench, FittedRouter
from tests.benchmarks.real_agent import ANSWERS_FILE, CORE, MESSAGES_FILE, RealAgent, Row, build_profile, load_agent
from tests.emulators.recorded_answers import RecordedAnswerer, RecordedMessage, recorded_in
from tests.emulators.upstream import Upstream

GROUP, ROUTING_GROUP = "agent", "router"
NOBODY = "http://127.0.0.1:9"
"""Where no routing model is asked."""
ROUTERS = ("words", "words served", "meaning", "meaning served", "recorded", "needed", "right")
"""``served``: that promise. ``needed``: of the recorded answers the first list alone. ``right``: knows the labels."""
LOOP_CALLS = 6
"""Calls that a message with a need leads to, on average."""
CALL_SECONDS, THINK_SECONDS = 8.0, 60.0
POINTS = [{"location": "message", "role": "system"}, {"location": "message", "index": -1}]
"""LiteLLM's own instructions to cache the system prompt and the history, as the demo has them, for every router."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bill:
    """All calls of one run. ``asked``: questions to the routing model, with their price."""

    usd: Decimal
    asked: int
    asked_usd: Decimal
    prompt_tokens: int
    calls: int
    late: int
    """Calls with a module that came late."""

    @property
    def net_usd(self) -> Decimal:
        return self.usd + self.asked_usd


def traffic(
    agent: RealAgent, system: str, rows: Sequence[Row], rate: float, *, seed: str = "routed bills"
) -> tuple[RecordedCall, ...]:
    """Each conversation once, in time order; ``rate`` is in conversations an hour."""
    rng = random.Random(seed)
    by_conversation: dict[str, list[Row]] = {}
    for row in rows:
        by_conversation.setdefault(row["conversation"], []).append(row)
    lines: list[tuple[float, str, list[dict[str, Any]]]] = []
    start = 0.0
    for name in rng.sample(sorted(by_conversation), len(by_conversation)):
        start += rng.expovariate(rate / 3600)
        lines += [(at, name, messages) for at, messages in _conversation(by_conversation[name], system, rng, start)]
    tools = [
        {"type": "function", "function": {"name": f"use_{id}", "description": id, "parameters": {"type": "object"}}}
        for id in agent.groups
        if id != CORE
    ]
    return tuple(
        RecordedCall(
            line=number,
            at_seconds=at,
            key="alpha",
            conversation=name,
            request={"model": GROUP, "messages": messages, "tools": tools},
        )
        for number, (at, name, messages) in enumerate(sorted(lines, key=lambda line: line[:2]), 1)
    )


def _conversation(
    rows: Sequence[Row], system: str, rng: random.Random, now: float
) -> Iterator[tuple[float, list[dict[str, Any]]]]:
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}]
    for turn, row in enumerate(rows):
        messages.append({"role": "user", "content": row["text"]})
        tools = [f"use_{need}" for need in row["needs"]]
        steps = max(len(tools), int(rng.expovariate(1 / (LOOP_CALLS - 0.5)))) if tools else 0
        for step in range(steps):
            yield now, [*messages]
            now += rng.expovariate(1 / CALL_SECONDS)
            tool = tools[step] if step < len(tools) else rng.choice(tools)
            messages += _tool_step(tool, f"{turn}_{step}", rng)
        yield now, [*messages]
        said = rows[turn + 1].get("situation") if turn + 1 < len(rows) else ""
        messages.append({"role": "assistant", "content": f"{said or 'Done'}. " + "Done. " * rng.randint(5, 80)})
        now += THINK_SECONDS * rng.lognormvariate(0.0, 1.0)


def _tool_step(tool: str, name: str, rng: random.Random) -> list[dict[str, Any]]:
    call = {"id": f"call_{name}", "type": "function", "function": {"name": tool, "arguments": '{"path": "in/x"}'}}
    result = {"role": "tool", "tool_call_id": call["id"], "content": "row " * rng.randint(50, 900)}
    return [{"role": "assistant", "content": None, "tool_calls": [call]}, result]


def bill(folder: Path, profile_folder: Path, calls: Sequence[RecordedCall], model: str, mode: str, router: str) -> Bill:
    """What the calls cost with this profile; ``router`` is the routing model's address."""
    records = ledger(folder, profile_folder, calls, model, mode, router)
    return Bill(
        usd=_sum(records, "billed_usd"),
        asked=sum(record.get("routing_model_call_count") or 0 for record in records),
        asked_usd=_sum(records, "routing_model_usd"),
        prompt_tokens=sum(record.get("prompt_tokens") or 0 for record in records),
        calls=len(records),
        late=sum(bool(record.get("late_modules")) for record in records),
    )


def ledger(
    folder: Path, profile_folder: Path, calls: Sequence[RecordedCall], model: str, mode: str, router: str
) -> Sequence[Mapping[str, Any]]:
    """The records of these calls with this profile."""
    from tests.accounting.driving import Lane, driving  # imports LiteLLM, which reads its environment then

    profile = load_profile(profile_folder, token_counter())
    settings: dict[str, Any] = {"router_model": True} if profile_has_model(profile) else {}
    with Upstream() as upstream:
        models = [
            {
                "model_name": GROUP,
                "litellm_params": {
                    "model": model,
                    "api_base": upstream.url,
                    "api_key": "emulated",
                    "cache_control_injection_points": POINTS,
                },
            },
            {
                "model_name": ROUTING_GROUP,
                "litellm_params": {"model": ROUTING_MODEL, "api_base": router, "api_key": "emulated"},
            },
        ]
        with driving(folder, models, upstream, settings=settings, profiles=[profile]) as driver:
            asyncio.run(driver.run(Lane(group=GROUP, calls=calls, mode=mode)))
            records = driver.records()
    assert len(records) == len(calls)
    return records


def tuned_by_shadow(
    folder: Path, profile_folder: Path, calls: Sequence[RecordedCall], model: str, router: str
) -> LedgerTuning:
    """Tunes the profile from the ledger of a shadow run, and writes that into its folder."""
    from litellm_prompt_router.gateway.deployments.priced_models import terms_of_model

    records = ledger(folder, profile_folder, calls, model, "shadow", router)
    found = tune_from_ledger(records, load_profile(profile_folder, token_counter()), terms_of_model)
    if found.section is not None:
        write_economics(profile_folder, found.section)
    return found


def profile_has_model(profile: Any) -> bool:
    return getattr(profile, "routing_model", None) is not None


def _sum(records: Iterable[Mapping[str, Any]], field: str) -> Decimal:
    return sum((Decimal(record[field]) for record in records if record.get(field) is not None), Decimal(0))


def as_labelled(rows: Iterable[Row]) -> tuple[RecordedMessage, ...]:
    """A routing model that is always right."""
    return tuple(
        RecordedMessage(text=row["text"], history=tuple(row["history"]), needed=tuple(row["needs"])) for row in rows
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="PROMPT_FOLDER")
    parser.add_argument("--rate", type=float, default=60.0, help="conversations an hour")
    parser.add_argument("--model", default="anthropic/claude-sonnet-4-5")
    parser.add_argument("--aim", type=float, default=0.90, help="of first needs, for fitted routers")
    parser.add_argument("--embedding-model", default=LOCAL_MODEL, metavar="NAME")
    parser.add_argument("--api-base", metavar="URL", help="where that is")
    parser.add_argument("--routers", nargs="+", choices=ROUTERS, default=ROUTERS)
    parser.add_argument("--conversations", type=int, help="so many of them alone")
    parser.add_argument(
        "--tuned", action="store_true", help="also tuned from the ledger of the same conversations at other times"
    )
    arguments = parser.parse_args()
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    if arguments.api_base:
        os.environ.setdefault("OPENAI_API_BASE", arguments.api_base)
        os.environ.setdefault("OPENAI_API_KEY", "none")
    with tempfile.TemporaryDirectory() as folder:
        _report(Path(folder), arguments)


def _report(root: Path, arguments: argparse.Namespace) -> None:
    from tests.benchmarks.routing import run

    agent = load_agent(arguments.folder)
    rows = agent.answered()
    names = list(dict.fromkeys(row["conversation"] for row in rows))[: arguments.conversations]
    rows = tuple(row for row in rows if row["conversation"] in names)
    others = tuple(row for row in agent.messages if row["conversation"] not in names)
    bench = AgentBench(agent, root, run)
    plain = build_profile(root, "full", agent)
    calls = traffic(agent, load_profile(plain, len).text, rows, arguments.rate)
    recorded = recorded_in(arguments.folder / MESSAGES_FILE, arguments.folder / ANSWERS_FILE)
    embedding = {"embedding_model": arguments.embedding_model, "embedding_timeout": 10}
    reach = ("--api-base", arguments.api_base) if arguments.api_base else ()
    fitted = {
        "words": FittedRouter(name=f"words at {arguments.aim:.0%}", router={}),
        "meaning": FittedRouter(
            name=f"words + {arguments.embedding_model} at {arguments.aim:.0%}", router=embedding, options=reach
        ),
    }
    fitted |= {
        f"{key} served": replace(each, name=f"{each.name} served", fit_options=(*reach, "--promise", "served"))
        for key, each in fitted.items()
    }
    asked = {
        "recorded": ("recorded routing model", recorded),
        "needed": ("the same, what it calls needed alone", [replace(each, perhaps=()) for each in recorded]),
        "right": ("one that is always right", as_labelled(rows)),
    }
    full = bill(root / "off", plain, calls, arguments.model, "off", NOBODY)
    table = Table(
        "router",
        "USD",
        "routing model's USD",
        "questions",
        "calls with late modules",
        "net against full-cached",
        title=f"{len(names)} conversations of {full.calls} calls, {arguments.rate:g} an hour, {arguments.model}",
    )
    console = Console(width=140)
    table.add_row("full prompt, cached", f"{full.usd:.4f}", "", "", "", "")

    earlier = traffic(agent, load_profile(plain, len).text, rows, arguments.rate, seed="the week before")

    def add_tuned(key: str, name: str, folder: Path, router: str) -> None:
        if not arguments.tuned:
            return
        found = tuned_by_shadow(root / f"{key}_shadow", folder, earlier, arguments.model, router)
        way = found.why_not or (
            found.tuning and f"{found.tuning.choice}, held out {found.tuning.versus_full_cached:+.1%}"
        )
        add(f"{name}, tuned: {way}", bill(root / f"{key}_tuned", folder, calls, arguments.model, "rewrite", router))

    def add(name: str, found: Bill) -> None:
        share = found.net_usd / full.net_usd - 1
        asked = (f"{found.asked_usd:.4f}", str(found.asked)) if found.asked else ("", "")
        table.add_row(name, f"{found.usd:.4f}", *asked, str(found.late), f"{share:+.1%}")

    for key in arguments.routers:
        if key in fitted:
            router = fitted[key]
            try:
                folder = bench.fitted(router, others, arguments.aim)
            except SystemExit as error:
                console.print(f"left out: {router.name}: {error}", soft_wrap=True)
                continue
            add(router.name, bill(root / key, folder, calls, arguments.model, "rewrite", NOBODY))
            add_tuned(key, router.name, folder, NOBODY)
            continue
        name, answers = asked[key]
        try:
            folder = build_profile(root, f"asking_{key}", agent, {"model": ROUTING_GROUP, "model_timeout": 10})
        except ConfigurationError as error:
            console.print(f"left out: {name}: {'; '.join(error.problems)}", soft_wrap=True)
            continue
        with RecordedAnswerer(answers) as answerer:
            add(name, bill(root / key, folder, calls, arguments.model, "rewrite", answerer.url))
            add_tuned(key, name, folder, answerer.url)
            if answerer.unknown:
                console.print(f"{name}: {answerer.unknown} questions about messages without a recorded answer")
    console.print(table)


if __name__ == "__main__":
    main()
