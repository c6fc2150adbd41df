"""Onboarding: a monolithic prompt, in one version or several, becomes a profile to check.

structure -> tree -> cut -> slots -> metadata -> draft; ``write_draft`` puts the draft on disk.
"""

from hooks.onboard.draft import Doubt, Draft, DraftModule, DraftSlot, Proposal
from hooks.onboard.split import split_prompt
from hooks.onboard.wrapped import with_wrappers
from hooks.onboard.write import write_draft

__all__ = ["Doubt", "Draft", "DraftModule", "DraftSlot", "Proposal", "split_prompt", "with_wrappers", "write_draft"]
