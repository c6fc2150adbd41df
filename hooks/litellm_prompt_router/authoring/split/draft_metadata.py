"""Drafts each piece's entry in profile.yaml. A piece stays in the core unless something can select it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from litellm_prompt_router.authoring.split.piece_tools import tools_of
from litellm_prompt_router.authoring.split.pieces import PromptPiece
from litellm_prompt_router.authoring.split.references import Reference, references
from litellm_prompt_router.authoring.split.roles import is_about_output, is_about_tools, role_of
from litellm_prompt_router.authoring.split.titles import (
    MAX_SLUG_CHARS,
    WHOLE_PROMPT_SHARE,
    PieceTitles,
    inner_titles,
    name_piece,
    slug,
    unique,
)
from litellm_prompt_router.authoring.split.topics import triggers_of
from litellm_prompt_router.authoring.split.tree import Node

MIN_REFERRERS = 3
REFERRER_SHARE = 0.3
"""A piece that this share of the others refers to belongs to the core."""
CATALOGUE_TOOLS = 8
"""A piece that names more tools than this lists them rather than needing them."""
MIN_TRIGGERS = 2
MIN_BODY_TRIGGERS = 3
"""Triggers that a piece needs to be left out of the core; the larger number when none is in its title."""
COPY_SHARE = 0.9
"""A copy begins with this share of the earlier piece: other text may follow the copied text."""
COPIED = "says what an earlier module says, and goes where that one goes"
FEW_TRIGGERS = "doubt: too little in it tells which messages need it"
FEW_TRIGGERS_DOUBT = "in the core only because too little in it tells which messages need it"


@dataclass(slots=True)
class DraftedEntry:
    """The draft of one piece's metadata. ``reason``: why it is in the core; empty outside it."""

    naming: PieceTitles
    id: str = ""
    reason: str = ""
    requires: list[int] = field(default_factory=list)
    tools: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    doubts: list[str] = field(default_factory=list)

    @property
    def always(self) -> bool:
        return bool(self.reason)


def draft_metadata(
    text: str, root: Node, pieces: Sequence[PromptPiece], literals: Sequence[str], declared: Sequence[str]
) -> tuple[list[DraftedEntry], list[str]]:
    """An entry for each piece, and the declared tools that the prompt doesn't mention.

    ``literals``: the pieces' text without their slots.
    """
    entries = [DraftedEntry(name_piece(text, piece, n, len(text))) for n, piece in enumerate(pieces)]
    copies = _copies(literals)
    inside = [inner_titles(piece) if n not in copies else ([], []) for n, piece in enumerate(pieces)]
    titles = [
        [*entry.naming.own, *more] if n not in copies else []
        for n, (entry, (more, _)) in enumerate(zip(entries, inside, strict=True))
    ]
    originals = ["" if n in copies else literal for n, literal in enumerate(literals)]
    enclosing = [entry.naming.enclosing for entry in entries]
    owned, unmentioned = tools_of(originals, titles, [blocks for _, blocks in inside], enclosing, declared)
    for entry, names in zip(entries, owned, strict=True):
        entry.tools = tuple(names)
    heads = {**_continued_pieces(pieces, entries), **copies}
    for number, entry in enumerate(entries):
        role = role_of(entry.naming.headings, entry.naming.enclosing, literals[number], is_first=number == 0)
        has_tools = bool(entry.tools) and role != "safety" and number > 0
        if number in copies:
            entry.reason = entries[copies[number]].reason
            entry.doubts.append(COPIED)
        elif role is not None and (not has_tools or len(entry.naming.own) > 1):
            entry.reason = role
            if has_tools:
                entry.doubts.append(f"{role} and tools in one module, so in the core; cut it in two")
    headings = [
        [*(entry.naming.headings if number not in heads else ()), *inside[number][0], *inside[number][1]]
        for number, entry in enumerate(entries)
    ]
    wanted = [not entry.always and number not in copies for number, entry in enumerate(entries)]
    groups = [_outermost_section_start(piece, len(text)) for piece in pieces]
    for entry, triggers in zip(entries, triggers_of(originals, headings, owned, wanted, groups), strict=True):
        entry.triggers = triggers
    _keep_uncallable_in_core(entries, headings, heads, frozenset(declared))
    _require(entries, _references_between(root, pieces, originals, owned), heads)
    for copy, first in copies.items():
        entries[copy].reason = entries[first].reason
    for number, name in enumerate(unique(_id(entry) for entry in entries)):
        entries[number].id = name
    for entry in entries:
        if entry.always:
            entry.triggers, entry.requires = (), []
    return entries, unmentioned


def _copies(literals: Sequence[str]) -> dict[int, int]:
    """Pieces that repeat an earlier piece -> that piece: agents send some rules twice."""
    seen: list[tuple[str, int]] = []
    copies: dict[int, int] = {}
    for number, literal in enumerate(literals):
        text = literal.strip()
        first = next((n for earlier, n in seen if _is_copy(text, earlier)), None)
        if first is None:
            seen.append((text, number))
        else:
            copies[number] = first
    return copies


def _is_copy(text: str, earlier: str) -> bool:
    shorter, longer = sorted((text, earlier), key=len)
    return bool(text) and (text in earlier or shorter.startswith(longer[: int(COPY_SHARE * len(longer))]))


def _outermost_section_start(piece: PromptPiece, total_chars: int) -> int:
    """Where the outermost section that contains the piece begins; pieces of one section share a subject."""
    holders = [n for n in piece.nodes[0].ancestors() if n.title and n.chars <= WHOLE_PROMPT_SHARE * total_chars]
    return holders[-1].start if holders else piece.start


