"""Real agents, as their makers publish them, against the real proxy: see ``cast``."""
