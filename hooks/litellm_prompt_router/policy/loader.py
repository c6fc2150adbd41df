"""Reads settings, policy file and profiles, at start and whenever one of them has changed.

Each of the three is taken over by itself: a broken profile doesn't keep the kill switch from working. Of one that is
broken, what was last valid stays in force.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.parsing import read_text
from litellm_prompt_router.files import bundled_profiles, default_profiles, load_profiles
from litellm_prompt_router.policy import EMPTY_POLICY, BrokenPolicyError, parse_policy
from litellm_prompt_router.policy.active import ActiveConfiguration, active_configuration, pipeline_of
from litellm_prompt_router.policy.change_detection import Fingerprint, file_fingerprint, folder_fingerprint
from litellm_prompt_router.policy.litellm_config import policy_path, section_in
from litellm_prompt_router.policy.policy_file import MAX_POLICY_BYTES
from litellm_prompt_router.policy.settings import (
    DISABLED,
    WHERE,
    Settings,
    is_disabled,
    load_settings,
    profiles_folder_in,
)
from litellm_prompt_router.policy.tuning_state import EMPTY_STATE, STATE_NAME, TuningState, read_state
from litellm_prompt_router.policy.tunings import tunings_of
from litellm_prompt_router.policy.written_files import symlink_problems
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.profile.tokens import token_counter
from litellm_prompt_router.request.pipeline import Pipeline

RELOADED = (
    *("mode", "profile", "profiles", "policy", "percent", "holdout", "router_model", "coverage_floor"),
    *("placement", "cache_hints", "cost_gate", "cost_page", "headers", "breaker"),
)
"""Settings that a running proxy takes over. The others are read by what is built once, at start."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReloadResult:
    """The new configuration, None where nothing that counts has changed, and what to tell people."""

    configuration: ActiveConfiguration | None
    problems: tuple[str, ...]
    """Of what is broken on disk; what was in force before it broke still is."""
    needs_restart: tuple[str, ...]
    """A line for each setting that has changed on disk and takes effect at a restart."""


