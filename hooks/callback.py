"""``callbacks: [hooks.callback.handler]`` from a checkout: LiteLLM finds this file by its place beside the config.

Installed, the callback is ``litellm_prompt_router.callback.handler``.
"""

import sys
from pathlib import Path

_HERE = str(Path(__file__).resolve().parent)
if _HERE not in sys.path:
    sys.path.insert(0, _HERE)

from litellm_prompt_router.callback import handler  # noqa: E402  (found by the line above)

__all__ = ["handler"]
