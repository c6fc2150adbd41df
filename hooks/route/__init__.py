"""Routing: from the conversation's own words and tool calls to the modules it needs, with evidence."""

from hooks.route.decide import MOST_TOKENS_SHARE, Router
from hooks.route.gate import values as gate_values
from hooks.route.meaning import Lookup, Meaning, no_meanings
from hooks.route.need import closure_of
from hooks.route.trace import Trace
from hooks.route.weigh import Weighted, weigh
from hooks.route.words import TriggerProblem, check_trigger

__all__ = [
    "MOST_TOKENS_SHARE",
    "Lookup",
    "Meaning",
    "Router",
    "Trace",
    "TriggerProblem",
    "Weighted",
    "check_trigger",
    "closure_of",
    "gate_values",
    "no_meanings",
    "weigh",
]
