"""An agent's prompt changes: what became of each module of its profile, and the profile brought up to date.

``match`` divides the new prompt among the modules (``anchors``, ``labels``, ``divide``), ``plan`` says what that makes
of the profile, ``update`` writes it, ``layout`` edits profile.yaml in place.
"""

from hooks.drift.plan import next_version, plan_update
from hooks.drift.planned import Plan, Planned, PlannedSlot
from hooks.drift.update import apply_update, files_of, review_section, summary_of

__all__ = [
    "Plan",
    "Planned",
    "PlannedSlot",
    "apply_update",
    "files_of",
    "next_version",
    "plan_update",
    "review_section",
    "summary_of",
]
