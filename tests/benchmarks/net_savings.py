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
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path

SHARES = {"claude": 36, "claude-mid": 24, "gpt": 24, "gpt-new": 16}
"""Conversations of each group, in percent."""
HOSTS = (
    *("azure", "azure-new", "azure-claude", "bedrock", "bedrock-mid", "bedrock-invoke", "deepseek", "deepseek-pro"),
    *("kimi", "qwen-marks", "gemini", "gemini-flash", "grok", "mistral", "qwen", "glm"),
)
"""With ``--hosts``: the other hosts that are modelled, equal shares. The last six publish no rules."""
UNMARKED = ("gemini", "gemini-flash", "qwen")


def main() -> None:
    """Prints one line a group and one for all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=500)
    parser.add_argument("--own-tokens", nargs="?", const="lines", choices=("lines", "words", "chars", "mixed"))
    parser.add_argument("--hosts", action="store_true", help="the other modelled hosts")
    parser.add_argument(
        "--lasting", action="store_true", help="who publishes no rules keeps entries for two hours, to the token"
    )
    given = parser.parse_args()
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    shares = dict.fromkeys(HOSTS, 100 / len(HOSTS)) if given.hosts else SHARES
    asyncio.run(_report(given.conversations, given.own_tokens, shares, is_lasting=given.lasting))


async def _report(conversations: int, own_tokens: str | None, shares: Mapping[str, float], *, is_lasting: bool) -> None:
    from tests.accounting.comparing import Accuracy, Compared, accuracy_of, compared
    from tests.accounting.counting import WAYS
    from tests.analysis.recordings import recorded
    from tests.emulators.caching import EmulatedCache
    from tests.emulators.provider_rules import lasting
    from tests.emulators.providers import ACCOUNTED_GROUPS, model_list

    began = time.monotonic()
    lanes = {
        group: recorded(group, int(conversations * share // 100), group, is_marked=group not in UNMARKED)
        for group, share in shares.items()
    }
    caching = EmulatedCache(
        count_tokens=WAYS[own_tokens] if own_tokens else None,
        rules=lasting if is_lasting else (lambda documented: documented),
    )
    with tempfile.TemporaryDirectory() as folder:
        settings = {"cost_gate": False} if shares is not SHARES else {}  # many hosts' savings are near nothing
        models = partial(model_list, groups=ACCOUNTED_GROUPS)
        calls = await compared(Path(folder), lanes, caching=caching, models=models, settings=settings)

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
