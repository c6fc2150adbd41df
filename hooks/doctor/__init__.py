"""Examines a deployment: one finding for each thing looked at, with what to do where it isn't in order."""

from hooks.doctor.examine import examine
from hooks.doctor.finding import Finding, Level
from hooks.doctor.online import examine_online

__all__ = ["Finding", "Level", "examine", "examine_online"]
