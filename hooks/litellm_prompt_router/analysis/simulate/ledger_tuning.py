"""What is cheapest for a profile, found from its ledger: no text, no captured bodies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from litellm_prompt_router.analysis.conversation_links import LinkedCall, linked
from litellm_prompt_router.analysis.ledger_calls import CallTally, calls_in
from litellm_prompt_router.analysis.simulate.economics_section import section_of_tuning, section_of_use
from litellm_prompt_router.analysis.simulate.ledger_trial import LedgerTrial, Watch, is_accounted, unwatched
from litellm_prompt_router.analysis.simulate.model_terms import ModelTerms
from litellm_prompt_router.analysis.simulate.observed_use import observed_use
from litellm_prompt_router.analysis.simulate.tune import MIN_CONVERSATIONS, Tuning, tune
from litellm_prompt_router.documents.plurals import many
from litellm_prompt_router.profile.profile import Economics, ObservedUse, Profile

MAX_CALLS = 50_000
"""The latest ones, which take about two minutes."""

TermsOf = Callable[[str], ModelTerms | None]
"""LiteLLM's name of a model, as the ledger has it -> what it is accounted by; None where that isn't known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerTuning:
    """What a ledger says of one profile.

    Either ``tuning`` is there or ``why_not`` says in a sentence what was missing. ``economics`` and ``section`` are
    what to put in force and what profile.yaml then says under ``economics:``; without a tuning they hold ``use`` alone.
    Both None: there is nothing to change.
    """

    profile: str
    tuning: Tuning | None
    why_not: str | None
    use: ObservedUse | None
    economics: Economics | None
    section: Mapping[str, Any] | None
    terms: ModelTerms | None
    models: Mapping[str, int]
    """Calls by model, the most frequent first."""
    conversations: int
    calls: int
    tally: CallTally
    """The profile's records, those included that tuning can't use."""


def tune_from_ledger(
    records: Iterable[Mapping[str, Any]],
    profile: Profile,
    terms_of: TermsOf,
    *,
    model: str | None = None,
    watch: Watch = unwatched,
) -> LedgerTuning:
    """The cheapest way on the first half of the conversations that the second half confirms.

    ``records`` are parsed ledger lines, in any order and of any profiles; those of ``profile`` count, as long as they
    were routed by its present version, fit and modules. ``model``: account for this one in place of the most frequent.
    """
    tally = CallTally()
    links = linked(calls_in(records, profile, tally)[-MAX_CALLS:])
    counted = [link for link in links if is_accounted(link)]
    models = models_of(counted)
    chosen = model or next(iter(models), None)
    terms = None if chosen is None else terms_of(chosen)
    conversations = list(dict.fromkeys(link.conversation for link in counted))
    use = observed_use(counted, profile) if counted else None
    told = LedgerTuning(
        profile=profile.name,
        tuning=None,
        why_not=None,
        use=use,
        economics=None,
        section=None,
        terms=terms,
        models=models,
        conversations=len(conversations),
        calls=len(counted),
        tally=tally,
    )
    why_not = _why_not(told, profile, chosen)
    if why_not is not None:
        return _without_tuning(replace(told, why_not=why_not), profile)
    assert terms is not None
    middle = len(conversations) // 2
    trials = [
        LedgerTrial(links=links, conversations=frozenset(half), profile=profile, terms=terms, watch=watch)
        for half in (conversations[:middle], conversations[middle:])
    ]
    return _tuned(told, tune(trials[0], trials[1], told.use), profile, terms)


def models_of(links: Sequence[LinkedCall]) -> dict[str, int]:
    """Calls by model, the most frequent first."""
    names = Counter(name for link in links if (name := link.call.deployed_model) is not None)
    return dict(sorted(names.items(), key=lambda item: (-item[1], item[0])))


def explain_records(tally: CallTally) -> str:
    """Which records of the profile tuning can't use, and why; empty where it can use all."""
    counts = (
        (tally.without_history, "written by an earlier version or without accounting"),
        (tally.routed_otherwise, "routed by another version, fit or set of modules"),
        (tally.not_routed, "not routed"),
        (tally.failed, "failed"),
        (tally.damaged, "damaged"),
    )
    return ", ".join(f"{count:,} {what}" for count, what in counts if count)


def _why_not(told: LedgerTuning, profile: Profile, model: str | None) -> str | None:
    need = f"tuning takes {2 * MIN_CONVERSATIONS} conversations of profile {profile.name!r}"
    if not told.calls:
        rest = explain_records(told.tally)
        return f"{need}; there are none in {many(told.tally.records, 'record')}{f' ({rest})' if rest else ''}"
    if profile.placement == "latest":
        return f"{profile.name} is placed `latest`, which has no first turn to go by"
    if told.terms is None:
        return f"nothing is known of the prices of {model!r}"
    if told.conversations < 2 * MIN_CONVERSATIONS:
        return f"{need}; there are {told.conversations}"
    return None


def _without_tuning(told: LedgerTuning, profile: Profile) -> LedgerTuning:
    """What the ledger shows of use stands for itself, unless an earlier tuning holds."""
    if told.use is None or profile.economics_in_force is not None:
        return told
    economics = Economics(is_tuned=False, use=told.use)
    section = section_of_use(told.use, profile, told.conversations, told.calls)
    return replace(told, economics=economics, section=section)


def _tuned(told: LedgerTuning, tuning: Tuning, profile: Profile, terms: ModelTerms) -> LedgerTuning:
    section = section_of_tuning(
        tuning,
        profile,
        terms.target,
        terms.model,
        conversations=told.conversations,
        calls=told.calls,
        calls_per_conversation=told.calls / told.conversations,
        use=told.use,
    )
    economics = replace(
        tuning.economics,
        read_share=section["cache_read_share"],
        write_share=section["cache_write_share"],
        profile_version=profile.version,
        router=profile.router,
        routing=profile.routing,
        conversations=told.conversations,
        use=told.use,
    )
    return replace(told, tuning=tuning, economics=economics, section=section)
