"""What a replay says the cost gate should do with an agent, and the writing of it into a draft of ours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from litellm_prompt_router.analysis.simulate import ProfileGain, economics_of, write_economics
from litellm_prompt_router.analysis.simulate.economics_section import SECTION
from litellm_prompt_router.files.profile_editor import ProfileEditor
from litellm_prompt_router.onboarding.findings import GateAdvice, GateState
from litellm_prompt_router.onboarding.replayed_costs import Tariff
from litellm_prompt_router.profile.profile import Profile


def not_left_alone(profile: Profile) -> Profile:
    """The same without economics that leave it alone: whether those are still right is what a replay asks."""
    return replace(profile, economics=None) if profile.left_alone is not None else profile


def settle_economics(
    gain: ProfileGain, profile: Profile, tariff: Tariff, folder: Path, *, may_write: bool
) -> GateAdvice:
    """``gain`` is of a replay of ``not_left_alone(profile)``. ``may_write``: the folder is a draft of ours.

    There the section is what this replay says: written without a gain, gone with one.
    """
    advice = economics_of(gain, not_left_alone(profile), tariff.target, tariff.model)
    is_unclear = gain.shown == "unclear"
    if not may_write:
        state: GateState = "left_alone" if profile.left_alone is not None else "kept"
        return GateAdvice(sentence=advice.sentence, is_gain=advice.is_gain, is_unclear=is_unclear, state=state)
    if advice.section is not None:
        write_economics(folder, advice.section)
        return GateAdvice(sentence=advice.sentence, is_gain=False, is_unclear=is_unclear, state="written")
    if profile.economics is not None:
        editor = ProfileEditor(folder)
        editor.remove_section(SECTION)
        editor.save()
    return GateAdvice(sentence=advice.sentence, is_gain=True, is_unclear=False, state="kept")


def unreplayed_gate(profile: Profile) -> GateAdvice | None:
    """Of an agent none of whose calls was replayed: whether earlier traffic has it left alone."""
    if profile.left_alone is None:
        return None
    said = f"{profile.name}: {profile.left_alone}"
    return GateAdvice(sentence=said, is_gain=False, is_unclear=False, state="left_alone")
