"""Whether it is worth it, in a sentence, and why. Every figure is one of the findings'."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from litellm_prompt_router.analysis.simulate.cost_report import Parts
from litellm_prompt_router.onboarding.amounts import a_month, percent_text, share_of, usd_text
from litellm_prompt_router.onboarding.findings import (
    AgentCosts,
    AgentFindings,
    MadeCosts,
    ProfileSizes,
    UnreplayedCalls,
)
from litellm_prompt_router.onboarding.trial_fit import TO_LABEL

Kind = Literal["worth", "later", "no", "unknown"]
WORTH_SHARE = 0.03
"""Of the input bill. A lower ceiling isn't worth the work."""
SAVING_SHARE = 0.01
"""Less is no saving that one would notice."""
LARGE_SHARE = 0.5
LARGE_CORE_SHARE = 0.8
ONE_SHOT_CALLS = 1.5
"""Calls a conversation, at most, of an agent whose prompt is hardly ever read from the cache."""
PER_CALLS = 1_000
BOTHER_USD = Decimal(50)
"""A month. What labels could save at most below that doesn't pay for a day of labelling within most of a year."""
LABELS = "labels (which of your messages need which modules)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Savings:
    """What leaving text out would save of the well cached bill, in USD of this traffic; below 0 it costs more.

    ``caching_usd`` is what cache marks alone save of what was sent: no part of the others.
    """

    bill_usd: Decimal
    ceiling_usd: Decimal
    ceiling_tools_usd: Decimal
    ceiling_judged_usd: Decimal
    reviewed_usd: Decimal
    fitted_usd: Decimal | None
    caching_usd: Decimal

    @property
    def ceiling(self) -> float:
        return share_of(self.ceiling_usd, self.bill_usd)

    @property
    def ceiling_judged(self) -> float:
        return share_of(self.ceiling_judged_usd, self.bill_usd)

    @property
    def reviewed(self) -> float:
        return share_of(self.reviewed_usd, self.bill_usd)

    @property
    def fitted(self) -> float | None:
        return None if self.fitted_usd is None else share_of(self.fitted_usd, self.bill_usd)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    kind: Kind
    sentence: str
    reasons: tuple[str, ...]
    needs_traffic: bool = False
    """True where there seems to be a gain, but too few conversations to tell."""


def savings_of(found: AgentFindings) -> Savings | None:
    """None without traffic."""
    costs = found.costs
    if costs is None:
        return None
    bill = costs.full_cached_usd
    # Where marks cost more than they save, as in one-shot traffic, leaving them out is no saving of routing's.
    before = min(bill, costs.as_sent_usd)
    reviewed = bill - costs.auto_usd
    fitted = None if found.trial is None else bill - found.trial.usd
    by_tools = max(before - costs.ceiling.usd_tools, Decimal(0))
    by_labels = max(before - costs.ceiling.usd, by_tools, reviewed, fitted or Decimal(0))
    return Savings(
        bill_usd=bill,
        ceiling_usd=by_labels,
        ceiling_judged_usd=max(before - costs.ceiling.usd_judged, by_labels),
        ceiling_tools_usd=by_tools,
        reviewed_usd=reviewed,
        fitted_usd=fitted,
        caching_usd=costs.as_sent_usd - bill,
    )


