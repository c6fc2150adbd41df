"""What the agent says and passes to its tools while it works on a task, and the modules that this calls for.

Two things are read: tools that it names, which says surely whose module it is about, and, where a fit has learned what
to make of it, the score of its words. Results of tools are never read: strangers can write them. Nor are triggers,
which are for words of users. What it says last before the user speaks again belongs to that message's context.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.profile.fitted import AgentWords, Fitted, Floats
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route.own_words import INSTRUCTING
from litellm_prompt_router.request.route.scores import GateState, Scores, score
from litellm_prompt_router.request.route.triggers import folded
from litellm_prompt_router.request.types import RESULT_ROLES, Turn

MAX_SAID_CHARS = 300
"""Of a longer text the end is read: what the agent is going to do next. Every call sends all of it again."""
MAX_CALLS = 3
"""Calls of one turn whose arguments are read."""
MAX_HEARD = 8192
"""Turns remembered for each profile: as hashes, module numbers and scores, no text."""

_OTHERS = RESULT_ROLES | INSTRUCTING | {"user"}
"""Roles of turns that are no part of a model's answer."""
_NAMES = re.compile(r"[\w.:-]+")
_NO_WORD = re.compile(r"\w[_.:-]+\w|[a-z][A-Z]")
_ESCAPES = re.compile(r"\\(?:[nrt\"/]|u([0-9a-fA-F]{4}))")


class Heard(NamedTuple):
    """What one turn of the agent says by itself. ``named``: a tool by module.

    ``spoken``: by column, what its words add to the module's value, less the threshold; None: they say nothing.
    """

    named: tuple[tuple[int, str], ...]
    spoken: Floats | None = None
    highest: float = -np.inf


class AgentReader:
    """One profile, prepared for reading what its agent says."""

    def __init__(self, profile: Profile) -> None:
        fitted = profile.fitted
        self._fitted: Fitted | None = fitted
        self._words: AgentWords | None = None if fitted is None else fitted.agent_words
        is_chosen = profile.is_calibrated or profile.routing_model is not None
        self._owners = {
            tool: number
            for number, module in enumerate(profile.modules)
            if not module.always and (module.optional or is_chosen)
            for tool in module.tools
            if _NO_WORD.search(tool)
        }
        self._heard: dict[int, Heard] = {}
        register_memory(self, "agent messages heard", MAX_HEARD, lambda it: len(it._heard))
        self.is_listening = self._words is not None or bool(self._owners)
        """False where nothing that the agent says could bring a module."""

    def hear(self, turn: Turn) -> Heard:
        """What a turn says; remembered by its hash, since every call sends them all again."""
        key = digest_of_words(turn)
        heard = self._heard.get(key)
        if heard is None:
            if len(self._heard) >= MAX_HEARD:
                self._heard.pop(next(iter(self._heard)), None)
            heard = self._heard[key] = self._hear_anew(said_by(turn))
        return heard

    def asked(self, state: GateState) -> Floats:
        """By column, what the user's messages so far add to a module's value."""
        assert self._words is not None
        return user_inputs(state) @ self._words.weights[2:]

    def called_for(self, heard: Heard, asked: Floats) -> list[tuple[int, str]]:
        """The modules whose value reaches their threshold, with by how much."""
        if self._fitted is None or heard.spoken is None or heard.highest + float(asked.max()) < 0:
            return []
        values = heard.spoken + asked
        columns = self._fitted.table.columns
        return [(columns[c], f"{values[c]:.2f}") for c in np.flatnonzero(values >= 0).tolist()]

    def _hear_anew(self, said: str) -> Heard:
        names = {name.strip(".:-") for name in _NAMES.findall(said)} if self._owners else set()
        named = {self._owners[tool]: tool for tool in sorted(names & self._owners.keys(), reverse=True)}
        heard = Heard(tuple(sorted(named.items())))
        if self._fitted is None or self._words is None:
            return heard
        scores = score(self._fitted.table, folded(said))
        if not scores.is_known:
            return heard
        words = self._words
        spoken = np.round(spoken_inputs(scores) @ words.weights[:2] + words.bias - words.thresholds, 4)
        return heard._replace(spoken=spoken, highest=float(spoken.max()))


def digest_of_words(turn: Turn) -> int:
    """The same for turns that say the same. Takes no longer for a longer turn."""
    return hash((turn.text[-MAX_SAID_CHARS:], turn.arguments))


def is_answer(turn: Turn) -> bool:
    """True for words of the agent's without a call."""
    return turn.role == "assistant" and not turn.tool_calls


def call_in_answer(turns: Sequence[Turn], at: int) -> int | None:
    """The last turn of the answer that turn ``at`` belongs to; None where it calls no tool, and so ends the task.

    One answer may be several turns (Responses): its text, and each of its calls.
    """
    last = at
    while last + 1 < len(turns) and turns[last + 1].role not in _OTHERS:
        last += 1
    return last if any(turns[number].tool_calls for number in range(at, last + 1)) else None


def said_by(turn: Turn) -> str:
    """The agent's words in a turn, and the arguments of its calls without the escapes of JSON."""
    arguments = [_ESCAPES.sub(_unescaped, argument) for argument in turn.arguments[:MAX_CALLS]]
    return "\n".join((turn.text[-MAX_SAID_CHARS:], *arguments))


def _unescaped(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16)) if escape[1] else " "


def spoken_inputs(scores: Scores) -> Floats:
    """The first half of AGENT_INPUTS for each column: raw score and share of what the agent said."""
    return np.column_stack((scores.raw, scores.share))


def user_inputs(state: GateState) -> Floats:
    """The other half: the highest raw score and share of the user's messages so far."""
    return state.highest()
