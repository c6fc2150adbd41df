"""``ignore:`` of a profile.yaml: rules for what its agent adds to user messages beside the user's own words.

A rule has one field. ``agent`` takes over a ready-made set of agents.yaml; the others are those of Ignore.
Patterns are RE2's, and an upper bound on their size keeps a profile from slowing requests down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from litellm_prompt_router.profile.patterns import compile_pattern
from litellm_prompt_router.profile.profile import Ignore, ValuePattern

MAX_RULES = 50
MAX_PATTERN_CHARS = 2_000

_Pattern = Annotated[str, Field(min_length=1, max_length=MAX_PATTERN_CHARS)]
_Tag = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.:-]*$", max_length=100)]


class IgnoreFile(BaseModel):
    """``ignore[]`` of profile.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agent: str | None = None
    tag: _Tag | None = None
    inside: _Tag | None = None
    drop: _Pattern | None = None
    keep: _Pattern | None = None
    skip: _Pattern | None = None
    result: _Pattern | None = None
    summary: _Pattern | None = None
    block: Literal["first", "last"] | None = None

    @model_validator(mode="after")
    def _has_one_field(self) -> Self:
        if len(self.model_fields_set) != 1 or next(iter(self.model_dump(exclude_none=True)), None) is None:
            raise ValueError(f"a rule has one field of {', '.join(IgnoreFile.model_fields)}; make it one rule each")
        return self


IgnoreRules = Annotated[tuple[IgnoreFile, ...], Field(max_length=MAX_RULES)]


def ignore_of(
    declared: Sequence[IgnoreFile], where: str, problems: list[str], *, agents: Mapping[str, Ignore]
) -> Ignore:
    """The valid rules together; what is wrong with the others is added to ``problems``.

    ``agents``: the ready-made sets that a rule may name.
    """
    rules: list[Ignore] = []
    for number, rule in enumerate(declared):
        [(name, value)] = rule.model_dump(exclude_none=True).items()
        path = f"{where}: ignore[{number}].{name}"
        try:
            rules.append(_rule(name, value, agents))
        except ValueError as error:
            problems.append(f"{path}: {error}")
    return reduce(Ignore.with_, rules, Ignore())


def _rule(name: str, value: str, agents: Mapping[str, Ignore]) -> Ignore:
    """One rule. Raises ValueError saying what is wrong with it."""
    match name:
        case "agent":
            if value not in agents:
                raise ValueError(f"no ready-made set of that name; there are {', '.join(sorted(agents))}")
            return agents[value]
        case "tag":
            return Ignore(tags=(value,))
        case "inside":
            return Ignore(inside=(value,))
        case "block":
            return Ignore(block="first" if value == "first" else "last")
        case "drop":
            return Ignore(drop=(_compiled(value),))
        case "keep":
            return Ignore(keep=(_compiled(value, groups=1),))
        case "skip":
            return Ignore(skip=(_compiled(value),))
        case "result":
            return Ignore(results=(_compiled(value),))
        case _:
            return Ignore(summaries=(_compiled(value),))


def _compiled(pattern: str, *, groups: int | None = None) -> ValuePattern:
    compiled = compile_pattern(pattern)
    if compiled.match("") is not None:
        raise ValueError("matches where there is nothing, so it says nothing; narrow it")
    if groups is not None and compiled.groups != groups:
        raise ValueError("needs one group, the user's own words: (...); use (?:...) for others")
    return compiled
