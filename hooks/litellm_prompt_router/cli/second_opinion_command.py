"""``prompt-router second-opinion``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from litellm_prompt_router.authoring.examples import ModelAnswer, ModelFailedError, PatientModel
from litellm_prompt_router.authoring.second_opinion import (
    OUTPUT_TOKENS_A_MESSAGE,
    Disagreement,
    OpinionPlan,
    ask,
    disagreements,
    load_opinions,
    plan_of,
    save_opinions,
)
from litellm_prompt_router.cli.inputs import (
    choose_profile,
    json_option,
    profile_option,
    profiles_option,
    read_profiles,
    read_text_file,
    shown,
)
from litellm_prompt_router.cli.output import say, shortened, show_json
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.shown_text import one_line
from litellm_prompt_router.files.labelled_messages import Numbered, parse_cases
from litellm_prompt_router.profile.tokens import token_counter

OPINIONS_FILE = "{name}-second-opinion.json"
PREVIEW_CHARS = 70
INTERRUPTED = 130
"""The shell's exit code for a program stopped by Ctrl-C."""


@click.command("second-opinion")
@click.argument("path", metavar="LABELLED.jsonl")
@click.option("--llm", "model", required=True, metavar="MODEL", help="LiteLLM's name of the model that is asked.")
@click.option("--api-base", metavar="URL", help="Where the model is, if not at its provider's usual address.")
@profile_option
@profiles_option
@click.option(
    "--state",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The model's answers, kept so that no message is paid for twice. Default: NAME-second-opinion.json.",
)
@click.option("--dry-run", is_flag=True, help="Say what it would cost, and ask nothing.")
@json_option
@click.pass_context
def second_opinion(
    ctx: click.Context,
    /,
    path: str,
    model: str,
    api_base: str | None,
    name: str | None,
    root: Path | None,
    state: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Ask a language model what each labelled message needs, and list the labels that it doesn't share.

    It isn't told the labels. Nothing is changed: look at the listed lines yourself, and correct those that are wrong,
    with an editor or with `label`. `fit` lists more labels to look at, by what the other messages taught it; a label
    that both doubt is rarely right.

    The messages and the modules' texts go to that model. Its answers are kept after each question: the same command
    goes on where it stopped. Keys come from the environment, as LiteLLM takes them (OPENAI_API_KEY, ...).
    """
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    profile = choose_profile(read_profiles(root)[0], name)
    cases = parse_cases(read_text_file(path), shown(path), profile)
    answers = state or Path(OPINIONS_FILE.format(name=profile.name))
    known = load_opinions(answers)
    plan = plan_of(profile, cases, known, model)
    if dry_run:
        _show_price(plan, model, len(cases), as_json=as_json)
        return
    spent = _Spent()
    problem: str | None = None
    is_stopped = False
    if plan.questions:
        from litellm_prompt_router.gateway.models.language_model import (
            LanguageModel,  # imports LiteLLM, which takes seconds
        )

        save_opinions(answers, known)  # a folder that can't be written to shows before anything is paid
        with _progress(plan, model) as (advance, tell):

            def changed(messages: int) -> None:
                save_opinions(answers, known)
                advance(messages)

            asker = PatientModel(model=LanguageModel(model, api_base), count=spent.add, tell=tell, sleep=time.sleep)
            try:
                ask(plan, model, asker, known, changed)
            except ModelFailedError as error:
                problem = f"--llm: {model}: {error}; nothing is lost: put it right and run the same command again"
            except KeyboardInterrupt:
                is_stopped = True
    found, unanswered = disagreements(profile, cases, known, model)
    if as_json:
        listed = [asdict(one) for one in found]
        usd = None if spent.usd is None else str(spent.usd)
        counts = {"messages": len(cases), "unanswered": unanswered, "answers": spent.answers, "usd": usd}
        show_json({"profile": profile.name, **counts, "disagreements": listed})
    else:
        _show(found, cases, unanswered, model)
        say(f"\ncost: {_price(spent.usd)}; {spent.answers:,} answers; kept in {answers}")
    if problem is not None:
        raise ConfigurationError([problem])
    if is_stopped:
        say("stopped; run the same command again to go on", err=True)
        ctx.exit(INTERRUPTED)


class _Spent:
    """What this run's answers cost. ``usd`` is None once a price was unknown."""

    def __init__(self) -> None:
        self.answers = 0
        self.usd: Decimal | None = Decimal(0)

    def add(self, answer: ModelAnswer) -> None:
        self.answers += 1
        self.usd = None if self.usd is None or answer.usd is None else self.usd + answer.usd


def _show_price(plan: OpinionPlan, model: str, messages: int, *, as_json: bool) -> None:
    from litellm_prompt_router.gateway.models.language_model import price_of

    count = token_counter()
    asked = sum(len(batch) for batch in plan.questions)
    input_tokens = count(plan.system) * len(plan.questions) + sum(map(count, plan.texts()))
    output_tokens = asked * OUTPUT_TOKENS_A_MESSAGE
    usd = price_of(model, input_tokens, output_tokens) if asked else Decimal(0)
    if as_json:
        tokens = {"input_tokens": input_tokens, "output_tokens": output_tokens}
        price = None if usd is None else str(usd)
        show_json({"messages": messages, "asked": asked, "questions": len(plan.questions), **tokens, "usd": price})
        return
    say(
        f"{asked:,} of {messages:,} messages to ask {model} about, in {len(plan.questions):,} questions: "
        f"about {input_tokens:,} tokens in and {output_tokens:,} out, {_price(usd)} uncached (--dry-run)"
    )


def _price(usd: Decimal | None) -> str:
    return "unknown, LiteLLM has no price for the model" if usd is None else f"{usd:,.4f} USD"


def _show(found: Sequence[Disagreement], cases: Sequence[Numbered], unanswered: int, model: str) -> None:
    by_line: dict[int, list[Disagreement]] = {}
    for one in found:
        by_line.setdefault(one.line, []).append(one)
    say(f"{len(by_line):,} of {len(cases) - unanswered:,} messages are labelled otherwise than {model} would")
    if unanswered:
        say(f"{unanswered:,} without an answer; run the same command again")
    texts = {line: case.text for line, case in cases}
    for line, of_line in by_line.items():
        said = [
            f"{verb} {', '.join(one.module for one in of_line if one.kind == kind)}"
            for kind, verb in (("missing", "would add"), ("needless", "would drop"))
            if any(one.kind == kind for one in of_line)
        ]
        say(f"line {line}: {' and '.join(said)}: {shortened(texts[line], PREVIEW_CHARS)}")
    if by_line:
        say("nothing was changed; the model may be wrong as well")


@contextmanager
def _progress(plan: OpinionPlan, model: str) -> Iterator[tuple[Callable[[int], None], Callable[[str], None]]]:
    """``(advance, tell)``: a bar on stderr while somebody watches, and lines above it."""
    console = Console(stderr=True, markup=False, highlight=False, emoji=False)

    def tell(line: str) -> None:
        console.print(one_line(line), soft_wrap=True)

    if not console.is_terminal:
        yield lambda _: None, tell
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(f"asking {model}", total=sum(len(batch) for batch in plan.questions))
        yield lambda messages: bar.update(task, advance=messages), tell
