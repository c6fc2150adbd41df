"""What user messages have around the users' own words, found from the messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from litellm_prompt_router.authoring.split.wrapper_rules import WrapperRule, propose_rules
from litellm_prompt_router.profile.agents import AGENTS, EVERY_AGENT
from litellm_prompt_router.profile.ignore_rules import IgnoreFile, ignore_of
from litellm_prompt_router.request.route.own_words import own_words
from litellm_prompt_router.request.types import Turn

WORDS = (
    "Fix the login form.",
    "Why is the build red?",
    "Draw a chart of last year's sales,\nby month.",
    "Rename the helper and update its callers.",
    "What is in docs/api.md?",
    "Add a test for the parser",
)


def proposed(wrap: Callable[[str, int], str | Sequence[str]]) -> tuple[list[tuple[str, str]], list[str | None]]:
    """The rules for these words wrapped so, and what the rules leave of each message."""
    turns = []
    for number, words in enumerate(WORDS):
        wrapped = wrap(words, number)
        blocks = (wrapped,) if isinstance(wrapped, str) else tuple(wrapped)
        turns.append(Turn("user", "\n".join(blocks), parts=blocks if len(blocks) > 1 else ()))
    rules = propose_rules(turns)
    problems: list[str] = []
    declared = [IgnoreFile.model_validate({rule.name: rule.value}) for rule in rules]
    ignore = EVERY_AGENT.with_(ignore_of(declared, "x", problems, agents=AGENTS))
    assert problems == []
    return [(rule.name, rule.value) for rule in rules], [own_words(turn, ignore).text for turn in turns]


WRAPPED: dict[str, tuple[Callable[[str, int], str | Sequence[str]], list[tuple[str, str]]]] = {
    "nothing": (lambda words, n: words, []),
    "claude code": (
        lambda words, n: [f"<system-reminder>\nrules {n}\n</system-reminder>", words],
        [("agent", "claude-code")],
    ),
    "cline": (
        lambda words, n: [f"<task>\n{words}\n</task>", f"<environment_details>\n{n}:00\n</environment_details>"],
        [("agent", "cline")],
    ),
    "elements of its own": (
        lambda words, n: f"<shop_state>\n{n} open orders\n</shop_state>\n{words}",
        [("tag", "shop_state")],
    ),
    "words in an element": (
        lambda words, n: f"Open orders: {n}\n<question>{words}</question>\nAnswer at once.",
        [("inside", "question")],
    ),
    "a heading": (lambda words, n: f"Shop {n}, request of a customer:\n{words}", [("drop", "BEGINNING")]),
    "rules behind": (
        lambda words, n: f"{words}\n\n## Rules {n}\n\nAnswer in at most {n} lines.\nNever guess.",
        [("drop", "ENDING")],
    ),
    "both": (
        lambda words, n: f"Request {n}:\n{words}\n\n---\nAnswer in at most {n} lines, and never guess.",
        [("drop", "BEGINNING"), ("drop", "ENDING")],
    ),
}


@pytest.mark.parametrize(("wrap", "expected"), WRAPPED.values(), ids=WRAPPED.keys())
def test_wrappers_are_found(wrap: Callable[[str, int], str | Sequence[str]], expected: list[tuple[str, str]]) -> None:
    """With rules that load, and that leave the users' own words."""
    rules, left = proposed(wrap)
    kinds = [(name, "BEGINNING" if "\\A\\s*" in v else "ENDING" if v.endswith("\\z") else v) for name, v in rules]
    assert kinds == expected
    assert [text and text.strip() for text in left] == list(WORDS)


def test_a_word_that_some_messages_begin_with_is_no_wrapper() -> None:
    """It takes most of them, at least three, and more than a few characters."""
    assert propose_rules([Turn("user", f"Please {text}") for text in WORDS]) == ()
    assert propose_rules([Turn("user", f"Request of a customer:\n{text}") for text in WORDS[:2]]) == ()
    mixed = [Turn("user", f"Request of a customer:\n{text}") for text in WORDS[:3]]
    assert propose_rules([*mixed, *(Turn("user", text) for text in WORDS[3:])]) == ()


def test_one_wrapped_message_of_two_shows_the_agent() -> None:
    """An agent may wrap a conversation's first message only, and one conversation may be all there is."""
    turns = [Turn("user", f"<system-reminder>\nrules\n</system-reminder>\n{WORDS[0]}"), Turn("user", WORDS[1])]
    assert propose_rules(turns) == (WrapperRule("agent", "claude-code", 1),)
    plain = [Turn("user", text) for text in WORDS]
    assert propose_rules([turns[0], *plain]) == ()


def test_messages_that_are_all_alike_stay() -> None:
    """A rule that would leave nothing isn't proposed."""
    assert propose_rules([Turn("user", f"Run the nightly report for shop number:\n{n}:\n") for n in range(9)]) == ()


def test_turns_that_an_agent_makes_up_do_not_count() -> None:
    """A ready-made set is proposed though most of the messages, which it skips, are the agent's own."""
    made_up = (
        "Change get_factorial() to use math.factorial",
        "Refactor hello() into its own file.",
        "I switched to a new code base. Please don't consider the above files.",
        "I am not sharing any files that you can edit yet.",
    )
    turns = [Turn("user", text) for text in (*made_up, *WORDS[:2])]
    assert propose_rules(turns) == (WrapperRule("agent", "aider", len(made_up)),)
    assert propose_rules(turns[: len(made_up)]) == ()


def test_a_rule_says_how_often_it_was_seen() -> None:
    turns = [Turn("user", f"<shop>\n{n}\n</shop>\n{text}") for n, text in enumerate(WORDS)]
    assert propose_rules(turns) == (WrapperRule("tag", "shop", len(WORDS)),)
