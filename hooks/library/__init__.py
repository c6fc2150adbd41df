"""A profile's folder: what is read from it, and what is written into it."""

from hooks.library.load import MAX_SLOT_CHARS, PROFILE_FILE, bundled_profiles, load_profile, load_profiles

__all__ = ["MAX_SLOT_CHARS", "PROFILE_FILE", "bundled_profiles", "load_profile", "load_profiles"]
