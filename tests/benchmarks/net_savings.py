"""``python -m tests.benchmarks.net_savings``: estimated net savings beside the true ones, for 500 conversations.

Every call goes through LiteLLM's dispatch, router and HTTP client to an emulated provider twice, on the same virtual
clock: rewritten, and left as it came. The truth is the difference of the two bills. ``--own-tokens WAY`` lets the
provider count tokens by another tokenizer than ours.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from decimal import Decimal
from pathlib import Path

SHARES = {"claude": 36, "claude-mid": 24, "gpt": 24, "gpt-new": 16}
"""Conversations of each group, in percent."""


def main() -> None:
    """Prints one line a group and one for all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=500)
    parser.add_argument("--own-tokens", nargs="?", const="lines", choices=("lines", "words", "chars", "mixed"))
    given = parser.parse_args()
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    asyncio.run(_report(given.conversations, given.own_tokens))


async def _report(conversations: int, own_tokens: str | None) -> None:
    from tests.accounting.comparing import Accuracy, Compared, accuracy_of, compared
    from tests.accounting.counting import WAYS
    from tests.analysis.recordings import recorded
    from tests.emulators.caching import EmulatedCache

    began = time.monotonic()
    lanes = {group: recorded(group, conversations * share // 100, group) for group, share in SHARES.items()}
    caching = EmulatedCache(count_tokens=WAYS[own_tokens]) if own_tokens else None
    with tempfile.TemporaryDirectory() as folder:
        calls = await compared(Path(folder), lanes, caching=caching)

    def line(name: str, of_group: list[Compared], accuracy: Accuracy) -> str:
        bills = [(Decimal(call.record["billed_usd"]), Decimal(call.record["priced_usd"])) for call in of_group]
        apart = max(abs(billed - priced) for billed, priced in bills)
        return (
            f"{name:<11}{len({(call.group, call.conversation) for call in of_group}):>6}{accuracy.calls:>7}"
            f"{accuracy.estimated_usd:>12.4f}{accuracy.true_usd:>12.4f}{accuracy.off_share:>8.2%}"
            f"{accuracy.worst_share:>9.2%}{accuracy.worst_usd:>9.4f}{accuracy.worst_bill_share:>9.2%}"
            f"{accuracy.long_conversations:>6}{accuracy.signs_share:>8.2%}{accuracy.clear_signs_share:>8.1%}"
            f"{accuracy.clear_conversations:>6}{apart:>9.0e}"
        )

    print(
        f"{'group':<11}{'convs':>6}{'calls':>7}{'estimated $':>12}{'true $':>12}{'off':>8}"
        f"{'worst':>9}{'worst $':>9}{'of bill':>9}{'of':>6}{'signs':>8}{'clear':>8}{'of':>6}{'bills':>9}"
    )
    for group in lanes:
        of_group = [call for call in calls if call.group == group]
        print(line(group, of_group, accuracy_of(of_group)))
    print(line("all", calls, accuracy_of(calls)))
    print(
        f"{time.monotonic() - began:.0f} s\n"
        "off: of the sum. worst: of conversations with more than 5 calls, how far the estimate is from the true "
        "saving, as a share of it, in USD, and as a share of the bill\n"
        "signs: of all calls, those whose estimate has the sign of the true saving. clear: the same of conversations "
        "whose true saving is more than 1% of their bill\n"
        "bills: LiteLLM's and ours, furthest apart"
    )


if __name__ == "__main__":
    main()