class Loader:
    """Reads configurations: ``load_at_start`` once, then ``reload``. For one thread at a time.

    ``section``: the settings that LiteLLM handed over. They are read again only where the file at ``config_path`` had
    the same at start: a file that they didn't come from (but an included one, or a database) never overrules them.
    """

    def __init__(self, section: Mapping[str, Any] | None, environ: Mapping[str, str], config_path: Path | None) -> None:
        self._section = section
        self._environ = dict(environ)
        self._config_path = config_path
        self._rereads_settings = False
        self._count_tokens: Callable[[str], int] = token_counter()
        self._settings = self._started_with = Settings()
        self._profiles: tuple[Profile, ...] = ()
        self._profiles_seen: Fingerprint | None = None
        self._own_profiles: Path | None = None
        self._pipeline_inputs: tuple[object, ...] | None = None
        self._pipeline: Pipeline | None = None
        self._policy = EMPTY_POLICY
        self._policy_text: str | None = None
        self._policy_names: tuple[str, ...] = ()
        self._tuning: TuningState = EMPTY_STATE
        self._number = 0
        self._in_force: ActiveConfiguration | None = None
        self.problems_at_start: tuple[str, ...] = ()
        """Of what a proxy starts without."""

    @property
    def policy_path(self) -> Path | None:
        """Where the policy file is or would be; None without a configuration file and without the setting."""
        return policy_path(self._settings.policy, self._config_path)

    @property
    def tuning_path(self) -> Path | None:
        """Where tunings are kept; None where no tuning goes on by itself, or there is no folder for them."""
        folder = self._started_with.status_folder
        return None if self._started_with.tuning.every is None or folder is None else folder / STATE_NAME

    def profiles_path(self, stated: Path | None) -> Path:
        """The profiles folder: as stated; else ``modules`` in the working directory or beside the configuration,
        where it holds a profile; else the bundled one.

        Once found, ``modules`` stays the folder, so that a moment without profiles in it doesn't bring others.
        """
        if stated is not None:
            return stated
        if self._own_profiles is None:
            beside = () if self._config_path is None else (self._config_path.parent,)
            found = default_profiles(Path(), *beside)
            self._own_profiles = None if found == bundled_profiles() else found.absolute()
        return self._own_profiles or bundled_profiles()

    def load_at_start(self) -> ActiveConfiguration:
        """The first configuration. Raises ConfigurationError with every problem of settings, policy and profiles."""
        problems: list[str] = []
        settings: Settings | None = None
        try:
            settings = load_settings(self._section, self._environ)
            root = settings.profiles
        except ConfigurationError as error:
            problems.extend(error.problems)
            root = profiles_folder_in(self._section, self._environ)
        try:
            self._load_profiles(self.profiles_path(root))
        except ConfigurationError as error:
            problems.extend(error.problems)
        if settings is not None:
            self._settings = self._started_with = settings
            problems.extend(symlink_problems(settings))
            problems.extend(self._unknown_profile_problems(settings) if self._profiles else ())
            path = self.policy_path
            if settings.policy is not None and path is not None and not path.exists():
                problems.append(f"{path}: no such file; `prompt-router start --policy {path}` makes one")
            else:
                problems.extend(self._load_policy(names_known=bool(self._profiles)))
        if problems:
            raise ConfigurationError(problems)
        if self._config_path is not None:
            try:
                self._rereads_settings = section_in(self._config_path, self._environ) == (self._section or None)
            except ConfigurationError:
                self._rereads_settings = False
        self.problems_at_start = tuple(self._load_tuning())
        self._in_force = self._assembled()
        return self._in_force

    def reload(self) -> ReloadResult:
        """Reads again what has changed, and takes over what is valid of it."""
        problems: list[str] = []
        settings, section = self._settings, self._section
        if self._rereads_settings and self._config_path is not None:
            try:
                section = section_in(self._config_path, self._environ)
                if section != self._section:
                    settings = load_settings(section, self._environ)
            except ConfigurationError as error:
                problems.extend(error.problems)
        before = self._profiles, self._profiles_seen
        try:
            self._load_profiles(self.profiles_path(settings.profiles))
        except ConfigurationError as error:
            problems.extend(error.problems)
        wrong = self._unknown_profile_problems(settings)
        if wrong:
            problems.extend(wrong)
            self._profiles, self._profiles_seen = before
        elif settings is not self._settings:
            self._settings, self._section = settings, section
        problems.extend(self._load_policy())
        problems.extend(self._load_tuning())
        configuration = self._assembled()
        is_new = configuration is not self._in_force
        self._in_force = configuration
        return ReloadResult(
            configuration=configuration if is_new else None,
            problems=tuple(problems),
            needs_restart=tuple(_needing_restart(self._started_with, self._settings)),
        )

    # Reading the parts

    def _load_profiles(self, root: Path) -> None:
        """Loads the profiles in ``root`` if they have changed; not while they do, which would give half of each."""
        seen = (root, *folder_fingerprint(root))
        if seen == self._profiles_seen:
            return
        try:
            profiles = load_profiles(root, self._count_tokens)
        except ConfigurationError:
            if self._profiles and seen != (root, *folder_fingerprint(root)):
                return
            raise
        if not self._profiles or seen == (root, *folder_fingerprint(root)):
            self._profiles, self._profiles_seen = profiles, seen

    def _unknown_profile_problems(self, settings: Settings) -> list[str]:
        names = sorted(profile.name for profile in self._profiles)
        if settings.profile is None or settings.profile in names:
            return []
        return [f"{WHERE}: profile: unknown profile {settings.profile!r}; there are {', '.join(names)}"]

    def _load_policy(self, *, names_known: bool = True) -> list[str]:
        """Loads the policy file if it has changed. Returns what is wrong with it."""
        path = self.policy_path
        if path is None:
            self._policy, self._policy_text = EMPTY_POLICY, None
            return []
        if not path.exists():
            if self._policy_text is None:
                return []
            return [f"{path}: gone; what it said stays in force; write an empty one to drop it"]
        names = tuple(sorted(profile.name for profile in self._profiles))
        try:
            text = read_text(path, str(path), MAX_POLICY_BYTES)
            if (text, names) != (self._policy_text, self._policy_names):
                self._policy = parse_policy(text, str(path), names if names_known else None)
                self._policy_text, self._policy_names = text, names
        except BrokenPolicyError as error:
            if error.stop and not self._policy.stop:
                self._policy = replace(self._policy, stop=True)
            self._policy_names = ()
            return list(error.problems)
        except ConfigurationError as error:
            return list(error.problems)
        return []

    def _load_tuning(self) -> list[str]:
        """Reads what was tuned. Returns what is wrong with it; then what was read before stays."""
        try:
            if self.tuning_path is not None:
                self._tuning = read_state(self.tuning_path)
        except ConfigurationError as error:
            return list(error.problems)
        return []

    def _assembled(self) -> ActiveConfiguration:
        """The loaded parts as one configuration; the one in force while none of them is new."""
        settings = self._settings
        ingredients = (settings.coverage_floor, settings.placement, settings.cache_hints, settings.cost_gate)
        if (
            self._pipeline is None
            or self._pipeline_inputs is None
            or self._pipeline_inputs != (id(self._profiles), ingredients)
        ):
            self._pipeline = pipeline_of(settings, self._profiles, self._count_tokens)
            self._pipeline_inputs = (id(self._profiles), ingredients)
        known = self._in_force
        parts = (settings, self._policy, self._pipeline, self._tuning)
        if known is not None and (known.settings, known.policy, known.pipeline, known.tuning_state) == parts:
            return known
        self._number += 1
        made = active_configuration(settings, self._pipeline, self._policy)
        stopped_by = DISABLED if is_disabled(self._environ) else made.stopped_by
        return replace(
            made,
            stopped_by=stopped_by,
            policy_path=self.policy_path,
            profiles_path=self.profiles_path(settings.profiles),
            tuning_state=self._tuning,
            tunings={} if self.tuning_path is None else tunings_of(self._tuning, self._profiles),
            number=self._number,
        )

    # Noticing changes

    def fingerprint(self, *, with_profiles: bool) -> Fingerprint:
        """Equal as long as no file that counts has changed: configuration and policy by content, profiles by dates."""
        config = file_fingerprint(self._config_path) if self._rereads_settings else None
        tuned = file_fingerprint(self.tuning_path)
        return (config, file_fingerprint(self.policy_path), tuned, self._tree_now() if with_profiles else None)

    def _tree_now(self) -> Fingerprint:
        return tuple(folder_fingerprint(self.profiles_path(self._settings.profiles)))

    def changed_at(self) -> str | None:
        """The latest date of configuration and policy file, as UTC in ISO 8601; the same in every worker."""
        moments = []
        for path in (self._config_path, self.policy_path):
            try:
                moments.append(path.stat().st_mtime if path is not None else 0.0)
            except OSError:
                continue
        latest = max(moments, default=0.0)
        return datetime.fromtimestamp(latest, UTC).isoformat(timespec="milliseconds") if latest else None


def _needing_restart(started: Settings, now: Settings) -> Iterator[str]:
    for name in type(started).model_fields:
        if name not in RELOADED and getattr(started, name) != getattr(now, name):
            yield f"{WHERE}: {name}: takes effect when the proxy restarts"
