"""The walk: read, recognise, route, compose, place breakpoints, write. The only file that knows the order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from litellm_prompt_router.profile.profile import DEFAULT_PLACEMENT, Placement, Profile
from litellm_prompt_router.request.compose import with_space_behind_seams
from litellm_prompt_router.request.cost_gate import (
    first_selected,
    leaves_nothing_out,
    modules_to_send,
    optional_tokens,
    with_modules,
)
from litellm_prompt_router.request.expected_use import ExpectedUse, declares_tools, expected_use
from litellm_prompt_router.request.history import HistoryMemory
from litellm_prompt_router.request.late_places import with_late_places
from litellm_prompt_router.request.marks_by_deployment import body_for, marking_of
from litellm_prompt_router.request.recognise import Catalogue
from litellm_prompt_router.request.remembered_plans import RememberedPlans
from litellm_prompt_router.request.route import (
    AnswerLookup,
    Lookup,
    Router,
    RoutingQuestion,
    no_answers,
    no_embeddings,
)
from litellm_prompt_router.request.slices import Slices, at_once
from litellm_prompt_router.request.types import (
    Passthrough,
    Recognition,
    Request,
    Rewritten,
    RoutingDecision,
    Target,
    UnreadableRequestError,
)
from litellm_prompt_router.request.walk_steps import (
    BodyForDeployment,
    EmbeddingsWanted,
    OpenedRequest,
    QuestionsWanted,
    RecognisedRequest,
    WalkResult,
)
from litellm_prompt_router.request.wire import SHAPES, EndpointShape, known_tools
from litellm_prompt_router.request.wire.marking import NO_INSTRUCTIONS, MarkPlan

CLOSE_COVERAGE = 0.2
"""An unrecognised prompt is drift when this share of its characters could be placed."""
CLOSE_LINES = 0.5
"""It is drift, too, when this share of the profile's lines is in it: an agent whose every section was edited a little
has no module left as it was."""


class Pipeline:
    """The profiles, prepared. Its stages are pure: no I/O, no clock, and their input is never changed.

    ``open`` -> ``recognise`` -> (``embeddings_wanted`` -> ``questions_wanted``) -> ``decide``; ``walk`` takes all of
    them at once. ``opening`` and ``deciding`` are the same in slices, for histories that take long.
    """

    def __init__(
        self,
        profiles: Sequence[Profile],
        count_tokens: Callable[[str], int],
        *,
        coverage_floor: float,
        placement: Placement | None = None,
        adds_marks: bool = False,
        gates_cost: bool = False,
    ) -> None:
        self.profiles = {profile.name: profile for profile in profiles}
        self._histories = HistoryMemory()
        self._plans = RememberedPlans(count_tokens, adds_marks=adds_marks)
        self._catalogue = Catalogue(profiles)
        self._routers = {profile.name: Router(profile) for profile in profiles}
        self._count_tokens = count_tokens
        self._coverage_floor = coverage_floor
        self._placement = placement
        self._adds_marks = adds_marks
        self._gates_cost = gates_cost
        # Profiles of one model wait alike: a message's vector is there for all of them, or for none.
        named = [profile.embedding for profile in profiles if profile.embedding is not None]
        self._embedding_timeouts = {
            each.model: min(other.timeout_seconds for other in named if other.model == each.model) for each in named
        }

    def walk(
        self,
        data: Mapping[str, Any],
        call_type: str,
        target: Callable[[], Target],
        *,
        only: str | None = None,
        lookup: Lookup = no_embeddings,
        answers: AnswerLookup = no_answers,
    ) -> WalkResult:
        """What becomes of one request body. ``only`` names the one profile that may be recognised.

        ``lookup`` gives the vectors of its messages to a profile that names an embedding model, ``answers`` what a
        routing model said of them.
        """
        opened = self.open(data, call_type)
        recognised = opened if isinstance(opened, WalkResult) else self.recognise(opened, only=only)
        if isinstance(recognised, WalkResult):
            return recognised
        return self.decide(recognised, target, lookup=lookup, answers=answers)

    def open(self, data: Mapping[str, Any], call_type: str) -> OpenedRequest | WalkResult:
        """The body in our types, before anything is decided on it; already an outcome where it can't be read."""
        return at_once(self.opening(data, call_type))

    def opening(self, data: Mapping[str, Any], call_type: str) -> Slices[OpenedRequest | WalkResult]:
        """What ``open`` gives."""
        shape = SHAPES.get(call_type)
        if shape is None:
            return WalkResult(outcome=Passthrough(reason="unsupported_endpoint"), body=data)
        try:
            request = yield from shape.outline(data).reading(self._histories)
        except UnreadableRequestError as error:
            return WalkResult(outcome=Passthrough(reason=error.reason), body=data)
        return OpenedRequest(data=data, shape=shape, request=request)

    def recognise(self, opened: OpenedRequest, *, only: str | None = None) -> RecognisedRequest | WalkResult:
        """The profile that an opened request's prompt belongs to; already an outcome where there is none."""
        request = opened.request
        text = request.system_text
        recognition = self._catalogue.recognise(text, only=only) if request.system else None
        if recognition is None or recognition.coverage < self._floor(recognition):
            is_near = recognition is not None and _is_close(recognition)
            outcome = Passthrough(
                reason="unrecognised" if request.system else "no_system_prompt",
                near=recognition if is_near else None,
                original_chars=len(text),
                client_marks=request.client_marks,
            )
            return WalkResult(outcome=outcome, body=opened.data, request=request)
        return RecognisedRequest(opened=opened, recognition=recognition)

    def pass_through(self, opened: OpenedRequest, reason: str, recognition: Recognition | None = None) -> WalkResult:
        """The request as it came, because the policy leaves it out."""
        outcome = Passthrough(
            reason=reason,
            recognition=recognition,
            original_chars=len(opened.request.system_text),
            client_marks=opened.request.client_marks,
        )
        return WalkResult(outcome=outcome, body=opened.data, request=opened.request)

    def embeddings_wanted(self, recognised: RecognisedRequest) -> EmbeddingsWanted | None:
        """What an embedding model is to be asked for ahead of ``decide``; None where words alone decide."""
        return at_once(self.finding_embeddings(recognised))

    def finding_embeddings(self, recognised: RecognisedRequest) -> Slices[EmbeddingsWanted | None]:
        """What ``embeddings_wanted`` gives."""
        profile, request = recognised.recognition.profile, recognised.opened.request
        if profile.embedding is None or request.missing_history is not None:
            return None
        by_turn = yield from self._routers[profile.name].finding_texts(request.turns)
        if not by_turn:
            return None
        return EmbeddingsWanted(
            model=profile.embedding.model,
            timeout_seconds=self._embedding_timeouts[profile.embedding.model],
            by_turn=by_turn,
        )

    def questions_wanted(
        self, recognised: RecognisedRequest, lookup: Lookup = no_embeddings, wanted: EmbeddingsWanted | None = None
    ) -> QuestionsWanted | None:
        """What a routing model is to be asked ahead of ``decide``, answered before or not; None where nothing is.

        ``lookup`` and ``wanted`` as ``decide`` takes them: where words and meaning are sure, nobody is asked.
        """
        return at_once(self.finding_questions(recognised, lookup, wanted))

    def finding_questions(
        self, recognised: RecognisedRequest, lookup: Lookup = no_embeddings, wanted: EmbeddingsWanted | None = None
    ) -> Slices[QuestionsWanted | None]:
        """What ``questions_wanted`` gives."""
        profile, request = recognised.recognition.profile, recognised.opened.request
        if profile.routing_model is None or request.missing_history is not None:
            return None
        router = self._routers[profile.name]
        to_embed = None if wanted is None else wanted.by_turn
        by_turn = yield from router.finding_questions(request.turns, lookup=lookup, to_embed=to_embed)
        if not by_turn:
            return None
        return QuestionsWanted(settings=profile.routing_model, section_ids=router.section_ids, by_turn=by_turn)

    def may_add_modules(
        self,
        recognised: RecognisedRequest,
        wanted: QuestionsWanted,
        first: RoutingQuestion,
        *,
        placement: Literal["auto", "append", "grow", "latest"] | None = None,
        lookup: Lookup = no_embeddings,
        embedded: EmbeddingsWanted | None = None,
        answers: AnswerLookup = no_answers,
    ) -> bool:
        """Whether an answer to ``first``, or to a question behind it, could bring a module that isn't there by then.

        ``wanted`` are the questions of the whole conversation, ``answers`` what is known of those ahead of ``first``.
        """
        profile = recognised.recognition.profile
        if (placement or profile.placement or self._placement) == "latest":
            return True
        at = next(at for at, question in wanted.by_turn.items() if question == first)
        before = {turn: question for turn, question in wanted.by_turn.items() if turn < at}
        if not before:
            return True
        decision = self._routers[profile.name].decide(
            recognised.opened.request.turns[:at],
            lookup=lookup,
            to_embed=None if embedded is None else embedded.by_turn,
            answers=answers,
            questions=before,
        )
        return decision.message_kind == "none" or len(decision.selected) < len(profile.modules)

    def decide(
        self,
        recognised: RecognisedRequest,
        target: Callable[[], Target],
        *,
        placement: Literal["auto", "append", "grow", "latest"] | None = None,
        lookup: Lookup = no_embeddings,
        wanted: EmbeddingsWanted | None = None,
        answers: AnswerLookup = no_answers,
        questions: QuestionsWanted | None = None,
    ) -> WalkResult:
        """What becomes of a recognised request. ``placement`` overrides the profile's own and the settings'.

        ``wanted``: what ``embeddings_wanted`` says of it, where somebody asked already; ``questions``: what
        ``questions_wanted`` says. ``answers``: what a routing model said; ``no_answers`` where this caller's requests
        don't ask one.
        """
        return at_once(
            self.deciding(
                recognised,
                target,
                placement=placement,
                lookup=lookup,
                wanted=wanted,
                answers=answers,
                questions=questions,
            )
        )

    def deciding(
        self,
        recognised: RecognisedRequest,
        target: Callable[[], Target],
        *,
        placement: Literal["auto", "append", "grow", "latest"] | None = None,
        lookup: Lookup = no_embeddings,
        wanted: EmbeddingsWanted | None = None,
        answers: AnswerLookup = no_answers,
        questions: QuestionsWanted | None = None,
    ) -> Slices[WalkResult]:
        """What ``decide`` gives."""
        data, shape, request = recognised.opened.data, recognised.opened.shape, recognised.opened.request
        recognition = recognised.recognition
        profile = recognition.profile
        common = target()
        asked = placement or profile.placement or self._placement
        placement = DEFAULT_PLACEMENT if asked is None or asked == "auto" or common.holds_to_prefix else asked
        router = self._routers[profile.name]
        if request.missing_history is None:
            decision = yield from router.deciding(
                request.turns,
                latest_only=placement == "latest",
                lookup=lookup,
                to_embed=None if wanted is None else wanted.by_turn,
                answers=answers,
                questions=None if questions is None else questions.by_turn,
                declared=known_tools(data) if router.reads_declared_tools and common.takes_changed_prompt else None,
            )
        else:
            decision = router.decide_all(request.turns, request.missing_history)
        if self._gates_cost:
            expected = expected_use(profile, declares_tools=declares_tools(data, request.turns))
            gated = _gated(decision, recognition, common, expected, latest_only=placement == "latest")
            if gated is None:
                return self._not_worth_it(data, request, shape, recognition, decision, common)
            decision = gated
        is_latest = placement == "latest"
        arrivals = () if is_latest else decision.arrivals
        selected = first_selected(decision, profile, is_latest=is_latest)
        recognition = with_space_behind_seams(request, recognition)
        base = self._plans.composition(request, recognition, selected, arrivals, grows=placement == "grow")
        composition = with_late_places(
            base,
            request.turns,
            common,
            self._count_tokens,
            results_are_users=shape.results_are_users,
            settle=lambda turn: shape.settle(data, turn),
        )

        def rewritten_for(one: Target) -> Rewritten:
            return Rewritten(
                recognition=recognition,
                decision=decision,
                composition=composition,
                breakpoints=self._plans.breakpoints(request, recognition, base, composition, one),
                placement=placement,
                target=one,
                cache_key=_cache_key(profile, selected) if self._adds_marks and one.takes_cache_key else None,
            )

        rewritten = rewritten_for(common)
        body = shape.write(data, request, rewritten)
        bridged = shape.bridged
        marking = marking_of(
            body,
            common,
            rewritten_for,
            lambda one: shape.write(data, request, one),
            shape.texts,
            (lambda one: bridged(data, request, one)) if bridged is not None else None,
        )

        def for_deployment(one: Target) -> BodyForDeployment:
            return body_for(
                one,
                common,
                rewritten_for,
                lambda written: shape.write(data, request, written),
                shape.texts,
                (lambda written: bridged(data, request, written)) if bridged is not None else None,
            )

        return WalkResult(
            outcome=rewritten,
            body=body,
            request=request,
            marking=marking,
            deployments=common.deployments,
            for_deployment=for_deployment,
        )

    def _not_worth_it(
        self,
        data: Mapping[str, Any],
        request: Request,
        shape: EndpointShape,
        recognition: Recognition,
        decision: RoutingDecision,
        target: Target,
    ) -> WalkResult:
        """As it came, except that a prompt which nobody marks for caching is marked."""
        body, added = data, 0
        if self._adds_marks and not (target.each or target.injection_points or target.auto_points):
            body, added = shape.marked(data, request, target, recognition.profile.cache_ttl)
        outcome = Passthrough(
            reason="not_worth_it",
            original_chars=len(request.system_text),
            client_marks=request.client_marks,
            recognition=recognition,
            decision=decision,
            added_marks=added,
        )
        if not added:
            return WalkResult(outcome=outcome, body=body, request=request)

        def as_it_came(_: Target) -> BodyForDeployment:
            return BodyForDeployment(data, MarkPlan(NO_INSTRUCTIONS, 0, request.client_marks))

        return WalkResult(
            outcome=outcome,
            body=body,
            request=request,
            deployments=target.deployments,
            for_deployment=as_it_came,
        )

    def _floor(self, recognition: Recognition) -> float:
        own = recognition.profile.coverage_floor
        return self._coverage_floor if own is None else own


