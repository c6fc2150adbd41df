"""The decision: state first, then words.

Walks the conversation once. The core is always there; a tool call brings the module that owns the tool; each
user message brings what its triggers name. A follow-up and small talk bring nothing of their own. A task that
names nothing known brings everything (fallback). What was brought stays, and where it was first needed is
known from the history alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hooks.data import Arrival, Evidence, EvidenceKind, MessageKind, RoutingDecision, Turn
from hooks.profile import Profile
from hooks.route.phrases import is_follow_up, is_small_talk
from hooks.route.words import TriggerIndex, capped, folded, words_of

MAX_READINGS = 8192
"""User messages remembered for each profile: as hashes and module numbers, no text."""
RESULT_ROLES = frozenset({"tool", "function"})


_Reading = tuple[MessageKind, Mapping[int, str], str | None]
"""``(kind, triggers by module, fallback reason)``"""


class Router:
    """One profile, prepared for routing. ``decide`` is a pure function of the conversation."""

    def __init__(self, profile: Profile) -> None:
        self._triggers = TriggerIndex((n, t) for n, module in enumerate(profile.modules) for t in module.triggers)
        self._owner_of_tool = {tool: n for n, module in enumerate(profile.modules) for tool in module.tools}
        self._requires = {n: _closure(n, profile) for n in range(len(profile.modules))}
        self._core = _core(profile, self._requires)
        self._ids = tuple(module.id for module in profile.modules)
        self._readings: dict[tuple[int, int, tuple[str, ...], bool], _Reading] = {}

    def decide(self, turns: Iterable[Turn], *, forgets: bool = False) -> RoutingDecision:
        """The modules this conversation needs by now, from its user messages and tool calls.

        ``forgets``: only what the latest task and the tool calls behind it need.
        """
        need = _Need(self._core, self._requires, self._ids)
        kind: MessageKind = "none"
        fallback: str | None = None
        query_chars = 0
        turns = tuple(turns)
        for at, turn in enumerate(turns):
            need.is_late = kind != "none"
            for tool in turn.tool_calls:
                if tool in self._owner_of_tool:
                    need.bring(self._owner_of_tool[tool], "tool_call", tool, at=_behind_results(turns, at))
            if turn.role != "user":
                continue
            need.inherit()
            kind, found, reason = self._read(turn, started=need.is_started)
            if forgets and kind != "follow_up":
                need = _Need(self._core, self._requires, self._ids)
                fallback = None
            query_chars = len(turn.text)
            for module, trigger in sorted(found.items()):
                need.bring(module, "trigger", trigger, at=at)
            if reason is not None:
                fallback = fallback or reason
                need.bring_all(reason, at=at)
        if kind == "none":
            fallback = "no user message"
            need.bring_all(fallback, at=len(turns) - 1)
        return RoutingDecision(
            selected=need.selected(),
            arrivals=need.arrivals(),
            message_kind=kind,
            is_fallback=fallback is not None,
            fallback_reason=fallback,
            query_chars=query_chars,
        )

    def _read(self, turn: Turn, *, started: bool) -> _Reading:
        """What one user message says; remembered by the message's hash, since every call sends them all again."""
        key = (hash(turn.text), len(turn.text), turn.attachments, started)
        known = self._readings.get(key)
        if known is None:
            if len(self._readings) >= MAX_READINGS:
                self._readings.pop(next(iter(self._readings)), None)
            known = self._readings[key] = self._read_anew(turn, started=started)
        return known

    def _read_anew(self, turn: Turn, *, started: bool) -> _Reading:
        read = capped(turn.text)
        text = folded(read)
        words = words_of(text)
        found = self._triggers.match(text, words, turn.attachments)
        if found:
            return "task", found, None
        if turn.attachments:
            return "task", {}, "attachment without a matching trigger"
        if not text.strip():
            return "follow_up", {}, None if started else "nothing to follow up on"
        if is_small_talk(read, text, words):
            return "small_talk", {}, None
        if is_follow_up(text, words):
            return "follow_up", {}, None if started else "nothing to follow up on"
        return "task", {}, "nothing known in the message"


class _Need:
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

    def bring(self, module: int, kind: EvidenceKind, detail: str, *, at: int) -> None:
        """A module and what it requires. Evidence of its own replaces evidence by requirement; lateness stays."""
        self.is_started = True
        self._add(module, kind, detail, at)
        for needed in self._requires[module]:
            if needed not in self._why:
                self._add(needed, "requires", self._ids[module], at)

    def bring_all(self, reason: str, *, at: int) -> None:
        self.is_started = True
        for module in range(len(self._ids)):
            if module not in self._why:
                self._add(module, "fallback", reason, at)

    def inherit(self) -> None:
        """A new user message: what earlier ones named is inherited now."""
        for module in self._named:
            self._why[module] = self._why[module]._replace(kind="inherited")
        self._named.clear()

    def selected(self) -> tuple[Evidence, ...]:
        return tuple([self._why[module] for module in sorted(self._why)])

    def arrivals(self) -> tuple[Arrival, ...]:
        return tuple(Arrival(at, tuple(sorted(modules))) for at, modules in sorted(self._arrived.items()))

    def _add(self, module: int, kind: EvidenceKind, detail: str, at: int) -> None:
        known = self._why.get(module)
        if known is None:
            self._why[module] = Evidence(self._ids[module], kind, detail, self.is_late)
            if self.is_late:
                self._arrived.setdefault(at, []).append(module)
        elif module not in self._core and (kind == "trigger" or known.kind in ("requires", "fallback")):
            self._why[module] = Evidence(self._ids[module], kind, detail, known.late)
        if kind == "trigger" and module not in self._core:
            self._named.add(module)


def _behind_results(turns: Sequence[Turn], call: int) -> int:
    """The last result of the tool calls in turn ``call``: parallel calls stay together with their results."""
    last = call
    while last + 1 < len(turns) and turns[last + 1].role in RESULT_ROLES:
        last += 1
    return last


def _core(profile: Profile, requires: Mapping[int, tuple[int, ...]]) -> dict[int, Evidence]:
    """Evidence of what every request gets: the ``always`` modules and what they require."""
    modules = profile.modules
    core = {n: Evidence(module.id, "always") for n, module in enumerate(modules) if module.always}
    for always in tuple(core):
        for needed in requires[always]:
            core.setdefault(needed, Evidence(modules[needed].id, "requires", modules[always].id))
    return core


def _closure(module: int, profile: Profile) -> tuple[int, ...]:
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
