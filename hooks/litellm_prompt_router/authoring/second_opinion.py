"""What a language model says that labelled messages need, beside what their labels say. It changes no label."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from litellm_prompt_router.authoring.examples import PatientModel, wording
from litellm_prompt_router.authoring.examples.write_examples import with_required
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files.labelled_messages import Case, Numbered
from litellm_prompt_router.files.replace_files import replace_files
from litellm_prompt_router.profile.profile import Profile

MESSAGES_A_QUESTION = 10
OUTPUT_TOKENS_A_MESSAGE = 30
"""What an answer takes for one message: its number and a few ids. For prices named before anything is asked."""

Opinions = dict[str, tuple[str, ...]]
"""The modules that a message needs in the model's eyes, by the digest of what it was asked about it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Disagreement:
    """A label that the model doesn't share: ``missing`` where it would add the module, ``needless`` where it wouldn't.

    ``line``: of the labelled messages, from 1.
    """

    line: int
    kind: Literal["missing", "needless"]
    module: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OpinionPlan:
    """What has to be asked. Every question has the same ``system`` text."""

    system: str
    questions: tuple[tuple[Numbered, ...], ...]

    def texts(self) -> Iterable[str]:
        return (_question(batch) for batch in self.questions)


def plan_of(profile: Profile, cases: Sequence[Numbered], known: Opinions, model: str) -> OpinionPlan:
    """Questions about the messages of which the model's opinion isn't known, several messages each."""
    system = wording.introduction(profile)
    todo = [(line, case) for line, case in cases if digest_of_case(system, case, model) not in known]
    batches = [tuple(todo[at : at + MESSAGES_A_QUESTION]) for at in range(0, len(todo), MESSAGES_A_QUESTION)]
    return OpinionPlan(system=system, questions=tuple(batches))


def ask(plan: OpinionPlan, model: str, asker: PatientModel, known: Opinions, changed: Callable[[int], None]) -> None:
    """Fills ``known``; ``changed`` is told how many messages each answer was about, which is when to save.

    Messages that an answer leaves out stay unknown. Raises ModelFailedError.
    """
    for batch in plan.questions:
        found = asker.ask(system=plan.system, user=_question(batch), parse=wording.read_labels) or {}
        for number, (_, case) in enumerate(batch, 1):
            if number in found:
                known[digest_of_case(plan.system, case, model)] = tuple(sorted(found[number]))
        changed(len(batch))


def disagreements(
    profile: Profile, cases: Sequence[Numbered], known: Opinions, model: str
) -> tuple[tuple[Disagreement, ...], int]:
    """``(labels that the model doesn't share, messages that it said nothing of)``, in the order of the file.

    Modules that the conversation's tool calls brought already aren't compared: labels differ in whether they name them.
    """
    system = wording.introduction(profile)
    owners = {tool: module.id for module in profile.modules for tool in module.tools}
    found: list[Disagreement] = []
    unanswered = 0
    for line, case in cases:
        opinion = known.get(digest_of_case(system, case, model))
        if opinion is None:
            unanswered += 1
            continue
        in_use = with_required({owners[tool] for tool in case.tool_calls if tool in owners}, profile)
        labels = with_required(case.needs, profile) - in_use
        theirs = with_required((id for id in opinion if id in profile.order), profile) - in_use
        for id in (module.id for module in profile.modules):
            if id in theirs - labels:
                found.append(Disagreement(line=line, kind="missing", module=id))
            elif id in labels - theirs:
                found.append(Disagreement(line=line, kind="needless", module=id))
    return tuple(found), unanswered


def digest_of_case(system: str, case: Case, model: str) -> str:
    """Of the model and all that it is told; not of the label."""
    return hashlib.sha256(json.dumps([model, system, _described(case)]).encode()).hexdigest()


def load_opinions(path: Path) -> Opinions:
    """What earlier runs were told; nothing where there is no file. Raises ConfigurationError."""
    try:
        document = json.loads(path.read_text("utf-8")) if path.exists() else {}
        return {str(digest): tuple(map(str, needs)) for digest, needs in document.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        raise ConfigurationError(
            [f"{path}: not what `prompt-router second-opinion` writes; move it away to begin anew"]
        ) from None


def save_opinions(path: Path, known: Opinions) -> None:
    """Replaces the file, which holds ids and no message. Raises ConfigurationError."""
    replace_files({path: (json.dumps(known, indent=0) + "\n").encode()}, path)


def _question(batch: Sequence[Numbered]) -> str:
    return wording.label_question([_described(case) for _, case in batch])


def _described(case: Case) -> Mapping[str, object]:
    return {
        "history": [text[: wording.MAX_MESSAGE_CHARS] for text in case.history],
        "agent": getattr(case, "assistant", "")[: wording.MAX_MESSAGE_CHARS],
        "text": case.text[: wording.MAX_MESSAGE_CHARS],
    }
