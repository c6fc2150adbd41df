"""Where the files lie that come with the package: in the wheel beside the code, in a checkout at its top level."""

from __future__ import annotations

from pathlib import Path

CONFIG_NAME = "proxy_config.yaml"
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
