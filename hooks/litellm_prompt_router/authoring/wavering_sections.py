"""Sections that a routing model doesn't recognise the need of: proposed for the core."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from litellm_prompt_router.request.route import RoutingAnswer

MIN_USES = 3
"""Messages that used a section; fewer may be chance."""
MOST_SURE = 0.5
"""Share of the messages that used a section for which it was named as needed; below it the model wavers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WaveringSection:
    """A section that was used for ``used`` messages, of which the model named it as needed or perhaps for so many."""

    id: str
    used: int
    needed: int
    perhaps: int

    @property
    def missed(self) -> int:
        return self.used - self.needed - self.perhaps

    @property
    def sentence(self) -> str:
        return (
            f"{self.id}: of {self.used} messages that used it the model named it as needed for {self.needed}, as "
            f"perhaps needed for {self.perhaps}, and not at all for {self.missed}"
        )


def wavering_sections(
    answered: Iterable[tuple[RoutingAnswer, frozenset[str]]], section_ids: Sequence[str]
) -> tuple[WaveringSection, ...]:
    """Of answers, each with the sections that its message used by label or tool call: those that it wavers on."""
    counts = {id: [0, 0, 0] for id in section_ids}
    for answer, used in answered:
        for id in used & counts.keys():
            counts[id][0] += 1
            counts[id][1] += id in answer.needed
            counts[id][2] += id in answer.perhaps
    return tuple(
        WaveringSection(id=id, used=used, needed=needed, perhaps=perhaps)
        for id, (used, needed, perhaps) in counts.items()
        if used >= MIN_USES and needed < MOST_SURE * used
    )
