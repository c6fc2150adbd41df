"""``prompt-router route``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import inf
from pathlib import Path
from typing import Any

import click

from litellm_prompt_router.authoring.fit import columns_of, table_of_texts
from litellm_prompt_router.cli.embedding_options import api_base_option, lexical_option, lookup_for, model_option
from litellm_prompt_router.cli.gate_lines import gate_for_json, gate_lines, labelled
from litellm_prompt_router.cli.inputs import (
    call_type_of,
    choose_profile,
    json_option,
    parse_json,
    profiles_option,
    read_bytes,
    read_profiles,
    request_body,
    settings_of_environment,
    shown,
)
from litellm_prompt_router.cli.module_evidence import ModuleState, states_of, threshold_of
from litellm_prompt_router.cli.output import evidence_for_json, say, say_text, show_json, show_table
from litellm_prompt_router.cli.routing_options import (
    RoutingAnswersWanted,
    answers_for,
    questions_in,
    routing_answers_option,
    routing_model_option,
    with_routing_model,
)
from litellm_prompt_router.cli.what_would_change import fallback_advice, gate_advice, review_advice
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.plurals import many
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.profile.topic_pieces import topics_of
from litellm_prompt_router.request.expected_use import declares_tools
from litellm_prompt_router.request.gate_explanation import GateExplanation, explain_decision
from litellm_prompt_router.request.route import (
    AnswerLookup,
    Router,
    RoutingQuestion,
    WeightedConversation,
    no_answers,
    weigh,
)
from litellm_prompt_router.request.route.needed_modules import NAMED
from litellm_prompt_router.request.route.scores import score
from litellm_prompt_router.request.route.triggers import capped, folded
from litellm_prompt_router.request.types import RoutingDecision, Target, Turn, UnreadableRequestError
from litellm_prompt_router.request.wire import SHAPES, known_tools

NEXT_SHOWN = 3
BOTH_SHOWN = 5
NOT_TOLD = ("arrivals", "before_gate", "turn_number", "is_new_message")
"""Of a decision: positions in the body, for which `late` speaks, and what a message alone doesn't tell."""


@click.command()
@click.argument("text", required=False)
@click.option("--messages", "path", metavar="FILE", help="A JSON list of chat messages, or a request body; - is stdin.")
@click.option("--profile", "name", metavar="NAME", help="Default: the only profile there is, else workbench.")
@profiles_option
@model_option
@api_base_option
@lexical_option
@routing_model_option
@routing_answers_option
@click.option("--model", metavar="NAME", help="LiteLLM's name of a model, for the cost gate. Default: the body's.")
@json_option
def route(
    text: str | None,
    path: str | None,
    name: str | None,
    root: Path | None,
    embedding_model: str | None,
    api_base: str | None,
    lexical: bool,
    routing_model: str | None,
    routing_answers: str | None,
    model: str | None,
    as_json: bool,
) -> None:
    """Print the routing decision for TEXT, one user message, or for a conversation (--messages).

    Each selected module comes with its evidence: always, trigger (which one), tool_call (which tool), requires (by
    which module), score (how much speaks for it, in a fitted profile), model (in which of its lists the routing
    model names it), assistant (the agent's own words call for it: how much, or the tool that they name), inherited
    (from an earlier message) or fallback (nothing known, or not calibrated, so everything is sent). A profile that
    was fitted with an embedding model has the messages sent to that model, unless --lexical; then both scores are
    shown. --routing-model asks a chat model, as the proxy does for keys with `router_model: true`. Without a fit
    every module is sent but those marked optional and those whose tools the request (--messages) doesn't declare,
    which counts for nothing where the model may hold the conversation to the prompt that it began with; where no
    trigger names a module, what their own texts say of the message is shown beside it.

    Modules that are left out come with the reason. With --model, or where FILE is a request body that names one:
    what the cost gate makes of the decision, what it compared, where that would turn, and what would change it.
    """
    if (text is None) == (path is None):
        raise click.UsageError("give either TEXT or --messages FILE")
    body = None if text is not None else _body(str(path))
    turns = (Turn(role="user", text=text or ""),) if body is None else _turns(body, str(path))
    model = model or (str(body["model"]) if body is not None and body.get("model") else None)
    target = None if model is None else _target(model)
    is_told = body is not None and (target is None or target.takes_changed_prompt)
    declared = known_tools(body) if body is not None and is_told else None
    profiles, _ = read_profiles(root)
    asked = RoutingAnswersWanted(routing_model, routing_answers)
    profile = with_routing_model(choose_profile(profiles, name), asked)
    router = Router(profile)
    answers = answers_for(profile, questions_in(profile, [turns]), asked)
    lookup = lookup_for(profile, [turns], model=embedding_model, api_base=api_base, is_lexical=lexical)
    weighted = weigh(router, profile, turns, lookup, declared=declared, answers=answers)
    by_words = weigh(router, profile, turns, declared=declared) if weighted.is_fused else None
    decision = weighted.decision
    has_tools = body is None or declares_tools(body, turns)
    gate = None if target is None else _gate(decision, profile, target, has_tools)
    states = tuple(states_of(decision, profile, weighted, declared or ()))
    if as_json:
        stated = {**asdict(decision), "selected": evidence_for_json(decision.selected)}
        for name in NOT_TOLD:
            del stated[name]
        scores = _scores_for_json(weighted, by_words, profile, turns)
        left_out = [{"module": state.module, "why": state.detail} for state in states if not state.is_selected]
        told = {"left_out": left_out, "gate": None if gate is None else gate_for_json(gate, profile)}
        change = {"to_change_it": _advice(gate, decision, profile)}
        show_json({"profile": profile.name, "profile_version": profile.version, **stated, **told, **change, **scores})
        return
    show_table(("module", "evidence", "detail", "late"), [_row(state) for state in states])
    say(f"\n{_summary(decision, len(profile.modules))}")
    if answers is not no_answers:
        say(_said(router.questions(turns, lookup=lookup), answers))
    elif profile.fitted is None:
        _show_closest(decision, profile, turns)
    elif weighted.seen:
        say(f"a score of {threshold_of(weighted, profile):.2f} or more selects; {_next(weighted, profile)}")
    if by_words is not None:
        _show_both(weighted, by_words, profile)
    _show_gate(gate, decision, profile)


