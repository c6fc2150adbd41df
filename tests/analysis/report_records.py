"""Ledger records as the proxy writes them, drawn from a seed."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from litellm_prompt_router.cache_model.usage import Usage
from litellm_prompt_router.record.record import Record
from tests.telemetry.records import CALLER, FACTS, MODULES, RECORD

START = 1_793_500_000.0
DAY = 86_400.0


def made(
    number: int, *, key: str = "alpha", conversation: str | None = "c-1", at: float = START, **more: Any
) -> Record:
    """A rewritten call; ``more`` are fields of the record or of its facts."""
    caller = replace(CALLER, request_id=f"r-{number}", key_alias=key, conversation=conversation, started_seconds=at - 1)
    names = set(Record.__dataclass_fields__)
    facts = replace(FACTS, caller=caller, **{name: value for name, value in more.items() if name not in names})
    return replace(
        RECORD, facts=facts, finished_seconds=at, **{name: value for name, value in more.items() if name in names}
    )


def traffic(calls: int = 600, seed: int = 1) -> list[Record]:
    """Two weeks of two keys: rewritten, held out, in shadow, passed through and failed calls."""
    rng = random.Random(seed)
    found = []
    for number in range(calls):
        conversation = number // 6
        kind = ("rewritten", "rewritten", "rewritten", "rewritten", "shadow", "passthrough")[conversation % 6]
        billed = Decimal(rng.randrange(10_000, 90_000)) / 1_000_000
        saved = Decimal(rng.randrange(-8_000, 24_000)) / 1_000_000
        more: dict[str, Any] = {"arm": None if kind == "shadow" else "treatment", "outcome": kind}
        if kind == "passthrough":
            more |= {"reason": "holdout", "arm": "holdout", "modules": (), "prompt_chars": None}
            more |= {"list_price_saved_usd": None}
        elif number % 5 == 0:
            late = MODULES[1]._replace(kind="tool_call", detail="plot")
            more |= {"modules": (MODULES[0], late)}
        if number % 97 == 0:
            more |= {"status": "failure", "error_type": "RateLimitError", "usage": None, "billed_usd": None}
        else:
            more |= {
                "billed_usd": billed,
                "counterfactual": Usage(
                    uncached_input_tokens=11, cache_read_tokens=26_000, cache_write_5m_tokens=30,
                    cache_write_1h_tokens=0, output_tokens=5,
                ),
                "counterfactual_usd": billed + saved,
                "estimated_net_saved_usd": None if kind == "passthrough" else saved,
            }  # fmt: skip
        key = "reports-agent" if conversation % 3 else "support-bot"
        at = START + DAY * 14 * number / calls
        more |= {"tools_chars": 9_000, "history_chars": 4_000 * (1 + number % 6), "decision_us": 100 + number}
        found.append(made(number, key=key, conversation=f"c-{conversation:04}", at=at, **more))
    return found


def write(path: Path, records: list[Record]) -> Path:
    """The records as a ledger file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{record.to_json()}\n" for record in records), encoding="utf-8")
    return path
