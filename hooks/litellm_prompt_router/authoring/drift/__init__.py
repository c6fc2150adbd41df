"""An agent's prompt changes: what became of each module of its profile, and the profile brought up to date.

``match`` divides the new prompt among the modules (``anchors``, ``labels``, ``divide``), ``plan`` says what that makes
of the profile, ``update`` writes it, ``layout`` edits profile.yaml in place.
"""

from litellm_prompt_router.authoring.drift.apply_update import apply_update, files_of, review_section, summary_of
from litellm_prompt_router.authoring.drift.plan import next_version, plan_update
from litellm_prompt_router.authoring.drift.planned import Planned, PlannedSlot, UpdatePlan

__all__ = [
    "Planned",
    "PlannedSlot",
    "UpdatePlan",
    "apply_update",
    "files_of",
    "next_version",
    "plan_update",
    "review_section",
    "summary_of",
]
