"""Drafts each piece's entry in profile.yaml: in the core, unless requests declare its tools and it says no more.

What is in the core is there for good (identity, environment, rules and so on), or until labelled messages show who
needs it.
"""

from __future__ import annotations

from collections.abc import Sequence

from litellm_prompt_router.authoring.split.drafted_entry import DraftedEntry
from litellm_prompt_router.authoring.split.essential_text import first_essential, unrelated_sentence
from litellm_prompt_router.authoring.split.piece_tools import foreign_title, listed_tools, tools_of
from litellm_prompt_router.authoring.split.pieces import PromptPiece
from litellm_prompt_router.authoring.split.references import Reference, references
from litellm_prompt_router.authoring.split.requirements import require
from litellm_prompt_router.authoring.split.roles import is_about_output, is_about_tools, names_essentials, role_of
from litellm_prompt_router.authoring.split.titles import (
    MAX_SLUG_CHARS,
    WHOLE_PROMPT_SHARE,
    inner_titles,
    name_piece,
    slug,
    unique,
)
from litellm_prompt_router.authoring.split.topics import triggers_of
from litellm_prompt_router.authoring.split.tree import Node

COPY_SHARE = 0.9
"""A copy begins with this share of the earlier piece: other text may follow the copied text."""
COPIED = "says what an earlier module says, and goes where that one goes"
NO_TOOLS = "no tool of its own"
MAX_QUOTED_CHARS = 100


def draft_metadata(
    text: str,
    root: Node,
    pieces: Sequence[PromptPiece],
    literals: Sequence[str],
    slots: Sequence[Sequence[str]],
    declared: Sequence[str],
) -> tuple[list[DraftedEntry], list[str]]:
    """An entry for each piece, and the declared tools that the prompt doesn't mention.

    ``literals``: the pieces' text without their slots; ``slots``: the names of these.
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
        if number in copies:
            entry.doubts.append(COPIED)
        else:
            entry.essential = _essential(entry, titles[number], literals[number], slots[number], is_first=number == 0)
        if not entry.essential:
            sections = (*titles[number], *inside[number][1])
            entry.unproven = _unproven(entry, titles[number], sections, literals[number], frozenset(declared))
    headings = [
        [*(entry.naming.headings if number not in heads else ()), *inside[number][0], *inside[number][1]]
        for number, entry in enumerate(entries)
    ]
    wanted = [not entry.essential and number not in copies for number, entry in enumerate(entries)]
    groups = [_outermost_section_start(piece, len(text)) for piece in pieces]
    for entry, triggers in zip(entries, triggers_of(originals, headings, owned, wanted, groups), strict=True):
        entry.triggers = triggers
    for copy, first in copies.items():
        entries[copy].essential = entries[first].essential
    require(entries, _references_between(root, pieces, originals, owned), heads)
    for copy, first in copies.items():
        entries[copy].essential = entries[first].essential
    for number, name in enumerate(unique(_id(entry) for entry in entries)):
        entries[number].id = name
    for entry in entries:
        if entry.essential:
            entry.triggers, entry.requires = (), []
    return entries, unmentioned


def _essential(entry: DraftedEntry, titles: Sequence[str], text: str, slots: Sequence[str], *, is_first: bool) -> str:
    """Why every request needs the piece; empty when nothing in it says so."""
    role = role_of(entry.naming.headings, entry.naming.enclosing, text, is_first=is_first)
    has_tools = bool(entry.tools) and role != "safety" and not is_first
    if role is not None and (not has_tools or len(entry.naming.own) > 1):
        if has_tools:
            entry.doubts.append(f"{role} and tools in one module, so in the core; cut it in two")
        return role
    titled = next((title for title in entry.naming.headings if names_essentials(title)), "")
    if titled:
        return f"its title: {_quoted(titled)}"
    if slots:
        return f"environment: what varies stands in it ({listed_tools(slots)})"
    found = first_essential(text, (*entry.tools, *titles))
    return f"{found.kind}: {_quoted(found.text)}" if found is not None else ""


def _unproven(
    entry: DraftedEntry, titles: Sequence[str], sections: Sequence[str], text: str, declared: frozenset[str]
) -> str:
    """Why the piece stays in the core though it isn't essential; empty when it goes with its tools.

    ``sections``: the titles, and the names of tagged blocks.
    """
    if not entry.tools:
        return NO_TOOLS
    if declared.isdisjoint(entry.tools):
        return f"no request seen declares {listed_tools(entry.tools)}"
    foreign = foreign_title(sections, entry.tools)
    if foreign is not None:
        return f"more than its tools: its section {_quoted(foreign)}"
    found = unrelated_sentence(text, entry.tools, titles, declared)
    return "" if found is None else f"more than its tools: {_quoted(found.text)}"


def evidence_of(tools: Sequence[str], declared: Sequence[str]) -> str:
    """What shows that a module with these tools isn't always needed, for profile.yaml."""
    known = [tool for tool in tools if tool in declared]
    return f"its tools {listed_tools(known)} are declared by the request it was drafted with"


def _quoted(sentence: str) -> str:
    short = sentence if len(sentence) <= MAX_QUOTED_CHARS else f"{sentence[: MAX_QUOTED_CHARS - 3].rstrip()}..."
    return f'"{short}"'


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


def _id(entry: DraftedEntry) -> str:
    naming = entry.naming
    path = (*naming.own, *naming.enclosing)
    if entry.essential == "identity":
        folder = "core"
    elif entry.tools or is_about_tools(path):
        folder = "tools"
    elif entry.essential == "output format" or (not entry.essential and is_about_output(naming.headings)):
        folder = "response"
    elif entry.essential:
        folder = "core"
    else:
        folder = slug(naming.enclosing[0])[:24].strip("_") if naming.enclosing else ""
        folder = folder if folder not in ("", "core", "response", "tools") else "topics"
    section = slug(naming.enclosing[-1]) if naming.enclosing and not naming.own else ""
    label = slug(naming.label)
    if section and section[:24].strip("_") != folder:
        label = f"{section[: MAX_SLUG_CHARS - 16].strip('_')}_{label}"
    return f"{folder}/{slug(label) or 'part'}"
