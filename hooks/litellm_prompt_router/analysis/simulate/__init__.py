"""What each policy would have cost: recorded conversations, or made-up ones, through a model of the provider's cache.

``traffic`` reads the recording, ``policies`` rewrites each call as each policy would, ``replay`` accounts it,
``workload`` makes traffic without text, ``layouts`` and ``synthetic`` account that, ``cost_report`` adds up and
``gain`` tells it by profile. ``ledger_layouts`` and ``ledger_trial`` do with a ledger's calls what ``layouts`` and
``synthetic`` do with made-up ones, and ``ledger_tuning`` tunes by them. Pure: no clock, no LiteLLM; translation to the
provider's wire and prices are passed in. ``economics_section`` alone writes: what the cost gate is to believe, into
profile.yaml.
"""

from __future__ import annotations

from litellm_prompt_router.analysis.simulate.cost_report import BASELINE, Parts, PolicyResult, PolicyTally, Report
from litellm_prompt_router.analysis.simulate.economics_section import (
    EconomicsAdvice,
    economics_of,
    write_economics,
)
from litellm_prompt_router.analysis.simulate.gain import ProfileGain
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
    "EconomicsAdvice",
    "Parts",
    "Policy",
    "PolicyResult",
    "PolicyTally",
    "ProfileGain",
    "RecordedCall",
    "Replay",
    "Report",
    "Rewrite",
    "Sent",
    "Workload",
    "arrivals",
    "economics_of",
    "parse_prices",
    "parse_traffic",
    "replay",
    "rewrites_of",
    "simulate_synthetic",
    "write_economics",
]
