"""A run: case after case, each judged by the laws, what breaks one made small and kept."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.fuzz_case import FuzzCase, drawn_case
from tests.fuzz.hook_stand import HookStand, Observed, hook_stand
from tests.fuzz.laws import broken_laws
from tests.fuzz.made_calls import ENDPOINTS
from tests.fuzz.minimise import minimised
from tests.fuzz.repeated_calls import repeated_laws

REPEATED_EACH = 5
"""Every so many cases are asked for the same again, and for the conversation's later calls."""
MAX_KEPT = 40
"""Failures of different kinds that are made small and written."""


@dataclass(kw_only=True, slots=True)
class FuzzFigures:
    """What a run came to. ``broken``: failures by kind, with one case of each."""

    requests: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    examples: dict[str, tuple[FuzzCase, str]] = field(default_factory=dict)
    slowest_seconds: float = 0.0
    slowest_number: int = -1


def fuzz(
    requests: int,
    seed: int,
    *,
    captured: Sequence[tuple[str, dict[str, Any]]] = (),
    max_seconds: float = float("inf"),
    advance: Callable[[], None] = lambda: None,
) -> FuzzFigures:
    """Cases 0 to ``requests`` of a seed, or as many of them as ``max_seconds`` allow."""
    figures = FuzzFigures()
    began = time.monotonic()

    async def all_cases(stand: HookStand) -> None:
        for number in range(requests):
            if time.monotonic() - began > max_seconds:
                break
            case = drawn_case(seed, number, captured)
            broken, seen = await judged(stand, case, is_repeated=number % REPEATED_EACH == 0)
            _count(figures, number, case, seen)
            for law in broken:
                await _keep(figures, stand, case, law)
            advance()

    with hook_stand() as stand:
        asyncio.run(all_cases(stand))
    figures.seconds = time.monotonic() - began
    return figures


async def judged(stand: HookStand, case: FuzzCase, *, is_repeated: bool = True) -> tuple[list[str], Observed]:
    """What the case breaks."""
    seen = await stand.ran(case)
    broken = broken_laws(case, seen)
    if is_repeated and case.endpoint in ENDPOINTS:
        broken += await repeated_laws(stand, case, seen)
    return broken, seen


def kind_of(law: str) -> str:
    """Failures of one kind have the same: the law, and of a fault where it was raised."""
    lines = law.strip().splitlines()
    where = [line.strip() for line in lines if "litellm_prompt_router" in line]
    told = f"{lines[0][:70]} {where[-1][-80:] if where else ''} {lines[-1][:60] if where else ''}"
    return re.sub(r"[0-9a-f]{8,}|\d+", "#", told)


def write_failure(folder: Path, number: int, case: FuzzCase, law: str) -> Path:
    """A file that ``--replay`` takes."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"failure-{number:03}.json"
    path.write_text(json.dumps({"law": law, "case": asdict(case)}, indent=1), "utf-8")
    return path


def _count(figures: FuzzFigures, number: int, case: FuzzCase, seen: Observed) -> None:
    facts = seen.facts
    figures.requests += 1
    outcome = "no record" if facts is None else facts.outcome if facts.reason is None else facts.reason
    figures.outcomes[f"{case.endpoint}: {outcome}"] += 1
    if seen.seconds > figures.slowest_seconds:
        figures.slowest_seconds, figures.slowest_number = seen.seconds, number


async def _keep(figures: FuzzFigures, stand: HookStand, case: FuzzCase, law: str) -> None:
    kind = kind_of(law)
    figures.broken[kind] += 1
    if kind in figures.examples or len(figures.examples) >= MAX_KEPT:
        return

    async def still_breaks(smaller: FuzzCase) -> bool:
        found, _ = await judged(stand, smaller)
        return any(kind_of(each) == kind for each in found)

    figures.examples[kind] = (await minimised(case, still_breaks), law)
