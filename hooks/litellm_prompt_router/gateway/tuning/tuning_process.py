"""The process that tunes from the ledger: what it is told, what it answers, and how it is started and ended."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from litellm_prompt_router.files.profile_yaml import EconomicsFile

MODULE = "litellm_prompt_router.cli.ledger_tuner"
INHERITED = (
    *("PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME"),
    *("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "SYSTEMROOT"),
)
"""Variables that the process gets. The proxy's others are keys."""
MAX_ANSWER_BYTES = 4_000_000
_PACKAGE_PARENT = Path(__file__).resolve().parents[3]


class TuningTask(BaseModel):
    """What to tune. ``ledger``: the file being written; those it was rotated to lie beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ledger: Path
    profiles_path: Path
    profiles: tuple[str, ...]
    max_bytes: int
    timeout_seconds: float


class ProfileFinding(BaseModel):
    """What was found for a profile: a section to take over, or why there is none.

    ``use``: the section that holds what the ledger shows of use alone, which the untuned rule goes by where nothing is
    tuned; None where it shows too little.
    ``first`` and ``second``: how much dearer than the full prompt it came out on each half of the conversations.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    economics: EconomicsFile | None = None
    use: EconomicsFile | None = None
    why_not: str | None = None
    conversations: int = 0
    calls: int = 0
    first: float | None = None
    second: float | None = None


class TuningAnswer(BaseModel):
    """``problem``: why nothing can be said of any profile."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profiles: dict[str, ProfileFinding] = {}
    problem: str | None = None


class TuningProcess:
    """One run. ``poll`` it now and then; it is ended when its time is up."""

    def __init__(self, task: TuningTask, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.task = task
        self._monotonic = monotonic
        self._until = monotonic() + task.timeout_seconds
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (open as long as the process)
        environ = {name: os.environ[name] for name in INHERITED if name in os.environ}
        paths = [str(_PACKAGE_PARENT), *filter(None, [environ.get("PYTHONPATH")])]
        environ |= {
            "PYTHONPATH": os.pathsep.join(paths),
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "HF_HUB_OFFLINE": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", MODULE, task.model_dump_json()],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.DEVNULL,
            env=environ,
            start_new_session=True,  # a signal to the proxy's group is none to it; ``close`` ends it
        )

    def poll(self) -> TuningAnswer | None:
        """The answer, once there is one; a crash and a time-out are answers too."""
        code = self._process.poll()
        if code is None:
            if self._monotonic() < self._until:
                return None
            self.close()
            return TuningAnswer(problem=f"took longer than {self.task.timeout_seconds:g} s, and was ended")
        try:
            if code != 0:
                return TuningAnswer(problem=f"the process that tunes ended with {code}")
            self._output.seek(0)
            return TuningAnswer.model_validate(_last_line(self._output.read(MAX_ANSWER_BYTES)))
        except (ValueError, ValidationError):
            return TuningAnswer(problem="the process that tunes said nothing that can be read")
        finally:
            self._output.close()

    def close(self) -> None:
        """Ends it, if it runs."""
        if self._process.poll() is None:
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
        self._output.close()


def _last_line(raw: bytes) -> Any:
    """What the process says; whatever libraries print comes before it."""
    return json.loads(raw.strip().rpartition(b"\n")[2])
