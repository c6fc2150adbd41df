"""A file of captured calls, taken apart by what can be done with each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from litellm_prompt_router.files.traffic import RecordedCall, read_replayable, read_traffic
from litellm_prompt_router.onboarding.conversation_needs import REPLAYED, request_of
from litellm_prompt_router.request.wire import SHAPES


@dataclass(frozen=True, kw_only=True, slots=True)
class TakenTraffic:
    """Calls in time order: those that can be replayed, and ``unreplayed``, which can be read all the same.

    ``problems``: what is wrong with the other lines, of which there are ``skipped_lines``. ``text``: the file with
    those lines emptied, so that the others keep their numbers.
    """

    calls: tuple[RecordedCall, ...]
    unreplayed: tuple[RecordedCall, ...]
    problems: tuple[str, ...]
    skipped_lines: int
    text: str

    @property
    def every_call(self) -> tuple[RecordedCall, ...]:
        return tuple(sorted((*self.calls, *self.unreplayed), key=lambda call: call.at_seconds))


def take_traffic(lines: Sequence[str], where: str) -> TakenTraffic:
    problems: list[str] = []
    calls = read_replayable(lines, where, problems)
    unreplayed: tuple[RecordedCall, ...] = ()
    if problems:
        unreplayed = tuple(sorted(filter(_is_only_read, read_traffic(lines, where, [])), key=lambda c: c.at_seconds))
        told = {f"{where}: line {call.line}" for call in unreplayed}
        problems = [problem for problem in problems if problem[: problem.find(": ", len(where) + 2)] not in told]
    kept = {call.line for call in (*calls, *unreplayed)}
    return TakenTraffic(
        calls=calls,
        unreplayed=unreplayed,
        problems=tuple(problems),
        skipped_lines=sum(bool(line.strip()) for line in lines) - len(kept),
        text="\n".join(line if number in kept else "" for number, line in enumerate(lines, 1)),
    )


def _is_only_read(call: RecordedCall) -> bool:
    return call.endpoint in SHAPES and call.endpoint not in REPLAYED and request_of(call) is not None
