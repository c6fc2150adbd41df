"""The proxy's wall clock, moved by so many seconds as a file says. Runs in the proxy, beside its configuration.

``time.time`` is what everything in Python there reads, LiteLLM and the router alike; the monotonic clock goes on, as it
does when a machine's clock is set.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from litellm.integrations.custom_logger import CustomLogger

_real = time.time
_path = Path(os.environ["CLOCK_PROBE_PATH"])


def _moved() -> float:
    try:
        return _real() + float(_path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return _real()


time.time = _moved
probe = CustomLogger()
