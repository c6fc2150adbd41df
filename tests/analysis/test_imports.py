"""What the report is made with stays out of the proxy."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"polars", "vl_convert", "litellm_prompt_router.analysis.report"}
CODE = f"import sys, litellm_prompt_router.callback; print({HEAVY} & set(sys.modules))"


def test_the_proxy_imports_none_of_it() -> None:
    """Importing the callback brings no frames and no charts."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
