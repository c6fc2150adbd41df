"""The proxy's configuration as ``serve`` and ``demo`` need it: where it is, what is wrong with it, and its key.

Checks only what is ours; the rest of the file is LiteLLM's to judge.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from dotenv import dotenv_values

from litellm_prompt_router.cli.inputs import read_bytes
from litellm_prompt_router.documents.bundled import bundled_config
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.policy.litellm_config import (
    CALLBACK,
    CALLBACKS,
    CHECKOUT_CALLBACK,
    FROM_ENVIRONMENT,
    NO_CHECKOUT_CALLBACK,
    has_checkout_callback,
    resolved,
)

KEY_VARIABLE = "LITELLM_MASTER_KEY"
ENV_FILE = Path(".env")
DEFAULT_ENVIRONMENT = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "HF_HUB_OFFLINE": "1"}
"""Without these LiteLLM fetches its price map, and tokenizers, from the network while it starts and runs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProxyConfig:
    """A readable configuration. ``key_variable``: where its master key comes from, None when it is in the file.

    ``canned_models``: those that LiteLLM answers by itself, without a provider.
    """

    path: Path
    profiles_path: Path | None
    models: tuple[str, ...]
    canned_models: tuple[str, ...]
    key_variable: str | None


def checked_config(path: Path, environ: Mapping[str, str]) -> ProxyConfig:
    """The configuration at ``path``. Raises ConfigurationError with every problem of it and of its profiles."""
    document = read_document(path)
    problems: list[str] = []
    litellm_settings = _mapping(document, "litellm_settings", path, problems)
    callbacks = litellm_settings.get("callbacks")
    listed = callbacks if isinstance(callbacks, list) else [callbacks]
    if not (any(name in CALLBACKS for name in listed) or problems or "include" in document):
        problems.append(f"{path}: litellm_settings.callbacks: doesn't list {CALLBACK}; add it")
    elif CHECKOUT_CALLBACK in listed and not has_checkout_callback(path):
        missing = f"{CHECKOUT_CALLBACK}: {NO_CHECKOUT_CALLBACK}; list {CALLBACK} instead"
        problems.append(f"{path}: litellm_settings.callbacks: {missing}")
    section = _mapping(document, "callback_settings", path, problems).get("prompt_router")
    profiles_path = _loaded_profiles(path, resolved(section, environ, str(path)), environ, problems)
    general = _mapping(document, "general_settings", path, problems)
    if problems:
        raise ConfigurationError(problems)
    models = _models(document)
    return ProxyConfig(
        path=path,
        profiles_path=profiles_path,
        models=tuple(models),
        canned_models=tuple(name for name, parameters in models.items() if "mock_response" in parameters),
        key_variable=_key_variable(general),
    )


def read_document(path: Path) -> dict[str, Any]:
    """The whole file. Raises ConfigurationError."""
    raw = read_bytes(str(path))
    try:
        document = yaml.safe_load(raw)
    except yaml.MarkedYAMLError as error:
        line = f" at line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigurationError([f"{path}: not valid YAML{line}: {error.problem}; correct it"]) from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        raise ConfigurationError([f"{path}: not valid YAML; correct it"]) from None
    if not isinstance(document, dict):
        raise ConfigurationError([f"{path}: must be a mapping, as in {bundled_config()}"])
    return document


def _mapping(document: Mapping[str, Any], name: str, path: Path, problems: list[str]) -> Mapping[str, Any]:
    value = document.get(name)
    if isinstance(value, dict):
        return value
    if value is not None:
        problems.append(f"{path}: {name}: must be a mapping")
    return {}


def _loaded_profiles(path: Path, section: Any, environ: Mapping[str, str], problems: list[str]) -> Path | None:
    """Where profiles are read from; what would keep the callback from starting is added to ``problems``."""
    from litellm_prompt_router.policy.loader import Loader

    try:
        return Loader(section, environ, path.absolute()).load_at_start().profiles_path
    except ConfigurationError as error:
        problems.extend(error.problems)
    return None


def _models(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """LiteLLM's parameters by model name; of several deployments the last one's."""
    entries = document.get("model_list")
    found: dict[str, Mapping[str, Any]] = {}
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("model_name"), str):
            parameters = entry.get("litellm_params")
            found[entry["model_name"]] = parameters if isinstance(parameters, dict) else {}
    return found


def _key_variable(general: Mapping[str, Any]) -> str | None:
    stated = general.get("master_key")
    if not isinstance(stated, str):
        return KEY_VARIABLE
    return stated.removeprefix(FROM_ENVIRONMENT) if stated.startswith(FROM_ENVIRONMENT) else None


# The key


def make_key() -> str:
    """A key nobody can guess, in the form LiteLLM asks for."""
    return f"sk-{secrets.token_urlsafe(32)}"


def environment_of_file() -> dict[str, str]:
    """What ``./.env`` sets; empty values are as good as none."""
    return {name: value for name, value in dotenv_values(ENV_FILE).items() if value} if ENV_FILE.is_file() else {}


def remember_key(key: str) -> None:
    """Writes the master key into ``./.env``, readable by its owner only, in place of one without a value.

    Other lines stay as they are.
    """
    try:
        descriptor = os.open(ENV_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            os.fchmod(descriptor, 0o600)
            lines = [line for line in file.read().splitlines(keepends=True) if not _is_key_line(line)]
            if lines and not lines[-1].endswith(b"\n"):
                lines[-1] += b"\n"
            file.seek(0)
            file.write(b"".join(lines) + f"{KEY_VARIABLE}={key}\n".encode())
            file.truncate()
    except OSError as error:
        raise ConfigurationError(
            [f"{ENV_FILE}: can't be written ({error.strerror}); set {KEY_VARIABLE} in the environment instead"]
        ) from None


def _is_key_line(line: bytes) -> bool:
    return line.strip().removeprefix(b"export ").partition(b"=")[0].strip() == KEY_VARIABLE.encode()


def place_of_key(config: ProxyConfig, environ: Mapping[str, str]) -> str:
    """Where people find the master key, in words; never the key itself."""
    name = config.key_variable
    if name is None:
        return f"general_settings.master_key in {config.path}"
    key = environ.get(name)
    if not key:
        return f"{name}, which isn't set"
    is_in_file = environment_of_file().get(name) == key
    return f"{name} in {ENV_FILE.absolute()}" if is_in_file else f"{name} of the environment"


def shell_key(key_variable: str | None, environ: Mapping[str, str]) -> str:
    """What stands for the key inside double quotes in a shell command; never the key itself."""
    if key_variable is None:
        return "<the master_key of your config>"
    key = environment_of_file().get(key_variable)
    if key is None or key != environ.get(key_variable):
        return f"${key_variable}"
    if f"{key_variable}={key}" in ENV_FILE.read_text("utf-8").splitlines():
        return f"$(sed -n 's/^{key_variable}=//p' {ENV_FILE})"
    return f'$(. ./{ENV_FILE}; echo "${key_variable}")'
