"""Prompt routing for LiteLLM: an agent's long system prompt, sent module by module.

The walk of one request, and where each step lives: ``litellm_hook`` (LiteLLM calls us) -> ``policy`` (is it on
for this key?) -> ``pipeline``: ``wire`` reads, ``recognise`` aligns the prompt to a profile, ``route`` decides
which modules the conversation needs, ``compose`` orders what is kept, ``breakpoints`` places cache marks,
``wire`` writes a new body -> the provider answers -> ``record`` -> ``sinks``.
"""
