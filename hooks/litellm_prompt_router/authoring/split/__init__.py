"""Drafts a profile from a monolithic prompt, in one version or several, for its owner to review.

slots -> lines -> tree -> pieces -> metadata -> draft; ``write_draft`` puts the draft on disk.
"""

from litellm_prompt_router.authoring.split.draft import Draft, DraftDoubt, DraftModule, DraftSlot, Proposal
from litellm_prompt_router.authoring.split.split_prompt import split_prompt
from litellm_prompt_router.authoring.split.wrapper_rules import with_wrappers
from litellm_prompt_router.authoring.split.write_draft import write_draft

__all__ = [
    "Draft",
    "DraftDoubt",
    "DraftModule",
    "DraftSlot",
    "Proposal",
    "split_prompt",
    "with_wrappers",
    "write_draft",
]
