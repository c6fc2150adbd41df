"""Which profiles are read where nobody says which: one's own in ``modules``, else those that come with the package."""

from __future__ import annotations

from pathlib import Path

from litellm_prompt_router.documents.bundled import bundled_profiles
from litellm_prompt_router.files.profile_yaml import PROFILE_FILE

OWN_FOLDER = "modules"


def holds_profiles(root: Path) -> bool:
    """False also for a folder of this name that is somebody's Python, Terraform or Node modules."""
    return next(root.glob(f"*/{PROFILE_FILE}"), None) is not None


def default_profiles(*beside: Path) -> Path:
    """``modules`` in the first of these folders where it holds a profile; else the bundled profiles."""
    own = (folder / OWN_FOLDER for folder in beside)
    return next((root for root in own if holds_profiles(root)), bundled_profiles())
