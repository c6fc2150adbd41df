"""``split --llm``: asks a model about each module, with progress, and goes on where it was stopped."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from litellm_prompt_router.authoring.examples import ModelAnswer as Reply
from litellm_prompt_router.authoring.examples import ModelFailedError
from litellm_prompt_router.authoring.split import Draft
from litellm_prompt_router.authoring.split.draft import DraftModule
from litellm_prompt_router.authoring.split.model_questions import (
    ModuleAnswer,
    key_of,
    question_of,
    read_answer,
    with_answers,
)
from litellm_prompt_router.cli.output import say
from litellm_prompt_router.documents.errors import ConfigurationError

ATTEMPTS = 2
"""For an answer that can't be read."""
RETRIES = 2
"""For one that didn't come."""


def with_model(draft: Draft, model: str, answers_path: Path) -> Draft:
    """The draft with what the model says of its modules. Answers are kept in ``answers_path`` as they come.

    Raises ConfigurationError when the model can't be asked; what was answered until then isn't asked again.
    """
    kept = _read_kept(answers_path)
    answers: dict[str, ModuleAnswer | None] = {}
    spent, unpriced, asked = Decimal(0), 0, 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        answers_path.parent.mkdir(parents=True, exist_ok=True)
        with answers_path.open("a", encoding="utf-8") as file, Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(f"asking {model}", total=len(draft.modules))
            for module in draft.modules:
                key = key_of(draft, module, model)
                if key not in kept:
                    replies = _ask(draft, module, model)
                    asked += len(replies)
                    spent += sum((reply.usd for reply in replies if reply.usd is not None), Decimal(0))
                    unpriced += sum(reply.usd is None for reply in replies)
                    kept[key] = replies[-1].text
                    _keep(file, key, kept[key])
                answers[module.id] = read_answer(kept[key])
                bar.advance(task)
    except ModelFailedError as error:
        done = f"{len(answers)} of {len(draft.modules)} modules are answered; run the command again to go on"
        raise ConfigurationError([f"--llm {model}: {error}; {done}"]) from None
    except OSError as error:
        raise ConfigurationError([f"{answers_path}: can't be written ({error.strerror}); fix that"]) from None
    cost = f"${spent:.4f}" if not unpriced else f"${spent:.4f} and {unpriced} calls without a known price"
    say(f"{model}: {asked} calls, {len(draft.modules)} modules answered, cost {cost}")
    return with_answers(draft, answers)


def _ask(draft: Draft, module: DraftModule, model: str) -> list[Reply]:
    """All replies to the question, the last one counts."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    from litellm_prompt_router.gateway.models.language_model import (
        LanguageModel,  # imports LiteLLM, which takes seconds
    )

    ask = LanguageModel(model, None, retries=RETRIES)
    instructions, text = question_of(draft, module)
    replies: list[Reply] = []
    while len(replies) < ATTEMPTS:
        replies.append(ask(system=instructions, user=text))
        if read_answer(replies[-1].text) is not None:
            break
    return replies


def _keep(file: TextIO, key: str, reply: str) -> None:
    file.write(json.dumps({"question": key, "reply": reply}) + "\n")
    file.flush()


def _read_kept(path: Path) -> dict[str, str]:
    """Replies by question; a line that was cut off when the command was stopped is asked again."""
    kept: dict[str, str] = {}
    if not path.is_file():
        return kept
    for line in path.read_text("utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
            kept[str(entry["question"])] = str(entry["reply"])
        except (json.JSONDecodeError, KeyError, TypeError):
            continue
    return kept
