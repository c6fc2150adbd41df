"""The process that tunes by itself: ``python -m litellm_prompt_router.cli.ledger_tuner TASK``, started by a worker.

``TASK`` is JSON, and so is the last line of what it prints. It gives way to everything else on the machine, and ends by
itself when its time is up.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import signal
import sys
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litellm_prompt_router.analysis.simulate.economics_section import section_of_use
from litellm_prompt_router.analysis.simulate.ledger_tuning import LedgerTuning, tune_from_ledger
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files import load_profiles
from litellm_prompt_router.files.profile_yaml import EconomicsFile
from litellm_prompt_router.gateway.tuning.tuning_process import ProfileFinding, TuningAnswer, TuningTask
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.profile.tokens import token_counter
from litellm_prompt_router.telemetry.rotation import rotated_files

LOWEST_PRIORITY = 19
MARGIN_SECONDS = 30
MAX_DAMAGED_SHARE = 0.01
TORN_LINES = 8
"""Lines that crashes may have cut; more, and more than the share, and nobody knows what else is wrong."""


def main() -> None:
    """Prints the answer to the task of the command line."""
    task = TuningTask.model_validate_json(sys.argv[1])
    with contextlib.suppress(OSError, AttributeError):
        os.nice(LOWEST_PRIORITY)
    signal.alarm(int(task.timeout_seconds) + MARGIN_SECONDS)
    print("\n" + answer_to(task).model_dump_json(), flush=True)


def answer_to(task: TuningTask) -> TuningAnswer:
    """What the ledger says of the task's profiles. A ledger that can't be read is a problem, not an exception."""
    from litellm_prompt_router.gateway.deployments.priced_models import terms_of_model  # imports LiteLLM, for seconds

    try:
        profiles = load_profiles(task.profiles_path, token_counter())
        found = {}
        for profile in profiles:
            if profile.name in task.profiles:
                reading = LedgerReading(profile.name)
                tuned = tune_from_ledger(reading.records(task), profile, terms_of_model)
                problem = reading.problem()
                if problem is not None:
                    return TuningAnswer(problem=problem)
                found[profile.name] = finding_of(tuned, profile)
        return TuningAnswer(profiles=found)
    except ConfigurationError as error:
        return TuningAnswer(problem="; ".join(error.problems))
    except (OSError, EOFError, zlib.error) as error:
        return TuningAnswer(problem=f"{task.ledger}: the ledger can't be read ({type(error).__name__})")


def finding_of(tuned: LedgerTuning, profile: Profile) -> ProfileFinding:
    """What to take over of a tuning: what both halves of the conversations agree on."""
    use = None if tuned.use is None else section_of_use(tuned.use, profile, tuned.conversations, tuned.calls)
    finding = ProfileFinding(
        use=EconomicsFile.model_validate(dict(use)) if use is not None and "use" in use else None,
        conversations=tuned.conversations,
        calls=tuned.calls,
    )
    if tuned.tuning is None or tuned.section is None:
        return finding.model_copy(update={"why_not": tuned.why_not or "nothing to change"})
    tuning = tuned.tuning
    sure = [each for each in tuning.candidates if each.is_sure]
    if tuning.choice == "full" and sure:
        best = min(sure, key=lambda each: each.versus_full_cached)
        said = f"the second half doesn't agree: {best.name} is {best.versus_full_cached:+.1%} on the first"
        return finding.model_copy(update={"why_not": said})
    chosen = next((each for each in tuning.candidates if each.economics == tuning.economics), None)
    return finding.model_copy(
        update={
            "economics": EconomicsFile.model_validate(dict(tuned.section)),
            "first": None if chosen is None else chosen.versus_full_cached,
            "second": tuning.versus_full_cached,
        }
    )


@dataclass(slots=True)
class LedgerReading:
    """The records of one profile, read once, and what was wrong with lines on the way."""

    profile: str
    lines: int = 0
    damaged: int = 0

    def records(self, task: TuningTask) -> Iterator[Mapping[str, Any]]:
        """Those of the latest files, within the task's size. Raises OSError and what decompression raises."""
        for line in latest_lines(task.ledger, task.max_bytes):
            self.lines += 1
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            if not isinstance(record, dict) or "request_id" not in record:
                self.damaged += 1
            elif record.get("profile") == self.profile:
                yield record

    def problem(self) -> str | None:
        """Why nothing is made of what was read."""
        if self.damaged > max(TORN_LINES, MAX_DAMAGED_SHARE * self.lines):
            return f"{self.damaged} of {self.lines} lines of the ledger are damaged"
        return None


def latest_lines(path: Path, max_bytes: int) -> Iterator[bytes]:
    """The lines of the ledger and of what it was rotated to, the latest file first, as long as there is room."""
    left = max_bytes
    for file in [path, *reversed([*rotated_files(path)])]:
        if left <= 0:
            return
        if not file.exists():
            continue
        if file.suffix == ".gz":
            with gzip.open(file) as packed:
                for line in packed:
                    left -= len(line)
                    yield line
        else:
            with file.open("rb") as plain:
                skipped = max(0, os.fstat(plain.fileno()).st_size - left)
                if skipped:
                    plain.seek(skipped)
                    plain.readline()
                for line in plain:
                    left -= len(line)
                    yield line


if __name__ == "__main__":
    main()
