"""Our model of a provider's cache against what the provider reported, call by call.

Blocks are sized as accounting sizes them: by what earlier calls measured, so that another tokenizer than ours is no
difference. A token is misplaced where the model has it in another bucket (uncached, read, written) than the provider.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from litellm_prompt_router.accounting.block_sizes import UNITS, BlockSizes
from litellm_prompt_router.analysis.rule_variants import RuleVariant, variants_of
from litellm_prompt_router.cache_model import Block, BreakpointPrefixes, PrefixCache, Rules, longest_lifetime_seconds
from litellm_prompt_router.cache_model.prefix_cache import prefix_hashes
from litellm_prompt_router.cache_model.prompt_blocks import Lifetime
from litellm_prompt_router.cache_model.rules import LIFETIME_SECONDS
from litellm_prompt_router.cache_model.usage import Usage
from litellm_prompt_router.files.cache_recording import CacheRecording, FingerprintedCall

CallClass = Literal["first", "within the lifetime", "after a pause"]
CLASSES: tuple[CallClass, ...] = ("first", "within the lifetime", "after a pause")
"""Nothing like it was sent before; a prefix of it was, and would still be cached; would be gone."""
TOLERANCE = 0.02
"""Misplaced tokens in all input, up to which the model is said to fit. Ours: what the net estimate promises."""
MIN_GAIN = 0.2
"""What of the misplaced tokens another rule has to explain before it is named. Ours."""


class ComparedCall(NamedTuple):
    """What was reported and what the model says of one call; the output is in neither."""

    call_class: CallClass
    reported: Usage
    modelled: Usage

    @property
    def misplaced_tokens(self) -> float:
        pairs = zip(_buckets(self.reported), _buckets(self.modelled), strict=True)
        return sum(abs(theirs - ours) for theirs, ours in pairs) / 2


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassTally:
    """Sums over the calls of one class, or over all."""

    name: str
    calls: int
    input_tokens: int
    reported_read_tokens: int
    modelled_read_tokens: int
    reported_written_tokens: int
    modelled_written_tokens: int
    misplaced_tokens: float
    read_more: int
    """Calls of which the provider read more than the model says, beyond the tolerance."""
    read_less: int

    @property
    def misplaced_share(self) -> float:
        return self.misplaced_tokens / self.input_tokens if self.input_tokens else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class BetterRule:
    """One rule changed, and what of the input would then be misplaced."""

    rule: str
    says: str
    misplaced_share: float


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheVerdict:
    """Whether the model fits. ``better`` is None where it does, or where no single rule explains much.

    Of a host that publishes no rules two bounds are assumed: there it fits as well where the reads lie between them.
    """

    total: ClassTally
    classes: tuple[ClassTally, ...]
    tolerance: float
    better: BetterRule | None
    alike: int = 0
    """Other rules that would explain as much."""
    least_read_tokens: int | None = None
    """What would be read by the lower bound; None where the rules are published."""

    @property
    def fits(self) -> bool:
        return self.total.misplaced_share <= self.tolerance or self.is_between_bounds

    @property
    def is_between_bounds(self) -> bool:
        if self.least_read_tokens is None:
            return False
        slack, total = self.tolerance * self.total.input_tokens, self.total
        return self.least_read_tokens - slack <= total.reported_read_tokens <= total.modelled_read_tokens + slack


def verify(
    recording: CacheRecording, rules: Rules, *, least: Rules | None = None, tolerance: float = TOLERANCE
) -> CacheVerdict:
    """The verdict on the rules that we go by for the recording's model; ``least``: the lower of two bounds."""
    compared = compare(recording.calls, rules)
    total = _tally("all", compared, tolerance)
    of_class = {name: [call for call in compared if call.call_class == name] for name in CLASSES}
    verdict = CacheVerdict(
        total=total,
        classes=tuple([_tally(name, calls, tolerance) for name, calls in of_class.items() if calls]),
        tolerance=tolerance,
        better=None,
        least_read_tokens=None
        if least is None
        else sum(call.modelled.cache_read_tokens for call in compare(recording.calls, least)),
    )
    if verdict.fits:
        return verdict
    better, alike = _better(recording.calls, rules, total)
    return replace(verdict, better=better, alike=alike)


