"""Finds the profile an incoming prompt belongs to without trying every module of every profile.

Lines vote: each distinctive line of each profile's literal text is indexed once; a few dozen lines sampled
from the incoming text are looked up. Only the profiles with the most votes are aligned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.recognise.aligner import Aligner
from litellm_prompt_router.request.types import Recognition

MIN_LINE_CHARS = 16
MAX_LINE_CHARS = 120
"""Longer lines are known by their head, so that text glued to their end doesn't hide them."""
HEAD_CHARS = 48
HEAD_LINES = 12
SAMPLES = 36
MAX_ALIGNED = 3
"""Profiles aligned for one text, most votes first."""
MIN_VOTES = 2
WELL_PLACED = 0.9
"""From this coverage on nobody asks how many lines are known beyond what was placed."""
NEARLY_WHOLE = 0.98
"""From this coverage on no other profile is looked for than those that the text's head and samples point at."""
PROBES = 8
PROBE_CHARS = 48
MEMO_ENTRIES = 512
"""Slow recognitions remembered. Entries hold span positions, no text."""


class Catalogue:
    """All profiles, indexed. Deterministic; remembers slow results, keyed by the text's hash."""

    def __init__(self, profiles: Sequence[Profile]) -> None:
        self.profiles = tuple(sorted(profiles, key=lambda profile: profile.name))
        self._aligners = {profile.name: Aligner(profile) for profile in self.profiles}
        self._by_line: dict[str, tuple[str, ...]] = {}
        self._lines = {profile.name: frozenset(_profile_lines(profile)) for profile in self.profiles}
        for profile in self.profiles:
            for line in self._lines[profile.name]:
                self._by_line[line] = (*self._by_line.get(line, ()), profile.name)
        self._probes = {profile.name: tuple(_profile_probes(profile)) for profile in self.profiles}
        self._by_head: dict[str, tuple[str, ...]] = {}
        for profile in self.profiles:
            head = profile.modules[0].parts[0]
            if isinstance(head, str) and len(head.strip()) >= HEAD_CHARS:
                start = head.strip()[:HEAD_CHARS]
                self._by_head[start] = (*self._by_head.get(start, ()), profile.name)
        self._memo: dict[tuple[int, int, str | None], Recognition | None] = {}
        register_memory(self, "prompts recognised", MEMO_ENTRIES, lambda it: len(it._memo))

    def recognise(self, text: str, *, only: str | None = None) -> Recognition | None:
        """The recognition with the highest coverage; None when no profile has anything in common with it.

        ``only`` names the one profile to consider. Raises KeyError when it is not in the catalogue.
        """
        if only is not None:
            self._aligners[only]
        if not text or text.isspace():  # ``strip`` would copy it
            return None
        for name in self._likely(text) if only is None else (only,):
            found = self._aligners[name].align_quickly(text)
            if found is not None:
                return found
        key = (hash(text), len(text), only)
        if key not in self._memo:
            if len(self._memo) >= MEMO_ENTRIES:
                self._memo.pop(next(iter(self._memo)), None)
            self._memo[key] = self._recognise_slowly(text, only)
        return self._memo[key]

    def _recognise_slowly(self, text: str, only: str | None) -> Recognition | None:
        likely = self._likely(text)[:MAX_ALIGNED] if only is None else (only,)
        aligned = {name: self._aligners[name].align(text) for name in likely}
        best = max(aligned.values(), key=lambda recognition: recognition.coverage, default=None)
        if best is not None and best.coverage >= NEARLY_WHOLE:
            return best
        names = likely if only is not None else self._candidates(text)
        found = [aligned.get(name) or self._aligners[name].align(text) for name in names]
        best = max(found, key=lambda recognition: recognition.coverage, default=None)
        if best is None or best.coverage >= WELL_PLACED:
            return best
        lines = {line.strip()[:MAX_LINE_CHARS] for line in text.splitlines()}
        measured = [replace(each, known_lines=self._known_lines(each.profile.name, lines)) for each in found]
        best = max(measured, key=lambda recognition: (recognition.coverage, recognition.known_lines))
        return best if best.coverage > 0 or best.known_lines > 0 else None

    def _known_lines(self, name: str, lines: set[str]) -> float:
        """The share of a profile's distinctive lines that are among ``lines``."""
        own = self._lines[name]
        return len(own & lines) / len(own) if own else 0.0

    def _likely(self, text: str) -> tuple[str, ...]:
        """Profiles that begin as the text does, else those whose lines are in it."""
        head = text[:HEAD_CHARS] if not text[:1].isspace() else text.lstrip()[:HEAD_CHARS]
        return self._by_head.get(head) or self._ranked(_sampled_lines(text))

    def _candidates(self, text: str) -> tuple[str, ...]:
        """The profiles to align, most promising first: by all lines, since samples may miss what sets them apart."""
        ranked = self._ranked(text.splitlines())
        if ranked:
            return ranked
        hits = {name: sum(probe in text for probe in probes) for name, probes in self._probes.items()}
        return tuple(sorted((n for n in hits if hits[n]), key=lambda n: (-hits[n], n))[:MAX_ALIGNED])

    def _ranked(self, lines: Iterable[str]) -> tuple[str, ...]:
        """Names by votes. A line that many profiles share weighs little."""
        votes: Counter[str] = Counter()
        weights: dict[str, float] = {}
        for line in lines:
            names = self._by_line.get(line.strip()[:MAX_LINE_CHARS], ())
            for name in names:
                votes[name] += 1
                weights[name] = weights.get(name, 0.0) + 1 / len(names)
        named = sorted((n for n in votes if votes[n] >= MIN_VOTES), key=lambda n: (-weights[n], n))
        return tuple(named[:MAX_ALIGNED])


def _literals(profile: Profile) -> Iterable[str]:
    return (part for module in profile.modules for part in module.parts if isinstance(part, str))


def _profile_lines(profile: Profile) -> Iterable[str]:
    for literal in _literals(profile):
        for line in literal.splitlines():
            stripped = line.strip()
            if len(stripped) >= MIN_LINE_CHARS:
                yield stripped[:MAX_LINE_CHARS]


def _profile_probes(profile: Profile) -> Iterable[str]:
    """Pieces from the middle of the longest literals, for prompts whose lines were all changed."""
    longest = sorted(_literals(profile), key=len, reverse=True)[:PROBES]
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
