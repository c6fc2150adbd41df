"""``python -m hooks.cli``."""

from hooks.cli import main

main(prog_name="prompt-router")
