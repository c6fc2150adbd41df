"""What the agent had said before a labelled message: in the turns, in later cases of the conversation, in requests."""

from __future__ import annotations

from litellm_prompt_router.files.labelled_messages import Case, Conversations
from litellm_prompt_router.request.route.embeddings import CONTEXT_CHARS, EMBEDDED_CHARS, in_context
from litellm_prompt_router.request.types import Turn

FIRST = Case(text="sort my invoices", needs=("files",))
SECOND = Case(
    text="yes, the second",
    history=("sort my invoices",),
    assistant="By date or by client?",
    tool_calls=("use_files",),
    needs=("data",),
)
THIRD = Case(text="now send it", history=("sort my invoices", "yes, the second"), assistant="Sorted.", needs=())


def own(turn: Turn) -> str:
    return turn.text


def test_the_agents_words_stand_before_the_message() -> None:
    turns = Conversations([FIRST, SECOND, THIRD]).turns_of(THIRD)
    said = [(turn.role, turn.text) for turn in turns if turn.text]
    assert said == [
        ("user", "sort my invoices"),
        ("assistant", "By date or by client?"),
        ("user", "yes, the second"),
        ("assistant", "Sorted."),
        ("user", "now send it"),
    ]


def test_a_request_says_the_same() -> None:
    conversations = Conversations([FIRST, SECOND])
    messages = conversations.request_of(SECOND, "S")["messages"]
    assert [m["content"] for m in messages if m["role"] == "assistant"] == [None, "By date or by client?"]


def test_a_message_is_embedded_in_its_context() -> None:
    """The message before, what the agent had said last, this message."""
    texts = in_context(Conversations([FIRST, SECOND, THIRD]).turns_of(THIRD), own)
    assert list(texts.values()) == [
        "sort my invoices",
        "sort my invoices\nBy date or by client?\nyes, the second",
        "yes, the second\nSorted.\nnow send it",
    ]


def test_context_is_capped_and_leaves_room_for_the_message() -> None:
    turns = [Turn("user", "a" * 9_000), Turn("assistant", "b" * 9_000), Turn("user", "c" * 9_000)]
    first, second = in_context(turns, own).values()
    assert len(first) == EMBEDDED_CHARS
    assert len(second) <= EMBEDDED_CHARS
    assert [len(line) for line in second.split("\n") if set(line) == {"b"}] == [
        CONTEXT_CHARS - int(CONTEXT_CHARS * 0.4) - 1,
        int(CONTEXT_CHARS * 0.4),
    ]
