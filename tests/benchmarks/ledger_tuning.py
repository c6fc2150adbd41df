"""``python -m tests.benchmarks.ledger_tuning [PROMPT_FOLDER]``: tuning from a ledger, and from captured bodies.

Shadow traffic of the bundled workbench agent, or of a real agent's prompt (real_agent.py says what is in its folder),
goes through LiteLLM's dispatch, router and HTTP client to an emulated provider on a virtual clock, with capture on.
Then the profile is tuned twice: from the ledger alone, and from the captured bodies. What the ledger's choice costs on
the second half is measured on the bodies.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from litellm_prompt_router.analysis.simulate import recorded_trial, rewrites_of
from litellm_prompt_router.analysis.simulate.ledger_tuning import LedgerTuning, tune_from_ledger
from litellm_prompt_router.analysis.simulate.model_terms import ModelTerms
from litellm_prompt_router.analysis.simulate.recorded_trial import RecordedTrial, first_turns_of
from litellm_prompt_router.analysis.simulate.simulated_policies import tuned_rewrite
from litellm_prompt_router.analysis.simulate.tune import WITHOUT, Tuning, tune
from litellm_prompt_router.cache_model import BlockReader
from litellm_prompt_router.files import bundled_profiles, load_profile
from litellm_prompt_router.files.traffic import RecordedCall, parse_traffic
from litellm_prompt_router.profile.profile import Economics, Profile
from litellm_prompt_router.profile.tokens import token_counter
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.route import AnswerLookup, RoutingAnswer, RoutingQuestion, no_answers
from tests.benchmarks import workbench_traffic
from tests.benchmarks.agent_routing import ROUTING_MODEL, AgentBench, FittedRouter
from tests.benchmarks.real_agent import build_profile, load_agent
from tests.benchmarks.routed_bills import ROUTING_GROUP, as_labelled, traffic
from tests.emulators.recorded_answers import RecordedAnswerer
from tests.emulators.upstream import Upstream

GROUP = "agent"
FLOOR = 0.6
MODEL = "anthropic/claude-sonnet-4-5"


@dataclass(frozen=True, kw_only=True, slots=True)
class ShadowRun:
    """What a shadow run left behind."""

    records: Sequence[Mapping[str, Any]]
    captured: Sequence[RecordedCall]
    ledger_bytes: int
    capture_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class BothTunings:
    """``measured``: by how much the ledger's choice is dearer than the full prompt on the capture's second half."""

    from_ledger: LedgerTuning
    from_capture: Tuning
    measured: float

    @property
    def furthest(self) -> float:
        """The largest difference in a candidate's level, in percentage points.

        Not of the untuned rule's, which knows from a ledger how conversations use the profile.
        """
        assert self.from_ledger.tuning is not None
        ledger = {each.name: each.versus_full_cached for each in self.from_ledger.tuning.candidates}
        capture = {each.name: each.versus_full_cached for each in self.from_capture.candidates}
        return max(abs(ledger[name] - capture[name]) for name in (ledger.keys() & capture.keys()) - {WITHOUT}) * 100


def shadow_run(
    folder: Path,
    profile: Profile,
    calls: Sequence[RecordedCall],
    model: str,
    mode: str = "shadow",
    asked: RecordedAnswerer | None = None,
) -> ShadowRun:
    """``asked``: the profile's routing model, where it has one."""
    from tests.accounting.driving import Lane, driving  # imports LiteLLM, which reads its environment then

    capture = folder / "traffic.jsonl"
    settings: dict[str, Any] = {"capture": {"path": str(capture), "keys": ["alpha"], "max_mb": 10_000}}
    router = {"model": ROUTING_MODEL, "api_base": "" if asked is None else asked.url, "api_key": "emulated"}
    settings |= {} if asked is None else {"router_model": True}
    with Upstream() as upstream:
        params = {"model": model, "api_base": upstream.url, "api_key": "emulated"}
        deployments = [
            {"model_name": GROUP, "litellm_params": params},
            {"model_name": ROUTING_GROUP, "litellm_params": router},
        ]
        with driving(folder, deployments, upstream, settings=settings, profiles=[profile]) as driver:
            asyncio.run(driver.run(Lane(group=GROUP, calls=calls, mode=mode)))
            records = driver.records()
            ledger_bytes = driver.ledger_path.stat().st_size
    captured = parse_traffic(capture.read_text("utf-8"), "capture")
    return ShadowRun(
        records=records, captured=captured, ledger_bytes=ledger_bytes, capture_bytes=capture.stat().st_size
    )


def tuned_twice(run: ShadowRun, profile: Profile, model: str, answers: AnswerLookup = no_answers) -> BothTunings:
    """``answers``: what the profile's routing model says."""
    from litellm_prompt_router.gateway.deployments.priced_models import terms_of_model

    from_ledger = tune_from_ledger(run.records, profile, terms_of_model)
    terms = terms_of_model(model)
    assert terms is not None
    assert from_ledger.tuning is not None, from_ledger.why_not
    first, second = trials(run.captured, profile, terms, answers)
    from_capture = tune(first, second)
    full = sum(second.full_cached_usd(), Decimal(0))
    ours = sum(second.usd(from_ledger.tuning.economics), Decimal(0))
    return BothTunings(from_ledger=from_ledger, from_capture=from_capture, measured=float(ours / full) - 1)


