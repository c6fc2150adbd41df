"""All that knows LiteLLM: its hooks (``plugin``), one request's stages (``handle``), its callers, bags and events.

``deployments`` says what the providers behind a model group take, ``models`` asks models of our own.
"""
