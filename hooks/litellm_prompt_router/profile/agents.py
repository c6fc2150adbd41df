"""Ready-made ``ignore:`` rules of well-known agents: agents.yaml, read at import and validated as a profile's rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.parsing import parse_yaml, read_text
from litellm_prompt_router.documents.problems import explain_validation_error
from litellm_prompt_router.profile.ignore_rules import IgnoreFile, IgnoreRules, ignore_of
from litellm_prompt_router.profile.patterns import compile_pattern
from litellm_prompt_router.profile.profile import Ignore, ValuePattern

AGENTS_FILE = Path(__file__).with_name("agents.yaml")


class AgentsFile(BaseModel):
    """The fields of agents.yaml, which its comments explain."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    every_agent: IgnoreRules
    model_messages: IgnoreRules
    model_message_initials: tuple[Annotated[str, Field(min_length=1, max_length=1)], ...]
    agents: dict[str, IgnoreRules]


def read_agents_file() -> AgentsFile:
    """The document as it is shipped. Raises ConfigurationError."""
    try:
        return AgentsFile.model_validate(parse_yaml(read_text(AGENTS_FILE, AGENTS_FILE.name), AGENTS_FILE.name))
    except ValidationError as error:
        raise ConfigurationError(explain_validation_error(error, AGENTS_FILE.name, AgentsFile)) from None


def _rules(declared: Sequence[IgnoreFile], name: str) -> Ignore:
    """The rules together, with one pattern for all of a kind that is matched at a block's beginning.

    A block is then looked at once for each kind. Raises ConfigurationError with every problem.
    """
    problems: list[str] = []
    ignore = ignore_of(declared, f"{AGENTS_FILE.name}: {name}", problems, agents={})
    if problems:
        raise ConfigurationError(problems)
    return replace(
        ignore,
        skip=_alternation(rule.skip for rule in declared),
        results=_alternation(rule.result for rule in declared),
        summaries=_alternation(rule.summary for rule in declared),
    )


def _alternation(patterns: Iterable[str | None]) -> tuple[ValuePattern, ...]:
    joined = "|".join(f"(?:{pattern})" for pattern in patterns if pattern is not None)
    return (compile_pattern(joined),) if joined else ()


_FILE = read_agents_file()

EVERY_AGENT = _rules(_FILE.every_agent, "every_agent")
"""The rules that hold for every agent, whatever its profile."""

HISTORY_REMOVED = _rules(_FILE.model_messages, "model_messages").summaries
"""Patterns for the beginning of an assistant message that an agent puts in place of removed turns."""
HISTORY_REMOVED_INITIALS = _FILE.model_message_initials
"""The first characters, in lower case, that those patterns can match."""

AGENTS: Mapping[str, Ignore] = {name: _rules(rules, f"agents.{name}") for name, rules in _FILE.agents.items()}
"""The ready-made sets, by the NAME of ``ignore: [{agent: NAME}]`` in a profile."""


def _all() -> Ignore:
    together = reduce(Ignore.with_, AGENTS.values(), EVERY_AGENT)
    return replace(
        together,
        tags=tuple(dict.fromkeys(together.tags)),
        inside=tuple(dict.fromkeys(together.inside)),
        block="all",
    )


ALL_AGENTS = _all()
"""All sets together, for messages of an unknown agent."""
