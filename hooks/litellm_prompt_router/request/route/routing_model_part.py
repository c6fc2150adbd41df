"""A profile's routing model: which messages it is asked about, and which modules its answers bring."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf

from litellm_prompt_router.profile.fitted import AskingBand, ModelLists
from litellm_prompt_router.profile.profile import Ignore, Profile
from litellm_prompt_router.request.route.routing_answers import RoutingAnswer, RoutingQuestion
from litellm_prompt_router.request.route.routing_question import questions_about
from litellm_prompt_router.request.route.scores import WeighedMessage
from litellm_prompt_router.request.route.section_index import SectionIndex
from litellm_prompt_router.request.types import Turn


def with_model_choosing(profile: Profile) -> Profile:
    """The profile as it is routed: what is in the core only until labels say more is the routing model's to choose.

    Without its answer they are sent all the same, as the base is. A calibrated fit has shown what leaves the core, so
    there its word holds.
    """
    if profile.routing_model is None or profile.is_calibrated:
        return profile
    modules = tuple([replace(m, always=m.always and not m.until_labelled) for m in profile.modules])
    return replace(profile, modules=modules)


class RoutingModelPart:
    """What a router does with the routing model of its profile."""

    def __init__(self, profile: Profile, ignore: Ignore, owner_of_tool: Mapping[str, int]) -> None:
        self._index = SectionIndex(profile)
        self._ignore = ignore
        self._owner_of_tool = owner_of_tool
        self._cascade = profile.fitted.cascade if profile.fitted is not None and profile.is_calibrated else None
        stated = None if profile.routing_model is None else profile.routing_model.lists
        self._lists: ModelLists = stated or (self._cascade.lists if self._cascade is not None else "both")

    @property
    def section_ids(self) -> tuple[str, ...]:
        return self._index.ids

    @property
    def is_asked_always(self) -> bool:
        """True where no fit says when words and meaning are sure."""
        return self._cascade is None

    def is_sure(self, seen: WeighedMessage) -> bool:
        """Whether a message needs no question."""
        band = self._band(seen)
        return band is not None and band.is_sure(seen.values)

    def surely(self, seen: WeighedMessage) -> float:
        """The value from which a module is selected, whatever the model says."""
        band = self._band(seen)
        return inf if band is None else band.high

    def _band(self, seen: WeighedMessage) -> AskingBand | None:
        return None if self._cascade is None else self._cascade.band(is_fused=seen.is_fused)

    def questions(self, turns: Sequence[Turn], asked: Collection[int]) -> Iterator[tuple[int, RoutingQuestion]]:
        """The questions about the user messages at these turns."""
        if not asked or not self._index.ids:
            return iter(())
        return questions_about(self._index, turns, asked, self._ignore, self._owner_of_tool)

    def named(self, answer: RoutingAnswer) -> Iterator[tuple[int, str]]:
        """The modules that an answer brings, each with the list that names it. Other ids than sections' bring none."""
        perhaps = () if self._lists == "needed" else answer.perhaps
        for detail, ids in (("needed", answer.needed), ("perhaps", perhaps)):
            for id in sorted(ids):
                for module in self._index.named(id):
                    yield module, detail
