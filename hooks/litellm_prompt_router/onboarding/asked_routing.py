"""What a routing model would cost an agent and could save: figures from its traffic, and what the page says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from litellm_prompt_router.accounting.asking_price import asking_price
from litellm_prompt_router.analysis.simulate import RecordedCall
from litellm_prompt_router.analysis.simulate.asked_questions import questions_about_calls
from litellm_prompt_router.cache_model import Prices
from litellm_prompt_router.documents.plurals import many
from litellm_prompt_router.onboarding.amounts import HOUR_SECONDS, percent_text, usd_text
from litellm_prompt_router.onboarding.findings import AgentFindings, AskedRouting
from litellm_prompt_router.onboarding.next_steps import RunPaths, command
from litellm_prompt_router.onboarding.page_blocks import Block, Commands, Paragraph
from litellm_prompt_router.profile.profile import Profile, RoutingModelSettings
from litellm_prompt_router.request.route import Router, with_model_choosing

MEASURED_SHARE = 0.87
"""Of what an oracle leaves out of a real agent's prompt (115,692 characters, 18 topics), recorded answers of a strong
model left out so much, at 98.6% of first needs (69 of them; 2026-11)."""


class AskedModelPrices(NamedTuple):
    """A routing model by LiteLLM's name, and its prices."""

    model: str
    prices: Prices


def asked_routing(
    calls: Sequence[RecordedCall],
    profile: Profile,
    asked: AskedModelPrices,
    count_tokens: Callable[[str], int],
    *,
    coverage_floor: float,
) -> AskedRouting | None:
    """None where nothing would be asked: every module is in the core for good, or no call holds a task."""
    settings = profile.routing_model or RoutingModelSettings(
        model=asked.model, hedge_model=None, timeout_seconds=1.0, budget_usd_per_hour=None
    )
    routed = with_model_choosing(replace(profile, routing_model=settings))
    questions = questions_about_calls(calls, [routed], count_tokens, coverage_floor=coverage_floor)
    if not questions:
        return None
    price = asking_price(questions, count_tokens, asked.prices)
    return AskedRouting(
        questions=price.questions,
        sections=len(Router(routed).section_ids),
        input_tokens=price.input_tokens,
        usd=price.usd,
        model=asked.model,
        span_seconds=max(call.at_seconds for call in calls) - min(call.at_seconds for call in calls),
    )


def routing_blocks(found: AgentFindings, ceiling_usd: Decimal | None, paths: RunPaths) -> Iterator[Block]:
    """What asking costs, what it could save, and how it is switched on. ``ceiling_usd``: the ceiling with labels."""
    asked = found.routing
    name = found.agent.profile or ""
    switch_on = Paragraph(
        text=f"To switch it on: `router: {{model: NAME}}` in {paths.profiles.rstrip('/')}/{name}/profile.yaml, NAME a"
        " model group of the proxy, and `router_model: true` for the key."
    )
    if asked is None:
        if paths.traffic is None:
            text = "A chat model can say for each task which sections it needs, without a label and with no promise."
            yield Paragraph(text=f"{text} What that costs and could save shows in captured calls.")
            yield switch_on
        return
    each = asked.input_tokens // asked.questions
    hourly = ""
    if asked.span_seconds >= HOUR_SECONDS:
        per_hour = asked.usd * Decimal(HOUR_SECONDS) / Decimal(asked.span_seconds)
        hourly = f", {usd_text(per_hour)} an hour"
    yield Paragraph(
        text="A chat model can say for each task which sections it needs, without a label. It is told the "
        f"{many(asked.sections, 'section')} that may go and the user's messages, {each:,} tokens a question: "
        f"{many(asked.questions, 'question')} in this traffic, {usd_text(asked.usd)} at most{hourly} with"
        f" {asked.model}."
    )
    if ceiling_usd is not None and ceiling_usd > 0:
        yield Paragraph(
            text=f"It can save no more than the ceiling with labels, {usd_text(ceiling_usd)} in this traffic; on a real"
            f" agent's prompt a strong model left out {percent_text(MEASURED_SHARE)} of what such a ceiling does."
            " Nothing is promised without labels: shadow mode and `report` show what it would have missed.",
        )
    traffic = paths.traffic or "TRAFFIC.jsonl"
    yield Commands(
        title="Ask it about this traffic, and see what the calls would have cost",
        lines=(command("simulate", traffic, "--profile", name, *paths.where, "--routing-model", asked.model),),
    )
    yield switch_on