def _gated(
    decision: RoutingDecision,
    recognition: Recognition,
    target: Target,
    expected: ExpectedUse,
    *,
    latest_only: bool,
) -> RoutingDecision | None:
    """The decision behind the cost gate; None where the conversation is to be left as it came.

    With ``latest_only`` no first turn decides: all that counts is whether tuning said to rewrite nothing, and whether
    anything is left out.
    """
    profile = recognition.profile
    economics, is_fitted = profile.economics_in_force, profile.is_calibrated
    tokens, core_tokens = optional_tokens(recognition)
    selected = first_selected(decision, profile, is_latest=latest_only)
    first = frozenset([module for module in selected if tokens[module]])
    if latest_only:
        is_left = economics is not None and not economics.rewrites
        return None if is_left or leaves_nothing_out(first, tokens, is_fitted=is_fitted) else decision
    is_hour = profile.cache_ttl == "1h"
    sent = modules_to_send(
        economics, target, first, tokens, core_tokens, is_hour=is_hour, is_fitted=is_fitted, expected=expected
    )
    if sent is None:
        return None
    return decision if sent == first else with_modules(decision, profile, sent)


def _is_close(recognition: Recognition) -> bool:
    if recognition.coverage >= CLOSE_COVERAGE:
        return True
    return recognition.known_lines < 1.0 and recognition.known_lines >= CLOSE_LINES


def _cache_key(profile: Profile, selected: frozenset[int]) -> str:
    """A short stable name of the system prompt that these modules make."""
    modules = sum(1 << module for module in selected)
    return f"{profile.name[:24]}-{profile.digest[:12]}-{modules:x}"[:64]