def _said(questions: Mapping[int, RoutingQuestion], answers: AnswerLookup) -> str:
    """Whether the routing model had a say in it."""
    told = [answers("", question) is not None for question in questions.values()]
    if not told:
        return "the routing model isn't asked: no message says what to do, or words and meaning are sure"
    if all(told):
        return f"the routing model answered {many(len(told), 'question')}"
    return f"the routing model answered {sum(told)} of {many(len(told), 'question')}; the rest as without it"


def _row(state: ModuleState) -> tuple[str, ...]:
    return (state.module, state.evidence if state.is_selected else "left out", state.detail, "late" * state.is_late)


def _target(model: str) -> Target:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    from litellm_prompt_router.gateway.deployments.capabilities import (
        target_of_model,  # imports LiteLLM, which takes seconds
    )

    return target_of_model(model)


def _gate(decision: RoutingDecision, profile: Profile, target: Target, has_tools: bool) -> GateExplanation:
    """What the cost gate makes of it where the whole prompt is sent to this target."""
    settings = settings_of_environment()
    is_latest = (profile.placement or settings.placement) == "latest"
    return explain_decision(
        decision,
        profile,
        target,
        is_latest=is_latest,
        gates_cost=settings.cost_gate,
        declares_tools=has_tools,
    )


def _show_gate(gate: GateExplanation | None, decision: RoutingDecision, profile: Profile) -> None:
    """What the gate compared, and what would have less sent."""
    say()
    if gate is None:
        say("cost gate    name a model with --model to see whether this is sent")
    else:
        for line in gate_lines(gate, profile):
            say_text(line)
    for number, text in enumerate(_advice(gate, decision, profile)):
        say_text(labelled("to change it" if number == 0 else "", f"- {text}"))


def _advice(gate: GateExplanation | None, decision: RoutingDecision, profile: Profile) -> list[str]:
    told = (review_advice(profile), fallback_advice(decision))
    of_gate = gate_advice(gate, profile) if gate is not None else ()
    return list(dict.fromkeys([*filter(None, told), *of_gate]))


def _show_both(fused: WeightedConversation, by_words: WeightedConversation, profile: Profile) -> None:
    """Both scores of the modules that are best by either."""
    assert profile.fitted is not None
    score_of = dict(_by_score(by_words, profile))
    best = [*_by_score(fused, profile)[:BOTH_SHOWN], *_by_score(by_words, profile)[:BOTH_SHOWN]]
    names = dict.fromkeys(id for id, _ in best)
    rows = [(id, f"{value:.2f}", f"{score_of[id]:.2f}") for id, value in _by_score(fused, profile) if id in names]
    thresholds = (threshold_of(fused, profile), profile.fitted.calibration.threshold)
    say()
    show_table(
        ("score of", "#words and meaning", "#words alone"),
        [*rows, ("threshold", *(f"{threshold:.2f}" for threshold in thresholds))],
    )


