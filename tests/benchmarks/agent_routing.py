"""Rows of the routing table for a real agent's prompt: fitted and evaluated, by conversation."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from litellm_prompt_router.authoring.share_intervals import share_interval
from tests.benchmarks.real_agent import RealAgent, Row, as_case, build_profile, folds, some_of

FOLDS = 5
AIMS = (0.90, 0.95, 0.99)
SHARES = (0.5, 0.8)
COLUMNS = (
    "router",
    "labels",
    "aim at first needs",
    "promise",
    "first needs met",
    "95% interval",
    "all messages",
    "kept",
    "oracle",
    "served",
)
FITTED_FILES = ("router.json", "router.npz")
WORDS, MEANING = "lexical", "lexical+semantic"

Run = Callable[..., Any]
"""Runs `prompt-router` with these arguments and ``--json``, and reads what it says."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One router on held-out messages. ``served`` is None where nothing counts it."""

    promises: frozenset[str]
    messages: int
    covered: int
    first_needs: int
    first_covered: int
    kept_tokens: float
    """Summed over the messages, each a share."""
    oracle_tokens: float
    served: int | None

    def __add__(self, other: Measured) -> Measured:
        return Measured(
            promises=self.promises | other.promises,
            messages=self.messages + other.messages,
            covered=self.covered + other.covered,
            first_needs=self.first_needs + other.first_needs,
            first_covered=self.first_covered + other.first_covered,
            kept_tokens=self.kept_tokens + other.kept_tokens,
            oracle_tokens=self.oracle_tokens + other.oracle_tokens,
            served=None if self.served is None or other.served is None else self.served + other.served,
        )

    def cells(self) -> tuple[str, ...]:
        low, high = share_interval(self.first_covered, self.first_needs)
        return (
            ", ".join(sorted(self.promises)),
            f"{self.first_covered / max(1, self.first_needs):.1%}",
            f"{low:.1%} to {high:.1%}",
            f"{self.covered / self.messages:.1%}",
            f"{self.kept_tokens / self.messages:.2f}",
            f"{self.oracle_tokens / self.messages:.2f}",
            "-" if self.served is None else f"{self.served / max(1, self.first_needs):.1%}",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class FittedRouter:
    """A way to route that `fit` learns. ``router`` is what profile.yaml says of it; ``options`` are the commands'."""

    name: str
    router: Mapping[str, Any]
    options: tuple[object, ...] = ()


class AgentBench:
    """Fits and measures in a temporary folder, through the commands."""

    def __init__(self, agent: RealAgent, root: Path, run: Run) -> None:
        self._agent = agent
        self._root = root
        self._run = run
        self._made = 0

    def by_folds(self, router: FittedRouter, share: float, aim: float) -> Measured:
        """Every message measured once, by a fit on ``share`` of all labels, none from its conversation."""
        conversations = self._agent.conversations
        parts = folds(conversations, FOLDS)
        folder = self._profile(router)
        total: Measured | None = None
        for number, held_out in enumerate(parts):
            others = [name for other in parts[:number] + parts[number + 1 :] for name in other]
            teaching = some_of(others, share, len(conversations))
            here = self._one(folder, router, self._rows(teaching), self._rows(held_out), aim)
            total = here if total is None else total + here
        assert total is not None
        return total

    def on_others(self, router: FittedRouter, held_out: Sequence[Row], aim: float) -> Measured:
        """Messages kept apart, measured by a fit on all labels."""
        return self._one(self._profile(router), router, self._agent.messages, held_out, aim)

    def unfitted(self, router: FittedRouter, held_out: Sequence[Row]) -> Measured:
        """Messages measured without any fit."""
        return self._evaluated(self._profile(router), router, held_out, "none")

    def _rows(self, names: Iterable[str]) -> list[Row]:
        conversations = self._agent.conversations
        return [row for name in names for row in conversations[name]]

    def _profile(self, router: FittedRouter) -> Path:
        self._made += 1
        return build_profile(self._root, f"agent{self._made}", self._agent, router.router)

    def _one(
        self, folder: Path, router: FittedRouter, teaching: Sequence[Row], held_out: Sequence[Row], aim: float
    ) -> Measured:
        for name in FITTED_FILES:
            (folder / name).unlink(missing_ok=True)
        where = ("--profile", folder.name, "--profiles", folder.parent)
        fit_file = self._written("fit.jsonl", teaching)
        done = self._run("fit", fit_file, *where, "--target", aim, "--promise", "expected", *router.options)
        calibration = done.get("fused_calibration") or done["calibration"]
        promise = calibration["promise"] if done["stored"] else "not stored"
        return self._evaluated(folder, router, held_out, promise)

    def _evaluated(self, folder: Path, router: FittedRouter, held_out: Sequence[Row], promise: str) -> Measured:
        where = ("--profile", folder.name, "--profiles", folder.parent)
        test_file = self._written("test.jsonl", held_out)
        comparison = self._run("evaluate", test_file, *where, *router.options)["comparison"]
        *_, standing, oracle = comparison["standings"]
        messages, first_needs = comparison["cases"], comparison["first_needs"]
        served = standing.get("served_coverage")
        return Measured(
            promises=frozenset({promise}),
            messages=messages,
            covered=round(standing["coverage"] * messages),
            first_needs=first_needs,
            first_covered=round((standing["first_need_coverage"] or 0.0) * first_needs),
            kept_tokens=standing["kept_tokens"] * messages,
            oracle_tokens=oracle["kept_tokens"] * messages,
            served=None if served is None else round(served * first_needs),
        )

    def _written(self, name: str, rows: Sequence[Row]) -> Path:
        path = self._root / name
        path.write_text("".join(json.dumps(as_case(row)) + "\n" for row in rows), "utf-8")
        return path


def table_of(title: str) -> Table:
    return Table(*COLUMNS, title=title)
