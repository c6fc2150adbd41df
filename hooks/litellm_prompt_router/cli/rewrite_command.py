"""``prompt-router rewrite``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from litellm_prompt_router.cli.inputs import (
    call_type_of,
    parse_json,
    profiles_option,
    read_bytes,
    read_profiles,
    request_body,
    settings_of_environment,
    unknown_profile,
)
from litellm_prompt_router.cli.output import change, percent, shortened, show_bytes, show_json, show_table
from litellm_prompt_router.profile.profile import how_to_review
from litellm_prompt_router.request.types import Mark, Passthrough, Recognition, Rewritten, Span, Target
from litellm_prompt_router.request.wire import SHAPES

PREVIEW_CHARS = 60


@click.command()
@click.argument("request", metavar="REQUEST.json|-")
@click.option("--explain", is_flag=True, help="Print what was decided, module by module, instead of the body.")
@profiles_option
@click.option("--profile", "name", metavar="NAME", help="The one profile that may be recognised. Default: all.")
def rewrite(request: str, explain: bool, root: Path | None, name: str | None) -> None:
    """Print the body that the proxy would send for this request body, as JSON. No network, no proxy.

    Breakpoints are placed for the model that `model` names in LiteLLM's terms, such as
    anthropic/claude-sonnet-4-5; a proxy's own model names mean nothing here.

    A request that passes through is printed as it came, with the reason on stderr. For a profile that nobody reviewed
    it is what the proxy would send after a review: until then that is the request as it came, which stderr says.
    """
    raw = read_bytes(request)
    body = request_body(parse_json(raw, request), request)
    profiles, count_tokens = read_profiles(root)
    known = tuple(profile.name for profile in profiles)
    if name is not None and name not in known:
        raise unknown_profile(name, known)
    from litellm_prompt_router.policy.active import pipeline_of  # brings the tokenizer, which takes a while

    pipeline = pipeline_of(settings_of_environment(), profiles, count_tokens)
    call_type = call_type_of(body)
    walked = pipeline.walk(body, call_type, lambda: _target(body, call_type), only=name)
    if isinstance(walked.outcome, Rewritten) and not walked.outcome.recognition.profile.reviewed:
        name = walked.outcome.recognition.profile.name
        click.echo(f"{name}: not reviewed, so the proxy sends the request as it came; {how_to_review(name)}", err=True)
    if explain:
        if isinstance(walked.outcome, Passthrough):
            click.echo(_passthrough(walked.outcome))
        else:
            _explain(walked.outcome, SHAPES[call_type].read(body).system_text)
    elif isinstance(walked.outcome, Passthrough):
        click.echo(_passthrough(walked.outcome), err=True)
        show_bytes(raw) if walked.body is body else show_json(walked.body)
    else:
        show_json(walked.body)


def _target(body: dict[str, Any], call_type: str) -> Target:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    from litellm_prompt_router.gateway.deployments.capabilities import (
        target_of_model,  # imports LiteLLM, which takes seconds
    )

    return target_of_model(str(body.get("model") or ""), call_type)


def _passthrough(outcome: Passthrough) -> str:
    near = outcome.near
    closest = f" (closest profile: {near.profile.name}, coverage {percent(near.coverage)})" if near else ""
    return f"passthrough: {outcome.reason}{closest}"


def _explain(outcome: Rewritten, text: str) -> None:
    recognition, decision, composition = outcome.recognition, outcome.decision, outcome.composition
    profile = recognition.profile
    click.echo(f"profile      {profile.name} {profile.version}")
    click.echo(f"coverage     {percent(recognition.coverage)} of {len(text):,} characters")
    click.echo(f"message      {decision.message_kind}, {decision.query_chars:,} characters")
    if decision.is_fallback:
        click.echo(f"fallback     {decision.fallback_reason}")
    click.echo(f"characters   {change(len(text), composition.chars)}")
    click.echo(f"tokens       {change(composition.original_tokens, composition.tokens)}")
    click.echo(f"breakpoints  {_breakpoints(outcome)}")
    for span in recognition.spans:
        if span.kind == "slot" and span.slot is not None:
            where = ", moved to the end" if span.slot.volatile else ""
            click.echo(f"slot         {span.slot.name}: {span.end - span.start:,} characters{where}")
    for span in recognition.spans:
        if span.kind == "residue":
            click.echo(f"residue      {_residue(span, text)}")
    click.echo()
    show_table(("module", "", "evidence", "detail", "#tokens", "late"), _module_rows(outcome, recognition))


def _module_rows(outcome: Rewritten, recognition: Recognition) -> Iterable[tuple[str, ...]]:
    evidence = {item.module: item for item in outcome.decision.selected}
    present = {span.module for span in recognition.spans if span.kind == "module"}
    for number, module in enumerate(recognition.profile.modules):
        why = evidence.get(module.id)
        state = "not in the prompt" if number not in present else "kept" if why else "dropped"
        yield (
            module.id,
            state,
            why.kind if why else "",
            (why.detail or "") if why else "",
            f"{module.tokens:,}",
            "late" if why and why.late else "",
        )


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
