"""What each policy would have cost: recorded conversations, or made-up ones, through a model of the provider's cache.

``traffic`` reads the recording, ``policies`` rewrites each call as each policy would, ``replay`` accounts it,
``workload`` makes traffic without text, ``layouts`` and ``synthetic`` account that, ``report`` adds up. Pure: no
I/O, no clock, no LiteLLM; translation to the provider's wire and prices are passed in.
"""

from __future__ import annotations

from hooks.simulate.policies import POLICIES, Policy, Rewrite, Sent, rewrites_of
from hooks.simulate.replay import Billed, BlocksOf, Replay, replay
from hooks.simulate.report import BASELINE, Parts, PolicyResult, Report, Tally
from hooks.simulate.stated_prices import parse_prices
from hooks.simulate.synthetic import simulate_synthetic
from hooks.simulate.traffic import Call, parse_traffic
from hooks.simulate.workload import Workload, arrivals

__all__ = [
    "BASELINE",
    "POLICIES",
    "Billed",
    "BlocksOf",
    "Call",
    "Parts",
    "Policy",
    "PolicyResult",
    "Replay",
    "Report",
    "Rewrite",
    "Sent",
    "Tally",
    "Workload",
    "arrivals",
    "parse_prices",
    "parse_traffic",
    "replay",
    "rewrites_of",
    "simulate_synthetic",
]
