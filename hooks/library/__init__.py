"""A profile's folder: what is read from it, and what is written into it."""

from hooks.library.load import bundled_profiles, load_profile, load_profiles
from hooks.library.profile_yaml import MAX_SLOT_CHARS, PROFILE_FILE

__all__ = ["MAX_SLOT_CHARS", "PROFILE_FILE", "bundled_profiles", "load_profile", "load_profiles"]
