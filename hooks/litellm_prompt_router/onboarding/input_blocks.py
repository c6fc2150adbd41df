"""What an agent's input is made of, as bars."""

from __future__ import annotations

from collections.abc import Iterator

from litellm_prompt_router.analysis.simulate.cost_report import Parts
from litellm_prompt_router.onboarding.amounts import percent_text, share_of
from litellm_prompt_router.onboarding.findings import AgentFindings
from litellm_prompt_router.onboarding.page_blocks import Bar, Block, Paragraph, Segment

OPTIONAL = "may be left out where a call declares none of its tools"


def input_blocks(found: AgentFindings) -> Iterator[Block]:
    if found.costs is not None:
        what = "All calls' input" if found.unreplayed is None else "Input of the calls that can be replayed"
        yield _bar(f"{what}, in tokens. Routing shortens system text only.", _parts(found.costs.parts))
    if found.unreplayed is not None:
        calls = "All calls' input" if found.unreplayed.unpriced else f"Input of the calls to {found.unreplayed.named}"
        title = f"{calls}, in tokens by our own counter."
        yield _bar(f"{title} Routing shortens system text only.", _parts(found.unreplayed.parts))
    sizes = found.sizes
    yield _bar(
        "The system prompt, in tokens",
        (
            ("always sent: identity, safety, rules, style", sizes.core_tokens),
            ("kept for the rules in it, yours to judge", sizes.judged_tokens),
            ("core (always sent, too) until labels show otherwise", sizes.undecided_tokens),
            (OPTIONAL if not sizes.is_fitted else "may be left out", sizes.optional_tokens),
        ),
    )
    yield from _never_left_out(found)


def _never_left_out(found: AgentFindings) -> Iterator[Block]:
    """Why a share that may be left out isn't, in the same words as the bar."""
    left_out, sizes = found.left_out, found.sizes
    if left_out is None or sizes.is_fitted or left_out.losing or not left_out.declared_tokens:
        return
    some = f"{left_out.declared_tokens:,} of the {sizes.optional_tokens:,}"
    if left_out.declared_tokens == sizes.optional_tokens:
        some = f"all {sizes.optional_tokens:,}"
    yield Paragraph(
        text=f"Each call here declares the tools of {some} tokens that may be left out, so they are sent with"
        " every call: which message needs them, only labels can show."
    )


def _parts(parts: Parts) -> tuple[tuple[str, int], ...]:
    return (
        ("system text", parts.system_tokens),
        ("tools", parts.tools_tokens),
        ("history", parts.history_tokens),
    )


def _bar(title: str, named: tuple[tuple[str, int], ...]) -> Bar:
    total = sum(tokens for _, tokens in named)
    segments = tuple(
        Segment(
            name=name,
            share=share_of(tokens, total),
            note=f"{percent_text(share_of(tokens, total))}, {tokens:,} tokens",
        )
        for name, tokens in named
    )
    return Bar(title=title, segments=segments)
