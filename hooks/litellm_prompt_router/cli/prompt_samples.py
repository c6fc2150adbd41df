"""Prompts as they are sent: a text file holds one, captured traffic one a call."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from litellm_prompt_router.authoring.check.sample_report import PromptSample
from litellm_prompt_router.cli.inputs import read_bytes, shown
from litellm_prompt_router.cli.output import say
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files.traffic import read_traffic
from litellm_prompt_router.request.types import UnreadableRequestError
from litellm_prompt_router.request.wire import SHAPES

SHOWN_PROBLEMS = 5
TRAFFIC_SUFFIX = ".jsonl"


def read_samples(path: str) -> list[PromptSample]:
    """The system prompts in the file, in the order of its lines."""
    if not path.endswith(TRAFFIC_SUFFIX):
        return [PromptSample(text=read_prompt(path), where=shown(path))]
    problems: list[str] = []
    samples: list[PromptSample] = []
    with lines_of(path) as lines:
        for call in read_traffic(lines, path, problems):
            try:
                text = SHAPES[call.endpoint].read(call.request).system_text if call.endpoint in SHAPES else ""
            except UnreadableRequestError:
                text = ""
            if text.strip():
                conversation = f"{call.key}\0{call.conversation}"
                samples.append(PromptSample(text=text, where=f"{path}: line {call.line}", conversation=conversation))
    show_skipped(problems)
    if not samples:
        raise ConfigurationError(problems or [f"{path}: holds no call with a system prompt"])
    return samples


def read_prompt(path: str) -> str:
    """The prompt in the file, exactly."""
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError([f"{shown(path)}: not UTF-8 at byte {error.start}; convert it"]) from None


@contextmanager
def lines_of(path: str) -> Iterator[TextIO]:
    """The file's lines; a byte that isn't UTF-8 spoils its own line only."""
    if path == "-":
        stdin = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="replace", newline="\n")
        try:
            yield stdin
        finally:
            stdin.detach()  # or stdin would be closed with it
        return
    try:
        with Path(path).open(encoding="utf-8", errors="replace", newline="\n") as file:
            yield file
    except OSError as error:
        raise ConfigurationError([f"{path}: can't be read ({error.strerror}); check the path"]) from None


def show_skipped(problems: Sequence[str]) -> None:
    """Tells of lines that are no calls, on stderr; a few in full."""
    for problem in problems[:SHOWN_PROBLEMS]:
        say(f"skipped: {problem}", err=True)
    if len(problems) > SHOWN_PROBLEMS:
        say(f"skipped: {len(problems) - SHOWN_PROBLEMS:,} more", err=True)
