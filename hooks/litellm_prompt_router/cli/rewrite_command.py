"""``prompt-router rewrite``."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from litellm_prompt_router.cli.inputs import (
    call_type_of,
    parse_json,
    profiles_option,
    profiles_root,
    read_bytes,
    read_profiles,
    request_body,
    settings_of_environment,
    unknown_profile,
)
from litellm_prompt_router.cli.output import say, show_bytes, show_json
from litellm_prompt_router.cli.rewrite_explanation import (
    ExplainedRequest,
    explanation_for_json,
    passed,
    show_explanation,
)
from litellm_prompt_router.files import review_sheet_in
from litellm_prompt_router.policy.settings import Settings
from litellm_prompt_router.profile.profile import how_to_review
from litellm_prompt_router.request.expected_use import declares_tools
from litellm_prompt_router.request.gate_explanation import explain_rewrite
from litellm_prompt_router.request.types import Outcome, Passthrough, Rewritten, Target, UnreadableRequestError
from litellm_prompt_router.request.wire import SHAPES, tool_names


@click.command()
@click.argument("request", metavar="REQUEST.json|-")
@click.option("--explain", is_flag=True, help="Print what was decided, module by module, instead of the body.")
@profiles_option
@click.option("--profile", "name", metavar="NAME", help="The one profile that may be recognised. Default: all.")
@click.option("--json", "as_json", is_flag=True, help="[explain] Print JSON instead of lines and a table.")
def rewrite(request: str, explain: bool, root: Path | None, name: str | None, as_json: bool) -> None:
    """Print the body that the proxy would send for this request body, as JSON. No network, no proxy.

    Breakpoints are placed for the model that `model` names in LiteLLM's terms, such as
    anthropic/claude-sonnet-4-5; a proxy's own model names mean nothing here.

    A request that passes through is printed as it came, with the reason on stderr. For a profile that nobody reviewed
    it is what the proxy would send after a review: until then that is the request as it came, which stderr says.

    --explain says of every module why it is sent or left out, what the cost gate compared, where that would turn,
    and what it would take for less to be sent; also of a request that passes through.
    """
    if as_json and not explain:
        raise click.UsageError("--json needs --explain: without it the body is printed, which is JSON.")
    raw = read_bytes(request)
    body = request_body(parse_json(raw, request), request)
    profiles, count_tokens = read_profiles(root)
    known = tuple(profile.name for profile in profiles)
    if name is not None and name not in known:
        raise unknown_profile(name, known)
    from litellm_prompt_router.policy.active import pipeline_of  # brings the tokenizer, which takes a while

    settings = settings_of_environment()
    pipeline = pipeline_of(settings, profiles, count_tokens)
    call_type = call_type_of(body)
    walked = pipeline.walk(body, call_type, lambda: _target(body, call_type), only=name)
    if isinstance(walked.outcome, Rewritten) and not walked.outcome.recognition.profile.reviewed:
        name = walked.outcome.recognition.profile.name
        todo = how_to_review(name, review_sheet_in(profiles_root(root) / name))
        say(f"{name}: not reviewed, so the proxy sends the request as it came; {todo}", err=True)
    if explain:
        explained = _explained(walked.outcome, body, call_type, settings, count_tokens)
        show_json(explanation_for_json(explained)) if as_json else show_explanation(explained)
    elif isinstance(walked.outcome, Passthrough):
        say(passed(walked.outcome), err=True)
        show_bytes(raw) if walked.body is body else show_json(walked.body)
    else:
        show_json(walked.body)


def _explained(
    outcome: Outcome, body: dict[str, Any], call_type: str, settings: Settings, count_tokens: Callable[[str], int]
) -> ExplainedRequest:
    """The outcome, beside what would be sent if nothing asked for costs."""
    request, gate = None, None
    with contextlib.suppress(UnreadableRequestError, KeyError):
        request = SHAPES[call_type].read(body)
    if outcome.recognition is not None:
        from litellm_prompt_router.policy.active import pipeline_of

        ungated = pipeline_of(
            settings.model_copy(update={"cost_gate": False}), [outcome.recognition.profile], count_tokens
        ).walk(body, call_type, lambda: _target(body, call_type))
        if isinstance(ungated.outcome, Rewritten):
            gate = explain_rewrite(
                ungated.outcome,
                gates_cost=settings.cost_gate,
                declares_tools=declares_tools(body, () if request is None else request.turns),
            )
    return ExplainedRequest(
        outcome=outcome,
        text="" if request is None else request.system_text,
        turns=() if request is None else request.turns,
        declared=tool_names(body),
        gate=gate,
    )


def _target(body: dict[str, Any], call_type: str) -> Target:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    from litellm_prompt_router.gateway.deployments.capabilities import (
        target_of_model,  # imports LiteLLM, which takes seconds
    )

    return target_of_model(str(body.get("model") or ""), call_type)
