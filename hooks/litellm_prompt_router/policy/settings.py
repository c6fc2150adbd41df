"""Settings: ``callback_settings: prompt_router:`` of the proxy's config, each overridden by ``PROMPT_ROUTER_*``.

Nested settings are named by section and field, as in ``PROMPT_ROUTER_LEDGER_PATH`` or ``PROMPT_ROUTER_LEDGER__PATH``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.problems import accept_bare_off, located_problems, reject_boolean

WHERE = "callback_settings.prompt_router"
PREFIX = "PROMPT_ROUTER_"
DISABLED = f"{PREFIX}DISABLED"
"""The kill switch in the environment, read at start. Not a setting."""
STATUS_NAME = "status"
_Share = Annotated[float, Field(ge=0, le=1), BeforeValidator(reject_boolean)]
_Dsn = Annotated[str, Field(pattern=r"^https?://[^@/\s]+@[^/\s]+/(\S+/)?\d+$")]


class _StrictSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LedgerSettings(_StrictSettings):
    """``path``: where records go; null writes none. ``queue_size``: records waiting for the writer at most.

    The file is moved to ``<stem>.<UTC>.<random>.jsonl`` before it would pass ``max_mb`` and, with ``daily``, on the
    first record of a UTC day. ``gzip``: compress what was moved. ``keep``: moved files to keep; null keeps all.
    ``overflow_path``: another file, where records go that can't be written to ``path``; null has none.
    ``off_keys``: whether requests that are off, for their key or altogether, have a record, here or in any other sink.
    """

    path: Path | None = Path("logs/prompt_router.jsonl")
    queue_size: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    max_mb: Annotated[int, Field(ge=1, le=100_000)] = 256
    daily: bool = True
    gzip: bool = False
    keep: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    off_keys: bool = True
    overflow_path: Path | None = None

    @model_validator(mode="after")
    def _overflows_elsewhere(self) -> LedgerSettings:
        if self.overflow_path is None:
            return self
        if self.path is None:
            raise ValueError("overflow_path: there is no ledger to overflow; set path as well")
        if os.path.abspath(self.overflow_path) == os.path.abspath(self.path):  # noqa: PTH100  (resolves no symlink)
            raise ValueError("overflow_path: is the ledger itself; name a file on another disk")
        return self


class GlitchtipSettings(_StrictSettings):
    """``errors_dsn``: a project of its own for what needs attention (faults, problems, drift); else ``dsn``.

    ``sample_rate``: share of requests whose three events and transaction are sent. Errors are always sent.
    """

    dsn: _Dsn | None = None
    errors_dsn: _Dsn | None = None
    environment: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\n/]+$")] = "production"
    sample_rate: _Share = 1.0
    queue_size: Annotated[int, Field(ge=100, le=100_000)] = 5_000


def _off_as_none(value: object) -> object:
    """None for ``off``, ``null`` and ``none``; YAML reads a bare ``off`` as false."""
    return None if value is False or value in ("off", "null", "none") else value


_Rate = Annotated[Annotated[float, Field(ge=0, lt=1)] | None, BeforeValidator(_off_as_none)]
_Count = Annotated[Annotated[int, Field(ge=1, le=100_000)] | None, BeforeValidator(_off_as_none)]


class AlertSettings(_StrictSettings):
    """What is worth an alert, each an error-level issue of its own; ``off`` switches one off.

    A worker judges its own traffic at the end of each window, with at least ``minimum_requests`` samples: the window
    goes on until there are so many. ``error_rate``: faults of ours and rewritten requests that the provider refused
    as invalid, by requests. ``failure_rate``: requests that failed for the client, whoever's fault.
    ``decision_p99_us``: the slowest hundredth of decisions. ``net_loss_conversations``: the latest so many
    conversations together lost money. ``drift_rate``: share of a profile's prompts that have drifted from it.
    ``losses``: any event, record or line lost.
    """

    enabled: bool = True
    window_seconds: Annotated[float, Field(gt=0, le=86_400)] = 300.0
    minimum_requests: Annotated[int, Field(ge=1, le=10_000)] = 100
    error_rate: _Rate = 0.001
    failure_rate: _Rate = 0.05
    decision_p99_us: _Count = 1_000
    net_loss_conversations: _Count = 50
    drift_rate: _Rate = 0.05
    losses: bool = True


def _split_at_commas(value: object) -> object:
    """The names in a text with commas between them, as an environment variable has them."""
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


class CaptureSettings(_StrictSettings):
    """``path``: where requests and responses of the keys with these aliases go; null, the default, captures nothing.

    ``max_mb``: at this size the file is moved to ``<path>.1``, so twice that is the most it takes.
    """

    path: Path | None = None
    keys: Annotated[frozenset[str], BeforeValidator(_split_at_commas)] = frozenset()
    max_mb: Annotated[int, Field(ge=1, le=100_000)] = 100

    @model_validator(mode="after")
    def _check_keys_are_named(self) -> CaptureSettings:
        if self.path is not None and not self.keys:
            raise ValueError("captures nothing without `keys`; name the aliases of the keys to capture")
        return self


class BreakerSettings(_StrictSettings):
    """So many faults of ours within the window, of one key or of all, let their requests pass through for the pause."""

    key_faults: Annotated[int, Field(ge=1, le=10_000)] = 5
    all_faults: Annotated[int, Field(ge=1, le=10_000)] = 20
    window_seconds: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    pause_seconds: Annotated[float, Field(gt=0, le=86_400)] = 30.0


LEAST_EVERY_SECONDS = 60.0
_DURATION = "must be a time such as 24h, 90m or 7d"
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


def _read_duration(value: object) -> object:
    """Seconds of a text like ``24h``, ``90m`` or ``7d``; None for ``off``; a number is seconds."""
    value = _off_as_none(value)
    if isinstance(value, bool):
        raise ValueError(f"{_DURATION}, or off")
    if not isinstance(value, str):
        return value
    number, unit = (value[:-1], value[-1]) if value[-1:] in _SECONDS else (value, "s")
    try:
        return float(number) * _SECONDS[unit]
    except ValueError:
        raise ValueError(f"{_DURATION}, or seconds") from None


def _not_too_often(seconds: float | None) -> float | None:
    if seconds is not None and seconds < LEAST_EVERY_SECONDS:
        raise ValueError(f"must be a minute at least; a number is seconds, so {seconds:g} hours are {seconds:g}h")
    return seconds


class TuningSettings(_StrictSettings):
    """``every``: one worker tunes each profile from the ledger so often; ``off``, the default, never.

    It does so when it had at most ``quiet_requests`` requests in the last five minutes, and anyway once it is
    ``at_latest`` overdue; in a process of its own, for ``timeout`` at most, on the latest ``max_mb`` of ledger files
    (as they are read, so without compression). A profile with fewer than ``minimum_conversations`` of them stays as it
    is.
    """

    every: Annotated[
        Annotated[float, Field(ge=0, le=90 * 86_400, allow_inf_nan=False)] | None,
        BeforeValidator(_read_duration),
        AfterValidator(_not_too_often),
    ] = None
    quiet_requests: Annotated[int, Field(ge=0, le=1_000_000), BeforeValidator(reject_boolean)] = 20
    at_latest: Annotated[float, Field(ge=0, le=7 * 86_400, allow_inf_nan=False), BeforeValidator(_read_duration)] = (
        6 * 3_600.0
    )
    minimum_conversations: Annotated[int, Field(ge=2, le=1_000_000), BeforeValidator(reject_boolean)] = 100
    max_mb: Annotated[int, Field(ge=1, le=100_000), BeforeValidator(reject_boolean)] = 512
    timeout: Annotated[float, Field(ge=1, le=86_400, allow_inf_nan=False), BeforeValidator(_read_duration)] = 1_800.0


class Settings(_StrictSettings):
    """All settings. ``mode`` and ``profile`` are the defaults for keys whose own metadata says nothing.

    ``policy``: the policy file; null is ``policy.yaml`` beside the proxy's configuration, if there is one. ``percent``
    of conversations get what ``mode`` says; of these, the share ``holdout`` is left as it came, for comparison.
    ``router_model``: whether the routing model that a profile names is asked, for keys and rules that say nothing.

    ``placement``: where modules go that a conversation needs later; ``auto`` is ``append``, which keeps every
    provider's cache. ``cache_hints``: mark the moving end of the history for Claude when the client marks nothing
    there, and name a ``prompt_cache_key`` for OpenAI when the client names none. ``cost_gate``: send every module, or
    leave the conversation as it came, where sending fewer can't pay. ``cost_page``: what LiteLLM's Cost Optimization
    page makes of a request: ``net``, our net figure where it is positive; ``raw``, the removed tokens at list price.
    ``metrics``: count for Prometheus, where its client library is installed. ``status_dir``: the folder for one small
    file a worker, that says how it is; unless stated ``status`` beside the ledger, if there is one; null for none.
    ``embedding_threads``: of the process that runs a profile's local embedding model.
    """

    mode: Annotated[Literal["rewrite", "shadow", "off"], BeforeValidator(accept_bare_off)] = "rewrite"
    profile: str | None = None
    profiles: Path | None = None
    policy: Path | None = None
    percent: Annotated[float, Field(ge=0, le=100), BeforeValidator(reject_boolean)] = 100.0
    holdout: _Share = 0.0
    router_model: bool = False
    coverage_floor: _Share = 0.6
    placement: Literal["auto", "append", "grow", "latest"] = "auto"
    cache_hints: bool = True
    cost_gate: bool = True
    headers: bool = True
    ledger: LedgerSettings = LedgerSettings()
    glitchtip: GlitchtipSettings = GlitchtipSettings()
    capture: CaptureSettings = CaptureSettings()
    alerts: AlertSettings = AlertSettings()
    cost_page: Annotated[Literal["net", "raw", "off"], BeforeValidator(accept_bare_off)] = "net"
    metrics: bool = True
    status_dir: Annotated[Path | None, BeforeValidator(_off_as_none)] = None
    breaker: BreakerSettings = BreakerSettings()
    embedding_threads: Annotated[int, Field(ge=1, le=64), BeforeValidator(reject_boolean)] = 1
    tuning: TuningSettings = TuningSettings()

    @property
    def status_folder(self) -> Path | None:
        """Where status files go."""
        if "status_dir" in self.model_fields_set or self.ledger.path is None:
            return self.status_dir
        return self.ledger.path.parent / STATUS_NAME


def load_settings(section: Mapping[str, Any] | None, environ: Mapping[str, str]) -> Settings:
    """Settings from the config section and the process environment. Raises ConfigurationError with every problem.

    Without a DSN in either, ``GLITCHTIP_DSN`` and then ``SENTRY_DSN`` of ``environ`` is used.
    """
    from litellm_prompt_router.policy.environment import overrides_in  # brings pydantic-settings, which takes a while

    if section is not None and not isinstance(section, Mapping):
        raise ConfigurationError([f"{WHERE}: must be a mapping of settings"])
    stated: dict[str, Any] = {str(key): value for key, value in (section or {}).items()}
    overrides = overrides_in(environ, Settings, PREFIX, frozenset({DISABLED}))
    problems = list(overrides.problems)
    try:
        settings = Settings.model_validate(overrides.over(stated))
    except ValidationError as error:
        for location, path, problem in located_problems(error, Settings):
            variable = overrides.variable_at(location)
            problems.append(f"{WHERE}: {path}: {problem}" if variable is None else f"{variable} ({path}): {problem}")
    if problems:
        raise ConfigurationError(problems)
    dsn = settings.glitchtip.dsn or environ.get("GLITCHTIP_DSN") or environ.get("SENTRY_DSN") or None
    if dsn is None or dsn == settings.glitchtip.dsn:
        return settings
    try:
        glitchtip = GlitchtipSettings.model_validate({**settings.glitchtip.model_dump(), "dsn": dsn})
    except ValidationError:
        name = "GLITCHTIP_DSN" if environ.get("GLITCHTIP_DSN") else "SENTRY_DSN"
        raise ConfigurationError([f"{name}: not a DSN; it looks like https://<key>@<host>/<project number>"]) from None
    return settings.model_copy(update={"glitchtip": glitchtip})


def is_disabled(environ: Mapping[str, str]) -> bool:
    """True when the environment switches everything off: DISABLED with any value but 0, false, no and off."""
    return environ.get(DISABLED, "").strip().lower() not in ("", "0", "false", "no", "off")


def profiles_folder_in(section: object, environ: Mapping[str, str]) -> Path | None:
    """The profiles folder that settings name which aren't valid as a whole; profiles are checked all the same."""
    stated = environ.get(f"{PREFIX}PROFILES") or (section.get("profiles") if isinstance(section, Mapping) else None)
    return Path(stated) if isinstance(stated, str) and stated else None
