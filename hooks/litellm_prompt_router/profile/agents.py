"""What well-known agents put into user messages beside the user's own words, as they were seen to (2026-11).

``EVERY`` holds for all agents, whatever a profile says: words that no user writes, and texts that stand in place
of a history that the agent shortened. Each pattern is the shortest beginning that tells such a text from a user's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce

from litellm_prompt_router.profile.patterns import compile_pattern
from litellm_prompt_router.profile.profile import Ignore, ValuePattern


def _compiled(patterns: Iterable[str]) -> tuple[ValuePattern, ...]:
    return tuple(compile_pattern(pattern) for pattern in patterns)


def _beginning(patterns: Iterable[str]) -> tuple[ValuePattern, ...]:
    """One pattern for all of them: a block is looked at once."""
    return _compiled(["|".join(f"(?:{pattern})" for pattern in patterns)])


EVERY = Ignore(
    keep=_compiled(
        # smolagents glues the next user message to the last result.
        [r"(?s)\A\s*Observation:.*\nNew task:\s*(.*)\z"]
    ),
    skip=_beginning(
        [
            # Instructions to sum up the conversation, which carry the agent's whole prompt and all its tools. They
            # are long; a user's own wish for a summary is not.
            r"(?is)\s*.{0,600}?\bsummar(?:y|ies|i[sz]e|i[sz]ing)\b.{0,80}?\b(?:conversation (?:so far|above|history)"
            r"|(?:our|this|the|the current) conversation|(?:chat|session) history)\b.{150,}",
            r"(?is)\s*.{0,600}?\b(?:compaction|hand-?off|checkpoint)\b.{0,80}?"
            r"\banother (?:llm|language model|model|agent)\b.{150,}",
            r"(?is)\s*.{0,300}?\bcontinuing our (?:conversation|session)\b.{150,}",
            r"(?is)\s*.{0,300}?\bgenerate (?:the|a) <state_snapshot>",
        ]
    ),
    results=_beginning([r"\s*(?:Call id: .*\n)?Observations?:", r"\s*Code output:"]),
    summaries=_beginning(
        [
            r"\s*This session is being continued from a previous conversation",
            r"\s*Another language model started",
            r"\s*The conversation history before this point was compacted",
            r"\s*I spoke to you previously about",
            r"\s*What did we do so far\?\s*\z",
            r"\s*<(?:state_snapshot|conversation[_-]summary|compact(?:ed|ion)[_-](?:summary|history)|summary)>",
            r"(?i)\s*(?:here is|here's|below is|this is|the following is)?\s*(?:a|the)?\s*(?:\w+ )?summary of "
            r"(?:the|our|this|your)\s+(?:(?:previous|earlier|prior|preceding)\s+)?(?:conversation|chat|session)\b",
        ]
    ),
)

TAKEN_OUT = _beginning(
    [
        r"\s*\[NOTE\] Some previous conversation history",
        r"(?i)\s*\[?(?:earlier|previous|older) (?:conversation|messages|history|turns) (?:was|were|has been|have been) "
        r"(?:removed|truncated|omitted|compacted)\b",
    ]
)
"""How a message of the model's begins that tells of turns that were taken out."""
TAKEN_OUT_INITIALS = ("[", "e", "p", "o")
"""What each of them begins with, in lower case."""

_READ_FILES = r"(?s)\n?--- Content from referenced files ---.*?--- End of content ---"
_SESSION_CONTEXT = [
    r"\s*<session_context>",
    r"\s*This is (?:the )?(?:Gemini CLI|Qwen Code)\b",
    r"\s*(?:Here is|This is) the user's editor context",
]

