"""The decision: state first, then words.

Walks the conversation once. The core is always there; a tool call brings the module that owns the tool; each
user message brings what its triggers name and, in a fitted profile, what its scores speak for. A follow-up and
small talk bring nothing of their own. What was brought stays, and where it was first needed is known from the history
alone.

Without a calibrated fit nobody knows what a message needs. There the first message brings every module but what is
known not to be needed (request/route/uncalibrated.py), and triggers add to that. In a fitted profile a task that names
nothing known brings everything (fallback).

A fitted profile also falls back where its promise doesn't reach: without a calibrated threshold, for words the
table has no evidence for, for an attachment without text, when nothing scores above the threshold, and when
most of the prompt was selected anyway. Where the meaning of a message is known (``Lookup``), its score speaks
beside that of the words, through a gate and a threshold of its own.

Of a user message the user's own words are read (request/route/own_words.py); one without any is passed over, as a
tool's result is. Where the history isn't whole, the modules that the missing part brought are unknown, and every
module is sent: where a summary stands in place of earlier turns, and where the history begins with a tool call or its
result. All that is told by the request alone, so that every replica tells it alike; a window that slides to a user
message can't be told, and there a tool call brings its module back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from litellm_prompt_router.profile.agents import EVERY_AGENT
from litellm_prompt_router.profile.fitted import Fitted, Floats
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route.agent_words import MAX_SAID_CHARS, AgentReader, call_in_answer, is_answer
from litellm_prompt_router.request.route.embeddings import (
    Lookup,
    MessageEmbedding,
    in_context,
    no_embeddings,
    promised,
    semantic_scores,
)
from litellm_prompt_router.request.route.needed_modules import Need, closure_of, core_evidence
from litellm_prompt_router.request.route.own_words import own_words, stands_for_history
from litellm_prompt_router.request.route.reader import MessageReading, Reader, lengths_of
from litellm_prompt_router.request.route.routing_answers import (
    AnswerLookup,
    RoutingAnswer,
    RoutingQuestion,
    no_answers,
)
from litellm_prompt_router.request.route.routing_model_part import RoutingModelPart
from litellm_prompt_router.request.route.scores import GateState, Scores, Trace, WeighedMessage, values
from litellm_prompt_router.request.route.uncalibrated import NOT_CALIBRATED, UncalibratedBase
from litellm_prompt_router.request.types import RESULT_ROLES, MessageKind, RoutingDecision, Turn

MAX_WALKS = 1024
"""Conversations remembered up to their latest user message, for each profile: as hashes and module numbers, no text."""
MOST_TOKENS_SHARE = 0.9
"""A selection of more of the prompt than this isn't worth a rewrite: everything is sent, and stays."""
SHORTENED = "the history was shortened"
NO_MESSAGE = "no user message"


@dataclass(slots=True)
class _Walk:
    """How far a conversation has been read: everything that the next turn's reading depends on."""

    need: Need
    state: GateState
    kind: MessageKind = "none"
    fallback: str | None = None
    query_chars: int = 0
    in_use: set[int] = field(default_factory=set)
    absent: frozenset[int] = frozenset()
    """Modules that the base lacks because their tools aren't declared and weren't called so far."""
    has_base: bool = False
    """True once a message was there of which nobody said what it needs."""
    asked: Floats | None = None
    """What the user's messages so far add to what the agent's words speak for; None: not known yet."""

    def restart(self, anew: _Walk) -> None:
        """This very walk as if it began here."""
        self.need, self.state, self.fallback, self.in_use = anew.need, anew.state, None, set()
        self.has_base = False

    def copy(self) -> _Walk:
        return replace(self, need=self.need.copy(), state=self.state.copy(), in_use=set(self.in_use))


