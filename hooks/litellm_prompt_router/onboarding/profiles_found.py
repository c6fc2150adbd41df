"""A profile for each agent: the one that is there, or a draft. What a person made is never overwritten."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from litellm_prompt_router.authoring.agent_draft import draft_agent
from litellm_prompt_router.authoring.learn import Agent, Learned, learn
from litellm_prompt_router.authoring.split import split_prompt, write_draft
from litellm_prompt_router.authoring.split.write_draft import check_free
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files import PROFILE_FILE, load_profile
from litellm_prompt_router.files.traffic import read_traffic
from litellm_prompt_router.onboarding.findings import FoundAgent, Origin
from litellm_prompt_router.onboarding.onboard_state import folder_digest
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.recognise import Catalogue

PREVIEW_CHARS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class ProfilePlace:
    """Where profiles are, and what this run may do there. ``drafts``: digests of folders as runs wrote them."""

    root: Path
    name: str
    replaces: bool
    drafts: Mapping[str, frozenset[str]]

    def is_own_draft(self, profile: str) -> bool:
        """True for a draft of ours that nobody has touched."""
        folder = self.root / profile
        return profile in self.drafts and folder.is_dir() and folder_digest(folder) in self.drafts[profile]

    def origin(self, profile: str) -> Origin:
        if self.is_own_draft(profile):
            return "kept"
        return "edited" if profile in self.drafts else "found"


def with_origin(agent: FoundAgent, place: ProfilePlace) -> FoundAgent:
    """An agent of an earlier run, with what its profile is by now."""
    return agent if agent.profile is None else replace(agent, origin=place.origin(agent.profile))


def loadable_profiles(root: Path, count_tokens: Callable[[str], int]) -> tuple[Profile, ...]:
    """Those that load; `check` tells what is wrong with the others."""
    profiles: list[Profile] = []
    for path in sorted(root.glob(f"*/{PROFILE_FILE}")):
        with suppress(ConfigurationError):
            profiles.append(load_profile(path.parent, count_tokens))
    return tuple(profiles)


def learn_agents(
    lines: Iterable[str], where: str, min_chars: int, count_tokens: Callable[[str], int], root: Path
) -> Learned:
    """Raises ConfigurationError where no agent with a prompt of that length is in these lines."""
    known = loadable_profiles(root, count_tokens)
    problems: list[str] = []
    learned = learn(read_traffic(lines, where, problems), count_tokens, Catalogue(known) if known else None)
    if not learned.calls:
        raise ConfigurationError(problems[:5] or [f"{where}: holds no call; a call is a line of JSON"])
    if not learned.agents:
        raise ConfigurationError(
            [f"{where}: no call has a system prompt; capture at the proxy, where the agent's own arrives"]
        )
    longest = max(agent.chars for agent in learned.agents)
    if longest < min_chars:
        raise ConfigurationError(
            [f"{where}: the longest system prompt has {longest:,} characters; --min-chars takes shorter ones"]
        )
    return learned


def settle_agents(
    learned: Learned, place: ProfilePlace, min_chars: int, wrote: Callable[[str], None], watch: Callable[[str], None]
) -> list[FoundAgent]:
    """Each agent with its profile, or with the reason for none. Drafts are written; ``wrote`` is told each.

    Raises ConfigurationError before anything is written when a name is taken by another agent's profile.
    """
    plans = _plans(learned.agents, place, min_chars)
    taken = [place.root / plan.profile for plan in plans if plan.profile is not None and plan.is_blocked]
    if taken:
        raise ConfigurationError(
            [
                f"{folder}: is there already and isn't this agent's; choose another --name, or add --replace"
                for folder in taken
            ]
        )
    found: list[FoundAgent] = []
    for plan in plans:
        origin: Origin | None = None
        if plan.profile is not None:
            origin = "drafted" if plan.drafts else place.origin(plan.profile)
            if plan.drafts:
                watch(plan.profile)
                folder = place.root / plan.profile
                write_draft(draft_agent(plan.agent, plan.profile), place.root, replace=folder.exists())
                wrote(plan.profile)
        found.append(_found(plan.agent, plan.profile, origin, plan.reason))
    return found


def settle_prompt(text: str, place: ProfilePlace, count_tokens: Callable[[str], int]) -> FoundAgent:
    """The profile that knows this prompt, or a draft of it."""
    known = loadable_profiles(place.root, count_tokens)
    recognised = Catalogue(known).recognise(text) if known else None
    name, origin = place.name, None
    if recognised is not None and recognised.coverage >= 1.0:
        profile = recognised.profile.name
        if not (place.replaces and profile == name):
            name, origin = profile, place.origin(profile)
    if origin is None:
        check_free(place.root, name, replace=place.replaces or place.is_own_draft(name))
        write_draft(split_prompt([text], name=name), place.root, replace=(place.root / name).exists())
    return FoundAgent(
        profile=name,
        origin=origin or "drafted",
        reason=None,
        begins=_begins(text),
        calls=0,
        conversations=0,
        chars=len(text),
        tokens=count_tokens(text),
        tools=0,
        keys=(),
        models=(),
        masked=0,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plan:
    agent: Agent
    profile: str | None
    drafts: bool = False
    is_blocked: bool = False
    reason: str | None = None


def _plans(agents: Sequence[Agent], place: ProfilePlace, min_chars: int) -> list[_Plan]:
    plans: list[_Plan] = []
    taken: set[str] = set()
    number = 0
    for agent in agents:
        if agent.chars < min_chars:
            reason = f"its prompt has {agent.chars:,} characters; --min-chars {min_chars} leaves shorter ones out"
            plans.append(_Plan(agent=agent, profile=None, reason=reason))
            continue
        number += 1
        own = place.name if number == 1 else f"{place.name}-{number}"
        known = agent.known_as
        if known in taken:
            plans.append(_Plan(agent=agent, profile=None, reason=f"another version of {known}, counted there"))
            continue
        if known is not None and not (known == own and (place.replaces or place.is_own_draft(known))):
            taken.add(known)
            plans.append(_Plan(agent=agent, profile=known))
            continue
        is_free = not (place.root / own).exists() or place.is_own_draft(own) or place.replaces
        taken.add(own)
        plans.append(_Plan(agent=agent, profile=own, drafts=True, is_blocked=not is_free))
    return plans


def _found(agent: Agent, profile: str | None, origin: Origin | None, reason: str | None) -> FoundAgent:
    return FoundAgent(
        profile=profile,
        origin=origin,
        reason=reason,
        begins=_begins(agent.samples[0]),
        calls=agent.calls,
        conversations=agent.conversations,
        chars=agent.chars,
        tokens=agent.tokens,
        tools=len(agent.tools),
        keys=agent.keys,
        models=agent.models,
        masked=agent.masked,
    )


def _begins(text: str) -> str:
    line = " ".join(text[: 4 * PREVIEW_CHARS].split()).encode("utf-8", "backslashreplace").decode()
    return line if len(line) <= PREVIEW_CHARS else f"{line[: PREVIEW_CHARS - 1]}…"
