"""What ``prompt-router simulate`` says of each profile beneath its table: a gain, or how to have it left alone."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from litellm_prompt_router.analysis.simulate import EconomicsAdvice, ProfileGain
from litellm_prompt_router.cli.output import say
from litellm_prompt_router.profile.profile import Profile

AS_IF_REVIEWED = "not reviewed: replayed as if it were; on the wire nothing changes until it is"


def command_of(traffic: str, root: Path | None, model: str | None, stated: str | None) -> str:
    """The command that replays this traffic, to which further options can be added."""
    options = (("--profiles", root), ("--model", model), ("--prices", stated))
    given = [part for option, value in options if value is not None for part in (option, str(value))]
    return shlex.join(["prompt-router", "simulate", traffic, *given])


def tuning_command(again: str, profile: str) -> str:
    """The command that has the cost gate go by a replay."""
    return f"{again} --profile {shlex.quote(profile)} --tune"


def say_unreviewed(profiles: Iterable[Profile]) -> None:
    """Of each that nobody reviewed, that the figures are what it would do."""
    for profile in profiles:
        if not profile.reviewed:
            say(f"\n{profile.name}: {AS_IF_REVIEWED}")


def say_gains(advised: Sequence[tuple[ProfileGain, EconomicsAdvice]], again: str) -> None:
    for gain, advice in advised:
        say(f"\n{advice.sentence}")
        if advice.section is not None:
            if gain.shown == "unclear":
                say(f"More conversations would tell. Until then this has the cost gate leave {gain.profile} alone:")
            else:
                say(f"This has the cost gate leave {gain.profile} alone, or go by what pays:")
            say(f"  {tuning_command(again, gain.profile)}")


def review_for_json(profile: Profile) -> dict[str, Any]:
    """Whether somebody reviewed it, and what it means for the figures that nobody did."""
    return {"reviewed": profile.reviewed, "note": None if profile.reviewed else AS_IF_REVIEWED}


def gains_for_json(
    advised: Sequence[tuple[ProfileGain, EconomicsAdvice]], profiles: Mapping[str, Profile], again: str
) -> list[dict[str, Any]]:
    return [
        {
            "profile": gain.profile,
            "conversations": gain.conversations,
            "calls": gain.calls,
            "full_cached_usd": str(gain.full_cached_usd),
            "usd": str(gain.usd),
            "versus_full_cached": gain.margin.versus_full_cached,
            "shown": gain.shown,
            "sentence": advice.sentence,
            **review_for_json(profiles[gain.profile]),
            "command": None if advice.section is None else tuning_command(again, gain.profile),
        }
        for gain, advice in advised
    ]
