"""What a call cost, checked by our own arithmetic, and what it would have cost with the prompt as it came.

``kept`` holds what clients sent until it is answered; ``rates`` and ``basis`` price a usage by LiteLLM's rules;
``bodies`` turns what was kept into the blocks that the provider reads; ``sizes`` and ``token_weights`` bring these to
the provider's own count of tokens; ``baseline`` is the provider's caches as they would stand with the original prompts;
``accountant`` puts these together, off the request path. ``deployment`` and ``shared`` are the edges to LiteLLM's
router and its Redis.
"""
