"""Finds the profile an incoming prompt belongs to without trying every profile.

A text that begins as profiles do is compared with those. Else lines vote: a few dozen sampled ones, then all of them,
and where no line is known, pieces of the longest literals. At most three profiles are placed for the samples and three
for the rest, those left out that can't cover as much of the text as another does. What a prompt costs is bounded by
that, not by how many profiles there are. The index of 1,000 profiles of 65,000 characters takes 40 MB beside a copy of
their texts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.recognise.aligner import Aligner
from litellm_prompt_router.request.recognise.head_index import MAX_UNFILTERED, HeadIndex
from litellm_prompt_router.request.recognise.line_index import MAX_LINE_CHARS, LineIndex, line_hashes, profile_literals
from litellm_prompt_router.request.recognise.searched_prompt import SearchedPrompt
from litellm_prompt_router.request.recognise.window_hashes import PieceIndex
from litellm_prompt_router.request.types import Recognition

HEAD_LINES = 12
SAMPLES = 36
MAX_ALIGNED = 3
"""Profiles aligned for one text, most votes first."""
WELL_PLACED = 0.9
"""From this coverage on nobody asks how many lines are known beyond what was placed."""
NEARLY_WHOLE = 0.98
"""From this coverage on no other profile is looked for than those that the text's head and samples point at."""
MIN_BOUNDED_CHARS = 3_000
"""In a shorter text modules are placed without asking first what they can cover at most."""
PROBES = 8
PROBE_CHARS = 48
MEMO_ENTRIES = 512
"""Slow recognitions remembered. Entries hold span positions, no text."""


class Catalogue:
    """All profiles, indexed. Deterministic; remembers slow results, keyed by the text's hash."""

    def __init__(self, profiles: Sequence[Profile]) -> None:
        self.profiles = tuple(sorted(profiles, key=lambda profile: profile.name))
        self._numbers = {profile.name: number for number, profile in enumerate(self.profiles)}
        self._aligners = tuple(Aligner(profile) for profile in self.profiles)
        self._lines = LineIndex(self.profiles)
        self._heads = HeadIndex(self.profiles, [aligner.run_texts for aligner in self._aligners])
        self._probes = PieceIndex(
            ((number, probe) for number, profile in enumerate(self.profiles) for probe in _probes_of(profile)),
            PROBE_CHARS,
        )
        self._memo: dict[tuple[int, int, str | None], Recognition | None] = {}
        register_memory(self, "prompts recognised", MEMO_ENTRIES, lambda it: len(it._memo))

    def recognise(self, text: str, *, only: str | None = None) -> Recognition | None:
        """The recognition with the highest coverage; None when no profile has anything in common with it.

        ``only`` names the one profile to consider. Raises KeyError when it is not in the catalogue.
        """
        if only is not None:
            self._numbers[only]
        if not text or text.isspace():  # ``strip`` would copy it
            return None
        prompt = SearchedPrompt(text)
        alike = self._heads.beginning_as(text) if only is None else (self._numbers[only],)
        if not alike and _memo_key(text, only) in self._memo:
            return self._memo[_memo_key(text, only)]
        likely = alike or self._lines.ranked(line_hashes(_sampled_lines(text)))
        tried: Sequence[int] = likely
        if only is None and len(alike) > MAX_UNFILTERED:
            if _memo_key(text, only) in self._memo:
                return self._memo[_memo_key(text, only)]
            tried = self._heads.may_be_whole(text, lambda: prompt.lines)
        for number in tried:
            found = self._aligners[number].align_quickly(text)
            if found is not None:
                return found
        key = _memo_key(text, only)
        if key not in self._memo:
            recognition = self._recognise_slowly(prompt, likely[:MAX_ALIGNED], is_pinned=only is not None)
            if len(self._memo) >= MEMO_ENTRIES:
                self._memo.pop(next(iter(self._memo)), None)
            self._memo[key] = recognition
        return self._memo[key]

    def _recognise_slowly(
        self, prompt: SearchedPrompt, likely: tuple[int, ...], *, is_pinned: bool
    ) -> Recognition | None:
        aligned = self._aligned(prompt, likely, {}, NEARLY_WHOLE)
        best = max(aligned.values(), key=lambda recognition: recognition.coverage, default=None)
        if best is not None and best.coverage >= NEARLY_WHOLE:
            return best
        numbers = likely if is_pinned else self._candidates(prompt)
        found = self._aligned(prompt, numbers, aligned)
        best = max(found.values(), key=lambda recognition: recognition.coverage, default=None)
        if best is None or best.coverage >= WELL_PLACED:
            return best
        lines = prompt.distinct_lines
        measured = [replace(each, known_lines=self._lines.known_share(n, lines)) for n, each in found.items()]
        best = max(measured, key=lambda recognition: (recognition.coverage, recognition.known_lines))
        return best if best.coverage > 0 or best.known_lines > 0 else None

    def _aligned(
        self, prompt: SearchedPrompt, numbers: Sequence[int], known: Mapping[int, Recognition], least: float = 0.0
    ) -> dict[int, Recognition]:
        """The recognition of each profile, in this order, without those that can't cover as much as another does.

        Without those, too, that can't cover the ``least`` that matters.
        """
        aligners = {number: self._aligners[number] for number in numbers}
        prompt.expect(tuple(aligners.values()))
        most = dict.fromkeys(numbers, 1.0)
        if len(numbers) > 1 and len(prompt.text) >= MIN_BOUNDED_CHARS:
            most = {number: 1.0 if number in known else aligners[number].most_coverage(prompt) for number in numbers}
        found: dict[int, Recognition] = {}
        best = least
        for number in sorted(numbers, key=lambda number: -most[number]):
            if most[number] >= best:
                found[number] = known.get(number) or aligners[number].align(prompt)
                best = max(best, found[number].coverage)
        return {number: found[number] for number in numbers if number in found}

    def _candidates(self, prompt: SearchedPrompt) -> tuple[int, ...]:
        """The profiles to align, most promising first: by all lines, since samples may miss what sets them apart."""
        ranked = self._lines.ranked(prompt.lines)
        if ranked:
            return ranked
        hits = Counter(self._probes.owners_in(prompt.text))
        return tuple(sorted(hits, key=lambda number: (-hits[number], number))[:MAX_ALIGNED])


def _memo_key(text: str, only: str | None) -> tuple[int, int, str | None]:
    return hash(text), len(text), only


def _probes_of(profile: Profile) -> Iterable[str]:
    """Pieces from the middle of the longest literals, for prompts whose lines were all changed."""
    longest = sorted(profile_literals(profile), key=len, reverse=True)[:PROBES]
    for literal in longest:
        if len(literal) >= PROBE_CHARS:
            middle = (len(literal) - PROBE_CHARS) // 2
            yield literal[middle : middle + PROBE_CHARS]


def _sampled_lines(text: str) -> Iterable[str]:
    """The first lines, then whole lines at even distances."""
    at = 0
    for _ in range(HEAD_LINES):
        stop = text.find("\n", at)
        if stop < 0:
            yield text[at : at + 2 * MAX_LINE_CHARS]
            return
        yield text[at : min(stop, at + 2 * MAX_LINE_CHARS)]
        at = stop + 1
    stride = max(1, (len(text) - at) // SAMPLES)
    for position in range(at, len(text), stride):
        start = text.find("\n", position) + 1
        if start == 0:
            return
        stop = text.find("\n", start)
        yield text[start : min(stop, start + 2 * MAX_LINE_CHARS) if stop >= 0 else start + 2 * MAX_LINE_CHARS]
