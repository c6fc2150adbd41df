"""Doubts and likely slots for the owner to look at, found on the draft as a whole."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

from litellm_prompt_router.authoring.split.draft import Draft, DraftDoubt, DraftSlot, Proposal
from litellm_prompt_router.authoring.split.neutral_text import is_placeholder
from litellm_prompt_router.authoring.split.pieces import SMALL_PROMPT_TOKENS, PromptPiece
from litellm_prompt_router.authoring.split.value_kinds import likely_values
from litellm_prompt_router.profile.patterns import compile_pattern

MAX_PROPOSALS = 60
LARGE_CORE_SHARE = 0.6
LARGE_SLOT_SHARE = 0.1
ENOUGH_EXAMPLES = 5


def doubts_of(draft: Draft, pieces: Sequence[PromptPiece], max_share: float) -> Iterable[DraftDoubt]:
    """Doubts about sizes, slots, tools and examples, each with what to do about it."""
    essential_tokens = sum(module.tokens for module in draft.modules if module.always and not module.until_labelled)
    if essential_tokens > LARGE_CORE_SHARE * draft.tokens:
        share = essential_tokens / max(draft.tokens, 1)
        yield DraftDoubt(
            module=None,
            text=f"{share:.0%} of the prompt is in the core for good, so labels can't save more than {1 - share:.0%} "
            "of it; see which of these modules only some requests need",
        )
    for module, piece in zip(draft.modules, pieces, strict=True):
        if module.tokens > max_share * draft.tokens:
            yield DraftDoubt(
                module=module.id, text=_large_module_text(module.tokens / draft.tokens, piece, draft.tokens)
            )
    for slot in draft.slots:
        yield from _slot_doubts(slot, draft)
    for module in draft.modules:
        if not module.always and len(module.examples) < ENOUGH_EXAMPLES:
            yield DraftDoubt(
                module=module.id,
                text=f"{len(module.examples)} of {ENOUGH_EXAMPLES} example messages found; add some of your users' own",
            )


def _large_module_text(share: float, piece: PromptPiece, tokens: int) -> str:
    if tokens <= SMALL_PROMPT_TOKENS:
        return f"{share:.0%} of the prompt, which is too small to be cut further"
    kinds = {node.kind for node in piece.nodes}
    what = "a fenced block, kept whole" if "fence" in kinds else "one block that can't be divided"
    return f"{share:.0%} of the prompt: {what}" if piece.is_block else f"{share:.0%} of the prompt; cut it by hand"


def _slot_doubts(slot: DraftSlot, draft: Draft) -> Iterable[DraftDoubt]:
    pattern = compile_pattern(slot.pattern)
    placeholder = f"{{{{{slot.name}}}}}"
    for module in draft.modules:
        at = module.text.find(placeholder)
        if at < 0:
            continue
        rest = module.text[at + len(placeholder) :]
        if slot.stays:
            yield DraftDoubt(
                module=module.id,
                text=f"slot {slot.name} varies and stays where it is, as no whole sentence could move to the end: "
                "what follows it is new to the provider's cache, as it is in the original prompt",
            )
        joined = slot.sample + rest.split("{{", 1)[0]
        match = pattern.match(joined)
        if match is not None and match.end() > len(slot.sample) and rest.strip():
            yield DraftDoubt(
                module=module.id,
                text=f"slot {slot.name} could take text inserted directly behind it, which stays; narrow its pattern",
            )
        if len(slot.sample) > LARGE_SLOT_SHARE * len(draft.prompt):
            yield DraftDoubt(
                module=module.id,
                text=f"slot {slot.name} is {len(slot.sample):,} characters, always sent; is it a module of its own?",
            )
        return


def proposals_of(draft: Draft) -> tuple[Proposal, ...]:
    """Values of the only sample that probably vary; each value once, where it occurs first."""
    text = draft.prompt
    ends = list(accumulate(len(module.text) for module in draft.modules))
    found: dict[str, Proposal] = {}
    for start, end, kind in likely_values(text):
        if len(found) >= MAX_PROPOSALS:
            break
        value = text[start:end]
        if is_placeholder(value):
            continue
        found.setdefault(
            value,
            Proposal(
                kind=kind.name,
                value=value,
                line=len(text[:start].splitlines()) + (start == 0 or text[start - 1] in "\r\n"),
                module=draft.modules[min(bisect_right(ends, start), len(draft.modules) - 1)].id,
                pattern=kind.pattern,
            ),
        )
    return tuple(found.values())
