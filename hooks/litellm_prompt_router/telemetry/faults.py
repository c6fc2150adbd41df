"""What may be told of an exception: types and the code it passed through, never its message or data."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

MAX_CHAIN = 5
MAX_FRAMES = 50


class Frame(NamedTuple):
    """Where a fault passed through: code, never data."""

    module: str
    function: str
    line: int
    path: str

    @property
    def is_own(self) -> bool:
        return self.module.partition(".")[0] == "litellm_prompt_router"


class Raised(NamedTuple):
    """An exception without its message, which may hold prompt text."""

    module: str
    type: str
    frames: tuple[Frame, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """A fault of ours. ``chain`` ends with the exception that was caught; its causes come before it."""

    where: str
    chain: tuple[Raised, ...]

    @property
    def at(self) -> Frame | None:
        """The innermost frame of our own code, or of any if none is."""
        frames = self.chain[-1].frames
        return next((frame for frame in reversed(frames) if frame.is_own), frames[-1] if frames else None)

    def __str__(self) -> str:
        at = self.at
        return f"{self.chain[-1].type} in {self.where}" + (f", {at.path}:{at.line}" if at else "")

    @classmethod
    def of(cls, error: BaseException, where: str) -> Fault:
        """What may be told of an exception. Keeps neither it nor its frames alive."""
        chain: deque[Raised] = deque()
        at: BaseException | None = error
        while at is not None and len(chain) < MAX_CHAIN:
            kind = type(at)
            chain.appendleft(Raised(kind.__module__, kind.__qualname__, tuple(_frames(at))))
            at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
        return cls(where=where, chain=tuple(chain))


def _frames(error: BaseException) -> deque[Frame]:
    frames: deque[Frame] = deque(maxlen=MAX_FRAMES)
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        module = str(step.tb_frame.f_globals.get("__name__", ""))
        frames.append(Frame(module, code.co_qualname, step.tb_lineno, _short(code.co_filename, module)))
        step = step.tb_next
    return frames


def _short(path: str, module: str) -> str:
    """The path from the package on, or else its last part."""
    path = path.replace("\\", "/")
    stem = module.replace(".", "/")
    for inside in (f"{stem}.py", f"{stem}/__init__.py"):
        if path.endswith(f"/{inside}"):
            return inside
    return path.rpartition("/")[2]
