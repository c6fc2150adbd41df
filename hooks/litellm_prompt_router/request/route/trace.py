"""What happened on the way to a decision, for those who calibrate or explain."""

from __future__ import annotations

from typing import NamedTuple

from litellm_prompt_router.profile.fitted import Floats


class WeighedMessage(NamedTuple):
    """One message as the gate saw it: its turn, the gate's inputs, and a value for each scored module.

    ``is_fused``: by its meaning too, so that the fused threshold decides.
    """

    turn: int
    inputs: Floats
    values: Floats
    is_fused: bool = False


class Trace:
    """Filled by ``Router.decide``."""

    def __init__(self) -> None:
        self.weighed: list[WeighedMessage] = []
        self.triggered: set[int] = set()
        self.fallbacks: list[str] = []
        """Reasons that no threshold can change."""
