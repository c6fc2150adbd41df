"""Topics: modules that stand in several places of the prompt and are one thing to route.

Modules that require each other, directly or not, come and go together. The first of them in the prompt stands for all.
"""

from __future__ import annotations

from collections.abc import Sequence

from litellm_prompt_router.profile.profile import Module


def topics_of(modules: Sequence[Module]) -> tuple[int, ...]:
    """By module, the first piece of its topic; of a module that is no piece of anything, itself."""
    order = {module.id: number for number, module in enumerate(modules)}
    reached = [_reached(number, modules, order) for number in range(len(modules))]
    return tuple(min(other for other in reached[number] if number in reached[other]) for number in range(len(modules)))


def pieces_of_topics(modules: Sequence[Module]) -> dict[int, tuple[int, ...]]:
    """The pieces of each topic, in prompt order, by the first of them."""
    pieces: dict[int, list[int]] = {}
    for number, first in enumerate(topics_of(modules)):
        pieces.setdefault(first, []).append(number)
    return {first: tuple(numbers) for first, numbers in pieces.items()}


def topic_names(modules: Sequence[Module]) -> dict[str, str]:
    """By module id, the id that its topic goes by in labels, tables and lists."""
    return {module.id: modules[first].id for module, first in zip(modules, topics_of(modules), strict=True)}


def _reached(start: int, modules: Sequence[Module], order: dict[str, int]) -> set[int]:
    """A module and all that it requires, directly or not."""
    found: set[int] = set()
    todo = [start]
    while todo:
        for name in modules[todo.pop()].requires:
            needed = order.get(name)
            if needed is not None and needed not in found:
                found.add(needed)
                todo.append(needed)
    return found | {start}
