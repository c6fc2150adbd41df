"""A profile's routing model: which messages it is asked about, and which modules its answers bring."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from litellm_prompt_router.profile.profile import Ignore, Profile
from litellm_prompt_router.request.route.routing_answers import RoutingAnswer, RoutingQuestion
from litellm_prompt_router.request.route.routing_question import questions_about
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

    @property
    def section_ids(self) -> tuple[str, ...]:
        return self._index.ids

    def questions(self, turns: Sequence[Turn], asked: Collection[int]) -> dict[int, RoutingQuestion]:
        """The questions about the user messages at these turns."""
        if not asked or not self._index.ids:
            return {}
        return questions_about(self._index, turns, asked, self._ignore, self._owner_of_tool)

    def named(self, answer: RoutingAnswer) -> Iterator[tuple[int, str]]:
        """The modules that an answer brings, each with the list that names it. Other ids than sections' bring none."""
        for detail, ids in (("needed", answer.needed), ("perhaps", answer.perhaps)):
            for id in sorted(ids):
                for module in self._index.named(id):
                    yield module, detail
