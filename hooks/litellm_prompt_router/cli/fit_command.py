"""``prompt-router fit``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from litellm_prompt_router.authoring.evaluate import Comparison, compare
from litellm_prompt_router.authoring.fit import (
    Embedded,
    Fit,
    FitOptions,
    FreedModule,
    LabelDoubt,
    columns_of,
    fields_of,
    fit_freeing,
    freed_modules,
    infer_cases,
    label_doubts,
    texts_to_embed,
    with_freed,
)
from litellm_prompt_router.authoring.fit.fitting import Advance
from litellm_prompt_router.authoring.split.essential_text import obligations_in
from litellm_prompt_router.cli.embedding_options import api_base_option, model_option, vectors_of
from litellm_prompt_router.cli.fit_cascade import cascade_for_json, price_line, show_cascade, with_cascade
from litellm_prompt_router.cli.fitted_promise import COUNTED, promise_of
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
from litellm_prompt_router.cli.output import percent, shortened, show_json, show_table
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
from litellm_prompt_router.profile.fitted import Calibration, CoverageOver, Promise
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route import no_embeddings

PREVIEW_CHARS = 70
MAX_DOUBTS = 20


@click.command()
@click.argument("path", metavar="MESSAGES.jsonl")
@profile_option
@profiles_option
@click.option(
    "--target",
    type=click.FloatRange(0.5, 0.9999),
    default=0.99,
    show_default=True,
    help="Coverage to set the threshold for.",
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
    type=click.Choice(["guaranteed", "expected"]),
    default="guaranteed",
    show_default=True,
    help="The strongest promise to set the threshold for. The weaker one sends less.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Of the split into messages that teach and messages that calibrate.",
)
@model_option
@api_base_option
@routing_model_option
@routing_answers_option
@click.option("--keep-core", is_flag=True, help="Leave in the core what a draft put there until it is labelled.")
@click.option("--dry-run", is_flag=True, help="Report, and store nothing.")
@json_option
def fit(
    path: str,
    name: str | None,
    root: Path | None,
    target: float,
    over: str,
    at_most: Promise,
    seed: int,
    embedding_model: str | None,
    api_base: str | None,
    routing_model: str | None,
    routing_answers: str | None,
    keep_core: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Learn from MESSAGES.jsonl what messages need, and set the threshold for a stated coverage.

    MESSAGES.jsonl holds labelled messages as for `evaluate`, or captured traffic in which every module was sent
    (then a message needed the modules whose tools were called for it). Conversations are split: one part teaches,
    together with the examples in profile.yaml; the other sets the threshold. The result goes to router.json and
    router.npz in the profile's folder, is taken up by running proxies within seconds, and belongs to the module
    texts as they are now: change those and `check` asks for another fit.

    A draft keeps most modules in the core (`always: true`) for want of evidence, marked `until_labelled: true`. Those
    that some of these messages need and others don't leave the core, with the count beside them in profile.yaml; none
    does where so few messages promise nothing.

    Where profile.yaml says `router: {embedding_model: NAME}`, the modules' texts, examples and all messages are sent
    to that model, words and meaning are fitted together, and beside them words alone, for when the model doesn't
    answer. Without it nothing is sent anywhere.

    With --routing-model a chat model is asked about the calibration messages, as the proxy would ask it, to find when
    words and meaning are sure without it, and which of its two lists select. --dry-run says what that would cost.

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
        found = label_doubts(profile, cases, done, options, advance)
        lookup = embedded.lookup if embedded else no_embeddings
        comparison = compare(done.profile, done.calibration, lookup)
    asked, told = RoutingAnswersWanted(routing_model, routing_answers), None
    asks = asked.is_on and bool(done.calibration)
    if asks and not (dry_run and routing_answers is None):
        told = with_cascade(done, asked, options, lookup)
        done = told.fit
    is_stored = result.is_storable and not dry_run
    if is_stored:
        _store(folders[name], profile, done, freed)
    if as_json:
        semantics = done.fitted.semantics
        show_json(
            {
                "profile": profile.name,
                "calibration": _calibration_for_json(done.fitted.calibration),
                "fused_calibration": _calibration_for_json(semantics.calibration) if semantics else None,
                "teaching_messages": len(done.teaching),
                "calibration_messages": len(done.calibration),
                "standings": [asdict(standing) for standing in comparison.standings],
                "doubts": [asdict(doubt) for doubt in found],
                "cascade": cascade_for_json(told) if told else None,
                "left_core": [asdict(module) for module in freed],
                "kept_in_core": [asdict(module) for module in result.kept],
                "stored": is_stored,
            }
        )
        return
    _show(profile, done, comparison)
    if told is not None:
        show_cascade(told, profile)
    elif asks:
        click.echo(f"\n{price_line(done, asked, count_tokens)}")
    for module in freed:
        rules = list(obligations_in(profile.modules[profile.order[module.id]].text))
        held = f"; {len(rules)} rules in it, such as: {shortened(rules[0], PREVIEW_CHARS)}" if rules else ""
        click.echo(f"{'would leave' if dry_run else 'left'} the core: {module.id}: {module.evidence}{held}")
    for module in result.kept:
        click.echo(f"stays in the core, as nothing is promised: {module.id}: {module.evidence}")
    _show_doubts(found, cases)
    if untraceable:
        ids = ", ".join(profile.modules[number].id for number in untraceable)
        click.echo(f"\nno tools, so traffic can't tell who needs them; sent with every task: {ids}")
    stored = f"stored in {folders[name]}: {FIT_FILE}, {TABLE_FILE}"
    without = "(--dry-run)" if result.is_storable else "(every module stays in the core, so there is nothing to route)"
    click.echo(f"\n{stored if is_stored else f'not stored {without}'}")
    if is_stored and profile.economics is not None and profile.economics.router is not None:
        again = f"`prompt-router simulate TRAFFIC.jsonl --profile {name} --tune`"
        click.echo(f"{name} was tuned before this fit, so its economics don't hold any more: {again}")


def _store(folder: Path, profile: Profile, done: Fit, freed: Sequence[FreedModule]) -> None:
    """The fit's files, and what it changes in profile.yaml; all of it or nothing."""
    editor = ProfileEditor(folder)
    if freed:
        editor.set_module_fields(fields_of(freed))
    for name, content in fitted_files(done.fitted, profile.modules).items():
        editor.write(name, content)
    editor.save()


