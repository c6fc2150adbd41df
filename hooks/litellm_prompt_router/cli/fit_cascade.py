"""What ``fit`` does with a routing model: asks it about the calibration messages, and says when it is to be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from litellm_prompt_router.authoring.fit.cascade import TriedBand
from litellm_prompt_router.authoring.fit.cascade_messages import FoundCascade, find_cascade, values_from
from litellm_prompt_router.authoring.fit.fitting import Fit
from litellm_prompt_router.authoring.fit.gate_training import FitOptions
from litellm_prompt_router.authoring.fit.target_table import SAVES_NOTHING, TargetReach
from litellm_prompt_router.authoring.wavering_sections import WaveringSection, wavering_sections
from litellm_prompt_router.cli.output import percent, say, show_table, span
from litellm_prompt_router.cli.routing_options import (
    RECORDED,
    RoutingAnswersWanted,
    answers_for,
    price_of,
    questions_in,
    wavering_line,
)
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.profile.fitted import AskingBand
from litellm_prompt_router.profile.profile import Profile, RoutingModelSettings
from litellm_prompt_router.request.route import AnswerLookup, Lookup, Router, no_embeddings


def asked_profile(profile: Profile, wanted: RoutingAnswersWanted) -> Profile:
    """The profile with the routing model that its answers are from. Raises ConfigurationError where that isn't said."""
    stated = profile.routing_model
    if stated is None and wanted.model is None:
        problem = f"--routing-answers: say whose they are: {profile.name}/profile.yaml needs `router: {{model: NAME}}`"
        raise ConfigurationError([problem])
    settings = stated or RoutingModelSettings(
        model=wanted.model or RECORDED, hedge_model=None, timeout_seconds=1.0, budget_usd_per_hour=None
    )
    return replace(profile, routing_model=settings)


def price_line(done: Fit, wanted: RoutingAnswersWanted, count_tokens: Callable[[str], int]) -> str:
    """What it would take to ask about the calibration messages."""
    profile = asked_profile(done.profile, wanted)
    questions = questions_in(profile, [done.conversations.turns_of(case) for _, case in done.cases])
    model = RECORDED if profile.routing_model is None else wanted.model or profile.routing_model.model
    price = price_of(model, questions, count_tokens)
    cost = "LiteLLM has no price for it" if price is None else f"${price.usd:.4f} at most"
    return f"{model} would be asked {len(questions):,} questions: {cost} (--dry-run: nothing is asked)"


class AskedFit(NamedTuple):
    """A fit with its cascade, how that was found, and the sections that the model wavers on."""

    fit: Fit
    found: FoundCascade
    wavering: tuple[WaveringSection, ...]

    @property
    def saves(self) -> bool:
        """True where it is worth storing whatever words alone would keep."""
        is_promised = "none" not in (self.fit.fitted.calibration.promise, self.found.cascade.promise)
        return is_promised and (self.found.fused or self.found.words).chosen.kept < SAVES_NOTHING


def with_cascade(
    done: Fit, wanted: RoutingAnswersWanted, options: FitOptions, lookup: Lookup = no_embeddings
) -> AskedFit:
    """The fit with what its calibration messages say of the routing model, and sections that it wavers on."""
    profile = asked_profile(done.profile, wanted)
    turns = [done.conversations.turns_of(case) for _, case in done.cases]
    answers = answers_for(profile, questions_in(profile, turns), wanted)
    meant = ((i.case, i.weighted, done.tuned_meaning[i.fold]) for i in done.observed_meaning if i.is_scored)
    found = find_cascade(
        profile,
        done.cases,
        done.conversations,
        answers,
        options,
        values_of=values_from((i.case, i.weighted, done.tuned[i.fold]) for i in done.observed if i.is_scored),
        fused_values_of=values_from(meant) if done.fitted.semantics is not None else None,
        lookup=lookup,
    )
    fitted = replace(done.fitted, cascade=found.cascade)
    told = replace(done, fitted=fitted, profile=replace(done.profile, fitted=fitted))
    return AskedFit(told, found, _wavering(profile, done, answers))


def show_cascade(asked: AskedFit, profile: Profile, alone: Mapping[str, TargetReach]) -> None:
    """What the routing model brings, always asked and where words and meaning leave it open; ``alone``: without it."""
    found = asked.found
    cascade, best = found.cascade, found.fused or found.words
    say()
    rows = [(name, *_reached(found), "0.0%") for name, found in alone.items()]
    rows += [(f"routing model, {each.lists}", *_shares(each)) for each in best.always]
    if best.chosen not in best.always:
        names = " and ".join(("words", "meaning") if found.fused else ("words",))
        rows.append((f"{names}, in doubt routing model, {cascade.lists}", *_shares(best.chosen)))
    show_table((f"router at {percent(cascade.target_coverage)}", *COLUMNS), rows)
    promise = (
        "nothing is promised" if cascade.promise == "none" else f"{percent(cascade.target_coverage)} {cascade.promise}"
    )
    lists = "the needed sections alone" if cascade.lists == "needed" else "needed and perhaps needed sections"
    taken = f"{cascade.model} is asked {_when(best.chosen.band)}, and {lists} are sent"
    say(f"taken: {taken}; {cascade.misses} of {cascade.messages} messages missed; {promise}")
    for each in asked.wavering:
        say(wavering_line(each))
    if profile.routing_model is None:
        say(f"to ask it: `router: {{model: {cascade.model}}}` in profile.yaml, `router_model: true` for the key")


def cascade_for_json(asked: AskedFit) -> dict[str, Any]:
    found, wavering = asked.found, asked.wavering
    best = found.fused or found.words
    return {
        "model": found.cascade.model,
        "lists": found.cascade.lists,
        "promise": found.cascade.promise,
        "messages": found.cascade.messages,
        "misses": found.cascade.misses,
        "unserved": found.cascade.unserved,
        "unserved_at_best": best.chosen.unserved_at_best,
        "coverage": best.chosen.coverage,
        "kept_tokens": best.chosen.kept,
        "asked_share": best.chosen.asked_share,
        "always": [
            {"lists": e.lists, "coverage": e.coverage, "served": e.served, "kept_tokens": e.kept} for e in best.always
        ],
        "wavering": [{"section": w.id, "used": w.used, "needed": w.needed, "perhaps": w.perhaps} for w in wavering],
    }


def _wavering(profile: Profile, done: Fit, answers: AnswerLookup) -> tuple[WaveringSection, ...]:
    router = Router(profile)
    pairs = []
    for _, case in done.cases:
        asked = router.questions(done.conversations.turns_of(case))
        answer = answers("", asked[max(asked)]) if asked else None
        if answer is not None:
            pairs.append((answer, frozenset(case.needs)))
    return wavering_sections(pairs, router.section_ids)


def _when(band: AskingBand) -> str:
    return "always" if band == AskingBand(low=float("-inf"), high=float("inf")) else "in doubt"


COLUMNS = ("#first call", "#served", "#tokens kept", "#asked about")


def _shares(tried: TriedBand) -> tuple[str, str, str, str]:
    return percent(tried.coverage), span(*tried.served), percent(tried.kept), percent(tried.asked_share)


def _reached(found: TargetReach) -> tuple[str, str, str]:
    first = "-" if found.coverage is None else percent(found.coverage)
    return first, span(found.served, found.served_at_best), percent(found.kept)
