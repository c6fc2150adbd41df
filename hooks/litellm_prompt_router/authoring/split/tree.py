"""Lines -> a tree of sections, tagged blocks and list items, with leaves that hold every character in order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from litellm_prompt_router.authoring.split.line_structure import StructuredLine

NodeKind = Literal["root", "section", "tag", "item", "heading", "text", "fence", "table", "closing", "line", "sentence"]

MAX_DEPTH = 100
"""Structure nested deeper than this is text."""

_SENTENCE = re.compile(r"[.!?…][\"'”’)\]]*\s+|[。！？।؟][”’」』）)]*\s*|;\s+")


@dataclass(slots=True, eq=False)
class Node:
    """``[start, end)`` of the prompt. Children, where there are any, cover it without a gap.

    ``title``: as the prompt has it, for sections and tagged blocks. ``tokens`` is of the literal text.
    """

    start: int
    kind: NodeKind
    title: str = ""
    style: str = ""
    level: int = 0
    parent: Node | None = None
    end: int = 0
    tokens: int = 0
    children: list[Node] = field(default_factory=list)

    @property
    def chars(self) -> int:
        return self.end - self.start

    def ancestors(self) -> Iterator[Node]:
        """The nodes that contain this one, innermost first."""
        node = self.parent
        while node is not None:
            yield node
            node = node.parent

    def walk(self) -> Iterator[Node]:
        """This node and all below it, in prompt order."""
        yield self
        for child in self.children:
            yield from child.walk()


def build_tree(text: str, lines: Sequence[StructuredLine], count_tokens: Callable[[str], int]) -> Node:
    """The tree of a prompt; sizes are counted once for each leaf and added up."""
    builder = _Builder(text, lines)
    root = builder.root
    _measure(text, root, len(text), count_tokens)
    return root


class _Builder:
    """Builds the tree line by line, with the sections that are still open on a stack."""

    def __init__(self, text: str, lines: Sequence[StructuredLine]) -> None:
        self._text = text
        self._lines = lines
        self.root = Node(0, "root")
        self._stack = [self.root]
        self._closes: dict[int, Node] = {}
        self._leaf: Node | None = None
        self._after_blank = True
        number = 0
        while number < len(lines):
            number = self._take(number)

    def _take(self, number: int) -> int:
        line = self._lines[number]
        was_blank, self._after_blank = self._after_blank, line.kind == "blank"
        match line.kind:
            case "heading" | "open" | "item" if len(self._stack) >= MAX_DEPTH:
                self._add(line, "text")
            case "blank":
                if self._leaf is None:
                    self._add(line, "text")
                return number + 1
            case "heading":
                return self._section(number)
            case "open":
                self._leave_items(line.indent)
                self._retitle_rule(line.title)
                self._push(Node(line.start, "tag", title=line.title, style="tag"))
                self._closes[line.until] = self._stack[-1]
                self._add(line, "heading")
            case "close":
                self._close(number)
            case "fence":
                if was_blank:
                    self._leave_items(line.indent)
                self._add(line, "fence")
                self._leaf = None
                return line.until + 1
            case "item":
                self._leave_items(line.indent)
                self._push(Node(line.start, "item", level=line.indent))
                self._add(line, "text")
            case "row":
                if self._leaf is None or self._leaf.kind != "table" or was_blank:
                    self._add(line, "table")
            case "text":
                in_item = self._stack[-1].kind == "item"
                if was_blank and in_item and line.style != "inside":
                    self._leave_items(line.indent)
                if self._leaf is None or self._leaf.kind in ("table", "heading") or was_blank:
                    self._add(line, "text")
        return number + 1

    def _section(self, number: int) -> int:
        """Opens the section whose heading stands here; the number of the line behind the heading."""
        line = self._lines[number]
        self._leave_items(-1)
        container = self._container()
        top = self._stack[-1]
        if line.title and top.style.startswith("rule") and not top.title and self._is_bare(top):
            top.title = line.title
            if line.style != "atx":
                self._add(line, "heading")
                return number + 1
        for depth in range(len(self._stack) - 1, container, -1):
            open_style, open_level = self._stack[depth].style, self._stack[depth].level
            same = open_style == line.style and (line.level == 0 or open_level >= line.level)
            if same or (line.style == "rule=" and depth == container + 1):
                del self._stack[depth:]
                if line.level == 0:
                    break
        self._push(Node(line.start, "section", title=line.title, style=line.style, level=line.level))
        self._add(line, "heading")
        underlined = line.style == "atx" and not self._text[line.start : line.end].lstrip().startswith("#")
        return number + 2 if underlined else number + 1

    def _is_bare(self, node: Node) -> bool:
        return all(child.kind == "heading" for child in node.children)

    def _retitle_rule(self, title: str) -> None:
        """Names the section that a rule without a title has just opened."""
        top = self._stack[-1]
        if top.style.startswith("rule") and not top.title and self._is_bare(top):
            top.title = title

    def _container(self) -> int:
        return max(depth for depth, node in enumerate(self._stack) if node.kind in ("tag", "root"))

    def _close(self, number: int) -> None:
        node = self._closes.get(number)
        self._leave_items(-1)
        if node is None or node not in self._stack:
            self._add(self._lines[number], "text")
            return
        del self._stack[self._stack.index(node) + 1 :]
        self._leaf = None
        self._add(self._lines[number], "closing")
        self._stack.pop()
        self._leaf = node.children[-1]
        self._after_blank = True

    def _leave_items(self, indent: int) -> None:
        """Closes the list items that a line of this indent doesn't belong to."""
        while self._stack[-1].kind == "item" and self._stack[-1].level >= indent:
            self._stack.pop()
            self._leaf = None

    def _push(self, node: Node) -> None:
        node.parent = self._stack[-1]
        self._stack[-1].children.append(node)
        self._stack.append(node)
        self._leaf = None

    def _add(self, line: StructuredLine, kind: NodeKind) -> None:
        leaf = Node(line.start, kind, parent=self._stack[-1])
        self._stack[-1].children.append(leaf)
        self._leaf = leaf


