"""What `prompt-router check` says of profiles: their sizes, their own inconsistencies, how real prompts fit them."""

from litellm_prompt_router.authoring.check.profile_report import ModuleReport, ProfileReport, check_profiles

__all__ = ["ModuleReport", "ProfileReport", "check_profiles"]
