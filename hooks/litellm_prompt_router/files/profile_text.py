"""The text of a profile.yaml: edits that leave every other byte as it is, and new documents.

Comments, order, quotes, folded lines and line endings stay, because the document is parsed only to learn where its
nodes stand. Two edits can't be made that way and go through ruamel.yaml's round trip: examples added to modules, and
a ``modules`` or ``slots`` list in flow style (``[...]``), whose entries have no lines of their own, put into block
style.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.scalarstring import DoubleQuotedScalarString
from ruamel.yaml.util import load_yaml_guess_indent

from litellm_prompt_router.files.dump_yaml import dump_yaml, one_line

LISTS = ("modules", "slots")
BEFORE = "modules"
"""A section that isn't there yet goes ahead of this one."""


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


def with_section(raw: str, name: str, content: Mapping[str, Any]) -> str:
    """The document with this top-level section, new or replaced. Raises ValueError if there is no place for it."""
    page = _BlockDocument(raw)
    section = page.indented(dump_yaml({name: content}))
    if name in page.fields:
        page.replace(page.start_of(name), page.end_of(name), section)
    elif BEFORE in page.fields:
        start = page.start_of(BEFORE)
        while page.line_before(start).startswith("#"):
            start = page.line_start(start - 1)  # what is said of the next section stays with it
        page.replace(start, start, section + page.newline)
    else:
        raise ValueError(f"no section {BEFORE!r}")
    changed = page.finished()
    if yaml.safe_load(changed) != {**yaml.safe_load(raw), name: dict(content)}:
        raise ValueError("its layout leaves no place for it")
    return changed


def without_section(raw: str, name: str) -> str:
    """The document without its top-level section ``name`` and the empty lines behind it."""
    page = _BlockDocument(raw)
    if name in page.fields:
        end = page.end_of(name)
        while end < len(raw) and not raw[end : (following := page.line_end(end))].strip():
            end = following
        page.replace(page.start_of(name), end, "")
    return page.finished()


def with_entries(raw: str, *, version: str, modules: Sequence[ModuleEntry], slots: Sequence[SlotEntry]) -> str:
    """The document with this version, these modules in this order, and these slots and no others."""
    page = _BlockDocument(_with_block_lists(raw if raw.endswith("\n") else f"{raw}\n"))
    page.replace_scalar(page.fields["version"], version)
    known = page.entries("modules", "id")
    column = min(entry.column for entry in known.values())
    texts = [
        page.indented(dump_yaml(module.new), column, "- ")
        if module.new is not None
        else page.entry_text(known[module.id], module.dropped)
        for module in modules
    ]
    page.replace_list("modules", "".join(texts))
    if "slots" in page.fields:
        page.replace_list("slots", "".join(_slot_texts(page, slots)))
    return page.finished()


def with_examples(raw: str, wanted: Mapping[str, Sequence[str]]) -> tuple[str, int]:
    """``(the document, how many were added)``: these examples behind those that each module, by its id, has.

    Raises ValueError where more than that would change.
    """
    expected = yaml.safe_load(raw)
    new: list[list[str]] = []
    for entry in expected["modules"]:
        have = entry.get("examples") or []
        new.append([text for text in dict.fromkeys(wanted.get(entry["id"], ())) if text not in have])
        if new[-1]:
            entry["examples"] = [*have, *new[-1]]
    added = sum(map(len, new))
    if not added:
        return raw, 0

    def extend(document: Any) -> None:
        for entry, texts in zip(document["modules"], new, strict=True):
            quoted = [DoubleQuotedScalarString(text) for text in texts]
            if quoted and entry.get("examples"):
                entry["examples"].extend(quoted)
            elif quoted and "tools" in entry and "examples" not in entry:
                entry.insert(list(entry).index("tools"), "examples", quoted)
            elif quoted:
                entry["examples"] = quoted

    changed = round_trip(raw, extend)
    if comments_of(raw) - comments_of(changed) or yaml.safe_load(changed) != expected:
        raise ValueError("can't be extended without a loss")
    return changed, added


def _slot_texts(page: _BlockDocument, slots: Sequence[SlotEntry]) -> list[str]:
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


