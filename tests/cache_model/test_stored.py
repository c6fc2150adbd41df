"""DeepSeek's cache on disk, by its guide (api-docs.deepseek.com/guides/kv_cache, checked 2026-11)."""

from __future__ import annotations

from litellm_prompt_router.cache_model import Block, StoredPrefixes
from tests.cache_model.calls import Call, block, count_words, openai_blocks, replay, words

RULES = StoredPrefixes(min_tokens=64, reported_step_tokens=64, retention_seconds=3_600)
A, B, C, D = (block(name, tokens) for name, tokens in (("a", 6_400), ("b", 640), ("c", 1_280), ("d", 64)))


def answer(name: str, tokens: int) -> Block:
    return block(name, tokens)._replace(is_answer=True)


def test_a_conversation_reads_up_to_its_last_request() -> None:
    """The guide's first example: A + B, then A + B + C."""
    calls = [Call(0, [A, B], (7_040, 0, 0, 0)), Call(10, [A, B, C], (1_280, 7_040, 0, 0))]
    assert replay(RULES, calls) == [call.billed for call in calls]


def test_the_third_request_reads_what_two_others_shared() -> None:
    """The guide's second example: A + B, A + C, A + D."""
    calls = [
        Call(0, [A, B], (7_040, 0, 0, 0)),
        Call(10, [A, C], (7_680, 0, 0, 0)),
        Call(20, [A, D], (64, 6_400, 0, 0)),
    ]
    assert replay(RULES, calls) == [call.billed for call in calls]


def test_the_answer_is_stored_with_its_request() -> None:
    """And read where the next request holds it, but not without the request ahead of it."""
    calls = [
        Call(0, [A, B], (7_040, 0, 0, 0)),
        Call(10, [A, B, answer("x", 320), answer("y", 128), C], (1_280, 7_488, 0, 0)),
        Call(20, [D, answer("x", 320), answer("y", 128), B], (1_152, 0, 0, 0)),
    ]
    assert replay(RULES, calls) == [call.billed for call in calls]


def test_a_part_of_an_answer_is_not_stored() -> None:
    """What the client cut or changed is read up to the request alone."""
    calls = [
        Call(0, [A, B], (7_040, 0, 0, 0)),
        Call(10, [A, B, answer("x", 320), C], (1_280, 7_360, 0, 0)),
        Call(20, [A, B, answer("x", 320), D], (64, 7_360, 0, 0)),
    ]
    assert replay(RULES, calls) == [call.billed for call in calls]


def test_units_are_whole_and_counted_in_steps() -> None:
    """A unit of 100 tokens is reported as 64; one that isn't there in full isn't read at all."""
    calls = [
        Call(0, [block("a", 100)], (100, 0, 0, 0)),
        Call(1, [block("a", 100), D], (100, 64, 0, 0)),
        Call(2, [block("a", 63)], (63, 0, 0, 0)),
        Call(3, [block("z", 63)], (63, 0, 0, 0)),
        Call(4, [block("z", 63)], (63, 0, 0, 0)),
    ]
    assert replay(RULES, calls)[:2] == [call.billed for call in calls][:2]
    assert replay(RULES, calls[3:]) == [call.billed for call in calls[3:]]


def test_a_unit_lives_from_its_last_use() -> None:
    calls = [
        Call(0, [A], (6_400, 0, 0, 0)),
        Call(3_599, [A], (0, 6_400, 0, 0)),
        Call(7_198, [A], (0, 6_400, 0, 0)),
        Call(10_798, [A], (6_400, 0, 0, 0)),
    ]
    assert replay(RULES, calls) == [call.billed for call in calls]


def test_nobody_reads_what_is_not_answered_yet() -> None:
    calls = [Call(0, [A], (6_400, 0, 0, 0), first_token_seconds=5), Call(4, [A], (6_400, 0, 0, 0))]
    assert replay(RULES, calls) == [call.billed for call in calls]


def test_what_the_model_wrote_is_told_apart() -> None:
    body = {
        "messages": [
            {"role": "system", "content": words(100)},
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": words(200), "tool_calls": [{"function": {"name": "f", "arguments": ""}}]},
            {"role": "tool", "content": "1"},
        ]
    }
    blocks = openai_blocks(body, count_words)
    last_asked = max(number for number, each in enumerate(blocks) if each.is_ending and number < len(blocks) - 1)
    assert [each.is_answer for each in blocks[last_asked + 1 : -1]] == [True] * (len(blocks) - last_asked - 2)
    assert not any(each.is_answer for each in (*blocks[: last_asked + 1], blocks[-1]))
