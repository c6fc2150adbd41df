"""Prompt routing for LiteLLM: an agent's long system prompt, sent module by module.

A request's way: LiteLLM calls ``callback`` -> ``gateway.plugin`` -> ``gateway.handle``, which asks ``policy`` whether
it is on for this key and ``gateway.deployments`` what the provider takes, and has ``request.pipeline`` walk it:
``wire`` reads, ``recognise`` finds the profile, ``route`` decides which modules the conversation needs, ``cost_gate``
whether that pays, ``compose`` orders what is kept, ``breakpoints`` places cache marks, ``wire`` writes a new body. The
provider answers, ``accounting`` says what that cost and would have cost, and ``telemetry`` hands the ``record`` to
each sink.

Imports go one way, from the top of this list down:

- ``callback``: the handler that LiteLLM is given
- ``cli``: the commands, a file each
- ``operations``: doctor and workers' status
- ``gateway``: all that knows LiteLLM
- ``authoring``: making, teaching and checking profiles; ``analysis``: reports and simulation
- ``telemetry``: records -> ledger, GlitchTip, Prometheus, status files, captured traffic
- ``accounting``: the price of an answered call, and its counterfactual
- ``policy``: who gets it: settings, policy file, reload, breaker, control group
- ``files``: reading and writing profile folders and traffic files
- ``record``: the facts of one request
- ``request``: the pure walk
- ``cache_model``: how providers cache prompts, and their prices
- ``profile``: what is known of an agent's prompt
- ``local_embedding``: a sentence-embedding model that runs on this machine
- ``documents``: text, YAML and JSON Lines, with every problem told
"""
