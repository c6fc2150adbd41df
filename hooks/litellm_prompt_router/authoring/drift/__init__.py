"""An agent's prompt changes: what became of each module of its profile, and the profile brought up to date.

``match_modules`` divides the new prompt among the modules (``anchors``, ``line_labels``, ``divide``), ``plan`` says
what that makes of the profile, ``apply_update`` writes it.
"""

from litellm_prompt_router.authoring.drift.apply_update import apply_update, files_of, review_section, summary_of
from litellm_prompt_router.authoring.drift.plan import PlannedModule, UpdatePlan, next_version, plan_update
from litellm_prompt_router.authoring.drift.slot_values import PlannedSlot

__all__ = [
    "PlannedModule",
    "PlannedSlot",
    "UpdatePlan",
    "apply_update",
    "files_of",
    "next_version",
    "plan_update",
    "review_section",
    "summary_of",
]
