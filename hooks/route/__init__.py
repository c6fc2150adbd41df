"""Routing: from the conversation's own words and tool calls to the modules it needs, with evidence."""

from hooks.route.decide import Router
from hooks.route.words import TriggerProblem, check_trigger

__all__ = ["Router", "TriggerProblem", "check_trigger"]