class Router:
    """One profile, prepared for routing. ``decide`` is a pure function of the conversation."""

    def __init__(self, profile: Profile) -> None:
        self._owner_of_tool = {tool: n for n, module in enumerate(profile.modules) for tool in module.tools}
        self._requires = {n: closure_of(n, profile) for n in range(len(profile.modules))}
        self._core = core_evidence(profile, self._requires)
        self._ids = tuple(module.id for module in profile.modules)
        self._ignore = EVERY_AGENT.with_(profile.ignore)
        self._read = Reader(profile, self._ignore).read
        self._tokens = tuple(module.tokens for module in profile.modules)
        self._most_tokens = MOST_TOKENS_SHARE * sum(self._tokens)
        self._fitted: Fitted | None = profile.fitted
        self._column = {m: c for c, m in enumerate(profile.fitted.table.columns)} if profile.fitted else {}
        self._semantics = promised(profile.fitted)
        self._base = None if profile.is_calibrated else UncalibratedBase(profile)
        self._model = None if profile.routing_model is None else profile.routing_model.model
        self._asking = None if self._model is None else RoutingModelPart(profile, self._ignore, self._owner_of_tool)
        self._agent = AgentReader(profile)
        self._walks: dict[tuple[int, int], _Walk] = {}

    @property
    def section_ids(self) -> tuple[str, ...]:
        """The ids that a routing model may name; none where the profile has no such model."""
        return () if self._asking is None else self._asking.section_ids

    @property
    def reads_declared_tools(self) -> bool:
        """True where a decision depends on the tools that the request declares."""
        return self._base is not None and self._base.reads_tools

    def decide(
        self,
        turns: Iterable[Turn],
        *,
        latest_only: bool = False,
        trace: Trace | None = None,
        lookup: Lookup = no_embeddings,
        to_embed: Mapping[int, str] | None = None,
        answers: AnswerLookup = no_answers,
        questions: Mapping[int, RoutingQuestion] | None = None,
        declared: frozenset[str] | None = None,
    ) -> RoutingDecision:
        """The modules this conversation needs by now, from its user messages and tool calls.

        ``latest_only``: only what the latest task and the tool calls behind it need. ``trace`` is filled on the way.
        ``lookup`` gives the messages' vectors; one without a vector is scored by its words. ``to_embed``:
        what ``texts_to_embed`` says of these turns, where somebody asked already. ``answers``: what the routing model
        said to ``questions``, which are those that the method of this name gives; a message without an answer is routed
        by its words and meaning, and ``no_answers`` as if there were no such model. ``declared``: the names of the
        tools that the request declares; None where they aren't known, and then no module is left out for want of one.
        """
        turns = tuple(turns)
        absent = frozenset[int]() if self._base is None else self._base.absent(declared)
        to_embed = self.texts_to_embed(turns) if to_embed is None else to_embed
        embeddings = self._embeddings(lookup, to_embed)
        answered: dict[int, RoutingAnswer] | None = None
        if self._asking is not None and answers is not no_answers:
            questions = self.questions(turns, lookup=lookup, to_embed=to_embed) if questions is None else questions
            answered = self._answers(answers, questions)
        if latest_only or trace is not None:
            begin, walk = 0, self._started_anew(absent)
        else:
            begin, walk = self._resumed(turns, embeddings, answered, absent)
        self._advance(walk, turns, begin, len(turns), embeddings, answered, latest_only=latest_only, trace=trace)
        if walk.kind == "none":
            self._send_all(walk, NO_MESSAGE, at=len(turns) - 1)
        return RoutingDecision(
            selected=walk.need.selected(),
            arrivals=walk.need.arrivals(),
            message_kind=walk.kind,
            is_fallback=walk.fallback is not None,
            fallback_reason=walk.fallback,
            query_chars=walk.query_chars,
        )

    def decide_all(self, turns: Sequence[Turn], reason: str) -> RoutingDecision:
        """Every module from the start, for a conversation of which only ``turns`` are known."""
        walk = self._started_anew()
        walk.need.bring_all(reason, at=-1)
        asked = next((turn for turn in reversed(turns) if turn.role == "user"), None)
        reading = None if asked is None else self._read(asked, started=True)
        return RoutingDecision(
            selected=walk.need.selected(),
            arrivals=(),
            message_kind="none" if reading is None else reading.kind,
            is_fallback=True,
            fallback_reason=reason,
            query_chars=0 if reading is None else reading.chars,
        )

    def texts_to_embed(self, turns: Sequence[Turn]) -> dict[int, str]:
        """What an embedding model is to be asked for, by turn: each message that is scored, in its context."""
        wanted: dict[int, str] = {}
        if self._semantics is None:
            return wanted
        is_started = False
        texts = in_context(turns, lambda turn: own_words(turn, self._ignore).text)
        for at, turn in enumerate(turns):
            if turn.role == "user":
                reading = self._read(turn, started=is_started)
                if reading.scores is not None:
                    wanted[at] = texts.get(at, "")
                is_started = is_started or reading.kind != "none" or reading.is_shortened
        return wanted

    def questions(
        self, turns: Sequence[Turn], *, lookup: Lookup = no_embeddings, to_embed: Mapping[int, str] | None = None
    ) -> dict[int, RoutingQuestion]:
        """What a routing model is to be asked, by user turn; answered before or not."""
        if self._asking is None:
            return {}
        asked: list[int] = []
        is_started = False
        for at, turn in enumerate(turns):
            if turn.role == "user":
                reading = self._read(turn, started=is_started)
                asked += [at] if reading.kind == "task" else []
                is_started = is_started or reading.kind != "none" or reading.is_shortened
        if asked and not self._asking.is_asked_always:
            trace = Trace()
            self.decide(turns, trace=trace, lookup=lookup, to_embed=to_embed)
            sure = {seen.turn for seen in trace.weighed if self._asking.is_sure(seen)}
            asked = [at for at in asked if at not in sure]
        return self._asking.questions(turns, asked)

    def _answers(self, answers: AnswerLookup, questions: Mapping[int, RoutingQuestion]) -> dict[int, RoutingAnswer]:
        """By turn, for the messages whose answers are known."""
        model = self._model or ""
        return {at: found for at, question in questions.items() if (found := answers(model, question)) is not None}

    def _embeddings(self, lookup: Lookup, wanted: Mapping[int, str]) -> dict[int, MessageEmbedding]:
        """By turn, for the messages whose vectors are known."""
        if self._semantics is None or not wanted:
            return {}
        found = lookup(self._semantics.model, tuple(dict.fromkeys(wanted.values())))
        size = self._semantics.vectors.shape[1]
        return {at: m for at, text in wanted.items() if (m := found.get(text)) is not None and len(m.vector) == size}

    def _resumed(
        self,
        turns: tuple[Turn, ...],
        embeddings: Mapping[int, MessageEmbedding],
        answered: Mapping[int, RoutingAnswer] | None,
        absent: frozenset[int],
    ) -> tuple[int, _Walk]:
        """Where the walk begins, and what is known there: every call sends again what the calls before it sent.

        Walks are remembered ahead of a user message, where all earlier tool calls have their results, under a hash
        of what routing reads of the turns up to there, and of what the request's tools leave out.
        """
        keys: list[tuple[int, int]] = []
        key = hash((absent, answered is None)) if absent or answered is not None else 0
        is_listening = self._agent.is_listening
        for at, turn in enumerate(turns):
            if turn.role == "user":
                keys.append((at, key))
                embedding = embeddings.get(at)
                key = hash((key, turn.text, lengths_of(turn), turn.attachments, embedding and embedding.digest))
                if answered is not None:
                    key = hash((key, answered.get(at)))
            else:
                role, text, _, calls, _, _, declared, arguments = turn
                said = (text[-MAX_SAID_CHARS:], arguments) if is_listening and role == "assistant" else None
                key = hash((key, role, calls, declared, stands_for_history(turn, self._ignore), said))
        for at, known in reversed(keys):
            walk = self._walks.get((at, known))
            if walk is not None:
                break
        else:
            at, walk = 0, self._started_anew(absent)
        if keys and keys[-1][0] > at:
            walk = walk.copy()
            self._advance(walk, turns, at, keys[-1][0], embeddings, answered)
            at = keys[-1][0]
            if len(self._walks) >= MAX_WALKS:
                self._walks.pop(next(iter(self._walks)), None)
            self._walks[keys[-1]] = walk
        return at, walk.copy()

    def _started_anew(self, absent: frozenset[int] = frozenset()) -> _Walk:
        return _Walk(Need(self._core, self._requires, self._ids), GateState(len(self._column)), absent=absent)

    def _advance(
        self,
        walk: _Walk,
        turns: Sequence[Turn],
        begin: int,
        end: int,
        embeddings: Mapping[int, MessageEmbedding],
        answered: Mapping[int, RoutingAnswer] | None,
        *,
        latest_only: bool = False,
        trace: Trace | None = None,
    ) -> None:
        """Takes the walk from turn ``begin`` to turn ``end``. ``answered`` None: no routing model is asked."""
        for at in range(begin, end):
            turn = turns[at]
            walk.need.is_late = walk.kind != "none"
            if at == 0 and (turn.role in RESULT_ROLES or turn.tool_calls) and not latest_only:
                self._send_all(walk, SHORTENED, at=at)
            for tool in turn.tool_calls:
                if tool in self._owner_of_tool:
                    owner = self._owner_of_tool[tool]
                    walk.need.bring(owner, "tool_call", tool, at=_behind_results(turns, at))
                    walk.in_use.add(owner)
                    walk.absent -= {owner}
                    walk.state.is_later = True
            if turn.declared != frozenset() and walk.absent:
                self._come_in(walk, turns, at)
            if turn.role != "user":
                if stands_for_history(turn, self._ignore):
                    self._send_all(walk, SHORTENED, at=_behind_results(turns, at))
                elif turn.role == "assistant" and self._agent.is_listening and walk.need.is_late:
                    self._listen(walk, turns, at)
                continue
            reading = self._read(turn, started=walk.need.is_started)
            if reading.kind == "none" and walk.need.is_late and self._agent.is_listening and is_answer(turns[at - 1]):
                self._listen(walk, turns, at - 1, results=at)
            if reading.is_shortened:
                self._send_all(walk, SHORTENED, at=at)
                walk.kind = "follow_up" if walk.kind == "none" else walk.kind
            elif reading.kind != "none":
                walk.need.inherit()
                if latest_only and reading.kind != "follow_up":
                    walk.restart(self._started_anew())
                answer = None if answered is None else answered.get(at)
                self._take(walk, reading, at, trace, embeddings.get(at), answer, asks=answered is not None)

    def _listen(self, walk: _Walk, turns: Sequence[Turn], said: int, *, results: int | None = None) -> None:
        """Modules that the agent's own words in turn ``said`` call for: there from its next call on.

        ``results``: the turn that has what its words led to, where no call says which.
        """
        if walk.need.is_all:
            return
        heard = self._agent.hear(turns[said])
        wanted = [*heard.named]
        if heard.spoken is not None:
            walk.asked = self._agent.asked(walk.state) if walk.asked is None else walk.asked
            wanted += self._agent.called_for(heard, walk.asked)
        wanted = [(module, detail) for module, detail in wanted if not walk.need.has(module)]
        if not wanted:
            return
        if results is None:
            call = call_in_answer(turns, said)
            if call is None:
                return
            results = _behind_results(turns, call)
        for module, detail in wanted:
            if not walk.need.has(module):
                walk.need.bring(module, "assistant", detail, at=results)

    def _come_in(self, walk: _Walk, turns: Sequence[Turn], at: int) -> None:
        """Modules whose tools turn ``at`` declares: there from now on; from the start where nothing was asked yet."""
        assert self._base is not None
        for module, tool in self._base.declared_later(walk.absent, turns[at].declared).items():
            walk.absent -= {module}
            if walk.need.is_late and walk.has_base:
                walk.need.bring(module, "tool_call", tool, at=_behind_results(turns, at))

    def _send_all(self, walk: _Walk, reason: str, *, at: int) -> None:
        """Every module from turn ``at`` on: which ones were in use before can't be told."""
        if walk.need.bring_all(reason, at=at) or walk.fallback is None:
            walk.fallback = reason if walk.fallback in (None, NOT_CALIBRATED) else walk.fallback

    def _take(
        self,
        walk: _Walk,
        reading: MessageReading,
        at: int,
        trace: Trace | None,
        embedding: MessageEmbedding | None,
        answer: RoutingAnswer | None,
        *,
        asks: bool,
    ) -> None:
        """What one user message brings. ``asks``: a routing model is asked about those that say what to do."""
        need = walk.need
        walk.kind, reason, walk.asked = reading.kind, reading.fallback, None
        walk.query_chars = reading.chars
        if trace is not None:
            trace.triggered.update(reading.found)
            trace.fallbacks.extend([reason] if reason is not None and answer is None else ())
        had_nothing = need.is_core_alone
        for module, trigger in sorted(reading.found.items()):
            need.bring(module, "trigger", trigger, at=at)
        if reading.scores is not None and not reading.scores.is_known and embedding is None:
            reason = reading.unknown
            if trace is not None and answer is None:
                trace.fallbacks.extend([reason] if reason is not None else ())
        elif reading.scores is not None:
            seen = self._weigh(reading.scores, walk.state, walk.in_use, at, embedding)
            if trace is not None:
                trace.weighed.append(seen)
            surely = None if answer is None or self._asking is None else self._asking.surely(seen)
            chosen = self._chosen(seen, need, surely)
            if answer is None:
                chosen = chosen or self._guessed(seen, reading, had_nothing)
            for module, detail in chosen:
                need.bring(module, "score", detail, at=at)
            if answer is not None or not need.is_core_alone:
                reason = reason or ("nearly everything was selected" if self._is_most(need) else None)
            elif walk.kind == "task":
                walk.kind = "small_talk"
        walk.state.is_later = True
        if answer is not None and self._asking is not None:
            need.is_started = True
            for module, detail in self._asking.named(answer):
                if not need.has(module):
                    need.bring(module, "model", detail, at=at)
            return
        if self._fitted is None:
            reason = reading.unreadable
        walk.has_base = walk.has_base or not asks or walk.kind == "task"
        if reason is not None:
            self._send_all(walk, reason, at=at)
        elif (
            self._base is not None
            and walk.has_base
            and need.bring_base(self._base.modules(walk.absent), NOT_CALIBRATED, at=at)
        ):
            walk.fallback = walk.fallback or NOT_CALIBRATED

    def _weigh(
        self, scores: Scores, state: GateState, in_use: set[int], at: int, embedding: MessageEmbedding | None
    ) -> WeighedMessage:
        assert self._fitted is not None
        used = sorted(self._column[module] for module in in_use if module in self._column)
        gate, semantic = self._fitted.gate, None
        if embedding is not None and self._semantics is not None:
            gate, semantic = self._semantics.gate, semantic_scores(self._semantics, embedding)
        inputs = state.inputs(scores, used, semantic)
        state.remember(scores)
        return WeighedMessage(at, inputs, values(gate, inputs), semantic is not None)

    def _chosen(self, seen: WeighedMessage, need: Need, threshold: float | None = None) -> list[tuple[int, str]]:
        """Modules at or above the threshold that nothing else brought, with what to say of them."""
        assert self._fitted is not None
        of = self._semantics if seen.is_fused and self._semantics is not None else self._fitted
        columns, found = self._fitted.table.columns, seen.values
        threshold = of.calibration.threshold if threshold is None else threshold
        chosen = [(columns[c], found[c]) for c in np.flatnonzero(found >= threshold).tolist()]
        return [(module, f"{value:.2f}") for module, value in chosen if not need.has(module)]

    def _guessed(self, seen: WeighedMessage, reading: MessageReading, had_nothing: bool) -> list[tuple[int, str]]:
        """For a task behind which nothing but the core was there, the best of what stays below the threshold.

        Its misses are what the promise allows for. A trigger makes no difference to it, so that triggers only add.
        """
        assert self._fitted is not None
        if not had_nothing or reading.kind != "task" or reading.scores is None or reading.scores.is_chat:
            return []
        best = int(seen.values.argmax())
        return [(self._fitted.table.columns[best], f"{seen.values[best]:.2f}")]

    def _is_most(self, need: Need) -> bool:
        return sum(self._tokens[module] for module in need) > self._most_tokens


def _behind_results(turns: Sequence[Turn], call: int) -> int:
    """The last result of the tool calls in turn ``call``: parallel calls stay together with their results."""
    last = call
    while last + 1 < len(turns) and turns[last + 1].role in RESULT_ROLES:
        last += 1
    return last
