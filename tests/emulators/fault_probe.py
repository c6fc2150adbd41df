"""A fault of the router's own, for as long as a file is there. Runs in the proxy, beside its configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from litellm.integrations.custom_logger import CustomLogger

from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.slices import Slices
from litellm_prompt_router.request.walk_steps import OpenedRequest, WalkResult

_opening = Pipeline.opening
_path = Path(os.environ["FAULT_PROBE_PATH"])


class ProvokedError(Exception):
    """Raised where our code would have a bug."""


def _opened(self: Pipeline, data: Mapping[str, Any], call_type: str) -> Slices[OpenedRequest | WalkResult]:
    if _path.exists():
        raise ProvokedError
    return (yield from _opening(self, data, call_type))


Pipeline.opening = _opened  # type: ignore[method-assign]
probe = CustomLogger()
