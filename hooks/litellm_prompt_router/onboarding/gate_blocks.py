"""What the proxy's cost gate does with an agent now, until when, and how to measure what can't be replayed."""

from __future__ import annotations

from collections.abc import Iterator

from litellm_prompt_router.documents.plurals import many
from litellm_prompt_router.files import PROFILE_FILE
from litellm_prompt_router.onboarding.findings import AgentFindings, GateAdvice
from litellm_prompt_router.onboarding.next_steps import RunPaths, command
from litellm_prompt_router.onboarding.page_blocks import Block, Commands, Paragraph

UNTIL = (
    "That ends by itself with a fit, and with any change of the modules' texts, triggers, tools, requirements or marks,"
    " or of the prompt's version; and `simulate --tune` on newer traffic decides anew."
)
HOLDOUT = "0.1"


def gate_blocks(found: AgentFindings, paths: RunPaths) -> Iterator[Block]:
    """Nothing where nothing was replayed, now or before."""
    gate = found.gate
    if gate is None:
        return
    name = found.agent.profile or ""
    file = f"{paths.profiles.rstrip('/')}/{name}/{PROFILE_FILE}"
    yield Paragraph(text=f"As `simulate` says it: {gate.sentence}.")
    if gate.state == "written":
        few = " More conversations would tell; until then it stays as it is." if gate.is_unclear else ""
        yield Paragraph(
            text=f"So {file} has got `economics` that leave this agent alone: the proxy sends its prompt as it came,"
            f" reviewed or not.{few}"
        )
    elif gate.state == "left_alone":
        yield Paragraph(
            text=f"`economics` in {file} leave this agent alone: the proxy sends its prompt as it came. What is"
            " shown here is what it would do without them."
        )
    if gate.leaves_alone:
        check = command("check", name, *paths.where)
        yield Paragraph(text=f"{UNTIL} `{check}` tells whether it still holds.", is_small=True)
    if _needs_command(gate):
        yield Commands(title=_title(gate), lines=(tuning_command(name, paths),))


def tuning_command(name: str, paths: RunPaths) -> str:
    """Has the cost gate go by this traffic."""
    traffic = paths.traffic or "TRAFFIC.jsonl"
    return command("simulate", traffic, "--profile", name, *paths.where, *paths.account, "--tune")


def unreplayed_blocks(found: AgentFindings, paths: RunPaths) -> Iterator[Block]:
    """Nothing where every call can be replayed."""
    calls = found.unreplayed
    if calls is None:
        return
    if calls.unpriced is not None:
        yield Paragraph(
            text=f"{many(calls.calls, 'call')} of {many(calls.conversations, 'conversation')} went to"
            f" {calls.unpriced}, which neither LiteLLM's price map nor the proxy's configuration knows, so the shares"
            " on this page are of tokens. Say which model it is, or what it costs (`--prices`)."
        )
        if paths.retry is not None:
            yield Commands(
                title="The same again in money, with the model's name for the last word", lines=(paths.retry,)
            )
        return
    if found.costs is None:
        left = "What leaving text out would save of them can't be said beforehand"
    else:
        left = f"They are in no figure in money here, which tells of the other {found.costs.calls:,} calls"
    yield Paragraph(
        text=f"{many(calls.calls, 'call')} of {many(calls.conversations, 'conversation')} came to {calls.named}."
        f" The proxy routes such calls, but they can't be replayed: how they are billed isn't modelled. {left};"
        " what would be left out of their messages is shown all the same."
    )
    alone = " As long as the cost gate leaves this agent alone (below), there is nothing to measure: take `economics`"
    yield Paragraph(
        text="A control group measures it on the real bill: the proxy leaves a tenth of the conversations as they came,"
        " and `report` sets the others beside them. It takes a reviewed profile."
        + (f"{alone} out of its {PROFILE_FILE} first." if found.gate is not None and found.gate.leaves_alone else "")
    )
    setting = f"callback_settings: {{prompt_router: {{profiles: {paths.profiles_absolute}, holdout: {HOLDOUT}}}}}"
    yield Commands(title="In the proxy's configuration, and some days later", lines=(setting, _report()))


def _report() -> str:
    return command("report", "LEDGER.jsonl")


def _needs_command(gate: GateAdvice) -> bool:
    """True where somebody's own profile does otherwise than the replay says."""
    if gate.is_gain:
        return gate.state == "left_alone"
    return gate.state == "kept"


def _title(gate: GateAdvice) -> str:
    if gate.is_gain:
        return "This traffic shows a gain. To have the cost gate go by it"
    return (
        "The profile is no untouched draft of this command, so nothing was written into it. To have the cost"
        " gate leave it alone, or go by what pays"
    )
