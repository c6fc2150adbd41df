"""What doctor says of a configuration file: a row for each mistake that it knows."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from litellm_prompt_router.operations.doctor.config_file import examine_document
from litellm_prompt_router.operations.doctor.finding import Finding
from litellm_prompt_router.policy.litellm_config import CALLBACK, CHECKOUT_CALLBACK

GOOD: dict[str, Any] = {
    "litellm_settings": {"callbacks": [CALLBACK]},
    "callback_settings": {"prompt_router": {"mode": "shadow"}},
    "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY", "always_include_stream_usage": True},
}


def levels(document: dict[str, Any], environ: dict[str, str] | None = None) -> dict[str, str]:
    return {finding.check: finding.level for finding in examined(document, environ)}


def examined(
    document: dict[str, Any], environ: dict[str, str] | None = None, *, has_checkout_callback: bool = False
) -> list[Finding]:
    return list(examine_document(document, environ or {}, has_checkout_callback=has_checkout_callback))


def test_a_good_file_is_in_order() -> None:
    assert set(levels(GOOD).values()) == {"ok"}
    assert all(finding.todo is None for finding in examined(GOOD))


@pytest.mark.parametrize("is_there", [True, False])
def test_the_checkouts_name_needs_the_checkouts_file(is_there: bool) -> None:
    """LiteLLM finds it by its place only."""
    document = {**GOOD, "litellm_settings": {"callbacks": [CHECKOUT_CALLBACK]}}
    [finding] = [each for each in examined(document, has_checkout_callback=is_there) if each.check == "callback"]
    assert (finding.level, finding.todo) == (("ok", None) if is_there else ("fail", f"list {CALLBACK} instead"))


def plain_string(document: dict[str, Any]) -> None:
    document["litellm_settings"]["callbacks"] = CALLBACK


def missing(document: dict[str, Any]) -> None:
    document["litellm_settings"]["callbacks"] = ["prometheus"]


def twice(document: dict[str, Any]) -> None:
    document["litellm_settings"]["callbacks"] = [CALLBACK, CALLBACK]


def the_class(document: dict[str, Any]) -> None:
    document["litellm_settings"]["callbacks"] = ["litellm_prompt_router.gateway.plugin.PromptRouter"]


def logs_only(document: dict[str, Any]) -> None:
    document["litellm_settings"] = {"success_callback": [CALLBACK]}


def elsewhere(document: dict[str, Any]) -> None:
    document["general_settings"]["prompt_router"] = document["callback_settings"].pop("prompt_router")


def misspelt(document: dict[str, Any]) -> None:
    document["callback_settings"]["promptrouter"] = document["callback_settings"].pop("prompt_router")


def nested(document: dict[str, Any]) -> None:
    document["litellm_settings"]["callback_settings"] = document.pop("callback_settings")


def behind_another(document: dict[str, Any]) -> None:
    document["litellm_settings"]["callbacks"] = ["prometheus", "mine.compress", CALLBACK]


def ahead_of_another(document: dict[str, Any]) -> None:
    document["litellm_settings"]["callbacks"] = [CALLBACK, "mine.compress"]


def no_usage(document: dict[str, Any]) -> None:
    del document["general_settings"]["always_include_stream_usage"]


def verbose(document: dict[str, Any]) -> None:
    document["litellm_settings"]["set_verbose"] = True


def key_in_file(document: dict[str, Any]) -> None:
    document["general_settings"]["master_key"] = "sk-1"


MISTAKES: list[tuple[Callable[[dict[str, Any]], None], str, str]] = [
    (plain_string, "callback", "fail"),
    (missing, "callback", "fail"),
    (twice, "callback", "fail"),
    (the_class, "callback", "fail"),
    (logs_only, "callback", "fail"),
    (elsewhere, "settings' place", "fail"),
    (misspelt, "settings' place", "fail"),
    (nested, "settings' place", "warn"),
    (behind_another, "order", "warn"),
    (ahead_of_another, "order", "warn"),
    (no_usage, "stream usage", "warn"),
    (verbose, "LiteLLM's log", "warn"),
    (key_in_file, "LiteLLM's log", "warn"),
]


@pytest.mark.parametrize(("spoil", "check", "level"), MISTAKES, ids=[row[0].__name__ for row in MISTAKES])
def test_a_mistake_is_found_and_what_to_do_is_said(
    spoil: Callable[[dict[str, Any]], None], check: str, level: str
) -> None:
    """No key is in what is said."""
    document = copy.deepcopy(GOOD)
    spoil(document)
    [finding] = [finding for finding in examined(document) if finding.check == check]
    assert (finding.level, bool(finding.todo)) == (level, True)
    assert "sk-1" not in finding.text


def test_debugging_by_the_environment_is_found() -> None:
    assert levels(GOOD, {"LITELLM_LOG": "debug"})["LiteLLM's log"] == "warn"
