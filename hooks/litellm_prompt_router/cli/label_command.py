"""``prompt-router label``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from litellm_prompt_router.cli.embedding_options import api_base_option, lexical_option, model_option, vectors_of
from litellm_prompt_router.cli.inputs import (
    choose_profile,
    profiles_option,
    read_profiles,
    settings_of_environment,
    shown,
)
from litellm_prompt_router.cli.labeller import Labeller
from litellm_prompt_router.cli.output import say
from litellm_prompt_router.cli.prompt_samples import lines_of, show_skipped
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files.labelled_messages import Case, parse_cases
from litellm_prompt_router.files.traffic import read_traffic
from litellm_prompt_router.onboarding.conversation_needs import topics_to_ask_for
from litellm_prompt_router.onboarding.label_order import (
    CaseToLabel,
    cases_with_scores,
    most_uncertain_first,
    texts_to_compare,
)
from litellm_prompt_router.onboarding.label_queue import cases_to_label, key_of
from litellm_prompt_router.profile.profile import Profile


@click.command()
@click.argument("traffic", metavar="TRAFFIC.jsonl")
@click.option("--profile", "name", metavar="NAME", help="Default: the only one, or workbench.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="LABELLED.jsonl",
    help="Labelled messages, added behind what is there. Default: NAME-labelled.jsonl in this folder.",
)
@click.option(
    "--order",
    type=click.Choice(["uncertain", "time"]),
    default="uncertain",
    show_default=True,
    help="Which messages come first: those that the modules' texts say least about, of each module in turn; or the "
    "oldest. A promise of `fit` is for messages like those that were labelled: in order of time, a part of them is.",
)
@model_option
@api_base_option
@lexical_option
@profiles_option
def label(
    traffic: str,
    name: str | None,
    out: Path | None,
    order: str,
    embedding_model: str | None,
    api_base: str | None,
    lexical: bool,
    root: Path | None,
) -> None:
    """Show real user messages one at a time, and write down which modules each needs.

    The modules are listed with those first whose texts resemble the message most, each under the same number always.

    \b
    numbers   take modules in or out, such as 2 5
    Enter     accept what is chosen; at first that is what the tool calls behind the message say
    n         nothing is needed beyond the core
    s         skip; it comes again next time
    b         back to the message before
    ? 3       show module 3's text
    q         stop; every answer is in the file already

    The file is what `fit` and `evaluate` read. Messages that are in it already aren't asked again, so that the same
    command goes on where it stopped. Where profile.yaml names an embedding model, the messages and the modules' texts
    are sent to it, unless --lexical; nothing else goes over the network.
    """
    profiles, _ = read_profiles(root)
    profile = choose_profile(profiles, name)
    asked = topics_to_ask_for(profile)
    if not asked:
        raise ConfigurationError([f"{profile.name}: every module is core beyond doubt; there is nothing to label"])
    target = out or Path(f"{profile.name}-labelled.jsonl")
    done = _labelled(target, profile)
    problems: list[str] = []
    with lines_of(traffic) as lines:
        calls = list(read_traffic(lines, shown(traffic), problems))
    if not calls:
        raise ConfigurationError(problems[:5] or [f"{shown(traffic)}: holds no call; a call is a line of JSON"])
    show_skipped(problems)
    calls.sort(key=lambda call: call.at_seconds)
    cases = cases_to_label(calls, profile, settings_of_environment().coverage_floor)
    if not cases:
        raise ConfigurationError(
            [f"{shown(traffic)}: no message came with the prompt of {profile.name}; see `prompt-router learn --list`"]
        )
    known = {key_of(case) for case in done}
    todo = [case for case in cases if key_of(case) not in known]
    ranked = _ranked(profile, asked, todo, embedding_model, api_base, is_lexical=lexical)
    if order == "uncertain":
        ranked = most_uncertain_first(ranked)
    labeller = Labeller(profile, asked, target, done)
    try:
        labeller.run(ranked)
    except (KeyboardInterrupt, click.Abort):
        say()
    labeller.say_end(len(todo))


def _ranked(
    profile: Profile,
    asked: Sequence[int],
    todo: Sequence[Case],
    model: str | None,
    api_base: str | None,
    *,
    is_lexical: bool,
) -> tuple[CaseToLabel, ...]:
    """The messages with what the modules' texts say of them. Raises ConfigurationError."""
    if is_lexical or profile.embedding is None or not todo:
        return cases_with_scores(profile, asked, todo)
    vectors = vectors_of(profile, texts_to_compare(profile, asked, todo), model, api_base)
    return cases_with_scores(profile, asked, todo, vectors)


def _labelled(target: Path, profile: Profile) -> Sequence[Case]:
    """What the file holds already."""
    if not target.exists():
        return ()
    try:
        text = target.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{target}: can't be read ({error}); name another --out"]) from None
    return [case for _, case in parse_cases(text, str(target), profile)] if text.strip() else ()
