"""A profile checked against real prompts: how much of them it covers, and what varies though it is declared fixed.

A slot whose value changes between calls makes every call's prefix new to the provider's cache: ``volatile`` puts
it last. Module and slot names, lines and sizes are reported, never text.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from litellm_prompt_router.profile.profile import Profile, Slot
from litellm_prompt_router.request.recognise import Catalogue
from litellm_prompt_router.request.types import Recognition

DEFAULT_FLOOR = 0.6
NEAR_LINES = 0.5
NEAR_COVERAGE = 0.2
"""Shares of lines known and of text covered; a prompt below both is another agent's."""
MIN_RESIDUE_CHARS = 16
MIN_CONVERSATIONS = 3
MAX_LISTED = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptSample:
    """One system prompt as it was sent. ``where``: the file and line; ``conversation`` None: unknown."""

    text: str
    where: str
    conversation: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleReport:
    """Samples against one profile. ``others``: those that are another agent's."""

    samples: int
    versions: int
    others: int
    mean_coverage: float
    least_coverage: float
    residue_chars: int
    """The most in one sample."""
    absent_modules: dict[str, int]
    """In how many samples each module is edited or missing."""
    errors: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(slots=True)
class _ObservedValues:
    """The values of a slot, or of unknown text behind one module, over the samples. Values are kept as hashes."""

    values: set[int] = field(default_factory=set)
    steps: int = 0
    changes: int = 0
    latest: dict[str, int] = field(default_factory=dict)
    seen: int = 0

    def add(self, value: str, conversation: str | None) -> None:
        key = hash(value)
        self.seen += 1
        self.values.add(key)
        if conversation is not None:
            if conversation in self.latest:
                self.steps += 1
                self.changes += self.latest[conversation] != key
            self.latest[conversation] = key


def check_samples(
    profile: Profile, catalogue: Catalogue, samples: Sequence[PromptSample], floor: float
) -> SampleReport:
    """The report of these samples, in the order they were sent. ``floor``: below it the proxy passes them through."""
    floor = floor if profile.coverage_floor is None else profile.coverage_floor
    recognitions = {text: catalogue.recognise(text, only=profile.name) for text in {s.text for s in samples}}
    near = [(s, found) for s in samples if (found := recognitions[s.text]) is not None and _is_near(found)]
    absent: Counter[str] = Counter()
    slots: dict[str, _ObservedValues] = defaultdict(_ObservedValues)
    residues: dict[str, _ObservedValues] = defaultdict(_ObservedValues)
    most = 0
    low: dict[str, str] = {}
    for sample, found in near:
        placed = {span.module for span in found.spans}
        absent.update(module.id for n, module in enumerate(profile.modules) if n not in placed)
        most = max(most, _record_sample(profile, sample, found, slots, residues))
        if found.coverage < floor:
            low.setdefault(sample.text, f"{sample.where}: {_below(profile, found, floor)}")
    errors = list(low.values())
    if not near:
        errors.append(f"{profile.name}: none of the {len(samples)} samples is its prompt; see `prompt-router learn`")
    coverages = [found.coverage for _, found in near]
    return SampleReport(
        samples=len(near),
        versions=len({sample.text for sample, _ in near}),
        others=len(samples) - len(near),
        mean_coverage=sum(coverages) / len(coverages) if coverages else 0.0,
        least_coverage=min(coverages, default=0.0),
        residue_chars=most,
        absent_modules=dict(sorted(absent.items(), key=lambda item: profile.order[item[0]])),
        errors=tuple(errors),
        warnings=tuple(_warnings(profile, len(near), absent, slots, residues)),
    )


def _is_near(found: Recognition) -> bool:
    return found.coverage >= NEAR_COVERAGE or NEAR_LINES <= found.known_lines < 1


def _below(profile: Profile, found: Recognition, floor: float) -> str:
    return (
        f"{profile.name} covers {found.coverage:.1%} of it, less than its floor of {floor:.0%}, so it passes through;"
        " see `prompt-router diff`"
    )


def _record_sample(
    profile: Profile,
    sample: PromptSample,
    found: Recognition,
    slots: dict[str, _ObservedValues],
    residues: dict[str, _ObservedValues],
) -> int:
    """Adds one sample's slot values and unknown text to the counts; returns the characters of unknown text."""
    unknown: dict[str, str] = defaultdict(str)
    values: dict[str, str] = {}
    behind, chars = "(the start)", 0
    for span in found.spans:
        text = sample.text[span.start : span.end]
        if span.kind == "residue":
            chars += len(text)
            unknown[behind] += text
        else:
            behind = profile.modules[span.module].id
            if span.slot is not None:
                values.setdefault(span.slot.name, text.strip())
    for name, value in values.items():
        slots[name].add(value, sample.conversation)
    for where, text in unknown.items():
        if len(text.strip()) >= MIN_RESIDUE_CHARS:
            residues[where].add(text.strip(), sample.conversation)
    return chars


def _warnings(
    profile: Profile,
    samples: int,
    absent: Counter[str],
    slots: dict[str, _ObservedValues],
    residues: dict[str, _ObservedValues],
) -> Iterable[str]:
    fixed = {p.name for m in profile.modules for p in m.parts if isinstance(p, Slot) and not p.volatile}
    for name in sorted(fixed & slots.keys()):
        how = _how_it_varied(slots[name])
        if how is not None:
            move = "say `volatile: true`, so that it goes last"
            if not _stands_alone(profile, name):
                move = "make its whole sentence or block the slot and say `volatile: true`, so that both go last"
            yield f"{profile.name}: slots: {name}: {how}; {move}"
    for behind, seen in sorted(residues.items(), key=lambda item: profile.order.get(item[0], -1)):
        how = _how_it_varied(seen)
        where = f"{profile.name}: unknown text behind {behind}"
        if how is not None:
            yield f"{where} varies: {how}; make it a volatile slot"
        else:
            yield f"{where} in {seen.seen} of {samples} samples; see `prompt-router diff`"
    if absent:
        listed = [f"{id} ({count})" for id, count in absent.most_common(MAX_LISTED)]
        more = f" and {len(absent) - MAX_LISTED} more" if len(absent) > MAX_LISTED else ""
        which = ", ".join(listed) + more
        yield f"{profile.name}: not in all of {samples} samples as they are: {which}; see `prompt-router diff`"


def _stands_alone(profile: Profile, name: str) -> bool:
    """True for a slot that is whole lines wherever it stands, and more than a bare value."""
    for module in profile.modules:
        for number, part in enumerate(module.parts):
            if isinstance(part, Slot) and part.name == name:
                before = "".join(p for p in module.parts[max(0, number - 1) : number] if isinstance(p, str))
                after = "".join(p for p in module.parts[number + 1 : number + 2] if isinstance(p, str))
                is_whole = before[-1:] in ("", "\r", "\n") and after[:1] in ("", "\r", "\n")
                if not is_whole or len(part.sample.split()) < 2:
                    return False
    return True


def _how_it_varied(seen: _ObservedValues) -> str | None:
    """What to say of a value that changed from call to call, or from conversation to conversation; else None."""
    if seen.changes:
        return f"changed in {seen.changes} of {seen.steps} steps from call to call"
    conversations = len(seen.latest)
    if conversations >= MIN_CONVERSATIONS and 2 * len(seen.values) > conversations:
        return f"had {len(seen.values)} values in {conversations} conversations"
    if not conversations and seen.seen > 1 and len(seen.values) == seen.seen:
        return f"was another in each of {seen.seen} samples"
    return None
