"""Splits a prompt: slots -> lines -> tree -> pieces -> metadata -> draft."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from litellm_prompt_router.authoring.split.draft import (
    DEFAULT_VERSION,
    Draft,
    DraftDoubt,
    DraftModule,
    PlacedSlot,
    SlottedPrompt,
)
from litellm_prompt_router.authoring.split.draft_doubts import doubts_of, proposals_of
from litellm_prompt_router.authoring.split.draft_metadata import draft_metadata, evidence_of
from litellm_prompt_router.authoring.split.draft_trial import profile_of, selects, unrecognised
from litellm_prompt_router.authoring.split.line_structure import read_lines
from litellm_prompt_router.authoring.split.neutral_text import NeutralText, neutral_versions
from litellm_prompt_router.authoring.split.pieces import MAX_SHARE, bounds_of, cut_prompt
from litellm_prompt_router.authoring.split.rules_apart import with_rules_apart
from litellm_prompt_router.authoring.split.slot_finding import COARSEST, find_slots, slots_at
from litellm_prompt_router.authoring.split.slot_making import settled
from litellm_prompt_router.authoring.split.topics import MAX_EXAMPLES, likely_messages
from litellm_prompt_router.authoring.split.tree import build_tree
from litellm_prompt_router.authoring.split.value_kinds import likely_values
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.request.route import Router


@dataclass(frozen=True, kw_only=True, slots=True)
class SizeOptions:
    """The module sizes asked for; None follows from the prompt's size. ``max_share`` is of the prompt's tokens."""

    target_chars: int | None
    min_chars: int | None
    max_chars: int | None
    max_share: float


def split_prompt(
    samples: Sequence[str],
    *,
    name: str,
    tools: Sequence[str] = (),
    target_chars: int | None = None,
    min_chars: int | None = None,
    max_chars: int | None = None,
    max_share: float = MAX_SHARE,
    apply_proposals: bool = False,
    keeps_values: bool = False,
    count_tokens: Callable[[str], int] | None = None,
) -> Draft:
    """A draft profile of the prompt whose versions are ``samples``; joined, it is the first of them.

    Names and paths of the machine that they come from, and files of a project that they quote, are slots with made-up
    values, also where one sample is all there is: the draft's prompt has those, and recognition takes any.

    ``tools``: names of the tools that requests with this prompt declare. Sizes that aren't given follow from
    the prompt's; ``max_share`` is the largest part of its tokens that a module may be, if it can be divided.
    ``apply_proposals``: likely slots of a single sample become slots. ``keeps_values``: the prompt's own values stay
    as they are, text where they don't vary. Raises ConfigurationError for a prompt without a character.
    """
    if not samples or not samples[0]:
        raise ConfigurationError([f"{name}: the prompt is empty; there is nothing to split"])
    count = count_tokens or _usual_counter()
    sizes = SizeOptions(target_chars=target_chars, min_chars=min_chars, max_chars=max_chars, max_share=max_share)
    versions = (
        tuple((sample, NeutralText(sample, ())) for sample in dict.fromkeys(samples))
        if keeps_values
        else neutral_versions(samples)
    )
    own = versions[0][1].values
    doubts: list[str] = []
    placed, unrelated = find_slots([each.text for _, each in versions], own=own)
    for number in unrelated:
        which = samples.index(versions[number][0]) + 1
        doubts.append(f"sample {which} has too little in common with the first; it was left out")
    texts = [each.text for number, (_, each) in enumerate(versions) if number not in unrelated]
    related = [sample for number, (sample, _) in enumerate(versions) if number not in unrelated]
    if len(texts) == 1:
        spans = [(start, end) for start, end, _ in likely_values(texts[0])] if apply_proposals else []
        draft = _draft(texts, slots_at(texts[0], spans, own), name, tools, sizes, count)
        if not apply_proposals:
            draft = replace(draft, proposals=proposals_of(draft))
        return _with_doubts(draft, len(samples), [*doubts, *_missed(related, draft, samples)])
    tries = [(0, True), *((coarseness, False) for coarseness in range(COARSEST + 1))]
    for coarseness, widens in tries:
        if (coarseness, widens) != tries[0]:
            placed = find_slots(texts, coarseness, own=own, widens=widens)[0]
        draft = _draft(texts, placed, name, tools, sizes, count)
        missed = _missed(related, draft, samples)
        if not missed:
            break
    return _with_doubts(draft, len(samples), [*doubts, *missed])


def _missed(versions: Sequence[str], draft: Draft, samples: Sequence[str]) -> list[str]:
    """A doubt about each version that recognition doesn't place from end to end."""
    return [
        f"recognition doesn't place all of sample {samples.index(versions[number]) + 1}; what it doesn't place goes "
        "through as it is"
        for number in unrecognised(draft, versions)
    ]


