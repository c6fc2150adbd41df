"""LiteLLM's configuration file: whether we are called, what we see, and what each of its model groups gets."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from litellm_prompt_router.operations.doctor.finding import Finding, fail, ok, warn
from litellm_prompt_router.policy.litellm_config import (
    CALLBACK,
    CALLBACKS,
    CHECKOUT_CALLBACK,
    FROM_ENVIRONMENT,
    NO_CHECKOUT_CALLBACK,
)
from litellm_prompt_router.profile.profile import DEFAULT_PLACEMENT
from litellm_prompt_router.request.types import UNKNOWN_TARGET, Target

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
    yield _place_of_section(document, litellm_settings, general)
    if general.get("always_include_stream_usage") is True:
        yield ok("stream usage", "always_include_stream_usage is on")
    else:
        yield warn(
            "stream usage",
            "streams of mixed model groups are logged with zero tokens",
            "set general_settings.always_include_stream_usage: true",
        )
    yield from _what_litellm_logs(litellm_settings, general, environ)


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


def _place_of_section(document: Mapping[str, Any], settings: Mapping[str, Any], general: Mapping[str, Any]) -> Finding:
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


def _what_litellm_logs(
    settings: Mapping[str, Any], general: Mapping[str, Any], environ: Mapping[str, str]
) -> Iterable[Finding]:
    """Settings of LiteLLM that put prompts and keys into its log or database."""
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
    if isinstance(key, str) and not key.startswith(FROM_ENVIRONMENT):
        found = True
        yield warn("LiteLLM's log", "the master key stands in the file", f"use {FROM_ENVIRONMENT}LITELLM_MASTER_KEY")
    if not found:
        yield ok("LiteLLM's log", "no prompts or keys by this configuration")


def examine_groups(document: Mapping[str, Any], stated_placement: str) -> Iterable[Finding]:
    """What each model group gets: placement of late modules, cache marks, prices.

    ``stated_placement``: the setting.
    """
    from litellm_prompt_router.gateway.deployments.groups import targets_of_config  # brings LiteLLM, some seconds

    entries = document.get("model_list")
    if not isinstance(entries, list) or not entries:
        yield warn("models", "no model_list in this file", "nothing, if models live in LiteLLM's database")
        return
    targets, problem = targets_of_config(document)
    if problem is not None:
        yield fail("models", f"LiteLLM doesn't take the model_list ({problem})", "correct it")
    for group, target in targets.items():
        yield _group(group, target, stated_placement)


def _group(group: str, target: Target, stated: str) -> Finding:
    name = f"model {group}"
    if target == UNKNOWN_TARGET:
        return warn(name, "nothing is known of its deployments: no marks", "check the model's name")
    placement = DEFAULT_PLACEMENT if stated == "auto" or target.holds_to_prefix else stated
    late = f" as {target.late_form}s" if placement == "append" else ""
    marks = "cache_control" if target.takes_marks else "breakpoints" if target.takes_breakpoints else "none"
    if target.each:
        marks = "by deployment"
    price = target.input_usd_per_token
    cost = f"${price * 1_000_000:g} a million tokens" if price is not None else "no price, or several"
    text = f"placement {placement}{late}, marks {marks}, cached from {target.min_cache_tokens} tokens, {cost}"
    if price is None and not target.each:
        return warn(name, text, "state input_cost_per_token in its model_info, or savings stay unavailable")
    return ok(name, text)
