"""References between pieces turned into requirements, without circles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from litellm_prompt_router.authoring.split.drafted_entry import DraftedEntry
from litellm_prompt_router.authoring.split.references import Reference

MIN_REFERRERS = 3
REFERRER_SHARE = 0.3
"""A piece that this share of the others refers to belongs to the core."""
CATALOGUE_TOOLS = 8
"""A piece that names more tools than this lists them rather than needing them."""


def require(entries: Sequence[DraftedEntry], found: Sequence[Reference], heads: dict[int, int]) -> None:
    """Turns references into requirements; what many others refer to is essential.

    What the core firmly refers to joins it, because a request gets all that its modules require.
    """
    listed: dict[int, int] = defaultdict(int)
    for reference in found:
        listed[reference.source] += reference.kind == "tool"
    dependencies = [r for r in found if r.kind != "tool" or listed[r.source] <= CATALOGUE_TOOLS]
    _promote(entries, dependencies)
    edges: dict[tuple[int, int], tuple[bool, str]] = {}
    for source, target, kind, what in dependencies:
        if not entries[source].essential and not entries[target].essential:
            is_firm = kind in ("section", "tag")
            firm, first_what = edges.get((source, target), (False, what))
            edges[source, target] = (firm or is_firm, first_what)
    for part, head in heads.items():
        if not entries[part].essential and not entries[head].essential:
            edges[head, part] = (True, "its continuation")
            edges.pop((part, head), None)
    _break_cycles(entries, edges)
    _promote(entries, dependencies)
    changed = True
    while changed:
        changed = False
        for (source, target), (is_firm, what) in edges.items():
            if is_firm and entries[source].always and not entries[target].always:
                entries[target].unproven = f"the core refers to it ({what})"
                changed = True
    for source, target in sorted(edges):
        may_require = entries[target].always or not entries[source].always
        if may_require and not entries[source].essential and not entries[target].essential:
            entries[source].requires.append(target)


def _promote(entries: Sequence[DraftedEntry], found: Sequence[Reference]) -> None:
    routable = sum(not entry.essential for entry in entries)
    referrers: dict[int, set[int]] = defaultdict(set)
    for reference in found:
        if not entries[reference.source].essential:
            referrers[reference.target].add(reference.source)
    for target, sources in referrers.items():
        if not entries[target].essential and len(sources) >= max(MIN_REFERRERS, REFERRER_SHARE * routable):
            entries[target].essential = f"{len(sources)} other modules refer to it"
    changed = True
    while changed:
        changed = False
        for source, target, kind, what in found:
            is_stated = kind in ("section", "tag") or (kind == "term" and not what.isupper())
            if is_stated and entries[source].essential and not entries[target].essential:
                entries[target].essential = f"the core refers to it ({what})"
                changed = True


def _break_cycles(entries: Sequence[DraftedEntry], edges: dict[tuple[int, int], tuple[bool, str]]) -> None:
    """Removes circles of requirements: mere mentions go, modules that firmly require each other join the core."""
    while cycle := _cycle(edges):
        pairs = list(zip(cycle, [*cycle[1:], cycle[0]], strict=True))
        loose = [pair for pair in pairs if not edges[pair][0]]
        if loose:
            source, target = max(loose)
            _, what = edges.pop((source, target))
            entries[source].doubts.append(f"mentions {what!r}, which needs this module too: only that way is required")
            continue
        for number in cycle:
            entries[number].essential = "refers to modules that refer to it"
        for pair in [pair for pair in edges if set(pair) & set(cycle)]:
            del edges[pair]


def _cycle(edges: Iterable[tuple[int, int]]) -> list[int]:
    """Some cycle of the graph, in order; empty when there is none."""
    following: dict[int, list[int]] = defaultdict(list)
    for source, target in sorted(edges):
        following[source].append(target)
    done: set[int] = set()
    for first in sorted(following):
        path: list[int] = []
        on_path: set[int] = set()
        stack: list[tuple[int, bool]] = [(first, True)]
        while stack:
            node, enters = stack.pop()
            if not enters:
                path.pop()
                on_path.discard(node)
                done.add(node)
                continue
            if node in on_path:
                return path[path.index(node) :]
            if node in done:
                continue
            path.append(node)
            on_path.add(node)
            stack.append((node, False))
            stack.extend((target, True) for target in reversed(following[node]))
    return []
