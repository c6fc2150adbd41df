"""Which conversations are in a canary and which are in the control group: decided by hash, remembered nowhere.

A conversation has a fixed place between 0 and 1 for each of the two questions. It is in while its place is below
the share, so raising the share keeps everyone who was in, and replicas agree.
"""

from __future__ import annotations

import hashlib
from typing import Literal

Arm = Literal["treatment", "holdout"]
Draw = Literal["treatment", "holdout", "not_in_percent"]
CANARY = "canary"
HOLDOUT = "holdout"


def hash_fraction(salt: str, scope: str, conversation: str) -> float:
    """Where this conversation of this key stands for the question that ``salt`` names, at least 0 and below 1."""
    text = "\0".join((salt, scope, conversation)).encode("utf-8", "backslashreplace")
    return int.from_bytes(hashlib.sha256(text).digest()[:6]) / 2**48


def draw(scope: str, conversation: str, *, percent: float, holdout: float) -> Draw:
    """What a conversation is drawn for. The control group is part of the canary: both arms come from one population."""
    if percent < 100 and hash_fraction(CANARY, scope, conversation) >= percent / 100:
        return "not_in_percent"
    return "holdout" if holdout > 0 and hash_fraction(HOLDOUT, scope, conversation) < holdout else "treatment"
