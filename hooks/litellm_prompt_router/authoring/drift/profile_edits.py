"""Edits to profile.yaml that leave every other byte of it as it is: comments, order, quotes, folded lines.

The document is parsed only to learn where its nodes stand. A ``modules`` or ``slots`` list in flow style
(``[...]``) is put into block style first, since its entries have no lines of their own.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

WIDTH = 110
LISTS = ("modules", "slots")


@dataclass(frozen=True, kw_only=True, slots=True)
class ModuleEntry:
    """An entry of ``modules`` as it will be: one that is there, by its ``id``, or a ``new`` one.

    ``dropped``: what leaves its ``requires``.
    """

    id: str
    dropped: tuple[str, ...] = ()
    new: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SlotEntry:
    """A slot with another sample; ``like`` names the entry that one with a name of its own is a copy of."""

    name: str
    sample: str
    like: str


def edited(raw: str, *, version: str, modules: Sequence[ModuleEntry], slots: Sequence[SlotEntry]) -> str:
    """The document with this version, these modules in this order, and these slots and no others."""
    raw = _with_block_lists(raw if raw.endswith("\n") else f"{raw}\n")
    page = _Page(raw)
    root = page.root
    page.replace_scalar(root["version"], version)
    known = page.entries("modules", "id")
    texts = [page.entry_text(known[m.id], m.dropped) if m.new is None else "" for m in modules]
    column = min(entry.column for entry in known.values())
    texts = [_entry(m.new, column) if m.new is not None else text for m, text in zip(modules, texts, strict=True)]
    page.replace_list("modules", "".join(texts))
    if "slots" in root:
        page.replace_list("slots", "".join(_slot_texts(page, slots)))
    return page.finished()


def _slot_texts(page: _Page, slots: Sequence[SlotEntry]) -> list[str]:
    known = page.entries("slots", "name")
    by_name = {slot.name: slot for slot in slots if slot.name == slot.like}
    texts = [page.slot_text(entry, by_name[name]) for name, entry in known.items() if name in by_name]
    return texts + [page.slot_text(known[slot.like], slot) for slot in slots if slot.name != slot.like]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Entry:
    """One entry of a list: ``[start, end)`` of the document, whole lines, the comment above it included."""

    node: MappingNode
    start: int
    end: int
    column: int
    """Of its dash."""

    @property
    def fields(self) -> dict[str, Node]:
        return _fields(self.node)


class _Page:
    """The document and the edits to it, which are made together at the end."""

    def __init__(self, raw: str) -> None:
        self._raw = raw
        self._node = YAML().compose(raw)
        self.root = _fields(self._node)
        self._edits: list[tuple[int, int, str]] = []

    def replace_scalar(self, node: Node, value: str) -> None:
        if isinstance(node, ScalarNode) and node.value != value:
            self._edits.append((*self._span(node), self._scalar(node, value)))

    def replace_list(self, name: str, text: str) -> None:
        """``text`` in place of the list's entries; without any its key goes too."""
        entries = list(self.entries(name, None).values())
        start = entries[0].start if text else self._line_start(self._key(name))
        self._edits.append((start, entries[-1].end, text))

    def entries(self, name: str, key: str | None) -> dict[str, _Entry]:
        """The entries of a top-level list by that field of theirs, or by number."""
        nodes = list(self.root[name].value)
        dashes = [self._dash(node) for node in nodes]
        starts = [self._with_comment(dash) for dash in dashes]
        ends = [*starts[1:], self._end_of(name)]
        found: dict[str, _Entry] = {}
        for number, (node, dash, start, end) in enumerate(zip(nodes, dashes, starts, ends, strict=True)):
            column = self._raw.index("-", dash) - dash
            entry = _Entry(node=node, start=start, end=end, column=column)
            found[_fields(node)[key].value if key else str(number)] = entry
        return found

    def entry_text(self, entry: _Entry, dropped: Sequence[str]) -> str:
        """The entry's lines, without these names in its ``requires``."""
        text = self._raw[entry.start : entry.end]
        requires = entry.fields.get("requires")
        if not dropped or not isinstance(requires, SequenceNode):
            return text
        kept = [item.value for item in requires.value if item.value not in dropped]
        start, end = self._span(requires)
        if not requires.flow_style:
            start = self._raw.rindex(":", 0, start) + 1
            end = len(self._raw[:end].rstrip())
        lead = "" if self._raw[start - 1].isspace() else " "
        flow = f"{lead}[{', '.join(_dumped(value) for value in kept)}]"
        return self._raw[entry.start : start] + flow + self._raw[end : entry.end]

    def slot_text(self, entry: _Entry, slot: SlotEntry) -> str:
        """The entry's lines with this name and sample."""
        edits = [
            (*self._span(node), self._scalar(node, value))
            for node, value in ((entry.fields["name"], slot.name), (entry.fields["sample"], slot.sample))
            if isinstance(node, ScalarNode) and node.value != value
        ]
        return _applied(self._raw[: entry.end], edits)[entry.start :] if edits else self._raw[entry.start : entry.end]

    def finished(self) -> str:
        return _applied(self._raw, self._edits)

    def _span(self, node: Node) -> tuple[int, int]:
        return node.start_mark.index, node.end_mark.index

    def _scalar(self, node: Node, value: str) -> str:
        """A quoted scalar on one line; behind a block scalar, whose end is the next line's start, with its newline."""
        start, end = self._span(node)
        return _dumped(value, quoted=True) + ("\n" if self._raw[start:end].endswith("\n") else "")

    def _key(self, name: str) -> int:
        return int(next(key.start_mark.index for key, _ in self._node.value if key.value == name))

    def _line_start(self, at: int) -> int:
        return self._raw.rfind("\n", 0, at) + 1

    def _line_before(self, start: int) -> str:
        return self._raw[self._line_start(start - 1) : start] if start else ""

    def _dash(self, node: Node) -> int:
        """Where the line of the entry's dash starts."""
        start = self._line_start(node.start_mark.index)
        while not self._raw[start:].lstrip(" ").startswith("-"):
            start = self._line_start(start - 1)
        return start

    def _with_comment(self, start: int) -> int:
        """Where the comment right above this line starts, or the line itself."""
        while self._line_before(start).lstrip().startswith("#"):
            start = self._line_start(start - 1)
        return start

    def _end_of(self, name: str) -> int:
        """Where the list ends: at the next key, or at the comments and blank lines above it."""
        own = self._key(name)
        keys = [key.start_mark.index for key, _ in self._node.value]
        end = min((self._line_start(other) for other in keys if other > own), default=len(self._raw))
        while self._line_before(end).startswith(("#", "...")) or not self._line_before(end).strip():
            end = self._line_start(end - 1)
        return end


