"""Compositions and breakpoints that were planned before, for prompts that differ in nothing that these depend on.

A composition depends on where the prompt's spans are, which ``Recognition`` shares among prompts, on the texts of
those that aren't a module's own, and on what was selected; breakpoints on that, the target, and where the history's
moving end is. Only prompts of one block without any mark or injection point are remembered: nearly all. The others
are planned anew. What is remembered has no text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.request.breakpoints import plan_breakpoints, planned_history_ends
from litellm_prompt_router.request.compose import compose
from litellm_prompt_router.request.types import Breakpoints, Composition, LateModules, Recognition, Request, Target

MAX_PLANS = 512
"""Of either kind."""


class _Selection(NamedTuple):
    """What a prompt with these spans is composed of, whatever it says where it varies."""

    recognition: Recognition
    modules: frozenset[int]
    arrivals: tuple[LateModules, ...]
    grows: bool


class _Planned(NamedTuple):
    """What breakpoints go by; ``places`` are those of the history's moving end. By identity where that is quicker."""

    composition: int
    target: int
    has_late: bool
    late_tokens: int
    places: tuple[int, ...]


class RememberedPlans:
    """One configuration's plans. The oldest of ``MAX_PLANS`` goes first."""

    def __init__(self, count_tokens: Callable[[str], int], *, adds_marks: bool) -> None:
        self._count_tokens = count_tokens
        self._adds_marks = adds_marks
        self._compositions: dict[tuple[_Selection, tuple[int, ...]], Composition] = {}
        self._breakpoints: dict[_Planned, tuple[Composition, Target, Breakpoints]] = {}
        register_memory(self, "prompts composed", MAX_PLANS, lambda it: len(it._compositions))
        register_memory(self, "breakpoints planned", MAX_PLANS, lambda it: len(it._breakpoints))

    def composition(
        self,
        request: Request,
        recognition: Recognition,
        modules: frozenset[int],
        arrivals: tuple[LateModules, ...],
        *,
        grows: bool,
    ) -> Composition:
        """What ``compose`` gives. ``recognition`` as it was recognised where the prompt is of one block."""
        if len(request.system) != 1:
            return compose(request, recognition, modules, self._count_tokens, arrivals=arrivals, grows=grows)
        text = request.system[0].text
        varying = tuple([hash(text[span.start : span.end]) for span in recognition.spans if span.kind != "module"])
        key = (_Selection(recognition, modules, arrivals, grows), varying)
        known = self._compositions.get(key)
        if known is None:
            known = compose(request, recognition, modules, self._count_tokens, arrivals=arrivals, grows=grows)
            if len(self._compositions) >= MAX_PLANS:
                self._compositions.pop(next(iter(self._compositions)), None)
            self._compositions[key] = known
        return known

    def breakpoints(
        self, request: Request, recognition: Recognition, base: Composition, placed: Composition, target: Target
    ) -> Breakpoints:
        """What ``plan_breakpoints`` gives for ``placed``, which is ``base`` with its late modules in their places."""
        if not _is_plain(request, target):
            return plan_breakpoints(request, recognition, placed, target, adds_marks=self._adds_marks)
        places = planned_history_ends(request, placed, target) if self._adds_marks else ()
        key = _Planned(id(base), id(target), bool(placed.late), placed.late_tokens, places)
        known = self._breakpoints.get(key)
        if known is not None and known[0] is base and known[1] is target:
            return known[2]
        planned = plan_breakpoints(request, recognition, placed, target, adds_marks=self._adds_marks)
        if len(self._breakpoints) >= MAX_PLANS:
            self._breakpoints.pop(next(iter(self._breakpoints)), None)
        self._breakpoints[key] = (base, target, planned)
        return planned


def _is_plain(request: Request, target: Target) -> bool:
    """True where no mark and no point of anybody's but ours has to be thought of."""
    return not (
        len(request.system) != 1
        or request.system[0].mark is not None
        or request.marks_before
        or request.marks_after
        or request.states_points
        or target.injection_points
        or target.auto_points
    )
