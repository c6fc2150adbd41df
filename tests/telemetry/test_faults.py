"""What is told of an exception, and what isn't."""

from __future__ import annotations

import gc
import weakref
from typing import NoReturn

import pytest

from litellm_prompt_router.telemetry import faults
from litellm_prompt_router.telemetry.faults import Fault

MARKER = "the user's own words"


class Held:
    """Something a frame's locals keep alive."""


def fail(held: Held | None = None) -> NoReturn:
    raise ValueError(MARKER, held)


def caught(held: Held | None = None) -> Fault:
    try:
        try:
            fail(held)
        except ValueError as error:
            raise KeyError(MARKER) from error
    except KeyError as error:
        return Fault.of(error, "walk")


def test_types_and_places_without_messages() -> None:
    """Causes come first; a frame's path begins at its package."""
    fault = caught()
    assert [(raised.module, raised.type) for raised in fault.chain] == [
        ("builtins", "ValueError"),
        ("builtins", "KeyError"),
    ]
    assert [frame.function for frame in fault.chain[0].frames] == ["caught", "fail"]
    assert {frame.path for raised in fault.chain for frame in raised.frames} == {"tests/telemetry/test_faults.py"}
    assert MARKER not in repr(fault)
    assert str(fault).startswith("KeyError in walk, tests/telemetry/test_faults.py:")


def test_nothing_is_kept_alive() -> None:
    """Neither the exception nor what its frames hold outlives the handler."""
    held = Held()
    gone = weakref.ref(held)
    fault = caught(held)
    del held
    gc.collect()
    assert gone() is None
    assert fault.chain


def test_long_traces_are_bounded() -> None:
    """Of a runaway recursion the innermost frames are kept."""

    def recurse(depth: int) -> None:
        if depth == 0:
            fail()
        recurse(depth - 1)

    with pytest.raises(ValueError, match=MARKER) as info:
        recurse(200)
    frames = Fault.of(info.value, "walk").chain[0].frames
    assert len(frames) == faults.MAX_FRAMES
    assert frames[-1].function == "fail"


@pytest.mark.parametrize(
    ("path", "module", "short"),
    [
        (
            "/srv/app/hooks/litellm_prompt_router/request/pipeline.py",
            "litellm_prompt_router.request.pipeline",
            "litellm_prompt_router/request/pipeline.py",
        ),
        (
            "/srv/app/hooks/litellm_prompt_router/request/wire/__init__.py",
            "litellm_prompt_router.request.wire",
            "litellm_prompt_router/request/wire/__init__.py",
        ),
        (
            "C:\\app\\litellm_prompt_router\\request\\pipeline.py",
            "litellm_prompt_router.request.pipeline",
            "litellm_prompt_router/request/pipeline.py",
        ),
        ("/home/someone/run.py", "__main__", "run.py"),
        ("<string>", "", "<string>"),
    ],
)
def test_paths_say_nothing_of_the_machine(path: str, module: str, short: str) -> None:
    """A path is cut at its package, or else to its last part."""
    assert faults._short(path, module) == short