def _continued_pieces(pieces: Sequence[PromptPiece], entries: Sequence[DraftedEntry]) -> dict[int, int]:
    """Pieces that only continue a section -> the piece that the section begins in."""
    starts = {}
    for number, piece in enumerate(pieces):
        for node in piece.nodes:
            starts[node.start] = number
    heads: dict[int, int] = {}
    for number, piece in enumerate(pieces):
        naming = entries[number].naming
        if naming.own or not naming.enclosing:
            continue
        titled = next((node for node in piece.nodes[0].ancestors() if node.title), None)
        if titled is not None:
            head = max((n for start, n in starts.items() if start <= titled.start), default=number)
            if head < number:
                heads[number] = head
    return heads


def _keep_uncallable_in_core(
    entries: Sequence[DraftedEntry], headings: Sequence[Sequence[str]], heads: dict[int, int], declared: frozenset[str]
) -> None:
    """Puts into the core each piece that no declared tool and too few triggers can select.

    A tool counts only if requests declare it: otherwise the model knows of it from this text alone.
    """
    for number, entry in enumerate(entries):
        if entry.always:
            continue
        head = heads.get(number)
        if head is not None and not entries[head].always:
            continue
        if not declared.isdisjoint(entry.tools):
            continue
        in_title = slug(" ".join(headings[number]))
        named = [trigger for trigger in entry.triggers if trigger.rstrip("*") in in_title]
        if len(entry.triggers) >= (MIN_TRIGGERS if named or entry.tools else MIN_BODY_TRIGGERS):
            if not named and not entry.tools:
                entry.doubts.append("left out of the core by words of its text alone, not by its title")
            continue
        if head is not None and entries[head].reason and entries[head].reason != FEW_TRIGGERS:
            entry.reason = entries[head].reason
        else:
            entry.reason = FEW_TRIGGERS
            entry.doubts.append(FEW_TRIGGERS_DOUBT)


# References


def _references_between(
    root: Node, pieces: Sequence[PromptPiece], literals: Sequence[str], owned: Sequence[Sequence[str]]
) -> list[Reference]:
    starts = [piece.start for piece in pieces]
    sections: list[tuple[str, int]] = []
    tags: dict[str, int | None] = {}
    for node in root.walk():
        if not node.title:
            continue
        number = max(n for n, start in enumerate(starts) if start <= node.start or n == 0)
        sections.append((node.title, number))
        if node.kind == "tag":
            tags[node.title] = number if node.title not in tags else None
    once = {name: number for name, number in tags.items() if number is not None}
    return references(literals, sections, once, owned)


def _require(entries: Sequence[DraftedEntry], found: Sequence[Reference], heads: dict[int, int]) -> None:
    """Turns references into requirements; what the core or many others refer to joins the core."""
    listed: dict[int, int] = defaultdict(int)
    for reference in found:
        listed[reference.source] += reference.kind == "tool"
    dependencies = [r for r in found if r.kind != "tool" or listed[r.source] <= CATALOGUE_TOOLS]
    _promote(entries, dependencies)
    edges: dict[tuple[int, int], tuple[bool, str]] = {}
    for source, target, kind, what in dependencies:
        if not entries[source].always and not entries[target].always:
            is_firm = kind in ("section", "tag")
            firm, first_what = edges.get((source, target), (False, what))
            edges[source, target] = (firm or is_firm, first_what)
    for part, head in heads.items():
        if not entries[part].always and not entries[head].always:
            edges[head, part] = (True, "its continuation")
            edges.pop((part, head), None)
    _break_cycles(entries, edges)
    _promote(entries, dependencies)
    for source, target in sorted(edges):
        if not entries[source].always and not entries[target].always:
            entries[source].requires.append(target)


def _promote(entries: Sequence[DraftedEntry], found: Sequence[Reference]) -> None:
    optional = sum(not entry.always for entry in entries)
    referrers: dict[int, set[int]] = defaultdict(set)
    for reference in found:
        if not entries[reference.source].always:
            referrers[reference.target].add(reference.source)
    for target, sources in referrers.items():
        if not entries[target].always and len(sources) >= max(MIN_REFERRERS, REFERRER_SHARE * optional):
            entries[target].reason = f"{len(sources)} other modules refer to it"
    changed = True
    while changed:
        changed = False
        for source, target, kind, what in found:
            is_stated = kind in ("section", "tag") or (kind == "term" and not what.isupper())
            entry = entries[target]
            if is_stated and entries[source].always and entry.reason in ("", FEW_TRIGGERS):
                entry.reason = f"the core refers to it ({what})"
                entry.doubts = [doubt for doubt in entry.doubts if doubt != FEW_TRIGGERS_DOUBT]
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
            entries[number].reason = "refers to modules that refer to it"
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


def _id(entry: DraftedEntry) -> str:
    naming = entry.naming
    path = (*naming.own, *naming.enclosing)
    if entry.reason == "identity":
        folder = "core"
    elif entry.tools or is_about_tools(path):
        folder = "tools"
    elif entry.reason == "output format" or (not entry.always and is_about_output(naming.headings)):
        folder = "response"
    elif entry.always:
        folder = "core"
    else:
        folder = slug(naming.enclosing[0])[:24].strip("_") if naming.enclosing else ""
        folder = folder if folder not in ("", "core", "response", "tools") else "topics"
    section = slug(naming.enclosing[-1]) if naming.enclosing and not naming.own else ""
    label = slug(naming.label)
    if section and section[:24].strip("_") != folder:
        label = f"{section[: MAX_SLUG_CHARS - 16].strip('_')}_{label}"
    return f"{folder}/{slug(label) or 'part'}"