def _usual_counter() -> Callable[[str], int]:
    from litellm_prompt_router.profile.tokens import (
        token_counter,  # reads the encoding, which commands that count nothing don't wait for
    )

    return token_counter()


def _draft(
    versions: Sequence[str],
    placed: Sequence[PlacedSlot],
    name: str,
    tools: Sequence[str],
    sizes: SizeOptions,
    count: Callable[[str], int],
) -> Draft:
    text, placed = settled(versions[0], placed)
    prompt = SlottedPrompt(text, placed)
    root = build_tree(prompt.text, read_lines(prompt.text, [(slot.start, slot.end) for slot in placed]), count)
    bounds = bounds_of(
        len(prompt.text),
        root.tokens,
        target_chars=sizes.target_chars,
        min_chars=sizes.min_chars,
        max_chars=sizes.max_chars,
        max_share=sizes.max_share,
    )
    pieces = with_rules_apart(prompt, cut_prompt(prompt, root, bounds, count), bounds.min_chars)
    literals = [prompt.literal(piece.start, piece.end) for piece in pieces]
    slots = [[s.slot.name for s in placed if piece.start <= s.start < piece.end] for piece in pieces]
    entries, unmentioned = draft_metadata(prompt.text, root, pieces, literals, slots, tools)
    modules = [
        DraftModule(
            id=entry.id,
            file=f"{entry.id}.txt",
            title=entry.naming.title,
            description=entry.naming.description,
            always=entry.always,
            until_labelled=entry.always and not entry.essential,
            reason=entry.reason,
            evidence="" if entry.always else evidence_of(entry.tools, tools),
            requires=tuple(entries[needed].id for needed in entry.requires),
            tools=entry.tools,
            triggers=() if entry.always else entry.triggers,
            examples=tuple(likely_messages(literal, entry.naming.title, entry.triggers)),
            text=prompt.file_text(piece.start, piece.end),
            chars=len(literal),
            tokens=prompt.tokens(piece.start, piece.end, count),
        )
        for entry, piece, literal in zip(entries, pieces, literals, strict=True)
    ]
    draft = Draft(
        name=name,
        version=DEFAULT_VERSION,
        description=entries[0].naming.description,
        prompt=prompt.text,
        modules=tuple(modules),
        slots=tuple(dict.fromkeys(slot.slot for slot in placed)),
        proposals=(),
        doubts=(),
        sample_count=len(versions),
        declared=tuple(tools),
    )
    draft = _with_working_examples(draft, [entry.triggers for entry in entries])
    found = [DraftDoubt(module=entry.id, text=doubt) for entry in entries for doubt in entry.doubts]
    if unmentioned:
        listed = ", ".join(unmentioned)
        text = (
            f"the prompt doesn't name {len(unmentioned)} of the {len(set(tools))} tools that requests declare: {listed}"
        )
        found.append(DraftDoubt(module=None, text=text))
    return replace(draft, doubts=(*doubts_of(draft, pieces, sizes.max_share), *found))


def _with_working_examples(draft: Draft, candidates: Sequence[tuple[str, ...]]) -> Draft:
    """The draft with only those candidate examples that select their module, or would if it weren't in the core."""
    router = Router(profile_of(draft, candidates))
    modules = []
    for module in draft.modules:
        fitting = [message for message in module.examples if selects(router, module.id, message)]
        modules.append(replace(module, examples=tuple(fitting[:MAX_EXAMPLES])))
    return replace(draft, modules=tuple(modules))


def _with_doubts(draft: Draft, sample_count: int, doubts: Sequence[str]) -> Draft:
    first = [DraftDoubt(module=None, text=doubt) for doubt in doubts]
    return replace(draft, sample_count=sample_count, doubts=(*first, *draft.doubts))
