"""``prompt-router fit``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from litellm_prompt_router.authoring.fit import (
    SAVES_NOTHING,
    Embedded,
    Fit,
    FitOptions,
    FreedModule,
    TargetReach,
    columns_of,
    fields_of,
    fit_freeing,
    freed_modules,
    infer_cases,
    label_doubts,
    reach,
    recommended,
    target_table,
    texts_to_embed,
    with_freed,
)
from litellm_prompt_router.authoring.fit.fitting import Advance
from litellm_prompt_router.authoring.fit.gate_training import DEFAULT_TARGET
from litellm_prompt_router.authoring.split.essential_text import obligations_in
from litellm_prompt_router.cli.embedding_options import api_base_option, model_option, vectors_of
from litellm_prompt_router.cli.fit_cascade import cascade_for_json, price_line, show_cascade, with_cascade
from litellm_prompt_router.cli.fit_tables import (
    PREVIEW_CHARS,
    calibration_for_json,
    routers_of,
    show_core,
    show_doubts,
    show_fit,
    show_targets,
    target_within_share,
    targets_for_json,
)
from litellm_prompt_router.cli.inputs import (
    choose_name,
    json_option,
    profile_folders,
    profile_option,
    profiles_option,
    profiles_root,
    read_text_file,
    shown,
)
from litellm_prompt_router.cli.output import percent, say, shortened, show_json
from litellm_prompt_router.cli.routing_options import (
    RoutingAnswersWanted,
    routing_answers_option,
    routing_model_option,
)
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files import load_profile
from litellm_prompt_router.files.fit_files import FIT_FILE, TABLE_FILE, fitted_files
from litellm_prompt_router.files.labelled_messages import Numbered, parse_cases
from litellm_prompt_router.files.profile_editor import ProfileEditor
from litellm_prompt_router.profile.fitted import CoverageOver, Promise
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route import no_embeddings

NOTHING_ROUTED = "every module stays in the core, so there is nothing to route"


@click.command()
@click.argument("path", metavar="MESSAGES.jsonl")
@profile_option
@profiles_option
@click.option(
    "--target",
    type=click.FloatRange(0.5, 0.9999),
    default=DEFAULT_TARGET,
    show_default=True,
    help="Coverage to set the threshold for.",
)
@click.option(
    "--max-kept",
    type=click.FloatRange(0.01, 0.99),
    help="In place of --target: the highest coverage that keeps at most this share of the prompt's tokens.",
)
@click.option(
    "--over",
    type=click.Choice(["first-needs", "messages"]),
    default="first-needs",
    show_default=True,
    help="What coverage is counted over: messages that need what the conversation doesn't have yet, or all.",
)
@click.option(
    "--promise",
    "at_most",
    type=click.Choice(["guaranteed", "expected", "served"]),
    default="guaranteed",
    show_default=True,
    help="The strongest promise to set the threshold for. Weaker ones send less; `served` counts what the second "
    "call of a task has, too.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Of how conversations are dealt into folds.",
)
@model_option
@api_base_option
@routing_model_option
@routing_answers_option
@click.option("--keep-core", is_flag=True, help="Leave in the core what a draft put there until it is labelled.")
@click.option("--keep-anyway", is_flag=True, help="Store a fit that promises or saves nothing, too.")
@click.option("--dry-run", is_flag=True, help="Report, and store nothing.")
@json_option
def fit(
    path: str,
    name: str | None,
    root: Path | None,
    target: float,
    max_kept: float | None,
    over: str,
    at_most: Promise,
    seed: int,
    embedding_model: str | None,
    api_base: str | None,
    routing_model: str | None,
    routing_answers: str | None,
    keep_core: bool,
    keep_anyway: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Learn from MESSAGES.jsonl what messages need, and set the threshold for a stated coverage.

    MESSAGES.jsonl holds labelled messages as for `evaluate`, or captured traffic in which every module was sent
    (then a message needed the modules whose tools were called for it). Every message teaches, together with the
    examples in profile.yaml, and helps to set the threshold: as it is seen by routers that learned from other
    conversations only. The result goes to router.json and router.npz in the profile's folder, is taken up by running
    proxies within seconds, and belongs to the module texts as they are now: change those and `check` asks for another
    fit.

    Before it stores anything, it shows what each target would keep. `recommended` is the one of 90% or more that costs
    least, where a miss costs one more call with the whole prompt. A fit that promises nothing, or keeps 95% of the
    tokens or more, isn't stored, and the command ends with 1, unless --keep-anyway.

    `served`, in that table and as a promise: what the first call of a task lacks comes with its second one where the
    agent called one of its tools, or spoke of it. Of all tools that a message leads to each may be called first, where
    the labels don't tell: the lower figure is for the order that helps least, and the promise is for that one. Below
    the threshold that it allows, --promise served takes the one that costs least, as above.

    A draft keeps most modules in the core (`always: true`) for want of evidence, marked `until_labelled: true`. Those
    that some of these messages need and others don't leave the core, with the count beside them in profile.yaml; none
    does where so few messages promise nothing.

    Where profile.yaml says `router: {embedding_model: NAME}`, the modules' texts, examples and all messages are sent
    to that model, words and meaning are fitted together, and beside them words alone, for when the model doesn't
    answer. Without it nothing is sent anywhere.

    With --routing-model a chat model is asked about these messages, as the proxy would ask it, to find when words and
    meaning are sure without it, and which of its two lists select. --dry-run says what that would cost.

    Needs the extra `fit`: pip install 'litellm-prompt-router[fit]'.
    """
    from litellm_prompt_router.profile.tokens import token_counter

    folders = profile_folders(profiles_root(root))
    name = choose_name(tuple(folders), name)
    count_tokens = token_counter()
    profile = load_profile(folders[name], count_tokens, as_fitted=False)
    cases, untraceable = _read(path, profile)
    counted_over: CoverageOver = "messages" if over == "messages" else "first_needs"
    freed = () if keep_core else freed_modules(profile, cases)
    options = FitOptions(target=target, over=counted_over, at_most=at_most, seed=seed, unseen_modules=untraceable)
    embedded = _embedded(with_freed(profile, freed), cases, embedding_model, api_base)
    with _progress() as advance:
        result = fit_freeing(profile, freed, cases, options, advance, embedded)
    done, profile, freed = result.fit, result.profile, result.freed
    found = label_doubts(profile, done)
    routers = routers_of(done)
    deciding = list(routers)[-1]
    if max_kept is not None:
        options = replace(options, target=target_within_share(profile, routers[deciding], options, max_kept))
        done = done.at_target(options)
    asked, told = RoutingAnswersWanted(routing_model, routing_answers), None
    asks = asked.is_on and bool(done.cases)
    if asks and not (dry_run and routing_answers is None):
        told = with_cascade(done, asked, options, no_embeddings if embedded is None else embedded.lookup)
        done = told.fit
    rows = target_table(routers, options)
    advised = recommended(rows, deciding)
    why_not = _why_not(reach(routers[deciding], options, options.target)) if result.is_storable else NOTHING_ROUTED
    if told is not None and told.saves and result.is_storable:
        why_not = None  # what words alone keep matters only where the routing model doesn't answer
    is_refused = why_not is not None and (not keep_anyway or not result.is_storable)
    is_stored = not is_refused and not dry_run
    if is_stored:
        _store(folders[name], profile, done, freed)
    if as_json:
        semantics = done.fitted.semantics
        show_json(
            {
                "profile": profile.name,
                "calibration": calibration_for_json(done.fitted.calibration),
                "fused_calibration": calibration_for_json(semantics.calibration) if semantics else None,
                "messages": len(done.cases),
                "targets": targets_for_json(rows),
                "recommended_target": advised,
                "doubts": [asdict(doubt) for doubt in found],
                "cascade": cascade_for_json(told) if told else None,
                "left_core": [asdict(module) for module in freed],
                "kept_in_core": [asdict(module) for module in result.kept],
                "stored": is_stored,
                "why_not_stored": why_not if is_refused else None,
            }
        )
        if is_refused and not dry_run:
            raise SystemExit(1)
        return
    show_fit(profile, done)
    show_targets(rows, options.target, advised)
    show_core(profile)
    if told is not None:
        show_cascade(told, profile, next(row.reached for row in rows if row.target == options.target))
    elif asks:
        say(f"\n{price_line(done, asked, count_tokens)}")
    for module in freed:
        rules = list(obligations_in(profile.modules[profile.order[module.id]].text))
        held = f"; {len(rules)} rules in it, such as: {shortened(rules[0], PREVIEW_CHARS)}" if rules else ""
        say(f"{'would leave' if dry_run else 'left'} the core: {module.id}: {module.evidence}{held}")
    for module in result.kept:
        say(f"stays in the core, as nothing is promised: {module.id}: {module.evidence}")
    show_doubts(found, cases)
    if untraceable:
        ids = ", ".join(profile.modules[number].id for number in untraceable)
        say(f"\nno tools, so traffic can't tell who needs them; sent with every task: {ids}")
    stored = f"stored in {folders[name]}: {FIT_FILE}, {TABLE_FILE}"
    without = " ".join(f"({why})" for why in ("--dry-run" if dry_run else "", why_not or "") if why)
    say(f"\n{stored if is_stored else f'not stored {without}'}")
    if is_refused and not dry_run:
        raise SystemExit(1)
    tuned = profile.economics
    if is_stored and tuned is not None and tuned.is_tuned and tuned.router is not None:
        again = f"`prompt-router simulate TRAFFIC.jsonl --profile {name} --tune`"
        say(f"{name} was tuned before this fit, so its economics don't hold any more: {again}")


