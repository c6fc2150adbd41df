"""Rows of the routing table for a real agent's prompt: fitted and evaluated through the commands, by conversation."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
from rich.console import Console
from rich.table import Table

from litellm_prompt_router.authoring.share_intervals import share_interval
from litellm_prompt_router.cli import embedding_options, fit_command
from litellm_prompt_router.cli.output import span
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files import load_profile
from tests.benchmarks.real_agent import (
    ANSWERS_FILE,
    MESSAGES_FILE,
    RealAgent,
    Row,
    answers_in,
    as_case,
    build_profile,
    folds,
    load_agent,
    rows_in,
    some_of,
)
from tests.emulators.recorded_answers import RecordedAnswerer, recorded_in

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
LOCAL_MODEL = "local/multilingual-e5-small"
ROUTING_MODEL = "openai/gpt-4.1-nano"
"""By whose prices the recorded model's answers would be billed."""
WIDTH = 160
FITTED_FILES = ("router.json", "router.npz")

Run = Callable[..., Any]
"""Runs `prompt-router` with these arguments and ``--json``, and reads what it says."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One router on held-out messages. Whether a need is served depends on the order of the agent's calls."""

    promises: frozenset[str]
    messages: int
    covered: int
    first_needs: int
    first_covered: int
    kept_tokens: float
    """Summed over the messages, each a share."""
    oracle_tokens: float
    served: int
    """First needs met by the second call of the task, whichever tool the agent calls first."""
    served_at_best: int

    def __add__(self, other: Measured) -> Measured:
        return Measured(
            promises=self.promises | other.promises,
            messages=self.messages + other.messages,
            covered=self.covered + other.covered,
            first_needs=self.first_needs + other.first_needs,
            first_covered=self.first_covered + other.first_covered,
            kept_tokens=self.kept_tokens + other.kept_tokens,
            oracle_tokens=self.oracle_tokens + other.oracle_tokens,
            served=self.served + other.served,
            served_at_best=self.served_at_best + other.served_at_best,
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
            span(*(count / max(1, self.first_needs) for count in (self.served, self.served_at_best))),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class FittedRouter:
    """A way to route that `fit` learns. ``router`` is what profile.yaml says of it; ``options`` are the commands'."""

    name: str
    router: Mapping[str, Any]
    options: tuple[object, ...] = ()
    fit_options: tuple[object, ...] | None = None
    """Those of `fit` alone, where they differ."""


class AgentBench:
    """Fits and measures in a temporary folder, through the commands."""

    def __init__(self, agent: RealAgent, root: Path, run: Run, prefix: str = "agent") -> None:
        self._agent = agent
        self._root = root
        self._run = run
        self._prefix = prefix
        self._made = 0

    def by_folds(self, router: FittedRouter, share: float, aim: float) -> Measured:
        """Every message measured once, by a fit on ``share`` of all labels, none from its conversation."""
        conversations = self._agent.conversations
        parts = folds(conversations, FOLDS)
        folder = self.profile(router)
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
        return self._one(self.profile(router), router, self._agent.messages, held_out, aim)

    def unfitted(self, router: FittedRouter, held_out: Sequence[Row]) -> Measured:
        """Messages measured without any fit."""
        return self._evaluated(self.profile(router), router, held_out, "none")

    def _rows(self, names: Iterable[str]) -> list[Row]:
        conversations = self._agent.conversations
        return [row for name in names for row in conversations[name]]

    def profile(self, router: FittedRouter) -> Path:
        self._made += 1
        return build_profile(self._root, f"{self._prefix}{self._made}", self._agent, router.router)

    def _one(
        self, folder: Path, router: FittedRouter, teaching: Sequence[Row], held_out: Sequence[Row], aim: float
    ) -> Measured:
        promise = self._fit(folder, router, teaching, aim)
        return self._evaluated(folder, router, held_out, promise)

    def fitted(self, router: FittedRouter, teaching: Sequence[Row], aim: float) -> Path:
        """The folder of a profile fitted on these messages."""
        folder = self.profile(router)
        self._fit(folder, router, teaching, aim)
        return folder

    def _fit(self, folder: Path, router: FittedRouter, teaching: Sequence[Row], aim: float) -> str:
        """What is promised."""
        for name in FITTED_FILES:
            (folder / name).unlink(missing_ok=True)
        where = ("--profile", folder.name, "--profiles", folder.parent)
        fit_file = self._written("fit.jsonl", teaching)
        options = router.options if router.fit_options is None else router.fit_options
        always = ("--target", aim, "--promise", "expected", "--keep-anyway")
        done = self._run("fit", fit_file, *where, *always, *options)
        calibration = done.get("fused_calibration") or done["calibration"]
        return str(calibration["promise"]) if done["stored"] else "not stored"

    def _evaluated(self, folder: Path, router: FittedRouter, held_out: Sequence[Row], promise: str) -> Measured:
        where = ("--profile", folder.name, "--profiles", folder.parent)
        test_file = self._written("test.jsonl", held_out)
        comparison = self._run("evaluate", test_file, *where, *router.options)["comparison"]
        *_, standing, oracle = comparison["standings"]
        messages, first_needs = comparison["cases"], comparison["first_needs"]
        served, at_best = (standing[name] or 0.0 for name in ("served_coverage", "served_at_best"))
        return Measured(
            promises=frozenset({promise}),
            messages=messages,
            covered=round(standing["coverage"] * messages),
            first_needs=first_needs,
            first_covered=round((standing["first_need_coverage"] or 0.0) * first_needs),
            kept_tokens=standing["kept_tokens"] * messages,
            oracle_tokens=oracle["kept_tokens"] * messages,
            served=round(served * first_needs),
            served_at_best=round(at_best * first_needs),
        )

    def _written(self, name: str, rows: Sequence[Row]) -> Path:
        path = self._root / name
        path.write_text("".join(json.dumps(as_case(row)) + "\n" for row in rows), "utf-8")
        return path


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What to measure. ``held_out``: messages kept apart, for fits on all labels; then nothing is cross-validated.

    ``answers``: what a routing model said of those.
    """

    folder: Path
    held_out: Path | None
    answers: Path | None
    aims: Sequence[float]
    shares: Sequence[float]
    embedding_model: str
    api_base: str | None


def measure(wanted: Wanted, root: Path, run: Run) -> None:
    """Prints the tables."""
    console = Console(width=WIDTH)
    agent = load_agent(wanted.folder)
    bench = AgentBench(agent, root, run)
    routers = [FittedRouter(name="words", router={})]
    name, reach = wanted.embedding_model, ("--api-base", wanted.api_base) if wanted.api_base else ()
    meaning = FittedRouter(name=f"words + {name}", router={"embedding_model": name}, options=reach)
    problem = _missing(bench, meaning, wanted)
    if problem is None:
        routers.append(meaning)
    else:
        console.print(f"left out: {meaning.name}: {problem}", soft_wrap=True)
    jobs = [
        (router, share, aim)
        for router in routers
        for share in (wanted.shares if wanted.held_out is None else (1.0,))
        for aim in wanted.aims
    ]
    title = f"a real agent's prompt of {len(agent.prompt):,} characters, {len(agent.groups) - 1} topics and the core; "
    apart = rows_in(wanted.held_out) if wanted.held_out is not None else ()
    title += f"{len(apart)} messages kept apart" if apart else f"{len(agent.messages)} messages, each held out once"
    table = Table(*COLUMNS, title=title)
    with _remembered_vectors():
        for router, share, aim in jobs:
            found = bench.on_others(router, apart, aim) if apart else bench.by_folds(router, share, aim)
            _add(table, router.name, f"{share:.0%}", f"{aim:.0%}", *found.cells())
    console.print(table)
    if not apart:
        _measure_recorded(agent, root, run, (wanted.folder / MESSAGES_FILE, wanted.folder / ANSWERS_FILE), wanted.aims)
    elif wanted.held_out is not None and wanted.answers is not None:
        others = replace(agent, messages=apart, answers=answers_in(wanted.answers))
        _measure_recorded(others, root, run, (wanted.held_out, wanted.answers), ())


def _add(table: Table, *cells: str) -> None:
    """The row is told at once on stderr: the table takes minutes."""
    table.add_row(*cells)
    click.echo("  ".join(cells), err=True)


def _measure_recorded(
    agent: RealAgent, root: Path, run: Run, recorded: tuple[Path, Path], aims: Sequence[float]
) -> None:
    """The routing model, with its recorded answers, on the conversations that have one for every message.

    Without a fit, and for each aim by a fit that asks it about the messages of other such conversations.
    """
    console = Console(width=WIDTH)
    rows = agent.answered()
    if not rows:
        console.print("left out: the recorded routing model: no conversation has an answer for every message")
        return
    bench = AgentBench(replace(agent, messages=rows), root, run, prefix="asking")
    asking = ("--routing-model", ROUTING_MODEL)
    alone = [
        FittedRouter(name=f"routing model, {lists}, no fit", router=_asked(lists), options=asking)
        for lists in ("both", "needed")
    ]
    by_promise = {"expected": "words and routing model, as fitted", "served": "the same, promise served"}
    table = Table(*COLUMNS, title=f"{len(rows)} messages with a recorded answer of a chat model")
    with (
        RecordedAnswerer(recorded_in(*recorded)) as answerer,
        patch.dict(os.environ, {"OPENAI_API_BASE": answerer.url, "OPENAI_API_KEY": "emulated"}),
    ):
        for each in alone:
            answerer.clear()
            _add(table, each.name, "none", "-", *bench.unfitted(each, rows).cells())
        asked, unknown, usage = len(answerer.questions), answerer.unknown, answerer.usage
        told = ("--routing-answers", root / "told.jsonl")  # so that each question is asked once
        for aim in aims:
            for promise, name in by_promise.items():
                router = FittedRouter(
                    name=name,
                    router=_asked(),
                    options=(*asking, *told),
                    fit_options=(*asking, *told, "--promise", promise),
                )
                _add(table, router.name, "80%", f"{aim:.0%}", *bench.by_folds(router, 0.8, aim).cells())
    console.print(table)
    console.print(
        f"{asked} questions, {unknown} about messages without an answer; {usage.input_tokens:,} tokens in, "
        f"{usage.output_tokens:,} out",
        soft_wrap=True,
    )


def _asked(lists: str | None = None) -> dict[str, Any]:
    """What profile.yaml says of the routing model."""
    return {"model": ROUTING_MODEL, **({"model_lists": lists} if lists else {})}


def _missing(bench: AgentBench, router: FittedRouter, wanted: Wanted) -> str | None:
    """Why the embedding model can't be asked; None where it can."""
    profile = load_profile(bench.profile(router), len, as_fitted=False)
    try:
        embedding_options.vectors_of(profile, ("a probe",), None, wanted.api_base)
    except ConfigurationError as error:
        return "; ".join(error.problems)
    return None


@contextmanager
def _remembered_vectors() -> Iterator[None]:
    """Each text is embedded once, however many fits read it."""
    known: dict[tuple[str, str], Any] = {}
    ask = embedding_options.vectors_of

    def vectors_of(profile: Any, texts: Sequence[str], model: str | None, api_base: str | None) -> Any:
        name = profile.embedding.model
        missing = [text for text in texts if (name, text) not in known]
        if missing:
            known.update({(name, text): v for text, v in ask(profile, missing, model, api_base).items()})
        return {text: known[name, text] for text in texts}

    with patch.object(embedding_options, "vectors_of", vectors_of):
        if not hasattr(fit_command, "vectors_of"):
            yield
            return
        with patch.object(fit_command, "vectors_of", vectors_of):
            yield
