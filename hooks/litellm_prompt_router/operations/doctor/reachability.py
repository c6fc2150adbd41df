"""Whether something listens where it should. Bounded, and nothing is sent."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from litellm_prompt_router.operations.doctor.finding import Finding, fail, ok, warn
from litellm_prompt_router.policy.settings import Settings

CONNECT_SECONDS = 3.0
REDIS_PORT = 6379
FROM_ENVIRONMENT = "os.environ/"


def examine_glitchtip(settings: Settings) -> Iterable[Finding]:
    """The hosts of both DSNs."""
    stated = {"GlitchTip": settings.glitchtip.dsn, "GlitchTip (errors)": settings.glitchtip.errors_dsn}
    if settings.glitchtip.dsn is None and settings.glitchtip.errors_dsn is None:
        yield warn("GlitchTip", "no DSN: nothing is sent", "set GLITCHTIP_DSN, unless that is wanted")
    for name, dsn in stated.items():
        if dsn is None:
            continue
        parts = urlsplit(dsn)
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            yield fail(name, "the DSN's port is no number", "copy the DSN again from GlitchTip")
            continue
        todo = "check the host, DNS and firewall; requests go on, events are lost"
        yield _connected(name, parts.hostname or "", port, todo)


def examine_redis(litellm_settings: Mapping[str, Any], environ: Mapping[str, str]) -> Iterable[Finding]:
    """LiteLLM's own cache, where it is in a Redis; and the limit on messages that keeps agents' answers out of it."""
    if litellm_settings.get("cache") is not True:
        return
    stated = litellm_settings.get("cache_params")
    params: Mapping[str, Any] = stated if isinstance(stated, dict) else {}
    if "max_messages" not in params:
        yield warn(
            "response cache",
            "LiteLLM leaves requests of more than 4 messages out of it, so most agents' calls",
            "set cache_params.max_messages to null, unless that is wanted",
        )
    if params.get("type", "redis") not in ("redis", "redis-semantic"):
        yield ok("response cache", f"of type {params.get('type')}")
        return
    url = _value(params.get("url"), environ) or environ.get("REDIS_URL")
    host, port = _value(params.get("host"), environ) or environ.get("REDIS_HOST"), params.get("port")
    if url:
        parts = urlsplit(str(url))
        host, port = parts.hostname, parts.netloc.rpartition(":")[2] if ":" in parts.netloc else REDIS_PORT
    try:
        number = int(_value(port, environ) or environ.get("REDIS_PORT") or REDIS_PORT)
    except ValueError:
        yield fail("Redis", "its port is no number", "correct litellm_settings.cache_params.port")
        return
    if not host:
        yield fail("Redis", "caching uses Redis, and no host is stated", "set cache_params.host, or REDIS_HOST")
        return
    yield _connected("Redis", str(host), number, "start it, or correct litellm_settings.cache_params")


def _value(value: object, environ: Mapping[str, str]) -> str | None:
    if isinstance(value, str) and value.startswith(FROM_ENVIRONMENT):
        return environ.get(value.removeprefix(FROM_ENVIRONMENT))
    return str(value) if value is not None else None


def _connected(check: str, host: str, port: int, todo: str) -> Finding:
    try:
        with socket.create_connection((host, port), timeout=CONNECT_SECONDS):
            return ok(check, f"{host}:{port} answers")
    except (OSError, UnicodeError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return fail(check, f"{host}:{port} can't be reached ({why})", todo)