def _why_not(found: TargetReach) -> str | None:
    """Why there is nothing to gain by this fit."""
    if found.promise == "none":
        return "nothing is promised, so every module is sent with it as without it; --keep-anyway stores it"
    if found.kept >= SAVES_NOTHING:
        return f"it keeps {percent(found.kept)} of the tokens, so it saves next to nothing; --keep-anyway stores it"
    return None


def _store(folder: Path, profile: Profile, done: Fit, freed: Sequence[FreedModule]) -> None:
    """The fit's files, and what it changes in profile.yaml; all of it or nothing."""
    editor = ProfileEditor(folder)
    if freed:
        editor.set_module_fields(fields_of(freed))
    for name, content in fitted_files(done.fitted, profile.modules).items():
        editor.write(name, content)
    editor.save()


def _embedded(profile: Profile, cases: Sequence[Numbered], model: str | None, api_base: str | None) -> Embedded | None:
    """Vectors of all that is fitted on, where the profile names an embedding model."""
    if profile.embedding is None:
        if model is not None or api_base is not None:
            where = f"{profile.name}/profile.yaml"
            problem = f"--embedding-model: {where} names no model; add `router: {{embedding_model: NAME}}` to it"
            raise ConfigurationError([problem])
        return None
    texts = texts_to_embed(profile, columns_of(profile), cases)
    return Embedded(model=profile.embedding.model, known=vectors_of(profile, texts, model, api_base))


def _read(path: str, profile: Profile) -> tuple[Sequence[Numbered], tuple[int, ...]]:
    """Cases, and the modules that they can't tell of."""
    text = read_text_file(path)
    if '"request"' not in next((line for line in text.split("\n") if line.strip()), ""):
        return parse_cases(text, shown(path), profile), ()
    inferred = infer_cases(text, shown(path), profile)
    say(f"{inferred.calls} calls, {sum(inferred.skipped.values())} skipped; {len(inferred.cases)} messages", err=True)
    for why, count in inferred.skipped.items():
        say(f"skipped: {count} {why}", err=True)
    return inferred.cases, inferred.untraceable


@contextmanager
def _progress() -> Iterator[Advance]:
    with Progress(console=Console(stderr=True), transient=True) as progress:
        tasks = {}

        def advance(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=of)
            progress.update(tasks[what], completed=done, total=of)

        yield advance