def verdict_of(found: AgentFindings) -> Verdict:
    """The sentence that the page opens with."""
    savings = savings_of(found)
    if savings is None or found.costs is None:
        return _without_traffic(found)
    reasons = reasons_of(found.costs, found.sizes, found.min_cache_tokens)
    if savings.reviewed >= SAVING_SHARE:
        amount = _amount(savings.reviewed, savings.reviewed_usd, found.costs)
        if found.costs.shown != "cheaper":
            few = f"{found.costs.conversations:,} conversations don't show it clearly"
            sentence = f"Perhaps worth it: {amount}, but {few}; capture more."
            return Verdict(kind="later", sentence=sentence, reasons=reasons, needs_traffic=True)
        when = "with the profile as it is" if found.sizes.is_reviewed else "as soon as the profile is reviewed"
        if found.gate is not None and found.gate.leaves_alone:
            when = "once its `economics` no longer leave it alone"
        return Verdict(kind="worth", sentence=f"Worth it: {amount}, {when}.", reasons=())
    if savings.fitted is not None and savings.fitted_usd is not None and savings.fitted >= SAVING_SHARE:
        amount = _amount(savings.fitted, savings.fitted_usd, found.costs)
        what = "once it is reviewed and fitted on this traffic"
        return Verdict(kind="worth", sentence=f"Worth it: {amount}, {what}.", reasons=())
    if savings.ceiling_judged < WORTH_SHARE:
        why = reasons[0] if reasons else "hardly anything could be left out"
        best = f"at best {percent_text(savings.ceiling_judged)} of the input bill"
        return Verdict(kind="no", sentence=f"Not worth it: {why}; {best}.", reasons=reasons[1:])
    if savings.ceiling < WORTH_SHARE:
        held = f"{percent_text(share_of(found.sizes.judged_tokens, found.sizes.tokens))} of the prompt"
        few = f"with labels alone at most {percent_text(savings.ceiling)} of the input bill"
        way = f"if you go through the sections with rules ({held}), and with {LABELS}"
        if _is_too_little(savings, found.costs):
            sentence = _too_little(way, savings.ceiling_judged, savings.ceiling_judged_usd, found)
            return Verdict(kind="no", sentence=sentence, reasons=reasons)
        amount = _amount(savings.ceiling_judged, savings.ceiling_judged_usd, found.costs, "at most")
        later = f"{way[0].upper()}{way[1:]}, {amount}{_effort(found)}"
        return Verdict(kind="later", sentence=f"Nothing to gain today, and {few}. {later}.", reasons=reasons)
    if _is_too_little(savings, found.costs):
        sentence = _too_little(f"with {LABELS}", savings.ceiling, savings.ceiling_usd, found)
        return Verdict(kind="no", sentence=sentence, reasons=reasons)
    amount = _amount(savings.ceiling, savings.ceiling_usd, found.costs, "at most")
    now = "a reviewed profile without labels leaves nothing out that pays"
    if found.sizes.is_fitted:
        now = "what the fitted profile leaves out doesn't pay"
    sentence = f"Nothing to gain today: {now}. With {LABELS} {amount}{_effort(found)}."
    return Verdict(kind="later", sentence=sentence, reasons=reasons)


def _effort(found: AgentFindings) -> str:
    """What labelling takes."""
    free = found.labels.needing if found.labels is not None else 0
    given = f" (captured tool use gives {free:,}, free)" if free else ""
    return f"; that takes about {TO_LABEL} labelled messages{given}: a day's work by hand"


def _is_too_little(savings: Savings, costs: AgentCosts) -> bool:
    """True where even the highest ceiling doesn't pay for the labelling; False where nothing is known of a month."""
    monthly = a_month(savings.ceiling_judged_usd, costs.span_seconds)
    return monthly is not None and 0 < monthly < BOTHER_USD


def _too_little(way: str, share: float, usd: Decimal, found: AgentFindings) -> str:
    assert found.costs is not None
    monthly = a_month(usd, found.costs.span_seconds) or Decimal(0)
    times = 10
    while 0 < monthly * times < BOTHER_USD:
        times *= 10
    return (
        f"Too little to bother at this traffic: {way} at most {percent_text(share)} of the input bill,"
        f" {usd_text(monthly)} a month{_effort(found)}. At {times:,} times the traffic it would be"
        f" {usd_text(monthly * times)} a month."
    )


def reasons_of(costs: AgentCosts, sizes: ProfileSizes, min_cache_tokens: int) -> tuple[str, ...]:
    """What stands in the way, the weightiest first."""
    found = [*_untouched(costs.parts), *_large_core(sizes)]
    if sizes.tokens < min_cache_tokens:
        found.append(f"the prompt has {sizes.tokens:,} tokens, and the provider caches none below {min_cache_tokens:,}")
    if costs.calls <= ONE_SHOT_CALLS * costs.conversations:
        found.append(f"conversations are short ({costs.calls / costs.conversations:.1f} calls)")
    if not found and costs.full_usd:
        cached = 1 - share_of(costs.full_cached_usd, costs.full_usd)
        if cached >= LARGE_SHARE:
            found.append(f"caching already takes {percent_text(cached)} off the full price, so that text costs little")
    return tuple(found)


def _untouched(parts: Parts) -> Iterator[str]:
    shares = {
        "tools": share_of(parts.tools_tokens, parts.tokens),
        "history": share_of(parts.history_tokens, parts.tokens),
    }
    for name, share in sorted(shares.items(), key=lambda item: -item[1]):
        if share >= LARGE_SHARE:
            yield f"{percent_text(share)} of the input is {name}, which routing doesn't touch"


def _large_core(sizes: ProfileSizes) -> Iterator[str]:
    core = share_of(sizes.core_tokens, sizes.tokens)
    if core >= LARGE_CORE_SHARE:
        yield f"{percent_text(core)} of the prompt is identity, safety, rules or style, which are always sent"


