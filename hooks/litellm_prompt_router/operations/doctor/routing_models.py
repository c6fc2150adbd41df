"""The routing models that profiles name: whether LiteLLM knows them, their price, and where their answers are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from litellm_prompt_router.operations.doctor.config_file import mapping_in
from litellm_prompt_router.operations.doctor.finding import Finding, ok, warn
from litellm_prompt_router.policy.active import ActiveConfiguration
from litellm_prompt_router.profile.profile import Profile, RoutingModelSettings


def examine_routing_models(document: Mapping[str, Any], configuration: ActiveConfiguration) -> Iterable[Finding]:
    """Nothing where no profile names such a model. ``document``: LiteLLM's configuration."""
    profiles = [profile for profile in configuration.profiles if profile.routing_model is not None]
    for profile in profiles:
        if profile.routing_model is not None:
            yield from _models(profile, profile.routing_model, document)
    if profiles:
        yield _switch(configuration)
        yield _memory(document, configuration)
        yield from _guardrails(document)


def _models(profile: Profile, settings: RoutingModelSettings, document: Mapping[str, Any]) -> Iterable[Finding]:
    from litellm_prompt_router.gateway.models.chat_models import is_known, price_is_known

    entries = document.get("model_list")
    groups = {each.get("model_name") for each in entries if isinstance(each, dict)} if isinstance(entries, list) else {}
    for field, name in (("model", settings.model), ("hedge_model", settings.hedge_model)):
        if name is None:
            continue
        check = f"routing model {name}"
        if name not in groups and not is_known(name):
            yield warn(
                check,
                f"named by profile {profile.name} (router.{field}): no group of model_list, nor a model of LiteLLM's",
                "correct the name, unless it lives in LiteLLM's database",
            )
        elif settings.budget_usd_per_hour is not None and not price_is_known(name, document):
            yield warn(
                check,
                "no price: a question counts 0.001 USD in the hourly budget, and net figures stay unknown",
                "state input_cost_per_token and output_cost_per_token in its model_info",
            )
        else:
            where = "a model group" if name in groups else "a model of LiteLLM's"
            yield ok(check, f"{where}, for profile {profile.name}")


def _switch(configuration: ActiveConfiguration) -> Finding:
    """Whether anybody's requests ask it, as far as files say."""
    layers = (configuration.policy.defaults, *(rule.layer for rule in configuration.policy.rules))
    if configuration.settings.router_model or any(layer.router_model for layer in layers):
        return ok("router_model", "on for some or all keys")
    return warn(
        "router_model",
        "off wherever settings and policy file say: no routing model is asked",
        "`router_model: true` in a rule, a key's prompt_router metadata or the settings, unless a key has it",
    )


def _guardrails(document: Mapping[str, Any]) -> Iterable[Finding]:
    """LiteLLM runs them behind the callbacks, in the order in which it loads both (proxy_server.py, 1.106)."""
    stated = document.get("guardrails")
    named: list[str] = []
    for each in stated if isinstance(stated, list) else ():
        if isinstance(each, dict) and "pre_call" in str(mapping_in(each, "litellm_params").get("mode")):
            named.append(str(each.get("guardrail_name")))
    if named:
        yield warn(
            "guardrails",
            f"{', '.join(named)}: run behind this callback, so a routing model is asked before they mask or refuse",
            "name a routing model that may read every message as it came",
        )


def _memory(document: Mapping[str, Any], configuration: ActiveConfiguration) -> Finding:
    settings = mapping_in(document, "litellm_settings")
    if settings.get("cache") is True and mapping_in(settings, "cache_params").get("type", "redis") == "redis":
        return ok("routing answers", "remembered in LiteLLM's Redis, shared by all replicas")
    folder = configuration.settings.status_folder
    if folder is not None:
        return ok("routing answers", f"no Redis: remembered in {folder}, shared by the workers of this machine alone")
    return warn(
        "routing answers",
        "neither Redis nor a status_dir: each worker asks by itself, and forgets at a restart",
        "switch on LiteLLM's Redis cache, or set status_dir; a conversation's prompt may change otherwise",
    )
