"""The review sheet: what an agent's owner reads before the profile goes live."""

from __future__ import annotations

from hooks.onboard.draft import Draft

REVIEW_FILE = "REVIEW.md"


def review_of(draft: Draft) -> str:
    """``REVIEW.md`` of the draft."""
    return f"# Review of {draft.name}\n"
