"""Routing: from the conversation's own words and tool calls to the modules it needs, with evidence."""

from hooks.route.decide import Router, Trace
from hooks.route.weigh import Weighted, weigh
from hooks.route.words import TriggerProblem, check_trigger

__all__ = ["Router", "Trace", "TriggerProblem", "Weighted", "check_trigger", "weigh"]
