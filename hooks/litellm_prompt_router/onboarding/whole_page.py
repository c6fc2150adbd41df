"""The page of a run: its agents, the one with the most tokens first, and what was skipped."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from litellm_prompt_router.cache_model import Prices
from litellm_prompt_router.documents.plurals import many
from litellm_prompt_router.onboarding.agent_part import part_of
from litellm_prompt_router.onboarding.findings import AgentFindings, FoundAgent
from litellm_prompt_router.onboarding.next_steps import RunPaths
from litellm_prompt_router.onboarding.page_blocks import Chapter, Grid, Paragraph, VerdictPage
from litellm_prompt_router.onboarding.taken_traffic import TakenTraffic
from litellm_prompt_router.onboarding.unreplayed_sizes import PATHS

_PRIVACY = "This page quotes messages of your own traffic: only you may read the file; treat it like the traffic itself"


def page_of(
    found: Sequence[AgentFindings],
    skipped: Sequence[FoundAgent],
    paths: RunPaths,
    *,
    model: str | None,
    prices: Prices | None,
    taken: TakenTraffic,
) -> VerdictPage:
    """``model`` and ``prices``: what was accounted; None where nothing could be."""
    calls = len(taken.every_call)
    facts = [_PRIVACY] if calls else []
    facts.append(f"From {paths.source}" + (f": {many(calls, 'call')}" if calls else ": a prompt, no traffic"))
    if taken.skipped_lines:
        were = "was left out: it" if taken.skipped_lines == 1 else "were left out: they"
        facts.append(f"{many(taken.skipped_lines, 'line')} {were} can't be read, or can't be replayed")
    unpriced = next((each.unreplayed.unpriced for each in found if each.unreplayed and each.unreplayed.unpriced), None)
    if unpriced is not None:
        facts.append(f"Nothing is told in money: LiteLLM has no prices for {unpriced!r}")
    elif taken.unreplayed:
        facts.append(_unreplayed_text(taken))
    if model is not None and prices is not None:
        facts.append(f"Accounted as {model}: {_prices_text(prices)}")
    named = {str(call.request.get("model")) for call in taken.calls}
    others = sorted(named - {str(model)}) if model is not None else []
    if others and len(named) == 1:
        facts.append(f"The traffic's name for it: {others[0]}")
    elif others:
        facts.append(f"Also in the traffic, accounted as that one: {', '.join(others)}")
    chapters = []
    if skipped:
        rows = tuple((agent.begins, f"{agent.calls:,}", f"{agent.tokens:,}", agent.reason or "") for agent in skipped)
        grid = Grid(columns=("prompt begins", "#calls", "#tokens", "why it was skipped"), rows=rows)
        chapters.append(Chapter(title="Skipped", blocks=(grid,)))
    if not found:
        chapters.insert(
            0, Chapter(title="Nothing to onboard", blocks=(Paragraph(text="No agent's prompt is long enough."),))
        )
    return VerdictPage(
        title="Is prompt routing worth it?",
        facts=tuple(facts),
        agents=tuple(part_of(each, paths) for each in found),
        chapters=tuple(chapters),
    )


def _unreplayed_text(taken: TakenTraffic) -> str:
    paths = " and ".join(sorted({PATHS[call.endpoint] for call in taken.unreplayed}))
    count = len(taken.unreplayed)
    if not taken.calls:
        return f"Nothing is told in money: calls to {paths} can't be replayed"
    are, they = ("is", "it") if count == 1 else ("are", "they")
    return f"{count:,} of these calls {are} left out of all money: {they} came to {paths}, which can't be replayed"


def _prices_text(prices: Prices) -> str:
    def plain(value: Decimal) -> str:
        return format(value.normalize(), "f")

    return (
        f"{plain(prices.input_usd_per_mtok)} USD per million input tokens, {plain(prices.cache_read_usd_per_mtok)} "
        f"read from the cache, {plain(prices.cache_write_5m_usd_per_mtok)} written to it"
    )
