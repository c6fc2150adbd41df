"""A prompt of one block, which is written by a shorter way, comes out as the general way writes it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.request.types import KeptPiece, Request, SystemBlock
from litellm_prompt_router.request.wire.marks import MARK_KEYS, marks_of_tools
from litellm_prompt_router.request.wire.text_blocks import _of_blocks, _of_one_block

TEXT = "abcdefghijklmnop"
MARKS = st.sampled_from([None, {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}])


@st.composite
def pieces(draw: st.DrawFn) -> tuple[KeptPiece, ...]:
    found = []
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(TEXT) - 1))
        found.append(KeptPiece(start, draw(st.integers(start + 1, len(TEXT))), draw(st.booleans())))
    return tuple(found)


@given(st.tuples(*[st.tuples(pieces(), MARKS)] * 3), MARKS, st.booleans(), st.booleans())
def test_the_shorter_way_gives_the_same_blocks(edges: Any, own: Any, is_kept: bool, cuts: bool) -> None:
    block = SystemBlock(message=0, block=None, text=TEXT, mark=own)
    request = Request(system=(block,), turns=(), marks_before=(), marks_after=())
    kept = frozenset([0]) if is_kept else frozenset[int]()
    general = list(_of_blocks(request, TEXT, kept, edges, cuts=cuts))
    assert _of_one_block(TEXT, own if is_kept else None, edges, cuts=cuts) == general


_FIELDS = st.sampled_from(["type", "name", *sorted(MARK_KEYS)])
_VALUES = st.sampled_from(["x", {"type": "ephemeral"}, {"mode": "explicit"}])
_HOLDERS = st.dictionaries(_FIELDS, _VALUES, max_size=3)
_TOOLS = st.one_of(_HOLDERS, st.builds(lambda tool, inner: {**tool, "function": inner}, _HOLDERS, _HOLDERS))


@given(st.lists(st.one_of(_TOOLS, st.sampled_from([None, 1, "cache_control", ["cache_control"]])), max_size=4))
def test_marks_are_found_on_whichever_tool(tools: list[Any]) -> None:
    """Also where a quick look at all of them isn't possible: each by itself bears what it bears among the others."""
    for in_functions in (False, True):
        alone = [mark for tool in tools for mark in marks_of_tools([{"name": "x"}, tool, 1], in_functions=in_functions)]
        assert list(marks_of_tools(tools, in_functions=in_functions)) == alone
