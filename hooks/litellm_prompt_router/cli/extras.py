"""The parts of the package that not every proxy needs, and are installed by name."""

from __future__ import annotations

from importlib.util import find_spec

from litellm_prompt_router.documents.bundled import install_command
from litellm_prompt_router.documents.errors import ConfigurationError


def require_extra(extra: str, *libraries: str, by: str) -> None:
    """Nothing where the libraries are installed. Raises ConfigurationError with the extra that has them."""
    missing = [library for library in libraries if find_spec(library) is None]
    if missing:
        needs = " and ".join(missing)
        raise ConfigurationError([f"{by}: needs {needs}; install the extra: {install_command(extra)}"])