class _BlockDocument:
    """A document in block style, and the edits to it, which are made together at the end."""

    def __init__(self, raw: str) -> None:
        """Raises ValueError for a document that isn't a mapping in block style."""
        root = YAML().compose(raw)
        if not isinstance(root, MappingNode) or root.flow_style:
            raise ValueError("not a block mapping")
        self._raw = raw
        self._edits: list[tuple[int, int, str]] = []
        self._column = root.start_mark.column
        self._keys = {key.value: key.start_mark.index for key, _ in root.value}
        self.fields = _fields(root)
        self.newline = "\r\n" if "\r\n" in raw else "\n"

    def replace(self, start: int, end: int, text: str) -> None:
        self._edits.append((start, end, text))

    def replace_scalar(self, node: Node, value: str) -> None:
        if isinstance(node, ScalarNode) and node.value != value:
            self.replace(*self._span(node), self._scalar(node, value))

    def replace_list(self, name: str, text: str) -> None:
        """``text`` in place of the list's entries; without any its key goes too."""
        entries = list(self.entries(name, None).values())
        self.replace(entries[0].start if text else self.start_of(name), entries[-1].end, text)

    def finished(self) -> str:
        return _applied(self._raw, self._edits)

    def indented(self, dumped: str, column: int | None = None, dash: str = "") -> str:
        """New lines as the document has them: in this column, or that of its own keys, ``dash`` before the first."""
        margin = " " * (self._column if column is None else column)
        lines = dumped.splitlines()
        marks = [dash, *[" " * len(dash)] * (len(lines) - 1)]
        return "".join(f"{margin}{mark}{line}{self.newline}" for mark, line in zip(marks, lines, strict=True))

    def entries(self, name: str, key: str | None) -> dict[str, _Entry]:
        """The entries of a top-level list by that field of theirs, or by number."""
        nodes = list(self.fields[name].value)
        dashes = [self._dash(node) for node in nodes]
        starts = [self._with_comment(dash) for dash in dashes]
        ends = [*starts[1:], self.end_of(name)]
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
            # Up to the last item's line: the list's own end mark lies behind the comment of the entry that follows.
            end = len(self._raw[: self.line_end(self._span(requires.value[-1])[1])].rstrip())
        lead = "" if self._raw[start - 1].isspace() else " "
        flow = f"{lead}[{', '.join(one_line(value) for value in kept)}]"
        return self._raw[entry.start : start] + flow + self._raw[end : entry.end]

    def slot_text(self, entry: _Entry, slot: SlotEntry) -> str:
        """The entry's lines with this name and sample."""
        edits = [
            (*self._span(node), self._scalar(node, value))
            for node, value in ((entry.fields["name"], slot.name), (entry.fields["sample"], slot.sample))
            if isinstance(node, ScalarNode) and node.value != value
        ]
        return _applied(self._raw[: entry.end], edits)[entry.start :] if edits else self._raw[entry.start : entry.end]

    def start_of(self, name: str) -> int:
        """Where the line of a top-level key starts."""
        return self.line_start(self._keys[name])

    def end_of(self, name: str) -> int:
        """Where a top-level section ends: at the next key, or at the comments and blank lines above it."""
        own = self._keys[name]
        end = min((self.line_start(other) for other in self._keys.values() if other > own), default=len(self._raw))
        while self.line_before(end).startswith(("#", "...")) or not self.line_before(end).strip():
            end = self.line_start(end - 1)
        return end

    def line_start(self, at: int) -> int:
        return self._raw.rfind("\n", 0, at) + 1

    def line_end(self, at: int) -> int:
        return (self._raw.find("\n", at) + 1) or len(self._raw)

    def line_before(self, start: int) -> str:
        return self._raw[self.line_start(start - 1) : start] if start else ""

    def _span(self, node: Node) -> tuple[int, int]:
        return node.start_mark.index, node.end_mark.index

    def _scalar(self, node: Node, value: str) -> str:
        """A quoted scalar on one line; behind a block scalar, whose end is the next line's start, with its newline."""
        start, end = self._span(node)
        return one_line(value, quoted=True) + (self.newline if self._raw[start:end].endswith("\n") else "")

    def _dash(self, node: Node) -> int:
        """Where the line of the entry's dash starts."""
        start = self.line_start(node.start_mark.index)
        while not self._raw[start:].lstrip(" ").startswith("-"):
            start = self.line_start(start - 1)
        return start

    def _with_comment(self, start: int) -> int:
        """Where the comment right above this line starts, or the line itself."""
        while self.line_before(start).lstrip().startswith("#"):
            start = self.line_start(start - 1)
        return start


def _fields(node: Any) -> dict[str, Node]:
    return {key.value: value for key, value in node.value} if isinstance(node, MappingNode) else {}


def _applied(text: str, edits: Sequence[tuple[int, int, str]]) -> str:
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _with_block_lists(raw: str) -> str:
    root = _fields(YAML().compose(raw))
    lists = [name for name in LISTS if isinstance(node := root.get(name), SequenceNode) and node.flow_style]

    def change(document: Any) -> None:
        for name in lists:
            document[name].fa.set_block_style()

    return round_trip(raw, change) if lists else raw


def round_trip(raw: str, change: Callable[[Any], None]) -> str:
    """The document with a change made to its parsed form, in its own indentation and line endings."""
    _, sequence, dash = load_yaml_guess_indent(raw)
    parser = YAML()
    parser.preserve_quotes = True
    parser.width = 10**6  # no line is folded
    parser.indent(mapping=2, sequence=4 if sequence is None else sequence, offset=2 if dash is None else dash)
    document = parser.load(raw)
    change(document)
    out = io.StringIO()
    parser.dump(document, out)
    return out.getvalue().replace("\n", "\r\n") if "\r\n" in raw else out.getvalue()


def comments_of(raw: str) -> set[str]:
    """The document's comment lines."""
    return {line.strip() for line in raw.splitlines() if line.lstrip().startswith("#")}
