"""Where a request goes behind LiteLLM, and what the provider there takes, costs and caches."""

import litellm

litellm.suppress_debug_info = True  # as in its proxy: else it prints help on stdout about each model it doesn't know