def _calibration_for_json(calibration: Calibration) -> dict[str, object]:
    stated = asdict(calibration)
    return {name: None if value in (float("inf"), float("-inf")) else value for name, value in stated.items()}


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
    click.echo(
        f"{inferred.calls} calls, {sum(inferred.skipped.values())} skipped; {len(inferred.cases)} messages", err=True
    )
    for why, count in inferred.skipped.items():
        click.echo(f"skipped: {count} {why}", err=True)
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


def _show(profile: Profile, done: Fit, comparison: Comparison) -> None:
    calibration = done.fitted.calibration
    click.echo(f"{profile.name} {profile.version}")
    split = f"{len(done.calibration)} calibrated, of {calibration.conversations} conversations"
    click.echo(f"{len(done.teaching)} messages taught, {split}")
    click.echo(f"promise      {promise_of(calibration)}")
    click.echo(f"based on     {calibration.messages} {COUNTED[calibration.over]}, {calibration.misses} missed")
    if calibration.promise != "none":
        click.echo(
            f"threshold    {calibration.threshold:.2f} (for the expected promise {calibration.expected_threshold:.2f})"
        )
    if done.fitted.semantics is not None:
        fused = done.fitted.semantics.calibration
        click.echo(f"with {done.fitted.semantics.model}: {promise_of(fused)}")
        if fused.promise != "none":
            click.echo(f"threshold    {fused.threshold:.2f} for words and meaning together")
    click.echo("holds for    traffic like the calibration messages, as long as it stays like them\n")
    if not comparison.standings:
        click.echo(
            "no calibration messages, so nothing to measure: in none of these is a module needed for the first time"
        )
        return
    show_table(
        ("on the calibration messages", "#coverage", "#at first needs", "#tokens kept"),
        [
            (
                s.router,
                percent(s.coverage),
                "-" if s.first_need_coverage is None else percent(s.first_need_coverage),
                percent(s.kept_tokens),
            )
            for s in comparison.standings
        ],
    )


def _show_doubts(found: Sequence[LabelDoubt], cases: Sequence[Numbered]) -> None:
    texts = {line: case.text for line, case in cases}
    if found:
        click.echo(
            f"\n{len(found)} labels to look at again; one wrong need in a hundred messages costs much of the saving"
        )
    for doubt in found[:MAX_DOUBTS]:
        click.echo(f"line {doubt.line}: {_said(doubt)}: {shortened(texts[doubt.line], PREVIEW_CHARS)}")
    if len(found) > MAX_DOUBTS:
        click.echo(f"and {len(found) - MAX_DOUBTS} more (--json lists them)")


def _said(doubt: LabelDoubt) -> str:
    if doubt.kind == "conflict":
        return f"differs from line {doubt.other_line} in {doubt.module}"
    what = "needs" if doubt.kind == "needless" else "lacks"
    return f"{what} {doubt.module}, which messages like it need with a chance of {doubt.chance or 0.0:.1%}"