def _without_money(sizes: ProfileSizes, unreplayed: UnreplayedCalls) -> Verdict:
    """Where no call could be accounted: what could be left out at all, and how to measure what that saves."""
    reasons = (*_untouched(unreplayed.parts), *_large_core(sizes))
    may_go = sizes.tokens - sizes.core_tokens
    if not may_go:
        return Verdict(kind="no", sentence="Not worth it: every module is always sent.", reasons=reasons)
    system = percent_text(share_of(unreplayed.parts.system_tokens, unreplayed.parts.tokens))
    most = percent_text(share_of(may_go, sizes.tokens))
    why, how = f"calls to {unreplayed.named} can't be replayed", "; a control group measures what that saves"
    if unreplayed.unpriced is not None:
        why, how = f"LiteLLM has no prices for {unreplayed.unpriced!r}", ""
    sentence = (
        f"No verdict in money: {why}. {system} of the calls' input is system text, "
        f"of which at most {most} could be left out, once you and labels say who needs it{how}."
    )
    return Verdict(kind="unknown", sentence=sentence, reasons=reasons)


def _amount(share: float, usd: Decimal, costs: AgentCosts, how: str = "about") -> str:
    monthly = a_month(usd, costs.span_seconds)
    if monthly is not None:
        return f"{how} {percent_text(share)} of the input bill, {usd_text(monthly)} a month"
    thousand = usd * PER_CALLS / costs.calls
    return f"{how} {percent_text(share)} of the input bill, {usd_text(thousand)} for {PER_CALLS:,} calls"


def made_range(made: MadeCosts) -> tuple[float, float]:
    """The least and the most that is saved on made-up traffic, behind the cost gate."""
    shares = [share_of(run.full_cached_usd - run.usd, run.full_cached_usd) for run in made.runs]
    return min(shares), max(shares)


def made_best(made: MadeCosts) -> float:
    """The most that any way of leaving text out saves there, the cost gate's choice or not."""
    return max(share_of(run.full_cached_usd - run.best_usd, run.full_cached_usd) for run in made.runs)


def _without_traffic(found: AgentFindings) -> Verdict:
    if found.unreplayed is not None:
        return _without_money(found.sizes, found.unreplayed)
    if found.problem is not None:
        return Verdict(kind="unknown", sentence=f"No verdict: {found.problem}.", reasons=())
    reasons = _made_reasons(found)
    low, high = made_range(found.made) if found.made is not None else (0.0, 0.0)
    if high < WORTH_SHARE:
        why = reasons[0] if reasons else "hardly anything could be left out"
        best = f"at best {_made_best_text(found.made)} on made-up traffic"
        return Verdict(kind="no", sentence=f"Not worth it: {why}; {best}.", reasons=reasons[1:])
    least, most = percent_text(low), percent_text(high)
    amount = most if least == most else f"{least} to {most}"
    judged = ", and sections with rules gone through," if found.sizes.judged_tokens else ""
    later = f"With {LABELS}{judged or ','} perhaps {amount} of the input bill, on made-up traffic"
    now = "a prompt alone doesn't show what may be left out"
    return Verdict(
        kind="later", sentence=f"Nothing to gain today: {now}. {later}; capture real calls.", reasons=reasons
    )


def _made_best_text(made: MadeCosts | None) -> str:
    if made is None:
        return "nothing of the input bill"
    best, chosen = percent_text(made_best(made)), percent_text(made_range(made)[1])
    if best == chosen:
        return f"{best} of the input bill"
    return f"{best} of the input bill ({chosen} as the cost gate chooses)"


def _made_reasons(found: AgentFindings) -> tuple[str, ...]:
    sizes = found.sizes
    reasons = []
    if sizes.tokens < found.min_cache_tokens:
        least = f"{found.min_cache_tokens:,}"
        reasons.append(f"the prompt has {sizes.tokens:,} tokens, and the provider caches none below {least}")
    reasons += _large_core(sizes)
    if found.made is not None:
        inputs = [row["mean_prompt_tokens"] for row in found.made.runs[0].policies if row["policy"] == "full"]
        share = share_of(sizes.tokens, inputs[0]) if inputs else 1.0
        if share < LARGE_SHARE:
            reasons.append(f"{percent_text(1 - share)} of the input would be history, which routing doesn't touch")
        if all(
            row["passthroughs"].get("not_worth_it")
            for run in found.made.runs
            for row in run.policies
            if row["policy"] == "auto"
        ):
            reasons.append("the cost gate lets nothing through: rewriting so short a prompt would cost more")
    return tuple(reasons)
