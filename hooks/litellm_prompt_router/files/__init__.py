"""A profile's folder: what is read from it, and what is written into it."""

from litellm_prompt_router.documents.bundled import CHECKOUT, bundled_config, bundled_profiles
from litellm_prompt_router.files.default_profiles import OWN_FOLDER, default_profiles
from litellm_prompt_router.files.load import load_profile, load_profiles
from litellm_prompt_router.files.profile_yaml import MAX_SLOT_CHARS, PROFILE_FILE, REVIEW_FILE, review_sheet_in

__all__ = [
    "CHECKOUT",
    "MAX_SLOT_CHARS",
    "OWN_FOLDER",
    "PROFILE_FILE",
    "REVIEW_FILE",
    "bundled_config",
    "bundled_profiles",
    "default_profiles",
    "load_profile",
    "load_profiles",
    "review_sheet_in",
]