def _show_closest(decision: RoutingDecision, profile: Profile, turns: Sequence[Turn]) -> None:
    """Where nothing was named for want of a fit: what the modules' own texts would say."""
    scores = _text_scores(decision, profile, turns)
    if scores:
        named = ", ".join(f"{id} ({value:.2f})" for id, value in scores[:NEXT_SHOWN])
        say(f"not fitted, so scores select nothing; closest by their texts: {named}")


def _text_scores(decision: RoutingDecision, profile: Profile, turns: Sequence[Turn]) -> list[tuple[str, float]]:
    """What the modules' own texts say of the last user message, best first; nothing where it needs no scores."""
    message = next((turn.text for turn in reversed(turns) if turn.role == "user"), "")
    columns = columns_of(profile)
    is_named = any(evidence.kind in NAMED for evidence in decision.selected)
    if not columns or not message.strip() or is_named or decision.message_kind != "task":
        return []
    scores = score(table_of_texts(profile, columns), folded(capped(message)))
    if not scores.is_known:
        return []
    found = [(profile.modules[n].id, value) for n, value in zip(columns, scores.raw.tolist(), strict=True) if value > 0]
    return sorted(found, key=lambda item: (-item[1], item[0]))


def _by_score(weighted: WeightedConversation, profile: Profile) -> list[tuple[str, float]]:
    """The scored modules, best first, each with the highest value it reached in the conversation.

    Of a topic in several pieces the first stands for all.
    """
    found = [(profile.modules[n].id, float(weighted.values[n])) for n in sorted(set(topics_of(profile.modules)))]
    return sorted((item for item in found if item[1] > -inf), key=lambda item: (-item[1], item[0]))


def _next(weighted: WeightedConversation, profile: Profile) -> str:
    left = [(id, value) for id, value in _by_score(weighted, profile) if id not in weighted.decision.modules]
    if not left:
        return "nothing is left out"
    return "next would be " + ", ".join(f"{id} ({value:.2f})" for id, value in left[:NEXT_SHOWN])


def _scores_for_json(
    weighted: WeightedConversation, by_words: WeightedConversation | None, profile: Profile, turns: Sequence[Turn]
) -> dict[str, object]:
    if profile.fitted is None:
        scores = _text_scores(weighted.decision, profile, turns)
        return {"text_scores": [{"module": id, "score": round(value, 4)} for id, value in scores]} if scores else {}
    calibration, threshold = profile.fitted.calibration, threshold_of(weighted, profile)
    stated: dict[str, object] = {
        "promise": calibration.promise,
        "threshold": threshold if threshold > -inf else None,
        "scores": [{"module": id, "score": round(value, 4)} for id, value in _by_score(weighted, profile)],
    }
    if by_words is not None:
        lexical = _by_score(by_words, profile)
        stated["lexical_threshold"] = calibration.threshold
        stated["lexical_scores"] = [{"module": id, "score": round(value, 4)} for id, value in lexical]
    return stated


def _summary(decision: RoutingDecision, total: int) -> str:
    what = f"{len(decision.selected)} of {total} modules; the last message is a {_KINDS[decision.message_kind]}"
    return f"{what}; fallback: {decision.fallback_reason}" if decision.is_fallback else what


_KINDS = {"task": "task", "follow_up": "follow-up", "small_talk": "piece of small talk", "none": "missing one"}


def _body(path: str) -> dict[str, Any]:
    document: Any = parse_json(read_bytes(path), path)
    return {"messages": document} if isinstance(document, list) else request_body(document, path)


def _turns(body: dict[str, Any], path: str) -> tuple[Turn, ...]:
    shape = SHAPES.get(call_type_of(body))
    if shape is None:
        raise ConfigurationError([f"{shown(path)}: a body of an endpoint that can't be read; use chat completions"])
    try:
        return tuple(shape.read(body).turns)
    except UnreadableRequestError as error:
        problem = f"{shown(path)}: {error.reason}; `messages` must be a list of chat messages"
        raise ConfigurationError([problem]) from None
