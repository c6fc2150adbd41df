"""What the page says to do next: accept and enable only what pays, else labels, more traffic or nothing."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from litellm_prompt_router.onboarding.findings import AgentFindings, MadeCosts, MadeRun
from litellm_prompt_router.onboarding.next_steps import RunPaths, label_blocks, next_blocks
from litellm_prompt_router.onboarding.page_blocks import Block, Commands
from litellm_prompt_router.onboarding.verdict import verdict_of
from tests.onboarding.findings_made import AGENT, COSTS, FOUND, LABELS, costing

PATHS = RunPaths(
    source="t.jsonl",
    traffic="t.jsonl",
    profiles="modules",
    profiles_absolute="/srv/modules",
    is_usual=True,
    again="prompt-router onboard t.jsonl",
)
MONTH = 30 * 86_400.0
CASES: dict[str, tuple[AgentFindings, str, bool]] = {
    "labels": (
        FOUND,
        "Nothing has changed on the wire, and nothing will: the draft isn't accepted. There is nothing to accept or to"
        " enable yet: get labels first, as above, or stop here. With labels and a fit ask again; then this page says"
        " what to accept.",
        True,
    ),
    "more traffic": (
        costing(replace(FOUND, costs=replace(COSTS, shown="unclear")), auto_usd=8),
        "Nothing has changed on the wire, and nothing will: the draft isn't accepted. Capture more conversations, and"
        " ask again; there is nothing to accept or to enable yet.",
        True,
    ),
    "nothing": (
        replace(FOUND, costs=replace(COSTS, span_seconds=MONTH)),
        "Stop here. Nothing has changed on the wire, and nothing will: the draft isn't accepted. Ask again when there"
        " is much more traffic, or another prompt.",
        False,
    ),
}


def test_a_prompt_leads_to_captured_calls() -> None:
    run = MadeRun(
        conversations_per_hour=20.0, calls=30, conversations=1, full_cached_usd=Decimal(4), usd=Decimal(3), policies=()
    )
    found = replace(FOUND, costs=None, labels=None, made=MadeCosts(runs=(run,), shape=(("modules", "3"),)))
    said = shown(list(next_blocks(found, replace(PATHS, traffic=None), verdict_of(found))))
    assert "A prompt alone decides nothing: capture real calls for a day or two, and ask again." in said
    assert "capture: {path: logs/traffic.jsonl, keys: [KEY]}" in said
    assert "prompt-router onboard logs/traffic.jsonl" in said
    assert "--accept" not in said


def shown(blocks: list[Block]) -> str:
    return "\n".join("\n".join(b.lines) if isinstance(b, Commands) else str(getattr(b, "text", "")) for b in blocks)


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_accepted_where_nothing_is_gained(name: str) -> None:
    found, text, asks_again = CASES[name]
    said = shown(list(next_blocks(found, PATHS, verdict_of(found))))
    assert said.splitlines()[0] == text
    assert ("prompt-router onboard t.jsonl" in said) == asks_again
    assert "--accept" not in said
    assert "policy enable" not in said


def test_what_pays_is_accepted_and_enabled() -> None:
    """Fitted first where the gain is a fit's."""
    reviewed = costing(auto_usd=8)
    said = shown(list(next_blocks(reviewed, PATHS, verdict_of(reviewed))))
    assert "prompt-router review quill --accept" in said
    assert "prompt-router policy enable shop" in said
    assert "prompt-router fit" not in said
    fitted = costing(trial="7.5")
    said = shown(list(next_blocks(fitted, PATHS, verdict_of(fitted))))
    assert said.index("prompt-router fit t.jsonl --profile quill") < said.index("prompt-router review quill --accept")


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (FOUND, "Captured tool use labels 80 messages (one that several calls open with counts once), of which 30"),
        (replace(FOUND, agent=replace(AGENT, tools=0)), "declare no tools, so captured tool use gives no labels."),
        (
            replace(FOUND, labels=replace(LABELS, messages=9, needing=0)),
            "Captured tool use gives none: of 9 messages (one that several calls open with counts once) none led",
        ),
    ],
)
def test_captured_tool_use_is_a_way_only_where_it_gives_labels(found: AgentFindings, told: str) -> None:
    said = shown(label_blocks(found, PATHS))
    assert told in said
    assert ("prompt-router fit t.jsonl --profile quill --dry-run" in said) == (found is FOUND)
    assert "prompt-router label t.jsonl" in said
