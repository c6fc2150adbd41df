"""Puts a fit into a profile's folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from litellm_prompt_router.files.fit_files import fitted_files
from litellm_prompt_router.files.replace_files import replace_files
from litellm_prompt_router.profile.fitted import Fitted
from litellm_prompt_router.profile.profile import Module


def write_fitted(folder: Path, fitted: Fitted, modules: Sequence[Module]) -> None:
    """Both files or neither, over what is there."""
    replace_files({folder / name: content for name, content in fitted_files(fitted, modules).items()}, folder)
