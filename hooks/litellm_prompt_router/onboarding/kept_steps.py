"""One run's steps on disk: what an earlier run of the same command has done isn't done again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from litellm_prompt_router.files import PROFILE_FILE
from litellm_prompt_router.onboarding.findings import AgentFindings, FoundAgent
from litellm_prompt_router.onboarding.onboard_state import (
    OnboardState,
    agent_documents,
    agents_from,
    digest_of_parts,
    findings_document,
    findings_from,
    folder_digest,
    load_state,
    save_state,
    state_path,
)
from litellm_prompt_router.onboarding.profiles_found import ProfilePlace, with_origin


class KeptSteps:
    """``input_digest``: of all that the steps are done on. ``place_name``: the run's own profile name."""

    def __init__(self, root: Path, place_name: str, input_digest: str, *, replaces: bool, is_fresh: bool) -> None:
        self._root = root
        self._place_name = place_name
        self._replaces = replaces
        self._input_digest = input_digest
        self._path = state_path(root, place_name)
        self._state = load_state(self._path)
        if is_fresh or replaces or self._state.input_digest != input_digest:
            self._state = OnboardState(input_digest=input_digest, drafts=self._state.drafts)

    @property
    def place(self) -> ProfilePlace:
        drafts = {name: {digest} for name, digest in self._state.drafts.items()}
        for path in self._path.parent.glob("*.json"):  # runs over other files
            for name, digest in load_state(path).drafts.items():
                drafts.setdefault(name, set()).add(digest)
        return ProfilePlace(
            root=self._root,
            name=self._place_name,
            replaces=self._replaces,
            drafts={name: frozenset(digests) for name, digests in drafts.items()},
        )

    def wrote(self, profile: str) -> None:
        """The profile's folder is ours as it stands now, until somebody changes it."""
        self._state.drafts[profile] = folder_digest(self._root / profile)
        save_state(self._path, self._state)

    def agents(self) -> list[FoundAgent] | None:
        """Those that were found, if the profiles that they got are all there still."""
        known = agents_from(self._state.agents) if self._state.agents else None
        if not known or not all(a.profile is None or (self._root / a.profile / PROFILE_FILE).is_file() for a in known):
            return None
        return [with_origin(agent, self.place) for agent in known]

    def keep_agents(self, agents: Iterable[FoundAgent]) -> None:
        self._state.agents = agent_documents(agents)
        save_state(self._path, self._state)

    def key(self, profiles: Iterable[str], *settings: str) -> str:
        """What figures depend on: the input, the profiles as they are, and what else they were made with."""
        folders = [folder_digest(self._root / profile) for profile in profiles]
        return digest_of_parts(self._input_digest, *settings, *folders)

    def costs(self, key: str) -> dict[str, Any] | None:
        """The whole traffic's, as kept under this key."""
        kept = self._state.accounted.get("")
        return dict(kept["costs"]) if kept is not None and kept.get("key") == key else None

    def keep_costs(self, key: str, costs: dict[str, Any]) -> None:
        self._keep("", {"key": key, "costs": costs})

    def findings(self, key: str, agent: FoundAgent) -> AgentFindings | None:
        kept = self._state.accounted.get(agent.profile or "")
        if kept is None or kept.get("key") != key:
            return None
        return findings_from({**kept["findings"], "agent": agent_documents([agent])[0]})

    def keep_findings(self, key: str, found: AgentFindings) -> None:
        self._keep(found.agent.profile or "", {"key": key, "findings": findings_document(found)})

    def _keep(self, name: str, document: dict[str, Any]) -> None:
        self._state.accounted[name] = document
        save_state(self._path, self._state)


def known_profiles(agents: Sequence[FoundAgent]) -> list[tuple[FoundAgent, str]]:
    """The agents that have a profile, each with its name."""
    return [(agent, agent.profile) for agent in agents if agent.profile is not None]
