"""The entry named in ``proxy_config.yaml``: ``callbacks: [litellm_prompt_router.callback.handler]``."""

from litellm_prompt_router.gateway.plugin import make_handler

handler = make_handler()
