"""The cost gate behind a real proxy: a profile that was tuned to be left alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from litellm_prompt_router.files import bundled_profiles
from litellm_prompt_router.files.profile_editor import ProfileEditor
from tests.emulators.envelopes import Envelopes
from tests.emulators.two_keys import TwoKeyProxy, running_two_keys
from tests.emulators.upstream import Upstream
from tests.end_to_end.workbench import HISTORY_MARKS, PROMPT, TOOLS, conversation, marks, record_of, system_text

pytestmark = pytest.mark.proxy


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoKeyProxy]:
    folder = tmp_path_factory.mktemp("economics")
    shutil.copytree(bundled_profiles() / "workbench", folder / "profiles" / "workbench")
    editor = ProfileEditor(folder / "profiles" / "workbench")
    editor.set_section("economics", {"choice": "full"})
    editor.save()
    env = {"PROMPT_ROUTER_PROFILES": str(folder / "profiles"), "PROMPT_ROUTER_COST_GATE": "true"}
    with (
        Upstream() as upstream,
        Envelopes() as envelopes,
        running_two_keys(upstream, envelopes, folder, env=env) as running,
    ):
        yield running


def send(proxy: TwoKeyProxy, model: str, messages: Any, headers: dict[str, str] | None = None) -> tuple[Any, Any]:
    """``(wire body, answer)``"""
    proxy.clear()
    tools: Any = TOOLS
    with proxy.openai("alpha") as client:
        answer = client.chat.completions.with_raw_response.create(
            model=model, messages=messages, tools=tools, extra_headers=headers
        )
    (request,) = [request for request in proxy.upstream.requests if request.method == "POST"]
    return request.json, answer


def test_the_text_stays_and_is_marked_for_claude(proxy: TwoKeyProxy) -> None:
    """Nobody marked it, so the prompt's end, the tools and the history's end are marked; the record says why."""
    body, answer = send(proxy, "claude", conversation())
    assert system_text(body) == PROMPT
    assert marks(body) == 2 + HISTORY_MARKS
    assert json.dumps(body["messages"][-1]).count("cache_control") == HISTORY_MARKS
    assert answer.headers["x-prompt-router-outcome"] == "passthrough"
    assert answer.headers["x-prompt-router-reason"] == "not_worth_it"
    assert answer.headers["x-prompt-router-breakpoints"] == str(marks(body))
    record = record_of(proxy.ledger_path, answer)
    assert (record["outcome"], record["reason"], record["profile"]) == ("passthrough", "not_worth_it", "workbench")
    assert (record["breakpoints_added"], record["breakpoints_client"]) == (marks(body), 0)
    assert (record["prompt_tokens"], record["list_price_saved_usd"]) == (None, None)
    assert "tools/data_processing" in [module["id"] for module in record["modules"]]


def test_the_clients_own_marks_are_enough(proxy: TwoKeyProxy) -> None:
    """Marks that a client sets stay where they are, and the budget holds."""
    mark = {"type": "ephemeral", "ttl": "1h"}
    messages = conversation([{"type": "text", "text": PROMPT, "cache_control": mark}])
    messages[-1]["content"] = [{"type": "text", "text": "yes, go on", "cache_control": {"type": "ephemeral"}}]
    body, answer = send(proxy, "claude", messages)
    assert body["system"] == [{"type": "text", "text": PROMPT, "cache_control": mark}]
    assert marks(body) == 2
    assert record_of(proxy.ledger_path, answer)["breakpoints_added"] == 0


def test_other_providers_get_it_as_it_came(proxy: TwoKeyProxy) -> None:
    body, _ = send(proxy, "gpt", conversation())
    sent = [{name: value for name, value in message.items() if value is not None} for message in conversation()]
    assert body["messages"] == sent  # LiteLLM leaves empty contents out
    assert "prompt_cache_key" not in body


def test_shadow_changes_nothing(proxy: TwoKeyProxy) -> None:
    body, answer = send(proxy, "claude", conversation(), {"x-prompt-router": "shadow"})
    assert system_text(body) == PROMPT
    assert marks(body) == 0
    record = record_of(proxy.ledger_path, answer)
    assert (record["reason"], record["breakpoints_added"]) == ("not_worth_it", 0)
