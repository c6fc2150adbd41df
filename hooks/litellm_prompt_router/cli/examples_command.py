"""``prompt-router examples``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from litellm_prompt_router.authoring.examples import (
    Harvest,
    ModelFailedError,
    PatientModel,
    add_to_labelled,
    add_to_profile,
    load_harvest,
    routed,
    save_harvest,
    write_examples,
)
from litellm_prompt_router.cli.inputs import (
    choose_profile,
    json_option,
    profile_folders,
    profiles_option,
    profiles_root,
    read_profiles,
)
from litellm_prompt_router.cli.output import say, show_json, show_table
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.shown_text import one_line
from litellm_prompt_router.files import PROFILE_FILE
from litellm_prompt_router.profile.profile import Module, Profile

STATE_FILE = "examples_state.json"
LABELLED_FILE = "labelled_examples.jsonl"
INTERRUPTED = 130
"""The shell's exit code for a program stopped by Ctrl-C."""


@click.command()
@click.option("--llm", "model", required=True, metavar="MODEL", help="LiteLLM's name of the model that writes.")
@click.option("--api-base", metavar="URL", help="Where the model is, if not at its provider's usual address.")
@click.option(
    "--second-opinion",
    "second",
    metavar="MODEL",
    help="Another model that labels the messages a second time. Default: the one that wrote them.",
)
@click.option("--second-api-base", metavar="URL", help="Where that one is, if not at its provider's usual address.")
@click.option("--per-module", default=40, show_default=True, type=click.IntRange(1, 1_000), metavar="N")
@click.option("--profile", "name", metavar="NAME", help="Default: the only one, or workbench.")
@profiles_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=f"Labelled messages, added behind what is there. Default: {LABELLED_FILE} in the profile's folder.",
)
@click.option("--into-profile", is_flag=True, help=f"Also add them to the `examples` in {PROFILE_FILE}.")
@json_option
@click.pass_context
def examples(
    ctx: click.Context,
    /,
    model: str,
    api_base: str | None,
    second: str | None,
    second_api_base: str | None,
    per_module: int,
    name: str | None,
    root: Path | None,
    out: Path | None,
    into_profile: bool,
    as_json: bool,
) -> None:
    """Write at least N user messages for each module that isn't core, from the modules' texts.

    They vary in length, tone and language; some are follow-ups in a conversation, some need two modules. Near
    duplicates and messages that another module claims are dropped. The model, or with --second-opinion another one,
    then says of each message what it needs, without being told what it was written for; only those on which both agree
    are kept. What a model wrote and labelled itself flatters it: two models of different makers agree on less.

    All is kept in examples_state.json in the profile's folder after every answer: run the same command again to go on
    after an error or Ctrl-C. Keys come from the environment, as LiteLLM takes them (OPENAI_API_KEY, ...).
    """
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    profiles, _ = read_profiles(root)
    profile = choose_profile(profiles, name)
    folder = profile_folders(profiles_root(root))[profile.name]
    harvest = load_harvest(folder / STATE_FILE)
    save_harvest(folder / STATE_FILE, harvest)  # a folder that can't be written to shows before anything is paid
    from litellm_prompt_router.gateway.models.language_model import (
        LanguageModel,  # imports LiteLLM, which takes seconds
    )

    ask = LanguageModel(model, api_base)
    label = ask if second is None else LanguageModel(second, second_api_base)
    problem: str | None = None
    stopped = False
    with _progress(profile, harvest, per_module) as (advance, tell):

        def changed(module: Module) -> None:
            save_harvest(folder / STATE_FILE, harvest)
            advance(module)

        asker, labeller = (
            PatientModel(model=each, count=harvest.count, tell=tell, sleep=time.sleep) for each in (ask, label)
        )
        try:
            write_examples(profile, harvest, asker, per_module=per_module, changed=changed, labeller=labeller)
        except ModelFailedError as error:
            who = f"--llm: {model}" if second is None else f"--llm {model} or --second-opinion {second}"
            problem = f"{who}: {error}; nothing is lost: put it right and run the same command again"
        except KeyboardInterrupt:
            stopped = True
    save_harvest(folder / STATE_FILE, harvest)
    messages = harvest.messages(profile)
    labelled = out or folder / LABELLED_FILE
    added = add_to_labelled(labelled, messages)
    in_profile = add_to_profile(folder, messages) if into_profile else 0
    if as_json:
        show_json(_document(profile, harvest, per_module, str(labelled), added, in_profile))
    else:
        _show(profile, harvest, per_module, model)
        say(f"{labelled}: {added:,} added")
        if into_profile:
            say(f"{folder / PROFILE_FILE}: {in_profile:,} added; follow-ups are left out there")
    if problem is not None:
        raise ConfigurationError([problem])
    if stopped:
        say("stopped; run the same command again to go on", err=True)
        ctx.exit(INTERRUPTED)


@contextmanager
def _progress(
    profile: Profile, harvest: Harvest, per_module: int
) -> Iterator[tuple[Callable[[Module], None], Callable[[str], None]]]:
    """``(advance, tell)``: a bar on stderr while somebody watches, and lines above it."""
    console = Console(stderr=True, markup=False, highlight=False, emoji=False)

    def done() -> int:
        return sum(min(len(harvest.of(module).kept), per_module) for module in routed(profile))

    def tell(line: str) -> None:
        console.print(one_line(line), soft_wrap=True)

    if not console.is_terminal:
        yield lambda _: None, tell
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=per_module * len(routed(profile)), completed=done())
        yield lambda module: bar.update(task, description=module.id, completed=done()), tell


def _show(profile: Profile, harvest: Harvest, per_module: int, model: str) -> None:
    columns = ("module", "#kept", "#near duplicates", "#another module's", "#no agreement")
    show_table(columns, _rows(profile, harvest))
    short = _short(profile, harvest, per_module)
    if short:
        say(f"short of {per_module}: {', '.join(short)}; run it again, or with another model")
    tokens = f"{harvest.calls:,} answers, {harvest.input_tokens:,} tokens in, {harvest.output_tokens:,} out"
    price = _price(harvest.usd) or f"unknown, LiteLLM has no price for all of it ({model})"
    say(f"\ncost, earlier runs included: {price}; {tokens}")


def _price(usd: Decimal | None) -> str | None:
    return None if usd is None else f"{usd:,.4f} USD"


def _rows(profile: Profile, harvest: Harvest) -> Iterator[tuple[str, ...]]:
    for module in routed(profile):
        of = harvest.of(module)
        counts = (len(of.kept), of.near_duplicates, of.others, of.disagreements)
        yield (module.id, *(f"{count:,}" for count in counts))


def _short(profile: Profile, harvest: Harvest, per_module: int) -> list[str]:
    return [module.id for module in routed(profile) if len(harvest.of(module).kept) < per_module]


def _document(
    profile: Profile, harvest: Harvest, per_module: int, labelled: str, added: int, in_profile: int
) -> dict[str, object]:
    modules = {
        module.id: {
            "kept": len(harvest.of(module).kept),
            "near_duplicates": harvest.of(module).near_duplicates,
            "others": harvest.of(module).others,
            "disagreements": harvest.of(module).disagreements,
        }
        for module in routed(profile)
    }
    return {
        "profile": profile.name,
        "modules": modules,
        "short": _short(profile, harvest, per_module),
        "answers": harvest.calls,
        "input_tokens": harvest.input_tokens,
        "output_tokens": harvest.output_tokens,
        "usd": None if harvest.usd is None else str(harvest.usd),
        "labelled_file": labelled,
        "labelled_added": added,
        "profile_added": in_profile,
    }
