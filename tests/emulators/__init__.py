"""Stand-ins for what surrounds the hook: a provider, an error tracker, and a real LiteLLM proxy process."""
