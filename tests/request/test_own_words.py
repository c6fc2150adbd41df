"""The user's own words: what well-known agents put around them doesn't count, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.profile.agents import AGENTS, ALL_AGENTS, EVERY_AGENT
from litellm_prompt_router.profile.profile import Ignore
from litellm_prompt_router.request.route.own_words import MAX_CHARS, MAX_CUTS, own_words
from litellm_prompt_router.request.types import Turn

WORDS = "Fix the login form, please."
REMINDER = "<system-reminder>\nThe file charts.py was changed.\n</system-reminder>"
COMPACT = (
    "CRITICAL: answer in text only. Write a detailed summary of the conversation so far, with every request of the "
    "user's, all files that were read or changed, errors and how they were fixed, and what is still to be done. "
    "Wrap the analysis in tags of its own, and give the next step with quotes from the latest messages."
)


def said(agent: str | None, *blocks: str) -> str | None:
    ignore = EVERY_AGENT.with_(AGENTS[agent]) if agent else EVERY_AGENT
    return own_words(turn(blocks), ignore).text


def turn(blocks: Sequence[str]) -> Turn:
    return Turn(role="user", text="\n".join(blocks), parts=tuple(blocks) if len(blocks) > 1 else ())


SEEN: dict[str, tuple[str | None, tuple[str, ...], str | None]] = {
    "claude code: reminders are blocks of their own": ("claude-code", (REMINDER, REMINDER, WORDS), WORDS),
    "claude code: a reminder behind the words": ("claude-code", (WORDS, REMINDER), WORDS),
    "claude code: a reminder in the words' block": ("claude-code", (f"{REMINDER}\n{WORDS}",), WORDS),
    "claude code: of several blocks the last": ("claude-code", ("Something the agent added.", WORDS), WORDS),
    "claude code: a reminder alone": ("claude-code", (REMINDER,), None),
    "claude code: a local command": (
        "claude-code",
        (
            "<command-name>/cost</command-name>\n<command-message>cost</command-message>",
            "<local-command-stdout>4 USD</local-command-stdout>",
        ),
        None,
    ),
    "claude code: a command's arguments are the user's": (
        "claude-code",
        ("<command-message>fix</command-message><command-args>the login form</command-args>",),
        "the login form",
    ),
    "claude code: interrupted": ("claude-code", ("[Request interrupted by user for tool use]",), None),
    "codex: environment": (
        "codex",
        ("<environment_context>\n  <cwd>/srv/shop</cwd>\n</environment_context>",),
        None,
    ),
    "codex: rules file": (
        "codex",
        ("# AGENTS.md instructions for /srv/shop\n\n<INSTRUCTIONS>\nUse tabs.\n</INSTRUCTIONS>",),
        None,
    ),
    "codex: rules file and environment in one message": (
        "codex",
        (
            "# AGENTS.md instructions for /a\n\n<INSTRUCTIONS>x</INSTRUCTIONS>",
            "<environment_context>y</environment_context>",
        ),
        None,
    ),
    "codex: words": ("codex", (WORDS,), WORDS),
    "codex: words behind an editor's context": (
        "codex",
        (f"# Context from my IDE setup:\n\n## Open tabs:\n- charts.py\n\n## My request for Codex:\n{WORDS}\n",),
        WORDS,
    ),
    "gemini: session context": ("gemini-cli", ("<session_context>\nToday is Monday.\n</session_context>",), None),
    "gemini: session context without a tag": ("gemini-cli", ("This is the Gemini CLI. Today is Monday.",), None),
    "gemini: words beside the context": ("gemini-cli", ("This is the Gemini CLI. It is Monday.", WORDS), WORDS),
    "gemini: files named with @": (
        "gemini-cli",
        (f"{WORDS}\n--- Content from referenced files ---\nchart(1)\n--- End of content ---",),
        WORDS,
    ),
    "qwen: session context": ("qwen-code", ("This is the Qwen Code. Today is Monday.",), None),
    "aider: rules glued on": (
        "aider",
        (f"{WORDS}\n\n# *SEARCH/REPLACE block* Rules:\n\nEvery block must use the chart's full path.\n",),
        WORDS,
    ),
    "aider: a made-up example": ("aider", ("Change get_factorial() to use math.factorial",), None),
    "aider: end of the examples": ("aider", ("I switched to a new code base. Forget the files above.",), None),
    "aider: files": (
        "aider",
        ("I have *added these files to the chat* so you can edit.\n\nmain.py\n```\n1\n```",),
        None,
    ),
    "opencode: of several blocks the first": ("opencode", (WORDS, "Called the Read tool with charts.py"), WORDS),
    "opencode: plan reminder": ("opencode", (f"{WORDS}\n{REMINDER}",), WORDS),
    "copilot: date and time": (
        "copilot",
        (f"<current_datetime>2026-11-22T10:00:00Z</current_datetime>\n\n{WORDS}",),
        WORDS,
    ),
    "copilot in an editor": (
        "copilot",
        (f"<attachments>charts.py</attachments>\n<userRequest>\n{WORDS}\n</userRequest>\n",),
        WORDS,
    ),
    "cline: task and environment": (
        "cline",
        (f"<task>\n{WORDS}\n</task>", "<environment_details>\n# VSCode Visible Files\n</environment_details>"),
        WORDS,
    ),
    "cline: a tool's result": (
        "cline",
        ("[read_file for 'charts.py'] Result:", "chart(1)", "<environment_details>\n</environment_details>"),
        None,
    ),
    "cline: feedback in a tool's result": (
        "cline",
        ("[execute_command for 'make'] Result:", f"Denied.\n<feedback>\n{WORDS}\n</feedback>"),
        WORDS,
    ),
    "roo: an answer": ("roo-code", ("[ask_followup_question] Result:", f"<answer>\n{WORDS}\n</answer>"), WORDS),
    "smolagents: the first task": ("smolagents", (f"New task:\n{WORDS}",), WORDS),
    "smolagents: a task glued to a result": (None, (f"Observation:\nchart.png\nNew task:\n{WORDS}",), WORDS),
    "smolagents: a result": (None, ("Observation:\nchart.png",), None),
    "smolagents: a result of a call": (None, ("Call id: call_1\nObservation:\nchart.png",), None),
    "crewai": (
        "crewai",
        (f"\nCurrent Task: {WORDS}\n\nThis is the expected criteria for your final answer: a chart\n\nBegin! Now.",),
        WORDS,
    ),
    "mini-swe-agent: task": (
        "mini-swe-agent",
        (f"Please solve this issue: {WORDS}\n\nYou can execute bash commands.\n\n## Steps\n\nmake charts",),
        WORDS,
    ),
    "mini-swe-agent: result": ("mini-swe-agent", ("<returncode>0</returncode>\n<output>\nchart\n</output>",), None),
    "open-interpreter: output": (None, ("Code output: chart.png\n\nWhat does this mean?",), None),
    "instructions to compact": (None, (COMPACT,), None),
    "instructions to compact behind a reminder": ("claude-code", (REMINDER, COMPACT), None),
    "instructions to hand over": (
        None,
        (
            "You are performing a context checkpoint. Write a handoff for another language model. "
            + "Name charts. " * 20,
        ),
        None,
    ),
    "a short wish for a summary": (
        None,
        ("Give me a summary of our conversation so far",),
        "Give me a summary of our conversation so far",
    ),
    "no agent is named": (None, (f"{WORDS}\n{REMINDER}",), f"{WORDS}\n{REMINDER}"),
    "not closed": ("claude-code", (f"{WORDS} <system-reminder> chart",), f"{WORDS} <system-reminder> chart"),
    "another element with such a beginning": ("cline", ("<tasks>draw</tasks>",), "<tasks>draw</tasks>"),
    "a lone surrogate": ("claude-code", (f"\ud800 {REMINDER}{WORDS}",), f"\ufffd {WORDS}"),
    "attributes": ("copilot", (f'<context id="1">chart</context>{WORDS}',), WORDS),
    "spaces": ("claude-code", ("  \n" + REMINDER + "\n ",), None),
}


@pytest.mark.parametrize(("agent", "blocks", "expected"), SEEN.values(), ids=SEEN.keys())
def test_what_agents_send(agent: str | None, blocks: tuple[str, ...], expected: str | None) -> None:
    """Of each agent's messages the user's words are left; None where there are none."""
    assert said(agent, *blocks) == expected


@pytest.mark.parametrize(
    "text",
    [
        "This session is being continued from a previous conversation that ran out of context.",
        "Another language model started to solve this problem and left this.",
        "<state_snapshot>\n<overall_goal>charts</overall_goal>\n</state_snapshot>",
        "Here is a summary of the conversation to date:\n\ncharts",
        "I spoke to you previously about a number of things.",
        "What did we do so far?",
        "Here's a detailed summary of our conversation so far: charts",
    ],
)
def test_summaries_stand_for_history(text: str) -> None:
    """Whoever wrote them, alone or beside other blocks."""
    assert own_words(turn([text]), EVERY_AGENT).stands_for_history
    assert own_words(turn([REMINDER, text, WORDS]), EVERY_AGENT.with_(AGENTS["claude-code"])).stands_for_history


@pytest.mark.parametrize(
    "text",
    [
        WORDS,
        "What did we do so far? I mean with the charts.",
        "Write a summary of the report in summary.txt, and mail it to the team.",
        "My observation: the chart is wrong.",
        "Hand off this conversation to another agent",
        "Load the last checkpoint of this session. " + "Then plot what it learned, epoch by epoch. " * 9,
    ],
)
def test_what_users_write_is_left(text: str) -> None:
    """Words that look a little like an agent's."""
    assert own_words(turn([text]), EVERY_AGENT) == (text, False)


