"""The entry named in ``proxy_config.yaml``: ``callbacks: [hooks.callback.handler]``.

LiteLLM loads this file by its location when it lies beside the config, so the rest of the package may not be
on the import path yet.
"""

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("hooks") is None or importlib.util.find_spec("hooks.litellm_hook") is None:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hooks.litellm_hook import make_handler

handler = make_handler()
