"""Where rules look prefixes up and where they write them, in numbers of blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from litellm_prompt_router.cache_model.prompt_blocks import Block
from litellm_prompt_router.cache_model.rules import (
    AutomaticPrefixes,
    BreakpointPrefixes,
    MarkedPrefixes,
    Rules,
    StoredPrefixes,
)


def looked_up_positions(
    rules: MarkedPrefixes, blocks: Sequence[Block], tokens: Sequence[int], mark: int
) -> Iterator[int]:
    """The prefixes that a lookback from ``mark`` tries, longest first, in numbers of blocks."""
    count, run = 0, None
    for end in range(mark, 0, -1):
        block = blocks[end - 1]
        if run is None or block.run != run or not rules.joins_tool_runs:
            count += 1
        run = block.run
        if count > rules.lookback_positions or tokens[end] < rules.min_tokens:
            return
        yield end


def breakpoint_places(rules: BreakpointPrefixes, blocks: Sequence[Block]) -> tuple[set[int], list[int]]:
    """``(looked up, written)``: prefixes in numbers of blocks, without regard to their size."""
    explicit = [end for end, block in enumerate(blocks, 1) if block.mark is not None]
    endings = [end for end, block in enumerate(blocks, 1) if block.is_ending]
    implicit = endings[-1:]
    developer = [end for end in endings if blocks[end - 1].section == "system"]
    slots = rules.max_writes - len(implicit)
    lookups = {
        *explicit[: rules.first_explicit],
        *explicit[-rules.latest_explicit :],
        *endings[-1 - rules.earlier_endings :],
        *developer,
    }
    return lookups, sorted({*implicit, *explicit[-slots:]})


def last_written(rules: Rules, blocks: Sequence[Block]) -> int:
    """The number of blocks that a call reads and writes, taken together; 0 where the rules don't say."""
    match rules:
        case MarkedPrefixes():
            return max((end for end, block in enumerate(blocks, 1) if block.mark is not None), default=0)
        case BreakpointPrefixes():
            return max(breakpoint_places(rules, blocks)[1], default=0)
        case AutomaticPrefixes() | StoredPrefixes():
            return 0