def compare(
    calls: Sequence[FingerprintedCall], rules: Rules, lifetimes: Mapping[Lifetime, float] = LIFETIME_SECONDS
) -> list[ComparedCall]:
    """Every call in time order."""
    sizes, cache, seen = BlockSizes(), PrefixCache(rules, lifetimes=lifetimes), _SeenPrefixes(rules)
    compared: list[ComparedCall] = []
    for call in calls:
        sized, _ = sizes.sized((call.scope, ""), call.blocks, None, rules, call.usage)
        modelled = cache.account(
            sized,
            call.at_seconds,
            scope=call.scope,
            first_token_seconds=call.first_token_seconds or 0.0,
            scale=1 / UNITS,
        )
        compared.append(ComparedCall(seen.class_of(call, sized), call.usage, modelled))
    return compared


class _SeenPrefixes:
    """When each beginning of a call was last sent."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._sent_seconds: dict[int, float] = {}

    def class_of(self, call: FingerprintedCall, sized: Sequence[Block]) -> CallClass:
        tokens, latest = 0.0, None
        for digest, block in zip(prefix_hashes(call.blocks, call.scope)[1:], sized, strict=True):
            tokens += block.tokens / UNITS
            if digest in self._sent_seconds and tokens >= self._rules.min_tokens:
                latest = self._sent_seconds[digest]
            self._sent_seconds[digest] = call.at_seconds
        if latest is None:
            return "first"
        lifetime = longest_lifetime_seconds(self._rules, [block.mark for block in call.blocks])
        return "within the lifetime" if call.at_seconds - latest < lifetime else "after a pause"


def _better(calls: Sequence[FingerprintedCall], rules: Rules, total: ClassTally) -> tuple[BetterRule | None, int]:
    """The one rule that explains most of what is misplaced, and how many others explain as much."""
    marks = {block.mark for call in calls for block in call.blocks if block.mark is not None}
    if isinstance(rules, BreakpointPrefixes):
        marks.add("30m")
    found: list[tuple[float, RuleVariant]] = []
    for variant in variants_of(rules, marks):
        misplaced = sum(call.misplaced_tokens for call in compare(calls, variant.rules, variant.lifetimes))
        found.append((misplaced / total.input_tokens, variant))
    if not found:
        return None, 0
    share, variant = min(found, key=lambda one: one[0])
    if share > (1 - MIN_GAIN) * total.misplaced_share:
        return None, 0
    alike = {one.rule for other, one in found if other <= share * 1.01} - {variant.rule}
    return BetterRule(rule=variant.rule, says=variant.says, misplaced_share=share), len(alike)


def _tally(name: str, calls: Sequence[ComparedCall], tolerance: float) -> ClassTally:
    def beyond(call: ComparedCall, sign: int) -> bool:
        apart = sign * (call.reported.cache_read_tokens - call.modelled.cache_read_tokens)
        return apart > tolerance * call.reported.input_tokens

    return ClassTally(
        name=name,
        calls=len(calls),
        input_tokens=sum(call.reported.input_tokens for call in calls),
        reported_read_tokens=sum(call.reported.cache_read_tokens for call in calls),
        modelled_read_tokens=sum(call.modelled.cache_read_tokens for call in calls),
        reported_written_tokens=sum(call.reported.cache_write_tokens for call in calls),
        modelled_written_tokens=sum(call.modelled.cache_write_tokens for call in calls),
        misplaced_tokens=sum(call.misplaced_tokens for call in calls),
        read_more=sum(beyond(call, 1) for call in calls),
        read_less=sum(beyond(call, -1) for call in calls),
    )


def _buckets(usage: Usage) -> tuple[int, int, int, int]:
    return (
        usage.uncached_input_tokens,
        usage.cache_read_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
    )
