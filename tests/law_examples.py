"""How many examples the laws draw: all of them in ``.ci/full`` and by hand, a sixth in ``.ci/run``."""

from __future__ import annotations

from hypothesis import settings

SHARE = 6


def register_profiles() -> None:
    """``ci`` and ``full`` for ``--hypothesis-profile``: both draw the same examples in every run."""
    full = settings.get_profile("ci")
    settings.register_profile("full", full)
    settings.register_profile("ci", full, max_examples=full.max_examples // SHARE)


def examples(number: int) -> int:
    """``max_examples`` of a slow law that states its own."""
    return number // SHARE if settings.get_current_profile_name() == "ci" else number