def _measure(text: str, node: Node, end: int, count_tokens: Callable[[str], int]) -> None:
    node.end = end
    if not node.children:
        node.tokens = count_tokens(text[node.start : end])
        return
    ends = [child.start for child in node.children[1:]] + [end]
    for child, child_end in zip(node.children, ends, strict=True):
        _measure(text, child, child_end, count_tokens)
    node.tokens = sum(child.tokens for child in node.children)


def divide_leaf(
    text: str, leaf: Node, count_tokens: Callable[[str], int], is_inside: Callable[[int], bool]
) -> list[Node]:
    """A leaf's lines or, when it is one line, its sentences. Empty: it can't be divided.

    ``is_inside``: whether a place in the text is inside a slot, where nothing is cut.
    """
    if leaf.kind == "fence":
        return []
    own = text[leaf.start : leaf.end]
    cuts: list[int] = []
    kind: NodeKind = "line"
    at = 0
    for line in own.splitlines(keepends=True):
        if at and line.strip():
            cuts.append(at)
        at += len(line)
    cuts = [cut for cut in cuts if not is_inside(leaf.start + cut)]
    if not cuts:
        kind = "sentence"
        cuts = [match.end() for match in _SENTENCE.finditer(own) if match.end() < len(own.rstrip())]
        cuts = [cut for cut in cuts if not is_inside(leaf.start + cut)]
    if not cuts:
        return []
    edges = [0, *cuts, len(own)]
    return [
        Node(
            leaf.start + start,
            kind,
            parent=leaf,
            end=leaf.start + end,
            tokens=count_tokens(own[start:end]),
        )
        for start, end in pairwise(edges)
    ]
