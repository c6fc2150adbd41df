"""LiteLLM's call types of the endpoints that are told apart by name."""

CHAT = "acompletion"
MESSAGES = "anthropic_messages"
RESPONSES = "aresponses"
