"""``python -m tests.benchmarks.workbench_traffic``: traffic of the workbench agent, made from its labelled messages.

Prints a traffic file. Conversations ask what the labelled messages ask, in tool loops with the tools of the modules
that each message needs; arrivals, pauses and sizes come from a seed.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from litellm_prompt_router.files import bundled_profiles, load_profile
from litellm_prompt_router.profile.profile import Profile

LABELLED = "labelled_fit.jsonl"
LOOP_CALLS = 6
"""Calls that a message leads to, on average."""
TURNS = 3
CALL_SECONDS = 8.0
THINK_SECONDS = 60.0
MODEL = "anthropic/claude-sonnet-4-5"


def traffic(profile: Profile, labelled: list[dict[str, Any]], conversations: int, rate: float) -> list[dict[str, Any]]:
    """The lines of a traffic file in time order; ``rate`` is in conversations an hour."""
    rng = random.Random("workbench traffic")
    lines: list[dict[str, Any]] = []
    start = 0.0
    for number in range(conversations):
        start += rng.expovariate(rate / 3600)
        lines += _conversation(profile, labelled, rng, f"c{number}", start)
    return sorted(lines, key=lambda line: (line["ts"], line["conversation"]))


def _conversation(
    profile: Profile, labelled: list[dict[str, Any]], rng: random.Random, name: str, now: float
) -> Iterator[dict[str, Any]]:
    messages: list[dict[str, Any]] = [{"role": "system", "content": profile.text}]
    for turn in range(1 + int(rng.expovariate(1 / (TURNS - 0.5)))):
        task = rng.choice([case for case in labelled if not case.get("history")])
        messages.append({"role": "user", "content": task["text"]})
        tools = [tool for need in task["needs"] for tool in profile.modules[profile.order[need]].tools]
        for step in range(int(rng.expovariate(1 / (LOOP_CALLS - 0.5))) if tools else 0):
            yield _line(name, now, messages)
            now += rng.expovariate(1 / CALL_SECONDS)
            messages += _tool_step(rng.choice(tools), f"{turn}_{step}", rng)
        yield _line(name, now, messages)
        messages.append({"role": "assistant", "content": "Done. " * rng.randint(5, 80)})
        now += THINK_SECONDS * rng.lognormvariate(0.0, 1.0)


def _tool_step(tool: str, name: str, rng: random.Random) -> list[dict[str, Any]]:
    call = {"id": f"call_{name}", "type": "function", "function": {"name": tool, "arguments": '{"path": "in/x"}'}}
    result = {"role": "tool", "tool_call_id": call["id"], "content": "row " * rng.randint(50, 900)}
    return [{"role": "assistant", "content": None, "tool_calls": [call]}, result]


def _line(name: str, now: float, messages: list[dict[str, Any]]) -> dict[str, Any]:
    return {"ts": round(now, 3), "key": "k", "conversation": name, "request": {"model": MODEL, "messages": [*messages]}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--conversations", type=int, default=120)
    parser.add_argument("--rate", type=float, default=60.0, help="conversations an hour")
    arguments = parser.parse_args()
    folder: Path = bundled_profiles() / "workbench"
    labelled = [json.loads(line) for line in (folder / LABELLED).read_text("utf-8").splitlines() if line]
    profile = load_profile(folder, len)
    for line in traffic(profile, labelled, arguments.conversations, arguments.rate):
        print(json.dumps(line))


if __name__ == "__main__":
    main()
