"""The draft of one piece's metadata, while the pieces of a prompt are compared."""

from __future__ import annotations

from dataclasses import dataclass, field

from litellm_prompt_router.authoring.split.titles import PieceTitles


@dataclass(slots=True)
class DraftedEntry:
    """The draft of one piece's metadata.

    ``essential``: why it is in the core for good. ``unproven``: why it is there until labels show who needs
    it. Neither: it is left out where its tools are missing.
    """

    naming: PieceTitles
    id: str = ""
    essential: str = ""
    unproven: str = ""
    requires: list[int] = field(default_factory=list)
    tools: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    doubts: list[str] = field(default_factory=list)

    @property
    def always(self) -> bool:
        return bool(self.essential or self.unproven)

    @property
    def reason(self) -> str:
        return self.essential or self.unproven
