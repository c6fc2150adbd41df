"""What `prompt-router check` says of profiles: their sizes, their own inconsistencies, how real prompts fit them."""

from hooks.check.profiles import ModuleReport, ProfileReport, check_profiles

__all__ = ["ModuleReport", "ProfileReport", "check_profiles"]
