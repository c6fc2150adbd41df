"""Labelled messages and a routing model's answers as what a cascade is found on, and the cascade for a fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from litellm_prompt_router.authoring.fit.cascade import CascadeMessage, FoundBand, find_band
from litellm_prompt_router.authoring.fit.gate_training import FitOptions, is_counted, needed_of
from litellm_prompt_router.authoring.second_call import SecondCalls
from litellm_prompt_router.files.labelled_messages import Case, Conversations, Numbered
from litellm_prompt_router.profile.fitted import Cascade, Flags, Floats, Gate
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route import (
    AnswerLookup,
    Lookup,
    Router,
    WeightedConversation,
    gate_values,
    no_embeddings,
    values_by_module,
    weigh,
    with_required,
)
from litellm_prompt_router.request.route.section_index import SectionIndex
from litellm_prompt_router.request.types import Turn

ValuesOf = Callable[[Case], Floats | None]
"""A message's gate values by column, from a table and a gate that hadn't seen it; None: it isn't scored."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundCascade:
    """``fused``: for messages whose meaning is known, where there is an embedding model."""

    cascade: Cascade
    words: FoundBand
    fused: FoundBand | None


def find_cascade(
    profile: Profile,
    cases: Sequence[Numbered],
    conversations: Conversations,
    answers: AnswerLookup,
    options: FitOptions,
    *,
    values_of: ValuesOf,
    fused_values_of: ValuesOf | None = None,
    lookup: Lookup = no_embeddings,
) -> FoundCascade:
    """The cascade for a fitted profile that names a routing model. ``cases``: those that its values are held out of.

    The lists are chosen where messages are read best, by words and meaning where that can be.
    """
    fitted, model = profile.fitted, profile.routing_model
    assert fitted is not None
    assert model is not None
    tokens = [module.tokens for module in profile.modules]

    def found(messages: Sequence[CascadeMessage], threshold: float, chosen: FoundBand | None) -> FoundBand:
        return find_band(
            messages,
            tokens,
            threshold,
            target=options.target,
            confidence=options.confidence,
            at_most=options.at_most,
            lists=model.lists if chosen is None else chosen.chosen.lists,
        )

    fused = None
    if fused_values_of is not None and fitted.semantics is not None:
        seen = cascade_messages(profile, cases, conversations, answers, options, fused_values_of, lookup)
        fused = found(seen, fitted.semantics.calibration.threshold, None)
    seen = cascade_messages(profile, cases, conversations, answers, options, values_of)
    words = found(seen, fitted.calibration.threshold, fused)
    best = fused or words
    cascade = Cascade(
        model=model.model,
        lists=best.chosen.lists,
        words=words.chosen.band,
        fused=None if fused is None else fused.chosen.band,
        promise=best.promise,
        target_coverage=options.target,
        messages=best.chosen.counted,
        misses=best.chosen.misses,
        unserved=best.chosen.unserved,
        asked=best.chosen.asked,
    )
    return FoundCascade(cascade=cascade, words=words, fused=fused)


def values_from(weighed: Iterable[tuple[Case, WeightedConversation, Gate]]) -> ValuesOf:
    """Of messages whose last turn was scored: their values by a gate that hadn't seen them, such as their fold's."""
    found = {
        (*case.history, case.text): gate_values(gate, seen.seen[-1].inputs) for case, seen, gate in weighed if seen.seen
    }
    return lambda case: found.get((*case.history, case.text))


def cascade_messages(
    profile: Profile,
    cases: Sequence[Numbered],
    conversations: Conversations,
    answers: AnswerLookup,
    options: FitOptions,
    values_of: ValuesOf,
    lookup: Lookup = no_embeddings,
) -> tuple[CascadeMessage, ...]:
    """Each case at its last message, with what the routing model answers to the question about it."""
    assert profile.fitted is not None
    columns = profile.fitted.table.columns
    router, index = Router(profile), SectionIndex(profile)
    model = "" if profile.routing_model is None else profile.routing_model.model
    number_of = {(*case.history, case.text): number for number, (_, case) in enumerate(cases)}
    second = SecondCalls(conversations, profile)
    decide = partial(router.decide, lookup=lookup, answers=answers)
    messages: list[CascadeMessage] = []
    for _, case in cases:
        turns = conversations.turns_of(case)
        seen = weigh(router, profile, turns, lookup, answers=answers)
        question = router.questions(turns, lookup=lookup).get(_last_message(turns))
        answer = None if question is None else answers(model, question)
        values = values_of(case)
        before = [number_of.get(case.history[:end]) for end in range(1, len(case.history) + 1)]
        messages.append(
            CascadeMessage(
                needed=needed_of(case, profile),
                firm=_firm(seen, profile),
                is_counted=is_counted(case, seen, profile, options.over),
                values=None if values is None else values_by_module(values, columns, profile),
                is_asked=question is not None,
                needed_list=None if answer is None else _named(answer.needed, index, profile),
                both_lists=None if answer is None else _named((*answer.needed, *answer.perhaps), index, profile),
                earlier=tuple(number for number in before if number is not None),
                brought=second.brought(case, turns, decide),
            )
        )
    return tuple(messages)


def _last_message(turns: Sequence[Turn]) -> int:
    return max(at for at, turn in enumerate(turns) if turn.role == "user")


def _firm(seen: WeightedConversation, profile: Profile) -> Flags:
    """What is selected whatever words say; what a fallback brings is left to the messages that bring it."""
    triggered = (profile.order[each.module] for each in seen.decision.selected if each.kind == "trigger")
    return seen.used | with_required(triggered, profile)


def _named(ids: Iterable[str], index: SectionIndex, profile: Profile) -> Flags:
    return with_required((module for id in ids for module in index.named(id)), profile)
