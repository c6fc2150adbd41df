"""Language and embedding models that we ask ourselves, through LiteLLM."""
