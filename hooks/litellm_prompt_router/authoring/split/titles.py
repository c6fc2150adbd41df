"""A piece's title and description, and ids made of titles: ``## 4.2 Data processing`` is ``data_processing``."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from litellm_prompt_router.authoring.split.pieces import PromptPiece

MAX_TITLE_CHARS = 80
MAX_DESCRIPTION_CHARS = 140
LEAD_WORDS = 5
LEAD_CHARS = 40
MAX_SLUG_CHARS = 40
MAX_SLUG_BYTES = 100
WHOLE_PROMPT_SHARE = 0.6
"""A section this large is the prompt itself: its title says nothing of its parts."""

_LEADING_NUMBER = re.compile(r"^\W*(?:\d+(?:\.\d+)*|[IVXLC]+(?=[.)]))[.):、．]?\s+(?=\w)")
_MARKUP = re.compile(r"^[\s#>*+•\-–—=~_|`\d.)(]+|[*`|]+|</?[^<>\n]{1,200}>")
_SENTENCE = re.compile(r"(?<=[.!?。！？।])\s*(?=\S)")
_LEAD_END = re.compile(r"[.:!?;,。：！？；，、(（]")


class PieceTitles(NamedTuple):
    """``own``: titles of the sections that begin in the piece. ``enclosing``: those it stands in, outermost first."""

    title: str
    label: str
    """What the id is made of."""
    own: tuple[str, ...]
    enclosing: tuple[str, ...]
    description: str

    @property
    def headings(self) -> tuple[str, ...]:
        """The piece's own titles, or that of the section it continues."""
        return self.own or self.enclosing[-1:]


def name_piece(text: str, piece: PromptPiece, number: int, total_chars: int) -> PieceTitles:
    """The names of the piece at ``[piece.start, piece.end)`` of ``text``."""
    enclosing = tuple(
        node.title
        for node in reversed(list(piece.nodes[0].ancestors()))
        if node.title and node.chars <= WHOLE_PROMPT_SHARE * total_chars and node.start != piece.start
    )
    own = tuple(dict.fromkeys(clean_title(title) for title in _own_titles(piece) if clean_title(title)))
    body = text[piece.start : piece.end]
    lead = _first_words(body)
    if own:
        title = own[0] if len(own) == 1 else _listed(own)
        label = own[0]
    elif enclosing:
        title = f"{clean_title(enclosing[-1])}: {lead}" if lead else clean_title(enclosing[-1])
        label = " ".join(lead.split()[:4])
    else:
        title = "Opening" if number == 0 else lead or f"Part {number + 1}"
        label = title
    return PieceTitles(
        title=_shortened(title, MAX_TITLE_CHARS) or f"Part {number + 1}",
        label=label,
        own=own,
        enclosing=tuple(clean_title(title) for title in enclosing if clean_title(title)),
        description=_description(body, own),
    )


def clean_title(title: str) -> str:
    """A title without marks and tags around it, on one line, printable."""
    text = "".join(character if character.isprintable() else " " for character in title)
    return " ".join(text.strip(" #*_`:：=~-").split())


def _own_titles(piece: PromptPiece) -> list[str]:
    titles: list[str] = []
    for node in piece.nodes:
        if node.title:
            titles.append(node.title)
        elif node.kind == "heading" and node.parent is not None and node.parent.title:
            titles.append(node.parent.title)
    return titles


def inner_titles(piece: PromptPiece) -> tuple[list[str], list[str]]:
    """Titles of all sections inside a piece, and names of the outermost tagged blocks in them."""
    headings: list[str] = []
    blocks: list[str] = []
    for inner in (inner for node in piece.nodes for inner in node.walk() if inner.title):
        if inner.kind == "section":
            headings.append(inner.title)
        elif not any(holder.kind == "tag" for holder in inner.ancestors()):
            blocks.append(inner.title)
    return headings, blocks


def _listed(titles: tuple[str, ...]) -> str:
    listed = ""
    for number, title in enumerate(titles):
        rest = len(titles) - number
        if number and len(listed) + len(title) > MAX_TITLE_CHARS - 14:
            return f"{listed} and {rest} more"
        listed = f"{listed}{' and ' if rest == 1 else ', '}{title}" if listed else title
    return listed


def _first_words(body: str) -> str:
    """The first few words of the first line that has any."""
    for line in body.splitlines()[:40]:
        text = clean_title(without_markup(line))
        if sum(character.isalnum() for character in text) < 3:
            continue
        end = _LEAD_END.search(text, 2)
        text = text[: end.start()] if end is not None else text
        return clean_title(_shortened(" ".join(text.split()[:LEAD_WORDS]), LEAD_CHARS))
    return ""


def without_markup(line: str) -> str:
    """A line without list marks, heading marks, emphasis and tags."""
    line = line[:1_000]
    return _MARKUP.sub("", line)


def _description(body: str, own: tuple[str, ...]) -> str:
    if len(own) > 1:
        return _shortened("Covers " + "; ".join(own) + ".", MAX_DESCRIPTION_CHARS)
    known = {title.casefold() for title in own}
    for line in body.splitlines()[:60]:
        text = clean_title(without_markup(line))
        if text.casefold() in known or sum(character.isalnum() for character in text) < 12:
            continue
        return _shortened(_SENTENCE.split(text)[0], MAX_DESCRIPTION_CHARS)
    return _shortened(own[0], MAX_DESCRIPTION_CHARS) if own else ""


def _shortened(text: str, limit: int) -> str:
    text = clean_title(text) if not text.endswith((".", "。")) else " ".join(text.split())
    if len(text) <= limit:
        return text
    head = text[: limit - 3]
    at = head.rfind(" ")
    return (head[:at] if at > limit // 2 else head).rstrip(" ,;:") + "..."


# Ids


def slug(title: str) -> str:
    """Lower-case letters, digits and underscores; empty when the title has none of these."""
    text = unicodedata.normalize("NFKC", _LEADING_NUMBER.sub("", title)).lower()
    kept = [character if _is_word(character) else "_" for character in unicodedata.normalize("NFC", text)]
    words = [word for word in "".join(kept).split("_") if word and unicodedata.category(word[0])[0] != "M"]
    name = ""
    for word in words:
        longer = f"{name}_{word}" if name else word[:MAX_SLUG_CHARS]
        if len(longer) > MAX_SLUG_CHARS:
            break
        name = longer
    while len(name.encode()) > MAX_SLUG_BYTES:
        name = name[:-1]
    return name.strip("_")


def unique(names: Iterable[str]) -> list[str]:
    """The same names in the same order, ``_2``, ``_3`` behind those that came before."""
    seen: set[str] = set()
    out: list[str] = []
    for name in names:
        candidate, number = name, 1
        while candidate.casefold() in seen:
            number += 1
            candidate = f"{name}_{number}"
        seen.add(candidate.casefold())
        out.append(candidate)
    return out


def _is_word(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "LM" or category == "Nd"
