"""Where answers of routing models outlive a process: LiteLLM's Redis, else a file beside the status files.

Both hold hashes of questions, and ids of modules or the word that there was no answer: no text.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from litellm_prompt_router.gateway.models.agreed_values import AgreedStore, FileValues, RedisValues
from litellm_prompt_router.request.route import RoutingAnswer

SHARED_PREFIX = "prompt_router:answer:1:"
FILE_NAME = "routing_answers.sqlite3"

StoredAnswer = RoutingAnswer | None
"""None: it was asked in vain, and its message stays routed without an answer."""
AnswerStore = AgreedStore[StoredAnswer]


class RedisAnswers(RedisValues[StoredAnswer]):
    """LiteLLM's Redis cache, shared by replicas and workers."""

    def __init__(self, cache: Any) -> None:
        super().__init__(cache, SHARED_PREFIX, _written, _read)


class FileAnswers(FileValues[StoredAnswer]):
    """A file of this folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / FILE_NAME, _written, _read, "prompt-router-answers")


def _written(answer: StoredAnswer) -> Any:
    return {} if answer is None else {"needed": list(answer.needed), "perhaps": list(answer.perhaps)}


def _read(value: Any) -> StoredAnswer:
    """Raises TypeError for what isn't ours."""
    if not isinstance(value, dict):
        raise TypeError("no answer")
    if not value:
        return None
    needed, perhaps = value.get("needed"), value.get("perhaps")
    if not isinstance(needed, list) or not isinstance(perhaps, list):
        raise TypeError("no answer")
    return RoutingAnswer(needed=tuple(map(str, needed)), perhaps=tuple(map(str, perhaps)))
