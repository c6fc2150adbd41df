"""Where the files lie that come with the package: in the wheel beside the code, in a checkout at its top level."""

from __future__ import annotations

from pathlib import Path

CONFIG_NAME = "proxy_config.yaml"
_LOCK = "requirements.lock"
_PACKAGE = Path(__file__).resolve().parents[1]
CHECKOUT = _PACKAGE.parents[1]
"""The checkout's top level, where the package isn't installed from a wheel."""


def bundled_profiles() -> Path:
    """The folder of the profiles that come with the package."""
    installed = _PACKAGE / "bundled_profiles"
    return installed if installed.is_dir() else CHECKOUT / "modules"


def bundled_config() -> Path:
    """The proxy's configuration that comes with the package."""
    installed = _PACKAGE / "bundled_config" / CONFIG_NAME
    return installed if installed.is_file() else CHECKOUT / CONFIG_NAME


def default_config() -> Path:
    """The proxy's configuration that is meant where nobody names one: the current folder's, else the bundled one."""
    here = Path(CONFIG_NAME)
    return here if here.is_file() else bundled_config()


def install_command(extra: str) -> str:
    """The shell command that brings an extra of this package; in a clone with the versions it is tested with."""
    if not ((CHECKOUT / _LOCK).is_file() and (CHECKOUT / "pyproject.toml").is_file()):
        return f"pip install 'litellm-prompt-router[{extra}]'"
    if Path.cwd() == CHECKOUT:
        return f"pip install -c {_LOCK} -e '.[{extra}]'"
    return f"pip install -c '{CHECKOUT / _LOCK}' -e '{CHECKOUT}[{extra}]'"
