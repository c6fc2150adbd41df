"""Where a request goes behind LiteLLM, and what the provider there takes, costs and caches."""