AGENTS: Mapping[str, Ignore] = {
    "aider": Ignore(
        drop=_compiled([r"(?s)(?:\A|\n\n)# \*SEARCH/REPLACE block\* Rules:.*\z"]),
        skip=_beginning(
            [
                r"\s*Change get_factorial\(\)",
                r"\s*Refactor hello\(\) into",
                r"\s*I switched to a new code base",
                r"\s*(?:I have|These files have been) \*added these files to the chat\*",
                r"\s*I added these files to the chat:",
                r"\s*Here are (?:summaries of some files present in my git|some READ ONLY files)",
                r"\s*I am not sharing (?:any|the full contents of any) files",
            ]
        ),
    ),
    "claude-code": Ignore(
        tags=(
            "system-reminder",
            "local-command-caveat",
            "local-command-stdout",
            "local-command-stderr",
            "command-name",
            "command-message",
            "command-contents",
            "bash-input",
            "bash-stdout",
            "bash-stderr",
            "user-prompt-submit-hook",
            "ide_opened_file",
            "ide_selection",
        ),
        drop=_compiled([r"</?command-args>"]),
        skip=_beginning([r"\s*Caveat: The messages below", r"\s*\[Request interrupted by user"]),
        block="last",
    ),
    "cline": Ignore(
        tags=("environment_details", "explicit_instructions"),
        inside=("task", "user_message", "feedback", "answer"),
        results=_beginning([r"\s*\[[\w.-]+(?: for .{0,400}?)?\] Result:"]),
    ),
    "codex": Ignore(
        tags=("environment_context", "user_instructions", "turn_aborted", "user_shell_command", "skill"),
        drop=_compiled([r"(?s)\A\s*# AGENTS\.md instructions.*?</INSTRUCTIONS>"]),
        keep=_compiled([r"(?s)\n## My request for Codex:\s*(.*)\z"]),
        skip=_beginning([r"\s*# AGENTS\.md instructions", r"\s*<(?:environment_context|user_instructions)>"]),
    ),
    "copilot": Ignore(
        tags=(
            "current_datetime",
            "system_reminder",
            "system_notification",
            "reminder",
            "reminderInstructions",
            "attachments",
            "context",
            "editorContext",
            "environment_info",
            "workspace_info",
        ),
        inside=("userRequest",),
    ),
    "crewai": Ignore(
        keep=_compiled(
            [
                r"(?s)\A\s*Current Task:\s*(.*?)(?:\n\s*(?:This is the expect\w+ criteria|This is the context you"
                r"|you MUST return|Begin!|Provide your complete response).*)?\z"
            ]
        )
    ),
    "gemini-cli": Ignore(tags=("session_context",), drop=_compiled([_READ_FILES]), skip=_beginning(_SESSION_CONTEXT)),
    "mini-swe-agent": Ignore(
        keep=_compiled([r"(?s)\A\s*Please solve this issue:\s*(.*?)\n\n(?:You can execute bash|## |<\w+>).*\z"]),
        results=_beginning([r"\s*<returncode>"]),
    ),
    "opencode": Ignore(tags=("system-reminder",), block="first"),
    "qwen-code": Ignore(
        tags=("session_context", "system-reminder"), drop=_compiled([_READ_FILES]), skip=_beginning(_SESSION_CONTEXT)
    ),
    "roo-code": Ignore(
        tags=("environment_details",),
        inside=("task", "user_message", "feedback", "answer"),
        results=_beginning([r"\s*\[[\w.-]+(?: for .{0,400}?)?\] Result:"]),
    ),
    "smolagents": Ignore(keep=_compiled([r"(?s)\A\s*New task:\s*(.*)\z"])),
}
"""By the name that ``ignore: [{agent: NAME}]`` of a profile says."""


def _all() -> Ignore:
    together = reduce(Ignore.with_, AGENTS.values(), EVERY)
    return Ignore(
        tags=tuple(dict.fromkeys(together.tags)),
        inside=tuple(dict.fromkeys(together.inside)),
        drop=together.drop,
        keep=together.keep,
        skip=together.skip,
        results=together.results,
        summaries=together.summaries,
    )


ALL = _all()
"""Every agent's at once, for messages of an agent that nobody named."""
