"""What ``demo`` tells of money, from the ledger that its own proxy wrote."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from litellm_prompt_router.cli.output import say, show_table
from litellm_prompt_router.documents.errors import ConfigurationError

LEDGER_SECONDS = 20.0
POLL_SECONDS = 0.1
TOKENS = ("uncached_input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "output_tokens")
NET = "estimated_net_saved_usd"
NEEDED = ("polars", "jinja2", "vl_convert")


def finished_records(ledger: Path, calls: int) -> list[dict[str, Any]]:
    """The records of so many calls, which are written a moment after the answers. Raises ConfigurationError."""
    deadline = time.monotonic() + LEDGER_SECONDS
    while True:
        lines = ledger.read_text("utf-8").splitlines(keepends=True) if ledger.exists() else []
        whole = [line for line in lines if line.endswith("\n")]
        if len(whole) >= calls:
            return [json.loads(line) for line in whole]
        if time.monotonic() > deadline:
            raise ConfigurationError([f"{ledger}: {len(whole)} records of {calls} calls; see the proxy's log"])
        time.sleep(POLL_SECONDS)


def show_money(records: Sequence[dict[str, Any]], routed: str, unrouted: str) -> None:
    """A table of both models' calls: the same requests, rewritten and as they came."""
    sides = {name: [each for each in records if each["model_group"] == name] for name in (unrouted, routed)}
    bills = {name: sum((Decimal(each["billed_usd"]) for each in side), Decimal(0)) for name, side in sides.items()}
    rows = [_row(title, sides[name], bills[name]) for title, name in (("full prompt", unrouted), ("routed", routed))]
    show_table(("", "#calls", "#uncached", "#cache read", "#cache written", "#output", "#USD"), rows)
    saved = bills[unrouted] - bills[routed]
    say(f"\nRouting saved {saved:.4f} of {bills[unrouted]:.4f} USD ({saved / bills[unrouted]:.1%}).")
    estimates = [Decimal(each[NET]) for each in sides[routed] if each[NET] is not None]
    without = len(sides[routed]) - len(estimates)
    say(f"The proxy's own estimate, made without the second run: {sum(estimates):.4f} USD for {len(estimates)} calls.")
    if without:
        say(f"For {without} it makes none: it can't know what the provider had cached before the proxy started.")


def _row(title: str, side: Sequence[dict[str, Any]], bill: Decimal) -> tuple[str, ...]:
    tokens = (f"{sum(each[name] for each in side):,}" for name in TOKENS)
    return (title, str(len(side)), *tokens, f"{bill:.4f}")


def write_report(ledger: Path, page_file: Path) -> bool:
    """Writes the page of the routed calls. False where the extra `report` isn't installed."""
    if any(find_spec(name) is None for name in NEEDED):
        return False
    from litellm_prompt_router.analysis.report.page import page
    from litellm_prompt_router.analysis.report.selection import selected_records
    from litellm_prompt_router.analysis.report.totals import figures_of
    from litellm_prompt_router.cli.ledger_command import told

    with tempfile.TemporaryDirectory(prefix="prompt-router-") as folder:
        records, tally = selected_records(
            [str(ledger)], None, Path(folder), since_seconds=None, until_seconds=None, mode="rewrite"
        )
        figures = figures_of(records, "key")
    if figures is None:
        return False
    page_file.write_text(page(figures, tally, told(tally)), encoding="utf-8")
    return True
