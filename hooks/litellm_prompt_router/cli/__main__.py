"""``python -m litellm_prompt_router.cli``."""

from litellm_prompt_router.cli import main

main(prog_name="prompt-router")
