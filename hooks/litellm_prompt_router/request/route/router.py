"""The decision: state first, then words.

Walks the conversation once. The core is always there; a tool call brings the module that owns the tool; each
user message brings what its triggers name and, in a fitted profile, what its scores speak for. A follow-up and
small talk bring nothing of their own. What was brought stays, and where it was first needed is known from the history
alone.

Without a calibrated fit nobody knows what a message needs. There the first message brings every module but what is
known not to be needed (request/route/uncalibrated.py), and triggers add to that. In a fitted profile a task that names
nothing known brings everything (fallback).

What a user message brings is told by request/route/message_needs.py; how far a conversation was read, and what is
remembered of it, by request/route/walk.py.

Of a user message the user's own words are read (request/route/own_words.py); one without any is passed over, as a
tool's result is. Where the history isn't whole, the modules that the missing part brought are unknown, and every
module is sent: where a summary stands in place of earlier turns, and where the history begins with a tool call or its
result. All that is told by the request alone, so that every replica tells it alike; a window that slides to a user
message can't be told, and there a tool call brings its module back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from litellm_prompt_router.profile.agents import EVERY_AGENT
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.history import History
from litellm_prompt_router.request.route.agent_words import AgentReader, call_in_answer, is_answer
from litellm_prompt_router.request.route.embeddings import (
    Lookup,
    MessageEmbedding,
    each_in_context,
    no_embeddings,
    promised,
)
from litellm_prompt_router.request.route.message_needs import MessageNeeds
from litellm_prompt_router.request.route.needed_modules import Need, closure_of, core_evidence
from litellm_prompt_router.request.route.own_words import own_words, stands_for_history
from litellm_prompt_router.request.route.reader import MessageReading, Reader
from litellm_prompt_router.request.route.routing_answers import (
    AnswerLookup,
    RoutingAnswer,
    RoutingQuestion,
    no_answers,
)
from litellm_prompt_router.request.route.routing_model_part import RoutingModelPart
from litellm_prompt_router.request.route.scores import GateState, Trace
from litellm_prompt_router.request.route.uncalibrated import UncalibratedBase
from litellm_prompt_router.request.route.walk import ENDING, RememberedWalks, Walk, WalkVariant, is_settled
from litellm_prompt_router.request.slices import (
    MAX_UNSLICED_TURNS,
    SLICE_CHARS,
    SLICE_TURNS,
    Slices,
    at_once,
    in_slices,
)
from litellm_prompt_router.request.types import RESULT_ROLES, RoutingDecision, Turn

SHORTENED = "the history was shortened"
NO_MESSAGE = "no user message"


class Router:
    """One profile, prepared for routing. ``decide`` is a pure function of the conversation."""

    def __init__(self, profile: Profile) -> None:
        self._owner_of_tool = {tool: n for n, module in enumerate(profile.modules) for tool in module.tools}
        self._requires = {n: closure_of(n, profile) for n in range(len(profile.modules))}
        self._core = core_evidence(profile, self._requires)
        self._ids = tuple(module.id for module in profile.modules)
        self._ignore = EVERY_AGENT.with_(profile.ignore)
        self._read = Reader(profile, self._ignore).read
        self._columns = len(profile.fitted.table.columns) if profile.fitted else 0
        self._semantics = promised(profile.fitted)
        self._base = None if profile.is_calibrated else UncalibratedBase(profile)
        self._model = None if profile.routing_model is None else profile.routing_model.model
        self._asking = None if self._model is None else RoutingModelPart(profile, self._ignore, self._owner_of_tool)
        self._agent = AgentReader(profile)
        self._messages = MessageNeeds(profile, self._base, self._asking)
        self._walks = RememberedWalks()

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
        return at_once(
            self.deciding(
                turns,
                latest_only=latest_only,
                trace=trace,
                lookup=lookup,
                to_embed=to_embed,
                answers=answers,
                questions=questions,
                declared=declared,
            )
        )

    def deciding(
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
    ) -> Slices[RoutingDecision]:
        """What ``decide`` gives."""
        turns = History.of(turns)
        absent = frozenset[int]() if self._base is None else self._base.absent(declared)
        to_embed = (yield from self.finding_texts(turns)) if to_embed is None else to_embed
        embeddings = self._embeddings(lookup, to_embed)
        answered: dict[int, RoutingAnswer] | None = None
        if self._asking is not None and answers is not no_answers:
            if questions is None:
                questions = yield from self.finding_questions(turns, lookup=lookup, to_embed=to_embed)
            answered = self._answers(answers, questions)
        if latest_only or trace is not None:
            begin, walk = 0, self._started_anew(absent)
        else:
            begin, walk = yield from self._resumed(turns, WalkVariant(absent, embeddings, answered))
        yield from self._advance(
            walk,
            turns,
            begin,
            len(turns),
            embeddings,
            answered,
            latest_only=latest_only,
            trace=trace,
            is_sliced=len(turns) - begin > MAX_UNSLICED_TURNS,
        )
        if walk.kind == "none":
            walk.send_all(NO_MESSAGE, at=len(turns) - 1)
        return RoutingDecision(
            selected=walk.need.selected(),
            arrivals=walk.need.arrivals(),
            message_kind=walk.kind,
            is_fallback=walk.fallback is not None,
            fallback_reason=walk.fallback,
            query_chars=walk.query_chars,
            turn_number=walk.turn_number,
            is_new_message=walk.message_at >= 0 and not _is_answered(turns, walk.message_at),
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
        return at_once(self.finding_texts(turns))

    def finding_texts(self, turns: Sequence[Turn]) -> Slices[dict[int, str]]:
        """What ``texts_to_embed`` gives."""
        if self._semantics is None:
            return {}
        own = each_in_context(turns, lambda turn: own_words(turn, self._ignore).text)
        texts = dict((yield from in_slices(own)))
        readings = yield from in_slices(self._readings(turns))
        return {at: texts.get(at, "") for at, reading in readings if reading.scores is not None}

    def questions(
        self, turns: Sequence[Turn], *, lookup: Lookup = no_embeddings, to_embed: Mapping[int, str] | None = None
    ) -> dict[int, RoutingQuestion]:
        """What a routing model is to be asked, by user turn; answered before or not."""
        return at_once(self.finding_questions(turns, lookup=lookup, to_embed=to_embed))

    def finding_questions(
        self, turns: Sequence[Turn], *, lookup: Lookup = no_embeddings, to_embed: Mapping[int, str] | None = None
    ) -> Slices[dict[int, RoutingQuestion]]:
        """What ``questions`` gives."""
        if self._asking is None:
            return {}
        readings = yield from in_slices(self._readings(turns))
        asked = [at for at, reading in readings if reading.kind == "task"]
        if asked and not self._asking.is_asked_always:
            trace = Trace()
            yield from self.deciding(turns, trace=trace, lookup=lookup, to_embed=to_embed)
            sure = {seen.turn for seen in trace.weighed if self._asking.is_sure(seen)}
            asked = [at for at in asked if at not in sure]
        return dict((yield from in_slices(self._asking.questions(turns, frozenset(asked)))))

    def _readings(self, turns: Sequence[Turn]) -> Iterator[tuple[int, MessageReading]]:
        """What each user message says by itself, by turn."""
        is_started = False
        for at, turn in enumerate(turns):
            if turn.role == "user":
                reading = self._read(turn, started=is_started)
                yield at, reading
                is_started = is_started or reading.kind != "none" or reading.is_shortened

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

    def _resumed(self, turns: History, variant: WalkVariant) -> Slices[tuple[int, Walk]]:
        """Where the walk begins, and what is known there: every call sends again what the calls before it sent."""
        at, walk = self._walks.latest(turns, variant) or (0, self._started_anew(variant.absent))
        for place in self._places_to_keep(turns, at):
            walk = walk.copy()
            is_sliced = len(turns) - at > MAX_UNSLICED_TURNS
            yield from self._advance(walk, turns, at, place, variant.embeddings, variant.answered, is_sliced=is_sliced)
            self._walks.remember(turns, place, variant, walk)
            at = place
        return at, walk.copy()

    def _places_to_keep(self, turns: History, begin: int) -> list[int]:
        """The last settled turn behind ``begin``, and ahead of it the last one ahead of a mark of the client's.

        A client that marks the history's moving end may write a message otherwise once its mark is gone.
        """
        last = len(turns) - 1
        if last < begin:
            return []
        ends = [last]
        if last > begin and (suspects := turns.chain.read().suspects):
            ends.insert(0, min(suspects[0], last))
        places = {next((at for at in range(end, begin, -1) if is_settled(turns, at)), begin) for end in ends}
        if turns[last].role in ENDING:
            places.add(last + 1)  # read once, though whether it is settled there the next call tells
        return sorted([place for place in places if place > begin])

    def _started_anew(self, absent: frozenset[int] = frozenset()) -> Walk:
        return Walk(Need(self._core, self._requires, self._ids), GateState(self._columns), absent=absent)

    def _advance(
        self,
        walk: Walk,
        turns: Sequence[Turn],
        begin: int,
        end: int,
        embeddings: Mapping[int, MessageEmbedding],
        answered: Mapping[int, RoutingAnswer] | None,
        *,
        latest_only: bool = False,
        trace: Trace | None = None,
        is_sliced: bool = False,
    ) -> Slices[None]:
        """Takes the walk from turn ``begin`` to turn ``end``. ``answered`` None: no routing model is asked."""
        chars = 0
        for at in range(begin, end):
            turn = turns[at]
            chars += len(turn.text)
            if is_sliced and (at % SLICE_TURNS == 0 or chars > SLICE_CHARS):
                chars = 0
                yield
            walk.need.is_late = walk.kind != "none"
            if at == 0 and (turn.role in RESULT_ROLES or turn.tool_calls) and not latest_only:
                walk.send_all(SHORTENED, at=at)
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
                    walk.send_all(SHORTENED, at=_behind_results(turns, at))
                elif turn.role == "assistant" and self._agent.is_listening and walk.need.is_late:
                    self._listen(walk, turns, at)
                continue
            reading = self._read(turn, started=walk.need.is_started)
            if reading.kind == "none" and walk.need.is_late and self._agent.is_listening and is_answer(turns[at - 1]):
                self._listen(walk, turns, at - 1, results=at)
            if reading.is_shortened:
                walk.send_all(SHORTENED, at=at)
                walk.kind = "follow_up" if walk.kind == "none" else walk.kind
            elif reading.kind != "none":
                walk.turn_number, walk.message_at = walk.turn_number + 1, at
                walk.need.inherit()
                if latest_only and reading.kind != "follow_up":
                    walk.restart(self._started_anew())
                answer = None if answered is None else answered.get(at)
                self._messages.take(walk, reading, at, trace, embeddings.get(at), answer, asks=answered is not None)

    def _listen(self, walk: Walk, turns: Sequence[Turn], said: int, *, results: int | None = None) -> None:
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

    def _come_in(self, walk: Walk, turns: Sequence[Turn], at: int) -> None:
        """Modules whose tools turn ``at`` declares: there from now on; from the start where nothing was asked yet."""
        assert self._base is not None
        for module, tool in self._base.declared_later(walk.absent, turns[at].declared).items():
            walk.absent -= {module}
            if walk.need.is_late and walk.has_base:
                walk.need.bring(module, "tool_call", tool, at=_behind_results(turns, at))


def _is_answered(turns: Sequence[Turn], message: int) -> bool:
    return any(turns[at].role == "assistant" for at in range(message + 1, len(turns)))


def _behind_results(turns: Sequence[Turn], call: int) -> int:
    """The last result of the tool calls in turn ``call``: parallel calls stay together with their results."""
    last = call
    while last + 1 < len(turns) and turns[last + 1].role in RESULT_ROLES:
        last += 1
    return last
