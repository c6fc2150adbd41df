"""What each policy would have cost: recorded conversations, or made-up ones, through a model of the provider's cache.

``traffic`` reads the recording, ``policies`` rewrites each call as each policy would, ``replay`` accounts it,
``workload`` makes traffic without text, ``layouts`` and ``synthetic`` account that, ``report`` adds up. Pure: no
I/O, no clock, no LiteLLM; translation to the provider's wire and prices are passed in.
"""

from __future__ import annotations

from litellm_prompt_router.analysis.simulate.cost_report import BASELINE, Parts, PolicyResult, PolicyTally, Report
from litellm_prompt_router.analysis.simulate.replay import Billed, BlocksOf, Replay, replay
from litellm_prompt_router.analysis.simulate.simulated_policies import POLICIES, Policy, Rewrite, Sent, rewrites_of
from litellm_prompt_router.analysis.simulate.stated_prices import parse_prices
from litellm_prompt_router.analysis.simulate.synthetic import simulate_synthetic
from litellm_prompt_router.analysis.simulate.workload import Workload, arrivals
from litellm_prompt_router.files.traffic import RecordedCall, parse_traffic

__all__ = [
    "BASELINE",
    "POLICIES",
    "Billed",
    "BlocksOf",
    "Parts",
    "Policy",
    "PolicyResult",
    "PolicyTally",
    "RecordedCall",
    "Replay",
    "Report",
    "Rewrite",
    "Sent",
    "Workload",
    "arrivals",
    "parse_prices",
    "parse_traffic",
    "replay",
    "rewrites_of",
    "simulate_synthetic",
]
