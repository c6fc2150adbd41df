"""Prompt routing for LiteLLM: an agent's long system prompt, sent module by module.

The walk of one request, and where each step lives: ``litellm_hook`` (LiteLLM calls us) -> ``engine``: ``policy`` (is
it on for this key?), ``deployments`` (what does the provider take?) -> ``pipeline``: ``wire`` reads, ``recognise``
aligns the prompt to a profile, ``route`` decides which modules the conversation needs, ``compose`` orders what is
kept, ``breakpoints`` places cache marks, ``wire`` writes a new body -> the provider answers -> ``accounting`` ->
``record`` -> ``sinks``.

What the walk goes by is read ahead of it: ``configuration`` from the operator's files, ``library`` from the profiles'.
What makes, teaches and checks a profile: ``onboard``, ``examples``, ``fit``, ``evaluate``, ``simulate``, ``check``,
``drift``, ``learn``. ``cli`` has a file for each command.
"""
