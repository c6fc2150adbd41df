"""Examines a deployment: one finding for each thing looked at, with what to do where it isn't in order."""

from litellm_prompt_router.operations.doctor.examine import examine
from litellm_prompt_router.operations.doctor.finding import Finding, Level
from litellm_prompt_router.operations.doctor.running_proxy import examine_online

__all__ = ["Finding", "Level", "examine", "examine_online"]
