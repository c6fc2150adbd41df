"""What a conversation has needed so far, with evidence and with when it was first needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.types import Evidence, EvidenceKind, LateModules

NAMED = frozenset({"trigger", "score", "model"})
"""What the message itself gives; with the next message it is inherited."""


class Need:
    """What one conversation has needed so far; lives as long as one decision."""

    def __init__(
        self, core: Mapping[int, Evidence], requires: Mapping[int, tuple[int, ...]], ids: tuple[str, ...]
    ) -> None:
        self._why = dict(core)
        self._core = core
        self._requires = requires
        self._ids = ids
        self._arrived: dict[int, list[int]] = {}
        self._named: set[int] = set()
        self.is_late = False
        self.is_started = False

    def copy(self) -> Need:
        """The same, to go on from twice."""
        twin = Need(self._core, self._requires, self._ids)
        twin._why = dict(self._why)
        twin._arrived = {at: [*modules] for at, modules in self._arrived.items()}
        twin._named = set(self._named)
        twin.is_late, twin.is_started = self.is_late, self.is_started
        return twin

    def bring(self, module: int, kind: EvidenceKind, detail: str, *, at: int) -> None:
        """A module and what it requires. Evidence of its own replaces evidence by requirement; lateness stays."""
        self.is_started = True
        self._add(module, kind, detail, at)
        for needed in self._requires[module]:
            if needed not in self._why:
                self._add(needed, "requires", self._ids[module], at)

    def bring_all(self, reason: str, *, at: int) -> bool:
        """Every module. True where one of them wasn't there."""
        return self.bring_base(range(len(self._ids)), reason, at=at)

    def bring_base(self, modules: Sequence[int], reason: str, *, at: int) -> bool:
        """Modules that nothing asked for, and what they require. True where one of them wasn't there."""
        self.is_started = True
        missing = [module for module in modules if module not in self._why]
        for module in missing:
            self._add(module, "fallback", reason, at)
        for module in missing:
            for needed in self._requires[module]:
                if needed not in self._why:
                    self._add(needed, "requires", self._ids[module], at)
        return bool(missing)

    @property
    def is_core_alone(self) -> bool:
        return len(self._why) == len(self._core)

    @property
    def is_all(self) -> bool:
        return len(self._why) == len(self._ids)

    def has(self, module: int) -> bool:
        return module in self._why

    def __iter__(self) -> Iterator[int]:
        return iter(self._why)

    def inherit(self) -> None:
        """A new user message: what earlier ones named is inherited now."""
        for module in self._named:
            self._why[module] = self._why[module]._replace(kind="inherited")
        self._named.clear()

    def selected(self) -> tuple[Evidence, ...]:
        return tuple([self._why[module] for module in sorted(self._why)])

    def arrivals(self) -> tuple[LateModules, ...]:
        return tuple(LateModules(at, tuple(sorted(modules))) for at, modules in sorted(self._arrived.items()))

    def _add(self, module: int, kind: EvidenceKind, detail: str, at: int) -> None:
        known = self._why.get(module)
        if known is None:
            self._why[module] = Evidence(self._ids[module], kind, detail, self.is_late)
            if self.is_late:
                self._arrived.setdefault(at, []).append(module)
        elif module not in self._core and (kind in NAMED or known.kind in ("requires", "fallback")):
            self._why[module] = Evidence(self._ids[module], kind, detail, known.late)
        if kind in NAMED and module not in self._core:
            self._named.add(module)


def core_evidence(profile: Profile, requires: Mapping[int, tuple[int, ...]]) -> dict[int, Evidence]:
    """Evidence of what every request gets: the ``always`` modules and what they require."""
    modules = profile.modules
    core = {n: Evidence(module.id, "always") for n, module in enumerate(modules) if module.always}
    for always in tuple(core):
        for needed in requires[always]:
            core.setdefault(needed, Evidence(modules[needed].id, "requires", modules[always].id))
    return core


def closure_of(module: int, profile: Profile) -> tuple[int, ...]:
    """All that a module requires, directly or not, in order of discovery."""
    seen: dict[int, None] = {}
    todo = [module]
    while todo:
        for name in profile.modules[todo.pop()].requires:
            needed = profile.order[name]
            if needed != module and needed not in seen:
                seen[needed] = None
                todo.append(needed)
    return tuple(seen)
