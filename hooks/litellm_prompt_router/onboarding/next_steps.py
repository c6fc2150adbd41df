"""What to do next, as commands with the paths of this run."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from litellm_prompt_router.documents.plurals import many
from litellm_prompt_router.files import REVIEW_FILE
from litellm_prompt_router.onboarding.findings import AgentFindings, LabelCounts
from litellm_prompt_router.onboarding.page_blocks import Block, Commands, Paragraph
from litellm_prompt_router.onboarding.trial_fit import FOR_EXPECTED, FOR_GUARANTEED, TO_LABEL
from litellm_prompt_router.onboarding.verdict import Verdict


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
    retry: str | None = None
    """The command that accounts what this run couldn't, with a model that has prices."""
    again: str | None = None
    """This run's own command."""
    other_name: str | None = None
    """A name that was asked for and is no profile's of this page."""

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
    missing = [] if found.labels is None else [Paragraph(text=_missing(found.labels, found.agent.tools))]
    if not has_tool_use(found):
        return [*missing, by_hand, by_model]
    return [*missing, by_tools, by_hand, by_model]


def has_tool_use(found: AgentFindings) -> bool:
    """True where captured tool use labels a message with a module that it needs."""
    return bool(found.agent.tools) and found.labels is not None and found.labels.needing > 0


def _need_text() -> str:
    return (
        "A label is a message with the modules it needs. A promise says how many of 100 messages get every module they"
        f" need (their coverage), measured on labelled messages that taught nothing: {FOR_EXPECTED} of them for an"
        f" expected promise, {FOR_GUARANTEED} for a guaranteed one, and more to learn from, so about {TO_LABEL} labels"
        " at least."
    )


def _missing(labels: LabelCounts, tools: int) -> str:
    need = _need_text()
    if not tools:
        return f"{need} This agent's requests declare no tools, so captured tool use gives no labels."
    if labels.problem is not None:
        return f"{need} Captured tool use gives none: {labels.problem}."
    messages = f"{many(labels.messages, 'message')} (one that several calls open with counts once)"
    if not labels.needing:
        return f"{need} Captured tool use gives none: of {messages} none led to a tool that a module owns."
    have = (
        f"Captured tool use labels {messages}, of which {labels.needing:,} need a module, and "
        "each of those teaches and calibrates"
    )
    if labels.calibrating >= labels.for_guaranteed:
        return f"{need} {have}: enough for a guaranteed promise."
    if labels.calibrating >= labels.for_expected:
        return f"{need} {have}: enough for an expected promise."
    return f"{need} {have}: {labels.calibrating} of {labels.for_expected} / {labels.for_guaranteed}."


def next_blocks(found: AgentFindings, paths: RunPaths, verdict: Verdict) -> Sequence[Block]:
    """Accepting and enabling only where there is something to gain, or where only a control group can tell."""
    if found.unreplayed is not None and found.unreplayed.unpriced is not None:
        return _to_account(paths)
    if verdict.kind in ("no", "later"):
        return [*_not_yet(found, paths, verdict), *_figures(found, paths)]
    return [*_accept_and_enable(found, paths), *_figures(found, paths)]


def _to_account(paths: RunPaths) -> list[Block]:
    told = [Commands(title="Account it: the same command with a model", lines=(paths.retry,))] if paths.retry else []
    return [*told, Paragraph(text="Until then there is nothing to accept or to enable; nothing changes on the wire.")]


def _not_yet(found: AgentFindings, paths: RunPaths, verdict: Verdict) -> list[Block]:
    """To labels, to more traffic, or to an end."""
    unchanged = "Nothing has changed on the wire"
    if found.sizes.is_reviewed:
        unchanged = "As it is, the profile leaves nothing out that pays"
    if found.gate is not None and found.gate.leaves_alone:
        unchanged = "Nothing changes on the wire: the agent is left alone, accepted or not"
    elif not found.sizes.is_reviewed:
        unchanged += ", and nothing will: the draft isn't accepted"
    if verdict.kind == "no":
        return [
            Paragraph(text=f"Stop here. {unchanged}. Ask again when there is much more traffic, or another prompt.")
        ]
    ask = () if paths.again is None else (paths.again,)
    if paths.traffic is None:
        capture = "callback_settings: {prompt_router: {mode: shadow, capture: {path: logs/traffic.jsonl, keys: [KEY]}}}"
        text = f"{unchanged}. A prompt alone decides nothing: capture real calls for a day or two, and ask again."
        again = (command("onboard", "logs/traffic.jsonl", *paths.where),)
        return [
            Paragraph(text=text),
            Commands(title="In the proxy's configuration, with the alias of the agent's key", lines=(capture,)),
            Commands(title="Then", lines=again),
        ]
    if verdict.needs_traffic:
        text = f"{unchanged}. Capture more conversations, and ask again; there is nothing to accept or to enable yet."
        return [Paragraph(text=text), *_commands("The same for a longer file", ask)]
    text = (
        f"{unchanged}. There is nothing to accept or to enable yet: get labels first, as above, or stop here. With"
        " labels and a fit ask again; then this page says what to accept."
    )
    return [Paragraph(text=text), *_commands("After the fit", ask)]


def _commands(title: str, lines: tuple[str, ...]) -> list[Block]:
    return [Commands(title=title, lines=lines)] if lines else []


def _accept_and_enable(found: AgentFindings, paths: RunPaths) -> list[Block]:
    name = found.agent.profile or ""
    folder = f"{paths.profiles.rstrip('/')}/{name}"
    where = paths.where
    steps: list[Block] = []
    if found.trial is not None and paths.traffic is not None:
        fit = command("fit", paths.traffic, "--profile", name, *where)
        steps.append(Commands(title="Fit it on this traffic", lines=(fit,)))
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
    return steps


def _figures(found: AgentFindings, paths: RunPaths) -> Iterator[Block]:
    name = found.agent.profile or ""
    if paths.traffic is not None and found.costs is not None:
        yield Commands(
            title=_figures_title(found),
            lines=(
                command("simulate", paths.traffic, "--profile", name, *paths.where, *paths.account),
                command("simulate", paths.traffic, "--profile", name, *paths.where, *paths.account, "--tune"),
            ),
        )
    elif found.made is not None:
        options = [word for option, value in found.made.shape for word in (f"--{option}", value)]
        rates = [word for run in found.made.runs for word in ("--rate", f"{run.conversations_per_hour:g}")]
        yield Commands(
            title="See the figures behind this page",
            lines=(command("simulate", "--synthetic", *rates, *options, *paths.account),),
        )


def _figures_title(found: AgentFindings) -> str:
    if found.gate is not None and found.gate.leaves_alone:
        return "See what the proxy does with it now; and let the cost gate learn from this traffic, or newer"
    return "See the figures behind this page, and let the cost gate learn from this traffic"
