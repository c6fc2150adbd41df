"""LiteLLM's proxy server, where one runs in this process: its model router, its Redis, its configuration file.

Its module is looked up and never imported: outside a proxy the import would take seconds, and there is nothing to find.
Source: litellm/proxy/proxy_server.py (1.106).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def _attribute(name: str) -> Any:
    return getattr(sys.modules.get("litellm.proxy.proxy_server"), name, None)


def llm_router() -> Any:
    """The ``litellm.Router`` of the proxy's model list; None without a proxy, and without models."""
    return _attribute("llm_router")


def redis() -> Any:
    """The ``RedisCache`` that the proxy's workers share, of its cache settings or else its router; or None."""
    shared = _attribute("redis_usage_cache")
    if shared is None:
        shared = getattr(getattr(llm_router(), "cache", None), "redis_cache", None)
    return shared if hasattr(shared, "redis_client") and hasattr(shared, "check_and_fix_namespace") else None


def redis_for_hooks(cache: Any) -> Any:
    """The ``RedisCache`` of the cache that LiteLLM hands to hooks, else that of its cache settings; None without one.

    The former has one only with ``enable_redis_auth_cache``.
    """
    return getattr(cache, "redis_cache", None) or _attribute("redis_usage_cache")


def config_path() -> Path | None:
    """The file that the proxy was configured from; None for a bucket, a database, or no proxy.

    LiteLLM sets it before it loads callbacks (``_get_config_from_file``).
    """
    stated = _attribute("user_config_file_path")
    return Path(stated).absolute() if isinstance(stated, str) and Path(stated).is_file() else None
