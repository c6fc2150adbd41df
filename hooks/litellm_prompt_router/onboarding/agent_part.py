"""One agent's part of the page, from its findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from litellm_prompt_router.documents.plurals import many
from litellm_prompt_router.onboarding.amounts import (
    HOUR_SECONDS,
    MONTH_DAYS,
    a_month,
    percent_text,
    share_of,
    span_text,
    usd_text,
)
from litellm_prompt_router.onboarding.asked_routing import routing_blocks
from litellm_prompt_router.onboarding.findings import (
    AgentCosts,
    AgentFindings,
    LeftOut,
    MadeCosts,
    ModuleLeftOut,
    ProfileSizes,
)
from litellm_prompt_router.onboarding.gate_blocks import gate_blocks, unreplayed_blocks
from litellm_prompt_router.onboarding.input_blocks import input_blocks
from litellm_prompt_router.onboarding.next_steps import RunPaths, label_blocks, next_blocks
from litellm_prompt_router.onboarding.page_blocks import (
    AgentPart,
    Block,
    Chapter,
    Grid,
    Paragraph,
)
from litellm_prompt_router.onboarding.verdict import (
    BOTHER_USD,
    PER_CALLS,
    Savings,
    Verdict,
    made_best,
    made_range,
    savings_of,
    verdict_of,
)

NAMED_MODULES = 6
REASONS = {
    "not_worth_it": "because rewriting wouldn't pay",
    "unrecognised": "with a prompt that isn't the profile's",
    "no_system_prompt": "without a system prompt",
}
"""Passthroughs in words; any other by its name."""
MONTH_CALLS = 100_000
"""Calls of the month that is named where the traffic is too short to tell of one."""


def part_of(found: AgentFindings, paths: RunPaths) -> AgentPart:
    verdict = verdict_of(found)
    agent = found.agent
    counts = "a prompt, no traffic"
    if agent.calls:
        counts = f"{many(agent.calls, 'call')}, {many(agent.conversations, 'conversation')}"
    return AgentPart(
        name=agent.profile or "",
        subtitle=f"{counts}; {found.sizes.chars:,} characters, {found.sizes.tokens:,} tokens. Begins: {agent.begins}",
        kind=verdict.kind,
        verdict=verdict.sentence,
        reasons=verdict.reasons,
        chapters=tuple(chapter for chapter in _chapters(found, paths, verdict) if chapter.blocks),
    )


def _chapters(found: AgentFindings, paths: RunPaths, verdict: Verdict) -> Iterator[Chapter]:
    yield Chapter(title="What the input is made of", blocks=tuple(input_blocks(found)))
    yield Chapter(title="What can't be told in money", blocks=tuple(unreplayed_blocks(found, paths)))
    savings = savings_of(found)
    if found.costs is not None and savings is not None:
        yield Chapter(title="What there is to win", blocks=tuple(_to_win(found, found.costs, savings)))
        yield Chapter(title="What cache marks alone would save", blocks=(_caching(found, found.costs, savings),))
    yield Chapter(title="What the cost gate does with it", blocks=tuple(gate_blocks(found, paths)))
    if found.made is not None:
        yield Chapter(title="What there is to win, on made-up traffic", blocks=tuple(_made(found.made, found.sizes)))
    if found.left_out is not None:
        alone = ", were it not left alone," if found.gate is not None and found.gate.leaves_alone else ","
        blocks = _losing(found.left_out, f"the reviewed profile, without labels{alone}")
        yield Chapter(
            title="What it would leave out of your messages, reviewed and without labels", blocks=tuple(blocks)
        )
    if found.trial is not None:
        blocks = _losing(found.trial.left_out, f"a fit on this traffic (promise: {found.trial.promise})")
        note = "Nothing of it is stored. Part of these messages taught it, so that its figures flatter somewhat."
        taught = Paragraph(text=note, is_small=True)
        yield Chapter(title="What a fit on this traffic would leave out", blocks=(*blocks, taught))
    ceiling = None if savings is None else savings.ceiling_usd
    yield Chapter(title="What a routing model would cost and save", blocks=tuple(routing_blocks(found, ceiling, paths)))
    yield Chapter(title="What is missing for a promise", blocks=tuple(label_blocks(found, paths)))
    yield Chapter(title="What to do next", blocks=tuple(next_blocks(found, paths, verdict)))
    yield Chapter(title="The profile", blocks=tuple(_profile(found, paths)))


def _to_win(found: AgentFindings, costs: AgentCosts, savings: Savings) -> Iterator[Block]:
    bill = savings.bill_usd
    is_alone = found.gate is not None and found.gate.leaves_alone
    ways: list[tuple[str, Decimal]] = [
        ("today: the draft is unreviewed, nothing changes on the wire", Decimal(0)),
        ("reviewed, without labels" + ", were it not left alone" * is_alone, savings.reviewed_usd),
    ]
    if found.sizes.is_reviewed and is_alone:
        ways = [("today: left alone", Decimal(0)), ("the profile, were it not left alone", savings.reviewed_usd)]
    elif found.sizes.is_reviewed:
        ways = [("today: the profile as it is", savings.reviewed_usd)]
    if savings.fitted_usd is not None:
        ways.append(("reviewed and fitted on this traffic's tool use", savings.fitted_usd))
    ways += [
        ("ceiling by tool use: modules with tools, each where it was used", savings.ceiling_tools_usd),
        ("ceiling with labels: only the core and what tool calls show", savings.ceiling_usd),
    ]
    if found.sizes.judged_tokens:
        ways.append(("ceiling where you take out sections with rules, too", savings.ceiling_judged_usd))
    monthly = a_month(bill, costs.span_seconds) is not None
    column = "#a month" if monthly else f"#for {PER_CALLS:,} calls"

    def row(name: str, saved: Decimal) -> tuple[str, str, str]:
        for_month = a_month(saved, costs.span_seconds)
        long_run = saved * PER_CALLS / costs.calls if for_month is None else for_month
        return name, percent_text(share_of(saved, bill)), usd_text(long_run)

    yield Grid(
        columns=("saved by leaving text out", "#of the input bill", column), rows=tuple(row(*way) for way in ways)
    )
    yield Paragraph(text=_bill_text(costs, bill))
    if savings.reviewed_usd < 0:
        yield Paragraph(text="Reviewed as it is, rewriting would cost more here than the full prompt, cached.")
    ceiling = costs.ceiling
    traced = f"{ceiling.conversations_with_tools:,} of {ceiling.conversations:,} conversations called tools"
    if found.sizes.untraceable_tokens:
        traced += (
            f"; {found.sizes.untraceable_tokens:,} tokens own no tools, so that traffic can't show who needs them, and"
            " the higher ceilings take them all out"
        )
    yield Paragraph(
        text="A ceiling is chosen with hindsight and never reached: each conversation's own modules or one set for "
        f"all, whichever is cheaper. {traced}. Below {usd_text(BOTHER_USD)} a month at best, this page calls it too"
        " little to bother, as labelling by hand takes about a day.",
        is_small=True,
    )
    if costs.passed:
        reasons = _reasons_text(costs.passed)
        yield Paragraph(text=f"Reviewed, these calls would go out as they came: {reasons}.", is_small=True)


def _bill_text(costs: AgentCosts, bill: Decimal) -> str:
    seen = f"{costs.calls:,} calls in {span_text(costs.span_seconds)}"
    base = f"The bill is that of these calls' input with the full prompt cached well: {usd_text(bill)} for {seen}"
    monthly = a_month(bill, costs.span_seconds)
    if monthly is not None:
        return f"{base}; at the same rate for {MONTH_DAYS} days {usd_text(monthly)}."
    month = usd_text(bill * MONTH_CALLS / costs.calls)
    return (
        f"{base}. Less than {span_text(HOUR_SECONDS).replace('60 minutes', 'an hour')} says nothing of a month; one of "
        f"{MONTH_CALLS:,} such calls would be {month}."
    )


def _caching(found: AgentFindings, costs: AgentCosts, savings: Savings) -> Block:
    if found.caches_by_itself and not savings.caching_usd:
        return Paragraph(
            text=f"Nothing: {found.model} caches by itself, without marks, and that is in every figure above. Without"
            f" any caching these calls' input would have cost {usd_text(costs.full_usd)}."
        )
    if costs.marked_calls:
        client = f"the client sets marks itself in {costs.marked_calls:,} of {costs.calls:,} calls"
    else:
        client = "the client sets no marks"
    share = percent_text(share_of(savings.caching_usd, costs.as_sent_usd))
    uncached = f"; with nothing cached it would be {usd_text(costs.full_usd)}" * (costs.full_usd != costs.as_sent_usd)
    saved = (
        f"{share} of what was sent ({usd_text(costs.as_sent_usd)} to {usd_text(costs.full_cached_usd)})"
        if savings.caching_usd > 0
        else f"nothing; marks would add {usd_text(-savings.caching_usd)}, as too few calls share a prompt in time"
        if savings.caching_usd < 0
        else "nothing"
    )
    return Paragraph(
        text=f"{saved[0].upper()}{saved[1:]}; {client}{uncached}. This is caching, and no part of the figures above."
    )


def _made(made: MadeCosts, sizes: ProfileSizes) -> Iterator[Block]:
    rows = []
    for run in made.runs:
        saved = run.full_cached_usd - run.usd
        thousand = run.full_cached_usd * PER_CALLS / run.calls
        rate = f"{run.conversations_per_hour:,.0f}"
        rows.append(
            (
                rate,
                percent_text(share_of(saved, run.full_cached_usd)),
                usd_text(thousand),
                usd_text(saved * PER_CALLS / run.calls),
            )
        )
    yield Grid(
        columns=("conversations an hour", "#saved of the input bill", f"#bill for {PER_CALLS:,} calls", "#saved"),
        rows=tuple(rows),
    )
    best, chosen = percent_text(made_best(made)), percent_text(made_range(made)[1])
    if best != chosen:
        yield Paragraph(
            text="The cost gate, which sends the whole prompt where less wouldn't pay, is in these figures. Without it"
            f" {best} would be saved at best."
        )
    saved = max((run.full_cached_usd - run.usd) / run.calls for run in made.runs)
    if saved > 0:
        yield Paragraph(
            text=f"Labelling by hand takes about a day. It would save {usd_text(BOTHER_USD)} a month from about"
            f" {max(round(BOTHER_USD / saved, -3), 1_000):,.0f} calls a month on; at much less"
            " traffic it is too little to bother."
        )
    shape = dict(made.shape)
    yield Paragraph(
        text=f"Assumed: {_assumed(sizes)} may be left out, once you and labels say who needs it; a conversation of"
        f" 5 user messages and about 30 calls, each message needing 2 of {shape['modules']} modules on average,"
        " as unequal in size as yours are. Real traffic decides; capture some.",
        is_small=True,
    )


def _assumed(sizes: ProfileSizes) -> str:
    core = percent_text(share_of(sizes.core_tokens, sizes.tokens))
    return f"everything but what the bar above calls always sent ({core}: identity, safety, general rules)"


def _losing(left_out: LeftOut, who: str) -> Iterator[Block]:
    kept = sum(number for _, number in left_out.kept_whole)
    notes = f" {kept:,} go out as they came ({_reasons_text(left_out.kept_whole)})." if kept else ""
    if not left_out.losing:
        opening = f"{many(left_out.messages, 'call')} that {'opens' if left_out.messages == 1 else 'open'}"
        yield Paragraph(text=f"Nothing: {who} sends the whole prompt with all {opening} with a user's message.{notes}")
        return
    shown = " Some that lose most:" if sum(one.calls for one in left_out.shown) < left_out.losing else ""
    yield Paragraph(
        text=f"Of {many(left_out.messages, 'call')} that open with a user's message, {who} leaves something out of"
        f" {left_out.losing:,}.{notes} The messages are from your own traffic, verbatim and shortened.{shown}"
    )
    yield Grid(
        columns=("message", "left out", "#tokens"),
        rows=tuple((one.text, _named(one.modules), f"{one.tokens:,}") for one in left_out.shown),
        wide=0,
    )


def _reasons_text(counted: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{number:,} {REASONS.get(reason, reason)}" for reason, number in counted)


def _named(modules: Sequence[ModuleLeftOut]) -> str:
    """The largest by name, the others by number."""
    largest = sorted(modules, key=lambda module: (-module.tokens, module.id))
    named = ", ".join(module.id for module in largest[:NAMED_MODULES])
    more = len(largest) - NAMED_MODULES
    return f"{named} and {more} more" if more > 0 else named


def _profile(found: AgentFindings, paths: RunPaths) -> Iterator[Block]:
    agent, sizes = found.agent, found.sizes
    folder = f"{paths.profiles.rstrip('/')}/{agent.profile}"
    origin = {
        "drafted": "drafted by this run",
        "kept": "the draft of an earlier run, unchanged",
        "found": "was there already: used as it is, nothing in it was overwritten",
        "edited": "changed since it was drafted: used as it is, nothing in it was overwritten",
    }[agent.origin or "edited"]
    yield Paragraph(text=f"{folder}: {origin}. {_modules_text(sizes)}")
    if paths.other_name is not None and agent.origin != "drafted":
        yield Paragraph(
            text=f"This is the same prompt as {folder}, drafted earlier: that profile is used, and the name"
            f" {paths.other_name} isn't."
        )
    yield Paragraph(
        text="What is always sent is decided in its profile.yaml. Where you know that a module isn't needed always, "
        "take out its `always` and `until_labelled` and say `optional: true`: triggers, tool calls and requirements "
        "bring it.",
        is_small=True,
    )
    if agent.masked:
        yield Paragraph(
            text=f"{many(agent.masked, 'place')} of the prompt {'was' if agent.masked == 1 else 'were'} masked by"
            " `capture`, so their modules won't match in "
            "flight; put in what the agent sends, or make each a slot."
        )
    if sizes.warnings:
        yield Paragraph(text=f"`prompt-router check {agent.profile}` has {many(sizes.warnings, 'warning')}.")


def _modules_text(sizes: ProfileSizes) -> str:
    core = sizes.modules - sizes.optional_modules - sizes.undecided_modules - sizes.judged_modules
    judged = f"{sizes.judged_modules} kept for the rules in them, " if sizes.judged_modules else ""
    return (
        f"{many(sizes.modules, 'module')}: {core} always sent, {judged}{sizes.undecided_modules} core until labels"
        f" show otherwise, {sizes.optional_modules} that may be left out."
    )
