"""`prompt-router check`: reports on profiles' sizes, inconsistencies, and fit with real prompts."""

from litellm_prompt_router.authoring.check.profile_report import ModuleReport, ProfileReport, check_profiles

__all__ = ["ModuleReport", "ProfileReport", "check_profiles"]
