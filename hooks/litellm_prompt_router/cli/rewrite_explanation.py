"""``prompt-router rewrite --explain``: what was decided of a request, why, and what would change it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from litellm_prompt_router.cli.gate_lines import gate_for_json, gate_lines, labelled
from litellm_prompt_router.cli.module_evidence import ModuleState, states_of
from litellm_prompt_router.cli.output import change, percent, say, say_text, shortened, show_table
from litellm_prompt_router.cli.what_would_change import fallback_advice, gate_advice, passthrough_advice, review_advice
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.gate_explanation import GateExplanation
from litellm_prompt_router.request.route import Router, weigh
from litellm_prompt_router.request.types import (
    Mark,
    Outcome,
    Passthrough,
    Recognition,
    Rewritten,
    RoutingDecision,
    Span,
    Turn,
)

PREVIEW_CHARS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class ExplainedRequest:
    """An outcome with what it takes to explain it. ``gate``: None where the request never got to the cost gate."""

    outcome: Outcome
    text: str
    """The system text."""
    turns: Sequence[Turn]
    declared: Collection[str]
    gate: GateExplanation | None

    @property
    def profile(self) -> Profile | None:
        return None if self.outcome.recognition is None else self.outcome.recognition.profile

    def modules(self) -> tuple[ModuleState, ...]:
        decision, profile = self.outcome.decision, self.profile
        if decision is None or profile is None:
            return ()
        weighted = weigh(Router(profile), profile, self.turns) if profile.fitted is not None else None
        return tuple(states_of(decision, profile, weighted, self.declared))

    def advice(self) -> tuple[str, ...]:
        """What it would take for less to be sent; empty where nothing stands in the way."""
        return tuple(dict.fromkeys(self._advice()))

    def _advice(self) -> Iterator[str]:
        outcome, profile = self.outcome, self.profile
        if isinstance(outcome, Passthrough) and (self.gate is None or profile is None):
            near = outcome.near
            yield passthrough_advice(
                outcome.reason, is_near=near is not None, profile=None if near is None else near.profile.name
            )
            return
        unreviewed = None if profile is None else review_advice(profile)
        if unreviewed is not None:
            yield unreviewed
        told = None if outcome.decision is None else fallback_advice(outcome.decision)
        if told is not None:
            yield told
        if self.gate is not None and profile is not None:
            yield from gate_advice(self.gate, profile)


def passed(outcome: Passthrough) -> str:
    """Why a request stays as it came, in a line."""
    near = outcome.near
    closest = f" (closest profile: {near.profile.name}, coverage {percent(near.coverage)})" if near else ""
    return f"passthrough: {outcome.reason}{closest}"


def show_explanation(explained: ExplainedRequest) -> None:
    """On stdout, at most 100 columns wide beside the table of modules."""
    outcome, profile = explained.outcome, explained.profile
    if isinstance(outcome, Passthrough):
        say(passed(outcome))
    if profile is not None and outcome.recognition is not None and outcome.decision is not None:
        _show_routed(explained, outcome.recognition, outcome.decision)
    for number, text in enumerate(explained.advice()):
        say_text(labelled("to change it" if number == 0 else "", f"- {text}"))
    states = explained.modules()
    if states and outcome.recognition is not None:
        say()
        is_passed = isinstance(outcome, Passthrough)
        columns = ("module", "", "evidence", "detail", "#tokens", "late")
        show_table(columns, _module_rows(states, outcome.recognition, is_passed=is_passed))


def explanation_for_json(explained: ExplainedRequest) -> dict[str, Any]:
    """The same facts."""
    outcome, profile = explained.outcome, explained.profile
    recognition, decision = outcome.recognition, outcome.decision
    near = outcome.near if isinstance(outcome, Passthrough) else None
    told: dict[str, Any] = {
        "outcome": "passthrough" if isinstance(outcome, Passthrough) else "rewritten",
        "reason": outcome.reason if isinstance(outcome, Passthrough) else None,
        "closest_profile": None if near is None else near.profile.name,
        "closest_coverage": None if near is None else near.coverage,
        "profile": None if profile is None else profile.name,
        "profile_version": None if profile is None else profile.version,
        "reviewed": None if profile is None else profile.reviewed,
        "coverage": None if recognition is None else recognition.coverage,
        "original_chars": len(explained.text),
    }
    if decision is not None:
        told |= {
            "message_kind": decision.message_kind,
            "query_chars": decision.query_chars,
            "fallback_reason": decision.fallback_reason,
            "modules": [state._asdict() for state in explained.modules()],
        }
    if isinstance(outcome, Rewritten):
        composition = outcome.composition
        told |= {
            "chars": composition.chars,
            "original_tokens": composition.original_tokens,
            "tokens": composition.tokens,
            "breakpoints_added": outcome.breakpoints.added,
            "breakpoints_client": outcome.breakpoints.client,
        }
    if explained.gate is not None and profile is not None:
        told["gate"] = gate_for_json(explained.gate, profile)
    return {**told, "to_change_it": list(explained.advice())}


def _show_routed(explained: ExplainedRequest, recognition: Recognition, decision: RoutingDecision) -> None:
    outcome, text, profile = explained.outcome, explained.text, recognition.profile
    say(f"profile      {profile.name} {profile.version}")
    if not profile.reviewed:
        say_text(labelled("review", "not reviewed: the proxy decides and records, and sends the prompt as it came"))
    say(f"coverage     {percent(recognition.coverage)} of {len(text):,} characters")
    say(f"message      {decision.message_kind}, {decision.query_chars:,} characters")
    if decision.is_fallback:
        say(f"fallback     {decision.fallback_reason}")
    if isinstance(outcome, Rewritten):
        composition = outcome.composition
        say(f"characters   {change(len(text), composition.chars)}")
        say(f"tokens       {change(composition.original_tokens, composition.tokens)}")
        say_text(labelled("breakpoints", _breakpoints(outcome)))
        for span in recognition.spans:
            if span.kind == "slot" and span.slot is not None:
                where = ", moved to the end" if span.slot.volatile else ""
                say(f"slot         {span.slot.name}: {span.end - span.start:,} characters{where}")
        for span in recognition.spans:
            if span.kind == "residue":
                say(f"residue      {_residue(span, text)}")
    if explained.gate is not None:
        for line in gate_lines(explained.gate, profile):
            say_text(line)


def _module_rows(
    states: Sequence[ModuleState], recognition: Recognition, *, is_passed: bool
) -> Iterable[tuple[str, ...]]:
    """Where the request passed, the whole prompt is sent, and the rows tell what would have been."""
    present = {recognition.profile.modules[span.module].id for span in recognition.spans if span.kind == "module"}
    kept, dropped = ("would stay", "would go") if is_passed else ("kept", "dropped")
    for state in states:
        said = "not in the prompt" if state.module not in present else kept if state.is_selected else dropped
        detail = state.detail if said != "not in the prompt" or state.is_selected else ""
        yield (state.module, said, state.evidence, detail, f"{state.tokens:,}", "late" if state.is_late else "")


def _residue(span: Span, text: str) -> str:
    start, end = span.start, span.end
    return f"{end - start:,} characters at {start:,}: {shortened(text[start:end], PREVIEW_CHARS)}"


def _breakpoints(outcome: Rewritten) -> str:
    marks = outcome.breakpoints
    edges = (("core", marks.core), ("routed part", marks.routed), ("varying part", marks.varying))
    places = [f"end of {name} {_mark(mark)}" for name, mark in edges if mark is not None]
    if marks.kept_blocks:
        places.append(f"{len(marks.kept_blocks)} in place in the client's own blocks")
    return f"{marks.added} added, {marks.client} the client's" + "".join(f"; {place}" for place in places)


def _mark(mark: Mark) -> str:
    return json.dumps(dict(mark))