def trials(
    calls: Sequence[RecordedCall], profile: Profile, terms: ModelTerms, answers: AnswerLookup = no_answers
) -> tuple[RecordedTrial, RecordedTrial]:
    """The halves of captured traffic, as ``simulate --tune`` has them."""
    count = token_counter()
    readings = first_turns_of(calls, Pipeline([profile], count, coverage_floor=FLOOR), profile.name, answers)
    full_cached = rewrites_of([profile], count, terms.target, coverage_floor=FLOOR)["full-cached"]

    def rewrite_of(economics: Economics) -> Any:
        return tuned_rewrite(
            [profile],
            count,
            terms.target,
            coverage_floor=FLOOR,
            only=profile.name,
            economics=economics,
            answers=answers,
        )

    first, second = (
        RecordedTrial(
            calls=half,
            readings=readings,
            rewrite_of=rewrite_of,
            full_cached=full_cached,
            blocks_of=_blocks_of(terms, count),
            rules=terms.rules,
            prices=terms.prices,
            watch=lambda calls, _: calls,
            where="capture",
        )
        for half in recorded_trial.halves(calls, readings)
    )
    return first, second


def _blocks_of(terms: ModelTerms, count: Callable[[str], int]) -> Any:
    from litellm_prompt_router.gateway.deployments.translation import ClaudeWire

    reader = BlockReader(count)
    if not terms.target.takes_marks:
        return reader.openai
    wire = ClaudeWire(terms.model)
    return lambda body: reader.anthropic(wire.body(body))


def workbench_calls(profile: Profile, conversations: int, rate: float) -> tuple[RecordedCall, ...]:
    labelled = (bundled_profiles() / "workbench" / workbench_traffic.LABELLED).read_text("utf-8").splitlines()
    lines = workbench_traffic.traffic(profile, [json.loads(line) for line in labelled if line], conversations, rate)
    return parse_traffic("\n".join(json.dumps(line) for line in lines), "made")


def _agent(folder: Path, root: Path, rate: float) -> tuple[Profile, tuple[RecordedCall, ...]]:
    """Fitted to words on half of the conversations, with traffic of the others."""
    from tests.benchmarks.routing import run

    agent = load_agent(folder)
    names = sorted(agent.conversations)
    seen = set(names[::2])
    bench = AgentBench(agent, root, run)
    router = FittedRouter(name="words", router={})
    fitted = bench.fitted(router, [row for row in agent.messages if row["conversation"] in seen], 0.9)
    profile = load_profile(fitted, token_counter())
    rows = [row for row in agent.messages if row["conversation"] not in seen]
    return profile, traffic(agent, profile.text, rows, rate)


def _asked_agent(
    folder: Path, root: Path, rate: float, rounds: int
) -> tuple[Profile, tuple[RecordedCall, ...], RecordedAnswerer]:
    """With a routing model that is always right, and every conversation so many times."""
    agent = load_agent(folder)
    profile = load_profile(
        build_profile(root, "asking", agent, {"model": ROUTING_GROUP, "model_timeout": 10}), token_counter()
    )
    rows = [
        {**row, "conversation": f"{row['conversation']} {number}"} for number in range(rounds) for row in agent.messages
    ]
    return profile, traffic(agent, profile.text, rows, rate), RecordedAnswerer(as_labelled(agent.messages))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", metavar="PROMPT_FOLDER")
    parser.add_argument("--conversations", type=int, default=120, help="of the workbench agent")
    parser.add_argument("--rate", type=float, default=60.0, help="conversations an hour")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--asks", action="store_true", help="a routing model that is always right; else a fit of words")
    parser.add_argument("--rounds", type=int, default=1, help="with --asks, each conversation so many times")
    arguments = parser.parse_args()
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        if arguments.folder is None:
            profile = load_profile(bundled_profiles() / "workbench", token_counter())
            calls = workbench_calls(profile, arguments.conversations, arguments.rate)
        elif arguments.asks:
            profile, calls, answerer = _asked_agent(arguments.folder, root, arguments.rate, arguments.rounds)

            def answers(_: str, question: RoutingQuestion) -> RoutingAnswer | None:
                found = answerer.answer_for(question.conversation)
                return None if found is None else RoutingAnswer(found.needed, found.perhaps)

            with answerer:
                run = shadow_run(root / "run", profile, calls, arguments.model, asked=answerer)
            _show(run, tuned_twice(run, profile, arguments.model, answers), arguments)
            return
        else:
            profile, calls = _agent(arguments.folder, root, arguments.rate)
        run = shadow_run(root / "run", profile, calls, arguments.model)
        _show(run, tuned_twice(run, profile, arguments.model), arguments)


def _show(run: ShadowRun, both: BothTunings, arguments: argparse.Namespace) -> None:
    ledger, capture = both.from_ledger, both.from_capture
    assert ledger.tuning is not None
    table = Table(
        "candidate",
        "from the ledger",
        "from the capture",
        title=f"{len(run.records)} calls, {arguments.rate:g} conversations an hour, {arguments.model}",
    )
    known = {each.name: each for each in capture.candidates}
    for each in ledger.tuning.candidates:
        beside = known.get(each.name)
        table.add_row(
            each.name, f"{each.versus_full_cached:+.1%}", "-" if beside is None else f"{beside.versus_full_cached:+.1%}"
        )
    console = Console(width=120)
    console.print(table)
    console.print(f"furthest apart: {both.furthest:.2f} points")
    console.print(
        f"choice: {ledger.tuning.choice} from {ledger.conversations} conversations, {capture.choice} from the capture;"
        f" the same economics: {ledger.tuning.economics == capture.economics}"
    )
    console.print(
        f"second half, by the ledger {ledger.tuning.versus_full_cached:+.1%}, by the capture"
        f" {capture.versus_full_cached:+.1%}; the ledger's choice measured on the bodies {both.measured:+.1%}"
    )
    console.print(f"ledger {run.ledger_bytes / 1e6:.1f} MB, capture {run.capture_bytes / 1e6:.1f} MB")
    console.print(f"use: {ledger.use}")


if __name__ == "__main__":
    main()
