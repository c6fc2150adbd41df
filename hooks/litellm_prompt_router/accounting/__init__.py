"""What a call cost, checked by our own arithmetic, and what it would have cost with the prompt as it came.

``accountant`` completes a record. ``in_flight`` keeps what clients sent until it is answered; ``rates`` and ``bill``
price a usage by LiteLLM's rules; ``call_blocks`` turns what was kept into the blocks that the provider reads
(``continued_reading``, ``known_beginnings``: of a conversation that is known only what is new);
``block_sizes`` and ``token_weights`` bring these to the provider's own count of tokens; ``counterfactual`` holds the
provider's caches as they would stand with the original prompts, and ``shared_entries`` shares them among replicas.
What LiteLLM knows is handed in by ``gateway``.
"""