def _fields(node: Any) -> dict[str, Node]:
    return {key.value: value for key, value in node.value} if isinstance(node, MappingNode) else {}


def _applied(text: str, edits: Sequence[tuple[int, int, str]]) -> str:
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _with_block_lists(raw: str) -> str:
    root = _fields(YAML().compose(raw))
    lists = [node for name, node in root.items() if name in LISTS and isinstance(node, SequenceNode)]
    if not any(node.flow_style for node in lists):
        return raw
    round_trip = YAML()
    round_trip.preserve_quotes = True
    round_trip.width = 10_000
    round_trip.indent(mapping=2, sequence=4, offset=2)
    document = round_trip.load(raw)
    for name in LISTS:
        if name in document:
            document[name].fa.set_block_style()
    out = io.StringIO()
    round_trip.dump(document, out)
    return out.getvalue()


def _entry(fields: Mapping[str, Any], column: int) -> str:
    """A new entry with its dash in this column."""
    dumped = yaml.dump(dict(fields), Dumper=_ProfileDumper, sort_keys=False, allow_unicode=True, width=WIDTH)
    first, *rest = dumped.splitlines(keepends=True)
    return f"{' ' * column}- {first}" + "".join(f"{' ' * (column + 2)}{line}" for line in rest)


def _dumped(value: str, *, quoted: bool = False) -> str:
    """The value as YAML of one line."""
    style = '"' if quoted or not value.isprintable() else None
    dumped: str = yaml.dump([value], Dumper=yaml.SafeDumper, default_style=style, allow_unicode=True, width=math.inf)
    return dumped.removeprefix("- ").rstrip("\n")


class _ProfileDumper(yaml.SafeDumper):
    """Indents lists, and never writes an alias, which the library refuses."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: object) -> bool:
        return True
