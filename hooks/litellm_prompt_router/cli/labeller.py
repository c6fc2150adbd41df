"""Asks what each message needs, key by key, and has every answer in the file before the next question."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click

from litellm_prompt_router.cli.output import say, shortened, show_table
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files.labelled_messages import Case
from litellm_prompt_router.files.replace_files import PRIVATE_MODE, replace_files
from litellm_prompt_router.onboarding.label_order import CaseToLabel
from litellm_prompt_router.onboarding.trial_fit import FOR_EXPECTED, FOR_GUARANTEED, calibrating_of
from litellm_prompt_router.profile.profile import Module, Profile
from litellm_prompt_router.profile.topic_pieces import pieces_of_topics

MESSAGE_CHARS = 3_000
HISTORY_SHOWN = 3
HISTORY_CHARS = 160
DESCRIPTION_CHARS = 80
KEYS = "numbers take in or out, Enter accepts, n nothing, s skip, b back, ? N text, q quit"
Move = Literal["quit", "skip", "back"]
MOVES: dict[str, Move] = {"q": "quit", "s": "skip", "b": "back"}


class Labeller:
    """One sitting. ``asked``: indexes of the modules to choose from; ``done``: what the file holds already."""

    def __init__(self, profile: Profile, asked: Sequence[int], target: Path, done: Sequence[Case]) -> None:
        self._modules = [profile.modules[number] for number in asked]
        self._texts = {
            profile.modules[first].id: "".join(profile.modules[piece].text for piece in pieces)
            for first, pieces in pieces_of_topics(profile.modules).items()
        }
        self._target = target
        self._done = list(done)
        self._places: dict[int, int] = {}
        """Where in ``_done`` this sitting's answers are, by the message's place in the queue."""
        self._has_ended_line = not target.exists() or target.read_bytes()[-1:] in (b"", b"\n")

    def run(self, todo: Sequence[CaseToLabel]) -> None:
        """Until the last message, ``q``, or the end of the input."""
        at = 0
        while at < len(todo):
            answer = self._ask(todo[at], at, len(todo))
            if isinstance(answer, Case):
                self._keep(at, answer)
            if answer == "quit":
                return
            at = max(0, at - 1) if answer == "back" else at + 1

    def say_end(self, asked: int) -> None:
        """What the file holds now, and what that shows."""
        say(f"\n{self._target}: {len(self._done):,} labelled, of which {self._needing:,} need a module")
        say(f"{self.progress()}, {FOR_EXPECTED} are enough for an expected one; `fit` learns from the others")
        if len(self._places) < asked:
            say("run the same command again to go on")
        needed = {module for case in self._done for module in case.needs}
        core = [module.id for module in self._modules if module.always and module.id not in needed]
        if self._done and core:
            say(f"core in profile.yaml, and needed by no message so far: {', '.join(core)}")

    def progress(self) -> str:
        """``12 of 230 for a guaranteed promise``: answers that need a module and that `fit` will calibrate with."""
        return f"{calibrating_of(self._needing):,} of {FOR_GUARANTEED} for a guaranteed promise"

    @property
    def _needing(self) -> int:
        return sum(bool(case.needs) for case in self._done)

    def _ask(self, asked: CaseToLabel, at: int, of: int) -> Case | Move:
        case = asked.case
        kept = self._done[self._places[at]] if at in self._places else case
        chosen = {module.id for module in self._modules if module.id in kept.needs}
        self._show(asked, chosen, at, of)
        while True:
            say(f"needs: {self._named(chosen) or 'nothing beyond the core'}")
            click.echo("> ", nl=False)
            line = sys.stdin.readline()
            if not line:
                return "quit"
            key = line.strip().lower()
            if key in MOVES:
                return MOVES[key]
            if key in ("", "n"):
                needs = tuple(module.id for module in self._modules if module.id in chosen and not key)
                return case.model_copy(update={"needs": needs})
            if key.startswith("?"):
                self._show_text(key[1:].strip())
            elif re.fullmatch(r"[\d\s,]+", key):
                for number in re.findall(r"\d+", key):
                    module = self._module(number)
                    chosen ^= {module.id} if module else set()
            else:
                say(KEYS)

    def _module(self, number: str) -> Module | None:
        if number.isdecimal() and 1 <= int(number) <= len(self._modules):
            return self._modules[int(number) - 1]
        say(f"{number or '?'}: say a module's number, 1 to {len(self._modules)}")
        return None

    def _named(self, chosen: set[str]) -> str:
        named = (f"{n} {module.id}" for n, module in enumerate(self._modules, 1) if module.id in chosen)
        return ", ".join(named)

    def _show(self, asked: CaseToLabel, chosen: set[str], at: int, of: int) -> None:
        case = asked.case
        listed = [(place + 1, self._modules[place]) for place in asked.best_first()]
        say(f"\nmessage {at + 1:,} of {of:,}; {self.progress()}\n")
        show_table(
            ("", "#", "module", "what it is about"),
            [
                (
                    "*" if module.id in chosen else "",
                    str(number),
                    module.id,
                    shortened(_about(module), DESCRIPTION_CHARS),
                )
                for number, module in listed
            ],
        )
        say()
        hidden = len(case.history) - HISTORY_SHOWN
        if hidden > 0:
            say(f"  ({hidden:,} earlier)")
        for text in case.history[-HISTORY_SHOWN:]:
            say(f"  earlier: {shortened(text, HISTORY_CHARS)}")
        if case.tool_calls:
            say(f"  called so far: {', '.join(dict.fromkeys(case.tool_calls))}")
        click.secho(_printable(case.text), bold=True)
        say(KEYS)

    def _show_text(self, number: str) -> None:
        module = self._module(number)
        if module is not None:
            text = self._texts[module.id]
            click.echo(f"--- {module.id}\n{_printable(text, len(text))}\n---")

    def _keep(self, at: int, answer: Case) -> None:
        """In the file at once: a line at its end, or the whole file anew where the answer is a second thought."""
        if at in self._places:
            self._replace(self._done[self._places[at]], answer)
            self._done[self._places[at]] = answer
            return
        self._places[at] = len(self._done)
        self._done.append(answer)
        try:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            with open(self._target, "ab", opener=_open_private) as file:
                file.write((("" if self._has_ended_line else "\n") + _line(answer)).encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise ConfigurationError(
                [f"{self._target}: can't be written ({error.strerror}); name another --out"]
            ) from None
        self._has_ended_line = True

    def _replace(self, before: Case, answer: Case) -> None:
        """The last line that says ``before`` is ``answer``; all else stays as the file has it now, whoever wrote it."""
        try:
            lines = self._target.read_bytes().splitlines(keepends=True)
        except OSError:
            lines = []
        old = _line(before).strip().encode()
        at = next((n for n in reversed(range(len(lines))) if lines[n].strip() == old), len(lines))
        if at == len(lines) and lines and not lines[-1].endswith(b"\n"):
            lines[-1] += b"\n"
        lines[at : at + 1] = [_line(answer).encode()]
        replace_files({self._target: b"".join(lines)}, self._target)
        self._has_ended_line = not lines[-1:] or lines[-1].endswith(b"\n")


def _open_private(path: str, flags: int) -> int:
    """A new file is its owner's alone: messages of captured traffic are in it. One that is there keeps its mode."""
    return os.open(path, flags, PRIVATE_MODE)


def _about(module: Module) -> str:
    about = module.description or module.text[:DESCRIPTION_CHARS]
    return about if about.startswith(module.title) else f"{module.title}: {about}"


def _line(case: Case) -> str:
    return case.model_dump_json(ensure_ascii=False) + "\n"


def _printable(text: str, limit: int = MESSAGE_CHARS) -> str:
    """Line ends stay; what would move a terminal's cursor doesn't. A long text keeps its beginning and its end."""
    if len(text) > limit:
        text = f"{text[: limit // 2]}\n(...)\n{text[-limit // 2 :]}"
    return "".join(sign if sign.isprintable() or sign in "\n\t" else "�" for sign in text)
