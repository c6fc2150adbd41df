"""What GlitchTip hears of when something needs attention."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.emulators.envelopes import Envelopes
from tests.emulators.two_keys import CONFIG, TwoKeyProxy, running_two_keys
from tests.emulators.upstream import Upstream
from tests.end_to_end.workbench import PROMPT, conversation, system_text

pytestmark = pytest.mark.proxy

WAIT_SECONDS = 10.0


def ask(proxy: TwoKeyProxy, prompt: str) -> None:
    messages: Any = conversation(prompt)
    with proxy.openai("alpha") as client:
        client.chat.completions.create(model="claude", messages=messages)


def titled(envelopes: Envelopes, title: str) -> dict[str, Any]:
    """The one event with this title, once it is there."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        found = [event for event in envelopes.events if event.get("message") == title]
        if found:
            assert len(found) == 1
            return found[0]
        time.sleep(0.05)
    raise AssertionError([event.get("message") for event in envelopes.events])


def test_a_prompt_that_changed_too_much_is_drift(two_key_proxy: TwoKeyProxy) -> None:
    """Half known, half not: the prompt passes through as it came and one event says which profile was close."""
    prompt = PROMPT[:26_000] + "\n\n" + "A paragraph nobody has seen, MARKER-drift.\n" * 900
    ask(two_key_proxy, prompt)
    ask(two_key_proxy, prompt)
    bodies = [request.json for request in two_key_proxy.upstream.requests]
    assert [system_text(body) for body in bodies] == [prompt, prompt]
    event = titled(two_key_proxy.envelopes, "Prompt drift")
    assert event["tags"]["profile"] == "workbench"
    assert 0.2 <= event["contexts"]["drift"]["coverage"] < 0.6
    assert "MARKER" not in json.dumps(event)


@pytest.mark.full
def test_a_misspelt_field_of_a_key_is_an_error_event(tmp_path: Path) -> None:
    """The request goes through as it came; the event says where the mistake is and what was meant."""
    folder = tmp_path / "two_keys"
    shutil.copytree(CONFIG.parent, folder)
    keys = folder / "keys.yaml"
    keys.write_text(keys.read_text(encoding="utf-8").replace("enabled: true", "enable: true"), encoding="utf-8")
    with (
        Upstream() as upstream,
        Envelopes() as envelopes,
        running_two_keys(upstream, envelopes, tmp_path, config_path=folder / CONFIG.name) as proxy,
    ):
        ask(proxy, PROMPT)
        assert system_text(upstream.last.json) == PROMPT
        event = titled(envelopes, "Key metadata")
        assert event["level"] == "error"
        assert "key metadata: prompt_router: enable: unknown field; did you mean 'enabled'?" in json.dumps(event)
