"""What tuning by itself found so far: ``tuning.json`` beside the status files, or the same text in LiteLLM's Redis.

A profile's tunings are a history, and each holds for the conversations that begin from its moment on. Two states are
merged by taking the tunings of both, so that whoever writes, nobody's tuning is lost, and every worker that has seen
both goes by the same one.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.parsing import read_text
from litellm_prompt_router.documents.problems import explain_validation_error
from litellm_prompt_router.files.profile_yaml import EconomicsFile

STATE_NAME = "tuning.json"
MAX_STATE_BYTES = 1_000_000
KEPT_SECONDS = 7 * 86_400.0
"""How long a tuning goes on for the conversations that began under it, once another has taken its place."""
MAX_TUNINGS = 32
"""Of one profile: the latest stay."""
LEAD_SECONDS = 10.0
"""From writing a tuning to the moment that it holds from: by then every worker has read it."""

_Moment = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _StatePart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AcceptedTuning(_StatePart):
    """One change. ``economics`` as in profile.yaml; None: what profile.yaml itself says holds again."""

    id: Annotated[str, Field(pattern=r"^t-[0-9a-f]{10}$")]
    tuned_seconds: _Moment
    holds_from_seconds: _Moment
    economics: EconomicsFile | None
    why: str = ""


class LastTry(_StatePart):
    """When the profile was looked at last, and what came of it."""

    at_seconds: _Moment
    said: str
    has_failed: bool = False
    """A crash, a time-out or files that can't be read, not a ledger with too little in it."""


class TunedProfile(_StatePart):
    tunings: tuple[AcceptedTuning, ...] = ()
    last_try: LastTry | None = None


NOT_TUNED = TunedProfile()


class TuningState(_StatePart):
    """``profiles``: by name."""

    version: Literal[1] = 1
    profiles: dict[str, TunedProfile] = {}

    def with_tuning(self, profile: str, tuning: AcceptedTuning) -> TuningState:
        """The same with one more."""
        return self.merged_with(TuningState(profiles={profile: TunedProfile(tunings=(tuning,))}), tuning.tuned_seconds)

    def with_try(self, profile: str, tried: LastTry) -> TuningState:
        """The same with what a look at the ledger came to."""
        return self.merged_with(TuningState(profiles={profile: TunedProfile(last_try=tried)}), tried.at_seconds)

    def merged_with(self, other: TuningState, now_seconds: float) -> TuningState:
        """The tunings of both, without those that no conversation goes by any more."""
        names = sorted({*self.profiles, *other.profiles})
        return TuningState(
            profiles={
                name: _merged(self.profiles.get(name, NOT_TUNED), other.profiles.get(name, NOT_TUNED), now_seconds)
                for name in names
            }
        )

    def to_json(self) -> str:
        """Equal for equal states."""
        return json.dumps(self.model_dump(mode="json", exclude_defaults=True) | {"version": 1}, sort_keys=True)


EMPTY_STATE = TuningState()


def new_tuning(
    profile: str, economics: EconomicsFile | None, now_seconds: float, why: str, *, lead_seconds: float = LEAD_SECONDS
) -> AcceptedTuning:
    """A tuning to write now, with an id of its own."""
    text = json.dumps([profile, now_seconds, economics and economics.model_dump(mode="json")], sort_keys=True)
    return AcceptedTuning(
        id=f"t-{hashlib.sha256(text.encode()).hexdigest()[:10]}",
        tuned_seconds=now_seconds,
        holds_from_seconds=now_seconds + lead_seconds,
        economics=economics,
        why=why,
    )


def parse_state(text: str, where: str) -> TuningState:
    """The state in a file's text. Raises ConfigurationError naming ``where``."""
    try:
        return TuningState.model_validate_json(text)
    except ValidationError as error:
        problems = explain_validation_error(error, where, TuningState)
        raise ConfigurationError([f"{problem}; remove the file to begin anew" for problem in problems]) from None


def read_state(path: Path) -> TuningState:
    """The state at ``path``; the empty one where there is no file. Raises ConfigurationError."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return EMPTY_STATE
    except OSError as error:  # such as a folder that this user may not look into
        raise ConfigurationError([f"{path}: can't be read ({error.strerror}); check the folder's rights"]) from None
    return parse_state(read_text(path, str(path), MAX_STATE_BYTES), str(path))


def write_state(path: Path, state: TuningState) -> None:
    """Replaces the file in one step, readable by its owner only. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(state.to_json())
            file.flush()
            os.fsync(file.fileno())  # a crash of the machine leaves the old file or the new one, never an empty one
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _merged(one: TunedProfile, other: TunedProfile, now_seconds: float) -> TunedProfile:
    by_id: Mapping[str, AcceptedTuning] = {tuning.id: tuning for tuning in (*one.tunings, *other.tunings)}
    tunings = sorted(by_id.values(), key=lambda tuning: (tuning.holds_from_seconds, tuning.id))[-MAX_TUNINGS:]
    kept = [
        tuning
        for tuning, follower in zip(tunings, [*tunings[1:], None][: len(tunings)], strict=True)
        if follower is None or now_seconds - follower.holds_from_seconds < KEPT_SECONDS
    ]
    tries = [tried for tried in (one.last_try, other.last_try) if tried is not None]
    return TunedProfile(tunings=tuple(kept), last_try=max(tries, key=lambda tried: tried.at_seconds, default=None))
