"""Options of commands that route with a routing model: which one is asked, and where its answers are recorded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import click
from rich.console import Console
from rich.progress import Progress

from litellm_prompt_router.accounting.asking_price import AskingPrice, asking_price
from litellm_prompt_router.authoring.asked_answers import AskedAnswers, ask_all
from litellm_prompt_router.authoring.examples import ModelFailedError
from litellm_prompt_router.authoring.wavering_sections import WaveringSection
from litellm_prompt_router.cli.inputs import read_text_file, shown
from litellm_prompt_router.cli.output import say
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files.recorded_answers import RecordedAnswers, line_for, parse_answers
from litellm_prompt_router.onboarding.asked_routing import AskedModelPrices
from litellm_prompt_router.profile.profile import Profile, RoutingModelSettings
from litellm_prompt_router.request.route import (
    AnswerLookup,
    Router,
    RoutingAnswer,
    RoutingQuestion,
    no_answers,
    with_model_choosing,
)
from litellm_prompt_router.request.types import Turn

SMALL_MODEL = "gpt-4.1-nano"
"""Whose price is told where no routing model is named: 0.10 USD in and 0.40 USD out a million tokens (LiteLLM's map,
2026-11)."""
RECORDED = "recorded"
"""Stands for the routing model where only its answers are known."""
ENVIRONMENT_HINT = "its name is LiteLLM's, its key and address (OPENAI_API_BASE, ...) come from the environment"

routing_model_option = click.option(
    "--routing-model",
    metavar="NAME",
    help="Ask this chat model, by LiteLLM's name, what each message needs. Its key and address come from the "
    "environment, as LiteLLM takes them (OPENAI_API_KEY, OPENAI_API_BASE, ...).",
)
routing_answers_option = click.option(
    "--routing-answers",
    metavar="FILE.jsonl",
    help="Take the routing model's answers from this file; with --routing-model those that it lacks are added to it.",
)


class RoutingAnswersWanted(NamedTuple):
    """What the two options say."""

    model: str | None
    path: str | None

    @property
    def is_on(self) -> bool:
        return self.model is not None or self.path is not None


def with_routing_model(profile: Profile, wanted: RoutingAnswersWanted) -> Profile:
    """The profile as it is routed with the routing model that the options name; as it is without them."""
    if not wanted.is_on:
        return profile
    settings = profile.routing_model or RoutingModelSettings(
        model=wanted.model or RECORDED, hedge_model=None, timeout_seconds=1.0, budget_usd_per_hour=None
    )
    return with_model_choosing(replace(profile, routing_model=settings))


def answers_for(
    profile: Profile,
    questions: Iterable[RoutingQuestion],
    wanted: RoutingAnswersWanted,
    *,
    says_cost: bool = True,
) -> AnswerLookup:
    """The routing model's answers to these questions, recorded or asked for at once; ``no_answers`` without options.

    Raises ConfigurationError where the file is wrong or the model can't be asked.
    """
    if not wanted.is_on:
        return no_answers
    recorded = _recorded(profile, wanted)
    if wanted.model is not None:
        missing = [each for each in dict.fromkeys(questions) if recorded(wanted.model, each) is None]
        done = _ask(wanted.model, wanted.path, missing, Router(profile).section_ids, recorded)
        if says_cost:
            say(cost_line(wanted.model, done), err=True)
    return recorded


def questions_in(profile: Profile, conversations: Iterable[Sequence[Turn]]) -> list[RoutingQuestion]:
    """All that the profile's routing model would be asked in these conversations, each question once."""
    router = Router(profile)
    return [*dict.fromkeys(question for turns in conversations for question in router.questions(turns).values())]


def price_of(
    model: str, questions: Iterable[RoutingQuestion], count_tokens: Callable[[str], int]
) -> AskingPrice | None:
    """What these questions would cost; None where LiteLLM has no price for the model."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    from litellm_prompt_router.gateway.deployments.map_prices import prices_of_model  # imports LiteLLM

    prices = prices_of_model(model)
    return None if prices is None else asking_price(questions, count_tokens, prices)


def asked_model_prices(model: str | None) -> AskedModelPrices | None:
    """The routing model and what it costs; without a name a small model. None where LiteLLM has no price for it."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    from litellm_prompt_router.gateway.deployments.map_prices import prices_of_model  # imports LiteLLM

    prices = prices_of_model(model or SMALL_MODEL)
    if prices is None and model is not None:
        raise ConfigurationError([f"--router-model: LiteLLM has no prices for {model!r}; name another"])
    return None if prices is None else AskedModelPrices(model or SMALL_MODEL, prices)


def bill_line(
    questions: Sequence[RoutingQuestion],
    count_tokens: Callable[[str], int],
    model: str | None,
    answers: AnswerLookup,
) -> str:
    """What the routing model would be billed for these questions, which no policy's figure holds."""
    told = sum(answers("", question) is not None for question in questions)
    line = f"routing model: {len(questions):,} questions, {told:,} answered"
    if model is None:
        return f"{line}; name it with --routing-model to see its bill, which is on top of these"
    price = price_of(model, questions, count_tokens)
    if price is None:
        return f"{line}; LiteLLM has no price for {model}, whose bill is on top of these"
    return f"{line}; {model} takes {price.input_tokens:,} tokens for them, ${price.usd:.4f} at most, on top of these"


def wavering_line(section: WaveringSection) -> str:
    """A section that the model doesn't see the need of, and what to do."""
    return f"it wavers on {section.sentence}; put that into the core (`always: true`), or say more in its `when:`"


def cost_line(model: str, done: AskedAnswers) -> str:
    """What asking came to."""
    price = "at no known price" if done.usd is None else f"${done.usd:.4f}"
    failed = f", {done.unanswered} without a readable answer" if done.unanswered else ""
    return f"{model}: {done.calls} calls, {done.input_tokens:,} tokens in, {done.output_tokens:,} out, {price}{failed}"


def _recorded(profile: Profile, wanted: RoutingAnswersWanted) -> RecordedAnswers:
    path = wanted.path
    if path is None or (wanted.model is not None and path != "-" and not Path(path).exists()):
        return RecordedAnswers()
    return parse_answers(read_text_file(path), shown(path), profile)


def _ask(
    model: str, path: str | None, questions: Sequence[RoutingQuestion], ids: Sequence[str], recorded: RecordedAnswers
) -> AskedAnswers:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    from litellm_prompt_router.gateway.models.language_model import LanguageModel  # imports LiteLLM
    from litellm_prompt_router.gateway.models.routing_model import params_of_model

    def keep(question: RoutingQuestion, answer: RoutingAnswer) -> None:
        recorded.add(question, answer)
        if path is not None and path != "-":
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(line_for(question, answer))

    try:
        with _progress(model, len(questions)) as advance:
            asked = LanguageModel(model, None, params=params_of_model(model, ids))
            return ask_all(asked, questions, ids, keep, advance)
    except ModelFailedError as error:
        again = "; what it answered is kept, run the command again to go on" if path is not None else ""
        raise ConfigurationError([f"--routing-model {model}: {error}; {ENVIRONMENT_HINT}{again}"]) from None
    except OSError as error:
        raise ConfigurationError([f"{path}: can't be written ({error.strerror}); check the path"]) from None


@contextmanager
def _progress(model: str, total: int) -> Iterator[Callable[[], None]]:
    console = Console(stderr=True)
    if not console.is_terminal or not total:
        yield lambda: None
        return
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(f"asking {model}", total=total)
        yield lambda: progress.advance(task)