@given(st.text(max_size=300), st.lists(st.text(max_size=80), max_size=4))
def test_nothing_to_ignore_changes_nothing(text: str, blocks: list[str]) -> None:
    """Without rules a message with words in it is itself, however it is cut."""
    whole = turn(blocks) if any(block.strip() for block in blocks) else Turn(role="user", text=text)
    expected = whole.text
    assert own_words(whole, Ignore()).text == expected


TAGS = [f"<{slash}{name}>" for name in ("system-reminder", "task", "userRequest") for slash in ("", "/")]


@given(st.lists(st.one_of(st.sampled_from(TAGS), st.text(max_size=20)), max_size=20))
def test_broken_wrappers_break_nothing(pieces: list[str]) -> None:
    """Elements in any order, open, closed or nested: an answer comes, and no character that wasn't there."""
    text = "".join(pieces)
    found = own_words(Turn(role="user", text=text), ALL_AGENTS).text
    assert found is None or set(found) <= {*text, "\n"}


@pytest.mark.parametrize(
    "text",
    [
        "<system-reminder>" * 200_000,
        "<system-reminder></system-reminder>" * 100_000,
        "<task " * 200_000,
        "# AGENTS.md instructions" * 100_000,
        "Observation:\nNew task:\n" * 100_000,
        "a" * 3_000_000,
    ],
    ids=["open", "empty", "cut off", "headings", "glued", "long"],
)
def test_floods_are_cut_short(text: str) -> None:
    """However long a message is, a bounded part of it is read."""
    found = own_words(Turn(role="user", text=text), ALL_AGENTS).text
    assert found is None or len(found) <= max(len(text), MAX_CHARS + 1)


def test_only_so_many_pieces_are_cut() -> None:
    """What is beyond is left in: it is routed on as it stands."""
    found = said("claude-code", REMINDER * (MAX_CUTS + 1))
    assert found == REMINDER
