"""``economics:`` of profile.yaml: what a replay or a tuning says to write there, and the writing.

After a replay: ``economics_of(gain, profile, target, model)`` for each of ``Report.gains`` says in a sentence what the
replay shows and, where it shows no gain, the section that leaves the profile alone. ``write_economics`` writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from litellm_prompt_router.analysis.simulate.gain import MIN_SAVING, ProfileGain
from litellm_prompt_router.analysis.simulate.tune import Tuning
from litellm_prompt_router.documents.plurals import many
from litellm_prompt_router.files.profile_editor import ProfileEditor
from litellm_prompt_router.profile.profile import ObservedUse, Profile
from litellm_prompt_router.request.cost_gate import holds_for
from litellm_prompt_router.request.types import Target

SECTION = "economics"
USD_DIGITS = 6
UNCALIBRATED = "; there is no fit, without which nearly every module is sent"


@dataclass(frozen=True, kw_only=True, slots=True)
class EconomicsAdvice:
    """What a replay says of one profile. ``section``: what to write so that the gate goes by it; None: nothing."""

    sentence: str
    section: Mapping[str, Any] | None
    is_gain: bool
    """True only where the saving is clear."""


def economics_of(gain: ProfileGain, profile: Profile, target: Target, model: str) -> EconomicsAdvice:
    """What ``gain``, of a replay with this profile, target and LiteLLM's name of a model, says to write.

    Where no gain is shown, by however few conversations, that is to leave the profile alone: what isn't shown to be
    cheaper isn't rewritten. The section holds for cache prices like the target's, and as long as the profile's
    version, its fit and what else selects its modules stay as they are.
    """
    economics = profile.economics_in_force
    if economics is not None and profile.left_alone is not None and holds_for(target, economics):
        return EconomicsAdvice(sentence=f"{profile.name}: {profile.left_alone}", section=None, is_gain=False)
    figures = _figures(gain)
    if gain.shown == "cheaper":
        return EconomicsAdvice(sentence=f"{profile.name}: a clear gain. {figures}", section=None, is_gain=True)
    if gain.shown == "unclear":
        what = "no clear gain, it may be chance"
    elif gain.passed.get("not_worth_it", 0) == gain.calls:
        what = "no gain, and the cost gate let nothing through"
    else:
        what = "no gain"
    section = {
        "choice": "full",
        **_shares(target),
        "tuned_on": {
            **_tuned_on(profile, model, gain.conversations, gain.calls),
            "calls_per_conversation": round(gain.calls / gain.conversations, 2),
            "full_cached_usd": _usd(gain.full_cached_usd),
            "usd": _usd(gain.usd),
            "versus_full_cached": f"{gain.margin.versus_full_cached:+.2%}",
        },
    }
    why = UNCALIBRATED if abs(gain.margin.versus_full_cached) < MIN_SAVING and not profile.is_calibrated else ""
    return EconomicsAdvice(sentence=f"{profile.name}: {what}. {figures}{why}", section=section, is_gain=False)


def section_of_tuning(
    tuning: Tuning,
    profile: Profile,
    target: Target,
    model: str,
    *,
    conversations: int,
    calls: int,
    calls_per_conversation: float,
    use: ObservedUse | None = None,
) -> Mapping[str, Any]:
    """The way that a tuning found, with its figures and, from a ledger, the use that it shows."""
    economics = tuning.economics
    section: dict[str, Any] = {"choice": tuning.choice}
    if economics.min_dropped:
        section["min_dropped"] = economics.min_dropped
    if economics.bundles:
        section["bundles"] = [[profile.modules[module].id for module in sorted(b)] for b in economics.bundles]
    return {
        **section,
        **_shares(target),
        **_use(use),
        "tuned_on": {
            **_tuned_on(profile, model, conversations, calls),
            "calls_per_conversation": round(calls_per_conversation, 2),
            "second_half_full_cached_usd": _usd(tuning.full_cached_usd),
            "second_half_usd": _usd(tuning.usd),
            "versus_full_cached": f"{tuning.versus_full_cached:+.2%}",
            "exact_sets_versus_full_cached": f"{tuning.candidates[0].versus_full_cached:+.2%}",
        },
    }


def section_of_use(use: ObservedUse, profile: Profile, conversations: int, calls: int) -> Mapping[str, Any]:
    """What is known without a tuning: the untuned rule goes by it."""
    return {
        "choice": "untuned",
        **_use(use),
        "tuned_on": {
            "profile_version": profile.version,
            "router": profile.router,
            **({} if profile.routing is None else {"routing": profile.routing}),
            "conversations": conversations,
            "calls": calls,
        },
    }


def _use(use: ObservedUse | None) -> dict[str, Any]:
    if use is None:
        return {}
    stated: dict[str, Any] = {}
    if use.calls_per_message is not None:
        stated["calls_per_message"] = use.calls_per_message
    if use.later_chances:
        stated["later_chances"] = dict(use.later_chances)
    return {"use": stated} if stated else {}


def write_economics(folder: Path, section: Mapping[str, Any]) -> None:
    """Writes the section into a profile's folder, in place of one that is there. Raises ConfigurationError."""
    editor = ProfileEditor(folder)
    editor.set_section(SECTION, section)
    editor.save()


def _tuned_on(profile: Profile, model: str, conversations: int, calls: int) -> dict[str, Any]:
    routing = {} if profile.routing is None else {"routing": profile.routing}
    return {
        "model": model,
        "profile_version": profile.version,
        "router": profile.router,
        **routing,
        "conversations": conversations,
        "calls": calls,
    }


def _shares(target: Target) -> dict[str, float]:
    return {
        "cache_read_share": round(target.cache_read_share or 0.0, 4),
        "cache_write_share": round(target.cache_write_share or 0.0, 4),
    }


def _figures(gain: ProfileGain) -> str:
    return (
        f"auto costs {_usd(gain.usd)} USD where full-cached costs {_usd(gain.full_cached_usd)}"
        f" ({gain.margin.versus_full_cached:+.1%}), on {many(gain.conversations, 'conversation')}"
    )


def _usd(value: Decimal) -> str:
    return format(round(value, USD_DIGITS), "f")
