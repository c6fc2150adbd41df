"""LiteLLM's configuration file, as far as it decides whether we are called and what we see. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from litellm_prompt_router.operations.doctor.finding import Finding, fail, ok, warn
from litellm_prompt_router.policy.litellm_config import CALLBACK, CALLBACKS, CHECKOUT_CALLBACK, NO_CHECKOUT_CALLBACK

SECTION = "prompt_router"
HARMLESS = frozenset(
    {"prometheus", "langfuse", "langfuse_otel", "otel", "datadog", "s3", "s3_v2", "sentry", "langsmith", "arize"}
)
"""Callbacks that only log, by LiteLLM's names for them (``litellm/__init__.py``, 1.106)."""


def examine_document(
    document: Mapping[str, Any], environ: Mapping[str, str], *, has_checkout_callback: bool
) -> Iterable[Finding]:
    """Callbacks, our section's place, streams' usage, and what LiteLLM itself logs.

    ``has_checkout_callback``: ``hooks/callback.py`` lies where LiteLLM would find it.
    """
    litellm_settings, general = mapping_in(document, "litellm_settings"), mapping_in(document, "general_settings")
    yield _callbacks(litellm_settings, has_include="include" in document, has_checkout_callback=has_checkout_callback)
    yield from _order(litellm_settings.get("callbacks"))
    yield _place(document, litellm_settings, general)
    if general.get("always_include_stream_usage") is True:
        yield ok("stream usage", "always_include_stream_usage is on")
    else:
        yield warn(
            "stream usage",
            "streams of mixed model groups are logged with zero tokens",
            "set general_settings.always_include_stream_usage: true",
        )
    yield from _talkative(litellm_settings, general, environ)


def mapping_in(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of the file; empty where it is absent or no mapping."""
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _callbacks(settings: Mapping[str, Any], *, has_include: bool, has_checkout_callback: bool) -> Finding:
    callbacks = settings.get("callbacks")
    if isinstance(callbacks, str):
        return fail(
            "callback",
            f"litellm_settings.callbacks is a plain string, {callbacks!r}: it replaces LiteLLM's own callbacks",
            f"make it a list: callbacks: [{CALLBACK}]",
        )
    listed = [name for name in callbacks if isinstance(name, str)] if isinstance(callbacks, list) else []
    own = [name for name in listed if name in CALLBACKS]
    if own:
        if len(own) > 1:
            return fail("callback", f"{' and '.join(dict.fromkeys(own))} is listed {len(own)} times", "list it once")
        if own[0] == CHECKOUT_CALLBACK and not has_checkout_callback:
            return fail("callback", f"{own[0]}: {NO_CHECKOUT_CALLBACK}", f"list {CALLBACK} instead")
        return ok("callback", f"{own[0]} is in the list litellm_settings.callbacks")
    for name in ("success_callback", "failure_callback", "service_callback"):
        value = settings.get(name)
        misplaced = [each for each in (value if isinstance(value, list) else [value]) if each in CALLBACKS]
        if misplaced:
            return fail("callback", f"{misplaced[0]} stands under {name}: it sees no request", "move it to `callbacks`")
    near = [name for name in listed if name.startswith(("hooks.", "litellm_prompt_router."))]
    if near:
        return fail("callback", f"litellm_settings.callbacks lists {near[0]}", f"the name is {CALLBACK}")
    todo = f"add litellm_settings.callbacks: [{CALLBACK}]"
    if has_include:
        return warn(
            "callback", "not listed in this file, which includes others", f"see that one of them has it: {todo}"
        )
    return fail("callback", "LiteLLM doesn't call us", todo)


def _order(callbacks: object) -> Iterable[Finding]:
    names = [name for name in callbacks if isinstance(name, str)] if isinstance(callbacks, list) else []
    at = next((number for number, name in enumerate(names) if name in CALLBACKS), None)
    if at is None:
        return
    before = [name for name in names[:at] if name not in HARMLESS]
    behind = [name for name in names[at + 1 :] if name not in HARMLESS]
    if before:
        yield warn(
            "order",
            f"{', '.join(before)} runs ahead of us: if it changes messages, its text is what has to be recognised",
            f"put {names[at]} first, unless it must see the whole prompt before",
        )
    elif behind:
        yield warn(
            "order",
            f"{', '.join(behind)} runs behind us and sees the rewritten prompt",
            "nothing, unless it changes the prompt from call to call: then caches don't hold",
        )
    else:
        yield ok("order", "no other callback that may change messages")


def _place(document: Mapping[str, Any], settings: Mapping[str, Any], general: Mapping[str, Any]) -> Finding:
    section = mapping_in(document, "callback_settings")
    right = f"callback_settings.{SECTION}, at the top level of the file"
    if SECTION in section:
        return ok("settings' place", f"callback_settings.{SECTION}")
    if SECTION in mapping_in(settings, "callback_settings"):
        return warn(
            "settings' place",
            "they stand under litellm_settings, where the order of lines decides",
            f"move them to {right}",
        )
    for name, place in (("the top level", document), ("litellm_settings", settings), ("general_settings", general)):
        if SECTION in place:
            return fail(
                "settings' place", f"{SECTION} stands under {name}: nobody reads it there", f"move it to {right}"
            )
    near = difflib.get_close_matches(SECTION, [str(name) for name in section], n=1)
    if near:
        return fail("settings' place", f"callback_settings.{near[0]}: nobody reads it", f"the name is {SECTION}")
    return warn("settings' place", f"no callback_settings.{SECTION}: built-in defaults hold", "state at least the mode")


def _talkative(
    settings: Mapping[str, Any], general: Mapping[str, Any], environ: Mapping[str, str]
) -> Iterable[Finding]:
    """What puts prompts and keys where they don't belong, though not by us."""
    found = False
    if settings.get("set_verbose") is True or environ.get("LITELLM_LOG", "").upper() == "DEBUG":
        found = True
        yield warn(
            "LiteLLM's log",
            "debugging is on: prompts and credentials go to the log",
            "drop set_verbose and LITELLM_LOG=DEBUG in production",
        )
    if general.get("store_prompts_in_spend_logs") is True:
        found = True
        yield warn(
            "LiteLLM's log", "prompts are stored in spend logs", "drop general_settings.store_prompts_in_spend_logs"
        )
    key = general.get("master_key")
    if isinstance(key, str) and not key.startswith("os.environ/"):
        found = True
        yield warn("LiteLLM's log", "the master key stands in the file", "use os.environ/LITELLM_MASTER_KEY")
    if not found:
        yield ok("LiteLLM's log", "no prompts or keys by this configuration")
