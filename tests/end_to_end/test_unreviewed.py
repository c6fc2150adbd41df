"""A profile that nobody reviewed, in a real proxy: every byte as with routing switched off, and it is told."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from litellm_prompt_router.files import bundled_profiles
from tests.emulators.envelopes import Envelopes
from tests.emulators.two_keys import KeyName, TwoKeyProxy, running_two_keys
from tests.emulators.upstream import Upstream
from tests.end_to_end.workbench import (
    GEMINI_TOOLS,
    PROMPT,
    RESPONSES_TOOLS,
    TOOLS,
    as_contents,
    as_items,
    conversation,
    messages_body,
    record_of,
)

pytestmark = pytest.mark.proxy

CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat, Claude": ("/v1/chat/completions", {"model": "claude", "messages": conversation(), "tools": TOOLS}),
    "chat, GPT": ("/v1/chat/completions", {"model": "gpt", "messages": conversation(), "tools": TOOLS}),
    "messages": ("/v1/messages", {"model": "claude", **messages_body()}),
    "responses": (
        "/v1/responses",
        {"model": "gpt", "instructions": PROMPT, "input": as_items(conversation()[1:]), "tools": RESPONSES_TOOLS},
    ),
    "Gemini's": (
        "/v1beta/models/gpt:generateContent",
        {
            "systemInstruction": {"parts": [{"text": PROMPT}]},
            "contents": as_contents(conversation()[1:]),
            "tools": GEMINI_TOOLS,
        },
    ),
}


@pytest.fixture(scope="module")
def draft_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoKeyProxy]:
    """The example with two keys, the workbench profile as a draft, and a control group under way."""
    folder = tmp_path_factory.mktemp("draft")
    shutil.copytree(bundled_profiles() / "workbench", folder / "modules" / "workbench")
    with (folder / "modules" / "workbench" / "profile.yaml").open("a", encoding="utf-8") as file:
        file.write("\nreviewed: false\n")
    env = {
        "PROMPT_ROUTER_PROFILES": str(folder / "modules"),
        "PROMPT_ROUTER_HOLDOUT": "0.5",
        "PROMPT_ROUTER_STATUS_DIR": str(folder / "status"),
    }
    with (
        Upstream() as upstream,
        Envelopes() as envelopes,
        running_two_keys(upstream, envelopes, folder, env=env) as proxy,
    ):
        yield proxy


def post(proxy: TwoKeyProxy, key: KeyName, call: str) -> tuple[httpx.Response, bytes]:
    """The answer, and the one body that reached the provider."""
    path, body = CALLS[call]
    proxy.upstream.clear()
    with httpx.Client(base_url=proxy.url, trust_env=False, timeout=30) as client:
        response = client.post(path, headers={"authorization": f"Bearer {proxy.keys[key]}"}, json=body)
    assert response.status_code == 200, response.text
    (sent,) = proxy.upstream.calls
    return response, sent.body


@pytest.mark.parametrize("call", CALLS)
def test_the_wire_is_as_with_the_key_that_is_off(draft_proxy: TwoKeyProxy, call: str) -> None:
    """No module is left out, no mark set; the record says what would have been, and why it wasn't."""
    _, off = post(draft_proxy, "beta", call)
    response, held = post(draft_proxy, "alpha", call)
    assert held == off
    record = record_of(draft_proxy.ledger_path, response)
    assert (record["outcome"], record["mode"]) == ("shadow", "shadow")
    assert (record["reason"], record["policy"], record["arm"]) == ("unreviewed", "unreviewed", None)
    assert record["prompt_chars"] < record["original_chars"] == len(PROMPT)
    assert response.headers["x-prompt-router-outcome"] == "shadow"
    assert response.headers["x-prompt-router-reason"] == "unreviewed"


def test_one_event_and_a_line_of_status_tell_it(draft_proxy: TwoKeyProxy) -> None:
    for _ in range(3):
        post(draft_proxy, "alpha", "chat, GPT")
    folder = draft_proxy.ledger_path.parent
    status = [sys.executable, "-m", "litellm_prompt_router.cli", "status", "--status-dir", str(folder / "status")]
    deadline, shown = time.monotonic() + 15, ""
    while "requests held in shadow" not in shown or "profile workbench, not reviewed  0" in shown:
        assert time.monotonic() < deadline, shown
        time.sleep(0.5)
        shown = subprocess.run(status, capture_output=True, text=True, cwd=folder).stdout
    told = [event for event in draft_proxy.envelopes.events if event.get("message") == "Profile not reviewed"]
    assert len(told) == 1
    assert told[0]["level"] == "warning"
    assert "MARKER-user-4711" not in json.dumps(told)
