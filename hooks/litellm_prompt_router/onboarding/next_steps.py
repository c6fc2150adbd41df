"""What to do next, as commands with the paths of this run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from litellm_prompt_router.files import REVIEW_FILE
from litellm_prompt_router.onboarding.findings import AgentFindings, LabelCounts
from litellm_prompt_router.onboarding.page_blocks import Block, Commands, Paragraph
from litellm_prompt_router.onboarding.trial_fit import FOR_EXPECTED, FOR_GUARANTEED


@dataclass(frozen=True, kw_only=True, slots=True)
class RunPaths:
    """How this run's files are named on a command line. ``traffic`` None: a prompt alone was given."""

    source: str
    traffic: str | None
    profiles: str
    profiles_absolute: str
    is_usual: bool = False
    """True for the folder that every command and a proxy started here find by themselves."""
    account: tuple[str, ...] = ()
    """Options that have `simulate` account for the same model and prices."""

    @property
    def where(self) -> tuple[str, ...]:
        """Options that lead to the profiles."""
        return () if self.is_usual else ("--profiles", self.profiles)


def command(*words: str) -> str:
    return " ".join(("prompt-router", *(shlex.quote(word) for word in words)))


def label_blocks(found: AgentFindings, paths: RunPaths) -> list[Block]:
    """What is missing for a promise, and three ways to get it."""
    name = found.agent.profile or ""
    where = ("--profile", name, *paths.where)
    labelled = f"{name}-labelled.jsonl"
    traffic = paths.traffic or "TRAFFIC.jsonl"
    drafted = f"{paths.profiles.rstrip('/')}/{name}/labelled_examples.jsonl"
    by_tools = Commands(
        title="From captured tool use, free: a message needed the modules whose tools were called for it",
        lines=(command("fit", traffic, *where, "--dry-run"), command("fit", traffic, *where)),
    )
    by_hand = Commands(
        title="By hand: shows real messages and the modules, and writes the file as you answer",
        lines=(command("label", traffic, *where, "--out", labelled), command("fit", labelled, *where)),
    )
    by_model = Commands(
        title="By a language model, which is sent the modules' texts and writes messages that need each",
        lines=(command("examples", "--llm", "MODEL", *where), command("fit", drafted, *where)),
    )
    if paths.traffic is None:
        need = (
            f"{_need_text()} "
            "Without traffic only the first way is open; the others take what the proxy's `capture` writes."
        )
        return [Paragraph(text=need), by_model, by_tools, by_hand]
    missing = [] if found.labels is None else [Paragraph(text=_missing(found.labels))]
    return [*missing, by_tools, by_hand, by_model]


def _need_text() -> str:
    return (
        f"A promise of coverage takes {FOR_EXPECTED} calibration messages (expected) or {FOR_GUARANTEED} (guaranteed), "
        "and more to learn from."
    )


def _missing(labels: LabelCounts) -> str:
    need = _need_text()
    if labels.problem is not None:
        return f"{need} Captured tool use gives none: {labels.problem}."
    have = (
        f"Captured tool use labels {labels.messages:,} messages, of which {labels.needing:,} need a module; about "
        f"{labels.calibrating:,} of those would calibrate"
    )
    if labels.calibrating >= labels.for_guaranteed:
        return f"{need} {have}: enough for a guaranteed promise."
    if labels.calibrating >= labels.for_expected:
        return f"{need} {have}: enough for an expected promise."
    return f"{need} {have}: {labels.calibrating} of {labels.for_expected} / {labels.for_guaranteed}."


def next_blocks(found: AgentFindings, paths: RunPaths) -> Sequence[Block]:
    name = found.agent.profile or ""
    folder = f"{paths.profiles.rstrip('/')}/{name}"
    where = paths.where
    steps: list[Block] = []
    if not found.sizes.is_reviewed:
        steps.append(Commands(title="Read what the draft asks, then accept it", lines=(
            f"less {shlex.quote(f'{folder}/{REVIEW_FILE}')}",
            command("check", name, *where),
            command("review", name, "--accept", *where),
        )))  # fmt: skip
    reads = "For a proxy to read it, in its configuration"
    if paths.is_usual:
        reads = "A proxy that runs in this folder reads it; for another, in its configuration"
    setting = f"callback_settings: {{prompt_router: {{profiles: {paths.profiles_absolute}}}}}"
    steps.append(Commands(title=reads, lines=(setting,)))
    if found.agent.keys:
        enable = command("policy", "enable", found.agent.keys[0])
        steps.append(Commands(title="Rewrite for one key, once the profile is accepted and pays", lines=(enable,)))
    if paths.traffic is not None and found.costs is not None:
        steps.append(
            Commands(
                title=_figures_title(found),
                lines=(
                    command("simulate", paths.traffic, "--profile", name, *where, *paths.account),
                    command("simulate", paths.traffic, "--profile", name, *where, *paths.account, "--tune"),
                ),
            )
        )
    elif found.made is not None:
        options = [word for option, value in found.made.shape for word in (f"--{option}", value)]
        rates = [word for run in found.made.runs for word in ("--rate", f"{run.conversations_per_hour:g}")]
        steps.append(
            Commands(
                title="See the figures behind this page",
                lines=(command("simulate", "--synthetic", *rates, *options, *paths.account),),
            )
        )
    return steps


def _figures_title(found: AgentFindings) -> str:
    if found.gate is not None and found.gate.leaves_alone:
        return "See what the proxy does with it now; and let the cost gate learn from this traffic, or newer"
    return "See the figures behind this page, and let the cost gate learn from this traffic"
