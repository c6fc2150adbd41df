"""The configuration file of a LiteLLM proxy: where the running one has it, our section in it, our file beside it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.parsing import read_text

CALLBACK = "litellm_prompt_router.callback.handler"
CHECKOUT_CALLBACK = "hooks.callback.handler"
"""LiteLLM finds it by its place: ``hooks/callback.py`` beside the configuration, or below the current folder."""
NO_CHECKOUT_CALLBACK = "no hooks/callback.py beside the file or below the current folder"
CALLBACKS = (CALLBACK, CHECKOUT_CALLBACK)
POLICY_NAME = "policy.yaml"
FROM_ENVIRONMENT = "os.environ/"
MAX_VALUES = 5_000
"""In our section. Aliases can make a short file as large as they like."""


def running_config_path() -> Path | None:
    """The file that the proxy in this process was configured from; None for a bucket, a database, or no proxy.

    LiteLLM sets it before it loads callbacks (litellm/proxy/proxy_server.py, ``_get_config_from_file``, 1.106).
    """
    server = sys.modules.get("litellm.proxy.proxy_server")
    stated = getattr(server, "user_config_file_path", None)
    return Path(stated).absolute() if isinstance(stated, str) and Path(stated).is_file() else None


def has_checkout_callback(config_path: Path) -> bool:
    """True where LiteLLM would find ``CHECKOUT_CALLBACK``."""
    return any((folder / "hooks" / "callback.py").is_file() for folder in (config_path.parent, Path()))


def section_in(path: Path, environ: Mapping[str, str]) -> Mapping[str, Any] | None:
    """``callback_settings.prompt_router`` as LiteLLM would hand it to us. Raises ConfigurationError."""
    try:
        document = yaml.load(read_text(path, str(path)), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except yaml.MarkedYAMLError as error:
        line = f" at line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigurationError([f"{path}: not valid YAML{line}: {error.problem}; correct it"]) from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise ConfigurationError([f"{path}: not valid YAML; correct it"]) from None
    settings = document.get("callback_settings") if isinstance(document, dict) else None
    section = settings.get("prompt_router") if isinstance(settings, dict) else None
    return resolved(section, environ, str(path)) or None


def resolved(section: Any, environ: Mapping[str, str], where: str) -> Any:
    """Our section with every ``os.environ/NAME`` replaced, as LiteLLM does it. Raises ConfigurationError."""
    return _resolved(section, environ, [MAX_VALUES], where)


def _resolved(value: Any, environ: Mapping[str, str], left: list[int], where: str) -> Any:
    left[0] -= 1
    if left[0] < 0:
        raise ConfigurationError([f"{where}: callback_settings.prompt_router: too long to be settings; correct it"])
    if isinstance(value, dict):
        return {key: _resolved(item, environ, left, where) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item, environ, left, where) for item in value]
    if isinstance(value, str) and value.startswith(FROM_ENVIRONMENT):
        return environ.get(value.removeprefix(FROM_ENVIRONMENT))
    return value


def policy_path(stated: Path | None, config_path: Path | None) -> Path | None:
    """The policy file: as stated, or ``policy.yaml``; relative paths start at the proxy's configuration file."""
    folder = config_path.parent if config_path is not None else None
    if stated is None:
        return None if folder is None else folder / POLICY_NAME
    return stated if folder is None else folder / stated
