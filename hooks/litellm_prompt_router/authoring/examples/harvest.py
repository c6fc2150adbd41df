"""The messages written and labelled so far: all that a run needs to go on where another stopped."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from litellm_prompt_router.authoring.examples.asking import ModelAnswer
from litellm_prompt_router.profile.profile import Module, Profile


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A user message. ``needs``: the modules beyond the core that it needs, by whoever labelled it last."""

    text: str
    history: tuple[str, ...] = ()
    """Earlier user messages."""
    needs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModuleHarvest:
    """One module's messages. ``pending`` are written but not yet labelled a second time.

    ``digest`` is that of the module's text: messages for another text don't count.
    """

    digest: str
    rounds: int = 0
    kept: tuple[Message, ...] = ()
    pending: tuple[Message, ...] = ()
    near_duplicates: int = 0
    others: int = 0
    """Dropped because another module claims them."""
    disagreements: int = 0
    """Dropped because the second label has other modules, or there is none."""


@dataclass(kw_only=True, slots=True)
class Harvest:
    """Each module's messages by its id, and what the model cost. ``usd`` is None once a price was unknown."""

    version: Literal[1] = 1
    modules: dict[str, ModuleHarvest] = field(default_factory=dict)
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: Decimal | None = Decimal(0)

    def of(self, module: Module) -> ModuleHarvest:
        """This module's; a new one if its text has changed since."""
        digest = hashlib.sha256(module.text.encode()).hexdigest()
        found = self.modules.get(module.id)
        if found is None or found.digest != digest:
            found = self.modules[module.id] = ModuleHarvest(digest=digest)
        return found

    def count(self, answer: ModelAnswer) -> None:
        self.calls += 1
        self.input_tokens += answer.input_tokens
        self.output_tokens += answer.output_tokens
        self.usd = None if self.usd is None or answer.usd is None else self.usd + answer.usd

    def messages(self, profile: Profile) -> list[tuple[str, Message]]:
        """``(module written for, message)`` of what was kept, as far as the profile still has all its modules."""
        ids = [module.id for module in routed(profile)]
        kept = [(id, message) for id in ids if id in self.modules for message in self.modules[id].kept]
        return [(id, message) for id, message in kept if all(need in ids for need in message.needs)]


def routed(profile: Profile) -> tuple[Module, ...]:
    """The modules that a request may or may not need."""
    return tuple(module for module in profile.modules if module.until_labelled or not module.always)
